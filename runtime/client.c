/* Client commands: proving what a user gave, making the command of it, and sending it, with or
 * without waiting. What a command does is the store's and the engine's business.
 *
 * hf_submit hands the committer a submission on the heap; it frees itself behind on_done. */
#include "engine/base/assert.h"
#include "engine/base/options.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/execution.h"
#include "runtime/log.h"
#include "runtime/store.h"

/* ---- proving -------------------------------------------------------------------------------- */

hf_status hf__payload_check(const hf_store *store, hf_slice payload, const char *what,
                            hf_error *error)
{
    if (!payload.data && payload.size > 0) {
        return hf_error_set(error, HF_INVALID,
                            "the %s is NULL with a size of %zu: give bytes, or the empty slice",
                            what, payload.size);
    }
    if (payload.size > store->payload_size_max) {
        return hf_error_set(error, HF_TOO_LARGE,
                            "the %s has %zu bytes, and payload_size_max is %llu: keep large data "
                            "elsewhere, or raise the option",
                            what, payload.size, (unsigned long long)store->payload_size_max);
    }
    if (payload.size > store->payload_size_max / 2) {
        hf__log(store->observer, &(hf_log_line){ .level = HF_LOG_WARN, .event = "payload.large" },
                "the %s has %zu bytes, and payload_size_max is %llu: keep large data elsewhere",
                what, payload.size, (unsigned long long)store->payload_size_max);
    }
    return HF_OK;
}

/* What `name` and `data` are called in messages, by kind; NULL: the kind has none. */
static const struct {
    const char *name, *data;
} words[] = {
    [HF_COMMAND_START] = { "orchestration's name", "input" },
    [HF_COMMAND_ENQUEUE] = { "queue's name", "message" },
    [HF_COMMAND_CANCEL] = { NULL, "reason" },
    [HF_COMMAND_TERMINATE] = { NULL, "reason" },
    [HF_COMMAND_RAISE] = { "event's name", "data" },
    [HF_COMMAND_DELETE] = { NULL, NULL },
    [HF_COMMAND_SUSPEND] = { NULL, "reason" },
    [HF_COMMAND_RESUME] = { NULL, NULL },
};

/* What a kind does not have must be left out, so that nobody takes it for having an effect. */
static hf_status command_check_unused(const hf_command *command, hf_error *error)
{
    uint32_t kind = (uint32_t)command->kind;
    if (!words[kind].name && command->name) {
        return hf_error_set(error, HF_INVALID,
                            "a command that cancels, terminates, deletes, suspends or resumes has "
                            "no name: leave it NULL");
    }
    if (!words[kind].data && !hf_slice_is_empty(command->data)) {
        return hf_error_set(error, HF_INVALID,
                            "a command that deletes or resumes has no data: leave it empty");
    }
    if (kind != HF_COMMAND_START && command->version) {
        return hf_error_set(error, HF_INVALID, "a version is for a command that starts");
    }
    if (kind != HF_COMMAND_DELETE && (command->even_running || command->whole_tree)) {
        return hf_error_set(error, HF_INVALID,
                            "even_running and whole_tree are for a command that deletes");
    }
    return HF_OK;
}

static hf_status command_check(const hf_store *store, const hf_command *command, hf_error *error)
{
    uint32_t kind = (uint32_t)command->kind;
    if (kind < HF_COMMAND_START || kind >= HF_COUNT_OF(words)) {
        return hf_error_set(error, HF_INVALID, "%u is no kind of command: use HF_COMMAND_...",
                            kind);
    }
    hf_status status = hf_id_check(command->instance, "instance id", error);
    if (status != HF_OK) return status;
    if (kind == HF_COMMAND_START) {
        status = hf_name_check(command->name, words[kind].name, error);
    } else if (words[kind].name) {
        status = hf_id_check(command->name, words[kind].name, error);
    }
    if (status == HF_OK) status = command_check_unused(command, error);
    if (status == HF_OK && command->version) {
        struct hf_version number;
        status = hf_version_parse(hf_text(command->version), "version", &number, error);
    }
    if (status != HF_OK) return status;
    if (command->idempotency_key) {
        status = hf_id_check(command->idempotency_key, "idempotency key", error);
        if (status != HF_OK) return status;
    }
    if (!words[kind].data) return HF_OK;
    return hf__payload_check(store, command->data, words[kind].data, error);
}

/* ---- making --------------------------------------------------------------------------------- */

