/* RegNet X and Y (Radosavovic et al. 2020), as torchvision has them: Y has a squeeze and excitation
 * in each block. Depths, widths and groups are told by the shapes; the first block of a stage has a
 * stride of 2, the others 1.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

#include <stdio.h>
#include <string.h>

#define REGNET "torchvision.models.regnet."

enum { MAX_STAGES = 8 };

typedef struct variant {
    const char *name;
    int blocks[MAX_STAGES];
    int64_t width, group; /* channels of the first stage, and of a group in it */
    bool excited;         /* Y */
} variant;

static const variant variants[] = {
    {"regnet_x_400mf", {1, 2, 7, 12}, 32, 16, false},
    {"regnet_x_800mf", {1, 3, 7, 5}, 64, 16, false},
    {"regnet_x_1_6gf", {2, 4, 10, 2}, 72, 24, false},
    {"regnet_x_3_2gf", {2, 6, 15, 2}, 96, 48, false},
    {"regnet_x_8gf", {2, 5, 15, 1}, 80, 80, false},
    {"regnet_x_16gf", {2, 6, 13, 1}, 256, 128, false},
    {"regnet_x_32gf", {2, 7, 13, 1}, 336, 168, false},
    {"regnet_y_400mf", {1, 3, 6, 6}, 48, 8, true},
    {"regnet_y_800mf", {1, 3, 8, 2}, 64, 16, true},
    {"regnet_y_1_6gf", {2, 6, 17, 2}, 48, 24, true},
    {"regnet_y_3_2gf", {2, 5, 13, 1}, 72, 24, true},
    {"regnet_y_8gf", {2, 4, 10, 1}, 224, 56, true},
    {"regnet_y_16gf", {2, 4, 11, 1}, 224, 112, true},
    {"regnet_y_32gf", {2, 5, 12, 1}, 232, 232, true},
    {"regnet_y_128gf", {2, 7, 17, 1}, 528, 264, true},
};

/* The grouped convolution of a stage's first block. */
static const ltap_torch_tensor *grouped(const ltap_torch_checkpoint *c, int stage)
{
    return ltap_torch_findf(c, "trunk_output.block%d.block%d-0.f.b.0.weight", stage, stage);
}

static variant read_variant(const ltap_torch_checkpoint *c)
{
    const ltap_torch_tensor *first = grouped(c, 1);
    variant found = {.name = "a RegNet of its own sizes",
                     .width = ltap_torch_dim(first, 0),
                     .group = ltap_torch_dim(first, 1),
                     .excited = ltap_torch_any(c, "trunk_output.block1.block1-0.f.se.")};
    for (int i = 0; i < MAX_STAGES; i++)
        found.blocks[i] = ltap_torch_countf(c, "trunk_output.block%d.block%d-", i + 1, i + 1);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *v = &variants[i];
        if (memcmp(v->blocks, found.blocks, sizeof v->blocks) == 0 && v->width == found.width &&
            v->group == found.group && v->excited == found.excited)
            found.name = v->name;
    }
    return found;
}

/* groups: of the 3x3 convolution; stride: its too. */
static ltap_signal bottleneck(ltap_builder *b, ltap_signal x, int64_t stride, int64_t group,
                              bool excited)
{
    const ltap_conv pointwise = {.kernel = 1, .groups = 1};
    ltap_build_enter(b, REGNET "BottleneckTransform", "f");
    x = ltap_build_conv_norm(b, "a", x,
                             &(ltap_conv_norm){.conv = pointwise, .activation = &ltap_relu});
    x = ltap_build_conv_norm(
        b, "b", x,
        &(ltap_conv_norm){
            .conv = {.stride = stride, .kernel = 3, .groups = group ? x.channels / group : 1},
            .activation = &ltap_relu});
    if (excited)
        x = ltap_build_squeeze_excitation(b, "se", x, &ltap_relu, &ltap_sigmoid);
    x = ltap_build_conv_norm(b, "c", x, &(ltap_conv_norm){.conv = pointwise});
    ltap_build_leave(b);
    return x;
}

static ltap_signal stage(ltap_builder *b, const variant *v, int number, ltap_signal x)
{
    char name[32];
    int64_t group = ltap_torch_dim(grouped(b->checkpoint, number), 1);
    snprintf(name, sizeof name, "block%d", number);
    ltap_build_enter(b, REGNET "AnyStage", name);
    for (int i = 0; i < v->blocks[number - 1]; i++) {
        ltap_conv_norm halve = {.conv = {.stride = 2, .kernel = 1, .groups = 1}};
        snprintf(name, sizeof name, "block%d-%d", number, i);
        ltap_build_enter(b, REGNET "ResBottleneckBlock", name);
        ltap_signal y = i == 0 ? ltap_build_conv_norm(b, "proj", x, &halve) : x;
        x = ltap_build_add(b, y, bottleneck(b, x, i == 0 ? 2 : 1, group, v->excited));
        x = ltap_build_relu(b, "activation", x);
        ltap_build_leave(b);
    }
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "trunk_output.block1.block1-0.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const ltap_conv_norm stem = {.class_name = REGNET "SimpleStemIN",
                                 .conv = {.stride = 2, .kernel = 3, .groups = 1},
                                 .activation = &ltap_relu};
    variant v = read_variant(c);
    ltap_build_summary(b, "%s by blocks %d, %d, %d, %d%s, groups of %lld, %lld classes", v.name,
                       v.blocks[0], v.blocks[1], v.blocks[2], v.blocks[3],
                       v.excited ? " with squeeze and excitation" : "", (long long)v.group,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "fc.weight"), 0));
    if (strcmp(v.name, "regnet_y_128gf") == 0)
        b->preprocess = LTAP_PREPROCESS(384, 384, LTAP_BICUBIC LTAP_IMAGENET_COLOURS);
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "stem.0.weight"), 1));
    x = ltap_build_conv_norm(b, "stem", x, &stem);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "trunk_output");
    for (int i = 0; i < MAX_STAGES && v.blocks[i] > 0; i++)
        x = stage(b, &v, i + 1, x);
    ltap_build_leave(b);
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    x = ltap_build_flatten(b, x);
    ltap_build_output(b, "output", ltap_build_linear(b, "fc", x), 2);
}

const ltap_architecture ltap_torch_regnet = {
    "RegNet", fits, build, LTAP_IMAGENET, LTAP_NAMES(variants), NULL};
