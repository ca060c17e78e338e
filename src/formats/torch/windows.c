/* Attention in windows; see windows.h.
 *
 * Sizes stay free: the input's sizes are values of the graph, and what follows from them (padding
 * to whole windows, whether there is a shift, which pixels may see each other) is arithmetic on
 * these, done when a plan is made. A shift by 0 moves nothing, and its mask is zeros.
 */
#include "formats/torch/windows.h"

#include "formats/torch/attention.h"
#include "formats/torch/build.h"

#include <math.h>

#define SWIN "torchvision.models.swin_transformer."
#define LIST(b, ...)                                                                               \
    ltap_build_list(b, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
#define OP(b, type, ...)                                                                           \
    ltap_build_op(b, type, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                   \
                  (uint32_t[]){__VA_ARGS__})
#define JOIN(b, axis, ...)                                                                         \
    ltap_build_op_along(b, "Concat", axis, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),   \
                        (uint32_t[]){__VA_ARGS__})

/* Values of two integers each, height before width. */
typedef struct windows {
    int64_t side, heads, channels;
    uint32_t sizes, missing; /* of the input; what it lacks to be whole windows */
    uint32_t padded, counts; /* pixels, windows */
    uint32_t shift;          /* pixels; where a side is one window: 0 */
} windows;

/* One of two, as a list or as a number. */
static uint32_t part(ltap_builder *b, uint32_t pair, int axis)
{
    return OP(b, "Slice", pair, LIST(b, axis), LIST(b, axis + 1));
}

static uint32_t pick(ltap_builder *b, uint32_t pair, int axis)
{
    return OP(b, "Gather", pair, ltap_build_index(b, axis));
}

static void measure(ltap_builder *b, uint32_t x, bool shifted, windows *w)
{
    uint32_t side = ltap_build_index(b, w->side);
    w->sizes = ltap_build_sizes(b, x, 1, 3);
    w->missing = OP(b, "Mod", OP(b, "Neg", w->sizes), side);
    w->padded = OP(b, "Add", w->sizes, w->missing);
    w->counts = OP(b, "Div", w->padded, side);
    if (shifted)
        w->shift = OP(b, "Where", OP(b, "Greater", w->padded, side),
                      ltap_build_index(b, w->side / 2), ltap_build_index(b, 0));
}

/* Zeros below and to the right. */
static uint32_t pad(ltap_builder *b, uint32_t x, uint32_t more)
{
    return OP(b, "Pad", x, JOIN(b, 0, LIST(b, 0, 0, 0, 0, 0), more, LIST(b, 0)));
}

/* The first pixels of each side go behind the last. */
static uint32_t roll(ltap_builder *b, uint32_t x, uint32_t counts)
{
    for (int i = 0; i < 2; i++) {
        uint32_t count = part(b, counts, i), axis = LIST(b, i + 1);
        uint32_t rest = OP(b, "Slice", x, count, LIST(b, INT64_MAX), axis);
        x = JOIN(b, i + 1, rest, OP(b, "Slice", x, LIST(b, 0), count, axis));
    }
    return x;
}

/* f32[N,H,W,C] as f32[N,windows,side*side,C]. */
static uint32_t cut(ltap_builder *b, uint32_t x, const windows *w)
{
    uint32_t shape =
        JOIN(b, 0, LIST(b, 0, -1, w->side), part(b, w->counts, 1), LIST(b, w->side, w->channels));
    x = OP(b, "Reshape", x, shape);
    x = ltap_build_transpose(b, x, 6, (int64_t[]){0, 1, 3, 2, 4, 5});
    return OP(b, "Reshape", x, LIST(b, 0, -1, w->side * w->side, w->channels));
}

static uint32_t put_together(ltap_builder *b, uint32_t x, const windows *w)
{
    x = OP(b, "Reshape", x,
           JOIN(b, 0, LIST(b, 0), w->counts, LIST(b, w->side, w->side, w->channels)));
    x = ltap_build_transpose(b, x, 6, (int64_t[]){0, 1, 3, 2, 4, 5});
    return OP(b, "Reshape", x, JOIN(b, 0, LIST(b, 0), w->padded, LIST(b, w->channels)));
}

