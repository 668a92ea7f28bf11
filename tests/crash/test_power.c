/* Power cuts, simulated: from a recording of the workload's writes and syncs, what a cut may leave
 * at every moment, and what the store makes of it. With the syncs turned off the same judge must
 * find losses: else it would find none anywhere. */
/* ctest-timeout: 900 */
#include "tests/crash/workload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/compiler.h"
#include "tests/conformance/subject.h"
#include "tests/crash/disk.h"
#include "tests/support/role.h"

enum { CHANCES = 3 }; /* random images of each kind, at each moment */

/* ---- the process that is recorded ------------------------------------------------------------ */

static int role_records(const char *directory, hf_durability durability, const char *trace_path,
                        uint64_t fail_at)
{
    struct workload workload;
    const struct shim_plan plan = { .fault = SHIM_EIO, .at = fail_at };
    int trace = open(trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(trace >= 0);
    shim_start(directory, &plan, trace);
    workload_init(&workload, directory, durability);
    hf_status status = world_try_open(&workload.world);
    if (status != HF_OK) return fail_at ? 0 : 1; /* nothing was acknowledged */
    shim_mark(0);
    for (size_t step = 0; step < workload_steps_count(); step++) {
        status = workload_step(&workload, step);
        if (status != HF_OK && fail_at) status = workload_step(&workload, step);
        assert_ok(status, &workload.world.error);
        shim_mark(step + 1);
    }
    world_leave(&workload.world);
    return 0;
}

/* ---- the process that judges images ---------------------------------------------------------- */

/* How a store stands with what was acknowledged. */
static const char *word_for(const struct reference *reference, uint64_t fingerprint, size_t acked)
{
    const char *word = "corrupt";
    for (size_t i = 0; i <= workload_steps_count(); i++) {
        if (reference->fingerprints[i] != fingerprint) continue;
        if (i == acked || i == acked + 1) return "good";
        word = i < acked ? "lost" : "invented";
    }
    return word;
}

/* The same when there is none: before its creation is acknowledged ("-") it need not be there; with
 * nothing acknowledged since ("0") nothing but that is lost. */
static const char *word_without_store(const char *acked, hf_status status)
{
    if (status != HF_NOT_A_STORE) return "corrupt";
    if (acked[0] == '-') return "good";
    return strcmp(acked, "0") == 0 ? "lost" : "corrupt";
}

/* Judges the image that lies in the directory, as often as it is asked. It may die of one: then
 * that says enough. */
static int role_judges(const char *directory)
{
    struct reference reference;
    char line[HF_ROLE_LINE_SIZE];
    reference_make(&reference, HF_DURABLE_NONE);
    hf_role_print("ready");
    while (hf_role_try_read(line)) {
        struct workload workload;
        workload_init(&workload, directory, HF_DURABLE_NONE);
        workload.world.is_read_only = true;
        hf_status status = world_try_open(&workload.world);
        if (status != HF_OK) {
            hf_arena_release(&workload.world.arena);
            hf_role_print(word_without_store(line, status));
            continue;
        }
        const char *word = word_for(&reference, subject_fingerprint(workload.world.backend),
                                    strtoul(line, NULL, 10));
        if (strcmp(word, "good") == 0) subject_verify(workload.world.backend);
        world_leave(&workload.world);
        hf_role_print(word);
    }
    return 0;
}

/* How images were judged. */
struct tally {
    size_t states, good, lost, corrupt, deadly;
};

/* The campaign over one recording. */
struct campaign {
    struct hf_test_directory directory; /* of images */
    char image_path[300];
    struct disk disk;
    struct hf_role judge;
    struct tally tally;
};

static void judge_start(struct campaign *self)
{
    hf_role_start(&self->judge, (const char *const[]){ "judge", self->directory.path, NULL });
    hf_role_hear(&self->judge, "ready");
}

/* Lays out one image and has it judged. */
static void judge_image(struct campaign *self, enum disk_choice choice, uint64_t which)
{
    char line[32];
    struct tally *tally = &self->tally;
    assert_true(disk_image(&self->disk, choice, which, self->image_path));
    snprintf(line, sizeof line, self->disk.is_marked ? "%llu" : "-",
             (unsigned long long)self->disk.marked);
    hf_role_say(&self->judge, line);
    tally->states++;
    if (!hf_role_hear_any(&self->judge)) {
        tally->deadly++;
        hf_role_finish(&self->judge);
        judge_start(self);
        return;
    }
    tally->good += strcmp(self->judge.line, "good") == 0;
    tally->lost += strcmp(self->judge.line, "lost") == 0;
    tally->corrupt += strcmp(self->judge.line, "corrupt") == 0;
}

/* All images of one moment: with few pending writes each alone, and each left out. */
static void judge_moment(struct campaign *self, uint64_t moment)
{
    size_t pending = self->disk.pending_count;
    judge_image(self, DISK_NONE, 0);
    if (pending == 0) return;
    judge_image(self, DISK_ALL, 0);
    for (size_t i = 0; i < pending && pending <= 12; i++) {
        judge_image(self, DISK_ALL_BUT, i);
        judge_image(self, DISK_ONLY, i);
    }
    for (uint64_t i = 0; i < CHANCES; i++) {
        judge_image(self, DISK_RANDOM, moment * CHANCES + i);
        judge_image(self, DISK_TORN, moment * CHANCES + i);
    }
}

static void campaign_record(struct campaign *self, hf_durability durability, uint64_t fail_at)
{
    struct hf_test_directory recorded;
    struct hf_role role;
    char words[2][32], trace_path[300];
    memset(&self->tally, 0, sizeof self->tally);
    hf_test_directory_make(&recorded);
    hf_test_directory_make(&self->directory);
    hf_test_directory_join(&self->directory, "data.mdb", self->image_path, sizeof self->image_path);
    hf_test_directory_join(&self->directory, "trace", trace_path, sizeof trace_path);
    snprintf(words[0], sizeof words[0], "%d", durability);
    snprintf(words[1], sizeof words[1], "%llu", (unsigned long long)fail_at);
    hf_role_start(&role, (const char *const[]){ "record", recorded.path, words[0], trace_path,
                                                words[1], NULL });
    assert_int_equal(hf_role_finish(&role), 0);
    assert_true(disk_open(&self->disk, trace_path));
    assert_int_equal(unlink(trace_path), 0);
    hf_test_directory_remove(&recorded);
    judge_start(self);
}

static void campaign_end(struct campaign *self)
{
    assert_int_equal(hf_role_finish(&self->judge), 0);
    disk_close(&self->disk);
    hf_test_directory_remove(&self->directory);
}

/* Judges every moment of a recorded run. */
static struct tally cut_everywhere(const char *name, hf_durability durability)
{
    struct campaign campaign;
    uint64_t moment = hf_test_seed(0) << 32;
    campaign_record(&campaign, durability, 0);
    do judge_moment(&campaign, moment++);
    while (disk_step(&campaign.disk));
    assert_int_equal(campaign.disk.marked, workload_steps_count());
    campaign_end(&campaign);
    const struct tally *tally = &campaign.tally;
    print_message("%-14s %zu states: %zu good, %zu lost something, %zu corrupt, %zu deadly\n", name,
                  tally->states, tally->good, tally->lost, tally->corrupt, tally->deadly);
    return campaign.tally;
}

/* ---- a second crash, while the first is got over --------------------------------------------- */

/* Opens the store in the directory for writing, and ends at a call. */
static int role_opens(const char *directory, uint64_t at)
{
    struct workload workload;
    const struct shim_plan plan = { .fault = SHIM_EXIT_AFTER, .at = at };
    shim_start(directory, &plan, -1);
    workload_init(&workload, directory, HF_DURABLE_FULL);
    world_open(&workload.world);
    world_leave(&workload.world);
    return 0;
}

/* Opens an image again and again, one call further each time, until that is not cut short; then
 * proves it. Returns how often it was. */
static size_t open_in_pieces(const char *directory)
{
    struct workload workload;
    char at_text[32];
    int status = SHIM_EXIT_STATUS;
    size_t at = 0;
    while (status == SHIM_EXIT_STATUS) {
        struct hf_role role;
        snprintf(at_text, sizeof at_text, "%zu", ++at);
        hf_role_start(&role, (const char *const[]){ "open", directory, at_text, NULL });
        status = hf_role_finish(&role);
    }
    assert_int_equal(status, 0);
    workload_init(&workload, directory, HF_DURABLE_NONE);
    world_open(&workload.world);
    workload_prove(&workload.world);
    world_leave(&workload.world);
    return at - 1;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_no_power_cut_loses_what_was_acknowledged(void **state)
{
    (void)state;
    struct tally tally = cut_everywhere("full sync", HF_DURABLE_FULL);
    assert_int_equal(tally.good, tally.states);
    assert_true(tally.states > 1000);
}

/* Without the sync of the meta page the last commits may be gone, and nothing else. */
static void test_without_meta_sync_last_commits_may_be_lost(void **state)
{
    (void)state;
    struct tally tally = cut_everywhere("no meta sync", HF_DURABLE_NO_META_SYNC);
    assert_true(tally.lost > 0);
    assert_int_equal(tally.good + tally.lost, tally.states);
}

/* The control: without any sync the judge finds much. */
static void test_without_sync_the_judge_finds_losses(void **state)
{
    (void)state;
    struct tally tally = cut_everywhere("no sync", HF_DURABLE_NONE);
    assert_true(tally.lost > 0 && tally.corrupt + tally.deadly > 0);
}

/* After a sync that failed the kernel may forget what was to be synced, and say nothing at the next
 * one: what is acknowledged afterwards does not rest on it. */
static void test_failed_sync_leaves_no_debt(void **state)
{
    struct reference reference;
    size_t states_count = 0;
    (void)state;
    reference_make(&reference, HF_DURABLE_FULL);
    for (uint64_t at = 1; at <= reference.calls_count; at += HF_ASAN ? 16 : 1) {
        struct campaign campaign;
        campaign_record(&campaign, HF_DURABLE_FULL, at);
        while (disk_step(&campaign.disk)) continue;
        if (campaign.disk.is_marked) judge_image(&campaign, DISK_NONE, 0);
        campaign_end(&campaign);
        assert_int_equal(campaign.tally.good, campaign.tally.states);
        states_count += campaign.tally.states;
    }
    print_message("%zu states behind a call that failed\n", states_count);
    assert_true(states_count * (HF_ASAN ? 16 : 1) > 50);
}

static void test_crash_while_a_cut_store_is_opened(void **state)
{
    struct campaign campaign;
    size_t moment = 0, opened_count = 0, crashes_count = 0;
    (void)state;
    campaign_record(&campaign, HF_DURABLE_FULL, 0);
    while (disk_step(&campaign.disk)) {
        if (!campaign.disk.is_marked || moment++ % 16 != 0) continue;
        for (enum disk_choice choice = DISK_NONE; choice <= DISK_ALL; choice++) {
            struct hf_test_directory image;
            char path[300];
            hf_test_directory_make(&image);
            hf_test_directory_join(&image, "data.mdb", path, sizeof path);
            assert_true(disk_image(&campaign.disk, choice, 0, path));
            crashes_count += open_in_pieces(image.path);
            hf_test_directory_remove(&image);
            opened_count++;
        }
    }
    print_message("%zu images, %zu crashes while they were opened\n", opened_count, crashes_count);
    assert_true(crashes_count > opened_count);
    campaign_end(&campaign);
}

int main(int count, char **words)
{
    if (count > 3 && strcmp(words[1], "--role") == 0 && strcmp(words[2], "judge") == 0) {
        return role_judges(words[3]);
    }
    if (count > 4 && strcmp(words[1], "--role") == 0 && strcmp(words[2], "open") == 0) {
        return role_opens(words[3], strtoull(words[4], NULL, 10));
    }
    if (count > 6 && strcmp(words[1], "--role") == 0) {
        return role_records(words[3], (hf_durability)atoi(words[4]), words[5],
                            strtoull(words[6], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_power_cut_loses_what_was_acknowledged),
        cmocka_unit_test(test_without_meta_sync_last_commits_may_be_lost),
        cmocka_unit_test(test_without_sync_the_judge_finds_losses),
        cmocka_unit_test(test_failed_sync_leaves_no_debt),
        cmocka_unit_test(test_crash_while_a_cut_store_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
