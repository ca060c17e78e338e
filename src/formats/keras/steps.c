/* Layers that go through steps one by one: ConvLSTM, and wrappers of layers that do not know of
 * steps.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

enum { MAX_STEPS = 512, GATES = 4 };

/* [batch,time,...] -> [batch * time,...]; false: there is a size that nobody knows. */
static bool join_steps(ltap_keras_call *c, ltap_keras_tensor *x)
{
    int64_t dims[LTAP_KERAS_MAX_RANK] = {-1};
    for (int i = 1; i < x->rank; i++)
        if (x->dims[i] < 0)
            return false;
    memcpy(&dims[1], &x->dims[2], sizeof(int64_t) * (size_t)(x->rank - 2));
    *x = ltap_keras_reshape(c->b, *x, x->rank - 1, dims);
    x->mask = LTAP_NO_VALUE;
    return true;
}

static bool part_steps(ltap_keras_call *c, ltap_keras_tensor *x, int64_t steps)
{
    int64_t dims[LTAP_KERAS_MAX_RANK] = {-1, steps};
    if (x->rank < 1 || x->rank >= LTAP_KERAS_MAX_RANK)
        return false;
    for (int i = 1; i < x->rank; i++) {
        dims[i + 1] = x->dims[i];
        if (x->dims[i] < 1)
            return false;
    }
    *x = ltap_keras_reshape(c->b, *x, x->rank + 1, dims);
    return true;
}

/* One place of an axis, without it. */
static ltap_keras_tensor pick(ltap_keras_call *c, ltap_keras_tensor x, int axis, int64_t place)
{
    x = ltap_keras_slice(c->b, x, axis, place, place == -1 ? INT64_MAX : place + 1, 1);
    return ltap_keras_squeeze(c->b, x, axis);
}

/* --- ConvLSTM. ----------------------------------------------------------------------------------
 */

typedef struct conv_lstm {
    ltap_keras_tensor x;         /* [batch,time,4 * filters,...]: what the input adds to gates */
    ltap_keras_tensor recurrent; /* [4 * filters,filters,window...] */
    ltap_keras_window window;    /* of the state's convolution */
    ltap_keras_tensor mask;      /* [batch,time,1,...]; rank 0: none */
    ltap_keras_tensor h, c;      /* rank 0: all zero */
    int64_t filters;
} conv_lstm;

static ltap_keras_tensor gate(ltap_keras_call *c, const conv_lstm *n, ltap_keras_tensor gates,
                              int number, const char *activation)
{
    gates = ltap_keras_slice(c->b, gates, 1, number * n->filters, (number + 1) * n->filters, 1);
    return ltap_keras_activate(c, ltap_json_find(c->config, activation), gates);
}

/* What was there before where the step is masked. */
static ltap_keras_tensor choose(ltap_keras_call *c, const conv_lstm *n, int64_t step,
                                ltap_keras_tensor now, ltap_keras_tensor before)
{
    if (n->mask.rank == 0)
        return now;
    before = before.rank == 0 ? ltap_keras_scalar(c->b, 0) : before;
    return ltap_keras_choose(c->b, pick(c, n->mask, 1, step), now, before);
}

static void do_step(ltap_keras_call *c, conv_lstm *n, int64_t step)
{
    ltap_keras_tensor gates = pick(c, n->x, 1, step);
    if (n->h.rank > 0)
        gates = ltap_keras_binary(
            c->b, "Add", gates,
            ltap_keras_convolve(c, n->h, &n->window, n->recurrent, 1, LTAP_NO_VALUE));
    ltap_keras_tensor in = gate(c, n, gates, 0, "recurrent_activation");
    ltap_keras_tensor cell = gate(c, n, gates, 2, "activation");
    cell = ltap_keras_binary(c->b, "Mul", in, cell);
    if (n->c.rank > 0) {
        ltap_keras_tensor forget = gate(c, n, gates, 1, "recurrent_activation");
        cell = ltap_keras_binary(c->b, "Add", ltap_keras_binary(c->b, "Mul", forget, n->c), cell);
    }
    ltap_keras_tensor h = gate(c, n, gates, 3, "recurrent_activation");
    h = ltap_keras_binary(c->b, "Mul", h,
                          ltap_keras_activate(c, ltap_json_find(c->config, "activation"), cell));
    n->c = choose(c, n, step, cell, n->c);
    n->h = choose(c, n, step, h, n->h);
}

/* The convolution of all steps at once, and what each step needs. */
static bool prepare(ltap_keras_call *c, conv_lstm *n)
{
    ltap_keras_tensor x = c->inputs[0], kernel = ltap_keras_weight(c, "cell", "kernel", x.rank - 1);
    const int spatial = x.rank - 3;
    const int64_t steps = x.dims[1];
    n->recurrent = ltap_keras_weight(c, "cell", "recurrent_kernel", x.rank - 1);
    ltap_keras_window w = ltap_keras_read_window(c, spatial);
    if (!ltap_keras_is_good(c->b) || !join_steps(c, &x))
        return false;
    x = ltap_keras_channels_first(c) ? x : ltap_keras_to_second(c->b, x);
    n->filters = n->recurrent.dims[spatial];
    for (int i = 0; i < 2 * (spatial + 2); i++)
        if ((i % 2 ? n->recurrent : kernel).dims[i / 2] < 1)
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its kernels are empty");
    if (n->filters > INT32_MAX || n->recurrent.dims[spatial + 1] != GATES * n->filters ||
        kernel.dims[spatial + 1] != GATES * n->filters || kernel.dims[spatial] != x.dims[1])
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT,
                         "its kernels do not fit each other and an input of %lld channels",
                         (long long)x.dims[1]);
    if (!ltap_keras_is_good(c->b))
        return false;
    memcpy(w.size, kernel.dims, sizeof(int64_t) * (size_t)spatial);
    n->window = (ltap_keras_window){.n = spatial, .padding = "same"};
    memcpy(n->window.size, n->recurrent.dims, sizeof(int64_t) * (size_t)spatial);
    for (int i = 0; i < spatial; i++)
        n->window.strides[i] = n->window.dilations[i] = 1;
    n->recurrent = ltap_keras_turn_kernel(c, n->recurrent, true);
    uint32_t bias = LTAP_NO_VALUE;
    if (ltap_keras_has(c, "cell", "bias"))
        bias = ltap_keras_weight(c, "cell", "bias", 1).value;
    n->x = ltap_keras_convolve(c, x, &w, ltap_keras_turn_kernel(c, kernel, true), 1, bias);
    return part_steps(c, &n->x, steps);
}

