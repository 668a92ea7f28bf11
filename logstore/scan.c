/* The walk over the log, record by record. It proves each, and that none is missing: counters are
 * dense, also across generations, and only generation_raised changes the generation. */
#include "logstore/scan.h"

#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/law.h"
#include "indexes/rows.h"
#include "logstore/identity.h"

/* Where a walk stands. */
struct log_walk {
    const struct hf__log_range *range;
    uint64_t expected; /* the LSN that comes next; 0: whatever is first */
    void *self;
    hf_log_visit_fn visit;
};

static hf_status walk_damage(struct log_walk *walk, const hf_error *damage)
{
    struct hf_log_visit visit = { .record = { .lsn = damage->lsn }, .damage = damage };
    hf_assert(damage->status == HF_CORRUPT);
    return walk->visit(walk->self, &visit);
}

/* Tells of the LSNs that should stand before `found`. */
static hf_status walk_gap(struct log_walk *walk, uint64_t found)
{
    hf_error damage = { 0 };
    if (walk->expected == 0 || hf_lsn_counter(walk->expected) == hf_lsn_counter(found)) {
        return HF_OK;
    }
    if (hf_lsn_counter(found) < hf_lsn_counter(walk->expected)) {
        hf_error_corrupt(&damage, found, "the counter of this LSN was there before");
    } else {
        uint64_t count = hf_lsn_counter(found) - hf_lsn_counter(walk->expected);
        hf_error_corrupt(&damage, walk->expected, "%llu %s missing from here on",
                         (unsigned long long)count, count == 1 ? "record is" : "records are");
    }
    (void)hf_law_broken(&damage, HF_LAW_L1, HF_CORRUPT);
    return walk_damage(walk, &damage);
}

/* The body of a record that is the log's own affair. */
static hf_status own_body(const struct log_walk *walk, const struct hf_log_record *record,
                          union hf_record_body *out_body, hf_error *damage)
{
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)record->kind);
    hf_status status = hf_decode(layout, record->body, walk->range->tables->arena, out_body,
                                 damage);
    return status == HF_OK ? HF_OK : hf_law_broken(damage, HF_LAW_L6, status);
}

/* A generation is raised by the record that says so, and only by that. */
static hf_status generation_check(const struct log_walk *walk, const struct hf_log_record *record,
                                  hf_error *damage)
{
    union hf_record_body body;
    uint64_t generation = hf_lsn_generation(record->lsn);
    bool is_raised = record->kind == HF_RECORD_GENERATION_RAISED;
    if (walk->expected == 0) return HF_OK;
    bool is_same = generation == hf_lsn_generation(walk->expected);
    if (is_same && !is_raised) return HF_OK;
    hf_status status = is_raised ? own_body(walk, record, &body, damage) : HF_OK;
    if (status != HF_OK) return status;
    if (is_raised && body.generation_raised.generation == generation &&
        generation > hf_lsn_generation(walk->expected)) {
        return HF_OK;
    }
    return hf_law_broken(damage, HF_LAW_T1,
                         hf_error_corrupt(damage, record->lsn,
                                          is_raised ? "it does not raise the generation as it says"
                                                    : "its generation was raised by no record"));
}

/* The first record, and no other, says whose log it is. */
static hf_status identity_check(const struct log_walk *walk, const struct hf_log_record *record,
                                hf_error *damage)
{
    union hf_record_body body;
    bool is_identity = record->kind == HF_RECORD_STORE_CREATED;
    if (!is_identity && record->lsn != 1) return HF_OK;
    hf_status status = is_identity ? own_body(walk, record, &body, damage) : HF_OK;
    if (status != HF_OK) return status;
    hf_slice id = hf_bytes(walk->range->id->bytes, sizeof walk->range->id->bytes);
    if (is_identity && record->lsn == 1 && hf_slice_equal(body.store_created.store_id, id)) {
        return HF_OK;
    }
    return hf_law_broken(damage, HF_LAW_L4,
                         hf_error_corrupt(damage, record->lsn,
                                          "the log begins with who the store is, and says so "
                                          "nowhere else"));
}

