/* Searches along the ordered tables: which row comes next. Each costs one seek, whatever else the
 * table holds.
 *
 * All of one form: `place` is where the search stands; the call moves it to the first row behind it
 * that shares the head named below, and gives what that row points to. Start with the head set and
 * the rest zeroed; call again for the row behind. Errors of each: HF_NOT_FOUND when there is none
 * (place and error stay as they were), HF_CORRUPT, and those of hf_table_get.
 *
 * Rows of instances that have ended and of sessions that are closed may still stand here until
 * reclaim has come to them, when they were more than HF_PURGE_MAX: whoever fetches reads the
 * instance row, and for session work the session row, and passes over what is dead. */
#ifndef HF_INDEXES_QUERIES_H
#define HF_INDEXES_QUERIES_H

#include "indexes/rows.h"

/* Turns that are due and not locked, by (engine version, arrival). No head: the caller compares
 * engine_version; to leap to the next version that is there, set it to one more and zero the rest.
 */
HF_MUST_CHECK hf_status hf_turns_due_next(struct hf_tables *tables, struct hf_turn_due *place,
                                          hf_error *error);

/* Ordinary items that can be fetched, oldest first. Head: tag. */
HF_MUST_CHECK hf_status hf_items_ready_next(struct hf_tables *tables, struct hf_ready_place *place,
                                            struct hf_item_id *out_item, hf_error *error);

/* Items delivered to a registration, ordinary and of sessions, oldest first. Head: registration and
 * tag. */
HF_MUST_CHECK hf_status hf_items_running_next(struct hf_tables *tables,
                                              struct hf_running_place *place,
                                              struct hf_item_id *out_item, hf_error *error);
/* The same of all tags. Head: registration. */
HF_MUST_CHECK hf_status hf_items_running_any_next(struct hf_tables *tables,
                                                  struct hf_running_place *place,
                                                  struct hf_item_id *out_item, hf_error *error);

/* Sessions with ready items, by their oldest. Head: owner, tag and class. */
HF_MUST_CHECK hf_status hf_sessions_ready_next(struct hf_tables *tables,
                                               struct hf_session_ready_place *place,
                                               struct hf_session_id *out_session, hf_error *error);

/* A session's items of one state, oldest first. Head: session and state. */
HF_MUST_CHECK hf_status hf_session_items_next(struct hf_tables *tables,
                                              struct hf_session_item_place *place,
                                              struct hf_item_id *out_item, hf_error *error);

/* The same of all states, by state. Head: session. */
HF_MUST_CHECK hf_status hf_session_items_any_next(struct hf_tables *tables,
                                                  struct hf_session_item_place *place,
                                                  struct hf_item_id *out_item, hf_error *error);

/* Sessions that a registration owns. Head: owner. */
HF_MUST_CHECK hf_status hf_sessions_owned_next(struct hf_tables *tables,
                                               struct hf_session_owned_place *place,
                                               hf_error *error);

/* Children of an instance that run, and whose outcome it wants. Head: instance; the rest of place
 * becomes the event that started it. */
HF_MUST_CHECK hf_status hf_children_next(struct hf_tables *tables, struct hf_item_id *place,
                                         uint64_t *out_child, hf_error *error);

/* Timers by due time. No head. Never HF_NOT_FOUND because of the clock: the caller compares
 * due_unix_ms. */
HF_MUST_CHECK hf_status hf_timers_next(struct hf_tables *tables, struct hf_timer_place *place,
                                       struct hf_row_timer *out_row, hf_error *error);

/* Work that waits for HF_STORE_RECLAIM. No head. The record of a step over place: kind registration
 * -> reclaimed.registration = number; instance -> .instance = number; session -> .instance =
 * number, .incarnation = incarnation. */
HF_MUST_CHECK hf_status hf_reclaim_next(struct hf_tables *tables, struct hf_reclaim_place *place,
                                        hf_error *error);

#endif
