/* Pools: MaxPool, AveragePool, LpPool and their global forms.
 *
 * All are one loop over output rows, with a row of `kinds` that says how to begin, how to take in
 * an input run, and how to end. Global pools are a window as large as the input. NaN goes through a
 * maximum, as in PyTorch.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"
#include "ops/window.h"

#include <math.h>
#include <string.h>

typedef struct pool pool;

/* One run of outputs in the making; all arrays are of LTAP_RUN. */
typedef struct pool_run {
    double *values;
    int64_t *places; /* index of the maximum in its channel's plane */
    double *counts;  /* elements in each window */
} pool_run;

typedef struct pool_kind {
    /* Takes in count elements x, for values[first..]; place is the index of the first in its plane,
     * which goes on by step. */
    void (*take)(const pool *p, pool_run *run, int64_t first, const double *x, int64_t count,
                 int64_t place, int64_t step);
    void (*finish)(const pool *p, pool_run *run, int64_t count); /* NULL: nothing to do */
} pool_kind;

struct pool {
    const pool_kind *kind;
    const ltap_number *number;
    const ltap_tensor *x;
    ltap_tensor *y;
    int64_t *indices; /* NULL: not wanted */
    ltap_window window;
    double power;
    bool count_padding, column_major;
};

static void take_max(const pool *p, pool_run *run, int64_t first, const double *x, int64_t count,
                     int64_t place, int64_t step)
{
    double *values = run->values + first;
    if (!p->indices) {
        for (int64_t i = 0; i < count; i++)
            values[i] = x[i] > values[i] || x[i] != x[i] ? x[i] : values[i];
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        if (x[i] > values[i] || isnan(x[i]) || run->places[first + i] < 0) {
            values[i] = x[i];
            run->places[first + i] = place + i * step;
        }
    }
}

static void take_sum(const pool *p, pool_run *run, int64_t first, const double *x, int64_t count,
                     int64_t place, int64_t step)
{
    for (int64_t i = 0; i < count; i++)
        run->values[first + i] += x[i];
}

static void take_power(const pool *p, pool_run *run, int64_t first, const double *x, int64_t count,
                       int64_t place, int64_t step)
{
    for (int64_t i = 0; i < count; i++)
        run->values[first + i] += p->power == 2 ? x[i] * x[i] : pow(fabs(x[i]), p->power);
}

static void divide_by_count(const pool *p, pool_run *run, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        run->values[i] /= run->counts[i];
}

static void take_root(const pool *p, pool_run *run, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        run->values[i] = p->power == 2 ? sqrt(run->values[i]) : pow(run->values[i], 1 / p->power);
}

static const pool_kind maximum = {take_max, NULL};
static const pool_kind average = {take_sum, divide_by_count};
static const pool_kind norm = {take_power, take_root};

/* How many window indices along an axis lie inside the (padded) input. */
static int64_t count_inside(const pool *p, int axis, int64_t o)
{
    const ltap_window *w = &p->window;
    int64_t low = p->count_padding ? -w->begin[axis] : 0;
    int64_t high = w->in[axis] + (p->count_padding ? w->end[axis] : 0), n = 0;
    int64_t start = ltap_window_at(w, axis, o, 0), step = w->dilation[axis];
    int64_t first = start < low ? (low - start + step - 1) / step : 0;
    int64_t last = start < high ? (high - start + step - 1) / step : 0;
    n = (last < w->kernel[axis] ? last : w->kernel[axis]) - first;
    return n > 0 ? n : 0;
}

/* Takes in one row of inputs for outputs [column, column + count). */
static void take_row(const pool *p, int64_t plane, int64_t row, int64_t column, int64_t count,
                     pool_run *run)
{
    const ltap_window *w = &p->window;
    double x[LTAP_RUN];
    for (int64_t k = 0; k < w->kernel[2]; k++) {
        int64_t first = column, last = column + count;
        ltap_window_clip(w, 2, k, &first, &last);
        if (first >= last)
            continue;
        int64_t at = row * w->in[2] + ltap_window_at(w, 2, first, k);
        p->number->load(p->x->data, plane + at, w->stride[2], last - first, x);
        p->kind->take(p, run, first - column, x, last - first, at, w->stride[2]);
    }
}

