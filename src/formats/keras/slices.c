/* Slices of tensors as nodes of a model, x[:, 1:, ..., None], and what else moves along one axis.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

static bool is_ellipsis(const ltap_json *j)
{
    return ltap_keras_is(ltap_keras_text_of(ltap_json_find(j, "class_name"), ""), "__ellipsis__") ||
           ltap_keras_is(ltap_keras_text_of(ltap_json_find(j, "class_name"), ""), "Ellipsis") ||
           ltap_keras_is(ltap_keras_text_of(j, ""), "...");
}

static bool limit(const ltap_json *object, const char *key, int64_t otherwise, int64_t *number)
{
    const ltap_json *json = ltap_json_find(object, key);
    *number = json != NULL && json->kind == LTAP_JSON_INT ? json->integer : otherwise;
    return json == NULL || json->kind == LTAP_JSON_INT || json->kind == LTAP_JSON_NULL;
}

/* One part of an index, on the axis that is next. */
static bool index_axis(ltap_keras_call *c, ltap_keras_tensor *x, const ltap_json *part, int *axis)
{
    int64_t begin, end, step;
    const ltap_json *slice = ltap_json_find(part, "config");
    if (part->kind == LTAP_JSON_NULL) {
        *x = ltap_keras_unsqueeze(c->b, *x, (*axis)++);
        return true;
    }
    if (*axis >= x->rank)
        return false;
    if (part->kind == LTAP_JSON_INT) {
        end = part->integer == -1 ? INT64_MAX : part->integer + 1;
        *x = ltap_keras_slice(c->b, *x, *axis, part->integer, end, 1);
        *x = ltap_keras_squeeze(c->b, *x, *axis);
        return true;
    }
    slice = slice != NULL ? slice : part; /* Keras 2: {"start", "stop", "step"} */
    if (part->kind != LTAP_JSON_OBJECT || !limit(slice, "step", 1, &step) ||
        !limit(slice, "start", 0, &begin) || !limit(slice, "stop", INT64_MAX, &end) || step == 0 ||
        (step < 0 && (step != -1 || begin != 0 || end != INT64_MAX)))
        return false;
    if (begin != 0 || end != INT64_MAX || step != 1)
        *x = ltap_keras_slice(c->b, *x, *axis, begin, end, step);
    ++*axis;
    return true;
}

static size_t axes_taken(const ltap_json *parts)
{
    size_t n = 0;
    for (const ltap_json *j = parts; j != NULL; j = j->next)
        n += j->kind != LTAP_JSON_NULL && !is_ellipsis(j);
    return n;
}

void ltap_keras_run_index(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    const ltap_json *key = ltap_keras_argument_get(c, 1, "key").json;
    int axis = 0;
    if (key == NULL)
        key = ltap_keras_argument_get(c, 1, "slice_spec").json;
    const ltap_json *parts = key != NULL && key->kind == LTAP_JSON_ARRAY ? key->first : key;
    bool list = key != NULL && key->kind == LTAP_JSON_ARRAY;
    for (const ltap_json *j = parts; j != NULL && ltap_keras_is_good(c->b);
         j = list ? j->next : NULL) {
        if (is_ellipsis(j)) {
            axis = x.rank - (int)axes_taken(list ? j->next : NULL);
            if (axis < 0)
                axis = x.rank;
        } else if (!index_axis(c, &x, j, &axis)) {
            ltap_keras_other_kind(c);
            return;
        }
    }
    if (c->n_inputs != 1 || key == NULL)
        ltap_keras_other_kind(c);
    else
        c->outputs[0] = x.value == c->inputs[0].value ? ltap_keras_unary(c->b, "Identity", x) : x;
}

/* A whole number of the configuration, and an axis; false: they are of another kind. */
static bool number_and_axis(ltap_keras_call *c, const char *key, int64_t *number, int *axis)
{
    const ltap_json *n = ltap_json_find(c->config, key), *a = ltap_json_find(c->config, "axis");
    if (n == NULL || n->kind != LTAP_JSON_INT || a == NULL || a->kind != LTAP_JSON_INT ||
        n->integer > INT32_MAX || n->integer < -INT32_MAX)
        return false;
    *number = n->integer;
    *axis = ltap_keras_axis(c->b, a->integer, c->inputs[0].rank);
    return true;
}

/* What is pushed over the end comes in again at the beginning. */
void ltap_keras_run_roll(ltap_keras_call *c)
{
    int64_t shift;
    int axis;
    ltap_keras_tensor parts[2], x = c->inputs[0];
    if (!number_and_axis(c, "shift", &shift, &axis) || x.dims[axis] < 1) {
        ltap_keras_other_kind(c);
        return;
    }
    int64_t size = x.dims[axis];
    shift = (shift % size + size) % size;
    parts[0] = ltap_keras_slice(c->b, x, axis, size - shift, INT64_MAX, 1);
    parts[1] = ltap_keras_slice(c->b, x, axis, 0, size - shift, 1);
    c->outputs[0] = shift == 0 ? ltap_keras_unary(c->b, "Identity", x)
                               : ltap_keras_concat(c->b, parts, 2, axis);
}

/* Each place several times in a row. */
void ltap_keras_run_repeat(ltap_keras_call *c)
{
    int64_t times, tiles[LTAP_KERAS_MAX_RANK], dims[LTAP_KERAS_MAX_RANK] = {0};
    int axis;
    ltap_keras_tensor x = c->inputs[0];
    if (!number_and_axis(c, "repeats", &times, &axis) || times < 1 || x.dims[axis] < 1 ||
        x.dims[axis] > INT32_MAX || x.rank == LTAP_KERAS_MAX_RANK) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int i = 0; i <= x.rank; i++)
        tiles[i] = i == axis + 1 ? times : 1;
    /* Axes behind have moved by one, so that they cannot be kept by their places. */
    for (int i = axis; i < x.rank; i++) {
        dims[i] = i == axis ? x.dims[i] * times : x.dims[i];
        if (dims[i] < 1) {
            ltap_keras_other_kind(c);
            return;
        }
    }
    ltap_keras_tensor y = ltap_keras_unsqueeze(c->b, x, axis + 1);
    uint32_t inputs[2] = {y.value, ltap_keras_ints(c->b, tiles, (size_t)x.rank + 1)};
    y.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = "Tile", .inputs = inputs, .n_inputs = 2});
    y.dims[axis + 1] = times;
    c->outputs[0] = ltap_keras_reshape(c->b, y, x.rank, dims);
}
