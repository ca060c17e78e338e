/* Convolutions, linear layers, matrix products, normalisations. */
#include "formats/export/aten.h"

#include <float.h>
#include <string.h>

/* --- Convolutions. ---------------------------------------------------------------------------- */

typedef struct window {
    int64_t stride[LTAP_MAX_RANK], padding[LTAP_MAX_RANK], dilation[LTAP_MAX_RANK],
        extra[LTAP_MAX_RANK];
    int64_t pads[2 * LTAP_MAX_RANK]; /* all begins, all ends */
    int64_t groups;
    int n; /* spatial axes */
} window;

static int spatial_axes(ltap_program *p, ltap_operand weight)
{
    if (weight.rank < 3 || weight.rank > 5)
        ltap_program_refuse(p, "a weight of %d dimensions", weight.rank);
    return weight.rank < 3 || weight.rank > 5 ? 1 : weight.rank - 2;
}

static window read_window(ltap_program *p, ltap_operand weight)
{
    window w = {.n = spatial_axes(p, weight)};
    ltap_arg_window(p, "stride", w.n, 1, w.stride);
    ltap_arg_window(p, "dilation", w.n, 1, w.dilation);
    ltap_arg_window(p, "output_padding", w.n, 0, w.extra);
    w.groups = ltap_arg_int(p, "groups", 1);
    return w;
}

/* "same" puts the odd one at the end. */
static void read_padding(ltap_program *p, ltap_operand weight, window *w)
{
    const ltap_json *arg = ltap_arg_find(p, "padding");
    bool same = arg != NULL && arg->kind == LTAP_JSON_STRING && strcmp(arg->text, "same") == 0;
    if (arg == NULL || arg->kind != LTAP_JSON_STRING)
        ltap_arg_window(p, "padding", w->n, 0, w->padding);
    for (int i = 0; i < w->n; i++) {
        int64_t total = same ? w->dilation[i] * (weight.dims[2 + i] - 1) : 2 * w->padding[i];
        w->pads[i] = total / 2;
        w->pads[w->n + i] = total - total / 2;
    }
}

static void convolve(ltap_program *p, bool transposed)
{
    ltap_operand x = ltap_arg_tensor(p, "input"), weight = ltap_arg_tensor(p, "weight");
    uint32_t inputs[] = {x.value, weight.value, ltap_arg_optional(p, "bias").value};
    if (!ltap_program_goes_on(p))
        return;
    window w = read_window(p, weight);
    read_padding(p, weight, &w);
    bool alone = x.rank == w.n + 1; /* without a batch */
    if (alone)
        inputs[0] = ltap_emit_unsqueeze(p, inputs[0], 0);
    ltap_attr attrs[] = {LTAP_ATTR_N("strides", w.n, w.stride),
                         LTAP_ATTR_N("pads", 2 * w.n, w.pads),
                         LTAP_ATTR_N("dilations", w.n, w.dilation), LTAP_ATTR_I("group", w.groups),
                         LTAP_ATTR_N("output_padding", w.n, w.extra)};
    uint32_t y = ltap_emit(p,
                           (ltap_emit_node){.op_type = transposed ? "ConvTranspose" : "Conv",
                                            .inputs = inputs,
                                            .n_inputs = 3,
                                            .attrs = attrs,
                                            .n_attrs = transposed ? 5 : 4},
                           NULL);
    ltap_emit_result(p, 0, alone ? ltap_emit_squeeze(p, y, 0) : y);
}

static void conv(ltap_program *p)
{
    convolve(p, false);
}

static void conv_transpose(ltap_program *p)
{
    convolve(p, true);
}

static void convolution(ltap_program *p)
{
    convolve(p, ltap_arg_bool(p, "transposed", false));
}

/* --- Products. -------------------------------------------------------------------------------- */

static uint32_t transpose_weight(ltap_program *p, ltap_operand weight)
{
    static const int64_t perm[] = {1, 0};
    return weight.rank == 2 ? ltap_emit_transpose(p, weight.value, perm, 2) : weight.value;
}

static uint32_t gemm(ltap_program *p, uint32_t a, uint32_t b, uint32_t bias, const ltap_attr *attrs,
                     size_t n_attrs)
{
    uint32_t inputs[] = {a, b, bias};
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = "Gemm", .inputs = inputs, .n_inputs = 3, .attrs = attrs, .n_attrs = n_attrs},
        NULL);
}

