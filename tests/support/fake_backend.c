/* A table of instances in a mapped file: open addressing by the hash of their ids, one
 * process-shared mutex around it. It knows starts, messages, terminations and idempotency keys of
 * starts; every other command is done by doing nothing. */
#include "tests/support/fake_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/arena.h"
#include "engine/base/status.h"

enum { ROWS_MAX = 16384, ID_SIZE = 256, BODY_SIZE = 512 };

struct row {
    char id[ID_SIZE]; /* empty: free */
    char key[ID_SIZE];
    uint64_t status;
    uint64_t messages_count;
    size_t body_size;
    char body[BODY_SIZE]; /* of the last event */
};

struct hf_fake_table {
    pthread_mutex_t mutex;
    struct row rows[ROWS_MAX];
};

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fake backend: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- the table ------------------------------------------------------------------------------ */

static struct hf_fake_table *table_map(int directory)
{
    int file = openat(directory, "table", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool is_new = file >= 0;
    if (!is_new) file = openat(directory, "table", O_RDWR | O_CLOEXEC);
    require(file >= 0, "opening the table");
    require(ftruncate(file, sizeof(struct hf_fake_table)) == 0, "growing the table");
    struct hf_fake_table *table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED,
                                       file, 0);
    require(table != MAP_FAILED, "mapping the table");
    close(file);
    if (is_new) {
        pthread_mutexattr_t shared;
        pthread_mutexattr_init(&shared);
        pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
        pthread_mutex_init(&table->mutex, &shared);
        pthread_mutexattr_destroy(&shared);
    }
    return table;
}

/* The row of id, or the free one where it would stand. Under the mutex. */
static struct row *table_row(struct hf_fake_table *table, hf_slice id)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < id.size; i++) hash = (hash ^ (unsigned char)id.data[i]) * 1099511628211U;
    for (size_t i = 0; i < ROWS_MAX; i++) {
        struct row *row = &table->rows[(hash + i) % ROWS_MAX];
        if (row->id[0] == '\0' || hf_slice_equal(hf_text(row->id), id)) return row;
    }
    require(false, "the table is full");
    return NULL;
}

static hf_status start_run(struct row *row, const struct hf_store_start *start, hf_error *error)
{
    if (row->id[0] != '\0') {
        bool is_same = start->key.size > 0 && hf_slice_equal(hf_text(row->key), start->key);
        if (is_same) return HF_OK;
        return hf_error_set(error, HF_EXISTS, "\"%s\" exists", row->id);
    }
    hf_text_copy(row->id, sizeof row->id, start->id);
    hf_text_copy(row->key, sizeof row->key, start->key);
    row->status = HF_INSTANCE_PENDING;
    return HF_OK;
}

static hf_status message_run(struct row *row, const struct hf_store_message *message,
                             hf_error *error)
{
    bool has_ended = row->status > HF_INSTANCE_RUNNING;
    if (row->id[0] != '\0' && has_ended && message->ended_is_fine) return HF_OK;
    if (row->id[0] == '\0' || has_ended) {
        return hf_error_set(error, HF_NOT_FOUND, "no running instance \"" HF_FMT "\"",
                            HF_ARG(message->id));
    }
    row->messages_count++;
    return HF_OK;
}

static hf_status terminate_run(struct row *row, const struct hf_store_terminate *terminate,
                               uint32_t *effects, hf_error *error)
{
    if (row->id[0] == '\0') return hf_error_set(error, HF_NOT_FOUND, "no such instance");
    if (row->status > HF_INSTANCE_RUNNING) return HF_OK;
    require(terminate->body.size <= sizeof row->body, "the body is too long for the fake");
    memcpy(row->body, terminate->body.data, terminate->body.size);
    row->body_size = terminate->body.size;
    row->status = HF_INSTANCE_TERMINATED;
    *effects |= HF_EFFECT_ENDED;
    return HF_OK;
}

static hf_status command_run(struct hf_fake_table *table, struct hf_store_command *command,
                             uint32_t *effects)
{
    hf_error *error = &command->error;
    switch (command->kind) {
    case HF_STORE_START: {
        hf_status status = start_run(table_row(table, command->start.id), &command->start, error);
        if (status == HF_OK) *effects |= HF_EFFECT_TURNS_DUE;
        return status;
    }
    case HF_STORE_MESSAGE:
        return message_run(table_row(table, command->message.id), &command->message, error);
    case HF_STORE_TERMINATE:
        return terminate_run(table_row(table, command->terminate.id), &command->terminate, effects,
                             error);
    default: return HF_OK;
    }
}

/* ---- the contract --------------------------------------------------------------------------- */

static struct hf_fake_backend *fake_of(struct hf_backend *backend)
{
    return (struct hf_fake_backend *)backend;
}

/* Runs commands from..count of the batch. */
static void batch_run(struct hf_fake_backend *self, struct hf_batch *batch, size_t from)
{
    pthread_mutex_lock(&self->table->mutex);
    for (size_t i = from; i < batch->count; i++) {
        struct hf_store_command *command = batch->commands[i];
        command->status = command_run(self->table, command, &batch->effects);
        bool is_unknown = self->unknown && command->kind == HF_STORE_START &&
                          hf_slice_equal(command->start.id, hf_text(self->unknown));
        if (is_unknown) command->status = hf_error_set(&command->error, HF_UNKNOWN, "who knows");
    }
    pthread_mutex_unlock(&self->table->mutex);
}

static void batch_refuse(struct hf_batch *batch, size_t from, hf_status status)
{
    for (size_t i = from; i < batch->count; i++) {
        struct hf_store_command *command = batch->commands[i];
        command->status = hf_error_set(&command->error, status, "the fake was told to");
    }
}

