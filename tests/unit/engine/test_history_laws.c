/* The laws that a history tells by itself: each row below is a history with the law that it breaks.
 */
#include "tests/support/hf_test.h"

#include <string.h>

#include "engine/base/heap.h"
#include "engine/event.h"
#include "engine/history_laws.h"

enum { EVENTS_MAX = 8 };

struct story {
    const char *name;
    struct hf_event events[EVENTS_MAX]; /* up to one of kind 0 */
    bool is_over;
    const char *law; /* NULL: none is broken */
};

#define STARTED                                                                                    \
    {                                                                                              \
        .kind = HF_EVENT_STARTED, .name = HF_SLICE("demo")                                         \
    }
#define SCHEDULED                                                                                  \
    {                                                                                              \
        .kind = HF_EVENT_ACTIVITY_SCHEDULED, .name = HF_SLICE("work")                              \
    }
#define DONE(event)                                                                                \
    {                                                                                              \
        .kind = HF_EVENT_ACTIVITY_COMPLETED, .source = (event)                                     \
    }
#define FAILED(event)                                                                              \
    {                                                                                              \
        .kind = HF_EVENT_ACTIVITY_FAILED, .source = (event), .status = HF_FAILED                   \
    }
#define SET                                                                                        \
    {                                                                                              \
        .kind = HF_EVENT_TIMER_CREATED, .due_unix_ms = 5                                           \
    }
#define FIRED(event)                                                                               \
    {                                                                                              \
        .kind = HF_EVENT_TIMER_FIRED, .source = (event)                                            \
    }
#define ENDED                                                                                      \
    {                                                                                              \
        .kind = HF_EVENT_COMPLETED                                                                 \
    }

static const struct story stories[] = {
    { "runs", { STARTED, SCHEDULED }, false, NULL },
    { "is over", { STARTED, SCHEDULED, DONE(2), ENDED }, true, NULL },
    { "answers come in any order", { STARTED, SCHEDULED, SET, FIRED(3), DONE(2) }, false, NULL },
    { "called off, and answered",
      { STARTED, SCHEDULED, { .kind = HF_EVENT_FUTURE_CANCELLED, .source = 2 }, DONE(2) },
      false,
      NULL },
    { "begins in the middle", { SCHEDULED }, false, "H1" },
    { "starts twice", { STARTED, STARTED }, false, "H1" },
    { "goes on behind its end", { STARTED, ENDED, SCHEDULED }, true, "H1" },
    { "is over without an end", { STARTED, SCHEDULED }, true, "H1" },
    { "runs behind its end", { STARTED, ENDED }, false, "H1" },
    { "answers nothing", { STARTED, DONE(7) }, false, "H2" },
    { "answers before it is asked", { STARTED, DONE(3), SCHEDULED }, false, "H2" },
    { "answers itself", { STARTED, DONE(2) }, false, "H2" },
    { "answers something else", { STARTED, SET, DONE(2) }, false, "H2" },
    { "answers twice", { STARTED, SCHEDULED, DONE(2), DONE(2) }, false, "H3" },
    { "done and failed", { STARTED, SCHEDULED, FAILED(2), DONE(2) }, false, "H3" },
    { "a timer fires twice", { STARTED, SET, FIRED(2), FIRED(2) }, false, "H3" },
};

static hf_status story_judge(const struct story *story, struct hf_arena *arena, hf_error *error)
{
    struct hf_history_laws laws;
    hf_status status = HF_OK;
    hf_history_laws_begin(&laws, arena);
    for (size_t i = 0; status == HF_OK && story->events[i].kind != 0; i++) {
        hf_slice body = hf_event_encode(&story->events[i], arena);
        assert_non_null(body.data);
        status = hf_history_laws_next(&laws, body, arena, error);
    }
    return status == HF_OK ? hf_history_laws_end(&laws, story->is_over, error) : status;
}

static void test_each_story_breaks_its_law(void **state)
{
    (void)state;
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    for (size_t i = 0; i < HF_COUNT_OF(stories); i++) {
        hf_error error = { 0 };
        print_message("%s\n", stories[i].name);
        hf_status status = story_judge(&stories[i], &arena, &error);
        assert_status(status, stories[i].law ? HF_CORRUPT : HF_OK);
        if (stories[i].law) assert_string_equal(error.code, stories[i].law);
        if (stories[i].law) assert_true(strlen(error.message) > 0);
    }
    hf_arena_release(&arena);
}

/* Bytes that are no event, and a history too long for its first room. */
static void test_bytes_and_length(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct hf_history_laws laws;
    struct hf_arena arena;
    hf_error error = { 0 };
    const struct hf_event started = STARTED, scheduled = SCHEDULED, done = DONE(2);
    hf_arena_init(&arena, hf_heap_default());
    hf_history_laws_begin(&laws, &arena);
    assert_status(hf_history_laws_next(&laws, hf_text("none"), &arena, &error), HF_CORRUPT);
    assert_string_equal(error.code, "L6");
    assert_ok(hf_history_laws_next(&laws, hf_event_encode(&started, &arena), &arena, &error),
              &error);
    hf_slice body = hf_event_encode(&scheduled, &arena);
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(hf_history_laws_next(&laws, body, &arena, &error), &error);
    }
    body = hf_event_encode(&done, &arena);
    assert_ok(hf_history_laws_next(&laws, body, &arena, &error), &error);
    assert_status(hf_history_laws_next(&laws, body, &arena, &error), HF_CORRUPT);
    assert_string_equal(error.code, "H3");
    hf_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_story_breaks_its_law),
        cmocka_unit_test(test_bytes_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
