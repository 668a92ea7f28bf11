/* Committing: what is answered is what is in the store, whatever fails on the way. */
#include "tests/unit/logstore/store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- a group of starts and messages -------------------------------------------------------- */

enum { GROUP_COUNT = 5 };

/* Commands of one batch: four starts, and a message to the first. */
struct group_part {
    struct hf_store_command commands[GROUP_COUNT];
    struct hf_store_command *pointers[GROUP_COUNT];
    struct hf_batch batch;
    hf_error error;
};

static const char *const group_ids[GROUP_COUNT - 1] = { "g-0", "g-1", "g-2", "g-3" };

static void group_make(struct group_part *self, struct store_part *store)
{
    memset(self, 0, sizeof *self);
    for (size_t i = 0; i < GROUP_COUNT - 1; i++) self->commands[i] = command_start(group_ids[i]);
    self->commands[GROUP_COUNT - 1] = command_message(store, group_ids[0], 100);
    for (size_t i = 0; i < GROUP_COUNT; i++) self->pointers[i] = &self->commands[i];
    self->batch = (struct hf_batch){ .commands = self->pointers, .count = GROUP_COUNT };
}

static hf_status group_commit(struct group_part *self, struct store_part *store)
{
    return store->backend->ops->commit(store->backend, &self->batch, &self->error);
}

/* Whether there is an instance of that id. */
static bool has_instance(struct store_part *store, const char *id)
{
    struct hf_instance_info info;
    hf_error error = { 0 };
    hf_status status = store->backend->ops->instance(store->backend, hf_text(id), &store->arena,
                                                     &info, &error);
    if (status != HF_NOT_FOUND) assert_ok(status, &error);
    return status == HF_OK;
}

static size_t messages_count(struct store_part *store, const char *id)
{
    struct hf_instance_info info;
    struct hf_turn_view view;
    hf_error error = { 0 };
    assert_ok(
        store->backend->ops->instance(store->backend, hf_text(id), &store->arena, &info, &error),
        &error);
    struct hf_item_id from = { info.number, 1, 1 };
    assert_ok(store->backend->ops->turn_view(store->backend, &from, &store->arena, &view, &error),
              &error);
    return view.messages_count;
}

/* Each answer of the group is the truth: done is there, refused is not. */
static void group_must_agree(const struct group_part *self, struct store_part *store)
{
    for (size_t i = 0; i < GROUP_COUNT - 1; i++) {
        assert_int_equal(self->commands[i].status == HF_OK, has_instance(store, group_ids[i]));
        if (self->commands[i].status == HF_OK) assert_true(self->commands[i].lsn > 0);
    }
    if (!has_instance(store, group_ids[0])) return;
    bool is_done = self->commands[GROUP_COUNT - 1].status == HF_OK;
    assert_int_equal(messages_count(store, group_ids[0]), is_done ? 1 : 0);
}

/* ---- without failures ---------------------------------------------------------------------- */

/* A filled store is what its log says, in every hard table. */
static void test_filled_store_is_the_fold_of_its_log(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    store_must_verify(self);
    struct findings found = store_must_find(self);
    assert_int_equal(found.summary.instances, 5);
    assert_true(found.summary.records > 10);
}

/* What a scenario made is the same after the store was closed and opened. */
static void test_store_is_the_same_after_reopening(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    uint64_t before = store_must_hash(self);
    store_close(self);
    store_must_open(self);
    assert_int_equal(store_must_hash(self), before);
    store_must_verify(self);
}

/* A batch is one transaction: one commit, in which each command sees the former ones. */
static void test_a_batch_is_one_commit_and_sees_itself(void **state)
{
    struct store_part *self = *state;
    struct group_part group;
    struct hf_store_counters before, after;
    self->backend->ops->counters(self->backend, &before);
    group_make(&group, self);
    assert_ok(group_commit(&group, self), &group.error);
    group_must_agree(&group, self);
    self->backend->ops->counters(self->backend, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.commands - before.commands, GROUP_COUNT);
    assert_int_equal(after.records - before.records, GROUP_COUNT);
    for (size_t i = 1; i < GROUP_COUNT; i++) {
        assert_int_equal(group.commands[i].lsn, group.commands[i - 1].lsn + 1);
    }
    assert_true(group.batch.effects & HF_EFFECT_TURNS_DUE);
}

