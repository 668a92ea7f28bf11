/* Many threads on one store: commits one at a time, as the contract asks, and reads beside them.
 * Threads assert nothing: they count what is wrong. */
/* ctest-label: concurrent */
#include "tests/conformance/world.h"

#include <pthread.h>
#include <stdio.h>

#include "engine/base/heap.h"

enum { THREADS = 6, INSTANCES = 20, TURNS = 1000, EVENTS_MAX = 64 };

struct crew;

/* One thread, which is a worker of its own. */
struct hand {
    struct crew *crew;
    pthread_t thread;
    uint64_t registration;
    size_t turns_count; /* that it was given */
    uint64_t wrongs_count;
};

struct crew {
    struct world *world;
    pthread_mutex_t commits;
    struct hand hands[THREADS];
    bool is_held[INSTANCES + 1]; /* by instance number; under `commits` */
    size_t given_count[INSTANCES + 1];
    size_t turns_left;        /* to be committed, by all together */
    uint64_t consumed_count;  /* messages */
    uint64_t overlaps_count;  /* turns that were given while another hand held them */
    uint64_t nothing_due_max; /* fetches that a hand makes in vain before it stops */
    bool keeps_turns;         /* none is committed */
};

/* One command in a batch of its own, under the mutex. */
static hf_status commit_alone(struct hand *hand, struct hf_store_command *command,
                              struct hf_arena *arena)
{
    struct hf_backend *backend = hand->crew->world->backend;
    hf_error error = { 0 };
    struct hf_batch batch = { .commands = &command, .count = 1 };
    command->arena = arena;
    hf_status status = backend->ops->commit(backend, &batch, &error);
    return status ? status : command->status;
}

/* Takes a turn, and notes that it holds it. False: none is due. */
static bool take(struct hand *hand, struct hf_arena *arena, struct hf_turn_grant *out_grant)
{
    struct crew *crew = hand->crew;
    struct hf_store_command fetch = fetch_turns_command(crew->world, hand->registration);
    pthread_mutex_lock(&crew->commits);
    if (commit_alone(hand, &fetch, arena) != HF_OK) hand->wrongs_count++;
    bool has_turn = fetch.fetch_turns.out_turns_count > 0;
    if (has_turn) {
        *out_grant = fetch.fetch_turns.out_turns[0];
        uint64_t instance = out_grant->token.instance;
        crew->overlaps_count += crew->is_held[instance];
        crew->is_held[instance] = true;
        crew->given_count[instance]++;
        hand->turns_count++;
    }
    pthread_mutex_unlock(&crew->commits);
    return has_turn;
}

/* Commits the turn: each message of its view becomes an event. Then the instance gets its next
 * message, while turns are left. */
static void give_back(struct hand *hand, struct hf_arena *arena, const struct hf_turn_grant *grant,
                      const struct hf_turn_view *view)
{
    struct crew *crew = hand->crew;
    struct hf_consumed_message messages[EVENTS_MAX];
    for (size_t i = 0; i < view->messages_count; i++) {
        messages[i] = (struct hf_consumed_message){ view->messages[i].lsn,
                                                    view->next_event_id + i };
    }
    const struct hf_turn_committed turn = { .execution = grant->execution,
                                            .engine_version = WORLD_VERSION,
                                            .messages = { messages, view->messages_count },
                                            .outcome = HF_OUTCOME_RUNNING };
    struct hf_store_command commit = { .kind = HF_STORE_COMMIT_TURN };
    commit.commit_turn = (struct hf_store_commit_turn){ .token = grant->token,
                                                        .registration = hand->registration,
                                                        .turn = &turn };
    struct hf_store_command message = { .kind = HF_STORE_MESSAGE };
    message.message = (struct hf_store_message){ .id = view->instance_id, .body = hf_text("m") };
    pthread_mutex_lock(&crew->commits);
    crew->is_held[grant->token.instance] = false;
    if (commit_alone(hand, &commit, arena) != HF_OK) hand->wrongs_count++;
    crew->consumed_count += view->messages_count;
    if (crew->turns_left > 0) {
        crew->turns_left--;
        if (commit_alone(hand, &message, arena) != HF_OK) hand->wrongs_count++;
    }
    pthread_mutex_unlock(&crew->commits);
}

