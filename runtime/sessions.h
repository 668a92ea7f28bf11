/* Sessions as users hear of them: the lines of the log, the counters, and on_session. What happens
 * to sessions is decided elsewhere; here it is told, once. */
#ifndef HF_RUNTIME_SESSIONS_H
#define HF_RUNTIME_SESSIONS_H

#include "runtime/claims.h"

struct hf_execution;

/* What a committed turn opened and closed, by its end too. Names are taken from its events; `arena`
 * is for reading them. Turn thread, without the mutex. */
void hf__sessions_turned(hf_runtime *runtime, const char *instance,
                         const struct hf_turn_committed *turn, const struct hf_execution *execution,
                         struct hf_arena *arena);
/* What grants say of claims, and how long they waited. Committer thread, without the mutex. */
void hf__sessions_granted(hf_runtime *runtime, const struct hf_store_fetch_items *answer);

/* The claim of a delivery; NULL: no memory, or none for the claim's first one. An older one of the
 * session has ended with it. Under the mutex. */
struct hf__claim *hf__sessions_learn(hf_runtime *runtime, const struct hf_item_grant *grant);

/* How a claim has ended that the store calls void with this code. */
enum hf__claim_end hf__sessions_end(const char *code);
/* The store says that a claim is void: its activities are told, and it is forgotten. Any thread,
 * under the mutex. */
void hf__sessions_void(hf_runtime *runtime, struct hf__claim *claim, const char *code);

/* Has the loop thread tell what is new of claims, and bury what has died. Under the mutex. */
void hf__sessions_news(hf_runtime *runtime);
/* Tells it. Loop thread, without the mutex. */
void hf__sessions_tell(hf_runtime *runtime);

#endif
