/* Opening: what is no safe place or no store of ours is refused before anything in it is touched;
 * what is a copy is known as one; and nobody but LMDB ever opens lock.mdb. */
#include "tests/unit/logstore/store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logstore/identity.h"
#include "logstore/place.h"

/* "<store>/<name>" in a buffer of the caller. */
static const char *path_in(const struct store_part *self, const char *name, char path[600])
{
    snprintf(path, 600, "%s/%s", self->path, name);
    return path;
}

static void must_write_file(const char *path, const void *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), (ssize_t)size);
    close(file);
}

/* Overwrites bytes of the closed store's data file. */
static void must_patch(const struct store_part *self, off_t offset, const void *bytes, size_t size)
{
    char path[600];
    int file = open(path_in(self, "data.mdb", path), O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, size, offset), (ssize_t)size);
    close(file);
}

static void must_copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t size = fread(buffer, 1, sizeof buffer, in); size > 0;
         size = fread(buffer, 1, sizeof buffer, in)) {
        assert_int_equal(fwrite(buffer, 1, size, out), size);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0600), 0);
}

/* Copies every file of the store into a new directory, as cp -r does, and makes that the store. */
static void must_become_copy(struct store_part *self)
{
    char copy[300], from[600], to[600];
    hf_test_directory_join(&self->directory, "copy", copy, sizeof copy);
    assert_int_equal(mkdir(copy, 0700), 0);
    DIR *entries = opendir(self->path);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (entry->d_name[0] == '.') continue;
        snprintf(to, sizeof to, "%s/%s", copy, entry->d_name);
        must_copy_file(path_in(self, entry->d_name, from), to);
    }
    closedir(entries);
    snprintf(self->path, sizeof self->path, "%s", copy);
}

/* How many descriptors of this process are of the store's file `name`. */
static int descriptors_count(const struct store_part *self, const char *name)
{
    char wanted[600], link[300], target[600];
    int count = 0;
    path_in(self, name, wanted);
    DIR *entries = opendir("/proc/self/fd");
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        snprintf(link, sizeof link, "/proc/self/fd/%s", entry->d_name);
        ssize_t size = readlink(link, target, sizeof target - 1);
        if (size < 0) continue;
        target[size] = '\0';
        if (strcmp(target, wanted) == 0) count++;
    }
    closedir(entries);
    return count;
}

static struct hf_store_facts must_facts(struct store_part *self)
{
    struct hf_store_facts facts;
    assert_ok(hf_store_facts_read(self->backend, &facts, &self->error), &self->error);
    return facts;
}

/* ---- a good place -------------------------------------------------------------------------- */

/* A new store is a directory of ours alone, with files of ours alone. */
static void test_created_store_belongs_to_its_owner_alone(void **state)
{
    struct store_part *self = *state;
    struct stat found;
    char path[600];
    static const char *const names[] = { "data.mdb", "lock.mdb", "writer" };
    assert_int_equal(stat(self->path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0700);
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        assert_int_equal(stat(path_in(self, names[i], path), &found), 0);
        assert_int_equal(found.st_mode & 07777, 0600);
    }
    struct hf_store_facts facts = must_facts(self);
    assert_int_equal(facts.generation, 0);
    assert_int_equal(facts.next_lsn, 2);
    assert_false(facts.is_copy);
}

/* An empty directory becomes a store; so does one where an earlier creation stopped half-way. */
static void test_empty_directory_and_unfinished_creation_become_a_store(void **state)
{
    struct store_part *self = *state;
    char path[600];
    store_close(self);
    hf_test_directory_join(&self->directory, "empty", self->path, sizeof self->path);
    assert_int_equal(mkdir(self->path, 0700), 0);
    store_must_open(self);
    store_close(self);
    hf_test_directory_join(&self->directory, "half", self->path, sizeof self->path);
    assert_int_equal(mkdir(self->path, 0700), 0);
    must_write_file(path_in(self, "data.mdb", path), "", 0);
    must_write_file(path_in(self, "lock.mdb", path), "", 0);
    must_write_file(path_in(self, "writer.new", path), "half", 4);
    store_must_open(self);
    store_must_fill(self);
    store_must_verify(self);
}

