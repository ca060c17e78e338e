/* Standard normal numbers that are the same on every machine. */
#ifndef LAYERTAP_RANDOM_H
#define LAYERTAP_RANDOM_H

#include <layertap/export.h>
#include <stdint.h>

LTAP_BEGIN

/* {.state = seed}, and zeros. */
typedef struct ltap_random {
    uint64_t state;
    double spare; /* the second of a pair */
    int has_spare;
} ltap_random;

/* The next number. */
LTAP_API double ltap_random_normal(ltap_random *random);

LTAP_END

#endif
