/* The public calls about memory: scopes, allocations in them, deferred clean-ups. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/execution_internal.h"

hf_scope hf_scope_open(hf_orchestration *o)
{
    struct hf_execution *self = hf__execution_enter(o);
    if (!hf__scope_push(self)) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return (hf_scope){ self->scopes[self->scopes_count - 1].id };
}

void hf_scope_reset(hf_orchestration *o, hf_scope scope)
{
    struct hf_execution *self = hf__execution_enter(o);
    size_t index = hf__scope_index(self, scope);
    hf__scopes_cut(self, index + 1);
    hf__futures_cut(self, self->scopes[index].futures_begin);
    hf_arena_reset(&self->scopes[index].arena);
    hf__execution_leave(self);
}

void hf_scope_close(hf_orchestration *o, hf_scope scope)
{
    struct hf_execution *self = hf__execution_enter(o);
    hf__scopes_cut(self, hf__scope_index(self, scope));
    hf__execution_leave(self);
}

/* Allocates in the innermost scope; the fiber leaves when there is no memory. */
static void *scope_alloc(struct hf_execution *self, size_t size)
{
    void *block = hf_arena_new(hf__scope_arena(self), size);
    if (!block) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return block;
}

void *hf_alloc(hf_orchestration *o, size_t size)
{
    return scope_alloc(hf__execution_enter(o), size);
}

hf_slice hf_format(hf_orchestration *o, const char *format, ...)
{
    struct hf_execution *self = hf__execution_enter(o);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        hf__execution_fail(self, HF_INVALID, "bad_format", "hf_format cannot print \"%.64s\"",
                           format);
    }
    char *text = scope_alloc(self, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return hf_bytes(text, (size_t)size);
}

hf_slice hf_keep(hf_orchestration *o, hf_scope scope, hf_slice slice)
{
    struct hf_execution *self = hf__execution_enter(o);
    size_t index = hf__scope_index(self, scope);
    hf_assert(index > 0);
    hf_slice copy = hf_arena_copy(&self->scopes[index - 1].arena, slice);
    if (!copy.data) hf__execution_no_memory(self);
    hf__execution_leave(self);
    return copy;
}

void hf_defer(hf_orchestration *o, void (*clean_up)(void *argument), void *argument)
{
    struct hf_execution *self = hf__execution_enter(o);
    if (!clean_up) {
        hf__execution_fail(self, HF_INVALID, "bad_clean_up", "hf_defer needs a function");
    }
    bool fits = self->deferred_count < self->deferred_capacity;
    if (!fits) {
        void *array = self->deferred;
        fits = hf_heap_grow(self->heap, &array, &self->deferred_capacity, sizeof *self->deferred);
        self->deferred = array;
    }
    if (fits) {
        self->deferred[self->deferred_count++] = (struct hf__deferred){ clean_up, argument };
    } else {
        clean_up(argument); /* nobody could run it later */
        hf__execution_no_memory(self);
    }
    hf__execution_leave(self);
}
