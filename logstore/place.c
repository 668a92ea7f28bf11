/* Where a store lives: the checks of its directory before any file in it is touched. It opens and
 * maps nothing of LMDB's.
 *
 * Laws:
 *  1. The directory is opened once, without following a link, and all else goes through that
 *     descriptor; so what was verified is what is used.
 *  2. Nobody but us may write into the directory: then no file in it can be exchanged under us, and
 *     looking at a file before LMDB opens it by name is not a race.
 *  3. lock.mdb is looked at, never opened: closing any descriptor of it would drop LMDB's own lock.
 *  4. A store is made only where nothing else is: in an empty directory, or where an earlier
 * creation stopped before its first commit.
 *
 * The first bytes of LMDB's data file on a machine of 64 bits:
 *  | 0 | 8 page number | 8 | 2 pad | 10 | 2 flags | 12 | 4 bounds | 16 | 4 magic 0xBEEFC0DE |
 *  | 20 | 4 version | 24 | 8 address | 32 | 8 map size | 40 | 4 page size |
 * With 32 bits the magic stands at 12. All in the byte order of the machine that wrote it. */
#include "logstore/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

enum {
    PATH_SIZE_MAX = 4096,
    PROBE_SIZE = 48,
    PROBE_MAGIC_OFFSET = 16,
    PROBE_MAGIC_OFFSET_32 = 12,
    PROBE_PAGE_SIZE_OFFSET = 40
};

static const uint32_t lmdb_magic = 0xBEEFC0DEU;
static const uint32_t lmdb_magic_swapped = 0xDEC0EFBEU;

/* File systems of which we know that other machines can write to them, or that their locks are not
 * those of one machine. What hides behind FUSE cannot be told, and is allowed. */
static const struct {
    uint32_t magic;
    const char *name;
} network_file_systems[] = {
    { 0x6969U, "NFS" },      { 0x517BU, "SMB" },       { 0xFF534D42U, "CIFS" },
    { 0xFE534D42U, "SMB2" }, { 0x5346414FU, "AFS" },   { 0x6B414653U, "kAFS" },
    { 0x00C36400U, "Ceph" }, { 0x73757245U, "Coda" },  { 0x564CU, "NCP" },
    { 0x01161970U, "GFS2" }, { 0x7461636FU, "OCFS2" }, { 0x0BD00BD0U, "Lustre" },
    { 0x01021997U, "9P" },
};

/* ---- the directory ------------------------------------------------------------------------- */

/* A copy of path without slashes at its end: with one, the last link would be followed. */
static hf_status path_trim(const char *path, char out_path[PATH_SIZE_MAX], hf_error *error)
{
    size_t size = path ? strlen(path) : 0;
    while (size > 1 && path[size - 1] == '/') size--;
    if (size == 0) return hf_error_set(error, HF_INVALID, "no directory was named");
    if (size >= PATH_SIZE_MAX) {
        return hf_error_set(error, HF_INVALID, "the directory's path has %zu bytes: at most %d",
                            size, PATH_SIZE_MAX - 1);
    }
    memcpy(out_path, path, size);
    out_path[size] = '\0';
    return HF_OK;
}

/* Says why path could not be opened as a directory. */
static hf_status path_refuse(const char *path, int system_error, hf_error *error)
{
    struct stat found;
    hf_assert(system_error != 0);
    if (system_error == ENOENT) {
        return hf_error_system(error, HF_NOT_A_STORE, system_error, "there is no directory %s",
                               path);
    }
    bool is_found = fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_found && S_ISLNK(found.st_mode)) {
        return hf_error_system(error, HF_UNSAFE_DIRECTORY, system_error,
                               "%s is a symbolic link: name the directory itself", path);
    }
    if (is_found && !S_ISDIR(found.st_mode)) {
        return hf_error_system(error, HF_NOT_A_STORE, system_error, "%s is not a directory", path);
    }
    return hf_error_system(error, HF_IO, system_error, "opening the directory %s: %s", path,
                           strerror(system_error));
}

static hf_status owner_check(const struct stat *found, const char *what, hf_error *error)
{
    uid_t self = geteuid();
    if (found->st_uid != self && found->st_uid != 0 && self != 0) {
        return hf_error_set(error, HF_UNSAFE_DIRECTORY, "%s belongs to user %u, and we are %u",
                            what, (unsigned)found->st_uid, (unsigned)self);
    }
    if (found->st_mode & (S_IWGRP | S_IWOTH)) {
        return hf_error_set(error, HF_UNSAFE_DIRECTORY,
                            "%s can be written by others (mode %03o): chmod go-w", what,
                            (unsigned)found->st_mode & 0777U);
    }
    return HF_OK;
}

