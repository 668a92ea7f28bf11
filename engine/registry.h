/* The registry: which function runs an orchestration of a name and version, or an activity of a
 * name. Frozen once a runtime has it. */
#ifndef HF_REGISTRY_H
#define HF_REGISTRY_H

#include "engine/version.h"

struct hf_registered_orchestration {
    const char *name;
    const char *version; /* as text */
    struct hf_version number;
    hf_orchestration_fn run;
    const void *user;
};

struct hf_registered_activity {
    const char *name;
    hf_activity_fn run;
    void *user;
};

/* The entry of that name and version; version empty: the one that starts without a version get, by
 * the policy of the name. NULL: there is none. Valid until: the registry is freed. Any thread, once
 * the registry is frozen. */
const struct hf_registered_orchestration *hf_registry_orchestration(const hf_registry *registry,
                                                                    hf_slice name,
                                                                    hf_slice version);
/* The entry of that name, or NULL. As above. */
const struct hf_registered_activity *hf_registry_activity(const hf_registry *registry,
                                                          hf_slice name);

/* HF_OK, or the first mistake that registering made (HF_INVALID, HF_NO_MEMORY). */
HF_MUST_CHECK hf_status hf_registry_check(const hf_registry *registry, hf_error *error);

#endif
