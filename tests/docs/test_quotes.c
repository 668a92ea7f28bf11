/* Code that pages quote is code that is compiled and run: each quotation stands in its source, but
 * for comments and blanks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/compiler.h"
#include "tests/support/hf_test.h"

/* A text without comments and blanks. Returns owned: free. */
static char *text_bare(const char *text, size_t size)
{
    char *bare = calloc(1, size + 1);
    size_t bare_size = 0;
    bool in_comment = false;
    assert_non_null(bare);
    for (size_t i = 0; i < size; i++) {
        bool has_two = i + 1 < size;
        if (has_two && !in_comment && text[i] == '/' && text[i + 1] == '*') in_comment = true;
        if (has_two && in_comment && text[i] == '*' && text[i + 1] == '/') {
            in_comment = false;
            i++;
        } else if (!in_comment && !strchr(" \t\n", text[i])) {
            bare[bare_size++] = text[i];
        }
    }
    return bare;
}

/* A file of the source tree. Returns owned: free. */
static char *file_read(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", HOLDFAST_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* The C code number `index`, from 0, of a page; size 0: it has no more. */
static hf_slice page_code(const char *page, size_t index)
{
    static const char begin[] = "```c\n", end[] = "\n```\n";
    const char *at = page;
    for (size_t i = 0; i <= index; i++) {
        at = strstr(at, begin);
        if (!at) return hf_text("");
        at += strlen(begin);
    }
    const char *behind = strstr(at, end);
    assert_non_null(behind);
    return hf_bytes(at, (size_t)(behind - at));
}

static void assert_quoted(const char *page_name, size_t index, const char *source_name)
{
    char *page = file_read(page_name), *source = file_read(source_name);
    hf_slice code = page_code(page, index);
    char *wanted = text_bare(code.data, code.size), *bare = text_bare(source, strlen(source));
    assert_true(strlen(wanted) > 0);
    if (!strstr(bare, wanted)) {
        fail_msg("%s: code %zu is not that of %s:\n%.*s", page_name, index + 1, source_name,
                 (int)code.size, code.data);
    }
    free(bare);
    free(wanted);
    free(source);
    free(page);
}

/* README's taste is the example that is run. */
static void test_readme_quotes_the_conversation(void **state)
{
    (void)state;
    assert_quoted("README.md", 0, "examples/conversation.c");
}

/* All code of a page is that of the sources, one after the other. */
static void assert_page_quotes(const char *page_name, const char *const *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_quoted(page_name, i, sources[i]);
    char *page = file_read(page_name);
    assert_int_equal(page_code(page, count).size, 0);
    free(page);
}

static void test_sessions_page_quotes_what_runs(void **state)
{
    static const char *const sources[] = { "examples/conversation.c", "tools/demo_conversation.c",
                                           "examples/index.c" };
    (void)state;
    assert_page_quotes("docs/sessions.md", sources, HF_COUNT_OF(sources));
}

static void test_orchestrations_page_quotes_what_runs(void **state)
{
    static const char *const sources[] = { "examples/fan_out.c", "examples/fan_out.c",
                                           "examples/retry.c",   "examples/approval.c",
                                           "examples/eternal.c", "examples/saga.c",
                                           "examples/upgrade.c" };
    (void)state;
    assert_page_quotes("docs/orchestrations.md", sources, HF_COUNT_OF(sources));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readme_quotes_the_conversation),
        cmocka_unit_test(test_sessions_page_quotes_what_runs),
        cmocka_unit_test(test_orchestrations_page_quotes_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
