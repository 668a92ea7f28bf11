/* Readers on other threads while the store commits, and while it is opened again after doubtful
 * commits: each read sees one whole state. */
#include "tests/unit/logstore/store_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "engine/base/heap.h"

enum { READERS_COUNT = 3, ROUNDS_COUNT = 60 };

/* One reading thread. It asserts nothing: it counts what is wrong. */
struct reader_part {
    struct store_part *store;
    uint64_t instance;
    pthread_t thread;
    atomic_bool *is_over;
    uint64_t reads_count, wrongs_count;
};

static void *reader_run(void *context)
{
    struct reader_part *self = context;
    const struct hf_backend_ops *ops = self->store->backend->ops;
    struct hf_item_id from = { self->instance, 1, 1 };
    size_t seen = 0;
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    while (!atomic_load(self->is_over) || self->reads_count == 0) {
        struct hf_turn_view view;
        hf_error error = { 0 };
        hf_arena_reset(&arena);
        hf_status status = ops->turn_view(self->store->backend, &from, &arena, &view, &error);
        /* Messages only ever become more. */
        if (status != HF_OK || view.messages_count < seen) self->wrongs_count++;
        if (status == HF_OK) seen = view.messages_count;
        self->reads_count++;
    }
    hf_arena_release(&arena);
    return NULL;
}

/* Commits whose outcome is in doubt close and open the environment under the readers; none of them
 * ever sees a failure or goes back in time, and every commit is done exactly once. */
static void test_readers_go_on_while_the_store_is_reopened(void **state)
{
    struct store_part *self = *state;
    struct reader_part readers[READERS_COUNT];
    atomic_bool is_over = false;
    uint64_t instance = store_must_start(self, "a");
    for (size_t i = 0; i < READERS_COUNT; i++) {
        readers[i] = (struct reader_part){ .store = self,
                                           .instance = instance,
                                           .is_over = &is_over };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]), 0);
    }
    hf_status status = HF_OK;
    for (int i = 0; i < ROUNDS_COUNT && status == HF_OK; i++) {
        struct hf_store_command message = command_message(self, "a", 100);
        if (i % 3 == 0) seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
        status = store_commit(self, &message);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < READERS_COUNT; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].wrongs_count, 0);
        assert_true(readers[i].reads_count > 0);
    }
    assert_int_equal(status, HF_OK);
    struct hf_turn_view view;
    struct hf_item_id from = { instance, 1, 1 };
    assert_ok(
        self->backend->ops->turn_view(self->backend, &from, &self->arena, &view, &self->error),
        &self->error);
    assert_int_equal(view.messages_count, ROUNDS_COUNT);
    store_must_verify(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readers_go_on_while_the_store_is_reopened, store_setup,
                                        store_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
