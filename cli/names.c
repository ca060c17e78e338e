/* Which name was meant: the fewest letters added, left out, changed or swapped with their
 * neighbour. Only names that share at least half their letters with what was typed count as near;
 * layers have a search of their own, in the library. */
#include "cli/names.h"
#include <stdint.h>
#include <string.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Three rows of the table of distances between beginnings are enough: swaps look back two. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), rows[3][LONGEST + 1];
    if (m > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(above[j] + 1, now[j - 1] + 1, change);
            int swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

void cli_nearest_init(cli_nearest *nearest, const char *typed, size_t length)
{
    if (length > LONGEST)
        length = LONGEST;
    memcpy(nearest->typed, typed, length);
    nearest->typed[length] = 0;
    nearest->best = NULL;
    nearest->distance = length / 2 + 1;
}

void cli_nearest_offer(cli_nearest *nearest, const char *name)
{
    size_t length = strlen(nearest->typed);
    size_t far = distance(nearest->typed, name);
    if (length >= 3 && strncmp(nearest->typed, name, length) == 0)
        far = 0;
    if (far < nearest->distance) {
        nearest->distance = far;
        nearest->best = name;
    }
}
