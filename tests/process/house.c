/* The helpers of house.h. Assertions are made on the test's thread alone; activities and observers
 * only write lines. */
#include "tests/process/house.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/heap.h"
#include "logstore/inspect.h"

/* ---- the stage ------------------------------------------------------------------------------ */

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
    self->lines = calloc(HOUSE_LINES_MAX, sizeof *self->lines);
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
    if (self->lines_count < HOUSE_LINES_MAX) {
        snprintf(self->lines[self->lines_count++], HOUSE_LINE_SIZE, "%s", line);
    }
    if (self->output >= 0) dprintf(self->output, "%s\n", line);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static size_t count_lines(const struct stage *self, const char *begin)
{
    size_t count = 0;
    for (size_t i = 0; i < self->lines_count; i++) {
        count += strncmp(self->lines[i], begin, strlen(begin)) == 0;
    }
    return count;
}

size_t stage_count(struct stage *self, const char *begin)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = count_lines(self, begin);
    pthread_mutex_unlock(&self->mutex);
    return count;
}

void stage_wait(struct stage *self, const char *begin, size_t count)
{
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += HOUSE_LIMIT_MS / 1000;
    int failed = 0;
    pthread_mutex_lock(&self->mutex);
    while (count_lines(self, begin) < count && failed == 0) {
        failed = pthread_cond_timedwait(&self->changed, &self->mutex, &limit);
    }
    size_t seen = count_lines(self, begin);
    if (seen < count) {
        for (size_t i = 0; i < self->lines_count; i++) print_error("  %s\n", self->lines[i]);
    }
    pthread_mutex_unlock(&self->mutex);
    if (seen < count) fail_msg("\"%s\" was said %zu times of %zu", begin, seen, count);
}

void stage_let_go(struct stage *self)
{
    pthread_mutex_lock(&self->mutex);
    self->lets_go = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

int stage_memories(struct stage *self)
{
    pthread_mutex_lock(&self->mutex);
    int count = self->memories;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

/* ---- activities ----------------------------------------------------------------------------- */

struct memory {
    struct stage *stage;
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
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->mutex);
    free(memory);
}

static struct memory *memory_new(struct stage *stage)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory) abort();
    memory->stage = stage;
    pthread_mutex_lock(&stage->mutex);
    if (++stage->memories > stage->memories_max) stage->memories_max = stage->memories;
    pthread_mutex_unlock(&stage->mutex);
    return memory;
}

static hf_status echo(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

static hf_status greet(hf_activity *a, hf_slice name)
{
    char text[HOUSE_LINE_SIZE];
    snprintf(text, sizeof text, "Hello, " HF_FMT "!", HF_ARG(name));
    return hf_activity_complete(a, hf_text(text));
}

static hf_status where(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    const hf_activity_info *about = hf_activity_about(a);
    char text[HOUSE_LINE_SIZE];
    char line[2 * HOUSE_LINE_SIZE];
    (void)input;
    bool is_warm = hf_session_memory(a) != NULL;
    if (!is_warm) hf_session_memory_set(a, memory_new(stage), memory_destroy);
    snprintf(text, sizeof text, "%s %s %s %u", about->worker_id, is_warm ? "warm" : "cold",
             about->first_in_claim ? "first" : "later", about->attempt);
    snprintf(line, sizeof line, "where %s %s", about->instance, text);
    stage_say(stage, line);
    return hf_activity_complete(a, hf_text(text));
}

static void say_held(hf_activity *a)
{
    const hf_activity_info *about = hf_activity_about(a);
    char line[2 * HOUSE_LINE_SIZE];
    snprintf(line, sizeof line, "held %s %s %u", about->instance, about->worker_id, about->attempt);
    stage_say(hf_activity_user(a), line);
}

static bool is_let_go(struct stage *stage)
{
    pthread_mutex_lock(&stage->mutex);
    bool lets_go = stage->lets_go;
    pthread_mutex_unlock(&stage->mutex);
    return lets_go;
}

static hf_status hold(hf_activity *a, hf_slice input)
{
    enum { STEP_MS = 10 };
    struct stage *stage = hf_activity_user(a);
    (void)input;
    say_held(a);
    while (!is_let_go(stage)) {
        if (!hf_activity_wait_cancelled(a, STEP_MS)) continue;
        stage_say(stage, "told");
        return HF_CANCELLED;
    }
    return hf_activity_complete(a, hf_text("let go"));
}

static hf_status stuck(hf_activity *a, hf_slice input)
{
    struct stage *stage = hf_activity_user(a);
    (void)input;
    say_held(a);
    pthread_mutex_lock(&stage->mutex);
    while (!stage->lets_go) pthread_cond_wait(&stage->changed, &stage->mutex);
    pthread_mutex_unlock(&stage->mutex);
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
        all = hf_format(o, HF_FMT HF_FMT "\n", HF_ARG(all), HF_ARG(report));
    }
    return hf_complete(o, all);
}

