/* ShuffleNet v2: Ma et al. 2018, as torchvision has it. A block of stride 1 lets half of its
 * channels pass; behind each block the channels of both halves alternate. Depths and widths are in
 * the file.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"
#include "formats/torch/build.h"

#include <stdio.h>

enum { MAX_CHANNELS = 4096 };

static const ltap_conv_norm pointwise = {.conv = {.kernel = 1, .groups = 1},
                                         .activation = &ltap_relu};

static ltap_signal depthwise(ltap_builder *b, ltap_signal x, int64_t stride)
{
    const ltap_conv_norm layer = {.conv = {.stride = stride, .kernel = 3, .groups = x.channels}};
    return ltap_build_conv_norm_here(b, x, &layer);
}

static ltap_signal branch1(ltap_builder *b, ltap_signal x, int64_t stride)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "branch1");
    x = depthwise(b, x, stride);
    x = ltap_build_conv_norm_here(b, x, &pointwise);
    ltap_build_leave(b);
    return x;
}

static ltap_signal branch2(ltap_builder *b, ltap_signal x, int64_t stride)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "branch2");
    x = ltap_build_conv_norm_here(b, x, &pointwise);
    x = depthwise(b, x, stride);
    x = ltap_build_conv_norm_here(b, x, &pointwise);
    ltap_build_leave(b);
    return x;
}

/* Channels of both halves in turn. */
static ltap_signal shuffle(ltap_builder *b, ltap_signal x)
{
    int64_t order[MAX_CHANNELS];
    if (x.channels > MAX_CHANNELS || x.channels % 2 != 0) {
        ltap_build_refuse(b, "'%s' has %lld channels; expected an even number up to %d",
                          ltap_build_path(b), (long long)x.channels, MAX_CHANNELS);
        return x;
    }
    for (int64_t i = 0; i < x.channels; i++)
        order[i] = i / 2 + i % 2 * (x.channels / 2);
    uint32_t inputs[] = {x.value, ltap_build_list(b, (size_t)x.channels, order)};
    return (ltap_signal){ltap_build_op_along(b, "Gather", 1, 2, inputs), x.channels};
}

static ltap_signal block(ltap_builder *b, ltap_signal x, int64_t stride)
{
    ltap_build_enter(b, "torchvision.models.shufflenetv2.InvertedResidual", LTAP_NEXT);
    int64_t half = x.channels / 2;
    ltap_signal first = stride == 1 ? ltap_build_channels(b, x, 0, half) : branch1(b, x, stride);
    ltap_signal second =
        branch2(b, stride == 1 ? ltap_build_channels(b, x, half, half) : x, stride);
    x = shuffle(b, ltap_build_concat(b, (ltap_signal[]){first, second}, 2));
    ltap_build_leave(b);
    return x;
}

static ltap_signal stage(ltap_builder *b, int number, ltap_signal x)
{
    char name[16];
    snprintf(name, sizeof name, "stage%d", number);
    int count = ltap_torch_countf(b->checkpoint, "%s.", name);
    ltap_build_enter(b, LTAP_SEQUENTIAL, name);
    for (int i = 0; i < count; i++)
        x = block(b, x, i == 0 ? 2 : 1);
    ltap_build_leave(b);
    return x;
}

static const ltap_width shufflenets[] = {{"shufflenet_v2_x0_5", 48},
                                         {"shufflenet_v2_x1_0", 116},
                                         {"shufflenet_v2_x1_5", 176},
                                         {"shufflenet_v2_x2_0", 244}};

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "stage2.0.branch1.") && ltap_torch_any(c, "conv5.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const ltap_conv_norm first = {.class_name = LTAP_SEQUENTIAL,
                                  .conv = {.stride = 2, .kernel = 3, .groups = 1},
                                  .activation = &ltap_relu};
    const ltap_conv_norm last = {.class_name = LTAP_SEQUENTIAL,
                                 .conv = {.kernel = 1, .groups = 1},
                                 .activation = &ltap_relu};
    int64_t width = 2 * ltap_torch_dim(ltap_torch_findf(c, "stage2.0.branch2.5.weight"), 0);
    ltap_build_summary(b, "%s by %lld channels of stage2, %lld classes",
                       ltap_width_name(shufflenets, sizeof shufflenets / sizeof *shufflenets, width,
                                       "a ShuffleNet v2 of its own widths"),
                       (long long)width,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "fc.weight"), 0));
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "conv1.0.weight"), 1));
    x = ltap_build_conv_norm(b, "conv1", x, &first);
    x = ltap_build_pool(b, "maxpool", x, (ltap_pool){.kernel = 3, .stride = 2, .padding = 1});
    for (int i = 2; i <= 4; i++)
        x = stage(b, i, x);
    x = ltap_build_conv_norm(b, "conv5", x, &last);
    x = ltap_build_mean_here(b, x);
    ltap_build_output(b, "output", ltap_build_linear(b, "fc", x), 2);
}

const ltap_architecture ltap_torch_shufflenet = {
    "ShuffleNet v2", fits, build, LTAP_IMAGENET, LTAP_NAMES(shufflenets), NULL};
