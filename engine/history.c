/* Exported histories, and hf_replay: the present code against one of them. */
#include "engine/history.h"

#include "engine/base/arena.h"
#include "engine/base/assert.h"
#include "engine/base/heap.h"
#include "engine/base/slice.h"
#include "engine/base/status.h"
#include "engine/event.h"
#include "engine/execution.h"

/* clang-format off */
static const struct hf_field body_fields[] = {
    { 1, HF_FIELD_BYTES, true, offsetof(struct hf_history_body, body), "body", NULL },
};
static const struct hf_layout body_layout = { "history_body", sizeof(struct hf_history_body),
                                              body_fields, HF_COUNT_OF(body_fields) };

#define FIELD(key, type, required, member, of)                                                     \
    { key, type, required, offsetof(struct hf_exported_history, member), #member, of }
static const struct hf_field history_fields[] = {
    FIELD(1, HF_FIELD_TEXT, true, what, NULL),
    FIELD(2, HF_FIELD_NUMBER, true, version, NULL),
    FIELD(3, HF_FIELD_TEXT, true, instance, NULL),
    FIELD(4, HF_FIELD_NUMBER, true, execution, NULL),
    FIELD(5, HF_FIELD_LIST, true, events, &body_layout),
    FIELD(6, HF_FIELD_LIST, false, values, &body_layout),
    FIELD(7, HF_FIELD_BYTES, false, status_body, NULL),
};
/* clang-format on */

static const struct hf_layout history_layout = { "exported_history",
                                                 sizeof(struct hf_exported_history), history_fields,
                                                 HF_COUNT_OF(history_fields) };

const struct hf_layout *hf_history_layout(void)
{
    return &history_layout;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static struct hf_list bodies_of(const struct hf_stored_event *events, size_t count,
                                struct hf_arena *arena)
{
    struct hf_history_body *bodies = hf_arena_array(arena, count, sizeof *bodies);
    for (size_t i = 0; bodies && i < count; i++) bodies[i].body = events[i].body;
    return (struct hf_list){ bodies, bodies ? count : 0 };
}

hf_slice hf_history_encode(const struct hf_turn_view *view, uint64_t execution,
                           struct hf_arena *arena)
{
    const struct hf_exported_history history = {
        .what = HF_SLICE(HF_HISTORY_WHAT),
        .version = HF_HISTORY_VERSION,
        .instance = view->instance_id,
        .execution = execution,
        .events = bodies_of(view->events, view->events_count, arena),
        .values = bodies_of(view->values, view->values_count, arena),
        .status_body = view->status_body,
    };
    if (arena->failed) return (hf_slice)HF_EMPTY;
    return hf_encode(&history_layout, &history, arena);
}

static struct hf_stored_event *events_of(const struct hf_list *bodies, struct hf_arena *arena)
{
    const struct hf_history_body *from = bodies->items;
    struct hf_stored_event *events = hf_arena_array(arena, bodies->count, sizeof *events);
    for (size_t i = 0; events && i < bodies->count; i++) {
        events[i] = (struct hf_stored_event){ .event_id = i + 1, .body = from[i].body };
    }
    return events;
}

hf_status hf_history_decode(hf_slice bytes, struct hf_arena *arena, struct hf_turn_view *out_view,
                            uint64_t *out_execution, hf_error *error)
{
    struct hf_exported_history history;
    hf_status status = hf_decode(&history_layout, bytes, arena, &history, error);
    if (status != HF_OK) return status;
    if (!hf_slice_equal(history.what, hf_text(HF_HISTORY_WHAT))) {
        return hf_error_corrupt(error, 0, "the bytes are no exported history: export one");
    }
    if (history.version != HF_HISTORY_VERSION) {
        return hf_error_set(error, HF_FORMAT_NEWER,
                            "the history is of format %llu, this library reads %d: use a newer one",
                            (unsigned long long)history.version, HF_HISTORY_VERSION);
    }
    *out_view = (struct hf_turn_view){ .instance = 1,
                                       .instance_id = history.instance,
                                       .next_event_id = history.events.count + 1,
                                       .events = events_of(&history.events, arena),
                                       .events_count = history.events.count,
                                       .values = events_of(&history.values, arena),
                                       .values_count = history.values.count,
                                       .status_body = history.status_body };
    *out_execution = history.execution;
    if (!arena->failed) return HF_OK;
    return hf_error_set(error, HF_NO_MEMORY, "no memory for a history of %zu events",
                        history.events.count);
}

/* ---- replay --------------------------------------------------------------------------------- */

/* Beyond a history nothing is kept: any bits will do. */
static void no_random(void *self, void *bytes, size_t size)
{
    (void)self;
    unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++) to[i] = (unsigned char)i;
}

static hf_status view_replay(const hf_registry *registry, const struct hf_turn_view *view,
                             uint64_t execution, hf_error *error)
{
    struct hf_fiber_pool fibers;
    struct hf_execution *replayed = NULL;
    struct hf_turn_committed turn;
    struct hf_arena arena;
    const struct hf_execution_options options = { .heap = hf_heap_default(),
                                                  .fibers = &fibers,
                                                  .registry = registry,
                                                  .sessions_supported = true,
                                                  .sessions_max = UINT64_MAX,
                                                  .payload_size_max = UINT64_MAX,
                                                  .kv_keys_max = UINT64_MAX,
                                                  .kv_value_size_max = UINT64_MAX,
                                                  .random = no_random };
    hf_fiber_pool_init(&fibers, NULL);
    hf_arena_init(&arena, options.heap);
    hf_status status = hf_execution_new(&options, view, execution, &replayed, error);
    if (status == HF_OK) status = hf_execution_turn(replayed, view, 0, &arena, &turn, error);
    hf_execution_free(replayed);
    hf_arena_release(&arena);
    hf_fiber_pool_release(&fibers);
    return status;
}

hf_status hf_replay(const hf_registry *registry, hf_slice history, hf_error *error)
{
    struct hf_arena arena;
    struct hf_turn_view view;
    uint64_t execution = 0;
    if (!registry) return hf_error_set(error, HF_INVALID, "the registry is NULL: give one");
    if (!history.data && history.size > 0) {
        return hf_error_set(error, HF_INVALID,
                            "the history is NULL with a size of %zu: give its bytes", history.size);
    }
    hf_status status = hf_registry_check(registry, error);
    if (status != HF_OK) return status;
    hf_arena_init(&arena, hf_heap_default());
    status = hf_history_decode(history, &arena, &view, &execution, error);
    if (status == HF_OK) status = view_replay(registry, &view, execution, error);
    hf_arena_release(&arena);
    return status;
}