/* A failing creation leaves nothing that keeps the next one from succeeding. */
static void test_creation_that_failed_anywhere_is_finished_by_the_next(void **state)
{
    struct store_part *self = *state;
    static const enum hf_fault_point points[] = { HF_FAULT_TXN_BEGIN, HF_FAULT_PUT,
                                                  HF_FAULT_COMMIT_BEFORE };
    for (size_t i = 0; i < HF_COUNT_OF(points); i++) {
        bool is_injected = true;
        for (uint64_t nth = 1; is_injected; nth++) {
            char name[64];
            store_close(self);
            snprintf(name, sizeof name, "failing-%zu-%u", i, (unsigned)nth);
            hf_test_directory_join(&self->directory, name, self->path, sizeof self->path);
            seams_part_fail(&self->seams, points[i], nth, EIO);
            hf_status status = store_open(self);
            is_injected = self->seams.faults_count > 0;
            assert_int_equal(status, is_injected ? HF_IO : HF_OK);
            self->seams.fault_point = 0;
            if (status != HF_OK) store_must_open(self);
            store_must_start(self, "a");
            store_must_verify(self);
            assert_true(is_injected || nth > 1);
        }
    }
}

/* Every durability, with the default growth of the file, gives a store that is whole when it is
 * opened again, also after a doubtful commit. */
static void test_every_durability_gives_a_whole_store(void **state)
{
    struct store_part *self = *state;
    for (hf_durability durability = HF_DURABLE_FULL; durability <= HF_DURABLE_NONE; durability++) {
        char name[32];
        store_close(self);
        snprintf(name, sizeof name, "durable-%d", (int)durability);
        hf_test_directory_join(&self->directory, name, self->path, sizeof self->path);
        self->options.durability = durability;
        self->options.preallocate_size = 0;
        store_must_open(self);
        store_must_fill(self);
        seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
        store_must_start(self, "doubtful");
        uint64_t hash = store_must_hash(self);
        store_close(self);
        store_must_open(self);
        assert_int_equal(store_must_hash(self), hash);
        store_must_verify(self);
    }
}

/* Slashes at the end of the path change nothing. */
static void test_slashes_at_the_end_are_the_same_directory(void **state)
{
    struct store_part *self = *state;
    store_close(self);
    strcat(self->path, "//");
    store_must_open(self);
}

/* ---- bad places ---------------------------------------------------------------------------- */

/* Nothing there: made only when that is allowed, and never by a read-only open. */
static void test_missing_store_is_made_only_when_allowed(void **state)
{
    struct store_part *self = *state;
    struct stat found;
    store_close(self);
    hf_test_directory_join(&self->directory, "missing", self->path, sizeof self->path);
    self->options.must_exist = true;
    assert_status(store_open(self), HF_NOT_A_STORE);
    self->options.must_exist = false;
    self->options.read_only = true;
    assert_status(store_open(self), HF_NOT_A_STORE);
    assert_int_equal(stat(self->path, &found), -1);
    assert_int_equal(mkdir(self->path, 0700), 0);
    assert_status(store_open(self), HF_NOT_A_STORE);
    self->options.read_only = false;
    self->options.must_exist = true;
    assert_status(store_open(self), HF_NOT_A_STORE);
    self->options.must_exist = false;
    store_must_open(self);
}

/* A path that is too long, empty or none. */
static void test_paths_that_name_no_directory(void **state)
{
    struct store_part *self = *state;
    struct hf_backend *backend = NULL;
    static char path[6000];
    memset(path, 'a', sizeof path - 1);
    assert_status(hf_backend_open(path, &self->options, &backend, NULL), HF_INVALID);
    assert_status(hf_backend_open("", &self->options, &backend, NULL), HF_INVALID);
    assert_status(hf_backend_open(NULL, &self->options, &backend, NULL), HF_INVALID);
    path[300] = '\0'; /* too long for one name */
    assert_status(hf_backend_open(path, &self->options, &backend, NULL), HF_IO);
}

