/* Operations of keras.ops on tables, with norms and averages: a row each. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* --- Tables. ------------------------------------------------------------------------------------
 */

static void run_triangle(ltap_keras_call *c)
{
    const ltap_attr attr = LTAP_ATTR_I("upper", ltap_keras_is(c->layer->class_name, "Triu"));
    const int64_t k = ltap_keras_whole(c, SIZE_MAX, "k", 0);
    uint32_t inputs[2] = {c->inputs[0].value, ltap_keras_int_scalar(c->b, k)};
    if (c->inputs[0].rank < 2)
        ltap_keras_other_kind(c);
    else
        c->outputs[0] =
            ltap_keras_with(c->inputs[0], ltap_keras_one(c, "Trilu", inputs, 2, &attr, 1));
}

/* What stands on the diagonal of two axes, and its sum: picked by a mask of ones. */
static void run_diagonal(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    const int a = ltap_keras_one_axis(c, "axis1", 0, x.rank),
              b = ltap_keras_one_axis(c, "axis2", 1, x.rank);
    int64_t perm[LTAP_KERAS_MAX_RANK], last = x.rank - 1;
    int n = 0;
    if (!ltap_keras_is_good(c->b) || x.rank < 2 || a == b || x.dims[a] != x.dims[b] ||
        x.dims[a] < 1 || ltap_keras_whole(c, SIZE_MAX, "offset", 0) != 0) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int i = 0; i < x.rank; i++)
        if (i != a && i != b)
            perm[n++] = i;
    perm[n] = a;
    perm[n + 1] = b;
    x = ltap_keras_transpose(c->b, x, perm);
    ltap_keras_tensor places = ltap_keras_filled(c->b, x, 1);
    for (int upper = 0; upper < 2; upper++) {
        const ltap_attr attr = LTAP_ATTR_I("upper", upper);
        places = ltap_keras_with(places, ltap_keras_one(c, "Trilu", &places.value, 1, &attr, 1));
    }
    x = ltap_keras_choose(c->b, places, x, ltap_keras_scalar(c->b, 0));
    x = ltap_keras_reduce(c->b, "ReduceSum", x, &last, 1, false);
    last--;
    c->outputs[0] = ltap_keras_is(c->layer->class_name, "Trace")
                        ? ltap_keras_reduce(c->b, "ReduceSum", x, &last, 1, false)
                        : x;
}

/* Sums over pairs of axes: all others of x, then of y. */
static void contract(ltap_keras_call *c, ltap_keras_tensor x, ltap_keras_tensor y,
                     const int64_t *x_axes, const int64_t *y_axes, size_t n_axes)
{
    char equation[64], out[2 * LTAP_KERAS_MAX_RANK + 1] = "";
    char names[2][LTAP_KERAS_MAX_RANK + 1] = {"", ""};
    size_t n = 0;
    const ltap_keras_tensor parts[2] = {x, y};
    if (x.rank + y.rank - 2 * (int)n_axes > LTAP_KERAS_MAX_RANK) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < parts[t].rank; i++) {
            char name = (char)((t == 0 ? 'a' : 'k') + i);
            bool summed = false;
            for (size_t k = 0; k < n_axes; k++)
                if ((t == 0 ? x_axes : y_axes)[k] == i) {
                    name = (char)('t' + k);
                    summed = true;
                }
            names[t][i] = name;
            if (!summed)
                out[n++] = name;
        }
    snprintf(equation, sizeof equation, "%s,%s->%s", names[0], names[1], out);
    c->outputs[0] = ltap_keras_einsum(c->b, equation, parts, 2);
    c->outputs[0].mask = LTAP_NO_VALUE;
}

enum { MAX_PAIRS = 4 };

