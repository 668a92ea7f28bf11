/* A child reads from its standard input "open <gate>", "watch <event>", "retire" and "freeze", and
 * ends with it: it never outlives the test. What its stage is told goes to its standard output. */
#include "tests/support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/store.h"

enum { CHILD_GRACE_MS = 10000 };

/* ---- the parent's side ---------------------------------------------------------------------- */

static void child_spawn(struct child *self, const char *directory, const char *worker_id,
                        const char *options)
{
    int to[2];
    int from[2];
    memset(self, 0, sizeof *self);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test", "worker", directory, worker_id, options, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    self->input = to[1];
    self->output = from[0];
}

void child_start(struct child *self, const char *directory, const char *worker_id,
                 const char *options)
{
    char line[STAGE_LINE_SIZE];
    child_spawn(self, directory, worker_id, options);
    child_expect(self, "ready", line, sizeof line);
}

void child_start_refused(const char *directory, const char *worker_id, const char *options,
                         char *out_line, size_t line_size)
{
    struct child child;
    child_spawn(&child, directory, worker_id, options);
    child_expect(&child, "refused", out_line, line_size);
    int status = child_end(&child, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
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
        if (poll(&wait, 1, STAGE_LIMIT_MS) != 1) {
            fail_msg("the child says nothing more than \"%s\"", out_line);
        }
        ssize_t size = read(self->output, self->pending + self->pending_size,
                            sizeof self->pending - self->pending_size);
        if (size <= 0) return false;
        self->pending_size += (size_t)size;
    }
    return true;
}

void child_expect(struct child *self, const char *begin, char *out_line, size_t line_size)
{
    snprintf(out_line, line_size, "(nothing)");
    while (child_line(self, out_line, line_size)) {
        if (strncmp(out_line, begin, strlen(begin)) == 0) return;
        if (strncmp(out_line, "refused", 7) == 0) break;
    }
    fail_msg("the child ended without \"%s\": %s", begin, out_line);
}

static void child_say(struct child *self, const char *word, const char *name)
{
    if (dprintf(self->input, "%s %s\n", word, name) < 0) {
        fail_msg("the child does not listen: %s", strerror(errno));
    }
}

void child_open(struct child *self, const char *gate)
{
    child_say(self, "open", gate ? gate : "*");
}

void child_watch(struct child *self, const char *event)
{
    char line[STAGE_LINE_SIZE];
    child_say(self, "watch", event);
    child_expect(self, "watching", line, sizeof line);
}

void child_retire(struct child *self)
{
    char line[STAGE_LINE_SIZE];
    child_say(self, "retire", "");
    child_expect(self, "retiring", line, sizeof line);
}

static void child_wait_stopped(struct child *self)
{
    int status = 0;
    assert_int_equal(waitpid(self->pid, &status, WUNTRACED), self->pid);
    assert_true(WIFSTOPPED(status));
}

void child_stop(struct child *self)
{
    assert_int_equal(kill(self->pid, SIGSTOP), 0);
    child_wait_stopped(self);
}

void child_freeze(struct child *self)
{
    child_say(self, "freeze", "");
    child_wait_stopped(self);
}

int child_end(struct child *self, int signal_number)
{
    int status = 0;
    if (signal_number != 0) assert_int_equal(kill(self->pid, signal_number), 0);
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    close(self->input);
    close(self->output);
    return status;
}

/* ---- the child's side ----------------------------------------------------------------------- */

static hf_runtime *_Atomic child_runtime; /* for the handler of its signal */
static atomic_bool child_freezes;         /* in the next commit */

/* A fault point of the store, which does not fail. */
static int child_fault(void *self, enum hf_fault_point point)
{
    (void)self;
    if (point == HF_FAULT_COMMIT_BEFORE && atomic_exchange(&child_freezes, false)) {
        raise(SIGSTOP); /* to this thread: so it stands here, and not somewhat later */
    }
    return 0;
}

static void child_signalled(int signal_number)
{
    (void)signal_number;
    hf_runtime *runtime = atomic_load(&child_runtime);
    if (runtime) hf_runtime_stop_signal(runtime);
}

static void child_obey(struct stage *stage, const char *word, const char *name)
{
    if (strcmp(word, "open") == 0) {
        stage_open(stage, strcmp(name, "*") == 0 ? NULL : name);
    } else if (strcmp(word, "watch") == 0) {
        stage_watch(stage, name);
        stage_say(stage, "watching");
    } else if (strcmp(word, "retire") == 0) {
        hf_runtime_stop(atomic_load(&child_runtime), CHILD_GRACE_MS, NULL, NULL);
        stage_say(stage, "retiring");
    } else if (strcmp(word, "freeze") == 0) {
        atomic_store(&child_freezes, true);
    } else {
        _exit(6);
    }
}

