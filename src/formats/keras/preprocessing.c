/* Layers that prepare inputs; those that resize are in resizing.c. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* Numbers of a key, in whatever lists they stand. */
static size_t flatten(const ltap_json *json, float *numbers, size_t count, size_t room, int depth)
{
    double number;
    if (ltap_keras_is_number(json, &number)) {
        if (count < room)
            numbers[count] = (float)number;
        return count + 1;
    }
    if (json != NULL && json->kind == LTAP_JSON_OBJECT) /* a serialized array */
        return flatten(ltap_json_find(ltap_json_find(json, "config"), "value"), numbers, count,
                       room, depth + 1);
    if (json == NULL || json->kind != LTAP_JSON_ARRAY || depth > 8)
        return count;
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        count = flatten(j, numbers, count, room, depth + 1);
    return count;
}

enum { MAX_NUMBERS = 4096 };

/* A number, or one for each place of the last axis. */
static ltap_keras_tensor numbers_of(ltap_keras_call *c, const char *key, double otherwise)
{
    float numbers[MAX_NUMBERS];
    const ltap_json *json = ltap_json_find(c->config, key);
    if (json == NULL || json->kind == LTAP_JSON_NULL)
        return ltap_keras_scalar(c->b, otherwise);
    size_t count = flatten(json, numbers, 0, MAX_NUMBERS, 0);
    if (count == 1)
        return ltap_keras_scalar(c->b, (double)numbers[0]);
    ltap_keras_tensor x = {.mask = LTAP_NO_VALUE, .rank = 1, .dtype = LTAP_FLOAT32};
    x.dims[0] = (int64_t)count;
    if (count == 0 || count > MAX_NUMBERS)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' has %zu numbers", key, count);
    else
        x.value = ltap_keras_floats(c->b, numbers, 1, x.dims);
    return x;
}

void ltap_keras_run_rescaling(ltap_keras_call *c)
{
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    ltap_keras_tensor scale = numbers_of(c, "scale", 1), offset = numbers_of(c, "offset", 0);
    x = ltap_keras_binary(c->b, "Mul", x, scale);
    c->outputs[0] = ltap_keras_binary(c->b, "Add", x, offset);
}

/* A statistic as the layer's inputs want it: [1,...,C]. */
static ltap_keras_tensor statistic(ltap_keras_call *c, const char *name)
{
    int64_t dims[LTAP_KERAS_MAX_RANK], axes[LTAP_KERAS_MAX_RANK] = {-1};
    const ltap_json *axis = ltap_json_find(c->config, "axis");
    const int rank = c->inputs[0].rank;
    size_t n_axes = 0;
    if (!ltap_keras_has(c, NULL, name))
        return numbers_of(c, name, 0);
    ltap_keras_tensor x = ltap_keras_weight(c, NULL, name, -1);
    if (axis != NULL && axis->kind != LTAP_JSON_NULL)
        n_axes = ltap_keras_ints_of(c, axis, "axis", axes, LTAP_KERAS_MAX_RANK);
    if (!ltap_keras_is_good(c->b) || x.rank <= 1)
        if (n_axes == 0 || x.rank == 0 || axes[0] == -1 || axes[0] == rank - 1)
            return x;
    for (int i = 0; i < rank; i++)
        dims[i] = 1;
    for (size_t i = 0; i < n_axes && (int)i < x.rank; i++)
        dims[ltap_keras_axis(c->b, axes[i], rank)] = x.dims[i];
    return ltap_keras_is_good(c->b) ? ltap_keras_reshape(c->b, x, rank, dims) : x;
}

void ltap_keras_run_normalization(ltap_keras_call *c)
{
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    ltap_keras_tensor mean = statistic(c, "mean"), deviation = statistic(c, "variance");
    deviation = ltap_keras_unary(c->b, "Sqrt", deviation);
    deviation = ltap_keras_binary_scalar(c->b, "Max", deviation, 1e-7);
    if (ltap_keras_bool(c, "invert", false))
        x = ltap_keras_binary(c->b, "Add", ltap_keras_binary(c->b, "Mul", x, deviation), mean);
    else
        x = ltap_keras_binary(c->b, "Div", ltap_keras_binary(c->b, "Sub", x, mean), deviation);
    c->outputs[0] = x;
}

/* --- Categories. --------------------------------------------------------------------------------
 */

/* Numbers of classes as Keras writes them: as they are, one place of `tokens` each, or all of a row
 * together. int64 in; false: a mode, or a shape, that is not done. */
