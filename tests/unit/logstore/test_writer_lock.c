/* The writer lock between processes: who stalls the store is named, who died is passed over, and
 * several processes may write. The other processes are this program, started in a role. */
#include "tests/unit/logstore/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/heap.h"
#include "logstore/env.h"
#include "logstore/writer_lock.h"

enum { COMMITS_COUNT = 100, HOLDER_REGISTRATION = 0xabc };

extern char **environ;

/* ---- roles: no assertion here, the exit status tells --------------------------------------- */

/* The store at path with seams of its own. */
static int role_open(struct store_part *self, const char *path, uint64_t seed)
{
    memset(self, 0, sizeof *self);
    snprintf(self->path, sizeof self->path, "%s", path);
    seams_part_init(&self->seams, seed);
    self->options = (struct hf_backend_options){ .durability = HF_DURABLE_NONE,
                                                 .preallocate_size = 1,
                                                 .seams = &self->seams.seams };
    hf_arena_init(&self->arena, hf_heap_default());
    return hf_backend_open(self->path, &self->options, &self->backend, &self->error);
}

/* Holds the lock from the byte that it writes until the byte that it reads. */
static int role_hold(const char *path)
{
    struct store_part self;
    struct hf__write write_;
    char byte = 'h';
    if (role_open(&self, path, 7) != HF_OK) return 3;
    struct hf__store *store = hf__store_of(self.backend);
    if (hf__write_begin(store, HOLDER_REGISTRATION, &write_, &self.error) != HF_OK) return 4;
    if (write(STDOUT_FILENO, &byte, 1) != 1) return 5;
    if (read(STDIN_FILENO, &byte, 1) < 0) return 6;
    hf__write_abort(&write_);
    self.backend->ops->close(self.backend);
    return 0;
}

/* Starts COMMITS_COUNT instances, each in a commit of its own. */
static int role_commit(const char *path, const char *name)
{
    struct store_part self;
    if (role_open(&self, path, (uint64_t)name[0]) != HF_OK) return 3;
    for (int i = 0; i < COMMITS_COUNT; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s-%d", name, i);
        struct hf_store_command command = command_start(id);
        struct hf_store_command *commands[] = { &command };
        struct hf_batch batch = { .commands = commands, .count = 1 };
        hf_status status = self.backend->ops->commit(self.backend, &batch, &self.error);
        if (status != HF_OK || command.status != HF_OK) return 4;
    }
    self.backend->ops->close(self.backend);
    hf_arena_release(&self.arena);
    return 0;
}

/* Opens with a map of 32 MiB and sends `target` messages of 8 MiB in all. */
static int role_grow(const char *path)
{
    struct store_part self;
    static const char body[256 * 1024] = "big";
    memset(&self, 0, sizeof self);
    int status = role_open(&self, path, 9);
    if (status == HF_OK) self.backend->ops->close(self.backend);
    self.options.map_size_max = 32 * 1024 * 1024;
    if (hf_backend_open(path, &self.options, &self.backend, &self.error) != HF_OK) return 3;
    for (int i = 0; i < 32; i++) {
        struct hf_store_command command = {
            .kind = HF_STORE_MESSAGE,
            .message = { .id = HF_SLICE("target"), .body = { body, sizeof body } },
        };
        struct hf_store_command *commands[] = { &command };
        struct hf_batch batch = { .commands = commands, .count = 1 };
        hf_status answer = self.backend->ops->commit(self.backend, &batch, &self.error);
        if (answer != HF_OK || command.status != HF_OK) return 4;
    }
    self.backend->ops->close(self.backend);
    return 0;
}

static int role_run(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--hold") == 0) return role_hold(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--grow") == 0) return role_grow(argv[2]);
    if (argc == 4 && strcmp(argv[1], "--commit") == 0) return role_commit(argv[2], argv[3]);
    return 2;
}

/* ---- the other process --------------------------------------------------------------------- */

struct child_part {
    pid_t pid;
    int to, from; /* its input and output */
};

