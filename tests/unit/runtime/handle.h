/* handle.h: a store handle with a fake store behind it: the fixture of the tests of client calls.
 */
#ifndef HF_TEST_HANDLE_H
#define HF_TEST_HANDLE_H

#include <uv.h>

#include "runtime/store.h"
#include "tests/support/fake_backend.h"
#include "tests/support/hf_test.h"

enum { HANDLE_LIMIT_MS = 60000, HANDLE_NEVER_MS = 1000 * 1000, HANDLE_SHORT_MS = 20 };

/* A handle, how it is opened, and what its observer was told. */
struct handle {
    struct hf_test_directory directory;
    struct hf_fake_backend fake;
    struct hf__store_setup setup; /* its slow poll is a quarter of an hour away */
    hf_observer observer;
    hf_store_options options;
    hf_store *store;
    hf_error error;
    uv_mutex_t mutex;          /* for notes */
    size_t close_errors_count; /* lines that said why it was not closed */
    hf_status ended_status;    /* of an end brought about by a callback */
};

/* Set-up and tear-down of a case: *state is an open struct handle. */
int handle_setup(void **state);
/* The other half: closes it, and proves that the backend was closed. */
int handle_teardown(void **state);
/* Opens the store with the present setup and options. */
void handle_open(struct handle *handle);
/* Closes it, and opens it with what was changed in setup and options. */
void handle_reopen(struct handle *handle);

/* Starts an instance and waits; fails the test when that fails. */
void handle_start(struct handle *handle, const char *id);
/* Fails the test unless status is HF_INVALID and the handle's error says both texts. */
void handle_assert_invalid(struct handle *handle, hf_status status, const char *what,
                           const char *complaint);

/* The answer of a submitted command, noted under a lock. */
struct handle_note {
    uv_mutex_t *mutex;
    size_t count; /* of answers */
    hf_status status;
};

/* hf_command.on_done, with a note as user. */
void handle_note_done(void *user, const hf_error *error);
/* For hf_test_wait: whether the note has an answer. */
bool handle_is_noted(void *note);
/* A start that is answered into note; NULL: into nothing. Borrows both. */
hf_command handle_start_command(const char *id, struct handle_note *note);

/* A start on another thread. */
struct handle_starting {
    struct handle *handle;
    const char *id;
    hf_status status; /* its answer */
};

/* The thread: starts the instance and waits. */
void handle_starting_run(void *starting);

#endif
