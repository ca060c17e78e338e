/* RNN, GRU, LSTM: gates from an input and a state, step by step.
 *
 * All three share the walk over time, the products and the activations; a cell is a row that says
 * what its gates do. One sequence in one direction is one task.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <math.h>
#include <string.h>

enum { MAX_GATES = 4, MAX_ACTIVATIONS = 3 };

typedef struct activation {
    const char *name;
    double (*apply)(double x, double a, double b);
    double alpha, beta;
} activation;

#define ACTIVATION(id, expression)                                                                 \
    static double id(double x, double a, double b)                                                 \
    {                                                                                              \
        (void)a, (void)b;                                                                          \
        return expression;                                                                         \
    }
ACTIVATION(relu, x > 0 ? x : 0)
ACTIVATION(hyperbolic, tanh(x))
ACTIVATION(sigmoid, 1 / (1 + exp(-x)))
ACTIVATION(affine, a *x + b)
ACTIVATION(leaky, x >= 0 ? x : a * x)
ACTIVATION(threshold, x > a ? x : 0)
ACTIVATION(scaled_tanh, a *tanh(b *x))
ACTIVATION(hard_sigmoid, fmin(fmax(a *x + b, 0), 1))
ACTIVATION(elu, x >= 0 ? x : a * expm1(x))
ACTIVATION(softsign, x / (1 + fabs(x)))
ACTIVATION(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))

static const activation activations[] = {
    {"Relu", relu, 0, 0},
    {"Tanh", hyperbolic, 0, 0},
    {"Sigmoid", sigmoid, 0, 0},
    {"Affine", affine, 1, 0},
    {"LeakyRelu", leaky, 0.01, 0},
    {"ThresholdedRelu", threshold, 1, 0},
    {"ScaledTanh", scaled_tanh, 1, 1},
    {"HardSigmoid", hard_sigmoid, 0.2, 0.5},
    {"Elu", elu, 1, 0},
    {"Softsign", softsign, 0, 0},
    {"Softplus", softplus, 0, 0},
};

typedef struct recurrent recurrent;

/* One sequence in one direction, on its way. */
typedef struct lane {
    const recurrent *net;
    int64_t direction, item;     /* item: of the batch */
    double *x, *h, *c;           /* input, state, cell (LSTM) */
    double *from_x, *from_h;     /* gates * hidden each, with their biases */
    const activation *functions; /* of the direction */
} lane;

typedef struct cell {
    int gates, n_activations;
    const char *defaults[MAX_ACTIVATIONS];
    void (*step)(const lane *l);
} cell;

struct recurrent {
    const ltap_call *call;
    const cell *cell;
    int64_t steps, batch, inputs, hidden, directions, first_reversed;
    bool batch_first, linear_before_reset, couples;
    double clip;
    activation functions[2 * MAX_ACTIVATIONS];
    double *memory;
    int64_t lane_size;
};

static double limited(const recurrent *net, double x)
{
    return x > net->clip ? net->clip : x < -net->clip ? -net->clip : x;
}

static double activate(const lane *l, int which, double x)
{
    const activation *f = &l->functions[which];
    return f->apply(limited(l->net, x), f->alpha, f->beta);
}

/* Gate `gate` of hidden unit j, before its activation. */
static double gate_sum(const lane *l, int gate, int64_t j)
{
    int64_t at = gate * l->net->hidden + j;
    return l->from_x[at] + l->from_h[at];
}

static double peephole(const lane *l, int gate, int64_t j)
{
    const ltap_call *call = l->net->call;
    int64_t hidden = l->net->hidden;
    if (!ltap_call_has(call, 7))
        return 0;
    return ltap_tensor_double(&call->inputs[7], (uint64_t)((l->direction * 3 + gate) * hidden + j));
}

static void rnn_step(const lane *l)
{
    for (int64_t j = 0; j < l->net->hidden; j++)
        l->h[j] = activate(l, 0, gate_sum(l, 0, j));
}

/* Gates: input, output, forget, cell. What the output sees of the cell is not limited, as in ONNX
 * Runtime. */
static void lstm_step(const lane *l)
{
    for (int64_t j = 0; j < l->net->hidden; j++) {
        double c = l->c[j];
        double in = activate(l, 0, gate_sum(l, 0, j) + peephole(l, 0, j) * c);
        double forget =
            l->net->couples ? 1 - in : activate(l, 0, gate_sum(l, 2, j) + peephole(l, 2, j) * c);
        c = forget * c + in * activate(l, 1, gate_sum(l, 3, j));
        double out = activate(l, 0, gate_sum(l, 1, j) + peephole(l, 1, j) * c);
        l->c[j] = c;
        l->h[j] = out * l->functions[2].apply(c, l->functions[2].alpha, l->functions[2].beta);
    }
}

