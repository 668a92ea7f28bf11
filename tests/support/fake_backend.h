/* fake_backend.h: a store behind engine/store.h with nothing but instances in it, for tests of what
 * stands before a store: the committer, client calls, waiting. Instances live in a file of the
 * directory that all its processes map, so that an end in one process can be read in another.
 * Nothing is durable and nothing runs. */
#ifndef HF_FAKE_BACKEND_H
#define HF_FAKE_BACKEND_H

#include <pthread.h>

#include "engine/store.h"

enum { HF_FAKE_GROUPS_MAX = 16384 };

struct hf_fake_table;

/* One commit, as the backend saw it. */
struct hf_fake_group {
    size_t taken_count;  /* commands that it was called with */
    size_t joined_count; /* those that `more` added */
};

/* Memory of the test; after the store was closed it can still be examined. */
struct hf_fake_backend {
    struct hf_backend backend; /* first */
    int directory;             /* descriptor */
    struct hf_fake_table *table;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_held;    /* knob: a commit waits at its beginning */
    bool is_waiting; /* one does */
    bool repeats; /* knob: as if each transaction failed and was repeated: what joined is HF_BUSY */
    hf_status fails_with; /* knob: each commit fails; HF_OK: none */
    const char *unknown;  /* knob: the answer to a start of this id is HF_UNKNOWN, though it is done
                           */
    void (*on_read)(void *user); /* knob: runs behind each reading of an instance, before its answer
                                  */
    void *user;                  /* of on_read */
    struct hf_fake_group groups[HF_FAKE_GROUPS_MAX];
    size_t groups_count;
    size_t more_count; /* calls of hf_batch.more */
    bool is_closed;
};

/* Makes a backend on directory (a path), whose table is made when it is not there. Ends the test
 * when it cannot. */
void hf_fake_init(struct hf_fake_backend *self, const char *directory);
/* Gives everything back, when the store is closed. */
void hf_fake_release(struct hf_fake_backend *self);

/* Hands the backend out: the shape of hf__store_setup.open, with the fake as self. */
hf_status hf_fake_open(void *self, const struct hf_backend_options *options,
                       struct hf_backend **out_backend, hf_error *error);

/* From now on commits wait at their beginning. */
void hf_fake_hold(struct hf_fake_backend *self);
/* Returns when a commit waits there. */
void hf_fake_wait_held(struct hf_fake_backend *self);
/* Lets them go. */
void hf_fake_let_go(struct hf_fake_backend *self);

/* How many commits there were. Any thread. */
size_t hf_fake_groups(struct hf_fake_backend *self);
/* Whether an instance of that id was started. Any thread. */
bool hf_fake_has(struct hf_fake_backend *self, const char *id);
/* How many messages it was sent; 0 when there is none. Any thread. */
size_t hf_fake_messages(struct hf_fake_backend *self, const char *id);

#endif
