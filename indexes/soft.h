/* The soft rows: leases of registrations, locks of turns, progress of items. No record says
 * anything of them, and the fold reads only whether an instance is locked. All times here are
 * boot-time milliseconds, named _boot_ms; nobody here reads a clock.
 *
 *   leases            registration -> items deadline 8, sessions deadline 8, item key 16, boot id
 *   turn_locks        instance -> registration 8, nonce 8, head 8, held until 8
 *   turn_locks_owned  (registration, instance) -> empty; only when registration is not 0
 *   turns_held        (held until, instance) -> empty; only when registration is 0
 *   progress          item -> wall unix ms 8, [what it reported last]
 *
 * Numbers in rows are little-endian.
 *
 * The law of locks: turns_due holds the row of an instance if and only if its turn_due_lsn is not 0
 * and it has no turn_locks row. So a lock is put and released through the calls below, or by the
 * fold of a record that ends it (turn_committed, turn_lost, terminated; registration_ended releases
 * all that it holds). */
#ifndef HF_INDEXES_SOFT_H
#define HF_INDEXES_SOFT_H

#include "indexes/rows.h"

struct hf_lease {
    uint64_t items_deadline_boot_ms, sessions_deadline_boot_ms;
    struct hf_item_id makes_way_for; /* the suspect for which it takes no other work; 0: none */
    hf_slice boot_id;
};

/* Errors: HF_NOT_FOUND (soft state was lost: as if passed); HF_CORRUPT; HF_NO_MEMORY; as
 * hf_table_get. boot_id in tables->arena. */
HF_MUST_CHECK hf_status hf_lease_get(struct hf_tables *tables, uint64_t registration,
                                     struct hf_lease *out_lease, hf_error *error);
/* Copies. Errors: as hf_table_put. registration_ended removes it. */
HF_MUST_CHECK hf_status hf_lease_put(struct hf_tables *tables, uint64_t registration,
                                     const struct hf_lease *lease, hf_error *error);

/* A turn that is in somebody's hands, or held back for a while (registration 0). */
struct hf_turn_lock {
    uint64_t registration; /* 0: held back */
    uint64_t nonce;        /* of the token */
    uint64_t head;         /* of the instance when it was locked */
    uint64_t held_until;   /* when held back, else 0; what it counts is the store's affair */
};

/* Errors: HF_NOT_FOUND; HF_CORRUPT; as hf_table_get. */
HF_MUST_CHECK hf_status hf_turn_lock_get(struct hf_tables *tables, uint64_t instance,
                                         struct hf_turn_lock *out_lock, hf_error *error);
/* Locks the turn of an instance, or holds it back; replaces a lock that is there, whoever has it;
 * takes its turns_due row away. `instance` is its row as it is now. Errors: as hf_table_put. */
HF_MUST_CHECK hf_status hf_turn_lock_put(struct hf_tables *tables,
                                         const struct hf_row_instance *instance,
                                         const struct hf_turn_lock *lock, hf_error *error);
/* Releases the lock, if there is one; a turn that is due stands in turns_due again
 * (HF_EFFECT_TURNS_DUE). */
HF_MUST_CHECK hf_status hf_turn_lock_release(struct hf_tables *tables,
                                             const struct hf_row_instance *instance,
                                             hf_error *error);

/* What an item said last of how far it is. */
struct hf_item_progress {
    uint64_t reported_unix_ms;
    hf_slice progress;
};

/* Errors: HF_NOT_FOUND (nothing was reported, or soft state was lost); HF_CORRUPT; HF_NO_MEMORY; as
 * hf_table_get. progress in tables->arena. */
HF_MUST_CHECK hf_status hf_progress_get(struct hf_tables *tables, const struct hf_item_id *item,
                                        struct hf_item_progress *out_progress, hf_error *error);
/* Copies. At most HF_PROGRESS_SIZE_MAX bytes. Errors: as hf_table_put. The fold removes it with the
 * item. */
HF_MUST_CHECK hf_status hf_progress_put(struct hf_tables *tables, const struct hf_item_id *item,
                                        const struct hf_item_progress *progress, hf_error *error);

/* Searches, as in queries.h. Instances whose turn a registration holds. Head: first = registration;
 * second becomes the instance. */
HF_MUST_CHECK hf_status hf_turn_locks_owned_next(struct hf_tables *tables,
                                                 struct hf_number_pair *place, hf_error *error);
/* Turns held back, by that. No head: first becomes held until, second the instance. */
HF_MUST_CHECK hf_status hf_turns_held_next(struct hf_tables *tables, struct hf_number_pair *place,
                                           hf_error *error);
/* Registrations that hold locks of turns, each once: the first above `after`. Also ended ones whose
 * row is gone. */
HF_MUST_CHECK hf_status hf_turn_lock_owner_next(struct hf_tables *tables, uint64_t after,
                                                uint64_t *out_registration, hf_error *error);

#endif
