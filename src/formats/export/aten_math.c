/* Element by element: arithmetic, comparisons, activations. */
#include "formats/export/aten.h"

#include <math.h>
#include <string.h>

static ltap_dtype result_type(ltap_program *p)
{
    return ltap_arg_result(p, 0)->dtype;
}

static bool is_float(ltap_dtype dtype)
{
    return dtype == LTAP_FLOAT32 || dtype == LTAP_FLOAT64 || dtype == LTAP_FLOAT16 ||
           dtype == LTAP_BFLOAT16;
}

/* --- Of one tensor. --------------------------------------------------------------------------- */

/* The input, in the type of the result. */
static uint32_t input(ltap_program *p)
{
    return ltap_arg_term(p, "self", result_type(p)).value;
}

static void unary(ltap_program *p)
{
    ltap_emit_result(p, 0, ltap_emit_one(p, p->row->op_type, input(p)));
}

/* Integers are their own floor. */
static void rounding(ltap_program *p)
{
    uint32_t x = input(p);
    ltap_emit_result(p, 0,
                     is_float(result_type(p)) ? ltap_emit_one(p, p->row->op_type, x) : x);
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
    ltap_emit_result(p, 0, ltap_emit_cast(p, x.value, x.dtype, result_type(p)));
}

static void dropout(ltap_program *p)
{
    if (ltap_arg_bool(p, "train", false) && ltap_arg_float(p, "p", 0.5) != 0)
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    identity(p);
}

static uint32_t clip(ltap_program *p, uint32_t x, uint32_t low, uint32_t high)
{
    uint32_t inputs[] = {x, low, high};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Clip", .inputs = inputs, .n_inputs = 3}, NULL);
}

static void clip_between(ltap_program *p, double low, double high)
{
    ltap_dtype dtype = result_type(p);
    ltap_emit_result(p, 0, clip(p, input(p), ltap_emit_number(p, low, dtype),
                                ltap_emit_number(p, high, dtype)));
}

static void relu6(ltap_program *p)
{
    clip_between(p, 0, 6);
}

static void hardtanh(ltap_program *p)
{
    clip_between(p, ltap_arg_float(p, "min_val", -1), ltap_arg_float(p, "max_val", 1));
}

/* Limits that are tensors go element by element. */
static void clamp(ltap_program *p)
{
    static const struct {
        const char *name, *op_type;
    } limits[] = {{"min", "Max"}, {"max", "Min"}};
    ltap_dtype dtype = result_type(p);
    uint32_t x = input(p), numbers[2] = {LTAP_NO_VALUE, LTAP_NO_VALUE};
    for (int i = 0; i < 2; i++) {
        if (ltap_arg_find(p, limits[i].name) == NULL)
            continue;
        ltap_operand limit = ltap_arg_term(p, limits[i].name, dtype);
        if (limit.rank == 0)
            numbers[i] = limit.value;
        else
            x = ltap_emit_two(p, limits[i].op_type, x, limit.value);
    }
    if (numbers[0] != LTAP_NO_VALUE || numbers[1] != LTAP_NO_VALUE)
        x = clip(p, x, numbers[0], numbers[1]);
    ltap_emit_result(p, 0, x);
}

static void hardsigmoid(ltap_program *p)
{
    ltap_attr attrs[] = {LTAP_ATTR_F("alpha", 1.0 / 6), LTAP_ATTR_F("beta", 0.5)};
    uint32_t x = input(p);
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "HardSigmoid",
                                                .inputs = &x,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = 2},
                               NULL));
}

static void silu(ltap_program *p)
{
    uint32_t x = input(p);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", x, ltap_emit_one(p, "Sigmoid", x)));
}

static void gelu(ltap_program *p)
{
    bool rough = strcmp(ltap_arg_text(p, "approximate", "none"), "tanh") == 0;
    ltap_emit_result(p, 0,
                     rough ? ltap_emit_with(p, "Gelu", input(p), LTAP_ATTR_S("approximate", "tanh"))
                           : ltap_emit_one(p, "Gelu", input(p)));
}

static void leaky_relu(ltap_program *p)
{
    double slope = ltap_arg_float(p, "negative_slope", 0.01);
    ltap_emit_result(p, 0, ltap_emit_with(p, "LeakyRelu", input(p), LTAP_ATTR_F("alpha", slope)));
}

/* At inference the slope is the middle of its range. */
static void rrelu(ltap_program *p)
{
    double low = ltap_arg_float(p, "lower", 0.125), high = ltap_arg_float(p, "upper", 1.0 / 3);
    if (ltap_arg_bool(p, "training", false))
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    ltap_emit_result(
        p, 0, ltap_emit_with(p, "LeakyRelu", input(p), LTAP_ATTR_F("alpha", (low + high) / 2)));
}

