/* Values of any layout for the tests of the codec: filled from the tables, compared by the tables.
 */
#ifndef HF_TEST_LAYOUTS_H
#define HF_TEST_LAYOUTS_H

#include "engine/codec.h"

/* Fixture: *state is an empty struct hf_arena on the default heap. Returns 0, or -1 without memory.
 */
int arena_setup(void **state);
/* Its end: everything goes back. */
int arena_teardown(void **state);
#define TEST_WITH_ARENA(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

/* Sets every field of value to something of its own: numbers of all widths, texts with characters
 * beyond ASCII, bytes with NUL and 0xff, lists of up to three elements. The same layout always gets
 * the same. Fails the test when arena fails. */
void layout_fill(const struct hf_layout *layout, void *value, struct hf_arena *arena);

/* Whether both values hold the same in every field. */
bool layout_equal(const struct hf_layout *layout, const void *a, const void *b);

/* The bytes that the fields of layout take in its struct: those of the struct, when it lists every
 * member once. */
size_t layout_fields_size(const struct hf_layout *layout);

/* Fails the test unless value survives encoding and decoding; returns its bytes. Valid until: arena
 * is reset. */
hf_slice layout_round_trip(const struct hf_layout *layout, const void *value,
                           struct hf_arena *arena);

/* Fails the test unless every proper prefix of bytes is refused as HF_CORRUPT. */
void layout_refuses_prefixes(const struct hf_layout *layout, hf_slice bytes);

/* Changes each byte in turn, in several ways: fails the test unless the result either decodes, and
 * then has a canonical form, or is refused as HF_CORRUPT. Returns how many decoded. */
size_t layout_survives_mutations(const struct hf_layout *layout, hf_slice bytes);

#endif