/* A symbolic link is not followed, also with a slash behind it. */
static void test_link_to_a_directory_is_refused(void **state)
{
    struct store_part *self = *state;
    char target[300];
    store_close(self);
    snprintf(target, sizeof target, "%s", self->path);
    hf_test_directory_join(&self->directory, "link", self->path, sizeof self->path);
    assert_int_equal(symlink(target, self->path), 0);
    assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
    strcat(self->path, "/");
    assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
}

/* Links in place of our files are refused, symbolic and hard ones. */
static void test_links_in_place_of_files_are_refused(void **state)
{
    struct store_part *self = *state;
    char path[600], other[600];
    static const char *const names[] = { "data.mdb", "lock.mdb", "writer" };
    store_close(self);
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        hf_test_directory_join(&self->directory, "kept", other, sizeof other);
        assert_int_equal(rename(path_in(self, names[i], path), other), 0);
        assert_int_equal(symlink(other, path), 0);
        assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(link(other, path), 0);
        assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_status(store_open(self), HF_NOT_A_STORE);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rename(other, path), 0);
    }
    store_must_open(self);
}

/* Where others can write, files can be exchanged under us. */
static void test_places_that_others_can_write_are_refused(void **state)
{
    struct store_part *self = *state;
    char path[600];
    store_close(self);
    for (mode_t mode = 0720; mode <= 0722; mode += 2) {
        assert_int_equal(chmod(self->path, mode), 0);
        assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
    }
    assert_int_equal(chmod(self->path, 0700), 0);
    assert_int_equal(chmod(path_in(self, "data.mdb", path), 0606), 0);
    assert_status(store_open(self), HF_UNSAFE_DIRECTORY);
    assert_int_equal(chmod(path, 0600), 0);
    store_must_open(self);
}

/* File systems that other machines can write to are known by their numbers, local ones are not
 * among them. No test can mount them. */
static void test_network_file_systems_are_known_by_number(void **state)
{
    (void)state;
    static const uint32_t refused[] = { 0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x01021997 };
    static const uint32_t local[] = { 0xEF53, 0x01021994, 0x58465342, 0x9123683E, 0x794C7630 };
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(hf__place_network_name(refused[i]));
        assert_null(hf__place_network_name(local[i]));
    }
}

/* A plain file, a directory with other things in it, and a data file that is not LMDB's. */
static void test_directories_with_something_else_are_refused(void **state)
{
    struct store_part *self = *state;
    char path[600];
    struct stat found;
    store_close(self);
    hf_test_directory_join(&self->directory, "file", self->path, sizeof self->path);
    must_write_file(self->path, "x", 1);
    assert_status(store_open(self), HF_NOT_A_STORE);
    hf_test_directory_join(&self->directory, "other", self->path, sizeof self->path);
    assert_int_equal(mkdir(self->path, 0700), 0);
    must_write_file(path_in(self, "letter.txt", path), "dear", 4);
    assert_status(store_open(self), HF_NOT_A_STORE);
    assert_non_null(strstr(self->error.message, "letter.txt"));
    assert_int_equal(unlink(path), 0);
    must_write_file(path_in(self, "data.mdb", path), "this is no data file of LMDB at all", 35);
    assert_status(store_open(self), HF_NOT_A_STORE);
    assert_int_equal(stat(path_in(self, "lock.mdb", path), &found), -1);
}

/* Who finds a data file that LMDB does not know is told to remove it only where nothing can have
 * been in it: not when the pages are damaged that begin a store. */
static void test_damaged_first_page_is_not_to_be_removed(void **state)
{
    struct store_part *self = *state;
    static const char zeros[4096];
    char path[600];
    store_must_start(self, "a");
    store_close(self);
    for (off_t page = 0; page < 2; page++) {
        must_patch(self, page * 4096, zeros, sizeof zeros);
        assert_status(store_open(self), HF_NOT_A_STORE);
        assert_non_null(strstr(self->error.message, "restore a backup"));
        assert_null(strstr(self->error.message, "remove it"));
    }
    must_write_file(path_in(self, "data.mdb", path), "shorter than what a creation writes first",
                    41);
    assert_status(store_open(self), HF_NOT_A_STORE);
    assert_non_null(strstr(self->error.message, "remove it"));
}

