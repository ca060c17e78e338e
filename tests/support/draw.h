/* Random numbers for tests, from a seed: the same on every machine. */
#ifndef LTAP_SUPPORT_DRAW_H
#define LTAP_SUPPORT_DRAW_H

#include <stdint.h>

/* A number in [low, high]; the state may begin anywhere. */
static inline int64_t draw(uint64_t *state, int64_t low, int64_t high)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (int64_t)((*state >> 33) % (uint64_t)(high - low + 1));
}

#endif
