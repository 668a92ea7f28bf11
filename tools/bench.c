/* `holdfast bench`: three shapes of work, each beside what plain LMDB does on the same disk in the
 * same run. Ratios travel between machines, absolute numbers do not.
 *
 *   chain  one instance, activities one after the other:
 *          steps a second, beside durable LMDB commits a second
 *   fan    instances of five parallel activities, so many at a time:
 *          activities a second, beside LMDB puts in commits of 64
 *   hello  one instance of one activity, one after the other:
 *          milliseconds from start to result */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "tools/bench.h"
#include "tools/tool.h"

enum { FAN_WIDTH = 5, PATH_SIZE = 512 };

struct bench {
    char directory[PATH_SIZE];
    hf_store *store;
    hf_registry *registry;
    hf_runtime *runtime;
    bool json;
};

/* ---- the work ------------------------------------------------------------------------------- */

static hf_status echo(hf_activity *a, hf_slice input)
{
    return hf_activity_complete(a, input);
}

static hf_status chain(hf_orchestration *o, hf_slice input)
{
    int64_t steps = 0;
    if (!hf_slice_to_i64(input, &steps)) return hf_fail(o, "bad_input", "not a number");
    for (int64_t i = 0; i < steps; i++) {
        hf_scope round = hf_scope_open(o);
        HF_TRY(hf_call(o, "echo", hf_text("step"), NULL));
        hf_scope_close(o, round);
    }
    return hf_complete(o, input);
}

static hf_status fan(hf_orchestration *o, hf_slice input)
{
    hf_future futures[FAN_WIDTH];
    for (size_t i = 0; i < FAN_WIDTH; i++) futures[i] = hf_schedule(o, "echo", input);
    for (size_t i = 0; i < FAN_WIDTH; i++) HF_TRY(hf_await(o, futures[i], NULL));
    return hf_complete(o, input);
}

/* ---- a store for one benchmark -------------------------------------------------------------- */

static hf_status bench_open(struct bench *bench, hf_error *error)
{
    bench->registry = hf_registry_new();
    if (!bench->registry) return HF_NO_MEMORY;
    hf_register_orchestration(bench->registry, "chain", chain, NULL);
    hf_register_orchestration(bench->registry, "fan", fan, NULL);
    hf_register_activity(bench->registry, "echo", echo, NULL);
    char store[PATH_SIZE + 16];
    snprintf(store, sizeof store, "%s/store", bench->directory);
    hf_status status = hf_store_open(store, NULL, &bench->store, error);
    if (!status) {
        status = hf_runtime_new(bench->store, bench->registry, NULL, &bench->runtime, error);
    }
    return status ? status : hf_runtime_start(bench->runtime, error);
}

static void bench_close(struct bench *bench)
{
    hf_runtime_free(bench->runtime);
    hf_store_close(bench->store);
    hf_registry_free(bench->registry);
}

