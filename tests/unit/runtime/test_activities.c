/* The pool against a puppet store: what becomes of a delivery, for each way in which its function
 * can end, be told to stop, or not be called at all. */
#include <dirent.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/event.h"
#include "tests/unit/runtime/puppet.h"

enum { KEPT_MAX = 32 };

/* What activities share with their test. */
struct place {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int running, running_max, returned;
    bool is_open;  /* `gate` returns */
    char key[256]; /* the idempotency key that was seen last */
    hf_completion *kept[KEPT_MAX];
    size_t kept_count;
};

struct fixture {
    struct puppet puppet;
    struct place place;
};

static void place_enter(struct place *place)
{
    pthread_mutex_lock(&place->mutex);
    if (++place->running > place->running_max) place->running_max = place->running;
    pthread_cond_broadcast(&place->changed);
    pthread_mutex_unlock(&place->mutex);
}

static void place_leave(struct place *place)
{
    pthread_mutex_lock(&place->mutex);
    place->running--;
    place->returned++;
    pthread_cond_broadcast(&place->changed);
    pthread_mutex_unlock(&place->mutex);
}

static void place_open(struct place *place)
{
    pthread_mutex_lock(&place->mutex);
    place->is_open = true;
    pthread_cond_broadcast(&place->changed);
    pthread_mutex_unlock(&place->mutex);
}

struct expected {
    struct place *place;
    int running, returned;
};

static bool is_as_expected(void *context)
{
    const struct expected *expected = context;
    pthread_mutex_lock(&expected->place->mutex);
    bool is_so = expected->place->running == expected->running &&
                 expected->place->returned == expected->returned;
    pthread_mutex_unlock(&expected->place->mutex);
    return is_so;
}

static void wait_place(struct place *place, int running, int returned)
{
    struct expected expected = { place, running, returned };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &expected, is_as_expected));
}

/* Whether the loop has begun to count the grace of an activity that was told to stop. */
static bool is_told_timed(void *context)
{
    hf_runtime *runtime = context;
    bool is_timed = false;
    uv_mutex_lock(&runtime->mutex);
    for (size_t i = 0; i < runtime->activities.slots_count; i++) {
        const struct hf_activity *activity = &runtime->activities.slots[i];
        bool is_running = activity->state == HF__ACTIVITY_RUNNING;
        if (is_running && activity->is_told_timed) is_timed = true;
    }
    uv_mutex_unlock(&runtime->mutex);
    return is_timed;
}

/* ---- activities ----------------------------------------------------------------------------- */

static hf_status reverse(hf_activity *a, hf_slice input)
{
    char text[64];
    for (size_t i = 0; i < input.size; i++) text[i] = input.data[input.size - 1 - i];
    return hf_activity_complete(a, hf_bytes(text, input.size));
}

static hf_status silent(hf_activity *a, hf_slice input)
{
    (void)a;
    (void)input;
    return HF_OK;
}

/* Says what it was told of its item. */
static hf_status about(hf_activity *a, hf_slice input)
{
    const hf_activity_info *info = hf_activity_about(a);
    char text[64];
    (void)input;
    snprintf(text, sizeof text, "%s %u %u", info->tag ? info->tag : "-", info->attempt,
             info->deaths);
    return hf_activity_complete(a, hf_text(text));
}

static hf_status refuse(hf_activity *a, hf_slice input)
{
    return hf_activity_fail(a, "card_declined", input, "by %s", "the bank");
}

static hf_status status_of(hf_activity *a, hf_slice input)
{
    int64_t status = 0;
    if (hf_activity_complete(a, hf_text("dropped")) != HF_OK) abort();
    return hf_slice_to_i64(input, &status) ? (hf_status)status : HF_INVALID;
}

static hf_status large(hf_activity *a, hf_slice input)
{
    size_t size = 2 * 1024 * 1024;
    char *bytes = calloc(1, size);
    (void)input;
    if (!bytes) abort();
    hf_status status = hf_activity_complete(a, hf_bytes(bytes, size));
    free(bytes);
    return status;
}

/* Waits until it is told to stop; then returns what its input says. */
static hf_status heed(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    place_enter(place);
    bool is_told = hf_activity_wait_cancelled(a, UINT64_MAX);
    if (!is_told || !hf_activity_is_cancelled(a)) abort();
    hf_status status = status_of(a, input);
    place_leave(place);
    return status;
}

