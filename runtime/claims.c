/* The table of claims. It knows nothing of the store: who holds what is decided there, and told
 * here. Laws:
 *
 *   1. A claim is in its bucket from being learned until it dies; it dies when it is forgotten, no
 *      function runs in it and every delivery under it has ended.
 *   2. The destructor runs once, behind all functions of the claim; whoever was second with
 *      hf_session_memory_set destroyed its own memory.
 *   3. At most one claim of a session is not forgotten: the newest. */
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
    for (size_t i = 0; i < HF__CLAIM_BUCKETS; i++) hf_assert(!self->buckets[i]);
}

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

static const char *copy_id(char *to, hf_slice id)
{
    if (id.size > 0) memcpy(to, id.data, id.size);
    to[id.size] = '\0';
    return to;
}

static struct hf__claim *claim_new(struct hf__claims *self, const struct hf_item_grant *grant)
{
    size_t size = sizeof(struct hf__claim) + grant->instance_id.size + grant->session_id.size + 2;
    struct hf__claim *claim = hf_heap_new(self->heap, size);
    if (!claim) return NULL;
    char *text = (char *)(claim + 1);
    claim->key = (struct hf_session_claim){ .instance = grant->token.item.instance,
                                            .incarnation = grant->incarnation,
                                            .epoch = grant->epoch };
    claim->size = size;
    claim->instance = copy_id(text, grant->instance_id);
    claim->session = copy_id(text + grant->instance_id.size + 1, grant->session_id);
    return claim;
}

/* Forgets an older claim of the same session: it was lost, and this grant is how we learn it. */
static void forget_older(struct hf__claims *self, const struct hf_session_claim *key)
{
    struct hf__claim *claim = self->buckets[bucket_of(key)];
    while (claim && (claim->is_forgotten || !same_session(&claim->key, key))) claim = claim->next;
    if (claim) hf__claims_forget(self, claim);
}

struct hf__claim *hf__claims_learn(struct hf__claims *self, const struct hf_item_grant *grant)
{
    hf_assert(grant->session_id.size > 0);
    const struct hf_session_claim key = { .instance = grant->token.item.instance,
                                          .incarnation = grant->incarnation,
                                          .epoch = grant->epoch };
    struct hf__claim *claim = hf__claims_find(self, &key);
    if (!claim) {
        claim = claim_new(self, grant);
        if (!claim) return NULL;
        forget_older(self, &key);
        struct hf__claim **bucket = &self->buckets[bucket_of(&key)];
        claim->next = *bucket;
        *bucket = claim;
        self->owned_count++;
    }
    claim->items_count++;
    return claim;
}

/* Moves a claim that nothing waits for any more from its bucket to the dying ones. */
static void claim_settle(struct hf__claims *self, struct hf__claim *claim)
{
    if (!claim->is_forgotten || claim->items_count > 0 || claim->functions_count > 0) return;
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

void hf__claims_forget(struct hf__claims *self, struct hf__claim *claim)
{
    if (claim->is_forgotten) return;
    hf_assert(self->owned_count > 0);
    claim->is_forgotten = true;
    self->owned_count--;
    self->forgotten_count++;
    claim_settle(self, claim);
}

void hf__claims_item_ended(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->items_count > 0);
    claim->items_count--;
    claim_settle(self, claim);
}

void hf__claims_function_began(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(self->owned_count + self->forgotten_count > 0);
    claim->functions_count++;
}

void hf__claims_function_ended(struct hf__claims *self, struct hf__claim *claim)
{
    hf_assert(claim->functions_count > 0);
    claim->functions_count--;
    claim_settle(self, claim);
}

struct hf__claim *hf__claims_dead(struct hf__claims *self)
{
    struct hf__claim *claim = self->dying;
    if (!claim) return NULL;
    hf_assert(claim->functions_count == 0);
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
    hf_assert(self->dying_count > 0);
    self->dying_count--;
    hf_heap_free(self->heap, claim, claim->size);
}
