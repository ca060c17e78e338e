/* Copying with another order of axes.
 *
 * Axes that stay neighbours are merged first, so that a move between NCHW and NHWC is a batch of
 * plain matrix transposes; those are done in square tiles that stay in the cache. A block of
 * trailing axes that does not move is copied whole.
 */
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <string.h>

#define TILE        16
#define GRAIN_BYTES 65536

typedef struct job {
    const char *src;
    char *dst;
    int rank;                       /* at least 1 */
    int64_t dims[LTAP_MAX_RANK];    /* of dst */
    int64_t strides[LTAP_MAX_RANK]; /* of src, in the order of dst's axes; in elements */
    size_t bytes;                   /* of one element, which may be a whole block */
    int64_t rows, columns;          /* walked in tiles: along src's fastest axis, along dst's */
    int64_t strips;                 /* of TILE rows, in one matrix */
    int row_axis;                   /* axis of dst that is src's fastest */
} job;

/* Merges axes of dst that follow each other in src too; takes a fixed tail into the element. */
static void simplify(job *work)
{
    int last = 0;
    for (int i = 1; i < work->rank; i++) {
        if (work->strides[last] == work->strides[i] * work->dims[i]) {
            work->dims[last] *= work->dims[i];
            work->strides[last] = work->strides[i];
        } else {
            last++;
            work->dims[last] = work->dims[i];
            work->strides[last] = work->strides[i];
        }
    }
    work->rank = last + 1;
    if (work->strides[last] == 1) {
        work->bytes *= (size_t)work->dims[last];
        for (int i = 0; i < last; i++)
            work->strides[i] /= work->dims[last];
        work->dims[last] = 1;
        work->strides[last] = 0;
        work->rank = last > 0 ? last : 1;
    }
}

/* The loop is compiled for each size of element that a copy can be inlined for. */
#define COPY_TILE(type)                                                                            \
    for (int64_t r = 0; r < rows; r++)                                                             \
        for (int64_t c = 0; c < columns; c++)                                                      \
    memcpy(dst + (r * dst_stride + c) * (int64_t)sizeof(type),                                     \
           src + (r * row_stride + c * src_stride) * (int64_t)sizeof(type), sizeof(type))

/* A tile: rows along the axis that is fastest in src, columns along the one fastest in dst. */
static void copy_tile(const job *work, const char *src, char *dst, int64_t rows, int64_t columns,
                      int64_t dst_stride)
{
    int64_t src_stride = work->strides[work->rank - 1], row_stride = work->strides[work->row_axis];
    switch (work->bytes) {
    case 1:
        COPY_TILE(uint8_t);
        return;
    case 2:
        COPY_TILE(uint16_t);
        return;
    case 4:
        COPY_TILE(uint32_t);
        return;
    case 8:
        COPY_TILE(uint64_t);
        return;
    }
    int64_t bytes = (int64_t)work->bytes;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            memcpy(dst + (r * dst_stride + c) * bytes,
                   src + (r * row_stride + c * src_stride) * bytes, work->bytes);
}

/* Strides of dst in elements. */
static int64_t dst_stride_of(const job *work, int axis)
{
    int64_t stride = 1;
    for (int i = axis + 1; i < work->rank; i++)
        stride *= work->dims[i];
    return stride;
}

/* A strip of one matrix: TILE rows from r, all columns. */
static void copy_strip(const job *work, const char *src, char *dst, int64_t r)
{
    int64_t bytes = (int64_t)work->bytes, dst_stride = dst_stride_of(work, work->row_axis);
    int64_t src_stride = work->strides[work->rank - 1], row_stride = work->strides[work->row_axis];
    int64_t rows = work->rows - r < TILE ? work->rows - r : TILE;
    for (int64_t c = 0; c < work->columns; c += TILE) {
        int64_t columns = work->columns - c < TILE ? work->columns - c : TILE;
        copy_tile(work, src + (r * row_stride + c * src_stride) * bytes,
                  dst + (r * dst_stride + c) * bytes, rows, columns, dst_stride);
    }
}

/* Strips are numbered matrix by matrix; matrices by the axes that are walked in neither direction.
 */
static void copy_range(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    for (int64_t number = first; number < last; number++) {
        int64_t rest = number / work->strips, src = 0, dst = 0;
        for (int i = work->rank - 2; i >= 0; i--) {
            if (i == work->row_axis)
                continue;
            int64_t at = rest % work->dims[i];
            rest /= work->dims[i];
            src += at * work->strides[i];
            dst += at * dst_stride_of(work, i);
        }
        copy_strip(work, work->src + src * (int64_t)work->bytes,
                   work->dst + dst * (int64_t)work->bytes, number % work->strips * TILE);
    }
}

/* Chooses the two axes of the matrices; without a second one, its count is 1. */
static int64_t count_strips(job *work)
{
    int64_t matrices = 1;
    int fast = work->rank - 1;
    for (int i = 0; i < work->rank - 1; i++)
        if (fast == work->rank - 1 || work->strides[i] < work->strides[fast])
            fast = i;
    work->row_axis = fast;
    work->columns = work->dims[work->rank - 1];
    work->rows = fast < work->rank - 1 ? work->dims[fast] : 1;
    work->strips = (work->rows - 1) / TILE + 1;
    for (int i = 0; i < work->rank - 1; i++)
        matrices *= i != fast ? work->dims[i] : 1;
    return matrices * work->strips;
}

void ltap_tensor_permute(const ltap_tensor *src, const int *perm, ltap_tensor *dst, int threads)
{
    job work = {.src = src->data, .dst = dst->data, .bytes = ltap_dtype_bits(src->dtype) / 8};
    int64_t strides[LTAP_MAX_RANK];
    if (ltap_tensor_count(src) == 0 || work.bytes == 0)
        return;
    ltap_dims_strides(src, src, strides);
    for (int i = 0; i < src->rank; i++) {
        if (dst->dims[i] == 1)
            continue;
        work.dims[work.rank] = dst->dims[i];
        work.strides[work.rank++] = strides[perm[i]];
    }
    if (work.rank == 0) {
        memcpy(dst->data, src->data, work.bytes);
        return;
    }
    simplify(&work);
    int64_t strips = count_strips(&work);
    int64_t rows = work.rows < TILE ? work.rows : TILE;
    int64_t bytes = rows * work.columns * (int64_t)work.bytes;
    ltap_parallel_for(threads, strips, GRAIN_BYTES / bytes + 1, copy_range, &work);
}
