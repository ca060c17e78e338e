/* Recurrent layers and their wrappers. Keras' gates stand in other orders than the operators', and
 * along the last axis of the weights, not the first.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <string.h>

/* What a kind of cell is to its operator. */
typedef struct kind {
    const char *layer, *cell; /* Keras' names */
    const char *op;
    int gates;
    int order[4];      /* the operator's gates among Keras' */
    int n_activations; /* names of the configuration, in the operator's order */
    const char *names[3];
    const char *defaults[3];
} kind;

static const kind lstm = {"LSTM",
                          "LSTMCell",
                          "LSTM",
                          4,
                          {0, 3, 1, 2}, /* Keras: i f c o; here i o f c */
                          3,
                          {"recurrent_activation", "activation", "activation"},
                          {"sigmoid", "tanh", "tanh"}};
static const kind gru = {"GRU",
                         "GRUCell",
                         "GRU",
                         3,
                         {0, 1, 2},
                         2,
                         {"recurrent_activation", "activation"},
                         {"sigmoid", "tanh"}};
static const kind simple = {"SimpleRNN", "SimpleRNNCell", "RNN",   1, {0},
                            1,           {"activation"},  {"tanh"}};

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

enum { MAX_STATES = 2 * LTAP_KERAS_MAX_CELLS };

/* All steps, the last one, and the states that are left: of each cell in turn. */
typedef struct unrolled {
    ltap_keras_tensor steps, last, states[MAX_STATES];
    size_t n_states;
} unrolled;

/* The three variables of a cell, which fit each other and the input. */
typedef struct cell {
    ltap_keras_tensor kernel, recurrent, bias;
    bool biased;
    int64_t units;
} cell;

static bool read_cell(ltap_keras_call *c, const kind *k, const ltap_keras_tensor *x, cell *w)
{
    /* A layer's variables are its cell's; a cell's are its own. */
    const char *holder = ltap_keras_is(c->layer->class_name, k->layer) ? "cell" : NULL;
    w->kernel = ltap_keras_weight(c, holder, "kernel", 2);
    w->recurrent = ltap_keras_weight(c, holder, "recurrent_kernel", 2);
    w->biased = ltap_keras_has(c, holder, "bias");
    w->bias = w->biased ? ltap_keras_weight(c, holder, "bias", -1) : w->kernel;
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
                  .last = ltap_keras_squeeze(c->b, last, 0),
                  .n_states = 1};
    u.states[0] = u.last;
    if (has_cell)
        u.states[u.n_states++] = ltap_keras_squeeze(c->b, ltap_keras_with(last, outputs[2]), 0);
    return u;
}