static enum hf_store_command_kind store_kind(hf_command_kind kind)
{
    switch (kind) {
    case HF_COMMAND_START: return HF_STORE_START;
    case HF_COMMAND_TERMINATE: return HF_STORE_TERMINATE;
    case HF_COMMAND_DELETE: return HF_STORE_DELETE;
    case HF_COMMAND_SUSPEND:
    case HF_COMMAND_RESUME: return HF_STORE_SUSPEND;
    case HF_COMMAND_ENQUEUE:
    case HF_COMMAND_RAISE:
    case HF_COMMAND_CANCEL: return HF_STORE_MESSAGE;
    }
    HF_UNREACHABLE("the kind was checked");
}

/* The body that the command carries; data NULL without memory. Some carry none. */
static hf_slice command_body(const hf_command *command, struct hf_arena *arena)
{
    switch (command->kind) {
    case HF_COMMAND_START:
        return hf_body_started(hf_text(command->name), hf_text(command->version), command->data,
                               arena);
    case HF_COMMAND_ENQUEUE:
        return hf_body_mailbox_message(hf_text(command->name), command->data, arena);
    case HF_COMMAND_RAISE:
        return hf_body_event_raised(hf_text(command->name), command->data, arena);
    case HF_COMMAND_CANCEL: return hf_body_cancel_requested(command->data, arena);
    case HF_COMMAND_TERMINATE: return hf_body_terminated(command->data, arena);
    case HF_COMMAND_SUSPEND:
    case HF_COMMAND_RESUME:
    case HF_COMMAND_DELETE: return (hf_slice)HF_SLICE("");
    }
    HF_UNREACHABLE("the kind was checked");
}

/* Fills the submission with copies of everything. Errors: HF_NO_MEMORY. */
static hf_status submission_fill(struct hf__submission *submission, const hf_command *command,
                                 hf_error *error)
{
    struct hf_arena *arena = &submission->arena;
    struct hf_store_command *made = &submission->command;
    hf_slice id = hf_arena_copy(arena, hf_text(command->instance));
    hf_slice key = hf_arena_copy(arena, hf_text(command->idempotency_key));
    hf_slice body = command_body(command, arena);
    if (made->kind == HF_STORE_START) {
        hf_slice name = hf_arena_copy(arena, hf_text(command->name));
        hf_slice version = hf_arena_copy(arena, hf_text(command->version));
        made->start = (struct hf_store_start){
            .id = id, .orchestration = name, .version = version, .body = body, .key = key
        };
    }
    if (made->kind == HF_STORE_MESSAGE) {
        made->message = (struct hf_store_message){
            .id = id, .body = body, .key = key, .ended_is_fine = command->kind == HF_COMMAND_CANCEL
        };
    }
    if (made->kind == HF_STORE_TERMINATE) {
        made->terminate = (struct hf_store_terminate){ .id = id, .body = body, .key = key };
    }
    if (made->kind == HF_STORE_DELETE) {
        made->delete_instance = (struct hf_store_delete){ .id = id,
                                                          .key = key,
                                                          .even_running = command->even_running,
                                                          .with_descendants = command->whole_tree };
    }
    if (made->kind == HF_STORE_SUSPEND) {
        made->suspend = (struct hf_store_suspend){
            .id = id,
            .key = key,
            .resumes = command->kind == HF_COMMAND_RESUME,
            .code = hf_text("suspended"),
            .text = hf_text_clean(hf_arena_copy(arena, command->data), arena)
        };
    }
    if (arena->failed || !body.data) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for a command of %zu bytes",
                            command->data.size);
    }
    submission->of_client = true;
    return HF_OK;
}

/* ---- without waiting ------------------------------------------------------------------------ */

/* A command of hf_submit on its way. */
struct submitted {
    struct hf__submission submission; /* first */
    const hf_allocator *heap;
    void (*on_done)(void *user, const hf_error *error);
    void *user;
};

static void submitted_free(struct submitted *self)
{
    hf__submission_release(&self->submission);
    hf_heap_free(self->heap, self, sizeof *self);
}

/* Its memory goes first: on_done may take long, or submit more. */
static void submitted_done(struct hf__submission *submission)
{
    struct submitted *self = (struct submitted *)submission;
    void (*on_done)(void *user, const hf_error *error) = self->on_done;
    void *user = self->user;
    hf_error error = { 0 };
    hf_status status = hf__submission_answer(submission, &error);
    hf_assert(status == error.status);
    submitted_free(self);
    if (on_done) on_done(user, &error);
}

