/* GoogLeNet (Szegedy et al. 2014) and Inception v3 (2015), as torchvision has them. Kernels and
 * strides are theirs, widths are in the file.
 *
 * Heads for training (aux1, AuxLogits) may be in the file: evaluation never runs them, so they have
 * no layers. Whether pictures that are normalised as ImageNet's are normalised anew
 * (transform_input, which torchvision's released weights are used with) is in no file: unless the
 * user says so, the network begins with its first convolution, and pictures are prepared the other
 * way at once.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"
#include "formats/torch/build.h"

#define GOOGLENET "torchvision.models.googlenet."
#define INCEPTION "torchvision.models.inception."
#define HALVES    "\"mean\":0.5,\"std\":0.5,\"scale\":255"

static const ltap_pool halve = {.kernel = 3, .stride = 2};
static const ltap_pool around = {.kernel = 3, .stride = 1, .padding = 1, .average = true};

/* Both networks' BasicConv2d. */
static ltap_signal basic_conv(ltap_builder *b, const char *class_name, const char *name,
                              ltap_signal x, ltap_conv conv)
{
    conv.groups = 1;
    ltap_build_enter(b, class_name, name);
    x = ltap_build_conv(b, "conv", x, conv);
    x = ltap_build_batch_norm(b, "bn", x, 0.001);
    x = ltap_build_relu_here(b, x);
    ltap_build_leave(b);
    return x;
}

static ltap_signal google_conv(ltap_builder *b, const char *name, ltap_signal x, int64_t kernel,
                               int64_t stride)
{
    return basic_conv(b, GOOGLENET "BasicConv2d", name, x,
                      (ltap_conv){.stride = stride, .padding = LTAP_SAME, .kernel = kernel});
}

static ltap_signal google_branch(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, name);
    x = google_conv(b, LTAP_NEXT, x, 1, 1);
    x = google_conv(b, LTAP_NEXT, x, 3, 1);
    ltap_build_leave(b);
    return x;
}

static ltap_signal google_block(ltap_builder *b, const char *name, ltap_signal x)
{
    const ltap_pool pool = {.kernel = 3, .stride = 1, .padding = 1, .ceil = true};
    ltap_signal parts[4];
    ltap_build_enter(b, GOOGLENET "Inception", name);
    parts[0] = google_conv(b, "branch1", x, 1, 1);
    parts[1] = google_branch(b, "branch2", x);
    parts[2] = google_branch(b, "branch3", x);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "branch4");
    parts[3] = google_conv(b, "1", ltap_build_pool(b, "0", x, pool), 1, 1);
    ltap_build_leave(b);
    x = ltap_build_concat(b, parts, 4);
    ltap_build_leave(b);
    return x;
}

static ltap_signal google_blocks(ltap_builder *b, const char *const *names, ltap_signal x)
{
    for (; *names != NULL; names++)
        x = google_block(b, *names, x);
    return x;
}

/* What both end with, but for the order of two layers that change nothing. */
static void classify(ltap_builder *b, ltap_signal x, bool flatten_first)
{
    x = ltap_build_adaptive_pool(b, "avgpool", x, 1);
    if (flatten_first)
        x = ltap_build_flatten(b, x);
    x = ltap_build_dropout(b, "dropout", x);
    if (!flatten_first)
        x = ltap_build_flatten(b, x);
    ltap_build_output(b, "output", ltap_build_linear(b, "fc", x), 2);
}

static long long classes(const ltap_builder *b)
{
    return (long long)ltap_torch_dim(ltap_torch_findf(b->checkpoint, "fc.weight"), 0);
}

/* From ImageNet's mean and std to 0.5 and 0.5, channel by channel as PyTorch does it. */
static ltap_signal transform(ltap_builder *b, ltap_signal x)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    ltap_signal parts[3];
    for (int i = 0; i < 3; i++) {
        ltap_signal part = ltap_build_channels(b, x, i, 1);
        ltap_signal scale = {ltap_build_number(b, (float)(std[i] / 0.5)), 1};
        ltap_signal shift = {ltap_build_number(b, (float)((mean[i] - 0.5) / 0.5)), 1};
        parts[i] = ltap_build_add(b, ltap_build_multiply(b, part, scale), shift);
    }
    return ltap_build_concat(b, parts, 3);
}

static const char transform_input[] = "transform_input";
static const ltap_arch_hint hints[] = {{transform_input, 0}, {NULL, 0}};

