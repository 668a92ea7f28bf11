/* Committing a batch: one write transaction for the group. What a command does is the business of
 * hf__command_run.
 *
 *   begin -> each command -> more() -> each it appended -> ... -> writers row -> commit
 *     |            |                                                         |
 *     |            +- LMDB failed: abort, and each command in a group of its own
 *     |                                                                      |
 *     +- failed: all are refused                        failed: in doubt: open again, look
 *
 * Laws:
 *  1. A refused command leaves no trace. It has written nothing, or the whole transaction goes;
 * then each command is tried alone, and only the culprit is refused. What more() had appended is
 * then answered HF_BUSY.
 *  2. The outcome of a failed commit is not guessed: the environment is opened again, and the row
 * of this handle in `writers` tells whether the group is there. It is a random number that no other
 *     handle has, and a counter of its groups.
 *  3. A group in which nobody wrote a row costs no commit. */
#include "logstore/commit.h"
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/env.h"
#include "logstore/writers.h"

/* What a group adds to the counters when it is committed. */
struct group_tally {
    uint64_t commands, refusals, records;
};

/* ---- one command --------------------------------------------------------------------------- */

/* Whether a command that returned this has lost the transaction for all. */
static bool is_transaction_lost(hf_status status)
{
    return status == HF_IO || status == HF_DISK_FULL || status == HF_CORRUPT ||
           status == HF_NO_MEMORY;
}

/* Whether a command takes on new work, for which the reserve of the map is not meant. */
static bool is_new_work(enum hf_store_command_kind kind)
{
    return kind == HF_STORE_START || kind == HF_STORE_MESSAGE;
}

static bool is_fetch(enum hf_store_command_kind kind)
{
    return kind == HF_STORE_FETCH_ITEMS || kind == HF_STORE_FETCH_TURNS;
}

/* The registration that a command speaks for, to be named to whoever waits for the lock; 0: none.
 */
static uint64_t registration_of(const struct hf_store_command *command)
{
    switch (command->kind) {
    case HF_STORE_RENEW: return command->renew.registration;
    case HF_STORE_FETCH_TURNS: return command->fetch_turns.registration;
    case HF_STORE_COMMIT_TURN: return command->commit_turn.registration;
    case HF_STORE_ABANDON_TURN: return command->abandon_turn.registration;
    case HF_STORE_FETCH_ITEMS: return command->fetch_items.registration;
    case HF_STORE_COMPLETE_ITEM: return command->complete_item.registration;
    case HF_STORE_ABANDON_ITEM: return command->abandon_item.registration;
    case HF_STORE_REPORT: return command->report.registration;
    case HF_STORE_RELEASE_SESSIONS: return command->release_sessions.registration;
    case HF_STORE_FAIL_TURN: return command->fail_turn.registration;
    case HF_STORE_SUSPEND: return command->suspend.registration;
    case HF_STORE_START:
    case HF_STORE_MESSAGE:
    case HF_STORE_TERMINATE:
    case HF_STORE_DELETE:
    case HF_STORE_RESTART:
    case HF_STORE_DELETE_ENDED:
    case HF_STORE_PRUNE:
    case HF_STORE_REGISTER:
    case HF_STORE_END_REGISTRATION:
    case HF_STORE_RECLAIM:
    case HF_STORE_FIRE_TIMERS: return 0;
    }
    return 0;
}

static void command_answer(struct hf_store_command *command, hf_status status,
                           const hf_error *error)
{
    hf_assert(status != HF_OK);
    command->status = status;
    command->lsn = 0;
    if (error) command->error = *error;
    command->error.status = status;
}

/* Runs one command in the transaction. False: the transaction is lost, and the command's answer
 * says why. */