const char *hf__place_network_name(uint32_t magic)
{
    for (size_t i = 0; i < HF_COUNT_OF(network_file_systems); i++) {
        if (network_file_systems[i].magic == magic) return network_file_systems[i].name;
    }
    return NULL;
}

static hf_status file_system_check(int directory, hf_error *error)
{
    struct statfs found;
    if (fstatfs(directory, &found) != 0) {
        return hf_error_system(error, HF_IO, errno, "looking at the file system: %s",
                               strerror(errno));
    }
    const char *name = hf__place_network_name((uint32_t)found.f_type);
    if (!name) return HF_OK;
    return hf_error_set(error, HF_UNSAFE_DIRECTORY,
                        "the directory is on %s: a store needs a file system of this machine",
                        name);
}

static hf_status directory_check(struct hf__place *place, hf_error *error)
{
    struct stat found;
    if (fstat(place->directory, &found) != 0) {
        return hf_error_system(error, HF_IO, errno, "looking at the directory: %s",
                               strerror(errno));
    }
    hf_assert(S_ISDIR(found.st_mode));
    place->directory_device = found.st_dev;
    place->directory_inode = found.st_ino;
    hf_status status = owner_check(&found, "the directory", error);
    return status == HF_OK ? file_system_check(place->directory, error) : status;
}

/* ---- its files ----------------------------------------------------------------------------- */

/* Proves that a file is a plain one of ours, under one name; *out_size is -1 when it is not there.
 */
static hf_status file_check(int directory, const char *name, off_t *out_size, hf_error *error)
{
    struct stat found;
    *out_size = -1;
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return HF_OK;
        return hf_error_system(error, HF_IO, errno, "looking at %s: %s", name, strerror(errno));
    }
    if (S_ISLNK(found.st_mode)) {
        return hf_error_set(error, HF_UNSAFE_DIRECTORY, "%s is a symbolic link", name);
    }
    if (!S_ISREG(found.st_mode)) {
        return hf_error_set(error, HF_NOT_A_STORE, "%s is not a plain file", name);
    }
    if (found.st_nlink > 1) {
        return hf_error_set(error, HF_UNSAFE_DIRECTORY,
                            "%s has %lu names: two directories must not share it", name,
                            (unsigned long)found.st_nlink);
    }
    *out_size = found.st_size;
    return owner_check(&found, name, error);
}

static bool is_of_creation(const char *name)
{
    static const char *const names[] = { ".", "..", HF__DATA_NAME, HF__LOCK_NAME };
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return strncmp(name, HF__WRITER_NAME, strlen(HF__WRITER_NAME)) == 0;
}

/* Proves that the directory holds nothing but what a creation leaves that did not end. */
static hf_status emptiness_check(int directory, hf_error *error)
{
    int descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!entries) {
        int system_error = errno;
        if (descriptor >= 0) close(descriptor);
        return hf_error_system(error, HF_IO, system_error, "listing the directory: %s",
                               strerror(system_error));
    }
    hf_status status = HF_OK;
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (is_of_creation(entry->d_name)) continue;
        status = hf_error_set(error, HF_NOT_A_STORE,
                              "the directory holds %s and no store: name an empty directory",
                              entry->d_name);
        break;
    }
    closedir(entries);
    return status;
}

hf_status hf__place_foreign(int directory, int code, hf_error *error)
{
    struct stat found;
    long first_pages_size = 2 * sysconf(_SC_PAGESIZE); /* what LMDB writes before all else */
    bool is_seen = fstatat(directory, HF__DATA_NAME, &found, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_seen && found.st_size <= first_pages_size) {
        return hf_error_system(error, HF_NOT_A_STORE, code,
                               "%s is no LMDB file: name another directory, or, if the disk failed "
                               "while a store was created in this one, remove it: nothing was in "
                               "it yet",
                               HF__DATA_NAME);
    }
    return hf_error_system(error, HF_NOT_A_STORE, code,
                           "%s is no LMDB file, or its first pages are damaged: name another "
                           "directory, or, if a store was in this one, keep a copy and restore a "
                           "backup",
                           HF__DATA_NAME);
}