static void linear(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input"), weight = ltap_arg_tensor(p, "weight");
    ltap_operand bias = ltap_arg_optional(p, "bias");
    ltap_attr turned = LTAP_ATTR_I("transB", 1);
    if (x.rank == 2 && weight.rank == 2) {
        ltap_emit_result(p, 0, gemm(p, x.value, weight.value, bias.value, &turned, 1));
        return;
    }
    uint32_t y = ltap_emit_two(p, "MatMul", x.value, transpose_weight(p, weight));
    if (ltap_operand_is_there(bias))
        y = ltap_emit_two(p, "Add", y, bias.value);
    ltap_emit_result(p, 0, y);
}

/* The matrix that was turned to make this one, so that it need not be; else LTAP_NO_VALUE. */
static uint32_t before_turn(ltap_program *p, uint32_t value)
{
    uint32_t made = ltap_graph_at(p->graph, value)->producer;
    const ltap_node *node = made != LTAP_NO_NODE ? ltap_graph_node(p->graph, made) : NULL;
    if (node == NULL || strcmp(node->op_type, "Transpose") != 0)
        return LTAP_NO_VALUE;
    return ltap_graph_at(p->graph, node->inputs[0])->constant != NULL ? node->inputs[0]
                                                                      : LTAP_NO_VALUE;
}

/* beta * self + alpha * (mat1 @ mat2) */
static void addmm(ltap_program *p)
{
    ltap_operand bias = ltap_arg_tensor(p, "self"), a = ltap_arg_tensor(p, "mat1");
    ltap_operand b = ltap_arg_tensor(p, "mat2");
    if (!ltap_program_goes_on(p))
        return;
    uint32_t weight = before_turn(p, b.value);
    ltap_attr attrs[] = {LTAP_ATTR_I("transB", weight != LTAP_NO_VALUE),
                         LTAP_ATTR_F("alpha", ltap_arg_float(p, "alpha", 1)),
                         LTAP_ATTR_F("beta", ltap_arg_float(p, "beta", 1))};
    ltap_emit_result(
        p, 0, gemm(p, a.value, weight != LTAP_NO_VALUE ? weight : b.value, bias.value, attrs, 3));
}

static void mm(ltap_program *p)
{
    ltap_operand a = ltap_arg_tensor(p, "self"), b = ltap_arg_tensor(p, "mat2");
    ltap_attr turned = LTAP_ATTR_I("transB", 1);
    if (!ltap_program_goes_on(p))
        return;
    uint32_t weight = before_turn(p, b.value);
    ltap_emit_result(p, 0,
                     weight != LTAP_NO_VALUE ? gemm(p, a.value, weight, LTAP_NO_VALUE, &turned, 1)
                                             : ltap_emit_two(p, "MatMul", a.value, b.value));
}

static void matmul(ltap_program *p)
{
    const char *second = ltap_arg_find(p, "other")  ? "other"
                         : ltap_arg_find(p, "mat2") ? "mat2"
                         : ltap_arg_find(p, "vec")  ? "vec"
                                                    : "tensor";
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "MatMul", ltap_arg_tensor(p, "self").value,
                                   ltap_arg_tensor(p, second).value));
}

static void baddbmm(ltap_program *p)
{
    ltap_operand bias = ltap_arg_tensor(p, "self");
    bool vector = ltap_arg_find(p, "vec") != NULL;
    uint32_t y = ltap_emit_two(p, "MatMul", ltap_arg_tensor(p, vector ? "mat" : "batch1").value,
                               ltap_arg_tensor(p, vector ? "vec" : "batch2").value);
    double alpha = ltap_arg_float(p, "alpha", 1), beta = ltap_arg_float(p, "beta", 1);
    if (alpha != 1)
        y = ltap_emit_two(p, "Mul", y, ltap_emit_number(p, alpha, bias.dtype));
    uint32_t more = bias.value;
    if (beta != 1)
        more = ltap_emit_two(p, "Mul", more, ltap_emit_number(p, beta, bias.dtype));
    ltap_emit_result(p, 0, beta != 0 ? ltap_emit_two(p, "Add", more, y) : y);
}

static void einsum(ltap_program *p)
{
    const ltap_operand *terms;
    const char *text = ltap_arg_text(p, "equation", "");
    size_t count = ltap_arg_tensors(p, "tensors", &terms);
    uint32_t inputs[LTAP_MAX_RANK];
    if (count == 0 || count > LTAP_MAX_RANK) {
        ltap_program_refuse(p, "of %zu tensors", count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        inputs[i] = terms[i].value;
    ltap_attr attr = LTAP_ATTR_S("equation", text);
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "Einsum",
                                                .inputs = inputs,
                                                .n_inputs = count,
                                                .attrs = &attr,
                                                .n_attrs = 1},
                               NULL));
}

/* --- Normalisations. -------------------------------------------------------------------------- */

