/* The end of the process before and after every call that changes the store's files. */
/* ctest-timeout: 600 */
#include "tests/crash/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/compiler.h"
#include "tests/crash/shim.h"
#include "tests/support/role.h"

/* Sanitizers make a process ten times as dear: there a part of the calls must do. */
enum { STRIDE = HF_ASAN || HF_TSAN ? 8 : 1 };

/* Takes the steps, and says how far it is: the shim ends the process somewhere. */
static int role_works(const char *directory, int fault, uint64_t at)
{
    struct workload workload;
    char line[HF_ROLE_LINE_SIZE];
    shim_start(directory, &(struct shim_plan){ .fault = (enum shim_fault)fault, .at = at }, -1);
    workload_init(&workload, directory, HF_DURABLE_FULL);
    world_open(&workload.world);
    for (size_t step = 0; step < workload_steps_count(); step++) {
        assert_ok(workload_step(&workload, step), &workload.world.error);
        snprintf(line, sizeof line, "%zu", step + 1);
        hf_role_print(line);
    }
    world_leave(&workload.world);
    return 0;
}

/* Runs the workload in a process that ends at that call; returns how many steps it acknowledged. */
static size_t run_until(const char *directory, enum shim_fault fault, uint64_t at)
{
    struct hf_role role;
    char fault_text[32], at_text[32];
    size_t acked = 0;
    snprintf(fault_text, sizeof fault_text, "%d", fault);
    snprintf(at_text, sizeof at_text, "%llu", (unsigned long long)at);
    hf_role_start(&role, (const char *const[]){ directory, fault_text, at_text, NULL });
    while (hf_role_hear_any(&role)) acked = strtoul(role.line, NULL, 10);
    assert_int_equal(hf_role_finish(&role), SHIM_EXIT_STATUS);
    return acked;
}

/* The command that was under way has happened whole or not at all, each acknowledged one once, the
 * indexes are the fold of the log, and work goes on. */
static void store_beyond_11_exit_at_every_call_leaves_whole_commands(void **state)
{
    struct reference reference;
    (void)state;
    reference_make(&reference, HF_DURABLE_FULL);
    for (uint64_t at = 1; at <= reference.calls_count; at += STRIDE) {
        for (enum shim_fault fault = SHIM_EXIT_BEFORE; fault <= SHIM_EXIT_AFTER; fault++) {
            struct hf_test_directory directory;
            hf_test_directory_make(&directory);
            workload_judge(&reference, directory.path, run_until(directory.path, fault, at));
            hf_test_directory_remove(&directory);
        }
    }
    print_message("%llu calls, an end before and after %s\n",
                  (unsigned long long)reference.calls_count, STRIDE == 1 ? "each" : "some");
    assert_true(reference.calls_count > 50);
}

int main(int count, char **words)
{
    if (count > 4 && strcmp(words[1], "--role") == 0) {
        return role_works(words[2], atoi(words[3]), strtoull(words[4], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_beyond_11_exit_at_every_call_leaves_whole_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
