/* The table of claims. It knows nothing of the store: who holds what is decided there, and told
 * here. Laws:
 *
 *   1. A claim is in its bucket from being learned until it dies; it dies when it is forgotten, no
 *      function runs in it and every delivery under it has ended.
 *   2. The destructor runs once, behind all functions of the claim; whoever was second with
 *      hf_session_memory_set destroyed its own memory.
 *   3. At most one claim of a session is not forgotten: the newest.
 *   4. The list of idle claims is in the order of their times, and those that no look has timed yet
 *      are its end. */
#include "runtime/claims.h"

#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/heap.h"

void hf__claims_init(struct hf__claims *self, const hf_allocator *heap)
{
    *self = (struct hf__claims){ .heap = heap };
}

void hf__claims_release(struct hf__claims *self)
{
    hf_assert(self->owned_count == 0);
    hf_assert(self->forgotten_count == 0);
    hf_assert(self->dying_count == 0);
    hf_assert(!self->idle_first && !self->news_first);
    for (size_t i = 0; i < HF__CLAIM_BUCKETS; i++) hf_assert(!self->buckets[i]);
}

/* ---- idle claims ---------------------------------------------------------------------------- */

static void idle_add_last(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(!claim->idle_next && !claim->idle_previous && self->idle_last != claim);
    claim->idle_previous = self->idle_last;
    claim->idle_next = NULL;
    if (self->idle_last) self->idle_last->idle_next = claim;
    if (!self->idle_last) self->idle_first = claim;
    self->idle_last = claim;
}

static void idle_add_first(struct hf__claims *self, struct hf__claim *claim)
{
    claim->idle_previous = NULL;
    claim->idle_next = self->idle_first;
    if (self->idle_first) self->idle_first->idle_previous = claim;
    if (!self->idle_first) self->idle_last = claim;
    self->idle_first = claim;
}

static void idle_remove(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->idle_previous || self->idle_first == claim);
    hf_assert(claim->idle_next || self->idle_last == claim);
    if (claim->idle_previous) claim->idle_previous->idle_next = claim->idle_next;
    if (!claim->idle_previous) self->idle_first = claim->idle_next;
    if (claim->idle_next) claim->idle_next->idle_previous = claim->idle_previous;
    if (!claim->idle_next) self->idle_last = claim->idle_previous;
    claim->idle_next = claim->idle_previous = NULL;
}

/* Puts it where it belongs after a change: among the idle ones, as the newest, or not. */
static void idle_review(struct hf__claims *self, struct hf__claim *claim)
{
    bool is_idle = !claim->is_forgotten && !claim->is_releasing && claim->items_count == 0 &&
                   claim->functions_count == 0;
    if (is_idle == claim->is_idle) return;
    claim->is_idle = is_idle;
    if (is_idle) {
        claim->is_idle_timed = false;
        idle_add_last(self, claim);
    } else {
        idle_remove(self, claim);
    }
}

void hf__claims_release_begun(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(!claim->is_releasing && !claim->is_forgotten);
    claim->is_releasing = true;
    idle_review(self, claim);
}

void hf__claims_release_failed(struct hf__claims *self, struct hf__claim *claim, bool is_anew)
{
    hf_assert(claim->is_releasing && !claim->is_forgotten);
    bool was_timed = claim->is_idle_timed;
    claim->is_releasing = false;
    idle_review(self, claim);
    if (!claim->is_idle || is_anew || !was_timed) return;
    /* Only the longest idle ones are released: it was the first of the list, and is again. */
    idle_remove(self, claim);
    idle_add_first(self, claim);
    claim->is_idle_timed = true;
}

bool hf__claims_are_newly_idle(const struct hf__claims *self)
{
    return self->idle_last && !self->idle_last->is_idle_timed;
}

