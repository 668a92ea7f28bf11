/* The end of a process whose own invariant is broken. */
#include "engine/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void hf_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "holdfast: %s:%d: broken invariant: %s\n", file, line, what);
    abort();
}
