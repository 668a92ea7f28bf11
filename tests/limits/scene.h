/* scene.h: a runtime on a store of its own that plays one small scene, while something is short: a
 * test says what, and what a public call may answer then. */
#ifndef HF_TEST_SCENE_H
#define HF_TEST_SCENE_H

#include "tests/support/house.h"

struct scene {
    struct hf_test_directory directory;
    struct hf_test_heap heap;
    struct stage stage;
    hf_registry *registry;
    hf_store *store;
    hf_runtime *runtime;
    hf_error error;     /* of the latest call */
    int refusals_count; /* public calls that were refused */
};

/* Whether the latest call, which ended with `status`, was refused for what is short, and is to be
 * made again; fails the test when it must not end so. */
typedef bool (*scene_judge_fn)(struct scene *scene, hf_status status);

/* Prepares the scene; nothing is opened yet. */
void scene_init(struct scene *self);
/* Opens the store, runs a worker, starts an instance of something of everything, waits for its end,
 * stops the worker: each call again while it is refused. The instance must complete. */
void scene_play(struct scene *self, scene_judge_fn is_refused);
/* Closes all; no block of the heap may be left, and the store is proved. */
void scene_end(struct scene *self);

#endif
