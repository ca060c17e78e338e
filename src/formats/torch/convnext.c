/* ConvNeXt (Liu et al. 2022), as torchvision has it. All sizes are told by the shapes. */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"
#include "formats/torch/build.h"
#include "formats/torch/rows.h"

#include <string.h>

#define CONVNEXT "torchvision.models.convnext."

enum { MAX_STAGES = 8 };

typedef struct variant {
    const char *name;
    int blocks[MAX_STAGES];
    int64_t width;
    const char *preprocess;
} variant;

static const variant variants[] = {
    {"convnext_tiny", {3, 3, 9, 3}, 96, LTAP_PREPROCESS(236, 224, LTAP_IMAGENET_COLOURS)},
    {"convnext_small", {3, 3, 27, 3}, 96, LTAP_PREPROCESS(230, 224, LTAP_IMAGENET_COLOURS)},
    {"convnext_base", {3, 3, 27, 3}, 128, LTAP_PREPROCESS(232, 224, LTAP_IMAGENET_COLOURS)},
    {"convnext_large", {3, 3, 27, 3}, 192, LTAP_PREPROCESS(232, 224, LTAP_IMAGENET_COLOURS)},
};

/* features: the stem, then stages with a halving in between. */
static variant read_variant(const ltap_torch_checkpoint *c)
{
    variant found = {.name = "a ConvNeXt of its own sizes", .preprocess = LTAP_IMAGENET};
    for (int i = 0; i < MAX_STAGES; i++)
        found.blocks[i] = ltap_torch_countf(c, "features.%d.", 2 * i + 1);
    found.width = ltap_torch_dim(ltap_torch_findf(c, "features.0.0.weight"), 0);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (memcmp(variants[i].blocks, found.blocks, sizeof found.blocks) == 0 &&
            variants[i].width == found.width)
            return variants[i];
    return found;
}

static ltap_signal layer_norm_2d(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_build_enter(b, CONVNEXT "LayerNorm2d", name);
    x = ltap_build_layer_norm_here(b, ltap_build_to_rows(b, x), 1e-6);
    x = ltap_build_to_image(b, x);
    ltap_build_leave(b);
    return x;
}

static ltap_signal block(ltap_builder *b, int number, ltap_signal x)
{
    ltap_build_enter_at(b, CONVNEXT "CNBlock", number);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "block");
    ltap_signal y = ltap_build_conv(
        b, "0", x,
        (ltap_conv){.padding = LTAP_SAME, .kernel = 7, .groups = x.channels, .bias = true});
    y = ltap_build_permute_to_rows(b, "1", y);
    y = ltap_build_layer_norm(b, "2", y, 1e-6);
    y = ltap_build_linear_rows(b, "3", y, true);
    y = ltap_build_activation(b, "4", &ltap_gelu, y);
    y = ltap_build_linear_rows(b, "5", y, true);
    y = ltap_build_permute_to_image(b, "6", y);
    ltap_build_leave(b);
    uint32_t scale;
    ltap_build_shaped(b, "layer_scale", 3, (int64_t[]){y.channels, 1, 1}, &scale);
    y = ltap_build_multiply(b, (ltap_signal){scale, y.channels}, y);
    y = ltap_build_stochastic_depth(b, "stochastic_depth", y);
    x = ltap_build_add(b, y, x);
    ltap_build_leave(b);
    return x;
}

static ltap_signal halve(ltap_builder *b, int number, ltap_signal x)
{
    ltap_build_enter_at(b, LTAP_SEQUENTIAL, number);
    x = layer_norm_2d(b, "0", x);
    x = ltap_build_conv(b, "1", x,
                        (ltap_conv){.stride = 2, .kernel = 2, .groups = 1, .bias = true});
    ltap_build_leave(b);
    return x;
}

static ltap_signal stem(ltap_builder *b, ltap_signal x)
{
    ltap_build_enter(b, LTAP_CONV_NORM, "0");
    x = ltap_build_conv(b, "0", x,
                        (ltap_conv){.stride = 4, .kernel = 4, .groups = 1, .bias = true});
    x = layer_norm_2d(b, "1", x);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.1.0.block.5."); /* an EfficientNet's blocks have less */
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    variant v = read_variant(c);
    ltap_build_summary(b, "%s by blocks %d, %d, %d, %d, the first of width %lld, %lld classes",
                       v.name, v.blocks[0], v.blocks[1], v.blocks[2], v.blocks[3],
                       (long long)v.width,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.2.weight"), 0));
    b->preprocess = v.preprocess;
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "features.0.0.weight"), 1));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = stem(b, x);
    for (int s = 0; s < MAX_STAGES && v.blocks[s] > 0; s++) {
        if (s > 0)
            x = halve(b, 2 * s, x);
        ltap_build_enter_at(b, LTAP_SEQUENTIAL, 2 * s + 1);
        for (int i = 0; i < v.blocks[s]; i++)
            x = block(b, i, x);
        ltap_build_leave(b);
    }
    ltap_build_leave(b);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = layer_norm_2d(b, "0", x);
    x = ltap_build_flatten_module(b, "1", x);
    x = ltap_build_linear(b, "2", x);
    ltap_build_leave(b);
    ltap_build_output(b, "output", x, 2);
}

const ltap_architecture ltap_torch_convnext = {"ConvNeXt",           fits, build, LTAP_IMAGENET,
                                               LTAP_NAMES(variants), NULL};
