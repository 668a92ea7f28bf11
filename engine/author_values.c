/* The public calls for what code may not ask the world: the time, random bits. The answer is a
 * command of the turn; replay takes it from history. */
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/execution_internal.h"

/* One event serves all reads until the next message is delivered: which of them came first is the
 * same at replay. */
uint64_t hf_now_unix_ms(hf_orchestration *o)
{
    struct hf_execution *self = hf__execution_enter(o);
    if (self->now_event_id == self->delivered_event_id) return self->now_unix_ms;
    uint64_t clock = self->turn->now_unix_ms, latest = self->now_unix_ms;
    struct hf_event event = { .kind = HF_EVENT_TIME_READ,
                              .now_unix_ms = clock > latest ? clock : latest };
    hf__command_issue(self, &event);
    self->now_unix_ms = event.now_unix_ms;
    self->now_event_id = self->delivered_event_id;
    hf__execution_leave(self);
    return self->now_unix_ms;
}

/* Random bytes, at replay those of history. */
static void draw(struct hf_execution *self, unsigned char *bytes, size_t size)
{
    struct hf_event event = { .kind = HF_EVENT_RANDOM_DRAWN, .payload = hf_bytes(bytes, size) };
    memset(bytes, 0, size);
    if (self->turn->is_live) self->options.random(self->options.random_self, bytes, size);
    hf__command_issue(self, &event);
    hf_assert(event.payload.size == size);
    memmove(bytes, event.payload.data, size);
    hf__execution_leave(self);
}

uint64_t hf_random(hf_orchestration *o)
{
    unsigned char bytes[sizeof(uint64_t)];
    draw(hf__execution_enter(o), bytes, sizeof bytes);
    return hf_get_le64(bytes);
}

const char *hf_uuid(hf_orchestration *o)
{
    enum { BYTES_COUNT = 16, VERSION_AT = 6, VARIANT_AT = 8 };
    static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    struct hf_execution *self = hf__execution_enter(o);
    unsigned char bytes[BYTES_COUNT];
    draw(self, bytes, sizeof bytes);
    bytes[VERSION_AT] = (unsigned char)((bytes[VERSION_AT] & 0x0f) | 0x40); /* 4: random */
    bytes[VARIANT_AT] = (unsigned char)((bytes[VARIANT_AT] & 0x3f) | 0x80); /* of RFC 9562 */
    char *text = hf_arena_new(hf__scope_arena(self), sizeof pattern);
    if (!text) hf__execution_no_memory(self);
    hf__execution_leave(self);
    for (size_t i = 0, digit = 0; i < sizeof pattern; i++) {
        text[i] = pattern[i];
        if (pattern[i] != 'x') continue;
        text[i] = "0123456789abcdef"[digit % 2 ? bytes[digit / 2] & 15 : bytes[digit / 2] >> 4];
        digit++;
    }
    return text;
}
