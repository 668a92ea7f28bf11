/* Which items a fetch delivers: a merge of sources by arrival.
 *
 *   source    over which index                         gives
 *   ordinary  items_ready (tag)                        items without a session
 *   sessions  sessions_ready (owner or 0, tag, class)  sessions with ready work, by their oldest
 *   session   session_items (session, state)           the further items of one that is ours now
 *   running   items_running (registration, tag)        work of those whose deadline has passed
 *
 * Laws:
 *  1. The oldest head is taken next, then its source moves on. A session's head stands for its
 *     oldest item; taking it opens the session's own sources.
 *  2. A session that is not ours is claimed when its first item is taken, if there is room for one
 *     more. Of the claimable ones those that a dead registration of our own worker id still owns
 *     come first, then those of dead or stopped owners; only the first class that has any competes
 *     with the rest.
 *  3. An item of a session goes to the session's owner or its new claimant alone: when only the
 *     deadline for items has passed, the owner is given it again and nobody else is.
 *  4. A claim puts what ran in the session back into its queue (the fold does so), so all of it,
 *     the running items too, can be delivered in the same record.
 *  5. Nothing is written here.
 *  6. A suspect goes to a registration that runs nothing, alone, and nothing else while it runs.
 *     So that busy workers do not starve it, one of them makes way: it takes what is older, and
 *     then nothing until it runs nothing. A session's suspect is its owner's, so its owner makes
 *     way. For any other one registration at a time does, whoever meets it first, and says so in
 *     its lease; the others pass the suspect by, with its whole session if it is at the head of a
 *     claimable one. That note is soft and may be out of date: it counts only while its writer has
 *     its lease and its suspect waits. Who runs nothing does not ask for notes. */
#include "engine/base/assert.h"
#include "engine/base/status.h"
#include "indexes/queries.h"
#include "logstore/fetch.h"
#include "logstore/lease.h"
#include "logstore/token.h"

enum source_kind { SOURCE_ORDINARY = 1, SOURCE_SESSIONS, SOURCE_SESSION, SOURCE_RUNNING };

/* Which claimable sessions come first. */
enum claim_rank { CLAIM_RANK_RETURNED = 1, CLAIM_RANK_ORPHANED, CLAIM_RANK_OTHER, CLAIM_RANK_NONE };

/* What stands at the head of a source. */
struct head {
    struct hf_arrival arrival;
    struct hf_row_item item;       /* but for kind sessions */
    struct hf_row_session session; /* of session work; id.instance 0: ordinary */
    hf_slice instance_id, orchestration, version;
    bool must_claim; /* the session is not ours: taking this claims it */
};

struct source {
    enum source_kind kind;
    union {
        struct hf_ready_place ready;
        struct hf_session_ready_place sessions;
        struct hf_session_item_place session;
        struct hf_running_place running;
    } place;
    bool has_head;
    struct head head;
};

/* A registration, as this fetch sees it. */
struct peer {
    struct hf__holder holder;
    bool is_former_self; /* an ended one of our own worker id */
};

/* What is to be done with the oldest item. */
enum verdict { VERDICT_TAKE = 1, VERDICT_STOP, VERDICT_PASS_BY };

/* A fetch under way. */
struct fetch {
    struct hf__step *step;
    const struct hf_store_fetch_items *asked;
    hf_slice worker_id;
    struct peer *peers; /* all registrations, ours too */
    size_t peers_count;
    uint64_t *tags; /* numbers, each once; the first is 0: no tag */
    size_t tags_count;
    struct source *sources;
    size_t sources_count, sources_capacity;
    size_t items_max;
    uint64_t owned_count; /* sessions, with those claimed here */
    bool is_busy;         /* it runs something, or something is picked already */
    bool is_over;         /* nothing more may be picked */
    struct hf__picks picks;
};

static hf_status no_memory(struct fetch *self)
{
    return hf_error_set(self->step->error, HF_NO_MEMORY, "no memory for a fetch of %zu items",
                        self->items_max);
}

/* ---- who is there ---------------------------------------------------------------------------- */

