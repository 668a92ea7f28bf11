/* Recovery of sessions. The policy stands in the event that opened the session, whose bytes come
 * with the first delivery of a claim; it asks for something when the session was owned before,
 * whatever became of that owner.
 *
 * A rebuild is no delivery: the store knows nothing of it, and nothing is sent when it ends. It has
 * a slot and a thread like an activity, counts as work of its claim, and is told to stop like one.
 * What is delivered meanwhile waits in a line of its claim and holds no thread; so that it does not
 * hold all slots either, more than half of them are not given to it.
 *
 * Laws:
 *   1. One rebuild runs in a claim at a time, and none after one that returned HF_OK. One that
 *      failed is repeated for what is scheduled after the claim: nothing runs on a memory that was
 *      not rebuilt.
 *   2. What waits is held: presented, voided and handed back like what is queued.
 *   3. Whoever stops a rebuild takes care of what waits for it. */
#include "runtime/recovery.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/slice.h"
#include "engine/execution.h"
#include "runtime/runtime.h"

/* ---- the policy ----------------------------------------------------------------------------- */

/* Reads the policy of a claim that was somebody's before. An event that cannot be read says
 * nothing: then activities move, cold, as they do without a policy. */
static enum hf__recovery policy_of(const struct hf__claim *claim, const hf_allocator *heap,
                                   struct hf_session_policy *out_policy)
{
    struct hf_arena arena;
    hf_arena_init(&arena, heap);
    hf_status status = hf_body_read_session(claim->opening, &arena, out_policy, NULL);
    hf_arena_release(&arena);
    if (status != HF_OK || out_policy->recovery == HF_SESSION_MOVE) return HF__RECOVERY_NONE;
    return out_policy->recovery == HF_SESSION_FAIL ? HF__RECOVERY_FAILS : HF__RECOVERY_DUE;
}

/* ---- failing -------------------------------------------------------------------------------- */

static void fail_lost(struct hf_activity *activity)
{
    const struct hf__claim *claim = activity->claim;
    const char *from = claim->from[0] ? claim->from : "(not known any more)";
    hf_error failure;
    if (claim->recovery == HF__RECOVERY_FAILED) {
        hf_error_set(&failure, HF_SESSION_LOST,
                     "session %s went from worker %s to %s, and rebuilding it failed: %s",
                     claim->session, from, activity->runtime->worker_id, claim->failure);
    } else {
        hf_error_set(&failure, HF_SESSION_LOST,
                     "session %s was lost with its former worker %s, and with it what it had in "
                     "memory: bring the session up anew, then schedule again",
                     claim->session, from);
    }
    hf_error_code(&failure, "session_lost");
    hf__delivery_fail(activity, &failure);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void wait_add(struct hf_activity *activity)
{
    struct hf__claim *claim = activity->claim;
    activity->state = HF__ACTIVITY_WAITING;
    activity->next = NULL;
    if (claim->waiting_last) claim->waiting_last->next = activity;
    if (!claim->waiting_last) claim->waiting_first = activity;
    claim->waiting_last = activity;
    activity->runtime->activities.waiting_count++;
}

void hf__recovery_leave(struct hf_activity *activity)
{
    struct hf__claim *claim = activity->claim;
    struct hf_activity *previous = NULL;
    struct hf_activity *each = claim->waiting_first;
    hf_assert(activity->state == HF__ACTIVITY_WAITING);
    while (each != activity) {
        hf_assert(each);
        previous = each;
        each = each->next;
    }
    if (previous) previous->next = activity->next;
    if (!previous) claim->waiting_first = activity->next;
    if (claim->waiting_last == activity) claim->waiting_last = previous;
    activity->next = NULL;
    activity->state = HF__ACTIVITY_SENDING;
    hf_assert(activity->runtime->activities.waiting_count > 0);
    activity->runtime->activities.waiting_count--;
}

static void wait_or_go_back(struct hf_activity *activity)
{
    const struct hf__activities *activities = &activity->runtime->activities;
    if (activities->waiting_count < activities->shared_count / 2) {
        wait_add(activity);
    } else {
        hf__delivery_refuse(activity, HF_BUSY);
    }
}

/* ---- the rebuild ---------------------------------------------------------------------------- */

/* A key that no other claim's rebuild has, and no item. */
static const char *key_of(struct hf_activity *rebuild, const struct hf__claim *claim)
{
    enum { KEY_SIZE = HF_ID_SIZE_MAX + 80 };
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%s/%llu/rebuild/%llu/%llu", claim->instance,
             (unsigned long long)claim->key.instance, (unsigned long long)claim->key.incarnation,
             (unsigned long long)claim->key.epoch);
    return hf_arena_text(&rebuild->arena, hf_text(key));
}