/* An LMDB file of another program: its tables are not ours. */
static void test_data_file_of_another_program_is_refused(void **state)
{
    struct store_part *self = *state;
    static const char identity[] = HF__META_IDENTITY;
    store_must_start(self, "a");
    store_must_tamper(self, HF_TABLE_META, hf_bytes(identity, sizeof identity - 1),
                      (hf_slice)HF_EMPTY);
    store_close(self);
    assert_status(store_open(self), HF_NOT_A_STORE);
    self->options.read_only = true;
    assert_status(store_open(self), HF_NOT_A_STORE);
}

/* ---- other formats ------------------------------------------------------------------------- */

/* Writes the identity again with one change, and proves that the open is refused naming both
 * values; then the right one again. */
static void must_refuse_identity(struct store_part *self, void (*change)(struct hf_store_created *),
                                 const char *words, bool reads)
{
    struct hf_table_row row = { hf_text(HF__META_IDENTITY), HF_EMPTY };
    struct hf_store_created created;
    const struct hf_layout *layout = hf_record_layout(HF_RECORD_STORE_CREATED);
    size_t at = 0;
    do {
        assert_true(store_row(self, HF_TABLE_META, at++, &row));
    } while (!hf_slice_equal(row.key, hf_text(HF__META_IDENTITY)));
    assert_ok(hf_decode(layout, row.value, &self->arena, &created, &self->error), &self->error);
    change(&created);
    store_must_tamper(self, HF_TABLE_META, row.key, hf_encode(layout, &created, &self->arena));
    struct hf_store_command start = command_start("refused");
    hf_status expected = HF_FORMAT_NEWER;
    assert_status(store_commit(self, &start), expected); /* also by those that have it open */
    store_close(self);
    assert_status(store_open(self), expected);
    assert_non_null(strstr(self->error.message, words));
    self->options.read_only = true;
    assert_status(store_open(self), reads ? HF_OK : expected);
    store_close(self);
    self->options.read_only = false;
    /* The page of meta holds the changed row; a rebuild may not mend it either. */
    assert_status(hf_store_rebuild(self->path, &self->seams.seams, &self->error), expected);
}

static void change_major(struct hf_store_created *created)
{
    created->major = 7;
}

static void change_word_size(struct hf_store_created *created)
{
    created->word_size = 4;
}

static void change_byte_order(struct hf_store_created *created)
{
    created->byte_order = 3 - created->byte_order;
}

static void change_page_size(struct hf_store_created *created)
{
    created->page_size = 65536;
}

static void change_incompatible(struct hf_store_created *created)
{
    created->incompatible = 0x40;
}

static void change_read_compatible(struct hf_store_created *created)
{
    created->read_compatible = 0x20;
}

static void change_compatible(struct hf_store_created *created)
{
    created->compatible = 0x10;
}

/* A newer format is refused, and both numbers are named. */
static void test_newer_format_is_refused(void **state)
{
    must_refuse_identity(*state, change_major, "7.0", false);
}

/* A store belongs to its word size. */
static void test_other_word_size_is_refused(void **state)
{
    must_refuse_identity(*state, change_word_size, "word size 4, this program 8", false);
}

/* A store belongs to its byte order. */
static void test_other_byte_order_is_refused(void **state)
{
    must_refuse_identity(*state, change_byte_order, "byte order", false);
}

/* A store belongs to its page size. */
static void test_other_page_size_is_refused(void **state)
{
    must_refuse_identity(*state, change_page_size, "page size 65536", false);
}

/* Unknown incompatible bits keep everybody out, also who has the store open. */
static void test_unknown_incompatible_bits_are_refused(void **state)
{
    must_refuse_identity(*state, change_incompatible, "40", false);
}

/* Unknown read-only-compatible bits keep writers out. */
static void test_unknown_read_compatible_bits_only_allow_reading(void **state)
{
    must_refuse_identity(*state, change_read_compatible, "20", true);
}

