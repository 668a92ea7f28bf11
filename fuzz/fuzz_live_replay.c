/* fuzz_live_replay: a random program over the authoring API, and random things that happen to it.
 *
 *   | program size 1 | program: pairs (operation, argument) | happenings: pairs (what, argument) |
 *
 * The same input is run twice, kept live where the happenings let it, and evicted after every turn.
 * Every turn is decided a second time from history (hf_execution_check). All decisions must be
 * equal, byte for byte, nothing may leak, and every deferred clean-up must have run. What the
 * program sees (results, statuses) goes into a sum that its custom status shows, so a difference
 * cannot hide. */
#include <string.h>

#include "engine/base/assert.h"
#include "fuzz/fuzz.h"
#include "tests/support/script.h"

enum { FUTURES_COUNT = 8, SESSIONS_COUNT = 4, SCOPES_COUNT = 4, POSTED_COUNT = 64 };

/* What a byte of the program asks for. Append: the small bytes of the corpus keep their meaning. */
enum operation {
    SCHEDULE,
    SCHEDULE_ON,
    TIMER,
    TAKE,
    AWAIT,
    AWAIT_WITHIN,
    OPEN,
    OPEN_ID,
    NAMED,
    CLOSE,
    SCOPE_OPEN,
    SCOPE_RESET,
    SCOPE_CLOSE,
    FORMAT,
    STATUS,
    DEFER,
    CONTINUE,
    RETURN,
    FAIL,
    WAIT,
    JOIN,
    SELECT,
    CANCEL,
    IS_DONE,
    SCHEDULE_WITH,
    OPEN_WITH,
    CHILD,
    TIMER_AT,
    NOW,
    RANDOM,
    UUID,
    PATCHED,
    PATCH_RETIRED,
    SCHEDULE_TRIES,
    OPERATIONS_COUNT
};

struct input {
    const uint8_t *program, *happenings;
    size_t program_size, happenings_size;
    int *deferred_count; /* clean-ups that have not run */
};

/* The state of the interpreter: all of it lives on the fiber's stack. */
struct machine {
    hf_orchestration *o;
    hf_future futures[FUTURES_COUNT];
    size_t depths[FUTURES_COUNT]; /* scopes open when the future was made */
    hf_session sessions[SESSIONS_COUNT];
    hf_scope scopes[SCOPES_COUNT];
    size_t scopes_count;
    uint32_t sum;
};

static void see(struct machine *m, uint32_t value)
{
    m->sum = (m->sum ^ value) * 16777619u;
}

static void see_await(struct machine *m, hf_status status, hf_slice result)
{
    see(m, (uint32_t)status);
    for (size_t i = 0; status == HF_OK && i < result.size; i++) see(m, (uint8_t)result.data[i]);
    if (status != HF_OK) see(m, (uint8_t)hf_orchestration_error(m->o)->message[0]);
}

/* Forgets the futures of scopes from `depth` on, most of the time: a stale one fails the instance.
 */
static void forget(struct machine *m, size_t depth, uint8_t argument)
{
    for (size_t i = 0; i < FUTURES_COUNT && argument < 250; i++) {
        if (m->depths[i] >= depth) m->futures[i].id = 0;
    }
}

static void count_down(void *argument)
{
    int *count = argument;
    *count -= 1;
}

static const char *const tags[] = { NULL, NULL, "gpu", "cpu" };

static hf_future schedule_with(struct machine *m, uint8_t argument)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = argument % 3 ? "a" : "b";
    options.input = hf_bytes(&m->sum, argument % 2);
    options.tag = tags[argument / 8 % 4];
    if (argument >= 128) options.session = m->sessions[argument % SESSIONS_COUNT];
    return hf_schedule_with(m->o, &options);
}

static hf_future schedule_tries(struct machine *m, uint8_t argument)
{
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "tried";
    options.input = hf_bytes(&m->sum, argument % 5);
    options.session = argument % 4 == 3 ? m->sessions[argument % SESSIONS_COUNT]
                                        : (hf_session){ 0 };
    options.tries_max = 1 + argument % 7;
    options.backoff_first_ms = argument % 3 ? argument : UINT64_MAX;
    options.backoff_percent = 100u + argument;
    options.backoff_step_ms = argument & 8 ? argument : 0;
    options.try_timeout_ms = argument & 16 ? argument : 0;
    options.total_timeout_ms = argument & 32 ? argument * 4u : 0;
    return hf_schedule_with(m->o, &options);
}

