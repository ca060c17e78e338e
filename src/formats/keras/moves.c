/* Operations of keras.ops that move, cut, repeat and pad: a row each. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* --- Order of axes. -----------------------------------------------------------------------------
 */

static void run_swap(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int64_t perm[LTAP_KERAS_MAX_RANK];
    int a = ltap_keras_one_axis(c, "axis1", 0, x.rank),
        b = ltap_keras_one_axis(c, "axis2", 1, x.rank);
    for (int i = 0; i < x.rank; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    if (ltap_keras_is_good(c->b))
        c->outputs[0] = ltap_keras_transpose(c->b, x, perm);
}

static void run_move_axis(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int64_t from[LTAP_KERAS_MAX_RANK], to[LTAP_KERAS_MAX_RANK], perm[LTAP_KERAS_MAX_RANK];
    bool moved[LTAP_KERAS_MAX_RANK] = {false}, filled[LTAP_KERAS_MAX_RANK] = {false};
    size_t n = ltap_keras_axes(c, SIZE_MAX, "source", from);
    if (n != ltap_keras_axes(c, SIZE_MAX, "destination", to) || !ltap_keras_is_good(c->b)) {
        ltap_keras_other_kind(c);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        perm[to[i]] = from[i];
        filled[to[i]] = moved[from[i]] = true;
    }
    for (int i = 0, next = 0; i < x.rank; i++) {
        while (next < x.rank && moved[next])
            next++;
        if (!filled[i])
            perm[i] = next++;
    }
    c->outputs[0] = ltap_keras_transpose(c->b, x, perm);
}

/* A quarter of a turn, k times. */
static void run_rot90(ltap_keras_call *c)
{
    int64_t axes[LTAP_KERAS_MAX_RANK], perm[LTAP_KERAS_MAX_RANK];
    ltap_keras_tensor x = c->inputs[0];
    const int64_t k = (ltap_keras_whole(c, SIZE_MAX, "k", 1) % 4 + 4) % 4;
    /* Of more than a quarter, TensorFlow's is right for squares only. */
    if (ltap_keras_axes(c, SIZE_MAX, "axes", axes) != 2 || axes[0] == axes[1] ||
        (k > 1 && x.dims[axes[0]] != x.dims[axes[1]])) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int i = 0; i < x.rank; i++)
        perm[i] = i == axes[0] ? axes[1] : i == axes[1] ? axes[0] : i;
    if (k == 2)
        x = ltap_keras_slice(c->b, x, (int)axes[0], 0, INT64_MAX, -1);
    if (k == 1 || k == 2)
        x = ltap_keras_slice(c->b, x, (int)axes[1], 0, INT64_MAX, -1);
    if (k % 2 == 1)
        x = ltap_keras_transpose(c->b, x, perm);
    if (k == 3)
        x = ltap_keras_slice(c->b, x, (int)axes[1], 0, INT64_MAX, -1);
    c->outputs[0] = k == 0 ? ltap_keras_unary(c->b, "Identity", x) : x;
}

/* Of rows or of what stands in them. */
static void run_flip(ltap_keras_call *c)
{
    const int axis = ltap_keras_is(c->layer->class_name, "Fliplr");
    c->outputs[0] = ltap_keras_slice(c->b, c->inputs[0], axis, 0, INT64_MAX, -1);
    if (c->inputs[0].rank <= axis)
        ltap_keras_other_kind(c);
}

static void run_ravel(ltap_keras_call *c)
{
    const int64_t all = -1;
    c->outputs[0] = ltap_keras_reshape(c->b, c->inputs[0], 1, &all);
}

/* --- Parts and copies. --------------------------------------------------------------------------
 */

/* At indices, or into so many parts; the first ones get what is left over. */
static void run_split(ltap_keras_call *c)
{
    static const struct {
        const char *name;
        int axis;
    } fixed[] = {{"Vsplit", 0}, {"Hsplit", 1}, {"Dsplit", 2}};
    ltap_keras_tensor x = c->inputs[0];
    const ltap_json *json = ltap_keras_constant(c, 1, "indices_or_sections");
    int64_t at[LTAP_KERAS_MAX_ENDS + 1] = {0}, parts = 0;
    int axis =
        ltap_keras_constant(c, SIZE_MAX, "axis") ? ltap_keras_one_axis(c, "axis", 0, x.rank) : 0;
    for (size_t i = 0; i < 3; i++)
        axis = ltap_keras_is(c->layer->class_name, fixed[i].name) ? fixed[i].axis : axis;
    const int64_t size = axis < x.rank ? x.dims[axis] : -1;
    if (json == NULL || size < 1) {
        ltap_keras_other_kind(c);
        return;
    }
    if (json->kind == LTAP_JSON_INT && json->integer > 0 && json->integer < LTAP_KERAS_MAX_ENDS) {
        parts = json->integer;
        for (int64_t i = 0; i < parts; i++)
            at[i + 1] = at[i] + size / parts + (i < size % parts);
    } else if (json->kind == LTAP_JSON_ARRAY && json->count + 1 < LTAP_KERAS_MAX_ENDS) {
        parts = 1 + (int64_t)ltap_keras_ints_of(c, json, "indices_or_sections", at + 1,
                                                LTAP_KERAS_MAX_ENDS - 1);
        at[parts] = size;
    }
    for (int64_t i = 0; i < parts && ltap_keras_is_good(c->b); i++)
        c->outputs[i] = ltap_keras_slice(c->b, x, axis, at[i], at[i + 1], 1);
    c->n_outputs = (size_t)parts;
    if (parts == 0)
        ltap_keras_other_kind(c);
}

