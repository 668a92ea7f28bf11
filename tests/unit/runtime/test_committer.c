/* The committer against a fake store: what shares a commit, in which order answers come, what can
 * be taken back, and what joins a transaction from inside. */
#include "tests/support/hf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "runtime/committer.h"
#include "runtime/waiters.h"
#include "tests/support/fake_backend.h"

enum {
    LIMIT_MS = 60000,
    SMALL_COUNT = 100,
    LARGE_COUNT = 3000,
    IN_FLIGHT_SIZE_MAX = 32 * 1024 * 1024
};

/* A committer on a fake, and what its callbacks noted. */
struct fixture {
    struct hf_test_directory directory;
    struct hf_fake_backend fake;
    struct hf__waiters *waiters;
    struct hf__effects *effects;
    struct hf__committer *committer;

    uv_mutex_t mutex;
    const struct hf__submission *order[8192]; /* in which done ran */
    size_t done_count;
    size_t failed_logs_count;
};

static void on_log(void *self, const hf_log_line *line)
{
    struct fixture *fixture = self;
    if (strcmp(line->event, "store.failed") == 0) fixture->failed_logs_count++;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    hf_fake_init(&fixture->fake, fixture->directory.path);
    assert_int_equal(uv_mutex_init(&fixture->mutex), 0);
    fixture->waiters = hf__waiters_new(hf_heap_default());
    fixture->effects = hf__effects_new(hf_heap_default(), fixture->waiters, NULL);
    const struct hf__committer_options options = { .heap = hf_heap_default(),
                                                   .backend = &fixture->fake.backend,
                                                   .effects = fixture->effects,
                                                   .in_flight_max = 4096,
                                                   .in_flight_size_max = IN_FLIGHT_SIZE_MAX,
                                                   .log = on_log,
                                                   .log_self = fixture };
    hf_error error;
    assert_ok(hf__committer_new(&options, &fixture->committer, &error), &error);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf__committer_free(fixture->committer);
    hf__effects_free(fixture->effects);
    hf__waiters_free(fixture->waiters);
    hf_fake_release(&fixture->fake);
    hf_test_directory_remove(&fixture->directory);
    uv_mutex_destroy(&fixture->mutex);
    free(fixture);
    return 0;
}

/* ---- submissions of a test ------------------------------------------------------------------ */

static void note_done(struct hf__submission *submission)
{
    struct fixture *fixture = submission->user;
    uv_mutex_lock(&fixture->mutex);
    fixture->order[fixture->done_count++] = submission;
    uv_mutex_unlock(&fixture->mutex);
}

static size_t done_count(struct fixture *fixture)
{
    uv_mutex_lock(&fixture->mutex);
    size_t count = fixture->done_count;
    uv_mutex_unlock(&fixture->mutex);
    return count;
}

struct expected {
    struct fixture *fixture;
    size_t count;
};

static bool are_done(void *context)
{
    const struct expected *expected = context;
    return done_count(expected->fixture) >= expected->count;
}

static void wait_done(struct fixture *fixture, size_t count)
{
    struct expected expected = { fixture, count };
    assert_true(hf_test_wait(LIMIT_MS, &expected, are_done));
    assert_int_equal(done_count(fixture), count);
}

static struct hf__submission *submissions_new(struct fixture *fixture, size_t count, bool of_client)
{
    struct hf__submission *all = calloc(count, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++) {
        hf__submission_init(&all[i], hf_heap_default(), HF_STORE_RECLAIM);
        all[i].done = note_done;
        all[i].user = fixture;
        all[i].of_client = of_client;
    }
    return all;
}

static void submissions_free(struct hf__submission *all, size_t count)
{
    for (size_t i = 0; i < count; i++) hf__submission_release(&all[i]);
    free(all);
}

static void submit_all(struct fixture *fixture, struct hf__submission *all, size_t count)
{
    hf_error error;
    for (size_t i = 0; i < count; i++) {
        assert_ok(hf__committer_submit(fixture->committer, &all[i], &error), &error);
    }
}