/* Waits until the test lets it go. */
static hf_status gate(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    place_enter(place);
    pthread_mutex_lock(&place->mutex);
    snprintf(place->key, sizeof place->key, "%s", hf_activity_about(a)->idempotency_key);
    while (!place->is_open) pthread_cond_wait(&place->changed, &place->mutex);
    pthread_mutex_unlock(&place->mutex);
    hf_status status = hf_activity_complete(a, input);
    place_leave(place);
    return status;
}

/* Leaves its completion to the test. */
static hf_status later(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    (void)input;
    pthread_mutex_lock(&place->mutex);
    if (place->kept_count == KEPT_MAX) abort();
    place->kept[place->kept_count++] = hf_activity_detach(a);
    pthread_mutex_unlock(&place->mutex);
    return HF_OK;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    struct place *place = &fixture->place;
    pthread_mutex_init(&place->mutex, NULL);
    pthread_cond_init(&place->changed, NULL);
    puppet_open(&fixture->puppet);
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings, .user = place);
    hf_registry *registry = fixture->puppet.registry;
    hf_register_activity(registry, "reverse", reverse, settings);
    hf_register_activity(registry, "silent", silent, settings);
    hf_register_activity(registry, "about", about, settings);
    hf_register_activity(registry, "refuse", refuse, settings);
    hf_register_activity(registry, "status", status_of, settings);
    hf_register_activity(registry, "large", large, settings);
    hf_register_activity(registry, "heed", heed, settings);
    hf_register_activity(registry, "gate", gate, settings);
    hf_register_activity(registry, "later", later, settings);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    puppet_close(&fixture->puppet);
    pthread_cond_destroy(&fixture->place.changed);
    pthread_mutex_destroy(&fixture->place.mutex);
    free(fixture);
    return 0;
}

/* ---- how functions end ---------------------------------------------------------------------- */

static void assert_completion(const struct puppet_note *note, uint64_t kind, const char *text)
{
    assert_int_equal(note->event_kind, kind);
    assert_string_equal(note->text, text);
}

/* What hf_activity_complete was given is the output; without it the output is empty. */
static void test_output_is_sent(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_item(puppet, 1, "reverse", "abc");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|cba");
    assert_int_equal(note.instance, 1);
    assert_int_equal(note.event_id, 2);
    puppet_give_item(puppet, 2, "silent", "abc");
    note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|");
    hf_runtime_free(runtime);
}

/* hf_activity_fail gives code and data; any other status fails with its name as the code, also
 * HF_CANCELLED when nobody asked for it; an output set before is dropped. */
static void test_failures_carry_their_codes(void **state)
{
    static const struct {
        const char *name, *input, *text;
    } cases[] = { { "refuse", "4711", "card_declined|4711" },
                  { "status", "1", "HF_FAILED|" },
                  { "status", "2", "HF_CANCELLED|" },
                  { "status", "22", "HF_IO|" },
                  { "large", "", "HF_TOO_LARGE|" } };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        puppet_give_item(puppet, i + 1, cases[i].name, cases[i].input);
        struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i + 1);
        assert_completion(&note, HF_EVENT_ACTIVITY_FAILED, cases[i].text);
    }
    hf_runtime_free(runtime);
}

static struct hf_item_grant grant_of(uint64_t instance, uint64_t attempt, uint64_t deaths)
{
    return (struct hf_item_grant){
        .token.item = { .instance = instance, .execution = 1, .event_id = 2 },
        .attempt = attempt,
        .deaths = deaths
    };
}

/* An activity that is not registered is handed back, counted, for delays that grow with the
 * attempt, whoever tried before; the attempts used up, it fails as poison. */
static void test_unregistered_activity_is_handed_back_until_it_is_poison(void **state)
{
    enum { ATTEMPTS = 8 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .attempts_max = ATTEMPTS));
    for (uint64_t i = 0; i < ATTEMPTS; i++) {
        puppet_give(puppet, grant_of(1, i + 1, 0), "nobody");
        struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, i + 1);
        assert_true(note.is_counted);
        assert_int_equal(note.reason, HF_REASON_UNREGISTERED);
        assert_int_equal(note.delay_ms, i < 6 ? 1000 << i : 60000);
    }
    puppet_wait_log(puppet, "activity.unregistered");
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
    puppet_give(puppet, grant_of(1, ATTEMPTS + 1, 0), "nobody");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_FAILED, "poison|");
    assert_non_null(strstr(note.message, "nobody"));
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), ATTEMPTS);
    hf_runtime_free(runtime);
}

/* What was handed out too often is never run again: it fails with the code "poison", is logged as
 * an error and counted. Deaths have a limit of their own and use up no attempt. */
