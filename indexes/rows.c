/* Rows of the larger tables: their layouts, and reading them. It decides nothing and writes only
 * what the fold hands it.
 *
 * The keys of the maps below are on disk; but rows are rebuilt from the log, so they change with
 * HF_FOLD_VERSION alone. A number that is 0 is not written. */
#include "indexes/rows_internal.h"

#include <string.h>
#include <xxhash.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/law.h"

/* ---- layouts -------------------------------------------------------------------------------- */

#define NUMBER(type, key, member)                                                                  \
    {                                                                                              \
        key, HF_FIELD_NUMBER, false, offsetof(struct type, member), #member, NULL                  \
    }
#define TEXT(type, key, member)                                                                    \
    {                                                                                              \
        key, HF_FIELD_TEXT, false, offsetof(struct type, member), #member, NULL                    \
    }
#define REF(type, key, member)                                                                     \
    NUMBER(type, key, member.lsn), NUMBER(type, (key) + 1, member.offset),                         \
        NUMBER(type, (key) + 2, member.size), NUMBER(type, (key) + 3, member.check)

static const struct hf_field instance_fields[] = {
    TEXT(hf_row_instance, 1, id),
    TEXT(hf_row_instance, 2, orchestration),
    NUMBER(hf_row_instance, 3, status),
    NUMBER(hf_row_instance, 4, execution),
    NUMBER(hf_row_instance, 5, head),
    NUMBER(hf_row_instance, 6, next_event_id),
    NUMBER(hf_row_instance, 7, engine_version),
    NUMBER(hf_row_instance, 8, started_unix_ms),
    NUMBER(hf_row_instance, 9, ended_unix_ms),
    NUMBER(hf_row_instance, 10, turn_due_lsn),
    NUMBER(hf_row_instance, 11, turns_lost),
    NUMBER(hf_row_instance, 12, status_version),
    REF(hf_row_instance, 13, output),
    REF(hf_row_instance, 17, status_ref),
    NUMBER(hf_row_instance, 21, parent.instance),
    NUMBER(hf_row_instance, 22, parent.execution),
    NUMBER(hf_row_instance, 23, parent.event_id),
    REF(hf_row_instance, 24, lost),
    REF(hf_row_instance, 28, deleted),
    REF(hf_row_instance, 32, orphan),
    REF(hf_row_instance, 36, status_former),
    TEXT(hf_row_instance, 40, suspended_code),
    TEXT(hf_row_instance, 41, suspended_text),
    TEXT(hf_row_instance, 42, version),
    NUMBER(hf_row_instance, 43, turn_deaths),
    NUMBER(hf_row_instance, 44, family_parent),
    NUMBER(hf_row_instance, 45, family_root),
    NUMBER(hf_row_instance, 46, pruned),
};

static const struct hf_field item_fields[] = {
    NUMBER(hf_row_item, 1, arrival.lsn),
    NUMBER(hf_row_item, 2, arrival.number),
    NUMBER(hf_row_item, 3, tag),
    NUMBER(hf_row_item, 4, incarnation),
    NUMBER(hf_row_item, 5, attempts),
    NUMBER(hf_row_item, 6, state),
    NUMBER(hf_row_item, 7, registration),
    NUMBER(hf_row_item, 8, delivery_lsn),
    NUMBER(hf_row_item, 9, delivery_number),
    REF(hf_row_item, 10, body),
    NUMBER(hf_row_item, 14, deaths),
    NUMBER(hf_row_item, 15, has_start_limit),
};

static const struct hf_field session_fields[] = {
    TEXT(hf_row_session, 1, name),
    NUMBER(hf_row_session, 2, tag),
    NUMBER(hf_row_session, 3, owner),
    NUMBER(hf_row_session, 4, epoch),
    NUMBER(hf_row_session, 5, unowned_reason),
    NUMBER(hf_row_session, 6, ready_count),
    NUMBER(hf_row_session, 7, running_count),
    NUMBER(hf_row_session, 8, delayed_count),
    NUMBER(hf_row_session, 9, head.lsn),
    NUMBER(hf_row_session, 10, head.number),
    NUMBER(hf_row_session, 11, opened_unix_ms),
    NUMBER(hf_row_session, 12, quiet_unix_ms),
    REF(hf_row_session, 13, opening),
};

