/* The one codec of the project: C structs to and from MessagePack maps with small integer keys,
 * driven by tables.
 *
 * A layout lists the fields of a struct. A field that holds nothing (0, no bytes, no elements) is
 * not written, and a missing one reads as nothing; unknown keys are skipped, so old bytes stay
 * readable and new ones do too. Decoding proves every byte first: the proof walks the whole body
 * before any of it is believed, and then each value's type and range are checked. */
#ifndef HF_CODEC_H
#define HF_CODEC_H

#include "engine/base/arena.h"

enum hf_field_type {
    HF_FIELD_NUMBER = 1, /* uint64_t; an unsigned integer */
    HF_FIELD_BYTES,      /* hf_slice; a bin */
    HF_FIELD_TEXT,       /* hf_slice; a str, proved to be UTF-8 */
    HF_FIELD_LIST        /* struct hf_list; an array of maps of layout `of` */
};

/* Elements of a list, one behind the other, each `of->size` bytes. */
struct hf_list {
    void *items;
    size_t count;
};

struct hf_field {
    uint8_t key; /* 0..127 */
    enum hf_field_type type;
    bool required;              /* decoding refuses bytes without it, or with nothing in it */
    size_t offset;              /* in the struct */
    const char *name;           /* for people: "event_id" */
    const struct hf_layout *of; /* of a list's elements, else NULL */
};

struct hf_layout {
    const char *name;              /* for people: "turn_committed" */
    size_t size;                   /* of the struct */
    const struct hf_field *fields; /* by rising key */
    size_t fields_count;
};

enum { HF_CODEC_DEPTH_MAX = 8 };

/* Appends the bytes of value to arena. Copies. Returns data NULL when out of memory (arena->failed
 * is set). */
hf_slice hf_encode(const struct hf_layout *layout, const void *value, struct hf_arena *arena);

/* Reads a body into *out_value (layout->size bytes, zeroed first); lists are allocated in arena;
 * slices Borrow bytes. Errors: HF_CORRUPT with the offset in bytes and the layout's name;
 * HF_NO_MEMORY. */
HF_MUST_CHECK hf_status hf_decode(const struct hf_layout *layout, hf_slice bytes,
                                  struct hf_arena *arena, void *out_value, hf_error *error);

/* Proves that bytes are exactly one well-formed MessagePack value: nothing behind it, depth at most
 * HF_CODEC_DEPTH_MAX, every count and length within what is left, nothing of a type that the format
 * does not have. */
bool hf_codec_is_well_formed(hf_slice bytes);

#endif