static void store_run(const pool *p, const pool_run *run, int64_t task, int64_t column,
                      int64_t count)
{
    const ltap_window *w = &p->window;
    int64_t offset = task * w->out[2] + column;
    if (p->y->data)
        p->number->store(run->values, count, p->y->data, offset, 1);
    if (!p->indices)
        return;
    int64_t size = w->in[0] * w->in[1] * w->in[2], plane = task / w->out[1] / w->out[0] * size;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = run->places[i];
        if (p->column_major && at >= 0)
            at = at / w->in[2] / w->in[1] +
                 w->in[0] * (at / w->in[2] % w->in[1] + w->in[1] * (at % w->in[2]));
        p->indices[offset + i] = plane + at;
    }
}

/* task: an output row, of all images, channels, depths. */
static void compute_run(const pool *p, int64_t task, int64_t column, int64_t count)
{
    const ltap_window *w = &p->window;
    double values[LTAP_RUN], counts[LTAP_RUN];
    int64_t places[LTAP_RUN];
    pool_run run = {values, places, counts};
    int64_t height = task % w->out[1], depth = task / w->out[1] % w->out[0];
    int64_t plane = task / w->out[1] / w->out[0] * w->in[0] * w->in[1] * w->in[2];
    int64_t rows = count_inside(p, 0, depth) * count_inside(p, 1, height);
    for (int64_t i = 0; i < count; i++) {
        values[i] = p->kind == &maximum ? p->number->lowest : 0;
        places[i] = -1;
        counts[i] = p->kind == &average ? (double)(rows * count_inside(p, 2, column + i)) : 0;
    }
    for (int64_t k = 0; k < w->kernel[0] * w->kernel[1]; k++) {
        int64_t x0 = ltap_window_at(w, 0, depth, k / w->kernel[1]);
        int64_t x1 = ltap_window_at(w, 1, height, k % w->kernel[1]);
        if (x0 >= 0 && x0 < w->in[0] && x1 >= 0 && x1 < w->in[1])
            take_row(p, plane, x0 * w->in[1] + x1, column, count, &run);
    }
    if (p->kind->finish)
        p->kind->finish(p, &run, count);
    store_run(p, &run, task, column, count);
}

static void compute_rows(void *context, int64_t first, int64_t last)
{
    const pool *p = context;
    int64_t width = p->window.out[2];
    for (int64_t task = first; task < last; task++) {
        for (int64_t column = 0; column < width; column += LTAP_RUN)
            compute_run(p, task, column, width - column < LTAP_RUN ? width - column : LTAP_RUN);
    }
}

static ltap_status compute(const ltap_call *call, pool *p)
{
    p->x = &call->inputs[0];
    p->y = &call->outputs[0];
    p->number = ltap_number_find(p->x->dtype);
    uint64_t count = ltap_tensor_count(p->y);
    if (count > 0 && (p->y->data || p->indices))
        ltap_parallel_for(call->threads, (int64_t)count / p->window.out[2], 4, compute_rows, p);
    return LTAP_OK;
}

static ltap_status shape_of_pool(const ltap_call *call, unsigned types, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_window window;
    LTAP_TRY(ltap_call_check_type(call, 0, types, error));
    LTAP_TRY(ltap_window_read(call->node, x, NULL, &window, error));
    int64_t dims[LTAP_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int i = 0; i < window.rank; i++)
        dims[2 + i] = window.out[LTAP_WINDOW_AXES - window.rank + i];
    ltap_call_output(call, 0, x->dtype, x->rank, dims);
    ltap_call_output(call, 1, LTAP_INT64, x->rank, dims);
    return LTAP_OK;
}

