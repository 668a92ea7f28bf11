/* What virtual clients do: start, message, cancel, end, delete. Some give their commands keys, and
 * repeat them when they heard no answer, or for no reason at all. */
#include <stdio.h>
#include <string.h>

#include "engine/base/heap.h"
#include "tests/sim/sim.h"

/* ---- keys ------------------------------------------------------------------------------------ */

static int keyed_new(struct sim *sim, enum hf_store_command_kind kind, int instance)
{
    struct sim_shadow *shadow = &sim->shadow;
    struct sim_keyed *added = sim_grow((void **)&shadow->keyed, &shadow->keyed_count,
                                       &shadow->keyed_capacity, sizeof *added);
    int index = (int)(shadow->keyed_count - 1);
    *added = (struct sim_keyed){ .kind = kind, .instance = instance };
    (void)snprintf(added->key, sizeof added->key, "key-%d", index);
    return index;
}

static hf_slice copy(struct sim *sim, const char *text)
{
    hf_slice copied = hf_arena_copy(&sim->arena, hf_text(text));
    hf_assert(copied.data);
    return copied;
}

static hf_slice key_of(struct sim *sim, const struct sim_act *act)
{
    if (act->keyed == SIM_NONE) return (hf_slice)HF_EMPTY;
    return copy(sim, sim->shadow.keyed[act->keyed].key);
}

