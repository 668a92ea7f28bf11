/* The log's bytes. It proves what it reads, and knows nothing of what records mean.
 *
 * A part, the value of key (LSN 8, part 2; big-endian), little-endian inside:
 *   | offset | size | field                                                          |
 *   | 0      | 1    | format version: 1                                              |
 *   | 1      | 1    | flags: 1 critical (stop when the kind is not known), 2 last part |
 *   | 2      | 2    | kind                                                           |
 *   | 4      | 4    | size of this part's body                                       |
 *   | 8      | 8    | wall time, Unix milliseconds, as it was                        |
 *   | 16     | 8    | checksum                                                       |
 *   | 24     |      | this part's body                                               |
 * The checksum is the XXH3-64 of the body, seeded with the XXH3-64 of (store id 16, LSN 8, part 2,
 * header bytes 0 to 15): so bytes of another store, record or part never pass as these.
 *
 * Laws:
 *  1. Parts are numbered from 0; all but the last hold exactly HF_LOG_PART_SIZE bytes, and at least
 *     one; format, kind, time and the critical flag are the same in all.
 *  2. A reader believes no field of a header before the checksum over it was compared.
 *  3. A ref is proved by its own check: reading a payload does not cost its record's checksums. */
#include "logstore/log.h"

#include <string.h>
#include <xxhash.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/law.h"
#include "indexes/rows.h"

enum {
    FLAG_CRITICAL = 1,
    FLAG_LAST = 2,
    OFFSET_FLAGS = 1,
    OFFSET_KIND = 2,
    OFFSET_SIZE = 4,
    OFFSET_TIME = 8,
    OFFSET_CHECKSUM = 16,
    SEED_SIZE = HF_STORE_ID_SIZE + HF_LOG_KEY_SIZE + OFFSET_CHECKSUM,
    BODY_SIZE_MAX = 1 << 30 /* what we are willing to put together in memory */
};
_Static_assert(OFFSET_CHECKSUM + 8 == HF_LOG_HEADER_SIZE, "the checksum ends the header");
_Static_assert((uint64_t)HF_LOG_PART_SIZE *HF_LOG_PARTS_MAX <= UINT32_MAX,
               "offsets of refs fit 32 bits");

/* One part, as it stands in the table. */
struct log_part {
    struct hf_log_place place;
    hf_slice value; /* header and body */
    bool is_last;   /* once read */
};

static struct hf_key part_key(uint64_t lsn, uint64_t number)
{
    hf_assert(number < HF_LOG_PARTS_MAX);
    struct hf_key key = hf_key_log(&(struct hf_log_place){ lsn, number });
    hf_assert(key.size == HF_LOG_KEY_SIZE);
    return key;
}

static uint64_t part_checksum(const struct hf_store_id *id, const struct log_part *part)
{
    unsigned char seed_bytes[SEED_SIZE];
    hf_assert(part->value.size >= HF_LOG_HEADER_SIZE);
    struct hf_key key = part_key(part->place.lsn, part->place.part);
    memcpy(seed_bytes, id->bytes, HF_STORE_ID_SIZE);
    memcpy(seed_bytes + HF_STORE_ID_SIZE, key.bytes, HF_LOG_KEY_SIZE);
    memcpy(seed_bytes + HF_STORE_ID_SIZE + HF_LOG_KEY_SIZE, part->value.data, OFFSET_CHECKSUM);
    uint64_t seed = XXH3_64bits(seed_bytes, sizeof seed_bytes);
    return XXH3_64bits_withSeed(part->value.data + HF_LOG_HEADER_SIZE,
                                part->value.size - HF_LOG_HEADER_SIZE, seed);
}

/* ---- appending ----------------------------------------------------------------------------- */

static void header_write(unsigned char *header, const struct hf_log_record *record, size_t size,
                         bool is_last)
{
    hf_assert(size <= HF_LOG_PART_SIZE);
    hf_assert(record->kind <= UINT16_MAX);
    header[0] = HF_LOG_FORMAT;
    header[OFFSET_FLAGS] = (unsigned char)((record->critical ? FLAG_CRITICAL : 0) |
                                           (is_last ? FLAG_LAST : 0));
    header[OFFSET_KIND] = (unsigned char)record->kind;
    header[OFFSET_KIND + 1] = (unsigned char)(record->kind >> 8);
    hf_put_le32(header + OFFSET_SIZE, (uint32_t)size);
    hf_put_le64(header + OFFSET_TIME, record->wall_unix_ms);
}

