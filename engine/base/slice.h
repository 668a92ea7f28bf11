/* What the library needs of slices beyond the public calls. */
#ifndef HF_BASE_SLICE_H
#define HF_BASE_SLICE_H

#include "engine/base/compiler.h"

enum { HF_ID_SIZE_MAX = 255 };

/* Whether the bytes are well-formed UTF-8 (no surrogates, nothing overlong). */
bool hf_slice_is_utf8(hf_slice slice);

/* Proves that id is an id or name: 1..255 bytes of UTF-8. `what` names it in the message ("instance
 * id"). Borrows both. Errors: HF_INVALID. */
HF_MUST_CHECK hf_status hf_id_check(const char *id, const char *what, hf_error *error);

/* The same for the name of an orchestration or activity, which may not begin with "holdfast.": such
 * names are the library's own. */
HF_MUST_CHECK hf_status hf_name_check(const char *name, const char *what, hf_error *error);

/* <0, 0, >0 in the order of unsigned bytes, a prefix before the longer. */
int hf_slice_compare(hf_slice a, hf_slice b);

#endif
