/* Threads that wait for loops; see parallel.h, which alone uses them.
 *
 * A pool belongs to one caller at a time, who takes part in its own loops and can finish each of
 * them alone: a thread that the system does not run holds nothing up but what it has begun.
 */
#ifndef LTAP_BASE_POOL_H
#define LTAP_BASE_POOL_H

#include "base/memory.h"
#include <stdbool.h>
#include <stdint.h>

enum { LTAP_POOL_RANGES = 256 };

typedef struct ltap_pool ltap_pool;

/* A pool for loops on so many threads, the caller's among them. Fewer where the system gives no
 * more. pool: yours to free. */
ltap_status ltap_pool_new(ltap_memory *memory, int threads, ltap_pool **pool, ltap_error *error);
void ltap_pool_free(ltap_pool *pool);
/* In a process that was forked after the pool was made, its threads are not there: from here on it
 * has none. */
void ltap_pool_check(ltap_pool *pool);

/* Calls body(context, i) once for each i of [0, count), count at most LTAP_POOL_RANGES; returns
 * when all are done. False, and nothing is called, where the pool is in the middle of a loop. */
bool ltap_pool_run(ltap_pool *pool, int count, void (*body)(const void *context, int64_t index),
                   const void *context);

#endif
