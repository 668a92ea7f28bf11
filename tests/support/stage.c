/* The helpers of stage.h. Assertions are made on the test's thread alone; activities and observers
 * only write lines. */
#include "tests/support/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- lines and gates ------------------------------------------------------------------------ */

void stage_init(struct stage *self, int output)
{
    memset(self, 0, sizeof *self);
    self->output = output;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    self->lines = calloc(STAGE_LINES_MAX, sizeof *self->lines);
    if (!self->lines) abort();
}

void stage_release(struct stage *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    free(self->lines);
}

void stage_say(struct stage *self, const char *line)
{
    pthread_mutex_lock(&self->mutex);
    if (self->lines_count == STAGE_LINES_MAX) abort();
    snprintf(self->lines[self->lines_count++], STAGE_LINE_SIZE, "%s", line);
    if (self->output >= 0) dprintf(self->output, "%s\n", line);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

void stage_sayf(struct stage *self, const char *format, ...)
{
    char line[STAGE_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    stage_say(self, line);
}

static bool begins(const char *line, const char *begin)
{
    return strncmp(line, begin, strlen(begin)) == 0;
}

static size_t count_lines(const struct stage *self, const char *begin)
{
    size_t count = 0;
    for (size_t i = 0; i < self->lines_count; i++) count += begins(self->lines[i], begin);
    return count;
}

size_t stage_count(struct stage *self, const char *begin)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = count_lines(self, begin);
    pthread_mutex_unlock(&self->mutex);
    return count;
}

void stage_print(struct stage *self)
{
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < self->lines_count; i++) print_error("  %s\n", self->lines[i]);
    pthread_mutex_unlock(&self->mutex);
}

void stage_wait(struct stage *self, const char *begin, size_t count)
{
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STAGE_LIMIT_MS / 1000;
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    while (count_lines(self, begin) < count && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    size_t seen = count_lines(self, begin);
    pthread_mutex_unlock(&self->mutex);
    if (seen >= count) return;
    stage_print(self);
    fail_msg("\"%s\" was said %zu times of %zu", begin, seen, count);
}

void stage_line(struct stage *self, const char *begin, size_t number, char *out_line,
                size_t line_size)
{
    stage_wait(self, begin, number);
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; number > 0; i++) {
        if (begins(self->lines[i], begin) && --number == 0) {
            snprintf(out_line, line_size, "%s", self->lines[i]);
        }
    }
    pthread_mutex_unlock(&self->mutex);
}

