/* A worker process of the demo: runs conversations and their activities until SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tools/demo.h"
#include "tools/tool.h"

/* Tells the demo, which holds the other end of standard output, that this worker is registered. */
static bool say_ready(void)
{
    return write(STDOUT_FILENO, "+", 1) == 1;
}

static int run(hf_runtime *runtime, const sigset_t *stops, hf_error *error)
{
    int signal_number = 0;
    if (hf_runtime_start(runtime, error)) return tool_fail(error);
    if (!say_ready()) return 1;
    sigwait(stops, &signal_number);
    hf_runtime_stop(runtime, 5000, NULL, NULL);
    return hf_runtime_join(runtime, error) ? tool_fail(error) : 0;
}

int tool_demo_worker(const struct tool_arguments *arguments)
{
    hf_error error = { 0 };
    hf_store *store = NULL;
    hf_runtime *runtime = NULL;
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL); /* before any thread of the library starts */
    prctl(PR_SET_PDEATHSIG, SIGTERM);         /* a demo that is killed leaves no worker behind */

    uint64_t sessions_max = 0;
    if (!tool_number(arguments->words[2], &sessions_max)) return 1;
    hf_registry *registry = demo_registry();
    if (!registry) return 1;
    hf_runtime_options options = HF_INIT(hf_runtime_options);
    options.worker_id = arguments->words[1];
    options.activity_threads = 2;
    options.sessions_max = (uint32_t)sessions_max;
    int exit_status = 1;
    if (hf_store_open(arguments->words[0], NULL, &store, &error) ||
        hf_runtime_new(store, registry, &options, &runtime, &error)) {
        tool_fail(&error);
    } else {
        exit_status = run(runtime, &stops, &error);
    }
    hf_runtime_free(runtime);
    hf_store_close(store);
    hf_registry_free(registry);
    return exit_status;
}