static size_t read_pairs(ltap_keras_call *c, int rank, int64_t *x_axes, int64_t *y_axes)
{
    const ltap_json *json = ltap_keras_constant(c, SIZE_MAX, "axes");
    size_t n = 0;
    if (json != NULL && json->kind == LTAP_JSON_ARRAY && json->count == 2) {
        n = ltap_keras_ints_of(c, json->first, "axes", x_axes, MAX_PAIRS);
        return n == ltap_keras_ints_of(c, json->first->next, "axes", y_axes, MAX_PAIRS) ? n : 0;
    }
    if (json != NULL && json->kind == LTAP_JSON_INT && json->integer > 0 &&
        json->integer <= MAX_PAIRS && json->integer <= rank)
        for (; n < (size_t)json->integer; n++) {
            x_axes[n] = rank - json->integer + (int64_t)n;
            y_axes[n] = (int64_t)n;
        }
    return n;
}

static void run_contract(ltap_keras_call *c)
{
    const char *name = c->layer->class_name;
    int64_t x_axes[MAX_PAIRS], y_axes[MAX_PAIRS];
    ltap_keras_tensor x, y;
    size_t n = 1;
    if (!ltap_keras_operand(c, 0, "x1", &x) || !ltap_keras_operand(c, 1, "x2", &y) || x.rank < 1 ||
        y.rank < 1) {
        ltap_keras_other_kind(c);
        return;
    }
    x_axes[0] = x.rank - 1;
    y_axes[0] = ltap_keras_is(name, "Dot") && y.rank > 1 ? y.rank - 2 : y.rank - 1;
    if (ltap_keras_is(name, "Tensordot"))
        n = read_pairs(c, x.rank, x_axes, y_axes);
    for (size_t i = 0; i < n; i++) {
        x_axes[i] = ltap_keras_axis(c->b, x_axes[i], x.rank);
        y_axes[i] = ltap_keras_axis(c->b, y_axes[i], y.rank);
    }
    if (n == 0)
        ltap_keras_other_kind(c);
    else if (ltap_keras_is_good(c->b))
        contract(c, x, y, x_axes, y_axes, n);
}

