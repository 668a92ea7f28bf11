/* What may be handed out, oldest first: the candidates of a fetch, which peek asks for as well.
 * Reads only, but for the freeing of turns.
 *
 * A fetch looks at the heads of a few ordered indexes. How many rows it looks at depends on how
 * many items it may take, on the tags that it serves, on the engine versions in its range, on how
 * many registrations there are and how many suspects wait at the heads, and on nothing else: not on
 * what others own, on foreign tags and versions, nor on delayed or locked work. */
#ifndef HF_FETCH_H
#define HF_FETCH_H

#include "indexes/rows.h"
#include "logstore/store_internal.h"

/* An item that can be delivered, and the rows behind it as they stand before. */
struct hf__pick {
    struct hf_row_item item;
    hf_slice instance_id, orchestration, version;
    struct hf_row_session session;             /* of session work; else zeroed */
    struct hf_delivered_item delivered;        /* how it goes into the record */
    uint64_t deaths;                           /* as they are once it is delivered */
    bool is_claimed;                           /* this very fetch claims its session */
    const struct hf_claimed_session *first_in; /* of this claim it is the first item; else NULL */
};

/* The items and claims of one delivery, each in its order. All in the step's arena. */
struct hf__picks {
    struct hf__pick *items;
    size_t items_count;
    struct hf_claimed_session *claims;
    size_t claims_count;
    struct hf_item_id makes_way_for; /* the suspect for which the rest waits; 0: none */
    bool must_tell;                  /* that is to be noted in the lease */
};

/* Chooses what to deliver to asked->registration, whose row is `self`. Errors: HF_NO_MEMORY and
 * those of the tables. */
HF_MUST_CHECK hf_status hf__fetch_items_pick(struct hf__step *step,
                                             const struct hf_store_fetch_items *asked,
                                             const struct hf_row_registration *self,
                                             struct hf__picks *out_picks);

/* The rows of the instances whose turns are due, not locked, and in the range of engine versions of
 * `asked`; at most turns_max of them, oldest first. An instance without a version (0) fits every
 * range but an empty one. In the step's arena. Errors: as above. */
HF_MUST_CHECK hf_status hf__fetch_turns_pick(struct hf__step *step,
                                             const struct hf_store_fetch_turns *asked,
                                             struct hf_row_instance **out_rows, size_t *out_count);

/* Makes turns due again whose time has come or whose holder has lost its right: those that were
 * held back until now, and those of other registrations that have ended or whose deadline for items
 * has passed. Whoever held the lock can still commit until somebody else has locked the turn. A
 * step that only reads frees nothing. *out_found: there was one to free. Errors: as above. */
HF_MUST_CHECK hf_status hf__fetch_turns_free(struct hf__step *step, uint64_t registration,
                                             bool *out_found);

#endif