static void *child_listen(void *argument)
{
    char line[STAGE_LINE_SIZE];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *name = strchr(line, ' ');
        if (!name) _exit(6);
        *name++ = '\0';
        child_obey(argument, line, name);
    }
    _exit(7); /* the test is gone */
}

struct child_option {
    const char *name;
    size_t offset, size;
};

static const struct child_option *option_find(const char *word, size_t name_size)
{
#define OPTION(name)                                                                               \
    {                                                                                              \
#name, offsetof(hf_runtime_options, name), sizeof(((hf_runtime_options *)0)->name)         \
    }
    static const struct child_option known[] = {
        OPTION(orchestration_threads), OPTION(activity_threads),
        OPTION(sessions_max),          OPTION(sessions_per_orchestration_max),
        OPTION(live_instances_max),    OPTION(session_lock_ms),
        OPTION(item_lock_ms),          OPTION(session_idle_ms),
        OPTION(session_reclaim_ms),    OPTION(attempts_max),
    };
#undef OPTION
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == name_size && strncmp(word, known[i].name, name_size) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

/* Sets the options that the words name; false: a word is wrong. */
static bool options_read(const char *words, hf_runtime_options *options)
{
    while (*words) {
        const char *value = strchr(words, '=');
        if (!value) return false;
        const struct child_option *option = option_find(words, (size_t)(value - words));
        if (!option) return false;
        char *field = (char *)options + option->offset;
        uint64_t number = strtoull(value + 1, NULL, 10);
        if (strncmp(value + 1, "none", 4) == 0) number = UINT32_MAX;
        uint32_t narrow = (uint32_t)number;
        memcpy(field, option->size == sizeof narrow ? (void *)&narrow : (void *)&number,
               option->size);
        words = strchr(value, ' ');
        if (!words) return true;
        words += strspn(words, " ");
    }
    return true;
}

static int child_refused(struct stage *stage, const hf_error *error)
{
    stage_sayf(stage, "refused %s: %s", hf_status_name(error->status), error->message);
    return 3;
}

static int child_work(struct stage *stage, hf_runtime *runtime)
{
    hf_error error = { 0 };
    struct sigaction action = { .sa_handler = child_signalled };
    pthread_t listener;
    atomic_store(&child_runtime, runtime);
    if (sigaction(SIGTERM, &action, NULL) != 0) return 4;
    if (hf_runtime_start(runtime, &error) != HF_OK) return child_refused(stage, &error);
    if (pthread_create(&listener, NULL, child_listen, stage) != 0) return 4;
    pthread_detach(listener);
    stage_say(stage, "ready");
    if (hf_runtime_join(runtime, &error) != HF_OK) return 5;
    stage_say(stage, "stopped");
    return 0;
}

static int child_run(const char *directory, const char *worker_id, const char *options,
                     const struct part *parts)
{
    /* Static: the listener may look at it when the process ends. */
    static struct stage stage;
    hf_error error = { 0 };
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    stage_init(&stage, STDOUT_FILENO);
    hf_registry *registry = stage_registry(&stage, parts, NULL);
    hf_observer observer = stage_observer(&stage);
    hf_runtime_options runtime_options = { .size = sizeof runtime_options,
                                           .worker_id = worker_id,
                                           .activity_threads = 4,
                                           .check_replay = true };
    const struct hf__store_setup setup = { .open = house_open_backend,
                                           .self = (void *)(uintptr_t)directory,
                                           .fault = child_fault };
    int status = 2;
    if (!options_read(options, &runtime_options)) {
        stage_sayf(&stage, "refused options: %s", options);
    } else if (hf__store_open_with(
                   &setup, HF_WITH(hf_store_options, .observer = &observer, .preallocate_size = 1),
                   &store, &error) != HF_OK ||
               hf_runtime_new(store, registry, &runtime_options, &runtime, &error) != HF_OK) {
        status = child_refused(&stage, &error);
    } else {
        status = child_work(&stage, runtime);
    }
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return status;
}

int child_main(int argc, char **argv, const struct part *parts)
{
    if (argc != 5 || strcmp(argv[1], "worker") != 0) return -1;
    return child_run(argv[2], argv[3], argv[4], parts);
}
