/* What the log alone tells: who held which session when, since claims, releases, deaths and
 * closings are records; and how much of that there was. */
#include <inttypes.h>
#include <stdio.h>

#include "logstore/inspect.h"
#include "tools/demo.h"
#include "tools/tool.h"

enum { NAMES_MAX = 64, NAME_SIZE = 32 };

/* A number of the log (registration or instance) and its name, as the records gave it. */
struct name {
    uint64_t number;
    char text[NAME_SIZE];
};

struct timeline {
    uint64_t start_unix_ms; /* of the first record */
    struct name workers[NAMES_MAX], instances[NAMES_MAX];
    size_t workers_count, instances_count;
};

static void name_add(struct name *names, size_t *count, uint64_t number, hf_slice text)
{
    if (*count == NAMES_MAX) return;
    names[*count].number = number;
    snprintf(names[*count].text, NAME_SIZE, HF_FMT, HF_ARG(text));
    (*count)++;
}

static const char *name_of(const struct name *names, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].number == number) return names[i].text;
    }
    return "?";
}

static const char *worker(const struct timeline *timeline, uint64_t registration)
{
    return name_of(timeline->workers, timeline->workers_count, registration);
}

static const char *instance(const struct timeline *timeline, uint64_t number)
{
    return name_of(timeline->instances, timeline->instances_count, number);
}

static void print_time(const struct timeline *timeline, const struct hf_log_record *record)
{
    printf("%8" PRIu64 " ms  record %-6" PRIu64 " ", record->wall_unix_ms - timeline->start_unix_ms,
           record->lsn);
}

static void print_claims(const struct timeline *timeline, const struct hf_log_record *record,
                         const struct hf_delivered *delivered)
{
    const struct hf_claimed_session *claims = delivered->claims.items;
    for (size_t i = 0; i < delivered->claims.count; i++) {
        print_time(timeline, record);
        printf("%s claims the session of %s (#%" PRIu64 ")",
               worker(timeline, delivered->registration), instance(timeline, claims[i].instance),
               claims[i].incarnation);
        if (claims[i].from) printf(" from %s", worker(timeline, claims[i].from));
        if (claims[i].reason) printf(": %s", hf_reason_name(claims[i].reason));
        printf("\n");
    }
}

static void print_closed(const struct timeline *timeline, const struct hf_log_record *record,
                         const struct hf_turn_committed *turn)
{
    const struct hf_turn_session *closed = turn->closed.items;
    for (size_t i = 0; i < turn->closed.count; i++) {
        print_time(timeline, record);
        printf("%s closes its session (#%" PRIu64 ")\n", instance(timeline, turn->instance),
               closed[i].incarnation);
    }
}

/* Takes note of names and prints what concerns sessions. */
static void timeline_tell(void *self, const struct hf_log_record *record,
                          const union hf_record_body *body)
{
    struct timeline *timeline = self;
    if (timeline->start_unix_ms == 0) timeline->start_unix_ms = record->wall_unix_ms;
    switch (record->kind) {
    case HF_RECORD_STARTED:
        name_add(timeline->instances, &timeline->instances_count, body->started.instance,
                 body->started.id);
        break;
    case HF_RECORD_REGISTERED:
        name_add(timeline->workers, &timeline->workers_count, record->lsn,
                 body->registered.worker_id);
        print_time(timeline, record);
        printf("%s registers\n", worker(timeline, record->lsn));
        break;
    case HF_RECORD_REGISTRATION_ENDED:
        print_time(timeline, record);
        printf("%s ends: %s\n", worker(timeline, body->registration_ended.registration),
               hf_reason_name(body->registration_ended.reason));
        break;
    case HF_RECORD_DELIVERED: print_claims(timeline, record, &body->delivered); break;
    case HF_RECORD_SESSIONS_RELEASED:
        print_time(timeline, record);
        printf("%s releases %zu sessions: %s\n",
               worker(timeline, body->sessions_released.registration),
               body->sessions_released.sessions.count,
               hf_reason_name(body->sessions_released.reason));
        break;
    case HF_RECORD_TURN_COMMITTED: print_closed(timeline, record, &body->turn_committed); break;
    default: break;
    }
}

/* ---- reading the log ------------------------------------------------------------------------ */

/* Is called with each record, decoded. */
typedef void (*tell_fn)(void *self, const struct hf_log_record *record,
                        const union hf_record_body *body);

struct reading {
    struct tool_store store;
    void *self;
    tell_fn tell;
};

static hf_status reading_visit(void *self, const struct hf_log_visit *visit)
{
    struct reading *reading = self;
    hf_error error = { 0 };
    const struct hf_log_record *record = &visit->record;
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)record->kind);
    union hf_record_body body;
    if (visit->damage || !layout) return HF_OK; /* log verify tells of damage */
    hf_arena_reset(&reading->store.arena);
    hf_status status = hf_decode(layout, record->body, &reading->store.arena, &body, &error);
    if (status) {
        tool_fail(&error);
    } else {
        reading->tell(reading->self, record, &body);
    }
    return status;
}

/* Tells self of every record of the store in directory; 0, or 1 after saying why not. */
static int read_log(const char *directory, void *self, tell_fn tell)
{
    struct reading reading = { .self = self, .tell = tell };
    hf_error error = { 0 };
    int failed = tool_open(&reading.store, directory);
    if (!failed && hf_log_scan(reading.store.backend, 0, &error, &reading, reading_visit)) {
        failed = 1;
    }
    tool_close(&reading.store);
    return failed;
}

int demo_timeline(const char *directory)
{
    struct timeline timeline = { .start_unix_ms = 0 };
    return read_log(directory, &timeline, timeline_tell);
}

/* ---- counting ------------------------------------------------------------------------------- */

static void tally_delivered(struct demo_tally *tally, const struct hf_delivered *delivered)
{
    const struct hf_claimed_session *claims = delivered->claims.items;
    const struct hf_delivered_item *items = delivered->items.items;
    tally->claims += delivered->claims.count;
    for (size_t i = 0; i < delivered->claims.count; i++) tally->takeovers += claims[i].from != 0;
    for (size_t i = 0; i < delivered->items.count; i++) {
        tally->redeliveries += items[i].reason != HF_REASON_FIRST;
    }
}

static void tally_tell(void *self, const struct hf_log_record *record,
                       const union hf_record_body *body)
{
    struct demo_tally *tally = self;
    switch (record->kind) {
    case HF_RECORD_DELIVERED: tally_delivered(tally, &body->delivered); break;
    case HF_RECORD_TURN_LOST: tally->turns_lost++; break;
    case HF_RECORD_REGISTRATION_ENDED:
        tally->deaths += body->registration_ended.reason == HF_REASON_DEAD;
        break;
    default: break;
    }
}

int demo_tally_read(const char *directory, struct demo_tally *out_tally)
{
    *out_tally = (struct demo_tally){ 0 };
    return read_log(directory, out_tally, tally_tell);
}
