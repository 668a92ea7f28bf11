/* The program of program.h, and its oracle. Every operation has a twin in expected_op: what it adds
 * to the sum whatever happens. An activity that failed, was late or lost its session counts as if
 * it had come back, so that the sum knows only of results that were wrong, double or missing. */
#include "tests/sim/program.h"

#include <stdio.h>
#include <string.h>

enum { FAN_MAX = 16, LARGE_COUNT = 1200, WRONG_ORDER = 1000003 };

/* The state of a run: all of it lives on the fiber's stack. */
struct run {
    hf_orchestration *o;
    struct program p;
    bool is_cancelled;
};

uint64_t program_value(hf_slice bytes)
{
    uint64_t value = 0;
    if (bytes.size >= sizeof value) memcpy(&value, bytes.data, sizeof value);
    return value;
}

uint64_t program_activity(uint64_t value)
{
    return value * 3 + 1;
}

uint64_t program_message(uint64_t seed, uint32_t number)
{
    struct hf_test_random random = { seed + number };
    return hf_test_random_bits(&random) >> 32;
}

/* NULL asks for none. */
static const char *const versions[] = { NULL, "1.0.0", "1.2.0" };

/* ---- children -------------------------------------------------------------------------------- */

/* The child of an operation. Its lines hold no children and take no messages. */
static struct program child_of(const struct program *p)
{
    static const char *const lines[] = { "c2",     "f3",   "s2",     "t1c1",
                                         "v1x1c1", "S2u1", "P1x1P1", "c1q1" };
    struct program child = { .seed = p->seed * 7 + p->at };
    const char *line = lines[(p->seed + p->at) % HF_COUNT_OF(lines)];
    memcpy(child.ops, line, strlen(line));
    return child;
}

/* ---- the orchestration ----------------------------------------------------------------------- */

static hf_slice slice_of(const uint64_t *value)
{
    return hf_bytes(value, sizeof *value);
}

/* Counts an outcome. */
static void take(struct run *self, hf_status status, hf_slice result, uint64_t expected)
{
    if (status == HF_CANCELLED) self->is_cancelled = true;
    self->p.sum += status == HF_OK ? program_value(result) : expected;
}

/* What the i-th activity of this operation is given. */
static uint64_t input_of(const struct program *p, uint64_t i)
{
    return p->seed + p->at * 100u + i;
}

static void run_chain(struct run *self, uint32_t count)
{
    uint64_t value = input_of(&self->p, 0);
    for (uint32_t i = 0; i < count && !self->is_cancelled; i++) {
        hf_slice result = HF_EMPTY;
        hf_status status = hf_call(self->o, "step", slice_of(&value), &result);
        take(self, status, result, program_activity(value));
        value = program_activity(value);
    }
}

/* Schedules count activities, awaits the first of them, and then all that were asked for. */
static void run_fan(struct run *self, hf_session session, const char *tag, uint32_t count,
                    uint32_t awaited)
{
    hf_future futures[FAN_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = input_of(&self->p, i);
        hf_activity_options options = HF_INIT(hf_activity_options);
        options.name = "step";
        options.input = slice_of(&value);
        options.session = session;
        options.tag = tag;
        futures[i] = hf_schedule_with(self->o, &options);
    }
    for (uint32_t i = 0; i < awaited && !self->is_cancelled; i++) {
        hf_slice result = HF_EMPTY;
        hf_status status = hf_await(self->o, futures[i], &result);
        take(self, status, result, program_activity(input_of(&self->p, i)));
    }
}

/* Sessions: generated or by name, with a tag, with the policies of recovery; closed with work on
 * them that nobody waits for, or left open, for continue-as-new or the end. */
static void run_session(struct run *self, char letter, uint32_t count)
{
    hf_session_options options = HF_INIT(hf_session_options);
    if (letter == 'S') options.id = count % 2 ? "a" : "b";
    if (letter == 'P') options.id = "p";
    if (letter == 'T') options.tag = "gpu";
    if (letter == 'L') options.recovery = HF_SESSION_FAIL;
    if (letter == 'B') {
        options.recovery = HF_SESSION_REBUILD;
        options.rebuild = "warm";
    }
    hf_session session = hf_session_open_with(self->o, &options);
    uint32_t more = letter == 'S' || letter == 'L' ? 2 : 0;
    run_fan(self, session, NULL, count + more, count);
    if (self->is_cancelled) return;
    if (letter == 'P') return; /* open to the end, in every execution */
    if (more > 0 || count % 2) hf_session_close(self->o, session);
}

