/* The queue and the thread that empties it. Not the transaction: that is the store's `commit`; not
 * the meaning of any command.
 *
 * Two queues, each first in, first out. Commands of runtimes go first: they are few (bounded by
 * slots of work), and a renewal must not wait behind thousands of client commands; yet a quarter of
 * each group is kept for clients, and its first one has a place whatever its size. Group bounds are
 * those of the header. Nothing waits to make a group larger: while one is being committed the next
 * one gathers, so groups grow with the load.
 *
 * The mutex guards the queues, the counts and the state of each submission; it is never held during
 * a callback or a commit. */
#include "runtime/committer.h"

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/log.h"
#include "runtime/thread.h"

enum { OF_RUNTIMES_MAX = HF__GROUP_COMMANDS_MAX / 4 * 3 };

/* A command is found back from what the store is given. */
_Static_assert(offsetof(struct hf__submission, command) == 0, "the command comes first");

struct queue {
    struct hf__submission *first, *last;
};

struct hf__committer_group {
    struct hf__committer *committer;
    struct hf_batch batch;
    size_t size;         /* of the arenas of what was taken */
    size_t joined_count; /* behind those that were taken */
    bool is_asking;      /* want runs: join is allowed */
    struct hf_store_command *commands[HF__GROUP_COMMANDS_MAX + HF__GROUP_JOINED_MAX];
};

struct hf__committer {
    struct hf__committer_options options;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t work; /* something is queued, or it is closing */
    bool is_closing;
    bool has_failed; /* the store said so, and the log was told */
    struct queue of_runtimes, of_clients;
    size_t pending_count;               /* queued or in a group */
    size_t clients_count, clients_size; /* of them, those of clients */
    struct hf__committer_group group;
};

/* ---- submissions ---------------------------------------------------------------------------- */

void hf__submission_init(struct hf__submission *self, const hf_allocator *heap,
                         enum hf_store_command_kind kind)
{
    *self = (struct hf__submission){ .command.kind = kind };
    hf_arena_init(&self->arena, heap);
    self->command.arena = &self->arena;
}

void hf__submission_release(struct hf__submission *self)
{
    hf_assert(self->state == HF__SUBMISSION_IDLE);
    hf_arena_release(&self->arena);
}

hf_status hf__submission_answer(const struct hf__submission *self, hf_error *error)
{
    const struct hf_store_command *command = &self->command;
    hf_assert(self->state == HF__SUBMISSION_IDLE);
    if (command->status == HF_OK) return HF_OK;
    if (command->error.status != command->status) {
        return hf_error_set(error, command->status, "the store answered %s",
                            hf_status_name(command->status));
    }
    if (error) *error = command->error;
    return command->status;
}

void hf__submission_reset(struct hf__submission *self, enum hf_store_command_kind kind)
{
    hf_assert(self->state == HF__SUBMISSION_IDLE);
    hf_arena_reset(&self->arena);
    self->command = (struct hf_store_command){ .kind = kind, .arena = &self->arena };
}

/* ---- the queue ------------------------------------------------------------------------------ */

static void queue_add(struct queue *queue, struct hf__submission *submission)
{
    submission->next = NULL;
    submission->previous = queue->last;
    if (queue->last) queue->last->next = submission;
    if (!queue->last) queue->first = submission;
    queue->last = submission;
}

static void queue_remove(struct queue *queue, struct hf__submission *submission)
{
    struct hf__submission *next = submission->next;
    struct hf__submission *previous = submission->previous;
    if (previous) hf_assert(previous->next == submission);
    if (!previous) hf_assert(queue->first == submission);
    if (previous) previous->next = next;
    if (!previous) queue->first = next;
    if (next) next->previous = previous;
    if (!next) queue->last = previous;
    submission->next = NULL;
    submission->previous = NULL;
}

static struct queue *queue_of(struct hf__committer *self, const struct hf__submission *submission)
{
    return submission->of_client ? &self->of_clients : &self->of_runtimes;
}

/* Under the mutex. */
static void pending_add(struct hf__committer *self, const struct hf__submission *submission)
{
    self->pending_count++;
    if (!submission->of_client) return;
    self->clients_count++;
    self->clients_size += submission->size;
}

/* Under the mutex. */
static void pending_remove(struct hf__committer *self, const struct hf__submission *submission)
{
    hf_assert(self->pending_count > 0);
    self->pending_count--;
    if (!submission->of_client) return;
    hf_assert(self->clients_count > 0 && self->clients_size >= submission->size);
    self->clients_count--;
    self->clients_size -= submission->size;
}

