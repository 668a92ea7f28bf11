/* `rebuild`: all indexes made anew from the log, and the proof that they are right. Unlike
 * the other commands it takes a store for itself. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "logstore/inspect.h"
#include "runtime/life.h"
#include "tools/tool.h"

/* Whether nobody works on the store; else says who does. It is asked for the user's sake, who would
 * see work of the living repeated; a worker that starts behind this look finds its store whole. */
static bool is_at_rest(const char *directory)
{
    uint64_t pid = 0;
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return true; /* the rebuild says why */
    bool is_held = hf_life_any_held(folder, &pid);
    close(folder);
    if (!is_held) return true;
    fprintf(stderr,
            "holdfast: process %llu is a worker of this store (holdfast workers %s): stop all "
            "workers, then rebuild\n",
            (unsigned long long)pid, directory);
    return false;
}

static int rebuild(const char *directory)
{
    struct tool_store world; /* its seams; the store in it stays closed */
    hf_error error = { 0 };
    int failed = tool_prepare(&world);
    if (!failed && hf_store_rebuild(directory, &world.seams, &error)) failed = tool_fail(&error);
    tool_close(&world);
    if (error.status == HF_CORRUPT) {
        fprintf(stderr,
                "holdfast: the log of %s is damaged, and no index can be made of it: restore a "
                "backup\n",
                directory);
    }
    return failed;
}

int tool_rebuild(const struct tool_arguments *arguments)
{
    const char *directory = arguments->words[0];
    if (!is_at_rest(directory)) return 1;
    if (rebuild(directory)) return 1;
    if (!arguments->json) {
        printf("all indexes were made anew from the log; locks and leases are gone, and work in "
               "progress is handed out again\n");
    }
    return tool_log_verify(arguments);
}
