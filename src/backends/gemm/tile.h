/* Register tiles: the inner loop of every convolution and matrix product with constant weights.
 *
 * A tile is up to twelve rows of the left side times a panel of up to four vectors of columns. The
 * left side is told by pointers, one a row and tap, so that a convolution's pixels are read where
 * they lie and padding is a row of zeros. Each element's sum runs over the taps and then the depth,
 * one fused multiply-add after the other, on top of what it begins with: the bits do not depend on
 * how rows and columns are cut into tiles, nor on whether a sum stops in memory on its way.
 *
 * A narrow tile is for groups of which several fit into one vector of columns: each lane multiplies
 * what its own group has at a depth, so that no lane is wasted on other groups.
 */
#ifndef LTAP_BACKENDS_GEMM_TILE_H
#define LTAP_BACKENDS_GEMM_TILE_H

#include <stdbool.h>
#include <stdint.h>

enum { LTAP_TILE_VECTORS = 4, LTAP_TILE_ROWS = 12 };

typedef struct ltap_tile_job {
    /* [taps][rows], each of at least first + depth floats. NULL as a tap's first: the tap is left
     * out. */
    const float *const *rows;
    int64_t taps, first, depth;
    const float *panel; /* [taps][depth][vectors of columns] */
    const float *start; /* what each row begins with; NULL: what dst holds */
    float *dst;
    int64_t stride; /* floats from one row of dst to the next */
    int some;       /* columns of the last vector that exist, others are not touched; 0: all */
    /* Narrow tiles only, [depth][lanes]: at depth k, a lane multiplies the row's number first +
     * places[k][lane]. All are below the number of lanes; a row has that many from first on. */
    const int32_t *places;
    const char *ahead; /* memory that is wanted soon: `depth` cache lines from here on */
} ltap_tile_job;

typedef void (*ltap_tile)(const ltap_tile_job *job);

/* What a processor has. */
typedef struct ltap_tiles {
    const char *name;
    int lanes;                   /* floats in a vector */
    int vectors;                 /* in a full panel */
    int rows[LTAP_TILE_VECTORS]; /* the most, for one vector, two, ... */
    ltap_tile tiles[LTAP_TILE_VECTORS][LTAP_TILE_ROWS];
    int narrow_rows;
    ltap_tile narrow[LTAP_TILE_ROWS]; /* of one vector, in which each lane has its own places */
} ltap_tiles;

/* The best for this processor; always the same. */
const ltap_tiles *ltap_tiles_best(void);
/* Of pairs of bfloat16: where others take a float of a row and of the panel, these take two
 * bfloat16 of neighbouring depths, and add both products in float32. Rows and panels hold half as
 * many units (see pairs.h); there are no narrow tiles. NULL: this processor has none. */
const ltap_tiles *ltap_tiles_pairs(void);
/* All that this processor can run, the plain one last; NULL past the end. */
const ltap_tiles *ltap_tiles_at(int index);

#endif
