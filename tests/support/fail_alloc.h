/* An allocator that fails the n-th call, counts what is live, and checks each release.
 *
 *     for (size_t n = 1;; n++) {
 *         fail_alloc heap;
 *         fail_alloc_init(&heap, n);
 *         ... ltap_memory_new(&heap.allocator, 0, &memory, NULL) ... clean everything up ...
 *         fail_alloc_check(&heap);
 *         if (!fail_alloc_failed(&heap))
 *             break;
 *     }
 */
#ifndef LTAP_SUPPORT_FAIL_ALLOC_H
#define LTAP_SUPPORT_FAIL_ALLOC_H

#include <layertap/memory.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fail_alloc {
    ltap_allocator allocator;
    size_t fail_at; /* which call gives NULL, counted from 1; 0: none */
    atomic_size_t calls, live, live_bytes, wrong_sizes, peak_bytes;
} fail_alloc;

/* Lies in front of each block. */
typedef struct fail_alloc_header {
    void *base;
    size_t bytes;
} fail_alloc_header;

static inline void *fail_alloc_allocate(void *user, size_t bytes, size_t alignment)
{
    fail_alloc *self = user;
    size_t room = alignment > sizeof(fail_alloc_header) ? alignment : sizeof(fail_alloc_header);
    char *base;
    if (atomic_fetch_add(&self->calls, 1) + 1 == self->fail_at)
        return NULL;
    base = aligned_alloc(alignment, (bytes + room + alignment - 1) / alignment * alignment);
    if (base == NULL)
        return NULL;
    fail_alloc_header header = {base, bytes};
    memcpy(base + room - sizeof header, &header, sizeof header);
    memset(base + room, 0xa5, bytes); /* what is not set by its owner is seen */
    atomic_fetch_add(&self->live, 1);
    size_t live_bytes = atomic_fetch_add(&self->live_bytes, bytes) + bytes;
    if (live_bytes > atomic_load(&self->peak_bytes))
        atomic_store(&self->peak_bytes, live_bytes);
    return base + room;
}

static inline void fail_alloc_release(void *user, void *memory, size_t bytes)
{
    fail_alloc *self = user;
    fail_alloc_header header;
    memcpy(&header, (char *)memory - sizeof header, sizeof header);
    if (header.bytes != bytes)
        atomic_fetch_add(&self->wrong_sizes, 1);
    memset(memory, 0x5a, header.bytes);
    atomic_fetch_sub(&self->live, 1);
    atomic_fetch_sub(&self->live_bytes, header.bytes);
    free(header.base);
}

/* fail_at 0: never fails. The structure must not move while it is in use. */
static inline void fail_alloc_init(fail_alloc *self, size_t fail_at)
{
    memset(self, 0, sizeof *self);
    self->allocator = (ltap_allocator){fail_alloc_allocate, fail_alloc_release, self};
    self->fail_at = fail_at;
}

/* Whether the call that was to fail was reached. */
static inline bool fail_alloc_failed(const fail_alloc *self)
{
    return self->fail_at != 0 && atomic_load(&self->calls) >= self->fail_at;
}

/* Nothing is left, and every release named the right size. */
static inline bool fail_alloc_is_clean(const fail_alloc *self)
{
    return atomic_load(&self->live) == 0 && atomic_load(&self->wrong_sizes) == 0;
}

/* The same, as an end of the test. */
static inline void fail_alloc_check(const fail_alloc *self)
{
    if (fail_alloc_is_clean(self))
        return;
    fprintf(stderr, "call %zu was to fail: %zu blocks (%zu bytes) left, %zu wrong sizes\n",
            self->fail_at, (size_t)atomic_load(&self->live), (size_t)atomic_load(&self->live_bytes),
            (size_t)atomic_load(&self->wrong_sizes));
    abort();
}

#endif
