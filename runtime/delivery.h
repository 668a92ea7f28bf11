/* The end of a delivery: what the store is told of it. Under the mutex, but hf__delivery_answered.
 */
#ifndef HF_RUNTIME_DELIVERY_H
#define HF_RUNTIME_DELIVERY_H

#include "engine/store.h"

struct hf_activity;
struct hf__submission;

enum { HF__DEATHS_MAX = 5 }; /* two make a suspect, and three more are seen while it runs alone */

/* Completes it with its output, or with its failure when there is one; without memory for that it
 * is handed back. */
void hf__delivery_complete(struct hf_activity *activity);
/* Completes it as failed without running it. */
void hf__delivery_fail(struct hf_activity *activity, const hf_error *failure);
/* Completes one as failed whose function runs on, and which says nothing more. False: no memory,
 * and nothing was sent. */
bool hf__delivery_fail_running(struct hf_activity *activity, const hf_error *failure);
/* Hands it back with what it reported last; token and registration are set here. */
void hf__delivery_hand_back(struct hf_activity *activity, const struct hf_store_abandon_item *how);
/* Hands back what cannot be run here, for the reason in status. */
void hf__delivery_refuse(struct hf_activity *activity, hf_status status);
/* Hands back, uncounted and at once, what this worker does not come to any more. */
void hf__delivery_hand_over(struct hf_activity *activity);

/* Whether it was handed out too often: it is never run again. */
bool hf__delivery_is_poison(const struct hf_activity *activity);
/* Completes it as poison: failed, for the application to see, and logged. */
void hf__delivery_bury(struct hf_activity *activity);

/* The answer to what was sent: hf__submission.done. Without the mutex. */
void hf__delivery_answered(struct hf__submission *submission);

#endif
