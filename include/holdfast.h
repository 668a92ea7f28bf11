/* holdfast.h: the public API of libholdfast, an embedded durable-execution engine. C11, and C++17.
 *
 * Conventions, once for all:
 *  Status   fallible calls return hf_status (HF_OK == 0), and write out_ parameters on HF_OK only.
 *  Errors   library calls take a caller-owned hf_error *error last (NULL allowed).
 *  Strings  names and ids: const char *, UTF-8, NUL-terminated, 1..255 bytes. Payloads: hf_slice.
 *  Copies   every payload and string passed in is copied before the call returns, unless the call
 *           says Borrows.
 *  Units    _ms milliseconds (uint64_t), _unix_ms wall clock, _size bytes, _count items.
 *  Threads  hf_store, hf_runtime: any thread. hf_registry: one thread until given to a runtime,
 *           then frozen. hf_orchestration: its own function alone. hf_activity: its function.
 *  Options  structs begin with `size`; make them with HF_INIT or HF_WITH; zero fields mean the
 *           default; new fields are only ever appended. NULL options = all defaults.
 *  Opaque   structs without a body below; everything else is a value that may be copied.
 *  Enums    cross the ABI as int32_t (hf_status) or uint32_t; their numbers are append-only. */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#define HF_MUST_CHECK __attribute__((warn_unused_result))
#define HF_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define HF_API
#define HF_MUST_CHECK
#define HF_PRINTF(format_index, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define HF_VERSION_MAJOR 0
#define HF_VERSION_MINOR 1
#define HF_VERSION_PATCH 0
/* The version of the library that runs: major << 16 | minor << 8 | patch. Any thread. */
HF_API uint32_t hf_version(void);

/* hf_store_options options = HF_INIT(hf_store_options);    (C++: type x{}; x.size = sizeof x;)
 * hf_runtime_new(store, registry, HF_WITH(hf_runtime_options, .worker_id = "a"), ...);  (C only) */
/* clang-format off */
#define HF_INIT(type) { .size = sizeof(type) }
#define HF_WITH(type, ...) (&(const type){ .size = sizeof(type), __VA_ARGS__ })
/* clang-format on */

/* ---- slices ---------------------------------------------------------------------------------- */

/* A run of bytes; it needs no NUL at its end. */
typedef struct hf_slice {
    const char *data; /* NULL only when size is 0 */
    size_t size;
} hf_slice;

/* clang-format off */
#define HF_SLICE(literal) { (literal), sizeof(literal) - 1 } /* static initialiser */
#define HF_EMPTY { NULL, 0 }
/* clang-format on */
#define HF_FMT "%.*s" /* printf(HF_FMT "\n", HF_ARG(slice)) */
#define HF_ARG(slice) ((int)(slice).size), ((slice).data ? (slice).data : "")

/* The bytes of text without its NUL; NULL gives the empty slice. Borrows text. Any thread. */
HF_API hf_slice hf_text(const char *text);
/* The size bytes at data. Borrows data. Any thread. */
HF_API hf_slice hf_bytes(const void *data, size_t size);
/* Whether both hold the same bytes. Any thread. */
HF_API bool hf_slice_equal(hf_slice a, hf_slice b);
/* Reads the whole slice as a decimal number; false (and *out_value unchanged) when it is none. Any
 * thread. */
HF_API bool hf_slice_to_i64(hf_slice slice, int64_t *out_value);
/* Whether the slice has no bytes. */
static inline bool hf_slice_is_empty(hf_slice slice)
{
    return slice.size == 0;
}

/* ---- errors ---------------------------------------------------------------------------------- */

typedef int32_t hf_status;
enum hf_status_code {
    HF_OK = 0,
    /* What an await can return: the outcome of the work. */
    HF_FAILED = 1,         /* activity or child failed; hf_orchestration_error() says how */
    HF_CANCELLED = 2,      /* this future was cancelled, or the instance was asked to stop */
    HF_TIMEOUT = 3,        /* a deadline passed */
    HF_SESSION_CLOSED = 4, /* the session closed while the work was pending */
    HF_SESSION_LOST = 5,   /* its owner went away, and by its recovery policy the work with it */
    /* What a library call can return. */
    HF_INVALID = 16,          /* an argument is not allowed; nothing was done */
    HF_NOT_FOUND = 17,        /* no instance of that id */
    HF_EXISTS = 18,           /* the id is taken */
    HF_STILL_RUNNING = 19,    /* the instance has not ended */
    HF_BUSY = 20,             /* too much in flight, or the store is stalled: try later */
    HF_NO_MEMORY = 21,        /* an allocation failed; nothing was done */
    HF_IO = 22,               /* the system refused; error.system_error says why */
    HF_DISK_FULL = 23,        /* no room on the disk or in the map; nothing was done */
    HF_CORRUPT = 24,          /* stored bytes are damaged; error.lsn names the record */
    HF_FORMAT_NEWER = 25,     /* written by a newer holdfast, or for another machine; or the indexes
                                 are of another version: `holdfast rebuild` makes them anew */
    HF_NOT_A_STORE = 26,      /* the directory holds something else, or nothing */
    HF_UNSAFE_DIRECTORY = 27, /* a link, writable by others, or on a network file system */
    HF_WORKER_ALIVE = 28,     /* a live process has this worker id */
    HF_FORKED = 29, /* the store was opened by the parent of this process: open it again here */
    HF_STORE_FAILED = 30,   /* a write failed and reopening did not help: mend it, close, open */
    HF_CLOSED = 31,         /* the store or runtime is being closed */
    HF_TOO_LARGE = 32,      /* over a limit that the message names */
    HF_NONDETERMINISM = 33, /* the code no longer does what history says it did */
    HF_STALE = 34,          /* fenced; error.code says why: "superseded", "session_closed", ... */
    HF_UNKNOWN = 35,        /* may or may not be done: repeat with the same idempotency key */
    HF_ALREADY_OPEN = 36    /* this process has the directory open: share that handle */
};

enum { HF_ERROR_CODE_SIZE = 64, HF_ERROR_MESSAGE_SIZE = 384 };

/* What went wrong. Caller's memory, 512 bytes on 64 bits; it never grows. */
typedef struct hf_error {
    hf_status status;
    int32_t system_error; /* errno or LMDB code behind it, else 0 */
    uint64_t lsn;         /* the record that it is about, else 0 */
    hf_slice data;        /* details given to hf_activity_fail. Valid until: the scope ends */
    char code[HF_ERROR_CODE_SIZE];       /* the application's own: "card_declined" */
    char message[HF_ERROR_MESSAGE_SIZE]; /* what, where, what to do; cut, never overrun */
    char reserved[32];
} hf_error;

/* "HF_TIMEOUT"; "HF_?" for a number that is none. Static storage. Any thread. */
HF_API const char *hf_status_name(hf_status status);

/* For authors only; the library itself never uses it. It leaks nothing: see "Ending" below. */
#define HF_TRY(call)                                                                               \
    do {                                                                                           \
        hf_status hf_try_status_ = (call);                                                         \
        if (hf_try_status_ != HF_OK) return hf_try_status_;                                        \
    } while (0)

typedef struct hf_store hf_store;
typedef struct hf_registry hf_registry;
typedef struct hf_runtime hf_runtime;
typedef struct hf_orchestration hf_orchestration;
typedef struct hf_activity hf_activity;
typedef struct hf_completion hf_completion;
typedef struct hf_test_clock hf_test_clock;

/* ---- seams: vtables are Borrowed until the store is closed; `self` is passed back ------------ */

/* Where the library's own memory comes from. Any thread may call it. */
typedef struct hf_allocator {
    size_t size;
    void *self;
    /* block NULL: allocates; new_size 0: frees, returns NULL. NULL otherwise: no memory, block is
     * unchanged. */
    void *(*resize)(void *self, void *block, size_t old_size, size_t new_size);
} hf_allocator;

/* Time as the library sees it. Any thread may call it. */
typedef struct hf_clock {
    size_t size;
    void *self;
    uint64_t (*boot_ms)(void *self);      /* as CLOCK_BOOTTIME: leases */
    uint64_t (*wall_unix_ms)(void *self); /* durable timers and time stamps */
} hf_clock;