void hf__claims_look_idle(struct hf__claims *self, uint64_t now_boot_ms)
{
    struct hf__claim *claim = self->idle_last;
    for (; claim && !claim->is_idle_timed; claim = claim->idle_previous) {
        hf_assert(claim->is_idle);
        claim->is_idle_timed = true;
        claim->idle_from_boot_ms = now_boot_ms;
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

static size_t bucket_of(const struct hf_session_claim *key)
{
    return (size_t)(key->instance * 31 + key->incarnation) % HF__CLAIM_BUCKETS;
}

static bool same_session(const struct hf_session_claim *a, const struct hf_session_claim *b)
{
    return a->instance == b->instance && a->incarnation == b->incarnation;
}

struct hf__claim *hf__claims_find(struct hf__claims *self, const struct hf_session_claim *key)
{
    struct hf__claim *claim = self->buckets[bucket_of(key)];
    while (claim && (claim->is_forgotten || claim->key.epoch != key->epoch ||
                     !same_session(&claim->key, key))) {
        claim = claim->next;
    }
    return claim;
}

struct hf__claim *hf__claims_next(struct hf__claims *self, const struct hf__claim *after)
{
    size_t bucket = after ? bucket_of(&after->key) : 0;
    struct hf__claim *claim = after ? after->next : self->buckets[0];
    for (;;) {
        while (claim && claim->is_forgotten) claim = claim->next;
        if (claim) return claim;
        if (++bucket == HF__CLAIM_BUCKETS) return NULL;
        claim = self->buckets[bucket];
    }
}

static struct hf_session_claim key_of(const struct hf_item_grant *grant)
{
    return (struct hf_session_claim){ .instance = grant->token.item.instance,
                                      .incarnation = grant->incarnation,
                                      .epoch = grant->epoch };
}

/* Copies bytes and a NUL to *to, which moves on behind them. */
static const char *copy_text(char **to, hf_slice text)
{
    char *copy = *to;
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *to += text.size + 1;
    return copy;
}

static struct hf__claim *claim_new(struct hf__claims *self, const struct hf_item_grant *grant)
{
    enum { TEXTS = 5 };
    size_t size = sizeof(struct hf__claim) + grant->instance_id.size + grant->session_id.size +
                  grant->tag.size + grant->from_worker.size + grant->session_body.size + TEXTS;
    struct hf__claim *claim = hf_heap_new(self->heap, size);
    if (!claim) return NULL;
    char *text = (char *)(claim + 1);
    claim->key = key_of(grant);
    claim->size = size;
    claim->instance = copy_text(&text, grant->instance_id);
    claim->session = copy_text(&text, grant->session_id);
    claim->tag = copy_text(&text, grant->tag);
    if (grant->tag.size == 0) claim->tag = NULL;
    claim->from = copy_text(&text, grant->from_worker);
    claim->opening = hf_bytes(copy_text(&text, grant->session_body), grant->session_body.size);
    return claim;
}

struct hf__claim *hf__claims_find_older(struct hf__claims *self, const struct hf_item_grant *grant)
{
    const struct hf_session_claim key = key_of(grant);
    struct hf__claim *claim = self->buckets[bucket_of(&key)];
    while (claim && (claim->is_forgotten || !same_session(&claim->key, &key))) claim = claim->next;
    return claim && claim->key.epoch != key.epoch ? claim : NULL;
}

struct hf__claim *hf__claims_learn(struct hf__claims *self, const struct hf_item_grant *grant)
{
    hf_assert(grant->session_id.size > 0);
    hf_assert(!hf__claims_find_older(self, grant));
    const struct hf_session_claim key = key_of(grant);
    struct hf__claim *claim = hf__claims_find(self, &key);
    if (!claim) {
        claim = claim_new(self, grant);
        if (!claim) return NULL;
        struct hf__claim **bucket = &self->buckets[bucket_of(&key)];
        claim->next = *bucket;
        *bucket = claim;
        self->owned_count++;
        hf__claims_news(self, claim);
    }
    hf__claims_item_began(self, claim);
    return claim;
}

/* Moves a claim that nothing waits for any more from its bucket to the dying ones. */
static void claim_settle(struct hf__claims *self, struct hf__claim *claim)
{
    bool is_needed = !claim->is_forgotten || claim->items_count > 0 || claim->functions_count > 0 ||
                     claim->is_news;
    if (is_needed) return;
    hf_assert(!claim->is_idle && !claim->is_releasing);
    struct hf__claim **at = &self->buckets[bucket_of(&claim->key)];
    while (*at != claim) {
        hf_assert(*at);
        at = &(*at)->next;
    }
    *at = claim->next;
    claim->next = self->dying;
    self->dying = claim;
    hf_assert(self->forgotten_count > 0);
    self->forgotten_count--;
    self->dying_count++;
}

void hf__claims_forget(struct hf__claims *self, struct hf__claim *claim, enum hf__claim_end end,
                       const char *why)
{
    if (claim->is_forgotten) return;
    hf_assert(self->owned_count > 0 && end != HF__CLAIM_HELD);
    claim->is_forgotten = true;
    claim->is_releasing = false;
    claim->end = end;
    claim->why = why;
    self->owned_count--;
    self->forgotten_count++;
    idle_review(self, claim);
    hf__claims_news(self, claim);
}

void hf__claims_item_began(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(!claim->is_forgotten);
    claim->items_count++;
    idle_review(self, claim);
}

void hf__claims_item_ended(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->items_count > 0);
    claim->items_count--;
    idle_review(self, claim);
    claim_settle(self, claim);
}

void hf__claims_function_began(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(self->owned_count + self->forgotten_count > 0);
    claim->functions_count++;
    idle_review(self, claim);
}

void hf__claims_function_ended(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->functions_count > 0);
    claim->functions_count--;
    idle_review(self, claim);
    claim_settle(self, claim);
}

/* ---- news ----------------------------------------------------------------------------------- */

void hf__claims_news(struct hf__claims *self, struct hf__claim *claim)
{
    if (claim->is_news) return;
    hf_assert(!claim->next_news && self->news_last != claim);
    claim->is_news = true;
    if (self->news_last) self->news_last->next_news = claim;
    if (!self->news_last) self->news_first = claim;
    self->news_last = claim;
}

struct hf__claim *hf__claims_take_news(struct hf__claims *self)
{
    struct hf__claim *claim = self->news_first;
    if (!claim) return NULL;
    hf_assert(claim->is_news);
    self->news_first = claim->next_news;
    if (!self->news_first) self->news_last = NULL;
    claim->next_news = NULL;
    return claim;
}

void hf__claims_told(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->is_news && !claim->next_news && claim != self->news_last);
    claim->is_news = false;
    claim_settle(self, claim);
}

/* ---- the end -------------------------------------------------------------------------------- */

struct hf__claim *hf__claims_dead(struct hf__claims *self)
{
    struct hf__claim *claim = self->dying;
    if (!claim) return NULL;
    hf_assert(claim->is_forgotten && !claim->is_news);
    hf_assert(claim->functions_count == 0); /* law 2: the destructor comes behind them */
    hf_assert(claim->items_count == 0);
    self->dying = claim->next;
    claim->next = NULL;
    return claim;
}

void hf__claim_destroy_memory(struct hf__claim *claim)
{
    void *memory = claim->memory;
    claim->memory = NULL;
    if (memory && claim->destroy) claim->destroy(memory);
}

void hf__claims_free(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(!claim->memory);
    hf_assert(claim->is_forgotten);
    hf_assert(self->dying_count > 0);
    self->dying_count--;
    hf_heap_free(self->heap, claim, claim->size);
}