/* Unknown compatible bits keep nobody out. */
static void test_unknown_compatible_bits_are_fine(void **state)
{
    struct store_part *self = *state;
    struct hf_store_created created = { 0 };
    struct hf_table_row row;
    const struct hf_layout *layout = hf_record_layout(HF_RECORD_STORE_CREATED);
    size_t at = 0;
    do {
        assert_true(store_row(self, HF_TABLE_META, at++, &row));
    } while (!hf_slice_equal(row.key, hf_text(HF__META_IDENTITY)));
    assert_ok(hf_decode(layout, row.value, &self->arena, &created, &self->error), &self->error);
    change_compatible(&created);
    store_must_tamper(self, HF_TABLE_META, row.key, hf_encode(layout, &created, &self->arena));
    store_must_start(self, "a");
    store_close(self);
    store_must_open(self);
}

/* A data file of a machine with other words, bytes or pages is named as such before LMDB sees it.
 */
static void test_data_files_of_other_machines_are_named(void **state)
{
    struct store_part *self = *state;
    static const unsigned char magic[] = { 0xDE, 0xC0, 0xEF, 0xBE };
    static const unsigned char other_magic[] = { 0xBE, 0xEF, 0xC0, 0xDE };
    static const unsigned char zeros[4] = { 0 };
    static const unsigned char page_size[] = { 0, 0, 1, 0 };
    store_close(self);
    must_patch(self, 40, page_size, 4);
    assert_status(store_open(self), HF_FORMAT_NEWER);
    assert_non_null(strstr(self->error.message, "65536"));
    must_patch(self, 16, other_magic, 4);
    assert_status(store_open(self), HF_FORMAT_NEWER);
    assert_non_null(strstr(self->error.message, "byte"));
    must_patch(self, 16, zeros, 4);
    assert_status(store_open(self), HF_NOT_A_STORE);
    must_patch(self, 12, magic, 4);
    assert_status(store_open(self), HF_FORMAT_NEWER);
    assert_non_null(strstr(self->error.message, "words of 4"));
}

/* Options that cannot be. */
static void test_options_that_cannot_be_are_refused(void **state)
{
    struct store_part *self = *state;
    store_close(self);
    self->options.map_size_max = 4096;
    assert_status(store_open(self), HF_INVALID);
    self->options.map_size_max = UINT64_MAX;
    assert_status(store_open(self), HF_INVALID);
    self->options.map_size_max = 0;
    self->options.durability = (hf_durability)9;
    assert_status(store_open(self), HF_INVALID);
}

/* ---- one process, several handles ---------------------------------------------------------- */

/* A directory is open once in a process, under whatever path, read-only or not. */
static void test_second_open_in_a_process_is_refused(void **state)
{
    struct store_part *self = *state;
    struct hf_backend *second = NULL;
    char path[600];
    assert_status(hf_backend_open(self->path, &self->options, &second, &self->error),
                  HF_ALREADY_OPEN);
    path_in(self, "../store", path);
    assert_status(hf_backend_open(path, &self->options, &second, &self->error), HF_ALREADY_OPEN);
    self->options.read_only = true;
    assert_status(hf_backend_open(path, &self->options, &second, &self->error), HF_ALREADY_OPEN);
    self->options.read_only = false;
    store_must_start(self, "a");
    store_must_verify(self);
    store_close(self);
    store_must_open(self);
}

/* Two stores in one process do not know of each other. */
static void test_two_stores_in_a_process(void **state)
{
    struct store_part *self = *state;
    struct hf_backend *first = self->backend;
    struct hf_store_facts facts = must_facts(self);
    self->backend = NULL;
    hf_test_directory_join(&self->directory, "second", self->path, sizeof self->path);
    store_must_open(self);
    store_must_start(self, "a");
    struct hf_store_facts second = must_facts(self);
    assert_memory_not_equal(facts.id.bytes, second.id.bytes, HF_STORE_ID_SIZE);
    store_close(self);
    self->backend = first;
    store_must_start(self, "a");
}

