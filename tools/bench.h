/* What the benchmarks share: time, a temporary store, and the limit measured in the same run. */
#ifndef HF_TOOL_BENCH_H
#define HF_TOOL_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of a clock that only goes forward. */
double bench_now(void);

/* What plain LMDB does in directory: durable commits a second, with `puts` small puts in each,
 * during about half a second. Returns puts a second; 0 after saying on standard error what failed.
 */
double bench_lmdb_puts_per_second(const char *directory, unsigned puts);

#endif
