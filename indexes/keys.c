/* Keys to and from bytes. Each is a run of big-endian numbers; the shapes below say how many bytes
 * each number has. It knows no table. */
#include "indexes/keys.h"

#include "engine/base/assert.h"
#include "engine/base/bytes.h"

hf_slice hf_key_slice(const struct hf_key *key)
{
    hf_assert(key->size > 0 && key->size <= HF_KEY_SIZE_MAX);
    return hf_bytes(key->bytes, key->size);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void key_add8(struct hf_key *key, uint64_t number)
{
    hf_assert(key->size + 8 <= HF_KEY_SIZE_MAX);
    hf_put_be64(key->bytes + key->size, number);
    key->size += 8;
}

static void key_add4(struct hf_key *key, uint64_t number)
{
    hf_assert(key->size + 4 <= HF_KEY_SIZE_MAX);
    hf_assert(number <= HF_KEY_PART_MAX);
    hf_put_be32(key->bytes + key->size, (uint32_t)number);
    key->size += 4;
}

static void key_add1(struct hf_key *key, uint64_t number)
{
    hf_assert(key->size + 1 <= HF_KEY_SIZE_MAX);
    hf_assert(number <= UINT8_MAX);
    key->bytes[key->size++] = (unsigned char)number;
}

static void key_add_arrival(struct hf_key *key, const struct hf_arrival *arrival)
{
    key_add8(key, arrival->lsn);
    key_add4(key, arrival->number);
}

static void key_add_item(struct hf_key *key, const struct hf_item_id *item)
{
    key_add8(key, item->instance);
    key_add4(key, item->execution);
    key_add4(key, item->event_id);
}

static void key_add_session(struct hf_key *key, const struct hf_session_id *session)
{
    key_add8(key, session->instance);
    key_add4(key, session->incarnation);
}

struct hf_key hf_key_number(uint64_t number)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, number);
    return key;
}

struct hf_key hf_key_tag(uint64_t tag)
{
    struct hf_key key = { .size = 0 };
    key_add4(&key, tag);
    return key;
}

struct hf_key hf_key_pair(const struct hf_number_pair *pair)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, pair->first);
    key_add8(&key, pair->second);
    return key;
}

struct hf_key hf_key_item(const struct hf_item_id *item)
{
    struct hf_key key = { .size = 0 };
    key_add_item(&key, item);
    return key;
}

struct hf_key hf_key_session(const struct hf_session_id *session)
{
    struct hf_key key = { .size = 0 };
    key_add_session(&key, session);
    return key;
}

struct hf_key hf_key_log(const struct hf_log_place *place)
{
    struct hf_key key = { .size = 0 };
    hf_assert(place->part <= UINT16_MAX);
    key_add8(&key, place->lsn);
    key_add1(&key, place->part >> 8);
    key_add1(&key, place->part & UINT8_MAX);
    return key;
}

struct hf_key hf_key_turn_due(const struct hf_turn_due *place)
{
    struct hf_key key = { .size = 0 };
    key_add4(&key, place->engine_version);
    key_add8(&key, place->arrival_lsn);
    key_add8(&key, place->instance);
    return key;
}

struct hf_key hf_key_ready(const struct hf_ready_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add4(&key, place->tag);
    key_add_arrival(&key, &place->arrival);
    return key;
}

struct hf_key hf_key_running(const struct hf_running_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, place->registration);
    key_add4(&key, place->tag);
    key_add_arrival(&key, &place->arrival);
    return key;
}

struct hf_key hf_key_session_item(const struct hf_session_item_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add_session(&key, &place->session);
    key_add1(&key, place->state);
    key_add_arrival(&key, &place->arrival);
    return key;
}

struct hf_key hf_key_session_ready(const struct hf_session_ready_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, place->owner);
    key_add4(&key, place->tag);
    key_add1(&key, place->session_class);
    key_add_arrival(&key, &place->arrival);
    return key;
}

struct hf_key hf_key_session_owned(const struct hf_session_owned_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, place->owner);
    key_add_session(&key, &place->session);
    return key;
}

struct hf_key hf_key_timer(const struct hf_timer_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add8(&key, place->due_unix_ms);
    key_add_item(&key, &place->id);
    return key;
}

