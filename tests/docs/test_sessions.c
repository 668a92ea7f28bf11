/* docs/sessions.md against the code: the events that are logged of sessions, and the metrics. Each
 * case tells of all differences before it fails. */
#include "tests/docs/page.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64, NAME_SIZE = 64 };

static const char heading[] = "What is logged and counted";

/* A set of names. */
struct names {
    char all[NAMES_MAX][NAME_SIZE];
    size_t count;
};

static void names_add(struct names *names, const char *name, size_t size)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strlen(names->all[i]) == size && memcmp(names->all[i], name, size) == 0) return;
    }
    assert_true(names->count < NAMES_MAX && size < NAME_SIZE);
    memcpy(names->all[names->count++], name, size);
}

/* Tells of each name without a row, and of each row without a name. */
static void names_compare(struct page *page, const struct page_table *table, const char *column,
                          const struct names *names)
{
    size_t row;
    for (size_t i = 0; i < names->count; i++) {
        if (page_row(table, column, names->all[i], &row)) continue;
        page_differs(page, "%s has no row in the table", names->all[i]);
    }
    page_expect_rows(page, table, names->count);
}

/* Adds every word "session.<what>" that stands as a string in the file. */
static void events_read(const char *path, struct names *names)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        for (const char *at = strstr(line, "\"session."); at; at = strstr(at + 1, "\"session.")) {
            const char *end = strchr(at + 1, '"');
            assert_non_null(end);
            names_add(names, at + 1, (size_t)(end - at - 1));
        }
    }
    fclose(file);
}

/* Every event of sessions that the runtime logs has its row, and every row its event. */
static void test_events_are_those_of_the_code(void **state)
{
    struct page *page = page_read("sessions.md");
    struct names *names = calloc(1, sizeof *names);
    glob_t files;
    (void)state;
    assert_non_null(names);
    assert_int_equal(glob(HOLDFAST_SOURCE_DIR "/runtime/*.c", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) events_read(files.gl_pathv[i], names);
    globfree(&files);
    assert_true(names->count > 0);
    names_compare(page, page_table(page, heading, 0), "event", names);
    page_assert_same(page);
    free(names);
    page_free(page);
}

static void metric_add(void *user, const hf_metric *metric)
{
    struct names *names = user;
    if (strncmp(metric->name, "session", 7) == 0) {
        names_add(names, metric->name, strlen(metric->name));
    }
}

/* The same of metrics: those that a runtime gives. */
static void test_metrics_are_those_of_a_runtime(void **state)
{
    struct page *page = page_read("sessions.md");
    struct names *names = calloc(1, sizeof *names);
    struct hf_test_directory directory;
    hf_error error = { 0 };
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    hf_registry *registry = hf_registry_new();
    (void)state;
    assert_non_null(names);
    hf_test_directory_make(&directory);
    assert_ok(hf_store_open(directory.path, NULL, &store, &error), &error);
    assert_ok(hf_runtime_new(store, registry, NULL, &runtime, &error), &error);
    hf_runtime_metrics(runtime, metric_add, names);
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    hf_test_directory_remove(&directory);
    assert_true(names->count > 0);
    names_compare(page, page_table(page, heading, 1), "metric", names);
    page_assert_same(page);
    free(names);
    page_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_those_of_the_code),
        cmocka_unit_test(test_metrics_are_those_of_a_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