static const struct hf_field registration_fields[] = {
    TEXT(hf_row_registration, 1, worker_id),      TEXT(hf_row_registration, 2, life),
    TEXT(hf_row_registration, 3, boot_id),        NUMBER(hf_row_registration, 4, pid),
    NUMBER(hf_row_registration, 5, ended_reason), NUMBER(hf_row_registration, 6, sessions_count),
    NUMBER(hf_row_registration, 7, reclaim_ms),
};

static const struct hf_field dead_letter_fields[] = {
    NUMBER(hf_row_dead_letter, 1, execution),        NUMBER(hf_row_dead_letter, 2, event_id),
    NUMBER(hf_row_dead_letter, 3, attempts),         NUMBER(hf_row_dead_letter, 4, deaths),
    NUMBER(hf_row_dead_letter, 5, given_up_unix_ms),
};

#define LAYOUT(kind)                                                                               \
    const struct hf_layout hf__row_##kind##_layout = { #kind "_row", sizeof(struct hf_row_##kind), \
                                                       kind##_fields, HF_COUNT_OF(kind##_fields) }
LAYOUT(instance);
LAYOUT(item);
LAYOUT(session);
LAYOUT(registration);
LAYOUT(dead_letter);

/* ---- in general ----------------------------------------------------------------------------- */

hf_status hf__row_damaged(enum hf_table table, hf_error *error)
{
    (void)hf_error_set(error, HF_CORRUPT,
                       "a row of table \"%s\" is damaged: verify the store, then rebuild it",
                       hf_table_name(table));
    return hf_law_broken(error, HF_LAW_X1, HF_CORRUPT);
}

hf_status hf__row_put(struct hf_tables *tables, const struct hf_key *key, const struct hf__row *row,
                      hf_error *error)
{
    hf_assert(row->layout && row->value);
    hf_slice bytes = hf_encode(row->layout, row->value, tables->arena);
    if (!bytes.data) {
        return hf_error_set(error, HF_NO_MEMORY, "no memory for a row of table \"%s\"",
                            hf_table_name(row->table));
    }
    return hf_table_put(tables, row->table, hf_key_slice(key), bytes, error);
}

/* Copies bytes of the map out of it. */
static hf_status row_copy(struct hf_tables *tables, hf_slice bytes, hf_slice *out_copy,
                          hf_error *error)
{
    hf_assert(tables->arena);
    hf_slice copy = hf_arena_copy(tables->arena, bytes);
    if (!copy.data) return hf_error_set(error, HF_NO_MEMORY, "no memory to read a row");
    *out_copy = copy;
    return HF_OK;
}

static hf_status row_decode(struct hf_tables *tables, const struct hf_layout *layout,
                            hf_slice bytes, void *out_row, hf_error *error)
{
    hf_slice copy = HF_EMPTY;
    hf_status status = row_copy(tables, bytes, &copy, error);
    if (status == HF_OK) status = hf_decode(layout, copy, tables->arena, out_row, error);
    return status == HF_OK ? HF_OK : hf_law_broken(error, HF_LAW_X1, status);
}

hf_status hf__search(struct hf_tables *tables, const struct hf__search *search,
                     struct hf_table_row *out_row, hf_error *error)
{
    hf_assert(search->prefix_size < search->key.size);
    struct hf_table_range range = { hf_key_slice(&search->key), search->prefix_size };
    return hf_table_next_in(tables, search->table, &range, out_row, error);
}

hf_status hf__row_item_key(enum hf_table table, const struct hf_table_row *row,
                           struct hf_item_id *out_item, hf_error *error)
{
    return hf_key_read_item(row->value, out_item) ? HF_OK : hf__row_damaged(table, error);
}

/* A row of one number of 8 bytes, little-endian, under a text. Longer texts than a key may be are
 * not found. */
static hf_status number_of_text(struct hf_tables *tables, enum hf_table table, hf_slice text,
                                uint64_t *out_number, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (text.size == 0 || text.size > HF_TABLE_KEY_SIZE_MAX) return HF_NOT_FOUND;
    hf_status status = hf_table_get(tables, table, text, &value, error);
    if (status != HF_OK) return status;
    if (value.size != 8) return hf__row_damaged(table, error);
    *out_number = hf_get_le64(value.data);
    return HF_OK;
}

/* ---- what every row must be, whoever wrote it ----------------------------------------------- */

static bool ref_is_sound(const struct hf_ref *ref)
{
    return ref->offset <= UINT32_MAX && ref->size <= UINT32_MAX && ref->check <= UINT32_MAX;
}

