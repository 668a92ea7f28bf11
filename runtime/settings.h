/* Settings: a runtime's options, proved, with their defaults in place. */
#ifndef HF_RUNTIME_SETTINGS_H
#define HF_RUNTIME_SETTINGS_H

#include "engine/base/compiler.h"

enum { HF__TAGS_MAX = 64 };

/* 0 where the option says "none". Tags belong to it; the rest is plain. */
struct hf__settings {
    size_t orchestration_threads, activity_threads;
    uint64_t sessions_max, sessions_per_orchestration_max;
    uint64_t kv_keys_max, kv_value_size_max;
    size_t detached_max;
    uint64_t history_events_max;
    hf_test_clock *test_clock; /* NULL: time passes as it does */
    uint64_t engine_version_min, engine_version_max;
    size_t live_instances_max;
    size_t stack_size; /* bytes */
    uint64_t session_lock_ms, item_lock_ms;
    uint64_t session_idle_ms; /* 0: sessions are kept */
    uint64_t cancel_grace_ms, session_reclaim_ms;
    uint64_t session_leak_ms; /* UINT64_MAX: nobody looks */
    uint64_t turn_warn_ms;    /* the same */
    uint64_t attempts_max;
    bool check_replay;
    hf_slice *tags; /* each with a NUL behind it */
    size_t tags_count;
    void (*on_session)(void *user, const hf_session_info *session, bool gained);
    void *user;
};

/* Proves options and makes settings of them. Copies tags. Returns owned: hf__settings_release.
 * Errors: HF_INVALID (the message names the option, its value and what is allowed), HF_NO_MEMORY.
 */
HF_MUST_CHECK hf_status hf__settings_make(struct hf__settings *self,
                                          const hf_runtime_options *options,
                                          const hf_allocator *heap, hf_error *error);
/* Gives the tags back. */
void hf__settings_release(struct hf__settings *self, const hf_allocator *heap);

#endif
