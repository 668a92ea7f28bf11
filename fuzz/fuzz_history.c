/* fuzz_history: any program replayed from any history.
 *
 *   | program size 1 | program | events: (size 2, little-endian; body) ... | rest: one more body |
 *
 * The bodies are given as they are: of any kind, in any order, damaged. The last one is a message.
 * A turn ends in a decision, or says what does not fit; nothing crashes, hangs or leaks. Where it
 * decides, a second replay decides alike; where it does not, nothing is left to commit. */
#include <string.h>

#include "engine/base/assert.h"
#include "engine/event.h"
#include "engine/execution.h"
#include "fuzz/fuzz.h"
#include "fuzz/program.h"

enum { EVENTS_MAX = 256, NOW_MS = 5000 };

/* Random bytes that are the same each time. */
static void draw(void *self, void *bytes, size_t size)
{
    (void)self;
    memset(bytes, 7, size);
}

static hf_registry *registry_of(const struct program *program)
{
    hf_registry *registry = hf_registry_new();
    hf_assert(registry);
    hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
    settings.user = program;
    hf_register_orchestration(registry, "t", program_run, &settings);
    return registry;
}

/* Reads the events behind the program; what is left becomes a message. */
static void view_read(struct hf_turn_view *view, const uint8_t *data, size_t size)
{
    while (size >= 2 && view->events_count < EVENTS_MAX) {
        size_t body_size = (size_t)data[0] | (size_t)data[1] << 8;
        if (body_size > size - 2) break;
        view->events[view->events_count] = (struct hf_stored_event){
            .event_id = view->events_count + 1,
            .lsn = view->events_count + 1,
            .body = hf_bytes(data + 2, body_size)
        };
        view->events_count++;
        data += 2 + body_size;
        size -= 2 + body_size;
    }
    view->messages[0] = (struct hf_stored_message){ .lsn = EVENTS_MAX + 1,
                                                    .execution = 1,
                                                    .body = hf_bytes(data, size) };
    view->messages_count = size > 0;
    view->next_event_id = view->events_count + 1;
}

static bool is_fit(hf_status status)
{
    return status == HF_OK || status == HF_NONDETERMINISM || status == HF_CORRUPT ||
           status == HF_NOT_FOUND;
}

/* Runs the turn, and once more to compare. */
static void replay(const struct hf_execution_options *options, const struct hf_turn_view *view)
{
    struct hf_execution *execution = NULL;
    struct hf_turn_committed turn = { 0 };
    struct hf_arena arena;
    hf_error error = { 0 };
    hf_arena_init(&arena, hf_heap_default());
    hf_status status = hf_execution_new(options, view, 1, &execution, &error);
    hf_assert((status == HF_OK) == (execution != NULL));
    if (status == HF_OK) {
        status = hf_execution_turn(execution, view, NOW_MS, &arena, &turn, &error);
    }
    hf_assert(is_fit(status));
    hf_assert((status == HF_OK) == (error.message[0] == '\0'));
    if (status == HF_OK) {
        hf_assert(turn.messages.count <= view->messages_count); /* none behind the end */
        status = hf_execution_check(options, view, NOW_MS, &turn, &error);
        hf_assert(status == HF_OK);
    }
    hf_execution_free(execution);
    hf_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_stored_event events[EVENTS_MAX];
    struct hf_stored_message messages[1];
    struct hf_fiber_pool fibers;
    int deferred_count = 0;
    if (size == 0) return 0;
    size_t program_size = data[0] < size - 1 ? data[0] : size - 1;
    struct program program = { data + 1, program_size, &deferred_count };
    struct hf_turn_view view = {
        .instance = 1, .instance_id = hf_text("i"), .events = events, .messages = messages
    };
    view_read(&view, data + 1 + program_size, size - 1 - program_size);
    hf_registry *registry = registry_of(&program);
    hf_fiber_pool_init(&fibers, NULL);
    const struct hf_execution_options options = { .heap = hf_heap_default(),
                                                  .fibers = &fibers,
                                                  .registry = registry,
                                                  .sessions_supported = true,
                                                  .sessions_max = 3,
                                                  .payload_size_max = 1024 * 1024,
                                                  .kv_keys_max = 100,
                                                  .kv_value_size_max = 16 * 1024,
                                                  .random = draw };
    replay(&options, &view);
    hf_assert(deferred_count == 0);
    hf_fiber_pool_release(&fibers);
    hf_registry_free(registry);
    return 0;
}
