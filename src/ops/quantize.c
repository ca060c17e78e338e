/* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: real numbers as scaled integers.
 *
 * A scale is one number, one for each index of an axis, or one for each block along an axis.
 */
#include "ops/quantize.h"
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <math.h>

#define QUANTIZED                                                                                  \
    (LTAP_TYPE(LTAP_UINT8) | LTAP_TYPE(LTAP_INT8) | LTAP_TYPE(LTAP_UINT16) | LTAP_TYPE(LTAP_INT16))
#define SCALES (LTAP_TYPE(LTAP_FLOAT32) | LTAP_TYPES_HALF)

double ltap_quantized(double rounded, ltap_dtype dtype)
{
    bool is_signed = dtype == LTAP_INT8 || dtype == LTAP_INT16;
    double steps = dtype == LTAP_INT8 || dtype == LTAP_UINT8 ? 256 : 65536;
    double low = is_signed ? -steps / 2 : 0, high = low + steps - 1;
    return rounded > low ? (rounded < high ? rounded : high) : low;
}

/* Which scale an element of x has. */
typedef struct grid {
    int64_t inner, length, block; /* block 0: no axis; 1: one scale an index */
    int64_t blocks;
    bool by_place; /* scales differ over the other axes too */
} grid;

static ltap_status read_grid(const ltap_call *call, grid *g, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *scale = &call->inputs[1];
    int64_t block = ltap_node_int(call->node, "block_size", 0);
    int axis = 0;
    *g = (grid){.inner = 1, .length = 1, .blocks = 1};
    if (ltap_tensor_count(scale) == 1 && scale->rank <= 1)
        return LTAP_OK;
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 1), x->rank, &axis, error));
    g->by_place = scale->rank == x->rank && block > 0;
    g->block = g->by_place ? block : 1;
    g->length = x->dims[axis];
    g->blocks = g->length / g->block + (g->length % g->block != 0);
    bool fits = scale->rank == (g->by_place ? x->rank : 1);
    for (int i = 0; fits && i < x->rank; i++) {
        int64_t want = i == axis ? g->blocks : x->dims[i];
        fits = g->by_place ? scale->dims[i] == want : scale->dims[0] == g->blocks;
        g->inner *= i > axis ? x->dims[i] : 1;
    }
    if (!fits)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its scale has shape %s, which does not fit %s along axis %d",
                              ltap_shape_text(scale).text, ltap_shape_text(x).text, axis);
    return LTAP_OK;
}

static int64_t scale_of(const grid *g, int64_t element)
{
    if (g->block == 0)
        return 0;
    int64_t at = element / g->inner % g->length / g->block;
    if (!g->by_place)
        return at;
    return (element / g->inner / g->length * g->blocks + at) * g->inner + element % g->inner;
}

static ltap_status check_zero_point(const ltap_call *call, unsigned types, ltap_error *error)
{
    if (!ltap_call_has(call, 2))
        return LTAP_OK;
    LTAP_TRY(ltap_call_check_type(call, 2, types, error));
    if (ltap_tensor_count(&call->inputs[2]) != ltap_tensor_count(&call->inputs[1]))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its scale has shape %s, its zero point %s",
                              ltap_shape_text(&call->inputs[1]).text,
                              ltap_shape_text(&call->inputs[2]).text);
    return LTAP_OK;
}

static ltap_dtype read_type(const ltap_call *call, ltap_dtype otherwise)
{
    int64_t type = ltap_node_int(call->node, "output_dtype", 0);
    return type > 0 && type < 32 ? (ltap_dtype)type : otherwise;
}

static ltap_status quantize_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_dtype type = read_type(call, ltap_call_has(call, 2) ? call->inputs[2].dtype : LTAP_UINT8);
    grid g;
    LTAP_TRY(ltap_call_check_type(call, 0, SCALES | LTAP_TYPE(LTAP_INT32), error));
    LTAP_TRY(ltap_call_check_type(call, 1, SCALES | LTAP_TYPE(LTAP_INT32), error));
    LTAP_TRY(check_zero_point(call, QUANTIZED, error));
    if (!(QUANTIZED & LTAP_TYPE(type)))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "quantizes to %s, which layertap does "
                              "not",
                              ltap_dtype_name(type));
    LTAP_TRY(read_grid(call, &g, error));
    ltap_call_output(call, 0, type, x->rank, x->dims);
    return LTAP_OK;
}

typedef struct work {
    const ltap_call *call;
    grid grid;
} work;

static float zero_point(const ltap_call *call, int64_t index)
{
    return ltap_call_has(call, 2) ? (float)ltap_tensor_double(&call->inputs[2], (uint64_t)index)
                                  : 0;
}

static int64_t block_length(const ltap_tensor *t, int64_t start)
{
    int64_t left = (int64_t)ltap_tensor_count(t) - start;
    return left < LTAP_BLOCK ? left : LTAP_BLOCK;
}

/* Elements from here on that share a scale. */
static int64_t alike(const grid *g, int64_t element, int64_t left)
{
    if (g->block == 0)
        return left;
    int64_t rest = g->inner - element % g->inner;
    return g->by_place ? 1 : rest < left ? rest : left;
}

typedef struct step {
    float scale, zero, low, high;
} step;

/* Rounds to even by what a float's last bit is worth there; far beyond the ends, that is no matter.
 */
static void quantize_run(const step *s, float *x, int64_t n)
{
    const float middle = 12582912.0f, most = 1048576.0f;
    for (int64_t i = 0; i < n; i++) {
        float steps = x[i] / s->scale;
        steps = steps > -most ? (steps < most ? steps : most) : -most;
        float level = steps + middle - middle + s->zero;
        x[i] = level > s->low ? (level < s->high ? level : s->high) : s->low;
    }
}

