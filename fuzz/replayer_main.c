/* replayer_main.c: runs a fuzz harness once over stored inputs, so that what a fuzzer found stays
 * fixed with any compiler. Not a fuzzer: it makes up no input.
 *
 *     replay_NAME FILE-OR-DIRECTORY...
 *
 * Prints how many inputs ran. Fails when there was none: a missing corpus is no success. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

enum { PATH_SIZE = 4096 };

static bool complain(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

/* The bytes are given in a block of their exact size: a sanitizer sees any step beyond them. */
static bool replay_bytes(FILE *file, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    if (!data) return false;
    bool whole = fread(data, 1, size, file) == size;
    if (whole) LLVMFuzzerTestOneInput(size ? data : NULL, size);
    free(data);
    return whole;
}

static bool replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return complain(path);
    bool whole = replay_bytes(file, size);
    if (!whole) fprintf(stderr, "%s: could not be read whole\n", path);
    fclose(file);
    return whole;
}

static bool replay_entry(const char *folder, const char *name, size_t *count)
{
    char path[PATH_SIZE];
    struct stat entry;
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (size < 0 || (size_t)size >= sizeof path) return false;
    if (stat(path, &entry) != 0) return complain(path);
    if (!S_ISREG(entry.st_mode)) return true;
    *count += 1;
    return replay_file(path, (size_t)entry.st_size);
}

static bool replay_folder(const char *folder, size_t *count)
{
    struct dirent **names = NULL;
    int found = scandir(folder, &names, NULL, alphasort);
    if (found < 0) return complain(folder);
    bool good = true;
    for (int i = 0; i < found; i++) {
        if (!replay_entry(folder, names[i]->d_name, count)) good = false;
        free(names[i]);
    }
    free(names);
    return good;
}

static bool replay_path(const char *path, size_t *count)
{
    struct stat entry;
    if (stat(path, &entry) != 0) return complain(path);
    if (S_ISDIR(entry.st_mode)) return replay_folder(path, count);
    *count += 1;
    return replay_file(path, (size_t)entry.st_size);
}

int main(int argument_count, char **arguments)
{
    size_t count = 0;
    bool good = true;
    for (int i = 1; i < argument_count; i++) {
        if (!replay_path(arguments[i], &count)) good = false;
    }
    printf("%zu inputs replayed\n", count);
    if (count == 0) fprintf(stderr, "no input: give files, or folders that hold some\n");
    return good && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
