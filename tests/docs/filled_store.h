/* A store in which every table has rows, made by commands alone: for tests that look at bytes. Its
 * clock, randomness and liveness are fixed. */
#ifndef HF_TEST_FILLED_STORE_H
#define HF_TEST_FILLED_STORE_H

#include "tests/support/hf_test.h"

#include "engine/store.h"

/* Bodies are text here; to a store they are opaque. */
#define FILLED_FIRST_BODY "event 1 of the first instance"

struct filled_store {
    struct hf_test_directory directory;
    struct hf_backend *backend;
    struct hf_seams seams;
    hf_clock clock;
    struct hf_arena arena; /* of all commands */
    hf_error error;
    uint64_t random_state;
    uint64_t registration; /* of its one worker */
    uint64_t first_lsn;    /* of the record that started instance 1 */
    uint64_t longest_lsn;  /* of a record in several parts */
    uint64_t wall_unix_ms; /* at which all was written */
};

/* Makes it. Fails the test when a command is not HF_OK. Returns owned: filled_store_free. */
struct filled_store *filled_store_new(void);
/* Closes it and removes its directory. */
void filled_store_free(struct filled_store *store);

#endif