/* What the first convolution gets. preprocess: for a transformed one. */
static ltap_signal input(ltap_builder *b, const char *name, const char *weight,
                         const char *preprocess)
{
    int64_t channels = ltap_torch_dim(ltap_torch_findf(b->checkpoint, "%s", weight), 1);
    ltap_signal x = ltap_build_input(b, "x", channels);
    bool transformed = ltap_build_hint(b, transform_input, NULL);
    ltap_build_summary(b, "%s with%s transform_input, %lld classes", name, transformed ? "" : "out",
                       classes(b));
    if (!transformed)
        return x;
    if (channels != 3)
        ltap_build_refuse(b, "'%s' has %lld channels; transform_input is for 3", weight,
                          (long long)channels);
    b->preprocess = preprocess;
    return transform(b, x);
}

static bool fits_googlenet(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "inception3a.branch1.conv.");
}

static void build_googlenet(ltap_builder *b)
{
    static const char *const three[] = {"inception3a", "inception3b", NULL};
    static const char *const four[] = {"inception4a", "inception4b", "inception4c",
                                       "inception4d", "inception4e", NULL};
    static const char *const five[] = {"inception5a", "inception5b", NULL};
    const ltap_pool pool = {.kernel = 3, .stride = 2, .ceil = true};
    const ltap_pool small = {.kernel = 2, .stride = 2, .ceil = true};
    ltap_torch_skip(b->checkpoint, "aux1.");
    ltap_torch_skip(b->checkpoint, "aux2.");
    ltap_signal x = input(b, "googlenet", "conv1.conv.weight", LTAP_IMAGENET);
    x = google_conv(b, "conv1", x, 7, 2);
    x = ltap_build_pool(b, "maxpool1", x, pool);
    x = google_conv(b, "conv2", x, 1, 1);
    x = google_conv(b, "conv3", x, 3, 1);
    x = ltap_build_pool(b, "maxpool2", x, pool);
    x = google_blocks(b, three, x);
    x = ltap_build_pool(b, "maxpool3", x, pool);
    x = google_blocks(b, four, x);
    x = ltap_build_pool(b, "maxpool4", x, small);
    x = google_blocks(b, five, x);
    classify(b, x, true);
}

/* Inception v3's blocks as lists. A step reads the block's input and begins a branch, or reads the
 * step before, or what that one read. What no step reads is joined, in this order. */
typedef enum from { INPUT, BEFORE, BESIDE } from;
typedef struct step {
    from from;
    const char *name;      /* of a convolution */
    const ltap_pool *pool; /* else */
    int64_t height, width;
    int64_t stride; /* 2: without padding; 0: the list ends */
} step;

#define MAX_STEPS 11
#define POOL(pool)                                                                                 \
    {                                                                                              \
        INPUT, NULL, pool, 0, 0, 1                                                                 \
    }
#define CONV(from, name, height, width)                                                            \
    {                                                                                              \
        from, name, NULL, height, width, 1                                                         \
    }
#define HALVE(from, name)                                                                          \
    {                                                                                              \
        from, name, NULL, 3, 3, 2                                                                  \
    }

typedef struct inception {
    const char *class_name;
    step steps[MAX_STEPS];
} inception;

static const inception block_a = {
    INCEPTION "InceptionA",
    {CONV(INPUT, "branch1x1", 1, 1), CONV(INPUT, "branch5x5_1", 1, 1),
     CONV(BEFORE, "branch5x5_2", 5, 5), CONV(INPUT, "branch3x3dbl_1", 1, 1),
     CONV(BEFORE, "branch3x3dbl_2", 3, 3), CONV(BEFORE, "branch3x3dbl_3", 3, 3), POOL(&around),
     CONV(BEFORE, "branch_pool", 1, 1)}};
static const inception block_b = {INCEPTION "InceptionB",
                                  {HALVE(INPUT, "branch3x3"), CONV(INPUT, "branch3x3dbl_1", 1, 1),
                                   CONV(BEFORE, "branch3x3dbl_2", 3, 3),
                                   HALVE(BEFORE, "branch3x3dbl_3"), POOL(&halve)}};
static const inception block_c = {
    INCEPTION "InceptionC",
    {CONV(INPUT, "branch1x1", 1, 1), CONV(INPUT, "branch7x7_1", 1, 1),
     CONV(BEFORE, "branch7x7_2", 1, 7), CONV(BEFORE, "branch7x7_3", 7, 1),
     CONV(INPUT, "branch7x7dbl_1", 1, 1), CONV(BEFORE, "branch7x7dbl_2", 7, 1),
     CONV(BEFORE, "branch7x7dbl_3", 1, 7), CONV(BEFORE, "branch7x7dbl_4", 7, 1),
     CONV(BEFORE, "branch7x7dbl_5", 1, 7), POOL(&around), CONV(BEFORE, "branch_pool", 1, 1)}};
