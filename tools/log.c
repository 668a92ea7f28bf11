/* `log dump` and `log verify`: the log itself. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/event.h"
#include "logstore/inspect.h"
#include "tools/tool.h"

struct dump {
    struct tool_store store;
    struct tool_trace *trace;
    bool json;
    bool damaged;
};

/* Of an event only what it holds, and its kind by name. */
static bool event_field(struct hf_json *json, const struct hf_field *field, const void *member)
{
    if (field->offset == offsetof(struct hf_event, kind)) {
        hf_json_key(json, field->name);
        hf_json_text(json, hf_text(hf_event_kind_name(*(const uint64_t *)member)));
        return true;
    }
    switch (field->type) {
    case HF_FIELD_NUMBER: return *(const uint64_t *)member == 0;
    case HF_FIELD_TEXT:
    case HF_FIELD_BYTES: return ((const hf_slice *)member)->size == 0;
    case HF_FIELD_LIST: return ((const struct hf_list *)member)->count == 0;
    }
    return false;
}

static const char *kind_name(uint64_t kind)
{
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)kind);
    return layout ? layout->name : "unknown";
}

static bool is_event_body(const struct hf_field *field)
{
    static const char end[] = "body";
    size_t size = strlen(field->name);
    return field->type == HF_FIELD_BYTES && size >= sizeof end - 1 &&
           strcmp(field->name + size - (sizeof end - 1), end) == 0;
}

/* Numbers of a reason by their name, and event bodies as what they say. */
static bool dump_field(void *self, struct hf_json *json, const struct hf_layout *layout,
                       const struct hf_field *field, const void *member)
{
    struct dump *dump = self;
    struct hf_event event;
    if (layout == hf_event_layout()) return event_field(json, field, member);
    bool is_reason = strcmp(field->name, "reason") == 0 &&
                     layout != hf_record_layout(HF_RECORD_GENERATION_RAISED);
    if (is_reason) {
        hf_json_key(json, field->name);
        hf_json_text(json, hf_text(hf_reason_name(*(const uint64_t *)member)));
        return true;
    }
    if (!is_event_body(field)) return false;
    const hf_slice *body = member;
    if (hf_event_decode(*body, &dump->store.arena, &event, NULL) != HF_OK) return false;
    hf_json_key(json, field->name);
    hf_json_layout(json, hf_event_layout(), &event);
    return true;
}

/* The body as one JSON object; of a kind that this version does not know, nothing. */
static hf_status dump_body(struct dump *dump, const struct hf_log_record *record, hf_error *error)
{
    const struct hf_layout *layout = hf_record_layout((enum hf_record_kind)record->kind);
    union hf_record_body body;
    if (!layout) {
        hf_json_begin(&dump->store.json, '{');
        hf_json_end(&dump->store.json, '}');
        return HF_OK;
    }
    hf_status status = hf_decode(layout, record->body, &dump->store.arena, &body, error);
    if (!status) hf_json_layout(&dump->store.json, layout, &body);
    return status;
}

static hf_status dump_record(struct dump *dump, const struct hf_log_record *record, hf_error *error)
{
    char time[32];
    struct hf_json *json = &dump->store.json;
    if (dump->json) {
        hf_json_begin(json, '{');
        hf_json_key(json, "lsn");
        hf_json_number(json, record->lsn);
        hf_json_key(json, "unix_ms");
        hf_json_number(json, record->wall_unix_ms);
        hf_json_key(json, "kind");
        hf_json_text(json, hf_text(kind_name(record->kind)));
        hf_json_key(json, "record");
    } else {
        printf("%8" PRIu64 "  %s  %-20s ", record->lsn,
               tool_time(record->wall_unix_ms, time, sizeof time), kind_name(record->kind));
    }
    hf_status status = dump_body(dump, record, error);
    if (dump->json) hf_json_end(json, '}');
    if (!status) tool_print_line(json);
    return status;
}