static double limit_of(const struct bench *bench, const char *name, unsigned puts)
{
    char directory[PATH_SIZE + 16];
    snprintf(directory, sizeof directory, "%s/%s", bench->directory, name);
    return mkdir(directory, 0700) == 0 ? bench_lmdb_puts_per_second(directory, puts) : 0;
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_rate(const struct bench *bench, const char *name, double rate, double limit)
{
    double share = limit > 0 ? rate / limit : 0;
    if (bench->json) {
        printf("{\"bench\":\"%s\",\"per_second\":%.1f,\"lmdb_per_second\":%.1f,\"share\":%.3f}\n",
               name, rate, limit, share);
    } else {
        printf("%-6s %10.0f a second   LMDB alone %10.0f   share %.3f\n", name, rate, limit, share);
    }
}

/* ---- the benchmarks ------------------------------------------------------------------------- */

static int bench_chain(struct bench *bench, const struct tool_arguments *arguments, hf_error *error)
{
    const hf_instance *done = NULL;
    char steps[32];
    uint64_t count = arguments->count ? arguments->count : 500;
    snprintf(steps, sizeof steps, "%llu", (unsigned long long)count);
    double limit = limit_of(bench, "limit-chain", 1);
    double start = bench_now();
    if (hf_start(bench->store, "chain", "chain", hf_text(steps), error) ||
        hf_wait(bench->store, "chain", 0, &done, error)) {
        return tool_fail(error);
    }
    double spent = bench_now() - start;
    bool completed = done->status == HF_INSTANCE_COMPLETED;
    hf_instance_free(done);
    print_rate(bench, "chain", (double)count / spent, limit);
    return completed ? 0 : 1;
}

/* One of the clients that keep instances in flight: it starts one, waits for it, starts the next.
 */
struct fan_client {
    pthread_t thread;
    hf_store *store;
    size_t first, step, count;
    hf_error error;
};

static void *fan_run(void *argument)
{
    struct fan_client *client = argument;
    for (size_t i = client->first; i < client->count && !client->error.status; i += client->step) {
        const hf_instance *done = NULL;
        char id[32];
        snprintf(id, sizeof id, "fan-%zu", i);
        if (!hf_start(client->store, id, "fan", hf_text("x"), &client->error) &&
            !hf_wait(client->store, id, 0, &done, &client->error)) {
            hf_instance_free(done);
        }
    }
    return NULL;
}

static int bench_fan(struct bench *bench, const struct tool_arguments *arguments, hf_error *error)
{
    size_t clients_count = arguments->concurrency ? arguments->concurrency : 20;
    size_t count = arguments->count ? arguments->count : 1000;
    struct fan_client *clients = calloc(clients_count, sizeof *clients);
    if (!clients) return 1;
    double limit = limit_of(bench, "limit-fan", 64);
    double start = bench_now();
    size_t started = 0;
    for (; started < clients_count; started++) {
        clients[started] = (struct fan_client){
            .store = bench->store, .first = started, .step = clients_count, .count = count
        };
        if (pthread_create(&clients[started].thread, NULL, fan_run, &clients[started])) break;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(clients[i].thread, NULL);
        if (clients[i].error.status) *error = clients[i].error;
    }
    double spent = bench_now() - start;
    free(clients);
    if (error->status || started < clients_count) return tool_fail(error);
    print_rate(bench, "fan", (double)(count * FAN_WIDTH) / spent, limit);
    return 0;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print_latency(const struct bench *bench, const double *sorted, size_t count,
                          double commit_ms)
{
    double p50 = sorted[count / 2], p99 = sorted[count - 1 - count / 100];
    if (bench->json) {
        printf("{\"bench\":\"hello\",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"lmdb_commit_ms\":%.3f,"
               "\"p50_in_commits\":%.1f}\n",
               p50, p99, commit_ms, commit_ms > 0 ? p50 / commit_ms : 0);
    } else {
        printf("hello  p50 %.2f ms  p99 %.2f ms   an LMDB commit %.2f ms   p50 is %.1f commits\n",
               p50, p99, commit_ms, commit_ms > 0 ? p50 / commit_ms : 0);
    }
}

static int bench_hello(struct bench *bench, const struct tool_arguments *arguments, hf_error *error)
{
    size_t count = arguments->count ? arguments->count : 200;
    double *times = calloc(count, sizeof *times);
    if (!times) return 1;
    double limit = limit_of(bench, "limit-hello", 1);
    for (size_t i = 0; i < count && !error->status; i++) {
        const hf_instance *done = NULL;
        char id[32];
        snprintf(id, sizeof id, "hello-%zu", i);
        double start = bench_now();
        if (!hf_start(bench->store, id, "chain", hf_text("1"), error) &&
            !hf_wait(bench->store, id, 0, &done, error)) {
            hf_instance_free(done);
        }
        times[i] = (bench_now() - start) * 1000;
    }
    if (!error->status) {
        qsort(times, count, sizeof *times, compare_doubles);
        print_latency(bench, times, count, limit > 0 ? 1000 / limit : 0);
    }
    free(times);
    return error->status ? tool_fail(error) : 0;
}

/* ---- the subcommand ------------------------------------------------------------------------- */

typedef int (*bench_fn)(struct bench *bench, const struct tool_arguments *arguments,
                        hf_error *error);

static int bench_one(bench_fn run, const struct tool_arguments *arguments)
{
    hf_error error = { 0 };
    struct bench bench = { .json = arguments->json };
    const char *base = getenv("TMPDIR");
    snprintf(bench.directory, sizeof bench.directory, "%s/holdfast-bench-XXXXXX",
             base && *base ? base : "/var/tmp"); /* a disk: /tmp may be memory */
    if (!mkdtemp(bench.directory)) {
        fprintf(stderr, "bench: %s: %s\n", bench.directory, strerror(errno));
        return 1;
    }
    int failed = bench_open(&bench, &error) ? tool_fail(&error) : run(&bench, arguments, &error);
    bench_close(&bench);
    if (tool_remove_tree(bench.directory)) failed = 1;
    return failed;
}

int tool_bench(const struct tool_arguments *arguments)
{
    static const struct {
        const char *name;
        bench_fn run;
    } benches[] = { { "chain", bench_chain }, { "fan", bench_fan }, { "hello", bench_hello } };
    const char *wanted = arguments->words_count > 0 ? arguments->words[0] : NULL;
    int failed = 0;
    size_t runs = 0;
    for (size_t i = 0; i < HF_COUNT_OF(benches); i++) {
        if (wanted && strcmp(wanted, benches[i].name) != 0) continue;
        failed |= bench_one(benches[i].run, arguments);
        runs++;
    }
    if (runs > 0) return failed;
    fprintf(stderr, "bench: \"%s\" is none of chain, fan, hello\n", wanted);
    return 2;
}
