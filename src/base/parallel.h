/* Threads: the only way to use more than one, and the only file that knows how. */
#ifndef LTAP_BASE_PARALLEL_H
#define LTAP_BASE_PARALLEL_H

#include <stdint.h>

/* Processors that this process may use. */
int ltap_parallel_processors(void);

/* Calls body(context, first, last) for disjoint ranges that cover [0, count), on at most `threads`
 * threads, in pieces of at least `grain`. The ranges are a pure function of the arguments. Returns
 * when all are done. */
void ltap_parallel_for(int threads, int64_t count, int64_t grain,
                       void (*body)(void *context, int64_t first, int64_t last), void *context);

/* Makes libraries that are called by this thread use this many threads; returns the number before,
 * to be given back to it afterwards. */
int ltap_parallel_set_threads(int threads);

#endif
