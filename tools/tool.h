/* The `holdfast` command: its subcommands, and what they share. */
#ifndef HF_TOOL_H
#define HF_TOOL_H

#include "engine/json.h"
#include "engine/store.h"
#include "runtime/world.h"

struct tool_trace;

/* A subcommand's arguments, behind its name: options have been taken out. */
struct tool_arguments {
    const char *const *words; /* what is no option */
    int words_count;
    bool json;                /* --json */
    uint64_t count;           /* --count N, of bench; 0: default */
    uint64_t concurrency;     /* --concurrency N, of bench; 0: default */
    uint64_t kill_every_ms;   /* --kill-every TIME, of demo; 0: the demo, else the soak */
    uint64_t conversations;   /* --conversations N, of the soak; 0: default */
    const char *lines;        /* --lines FILE, of demo; NULL: default */
    uint64_t status;          /* --status S, of instances: hf_instance_status; 0: any */
    bool suspended;           /* --status suspended: those whose code does not run, alone */
    const char *name;         /* --name N, of instances: their orchestration; NULL: any */
    uint64_t from_event;      /* --from-event N, of restart; 0: anew */
    const char *prefix;       /* --prefix P, of instances: their ids begin so; NULL: any */
    struct tool_trace *trace; /* of a guarded run: where it stands; else NULL */
};

/* A subcommand; returns the exit status: 0 well, 1 a difference or an error. */
typedef int (*tool_run_fn)(const struct tool_arguments *arguments);

/* Runs a subcommand that reads the store in words[0] in a child process, so that damaged pages,
 * which LMDB cannot survive, are told as what they are. Returns its exit status; 1 after saying
 * what it died of. In the child it returns too, once. The caller has no threads, and nothing of a
 * store is open. */
int tool_guard(tool_run_fn run, const struct tool_arguments *arguments);

/* Notes that the record at lsn was read. trace may be NULL. */
void tool_trace_lsn(struct tool_trace *trace, uint64_t lsn);

/* The subcommands. */

/* `log dump`: prints every record. */
int tool_log_dump(const struct tool_arguments *arguments);
/* `log verify`: proves the records, and that the indexes are their fold. */
int tool_log_verify(const struct tool_arguments *arguments);
/* `rebuild`: makes all indexes anew from the log, and verifies; refused while workers live. */
int tool_rebuild(const struct tool_arguments *arguments);
/* `instances`: prints the instances that the options ask for. */
int tool_instances(const struct tool_arguments *arguments);
/* `executions`: prints the executions of an instance. */
int tool_executions(const struct tool_arguments *arguments);
/* `values`: prints what an instance has set with hf_kv_set. */
int tool_values(const struct tool_arguments *arguments);
/* `dead-letters`: prints what was given up, of an instance or of all. */
int tool_dead_letters(const struct tool_arguments *arguments);
/* `stats`: prints how much of everything is there. */
int tool_stats(const struct tool_arguments *arguments);
/* `history`: prints the events of an instance's present execution. */
int tool_history(const struct tool_arguments *arguments);
/* `export`: writes that history as the bytes that hf_replay reads. */
int tool_export(const struct tool_arguments *arguments);
/* `sessions`: prints all open sessions. */
int tool_sessions(const struct tool_arguments *arguments);
/* `workers`: prints all registrations. */
int tool_workers(const struct tool_arguments *arguments);
/* `suspend`: an instance's code runs no more, until `resume`. */
int tool_suspend(const struct tool_arguments *arguments);
/* `resume`: lets it run again. */
int tool_resume(const struct tool_arguments *arguments);
/* `cancel`: asks an instance to stop. */
int tool_cancel(const struct tool_arguments *arguments);
/* `terminate`: ends an instance at once. */
int tool_terminate(const struct tool_arguments *arguments);
/* `restart`: lets an instance that has ended run again, anew or from an event on. */
int tool_restart(const struct tool_arguments *arguments);
/* `requeue`: lets it run again from its latest dead letter on. */
int tool_requeue(const struct tool_arguments *arguments);
/* `demo`: the main job, played; or soaked, with --kill-every. */
int tool_demo(const struct tool_arguments *arguments);
/* `demo-worker`: a worker process of the demo. */
int tool_demo_worker(const struct tool_arguments *arguments);
/* `bench`: speed beside what LMDB alone can do. */
int tool_bench(const struct tool_arguments *arguments);

/* Reads a whole number from 1 on; false: text is none. */
bool tool_number(const char *text, uint64_t *out_number);

/* A store that is open for reading, and memory for what is read. */
struct tool_store {
    struct hf_backend *backend;
    struct hf_arena arena;
    struct hf_json json;
    struct hf_seams seams;
    char boot_id[HF_BOOT_ID_SIZE];
};

/* Makes all but the open store: for what opens it another way. Returns 0, or 1 after saying on
 * standard error why not. Then tool_close, whatever it returned. */
int tool_prepare(struct tool_store *store);

/* Opens the store in directory for reading: it changes nothing, not even a copy's generation.
 * Returns 0, or 1 after saying on standard error why not. Then tool_close, whatever it returned. */
int tool_open(struct tool_store *store, const char *directory);

/* Closes it and gives its memory back. */
void tool_close(struct tool_store *store);

/* Prints "holdfast: <message>" on standard error, with the LSN where there is one; returns 1. */
int tool_fail(const hf_error *error);

/* What main returns for a subcommand's status: that, when all output could be written; else 1 after
 * saying why, but for a reader that went away. */
int tool_finish(int status);

/* "running"; "?" for a number that is no hf_instance_status. */
const char *tool_status_name(uint64_t status);

/* The status of that name; false: there is none. */
bool tool_status_find(const char *name, uint64_t *out_status);

/* Adds a named number to a JSON object. */
void tool_json_number(struct hf_json *json, const char *name, uint64_t number);

/* Adds a named text to a JSON object. */
void tool_json_text(struct hf_json *json, const char *name, hf_slice text);

/* Prints what json holds as one line on standard output, and empties it. */
void tool_print_line(struct hf_json *json);

/* Prints text, cut with "..." to columns, control characters as '.'. */
void tool_print_cut(hf_slice text, size_t columns);

/* The same, filled up with blanks to columns. */
void tool_print_column(hf_slice text, size_t columns);

/* Prints text whole, filled up with blanks to columns. */
void tool_print_name(hf_slice text, size_t columns);

/* Prints a duration: "12.3 s". */
void tool_print_seconds(uint64_t ms);

/* "2026-11-23 09:00:00.123", in UTC, into text (at least 24 bytes). Returns text. */
char *tool_time(uint64_t unix_ms, char *text, size_t size);

/* Removes a directory of the tool's own making and all in it; 0, or 1 after saying what stayed. */
int tool_remove_tree(const char *path);

#endif