static hf_status waits(hf_orchestration *o, hf_slice input)
{
    hf_slice before, after, message;
    hf_session session = hf_session_open_id(o, "desk");
    HF_TRY(hf_call_on(o, session, "where", input, &before));
    hf_status_set(o, hf_text("waiting"));
    HF_TRY(hf_dequeue(o, "go", &message));
    HF_TRY(hf_call_on(o, session, "where", input, &after));
    return hf_complete(o, hf_format(o, HF_FMT "\n" HF_FMT "\n", HF_ARG(before), HF_ARG(after)));
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

hf_registry *house_registry(struct stage *stage, const char *without)
{
    static const struct {
        const char *name;
        hf_orchestration_fn run;
    } orchestrations[] = {
        { "hello", hello }, { "fan", fan },      { "chain", chain },         { "talk", talk },
        { "waits", waits }, { "hold", hold_on }, { "hold_free", hold_free }, { "naps", naps },
    };
    static const struct {
        const char *name;
        hf_activity_fn run;
    } activities[] = { { "echo", echo },
                       { "greet", greet },
                       { "where", where },
                       { "hold", hold },
                       { "stuck", stuck } };
    hf_registry *registry = hf_registry_new();
    for (size_t i = 0; i < sizeof orchestrations / sizeof *orchestrations; i++) {
        if (without && strcmp(without, orchestrations[i].name) == 0) continue;
        hf_register_orchestration(registry, orchestrations[i].name, orchestrations[i].run, NULL);
    }
    for (size_t i = 0; i < sizeof activities / sizeof *activities; i++) {
        if (without && strcmp(without, activities[i].name) == 0) continue;
        hf_register_activity(registry, activities[i].name, activities[i].run,
                             HF_WITH(hf_activity_settings, .user = stage));
    }
    return registry;
}

/* ---- a store and its workers ---------------------------------------------------------------- */

static void observe(void *self, const hf_log_line *line)
{
    char text[2 * HOUSE_LINE_SIZE];
    snprintf(text, sizeof text, "log %s %s: %s", line->event, line->worker ? line->worker : "-",
             line->message);
    stage_say(self, text);
}

hf_observer house_observer(struct stage *stage)
{
    return (hf_observer){
        .size = sizeof(hf_observer), .self = stage, .level_max = HF_LOG_INFO, .log = observe
    };
}

void house_open(struct house *self)
{
    hf_error error = { 0 };
    memset(self, 0, sizeof *self);
    hf_test_directory_make(&self->directory);
    stage_init(&self->stage, -1);
    self->observer = house_observer(&self->stage);
    self->registry = house_registry(&self->stage, NULL);
    assert_non_null(self->registry);
    assert_ok(hf_store_open(self->directory.path,
                            HF_WITH(hf_store_options, .observer = &self->observer), &self->store,
                            &error),
              &error);
}

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) abort();
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t boot_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_BOOTTIME);
}

static uint64_t wall_ms(void *self)
{
    (void)self;
    return clock_ms(CLOCK_REALTIME);
}

static void random_bytes(void *self, void *bytes, size_t size)
{
    (void)self;
    if (getrandom(bytes, size, 0) != (ssize_t)size) abort();
}

static bool nobody_alive(void *self, hf_slice life)
{
    (void)self;
    (void)life;
    return false;
}

static void report_finding(void *self, const struct hf_verify_finding *finding)
{
    (void)self;
    print_error("verify: %s: %s (lsn %llu)\n", finding->table ? finding->table : "log",
                finding->message, (unsigned long long)finding->lsn);
}

