/* workload.h: a small workload of the store contract, step by step, that is the same in each run;
 * and the judge of what a crash or a fault has left of it.
 *
 * A step is one command. Clock and chance depend on the step alone, so two stores that have taken
 * the same steps are alike in every row. That is the oracle: a store whose first n steps were
 * acknowledged, and whose next was under way, is what the reference was after n steps or after
 * n + 1: each acknowledged command is there once, the one under way whole or not at all, and
 * nothing else. */
#ifndef HF_TEST_WORKLOAD_H
#define HF_TEST_WORKLOAD_H

#include "tests/conformance/world.h"

enum { WORKLOAD_STEPS_MAX = 64, WORKLOAD_ITEMS = 3 };

struct workload {
    struct world world;
    uint64_t a, b; /* registrations */
    struct hf_turn_grant turn;
    struct hf_item_grant items[WORKLOAD_ITEMS];
};

/* How many steps there are. */
size_t workload_steps_count(void);
/* The name of a step, for messages. */
const char *workload_step_name(size_t step);
/* Prepares a workload in a directory; nothing is opened: world_try_open. */
void workload_init(struct workload *self, const char *directory, hf_durability durability);
/* Takes a step; self->world.error tells why not. */
hf_status workload_step(struct workload *self, size_t step);

/* What the store is after each number of steps. */
struct reference {
    uint64_t fingerprints[WORKLOAD_STEPS_MAX + 1];
    uint64_t calls_count; /* of the shim: to open, take all steps and close */
};

/* Runs the workload undisturbed. */
void reference_make(struct reference *self, hf_durability durability);
/* Which number of steps a store has taken: `acked` or one more; fails the test when it is neither.
 */
size_t reference_find(const struct reference *self, struct hf_backend *backend, size_t acked);

/* Proves an open store, and does a new piece of work in it. */
void workload_prove(struct world *world);
/* Opens what a crash has left, judges and proves it. */
void workload_judge(const struct reference *reference, const char *directory, size_t acked);

#endif
