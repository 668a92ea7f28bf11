/* The ring: what is heard, what may be lost, and who is removed. Two rings of one process stand for
 * two processes where it makes no difference; where it does, this program plays the other one. */
#include "tests/support/hf_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "runtime/effects.h"
#include "runtime/ring.h"
#include "tests/support/role.h"

enum { LIMIT_MS = 60000, NEVER_MS = 1000 * 1000 };

static void seam_random(void *self, void *bytes, size_t size)
{
    (void)self;
    if (getrandom(bytes, size, 0) != (ssize_t)size) abort();
}

/* A ring and what it heard. */
struct end {
    struct hf_seams seams;
    struct hf__ring *ring;
    uv_mutex_t mutex;
    uv_cond_t changed;
    uint32_t effects; /* all that was heard */
    size_t heard_count;
    bool is_held; /* on_heard waits */
    bool is_waiting;
    size_t warnings_count;
};

static void end_on_heard(void *self, uint32_t effects)
{
    struct end *end = self;
    uv_mutex_lock(&end->mutex);
    end->is_waiting = true;
    end->effects |= effects;
    end->heard_count++;
    uv_cond_broadcast(&end->changed);
    while (end->is_held) uv_cond_wait(&end->changed, &end->mutex);
    end->is_waiting = false;
    uv_mutex_unlock(&end->mutex);
}

static void end_log(void *self, const hf_log_line *line)
{
    struct end *end = self;
    if (strcmp(line->event, "ring.deaf") == 0) end->warnings_count++;
}

static hf_status end_open_at(struct end *self, int directory, uint64_t poll_ms, hf_error *error)
{
    *self = (struct end){ .seams = { .allocator = hf_heap_default(),
                                     .random = seam_random,
                                     .self = self,
                                     .log = end_log } };
    uv_mutex_init(&self->mutex);
    uv_cond_init(&self->changed);
    const struct hf__ring_options options = { .seams = &self->seams,
                                              .directory = directory,
                                              .poll_ms = poll_ms,
                                              .on_heard = end_on_heard,
                                              .self = self };
    return hf__ring_open(&options, &self->ring, error);
}

static void end_open(struct end *self, const struct hf_test_directory *directory, uint64_t poll_ms)
{
    hf_error error;
    int descriptor = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_ok(end_open_at(self, descriptor, poll_ms, &error), &error);
    close(descriptor);
}

static void end_hear(struct end *self)
{
    hf_error error;
    assert_ok(hf__ring_hear(self->ring, &error), &error);
}

static void end_close(struct end *self)
{
    hf__ring_close(self->ring);
    uv_cond_destroy(&self->changed);
    uv_mutex_destroy(&self->mutex);
}

static void end_hold(struct end *self, bool is_held)
{
    uv_mutex_lock(&self->mutex);
    self->is_held = is_held;
    uv_cond_broadcast(&self->changed);
    uv_mutex_unlock(&self->mutex);
}

/* Waits until the end has heard all of these bits, and returns what it heard; fails the test after
 * LIMIT_MS. */
static uint32_t end_wait(struct end *self, uint32_t effects)
{
    uint64_t limit_ns = uv_hrtime() + (uint64_t)LIMIT_MS * 1000000;
    uv_mutex_lock(&self->mutex);
    while ((self->effects & effects) != effects && uv_hrtime() < limit_ns) {
        uv_cond_timedwait(&self->changed, &self->mutex, (uint64_t)LIMIT_MS * 1000000);
    }
    uint32_t heard = self->effects;
    uv_mutex_unlock(&self->mutex);
    assert_int_equal(heard & effects, effects);
    return heard;
}

struct fixture {
    struct hf_test_directory directory;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf_test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

/* How many files the wake folder has. */
static size_t sockets_count(const struct fixture *fixture)
{
    char path[512];
    size_t count = 0;
    hf_test_directory_join(&fixture->directory, "wake", path, sizeof path);
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) count++;
    }
    closedir(entries);
    return count;
}

/* A bound socket of that name which nobody of the library reads. */
static int socket_bound(const struct fixture *fixture, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/wake/%s",
                        fixture->directory.path, name);
    assert_true(size > 0 && (size_t)size < sizeof address.sun_path);
    int bound = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(bound, (const struct sockaddr *)&address, sizeof address), 0);
    return bound;
}

