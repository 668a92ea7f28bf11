/* The table of open stores: the one mutable variable of the process, with its mutex.
 *
 * LMDB forbids to open one environment twice in a process: closing the second one's descriptors
 * drops the fcntl lock that the first one relies on. So a directory is asked for here, by device
 * and inode, before any file in it is touched. A forked child inherits the table; the parent's
 * entries do not count in it, since none of the parent's stores can be used there. The mutex is
 * taken over each fork, so that the child never finds it locked by a thread that it does not have.
 */
#include "logstore/open_table.h"

#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

static struct {
    pthread_mutex_t mutex;
    pthread_once_t once;
    struct hf__open_entry *first;
} open_table = { .mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT };

static void table_lock(void)
{
    int failed = pthread_mutex_lock(&open_table.mutex);
    hf_assert(failed == 0);
}

static void table_unlock(void)
{
    int failed = pthread_mutex_unlock(&open_table.mutex);
    hf_assert(failed == 0);
}

/* In a child after fork: its only thread is the one that holds the mutex. */
static void table_unlock_in_child(void)
{
    open_table.first = NULL;
    table_unlock();
}

static void table_once(void)
{
    int failed = pthread_atfork(table_lock, table_unlock, table_unlock_in_child);
    hf_assert(failed == 0);
}

hf_status hf__open_table_enter(struct hf__open_entry *entry, const struct hf__place *place,
                               hf_error *error)
{
    hf_status status = HF_OK;
    hf_assert(entry->pid == 0);
    int failed = pthread_once(&open_table.once, table_once);
    hf_assert(failed == 0);
    table_lock();
    for (const struct hf__open_entry *other = open_table.first; other; other = other->next) {
        if (other->device != place->directory_device) continue;
        if (other->inode == place->directory_inode) status = HF_ALREADY_OPEN;
    }
    if (status == HF_OK) {
        *entry = (struct hf__open_entry){ .device = place->directory_device,
                                          .inode = place->directory_inode,
                                          .pid = getpid(),
                                          .next = open_table.first };
        open_table.first = entry;
    }
    table_unlock();
    if (status == HF_OK) return HF_OK;
    return hf_error_set(error, status, "this process has the store open: share that handle");
}

void hf__open_table_leave(struct hf__open_entry *entry)
{
    if (entry->pid == 0) return;
    hf_assert(entry->pid == getpid());
    table_lock();
    struct hf__open_entry **link = &open_table.first;
    while (*link && *link != entry) link = &(*link)->next;
    hf_assert(*link == entry);
    *link = entry->next;
    table_unlock();
    *entry = (struct hf__open_entry){ 0 };
}
