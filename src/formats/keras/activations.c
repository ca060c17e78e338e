/* Activations: functions by name with their arguments, and the layers that are activations. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* --- Functions. --------------------------------------------------------------------------------
 */

/* What a function is called with: a layer's configuration, or nothing. */
typedef struct given {
    ltap_keras_call *c;
    const ltap_json *arguments; /* NULL: defaults */
} given;

static double number(const given *g, const char *key, double otherwise)
{
    double found;
    return ltap_keras_is_number(ltap_json_find(g->arguments, key), &found) ? found : otherwise;
}

static int last_axis(const given *g, const ltap_keras_tensor *x)
{
    int64_t axis = (int64_t)number(g, "axis", -1);
    return x->rank < 0 ? (int)axis : ltap_keras_axis(g->c->b, axis, x->rank);
}

static ltap_keras_tensor with_alpha(const given *g, const char *op, ltap_keras_tensor x,
                                    double alpha)
{
    const ltap_attr attr = LTAP_ATTR_F("alpha", alpha);
    return ltap_keras_unary_attr(g->c->b, op, x, attr);
}

static ltap_keras_tensor clip(const given *g, ltap_keras_tensor x, double low, double high)
{
    uint32_t inputs[3] = {x.value, ltap_keras_scalar(g->c->b, low).value,
                          ltap_keras_scalar(g->c->b, high).value};
    return ltap_keras_with(
        x,
        ltap_keras_add(g->c->b, (ltap_keras_node){.op = "Clip", .inputs = inputs, .n_inputs = 3}));
}

/* max where x >= max, x where x > threshold, slope * (x - threshold) below. */
static ltap_keras_tensor general_relu(const given *g, ltap_keras_tensor x, double slope,
                                      const double *max, double threshold)
{
    ltap_keras_builder *b = g->c->b;
    if (threshold == 0 && slope == 0)
        return max != NULL ? clip(g, x, 0, *max) : ltap_keras_unary(b, "Relu", x);
    if (threshold == 0) {
        x = with_alpha(g, "LeakyRelu", x, slope);
    } else {
        ltap_keras_tensor above = ltap_keras_binary_scalar(b, "Greater", x, threshold);
        ltap_keras_tensor below = ltap_keras_binary_scalar(b, "Sub", x, threshold);
        x = ltap_keras_choose(g->c->b, above, x, ltap_keras_binary_scalar(b, "Mul", below, slope));
    }
    return max != NULL ? ltap_keras_binary_scalar(b, "Min", x, *max) : x;
}

static ltap_keras_tensor f_relu(const given *g, ltap_keras_tensor x)
{
    double max, slope = number(g, "negative_slope", number(g, "alpha", 0));
    bool limited = ltap_keras_is_number(ltap_json_find(g->arguments, "max_value"), &max);
    return general_relu(g, x, slope, limited ? &max : NULL, number(g, "threshold", 0));
}

static ltap_keras_tensor f_relu6(const given *g, ltap_keras_tensor x)
{
    return clip(g, x, 0, 6);
}

static ltap_keras_tensor f_leaky_relu(const given *g, ltap_keras_tensor x)
{
    return with_alpha(g, "LeakyRelu", x, number(g, "negative_slope", number(g, "alpha", 0.2)));
}

static ltap_keras_tensor f_elu(const given *g, ltap_keras_tensor x)
{
    return with_alpha(g, "Elu", x, number(g, "alpha", 1));
}

static ltap_keras_tensor f_celu(const given *g, ltap_keras_tensor x)
{
    return with_alpha(g, "Celu", x, number(g, "alpha", 1));
}

static ltap_keras_tensor f_softmax(const given *g, ltap_keras_tensor x)
{
    return ltap_keras_softmax(g->c->b, x, last_axis(g, &x));
}

static ltap_keras_tensor f_log_softmax(const given *g, ltap_keras_tensor x)
{
    const ltap_attr attr = LTAP_ATTR_I("axis", last_axis(g, &x));
    return ltap_keras_unary_attr(g->c->b, "LogSoftmax", x, attr);
}

static ltap_keras_tensor f_silu(const given *g, ltap_keras_tensor x)
{
    return ltap_keras_binary(g->c->b, "Mul", x, ltap_keras_unary(g->c->b, "Sigmoid", x));
}

static ltap_keras_tensor f_gelu(const given *g, ltap_keras_tensor x)
{
    const ltap_json *json = ltap_json_find(g->arguments, "approximate");
    bool approximate = json != NULL && json->kind == LTAP_JSON_BOOL && json->boolean;
    const ltap_attr attr = LTAP_ATTR_S("approximate", approximate ? "tanh" : "none");
    return ltap_keras_unary_attr(g->c->b, "Gelu", x, attr);
}

