/* LSTM, GRU and RNN with constant weights and their usual activations.
 *
 * What the gates get from the inputs is one product over all steps; what they get from the state is
 * a product a step, of both directions side by side (groups, see gemm.h): in step s, the one is at
 * time s, the other at the s-th last. Sums run in the order of their terms, whatever is shared out.
 */
#include "backends/gemm/rows.h"
#include "backends/gemm/work.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"

#include <string.h>

enum { X, W, R, B, LENGTHS, H0, C0, PEEPHOLES };
/* GRAIN: numbers of a state that are worth a thread. */
enum { GRAIN = 4096 };

typedef struct recurrent recurrent;

/* One item of the batch in one direction, in one step. */
typedef struct lane {
    const float *from_x; /* gates * hidden, with all biases but those in from_h */
    float *from_h, *h, *c;
} lane;

typedef struct cell {
    const char *op;
    int64_t gates, apart; /* apart: the gate whose biases stay with their products; -1: none */
    size_t n_activations;
    const char *activations[3];
    void (*step)(const recurrent *net, const lane *l);
} cell;

struct recurrent {
    const cell *cell;
    int64_t steps, batch, inputs, hidden, directions;
    size_t n_inputs, n_outputs;
    bool batch_first, reversed, has_bias;
    ltap_work from_x, from_h;
    ltap_vector_map sigmoid, tanh, add, sub, mul;
    uint64_t gates_at, state_at, cell_at, pointers_at; /* bytes in the working memory */
    float *x_bias, *h_bias;                            /* directions * gates * hidden each */
};

static void apply(ltap_vector_map map, const float *a, const float *b, float *y, int64_t n)
{
    static const float none[2] = {0, 0};

    ltap_vector_apply(map, a, b, none, y, n);
}

static void rnn_step(const recurrent *net, const lane *l)
{
    apply(net->add, l->from_x, l->from_h, l->h, net->hidden);
    apply(net->tanh, l->h, NULL, l->h, net->hidden);
}

/* Gates: input, output, forget, cell. */
static void lstm_step(const recurrent *net, const lane *l)
{
    int64_t n = net->hidden;
    float *in = l->from_h, *out = in + n, *forget = out + n, *seen = forget + n;

    apply(net->add, l->from_x, in, in, 4 * n);
    apply(net->sigmoid, in, NULL, in, 3 * n);
    apply(net->tanh, seen, NULL, seen, n);
    apply(net->mul, in, seen, seen, n);
    apply(net->mul, forget, l->c, l->c, n);
    apply(net->add, l->c, seen, l->c, n);
    apply(net->tanh, l->c, NULL, seen, n);
    apply(net->mul, out, seen, l->h, n);
}

/* Gates: update, reset, hidden; the last one sees the state through the reset gate. */
static void gru_step(const recurrent *net, const lane *l)
{
    int64_t n = net->hidden;
    float *update = l->from_h, *reset = update + n, *hidden = reset + n;

    apply(net->add, l->from_x, update, update, 2 * n);
    apply(net->sigmoid, update, NULL, update, 2 * n);
    apply(net->mul, reset, hidden, hidden, n);
    apply(net->add, l->from_x + 2 * n, hidden, hidden, n);
    apply(net->tanh, hidden, NULL, hidden, n);
    apply(net->sub, l->h, hidden, l->h, n);
    apply(net->mul, update, l->h, l->h, n);
    apply(net->add, l->h, hidden, l->h, n);
}

static const cell cells[] = {
    {"RNN", 1, -1, 1, {"Tanh"}, rnn_step},
    {"GRU", 3, 2, 2, {"Sigmoid", "Tanh"}, gru_step},
    {"LSTM", 4, -1, 3, {"Sigmoid", "Tanh", "Tanh"}, lstm_step},
};

static const cell *find_cell(const char *op)
{
    const cell *c = cells;

    while (strcmp(c->op, op) != 0)
        c++;
    return c;
}

