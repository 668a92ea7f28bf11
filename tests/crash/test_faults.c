/* Calls that fail: each that changes the store's files, in each way, once; and from then on for
 * ever. */
/* ctest-timeout: 900 */
#include "tests/crash/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/compiler.h"
#include "tests/crash/shim.h"
#include "tests/support/role.h"

/* Sanitizers make a process ten times as dear: there a part of the calls must do. */
enum { TRIES_MAX = 3, STRIDE = HF_ASAN || HF_TSAN ? 16 : 1 };

/* What the process with the failing disk was told to do. */
struct orders {
    const char *directory;
    struct shim_plan plan;
};

static const char *const fault_names[SHIM_FAULTS] = {
    [SHIM_EIO] = "EIO",     [SHIM_ENOSPC] = "ENOSPC",       [SHIM_EINTR] = "EINTR",
    [SHIM_SHORT] = "short", [SHIM_EIO_AFTER] = "EIO, done", [SHIM_FULL] = "full",
};

/* ---- the process with the failing disk ------------------------------------------------------- */

/* Says that a command or the opening was refused, for the disk's sake; fails the test if it was for
 * another. A fault that comes once leaves nothing in doubt. */
static void tell_refusal(const struct orders *orders, const struct workload *workload,
                         const char *what, hf_status status)
{
    char line[HF_ROLE_LINE_SIZE];
    bool may_doubt = orders->plan.is_sticky;
    bool is_fit = status == HF_IO || status == HF_DISK_FULL ||
                  (may_doubt && (status == HF_UNKNOWN || status == HF_STORE_FAILED));
    if (orders->plan.fault == SHIM_FULL) is_fit = status == HF_DISK_FULL;
    const char *message = workload->world.error.message;
    if (!is_fit || message[0] == '\0') {
        fail_msg("%s is %s: \"%s\"", what, hf_status_name(status), message);
    }
    snprintf(line, sizeof line, "refused %s: %s", what, hf_status_name(status));
    hf_role_print(line);
}

/* Whatever writing does, what is on the disk can be read. */
static void read_all(struct workload *workload)
{
    struct world *world = &workload->world;
    struct hf_store_totals totals;
    hf_status status = world->backend->ops->totals(world->backend, &world->arena, &totals,
                                                   &world->error);
    if (status != HF_STORE_FAILED) assert_ok(status, &world->error);
}

/* Takes a step, again while it is refused. False: it is refused for ever. */
static bool take_step(const struct orders *orders, struct workload *workload, size_t step)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        hf_status status = workload_step(workload, step);
        if (status == HF_OK) return true;
        tell_refusal(orders, workload, workload_step_name(step), status);
        read_all(workload);
        if (status == HF_STORE_FAILED) return false;
    }
    return false;
}

/* What was left of a failed creation: the error says that it may be removed. */
static void remove_half_a_store(const char *directory, const hf_error *error)
{
    char path[300];
    if (!strstr(error->message, "nothing was in it yet")) fail_msg("%s", error->message);
    snprintf(path, sizeof path, "%s/data.mdb", directory);
    assert_int_equal(unlink(path), 0);
}

static bool open_store(const struct orders *orders, struct workload *workload)
{
    uint64_t random_state = workload->world.random_state;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        workload->world.random_state = random_state; /* of the id of the store */
        hf_status status = world_try_open(&workload->world);
        if (status == HF_OK) return true;
        if (status == HF_NOT_A_STORE) {
            remove_half_a_store(orders->directory, &workload->world.error);
        } else {
            tell_refusal(orders, workload, "opening", status);
        }
    }
    return false;
}

static int role_works(const struct orders *orders)
{
    struct workload workload;
    char line[HF_ROLE_LINE_SIZE];
    bool goes_on = true;
    shim_start(orders->directory, &orders->plan, -1);
    workload_init(&workload, orders->directory, HF_DURABLE_FULL);
    if (!open_store(orders, &workload)) return 0;
    for (size_t step = 0; goes_on && step < workload_steps_count(); step++) {
        goes_on = take_step(orders, &workload, step);
        snprintf(line, sizeof line, "%zu", step + 1);
        if (goes_on) hf_role_print(line);
    }
    world_leave(&workload.world);
    return 0;
}

/* ---- the judge ------------------------------------------------------------------------------ */