/* What a registration that died left behind is its worker's at once, also in the reclaim window. */
static hf_status peer_load(struct fetch *self, const struct hf_row_registration *row,
                           struct peer *out_peer)
{
    hf_status status = hf__holder_get(self->step, row->lsn, &out_peer->holder);
    if (status != HF_OK || out_peer->holder.ended_reason == 0) return status;
    out_peer->is_former_self = hf_slice_equal(row->worker_id, self->worker_id);
    if (out_peer->is_former_self) out_peer->holder.sessions_passed = true;
    return HF_OK;
}

static hf_status peers_load(struct fetch *self)
{
    struct hf__step *step = self->step;
    uint64_t capacity;
    hf_status status = hf_table_count(step->tables, HF_TABLE_REGISTRATIONS, &capacity, step->error);
    if (status != HF_OK) return status;
    self->peers = hf_arena_array(step->arena, (size_t)capacity, sizeof *self->peers);
    if (!self->peers) return no_memory(self);
    struct hf_row_registration row = { .lsn = 0 };
    while ((status = hf_registration_next(step->tables, row.lsn, &row, step->error)) == HF_OK) {
        hf_assert(self->peers_count < capacity);
        status = peer_load(self, &row, &self->peers[self->peers_count++]);
        if (status != HF_OK) return status;
    }
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* The registration of that number; one without a row has ended and has nothing left. */
static struct peer peer_of(const struct fetch *self, uint64_t registration)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i].holder.registration == registration) return self->peers[i];
    }
    return (struct peer){ .holder = { .registration = registration,
                                      .ended_reason = HF_REASON_DEAD,
                                      .items_passed = true,
                                      .sessions_passed = true } };
}

static struct hf__holder holder_of(const struct fetch *self, uint64_t registration)
{
    return peer_of(self, registration).holder;
}

static uint64_t holder_reason(const struct fetch *self, const struct hf__holder *holder)
{
    if (holder->ended_reason != 0) return holder->ended_reason;
    return holder->registration == self->asked->registration ? HF_REASON_OWN : HF_REASON_EXPIRED;
}

static hf_status tags_load(struct fetch *self)
{
    const struct hf_store_fetch_items *asked = self->asked;
    self->tags = hf_arena_array(self->step->arena, asked->tags_count + 1, sizeof *self->tags);
    if (!self->tags) return no_memory(self);
    self->tags[self->tags_count++] = 0;
    for (size_t i = 0; i < asked->tags_count; i++) {
        uint64_t number;
        hf_status status = hf_tag_find(self->step->tables, asked->tags[i], &number,
                                       self->step->error);
        if (status == HF_NOT_FOUND) continue; /* no work ever had it */
        if (status != HF_OK) return status;
        bool is_known = false;
        for (size_t j = 0; j < self->tags_count; j++) {
            if (self->tags[j] == number) is_known = true;
        }
        if (!is_known) self->tags[self->tags_count++] = number;
    }
    return HF_OK;
}

/* ---- what may be claimed --------------------------------------------------------------------- */

static bool has_room(const struct fetch *self)
{
    const struct hf_store_fetch_items *asked = self->asked;
    return !asked->no_sessions && !asked->sessions_only_owned &&
           self->owned_count < asked->sessions_max;
}

static bool has_claimed(const struct fetch *self, const struct hf_session_id *id)
{
    for (size_t i = 0; i < self->picks.claims_count; i++) {
        const struct hf_claimed_session *claim = &self->picks.claims[i];
        if (claim->instance == id->instance && claim->incarnation == id->incarnation) return true;
    }
    return false;
}

/* Law 3. Whether a session is ours, or free to be claimed by whoever has room. */
static bool session_is_open_to_us(const struct fetch *self, const struct hf_row_session *session)
{
    if (session->owner == self->asked->registration || session->owner == 0) return true;
    return holder_of(self, session->owner).sessions_passed;
}

