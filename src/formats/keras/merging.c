/* Layers that merge several tensors. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* A tensor of fewer axes gets axes of size 1 behind its batch. */
static ltap_keras_tensor with_rank(ltap_keras_call *c, ltap_keras_tensor x, int rank)
{
    while (x.rank > 0 && x.rank < rank && ltap_keras_is_good(c->b))
        x = ltap_keras_unsqueeze(c->b, x, 1);
    return x;
}

/* bool[batch,time,1,...], of the rank of x. */
static ltap_keras_tensor mask_like(ltap_keras_call *c, const ltap_keras_tensor *x)
{
    ltap_keras_tensor mask = ltap_keras_mask_tensor(x);
    while (mask.rank < x->rank && ltap_keras_is_good(c->b))
        mask = ltap_keras_unsqueeze(c->b, mask, mask.rank);
    return mask;
}

static uint32_t join_masks(ltap_keras_call *c, const char *op, uint32_t x, uint32_t y)
{
    return ltap_keras_add(c->b,
                          (ltap_keras_node){.op = op, .inputs = (uint32_t[]){x, y}, .n_inputs = 2});
}

static ltap_keras_tensor fold(ltap_keras_call *c, const char *op)
{
    /* Where a step is masked, Keras 3 takes no part of it into what is largest or smallest. */
    bool chooses = !c->r->weights.is_keras_2 && op[0] == 'M' && op[1] != 'u';
    int rank = 0;
    for (size_t i = 0; i < c->n_inputs; i++)
        rank = c->inputs[i].rank > rank ? c->inputs[i].rank : rank;
    ltap_keras_tensor y = with_rank(c, c->inputs[0], rank);
    for (size_t i = 1; i < c->n_inputs; i++) {
        ltap_keras_tensor x = with_rank(c, c->inputs[i], rank);
        uint32_t mask = LTAP_NO_VALUE, x_mask = x.mask, y_mask = y.mask;
        if (y_mask != LTAP_NO_VALUE && x_mask != LTAP_NO_VALUE && y_mask != x_mask)
            mask = join_masks(c, chooses ? "Or" : "And", y_mask, x_mask);
        else if (y_mask == x_mask || x_mask == LTAP_NO_VALUE)
            mask = y_mask == x_mask || c->r->weights.is_keras_2 ? y_mask : LTAP_NO_VALUE;
        else if (c->r->weights.is_keras_2) /* which leaves out what has no mask */
            mask = x_mask;
        if (chooses && x_mask != LTAP_NO_VALUE)
            x = ltap_keras_choose(c->b, mask_like(c, &x), x, y);
        if (chooses && y_mask != LTAP_NO_VALUE)
            y = ltap_keras_choose(c->b, mask_like(c, &y), y, x);
        y = ltap_keras_binary(c->b, op, y, x);
        y.mask = mask;
    }
    return c->n_inputs == 1 ? ltap_keras_unary(c->b, "Identity", y) : y;
}

void ltap_keras_run_add(ltap_keras_call *c)
{
    c->outputs[0] = fold(c, "Add");
}

void ltap_keras_run_multiply(ltap_keras_call *c)
{
    c->outputs[0] = fold(c, "Mul");
}

void ltap_keras_run_maximum(ltap_keras_call *c)
{
    c->outputs[0] = fold(c, "Max");
}

void ltap_keras_run_minimum(ltap_keras_call *c)
{
    c->outputs[0] = fold(c, "Min");
}

void ltap_keras_run_custom_scale(ltap_keras_call *c)
{
    if (c->n_inputs != 2) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it is called with %zu tensors; expected 2",
                         c->n_inputs);
        return;
    }
    const double scale = ltap_keras_number(c, "scale", 1);
    ltap_keras_tensor branch = ltap_keras_binary_scalar(c->b, "Mul", c->inputs[1], scale);
    c->outputs[0] = ltap_keras_binary(c->b, "Add", c->inputs[0], branch);
}

void ltap_keras_run_average(ltap_keras_call *c)
{
    c->outputs[0] = ltap_keras_binary_scalar(c->b, "Div", fold(c, "Add"), (double)c->n_inputs);
}

void ltap_keras_run_subtract(ltap_keras_call *c)
{
    if (c->n_inputs != 2)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it has %zu inputs; expected 2", c->n_inputs);
    else
        c->outputs[0] = fold(c, "Sub");
}

/* True for each step of a tensor that has no mask. */
static ltap_keras_tensor full_mask(ltap_keras_call *c, ltap_keras_tensor x)
{
    while (x.rank > 2 && ltap_keras_is_good(c->b)) {
        x = ltap_keras_slice(c->b, x, x.rank - 1, 0, 1, 1);
        x = ltap_keras_squeeze(c->b, x, x.rank - 1);
    }
    return ltap_keras_cast(c->b, ltap_keras_filled(c->b, x, 1), LTAP_BOOL);
}

