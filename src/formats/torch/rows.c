/* Layers over rows; see rows.h. Weights are transposed as constants, once, like in exports. */
#include "formats/torch/rows.h"

#include "formats/torch/build.h"

#define CLASS(module, name) "torch.nn.modules." module "." name

ltap_signal ltap_build_layer_norm_here(ltap_builder *b, ltap_signal x, double epsilon)
{
    ltap_attr attrs[2] = {LTAP_ATTR_I("axis", -1), LTAP_ATTR_F("epsilon", epsilon)};
    uint32_t inputs[3] = {x.value};
    ltap_build_vector(b, "weight", x.channels, &inputs[1]);
    ltap_build_vector(b, "bias", x.channels, &inputs[2]);
    x.value = ltap_build_node(b, (ltap_node){.op_type = "LayerNormalization",
                                             .inputs = inputs,
                                             .n_inputs = 3,
                                             .attrs = attrs,
                                             .n_attrs = 2});
    return x;
}

ltap_signal ltap_build_layer_norm(ltap_builder *b, const char *name, ltap_signal x, double epsilon)
{
    ltap_build_enter(b, CLASS("normalization", "LayerNorm"), name);
    x = ltap_build_layer_norm_here(b, x, epsilon);
    ltap_build_leave(b);
    return x;
}

/* Part of so many along the first axis, of `size` in all. */
static uint32_t cut(ltap_builder *b, uint32_t value, int64_t size, const ltap_rows *rows)
{
    if (rows->parts == 0)
        return value;
    int64_t first = size / rows->parts * rows->part, end = first + size / rows->parts;
    return ltap_build_op(b, "Slice", 4,
                         (uint32_t[]){value, ltap_build_list(b, 1, &first),
                                      ltap_build_list(b, 1, &end),
                                      ltap_build_list(b, 1, (int64_t[]){0})});
}

ltap_signal ltap_build_rows(ltap_builder *b, ltap_signal x, const ltap_rows *rows)
{
    uint32_t weight, bias;
    const ltap_torch_tensor *tensor = ltap_build_need(b, rows->weight, 2, &weight);
    if (tensor == NULL)
        return x;
    int64_t size = tensor->shape.dims[0], parts = rows->parts ? rows->parts : 1;
    if (tensor->shape.dims[1] != x.channels || size % parts != 0)
        ltap_build_refuse(b, "'%s' is %s; its input has %lld features", tensor->name,
                          ltap_tensor_text(&tensor->shape).text, (long long)x.channels);
    weight = ltap_build_transpose(b, cut(b, weight, size, rows), 2, (int64_t[]){1, 0});
    x.value = ltap_build_op(b, "MatMul", 2, (uint32_t[]){x.value, weight});
    x.channels = size / parts;
    if (rows->bias == NULL)
        return x;
    ltap_build_vector(b, rows->bias, size, &bias);
    bias = cut(b, bias, size, rows);
    x.value = ltap_build_op(b, "Add", 2, (uint32_t[]){x.value, bias});
    return x;
}

ltap_signal ltap_build_linear_rows(ltap_builder *b, const char *name, ltap_signal x, bool bias)
{
    ltap_build_enter(b, CLASS("linear", "Linear"), name);
    x = ltap_build_rows(b, x, &(ltap_rows){.weight = "weight", .bias = bias ? "bias" : NULL});
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_mlp(ltap_builder *b, const char *class_name, const char *name, ltap_signal x)
{
    ltap_build_enter(b, class_name, name);
    x = ltap_build_linear_rows(b, "0", x, true);
    x = ltap_build_activation(b, "1", &ltap_gelu, x);
    x = ltap_build_dropout(b, "2", x);
    x = ltap_build_linear_rows(b, "3", x, true);
    x = ltap_build_dropout(b, "4", x);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_to_rows(ltap_builder *b, ltap_signal x)
{
    x.value = ltap_build_transpose(b, x.value, 4, (int64_t[]){0, 2, 3, 1});
    return x;
}

ltap_signal ltap_build_to_image(ltap_builder *b, ltap_signal x)
{
    x.value = ltap_build_transpose(b, x.value, 4, (int64_t[]){0, 3, 1, 2});
    return x;
}

#define PERMUTE "torchvision.ops.misc.Permute"

ltap_signal ltap_build_permute_to_rows(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_build_enter(b, PERMUTE, name);
    x = ltap_build_to_rows(b, x);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_permute_to_image(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_build_enter(b, PERMUTE, name);
    x = ltap_build_to_image(b, x);
    ltap_build_leave(b);
    return x;
}