struct hf_key hf_key_reclaim(const struct hf_reclaim_place *place)
{
    struct hf_key key = { .size = 0 };
    key_add1(&key, place->kind);
    key_add8(&key, place->number);
    key_add4(&key, place->incarnation);
    return key;
}

/* ---- reading -------------------------------------------------------------------------------- */

enum { PARTS_MAX = 5 };

/* Reads a run of numbers; sizes ends with 0. False: the key has another size. */
static bool key_read(hf_slice key, const uint8_t *sizes, uint64_t *out_numbers)
{
    const unsigned char *bytes = (const unsigned char *)key.data;
    size_t total = 0;
    for (size_t i = 0; sizes[i] > 0; i++) total += sizes[i];
    hf_assert(total > 0 && total <= HF_KEY_SIZE_MAX);
    if (key.size != total) return false;
    for (size_t i = 0; sizes[i] > 0; i++) {
        hf_assert(i < PARTS_MAX);
        out_numbers[i] = 0;
        for (size_t byte = 0; byte < sizes[i]; byte++) {
            out_numbers[i] = out_numbers[i] << 8 | *bytes++;
        }
    }
    return true;
}

bool hf_key_read_number(hf_slice key, uint64_t *out_number)
{
    return key_read(key, (const uint8_t[]){ 8, 0 }, out_number);
}

bool hf_key_read_pair(hf_slice key, struct hf_number_pair *out_pair)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 8, 0 }, n)) return false;
    *out_pair = (struct hf_number_pair){ n[0], n[1] };
    return true;
}

bool hf_key_read_item(hf_slice key, struct hf_item_id *out_item)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 4, 4, 0 }, n)) return false;
    *out_item = (struct hf_item_id){ n[0], n[1], n[2] };
    return true;
}

bool hf_key_read_session(hf_slice key, struct hf_session_id *out_session)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 4, 0 }, n)) return false;
    *out_session = (struct hf_session_id){ n[0], n[1] };
    return true;
}

bool hf_key_read_log(hf_slice key, struct hf_log_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 2, 0 }, n)) return false;
    *out_place = (struct hf_log_place){ n[0], n[1] };
    return true;
}

bool hf_key_read_turn_due(hf_slice key, struct hf_turn_due *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 4, 8, 8, 0 }, n)) return false;
    *out_place = (struct hf_turn_due){ n[0], n[1], n[2] };
    return true;
}

bool hf_key_read_ready(hf_slice key, struct hf_ready_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 4, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_ready_place){ n[0], { n[1], n[2] } };
    return true;
}

bool hf_key_read_running(hf_slice key, struct hf_running_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 4, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_running_place){ n[0], n[1], { n[2], n[3] } };
    return true;
}

bool hf_key_read_session_item(hf_slice key, struct hf_session_item_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 4, 1, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_session_item_place){ { n[0], n[1] }, n[2], { n[3], n[4] } };
    return true;
}

bool hf_key_read_session_ready(hf_slice key, struct hf_session_ready_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 4, 1, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_session_ready_place){ n[0], n[1], n[2], { n[3], n[4] } };
    return true;
}

bool hf_key_read_session_owned(hf_slice key, struct hf_session_owned_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_session_owned_place){ n[0], { n[1], n[2] } };
    return true;
}

bool hf_key_read_timer(hf_slice key, struct hf_timer_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 8, 8, 4, 4, 0 }, n)) return false;
    *out_place = (struct hf_timer_place){ n[0], { n[1], n[2], n[3] } };
    return true;
}

bool hf_key_read_reclaim(hf_slice key, struct hf_reclaim_place *out_place)
{
    uint64_t n[PARTS_MAX];
    if (!key_read(key, (const uint8_t[]){ 1, 8, 4, 0 }, n)) return false;
    *out_place = (struct hf_reclaim_place){ n[0], n[1], n[2] };
    return true;
}

/* ---- comparing ------------------------------------------------------------------------------ */

bool hf_item_id_fits(const struct hf_item_id *item)
{
    return item->execution <= HF_KEY_PART_MAX && item->event_id <= HF_KEY_PART_MAX;
}

int hf_arrival_compare(const struct hf_arrival *a, const struct hf_arrival *b)
{
    if (a->lsn != b->lsn) return a->lsn < b->lsn ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}