/* More than goes in one step, when it is closed. */
static void run_large(struct run *self)
{
    hf_slice result = HF_EMPTY;
    uint64_t value = input_of(&self->p, 0);
    hf_session session = hf_session_open(self->o);
    hf_future first = hf_schedule_on(self->o, session, "step", slice_of(&value));
    for (uint32_t i = 1; i < LARGE_COUNT; i++) {
        (void)hf_schedule_on(self->o, session, "step", slice_of(&value));
    }
    take(self, hf_await(self->o, first, &result), result, program_activity(value));
    if (!self->is_cancelled) hf_session_close(self->o, session);
}

static void run_within(struct run *self, uint32_t count)
{
    hf_slice result = HF_EMPTY;
    uint64_t value = input_of(&self->p, 0);
    hf_future future = hf_schedule(self->o, "step", slice_of(&value));
    hf_status status = hf_await_within(self->o, future, count * 2000u, &result);
    take(self, status, result, program_activity(value));
}

/* An unwanted one is cancelled in the turn that would start it, or later. */
static void run_child(struct run *self, bool is_wanted, uint32_t digit)
{
    hf_slice result = HF_EMPTY;
    struct program child = child_of(&self->p);
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = PROGRAM_NAME;
    options.input = hf_bytes(&child, sizeof child);
    options.version = versions[self->p.seed % HF_COUNT_OF(versions)];
    hf_future future = hf_child(self->o, &options);
    if (!is_wanted) {
        if (digit % 2 && hf_sleep(self->o, 1000) == HF_CANCELLED) self->is_cancelled = true;
        hf_future_cancel(self->o, future);
        return;
    }
    take(self, hf_await(self->o, future, &result), result, program_expected(&child));
}

static void run_detached(struct run *self)
{
    char id[64];
    struct program child = child_of(&self->p);
    hf_child_options options = HF_INIT(hf_child_options);
    options.orchestration = PROGRAM_NAME;
    options.input = hf_bytes(&child, sizeof child);
    (void)snprintf(id, sizeof id, "d%llu.%u", (unsigned long long)self->p.seed, self->p.at);
    options.instance = id;
    hf_start_detached(self->o, &options);
}

static void run_messages(struct run *self, uint32_t count)
{
    for (uint32_t i = 0; i < count && !self->is_cancelled; i++) {
        hf_slice message = HF_EMPTY;
        uint64_t expected = program_message(self->p.seed, self->p.messages_count);
        hf_status status = hf_dequeue(self->o, PROGRAM_QUEUE, &message);
        if (status == HF_OK && program_value(message) != expected) self->p.sum += WRONG_ORDER;
        if (status == HF_OK) self->p.messages_count++;
        take(self, status, message, expected);
    }
}

/* An event or a timer, whichever comes first. */
static void run_event(struct run *self, uint32_t count)
{
    size_t winner = 0;
    hf_future both[2] = { hf_event_wait(self->o, PROGRAM_EVENT),
                          hf_timer(self->o, count * UINT64_C(1000)) };
    if (hf_select(self->o, both, 2, &winner) == HF_CANCELLED) self->is_cancelled = true;
}

static void run_value(struct run *self, uint32_t digit)
{
    hf_slice found = HF_EMPTY;
    const char key[] = { 'k', (char)('0' + digit), '\0' };
    uint64_t value = digit + 1u;
    hf_kv_set(self->o, key, slice_of(&value));
    if (hf_kv_get(self->o, key, &found)) self->p.sum += program_value(found);
}

/* What is asked of the world, and answered the same at replay. */
static void run_world(struct run *self, uint32_t digit)
{
    uint64_t told = hf_now_unix_ms(self->o) + hf_random(self->o);
    if (hf_patched(self->o, digit % 2 ? "one" : "two")) told += (unsigned char)hf_uuid(self->o)[0];
    hf_status_set(self->o, slice_of(&told));
}

static void run_tries(struct run *self, uint32_t count)
{
    hf_slice result = HF_EMPTY;
    uint64_t value = input_of(&self->p, 0);
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "step";
    options.input = slice_of(&value);
    options.tries_max = 1 + count;
    options.backoff_first_ms = count % 2 ? 500 : UINT64_MAX;
    options.total_timeout_ms = count % 3 ? 0 : 60 * 1000;
    take(self, hf_call_with(self->o, &options, &result), result, program_activity(value));
}