/* What a forked child sees; it may only leave by _exit. 0: as it should be. */
static int child_look(struct store_part *self)
{
    struct hf_backend *backend = self->backend;
    const struct hf_backend_ops *ops = backend->ops;
    struct hf_instance_info info;
    struct hf_error error = { 0 };
    struct hf_store_command start = command_start("child");
    struct hf_store_command *commands[] = { &start };
    struct hf_batch batch = { .commands = commands, .count = 1 };
    struct hf_peek peek = { 0 };
    struct hf_verify_summary summary;
    if (ops->commit(backend, &batch, &error) != HF_FORKED || start.status != HF_FORKED) return 1;
    if (ops->instance(backend, hf_text("a"), &self->arena, &info, &error) != HF_FORKED) return 2;
    if (ops->peek(backend, &peek, &error) != HF_FORKED) return 3;
    if (hf_store_verify(backend, &summary, &error, NULL, NULL) != HF_FORKED) return 4;
    ops->close(backend); /* does nothing */
    self->backend = NULL;
    /* The child may open the store anew. */
    if (store_open(self) != HF_OK) return 5;
    if (self->backend->ops->commit(self->backend, &batch, &error) != HF_OK) return 6;
    if (start.status != HF_OK) return 7;
    self->backend->ops->close(self->backend);
    return 0;
}

/* A forked child cannot use the store, cannot harm it, and may open it anew. */
static void test_forked_child_is_refused_and_harms_nothing(void **state)
{
    struct store_part *self = *state;
    int child_status = 0;
    store_must_start(self, "a");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(child_look(self));
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFEXITED(child_status));
    assert_int_equal(WEXITSTATUS(child_status), 0);
    store_must_start(self, "b");
    struct hf_store_command again = command_start("child");
    assert_status(store_commit(self, &again), HF_EXISTS);
    store_must_verify(self);
}

/* ---- copies -------------------------------------------------------------------------------- */

/* A plain copy that is opened for writing raises the generation by a record, and tokens of the
 * original are void in it; the copy is adopted once, not at every open. */
static void test_writing_open_of_a_copy_raises_the_generation(void **state)
{
    struct store_part *self = *state;
    store_must_start(self, "a");
    uint64_t registration = store_must_register(self, "w");
    struct hf_turn_grant grant = store_must_fetch_turn(self, registration);
    struct hf_store_facts original = must_facts(self);
    store_close(self);
    must_become_copy(self);
    store_must_open(self);
    struct hf_store_facts copy = must_facts(self);
    assert_int_equal(copy.generation, original.generation + 1);
    assert_true(copy.is_copy);
    assert_int_equal(copy.next_lsn, hf_lsn_make(1, original.next_lsn + 1));
    struct hf_store_command abandon = {
        .kind = HF_STORE_ABANDON_TURN,
        .abandon_turn = { .token = grant.token,
                          .registration = registration,
                          .counted = true,
                          .reason = HF_REASON_ABANDONED },
    };
    assert_status(store_commit(self, &abandon), HF_STALE);
    assert_string_equal(abandon.error.code, "store_generation");
    store_must_start(self, "b");
    store_must_verify(self);
    store_close(self);
    store_must_open(self);
    assert_int_equal(must_facts(self).generation, 1);
    assert_false(must_facts(self).is_copy);
    store_must_verify(self);
}

/* A read-only open writes nothing, also when it finds a copy, which it names. */
static void test_read_only_open_of_a_copy_changes_nothing(void **state)
{
    struct store_part *self = *state;
    store_must_fill(self);
    uint64_t hash = store_must_hash(self);
    store_close(self);
    self->options.read_only = true;
    store_must_open(self);
    assert_false(must_facts(self).is_copy);
    store_close(self);
    must_become_copy(self);
    store_must_open(self);
    assert_true(must_facts(self).is_copy);
    assert_int_equal(must_facts(self).generation, 0);
    assert_int_equal(store_must_hash(self), hash);
    struct hf_store_command start = command_start("refused");
    assert_status(store_commit(self, &start), HF_INVALID);
    store_must_verify(self);
    assert_int_equal(descriptors_count(self, "writer"), 0);
}

/* ---- lock.mdb ------------------------------------------------------------------------------ */