static void child_must_start(struct child_part *self, char *const argv[])
{
    int input[2], output[2];
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(&self->pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    self->to = input[1];
    self->from = output[0];
}

/* Starts a process that holds the store's lock when this returns. */
static void child_must_hold(struct child_part *self, struct store_part *store)
{
    char byte = 0;
    char *argv[] = { (char[]){ "test" }, (char[]){ "--hold" }, store->path, NULL };
    child_must_start(self, argv);
    assert_int_equal(read(self->from, &byte, 1), 1);
    assert_int_equal(byte, 'h');
}

/* Waits until it has ended; its status as waitpid gives it. */
static int child_must_end(struct child_part *self)
{
    int status = 0;
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    close(self->to);
    close(self->from);
    return status;
}

/* ---- stalls -------------------------------------------------------------------------------- */

/* A stall as its reports see it, in the wait for the lock. */
struct stall_part {
    struct store_part *store;
    struct child_part child;
    int reports_count;
    bool was_grace_late; /* a report came before the grace stood */
};

/* Lets the stopped holder go on once the stall was reported twice. */
static void stall_end(void *context, const hf_log_line *line)
{
    struct stall_part *self = context;
    const struct hf__store *store = hf__store_of(self->store->backend);
    if (strcmp(line->event, "store.stalled") != 0) return;
    if (!hf__writer_in_grace(store, self->store->seams.boot_ms)) self->was_grace_late = true;
    if (++self->reports_count != 2) return;
    kill(self->child.pid, SIGCONT);
    if (write(self->child.to, "g", 1) != 1) kill(self->child.pid, SIGKILL);
}

/* Whether the store lets anything expire now. */
static bool may_expire(struct store_part *self)
{
    struct hf__write write_;
    assert_ok(hf__write_begin(hf__store_of(self->backend), 0, &write_, &self->error), &self->error);
    bool may = write_.may_expire;
    hf__write_abort(&write_);
    return may;
}

/* A process that is stopped inside a write transaction is named, with its registration, each
 * second; the waiting commit is done once it goes on; and for a renewal period nothing expires,
 * also for who opens the store afterwards. */
static void test_a_stopped_holder_is_named_and_starts_a_grace(void **state)
{
    struct store_part *self = *state;
    struct stall_part stall = { .store = self };
    struct child_part *child = &stall.child;
    struct hf_store_counters counters;
    char words[64];
    assert_true(may_expire(self));
    child_must_hold(child, self);
    assert_int_equal(kill(child->pid, SIGSTOP), 0);
    self->seams.on_log = stall_end;
    self->seams.on_log_context = &stall;
    store_must_start(self, "waited");
    self->seams.on_log = NULL;
    assert_int_equal(child_must_end(child), 0);
    assert_true(atomic_load(&self->seams.stalled_count) >= 2);
    assert_false(stall.was_grace_late);
    snprintf(words, sizeof words, "process %d (registration %x)", (int)child->pid,
             HOLDER_REGISTRATION);
    assert_non_null(strstr(self->seams.last_message, words));
    self->backend->ops->counters(self->backend, &counters);
    assert_int_equal(counters.stalls, 1);
    assert_false(may_expire(self));
    store_close(self);
    store_must_open(self);
    assert_false(may_expire(self));
    self->seams.boot_ms += 10000 - 1;
    assert_false(may_expire(self));
    self->seams.boot_ms += 1001;
    assert_true(may_expire(self));
    store_must_verify(self);
}

/* In the grace a deadline that the clock has reached takes nothing from anybody. */
static void test_nothing_is_taken_in_the_grace(void **state)
{
    struct hf__step step = { .now_boot_ms = 100, .may_expire = true };
    (void)state;
    assert_true(hf__step_has_passed(&step, 100));
    assert_true(hf__step_has_passed(&step, 99));
    assert_false(hf__step_has_passed(&step, 101));
    step.may_expire = false;
    assert_false(hf__step_has_passed(&step, 100));
    assert_false(hf__store_may_expire(&step));
}

/* A holder that is killed leaves nothing half-done, and the next writer goes on at once. */
static void test_a_killed_holder_is_passed_over(void **state)
{
    struct store_part *self = *state;
    struct child_part child;
    struct hf_store_counters counters;
    store_must_fill(self);
    uint64_t before = store_must_hash(self);
    for (int i = 0; i < 3; i++) {
        char id[32];
        child_must_hold(&child, self);
        assert_int_equal(kill(child.pid, SIGKILL), 0);
        int status = child_must_end(&child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(store_must_hash(self), before);
        snprintf(id, sizeof id, "after-%d", i);
        store_must_start(self, id);
        assert_string_equal(self->seams.last_event, "store.writer_died");
        before = store_must_hash(self);
    }
    self->backend->ops->counters(self->backend, &counters);
    assert_int_equal(counters.stalls, 0);
    store_must_verify(self);
}

/* ---- the file ------------------------------------------------------------------------------ */

static ino_t writer_inode(const struct store_part *self)
{
    char path[400];
    struct stat found;
    snprintf(path, sizeof path, "%s/writer", self->path);
    assert_int_equal(stat(path, &found), 0);
    return found.st_ino;
}

/* The lock file of a former boot, which a power cut may have left locked, is replaced; the one of
 * this boot is kept. */
static void test_lock_file_of_another_boot_is_replaced(void **state)
{
    struct store_part *self = *state;
    char path[400], kept[400];
    ino_t inode = writer_inode(self);
    store_close(self);
    store_must_open(self);
    assert_int_equal(writer_inode(self), inode);
    store_close(self);
    snprintf(path, sizeof path, "%s/writer", self->path);
    snprintf(kept, sizeof kept, "%s/kept", self->directory.path);
    assert_int_equal(link(path, kept), 0); /* so that its inode is not used again */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(kept, path), 0);
    self->seams.seams.boot_id = (hf_slice)HF_SLICE("boot-two");
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    store_must_open(self);
    assert_int_not_equal(writer_inode(self), inode);
    close(file);
    store_must_start(self, "a");
}

/* A lock file that was copied while it was locked, or that is none, is replaced, and no one waits.
 */
static void test_copied_or_broken_lock_file_is_replaced(void **state)
{
    struct store_part *self = *state;
    char bytes[4096];
    char path[400], copy[400];
    struct child_part child;
    child_must_hold(&child, self);
    snprintf(path, sizeof path, "%s/writer", self->path);
    snprintf(copy, sizeof copy, "%s/copied", self->directory.path);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fread(bytes, 1, sizeof bytes, in), sizeof bytes);
    fclose(in);
    FILE *out = fopen(copy, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, out), sizeof bytes);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(write(child.to, "g", 1), 1);
    assert_int_equal(child_must_end(&child), 0);
    store_close(self);
    assert_int_equal(rename(copy, path), 0);
    assert_int_equal(chmod(path, 0600), 0);
    store_must_open(self);
    store_must_start(self, "a");
    store_close(self);
    assert_int_equal(truncate(path, 100), 0);
    store_must_open(self);
    store_must_start(self, "b");
    assert_int_equal(atomic_load(&self->seams.stalled_count), 0);
}

