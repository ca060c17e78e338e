/* MobileNet v2: Sandler et al. 2018, as torchvision has it. Widths are in the file; strides are
 * those of the one layout that it has.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

static const ltap_conv pointwise = {.kernel = 1, .groups = 1};

static ltap_signal inverted_residual(ltap_builder *b, ltap_signal x, int64_t stride)
{
    const ltap_conv_norm widen = {.conv = pointwise, .activation = &ltap_relu6};
    ltap_signal y = x;
    ltap_build_enter(b, "torchvision.models.mobilenetv2.InvertedResidual", LTAP_NEXT);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "conv");
    if (ltap_torch_dim(ltap_build_child(b, "0.0.weight"), 2) == 1)
        y = ltap_build_conv_norm(b, LTAP_NEXT, y, &widen);
    const ltap_conv_norm depthwise = {.conv = {.stride = stride, .kernel = 3, .groups = y.channels},
                                      .activation = &ltap_relu6};
    y = ltap_build_conv_norm(b, LTAP_NEXT, y, &depthwise);
    y = ltap_build_conv(b, LTAP_NEXT, y, pointwise);
    y = ltap_build_batch_norm(b, LTAP_NEXT, y, 1e-5);
    ltap_build_leave(b);
    if (stride == 1 && y.channels == x.channels)
        y = ltap_build_add(b, x, y);
    ltap_build_leave(b);
    return y;
}

enum { N_BLOCKS = 17 };

static ltap_signal features(ltap_builder *b, ltap_signal x)
{
    static const int64_t strides[N_BLOCKS] = {1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1};
    const ltap_conv_norm first = {.conv = {.stride = 2, .kernel = 3, .groups = 1},
                                  .activation = &ltap_relu6};
    const ltap_conv_norm last = {.conv = pointwise, .activation = &ltap_relu6};
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = ltap_build_conv_norm(b, LTAP_NEXT, x, &first);
    for (int i = 0; i < N_BLOCKS; i++)
        x = inverted_residual(b, x, strides[i]);
    x = ltap_build_conv_norm(b, LTAP_NEXT, x, &last);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.1.conv.0.0.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const ltap_torch_tensor *first = ltap_torch_findf(c, "features.0.0.weight");
    int count = ltap_torch_countf(c, "features.");
    if (count != N_BLOCKS + 2)
        ltap_build_refuse(b, "'features' are %d layers; expected %d", count, N_BLOCKS + 2);
    ltap_build_summary(b, "mobilenet_v2 of width %.4g, %lld classes",
                       (double)ltap_torch_dim(first, 0) / 32,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.1.weight"), 0));
    ltap_signal x = features(b, ltap_build_input(b, "x", ltap_torch_dim(first, 1)));
    x = ltap_build_flatten(b, ltap_build_global_pool_here(b, x));
    ltap_build_output(b, "output", ltap_build_classifier(b, x), 2);
}

static const char *const names[] = {"mobilenet_v2"};

const ltap_architecture ltap_torch_mobilenet_v2 = {"MobileNet v2",    fits, build, LTAP_IMAGENET,
                                                   LTAP_NAMES(names), NULL};