static bool encode(ltap_keras_call *c, ltap_keras_tensor x, const char *mode, int64_t tokens)
{
    const int64_t two = 2, axis = 1;
    const float off_on[2] = {0, 1};
    bool one_hot = ltap_keras_is(mode, "one_hot"), count = ltap_keras_is(mode, "count");
    if (tokens < 1 || x.rank != 2 || (!one_hot && !count && !ltap_keras_is(mode, "multi_hot")))
        return false;
    if (one_hot && x.dims[1] == 1)
        x = ltap_keras_squeeze(c->b, x, 1);
    uint32_t inputs[3] = {x.value, ltap_keras_ints(c->b, &tokens, 1),
                          ltap_keras_floats(c->b, off_on, 1, &two)};
    ltap_keras_tensor y = x;
    y.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = "OneHot", .inputs = inputs, .n_inputs = 3});
    y.dims[y.rank++] = tokens;
    y.dtype = LTAP_FLOAT32;
    c->outputs[0] =
        one_hot ? y
                : ltap_keras_reduce(c->b, count ? "ReduceSum" : "ReduceMax", y, &axis, 1, false);
    return true;
}

/* How many boundaries are not above the number. */
void ltap_keras_run_discretization(ltap_keras_call *c)
{
    const char *mode = ltap_keras_text(c, "output_mode", "int");
    const ltap_json *list = ltap_json_find(c->config, "bin_boundaries");
    const int64_t last = c->inputs[0].rank;
    if (list == NULL || list->kind != LTAP_JSON_ARRAY || last >= 7) {
        ltap_keras_cannot(c, list == NULL || list->kind == LTAP_JSON_NULL
                                 ? "with boundaries that its configuration does not tell"
                                 : "of this kind");
        return;
    }
    ltap_keras_tensor bounds = numbers_of(c, "bin_boundaries", 0);
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32);
    x = ltap_keras_unsqueeze(c->b, x, x.rank);
    x = ltap_keras_binary(c->b, "GreaterOrEqual", x, bounds);
    x.dtype = LTAP_BOOL;
    x = ltap_keras_cast(c->b, x, LTAP_INT32);
    x = ltap_keras_reduce(c->b, "ReduceSum", x, &last, 1, false);
    if (ltap_keras_is(mode, "int"))
        c->outputs[0] = x;
    else if (!encode(c, ltap_keras_cast(c->b, x, LTAP_INT64), mode, (int64_t)list->count + 1))
        ltap_keras_cannot(c, "of this kind");
}

void ltap_keras_run_category_encoding(ltap_keras_call *c)
{
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_INT64);
    if (c->n_inputs != 1 || !encode(c, x, ltap_keras_text(c, "output_mode", "multi_hot"),
                                    ltap_keras_int(c, "num_tokens", 0)))
        ltap_keras_cannot(c, "of this kind");
}

/* The place in a vocabulary, behind what stands for nothing and for what is not in it. */
void ltap_keras_run_integer_lookup(ltap_keras_call *c)
{
    const ltap_json *list = ltap_json_find(c->config, "vocabulary");
    const ltap_json *nothing = ltap_json_find(c->config, "mask_token");
    const char *mode = ltap_keras_text(c, "output_mode", "int");
    bool masks = ltap_keras_is(mode, "int") && nothing != NULL && nothing->kind != LTAP_JSON_NULL;
    const int64_t last = c->inputs[0].rank,
                  before = masks + ltap_keras_int(c, "num_oov_indices", 1);
    ltap_keras_tensor x = ltap_keras_cast(c->b, c->inputs[0], LTAP_FLOAT32), words, places;
    float numbers[MAX_NUMBERS];
    if (list == NULL || list->kind != LTAP_JSON_ARRAY || before != masks + 1 || last >= 7 ||
        list->count > MAX_NUMBERS || ltap_keras_bool(c, "invert", false)) {
        ltap_keras_cannot(
            c, "with a vocabulary that its configuration does not tell, or of this kind");
        return;
    }
    words = numbers_of(c, "vocabulary", 0);
    for (size_t i = 0; i < list->count; i++)
        numbers[i] = (float)((int64_t)i + 1);
    places = words;
    places.value = ltap_keras_floats(c->b, numbers, words.rank, words.dims);
    ltap_keras_tensor same = ltap_keras_unsqueeze(c->b, x, x.rank);
    same = ltap_keras_binary(c->b, "Equal", same, words);
    same.dtype = LTAP_BOOL;
    same = ltap_keras_cast(c->b, same, LTAP_FLOAT32);
    same = ltap_keras_binary(c->b, "Mul", same, places);
    same = ltap_keras_reduce(c->b, "ReduceSum", same, &last, 1, false);
    same = ltap_keras_binary_scalar(c->b, "Add", same, (double)(before - 1));
    if (masks) {
        ltap_keras_tensor none =
            ltap_keras_binary_scalar(c->b, "Equal", x, ltap_keras_number(c, "mask_token", 0));
        none.dtype = LTAP_BOOL;
        same = ltap_keras_choose(c->b, none, ltap_keras_scalar(c->b, 0), same);
    }
    same = ltap_keras_cast(c->b, same, LTAP_INT64);
    if (ltap_keras_is(mode, "int"))
        c->outputs[0] = same;
    else if (!encode(c, same, mode, before + (int64_t)list->count))
        ltap_keras_cannot(c, "of this kind");
    else if (!c->r->weights.is_keras_2) /* whose layer has the type of its vocabulary */
        c->outputs[0] = ltap_keras_cast(c->b, c->outputs[0], LTAP_INT64);
}
