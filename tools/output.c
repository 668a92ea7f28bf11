/* What the subcommands share: opening for reading, errors, lines, times. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "runtime/life.h"
#include "tools/tool.h"

int tool_fail(const hf_error *error)
{
    fprintf(stderr, "holdfast: %s", error->message);
    if (error->lsn) fprintf(stderr, " (record %llu)", (unsigned long long)error->lsn);
    fprintf(stderr, "\n");
    return 1;
}

/* While the store is being opened nobody is asked for. */
static bool is_alive(void *self, hf_slice life)
{
    const struct tool_store *store = self;
    if (!store->backend) return true;
    return hf_life_is_held(store->backend->ops->directory(store->backend), life);
}

int tool_prepare(struct tool_store *store)
{
    hf_error error = { 0 };
    *store = (struct tool_store){ .seams = { .self = store,
                                             .allocator = hf_heap_default(),
                                             .clock = hf_world_clock(),
                                             .random = hf_world_random,
                                             .is_alive = is_alive } };
    hf_arena_init(&store->arena, hf_heap_default());
    hf_json_init(&store->json, hf_heap_default());
    if (hf_world_boot_id(store->boot_id, &error)) return tool_fail(&error);
    store->seams.boot_id = hf_text(store->boot_id);
    return 0;
}

int tool_open(struct tool_store *store, const char *directory)
{
    hf_error error = { 0 };
    if (tool_prepare(store)) return 1;
    struct hf_backend_options options = { .must_exist = true,
                                          .read_only = true,
                                          .seams = &store->seams };
    return hf_backend_open(directory, &options, &store->backend, &error) ? tool_fail(&error) : 0;
}

void tool_close(struct tool_store *store)
{
    if (store->backend) store->backend->ops->close(store->backend);
    hf_json_release(&store->json);
    hf_arena_release(&store->arena);
}

int tool_finish(int status)
{
    bool has_failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !has_failed) return status;
    if (errno != EPIPE) {
        fprintf(stderr, "holdfast: the output could not be written: %s\n",
                errno ? strerror(errno) : "some of it is missing");
    }
    return status ? status : 1;
}

void tool_json_number(struct hf_json *json, const char *name, uint64_t number)
{
    hf_json_key(json, name);
    hf_json_number(json, number);
}

void tool_json_text(struct hf_json *json, const char *name, hf_slice text)
{
    hf_json_key(json, name);
    hf_json_text(json, text);
}

static const char *const status_names[] = { "?",      "pending",   "running",   "completed",
                                            "failed", "cancelled", "terminated" };

const char *tool_status_name(uint64_t status)
{
    return status < HF_COUNT_OF(status_names) ? status_names[status] : status_names[0];
}

bool tool_status_find(const char *name, uint64_t *out_status)
{
    for (uint64_t i = HF_INSTANCE_PENDING; i < HF_COUNT_OF(status_names); i++) {
        if (strcmp(status_names[i], name) != 0) continue;
        *out_status = i;
        return true;
    }
    return false;
}

void tool_print_line(struct hf_json *json)
{
    hf_slice line = hf_json_written(json);
    fwrite(line.data, 1, line.size, stdout);
    putchar('\n');
    hf_json_reset(json);
}

void tool_print_cut(hf_slice text, size_t columns)
{
    bool cut = text.size > columns;
    size_t size = cut ? columns - 3 : text.size;
    while (cut && size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        putchar(byte < 0x20 || byte == 0x7f ? '.' : byte);
    }
    if (cut) fputs("...", stdout);
}

static void fill_up(size_t size, size_t columns)
{
    for (size_t i = size; i < columns; i++) putchar(' ');
    putchar(' ');
}

void tool_print_column(hf_slice text, size_t columns)
{
    tool_print_cut(text, columns);
    fill_up(text.size, columns);
}

void tool_print_name(hf_slice text, size_t columns)
{
    tool_print_cut(text, text.size);
    fill_up(text.size, columns);
}

void tool_print_seconds(uint64_t ms)
{
    printf("%" PRIu64 ".%u s", ms / 1000, (unsigned)(ms % 1000 / 100));
}

char *tool_time(uint64_t unix_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(text, size, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(text + used, size - used, ".%03u", (unsigned)(unix_ms % 1000));
    return text;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

int tool_remove_tree(const char *path)
{
    enum { DESCRIPTORS_MAX = 16 };
    if (nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS) == 0) return 0;
    perror(path);
    return 1;
}
