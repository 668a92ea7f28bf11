/* hf_test.h: what every test includes first: cmocka with the headers that it wants before it, the
 * public header, and a few assertions and helpers of our own.
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {
 *             cmocka_unit_test(test_append_full_segment_seals_it),
 *         };
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 *
 * Assertions belong on the test's own thread and stack: never in a fiber, a callback of another
 * thread or a forked child, since a failing one jumps back into the runner. */
#ifndef HF_TEST_H
#define HF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "include/holdfast.h"

/* ---- running -------------------------------------------------------------------------------- */

/* A group runs as cmocka's own macro would, and its cases are also counted for the report of the
 * whole run; when all passed, what they show of tests/tables is noted there: by tests whose names
 * begin with "case_", "row_", "trap_" or "store_" and an id. Evaluates to 0 when all passed and 1
 * otherwise: the exit status of main. */
#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    hf_test_run((tests), sizeof(tests) / sizeof((tests)[0]), (setup), (teardown))

/* The body of cmocka_run_group_tests. Borrows tests. */
#define hf_test_run(tests, count, setup, teardown)                                                 \
    hf__test_counted(HOLDFAST_TEST_NAME, (tests), (count),                                         \
                     (hf__test_filter(), _cmocka_run_group_tests(HOLDFAST_TEST_NAME, (tests),      \
                                                                 (count), (setup), (teardown))))

/* Runs only the tests whose names match the pattern (with * and ?) in HOLDFAST_TEST_ONLY, if that
 * is set. Ends the program when a report is asked for as well: it would count what did not run. */
void hf__test_filter(void);

/* Adds the line "name count" to `cases` in the report that the environment names (HOLDFAST_REPORT,
 * a folder), and for each test of a group that passed and shows a line of a table "<id> name" to
 * the table's file there; without a report it writes nothing. Returns 1 when failed_count or count
 * says that the group did not pass, or a name that begins so has no id, else 0. */
int hf__test_counted(const char *name, const struct CMUnitTest *tests, size_t count,
                     int failed_count);

/* Nothing is skipped: a case that was would count as shown. */
#undef skip

/* ---- assertions on statuses ----------------------------------------------------------------- */

/* Fails the test unless expression is HF_OK; shows the message of error (hf_error *, may be NULL),
 * which is read after expression was evaluated. */
#define assert_ok(expression, error)                                                               \
    hf__test_assert_ok((expression), (error), #expression, __FILE__, __LINE__)

/* Fails the test unless expression is the status expected; shows both names. */
#define assert_status(expression, expected)                                                        \
    hf__test_assert_status((expression), (expected), #expression, __FILE__, __LINE__)

/* The bodies of the two macros above. Borrow everything. */
void hf__test_assert_ok(hf_status status, const hf_error *error, const char *text, const char *file,
                        int line);
/* As above. */
void hf__test_assert_status(hf_status status, hf_status expected, const char *text,
                            const char *file, int line);

/* ---- a directory of its own for a test ------------------------------------------------------ */

/* A fresh directory below $TMPDIR, or /tmp: mode 0700, empty, removed with all that is in it. */
struct hf_test_directory {
    char path[256]; /* absolute, no slash at its end */
};

/* Makes the directory; fails the test when it cannot. */
void hf_test_directory_make(struct hf_test_directory *self);

/* Removes the directory with everything below it; links are removed, never followed. Fails the test
 * when something resists. */
void hf_test_directory_remove(struct hf_test_directory *self);

/* Writes "<directory>/<name>" and a NUL into out_path; fails the test when that does not fit. */
void hf_test_directory_join(const struct hf_test_directory *self, const char *name, char *out_path,
                            size_t path_size);

/* ---- chance --------------------------------------------------------------------------------- */

/* The number in HOLDFAST_TEST_SEED, from which a test's chance begins; `otherwise` when there is
 * none: so a campaign takes other ways each time, and the check always the same. */
uint64_t hf_test_seed(uint64_t otherwise);

/* ---- waiting -------------------------------------------------------------------------------- */

/* Looks at a condition every millisecond until it holds, or until limit_ms have passed. Returns
 * whether it came to hold. For conditions of other threads and processes that ring no bell; be
 * generous with the limit, a good run never reaches it. */
bool hf_test_wait(uint64_t limit_ms, void *context, bool (*holds)(void *context));

#endif
