/* Assertions about a script. */
#include "tests/unit/engine/play.h"

#include <string.h>

void play(struct hf_script *script, const char *words)
{
    hf_status status = hf_script_play(script, words);
    assert_ok(status, &script->error);
}

void play_fails(struct hf_script *script, const char *words, hf_status status, const char *part)
{
    assert_status(hf_script_play(script, words), status);
    if (!strstr(script->error.message, part)) {
        fail_msg("\"%s\" is not in: %s", part, script->error.message);
    }
}

void assert_history(struct hf_script *script, const char *expected)
{
    const char *history = hf_script_history(script);
    size_t size = strlen(expected);
    if (strncmp(history, expected, size) != 0 || strcmp(history + size, "\n") != 0) {
        fail_msg("expected:\n%s\nhistory:\n%s", expected, history);
    }
}

void assert_completed(struct hf_script *script, const char *output)
{
    hf_error error = { 0 };
    assert_int_equal(script->outcome, HF_OUTCOME_COMPLETED);
    assert_string_equal(hf_script_output(script, &error), output);
    assert_status(error.status, HF_OK);
}

void assert_failed(struct hf_script *script, const char *code, const char *part)
{
    hf_error error = { 0 };
    assert_int_equal(script->outcome, HF_OUTCOME_FAILED);
    hf_script_output(script, &error);
    assert_string_equal(error.code, code);
    if (!strstr(error.message, part)) fail_msg("\"%s\" is not in: %s", part, error.message);
}

void assert_cancelled(struct hf_script *script, const char *reason)
{
    hf_error error = { 0 };
    assert_int_equal(script->outcome, HF_OUTCOME_CANCELLED);
    hf_script_output(script, &error);
    assert_status(error.status, HF_CANCELLED);
    assert_string_equal(error.message, reason);
}

void *probe_of(const hf_orchestration *o)
{
    return (void *)(uintptr_t)hf_orchestration_user(o);
}