/* A refused command leaves no trace and disturbs no other of its group. */
static void test_a_refused_command_disturbs_no_other(void **state)
{
    struct store_part *self = *state;
    struct group_part group;
    store_must_start(self, group_ids[1]);
    group_make(&group, self);
    assert_ok(group_commit(&group, self), &group.error);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        assert_int_equal(group.commands[i].status, i == 1 ? HF_EXISTS : HF_OK);
    }
    assert_int_equal(group.commands[1].lsn, 0);
    store_must_verify(self);
}

/* A batch in which nothing is written costs no commit, and no LSN. */
static void test_nothing_written_is_no_commit(void **state)
{
    struct store_part *self = *state;
    struct hf_store_counters before, after;
    store_must_start(self, "a");
    self->backend->ops->counters(self->backend, &before);
    uint64_t hash = store_must_hash(self);
    struct hf_store_command again = command_start("a");
    assert_status(store_commit(self, &again), HF_EXISTS);
    struct hf_store_command timers = { .kind = HF_STORE_FIRE_TIMERS,
                                       .fire_timers = { .timers_max = 10 } };
    store_must_commit(self, &timers);
    self->backend->ops->counters(self->backend, &after);
    assert_int_equal(after.commits, before.commits);
    assert_int_equal(after.refusals - before.refusals, 1);
    assert_int_equal(store_must_hash(self), hash);
}

/* What `more` appends is in the same commit, and `more` is asked until it appends nothing. */
struct more_part {
    struct hf_store_command commands[3];
    struct hf_store_command *pointers[3];
    uint32_t effects_seen;
    int calls_count;
};

static void more_append(void *context, struct hf_batch *batch)
{
    struct more_part *self = context;
    self->effects_seen = batch->effects;
    self->calls_count++;
    if (batch->count == HF_COUNT_OF(self->commands)) return;
    batch->count++;
}

static void more_make(struct more_part *self, struct hf_batch *batch)
{
    static const char *const ids[] = { "m-0", "m-1", "m-2" };
    memset(self, 0, sizeof *self);
    for (size_t i = 0; i < HF_COUNT_OF(self->commands); i++) {
        self->commands[i] = command_start(ids[i]);
        self->pointers[i] = &self->commands[i];
    }
    *batch = (struct hf_batch){
        .commands = self->pointers, .count = 1, .more = more_append, .self = self
    };
}

