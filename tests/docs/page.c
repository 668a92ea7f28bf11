/* Reading the tables of a page: see page.h. It knows no page of its own. */
#include "tests/docs/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HOLDFAST_SOURCE_DIR
#error "tests/CMakeLists.txt names the source tree"
#endif

/* ---- reading -------------------------------------------------------------------------------- */

static char *text_read(const char *name)
{
    char path[4096];
    int path_size = snprintf(path, sizeof path, "%s/docs/%s", HOLDFAST_SOURCE_DIR, name);
    assert_true(path_size > 0 && (size_t)path_size < sizeof path);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* Cuts the line off and returns it; *rest moves behind it. NULL: none is left. */
static char *line_take(char **rest)
{
    char *line = *rest;
    if (*line == '\0') return NULL;
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : line + strlen(line);
    if (end) *end = '\0';
    return line;
}

/* Takes the blanks around a cell away, and the back-quotes in it. */
static char *cell_clean(char *cell)
{
    while (*cell == ' ') cell++;
    char *to = cell;
    for (const char *from = cell; *from; from++) {
        if (*from != '`') *to++ = *from;
    }
    while (to > cell && to[-1] == ' ') to--;
    *to = '\0';
    return cell;
}

/* Cuts "| a | b |" into cells. Returns how many. */
static size_t cells_cut(char *line, const char *cells[PAGE_COLUMNS_MAX])
{
    size_t count = 0;
    hf_slice whole = hf_text(line);
    if (whole.data[whole.size - 1] != '|') fail_msg("a row does not end with |: %s", line);
    for (char *at = line + 1; *at != '\0';) {
        char *end = strchr(at, '|');
        assert_non_null(end);
        *end = '\0';
        if (count == PAGE_COLUMNS_MAX) fail_msg("a row has too many cells: %s", line);
        cells[count++] = cell_clean(at);
        at = end + 1;
    }
    return count;
}

static void row_add(struct page_table *table, char *line)
{
    assert_true(table->rows_count < PAGE_ROWS_MAX);
    size_t count = cells_cut(line, table->cells[table->rows_count++]);
    if (count == table->columns_count) return;
    fail_msg("%s: row %zu has %zu cells, the table %zu columns", table->heading, table->rows_count,
             count, table->columns_count);
}

/* The line of dashes that must stand below the names of the columns. */
static void dashes_take(const struct page_table *table, char **rest)
{
    char *line = line_take(rest);
    if (line && strncmp(line, "|---", 4) == 0) return;
    fail_msg("%s: no line of dashes below the names of the columns", table->heading);
}

struct page *page_read(const char *name)
{
    struct page *page = calloc(1, sizeof *page);
    assert_non_null(page);
    page->text = text_read(name);
    char *rest = page->text;
    const char *heading = "";
    struct page_table *table = NULL; /* the one that lines belong to */
    for (char *line = line_take(&rest); line; line = line_take(&rest)) {
        if (line[0] == '#') heading = cell_clean(line + strspn(line, "#"));
        if (line[0] != '|') {
            table = NULL;
        } else if (table) {
            row_add(table, line);
        } else {
            assert_true(page->tables_count < PAGE_TABLES_MAX);
            table = &page->tables[page->tables_count++];
            table->heading = heading;
            table->columns_count = cells_cut(line, table->columns);
            dashes_take(table, &rest);
        }
    }
    assert_true(page->tables_count > 0);
    return page;
}

void page_free(struct page *page)
{
    if (!page) return;
    free(page->text);
    free(page);
}

int page_format_setup(void **state)
{
    *state = page_read("format.md");
    return 0;
}

int page_teardown(void **state)
{
    page_free(*state);
    return 0;
}

/* ---- looking up ----------------------------------------------------------------------------- */

const struct page_table *page_find(const struct page *page, const char *heading, size_t index)
{
    for (size_t i = 0; i < page->tables_count; i++) {
        if (strcmp(page->tables[i].heading, heading) == 0 && index-- == 0) return &page->tables[i];
    }
    return NULL;
}

const struct page_table *page_table(const struct page *page, const char *heading, size_t index)
{
    const struct page_table *table = page_find(page, heading, index);
    if (!table) fail_msg("the page has no table %zu below the heading \"%s\"", index, heading);
    return table;
}

const char *page_cell(const struct page_table *table, size_t row, const char *column)
{
    assert_true(row < table->rows_count);
    for (size_t i = 0; i < table->columns_count; i++) {
        if (strcmp(table->columns[i], column) == 0) return table->cells[row][i];
    }
    fail_msg("%s: the table has no column \"%s\"", table->heading, column);
    return NULL;
}

uint64_t page_number(const struct page_table *table, size_t row, const char *column)
{
    const char *cell = page_cell(table, row, column);
    int64_t number = 0;
    if (!hf_slice_to_i64(hf_text(cell), &number) || number < 0) {
        fail_msg("%s: \"%s\" is no number", table->heading, cell);
    }
    return (uint64_t)number;
}

bool page_row(const struct page_table *table, const char *column, const char *text, size_t *out_row)
{
    for (size_t row = 0; row < table->rows_count; row++) {
        if (strcmp(page_cell(table, row, column), text) != 0) continue;
        *out_row = row;
        return true;
    }
    return false;
}

bool page_part(const char **rest, char part[PAGE_PART_SIZE])
{
    const char *begin = *rest + strspn(*rest, ", ");
    size_t size = strcspn(begin, ",");
    if (size == 0) return false;
    assert_true(size < PAGE_PART_SIZE);
    memcpy(part, begin, size);
    part[size] = '\0';
    *rest = begin + size;
    return true;
}

size_t page_part_bytes(const char *part)
{
    const char *blank = strrchr(part, ' ');
    if (!blank) return 0;
    unsigned long number = strtoul(blank + 1, NULL, 10);
    return (size_t)number;
}

/* ---- differences ---------------------------------------------------------------------------- */

void page_differs(struct page *page, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    print_error("page and code differ: %s\n", message);
    page->differences_count++;
}

void page_expect(struct page *page, const struct page_table *table, size_t row, const char *column,
                 const char *expected)
{
    const char *cell = page_cell(table, row, column);
    if (strcmp(cell, expected) == 0) return;
    page_differs(page, "%s, row %zu (%s): %s is \"%s\" on the page and \"%s\" in the code",
                 table->heading, row + 1, table->cells[row][1], column, cell, expected);
}

void page_expect_rows(struct page *page, const struct page_table *table, size_t count)
{
    if (table->rows_count == count) return;
    page_differs(page, "%s: %zu rows on the page, %zu in the code", table->heading,
                 table->rows_count, count);
}

void page_assert_same(struct page *page)
{
    size_t count = page->differences_count;
    page->differences_count = 0;
    assert_int_equal(count, 0);
}