/* Appends the part of record that begins at offset of its body. */
static hf_status part_append(struct hf_tables *tables, const struct hf_store_id *id,
                             const struct hf_log_record *record, size_t offset, hf_error *error)
{
    unsigned char bytes[HF_LOG_HEADER_SIZE + HF_LOG_PART_SIZE];
    size_t left = record->body.size - offset;
    size_t size = left < HF_LOG_PART_SIZE ? left : HF_LOG_PART_SIZE;
    hf_assert(offset % HF_LOG_PART_SIZE == 0);
    header_write(bytes, record, size, size == left);
    if (size > 0) memcpy(bytes + HF_LOG_HEADER_SIZE, record->body.data + offset, size);
    struct log_part part = { { record->lsn, offset / HF_LOG_PART_SIZE },
                             hf_bytes(bytes, HF_LOG_HEADER_SIZE + size),
                             false };
    hf_put_le64(bytes + OFFSET_CHECKSUM, part_checksum(id, &part));
    struct hf_key key = part_key(part.place.lsn, part.place.part);
    return hf_table_append(tables, HF_TABLE_LOG, hf_key_slice(&key), part.value, error);
}

hf_status hf_log_append(struct hf_tables *tables, const struct hf_store_id *id,
                        const struct hf_log_record *record, hf_error *error)
{
    hf_assert(hf_lsn_counter(record->lsn) > 0);
    hf_assert(record->body.size == 0 || record->body.data);
    if (record->body.size > (size_t)HF_LOG_PART_SIZE * HF_LOG_PARTS_MAX ||
        record->body.size > BODY_SIZE_MAX) {
        return hf_error_set(error, HF_TOO_LARGE, "a record of %zu bytes: at most %d",
                            record->body.size, BODY_SIZE_MAX);
    }
    size_t offset = 0;
    hf_status status = part_append(tables, id, record, offset, error);
    for (offset = HF_LOG_PART_SIZE; status == HF_OK && offset < record->body.size;
         offset += HF_LOG_PART_SIZE) {
        status = part_append(tables, id, record, offset, error);
    }
    return status;
}

/* ---- reading records ----------------------------------------------------------------------- */

static hf_status part_get(struct hf_tables *tables, struct log_part *part, hf_error *error)
{
    struct hf_key key = part_key(part->place.lsn, part->place.part);
    hf_status status = hf_table_get(tables, HF_TABLE_LOG, hf_key_slice(&key), &part->value, error);
    if (status != HF_OK) return status;
    if (part->value.size >= HF_LOG_HEADER_SIZE &&
        part->value.size <= HF_LOG_HEADER_SIZE + HF_LOG_PART_SIZE) {
        return HF_OK;
    }
    return hf_law_broken(error, HF_LAW_L6,
                         hf_error_corrupt(error, part->place.lsn, "record part %u has %zu bytes",
                                          (unsigned)part->place.part, part->value.size));
}

/* Proves a part: its checksum first, then that its size is its own. */
static hf_status part_prove(const struct hf_store_id *id, const struct log_part *part,
                            hf_error *error)
{
    const char *header = part->value.data;
    if (hf_get_le64(header + OFFSET_CHECKSUM) != part_checksum(id, part)) {
        return hf_law_broken(error, HF_LAW_L2,
                             hf_error_corrupt(error, part->place.lsn,
                                              "the checksum of part %u does not match",
                                              (unsigned)part->place.part));
    }
    if ((unsigned char)header[0] != HF_LOG_FORMAT) {
        return hf_law_broken(
            error, HF_LAW_L6,
            hf_error_corrupt(error, part->place.lsn, "part %u has format %u, not %d",
                             (unsigned)part->place.part, (unsigned char)header[0], HF_LOG_FORMAT));
    }
    if (hf_get_le32(header + OFFSET_SIZE) != part->value.size - HF_LOG_HEADER_SIZE) {
        return hf_law_broken(error, HF_LAW_L6,
                             hf_error_corrupt(error, part->place.lsn,
                                              "part %u has another size than it says",
                                              (unsigned)part->place.part));
    }
    return HF_OK;
}

