/* Timers that are due. A timer's row says whether it becomes a message of its instance or puts an
 * item back in its queue; the fold does either. The wall clock decides, and only here. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "indexes/queries.h"

hf_status hf__command_fire_timers(struct hf__step *step, struct hf_store_fire_timers *fire)
{
    fire->out_fired_count = 0;
    while (fire->out_fired_count < fire->timers_max) {
        /* Each search begins anew, for what is fired is gone from the table. */
        struct hf_timer_place place = { 0 };
        struct hf_row_timer row;
        hf_status status = hf_timers_next(step->tables, &place, &row, step->error);
        if (status == HF_NOT_FOUND) break;
        if (status != HF_OK) return status;
        if (place.due_unix_ms > step->now_wall_unix_ms) break;
        struct hf_timer_fired record = { .timer = place.id, .due_unix_ms = place.due_unix_ms };
        status = hf__step_append(step, HF_RECORD_TIMER_FIRED, &record, NULL);
        if (status != HF_OK) return status;
        fire->out_fired_count++;
    }
    hf_assert(fire->out_fired_count <= fire->timers_max);
    return HF_OK;
}
