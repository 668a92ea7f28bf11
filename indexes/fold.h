/* The fold's own tools: one record on its way into the rows, and the writers that keep a row and
 * everything that points to it in step. Each writer takes a row as it was and as it shall be, and
 * moves exactly the index rows that differ; NULL before: it is new, NULL after: it goes. Nobody
 * else writes hard rows. */
#ifndef HF_INDEXES_FOLD_H
#define HF_INDEXES_FOLD_H

#include "engine/base/status.h"
#include "indexes/apply.h"
#include "indexes/law.h"
#include "indexes/queries.h"
#include "indexes/rows_internal.h"

/* One record being folded. */
struct hf__fold {
    struct hf_tables *tables;
    const struct hf_fold_record *record;
    hf_error *error;
    uint64_t rows_left; /* that this record may still move or purge */
};

/* HF_CORRUPT: the record does not fit the rows; names the law, its LSN and kind. */
hf_status hf__fold_misfit(struct hf__fold *fold, enum hf_law law, const char *format, ...)
    HF_PRINTF(3, 4);

/* Passes status on; HF_NOT_FOUND becomes a misfit: "<what> <number> is not there". */
hf_status hf__fold_expect(struct hf__fold *fold, enum hf_law law, hf_status status,
                          const char *what, uint64_t number);

/* Writes a row. Copies. Errors: as hf_table_put. */
HF_MUST_CHECK hf_status hf__fold_put(struct hf__fold *fold, enum hf_table table,
                                     const struct hf_key *key, hf_slice value);
/* Removes a row that must be there. */
HF_MUST_CHECK hf_status hf__fold_delete(struct hf__fold *fold, enum hf_table table,
                                        const struct hf_key *key);

/* ---- fold_instance.c ------------------------------------------------------------------------ */

/* The row of a running instance; a missing or ended one is a misfit. */
HF_MUST_CHECK hf_status hf__instance_running(struct hf__fold *fold, uint64_t number,
                                             struct hf_row_instance *out_row);

struct hf__instance_change {
    const struct hf_row_instance *before; /* NULL: new */
    const struct hf_row_instance *after;
    bool releases_lock; /* the record ends the turn that may be locked */
};
/* Writes the row, and its turns_due row unless it is locked. */
HF_MUST_CHECK hf_status hf__instance_put(struct hf__fold *fold,
                                         const struct hf__instance_change *change);

/* How an instance ends: its status, and its last event. */
struct hf__ending {
    uint64_t status; /* hf_instance_status */
    struct hf_ref output;
};
/* Ends an instance: writes `after` with the ending, releases its turn, and purges all that it has
 * while fold->rows_left lasts. */
HF_MUST_CHECK hf_status hf__instance_end(struct hf__fold *fold,
                                         const struct hf_row_instance *before,
                                         const struct hf_row_instance *after,
                                         const struct hf__ending *ending);

/* Removes an instance: row, id and turn go, all that it has while fold->rows_left lasts. */
HF_MUST_CHECK hf_status hf__instance_remove(struct hf__fold *fold,
                                            const struct hf_row_instance *row);

/* Keeps what this record gave up as poison. */
HF_MUST_CHECK hf_status hf__dead_letter_put(struct hf__fold *fold,
                                            const struct hf_row_dead_letter *row);
/* Removes one dead letter of an instance. HF_NOT_FOUND: there is none. */
HF_MUST_CHECK hf_status hf__dead_letter_purge(struct hf__fold *fold, uint64_t instance);

/* Makes a new instance the child of a running one: row->parent names an event of its present
 * execution that has no child yet. Sets its family, too. */
HF_MUST_CHECK hf_status hf__child_link(struct hf__fold *fold, struct hf_row_instance *row);
/* Makes an instance nobody's child, if it is somebody's: the row in children goes, and in `row`
 * what tells of a parent. The caller writes it, or removes it. */
HF_MUST_CHECK hf_status hf__child_cut(struct hf__fold *fold, struct hf_row_instance *row);

/* Puts a message into the inbox of a running instance: it is due now, if it was not. Its name there
 * is the LSN of this record. */
HF_MUST_CHECK hf_status hf__message_arrive(struct hf__fold *fold, uint64_t instance,
                                           const struct hf_row_message *message);

