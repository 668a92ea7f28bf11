/* The committer: the one thread of a store handle that writes. Commands are submitted to its queue
 * by any thread; it takes what is queued as a group, hands it to the store as one transaction, and
 * answers each command.
 *
 *     submit -> queued -> (withdrawn: the submitter's again)
 *                     \-> in a group -> committed or refused -> done, once
 *
 * The four promises: a submit that is not HF_OK means that done never runs; else it runs exactly
 * once, on the committer thread, never inside submit; when it runs, the submission and all that it
 * borrows are the submitter's again (done may free it, or submit it anew). Within a group, done
 * runs in the order of the commands. */
#ifndef HF_RUNTIME_COMMITTER_H
#define HF_RUNTIME_COMMITTER_H

#include "engine/base/arena.h"
#include "runtime/effects.h"

enum {
    HF__GROUP_COMMANDS_MAX = 1024,        /* taken from the queue into one transaction */
    HF__GROUP_SIZE_MAX = 8 * 1024 * 1024, /* bytes of their arenas; the first of each queue is taken
                                             whatever its size */
    HF__GROUP_JOINED_MAX = 64,            /* fetches that join a transaction from inside */
    HF__IN_FLIGHT_MAX = 65536,            /* commands of clients that are not answered yet */
    HF__IN_FLIGHT_SIZE_MAX = 256 * 1024 * 1024 /* bytes of their arenas */
};

struct hf__committer;

/* A command on its way. Embedded or allocated by the submitter, zeroed; it sets command.kind and
 * its fields, done and user. hf__submission_init makes the arena, which holds what the command
 * refers to and gets its answer. */
struct hf__submission {
    struct hf_store_command command; /* first; command.status, .error, .lsn and the out_ fields are
                                        the answer */
    struct hf_arena arena;
    /* The answer is there; see above. Must not block. */
    void (*done)(struct hf__submission *self);
    void *user;
    bool of_client; /* counts against HF__IN_FLIGHT_MAX, and goes behind the commands of runtimes */

    /* The committer's own. */
    enum { HF__SUBMISSION_IDLE, HF__SUBMISSION_QUEUED, HF__SUBMISSION_TAKEN } state;
    size_t size; /* of its arena, when it was submitted */
    struct hf__submission *next, *previous;
};

/* Zeroes the submission and gives it an empty arena. Borrows heap. */
void hf__submission_init(struct hf__submission *self, const hf_allocator *heap,
                         enum hf_store_command_kind kind);
/* Gives its arena back; not while it is submitted. */
void hf__submission_release(struct hf__submission *self);
/* The status of its answer; when it is not HF_OK, its error is copied to error (NULL allowed). */
HF_MUST_CHECK hf_status hf__submission_answer(const struct hf__submission *self, hf_error *error);
/* Empties the answer and its arena, for another command. */
void hf__submission_reset(struct hf__submission *self, enum hf_store_command_kind kind);

/* What a committer needs. */
struct hf__committer_options {
    const hf_allocator *heap;
    struct hf_backend *backend;
    struct hf__effects *effects;
    size_t in_flight_max;      /* 0: HF__IN_FLIGHT_MAX */
    size_t in_flight_size_max; /* 0: HF__IN_FLIGHT_SIZE_MAX */
    /* An unusual line of the log; may be NULL. */
    void (*log)(void *self, const hf_log_line *line);
    void *log_self;
};

/* Starts the thread. Borrows what options name until hf__committer_free. Returns owned. Errors:
 * HF_NO_MEMORY, HF_IO (no thread). */
HF_MUST_CHECK hf_status hf__committer_new(const struct hf__committer_options *options,
                                          struct hf__committer **out_committer, hf_error *error);
/* Refuses what comes, answers what is queued (and what done callbacks submitted before), ends the
 * thread. NULL is fine. Not from a callback of the committer. */
void hf__committer_free(struct hf__committer *self);

/* Queues a submission. Takes it until done runs. Errors: HF_CLOSED, HF_BUSY (of_client only). Any
 * thread, and from done, want and on_effects. */
HF_MUST_CHECK hf_status hf__committer_submit(struct hf__committer *self,
                                             struct hf__submission *submission, hf_error *error);
/* Takes a queued submission back: true: it was not begun, done will not run, it is the submitter's
 * again. False: it is in a group (or answered), done runs or ran. Only while the submission is
 * known to exist. Any thread. */
bool hf__committer_withdraw(struct hf__committer *self, struct hf__submission *submission);

/* Lets a submission join the transaction in progress, as its next command: called inside
 * hf__listener.want only. False: the group is full, and nothing happened. Otherwise done runs with
 * the group's; when the transaction had to be repeated command by command, with HF_BUSY: ask again
 * later. Takes it until done. */
bool hf__committer_join(struct hf__committer_group *group, struct hf__submission *submission);

/* Whether the caller is on the committer thread, where waiting for an answer would wait for ever.
 * Any thread. */
bool hf__committer_is_self(const struct hf__committer *self);
/* Commands queued or in a group. Any thread. */
size_t hf__committer_pending(struct hf__committer *self);

#endif
