/* The real world behind the seams: this machine's clocks, randomness and boot. */
#ifndef HF_RUNTIME_WORLD_H
#define HF_RUNTIME_WORLD_H

#include "engine/base/compiler.h"

enum { HF_BOOT_ID_SIZE = 64 };

/* CLOCK_BOOTTIME and CLOCK_REALTIME. Static storage. */
const hf_clock *hf_world_clock(void);

/* Fills bytes with randomness of the kernel; `self` is not looked at (the form of hf_seams). Any
 * thread. */
void hf_world_random(void *self, void *bytes, size_t size);

/* Reads the id of the machine's present boot into boot_id (HF_BOOT_ID_SIZE bytes), without its
 * newline. Errors: HF_IO. */
HF_MUST_CHECK hf_status hf_world_boot_id(char *boot_id, hf_error *error);

#endif