static bool has(const ltap_query *query, size_t input)
{
    return input < query->n_inputs && query->inputs[input].dtype != LTAP_UNDEFINED;
}

static bool has_usual_activations(const ltap_node *node, const cell *c)
{
    const ltap_attr *names = ltap_node_attr(node, "activations");

    for (size_t i = 0; names && i < names->count; i++)
        if (strcmp(names->u.strings[i].data, c->activations[i % c->n_activations]) != 0)
            return false;
    return true;
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_node *node = query->node;
    const cell *c = find_cell(node->op_type);

    for (size_t i = 0; i < query->n_inputs; i++)
        if (has(query, i) && i != LENGTHS && query->inputs[i].dtype != LTAP_FLOAT32)
            return ltap_refuse(why, "not float32");
    if (!query->inputs[W].data || !query->inputs[R].data ||
        (has(query, B) && !query->inputs[B].data))
        return ltap_refuse(why, "its weights are computed");
    if (has(query, LENGTHS) || has(query, PEEPHOLES))
        return ltap_refuse(why, "sequences of their own length, or peepholes");
    if (!has_usual_activations(node, c) || ltap_node_attr(node, "clip") ||
        ltap_node_int(node, "input_forget", 0) != 0)
        return ltap_refuse(why, "other activations, limits or gates than usual");
    if (c->apart >= 0 && ltap_node_int(node, "linear_before_reset", 0) == 0)
        return ltap_refuse(why, "resets before the product");
    if (ltap_tensor_count(&query->inputs[X]) == 0 || ltap_tensor_count(&query->inputs[R]) == 0)
        return ltap_refuse(why, "empty");
    return true;
}

static void read_net(const ltap_query *query, recurrent *net)
{
    const ltap_tensor *x = &query->inputs[X], *r = &query->inputs[R];
    const ltap_node *node = query->node;

    net->cell = find_cell(node->op_type);
    net->n_inputs = query->n_inputs;
    net->n_outputs = query->n_outputs;
    net->batch_first = ltap_node_int(node, "layout", 0) != 0;
    net->steps = x->dims[net->batch_first];
    net->batch = x->dims[!net->batch_first];
    net->inputs = x->dims[2];
    net->directions = r->dims[0];
    net->hidden = r->dims[2];
    net->reversed = strcmp(ltap_node_string(node, "direction", "forward"), "reverse") == 0;
    net->has_bias = has(query, B);
    net->sigmoid = ltap_vector_find("Sigmoid");
    net->tanh = ltap_vector_find("Tanh");
    net->add = ltap_vector_find("Add");
    net->sub = ltap_vector_find("Sub");
    net->mul = ltap_vector_find("Mul");
}

/* What has no reason to stay apart is added to the inputs' products. */
static void add_biases(const ltap_tensor *bias, recurrent *net)
{
    int64_t rows = net->cell->gates * net->hidden;
    const float *b = bias->data;

    for (int64_t i = 0; i < net->directions * rows; i++) {
        const float *of_x = b + i / rows * 2 * rows + i % rows;
        bool apart = i % rows / net->hidden == net->cell->apart;
        net->x_bias[i] = apart ? of_x[0] : of_x[0] + of_x[rows];
        net->h_bias[i] = apart ? of_x[rows] : 0;
    }
}

static ltap_status make_work(const ltap_query *query, size_t input, const ltap_work_size *size,
                             ltap_work *work, ltap_error *error)
{
    ltap_panels_source source = {
        .src = query->inputs[input].data, .column = size->depth, .depth = 1, .inner = size->depth};
    const int64_t dims[] = {size->rows, size->columns * size->groups};
    ltap_tensor result = ltap_tensor_make(LTAP_FLOAT32, 2, dims, NULL);
    ltap_query product = *query;
    const void *packed;

    product.outputs = &result;
    product.n_outputs = 1;
    ltap_work_init(&product, size, work);
    LTAP_TRY(ltap_panels_pack(query, input, &work->panels, &source, &packed, error));
    work->packed = packed;
    return LTAP_OK;
}

