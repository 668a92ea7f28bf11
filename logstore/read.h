/* The contract's reads; each in one read transaction of its own. See struct hf_backend_ops. */
#ifndef HF_LOGSTORE_READ_H
#define HF_LOGSTORE_READ_H

#include "indexes/rows.h"
#include "logstore/store_internal.h"

/* A step over a read transaction, for questions that share the commands' code. Borrows reader.
 * Errors: HF_CORRUPT, HF_IO, in out_step->error. */
HF_MUST_CHECK hf_status hf__reader_step(struct hf__reader *reader, hf_error *error,
                                        struct hf__step *out_step);

/* The calls of struct hf_backend_ops of the same names; error is never NULL here. */
HF_MUST_CHECK hf_status hf__read_instance(struct hf_backend *backend, hf_slice id,
                                          struct hf_arena *arena, struct hf_instance_info *out_info,
                                          hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_instances(struct hf_backend *backend,
                                           struct hf_instances_query *query, struct hf_arena *arena,
                                           struct hf_instance_info **out_rows, size_t *out_count,
                                           hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_executions(struct hf_backend *backend, hf_slice id, uint64_t after,
                                            struct hf_arena *arena,
                                            struct hf_execution_row **out_rows, size_t *count,
                                            hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_dead_letters(struct hf_backend *backend,
                                              struct hf_dead_letters_query *query,
                                              struct hf_arena *arena,
                                              struct hf_dead_letter_info **out_rows, size_t *count,
                                              hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_totals(struct hf_backend *backend, struct hf_arena *arena,
                                        struct hf_store_totals *out_totals, hf_error *error);
/* What is told of an instance. Errors: HF_CORRUPT, HF_NO_MEMORY, HF_IO. */
HF_MUST_CHECK hf_status hf__info_fill(struct hf_tables *tables, const struct hf_row_instance *row,
                                      struct hf_instance_info *out_info, hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_turn_view(struct hf_backend *backend,
                                           const struct hf_item_id *from, struct hf_arena *arena,
                                           struct hf_turn_view *out_view, hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_values(struct hf_backend *backend, hf_slice id, hf_slice key,
                                        struct hf_arena *arena, struct hf_stored_value **out_rows,
                                        size_t *out_count, hf_error *error);
/* Fills in what the former execution left. For a view from event 1 on. */
HF_MUST_CHECK hf_status hf__view_values(struct hf_tables *tables, const struct hf_row_instance *row,
                                        struct hf_turn_view *view, hf_error *error);
/* The payload of a ref that may name nothing. */
HF_MUST_CHECK hf_status hf__body_read(struct hf_tables *tables, const struct hf_ref *ref,
                                      hf_slice *out_body, hf_error *error);
/* As hf__read_instance. */
HF_MUST_CHECK hf_status hf__read_progress(struct hf_backend *backend, hf_slice id,
                                          uint64_t event_id, struct hf_arena *arena,
                                          struct hf_progress_row *out_row, hf_error *error);
/* As hf__read_instance. */
HF_MUST_CHECK hf_status hf__read_sessions(struct hf_backend *backend,
                                          struct hf_sessions_query *query, struct hf_arena *arena,
                                          struct hf_session_row **out_rows, size_t *out_count,
                                          hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_registrations(struct hf_backend *backend, struct hf_arena *arena,
                                               struct hf_registration_row **out_rows,
                                               size_t *out_count, hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_check_held(struct hf_backend *backend,
                                            struct hf_store_renew *renew, struct hf_arena *arena,
                                            hf_error *error);
/* As above. */
HF_MUST_CHECK hf_status hf__read_peek(struct hf_backend *backend, struct hf_peek *peek,
                                      hf_error *error);

#endif
