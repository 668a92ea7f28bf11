/* Private folders reached by descriptor: no path is followed that somebody could have put a link
 * into. Not the store's own safety checks, which come before. */
#include "runtime/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/status.h"

enum { NAME_BYTES_MAX = 16 };

static hf_status folder_check(int folder, const char *name, hf_error *error)
{
    struct stat found;
    if (fstat(folder, &found) != 0) {
        return hf_error_system(error, HF_IO, errno, "cannot examine the folder \"%s\": %s", name,
                               strerror(errno));
    }
    if (found.st_uid != geteuid() || (found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return hf_error_set(error, HF_UNSAFE_DIRECTORY,
                            "others may write into the folder \"%s\" of the store: make it yours, "
                            "mode 0700",
                            name);
    }
    return HF_OK;
}

hf_status hf__folder_open(int directory, const char *name, int *out_folder, hf_error *error)
{
    hf_assert(directory >= 0);
    if (mkdirat(directory, name, S_IRWXU) != 0 && errno != EEXIST) {
        return hf_error_system(error, HF_IO, errno,
                               "cannot make the folder \"%s\" of the store: %s", name,
                               strerror(errno));
    }
    int folder = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        bool is_other = errno == ENOTDIR || errno == ELOOP;
        return hf_error_system(error, is_other ? HF_UNSAFE_DIRECTORY : HF_IO, errno,
                               "cannot open the folder \"%s\" of the store: %s", name,
                               is_other ? "it is a link or a file: remove it" : strerror(errno));
    }
    hf_status status = folder_check(folder, name, error);
    if (status != HF_OK) {
        close(folder);
        return status;
    }
    *out_folder = folder;
    return HF_OK;
}

void hf__folder_random_name(const struct hf_seams *seams, char *name, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[NAME_BYTES_MAX];
    size_t bytes_size = size / 2;
    hf_assert(size % 2 == 1 && bytes_size <= sizeof bytes);
    seams->random(seams->self, bytes, bytes_size);
    for (size_t i = 0; i < bytes_size; i++) {
        name[2 * i] = digits[bytes[i] >> 4];
        name[2 * i + 1] = digits[bytes[i] & 15];
    }
    name[size - 1] = '\0';
}

bool hf__folder_is_name(hf_slice name, size_t size)
{
    if (name.size != size - 1) return false;
    for (size_t i = 0; i < name.size; i++) {
        char digit = name.data[i];
        bool is_digit = (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
        if (!is_digit) return false;
    }
    return true;
}
