/* Arithmetic, logic and comparison of two tensors, with broadcasting.
 *
 * Integers wrap around; dividing them truncates, and dividing by zero gives 0 rather than a trap.
 * Pow, whose two types differ, is in power.c; Sum, Max and Min in variadic.c.
 */
#include "ops/pointwise.h"
#include <string.h>
#include <tgmath.h>

#define ADD(T, W, x, y)          ((W)(x) + (W)(y))
#define SUB(T, W, x, y)          ((W)(x) - (W)(y))
#define MUL(T, W, x, y)          ((W)(x) * (W)(y))

#define DIV(T, W, x, y)          ((x) / (y))
#define DIV_UNSIGNED(T, W, x, y) ((y) == 0 ? 0 : (x) / (y))
/* The lowest number divided by -1 does not fit: it wraps, without the trap. */
#define DIV_SIGNED(T, W, x, y)   ((y) == 0 ? 0 : (y) == -1 ? (T)((W)0 - (W)(x)) : (x) / (y))

#define MOD_UNSIGNED(T, W, x, y) ((y) == 0 ? 0 : (x) % (y))
#define FMOD(T, W, x, y)         fmod(x, y)
#define FMOD_SIGNED(T, W, x, y)  ((y) == 0 || (y) == -1 ? 0 : (x) % (y))
/* Numpy's: the result has the sign of the divisor. */
#define MOD_FIX(r, y)           ((r) != 0 && ((r) < 0) != ((y) < 0) ? (r) + (y) : (r))
#define MOD(T, W, x, y)         MOD_FIX(fmod(x, y), y)
#define MOD_SIGNED(T, W, x, y)  MOD_FIX((T)FMOD_SIGNED(T, W, x, y), y)

#define AND(T, W, x, y)         ((x) && (y))
#define OR(T, W, x, y)          ((x) || (y))
#define XOR(T, W, x, y)         (!(x) != !(y))
#define BITWISE_AND(T, W, x, y) ((x) & (y))
#define BITWISE_OR(T, W, x, y)  ((x) | (y))
#define BITWISE_XOR(T, W, x, y) ((x) ^ (y))
/* Shifting by the width or more leaves nothing. */
#define SHIFTED(T, W, x, y, op)   ((y) < 8 * sizeof(T) ? (W)(x)op(y) : 0)
#define SHIFT_LEFT(T, W, x, y)    SHIFTED(T, W, x, y, <<)
#define SHIFT_RIGHT(T, W, x, y)   SHIFTED(T, W, x, y, >>)

#define EQUAL(T, W, x, y)         ((x) == (y))
#define GREATER(T, W, x, y)       ((x) > (y))
#define LESS(T, W, x, y)          ((x) < (y))
#define GREATER_EQUAL(T, W, x, y) ((x) >= (y))
#define LESS_EQUAL(T, W, x, y)    ((x) <= (y))

#define ARITHMETIC(id, onnx_name, EXPR)                                                            \
    LTAP_EACH_NUMBER(LTAP_BINARY_KERNEL, id, EXPR)                                                 \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, id)}};                                       \
    LTAP_POINTWISE_OP(id, onnx_name, 2, 0)

ARITHMETIC(add, "Add", ADD)
ARITHMETIC(sub, "Sub", SUB)
ARITHMETIC(mul, "Mul", MUL)

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, div, DIV)
LTAP_EACH_SIGNED(LTAP_BINARY_KERNEL, div, DIV_SIGNED)
LTAP_EACH_UNSIGNED(LTAP_BINARY_KERNEL, div, DIV_UNSIGNED)
static const ltap_pointwise div_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, div)}};
LTAP_POINTWISE_OP(div, "Div", 2, 0)

#define COMPARISON(id, onnx_name, EXPR)                                                            \
    LTAP_EACH_NUMBER(LTAP_BINARY_TEST, id, EXPR)                                                   \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, id)},                                        \
        .result = LTAP_BOOL,                                                                       \
    };                                                                                             \
    LTAP_POINTWISE_OP(id, onnx_name, 2, 0)

COMPARISON(greater, "Greater", GREATER)
COMPARISON(less, "Less", LESS)
COMPARISON(greater_equal, "GreaterOrEqual", GREATER_EQUAL)
COMPARISON(less_equal, "LessOrEqual", LESS_EQUAL)