static void run_unstack(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int axis = ltap_keras_one_axis(c, "axis", 0, x.rank);
    if (!ltap_keras_is_good(c->b) || x.dims[axis] < 1 || x.dims[axis] > LTAP_KERAS_MAX_ENDS) {
        ltap_keras_other_kind(c);
        return;
    }
    c->n_outputs = (size_t)x.dims[axis];
    for (int64_t i = 0; i < x.dims[axis]; i++) {
        c->outputs[i] = ltap_keras_slice(c->b, x, axis, i, i + 1, 1);
        c->outputs[i] = ltap_keras_squeeze(c->b, c->outputs[i], axis);
    }
}

static void run_slice(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    const ltap_json *begins = ltap_keras_constant(c, 1, "start_indices");
    const ltap_json *sizes = ltap_keras_constant(c, 2, "shape");
    int64_t begin[LTAP_KERAS_MAX_RANK], size[LTAP_KERAS_MAX_RANK];
    if (begins == NULL || sizes == NULL || (int)begins->count != x.rank ||
        (int)sizes->count != x.rank) {
        ltap_keras_other_kind(c);
        return;
    }
    ltap_keras_ints_of(c, begins, "start_indices", begin, LTAP_KERAS_MAX_RANK);
    ltap_keras_ints_of(c, sizes, "shape", size, LTAP_KERAS_MAX_RANK);
    for (int i = 0; i < x.rank; i++)
        if (begin[i] < 0 || size[i] < 0 || begin[i] > INT32_MAX || size[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its part is outside a tensor");
        else
            x = ltap_keras_slice(c->b, x, i, begin[i], begin[i] + size[i], 1);
    c->outputs[0] = x;
}

static void run_tile(ltap_keras_call *c)
{
    const ltap_json *json = ltap_keras_constant(c, 1, "repeats");
    int64_t times[LTAP_KERAS_MAX_RANK];
    ltap_keras_tensor x = c->inputs[0];
    int n =
        json != NULL ? (int)ltap_keras_ints_of(c, json, "repeats", times, LTAP_KERAS_MAX_RANK) : 0;
    while (x.rank < n && ltap_keras_is_good(c->b))
        x = ltap_keras_unsqueeze(c->b, x, 0);
    for (int i = x.rank - 1; i >= 0 && n <= x.rank; i--) {
        times[i] = i >= x.rank - n ? times[i - (x.rank - n)] : 1;
        if (times[i] < 1 || times[i] > INT32_MAX) {
            ltap_keras_other_kind(c);
            return;
        }
        x.dims[i] = x.dims[i] >= 0 ? x.dims[i] * times[i] : -1;
    }
    uint32_t inputs[2] = {x.value, ltap_keras_ints(c->b, times, (size_t)x.rank)};
    c->outputs[0] = ltap_keras_with(x, ltap_keras_one(c, "Tile", inputs, 2, NULL, 0));
}

static void run_broadcast_to(ltap_keras_call *c)
{
    const ltap_json *json = ltap_keras_constant(c, 1, "shape");
    int64_t dims[LTAP_KERAS_MAX_RANK];
    ltap_keras_tensor x = c->inputs[0];
    int n = json != NULL ? (int)ltap_keras_ints_of(c, json, "shape", dims, LTAP_KERAS_MAX_RANK) : 0;
    for (int i = 0; i < n; i++)
        if (dims[i] < 1 || dims[i] > INT32_MAX)
            n = 0;
    if (n < x.rank) {
        ltap_keras_other_kind(c);
        return;
    }
    uint32_t inputs[2] = {x.value, ltap_keras_ints(c->b, dims, (size_t)n)};
    x.value = ltap_keras_one(c, "Expand", inputs, 2, NULL, 0);
    x.rank = n;
    memcpy(x.dims, dims, sizeof dims);
    c->outputs[0] = x;
}

/* Stacks along an axis that the name tells: of vectors, other rules. */
static void run_named_stack(ltap_keras_call *c)
{
    const char letter = c->layer->class_name[0];
    const int axis = letter == 'V' ? 0 : letter == 'H' ? 1 : 2;
    ltap_keras_tensor parts[LTAP_KERAS_MAX_ENDS];
    for (size_t i = 0; i < c->n_inputs; i++) {
        parts[i] = c->inputs[i];
        if (parts[i].rank == axis && axis == 2)
            parts[i] = ltap_keras_unsqueeze(c->b, parts[i], 2);
        if (parts[i].rank < 2 || parts[i].rank <= axis) {
            ltap_keras_other_kind(c);
            return;
        }
    }
    c->outputs[0] = ltap_keras_concat(c->b, parts, c->n_inputs, axis);
}

static void run_append(ltap_keras_call *c)
{
    const int64_t all = -1;
    ltap_keras_tensor parts[2];
    bool flat = ltap_keras_constant(c, SIZE_MAX, "axis") == NULL;
    if (!ltap_keras_operand(c, 0, "x1", &parts[0]) || !ltap_keras_operand(c, 1, "x2", &parts[1])) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int i = 0; i < 2 && flat; i++)
        parts[i] = ltap_keras_reshape(c->b, parts[i], 1, &all);
    int axis = flat ? 0 : ltap_keras_one_axis(c, "axis", 0, parts[0].rank);
    if (ltap_keras_is_good(c->b))
        c->outputs[0] = ltap_keras_concat(c->b, parts, 2, axis);
}

static void run_pad(ltap_keras_call *c)
{
    const ltap_json *json = ltap_keras_constant(c, 1, "pad_width");
    const char *mode = ltap_keras_text(c, "mode", "constant");
    int64_t pads[2 * LTAP_KERAS_MAX_RANK] = {0}, both[2];
    ltap_keras_tensor x = c->inputs[0], value;
    int axis = 0;
    bool constant = ltap_keras_is(mode, "constant");
    if (json == NULL || json->kind != LTAP_JSON_ARRAY || (int)json->count != x.rank ||
        (!constant && !ltap_keras_is(mode, "reflect"))) {
        ltap_keras_other_kind(c);
        return;
    }
    for (const ltap_json *j = json->first; j != NULL; j = j->next, axis++) {
        if (ltap_keras_ints_of(c, j, "pad_width", both, 2) == 1)
            both[1] = both[0];
        if (both[0] < 0 || both[1] < 0 || both[0] > INT32_MAX || both[1] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it pads by a negative or huge number");
        pads[axis] = both[0];
        pads[x.rank + axis] = both[1];
        x.dims[axis] = x.dims[axis] >= 0 ? x.dims[axis] + both[0] + both[1] : -1;
    }
    if (!ltap_keras_operand(c, SIZE_MAX, "constant_values", &value))
        value = ltap_keras_scalar(c->b, 0);
    value = ltap_keras_cast(c->b, value, x.dtype);
    const ltap_attr attr = LTAP_ATTR_S("mode", constant ? "constant" : "reflect");
    uint32_t inputs[3] = {x.value, ltap_keras_ints(c->b, pads, 2 * (size_t)x.rank), value.value};
    c->outputs[0] =
        ltap_keras_with(x, ltap_keras_one(c, "Pad", inputs, constant ? 3 : 2, &attr, 1));
}

/* --- The table. ---------------------------------------------------------------------------------
 */

/* clang-format off */
static const ltap_keras_row rows[] = {
    {"AdaptiveAveragePool", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveMaxPool", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"Append", run_append, NULL, NULL, 0},
    {"ArraySplit", run_split, NULL, NULL, 0},
    {"AveragePool", ltap_keras_run_pool, NULL, NULL, 0},
    {"BroadcastTo", run_broadcast_to, NULL, NULL, 0},
    {"Dsplit", run_split, NULL, NULL, 0},
    {"Dstack", run_named_stack, NULL, NULL, 0},
    {"Fliplr", run_flip, NULL, NULL, 0},
    {"Flipud", run_flip, NULL, NULL, 0},
    {"Hsplit", run_split, NULL, NULL, 0},
    {"Hstack", run_named_stack, NULL, NULL, 0},
    {"MaxPool", ltap_keras_run_pool, NULL, NULL, 0},
    {"Moveaxis", run_move_axis, NULL, NULL, 0},
    {"Pad", run_pad, NULL, NULL, 0},
    {"Ravel", run_ravel, NULL, NULL, 0},
    {"Resize", ltap_keras_run_resizing, NULL, NULL, 0},
    {"Rot90", run_rot90, NULL, NULL, 0},
    {"Slice", run_slice, NULL, NULL, 0},
    {"Split", run_split, NULL, NULL, 0},
    {"Swapaxes", run_swap, NULL, NULL, 0},
    {"Tile", run_tile, NULL, NULL, 0},
    {"Unstack", run_unstack, NULL, NULL, 0},
    {"Vsplit", run_split, NULL, NULL, 0},
    {"Vstack", run_named_stack, NULL, NULL, 0},
};
/* clang-format on */

const ltap_keras_row *ltap_keras_move_find(const char *class_name)
{
    return ltap_keras_row_in(rows, sizeof rows / sizeof *rows, class_name);
}
