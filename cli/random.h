/* Standard normal numbers that are the same on every machine. */
#ifndef LTAP_CLI_RANDOM_H
#define LTAP_CLI_RANDOM_H

#include <stdint.h>

typedef struct cli_random {
    uint64_t state;
    double spare; /* the second of a pair */
    int has_spare;
} cli_random;

void cli_random_init(cli_random *random, uint64_t seed);
double cli_random_normal(cli_random *random);

#endif
