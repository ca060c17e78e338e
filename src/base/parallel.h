/* Threads: the only way to use more than one. */
#ifndef LTAP_BASE_PARALLEL_H
#define LTAP_BASE_PARALLEL_H

#include "base/pool.h"
#include <stdint.h>

/* Processors that this process may use. */
int ltap_parallel_processors(void);

/* Calls body(context, first, last) for disjoint ranges that cover [0, count), on at most `threads`
 * threads, in pieces of at least `grain`. The ranges are a pure function of the arguments. Returns
 * when all are done. */
void ltap_parallel_for(int threads, int64_t count, int64_t grain,
                       void (*body)(void *context, int64_t first, int64_t last), void *context);

/* Makes the loops of this thread run on that pool (NULL: on threads started for each); returns the
 * pool before, to be given back afterwards. Loops inside of loops run on the thread they are on. */
ltap_pool *ltap_parallel_enter(ltap_pool *pool);

#endif
