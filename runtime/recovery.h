/* Recovery: what a session's policy asks for when this worker holds it after somebody else did.
 * Under the mutex, but hf__recovery_log. */
#ifndef HF_RUNTIME_RECOVERY_H
#define HF_RUNTIME_RECOVERY_H

#include "engine/store.h"

struct hf_activity;
struct hf__claim;

/* A claim is new, of a session that was owned before: its policy is read. */
void hf__recovery_learn(hf_runtime *runtime, struct hf__claim *claim);
/* A delivery has come whose claim is known. True: recovery has taken it: it waits, has failed or is
 * handed back; false: it may run. */
bool hf__recovery_takes(struct hf_activity *activity, const struct hf_item_grant *grant);
/* The function of a rebuild has returned, or was not found: what waits for it runs, fails or goes
 * back. */
void hf__recovery_ended(struct hf_activity *rebuild, hf_status found, hf_status returned);
/* Takes a delivery out of those that wait. */
void hf__recovery_leave(struct hf_activity *activity);
/* Tells how a rebuild ended. Without the mutex. */
void hf__recovery_log(const struct hf_activity *rebuild, hf_status returned);

#endif
