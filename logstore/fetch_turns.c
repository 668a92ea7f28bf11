/* Which turns a fetch locks: the heads of turns_due, one for each engine version in its range,
 * merged by arrival.
 *
 * Turns that are locked or held back stand in no queue. When their time has come, or their holder
 * has lost its right, they are put back into turns_due first, at their old place, where any fetch
 * of their version finds them: so foreign ones are looked at once, not by every fetch.
 *
 * A process that dies loses all turns in its hands, and which of them killed it nobody knows. One
 * whose process died twice is therefore a suspect: it is taken alone, by who has none, and until it
 * is given back its holder gets no other. Who has some gets nothing behind it: soon it will have
 * none. So only the guilty one is lost again and again. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "indexes/soft.h"
#include "logstore/fetch.h"
#include "logstore/lease.h"

/* The due turns of one engine version; in the order of versions. */
struct version {
    struct hf_turn_due head;
    bool has_head;
    struct version *next;
};

static hf_status no_memory(struct hf__step *step)
{
    return hf_error_set(step->error, HF_NO_MEMORY, "no memory to look for turns");
}

/* ---- the queues ------------------------------------------------------------------------------ */

/* Adds the first version at or above `from` that has due turns, if it is at most `last`. *out_next
 * is where to look on; above last: there is nothing more. */
static hf_status version_open(struct hf__step *step, struct version ***tail, uint64_t last,
                              uint64_t *from)
{
    struct hf_turn_due head = { .engine_version = *from };
    hf_status status = hf_turns_due_next(step->tables, &head, step->error);
    if (status == HF_NOT_FOUND || (status == HF_OK && head.engine_version > last)) {
        *from = last + 1;
        return HF_OK;
    }
    if (status != HF_OK) return status;
    hf_assert(head.engine_version >= *from);
    *from = head.engine_version + 1;
    struct version *version = hf_arena_new(step->arena, sizeof *version);
    if (!version) return no_memory(step);
    *version = (struct version){ .head = head, .has_head = true };
    **tail = version;
    *tail = &version->next;
    return HF_OK;
}

static hf_status versions_open(struct hf__step *step, const struct hf_store_fetch_turns *asked,
                               struct version **out_first)
{
    struct version **tail = out_first;
    uint64_t last = asked->engine_version_max;
    if (last > HF_KEY_PART_MAX) last = HF_KEY_PART_MAX;
    *out_first = NULL;
    if (asked->engine_version_min > last) return HF_OK;
    uint64_t from = 0; /* turns of instances that no version is noted for */
    hf_status status = version_open(step, &tail, 0, &from);
    if (from < asked->engine_version_min) from = asked->engine_version_min;
    while (status == HF_OK && from <= last) status = version_open(step, &tail, last, &from);
    return status;
}

