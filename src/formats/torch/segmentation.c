/* Segmentation networks as torchvision has them: a backbone that hands out two of its stages, a
 * head on the last one, perhaps another head on the one before, both enlarged to the input's size.
 * DeepLabV3: Chen et al. 2017; FCN: Long et al. 2015; LR-ASPP: Howard et al. 2019.
 *
 * Weights do not show dilations: with these names they are torchvision's.
 */
#include "formats/torch/blocks.h"
#include "formats/torch/mobilenet_v3.h"
#include "formats/torch/resnet.h"

#include <stdio.h>
#include <string.h>

#define DEEPLAB "torchvision.models.segmentation.deeplabv3."
#define EPSILON 1e-5

enum { BRANCHES = 5 };

/* Layers "<first>", the next number and the one behind: convolution, BatchNorm, ReLU. */
static ltap_signal conv_norm_relu(ltap_builder *b, int first, ltap_signal x, ltap_conv conv)
{
    char names[3][16];
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof names[i], "%d", first + i);
    x = ltap_build_conv(b, names[0], x, conv);
    x = ltap_build_batch_norm(b, names[1], x, EPSILON);
    return ltap_build_relu(b, names[2], x);
}

/* A picture's mean, as large as the picture. */
static ltap_signal aspp_pooling(ltap_builder *b, ltap_signal x)
{
    ltap_build_enter(b, DEEPLAB "ASPPPooling", "convs.4");
    ltap_signal y = ltap_build_adaptive_pool(b, "0", x, 1);
    y = conv_norm_relu(b, 1, y, (ltap_conv){0});
    y = ltap_build_resize_like(b, y, x);
    ltap_build_leave(b);
    return y;
}

static ltap_signal aspp(ltap_builder *b, ltap_signal x)
{
    int64_t rates[] = {0, 12, 24, 36};
    (void)ltap_build_hint(b, "rates", &rates[1]);
    ltap_signal parts[BRANCHES];
    ltap_build_enter(b, DEEPLAB "ASPP", "0");
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "convs.%d", i);
        ltap_build_enter(b, i == 0 ? LTAP_SEQUENTIAL : DEEPLAB "ASPPConv", name);
        parts[i] = conv_norm_relu(b, 0, x, (ltap_conv){.padding = rates[i], .dilation = rates[i]});
        ltap_build_leave(b);
    }
    parts[4] = aspp_pooling(b, x);
    x = ltap_build_concat(b, parts, BRANCHES);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "project");
    x = conv_norm_relu(b, 0, x, (ltap_conv){0});
    x = ltap_build_dropout(b, "3", x);
    ltap_build_leave(b);
    ltap_build_leave(b);
    return x;
}

static ltap_signal deeplab_head(ltap_builder *b, ltap_signal x)
{
    ltap_build_enter(b, DEEPLAB "DeepLabHead", "classifier");
    x = aspp(b, x);
    x = conv_norm_relu(b, 1, x, (ltap_conv){.padding = 1});
    x = ltap_build_conv(b, "4", x, (ltap_conv){.bias = true});
    ltap_build_leave(b);
    return x;
}

static ltap_signal fcn_head(ltap_builder *b, const char *name, ltap_signal x)
{
    ltap_build_enter(b, "torchvision.models.segmentation.fcn.FCNHead", name);
    x = conv_norm_relu(b, 0, x, (ltap_conv){.padding = 1});
    x = ltap_build_dropout(b, "3", x);
    x = ltap_build_conv(b, "4", x, (ltap_conv){.bias = true});
    ltap_build_leave(b);
    return x;
}

static bool has_aux(const ltap_torch_checkpoint *c)
{
    return ltap_torch_findf(c, "aux_classifier.4.weight") != NULL;
}

static void output(ltap_builder *b, const char *name, ltap_signal x, ltap_signal input)
{
    ltap_build_output(b, name, ltap_build_resize_like(b, x, input), 4);
}

/* What hands out two stages: the last one and, as `low`, another. */
typedef struct backbone {
    bool (*fits)(const ltap_torch_checkpoint *checkpoint, const char *prefix);
    const char *(*name)(const ltap_torch_checkpoint *checkpoint, const char *prefix);
    ltap_signal (*body)(ltap_builder *b, const char *prefix, int64_t output_stride, ltap_signal x,
                        ltap_signal *low);
    const char *stem;      /* name of the first convolution's weights */
    int64_t output_stride; /* unless the user says another */
} backbone;

static const backbone backbones[] = {
    {ltap_resnet_fits, ltap_resnet_name, ltap_resnet_body, "backbone.conv1.weight", 8},
    {ltap_mobilenet_v3_fits, ltap_mobilenet_v3_name, ltap_mobilenet_v3_body, "backbone.0.0.weight",
     16}};

static const backbone *find_backbone(const ltap_torch_checkpoint *c)
{
    for (size_t i = 0; i < sizeof backbones / sizeof *backbones; i++)
        if (backbones[i].fits(c, "backbone."))
            return &backbones[i];
    return NULL;
}

static ltap_signal build_backbone(ltap_builder *b, ltap_signal x, ltap_signal *low)
{
    const backbone *found = find_backbone(b->checkpoint);
    found = found ? found : &backbones[0];
    int64_t output_stride = found->output_stride;
    (void)ltap_build_hint(b, ltap_output_stride[0].name, &output_stride);
    ltap_build_enter(b, "torchvision.models._utils.IntermediateLayerGetter", "backbone");
    x = found->body(b, "backbone.", output_stride, x, low);
    ltap_build_leave(b);
    return x;
}

