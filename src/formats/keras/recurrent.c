/* Recurrent layers and their wrappers. Keras' gates stand in other orders than the operators', and
 * along the last axis of the weights, not the first.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* What a kind of cell is to its operator. */
typedef struct kind {
    const char *op;
    int gates;
    int order[4];      /* the operator's gates among Keras' */
    int n_activations; /* names of the configuration, in the operator's order */
    const char *names[3];
    const char *defaults[3];
} kind;

static const kind lstm = {"LSTM",
                          4,
                          {0, 3, 1, 2}, /* Keras: i f c o; here i o f c */
                          3,
                          {"recurrent_activation", "activation", "activation"},
                          {"sigmoid", "tanh", "tanh"}};
static const kind gru = {
    "GRU", 3, {0, 1, 2}, 2, {"recurrent_activation", "activation"}, {"sigmoid", "tanh"}};
static const kind simple = {"RNN", 1, {0}, 1, {"activation"}, {"tanh"}};

/* [a,gates * units] -> [1,gates * units,a] in the operator's order of gates. */
static ltap_keras_tensor turn(ltap_keras_call *c, const kind *k, ltap_keras_tensor w)
{
    ltap_keras_tensor parts[4];
    static const int64_t swap[2] = {1, 0};
    int64_t units = w.dims[1] / k->gates;
    for (int i = 0; i < k->gates; i++)
        parts[i] = ltap_keras_slice(c->b, w, 1, k->order[i] * units, (k->order[i] + 1) * units, 1);
    w = k->gates > 1 ? ltap_keras_concat(c->b, parts, (size_t)k->gates, 1) : w;
    return ltap_keras_unsqueeze(c->b, ltap_keras_transpose(c->b, w, swap), 0);
}

/* [gates * units], or [2,gates * units] -> [1,2 * gates * units]: of the input, of the state. */
static ltap_keras_tensor turn_bias(ltap_keras_call *c, const kind *k, ltap_keras_tensor bias)
{
    ltap_keras_tensor parts[8];
    int axis = bias.rank - 1;
    int64_t size = bias.dims[axis], units = size / k->gates;
    ltap_keras_tensor rows = bias.rank == 2 ? bias : ltap_keras_unsqueeze(c->b, bias, 0);
    for (int row = 0; row < 2; row++) {
        ltap_keras_tensor one =
            bias.rank == 2 ? ltap_keras_slice(c->b, rows, 0, row, row + 1, 1) : rows;
        if (bias.rank == 1 && row == 1)
            one = ltap_keras_binary_scalar(c->b, "Mul", one, 0);
        for (int i = 0; i < k->gates; i++)
            parts[row * k->gates + i] =
                ltap_keras_slice(c->b, one, 1, k->order[i] * units, (k->order[i] + 1) * units, 1);
    }
    return ltap_keras_concat(c->b, parts, 2 * (size_t)k->gates, 1);
}

/* ONNX's names of Keras' activations, with their arguments. */
static const struct {
    const char *name, *op;
    float alpha, beta;
} activations[] = {
    {"relu", "Relu", 0, 0},         {"tanh", "Tanh", 0, 0},
    {"sigmoid", "Sigmoid", 0, 0},   {"linear", "Affine", 1, 0},
    {"elu", "Elu", 1, 0},           {"softsign", "Softsign", 0, 0},
    {"softplus", "Softplus", 0, 0}, {"leaky_relu", "LeakyRelu", 0.2F, 0},
};

/* False: one that the operator does not have. */
static bool find_activation(ltap_keras_call *c, const char *name, ltap_string *op, float *alpha,
                            float *beta)
{
    if (ltap_keras_is(name, "hard_sigmoid")) {
        *op = (ltap_string){"HardSigmoid", 11};
        *alpha = c->r->weights.is_keras_2 ? 0.2F : 1.0F / 6.0F;
        *beta = 0.5F;
        return true;
    }
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (ltap_keras_is(activations[i].name, name)) {
            *op = (ltap_string){activations[i].op, strlen(activations[i].op)};
            *alpha = activations[i].alpha;
            *beta = activations[i].beta;
            return true;
        }
    return false;
}

