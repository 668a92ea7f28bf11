/* A store of tables alone: an LMDB environment in a directory of its own, into which records are
 * folded one by one. Each record is one transaction, and after each the laws of the tables are
 * audited; at the end all records are folded once more into a second environment, which must hold
 * the same bytes. */
#ifndef TESTS_INDEXES_WORLD_H
#define TESTS_INDEXES_WORLD_H

#include "engine/base/heap.h"
#include "indexes/apply.h"
#include "indexes/audit.h"
#include "indexes/queries.h"
#include "indexes/soft.h"
#include "tests/support/hf_test.h"

struct MDB_env;

enum { WORLD_RECORDS_MAX = 64 };

struct world {
    struct hf_test_directory directory;
    struct MDB_env *env;
    unsigned dbis[HF_TABLE_COUNT];
    struct hf_arena arena; /* of reads; emptied by world_release */
    struct hf_arena log;   /* bodies of the records */
    struct hf_fold_record records[WORLD_RECORDS_MAX];
    size_t records_count;
    uint64_t next_lsn;
    uint64_t wall_unix_ms;
    uint64_t turner;         /* the registration that commits all turns; its record is the first */
    struct hf_tables tables; /* of the transaction that is open */
    uint32_t effects;        /* of the latest record */
    bool skips_audit;        /* for worlds of thousands of rows */
    hf_error error;
};

/* Opens a world with nothing in it but the turner. Fails the test when it cannot. */
void world_init(struct world *world);
/* Folds all records anew and compares; then removes everything. */
void world_release(struct world *world);
/* The same without the comparison: for worlds that a test has damaged. */
void world_drop(struct world *world);

/* Encodes a body, gives it the next LSN and folds it in a transaction of its own. Returns the LSN;
 * fails the test when the fold refuses. */
uint64_t world_fold(struct world *world, enum hf_record_kind kind, const void *body);
/* The same for a record that must be HF_CORRUPT: nothing of it stays, and its LSN is used again.
 * The error is in world->error. */
void world_refuse(struct world *world, enum hf_record_kind kind, const void *body);

/* Begins and ends a transaction for reading rows, or for writing soft ones, through world->tables.
 */
void world_begin(struct world *world);
/* Commits it. */
void world_end(struct world *world);

/* How many rows a table has. */
uint64_t world_count(struct world *world, enum hf_table table);

/* Rows, read in a transaction of their own; fail the test when there is none. */
struct hf_row_instance world_instance(struct world *world, uint64_t number);
/* Of instance 1, in its present execution. */
struct hf_row_item world_item(struct world *world, uint64_t event_id);
/* Of instance 1. */
struct hf_row_session world_session(struct world *world, uint64_t incarnation);
/* As above. */
struct hf_row_registration world_registration(struct world *world, uint64_t lsn);

/* ---- records in a word, all of instance 1 ---- */

/* Starts the next instance. */
uint64_t world_start(struct world *world, uint64_t instance, const char *id);
/* Sends instance 1 a message. */
uint64_t world_message(struct world *world, const char *body);
/* Registers a worker. */
uint64_t world_register(struct world *world, const char *worker_id);
/* Ends a registration. */
uint64_t world_end_registration(struct world *world, uint64_t registration, uint64_t reason);
/* Fills in, as a fetch does, why all that a delivery hands out was to be had. */
void world_reason(struct world *world, struct hf_delivered *body);
/* Delivers one item, claiming incarnation first when it is not 0. */
uint64_t world_deliver(struct world *world, uint64_t registration, uint64_t event_id,
                       uint64_t claimed);
/* Completes the first item of a delivery. */
uint64_t world_complete(struct world *world, uint64_t registration, uint64_t event_id,
                        uint64_t delivery);

/* A turn in the making: fill it, then world_turn. Its instance, execution and head are set from the
 * row; its event ids too. */
struct world_turn {
    struct hf_turn_committed body;
    struct hf_consumed_message messages[8];
    struct hf_turn_event events[16];
    struct hf_turn_item items[16];
    struct hf_turn_timer timers[8];
    struct hf_turn_cancel cancels[16];
    struct hf_turn_session opened[8], closed[8];
    struct hf_turn_carried carried[8];
    struct hf_turn_value values[8];
    uint64_t next_event_id;
};
/* An empty turn of instance 1 that goes on. */
struct world_turn turn_begin(struct world *world);
/* Each adds one part; those with an event give its id. */
uint64_t turn_consume(struct world_turn *turn, uint64_t lsn);
/* An event of no further consequence. */
uint64_t turn_event(struct world_turn *turn, const char *body);
/* An item; incarnation 0: ordinary. */
uint64_t turn_item(struct world_turn *turn, uint64_t incarnation, const char *tag);
/* A timer whose message is "fired". */
uint64_t turn_timer(struct world_turn *turn, uint64_t due_unix_ms);
/* A value that is set. */
uint64_t turn_set_value(struct world_turn *turn, const char *key, const char *body);
/* A value that is cleared; "": all. */
void turn_clear_value(struct world_turn *turn, const char *key);
/* A cancel. */
void turn_cancel(struct world_turn *turn, uint64_t event_id);
/* An opened session, with its event. */
void turn_open(struct world_turn *turn, uint64_t incarnation, const char *id);
/* A closed session, with its event. */
void turn_close(struct world_turn *turn, uint64_t incarnation);
/* Folds it. */
uint64_t world_turn(struct world *world, struct world_turn *turn);

/* Opens a world in which instance 1 has scheduled one ordinary item; returns its event. */
uint64_t world_init_with_item(struct world *world);
/* Makes it ready to be folded: the lists point into the struct. */
void turn_finish(struct world_turn *turn);

#endif
