/* Restarts of what has ended: anew, or from any event on. The engine reads the history and says
 * what is kept; the shadow believes it no more than it must: what was done before is not done again
 * unless the plan says so, and the output must be the same once more. */
#include <string.h>

#include "engine/base/heap.h"
#include "engine/event.h"
#include "engine/restart.h"
#include "tests/sim/sim.h"

/* ---- the command ----------------------------------------------------------------------------- */

/* How many messages the next execution will have taken or found, so that clients go on behind them.
 */
static uint32_t messages_found(struct sim *sim, const struct hf_turn_view *view, bool is_anew)
{
    hf_error error;
    struct hf_event event;
    struct program program;
    uint32_t count = 0;
    for (size_t i = 0; i < view->events_count; i++) {
        hf_status status = hf_event_decode(view->events[i].body, &sim->arena, &event, &error);
        sim_check(sim, status == HF_OK, "history: %s", error.message);
        if (i == 0) {
            sim_check(sim, event.payload.size == sizeof program, "the start has another input");
            memcpy(&program, event.payload.data, sizeof program);
            count = program.messages_count;
        }
        if (!is_anew && event.kind == HF_EVENT_MAILBOX_MESSAGE) count++;
    }
    return count;
}

static hf_status plan_make(struct sim *sim, const struct hf_instance_info *info, bool is_anew,
                           struct hf_restart_plan *plan, uint32_t *out_messages)
{
    hf_error error;
    struct hf_turn_view view;
    struct hf_item_id from = { info->number, info->execution, 1 };
    hf_status status = sim->backend->ops->turn_view(sim->backend, &from, &sim->arena, &view,
                                                    &error);
    sim_check(sim, status == HF_OK, "the history of an ended instance: %s", error.message);
    *out_messages = messages_found(sim, &view, is_anew);
    if (is_anew) {
        status = hf_restart_anew(&view, (hf_slice)HF_EMPTY, &sim->arena, plan, &error);
    } else {
        uint64_t event_id = hf_test_random_from(&sim->random, 1, view.events_count);
        /* As a requeue: from where that activity failed, or from the end. */
        if (hf_test_random_percent(&sim->random, 30)) {
            status = hf_restart_find_failure(&view, event_id, &sim->arena, &event_id, &error);
            sim_check(sim, status == HF_OK, "no failure is found: %s", error.message);
        }
        status = hf_restart_from(&view, event_id, info->version, &sim->arena, plan, &error);
    }
    sim_check(sim, status == HF_OK || status == HF_INVALID, "a restart cannot be planned: %s",
              error.message);
    return status;
}

void sim_restart_act(struct sim *sim)
{
    hf_error error;
    struct hf_instance_info info;
    struct sim_shadow *shadow = &sim->shadow;
    if (shadow->instances_count == 0) return;
    int index = (int)hf_test_random_below(&sim->random, shadow->instances_count);
    struct sim_instance *instance = &shadow->instances[index];
    if (instance->life != SIM_ENDED || instance->restarts_count == SIM_RESTARTS_MAX) return;
    hf_status status = sim->backend->ops->instance(sim->backend, hf_text(instance->id), &sim->arena,
                                                   &info, &error);
    sim_check(sim, status == HF_OK, "%s: %s", instance->id, error.message);
    struct hf_restart_plan *plan = hf_arena_new(&sim->arena, sizeof *plan);
    hf_assert(plan);
    bool is_anew = hf_test_random_percent(&sim->random, 30);
    uint32_t messages_count = 0;
    if (plan_make(sim, &info, is_anew, plan, &messages_count) != HF_OK) return;
    plan->restarted.execution = info.execution;
    struct sim_act *act = sim_act_add(sim, HF_STORE_RESTART);
    act->instance = index;
    act->messages_count = messages_count;
    act->command.restart = (struct hf_store_restart){ .id = info.id,
                                                      .restarted = &plan->restarted,
                                                      .answers = plan->answers };
    sim_note(sim, "a client restarts %s, keeping %llu events", instance->id,
             (unsigned long long)plan->restarted.events_kept);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static struct sim_item *item_add(struct sim *sim, const struct sim_item *row)
{
    struct sim_shadow *shadow = &sim->shadow;
    struct sim_item copy = *row; /* the array may move */
    struct sim_item *added = sim_grow((void **)&shadow->items, &shadow->items_count,
                                      &shadow->items_capacity, sizeof *added);
    *added = copy;
    return added;
}

/* What was scheduled in the part that is kept: its outcome stands there, or comes again. */
static void items_keep(struct sim *sim, const struct hf_restarted *restarted)
{
    size_t count = sim->shadow.items_count;
    for (size_t i = 0; i < count; i++) {
        struct sim_item kept = sim->shadow.items[i];
        if (kept.id.instance != restarted->instance) continue;
        if (kept.id.execution != restarted->execution) continue;
        if (kept.id.event_id > restarted->events_kept) continue;
        kept.id.execution++;
        kept.state = SIM_COMPLETED;
        kept.is_consumed = false;
        (void)item_add(sim, &kept);
    }
}

static void items_again(struct sim *sim, const struct hf_store_command *command)
{
    const struct hf_restarted *restarted = command->restart.restarted;
    const struct hf_turn_item *items = restarted->items.items;
    for (size_t i = 0; i < restarted->items.count; i++) {
        struct hf_item_id id = { restarted->instance, restarted->execution + 1, items[i].event_id };
        struct sim_item *item = sim_item_find(sim, &id);
        sim_check(sim, item, "an item is done again that nobody had scheduled");
        item->incarnation = items[i].incarnation;
        item->state = SIM_QUEUED;
        item->attempts = item->deaths = 0;
        item->progress[0] = '\0';
        item->registration = item->delivery_lsn = item->delivery_number = 0;
        item->has_start_limit = items[i].late_body.size > 0;
        item->scheduled_lsn = command->lsn;
        item->scheduled_number = i;
    }
}

static void sessions_again(struct sim *sim, const struct hf_restarted *restarted)
{
    const struct hf_turn_session *sessions = restarted->sessions.items;
    for (size_t i = 0; i < restarted->sessions.count; i++) {
        struct sim_session *session = sim_session_find(sim, restarted->instance,
                                                       sessions[i].incarnation);
        sim_check(sim, session && !session->is_open, "a session is open again that never was");
        session->is_open = true;
        session->owner = session->epoch = 0;
    }
}

void sim_restart_answer(struct sim *sim, struct sim_act *act)
{
    const struct hf_restarted *restarted = act->command.restart.restarted;
    struct sim_instance *instance = &sim->shadow.instances[act->instance];
    sim_check(sim, instance->life == SIM_ENDED && instance->execution == restarted->execution,
              "%s has not ended so, and is restarted", instance->id);
    instance->life = SIM_RUNNING;
    instance->execution++;
    instance->head = act->command.lsn;
    instance->turns_lost = instance->turn_deaths = 0;
    instance->consumed_lsn = 0; /* what comes again is named as it was */
    instance->sent_count = act->messages_count;
    instance->restarts_count++;
    sessions_again(sim, restarted);
    items_keep(sim, restarted);
    items_again(sim, &act->command);
    sim->result.restarts++;
}