static const char *activation_name(ltap_keras_call *c, const char *key, const char *otherwise)
{
    const ltap_json *json = ltap_json_find(c->config, key);
    if (json == NULL)
        return otherwise;
    if (json->kind == LTAP_JSON_NULL)
        return "linear";
    if (json->kind == LTAP_JSON_OBJECT)
        json = ltap_json_find(json, "config");
    return ltap_keras_text_of(json, "?");
}

/* A state [batch,units] as the operator wants it, of one direction: [1,batch,units]. */
static uint32_t state(ltap_keras_call *c, size_t place)
{
    return place < c->n_inputs ? ltap_keras_unsqueeze(c->b, c->inputs[place], 0).value
                               : LTAP_NO_VALUE;
}

/* Exchanges time and batch. */
static ltap_keras_tensor exchange(ltap_keras_call *c, ltap_keras_tensor x)
{
    return ltap_keras_transpose(c->b, x, (const int64_t[]){1, 0, 2});
}

/* All steps, the last state, and the cell's. */
typedef struct unrolled {
    ltap_keras_tensor steps, last, cell;
} unrolled;

/* The three variables of a cell, which fit each other and the input. */
typedef struct cell {
    ltap_keras_tensor kernel, recurrent, bias;
    bool biased;
    int64_t units;
} cell;

static bool read_cell(ltap_keras_call *c, const kind *k, const ltap_keras_tensor *x, cell *w)
{
    w->kernel = ltap_keras_weight(c, "cell", "kernel", 2);
    w->recurrent = ltap_keras_weight(c, "cell", "recurrent_kernel", 2);
    w->biased = ltap_keras_has(c, "cell", "bias");
    w->bias = w->biased ? ltap_keras_weight(c, "cell", "bias", -1) : w->kernel;
    if (!ltap_keras_is_good(c->b))
        return false;
    const int64_t *in = w->kernel.dims, *again = w->recurrent.dims;
    w->units = again[0];
    if (w->units < 1 || w->units > INT32_MAX || again[1] != w->units * k->gates ||
        in[1] != w->units * k->gates || (x->dims[2] >= 0 && x->dims[2] != in[0]))
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT,
                         "its kernels [%lld,%lld] and [%lld,%lld] do not fit an input of %lld "
                         "features",
                         (long long)in[0], (long long)in[1], (long long)again[0],
                         (long long)again[1], (long long)x->dims[2]);
    else if (w->biased && (w->bias.rank < 1 || w->bias.rank > 2 ||
                           w->bias.dims[w->bias.rank - 1] != w->units * k->gates ||
                           (w->bias.rank == 2 && w->bias.dims[0] != 2)))
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its bias does not fit its kernels");
    return ltap_keras_is_good(c->b);
}

/* What the operator made of time first, steps [time,1,batch,units] and states [1,batch,units],
 * batch first and without the axis of directions. */
static unrolled squeezed(ltap_keras_call *c, const ltap_keras_tensor *x, const uint32_t *outputs,
                         int64_t units, bool has_cell)
{
    ltap_keras_tensor steps = {.value = outputs[0],
                               .mask = LTAP_NO_VALUE,
                               .rank = 4,
                               .dims = {x->dims[1], 1, x->dims[0], units},
                               .dtype = LTAP_FLOAT32};
    ltap_keras_tensor last = {.value = outputs[1],
                              .mask = LTAP_NO_VALUE,
                              .rank = 3,
                              .dims = {1, x->dims[0], units},
                              .dtype = LTAP_FLOAT32};
    unrolled u = {.steps = exchange(c, ltap_keras_squeeze(c->b, steps, 1)),
                  .last = ltap_keras_squeeze(c->b, last, 0)};
    u.cell = has_cell ? ltap_keras_squeeze(c->b, ltap_keras_with(last, outputs[2]), 0) : u.last;
    return u;
}

