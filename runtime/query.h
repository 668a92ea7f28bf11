/* Cursors from inside: a query, a place in its answer, and the page that is being given out. What a
 * cursor reads is decided by the first row that is asked for; each kind of row is a source. */
#ifndef HF_RUNTIME_QUERY_H
#define HF_RUNTIME_QUERY_H

#include "engine/base/heap.h"
#include "runtime/store.h"

enum { HF__PAGE_ROWS = 256 };

/* A kind of row: how a page of them is read, and how one is shown. */
struct hf__source {
    const char *call; /* "hf_next_session", for messages */
    bool needs_instance;
    /* Reads the next page into rows, which may be empty, and says when there are no more. */
    hf_status (*read)(hf_cursor *cursor);
    /* Shows the row at row_index, and moves on; *out_is_wanted false: it is passed over. */
    hf_status (*show)(hf_cursor *cursor, bool *out_is_wanted);
};

struct hf_cursor {
    hf_store *store;
    hf_query query;         /* its texts in memory */
    uint64_t instance;      /* number of query.instance; 0: of all */
    uint64_t execution;     /* its present one */
    uint64_t root;          /* number of query.root; 0: none */
    struct hf_arena memory; /* as long as the cursor */
    uint64_t left_count;    /* rows that may still be given */
    const struct hf__source *source;
    bool is_over; /* nothing is left to be read */

    /* Of the source. */
    const uint64_t *owners; /* registrations of query.worker_id */
    size_t owners_count, owner_index;
    struct hf_sessions_query sessions;
    struct hf_instances_query instances;
    struct hf_dead_letters_query letters;
    uint64_t after_execution;

    struct hf_arena arena; /* of the page */
    void *rows;
    size_t rows_count, row_index;
    union {
        hf_session_info session;
        struct hf__shown_instance instance;
        hf_execution_info execution;
        hf_event_info event;
        hf_value value;
        hf_dead_letter letter;
        struct hf_instance_run run;
    } shown;
    hf_error error;
};

/* The sources. */
extern const struct hf__source hf__source_sessions;
extern const struct hf__source hf__source_instances;
extern const struct hf__source hf__source_executions;
extern const struct hf__source hf__source_events;
extern const struct hf__source hf__source_values;
extern const struct hf__source hf__source_letters;
/* Of instances, for the store's lists: all that the query asks for; and of those the ones that have
 * ended and are nobody's children, or children of nobody that is there. */
extern const struct hf__source hf__source_runs;
extern const struct hf__source hf__source_ended_roots;

/* The next row of one of those two. As hf_next_instance. */
bool hf__next_run(hf_cursor *cursor, const struct hf__source *source,
                  struct hf_instance_run *out_run);

/* NULL for the empty text: nobody, or none. In the page's arena. */
const char *hf__cursor_text(hf_cursor *cursor, hf_slice text);
/* HF_OK, or HF_NO_MEMORY when the page's arena failed. */
HF_MUST_CHECK hf_status hf__cursor_shown(hf_cursor *cursor);

#endif
