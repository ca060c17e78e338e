/* Plain to channels last and back: for each image the transposition of a matrix [channels, pixels].
 *
 * Four-byte elements go in square tiles that stay in the cache; others take the general way.
 */
#include "backends/layout.h"

#include "backends/simd/transpose.h"
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <stdint.h>

enum { TILE = 16, BLOCK = LTAP_TRANSPOSE_TILE };

/* dst[c * rows + r] = src[r * columns + c], for one matrix an image. */
typedef struct transposition {
    const uint32_t *src;
    uint32_t *dst;
    int64_t rows, columns, row_tiles;
} transposition;

/* TILE rows of at least BLOCK columns; the last blocks may overlap those before them. */
static void full_strip(const uint32_t *src, uint32_t *dst, const transposition *t)
{
    for (int64_t c = 0; c < t->columns; c += BLOCK) {
        c = c + BLOCK <= t->columns ? c : t->columns - BLOCK;
        for (int64_t r = 0; r < TILE; r += BLOCK)
            ltap_transpose_tile(src + r * t->columns + c, t->columns, dst + c * t->rows + r,
                                t->rows);
    }
}

static void part_strip(const uint32_t *src, uint32_t *dst, const transposition *t, int64_t n_rows)
{
    for (int64_t c = 0; c < t->columns; c++)
        for (int64_t r = 0; r < n_rows; r++)
            dst[c * t->rows + r] = src[r * t->columns + c];
}

static void transpose_strip(const transposition *t, int64_t image, int64_t row)
{
    const uint32_t *src = t->src + image * t->rows * t->columns + row * t->columns;
    uint32_t *dst = t->dst + image * t->rows * t->columns + row;
    int64_t n_rows = t->rows - row < TILE ? t->rows - row : TILE;

    if (n_rows == TILE && t->columns >= BLOCK)
        full_strip(src, dst, t);
    else
        part_strip(src, dst, t, n_rows);
}

static void transpose_strips(void *context, int64_t first, int64_t last)
{
    const transposition *t = context;

    for (int64_t i = first; i < last; i++)
        transpose_strip(t, i / t->row_tiles, i % t->row_tiles * TILE);
}

static void convert_any(const ltap_tensor *tensor, const void *src, ltap_layout from, void *dst,
                        int threads)
{
    int to_last[LTAP_LAYOUT_MAX_RANK], to_plain[LTAP_LAYOUT_MAX_RANK];
    ltap_tensor in = *tensor, out = *tensor;
    bool plain = from == LTAP_LAYOUT_PLAIN;

    for (int i = 0; i < tensor->rank; i++) {
        to_last[i] = ltap_layout_axis(LTAP_LAYOUT_CHANNELS_LAST, tensor->rank, i);
        to_plain[to_last[i]] = i;
        (plain ? &out : &in)->dims[i] = tensor->dims[to_last[i]];
    }
    in.data = (void *)src;
    out.data = dst;
    ltap_tensor_permute(&in, plain ? to_last : to_plain, &out, threads);
}

void ltap_layout_convert(const ltap_tensor *tensor, const void *src, ltap_layout from, void *dst,
                         ltap_layout to, int threads)
{
    const int64_t *dims = tensor->dims;
    int64_t pixels = 1;
    bool plain = from == LTAP_LAYOUT_PLAIN;

    (void)to;
    for (int i = 2; i < tensor->rank; i++)
        pixels *= dims[i];
    transposition t = {.src = src,
                       .dst = dst,
                       .rows = plain ? dims[1] : pixels,
                       .columns = plain ? pixels : dims[1]};
    if (ltap_tensor_count(tensor) == 0)
        return;
    if (ltap_dtype_bits(tensor->dtype) != 32) {
        convert_any(tensor, src, from, dst, threads);
        return;
    }
    t.row_tiles = (t.rows + TILE - 1) / TILE;
    ltap_parallel_for(threads, dims[0] * t.row_tiles, 4, transpose_strips, &t);
}

ltap_tensor ltap_layout_told(const ltap_tensor *tensor, ltap_layout layout, int rank)
{
    ltap_tensor told = *tensor;

    told.data = NULL;
    if (layout == LTAP_LAYOUT_PLAIN)
        return told;
    told.rank = rank;
    for (int i = 0; i < rank; i++) {
        int axis = ltap_layout_axis(layout, rank, i) - (rank - tensor->rank);
        told.dims[i] = axis < 0 ? 1 : tensor->dims[axis];
    }
    return told;
}
