/* Formatting of log lines and handing them to the observer. Not a sink: nothing is written or kept
 * here. */
#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/assert.h"

bool hf__log_wants(const hf_observer *observer, hf_log_level level)
{
    return observer && observer->log && level <= observer->level_max;
}

void hf__log(const hf_observer *observer, const hf_log_line *line, const char *format, ...)
{
    hf_assert(line->event);
    if (!hf__log_wants(observer, line->level)) return;
    char message[HF__LOG_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    hf_log_line whole = *line;
    whole.size = sizeof whole;
    whole.message = message;
    observer->log(observer->self, &whole);
}

void hf__log_pass(void *observer, const hf_log_line *line)
{
    const hf_observer *to = observer;
    hf_assert(line->event && line->message);
    if (hf__log_wants(to, line->level)) to->log(to->self, line);
}