/* Waits while it is held. */
static void fake_pass(struct hf_fake_backend *self)
{
    pthread_mutex_lock(&self->mutex);
    self->is_waiting = true;
    pthread_cond_broadcast(&self->changed);
    while (self->is_held) pthread_cond_wait(&self->changed, &self->mutex);
    self->is_waiting = false;
    pthread_mutex_unlock(&self->mutex);
}

static void fake_note(struct hf_fake_backend *self, const struct hf_fake_group *group)
{
    pthread_mutex_lock(&self->mutex);
    require(self->groups_count < HF_FAKE_GROUPS_MAX, "too many groups for the fake");
    self->groups[self->groups_count++] = *group;
    pthread_mutex_unlock(&self->mutex);
}

static hf_status fake_commit(struct hf_backend *backend, struct hf_batch *batch, hf_error *error)
{
    struct hf_fake_backend *self = fake_of(backend);
    struct hf_fake_group group = { .taken_count = batch->count };
    fake_pass(self);
    if (self->fails_with != HF_OK) {
        batch_refuse(batch, 0, self->fails_with);
        batch->effects = HF_EFFECT_ENDED;
        fake_note(self, &group);
        return hf_error_set(error, self->fails_with, "the fake was told to fail");
    }
    size_t done_count = 0;
    batch_run(self, batch, 0);
    while (batch->more && done_count < batch->count) {
        done_count = batch->count;
        self->more_count++;
        batch->more(batch->self, batch);
        if (self->repeats) batch_refuse(batch, done_count, HF_BUSY);
        if (!self->repeats) batch_run(self, batch, done_count);
    }
    group.joined_count = batch->count - group.taken_count;
    fake_note(self, &group);
    return HF_OK;
}

static hf_status fake_instance(struct hf_backend *backend, hf_slice id, struct hf_arena *arena,
                               struct hf_instance_info *out_info, hf_error *error)
{
    struct hf_fake_backend *self = fake_of(backend);
    pthread_mutex_lock(&self->table->mutex);
    struct row *row = table_row(self->table, id);
    bool is_there = row->id[0] != '\0';
    if (is_there) {
        *out_info = (struct hf_instance_info){
            .number = 1,
            .id = hf_arena_copy(arena, id),
            .orchestration = hf_arena_copy(arena, hf_text("fake")),
            .status = row->status,
            .execution = 1,
            .events_count = 1 + row->messages_count,
            .started_unix_ms = 1000,
        };
        if (row->body_size > 0) {
            out_info->ended_unix_ms = 2000;
            out_info->output_body = hf_arena_copy(arena, hf_bytes(row->body, row->body_size));
        }
    }
    pthread_mutex_unlock(&self->table->mutex);
    if (self->on_read) self->on_read(self->user);
    if (!is_there) {
        return hf_error_set(error, HF_NOT_FOUND, "no instance \"" HF_FMT "\"", HF_ARG(id));
    }
    if (arena->failed) return hf_error_set(error, HF_NO_MEMORY, "no memory to read");
    return HF_OK;
}

static int fake_directory(struct hf_backend *backend)
{
    return fake_of(backend)->directory;
}

static void fake_close(struct hf_backend *backend)
{
    fake_of(backend)->is_closed = true;
}

static const struct hf_backend_ops fake_ops = { .commit = fake_commit,
                                                .instance = fake_instance,
                                                .directory = fake_directory,
                                                .close = fake_close };

/* ---- for tests ------------------------------------------------------------------------------ */

void hf_fake_init(struct hf_fake_backend *self, const char *directory)
{
    memset(self, 0, sizeof *self);
    self->backend.ops = &fake_ops;
    self->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(self->directory >= 0, "opening the directory");
    self->table = table_map(self->directory);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
}

void hf_fake_release(struct hf_fake_backend *self)
{
    munmap(self->table, sizeof *self->table);
    close(self->directory);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
}

hf_status hf_fake_open(void *self, const struct hf_backend_options *options,
                       struct hf_backend **out_backend, hf_error *error)
{
    struct hf_fake_backend *fake = self;
    (void)error;
    (void)options;
    fake->is_closed = false;
    *out_backend = &fake->backend;
    return HF_OK;
}

static void fake_set_held(struct hf_fake_backend *self, bool is_held)
{
    pthread_mutex_lock(&self->mutex);
    self->is_held = is_held;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

void hf_fake_hold(struct hf_fake_backend *self)
{
    fake_set_held(self, true);
}

void hf_fake_let_go(struct hf_fake_backend *self)
{
    fake_set_held(self, false);
}

void hf_fake_wait_held(struct hf_fake_backend *self)
{
    pthread_mutex_lock(&self->mutex);
    while (!self->is_waiting) pthread_cond_wait(&self->changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

size_t hf_fake_groups(struct hf_fake_backend *self)
{
    pthread_mutex_lock(&self->mutex);
    size_t count = self->groups_count;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

bool hf_fake_has(struct hf_fake_backend *self, const char *id)
{
    pthread_mutex_lock(&self->table->mutex);
    bool has = table_row(self->table, hf_text(id))->id[0] != '\0';
    pthread_mutex_unlock(&self->table->mutex);
    return has;
}

size_t hf_fake_messages(struct hf_fake_backend *self, const char *id)
{
    pthread_mutex_lock(&self->table->mutex);
    size_t count = table_row(self->table, hf_text(id))->messages_count;
    pthread_mutex_unlock(&self->table->mutex);
    return count;
}
