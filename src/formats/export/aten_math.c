/* Element by element: arithmetic, comparisons, logic; and what changes nothing. */
#include "formats/export/aten.h"

#include <math.h>
#include <string.h>

static bool is_float(ltap_dtype dtype)
{
    return dtype == LTAP_FLOAT32 || dtype == LTAP_FLOAT64 || dtype == LTAP_FLOAT16 ||
           dtype == LTAP_BFLOAT16;
}

/* --- Of one tensor. --------------------------------------------------------------------------- */

/* Integers are their own floor. */
static void rounding(ltap_program *p)
{
    uint32_t x = ltap_arg_self(p);
    ltap_emit_result(p, 0,
                     is_float(ltap_arg_result_type(p)) ? ltap_emit_one(p, p->row->op_type, x) : x);
}

/* The result is of another type than the input: IsNaN, ... */
static void question(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    ltap_emit_result(p, 0, ltap_emit_one(p, p->row->op_type, x.value));
}

static void identity(ltap_program *p)
{
    const char *name = ltap_arg_find(p, "self") != NULL ? "self" : "input";
    ltap_operand x = ltap_arg_tensor(p, name);
    ltap_emit_result(p, 0, ltap_emit_cast(p, x.value, x.dtype, ltap_arg_result_type(p)));
}

static void dropout(ltap_program *p)
{
    if (ltap_arg_bool(p, "train", false) && ltap_arg_float(p, "p", 0.5) != 0)
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    identity(p);
}

static void rsqrt(ltap_program *p)
{
    ltap_emit_result(p, 0,
                     ltap_emit_one(p, "Reciprocal", ltap_emit_one(p, "Sqrt", ltap_arg_self(p))));
}

static void square(ltap_program *p)
{
    uint32_t x = ltap_arg_self(p);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", x, x));
}

/* log2, log10, log1p, expm1, exp2: through log and exp. */
static void scaled_log(ltap_program *p)
{
    double base = p->row->op_type[0] == '2' ? M_LN2 : M_LN10;
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "Div", ltap_emit_one(p, "Log", ltap_arg_self(p)),
                                   ltap_emit_number(p, base, ltap_arg_result_type(p))));
}

static void log1p_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, ltap_arg_result_type(p));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Log", ltap_emit_two(p, "Add", ltap_arg_self(p), one)));
}

static void expm1_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, ltap_arg_result_type(p));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", ltap_emit_one(p, "Exp", ltap_arg_self(p)), one));
}

static void exp2_(ltap_program *p)
{
    ltap_emit_result(
        p, 0,
        ltap_emit_two(p, "Pow", ltap_emit_number(p, 2, ltap_arg_result_type(p)), ltap_arg_self(p)));
}

static void erfc_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, ltap_arg_result_type(p));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", one, ltap_emit_one(p, "Erf", ltap_arg_self(p))));
}

static uint32_t truncated(ltap_program *p, uint32_t x)
{
    return ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sign", x),
                         ltap_emit_one(p, "Floor", ltap_emit_one(p, "Abs", x)));
}

static void trunc_(ltap_program *p)
{
    ltap_emit_result(p, 0, truncated(p, ltap_arg_self(p)));
}

static void frac(ltap_program *p)
{
    uint32_t x = ltap_arg_self(p);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", x, truncated(p, x)));
}

static void is_finite(ltap_program *p)
{
    uint32_t x = ltap_arg_tensor(p, "self").value;
    uint32_t odd =
        ltap_emit_two(p, "Or", ltap_emit_one(p, "IsNaN", x), ltap_emit_one(p, "IsInf", x));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Not", odd));
}

/* --- Of two. ---------------------------------------------------------------------------------- */

static uint32_t terms(ltap_program *p, const char *op_type, const char *a, const char *b,
                      ltap_dtype dtype)
{
    uint32_t first = ltap_arg_term(p, a, dtype).value, second = ltap_arg_term(p, b, dtype).value;
    return ltap_emit_two(p, op_type, first, second);
}

static void binary(ltap_program *p)
{
    ltap_emit_result(p, 0, terms(p, p->row->op_type, "self", "other", ltap_arg_result_type(p)));
}

/* a + alpha * b, and the like. */
static void sum(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    bool turned = strcmp(p->row->op_type, "rsub") == 0;
    uint32_t a = ltap_arg_term(p, turned ? "other" : "self", dtype).value;
    uint32_t b = ltap_arg_term(p, turned ? "self" : "other", dtype).value;
    double alpha = ltap_arg_float(p, "alpha", 1);
    if (alpha != 1)
        b = ltap_emit_two(p, "Mul", b, ltap_emit_number(p, alpha, dtype));
    const char *op_type = turned ? "Sub" : p->row->op_type;
    if (dtype == LTAP_BOOL)
        op_type = "Or";
    ltap_emit_result(p, 0, ltap_emit_two(p, op_type, a, b));
}

