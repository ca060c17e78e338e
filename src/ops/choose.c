/* Clip, PRelu and Where: pointwise operators that choose among their inputs. */
#include "ops/pointwise.h"
#include <math.h>

#define PRELU(T, W, x, y) ((x) < 0 ? (T)((W)(x) * (W)(y)) : (x))

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, prelu, PRELU)
LTAP_EACH_SIGNED(LTAP_BINARY_KERNEL, prelu, PRELU)
static const ltap_pointwise prelu_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, prelu) LTAP_EACH_SIGNED(LTAP_KERNEL_ROW, prelu)},
};

/* The slope broadcasts to the input, never the other way round. */
static ltap_status prelu_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_pointwise_shape(call, &prelu_pointwise, error));
    if (!ltap_tensor_same_shape(&call->inputs[0], &call->outputs[0]))
        return ltap_error_set(
            error, LTAP_ERROR_FORMAT, "slope of shape %s does not broadcast to the input's %s",
            ltap_shape_text(&call->inputs[1]).text, ltap_shape_text(&call->inputs[0]).text);
    return LTAP_OK;
}

static ltap_status prelu_reference(const ltap_call *call, ltap_error *error)
{
    ltap_pointwise_run(call, &prelu_pointwise, 2, NULL);
    return LTAP_OK;
}

const ltap_op ltap_op_prelu = {
    .name = "PRelu",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE,
    .shape = prelu_shape,
    .reference = prelu_reference,
};

/* Clip. A missing bound is the lowest or highest number of the type; where the bounds cross, the
 * upper one wins, as in PyTorch. */
#define CLIP_KERNEL(tag, dtype, T, W, id)                                                          \
    static void id##_##tag(const ltap_stretch *s)                                                  \
    {                                                                                              \
        const T *src = s->src[0], low = *(const T *)s->src[1], high = *(const T *)s->src[2];       \
        T *dst = s->dst;                                                                           \
        for (int64_t i = 0; i < s->n; i++) {                                                       \
            T x = src[i] < low ? low : src[i];                                                     \
            dst[i] = x > high ? high : x;                                                          \
        }                                                                                          \
    }
LTAP_EACH_NUMBER(CLIP_KERNEL, clip)
static const ltap_pointwise clip_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, clip)}};

/* Bytes of one lowest and one highest element of every type. */
static const struct bounds {
    const void *low, *high;
} bounds[LTAP_DTYPES] = {
    [LTAP_FLOAT32] = {(const float[]){-INFINITY}, (const float[]){INFINITY}},
    [LTAP_FLOAT64] = {(const double[]){-INFINITY}, (const double[]){INFINITY}},
    [LTAP_FLOAT16] = {(const uint16_t[]){0xfc00}, (const uint16_t[]){0x7c00}},
    [LTAP_BFLOAT16] = {(const uint16_t[]){0xff80}, (const uint16_t[]){0x7f80}},
    [LTAP_INT8] = {(const int8_t[]){INT8_MIN}, (const int8_t[]){INT8_MAX}},
    [LTAP_INT16] = {(const int16_t[]){INT16_MIN}, (const int16_t[]){INT16_MAX}},
    [LTAP_INT32] = {(const int32_t[]){INT32_MIN}, (const int32_t[]){INT32_MAX}},
    [LTAP_INT64] = {(const int64_t[]){INT64_MIN}, (const int64_t[]){INT64_MAX}},
    [LTAP_UINT8] = {(const uint8_t[]){0}, (const uint8_t[]){UINT8_MAX}},
    [LTAP_UINT16] = {(const uint16_t[]){0}, (const uint16_t[]){UINT16_MAX}},
    [LTAP_UINT32] = {(const uint32_t[]){0}, (const uint32_t[]){UINT32_MAX}},
    [LTAP_UINT64] = {(const uint64_t[]){0}, (const uint64_t[]){UINT64_MAX}},
};

static ltap_status clip_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    for (size_t i = 1; i < call->n_inputs; i++) {
        if (!ltap_call_has(call, i))
            continue;
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
        if (ltap_tensor_count(&call->inputs[i]) != 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "a bound of shape %s, one number is needed",
                                  ltap_shape_text(&call->inputs[i]).text);
    }
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status clip_reference(const ltap_call *call, ltap_error *error)
{
    ltap_dtype dtype = call->inputs[0].dtype;
    /* Only read from; the table is not written. */
    ltap_tensor inputs[3] = {
        call->inputs[0], ltap_tensor_make(dtype, 0, NULL, (void *)(uintptr_t)bounds[dtype].low),
        ltap_tensor_make(dtype, 0, NULL, (void *)(uintptr_t)bounds[dtype].high)};
    for (size_t i = 1; i < 3; i++)
        if (ltap_call_has(call, i))
            inputs[i].data = call->inputs[i].data;
    ltap_call full = *call;
    full.inputs = inputs;
    full.n_inputs = 3;
    ltap_pointwise_run(&full, &clip_pointwise, 3, NULL);
    return LTAP_OK;
}

const ltap_op ltap_op_clip = {
    .name = "Clip",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = clip_shape,
    .reference = clip_reference,
};

/* Where only moves elements about: one kernel per size. */
#define WHERE_KERNEL(tag, T)                                                                       \
    static void where_##tag(const ltap_stretch *s)                                                 \
    {                                                                                              \
        const uint8_t *condition = s->src[0];                                                      \
        const T *x = s->src[1], *y = s->src[2];                                                    \
        T *dst = s->dst;                                                                           \
        for (int64_t i = 0; i < s->n; i++)                                                         \
            dst[i] = condition[i * s->step[0]] ? x[i * s->step[1]] : y[i * s->step[2]];            \
    }
WHERE_KERNEL(8, uint8_t)
WHERE_KERNEL(16, uint16_t)
WHERE_KERNEL(32, uint32_t)
WHERE_KERNEL(64, uint64_t)

static const ltap_pointwise where_pointwise = {
    .kernels = {[LTAP_FLOAT32] = where_32,
                [LTAP_FLOAT64] = where_64,
                [LTAP_FLOAT16] = where_16,
                [LTAP_BFLOAT16] = where_16,
                [LTAP_INT8] = where_8,
                [LTAP_INT16] = where_16,
                [LTAP_INT32] = where_32,
                [LTAP_INT64] = where_64,
                [LTAP_UINT8] = where_8,
                [LTAP_UINT16] = where_16,
                [LTAP_UINT32] = where_32,
                [LTAP_UINT64] = where_64,
                [LTAP_BOOL] = where_8,
                [LTAP_COMPLEX64] = where_64},
    .key = 1,
};

static ltap_status where_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BOOL, error));
    return ltap_pointwise_shape(call, &where_pointwise, error);
}

static ltap_status where_reference(const ltap_call *call, ltap_error *error)
{
    ltap_pointwise_run(call, &where_pointwise, 3, NULL);
    return LTAP_OK;
}

const ltap_op ltap_op_where = {
    .name = "Where",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE,
    .shape = where_shape,
    .reference = where_reference,
};