void house_verify(const char *directory)
{
    hf_error error = { 0 };
    const hf_clock clock = { .size = sizeof clock, .boot_ms = boot_ms, .wall_unix_ms = wall_ms };
    const struct hf_seams seams = { .allocator = hf_heap_default(),
                                    .clock = &clock,
                                    .random = random_bytes,
                                    .is_alive = nobody_alive,
                                    .boot_id = hf_text("a boot of a test") };
    struct hf_backend *backend = NULL;
    struct hf_verify_summary summary = { 0 };
    const struct hf_backend_options options = { .must_exist = true,
                                                .read_only = true,
                                                .seams = &seams };
    assert_ok(hf_backend_open(directory, &options, &backend, &error), &error);
    assert_ok(hf_store_verify(backend, &summary, &error, NULL, report_finding), &error);
    backend->ops->close(backend);
    assert_true(summary.ok);
    assert_true(summary.records > 0);
}

/* Every registration has ended, in order or declared dead: no life file may be left. */
static void assert_no_lives(const char *directory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/life", directory);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') fail_msg("a life file is left: %s", entry->d_name);
    }
    closedir(folder);
}

void house_close(struct house *self)
{
    hf_store_close(self->store);
    assert_int_equal(stage_count(&self->stage, "log store.close"), 0);
    hf_registry_free(self->registry);
    house_verify(self->directory.path);
    assert_no_lives(self->directory.path);
    assert_int_equal(stage_memories(&self->stage), 0);
    stage_release(&self->stage);
    hf_test_directory_remove(&self->directory);
}

