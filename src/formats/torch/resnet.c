/* ResNet, ResNeXt, Wide ResNet: He et al. 2015, Xie et al. 2016, Zagoruyko and Komodakis 2016, as
 * torchvision has them: a bottleneck's stride is at its 3x3 convolution.
 */
#include "formats/torch/resnet.h"
#include "formats/torch/blocks.h"

#include <stdio.h>
#include <string.h>

#define RESNET "torchvision.models.resnet."

typedef struct variant {
    const char *name;
    int blocks[4];
    bool bottleneck;
    int64_t groups, width; /* of the first block */
} variant;

static const variant variants[] = {
    {"resnet18", {2, 2, 2, 2}, false, 1, 64},
    {"resnet34", {3, 4, 6, 3}, false, 1, 64},
    {"resnet50", {3, 4, 6, 3}, true, 1, 64},
    {"resnet101", {3, 4, 23, 3}, true, 1, 64},
    {"resnet152", {3, 8, 36, 3}, true, 1, 64},
    {"resnext50_32x4d", {3, 4, 6, 3}, true, 32, 128},
    {"resnext101_32x8d", {3, 4, 23, 3}, true, 32, 256},
    {"resnext101_64x4d", {3, 4, 23, 3}, true, 64, 256},
    {"wide_resnet50_2", {3, 4, 6, 3}, true, 1, 128},
    {"wide_resnet101_2", {3, 4, 23, 3}, true, 1, 128},
};

static variant read_variant(const ltap_torch_checkpoint *c, const char *prefix)
{
    variant found = {.name = "a ResNet of its own sizes"};
    for (int i = 0; i < 4; i++)
        found.blocks[i] = ltap_torch_countf(c, "%slayer%d.", prefix, i + 1);
    const ltap_torch_tensor *conv2 = ltap_torch_findf(c, "%slayer1.0.conv2.weight", prefix);
    int64_t in = ltap_torch_dim(conv2, 1);
    found.width = ltap_torch_dim(conv2, 0);
    found.bottleneck = ltap_torch_findf(c, "%slayer1.0.conv3.weight", prefix) != NULL;
    found.groups = in > 0 ? found.width / in : 0;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *v = &variants[i];
        if (memcmp(v->blocks, found.blocks, sizeof v->blocks) == 0 && v->groups == found.groups &&
            v->bottleneck == found.bottleneck && v->width == found.width)
            found.name = v->name;
    }
    return found;
}

static ltap_signal downsample(ltap_builder *b, ltap_signal x, int64_t stride)
{
    if (ltap_build_child(b, "downsample.0.weight") == NULL)
        return x;
    ltap_build_enter(b, LTAP_SEQUENTIAL, "downsample");
    x = ltap_build_conv(b, LTAP_NEXT, x, (ltap_conv){.stride = stride, .kernel = 1, .groups = 1});
    x = ltap_build_batch_norm(b, LTAP_NEXT, x, 1e-5);
    ltap_build_leave(b);
    return x;
}

typedef struct placing {
    int64_t stride, dilation;
} placing;

static ltap_signal basic_block(ltap_builder *b, ltap_signal x, placing at)
{
    const ltap_conv first = {.stride = at.stride, .padding = 1, .kernel = 3, .groups = 1};
    const ltap_conv second = {.padding = 1, .kernel = 3, .groups = 1};
    ltap_signal y = ltap_build_conv(b, "conv1", x, first);
    y = ltap_build_batch_norm(b, "bn1", y, 1e-5);
    y = ltap_build_relu(b, "relu", y);
    y = ltap_build_conv(b, "conv2", y, second);
    y = ltap_build_batch_norm(b, "bn2", y, 1e-5);
    y = ltap_build_add(b, y, downsample(b, x, at.stride));
    return ltap_build_relu(b, "relu", y);
}

static ltap_signal bottleneck(ltap_builder *b, const variant *v, ltap_signal x, placing at)
{
    const ltap_conv pointwise = {.kernel = 1, .groups = 1};
    const ltap_conv grouped = {.stride = at.stride,
                               .padding = at.dilation,
                               .dilation = at.dilation,
                               .kernel = 3,
                               .groups = v->groups};
    ltap_signal y = ltap_build_conv(b, "conv1", x, pointwise);
    y = ltap_build_batch_norm(b, "bn1", y, 1e-5);
    y = ltap_build_relu(b, "relu", y);
    y = ltap_build_conv(b, "conv2", y, grouped);
    y = ltap_build_batch_norm(b, "bn2", y, 1e-5);
    y = ltap_build_relu(b, "relu", y);
    y = ltap_build_conv(b, "conv3", y, pointwise);
    y = ltap_build_batch_norm(b, "bn3", y, 1e-5);
    y = ltap_build_add(b, y, downsample(b, x, at.stride));
    return ltap_build_relu(b, "relu", y);
}

