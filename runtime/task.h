/* A task: a command that the loop thread submits now and then, one at a time, and whose answer it
 * looks at itself. Not for work that must not be lost: that is a job. */
#ifndef HF_RUNTIME_TASK_H
#define HF_RUNTIME_TASK_H

#include "runtime/committer.h"

struct hf__task {
    struct hf__submission submission;
    hf_runtime *runtime;
    uint32_t wake;    /* bit that brings the loop thread back to it */
    bool is_busy;     /* begun, and its answer not looked at; guarded by the mutex */
    bool is_answered; /* guarded by the mutex */
};

/* Prepares. Borrows runtime. */
void hf__task_init(struct hf__task *self, hf_runtime *runtime, uint32_t wake);
/* Not while it is busy. */
void hf__task_release(struct hf__task *self);

/* Empties it for a command of that kind; false: the last one is still under way. Loop thread. */
bool hf__task_prepare(struct hf__task *self, enum hf_store_command_kind kind);
/* Submits what was prepared. Loop thread. */
void hf__task_submit(struct hf__task *self);
/* True once for each answer, which then stands in submission.command. Loop thread. */
bool hf__task_take_answer(struct hf__task *self);

#endif
