/* Reading a store that may be damaged. LMDB believes the pages of its file: one flipped bit in a
 * page header and it reads where nothing is mapped, or aborts. No check of ours can stand before
 * that, so the reading is done in a forked child, made before the store is opened; when it dies the
 * parent tells of the damage, behind all that could be read. LMDB can also go round in circles for
 * ever: the child may compute for so long as ten readings of the whole file would take. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/tool.h"

/* A debug build under a sanitizer verifies over 1 MiB a second. */
enum { CPU_SECONDS_MIN = 5, CPU_SECONDS_PER_MIB = 10 };

/* What the child leaves behind; shared with the parent. */
struct tool_trace {
    _Atomic uint64_t lsn; /* of the last record that it has read; 0: none */
};

static struct tool_trace *trace_new(void)
{
    void *memory = mmap(NULL, sizeof(struct tool_trace), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void tool_trace_lsn(struct tool_trace *trace, uint64_t lsn)
{
    if (trace) atomic_store_explicit(&trace->lsn, lsn, memory_order_relaxed);
}

static bool is_fault(int signal_number)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i] == signal_number) return true;
    }
    return false;
}

static int damage_tell(const struct tool_trace *trace, const char *directory, int signal_number)
{
    uint64_t lsn = atomic_load_explicit(&trace->lsn, memory_order_relaxed);
    fprintf(stderr, "holdfast: %s: the pages of data.mdb are damaged below the records", directory);
    if (lsn > 0) fprintf(stderr, ", behind record %llu", (unsigned long long)lsn);
    fprintf(stderr,
            ": reading them ended in %s.\n"
            "  Stop all processes that use this store, keep a copy of the directory, and restore a "
            "backup.\n"
            "  What can still be read: holdfast log dump --json %s, and history for each "
            "instance.\n",
            strsignal(signal_number), directory);
    return 1;
}

/* Ends this process by SIGXCPU when it computes for much longer than the data file can need. */
static void circles_end(const char *directory)
{
    char path[4096];
    struct stat data = { .st_size = 0 };
    struct rlimit limit;
    int size = snprintf(path, sizeof path, "%s/data.mdb", directory);
    if (size < 0 || (size_t)size >= sizeof path || stat(path, &data) != 0) return;
    rlim_t seconds = CPU_SECONDS_MIN + CPU_SECONDS_PER_MIB * ((rlim_t)data.st_size >> 20);
    if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur <= seconds) return;
    limit.rlim_cur = seconds;
    (void)setrlimit(RLIMIT_CPU, &limit); /* without it only a user's patience ends it */
}

/* Waits for the child; its exit status, or 1 after saying what became of it. */
static int child_wait(pid_t child, const struct tool_trace *trace, const char *directory)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno == EINTR) continue;
        perror("holdfast: waiting for the reader");
        return 1;
    }
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    int signal_number = WTERMSIG(status);
    if (is_fault(signal_number)) return damage_tell(trace, directory, signal_number);
    if (signal_number != SIGPIPE) { /* nobody reads the output any more: no news */
        fprintf(stderr, "holdfast: reading %s was ended by a signal: %s\n", directory,
                strsignal(signal_number));
    }
    return 1;
}

int tool_guard(tool_run_fn run, const struct tool_arguments *arguments)
{
    struct tool_arguments own = *arguments;
    pid_t parent = getpid();
    own.trace = trace_new();
    pid_t child = own.trace ? fork() : -1;
    if (child < 0) {
        perror("holdfast: no process for the reader");
        return 1;
    }
    if (child > 0) return child_wait(child, own.trace, arguments->words[0]);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* who stops the parent stops the reading */
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is out before the next read */
    circles_end(arguments->words[0]);
    return getppid() == parent ? run(&own) : 1;
}