/* Holds the store inside a commit of `first`, so that what is submitted next gathers in the queue.
 */
static void hold_with(struct fixture *fixture, struct hf__submission *first)
{
    hf_fake_hold(&fixture->fake);
    submit_all(fixture, first, 1);
    hf_fake_wait_held(&fixture->fake);
}

static void assert_groups(struct fixture *fixture, const size_t *taken_counts, size_t count)
{
    assert_int_equal(hf_fake_groups(&fixture->fake), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fixture->fake.groups[i].taken_count, taken_counts[i]);
    }
}

/* ---- groups --------------------------------------------------------------------------------- */

/* What gathers while a commit runs goes into the next one together. */
static void test_commands_that_gather_share_one_commit(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *all = submissions_new(fixture, 1 + SMALL_COUNT, true);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, SMALL_COUNT);
    assert_int_equal(hf__committer_pending(fixture->committer), 1 + SMALL_COUNT);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 1 + SMALL_COUNT);
    assert_groups(fixture, (const size_t[]){ 1, SMALL_COUNT }, 2);
    for (size_t i = 0; i <= SMALL_COUNT; i++) assert_int_equal(all[i].command.status, HF_OK);
    assert_int_equal(hf__committer_pending(fixture->committer), 0);
    submissions_free(all, 1 + SMALL_COUNT);
}

/* A long queue is cut into groups of the bound. */
static void test_group_takes_1024_commands_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *all = submissions_new(fixture, 1 + LARGE_COUNT, true);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, LARGE_COUNT);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 1 + LARGE_COUNT);
    assert_groups(fixture, (const size_t[]){ 1, 1024, 1024, LARGE_COUNT - 2048 }, 4);
    submissions_free(all, 1 + LARGE_COUNT);
}

/* Large commands close a group by their bytes; one that is over the bound by itself goes alone. */
static void test_group_takes_8_mib_at_most(void **state)
{
    struct fixture *fixture = *state;
    static const size_t mib[] = { 0, 3, 3, 3, 9, 3 };
    struct hf__submission *all = submissions_new(fixture, HF_COUNT_OF(mib), true);
    for (size_t i = 1; i < HF_COUNT_OF(mib); i++) {
        assert_non_null(hf_arena_new(&all[i].arena, mib[i] * 1024 * 1024));
    }
    hold_with(fixture, all);
    submit_all(fixture, all + 1, HF_COUNT_OF(mib) - 1);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, HF_COUNT_OF(mib));
    assert_groups(fixture, (const size_t[]){ 1, 2, 1, 1, 1 }, 5);
    submissions_free(all, HF_COUNT_OF(mib));
}

/* With runtimes in every group, a large command of a client goes with them all the same. */
static void test_large_command_of_a_client_does_not_wait_for_an_empty_group(void **state)
{
    struct fixture *fixture = *state;
    enum { OWN_COUNT = 3, LARGE = 9 * 1024 * 1024, HALF = 5 * 1024 * 1024 };
    struct hf__submission *clients = submissions_new(fixture, 3, true);
    struct hf__submission *own = submissions_new(fixture, OWN_COUNT, false);
    assert_non_null(hf_arena_new(&clients[1].arena, LARGE));
    for (size_t i = 0; i < OWN_COUNT; i++) assert_non_null(hf_arena_new(&own[i].arena, HALF));
    hold_with(fixture, clients);
    submit_all(fixture, own, OWN_COUNT);
    submit_all(fixture, clients + 1, 2);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 3 + OWN_COUNT);
    assert_groups(fixture, (const size_t[]){ 1, 2, 2, 1 }, 4);
    assert_ptr_equal(fixture->order[1], &own[0]);
    assert_ptr_equal(fixture->order[2], &clients[1]);
    assert_ptr_equal(fixture->order[3], &own[1]);
    assert_ptr_equal(fixture->order[4], &clients[2]);
    submissions_free(clients, 3);
    submissions_free(own, OWN_COUNT);
}