/* ---- several writers ----------------------------------------------------------------------- */

/* Processes that commit at the same time lose nothing of each other. */
static void test_several_processes_write_one_store(void **state)
{
    struct store_part *self = *state;
    struct child_part children[2];
    struct hf_instance_info info;
    static const char *const names[] = { "one", "two" };
    for (size_t i = 0; i < 2; i++) {
        char *argv[] = { (char[]){ "test" }, (char[]){ "--commit" }, self->path,
                         (char *)(uintptr_t)names[i], NULL };
        child_must_start(&children[i], argv);
    }
    for (int i = 0; i < COMMITS_COUNT; i++) {
        char id[32];
        snprintf(id, sizeof id, "own-%d", i);
        store_must_start(self, id);
    }
    for (size_t i = 0; i < 2; i++) assert_int_equal(child_must_end(&children[i]), 0);
    for (int i = 0; i < COMMITS_COUNT; i++) {
        for (size_t j = 0; j < 2; j++) {
            char id[32];
            snprintf(id, sizeof id, "%s-%d", names[j], i);
            assert_ok(self->backend->ops->instance(self->backend, hf_text(id), &self->arena, &info,
                                                   &self->error),
                      &self->error);
        }
    }
    struct findings found = store_must_find(self);
    assert_int_equal(found.summary.findings, 0);
    assert_int_equal(found.summary.instances, 3 * COMMITS_COUNT);
}

/* When another process lets the store grow beyond our map, reading and writing take over the larger
 * one. */
static void test_a_store_that_outgrew_our_map_is_read_and_written(void **state)
{
    struct store_part *self = *state;
    struct child_part child;
    struct hf_turn_view view;
    store_close(self);
    self->options.map_size_max = 4 * 1024 * 1024;
    store_must_open(self);
    uint64_t instance = store_must_start(self, "target");
    struct hf_item_id from = { instance, 1, 1 };
    for (int i = 0; i < 2; i++) {
        char *argv[] = { (char[]){ "test" }, (char[]){ "--grow" }, self->path, NULL };
        child_must_start(&child, argv);
        assert_int_equal(child_must_end(&child), 0);
        if (i == 0) {
            assert_ok(self->backend->ops->turn_view(self->backend, &from, &self->arena, &view,
                                                    &self->error),
                      &self->error);
            assert_int_equal(view.messages_count, 32);
            store_close(self);
            self->options.map_size_max = 10 * 1024 * 1024;
            store_must_open(self);
        }
    }
    store_must_start(self, "b");
    assert_ok(
        self->backend->ops->turn_view(self->backend, &from, &self->arena, &view, &self->error),
        &self->error);
    assert_int_equal(view.messages_count, 64);
    store_must_verify(self);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_a_stopped_holder_is_named_and_starts_a_grace),
        cmocka_unit_test(test_nothing_is_taken_in_the_grace),
        CASE(test_a_killed_holder_is_passed_over),
        CASE(test_lock_file_of_another_boot_is_replaced),
        CASE(test_copied_or_broken_lock_file_is_replaced),
        CASE(test_several_processes_write_one_store),
        CASE(test_a_store_that_outgrew_our_map_is_read_and_written),
    };
    if (argc > 1) return role_run(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
