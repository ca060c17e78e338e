/* MobileNet v3: Howard et al. 2019, as torchvision has it. Widths, and where a block widens its
 * input first, are in the file; strides and activations are not: they are those of the large or the
 * small network, told apart by their number of blocks.
 */
#include "formats/torch/mobilenet_v3.h"

#include "formats/torch/blocks.h"
#include <stdio.h>

#define EPSILON 0.001

typedef struct block {
    int64_t kernel, stride;
    bool squeezes;
    const ltap_activation *activation;
} block;

typedef struct variant {
    const char *name, *resized_name;
    int64_t out; /* of the last block, unless it has widths of its own */
    int n_blocks;
    int dilated_from, low; /* blocks */
    const block *blocks;
} variant;

static const block large[] = {{3, 1, false, &ltap_relu},       {3, 2, false, &ltap_relu},
                              {3, 1, false, &ltap_relu},       {5, 2, true, &ltap_relu},
                              {5, 1, true, &ltap_relu},        {5, 1, true, &ltap_relu},
                              {3, 2, false, &ltap_hard_swish}, {3, 1, false, &ltap_hard_swish},
                              {3, 1, false, &ltap_hard_swish}, {3, 1, false, &ltap_hard_swish},
                              {3, 1, true, &ltap_hard_swish},  {3, 1, true, &ltap_hard_swish},
                              {5, 2, true, &ltap_hard_swish},  {5, 1, true, &ltap_hard_swish},
                              {5, 1, true, &ltap_hard_swish}};

static const block small[] = {
    {3, 2, true, &ltap_relu},       {3, 2, false, &ltap_relu},      {3, 1, false, &ltap_relu},
    {5, 2, true, &ltap_hard_swish}, {5, 1, true, &ltap_hard_swish}, {5, 1, true, &ltap_hard_swish},
    {5, 1, true, &ltap_hard_swish}, {5, 1, true, &ltap_hard_swish}, {5, 2, true, &ltap_hard_swish},
    {5, 1, true, &ltap_hard_swish}, {5, 1, true, &ltap_hard_swish}};

static const variant variants[] = {
    {"mobilenet_v3_large", "a mobilenet_v3_large of its own widths", 160, 15, 12, 3, large},
    {"mobilenet_v3_small", "a mobilenet_v3_small of its own widths", 96, 11, 8, 1, small},
};

/* NULL: it has another number of blocks. */
static const variant *find_variant(const ltap_torch_checkpoint *c, const char *prefix)
{
    int blocks = ltap_torch_countf(c, "%s", prefix) - 2; /* the first and the last are plain */
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (variants[i].n_blocks == blocks)
            return &variants[i];
    return NULL;
}

static ltap_signal convolutions(ltap_builder *b, ltap_signal x, const block *k, int64_t dilation)
{
    const ltap_conv pointwise = {.kernel = 1, .groups = 1};
    const ltap_conv_norm expand = {
        .conv = pointwise, .epsilon = EPSILON, .activation = k->activation};
    const ltap_conv_norm project = {.conv = pointwise, .epsilon = EPSILON};
    if (ltap_torch_dim(ltap_build_child(b, "0.0.weight"), 2) == 1)
        x = ltap_build_conv_norm(b, LTAP_NEXT, x, &expand);
    const ltap_conv_norm depthwise = {.conv = {.stride = dilation > 1 ? 1 : k->stride,
                                               .dilation = dilation,
                                               .kernel = k->kernel,
                                               .groups = x.channels},
                                      .epsilon = EPSILON,
                                      .activation = k->activation};
    x = ltap_build_conv_norm(b, LTAP_NEXT, x, &depthwise);
    if (k->squeezes)
        x = ltap_build_squeeze_excitation(b, LTAP_NEXT, x, &ltap_relu, &ltap_hard_sigmoid);
    return ltap_build_conv_norm(b, LTAP_NEXT, x, &project);
}

static ltap_signal inverted_residual(ltap_builder *b, ltap_signal x, const block *k,
                                     int64_t dilation)
{
    ltap_build_enter(b, "torchvision.models.mobilenetv3.InvertedResidual", LTAP_NEXT);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "block");
    ltap_signal y = convolutions(b, x, k, dilation);
    ltap_build_leave(b);
    if (k->stride == 1 && y.channels == x.channels)
        y = ltap_build_add(b, y, x);
    ltap_build_leave(b);
    return y;
}

ltap_signal ltap_mobilenet_v3_body(ltap_builder *b, const char *prefix, int64_t output_stride,
                                   ltap_signal x, ltap_signal *low)
{
    const ltap_conv_norm first = {.conv = {.stride = 2, .kernel = 3, .groups = 1},
                                  .epsilon = EPSILON,
                                  .activation = &ltap_hard_swish};
    const ltap_conv_norm last = {
        .conv = {.kernel = 1, .groups = 1}, .epsilon = EPSILON, .activation = &ltap_hard_swish};
    const variant *v = find_variant(b->checkpoint, prefix);
    *low = x;
    if (v == NULL) {
        ltap_build_refuse(b, "'%s' are %d layers; expected 17 (large) or 13 (small)", prefix,
                          ltap_torch_countf(b->checkpoint, "%s", prefix));
        return x;
    }
    if (output_stride != 32 && output_stride != 16)
        ltap_build_refuse(b, "its output_stride is %lld; expected 16 or 32",
                          (long long)output_stride);
    x = ltap_build_conv_norm(b, LTAP_NEXT, x, &first);
    for (int i = 0; i < v->n_blocks; i++) {
        x = inverted_residual(b, x, &v->blocks[i],
                              output_stride == 16 && i >= v->dilated_from ? 2 : 1);
        if (i == v->low)
            *low = x;
    }
    return ltap_build_conv_norm(b, LTAP_NEXT, x, &last);
}

bool ltap_mobilenet_v3_fits(const ltap_torch_checkpoint *c, const char *prefix)
{
    char first[64];
    snprintf(first, sizeof first, "%s1.block.0.0.", prefix);
    return ltap_torch_any(c, first);
}

const char *ltap_mobilenet_v3_name(const ltap_torch_checkpoint *c, const char *prefix)
{
    const variant *v = find_variant(c, prefix);
    if (v == NULL)
        return "a MobileNet v3 of its own depth";
    const ltap_torch_tensor *last = ltap_torch_findf(c, "%s%d.0.weight", prefix, v->n_blocks + 1);
    return ltap_torch_dim(last, 1) == v->out ? v->name : v->resized_name;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_mobilenet_v3_fits(c, "features.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    ltap_signal low;
    int64_t output_stride = 32;
    bool dilated = ltap_build_hint(b, ltap_output_stride[0].name, &output_stride);
    ltap_build_summary(b, "%s by %d blocks%s, %lld classes", ltap_mobilenet_v3_name(c, "features."),
                       ltap_torch_countf(c, "features.") - 2, dilated ? ", dilated" : "",
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.3.weight"), 0));
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "features.0.0.weight"), 1));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = ltap_mobilenet_v3_body(b, "features.", output_stride, x, &low);
    ltap_build_leave(b);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    x = ltap_build_flatten(b, x);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = ltap_build_linear(b, LTAP_NEXT, x);
    x = ltap_build_activation(b, LTAP_NEXT, &ltap_hard_swish, x);
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    ltap_build_leave(b);
    ltap_build_output(b, "output", x, 2);
}

const ltap_architecture ltap_torch_mobilenet_v3 = {
    "MobileNet v3", fits, build, LTAP_IMAGENET, LTAP_NAMES(variants), ltap_output_stride};
