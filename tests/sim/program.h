/* What the instances of a simulation run: a line of operations, each a letter and a digit, over the
 * authoring API. What must come of it is known from the line alone: program_expected computes it
 * without any engine, and no order of events, failure or takeover may change it. */
#ifndef HF_TESTS_SIM_PROGRAM_H
#define HF_TESTS_SIM_PROGRAM_H

#include <stdint.h>

#include "include/holdfast.h"
#include "tests/support/random.h"

enum { PROGRAM_OPS_MAX = 8 };

/* The input of an instance, as its bytes; where it goes on after continue-as-new, too. */
struct program {
    char ops[2 * PROGRAM_OPS_MAX]; /* letter and digit; a NUL letter: the end */
    uint64_t seed;
    uint64_t sum;
    uint32_t at;             /* operation that is next */
    uint32_t messages_count; /* taken so far */
};

/* The name under which it is registered. */
#define PROGRAM_NAME "program"
#define PROGRAM_QUEUE "q"
#define PROGRAM_EVENT "go"

/* The version that is asked for; empty: any. There are several of the program, all alike. */
hf_slice program_version(uint64_t number);
/* Registers the orchestration, in all its versions. */
void program_register(hf_registry *registry);
/* What an activity does: its output for an input. */
uint64_t program_activity(uint64_t value);
/* The message of that number, for an instance of that seed. */
uint64_t program_message(uint64_t seed, uint32_t number);
/* Makes it begin with a session of over a thousand items, which it closes at once. */
void program_make_large(struct program *program);
/* How many messages it takes. */
uint32_t program_messages(const struct program *program);
/* Whether it ends with a failure, on purpose. */
bool program_fails(const struct program *program);
/* Its output, or the sum with which it fails. */
uint64_t program_expected(const struct program *program);
/* Makes one up. */
struct program program_draw(struct hf_test_random *random);
/* A number from an input, output or message: its first eight bytes; 0 when there are fewer. */
uint64_t program_value(hf_slice bytes);

#endif
