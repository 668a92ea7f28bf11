/* Sessions as their contract tells of them, in plain memory: one instance, one session id, two
 * workers. For tests that run the store beside it and compare. It knows no row, no LSN and no
 * record: what the store counts by LSNs it counts by the order of what was given out.
 *
 * Every call answers as the store must: NULL, or the code with which it refuses. */
#ifndef HF_TESTS_CONFORMANCE_SESSION_MODEL_H
#define HF_TESTS_CONFORMANCE_SESSION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/record.h"

enum {
    MODEL_WORKERS = 2,
    MODEL_ITEMS_MAX = 16,
    MODEL_TOKENS_MAX = 64,
    MODEL_CLAIMS_MAX = 16,
    MODEL_NONE = -1
};

/* Where an item is. The last two have no way back. */
enum model_state { MODEL_QUEUED = 1, MODEL_RUNNING, MODEL_FINAL, MODEL_PURGED };

struct model_item {
    enum model_state state;
    int incarnation;
    int scheduled; /* after so many deliveries */
    int delivery;  /* the latest */
    uint64_t attempts, deaths;
};

struct model_token {
    int registration, item, delivery;
};

struct model_claim {
    int registration, incarnation, epoch;
};

struct model_worker {
    int registration; /* the present one */
    bool has_passed;  /* its deadlines have */
};

/* What a fetch gives, item by item. */
struct model_grant {
    int item, token; /* places in the lists below */
    int claim;       /* the claim that this very fetch made, with its first item; else MODEL_NONE */
    bool is_older_than_claim;
};

struct model {
    bool is_gone; /* the instance is */
    bool is_open;
    int incarnation;        /* of the latest opening */
    int owner, epoch;       /* registration; MODEL_NONE: none */
    int waits_for;          /* the worker whose window holds the session; MODEL_NONE: none */
    int former_owner;       /* of this incarnation; MODEL_NONE: nobody ever was */
    uint64_t former_reason; /* why it is not any more: enum hf_reason */
    int deliveries;         /* records so far that gave something out */
    int registrations;      /* so far */
    bool is_dead[MODEL_CLAIMS_MAX * 2]; /* by registration */
    struct model_worker workers[MODEL_WORKERS];
    struct model_item items[MODEL_ITEMS_MAX]; /* in the order in which they were scheduled */
    int items_count;
    struct model_token tokens[MODEL_TOKENS_MAX]; /* all that were ever given */
    int tokens_count;
    struct model_claim claims[MODEL_CLAIMS_MAX]; /* likewise */
    int claims_count;
    int inbox[MODEL_ITEMS_MAX]; /* items whose completions wait */
    int inbox_count;
};

/* An instance without a session, and two live workers. */
void model_init(struct model *self);

/* ---- turns ----------------------------------------------------------------------------------- */

/* Opens the session, if it is not open, and schedules an item on it. */
const char *model_open(struct model *self);
/* Closes the session, if it is open. */
const char *model_close(struct model *self);
/* Cancels an item; MODEL_NONE: none. */
const char *model_cancel(struct model *self, int item);
/* Which item a cancel takes: one that runs before one that is queued; MODEL_NONE: there is none. */
int model_cancellable(const struct model *self);
/* Continues as new: all that is pending is cancelled. */
const char *model_continue(struct model *self);
/* Consumes what waits in the inbox. */
const char *model_consume(struct model *self);
/* The instance is deleted, running or not. */
const char *model_delete(struct model *self);

/* ---- workers --------------------------------------------------------------------------------- */

/* Fetches up to count_max items, claiming the session if need be; returns how many. */
int model_fetch(struct model *self, int worker, int count_max, struct model_grant *out_grants);
/* What becomes of a token that is presented. */
const char *model_token_code(const struct model *self, int token);
/* And of a claim. */
const char *model_claim_code(const struct model *self, int claim);
/* Completes an item. */
const char *model_complete(struct model *self, int token);
/* Gives the session up as idle. */
const char *model_release(struct model *self, int claim);
/* Renews the lease of a worker that lives. */
void model_renew(struct model *self, int worker);
/* The deadlines of a worker pass. */
void model_pass(struct model *self, int worker);
/* A worker dies, and is declared dead; with a window its session waits for it. */
void model_die(struct model *self, int worker, bool has_window);
/* It is started again. */
void model_register(struct model *self, int worker);

/* How many items of the session are in that state. */
int model_count(const struct model *self, enum model_state state);

#endif