hf_runtime *house_worker(struct house *self, const hf_runtime_options *options)
{
    hf_error error = { 0 };
    hf_runtime *runtime = NULL;
    hf_runtime_options with_check = *options;
    with_check.check_replay = true;
    assert_ok(hf_runtime_new(self->store, self->registry, &with_check, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    return runtime;
}

void house_start(struct house *self, const char *instance, const char *orchestration,
                 const char *input)
{
    hf_error error = { 0 };
    assert_ok(hf_start(self->store, instance, orchestration, hf_text(input), &error), &error);
}

void house_output(struct house *self, const char *instance, char *out_text, size_t text_size)
{
    hf_error error = { 0 };
    const hf_instance *done = NULL;
    hf_status status = hf_wait(self->store, instance, HOUSE_LIMIT_MS, &done, &error);
    if (status != HF_OK) {
        pthread_mutex_lock(&self->stage.mutex);
        for (size_t i = 0; i < self->stage.lines_count; i++) {
            print_error("  %s\n", self->stage.lines[i]);
        }
        pthread_mutex_unlock(&self->stage.mutex);
    }
    assert_ok(status, &error);
    if (done->error) print_error("%s: %s\n", instance, done->error->message);
    assert_int_equal(done->status, HF_INSTANCE_COMPLETED);
    snprintf(out_text, text_size, HF_FMT, HF_ARG(done->output));
    hf_instance_free(done);
}

void house_expect(struct house *self, const char *instance, const char *output)
{
    char text[HOUSE_LINE_SIZE];
    house_output(self, instance, text, sizeof text);
    assert_string_equal(text, output);
}

struct status_wait {
    hf_store *store;
    const char *instance, *status;
};

static bool shows_status(void *context)
{
    struct status_wait *wait = context;
    const hf_instance *instance = NULL;
    if (hf_get(wait->store, wait->instance, &instance, NULL) != HF_OK) return false;
    bool shows = hf_slice_equal(instance->custom_status, hf_text(wait->status));
    hf_instance_free(instance);
    return shows;
}

void house_wait_status(struct house *self, const char *instance, const char *status)
{
    struct status_wait wait = { self->store, instance, status };
    if (!hf_test_wait(HOUSE_LIMIT_MS, &wait, shows_status)) {
        fail_msg("%s does not become \"%s\"", instance, status);
    }
}

void house_rest(hf_runtime *runtime)
{
    hf_error error = { 0 };
    hf_runtime_stop(runtime, HOUSE_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, &error), &error);
}

struct wanted {
    const char *name;
    double value;
    bool is_found;
};

static void metric_take(void *user, const hf_metric *metric)
{
    struct wanted *wanted = user;
    if (strcmp(metric->name, wanted->name) != 0) return;
    wanted->value = metric->value;
    wanted->is_found = true;
}

double house_metric(hf_runtime *runtime, const char *name)
{
    struct wanted wanted = { .name = name };
    hf_runtime_metrics(runtime, metric_take, &wanted);
    assert_true(wanted.is_found);
    return wanted.value;
}

/* ---- children ------------------------------------------------------------------------------- */

void child_start(struct child *self, const char *directory, const char *worker_id,
                 const char *options)
{
    int ends[2];
    memset(self, 0, sizeof *self);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test", "worker", directory, worker_id, options, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    self->output = ends[0];
    char line[HOUSE_LINE_SIZE];
    child_expect(self, "ready", line, sizeof line);
}

static bool pending_take(struct child *self, char *out_line, size_t line_size)
{
    char *end = memchr(self->pending, '\n', self->pending_size);
    if (!end) return false;
    size_t size = (size_t)(end - self->pending);
    snprintf(out_line, line_size, "%.*s", (int)size, self->pending);
    self->pending_size -= size + 1;
    memmove(self->pending, end + 1, self->pending_size);
    return true;
}

bool child_line(struct child *self, char *out_line, size_t line_size)
{
    while (!pending_take(self, out_line, line_size)) {
        struct pollfd wait = { .fd = self->output, .events = POLLIN };
        assert_true(self->pending_size < sizeof self->pending);
        if (poll(&wait, 1, HOUSE_LIMIT_MS) != 1) fail_msg("the child says nothing more");
        ssize_t size = read(self->output, self->pending + self->pending_size,
                            sizeof self->pending - self->pending_size);
        if (size <= 0) return false;
        self->pending_size += (size_t)size;
    }
    return true;
}

void child_expect(struct child *self, const char *begin, char *out_line, size_t line_size)
{
    while (child_line(self, out_line, line_size)) {
        if (strncmp(out_line, begin, strlen(begin)) == 0) return;
        if (strncmp(out_line, "refused", 7) == 0) break;
    }
    fail_msg("the child ended without \"%s\": %s", begin, out_line);
}

int child_end(struct child *self, int signal_number)
{
    int status = 0;
    if (signal_number != 0) assert_int_equal(kill(self->pid, signal_number), 0);
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    close(self->output);
    return status;
}

static hf_runtime *_Atomic child_runtime; /* for the handler of its signal */

static void child_signalled(int signal_number)
{
    (void)signal_number;
    hf_runtime *runtime = atomic_load(&child_runtime);
    if (runtime) hf_runtime_stop_signal(runtime);
}

static int child_refused(struct stage *stage, const hf_error *error)
{
    char line[2 * HOUSE_LINE_SIZE];
    snprintf(line, sizeof line, "refused %s: %s", hf_status_name(error->status), error->message);
    stage_say(stage, line);
    return 3;
}

static int child_work(struct stage *stage, hf_runtime *runtime)
{
    hf_error error = { 0 };
    struct sigaction action = { .sa_handler = child_signalled };
    atomic_store(&child_runtime, runtime);
    if (sigaction(SIGTERM, &action, NULL) != 0) return 4;
    if (hf_runtime_start(runtime, &error) != HF_OK) return child_refused(stage, &error);
    stage_say(stage, "ready");
    if (hf_runtime_join(runtime, &error) != HF_OK) return 5;
    stage_say(stage, "stopped");
    return 0;
}

static int child_run(const char *directory, const char *worker_id, const char *options)
{
    struct stage stage;
    hf_error error = { 0 };
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    stage_init(&stage, STDOUT_FILENO);
    hf_registry *registry = house_registry(&stage, NULL);
    hf_observer observer = house_observer(&stage);
    hf_runtime_options runtime_options = HF_INIT(hf_runtime_options);
    runtime_options.worker_id = worker_id;
    runtime_options.activity_threads = 4;
    runtime_options.check_replay = true;
    if (strchr(options, 'a')) runtime_options.orchestration_threads = UINT32_MAX;
    if (strchr(options, 'o')) runtime_options.activity_threads = UINT32_MAX;
    int status = 2;
    if (hf_store_open(directory, HF_WITH(hf_store_options, .observer = &observer), &store,
                      &error) != HF_OK ||
        hf_runtime_new(store, registry, &runtime_options, &runtime, &error) != HF_OK) {
        child_refused(&stage, &error);
    } else {
        status = child_work(&stage, runtime);
    }
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    stage_release(&stage);
    return status;
}

int house_child_main(int argc, char **argv)
{
    if (argc != 5 || strcmp(argv[1], "worker") != 0) return -1;
    return child_run(argv[2], argv[3], argv[4]);
}