static void product(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    ltap_emit_result(p, 0, terms(p, dtype == LTAP_BOOL ? "And" : "Mul", "self", "other", dtype));
}

static uint32_t floor_divide(ltap_program *p, uint32_t a, uint32_t b, ltap_dtype dtype)
{
    if (is_float(dtype))
        return ltap_emit_one(p, "Floor", ltap_emit_two(p, "Div", a, b));
    uint32_t rest = ltap_emit_two(p, "Mod", a, b); /* has the divisor's sign */
    return ltap_emit_two(p, "Div", ltap_emit_two(p, "Sub", a, rest), b);
}

static void quotient(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    const char *mode = ltap_arg_text(p, "rounding_mode", p->row->op_type);
    uint32_t a = ltap_arg_term(p, "self", dtype).value, b = ltap_arg_term(p, "other", dtype).value;
    if (strcmp(mode, "floor") == 0) {
        ltap_emit_result(p, 0, floor_divide(p, a, b, dtype));
        return;
    }
    uint32_t y = ltap_emit_two(p, "Div", a, b);
    if (strcmp(mode, "trunc") == 0 && is_float(dtype))
        y = truncated(p, y);
    ltap_emit_result(p, 0, y);
}

/* The rest has the divisor's sign (remainder) or the dividend's (fmod). */
static void rest(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    bool dividend = strcmp(p->row->op_type, "fmod") == 0;
    uint32_t a = ltap_arg_term(p, "self", dtype).value, b = ltap_arg_term(p, "other", dtype).value;
    uint32_t inputs[] = {a, b};
    if (is_float(dtype) && !dividend) {
        uint32_t whole = ltap_emit_two(p, "Mul", floor_divide(p, a, b, dtype), b);
        ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", a, whole));
        return;
    }
    ltap_attr attr = LTAP_ATTR_I("fmod", dividend);
    ltap_emit_result(
        p, 0,
        ltap_emit(
            p,
            (ltap_emit_node){
                .op_type = "Mod", .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
            NULL));
}

static void power(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    const ltap_json *arg = ltap_arg_find(p, "exponent");
    bool is_tensor = arg != NULL && arg->kind == LTAP_JSON_OBJECT;
    double exponent = arg != NULL && !is_tensor ? ltap_arg_float(p, "exponent", 1) : 0;
    if (exponent == 2) {
        square(p);
        return;
    }
    if (exponent == 0.5 || exponent == -0.5) {
        uint32_t root = ltap_emit_one(p, "Sqrt", ltap_arg_self(p));
        ltap_emit_result(p, 0, exponent > 0 ? root : ltap_emit_one(p, "Reciprocal", root));
        return;
    }
    ltap_emit_result(p, 0, terms(p, "Pow", "self", "exponent", dtype));
}

/* The type in which two are compared: a tensor's, the wider one's, or that of a floating number. */
static ltap_dtype common_type(ltap_program *p)
{
    const ltap_json *other = ltap_arg_find(p, "other");
    ltap_operand a = ltap_arg_tensor(p, "self"), b = {.rank = 0, .dtype = LTAP_UNDEFINED};
    bool number = other == NULL || ltap_arg_name(other) == NULL || strcmp(other->key, "as_tensor");
    if (!number)
        b = ltap_arg_tensor(p, "other");
    if (number)
        b.dtype = other != NULL && other->kind == LTAP_JSON_DOUBLE ? LTAP_FLOAT32 : a.dtype;
    if (a.dtype == b.dtype || (is_float(a.dtype) && !is_float(b.dtype)))
        return a.dtype;
    if (!is_float(a.dtype) && is_float(b.dtype))
        return b.dtype;
    if (is_float(a.dtype) && (number || (b.rank == 0) != (a.rank == 0)))
        return a.rank > 0 || number ? a.dtype : b.dtype;
    return is_float(a.dtype)
               ? (a.dtype == LTAP_FLOAT64 || b.dtype == LTAP_FLOAT64 ? LTAP_FLOAT64 : LTAP_FLOAT32)
               : LTAP_INT64;
}

static void compare(ltap_program *p)
{
    ltap_emit_result(p, 0, terms(p, p->row->op_type, "self", "other", common_type(p)));
}

static void differs(ltap_program *p)
{
    ltap_emit_result(p, 0,
                     ltap_emit_one(p, "Not", terms(p, "Equal", "self", "other", common_type(p))));
}

/* logical_and and its like on any type; bitwise ones on booleans. */
static void logic(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    const char *op_type = p->row->op_type;
    static const struct {
        const char *logical, *bitwise;
    } rows[] = {{"And", "BitwiseAnd"}, {"Or", "BitwiseOr"}, {"Xor", "BitwiseXor"}};
    for (size_t i = 0; i < 3 && dtype != LTAP_BOOL; i++)
        if (strcmp(rows[i].logical, op_type) == 0)
            op_type = rows[i].bitwise;
    ltap_emit_result(p, 0, terms(p, op_type, "self", "other", dtype));
}

static void invert(ltap_program *p)
{
    ltap_emit_result(p, 0,
                     ltap_emit_one(p, ltap_arg_result_type(p) == LTAP_BOOL ? "Not" : "BitwiseNot",
                                   ltap_arg_self(p)));
}

/* --- Of three. -------------------------------------------------------------------------------- */

static void where(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    ltap_operand condition = ltap_arg_term(p, "condition", LTAP_BOOL);
    uint32_t yes = ltap_arg_term(p, "self", dtype).value;
    ltap_emit_result(
        p, 0, ltap_emit_where(p, condition.value, yes, ltap_arg_term(p, "other", dtype).value));
}

static void masked_fill(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    uint32_t mask = ltap_arg_term(p, "mask", LTAP_BOOL).value;
    uint32_t filling = ltap_arg_term(p, "value", dtype).value;
    ltap_emit_result(p, 0, ltap_emit_where(p, mask, filling, ltap_arg_self(p)));
}

static void lerp(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    uint32_t a = ltap_arg_self(p), b = ltap_arg_term(p, "end", dtype).value;
    uint32_t way = ltap_emit_two(p, "Sub", b, a);
    way = ltap_emit_two(p, "Mul", ltap_arg_term(p, "weight", dtype).value, way);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", a, way));
}

/* self + value * tensor1 (*, /) tensor2 */
static void addc(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    double value = ltap_arg_float(p, "value", 1);
    uint32_t more = terms(p, p->row->op_type, "tensor1", "tensor2", dtype);
    if (value != 1)
        more = ltap_emit_two(p, "Mul", more, ltap_emit_number(p, value, dtype));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", ltap_arg_self(p), more));
}

const ltap_aten_row ltap_aten_math[] = {
    {.name = "abs", .map = ltap_aten_unary, .op_type = "Abs"},
    {.name = "neg", .map = ltap_aten_unary, .op_type = "Neg"},
    {.name = "sign", .map = ltap_aten_unary, .op_type = "Sign"},
    {.name = "sgn", .map = ltap_aten_unary, .op_type = "Sign"},
    {.name = "special_expit", .map = ltap_aten_unary, .op_type = "Sigmoid"},
    {.name = "float_power", .map = power},
    {.name = "exp", .map = ltap_aten_unary, .op_type = "Exp"},
    {.name = "log", .map = ltap_aten_unary, .op_type = "Log"},
    {.name = "log2", .map = scaled_log, .op_type = "2"},
    {.name = "log10", .map = scaled_log, .op_type = "10"},
    {.name = "log1p", .map = log1p_},
    {.name = "expm1", .map = expm1_},
    {.name = "exp2", .map = exp2_},
    {.name = "sqrt", .map = ltap_aten_unary, .op_type = "Sqrt"},
    {.name = "rsqrt", .map = rsqrt},
    {.name = "square", .map = square},
    {.name = "reciprocal", .map = ltap_aten_unary, .op_type = "Reciprocal"},
    {.name = "sin", .map = ltap_aten_unary, .op_type = "Sin"},
    {.name = "cos", .map = ltap_aten_unary, .op_type = "Cos"},
    {.name = "tan", .map = ltap_aten_unary, .op_type = "Tan"},
    {.name = "asin", .map = ltap_aten_unary, .op_type = "Asin"},
    {.name = "acos", .map = ltap_aten_unary, .op_type = "Acos"},
    {.name = "atan", .map = ltap_aten_unary, .op_type = "Atan"},
    {.name = "sinh", .map = ltap_aten_unary, .op_type = "Sinh"},
    {.name = "cosh", .map = ltap_aten_unary, .op_type = "Cosh"},
    {.name = "asinh", .map = ltap_aten_unary, .op_type = "Asinh"},
    {.name = "acosh", .map = ltap_aten_unary, .op_type = "Acosh"},
    {.name = "atanh", .map = ltap_aten_unary, .op_type = "Atanh"},
    {.name = "erf", .map = ltap_aten_unary, .op_type = "Erf"},
    {.name = "erfc", .map = erfc_},
    {.name = "floor", .map = rounding, .op_type = "Floor"},
    {.name = "ceil", .map = rounding, .op_type = "Ceil"},
    {.name = "round.default", .map = rounding, .op_type = "Round"},
    {.name = "trunc", .map = trunc_},
    {.name = "fix", .map = trunc_},
    {.name = "isnan", .map = question, .op_type = "IsNaN"},
    {.name = "frac", .map = frac},
    {.name = "isfinite", .map = is_finite},
    {.name = "isinf", .map = question, .op_type = "IsInf"},
    {.name = "dropout", .map = dropout, .flags = LTAP_ATEN_SAME},
    {.name = "dropout2d", .map = dropout, .flags = LTAP_ATEN_SAME},
    {.name = "feature_dropout", .map = dropout, .flags = LTAP_ATEN_SAME},
    {.name = "alpha_dropout", .map = dropout, .flags = LTAP_ATEN_SAME},
    {.name = "feature_alpha_dropout", .map = dropout, .flags = LTAP_ATEN_SAME},
    {.name = "native_dropout", .map = dropout},
    {.name = "alias", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "detach", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "lift_fresh", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "contiguous", .map = identity, .flags = LTAP_ATEN_DENSE},
    {.name = "to", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "type_as", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "clone", .map = identity},
    {.name = "lift_fresh_copy", .map = identity},
    {.name = "detach_copy", .map = identity},
    {.name = "alias_copy", .map = identity},
    {.name = "_to_copy", .map = identity},
    {.name = "positive", .map = identity, .flags = LTAP_ATEN_SAME},
    {.name = "add", .map = sum, .op_type = "Add"},
    {.name = "sub", .map = sum, .op_type = "Sub"},
    {.name = "subtract", .map = sum, .op_type = "Sub"},
    {.name = "rsub", .map = sum, .op_type = "rsub"},
    {.name = "mul", .map = product},
    {.name = "multiply", .map = product},
    {.name = "div", .map = quotient, .op_type = "none"},
    {.name = "divide", .map = quotient, .op_type = "none"},
    {.name = "true_divide", .map = quotient, .op_type = "none"},
    {.name = "floor_divide", .map = quotient, .op_type = "floor"},
    {.name = "remainder", .map = rest, .op_type = "remainder"},
    {.name = "fmod", .map = rest, .op_type = "fmod"},
    {.name = "pow", .map = power},
    {.name = "maximum", .map = binary, .op_type = "Max"},
    {.name = "minimum", .map = binary, .op_type = "Min"},
    {.name = "max.other", .map = binary, .op_type = "Max"},
    {.name = "min.other", .map = binary, .op_type = "Min"},
    {.name = "eq", .map = compare, .op_type = "Equal"},
    {.name = "ne", .map = differs},
    {.name = "lt", .map = compare, .op_type = "Less"},
    {.name = "le", .map = compare, .op_type = "LessOrEqual"},
    {.name = "gt", .map = compare, .op_type = "Greater"},
    {.name = "ge", .map = compare, .op_type = "GreaterOrEqual"},
    {.name = "logical_and", .map = logic, .op_type = "And"},
    {.name = "logical_or", .map = logic, .op_type = "Or"},
    {.name = "logical_xor", .map = logic, .op_type = "Xor"},
    {.name = "logical_not", .map = ltap_aten_unary, .op_type = "Not"},
    {.name = "bitwise_and", .map = logic, .op_type = "And"},
    {.name = "bitwise_or", .map = logic, .op_type = "Or"},
    {.name = "bitwise_xor", .map = logic, .op_type = "Xor"},
    {.name = "__xor__", .map = logic, .op_type = "Xor"},
    {.name = "__and__", .map = logic, .op_type = "And"},
    {.name = "__or__", .map = logic, .op_type = "Or"},
    {.name = "bitwise_not", .map = invert},
    {.name = "where.self", .map = where},
    {.name = "where.Scalar", .map = where},
    {.name = "where.ScalarSelf", .map = where},
    {.name = "where.ScalarOther", .map = where},
    {.name = "masked_fill", .map = masked_fill},
    {.name = "lerp", .map = lerp},
    {.name = "addcmul", .map = addc, .op_type = "Mul"},
    {.name = "addcdiv", .map = addc, .op_type = "Div"},
    {0},
};
