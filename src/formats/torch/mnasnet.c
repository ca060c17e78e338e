/* MNASNet: Tan et al. 2018 (its B1), as torchvision has it. Widths and depths are in the file;
 * kernels and strides are those of the one layout that it has.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

static const ltap_conv_norm widen = {.conv = {.kernel = 1, .groups = 1}, .activation = &ltap_relu};
static const ltap_conv_norm narrow = {.conv = {.kernel = 1, .groups = 1}};

/* Each channel by itself. */
static ltap_signal filter(ltap_builder *b, ltap_signal x, int64_t kernel, int64_t stride)
{
    const ltap_conv_norm depthwise = {
        .conv = {.stride = stride, .kernel = kernel, .groups = x.channels},
        .activation = &ltap_relu};
    return ltap_build_conv_norm_here(b, x, &depthwise);
}

static ltap_signal block(ltap_builder *b, ltap_signal x, int64_t kernel, int64_t stride)
{
    ltap_build_enter(b, "torchvision.models.mnasnet._InvertedResidual", LTAP_NEXT);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "layers");
    ltap_signal y = ltap_build_conv_norm_here(b, x, &widen);
    y = filter(b, y, kernel, stride);
    y = ltap_build_conv_norm_here(b, y, &narrow);
    ltap_build_leave(b);
    if (stride == 1 && y.channels == x.channels)
        y = ltap_build_add(b, y, x);
    ltap_build_leave(b);
    return y;
}

static ltap_signal layers(ltap_builder *b, ltap_signal x)
{
    static const struct {
        int64_t kernel, stride; /* of its first block; others have 1 */
        const char *blocks;
    } stacks[] = {{3, 2, "layers.8."},  {5, 2, "layers.9."},  {5, 2, "layers.10."},
                  {3, 1, "layers.11."}, {5, 2, "layers.12."}, {3, 1, "layers.13."}};
    const ltap_conv_norm first = {.conv = {.stride = 2, .kernel = 3, .groups = 1},
                                  .activation = &ltap_relu};
    ltap_build_enter(b, LTAP_SEQUENTIAL, "layers");
    x = ltap_build_conv_norm_here(b, x, &first);
    x = filter(b, x, 3, 1);
    x = ltap_build_conv_norm_here(b, x, &narrow);
    for (size_t s = 0; s < sizeof stacks / sizeof *stacks; s++) {
        int blocks = ltap_torch_countf(b->checkpoint, "%s", stacks[s].blocks);
        ltap_build_enter(b, LTAP_SEQUENTIAL, LTAP_NEXT);
        for (int i = 0; i < blocks; i++)
            x = block(b, x, stacks[s].kernel, i == 0 ? stacks[s].stride : 1);
        ltap_build_leave(b);
    }
    x = ltap_build_conv_norm_here(b, x, &widen);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "layers.8.0.layers.0.");
}

/* The width is that of the last stack: a file of torchvision 0.3 begins with fixed ones. */
static const ltap_width mnasnets[] = {
    {"mnasnet0_5", 160}, {"mnasnet0_75", 240}, {"mnasnet1_0", 320}, {"mnasnet1_3", 416}};

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    int64_t width = ltap_torch_dim(ltap_torch_findf(c, "layers.14.weight"), 1);
    ltap_build_summary(b, "%s by %lld channels of its last stack, %lld classes",
                       ltap_width_name(mnasnets, sizeof mnasnets / sizeof *mnasnets, width,
                                       "an MNASNet of its own widths"),
                       (long long)width,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.1.weight"), 0));
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "layers.0.weight"), 1));
    x = ltap_build_mean_here(b, layers(b, x));
    ltap_build_output(b, "output", ltap_build_classifier(b, x), 2);
}

const ltap_architecture ltap_torch_mnasnet = {
    "MNASNet", fits, build, LTAP_IMAGENET, LTAP_NAMES(mnasnets), NULL};