/* Reads and proves one part, then believes its header. */
static hf_status part_read(struct hf_tables *tables, const struct hf_store_id *id,
                           struct log_part *part, struct hf_log_record *out_record, hf_error *error)
{
    hf_status status = part_get(tables, part, error);
    if (status != HF_OK) return status;
    status = part_prove(id, part, error);
    if (status != HF_OK) return status;
    const unsigned char *header = (const unsigned char *)part->value.data;
    *out_record = (struct hf_log_record){
        .lsn = part->place.lsn,
        .wall_unix_ms = hf_get_le64(header + OFFSET_TIME),
        .kind = (uint64_t)header[OFFSET_KIND] | (uint64_t)header[OFFSET_KIND + 1] << 8,
        .critical = (header[OFFSET_FLAGS] & FLAG_CRITICAL) != 0,
        .body = { part->value.data + HF_LOG_HEADER_SIZE, part->value.size - HF_LOG_HEADER_SIZE },
    };
    part->is_last = (header[OFFSET_FLAGS] & FLAG_LAST) != 0;
    return HF_OK;
}

/* Grows `body` by a part's bytes; the arena keeps the older, shorter ones until it is reset. */
static hf_status body_add(hf_slice *body, size_t *capacity, hf_slice more, struct hf_arena *arena)
{
    hf_assert(body->size <= *capacity);
    if (more.size > *capacity - body->size) {
        size_t wanted = *capacity * 2 > body->size + more.size ? *capacity * 2
                                                               : body->size + more.size;
        char *bytes = hf_arena_new(arena, wanted);
        if (!bytes) return HF_NO_MEMORY;
        if (body->size > 0) memcpy(bytes, body->data, body->size);
        *body = (hf_slice){ bytes, body->size };
        *capacity = wanted;
    }
    if (more.size > 0) memcpy((char *)(uintptr_t)body->data + body->size, more.data, more.size);
    body->size += more.size;
    return HF_OK;
}

static bool is_same_record(const struct hf_log_record *a, const struct hf_log_record *b)
{
    return a->kind == b->kind && a->wall_unix_ms == b->wall_unix_ms && a->critical == b->critical;
}

/* Puts the parts of record behind its first one together, in tables->arena. */
static hf_status record_read(struct hf_tables *tables, const struct hf_store_id *id,
                             struct hf_log_record *record, struct log_part *part, hf_error *error)
{
    hf_slice body = HF_EMPTY;
    struct hf_log_record next = *record;
    size_t capacity = 0;
    for (;;) {
        if (!is_same_record(record, &next) || body.size > BODY_SIZE_MAX ||
            (!part->is_last && next.body.size != HF_LOG_PART_SIZE)) {
            return hf_law_broken(error, HF_LAW_L6,
                                 hf_error_corrupt(error, record->lsn,
                                                  "part %u does not fit the others",
                                                  (unsigned)part->place.part));
        }
        if (body_add(&body, &capacity, next.body, tables->arena) != HF_OK) {
            return hf_error_set(error, HF_NO_MEMORY, "no memory for a record");
        }
        if (part->is_last) break;
        part->place.part++;
        hf_status status = HF_NOT_FOUND;
        if (part->place.part < HF_LOG_PARTS_MAX) status = part_read(tables, id, part, &next, error);
        if (status == HF_NOT_FOUND) {
            return hf_law_broken(error, HF_LAW_L6,
                                 hf_error_corrupt(error, record->lsn, "part %u is missing",
                                                  (unsigned)part->place.part));
        }
        if (status != HF_OK) return status;
    }
    record->body = body;
    return HF_OK;
}

hf_status hf_log_read(struct hf_tables *tables, const struct hf_store_id *id, uint64_t lsn,
                      struct hf_log_record *out_record, hf_error *error)
{
    struct log_part part = { { lsn, 0 }, HF_EMPTY, false };
    struct hf_log_record record = { 0 };
    hf_assert(tables->arena);
    hf_status status = part_read(tables, id, &part, &record, error);
    if (status == HF_OK) status = record_read(tables, id, &record, &part, error);
    if (status == HF_OK) *out_record = record;
    return status;
}

