/* Bodies of records and events from anywhere: the first byte chooses the kind (0: an event), the
 * rest is its body. What decodes is written and read once more: the second bytes must be the first,
 * since what we write has one form only. */
#include "fuzz/fuzz.h"

#include "engine/base/assert.h"
#include "engine/event.h"
#include "engine/json.h"
#include "engine/record.h"

/* Decodes bytes into out_value by the way that the program goes; the layout is NULL for an event.
 */
static hf_status decode(const struct hf_layout *layout, hf_slice bytes, struct hf_arena *arena,
                        void *out_value)
{
    hf_error error = { 0 };
    hf_status status = layout ? hf_decode(layout, bytes, arena, out_value, &error)
                              : hf_event_decode(bytes, arena, out_value, &error);
    hf_assert(status == HF_OK || status == HF_CORRUPT);
    hf_assert(error.status == status && (status == HF_OK) == (error.message[0] == '\0'));
    return status;
}

static hf_slice encode(const struct hf_layout *layout, const void *value, struct hf_arena *arena)
{
    hf_slice bytes = layout ? hf_encode(layout, value, arena) : hf_event_encode(value, arena);
    hf_assert(bytes.data);
    return bytes;
}

static void print(const struct hf_layout *layout, const void *value)
{
    struct hf_json json;
    hf_json_init(&json, hf_heap_default());
    hf_json_layout(&json, layout ? layout : hf_event_layout(), value);
    hf_assert(hf_slice_is_empty(hf_json_written(&json)) == false);
    hf_json_release(&json);
}

static void try_body(const struct hf_layout *layout, hf_slice bytes, struct hf_arena *arena)
{
    union {
        union hf_record_body record;
        struct hf_event event;
    } value;
    bool is_well_formed = hf_codec_is_well_formed(bytes);
    if (decode(layout, bytes, arena, &value) != HF_OK) return;
    hf_assert(is_well_formed);
    print(layout, &value);
    hf_slice first = encode(layout, &value, arena);
    hf_assert(decode(layout, first, arena, &value) == HF_OK);
    hf_slice second = encode(layout, &value, arena);
    hf_assert(hf_slice_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    enum hf_record_kind kind = (enum hf_record_kind)(data[0] % (HF_RECORD_KIND_MAX + 1));
    struct hf_arena arena;
    hf_arena_init(&arena, hf_heap_default());
    try_body(hf_record_layout(kind), hf_bytes(data + 1, size - 1), &arena);
    hf_arena_release(&arena);
    return 0;
}