static void row_4b_5_poison_fails_without_running(void **state)
{
    static const struct {
        uint64_t attempt, deaths;
        const char *message; /* NULL: it runs */
    } cases[] = { { 5, 4, NULL },  { 6, 5, "died 5 times" },
                  { 10, 0, NULL }, { 11, 0, "handed out 10 times" },
                  { 14, 4, NULL }, { 15, 4, "handed out 10 times" } };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    double poisoned = 0;
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        puppet_give(puppet, grant_of(i + 1, cases[i].attempt, cases[i].deaths), "silent");
        struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i + 1);
        assert_completion(&note,
                          cases[i].message ? HF_EVENT_ACTIVITY_FAILED : HF_EVENT_ACTIVITY_COMPLETED,
                          cases[i].message ? "poison|" : "|");
        if (!cases[i].message) continue;
        assert_int_equal(note.event_status, HF_FAILED);
        if (!strstr(note.message, cases[i].message)) fail_msg("%s", note.message);
        poisoned++;
    }
    assert_int_equal(puppet_wait_log(puppet, "activity.poison").level, HF_LOG_ERROR);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "activity.poison"), (size_t)poisoned);
}

/* An activity reads its tag, and how often its process died before. */
static void test_activity_reads_tag_and_deaths(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    struct hf_item_grant grant = grant_of(1, 3, 2);
    grant.tag = hf_text("gpu");
    puppet_give(puppet, grant, "about");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).text, "|gpu 3 2");
    puppet_give_item(puppet, 2, "about", "");
    assert_string_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2).text, "|- 1 0");
    hf_runtime_free(runtime);
}

/* An item whose event is damaged is handed back counted: it is the item's own fault. */
static void test_unreadable_item_is_handed_back_counted(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    puppet_give_item(puppet, 1, "reverse", "abc");
    puppet->items[0].body = hf_text("no event");
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_true(note.is_counted);
    assert_int_equal(note.delay_ms, 60000);
    puppet_wait_log(puppet, "activity.unreadable");
    hf_runtime_free(runtime);
}

/* ---- answers of the store ------------------------------------------------------------------- */

/* An outcome that the store refuses for good (its row is damaged) is not kept: it is handed back,
 * and said; refused as well, that is the end of it here. */
static void test_damaged_row_is_not_kept(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 1, HF_CORRUPT);
    puppet_give_item(puppet, 1, "silent", "");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_ABANDON_ITEM, 1);
    assert_true(note.is_counted);
    assert_int_equal(note.delay_ms, 60000);
    assert_int_equal(puppet_count_logs(puppet, "activity.unsent"), 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 1);
}

/* HF_STALE is expected: the result is dropped without a word. */
static void test_stale_completion_is_dropped(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 1, HF_STALE);
    puppet_give_item(puppet, 1, "reverse", "abc");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    puppet_give_item(puppet, 2, "reverse", "abc");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 2);
    assert_int_equal(puppet_count_logs(puppet, "activity.unsent"), 0);
}

/* An activity may be delivered as often as the runtime was told; the delivery beyond fails it. */
static void row_4a_9_delivery_beyond_the_last_attempt_fails(void **state)
{
    enum { ATTEMPTS_MAX = 2 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .attempts_max = ATTEMPTS_MAX));
    puppet_give(puppet, grant_of(1, ATTEMPTS_MAX, 0), "silent");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|");
    puppet_give(puppet, grant_of(2, ATTEMPTS_MAX + 1, 0), "silent");
    note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_completion(&note, HF_EVENT_ACTIVITY_FAILED, "poison|");
    hf_runtime_free(runtime);
}

/* While the store is in trouble it is asked ever more rarely: each pause has twice the ticks of the
 * former one. */
static void row_4b_1_trouble_is_met_with_growing_pauses(void **state)
{
    enum { REFUSALS = 4 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, REFUSALS, HF_IO);
    puppet_give_item(puppet, 1, "silent", "");
    struct puppet_note former = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    for (size_t i = 0; i < REFUSALS; i++) {
        struct puppet_note next = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i + 2);
        assert_true(next.probes_count + 1 >= former.probes_count + ((size_t)1 << i));
        former = next;
    }
    hf_runtime_free(runtime);
}