/* What the function of a rebuild is told of itself. False: no memory. */
static bool rebuild_describe(struct hf_activity *rebuild, const struct hf_session_policy *policy,
                             const struct hf_activity *cause)
{
    const struct hf__claim *claim = rebuild->claim;
    hf_arena_reset(&rebuild->arena);
    rebuild->token = (struct hf_item_token){ .delivery_lsn = claim->key.epoch };
    rebuild->body = (hf_slice)HF_EMPTY;
    rebuild->input = policy->rebuild_input;
    rebuild->info = (hf_activity_info){ .size = sizeof rebuild->info,
                                        .instance = claim->instance,
                                        .activity = hf_arena_text(&rebuild->arena, policy->rebuild),
                                        .worker_id = rebuild->runtime->worker_id,
                                        .session = claim->session,
                                        .incarnation = claim->key.incarnation,
                                        .epoch = claim->key.epoch,
                                        .execution = cause->info.execution,
                                        .attempt = 1,
                                        .idempotency_key = key_of(rebuild, claim),
                                        .tag = claim->tag };
    return !rebuild->arena.failed;
}

/* Queues the rebuild of the claim of `cause`. False: no memory, and nothing was begun. */
static bool rebuild_begin(struct hf_activity *cause, const struct hf_session_policy *policy)
{
    hf_runtime *runtime = cause->runtime;
    struct hf__claim *claim = cause->claim;
    struct hf_activity *rebuild = hf__activity_take(runtime);
    rebuild->claim = claim;
    rebuild->is_rebuild = true;
    if (!rebuild_describe(rebuild, policy, cause)) {
        rebuild->state = HF__ACTIVITY_SENDING;
        hf__activity_settle(rebuild);
        return false;
    }
    hf__claims_item_began(&runtime->claims, claim);
    claim->recovery = HF__RECOVERY_RUNNING;
    hf__activity_queue(rebuild);
    return true;
}

/* The policy is read again when a rebuild that was handed back is due once more. */
static void rebuild_or_go_back(struct hf_activity *activity)
{
    struct hf_session_policy policy;
    (void)policy_of(activity->claim, activity->runtime->heap, &policy);
    if (rebuild_begin(activity, &policy)) {
        wait_add(activity);
    } else {
        hf__delivery_refuse(activity, HF_NO_MEMORY);
    }
}

void hf__recovery_learn(hf_runtime *runtime, struct hf__claim *claim)
{
    struct hf_session_policy policy;
    hf_assert(claim->recovery == HF__RECOVERY_NONE);
    claim->recovery = policy_of(claim, runtime->heap, &policy);
}

bool hf__recovery_takes(struct hf_activity *activity, const struct hf_item_grant *grant)
{
    struct hf__claim *claim = activity->claim;
    if (!claim) return false;
    switch (claim->recovery) {
    case HF__RECOVERY_FAILS:
        if (grant->is_older_than_claim) fail_lost(activity);
        return grant->is_older_than_claim;
    case HF__RECOVERY_FAILED:
        if (grant->is_older_than_claim) fail_lost(activity);
        if (!grant->is_older_than_claim) rebuild_or_go_back(activity);
        return true;
    case HF__RECOVERY_DUE: rebuild_or_go_back(activity); return true;
    case HF__RECOVERY_RUNNING: wait_or_go_back(activity); return true;
    case HF__RECOVERY_NONE:
    case HF__RECOVERY_DONE: break;
    }
    return false;
}

/* What waited goes on as the rebuild ended. */
static void waiting_settle(struct hf_activity *activity, hf_status found)
{
    hf__recovery_leave(activity);
    if (found != HF_OK) {
        hf__delivery_refuse(activity, found);
    } else if (activity->claim->recovery == HF__RECOVERY_FAILED) {
        fail_lost(activity);
    } else {
        hf__activity_queue(activity);
    }
}

static void failure_keep(struct hf__claim *claim, const struct hf_activity *rebuild)
{
    const hf_error *failure = &rebuild->failure;
    hf_assert(failure->status != HF_OK);
    snprintf(claim->failure, sizeof claim->failure, "activity %.100s: %.63s: %.200s",
             rebuild->info.activity, failure->code, failure->message);
}

void hf__recovery_ended(struct hf_activity *rebuild, hf_status found, hf_status returned)
{
    struct hf__claim *claim = rebuild->claim;
    hf_assert(rebuild->is_rebuild && claim->recovery == HF__RECOVERY_RUNNING);
    claim->recovery = found != HF_OK      ? HF__RECOVERY_DUE
                      : returned == HF_OK ? HF__RECOVERY_DONE
                                          : HF__RECOVERY_FAILED;
    if (claim->recovery == HF__RECOVERY_DONE) {
        hf__metrics_add(&rebuild->runtime->metrics, HF__SESSIONS_REBUILT, 1);
    }
    if (claim->recovery == HF__RECOVERY_FAILED) failure_keep(claim, rebuild);
    while (claim->waiting_first) waiting_settle(claim->waiting_first, found);
}

void hf__recovery_log(const struct hf_activity *rebuild, hf_status returned)
{
    const hf_error *failure = &rebuild->failure;
    hf_log_line line = { .level = returned == HF_OK ? HF_LOG_INFO : HF_LOG_WARN,
                         .event = "session.rebuild",
                         .lsn = rebuild->info.epoch,
                         .instance = rebuild->info.instance,
                         .session = rebuild->info.session,
                         .worker = rebuild->info.worker_id,
                         .activity = rebuild->info.activity };
    if (returned == HF_OK) {
        hf__log(rebuild->runtime->store->observer, &line, "rebuilt");
    } else {
        hf__log(rebuild->runtime->store->observer, &line, "not rebuilt: %s: %s", failure->code,
                failure->message);
    }
}
