/* A page of docs/ as its tables, for tests that hold page and code together. It reads the tables of
 * Markdown that docs/ uses and nothing else: a row a line, no `|` within a cell. */
#ifndef HF_TEST_PAGE_H
#define HF_TEST_PAGE_H

#include "tests/support/hf_test.h"

enum { PAGE_TABLES_MAX = 96, PAGE_ROWS_MAX = 64, PAGE_COLUMNS_MAX = 6, PAGE_PART_SIZE = 64 };

/* One table. Cells stand without the blanks around them and without back-quotes. */
struct page_table {
    const char *heading; /* the nearest above it, without #; "" before the first */
    const char *columns[PAGE_COLUMNS_MAX];
    const char *cells[PAGE_ROWS_MAX][PAGE_COLUMNS_MAX];
    size_t columns_count, rows_count;
};

struct page {
    char *text; /* all cells point into it */
    struct page_table tables[PAGE_TABLES_MAX];
    size_t tables_count;
    size_t differences_count; /* told by page_differs */
};

/* Reads docs/<name> of the source tree; fails the test when it cannot, or when a table is crooked.
 * Returns owned: page_free. */
struct page *page_read(const char *name);
/* Gives it back. NULL is fine. */
void page_free(struct page *page);

/* cmocka's, for a group of cases: *state is the page format.md. */
int page_format_setup(void **state);
/* Its end. */
int page_teardown(void **state);

/* The table number `index`, from 0, below exactly that heading; NULL: there is none. */
const struct page_table *page_find(const struct page *page, const char *heading, size_t index);
/* The same; fails the test when there is none. */
const struct page_table *page_table(const struct page *page, const char *heading, size_t index);
/* The cell in the column of that name; fails the test when there is no such row or column. */
const char *page_cell(const struct page_table *table, size_t row, const char *column);
/* The number that a cell holds; fails the test when it holds something else. */
uint64_t page_number(const struct page_table *table, size_t row, const char *column);
/* The row whose cell in that column is `text`; false: none. */
bool page_row(const struct page_table *table, const char *column, const char *text,
              size_t *out_row);
/* Takes the next part of a list "a, b, c" from *rest, which moves on; false: none is left. */
bool page_part(const char **rest, char part[PAGE_PART_SIZE]);
/* The number that ends a part of a key or row: "execution 4"; 0: it ends with none. */
size_t page_part_bytes(const char *part);

/* Tells of one difference, and counts it: so one run shows them all. */
void page_differs(struct page *page, const char *format, ...) HF_PRINTF(2, 3);
/* Tells of a cell that is not `expected`. */
void page_expect(struct page *page, const struct page_table *table, size_t row, const char *column,
                 const char *expected);
/* Tells of a table that has another count of rows. */
void page_expect_rows(struct page *page, const struct page_table *table, size_t count);
/* Fails the test when anything differed since the last call. */
void page_assert_same(struct page *page);

#endif
