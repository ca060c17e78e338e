/* torchvision's own layers; see blocks.h. */
#include "formats/torch/blocks.h"

#define OPS "torchvision.ops."

ltap_signal ltap_build_conv_norm_here(ltap_builder *b, ltap_signal x, const ltap_conv_norm *layer)
{
    ltap_conv conv = layer->conv;
    conv.padding = conv.padding != 0 ? conv.padding : LTAP_SAME;
    x = ltap_build_conv(b, LTAP_NEXT, x, conv);
    x = ltap_build_batch_norm(b, LTAP_NEXT, x, layer->epsilon != 0 ? layer->epsilon : 1e-5);
    return layer->activation ? ltap_build_activation(b, LTAP_NEXT, layer->activation, x) : x;
}

ltap_signal ltap_build_conv_norm(ltap_builder *b, const char *name, ltap_signal x,
                                 const ltap_conv_norm *layer)
{
    ltap_build_enter(b, layer->class_name ? layer->class_name : LTAP_CONV_NORM, name);
    x = ltap_build_conv_norm_here(b, x, layer);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_classifier(ltap_builder *b, ltap_signal x)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
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
