/* The laws of the hard tables, proved row by row: for each table one function that looks at one row
 * and at whatever else must say the same. It computes where rows should be by itself, not by the
 * fold's code, so that one mistake is not made twice. It repairs nothing and does not look at
 * payloads.
 *
 * Laws
 *  1. A running instance is due if it is fresh (due at its head) or has messages (due at the
 * oldest); turns_due and locks agree.
 *  2. History has no gaps: ids of an execution are 1, 2, 3 ... up to the next event id of the
 * instance.
 *  3. An item stands in exactly the queue that its state names, and in session_items if it has a
 * session.
 *  4. A session's counts are those of its items, its head the oldest ready one; sessions_ready and
 * sessions_owned say the same.
 *  5. What runs in an open session runs under its owner. What runs at all runs under a registration
 * that has a row.
 *  6. Rows of ended and deleted instances, closed sessions and ended registrations are there only
 * while reclaim names them.
 *  7. A running child names its parent's event, and children has that event with the child; the
 * parent runs in that execution, or has ended and reclaim names it.
 *  8. An instance that was started as a child is in families, under the root that it names, and
 * nobody else is. */
#include "indexes/audit_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"

/* ---- tools ---------------------------------------------------------------------------------- */

hf_status hf__audit_broken(struct hf__audit *audit, enum hf_law law, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    (void)hf_error_set(audit->error, HF_CORRUPT, "table \"%s\": %s", hf_table_name(audit->table),
                       what);
    return hf_law_broken(audit->error, law, HF_CORRUPT);
}

hf_status hf__audit_there(struct hf__audit *audit, enum hf_law law, hf_status status,
                          const char *what, uint64_t number)
{
    if (status != HF_NOT_FOUND) return status;
    return hf__audit_broken(audit, law, "%s %" PRIu64 " is missing", what, number);
}

hf_status hf__audit_points(struct hf__audit *audit, enum hf_table table, const struct hf_key *key,
                           hf_slice expected)
{
    hf_slice value = HF_EMPTY;
    hf_status status = hf_table_get(audit->tables, table, hf_key_slice(key), &value, audit->error);
    if (status == HF_NOT_FOUND || (status == HF_OK && !hf_slice_equal(value, expected))) {
        return hf__audit_broken(audit, HF_LAW_X2, "table \"%s\" does not say the same",
                                hf_table_name(table));
    }
    return status;
}

hf_status hf__audit_has_row(struct hf__audit *audit, enum hf_table table, const struct hf_key *key,
                            bool *out_has)
{
    hf_slice value = HF_EMPTY;
    hf_status status = hf_table_get(audit->tables, table, hf_key_slice(key), &value, audit->error);
    *out_has = status == HF_OK;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf__audit_is_marked(struct hf__audit *audit, const struct hf_reclaim_place *place,
                              bool *out_is)
{
    struct hf_key key = hf_key_reclaim(place);
    return hf__audit_has_row(audit, HF_TABLE_RECLAIM, &key, out_is);
}

hf_status hf__audit_instance_of(struct hf__audit *audit, uint64_t number,
                                struct hf_row_instance *out_row)
{
    bool marked = false;
    struct hf_reclaim_place place = { HF_RECLAIM_INSTANCE, number, 0 };
    hf_status found = hf_instance_get(audit->tables, number, out_row, audit->error);
    if (found != HF_OK && found != HF_NOT_FOUND) return found;
    if (found == HF_NOT_FOUND) *out_row = (struct hf_row_instance){ .number = 0 };
    if (found == HF_OK && !hf_instance_has_ended(out_row)) return HF_OK;
    hf_status status = hf__audit_is_marked(audit, &place, &marked);
    if (status != HF_OK || marked) return status;
    return hf__audit_broken(audit, audit->table == HF_TABLE_SESSIONS ? HF_LAW_S6 : HF_LAW_H4,
                            "instance %" PRIu64 " %s and still has rows", number,
                            found == HF_OK ? "has ended" : "is gone");
}

hf_status hf__audit_key(struct hf__audit *audit, const struct hf_table_row *row,
                        const struct hf_key *key)
{
    if (hf_slice_equal(row->key, hf_key_slice(key))) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_Q1, "a row stands where its item or session is not");
}

/* ---- registrations, workers, tags, keys, reclaim -------------------------------------------- */

