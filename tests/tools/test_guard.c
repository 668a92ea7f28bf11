/* The guard of `holdfast`: what becomes of a reading that never ends by itself, since damaged pages
 * can send LMDB round in circles. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/support/hf_test.h"
#include "tools/tool.h"

static int reading_in_circles(const struct tool_arguments *arguments)
{
    volatile uint64_t round = 0;
    (void)arguments;
    for (;;) round++;
    return 0;
}

/* It ends by itself, with the status of a failure, and leaves no process. Takes five seconds. */
static void test_reading_in_circles_ends(void **state)
{
    struct hf_test_directory directory;
    char path[300];
    (void)state;
    hf_test_directory_make(&directory);
    hf_test_directory_join(&directory, "data.mdb", path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    const char *const words[] = { directory.path };
    struct tool_arguments arguments = { .words = words };
    assert_int_equal(tool_guard(reading_in_circles, &arguments), 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    hf_test_directory_remove(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_in_circles_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