/* A full disk passes: the completion is sent again until it is taken, and the function ran once. */
static void row_4b_3_refused_completion_is_sent_again(void **state)
{
    static const hf_status passing[] = { HF_DISK_FULL, HF_IO, HF_BUSY, HF_UNKNOWN };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    size_t sent = 0;
    for (size_t i = 0; i < HF_COUNT_OF(passing); i++) {
        puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 2, passing[i]);
        puppet_give_item(puppet, i + 1, "reverse", "abc");
        sent += 3;
        struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, sent);
        assert_int_equal(note.status, HF_OK);
        assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|cba");
    }
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    assert_true(puppet_metric(runtime, "activities_started") == HF_COUNT_OF(passing));
    assert_true(puppet_metric(runtime, "command_retries") == 2 * HF_COUNT_OF(passing));
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "activity.unsent"), 0);
}

/* ---- slots ---------------------------------------------------------------------------------- */

/* No more is asked for than can run at once; what is left is fetched as soon as there is room,
 * without looking: a fetch that came back full says that there may be more. */
static void row_4a_4_fetches_ask_for_free_threads_only(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    enum { THREADS_COUNT = 2, ITEMS_COUNT = 9 };
    puppet->is_blind = true;
    for (uint64_t i = 1; i <= ITEMS_COUNT; i++) puppet_give_item(puppet, i, "gate", "x");
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .activity_threads = THREADS_COUNT, .item_lock_ms = 20));
    wait_place(&fixture->place, THREADS_COUNT, 0);
    puppet_wait(puppet, HF_STORE_RENEW, puppet_count(puppet, HF_STORE_RENEW) + 10);
    pthread_mutex_lock(&puppet->mutex);
    size_t left_count = puppet->items_count;
    pthread_mutex_unlock(&puppet->mutex);
    assert_int_equal(left_count, ITEMS_COUNT - THREADS_COUNT);
    place_open(&fixture->place);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, ITEMS_COUNT);
    hf_runtime_free(runtime);
    assert_int_equal(fixture->place.running_max, THREADS_COUNT);
    for (size_t i = 0; i < puppet->notes_count; i++) {
        if (puppet->notes[i].kind != HF_STORE_FETCH_ITEMS) continue;
        assert_in_range(puppet->notes[i].items_count, 1, THREADS_COUNT);
    }
}

struct detached {
    hf_runtime *runtime;
    size_t count;
};

static bool are_detached(void *context)
{
    const struct detached *expected = context;
    uv_mutex_lock(&expected->runtime->mutex);
    bool is_so = expected->runtime->activities.detached_count == expected->count;
    uv_mutex_unlock(&expected->runtime->mutex);
    return is_so;
}

/* Many detached ones are completed at once, and the store takes none of them for a while: then
 * nothing new is fetched for which there would be no slot. */
static void test_completed_detached_ones_leave_no_room_until_they_are_sent(void **state)
{
    enum { DETACHED_COUNT = 20, OTHERS_COUNT = 9 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .activity_threads = 1, .detached_max = DETACHED_COUNT));
    for (uint64_t i = 1; i <= DETACHED_COUNT; i++) puppet_give_item(puppet, i, "later", "");
    struct detached all = { runtime, DETACHED_COUNT };
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, &all, are_detached));
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, SIZE_MAX, HF_DISK_FULL);
    for (uint64_t i = 1; i <= OTHERS_COUNT; i++) puppet_give_item(puppet, 100 + i, "silent", "");
    for (size_t i = 0; i < DETACHED_COUNT; i++) {
        assert_int_equal(hf_completion_complete(fixture->place.kept[i], hf_text("x")), HF_OK);
    }
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, DETACHED_COUNT);
    puppet_wait_tick(puppet);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 0, HF_OK);
    size_t refused_count = puppet_count(puppet, HF_STORE_COMPLETE_ITEM);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, refused_count + OTHERS_COUNT);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count_logs(puppet, "activity.unsent"), 0);
}

/* ---- asking again --------------------------------------------------------------------------- */

/* Keeps the loop thread, so that no tick and no look helps. */
struct keeper {
    uv_sem_t entered, leave;
};

static void keep_loop(void *user, const hf_session_info *session, bool gained)
{
    struct keeper *keeper = user;
    (void)session;
    if (!gained) return;
    uv_sem_post(&keeper->entered);
    uv_sem_wait(&keeper->leave);
}

/* Whether no fetch is on its way or wanted. */
static bool is_quiet(void *context)
{
    hf_runtime *runtime = context;
    uv_mutex_lock(&runtime->mutex);
    bool is_so = !hf__dispatch_is_busy(runtime) && !runtime->dispatch.items.more &&
                 runtime->activities.held_count == 0;
    uv_mutex_unlock(&runtime->mutex);
    return is_so;
}

