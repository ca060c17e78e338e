/* Plain to channels last and back: for each image the transposition of a matrix [channels, pixels].
 *
 * Four-byte elements go in square tiles that stay in the cache; others take the general way.
 */
#include "backends/layout.h"

#include "backends/simd/transpose.h"
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <stdint.h>
#include <string.h>

/* COPY_GRAIN: below this many floats, a second thread costs more than it brings. */
enum { TILE = 16, BLOCK = LTAP_TRANSPOSE_TILE, COPY_GRAIN = 16384 };

/* dst[c * to_step + r] = src[r * from_step + c], for one matrix an image. */
typedef struct transposition {
    const uint32_t *src;
    uint32_t *dst;
    int64_t rows, columns, from_step, to_step, row_tiles;
} transposition;

/* TILE rows of at least BLOCK columns; the last blocks may overlap those before them. */
static void full_strip(const uint32_t *src, uint32_t *dst, const transposition *t)
{
    for (int64_t c = 0; c < t->columns; c += BLOCK) {
        c = c + BLOCK <= t->columns ? c : t->columns - BLOCK;
        for (int64_t r = 0; r < TILE; r += BLOCK)
            ltap_transpose_tile(src + r * t->from_step + c, t->from_step, dst + c * t->to_step + r,
                                t->to_step);
    }
}

static void part_strip(const uint32_t *src, uint32_t *dst, const transposition *t, int64_t n_rows)
{
    for (int64_t c = 0; c < t->columns; c++)
        for (int64_t r = 0; r < n_rows; r++)
            dst[c * t->to_step + r] = src[r * t->from_step + c];
}

static void transpose_strip(const transposition *t, int64_t image, int64_t row)
{
    const uint32_t *src = t->src + (image * t->rows + row) * t->from_step;
    uint32_t *dst = t->dst + image * t->columns * t->to_step + row;
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

static void convert_any(const ltap_tensor *tensor, const ltap_layout_side *from,
                        const ltap_layout_side *to, int threads)
{
    int to_last[LTAP_LAYOUT_MAX_RANK], to_plain[LTAP_LAYOUT_MAX_RANK];
    ltap_tensor in = *tensor, out = *tensor;
    bool plain = from->layout == LTAP_LAYOUT_PLAIN;

    for (int i = 0; i < tensor->rank; i++) {
        to_last[i] = ltap_layout_axis(LTAP_LAYOUT_CHANNELS_LAST, tensor->rank, i);
        to_plain[to_last[i]] = i;
        (plain ? &out : &in)->dims[i] = tensor->dims[to_last[i]];
    }
    in.data = from->data;
    out.data = to->data;
    ltap_tensor_permute(&in, plain ? to_last : to_plain, &out, threads);
}

/* Pixels of the same channels, which lie further apart on one side. */
static void copy_pixels(void *context, int64_t first, int64_t last)
{
    const transposition *t = context;

    for (int64_t row = first; row < last; row++)
        memcpy(t->dst + row * t->to_step, t->src + row * t->from_step,
               (size_t)t->columns * sizeof(*t->dst));
}

static void convert_words(const ltap_tensor *tensor, const ltap_layout_side *from,
                          const ltap_layout_side *to, int threads)
{
    const int64_t *dims = tensor->dims;
    int64_t pixels = 1;
    bool plain = from->layout == LTAP_LAYOUT_PLAIN, moves = from->layout != to->layout;

    for (int i = 2; i < tensor->rank; i++)
        pixels *= dims[i];
    transposition t = {.src = from->data,
                       .dst = to->data,
                       .rows = plain ? dims[1] : pixels,
                       .columns = plain ? pixels : dims[1]};

    t.from_step = from->step ? from->step : t.columns;
    t.to_step = to->step ? to->step : moves ? t.rows : t.columns;
    t.row_tiles = (t.rows + TILE - 1) / TILE;
    if (moves)
        ltap_parallel_for(threads, dims[0] * t.row_tiles, 4, transpose_strips, &t);
    else
        ltap_parallel_for(threads, dims[0] * t.rows, COPY_GRAIN / t.columns + 1, copy_pixels, &t);
}

void ltap_layout_convert(const ltap_tensor *tensor, const ltap_layout_side *from,
                         const ltap_layout_side *to, int threads)
{
    if (ltap_tensor_count(tensor) == 0)
        return;
    if (from->layout == to->layout && !from->step && !to->step)
        memcpy(to->data, from->data, (size_t)ltap_tensor_bytes(tensor));
    else if (ltap_dtype_bits(tensor->dtype) == 32)
        convert_words(tensor, from, to, threads);
    else
        convert_any(tensor, from, to, threads);
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