/* Whether the queue takes the submission; under the mutex. */
static hf_status submit_check(const struct hf__committer *self,
                              const struct hf__submission *submission, hf_error *error)
{
    if (self->is_closing) {
        return hf_error_set(error, HF_CLOSED, "the store is being closed: open it again");
    }
    if (!submission->of_client) return HF_OK;
    if (self->clients_count >= self->options.in_flight_max) {
        return hf_error_set(error, HF_BUSY,
                            "%zu commands are in flight, which is the limit: wait for some",
                            self->clients_count);
    }
    size_t size_max = self->options.in_flight_size_max;
    size_t room = self->clients_size < size_max ? size_max - self->clients_size : 0;
    if (submission->size > room && self->clients_count > 0) {
        return hf_error_set(error, HF_BUSY,
                            "commands of %zu bytes are in flight, this one of %zu would pass the "
                            "limit: wait for some",
                            self->clients_size, submission->size);
    }
    return HF_OK;
}

hf_status hf__committer_submit(struct hf__committer *self, struct hf__submission *submission,
                               hf_error *error)
{
    hf_assert(submission->done);
    uv_mutex_lock(&self->mutex);
    hf_assert(submission->state == HF__SUBMISSION_IDLE);
    submission->size = submission->arena.total_size;
    hf_status status = submit_check(self, submission, error);
    if (status == HF_OK) {
        submission->state = HF__SUBMISSION_QUEUED;
        queue_add(queue_of(self, submission), submission);
        pending_add(self, submission);
        uv_cond_signal(&self->work);
    }
    uv_mutex_unlock(&self->mutex);
    return status;
}

bool hf__committer_withdraw(struct hf__committer *self, struct hf__submission *submission)
{
    uv_mutex_lock(&self->mutex);
    bool is_queued = submission->state == HF__SUBMISSION_QUEUED;
    if (is_queued) {
        queue_remove(queue_of(self, submission), submission);
        pending_remove(self, submission);
        submission->state = HF__SUBMISSION_IDLE;
    }
    uv_mutex_unlock(&self->mutex);
    return is_queued;
}

size_t hf__committer_pending(struct hf__committer *self)
{
    uv_mutex_lock(&self->mutex);
    size_t count = self->pending_count;
    uv_mutex_unlock(&self->mutex);
    return count;
}

bool hf__committer_is_self(const struct hf__committer *self)
{
    uv_thread_t caller = uv_thread_self();
    return uv_thread_equal(&caller, &self->thread) != 0;
}

/* ---- a group -------------------------------------------------------------------------------- */

/* Puts a command at the end of the group, unanswered. Under the mutex. */
static void group_add(struct hf__committer_group *group, struct hf__submission *submission)
{
    hf_assert(group->batch.count < HF_COUNT_OF(group->commands));
    submission->state = HF__SUBMISSION_TAKEN;
    submission->command.status = HF_UNKNOWN;
    hf_error_clear(&submission->command.error);
    group->commands[group->batch.count++] = &submission->command;
}

/* Moves the first of the queue into the group. Under the mutex. */
static void group_take_first(struct hf__committer_group *group, struct queue *queue)
{
    struct hf__submission *first = queue->first;
    group->size += first->size;
    queue_remove(queue, first);
    group_add(group, first);
}

/* Moves what fits from the queue, until the group holds count_max. Under the mutex. */
static void group_take_from(struct hf__committer_group *group, struct queue *queue,
                            size_t count_max)
{
    while (queue->first && group->batch.count < count_max) {
        const struct hf__submission *first = queue->first;
        bool fits = first->size <= HF__GROUP_SIZE_MAX &&
                    group->size <= HF__GROUP_SIZE_MAX - first->size;
        if (!fits && group->batch.count > 0) return;
        group_take_first(group, queue);
    }
}

/* Waits for work and takes a group of it; false: closing, and nothing is left. */
static bool group_take(struct hf__committer *self)
{
    struct hf__committer_group *group = &self->group;
    group->batch = (struct hf_batch){ .commands = group->commands };
    group->size = 0;
    group->joined_count = 0;
    uv_mutex_lock(&self->mutex);
    while (self->pending_count == 0 && !self->is_closing) uv_cond_wait(&self->work, &self->mutex);
    group_take_from(group, &self->of_runtimes, OF_RUNTIMES_MAX);
    /* Whatever its size: with runtimes in every group a large one would never fit, and those behind
     * it would wait with it. */
    if (self->of_clients.first) group_take_first(group, &self->of_clients);
    group_take_from(group, &self->of_clients, HF__GROUP_COMMANDS_MAX);
    group_take_from(group, &self->of_runtimes, HF__GROUP_COMMANDS_MAX);
    uv_mutex_unlock(&self->mutex);
    return group->batch.count > 0;
}