/* A worker that has nothing to do, and whose loop stands still. */
static hf_runtime *kept_worker(struct puppet *puppet, struct keeper *keeper)
{
    assert_int_equal(uv_sem_init(&keeper->entered, 0), 0);
    assert_int_equal(uv_sem_init(&keeper->leave, 0), 0);
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .on_session = keep_loop, .user = keeper));
    puppet_give_session_item(puppet, 1, "silent", PUPPET_EPOCH);
    uv_sem_wait(&keeper->entered);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_quiet));
    return runtime;
}

static void kept_worker_free(hf_runtime *runtime, struct keeper *keeper)
{
    uv_sem_post(&keeper->leave);
    hf_runtime_free(runtime);
    uv_sem_destroy(&keeper->entered);
    uv_sem_destroy(&keeper->leave);
}

/* Something of the process is committed. */
static void commit(struct puppet *puppet)
{
    hf_error error = { 0 };
    assert_ok(hf_start(puppet->store, "other", "nobody", hf_text(NULL), &error), &error);
}

static void set_effects(struct puppet *puppet, bool is_repeated, uint32_t inner, uint32_t outer)
{
    pthread_mutex_lock(&puppet->mutex);
    puppet->is_repeated = is_repeated;
    puppet->inner_effects = inner;
    puppet->effects = outer;
    pthread_mutex_unlock(&puppet->mutex);
}

/* A fetch that had joined a transaction in which another command failed asks again at once. */
static void test_fetch_refused_for_anothers_sake_asks_again_at_once(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct keeper keeper;
    hf_runtime *runtime = kept_worker(puppet, &keeper);
    puppet_give_item(puppet, 2, "silent", "");
    puppet_refuse(puppet, HF_STORE_FETCH_ITEMS, 1, HF_BUSY);
    set_effects(puppet, false, HF_EFFECT_ITEMS_READY, 0);
    commit(puppet);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    set_effects(puppet, false, 0, 0);
    kept_worker_free(runtime, &keeper);
}

/* What a failed transaction had told of is no reason to overlook the same in the next one, which is
 * repeated command by command and tells only at its end. */
static void test_effects_of_a_failed_transaction_hide_no_later_ones(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    struct keeper keeper;
    hf_runtime *runtime = kept_worker(puppet, &keeper);
    puppet_refuse(puppet, HF_STORE_FETCH_ITEMS, 1, HF_BUSY);
    set_effects(puppet, false, HF_EFFECT_ITEMS_READY, 0);
    commit(puppet);
    puppet_give_item(puppet, 2, "silent", "");
    set_effects(puppet, true, 0, HF_EFFECT_ITEMS_READY);
    commit(puppet);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    set_effects(puppet, false, 0, 0);
    kept_worker_free(runtime, &keeper);
}

/* A runtime without activity threads never asks for items. */
static void test_runtime_without_threads_asks_for_no_items(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    puppet_give_item(puppet, 1, "reverse", "abc");
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .activity_threads = UINT32_MAX));
    puppet_set_view(puppet, "nobody", NULL, false);
    puppet_give_turn(puppet, 1, 10, "nobody");
    puppet_wait(puppet, HF_STORE_ABANDON_TURN, 1); /* it has looked, and fetched */
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_FETCH_ITEMS), 0);
}

/* A ring brings work at once: the slow look, once a second, is only the net under it. */
static void row_4a_2_ring_brings_items_at_once(void **state)
{
    enum { ITEMS_COUNT = 40, LIMIT_S = ITEMS_COUNT / 2 };
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    uint64_t begin_ns = uv_hrtime();
    for (uint64_t i = 1; i <= ITEMS_COUNT; i++) {
        puppet_give_item(puppet, i, "silent", "");
        puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, i);
    }
    assert_true(uv_hrtime() - begin_ns < LIMIT_S * 1000000000ULL);
    hf_runtime_free(runtime);
}

/* ---- being told to stop --------------------------------------------------------------------- */

/* A void token: the activity is told, by the ring alone, and whatever it returns is not sent. */
static void test_void_token_stops_its_activity_and_nothing_is_sent(void **state)
{
    static const char *const inputs[] = { "0", "2", "22" };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    for (size_t i = 0; i < HF_COUNT_OF(inputs); i++) {
        puppet_give_item(puppet, i + 1, "heed", inputs[i]);
        wait_place(&fixture->place, 1, (int)i);
        puppet_void(puppet, false, i + 1, "superseded");
        wait_place(&fixture->place, 0, (int)i + 1);
    }
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 0);
}

static int poll_ms(int descriptor, int limit_ms)
{
    struct pollfd polled = { .fd = descriptor, .events = POLLIN };
    return poll(&polled, 1, limit_ms);
}

