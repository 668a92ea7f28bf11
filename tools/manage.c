/* What a person on call does to an instance: suspend, resume, cancel, terminate, restart, requeue.
 * Each is one call of the public API, made by a client that opens the store beside its workers. */
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "tools/tool.h"

/* One of them. */
struct act {
    const char *name;
    const char *done; /* what to say of the instance behind it */
    bool wants_ended; /* it is for what has ended; else for what has not */
    hf_status (*run)(hf_store *store, const struct tool_arguments *arguments, hf_error *error);
    const char *if_suspended, *if_not; /* what to add where it was suspended before, or was not */
};

/* Whether the instance is in a state for it. The library knows what becomes of the others; here a
 * person is told what would help. */
static hf_status state_check(const struct act *self, const hf_instance *instance, hf_error *error)
{
    bool has_ended = instance->ended_unix_ms != 0;
    if (has_ended == self->wants_ended) return HF_OK;
    const char *status = tool_status_name(instance->status);
    if (has_ended) {
        return hf_error_set(error, HF_INVALID,
                            "instance \"%s\" has ended (%s): there is nothing to %s; restart lets "
                            "it run again",
                            instance->id, status, self->name);
    }
    return hf_error_set(error, HF_STILL_RUNNING,
                        "instance \"%s\" has not ended (%s): wait for its end or terminate it, "
                        "then %s it",
                        instance->id, status, self->name);
}

static void tell(const struct act *self, const struct tool_arguments *arguments, const char *more)
{
    const char *id = arguments->words[1];
    if (!arguments->json) {
        printf("%s: %s%s\n", id, self->done, more ? more : "");
        return;
    }
    struct hf_json json;
    hf_json_init(&json, hf_heap_default());
    hf_json_begin(&json, '{');
    tool_json_text(&json, "instance", hf_text(id));
    tool_json_text(&json, "done", hf_text(self->name));
    hf_json_end(&json, '}');
    tool_print_line(&json);
    hf_json_release(&json);
}

static hf_status act_on(const struct act *self, hf_store *store,
                        const struct tool_arguments *arguments, hf_error *error)
{
    const hf_instance *before = NULL;
    hf_status status = hf_get(store, arguments->words[1], &before, error);
    if (status != HF_OK) return status;
    status = state_check(self, before, error);
    if (status == HF_OK) status = self->run(store, arguments, error);
    const char *more = before->suspension ? self->if_suspended : self->if_not;
    if (status == HF_OK) tell(self, arguments, more);
    hf_instance_free(before);
    return status;
}

static int act_run(const struct act *self, const struct tool_arguments *arguments)
{
    hf_store *store = NULL;
    hf_error error = { 0 };
    hf_assert(arguments->words_count >= 2);
    /* A record or two need no step of preallocated file. */
    const hf_store_options *options = HF_WITH(hf_store_options, .must_exist = true,
                                              .preallocate_size = 1);
    hf_status status = hf_store_open(arguments->words[0], options, &store, &error);
    if (status == HF_OK) status = act_on(self, store, arguments, &error);
    hf_store_close(store);
    return status == HF_OK ? 0 : tool_fail(&error);
}

/* ---- each ----------------------------------------------------------------------------------- */

static hf_status suspend(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_suspend(store, arguments->words[1], arguments->words[2], error);
}

int tool_suspend(const struct tool_arguments *arguments)
{
    static const struct act act = { "suspend", "suspended", false, suspend, ", as before", NULL };
    return act_run(&act, arguments);
}

static hf_status resume(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_resume(store, arguments->words[1], error);
}

int tool_resume(const struct tool_arguments *arguments)
{
    static const struct act act = { "resume", "resumed", false,
                                    resume,   NULL,      "; it was not suspended" };
    return act_run(&act, arguments);
}

static hf_status cancel(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_cancel(store, arguments->words[1], arguments->words[2], error);
}

int tool_cancel(const struct tool_arguments *arguments)
{
    static const struct act act = { "cancel",
                                    "asked to stop",
                                    false,
                                    cancel,
                                    "; it is suspended, and hears of it when it is resumed",
                                    NULL };
    return act_run(&act, arguments);
}

static hf_status terminate(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_terminate(store, arguments->words[1], arguments->words[2], error);
}

int tool_terminate(const struct tool_arguments *arguments)
{
    static const struct act act = { "terminate", "terminated", false, terminate, NULL, NULL };
    return act_run(&act, arguments);
}

static hf_status restart(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_restart(store,
                      HF_WITH(hf_restart_options, .instance = arguments->words[1],
                              .from_event = arguments->from_event),
                      error);
}

int tool_restart(const struct tool_arguments *arguments)
{
    static const struct act act = { "restart", "restarted", true, restart, NULL, NULL };
    return act_run(&act, arguments);
}

static hf_status requeue(hf_store *store, const struct tool_arguments *arguments, hf_error *error)
{
    return hf_requeue(store, arguments->words[1], error);
}

int tool_requeue(const struct tool_arguments *arguments)
{
    static const struct act act = { "requeue", "requeued", true, requeue, NULL, NULL };
    return act_run(&act, arguments);
}
