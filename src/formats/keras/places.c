/* Operations of keras.ops that look up, sort and count along an axis: a row each. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* --- Places that are looked up. -----------------------------------------------------------------
 */

static void run_take(ltap_keras_call *c)
{
    ltap_keras_tensor x, places;
    const int64_t all = -1;
    if (!ltap_keras_operand(c, 0, "x", &x) || !ltap_keras_operand(c, 1, "indices", &places) ||
        x.rank < 1 || places.rank < 0 || x.rank + places.rank > LTAP_KERAS_MAX_RANK) {
        ltap_keras_other_kind(c);
        return;
    }
    if (ltap_keras_constant(c, SIZE_MAX, "axis") == NULL)
        x = ltap_keras_reshape(c->b, x, 1, &all);
    int axis = ltap_keras_one_axis(c, "axis", 0, x.rank);
    if (!ltap_keras_is_good(c->b))
        return;
    const ltap_attr attr = LTAP_ATTR_I("axis", axis);
    places = ltap_keras_cast(c->b, places, LTAP_INT64);
    uint32_t inputs[2] = {x.value, places.value};
    ltap_keras_tensor y = ltap_keras_with(x, ltap_keras_one(c, "Gather", inputs, 2, &attr, 1));
    y.rank = x.rank - 1 + places.rank;
    for (int i = 0; i < places.rank; i++)
        y.dims[axis + i] = places.dims[i];
    for (int i = axis + 1; i < x.rank; i++)
        y.dims[i - 1 + places.rank] = x.dims[i];
    y.mask = LTAP_NO_VALUE;
    c->outputs[0] = y;
}

static void run_take_along(ltap_keras_call *c)
{
    ltap_keras_tensor x, places;
    if (!ltap_keras_operand(c, 0, "x", &x) || !ltap_keras_operand(c, 1, "indices", &places) ||
        x.rank != places.rank || ltap_keras_constant(c, SIZE_MAX, "axis") == NULL) {
        ltap_keras_other_kind(c);
        return;
    }
    const ltap_attr attr = LTAP_ATTR_I("axis", ltap_keras_one_axis(c, "axis", 0, x.rank));
    uint32_t inputs[2] = {x.value, ltap_keras_cast(c->b, places, LTAP_INT64).value};
    places.dtype = x.dtype;
    c->outputs[0] =
        ltap_keras_with(places, ltap_keras_one(c, "GatherElements", inputs, 2, &attr, 1));
}

static void run_one_hot(ltap_keras_call *c)
{
    const int64_t count = ltap_keras_whole(c, SIZE_MAX, "num_classes", 0), two = 2;
    const float off_on[2] = {0, 1};
    const bool many = ltap_keras_is(c->layer->class_name, "MultiHot");
    ltap_keras_tensor x = c->inputs[0];
    if (count < 1 || count > INT32_MAX || x.rank >= LTAP_KERAS_MAX_RANK || x.rank < many ||
        ltap_keras_flag(c, SIZE_MAX, "sparse") ||
        (many && ltap_keras_whole(c, SIZE_MAX, "axis", -1) != -1)) {
        ltap_keras_other_kind(c);
        return;
    }
    const int axis = ltap_keras_one_axis(c, "axis", -1, x.rank + 1);
    const int64_t before = x.rank - 1;
    const ltap_attr attr = LTAP_ATTR_I("axis", axis);
    uint32_t inputs[3] = {ltap_keras_cast(c->b, x, LTAP_INT64).value,
                          ltap_keras_ints(c->b, &count, 1),
                          ltap_keras_floats(c->b, off_on, 1, &two)};
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor y = ltap_keras_with(x, ltap_keras_one(c, "OneHot", inputs, 3, &attr, 1));
    memmove(&y.dims[axis + 1], &x.dims[axis], sizeof(int64_t) * (size_t)(x.rank - axis));
    y.dims[axis] = count;
    y.rank++;
    y.dtype = LTAP_FLOAT32;
    y.mask = LTAP_NO_VALUE;
    c->outputs[0] = many ? ltap_keras_reduce(c->b, "ReduceMax", y, &before, 1, false) : y;
}

/* --- Order and sums along an axis. --------------------------------------------------------------
 */

static void run_arg(ltap_keras_call *c)
{
    int axis;
    ltap_keras_tensor x = ltap_keras_along(c, &axis);
    const bool most = ltap_keras_is(c->layer->class_name, "Argmax");
    const bool keep = ltap_keras_flag(c, SIZE_MAX, "keepdims");
    if (!ltap_keras_is_good(c->b))
        return;
    const ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis), LTAP_ATTR_I("keepdims", 1)};
    ltap_keras_tensor y =
        ltap_keras_with(x, ltap_keras_one(c, most ? "ArgMax" : "ArgMin", &x.value, 1, attrs, 2));
    y.dims[axis] = 1;
    y.dtype = LTAP_INT64;
    y = ltap_keras_cast(c->b, y, LTAP_INT32);
    c->outputs[0] = keep ? y : ltap_keras_squeeze(c->b, y, axis);
}