/* Polls its descriptor until it is told to stop; the same one each time. */
static hf_status polling(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    int descriptor = hf_activity_cancel_fd(a);
    (void)input;
    if (descriptor < 0 || poll_ms(descriptor, 0) != 0) abort();
    place_enter(place);
    if (poll_ms(descriptor, PUPPET_LIMIT_MS) != 1 || !hf_activity_is_cancelled(a)) abort();
    if (hf_activity_cancel_fd(a) != descriptor || poll_ms(descriptor, 0) != 1) abort();
    place_leave(place);
    return HF_CANCELLED;
}

/* Asks for its descriptor only when it was told. */
static hf_status polling_late(hf_activity *a, hf_slice input)
{
    struct place *place = hf_activity_user(a);
    (void)input;
    place_enter(place);
    if (!hf_activity_wait_cancelled(a, UINT64_MAX)) abort();
    if (poll_ms(hf_activity_cancel_fd(a), 0) != 1) abort();
    place_leave(place);
    return HF_CANCELLED;
}

static size_t count_descriptors(void)
{
    DIR *open_files = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(open_files);
    while (readdir(open_files)) count++;
    closedir(open_files);
    return count;
}

/* The descriptor becomes readable for every kind of stop, also when it is asked for behind it; it
 * is closed with the activity. */
static void test_descriptor_tells_to_stop(void **state)
{
    static const char *const names[] = { "polling", "polling_late" };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    const hf_activity_settings *settings = HF_WITH(hf_activity_settings, .user = &fixture->place);
    hf_register_activity(puppet->registry, "polling", polling, settings);
    hf_register_activity(puppet->registry, "polling_late", polling_late, settings);
    int returned = 0;
    hf_runtime_free(puppet_worker(puppet, NULL)); /* the first has the store hear its rings */
    size_t before = count_descriptors();
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        hf_runtime *runtime = puppet_worker(puppet, NULL);
        puppet_give_item(puppet, i + 1, names[i], "");
        wait_place(&fixture->place, 1, returned);
        puppet_void(puppet, false, i + 1, "item_final");
        wait_place(&fixture->place, 0, ++returned);
        puppet_give_session_item(puppet, i + 10, names[i], PUPPET_EPOCH);
        wait_place(&fixture->place, 1, returned);
        puppet_void(puppet, true, i + 10, "session_closed");
        wait_place(&fixture->place, 0, ++returned);
        puppet_give_item(puppet, i + 20, names[i], "");
        wait_place(&fixture->place, 1, returned);
        hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
        wait_place(&fixture->place, 0, ++returned);
        hf_runtime_free(runtime);
    }
    assert_int_equal(count_descriptors(), before);
}

/* One that runs on for longer than its grace after it was told to stop is reported once, and
 * counted; its result is dropped all the same. */
static void row_4a_11_stuck_activity_is_reported_once(void **state)
{
    enum { BEGIN_MS = 1000000, GRACE_MS = 5000 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    atomic_store(&puppet->hand_boot_ms, BEGIN_MS);
    hf_runtime *runtime = puppet_worker(
        puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 20, .cancel_grace_ms = GRACE_MS));
    puppet_give_item(puppet, 1, "gate", "");
    puppet_give_item(puppet, 2, "gate", "");
    wait_place(&fixture->place, 2, 0);
    puppet_void(puppet, false, 1, "superseded");
    assert_true(hf_test_wait(PUPPET_LIMIT_MS, runtime, is_told_timed));
    atomic_fetch_add(&puppet->hand_boot_ms, GRACE_MS - 1);
    puppet_wait_tick(puppet);
    assert_int_equal(puppet_count_logs(puppet, "activity.stuck"), 0);
    atomic_fetch_add(&puppet->hand_boot_ms, 1);
    assert_int_equal(puppet_wait_log(puppet, "activity.stuck").level, HF_LOG_WARN);
    atomic_fetch_add(&puppet->hand_boot_ms, 10 * GRACE_MS);
    puppet_wait_tick(puppet);
    assert_int_equal(puppet_count_logs(puppet, "activity.stuck"), 1);
    assert_true(puppet_metric(runtime, "activities_stuck") == 1);
    place_open(&fixture->place);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 1);
    assert_int_equal(puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1).instance, 2);
}