hf_status hf_log_seek(struct hf_tables *tables, uint64_t *lsn, hf_error *error)
{
    struct hf_table_row row;
    struct hf_log_place place;
    struct hf_key key = part_key(*lsn, 0);
    hf_status status = hf_table_seek(tables, HF_TABLE_LOG, hf_key_slice(&key), &row, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_log(row.key, &place)) {
        return hf_law_broken(
            error, HF_LAW_P1,
            hf_error_corrupt(error, 0, "a key of the log has %zu bytes", row.key.size));
    }
    if (place.lsn < *lsn) {
        return hf_law_broken(
            error, HF_LAW_P1,
            hf_error_corrupt(error, 0, "the keys of the log are out of order: %llu is behind",
                             (unsigned long long)place.lsn));
    }
    if (place.part != 0) {
        return hf_law_broken(error, HF_LAW_L6,
                             hf_error_corrupt(error, place.lsn, "the record begins with part %u",
                                              (unsigned)place.part));
    }
    *lsn = place.lsn;
    return HF_OK;
}

/* ---- reading by ref ------------------------------------------------------------------------ */

/* Copies what part holds of ref's bytes to where they belong in bytes. */
static hf_status ref_copy(const struct hf_ref *ref, const struct log_part *part, char *bytes,
                          hf_error *error)
{
    uint64_t part_begin = part->place.part * HF_LOG_PART_SIZE;
    uint64_t begin = ref->offset > part_begin ? ref->offset : part_begin;
    uint64_t end = ref->offset + ref->size;
    if (end > part_begin + HF_LOG_PART_SIZE) end = part_begin + HF_LOG_PART_SIZE;
    hf_assert(begin <= end);
    if (end - part_begin > part->value.size - HF_LOG_HEADER_SIZE) {
        return hf_error_corrupt(error, ref->lsn, "a payload ends behind part %u",
                                (unsigned)part->place.part);
    }
    memcpy(bytes + (begin - ref->offset),
           part->value.data + HF_LOG_HEADER_SIZE + (begin - part_begin), (size_t)(end - begin));
    return HF_OK;
}

hf_status hf_log_read_ref(struct hf_tables *tables, const struct hf_ref *ref,
                          struct hf_arena *arena, hf_slice *out_bytes, hf_error *error)
{
    uint64_t first = ref->offset / HF_LOG_PART_SIZE;
    uint64_t end = (ref->offset + ref->size + HF_LOG_PART_SIZE - 1) / HF_LOG_PART_SIZE;
    if (ref->lsn == 0 || ref->offset > UINT32_MAX || ref->size > BODY_SIZE_MAX ||
        end > HF_LOG_PARTS_MAX) {
        return hf_error_corrupt(error, ref->lsn, "a reference to %llu bytes at %llu is none",
                                (unsigned long long)ref->size, (unsigned long long)ref->offset);
    }
    char *bytes = hf_arena_new(arena, (size_t)ref->size);
    if (!bytes) return hf_error_set(error, HF_NO_MEMORY, "no memory for a payload");
    for (uint64_t number = first; number < end; number++) {
        struct log_part part = { { ref->lsn, number }, HF_EMPTY, false };
        hf_status status = part_get(tables, &part, error);
        if (status == HF_OK) status = ref_copy(ref, &part, bytes, error);
        if (status == HF_NOT_FOUND) {
            return hf_error_corrupt(error, ref->lsn, "the record of a payload lacks part %u",
                                    (unsigned)number);
        }
        if (status != HF_OK) return status;
    }
    hf_slice payload = { bytes, (size_t)ref->size };
    if (!hf_ref_check(ref, payload)) {
        return hf_error_corrupt(error, ref->lsn, "the check of a payload does not match");
    }
    *out_bytes = payload;
    return HF_OK;
}

hf_status hf_log_wall_time(struct hf_tables *tables, uint64_t lsn, uint64_t *out_unix_ms,
                           hf_error *error)
{
    struct log_part part = { { lsn, 0 }, HF_EMPTY, false };
    hf_status status = part_get(tables, &part, error);
    if (status == HF_NOT_FOUND) return hf_error_corrupt(error, lsn, "there is no such record");
    if (status != HF_OK) return status;
    *out_unix_ms = hf_get_le64(part.value.data + OFFSET_TIME);
    return HF_OK;
}