/* sum of row `row` of a matrix [directions, rows, n] times a vector */
static double row_product(const ltap_tensor *matrix, int64_t row, const double *vector, int64_t n)
{
    double block[LTAP_BLOCK], sum = 0;
    for (int64_t at = 0; at < n; at += LTAP_BLOCK) {
        int64_t count = n - at < LTAP_BLOCK ? n - at : LTAP_BLOCK;
        ltap_load_doubles(matrix->dtype, matrix->data, row * n + at, count, block);
        for (int64_t i = 0; i < count; i++)
            sum += block[i] * vector[at + i];
    }
    return sum;
}

/* bias of the input's products (part 0) or of the state's (part 1) */
static double bias(const lane *l, int part, int64_t at)
{
    int64_t rows = l->net->cell->gates * l->net->hidden;
    if (!ltap_call_has(l->net->call, 3))
        return 0;
    return ltap_tensor_double(&l->net->call->inputs[3],
                              (uint64_t)((l->direction * 2 + part) * rows + at));
}

/* The products of gates [first, last) with the state, or with `state` in its place. */
static void multiply_state(const lane *l, int first, int last, const double *state)
{
    const recurrent *net = l->net;
    int64_t rows = net->cell->gates * net->hidden;
    for (int64_t r = first * net->hidden; r < last * net->hidden; r++)
        l->from_h[r] = bias(l, 1, r) + row_product(&net->call->inputs[2], l->direction * rows + r,
                                                   state, net->hidden);
}

static void multiply_input(const lane *l)
{
    const recurrent *net = l->net;
    int64_t rows = net->cell->gates * net->hidden;
    for (int64_t r = 0; r < rows; r++)
        l->from_x[r] = bias(l, 0, r) + row_product(&net->call->inputs[1], l->direction * rows + r,
                                                   l->x, net->inputs);
}

/* Gates: update, reset, hidden; the last one sees the state only through the reset gate. */
static void gru_step(const lane *l)
{
    const recurrent *net = l->net;
    double *reset = l->c;
    for (int64_t j = 0; j < net->hidden; j++)
        reset[j] = activate(l, 0, gate_sum(l, 1, j));
    if (!net->linear_before_reset) {
        for (int64_t j = 0; j < net->hidden; j++)
            reset[j] *= l->h[j];
        multiply_state(l, 2, 3, reset);
    }
    for (int64_t j = 0; j < net->hidden; j++) {
        int64_t at = 2 * net->hidden + j;
        double seen = l->from_h[at] * (net->linear_before_reset ? reset[j] : 1);
        double update = activate(l, 0, gate_sum(l, 0, j));
        l->h[j] = (1 - update) * activate(l, 1, l->from_x[at] + seen) + update * l->h[j];
    }
}

static const cell rnn = {1, 1, {"Tanh"}, rnn_step};
static const cell gru = {3, 2, {"Sigmoid", "Tanh"}, gru_step};
static const cell lstm = {4, 3, {"Sigmoid", "Tanh", "Tanh"}, lstm_step};

static int64_t sequence_length(const recurrent *net, int64_t item)
{
    if (!ltap_call_has(net->call, 4))
        return net->steps;
    return ltap_tensor_int(&net->call->inputs[4], (uint64_t)item);
}

/* Where the state of a lane begins, in elements: [directions, batch, hidden] or batch first. */
static int64_t state_at(const lane *l)
{
    const recurrent *net = l->net;
    int64_t row = net->batch_first ? l->item * net->directions + l->direction
                                   : l->direction * net->batch + l->item;
    return row * net->hidden;
}

static void load_state(const lane *l, size_t input, double *state)
{
    const ltap_call *call = l->net->call;
    int64_t n = l->net->hidden;
    memset(state, 0, (size_t)n * sizeof(double));
    if (ltap_call_has(call, input))
        ltap_load_doubles(call->inputs[input].dtype, call->inputs[input].data, state_at(l), n,
                          state);
}

static void store(const lane *l, size_t output, int64_t at, const double *numbers)
{
    const ltap_call *call = l->net->call;
    if (ltap_call_wants(call, output))
        ltap_store_doubles(call->outputs[output].dtype, call->outputs[output].data, at,
                           l->net->hidden, numbers);
}

static int64_t output_at(const lane *l, int64_t time)
{
    const recurrent *net = l->net;
    int64_t row = net->batch_first ? (l->item * net->steps + time) * net->directions + l->direction
                                   : (time * net->directions + l->direction) * net->batch + l->item;
    return row * net->hidden;
}