static hf_status version_advance(struct hf__step *step, struct version *self)
{
    struct hf_turn_due place = self->head;
    hf_status status = hf_turns_due_next(step->tables, &place, step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    self->has_head = status == HF_OK && place.engine_version == self->head.engine_version;
    if (self->has_head) self->head = place;
    return HF_OK;
}

static struct version *versions_oldest(struct version *first)
{
    struct version *oldest = NULL;
    for (struct version *version = first; version; version = version->next) {
        if (!version->has_head) continue;
        if (!oldest || version->head.arrival_lsn < oldest->head.arrival_lsn) oldest = version;
    }
    return oldest;
}

/* What the registration has in its hands. */
struct hands {
    bool has_turns;
    bool has_suspect;
};

static bool is_suspect(const struct hf_row_instance *row)
{
    return row->turn_deaths >= HF_SUSPECT_DEATHS;
}

static hf_status hands_look(struct hf__step *step, uint64_t registration, struct hands *out_hands)
{
    struct hf_number_pair place = { .first = registration };
    struct hf_row_instance row;
    *out_hands = (struct hands){ .has_turns = false };
    hf_status status = hf_turn_locks_owned_next(step->tables, &place, step->error);
    if (status == HF_OK) status = hf_instance_get(step->tables, place.second, &row, step->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    out_hands->has_turns = true;
    out_hands->has_suspect = is_suspect(&row); /* then it is the only one */
    return HF_OK;
}

hf_status hf__fetch_turns_pick(struct hf__step *step, const struct hf_store_fetch_turns *asked,
                               struct hf_row_instance **out_rows, size_t *out_count)
{
    struct version *versions;
    size_t count = 0;
    size_t count_max = asked->turns_max < HF_FETCH_MAX ? asked->turns_max : HF_FETCH_MAX;
    struct hf_row_instance *rows = hf_arena_array(step->arena, count_max, sizeof *rows);
    struct hands hands;
    if (!rows) return no_memory(step);
    hf_status status = hands_look(step, asked->registration, &hands);
    if (status == HF_OK) status = versions_open(step, asked, &versions);
    if (status == HF_OK && hands.has_suspect) count_max = 0;
    while (status == HF_OK && count < count_max) {
        struct version *version = versions_oldest(versions);
        if (!version) break;
        uint64_t number = version->head.instance;
        status = hf_instance_get(step->tables, number, &rows[count], step->error);
        if (status == HF_NOT_FOUND) {
            return hf_error_corrupt(
                step->error, 0,
                "turns_due names instance %llu, which has no row: " HF__REBUILD_ADVICE,
                (unsigned long long)number);
        }
        if (status != HF_OK) break;
        bool is_alone = is_suspect(&rows[count]);
        if (is_alone && (hands.has_turns || count > 0)) break;
        count++;
        if (is_alone) break;
        status = version_advance(step, version);
    }
    if (status != HF_OK) return status;
    *out_rows = rows;
    *out_count = count;
    return HF_OK;
}

/* ---- the freeing ----------------------------------------------------------------------------- */

static hf_status turn_release(struct hf__step *step, uint64_t number)
{
    struct hf_row_instance instance;
    hf_status status = hf_instance_get(step->tables, number, &instance, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    return status == HF_OK ? hf_turn_lock_release(step->tables, &instance, step->error) : status;
}

/* Holds stand by boot and time: behind the first of ours that is not over come those of other boots
 * alone. */
static hf_status held_free(struct hf__step *step, bool *found)
{
    struct hf_number_pair place = { 0 };
    size_t freed_count = 0;
    while (freed_count < HF_FETCH_MAX) {
        hf_status status = hf_turns_held_next(step->tables, &place, step->error);
        if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
        if (!hf__hold_is_over(step, place.first)) {
            place = (struct hf_number_pair){ hf__hold_last(step), UINT64_MAX };
            continue;
        }
        *found = true;
        if (step->is_read) return HF_OK;
        status = turn_release(step, place.second);
        if (status != HF_OK) return status;
        freed_count++;
    }
    return HF_OK;
}

static hf_status owner_free(struct hf__step *step, uint64_t owner, bool *found)
{
    struct hf_number_pair place = { .first = owner };
    for (size_t freed_count = 0; freed_count < HF_FETCH_MAX; freed_count++) {
        hf_status status = hf_turn_locks_owned_next(step->tables, &place, step->error);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status != HF_OK) return status;
        *found = true;
        if (step->is_read) return HF_OK;
        status = turn_release(step, place.second);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

hf_status hf__fetch_turns_free(struct hf__step *step, uint64_t registration, bool *out_found)
{
    uint64_t owner = 0;
    *out_found = false;
    hf_status status = held_free(step, out_found);
    while (status == HF_OK) {
        status = hf_turn_lock_owner_next(step->tables, owner, &owner, step->error);
        if (status != HF_OK) break;
        if (owner == registration) continue; /* its own threads end what they have begun */
        struct hf__holder holder;
        status = hf__holder_get(step, owner, &holder);
        if (status == HF_OK && holder.items_passed) status = owner_free(step, owner, out_found);
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}