static void run_late(struct run *self, uint32_t count)
{
    hf_slice result = HF_EMPTY;
    uint64_t value = input_of(&self->p, 0);
    hf_activity_options options = HF_INIT(hf_activity_options);
    options.name = "step";
    options.input = slice_of(&value);
    options.start_timeout_ms = count * UINT64_C(1500);
    take(self, hf_call_with(self->o, &options, &result), result, program_activity(value));
}

/* Work of a scope: what is not awaited is called off when that ends. */
static void run_scope(struct run *self, uint32_t count)
{
    hf_slice result = HF_EMPTY;
    uint64_t value = input_of(&self->p, 0);
    hf_scope scope = hf_scope_open(self->o);
    hf_future first = hf_schedule(self->o, "step", slice_of(&value));
    for (uint32_t i = 1; i < count; i++) (void)hf_schedule(self->o, "step", slice_of(&value));
    take(self, hf_await(self->o, first, &result), result, program_activity(value));
    if (self->is_cancelled) return;
    if (count % 2) hf_scope_reset(self->o, scope);
    hf_scope_close(self->o, scope);
}

/* Values come and go; what is left is told by their number. */
static void run_values(struct run *self, uint32_t count)
{
    hf_kv_clear(self->o, NULL);
    for (uint32_t i = 0; i <= count; i++) {
        const char key[] = { 'c', (char)('0' + i), '\0' };
        hf_kv_set(self->o, key, slice_of(&self->p.seed));
    }
    hf_kv_clear(self->o, hf_kv_key(self->o, 0));
    self->p.sum += hf_kv_count(self->o);
    if (count % 2) (void)hf_kv_clear_older(self->o, UINT64_MAX);
}

static void run_cancelled(struct run *self, uint32_t count)
{
    uint64_t value = input_of(&self->p, 0);
    hf_future future = hf_schedule(self->o, "step", slice_of(&value));
    if (count % 2 && hf_sleep(self->o, 1000) == HF_CANCELLED) self->is_cancelled = true;
    hf_future_cancel(self->o, future);
}

static void run_op(struct run *self, char letter, uint32_t digit)
{
    const hf_session none = { 0 };
    switch (letter) {
    case 'c': run_chain(self, digit); return;
    case 'f': run_fan(self, none, NULL, digit + 1, digit + 1); return;
    case 'g': run_fan(self, none, "gpu", digit, digit); return;
    case 'n': run_fan(self, none, digit % 2 ? "cpu" : NULL, digit, digit); return;
    case 's':
    case 'S':
    case 'P':
    case 'T':
    case 'L':
    case 'B': run_session(self, letter, digit); return;
    case 't':
        if (hf_sleep(self->o, digit * UINT64_C(1000)) == HF_CANCELLED) self->is_cancelled = true;
        return;
    case 'Z': run_large(self); return;
    case 'w': run_within(self, digit); return;
    case 'k': run_child(self, true, digit); return;
    case 'K': run_child(self, false, digit); return;
    case 'd': run_detached(self); return;
    case 'm': run_messages(self, digit); return;
    case 'e': run_event(self, digit); return;
    case 'v': run_value(self, digit); return;
    case 'u': run_world(self, digit); return;
    case 'y': run_tries(self, digit); return;
    case 'l': run_late(self, digit); return;
    case 'X': run_cancelled(self, digit); return;
    case 'h': run_scope(self, digit); return;
    case 'j': run_values(self, digit); return;
    default: HF_UNREACHABLE("no such operation");
    }
}

/* Asked to stop: one more activity, as a saga would undo what it did. */
static hf_status run_compensate(struct run *self)
{
    uint64_t value = 1;
    HF_TRY(hf_call(self->o, "step", slice_of(&value), NULL));
    return HF_CANCELLED;
}

/* Continues as new, sometimes as another version. */
static hf_status run_continue(struct run *self, uint32_t digit)
{
    hf_continue_options options = HF_INIT(hf_continue_options);
    self->p.at++;
    options.input = hf_bytes(&self->p, sizeof self->p);
    options.version = versions[digit % HF_COUNT_OF(versions)];
    return hf_continue_as_new_with(self->o, &options);
}

