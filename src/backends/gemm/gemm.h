/* Matrix products with packed columns, a chunk of rows at a time, on one thread.
 *
 * Several products may lie side by side (groups of a convolution): the same rows, in which each
 * takes its own stretch of the depth, and columns of their own; a panel may hold several that are
 * narrow. Columns are packed into panels (see tile.h): [panel][tap][depth][vectors], the last panel
 * only as wide as it must be. Rows come as pointers, in blocks of what a tile takes at once. The
 * depth is walked in parts that stay in the cache while all blocks go through them; meanwhile the
 * next part is fetched.
 */
#ifndef LTAP_BACKENDS_GEMM_GEMM_H
#define LTAP_BACKENDS_GEMM_GEMM_H

#include "backends/gemm/tile.h"
#include "backends/impl.h"

/* Immutable once made. */
typedef struct ltap_panels {
    const ltap_tiles *tiles;
    int64_t taps, depth, columns, groups; /* of one product; products side by side */
    bool pairs;       /* of bfloat16: the depth counts pairs, and so do rows (see pairs.h) */
    int vectors;      /* of a panel */
    int rows;         /* of a block at the most */
    int64_t together; /* products in a panel; more than one: narrow tiles */
    int64_t count;    /* panels of all products */
} ltap_panels;

/* vectors, rows and count, where all else is set. pieces: how many threads will share the panels
 * out among them; 1 where they share rows. */
void ltap_panels_cut(ltap_panels *panels, int pieces);
/* Where a panel is: its columns of those of all products, the first of the depth of all that it
 * multiplies, the floats before it. */
typedef struct ltap_panel {
    int64_t column, live, skipped, place;
} ltap_panel;
ltap_panel ltap_panels_at(const ltap_panels *panels, int64_t panel);
uint64_t ltap_panels_bytes(const ltap_panels *panels);

/* Where column n, tap t and depth k of the right side lie: src[n * column + t * tap + k / inner *
 * outer + k % inner * depth]. src: floats, aligned or not. */
typedef struct ltap_panels_source {
    const char *src;
    int64_t column, tap, depth, inner, outer;
} ltap_panels_source;
/* Packs panels [first, last) of the whole into packed; columns that do not exist become 0. */
void ltap_panels_fill(const ltap_panels *panels, const ltap_panels_source *source, int64_t first,
                      int64_t last, float *packed);
/* All of it, on so many threads, and what was read of the source is let go. */
void ltap_panels_fill_all(const ltap_panels *panels, const ltap_panels_source *source,
                          const ltap_packs *packs, int threads, float *packed);
/* What of the source, of so many bytes, is there at once meanwhile. */
uint64_t ltap_panels_mapped(const ltap_panels *panels, const ltap_panels_source *source,
                            uint64_t bytes, int threads);
/* The same through a getter's packs, on so many threads; identity: the source's (see ltap_query).
 */
ltap_status ltap_panels_pack(const ltap_query *query, size_t input, const ltap_panels *panels,
                             const ltap_panels_source *source, const void **packed,
                             ltap_error *error);

/* Rows of a chunk are cut into blocks of nearly equal size; block b is rows [begin(b), begin(b +
 * 1)). */
typedef struct ltap_blocks {
    int64_t rows, count;
} ltap_blocks;
ltap_blocks ltap_blocks_of(const ltap_panels *panels, int64_t rows);
static inline int64_t ltap_blocks_begin(const ltap_blocks *blocks, int64_t block)
{
    int64_t each = blocks->rows / blocks->count, more = blocks->rows % blocks->count;
    return block * each + (block < more ? block : more);
}

typedef struct ltap_gemm {
    const ltap_panels *panels;
    const float *packed;
    int64_t first, last; /* panels to do */
    /* Of block b from taps * begin(b) on: [taps][rows of the block]. */
    const float *const *pointers;
    ltap_blocks blocks;
    const float *bias; /* a number a column, or NULL */
    float *dst;        /* row 0, column 0 */
    int64_t stride;
} ltap_gemm;
void ltap_gemm_run(const ltap_gemm *gemm);

#endif