static void quantize_blocks(void *context, int64_t first, int64_t last)
{
    const work *w = context;
    const ltap_call *call = w->call;
    const ltap_tensor *x = &call->inputs[0], *y = &call->outputs[0];
    float block[LTAP_BLOCK];
    for (int64_t start = first * LTAP_BLOCK; start < last * LTAP_BLOCK; start += LTAP_BLOCK) {
        int64_t n = block_length(x, start);
        ltap_load_floats(x->dtype, x->data, start, n, block);
        for (int64_t i = 0, run; i < n; i += run) {
            int64_t at = scale_of(&w->grid, start + i);
            const step s = {.scale = (float)ltap_tensor_double(&call->inputs[1], (uint64_t)at),
                            .zero = zero_point(call, at),
                            .low = (float)ltap_quantized(-INFINITY, y->dtype),
                            .high = (float)ltap_quantized(INFINITY, y->dtype)};
            run = alike(&w->grid, start + i, n - i);
            quantize_run(&s, block + i, run);
        }
        ltap_store_floats(y->dtype, y->data, start, n, block);
    }
}

static void dequantize_blocks(void *context, int64_t first, int64_t last)
{
    const work *w = context;
    const ltap_call *call = w->call;
    const ltap_tensor *x = &call->inputs[0], *y = &call->outputs[0];
    double block[LTAP_BLOCK];
    for (int64_t start = first * LTAP_BLOCK; start < last * LTAP_BLOCK; start += LTAP_BLOCK) {
        int64_t n = block_length(x, start);
        ltap_load_doubles(x->dtype, x->data, start, n, block);
        for (int64_t i = 0, run; i < n; i += run) {
            int64_t at = scale_of(&w->grid, start + i);
            double zero = (double)zero_point(call, at);
            double scale = ltap_tensor_double(&call->inputs[1], (uint64_t)at);
            run = alike(&w->grid, start + i, n - i);
            for (int64_t k = i; k < i + run; k++)
                block[k] = (block[k] - zero) * scale;
        }
        ltap_store_doubles(y->dtype, y->data, start, n, block);
    }
}

static ltap_status run(const ltap_call *call, void (*blocks)(void *, int64_t, int64_t),
                       ltap_error *error)
{
    work w = {.call = call};
    int64_t count = (int64_t)ltap_tensor_count(&call->inputs[0]);
    LTAP_TRY(read_grid(call, &w.grid, error));
    if (ltap_call_wants(call, 0) && count > 0)
        ltap_parallel_for(call->threads, (count + LTAP_BLOCK - 1) / LTAP_BLOCK, 16, blocks, &w);
    return LTAP_OK;
}

static ltap_status quantize_reference(const ltap_call *call, ltap_error *error)
{
    return run(call, quantize_blocks, error);
}

static ltap_status dequantize_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_dtype type = read_type(call, call->inputs[1].dtype);
    grid g;
    LTAP_TRY(ltap_call_check_type(call, 0, QUANTIZED | LTAP_TYPE(LTAP_INT32), error));
    LTAP_TRY(ltap_call_check_type(call, 1, SCALES, error));
    LTAP_TRY(check_zero_point(call, QUANTIZED | LTAP_TYPE(LTAP_INT32), error));
    if (!(SCALES & LTAP_TYPE(type)))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "makes %s, which layertap does not",
                              ltap_dtype_name(type));
    LTAP_TRY(read_grid(call, &g, error));
    ltap_call_output(call, 0, type, x->rank, x->dims);
    return LTAP_OK;
}

static ltap_status dequantize_reference(const ltap_call *call, ltap_error *error)
{
    return run(call, dequantize_blocks, error);
}

static ltap_status dynamic_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPE(LTAP_FLOAT32), error));
    ltap_call_output(call, 0, LTAP_UINT8, x->rank, x->dims);
    ltap_call_output(call, 1, LTAP_FLOAT32, 0, NULL);
    ltap_call_output(call, 2, LTAP_UINT8, 0, NULL);
    return LTAP_OK;
}

/* The range holds 0; a tensor of zeros has scale 1. */
static ltap_status dynamic_reference(const ltap_call *call, ltap_error *error)
{
    const float *x = call->inputs[0].data;
    int64_t count = (int64_t)ltap_tensor_count(&call->inputs[0]);
    float low = 0, high = 0;
    for (int64_t i = 0; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    float scale = high > low ? (high - low) / 255 : 1;
    float zero = (float)ltap_quantized(rintf(-low / scale), LTAP_UINT8);
    if (ltap_call_wants(call, 1))
        *(float *)call->outputs[1].data = scale;
    if (ltap_call_wants(call, 2))
        *(uint8_t *)call->outputs[2].data = (uint8_t)zero;
    uint8_t *y = ltap_call_wants(call, 0) ? call->outputs[0].data : NULL;
    for (int64_t i = 0; y && i < count; i++)
        y[i] = (uint8_t)ltap_quantized(rintf(x[i] / scale) + zero, LTAP_UINT8);
    return LTAP_OK;
}

const ltap_op ltap_op_quantize_linear = {
    .name = "QuantizeLinear",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = quantize_shape,
    .reference = quantize_reference,
};

const ltap_op ltap_op_dequantize_linear = {
    .name = "DequantizeLinear",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = dequantize_shape,
    .reference = dequantize_reference,
};

const ltap_op ltap_op_dynamic_quantize_linear = {
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 3,
    .shape = dynamic_shape,
    .reference = dynamic_reference,
};