/* A renewal tells the same, when nothing else did, and presents what runs. */
static void test_renewal_names_void_tokens(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 40));
    puppet_give_item(puppet, 1, "heed", "0");
    wait_place(&fixture->place, 1, 0);
    pthread_mutex_lock(&puppet->mutex);
    puppet->is_blind = true;
    pthread_mutex_unlock(&puppet->mutex);
    puppet_wait(puppet, HF_STORE_RENEW, puppet_count(puppet, HF_STORE_RENEW) + 2);
    assert_int_equal(puppet_wait(puppet, HF_STORE_RENEW, 1).items_count, 1);
    pthread_mutex_lock(&puppet->mutex);
    puppet->voids[puppet->voids_count++] = (struct puppet_void){ false, 1, "item_final" };
    pthread_mutex_unlock(&puppet->mutex);
    wait_place(&fixture->place, 0, 1);
    hf_runtime_free(runtime);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 0);
}

/* A failing renewal stops nothing: only a void token does. */
static void row_4b_8_failing_renewal_stops_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    puppet_refuse(puppet, HF_STORE_RENEW, 5, HF_IO);
    hf_runtime *runtime = puppet_worker(puppet, HF_WITH(hf_runtime_options, .item_lock_ms = 20));
    puppet_give_item(puppet, 1, "gate", "kept");
    puppet_wait(puppet, HF_STORE_RENEW, 8);
    place_open(&fixture->place);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|kept");
    hf_runtime_free(runtime);
}

/* Trouble of every kind with renewing, also beyond the end of the lease, stops no activity; one
 * that is void then is told as ever. */
static void trap_c12_trouble_with_renewing_stops_no_activity(void **state)
{
    enum { BEGIN_MS = 1000000, LOCK_MS = 20, TROUBLES_EACH = 3 };
    static const hf_status troubles[] = { HF_IO, HF_BUSY, HF_DISK_FULL, HF_NO_MEMORY, HF_UNKNOWN };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    atomic_store(&puppet->hand_boot_ms, BEGIN_MS);
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .item_lock_ms = LOCK_MS));
    puppet_give_item(puppet, 1, "heed", "0");
    puppet_give_item(puppet, 2, "gate", "kept");
    wait_place(&fixture->place, 2, 0);
    for (size_t i = 0; i < HF_COUNT_OF(troubles); i++) {
        size_t renewals_count = puppet_count(puppet, HF_STORE_RENEW);
        puppet_refuse(puppet, HF_STORE_RENEW, TROUBLES_EACH, troubles[i]);
        atomic_fetch_add(&puppet->hand_boot_ms, 100 * LOCK_MS);
        puppet_wait(puppet, HF_STORE_RENEW, renewals_count + TROUBLES_EACH + 2);
        wait_place(&fixture->place, 2, 0);
    }
    assert_true(puppet_count_logs(puppet, "worker.not_renewed") >=
                TROUBLES_EACH * HF_COUNT_OF(troubles));
    puppet_void(puppet, false, 1, "superseded");
    wait_place(&fixture->place, 1, 1);
    place_open(&fixture->place);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|kept");
    hf_runtime_free(runtime);
}

/* Whether nothing was logged that anybody need look at. */
static bool is_calm(struct puppet *puppet)
{
    bool is_so = true;
    pthread_mutex_lock(&puppet->mutex);
    for (size_t i = 0; i < puppet->logs_count; i++) {
        if (puppet->logs[i].level <= HF_LOG_WARN) is_so = false;
    }
    pthread_mutex_unlock(&puppet->mutex);
    return is_so;
}

/* Whether one is told before it ends, or has ended when its outcome is refused: it is void, which
 * is no failure, nothing to be handed back or tried again, and no line of the log that alarms. */
static void trap_c13_outcome_of_a_cancelled_activity_is_expected(void **state)
{
    static const char *const calm[] = { "activities_failed", "activities_completed",
                                        "activities_abandoned", "activities_stuck",
                                        "command_retries" };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_item(puppet, 1, "heed", "2");
    wait_place(&fixture->place, 1, 0);
    puppet_void(puppet, false, 1, "item_final");
    wait_place(&fixture->place, 0, 1);
    puppet_refuse(puppet, HF_STORE_COMPLETE_ITEM, 1, HF_STALE);
    puppet_give_item(puppet, 2, "reverse", "abc");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_stop(runtime, PUPPET_LIMIT_MS, NULL, NULL);
    assert_ok(hf_runtime_join(runtime, NULL), NULL);
    for (size_t i = 0; i < HF_COUNT_OF(calm); i++) {
        if (puppet_metric(runtime, calm[i]) != 0) fail_msg("%s were counted", calm[i]);
    }
    assert_true(puppet_metric(runtime, "activities_voided") == 2);
    assert_int_equal(puppet_count(puppet, HF_STORE_COMPLETE_ITEM), 1);
    assert_int_equal(puppet_count(puppet, HF_STORE_ABANDON_ITEM), 0);
    assert_true(is_calm(puppet));
    hf_runtime_free(runtime);
}

