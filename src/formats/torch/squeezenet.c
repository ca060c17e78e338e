/* SqueezeNet: Iandola et al. 2016, as torchvision has it. The side of the first kernel tells
 * version 1.0 from 1.1, and with it where pools stand.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

typedef struct variant {
    const char *name;
    int64_t kernel;     /* of the first convolution */
    const char *layout; /* behind it and its ReLU: P a pool, F a Fire */
} variant;

static const variant variants[] = {
    {"squeezenet1_0", 7, "PFFFPFFFFPF"},
    {"squeezenet1_1", 3, "PFFPFFPFFFF"},
};

static const variant *find_variant(const ltap_torch_checkpoint *c)
{
    int64_t kernel = ltap_torch_dim(ltap_torch_findf(c, "features.0.weight"), 2);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (variants[i].kernel == kernel)
            return &variants[i];
    return NULL;
}

static ltap_signal expand(ltap_builder *b, const char *name, const char *relu, ltap_signal x,
                          int64_t kernel)
{
    x = ltap_build_conv(
        b, name, x, (ltap_conv){.padding = LTAP_SAME, .kernel = kernel, .groups = 1, .bias = true});
    return ltap_build_relu(b, relu, x);
}

static ltap_signal fire(ltap_builder *b, ltap_signal x)
{
    ltap_build_enter(b, "torchvision.models.squeezenet.Fire", LTAP_NEXT);
    x = expand(b, "squeeze", "squeeze_activation", x, 1);
    ltap_signal small = expand(b, "expand1x1", "expand1x1_activation", x, 1);
    ltap_signal large = expand(b, "expand3x3", "expand3x3_activation", x, 3);
    x = ltap_build_concat(b, (ltap_signal[]){small, large}, 2);
    ltap_build_leave(b);
    return x;
}

static ltap_signal features(ltap_builder *b, const variant *v, ltap_signal x)
{
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    x = ltap_build_conv(b, LTAP_NEXT, x,
                        (ltap_conv){.stride = 2, .kernel = v->kernel, .groups = 1, .bias = true});
    x = ltap_build_relu(b, LTAP_NEXT, x);
    for (const char *at = v->layout; *at != '\0'; at++)
        x = *at == 'F' ? fire(b, x)
                       : ltap_build_pool(b, LTAP_NEXT, x,
                                         (ltap_pool){.kernel = 3, .stride = 2, .ceil = true});
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "features.3.squeeze.");
}

static void build(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const ltap_torch_tensor *first = ltap_torch_findf(c, "features.0.weight");
    const variant *v = find_variant(c);
    if (v == NULL) {
        ltap_build_refuse(b, "'features.0.weight' is %s; expected a kernel of 7x7 or 3x3",
                          first ? ltap_tensor_text(&first->shape).text : "not there");
        return;
    }
    ltap_build_summary(b, "%s by a first kernel of %lldx%lld, %lld classes", v->name,
                       (long long)v->kernel, (long long)v->kernel,
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "classifier.1.weight"), 0));
    ltap_signal x = features(b, v, ltap_build_input(b, "x", ltap_torch_dim(first, 1)));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_conv(b, LTAP_NEXT, x, (ltap_conv){.kernel = 1, .groups = 1, .bias = true});
    x = ltap_build_relu(b, LTAP_NEXT, x);
    x = ltap_build_adaptive_pool(b, LTAP_NEXT, x, 1);
    ltap_build_leave(b);
    ltap_build_output(b, "output", ltap_build_flatten(b, x), 2);
}

const ltap_architecture ltap_torch_squeezenet = {"SqueezeNet",         fits, build, LTAP_IMAGENET,
                                                 LTAP_NAMES(variants), NULL};