bool hf__committer_join(struct hf__committer_group *group, struct hf__submission *submission)
{
    struct hf__committer *self = group->committer;
    hf_assert(group->is_asking);
    hf_assert(submission->done && !submission->of_client);
    if (group->joined_count == HF__GROUP_JOINED_MAX) return false;
    uv_mutex_lock(&self->mutex);
    hf_assert(submission->state == HF__SUBMISSION_IDLE);
    submission->size = 0;
    pending_add(self, submission);
    group_add(group, submission);
    uv_mutex_unlock(&self->mutex);
    group->joined_count++;
    return true;
}

/* hf_batch.more: the eager hand-over. What a turn scheduled is delivered by the transaction that
 * committed the turn. */
static void group_more(void *self, struct hf_batch *batch)
{
    struct hf__committer_group *group = self;
    hf_assert(batch == &group->batch);
    group->is_asking = true;
    hf__effects_want(group->committer->options.effects, batch->effects, group);
    group->is_asking = false;
}

static void committer_log_failure(struct hf__committer *self, const hf_error *error)
{
    if (self->has_failed || !self->options.log) return;
    const hf_log_line line = { .size = sizeof line,
                               .level = HF_LOG_ERROR,
                               .event = "store.failed",
                               .lsn = error->lsn,
                               .message = error->message };
    self->has_failed = true;
    self->options.log(self->options.log_self, &line);
}

static void group_commit(struct hf__committer *self)
{
    struct hf_backend *backend = self->options.backend;
    struct hf_batch *batch = &self->group.batch;
    hf_error error = { 0 };
    batch->more = group_more;
    batch->self = &self->group;
    hf_status status = backend->ops->commit(backend, batch, &error);
    hf_assert(batch->commands == self->group.commands);
    if (status == HF_OK) return;
    batch->effects = 0;
    committer_log_failure(self, &error);
}

/* Answers each command, in order, then tells what changed. Counts go down first, so that done may
 * submit again. */
static void group_answer(struct hf__committer *self)
{
    struct hf_batch *batch = &self->group.batch;
    uint32_t effects = batch->effects;
    uv_mutex_lock(&self->mutex);
    for (size_t i = 0; i < batch->count; i++) {
        struct hf__submission *submission = (struct hf__submission *)batch->commands[i];
        hf_assert(submission->state == HF__SUBMISSION_TAKEN);
        submission->state = HF__SUBMISSION_IDLE;
        pending_remove(self, submission);
    }
    uv_mutex_unlock(&self->mutex);

    for (size_t i = 0; i < batch->count; i++) {
        struct hf__submission *submission = (struct hf__submission *)batch->commands[i];
        submission->done(submission);
    }
    hf__effects_tell(self->options.effects, effects);
}

static void committer_run(void *argument)
{
    struct hf__committer *self = argument;
    while (group_take(self)) {
        group_commit(self);
        group_answer(self);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

hf_status hf__committer_new(const struct hf__committer_options *options,
                            struct hf__committer **out_committer, hf_error *error)
{
    hf_assert(options->backend && options->effects);
    struct hf__committer *self = hf_heap_new(options->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for the committer");
    self->options = *options;
    self->group.committer = self;
    if (self->options.in_flight_max == 0) self->options.in_flight_max = HF__IN_FLIGHT_MAX;
    if (self->options.in_flight_size_max == 0) {
        self->options.in_flight_size_max = HF__IN_FLIGHT_SIZE_MAX;
    }
    int failed = uv_mutex_init(&self->mutex);
    hf_assert(failed == 0);
    failed = uv_cond_init(&self->work);
    hf_assert(failed == 0);

    hf_status status = hf__thread_start(&self->thread, committer_run, self, error);
    if (status != HF_OK) {
        uv_cond_destroy(&self->work);
        uv_mutex_destroy(&self->mutex);
        hf_heap_free(options->heap, self, sizeof *self);
        return status;
    }
    *out_committer = self;
    return HF_OK;
}

void hf__committer_free(struct hf__committer *self)
{
    if (!self) return;
    hf_assert(!hf__committer_is_self(self));
    uv_mutex_lock(&self->mutex);
    self->is_closing = true;
    uv_cond_signal(&self->work);
    uv_mutex_unlock(&self->mutex);
    int failed = uv_thread_join(&self->thread);
    hf_assert(failed == 0);
    hf_assert(self->pending_count == 0);
    uv_cond_destroy(&self->work);
    uv_mutex_destroy(&self->mutex);
    hf_heap_free(self->options.heap, self, sizeof *self);
}