/* Says whose activity it is. */
static hf_status whose(hf_activity *a, hf_slice input)
{
    const hf_activity_info *info = hf_activity_about(a);
    char text[64];
    (void)input;
    snprintf(text, sizeof text, "%s %s", info->orchestration, info->version);
    return hf_activity_complete(a, hf_text(text));
}

/* Name and version of its orchestration come with the delivery: no history is read for them, and
 * one that cannot be read is in nobody's way. */
static void trap_c15_orchestration_is_told_without_history(void **state)
{
    struct puppet *puppet = &((struct fixture *)*state)->puppet;
    hf_register_activity(puppet->registry, "whose", whose, NULL);
    puppet->view_status = HF_CORRUPT;
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    struct hf_item_grant grant = grant_of(1, 1, 0);
    grant.orchestration = hf_text("order");
    grant.version = hf_text("1.2.3");
    puppet_give(puppet, grant, "whose");
    struct puppet_note note = puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    assert_completion(&note, HF_EVENT_ACTIVITY_COMPLETED, "|order 1.2.3");
    hf_runtime_free(runtime);
    assert_int_equal(puppet->views_count, 0);
}

/* A lock of some milliseconds is renewed some times while it lasts: a pause of a second between
 * renewals, however short the lock, would take far longer for so many. */
static void trap_c18_short_lock_is_renewed_in_time(void **state)
{
    enum { LOCK_MS = 40, RENEWALS = 40, LIMIT_S = RENEWALS / 2 };
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    hf_runtime *runtime = puppet_worker(puppet,
                                        HF_WITH(hf_runtime_options, .item_lock_ms = LOCK_MS));
    puppet_give_item(puppet, 1, "gate", "");
    wait_place(&fixture->place, 1, 0);
    uint64_t begin_ns = uv_hrtime();
    size_t before_count = puppet_count(puppet, HF_STORE_RENEW);
    struct puppet_note note = puppet_wait(puppet, HF_STORE_RENEW, before_count + RENEWALS);
    assert_true(uv_hrtime() - begin_ns < LIMIT_S * 1000000000ULL);
    assert_int_equal(note.items_count, 1);
    place_open(&fixture->place);
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    hf_runtime_free(runtime);
}

/* Each delivery of an item has the same idempotency key, another item another. */
static void test_idempotency_key_is_of_the_item(void **state)
{
    struct fixture *fixture = *state;
    struct puppet *puppet = &fixture->puppet;
    char first[256];
    place_open(&fixture->place);
    hf_runtime *runtime = puppet_worker(puppet, NULL);
    puppet_give_item(puppet, 1, "gate", "");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 1);
    snprintf(first, sizeof first, "%s", fixture->place.key);
    puppet_give_item(puppet, 1, "gate", "");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 2);
    assert_string_equal(fixture->place.key, first);
    assert_string_equal(first, "thing/1/1/2");
    puppet_give_item(puppet, 2, "gate", "");
    puppet_wait(puppet, HF_STORE_COMPLETE_ITEM, 3);
    assert_string_not_equal(fixture->place.key, first);
    hf_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_carry_their_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_unregistered_activity_is_handed_back_until_it_is_poison, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4b_5_poison_fails_without_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_activity_reads_tag_and_deaths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_row_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_item_is_handed_back_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stale_completion_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4a_9_delivery_beyond_the_last_attempt_fails, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(row_4b_1_trouble_is_met_with_growing_pauses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(row_4b_3_refused_completion_is_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4a_4_fetches_ask_for_free_threads_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_completed_detached_ones_leave_no_room_until_they_are_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fetch_refused_for_anothers_sake_asks_again_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_effects_of_a_failed_transaction_hide_no_later_ones,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_runtime_without_threads_asks_for_no_items, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(row_4a_2_ring_brings_items_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_void_token_stops_its_activity_and_nothing_is_sent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptor_tells_to_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4a_11_stuck_activity_is_reported_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal_names_void_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(trap_c12_trouble_with_renewing_stops_no_activity, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trap_c13_outcome_of_a_cancelled_activity_is_expected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trap_c15_orchestration_is_told_without_history, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trap_c18_short_lock_is_renewed_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4b_8_failing_renewal_stops_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idempotency_key_is_of_the_item, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
