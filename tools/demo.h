/* The demo: a durable conversation counts the words of a text, line by line. What its parts share.
 */
#ifndef HF_TOOL_DEMO_H
#define HF_TOOL_DEMO_H

#include "include/holdfast.h"

/* Lines of the mailbox begin with what they are. */
enum { DEMO_LINE = 'L', DEMO_LONG_WAIT = 'W', DEMO_END = 'E' };

#define DEMO_MAILBOX "lines"
#define DEMO_ORCHESTRATION "demo-conversation"

enum { DEMO_CHECKPOINT_LINES = 5, DEMO_LONG_WAIT_MS = 1200 };

/* A registry with the conversation and its activities; NULL when out of memory. Returns owned:
 * hf_registry_free. */
hf_registry *demo_registry(void);

/* The plain count that the conversations must arrive at: words as `wc -w` counts them. */
int64_t demo_words(hf_slice text);

/* Prints from the log of the closed store in directory who owned which session when; 0, or 1 after
 * saying why not. */
int demo_timeline(const char *directory);

struct tool_arguments;

/* The soak on the text at path, as the arguments ask; returns the exit status. */
int demo_soak(const struct tool_arguments *arguments, const char *path);

/* What happened to work and sessions. */
struct demo_tally {
    uint64_t deaths;       /* of registrations */
    uint64_t claims;       /* of sessions */
    uint64_t takeovers;    /* those from another registration */
    uint64_t redeliveries; /* of items that somebody else had before */
    uint64_t turns_lost;
};

/* Counts them in the log of the closed store in directory. As above. */
int demo_tally_read(const char *directory, struct demo_tally *out_tally);

#endif