/* A child has the bodies that tell its end to others. */
static bool parent_is_sound(const struct hf_row_instance *row)
{
    bool is_child = row->parent.instance != 0;
    return hf_item_id_fits(&row->parent) && ref_is_sound(&row->lost) &&
           ref_is_sound(&row->deleted) && ref_is_sound(&row->orphan) &&
           is_child == (row->lost.lsn != 0) && is_child == (row->deleted.lsn != 0) &&
           is_child == (row->orphan.lsn != 0);
}

/* Numbers count up, so a walk from child to parent comes to an end. */
static bool family_is_sound(const struct hf_row_instance *row)
{
    bool has_family = row->family_root != 0;
    return has_family == (row->family_parent != 0) && row->family_root <= row->family_parent &&
           (!has_family || row->family_parent < row->number);
}

static bool instance_is_sound(const struct hf_row_instance *row)
{
    bool has_ended = hf_instance_has_ended(row);
    return parent_is_sound(row) && family_is_sound(row) && row->status >= HF_INSTANCE_PENDING &&
           row->status <= HF_INSTANCE_TERMINATED && row->id.size > 0 && row->execution >= 1 &&
           row->execution <= HF_KEY_PART_MAX && row->pruned < row->execution && row->head != 0 &&
           row->engine_version <= HF_KEY_PART_MAX && ref_is_sound(&row->output) &&
           ref_is_sound(&row->status_ref) && ref_is_sound(&row->status_former) &&
           !(has_ended && row->turn_due_lsn != 0);
}

static bool item_is_sound(const struct hf_row_item *row)
{
    bool is_running = row->state == HF_ITEM_RUNNING;
    return row->state >= HF_ITEM_READY && row->state <= HF_ITEM_DELAYED && row->arrival.lsn != 0 &&
           row->arrival.number <= HF_KEY_PART_MAX && row->tag <= HF_KEY_PART_MAX &&
           row->incarnation <= HF_KEY_PART_MAX &&
           !(row->has_start_limit && row->state != HF_ITEM_READY) &&
           is_running == (row->registration != 0) && is_running == (row->delivery_lsn != 0) &&
           row->deaths <= row->attempts && ref_is_sound(&row->body);
}

static bool session_is_sound(const struct hf_row_session *row)
{
    uint64_t items_count = row->ready_count + row->running_count + row->delayed_count;
    return row->name.size > 0 && row->tag <= HF_KEY_PART_MAX &&
           row->head.number <= HF_KEY_PART_MAX && (row->ready_count > 0) == (row->head.lsn != 0) &&
           !(row->owner != 0 && row->epoch == 0) &&
           (row->unowned_reason != 0) == (row->owner == 0 && row->epoch != 0) &&
           !(row->quiet_unix_ms != 0 && items_count > 0) && ref_is_sound(&row->opening);
}

/* Copies and decodes the row of an instance, and proves it; likewise the one below of a session. */
static hf_status instance_decode(struct hf_tables *tables, hf_slice value, uint64_t number,
                                 struct hf_row_instance *out_row, hf_error *error)
{
    hf_status status = row_decode(tables, &hf__row_instance_layout, value, out_row, error);
    if (status != HF_OK) return status;
    out_row->number = number;
    return instance_is_sound(out_row) ? HF_OK : hf__row_damaged(HF_TABLE_INSTANCES, error);
}

static hf_status session_decode(struct hf_tables *tables, hf_slice value,
                                const struct hf_session_id *id, struct hf_row_session *out_row,
                                hf_error *error)
{
    hf_status status = row_decode(tables, &hf__row_session_layout, value, out_row, error);
    if (status != HF_OK) return status;
    out_row->id = *id;
    return session_is_sound(out_row) ? HF_OK : hf__row_damaged(HF_TABLE_SESSIONS, error);
}

/* ---- instances ------------------------------------------------------------------------------ */

hf_status hf_instance_get(struct hf_tables *tables, uint64_t number,
                          struct hf_row_instance *out_row, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_number(number);
    hf_status status = hf_table_get(tables, HF_TABLE_INSTANCES, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    return instance_decode(tables, value, number, out_row, error);
}

hf_status hf_instance_find(struct hf_tables *tables, hf_slice id, struct hf_row_instance *out_row,
                           hf_error *error)
{
    uint64_t number = 0;
    hf_status status = number_of_text(tables, HF_TABLE_INSTANCE_IDS, id, &number, error);
    if (status != HF_OK) return status;
    status = hf_instance_get(tables, number, out_row, error);
    return status == HF_NOT_FOUND ? hf__row_damaged(HF_TABLE_INSTANCE_IDS, error) : status;
}

hf_status hf_instance_next(struct hf_tables *tables, uint64_t after,
                           struct hf_row_instance *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_INSTANCES, hf_key_number(after), 0 };
    struct hf_table_row found;
    uint64_t number = 0;
    hf_status status = hf__search(tables, &search, &found, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_number(found.key, &number)) {
        return hf__row_damaged(HF_TABLE_INSTANCES, error);
    }
    return instance_decode(tables, found.value, number, out_row, error);
}

