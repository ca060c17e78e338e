/* Layers that move elements or change shapes. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

ltap_keras_tensor ltap_keras_channels_second(ltap_keras_call *c)
{
    return ltap_keras_channels_first(c) ? c->inputs[0] : ltap_keras_to_second(c->b, c->inputs[0]);
}

ltap_keras_tensor ltap_keras_as_given(ltap_keras_call *c, ltap_keras_tensor y)
{
    y.mask = LTAP_NO_VALUE;
    return ltap_keras_channels_first(c) ? y : ltap_keras_to_last(c->b, y);
}

void ltap_keras_run_flatten(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int64_t size = 1;
    if (ltap_keras_channels_first(c))
        x = ltap_keras_to_last(c->b, x);
    for (int i = 1; i < x.rank; i++)
        if (x.dims[i] < 0 || size < 0 || __builtin_mul_overflow(size, x.dims[i], &size))
            size = -1;
    ltap_keras_tensor y = ltap_keras_unary(c->b, "Flatten", x);
    y.rank = 2;
    y.dims[1] = size;
    y.mask = LTAP_NO_VALUE;
    c->outputs[0] = y;
}

void ltap_keras_run_reshape(ltap_keras_call *c)
{
    int64_t dims[LTAP_KERAS_MAX_RANK] = {0};
    const ltap_json *target = ltap_json_find(c->config, "target_shape");
    if (target == NULL) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it has no target_shape");
        return;
    }
    size_t n = ltap_keras_ints_of(c, target, "target_shape", dims + 1, LTAP_KERAS_MAX_RANK - 1);
    for (size_t i = 1; i <= n; i++)
        if (dims[i] == 0 || dims[i] < -1 || dims[i] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its target_shape has a size of %lld",
                             (long long)dims[i]);
    c->outputs[0] = ltap_keras_reshape(c->b, c->inputs[0], (int)n + 1, dims);
    c->outputs[0].mask = LTAP_NO_VALUE;
}

void ltap_keras_run_permute(ltap_keras_call *c)
{
    int64_t perm[LTAP_KERAS_MAX_RANK] = {0};
    bool seen[LTAP_KERAS_MAX_RANK] = {true};
    ltap_keras_tensor x = c->inputs[0];
    ltap_keras_list(c, "dims", 1, perm + 1, x.rank > 0 ? (size_t)x.rank - 1 : 0);
    for (int i = 1; i < x.rank; i++) {
        if (perm[i] < 1 || perm[i] >= x.rank || seen[perm[i]]) {
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its dims are no order of axes 1 to %d",
                             x.rank - 1);
            return;
        }
        seen[perm[i]] = true;
    }
    c->outputs[0] = ltap_keras_transpose(c->b, x, perm);
    c->outputs[0].mask = LTAP_NO_VALUE;
}

void ltap_keras_run_repeat_vector(ltap_keras_call *c)
{
    const int64_t times[3] = {1, ltap_keras_int(c, "n", 1), 1};
    ltap_keras_tensor x = ltap_keras_unsqueeze(c->b, c->inputs[0], 1);
    uint32_t inputs[2] = {x.value, ltap_keras_ints(c->b, times, 3)};
    x.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = "Tile", .inputs = inputs, .n_inputs = 2});
    x.dims[1] = times[1];
    x.mask = LTAP_NO_VALUE;
    c->outputs[0] = x;
}

/* A number for all sides, one an axis, or two an axis: [before, after] each. */
static void read_sides(ltap_keras_call *c, const char *key, int n, int64_t sides[][2])
{
    const ltap_json *json = ltap_json_find(c->config, key);
    bool many = json != NULL && json->kind == LTAP_JSON_ARRAY;
    const ltap_json *j = many ? json->first : json;
    if (json == NULL || (many && n > 1 && json->count != (size_t)n)) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' is not for %d axes", key, n);
        return;
    }
    if (n == 1) {
        size_t count = ltap_keras_ints_of(c, json, key, sides[0], 2);
        sides[0][1] = count == 1 ? sides[0][0] : sides[0][1];
    }
    for (int i = 0; i < n && n > 1; i++) {
        size_t count = ltap_keras_ints_of(c, j, key, sides[i], 2);
        sides[i][1] = count == 1 ? sides[i][0] : sides[i][1];
        j = many ? j->next : j;
    }
    for (int i = 0; i < n; i++)
        if (sides[i][0] < 0 || sides[i][1] < 0 || sides[i][0] > INT32_MAX ||
            sides[i][1] > INT32_MAX)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' has a negative or huge number",
                             key);
}

/* Where channels are last, they stay there: rows are copied as they lie. */
void ltap_keras_run_zero_padding(ltap_keras_call *c)
{
    int n = ltap_keras_spatial(c), first = ltap_keras_channels_first(c) ? 2 : 1;
    int64_t sides[3][2] = {{0}}, pads[2 * LTAP_KERAS_MAX_RANK] = {0};
    read_sides(c, "padding", n, sides);
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor x = c->inputs[0], y = x;
    for (int i = 0; i < n; i++) {
        pads[first + i] = sides[i][0];
        pads[x.rank + first + i] = sides[i][1];
        if (x.dims[first + i] >= 0)
            y.dims[first + i] = x.dims[first + i] + sides[i][0] + sides[i][1];
    }
    uint32_t inputs[2] = {x.value, ltap_keras_ints(c->b, pads, 2 * (size_t)x.rank)};
    y.value = ltap_keras_add(c->b, (ltap_keras_node){.op = "Pad", .inputs = inputs, .n_inputs = 2});
    c->outputs[0] = y;
}

void ltap_keras_run_cropping(ltap_keras_call *c)
{
    int n = ltap_keras_spatial(c);
    int64_t sides[3][2] = {{0}};
    ltap_keras_tensor x = c->inputs[0];
    read_sides(c, "cropping", n, sides);
    if (!ltap_keras_is_good(c->b))
        return;
    for (int i = 0; i < n; i++) {
        int axis = i + (ltap_keras_channels_first(c) ? 2 : 1);
        if (sides[i][0] > 0 || sides[i][1] > 0)
            x = ltap_keras_slice(c->b, x, axis, sides[i][0],
                                 sides[i][1] > 0 ? -sides[i][1] : INT64_MAX, 1);
    }
    x.mask = LTAP_NO_VALUE;
    c->outputs[0] = x.value == c->inputs[0].value ? ltap_keras_unary(c->b, "Identity", x) : x;
}
