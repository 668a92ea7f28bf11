/* The laws that a store proves of itself, from its log and its tables alone. docs/laws.md has them
 * as a table, with those that others prove. Each refusal names one of them, in hf_error.code. */
#ifndef HF_INDEXES_LAW_H
#define HF_INDEXES_LAW_H

#include "engine/base/status.h"

/* In the order of docs/laws.md. The codes are given out once: never changed, never reused. */
enum hf_law {
    HF_LAW_L1,
    HF_LAW_L2,
    HF_LAW_L4,
    HF_LAW_L6,
    HF_LAW_L7,
    HF_LAW_H1,
    HF_LAW_H2,
    HF_LAW_H3,
    HF_LAW_H4,
    HF_LAW_H5,
    HF_LAW_H6,
    HF_LAW_H10,
    HF_LAW_H11,
    HF_LAW_Q1,
    HF_LAW_Q2,
    HF_LAW_Q4,
    HF_LAW_Q5,
    HF_LAW_Q6,
    HF_LAW_Q7,
    HF_LAW_Q8,
    HF_LAW_Q9,
    HF_LAW_S1,
    HF_LAW_S2,
    HF_LAW_S3,
    HF_LAW_S4,
    HF_LAW_S5,
    HF_LAW_S6,
    HF_LAW_S7,
    HF_LAW_S11,
    HF_LAW_R1,
    HF_LAW_R2,
    HF_LAW_T1,
    HF_LAW_X1,
    HF_LAW_X2,
    HF_LAW_X3,
    HF_LAW_X6,
    HF_LAW_X7,
    HF_LAW_P1,
    HF_LAW_COUNT
};

/* "S4". Static storage. */
const char *hf_law_code(enum hf_law law);

/* The law in one sentence. Static storage. */
const char *hf_law_text(enum hf_law law);

/* Names the law in an error that is set already (NULL allowed), and returns status. A status other
 * than HF_CORRUPT passes as it is. */
hf_status hf_law_broken(hf_error *error, enum hf_law law, hf_status status);

#endif
