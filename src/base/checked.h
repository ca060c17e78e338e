/* Arithmetic on sizes that come from a file: checked, or not done. True means it fits. */
#ifndef LTAP_BASE_CHECKED_H
#define LTAP_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool ltap_checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool ltap_checked_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Rounds up to a multiple of a power of two. */
static inline bool ltap_checked_round_up(uint64_t value, uint64_t alignment, uint64_t *rounded)
{
    uint64_t sum;
    if (!ltap_checked_add(value, alignment - 1, &sum))
        return false;
    *rounded = sum & ~(alignment - 1);
    return true;
}

#endif