LTAP_EACH_NUMBER(LTAP_BINARY_TEST, equal, EQUAL)
LTAP_EACH_BOOL(LTAP_BINARY_TEST, equal, XOR)
static void equal_bool(const ltap_stretch *s)
{
    equal_b8(s);
    uint8_t *dst = s->dst;
    for (int64_t i = 0; i < s->n; i++)
        dst[i] = !dst[i];
}
static const ltap_pointwise equal_pointwise = {
    .kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, equal)[LTAP_BOOL] = equal_bool},
    .result = LTAP_BOOL,
};
LTAP_POINTWISE_OP(equal, "Equal", 2, 0)

#define LOGIC(id, onnx_name, EXPR)                                                                 \
    LTAP_EACH_BOOL(LTAP_BINARY_KERNEL, id, EXPR)                                                   \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_BOOL(LTAP_KERNEL_ROW, id)}};                                         \
    LTAP_POINTWISE_OP(id, onnx_name, 2, 0)

LOGIC(and, "And", AND)
LOGIC(or, "Or", OR)
LOGIC(xor, "Xor", XOR)

#define BITWISE(id, onnx_name, EXPR)                                                               \
    LTAP_EACH_INT(LTAP_BINARY_KERNEL, id, EXPR)                                                    \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_INT(LTAP_KERNEL_ROW, id)}};                                          \
    LTAP_POINTWISE_OP(id, onnx_name, 2, 0)

BITWISE(bitwise_and, "BitwiseAnd", BITWISE_AND)
BITWISE(bitwise_or, "BitwiseOr", BITWISE_OR)
BITWISE(bitwise_xor, "BitwiseXor", BITWISE_XOR)

/* An operator with two formulas, chosen by an attribute. */
#define TWO_FORMULAS(id, onnx_name, choose)                                                        \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        const ltap_pointwise *formula = NULL;                                                      \
        LTAP_TRY(choose(call, &formula, error));                                                   \
        return ltap_pointwise_shape(call, formula, error);                                         \
    }                                                                                              \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        const ltap_pointwise *formula = NULL;                                                      \
        LTAP_TRY(choose(call, &formula, error));                                                   \
        ltap_pointwise_run(call, formula, 2, NULL);                                                \
        return LTAP_OK;                                                                            \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = 2,                                                 \
                                  .max_inputs = 2,                                                 \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .flags = LTAP_OP_POINTWISE,                                      \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference};

LTAP_EACH_UNSIGNED(LTAP_BINARY_KERNEL, shift_left, SHIFT_LEFT)
LTAP_EACH_UNSIGNED(LTAP_BINARY_KERNEL, shift_right, SHIFT_RIGHT)
static const ltap_pointwise shifts[] = {
    {.kernels = {LTAP_EACH_UNSIGNED(LTAP_KERNEL_ROW, shift_left)}},
    {.kernels = {LTAP_EACH_UNSIGNED(LTAP_KERNEL_ROW, shift_right)}},
};

static ltap_status choose_shift(const ltap_call *call, const ltap_pointwise **formula,
                                ltap_error *error)
{
    const char *direction = ltap_node_string(call->node, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "direction is '%s', known are 'LEFT' and 'RIGHT'", direction);
    *formula = &shifts[direction[0] == 'R'];
    return LTAP_OK;
}

TWO_FORMULAS(bit_shift, "BitShift", choose_shift)

LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, mod, MOD)
LTAP_EACH_SIGNED(LTAP_BINARY_KERNEL, mod, MOD_SIGNED)
LTAP_EACH_UNSIGNED(LTAP_BINARY_KERNEL, mod, MOD_UNSIGNED)
LTAP_EACH_FLOAT(LTAP_BINARY_KERNEL, fmod, FMOD)
LTAP_EACH_SIGNED(LTAP_BINARY_KERNEL, fmod, FMOD_SIGNED)
LTAP_EACH_UNSIGNED(LTAP_BINARY_KERNEL, fmod, MOD_UNSIGNED)
static const ltap_pointwise mods[] = {
    {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, mod)}},
    {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, fmod)}},
};

static ltap_status choose_mod(const ltap_call *call, const ltap_pointwise **formula,
                              ltap_error *error)
{
    *formula = &mods[ltap_node_int(call->node, "fmod", 0) != 0];
    return LTAP_OK;
}

TWO_FORMULAS(mod, "Mod", choose_mod)
