/* The public calls for the values of an instance, and for its custom status: what outlives an
 * execution and what clients can read. Writing is a command; reading is none. */
#include "engine/execution_internal.h"

/* Proves key, value and the limits before anything is recorded. */
static void set_check(struct hf_execution *self, const char *key, hf_slice value)
{
    bool is_there = false;
    hf__execution_check_id(self, key, "key", "bad_key");
    hf__execution_check_payload(self, value, "value");
    if (!hf__command_is_judged(self)) return;
    uint64_t size_max = self->options.kv_value_size_max, keys_max = self->options.kv_keys_max;
    if (value.size > size_max) {
        hf__execution_fail(self, HF_TOO_LARGE, "kv_value",
                           "the value of \"%s\" has %zu bytes, kv_value_size_max is %llu", key,
                           value.size, (unsigned long long)size_max);
    }
    hf__kv_search(self, hf_text(key), &is_there);
    if (is_there || self->values_count < keys_max) return;
    hf__execution_fail(self, HF_TOO_LARGE, "kv_full",
                       "the instance has %zu keys, and \"%s\" would be one more: kv_keys_max is "
                       "%llu",
                       self->values_count, key, (unsigned long long)keys_max);
}

void hf_kv_set(hf_orchestration *o, const char *key, hf_slice value)
{
    struct hf_execution *self = hf__execution_enter(o);
    set_check(self, key, value);
    struct hf_event event = { .kind = HF_EVENT_KV_SET,
                              .name = hf_text(key),
                              .payload = value,
                              .now_unix_ms = self->turn->now_unix_ms };
    hf__command_issue(self, &event);
    if (!hf__kv_put(self, &event)) hf__execution_no_memory(self);
    hf__execution_leave(self);
}

bool hf_kv_get(hf_orchestration *o, const char *key, hf_slice *out_value)
{
    struct hf_execution *self = hf__execution_enter(o);
    bool is_there = false;
    hf__execution_check_id(self, key, "key", "bad_key");
    size_t index = hf__kv_search(self, hf_text(key), &is_there);
    if (!is_there) return false;
    hf_slice payload = hf__kv_payload(self->values[index]);
    hf_slice copy = hf_arena_copy(hf__scope_arena(self), payload);
    if (!copy.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    if (out_value) *out_value = copy;
    return true;
}

size_t hf_kv_count(hf_orchestration *o)
{
    return hf__execution_enter(o)->values_count;
}

const char *hf_kv_key(hf_orchestration *o, size_t index)
{
    struct hf_execution *self = hf__execution_enter(o);
    if (index >= self->values_count) {
        hf__execution_fail(self, HF_INVALID, "bad_index", "there is no key %zu: there are %zu",
                           index, self->values_count);
    }
    const char *key = hf_arena_text(hf__scope_arena(self), self->values[index]->key);
    if (!key) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return key;
}

/* Clears the value at index by a command. */
static void clear_at(struct hf_execution *self, size_t index)
{
    struct hf_event event = { .kind = HF_EVENT_KV_CLEARED, .name = self->values[index]->key };
    hf__command_issue(self, &event);
    hf__kv_remove(self, index);
}

void hf_kv_clear(hf_orchestration *o, const char *key)
{
    struct hf_execution *self = hf__execution_enter(o);
    bool is_there = false;
    if (!key) {
        struct hf_event event = { .kind = HF_EVENT_KV_CLEARED };
        if (self->values_count == 0) return;
        hf__command_issue(self, &event);
        hf__kv_empty(self);
        hf__execution_leave(self);
        return;
    }
    hf__execution_check_id(self, key, "key", "bad_key");
    size_t index = hf__kv_search(self, hf_text(key), &is_there);
    if (is_there) clear_at(self, index);
    hf__execution_leave(self);
}

size_t hf_kv_clear_older(hf_orchestration *o, uint64_t unix_ms)
{
    struct hf_execution *self = hf__execution_enter(o);
    size_t cleared = 0, index = 0;
    while (index < self->values_count) {
        bool is_older = self->values[index]->set_unix_ms < unix_ms;
        if (is_older) clear_at(self, index);
        cleared += is_older;
        index += !is_older;
    }
    hf__execution_leave(self);
    return cleared;
}

/* ---- the custom status ---------------------------------------------------------------------- */

enum { STATUS_SIZE_MAX = 256 * 1024 };

void hf_status_set(hf_orchestration *o, hf_slice status)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__execution_check_payload(self, status, "custom status");
    if (status.size > STATUS_SIZE_MAX && hf__command_is_judged(self)) {
        hf__execution_fail(self, HF_TOO_LARGE, "status",
                           "the custom status has %zu bytes, the limit is %d", status.size,
                           STATUS_SIZE_MAX);
    }
    struct hf_event event = { .kind = HF_EVENT_STATUS_SET, .payload = status };
    hf__command_issue(self, &event);
    if (!hf__status_keep(self, status)) hf__execution_no_memory(self);
    hf__execution_leave(self);
}

hf_slice hf_status_get(hf_orchestration *o)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf_slice copy = hf_arena_copy(hf__scope_arena(self), self->custom_status);
    if (!copy.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return copy;
}
