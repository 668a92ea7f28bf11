/* Release of sessions by their owner: in order, when idle or when it stops.
 *
 * Released is what the registration holds with that epoch and in which nothing runs. An idle
 * release (any reason but shutdown) is refused also when work is queued: it was committed before,
 * also earlier in this very group, and its owner shall do it with its memory warm. At shutdown
 * queued work moves with the session to whoever claims it next. */
#include "logstore/command.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* What a release has found so far. */
struct release {
    const struct hf_store_release_sessions *asked;
    bool *is_repeated;                 /* by index: an earlier one of the list is the same claim */
    struct hf_released_session *freed; /* those that can be released */
    size_t freed_count;
    struct hf_void *voids;
    size_t voids_count;
};

static bool same_claim(const struct hf_session_claim *a, const struct hf_session_claim *b)
{
    return a->instance == b->instance && a->incarnation == b->incarnation && a->epoch == b->epoch;
}

/* By claim, and of one claim by their place in the list. */
static int place_compare(const void *a, const void *b)
{
    const struct hf_session_claim *left = *(const struct hf_session_claim *const *)a;
    const struct hf_session_claim *right = *(const struct hf_session_claim *const *)b;
    if (left->instance != right->instance) return left->instance < right->instance ? -1 : 1;
    if (left->incarnation != right->incarnation) {
        return left->incarnation < right->incarnation ? -1 : 1;
    }
    if (left->epoch != right->epoch) return left->epoch < right->epoch ? -1 : 1;
    return (left > right) - (left < right);
}

/* Finds those that are named again: they would be released twice. False: no memory. */
static bool release_mark_repeated(struct hf__step *step, struct release *self)
{
    size_t count = self->asked->sessions_count;
    const struct hf_session_claim *sessions = self->asked->sessions;
    const struct hf_session_claim **places = (const struct hf_session_claim **)hf_arena_array(
        step->arena, count, sizeof *places);
    self->is_repeated = hf_arena_array(step->arena, count, sizeof *self->is_repeated);
    if (!places || !self->is_repeated) return false;
    for (size_t i = 0; i < count; i++) places[i] = &sessions[i];
    qsort((void *)places, count, sizeof *places, place_compare);
    for (size_t i = 1; i < count; i++) {
        if (same_claim(places[i - 1], places[i])) self->is_repeated[places[i] - sessions] = true;
    }
    return true;
}

/* Which work keeps a session that is held with its owner; NULL: none. */
static const char *work_code(const struct release *self, const struct hf_row_session *session)
{
    if (session->running_count > 0) return HF__VOID_RUNNING;
    if (self->asked->reason == HF_REASON_SHUTDOWN) return NULL;
    return session->ready_count + session->delayed_count > 0 ? HF__VOID_QUEUED : NULL;
}

static hf_status release_judge(struct hf__step *step, struct release *self, size_t index)
{
    const struct hf_session_claim *claim = &self->asked->sessions[index];
    struct hf__claim_verdict verdict;
    hf_status status = hf__claim_check(step, claim, self->asked->registration, &verdict);
    if (status != HF_OK) return status;
    const char *code = verdict.code;
    if (!code) code = work_code(self, &verdict.session);
    if (!code && self->is_repeated[index]) code = HF__VOID_EPOCH;
    if (code) {
        self->voids[self->voids_count++] = (struct hf_void){ .is_session = true,
                                                             .index = index,
                                                             .code = code };
        return HF_OK;
    }
    self->freed[self->freed_count++] = (struct hf_released_session){
        .instance = claim->instance, .incarnation = claim->incarnation, .epoch = claim->epoch
    };
    return HF_OK;
}

hf_status hf__command_release_sessions(struct hf__step *step,
                                       struct hf_store_release_sessions *release,
                                       struct hf_arena *out)
{
    hf_assert(out);
    size_t count = release->sessions_count;
    hf_status status = hf__registration_check(step, release->registration, NULL);
    if (status != HF_OK) return status;
    if (release->reason != HF_REASON_RELEASED && release->reason != HF_REASON_SHUTDOWN) {
        return hf_error_set(step->error, HF_INVALID,
                            "sessions cannot be released with reason %llu: they are released, or "
                            "their worker shuts down",
                            (unsigned long long)release->reason);
    }
    struct release self = { .asked = release };
    self.freed = hf_arena_array(step->arena, count, sizeof *self.freed);
    self.voids = hf_arena_array(out, count, sizeof *self.voids);
    if (!self.freed || !self.voids || !release_mark_repeated(step, &self)) {
        return hf_error_set(step->error, HF_NO_MEMORY, "no memory to release %zu sessions", count);
    }
    for (size_t i = 0; i < count && status == HF_OK; i++) status = release_judge(step, &self, i);
    if (status == HF_OK && self.freed_count > 0) {
        struct hf_sessions_released record = {
            .registration = release->registration,
            .reason = release->reason,
            .sessions = { self.freed, self.freed_count },
        };
        status = hf__step_append(step, HF_RECORD_SESSIONS_RELEASED, &record, NULL);
    }
    if (status != HF_OK) return status;
    release->out_voids = self.voids;
    release->out_voids_count = self.voids_count;
    return HF_OK;
}
