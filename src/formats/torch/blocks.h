/* What torchvision.ops has, as its architectures share it. */
#ifndef LTAP_FORMATS_TORCH_BLOCKS_H
#define LTAP_FORMATS_TORCH_BLOCKS_H

#include "formats/torch/builder.h"

#define LTAP_CONV_NORM  "torchvision.ops.misc.Conv2dNormActivation"
#define LTAP_SEQUENTIAL "torch.nn.modules.container.Sequential"

/* Conv2dNormActivation: "0" a convolution that keeps the size but for its stride, "1" BatchNorm2d,
 * "2" the activation. */
typedef struct ltap_conv_norm {
    const char *class_name;            /* NULL: Conv2dNormActivation itself */
    ltap_conv conv;                    /* padding 0: LTAP_SAME */
    double epsilon;                    /* 0: 1e-5 */
    const ltap_activation *activation; /* NULL: none */
} ltap_conv_norm;
ltap_signal ltap_build_conv_norm(ltap_builder *b, const char *name, ltap_signal x,
                                 const ltap_conv_norm *layer);
/* The same three as children of the module that runs. */
ltap_signal ltap_build_conv_norm_here(ltap_builder *b, ltap_signal x, const ltap_conv_norm *layer);
/* "classifier": "0" Dropout, "1" Linear. */
ltap_signal ltap_build_classifier(ltap_builder *b, ltap_signal x);
/* SqueezeExcitation: avgpool, fc1, activation, fc2, scale_activation, then the product. */
ltap_signal ltap_build_squeeze_excitation(ltap_builder *b, const char *name, ltap_signal x,
                                          const ltap_activation *activation,
                                          const ltap_activation *scale_activation);
/* StochasticDepth, which at inference hands on what it gets. */
ltap_signal ltap_build_stochastic_depth(ltap_builder *b, const char *name, ltap_signal x);

#endif