static void test_more_appends_to_the_same_commit(void **state)
{
    struct store_part *self = *state;
    struct more_part more;
    struct hf_batch batch;
    hf_error error = { 0 };
    struct hf_store_counters before, after;
    more_make(&more, &batch);
    self->backend->ops->counters(self->backend, &before);
    assert_ok(self->backend->ops->commit(self->backend, &batch, &error), &error);
    self->backend->ops->counters(self->backend, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(more.calls_count, 3);
    assert_true(more.effects_seen & HF_EFFECT_TURNS_DUE);
    for (size_t i = 0; i < 3; i++) assert_int_equal(more.commands[i].status, HF_OK);
    store_must_verify(self);
}

/* When the transaction fails, what `more` had appended is answered HF_BUSY, not repeated. */
static void test_failed_group_answers_busy_to_what_more_appended(void **state)
{
    struct store_part *self = *state;
    struct more_part more;
    struct hf_batch batch;
    hf_error error = { 0 };
    more_make(&more, &batch);
    seams_part_fail(&self->seams, HF_FAULT_COMMIT_BEFORE, 1, EIO);
    assert_ok(self->backend->ops->commit(self->backend, &batch, &error), &error);
    assert_int_equal(more.commands[0].status, HF_OK);
    assert_int_equal(more.commands[1].status, HF_BUSY);
    assert_int_equal(more.commands[2].status, HF_BUSY);
    assert_false(has_instance(self, "m-1"));
    store_must_verify(self);
}

/* ---- failures injected --------------------------------------------------------------------- */

/* Lets each passing of a point fail in turn, once, while a group is committed, until a run injects
 * nothing: the answers are always the truth, the store is always whole, and since the failure does
 * not come again each command is done at the latest alone. */
static void must_survive(struct store_part *self, enum hf_fault_point point, int code,
                         bool begins_alone)
{
    for (uint64_t nth = 1;; nth++) {
        struct group_part group;
        store_close(self);
        hf_test_directory_remove(&self->directory);
        hf_test_directory_make(&self->directory);
        hf_test_directory_join(&self->directory, "store", self->path, sizeof self->path);
        store_must_open(self);
        store_must_start(self, "before");
        group_make(&group, self);
        seams_part_fail(&self->seams, point, nth, code);
        assert_ok(group_commit(&group, self), &group.error);
        bool is_injected = self->seams.faults_count > 0;
        self->seams.fault_point = 0;
        group_must_agree(&group, self);
        for (size_t i = 0; i < GROUP_COUNT && !begins_alone; i++) {
            assert_int_equal(group.commands[i].status, HF_OK);
        }
        store_must_verify(self);
        store_close(self);
        store_must_open(self);
        group_must_agree(&group, self);
        store_must_verify(self);
        if (!is_injected) {
            assert_true(nth > 1);
            break;
        }
    }
}

/* A write transaction that cannot begin refuses its commands, and nothing is done. */
static void test_failing_begin_leaves_answers_true(void **state)
{
    must_survive(*state, HF_FAULT_TXN_BEGIN, EIO, true);
}

/* A row that cannot be written costs no command that can be repeated. */
static void test_failing_put_leaves_answers_true(void **state)
{
    must_survive(*state, HF_FAULT_PUT, EIO, false);
}

/* A row that cannot be read refuses what needs it, or is repeated. */
static void test_failing_read_leaves_answers_true(void **state)
{
    must_survive(*state, HF_FAULT_READ, EIO, true);
}

/* A commit that fails before anything is written is repeated. */
static void test_failing_commit_leaves_answers_true(void **state)
{
    must_survive(*state, HF_FAULT_COMMIT_BEFORE, EIO, false);
}

/* A commit whose answer is lost is looked up: done is done, and nothing is done twice. */
static void test_lost_answer_of_a_commit_is_looked_up(void **state)
{
    must_survive(*state, HF_FAULT_COMMIT_AFTER, EIO, false);
}

/* A full disk that has room again is an error of one moment. */
static void test_full_disk_leaves_answers_true(void **state)
{
    must_survive(*state, HF_FAULT_PUT, ENOSPC, false);
}

/* Deletes fail as puts do: a turn is fetched, which takes its row of turns_due away. */
static void test_failing_delete_leaves_answers_true(void **state)
{
    struct store_part *self = *state;
    bool is_injected = true;
    store_must_fill(self);
    uint64_t registration = store_must_register(self, "other");
    for (uint64_t nth = 1; is_injected; nth++) {
        char id[16];
        snprintf(id, sizeof id, "d-%u", (unsigned)nth);
        store_must_start(self, id);
        struct hf_store_command command = {
            .kind = HF_STORE_FETCH_TURNS,
            .fetch_turns = { .registration = registration,
                             .engine_version_max = 10,
                             .turns_max = 50 },
        };
        uint64_t before = store_must_hash(self);
        seams_part_fail(&self->seams, HF_FAULT_DELETE, nth, EIO);
        hf_status status = store_commit(self, &command);
        is_injected = self->seams.faults_count > 0;
        self->seams.fault_point = 0;
        assert_int_equal(status, is_injected ? HF_IO : HF_OK);
        if (is_injected) assert_int_equal(store_must_hash(self), before);
        store_must_verify(self);
        assert_true(nth > 1 || is_injected);
    }
}

/* A command that fails whenever it is run is refused alone; the rest of its group is done. */
static void test_only_the_culprit_of_a_group_is_refused(void **state)
{
    struct store_part *self = *state;
    struct group_part group;
    group_make(&group, self);
    /* Larger than the map: this one can never be put. */
    store_close(self);
    self->options.map_size_max = 4 * 1024 * 1024;
    store_must_open(self);
    store_must_start(self, "target");
    group.commands[2] = command_message(self, "target", 8 * 1024 * 1024);
    assert_ok(group_commit(&group, self), &group.error);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        assert_int_equal(group.commands[i].status, i == 2 ? HF_DISK_FULL : HF_OK);
    }
    assert_non_null(strstr(group.commands[2].error.message, "MDB_MAP_FULL"));
    assert_int_equal(messages_count(self, "target"), 0);
    store_must_verify(self);
}

/* When the store cannot be opened again after a doubtful commit, it has failed for ever, says so to
 * every command, and only close works; what was committed is there at the next open. */
static void data_hide(void *context)
{
    struct store_part *self = context;
    char from[320], to[320];
    snprintf(from, sizeof from, "%s/data.mdb", self->path);
    snprintf(to, sizeof to, "%s/data.hidden", self->path);
    if (rename(from, to) != 0) self->path[0] = '\0';
}