/* ---- hearing -------------------------------------------------------------------------------- */

/* A ring arrives with its bits at all others, marked as heard, and not at the ringer. */
static void test_ring_is_heard_by_all_others(void **state)
{
    struct fixture *fixture = *state;
    struct end ends[3];
    for (size_t i = 0; i < 3; i++) {
        end_open(&ends[i], &fixture->directory, NEVER_MS);
        end_hear(&ends[i]);
    }
    hf__ring_others(ends[0].ring, HF_EFFECT_ENDED | HF_EFFECT_TIMERS);
    uint32_t expected = HF_EFFECT_ENDED | HF_EFFECT_TIMERS | HF__EFFECT_HEARD;
    assert_int_equal(end_wait(&ends[1], expected), expected);
    assert_int_equal(end_wait(&ends[2], expected), expected);
    hf__ring_others(ends[1].ring, HF_EFFECT_VOIDED);
    expected = HF_EFFECT_VOIDED | HF__EFFECT_HEARD;
    assert_int_equal(end_wait(&ends[0], expected), expected);
    for (size_t i = 0; i < 3; i++) end_close(&ends[i]);
    assert_int_equal(sockets_count(fixture), 0);
}

/* Another process hears and rings back. */
static void test_ring_crosses_processes(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    struct end end;
    end_open(&end, &fixture->directory, NEVER_MS);
    end_hear(&end);
    hf_role_start(&role, (const char *const[]){ "echo", fixture->directory.path, NULL });
    hf_role_hear(&role, "hears");
    hf__ring_others(end.ring, HF_EFFECT_VOIDED);
    uint32_t expected = HF_EFFECT_VOIDED | HF__EFFECT_HEARD;
    assert_int_equal(end_wait(&end, expected), expected);
    assert_int_equal(hf_role_finish(&role), 0);
    end_close(&end);
}

/* Who only rings binds nothing, and to hear twice is to hear once. */
static void test_only_who_hears_has_a_socket(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end hearer;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&hearer, &fixture->directory, NEVER_MS);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    assert_int_equal(sockets_count(fixture), 0);
    end_hear(&hearer);
    end_hear(&hearer);
    assert_int_equal(sockets_count(fixture), 1);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_wait(&hearer, HF_EFFECT_ENDED);
    end_close(&ringer);
    end_close(&hearer);
}

/* Without any ring, the slow poll asks for everything. */
static void test_poll_asks_for_everything_without_a_ring(void **state)
{
    struct fixture *fixture = *state;
    struct end end;
    end_open(&end, &fixture->directory, 1);
    end_hear(&end);
    assert_int_equal(end_wait(&end, HF__EFFECTS_ALL), HF__EFFECTS_ALL | HF__EFFECT_HEARD);
    end_close(&end);
}

/* Who cannot bind a socket says so, and still has the poll. */
static void test_without_a_socket_the_poll_remains(void **state)
{
    struct fixture *fixture = *state;
    struct end end;
    char path[512];
    end_open(&end, &fixture->directory, 1);
    hf_test_directory_join(&fixture->directory, "wake", path, sizeof path);
    assert_int_equal(rmdir(path), 0);
    end_hear(&end);
    assert_int_equal(end.warnings_count, 1);
    assert_string_equal(hf__ring_name(end.ring), "");
    end_wait(&end, HF__EFFECTS_ALL);
    end_close(&end);
}

/* ---- the list of others --------------------------------------------------------------------- */

enum { LONG_AGO = 1000000000, FAR_AHEAD = 2000000000 };

/* Makes the folder look as if it had last changed at that time. */
static void folder_set_time(const struct fixture *fixture, time_t seconds)
{
    const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
    char path[512];
    hf_test_directory_join(&fixture->directory, "wake", path, sizeof path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A kept list is read again when somebody new has bound a socket. */
static void test_newcomer_is_rung_though_a_list_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end first;
    struct end second;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&first, &fixture->directory, NEVER_MS);
    end_open(&second, &fixture->directory, NEVER_MS);
    end_hear(&first);
    folder_set_time(fixture, LONG_AGO);
    hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    end_wait(&first, HF_EFFECT_TIMERS);
    end_hear(&second);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_wait(&first, HF_EFFECT_ENDED);
    end_wait(&second, HF_EFFECT_ENDED);
    end_close(&ringer);
    end_close(&first);
    end_close(&second);
}