typedef enum hf_log_level { HF_LOG_ERROR, HF_LOG_WARN, HF_LOG_INFO, HF_LOG_DEBUG } hf_log_level;

/* One line of the log. Valid until: the callback returns. */
typedef struct hf_log_line {
    size_t size;
    hf_log_level level;
    uint64_t lsn;      /* 0 where not applicable */
    const char *event; /* stable name: "session.takeover" */
    const char *message;
    const char *instance, *session, *worker, *activity; /* NULL where not applicable */
} hf_log_line;

/* Receives the log. Called on any thread of the library; must not call hf_ functions. */
typedef struct hf_observer {
    size_t size;
    void *self;
    hf_log_level level_max; /* lines above it are not made */
    void (*log)(void *self, const hf_log_line *line);
} hf_observer;

typedef enum hf_metric_kind { HF_COUNTER, HF_GAUGE, HF_HISTOGRAM } hf_metric_kind;

/* One number about the runtime; never labelled by instance. Valid until: the callback returns. */
typedef struct hf_metric {
    size_t size;
    const char *name; /* stable: "turns_committed" */
    hf_metric_kind kind;
    double value;
    double bound; /* of a bucket of a histogram: value says how many were at most this; the last
                     bucket's is infinite. Buckets come one after the other, under one name */
} hf_metric;

/* ---- the store ------------------------------------------------------------------------------- */

typedef enum hf_durability {
    HF_DURABLE_FULL,         /* every acknowledged command is on disk */
    HF_DURABLE_NO_META_SYNC, /* a power cut may take the last acknowledged commands */
    HF_DURABLE_NONE          /* for tests: a power cut may destroy the store */
} hf_durability;

typedef struct hf_store_options {
    size_t size;
    bool must_exist; /* refuse to create a store */
    hf_durability durability;
    uint64_t map_size_max;     /* default 1 TiB on 64 bits, 1 GiB on 32 bits */
    uint64_t preallocate_size; /* step of written zeros; default 64 MiB, 1 = never */
    uint64_t payload_size_max; /* default 1 MiB, at most 16 MiB; over half of it the log says
                                  payload.large, and goes on */
    const hf_allocator *allocator;
    const hf_clock *clock;
    const hf_observer *observer;
} hf_store_options;

/* Opens directory, or creates it (not its parents) and a store in it. Returns owned:
 * hf_store_close. After fork() every call in the child returns HF_FORKED, and hf_store_close does
 * nothing there. Any thread. Errors: HF_NOT_A_STORE, HF_FORMAT_NEWER, HF_UNSAFE_DIRECTORY,
 * HF_ALREADY_OPEN, HF_IO, HF_CORRUPT, HF_NO_MEMORY, HF_INVALID. */
HF_API HF_MUST_CHECK hf_status hf_store_open(const char *directory, const hf_store_options *options,
                                             hf_store **out_store, hf_error *error);
/* Closes after the last command in flight was answered. All its runtimes must be freed, also those
 * that have stopped: else it stays open, and the log says so. NULL is fine. */
HF_API void hf_store_close(hf_store *store);

/* ---- client: each command is durable when it returns HF_OK ----------------------------------- */

/* Creates the instance at once, status pending; it waits until a runtime with an orchestration of
 * that name works on the store. Errors: HF_EXISTS whatever its state, HF_INVALID,
 * HF_TOO_LARGE, HF_DISK_FULL, HF_UNKNOWN, HF_IO, HF_BUSY, HF_FORKED. Blocks until durable. Any
 * thread but one of an orchestration or observer. */
HF_API HF_MUST_CHECK hf_status hf_start(hf_store *store, const char *instance,
                                        const char *orchestration, hf_slice input, hf_error *error);
/* Puts message into the mailbox `queue` of a running instance. Errors and threads as hf_start;
 * HF_NOT_FOUND: no such instance or it has ended. */
HF_API HF_MUST_CHECK hf_status hf_enqueue(hf_store *store, const char *instance, const char *queue,
                                          hf_slice message, hf_error *error);
/* Raises `event` with data for a running instance: it reaches the oldest hf_event_wait of that
 * name; while none waits it is recorded in history and dropped. Errors and threads as hf_enqueue.
 */
HF_API HF_MUST_CHECK hf_status hf_raise(hf_store *store, const char *instance, const char *event,
                                        hf_slice data, hf_error *error);
/* Asks the instance to stop: its pending awaits return HF_CANCELLED once, then it may compensate.
 * reason may be NULL. An ended instance: HF_OK, no effect. Errors and threads as hf_enqueue. */
HF_API HF_MUST_CHECK hf_status hf_cancel(hf_store *store, const char *instance, const char *reason,
                                         hf_error *error);
/* Ends the instance at once; its code does not run again. Otherwise as hf_cancel. */
HF_API HF_MUST_CHECK hf_status hf_terminate(hf_store *store, const char *instance,
                                            const char *reason, hf_error *error);

/* Removes the instance: its id is free, nothing of it is found any more. HF_STILL_RUNNING when it
 * has not ended, unless even_running: then its code does not run again, and what it has in progress
 * is told to stop. A parent's await fails with code "deleted"; its own children are asked to stop.
 * Errors and threads as hf_start; HF_NOT_FOUND: no such instance. */
HF_API HF_MUST_CHECK hf_status hf_delete(hf_store *store, const char *instance, bool even_running,
                                         hf_error *error);

/* Removes the instance and all that stem from it (hf_query.root), as hf_delete does each, in one
 * transaction: HF_STILL_RUNNING when one of them has not ended, unless even_running, and then
 * nothing is removed. What was below an instance that was deleted alone goes with the topmost
 * only. HF_TOO_LARGE: they are more than 10,000. Otherwise as hf_delete. */
HF_API HF_MUST_CHECK hf_status hf_delete_tree(hf_store *store, const char *instance,
                                              bool even_running, hf_error *error);

/* Stops the code of the instance from running, until hf_resume. Messages, cancel requests too, wait
 * for it; activities that are scheduled run on. reason may be NULL. It is suspended already: HF_OK,
 * no effect. Errors and threads as hf_enqueue. */
HF_API HF_MUST_CHECK hf_status hf_suspend(hf_store *store, const char *instance, const char *reason,
                                          hf_error *error);
/* Lets it run again, whatever suspended it. An instance whose code does not do what its history
 * says is suspended by the worker that finds it (hf_instance.suspension, code "nondeterminism"):
 * nothing of it is lost, and it goes on when it is resumed with code that fits. It is not
 * suspended: HF_OK, no effect. Errors and threads as hf_enqueue. */
HF_API HF_MUST_CHECK hf_status hf_resume(hf_store *store, const char *instance, hf_error *error);

typedef struct hf_restart_options {
    size_t size;
    const char *instance;
    uint64_t from_event; /* of its latest execution: from 2; 0: from its start, anew */
    hf_slice input;      /* anew: instead of the one that it had; data NULL: the same */
} hf_restart_options;

/* Lets an instance that has ended run again, as its next execution; who waited for its end has been
 * told, and its parent is not told again. Values and custom status are as they were there.
 *   Anew: with its input, by the version that the policy chooses now.
 *   From an event: history is kept up to the turn that has the event, and that turn runs anew.
 * Messages, raised events and outcomes of children from there on come again. Activities and timers
 * whose outcome history does not have are scheduled again, sessions that were open are open again,
 * cold; children whose outcome it does not have fail with code "restarted". Errors:
 * HF_STILL_RUNNING, HF_NOT_FOUND; HF_INVALID: no such event, or the execution began with sessions
 * that a former one had opened (code "carried_sessions": only anew); HF_BUSY: what it had is being
 * cleared up by a worker, try again soon; HF_CORRUPT; HF_STALE: somebody else did it, code
 * "restarted"; otherwise as hf_start. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_restart(hf_store *store, const hf_restart_options *options,
                                          hf_error *error);
/* Restarts an instance from its latest dead letter on (hf_next_dead_letter): the turn that was
 * given up, or the turn that was told of the activity. Its dead letters go. Errors: as hf_restart;
 * HF_NOT_FOUND code "no_dead_letter": its latest execution has none. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_requeue(hf_store *store, const char *instance, hf_error *error);

typedef enum hf_command_kind {
    HF_COMMAND_START = 1,
    HF_COMMAND_ENQUEUE,
    HF_COMMAND_CANCEL,
    HF_COMMAND_TERMINATE,
    HF_COMMAND_RAISE,
    HF_COMMAND_DELETE,
    HF_COMMAND_SUSPEND,
    HF_COMMAND_RESUME
} hf_command_kind;

typedef struct hf_command {
    size_t size;
    hf_command_kind kind;
    const char *instance;
    const char *name; /* orchestration (start), queue (enqueue), event (raise), else NULL */
    hf_slice data;    /* input, message, reason, or data of the event */
    const char *idempotency_key; /* NULL: none. A repeat with it is HF_OK and takes effect once;
                                    what another command has used is HF_INVALID */
    void (*on_done)(void *user, const hf_error *error); /* may be NULL */
    void *user;
    bool even_running;   /* of a deletion */
    const char *version; /* of a start: of its orchestration; NULL: by the policy of the registry
                            that runs it */
    bool whole_tree;     /* of a deletion: as hf_delete_tree */
} hf_command;