/* An event's row of history. */
HF_MUST_CHECK hf_status hf__history_put(struct hf__fold *fold, const struct hf_item_id *event,
                                        const struct hf_ref *ref);

/* Remembers the idempotency key of this record (empty: none); a key used before is a misfit. */
HF_MUST_CHECK hf_status hf__command_key_put(struct hf__fold *fold, hf_slice key, uint64_t instance);

/* ---- fold_item.c ---------------------------------------------------------------------------- */

/* Writes an item with its ready or running row, its session's row of it, and that session's counts
 * and head. A timer of a delayed item is the caller's. */
HF_MUST_CHECK hf_status hf__item_put(struct hf__fold *fold, const struct hf_row_item *before,
                                     const struct hf_row_item *after);

/* Removes an item and whatever points to it, its timer too. */
HF_MUST_CHECK hf_status hf__item_purge(struct hf__fold *fold, const struct hf_row_item *row);

/* Takes an item out of the hands that it is in, in *after alone: as it is in nobody's. It counts a
 * death when it ran under a registration that ended as dead. */
HF_MUST_CHECK hf_status hf__item_take_away(struct hf__fold *fold, const struct hf_row_item *row,
                                           struct hf_row_item *out_after);

/* Puts a running or delayed item back into its queue, at its old place; a ready one is a misfit. */
HF_MUST_CHECK hf_status hf__item_requeue(struct hf__fold *fold, const struct hf_row_item *row);

/* The row of an item that the tables point to; a missing one is damage. */
HF_MUST_CHECK hf_status hf__item_pointed(struct hf__fold *fold, const struct hf_item_id *id,
                                         struct hf_row_item *out_row);

/* Sets a timer; one of that id is a misfit. */
HF_MUST_CHECK hf_status hf__timer_put(struct hf__fold *fold, const struct hf_timer_place *place,
                                      const struct hf_row_timer *row);
/* Removes the timer of that id and gives its row. Errors: HF_NOT_FOUND. */
HF_MUST_CHECK hf_status hf__timer_take(struct hf__fold *fold, const struct hf_item_id *id,
                                       struct hf_row_timer *out_row);

/* The number of a tag; a new tag gets the next number. */
HF_MUST_CHECK hf_status hf__tag_number(struct hf__fold *fold, hf_slice tag, uint64_t *out_number);

/* ---- fold_value.c --------------------------------------------------------------------------- */

/* Sets a value of an instance to what an event holds. */
HF_MUST_CHECK hf_status hf__value_set(struct hf__fold *fold, uint64_t instance, hf_slice key,
                                      const struct hf_ref *present);
/* Clears the value of a key, there or not; the empty key: of all. */
HF_MUST_CHECK hf_status hf__value_clear(struct hf__fold *fold, uint64_t instance, hf_slice key);
/* The next execution begins: what values are is what it found. */
HF_MUST_CHECK hf_status hf__values_settle(struct hf__fold *fold, uint64_t instance);
/* The present execution begins once more: values are what it found. */
HF_MUST_CHECK hf_status hf__values_revert(struct hf__fold *fold, uint64_t instance);
/* Removes one row of a deleted instance. HF_NOT_FOUND: there is none. */
HF_MUST_CHECK hf_status hf__value_purge(struct hf__fold *fold, uint64_t instance);

/* ---- fold_session.c ------------------------------------------------------------------------- */

/* Writes a session with its sessions_ready and sessions_owned rows, and the counts of the
 * registrations that own it. */
HF_MUST_CHECK hf_status hf__session_put(struct hf__fold *fold, const struct hf_row_session *before,
                                        const struct hf_row_session *after);

/* Since when a session has no item, as of this record; 0: it has some, so time 0 counts as 1. */
uint64_t hf__session_quiet(const struct hf__fold *fold, const struct hf_row_session *row);

/* Puts what runs in a session back into its queue, while fold->rows_left lasts. */
HF_MUST_CHECK hf_status hf__session_requeue(struct hf__fold *fold, const struct hf_session_id *id);

/* Takes a session from its owner, for a reason (enum hf_reason, not 0); nothing of it runs. */
HF_MUST_CHECK hf_status hf__session_release(struct hf__fold *fold, const struct hf_session_id *id,
                                            uint64_t reason);