static void elu(ltap_program *p)
{
    double scale = ltap_arg_float(p, "scale", 1), alpha = ltap_arg_float(p, "alpha", 1);
    double inner = ltap_arg_float(p, "input_scale", 1);
    uint32_t x = input(p);
    if (inner != 1) {
        ltap_program_refuse(p, "with an input_scale of %g", inner);
        return;
    }
    ltap_attr attrs[] = {LTAP_ATTR_F("alpha", alpha), LTAP_ATTR_F("gamma", scale)};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = scale == 1 ? "Elu" : "Selu",
                                                .inputs = &x,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = scale == 1 ? 1 : 2},
                               NULL));
}

static void celu(ltap_program *p)
{
    double alpha = ltap_arg_float(p, "alpha", 1);
    ltap_emit_result(p, 0, ltap_emit_with(p, "Celu", input(p), LTAP_ATTR_F("alpha", alpha)));
}

static void prelu(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), weight = ltap_arg_tensor(p, "weight");
    int64_t dims[LTAP_MAX_RANK] = {-1};
    uint32_t slope = weight.value;
    if (weight.rank == 1 && x.rank > 2) {
        for (int i = 1; i < x.rank - 1; i++)
            dims[i] = 1;
        slope = ltap_emit_reshape_to(p, slope, dims, (size_t)x.rank - 1);
    }
    ltap_emit_result(p, 0, ltap_emit_two(p, "PRelu", x.value, slope));
}

static void softplus(ltap_program *p)
{
    double beta = ltap_arg_float(p, "beta", 1);
    ltap_dtype dtype = result_type(p);
    uint32_t x = input(p);
    if (beta != 1)
        x = ltap_emit_two(p, "Mul", x, ltap_emit_number(p, beta, dtype));
    x = ltap_emit_one(p, "Softplus", x);
    if (beta != 1)
        x = ltap_emit_two(p, "Div", x, ltap_emit_number(p, beta, dtype));
    ltap_emit_result(p, 0, x);
}

static void log_sigmoid(ltap_program *p)
{
    uint32_t x = ltap_emit_one(p, "Neg", input(p));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Neg", ltap_emit_one(p, "Softplus", x)));
}

static void shrink(ltap_program *p)
{
    double limit = ltap_arg_float(p, "lambd", 0.5);
    bool soft = p->row->op_type[0] == 's';
    ltap_attr attrs[] = {LTAP_ATTR_F("lambd", limit), LTAP_ATTR_F("bias", soft ? limit : 0)};
    uint32_t x = input(p);
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "Shrink",
                                                .inputs = &x,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = 2},
                               NULL));
}

static uint32_t choose(ltap_program *p, uint32_t condition, uint32_t yes, uint32_t no)
{
    uint32_t inputs[] = {condition, yes, no};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Where", .inputs = inputs, .n_inputs = 3},
                     NULL);
}

static void threshold(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    uint32_t x = input(p);
    uint32_t above = ltap_emit_two(
        p, "Greater", x, ltap_emit_number(p, ltap_arg_float(p, "threshold", 0), dtype));
    ltap_emit_result(
        p, 0,
        choose(p, above, x, ltap_emit_number(p, ltap_arg_float(p, "value", 0), dtype)));
}

static void glu(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int axis = ltap_arg_axis(p, "dim", -1, x.rank);
    uint32_t halves[2];
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis), LTAP_ATTR_I("num_outputs", 2)};
    ltap_emit(p,
              (ltap_emit_node){.op_type = "Split",
                               .inputs = &x.value,
                               .n_inputs = 1,
                               .attrs = attrs,
                               .n_attrs = 2,
                               .n_outputs = 2},
              halves);
    ltap_emit_result(
        p, 0, ltap_emit_two(p, "Mul", halves[0], ltap_emit_one(p, "Sigmoid", halves[1])));
}

static void rsqrt(ltap_program *p)
{
    ltap_emit_result(p, 0,
                     ltap_emit_one(p, "Reciprocal", ltap_emit_one(p, "Sqrt", input(p))));
}

static void square(ltap_program *p)
{
    uint32_t x = input(p);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", x, x));
}

/* log2, log10, log1p, expm1, exp2: through log and exp. */
static void scaled_log(ltap_program *p)
{
    double base = p->row->op_type[0] == '2' ? M_LN2 : M_LN10;
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "Div", ltap_emit_one(p, "Log", input(p)),
                                   ltap_emit_number(p, base, result_type(p))));
}

static void log1p_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, result_type(p));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Log", ltap_emit_two(p, "Add", input(p), one)));
}

static void expm1_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, result_type(p));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", ltap_emit_one(p, "Exp", input(p)), one));
}