static struct sim_act *client_add(struct sim *sim, enum hf_store_command_kind kind, int instance,
                                  int keyed)
{
    struct sim_act *act = sim_act_add(sim, kind);
    act->instance = instance;
    act->keyed = keyed;
    return act;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void start_make(struct sim *sim, int index, int keyed)
{
    const struct sim_instance *instance = &sim->shadow.instances[index];
    struct sim_act *act = client_add(sim, HF_STORE_START, index, keyed);
    hf_slice input = hf_bytes(&instance->program, sizeof instance->program);
    hf_slice version = program_version(instance->program.seed);
    act->command.start = (struct hf_store_start){
        .id = copy(sim, instance->id),
        .orchestration = hf_text(PROGRAM_NAME),
        .version = version,
        .body = hf_body_started(hf_text(PROGRAM_NAME), version, input, &sim->arena),
        .key = key_of(sim, act)
    };
    sim_note(sim, "a client starts %s: %.16s", instance->id, instance->program.ops);
}

static void message_make(struct sim *sim, int index, int keyed, uint32_t number)
{
    const struct sim_instance *instance = &sim->shadow.instances[index];
    struct sim_act *act = client_add(sim, HF_STORE_MESSAGE, index, keyed);
    size_t size = sizeof(uint64_t) + sim->draw.payload_size;
    char *payload = hf_arena_new(&sim->arena, size);
    uint64_t value = program_message(instance->program.seed, number);
    hf_assert(payload);
    memcpy(payload, &value, sizeof value);
    act->command.message = (struct hf_store_message){ .id = copy(sim, instance->id),
                                                      .body = hf_body_mailbox_message(
                                                          hf_text(PROGRAM_QUEUE),
                                                          hf_bytes(payload, size), &sim->arena),
                                                      .key = key_of(sim, act) };
    sim_note(sim, "a client sends %s message %u", instance->id, number);
}

/* A message is sent under a key of its own, until it is known to be there; then comes the next. */
bool sim_client_send(struct sim *sim, int index)
{
    struct sim_instance *instance = &sim->shadow.instances[index];
    struct sim_shadow *shadow = &sim->shadow;
    if (!instance->is_top || instance->life != SIM_RUNNING) return false;
    if (instance->sent_count >= program_messages(&instance->program)) return false;
    for (size_t i = 0; i < sim->group.count; i++) {
        if (sim->group.acts[i].instance == index) return false; /* one after the other */
    }
    int keyed = SIM_NONE;
    for (size_t i = 0; i < shadow->keyed_count && keyed == SIM_NONE; i++) {
        const struct sim_keyed *each = &shadow->keyed[i];
        if (each->instance != index || each->restarts != instance->restarts_count) continue;
        if (each->message == instance->sent_count + 1) keyed = (int)i;
    }
    if (keyed == SIM_NONE) {
        keyed = keyed_new(sim, HF_STORE_MESSAGE, index);
        shadow->keyed[keyed].message = instance->sent_count + 1;
        shadow->keyed[keyed].restarts = instance->restarts_count;
    }
    message_make(sim, index, keyed, instance->sent_count);
    return true;
}

static void raise_make(struct sim *sim, int index, bool is_cancel)
{
    struct sim_act *act = client_add(sim, HF_STORE_MESSAGE, index, SIM_NONE);
    const struct sim_instance *instance = &sim->shadow.instances[index];
    act->command.message = (struct hf_store_message){
        .id = copy(sim, instance->id),
        .body = is_cancel
                    ? hf_body_cancel_requested(hf_text("enough"), &sim->arena)
                    : hf_body_event_raised(hf_text(PROGRAM_EVENT), (hf_slice)HF_EMPTY, &sim->arena),
        .ended_is_fine = is_cancel
    };
    sim_note(sim, "a client %s %s", is_cancel ? "cancels" : "raises an event for", instance->id);
}

static void terminate_make(struct sim *sim, int index, int keyed)
{
    struct sim_act *act = client_add(sim, HF_STORE_TERMINATE, index, keyed);
    const struct sim_instance *instance = &sim->shadow.instances[index];
    act->command.terminate = (struct hf_store_terminate){ .id = copy(sim, instance->id),
                                                          .body = hf_body_terminated(
                                                              hf_text("enough"), &sim->arena),
                                                          .key = key_of(sim, act) };
    sim_note(sim, "a client terminates %s", instance->id);
}

static void delete_make(struct sim *sim, int index, int keyed)
{
    struct sim_act *act = client_add(sim, HF_STORE_DELETE, index, keyed);
    const struct sim_instance *instance = &sim->shadow.instances[index];
    bool is_tree = !sim->is_draining && hf_test_random_percent(&sim->random, 30);
    bool even_running = sim->is_draining || hf_test_random_percent(&sim->random, 30);
    act->command.delete_instance = (struct hf_store_delete){ .id = copy(sim, instance->id),
                                                             .key = key_of(sim, act),
                                                             .even_running = even_running,
                                                             .with_descendants = is_tree };
    sim_note(sim, "a client deletes %s", instance->id);
}

static void suspend_make(struct sim *sim, int index, bool resumes)
{
    struct sim_act *act = client_add(sim, HF_STORE_SUSPEND, index, SIM_NONE);
    const struct sim_instance *instance = &sim->shadow.instances[index];
    act->command.suspend = (struct hf_store_suspend){ .id = copy(sim, instance->id),
                                                      .resumes = resumes,
                                                      .code = hf_text("paused"),
                                                      .text = hf_text("for a while") };
    sim_note(sim, "a client %s %s", resumes ? "resumes" : "suspends", instance->id);
}

void sim_client_resume(struct sim *sim, int index)
{
    suspend_make(sim, index, true);
}

void sim_client_delete(struct sim *sim, int index)
{
    delete_make(sim, index, SIM_NONE);
}

/* Some of what has ended goes, each with all that stems from it, if that has ended, too. */
static void delete_ended_make(struct sim *sim)
{
    const struct sim_shadow *shadow = &sim->shadow;
    struct hf_instance_run *runs = hf_arena_array(&sim->arena, shadow->instances_count + 1,
                                                  sizeof *runs);
    size_t count = 0;
    hf_assert(runs);
    for (size_t i = 0; i < shadow->instances_count; i++) {
        const struct sim_instance *instance = &shadow->instances[i];
        if (instance->number == 0 || hf_test_random_percent(&sim->random, 60)) continue;
        bool is_former = instance->execution > 1 && hf_test_random_percent(&sim->random, 20);
        runs[count++] = (struct hf_instance_run){ instance->number,
                                                  instance->execution - (is_former ? 1 : 0) };
    }
    if (count == 0) return;
    struct sim_act *act = sim_act_add(sim, HF_STORE_DELETE_ENDED);
    act->command.delete_ended = (struct hf_store_delete_ended){ .runs = runs, .count = count };
    sim_note(sim, "a client deletes %zu that have ended", count);
}

/* Histories of former executions go, of all instances that there are. */
static void prune_make(struct sim *sim)
{
    const struct sim_shadow *shadow = &sim->shadow;
    struct hf_instance_run *runs = hf_arena_array(&sim->arena, shadow->instances_count + 1,
                                                  sizeof *runs);
    size_t count = 0;
    hf_assert(runs);
    for (size_t i = 0; i < shadow->instances_count; i++) {
        if (shadow->instances[i].number) runs[count++].instance = shadow->instances[i].number;
    }
    if (count == 0) return;
    struct sim_act *act = sim_act_add(sim, HF_STORE_PRUNE);
    act->command.prune = (struct hf_store_prune){
        .runs = runs, .count = count, .keep_last = hf_test_random_from(&sim->random, 1, 2)
    };
    sim_note(sim, "a client prunes");
}

/* ---- acts ------------------------------------------------------------------------------------ */

/* A new instance, sometimes under the id of one that is deleted. */
static void act_start(struct sim *sim)
{
    struct sim_shadow *shadow = &sim->shadow;
    struct hf_test_random *random = &sim->random;
    if (sim->ids_count >= sim->draw.instances_max) return;
    uint64_t former = hf_test_random_below(random, shadow->instances_count + 1);
    bool is_again = former < shadow->instances_count && hf_test_random_percent(random, 30) &&
                    shadow->instances[former].life == SIM_GONE &&
                    sim_instance_named(sim, shadow->instances[former].id) == SIM_NONE;
    struct sim_instance *added = sim_grow((void **)&shadow->instances, &shadow->instances_count,
                                          &shadow->instances_capacity, sizeof *added);
    int index = (int)(shadow->instances_count - 1);
    added->is_top = true;
    added->parent = SIM_NONE;
    added->program = program_draw(random);
    if (sim->draw.has_large && index == 0) program_make_large(&added->program);
    (void)snprintf(added->id, sizeof added->id, "i%llu", (unsigned long long)++sim->ids_count);
    if (is_again) memcpy(added->id, shadow->instances[former].id, sizeof added->id);
    start_make(sim, index, keyed_new(sim, HF_STORE_START, index));
}

/* Repeats a command with its key: done before or not, it must have been done once after. */
static void act_retry(struct sim *sim)
{
    struct sim_shadow *shadow = &sim->shadow;
    if (shadow->keyed_count == 0) return;
    int index = (int)hf_test_random_below(&sim->random, shadow->keyed_count);
    const struct sim_keyed *keyed = &shadow->keyed[index];
    const struct sim_instance *instance = &shadow->instances[keyed->instance];
    bool is_next = keyed->is_done || (keyed->restarts == instance->restarts_count &&
                                      keyed->message == instance->sent_count + 1);
    for (size_t i = 0; i < sim->group.count; i++) {
        if (sim->group.acts[i].instance == keyed->instance) return;
    }
    /* Its id may be another instance's by now: then the key is refused, as it must be. */
    int named = sim_instance_named(sim, instance->id);
    if (named != SIM_NONE && named != keyed->instance) return;
    switch (keyed->kind) {
    case HF_STORE_START: start_make(sim, keyed->instance, index); break;
    case HF_STORE_MESSAGE:
        if (is_next) message_make(sim, keyed->instance, index, keyed->message - 1);
        break;
    case HF_STORE_TERMINATE: terminate_make(sim, keyed->instance, index); break;
    default: delete_make(sim, keyed->instance, index);
    }
}

/* An instance that was started; SIM_NONE: there is none. */
static int instance_choose(struct sim *sim)
{
    const struct sim_shadow *shadow = &sim->shadow;
    if (shadow->instances_count == 0) return SIM_NONE;
    int index = (int)hf_test_random_below(&sim->random, shadow->instances_count);
    const struct sim_instance *instance = &shadow->instances[index];
    bool is_named = sim_instance_named(sim, instance->id) == index;
    bool is_running = instance->life == SIM_RUNNING;
    /* Most of what is meddled with runs. */
    return is_named && (is_running || hf_test_random_percent(&sim->random, 20)) ? index : SIM_NONE;
}

void sim_client_act(struct sim *sim, enum sim_action action)
{
    int index = instance_choose(sim);
    bool has_key = hf_test_random_percent(&sim->random, 50);
    if (action == SIM_START) act_start(sim);
    if (action == SIM_RETRY) act_retry(sim);
    if (action == SIM_PRUNE) prune_make(sim);
    if (action == SIM_DELETE_ENDED) delete_ended_make(sim);
    if (action == SIM_RESTART) sim_restart_act(sim);
    if (index == SIM_NONE) return;
    switch (action) {
    case SIM_MESSAGE: (void)sim_client_send(sim, index); return;
    case SIM_RAISE: raise_make(sim, index, false); return;
    case SIM_CANCEL: raise_make(sim, index, true); return;
    case SIM_TERMINATE:
        terminate_make(sim, index, has_key ? keyed_new(sim, HF_STORE_TERMINATE, index) : SIM_NONE);
        return;
    case SIM_DELETE:
        delete_make(sim, index, has_key ? keyed_new(sim, HF_STORE_DELETE, index) : SIM_NONE);
        return;
    case SIM_SUSPEND: suspend_make(sim, index, false); return;
    case SIM_RESUME: suspend_make(sim, index, true); return;
    default: return;
    }
}
