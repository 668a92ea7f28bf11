/* The checking mode: runs a turn a second time, from nothing but history, and compares what was
 * decided. The comparison follows the layout of the record, so no field is left out. */
#include <stdio.h>
#include <string.h>

#include "engine/execution_internal.h"

/* ---- comparing ------------------------------------------------------------------------------ */

struct difference {
    char where[128]; /* "events[3].body"; empty: none */
    char live[96], replayed[96];
};

static const void *field_at(const struct hf_field *field, const void *value)
{
    return (const char *)value + field->offset;
}

/* An event body is told as what it is; other bytes by their size. */
static void slice_describe(hf_slice slice, char *text, size_t text_size, struct hf_arena *scratch)
{
    struct hf_event event;
    if (hf_event_decode(slice, scratch, &event, NULL) == HF_OK) {
        hf__event_describe(&event, text, text_size);
    } else {
        snprintf(text, text_size, "%zu bytes", slice.size);
    }
}

/* Compares a field that is no list; fills what differs. */
static bool scalar_is_equal(const struct hf_field *field, const void *a, const void *b,
                            struct difference *out, struct hf_arena *scratch)
{
    if (field->type == HF_FIELD_NUMBER) {
        uint64_t left = *(const uint64_t *)field_at(field, a);
        uint64_t right = *(const uint64_t *)field_at(field, b);
        snprintf(out->live, sizeof out->live, "%llu", (unsigned long long)left);
        snprintf(out->replayed, sizeof out->replayed, "%llu", (unsigned long long)right);
        return left == right;
    }
    const hf_slice *left = field_at(field, a), *right = field_at(field, b);
    if (hf_slice_equal(*left, *right)) return true;
    slice_describe(*left, out->live, sizeof out->live, scratch);
    slice_describe(*right, out->replayed, sizeof out->replayed, scratch);
    return false;
}

/* Compares two lists whose elements hold no lists. */
static bool list_is_equal(const struct hf_field *field, const struct hf_list *a,
                          const struct hf_list *b, struct difference *out, struct hf_arena *scratch)
{
    const struct hf_layout *layout = field->of;
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const char *left = (const char *)a->items + i * layout->size;
        const char *right = (const char *)b->items + i * layout->size;
        for (size_t f = 0; f < layout->fields_count; f++) {
            const struct hf_field *inner = &layout->fields[f];
            hf_assert(inner->type != HF_FIELD_LIST);
            if (scalar_is_equal(inner, left, right, out, scratch)) continue;
            snprintf(out->where, sizeof out->where, "%s[%zu].%s", field->name, i, inner->name);
            return false;
        }
    }
    if (a->count == b->count) return true;
    snprintf(out->where, sizeof out->where, "the count of %s", field->name);
    snprintf(out->live, sizeof out->live, "%zu", a->count);
    snprintf(out->replayed, sizeof out->replayed, "%zu", b->count);
    return false;
}

static bool field_is_equal(const struct hf_field *field, const void *a, const void *b,
                           struct difference *out, struct hf_arena *scratch)
{
    if (field->type == HF_FIELD_LIST) {
        return list_is_equal(field, field_at(field, a), field_at(field, b), out, scratch);
    }
    if (scalar_is_equal(field, a, b, out, scratch)) return true;
    snprintf(out->where, sizeof out->where, "%s", field->name);
    return false;
}

static hf_status compare(const struct hf_turn_committed *live,
                         const struct hf_turn_committed *replayed, struct hf_arena *scratch,
                         hf_error *error)
{
    const struct hf_layout *layout = hf_record_layout(HF_RECORD_TURN_COMMITTED);
    struct hf_turn_committed a = *live;
    a.instance = replayed->instance; /* the store's own */
    a.head = replayed->head;
    a.registration = replayed->registration;
    for (size_t i = 0; i < layout->fields_count; i++) {
        struct difference difference;
        if (field_is_equal(&layout->fields[i], &a, replayed, &difference, scratch)) continue;
        return hf_error_set(error, HF_NONDETERMINISM,
                            "the turn decided otherwise when it was replayed: %s was %s / is %s",
                            difference.where, difference.live, difference.replayed);
    }
    return HF_OK;
}

/* ---- the second run ------------------------------------------------------------------------- */

/* What the first run drew. */
struct drawn {
    const struct hf_list *events; /* of its decision */
    size_t next;                  /* event to look at */
    struct hf_arena *scratch;
};

/* Gives the bits that the first run was given at this place; it drew none: zeros, which shows. */
static void draw_again(void *self, void *bytes, size_t size)
{
    struct drawn *drawn = self;
    const struct hf_turn_event *events = drawn->events->items;
    memset(bytes, 0, size);
    while (drawn->next < drawn->events->count) {
        struct hf_event event;
        hf_slice body = events[drawn->next++].body;
        if (hf_event_decode(body, drawn->scratch, &event, NULL) != HF_OK) continue;
        if (event.kind != HF_EVENT_RANDOM_DRAWN) continue;
        if (event.payload.size == size) memcpy(bytes, event.payload.data, size);
        return;
    }
}

hf_status hf_execution_check(const struct hf_execution_options *options,
                             const struct hf_turn_view *view, uint64_t now_unix_ms,
                             const struct hf_turn_committed *turn, hf_error *error)
{
    struct hf_execution_options silent = *options;
    struct hf_execution *execution = NULL;
    struct hf_turn_committed replayed = { 0 };
    struct hf_arena arena;
    hf_arena_init(&arena, options->heap);
    struct drawn drawn = { .events = &turn->events, .scratch = &arena };
    silent.log = NULL;
    silent.random = draw_again;
    silent.random_self = &drawn;
    hf_status status = hf_execution_new(&silent, view, turn->execution, &execution, error);
    if (status == HF_OK) {
        status = hf_execution_turn(execution, view, now_unix_ms, &arena, &replayed, error);
    }
    if (status == HF_OK) status = compare(turn, &replayed, &arena, error);
    hf_execution_free(execution);
    hf_arena_release(&arena);
    return status;
}
