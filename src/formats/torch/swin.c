/* Swin Transformer (Liu et al. 2021) and its V2 (2022), as torchvision has them. All sizes are told
 * by the shapes.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"
#include "formats/torch/windows.h"

#include <string.h>

#define SWIN "torchvision.models.swin_transformer."

enum { MAX_STAGES = 8 };

typedef struct variant {
    const char *name;
    bool cosine; /* V2 */
    int blocks[MAX_STAGES];
    int64_t width;
    const char *preprocess;
} variant;

#define BICUBIC(resize, crop) LTAP_PREPROCESS(resize, crop, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)

static const variant variants[] = {
    {"swin_t", false, {2, 2, 6, 2}, 96, BICUBIC(232, 224)},
    {"swin_s", false, {2, 2, 18, 2}, 96, BICUBIC(246, 224)},
    {"swin_b", false, {2, 2, 18, 2}, 128, BICUBIC(238, 224)},
    {"swin_v2_t", true, {2, 2, 6, 2}, 96, BICUBIC(260, 256)},
    {"swin_v2_s", true, {2, 2, 18, 2}, 96, BICUBIC(260, 256)},
    {"swin_v2_b", true, {2, 2, 18, 2}, 128, BICUBIC(272, 256)},
};

/* features: the patches, then stages with a merging in between. */
static variant read_variant(const ltap_torch_checkpoint *c)
{
    variant found = {.name = "a Swin Transformer of its own sizes",
                     .cosine = ltap_torch_any(c, "features.1.0.attn.cpb_mlp."),
                     .preprocess = BICUBIC(256, 224)};
    for (int i = 0; i < MAX_STAGES; i++)
        found.blocks[i] = ltap_torch_countf(c, "features.%d.", 2 * i + 1);
    found.width = ltap_torch_dim(ltap_torch_findf(c, "features.0.0.weight"), 0);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (memcmp(variants[i].blocks, found.blocks, sizeof found.blocks) == 0 &&
            variants[i].width == found.width && variants[i].cosine == found.cosine)
            return variants[i];
    return found;
}

/* V2 has its norms behind what V1 has them in front of. */
static ltap_signal block(ltap_builder *b, int number, ltap_signal x, bool cosine)
{
    ltap_build_enter_at(b, cosine ? SWIN "SwinTransformerBlockV2" : SWIN "SwinTransformerBlock",
                        number);
    ltap_signal y = cosine ? x : ltap_build_layer_norm(b, "norm1", x, 1e-5);
    y = ltap_build_window_attention(b, "attn", y, number % 2 == 1, cosine);
    y = cosine ? ltap_build_layer_norm(b, "norm1", y, 1e-5) : y;
    x = ltap_build_add(b, x, ltap_build_stochastic_depth(b, "stochastic_depth", y));
    y = cosine ? x : ltap_build_layer_norm(b, "norm2", x, 1e-5);
    y = ltap_build_mlp(b, "torchvision.ops.misc.MLP", "mlp", y);
    y = cosine ? ltap_build_layer_norm(b, "norm2", y, 1e-5) : y;
    x = ltap_build_add(b, x, ltap_build_stochastic_depth(b, "stochastic_depth", y));
    ltap_build_leave(b);
    return x;
}

static ltap_signal merge(ltap_builder *b, int number, ltap_signal x, bool cosine)
{
    ltap_build_enter_at(b, cosine ? SWIN "PatchMergingV2" : SWIN "PatchMerging", number);
    x = ltap_build_merge_patches(b, x);
    x = cosine ? x : ltap_build_layer_norm(b, "norm", x, 1e-5);
    x = ltap_build_linear_rows(b, "reduction", x, false);
    x = cosine ? ltap_build_layer_norm(b, "norm", x, 1e-5) : x;
    ltap_build_leave(b);
    return x;
}

static ltap_signal patches(ltap_builder *b, ltap_signal x, int64_t side)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "0");
    x = ltap_build_conv(b, "0", x,
                        (ltap_conv){.stride = side, .kernel = side, .groups = 1, .bias = true});
    x = ltap_build_permute_to_rows(b, "1", x);
    x = ltap_build_layer_norm(b, "2", x, 1e-5);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.1.0.attn.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const ltap_torch_tensor *first = ltap_torch_findf(c, "features.0.0.weight");
    variant v = read_variant(c);
    ltap_build_summary(b, "%s by blocks %d, %d, %d, %d, the first of width %lld, %lld classes",
                       v.name, v.blocks[0], v.blocks[1], v.blocks[2], v.blocks[3],
                       (long long)v.width,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "head.weight"), 0));
    b->preprocess = v.preprocess;
    ltap_signal x = ltap_build_input(b, "x", ltap_torch_dim(first, 1));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = patches(b, x, ltap_torch_dim(first, 3));
    for (int s = 0; s < MAX_STAGES && v.blocks[s] > 0; s++) {
        if (s > 0)
            x = merge(b, 2 * s, x, v.cosine);
        ltap_build_enter_at(b, LTAP_SEQUENTIAL, 2 * s + 1);
        for (int i = 0; i < v.blocks[s]; i++)
            x = block(b, i, x, v.cosine);
        ltap_build_leave(b);
    }
    ltap_build_leave(b);
    x = ltap_build_layer_norm(b, "norm", x, 1e-5);
    x = ltap_build_permute_to_image(b, "permute", x);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    x = ltap_build_flatten_module(b, "flatten", x);
    ltap_build_output(b, "output", ltap_build_linear(b, "head", x), 2);
}

const ltap_architecture ltap_torch_swin = {"Swin Transformer",   fits, build, LTAP_IMAGENET,
                                           LTAP_NAMES(variants), NULL};
