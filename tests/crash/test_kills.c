/* Worker processes that are killed at random moments, one or all of them, while they commit: every
 * instance ends with the sum that it would have without, and the store is proved after each kill of
 * all.
 *
 *     HOLDFAST_TEST_SEED=7 test_crash_kills    other moments; they are never quite the same */
/* ctest-label: process */
/* ctest-timeout: 300 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/support/child.h"
#include "tests/support/random.h"

enum { WORKERS = 3, ROUNDS = 16, STARTS_A_ROUND = 4, STEPS = 12, PAUSE_MAX_MS = 90 };

/* Adds up what steps of every kind answer: ordinary ones, on a session, of a child, after a timer.
 */
static hf_status tally(hf_orchestration *o, hf_slice input)
{
    int64_t sum = 0;
    hf_session session = hf_session_open(o);
    for (int64_t i = 1; i <= STEPS; i++) {
        hf_scope round = hf_scope_open(o);
        hf_slice said = HF_EMPTY, text = hf_format(o, "%lld", (long long)i);
        int64_t number = 0;
        if (i % 4 == 0) {
            HF_TRY(hf_call_on(o, session, "echo", text, &said));
        } else if (i % 4 == 1) {
            hf_child_options options = HF_INIT(hf_child_options);
            options.orchestration = "fan";
            options.input = hf_text("2");
            HF_TRY(hf_await(o, hf_child(o, &options), &said));
        } else {
            HF_TRY(hf_call(o, "echo", text, &said));
        }
        if (i % 6 == 0) HF_TRY(hf_sleep(o, 1));
        if (!hf_slice_to_i64(said, &number)) return hf_fail(o, "said", "no number");
        sum += number;
        hf_scope_close(o, round);
    }
    hf_session_close(o, session);
    (void)input;
    return hf_complete(o, hf_format(o, "%lld", (long long)sum));
}

static int64_t tally_expected(void)
{
    int64_t sum = 0;
    for (int64_t i = 1; i <= STEPS; i++) sum += i % 4 == 1 ? 2 : i;
    return sum;
}

static const struct part parts[] = { { "tally", tally, NULL }, { NULL, NULL, NULL } };

struct campaign {
    struct house house;
    struct child workers[WORKERS];
    struct hf_test_random chance;
    size_t started_count, kills_count;
};

static void worker_start(struct campaign *self, size_t index)
{
    char id[32];
    snprintf(id, sizeof id, "worker %zu", index);
    child_start(&self->workers[index], self->house.directory.path, id, "");
}

static void worker_kill(struct campaign *self, size_t index)
{
    int status = child_end(&self->workers[index], SIGKILL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    self->kills_count++;
}

/* Every start that is acknowledged here ends as it must: see tally_check. */
static void instances_start(struct campaign *self)
{
    char id[32];
    for (size_t i = 0; i < STARTS_A_ROUND; i++) {
        snprintf(id, sizeof id, "tally %zu", self->started_count++);
        house_start(&self->house, id, "tally", "");
    }
}

/* Kills one worker, or all and proves what they left; then they start again. */
static void kill_round(struct campaign *self, bool kills_all)
{
    size_t first = (size_t)hf_test_random_below(&self->chance, WORKERS);
    (void)poll(NULL, 0, (int)hf_test_random_below(&self->chance, PAUSE_MAX_MS)); /* the moment is
                                                                                    the point */
    for (size_t i = 0; i < (kills_all ? WORKERS : 1); i++) worker_kill(self, (first + i) % WORKERS);
    if (kills_all) {
        hf_store_close(self->house.store);
        house_verify(self->house.directory.path);
        house_resume(&self->house);
    }
    for (size_t i = 0; i < (kills_all ? WORKERS : 1); i++) {
        worker_start(self, (first + i) % WORKERS);
    }
}

static void tally_check(struct campaign *self)
{
    char id[32], expected[32];
    snprintf(expected, sizeof expected, "%lld", (long long)tally_expected());
    for (size_t i = 0; i < self->started_count; i++) {
        snprintf(id, sizeof id, "tally %zu", i);
        house_expect(&self->house, id, expected);
    }
    assert_int_equal(house_sessions_count(&self->house, NULL), 0);
}

static void test_killed_workers_lose_nothing(void **state)
{
    struct campaign campaign = { .chance = { hf_test_seed(1) } };
    (void)state;
    house_open(&campaign.house, parts);
    for (size_t i = 0; i < WORKERS; i++) worker_start(&campaign, i);
    for (size_t round = 0; round < ROUNDS; round++) {
        instances_start(&campaign);
        kill_round(&campaign, round % 4 == 3);
    }
    tally_check(&campaign);
    for (size_t i = 0; i < WORKERS; i++) child_end(&campaign.workers[i], SIGTERM);
    print_message("%zu instances, %zu workers killed\n", campaign.started_count,
                  campaign.kills_count);
    house_close(&campaign.house);
}

int main(int argc, char **argv)
{
    int status = child_main(argc, argv, parts);
    if (status >= 0) return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_workers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
