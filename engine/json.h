/* A small JSON writer: any decoded struct of a layout, and objects that a tool makes itself. It
 * only writes, and it trusts the caller to nest what it begins and ends. Its failure (no memory) is
 * sticky: one look at the end is enough. */
#ifndef HF_JSON_H
#define HF_JSON_H

#include "engine/codec.h"

struct hf_json;

/* Asked for each field that hf_json_layout comes to: writes key and value in a form of its own, or
 * nothing at all, and returns true; or returns false, and the field is written by its type. */
typedef bool (*hf_json_field_fn)(void *field_self, struct hf_json *self,
                                 const struct hf_layout *layout, const struct hf_field *field,
                                 const void *member);

struct hf_json {
    const hf_allocator *heap;
    char *text;
    size_t size, capacity;  /* bytes written, bytes there */
    bool needs_comma;       /* a value stands before the next one */
    bool failed;            /* out of memory since init or reset */
    hf_json_field_fn field; /* NULL: none is asked */
    void *field_self;
};

/* Makes an empty writer; allocates nothing. Borrows heap until release. */
void hf_json_init(struct hf_json *self, const hf_allocator *heap);
/* Gives its memory back. */
void hf_json_release(struct hf_json *self);
/* Forgets what was written, and keeps the memory: for one object a line. */
void hf_json_reset(struct hf_json *self);
/* What was written; data NULL when memory ran out. Valid until: the next call with this writer. */
hf_slice hf_json_written(const struct hf_json *self);

/* Begins an object with '{', around pairs of hf_json_key and a value, or an array with '['. */
void hf_json_begin(struct hf_json *self, char bracket);
/* Ends it with '}' or ']'. */
void hf_json_end(struct hf_json *self, char bracket);
/* The name of the value that follows. Copies name. */
void hf_json_key(struct hf_json *self, const char *name);

/* A number in full: numbers over 2^53 (an LSN can be one) need a reader of 64-bit integers. */
void hf_json_number(struct hf_json *self, uint64_t number);
/* true or false. */
void hf_json_boolean(struct hf_json *self, bool is_true);
/* A string; control characters, those of terminals among them, are escaped. Bytes that are not
 * UTF-8 become {"hex": "00ff"}. Copies text. */
void hf_json_text(struct hf_json *self, hf_slice text);
/* A string where the bytes are UTF-8 without control characters, else {"hex": "00ff"}. Copies
 * bytes. */
void hf_json_bytes(struct hf_json *self, hf_slice bytes);
/* value as one object: every field under its name, empty ones too, unless self->field writes it;
 * lists as arrays of objects. Copies. */
void hf_json_layout(struct hf_json *self, const struct hf_layout *layout, const void *value);

#endif
