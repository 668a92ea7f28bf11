/* The model of session_model.h, written from the contract: spec "Activity sessions", and the order
 * in which reasons are looked for (engine/store.h, logstore/token.h). */
#include "tests/conformance/session_model.h"

#include "engine/base/assert.h"
#include "engine/store.h"

void model_init(struct model *self)
{
    *self = (struct model){ .owner = MODEL_NONE,
                            .epoch = MODEL_NONE,
                            .former_owner = MODEL_NONE,
                            .waits_for = MODEL_NONE };
    for (int i = 0; i < MODEL_WORKERS; i++) model_register(self, i);
}

/* ---- small questions ------------------------------------------------------------------------- */

static bool is_live(const struct model_item *item)
{
    return item->state == MODEL_QUEUED || item->state == MODEL_RUNNING;
}

int model_count(const struct model *self, enum model_state state)
{
    int count = 0;
    for (int i = 0; i < self->items_count; i++) {
        if (self->items[i].incarnation == self->incarnation && self->items[i].state == state) {
            count++;
        }
    }
    return count;
}

static int worker_of(const struct model *self, int registration)
{
    for (int i = 0; i < MODEL_WORKERS; i++) {
        if (self->workers[i].registration == registration) return i;
    }
    return MODEL_NONE;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static const char *turn_code(const struct model *self)
{
    return self->is_gone ? "instance_ended" : NULL;
}

/* Ends every live item, of whatever incarnation: only one has any. */
static void items_end(struct model *self, enum model_state state)
{
    for (int i = 0; i < self->items_count; i++) {
        if (is_live(&self->items[i])) self->items[i].state = state;
    }
}

static void session_end(struct model *self)
{
    items_end(self, MODEL_PURGED);
    self->is_open = false;
    self->owner = self->epoch = MODEL_NONE;
}

const char *model_open(struct model *self)
{
    if (self->is_gone) return turn_code(self);
    if (!self->is_open) {
        self->is_open = true;
        self->incarnation++;
        self->former_owner = MODEL_NONE;
        self->former_reason = HF_REASON_FIRST;
    }
    hf_assert(self->items_count < MODEL_ITEMS_MAX);
    self->items[self->items_count++] = (struct model_item){ .state = MODEL_QUEUED,
                                                            .incarnation = self->incarnation,
                                                            .scheduled = self->deliveries };
    return NULL;
}

const char *model_close(struct model *self)
{
    if (!self->is_gone) session_end(self);
    return turn_code(self);
}

int model_cancellable(const struct model *self)
{
    for (int i = 0; i < self->items_count; i++) {
        if (self->items[i].state == MODEL_RUNNING) return i;
    }
    for (int i = 0; i < self->items_count; i++) {
        if (self->items[i].state == MODEL_QUEUED) return i;
    }
    return MODEL_NONE;
}

const char *model_cancel(struct model *self, int item)
{
    if (!self->is_gone && item != MODEL_NONE) self->items[item].state = MODEL_FINAL;
    return turn_code(self);
}

const char *model_continue(struct model *self)
{
    if (!self->is_gone) items_end(self, MODEL_FINAL);
    return turn_code(self);
}

const char *model_consume(struct model *self)
{
    if (!self->is_gone) self->inbox_count = 0;
    return turn_code(self);
}

const char *model_delete(struct model *self)
{
    if (self->is_gone) return hf_status_name(HF_NOT_FOUND);
    session_end(self);
    self->inbox_count = 0;
    self->is_gone = true;
    return NULL;
}

/* ---- claims and deliveries ------------------------------------------------------------------- */

/* The session loses its owner, and what ran goes back to the queue. */
static void session_disown(struct model *self, uint64_t reason)
{
    self->former_owner = self->owner;
    self->former_reason = reason;
    self->owner = MODEL_NONE;
    for (int i = 0; i < self->items_count; i++) {
        if (self->items[i].state != MODEL_RUNNING) continue;
        self->items[i].state = MODEL_QUEUED;
        if (reason == HF_REASON_DEAD) self->items[i].deaths++;
    }
}

/* The owner is the registration of that worker, or it may take the session from whoever has it. */
static bool may_serve(const struct model *self, int worker)
{
    if (!self->is_open) return false;
    if (self->owner == MODEL_NONE || self->owner == self->workers[worker].registration) return true;
    if (self->is_dead[self->owner]) return self->waits_for == worker;
    return self->workers[worker_of(self, self->owner)].has_passed;
}

/* What its owner can be given: what is queued, and what it runs when its deadline has passed. */
static bool is_takeable(const struct model *self, int worker, const struct model_item *item)
{
    return item->state == MODEL_QUEUED ||
           (item->state == MODEL_RUNNING && self->workers[worker].has_passed);
}

/* A suspect is given to one who runs nothing, and nothing beside it. */
static bool is_suspect(const struct model_item *item)
{
    return item->deaths >= HF_SUSPECT_DEATHS;
}

static bool runs_a_suspect(const struct model *self)
{
    for (int i = 0; i < self->items_count; i++) {
        if (self->items[i].state == MODEL_RUNNING && is_suspect(&self->items[i])) return true;
    }
    return false;
}

static void item_give(struct model *self, int registration, int item, struct model_grant *grant)
{
    struct model_item *row = &self->items[item];
    hf_assert(self->tokens_count < MODEL_TOKENS_MAX);
    row->state = MODEL_RUNNING;
    row->delivery = self->deliveries;
    row->attempts++;
    self->tokens[self->tokens_count] = (struct model_token){ registration, item, row->delivery };
    *grant = (struct model_grant){ .item = item,
                                   .token = self->tokens_count++,
                                   .claim = MODEL_NONE,
                                   .is_older_than_claim = row->scheduled < self->epoch };
}

static void session_claim(struct model *self, int registration)
{
    hf_assert(self->claims_count < MODEL_CLAIMS_MAX);
    bool was_dead = self->owner != MODEL_NONE && self->is_dead[self->owner];
    if (self->owner != MODEL_NONE) {
        session_disown(self, was_dead ? HF_REASON_DEAD : HF_REASON_EXPIRED);
    }
    self->owner = registration;
    self->epoch = self->deliveries;
    self->claims[self->claims_count++] = (struct model_claim){ registration, self->incarnation,
                                                               self->epoch };
}

int model_fetch(struct model *self, int worker, int count_max, struct model_grant *out_grants)
{
    int registration = self->workers[worker].registration;
    bool claims = self->owner != registration;
    int count = 0;
    if (!may_serve(self, worker) || (!claims && runs_a_suspect(self))) return 0;
    if (model_count(self, MODEL_QUEUED) + (claims ? model_count(self, MODEL_RUNNING) : 0) == 0) {
        if (claims || !self->workers[worker].has_passed) return 0;
    }
    self->deliveries++;
    bool is_busy = !claims && model_count(self, MODEL_RUNNING) > 0;
    if (claims) session_claim(self, registration);
    for (int i = 0; i < self->items_count && count < count_max; i++) {
        struct model_item *item = &self->items[i];
        if (!is_takeable(self, worker, item) || item->delivery == self->deliveries) continue;
        if (is_suspect(item) && (is_busy || count > 0)) break;
        item_give(self, registration, i, &out_grants[count++]);
        if (is_suspect(item)) break;
    }
    if (claims) out_grants[0].claim = self->claims_count - 1;
    return count;
}

/* ---- what is presented ----------------------------------------------------------------------- */

const char *model_token_code(const struct model *self, int token)
{
    const struct model_token *given = &self->tokens[token];
    const struct model_item *item = &self->items[given->item];
    if (self->is_dead[given->registration]) return "registration_dead";
    if (self->is_gone) return "instance_ended";
    if (!self->is_open || item->incarnation != self->incarnation) return "session_closed";
    if (self->owner != given->registration || self->epoch > given->delivery) return "epoch";
    if (item->state == MODEL_FINAL) return "item_final";
    if (item->state != MODEL_RUNNING || item->delivery != given->delivery) return "superseded";
    return NULL;
}

const char *model_claim_code(const struct model *self, int claim)
{
    const struct model_claim *made = &self->claims[claim];
    if (self->is_dead[made->registration]) return "registration_dead";
    if (self->is_gone) return "instance_ended";
    if (!self->is_open || made->incarnation != self->incarnation) return "session_closed";
    if (self->owner != made->registration || self->epoch != made->epoch) return "epoch";
    return NULL;
}

const char *model_complete(struct model *self, int token)
{
    const char *code = model_token_code(self, token);
    if (code) return code;
    int item = self->tokens[token].item;
    self->items[item].state = MODEL_FINAL;
    self->inbox[self->inbox_count++] = item;
    return NULL;
}

const char *model_release(struct model *self, int claim)
{
    const char *code = model_claim_code(self, claim);
    if (code) return code;
    if (model_count(self, MODEL_RUNNING) > 0) return "running";
    if (model_count(self, MODEL_QUEUED) > 0) return "queued";
    session_disown(self, HF_REASON_RELEASED);
    return NULL;
}

/* ---- leases and lives ------------------------------------------------------------------------ */

void model_renew(struct model *self, int worker)
{
    self->workers[worker].has_passed = false;
}

void model_pass(struct model *self, int worker)
{
    self->workers[worker].has_passed = true;
}

void model_die(struct model *self, int worker, bool has_window)
{
    int registration = self->workers[worker].registration;
    self->is_dead[registration] = true;
    if (self->owner != registration) return;
    session_disown(self, HF_REASON_DEAD);
    if (!has_window) return;
    self->owner = registration;
    self->waits_for = worker;
}

void model_register(struct model *self, int worker)
{
    hf_assert(self->registrations < (int)HF_COUNT_OF(self->is_dead));
    self->workers[worker] = (struct model_worker){ .registration = self->registrations++ };
}
