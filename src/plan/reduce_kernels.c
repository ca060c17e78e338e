/* Kernels of reductions; see reduce.h. All over runs of doubles, so that one serves every float. */
#include "plan/reduce_kernels.h"

#include "backends/layout.h"
#include "base/parallel.h"
#include "ops/number.h"

#include <math.h>
#include <string.h>

/* Blocks of channels, or of pixels, that one thread does at a time. */
static int64_t blocks_of(int64_t count)
{
    return (count + LTAP_RUN - 1) / LTAP_RUN;
}

static int64_t block_at(int64_t count, int64_t block)
{
    int64_t left = count - block * LTAP_RUN;
    return left < LTAP_RUN ? left : LTAP_RUN;
}

/* --- mean and maximum over pixels ------------------------------------------------------------ */

typedef struct folding {
    const ltap_reducing *work;
    bool largest; /* else the mean */
} folding;

/* NaN wins. */
static double larger(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

static void fold_run(const double *run, int64_t count, bool largest, double *to, int64_t to_step)
{
    if (largest)
        for (int64_t i = 0; i < count; i++)
            to[i * to_step] = larger(to[i * to_step], run[i]);
    else
        for (int64_t i = 0; i < count; i++)
            to[i * to_step] += run[i];
}

/* Each channel's pixels in their order, whichever way they lie. */
static void fold_block(const folding *f, int64_t start, int64_t count, double *to)
{
    const ltap_seen *src = f->work->src;
    const ltap_number *number = ltap_number_find(src->tensor.dtype);
    double run[LTAP_RUN];

    for (int64_t p = 0; src->c_step == 1 && p < src->p; p++) {
        number->load(src->tensor.data, start + p * src->p_step, 1, count, run);
        fold_run(run, count, f->largest, to, 1);
    }
    for (int64_t c = 0; src->c_step != 1 && c < count; c++) {
        for (int64_t b = 0; b < blocks_of(src->p); b++) {
            int64_t n = block_at(src->p, b);
            number->load(src->tensor.data, start + c * src->c_step + b * LTAP_RUN * src->p_step,
                         src->p_step, n, run);
            fold_run(run, n, f->largest, &to[c], 0);
        }
    }
}

static void fold_blocks(void *context, int64_t first, int64_t last)
{
    const folding *f = context;
    const ltap_seen *src = f->work->src;
    const ltap_number *number = ltap_number_find(src->tensor.dtype);
    int64_t a_row = blocks_of(src->c);
    double sums[LTAP_RUN];

    for (int64_t i = first; i < last; i++) {
        int64_t n = i / a_row, block = i % a_row, count = block_at(src->c, block);
        for (int64_t c = 0; c < count; c++)
            sums[c] = f->largest ? -INFINITY : 0;
        fold_block(f, n * src->n_step + block * LTAP_RUN * src->c_step, count, sums);
        for (int64_t c = 0; c < count && !f->largest; c++)
            sums[c] /= (double)src->p;
        number->store(sums, count, f->work->dst->data, n * src->c + block * LTAP_RUN, 1);
    }
}

void ltap_reduce_mean(const ltap_reducing *work)
{
    folding f = {work, false};
    ltap_parallel_for(work->threads, work->src->n * blocks_of(work->src->c), 1, fold_blocks, &f);
}

void ltap_reduce_max(const ltap_reducing *work)
{
    folding f = {work, true};
    ltap_parallel_for(work->threads, work->src->n * blocks_of(work->src->c), 1, fold_blocks, &f);
}

/* --- unit length along axis 1 ---------------------------------------------------------------- */

static void scale_block(const ltap_reducing *work, int64_t n, int64_t block)
{
    const ltap_seen *src = work->src;
    const ltap_number *number = ltap_number_find(src->tensor.dtype);
    int64_t count = block_at(src->p, block), pixel = block * LTAP_RUN;
    int64_t start = n * src->n_step + pixel * src->p_step;
    double run[LTAP_RUN], length[LTAP_RUN] = {0};

    for (int64_t c = 0; c < src->c; c++) {
        number->load(src->tensor.data, start + c * src->c_step, src->p_step, count, run);
        for (int64_t i = 0; i < count; i++)
            length[i] += run[i] * run[i];
    }
    for (int64_t i = 0; i < count; i++)
        length[i] = sqrt(length[i]) < 1e-12 ? 1e-12 : sqrt(length[i]);
    for (int64_t c = 0; c < src->c; c++) {
        number->load(src->tensor.data, start + c * src->c_step, src->p_step, count, run);
        for (int64_t i = 0; i < count; i++)
            run[i] /= length[i];
        if (work->last)
            number->store(run, count, work->dst->data, (n * src->p + pixel) * src->c + c, src->c);
        else
            number->store(run, count, work->dst->data, (n * src->c + c) * src->p + pixel, 1);
    }
}

static void scale_blocks(void *context, int64_t first, int64_t last)
{
    const ltap_reducing *work = context;
    int64_t a_row = blocks_of(work->src->p);

    for (int64_t i = first; i < last; i++)
        scale_block(work, i / a_row, i % a_row);
}

void ltap_reduce_l2(const ltap_reducing *work)
{
    ltap_parallel_for(work->threads, work->src->n * blocks_of(work->src->p), 1, scale_blocks,
                      (void *)(uintptr_t)work);
}

/* --- the largest of the last axis ------------------------------------------------------------ */

typedef struct ranked {
    double value;
    int64_t place;
} ranked;

_Static_assert(sizeof(ranked) == LTAP_REDUCE_RANKED_BYTES, "as the table says");

/* NaN is the largest; of equals the first. */
static bool goes_before(const ranked *a, const ranked *b)
{
    if (isnan(a->value) != isnan(b->value))
        return isnan(a->value);
    if (a->value > b->value || a->value < b->value)
        return a->value > b->value;
    return a->place < b->place;
}

/* A heap whose root goes last. */
static void sift_down(ranked *heap, int64_t count, int64_t at)
{
    for (int64_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
        if (child + 1 < count && goes_before(&heap[child], &heap[child + 1]))
            child++;
        if (!goes_before(&heap[at], &heap[child]))
            return;
        ranked held = heap[at];
        heap[at] = heap[child];
        heap[child] = held;
    }
}

/* The last axis of a row: where it starts and how far its elements are apart. */
static int64_t row_start(const ltap_seen *src, int64_t row, int64_t length)
{
    if (src->tensor.rank < 3)
        return row * src->n_step;
    int64_t rows = src->p / length;
    return row / rows / src->c * src->n_step + row / rows % src->c * src->c_step +
           row % rows * length * src->p_step;
}

static void offer(ranked *heap, int64_t count, ranked item)
{
    if (item.place < count)
        heap[item.place] = item;
    else if (goes_before(&item, &heap[0]))
        heap[0] = item;
    else
        return;
    for (int64_t i = count / 2; item.place == count - 1 && i-- > 0;)
        sift_down(heap, count, i);
    if (item.place >= count)
        sift_down(heap, count, 0);
}

static void rank_row(const ltap_reducing *work, int64_t row, int64_t length)
{
    const ltap_seen *src = work->src;
    const ltap_number *number = ltap_number_find(src->tensor.dtype);
    ranked *heap = work->work;
    int64_t start = row_start(src, row, length), count = work->count;
    int64_t step = src->tensor.rank == 2 ? src->c_step : src->tensor.rank == 1 ? 1 : src->p_step;
    double run[LTAP_RUN];

    for (int64_t b = 0; b < blocks_of(length); b++) {
        number->load(src->tensor.data, start + b * LTAP_RUN * step, step, block_at(length, b), run);
        for (int64_t i = 0; i < block_at(length, b); i++)
            offer(heap, count, (ranked){run[i], b * LTAP_RUN + i});
    }
    for (int64_t last = count - 1; last > 0; last--) {
        ranked held = heap[0];
        heap[0] = heap[last];
        heap[last] = held;
        sift_down(heap, last, 0);
    }
}

static void rank_rows(const ltap_reducing *work, bool places)
{
    const ltap_tensor *tensor = &work->src->tensor;
    const ltap_number *number = ltap_number_find(tensor->dtype);
    const ranked *heap = work->work;
    int64_t length = tensor->dims[tensor->rank - 1];
    int64_t rows = (int64_t)ltap_tensor_count(work->dst) / work->count;

    for (int64_t row = 0; row < rows; row++) {
        rank_row(work, row, length);
        for (int64_t i = 0; i < work->count; i++) {
            if (places)
                ((int64_t *)work->dst->data)[row * work->count + i] = heap[i].place;
            else
                number->store(&heap[i].value, 1, work->dst->data, row * work->count + i, 1);
        }
    }
}

void ltap_reduce_topk(const ltap_reducing *work)
{
    rank_rows(work, false);
}

void ltap_reduce_topk_indices(const ltap_reducing *work)
{
    rank_rows(work, true);
}

/* --- moving ---------------------------------------------------------------------------------- */

void ltap_reduce_cls(const ltap_reducing *work)
{
    const ltap_seen *src = work->src;
    size_t bytes = ltap_dtype_bits(src->tensor.dtype) / 8;
    char *to = work->dst->data;

    for (int64_t n = 0; n < src->n; n++) {
        const char *from = (const char *)src->tensor.data + (size_t)(n * src->n_step) * bytes;
        for (int64_t p = 0; p < src->p; p++, to += bytes)
            memcpy(to, from + (size_t)(p * src->p_step) * bytes, bytes);
    }
}

void ltap_reduce_flatten(const ltap_reducing *work)
{
    const ltap_seen *src = work->src;
    ltap_layout_side from = {src->tensor.data, src->layout, src->step};
    ltap_layout_side to = {work->dst->data, LTAP_LAYOUT_PLAIN, 0};

    ltap_layout_convert(&src->tensor, &from, &to, work->threads);
}

/* In plain order, rounded to dst's type where that is narrower. */
static void copy_channels(void *context, int64_t first, int64_t last)
{
    const ltap_reducing *work = context;
    const ltap_seen *src = work->src;
    const ltap_number *from = ltap_number_find(src->tensor.dtype);
    const ltap_number *to = ltap_number_find(work->dst->dtype);
    double run[LTAP_RUN];

    for (int64_t i = first; i < last; i++) {
        int64_t start = i / src->c * src->n_step + i % src->c * src->c_step;
        for (int64_t b = 0; b < blocks_of(src->p); b++) {
            int64_t count = block_at(src->p, b);
            from->load(src->tensor.data, start + b * LTAP_RUN * src->p_step, src->p_step, count,
                       run);
            to->store(run, count, work->dst->data, i * src->p + b * LTAP_RUN, 1);
        }
    }
}

void ltap_reduce_half(const ltap_reducing *work)
{
    ltap_parallel_for(work->threads, work->src->n * work->src->c, 16, copy_channels,
                      (void *)(uintptr_t)work);
}
