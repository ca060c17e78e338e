/* torch.nn's layers and operations, as nodes. What they mean at inference is PyTorch's; that
 * weights fit the signal is checked here.
 */
#include "formats/torch/build.h"

#include <string.h>

#define CLASS(module, name) "torch.nn.modules." module "." name

static ltap_signal unary(ltap_builder *b, const char *op_type, ltap_signal x)
{
    return (ltap_signal){
        ltap_build_node(
            b, (ltap_node){.op_type = op_type, .inputs = (uint32_t[]){x.value}, .n_inputs = 1}),
        x.channels};
}

static ltap_signal module(ltap_builder *b, const char *class_name, const char *name,
                          const char *op_type, ltap_signal x)
{
    ltap_build_enter(b, class_name, name);
    ltap_signal y = unary(b, op_type, x);
    ltap_build_leave(b);
    return y;
}

ltap_signal ltap_build_relu_here(ltap_builder *b, ltap_signal x)
{
    return unary(b, "Relu", x);
}

ltap_signal ltap_build_identity(ltap_builder *b, const char *class_name, const char *name,
                                ltap_signal x)
{
    return module(b, class_name, name, "Identity", x);
}

ltap_signal ltap_build_dropout(ltap_builder *b, const char *name, ltap_signal x)
{
    return ltap_build_identity(b, CLASS("dropout", "Dropout"), name, x);
}

static int64_t padding_of(const ltap_conv *conv, int64_t kernel, int64_t dilation)
{
    return conv->padding == LTAP_SAME ? (kernel - 1) / 2 * dilation : conv->padding;
}

static uint32_t add_conv(ltap_builder *b, const uint32_t *inputs, ltap_conv conv, int64_t groups,
                         const int64_t *kernel)
{
    int64_t stride = conv.stride ? conv.stride : 1, dilation = conv.dilation ? conv.dilation : 1;
    int64_t high = padding_of(&conv, kernel[0], dilation);
    int64_t wide = padding_of(&conv, kernel[1], dilation);
    const ltap_attr attrs[] = {LTAP_ATTR_N("strides", 2, ((int64_t[]){stride, stride})),
                               LTAP_ATTR_N("pads", 4, ((int64_t[]){high, wide, high, wide})),
                               LTAP_ATTR_N("dilations", 2, ((int64_t[]){dilation, dilation})),
                               LTAP_ATTR_I("group", groups)};
    return ltap_build_node(b, (ltap_node){.op_type = "Conv",
                                          .inputs = (uint32_t *)(uintptr_t)inputs,
                                          .n_inputs = conv.bias ? 3 : 2,
                                          .attrs = attrs,
                                          .n_attrs = 4});
}

/* Whether the weights are of x's channels, and of the kernel and groups that are known. */
static bool fits_conv(const ltap_torch_tensor *weight, int64_t channels, ltap_conv conv)
{
    const int64_t *dims = weight->shape.dims;
    if (dims[0] < 1 || dims[1] < 1 || channels < dims[1] || channels % dims[1] != 0 ||
        dims[0] % (channels / dims[1]) != 0)
        return false;
    int64_t width = conv.kernel_width != 0 ? conv.kernel_width : conv.kernel;
    if (conv.kernel != 0 && (dims[2] != conv.kernel || dims[3] != width))
        return false;
    if (conv.kernel == 0 && conv.padding == LTAP_SAME && (dims[2] != dims[3] || dims[2] % 2 == 0))
        return false;
    return conv.groups == 0 || channels / dims[1] == conv.groups;
}

static ltap_signal conv_here(ltap_builder *b, ltap_signal x, ltap_conv conv)
{
    uint32_t inputs[3] = {x.value};
    const ltap_torch_tensor *weight = ltap_build_need(b, "weight", 4, &inputs[1]);
    if (weight == NULL)
        return x;
    int64_t in = weight->shape.dims[1], out = weight->shape.dims[0];
    if (!fits_conv(weight, x.channels, conv)) {
        ltap_build_refuse(b, "'%s' is %s, which does not fit its input of %lld channels",
                          weight->name, ltap_tensor_text(&weight->shape).text,
                          (long long)x.channels);
        return x;
    }
    if (conv.bias)
        ltap_build_vector(b, "bias", out, &inputs[2]);
    uint32_t y = add_conv(b, inputs, conv, x.channels / in, &weight->shape.dims[2]);
    return (ltap_signal){y, out};
}

ltap_signal ltap_build_conv(ltap_builder *b, const char *name, ltap_signal x, ltap_conv conv)
{
    ltap_build_enter(b, CLASS("conv", "Conv2d"), name);
    ltap_signal y = conv_here(b, x, conv);
    ltap_build_leave(b);
    return y;
}

ltap_signal ltap_build_batch_norm(ltap_builder *b, const char *name, ltap_signal x, double epsilon)
{
    static const char *const leaves[] = {"weight", "bias", "running_mean", "running_var"};
    ltap_attr attr = LTAP_ATTR_F("epsilon", epsilon);
    uint32_t inputs[5] = {x.value};
    ltap_build_enter(b, CLASS("batchnorm", "BatchNorm2d"), name);
    for (int i = 0; i < 4; i++)
        ltap_build_vector(b, leaves[i], x.channels, &inputs[i + 1]);
    uint32_t y = ltap_build_node(b, (ltap_node){.op_type = "BatchNormalization",
                                                .inputs = inputs,
                                                .n_inputs = 5,
                                                .attrs = &attr,
                                                .n_attrs = 1});
    ltap_build_leave(b);
    return (ltap_signal){y, x.channels};
}

