/* Lines for the store's observer. */
#ifndef HF_RUNTIME_LOG_H
#define HF_RUNTIME_LOG_H

#include "engine/base/compiler.h"

enum { HF__LOG_MESSAGE_SIZE = 512 };

/* Whether the observer (may be NULL) wants lines of that level: else nothing need be put together.
 * Any thread. */
bool hf__log_wants(const hf_observer *observer, hf_log_level level);

/* Gives the observer (NULL: nobody) a line: `line` holds its level, event and names, and the
 * message is formatted here (cut at HF__LOG_MESSAGE_SIZE); line->size and line->message need not be
 * set. Any thread.
 *
 *     hf__log(store->observer, &(hf_log_line){ .level = HF_LOG_WARN, .event = "session.lost",
 * .session = id }, "taken over by %s", worker);
 */
void hf__log(const hf_observer *observer, const hf_log_line *line, const char *format, ...)
    HF_PRINTF(3, 4);

/* Passes a finished line on: the shape of hf_seams.log and of hf_execution_options.log, with the
 * observer as self. Any thread. */
void hf__log_pass(void *observer, const hf_log_line *line);

#endif