static void exp2_(ltap_program *p)
{
    ltap_emit_result(
        p, 0, ltap_emit_two(p, "Pow", ltap_emit_number(p, 2, result_type(p)), input(p)));
}

static void erfc_(ltap_program *p)
{
    uint32_t one = ltap_emit_number(p, 1, result_type(p));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", one, ltap_emit_one(p, "Erf", input(p))));
}

static void trunc_(ltap_program *p)
{
    uint32_t x = input(p);
    uint32_t size = ltap_emit_one(p, "Floor", ltap_emit_one(p, "Abs", x));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sign", x), size));
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
    ltap_emit_result(p, 0, terms(p, p->row->op_type, "self", "other", result_type(p)));
}

/* a + alpha * b, and the like. */
static void sum(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
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
    ltap_dtype dtype = result_type(p);
    ltap_emit_result(p, 0,
                     terms(p, dtype == LTAP_BOOL ? "And" : "Mul", "self", "other", dtype));
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
    ltap_dtype dtype = result_type(p);
    const char *mode = ltap_arg_text(p, "rounding_mode", p->row->op_type);
    uint32_t a = ltap_arg_term(p, "self", dtype).value, b = ltap_arg_term(p, "other", dtype).value;
    if (strcmp(mode, "floor") == 0) {
        ltap_emit_result(p, 0, floor_divide(p, a, b, dtype));
        return;
    }
    uint32_t y = ltap_emit_two(p, "Div", a, b);
    if (strcmp(mode, "trunc") == 0 && is_float(dtype))
        y = ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sign", y),
                          ltap_emit_one(p, "Floor", ltap_emit_one(p, "Abs", y)));
    ltap_emit_result(p, 0, y);
}

/* The rest has the divisor's sign (remainder) or the dividend's (fmod). */
static void rest(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    bool dividend = strcmp(p->row->op_type, "fmod") == 0;
    uint32_t a = ltap_arg_term(p, "self", dtype).value, b = ltap_arg_term(p, "other", dtype).value;
    uint32_t inputs[] = {a, b};
    if (is_float(dtype) && !dividend) {
        uint32_t whole = ltap_emit_two(p, "Mul", floor_divide(p, a, b, dtype), b);
        ltap_emit_result(p, 0, ltap_emit_two(p, "Sub", a, whole));
        return;
    }
    ltap_attr attr = LTAP_ATTR_I("fmod", dividend);
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "Mod",
                                                .inputs = inputs,
                                                .n_inputs = 2,
                                                .attrs = &attr,
                                                .n_attrs = 1},
                               NULL));
}

static void power(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    const ltap_json *arg = ltap_arg_find(p, "exponent");
    bool is_tensor = arg != NULL && arg->kind == LTAP_JSON_OBJECT;
    double exponent = arg != NULL && !is_tensor ? ltap_arg_float(p, "exponent", 1) : 0;
    if (exponent == 2) {
        square(p);
        return;
    }
    if (exponent == 0.5 || exponent == -0.5) {
        uint32_t root = ltap_emit_one(p, "Sqrt", input(p));
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
    return is_float(a.dtype) ? (a.dtype == LTAP_FLOAT64 || b.dtype == LTAP_FLOAT64 ? LTAP_FLOAT64
                                                                                  : LTAP_FLOAT32)
                             : LTAP_INT64;
}

static void compare(ltap_program *p)
{
    ltap_emit_result(p, 0, terms(p, p->row->op_type, "self", "other", common_type(p)));
}

static void differs(ltap_program *p)
{
    ltap_emit_result(
        p, 0, ltap_emit_one(p, "Not", terms(p, "Equal", "self", "other", common_type(p))));
}

/* logical_and and its like on any type; bitwise ones on booleans. */
static void logic(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
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
                     ltap_emit_one(p, result_type(p) == LTAP_BOOL ? "Not" : "BitwiseNot",
                                   input(p)));
}

/* --- Of three. -------------------------------------------------------------------------------- */

static void where(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    ltap_operand condition = ltap_arg_term(p, "condition", LTAP_BOOL);
    uint32_t yes = ltap_arg_term(p, "self", dtype).value;
    ltap_emit_result(p, 0, choose(p, condition.value, yes, ltap_arg_term(p, "other", dtype).value));
}

static void masked_fill(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    uint32_t mask = ltap_arg_term(p, "mask", LTAP_BOOL).value;
    uint32_t filling = ltap_arg_term(p, "value", dtype).value;
    ltap_emit_result(p, 0, choose(p, mask, filling, input(p)));
}