/* A runtime's renewal overtakes a crowd of clients, and yet a quarter of the group stays theirs. */
static void test_runtimes_go_first_and_leave_clients_a_quarter(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *clients = submissions_new(fixture, 1 + 1500, true);
    struct hf__submission *own = submissions_new(fixture, 1000, false);
    hold_with(fixture, clients);
    submit_all(fixture, clients + 1, 1500);
    submit_all(fixture, own, 1000);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 2501);
    for (size_t i = 0; i < 768; i++) assert_ptr_equal(fixture->order[1 + i], &own[i]);
    for (size_t i = 0; i < 256; i++) assert_ptr_equal(fixture->order[769 + i], &clients[1 + i]);
    for (size_t i = 0; i < 232; i++) assert_ptr_equal(fixture->order[1025 + i], &own[768 + i]);
    assert_ptr_equal(fixture->order[2500], &clients[1500]);
    submissions_free(clients, 1 + 1500);
    submissions_free(own, 1000);
}

/* Runtimes alone fill a group to its end. */
static void test_runtimes_alone_fill_a_group(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *own = submissions_new(fixture, 1 + 1500, false);
    hold_with(fixture, own);
    submit_all(fixture, own + 1, 1500);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 1 + 1500);
    assert_groups(fixture, (const size_t[]){ 1, 1024, 476 }, 3);
    submissions_free(own, 1 + 1500);
}

/* Answers come in the order of the queue, across groups too. */
static void test_done_runs_in_the_order_of_the_commands(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *all = submissions_new(fixture, LARGE_COUNT, true);
    submit_all(fixture, all, LARGE_COUNT);
    wait_done(fixture, LARGE_COUNT);
    for (size_t i = 0; i < LARGE_COUNT; i++) assert_ptr_equal(fixture->order[i], &all[i]);
    submissions_free(all, LARGE_COUNT);
}

/* ---- refusing, withdrawing, closing --------------------------------------------------------- */

/* Clients meet the limit of what is in flight; runtimes, whose work is bounded elsewhere, do not;
 * room comes back. */
static void test_over_the_limit_clients_are_refused_and_runtimes_are_not(void **state)
{
    struct fixture *fixture = *state;
    hf_error error;
    struct hf__submission *all = submissions_new(fixture, 4097, true);
    struct hf__submission *own = submissions_new(fixture, 1, false);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, 4095);
    assert_status(hf__committer_submit(fixture->committer, &all[4096], &error), HF_BUSY);
    assert_non_null(strstr(error.message, "4096 commands are in flight"));
    submit_all(fixture, own, 1);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 4097);
    submit_all(fixture, all + 4096, 1);
    wait_done(fixture, 4098);
    submissions_free(all, 4097);
    submissions_free(own, 1);
}

/* Bytes are limited as commands are. */
static void test_over_the_limit_of_bytes_clients_are_refused(void **state)
{
    struct fixture *fixture = *state;
    hf_error error;
    enum { COUNT = 4, SIZE = 10 * 1024 * 1024 };
    struct hf__submission *all = submissions_new(fixture, 1 + COUNT, true);
    for (size_t i = 1; i <= COUNT; i++) assert_non_null(hf_arena_new(&all[i].arena, SIZE));
    hold_with(fixture, all);
    submit_all(fixture, all + 1, COUNT - 1);
    assert_status(hf__committer_submit(fixture->committer, &all[COUNT], &error), HF_BUSY);
    assert_non_null(strstr(error.message, "would pass the limit"));
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, COUNT);
    submit_all(fixture, all + COUNT, 1);
    wait_done(fixture, 1 + COUNT);
    submissions_free(all, 1 + COUNT);
}

/* What is queued can be taken back, and is then neither committed nor answered; what is in a group
 * cannot. */