static hf_status probe_judge(int directory, const unsigned char *bytes, hf_error *error)
{
    uint32_t magic, magic_32, page_size;
    memcpy(&magic, bytes + PROBE_MAGIC_OFFSET, sizeof magic);
    memcpy(&magic_32, bytes + PROBE_MAGIC_OFFSET_32, sizeof magic_32);
    memcpy(&page_size, bytes + PROBE_PAGE_SIZE_OFFSET, sizeof page_size);
    if (magic == lmdb_magic) {
        long own_page_size = sysconf(_SC_PAGESIZE);
        if (page_size == (uint32_t)own_page_size) return HF_OK;
        return hf_error_set(error, HF_FORMAT_NEWER,
                            "the store has pages of %u bytes, this machine of %ld", page_size,
                            own_page_size);
    }
    if (magic_32 == lmdb_magic) {
        return hf_error_set(error, HF_FORMAT_NEWER,
                            "the store has words of 4 bytes, this program of %zu", sizeof(size_t));
    }
    if (magic == lmdb_magic_swapped || magic_32 == lmdb_magic_swapped) {
        return hf_error_set(error, HF_FORMAT_NEWER,
                            "the store's bytes are in the other order than this machine's");
    }
    return hf__place_foreign(directory, 0, error);
}

/* Looks at the first bytes of the data file, so that one of another machine is named as such. */
static hf_status data_probe(int directory, hf_error *error)
{
    unsigned char bytes[PROBE_SIZE] = { 0 };
    int descriptor = openat(directory, HF__DATA_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) {
        return hf_error_system(error, HF_IO, errno, "opening %s: %s", HF__DATA_NAME,
                               strerror(errno));
    }
    ssize_t size = pread(descriptor, bytes, sizeof bytes, 0);
    int system_error = errno;
    close(descriptor);
    if (size < 0) {
        return hf_error_system(error, HF_IO, system_error, "reading %s: %s", HF__DATA_NAME,
                               strerror(system_error));
    }
    return probe_judge(directory, bytes, error);
}

hf_status hf__place_examine(const struct hf__place *place, bool must_exist, hf_error *error)
{
    off_t data_size = -1;
    off_t other_size = -1;
    hf_assert(place->directory >= 0);
    hf_status status = file_check(place->directory, HF__DATA_NAME, &data_size, error);
    if (status == HF_OK) status = file_check(place->directory, HF__LOCK_NAME, &other_size, error);
    if (status == HF_OK) status = file_check(place->directory, HF__WRITER_NAME, &other_size, error);
    if (status != HF_OK) return status;
    if (data_size > 0) return data_probe(place->directory, error);
    if (must_exist) {
        return hf_error_set(error, HF_NOT_A_STORE, "it holds no store: name the directory of one");
    }
    return emptiness_check(place->directory, error);
}

/* ---- the whole ----------------------------------------------------------------------------- */

hf_status hf__place_open(const char *directory, const struct hf_backend_options *options,
                         struct hf__place *out_place, hf_error *error)
{
    char path[PATH_SIZE_MAX];
    bool must_exist = options->must_exist || options->read_only;
    hf_status status = path_trim(directory, path, error);
    if (status != HF_OK) return status;
    if (!must_exist && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return hf_error_system(error, HF_IO, errno, "making the directory %s: %s", path,
                               strerror(errno));
    }
    struct hf__place place = { .directory = -1 };
    place.directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place.directory < 0) return path_refuse(path, errno, error);
    status = directory_check(&place, error);
    if (status == HF_OK) status = hf__place_examine(&place, must_exist, error);
    if (status != HF_OK) {
        hf__place_close(&place);
        return status;
    }
    *out_place = place;
    return HF_OK;
}

hf_status hf__place_sync(const struct hf__place *place, hf_error *error)
{
    hf_assert(place->directory >= 0);
    int parent = openat(place->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fsync(place->directory) == 0;
    int system_error = is_synced ? 0 : errno;
    /* A parent that we may not read is not ours, and then we did not make the directory either. */
    if (parent >= 0) {
        if (fsync(parent) != 0 && is_synced) system_error = errno;
        close(parent);
    }
    if (system_error == 0) return HF_OK;
    return hf_error_system(error, HF_IO, system_error, "syncing the directory: %s",
                           strerror(system_error));
}

void hf__place_close(struct hf__place *place)
{
    if (place->directory >= 0) close(place->directory);
    place->directory = -1;
}
