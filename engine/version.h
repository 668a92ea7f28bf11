/* Versions of orchestrations: three numbers, "1.12.0", compared as numbers. */
#ifndef HF_VERSION_H
#define HF_VERSION_H

#include "engine/base/compiler.h"

struct hf_version {
    uint32_t numbers[3];
};

/* What a registration, or a history, without a version means. */
#define HF_VERSION_FIRST "1.0.0"

/* Reads three decimal numbers of 32 bits with points between them, and nothing else: no sign, no
 * leading zero. `what` names it in the message. Errors: HF_INVALID. */
HF_MUST_CHECK hf_status hf_version_parse(hf_slice text, const char *what,
                                         struct hf_version *out_version, hf_error *error);
/* <0, 0, >0. */
int hf_version_compare(const struct hf_version *a, const struct hf_version *b);

#endif