static bool command_run(struct hf__write *write, struct hf_store_command *command,
                        struct group_tally *tally)
{
    hf_error_clear(&command->error);
    command->lsn = 0;
    if (write->is_tight && is_new_work(command->kind)) {
        command->status = hf_error_set(&command->error, HF_DISK_FULL,
                                       "the map is nearly full: raise map_size_max");
        tally->refusals++;
        return true;
    }
    hf_arena_reset(&write->arena);
    write->tables.rows_looked = is_fetch(command->kind) ? &write->rows_looked : NULL;
    struct hf__step step = hf__write_step(write, &command->error);
    hf_status status = hf__command_run(&step, command);
    command->status = status;
    command->error.status = status;
    if (is_transaction_lost(status)) return false;
    if (status != HF_OK) {
        /* A refusal comes before the first record. */
        hf_assert(step.first_lsn == 0 && step.next_lsn == write->next_lsn);
        tally->refusals++;
        return true;
    }
    hf_assert(step.next_lsn >= write->next_lsn); /* an LSN is given out once */
    hf_assert(hf_lsn_generation(step.next_lsn) == hf_lsn_generation(write->next_lsn));
    hf_error_clear(&command->error);
    tally->records += hf_lsn_counter(step.next_lsn) - hf_lsn_counter(write->next_lsn);
    tally->commands++;
    write->tables.effects |= step.effects;
    write->next_lsn = step.next_lsn;
    command->lsn = step.first_lsn;
    return true;
}

/* ---- groups -------------------------------------------------------------------------------- */

/* Opens the store again and looks whether the group with this counter is in it. */
static hf_status group_find(struct hf__store *store, uint64_t counter, bool *out_found,
                            hf_error *error)
{
    uint64_t stored = 0;
    hf_status status = hf__env_reopen(store, error);
    if (status != HF_OK) return status;
    status = hf__writers_get(store, &stored, error);
    *out_found = stored == counter;
    if (status == HF_OK) return HF_OK;
    /* Nobody can say what became of the group: the store must not be used as if it were known. */
    hf__env_fail(store);
    return hf_error_set(error, HF_STORE_FAILED, "the outcome of a commit could not be read");
}

static void tally_add(struct hf__store *store, const struct group_tally *tally,
                      const struct hf__write *write, bool is_committed)
{
    pthread_mutex_lock(&store->counters_mutex);
    store->counters.commits += is_committed ? 1 : 0;
    store->counters.commands += tally->commands;
    store->counters.refusals += tally->refusals;
    store->counters.records += tally->records;
    store->counters.fetch_rows += write->rows_looked;
    pthread_mutex_unlock(&store->counters_mutex);
}

/* Commits what the group has written, and resolves a doubtful outcome. */
static hf_status group_commit(struct hf__write *write, const struct group_tally *tally,
                              hf_error *error)
{
    struct hf__store *store = write->store;
    bool is_found = false;
    if (!write->tables.is_written) {
        hf__write_abort(write);
        tally_add(store, tally, write, false);
        return HF_OK;
    }
    uint64_t counter = store->groups_count + 1;
    hf_assert(!write->is_in_doubt);
    hf_arena_reset(&write->arena);
    hf_status status = hf__writers_put(write, counter, error);
    if (status != HF_OK) {
        hf__write_abort(write);
        return status;
    }
    store->groups_count = counter;
    status = hf__write_commit(write, error);
    if (status != HF_OK && write->is_in_doubt) {
        hf_error found_error = { 0 };
        hf_status found = group_find(store, counter, &is_found, &found_error);
        if (found != HF_OK && error) *error = found_error;
        if (found != HF_OK) return found;
        if (is_found) status = HF_OK;
    }
    if (status == HF_OK) tally_add(store, tally, write, true);
    return status;
}

static hf_status group_begin(struct hf__store *store, const struct hf_batch *batch, size_t first,
                             struct hf__write *write, hf_error *error)
{
    uint64_t registration = 0;
    for (size_t i = first; registration == 0 && i < batch->count; i++) {
        registration = registration_of(batch->commands[i]);
    }
    hf_status status = hf__write_begin(store, registration, write, error);
    if (status != HF_OK) return status;
    status = hf__write_load(write, error);
    if (status != HF_OK) hf__write_abort(write);
    return status;
}

/* Runs all commands, and those that more() appends. False: the transaction is lost by *out_culprit.
 */
static bool group_run(struct hf__write *write, struct hf_batch *batch, struct group_tally *tally,
                      size_t *out_culprit)
{
    uint32_t effects = batch->effects;
    size_t done = 0;
    for (;;) {
        for (; done < batch->count; done++) {
            if (command_run(write, batch->commands[done], tally)) continue;
            *out_culprit = done;
            return false;
        }
        batch->effects = effects | write->tables.effects;
        if (!batch->more) return true;
        batch->more(batch->self, batch);
        hf_assert(batch->count >= done);
        if (batch->count == done) return true;
    }
}

