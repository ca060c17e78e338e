/* Pow: the one arithmetic operator whose two inputs may be of different types.
 *
 * The result has the base's type. The exponent is first brought to the base's type where that is a
 * float, and to float64 otherwise; whole powers of integers wrap around.
 */
#include "ops/pointwise.h"
#include <tgmath.h>

/* PyTorch squares; so do we, to the bit. */
#define POW(T, W, x, y) ((y) == 2 ? (x) * (x) : pow(x, y))

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, pow, POW)
static const ltap_pointwise pow_pointwise = {.kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, pow)}};

static int64_t whole_power(int64_t base, uint64_t exponent)
{
    uint64_t result = 1, square = (uint64_t)base;
    for (; exponent > 0; exponent >>= 1, square *= square)
        if (exponent & 1)
            result *= square;
    return (int64_t)result;
}

static int64_t integer_power(int64_t base, double exponent)
{
    if (exponent >= 0 && exponent < 0x1p63 && exponent == floor(exponent))
        return whole_power(base, (uint64_t)exponent);
    int64_t result = 0;
    double number = pow((double)base, exponent);
    ltap_store_doubles(LTAP_INT64, &result, 0, 1, &number);
    return result;
}

#define INT_POW_KERNEL(tag, dtype, T, W, id)                                                       \
    static void id##_##tag(const ltap_stretch *s)                                                  \
    {                                                                                              \
        const T *base = s->src[0];                                                                 \
        const double *exponent = s->src[1];                                                        \
        T *dst = s->dst;                                                                           \
        for (int64_t i = 0; i < s->n; i++)                                                         \
            dst[i] = (T)integer_power((int64_t)base[i * s->step[0]], exponent[i * s->step[1]]);    \
    }
LTAP_EACH_INT(INT_POW_KERNEL, int_pow)
static const ltap_pointwise int_pow_pointwise = {
    .kernels = {LTAP_EACH_INT(LTAP_KERNEL_ROW, int_pow)},
};

static ltap_status pow_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_NUMBER, error));
    ltap_tensor inputs[2] = {call->inputs[0], call->inputs[1]};
    inputs[0].dtype = inputs[1].dtype = LTAP_FLOAT32; /* types are checked; shapes are left */
    ltap_call alike = *call;
    alike.inputs = inputs;
    LTAP_TRY(ltap_pointwise_shape(&alike, &pow_pointwise, error));
    call->outputs[0].dtype = call->inputs[0].dtype;
    return LTAP_OK;
}

static void convert(const ltap_tensor *src, ltap_tensor *dst)
{
    double block[LTAP_BLOCK];
    int64_t count = (int64_t)ltap_tensor_count(src);
    for (int64_t done = 0; done < count; done += LTAP_BLOCK) {
        int64_t n = count - done < LTAP_BLOCK ? count - done : LTAP_BLOCK;
        ltap_load_doubles(src->dtype, src->data, done, n, block);
        ltap_store_doubles(dst->dtype, dst->data, done, n, block);
    }
}

static ltap_status pow_reference(const ltap_call *call, ltap_error *error)
{
    ltap_dtype base = call->inputs[0].dtype;
    bool whole = (LTAP_TYPES_INT & LTAP_TYPE(base)) != 0;
    const ltap_pointwise *pointwise = whole ? &int_pow_pointwise : &pow_pointwise;
    ltap_tensor inputs[2] = {call->inputs[0], call->inputs[1]};
    void *converted = NULL;
    inputs[1].dtype = whole ? LTAP_FLOAT64 : base;
    if (inputs[1].dtype != call->inputs[1].dtype) {
        LTAP_TRY(ltap_memory_take(call->memory, ltap_tensor_bytes(&inputs[1]), "an exponent",
                                  &converted, error));
        inputs[1].data = converted;
        convert(&call->inputs[1], &inputs[1]);
    }
    ltap_call alike = *call;
    alike.inputs = inputs;
    ltap_pointwise_run(&alike, pointwise, 2, NULL);
    ltap_memory_release(call->memory, converted);
    return LTAP_OK;
}

static uint64_t pow_temporary(const ltap_call *call)
{
    ltap_tensor exponent = call->inputs[1];
    ltap_dtype base = call->inputs[0].dtype;
    exponent.dtype = LTAP_TYPES_INT & LTAP_TYPE(base) ? LTAP_FLOAT64 : base;
    return exponent.dtype == call->inputs[1].dtype ? 0 : ltap_tensor_bytes(&exponent);
}

const ltap_op ltap_op_pow = {
    .name = "Pow",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_POINTWISE,
    .shape = pow_shape,
    .reference = pow_reference,
    .temporary = pow_temporary,
};