/* Along the steps, masks follow each other; else a step counts that counts in all. */
static uint32_t concat_masks(ltap_keras_call *c, int axis)
{
    ltap_keras_tensor masks[LTAP_KERAS_MAX_ENDS];
    uint32_t all = LTAP_NO_VALUE;
    for (size_t i = 0; i < c->n_inputs; i++) {
        const ltap_keras_tensor *x = &c->inputs[i];
        bool has = x->mask != LTAP_NO_VALUE;
        if (has && all != x->mask)
            all = all == LTAP_NO_VALUE ? x->mask
                  : axis == 1          ? all
                                       : join_masks(c, "And", all, x->mask);
        if (axis == 1)
            masks[i] = has ? ltap_keras_mask_tensor(x) : full_mask(c, *x);
    }
    return axis == 1 ? ltap_keras_concat(c->b, masks, c->n_inputs, 1).value : all;
}

void ltap_keras_run_concatenate(ltap_keras_call *c)
{
    const int rank = c->inputs[0].rank;
    bool masked = false;
    int axis = ltap_keras_axis(c->b, ltap_keras_int(c, "axis", -1), rank);
    for (size_t i = 0; i < c->n_inputs; i++) {
        masked |= c->inputs[i].mask != LTAP_NO_VALUE;
        if (c->inputs[i].rank != rank)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its inputs have %d and %d axes", rank,
                             c->inputs[i].rank);
    }
    if (!ltap_keras_is_good(c->b))
        return;
    uint32_t mask = masked ? concat_masks(c, axis) : LTAP_NO_VALUE;
    c->outputs[0] = ltap_keras_concat(c->b, c->inputs, c->n_inputs, axis);
    c->outputs[0].mask = mask;
}

/* Divides by the length along an axis. */
static ltap_keras_tensor normalized(ltap_keras_call *c, ltap_keras_tensor x, int axis)
{
    const int64_t axes[1] = {axis};
    ltap_keras_tensor sum = ltap_keras_reduce(c->b, "ReduceSumSquare", x, axes, 1, true);
    sum = ltap_keras_binary_scalar(c->b, "Max", sum, 1e-12);
    return ltap_keras_binary(c->b, "Div", x, ltap_keras_unary(c->b, "Sqrt", sum));
}

/* keras.backend.batch_dot over one axis each: all other axes stay, x's first. */
static ltap_keras_tensor batch_dot(ltap_keras_call *c, ltap_keras_tensor x, int x_axis,
                                   ltap_keras_tensor y, int y_axis)
{
    char equation[32] = "a";
    ltap_keras_tensor parts[2] = {x, y};
    int n = 1;
    for (int i = 1; i < x.rank; i++)
        equation[n++] = i == x_axis ? 'z' : (char)('a' + i);
    equation[n++] = ',';
    equation[n++] = 'a';
    for (int i = 1; i < y.rank; i++)
        equation[n++] = i == y_axis ? 'z' : (char)('j' + i);
    equation[n++] = '-';
    equation[n++] = '>';
    equation[n++] = 'a';
    for (int i = 1; i < x.rank; i++)
        if (i != x_axis)
            equation[n++] = (char)('a' + i);
    for (int i = 1; i < y.rank; i++)
        if (i != y_axis)
            equation[n++] = (char)('j' + i);
    equation[n] = '\0';
    ltap_keras_tensor z = ltap_keras_einsum(c->b, equation, parts, 2);
    z.mask = LTAP_NO_VALUE;
    return z.rank == 1 ? ltap_keras_unsqueeze(c->b, z, 1) : z;
}

void ltap_keras_run_dot(ltap_keras_call *c)
{
    int64_t axes[2];
    ltap_keras_list(c, "axes", -1, axes, 2);
    if (c->n_inputs != 2)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it has %zu inputs; expected 2", c->n_inputs);
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor x = c->inputs[0], y = c->inputs[1];
    int x_axis = ltap_keras_axis(c->b, axes[0], x.rank);
    int y_axis = ltap_keras_axis(c->b, axes[1], y.rank);
    if (x_axis == 0 || y_axis == 0 || x.rank + y.rank > 10) {
        ltap_keras_cannot(c, "over the batch");
        return;
    }
    if (ltap_keras_bool(c, "normalize", false)) {
        x = normalized(c, x, x_axis);
        y = normalized(c, y, y_axis);
    }
    c->outputs[0] = batch_dot(c, x, x_axis, y, y_axis);
}
