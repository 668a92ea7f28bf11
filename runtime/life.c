/* Locks that say "this process lives", and the probe of others.
 *
 * 1. A life file is locked before anybody can know its name: the record that tells the name is
 * committed later.
 * 2. A name of this process is looked up in the table, never opened: F_GETLK does not report one's
 * own lock, and closing the descriptor would drop it.
 * 3. In doubt (the file cannot be opened for want of descriptors) a name is alive: a wrong "dead"
 * takes work from the living.
 *
 * fcntl locks and not flock or open-file locks: a forked child of a killed process would keep
 * those. */
#include "runtime/life.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/folder.h"

struct hf__lives {
    const struct hf_seams *seams;
    int folder; /* DIR/life */
    uv_mutex_t mutex;
    struct hf__life *own; /* the open ones of this process */
};

hf_status hf__lives_open(const struct hf_seams *seams, int directory, struct hf__lives **out_lives,
                         hf_error *error)
{
    struct hf__lives *self = hf_heap_new(seams->allocator, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for the table of life files");
    self->seams = seams;
    hf_status status = hf__folder_open(directory, "life", &self->folder, error);
    if (status != HF_OK) {
        hf_heap_free(seams->allocator, self, sizeof *self);
        return status;
    }
    int failed = uv_mutex_init(&self->mutex);
    hf_assert(failed == 0);
    *out_lives = self;
    return HF_OK;
}

void hf__lives_close(struct hf__lives *self)
{
    if (!self) return;
    hf_assert(!self->own);
    close(self->folder);
    uv_mutex_destroy(&self->mutex);
    hf_heap_free(self->seams->allocator, self, sizeof *self);
}

/* Whether the name is open in this process; under the mutex. */
static bool lives_has_own(const struct hf__lives *self, hf_slice name)
{
    for (const struct hf__life *each = self->own; each; each = each->next) {
        hf_assert(each->is_open);
        if (hf_slice_equal(hf_text(each->name), name)) return true;
    }
    return false;
}

hf_status hf__life_open(struct hf__lives *self, struct hf__life *life, hf_error *error)
{
    hf_assert(!life->is_open);
    hf__folder_random_name(self->seams, life->name, sizeof life->name);
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int file = openat(self->folder, life->name, flags, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return hf_error_system(error, HF_IO, errno, "cannot make the life file \"%s\": %s",
                               life->name, strerror(errno));
    }
    const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(file, F_SETLK, &whole) != 0) {
        int failed = errno;
        unlinkat(self->folder, life->name, 0);
        close(file);
        return hf_error_system(error, HF_IO, failed, "cannot lock the life file \"%s\": %s",
                               life->name, strerror(failed));
    }
    uv_mutex_lock(&self->mutex);
    hf_assert(!lives_has_own(self, hf_text(life->name)));
    life->file = file;
    life->is_open = true;
    life->next = self->own;
    self->own = life;
    uv_mutex_unlock(&self->mutex);
    return HF_OK;
}

void hf__life_close(struct hf__lives *self, struct hf__life *life)
{
    if (!life->is_open) return;
    uv_mutex_lock(&self->mutex);
    struct hf__life **place = &self->own;
    while (*place && *place != life) place = &(*place)->next;
    hf_assert(*place == life);
    *place = life->next;
    life->next = NULL;
    life->is_open = false;
    uv_mutex_unlock(&self->mutex);
    /* Without a name first, without a lock then: nobody finds it unlocked and takes it for a crash.
     */
    unlinkat(self->folder, life->name, 0);
    close(life->file);
    life->file = -1;
}

/* Asks the kernel whether another process holds the lock of an open life file, and which. */
static bool file_is_locked(int file, uint64_t *out_pid)
{
    struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(file, F_GETLK, &found) != 0) return true;
    if (found.l_pid > 0) *out_pid = (uint64_t)found.l_pid;
    return found.l_type != F_UNLCK;
}

/* Whether another process holds the name; one of this process must not be asked for. out_pid is set
 * when it can be told which. */
static bool name_is_held(int folder, hf_slice name, uint64_t *out_pid)
{
    char path[HF__LIFE_NAME_SIZE];
    hf_text_copy(path, sizeof path, name);
    int file = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno != ENOENT;
    bool is_locked = file_is_locked(file, out_pid);
    close(file);
    return is_locked;
}

bool hf__lives_is_alive(struct hf__lives *self, hf_slice name)
{
    if (!hf__folder_is_name(name, HF__LIFE_NAME_SIZE)) return false;
    uv_mutex_lock(&self->mutex);
    bool is_own = lives_has_own(self, name);
    uv_mutex_unlock(&self->mutex);
    uint64_t pid;
    return is_own || name_is_held(self->folder, name, &pid);
}

bool hf_life_is_held(int directory, hf_slice name)
{
    if (!hf__folder_is_name(name, HF__LIFE_NAME_SIZE)) return false;
    int folder = openat(directory, "life", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return errno != ENOENT;
    uint64_t pid;
    bool is_held = name_is_held(folder, name, &pid);
    close(folder);
    return is_held;
}

bool hf_life_any_held(int directory, uint64_t *out_pid)
{
    uint64_t pid = 0;
    bool is_held = false;
    int folder = openat(directory, "life", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = folder >= 0 ? fdopendir(folder) : NULL;
    if (!listing) {
        is_held = errno != ENOENT;
        if (folder >= 0) close(folder);
    }
    for (struct dirent *entry; listing && !is_held && (entry = readdir(listing));) {
        hf_slice name = hf_text(entry->d_name);
        if (!hf__folder_is_name(name, HF__LIFE_NAME_SIZE)) continue;
        is_held = name_is_held(folder, name, &pid);
    }
    if (listing) closedir(listing); /* and folder */
    if (is_held) *out_pid = pid;
    return is_held;
}

void hf__lives_remove(struct hf__lives *self, hf_slice name)
{
    if (!hf__folder_is_name(name, HF__LIFE_NAME_SIZE)) return;
    char path[HF__LIFE_NAME_SIZE];
    hf_text_copy(path, sizeof path, name);
    uv_mutex_lock(&self->mutex);
    if (!lives_has_own(self, name)) unlinkat(self->folder, path, 0);
    uv_mutex_unlock(&self->mutex);
}