static hf_status walk_record(struct log_walk *walk, uint64_t lsn, hf_error *error)
{
    hf_error damage = { 0 };
    struct hf_log_visit visit = { 0 };
    const struct hf__log_range *range = walk->range;
    hf_status status = hf_log_read(range->tables, range->id, lsn, &visit.record, &damage);
    if (status == HF_NOT_FOUND) {
        status = hf_error_corrupt(&damage, lsn, "a walk finds this key, and a search does not");
        status = hf_law_broken(&damage, HF_LAW_P1, status);
    }
    if (status == HF_OK) status = generation_check(walk, &visit.record, &damage);
    if (status == HF_OK) status = identity_check(walk, &visit.record, &damage);
    if (status == HF_CORRUPT) {
        damage.lsn = lsn;
        return walk_damage(walk, &damage);
    }
    if (status != HF_OK) {
        if (error) *error = damage;
        return status;
    }
    return walk->visit(walk->self, &visit);
}

/* Goes on behind a record. HF_NOT_FOUND: it has the last LSN that there can be, and a damaged table
 * may hold a key of it. */
static hf_status walk_behind(struct log_walk *walk, uint64_t *lsn)
{
    if (*lsn == UINT64_MAX) return HF_NOT_FOUND;
    *lsn += 1;
    walk->expected = *lsn;
    return HF_OK;
}

/* Finds the first record at or above *lsn. A record that lacks its first part is damage, told here;
 * then the walk goes on behind it. When the table itself is damaged the walk ends. */
static hf_status walk_seek(struct log_walk *walk, uint64_t *lsn, hf_error *error)
{
    for (;;) {
        hf_error damage = { 0 };
        hf_status status = hf_log_seek(walk->range->tables, lsn, &damage);
        bool is_lost = status == HF_CORRUPT && damage.lsn == 0;
        if (is_lost) damage.lsn = *lsn;
        if (status != HF_CORRUPT || is_lost) {
            if (status != HF_OK && status != HF_NOT_FOUND && error) *error = damage;
            return status;
        }
        hf_assert(damage.lsn >= *lsn);
        status = walk_gap(walk, damage.lsn);
        if (status == HF_OK) status = walk_damage(walk, &damage);
        *lsn = damage.lsn;
        if (status == HF_OK) status = walk_behind(walk, lsn);
        if (status != HF_OK) return status;
    }
}

hf_status hf__log_walk(const struct hf__log_range *range, hf_error *error, void *self,
                       hf_log_visit_fn visit)
{
    struct log_walk walk = { range, 0, self, visit };
    uint64_t lsn = range->from_lsn > 0 ? range->from_lsn : 1;
    hf_assert(range->tables->arena);
    if (range->from_lsn == 0) walk.expected = lsn;
    for (;;) {
        hf_arena_reset(range->tables->arena);
        hf_status status = walk_seek(&walk, &lsn, error);
        if (status == HF_NOT_FOUND) break;
        if (status == HF_OK) status = walk_gap(&walk, lsn);
        if (status == HF_OK) status = walk_record(&walk, lsn, error);
        if (status != HF_OK) return status;
        if (walk_behind(&walk, &lsn) == HF_NOT_FOUND) break;
    }
    return range->end_lsn > 0 ? walk_gap(&walk, range->end_lsn) : HF_OK;
}

hf_status hf_log_scan(struct hf_backend *backend, uint64_t from_lsn, hf_error *error, void *self,
                      hf_log_visit_fn visit)
{
    struct hf__reader reader;
    struct hf_arena arena;
    struct hf__store *store = hf__store_of(backend);
    struct hf__log_range range = { .id = &store->identity.id, .from_lsn = from_lsn };
    hf_arena_init(&arena, store->heap);
    hf_status status = hf__reader_begin(store, &arena, &reader, error);
    if (status == HF_OK) {
        range.tables = &reader.tables;
        status = hf_meta_get_number(&reader.tables, HF__META_NEXT_LSN, &range.end_lsn, error);
        if (status == HF_OK || status == HF_NOT_FOUND) {
            status = hf__log_walk(&range, error, self, visit);
        }
        hf__reader_end(&reader);
    }
    hf_arena_release(&arena);
    return status;
}
