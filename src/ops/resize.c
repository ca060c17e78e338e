/* Resize: the kernel. Each output row is the weighted sum of some input rows, each gathered along
 * the last axis by table; in double, in runs on the stack.
 *
 * Nearest moves bytes instead, so that it is exact and has all types.
 */
#include "ops/resize.h"
#include "base/checked.h"
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>
#include <string.h>

typedef struct resizer {
    ltap_resize resize;
    const ltap_number *number;
    const char *x;
    char *y;
    int64_t element; /* bytes */
    int64_t x_strides[LTAP_MAX_RANK];
    ltap_taps taps[LTAP_MAX_RANK];
    int64_t n_rows; /* input rows that one output row is made of */
} resizer;

static ltap_status resize_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_resize resize;
    if (ltap_dtype_bits(x->dtype) % 8 != 0 || ltap_dtype_bits(x->dtype) == 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "input 0 is %s, which this operator does not take",
                              ltap_dtype_name(x->dtype));
    LTAP_TRY(ltap_resize_read(call, &resize, error));
    if (!resize.nearest || resize.crops)
        LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    ltap_call_output(call, 0, x->dtype, x->rank, resize.out);
    return LTAP_OK;
}

/* Input row number `row` of those that output row `at` (indices of all axes but the last) is made
 * of: its offset and weight. False: extrapolated. */
static bool find_row(const resizer *z, const int64_t *at, int64_t row, int64_t *offset,
                     double *weight)
{
    *offset = 0;
    *weight = 1;
    for (int axis = z->resize.rank - 2; axis >= 0; axis--) {
        const ltap_taps *taps = &z->taps[axis];
        if (isnan(taps->weights[at[axis]]))
            return false;
        int64_t entry = row % taps->n_taps * taps->n + at[axis];
        row /= taps->n_taps;
        *offset += taps->indices[entry] * z->x_strides[axis];
        *weight *= taps->weights[entry];
    }
    return true;
}

static void add_row(const resizer *z, int64_t offset, double weight, int64_t first, int64_t count,
                    double *sums)
{
    const ltap_taps *taps = &z->taps[z->resize.rank - 1];
    double x[LTAP_RUN];
    for (int64_t t = 0; t < taps->n_taps; t++) {
        const double *weights = taps->weights + t * taps->n + first;
        z->number->gather(z->x, offset, taps->indices + t * taps->n + first, count, x);
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * weights[i] * x[i];
    }
}

static void interpolate_run(const resizer *z, const int64_t *at, int64_t task, int64_t first,
                            int64_t count)
{
    const ltap_taps *taps = &z->taps[z->resize.rank - 1];
    double sums[LTAP_RUN];
    bool inside = true;
    memset(sums, 0, sizeof sums);
    for (int64_t row = 0; row < z->n_rows && inside; row++) {
        int64_t offset;
        double weight;
        inside = find_row(z, at, row, &offset, &weight);
        if (inside)
            add_row(z, offset, weight, first, count, sums);
    }
    for (int64_t i = 0; i < count && z->resize.crops; i++) {
        if (!inside || isnan(taps->weights[first + i]))
            sums[i] = z->resize.extrapolation;
    }
    z->number->store(sums, count, z->y, task * taps->n + first, 1);
}

static void nearest_row(const resizer *z, const int64_t *at, int64_t task)
{
    const ltap_taps *taps = &z->taps[z->resize.rank - 1];
    int64_t offset;
    double weight;
    bool inside = find_row(z, at, 0, &offset, &weight);
    char *to = z->y + task * taps->n * z->element;
    for (int64_t i = 0; i < taps->n; i++) {
        if (inside && !isnan(taps->weights[i]))
            memcpy(to + i * z->element, z->x + (offset + taps->indices[i]) * z->element,
                   (size_t)z->element);
        else
            z->number->store(&z->resize.extrapolation, 1, to, i, 1);
    }
}