static hf_status count_owned(struct hf__audit *audit, uint64_t owner, uint64_t *out_count)
{
    struct hf_session_owned_place place = { .owner = owner };
    hf_status status = HF_OK;
    for (*out_count = 0; status == HF_OK; *out_count += status == HF_OK) {
        status = hf_sessions_owned_next(audit->tables, &place, audit->error);
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* A live registration is its worker's; an ended one is still there because reclaim has work with
 * it. */
static hf_status check_registration(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_registration registration;
    uint64_t lsn = 0, count = 0, latest = 0;
    bool marked = false;
    if (!hf_key_read_number(row->key, &lsn)) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_registration_get(audit->tables, lsn, &registration, audit->error);
    if (status == HF_OK) status = count_owned(audit, lsn, &count);
    if (status != HF_OK) return status;
    if (count != registration.sessions_count) {
        return hf__audit_broken(audit, HF_LAW_X3,
                                "registration %" PRIu64 " owns %" PRIu64 " sessions, not %" PRIu64,
                                lsn, count, registration.sessions_count);
    }
    if (registration.ended_reason != 0) {
        struct hf_reclaim_place place = { HF_RECLAIM_REGISTRATION, lsn, 0 };
        status = hf__audit_is_marked(audit, &place, &marked);
        if (status != HF_OK || marked) return status;
        return hf__audit_broken(audit, HF_LAW_R2,
                                "registration %" PRIu64 " has ended and is still there", lsn);
    }
    status = hf_worker_find(audit->tables, registration.worker_id, &latest, audit->error);
    status = hf__audit_there(audit, HF_LAW_R2, status, "worker of registration", lsn);
    if (status != HF_OK || latest == lsn) return status;
    return hf__audit_broken(audit, HF_LAW_R2,
                            "registration %" PRIu64 " lives, and its worker is another", lsn);
}

static hf_status check_worker(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_registration registration = { .lsn = 0 };
    uint64_t lsn = 0;
    hf_status status = hf_worker_find(audit->tables, row->key, &lsn, audit->error);
    if (status == HF_OK) {
        status = hf_registration_get(audit->tables, lsn, &registration, audit->error);
        status = hf__audit_there(audit, HF_LAW_R2, status, "registration", lsn);
    }
    if (status != HF_OK) return status;
    if (registration.ended_reason == 0 && hf_slice_equal(registration.worker_id, row->key)) {
        return HF_OK;
    }
    return hf__audit_broken(audit, HF_LAW_R2, "a worker points to registration %" PRIu64, lsn);
}

static hf_status check_tag(struct hf__audit *audit, const struct hf_table_row *row)
{
    uint64_t number = 0, next = 0;
    hf_slice name = HF_EMPTY;
    hf_status status = hf_tag_find(audit->tables, row->key, &number, audit->error);
    if (status == HF_OK) status = hf_tag_name(audit->tables, number, &name, audit->error);
    if (status == HF_OK) {
        status = hf_meta_get_number(audit->tables, "next_tag", &next, audit->error);
    }
    status = hf__audit_there(audit, HF_LAW_X2, status, "name of tag", number);
    if (status != HF_OK) return status;
    if (hf_slice_equal(name, row->key) && number < next) return HF_OK;
    return hf__audit_broken(audit, HF_LAW_X2, "tag %" PRIu64 " has another name or number", number);
}

static hf_status check_tag_name(struct hf__audit *audit, const struct hf_table_row *row)
{
    uint64_t number = 0;
    if (row->key.size != 4) return hf__row_damaged(audit->table, audit->error);
    hf_status status = hf_tag_find(audit->tables, row->value, &number, audit->error);
    status = hf__audit_there(audit, HF_LAW_X2, status, "tag", hf_get_be32(row->key.data));
    if (status != HF_OK || number == hf_get_be32(row->key.data)) return status;
    return hf__audit_broken(audit, HF_LAW_X2, "the name of tag %" PRIu32 " is another's",
                            hf_get_be32(row->key.data));
}

/* Whether the number was given to an instance, which may be deleted since. */
static hf_status was_instance(struct hf__audit *audit, uint64_t number, bool *out_was)
{
    uint64_t next = 0;
    hf_status status = hf_instance_number_next(audit->tables, &next, audit->error);
    *out_was = number > 0 && number < next;
    return status;
}

static hf_status check_command_key(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_row_command_key command;
    bool was = false;
    hf_status status = hf_command_key_find(audit->tables, row->key, &command, audit->error);
    if (status == HF_OK) status = was_instance(audit, command.instance, &was);
    if (status != HF_OK || was) return status;
    return hf__audit_broken(audit, HF_LAW_H10, "a key names instance %" PRIu64 ", which never was",
                            command.instance);
}

static hf_status check_reclaim(struct hf__audit *audit, const struct hf_table_row *row)
{
    struct hf_reclaim_place place;
    struct hf_row_registration registration = { .lsn = 0 };
    struct hf_row_instance instance = { .number = 0 };
    struct hf_row_session session;
    bool fits = false;
    hf_status status = HF_OK;
    if (!hf_key_read_reclaim(row->key, &place)) return hf__row_damaged(audit->table, audit->error);
    if (place.kind == HF_RECLAIM_REGISTRATION) {
        status = hf_registration_get(audit->tables, place.number, &registration, audit->error);
        fits = status == HF_OK && registration.ended_reason != 0;
    } else if (place.kind == HF_RECLAIM_INSTANCE) {
        status = hf_instance_get(audit->tables, place.number, &instance, audit->error);
        fits = status == HF_OK && hf_instance_has_ended(&instance);
        if (status == HF_NOT_FOUND) status = was_instance(audit, place.number, &fits);
    } else if (place.kind == HF_RECLAIM_SESSION) {
        struct hf_session_id id = { place.number, place.incarnation };
        status = hf_session_get(audit->tables, &id, &session, audit->error);
        fits = status == HF_NOT_FOUND;
    }
    if (fits) return HF_OK;
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    return hf__audit_broken(audit, HF_LAW_X7, "%" PRIu64 " of kind %" PRIu64 " has not ended",
                            place.number, place.kind);
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct audit_table {
    enum hf_table table;
    hf_status (*check)(struct hf__audit *audit, const struct hf_table_row *row);
};

static hf_status audit_walk(struct hf__audit *audit, const struct audit_table *rule)
{
    struct hf_table_cursor cursor;
    struct hf_table_row row;
    struct hf_arena_mark mark = hf_arena_mark(audit->tables->arena);
    audit->table = rule->table;
    hf_status status = hf_table_cursor_init(&cursor, audit->tables, rule->table, audit->error);
    if (status == HF_OK) {
        status = hf_table_cursor_seek(&cursor, (hf_slice)HF_EMPTY, &row, audit->error);
    }
    while (status == HF_OK) {
        status = rule->check(audit, &row);
        hf_assert(status != HF_NOT_FOUND);
        hf_arena_reset_to(audit->tables->arena, mark);
        if (status != HF_OK) break;
        status = hf_table_cursor_next(&cursor, &row, audit->error);
        if (status == HF_NOT_FOUND) break;
    }
    hf_table_cursor_release(&cursor);
    return status == HF_NOT_FOUND ? HF_OK : status;
}

hf_status hf_audit_indexes(struct hf_tables *tables, hf_error *error)
{
    static const struct audit_table rules[] = {
        { HF_TABLE_INSTANCES, hf__audit_check_instance },
        { HF_TABLE_INSTANCE_IDS, hf__audit_check_instance_id },
        { HF_TABLE_HISTORY, hf__audit_check_history },
        { HF_TABLE_INBOX, hf__audit_check_inbox },
        { HF_TABLE_TURNS_DUE, hf__audit_check_turn_due },
        { HF_TABLE_ITEMS, hf__audit_check_item },
        { HF_TABLE_ITEMS_READY, hf__audit_check_item_ready },
        { HF_TABLE_ITEMS_RUNNING, hf__audit_check_item_running },
        { HF_TABLE_SESSIONS, hf__audit_check_session },
        { HF_TABLE_SESSION_ITEMS, hf__audit_check_session_item },
        { HF_TABLE_SESSIONS_READY, hf__audit_check_session_ready },
        { HF_TABLE_SESSIONS_OWNED, hf__audit_check_session_owned },
        { HF_TABLE_TIMERS, hf__audit_check_timer },
        { HF_TABLE_TIMERS_BY_ID, hf__audit_check_timer_by_id },
        { HF_TABLE_CHILDREN, hf__audit_check_child },
        { HF_TABLE_KV, hf__audit_check_value },
        { HF_TABLE_DEAD_LETTERS, hf__audit_check_dead_letter },
        { HF_TABLE_FAMILIES, hf__audit_check_family },
        { HF_TABLE_REGISTRATIONS, check_registration },
        { HF_TABLE_WORKERS, check_worker },
        { HF_TABLE_TAGS, check_tag },
        { HF_TABLE_TAG_NAMES, check_tag_name },
        { HF_TABLE_COMMAND_KEYS, check_command_key },
        { HF_TABLE_RECLAIM, check_reclaim },
    };
    struct hf__audit audit = { .tables = tables, .error = error };
    hf_assert(tables->arena);
    for (size_t i = 0; i < HF_COUNT_OF(rules); i++) {
        hf_assert(hf_table_class(rules[i].table) == HF_TABLE_CLASS_HARD);
        hf_status status = audit_walk(&audit, &rules[i]);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}