/* The `count` (0: all) largest or smallest along the last axis, in order, and their places. */
static void sort(ltap_keras_call *c, ltap_keras_tensor x, int64_t count, bool largest,
                 ltap_keras_tensor found[2])
{
    uint32_t outputs[2];
    const int last = x.rank - 1;
    const ltap_attr attr = LTAP_ATTR_I("largest", largest);
    ltap_keras_tensor shape = ltap_keras_unary(c->b, "Shape", x);
    shape.rank = 1;
    shape.dims[0] = x.rank;
    uint32_t inputs[2] = {x.value,
                          count > 0 ? ltap_keras_ints(c->b, &count, 1)
                                    : ltap_keras_slice(c->b, shape, 0, last, INT64_MAX, 1).value};
    ltap_keras_add_several(
        c->b,
        (ltap_keras_node){
            .op = "TopK", .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
        outputs, 2);
    found[0] = found[1] = x;
    found[0].value = outputs[0];
    found[1].value = outputs[1];
    found[1].dtype = LTAP_INT64;
    if (count > 0)
        found[0].dims[last] = found[1].dims[last] = count;
    found[1] = ltap_keras_cast(c->b, found[1], LTAP_INT32);
}

static void run_top_k(ltap_keras_call *c)
{
    const int64_t k = ltap_keras_whole(c, 1, "k", 0);
    if (k < 1 || k > INT32_MAX || c->inputs[0].rank < 1) {
        ltap_keras_other_kind(c);
        return;
    }
    sort(c, c->inputs[0], k, true, c->outputs);
    c->n_outputs = 2;
}

static void run_sort(ltap_keras_call *c)
{
    int axis;
    ltap_keras_tensor x = ltap_keras_along(c, &axis), found[2];
    int64_t perm[LTAP_KERAS_MAX_RANK];
    const bool places = ltap_keras_is(c->layer->class_name, "Argsort");
    if (!ltap_keras_is_good(c->b))
        return;
    for (int i = 0; i < x.rank; i++)
        perm[i] = i == axis ? x.rank - 1 : i == x.rank - 1 ? axis : i;
    bool turns = axis != x.rank - 1;
    sort(c, turns ? ltap_keras_transpose(c->b, x, perm) : x, 0, false, found);
    c->outputs[0] = turns ? ltap_keras_transpose(c->b, found[places], perm) : found[places];
}

static void run_cumulate(ltap_keras_call *c)
{
    int axis;
    ltap_keras_tensor x = ltap_keras_along(c, &axis);
    if (!ltap_keras_is_good(c->b))
        return;
    if (x.dtype == LTAP_BOOL)
        x = ltap_keras_cast(c->b, x, LTAP_INT32);
    const bool product = strstr(c->layer->class_name, "prod") != NULL;
    uint32_t inputs[2] = {x.value, ltap_keras_int_scalar(c->b, axis)};
    c->outputs[0] =
        ltap_keras_with(x, ltap_keras_one(c, product ? "CumProd" : "CumSum", inputs, 2, NULL, 0));
}

/* Each less the one before it, n times. */
static void run_diff(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    const int axis = ltap_keras_one_axis(c, "axis", -1, x.rank);
    const int64_t n = ltap_keras_whole(c, SIZE_MAX, "n", 1);
    if (!ltap_keras_is_good(c->b) || n < 1 || n > 16 || x.dims[axis] <= n) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        x = ltap_keras_binary(c->b, "Sub", ltap_keras_slice(c->b, x, axis, 1, INT64_MAX, 1),
                              ltap_keras_slice(c->b, x, axis, 0, -1, 1));
    c->outputs[0] = x;
}

/* --- The table. ---------------------------------------------------------------------------------
 */

/* clang-format off */
static const ltap_keras_row rows[] = {
    {"Argmax", run_arg, NULL, NULL, 0},
    {"Argmin", run_arg, NULL, NULL, 0},
    {"Argsort", run_sort, NULL, NULL, 0},
    {"Cumprod", run_cumulate, NULL, NULL, 0},
    {"Cumsum", run_cumulate, NULL, NULL, 0},
    {"Diff", run_diff, NULL, NULL, 0},
    {"MultiHot", run_one_hot, NULL, NULL, 0},
    {"OneHot", run_one_hot, NULL, NULL, 0},
    {"Sort", run_sort, NULL, NULL, 0},
    {"Take", run_take, NULL, NULL, 0},
    {"TakeAlongAxis", run_take_along, NULL, NULL, 0},
    {"TopK", run_top_k, NULL, NULL, 0},
};
/* clang-format on */

const ltap_keras_row *ltap_keras_place_find(const char *class_name)
{
    return ltap_keras_row_in(rows, sizeof rows / sizeof *rows, class_name);
}