/* The same commands without blocking: many in flight share one commit. HF_OK: on_done runs exactly
 * once, later, on a thread of the library, and must not block there. Not HF_OK: on_done never runs.
 * Errors: HF_BUSY when too much is in flight, HF_INVALID, HF_TOO_LARGE, HF_NO_MEMORY, HF_FORKED,
 * HF_CLOSED. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_submit(hf_store *store, const hf_command *command,
                                         hf_error *error);

/* A command, blocking: as hf_start and the others, with all that a command can say. on_done must be
 * NULL. Errors and threads as of the call of its kind. */
HF_API HF_MUST_CHECK hf_status hf_execute(hf_store *store, const hf_command *command,
                                          hf_error *error);

typedef enum hf_instance_status {
    HF_INSTANCE_PENDING = 1, /* started, no turn committed yet */
    HF_INSTANCE_RUNNING,
    HF_INSTANCE_COMPLETED,
    HF_INSTANCE_FAILED,
    HF_INSTANCE_CANCELLED,
    HF_INSTANCE_TERMINATED
} hf_instance_status;

typedef struct hf_instance {
    size_t size;
    const char *id, *orchestration;
    hf_instance_status status;
    uint64_t execution;                      /* from 1; continue-as-new starts the next */
    uint64_t started_unix_ms, ended_unix_ms; /* ended 0: not yet */
    uint64_t events_count;                   /* of the present execution */
    hf_slice output;                         /* when completed; empty otherwise */
    hf_slice custom_status;                  /* of hf_status_set */
    uint64_t custom_status_version;          /* counts its changes */
    const hf_error *error;                   /* NULL unless failed, cancelled or terminated */
    const hf_error *suspension; /* why its code does not run; NULL: it does, or it has ended. Code
                                   "suspended" of hf_suspend, "nondeterminism" of a worker */
    const char *version;        /* of the code of the present execution; "": not chosen yet */
    const char *parent; /* id of the instance whose child it was started as; NULL: nobody's, or that
                           is deleted */
    const char *root;   /* the topmost of that line, itself without one; NULL: it is deleted */
} hf_instance;

/* Reads the instance. Returns owned: hf_instance_free. Errors: HF_NOT_FOUND, HF_CORRUPT, HF_IO,
 * HF_NO_MEMORY. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_get(hf_store *store, const char *instance,
                                      const hf_instance **out_instance, hf_error *error);
/* Waits until the instance has ended (woken by commits, of other processes too), then as hf_get.
 * timeout_ms 0: no limit. Errors: HF_TIMEOUT and those of hf_get. Blocks: never call it from an
 * orchestration, an observer or on_done. */
HF_API HF_MUST_CHECK hf_status hf_wait(hf_store *store, const char *instance, uint64_t timeout_ms,
                                       const hf_instance **out_instance, hf_error *error);
/* Waits until the custom status is newer than that version (hf_instance.custom_status_version; 0:
 * there is one), or the instance has ended. Otherwise as hf_wait. */
HF_API HF_MUST_CHECK hf_status hf_wait_status(hf_store *store, const char *instance,
                                              uint64_t newer_than_version, uint64_t timeout_ms,
                                              const hf_instance **out_instance, hf_error *error);
/* NULL is fine. */
HF_API void hf_instance_free(const hf_instance *instance);

/* A value that an instance has set with hf_kv_set. */
typedef struct hf_value {
    size_t size;
    const char *key;
    hf_slice value;
    uint64_t set_unix_ms; /* the clock of the turn that set it */
} hf_value;

/* Reads what is committed of a value; also of an instance that has ended. Returns owned:
 * hf_value_free. Errors: HF_NOT_FOUND, with code "no_instance" or "no_value", HF_INVALID,
 * HF_CORRUPT, HF_IO, HF_NO_MEMORY. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_kv_read(hf_store *store, const char *instance, const char *key,
                                          const hf_value **out_value, hf_error *error);
/* Waits until the key has a value, then as hf_kv_read. An instance that has ended without one:
 * HF_NOT_FOUND, code "no_value". timeout_ms, HF_TIMEOUT and threads as hf_wait. */
HF_API HF_MUST_CHECK hf_status hf_kv_wait(hf_store *store, const char *instance, const char *key,
                                          uint64_t timeout_ms, const hf_value **out_value,
                                          hf_error *error);
/* NULL is fine. */
HF_API void hf_value_free(const hf_value *value);

/* How far an activity is that waits or runs. */
typedef struct hf_progress {
    size_t size;
    hf_slice progress;         /* of its latest report; empty: it said nothing */
    uint64_t reported_unix_ms; /* 0: it has not reported */
    uint32_t attempt;          /* deliveries that count, so far */
    bool is_running;           /* false: it waits */
} hf_progress;

/* Reads what an activity reported last (hf_activity_report), up to a quarter of a second late.
 * activity_id is the event of the instance's present execution that scheduled it. What is read may
 * be gone once: a store that was rebuilt has no progress. Returns owned: hf_progress_free. Errors:
 * HF_NOT_FOUND, with code "no_instance", or "no_activity": it has ended, or there is none;
 * HF_INVALID, HF_CORRUPT, HF_IO, HF_NO_MEMORY. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_progress_read(hf_store *store, const char *instance,
                                                uint64_t activity_id,
                                                const hf_progress **out_progress, hf_error *error);
/* NULL is fine. */
HF_API void hf_progress_free(const hf_progress *progress);

/* ---- looking into a store -------------------------------------------------------------------- */

/* What to read: rows that fulfil all that is given. */
typedef struct hf_query {
    size_t size;
    const char *instance;  /* of this instance, or itself; NULL: of all */
    const char *worker_id; /* sessions that a worker of this id holds; NULL: held by any, or none */
    uint64_t quiet_ms;     /* sessions without an activity, queued or running, for so long */
    uint64_t limit;        /* at most so many; 0: no limit */
    const char *id_prefix; /* instances whose id begins so; NULL: any */
    const char *orchestration;                            /* instances of this name; NULL: any */
    hf_instance_status status;                            /* instances of this status; 0: any */
    uint64_t started_from_unix_ms, started_until_unix_ms; /* instances that were started then,
                                                             inclusive; 0: no bound */
    bool newest_first;  /* instances by falling time of their start; default: rising */
    uint64_t execution; /* whose events; 0: the present one's */
    const char *root;   /* this instance and all that stem from it: its children, theirs, ... */
    uint64_t ended_until_unix_ms; /* instances that have ended by then; 0: any */
} hf_query;

typedef struct hf_cursor hf_cursor;

/* Begins to read; query NULL: all. What is read is decided by the first hf_next_... that is called;
 * what the query says of other rows has no effect. The cursor reads page by page and holds nothing
 * of the store in between: it may stay open for hours, and what changes meanwhile is seen or not.
 * Returns owned: hf_cursor_close, before the store is closed. Errors: HF_NOT_FOUND (the instance),
 * HF_INVALID, HF_IO, HF_NO_MEMORY, HF_FORKED. Any thread; one at a time uses a cursor. */
HF_API HF_MUST_CHECK hf_status hf_query_open(hf_store *store, const hf_query *query,
                                             hf_cursor **out_cursor, hf_error *error);