static hf_status program_run(hf_orchestration *o, hf_slice input)
{
    struct run self = { .o = o };
    if (input.size != sizeof self.p) return hf_fail(o, "input", "%zu bytes", input.size);
    memcpy(&self.p, input.data, sizeof self.p);
    while (self.p.at < PROGRAM_OPS_MAX && self.p.ops[2 * self.p.at]) {
        char letter = self.p.ops[2 * self.p.at];
        uint32_t digit = (uint32_t)(self.p.ops[2 * self.p.at + 1] - '0');
        if (letter == 'x') return run_continue(&self, digit);
        if (letter == 'q') return hf_fail_with(o, "meant", slice_of(&self.p.sum), "it is meant");
        run_op(&self, letter, digit);
        if (self.is_cancelled) return run_compensate(&self);
        self.p.at++;
    }
    return hf_complete(o, slice_of(&self.p.sum));
}

hf_slice program_version(uint64_t number)
{
    return hf_text(versions[number % HF_COUNT_OF(versions)]);
}

void program_register(hf_registry *registry)
{
    for (size_t i = 0; i < HF_COUNT_OF(versions); i++) {
        hf_orchestration_settings settings = HF_INIT(hf_orchestration_settings);
        settings.version = versions[i];
        if (versions[i]) hf_register_orchestration(registry, PROGRAM_NAME, program_run, &settings);
    }
}

/* ---- the oracle ------------------------------------------------------------------------------ */

static uint64_t expected_fan(const struct program *p, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += program_activity(input_of(p, i));
    return sum;
}

static uint64_t expected_chain(const struct program *p, uint32_t count)
{
    uint64_t sum = 0, value = input_of(p, 0);
    for (uint32_t i = 0; i < count; i++) sum += value = program_activity(value);
    return sum;
}

static uint64_t expected_op(struct program *p, char letter, uint32_t digit)
{
    uint64_t sum = 0;
    struct program child = child_of(p);
    switch (letter) {
    case 'c': return expected_chain(p, digit);
    case 'f': return expected_fan(p, digit + 1);
    case 'g':
    case 'n':
    case 's':
    case 'S':
    case 'P':
    case 'T':
    case 'L':
    case 'B': return expected_fan(p, digit);
    case 'Z':
    case 'w':
    case 'y':
    case 'h':
    case 'l': return expected_fan(p, 1);
    case 'k': return program_expected(&child);
    case 'v': return digit + 1u;
    case 'j': return digit;
    case 'm':
        for (uint32_t i = 0; i < digit; i++) sum += program_message(p->seed, p->messages_count++);
        return sum;
    default: return 0;
    }
}

uint64_t program_expected(const struct program *program)
{
    struct program p = *program;
    for (; p.at < PROGRAM_OPS_MAX && p.ops[2 * p.at]; p.at++) {
        if (p.ops[2 * p.at] == 'q') break;
        p.sum += expected_op(&p, p.ops[2 * p.at], (uint32_t)(p.ops[2 * p.at + 1] - '0'));
    }
    return p.sum;
}

bool program_fails(const struct program *program)
{
    for (size_t i = 0; i < PROGRAM_OPS_MAX && program->ops[2 * i]; i++) {
        if (program->ops[2 * i] == 'q') return true;
    }
    return false;
}

void program_make_large(struct program *program)
{
    program->ops[0] = 'Z';
}

uint32_t program_messages(const struct program *program)
{
    uint32_t count = 0;
    for (size_t i = 0; i < PROGRAM_OPS_MAX && program->ops[2 * i]; i++) {
        if (program->ops[2 * i] == 'q') break;
        if (program->ops[2 * i] == 'm') count += (uint32_t)(program->ops[2 * i + 1] - '0');
    }
    return count;
}

struct program program_draw(struct hf_test_random *random)
{
    static const char letters[] = "cfgnsSPTLBtwkKdmevuylXxhj";
    struct program program;
    memset(&program, 0, sizeof program);
    size_t count = (size_t)hf_test_random_from(random, 1, PROGRAM_OPS_MAX - 1);
    for (size_t i = 0; i < count; i++) {
        program.ops[2 * i] = letters[hf_test_random_below(random, sizeof letters - 1)];
        program.ops[2 * i + 1] = (char)('1' + hf_test_random_below(random, 4));
    }
    if (hf_test_random_percent(random, 5)) program.ops[2 * (count - 1)] = 'q';
    program.seed = hf_test_random_below(random, UINT64_C(1) << 40);
    return program;
}