static enum claim_rank session_rank(const struct fetch *self, const struct hf_row_session *session)
{
    if (session->owner == 0) {
        return hf_session_is_orphaned(session) ? CLAIM_RANK_ORPHANED : CLAIM_RANK_OTHER;
    }
    struct peer owner = peer_of(self, session->owner);
    if (owner.is_former_self) return CLAIM_RANK_RETURNED;
    return owner.holder.ended_reason != 0 ? CLAIM_RANK_ORPHANED : CLAIM_RANK_OTHER;
}

/* Reads what a head needs of its instance and session. *out_usable false: it is dead, or nothing
 * for us. */
static hf_status head_complete(struct fetch *self, struct head *head,
                               const struct hf_session_id *session, bool *out_usable)
{
    struct hf__step *step = self->step;
    struct hf_row_instance instance;
    *out_usable = false;
    uint64_t number = session->incarnation ? session->instance : head->item.id.instance;
    hf_status status = hf_instance_get(step->tables, number, &instance, step->error);
    if (status == HF_NOT_FOUND) return HF_OK;
    if (status != HF_OK || hf_instance_has_ended(&instance)) return status;
    head->instance_id = instance.id;
    head->orchestration = instance.orchestration;
    head->version = instance.version;
    head->must_claim = false;
    head->session = (struct hf_row_session){ .id = { 0 } };
    *out_usable = true;
    if (session->incarnation == 0) return HF_OK;
    status = hf_session_get(step->tables, session, &head->session, step->error);
    if (status != HF_OK) *out_usable = false;
    if (status == HF_NOT_FOUND) return HF_OK; /* closed */
    if (status != HF_OK) return status;
    *out_usable = !self->asked->no_sessions && session_is_open_to_us(self, &head->session);
    head->must_claim = head->session.owner != self->asked->registration;
    return HF_OK;
}

/* ---- sources --------------------------------------------------------------------------------- */

