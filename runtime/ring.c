/* Datagram sockets under DIR/wake. Not a queue of messages: a byte says "look", and one that does
 * not arrive costs a second.
 *
 *  - Sockets are reached as /proc/self/fd/<descriptor of DIR/wake>/<name>: a socket path has room
 * for 107 bytes, a store's may be longer.
 *  - A socket is bound under a hidden name and renamed: between the making of its file and its
 * binding the kernel refuses connections, and a ringer would take it for dead and remove it.
 *  - Each ring sends from a fresh socket. Bytes that a stopped process does not read stay charged
 * to their sender's buffer; one socket for ever would fill, and then nobody could be rung.
 *  - A full queue refuses a byte whose bits it may not hold. Who finds many bytes waiting therefore
 * takes them for all bits.
 *  - The list of names is read again when the folder has changed, or had changed so shortly before
 * it was read that a later change could carry the same time. */
#include "runtime/ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/effects.h"
#include "runtime/folder.h"
#include "runtime/log.h"
#include "runtime/thread.h"

enum {
    LIST_YOUNG_NS = 50 * 1000 * 1000,
    QUEUE_SMALL = 8, /* fewer bytes than any kernel's default queue holds (10) */
    NS_PER_MS = 1000 * 1000
};

struct peer {
    char name[HF__RING_NAME_SIZE];
};

struct hf__ring {
    struct hf__ring_options options;
    int folder; /* DIR/wake */
    uv_mutex_t mutex;

    struct peer *peers; /* names of the others, as the folder had them at list_time */
    size_t peers_count, peers_capacity;
    struct timespec list_time; /* of the folder */
    bool list_is_sure;         /* false: read it again */

    bool is_hearing;
    uv_thread_t thread;
    int socket; /* -1: none */
    int stop;   /* eventfd */
    char name[HF__RING_NAME_SIZE];
};

/* ---- hearing -------------------------------------------------------------------------------- */

static struct sockaddr_un ring_address(const struct hf__ring *self, const char *prefix,
                                       const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int size = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s%s",
                        self->folder, prefix, name);
    hf_assert(size > 0 && (size_t)size < sizeof address.sun_path);
    return address;
}

/* Gives the socket its file, hidden first; false with errno set. */
static bool ring_bind_at(const struct hf__ring *self, int bound, const char *name)
{
    struct sockaddr_un address = ring_address(self, ".", name);
    const char *hidden = strrchr(address.sun_path, '/') + 1;
    if (bind(bound, (const struct sockaddr *)&address, sizeof address) != 0) return false;
    if (fchmodat(self->folder, hidden, S_IRUSR | S_IWUSR, 0) == 0 &&
        renameat(self->folder, hidden, self->folder, name) == 0) {
        return true;
    }
    int failed = errno;
    unlinkat(self->folder, hidden, 0);
    errno = failed;
    return false;
}

/* Binds the socket of this handle. Without one the poll is heard alone, so failing is a warning. */
static void ring_bind(struct hf__ring *self)
{
    const struct hf_seams *seams = self->options.seams;
    char name[HF__RING_NAME_SIZE];
    int bound = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    hf__folder_random_name(seams, name, sizeof name);
    if (bound >= 0 && ring_bind_at(self, bound, name)) {
        self->socket = bound;
        memcpy(self->name, name, sizeof name);
        return;
    }
    int failed = errno;
    if (bound >= 0) close(bound);
    if (!seams->log) return;
    char message[HF__LOG_MESSAGE_SIZE];
    snprintf(
        message, sizeof message,
        "cannot bind a wake-up socket (%s): what other processes do is seen up to %llu ms late",
        strerror(failed), (unsigned long long)self->options.poll_ms);
    const hf_log_line line = {
        .size = sizeof line, .level = HF_LOG_WARN, .event = "ring.deaf", .message = message
    };
    seams->log(seams->self, &line);
}

/* Reads all bytes that wait: the bits of all of them together. */
static uint32_t ring_drain(const struct hf__ring *self)
{
    uint32_t effects = 0;
    size_t count = 0;
    unsigned char byte;
    ssize_t size;
    do {
        size = recv(self->socket, &byte, sizeof byte, MSG_DONTWAIT);
        if (size > 0) effects |= byte;
        if (size >= 0) count++;
    } while (size >= 0 || errno == EINTR);
    return count < QUEUE_SMALL ? effects & HF__EFFECTS_ALL : HF__EFFECTS_ALL;
}

