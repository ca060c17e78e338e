/* VGG (Simonyan and Zisserman 2014), with and without BatchNorm, and AlexNet (Krizhevsky 2014, the
 * one-column form), as torchvision has them: what lies between two convolutions of `features` tells
 * by its length whether there is a pool.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/blocks.h"

typedef struct features {
    ltap_pool pool;
    int64_t first_stride, first_padding;
    bool norms;
    int pooled_to; /* side of what the classifier gets */
} features;

static const ltap_torch_tensor *conv_at(const ltap_torch_checkpoint *c, int index)
{
    const ltap_torch_tensor *weight = ltap_torch_findf(c, "features.%d.weight", index);
    return weight != NULL && weight->shape.rank == 4 ? weight : NULL;
}

static int next_conv(const ltap_torch_checkpoint *c, int index)
{
    for (int i = index + 1; i < index + 6; i++)
        if (conv_at(c, i) != NULL)
            return i;
    return -1;
}

static int count_convs(const ltap_torch_checkpoint *c)
{
    int count = 0;
    for (int i = 0; i >= 0 && conv_at(c, i) != NULL; i = next_conv(c, i))
        count++;
    return count;
}

static ltap_signal build_features(ltap_builder *b, const features *f, ltap_signal x)
{
    int next;
    ltap_build_enter(b, LTAP_SEQUENTIAL, "features");
    for (int at = 0; at >= 0; at = next) {
        int64_t side = ltap_torch_dim(conv_at(b->checkpoint, at), 2);
        ltap_conv conv = {.padding = side / 2, .groups = 1, .bias = true};
        if (at == 0)
            conv =
                (ltap_conv){.stride = f->first_stride, .padding = f->first_padding, .bias = true};
        next = next_conv(b->checkpoint, at);
        x = ltap_build_conv(b, LTAP_NEXT, x, conv);
        if (f->norms)
            x = ltap_build_batch_norm(b, LTAP_NEXT, x, 1e-5);
        x = ltap_build_relu(b, LTAP_NEXT, x);
        at += f->norms ? 3 : 2;
        if (next < 0 || next == at + 1) {
            x = ltap_build_pool(b, LTAP_NEXT, x, f->pool);
            at++;
        }
        if (next >= 0 && next != at)
            ltap_build_refuse(b, "'features.%d' is not where a convolution stands", next);
    }
    ltap_build_leave(b);
    return x;
}

static ltap_signal flatten(ltap_builder *b, const features *f, ltap_signal x)
{
    x = ltap_build_adaptive_pool(b, "avgpool", x, f->pooled_to);
    x = ltap_build_flatten(b, x);
    x.channels *= f->pooled_to * f->pooled_to;
    return x;
}

static int64_t classes(const ltap_torch_checkpoint *c)
{
    return ltap_torch_dim(ltap_torch_findf(c, "classifier.6.weight"), 0);
}

static ltap_signal input(ltap_builder *b)
{
    return ltap_build_input(b, "x", ltap_torch_dim(conv_at(b->checkpoint, 0), 1));
}

static bool fits_vgg(const ltap_torch_checkpoint *c)
{
    return ltap_torch_dim(conv_at(c, 0), 2) == 3 && classes(c) > 0 &&
           ltap_torch_findf(c, "classifier.0.weight") != NULL;
}

static void build_vgg(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    int convs = count_convs(c);
    bool norms = ltap_torch_findf(c, "features.1.running_mean") != NULL;
    bool known = convs == 8 || convs == 10 || convs == 13 || convs == 16;
    features f = {
        .pool = {.kernel = 2, .stride = 2}, .first_padding = 1, .norms = norms, .pooled_to = 7};
    ltap_build_summary(b, "%s%d%s by %d convolutions%s, %lld classes",
                       known ? "vgg" : "a VGG of depth ", convs + 3, norms ? "_bn" : "", convs,
                       norms ? " with BatchNorm" : "", (long long)classes(c));
    ltap_signal x = flatten(b, &f, build_features(b, &f, input(b)));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = ltap_build_linear(b, LTAP_NEXT, x);
    x = ltap_build_relu(b, LTAP_NEXT, x);
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    x = ltap_build_relu(b, LTAP_NEXT, x);
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    ltap_build_leave(b);
    ltap_build_output(b, "output", x, 2);
}

static bool fits_alexnet(const ltap_torch_checkpoint *c)
{
    return ltap_torch_dim(conv_at(c, 0), 2) == 11 && classes(c) > 0 &&
           ltap_torch_findf(c, "classifier.1.weight") != NULL;
}

static void build_alexnet(ltap_builder *b)
{
    features f = {
        .pool = {.kernel = 3, .stride = 2}, .first_stride = 4, .first_padding = 2, .pooled_to = 6};
    ltap_build_summary(b, "alexnet by %d convolutions, the first 11x11, %lld classes",
                       count_convs(b->checkpoint), (long long)classes(b->checkpoint));
    ltap_signal x = flatten(b, &f, build_features(b, &f, input(b)));
    ltap_build_enter(b, LTAP_SEQUENTIAL, "classifier");
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    x = ltap_build_relu(b, LTAP_NEXT, x);
    x = ltap_build_dropout(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    x = ltap_build_relu(b, LTAP_NEXT, x);
    x = ltap_build_linear(b, LTAP_NEXT, x);
    ltap_build_leave(b);
    ltap_build_output(b, "output", x, 2);
}

static const char *const vggs[] = {"vgg11",    "vgg13",    "vgg16",    "vgg19",
                                   "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"};
static const char *const alexnets[] = {"alexnet"};

const ltap_architecture ltap_torch_vgg = {"VGG",         fits_vgg,         build_vgg,
                                          LTAP_IMAGENET, LTAP_NAMES(vggs), NULL};
const ltap_architecture ltap_torch_alexnet = {"AlexNet",     fits_alexnet,         build_alexnet,
                                              LTAP_IMAGENET, LTAP_NAMES(alexnets), NULL};
