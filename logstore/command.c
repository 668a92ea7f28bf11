/* Dispatch of commands, and the checks that several of them share. It knows no record and no row.
 *
 * A command is check, then write. Checking only reads, and each refusal has a status, or a code of
 * its own beside HF_STALE, and a message that says what, where and what to do. What is written is
 * one record or a few, and soft rows (leases, locks of turns), which no record tells of. */
#include "logstore/command.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"

hf_status hf__check_optional_name(struct hf__step *step, const char *what, hf_slice text)
{
    hf_assert(what);
    if (text.size == 0) return HF_OK;
    if (text.size > HF_ID_SIZE_MAX) {
        return hf_error_set(step->error, HF_INVALID, "%s of %zu bytes: at most %d are allowed",
                            what, text.size, HF_ID_SIZE_MAX);
    }
    if (!hf_slice_is_utf8(text) || memchr(text.data, 0, text.size)) {
        return hf_error_set(step->error, HF_INVALID, "%s: its bytes are no UTF-8 text without NUL",
                            what);
    }
    return HF_OK;
}

hf_status hf__check_name(struct hf__step *step, const char *what, hf_slice text)
{
    if (text.size > 0) return hf__check_optional_name(step, what, text);
    return hf_error_set(step->error, HF_INVALID, "%s is empty: give 1 to %d bytes", what,
                        HF_ID_SIZE_MAX);
}

hf_status hf__check_body(struct hf__step *step, const char *what, hf_slice body)
{
    hf_assert(what);
    if (body.size > 0) return HF_OK;
    return hf_error_set(step->error, HF_INVALID, "%s has no bytes: an event body is never empty",
                        what);
}

hf_status hf__command_run(struct hf__step *step, struct hf_store_command *command)
{
    hf_assert(step && command && !step->is_read);
    hf_assert(step->error);
    switch (command->kind) {
    case HF_STORE_START: return hf__command_start(step, &command->start);
    case HF_STORE_MESSAGE: return hf__command_message(step, &command->message);
    case HF_STORE_TERMINATE: return hf__command_terminate(step, &command->terminate);
    case HF_STORE_DELETE: return hf__command_delete(step, &command->delete_instance);
    case HF_STORE_SUSPEND: return hf__command_suspend(step, &command->suspend);
    case HF_STORE_RESTART: return hf__command_restart(step, &command->restart);
    case HF_STORE_DELETE_ENDED: return hf__command_delete_ended(step, &command->delete_ended);
    case HF_STORE_PRUNE: return hf__command_prune(step, &command->prune);
    case HF_STORE_FAIL_TURN: return hf__command_fail_turn(step, &command->fail_turn);
    case HF_STORE_REGISTER: return hf__command_register(step, &command->register_worker);
    case HF_STORE_END_REGISTRATION:
        return hf__command_end_registration(step, &command->end_registration);
    case HF_STORE_RECLAIM: return hf__command_reclaim(step, &command->reclaim);
    case HF_STORE_RENEW: return hf__command_renew(step, &command->renew, command->arena);
    case HF_STORE_FETCH_TURNS:
        return hf__command_fetch_turns(step, &command->fetch_turns, command->arena);
    case HF_STORE_COMMIT_TURN: return hf__command_commit_turn(step, &command->commit_turn);
    case HF_STORE_ABANDON_TURN: return hf__command_abandon_turn(step, &command->abandon_turn);
    case HF_STORE_FETCH_ITEMS:
        return hf__command_fetch_items(step, &command->fetch_items, command->arena);
    case HF_STORE_COMPLETE_ITEM: return hf__command_complete_item(step, &command->complete_item);
    case HF_STORE_ABANDON_ITEM: return hf__command_abandon_item(step, &command->abandon_item);
    case HF_STORE_REPORT: return hf__command_report(step, &command->report);
    case HF_STORE_RELEASE_SESSIONS:
        return hf__command_release_sessions(step, &command->release_sessions, command->arena);
    case HF_STORE_FIRE_TIMERS: return hf__command_fire_timers(step, &command->fire_timers);
    default: break;
    }
    return hf_error_set(step->error, HF_INVALID, "command kind %d: there is none of that number",
                        (int)command->kind);
}