static void test_withdraw_takes_back_only_what_is_not_begun(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *all = submissions_new(fixture, 4, true);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, 3);
    assert_false(hf__committer_withdraw(fixture->committer, &all[0]));
    assert_true(hf__committer_withdraw(fixture->committer, &all[2]));
    assert_false(hf__committer_withdraw(fixture->committer, &all[2]));
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 3);
    assert_groups(fixture, (const size_t[]){ 1, 2 }, 2);
    assert_ptr_equal(fixture->order[1], &all[1]);
    assert_ptr_equal(fixture->order[2], &all[3]);
    assert_false(hf__committer_withdraw(fixture->committer, &all[3]));
    submissions_free(all, 4);
}

static void free_committer(void *argument)
{
    struct fixture *fixture = argument;
    hf__committer_free(fixture->committer);
}

/* Whether the committer refuses what comes because it is closing. */
static bool is_closing(void *context)
{
    struct fixture *fixture = context;
    struct hf__submission *probe = submissions_new(fixture, 1, false);
    hf_status status = hf__committer_submit(fixture->committer, probe, NULL);
    if (status == HF_OK) assert_true(hf__committer_withdraw(fixture->committer, probe));
    submissions_free(probe, 1);
    return status == HF_CLOSED;
}

/* Closing answers everything that was accepted, and accepts nothing more. */
static void test_closing_drains_the_queue_and_refuses_what_comes(void **state)
{
    struct fixture *fixture = *state;
    uv_thread_t closer;
    struct hf__submission *all = submissions_new(fixture, 1 + LARGE_COUNT, true);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, LARGE_COUNT);
    assert_int_equal(uv_thread_create(&closer, free_committer, fixture), 0);
    assert_true(hf_test_wait(LIMIT_MS, fixture, is_closing));
    assert_int_equal(done_count(fixture), 0);
    hf_fake_let_go(&fixture->fake);
    uv_thread_join(&closer);
    fixture->committer = NULL;
    assert_int_equal(done_count(fixture), 1 + LARGE_COUNT);
    submissions_free(all, 1 + LARGE_COUNT);
}

/* A store that has failed answers every command with that, and is reported once. */
static void test_failed_store_answers_every_command(void **state)
{
    struct fixture *fixture = *state;
    hf_error error;
    struct hf__submission *all = submissions_new(fixture, 1 + SMALL_COUNT, true);
    hold_with(fixture, all);
    submit_all(fixture, all + 1, SMALL_COUNT);
    fixture->fake.fails_with = HF_STORE_FAILED;
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 1 + SMALL_COUNT);
    for (size_t i = 0; i <= SMALL_COUNT; i++) {
        assert_status(hf__submission_answer(&all[i], &error), HF_STORE_FAILED);
        assert_int_equal(error.status, HF_STORE_FAILED);
    }
    assert_int_equal(hf_fake_groups(&fixture->fake), 2);
    assert_int_equal(fixture->failed_logs_count, 1);
    submissions_free(all, 1 + SMALL_COUNT);
}

/* A chain: done submits its own submission again. */
struct chain {
    struct hf__submission submission;
    struct fixture *fixture;
    size_t left_count;
    size_t refused_count;
};

static void chain_done(struct hf__submission *submission)
{
    struct chain *chain = (struct chain *)submission;
    if (chain->left_count-- == 0) {
        submission->user = chain->fixture;
        note_done(submission);
        return;
    }
    hf__submission_reset(submission, HF_STORE_RECLAIM);
    hf_status status = hf__committer_submit(chain->fixture->committer, submission, NULL);
    if (status != HF_OK) chain->refused_count++;
}

/* When done runs the submission is its submitter's again. */
static void test_done_may_submit_the_same_submission_again(void **state)
{
    struct fixture *fixture = *state;
    struct chain chain = { .fixture = fixture, .left_count = 1000 };
    hf__submission_init(&chain.submission, hf_heap_default(), HF_STORE_RECLAIM);
    chain.submission.done = chain_done;
    submit_all(fixture, &chain.submission, 1);
    wait_done(fixture, 1);
    assert_int_equal(chain.refused_count, 0);
    assert_int_equal(hf_fake_groups(&fixture->fake), 1001);
    hf__submission_release(&chain.submission);
}

