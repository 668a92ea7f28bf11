/* The store's identity: made once, judged at each open, compared in each write transaction.
 *
 * Laws:
 *  1. Bits that we do not know: "incompatible" ones refuse every open, "read_compatible" ones every
 *     open for writing, "compatible" ones none. Others may set bits while we are open, so the row
 * is compared byte by byte in each write transaction, and judged again when it differs.
 *  2. A data file with another device or inode than the stored ones is a plain copy or a restored
 *     backup. Opening it for writing raises the generation, which voids every older token; a
 *     read-only open writes nothing and says so. */
#include "logstore/identity.h"

#include <string.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "indexes/apply.h"

enum {
    KNOWN_INCOMPATIBLE = 0,
    KNOWN_READ_COMPATIBLE = 0,
    DATA_FILE_SIZE = 16,
    BYTE_ORDER_LITTLE = 1,
    BYTE_ORDER_BIG = 2,
    GENERATION_MAX = UINT16_MAX
};

static uint64_t own_byte_order(void)
{
    const uint16_t number = 1;
    unsigned char first;
    memcpy(&first, &number, 1);
    return first == 1 ? BYTE_ORDER_LITTLE : BYTE_ORDER_BIG;
}

static uint64_t own_page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    hf_assert(size > 0);
    return (uint64_t)size;
}

/* ---- judging ------------------------------------------------------------------------------- */

static hf_status number_judge(uint64_t stored, uint64_t own, const char *what, hf_error *error)
{
    if (stored == own) return HF_OK;
    return hf_error_set(error, HF_FORMAT_NEWER, "the store has %s %llu, this program %llu", what,
                        (unsigned long long)stored, (unsigned long long)own);
}

static hf_status bits_judge(uint64_t stored, uint64_t known, const char *what, hf_error *error)
{
    if ((stored & ~known) == 0) return HF_OK;
    return hf_error_set(error, HF_FORMAT_NEWER,
                        "the store has %s feature bits %llx, this program knows %llx", what,
                        (unsigned long long)stored, (unsigned long long)known);
}

static hf_status identity_judge(const struct hf_store_created *created, bool read_only,
                                hf_error *error)
{
    if (created->store_id.size != HF_STORE_ID_SIZE) {
        return hf_error_corrupt(error, 1, "the store's id has %zu bytes, not %d",
                                created->store_id.size, HF_STORE_ID_SIZE);
    }
    if (created->major > HF__FORMAT_MAJOR) {
        return hf_error_set(error, HF_FORMAT_NEWER,
                            "the store has format %llu.%llu, this program %d.%d",
                            (unsigned long long)created->major, (unsigned long long)created->minor,
                            HF__FORMAT_MAJOR, HF__FORMAT_MINOR);
    }
    hf_status status = number_judge(created->word_size, sizeof(size_t), "word size", error);
    if (status == HF_OK) {
        status = number_judge(created->byte_order, own_byte_order(), "byte order", error);
    }
    if (status == HF_OK) {
        status = number_judge(created->page_size, own_page_size(), "page size", error);
    }
    if (status == HF_OK) {
        status = bits_judge(created->incompatible, KNOWN_INCOMPATIBLE, "incompatible", error);
    }
    if (status == HF_OK && !read_only) {
        status = bits_judge(created->read_compatible, KNOWN_READ_COMPATIBLE, "read-only-compatible",
                            error);
    }
    return status;
}

/* ---- the rows ------------------------------------------------------------------------------ */

static void data_file_write(const struct hf__place *place, unsigned char bytes[DATA_FILE_SIZE])
{
    hf_put_le64(bytes, place->data_device);
    hf_put_le64(bytes + 8, place->data_inode);
}

static hf_status data_file_put(struct hf__write *write, hf_error *error)
{
    unsigned char bytes[DATA_FILE_SIZE];
    data_file_write(&write->store->place, bytes);
    return hf_table_put(&write->tables, HF_TABLE_META, hf_text(HF__META_DATA_FILE),
                        hf_bytes(bytes, sizeof bytes), error);
}

