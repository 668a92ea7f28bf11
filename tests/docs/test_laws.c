/* docs/laws.md against the laws of the code: the same codes and words, in the same order. */
#include "indexes/law.h"
#include "tests/docs/page.h"

static void test_page_has_the_laws_of_the_code(void **state)
{
    (void)state;
    struct page *page = page_read("laws.md");
    const struct page_table *table = page_table(page, "Proved from log and tables", 0);
    page_expect_rows(page, table, HF_LAW_COUNT);
    for (enum hf_law law = 0; law < HF_LAW_COUNT && law < table->rows_count; law++) {
        page_expect(page, table, law, "code", hf_law_code(law));
        page_expect(page, table, law, "law", hf_law_text(law));
    }
    page_assert_same(page);
    page_free(page);
}

/* A code of one table is not in the other, nor twice in one. */
static void test_each_code_is_given_out_once(void **state)
{
    (void)state;
    struct page *page = page_read("laws.md");
    const struct page_table *here = page_table(page, "Proved from log and tables", 0);
    const struct page_table *elsewhere = page_table(page, "Proved elsewhere, or by form", 0);
    size_t row;
    assert_true(elsewhere->rows_count > 0);
    for (size_t i = 0; i < here->rows_count; i++) {
        const char *code = page_cell(here, i, "code");
        if (page_row(elsewhere, "code", code, &row)) page_differs(page, "%s is twice there", code);
        assert_true(page_row(here, "code", code, &row));
        if (row != i) page_differs(page, "%s is twice there", code);
    }
    page_assert_same(page);
    page_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_has_the_laws_of_the_code),
        cmocka_unit_test(test_each_code_is_given_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