static void *hand_run(void *context)
{
    struct hand *hand = context;
    const struct hf_backend_ops *ops = hand->crew->world->backend->ops;
    struct hf_turn_grant grant;
    struct hf_turn_view view;
    struct hf_arena arena;
    hf_error error = { 0 };
    uint64_t in_vain = 0;
    hf_arena_init(&arena, hf_heap_default());
    while (in_vain < hand->crew->nothing_due_max) {
        hf_arena_reset(&arena);
        if (!take(hand, &arena, &grant)) {
            in_vain++;
            continue;
        }
        in_vain = 0;
        const struct hf_item_id from = { grant.token.instance, grant.execution, 1 };
        hf_status status = ops->turn_view(hand->crew->world->backend, &from, &arena, &view, &error);
        if (status != HF_OK || view.messages_count > EVENTS_MAX) hand->wrongs_count++;
        if (!hand->crew->keeps_turns) give_back(hand, &arena, &grant, &view);
    }
    hf_arena_release(&arena);
    return NULL;
}

/* Starts the instances, and runs the hands until nothing is due any more. */
static void crew_run(struct crew *crew, struct world *world, size_t turns, uint64_t in_vain_max)
{
    char text[32];
    *crew = (struct crew){ .world = world,
                           .turns_left = turns,
                           .nothing_due_max = in_vain_max,
                           .keeps_turns = turns == 0 };
    assert_int_equal(pthread_mutex_init(&crew->commits, NULL), 0);
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(text, sizeof text, "instance %d", i);
        instance_start(world, text);
    }
    for (int i = 0; i < THREADS; i++) {
        snprintf(text, sizeof text, "worker %d", i);
        crew->hands[i] = (struct hand){ .crew = crew,
                                        .registration = worker_register(world, text) };
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&crew->hands[i].thread, NULL, hand_run, &crew->hands[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(crew->hands[i].thread, NULL), 0);
        assert_int_equal(crew->hands[i].wrongs_count, 0);
    }
    pthread_mutex_destroy(&crew->commits);
}

/* No turn is given back: each instance is handed out once, whoever asks. */
static void store_lock_4_each_instance_is_handed_out_once(void **state)
{
    struct crew crew;
    size_t given = 0;
    crew_run(&crew, *state, 0, 3);
    for (int i = 1; i <= INSTANCES; i++) assert_int_equal(crew.given_count[i], 1);
    for (int i = 0; i < THREADS; i++) given += crew.hands[i].turns_count;
    assert_int_equal(given, INSTANCES);
}

static void store_lock_9_contended_turn_has_one_holder(void **state)
{
    struct crew crew;
    crew_run(&crew, *state, TURNS / 4, 50);
    assert_int_equal(crew.overlaps_count, 0);
}

static void store_lock_10_every_message_is_consumed_once(void **state)
{
    struct world *world = *state;
    struct crew crew;
    uint64_t events_count = 0;
    char text[32];
    crew_run(&crew, world, TURNS, 50);
    assert_int_equal(crew.turns_left, 0);
    assert_int_equal(crew.consumed_count, TURNS);
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(text, sizeof text, "instance %d", i);
        struct hf_instance_info info = instance_info(world, text);
        events_count += info.events_count - 1;
        assert_int_equal(inbox_count(world, info.number), 0);
    }
    assert_int_equal(events_count, TURNS);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(store_lock_4_each_instance_is_handed_out_once),
        CASE(store_lock_9_contended_turn_has_one_holder),
        CASE(store_lock_10_every_message_is_consumed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
