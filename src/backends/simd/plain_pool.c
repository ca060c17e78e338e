/* MaxPool and AveragePool in plain layout: sequences, volumes, and what no other row takes.
 *
 * For a piece of an output row, the rows of its window are first folded into one (side by side),
 * then the window's columns. A NaN comes through a maximum, as in PyTorch.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"
#include "ops/window.h"

#include <math.h>
#include <string.h>

enum { SPAN = 1024, GRAIN = 16384 }; /* SPAN: of the folded row, in floats */

typedef struct plain_pool {
    ltap_window window;
    int64_t planes, piece; /* piece: outputs at a time */
    int threads;
    bool average, counts_padding;
    float column_counts[]; /* window columns that count, for each output column; an average's */
} plain_pool;

typedef struct job {
    const plain_pool *state;
    const float *src;
    float *dst;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];
    ltap_window w;

    if (x->dtype != LTAP_FLOAT32 || x->data || ltap_tensor_count(&query->outputs[0]) == 0)
        return ltap_refuse(why, "not float32, or constant, or empty");
    if (query->n_outputs > 1 && query->node->outputs[1] != LTAP_NO_VALUE)
        return ltap_refuse(why, "its indices are wanted");
    if (ltap_window_read(query->node, x, NULL, &w, NULL) != LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    if (w.kernel[2] > SPAN / 2 || w.dilation[2] > SPAN / 2 / w.kernel[2] || w.stride[2] > SPAN / 2)
        return ltap_refuse(why, "a window too wide");
    return true;
}

/* Window indices of an axis that lie in the input, or in its padding where that counts. */
static int64_t clip(const ltap_window *w, int axis, int64_t o, bool padded, int64_t *first)
{
    int64_t start = ltap_window_at(w, axis, o, 0), step = w->dilation[axis];
    int64_t low = padded ? -w->begin[axis] : 0, top = w->in[axis] + (padded ? w->end[axis] : 0);
    int64_t high = start < top ? (top - 1 - start) / step + 1 : 0;

    *first = start < low ? (low - start + step - 1) / step : 0;
    high = high < w->kernel[axis] ? high : w->kernel[axis];
    return high > *first ? high - *first : 0;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0];
    ltap_window w;
    int64_t unused;

    LTAP_TRY(ltap_window_read(query->node, x, NULL, &w, error));
    uint64_t bytes = sizeof(plain_pool) + (uint64_t)w.out[2] * sizeof(float);
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, bytes, "a kernel", &kernel->state, error));
    plain_pool *state = kernel->state;
    state->window = w;
    state->planes = x->dims[0] * x->dims[1];
    state->threads = query->threads;
    state->average = strcmp(query->node->op_type, "AveragePool") == 0;
    state->counts_padding = ltap_node_int(query->node, "count_include_pad", 0) != 0;
    state->piece = (SPAN - (w.kernel[2] - 1) * w.dilation[2] - 1) / w.stride[2] + 1;
    for (int64_t o = 0; o < w.out[2]; o++)
        state->column_counts[o] = (float)clip(&w, 2, o, state->counts_padding, &unused);
    kernel->state_bytes = bytes;
    kernel->detail = "";
    return LTAP_OK;
}

/* A NaN stays, the first of equals too. */
LTAP_VECTOR_INLINE float larger(float most, float x)
{
    float larger = x > most ? x : most;
    return x != x ? x : larger;
}

LTAP_VECTOR_INLINE void take(bool average, float *dst, const float *src, int64_t step, int64_t n)
{
    if (average) {
        LTAP_VECTOR_LOOP
        for (int64_t i = 0; i < n; i++)
            dst[i] += src[i * step];
    } else {
        LTAP_VECTOR_LOOP
        for (int64_t i = 0; i < n; i++)
            dst[i] = larger(dst[i], src[i * step]);
    }
}

/* Outputs [column, column + n) of an output row. */
typedef struct piece {
    const ltap_window *window;
    const float *plane;
    int64_t first[2], count[2]; /* rows of the window that lie in the input: depths, heights */
    int64_t column, n;
    int64_t from, to; /* input columns that they see */
} piece;

