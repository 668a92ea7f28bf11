/* Readers have 1,024 places in LMDB's table. Processes that are killed while they read leave theirs
 * behind: whoever finds none free clears those of the dead. With that many alive a reader is told
 * that it is busy, and reads when one of them is gone. */
/* ctest-timeout: 300 */
#include <stdio.h>
#include <string.h>

#include "logstore/inspect.h"
#include "tests/conformance/world.h"
#include "tests/support/role.h"

enum { PLACES = 1024, READINGS = 64, ROLES = PLACES / READINGS };

/* Readings that a role has begun, each inside the one before. */
struct depth {
    struct hf_backend *backend;
    size_t count;
};

static hf_status go_deeper(void *self, const struct hf_log_visit *visit)
{
    struct depth *depth = self;
    char line[HF_ROLE_LINE_SIZE];
    (void)visit;
    if (++depth->count < READINGS) {
        assert_ok(hf_log_scan(depth->backend, 1, NULL, depth, go_deeper), NULL);
        return HF_OK;
    }
    hf_role_print("reading");
    hf_role_read(line);
    return HF_OK;
}

/* Opens the store, and reads in it so often at once, until it is killed. */
static int role_reads(const char *directory)
{
    struct world world;
    world_init(&world);
    snprintf(world.directory.path, sizeof world.directory.path, "%s", directory);
    world_open(&world);
    struct depth depth = { world.backend, 0 };
    return hf_log_scan(world.backend, 1, NULL, &depth, go_deeper);
}

static hf_status read_one(struct world *world)
{
    struct hf_store_totals totals;
    return world->backend->ops->totals(world->backend, &world->arena, &totals, &world->error);
}

static void role_start(struct world *world, struct hf_role *role)
{
    hf_role_start(role, (const char *const[]){ world->directory.path, NULL });
    hf_role_hear(role, "reading");
}

static void test_places_of_killed_readers_are_cleared(void **state)
{
    struct world *world = *state;
    struct hf_role role;
    for (size_t i = 0; i < 2 * ROLES; i++) {
        role_start(world, &role);
        hf_role_kill(&role);
    }
    assert_ok(read_one(world), &world->error);
}

static void test_reader_without_a_place_is_told_and_reads_later(void **state)
{
    struct world *world = *state;
    struct hf_role roles[ROLES];
    for (size_t i = 0; i < ROLES; i++) role_start(world, &roles[i]);
    assert_status(read_one(world), HF_BUSY);
    assert_string_equal(world->error.message, "too many readers of the store");
    hf_role_kill(&roles[0]);
    assert_ok(read_one(world), &world->error);
    for (size_t i = 1; i < ROLES; i++) hf_role_kill(&roles[i]);
}

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[1], "--role") == 0) return role_reads(words[2]);
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_places_of_killed_readers_are_cleared),
        CASE(test_reader_without_a_place_is_told_and_reads_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
