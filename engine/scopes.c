/* Scopes: a stack of arenas, in which all lives that the code gets from the library. The outermost
 * is the execution itself; the code has no value that names it, so it is never reset. */
#include "engine/execution_internal.h"

struct hf_arena *hf__scope_arena(struct hf_execution *self)
{
    hf_assert(self->scopes_count > 0);
    return &self->scopes[self->scopes_count - 1].arena;
}

bool hf__scope_push(struct hf_execution *self)
{
    if (self->scopes_count == self->scopes_capacity) {
        void *array = self->scopes;
        bool grown = hf_heap_grow(self->heap, &array, &self->scopes_capacity, sizeof *self->scopes);
        self->scopes = array;
        if (!grown) return false;
    }
    struct hf__scope *scope = &self->scopes[self->scopes_count];
    scope->id = self->scopes_count > 0 ? ++self->scope_ids_count : 0;
    scope->futures_begin = self->futures_count;
    if (self->scopes_count > 0) hf_assert(scope[-1].futures_begin <= scope->futures_begin);
    hf_arena_init(&scope->arena, self->heap);
    self->scopes_count++;
    return true;
}

size_t hf__scope_index(struct hf_execution *self, hf_scope scope)
{
    hf_assert(self->scopes_count > 0);
    for (size_t i = self->scopes_count - 1; i > 0; i--) {
        if (self->scopes[i].id == scope.id) return i;
    }
    hf__execution_fail(self, HF_INVALID, "stale_scope",
                       "scope %llu is not open: it was closed, or a scope around it was closed or "
                       "reset",
                       (unsigned long long)scope.id);
}

void hf__scopes_cut(struct hf_execution *self, size_t index)
{
    hf_assert(index > 0 && index <= self->scopes_count);
    if (index == self->scopes_count) return;
    hf__futures_cut(self, self->scopes[index].futures_begin);
    while (self->scopes_count > index) {
        self->scopes_count--;
        hf_arena_release(&self->scopes[self->scopes_count].arena);
    }
}

void hf__scopes_release(struct hf_execution *self)
{
    while (self->scopes_count > 0) {
        self->scopes_count--;
        hf_arena_release(&self->scopes[self->scopes_count].arena);
    }
}
