/* EfficientNet (Tan and Le 2019) and EfficientNetV2 (2021), as torchvision has them.
 *
 * Widths, depths, kernels and kinds of blocks are told by the shapes. Strides are those that all
 * variants share; the BatchNorms' epsilon is told by the variant, which the depths tell.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

#include <stdio.h>
#include <string.h>

#define EFFICIENTNET "torchvision.models.efficientnet."
#define HALVES       "\"mean\":0.5,\"std\":0.5,\"scale\":255"

enum { MAX_STAGES = 7 };

typedef struct variant {
    const char *name;
    int blocks[MAX_STAGES];
    int64_t head; /* channels before the classifier */
    double epsilon;
    const char *preprocess;
} variant;

static const variant variants[] = {
    {"efficientnet_b0",
     {1, 2, 2, 3, 3, 4, 1},
     1280,
     1e-5,
     LTAP_PREPROCESS(256, 224, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b1",
     {2, 3, 3, 4, 4, 5, 2},
     1280,
     1e-5,
     LTAP_PREPROCESS(256, 240, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b2",
     {2, 3, 3, 4, 4, 5, 2},
     1408,
     1e-5,
     LTAP_PREPROCESS(288, 288, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b3",
     {2, 3, 3, 5, 5, 6, 2},
     1536,
     1e-5,
     LTAP_PREPROCESS(320, 300, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b4",
     {2, 4, 4, 6, 6, 8, 2},
     1792,
     1e-5,
     LTAP_PREPROCESS(384, 380, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b5",
     {3, 5, 5, 7, 7, 9, 3},
     2048,
     1e-3,
     LTAP_PREPROCESS(456, 456, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b6",
     {3, 6, 6, 8, 8, 11, 3},
     2304,
     1e-3,
     LTAP_PREPROCESS(528, 528, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_b7",
     {4, 7, 7, 10, 10, 13, 4},
     2560,
     1e-3,
     LTAP_PREPROCESS(600, 600, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
    {"efficientnet_v2_s",
     {2, 4, 4, 6, 9, 15},
     1280,
     1e-3,
     LTAP_PREPROCESS(384, 384, LTAP_IMAGENET_COLOURS)},
    {"efficientnet_v2_m",
     {3, 5, 5, 7, 14, 18, 5},
     1280,
     1e-3,
     LTAP_PREPROCESS(480, 480, LTAP_IMAGENET_COLOURS)},
    {"efficientnet_v2_l",
     {4, 7, 7, 10, 19, 25, 7},
     1280,
     1e-3,
     LTAP_PREPROCESS(480, 480, LTAP_BICUBIC HALVES)},
};

/* What the file has: features are the stem, the stages, and the head's convolution. */
typedef struct found {
    int n_stages, blocks[MAX_STAGES];
    const ltap_torch_tensor *head, *classifier;
    const variant *variant; /* of these depths, or as the user says; NULL */
} found;

static found read_found(const ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    found f = {.n_stages = ltap_torch_countf(c, "features.") - 2};
    for (int i = 0; i < f.n_stages && i < MAX_STAGES; i++)
        f.blocks[i] = ltap_torch_countf(c, "features.%d.", i + 1);
    f.head = ltap_torch_findf(c, "features.%d.0.weight", f.n_stages + 1);
    f.classifier = ltap_torch_findf(c, "classifier.1.weight");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *v = &variants[i];
        bool alike = f.n_stages <= MAX_STAGES && memcmp(v->blocks, f.blocks, sizeof f.blocks) == 0;
        if (alike && (f.variant == NULL || v->head == ltap_torch_dim(f.head, 0)))
            f.variant = v;
    }
    bool few = f.n_stages >= 1 && f.n_stages <= MAX_STAGES;
    for (size_t i = 0; few && f.variant == NULL && i < sizeof variants / sizeof *variants; i++)
        if (ltap_build_is_called(b, variants[i].name))
            f.variant = &variants[i];
    return f;
}

/* Where a block stands. */
typedef struct place {
    int64_t stride;
    double epsilon;
} place;

static ltap_signal mb_conv(ltap_builder *b, ltap_signal x, int n_layers, const place *at)
{
    static const char *const names[] = {"0", "1", "2", "3"};
    const char *const *name = names;
    const ltap_conv_norm expand = {
        .conv = {.kernel = 1, .groups = 1}, .epsilon = at->epsilon, .activation = &ltap_silu};
    const ltap_conv_norm project = {.conv = {.kernel = 1, .groups = 1}, .epsilon = at->epsilon};
    if (n_layers == 4)
        x = ltap_build_conv_norm(b, *name++, x, &expand);
    const ltap_conv_norm depthwise = {.conv = {.stride = at->stride, .groups = x.channels},
                                      .epsilon = at->epsilon,
                                      .activation = &ltap_silu};
    x = ltap_build_conv_norm(b, *name++, x, &depthwise);
    x = ltap_build_squeeze_excitation(b, *name++, x, &ltap_silu, &ltap_sigmoid);
    return ltap_build_conv_norm(b, *name, x, &project);
}

static ltap_signal fused_mb_conv(ltap_builder *b, ltap_signal x, int n_layers, const place *at)
{
    const ltap_conv_norm first = {.conv = {.stride = at->stride, .groups = 1},
                                  .epsilon = at->epsilon,
                                  .activation = &ltap_silu};
    const ltap_conv_norm project = {.conv = {.kernel = 1, .groups = 1}, .epsilon = at->epsilon};
    x = ltap_build_conv_norm(b, "0", x, &first);
    return n_layers == 2 ? ltap_build_conv_norm(b, "1", x, &project) : x;
}

static ltap_signal block(ltap_builder *b, int number, ltap_signal x, const place *at)
{
    const char *path = ltap_build_path(b);
    int n_layers = ltap_torch_countf(b->checkpoint, "%s.%d.block.", path, number);
    if (n_layers < 1 || n_layers > 4)
        ltap_build_refuse(b, "'%s.%d.block.' are %d layers; expected 1 to 4", path, number,
                          n_layers);
    ltap_build_enter_at(b, n_layers > 2 ? EFFICIENTNET "MBConv" : EFFICIENTNET "FusedMBConv",
                        number);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "block");
    ltap_signal y = n_layers > 2 ? mb_conv(b, x, n_layers, at) : fused_mb_conv(b, x, n_layers, at);
    ltap_build_leave(b);
    if (at->stride == 1 && x.channels == y.channels)
        y = ltap_build_add(b, ltap_build_stochastic_depth(b, "stochastic_depth", y), x);
    ltap_build_leave(b);
    return y;
}

static ltap_signal build_features(ltap_builder *b, const found *f, double epsilon, ltap_signal x)
{
    static const int64_t strides[MAX_STAGES] = {1, 2, 2, 2, 1, 2, 1};
    const ltap_conv_norm stem = {.conv = {.stride = 2, .kernel = 3, .groups = 1},
                                 .epsilon = epsilon,
                                 .activation = &ltap_silu};
    const ltap_conv_norm head = {
        .conv = {.kernel = 1, .groups = 1}, .epsilon = epsilon, .activation = &ltap_silu};
    char last[16];
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = ltap_build_conv_norm(b, "0", x, &stem);
    for (int s = 0; s < f->n_stages; s++) {
        ltap_build_enter_at(b, LTAP_SEQUENTIAL, s + 1);
        for (int i = 0; i < f->blocks[s]; i++)
            x = block(b, i, x, &(place){i == 0 ? strides[s] : 1, epsilon});
        ltap_build_leave(b);
    }
    snprintf(last, sizeof last, "%d", f->n_stages + 1);
    x = ltap_build_conv_norm(b, last, x, &head);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.1.0.block.0.0.") ||
           ltap_torch_any(c, "features.1.0.block.0.1.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    found f = read_found(b);
    if (f.variant == NULL) {
        ltap_build_refuse(b,
                          "it has %d stages of depths that no variant has, so that the epsilon "
                          "of its BatchNorms cannot be told (say which has it: --arch "
                          "efficientnet_b0 for 1e-5, efficientnet_v2_s for 1e-3)",
                          f.n_stages);
        return;
    }
    bool whole = f.variant->head == ltap_torch_dim(f.head, 0) &&
                 memcmp(f.variant->blocks, f.blocks, sizeof f.blocks) == 0;
    ltap_build_summary(b, "%s%s, %lld channels before %lld classes", f.variant->name,
                       whole ? "" : " of its own sizes", (long long)ltap_torch_dim(f.head, 0),
                       (long long)ltap_torch_dim(f.classifier, 0));
    b->preprocess = f.variant->preprocess;
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "features.0.0.weight"), 1));
    x = build_features(b, &f, f.variant->epsilon, x);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    x = ltap_build_classifier(b, ltap_build_flatten(b, x));
    ltap_build_output(b, "output", x, 2);
}

const ltap_architecture ltap_torch_efficientnet = {"EfficientNet",       fits, build, LTAP_IMAGENET,
                                                   LTAP_NAMES(variants), NULL};
