/* `holdfast demo`, as a user calls it: the play, a small soak, and what it says of wrong options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/support/hf_test.h"

enum { OUTPUT_SIZE = 64 * 1024 };

/* One run of the command: what it printed on both channels, and its exit status. */
struct run {
    struct hf_test_directory directory; /* for the stores that it leaves behind */
    char output[OUTPUT_SIZE];
    int exit_status;
};

static void run_demo(struct run *run, const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "TMPDIR='%s' '%s' demo %s 2>&1", run->directory.path,
             HOLDFAST_COMMAND, arguments);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    size_t size = fread(run->output, 1, sizeof run->output - 1, from);
    run->output[size] = '\0';
    int status = pclose(from);
    assert_true(WIFEXITED(status));
    run->exit_status = WEXITSTATUS(status);
}

/* Fails the test, and shows the output, unless the run ended so and said so. */
static void assert_run(const struct run *run, int exit_status, const char *said)
{
    if (run->exit_status == exit_status && strstr(run->output, said)) return;
    fail_msg("status %d instead of %d, or no \"%s\" in:\n%s", run->exit_status, exit_status, said,
             run->output);
}

static int run_setup(void **state)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    hf_test_directory_make(&run->directory);
    *state = run;
    return 0;
}

static int run_teardown(void **state)
{
    struct run *run = *state;
    hf_test_directory_remove(&run->directory);
    free(run);
    return 0;
}

/* The play: one of two workers is killed, and all three counts are right. */
static void test_demo_ends_with_equal_counts(void **state)
{
    struct run *run = *state;
    run_demo(run, HOLDFAST_SOURCE_DIR "/LICENSE");
    assert_run(run, 0, "\ndemo: ok\n");
    assert_run(run, 0, "conversation-3: 21 lines, 170 words, as counted without holdfast\n");
    assert_run(run, 0, " ends: dead\n");
}

/* The soak: each worker is killed twice at least, and started again; the counts are right. */
static void test_soak_ends_with_equal_counts(void **state)
{
    struct run *run = *state;
    uint64_t kills = 0, deaths = 0;
    run_demo(run, "--kill-every 500ms --conversations 6 --lines " HOLDFAST_SOURCE_DIR "/README.md");
    assert_run(run, 0, "\nsoak: ok: 6 conversations counted right through ");
    assert_run(run, 0, "\n6 conversations, 600 lines, ");
    const char *counts = strstr(run->output, "\nkills ");
    assert_non_null(counts);
    assert_int_equal(
        sscanf(counts, "\nkills %" SCNu64 ", deaths in the log %" SCNu64, &kills, &deaths), 2);
    assert_true(kills >= 6);
    assert_int_equal(deaths, kills);
}

/* Wrong options are refused, each with what would be right. */
static void test_wrong_options_are_refused(void **state)
{
    static const struct {
        const char *arguments, *said;
    } cases[] = {
        { "--kill-every 2", "--kill-every wants a time from 100ms to 1h" },
        { "--kill-every 99ms", "not 99ms" },
        { "--kill-every 2h", "not 2h" },
        { "--kill-every", "not nothing" },
        { "--kill-every 1s --conversations 0", "--conversations wants a number from 1 to 1000" },
        { "--kill-every 1s --conversations 1001", "not 1001" },
        { "--conversations 2", "give --kill-every too" },
        { "--lines a b", "the text is given twice" },
        { "--count 2", "demo has no option or room for --count" },
    };
    struct run *run = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_demo(run, cases[i].arguments);
        assert_run(run, 2, cases[i].said);
    }
}

/* A text that is none fails the soak; help is no error. */
static void test_missing_text_fails(void **state)
{
    struct run *run = *state;
    run_demo(run, "--kill-every 1s --lines /nowhere");
    assert_run(run, 1, "/nowhere: cannot be read as a file");
    run_demo(run, "--help");
    assert_run(run, 0, "--kill-every TIME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_demo_ends_with_equal_counts, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(test_soak_ends_with_equal_counts, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_options_are_refused, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(test_missing_text_fails, run_setup, run_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