/* A stage; dilated: its stride has become a dilation, which blocks behind the first one have. */
static ltap_signal stage(ltap_builder *b, const variant *v, int number, ltap_signal x,
                         const placing at[2])
{
    char name[16];
    snprintf(name, sizeof name, "layer%d", number);
    ltap_build_enter(b, LTAP_SEQUENTIAL, name);
    for (int i = 0; i < v->blocks[number - 1]; i++) {
        ltap_build_enter(b, v->bottleneck ? RESNET "Bottleneck" : RESNET "BasicBlock", LTAP_NEXT);
        x = v->bottleneck ? bottleneck(b, v, x, at[i > 0]) : basic_block(b, x, at[i > 0]);
        ltap_build_leave(b);
    }
    ltap_build_leave(b);
    return x;
}

/* Of the stages' first blocks, and of the others. */
static const struct {
    int64_t output_stride;
    placing stages[4][2];
} layouts[] = {
    {32, {{{1, 1}, {1, 1}}, {{2, 1}, {1, 1}}, {{2, 1}, {1, 1}}, {{2, 1}, {1, 1}}}},
    {16, {{{1, 1}, {1, 1}}, {{2, 1}, {1, 1}}, {{2, 1}, {1, 1}}, {{1, 1}, {1, 2}}}},
    {8, {{{1, 1}, {1, 1}}, {{2, 1}, {1, 1}}, {{1, 1}, {1, 2}}, {{1, 2}, {1, 4}}}},
};

ltap_signal ltap_resnet_body(ltap_builder *b, const char *prefix, int64_t output_stride,
                             ltap_signal x, ltap_signal *layer3)
{
    size_t row = 0;
    while (row < 2 && layouts[row].output_stride != output_stride)
        row++;
    if (layouts[row].output_stride != output_stride)
        ltap_build_refuse(b, "its output_stride is %lld; expected 8, 16 or 32",
                          (long long)output_stride);
    variant v = read_variant(b->checkpoint, prefix);
    x = ltap_build_conv(b, "conv1", x, (ltap_conv){.stride = 2, .padding = 3});
    x = ltap_build_batch_norm(b, "bn1", x, 1e-5);
    x = ltap_build_relu(b, "relu", x);
    x = ltap_build_pool(b, "maxpool", x, (ltap_pool){.kernel = 3, .stride = 2, .padding = 1});
    for (int i = 0; i < 4; i++) {
        x = stage(b, &v, i + 1, x, layouts[row].stages[i]);
        if (i == 2)
            *layer3 = x;
    }
    return x;
}

bool ltap_resnet_fits(const ltap_torch_checkpoint *c, const char *prefix)
{
    const ltap_torch_tensor *stem = ltap_torch_findf(c, "%sconv1.weight", prefix);
    return ltap_torch_dim(stem, 2) == 7 && ltap_torch_dim(stem, 3) == 7 &&
           ltap_torch_findf(c, "%sbn1.running_mean", prefix) != NULL &&
           ltap_torch_findf(c, "%slayer1.0.conv2.weight", prefix) != NULL &&
           ltap_torch_findf(c, "%slayer4.0.conv2.weight", prefix) != NULL;
}

const char *ltap_resnet_name(const ltap_torch_checkpoint *c, const char *prefix)
{
    return read_variant(c, prefix).name;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_resnet_fits(c, "") && ltap_torch_findf(c, "fc.weight") != NULL;
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    variant v = read_variant(c, "");
    ltap_signal layer3;
    int64_t output_stride = 32;
    bool dilated = ltap_build_hint(b, ltap_output_stride[0].name, &output_stride);
    ltap_build_summary(b,
                       "%s by %s blocks %d, %d, %d, %d, %lld group%s of width %lld%s, %lld classes",
                       v.name, v.bottleneck ? "bottleneck" : "basic", v.blocks[0], v.blocks[1],
                       v.blocks[2], v.blocks[3], (long long)v.groups, v.groups == 1 ? "" : "s",
                       (long long)(v.groups ? v.width / v.groups : 0), dilated ? ", dilated" : "",
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "fc.weight"), 0));
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "conv1.weight"), 1));
    x = ltap_resnet_body(b, "", output_stride, x, &layer3);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    x = ltap_build_flatten(b, x);
    ltap_build_output(b, "output", ltap_build_linear(b, "fc", x), 2);
}

const ltap_architecture ltap_torch_resnet = {
    "ResNet", fits, build, LTAP_IMAGENET, LTAP_NAMES(variants), ltap_output_stride};
