/* Damaged stores, as the inspection commands meet them: every one ends with a status and with words
 * that help, whatever the bytes are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/process/command.h"

enum { LIMIT_MS = 60000, PAGE_SIZE = 4096, FLIPS_COUNT = 60 };

static hf_status touch(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

/* Works in a session, for a history of some pages. */
static hf_status works(hf_orchestration *o, hf_slice input)
{
    enum { STEPS_COUNT = 40 };
    hf_session session = hf_session_open(o);
    for (int i = 0; i < STEPS_COUNT; i++) HF_TRY(hf_call_on(o, session, "touch", input, NULL));
    return hf_complete(o, input);
}

/* A store with a history, closed, and the bytes of its data file. */
struct fixture {
    struct hf_test_directory directory;
    char data_path[320];
    unsigned char *bytes;
    size_t size;
    uint64_t chance;
    struct command command;
};

static void store_make(struct fixture *fixture)
{
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    hf_error error = { 0 };
    assert_ok(hf_store_open(
                  fixture->directory.path,
                  HF_WITH(hf_store_options, .durability = HF_DURABLE_NONE, .preallocate_size = 1),
                  &store, &error),
              &error);
    hf_registry *registry = hf_registry_new();
    hf_register_activity(registry, "touch", touch, NULL);
    hf_register_orchestration(registry, "works", works, NULL);
    assert_ok(hf_runtime_new(store, registry, NULL, &runtime, &error), &error);
    assert_ok(hf_runtime_start(runtime, &error), &error);
    static const char *const ids[] = { "one", "two" };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const hf_instance *ended = NULL;
        assert_ok(hf_start(store, ids[i], "works", hf_text("some words"), &error), &error);
        assert_ok(hf_wait(store, ids[i], LIMIT_MS, &ended, &error), &error);
        hf_instance_free(ended);
    }
    hf_runtime_free(runtime);
    hf_registry_free(registry);
    hf_store_close(store);
}

static void data_read(struct fixture *fixture)
{
    hf_test_directory_join(&fixture->directory, "data.mdb", fixture->data_path,
                           sizeof fixture->data_path);
    FILE *from = fopen(fixture->data_path, "rb");
    assert_non_null(from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    fixture->size = (size_t)ftell(from);
    fixture->bytes = malloc(fixture->size);
    assert_non_null(fixture->bytes);
    rewind(from);
    assert_int_equal(fread(fixture->bytes, 1, fixture->size, from), fixture->size);
    fclose(from);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->chance = 20261126;
    hf_test_directory_make(&fixture->directory);
    store_make(fixture);
    data_read(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    hf_test_directory_remove(&fixture->directory);
    free(fixture->bytes);
    free(fixture);
    return 0;
}

/* Runs "holdfast <words> DIR <more>". */
static void run(struct fixture *fixture, const char *words, const char *more)
{
    char line[512];
    snprintf(line, sizeof line, "%s '%s' %s", words, fixture->directory.path, more);
    command_run(&fixture->command, line);
}

static void byte_write(struct fixture *fixture, size_t offset, unsigned char byte)
{
    FILE *to = fopen(fixture->data_path, "r+b");
    assert_non_null(to);
    assert_int_equal(fseek(to, (long)offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte, to), byte);
    assert_int_equal(fclose(to), 0);
}

static size_t dice(struct fixture *fixture, size_t sides)
{
    fixture->chance = fixture->chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(fixture->chance >> 33) % sides;
}

static const struct {
    const char *words, *more;
} readings[] = { { "log verify", "" }, { "log dump", "" }, { "instances", "" },
                 { "history", "one" }, { "sessions", "" }, { "workers", "" } };
enum { READINGS_COUNT = sizeof readings / sizeof readings[0] };

/* Single flipped bits in page headers and what follows them: each command ends with 0 or 1, nothing
 * of ours breaks, and verify never fails in silence. */
static void test_flipped_bits_never_end_a_command_by_a_signal(void **state)
{
    enum { HEAD_SIZE = 64 };
    struct fixture *fixture = *state;
    for (int i = 0; i < FLIPS_COUNT; i++) {
        size_t offset = dice(fixture, fixture->size / PAGE_SIZE) * PAGE_SIZE +
                        dice(fixture, HEAD_SIZE);
        unsigned char flipped = (unsigned char)(fixture->bytes[offset] ^ (1U << dice(fixture, 8)));
        size_t reading = i % 2 ? 0 : dice(fixture, READINGS_COUNT);
        byte_write(fixture, offset, flipped);
        run(fixture, readings[reading].words, readings[reading].more);
        if (fixture->command.exit_status != 0) command_must(&fixture->command, 1, "");
        command_must_not(&fixture->command, "broken invariant");
        if (fixture->command.exit_status == 1) assert_true(fixture->command.output[0] != '\0');
        byte_write(fixture, offset, fixture->bytes[offset]);
    }
    run(fixture, "log verify", "");
    command_must(&fixture->command, 0, "ok");
}

/* A file that was cut off: LMDB reads behind its end and dies of it; every command says that the
 * file is damaged, and what to do. */
static void test_cut_off_file_is_told_as_damage(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(truncate(fixture->data_path, 2 * PAGE_SIZE), 0);
    for (size_t i = 0; i < READINGS_COUNT; i++) {
        run(fixture, readings[i].words, readings[i].more);
        command_must(&fixture->command, 1, "the pages of data.mdb are damaged");
        command_must(&fixture->command, 1, fixture->directory.path);
        command_must(&fixture->command, 1, "restore a backup");
    }
}

/* Writes the file with some bytes more at that place. */
static void shifted_write(const struct fixture *fixture, size_t offset)
{
    static const char strangers[14];
    FILE *to = fopen(fixture->data_path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(fixture->bytes, 1, offset, to), offset);
    assert_int_equal(fwrite(strangers, 1, sizeof strangers, to), sizeof strangers);
    assert_int_equal(fwrite(fixture->bytes + offset, 1, fixture->size - offset, to),
                     fixture->size - offset);
    assert_int_equal(fclose(to), 0);
}

/* A file into which some bytes came: LMDB finds pages that are none, and in some goes round for
 * ever. The command does not. */
static void test_shifted_file_is_told_as_damage(void **state)
{
    enum { PLACES = 6 };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < PLACES; i++) {
        shifted_write(fixture, 2 * PAGE_SIZE + i * (fixture->size / PLACES - PAGE_SIZE));
        run(fixture, "log verify", "");
        command_must(&fixture->command, 1, fixture->directory.path);
    }
}

/* What cannot be written is an error, also when nothing else is wrong. */
static void test_full_output_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < READINGS_COUNT; i++) {
        char more[64];
        snprintf(more, sizeof more, "%s >/dev/full", readings[i].more);
        run(fixture, readings[i].words, more);
        command_must(&fixture->command, 1, "the output could not be written");
    }
    command_run(&fixture->command, "--help >/dev/full");
    command_must(&fixture->command, 1, "the output could not be written");
}

