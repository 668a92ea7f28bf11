/* The interpreter of program.h: all of its state lives on the fiber's stack. */
#include "fuzz/program.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/compiler.h"

enum { FUTURES_COUNT = 8, SESSIONS_COUNT = 4, SCOPES_COUNT = 4 };

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
    KV_SET,
    KV_GET,
    KV_WALK,
    KV_CLEAR,
    STATUS_GET,
    DETACHED,
    CALL,
    DEQUEUE,
    SLEEP,
    LOG,
    WHO,
    FAIL_WITH,
    CONTINUE_WITH,
    OPERATIONS_COUNT
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

/* Values: four keys, so that they are set and cleared again. */
static void step_value(struct machine *m, enum operation operation, uint8_t argument)
{
    const char key[] = { 'k', (char)('0' + argument % 4), '\0' };
    hf_slice value = HF_EMPTY;
    switch (operation) {
    case KV_SET: hf_kv_set(m->o, key, hf_bytes(&m->sum, argument / 4 % 5)); return;
    case KV_GET:
        see(m, hf_kv_get(m->o, key, &value));
        see(m, value.size > 0 ? (uint8_t)value.data[0] : 0);
        return;
    case KV_WALK:
        for (size_t i = 0; i < hf_kv_count(m->o); i++) see(m, (uint8_t)hf_kv_key(m->o, i)[1]);
        return;
    default:
        hf_assert(operation == KV_CLEAR);
        if (argument >= 128) {
            see(m, (uint32_t)hf_kv_clear_older(m->o, argument * 32u));
        } else {
            hf_kv_clear(m->o, argument >= 120 ? NULL : key);
        }
    }
}

/* Commands that are awaited at once. */
static void step_call(struct machine *m, enum operation operation, uint8_t argument)
{
    const char queue[] = { 'q', (char)('0' + argument % 3), '\0' };
    hf_session session = m->sessions[argument % SESSIONS_COUNT];
    hf_slice result = HF_EMPTY;
    hf_status status = HF_OK;
    switch (operation) {
    case SLEEP: status = hf_sleep(m->o, argument); break;
    case DEQUEUE: status = hf_dequeue(m->o, queue, &result); break;
    default:
        hf_assert(operation == CALL);
        status = session.id != 0 && argument >= 128
                     ? hf_call_on(m->o, session, queue, hf_bytes(&m->sum, 4), &result)
                     : hf_call(m->o, queue, hf_bytes(&m->sum, argument % 5), &result);
    }
    see_await(m, status, result);
}

static void start_detached(struct machine *m, uint8_t argument)
{
    const char id[] = { 'd', (char)('0' + argument % 3), '\0' };
    hf_start_detached(m->o, HF_WITH(hf_child_options, .orchestration = "t",
                                    .instance = argument % 2 ? id : NULL,
                                    .input = hf_bytes(&m->sum, argument % 5)));
}

/* What the code may ask about itself. */
static void step_who(struct machine *m, uint8_t argument)
{
    hf_session session = m->sessions[argument % SESSIONS_COUNT];
    see(m, (uint8_t)hf_instance_id(m->o)[0]);
    see(m, hf_history_is_long(m->o));
    if (session.id != 0) see(m, (uint8_t)hf_session_id(m->o, session)[0]);
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
    case KV_SET:
    case KV_GET:
    case KV_WALK:
    case KV_CLEAR: step_value(m, operation, argument); return;
    case CALL:
    case DEQUEUE:
    case SLEEP: step_call(m, operation, argument); return;
    case DETACHED: start_detached(m, argument); return;
    case STATUS_GET: see(m, (uint32_t)hf_status_get(m->o).size); return;
    case LOG: hf_log(m->o, HF_LOG_INFO, "at %u", m->sum); return;
    case WHO: step_who(m, argument); return;
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

hf_status program_run(hf_orchestration *o, hf_slice start)
{
    const struct program *program = hf_orchestration_user(o);
    struct machine m = { .o = o };
    uint32_t at = 0;
    if (start.size == sizeof at) memcpy(&at, start.data, sizeof at);
    while (at < program->size && program->size - at >= 2) { /* any number comes from a history */
        enum operation operation = (enum operation)(program->bytes[at] % OPERATIONS_COUNT);
        uint8_t argument = program->bytes[at + 1];
        at += 2;
        if (operation == CONTINUE) return hf_continue_as_new(o, hf_bytes(&at, sizeof at));
        if (operation == RETURN && argument >= 128) return (hf_status)(argument % 6);
        if (operation == FAIL && argument >= 128) return hf_fail(o, "code", "%u", m.sum);
        if (operation == FAIL_WITH && argument >= 128) {
            return hf_fail_with(o, "data", hf_bytes(&m.sum, sizeof m.sum), "%u", m.sum);
        }
        if (operation == CONTINUE_WITH) {
            return hf_continue_as_new_with(o, HF_WITH(hf_continue_options,
                                                      .input = hf_bytes(&at, sizeof at),
                                                      .version = argument % 2 ? "1.0.0" : NULL));
        }
        step(&m, operation, argument, program->deferred_count);
    }
    return hf_complete(o, hf_bytes(&m.sum, sizeof m.sum));
}
