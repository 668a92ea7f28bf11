/* Managing many instances: deleting what has ended, pruning former executions. What is asked for is
 * read page by page; each page is a list for the store, which looks again in the transaction that
 * acts, and does as much of it as one transaction should hold. */
#include "engine/base/assert.h"
#include "engine/base/options.h"
#include "engine/base/status.h"
#include "runtime/query.h"

enum {
    LIST_MAX = 64,            /* instances in one command */
    DELETE_MANY_LIMIT = 1000, /* trees, where no limit is given */
};

/* Fills a list from the cursor; fewer than max: there are no more, or the cursor has an error. */
static size_t list_fill(hf_cursor *cursor, const struct hf__source *source, size_t max,
                        struct hf_instance_run *out_runs)
{
    size_t count = 0;
    hf_assert(max <= LIST_MAX);
    while (count < max && hf__next_run(cursor, source, &out_runs[count])) count++;
    return count;
}

/* Closes the cursor, and passes on the status of what was done with it, or why it ended early. */
static hf_status cursor_end(hf_cursor *cursor, hf_status status, hf_error *error)
{
    hf_error read_error;
    hf_status read_status = hf_cursor_close(cursor, &read_error);
    if (status != HF_OK || read_status == HF_OK) return status;
    if (error) *error = read_error;
    return read_status;
}

/* ---- deleting ------------------------------------------------------------------------------- */

/* Has the list deleted, command by command. */
static hf_status list_delete(hf_store *store, const struct hf_instance_run *runs, size_t count,
                             struct hf_store_delete_ended *totals, hf_error *error)
{
    hf_status status = HF_OK;
    for (size_t done = 0; status == HF_OK && done < count;) {
        struct hf__submission submission;
        hf__submission_init(&submission, store->heap, HF_STORE_DELETE_ENDED);
        submission.of_client = true;
        struct hf_store_delete_ended *deletion = &submission.command.delete_ended;
        *deletion = (struct hf_store_delete_ended){ .runs = runs + done, .count = count - done };
        status = hf__store_call(store, &submission, error);
        if (status == HF_OK) {
            hf_assert(deletion->out_looked_count > 0);
            done += deletion->out_looked_count;
            totals->out_trees_count += deletion->out_trees_count;
            totals->out_deleted_count += deletion->out_deleted_count;
        }
        hf__submission_release(&submission);
    }
    return status;
}

static hf_status delete_many(hf_cursor *cursor, uint64_t limit,
                             struct hf_store_delete_ended *totals, hf_error *error)
{
    struct hf_instance_run runs[LIST_MAX];
    hf_status status = HF_OK;
    size_t max = LIST_MAX, count = LIST_MAX;
    while (status == HF_OK && count == max && totals->out_trees_count < limit) {
        uint64_t left = limit - totals->out_trees_count;
        max = left < LIST_MAX ? (size_t)left : LIST_MAX;
        count = list_fill(cursor, &hf__source_ended_roots, max, runs);
        status = list_delete(cursor->store, runs, count, totals, error);
    }
    return status;
}

hf_status hf_delete_many(hf_store *store, const hf_query *query, uint64_t *out_count,
                         hf_error *error)
{
    hf_query own;
    hf_cursor *cursor = NULL;
    struct hf_store_delete_ended totals = { .count = 0 };
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_options_copy(&own, sizeof own, query, error);
    if (status != HF_OK) return status;
    uint64_t limit = own.limit ? own.limit : DELETE_MANY_LIMIT;
    own.limit = 0;
    status = hf_query_open(store, &own, &cursor, error);
    if (status != HF_OK) return status;
    status = cursor_end(cursor, delete_many(cursor, limit, &totals, error), error);
    if (status == HF_OK && out_count) *out_count = totals.out_deleted_count;
    return status;
}

/* ---- pruning -------------------------------------------------------------------------------- */

/* Has the list pruned, command by command. */
static hf_status list_prune(hf_store *store, const struct hf_store_prune *list,
                            uint64_t *executions_count, hf_error *error)
{
    hf_status status = HF_OK;
    for (size_t done = 0; status == HF_OK && done < list->count;) {
        struct hf__submission submission;
        hf__submission_init(&submission, store->heap, HF_STORE_PRUNE);
        submission.of_client = true;
        struct hf_store_prune *prune = &submission.command.prune;
        *prune = *list;
        prune->runs += done;
        prune->count -= done;
        status = hf__store_call(store, &submission, error);
        if (status == HF_OK) {
            hf_assert(prune->out_looked_count > 0 || prune->out_executions_count > 0);
            done += prune->out_looked_count;
            *executions_count += prune->out_executions_count;
        }
        hf__submission_release(&submission);
    }
    return status;
}

static hf_status prune(hf_cursor *cursor, const hf_prune_options *options,
                       uint64_t *executions_count, hf_error *error)
{
    struct hf_instance_run runs[LIST_MAX];
    struct hf_store_prune list = { .runs = runs,
                                   .count = LIST_MAX,
                                   .keep_last = options->keep_last,
                                   .ended_until_unix_ms = options->ended_until_unix_ms };
    hf_status status = HF_OK;
    while (status == HF_OK && list.count == LIST_MAX) {
        list.count = list_fill(cursor, &hf__source_runs, LIST_MAX, runs);
        status = list_prune(cursor->store, &list, executions_count, error);
    }
    return status;
}

hf_status hf_prune(hf_store *store, const hf_prune_options *options, uint64_t *out_count,
                   hf_error *error)
{
    hf_prune_options own;
    hf_cursor *cursor = NULL;
    uint64_t executions_count = 0;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_options_copy(&own, sizeof own, options, error);
    if (status != HF_OK) return status;
    const hf_query query = { .size = sizeof query, .instance = own.instance };
    status = hf_query_open(store, &query, &cursor, error);
    if (status != HF_OK) return status;
    status = cursor_end(cursor, prune(cursor, &own, &executions_count, error), error);
    if (status == HF_OK && out_count) *out_count = executions_count;
    return status;
}