/* Frees the cursor. NULL is fine. Errors: why hf_next_... ended early: HF_CORRUPT, HF_IO,
 * HF_NO_MEMORY, HF_FORKED, HF_INVALID (rows of another kind than before, or the query names no
 * instance where they are one's). */
HF_API HF_MUST_CHECK hf_status hf_cursor_close(hf_cursor *cursor, hf_error *error);

/* Each gives the next row; false: there are no more, or an error ended it, which hf_cursor_close
 * tells. Valid until: the next call with the cursor. Threads as hf_query_open. */

/* Instances, by their start. */
HF_API bool hf_next_instance(hf_cursor *cursor, const hf_instance **out_row);

/* An execution of an instance. */
typedef struct hf_execution_info {
    size_t size;
    uint64_t execution;                      /* from 1 */
    hf_instance_status status;               /* of the present one; 0: it continued as new */
    uint64_t started_unix_ms, ended_unix_ms; /* ended 0: not yet */
    uint64_t events_count;
} hf_execution_info;
/* Executions of the query's instance, the first one first; those that were pruned are not there. */
HF_API bool hf_next_execution(hf_cursor *cursor, const hf_execution_info **out_row);

/* An event of history. What its kind does not have is NULL, 0 or empty; docs/format.md lists them.
 */
typedef struct hf_event_info {
    size_t size;
    uint64_t event_id; /* from 1 */
    const char *kind;  /* "activity_scheduled" */
    uint64_t lsn;      /* of the record that holds its bytes */
    uint64_t unix_ms;  /* of that record */
    uint64_t source;   /* event that it answers, or belongs to */
    const char *name;  /* of an activity, orchestration, mailbox, event, key or change */
    const char *text;  /* a session, an instance, a reason, the message of an error */
    const char *code;  /* of an error */
    const char *tag, *version;
    hf_slice payload;
    uint64_t due_unix_ms; /* of a timer */
} hf_event_info;
/* Events of an execution of the query's instance, in order; read whole at the first call. */
HF_API bool hf_next_event(hf_cursor *cursor, const hf_event_info **out_row);

/* Values of the query's instance, by key, as they are in one view. */
HF_API bool hf_next_value(hf_cursor *cursor, const hf_value **out_row);

/* What was given up as poison: an activity, or a turn with its instance. */
typedef struct hf_dead_letter {
    size_t size;
    const char *instance, *orchestration;
    const char *activity;         /* NULL: a turn */
    uint64_t execution, event_id; /* that scheduled it; 0: a turn */
    uint64_t attempts_count;      /* that were counted */
    uint64_t deaths_count;        /* of an activity's: how often its process died */
    uint64_t given_up_unix_ms;
    uint64_t lsn; /* of the record that did */
} hf_dead_letter;
/* Dead letters, by instance; they stay until it is restarted or deleted. */
HF_API bool hf_next_dead_letter(hf_cursor *cursor, const hf_dead_letter **out_row);

/* An open session. In on_session what the runtime does not know is 0: lease_left_ms and what is
 * below it. */
typedef struct hf_session_info {
    size_t size;
    const char *instance, *session;
    const char *owner; /* worker id; NULL: nobody holds it */
    const char *tag;   /* NULL: none */
    uint64_t incarnation, epoch;
    uint64_t registration_lsn;            /* of the owner; 0: nobody */
    uint64_t lease_left_ms;               /* 0: passed, or nobody holds it */
    uint64_t queued_count, running_count; /* its activities */
    uint64_t opened_unix_ms;
    uint64_t quiet_unix_ms; /* since then it has no activity, queued or running; 0: it has some */
} hf_session_info;
/* Open sessions, by instance and incarnation. */
HF_API bool hf_next_session(hf_cursor *cursor, const hf_session_info **out_row);

/* Removes what has ended: the trees (hf_delete_tree) of the instances that the query asks for, as
 * hf_next_instance gives them, and that are nobody's children. Trees of which one still runs, or
 * that are too large for one transaction, are passed over, and so is what stems from others. At
 * most limit trees; limit 0: 1,000. *out_count (may be NULL): how many instances were removed.
 * Each tree goes whole or not at all; some hundred go together. Errors: as hf_query_open and
 * hf_delete; what was removed before stays so. Blocks. Any thread but one of an orchestration or
 * observer. */
HF_API HF_MUST_CHECK hf_status hf_delete_many(hf_store *store, const hf_query *query,
                                              uint64_t *out_count, hf_error *error);

/* Which former executions go: those that are beyond keep_last and ended by then. */
typedef struct hf_prune_options {
    size_t size;
    const char *instance; /* NULL: of all instances, running ones too */
    uint64_t keep_last;   /* so many of its latest executions stay; 0 is 1, the present one */
    uint64_t ended_until_unix_ms; /* 0: whenever they ended */
} hf_prune_options;
/* Removes the history of former executions, the first ones first; never of the present one, and
 * nothing else: values, custom status, sessions stay. options NULL: all former ones of all
 * instances. *out_count (may be NULL): how many executions. Errors and threads: as hf_delete_many.
 */
HF_API HF_MUST_CHECK hf_status hf_prune(hf_store *store, const hf_prune_options *options,
                                        uint64_t *out_count, hf_error *error);

/* How much of everything is there. */
typedef struct hf_stats {
    size_t size;
    uint64_t pending_count, running_count, completed_count, failed_count, cancelled_count,
        terminated_count;                    /* instances */
    uint64_t suspended_count;                /* of them */
    uint64_t executions_count, events_count; /* of all instances; events that are kept */
    uint64_t messages_count;                 /* that no turn has taken yet */
    uint64_t turns_due_count;                /* that nobody runs */
    uint64_t activities_waiting_count, activities_running_count;
    uint64_t timers_count; /* also pauses of activities that were handed back */
    uint64_t sessions_count, values_count, dead_letters_count;
    uint64_t workers_count; /* registered, and not declared dead */
} hf_stats;
/* Counts, in one view. It looks at every instance. Errors: HF_CORRUPT, HF_IO, HF_NO_MEMORY,
 * HF_FORKED, HF_INVALID. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_stats_read(hf_store *store, hf_stats *out_stats, hf_error *error);

/* ---- registry and runtime -------------------------------------------------------------------- */

typedef hf_status (*hf_orchestration_fn)(hf_orchestration *o, hf_slice input);
typedef hf_status (*hf_activity_fn)(hf_activity *a, hf_slice input);

typedef struct hf_orchestration_settings {
    size_t size;
    const void *user;    /* Borrows; read-only and the same at every replay */
    const char *version; /* three numbers of 32 bits; default "1.0.0" */
} hf_orchestration_settings;

typedef struct hf_activity_settings {
    size_t size;
    void *user; /* Borrows */
} hf_activity_settings;

/* An empty registry; NULL only when out of memory. Returns owned: hf_registry_free. */
HF_API hf_registry *hf_registry_new(void);
/* After its runtimes are freed. NULL is fine. */
HF_API void hf_registry_free(hf_registry *registry);
/* Names the function that runs instances of orchestration `name`. settings may be NULL. Mistakes
 * (bad name, twice the same, no memory) are remembered and reported by hf_runtime_new; registry
 * NULL, since hf_registry_new found no memory, has no effect and is reported there too. Names that
 * begin with "holdfast." are reserved.
 *
 * A name may have several versions. The one with which an execution begins runs it to its end,
 * whatever is registered later; continue-as-new begins the next. A start that asks for none gets
 * the latest, or the one of hf_register_policy, when its first turn is run. Work for a name or
 * version that a process lacks is left to others that have it; handed back too often
 * (attempts_max), it ends as poison. */
HF_API void hf_register_orchestration(hf_registry *registry, const char *name,
                                      hf_orchestration_fn run,
                                      const hf_orchestration_settings *settings);
/* Which version of that name begins where none is asked for: exactly this one; NULL: the latest, as
 * without a policy. Mistakes as above. */
HF_API void hf_register_policy(hf_registry *registry, const char *name, const char *version);
/* What a registry holds. Valid until: it is freed. */
typedef struct hf_registry_entry {
    size_t size;
    const char *name;
    const char *version; /* of an orchestration; NULL: an activity */
} hf_registry_entry;
/* The entry at index: orchestrations by name and version, then activities by name. False: there are
 * not so many. */