/* ---- joining and effects -------------------------------------------------------------------- */

enum { JOINERS_MAX = 80 };

/* A runtime as the committer sees one. */
struct listening {
    struct hf__listener listener; /* first */
    struct fixture *fixture;
    struct hf__submission *joiners;
    size_t joiners_count; /* that it wants in */
    size_t joined_count, refused_count, want_count;
    uint32_t want_effects; /* of the first want */
    uint32_t effects;      /* all that it was told */
    size_t told_count;
    size_t done_when_told; /* how many answers had been given */
};

static void listening_on_effects(struct hf__listener *self, uint32_t effects)
{
    struct listening *listening = (struct listening *)self;
    uv_mutex_lock(&listening->fixture->mutex);
    listening->effects |= effects;
    listening->told_count++;
    listening->done_when_told = listening->fixture->done_count;
    uv_mutex_unlock(&listening->fixture->mutex);
}

/* Half of what is left at each asking. */
static void listening_want(struct hf__listener *self, uint32_t effects,
                           struct hf__committer_group *group)
{
    struct listening *listening = (struct listening *)self;
    if (listening->want_count++ == 0) listening->want_effects = effects;
    size_t left_count = listening->joiners_count - listening->joined_count;
    for (size_t i = 0; i < (left_count + 1) / 2; i++) {
        struct hf__submission *next = &listening->joiners[listening->joined_count];
        if (!hf__committer_join(group, next)) {
            listening->refused_count++;
            return;
        }
        listening->joined_count++;
    }
}

static void listening_init(struct listening *self, struct fixture *fixture, size_t joiners_count)
{
    *self = (struct listening){ .listener = { .on_effects = listening_on_effects,
                                              .want = listening_want },
                                .fixture = fixture,
                                .joiners_count = joiners_count };
    self->joiners = submissions_new(fixture, JOINERS_MAX, false);
    for (size_t i = 0; i < JOINERS_MAX; i++) self->joiners[i].command.kind = HF_STORE_FETCH_TURNS;
    hf__effects_listen(fixture->effects, &self->listener);
}

static void listening_release(struct listening *self)
{
    hf__effects_leave(self->fixture->effects, &self->listener);
    submissions_free(self->joiners, JOINERS_MAX);
}

/* A start: it makes a turn due. */
static void start_fill(struct hf__submission *submission, const char *id)
{
    submission->command.kind = HF_STORE_START;
    submission->command.start = (struct hf_store_start){ .id = hf_text(id),
                                                         .orchestration = hf_text("fake") };
}

/* Waits until the listener was told `count` times. */
struct told {
    struct listening *listening;
    size_t count;
};

static bool is_told(void *context)
{
    struct told *told = context;
    uv_mutex_lock(&told->listening->fixture->mutex);
    bool is = told->listening->told_count >= told->count;
    uv_mutex_unlock(&told->listening->fixture->mutex);
    return is;
}

/* What a listener wants because of a command joins that command's transaction, and is answered
 * behind it. */
static void test_what_is_wanted_joins_the_same_commit(void **state)
{
    struct fixture *fixture = *state;
    struct listening listening;
    listening_init(&listening, fixture, 10);
    struct hf__submission *start = submissions_new(fixture, 1, true);
    start_fill(start, "a");
    submit_all(fixture, start, 1);
    wait_done(fixture, 11);
    struct told told = { &listening, 1 };
    assert_true(hf_test_wait(LIMIT_MS, &told, is_told));
    assert_int_equal(hf_fake_groups(&fixture->fake), 1);
    assert_int_equal(fixture->fake.groups[0].taken_count, 1);
    assert_int_equal(fixture->fake.groups[0].joined_count, 10);
    assert_int_equal(listening.want_effects, HF_EFFECT_TURNS_DUE);
    assert_int_equal(listening.want_count, 5); /* 5, 3, 1, 1 joined, and none */
    assert_ptr_equal(fixture->order[0], start);
    for (size_t i = 0; i < 10; i++) {
        assert_ptr_equal(fixture->order[1 + i], &listening.joiners[i]);
        assert_int_equal(listening.joiners[i].command.status, HF_OK);
    }
    listening_release(&listening);
    submissions_free(start, 1);
}

