/* Opening and closing a handle for tests, and commands of theirs. */
#include "tests/unit/runtime/handle.h"

#include <stdlib.h>
#include <string.h>

static void handle_log(void *self, const hf_log_line *line)
{
    struct handle *handle = self;
    if (strcmp(line->event, "store.close") == 0) handle->close_errors_count++;
}

void handle_open(struct handle *handle)
{
    hf_error *error = &handle->error;
    assert_ok(hf__store_open_with(&handle->setup, &handle->options, &handle->store, error), error);
}

void handle_reopen(struct handle *handle)
{
    hf_store_close(handle->store);
    handle_open(handle);
}

int handle_setup(void **state)
{
    struct handle *handle = calloc(1, sizeof *handle);
    assert_non_null(handle);
    hf_test_directory_make(&handle->directory);
    hf_fake_init(&handle->fake, handle->directory.path);
    assert_int_equal(uv_mutex_init(&handle->mutex), 0);
    handle->setup = (struct hf__store_setup){ .open = hf_fake_open,
                                              .self = &handle->fake,
                                              .poll_ms = HANDLE_NEVER_MS };
    handle->observer = (hf_observer){
        .size = sizeof(hf_observer), .self = handle, .level_max = HF_LOG_DEBUG, .log = handle_log
    };
    handle->options = (hf_store_options)HF_INIT(hf_store_options);
    handle->options.observer = &handle->observer;
    handle_open(handle);
    *state = handle;
    return 0;
}

int handle_teardown(void **state)
{
    struct handle *handle = *state;
    hf_store_close(handle->store);
    assert_true(handle->fake.is_closed);
    hf_fake_release(&handle->fake);
    hf_test_directory_remove(&handle->directory);
    uv_mutex_destroy(&handle->mutex);
    free(handle);
    return 0;
}

void handle_start(struct handle *handle, const char *id)
{
    hf_error *error = &handle->error;
    assert_ok(hf_start(handle->store, id, "hello", hf_text("input"), error), error);
}

void handle_assert_invalid(struct handle *handle, hf_status status, const char *what,
                           const char *complaint)
{
    assert_status(status, HF_INVALID);
    assert_int_equal(handle->error.status, HF_INVALID);
    if (!strstr(handle->error.message, what) || !strstr(handle->error.message, complaint)) {
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", handle->error.message, what, complaint);
    }
}

void handle_note_done(void *user, const hf_error *error)
{
    struct handle_note *note = user;
    uv_mutex_lock(note->mutex);
    note->count++;
    note->status = error->status;
    uv_mutex_unlock(note->mutex);
}

bool handle_is_noted(void *context)
{
    struct handle_note *note = context;
    uv_mutex_lock(note->mutex);
    bool is = note->count > 0;
    uv_mutex_unlock(note->mutex);
    return is;
}

hf_command handle_start_command(const char *id, struct handle_note *note)
{
    return (hf_command){ .size = sizeof(hf_command),
                         .kind = HF_COMMAND_START,
                         .instance = id,
                         .name = "hello",
                         .on_done = note ? handle_note_done : NULL,
                         .user = note };
}

void handle_starting_run(void *argument)
{
    struct handle_starting *self = argument;
    self->status = hf_start(self->handle->store, self->id, "hello", hf_text("input"), NULL);
}