static ltap_signal input(ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const backbone *found = find_backbone(c);
    const char *stem = (found ? found : &backbones[0])->stem;
    return ltap_build_input(b, "x", ltap_torch_dim(ltap_torch_findf(c, "%s", stem), 1));
}

/* family: "deeplabv3", and as people write it. */
static void summarise(ltap_builder *b, const char *family, const char *title, const char *head)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    const backbone *found = find_backbone(c);
    const char *name = found ? found->name(c, "backbone.") : "a backbone of its own";
    bool has_low = ltap_torch_findf(c, "classifier.low_classifier.weight") != NULL;
    bool is_known = strncmp(name, "a ", 2) != 0;
    const char *last = has_low ? "classifier.low_classifier.weight" : "classifier.4.weight";
    ltap_build_summary(b, "%s%s%s by a dilated backbone, %s%s, %lld classes",
                       is_known ? family : title, is_known ? "_" : " on ", name, head,
                       has_aux(c) ? ", an auxiliary head" : "",
                       (long long)ltap_torch_dim(ltap_torch_findf(c, "%s", last), 0));
}

static bool fits_deeplab(const ltap_torch_checkpoint *c)
{
    return find_backbone(c) != NULL && ltap_torch_findf(c, "classifier.0.convs.0.0.weight") != NULL;
}

static void build_deeplab(ltap_builder *b)
{
    ltap_signal aux, x = input(b);
    int64_t rates[3] = {12, 24, 36};
    char head[96];
    (void)ltap_build_hint(b, "rates", rates);
    snprintf(head, sizeof head, "pyramid rates %lld, %lld, %lld", (long long)rates[0],
             (long long)rates[1], (long long)rates[2]);
    summarise(b, "deeplabv3", "a DeepLabV3", head);
    ltap_signal y = build_backbone(b, x, &aux);
    output(b, "out", deeplab_head(b, y), x);
    if (has_aux(b->checkpoint))
        output(b, "aux", fcn_head(b, "aux_classifier", aux), x);
}

static bool fits_fcn(const ltap_torch_checkpoint *c)
{
    const ltap_torch_tensor *head = ltap_torch_findf(c, "classifier.0.weight");
    return find_backbone(c) != NULL && head != NULL && head->shape.rank == 4;
}

static void build_fcn(ltap_builder *b)
{
    ltap_signal aux, x = input(b);
    summarise(b, "fcn", "an FCN", "a 3x3 and a 1x1 convolution");
    ltap_signal y = build_backbone(b, x, &aux);
    output(b, "out", fcn_head(b, "classifier", y), x);
    if (has_aux(b->checkpoint))
        output(b, "aux", fcn_head(b, "aux_classifier", aux), x);
}

static bool fits_lraspp(const ltap_torch_checkpoint *c)
{
    return find_backbone(c) != NULL && ltap_torch_findf(c, "classifier.cbr.0.weight") != NULL;
}

static ltap_signal lraspp_head(ltap_builder *b, ltap_signal low, ltap_signal high)
{
    const ltap_conv with_bias = {.bias = true};
    ltap_build_enter(b, "torchvision.models.segmentation.lraspp.LRASPPHead", "classifier");
    ltap_build_enter(b, LTAP_SEQUENTIAL, "cbr");
    ltap_signal x = conv_norm_relu(b, 0, high, (ltap_conv){0});
    ltap_build_leave(b);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "scale");
    ltap_signal scale = ltap_build_adaptive_pool(b, "0", high, 1);
    scale = ltap_build_conv(b, "1", scale, (ltap_conv){0});
    scale = ltap_build_activation(b, "2", &ltap_sigmoid, scale);
    ltap_build_leave(b);
    if (scale.channels != x.channels)
        ltap_build_refuse(b, "'classifier.scale.1' makes %lld channels; expected %lld",
                          (long long)scale.channels, (long long)x.channels);
    x = ltap_build_resize_like(b, ltap_build_multiply(b, x, scale), low);
    low = ltap_build_conv(b, "low_classifier", low, with_bias);
    x = ltap_build_add(b, low, ltap_build_conv(b, "high_classifier", x, with_bias));
    ltap_build_leave(b);
    return x;
}

static void build_lraspp(ltap_builder *b)
{
    ltap_signal low, x = input(b);
    summarise(b, "lraspp", "an LR-ASPP", "its low and high stages joined");
    ltap_signal high = build_backbone(b, x, &low);
    output(b, "out", lraspp_head(b, low, high), x);
}

static const char *const deeplabs[] = {"deeplabv3_resnet50", "deeplabv3_resnet101",
                                       "deeplabv3_mobilenet_v3_large"};
static const char *const fcns[] = {"fcn_resnet50", "fcn_resnet101"};
static const char *const lraspps[] = {"lraspp_mobilenet_v3_large"};
static const ltap_arch_hint deeplab_hints[] = {{"output_stride", 1}, {"rates", 3}, {NULL, 0}};

const ltap_architecture ltap_torch_deeplabv3 = {"DeepLabV3",          fits_deeplab,
                                                build_deeplab,        LTAP_SEGMENTATION,
                                                LTAP_NAMES(deeplabs), deeplab_hints};
const ltap_architecture ltap_torch_fcn = {
    "FCN", fits_fcn, build_fcn, LTAP_SEGMENTATION, LTAP_NAMES(fcns), ltap_output_stride};
const ltap_architecture ltap_torch_lraspp = {"LR-ASPP",           fits_lraspp,
                                             build_lraspp,        LTAP_SEGMENTATION,
                                             LTAP_NAMES(lraspps), ltap_output_stride};
