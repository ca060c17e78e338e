/* Vision Transformer (Dosovitskiy et al. 2020), as torchvision has it.
 *
 * Widths, depth, patches and the size of the image are told by the shapes; the number of heads is
 * not, so only the widths and depths of torchvision's own are known.
 */
#include "formats/torch/architecture.h"
#include "formats/torch/attention.h"
#include "formats/torch/blocks.h"
#include "formats/torch/build.h"

#include <stdio.h>

#define VIT "torchvision.models.vision_transformer."

typedef struct variant {
    const char *name;
    int blocks;
    int64_t width, patch, heads;
    const char *preprocess; /* for images of side 224 */
} variant;

static const variant variants[] = {
    {"vit_b_16", 12, 768, 16, 12, LTAP_IMAGENET},
    {"vit_b_32", 12, 768, 32, 12, LTAP_IMAGENET},
    {"vit_l_16", 24, 1024, 16, 16, LTAP_PREPROCESS(242, 224, LTAP_IMAGENET_COLOURS)},
    {"vit_l_32", 24, 1024, 32, 16, LTAP_IMAGENET},
    {"vit_h_14", 32, 1280, 14, 16, LTAP_PREPROCESS(224, 224, LTAP_BICUBIC LTAP_IMAGENET_COLOURS)},
};

typedef struct found {
    const ltap_torch_tensor *patches, *positions, *head;
    int blocks;
    int64_t width, patch, side; /* side: of the image; 0: not square */
    const variant *variant;     /* of that width and depth, at best of that patch; NULL */
    int64_t heads;              /* as the user says, or the variant's; 0: not known */
} found;

static int64_t side_of(int64_t positions)
{
    int64_t side = 0;
    while ((side + 1) * (side + 1) <= positions)
        side++;
    return side * side == positions ? side : 0;
}

static found read_found(const ltap_builder *b)
{
    const ltap_torch_checkpoint *c = b->checkpoint;
    found f = {.patches = ltap_torch_findf(c, "conv_proj.weight"),
               .positions = ltap_torch_findf(c, "encoder.pos_embedding"),
               .head = ltap_torch_findf(c, "heads.head.weight"),
               .blocks = ltap_torch_countf(c, "encoder.layers.encoder_layer_")};
    f.width = ltap_torch_dim(f.positions, 2);
    f.patch = ltap_torch_dim(f.patches, 3);
    f.side = side_of(ltap_torch_dim(f.positions, 1) - 1) * f.patch;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *v = &variants[i];
        bool alike = v->blocks == f.blocks && v->width == f.width;
        if (alike && (f.variant == NULL || v->patch == f.patch))
            f.variant = v;
    }
    f.heads = f.variant != NULL ? f.variant->heads : 0;
    (void)ltap_build_hint(b, "heads", &f.heads);
    return f;
}

/* Patches as rows, behind the class token: f32[N,1+patches,width]. */
static ltap_signal embed(ltap_builder *b, ltap_signal x, int64_t patch)
{
    uint32_t token, rows;
    x = ltap_build_conv(b, "conv_proj", x,
                        (ltap_conv){.stride = patch, .kernel = patch, .groups = 1, .bias = true});
    rows = ltap_build_reshape(b, x.value, 3, (int64_t[]){0, x.channels, -1});
    rows = ltap_build_transpose(b, rows, 3, (int64_t[]){0, 2, 1});
    ltap_build_shaped(b, "class_token", 3, (int64_t[]){1, 1, x.channels}, &token);
    uint32_t batch = ltap_build_sizes(b, rows, 0, 1);
    uint32_t shape = ltap_build_op_along(
        b, "Concat", 0, 2, (uint32_t[]){batch, ltap_build_list(b, 2, (int64_t[]){1, 1})});
    token = ltap_build_op(b, "Expand", 2, (uint32_t[]){token, shape});
    x.value = ltap_build_op_along(b, "Concat", 1, 2, (uint32_t[]){token, rows});
    return x;
}

static ltap_signal block(ltap_builder *b, int number, int64_t heads, ltap_signal x)
{
    char name[32];
    snprintf(name, sizeof name, "encoder_layer_%d", number);
    ltap_build_enter(b, VIT "EncoderBlock", name);
    ltap_signal y = ltap_build_layer_norm(b, "ln_1", x, 1e-6);
    y = ltap_build_self_attention(b, "self_attention", y, heads);
    y = ltap_build_dropout(b, "dropout", y);
    x = ltap_build_add(b, y, x);
    y = ltap_build_layer_norm(b, "ln_2", x, 1e-6);
    y = ltap_build_mlp(b, VIT "MLPBlock", "mlp", y);
    x = ltap_build_add(b, x, y);
    ltap_build_leave(b);
    return x;
}

