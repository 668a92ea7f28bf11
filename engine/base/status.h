/* Filling an hf_error: the status says what kind of trouble, the message what, where and what to
 * do. */
#ifndef HF_BASE_STATUS_H
#define HF_BASE_STATUS_H

#include "engine/base/compiler.h"

/* Fills error (NULL allowed) with status and message, clears its other fields, and returns status.
 * Cut, never overrun. Copies what it formats. Any thread. */
hf_status hf_error_set(hf_error *error, hf_status status, const char *format, ...) HF_PRINTF(3, 4);

/* As hf_error_set, and records an errno or LMDB code. ENOMEM: the status is HF_NO_MEMORY, whatever
 * failed for want of it. */
hf_status hf_error_system(hf_error *error, hf_status status, int system_error, const char *format,
                          ...) HF_PRINTF(4, 5);

/* As hf_error_set with HF_CORRUPT, and names the damaged record (0: none). */
hf_status hf_error_corrupt(hf_error *error, uint64_t lsn, const char *format, ...) HF_PRINTF(3, 4);

/* Sets the machine-readable code of an error that is set already. NULL error allowed. */
void hf_error_code(hf_error *error, const char *code);

/* All zero: no error. NULL allowed. */
void hf_error_clear(hf_error *error);

/* Copies text into a field of fixed size: cut at a character's border, always NUL-terminated. */
void hf_text_copy(char *field, size_t field_size, hf_slice text);

#endif