ltap_signal ltap_build_linear(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_attr attr = LTAP_ATTR_I("transB", 1);
    uint32_t inputs[3] = {x.value};
    ltap_build_enter(b, CLASS("linear", "Linear"), name);
    const ltap_torch_tensor *weight = ltap_build_need(b, "weight", 2, &inputs[1]);
    if (weight != NULL && weight->shape.dims[1] != x.channels)
        ltap_build_refuse(b, "'%s' is %s; its input has %lld features", weight->name,
                          ltap_tensor_text(&weight->shape).text, (long long)x.channels);
    ltap_build_vector(b, "bias", ltap_torch_dim(weight, 0), &inputs[2]);
    uint32_t y = ltap_build_node(
        b, (ltap_node){
               .op_type = "Gemm", .inputs = inputs, .n_inputs = 3, .attrs = &attr, .n_attrs = 1});
    ltap_build_leave(b);
    return (ltap_signal){y, ltap_torch_dim(weight, 0)};
}

ltap_signal ltap_build_add(ltap_builder *b, ltap_signal x, ltap_signal y)
{
    if (x.channels != y.channels)
        ltap_build_refuse(b, "'%s' would add %lld and %lld channels", ltap_build_path(b),
                          (long long)x.channels, (long long)y.channels);
    uint32_t sum = ltap_build_node(
        b, (ltap_node){.op_type = "Add", .inputs = (uint32_t[]){x.value, y.value}, .n_inputs = 2});
    return (ltap_signal){sum, x.channels};
}

ltap_signal ltap_build_multiply(ltap_builder *b, ltap_signal x, ltap_signal y)
{
    uint32_t product = ltap_build_node(
        b, (ltap_node){.op_type = "Mul", .inputs = (uint32_t[]){x.value, y.value}, .n_inputs = 2});
    return (ltap_signal){product, y.channels};
}

ltap_signal ltap_build_channels(ltap_builder *b, ltap_signal x, int64_t first, int64_t count)
{
    uint32_t inputs[] = {x.value, ltap_build_list(b, 1, (int64_t[]){first}),
                         ltap_build_list(b, 1, (int64_t[]){first + count}),
                         ltap_build_list(b, 1, (int64_t[]){1})};
    return (ltap_signal){ltap_build_op(b, "Slice", 4, inputs), count};
}

ltap_signal ltap_build_flatten(ltap_builder *b, ltap_signal x)
{
    return unary(b, "Flatten", x);
}

ltap_signal ltap_build_flatten_module(ltap_builder *b, const char *name, ltap_signal x)
{
    return module(b, CLASS("flatten", "Flatten"), name, "Flatten", x);
}

ltap_signal ltap_build_concat(ltap_builder *b, const ltap_signal *parts, size_t count)
{
    ltap_attr axis = LTAP_ATTR_I("axis", 1);
    uint32_t inputs[LTAP_BUILD_MAX_PARTS];
    ltap_signal y = {0};
    if (count > LTAP_BUILD_MAX_PARTS)
        ltap_build_refuse(b, "%zu values are to be joined; at most %d are", count,
                          LTAP_BUILD_MAX_PARTS);
    for (size_t i = 0; i < count && i < LTAP_BUILD_MAX_PARTS; i++) {
        inputs[i] = parts[i].value;
        y.channels += parts[i].channels;
    }
    y.value = ltap_build_node(b, (ltap_node){.op_type = "Concat",
                                             .inputs = inputs,
                                             .n_inputs = count,
                                             .attrs = &axis,
                                             .n_attrs = 1});
    return y;
}

/* int64[2]: height and width. */
static uint32_t picture_size(ltap_builder *b, ltap_signal x)
{
    const ltap_attr start = LTAP_ATTR_I("start", 2);
    return ltap_build_node(b, (ltap_node){.op_type = "Shape",
                                          .inputs = (uint32_t[]){x.value},
                                          .n_inputs = 1,
                                          .attrs = &start,
                                          .n_attrs = 1});
}

ltap_signal ltap_build_resize_like(ltap_builder *b, ltap_signal x, ltap_signal like)
{
    const ltap_attr attrs[] = {LTAP_ATTR_S("mode", "linear"),
                               LTAP_ATTR_S("coordinate_transformation_mode", "half_pixel"),
                               LTAP_ATTR_N("axes", 2, ((int64_t[]){2, 3}))};
    uint32_t inputs[] = {x.value, LTAP_NO_VALUE, LTAP_NO_VALUE, picture_size(b, like)};
    uint32_t y = ltap_build_node(
        b, (ltap_node){
               .op_type = "Resize", .inputs = inputs, .n_inputs = 4, .attrs = attrs, .n_attrs = 3});
    return (ltap_signal){y, x.channels};
}
