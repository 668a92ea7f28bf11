/* story.h: words for the course of an instance: a turn whenever one is wanted, values, the end of
 * an execution, deletion. Every word fails the test when its command is not HF_OK, but for those
 * that make a command. */
#ifndef HF_TESTS_CONFORMANCE_STORY_H
#define HF_TESTS_CONFORMANCE_STORY_H

#include "tests/conformance/world.h"

/* Sends the instance a message and begins its turn; other turns that are due stay so. */
struct plan *story_turn(struct world *world, uint64_t registration, const char *id);

/* Sets a value in a turn: the body of the event is "<key>=<value>". */
void plan_set(struct plan *plan, const char *key, const char *value);
/* The same with an event body of any bytes. */
void plan_set_body(struct plan *plan, const char *key, hf_slice body);
/* Clears a value, or all of them: key "". */
void plan_clear(struct plan *plan, const char *key);

/* A turn that sets one value. */
void story_set(struct world *world, uint64_t registration, const char *id, const char *key,
               const char *value);
/* A turn that continues as new. */
void story_continue(struct world *world, uint64_t registration, const char *id);
/* A turn that completes. */
void story_complete(struct world *world, uint64_t registration, const char *id);
/* A turn that starts a child. */
void story_child(struct world *world, uint64_t registration, const char *id, const char *child);
/* Starts an instance that continues as new so often. */
struct hf_instance_run story_continued(struct world *world, uint64_t registration, const char *id,
                                       size_t times);
/* Starts an instance whose turn of that engine version is due. */
void instance_of_version(struct world *world, uint64_t registration, const char *id,
                         uint64_t version);

/* The end of an instance from outside. */
struct hf_store_command terminate_command(const char *id);
/* Ends it. */
void story_terminate(struct world *world, const char *id);
/* The deletion of an instance alone. */
struct hf_store_command delete_command(const char *id, bool even_running);
/* The deletion of an instance and all that stem from it. */
struct hf_store_command delete_tree_command(const char *id, bool even_running);
/* Deletes an instance, whatever it does. */
void story_delete(struct world *world, const char *id);
/* The pruning of instances of a list to their present executions. */
struct hf_store_command prune_command(const struct hf_instance_run *runs, size_t count);
/* Prunes all former executions but the latest ones; returns how many went. */
uint64_t story_prune(struct world *world, const char *id, uint64_t keep_last);
/* The instance as it is now, as lists of them name it. */
struct hf_instance_run story_run(struct world *world, const char *id);

/* Whether there is an instance of that id. */
bool story_finds(struct world *world, const char *id);
/* How much of everything the store holds. */
struct hf_store_totals story_totals(struct world *world);
/* A query for all instances, for changes by hand. */
struct hf_instances_query story_query(void);
/* Fails the test unless the query gives exactly these ids, with a blank behind each. */
void assert_listed(struct world *world, struct hf_instances_query query, const char *ids);
/* Fails the test unless the executions of an instance are exactly these, as "1 2 ". */
void assert_executions(struct world *world, const char *id, const char *numbers);

#endif