HF_API bool hf_registry_at(const hf_registry *registry, size_t index, hf_registry_entry *out_entry);
/* Names the function that runs activity `name`. Otherwise as hf_register_orchestration. */
HF_API void hf_register_activity(hf_registry *registry, const char *name, hf_activity_fn run,
                                 const hf_activity_settings *settings);

typedef struct hf_runtime_options {
    size_t size;
    const char *worker_id;          /* default: 128 random bits */
    uint32_t orchestration_threads; /* default 1; UINT32_MAX: this process runs no orchestrations */
    uint32_t activity_threads;      /* default: processors; UINT32_MAX: it runs no activities */
    uint32_t sessions_max;          /* default 100; UINT32_MAX: never any session work */
    uint32_t sessions_per_orchestration_max; /* default 10 */
    uint32_t live_instances_max;     /* kept between turns; default 1,000; UINT32_MAX: none */
    size_t orchestration_stack_size; /* default 64 KiB */
    uint64_t session_lock_ms;        /* default 600,000 */
    uint64_t item_lock_ms;           /* default 30,000 */
    bool check_replay; /* replay each resumed turn from history and compare: tests, at some cost */
    uint64_t session_idle_ms; /* a session without work for so long is released; default: never */
    uint64_t cancel_grace_ms; /* an activity told to stop that runs on so long is reported as
                                 stuck; default 10,000 */
    uint64_t session_reclaim_ms; /* after this worker's death its sessions wait so long for the next
                                    start of its worker_id; default 0: anybody's at once */
    uint64_t session_leak_ms;    /* an open session without work for so long is reported as leaked;
                                    default 86,400,000; UINT64_MAX: never */
    uint32_t attempts_max;       /* of an activity, beside deaths of its process; then it fails with
                                    the code "poison". Of a turn, deaths included; then its instance
                                    fails so. Default 10 */
    const char *const *tags;     /* Copies. Work with one of these tags is done besides work without
                                    a tag; default: that alone */
    uint32_t tags_count;         /* at most 64 */
    /* May be NULL. Called when this worker has gained a session (from its first activity on) and
     * when it has it no more: released, closed, lost, or the runtime has stopped; each gain is
     * followed by exactly one loss. On a thread of the library that renews the leases of this
     * runtime: it must not block. */
    void (*on_session)(void *user, const hf_session_info *session, bool gained);
    void *user;                 /* Borrows: passed to on_session */
    uint32_t kv_keys_max;       /* values that an instance may have; default 100 */
    uint64_t kv_value_size_max; /* of each; default 16,384; payload_size_max bounds it, too */
    /* Executions that were begun by library versions from min to max, as hf_version packs them, are
     * run here; others are left alone, neither locked nor counted. Default: up to this library's.
     */
    uint32_t engine_version_min, engine_version_max;
    uint32_t detached_max; /* activities that may be detached at a time; with so many no other one
                              is taken; default 100 */
    hf_test_clock *test_clock;   /* Borrows; NULL: none. The store's clock: see hf_test_clock_new */
    uint64_t history_events_max; /* of an execution; at half of it the log says
                                    instance.history_long, beyond it the instance fails, code
                                    "history_full"; default 200,000 */
    uint64_t turn_warn_ms; /* a turn whose code runs for so long without an await is reported, once,
                              as turn.stuck, and as turn.unstuck when it comes back after all;
                              looked at four times a second. Default 5,000; UINT64_MAX: never */
} hf_runtime_options;

/* A runtime that does not run yet. Returns owned: hf_runtime_free. Errors: HF_INVALID (the
 * registry's mistakes too), HF_NO_MEMORY, HF_FORKED. Borrows store and
 * registry until it is freed. */
HF_API HF_MUST_CHECK hf_status hf_runtime_new(hf_store *store, const hf_registry *registry,
                                              const hf_runtime_options *options,
                                              hf_runtime **out_runtime, hf_error *error);
/* Registers the worker and works on threads of its own. Errors: HF_WORKER_ALIVE, HF_IO and those of
 * a command. Once only. */
HF_API HF_MUST_CHECK hf_status hf_runtime_start(hf_runtime *runtime, hf_error *error);
struct uv_loop_s;
/* The same on the caller's libuv loop, instead of a loop thread of the runtime's own. To be called
 * by the thread that runs the loop; it blocks until the worker is registered. On that thread, in
 * callbacks of the loop that never block, leases are renewed, timers are looked at, and on_session
 * and on_stopped are called. Orchestrations, activities and commits have threads of their own as
 * ever. A loop that is blocked for longer than the leases last loses its work to others, like a
 * process that is stopped.
 *   The runtime keeps the loop running until it has stopped; then nothing of it is left there, and
 * the loop may be closed. Stop it as always, and go on running the loop until on_stopped was
 * called; then hf_runtime_free. hf_runtime_free by the loop's thread before that runs the loop
 * itself, so not in one of its callbacks; by another thread it waits for the loop to be run.
 * hf_runtime_join on the loop's thread: HF_INVALID, unless it has stopped. Borrows loop until then.
 * Otherwise as hf_runtime_start. */
HF_API HF_MUST_CHECK hf_status hf_runtime_attach(hf_runtime *runtime, struct uv_loop_s *loop,
                                                 hf_error *error);
/* Stops fetching, releases sessions with nothing running at once, tells activities to stop, drains
 * for at most grace_ms, releasing each session with its last item, then abandons what still runs
 * (no attempt counted). Returns at once; on_stopped (may be NULL) runs once, on a thread of the
 * library, or inside this call when the runtime has stopped before: by a signal, or by itself,
 * since others ended its registration (worker.lost). A later call changes nothing; its on_stopped
 * runs only when no former call named one. Before hf_runtime_start it does nothing. Any thread. */
HF_API void hf_runtime_stop(hf_runtime *runtime, uint64_t grace_ms, void (*on_stopped)(void *user),
                            void *user);
/* The same with a grace of 10 s, from a signal handler: async-signal-safe. NULL is fine. */
HF_API void hf_runtime_stop_signal(hf_runtime *runtime);
/* Waits until the runtime has stopped; somebody must call stop. Errors: HF_INVALID when it was
 * never started, and where it would wait for itself: in on_session, on_stopped and on_done. */
HF_API HF_MUST_CHECK hf_status hf_runtime_join(hf_runtime *runtime, hf_error *error);
/* Stops it and waits, when it still runs; an activity that never returns is waited for. Not in a
 * function that the library calls. NULL is fine. */
HF_API void hf_runtime_free(hf_runtime *runtime);
/* Calls each once for every metric, and every bucket of a histogram, on the calling thread. Any
 * thread. */
HF_API void hf_runtime_metrics(hf_runtime *runtime,
                               void (*each)(void *user, const hf_metric *metric), void *user);

/* ---- testing ------------------------------------------------------------------------------------
 */

/* A clock for tests: its wall time stands still at start_unix_ms until it is moved. Give it to the
 * store (hf_store_options.clock = hf_test_clock_clock(...)) and to its runtime
 * (hf_runtime_options.test_clock): then time skips to the next timer whenever that runtime has
 * nothing else to do, and an orchestration that sleeps for a month ends in milliseconds. For one
 * runtime alone. Leases go by the machine's own clock. Returns owned: hf_test_clock_free; NULL: no
 * memory. */
HF_API hf_test_clock *hf_test_clock_new(uint64_t start_unix_ms);
/* After the store is closed. NULL is fine. */
HF_API void hf_test_clock_free(hf_test_clock *clock);
/* Borrows. Any thread, as the next two. */
HF_API const hf_clock *hf_test_clock_clock(const hf_test_clock *clock);
/* What it shows. */
HF_API uint64_t hf_test_clock_unix_ms(const hf_test_clock *clock);
/* Moves it forward. */
HF_API void hf_test_clock_advance(hf_test_clock *clock, uint64_t ms);