/* Runs one command in a group of its own, and answers it. Not HF_OK: the store has failed. */
static hf_status single_commit(struct hf__store *store, struct hf_batch *batch, size_t index)
{
    struct hf__write write;
    struct group_tally tally = { 0 };
    struct hf_store_command *command = batch->commands[index];
    hf_error error = { 0 };
    hf_status status = group_begin(store, batch, index, &write, &error);
    if (status == HF_OK && !command_run(&write, command, &tally)) {
        hf__write_abort(&write);
        tally.refusals++;
        tally_add(store, &tally, &write, false);
        return HF_OK;
    }
    if (status == HF_OK) status = group_commit(&write, &tally, &error);
    if (status == HF_OK) batch->effects |= write.tables.effects;
    if (status != HF_OK) command_answer(command, status, &error);
    return status == HF_STORE_FAILED ? status : HF_OK;
}

static void answer_all(struct hf_batch *batch, size_t from, hf_status status, const hf_error *error)
{
    for (size_t i = from; i < batch->count; i++) command_answer(batch->commands[i], status, error);
}

/* Each of the first `count` commands in a group of its own; the rest is answered HF_BUSY. */
static hf_status repeat_singly(struct hf__store *store, struct hf_batch *batch, size_t count,
                               hf_error *error)
{
    hf_error busy = { 0 };
    hf_assert(count <= batch->count);
    hf_status status = HF_OK;
    hf_error_set(&busy, HF_BUSY, "another command of the group failed: try again");
    answer_all(batch, count, HF_BUSY, &busy);
    for (size_t i = 0; i < count; i++) {
        status = single_commit(store, batch, i);
        if (status == HF_OK) continue;
        *error = batch->commands[i]->error;
        for (size_t j = i + 1; j < count; j++) command_answer(batch->commands[j], status, error);
        break;
    }
    return status;
}

/* The whole of a batch. error is not NULL. */
static hf_status batch_commit(struct hf__store *store, struct hf_batch *batch, hf_error *error)
{
    struct hf__write write;
    struct group_tally tally = { 0 };
    size_t count = batch->count;
    size_t culprit = 0;
    uint32_t effects = batch->effects;
    hf_status status = group_begin(store, batch, 0, &write, error);
    if (status != HF_OK) {
        answer_all(batch, 0, status, error);
        return status == HF_STORE_FAILED ? status : HF_OK;
    }
    bool is_whole = group_run(&write, batch, &tally, &culprit);
    if (is_whole) {
        status = group_commit(&write, &tally, error);
        if (status == HF_OK) batch->effects |= write.tables.effects;
        if (status == HF_OK) return HF_OK;
    } else {
        hf__write_abort(&write);
    }
    batch->effects = effects;
    if (status == HF_STORE_FAILED || (is_whole && batch->count == 1)) {
        answer_all(batch, 0, status, error);
        return status == HF_STORE_FAILED ? status : HF_OK;
    }
    if (batch->count == 1) { /* the culprit was alone, and has its answer */
        tally_add(store, &(struct group_tally){ .refusals = 1 }, &write, false);
        return HF_OK;
    }
    return repeat_singly(store, batch, count, error);
}

hf_status hf__commit(struct hf_backend *backend, struct hf_batch *batch, hf_error *error)
{
    hf_error own = { 0 };
    struct hf__store *store = hf__store_of(backend);
    hf_error *told = error ? error : &own;
    hf_assert(batch->count == 0 || batch->commands);
    hf_status status = hf__store_check(store, told);
    if (status == HF_OK && store->options.read_only) {
        status = hf_error_set(told, HF_INVALID, "the store was opened read-only");
    }
    if (status != HF_OK) {
        answer_all(batch, 0, status, told);
        return status;
    }
    if (batch->count == 0 && !batch->more) return HF_OK;
    pthread_mutex_lock(&store->commit_mutex);
    status = batch_commit(store, batch, told);
    pthread_mutex_unlock(&store->commit_mutex);
    return status;
}