static const inception block_d = {
    INCEPTION "InceptionD",
    {CONV(INPUT, "branch3x3_1", 1, 1), HALVE(BEFORE, "branch3x3_2"),
     CONV(INPUT, "branch7x7x3_1", 1, 1), CONV(BEFORE, "branch7x7x3_2", 1, 7),
     CONV(BEFORE, "branch7x7x3_3", 7, 1), HALVE(BEFORE, "branch7x7x3_4"), POOL(&halve)}};
static const inception block_e = {
    INCEPTION "InceptionE",
    {CONV(INPUT, "branch1x1", 1, 1), CONV(INPUT, "branch3x3_1", 1, 1),
     CONV(BEFORE, "branch3x3_2a", 1, 3), CONV(BESIDE, "branch3x3_2b", 3, 1),
     CONV(INPUT, "branch3x3dbl_1", 1, 1), CONV(BEFORE, "branch3x3dbl_2", 3, 3),
     CONV(BEFORE, "branch3x3dbl_3a", 1, 3), CONV(BESIDE, "branch3x3dbl_3b", 3, 1), POOL(&around),
     CONV(BEFORE, "branch_pool", 1, 1)}};

static ltap_signal take_step(ltap_builder *b, const step *s, ltap_signal x)
{
    if (s->pool != NULL)
        return ltap_build_pool_here(b, x, *s->pool);
    return basic_conv(b, INCEPTION "BasicConv2d", s->name, x,
                      (ltap_conv){.stride = s->stride,
                                  .padding = s->stride == 1 ? LTAP_SAME : 0,
                                  .kernel = s->height,
                                  .kernel_width = s->width});
}

static ltap_signal inception_block(ltap_builder *b, const char *name, const inception *block,
                                   ltap_signal x)
{
    ltap_signal parts[MAX_STEPS], read = x;
    size_t n_parts = 0;
    ltap_build_enter(b, block->class_name, name);
    for (int i = 0; i < MAX_STEPS && block->steps[i].stride > 0; i++) {
        const step *s = &block->steps[i];
        if (s->from == BEFORE)
            read = parts[--n_parts];
        else if (s->from == INPUT)
            read = x;
        parts[n_parts++] = take_step(b, s, read);
    }
    x = ltap_build_concat(b, parts, n_parts);
    ltap_build_leave(b);
    return x;
}

static ltap_signal stem_conv(ltap_builder *b, const char *name, ltap_signal x, ltap_conv conv)
{
    return basic_conv(b, INCEPTION "BasicConv2d", name, x, conv);
}

static bool fits_inception(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "Mixed_5b.branch1x1.");
}

static void build_inception(ltap_builder *b)
{
    static const struct {
        const char *name;
        const inception *block;
    } blocks[] = {{"Mixed_5b", &block_a}, {"Mixed_5c", &block_a}, {"Mixed_5d", &block_a},
                  {"Mixed_6a", &block_b}, {"Mixed_6b", &block_c}, {"Mixed_6c", &block_c},
                  {"Mixed_6d", &block_c}, {"Mixed_6e", &block_c}, {"Mixed_7a", &block_d},
                  {"Mixed_7b", &block_e}, {"Mixed_7c", &block_e}};
    ltap_torch_skip(b->checkpoint, "AuxLogits.");
    ltap_signal x = input(b, "inception_v3", "Conv2d_1a_3x3.conv.weight",
                          LTAP_PREPROCESS(342, 299, LTAP_IMAGENET_COLOURS));
    x = stem_conv(b, "Conv2d_1a_3x3", x, (ltap_conv){.stride = 2, .kernel = 3});
    x = stem_conv(b, "Conv2d_2a_3x3", x, (ltap_conv){.kernel = 3});
    x = stem_conv(b, "Conv2d_2b_3x3", x, (ltap_conv){.padding = 1, .kernel = 3});
    x = ltap_build_pool(b, "maxpool1", x, halve);
    x = stem_conv(b, "Conv2d_3b_1x1", x, (ltap_conv){.kernel = 1});
    x = stem_conv(b, "Conv2d_4a_3x3", x, (ltap_conv){.kernel = 3});
    x = ltap_build_pool(b, "maxpool2", x, halve);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        x = inception_block(b, blocks[i].name, blocks[i].block, x);
    classify(b, x, false);
}

static const char *const googlenets[] = {"googlenet", "googlenet+transform_input"};
static const char *const inceptions[] = {"inception_v3", "inception_v3+transform_input"};

const ltap_architecture ltap_torch_googlenet = {"GoogLeNet",
                                                fits_googlenet,
                                                build_googlenet,
                                                LTAP_PREPROCESS(256, 224, HALVES),
                                                LTAP_NAMES(googlenets),
                                                hints};
const ltap_architecture ltap_torch_inception = {
    "Inception v3",         fits_inception, build_inception, LTAP_PREPROCESS(342, 299, HALVES),
    LTAP_NAMES(inceptions), hints};
