/* crew.h: what a session case begins with: a house, a runtime "orchestrator" that runs every
 * orchestration and no activity, and the workers that the case hires. Whatever is left at its end,
 * also of a case that failed, is let go, stopped and proved.
 *
 *     CREW_TEST(case_2_5_session_activity_reads_its_session, parts)   in the group of tests */
#ifndef HF_TEST_CREW_H
#define HF_TEST_CREW_H

#include "tests/support/child.h"

enum { CREW_MAX = 8 };

struct crew {
    struct house house;
    hf_runtime *orchestrator;
    hf_runtime *workers[CREW_MAX];   /* NULL: none */
    struct child children[CREW_MAX]; /* pid 0: none */
};

/* A test of a group, whose state is a crew; parts are registered beside those of the stage. */
#define CREW_TEST(test, parts)                                                                     \
    cmocka_unit_test_prestate_setup_teardown(test, crew_setup, crew_teardown, (void *)(parts))

/* The setup and teardown of CREW_TEST. */
int crew_setup(void **state);
/* As above. */
int crew_teardown(void **state);

/* Starts a worker in this process: activities alone, leases of ten minutes; threads and
 * sessions_max as in hf_runtime_options. */
hf_runtime *crew_hire(struct crew *self, const char *worker_id, uint32_t threads,
                      uint32_t sessions_max);
/* The same with any options. */
hf_runtime *crew_hire_with(struct crew *self, const hf_runtime_options *options);
/* Frees the orchestrator: the case hires who runs orchestrations. */
void crew_dismiss_orchestrator(struct crew *self);
/* Frees it: it stops in order. */
void crew_dismiss(struct crew *self, hf_runtime *worker);
/* Starts a worker in a process of its own: child_start. */
struct child *crew_spawn(struct crew *self, const char *worker_id, const char *options);
/* Ends its process: child_end. */
int crew_end(struct crew *self, struct child *child, int signal_number);

/* Starts the instance as `waits`, and waits until it waits: its session "desk" has an owner. */
void crew_start_waiting(struct crew *self, const char *instance);
/* An ordinary activity runs to its end, in whichever worker has room; each call with an instance id
 * of its own. */
void crew_run_ordinary(struct crew *self, const char *instance);
/* Asserts who owns the session; "": nobody. */
void crew_assert_owner(struct crew *self, const char *instance, const char *session,
                       const char *owner);
/* Waits until so many activities of the session are queued and not delivered. */
void crew_wait_queued(struct crew *self, const char *instance, const char *session, uint64_t count);
/* Puts something in the way of the only worker there is, which has one thread: an activity that
 * waits for the gate "way". */
void crew_put_in_the_way(struct crew *self);
/* Asserts that so many activities of the session wait for its owner, while another worker has room:
 * it runs an ordinary one meanwhile. Once a test. */
void crew_assert_waits(struct crew *self, const char *instance, const char *session,
                       uint64_t count);
/* An on_session whose user is the stage: when its worker gains a session of the instance "stalls",
 * it says "stalls" and waits for the gate "stall". Until then that worker renews nothing, as one
 * that hangs. */
void crew_stall(void *user, const hf_session_info *session, bool gained);
/* Has a worker with that on_session gain such a session; waits until it hangs. */
void crew_start_stalling(struct crew *self);
/* Asserts that all reports are of one claim: of one worker and epoch, each met by the next. */
void crew_assert_one_claim(const struct told *told, size_t count);

#endif