/* Along one side: 1 for the pixels that the shift brought from the other end, else 0. */
static uint32_t brought(ltap_builder *b, const windows *w, int axis)
{
    uint32_t size = pick(b, w->padded, axis);
    uint32_t place = OP(b, "Range", ltap_build_index(b, 0), size, ltap_build_index(b, 1));
    uint32_t edge = OP(b, "Sub", size, pick(b, w->shift, axis));
    return ltap_build_cast(b, OP(b, "GreaterOrEqual", place, edge), LTAP_INT64);
}

/* f32[windows,1,side*side,side*side]: -100 between pixels that the shift made neighbours. */
static uint32_t mask(ltap_builder *b, const windows *w)
{
    uint32_t high = OP(b, "Mul", brought(b, w, 0), ltap_build_index(b, 2));
    uint32_t region = OP(b, "Add", OP(b, "Unsqueeze", high, LIST(b, 1)), brought(b, w, 1));
    region = OP(b, "Reshape", region,
                JOIN(b, 0, LIST(b, -1, w->side), part(b, w->counts, 1), LIST(b, w->side)));
    region = ltap_build_transpose(b, region, 4, (int64_t[]){0, 2, 1, 3});
    region = OP(b, "Reshape", region, LIST(b, -1, 1, w->side * w->side));
    uint32_t other = ltap_build_transpose(b, region, 3, (int64_t[]){0, 2, 1});
    uint32_t apart = OP(b, "Where", OP(b, "Equal", region, other), ltap_build_number(b, 0),
                        ltap_build_number(b, -100));
    return OP(b, "Unsqueeze", apart, LIST(b, 1));
}

/* Reads heads and windows, and the bias of each pair of pixels in one: f32[heads,pixels,pixels]. */
static uint32_t position_bias(ltap_builder *b, windows *w, uint32_t table, int64_t n_rows)
{
    uint32_t index;
    int64_t pixels, edge = 1;
    while (edge * edge < n_rows)
        edge += 2;
    w->side = (edge + 1) / 2;
    pixels = w->side * w->side;
    if (edge * edge != n_rows || w->heads < 1)
        ltap_build_refuse(b, "'%s' has %lld positions of %lld heads, which is no square window",
                          ltap_build_path(b), (long long)n_rows, (long long)w->heads);
    ltap_build_integers(b, "relative_position_index", pixels * pixels, &index);
    uint32_t bias = OP(b, "Gather", table, index);
    bias = OP(b, "Reshape", bias, LIST(b, pixels, pixels, w->heads));
    return ltap_build_transpose(b, bias, 3, (int64_t[]){2, 0, 1});
}

static uint32_t learned_bias(ltap_builder *b, windows *w)
{
    uint32_t value;
    const ltap_torch_tensor *table = ltap_build_need(b, "relative_position_bias_table", 2, &value);
    w->heads = ltap_torch_dim(table, 1);
    return table ? position_bias(b, w, value, table->shape.dims[0]) : value;
}

/* V2: what a small network makes of the distances. */
static uint32_t computed_bias(ltap_builder *b, windows *w)
{
    ltap_signal x = {0, 2};
    const ltap_torch_tensor *table = ltap_build_need(b, "relative_coords_table", 4, &x.value);
    if (table == NULL)
        return x.value;
    ltap_build_enter(b, "torch.nn.modules.container.Sequential", "cpb_mlp");
    x = ltap_build_linear_rows(b, "0", x, true);
    x = ltap_build_relu(b, "1", x);
    x = ltap_build_linear_rows(b, "2", x, false);
    ltap_build_leave(b);
    w->heads = x.channels;
    x.value = OP(b, "Reshape", x.value, LIST(b, -1, w->heads));
    uint32_t bias = position_bias(b, w, x.value, table->shape.dims[1] * table->shape.dims[2]);
    return OP(b, "Mul", OP(b, "Sigmoid", bias), ltap_build_number(b, 16));
}