static hf_status dump_visit(void *self, const struct hf_log_visit *visit)
{
    struct dump *dump = self;
    hf_error error = { 0 };
    hf_arena_reset(&dump->store.arena);
    hf_json_reset(&dump->store.json);
    if (visit->damage) {
        error = *visit->damage;
    } else {
        (void)!dump_record(dump, &visit->record, &error);
    }
    if (error.status) {
        if (!error.lsn) error.lsn = visit->record.lsn;
        tool_fail(&error);
        dump->damaged = true;
    }
    tool_trace_lsn(dump->trace, visit->record.lsn);
    return HF_OK; /* what follows a damage is worth seeing */
}

int tool_log_dump(const struct tool_arguments *arguments)
{
    struct dump dump = { .trace = arguments->trace, .json = arguments->json };
    hf_error error = { 0 };
    int failed = tool_open(&dump.store, arguments->words[0]);
    dump.store.json.field = dump_field;
    dump.store.json.field_self = &dump;
    if (!failed && hf_log_scan(dump.store.backend, 0, &error, &dump, dump_visit)) {
        failed = tool_fail(&error);
    }
    tool_close(&dump.store);
    return failed || dump.damaged;
}

/* ---- verify --------------------------------------------------------------------------------- */

struct verification {
    struct tool_store store;
    bool json;
};

static void finding_json(struct hf_json *json, const struct hf_verify_finding *finding)
{
    hf_json_begin(json, '{');
    hf_json_key(json, "law");
    hf_json_text(json, hf_text(finding->law));
    hf_json_key(json, "finding");
    hf_json_text(json, hf_text(finding->message));
    if (finding->lsn) {
        hf_json_key(json, "lsn");
        hf_json_number(json, finding->lsn);
    }
    if (finding->table) {
        hf_json_key(json, "table");
        hf_json_text(json, hf_text(finding->table));
        hf_json_key(json, "key");
        hf_json_bytes(json, finding->key);
    }
    hf_json_end(json, '}');
    tool_print_line(json);
}

static void finding_text(const struct hf_verify_finding *finding)
{
    printf("%s: ", finding->law);
    if (finding->lsn) printf("record %" PRIu64 ": ", finding->lsn);
    if (finding->table) {
        printf("table %s, key ", finding->table);
        for (size_t i = 0; i < finding->key.size; i++) {
            printf("%02x", (unsigned char)finding->key.data[i]);
        }
        printf(": ");
    }
    printf("%s\n", finding->message);
}

static void verification_report(void *self, const struct hf_verify_finding *finding)
{
    struct verification *verification = self;
    if (verification->json) {
        finding_json(&verification->store.json, finding);
    } else {
        finding_text(finding);
    }
}

static void summary_print(struct verification *verification,
                          const struct hf_verify_summary *summary)
{
    struct hf_json *json = &verification->store.json;
    if (!verification->json) {
        printf("%" PRIu64 " records, %" PRIu64 " instances: %s\n", summary->records,
               summary->instances, summary->ok ? "ok" : "NOT ok");
        return;
    }
    hf_json_begin(json, '{');
    hf_json_key(json, "ok");
    hf_json_boolean(json, summary->ok);
    hf_json_key(json, "records");
    hf_json_number(json, summary->records);
    hf_json_key(json, "instances");
    hf_json_number(json, summary->instances);
    hf_json_key(json, "findings");
    hf_json_number(json, summary->findings);
    hf_json_end(json, '}');
    tool_print_line(json);
}

int tool_log_verify(const struct tool_arguments *arguments)
{
    struct verification verification = { .json = arguments->json };
    struct hf_verify_summary summary = { .ok = false };
    hf_error error = { 0 };
    int failed = tool_open(&verification.store, arguments->words[0]);
    if (!failed && hf_store_verify(verification.store.backend, &summary, &error, &verification,
                                   verification_report)) {
        failed = tool_fail(&error);
    }
    if (!failed && summary.ok &&
        hf_store_verify_histories(verification.store.backend, &summary, &error, &verification,
                                  verification_report)) {
        failed = tool_fail(&error);
    }
    if (!failed) summary_print(&verification, &summary);
    tool_close(&verification.store);
    return failed || !summary.ok;
}
