/* Commands of the loop thread. */
#include "runtime/task.h"

#include "engine/base/assert.h"
#include "runtime/runtime.h"

static void task_done(struct hf__submission *submission)
{
    struct hf__task *self = submission->user;
    uv_mutex_lock(&self->runtime->mutex);
    hf_assert(self->is_busy && !self->is_answered);
    self->is_answered = true;
    hf__runtime_wake(self->runtime, self->wake);
    uv_mutex_unlock(&self->runtime->mutex);
}

void hf__task_init(struct hf__task *self, hf_runtime *runtime, uint32_t wake)
{
    *self = (struct hf__task){ .runtime = runtime, .wake = wake };
    hf__submission_init(&self->submission, runtime->heap, HF_STORE_RECLAIM);
    self->submission.done = task_done;
    self->submission.user = self;
}

void hf__task_release(struct hf__task *self)
{
    hf_assert(!self->is_busy);
    hf__submission_release(&self->submission);
}

bool hf__task_prepare(struct hf__task *self, enum hf_store_command_kind kind)
{
    uv_mutex_lock(&self->runtime->mutex);
    bool is_busy = self->is_busy;
    uv_mutex_unlock(&self->runtime->mutex);
    if (is_busy) return false;
    hf__submission_reset(&self->submission, kind);
    return true;
}

void hf__task_submit(struct hf__task *self)
{
    uv_mutex_lock(&self->runtime->mutex);
    hf_assert(!self->is_busy);
    self->is_busy = true;
    self->is_answered = false;
    hf__runtime_submit(self->runtime, &self->submission);
    uv_mutex_unlock(&self->runtime->mutex);
}

bool hf__task_take_answer(struct hf__task *self)
{
    uv_mutex_lock(&self->runtime->mutex);
    bool is_answered = self->is_answered;
    if (is_answered) self->is_busy = self->is_answered = false;
    uv_mutex_unlock(&self->runtime->mutex);
    return is_answered;
}
