/* The names nearest to a wrong one.
 *
 * Edit distance; equal distances: the letters that differ the least first, so that "layer5" is
 * nearer to "layer4" than to "layer1". Rows are cut off at the best found so far, which keeps
 * 50,000 names in milliseconds. Upper and lower case are the same, and so are "/" and ".".
 */
#ifndef LTAP_BASE_NEAR_H
#define LTAP_BASE_NEAR_H

#include <stddef.h>
#include <stdint.h>

#define LTAP_NEAR_ROOM    3
#define LTAP_NEAR_LONGEST 120 /* longer names are not typed by hand */

typedef struct ltap_near_name {
    const char *name; /* borrowed */
    uint32_t tag;     /* the caller's */
    int distance, drift;
} ltap_near_name;

typedef struct ltap_near {
    const char *wanted;
    size_t bytes; /* of it; 0: it is too long for anything to be near */
    ltap_near_name best[LTAP_NEAR_ROOM];
    size_t count, room;
    int limit; /* the largest distance that is still near */
} ltap_near;

/* wanted: borrowed, NUL-terminated. room: up to LTAP_NEAR_ROOM names are kept. */
void ltap_near_init(ltap_near *near, const char *wanted, size_t room);
/* How many letters may be wrong in a name of a length. */
int ltap_near_enough(size_t bytes);
/* Edit distance, or more than limit when it is more. */
int ltap_near_distance(const char *a, size_t n, const char *b, size_t m, int limit);
/* How much the letters differ, of two names at the same distance. */
int ltap_near_drift(const char *a, size_t n, const char *b, size_t m);
/* Keeps a name whose distance is known, each once. */
void ltap_near_rank(ltap_near *near, const ltap_near_name *found);
/* Keeps a name where it is near. */
void ltap_near_offer(ltap_near *near, const char *name);

#endif
