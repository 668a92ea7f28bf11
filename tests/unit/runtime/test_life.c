/* Life files, seen from other processes: this program plays the second process itself. */
#include "tests/support/hf_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/life.h"
#include "tests/support/role.h"

enum { LIMIT_MS = 60000 };

static void seam_random(void *self, void *bytes, size_t size)
{
    (void)self;
    if (getrandom(bytes, size, 0) != (ssize_t)size) abort();
}

static struct hf_seams seams_make(void)
{
    return (struct hf_seams){ .allocator = hf_heap_default(), .random = seam_random };
}

struct fixture {
    struct hf_test_directory directory;
    struct hf_seams seams;
    int descriptor;
    struct hf__lives *lives;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    hf_error error;
    assert_non_null(fixture);
    hf_test_directory_make(&fixture->directory);
    fixture->seams = seams_make();
    fixture->descriptor = open(fixture->directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->descriptor >= 0);
    assert_ok(hf__lives_open(&fixture->seams, fixture->descriptor, &fixture->lives, &error),
              &error);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf__lives_close(fixture->lives);
    close(fixture->descriptor);
    hf_test_directory_remove(&fixture->directory);
    free(fixture);
    return 0;
}

static bool file_exists(const struct fixture *fixture, const char *name)
{
    char path[512];
    struct stat found;
    snprintf(path, sizeof path, "%s/life/%s", fixture->directory.path, name);
    return lstat(path, &found) == 0;
}

/* Asks another process whether the name lives. */
static bool other_finds_alive(const struct fixture *fixture, const char *name)
{
    struct hf_role role;
    hf_role_start(&role, (const char *const[]){ "probe", fixture->directory.path, name, NULL });
    bool is_alive = strcmp(hf_role_hear(&role, "is "), "is alive") == 0;
    assert_int_equal(hf_role_finish(&role), 0);
    return is_alive;
}

/* A second process that holds a life; its name is in role->line behind "holds ". */
static const char *role_holds(struct hf_role *role, const struct fixture *fixture, const char *how)
{
    hf_role_start(role, (const char *const[]){ how, fixture->directory.path, NULL });
    return hf_role_hear(role, "holds ") + strlen("holds ");
}

/* ---- of other processes --------------------------------------------------------------------- */

/* The lock of another process is seen, as often as one looks; when it is killed the name is dead at
 * once. */
static void test_life_of_another_process_ends_with_sigkill(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    const char *name = role_holds(&role, fixture, "hold");
    for (int i = 0; i < 10; i++) assert_true(hf__lives_is_alive(fixture->lives, hf_text(name)));
    hf_role_kill(&role);
    assert_false(hf__lives_is_alive(fixture->lives, hf_text(name)));
    assert_true(file_exists(fixture, name));
    hf__lives_remove(fixture->lives, hf_text(name));
    assert_false(file_exists(fixture, name));
}

/* A forked child that outlives its parent does not keep the parent's name alive. */
static void test_forked_child_does_not_keep_the_life(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    char name[HF__LIFE_NAME_SIZE];
    const char *held = role_holds(&role, fixture, "hold-and-fork");
    assert_int_equal(strlen(held), sizeof name - 1);
    memcpy(name, held, sizeof name);
    pid_t child = (pid_t)atol(hf_role_hear(&role, "child ") + strlen("child "));
    assert_true(child > 0);
    assert_true(hf__lives_is_alive(fixture->lives, hf_text(name)));
    hf_role_kill(&role);
    bool child_lived = kill(child, 0) == 0;
    bool is_alive = hf__lives_is_alive(fixture->lives, hf_text(name));
    kill(child, SIGKILL);
    assert_true(child_lived);
    assert_false(is_alive);
}

/* A registration that ends in order leaves no file. */
static void test_closed_life_of_another_process_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    char name[HF__LIFE_NAME_SIZE];
    memcpy(name, role_holds(&role, fixture, "hold"), sizeof name);
    assert_int_equal(hf_role_finish(&role), 0);
    assert_false(file_exists(fixture, name));
    assert_false(hf__lives_is_alive(fixture->lives, hf_text(name)));
}

/* ---- of this process ------------------------------------------------------------------------ */

/* Looking at an own name does not open its file, which would drop the lock: another process sees it
 * held afterwards. */