/* Keras 2 has another slope than Keras 3. */
static ltap_keras_tensor f_hard_sigmoid(const given *g, ltap_keras_tensor x)
{
    double alpha = g->c->r->weights.is_keras_2 ? 0.2 : 1.0 / 6.0;
    const ltap_attr attrs[] = {LTAP_ATTR_F("alpha", alpha), LTAP_ATTR_F("beta", 0.5)};
    return ltap_keras_with(x, ltap_keras_add(g->c->b, (ltap_keras_node){.op = "HardSigmoid",
                                                                        .inputs = &x.value,
                                                                        .n_inputs = 1,
                                                                        .attrs = attrs,
                                                                        .n_attrs = 2}));
}

static ltap_keras_tensor f_hard_tanh(const given *g, ltap_keras_tensor x)
{
    return clip(g, x, -1, 1);
}

static ltap_keras_tensor shrink(const given *g, ltap_keras_tensor x, double bias)
{
    const ltap_attr attrs[] = {LTAP_ATTR_F("lambd", number(g, "threshold", 0.5)),
                               LTAP_ATTR_F("bias", bias)};
    return ltap_keras_with(x, ltap_keras_add(g->c->b, (ltap_keras_node){.op = "Shrink",
                                                                        .inputs = &x.value,
                                                                        .n_inputs = 1,
                                                                        .attrs = attrs,
                                                                        .n_attrs = 2}));
}

static ltap_keras_tensor f_hard_shrink(const given *g, ltap_keras_tensor x)
{
    return shrink(g, x, 0);
}

static ltap_keras_tensor f_soft_shrink(const given *g, ltap_keras_tensor x)
{
    return shrink(g, x, number(g, "threshold", 0.5));
}

static ltap_keras_tensor f_tanh_shrink(const given *g, ltap_keras_tensor x)
{
    return ltap_keras_binary(g->c->b, "Sub", x, ltap_keras_unary(g->c->b, "Tanh", x));
}

static ltap_keras_tensor f_threshold(const given *g, ltap_keras_tensor x)
{
    ltap_keras_tensor above =
        ltap_keras_binary_scalar(g->c->b, "Greater", x, number(g, "threshold", 0));
    return ltap_keras_choose(g->c->b, above, x,
                             ltap_keras_scalar(g->c->b, number(g, "default_value", 0)));
}

static ltap_keras_tensor f_log_sigmoid(const given *g, ltap_keras_tensor x)
{
    x = ltap_keras_unary(g->c->b, "Softplus", ltap_keras_unary(g->c->b, "Neg", x));
    return ltap_keras_unary(g->c->b, "Neg", x);
}

static ltap_keras_tensor f_squareplus(const given *g, ltap_keras_tensor x)
{
    ltap_keras_builder *b = g->c->b;
    ltap_keras_tensor root = ltap_keras_binary(b, "Mul", x, x);
    root = ltap_keras_binary_scalar(b, "Add", root, number(g, "b", 4));
    root = ltap_keras_unary(b, "Sqrt", root);
    return ltap_keras_binary_scalar(b, "Mul", ltap_keras_binary(b, "Add", x, root), 0.5);
}

/* 0 below -1, x above 1, (x + 1)^2 / 4 between. */
static ltap_keras_tensor f_sparse_plus(const given *g, ltap_keras_tensor x)
{
    ltap_keras_builder *b = g->c->b;
    ltap_keras_tensor y = ltap_keras_binary_scalar(b, "Add", clip(g, x, -1, 1), 1);
    y = ltap_keras_binary_scalar(b, "Mul", ltap_keras_binary(b, "Mul", y, y), 0.25);
    return ltap_keras_choose(g->c->b, ltap_keras_binary_scalar(b, "Less", x, 1), y, x);
}

static ltap_keras_tensor f_sparse_sigmoid(const given *g, ltap_keras_tensor x)
{
    x = ltap_keras_binary_scalar(g->c->b, "Mul", clip(g, x, -1, 1), 0.5);
    return ltap_keras_binary_scalar(g->c->b, "Add", x, 0.5);
}

static ltap_keras_tensor f_glu(const given *g, ltap_keras_tensor x)
{
    int axis = last_axis(g, &x);
    if (x.rank < 0 || x.dims[axis] < 0 || x.dims[axis] % 2 != 0) {
        ltap_keras_wrong(g->c->b, LTAP_ERROR_UNSUPPORTED, "glu of an axis that is not even");
        return x;
    }
    int64_t half = x.dims[axis] / 2;
    ltap_keras_tensor gate = ltap_keras_slice(g->c->b, x, axis, half, INT64_MAX, 1);
    x = ltap_keras_slice(g->c->b, x, axis, 0, half, 1);
    return ltap_keras_binary(g->c->b, "Mul", x, ltap_keras_unary(g->c->b, "Sigmoid", gate));
}

