/* house.h: a store in a directory of its own with whole runtimes on it, and what tests read of it.
 *
 *     house_open(&house, parts);
 *     hf_runtime *worker = house_worker(&house, HF_WITH(hf_runtime_options, .worker_id = "a"));
 *     house_start(&house, "greeting", "hello", "world");
 *     house_expect(&house, "greeting", "Hello, world!");
 *     hf_runtime_free(worker);
 *     house_close(&house);
 *
 * Workers in processes of their own are started by tests/support/child.h. */
#ifndef HF_TEST_HOUSE_H
#define HF_TEST_HOUSE_H

#include <stdatomic.h>

#include "engine/store.h"
#include "tests/support/heap.h"
#include "tests/support/stage.h"

enum { HOUSE_TEXT_SIZE = 4096 };

/* The machine's clocks, moved by hand. */
struct house_clock {
    hf_clock clock;
    _Atomic int64_t boot_ms, wall_ms; /* how far */
};

struct house {
    struct hf_test_directory directory;
    struct stage stage;
    struct hf_test_heap heap; /* of the store and its runtimes */
    struct house_clock clock;
    hf_observer observer;
    hf_registry *registry;
    hf_store *store;
    bool has_foreign_bodies; /* a test put bodies into it that are no events */
};

/* Makes directory, stage, registry (with parts, NULL: none) and store. */
void house_open(struct house *self, const struct part *parts);
/* Closes the store, proves it and its histories, removes all. Runtimes are freed before; no life
 * file, no memory of a session and no block of the heap may be left. */
void house_close(struct house *self);
/* Closes the store and opens it again, with another time (HF__CALL_DEADLINE_MS otherwise) after
 * which blocking calls that were not begun are answered HF_BUSY. Runtimes are freed before. */
void house_reopen(struct house *self, uint64_t call_deadline_ms);
/* Opens the store again that a test has closed by itself. */
void house_resume(struct house *self);
/* Moves the clocks that the store and its runtimes see by so much. */
void house_move_clocks(struct house *self, int64_t boot_ms, int64_t wall_ms);

/* Starts a runtime with check_replay on. */
hf_runtime *house_worker(struct house *self, const hf_runtime_options *options);
/* Starts a runtime "orchestrator" that runs no activities, with leases of ten minutes. */
hf_runtime *house_orchestrator(struct house *self);
/* Stops a runtime in order and waits for it: its counters are final then. */
void house_rest(hf_runtime *runtime);
/* The value of a runtime's metric. */
double house_metric(hf_runtime *runtime, const char *name);
/* Waits until it has that value. */
void house_wait_metric(hf_runtime *runtime, const char *name, double value);

/* Starts an instance; fails the test otherwise. */
void house_start(struct house *self, const char *instance, const char *orchestration,
                 const char *input);
/* Puts a message into a mailbox of it. */
void house_send(struct house *self, const char *instance, const char *queue, const char *message);
/* Waits for it, asserts that it completed, copies its output. */
void house_output(struct house *self, const char *instance, char *out_text, size_t text_size);
/* The same, and compares. */
void house_expect(struct house *self, const char *instance, const char *output);
/* The same, of an output that is lines of `tell`; returns how many. */
size_t house_told(struct house *self, const char *instance, struct told *out_told, size_t told_max);
/* Waits for it, asserts that it ended so and not as completed, copies its error. */
void house_failure(struct house *self, const char *instance, hf_instance_status status,
                   hf_error *out_error);
/* Waits until the instance shows that custom status. */
void house_wait_status(struct house *self, const char *instance, const char *status);

/* An open session as the store shows it. */
struct house_session {
    char owner[STAGE_NAME_SIZE]; /* worker id; "": unclaimed */
    uint64_t incarnation, epoch, registration, lease_left_ms, queued_count, running_count;
};

/* Reads the row of a session; false: there is none. */
bool house_session(struct house *self, const char *instance, const char *session,
                   struct house_session *out_session);
/* How many sessions the instance has open; NULL: all instances together. */
size_t house_sessions_count(struct house *self, const char *instance);
/* Waits until the session has that owner; "": none. */
void house_wait_owner(struct house *self, const char *instance, const char *session,
                      const char *owner);
/* Waits until no registration of that worker lives: it stopped, or was declared dead. */
void house_wait_gone(struct house *self, const char *worker_id);
/* Writes the history of the present execution, an event a line: "<kind> <name or session>", with
 * " #<incarnation>" and " of <event>" where the event has them. Returns how many events. */
size_t house_history(struct house *self, const char *instance, char *out_text, size_t text_size);

/* The wall time of the record of its first event of that kind ("session_closed"), in milliseconds;
 * fails the test when there is none. */
uint64_t house_event_unix_ms(struct house *self, const char *instance, const char *kind);

/* hf__store_setup.open of the store on the disk; its self is the path of the directory. */
hf_status house_open_backend(void *directory, const struct hf_backend_options *options,
                             struct hf_backend **out_backend, hf_error *error);
/* Proves the closed store in the directory, and its histories. */
void house_verify(const char *directory);

#endif