static void test_own_life_stays_locked_however_often_it_is_probed(void **state)
{
    struct fixture *fixture = *state;
    struct hf__life life = { 0 };
    hf_error error;
    assert_ok(hf__life_open(fixture->lives, &life, &error), &error);
    assert_true(other_finds_alive(fixture, life.name));
    for (int i = 0; i < 10; i++) {
        assert_true(hf__lives_is_alive(fixture->lives, hf_text(life.name)));
    }
    assert_true(other_finds_alive(fixture, life.name));
    hf__lives_remove(fixture->lives, hf_text(life.name));
    assert_true(file_exists(fixture, life.name));
    hf__life_close(fixture->lives, &life);
}

/* Two registrations of one process: the end of one is not the end of the other. */
static void test_own_lives_end_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    struct hf__life lives[2] = { { .file = -1 }, { .file = -1 } };
    hf_error error;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(hf__life_open(fixture->lives, &lives[i], &error), &error);
    }
    assert_string_not_equal(lives[0].name, lives[1].name);
    hf__life_close(fixture->lives, &lives[0]);
    hf__life_close(fixture->lives, &lives[0]);
    assert_false(hf__lives_is_alive(fixture->lives, hf_text(lives[0].name)));
    assert_false(file_exists(fixture, lives[0].name));
    assert_true(other_finds_alive(fixture, lives[1].name));
    hf__life_close(fixture->lives, &lives[1]);
    assert_false(other_finds_alive(fixture, lives[1].name));
}

