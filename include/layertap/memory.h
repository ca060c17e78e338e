/* Memory: the caller's allocator, and limits.
 *
 * All memory that layertap takes for a model, its getters, runs and features goes through the
 * model's allocator and is counted against the model's limit (see ltap_model_options).
 */
#ifndef LAYERTAP_MEMORY_H
#define LAYERTAP_MEMORY_H

#include <layertap/export.h>
#include <stddef.h>
#include <stdint.h>

LTAP_BEGIN

/* A caller's allocator. Both functions may be called by several threads at once.
 * allocate: `bytes` > 0, `alignment` a power of two >= 16; returns NULL when there is none.
 * release: `memory` came from allocate with the same `bytes`; never NULL. */
typedef struct ltap_allocator {
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void (*release)(void *user, void *memory, size_t bytes);
    void *user;
} ltap_allocator;

/* The default limit: 80 % of the smaller of physical memory and this process's cgroup limit. */
LTAP_API uint64_t ltap_memory_default_limit(void);

LTAP_END

#endif