/* The history of an instance's present execution, as bytes that need no store. */
typedef struct hf_history {
    size_t size;
    hf_slice bytes;
    uint64_t execution, events_count;
} hf_history;
/* Exports it; also of an instance that runs. Returns owned: hf_history_free. Errors: HF_NOT_FOUND,
 * HF_INVALID, HF_CORRUPT, HF_IO, HF_NO_MEMORY, HF_FORKED. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_history_export(hf_store *store, const char *instance,
                                                 const hf_history **out_history, hf_error *error);
/* NULL is fine. */
HF_API void hf_history_free(const hf_history *history);
/* Replays an exported history with the code of a registry, without any store: whether a change fits
 * instances that are under way. HF_OK: it does; what the code does beyond the history has no
 * effect. Errors: HF_NONDETERMINISM: it does not; the message has the first difference with both
 * sides. HF_NOT_FOUND: no such orchestration or version. HF_CORRUPT, HF_FORMAT_NEWER: the bytes are
 * no history. HF_INVALID, HF_NO_MEMORY. Any thread. */
HF_API HF_MUST_CHECK hf_status hf_replay(const hf_registry *registry, hf_slice history,
                                         hf_error *error);

/* ---- authoring an orchestration ---------------------------------------------------------------
 * Ending. Return HF_OK (with hf_complete's output), or another status: the instance fails, and when
 *   that status came from the latest await its whole error is passed on. Pending futures are then
 *   cancelled, deferred clean-ups run in reverse order, the memory goes: an early return (HF_TRY)
 *   leaks nothing.
 *
 * Not returning. ANY call with hf_orchestration * may not return: the instance was evicted (it will
 *   be replayed), it failed for good (misuse, a limit), or nothing of this turn can be committed
 * (no memory, code that no longer does what history says): that is logged, and the turn is tried
 *   again later. Deferred clean-ups run then, too. Hence commands return values, not statuses; hold
 *   no lock and own no malloc across them without hf_defer.
 *
 * Cancellation. Each pending await returns HF_CANCELLED once; work scheduled after that runs
 *   normally, so the code can compensate. The instance ends as cancelled whatever it returns.
 *
 * Threads. An instance's function runs on one thread for as long as it is live, so thread-locals
 *   behave; they are lost at eviction, like every effect outside this API. The stack has 64 KiB by
 *   default, and a guard.
 *
 * Forbidden inside: clocks (hf_now_unix_ms is one that replays), random numbers (hf_random), I/O,
 *   locks, other threads, blocking, longjmp out, fork.
 */

/* Values: copy freely; {0} is none. A stale one fails the instance, it is never a wild pointer. */
typedef struct hf_future {
    uint64_t id;
} hf_future;
typedef struct hf_session {
    uint64_t id;
} hf_session;
typedef struct hf_scope {
    uint64_t id;
} hf_scope;

/* Schedules an activity: the command is issued by the call, not by the await. It waits until a
 * worker that has registered it takes it; workers without it log activity.unregistered and hand it
 * back for a growing while. Handed out too often (attempts_max), it fails with the code "poison".
 */
HF_API hf_future hf_schedule(hf_orchestration *o, const char *activity, hf_slice input);
/* Schedules it on an open session of this instance: it runs in the process that holds the session.
 * A session that is not open fails the instance. */
HF_API hf_future hf_schedule_on(hf_orchestration *o, hf_session session, const char *activity,
                                hf_slice input);
/* What to schedule.
 *
 * Tries. An activity that fails is scheduled again, as an item of its own, until tries_max were
 * made. To the code it is one future: it ends with the outcome of the last try. Only failures of
 * the activity are tried again: not HF_SESSION_LOST (what the session had in memory is gone, so its
 * opener decides), not the code "poison" (it was handed out too often already), not HF_TIMEOUT (the
 * try may be running still), but for a heartbeat's, and nothing once the future was cancelled or
 * its session closed. Each try, pause and limit stands in history; the policy does not, so new code
 * may have another one, if it fits what was done. The log says activity.retry. A pause is no work:
 * a session that is released when it is idle may be released in it.
 *
 * Time. A limit counts from scheduling on, so waiting for a worker counts; when it passes, the
 * future ends with HF_TIMEOUT and the try that runs is called off. */
typedef struct hf_activity_options {
    size_t size;
    const char *name;
    hf_slice input;
    hf_session session; /* an open one; {0}: none */
    const char *tag;    /* only workers that serve it take the activity; NULL: none. On a session:
                           its own, or NULL, which means its own; another fails the instance */
    uint32_t tries_max; /* default 1: none but the first */
    uint32_t backoff_percent;  /* of each pause to the one before; default 200: doubles; 100: fixed;
                                  less fails the instance */
    uint64_t backoff_first_ms; /* the first pause; default 100; UINT64_MAX: no pauses */
    uint64_t backoff_step_ms;  /* added to each further pause: with 100 percent they grow by it */
    uint64_t backoff_max_ms;   /* no pause is longer; default 30,000, or the first if that is longer
                                */
    uint64_t try_timeout_ms;   /* of each try; 0: none */
    uint64_t total_timeout_ms; /* of all tries and pauses together; 0: none */
    uint64_t start_timeout_ms; /* from each scheduling until a worker is given it; 0: none. Nobody
                                  was: HF_TIMEOUT, code "start_timeout", and it is not tried again
                                */
    uint64_t heartbeat_timeout_ms; /* between two reports of a try that runs (hf_activity_report);
                                      looked at four times a second. 0: it need not report. Over:
                                      HF_TIMEOUT, code "heartbeat_timeout", its last report as data;
                                      that try is told to stop, what it returns counts no more, and
                                      it is tried again as after a failure */
} hf_activity_options;
/* Schedules with options; the two calls above are short for it. */
HF_API hf_future hf_schedule_with(hf_orchestration *o, const hf_activity_options *options);
/* A durable timer: its due time is fixed now, by the wall clock of the turn. A delay of 0 ends with
 * the next turn; one beyond all time never ends. */
HF_API hf_future hf_timer(hf_orchestration *o, uint64_t delay_ms);
/* The same for a point in time; a past one: as a delay of 0. It must be the same at replay, so
 * count it from hf_now_unix_ms, an input or a message, never from a clock. */
HF_API hf_future hf_timer_at(hf_orchestration *o, uint64_t unix_ms);
/* The next message of mailbox queue: first in, first out; messages that came earlier count. */
HF_API hf_future hf_mailbox_take(hf_orchestration *o, const char *queue);

/* The next event of that name (hf_raise): each one that is raised reaches the oldest wait for it.
 * While nobody waits it answers no question: it is recorded and dropped, and what must not be
 * missed goes into a mailbox. A wait that is cancelled gives up its place. */
HF_API hf_future hf_event_wait(hf_orchestration *o, const char *event);

typedef struct hf_child_options {
    size_t size;
    const char *orchestration;
    const char *instance; /* the child's id; NULL: generated, never repeated in the store */
    hf_slice input;
    const char *version; /* NULL: by the policy of the registry that runs it */
} hf_child_options;

/* Starts another instance, a child, when the turn commits. Its output is the future's result. When
 * it does not complete, the await returns HF_FAILED with its code, message and data, or with code
 * "cancelled", "terminated" or "deleted"; or "child_exists": its id is taken. An instance that ends
 * asks its children that still run to stop, as hf_future_cancel asks one; so does continue-as-new.
 * A child is asked, not stopped: it may go on compensating when nobody waits for it any more.
 * Sessions are not shared with it. */
HF_API hf_future hf_child(hf_orchestration *o, const hf_child_options *options);

/* Starts another instance when the turn commits, also when this one ends with it. It is nobody's
 * child: nothing comes back, and nobody asks it to stop. Its id is taken: it is not started, and
 * the log says instance.detached_clash. */
HF_API void hf_start_detached(hf_orchestration *o, const hf_child_options *options);

/* Waits for future. out_result may be NULL. Valid until: the scope in which the future was made
 * ends. Awaiting a finished future again gives the same outcome at once. Returns HF_OK, HF_FAILED,
 * HF_CANCELLED, HF_SESSION_CLOSED, HF_SESSION_LOST, or HF_TIMEOUT of hf_activity_options. */
HF_API HF_MUST_CHECK hf_status hf_await(hf_orchestration *o, hf_future future,
                                        hf_slice *out_result);
/* As hf_await; HF_TIMEOUT after timeout_ms, and then the future is cancelled. */
HF_API HF_MUST_CHECK hf_status hf_await_within(hf_orchestration *o, hf_future future,
                                               uint64_t timeout_ms, hf_slice *out_result);