static unrolled add_operator(ltap_keras_call *c, const kind *k, ltap_keras_tensor x, bool reverse)
{
    ltap_string names[3];
    float alphas[3], betas[3];
    cell w;
    for (int i = 0; i < k->n_activations; i++)
        find_activation(c, activation_name(c, k->names[i], k->defaults[i]), &names[i], &alphas[i],
                        &betas[i]);
    if (!read_cell(c, k, &x, &w))
        return (unrolled){x, x, x};
    const bool has_cell = k->gates == 4;
    uint32_t outputs[3], inputs[7] = {exchange(c, x).value,
                                      turn(c, k, w.kernel).value,
                                      turn(c, k, w.recurrent).value,
                                      w.biased ? turn_bias(c, k, w.bias).value : LTAP_NO_VALUE,
                                      LTAP_NO_VALUE,
                                      state(c, 1),
                                      has_cell ? state(c, 2) : LTAP_NO_VALUE};
    const size_t n = (size_t)k->n_activations;
    bool after = k->gates == 3 &&
                 ltap_keras_bool(c, "reset_after", !c->r->weights.is_keras_2 || w.bias.rank == 2);
    const ltap_attr attrs[] = {
        LTAP_ATTR_I("hidden_size", w.units),
        LTAP_ATTR_S("direction", reverse ? "reverse" : "forward"),
        {.name = "activations", .kind = LTAP_ATTR_STRINGS, .count = n, .u.strings = names},
        {.name = "activation_alpha", .kind = LTAP_ATTR_FLOATS, .count = n, .u.floats = alphas},
        {.name = "activation_beta", .kind = LTAP_ATTR_FLOATS, .count = n, .u.floats = betas},
        LTAP_ATTR_I("linear_before_reset", after)};
    ltap_keras_add_several(c->b,
                           (ltap_keras_node){.op = k->op,
                                             .inputs = inputs,
                                             .n_inputs = has_cell ? 7 : 6,
                                             .attrs = attrs,
                                             .n_attrs = k->gates == 3 ? 6 : 5},
                           outputs, has_cell ? 3 : 2);
    return squeezed(c, &x, outputs, w.units, has_cell);
}

/* What the layer asks for that the operator does not do; NULL: nothing. */
static const char *why_not(ltap_keras_call *c, const kind *k)
{
    float alpha, beta;
    ltap_string found;
    for (int i = 0; i < k->n_activations; i++)
        if (!find_activation(c, activation_name(c, k->names[i], k->defaults[i]), &found, &alpha,
                             &beta))
            return "with this activation";
    if (c->inputs[0].mask != LTAP_NO_VALUE)
        return "with a mask";
    if (ltap_keras_bool(c, "time_major", false))
        return "with time first";
    if (c->inputs[0].rank != 3)
        return "of an input that is no sequence of vectors";
    return NULL;
}

static void hand_out(ltap_keras_call *c, const kind *k, const unrolled *u, bool sequences)
{
    bool states = ltap_keras_bool(c, "return_state", false);
    c->outputs[0] = sequences ? u->steps : u->last;
    c->n_outputs = 1;
    if (states)
        c->outputs[c->n_outputs++] = u->last;
    if (states && k->gates == 4)
        c->outputs[c->n_outputs++] = u->cell;
}

static void run(ltap_keras_call *c, const kind *k)
{
    const char *why = why_not(c, k);
    if (why != NULL) {
        ltap_keras_cannot(c, why);
        return;
    }
    ltap_keras_tensor x = c->inputs[0];
    /* Backwards, Keras hands steps out in the order in which it took them. */
    if (ltap_keras_bool(c, "go_backwards", false))
        x = ltap_keras_slice(c->b, x, 1, 0, INT64_MAX, -1);
    unrolled u = add_operator(c, k, x, false);
    hand_out(c, k, &u, ltap_keras_bool(c, "return_sequences", false));
}

void ltap_keras_run_lstm(ltap_keras_call *c)
{
    run(c, &lstm);
}

void ltap_keras_run_gru(ltap_keras_call *c)
{
    run(c, &gru);
}

void ltap_keras_run_simple_rnn(ltap_keras_call *c)
{
    run(c, &simple);
}

/* --- Wrappers. ----------------------------------------------------------------------------------
 */