/* What an operator of ONNX says alone, and what takes more. */
static const struct {
    const char *name, *op; /* op: NULL where there is a function */
    ltap_keras_tensor (*run)(const given *g, ltap_keras_tensor x);
} functions[] = {
    {"celu", NULL, f_celu},
    {"elu", NULL, f_elu},
    {"exponential", "Exp", NULL},
    {"gelu", NULL, f_gelu},
    {"glu", NULL, f_glu},
    {"hard_shrink", NULL, f_hard_shrink},
    {"hard_sigmoid", NULL, f_hard_sigmoid},
    {"hard_silu", "HardSwish", NULL},
    {"hard_swish", "HardSwish", NULL},
    {"hard_tanh", NULL, f_hard_tanh},
    {"leaky_relu", NULL, f_leaky_relu},
    {"linear", "Identity", NULL},
    {"log_sigmoid", NULL, f_log_sigmoid},
    {"log_softmax", NULL, f_log_softmax},
    {"mish", "Mish", NULL},
    {"relu", NULL, f_relu},
    {"relu6", NULL, f_relu6},
    {"selu", "Selu", NULL},
    {"sigmoid", "Sigmoid", NULL},
    {"silu", NULL, f_silu},
    {"soft_shrink", NULL, f_soft_shrink},
    {"softmax", NULL, f_softmax},
    {"softplus", "Softplus", NULL},
    {"softsign", "Softsign", NULL},
    {"sparse_plus", NULL, f_sparse_plus},
    {"sparse_sigmoid", NULL, f_sparse_sigmoid},
    {"squareplus", NULL, f_squareplus},
    {"swish", NULL, f_silu},
    {"tanh", "Tanh", NULL},
    {"tanh_shrink", NULL, f_tanh_shrink},
    {"threshold", NULL, f_threshold},
};

bool ltap_keras_function(ltap_keras_call *c, const char *name, const ltap_json *arguments,
                         ltap_keras_tensor x, ltap_keras_tensor *y)
{
    const given g = {c, arguments};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (ltap_keras_is(functions[i].name, name)) {
            *y = functions[i].op ? ltap_keras_unary(c->b, functions[i].op, x)
                                 : functions[i].run(&g, x);
            return true;
        }
    return false;
}

/* --- Activations of layers. ---------------------------------------------------------------------
 */

/* "relu" of "relu", of {"class_name": "function", "config": "relu"}, of "Package>relu". */
static const char *function_name(const ltap_json *json)
{
    const char *name = ltap_keras_text_of(json, NULL);
    if (json == NULL || json->kind == LTAP_JSON_NULL)
        return "linear";
    if (name == NULL)
        name = ltap_keras_text_of(ltap_json_find(json, "config"), "");
    const char *last = strrchr(name, '>');
    return last != NULL ? last + 1 : name;
}

bool ltap_keras_is_linear(const ltap_json *activation)
{
    return ltap_keras_is(function_name(activation), "linear");
}

/* A layer as an activation: {"class_name": "LeakyReLU", "config": {...}}. */
static bool run_object(ltap_keras_call *c, const ltap_json *object, ltap_keras_tensor x,
                       ltap_keras_tensor *y)
{
    ltap_keras_layer layer = {.class_name =
                                  ltap_keras_text_of(ltap_json_find(object, "class_name"), ""),
                              .name = "activation",
                              .config = ltap_json_find(object, "config")};
    ltap_keras_tensor outputs[LTAP_KERAS_MAX_ENDS] = {x};
    layer.row = ltap_keras_row_find(layer.class_name);
    if (layer.row == NULL || (x.rank < 0 && !(layer.row->flags & LTAP_KERAS_ANY_RANK)) ||
        layer.row->variables != NULL || layer.row->holds != NULL || layer.config == NULL ||
        layer.config->kind != LTAP_JSON_OBJECT)
        return false;
    ltap_keras_call inner = {.r = c->r,
                             .b = c->b,
                             .layer = &layer,
                             .config = layer.config,
                             .inputs = &x,
                             .n_inputs = 1,
                             .outputs = outputs,
                             .n_outputs = 1,
                             .depth = c->depth};
    layer.row->run(&inner);
    *y = outputs[0];
    return true;
}