/* Waits until all are done. Returns HF_OK, or the status of the first in the array that has
 * another. Results come from hf_await, then at once. None at all: HF_OK. */
HF_API HF_MUST_CHECK hf_status hf_join(hf_orchestration *o, const hf_future *futures, size_t count);
/* Waits until one is done, and cancels the others. *out_winner (may be NULL) is its index: of
 * several that are done, the first in the array. Its outcome comes from hf_await. Returns HF_OK, or
 * HF_CANCELLED when the winner was cancelled: by hf_future_cancel, or since the instance was asked
 * to stop. None at all fail the instance. */
HF_API HF_MUST_CHECK hf_status hf_select(hf_orchestration *o, const hf_future *futures,
                                         size_t count, size_t *out_winner);
/* Calls the work off, and an await returns HF_CANCELLED. A command of the turn: no await. Done
 * already: no effect. */
HF_API void hf_future_cancel(hf_orchestration *o, hf_future future);
/* Whether an await would return at once; the same at replay. */
HF_API bool hf_future_is_done(hf_orchestration *o, hf_future future);
/* Of the latest await that did not return HF_OK, or of hf_fail; all zero before. Valid until: the
 * next of these. */
HF_API const hf_error *hf_orchestration_error(hf_orchestration *o);

/* Schedule and await in one. */
HF_API HF_MUST_CHECK hf_status hf_call(hf_orchestration *o, const char *activity, hf_slice input,
                                       hf_slice *out_result);
/* The same on a session. */
HF_API HF_MUST_CHECK hf_status hf_call_on(hf_orchestration *o, hf_session session,
                                          const char *activity, hf_slice input,
                                          hf_slice *out_result);
/* The same with options. */
HF_API HF_MUST_CHECK hf_status hf_call_with(hf_orchestration *o, const hf_activity_options *options,
                                            hf_slice *out_result);
/* Timer and await in one. */
HF_API HF_MUST_CHECK hf_status hf_sleep(hf_orchestration *o, uint64_t delay_ms);
/* Mailbox take and await in one. */
HF_API HF_MUST_CHECK hf_status hf_dequeue(hf_orchestration *o, const char *queue,
                                          hf_slice *out_message);

/* What becomes of a session's activities when another claim begins: its owner died, stopped, or let
 * it go, and what it had in memory is gone. */
typedef enum hf_session_recovery {
    HF_SESSION_MOVE,   /* they run on the new owner, cold: they look at first_in_claim */
    HF_SESSION_FAIL,   /* those scheduled before the new claim end with HF_SESSION_LOST */
    HF_SESSION_REBUILD /* an activity of the session's own runs first, once a claim, and fills its
                          memory; its activity_id is 0. When it fails, those that wait for it end
                          with HF_SESSION_LOST, and it runs again before the next one that is
                          scheduled */
} hf_session_recovery;

/* Opens a session with a generated id, never repeated in the instance. A command of the turn: no
 * await. Sessions survive continue-as-new open. Over the limit of open sessions the instance fails.
 */
HF_API hf_session hf_session_open(hf_orchestration *o);
/* The same with an id of 1..255 bytes; open already: that one, and no command. Another id fails the
 * instance. */
HF_API hf_session hf_session_open_id(hf_orchestration *o, const char *id);
typedef struct hf_session_options {
    size_t size;
    const char *id;  /* NULL: generated */
    const char *tag; /* only workers that serve it claim the session; NULL: none */
    hf_session_recovery recovery;
    const char *rebuild; /* the activity of HF_SESSION_REBUILD: needed there, NULL elsewhere */
    hf_slice rebuild_input;
} hf_session_options;
/* The same with options. Open already: that one, with the options that it was opened with. */
HF_API hf_session hf_session_open_with(hf_orchestration *o, const hf_session_options *options);
/* Names a session of this instance, open or not: no command, no event. */
HF_API hf_session hf_session_named(hf_orchestration *o, const char *id);
/* Closes it when the turn commits; pending activities on it end with HF_SESSION_CLOSED now.
 * Recorded always; not open: no other effect. */
HF_API void hf_session_close(hf_orchestration *o, hf_session session);
/* Valid until: the execution ends. */
HF_API const char *hf_session_id(hf_orchestration *o, hf_session session);

/* What code may not ask the world for, since it must be the same at replay: the answer is recorded
 * in history, in the same turn and without a round trip. */

/* The wall clock of the turn, which never goes back within an execution. It stands still while the
 * code runs, until the next message (an outcome, a timer, ...) is delivered; reading it again until
 * then records nothing. */
HF_API uint64_t hf_now_unix_ms(hf_orchestration *o);
/* 64 random bits, from the system's source. Recorded: not for secrets. */
HF_API uint64_t hf_random(hf_orchestration *o);
/* A random UUID as text: version 4 of RFC 9562, "f81d4fae-7dec-4bad-a765-00a0c91e6bf6". Valid
 * until: the scope ends. */
HF_API const char *hf_uuid(hf_orchestration *o);

/* Makes a change of the code safe for instances that are under way. Where the new way leaves the
 * old one:
 *
 *     if (hf_patched(o, "ask-before-paying")) HF_TRY(ask(o));
 *
 * change_id has one answer in an execution, given where the code asks first:
 *   beyond history   true, and recorded in history: true at every replay
 *   at replay        true when it was recorded there; else false, since the code that made this
 *                    history went the old way there
 * So who had not come to that place goes the new way, even when old code began it; who had passed
 * it keeps to the old one until the execution ends, wherever the same id is asked again.
 * continue-as-new begins an execution, which asks anew.
 *
 * What was recorded must be asked for at every replay; else HF_NONDETERMINISM. When all executions
 * that answer false have ended, delete the old way and put hf_patch_retired in the place of the
 * call; when those that recorded it have ended too, delete that. */
HF_API bool hf_patched(hf_orchestration *o, const char *change_id);
/* Stands where hf_patched stood, after the old way was deleted: accepts what was recorded, records
 * nothing. */
HF_API void hf_patch_retired(hf_orchestration *o, const char *change_id);

/* Values of the instance, by key: they outlive its executions and its end, until it is deleted, and
 * clients read them (hf_kv_read). The code sees what it wrote itself, at once; clients see what was
 * committed. Writing is a command of the turn, reading none. Keys have 1..255 bytes. */

/* Sets a value, with the time of the turn. At most kv_keys_max keys, and kv_value_size_max bytes a
 * value (hf_runtime_options): else the instance fails. */
HF_API void hf_kv_set(hf_orchestration *o, const char *key, hf_slice value);
/* Whether the key has a value; *out_value (may be NULL) is a copy. Valid until: the scope ends. */
HF_API bool hf_kv_get(hf_orchestration *o, const char *key, hf_slice *out_value);
/* How many keys have a value. */
HF_API size_t hf_kv_count(hf_orchestration *o);
/* The key at index, in the order of their bytes; beyond the last one the instance fails. Valid
 * until: the scope ends. */
HF_API const char *hf_kv_key(hf_orchestration *o, size_t index);
/* Removes the value of a key; NULL: all values. Nothing there: no command. */
HF_API void hf_kv_clear(hf_orchestration *o, const char *key);
/* Removes the values that were last set before that time; returns how many. */
HF_API size_t hf_kv_clear_older(hf_orchestration *o, uint64_t unix_ms);

/* Shows status to clients: hf_instance.custom_status. At most 256 KiB, else the instance fails;
 * empty: none any more. It outlives executions, and the end. */
HF_API void hf_status_set(hf_orchestration *o, hf_slice status);
/* What was shown last, a copy. Valid until: the scope ends. */
HF_API hf_slice hf_status_get(hf_orchestration *o);
/* Valid until: the execution ends. */
HF_API const char *hf_instance_id(const hf_orchestration *o);
/* Who the instance is; the same at every replay of the execution. */
typedef struct hf_orchestration_info {
    size_t size;
    const char *instance, *orchestration, *version;
    uint64_t execution; /* from 1 */
    const char *parent; /* id of the instance whose child it was started as; NULL: nobody's */
} hf_orchestration_info;
/* Valid until: the execution ends. */
HF_API const hf_orchestration_info *hf_orchestration_about(const hf_orchestration *o);
/* The user pointer of the registration. */
HF_API const void *hf_orchestration_user(const hf_orchestration *o);
/* Whether the code is catching up with history. Only for logging and the like: decisions must not
 * depend on it. */
