/* Pruning: the history of former executions goes, from the first one on. The present execution,
 * whatever its state, values, custom status and the rest of the instance stay. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/apply.h"
#include "logstore/command.h"
#include "logstore/log.h"

/* How far an instance may be pruned in this transaction. */
struct reach {
    uint64_t execution; /* the last one that goes; that of its row: none */
    uint64_t events_count;
    bool is_cut; /* more would go, and the bound of events is reached */
};

/* Whether an execution ended early enough to go; and how many events it has. */
static hf_status execution_look(struct hf__step *step, const struct hf_store_prune *prune,
                                const struct hf_item_id *execution, uint64_t *out_events_count,
                                bool *out_goes)
{
    struct hf_item_id last;
    struct hf_ref ref;
    uint64_t ended_unix_ms = 0;
    hf_status status = hf_history_last(step->tables, execution, &last, &ref, step->error);
    if (status != HF_OK) return status;
    *out_events_count = last.event_id;
    *out_goes = true;
    if (prune->ended_until_unix_ms == 0) return HF_OK;
    status = hf_log_wall_time(step->tables, ref.lsn, &ended_unix_ms, step->error);
    *out_goes = ended_unix_ms <= prune->ended_until_unix_ms;
    return status;
}

/* At least one execution goes, if any may, however long it is: histories have a limit of their own.
 */
static hf_status reach_find(struct hf__step *step, const struct hf_store_prune *prune,
                            const struct hf_row_instance *row, struct reach *out_reach)
{
    uint64_t kept_count = prune->keep_last > 1 ? prune->keep_last : 1;
    uint64_t until = row->execution > kept_count ? row->execution - kept_count : 0;
    struct reach reach = { .execution = row->pruned };
    for (uint64_t next = row->pruned + 1; next <= until; next++) {
        struct hf_item_id execution = { row->number, next, 0 };
        uint64_t events_count = 0;
        bool goes = false;
        hf_status status = execution_look(step, prune, &execution, &events_count, &goes);
        if (status != HF_OK) return status;
        if (!goes) break;
        reach.is_cut = prune->out_events_count + reach.events_count >= HF_PURGE_MAX;
        if (reach.is_cut) break;
        reach.execution = next;
        reach.events_count += events_count;
    }
    hf_assert(reach.execution < row->execution);
    *out_reach = reach;
    return HF_OK;
}

static hf_status instance_prune(struct hf__step *step, uint64_t number,
                                struct hf_store_prune *prune, bool *out_is_cut)
{
    struct hf_row_instance row;
    struct reach reach;
    hf_status status = hf_instance_get(step->tables, number, &row, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status == HF_OK) status = reach_find(step, prune, &row, &reach);
    if (status != HF_OK) return status;
    *out_is_cut = reach.is_cut;
    if (reach.execution == row.pruned) return HF_OK;
    struct hf_pruned record = { .instance = number, .execution = reach.execution };
    status = hf__step_append(step, HF_RECORD_PRUNED, &record, NULL);
    if (status != HF_OK) return status;
    prune->out_events_count += reach.events_count;
    prune->out_executions_count += reach.execution - row.pruned;
    return HF_OK;
}

hf_status hf__command_prune(struct hf__step *step, struct hf_store_prune *prune)
{
    bool is_cut = false;
    prune->out_looked_count = 0;
    prune->out_executions_count = prune->out_events_count = 0;
    while (prune->out_looked_count < prune->count && !is_cut) {
        struct hf_arena_mark mark = hf_arena_mark(step->arena);
        hf_status status = instance_prune(step, prune->runs[prune->out_looked_count].instance,
                                          prune, &is_cut);
        hf_arena_reset_to(step->arena, mark);
        if (status != HF_OK) return status;
        if (!is_cut) prune->out_looked_count++;
    }
    return HF_OK;
}