hf_status hf_instance_before(struct hf_tables *tables, uint64_t before,
                             struct hf_row_instance *out_row, hf_error *error)
{
    struct hf_table_row found;
    uint64_t number = 0;
    struct hf_key key = hf_key_number(before == 0 ? UINT64_MAX : before);
    hf_status status = hf_table_before(tables, HF_TABLE_INSTANCES, hf_key_slice(&key), &found,
                                       error);
    if (status != HF_OK) return status;
    if (!hf_key_read_number(found.key, &number)) {
        return hf__row_damaged(HF_TABLE_INSTANCES, error);
    }
    return instance_decode(tables, found.value, number, out_row, error);
}

bool hf_instance_has_ended(const struct hf_row_instance *row)
{
    return row->status != HF_INSTANCE_PENDING && row->status != HF_INSTANCE_RUNNING;
}

uint64_t hf_instance_due_lsn(const struct hf_row_instance *row)
{
    return row->suspended_code.size > 0 ? 0 : row->turn_due_lsn;
}

hf_status hf_child_get(struct hf_tables *tables, const struct hf_item_id *event,
                       uint64_t *out_number, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (!hf_item_id_fits(event)) return HF_NOT_FOUND;
    struct hf_key key = hf_key_item(event);
    hf_status status = hf_table_get(tables, HF_TABLE_CHILDREN, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    if (value.size != 8) return hf__row_damaged(HF_TABLE_CHILDREN, error);
    *out_number = hf_get_le64(value.data);
    return HF_OK;
}

hf_status hf_instance_number_next(struct hf_tables *tables, uint64_t *out_number, hf_error *error)
{
    hf_status status = hf_meta_get_number(tables, "next_instance", out_number, error);
    if (status == HF_NOT_FOUND) *out_number = 1;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* ---- items and sessions --------------------------------------------------------------------- */

hf_status hf_item_get(struct hf_tables *tables, const struct hf_item_id *id,
                      struct hf_row_item *out_row, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (!hf_item_id_fits(id)) return HF_NOT_FOUND;
    struct hf_key key = hf_key_item(id);
    hf_status status = hf_table_get(tables, HF_TABLE_ITEMS, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    status = row_decode(tables, &hf__row_item_layout, value, out_row, error);
    if (status != HF_OK) return status;
    out_row->id = *id;
    return item_is_sound(out_row) ? HF_OK : hf__row_damaged(HF_TABLE_ITEMS, error);
}

hf_status hf_session_get(struct hf_tables *tables, const struct hf_session_id *id,
                         struct hf_row_session *out_row, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (id->incarnation > HF_KEY_PART_MAX) return HF_NOT_FOUND;
    struct hf_key key = hf_key_session(id);
    hf_status status = hf_table_get(tables, HF_TABLE_SESSIONS, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    return session_decode(tables, value, id, out_row, error);
}

hf_status hf_session_next(struct hf_tables *tables, const struct hf_session_id *after,
                          struct hf_row_session *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_SESSIONS, hf_key_session(after), 0 };
    struct hf_table_row found;
    struct hf_session_id id;
    hf_status status = hf__search(tables, &search, &found, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_session(found.key, &id)) return hf__row_damaged(HF_TABLE_SESSIONS, error);
    return session_decode(tables, found.value, &id, out_row, error);
}

/* ---- registrations and workers -------------------------------------------------------------- */

hf_status hf_registration_get(struct hf_tables *tables, uint64_t lsn,
                              struct hf_row_registration *out_row, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    struct hf_key key = hf_key_number(lsn);
    hf_status status = hf_table_get(tables, HF_TABLE_REGISTRATIONS, hf_key_slice(&key), &value,
                                    error);
    if (status != HF_OK) return status;
    status = row_decode(tables, &hf__row_registration_layout, value, out_row, error);
    out_row->lsn = lsn;
    return status;
}

hf_status hf_registration_next(struct hf_tables *tables, uint64_t after,
                               struct hf_row_registration *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_REGISTRATIONS, hf_key_number(after), 0 };
    struct hf_table_row found;
    uint64_t lsn = 0;
    hf_status status = hf__search(tables, &search, &found, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_number(found.key, &lsn)) {
        return hf__row_damaged(HF_TABLE_REGISTRATIONS, error);
    }
    status = row_decode(tables, &hf__row_registration_layout, found.value, out_row, error);
    out_row->lsn = lsn;
    return status;
}

hf_status hf_worker_find(struct hf_tables *tables, hf_slice worker_id, uint64_t *out_registration,
                         hf_error *error)
{
    return number_of_text(tables, HF_TABLE_WORKERS, worker_id, out_registration, error);
}

hf_status hf_dead_letter_next(struct hf_tables *tables, const struct hf_number_pair *place,
                              struct hf_row_dead_letter *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_DEAD_LETTERS, hf_key_pair(place), 0 };
    struct hf_table_row found;
    struct hf_number_pair key;
    hf_status status = hf__search(tables, &search, &found, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_pair(found.key, &key)) {
        return hf__row_damaged(HF_TABLE_DEAD_LETTERS, error);
    }
    status = row_decode(tables, &hf__row_dead_letter_layout, found.value, out_row, error);
    out_row->instance = key.first;
    out_row->lsn = key.second;
    return status;
}

/* ---- tags, idempotency keys, meta ----------------------------------------------------------- */

hf_status hf_tag_find(struct hf_tables *tables, hf_slice tag, uint64_t *out_number, hf_error *error)
{
    if (tag.size == 0) {
        *out_number = 0;
        return HF_OK;
    }
    return number_of_text(tables, HF_TABLE_TAGS, tag, out_number, error);
}

hf_status hf_tag_name(struct hf_tables *tables, uint64_t number, hf_slice *out_tag, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    *out_tag = (hf_slice)HF_EMPTY;
    if (number == 0) return HF_OK;
    if (number > HF_KEY_PART_MAX) return HF_NOT_FOUND;
    struct hf_key key = hf_key_tag(number);
    hf_status status = hf_table_get(tables, HF_TABLE_TAG_NAMES, hf_key_slice(&key), &value, error);
    return status == HF_OK ? row_copy(tables, value, out_tag, error) : status;
}

hf_status hf_command_key_find(struct hf_tables *tables, hf_slice key,
                              struct hf_row_command_key *out_row, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (key.size == 0 || key.size > HF_TABLE_KEY_SIZE_MAX) return HF_NOT_FOUND;
    hf_status status = hf_table_get(tables, HF_TABLE_COMMAND_KEYS, key, &value, error);
    if (status != HF_OK) return status;
    if (value.size != 16) return hf__row_damaged(HF_TABLE_COMMAND_KEYS, error);
    *out_row = (struct hf_row_command_key){ hf_get_le64(value.data), hf_get_le64(value.data + 8) };
    return HF_OK;
}

hf_status hf_meta_get_number(struct hf_tables *tables, const char *name, uint64_t *out_number,
                             hf_error *error)
{
    return number_of_text(tables, HF_TABLE_META, hf_text(name), out_number, error);
}

hf_status hf_meta_put_number(struct hf_tables *tables, const char *name, uint64_t number,
                             hf_error *error)
{
    unsigned char bytes[8];
    hf_put_le64(bytes, number);
    return hf_table_put(tables, HF_TABLE_META, hf_text(name), hf_bytes(bytes, sizeof(bytes)),
                        error);
}

/* ---- history, inbox, timers ----------------------------------------------------------------- */

hf_status hf_history_get(struct hf_tables *tables, const struct hf_item_id *event,
                         struct hf_ref *out_ref, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (!hf_item_id_fits(event)) return HF_NOT_FOUND;
    struct hf_key key = hf_key_item(event);
    hf_status status = hf_table_get(tables, HF_TABLE_HISTORY, hf_key_slice(&key), &value, error);
    if (status != HF_OK) return status;
    return hf_ref_read(value, out_ref) ? HF_OK : hf__row_damaged(HF_TABLE_HISTORY, error);
}

hf_status hf_history_last(struct hf_tables *tables, const struct hf_item_id *execution,
                          struct hf_item_id *out_event, struct hf_ref *out_ref, hf_error *error)
{
    struct hf_item_id event = { execution->instance, execution->execution, HF_KEY_PART_MAX };
    struct hf_key key = hf_key_item(&event);
    struct hf_table_row found;
    hf_status status = hf_table_before(tables, HF_TABLE_HISTORY, hf_key_slice(&key), &found, error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    bool is_there = status == HF_OK && hf_key_read_item(found.key, &event) &&
                    hf_ref_read(found.value, out_ref) && event.instance == execution->instance &&
                    event.execution == execution->execution;
    if (!is_there) return hf__row_damaged(HF_TABLE_HISTORY, error);
    *out_event = event;
    return HF_OK;
}

void hf_message_write(const struct hf_row_message *row, unsigned char bytes[HF_MESSAGE_SIZE])
{
    hf_assert(row->execution <= UINT32_MAX);
    hf_assert(row->body.lsn != 0); /* else nobody could read it: see hf_ref_read */
    hf_ref_write(&row->body, bytes);
    hf_put_le32(bytes + HF_REF_SIZE, (uint32_t)row->execution);
}

bool hf_message_read(hf_slice value, struct hf_row_message *out_row)
{
    if (value.size != HF_MESSAGE_SIZE) return false;
    if (!hf_ref_read(hf_bytes(value.data, HF_REF_SIZE), &out_row->body)) return false;
    out_row->execution = hf_get_le32(value.data + HF_REF_SIZE);
    return true;
}

hf_status hf_inbox_next(struct hf_tables *tables, const struct hf_number_pair *place,
                        struct hf_row_message *out_row, hf_error *error)
{
    struct hf__search search = { HF_TABLE_INBOX, hf_key_pair(place), 8 };
    struct hf_table_row found;
    struct hf_number_pair key;
    hf_status status = hf__search(tables, &search, &found, error);
    if (status != HF_OK) return status;
    if (!hf_key_read_pair(found.key, &key) || !hf_message_read(found.value, out_row)) {
        return hf__row_damaged(HF_TABLE_INBOX, error);
    }
    out_row->lsn = key.second;
    return HF_OK;
}

hf_status hf_timer_find(struct hf_tables *tables, const struct hf_item_id *id,
                        uint64_t *out_due_unix_ms, hf_error *error)
{
    hf_slice value = HF_EMPTY;
    if (!hf_item_id_fits(id)) return HF_NOT_FOUND;
    struct hf_key key = hf_key_item(id);
    hf_status status = hf_table_get(tables, HF_TABLE_TIMERS_BY_ID, hf_key_slice(&key), &value,
                                    error);
    if (status != HF_OK) return status;
    if (value.size != 8) return hf__row_damaged(HF_TABLE_TIMERS_BY_ID, error);
    *out_due_unix_ms = hf_get_le64(value.data);
    return HF_OK;
}

hf_status hf__timer_read(hf_slice value, struct hf_row_timer *out_row, hf_error *error)
{
    struct hf_row_timer row = { .kind = value.size > 0 ? (unsigned char)value.data[0] : 0 };
    bool fits = row.kind == HF_TIMER_ITEM && value.size == 1;
    if (row.kind == HF_TIMER_MESSAGE || row.kind == HF_TIMER_START) {
        fits = hf_ref_read(hf_bytes(value.data + 1, value.size - 1), &row.body);
    }
    if (!fits) return hf__row_damaged(HF_TABLE_TIMERS, error);
    *out_row = row;
    return HF_OK;
}

/* ---- refs ----------------------------------------------------------------------------------- */

void hf_ref_write(const struct hf_ref *ref, unsigned char bytes[HF_REF_SIZE])
{
    hf_assert(ref->offset <= UINT32_MAX && ref->size <= UINT32_MAX && ref->check <= UINT32_MAX);
    hf_put_le64(bytes, ref->lsn);
    hf_put_le32(bytes + 8, (uint32_t)ref->offset);
    hf_put_le32(bytes + 12, (uint32_t)ref->size);
    hf_put_le32(bytes + 16, (uint32_t)ref->check);
}

bool hf_ref_read(hf_slice bytes, struct hf_ref *out_ref)
{
    if (bytes.size != HF_REF_SIZE) return false;
    *out_ref = (struct hf_ref){ hf_get_le64(bytes.data), hf_get_le32(bytes.data + 8),
                                hf_get_le32(bytes.data + 12), hf_get_le32(bytes.data + 16) };
    return out_ref->lsn != 0;
}

uint64_t hf_payload_check(hf_slice payload)
{
    return XXH3_64bits(payload.data, payload.size) & UINT32_MAX;
}

bool hf_ref_check(const struct hf_ref *ref, hf_slice payload)
{
    return ref->size == payload.size && ref->check == hf_payload_check(payload);
}