HF_API bool hf_is_replaying(const hf_orchestration *o);
/* Whether it is time to continue as new (over 1,000 events); the same at replay. */
HF_API bool hf_history_is_long(const hf_orchestration *o);
/* Logs through the store's observer, once: not at replay. */
HF_API void hf_log(hf_orchestration *o, hf_log_level level, const char *format, ...)
    HF_PRINTF(3, 4);

/* Memory. Everything got from o lives in its innermost open scope; the outermost is the execution.
 * An endless loop resets a scope at its top: memory and pending futures of the former round go. */
HF_API hf_scope hf_scope_open(hf_orchestration *o);
/* Cancels pending futures made in the scope, frees its memory, and closes scopes opened inside it.
 */
HF_API void hf_scope_reset(hf_orchestration *o, hf_scope scope);
/* The same, and the scope is gone. */
HF_API void hf_scope_close(hf_orchestration *o, hf_scope scope);
/* Zeroed, aligned for anything; never NULL. Valid until: the scope ends. */
HF_API void *hf_alloc(hf_orchestration *o, size_t size);
/* printf into memory of the scope. */
HF_API hf_slice hf_format(hf_orchestration *o, const char *format, ...) HF_PRINTF(2, 3);
/* A copy that outlives `scope`: it lives in the scope around it. */
HF_API hf_slice hf_keep(hf_orchestration *o, hf_scope scope, hf_slice slice);
/* clean_up(argument) runs when the execution ends here: at its end, failure or eviction. It frees
 * memory only, and may run several times in an execution (once for each replay). */
HF_API void hf_defer(hf_orchestration *o, void (*clean_up)(void *argument), void *argument);

/* `return hf_complete(o, output);` ends the instance as completed. */
HF_API HF_MUST_CHECK hf_status hf_complete(hf_orchestration *o, hf_slice output);
/* `return hf_fail(o, "refused", "by %s", who);` ends it as failed. */
HF_API HF_MUST_CHECK hf_status hf_fail(hf_orchestration *o, const char *code, const char *format,
                                       ...) HF_PRINTF(3, 4);
/* The same with data, which parent and client see: hf_error.data. */
HF_API HF_MUST_CHECK hf_status hf_fail_with(hf_orchestration *o, const char *code, hf_slice data,
                                            const char *format, ...) HF_PRINTF(4, 5);
/* `return hf_continue_as_new(o, input);` ends the execution and starts the next with a short
 * history. Open sessions and messages not taken yet are carried on. */
HF_API HF_MUST_CHECK hf_status hf_continue_as_new(hf_orchestration *o, hf_slice input);
typedef struct hf_continue_options {
    size_t size;
    hf_slice input;
    const char *version; /* NULL: by the policy of the registry that runs it */
} hf_continue_options;
/* The same with options. */
HF_API HF_MUST_CHECK hf_status hf_continue_as_new_with(hf_orchestration *o,
                                                       const hf_continue_options *options);

/* ---- writing an activity -----------------------------------------------------------------------
 * A plain function on a pool thread; it may block; it runs at least once. Return HF_OK, what
 * hf_activity_fail gave, or HF_CANCELLED once told to stop. Any other status fails the activity
 * with the status name as code. */

/* Sets the output: `return hf_activity_complete(a, output);`. Errors: HF_TOO_LARGE. */
HF_API HF_MUST_CHECK hf_status hf_activity_complete(hf_activity *a, hf_slice output);
/* Fails the activity with a typed error: `return hf_activity_fail(...)`. Returns HF_FAILED. */
HF_API HF_MUST_CHECK hf_status hf_activity_fail(hf_activity *a, const char *code, hf_slice data,
                                                const char *format, ...) HF_PRINTF(4, 5);

typedef struct hf_activity_info {
    size_t size;
    const char *instance, *activity, *worker_id;
    const char *session;         /* NULL: an ordinary activity */
    uint64_t incarnation, epoch; /* of the session; 0 without one */
    bool first_in_claim;         /* the first activity of the session here since it was claimed */
    uint64_t execution, activity_id;
    uint32_t attempt;            /* delivery of this item that counts, from 1 */
    const char *idempotency_key; /* the same for every delivery of this item; another for each try
                                  */
    const char *tag;             /* NULL: none */
    uint32_t deaths;             /* of the deliveries before this one: how often the process that
                                    ran it died */
    const char *orchestration, *version; /* of the instance's code */
    hf_slice progress; /* what a former delivery of this item reported last; empty: nothing, or it
                          was lost */
} hf_activity_info;

/* Valid until: the function returns. */
HF_API const hf_activity_info *hf_activity_about(const hf_activity *a);
/* The user pointer of the registration. */
HF_API void *hf_activity_user(const hf_activity *a);
/* Logs through the store's observer. */
HF_API void hf_activity_log(hf_activity *a, hf_log_level level, const char *format, ...)
    HF_PRINTF(3, 4);
/* Says how far it is, which clients read (hf_progress_read) and the next delivery of the item is
 * told, and that it lives (hf_activity_options.heartbeat_timeout_ms). progress has at most 4,000
 * bytes, and may be empty. It costs no commit: what was said last is written now and then, a few
 * times a second at most. Returns HF_CANCELLED once it was told to stop, so that
 * `HF_TRY(hf_activity_report(a, ...))` ends it then; the report counts all the same. Errors:
 * HF_TOO_LARGE, HF_NO_MEMORY. */
HF_API HF_MUST_CHECK hf_status hf_activity_report(hf_activity *a, hf_slice progress);
/* Whether it was told to stop: cancelled, session lost or closed, shutdown. */
HF_API bool hf_activity_is_cancelled(const hf_activity *a);
/* Waits until it is told to stop, at most timeout_ms; returns whether it was. */
HF_API bool hf_activity_wait_cancelled(const hf_activity *a, uint64_t timeout_ms);
/* A descriptor that becomes readable when it is told to stop, to be polled beside others; it is
 * readable at once when it was told before. Do not read from it. Borrows: until the function
 * returns. -1: none could be made (the limit of open files): ask hf_activity_is_cancelled. */
HF_API int hf_activity_cancel_fd(const hf_activity *a);

/* The store on which it runs: to read values, to start or message instances, ... Borrows: until the
 * function returns. */
HF_API hf_store *hf_activity_store(const hf_activity *a);

/* Keeps the activity beyond its function, which then returns, with any status, and gives its thread
 * back: for what is answered later, by a callback or another thread. Until it is completed all that
 * the calls above say of it holds: about, cancelled, descriptor, session memory. Once. Returns
 * owned: one of the two calls below, exactly once, also when it was told to stop; hf_runtime_free
 * waits for that. */
HF_API hf_completion *hf_activity_detach(hf_activity *a);
/* The activity behind it. Valid until: it is completed. Any thread. */
HF_API hf_activity *hf_completion_activity(hf_completion *completion);
/* Completes it, from any thread. HF_STALE: nobody wanted it any more (hf_activity_is_cancelled).
 * HF_TOO_LARGE, HF_INVALID, HF_NO_MEMORY: nothing was done, and it is still to be completed. */
HF_API HF_MUST_CHECK hf_status hf_completion_complete(hf_completion *completion, hf_slice output);
/* Fails it, as hf_activity_fail; message may be NULL. Otherwise as hf_completion_complete. */
HF_API HF_MUST_CHECK hf_status hf_completion_fail(hf_completion *completion, const char *code,
                                                  hf_slice data, const char *message);

/* The session's memory on this worker: NULL when cold. It belongs to one claim: when the session
 * was elsewhere in between it is NULL again, so stale state cannot be met. Activities of one
 * session may run at once: guard what it points to. */
HF_API void *hf_session_memory(const hf_activity *a);
/* Sets it. `destroy` runs once, after the last activity of that claim here has ended: at close,
 * loss, release, shutdown. The first of two wins, the loser's memory is destroyed, and the pointer
 * to use is returned. Without a session: destroys memory, returns NULL. Takes memory. */
HF_API void *hf_session_memory_set(hf_activity *a, void *memory, void (*destroy)(void *memory));

#ifdef __cplusplus
}
#endif
#endif