/* The places of those who join are bounded: who asks for more is refused, and nothing happens to
 * it. */
static void test_join_beyond_64_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct listening listening;
    listening_init(&listening, fixture, JOINERS_MAX);
    struct hf__submission *first = submissions_new(fixture, 1, true);
    submit_all(fixture, first, 1);
    wait_done(fixture, 65);
    assert_int_equal(listening.joined_count, HF__GROUP_JOINED_MAX);
    assert_true(listening.refused_count > 0);
    assert_int_equal(fixture->fake.groups[0].joined_count, HF__GROUP_JOINED_MAX);
    listening.joiners_count = listening.joined_count;
    listening_release(&listening);
    submissions_free(first, 1);
}

/* A full group of the queue still leaves its places to those who join. */
static void test_full_group_can_be_joined(void **state)
{
    struct fixture *fixture = *state;
    struct hf__submission *all = submissions_new(fixture, 1 + 1024, true);
    struct listening listening;
    hold_with(fixture, all);
    submit_all(fixture, all + 1, 1024);
    listening_init(&listening, fixture, HF__GROUP_JOINED_MAX);
    listening.joined_count = HF__GROUP_JOINED_MAX; /* nothing for the group of one */
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 1025);
    listening_release(&listening);

    hold_with(fixture, all);
    submit_all(fixture, all + 1, 1024);
    listening_init(&listening, fixture, HF__GROUP_JOINED_MAX);
    hf_fake_let_go(&fixture->fake);
    wait_done(fixture, 2 * 1025 + HF__GROUP_JOINED_MAX);
    assert_int_equal(listening.joined_count, HF__GROUP_JOINED_MAX);
    listening_release(&listening);
    submissions_free(all, 1 + 1024);
}

/* When a transaction is repeated command by command, what had joined is told to ask again. */
static void test_joined_of_a_repeated_transaction_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct listening listening;
    fixture->fake.repeats = true;
    listening_init(&listening, fixture, 1);
    struct hf__submission *first = submissions_new(fixture, 1, true);
    submit_all(fixture, first, 1);
    wait_done(fixture, 2);
    assert_int_equal(first->command.status, HF_OK);
    assert_int_equal(listening.joiners[0].command.status, HF_BUSY);
    listening_release(&listening);
    submissions_free(first, 1);
}

/* Listeners are told behind the answers, and not at all when nothing changed or the commit failed.
 */
static void test_effects_are_told_behind_the_answers(void **state)
{
    struct fixture *fixture = *state;
    struct listening listening;
    listening_init(&listening, fixture, 0);
    struct hf__submission *all = submissions_new(fixture, 4, true);
    submit_all(fixture, all, 1); /* changes nothing */
    wait_done(fixture, 1);
    fixture->fake.fails_with = HF_STORE_FAILED;
    submit_all(fixture, all + 1, 1); /* fails, whatever effects the batch has */
    wait_done(fixture, 2);
    fixture->fake.fails_with = HF_OK;
    start_fill(&all[2], "a");
    submit_all(fixture, all + 2, 1);
    struct told told = { &listening, 1 };
    assert_true(hf_test_wait(LIMIT_MS, &told, is_told));
    wait_done(fixture, 3);
    assert_int_equal(listening.told_count, 1);
    assert_int_equal(listening.effects, HF_EFFECT_TURNS_DUE);
    assert_int_equal(listening.done_when_told, 3);
    listening_release(&listening);
    submissions_free(all, 4);
}