static uint32_t or_fill(ltap_program *p, ltap_operand operand, double number, int64_t count,
                        ltap_dtype dtype)
{
    return ltap_operand_is_there(operand) ? operand.value : ltap_emit_fill(p, number, count, dtype);
}

static uint32_t normalize(ltap_program *p, const char *op_type, const uint32_t *inputs,
                          size_t n_inputs, const ltap_attr *attrs, size_t n_attrs)
{
    return ltap_emit(p,
                     (ltap_emit_node){.op_type = op_type,
                                      .inputs = inputs,
                                      .n_inputs = n_inputs,
                                      .attrs = attrs,
                                      .n_attrs = n_attrs},
                     NULL);
}

static int64_t channels_of(ltap_program *p, ltap_operand x)
{
    if (x.rank < 2)
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
    return x.rank < 2 ? 0 : x.dims[1];
}

/* By statistics of the input itself, over the batch and all pixels. */
static void norm_by_batch(ltap_program *p, ltap_operand x, double epsilon)
{
    int64_t axes[LTAP_MAX_RANK], dims[LTAP_MAX_RANK];
    int n = 0;
    ltap_operand scale = ltap_arg_optional(p, "weight"), bias = ltap_arg_optional(p, "bias");
    channels_of(p, x);
    if (!ltap_program_goes_on(p))
        return;
    for (int i = 0; i < x.rank; i++) {
        dims[i] = i == 1 ? -1 : 1;
        if (i != 1)
            axes[n++] = i;
    }
    uint32_t over = ltap_emit_ints(p, axes, (size_t)n);
    uint32_t rest = ltap_emit_two(p, "Sub", x.value, ltap_emit_two(p, "ReduceMean", x.value, over));
    uint32_t variance = ltap_emit_two(p, "ReduceMean", ltap_emit_two(p, "Mul", rest, rest), over);
    variance = ltap_emit_two(p, "Add", variance, ltap_emit_number(p, epsilon, x.dtype));
    uint32_t y = ltap_emit_two(p, "Div", rest, ltap_emit_one(p, "Sqrt", variance));
    if (ltap_operand_is_there(scale))
        y = ltap_emit_two(p, "Mul", y, ltap_emit_reshape_to(p, scale.value, dims, (size_t)x.rank));
    if (ltap_operand_is_there(bias))
        y = ltap_emit_two(p, "Add", y, ltap_emit_reshape_to(p, bias.value, dims, (size_t)x.rank));
    ltap_emit_result(p, 0, y);
}

static void norm_by_table(ltap_program *p, const char *first, double epsilon)
{
    ltap_operand x = ltap_arg_tensor(p, first);
    ltap_operand mean = ltap_arg_optional(p, "running_mean");
    ltap_operand variance = ltap_arg_optional(p, "running_var");
    int64_t channels = channels_of(p, x);
    if (!ltap_operand_is_there(mean) || !ltap_operand_is_there(variance)) {
        norm_by_batch(p, x, epsilon);
        return;
    }
    if (channels < 0 && mean.rank == 1)
        channels = mean.dims[0];
    uint32_t inputs[] = {x.value, ltap_arg_optional(p, "weight").value,
                         ltap_arg_optional(p, "bias").value, mean.value, variance.value};
    for (int i = 1; i < 3; i++)
        if (inputs[i] == LTAP_NO_VALUE && channels >= 0)
            inputs[i] = ltap_emit_fill(p, i == 1, channels, mean.dtype);
        else if (inputs[i] == LTAP_NO_VALUE)
            inputs[i] = ltap_emit_two(p, "Expand", ltap_emit_number(p, i == 1, mean.dtype),
                                      ltap_emit_shape(p, mean.value));
    ltap_attr attr = LTAP_ATTR_F("epsilon", epsilon);
    ltap_emit_result(p, 0, normalize(p, "BatchNormalization", inputs, 5, &attr, 1));
}

static void batch_norm(ltap_program *p)
{
    if (ltap_arg_bool(p, "training", false) && ltap_arg_find(p, "running_mean") != NULL)
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    norm_by_table(p, "input", ltap_arg_float(p, "eps", 1e-5));
}

static void batch_norm_by_batch(ltap_program *p)
{
    norm_by_batch(p, ltap_arg_tensor(p, "input"), ltap_arg_float(p, "eps", 1e-5));
}

