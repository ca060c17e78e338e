/* Activations: a row each, in the operators that PyTorch's exports are written in. */
#include "formats/torch/build.h"

#define CLASS(name) "torch.nn.modules.activation." name

struct ltap_activation {
    const char *class_name, *op_type;
    double alpha;        /* 0: no such attribute */
    const float *limits; /* inputs behind the first: least, most */
    bool times_input;    /* x * op(x) */
};

static const float zero_to_six[] = {0, 6};

const ltap_activation ltap_relu = {CLASS("ReLU"), "Relu", 0, NULL, false};
const ltap_activation ltap_relu6 = {CLASS("ReLU6"), "Clip", 0, zero_to_six, false};
const ltap_activation ltap_silu = {CLASS("SiLU"), "Sigmoid", 0, NULL, true};
const ltap_activation ltap_hard_swish = {CLASS("Hardswish"), "HardSwish", 0, NULL, false};
const ltap_activation ltap_hard_sigmoid = {CLASS("Hardsigmoid"), "HardSigmoid", 1.0f / 6, NULL,
                                           false};
const ltap_activation ltap_sigmoid = {CLASS("Sigmoid"), "Sigmoid", 0, NULL, false};
const ltap_activation ltap_gelu = {CLASS("GELU"), "Gelu", 0, NULL, false};
const ltap_activation ltap_tanh = {CLASS("Tanh"), "Tanh", 0, NULL, false};

ltap_signal ltap_build_activation(ltap_builder *b, const char *name, const ltap_activation *kind,
                                  ltap_signal x)
{
    ltap_attr alpha = LTAP_ATTR_F("alpha", kind->alpha);
    uint32_t inputs[3] = {x.value};
    ltap_build_enter(b, kind->class_name, name);
    for (int i = 0; i < 2 && kind->limits != NULL; i++)
        inputs[i + 1] = ltap_build_number(b, kind->limits[i]);
    ltap_signal y = {ltap_build_node(b, (ltap_node){.op_type = kind->op_type,
                                                    .inputs = inputs,
                                                    .n_inputs = kind->limits ? 3 : 1,
                                                    .attrs = &alpha,
                                                    .n_attrs = kind->alpha != 0}),
                     x.channels};
    if (kind->times_input)
        y = ltap_build_multiply(b, x, y);
    ltap_build_leave(b);
    return y;
}

ltap_signal ltap_build_relu(ltap_builder *b, const char *name, ltap_signal x)
{
    return ltap_build_activation(b, name, &ltap_relu, x);
}