static ltap_status pool_shape(const ltap_call *call, ltap_error *error)
{
    return shape_of_pool(call, LTAP_TYPES_FLOAT, error);
}

static ltap_status max_shape(const ltap_call *call, ltap_error *error)
{
    return shape_of_pool(call, LTAP_TYPES_FLOAT | LTAP_TYPE(LTAP_INT8) | LTAP_TYPE(LTAP_UINT8),
                         error);
}

static ltap_status max_reference(const ltap_call *call, ltap_error *error)
{
    pool p = {.kind = &maximum};
    LTAP_TRY(ltap_window_read(call->node, &call->inputs[0], NULL, &p.window, error));
    p.indices = ltap_call_wants(call, 1) ? call->outputs[1].data : NULL;
    p.column_major = ltap_node_int(call->node, "storage_order", 0) != 0;
    return compute(call, &p);
}

static ltap_status average_reference(const ltap_call *call, ltap_error *error)
{
    pool p = {.kind = &average};
    LTAP_TRY(ltap_window_read(call->node, &call->inputs[0], NULL, &p.window, error));
    p.count_padding = ltap_node_int(call->node, "count_include_pad", 0) != 0;
    return compute(call, &p);
}

static ltap_status norm_reference(const ltap_call *call, ltap_error *error)
{
    pool p = {.kind = &norm, .power = (double)ltap_node_int(call->node, "p", 2)};
    LTAP_TRY(ltap_window_read(call->node, &call->inputs[0], NULL, &p.window, error));
    return compute(call, &p);
}

static ltap_status global_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    if (x->rank < 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input has the shape %s; expected batch, channels, spatial axes",
                              ltap_shape_text(x).text);
    int64_t dims[LTAP_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int i = 2; i < x->rank; i++)
        dims[i] = 1;
    ltap_call_output(call, 0, x->dtype, x->rank, dims);
    return LTAP_OK;
}

/* All spatial axes as one row under one window. */
static ltap_status global_reference(const ltap_call *call, const pool_kind *kind, double power)
{
    const ltap_tensor *x = &call->inputs[0];
    pool p = {.kind = kind, .power = power};
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        p.window.in[i] = p.window.out[i] = p.window.kernel[i] = 1;
        p.window.stride[i] = p.window.dilation[i] = 1;
    }
    p.window.kernel[2] = p.window.in[2] = ltap_number_product(x->dims, 2, x->rank);
    return compute(call, &p);
}

static ltap_status global_average_reference(const ltap_call *call, ltap_error *error)
{
    return global_reference(call, &average, 0);
}

static ltap_status global_max_reference(const ltap_call *call, ltap_error *error)
{
    return global_reference(call, &maximum, 0);
}

static ltap_status global_norm_reference(const ltap_call *call, ltap_error *error)
{
    return global_reference(call, &norm, (double)ltap_node_int(call->node, "p", 2));
}

#define POOL(id, title, n_outputs, shape_rule, kernel)                                             \
    const ltap_op ltap_op_##id = {                                                                 \
        .name = title,                                                                             \
        .domain = "",                                                                              \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .min_outputs = 1,                                                                          \
        .max_outputs = n_outputs,                                                                  \
        .shape = shape_rule,                                                                       \
        .reference = kernel,                                                                       \
    };

POOL(max_pool, "MaxPool", 2, max_shape, max_reference)
POOL(average_pool, "AveragePool", 1, pool_shape, average_reference)
POOL(lp_pool, "LpPool", 1, pool_shape, norm_reference)
POOL(global_average_pool, "GlobalAveragePool", 1, global_shape, global_average_reference)
POOL(global_max_pool, "GlobalMaxPool", 1, global_shape, global_max_reference)
POOL(global_lp_pool, "GlobalLpPool", 1, global_shape, global_norm_reference)