static void instance_norm(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input");
    int64_t channels = channels_of(p, x);
    ltap_attr attr = LTAP_ATTR_F("epsilon", ltap_arg_float(p, "eps", 1e-5));
    if (!ltap_arg_bool(p, "use_input_stats", true)) {
        norm_by_table(p, "input", ltap_arg_float(p, "eps", 1e-5));
        return;
    }
    uint32_t inputs[] = {x.value, or_fill(p, ltap_arg_optional(p, "weight"), 1, channels, x.dtype),
                         or_fill(p, ltap_arg_optional(p, "bias"), 0, channels, x.dtype)};
    ltap_emit_result(p, 0, normalize(p, "InstanceNormalization", inputs, 3, &attr, 1));
}

/* The number of elements that are normalised together. */
static int64_t read_normalized(ltap_program *p, size_t *n)
{
    int64_t sizes[LTAP_MAX_RANK], product = 1;
    *n = ltap_arg_ints(p, "normalized_shape", sizes);
    for (size_t i = 0; i < *n; i++)
        if (__builtin_mul_overflow(product, sizes[i], &product))
            product = -1;
    return product;
}

static uint32_t norm_weight(ltap_program *p, const char *name, double number, ltap_dtype dtype)
{
    int64_t sizes[LTAP_MAX_RANK];
    ltap_operand weight = ltap_arg_optional(p, name);
    size_t n;
    if (ltap_operand_is_there(weight))
        return weight.value;
    uint32_t filled = ltap_emit_fill(p, number, read_normalized(p, &n), dtype);
    return ltap_emit_reshape_to(p, filled, sizes, ltap_arg_ints(p, "normalized_shape", sizes));
}

static void layer_norm(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input");
    size_t n;
    read_normalized(p, &n);
    uint32_t inputs[] = {x.value, norm_weight(p, "weight", 1, x.dtype),
                         ltap_arg_optional(p, "bias").value};
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", x.rank - (int64_t)n),
                         LTAP_ATTR_F("epsilon", ltap_arg_float(p, "eps", 1e-5))};
    ltap_emit_result(p, 0, normalize(p, "LayerNormalization", inputs, 3, attrs, 2));
}

static void rms_norm(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input");
    size_t n;
    read_normalized(p, &n);
    uint32_t inputs[] = {x.value, norm_weight(p, "weight", 1, x.dtype)};
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", x.rank - (int64_t)n),
                         LTAP_ATTR_F("epsilon", ltap_arg_float(p, "eps", FLT_EPSILON))};
    ltap_emit_result(p, 0, normalize(p, "RMSNormalization", inputs, 2, attrs, 2));
}

static void group_norm(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input");
    const char *groups = ltap_arg_find(p, "num_groups") != NULL ? "num_groups" : "group";
    int64_t channels = channels_of(p, x);
    uint32_t inputs[] = {x.value, or_fill(p, ltap_arg_optional(p, "weight"), 1, channels, x.dtype),
                         or_fill(p, ltap_arg_optional(p, "bias"), 0, channels, x.dtype)};
    ltap_attr attrs[] = {LTAP_ATTR_I("num_groups", ltap_arg_int(p, groups, 1)),
                         LTAP_ATTR_F("epsilon", ltap_arg_float(p, "eps", 1e-5))};
    ltap_emit_result(p, 0, normalize(p, "GroupNormalization", inputs, 3, attrs, 2));
}

const ltap_aten_row ltap_aten_layers[] = {
    {.name = "conv1d", .map = conv},
    {.name = "conv2d", .map = conv},
    {.name = "conv3d", .map = conv},
    {.name = "conv_transpose1d", .map = conv_transpose},
    {.name = "conv_transpose2d", .map = conv_transpose},
    {.name = "conv_transpose3d", .map = conv_transpose},
    {.name = "convolution", .map = convolution},
    {.name = "_convolution", .map = convolution},
    {.name = "linear", .map = linear},
    {.name = "addmm", .map = addmm},
    {.name = "mm", .map = mm},
    {.name = "bmm", .map = matmul},
    {.name = "matmul", .map = matmul},
    {.name = "mv", .map = matmul},
    {.name = "dot", .map = matmul},
    {.name = "vdot", .map = matmul},
    {.name = "baddbmm", .map = baddbmm},
    {.name = "addmv", .map = baddbmm},
    {.name = "einsum", .map = einsum},
    {.name = "batch_norm", .map = batch_norm},
    {.name = "_native_batch_norm_legit_no_training", .map = batch_norm},
    {.name = "_native_batch_norm_legit.no_stats", .map = batch_norm_by_batch},
    {.name = "instance_norm", .map = instance_norm},
    {.name = "layer_norm", .map = layer_norm},
    {.name = "native_layer_norm", .map = layer_norm},
    {.name = "rms_norm", .map = rms_norm},
    {.name = "_fused_rms_norm", .map = rms_norm},
    {.name = "group_norm", .map = group_norm},
    {.name = "native_group_norm", .map = group_norm},
    {0},
};
