/* Commands: what each kind checks, and which records it appends. One file a subject:
 *
 *   command.c               dispatch, and the checks that several kinds share
 *   command_client.c        start, message, terminate, delete
 *   command_registration.c  register, end of a registration, renewal, reclaim
 *   command_turn.c          turns: fetch, commit, abandon
 *   command_turn_check.c    the form of a turn that is to be committed
 *   command_family.c        what an act on an instance means to its parent and its children
 *   command_tree.c          deleting an instance with all that stem from it, and many of those
 *   command_restart.c       restart
 *   command_prune.c         pruning of former executions
 *   command_item.c          items: fetch, complete, abandon, report
 *   command_session.c       release of sessions
 *   command_timer.c         timers that are due
 *
 * Beside them: token.h (is this token or claim void, and why), lease.h (has this deadline passed),
 * fetch.h (what may be handed out, oldest first).
 *
 * All run in the step's transaction, on the thread that has it. Errors of each: as the two laws in
 * store_internal.h. */
#ifndef HF_COMMAND_H
#define HF_COMMAND_H

#include "indexes/rows.h"
#include "logstore/store_internal.h"

/* ---- one function a kind; hf__command_run chooses -------------------------------------------- */

/* Each answers its command: fills its out_ fields; those that are lists lie in `out`, the arena of
 * the command. What is refused, and how: see the command's struct in engine/store.h. */
HF_MUST_CHECK hf_status hf__command_start(struct hf__step *step, struct hf_store_start *start);
/* As above. */
HF_MUST_CHECK hf_status hf__command_message(struct hf__step *step,
                                            const struct hf_store_message *message);
/* As above. */
HF_MUST_CHECK hf_status hf__command_terminate(struct hf__step *step,
                                              const struct hf_store_terminate *terminate);
/* As above. */
HF_MUST_CHECK hf_status hf__command_delete(struct hf__step *step,
                                           const struct hf_store_delete *deletion);
/* As above. */
HF_MUST_CHECK hf_status hf__command_suspend(struct hf__step *step,
                                            const struct hf_store_suspend *suspend);
/* As above. */
HF_MUST_CHECK hf_status hf__command_restart(struct hf__step *step,
                                            const struct hf_store_restart *restart);
/* As above. */
HF_MUST_CHECK hf_status hf__command_delete_ended(struct hf__step *step,
                                                 struct hf_store_delete_ended *deletion);
/* As above. */
HF_MUST_CHECK hf_status hf__command_prune(struct hf__step *step, struct hf_store_prune *prune);
/* As above. */
HF_MUST_CHECK hf_status hf__command_fail_turn(struct hf__step *step,
                                              const struct hf_store_fail_turn *fail);
/* As above. */
HF_MUST_CHECK hf_status hf__command_register(struct hf__step *step,
                                             struct hf_store_register *command);
/* As above. */
HF_MUST_CHECK hf_status hf__command_end_registration(struct hf__step *step,
                                                     const struct hf_store_end_registration *end);
/* As above. */
HF_MUST_CHECK hf_status hf__command_reclaim(struct hf__step *step,
                                            struct hf_store_reclaim *reclaim);
/* As above. */
HF_MUST_CHECK hf_status hf__command_renew(struct hf__step *step, struct hf_store_renew *renew,
                                          struct hf_arena *out);
/* As above. */
HF_MUST_CHECK hf_status hf__command_fetch_turns(struct hf__step *step,
                                                struct hf_store_fetch_turns *fetch,
                                                struct hf_arena *out);
/* As above. */
HF_MUST_CHECK hf_status hf__command_commit_turn(struct hf__step *step,
                                                struct hf_store_commit_turn *commit);
/* As above. */
HF_MUST_CHECK hf_status hf__command_abandon_turn(struct hf__step *step,
                                                 const struct hf_store_abandon_turn *abandon);
/* As above. */
HF_MUST_CHECK hf_status hf__command_fetch_items(struct hf__step *step,
                                                struct hf_store_fetch_items *fetch,
                                                struct hf_arena *out);
/* As above. */
HF_MUST_CHECK hf_status hf__command_complete_item(struct hf__step *step,
                                                  const struct hf_store_complete_item *complete);
/* As above. */
HF_MUST_CHECK hf_status hf__command_abandon_item(struct hf__step *step,
                                                 const struct hf_store_abandon_item *abandon);
/* As above. */
HF_MUST_CHECK hf_status hf__command_report(struct hf__step *step,
                                           const struct hf_store_report *report);
/* As above. */
HF_MUST_CHECK hf_status hf__command_release_sessions(struct hf__step *step,
                                                     struct hf_store_release_sessions *release,
                                                     struct hf_arena *out);
/* As above. */
HF_MUST_CHECK hf_status hf__command_fire_timers(struct hf__step *step,
                                                struct hf_store_fire_timers *fire);

/* Deletes the tree of `top`, whose row this is, as a command asks. Errors: as struct
 * hf_store_delete. */
HF_MUST_CHECK hf_status hf__tree_delete(struct hf__step *step, const struct hf_row_instance *top,
                                        const struct hf_store_delete *deletion);

/* ---- questions that several kinds share -------------------------------------------------------
 */

/* The first place where rows wait to be cleared up, and how many may move now, of those that need
 * not wait for a reclaim window. Errors: HF_NOT_FOUND: there is none; those of the tables. */
HF_MUST_CHECK hf_status hf__reclaim_find(struct hf__step *step, struct hf_reclaim_place *out_place,
                                         uint64_t *out_rows);

/* ---- checks that several kinds share --------------------------------------------------------- */

/* Proves that text is 1 to 255 bytes of UTF-8 without NUL, as names and ids are. `what` names it in
 * the message ("instance id"). Borrows both. Errors: HF_INVALID. */
HF_MUST_CHECK hf_status hf__check_name(struct hf__step *step, const char *what, hf_slice text);

/* The same for a text that may be left out. */
HF_MUST_CHECK hf_status hf__check_optional_name(struct hf__step *step, const char *what,
                                                hf_slice text);

/* Proves that a body has bytes: the codec refuses a record without. Errors: HF_INVALID. */
HF_MUST_CHECK hf_status hf__check_body(struct hf__step *step, const char *what, hf_slice body);

/* Proves that a turn's form fits the instance: ids that follow on, messages that are there, names
 * of things that exist. `turn` may be anything a caller can write. Errors: HF_INVALID for what is
 * never allowed, HF_CORRUPT for what does not fit the stored instance; both say which. */
HF_MUST_CHECK hf_status hf__turn_check(struct hf__step *step,
                                       const struct hf_row_instance *instance,
                                       const struct hf_turn_committed *turn);

#endif