/* The file is private, and closed in programs that the process starts. */
static void test_life_file_is_private(void **state)
{
    struct fixture *fixture = *state;
    struct hf__life life = { 0 };
    struct stat found;
    hf_error error;
    assert_ok(hf__life_open(fixture->lives, &life, &error), &error);
    assert_int_equal(fstat(life.file, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(fcntl(life.file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    char path[512];
    hf_test_directory_join(&fixture->directory, "life", path, sizeof path);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    hf__life_close(fixture->lives, &life);
}

/* ---- names from a disk ---------------------------------------------------------------------- */

/* A name that no life file can have is dead, and no path is made of it. */
static void test_names_that_are_none_are_dead(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = { "",
                                         ".",
                                         "..",
                                         "../life/../../../../etc/passwd",
                                         "0123456789abcdef0123456789abcde",
                                         "0123456789abcdef0123456789abcdef0",
                                         "0123456789ABCDEF0123456789ABCDEF",
                                         "../../../../../../../../../tmp/x" };
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        assert_false(hf__lives_is_alive(fixture->lives, hf_text(names[i])));
        hf__lives_remove(fixture->lives, hf_text(names[i]));
    }
    assert_false(hf__lives_is_alive(fixture->lives, hf_text("0123456789abcdef0123456789abcdef")));
}

/* Not even when the path would lead to a file that is locked: a name from a disk is no path. */
static void test_name_that_is_a_path_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    static const char path[] = ".//././././././././././././././x";
    _Static_assert(sizeof path == HF__LIFE_NAME_SIZE, "it has the length of a name");
    hf_role_start(&role, (const char *const[]){ "hold-x", fixture->directory.path, NULL });
    hf_role_hear(&role, "holds x");
    assert_false(hf__lives_is_alive(fixture->lives, hf_text(path)));
    hf__lives_remove(fixture->lives, hf_text(path));
    assert_true(file_exists(fixture, "x"));
    assert_int_equal(hf_role_finish(&role), 0);
}

/* Without descriptors left nobody can be examined, and nobody is declared dead for it. */
static void test_without_descriptors_everybody_counts_as_alive(void **state)
{
    struct fixture *fixture = *state;
    struct hf_role role;
    char name[HF__LIFE_NAME_SIZE];
    memcpy(name, role_holds(&role, fixture, "hold"), sizeof name);
    hf_role_kill(&role);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool is_alive = hf__lives_is_alive(fixture->lives, hf_text(name));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(is_alive);
    assert_false(hf__lives_is_alive(fixture->lives, hf_text(name)));
}

/* Neither is a life made then. */
static void test_without_descriptors_no_life_is_opened(void **state)
{
    struct fixture *fixture = *state;
    struct hf__life life = { 0 };
    hf_error error = { 0 };
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    hf_status status = hf__life_open(fixture->lives, &life, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_status(status, HF_IO);
    assert_int_equal(error.system_error, EMFILE);
    assert_false(life.is_open);
}

/* A link in place of the folder is not followed. */
static void test_link_in_place_of_the_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct hf_test_directory other;
    struct hf__lives *lives = NULL;
    hf_error error;
    char path[512];
    hf_test_directory_make(&other);
    hf_test_directory_join(&other, "life", path, sizeof path);
    assert_int_equal(symlink(fixture->directory.path, path), 0);
    int descriptor = open(other.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_status(hf__lives_open(&fixture->seams, descriptor, &lives, &error), HF_UNSAFE_DIRECTORY);
    assert_non_null(strstr(error.message, "\"life\""));
    assert_null(lives);
    close(descriptor);
    hf_test_directory_remove(&other);
}

/* A folder that others may write into is refused: they could put files under the names of the
 * living. */
static void test_folder_that_others_may_write_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct hf__lives *lives = NULL;
    hf_error error;
    char path[512];
    hf_test_directory_join(&fixture->directory, "life", path, sizeof path);
    assert_int_equal(chmod(path, 0770), 0);
    assert_status(hf__lives_open(&fixture->seams, fixture->descriptor, &lives, &error),
                  HF_UNSAFE_DIRECTORY);
    assert_int_equal(chmod(path, 0700), 0);
}

/* ---- the second process --------------------------------------------------------------------- */

static struct hf__lives *role_lives(const char *directory)
{
    static struct hf_seams seams;
    struct hf__lives *lives = NULL;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    seams = seams_make();
    if (descriptor < 0 || hf__lives_open(&seams, descriptor, &lives, NULL) != HF_OK) exit(2);
    close(descriptor);
    return lives;
}

static int role_probe(const char *directory, const char *name)
{
    struct hf__lives *lives = role_lives(directory);
    hf_role_print(hf__lives_is_alive(lives, hf_text(name)) ? "is alive" : "is dead");
    hf__lives_close(lives);
    return 0;
}

/* Forks a child that does nothing until it is killed, or its minute is over. */
static void role_fork(void)
{
    enum { CHILD_SECONDS = 60 };
    char line[HF_ROLE_LINE_SIZE];
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        for (;;) pause();
    }
    snprintf(line, sizeof line, "child %ld", (long)child);
    hf_role_print(line);
}

/* Holds a lock of the same kind on a file that is no life file. */
static int role_hold_x(const char *directory)
{
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char line[HF_ROLE_LINE_SIZE];
    snprintf(line, sizeof line, "%s/life/x", directory);
    int file = open(line, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || fcntl(file, F_SETLK, &whole) != 0) return 2;
    hf_role_print("holds x");
    while (fgets(line, sizeof line, stdin)) {
    }
    close(file);
    return 0;
}

static int role_hold(const char *directory, bool forks)
{
    struct hf__lives *lives = role_lives(directory);
    struct hf__life life = { 0 };
    char line[HF_ROLE_LINE_SIZE];
    if (hf__life_open(lives, &life, NULL) != HF_OK) return 2;
    snprintf(line, sizeof line, "holds %s", life.name);
    hf_role_print(line);
    if (forks) role_fork();
    while (fgets(line, sizeof line, stdin)) {
    }
    hf__life_close(lives, &life);
    hf__lives_close(lives);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count, char **words)
{
    bool is_role = count > 3 && strcmp(words[1], "--role") == 0;
    if (is_role && strcmp(words[2], "probe") == 0) return role_probe(words[3], words[4]);
    if (is_role && strcmp(words[2], "hold-x") == 0) return role_hold_x(words[3]);
    if (is_role) return role_hold(words[3], strcmp(words[2], "hold-and-fork") == 0);

    const struct CMUnitTest tests[] = {
        CASE(test_life_of_another_process_ends_with_sigkill),
        CASE(test_forked_child_does_not_keep_the_life),
        CASE(test_closed_life_of_another_process_is_gone),
        CASE(test_own_life_stays_locked_however_often_it_is_probed),
        CASE(test_own_lives_end_one_by_one),
        CASE(test_life_file_is_private),
        CASE(test_names_that_are_none_are_dead),
        CASE(test_name_that_is_a_path_is_not_opened),
        CASE(test_without_descriptors_everybody_counts_as_alive),
        CASE(test_without_descriptors_no_life_is_opened),
        CASE(test_link_in_place_of_the_folder_is_refused),
        CASE(test_folder_that_others_may_write_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
