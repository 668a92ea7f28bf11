/* The public calls that say how the code means to end, and those about the instance as such. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/execution_internal.h"

/* ---- ending --------------------------------------------------------------------------------- */

static hf_status intend(struct hf_execution *self, enum hf__intent intent, hf_slice payload,
                        const char *what)
{
    hf__execution_check_payload(self, payload, what);
    struct hf_arena copy;
    hf_arena_init(&copy, self->heap); /* payload may be what was given before */
    self->intent_payload = hf_arena_copy(&copy, payload);
    hf_arena_release(&self->intent_memory);
    self->intent_memory = copy;
    self->intent = intent;
    if (!self->intent_payload.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return HF_OK;
}

hf_status hf_complete(hf_orchestration *o, hf_slice output)
{
    return intend(hf__execution_enter(o), HF__INTENT_COMPLETE, output, "output");
}

hf_status hf_continue_as_new(hf_orchestration *o, hf_slice input)
{
    struct hf_execution *self = hf__execution_enter(o);
    self->intent_version = (hf_slice)HF_EMPTY;
    return intend(self, HF__INTENT_CONTINUE, input, "input of the next execution");
}

hf_status hf_continue_as_new_with(hf_orchestration *o, const hf_continue_options *options)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_continue_options own;
    hf__execution_copy_options(self, &own, sizeof own, options);
    hf__execution_check_version(self, own.version);
    self->intent_version = hf_arena_copy(&self->memory, hf_text(own.version));
    if (!self->intent_version.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return intend(self, HF__INTENT_CONTINUE, own.input, "input of the next execution");
}

/* Keeps it as the error that the code may now return. */
static hf_status fail_as(struct hf_execution *self, const char *code, hf_slice data,
                         const char *message)
{
    hf_error error = { .status = HF_FAILED };
    hf__execution_check_payload(self, data, "data of a failure");
    hf_error_code(&error, code ? code : "");
    hf_text_copy(error.message, sizeof error.message, hf_text(message));
    struct hf_arena copy;
    hf_arena_init(&copy, self->heap); /* data may be that of the error before */
    error.data = hf_arena_copy(&copy, data);
    hf_arena_release(&self->error_memory);
    self->error_memory = copy;
    self->latest_error = error;
    if (!error.data.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return HF_FAILED;
}

hf_status hf_fail(hf_orchestration *o, const char *code, const char *format, ...)
{
    char message[HF_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_as(hf__execution_enter(o), code, (hf_slice)HF_EMPTY, message);
}

hf_status hf_fail_with(hf_orchestration *o, const char *code, hf_slice data, const char *format,
                       ...)
{
    char message[HF_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_as(hf__execution_enter(o), code, data, message);
}

/* ---- the instance --------------------------------------------------------------------------- */

const char *hf_instance_id(const hf_orchestration *o)
{
    return o->execution->instance_id;
}

const hf_orchestration_info *hf_orchestration_about(const hf_orchestration *o)
{
    return &o->execution->info;
}

const void *hf_orchestration_user(const hf_orchestration *o)
{
    return o->execution->registered->user;
}

bool hf_is_replaying(const hf_orchestration *o)
{
    hf_assert(o->execution->turn);
    return !o->execution->turn->is_live;
}

bool hf_history_is_long(const hf_orchestration *o)
{
    return o->execution->delivered_event_id > HF_HISTORY_LONG_EVENTS;
}

void hf_log(hf_orchestration *o, hf_log_level level, const char *format, ...)
{
    enum { LINE_SIZE = 1024 };
    struct hf_execution *self = hf__execution_enter(o);
    if (!hf__execution_is_heard(self)) return;
    char message[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    hf_log_line line = HF_INIT(hf_log_line);
    line.level = level;
    line.event = "orchestration.log";
    line.message = message;
    hf__execution_log(self, &line);
}
