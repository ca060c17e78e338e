/* Arguments of operations: what a call or a configuration says, as tensors, numbers and axes. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

enum { MAX_NUMBERS = 65536 };

/* An array of numbers under construction. */
typedef struct numbers {
    float *values;
    size_t count;
    int rank;
    int64_t dims[LTAP_KERAS_MAX_RANK];
} numbers;

/* Lists in lists, of the same length at each level. */
static bool read_numbers(const ltap_json *json, int depth, numbers *n)
{
    double number;
    if (ltap_keras_is_number(json, &number) ||
        (json->kind == LTAP_JSON_BOOL && (number = json->boolean, true))) {
        if (n->count == MAX_NUMBERS || depth != n->rank)
            return false;
        n->values[n->count++] = (float)number;
        return true;
    }
    if (json->kind != LTAP_JSON_ARRAY || depth >= n->rank || (int64_t)json->count != n->dims[depth])
        return false;
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        if (!read_numbers(j, depth + 1, n))
            return false;
    return true;
}

static bool read_array(ltap_keras_call *c, const ltap_json *json, ltap_keras_tensor *x)
{
    numbers n = {.count = 0};
    void *block;
    for (const ltap_json *j = json; j != NULL && j->kind == LTAP_JSON_ARRAY; j = j->first) {
        if (n.rank == LTAP_KERAS_MAX_RANK)
            return false;
        n.dims[n.rank++] = (int64_t)j->count;
    }
    ltap_status status =
        ltap_arena_take(c->r->arena, MAX_NUMBERS, sizeof(float), &block, c->r->error);
    ltap_keras_take(c->b, status);
    n.values = status == LTAP_OK ? block : NULL;
    if (n.values == NULL || !read_numbers(json, 0, &n))
        return false;
    *x = (ltap_keras_tensor){.mask = LTAP_NO_VALUE, .rank = n.rank, .dtype = LTAP_FLOAT32};
    memcpy(x->dims, n.dims, sizeof n.dims);
    x->value = ltap_keras_floats(c->b, n.values, n.rank, n.dims);
    return true;
}

static bool is_whole(ltap_dtype dtype)
{
    return dtype == LTAP_INT32 || dtype == LTAP_INT64 || dtype == LTAP_UINT8 ||
           dtype == LTAP_INT16 || dtype == LTAP_INT8;
}

/* A tensor, a number, or an array of numbers; false: something else, or nothing. */
bool ltap_keras_operand(ltap_keras_call *c, size_t place, const char *name, ltap_keras_tensor *x)
{
    ltap_keras_argument a = ltap_keras_argument_get(c, place, name);
    bool whole = a.json != NULL && a.json->kind == LTAP_JSON_INT;
    double number;
    *x = a.tensor;
    if (a.json == NULL)
        return a.tensor.rank != LTAP_KERAS_NO_ARGUMENT;
    /* Keras 3 writes arrays as objects with their values. */
    if (a.json->kind == LTAP_JSON_OBJECT) {
        const ltap_json *config = ltap_json_find(a.json, "config");
        const ltap_json *value = ltap_json_find(config, "value");
        whole = strncmp(ltap_keras_text_of(ltap_json_find(config, "dtype"), ""), "int", 3) == 0;
        a.json = value != NULL ? value : a.json;
    }
    if (ltap_keras_is_number(a.json, &number))
        *x = ltap_keras_scalar(c->b, number);
    else if (a.json->kind == LTAP_JSON_BOOL)
        *x = ltap_keras_cast(c->b, ltap_keras_scalar(c->b, a.json->boolean), LTAP_BOOL);
    else if (a.json->kind != LTAP_JSON_ARRAY || !read_array(c, a.json, x))
        return false;
    /* Whole numbers leave whole tensors whole. */
    if (whole && c->n_inputs > 0 && is_whole(c->inputs[0].dtype))
        *x = ltap_keras_cast(c->b, *x, c->inputs[0].dtype);
    return true;
}

const ltap_json *ltap_keras_constant(ltap_keras_call *c, size_t place, const char *name)
{
    const ltap_json *json = ltap_keras_argument_get(c, place, name).json;
    return json != NULL && json->kind == LTAP_JSON_NULL ? NULL : json;
}

int64_t ltap_keras_whole(ltap_keras_call *c, size_t place, const char *name, int64_t otherwise)
{
    const ltap_json *json = ltap_keras_constant(c, place, name);
    int64_t number = otherwise;
    if (json != NULL)
        ltap_keras_ints_of(c, json, name, &number, 1);
    return number;
}

bool ltap_keras_flag(ltap_keras_call *c, size_t place, const char *name)
{
    const ltap_json *json = ltap_keras_constant(c, place, name);
    return json != NULL && json->kind == LTAP_JSON_BOOL && json->boolean;
}

size_t ltap_keras_axes(ltap_keras_call *c, size_t place, const char *name, int64_t *axes)
{
    const ltap_json *axis = ltap_keras_constant(c, place, name);
    const int rank = c->inputs[0].rank;
    size_t n = 0;
    if (axis != NULL)
        n = ltap_keras_ints_of(c, axis, name, axes, LTAP_KERAS_MAX_RANK);
    for (; axis == NULL && n < (size_t)rank; n++)
        axes[n] = (int64_t)n;
    bool taken[LTAP_KERAS_MAX_RANK] = {false};
    for (size_t i = 0; i < n && ltap_keras_is_good(c->b); i++) {
        axes[i] = ltap_keras_axis(c->b, axes[i], rank);
        if (taken[axes[i]])
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "axis %d stands twice in its '%s'",
                             (int)axes[i], name);
        taken[axes[i]] = true;
    }
    return ltap_keras_is_good(c->b) ? n : 0;
}

uint32_t ltap_keras_one(ltap_keras_call *c, const char *op, const uint32_t *inputs, size_t n_inputs,
                        const ltap_attr *attrs, size_t n_attrs)
{
    return ltap_keras_add(
        c->b,
        (ltap_keras_node){
            .op = op, .inputs = inputs, .n_inputs = n_inputs, .attrs = attrs, .n_attrs = n_attrs});
}

int ltap_keras_one_axis(ltap_keras_call *c, const char *name, int64_t otherwise, int rank)
{
    return ltap_keras_axis(c->b, ltap_keras_whole(c, SIZE_MAX, name, otherwise), rank);
}

/* x flattened where the call names no axis. */
ltap_keras_tensor ltap_keras_along(ltap_keras_call *c, int *axis)
{
    const int64_t all = -1;
    ltap_keras_tensor x = c->inputs[0];
    if (ltap_keras_constant(c, SIZE_MAX, "axis") == NULL)
        x = ltap_keras_reshape(c->b, x, 1, &all);
    *axis = ltap_keras_one_axis(c, "axis", 0, x.rank);
    return x;
}