static hf_future start_child(struct machine *m, uint8_t argument)
{
    const char id[] = { 'c', (char)('0' + argument % 3), '\0' };
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = "t";
    options.instance = argument % 2 ? id : NULL;
    options.input = hf_bytes(&m->sum, argument % 5);
    return hf_child(m->o, &options);
}

static void step_make(struct machine *m, enum operation operation, uint8_t argument)
{
    const char queue[] = { 'q', (char)('0' + argument % 3), '\0' };
    size_t slot = argument % FUTURES_COUNT;
    hf_slice bytes = hf_bytes(&m->sum, argument % 5);
    hf_session session = m->sessions[argument % SESSIONS_COUNT];
    hf_future made = { 0 };
    switch (operation) {
    case SCHEDULE: made = hf_schedule(m->o, queue, bytes); break;
    case SCHEDULE_ON:
        if (session.id != 0) made = hf_schedule_on(m->o, session, queue, bytes);
        break;
    case SCHEDULE_WITH: made = schedule_with(m, argument); break;
    case SCHEDULE_TRIES: made = schedule_tries(m, argument); break;
    case TIMER: made = hf_timer(m->o, argument); break;
    case TAKE: made = hf_mailbox_take(m->o, queue); break;
    case WAIT: made = hf_event_wait(m->o, queue); break;
    case TIMER_AT: made = hf_timer_at(m->o, argument * 16u); break;
    case CHILD: made = start_child(m, argument); break;
    default: HF_UNREACHABLE("it makes no future");
    }
    if (made.id == 0) return;
    m->futures[slot] = made;
    m->depths[slot] = m->scopes_count;
}

static void step_await(struct machine *m, enum operation operation, uint8_t argument)
{
    hf_future future = m->futures[argument % FUTURES_COUNT];
    hf_slice result = HF_EMPTY;
    if (future.id == 0 && argument < 250) return;
    hf_status status = operation == AWAIT ? hf_await(m->o, future, &result)
                                          : hf_await_within(m->o, future, argument, &result);
    see_await(m, status, result);
}

/* Several futures: the bits of the argument are their slots. None at all is misuse of a select. */
static void step_several(struct machine *m, enum operation operation, uint8_t argument)
{
    hf_future several[FUTURES_COUNT];
    size_t count = 0, winner = FUTURES_COUNT;
    hf_slice none = HF_EMPTY;
    for (size_t i = 0; i < FUTURES_COUNT; i++) {
        if (argument >> i & 1 && m->futures[i].id != 0) several[count++] = m->futures[i];
    }
    if (count == 0 && argument < 250) return;
    if (operation == JOIN) see_await(m, hf_join(m->o, several, count), none);
    if (operation == SELECT) {
        see_await(m, hf_select(m->o, several, count, &winner), none);
        see(m, (uint32_t)winner);
    }
    for (size_t i = 0; i < count; i++) {
        if (operation == CANCEL) hf_future_cancel(m->o, several[i]);
        see(m, hf_future_is_done(m->o, several[i]));
    }
}

static hf_session open_with(struct machine *m, uint8_t argument)
{
    const char id[] = { 's', (char)('0' + argument % 3), '\0' };
    hf_session_options options = HF_INIT(hf_session_options);
    options.id = argument % 2 ? id : NULL;
    options.tag = tags[argument / 4 % 4];
    options.recovery = (hf_session_recovery)(argument / 16 % 3);
    if (options.recovery == HF_SESSION_REBUILD) {
        options.rebuild = "warm";
        options.rebuild_input = hf_bytes(&m->sum, argument % 5);
    }
    return hf_session_open_with(m->o, &options);
}

static void step_session(struct machine *m, enum operation operation, uint8_t argument)
{
    const char id[] = { 's', (char)('0' + argument % 3), '\0' };
    hf_session *session = &m->sessions[argument % SESSIONS_COUNT];
    switch (operation) {
    case OPEN: *session = hf_session_open(m->o); break;
    case OPEN_ID: *session = hf_session_open_id(m->o, id); break;
    case OPEN_WITH: *session = open_with(m, argument); break;
    case NAMED: *session = hf_session_named(m->o, id); break;
    default:
        hf_assert(operation == CLOSE);
        if (session->id == 0) return;
        hf_session_close(m->o, *session);
        if (argument < 250) session->id = 0;
    }
}