/* Reads the item that an index names as to be had. */
static hf_status head_read(struct fetch *self, struct head *head, const struct hf_item_id *id)
{
    hf_status status = hf_item_get(self->step->tables, id, &head->item, self->step->error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (status == HF_OK && head->item.state != HF_ITEM_DELAYED) return HF_OK;
    return hf_error_corrupt(
        self->step->error, 0, "an index names item %llu/%llu/%llu, which %s: " HF__REBUILD_ADVICE,
        (unsigned long long)id->instance, (unsigned long long)id->execution,
        (unsigned long long)id->event_id, status == HF_OK ? "waits for its time" : "has no row");
}

/* Moves the source's place to the next row, and says what it names: an item, or a session alone. */
static hf_status source_step(struct fetch *self, struct source *source,
                             struct hf_session_id *out_session)
{
    struct hf_tables *tables = self->step->tables;
    hf_error *error = self->step->error;
    struct hf_item_id id;
    hf_status status = HF_OK;
    *out_session = (struct hf_session_id){ 0 };
    switch (source->kind) {
    case SOURCE_SESSIONS:
        return hf_sessions_ready_next(tables, &source->place.sessions, out_session, error);
    case SOURCE_ORDINARY:
        status = hf_items_ready_next(tables, &source->place.ready, &id, error);
        break;
    case SOURCE_SESSION:
        status = hf_session_items_next(tables, &source->place.session, &id, error);
        break;
    case SOURCE_RUNNING:
        status = hf_items_running_next(tables, &source->place.running, &id, error);
        break;
    default: HF_UNREACHABLE("a source of no kind");
    }
    if (status != HF_OK) return status;
    status = head_read(self, &source->head, &id);
    if (status != HF_OK) return status;
    *out_session = (struct hf_session_id){ id.instance, source->head.item.incarnation };
    return HF_OK;
}

/* Whether the head waits for a claim that cannot be, or is there already. */
static bool head_is_stale(const struct fetch *self, const struct source *source)
{
    if (source->kind == SOURCE_SESSION || !source->head.must_claim) return false;
    return !has_room(self) || has_claimed(self, &source->head.session.id);
}

/* Moves on to the next head that can be used, if there is one. */
static hf_status source_advance(struct fetch *self, struct source *source)
{
    bool is_usable = false;
    source->has_head = false;
    while (!is_usable) {
        struct hf_session_id session;
        hf_status status = source_step(self, source, &session);
        if (status == HF_NOT_FOUND) return HF_OK;
        if (status != HF_OK) return status;
        status = head_complete(self, &source->head, &session, &is_usable);
        if (status != HF_OK) return status;
        if (is_usable && head_is_stale(self, source)) is_usable = false;
    }
    bool is_session_head = source->kind == SOURCE_SESSIONS;
    source->head.arrival = is_session_head ? source->place.sessions.arrival
                                           : source->head.item.arrival;
    source->has_head = true;
    return HF_OK;
}

static hf_status source_open(struct fetch *self, const struct source *source)
{
    hf_assert(self->sources_count < self->sources_capacity);
    struct source *added = &self->sources[self->sources_count++];
    *added = *source;
    return source_advance(self, added);
}

static hf_status sessions_open(struct fetch *self, const struct hf_session_ready_place *place)
{
    return source_open(
        self, &(struct source){ .kind = SOURCE_SESSIONS, .place = { .sessions = *place } });
}

/* What others hold of one tag and have lost the right to. */
static hf_status holder_open(struct fetch *self, const struct hf__holder *holder, uint64_t tag)
{
    hf_status status = HF_OK;
    uint64_t registration = holder->registration;
    bool is_us = registration == self->asked->registration;
    if (holder->items_passed) {
        struct source running = { .kind = SOURCE_RUNNING,
                                  .place = { .running = { registration, tag, { 0 } } } };
        status = source_open(self, &running);
    }
    if (status == HF_OK && holder->sessions_passed && !is_us && has_room(self)) {
        status = sessions_open(self, &(struct hf_session_ready_place){
                                         registration, tag, HF_SESSION_CLASS_OTHER, { 0 } });
    }
    return status;
}

static hf_status tag_open(struct fetch *self, uint64_t tag)
{
    struct source ordinary = { .kind = SOURCE_ORDINARY, .place = { .ready = { tag, { 0 } } } };
    hf_status status = source_open(self, &ordinary);
    for (size_t i = 0; i < self->peers_count && status == HF_OK; i++) {
        status = holder_open(self, &self->peers[i].holder, tag);
    }
    if (status != HF_OK || self->asked->no_sessions) return status;
    struct hf_session_ready_place place = { .owner = self->asked->registration,
                                            .tag = tag,
                                            .session_class = HF_SESSION_CLASS_OTHER };
    status = sessions_open(self, &place);
    if (status != HF_OK || !has_room(self)) return status;
    place.owner = 0;
    status = sessions_open(self, &place);
    place.session_class = HF_SESSION_CLASS_ORPHANED;
    return status == HF_OK ? sessions_open(self, &place) : status;
}

/* ---- choosing and taking --------------------------------------------------------------------- */

/* The class of a head that claims; of any other: none. */
static enum claim_rank source_rank(const struct fetch *self, const struct source *source)
{
    bool claims = source->kind != SOURCE_SESSION && source->head.must_claim;
    return claims ? session_rank(self, &source->head.session) : CLAIM_RANK_NONE;
}

/* Law 2: a head that claims competes only when no better class is there. */
static hf_status best_source(struct fetch *self, struct source **out_best)
{
    struct source *best = NULL;
    enum claim_rank best_rank = CLAIM_RANK_NONE;
    for (size_t i = 0; i < self->sources_count; i++) {
        struct source *source = &self->sources[i];
        if (source->has_head && head_is_stale(self, source)) {
            hf_status status = source_advance(self, source);
            if (status != HF_OK) return status;
        }
        if (!source->has_head) continue;
        enum claim_rank rank = source_rank(self, source);
        if (rank < best_rank) best_rank = rank;
    }
    for (size_t i = 0; i < self->sources_count; i++) {
        struct source *source = &self->sources[i];
        if (!source->has_head) continue;
        enum claim_rank rank = source_rank(self, source);
        if (rank != CLAIM_RANK_NONE && rank != best_rank) continue;
        if (!best || hf_arrival_compare(&source->head.arrival, &best->head.arrival) < 0) {
            best = source;
        }
    }
    *out_best = best;
    return HF_OK;
}

/* How the record tells of the item at the head. */
static struct hf_delivered_item delivered_of(const struct fetch *self,
                                             const struct hf_row_item *item)
{
    struct hf_delivered_item delivered = { .item = item->id };
    if (item->state == HF_ITEM_RUNNING) {
        struct hf__holder holder = holder_of(self, item->registration);
        delivered.from = holder.registration;
        delivered.reason = holder_reason(self, &holder);
        if (holder.ended_reason == 0) delivered.deadline_boot_ms = holder.items_deadline_boot_ms;
    } else if (item->attempts == 0) {
        delivered.reason = HF_REASON_FIRST;
    }
    return delivered;
}

/* How often its process died in an item, with the death that its delivery now counts. */
static uint64_t deaths_of(const struct fetch *self, const struct hf_row_item *item)
{
    if (item->state != HF_ITEM_RUNNING) return item->deaths;
    return item->deaths + (holder_of(self, item->registration).has_died ? 1 : 0);
}

static void pick_add(struct fetch *self, const struct head *head, bool is_claimed)
{
    self->is_busy = true;
    hf_assert(self->picks.items_count < self->items_max);
    hf_assert(head->item.state != HF_ITEM_DELAYED);
    self->picks.items[self->picks.items_count++] = (struct hf__pick){
        .item = head->item,
        .instance_id = head->instance_id,
        .orchestration = head->orchestration,
        .version = head->version,
        .session = head->session,
        .delivered = delivered_of(self, &head->item),
        .deaths = deaths_of(self, &head->item),
        .is_claimed = is_claimed,
    };
}

/* Whose a session was, and why it is not any more. */
static hf_status claim_describe(struct fetch *self, const struct hf_row_session *session,
                                struct hf_claimed_session *out_claim)
{
    *out_claim = (struct hf_claimed_session){ .instance = session->id.instance,
                                              .incarnation = session->id.incarnation,
                                              .reason = HF_REASON_FIRST };
    if (session->owner != 0) {
        struct hf__holder holder = holder_of(self, session->owner);
        out_claim->from = holder.registration;
        out_claim->reason = holder_reason(self, &holder);
        if (holder.ended_reason == 0) {
            out_claim->deadline_boot_ms = holder.sessions_deadline_boot_ms;
        }
        return HF_OK;
    }
    if (session->epoch == 0) return HF_OK;
    out_claim->reason = session->unowned_reason;
    return hf__delivered_to(self->step, session->epoch, &out_claim->from);
}

/* ---- law 6 ---------------------------------------------------------------------------------- */

/* Looks at the oldest of what the registration runs: a suspect would be alone. */
static hf_status busy_look(struct fetch *self)
{
    struct hf__step *step = self->step;
    struct hf_running_place place = { .registration = self->asked->registration };
    struct hf_item_id id;
    struct hf_row_item item;
    hf_status status = hf_items_running_any_next(step->tables, &place, &id, step->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    self->is_busy = true;
    status = hf_item_get(step->tables, &id, &item, step->error);
    if (status == HF_OK) self->is_over = item.deaths >= HF_SUSPECT_DEATHS;
    return status == HF_NOT_FOUND ? HF_OK : status;
}

/* Whether a suspect for which somebody once made way still waits for one who runs nothing. */
static hf_status suspect_waits(struct fetch *self, const struct hf_item_id *id, bool *out_waits)
{
    struct hf_row_item item;
    *out_waits = false;
    hf_status status = hf_item_get(self->step->tables, id, &item, self->step->error);
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    bool is_there = item.state == HF_ITEM_READY ||
                    (item.state == HF_ITEM_RUNNING &&
                     holder_of(self, item.registration).items_passed);
    *out_waits = is_there && deaths_of(self, &item) >= HF_SUSPECT_DEATHS;
    return HF_OK;
}

static hf_status way_is_made(struct fetch *self, bool *out_is)
{
    *out_is = false;
    for (size_t i = 0; i < self->peers_count && !*out_is; i++) {
        const struct hf__holder *holder = &self->peers[i].holder;
        if (holder->registration == self->asked->registration || holder->items_passed) continue;
        if (holder->makes_way_for.instance == 0) continue;
        hf_status status = suspect_waits(self, &holder->makes_way_for, out_is);
        if (status != HF_OK) return status;
    }
    return HF_OK;
}

/* What becomes of the oldest item; is_ours: of a session that only we may serve. */
static hf_status item_judge(struct fetch *self, const struct hf_row_item *item, bool is_ours,
                            enum verdict *out_verdict)
{
    bool is_made = false;
    *out_verdict = VERDICT_TAKE;
    if (deaths_of(self, item) < HF_SUSPECT_DEATHS) return HF_OK;
    if (self->is_busy && !is_ours) {
        hf_status status = way_is_made(self, &is_made);
        if (status != HF_OK) return status;
    }
    if (is_made) {
        *out_verdict = VERDICT_PASS_BY;
        return HF_OK;
    }
    self->is_over = true;
    if (!self->is_busy) return HF_OK;
    *out_verdict = VERDICT_STOP;
    if (!is_ours) self->picks.makes_way_for = item->id;
    return HF_OK;
}

/* Whether this fetch has taken what is younger than a suspect: it did not meet it then, or it would
 * have stopped. */
static hf_status has_gone_past(struct fetch *self, const struct hf_item_id *suspect, bool *out_has)
{
    struct hf_row_item item;
    hf_status status = hf_item_get(self->step->tables, suspect, &item, self->step->error);
    *out_has = status == HF_NOT_FOUND;
    if (status != HF_OK) return status == HF_NOT_FOUND ? HF_OK : status;
    for (size_t i = 0; i < self->picks.items_count; i++) {
        const struct hf_arrival *taken = &self->picks.items[i].item.arrival;
        if (hf_arrival_compare(taken, &item.arrival) > 0) *out_has = true;
    }
    return HF_OK;
}

/* Whether the lease says otherwise than what this fetch has found. One that picked all it may has
 * not looked far enough to know that nobody waits, unless it went past who is noted. */
static hf_status telling_judge(struct fetch *self)
{
    struct hf__holder us = holder_of(self, self->asked->registration);
    const struct hf_item_id *noted = &us.makes_way_for, *found = &self->picks.makes_way_for;
    if (hf_item_id_equal(noted, found)) return HF_OK;
    if (found->instance == 0 && !self->is_over && self->picks.items_count == self->items_max) {
        return has_gone_past(self, noted, &self->picks.must_tell);
    }
    self->picks.must_tell = true;
    return HF_OK;
}

/* ---- taking --------------------------------------------------------------------------------- */

/* Opens what a session has of one state. */
static hf_status session_open(struct fetch *self, const struct hf_session_id *id,
                              enum hf_item_state state)
{
    struct source source = { .kind = SOURCE_SESSION,
                             .place = { .session = { *id, state, { 0 } } } };
    return source_open(self, &source);
}

/* The oldest of the session's sources that were just opened, from `first` on. */
static struct source *session_oldest(struct fetch *self, size_t first)
{
    struct source *oldest = NULL;
    for (size_t i = first; i < self->sources_count; i++) {
        struct source *source = &self->sources[i];
        if (!source->has_head) continue;
        if (!oldest || hf_arrival_compare(&source->head.arrival, &oldest->head.arrival) < 0) {
            oldest = source;
        }
    }
    return oldest;
}

static hf_status session_claim(struct fetch *self, const struct hf_row_session *session,
                               struct hf__pick *pick)
{
    struct hf_claimed_session *claim = &self->picks.claims[self->picks.claims_count++];
    hf_assert(has_room(self) && self->picks.claims_count <= self->items_max);
    self->owned_count++;
    pick->first_in = claim;
    return claim_describe(self, session, claim);
}

/* Law 1: takes the oldest item of a session of which nothing was taken so far, and claims the
 * session if it is not ours. What runs in one that is claimed counts too (law 4). */
static hf_status session_take(struct fetch *self, const struct hf_row_session *session,
                              bool must_claim)
{
    enum verdict verdict;
    size_t first = self->sources_count;
    hf_status status = session_open(self, &session->id, HF_ITEM_READY);
    if (status == HF_OK && must_claim) status = session_open(self, &session->id, HF_ITEM_RUNNING);
    if (status != HF_OK) return status;
    struct source *oldest = session_oldest(self, first);
    if (!oldest) {
        return hf_error_corrupt(
            self->step->error, 0,
            "session %llu/%llu is listed with work and has none: " HF__REBUILD_ADVICE,
            (unsigned long long)session->id.instance, (unsigned long long)session->id.incarnation);
    }
    status = item_judge(self, &oldest->head.item, !must_claim, &verdict);
    if (status != HF_OK) return status;
    if (verdict != VERDICT_TAKE) {
        self->sources_count = first;
        return HF_OK;
    }
    pick_add(self, &oldest->head, must_claim);
    if (must_claim) {
        status = session_claim(self, session, &self->picks.items[self->picks.items_count - 1]);
    }
    return status == HF_OK ? source_advance(self, oldest) : status;
}

static hf_status item_take(struct fetch *self, const struct head *head)
{
    enum verdict verdict;
    hf_status status = item_judge(self, &head->item, head->item.incarnation != 0, &verdict);
    if (status != HF_OK || verdict != VERDICT_TAKE) return status;
    pick_add(self, head, head->item.incarnation != 0 && has_claimed(self, &head->session.id));
    return HF_OK;
}

/* Takes what stands at the head of a source, or leaves it, and moves the source on. */
static hf_status source_take(struct fetch *self, struct source *source)
{
    struct head head = source->head;
    bool must_claim = source->kind != SOURCE_SESSION && head.must_claim;
    hf_status status = must_claim || source->kind == SOURCE_SESSIONS
                           ? session_take(self, &head.session, must_claim)
                           : item_take(self, &head);
    return status == HF_OK && !self->is_over ? source_advance(self, source) : status;
}

/* ---- the fetch ------------------------------------------------------------------------------- */

static hf_status fetch_reserve(struct fetch *self)
{
    struct hf_arena *arena = self->step->arena;
    /* A tag opens four sources and two a registration; an item that is taken opens at most two, and
     * so does one that is looked at and left. */
    self->sources_capacity = self->tags_count * (4 + 2 * self->peers_count) +
                             2 * (self->items_max + 1);
    self->sources = hf_arena_array(arena, self->sources_capacity, sizeof *self->sources);
    self->picks.items = hf_arena_array(arena, self->items_max, sizeof *self->picks.items);
    self->picks.claims = hf_arena_array(arena, self->items_max, sizeof *self->picks.claims);
    return self->sources && self->picks.items && self->picks.claims ? HF_OK : no_memory(self);
}

static hf_status fetch_run(struct fetch *self)
{
    hf_status status = busy_look(self);
    if (status != HF_OK || self->is_over) return status;
    status = peers_load(self);
    if (status == HF_OK) status = tags_load(self);
    if (status == HF_OK) status = fetch_reserve(self);
    for (size_t i = 0; i < self->tags_count && status == HF_OK; i++) {
        status = tag_open(self, self->tags[i]);
    }
    while (status == HF_OK && !self->is_over && self->picks.items_count < self->items_max) {
        struct source *source;
        status = best_source(self, &source);
        if (status != HF_OK || !source) break;
        status = source_take(self, source);
    }
    return status == HF_OK ? telling_judge(self) : status;
}

hf_status hf__fetch_items_pick(struct hf__step *step, const struct hf_store_fetch_items *asked,
                               const struct hf_row_registration *self, struct hf__picks *out_picks)
{
    hf_assert(self->lsn == asked->registration && self->ended_reason == 0);
    struct fetch fetch = { .step = step,
                           .asked = asked,
                           .worker_id = self->worker_id,
                           .items_max = asked->items_max < HF_FETCH_MAX ? asked->items_max
                                                                        : HF_FETCH_MAX,
                           .owned_count = self->sessions_count };
    hf_status status = fetch.items_max > 0 ? fetch_run(&fetch) : HF_OK;
    if (status == HF_OK) *out_picks = fetch.picks;
    return status;
}