static void test_store_that_cannot_be_reopened_has_failed(void **state)
{
    struct store_part *self = *state;
    struct group_part group;
    char from[320], to[320];
    struct hf_instance_info info;
    group_make(&group, self);
    seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
    self->seams.on_fault = data_hide;
    self->seams.on_fault_context = self;
    assert_status(group_commit(&group, self), HF_STORE_FAILED);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        assert_int_equal(group.commands[i].status, HF_STORE_FAILED);
    }
    struct hf_store_command start = command_start("late");
    assert_status(store_commit(self, &start), HF_STORE_FAILED);
    assert_status(self->backend->ops->instance(self->backend, hf_text("g-0"), &self->arena, &info,
                                               &group.error),
                  HF_STORE_FAILED);
    store_close(self);
    snprintf(from, sizeof from, "%s/data.hidden", self->path);
    snprintf(to, sizeof to, "%s/data.mdb", self->path);
    assert_int_equal(access(to, F_OK), -1); /* no new file was made in its place */
    assert_int_equal(rename(from, to), 0);
    store_must_open(self);
    for (size_t i = 0; i < GROUP_COUNT - 1; i++) assert_true(has_instance(self, group_ids[i]));
    store_must_verify(self);
}

/* The look for the outcome fails, too: opening worked, reading does not. */
static void begin_fail(void *context)
{
    struct store_part *self = context;
    self->seams.on_fault = NULL;
    seams_part_fail(&self->seams, HF_FAULT_TXN_BEGIN, 1, EIO);
}

/* Nobody knows then what became of the group: the store is of no use until it is opened again. */
static void test_store_whose_outcome_cannot_be_read_has_failed(void **state)
{
    struct store_part *self = *state;
    struct group_part group;
    group_make(&group, self);
    seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
    self->seams.on_fault = begin_fail;
    self->seams.on_fault_context = self;
    assert_status(group_commit(&group, self), HF_STORE_FAILED);
    struct hf_store_command start = command_start("late");
    assert_status(store_commit(self, &start), HF_STORE_FAILED);
    store_close(self);
    store_must_open(self);
    for (size_t i = 0; i < GROUP_COUNT - 1; i++) assert_true(has_instance(self, group_ids[i]));
    assert_false(has_instance(self, "late"));
    store_must_verify(self);
}

/* ---- room ---------------------------------------------------------------------------------- */

/* A map that fills up refuses new work with HF_DISK_FULL, keeps what it has, and still has room for
 * what ends work. */
static void test_full_map_keeps_a_reserve_for_what_ends_work(void **state)
{
    struct store_part *self = *state;
    store_close(self);
    self->options.map_size_max = 4 * 1024 * 1024;
    store_must_open(self);
    store_must_fill(self);
    uint64_t registration = store_must_register(self, "late");
    struct hf_store_fetch_items fetch = { .registration = registration,
                                          .items_max = 1,
                                          .no_sessions = true };
    struct hf_store_command command = { .kind = HF_STORE_FETCH_ITEMS, .fetch_items = fetch };
    store_must_commit(self, &command);
    assert_int_equal(command.fetch_items.out_items_count, 1);
    struct hf_item_token token = command.fetch_items.out_items[0].token;
    hf_status status = HF_OK;
    for (int i = 0; i < 1000 && status == HF_OK; i++) {
        struct hf_store_command message = command_message(self, "rich", 50000);
        status = store_commit(self, &message);
    }
    assert_status(status, HF_DISK_FULL);
    struct hf_store_command start = command_start("no-room");
    assert_status(store_commit(self, &start), HF_DISK_FULL);
    assert_non_null(strstr(start.error.message, "map_size_max"));
    struct hf_store_command complete = {
        .kind = HF_STORE_COMPLETE_ITEM,
        .complete_item = { .token = token, .registration = registration, .body = HF_SLICE("r") },
    };
    store_must_commit(self, &complete);
    struct hf_store_command terminate = {
        .kind = HF_STORE_TERMINATE, .terminate = { .id = HF_SLICE("rich"), .body = HF_SLICE("t") }
    };
    store_must_commit(self, &terminate);
    store_must_verify(self);
    store_close(self);
    self->options.map_size_max = 16 * 1024 * 1024;
    store_must_open(self);
    store_must_start(self, "no-room");
    store_must_verify(self);
}

static off_t data_size(const struct store_part *self)
{
    char path[320];
    snprintf(path, sizeof path, "%s/data.mdb", self->path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseeko(file, 0, SEEK_END), 0);
    off_t size = ftello(file);
    fclose(file);
    return size;
}

