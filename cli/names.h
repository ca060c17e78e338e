/* The nearest of several names to one that was mistyped. */
#ifndef LTAP_CLI_NAMES_H
#define LTAP_CLI_NAMES_H

#include <stddef.h>

typedef struct cli_nearest {
    char typed[64];
    const char *best; /* NULL: none is near enough to be meant */
    size_t distance;
} cli_nearest;

void cli_nearest_init(cli_nearest *nearest, const char *typed, size_t length);
/* name: kept until the search is over. The first of equally near ones stays. */
void cli_nearest_offer(cli_nearest *nearest, const char *name);

#endif
