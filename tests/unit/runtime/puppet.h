/* puppet.h: a store behind engine/store.h that keeps nothing: it hands out the turns and items that
 * a test gives it, answers as the test says, and notes every command. For tests of what a runtime
 * asks of a store, and of what it does with the answers. */
#ifndef HF_TEST_PUPPET_H
#define HF_TEST_PUPPET_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/runtime.h"
#include "tests/support/hf_test.h"

enum {
    PUPPET_LIMIT_MS = 60000,
    PUPPET_NOTES_MAX = 8192,
    PUPPET_GRANTS_MAX = 64,
    PUPPET_LOGS_MAX = 1024,
    PUPPET_VOIDS_MAX = 16,
    PUPPET_REGISTRATION = 7,
    PUPPET_EPOCH = 100
};

/* A command as it came, its slices copied into text. */
struct puppet_note {
    enum hf_store_command_kind kind;
    size_t probes_count;         /* of the puppet, at that time */
    hf_status status;            /* that it was answered */
    uint64_t instance, event_id; /* of the turn or item, or of the first session of a release */
    uint64_t reason;
    uint64_t delay_ms;                              /* of a registration: its reclaim window */
    bool is_counted;                                /* an abandonment */
    uint64_t outcome, events_count, messages_count; /* of a committed turn */
    uint64_t items_count, sessions_count;           /* presented, or asked for */
    uint64_t event_kind; /* of what completes an item; its code and payload are in text:
                            "code|payload", its message in message. Of a fetch of items: the tags in
                            text: "a,b" */
    hf_status event_status;
    char text[256];
    char message[HF_ERROR_MESSAGE_SIZE];
};

/* A line of the log. */
struct puppet_log {
    hf_log_level level;
    char event[32];
    char instance[32], session[32], worker[64], message[256];
};

/* One void to be told by check_held and renewals, until it was presented once. */
struct puppet_void {
    bool is_session;
    uint64_t instance;
    const char *code;
};

struct puppet {
    struct hf_backend backend; /* first */
    struct hf_test_directory directory;
    int directory_file;
    struct hf_arena arena; /* of bodies; the test's thread fills it before they are handed out */
    hf_registry *registry;
    hf_observer observer;
    hf_clock clock;                    /* the machine's, until a test sets hand_boot_ms */
    atomic_uint_fast64_t hand_boot_ms; /* 0: the machine's */
    atomic_uint_fast64_t hand_unix_ms; /* the same */
    hf_store *store;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct puppet_note *notes;
    size_t notes_count;
    struct puppet_log logs[PUPPET_LOGS_MAX];
    size_t logs_count;
    struct hf_item_grant items[PUPPET_GRANTS_MAX];
    size_t items_count;
    struct hf_turn_grant turns[PUPPET_GRANTS_MAX];
    size_t turns_count;
    struct puppet_void voids[PUPPET_VOIDS_MAX];
    size_t voids_count;
    uint64_t lsn;
    uint64_t turn_attempt; /* of the turns that are given; 0: 1 */

    /* Knobs, under the mutex. */
    enum hf_store_command_kind refused_kind; /* commands of this kind are answered so */
    size_t refused_count;                    /* so often */
    hf_status refused_status;
    const char *refused_code;
    const char *release_code;   /* releases are answered so for each of their sessions */
    size_t release_codes_count; /* so often */
    size_t views_count;         /* reads of history */
    hf_status view_status;      /* not HF_OK: turn_view fails so */
    struct hf_turn_view view;
    bool is_held; /* commits wait at their beginning */
    /* The next three are of transactions that begin with a start. */
    bool is_repeated;            /* they ask for nothing more, as when they are repeated */
    uint32_t inner_effects;      /* as they ask for more */
    uint32_t effects;            /* as they end: 0, as when they failed */
    bool is_blind;               /* peek and check_held see nothing */
    char peek_tags[256];         /* of the last peek: "a,b" */
    size_t probes_count;         /* reads of registrations: one each tick of a runtime */
    struct hf_session_row *rows; /* what the query of sessions shows, by instance */
    size_t rows_count;
    size_t pages_count;        /* queries of sessions */
    size_t page_rows_max;      /* looked_max of the last, or 0 */
    hf_status sessions_status; /* not HF_OK: queries of sessions fail so */
    struct hf_registration_row others[2];
    size_t others_count;
};

/* Makes a puppet, an empty registry and a store handle on it. */
void puppet_open(struct puppet *self);
/* Closes all; runtimes are freed before. */
void puppet_close(struct puppet *self);
/* Makes a runtime; starts it. options NULL: all defaults. */
hf_runtime *puppet_worker(struct puppet *self, const hf_runtime_options *options);

/* Gives an item as grant says: body, delivery and, where it is 0, attempt are set here. Tells the
 * runtimes. */
void puppet_give(struct puppet *self, struct hf_item_grant grant, const char *name);
/* Gives an item: activity `name` with input, ordinary. Tells the runtimes. */
void puppet_give_item(struct puppet *self, uint64_t instance, const char *name, const char *input);
/* The same on incarnation 1 of session "desk" of that instance, claimed with that epoch. */
void puppet_give_session_item(struct puppet *self, uint64_t instance, const char *name,
                              uint64_t epoch);
/* Gives a turn of the instance: its history begins with `orchestration` started, its inbox is what
 * view says. */
void puppet_give_turn(struct puppet *self, uint64_t instance, uint64_t head,
                      const char *orchestration);
/* Sets what turn_view tells: event 1 (started) and, with `answered` not 0, event 2 scheduled the
 * activity `activity` whose completion with "done" is in the inbox. */
void puppet_set_view(struct puppet *self, const char *orchestration, const char *activity,
                     bool answered);
/* Tells the runtimes of effects, as another process' ring would. */
void puppet_ring(struct puppet *self, uint32_t effects);
/* Makes token or claim of that instance void, and rings. */
void puppet_void(struct puppet *self, bool is_session, uint64_t instance, const char *code);
/* Refuses the next count commands of a kind. */
void puppet_refuse(struct puppet *self, enum hf_store_command_kind kind, size_t count,
                   hf_status status);
/* Answers the next release for each of its sessions with that code. */
void puppet_refuse_release(struct puppet *self, const char *code);
/* Has the loop thread of the runtime look at these bits; when it returns it has. The runtime renews
 * every few milliseconds. */
void puppet_look(struct puppet *self, hf_runtime *runtime, uint32_t bits);
/* Waits until a tick of the runtime that began from now on is over; there is one runtime. */
void puppet_wait_tick(struct puppet *self);
/* Holds all commits, or lets them go. */
void puppet_hold(struct puppet *self, bool is_held);

/* Waits until count commands of that kind were noted; returns a copy of the last of them. */
struct puppet_note puppet_wait(struct puppet *self, enum hf_store_command_kind kind, size_t count);
/* Waits until a peek asked for these tags. */
void puppet_wait_peek(struct puppet *self, const char *tags);
/* How many were noted. */
size_t puppet_count(struct puppet *self, enum hf_store_command_kind kind);
/* Waits until a line of that event was logged; returns a copy of the last of them. */
struct puppet_log puppet_wait_log(struct puppet *self, const char *event);
/* How many were. */
size_t puppet_count_logs(struct puppet *self, const char *event);
/* The value of a runtime's metric. */
double puppet_metric(hf_runtime *runtime, const char *name);

#endif