/* A finding begins with the code of the law that is broken, for people and for programs. */
static void test_verify_names_the_law(void **state)
{
    static const char words[] = "some words";
    struct fixture *fixture = *state;
    size_t count = 0;
    for (size_t i = 0; i + sizeof words < fixture->size; i++) {
        if (memcmp(fixture->bytes + i, words, sizeof words - 1) != 0) continue;
        byte_write(fixture, i, 'S');
        count++;
    }
    assert_true(count > 0);
    run(fixture, "log verify", "");
    command_must(&fixture->command, 1, "L2: record ");
    run(fixture, "log verify", "--json");
    command_must(&fixture->command, 1, "{\"law\":\"L2\",\"finding\":");
}

/* Rows of another fold version, as another version of holdfast left them: nothing reads them, the
 * refusal says what to do, and that does it. */
static void test_rebuild_makes_foreign_rows_anew(void **state)
{
    static const char key[] = "fold_version";
    struct fixture *fixture = *state;
    size_t count = 0;
    for (size_t i = 0; i + sizeof key + 8 < fixture->size; i++) {
        if (memcmp(fixture->bytes + i, key, sizeof key - 1) != 0) continue;
        size_t value = i + sizeof key - 1;
        byte_write(fixture, value + 1, (unsigned char)(fixture->bytes[value + 1] ^ 1));
        count++;
    }
    assert_true(count > 0);
    run(fixture, "instances", "");
    command_must(&fixture->command, 1, "run holdfast rebuild");
    run(fixture, "rebuild", "");
    command_must(&fixture->command, 0, "all indexes were made anew from the log");
    command_must(&fixture->command, 0, "2 instances: ok");
    run(fixture, "instances", "");
    command_must(&fixture->command, 0, "completed");
}

/* A file that was cut off is no ground to build on, and rebuild says so. */
static void test_rebuild_refuses_a_cut_off_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(truncate(fixture->data_path, 2 * PAGE_SIZE), 0);
    run(fixture, "rebuild", "");
    command_must(&fixture->command, 1, "damaged");
    command_must_not(&fixture->command, "made anew");
    command_must_not(&fixture->command, "broken invariant");
}

/* What it cannot open it names. */
static void test_rebuild_names_what_is_no_store(void **state)
{
    struct fixture *fixture = *state;
    command_run(&fixture->command, "rebuild /etc");
    command_must(&fixture->command, 1, "/etc: it holds no store");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_flipped_bits_never_end_a_command_by_a_signal),
        CASE(test_cut_off_file_is_told_as_damage),
        CASE(test_shifted_file_is_told_as_damage),
        CASE(test_full_output_is_an_error),
        CASE(test_verify_names_the_law),
        CASE(test_rebuild_makes_foreign_rows_anew),
        CASE(test_rebuild_refuses_a_cut_off_file),
        CASE(test_rebuild_names_what_is_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