/* After every kind of operation exactly one descriptor of lock.mdb is open: LMDB's own. */
static void test_lock_file_is_open_once_and_only_by_lmdb(void **state)
{
    struct store_part *self = *state;
    struct hf_backend *second = NULL;
    hf_error error = { 0 };
    assert_int_equal(descriptors_count(self, "lock.mdb"), 1);
    store_must_fill(self);
    assert_int_equal(descriptors_count(self, "lock.mdb"), 1);
    store_must_verify(self);
    assert_status(hf_backend_open(self->path, &self->options, &second, &error), HF_ALREADY_OPEN);
    assert_status(hf_store_rebuild(self->path, &self->seams.seams, &error), HF_ALREADY_OPEN);
    assert_int_equal(descriptors_count(self, "lock.mdb"), 1);
    seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
    store_must_start(self, "doubtful");
    assert_int_equal(self->seams.faults_count, 1);
    assert_int_equal(descriptors_count(self, "lock.mdb"), 1);
    store_close(self);
    assert_int_equal(descriptors_count(self, "lock.mdb"), 0);
    assert_int_equal(descriptors_count(self, "data.mdb"), 0);
}

/* Whether another process holds LMDB's lock on lock.mdb, as F_GETLK tells a child of ours. */
static int child_probe_lock(const struct store_part *self)
{
    char path[600];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    int file = open(path_in(self, "lock.mdb", path), O_RDWR);
    if (file < 0 || fcntl(file, F_GETLK, &lock) != 0) return 2;
    return lock.l_type == F_UNLCK ? 1 : 0;
}

/* LMDB's fcntl lock is still held after everything that was done: nobody closed a descriptor of it
 * beside LMDB. A child asks, since a process never sees its own locks. */
static void test_lmdb_still_holds_its_lock_after_every_operation(void **state)
{
    struct store_part *self = *state;
    struct hf_backend *second = NULL;
    hf_error error = { 0 };
    int child_status = 0;
    store_must_fill(self);
    store_must_verify(self);
    assert_status(hf_backend_open(self->path, &self->options, &second, &error), HF_ALREADY_OPEN);
    assert_status(hf_store_rebuild(self->path, &self->seams.seams, &error), HF_ALREADY_OPEN);
    seams_part_fail(&self->seams, HF_FAULT_COMMIT_AFTER, 1, EIO);
    store_must_start(self, "doubtful");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(child_probe_lock(self));
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_int_equal(child_status, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_created_store_belongs_to_its_owner_alone),
        CASE(test_empty_directory_and_unfinished_creation_become_a_store),
        CASE(test_creation_that_failed_anywhere_is_finished_by_the_next),
        CASE(test_every_durability_gives_a_whole_store),
        CASE(test_slashes_at_the_end_are_the_same_directory),
        CASE(test_missing_store_is_made_only_when_allowed),
        CASE(test_paths_that_name_no_directory),
        CASE(test_link_to_a_directory_is_refused),
        CASE(test_links_in_place_of_files_are_refused),
        CASE(test_places_that_others_can_write_are_refused),
        cmocka_unit_test(test_network_file_systems_are_known_by_number),
        CASE(test_directories_with_something_else_are_refused),
        CASE(test_damaged_first_page_is_not_to_be_removed),
        CASE(test_data_file_of_another_program_is_refused),
        CASE(test_newer_format_is_refused),
        CASE(test_other_word_size_is_refused),
        CASE(test_other_byte_order_is_refused),
        CASE(test_other_page_size_is_refused),
        CASE(test_unknown_incompatible_bits_are_refused),
        CASE(test_unknown_read_compatible_bits_only_allow_reading),
        CASE(test_unknown_compatible_bits_are_fine),
        CASE(test_data_files_of_other_machines_are_named),
        CASE(test_options_that_cannot_be_are_refused),
        CASE(test_second_open_in_a_process_is_refused),
        CASE(test_two_stores_in_a_process),
        CASE(test_forked_child_is_refused_and_harms_nothing),
        CASE(test_writing_open_of_a_copy_raises_the_generation),
        CASE(test_read_only_open_of_a_copy_changes_nothing),
        CASE(test_lock_file_is_open_once_and_only_by_lmdb),
        CASE(test_lmdb_still_holds_its_lock_after_every_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