/* A folder whose time is not safely past might change without its time changing: then no list is
 * kept. */
static void test_newcomer_in_the_same_tick_is_rung(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end first;
    struct end second;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&first, &fixture->directory, NEVER_MS);
    end_open(&second, &fixture->directory, NEVER_MS);
    end_hear(&first);
    folder_set_time(fixture, FAR_AHEAD);
    hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    end_wait(&first, HF_EFFECT_TIMERS);
    end_hear(&second);
    folder_set_time(fixture, FAR_AHEAD);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_wait(&second, HF_EFFECT_ENDED);
    end_close(&ringer);
    end_close(&first);
    end_close(&second);
}

/* Newcomers within one tick of the folder's time are not overlooked: 50 of them, each rung at once.
 */
static void test_newcomers_in_a_row_are_all_rung(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    for (int i = 0; i < 50; i++) {
        struct end end;
        end_open(&end, &fixture->directory, NEVER_MS);
        end_hear(&end);
        hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
        end_wait(&end, HF_EFFECT_ENDED);
        end_close(&end);
    }
    end_close(&ringer);
}

/* The socket of a process that is gone is removed by who rings it; the living are rung all the
 * same. */
static void test_dead_socket_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    struct end end;
    struct end other;
    end_open(&end, &fixture->directory, NEVER_MS);
    end_open(&other, &fixture->directory, NEVER_MS);
    hf_role_start(&role, (const char *const[]){ "echo", fixture->directory.path, NULL });
    hf_role_hear(&role, "hears");
    end_hear(&other);
    assert_int_equal(sockets_count(fixture), 2);
    hf_role_kill(&role);
    assert_int_equal(sockets_count(fixture), 2);
    hf__ring_others(end.ring, HF_EFFECT_ENDED);
    end_wait(&other, HF_EFFECT_ENDED);
    assert_int_equal(sockets_count(fixture), 1);
    end_close(&end);
    end_close(&other);
}

/* Files of other names, and hidden ones, are none of the ring's business. */
static void test_other_files_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct end end;
    end_open(&end, &fixture->directory, NEVER_MS);
    close(socket_bound(fixture, ".0123456789abcdef"));
    close(socket_bound(fixture, "0123456789abcdeg"));
    close(socket_bound(fixture, "0123456789abcde"));
    hf__ring_others(end.ring, HF_EFFECT_ENDED);
    assert_int_equal(sockets_count(fixture), 3);
    end_close(&end);
}

/* ---- queues that are full ------------------------------------------------------------------- */

/* Somebody who never reads (a stopped process) does not block the ringer, nor keep it from ringing
 * others: also after more rings than a sender's buffer holds. */
static void test_stopped_process_silences_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end hearer;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&hearer, &fixture->directory, NEVER_MS);
    enum { STOPPED_COUNT = 32, RINGS_COUNT = 300 };
    int stopped[STOPPED_COUNT];
    for (int i = 0; i < STOPPED_COUNT; i++) {
        char name[HF__RING_NAME_SIZE];
        snprintf(name, sizeof name, "%016x", (unsigned)i);
        stopped[i] = socket_bound(fixture, name);
    }
    for (int i = 0; i < RINGS_COUNT; i++) hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    end_hear(&hearer);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_wait(&hearer, HF_EFFECT_ENDED);
    for (int i = 0; i < STOPPED_COUNT; i++) close(stopped[i]);
    end_close(&ringer);
    end_close(&hearer);
}

/* A full queue refuses a ring; whoever empties it then looks at everything, since it cannot know
 * what it missed. */
static void test_full_queue_is_heard_as_everything(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end hearer;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&hearer, &fixture->directory, NEVER_MS);
    end_hear(&hearer);
    end_hold(&hearer, true);
    hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    end_wait(&hearer, HF_EFFECT_TIMERS);
    for (int i = 0; i < 1000; i++) hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_hold(&hearer, false);
    end_wait(&hearer, HF_EFFECT_ENDED);
    end_close(&ringer);
    end_close(&hearer);
}

