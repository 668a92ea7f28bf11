/* Claims: the sessions that one registration holds here, each with its memory slot.
 *
 * A claim is one (instance, incarnation, epoch): learned from the first delivery under it,
 * forgotten when it is released, closed or lost. Forgotten, it gets no more work and is presented
 * no more; its memory goes when the last function in it has returned. A later claim of the same
 * session is another one, with an empty slot.
 *
 *     learned -> held -> forgotten -> (last function returned, last answer came) -> dying -> gone
 *
 * All calls are made under the mutex of the runtime, but hf__claim_destroy_memory. */
#ifndef HF_RUNTIME_CLAIMS_H
#define HF_RUNTIME_CLAIMS_H

#include "engine/store.h"

enum { HF__CLAIM_BUCKETS = 256 };

/* How a claim ended. */
enum hf__claim_end {
    HF__CLAIM_HELD,     /* not yet */
    HF__CLAIM_RELEASED, /* given up in order */
    HF__CLAIM_CLOSED,   /* the session was closed, or its instance ended */
    HF__CLAIM_LOST,     /* somebody else claimed it */
    HF__CLAIM_VOID      /* void for another reason: we were declared dead, the store was restored */
};

/* What is to be done for the items of a session that was somebody else's before, as its policy
 * says.
 *
 *     NONE     they run as they are          FAILS    those older than the claim fail
 *     DUE -> RUNNING -> DONE                          the rebuild activity runs before them
 *        \          \-> FAILED                       those older than the claim fail
 *         <-- handed back, without its function here */
enum hf__recovery {
    HF__RECOVERY_NONE,
    HF__RECOVERY_FAILS,
    HF__RECOVERY_DUE,
    HF__RECOVERY_RUNNING,
    HF__RECOVERY_DONE,
    HF__RECOVERY_FAILED
};

struct hf__claim {
    struct hf_session_claim key;
    const char *instance, *session, *tag; /* behind the struct; tag NULL: none */
    size_t size;                          /* of the block */
    void *memory;
    void (*destroy)(void *memory);
    size_t items_count;     /* deliveries whose end the store was not told yet */
    size_t functions_count; /* that run in it */
    bool has_begun; /* a function ran in it: its memory is not cold because the claim is new */
    bool is_forgotten;
    bool is_releasing; /* named in a release that is not answered */
    enum hf__claim_end end;
    const char *why; /* it ended so. Static storage */
    struct hf__claim *next;

    /* Idle: held, without a delivery or a function, and in no release. */
    bool is_idle, is_idle_timed;
    uint64_t idle_from_boot_ms; /* when is_idle_timed */
    struct hf__claim *idle_next, *idle_previous;

    /* Its recovery (recovery.c). The first two are behind the struct. */
    hf_slice opening; /* event that opened the session, when it was owned before */
    const char *from; /* worker id of the former owner; "" when it is not known */
    enum hf__recovery recovery;
    struct hf_activity *waiting_first, *waiting_last; /* deliveries that wait for the rebuild */
    char failure[HF_ERROR_MESSAGE_SIZE];              /* of the rebuild */

    /* What the user was told of it (sessions.c). */
    bool is_gain_told, is_end_told;
    bool is_news; /* in the list of news, or being told of: it stands */
    struct hf__claim *next_news;
};

struct hf__claims {
    const hf_allocator *heap;
    size_t owned_count;     /* not forgotten */
    size_t forgotten_count; /* waiting for their functions and answers */
    size_t dying_count;     /* waiting for their destructor, or in it */
    bool is_incomplete; /* one could not be learned: the store knows it as ours, and we do not */
    struct hf__claim *dying;
    struct hf__claim *idle_first, *idle_last; /* by the time since when they are idle */
    struct hf__claim *news_first, *news_last; /* by the time when it came up */
    struct hf__claim *buckets[HF__CLAIM_BUCKETS];
};

/* No claims. Borrows heap. */
void hf__claims_init(struct hf__claims *self, const hf_allocator *heap);
/* Everything must have been forgotten and buried. */
void hf__claims_release(struct hf__claims *self);

/* The held claim of the same session under another epoch, or NULL: it has ended, and this grant is
 * how we learn it. */
struct hf__claim *hf__claims_find_older(struct hf__claims *self, const struct hf_item_grant *grant);
/* The claim of a delivery, made when it was not known; an older one was forgotten before. Counts
 * one item more. NULL: no memory. Valid until: it is forgotten and its items and functions have
 * ended. */
struct hf__claim *hf__claims_learn(struct hf__claims *self, const struct hf_item_grant *grant);
/* The held claim of exactly this key, or NULL. */
struct hf__claim *hf__claims_find(struct hf__claims *self, const struct hf_session_claim *key);
/* The next held claim behind `after` (NULL: the first), in no order; NULL: no more. */
struct hf__claim *hf__claims_next(struct hf__claims *self, const struct hf__claim *after);

/* It is not ours any more, and that is news. Forgotten already: nothing happens. */
void hf__claims_forget(struct hf__claims *self, struct hf__claim *claim, enum hf__claim_end end,
                       const char *why);
/* One more delivery, or the rebuild, is under way in it. */
void hf__claims_item_began(struct hf__claims *self, struct hf__claim *claim);
/* A delivery under it has ended: completed, handed back or void. The claim may be gone after. */
void hf__claims_item_ended(struct hf__claims *self, struct hf__claim *claim);
/* A function in it begins. */
void hf__claims_function_began(struct hf__claims *self, struct hf__claim *claim);
/* A function in it returned. The claim may be gone after. */
void hf__claims_function_ended(struct hf__claims *self, struct hf__claim *claim);

/* ---- idle claims */

/* It is named in a release from now on. */
void hf__claims_release_begun(struct hf__claims *self, struct hf__claim *claim);
/* The release did not take place. is_anew: the time that it is idle counts from the next look. */
void hf__claims_release_failed(struct hf__claims *self, struct hf__claim *claim, bool is_anew);
/* Whether some are idle that no look has seen yet. */
bool hf__claims_are_newly_idle(const struct hf__claims *self);
/* A look: those that are newly idle are so from now_boot_ms on. */
void hf__claims_look_idle(struct hf__claims *self, uint64_t now_boot_ms);

/* ---- news */

/* Puts a claim into the list of news, unless it is there. */
void hf__claims_news(struct hf__claims *self, struct hf__claim *claim);
/* Takes the oldest news off the list; it stands until hf__claims_told. NULL: there are none. */
struct hf__claim *hf__claims_take_news(struct hf__claims *self);
/* It was told. The claim may be gone after. */
void hf__claims_told(struct hf__claims *self, struct hf__claim *claim);

/* ---- the end */

/* Takes one dying claim off the list; NULL: there is none. Its destructor is the caller's to run,
 * without the mutex, by hf__claim_destroy_memory. */
struct hf__claim *hf__claims_dead(struct hf__claims *self);
/* Runs the destructor of its memory. Without the mutex. */
void hf__claim_destroy_memory(struct hf__claim *claim);
/* Frees a claim whose destructor ran. */
void hf__claims_free(struct hf__claims *self, struct hf__claim *claim);

#endif