static hf_status submitted_new(hf_store *store, const hf_command *command,
                               struct submitted **out_submitted, hf_error *error)
{
    struct submitted *self = hf_heap_new(store->heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for a command");
    hf__submission_init(&self->submission, store->heap, store_kind(command->kind));
    self->submission.done = submitted_done;
    self->heap = store->heap;
    self->on_done = command->on_done;
    self->user = command->user;
    hf_status status = submission_fill(&self->submission, command, error);
    if (status != HF_OK) {
        submitted_free(self);
        return status;
    }
    *out_submitted = self;
    return HF_OK;
}

hf_status hf_submit(hf_store *store, const hf_command *command, hf_error *error)
{
    hf_command own;
    struct submitted *submitted = NULL;
    hf_status status = hf__handle_check(store, error);
    if (status != HF_OK) return status;
    if (!command) return hf_error_set(error, HF_INVALID, "the command is NULL: give one");
    status = hf_options_copy(&own, sizeof own, command, error);
    if (status == HF_OK) status = command_check(store, &own, error);
    if (status == HF_OK) status = submitted_new(store, &own, &submitted, error);
    if (status != HF_OK) return status;
    status = hf__committer_submit(store->committer, &submitted->submission, error);
    if (status != HF_OK) submitted_free(submitted);
    return status;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static hf_status call(hf_store *store, const hf_command *command, hf_error *error)
{
    struct hf__submission submission;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = command_check(store, command, error);
    if (status != HF_OK) return status;
    hf__submission_init(&submission, store->heap, store_kind(command->kind));
    status = submission_fill(&submission, command, error);
    if (status == HF_OK) status = hf__store_call(store, &submission, error);
    hf__submission_release(&submission);
    return status;
}

hf_status hf_execute(hf_store *store, const hf_command *command, hf_error *error)
{
    hf_command own;
    if (!command) return hf_error_set(error, HF_INVALID, "the command is NULL: give one");
    hf_status status = hf_options_copy(&own, sizeof own, command, error);
    if (status == HF_OK && own.on_done) {
        status = hf_error_set(error, HF_INVALID,
                              "on_done is for hf_submit: hf_execute returns when it is done");
    }
    return status == HF_OK ? call(store, &own, error) : status;
}

hf_status hf_start(hf_store *store, const char *instance, const char *orchestration, hf_slice input,
                   hf_error *error)
{
    const hf_command command = {
        .kind = HF_COMMAND_START, .instance = instance, .name = orchestration, .data = input
    };
    return call(store, &command, error);
}

hf_status hf_enqueue(hf_store *store, const char *instance, const char *queue, hf_slice message,
                     hf_error *error)
{
    const hf_command command = {
        .kind = HF_COMMAND_ENQUEUE, .instance = instance, .name = queue, .data = message
    };
    return call(store, &command, error);
}

hf_status hf_raise(hf_store *store, const char *instance, const char *event, hf_slice data,
                   hf_error *error)
{
    const hf_command command = {
        .kind = HF_COMMAND_RAISE, .instance = instance, .name = event, .data = data
    };
    return call(store, &command, error);
}

hf_status hf_cancel(hf_store *store, const char *instance, const char *reason, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_CANCEL,
                                 .instance = instance,
                                 .data = hf_text(reason) };
    return call(store, &command, error);
}

hf_status hf_terminate(hf_store *store, const char *instance, const char *reason, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_TERMINATE,
                                 .instance = instance,
                                 .data = hf_text(reason) };
    return call(store, &command, error);
}

hf_status hf_delete(hf_store *store, const char *instance, bool even_running, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_DELETE,
                                 .instance = instance,
                                 .even_running = even_running };
    return call(store, &command, error);
}

hf_status hf_delete_tree(hf_store *store, const char *instance, bool even_running, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_DELETE,
                                 .instance = instance,
                                 .even_running = even_running,
                                 .whole_tree = true };
    return call(store, &command, error);
}

hf_status hf_suspend(hf_store *store, const char *instance, const char *reason, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_SUSPEND,
                                 .instance = instance,
                                 .data = hf_text(reason) };
    return call(store, &command, error);
}

hf_status hf_resume(hf_store *store, const char *instance, hf_error *error)
{
    const hf_command command = { .kind = HF_COMMAND_RESUME, .instance = instance };
    return call(store, &command, error);
}