static void resize_rows(void *context, int64_t first, int64_t last)
{
    const resizer *z = context;
    int64_t at[LTAP_MAX_RANK], width = z->taps[z->resize.rank - 1].n;
    for (int64_t task = first; task < last; task++) {
        int64_t left = task;
        for (int axis = z->resize.rank - 2; axis >= 0; axis--) {
            at[axis] = left % z->resize.out[axis];
            left /= z->resize.out[axis];
        }
        if (z->resize.nearest) {
            nearest_row(z, at, task);
            continue;
        }
        for (int64_t column = 0; column < width; column += LTAP_RUN)
            interpolate_run(z, at, task, column,
                            width - column < LTAP_RUN ? width - column : LTAP_RUN);
    }
}

/* Lays the tables of all axes into one block. */
static ltap_status make_taps(resizer *z, ltap_memory *memory, void **block, ltap_error *error)
{
    uint64_t total = 0;
    for (int axis = 0; axis < z->resize.rank; axis++) {
        ltap_taps *taps = &z->taps[axis];
        uint64_t entries;
        taps->n = z->resize.out[axis];
        taps->n_taps = ltap_resize_taps(&z->resize, axis);
        if (!ltap_checked_mul((uint64_t)taps->n, (uint64_t)taps->n_taps, &entries) ||
            !ltap_checked_mul(entries, sizeof(int64_t) + sizeof(double), &entries) ||
            !ltap_checked_add(total, entries, &total))
            return ltap_error_set(error, LTAP_ERROR_MEMORY, "the tables of a Resize are too large");
        z->n_rows *= axis < z->resize.rank - 1 ? taps->n_taps : 1;
    }
    LTAP_TRY(ltap_memory_take(memory, total, "the tables of a Resize", block, error));
    char *next = *block;
    for (int axis = 0; axis < z->resize.rank; axis++) {
        ltap_taps *taps = &z->taps[axis];
        size_t entries = (size_t)(taps->n * taps->n_taps);
        taps->indices = (int64_t *)(void *)next;
        taps->weights = (double *)(void *)(next + entries * sizeof(int64_t));
        next += entries * (sizeof(int64_t) + sizeof(double));
        ltap_resize_fill(&z->resize, axis, taps);
    }
    return LTAP_OK;
}

static ltap_status resize_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_tensor *y = &call->outputs[0];
    uint64_t count = ltap_tensor_count(y);
    resizer z = {.x = x->data, .y = y->data, .n_rows = 1};
    void *block;
    if (count == 0 || !y->data)
        return LTAP_OK;
    LTAP_TRY(ltap_resize_read(call, &z.resize, error));
    z.number = ltap_number_find(x->dtype);
    z.element = ltap_dtype_bits(x->dtype) / 8;
    if (x->rank == 0) {
        memcpy(z.y, z.x, (size_t)z.element);
        return LTAP_OK;
    }
    ltap_dims_strides(x, x, z.x_strides);
    LTAP_TRY(make_taps(&z, call->memory, &block, error));
    ltap_parallel_for(call->threads, (int64_t)count / y->dims[y->rank - 1], 4, resize_rows, &z);
    ltap_memory_release(call->memory, block);
    return LTAP_OK;
}

static uint64_t resize_temporary(const ltap_call *call)
{
    ltap_resize resize;
    uint64_t entries = 0;
    if (call->inputs[0].rank == 0 || ltap_tensor_count(&call->outputs[0]) == 0 ||
        ltap_resize_read(call, &resize, NULL) != LTAP_OK)
        return 0;
    for (int axis = 0; axis < resize.rank; axis++)
        entries += (uint64_t)(resize.out[axis] * ltap_resize_taps(&resize, axis));
    return entries * (sizeof(int64_t) + sizeof(double));
}

const ltap_op ltap_op_resize = {
    .name = "Resize",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = resize_shape,
    .reference = resize_reference,
    .temporary = resize_temporary,
};
