/* fuzz_live_replay: a random program over the authoring API, and random things that happen to it.
 *
 *   | program size 1 | program: pairs (operation, argument) | happenings: pairs (what, argument) |
 *
 * The same input is run twice, kept live where the happenings let it, and evicted after every turn.
 * Every turn is decided a second time from history (hf_execution_check). All decisions must be
 * equal, byte for byte, nothing may leak, and every deferred clean-up must have run. */
#include <string.h>

#include "engine/base/assert.h"
#include "fuzz/fuzz.h"
#include "fuzz/program.h"
#include "tests/support/script.h"

enum { POSTED_COUNT = 64 };

struct input {
    struct program program;
    const uint8_t *happenings;
    size_t happenings_size;
};

/* Messages that were posted, to be posted again. */
struct posted {
    struct hf_stored_message messages[POSTED_COUNT];
    size_t count;
};

/* Ends pending work, with a failure unless its status is HF_OK. */
static void answer(struct hf_script *script, struct posted *posted, uint8_t argument,
                   hf_status status)
{
    hf_error error = { .status = status, .code = "bad" };
    error.message[0] = (char)(argument % 16 + 'a');
    if (script->works_count == 0) return;
    uint64_t event_id = script->works[argument % script->works_count].event_id;
    hf_script_answer(script, event_id, hf_bytes(&argument, argument % 2), status ? &error : NULL);
    if (posted->count == POSTED_COUNT) return;
    posted->messages[posted->count++] = script->messages[script->messages_count - 1];
}

static void happen(struct hf_script *script, struct posted *posted, uint8_t what, uint8_t argument)
{
    const char queue[] = { 'q', (char)('0' + argument % 3), '\0' };
    hf_slice payload = hf_bytes(&argument, 1);
    switch (what % 10) {
    case 0:
    case 1: answer(script, posted, argument, HF_OK); break;
    case 2: answer(script, posted, argument, HF_FAILED); break;
    case 3:
        hf_script_post(script, 0,
                       hf_body_mailbox_message(hf_text(queue), payload, &script->memory));
        break;
    case 4:
        if (argument >= 64) break;
        hf_script_post(script, 0, hf_body_cancel_requested(hf_text(queue), &script->memory));
        break;
    case 5:
        if (posted->count == 0) break;
        struct hf_stored_message *again = &posted->messages[argument % posted->count];
        hf_script_post(script, again->execution, again->body);
        break;
    case 6: hf_script_evict(script); break;
    case 8:
        hf_script_post(script, 0, hf_body_event_raised(hf_text(queue), payload, &script->memory));
        break;
    case 9: answer(script, posted, argument, HF_SESSION_LOST); break;
    default: script->now_unix_ms += argument; hf_assert(hf_script_turn(script) == HF_OK);
    }
}

static void run(struct hf_script *script, const struct input *input, bool always_evict)
{
    struct posted posted = { .count = 0 };
    hf_script_init(script, program_run, &input->program);
    script->always_evict = always_evict;
    script->options.sessions_max = 3;
    for (size_t i = 0; i + 1 < input->happenings_size; i += 2) {
        if (script->outcome != HF_OUTCOME_RUNNING) break;
        happen(script, &posted, input->happenings[i], input->happenings[i + 1]);
    }
    hf_script_evict(script);
    hf_assert(*input->program.deferred_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_script live, replayed;
    int deferred_count = 0;
    if (size == 0) return 0;
    size_t program_size = data[0] < size - 1 ? data[0] : size - 1;
    struct input input = { .program = { data + 1, program_size, &deferred_count },
                           .happenings = data + 1 + program_size,
                           .happenings_size = size - 1 - program_size };
    run(&live, &input, false);
    run(&replayed, &input, true);
    hf_assert(live.decisions_size == replayed.decisions_size);
    hf_assert(live.decisions_size == 0 ||
              memcmp(live.decisions, replayed.decisions, live.decisions_size) == 0);
    hf_script_release(&live);
    hf_script_release(&replayed);
    return 0;
}