static void run_step(const lane *l, int64_t time)
{
    const recurrent *net = l->net;
    const ltap_tensor *x = &net->call->inputs[0];
    int64_t row = net->batch_first ? l->item * net->steps + time : time * net->batch + l->item;
    ltap_load_doubles(x->dtype, x->data, row * net->inputs, net->inputs, l->x);
    multiply_input(l);
    multiply_state(l, 0, net->cell->gates, l->h);
    net->cell->step(l);
    store(l, 0, output_at(l, time), l->h);
}

static void run_lane(lane *l)
{
    const recurrent *net = l->net;
    int64_t length = sequence_length(net, l->item);
    bool reversed = l->direction >= net->first_reversed;
    load_state(l, 5, l->h);
    load_state(l, 6, l->c);
    for (int64_t step = 0; step < length; step++)
        run_step(l, reversed ? length - 1 - step : step);
    store(l, 1, state_at(l), l->h);
    store(l, 2, state_at(l), l->c);
    memset(l->c, 0, (size_t)net->hidden * sizeof(double));
    for (int64_t time = length; time < net->steps; time++)
        store(l, 0, output_at(l, time), l->c);
}

static void run_lanes(void *context, int64_t first, int64_t last)
{
    const recurrent *net = context;
    int64_t gates = net->cell->gates * net->hidden;
    for (int64_t task = first; task < last; task++) {
        lane l = {.net = net, .direction = task / net->batch, .item = task % net->batch};
        l.functions = net->functions + l.direction * net->cell->n_activations;
        l.x = net->memory + task * net->lane_size;
        l.h = l.x + net->inputs;
        l.c = l.h + net->hidden;
        l.from_x = l.c + net->hidden;
        l.from_h = l.from_x + gates;
        run_lane(&l);
    }
}

static double read_float(const ltap_node *node, const char *name, int index, double otherwise)
{
    const ltap_attr *attr = ltap_node_attr(node, name);
    bool there = attr && attr->kind == LTAP_ATTR_FLOATS && (size_t)index < attr->count;
    return there ? (double)attr->u.floats[index] : otherwise;
}

static ltap_status read_activations(recurrent *net, ltap_error *error)
{
    const ltap_node *node = net->call->node;
    const ltap_attr *names = ltap_node_attr(node, "activations");
    int per_direction = net->cell->n_activations, count = per_direction * (int)net->directions;
    if (names && (names->kind != LTAP_ATTR_STRINGS || names->count != (size_t)count))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "it names %zu activations, %d are needed",
                              names->count, count);
    for (int i = 0; i < count; i++) {
        const char *name =
            names ? names->u.strings[i].data : net->cell->defaults[i % per_direction];
        const activation *found = NULL;
        for (size_t k = 0; k < sizeof(activations) / sizeof(activations[0]); k++)
            if (strcmp(activations[k].name, name) == 0)
                found = &activations[k];
        if (!found)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "activation '%s'", name);
        net->functions[i] = *found;
        net->functions[i].alpha = read_float(node, "activation_alpha", i, found->alpha);
        net->functions[i].beta = read_float(node, "activation_beta", i, found->beta);
    }
    return LTAP_OK;
}

static ltap_status read_direction(recurrent *net, ltap_error *error)
{
    const char *direction = ltap_node_string(net->call->node, "direction", "forward");
    net->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    net->first_reversed = strcmp(direction, "reverse") == 0 ? 0 : 1;
    if (net->directions == 2 || net->first_reversed == 0 || strcmp(direction, "forward") == 0)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FORMAT, "direction '%s'", direction);
}

static ltap_status read_net(const ltap_call *call, const cell *c, recurrent *net, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *r = &call->inputs[2];
    LTAP_TRY(ltap_call_check_rank(call, 0, 3, error));
    LTAP_TRY(ltap_call_check_rank(call, 2, 3, error));
    *net = (recurrent){.call = call, .cell = c, .inputs = x->dims[2], .hidden = r->dims[2]};
    net->batch_first = ltap_node_int(call->node, "layout", 0) != 0;
    net->linear_before_reset = ltap_node_int(call->node, "linear_before_reset", 0) != 0;
    net->couples = ltap_node_int(call->node, "input_forget", 0) != 0;
    net->clip = ltap_node_float(call->node, "clip", INFINITY);
    net->steps = x->dims[net->batch_first];
    net->batch = x->dims[!net->batch_first];
    LTAP_TRY(read_direction(net, error));
    return read_activations(net, error);
}