static bool add_part(uint64_t a, uint64_t b, uint64_t each, uint64_t *end)
{
    uint64_t bytes;

    return ltap_checked_mul(a, b, &bytes) && ltap_checked_mul(bytes, each, &bytes) &&
           ltap_checked_add(*end, bytes, end) && ltap_checked_round_up(*end, LTAP_ALIGNMENT, end);
}

/* Working memory: what comes from the inputs, from the state; states, cells; pointers. */
static bool lay_out(recurrent *net, uint64_t *scratch)
{
    uint64_t lanes = (uint64_t)(net->batch * net->directions), hidden = (uint64_t)net->hidden;
    uint64_t gates = (uint64_t)net->cell->gates * hidden, end = 0;
    uint64_t pointers = ltap_work_scratch(&net->from_x), others = ltap_work_scratch(&net->from_h);

    if (!add_part((uint64_t)net->steps * lanes, gates, sizeof(float), &end))
        return false;
    net->gates_at = end;
    if (!add_part(lanes, gates, sizeof(float), &end))
        return false;
    net->state_at = end;
    if (!add_part(lanes, hidden, sizeof(float), &end))
        return false;
    net->cell_at = end;
    if (!add_part(lanes, hidden, sizeof(float), &end))
        return false;
    net->pointers_at = end;
    return ltap_checked_add(end, pointers > others ? pointers : others, scratch);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    recurrent found = {0};
    ltap_status status = LTAP_OK;

    read_net(query, &found);
    int64_t rows = found.cell->gates * found.hidden, all = found.directions * rows;
    ltap_work_size x = {.rows = found.steps * found.batch,
                        .taps = 1,
                        .depth = found.inputs,
                        .columns = all,
                        .groups = 1,
                        .row_bytes = found.inputs * (int64_t)sizeof(float)};
    ltap_work_size h = {.rows = found.batch,
                        .taps = 1,
                        .depth = found.hidden,
                        .columns = rows,
                        .groups = found.directions,
                        .row_bytes = found.directions * found.hidden * (int64_t)sizeof(float)};
    kernel->state_bytes = sizeof(recurrent) + 2 * sizeof(float) * (uint64_t)all;
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, kernel->state_bytes, "a kernel",
                                     &kernel->state, error));
    recurrent *net = kernel->state;
    *net = found;
    net->x_bias = (float *)(void *)(net + 1);
    net->h_bias = net->x_bias + all;
    if (net->has_bias)
        add_biases(&query->inputs[B], net);
    LTAP_GO(make_work(query, W, &x, &net->from_x, error));
    LTAP_GO(make_work(query, R, &h, &net->from_h, error));
    kernel->packed_inputs = 1u << W | 1u << R | 1u << B;
    if (!lay_out(net, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->detail = net->from_x.panels.tiles->name;
done:
    if (status != LTAP_OK)
        ltap_kernel_release(kernel, query->memory);
    return status;
}

typedef struct forward {
    const recurrent *net;
    const void *const *inputs;
    void *const *outputs;
    const float *from_x;
    float *from_h, *h, *c; /* [batch, directions, ...] */
    int64_t step;
} forward;

/* A state of the node's inputs and outputs: [directions, batch, hidden] or batch first. */
static int64_t outer_state(const recurrent *net, int64_t item, int64_t direction)
{
    int64_t row =
        net->batch_first ? item * net->directions + direction : direction * net->batch + item;
    return row * net->hidden;
}

typedef struct left {
    const float *src;
    int64_t width;
} left;

static void point(const void *context, int64_t first, const ltap_blocks *blocks,
                  const float **pointers)
{
    const left *l = context;

    for (int64_t i = 0; i < blocks->rows; i++)
        pointers[i] = l->src + (first + i) * l->width;
}

static void multiply(const ltap_work *work, const left *rows, const float *bias, float *result,
                     void *scratch)
{
    void *outputs[] = {result};
    ltap_work_job job = {.work = work,
                         .point = point,
                         .context = rows,
                         .bias = bias,
                         .outputs = outputs,
                         .scratch = scratch};

    ltap_work_run(&job);
}

static void write_state(const forward *f, int64_t item, int64_t direction, int64_t time,
                        const float *h)
{
    const recurrent *net = f->net;
    int64_t row = net->batch_first ? (item * net->steps + time) * net->directions + direction
                                   : (time * net->directions + direction) * net->batch + item;

    if (f->outputs[0])
        memcpy((float *)f->outputs[0] + row * net->hidden, h, (size_t)net->hidden * sizeof(float));
}

static void step_lanes(void *context, int64_t first, int64_t last)
{
    const forward *f = context;
    const recurrent *net = f->net;
    int64_t rows = net->cell->gates * net->hidden;

    for (int64_t i = first; i < last; i++) {
        int64_t item = i / net->directions, direction = i % net->directions;
        bool back = direction == 1 || net->reversed;
        int64_t time = back ? net->steps - 1 - f->step : f->step;
        int64_t row = net->batch_first ? item * net->steps + time : time * net->batch + item;
        lane l = {f->from_x + (row * net->directions + direction) * rows, f->from_h + i * rows,
                  f->h + i * net->hidden, f->c + i * net->hidden};
        net->cell->step(net, &l);
        write_state(f, item, direction, time, l.h);
    }
}

/* Between the node's states and those that the steps work on. */
static void begin(const forward *f)
{
    const recurrent *net = f->net;
    size_t bytes = (size_t)net->hidden * sizeof(float);
    const float *h = H0 < net->n_inputs ? f->inputs[H0] : NULL;
    const float *c = C0 < net->n_inputs ? f->inputs[C0] : NULL;

    for (int64_t i = 0; i < net->batch * net->directions; i++) {
        int64_t at = outer_state(net, i / net->directions, i % net->directions);
        float *own_h = f->h + i * net->hidden, *own_c = f->c + i * net->hidden;
        memset(own_h, 0, bytes);
        memset(own_c, 0, bytes);
        if (h)
            memcpy(own_h, h + at, bytes);
        if (c)
            memcpy(own_c, c + at, bytes);
    }
}

static void end(const forward *f)
{
    const recurrent *net = f->net;
    const float *const own[] = {f->h, f->c};

    for (size_t k = 1; k < net->n_outputs; k++)
        for (int64_t i = 0; i < net->batch * net->directions && f->outputs[k]; i++) {
            int64_t at = outer_state(net, i / net->directions, i % net->directions);
            memcpy((float *)f->outputs[k] + at, own[k - 1] + i * net->hidden,
                   (size_t)net->hidden * sizeof(float));
        }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const recurrent *net = kernel->state;
    char *memory = scratch;
    int64_t lanes = net->batch * net->directions;
    left x = {inputs[X], net->inputs};
    forward f = {.net = net,
                 .inputs = inputs,
                 .outputs = outputs,
                 .from_x = scratch,
                 .from_h = (float *)(void *)(memory + net->gates_at),
                 .h = (float *)(void *)(memory + net->state_at),
                 .c = (float *)(void *)(memory + net->cell_at)};
    left h = {f.h, net->directions * net->hidden};

    (void)error;
    begin(&f);
    multiply(&net->from_x, &x, net->x_bias, scratch, memory + net->pointers_at);
    for (; f.step < net->steps; f.step++) {
        multiply(&net->from_h, &h, net->h_bias, f.from_h, memory + net->pointers_at);
        ltap_parallel_for(net->from_h.threads, lanes, GRAIN / net->hidden + 1, step_lanes, &f);
    }
    end(&f);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_gemm_##id = {                                                             \
        .op = operator,                                                                            \
        .name = "gemm:recurrent",                                                                  \
        .accepts = accepts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(rnn, "RNN")
ROW(gru, "GRU")
ROW(lstm, "LSTM")
