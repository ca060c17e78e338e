/* DenseNet: Huang et al. 2016, as torchvision has it. Each layer reads all that came before it in
 * its block; a transition halves the size between blocks. Depths and widths are in the file.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

#include <stdio.h>
#include <string.h>

#define DENSENET "torchvision.models.densenet."

enum { MAX_BLOCKS = 8, MAX_LAYERS = 63 };

typedef struct variant {
    const char *name;
    int layers[MAX_BLOCKS];
    int64_t first, growth; /* channels: of the first convolution, of a layer */
} variant;

static const variant variants[] = {
    {"densenet121", {6, 12, 24, 16}, 64, 32},
    {"densenet161", {6, 12, 36, 24}, 96, 48},
    {"densenet169", {6, 12, 32, 32}, 64, 32},
    {"densenet201", {6, 12, 48, 32}, 64, 32},
};

static int count_layers(const ltap_torch_checkpoint *c, int block)
{
    char layer[64];
    int count = 0;
    do
        snprintf(layer, sizeof layer, "features.denseblock%d.denselayer%d.", block, ++count);
    while (ltap_torch_any(c, layer));
    return count - 1;
}

static variant read_variant(const ltap_torch_checkpoint *c)
{
    variant found = {.name = "a DenseNet of its own sizes"};
    for (int i = 0; i < MAX_BLOCKS; i++)
        found.layers[i] = count_layers(c, i + 1);
    found.first = ltap_torch_dim(ltap_torch_findf(c, "features.conv0.weight"), 0);
    found.growth =
        ltap_torch_dim(ltap_torch_findf(c, "features.denseblock1.denselayer1.conv2.weight"), 0);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *v = &variants[i];
        if (memcmp(v->layers, found.layers, sizeof v->layers) == 0 && v->first == found.first &&
            v->growth == found.growth)
            found.name = v->name;
    }
    return found;
}

static ltap_signal dense_layer(ltap_builder *b, int number, const ltap_signal *before, int count)
{
    char name[32];
    snprintf(name, sizeof name, "denselayer%d", number);
    ltap_build_enter(b, DENSENET "_DenseLayer", name);
    ltap_signal x = ltap_build_concat(b, before, (size_t)count);
    x = ltap_build_batch_norm(b, "norm1", x, 1e-5);
    x = ltap_build_relu(b, "relu1", x);
    x = ltap_build_conv(b, "conv1", x, (ltap_conv){.kernel = 1, .groups = 1});
    x = ltap_build_batch_norm(b, "norm2", x, 1e-5);
    x = ltap_build_relu(b, "relu2", x);
    x = ltap_build_conv(b, "conv2", x, (ltap_conv){.padding = 1, .kernel = 3, .groups = 1});
    ltap_build_leave(b);
    return x;
}

static ltap_signal dense_block(ltap_builder *b, int number, int n_layers, ltap_signal x)
{
    ltap_signal parts[MAX_LAYERS + 1] = {x};
    char name[32];
    snprintf(name, sizeof name, "denseblock%d", number);
    if (n_layers > MAX_LAYERS) {
        ltap_build_refuse(b, "'features.%s' has %d layers; at most %d are built", name, n_layers,
                          MAX_LAYERS);
        return x;
    }
    ltap_build_enter(b, DENSENET "_DenseBlock", name);
    for (int i = 1; i <= n_layers; i++)
        parts[i] = dense_layer(b, i, parts, i);
    x = ltap_build_concat(b, parts, (size_t)n_layers + 1);
    ltap_build_leave(b);
    return x;
}

static ltap_signal transition(ltap_builder *b, int number, ltap_signal x)
{
    char name[32];
    snprintf(name, sizeof name, "transition%d", number);
    ltap_build_enter(b, DENSENET "_Transition", name);
    x = ltap_build_batch_norm(b, "norm", x, 1e-5);
    x = ltap_build_relu(b, "relu", x);
    x = ltap_build_conv(b, "conv", x, (ltap_conv){.kernel = 1, .groups = 1});
    x = ltap_build_pool(b, "pool", x, (ltap_pool){.kernel = 2, .stride = 2, .average = true});
    ltap_build_leave(b);
    return x;
}

static ltap_signal features(ltap_builder *b, const variant *v, ltap_signal x)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = ltap_build_conv(b, "conv0", x,
                        (ltap_conv){.stride = 2, .padding = 3, .kernel = 7, .groups = 1});
    x = ltap_build_batch_norm(b, "norm0", x, 1e-5);
    x = ltap_build_relu(b, "relu0", x);
    x = ltap_build_pool(b, "pool0", x, (ltap_pool){.kernel = 3, .stride = 2, .padding = 1});
    for (int i = 0; i < MAX_BLOCKS && v->layers[i] > 0; i++) {
        if (i > 0)
            x = transition(b, i, x);
        x = dense_block(b, i + 1, v->layers[i], x);
    }
    x = ltap_build_batch_norm(b, "norm5", x, 1e-5);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.denseblock1.denselayer1.");
}

/* Files of before 2018 have names like norm.1, which torchvision changes, too. */
static void rename_old(ltap_builder *b)
{
    ltap_torch_rename(b, ".norm.1.", ".norm1.");
    ltap_torch_rename(b, ".conv.1.", ".conv1.");
    ltap_torch_rename(b, ".norm.2.", ".norm2.");
    ltap_torch_rename(b, ".conv.2.", ".conv2.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    rename_old(b);
    variant v = read_variant(c);
    ltap_build_summary(b, "%s by blocks of %d, %d, %d, %d layers, growth %lld, %lld classes",
                       v.name, v.layers[0], v.layers[1], v.layers[2], v.layers[3],
                       (long long)v.growth,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.weight"), 0));
    ltap_signal x =
        ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "features.conv0.weight"), 1));
    x = features(b, &v, x);
    x = ltap_build_relu_here(b, x);
    x = ltap_build_global_pool_here(b, x);
    x = ltap_build_flatten(b, x);
    ltap_build_output(b, "output", ltap_build_linear(b, "classifier", x), 2);
}

const ltap_architecture ltap_torch_densenet = {"DenseNet",           fits, build, LTAP_IMAGENET,
                                               LTAP_NAMES(variants), NULL};
