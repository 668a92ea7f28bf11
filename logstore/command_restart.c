/* Restarting what has ended. Who restarts has read its history and says what is pending there; here
 * it is checked that nothing came in between, and that nothing of its end is left to be cleared up.
 */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "logstore/command.h"

/* Whether rows of the instance, or of a session of it, wait for reclaim: they would be taken for
 * those of the next execution. */
static hf_status check_cleared(struct hf__step *step, const struct hf_row_instance *instance)
{
    static const enum hf_reclaim_kind kinds[] = { HF_RECLAIM_INSTANCE, HF_RECLAIM_SESSION };
    uint64_t number = instance->number;
    for (size_t i = 0; i < HF_COUNT_OF(kinds); i++) {
        struct hf_reclaim_place place = { kinds[i], number - 1, HF_KEY_PART_MAX };
        hf_status status = hf_reclaim_next(step->tables, &place, step->error);
        if (status == HF_NOT_FOUND) continue;
        if (status != HF_OK) return status;
        if (place.kind != kinds[i] || place.number != number) continue;
        return hf_error_set(step->error, HF_BUSY,
                            "what instance \"" HF_FMT "\" had is being cleared up: try again soon",
                            HF_ARG(instance->id));
    }
    return HF_OK;
}

static hf_status check_instance(struct hf__step *step, const struct hf_store_restart *restart,
                                struct hf_row_instance *out_instance)
{
    const struct hf_restarted *restarted = restart->restarted;
    hf_status status = hf_instance_find(step->tables, restart->id, out_instance, step->error);
    if (status == HF_NOT_FOUND) {
        return hf_error_set(step->error, HF_NOT_FOUND, "there is no instance \"" HF_FMT "\"",
                            HF_ARG(restart->id));
    }
    if (status != HF_OK) return status;
    if (!hf_instance_has_ended(out_instance)) {
        return hf_error_set(step->error, HF_STILL_RUNNING,
                            "instance \"" HF_FMT "\" has not ended: only what has can be restarted",
                            HF_ARG(restart->id));
    }
    if (restarted->instance != out_instance->number ||
        restarted->execution != out_instance->execution) {
        hf_error_set(step->error, HF_STALE,
                     "instance \"" HF_FMT "\" has been restarted since it was read",
                     HF_ARG(restart->id));
        hf_error_code(step->error, "restarted");
        return HF_STALE;
    }
    return check_cleared(step, out_instance);
}

hf_status hf__command_restart(struct hf__step *step, const struct hf_store_restart *restart)
{
    const struct hf_turn_event *answers = restart->answers.items;
    struct hf_row_instance instance;
    hf_assert(restart->restarted);
    hf_status status = check_instance(step, restart, &instance);
    if (status != HF_OK) return status;
    status = hf__step_append(step, HF_RECORD_RESTARTED, restart->restarted, NULL);
    for (size_t i = 0; status == HF_OK && i < restart->answers.count; i++) {
        struct hf_message_record message = { .instance = instance.number,
                                             .body = answers[i].body,
                                             .execution = instance.execution + 1 };
        status = hf__step_append(step, HF_RECORD_MESSAGE, &message, NULL);
    }
    return status;
}
