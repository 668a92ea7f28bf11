/* The helpers of crew.h. */
#include "tests/sessions/crew.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int crew_setup(void **state)
{
    struct crew *self = calloc(1, sizeof *self);
    assert_non_null(self);
    house_open(&self->house, *state);
    self->orchestrator = house_orchestrator(&self->house);
    *state = self;
    return 0;
}

int crew_teardown(void **state)
{
    struct crew *self = *state;
    stage_open(&self->house.stage, NULL);
    for (size_t i = 0; i < CREW_MAX; i++) {
        if (self->children[i].pid) {
            child_open(&self->children[i], NULL);
            kill(self->children[i].pid, SIGCONT);
            crew_end(self, &self->children[i], SIGTERM);
        }
        hf_runtime_free(self->workers[i]);
    }
    hf_runtime_free(self->orchestrator);
    house_close(&self->house);
    free(self);
    return 0;
}

hf_runtime *crew_hire_with(struct crew *self, const hf_runtime_options *options)
{
    size_t i = 0;
    while (self->workers[i]) assert_true(++i < CREW_MAX);
    self->workers[i] = house_worker(&self->house, options);
    return self->workers[i];
}

hf_runtime *crew_hire(struct crew *self, const char *worker_id, uint32_t threads,
                      uint32_t sessions_max)
{
    return crew_hire_with(self, HF_WITH(hf_runtime_options, .worker_id = worker_id,
                                        .orchestration_threads = UINT32_MAX,
                                        .activity_threads = threads, .sessions_max = sessions_max,
                                        .item_lock_ms = 600000, .session_lock_ms = 600000));
}

void crew_dismiss_orchestrator(struct crew *self)
{
    hf_runtime *orchestrator = self->orchestrator;
    self->orchestrator = NULL;
    hf_runtime_free(orchestrator);
}

void crew_dismiss(struct crew *self, hf_runtime *worker)
{
    size_t i = 0;
    while (self->workers[i] != worker) assert_true(++i < CREW_MAX);
    self->workers[i] = NULL;
    hf_runtime_free(worker);
}

struct child *crew_spawn(struct crew *self, const char *worker_id, const char *options)
{
    size_t i = 0;
    while (self->children[i].pid) assert_true(++i < CREW_MAX);
    child_start(&self->children[i], self->house.directory.path, worker_id, options);
    return &self->children[i];
}

int crew_end(struct crew *self, struct child *child, int signal_number)
{
    assert_in_range(child - self->children, 0, CREW_MAX - 1);
    int status = child_end(child, signal_number);
    child->pid = 0;
    return status;
}

void crew_start_waiting(struct crew *self, const char *instance)
{
    house_start(&self->house, instance, "waits", "");
    house_wait_status(&self->house, instance, "waiting");
}

void crew_run_ordinary(struct crew *self, const char *instance)
{
    house_start(&self->house, instance, "hello", "world");
    house_expect(&self->house, instance, "Hello, world!");
}

void crew_assert_owner(struct crew *self, const char *instance, const char *session,
                       const char *owner)
{
    struct house_session row;
    assert_true(house_session(&self->house, instance, session, &row));
    assert_string_equal(row.owner, owner);
}

struct queued_wait {
    struct house *house;
    const char *instance, *session;
    uint64_t count;
};

static bool is_queued(void *context)
{
    struct queued_wait *wait = context;
    struct house_session row;
    return house_session(wait->house, wait->instance, wait->session, &row) &&
           row.queued_count == wait->count;
}

void crew_wait_queued(struct crew *self, const char *instance, const char *session, uint64_t count)
{
    struct queued_wait wait = { &self->house, instance, session, count };
    if (hf_test_wait(STAGE_LIMIT_MS, &wait, is_queued)) return;
    fail_msg("session %s of %s does not come to %llu queued", session, instance,
             (unsigned long long)count);
}

void crew_put_in_the_way(struct crew *self)
{
    house_start(&self->house, "in-the-way", "hold_free", "way");
    stage_wait(&self->house.stage, "held in-the-way ", 1);
}

void crew_assert_waits(struct crew *self, const char *instance, const char *session, uint64_t count)
{
    crew_wait_queued(self, instance, session, count);
    crew_run_ordinary(self, "passing-by");
    crew_wait_queued(self, instance, session, count);
}

void crew_stall(void *user, const hf_session_info *session, bool gained)
{
    if (!gained || strcmp(session->instance, "stalls") != 0) return;
    stage_say(user, "stalls");
    stage_wait_open(user, hf_text("stall"));
}

void crew_start_stalling(struct crew *self)
{
    house_start(&self->house, "stalls", "waits", "");
    stage_wait(&self->house.stage, "stalls", 1);
}

void crew_assert_one_claim(const struct told *told, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(told[i].worker, told[0].worker);
        assert_int_equal(told[i].epoch, told[0].epoch);
        assert_int_equal(told[i].met, i);
        assert_int_equal(told[i].is_first, i == 0);
    }
}