/* Who has left hears nothing more. */
static void test_listener_that_left_is_not_called(void **state)
{
    struct fixture *fixture = *state;
    struct listening stays;
    struct listening leaves;
    listening_init(&stays, fixture, 0);
    listening_init(&leaves, fixture, 0);
    listening_release(&leaves);
    struct hf__submission *start = submissions_new(fixture, 1, true);
    start_fill(start, "a");
    submit_all(fixture, start, 1);
    struct told told = { &stays, 1 };
    assert_true(hf_test_wait(LIMIT_MS, &told, is_told));
    assert_int_equal(leaves.told_count + leaves.want_count, 0);
    listening_release(&stays);
    submissions_free(start, 1);
}

/* ---- many threads --------------------------------------------------------------------------- */

enum { THREADS_COUNT = 4, PER_THREAD_COUNT = 1500 };

struct submitting {
    struct fixture *fixture;
    struct hf__submission *all;
    size_t withdrawn_count, refused_count;
};

/* Submits all, and tries to take back every seventh. */
static void submitting_run(void *argument)
{
    struct submitting *self = argument;
    struct hf__committer *committer = self->fixture->committer;
    for (size_t i = 0; i < PER_THREAD_COUNT; i++) {
        if (hf__committer_submit(committer, &self->all[i], NULL) != HF_OK) self->refused_count++;
        bool takes_back = i % 7 == 0;
        if (takes_back && hf__committer_withdraw(committer, &self->all[i])) self->withdrawn_count++;
    }
}

/* Under contention every submission is either answered once or withdrawn, never both, never
 * neither. */
static void test_threads_each_submission_is_answered_or_withdrawn(void **state)
{
    struct fixture *fixture = *state;
    uv_thread_t threads[THREADS_COUNT];
    struct submitting each[THREADS_COUNT];
    size_t withdrawn_count = 0;
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        each[i] = (struct submitting){ .fixture = fixture,
                                       .all = submissions_new(fixture, PER_THREAD_COUNT, false) };
        assert_int_equal(uv_thread_create(&threads[i], submitting_run, &each[i]), 0);
    }
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        uv_thread_join(&threads[i]);
        assert_int_equal(each[i].refused_count, 0);
        withdrawn_count += each[i].withdrawn_count;
    }
    hf__committer_free(fixture->committer);
    fixture->committer = NULL;
    assert_int_equal(fixture->done_count + withdrawn_count, THREADS_COUNT * PER_THREAD_COUNT);
    for (size_t i = 0; i < THREADS_COUNT; i++) submissions_free(each[i].all, PER_THREAD_COUNT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_commands_that_gather_share_one_commit),
        CASE(test_group_takes_1024_commands_at_most),
        CASE(test_group_takes_8_mib_at_most),
        CASE(test_large_command_of_a_client_does_not_wait_for_an_empty_group),
        CASE(test_runtimes_go_first_and_leave_clients_a_quarter),
        CASE(test_runtimes_alone_fill_a_group),
        CASE(test_done_runs_in_the_order_of_the_commands),
        CASE(test_over_the_limit_clients_are_refused_and_runtimes_are_not),
        CASE(test_over_the_limit_of_bytes_clients_are_refused),
        CASE(test_withdraw_takes_back_only_what_is_not_begun),
        CASE(test_closing_drains_the_queue_and_refuses_what_comes),
        CASE(test_failed_store_answers_every_command),
        CASE(test_done_may_submit_the_same_submission_again),
        CASE(test_what_is_wanted_joins_the_same_commit),
        CASE(test_join_beyond_64_is_refused),
        CASE(test_full_group_can_be_joined),
        CASE(test_joined_of_a_repeated_transaction_is_busy),
        CASE(test_effects_are_told_behind_the_answers),
        CASE(test_listener_that_left_is_not_called),
        CASE(test_threads_each_submission_is_answered_or_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