static void lerp(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    uint32_t a = input(p), b = ltap_arg_term(p, "end", dtype).value;
    uint32_t way = ltap_emit_two(p, "Sub", b, a);
    way = ltap_emit_two(p, "Mul", ltap_arg_term(p, "weight", dtype).value, way);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", a, way));
}

/* self + value * tensor1 (*, /) tensor2 */
static void addc(ltap_program *p)
{
    ltap_dtype dtype = result_type(p);
    double value = ltap_arg_float(p, "value", 1);
    uint32_t more = terms(p, p->row->op_type, "tensor1", "tensor2", dtype);
    if (value != 1)
        more = ltap_emit_two(p, "Mul", more, ltap_emit_number(p, value, dtype));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", input(p), more));
}

const ltap_aten_row ltap_aten_math[] = {
    {.name = "relu", .map = unary, .op_type = "Relu"},
    {.name = "relu6", .map = relu6},
    {.name = "hardtanh", .map = hardtanh},
    {.name = "hardswish", .map = unary, .op_type = "HardSwish"},
    {.name = "hardsigmoid", .map = hardsigmoid},
    {.name = "silu", .map = silu},
    {.name = "mish", .map = unary, .op_type = "Mish"},
    {.name = "gelu", .map = gelu},
    {.name = "leaky_relu", .map = leaky_relu},
    {.name = "rrelu", .map = rrelu},
    {.name = "elu", .map = elu},
    {.name = "selu", .map = unary, .op_type = "Selu"},
    {.name = "celu", .map = celu},
    {.name = "prelu", .map = prelu},
    {.name = "_prelu_kernel", .map = prelu},
    {.name = "sigmoid", .map = unary, .op_type = "Sigmoid"},
    {.name = "tanh", .map = unary, .op_type = "Tanh"},
    {.name = "softplus", .map = softplus},
    {.name = "log_sigmoid", .map = log_sigmoid},
    {.name = "log_sigmoid_forward", .map = log_sigmoid},
    {.name = "softshrink", .map = shrink, .op_type = "soft"},
    {.name = "hardshrink", .map = shrink, .op_type = "hard"},
    {.name = "threshold", .map = threshold},
    {.name = "glu", .map = glu},
    {.name = "abs", .map = unary, .op_type = "Abs"},
    {.name = "neg", .map = unary, .op_type = "Neg"},
    {.name = "sign", .map = unary, .op_type = "Sign"},
    {.name = "exp", .map = unary, .op_type = "Exp"},
    {.name = "log", .map = unary, .op_type = "Log"},
    {.name = "log2", .map = scaled_log, .op_type = "2"},
    {.name = "log10", .map = scaled_log, .op_type = "10"},
    {.name = "log1p", .map = log1p_},
    {.name = "expm1", .map = expm1_},
    {.name = "exp2", .map = exp2_},
    {.name = "sqrt", .map = unary, .op_type = "Sqrt"},
    {.name = "rsqrt", .map = rsqrt},
    {.name = "square", .map = square},
    {.name = "reciprocal", .map = unary, .op_type = "Reciprocal"},
    {.name = "sin", .map = unary, .op_type = "Sin"},
    {.name = "cos", .map = unary, .op_type = "Cos"},
    {.name = "tan", .map = unary, .op_type = "Tan"},
    {.name = "asin", .map = unary, .op_type = "Asin"},
    {.name = "acos", .map = unary, .op_type = "Acos"},
    {.name = "atan", .map = unary, .op_type = "Atan"},
    {.name = "sinh", .map = unary, .op_type = "Sinh"},
    {.name = "cosh", .map = unary, .op_type = "Cosh"},
    {.name = "asinh", .map = unary, .op_type = "Asinh"},
    {.name = "acosh", .map = unary, .op_type = "Acosh"},
    {.name = "atanh", .map = unary, .op_type = "Atanh"},
    {.name = "erf", .map = unary, .op_type = "Erf"},
    {.name = "erfc", .map = erfc_},
    {.name = "floor", .map = rounding, .op_type = "Floor"},
    {.name = "ceil", .map = rounding, .op_type = "Ceil"},
    {.name = "round.default", .map = rounding, .op_type = "Round"},
    {.name = "trunc", .map = trunc_},
    {.name = "fix", .map = trunc_},
    {.name = "isnan", .map = question, .op_type = "IsNaN"},
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
    {.name = "clamp", .map = clamp},
    {.name = "clip", .map = clamp},
    {.name = "clamp_min", .map = clamp},
    {.name = "clamp_max", .map = clamp},
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
    {.name = "logical_not", .map = unary, .op_type = "Not"},
    {.name = "bitwise_and", .map = logic, .op_type = "And"},
    {.name = "bitwise_or", .map = logic, .op_type = "Or"},
    {.name = "bitwise_xor", .map = logic, .op_type = "Xor"},
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
