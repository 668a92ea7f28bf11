/* What tests of a real store are composed of: seams turned by hand, a directory, an open store, and
 * a few commands in short. Assertions stand in the functions whose names begin with `store_must`.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "tests/support/hf_test.h"

#include <stdatomic.h>

#include "logstore/inspect.h"
#include "logstore/store_internal.h"

/* The world as the store sees it: time stands still, chance repeats itself, and the nth time that a
 * fault point is passed fails. */
struct seams_part {
    struct hf_seams seams;
    hf_clock clock;
    uint64_t boot_ms, wall_unix_ms;
    uint64_t random_state;
    bool is_alive;                 /* what is said of every life file */
    atomic_int fault_point;        /* enum hf_fault_point; 0: none */
    atomic_ullong fault_countdown; /* fails when it comes to 0 */
    int fault_code;
    uint64_t faults_count;           /* injected so far */
    void (*on_fault)(void *context); /* called when one is injected; may be NULL */
    void *on_fault_context;
    void (*on_log)(void *context, const hf_log_line *line); /* may be NULL */
    void *on_log_context;
    atomic_int lines_count; /* of the log */
    atomic_int stalled_count;
    char last_event[64];
    char last_message[256];
};

/* Makes seams whose chance is seeded with `seed`; life files are dead. */
void seams_part_init(struct seams_part *self, uint64_t seed);

/* Lets the nth passing (from 1) of a point fail with code, once. */
void seams_part_fail(struct seams_part *self, enum hf_fault_point point, uint64_t nth, int code);

/* A store in a directory of its own. */
struct store_part {
    struct hf_test_directory directory;
    char path[300]; /* of the store: a folder that the open makes */
    struct seams_part seams;
    struct hf_backend_options options; /* no preallocation, no sync; changed between opens */
    struct hf_backend *backend;
    struct hf_arena arena; /* of outputs */
    hf_error error;
};

/* cmocka setup and teardown around a struct store_part, opened. */
int store_setup(void **state);
/* The other half: closes it and removes the directory. */
int store_teardown(void **state);

/* Opens it with its options; the status. */
hf_status store_open(struct store_part *self);
/* As above; fails the test when it does not. */
void store_must_open(struct store_part *self);
/* Closes it; a closed one is fine. */
void store_close(struct store_part *self);

/* Commits one command; its status. */
hf_status store_commit(struct store_part *self, struct hf_store_command *command);
/* As above; fails the test when it is refused. */
void store_must_commit(struct store_part *self, struct hf_store_command *command);

/* A start of instance `id`, not committed. Borrows id. */
struct hf_store_command command_start(const char *id);
/* A message to `id` of size bytes, not committed; its body lies in the store's arena. */
struct hf_store_command command_message(struct store_part *self, const char *id, size_t size);
/* Starts an instance and gives its number. */
uint64_t store_must_start(struct store_part *self, const char *id);
/* Registers a worker with deadlines 10 s away; its registration. */
uint64_t store_must_register(struct store_part *self, const char *worker_id);
/* Takes the next due turn. */
struct hf_turn_grant store_must_fetch_turn(struct store_part *self, uint64_t registration);

/* Fills the store with something in every hard table: ended and running instances, a session with
 * items that run and that wait, ordinary items with and without tag, timers, a delayed item,
 * messages, keys, two registrations of which one is dead, and a locked turn. */
void store_must_fill(struct store_part *self);

/* Proves the store by hf_store_verify; shows the first finding. */
void store_must_verify(struct store_part *self);

/* The hash of all rows of all hard tables and of the log: what a store holds. */
uint64_t store_must_hash(struct store_part *self);

/* A row of a table in the store's arena, the index-th from 0; false: there are not so many. */
bool store_row(struct store_part *self, enum hf_table table, size_t index,
               struct hf_table_row *out_row);
/* Writes a row past all commands, or removes it (value.data NULL). */
void store_must_tamper(struct store_part *self, enum hf_table table, hf_slice key, hf_slice value);

/* What hf_store_verify finds; the first finding's place and words. */
struct findings {
    struct hf_verify_summary summary;
    uint64_t first_lsn;
    char first_table[32];
    char first_message[384];
};
/* Runs a verify that must itself succeed. */
struct findings store_must_find(struct store_part *self);

#endif