static void run_outer(ltap_keras_call *c)
{
    const int64_t all = -1;
    ltap_keras_tensor x, y;
    if (!ltap_keras_operand(c, 0, "x1", &x) || !ltap_keras_operand(c, 1, "x2", &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    x = ltap_keras_unsqueeze(c->b, ltap_keras_reshape(c->b, x, 1, &all), 1);
    y = ltap_keras_unsqueeze(c->b, ltap_keras_reshape(c->b, y, 1, &all), 0);
    c->outputs[0] = ltap_keras_binary(c->b, "Mul", x, y);
}

/* --- Norms and averages. ------------------------------------------------------------------------
 */

/* The length of order 1, 2 or infinity along axes, which stay; false: of another order. */
static bool length(ltap_keras_call *c, ltap_keras_tensor x, const ltap_json *order,
                   const int64_t *axes, size_t n_axes, ltap_keras_tensor *y)
{
    double p = 2;
    const char *text = ltap_keras_text_of(order, "");
    if (order != NULL && order->kind != LTAP_JSON_STRING && !ltap_keras_is_number(order, &p))
        return false;
    if (n_axes > 1 && order != NULL && !ltap_keras_is(text, "fro"))
        return false;
    x = ltap_keras_cast(c->b, x, LTAP_FLOAT32);
    bool one = p > 0.5 && p<1.5, two = p> 1.5 && p<2.5, most = p> 1e308;
    if (!one && !two && !most)
        return false;
    *y = ltap_keras_reduce(c->b,
                           one   ? "ReduceL1"
                           : two ? "ReduceL2"
                                 : "ReduceMax",
                           most ? ltap_keras_unary(c->b, "Abs", x) : x, axes, n_axes, true);
    return true;
}

static ltap_keras_tensor without(ltap_keras_call *c, ltap_keras_tensor x, const int64_t *axes,
                                 size_t n_axes)
{
    bool gone[LTAP_KERAS_MAX_RANK] = {false};
    for (size_t i = 0; i < n_axes; i++)
        gone[axes[i]] = true;
    for (int i = x.rank; i-- > 0 && ltap_keras_is_good(c->b);)
        if (gone[i])
            x = ltap_keras_squeeze(c->b, x, i);
    return x;
}

static void run_norm(ltap_keras_call *c)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    const size_t n = ltap_keras_axes(c, SIZE_MAX, "axis", axes);
    ltap_keras_tensor y;
    if (!length(c, c->inputs[0], ltap_keras_constant(c, SIZE_MAX, "ord"), axes, n, &y))
        ltap_keras_other_kind(c);
    else
        c->outputs[0] = ltap_keras_flag(c, SIZE_MAX, "keepdims") ? y : without(c, y, axes, n);
}

static void run_normalize(ltap_keras_call *c)
{
    const int64_t axis = ltap_keras_one_axis(c, "axis", -1, c->inputs[0].rank);
    ltap_keras_tensor y;
    if (!ltap_keras_is_good(c->b) ||
        !length(c, c->inputs[0], ltap_keras_constant(c, SIZE_MAX, "order"), &axis, 1, &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    y = ltap_keras_binary_scalar(c->b, "Max", y, ltap_keras_number(c, "epsilon", 1e-7));
    c->outputs[0] = ltap_keras_binary(c->b, "Div", c->inputs[0], y);
}

static void run_moments(ltap_keras_call *c)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    const size_t n = ltap_keras_axes(c, SIZE_MAX, "axes", axes);
    const bool keep = ltap_keras_flag(c, SIZE_MAX, "keepdims");
    ltap_keras_tensor x = c->inputs[0];
    ltap_keras_tensor mean = ltap_keras_reduce(c->b, "ReduceMean", x, axes, n, true);
    x = ltap_keras_binary(c->b, "Sub", x, mean);
    x = ltap_keras_binary(c->b, "Mul", x, x);
    x = ltap_keras_reduce(c->b, "ReduceMean", x, axes, n, true);
    c->outputs[0] = keep ? mean : without(c, mean, axes, n);
    c->outputs[1] = keep ? x : without(c, x, axes, n);
    c->n_outputs = 2;
}

/* With weights along the last axis, or of the tensor's own shape. */
static void run_average(ltap_keras_call *c)
{
    int64_t axes[LTAP_KERAS_MAX_RANK];
    const size_t n = ltap_keras_axes(c, SIZE_MAX, "axis", axes);
    ltap_keras_tensor x = c->inputs[0], w;
    if (!ltap_keras_operand(c, SIZE_MAX, "weights", &w)) {
        c->outputs[0] = ltap_keras_reduce(c->b, "ReduceMean", x, axes, n, false);
        return;
    }
    if (w.rank != x.rank && (w.rank != 1 || n != 1 || axes[0] != x.rank - 1)) {
        ltap_keras_other_kind(c);
        return;
    }
    ltap_keras_tensor whole = ltap_keras_binary(c->b, "Mul", x, w);
    w = ltap_keras_binary(c->b, "Add", ltap_keras_filled(c->b, x, 0), w);
    c->outputs[0] =
        ltap_keras_binary(c->b, "Div", ltap_keras_reduce(c->b, "ReduceSum", whole, axes, n, false),
                          ltap_keras_reduce(c->b, "ReduceSum", w, axes, n, false));
}

static void run_full_like(ltap_keras_call *c)
{
    ltap_keras_tensor value;
    if (!ltap_keras_operand(c, 1, "fill_value", &value))
        ltap_keras_other_kind(c);
    else
        c->outputs[0] = ltap_keras_cast(
            c->b, ltap_keras_binary(c->b, "Add", ltap_keras_filled(c->b, c->inputs[0], 0), value),
            c->inputs[0].dtype);
}

static void run_nan_to_num(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    const double most = 3.4028234663852886e38;
    const double numbers[3] = {ltap_keras_number(c, "nan", 0), ltap_keras_number(c, "posinf", most),
                               ltap_keras_number(c, "neginf", -most)};
    for (int i = 0; i < 3; i++) {
        const ltap_attr attrs[] = {LTAP_ATTR_I("detect_positive", i == 1),
                                   LTAP_ATTR_I("detect_negative", i == 2)};
        ltap_keras_tensor is = x;
        is.value = i == 0 ? ltap_keras_one(c, "IsNaN", &x.value, 1, NULL, 0)
                          : ltap_keras_one(c, "IsInf", &x.value, 1, attrs, 2);
        is.dtype = LTAP_BOOL;
        x = ltap_keras_choose(c->b, is, ltap_keras_scalar(c->b, numbers[i]), x);
    }
    c->outputs[0] = x;
}

/* The first choice whose condition holds. */
static void run_select(ltap_keras_call *c)
{
    const size_t n = c->n_inputs / 2;
    ltap_keras_tensor y;
    if (c->n_inputs % 2 != 0 || !ltap_keras_operand(c, 2, "default", &y)) {
        ltap_keras_other_kind(c);
        return;
    }
    for (size_t i = n; i-- > 0;)
        y = ltap_keras_choose(c->b, c->inputs[i], c->inputs[n + i], y);
    c->outputs[0] = y;
}

static void run_round(ltap_keras_call *c)
{
    const int64_t decimals = ltap_keras_whole(c, SIZE_MAX, "decimals", 0);
    double scale = 1;
    for (int64_t i = 0; i < decimals && i < 9; i++)
        scale *= 10;
    ltap_keras_tensor x = c->inputs[0];
    if (decimals < 0 || decimals > 8)
        ltap_keras_other_kind(c);
    else if (decimals == 0)
        c->outputs[0] = ltap_keras_unary(c->b, "Round", x);
    else
        c->outputs[0] = ltap_keras_binary_scalar(
            c->b, "Div",
            ltap_keras_unary(c->b, "Round", ltap_keras_binary_scalar(c->b, "Mul", x, scale)),
            scale);
}

/* Blocks of pixels to channels, and back, with channels last. */
static void run_blocks(ltap_keras_call *c)
{
    const int64_t size = ltap_keras_whole(c, SIZE_MAX, "block_size", 0);
    const bool to_space = ltap_keras_is(c->layer->class_name, "DepthToSpace");
    ltap_keras_tensor x = c->inputs[0];
    if (x.rank != 4 || size < 1 || size > 4096 || ltap_keras_channels_first(c)) {
        ltap_keras_other_kind(c);
        return;
    }
    const ltap_attr attrs[] = {LTAP_ATTR_I("blocksize", size), LTAP_ATTR_S("mode", "DCR")};
    x = ltap_keras_to_second(c->b, x);
    x.value = ltap_keras_one(c, to_space ? "DepthToSpace" : "SpaceToDepth", &x.value, 1, attrs,
                             to_space ? 2 : 1);
    for (int i = 1; i < 4; i++)
        if (x.dims[i] >= 0)
            x.dims[i] = (i == 1) == to_space ? x.dims[i] / (i == 1 ? size * size : size)
                                             : x.dims[i] * (i == 1 ? size * size : size);
    c->outputs[0] = ltap_keras_to_last(c->b, x);
}

/* --- The table. ---------------------------------------------------------------------------------
 */

/* clang-format off */
static const ltap_keras_row rows[] = {
    {"Average", run_average, NULL, NULL, 0},
    {"DepthToSpace", run_blocks, NULL, NULL, 0},
    {"Diagonal", run_diagonal, NULL, NULL, 0},
    {"Dot", run_contract, NULL, NULL, 0},
    {"FullLike", run_full_like, NULL, NULL, 0},
    {"Inner", run_contract, NULL, NULL, 0},
    {"Moments", run_moments, NULL, NULL, 0},
    {"NanToNum", run_nan_to_num, NULL, NULL, 0},
    {"Norm", run_norm, NULL, NULL, 0},
    {"Normalize", run_normalize, NULL, NULL, 0},
    {"Outer", run_outer, NULL, NULL, 0},
    {"Round", run_round, NULL, NULL, 0},
    {"Select", run_select, NULL, NULL, 0},
    {"SpaceToDepth", run_blocks, NULL, NULL, 0},
    {"Tensordot", run_contract, NULL, NULL, 0},
    {"Trace", run_diagonal, NULL, NULL, 0},
    {"Tril", run_triangle, NULL, NULL, 0},
    {"Triu", run_triangle, NULL, NULL, 0},
};
/* clang-format on */

const ltap_keras_row *ltap_keras_product_find(const char *class_name)
{
    return ltap_keras_row_in(rows, sizeof rows / sizeof *rows, class_name);
}