static hf_status data_file_compare(struct hf__store *store, struct hf_tables *tables,
                                   hf_error *error)
{
    unsigned char bytes[DATA_FILE_SIZE];
    hf_slice stored;
    hf_status status = hf_table_get(tables, HF_TABLE_META, hf_text(HF__META_DATA_FILE), &stored,
                                    error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    data_file_write(&store->place, bytes);
    store->identity.is_copy = status == HF_NOT_FOUND ||
                              !hf_slice_equal(stored, hf_bytes(bytes, sizeof bytes));
    return HF_OK;
}

/* Judges the row as it is now, and keeps its bytes for comparing. */
static hf_status identity_take(struct hf__store *store, struct hf_tables *tables, hf_slice row,
                               hf_error *error)
{
    struct hf_store_created created;
    if (row.size > HF__IDENTITY_SIZE_MAX) {
        return hf_error_corrupt(error, 1, "the identity has %zu bytes", row.size);
    }
    hf_status status = hf_decode(hf_record_layout(HF_RECORD_STORE_CREATED), row, tables->arena,
                                 &created, error);
    if (status != HF_OK) return status;
    status = identity_judge(&created, store->options.read_only, error);
    if (status != HF_OK) return status;
    memcpy(store->identity.id.bytes, created.store_id.data, HF_STORE_ID_SIZE);
    memcpy(store->identity.row, row.data, row.size);
    store->identity.row_size = row.size;
    return HF_OK;
}

static hf_status identity_get(struct hf_tables *tables, hf_slice *out_row, hf_error *error)
{
    hf_status status = hf_table_get(tables, HF_TABLE_META, hf_text(HF__META_IDENTITY), out_row,
                                    error);
    if (status != HF_NOT_FOUND) return status;
    return hf_error_set(error, HF_NOT_A_STORE, "the data file names no store");
}

hf_status hf__identity_load(struct hf__store *store, struct hf_tables *tables, hf_error *error)
{
    hf_slice row;
    hf_assert(tables->arena);
    hf_status status = identity_get(tables, &row, error);
    if (status == HF_OK) status = identity_take(store, tables, row, error);
    if (status == HF_OK) status = data_file_compare(store, tables, error);
    return status;
}

hf_status hf__identity_recheck(struct hf__write *write, hf_error *error)
{
    struct hf__store *store = write->store;
    struct hf__identity before = store->identity;
    hf_slice row;
    hf_status status = identity_get(&write->tables, &row, error);
    if (status != HF_OK) return status;
    if (hf_slice_equal(row, hf_bytes(store->identity.row, store->identity.row_size))) return HF_OK;
    status = identity_take(store, &write->tables, row, error);
    if (status != HF_OK) return status;
    if (memcmp(&before.id, &store->identity.id, sizeof before.id) == 0) return HF_OK;
    store->identity = before; /* the next group is refused as well */
    return hf_error_set(error, HF_STORE_FAILED, "the data file holds another store now");
}

hf_status hf__identity_check_fold(struct hf_tables *tables, hf_error *error)
{
    uint64_t version = 0;
    hf_status status = hf_meta_get_number(tables, HF__META_FOLD_VERSION, &version, error);
    if (status != HF_OK && status != HF_NOT_FOUND) return status;
    if (version == HF_FOLD_VERSION) return HF_OK;
    return hf_error_set(error, HF_FORMAT_NEWER,
                        "the store's indexes are of fold version %llu, this program makes %d: "
                        "run holdfast rebuild on it",
                        (unsigned long long)version, HF_FOLD_VERSION);
}

/* ---- making and adopting ------------------------------------------------------------------- */

static hf_status step_record(struct hf__write *write, enum hf_record_kind kind, const void *record,
                             hf_error *error)
{
    hf_error own = { 0 };
    struct hf__step step = hf__write_step(write, error ? error : &own);
    hf_status status = hf__step_append(&step, kind, record, NULL);
    write->next_lsn = step.next_lsn;
    return status;
}

static hf_status created_put(struct hf__write *write, const struct hf_store_created *created,
                             hf_error *error)
{
    hf_slice row = hf_encode(hf_record_layout(HF_RECORD_STORE_CREATED), created, &write->arena);
    if (!row.data) return hf_error_set(error, HF_NO_MEMORY, "no memory for the identity");
    hf_assert(row.size <= HF__IDENTITY_SIZE_MAX);
    return hf_table_put(&write->tables, HF_TABLE_META, hf_text(HF__META_IDENTITY), row, error);
}

hf_status hf__identity_create(struct hf__write *write, hf_error *error)
{
    struct hf__store *store = write->store;
    const struct hf_seams *seams = store->seams;
    hf_status status = hf_tables_open(write->txn, true, store->dbis, error);
    if (status != HF_OK) return status;
    seams->random(seams->self, store->identity.id.bytes, HF_STORE_ID_SIZE);
    struct hf_store_created created = {
        .store_id = hf_bytes(store->identity.id.bytes, HF_STORE_ID_SIZE),
        .major = HF__FORMAT_MAJOR,
        .minor = HF__FORMAT_MINOR,
        .word_size = sizeof(size_t),
        .byte_order = own_byte_order(),
        .page_size = own_page_size(),
    };
    write->next_lsn = hf_lsn_make(0, 1);
    status = created_put(write, &created, error);
    if (status == HF_OK) status = data_file_put(write, error);
    if (status == HF_OK) {
        status = hf_meta_put_number(&write->tables, HF__META_FOLD_VERSION, HF_FOLD_VERSION, error);
    }
    if (status == HF_OK) status = step_record(write, HF_RECORD_STORE_CREATED, &created, error);
    if (status == HF_OK) status = hf__identity_load(store, &write->tables, error);
    return status;
}

hf_status hf__identity_adopt(struct hf__write *write, hf_error *error)
{
    struct hf__store *store = write->store;
    if (!store->identity.is_copy) return HF_OK;
    uint64_t generation = hf_lsn_generation(write->next_lsn) + 1;
    if (generation > GENERATION_MAX) {
        return hf_error_set(error, HF_TOO_LARGE, "the store was copied %d times: export it",
                            GENERATION_MAX);
    }
    write->next_lsn = hf_lsn_make(generation, hf_lsn_counter(write->next_lsn));
    struct hf_generation_raised raised = { .generation = generation, .reason = HF__REASON_COPY };
    hf_status status = step_record(write, HF_RECORD_GENERATION_RAISED, &raised, error);
    if (status == HF_OK) status = data_file_put(write, error);
    return status;
}