static void take_mask(ltap_keras_call *c, conv_lstm *n)
{
    n->mask = ltap_keras_cast(c->b, ltap_keras_mask_numbers(c, &c->inputs[0]), LTAP_BOOL);
    while (n->mask.rank < n->x.rank && ltap_keras_is_good(c->b))
        n->mask = ltap_keras_unsqueeze(c->b, n->mask, n->mask.rank);
}

/* A state, or an output, as Keras has it. */
static ltap_keras_tensor handed_out(ltap_keras_call *c, ltap_keras_tensor x)
{
    x.mask = LTAP_NO_VALUE;
    return ltap_keras_channels_first(c) ? x : ltap_keras_to_last(c->b, x);
}

/* [batch,filters,...] of every step -> [batch,time,...] with Keras' axes. */
static ltap_keras_tensor stack(ltap_keras_call *c, ltap_keras_tensor *steps, int64_t count)
{
    ltap_keras_tensor whole[MAX_STEPS / LTAP_KERAS_MAX_ENDS + 1];
    size_t n = 0;
    for (int64_t i = 0; i < count; i++)
        steps[i] = ltap_keras_unsqueeze(c->b, handed_out(c, steps[i]), 1);
    for (int64_t i = 0; i < count; i += LTAP_KERAS_MAX_ENDS)
        whole[n++] = ltap_keras_concat(
            c->b, &steps[i],
            (size_t)(count - i < LTAP_KERAS_MAX_ENDS ? count - i : LTAP_KERAS_MAX_ENDS), 1);
    return n > 1 ? ltap_keras_concat(c->b, whole, n, 1) : whole[0];
}

void ltap_keras_run_conv_lstm(ltap_keras_call *c)
{
    ltap_keras_tensor steps[MAX_STEPS];
    conv_lstm n = {.filters = 0};
    const int64_t count = c->inputs[0].rank > 1 ? c->inputs[0].dims[1] : -1;
    const bool backwards = ltap_keras_bool(c, "go_backwards", false);
    if (c->inputs[0].rank != ltap_keras_spatial_of(c) + 3) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its input has %d axes; expected %d",
                         c->inputs[0].rank, ltap_keras_spatial_of(c) + 3);
        return;
    }
    if (count < 1 || count > MAX_STEPS || !prepare(c, &n)) {
        if (ltap_keras_is_good(c->b))
            ltap_keras_cannot(c, "of an input of unknown sizes, or of more than 512 steps");
        return;
    }
    if (c->inputs[0].mask != LTAP_NO_VALUE)
        take_mask(c, &n);
    ltap_keras_tensor *states[2] = {&n.h, &n.c};
    for (size_t i = 0; i < 2 && i + 1 < c->n_inputs; i++)
        *states[i] = ltap_keras_channels_first(c) ? c->inputs[i + 1]
                                                  : ltap_keras_to_second(c->b, c->inputs[i + 1]);
    for (int64_t i = 0; i < count; i++) {
        do_step(c, &n, backwards ? count - 1 - i : i);
        steps[i] = n.h;
    }
    const bool sequences = ltap_keras_bool(c, "return_sequences", false);
    if (sequences)
        c->outputs[0] = stack(c, steps, count);
    else
        c->outputs[0] = handed_out(c, n.h);
    c->outputs[0].mask = sequences ? c->inputs[0].mask : LTAP_NO_VALUE;
    c->n_outputs = 1;
    if (ltap_keras_bool(c, "return_state", false)) {
        c->outputs[c->n_outputs++] = handed_out(c, n.h);
        c->outputs[c->n_outputs++] = handed_out(c, n.c);
    }
}

/* --- TimeDistributed. ---------------------------------------------------------------------------
 */

/* Steps join the batch, and leave it again. */
void ltap_keras_run_time_distributed(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    if (x.rank < 3) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its input has %d axes; expected 3 or more",
                         x.rank);
        return;
    }
    /* Sizes that the file leaves open are the input's at the time. */
    if (!join_steps(c, &x)) {
        ltap_keras_cannot(c, "of an input of unknown size");
        return;
    }
    x = ltap_keras_run_held(c, &c->layer->held[0], x);
    if (!ltap_keras_is_good(c->b))
        return;
    if (!part_steps(c, &x, c->inputs[0].dims[1])) {
        ltap_keras_cannot(c, "of this layer");
        return;
    }
    c->outputs[0] = x;
    c->outputs[0].mask = c->inputs[0].mask;
}
