/* hf_test.c: the helpers of hf_test.h. Not a framework: cmocka runs the cases and keeps score. */
#include "tests/support/hf_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_LINE_SIZE = 256, OPEN_DIRECTORIES_MAX = 16 };

/* ---- running -------------------------------------------------------------------------------- */

/* One write to a file opened for appending: programs that run side by side do not mix lines. */
static bool report_append(const char *file_name, const char *line)
{
    char path[4096];
    const char *folder = getenv("HOLDFAST_REPORT");
    if (!folder) return true;
    int path_size = snprintf(path, sizeof path, "%s/%s", folder, file_name);
    if (path_size < 0 || (size_t)path_size >= sizeof path) return false;

    size_t line_size = strlen(line);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) return false;
    bool whole = write(file, line, line_size) == (ssize_t)line_size;
    return close(file) == 0 && whole;
}

static bool report_count(const char *name, size_t count)
{
    char line[REPORT_LINE_SIZE];
    snprintf(line, sizeof line, "%s %zu\n", name, count);
    if (report_append("cases", line)) return true;
    fprintf(stderr, "%s: cannot count the cases: %s\n", name, strerror(errno));
    return false;
}

/* Tables of promises: a test named "<prefix><id>_<claim>" shows the line of that id, in which '_'
 * stands for '.'; the ids that were shown are noted in a file of the table's name. */
static const struct table {
    const char *prefix, *file_name;
    int id_parts;
} tables[] = {
    { "case_", "sessions", 2 }, /* case_5_12_... shows 5.12 */
    { "row_", "features", 2 },  /* row_1a_3_... shows 1a.3 */
    { "trap_", "traps", 1 },    /* trap_b7_... shows b7 */
    { "store_", "store", 2 },   /* store_kv_7_... shows kv.7 */
};

/* Writes the id that stands at the start of `text`; false: there is none, or no claim behind it. */
static bool table_id(const struct table *table, const char *text, char *out_id, size_t id_size)
{
    const char *end = text;
    for (int part = 0; part < table->id_parts; part++) {
        size_t size = strspn(end, "0123456789abcdefghijklmnopqrstuvwxyz");
        if (size == 0 || end[size] != '_') return false;
        end += size + 1;
    }
    size_t size = (size_t)(end - text) - 1;
    if (*end == '\0' || size >= id_size) return false;
    memcpy(out_id, text, size);
    out_id[size] = '\0';
    for (char *place = strchr(out_id, '_'); place; place = strchr(place, '_')) *place = '.';
    return true;
}

/* Notes what a test of that name shows, if it claims to show something. */
static bool report_shown(const char *name, const char *test)
{
    char line[REPORT_LINE_SIZE], id[32];
    const struct table *table = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strncmp(test, tables[i].prefix, strlen(tables[i].prefix)) == 0) table = &tables[i];
    }
    if (!table) return true;
    if (!table_id(table, test + strlen(table->prefix), id, sizeof id)) {
        fprintf(stderr, "%s: %s names no line of a table: %s<id>_<claim>\n", name, test,
                table->prefix);
        return false;
    }
    snprintf(line, sizeof line, "%s %s\n", id, name);
    if (report_append(table->file_name, line)) return true;
    fprintf(stderr, "%s: cannot note that it shows %s: %s\n", name, id, strerror(errno));
    return false;
}

void hf__test_filter(void)
{
    const char *only = getenv("HOLDFAST_TEST_ONLY");
    if (!only) return;
    if (getenv("HOLDFAST_REPORT")) {
        fprintf(stderr, "HOLDFAST_TEST_ONLY cannot be reported: unset HOLDFAST_REPORT\n");
        exit(1);
    }
    cmocka_set_test_filter(only);
}

int hf__test_counted(const char *name, const struct CMUnitTest *tests, size_t count,
                     int failed_count)
{
    bool is_noted = report_count(name, count);
    for (size_t i = 0; i < count && failed_count == 0; i++) {
        is_noted = report_shown(name, tests[i].name) && is_noted;
    }
    return failed_count != 0 || count == 0 || !is_noted;
}

/* ---- assertions on statuses ----------------------------------------------------------------- */

void hf__test_assert_ok(hf_status status, const hf_error *error, const char *text, const char *file,
                        int line)
{
    if (status == HF_OK) return;
    print_error("%s\n    is %s", text, hf_status_name(status));
    if (error) print_error(", code \"%s\": %s", error->code, error->message);
    if (error && error->lsn) print_error(" (lsn %llu)", (unsigned long long)error->lsn);
    print_error("\n");
    _fail(file, line);
}

void hf__test_assert_status(hf_status status, hf_status expected, const char *text,
                            const char *file, int line)
{
    if (status == expected) return;
    print_error("%s\n    is %s (%d) where %s (%d) was expected\n", text, hf_status_name(status),
                (int)status, hf_status_name(expected), (int)expected);
    _fail(file, line);
}

/* ---- a directory of its own for a test ------------------------------------------------------ */

void hf_test_directory_make(struct hf_test_directory *self)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/') parent = "/tmp";
    int size = snprintf(self->path, sizeof self->path, "%s/holdfast-test-XXXXXX", parent);
    if (size < 0 || (size_t)size >= sizeof self->path) fail_msg("TMPDIR is too long: %s", parent);
    if (!mkdtemp(self->path)) fail_msg("mkdtemp %s: %s", self->path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *entry, int kind, struct FTW *position)
{
    (void)entry;
    (void)kind;
    (void)position;
    return remove(path);
}

void hf_test_directory_remove(struct hf_test_directory *self)
{
    assert_string_not_equal(self->path, "");
    int flags = FTW_DEPTH | FTW_PHYS | FTW_MOUNT;
    if (nftw(self->path, remove_entry, OPEN_DIRECTORIES_MAX, flags) != 0) {
        fail_msg("removing %s: %s", self->path, strerror(errno));
    }
    self->path[0] = '\0';
}

void hf_test_directory_join(const struct hf_test_directory *self, const char *name, char *out_path,
                            size_t path_size)
{
    int size = snprintf(out_path, path_size, "%s/%s", self->path, name);
    if (size < 0 || (size_t)size >= path_size) fail_msg("too long: %s/%s", self->path, name);
}

/* ---- chance --------------------------------------------------------------------------------- */

uint64_t hf_test_seed(uint64_t otherwise)
{
    const char *text = getenv("HOLDFAST_TEST_SEED");
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool hf_test_wait(uint64_t limit_ms, void *context, bool (*holds)(void *context))
{
    const struct timespec pause = { .tv_sec = 0, .tv_nsec = 1000000 };
    uint64_t begin_ms = now_ms();
    while (!holds(context)) {
        if (now_ms() - begin_ms > limit_ms) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}
