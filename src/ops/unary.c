/* Elementary functions of one tensor: arithmetic, rounding, exponentials, trigonometry, tests.
 *
 * One expression each. Float functions exist in float32 and float64, the others in whatever ONNX
 * allows. Activation functions are in activation.c.
 */
#include "ops/pointwise.h"
#include <tgmath.h>

#define EXP(T, W, x)           exp(x)
#define LOG(T, W, x)           log(x)
#define SQRT(T, W, x)          sqrt(x)
#define ERF(T, W, x)           erf(x)
#define RECIPROCAL(T, W, x)    (1 / x)
#define FLOOR(T, W, x)         floor(x)
#define CEIL(T, W, x)          ceil(x)
#define ROUND(T, W, x)         nearbyint(x)
#define SIN(T, W, x)           sin(x)
#define COS(T, W, x)           cos(x)
#define TAN(T, W, x)           tan(x)
#define ASIN(T, W, x)          asin(x)
#define ACOS(T, W, x)          acos(x)
#define ATAN(T, W, x)          atan(x)
#define SINH(T, W, x)          sinh(x)
#define COSH(T, W, x)          cosh(x)
#define ASINH(T, W, x)         asinh(x)
#define ACOSH(T, W, x)         acosh(x)
#define ATANH(T, W, x)         atanh(x)

#define ABS(T, W, x)           fabs(x)
#define ABS_INT(T, W, x)       (x < 0 ? (W)0 - (W)x : (W)x)
#define ABS_UNSIGNED(T, W, x)  x
#define NEG(T, W, x)           (-x)
#define NEG_INT(T, W, x)       ((W)0 - (W)x)
#define SIGN(T, W, x)          ((x > 0) - (x < 0))
#define SIGN_UNSIGNED(T, W, x) (x > 0)

#define NOT(T, W, x)           (x == 0)
#define BITWISE_NOT(T, W, x)   (~(W)x)
#define IS_NAN(T, W, x)        (x != x)
#define IS_INF(T, W, x)        ((b != 0 && x == (T)INFINITY) || (a != 0 && x == -(T)INFINITY))

#define FUNCTION(id, onnx_name, EXPR)                                                              \
    LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, id, EXPR)                                                   \
    static const ltap_pointwise id##_pointwise = {                                                 \
        .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, id)}};                                        \
    LTAP_POINTWISE_OP(id, onnx_name, 1, LTAP_OP_UNARY)

FUNCTION(exp, "Exp", EXP)
FUNCTION(log, "Log", LOG)
FUNCTION(sqrt, "Sqrt", SQRT)
FUNCTION(erf, "Erf", ERF)
FUNCTION(reciprocal, "Reciprocal", RECIPROCAL)
FUNCTION(floor, "Floor", FLOOR)
FUNCTION(ceil, "Ceil", CEIL)
FUNCTION(round, "Round", ROUND)
FUNCTION(sin, "Sin", SIN)
FUNCTION(cos, "Cos", COS)
FUNCTION(tan, "Tan", TAN)
FUNCTION(asin, "Asin", ASIN)
FUNCTION(acos, "Acos", ACOS)
FUNCTION(atan, "Atan", ATAN)
FUNCTION(sinh, "Sinh", SINH)
FUNCTION(cosh, "Cosh", COSH)
FUNCTION(asinh, "Asinh", ASINH)
FUNCTION(acosh, "Acosh", ACOSH)
FUNCTION(atanh, "Atanh", ATANH)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, abs, ABS)
LTAP_EACH_SIGNED(LTAP_UNARY_KERNEL, abs, ABS_INT)
LTAP_EACH_UNSIGNED(LTAP_UNARY_KERNEL, abs, ABS_UNSIGNED)
static const ltap_pointwise abs_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, abs)}};
LTAP_POINTWISE_OP(abs, "Abs", 1, LTAP_OP_UNARY)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, neg, NEG)
LTAP_EACH_SIGNED(LTAP_UNARY_KERNEL, neg, NEG_INT)
static const ltap_pointwise neg_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, neg) LTAP_EACH_SIGNED(LTAP_KERNEL_ROW, neg)},
};
LTAP_POINTWISE_OP(neg, "Neg", 1, LTAP_OP_UNARY)

LTAP_EACH_FLOAT(LTAP_UNARY_KERNEL, sign, SIGN)
LTAP_EACH_SIGNED(LTAP_UNARY_KERNEL, sign, SIGN)
LTAP_EACH_UNSIGNED(LTAP_UNARY_KERNEL, sign, SIGN_UNSIGNED)
static const ltap_pointwise sign_pointwise = {.kernels = {LTAP_EACH_NUMBER(LTAP_KERNEL_ROW, sign)}};
LTAP_POINTWISE_OP(sign, "Sign", 1, LTAP_OP_UNARY)

LTAP_EACH_BOOL(LTAP_UNARY_KERNEL, not, NOT)
static const ltap_pointwise not_pointwise = {.kernels = {LTAP_EACH_BOOL(LTAP_KERNEL_ROW, not )}};
LTAP_POINTWISE_OP(not, "Not", 1, LTAP_OP_UNARY)

LTAP_EACH_INT(LTAP_UNARY_KERNEL, bitwise_not, BITWISE_NOT)
static const ltap_pointwise bitwise_not_pointwise = {
    .kernels = {LTAP_EACH_INT(LTAP_KERNEL_ROW, bitwise_not)},
};
LTAP_POINTWISE_OP(bitwise_not, "BitwiseNot", 1, LTAP_OP_UNARY)

LTAP_EACH_FLOAT(LTAP_UNARY_TEST, is_nan, IS_NAN)
static const ltap_pointwise is_nan_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, is_nan)},
    .result = LTAP_BOOL,
};
LTAP_POINTWISE_OP(is_nan, "IsNaN", 1, LTAP_OP_UNARY)

LTAP_EACH_FLOAT(LTAP_UNARY_TEST, is_inf, IS_INF)
static const ltap_pointwise is_inf_pointwise = {
    .kernels = {LTAP_EACH_FLOAT(LTAP_KERNEL_ROW, is_inf)},
    .result = LTAP_BOOL,
    .params = {{"detect_negative", 1}, {"detect_positive", 1}},
};
LTAP_POINTWISE_OP(is_inf, "IsInf", 1, LTAP_OP_UNARY)