struct outcome {
    size_t acked; /* steps */
    size_t refusals_count;
};

static struct outcome run_with(const struct orders *orders)
{
    struct hf_role role;
    struct outcome outcome = { 0, 0 };
    char words[3][32];
    snprintf(words[0], sizeof words[0], "%d", orders->plan.fault);
    snprintf(words[1], sizeof words[1], "%llu", (unsigned long long)orders->plan.at);
    snprintf(words[2], sizeof words[2], "%d", orders->plan.is_sticky);
    hf_role_start(&role,
                  (const char *const[]){ orders->directory, words[0], words[1], words[2], NULL });
    while (hf_role_hear_any(&role)) {
        bool is_refusal = strncmp(role.line, "refused", strlen("refused")) == 0;
        outcome.refusals_count += is_refusal;
        if (!is_refusal) outcome.acked = strtoul(role.line, NULL, 10);
    }
    int status = hf_role_finish(&role);
    if (status == 0) return outcome;
    fail_msg("%s at call %s ended the process: %d", fault_names[orders->plan.fault], words[1],
             status);
    return outcome;
}

/* Runs the workload once for each call that can fail. Returns how many commands and openings were
 * refused. */
static size_t fail_each(const struct reference *reference, enum shim_fault fault, bool is_sticky)
{
    size_t refusals_count = 0;
    for (uint64_t at = 1; at <= reference->calls_count; at += STRIDE) {
        struct hf_test_directory directory;
        hf_test_directory_make(&directory);
        const struct orders orders = { directory.path, { fault, at, is_sticky } };
        struct outcome outcome = run_with(&orders);
        if (!is_sticky) assert_int_equal(outcome.acked, workload_steps_count());
        workload_judge(reference, directory.path, outcome.acked);
        hf_test_directory_remove(&directory);
        refusals_count += outcome.refusals_count;
    }
    print_message("%-9s %-8s %llu calls, %zu refusals\n", fault_names[fault],
                  is_sticky ? "for ever" : "once", (unsigned long long)reference->calls_count,
                  refusals_count);
    return refusals_count;
}

/* What failed has left the store as it was; when the cause is gone the same command works, and
 * nothing is there twice. */
static void store_beyond_9_failed_operation_leaves_the_store_as_it_was(void **state)
{
    struct reference reference;
    (void)state;
    reference_make(&reference, HF_DURABLE_FULL);
    assert_true(fail_each(&reference, SHIM_EIO, false) * STRIDE > 20);
    assert_true(fail_each(&reference, SHIM_ENOSPC, false) * STRIDE > 20);
    assert_true(fail_each(&reference, SHIM_SHORT, false) * STRIDE > 20);
    assert_true(fail_each(&reference, SHIM_EIO_AFTER, false) * STRIDE > 20);
    fail_each(&reference, SHIM_EINTR, false);
}

/* A disk that is full is told as such, also where LMDB says EIO of what it could not write whole.
 */
static void test_full_disk_is_told_as_such(void **state)
{
    struct reference reference;
    (void)state;
    reference_make(&reference, HF_DURABLE_FULL);
    assert_true(fail_each(&reference, SHIM_FULL, false) * STRIDE > 20);
}

/* From some call on all fail: the store says so, what was acknowledged stays, and it can be opened
 * when the disk is well again. */
static void test_disk_that_fails_for_ever_loses_nothing(void **state)
{
    struct reference reference;
    (void)state;
    reference_make(&reference, HF_DURABLE_FULL);
    assert_true(fail_each(&reference, SHIM_EIO, true) * STRIDE >= reference.calls_count);
    assert_true(fail_each(&reference, SHIM_ENOSPC, true) * STRIDE >= reference.calls_count);
}

int main(int count, char **words)
{
    if (count > 5 && strcmp(words[1], "--role") == 0) {
        return role_works(&(struct orders){ words[2],
                                            { .fault = (enum shim_fault)atoi(words[3]),
                                              .at = strtoull(words[4], NULL, 10),
                                              .is_sticky = atoi(words[5]) } });
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_beyond_9_failed_operation_leaves_the_store_as_it_was),
        cmocka_unit_test(test_full_disk_is_told_as_such),
        cmocka_unit_test(test_disk_that_fails_for_ever_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
