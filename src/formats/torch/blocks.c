/* torchvision's own layers; see blocks.h. */
#include "formats/torch/blocks.h"

#define OPS "torchvision.ops."

ltap_signal ltap_build_conv_norm(ltap_builder *b, const char *name, ltap_signal x,
                                 const ltap_conv_norm *layer)
{
    ltap_conv conv = layer->conv;
    conv.padding = conv.padding != 0 ? conv.padding : LTAP_SAME;
    ltap_build_enter(b, layer->class_name ? layer->class_name : LTAP_CONV_NORM, name);
    x = ltap_build_conv(b, LTAP_NEXT, x, conv);
    x = ltap_build_batch_norm(b, LTAP_NEXT, x, layer->epsilon != 0 ? layer->epsilon : 1e-5);
    if (layer->activation != NULL)
        x = ltap_build_activation(b, LTAP_NEXT, layer->activation, x);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_squeeze_excitation(ltap_builder *b, const char *name, ltap_signal x,
                                          const ltap_activation *activation,
                                          const ltap_activation *scale_activation)
{
    ltap_conv pointwise = {.kernel = 1, .groups = 1, .bias = true};
    ltap_build_enter(b, OPS "misc.SqueezeExcitation", name);
    ltap_signal scale = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    scale = ltap_build_conv(b, "fc1", scale, pointwise);
    scale = ltap_build_activation(b, "activation", activation, scale);
    scale = ltap_build_conv(b, "fc2", scale, pointwise);
    scale = ltap_build_activation(b, "scale_activation", scale_activation, scale);
    if (scale.channels != x.channels)
        ltap_build_refuse(b, "'%s.fc2' makes %lld channels; expected %lld", ltap_build_path(b),
                          (long long)scale.channels, (long long)x.channels);
    x = ltap_build_multiply(b, scale, x);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_stochastic_depth(ltap_builder *b, const char *name, ltap_signal x)
{
    return ltap_build_identity(b, OPS "stochastic_depth.StochasticDepth", name, x);
}
