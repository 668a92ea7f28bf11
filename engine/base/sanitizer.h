/* What AddressSanitizer and ThreadSanitizer can be told. The names are weak: NULL in a program that
 * is built without that sanitizer. Asking at run time, and not how this library was built, lets a
 * program be built with one that uses the library as it was installed. The contracts are those of
 * the compilers' <sanitizer/...> headers. */
#ifndef HF_BASE_SANITIZER_H
#define HF_BASE_SANITIZER_H

#include <stddef.h>

#define HF_WEAK __attribute__((weak))

/* No access to these bytes is right. */
HF_WEAK void __asan_poison_memory_region(void const volatile *address, size_t size);
/* Every access to them is. */
HF_WEAK void __asan_unpoison_memory_region(void const volatile *address, size_t size);
/* Before a switch to that stack. fake_stack NULL: this one is not switched to again. */
HF_WEAK void __sanitizer_start_switch_fiber(void **fake_stack, const void *stack, size_t size);
/* After it; tells the stack that was left. */
HF_WEAK void __sanitizer_finish_switch_fiber(void *fake_stack, const void **out_stack,
                                             size_t *out_size);

/* What runs now, a thread or a fiber. */
HF_WEAK void *__tsan_get_current_fiber(void);
/* Returns owned: __tsan_destroy_fiber. */
HF_WEAK void *__tsan_create_fiber(unsigned flags);
/* One that does not run. */
HF_WEAK void __tsan_destroy_fiber(void *fiber);
/* In the function that switches. */
HF_WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);
/* Before a mutex is locked by other means than those that it knows. */
HF_WEAK void __tsan_mutex_pre_lock(void *mutex, unsigned flags);
/* When it is. */
HF_WEAK void __tsan_mutex_post_lock(void *mutex, unsigned flags, int recursion);

#endif