/* The data file grows by whole steps of zeros, and stays a good store. */
static void test_data_file_grows_by_whole_steps(void **state)
{
    struct store_part *self = *state;
    const uint64_t step = 1024 * 1024;
    store_close(self);
    self->options.preallocate_size = step;
    store_must_open(self);
    assert_int_equal((uint64_t)data_size(self) % step, 0);
    store_must_fill(self);
    for (int i = 0; i < 20; i++) {
        struct hf_store_command message = command_message(self, "rich", 300000);
        store_must_commit(self, &message);
        assert_int_equal((uint64_t)data_size(self) % step, 0);
    }
    assert_true((uint64_t)data_size(self) > 6 * step);
    store_must_verify(self);
    store_close(self);
    store_must_open(self);
    store_must_verify(self);
}

/* Growing that fails is no failure of a command. */
static void test_failing_preallocation_costs_no_command(void **state)
{
    struct store_part *self = *state;
    store_close(self);
    self->options.preallocate_size = 256 * 1024;
    seams_part_fail(&self->seams, HF_FAULT_PREALLOCATE, 1, ENOSPC);
    store_must_open(self);
    assert_int_equal(self->seams.faults_count, 1);
    assert_string_equal(self->seams.last_event, "store.preallocate");
    store_must_start(self, "a");
    store_must_verify(self);
}

static void count_preallocations(void *context, const hf_log_line *line)
{
    int *count = context;
    if (strcmp(line->event, "store.preallocate") == 0) ++*count;
}

/* The largest size that files may get: the disk's end, for this process. */
static void size_limit_set(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A step that ends halfway gives back what it took, is told once however many commits follow, and
 * is tried again: when there is room it goes well, and a later failure is news. */
static void test_failed_preallocation_gives_back_and_is_told_once(void **state)
{
    enum { COMMITS_COUNT = 200, STEP = 8 << 20 };
    struct store_part *self = *state;
    int told_count = 0;
    self->seams.on_log = count_preallocations;
    self->seams.on_log_context = &told_count;
    store_must_start(self, "a");
    store_close(self);
    off_t before = data_size(self);
    self->options.preallocate_size = STEP;
    void (*former)(int) = signal(SIGXFSZ, SIG_IGN);
    size_limit_set((rlim_t)before + STEP / 2);
    store_must_open(self);
    for (int i = 0; i < COMMITS_COUNT; i++) {
        struct hf_store_command message = command_message(self, "a", 100);
        store_must_commit(self, &message);
    }
    assert_int_equal(told_count, 1);
    assert_true(data_size(self) < before + STEP / 4); /* what LMDB has written itself */
    size_limit_set(RLIM_INFINITY);
    for (int i = 0; i < COMMITS_COUNT; i++) {
        struct hf_store_command message = command_message(self, "a", 100);
        store_must_commit(self, &message);
    }
    signal(SIGXFSZ, former);
    assert_int_equal((uint64_t)data_size(self) % STEP, 0);
    assert_int_equal(told_count, 1);
    store_must_verify(self);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_filled_store_is_the_fold_of_its_log),
        CASE(test_store_is_the_same_after_reopening),
        CASE(test_a_batch_is_one_commit_and_sees_itself),
        CASE(test_a_refused_command_disturbs_no_other),
        CASE(test_nothing_written_is_no_commit),
        CASE(test_more_appends_to_the_same_commit),
        CASE(test_failed_group_answers_busy_to_what_more_appended),
        CASE(test_failing_begin_leaves_answers_true),
        CASE(test_failing_put_leaves_answers_true),
        CASE(test_failing_read_leaves_answers_true),
        CASE(test_failing_commit_leaves_answers_true),
        CASE(test_lost_answer_of_a_commit_is_looked_up),
        CASE(test_full_disk_leaves_answers_true),
        CASE(test_failing_delete_leaves_answers_true),
        CASE(test_only_the_culprit_of_a_group_is_refused),
        CASE(test_store_that_cannot_be_reopened_has_failed),
        CASE(test_store_whose_outcome_cannot_be_read_has_failed),
        CASE(test_full_map_keeps_a_reserve_for_what_ends_work),
        CASE(test_data_file_grows_by_whole_steps),
        CASE(test_failing_preallocation_costs_no_command),
        CASE(test_failed_preallocation_gives_back_and_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
