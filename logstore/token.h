/* Is this token or claim void, and why? Asked by every act, by renewal and by the question of what
 * is void (check_held): the one place where tokens are judged. No clock has a say here.
 *
 * The codes, in the order in which they are looked for; the first that fits is the answer:
 *
 *   store_generation   it is of a former generation of the store
 *   unknown            no such token was ever given to that registration: the log says so
 *   registration_dead  the registration has ended
 *   instance_ended     the instance has ended or is gone
 *   suspended          of a turn: the instance is suspended
 *   session_closed     the session is closed, also when the same id is open in another incarnation
 *   epoch              the session was claimed again, or released, since
 *   item_final         the item is completed or cancelled
 *   superseded         the work was handed out again, or handed back, since */
#ifndef HF_TOKEN_H
#define HF_TOKEN_H

#include "indexes/soft.h"
#include "logstore/store_internal.h"

#define HF__VOID_STORE_GENERATION "store_generation"
#define HF__VOID_UNKNOWN "unknown"
#define HF__VOID_REGISTRATION_DEAD "registration_dead"
#define HF__VOID_INSTANCE_ENDED "instance_ended"
#define HF__VOID_SUSPENDED "suspended"
#define HF__VOID_SESSION_CLOSED "session_closed"
#define HF__VOID_EPOCH "epoch"
#define HF__VOID_ITEM_FINAL "item_final"
#define HF__VOID_SUPERSEDED "superseded"
/* Of a release alone: the session is held and has work that runs; or (unless its worker shuts down)
 * that is queued, now or for later. */
#define HF__VOID_RUNNING "running"
#define HF__VOID_QUEUED "queued"

/* What became of an item token. */
struct hf__item_verdict {
    const char *code;        /* NULL: it holds. Static storage */
    struct hf_row_item item; /* when it holds */
};

/* Judges a token that `registration` presents. Any numbers may stand in both. Reads only, also the
 * log when the token does not hold. Errors: those of tables and log, never HF_NOT_FOUND. */
HF_MUST_CHECK hf_status hf__item_token_check(struct hf__step *step,
                                             const struct hf_item_token *token,
                                             uint64_t registration,
                                             struct hf__item_verdict *out_verdict);

/* What became of a claim. */
struct hf__claim_verdict {
    const char *code;              /* NULL: it holds. Static storage */
    struct hf_row_session session; /* when it holds */
};

/* Judges a session claim that `registration` presents. As hf__item_token_check. */
HF_MUST_CHECK hf_status hf__claim_check(struct hf__step *step, const struct hf_session_claim *claim,
                                        uint64_t registration,
                                        struct hf__claim_verdict *out_verdict);

/* The worker id of a registration, whatever became of it: its own record says so. Empty: there is
 * no such record. In the step's arena. Errors: as above. */
HF_MUST_CHECK hf_status hf__worker_of(struct hf__step *step, uint64_t registration,
                                      hf_slice *out_worker_id);

/* The registration to which the record at lsn delivered something; 0: there is no such record. */
HF_MUST_CHECK hf_status hf__delivered_to(struct hf__step *step, uint64_t lsn,
                                         uint64_t *out_registration);

/* What became of a turn token. */
struct hf__turn_verdict {
    const char *code;                /* NULL: it holds. Static storage */
    bool is_locked;                  /* false: soft state was lost, or others freed the lock; the
                                        head alone has decided */
    struct hf_row_instance instance; /* when it holds */
};

/* Judges a turn token that `registration` presents. As hf__item_token_check. */
HF_MUST_CHECK hf_status hf__turn_token_check(struct hf__step *step,
                                             const struct hf_turn_token *token,
                                             uint64_t registration,
                                             struct hf__turn_verdict *out_verdict);

/* HF_STALE with that code and a message that says what, why and what to do. */
hf_status hf__item_refuse(struct hf__step *step, const struct hf_item_token *token,
                          const char *code);
/* As above. */
hf_status hf__turn_refuse(struct hf__step *step, const struct hf_turn_token *token,
                          const char *code);
/* As above. */
hf_status hf__registration_refuse(struct hf__step *step, uint64_t registration, const char *code);

#endif
