/* Restarting what has ended: history is read, what is to be done with it is the engine's to say,
 * and the store does it if nothing came in between. */
#include "engine/restart.h"

#include "engine/base/assert.h"
#include "engine/base/options.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "runtime/store.h"

/* A restart under way; all that is read lies in the submission's arena. */
struct restart {
    hf_store *store;
    const char *id;
    struct hf__submission submission;
    struct hf_instance_info info;
    struct hf_turn_view view;
    struct hf_restart_plan plan;
};

static hf_status restart_begin(struct restart *self, hf_error *error)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_arena *arena = &self->submission.arena;
    hf_status status = backend->ops->instance(backend, hf_text(self->id), arena, &self->info,
                                              error);
    if (status != HF_OK) return status;
    if (self->info.ended_unix_ms == 0) {
        return hf_error_set(error, HF_STILL_RUNNING,
                            "instance \"%s\" has not ended: only what has can be restarted",
                            self->id);
    }
    struct hf_item_id from = { self->info.number, self->info.execution, 1 };
    return backend->ops->turn_view(backend, &from, arena, &self->view, error);
}

static hf_status restart_submit(struct restart *self, hf_error *error)
{
    self->plan.restarted.execution = self->info.execution;
    self->submission.of_client = true;
    self->submission.command.restart = (struct hf_store_restart){
        .id = hf_text(self->id), .restarted = &self->plan.restarted, .answers = self->plan.answers
    };
    return hf__store_call(self->store, &self->submission, error);
}

static hf_status restart_run(struct restart *self, const hf_restart_options *options,
                             hf_error *error)
{
    struct hf_arena *arena = &self->submission.arena;
    hf_status status = restart_begin(self, error);
    if (status != HF_OK) return status;
    if (options->from_event == 0) {
        status = hf_restart_anew(&self->view, options->input, arena, &self->plan, error);
    } else {
        status = hf_restart_from(&self->view, options->from_event, self->info.version, arena,
                                 &self->plan, error);
    }
    return status == HF_OK ? restart_submit(self, error) : status;
}

hf_status hf_restart(hf_store *store, const hf_restart_options *options, hf_error *error)
{
    hf_restart_options own;
    hf_error unwanted;
    if (!error) error = &unwanted;
    hf_status status = hf__handle_check(store, error);
    if (status != HF_OK) return status;
    if (!options) return hf_error_set(error, HF_INVALID, "the options are NULL: give some");
    status = hf_options_copy(&own, sizeof own, options, error);
    if (status == HF_OK) status = hf_id_check(own.instance, "instance id", error);
    if (status == HF_OK) status = hf__payload_check(store, own.input, "input", error);
    if (status == HF_OK && own.input.data && own.from_event > 0) {
        status = hf_error_set(error, HF_INVALID, "an input is for a restart from the start");
    }
    if (status != HF_OK) return status;
    struct restart self = { .store = store, .id = own.instance };
    hf__submission_init(&self.submission, store->heap, HF_STORE_RESTART);
    status = restart_run(&self, &own, error);
    hf__submission_release(&self.submission);
    return status;
}

/* ---- dead letters --------------------------------------------------------------------------- */

enum { PAGE_ROWS = 64 };

/* The latest letter of the instance's latest execution; event 0 is a turn. */
static hf_status letter_find(struct restart *self, struct hf_dead_letter_info *out_letter,
                             hf_error *error)
{
    struct hf_backend *backend = self->store->backend;
    struct hf_dead_letters_query query = { .instance = self->info.number };
    struct hf_dead_letter_info *rows = NULL;
    size_t count = PAGE_ROWS;
    while (count == PAGE_ROWS) {
        hf_status status = backend->ops->dead_letters(backend, &query, &self->submission.arena,
                                                      &rows, &count, error);
        if (status != HF_OK) return status;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].execution == self->info.execution) *out_letter = rows[i];
        }
    }
    if (out_letter->lsn != 0) return HF_OK;
    hf_error_set(error, HF_NOT_FOUND, "instance \"%s\" has no dead letter of its latest execution",
                 self->id);
    hf_error_code(error, "no_dead_letter");
    return HF_NOT_FOUND;
}

static hf_status requeue_run(struct restart *self, hf_error *error)
{
    struct hf_arena *arena = &self->submission.arena;
    struct hf_dead_letter_info letter = { 0 };
    uint64_t event_id = 0;
    hf_status status = restart_begin(self, error);
    if (status == HF_OK) status = letter_find(self, &letter, error);
    if (status == HF_OK) {
        status = hf_restart_find_failure(&self->view, letter.event_id, arena, &event_id, error);
    }
    if (status == HF_OK) {
        status = hf_restart_from(&self->view, event_id, self->info.version, arena, &self->plan,
                                 error);
    }
    return status == HF_OK ? restart_submit(self, error) : status;
}

hf_status hf_requeue(hf_store *store, const char *instance, hf_error *error)
{
    hf_error unwanted;
    if (!error) error = &unwanted;
    hf_status status = hf__handle_check(store, error);
    if (status == HF_OK) status = hf_id_check(instance, "instance id", error);
    if (status != HF_OK) return status;
    struct restart self = { .store = store, .id = instance };
    hf__submission_init(&self.submission, store->heap, HF_STORE_RESTART);
    status = requeue_run(&self, error);
    hf__submission_release(&self.submission);
    return status;
}
