/* Operations on tensors that are nodes of a model: keras.ops by class, TensorFlow's functions and
 * slices (Keras 2) by name.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

void ltap_keras_other_kind(ltap_keras_call *c)
{
    const ltap_json *function = ltap_json_find(c->config, "function");
    ltap_keras_cannot(c, function != NULL ? ltap_keras_text_of(function, NULL)
                                          : "with these arguments");
}

/* --- One and two tensors. -----------------------------------------------------------------------
 */

/* Names of Keras' class, of TensorFlow's function, ONNX's operator. */
typedef struct simple {
    const char *class_name, *function, *op;
} simple;

static const simple unaries[] = {
    {"Absolute", "math.abs", "Abs"},
    {"Fabs", "", "Abs"},
    {"Abs", "abs", "Abs"},
    {"Arccos", "math.acos", "Acos"},
    {"Arcsin", "math.asin", "Asin"},
    {"Arctan", "math.atan", "Atan"},
    {"Ceil", "math.ceil", "Ceil"},
    {"Cos", "math.cos", "Cos"},
    {"Cosh", "math.cosh", "Cosh"},
    {"Erf", "math.erf", "Erf"},
    {"Exp", "math.exp", "Exp"},
    {"Floor", "math.floor", "Floor"},
    {"Identity", "identity", "Identity"},
    {"Log", "math.log", "Log"},
    {"LogicalNot", "math.logical_not", "Not"},
    {"Negative", "math.negative", "Neg"},
    {"Reciprocal", "math.reciprocal", "Reciprocal"},
    {"", "math.round", "Round"},
    {"Sign", "math.sign", "Sign"},
    {"Sin", "math.sin", "Sin"},
    {"Sinh", "math.sinh", "Sinh"},
    {"Sqrt", "math.sqrt", "Sqrt"},
    {"StopGradient", "stop_gradient", "Identity"},
    {"Tan", "math.tan", "Tan"},
};

static const simple binaries[] = {
    {"Add", "math.add", "Add"},
    {"Add", "__operators__.add", "Add"},
    {"BiasAdd", "nn.bias_add", "Add"},
    {"Divide", "math.truediv", "Div"},
    {"TrueDivide", "math.divide", "Div"},
    {"", "realdiv", "Div"},
    {"Equal", "math.equal", "Equal"},
    {"Greater", "math.greater", "Greater"},
    {"GreaterEqual", "math.greater_equal", "GreaterOrEqual"},
    {"Less", "math.less", "Less"},
    {"LessEqual", "math.less_equal", "LessOrEqual"},
    {"Maximum", "math.maximum", "Max"},
    {"Minimum", "math.minimum", "Min"},
    {"Multiply", "math.multiply", "Mul"},
    {"Power", "math.pow", "Pow"},
    {"Subtract", "math.subtract", "Sub"},
};

static const char *function_of(const ltap_keras_call *c)
{
    const char *name = ltap_keras_text_of(ltap_json_find(c->config, "function"), "");
    return strncmp(name, "tf.", 3) == 0 ? name + 3 : name;
}

