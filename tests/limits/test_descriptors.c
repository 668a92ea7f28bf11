/* A process without a descriptor to spare: what needs one is refused with a clear error, and all
 * goes on once there are some. */
/* ctest-timeout: 300 */
#include "tests/limits/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SPARE_MAX = 100 };

static struct rlimit usual;

static void allow(rlim_t count)
{
    struct rlimit limit = usual;
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Leaves so many descriptors. Not just so many above the lowest free one: uv_loop_init, when it
 * fails, keeps one open somewhere above. */
static void spare(size_t count)
{
    int descriptors[SPARE_MAX + 1];
    assert_true(count <= SPARE_MAX);
    for (size_t i = 0; i <= count; i++) {
        descriptors[i] = open("/", O_RDONLY | O_CLOEXEC);
        assert_true(descriptors[i] >= 0);
    }
    allow((rlim_t)descriptors[count]);
    for (size_t i = 0; i <= count; i++) close(descriptors[i]);
}

/* Told of it, the process gets its descriptors back. */
static bool is_refused(struct scene *scene, hf_status status)
{
    if (status == HF_OK) return false;
    if (status != HF_IO) assert_ok(status, &scene->error);
    if (scene->error.system_error != EMFILE || !scene->error.message[0]) {
        fail_msg("it does not say why: %s", scene->error.message);
    }
    assert_int_equal(scene->refusals_count, 0);
    allow(usual.rlim_cur);
    return true;
}

/* With too few some call is refused, and then the scene plays to its end; from some number on there
 * are enough. */
static void test_scene_survives_with_any_number_of_descriptors(void **state)
{
    size_t count = 0;
    bool was_refused = true;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (; was_refused; count++) {
        struct scene scene;
        scene_init(&scene);
        spare(count);
        scene_play(&scene, is_refused);
        allow(usual.rlim_cur);
        scene_end(&scene);
        was_refused = scene.refusals_count > 0;
    }
    print_message("%zu descriptors are enough\n", count - 1);
    assert_true(count > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scene_survives_with_any_number_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