/* The input columns of all rows of the window, folded. */
LTAP_VECTOR_INLINE void fold_rows(bool average, const piece *p, float *folded)
{
    const ltap_window *w = p->window;
    int64_t n = p->to - p->from;

    for (int64_t i = 0; i < n; i++)
        folded[i] = average ? 0 : -INFINITY;
    for (int64_t k = 0; k < p->count[0] * p->count[1]; k++) {
        int64_t depth = p->first[0] + k / p->count[1] * w->dilation[0];
        int64_t row = p->first[1] + k % p->count[1] * w->dilation[1];
        take(average, folded, p->plane + (depth * w->in[1] + row) * w->in[2] + p->from, 1, n);
    }
}

LTAP_VECTOR_INLINE void fold_columns(bool average, const piece *p, const float *folded, float *dst)
{
    const ltap_window *w = p->window;
    int64_t column = p->column, stride = w->stride[2];

    for (int64_t i = 0; i < p->n; i++)
        dst[i] = average ? 0 : -INFINITY;
    for (int64_t k = 0; k < w->kernel[2]; k++) {
        int64_t first = column, last = column + p->n;
        ltap_window_clip(w, 2, k, &first, &last);
        if (first >= last)
            continue;
        const float *src = folded + ltap_window_at(w, 2, first, k) - p->from;
        if (stride == 1)
            take(average, dst + first - column, src, 1, last - first);
        else if (stride == 2)
            take(average, dst + first - column, src, 2, last - first);
        else
            take(average, dst + first - column, src, stride, last - first);
    }
}

/* rows: of the window that count. */
static void divide(const plain_pool *p, int64_t rows, float *dst)
{
    for (int64_t i = 0; i < p->window.out[2]; i++)
        dst[i] /= (float)rows * p->column_counts[i];
}

LTAP_VECTOR_INLINE void pool_piece(bool average, const piece *p, float *dst)
{
    float folded[SPAN];

    fold_rows(average, p, folded);
    fold_columns(average, p, folded, dst + p->column);
}

LTAP_VECTOR_CLONES
static void pool_row(const plain_pool *p, const float *plane, int64_t depth, int64_t height,
                     float *dst)
{
    const ltap_window *w = &p->window;
    const int64_t at[2] = {depth, height};
    piece b = {.window = w, .plane = plane};
    int64_t rows = 1, unused;

    for (int i = 0; i < 2; i++) {
        b.count[i] = clip(w, i, at[i], false, &b.first[i]);
        b.first[i] = ltap_window_at(w, i, at[i], b.first[i]);
        rows *= clip(w, i, at[i], p->counts_padding, &unused);
    }
    for (; b.column < w->out[2]; b.column += p->piece) {
        int64_t left = w->out[2] - b.column;
        b.n = left < p->piece ? left : p->piece;
        b.from = ltap_window_at(w, 2, b.column, 0);
        b.from = b.from < 0 ? 0 : b.from;
        b.to = ltap_window_at(w, 2, b.column + b.n - 1, w->kernel[2] - 1) + 1;
        b.to = b.to < w->in[2] ? b.to : w->in[2];
        if (p->average)
            pool_piece(true, &b, dst);
        else
            pool_piece(false, &b, dst);
    }
    if (p->average)
        divide(p, rows, dst);
}

/* Output rows of all planes. */
static void pool_rows(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const ltap_window *w = &work->state->window;

    for (int64_t row = first; row < last; row++) {
        int64_t plane = row / w->out[1] / w->out[0] * w->in[0] * w->in[1] * w->in[2];
        pool_row(work->state, work->src + plane, row / w->out[1] % w->out[0], row % w->out[1],
                 work->dst + row * w->out[2]);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const plain_pool *p = kernel->state;
    const ltap_window *w = &p->window;
    job work = {p, inputs[0], outputs[0]};

    (void)scratch;
    (void)error;
    if (outputs[0])
        ltap_parallel_for(p->threads, p->planes * w->out[0] * w->out[1],
                          GRAIN / w->out[2] / (w->kernel[0] * w->kernel[1]) + 1, pool_rows, &work);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_plain_##id = {                                                  \
        .op = operator,                                                                            \
        .name = "simd:plain_pool",                                                                 \
        .accepts = accepts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(max_pool, "MaxPool")
ROW(average_pool, "AveragePool")