static ltap_status check_dims(const ltap_call *call, size_t input, int rank, const int64_t *dims,
                              ltap_error *error)
{
    if (!ltap_call_has(call, input))
        return LTAP_OK;
    ltap_tensor want = ltap_tensor_make(call->inputs[input].dtype, rank, dims, NULL);
    if (ltap_tensor_same_shape(&want, &call->inputs[input]))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu has shape %s, %s is needed", input,
                          ltap_shape_text(&call->inputs[input]).text, ltap_shape_text(&want).text);
}

static ltap_status check_inputs(const recurrent *net, ltap_error *error)
{
    const ltap_call *call = net->call;
    int64_t d = net->directions, h = net->hidden, rows = net->cell->gates * h;
    int64_t first = net->batch_first ? net->batch : d, second = net->batch_first ? d : net->batch;
    for (size_t i = 0; i < call->n_inputs; i++) {
        if (!ltap_call_has(call, i))
            continue;
        LTAP_TRY(
            ltap_call_check_type(call, i, i == 4 ? LTAP_TYPES_INDEX : LTAP_TYPES_FLOAT, error));
        if (i != 4)
            LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    LTAP_TRY(check_dims(call, 1, 3, (const int64_t[]){d, rows, net->inputs}, error));
    LTAP_TRY(check_dims(call, 2, 3, (const int64_t[]){d, rows, h}, error));
    LTAP_TRY(check_dims(call, 3, 2, (const int64_t[]){d, 2 * rows}, error));
    LTAP_TRY(check_dims(call, 4, 1, &net->batch, error));
    LTAP_TRY(check_dims(call, 5, 3, (const int64_t[]){first, second, h}, error));
    LTAP_TRY(check_dims(call, 6, 3, (const int64_t[]){first, second, h}, error));
    return check_dims(call, 7, 2, (const int64_t[]){d, 3 * h}, error);
}

static ltap_status shape(const ltap_call *call, const cell *c, ltap_error *error)
{
    recurrent net;
    LTAP_TRY(read_net(call, c, &net, error));
    LTAP_TRY(check_inputs(&net, error));
    ltap_dtype type = call->inputs[0].dtype;
    bool b = net.batch_first;
    const int64_t y[4] = {b ? net.batch : net.steps, b ? net.steps : net.directions,
                          b ? net.directions : net.batch, net.hidden};
    const int64_t state[3] = {b ? net.batch : net.directions, b ? net.directions : net.batch,
                              net.hidden};
    ltap_call_output(call, 0, type, 4, y);
    ltap_call_output(call, 1, type, 3, state);
    ltap_call_output(call, 2, type, 3, state);
    return LTAP_OK;
}

static int64_t find_lane_size(const recurrent *net, const cell *c)
{
    return net->inputs + 2 * net->hidden + 2 * c->gates * net->hidden;
}

static uint64_t temporary(const ltap_call *call, const cell *c)
{
    recurrent net;
    if (read_net(call, c, &net, NULL) != LTAP_OK)
        return 0;
    return (uint64_t)(net.directions * net.batch * find_lane_size(&net, c)) * sizeof(double);
}

static ltap_status reference(const ltap_call *call, const cell *c, ltap_error *error)
{
    recurrent net;
    void *memory;
    LTAP_TRY(read_net(call, c, &net, error));
    for (int64_t i = 0; i < net.batch; i++) {
        int64_t length = sequence_length(&net, i);
        if (length < 0 || length > net.steps)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "sequence length %lld of %lld steps",
                                  (long long)length, (long long)net.steps);
    }
    net.lane_size = find_lane_size(&net, c);
    LTAP_TRY(ltap_memory_take_zeroed(call->memory, (uint64_t)(net.directions * net.batch),
                                     (uint64_t)net.lane_size * sizeof(double), "gates", &memory,
                                     error));
    net.memory = memory;
    ltap_parallel_for(call->threads, net.directions * net.batch, 1, run_lanes, &net);
    ltap_memory_release(call->memory, memory);
    return LTAP_OK;
}

#define OPERATOR(id, onnx_name, most_inputs, most_outputs)                                         \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        return shape(call, &id, error);                                                            \
    }                                                                                              \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        return reference(call, &id, error);                                                        \
    }                                                                                              \
    static uint64_t id##_temporary(const ltap_call *call)                                          \
    {                                                                                              \
        return temporary(call, &id);                                                               \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = 3,                                                 \
                                  .max_inputs = most_inputs,                                       \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = most_outputs,                                     \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference,                                     \
                                  .temporary = id##_temporary};

OPERATOR(rnn, "RNN", 6, 2)
OPERATOR(gru, "GRU", 6, 2)
OPERATOR(lstm, "LSTM", 8, 3)