static const kind *kind_of(const ltap_keras_layer *layer)
{
    static const kind *const kinds[] = {&lstm, &gru, &simple};
    static const char *const names[] = {"LSTM", "GRU", "SimpleRNN"};
    for (size_t i = 0; i < 3; i++)
        if (ltap_keras_is(layer->class_name, names[i]))
            return kinds[i];
    return NULL;
}

/* One of the two directions; what goes backwards hands out its steps in the order of time. */
static bool run_direction(ltap_keras_call *c, ltap_keras_layer *layer, bool backwards, unrolled *u,
                          bool *sequences)
{
    ltap_keras_call inner = *c;
    const kind *k = kind_of(layer);
    inner.layer = layer;
    inner.config = layer->config;
    if (k == NULL || why_not(&inner, k) != NULL || c->n_inputs != 1 ||
        ltap_keras_bool(&inner, "return_state", false))
        return false;
    *sequences = ltap_keras_bool(&inner, "return_sequences", false);
    ltap_keras_enter(c->b, layer->class_name, backwards ? "backward" : "forward");
    *u = add_operator(&inner, k, c->inputs[0], backwards);
    ltap_keras_leave(c->b);
    return true;
}

void ltap_keras_run_bidirectional(ltap_keras_call *c)
{
    static const char *const merges[][2] = {{"sum", "Add"}, {"mul", "Mul"}, {"ave", "Add"}};
    const ltap_json *json = ltap_json_find(c->config, "merge_mode");
    const char *mode = json == NULL ? "concat" : ltap_keras_text_of(json, "");
    unrolled ways[2];
    ltap_keras_tensor parts[2];
    bool sequences = false;
    for (int i = 0; i < 2; i++) {
        if (!run_direction(c, &c->layer->held[i], i == 1, &ways[i], &sequences)) {
            ltap_keras_cannot(c, "of this layer");
            return;
        }
        parts[i] = sequences ? ways[i].steps : ways[i].last;
    }
    if (ltap_keras_is(mode, "concat")) {
        c->outputs[0] = ltap_keras_concat(c->b, parts, 2, parts[0].rank - 1);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        if (ltap_keras_is(mode, merges[i][0])) {
            ltap_keras_tensor y = ltap_keras_binary(c->b, merges[i][1], parts[0], parts[1]);
            c->outputs[0] = i == 2 ? ltap_keras_binary_scalar(c->b, "Mul", y, 0.5) : y;
            return;
        }
    if (json != NULL && json->kind == LTAP_JSON_NULL) {
        memcpy(c->outputs, parts, sizeof parts);
        c->n_outputs = 2;
    } else {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its merge_mode '%.40s' is not known", mode);
    }
}

/* Steps join the batch, and leave it again. */
void ltap_keras_run_time_distributed(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0];
    int64_t dims[LTAP_KERAS_MAX_RANK];
    if (x.rank < 3) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its input has %d axes; expected 3 or more",
                         x.rank);
        return;
    }
    /* Sizes that the file leaves open are the input's at the time. */
    for (int i = 1; i < x.rank; i++)
        if (x.dims[i] < 0) {
            ltap_keras_cannot(c, "of an input of unknown size");
            return;
        }
    dims[0] = -1;
    memcpy(&dims[1], &x.dims[2], sizeof(int64_t) * (size_t)(x.rank - 2));
    ltap_keras_tensor y = ltap_keras_reshape(c->b, x, x.rank - 1, dims);
    y.mask = LTAP_NO_VALUE;
    y = ltap_keras_run_held(c, &c->layer->held[0], y);
    if (!ltap_keras_is_good(c->b))
        return;
    if (y.rank < 1 || y.rank >= LTAP_KERAS_MAX_RANK) {
        ltap_keras_cannot(c, "of this layer");
        return;
    }
    dims[0] = -1;
    dims[1] = x.dims[1];
    for (int i = 1; i < y.rank; i++) {
        dims[i + 1] = y.dims[i];
        if (y.dims[i] < 0) {
            ltap_keras_cannot(c, "of this layer");
            return;
        }
    }
    c->outputs[0] = ltap_keras_reshape(c->b, y, y.rank + 1, dims);
    c->outputs[0].mask = x.mask;
}