void stage_open(struct stage *self, const char *gate)
{
    pthread_mutex_lock(&self->mutex);
    if (!gate) {
        self->all_are_open = true;
    } else {
        if (self->gates_count == STAGE_GATES_MAX) abort();
        snprintf(self->gates[self->gates_count++], STAGE_NAME_SIZE, "%s", gate);
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

/* Under the mutex. */
static bool is_open(const struct stage *self, hf_slice gate)
{
    bool is = self->all_are_open;
    for (size_t i = 0; i < self->gates_count && !is; i++) {
        is = hf_slice_equal(hf_text(self->gates[i]), gate);
    }
    return is;
}

bool stage_is_open(struct stage *self, hf_slice gate)
{
    pthread_mutex_lock(&self->mutex);
    bool is = is_open(self, gate);
    pthread_mutex_unlock(&self->mutex);
    return is;
}

void stage_wait_open(struct stage *self, hf_slice gate)
{
    pthread_mutex_lock(&self->mutex);
    while (!is_open(self, gate)) pthread_cond_wait(&self->changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

int stage_memories(struct stage *self)
{
    pthread_mutex_lock(&self->mutex);
    int count = self->memories;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

/* ---- memories of sessions ------------------------------------------------------------------- */

struct memory {
    struct stage *stage;
    char worker[STAGE_NAME_SIZE];
    uint64_t met; /* activities so far */
    bool is_destroyed;
};

static void memory_destroy(void *argument)
{
    struct memory *memory = argument;
    struct stage *stage = memory->stage;
    pthread_mutex_lock(&stage->mutex);
    if (memory->is_destroyed) abort();
    memory->is_destroyed = true;
    stage->memories--;
    pthread_mutex_unlock(&stage->mutex);
    stage_sayf(stage, "forgotten %s", memory->worker);
    free(memory);
}

static struct memory *memory_new(struct stage *stage, const char *worker)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory) abort();
    memory->stage = stage;
    snprintf(memory->worker, sizeof memory->worker, "%s", worker);
    pthread_mutex_lock(&stage->mutex);
    if (++stage->memories > stage->memories_max) stage->memories_max = stage->memories;
    pthread_mutex_unlock(&stage->mutex);
    return memory;
}

uint64_t stage_meet(hf_activity *a)
{
    struct stage *stage = hf_activity_user(a);
    struct memory *memory = hf_session_memory(a);
    if (!memory) {
        memory = memory_new(stage, hf_activity_about(a)->worker_id);
        memory = hf_session_memory_set(a, memory, memory_destroy);
    }
    if (!memory) return 0;
    pthread_mutex_lock(&stage->mutex);
    uint64_t met = memory->met++;
    pthread_mutex_unlock(&stage->mutex);
    return met;
}

/* ---- activities ----------------------------------------------------------------------------- */

static hf_status echo(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

static hf_status greet(hf_activity *a, hf_slice name)
{
    char text[STAGE_LINE_SIZE];
    snprintf(text, sizeof text, "Hello, " HF_FMT "!", HF_ARG(name));
    return hf_activity_complete(a, hf_text(text));
}

static hf_status where(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    char text[STAGE_LINE_SIZE];
    (void)input;
    snprintf(text, sizeof text, "%s %s %s %u", about->worker_id,
             stage_meet(a) > 0 ? "warm" : "cold", about->first_in_claim ? "first" : "later",
             about->attempt);
    stage_sayf(stage, "where %s %s", about->instance, text);
    return hf_activity_complete(a, hf_text(text));
}

static hf_status tell(hf_activity *a, hf_slice input)
{
    const hf_activity_info *about = hf_activity_about(a);
    char text[STAGE_LINE_SIZE];
    (void)input;
    snprintf(text, sizeof text, "%s %s %" PRIu64 " %" PRIu64 " %s %" PRIu64 " %u", about->worker_id,
             about->session ? about->session : "-", about->incarnation, about->epoch,
             about->first_in_claim ? "first" : "later", stage_meet(a), about->attempt);
    stage_sayf(hf_activity_user(a), "tell %s %s", about->instance, text);
    return hf_activity_complete(a, hf_text(text));
}

void told_read(const char *line, struct told *out_told)
{
    char first[8];
    memset(out_told, 0, sizeof *out_told);
    int count = sscanf(line, "%63s %63s %" SCNu64 " %" SCNu64 " %7s %" SCNu64 " %u",
                       out_told->worker, out_told->session, &out_told->incarnation,
                       &out_told->epoch, first, &out_told->met, &out_told->attempt);
    if (count != 7) fail_msg("\"%s\" is no report of tell", line);
    out_told->is_first = strcmp(first, "first") == 0;
}

size_t told_read_all(const char *text, struct told *out_told, size_t told_max)
{
    size_t count = 0;
    while (*text) {
        assert_true(count < told_max);
        told_read(text, &out_told[count++]);
        const char *end = strchr(text, '\n');
        text = end ? end + 1 : "";
    }
    return count;
}

hf_slice stage_add(hf_orchestration *o, hf_slice lines, hf_slice line)
{
    return hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(lines), HF_ARG(line));
}

hf_status stage_tell(hf_orchestration *o, hf_session session, hf_slice *lines)
{
    hf_slice report;
    HF_TRY(
        hf_call_with(o, HF_WITH(hf_activity_options, .name = "tell", .session = session), &report));
    *lines = stage_add(o, *lines, report);
    return HF_OK;
}

static void say_held(hf_activity *a, hf_slice gate)
{
    const hf_activity_info *about = hf_activity_about(a);
    stage_sayf(hf_activity_user(a), "held %s %s %u%s" HF_FMT, about->instance, about->worker_id,
               about->attempt, gate.size ? " " : "", HF_ARG(gate));
}

static hf_status hold(hf_activity *a, hf_slice gate)
{
    enum { STEP_MS = 10 };
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    say_held(a, gate);
    while (!stage_is_open(stage, gate)) {
        if (!hf_activity_wait_cancelled(a, STEP_MS)) continue;
        stage_sayf(stage, "told %s %s", about->instance, about->worker_id);
        return HF_CANCELLED;
    }
    return hf_activity_complete(a, hf_text("let go"));
}

static hf_status stuck(hf_activity *a, hf_slice gate)
{
    say_held(a, gate);
    stage_wait_open(hf_activity_user(a), gate);
    return hf_activity_complete(a, hf_text("let go"));
}

/* ---- orchestrations ------------------------------------------------------------------------- */

static hf_status hello(hf_orchestration *o, hf_slice name)
{
    hf_slice greeting;
    HF_TRY(hf_call(o, "greet", name, &greeting));
    return hf_complete(o, greeting);
}

static int64_t number_of(hf_slice text)
{
    int64_t number = 0;
    return hf_slice_to_i64(text, &number) ? number : 0;
}

static hf_status fan(hf_orchestration *o, hf_slice input)
{
    int64_t count = number_of(input);
    hf_future *futures = hf_alloc(o, (size_t)count * sizeof *futures);
    for (int64_t i = 0; i < count; i++) {
        futures[i] = hf_schedule(o, "echo", hf_format(o, "%lld", (long long)i));
    }
    for (int64_t i = 0; i < count; i++) {
        hf_slice echoed;
        HF_TRY(hf_await(o, futures[i], &echoed));
        if (number_of(echoed) != i) return hf_fail(o, "mixed_up", "a wrong echo");
    }
    return hf_complete(o, input);
}

static hf_status chain(hf_orchestration *o, hf_slice input)
{
    int64_t count = number_of(input);
    for (int64_t i = 0; i < count; i++) {
        hf_slice echoed;
        HF_TRY(hf_call(o, "echo", hf_format(o, "%lld", (long long)i), &echoed));
        if (number_of(echoed) != i) return hf_fail(o, "mixed_up", "a wrong echo");
    }
    return hf_complete(o, input);
}

static hf_status talk(hf_orchestration *o, hf_slice input)
{
    int64_t count = number_of(input);
    hf_slice all = HF_EMPTY;
    hf_session session = hf_session_open(o);
    for (int64_t i = 0; i < count; i++) {
        hf_slice report;
        HF_TRY(hf_call_on(o, session, "where", input, &report));
        all = stage_add(o, all, report);
    }
    return hf_complete(o, all);
}

static hf_status waits(hf_orchestration *o, hf_slice input)
{
    (void)input;
    hf_slice lines = HF_EMPTY;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(stage_tell(o, session, &lines));
    hf_status_set(o, hf_text("waiting"));
    HF_TRY(hf_dequeue(o, "go", NULL));
    HF_TRY(stage_tell(o, session, &lines));
    return hf_complete(o, lines);
}

static hf_status hold_on(hf_orchestration *o, hf_slice input)
{
    hf_slice message, result;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, session, "where", input, NULL));
    hf_future held = hf_schedule_on(o, session, "hold", input);
    HF_TRY(hf_dequeue(o, "close", &message));
    hf_session_close(o, session);
    hf_status status = hf_await(o, held, &result);
    return hf_complete(o, hf_text(hf_status_name(status)));
}

static hf_status hold_free(hf_orchestration *o, hf_slice input)
{
    hf_slice result;
    hf_session session = hf_session_open_id(o, "desk");
    if (input.size > 0) {
        HF_TRY(hf_call_on(o, session, "stuck", input, &result));
        return hf_complete(o, result);
    }
    HF_TRY(hf_call_on(o, session, "hold", input, &result));
    return hf_complete(o, result);
}

static hf_status naps(hf_orchestration *o, hf_slice input)
{
    HF_TRY(hf_sleep(o, (uint64_t)number_of(input)));
    return hf_complete(o, hf_text("woke"));
}

/* ---- the registry --------------------------------------------------------------------------- */

static void register_parts(hf_registry *registry, struct stage *stage, const struct part *parts,
                           const char *without)
{
    for (const struct part *part = parts; part && part->name; part++) {
        if (without && strcmp(without, part->name) == 0) continue;
        if (part->orchestration) {
            hf_register_orchestration(registry, part->name, part->orchestration,
                                      HF_WITH(hf_orchestration_settings, .user = stage));
        } else {
            hf_register_activity(registry, part->name, part->activity,
                                 HF_WITH(hf_activity_settings, .user = stage));
        }
    }
}

hf_registry *stage_registry(struct stage *stage, const struct part *parts, const char *without)
{
    static const struct part common[] = {
        { "hello", hello, NULL },  { "fan", fan, NULL },
        { "chain", chain, NULL },  { "naps", naps, NULL },
        { "talk", talk, NULL },    { "waits", waits, NULL },
        { "hold", hold_on, NULL }, { "hold_free", hold_free, NULL },
        { "echo", NULL, echo },    { "greet", NULL, greet },
        { "where", NULL, where },  { "tell", NULL, tell },
        { "hold", NULL, hold },    { "stuck", NULL, stuck },
        { NULL, NULL, NULL },
    };
    hf_registry *registry = hf_registry_new();
    if (!registry) abort();
    register_parts(registry, stage, common, without);
    register_parts(registry, stage, parts, without);
    return registry;
}

static const char *named(const char *name)
{
    return name ? name : "-";
}

void stage_watch(struct stage *self, const char *event)
{
    pthread_mutex_lock(&self->mutex);
    snprintf(self->watched, sizeof self->watched, "%s", event);
    pthread_mutex_unlock(&self->mutex);
}

static bool is_watched(struct stage *self, const char *event)
{
    pthread_mutex_lock(&self->mutex);
    bool is = strcmp(self->watched, event) == 0;
    pthread_mutex_unlock(&self->mutex);
    return is;
}

static void observe(void *self, const hf_log_line *line)
{
    stage_sayf(self, "log %s %s %s %s: %s", line->event, named(line->worker), named(line->instance),
               named(line->session), line->message);
    if (is_watched(self, line->event)) stage_wait_open(self, hf_text(line->event));
}

hf_observer stage_observer(struct stage *stage)
{
    return (hf_observer){
        .size = sizeof(hf_observer), .self = stage, .level_max = HF_LOG_DEBUG, .log = observe
    };
}