ltap_keras_tensor ltap_keras_activate(ltap_keras_call *c, const ltap_json *activation,
                                      ltap_keras_tensor x)
{
    const char *name = function_name(activation);
    ltap_keras_tensor y = x;
    if (name[0] != '\0' ? ltap_keras_function(c, name, NULL, x, &y)
                        : run_object(c, activation, x, &y))
        return y;
    ltap_keras_call inner = *c;
    ltap_keras_tensor outputs[1] = {x};
    char why[100];
    snprintf(why, sizeof why, "activation %.60s",
             name[0] != '\0' ? name
                             : ltap_keras_text_of(ltap_json_find(activation, "class_name"), "?"));
    inner.inputs = &x;
    inner.n_inputs = 1;
    inner.outputs = outputs;
    ltap_keras_cannot(&inner, why);
    outputs[0].rank = x.rank; /* activations keep the shape */
    memcpy(outputs[0].dims, x.dims, sizeof x.dims);
    return outputs[0];
}

void ltap_keras_finish(ltap_keras_call *c, ltap_keras_tensor (*make)(ltap_keras_call *c))
{
    const ltap_json *activation = ltap_json_find(c->config, "activation");
    if (ltap_keras_is_linear(activation)) {
        c->outputs[0] = make(c);
        return;
    }
    ltap_keras_enter(c->b, "Preactivation", "preactivation");
    ltap_keras_tensor x = make(c);
    ltap_keras_leave(c->b);
    c->outputs[0] = ltap_keras_activate(c, activation, x);
}

/* --- Layers that are activations. ---------------------------------------------------------------
 */

void ltap_keras_run_activation(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_activate(c, ltap_json_find(c->config, "activation"), c->inputs[0]);
}

static void run_function(ltap_keras_call *c, const char *name)
{
    ltap_keras_function(c, name, c->config, c->inputs[0], &c->outputs[0]);
}

void ltap_keras_run_relu(ltap_keras_call *c)
{
    run_function(c, "relu");
}

/* The layer's default is not the function's. */
void ltap_keras_run_leaky_relu(ltap_keras_call *c)
{
    const given g = {c, c->config};
    double slope = ltap_keras_number(c, "negative_slope", ltap_keras_number(c, "alpha", 0.3));
    c->outputs[0] = with_alpha(&g, "LeakyRelu", c->inputs[0], slope);
}

void ltap_keras_run_elu(ltap_keras_call *c)
{
    const given g = {c, c->config};
    c->outputs[0] = with_alpha(&g, "Elu", c->inputs[0], ltap_keras_number(c, "alpha", 1));
}

void ltap_keras_run_thresholded_relu(ltap_keras_call *c)
{
    const given g = {c, c->config};
    c->outputs[0] =
        with_alpha(&g, "ThresholdedRelu", c->inputs[0], ltap_keras_number(c, "theta", 1));
}

/* Slopes of shape [axes without the batch], 1 where shared: broadcast as they are. */
void ltap_keras_run_prelu(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0], slope = ltap_keras_weight(c, NULL, "alpha", x.rank - 1);
    c->outputs[0] = ltap_keras_with(
        x, ltap_keras_add(c->b, (ltap_keras_node){.op = "PRelu",
                                                  .inputs = (uint32_t[]){x.value, slope.value},
                                                  .n_inputs = 2}));
}

/* Over several axes: exp(x - logsumexp(x)). */
static ltap_keras_tensor softmax_axes(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *axes,
                                      size_t n_axes)
{
    ltap_keras_tensor most = ltap_keras_reduce(c->b, "ReduceLogSumExp", x, axes, n_axes, true);
    return ltap_keras_unary(c->b, "Exp", ltap_keras_binary(c->b, "Sub", x, most));
}

void ltap_keras_run_softmax(ltap_keras_call *c)
{
    const ltap_json *json = ltap_json_find(c->config, "axis");
    ltap_keras_argument said = ltap_keras_argument_get(c, 1, "mask");
    ltap_keras_tensor x = c->inputs[0];
    int64_t axes[LTAP_KERAS_MAX_RANK] = {-1};
    size_t n = 1;
    bool masked = said.json == NULL && said.tensor.rank >= 0;
    if (json != NULL && json->kind != LTAP_JSON_NULL)
        n = ltap_keras_ints_of(c, json, "axis", axes, LTAP_KERAS_MAX_RANK);
    for (size_t i = 0; i < n; i++)
        axes[i] = ltap_keras_axis(c->b, axes[i], x.rank);
    if (!ltap_keras_is_good(c->b))
        return;
    if (!masked && x.mask != LTAP_NO_VALUE) {
        ltap_keras_cannot(c, "with a mask of steps");
        return;
    }
    if (masked)
        x = ltap_keras_choose(c->b, said.tensor, x, ltap_keras_scalar(c->b, -1e9));
    x = n == 1 ? ltap_keras_softmax(c->b, x, (int)axes[0]) : softmax_axes(c, x, axes, n);
    if (masked && !c->r->weights.is_keras_2)
        x = ltap_keras_choose(c->b, said.tensor, x, ltap_keras_scalar(c->b, 0));
    x.mask = c->inputs[0].mask;
    c->outputs[0] = x;
}
