/* Release of sessions by their owner: in order, when idle or when it stops.
 *
 * Released is what the registration holds with that epoch and in which nothing runs. An idle
 * release (any reason but shutdown) is refused also when work is queued: it was committed before,
 * also earlier in this very group, and its owner shall do it with its memory warm. At shutdown
 * queued work moves with the session to whoever claims it next. */
#include "logstore/command.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "logstore/lease.h"
#include "logstore/token.h"

/* What a release has found so far. */
struct release {
    const struct hf_store_release_sessions *asked;
    struct hf_released_session *freed; /* those that can be released */
    size_t freed_count;
    struct hf_void *voids;
    size_t voids_count;
};

/* Whether an earlier one of the list is the same session: it would be released twice. */
static bool release_has(const struct release *self, const struct hf_session_claim *claim)
{
    for (size_t i = 0; i < self->freed_count; i++) {
        const struct hf_released_session *former = &self->freed[i];
        if (former->instance == claim->instance && former->incarnation == claim->incarnation) {
            return true;
        }
    }
    return false;
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
    if (!code && release_has(self, claim)) code = HF__VOID_EPOCH;
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
    if (!self.freed || !self.voids) {
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
