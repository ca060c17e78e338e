/* Activation functions, and limits. */
#include "formats/export/aten.h"

#include <string.h>

void ltap_aten_unary(ltap_program *p)
{
    ltap_emit_result(p, 0, ltap_emit_one(p, p->row->op_type, ltap_arg_self(p)));
}

static uint32_t clip(ltap_program *p, uint32_t x, uint32_t low, uint32_t high)
{
    uint32_t inputs[] = {x, low, high};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Clip", .inputs = inputs, .n_inputs = 3}, NULL);
}

static void clip_between(ltap_program *p, double low, double high)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    ltap_emit_result(p, 0,
                     clip(p, ltap_arg_self(p), ltap_emit_number(p, low, dtype),
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
    ltap_dtype dtype = ltap_arg_result_type(p);
    uint32_t x = ltap_arg_self(p), numbers[2] = {LTAP_NO_VALUE, LTAP_NO_VALUE};
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
    uint32_t x = ltap_arg_self(p);
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
    uint32_t x = ltap_arg_self(p);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", x, ltap_emit_one(p, "Sigmoid", x)));
}

static void gelu(ltap_program *p)
{
    bool rough = strcmp(ltap_arg_text(p, "approximate", "none"), "tanh") == 0;
    ltap_emit_result(
        p, 0,
        rough ? ltap_emit_with(p, "Gelu", ltap_arg_self(p), LTAP_ATTR_S("approximate", "tanh"))
              : ltap_emit_one(p, "Gelu", ltap_arg_self(p)));
}

static void leaky_relu(ltap_program *p)
{
    double slope = ltap_arg_float(p, "negative_slope", 0.01);
    ltap_emit_result(p, 0,
                     ltap_emit_with(p, "LeakyRelu", ltap_arg_self(p), LTAP_ATTR_F("alpha", slope)));
}

/* At inference the slope is the middle of its range. */
static void rrelu(ltap_program *p)
{
    double low = ltap_arg_float(p, "lower", 0.125), high = ltap_arg_float(p, "upper", 1.0 / 3);
    if (ltap_arg_bool(p, "training", false))
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    ltap_emit_result(
        p, 0,
        ltap_emit_with(p, "LeakyRelu", ltap_arg_self(p), LTAP_ATTR_F("alpha", (low + high) / 2)));
}

static void elu(ltap_program *p)
{
    double scale = ltap_arg_float(p, "scale", 1), alpha = ltap_arg_float(p, "alpha", 1);
    double inner = ltap_arg_float(p, "input_scale", 1);
    uint32_t x = ltap_arg_self(p);
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
    ltap_emit_result(p, 0,
                     ltap_emit_with(p, "Celu", ltap_arg_self(p), LTAP_ATTR_F("alpha", alpha)));
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
    ltap_dtype dtype = ltap_arg_result_type(p);
    uint32_t x = ltap_arg_self(p);
    if (beta != 1)
        x = ltap_emit_two(p, "Mul", x, ltap_emit_number(p, beta, dtype));
    x = ltap_emit_one(p, "Softplus", x);
    if (beta != 1)
        x = ltap_emit_two(p, "Div", x, ltap_emit_number(p, beta, dtype));
    ltap_emit_result(p, 0, x);
}

static void log_sigmoid(ltap_program *p)
{
    uint32_t x = ltap_emit_one(p, "Neg", ltap_arg_self(p));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Neg", ltap_emit_one(p, "Softplus", x)));
}

static void shrink(ltap_program *p)
{
    double limit = ltap_arg_float(p, "lambd", 0.5);
    bool soft = p->row->op_type[0] == 's';
    ltap_attr attrs[] = {LTAP_ATTR_F("lambd", limit), LTAP_ATTR_F("bias", soft ? limit : 0)};
    uint32_t x = ltap_arg_self(p);
    ltap_emit_result(
        p, 0,
        ltap_emit(
            p,
            (ltap_emit_node){
                .op_type = "Shrink", .inputs = &x, .n_inputs = 1, .attrs = attrs, .n_attrs = 2},
            NULL));
}

static void threshold(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result_type(p);
    uint32_t x = ltap_arg_self(p);
    uint32_t above = ltap_emit_two(p, "Greater", x,
                                   ltap_emit_number(p, ltap_arg_float(p, "threshold", 0), dtype));
    ltap_emit_result(
        p, 0,
        ltap_emit_where(p, above, x, ltap_emit_number(p, ltap_arg_float(p, "value", 0), dtype)));
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
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "Mul", halves[0], ltap_emit_one(p, "Sigmoid", halves[1])));
}

const ltap_aten_row ltap_aten_activations[] = {
    {.name = "relu", .map = ltap_aten_unary, .op_type = "Relu"},
    {.name = "relu6", .map = relu6},
    {.name = "hardtanh", .map = hardtanh},
    {.name = "hardswish", .map = ltap_aten_unary, .op_type = "HardSwish"},
    {.name = "hardsigmoid", .map = hardsigmoid},
    {.name = "silu", .map = silu},
    {.name = "mish", .map = ltap_aten_unary, .op_type = "Mish"},
    {.name = "gelu", .map = gelu},
    {.name = "leaky_relu", .map = leaky_relu},
    {.name = "rrelu", .map = rrelu},
    {.name = "rrelu_with_noise", .map = rrelu},
    {.name = "rrelu_with_noise_functional", .map = rrelu},
    {.name = "elu", .map = elu},
    {.name = "selu", .map = ltap_aten_unary, .op_type = "Selu"},
    {.name = "celu", .map = celu},
    {.name = "prelu", .map = prelu},
    {.name = "_prelu_kernel", .map = prelu},
    {.name = "sigmoid", .map = ltap_aten_unary, .op_type = "Sigmoid"},
    {.name = "tanh", .map = ltap_aten_unary, .op_type = "Tanh"},
    {.name = "softplus", .map = softplus},
    {.name = "log_sigmoid", .map = log_sigmoid},
    {.name = "log_sigmoid_forward", .map = log_sigmoid},
    {.name = "softshrink", .map = shrink, .op_type = "soft"},
    {.name = "hardshrink", .map = shrink, .op_type = "hard"},
    {.name = "threshold", .map = threshold},
    {.name = "glu", .map = glu},
    {.name = "clamp", .map = clamp},
    {.name = "clip", .map = clamp},
    {.name = "clamp_min", .map = clamp},
    {.name = "clamp_max", .map = clamp},
    {0},
};