/* Closes a session: the row goes at once, its items while fold->rows_left lasts, the rest waits in
 * reclaim. */
HF_MUST_CHECK hf_status hf__session_close(struct hf__fold *fold, const struct hf_row_session *row);

/* The row of a live registration; a missing or ended one is a misfit. */
HF_MUST_CHECK hf_status hf__registration_live(struct hf__fold *fold, uint64_t lsn,
                                              struct hf_row_registration *out_row);
/* Proves that a token, named by its LSN, is of the record's own store generation. */
HF_MUST_CHECK hf_status hf__token_present(struct hf__fold *fold, uint64_t lsn);
/* Writes the row of a registration. */
HF_MUST_CHECK hf_status hf__registration_put(struct hf__fold *fold,
                                             const struct hf_row_registration *row);
/* An ended registration under which nothing is left goes, with its reclaim row. A live or missing
 * one stays as it is. */
HF_MUST_CHECK hf_status hf__registration_settle(struct hf__fold *fold, uint64_t lsn);

/* ---- apply_*.c: one record kind each --------------------------------------------------------- */

/* An instance started. */
HF_MUST_CHECK hf_status hf__apply_started(struct hf__fold *fold, const struct hf_started *body);
/* A message came. */
HF_MUST_CHECK hf_status hf__apply_message(struct hf__fold *fold,
                                          const struct hf_message_record *body);
/* A timer fired, or a delayed item comes back. */
HF_MUST_CHECK hf_status hf__apply_timer_fired(struct hf__fold *fold,
                                              const struct hf_timer_fired *body);
/* Former executions lost their history. */
HF_MUST_CHECK hf_status hf__apply_pruned(struct hf__fold *fold, const struct hf_pruned *body);
/* An instance was deleted. */
HF_MUST_CHECK hf_status hf__apply_deleted(struct hf__fold *fold, const struct hf_deleted *body);
/* An instance was ended from outside. */
HF_MUST_CHECK hf_status hf__apply_terminated(struct hf__fold *fold,
                                             const struct hf_terminated *body);
/* An instance was suspended or resumed. */
HF_MUST_CHECK hf_status hf__apply_suspended(struct hf__fold *fold, const struct hf_suspended *body);
/* An ended instance runs again. */
HF_MUST_CHECK hf_status hf__apply_restarted(struct hf__fold *fold, const struct hf_restarted *body);
/* A turn was committed. */
HF_MUST_CHECK hf_status hf__apply_turn_committed(struct hf__fold *fold,
                                                 const struct hf_turn_committed *body);
/* A turn was lost. */
HF_MUST_CHECK hf_status hf__apply_turn_lost(struct hf__fold *fold, const struct hf_turn_lost *body);
/* Items were delivered, sessions claimed. */
HF_MUST_CHECK hf_status hf__apply_delivered(struct hf__fold *fold, const struct hf_delivered *body);
/* An item was completed. */
HF_MUST_CHECK hf_status hf__apply_completed(struct hf__fold *fold, const struct hf_completed *body);
/* An item was handed back. */
HF_MUST_CHECK hf_status hf__apply_abandoned(struct hf__fold *fold, const struct hf_abandoned *body);
/* Sessions were released by their owner. */
HF_MUST_CHECK hf_status hf__apply_sessions_released(struct hf__fold *fold,
                                                    const struct hf_sessions_released *body);
/* A worker registered. */
HF_MUST_CHECK hf_status hf__apply_registered(struct hf__fold *fold,
                                             const struct hf_registered *body);
/* A registration ended. */
HF_MUST_CHECK hf_status hf__apply_registration_ended(struct hf__fold *fold,
                                                     const struct hf_registration_ended *body);
/* A step of clearing up. */
HF_MUST_CHECK hf_status hf__apply_reclaimed(struct hf__fold *fold, const struct hf_reclaimed *body);

/* ---- apply_reclaim.c ------------------------------------------------------------------------ */

/* Purges what is left of a closed session or of an ended or deleted instance, or moves back what an
 * ended registration held, while fold->rows_left lasts; what remains then is marked in reclaim,
 * else the mark goes. Rows of children stay: they go with the message that tells the child. */
HF_MUST_CHECK hf_status hf__purge(struct hf__fold *fold, const struct hf_reclaim_place *place);

#endif