/* lengths: how many of the steps count; LTAP_NO_VALUE: all. */
static unrolled add_operator(ltap_keras_call *c, const kind *k, ltap_keras_tensor x,
                             uint32_t lengths, bool reverse)
{
    ltap_string names[3];
    float alphas[3], betas[3];
    cell w;
    for (int i = 0; i < k->n_activations; i++)
        find_activation(c, activation_name(c, k->names[i], k->defaults[i]), &names[i], &alphas[i],
                        &betas[i]);
    if (!read_cell(c, k, &x, &w))
        return (unrolled){.steps = x, .last = x};
    const bool has_cell = k->gates == 4;
    uint32_t outputs[3], inputs[7] = {exchange(c, x).value,
                                      turn(c, k, w.kernel).value,
                                      turn(c, k, w.recurrent).value,
                                      w.biased ? turn_bias(c, k, w.bias).value : LTAP_NO_VALUE,
                                      lengths,
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

/* What the cell asks for that the operator does not do; NULL: nothing. */
static const char *why_not(ltap_keras_call *c, const kind *k)
{
    float alpha, beta;
    ltap_string found;
    for (int i = 0; i < k->n_activations; i++)
        if (!find_activation(c, activation_name(c, k->names[i], k->defaults[i]), &found, &alpha,
                             &beta))
            return "with this activation";
    if (ltap_keras_bool(c, "time_major", false))
        return "with time first";
    if (c->inputs[0].rank != 3)
        return "of an input that is no sequence of vectors";
    return NULL;
}

/* --- Layers as chains of cells. -----------------------------------------------------------------
 */

/* How a layer is gone through. */
typedef struct way {
    bool backwards; /* from the last step on */
    bool in_order;  /* and steps are handed out in the order of time all the same */
    bool zeros;     /* masked steps are 0, not what was before them */
} way;

static const kind *kind_of(const char *class_name)
{
    static const kind *const kinds[] = {&lstm, &gru, &simple};
    for (size_t i = 0; i < 3; i++)
        if (ltap_keras_is(class_name, kinds[i]->layer) || ltap_keras_is(class_name, kinds[i]->cell))
            return kinds[i];
    return NULL;
}

/* The layers whose variables and functions a layer goes by: itself, its cell, or its cells. */
static size_t cells_of(ltap_keras_layer *layer, ltap_keras_layer **cells)
{
    if (!ltap_keras_is(layer->class_name, "RNN")) {
        *cells = layer;
        return 1;
    }
    ltap_keras_layer *inner = &layer->held[0];
    bool stacked = ltap_keras_is(inner->class_name, "StackedRNNCells");
    *cells = stacked ? inner->held : inner;
    return stacked ? inner->n_held : 1;
}

/* x turned round along its steps, and its mask. */
static ltap_keras_tensor turn_round(ltap_keras_call *c, ltap_keras_tensor x)
{
    ltap_keras_tensor mask = {.value = x.mask, .rank = 2, .dims = {x.dims[0], x.dims[1]}};
    if (x.mask != LTAP_NO_VALUE)
        x.mask = ltap_keras_slice(c->b, mask, 1, 0, INT64_MAX, -1).value;
    return ltap_keras_slice(c->b, x, 1, 0, INT64_MAX, -1);
}

/* One cell after the other on all steps. False: with a reason. */
static bool unroll(ltap_keras_call *c, ltap_keras_layer *layer, const way *how, unrolled *u,
                   const char **why)
{
    ltap_keras_layer *cells;
    ltap_keras_packing packing;
    const size_t n_cells = cells_of(layer, &cells);
    const bool masked = c->inputs[0].mask != LTAP_NO_VALUE;
    ltap_keras_tensor x = c->inputs[0], inputs[3];
    size_t taken = 1;
    bool turns = how->backwards && (masked || !how->in_order);

    x = turns ? turn_round(c, x) : x;
    u->n_states = 0;
    if (masked)
        x = ltap_keras_pack(c, x, &packing);
    for (size_t i = 0; i < n_cells; i++) {
        const kind *k = kind_of(cells[i].class_name);
        ltap_keras_call inner = *c;
        inner.layer = &cells[i];
        inner.config = cells[i].config;
        inner.inputs = inputs;
        inner.n_inputs = 1;
        inputs[0] = x;
        *why = k == NULL ? "of this cell" : why_not(&inner, k);
        if (*why != NULL)
            return false;
        for (int s = 0; s < (k->gates == 4 ? 2 : 1) && taken < c->n_inputs; s++)
            inputs[inner.n_inputs++] = c->inputs[taken++];
        if (n_cells > 1) /* whose variables have the same names */
            ltap_keras_enter(c->b, cells[i].class_name, cells[i].name);
        unrolled one = add_operator(&inner, k, x, masked ? packing.lengths : LTAP_NO_VALUE,
                                    how->backwards && !turns);
        if (n_cells > 1)
            ltap_keras_leave(c->b);
        for (size_t s = 0; s < one.n_states && u->n_states < MAX_STATES; s++)
            u->states[u->n_states++] = one.states[s];
        u->last = one.last;
        x = one.steps;
    }
    if (masked)
        x = ltap_keras_unpack(c, x, &packing, how->zeros);
    x.mask = LTAP_NO_VALUE;
    u->steps = turns && how->in_order ? turn_round(c, x) : x;
    u->steps.mask = c->inputs[0].mask;
    return true;
}

void ltap_keras_run_recurrent(ltap_keras_call *c)
{
    unrolled u;
    const char *why;
    /* Backwards, Keras hands steps out in the order in which it took them. */
    const way how = {.backwards = ltap_keras_bool(c, "go_backwards", false),
                     .zeros = ltap_keras_bool(c, "zero_output_for_mask", false)};
    if (!unroll(c, c->layer, &how, &u, &why)) {
        ltap_keras_cannot(c, why);
        return;
    }
    c->outputs[0] = ltap_keras_bool(c, "return_sequences", false) ? u.steps : u.last;
    c->n_outputs = 1;
    if (ltap_keras_bool(c, "return_state", false))
        for (size_t i = 0; i < u.n_states; i++)
            c->outputs[c->n_outputs++] = u.states[i];
}

void ltap_keras_run_cell(ltap_keras_call *c)
{
    ltap_keras_cannot(c, "without RNN around it");
}

/* --- Wrappers. ----------------------------------------------------------------------------------
 */

/* One of the two directions; what goes backwards hands out its steps in the order of time. The
 * states that are given are half of each. */
static bool run_direction(ltap_keras_call *c, bool second, unrolled *u, bool *sequences,
                          const char **why)
{
    ltap_keras_layer *layer = &c->layer->held[second];
    ltap_keras_tensor inputs[LTAP_KERAS_MAX_ENDS];
    ltap_keras_call inner = *c;
    const size_t half = (c->n_inputs - 1) / 2;
    inputs[0] = c->inputs[0];
    memcpy(inputs + 1, c->inputs + 1 + (second ? half : 0), half * sizeof *inputs);
    inner.layer = layer;
    inner.config = layer->config;
    inner.inputs = inputs;
    inner.n_inputs = 1 + half;
    *sequences = ltap_keras_bool(&inner, "return_sequences", false);
    const way how = {.backwards = second, .in_order = second, .zeros = *sequences};
    *why = "of this layer";
    if ((kind_of(layer->class_name) == NULL && !ltap_keras_is(layer->class_name, "RNN")) ||
        (!second && ltap_keras_bool(&inner, "go_backwards", false)))
        return false;
    ltap_keras_enter(c->b, layer->class_name, second ? "backward" : "forward");
    bool done = unroll(&inner, layer, &how, u, why);
    ltap_keras_leave(c->b);
    return done;
}

/* Both directions as one; false: they stay two. */
static bool merge(ltap_keras_call *c, const ltap_keras_tensor *parts, ltap_keras_tensor *y)
{
    static const char *const merges[][2] = {{"sum", "Add"}, {"mul", "Mul"}, {"ave", "Add"}};
    const ltap_json *json = ltap_json_find(c->config, "merge_mode");
    const char *mode = json == NULL ? "concat" : ltap_keras_text_of(json, "");
    if (json != NULL && json->kind == LTAP_JSON_NULL)
        return false;
    *y = parts[0];
    if (ltap_keras_is(mode, "concat")) {
        *y = ltap_keras_concat(c->b, parts, 2, parts[0].rank - 1);
        return true;
    }
    for (size_t i = 0; i < 3; i++)
        if (ltap_keras_is(mode, merges[i][0])) {
            *y = ltap_keras_binary(c->b, merges[i][1], parts[0], parts[1]);
            *y = i == 2 ? ltap_keras_binary_scalar(c->b, "Mul", *y, 0.5) : *y;
            return true;
        }
    ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its merge_mode '%.40s' is not known", mode);
    return true;
}

void ltap_keras_run_bidirectional(ltap_keras_call *c)
{
    unrolled ways[2];
    ltap_keras_tensor parts[2];
    const char *why;
    bool sequences = false;
    for (int i = 0; i < 2; i++) {
        if (!run_direction(c, i == 1, &ways[i], &sequences, &why)) {
            ltap_keras_cannot(c, why);
            return;
        }
        parts[i] = sequences ? ways[i].steps : ways[i].last;
    }
    if (!merge(c, parts, &c->outputs[0])) {
        memcpy(c->outputs, parts, sizeof parts);
        c->n_outputs = 2;
    }
    ltap_keras_call inner = *c;
    inner.config = c->layer->held[0].config;
    for (int w = 0; w < 2 && ltap_keras_bool(&inner, "return_state", false); w++)
        for (size_t i = 0; i < ways[w].n_states; i++)
            c->outputs[c->n_outputs++] = ways[w].states[i];
}
