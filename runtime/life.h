/* Life files: proof that the process of a registration lives.
 *
 * DIR/life/<32 hex digits> is created, and locked by fcntl(F_SETLK), by the process that registers,
 * before its registration is committed. The kernel drops the lock when the process ends, however it
 * ends; a forked child does not have it. Closing *any* descriptor of the file drops it too:
 * therefore the names of this process stand in a table, and are never opened again here. */
#ifndef HF_RUNTIME_LIFE_H
#define HF_RUNTIME_LIFE_H

#include "engine/store.h"

enum { HF__LIFE_NAME_SIZE = 33 };

struct hf__lives;

/* One registration's life. Memory of its runtime, zeroed; in the table while it is open. */
struct hf__life {
    char name[HF__LIFE_NAME_SIZE]; /* of the file; goes into HF_STORE_REGISTER */
    int file;
    bool is_open;
    struct hf__life *next;
};

/* The table of a store handle; makes DIR/life if it is not there. directory: of the store; Borrows
 * it and seams until close. Returns owned: hf__lives_close. Errors: HF_NO_MEMORY, HF_IO,
 * HF_UNSAFE_DIRECTORY. */
HF_MUST_CHECK hf_status hf__lives_open(const struct hf_seams *seams, int directory,
                                       struct hf__lives **out_lives, hf_error *error);
/* All lives must be closed. NULL is fine. */
void hf__lives_close(struct hf__lives *self);

/* Makes a life file under a random name and locks it: from now on the name is alive for every
 * process. life must stay where it is until hf__life_close. Errors: HF_IO. Any thread. */
HF_MUST_CHECK hf_status hf__life_open(struct hf__lives *self, struct hf__life *life,
                                      hf_error *error);
/* Removes the file and drops the lock: from now on the name is dead. Call it when the registration
 * has ended in the store, or was never made. Closed already: nothing happens. Any thread. */
void hf__life_close(struct hf__lives *self, struct hf__life *life);

/* Whether the process of that name lives. Own open ones do. A missing file, or a name that is none,
 * is dead; when the file cannot be examined (no descriptors left) it counts as alive. Any thread;
 * as hf_seams.is_alive. */
bool hf__lives_is_alive(struct hf__lives *self, hf_slice name);
/* The same for a process that has no life in this store, and makes nothing in its directory: for
 * inspection. No life folder: dead. */
bool hf_life_is_held(int directory, hf_slice name);
/* Whether any process holds a life in this store, one that is registered or about to be; *out_pid
 * is the first that was found, 0: it cannot be told. For inspection, as hf_life_is_held; false
 * leaves out_pid. */
bool hf_life_any_held(int directory, uint64_t *out_pid);
/* Removes the file of somebody else's ended registration. Own open names are left alone. Any
 * thread. */
void hf__lives_remove(struct hf__lives *self, hf_slice name);

#endif