static const char *op_of(const ltap_keras_call *c, const simple *table, size_t count)
{
    bool function = ltap_keras_is(c->layer->class_name, "TFOpLambda");
    const char *name = function ? function_of(c) : c->layer->class_name;
    for (size_t i = 0; i < count; i++)
        if (ltap_keras_is(function ? table[i].function : table[i].class_name, name))
            return table[i].op;
    return NULL;
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void run_unary(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_unary(c->b, op_of(c, unaries, COUNT(unaries)), c->inputs[0]);
}

static bool compares(const char *op)
{
    return ltap_keras_is(op, "Equal") || strncmp(op, "Greater", 7) == 0 ||
           strncmp(op, "Less", 4) == 0;
}

static void run_binary(ltap_keras_call *c)
{
    const char *op = op_of(c, binaries, COUNT(binaries));
    ltap_keras_tensor x, y;
    if (!ltap_keras_operand(c, 0, c->kwargs && ltap_json_find(c->kwargs, "x1") ? "x1" : "x", &x) ||
        !ltap_keras_operand(c, 1, c->kwargs && ltap_json_find(c->kwargs, "x2") ? "x2" : "y", &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    c->outputs[0] = ltap_keras_binary(c->b, op, x, y);
    if (compares(op))
        c->outputs[0].dtype = LTAP_BOOL;
}

static void run_square(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_binary(c->b, "Mul", c->inputs[0], c->inputs[0]);
}

static void run_rsqrt(ltap_keras_call *c)
{
    c->outputs[0] =
        ltap_keras_unary(c->b, "Reciprocal", ltap_keras_unary(c->b, "Sqrt", c->inputs[0]));
}

static void run_matmul(ltap_keras_call *c)
{
    ltap_keras_tensor x, y;
    if (!ltap_keras_operand(c, 0, "x1", &x) || !ltap_keras_operand(c, 1, "x2", &y) || x.rank < 1 ||
        y.rank < 2 || ltap_keras_flag(c, 2, "transpose_a")) {
        ltap_keras_other_kind(c);
        return;
    }
    if (ltap_keras_flag(c, 3, "transpose_b")) {
        int64_t perm[LTAP_KERAS_MAX_RANK];
        for (int i = 0; i < y.rank; i++)
            perm[i] = i < y.rank - 2 ? i : 2 * y.rank - 3 - i;
        y = ltap_keras_transpose(c->b, y, perm);
    }
    c->outputs[0] = ltap_keras_matmul(c->b, x, y);
}

static void run_where(ltap_keras_call *c)
{
    ltap_keras_tensor condition, x, y;
    if (!ltap_keras_operand(c, 0, "condition", &condition) || !ltap_keras_operand(c, 1, "x1", &x) ||
        !ltap_keras_operand(c, 2, "x2", &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    c->outputs[0] = ltap_keras_choose(c->b, condition, x, y);
}

static void run_clip(ltap_keras_call *c)
{
    ltap_keras_tensor low, high;
    const char *names[2] = {"x_min", "x_max"};
    if (ltap_keras_is(c->layer->class_name, "TFOpLambda"))
        names[0] = "clip_value_min", names[1] = "clip_value_max";
    if (!ltap_keras_operand(c, 1, names[0], &low) || !ltap_keras_operand(c, 2, names[1], &high)) {
        ltap_keras_other_kind(c);
        return;
    }
    ltap_keras_tensor x = ltap_keras_binary(c->b, "Max", c->inputs[0], low);
    c->outputs[0] = ltap_keras_binary(c->b, "Min", x, high);
}

/* --- Reductions. --------------------------------------------------------------------------------
 */

static const simple reductions[] = {
    {"Mean", "math.reduce_mean", "ReduceMean"},
    {"Sum", "math.reduce_sum", "ReduceSum"},
    {"Max", "math.reduce_max", "ReduceMax"},
    {"Min", "math.reduce_min", "ReduceMin"},
    {"Prod", "math.reduce_prod", "ReduceProd"},
    {"Amax", "reduce_max", "ReduceMax"},
    {"Amin", "reduce_min", "ReduceMin"},
    {"Logsumexp", "math.reduce_logsumexp", "ReduceLogSumExp"},
};

static void run_reduction(ltap_keras_call *c)
{
    const char *op = op_of(c, reductions, COUNT(reductions));
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n = ltap_keras_axes(c, 1, "axis", axes);
    if (ltap_keras_is_good(c->b))
        c->outputs[0] =
            ltap_keras_reduce(c->b, op, c->inputs[0], axes, n, ltap_keras_flag(c, 2, "keepdims"));
}

/* Of booleans: any of them, or all. */
static void run_logical(ltap_keras_call *c)
{
    bool any = strstr(c->layer->class_name, "Any") != NULL || strstr(function_of(c), "any") != NULL;
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_INT32);
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n = ltap_keras_axes(c, 1, "axis", axes);
    if (ltap_keras_is_good(c->b))
        x = ltap_keras_reduce(c->b, any ? "ReduceMax" : "ReduceMin", x, axes, n,
                              ltap_keras_flag(c, 2, "keepdims"));
    c->outputs[0] = ltap_keras_cast(c->b, x, LTAP_BOOL);
}

static void run_not_equal(ltap_keras_call *c)
{
    ltap_keras_tensor x, y;
    if (!ltap_keras_operand(c, 0, "x1", &x) || !ltap_keras_operand(c, 1, "x2", &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    x = ltap_keras_unary(c->b, "Not", ltap_keras_binary(c->b, "Equal", x, y));
    x.dtype = LTAP_BOOL;
    c->outputs[0] = x;
}

/* --- Shapes. ------------------------------------------------------------------------------------
 */

static void run_reshape(ltap_keras_call *c)
{
    const ltap_json *shape = ltap_keras_constant(c, 1, "newshape");
    int64_t dims[LTAP_KERAS_MAX_RANK];
    size_t n = 0, n_open = 0;
    if (shape == NULL)
        shape = ltap_keras_constant(c, 1, "shape");
    if (shape == NULL || shape->kind != LTAP_JSON_ARRAY || shape->count > LTAP_KERAS_MAX_RANK) {
        ltap_keras_other_kind(c);
        return;
    }
    for (const ltap_json *j = shape->first; j != NULL; j = j->next) {
        dims[n] = j->kind == LTAP_JSON_INT ? j->integer : -1;
        n_open += dims[n] < 0;
        if ((j->kind != LTAP_JSON_INT && j->kind != LTAP_JSON_NULL) || dims[n] == 0) {
            ltap_keras_other_kind(c);
            return;
        }
        n++;
    }
    if (n_open > 1) {
        ltap_keras_other_kind(c);
        return;
    }
    c->outputs[0] = ltap_keras_reshape(c->b, c->inputs[0], (int)n, dims);
}

static void run_transpose(ltap_keras_call *c)
{
    const ltap_json *axes = ltap_keras_constant(c, 1, "axes");
    ltap_keras_tensor x = c->inputs[0];
    int64_t perm[LTAP_KERAS_MAX_RANK];
    bool seen[LTAP_KERAS_MAX_RANK] = {false};
    if (axes == NULL)
        axes = ltap_keras_constant(c, 1, "perm");
    size_t n = axes != NULL ? ltap_keras_ints_of(c, axes, "axes", perm, LTAP_KERAS_MAX_RANK) : 0;
    for (int i = 0; axes == NULL && i < x.rank; i++)
        perm[n++] = x.rank - 1 - i;
    for (size_t i = 0; i < n && ltap_keras_is_good(c->b); i++) {
        perm[i] = ltap_keras_axis(c->b, perm[i], x.rank);
        if ((int)n != x.rank || seen[perm[i]])
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its axes are no order of %d axes", x.rank);
        seen[perm[i]] = true;
    }
    if (ltap_keras_is_good(c->b))
        c->outputs[0] = ltap_keras_transpose(c->b, x, perm);
}

/* Axes of the result, in order. */
static void run_expand(ltap_keras_call *c)
{
    const ltap_json *json = ltap_keras_constant(c, 1, "axis");
    ltap_keras_tensor x = c->inputs[0];
    int64_t axes[LTAP_KERAS_MAX_RANK] = {0};
    size_t n = json != NULL ? ltap_keras_ints_of(c, json, "axis", axes, LTAP_KERAS_MAX_RANK) : 1;
    bool wanted[LTAP_KERAS_MAX_RANK + 1] = {false};
    if (x.rank + (int)n > LTAP_KERAS_MAX_RANK) {
        ltap_keras_other_kind(c);
        return;
    }
    for (size_t i = 0; i < n; i++)
        wanted[ltap_keras_axis(c->b, axes[i], x.rank + (int)n)] = true;
    for (int i = 0; i < LTAP_KERAS_MAX_RANK && ltap_keras_is_good(c->b); i++)
        if (wanted[i])
            x = ltap_keras_unsqueeze(c->b, x, i);
    c->outputs[0] = x;
}

static void run_squeeze(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int64_t axes[LTAP_KERAS_MAX_RANK];
    bool gone[LTAP_KERAS_MAX_RANK] = {false};
    if (ltap_keras_constant(c, 1, "axis") == NULL) {
        ltap_keras_other_kind(c);
        return;
    }
    for (size_t i = ltap_keras_axes(c, 1, "axis", axes); i-- > 0;)
        gone[axes[i]] = true;
    for (int i = LTAP_KERAS_MAX_RANK; i-- > 0 && ltap_keras_is_good(c->b);)
        if (gone[i])
            x = ltap_keras_squeeze(c->b, x, i);
    c->outputs[0] = x.value == c->inputs[0].value ? ltap_keras_unary(c->b, "Identity", x) : x;
}

static void run_concat(ltap_keras_call *c)
{
    int axis = ltap_keras_axis(
        c->b,
        ltap_keras_whole(c, ltap_keras_is(c->layer->class_name, "TFOpLambda") ? SIZE_MAX : 1,
                         "axis", 0),
        c->inputs[0].rank);
    if (ltap_keras_is_good(c->b))
        c->outputs[0] = ltap_keras_concat(c->b, c->inputs, c->n_inputs, axis);
}

static void run_stack(ltap_keras_call *c)
{
    ltap_keras_tensor parts[LTAP_KERAS_MAX_ENDS];
    int axis =
        ltap_keras_axis(c->b, ltap_keras_whole(c, SIZE_MAX, "axis", 0), c->inputs[0].rank + 1);
    for (size_t i = 0; i < c->n_inputs && ltap_keras_is_good(c->b); i++)
        parts[i] = ltap_keras_unsqueeze(c->b, c->inputs[i], axis);
    if (ltap_keras_is_good(c->b))
        c->outputs[0] = ltap_keras_concat(c->b, parts, c->n_inputs, axis);
}

static void run_cast(ltap_keras_call *c)
{
    static const ltap_dtype known[] = {LTAP_FLOAT32, LTAP_INT32, LTAP_INT64, LTAP_BOOL,
                                       LTAP_UINT8,   LTAP_INT8,  LTAP_INT16};
    const ltap_json *json = ltap_keras_constant(c, 1, "dtype");
    const char *name = ltap_keras_text_of(json, "");
    for (size_t i = 0; i < COUNT(known); i++)
        if (ltap_keras_is(ltap_dtype_find(known[i])->name, name)) {
            c->outputs[0] = ltap_keras_cast(c->b, c->inputs[0], known[i]);
            if (c->outputs[0].value == c->inputs[0].value)
                c->outputs[0] = ltap_keras_unary(c->b, "Identity", c->inputs[0]);
            return;
        }
    ltap_keras_other_kind(c);
}

static void run_flip(ltap_keras_call *c)
{
    const ltap_json *axis = ltap_keras_constant(c, 1, "axis");
    ltap_keras_tensor x = c->inputs[0];
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n = 0;
    if (axis != NULL)
        n = ltap_keras_ints_of(c, axis, "axis", axes, LTAP_KERAS_MAX_RANK);
    for (; axis == NULL && n < (size_t)x.rank; n++)
        axes[n] = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        int at = ltap_keras_axis(c->b, axes[i], x.rank);
        x = ltap_keras_slice(c->b, x, at, 0, INT64_MAX, -1);
    }
    c->outputs[0] = x;
}

static void run_einsum(ltap_keras_call *c)
{
    const char *equation = ltap_keras_text(c, "subscripts", "");
    char plain[64];
    size_t n = 0;
    for (const char *p = equation; *p != '\0' && n + 1 < sizeof plain; p++)
        if (*p != ' ')
            plain[n++] = *p;
    plain[n] = '\0';
    if (n == 0 || n + 1 == sizeof plain || strchr(plain, '.') != NULL ||
        strstr(plain, "->") == NULL)
        ltap_keras_other_kind(c);
    else
        c->outputs[0] = ltap_keras_einsum(c->b, plain, c->inputs, c->n_inputs);
}

/* --- Functions of keras.activations, under the names of keras.ops and tf.nn. -------------------
 */

static const struct {
    const char *class_name, *function, *name;
} activations[] = {
    {"Celu", "nn.celu", "celu"},
    {"Elu", "nn.elu", "elu"},
    {"Gelu", "nn.gelu", "gelu"},
    {"HardSigmoid", "", "hard_sigmoid"},
    {"HardSilu", "", "hard_silu"},
    {"HardSwish", "", "hard_silu"},
    {"HardTanh", "", "hard_tanh"},
    {"HardShrink", "", "hard_shrink"},
    {"SoftShrink", "", "soft_shrink"},
    {"TanhShrink", "", "tanh_shrink"},
    {"SparsePlus", "", "sparse_plus"},
    {"SparseSigmoid", "", "sparse_sigmoid"},
    {"Threshold", "", "threshold"},
    {"Glu", "", "glu"},
    {"Mish", "", "mish"},
    {"LeakyRelu", "nn.leaky_relu", "leaky_relu"},
    {"LogSigmoid", "math.log_sigmoid", "log_sigmoid"},
    {"LogSoftmax", "nn.log_softmax", "log_softmax"},
    {"Relu", "nn.relu", "relu"},
    {"Relu6", "nn.relu6", "relu6"},
    {"Selu", "nn.selu", "selu"},
    {"Sigmoid", "math.sigmoid", "sigmoid"},
    {"Sigmoid", "nn.sigmoid", "sigmoid"},
    {"Silu", "nn.silu", "silu"},
    {"Swish", "nn.swish", "silu"},
    {"Softmax", "nn.softmax", "softmax"},
    {"Softplus", "math.softplus", "softplus"},
    {"Softsign", "nn.softsign", "softsign"},
    {"Squareplus", "", "squareplus"},
    {"Tanh", "math.tanh", "tanh"},
    {"Tanh", "nn.tanh", "tanh"},
};

static void run_activation(ltap_keras_call *c)
{
    bool function = ltap_keras_is(c->layer->class_name, "TFOpLambda");
    const char *name = function ? function_of(c) : c->layer->class_name;
    for (size_t i = 0; i < COUNT(activations); i++)
        if (ltap_keras_is(function ? activations[i].function : activations[i].class_name, name)) {
            /* Keras 3 has the arguments in the configuration, Keras 2 in the call. */
            ltap_keras_function(c, activations[i].name,
                                function && c->kwargs != NULL ? c->kwargs : c->config, c->inputs[0],
                                &c->outputs[0]);
            return;
        }
    ltap_keras_other_kind(c);
}

/* --- The tables. --------------------------------------------------------------------------------
 */

#define NO_VARIABLES NULL, NULL

static const struct {
    const char *function;
    ltap_keras_row row;
} others[] = {
    {"math.reduce_any", {"Any", run_logical, NO_VARIABLES, 0}},
    {"math.reduce_all", {"All", run_logical, NO_VARIABLES, 0}},
    {"math.not_equal", {"NotEqual", run_not_equal, NO_VARIABLES, LTAP_KERAS_ANY_RANK}},
    {"reverse", {"Flip", run_flip, NO_VARIABLES, 0}},
    {"einsum", {"Einsum", run_einsum, NO_VARIABLES, 0}},
    {"clip_by_value", {"Clip", run_clip, NO_VARIABLES, 0}},
    {"concat", {"Concatenate", run_concat, NO_VARIABLES, 0}},
    {"cast", {"Cast", run_cast, NO_VARIABLES, 0}},
    {"expand_dims", {"ExpandDims", run_expand, NO_VARIABLES, 0}},
    {"__operators__.getitem", {"GetItem", ltap_keras_run_index, NO_VARIABLES, 0}},
    {"linalg.matmul", {"Matmul", run_matmul, NO_VARIABLES, 0}},
    {"reshape", {"Reshape", run_reshape, NO_VARIABLES, LTAP_KERAS_ANY_RANK}},
    {"math.rsqrt", {"Rsqrt", run_rsqrt, NO_VARIABLES, LTAP_KERAS_ANY_RANK}},
    {"math.square", {"Square", run_square, NO_VARIABLES, LTAP_KERAS_ANY_RANK}},
    {"squeeze", {"Squeeze", run_squeeze, NO_VARIABLES, 0}},
    {"compat.v1.squeeze", {"Squeeze", run_squeeze, NO_VARIABLES, 0}},
    {"", {"Repeat", ltap_keras_run_repeat, NO_VARIABLES, 0}},
    {"", {"Roll", ltap_keras_run_roll, NO_VARIABLES, 0}},
    {"stack", {"Stack", run_stack, NO_VARIABLES, 0}},
    {"transpose", {"Transpose", run_transpose, NO_VARIABLES, 0}},
    {"compat.v1.transpose", {"Permute", run_transpose, NO_VARIABLES, 0}},
    {"where", {"Where", run_where, NO_VARIABLES, 0}},
};

static const ltap_keras_row unary_row = {"", run_unary, NO_VARIABLES, LTAP_KERAS_ANY_RANK};
static const ltap_keras_row binary_row = {"", run_binary, NO_VARIABLES, LTAP_KERAS_ANY_RANK};
static const ltap_keras_row reduction_row = {"", run_reduction, NO_VARIABLES, 0};
static const ltap_keras_row activation_row = {"", run_activation, NO_VARIABLES, 0};
static const ltap_keras_row index_row = {"", ltap_keras_run_index, NO_VARIABLES, 0};

static bool has(const simple *table, size_t count, const char *name, bool function)
{
    for (size_t i = 0; i < count; i++)
        if (ltap_keras_is(function ? table[i].function : table[i].class_name, name))
            return true;
    return false;
}

static const ltap_keras_row *find(const char *name, bool function)
{
    if (has(unaries, COUNT(unaries), name, function))
        return &unary_row;
    if (has(binaries, COUNT(binaries), name, function))
        return &binary_row;
    if (has(reductions, COUNT(reductions), name, function))
        return &reduction_row;
    for (size_t i = 0; i < COUNT(activations); i++)
        if (ltap_keras_is(function ? activations[i].function : activations[i].class_name, name))
            return &activation_row;
    for (size_t i = 0; i < COUNT(others); i++)
        if (ltap_keras_is(function ? others[i].function : others[i].row.name, name))
            return &others[i].row;
    const ltap_keras_row *row = ltap_keras_formula_find(name, function);
    if (row == NULL && !function)
        row = ltap_keras_move_find(name);
    if (row == NULL && !function)
        row = ltap_keras_place_find(name);
    return row == NULL && !function ? ltap_keras_product_find(name) : row;
}

const ltap_keras_row *ltap_keras_operation_find(const char *class_name)
{
    return find(class_name, false);
}

const ltap_keras_row *ltap_keras_function_find(const char *function)
{
    if (function[0] == '\0')
        return NULL;
    return find(strncmp(function, "tf.", 3) == 0 ? function + 3 : function, true);
}

const ltap_keras_row *ltap_keras_slicing_row(void)
{
    return &index_row;
}