static ltap_signal encoder(ltap_builder *b, const found *f, ltap_signal x)
{
    uint32_t positions;
    ltap_build_enter(b, VIT "Encoder", "encoder");
    ltap_build_shaped(b, "pos_embedding", 3,
                      (int64_t[]){1, ltap_torch_dim(f->positions, 1), x.channels}, &positions);
    x.value = ltap_build_op(b, "Add", 2, (uint32_t[]){x.value, positions});
    x = ltap_build_dropout(b, "dropout", x);
    ltap_build_enter(b, LTAP_SEQUENTIAL, "layers");
    for (int i = 0; i < f->blocks; i++)
        x = block(b, i, f->heads, x);
    ltap_build_leave(b);
    x = ltap_build_layer_norm(b, "ln", x, 1e-6);
    ltap_build_leave(b);
    return x;
}

/* From the class token's row. */
static ltap_signal head(ltap_builder *b, ltap_signal x)
{
    uint32_t first = ltap_build_index(b, 0);
    x.value = ltap_build_op_along(b, "Gather", 1, 2, (uint32_t[]){x.value, first});
    ltap_build_enter(b, LTAP_SEQUENTIAL, "heads");
    if (ltap_torch_any(b->checkpoint, "heads.pre_logits.")) {
        x = ltap_build_linear(b, "pre_logits", x);
        x = ltap_build_activation(b, "act", &ltap_tanh, x);
    }
    x = ltap_build_linear(b, "head", x);
    ltap_build_leave(b);
    return x;
}

static bool fits(const ltap_torch_checkpoint *c)
{
    return ltap_torch_any(c, "encoder.layers.encoder_layer_0.");
}

/* Images of other sizes are those of the weights that were trained on them whole. */
static void set_preprocess(ltap_builder *b, const found *f)
{
    b->preprocess = f->variant != NULL ? f->variant->preprocess : NULL;
    if (f->side != 224)
        ltap_build_take(b, ltap_arena_format(
                               &b->graph->arena, &b->preprocess, b->error,
                               "{\"resize\":%lld,\"crop\":%lld," LTAP_BICUBIC LTAP_IMAGENET_COLOURS
                               "}",
                               (long long)f->side, (long long)f->side));
}

/* Whether what the rest is made by is there. */
static bool is_whole(ltap_builder *b, const found *f)
{
    if (f->patches == NULL || f->positions == NULL)
        ltap_build_refuse(b, "'%s' is not in the file",
                          f->patches ? "encoder.pos_embedding" : "conv_proj.weight");
    else if (f->patch == 0)
        ltap_build_refuse(b, "'%s' is %s; expected 4 dimensions", f->patches->name,
                          ltap_tensor_text(&f->patches->shape).text);
    else if (f->side == 0)
        ltap_build_refuse(b, "'%s' is %s; expected rows for a square of patches and a class token",
                          f->positions->name, ltap_tensor_text(&f->positions->shape).text);
    else if (f->heads == 0)
        ltap_build_refuse(b,
                          "it has %d blocks of width %lld, whose number of heads cannot be told "
                          "(say it: --arch vit+heads=N)",
                          f->blocks, (long long)f->width);
    return f->heads != 0 && f->side != 0;
}

static void build(ltap_builder *b)
{
    ltap_torch_rename(b, ".mlp.linear_1.", ".mlp.0."); /* before torchvision 0.14 */
    ltap_torch_rename(b, ".mlp.linear_2.", ".mlp.3.");
    found f = read_found(b);
    if (!is_whole(b, &f))
        return;
    bool own = f.variant != NULL && f.variant->patch == f.patch;
    ltap_build_summary(b,
                       "%s%s by %d blocks of width %lld, %lld heads, for images of %lldx%lld, "
                       "%lld classes",
                       f.variant ? f.variant->name : "a Vision Transformer of its own sizes",
                       own || !f.variant ? "" : " with other patches", f.blocks, (long long)f.width,
                       (long long)f.heads, (long long)f.side, (long long)f.side,
                       (long long)ltap_torch_dim(f.head, 0));
    set_preprocess(b, &f);
    ltap_signal x = ltap_build_square_input(b, "x", ltap_torch_dim(f.patches, 1), f.side);
    x = encoder(b, &f, embed(b, x, f.patch));
    ltap_build_output(b, "output", head(b, x), 2);
}

static const ltap_arch_hint hints[] = {{"heads", 1}, {NULL, 0}};

const ltap_architecture ltap_torch_vit = {"Vision Transformer", fits, build, LTAP_IMAGENET,
                                          LTAP_NAMES(variants), hints};