static void step_scope(struct machine *m, enum operation operation, uint8_t argument)
{
    if (operation == SCOPE_OPEN) {
        if (m->scopes_count < SCOPES_COUNT) m->scopes[m->scopes_count++] = hf_scope_open(m->o);
        return;
    }
    if (m->scopes_count == 0) return;
    size_t index = argument % m->scopes_count;
    if (operation == SCOPE_RESET) hf_scope_reset(m->o, m->scopes[index]);
    if (operation == SCOPE_CLOSE) hf_scope_close(m->o, m->scopes[index]);
    forget(m, index + 1, argument);
    m->scopes_count = index + (operation == SCOPE_RESET);
}

static void step_format(struct machine *m, uint8_t argument)
{
    hf_slice text = hf_format(m->o, "%0*u", argument, m->sum);
    if (m->scopes_count > 0) {
        text = hf_keep(m->o, m->scopes[argument % m->scopes_count], text);
    }
    see(m, (uint8_t)text.data[text.size - 1]);
    memset(hf_alloc(m->o, argument), 1, argument);
}

static void step(struct machine *m, enum operation operation, uint8_t argument, int *deferred_count)
{
    switch (operation) {
    case SCHEDULE:
    case SCHEDULE_ON:
    case SCHEDULE_WITH:
    case SCHEDULE_TRIES:
    case TIMER:
    case TIMER_AT:
    case TAKE:
    case CHILD:
    case WAIT: step_make(m, operation, argument); return;
    case NOW: see(m, (uint32_t)hf_now_unix_ms(m->o)); return;
    case RANDOM: see(m, (uint32_t)hf_random(m->o)); return;
    case UUID: see(m, (uint8_t)hf_uuid(m->o)[0]); return;
    case PATCHED: see(m, hf_patched(m->o, tags[2 + argument % 2])); return;
    case PATCH_RETIRED: hf_patch_retired(m->o, tags[2 + argument % 2]); return;
    case AWAIT:
    case AWAIT_WITHIN: step_await(m, operation, argument); return;
    case JOIN:
    case SELECT:
    case CANCEL:
    case IS_DONE: step_several(m, operation, argument); return;
    case OPEN:
    case OPEN_ID:
    case OPEN_WITH:
    case NAMED:
    case CLOSE: step_session(m, operation, argument); return;
    case SCOPE_OPEN:
    case SCOPE_RESET:
    case SCOPE_CLOSE: step_scope(m, operation, argument); return;
    case FORMAT: step_format(m, argument); return;
    case STATUS: hf_status_set(m->o, hf_bytes(&m->sum, sizeof m->sum)); return;
    case DEFER:
        *deferred_count += 1;
        hf_defer(m->o, count_down, deferred_count);
        return;
    default: return; /* an ending that was not meant */
    }
}

static hf_status interpret(hf_orchestration *o, hf_slice start)
{
    const struct input *input = hf_orchestration_user(o);
    struct machine m = { .o = o };
    uint32_t at = 0;
    if (start.size == sizeof at) memcpy(&at, start.data, sizeof at);
    while (at + 1 < input->program_size) {
        enum operation operation = (enum operation)(input->program[at] % OPERATIONS_COUNT);
        uint8_t argument = input->program[at + 1];
        at += 2;
        if (operation == CONTINUE) return hf_continue_as_new(o, hf_bytes(&at, sizeof at));
        if (operation == RETURN && argument >= 128) return (hf_status)(argument % 6);
        if (operation == FAIL && argument >= 128) return hf_fail(o, "code", "%u", m.sum);
        step(&m, operation, argument, input->deferred_count);
    }
    return hf_complete(o, hf_bytes(&m.sum, sizeof m.sum));
}

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
    hf_script_init(script, interpret, input);
    script->always_evict = always_evict;
    script->options.sessions_max = 3;
    for (size_t i = 0; i + 1 < input->happenings_size; i += 2) {
        if (script->outcome != HF_OUTCOME_RUNNING) break;
        happen(script, &posted, input->happenings[i], input->happenings[i + 1]);
    }
    hf_script_evict(script);
    hf_assert(*input->deferred_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_script live, replayed;
    int deferred_count = 0;
    if (size == 0) return 0;
    size_t program_size = data[0] < size - 1 ? data[0] : size - 1;
    struct input input = { .program = data + 1,
                           .happenings = data + 1 + program_size,
                           .program_size = program_size,
                           .happenings_size = size - 1 - program_size,
                           .deferred_count = &deferred_count };
    run(&live, &input, false);
    run(&replayed, &input, true);
    hf_assert(live.decisions_size == replayed.decisions_size);
    hf_assert(live.decisions_size == 0 ||
              memcmp(live.decisions, replayed.decisions, live.decisions_size) == 0);
    hf_script_release(&live);
    hf_script_release(&replayed);
    return 0;
}
