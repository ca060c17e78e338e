/* Sum, Mean, Max and Min of any number of tensors, with broadcasting.
 *
 * Two at a time, from left to right, as PyTorch does. Extremes give NaN where any input is NaN.
 */
#include "ops/pointwise.h"
#include <string.h>
#include <tgmath.h>

#define ADD(T, W, x, y)     ((x) + (y))
#define MAX(T, W, x, y)     ((x) > (y) || isnan(x) ? (x) : (y))
#define MIN(T, W, x, y)     ((x) < (y) || isnan(x) ? (x) : (y))
#define MAX_INT(T, W, x, y) ((x) > (y) ? (x) : (y))
#define MIN_INT(T, W, x, y) ((x) < (y) ? (x) : (y))
#define SHARE(T, W, x)      (x / a)

/* One input is handed on as it is. */
static void fold(const ltap_call *call, const ltap_pointwise *pointwise)
{
    if (call->n_inputs > 1)
        ltap_pointwise_fold(call, pointwise);
    else if (ltap_call_wants(call, 0) && ltap_tensor_bytes(&call->inputs[0]) > 0)
        memcpy(call->outputs[0].data, call->inputs[0].data,
               (size_t)ltap_tensor_bytes(&call->inputs[0]));
}

#define VARIADIC_OP(id, onnx_name, pointwise)                                                      \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        return ltap_pointwise_shape(call, &pointwise, error);                                      \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = 1,                                                 \
                                  .max_inputs = -1,                                                \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .flags = LTAP_OP_POINTWISE,                                      \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference};
#define FOLDED(id)                                                                                 \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        fold(call, &id##_pointwise);                                                               \
        return LTAP_OK;                                                                            \
    }

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, sum, ADD)
static const ltap_pointwise sum_pointwise = {.kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, sum)}};
FOLDED(sum)
VARIADIC_OP(sum, "Sum", sum_pointwise)

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, max, MAX)
LTAP_EACH_INT(LTAP_BINARY_KERNEL, max, MAX_INT)
static const ltap_pointwise max_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, max)}};
FOLDED(max)
VARIADIC_OP(max, "Max", max_pointwise)

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, min, MIN)
LTAP_EACH_INT(LTAP_BINARY_KERNEL, min, MIN_INT)
static const ltap_pointwise min_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, min)}};
FOLDED(min)
VARIADIC_OP(min, "Min", min_pointwise)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, share, SHARE)
static const ltap_pointwise share_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, share)}};

static ltap_status mean_reference(const ltap_call *call, ltap_error *error)
{
    fold(call, &sum_pointwise);
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    const double count[LTAP_POINTWISE_PARAMS] = {(double)call->n_inputs};
    ltap_call scale = *call;
    scale.inputs = call->outputs;
    scale.n_inputs = 1;
    ltap_pointwise_run(&scale, &share_pointwise, 1, count);
    return LTAP_OK;
}
VARIADIC_OP(mean, "Mean", sum_pointwise)