static int ms_until(uint64_t time_ns)
{
    uint64_t now_ns = uv_hrtime();
    if (now_ns >= time_ns) return 0;
    return (int)((time_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void ring_run(void *argument)
{
    struct hf__ring *self = argument;
    const struct hf__ring_options *options = &self->options;
    uint64_t next_ns = uv_hrtime() + options->poll_ms * NS_PER_MS;
    for (;;) {
        struct pollfd waits[] = { { .fd = self->stop, .events = POLLIN },
                                  { .fd = self->socket, .events = POLLIN } };
        int ready = poll(waits, HF_COUNT_OF(waits), ms_until(next_ns));
        if (ready > 0 && waits[0].revents) return;
        uint32_t effects = ready > 0 && waits[1].revents ? ring_drain(self) : 0;
        if (uv_hrtime() >= next_ns) {
            effects |= HF__EFFECTS_ALL;
            next_ns = uv_hrtime() + options->poll_ms * NS_PER_MS;
        }
        if (effects) options->on_heard(options->self, effects | HF__EFFECT_HEARD);
    }
}

hf_status hf__ring_hear(struct hf__ring *self, hf_error *error)
{
    hf_status status = HF_OK;
    uv_mutex_lock(&self->mutex);
    if (!self->is_hearing) {
        if (self->socket < 0) ring_bind(self);
        status = hf__thread_start(&self->thread, ring_run, self, error);
        self->is_hearing = status == HF_OK;
    }
    uv_mutex_unlock(&self->mutex);
    return status;
}

/* ---- ringing -------------------------------------------------------------------------------- */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether changes of a folder that was last changed at `changed` might still get the same time;
 * also when the clock was put back. */
static bool is_young(struct timespec changed)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return true;
    int64_t seconds = (int64_t)now.tv_sec - (int64_t)changed.tv_sec;
    if (seconds < 0 || seconds > 1) return seconds < 0;
    return seconds * 1000 * NS_PER_MS + now.tv_nsec - changed.tv_nsec < LIST_YOUNG_NS;
}

static void list_add(struct hf__ring *self, const char *name)
{
    void *peers = self->peers;
    bool is_full = self->peers_count == self->peers_capacity;
    if (is_full && !hf_heap_grow(self->options.seams->allocator, &peers, &self->peers_capacity,
                                 sizeof *self->peers)) {
        self->list_is_sure = false; /* no memory: one is left out this time */
        return;
    }
    self->peers = peers;
    memcpy(self->peers[self->peers_count++].name, name, HF__RING_NAME_SIZE);
}

static void list_read(struct hf__ring *self)
{
    self->peers_count = 0;
    int folder = openat(self->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = folder < 0 ? NULL : fdopendir(folder);
    if (!entries) {
        if (folder >= 0) close(folder);
        self->list_is_sure = false;
        return;
    }
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        bool is_peer = hf__folder_is_name(hf_text(entry->d_name), HF__RING_NAME_SIZE);
        if (is_peer && strcmp(entry->d_name, self->name) != 0) list_add(self, entry->d_name);
    }
    closedir(entries);
}

/* Brings the list up to date; the folder's time is taken before it is read, so that no change is
 * overlooked. */
static void list_refresh(struct hf__ring *self)
{
    struct stat found;
    if (fstat(self->folder, &found) != 0) {
        self->list_is_sure = false;
        return;
    }
    if (self->list_is_sure && same_time(found.st_mtim, self->list_time)) return;
    self->list_time = found.st_mtim;
    self->list_is_sure = !is_young(found.st_mtim);
    list_read(self);
}

static void ring_peer(const struct hf__ring *self, int from, const struct peer *peer,
                      unsigned char byte)
{
    struct sockaddr_un address = ring_address(self, "", peer->name);
    ssize_t size = sendto(from, &byte, sizeof byte, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, sizeof address);
    if (size < 0 && errno == ECONNREFUSED) unlinkat(self->folder, peer->name, 0);
}

void hf__ring_others(struct hf__ring *self, uint32_t effects)
{
    unsigned char byte = (unsigned char)(effects & HF__EFFECTS_ALL);
    if (byte == 0) return;
    uv_mutex_lock(&self->mutex);
    list_refresh(self);
    int from = -1;
    if (self->peers_count > 0) from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (from >= 0) {
        for (size_t i = 0; i < self->peers_count; i++) {
            ring_peer(self, from, &self->peers[i], byte);
        }
        close(from);
    }
    uv_mutex_unlock(&self->mutex);
}

/* ---- life ----------------------------------------------------------------------------------- */

hf_status hf__ring_open(const struct hf__ring_options *options, struct hf__ring **out_ring,
                        hf_error *error)
{
    hf_assert(options->on_heard);
    const hf_allocator *heap = options->seams->allocator;
    struct hf__ring *self = hf_heap_new(heap, sizeof *self);
    if (!self) return hf_error_set(error, HF_NO_MEMORY, "no memory for the ring");
    self->options = *options;
    if (self->options.poll_ms == 0) self->options.poll_ms = HF__RING_POLL_MS;
    self->socket = -1;
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hf_status status = HF_OK;
    if (self->stop < 0) {
        status = hf_error_system(error, HF_IO, errno, "cannot make an eventfd: %s",
                                 strerror(errno));
    }
    if (status == HF_OK) {
        status = hf__folder_open(options->directory, "wake", &self->folder, error);
    }
    if (status != HF_OK) {
        if (self->stop >= 0) close(self->stop);
        hf_heap_free(heap, self, sizeof *self);
        return status;
    }
    int failed = uv_mutex_init(&self->mutex);
    hf_assert(failed == 0);
    *out_ring = self;
    return HF_OK;
}

/* Ends the hearing thread. */
static void ring_stop(struct hf__ring *self)
{
    const uint64_t one = 1;
    ssize_t size = write(self->stop, &one, sizeof one);
    hf_assert(size == (ssize_t)sizeof one);
    int failed = uv_thread_join(&self->thread);
    hf_assert(failed == 0);
}

void hf__ring_close(struct hf__ring *self)
{
    if (!self) return;
    const hf_allocator *heap = self->options.seams->allocator;
    if (self->is_hearing) ring_stop(self);
    if (self->socket >= 0) {
        unlinkat(self->folder, self->name, 0);
        close(self->socket);
    }
    close(self->folder);
    close(self->stop);
    uv_mutex_destroy(&self->mutex);
    hf_heap_free(heap, self->peers, self->peers_capacity * sizeof *self->peers);
    hf_heap_free(heap, self, sizeof *self);
}

const char *hf__ring_name(const struct hf__ring *self)
{
    return self->name;
}
