/* play.h: what the engine's tests say about a script: see tests/support/script.h. */
#ifndef HF_PLAY_H
#define HF_PLAY_H

#include "tests/support/hf_test.h"

#include "engine/base/heap.h"
#include "tests/support/script.h"

/* Plays words; fails the test when a turn fails. */
void play(struct hf_script *script, const char *words);
/* Plays words; the last turn must fail with status, and its message contain part. */
void play_fails(struct hf_script *script, const char *words, hf_status status, const char *part);
/* Compares the history, one event a line, the last line without its end. */
void assert_history(struct hf_script *script, const char *expected);
/* The instance has completed with that output. */
void assert_completed(struct hf_script *script, const char *output);
/* The instance has failed with that code, and a message that contains part. */
void assert_failed(struct hf_script *script, const char *code, const char *part);
/* The instance ended as cancelled with that reason. */
void assert_cancelled(struct hf_script *script, const char *reason);
/* The user pointer of the orchestration, to write on. */
void *probe_of(const hf_orchestration *o);

#endif