/* A few rings together are their bits and no others. */
static void test_few_rings_are_heard_as_their_bits(void **state)
{
    struct fixture *fixture = *state;
    struct end ringer;
    struct end hearer;
    end_open(&ringer, &fixture->directory, NEVER_MS);
    end_open(&hearer, &fixture->directory, NEVER_MS);
    end_hear(&hearer);
    end_hold(&hearer, true);
    hf__ring_others(ringer.ring, HF_EFFECT_TIMERS);
    end_wait(&hearer, HF_EFFECT_TIMERS);
    hf__ring_others(ringer.ring, HF_EFFECT_TURNS_DUE);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_hold(&hearer, false);
    uint32_t expected = HF_EFFECT_TIMERS | HF_EFFECT_TURNS_DUE | HF_EFFECT_ENDED | HF__EFFECT_HEARD;
    assert_int_equal(end_wait(&hearer, HF_EFFECT_TURNS_DUE | HF_EFFECT_ENDED), expected);
    assert_int_equal(hearer.heard_count, 2);
    end_close(&ringer);
    end_close(&hearer);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* A link in place of the folder is not followed. */
static void test_link_in_place_of_the_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct end end;
    hf_error error;
    char path[512];
    hf_test_directory_join(&fixture->directory, "wake", path, sizeof path);
    assert_int_equal(symlink("/tmp", path), 0);
    int descriptor = open(fixture->directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_status(end_open_at(&end, descriptor, NEVER_MS, &error), HF_UNSAFE_DIRECTORY);
    assert_null(end.ring);
    close(descriptor);
    end_close(&end);
}

/* A path far longer than a socket's name may be is no obstacle. */
static void test_long_path_is_reached_by_descriptor(void **state)
{
    struct fixture *fixture = *state;
    struct hf_test_directory deep;
    struct end ringer;
    struct end hearer;
    size_t size = strlen(fixture->directory.path);
    assert_true(size + 100 < sizeof deep.path);
    deep = fixture->directory;
    snprintf(deep.path + size, sizeof deep.path - size, "/%0120d", 7);
    assert_int_equal(mkdir(deep.path, 0700), 0);
    end_open(&ringer, &deep, NEVER_MS);
    end_open(&hearer, &deep, NEVER_MS);
    end_hear(&hearer);
    hf__ring_others(ringer.ring, HF_EFFECT_ENDED);
    end_wait(&hearer, HF_EFFECT_ENDED);
    end_close(&ringer);
    end_close(&hearer);
}

/* ---- the other process ---------------------------------------------------------------------- */

static void echo_on_heard(void *self, uint32_t effects)
{
    struct end *end = self;
    hf__ring_others(end->ring, effects & HF__EFFECTS_ALL);
}

/* Rings back what it hears, until its standard input is closed. */
static int role_echo(const char *path)
{
    char line[HF_ROLE_LINE_SIZE];
    struct end end = { .seams = { .allocator = hf_heap_default(), .random = seam_random } };
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct hf__ring_options options = { .seams = &end.seams,
                                              .directory = directory,
                                              .poll_ms = NEVER_MS,
                                              .on_heard = echo_on_heard,
                                              .self = &end };
    if (hf__ring_open(&options, &end.ring, NULL) != HF_OK) return 2;
    if (hf__ring_hear(end.ring, NULL) != HF_OK) return 3;
    hf_role_print("hears");
    while (fgets(line, sizeof line, stdin)) {
    }
    hf__ring_close(end.ring);
    close(directory);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count, char **words)
{
    if (count > 3 && strcmp(words[1], "--role") == 0) return role_echo(words[3]);

    const struct CMUnitTest tests[] = {
        CASE(test_ring_is_heard_by_all_others),
        CASE(test_ring_crosses_processes),
        CASE(test_only_who_hears_has_a_socket),
        CASE(test_poll_asks_for_everything_without_a_ring),
        CASE(test_without_a_socket_the_poll_remains),
        CASE(test_newcomer_is_rung_though_a_list_is_kept),
        CASE(test_newcomer_in_the_same_tick_is_rung),
        CASE(test_newcomers_in_a_row_are_all_rung),
        CASE(test_dead_socket_is_removed),
        CASE(test_other_files_are_left_alone),
        CASE(test_stopped_process_silences_nobody),
        CASE(test_full_queue_is_heard_as_everything),
        CASE(test_few_rings_are_heard_as_their_bits),
        CASE(test_link_in_place_of_the_folder_is_refused),
        CASE(test_long_path_is_reached_by_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