/* Each head's part of length 1. */
static ltap_signal normalize(ltap_builder *b, ltap_signal x)
{
    uint32_t length = OP(b, "ReduceL2", x.value, LIST(b, -1));
    length = OP(b, "Clip", length, ltap_build_number(b, 1e-12f));
    x.value = OP(b, "Div", x.value, length);
    return x;
}

static uint32_t cosine_scores(ltap_builder *b, const windows *w, ltap_signal queries,
                              ltap_signal keys)
{
    uint32_t scale;
    uint32_t scores = ltap_build_scores(b, normalize(b, queries), normalize(b, keys), 1);
    ltap_build_shaped(b, "logit_scale", 3, (int64_t[]){w->heads, 1, 1}, &scale);
    scale = OP(b, "Clip", scale, LTAP_NO_VALUE, ltap_build_number(b, (float)log(100)));
    return OP(b, "Mul", scores, OP(b, "Exp", scale));
}

static ltap_signal attend(ltap_builder *b, ltap_signal x, const windows *w, uint32_t bias,
                          bool cosine)
{
    const ltap_heads heads = {4, w->heads};
    ltap_signal parts[3];
    uint32_t scores;
    for (int i = 0; i < 3; i++) /* V2's keys have a bias of zeros, whatever the file says */
        parts[i] = ltap_build_heads(b, x,
                                    &(ltap_rows){.weight = "qkv.weight",
                                                 .bias = cosine && i == 1 ? NULL : "qkv.bias",
                                                 .part = i,
                                                 .parts = 3},
                                    &heads);
    if (cosine)
        scores = cosine_scores(b, w, parts[0], parts[1]);
    else
        scores = ltap_build_scores(b, parts[0], parts[1],
                                   (float)(1 / sqrt((double)x.channels / (double)w->heads)));
    scores = OP(b, "Add", scores, bias);
    if (w->shift != LTAP_NO_VALUE)
        scores = OP(b, "Add", scores, mask(b, w));
    x = ltap_build_attend(b, scores, parts[2], &heads);
    return ltap_build_rows(b, x, &(ltap_rows){.weight = "proj.weight", .bias = "proj.bias"});
}

ltap_signal ltap_build_window_attention(ltap_builder *b, const char *name, ltap_signal x,
                                        bool shifted, bool cosine)
{
    windows w = {.channels = x.channels, .shift = LTAP_NO_VALUE};
    ltap_build_enter(b, cosine ? SWIN "ShiftedWindowAttentionV2" : SWIN "ShiftedWindowAttention",
                     name);
    uint32_t bias = cosine ? computed_bias(b, &w) : learned_bias(b, &w);
    if (ltap_build_is_good(b)) {
        measure(b, x.value, shifted, &w);
        x.value = pad(b, x.value, w.missing);
        if (shifted)
            x.value = roll(b, x.value, w.shift);
        x.value = cut(b, x.value, &w);
        x = attend(b, x, &w, bias, cosine);
        x.value = put_together(b, x.value, &w);
        if (shifted)
            x.value = roll(b, x.value, OP(b, "Sub", w.padded, w.shift));
        x.value = OP(b, "Slice", x.value, LIST(b, 0, 0), w.sizes, LIST(b, 1, 2));
    }
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_merge_patches(ltap_builder *b, ltap_signal x)
{
    uint32_t two = ltap_build_index(b, 2), sizes = ltap_build_sizes(b, x.value, 1, 3);
    uint32_t missing = OP(b, "Mod", sizes, two);
    uint32_t halves = OP(b, "Div", OP(b, "Add", sizes, missing), two);
    x.value = pad(b, x.value, missing);
    x.value = OP(b, "Reshape", x.value,
                 JOIN(b, 0, LIST(b, 0, -1, 2), part(b, halves, 1), LIST(b, 2, x.channels)));
    x.value = ltap_build_transpose(b, x.value, 6, (int64_t[]){0, 1, 3, 4, 2, 5});
    x.channels *= 4;
    x.value = OP(b, "Reshape", x.value, LIST(b, 0, 0, 0, x.channels));
    return x;
}
