/* LSTM, GRU and RNN: one of ONNX's operators for each layer, whose gates stand in another order.
 *
 * PyTorch: input, forget, cell, output; reset, update, new. ONNX: input, output, forget, cell;
 * update, reset, hidden.
 */
#include "formats/export/aten.h"

#include <string.h>

#define MAX_LAYERS 64

typedef struct recurrent {
    const char *op_type;
    int n_gates, order[4]; /* ONNX's gate i is PyTorch's order[i] */
    ltap_operand x, h, c;  /* c: of an LSTM */
    const ltap_operand *params;
    size_t n_params; /* of a layer's direction */
    int64_t size;    /* of the hidden state */
    int n_dirs, n_layers;
    bool batch_first;
} recurrent;

static bool read_recurrent(ltap_program *p, recurrent *r)
{
    static const recurrent kinds[] = {{.op_type = "LSTM", .n_gates = 4, .order = {0, 3, 1, 2}},
                                      {.op_type = "GRU", .n_gates = 3, .order = {1, 0, 2}},
                                      {.op_type = "RNN", .n_gates = 1, .order = {0}}};
    const ltap_operand *states;
    int kind = p->row->op_type[0] == 'L' ? 0 : p->row->op_type[0] == 'G' ? 1 : 2;
    *r = kinds[kind];
    r->x = ltap_arg_tensor(p, "input");
    if (kind == 0) {
        size_t n = ltap_arg_tensors(p, "hx", &states);
        r->h = n == 2 ? states[0] : (ltap_operand){.value = LTAP_NO_VALUE};
        r->c = n == 2 ? states[1] : (ltap_operand){.value = LTAP_NO_VALUE};
    } else {
        r->h = ltap_arg_tensor(p, "hx");
    }
    r->n_dirs = ltap_arg_bool(p, "bidirectional", false) ? 2 : 1;
    r->n_params = ltap_arg_bool(p, "has_biases", true) ? 4 : 2;
    r->batch_first = ltap_arg_bool(p, "batch_first", false);
    int64_t layers = ltap_arg_int(p, "num_layers", 1);
    size_t n = ltap_arg_tensors(p, "params", &r->params);
    if (layers < 1 || layers > MAX_LAYERS || r->x.rank != 3 || r->h.rank != 3 || r->h.dims[2] < 1 ||
        n != (size_t)layers * (size_t)r->n_dirs * r->n_params)
        ltap_program_refuse(p, "with projections, or without a batch");
    if (ltap_arg_bool(p, "train", false) && ltap_arg_float(p, "dropout", 0) != 0)
        ltap_program_refuse(p, "in training mode; call model.eval() before exporting");
    if (!ltap_program_goes_on(p))
        return false;
    r->n_layers = (int)layers;
    r->size = r->h.dims[2];
    return true;
}

/* Rows of the gates in ONNX's order. */
static uint32_t order_gates(ltap_program *p, const recurrent *r, uint32_t weight)
{
    uint32_t gates[4];
    if (r->n_gates == 1)
        return weight;
    for (int i = 0; i < r->n_gates; i++)
        gates[i] = ltap_emit_slice(p, weight, ltap_emit_int(p, r->order[i] * r->size),
                                   ltap_emit_int(p, (r->order[i] + 1) * r->size), 0, 1);
    return ltap_emit_concat(p, gates, (size_t)r->n_gates, 0);
}

/* A parameter of both directions, one behind the other; the biases of input and state are one. */
static uint32_t gather_params(ltap_program *p, const recurrent *r, int layer, size_t which)
{
    uint32_t both[2];
    for (int d = 0; d < r->n_dirs; d++) {
        const ltap_operand *own = r->params + (size_t)(layer * r->n_dirs + d) * r->n_params;
        uint32_t value = order_gates(p, r, own[which].value);
        if (which == 2) {
            uint32_t parts[] = {value, order_gates(p, r, own[3].value)};
            value = ltap_emit_concat(p, parts, 2, 0);
        }
        both[d] = ltap_emit_unsqueeze(p, value, 0);
    }
    return ltap_emit_concat(p, both, (size_t)r->n_dirs, 0);
}

static uint32_t state_of(ltap_program *p, const recurrent *r, ltap_operand states, int layer)
{
    if (r->n_layers == 1)
        return states.value;
    return ltap_emit_slice(p, states.value, ltap_emit_int(p, layer * r->n_dirs),
                           ltap_emit_int(p, (layer + 1) * r->n_dirs), 0, 1);
}

static void emit_layer(ltap_program *p, const recurrent *r, uint32_t x, int layer,
                       uint32_t outputs[3])
{
    bool lstm = r->n_gates == 4;
    ltap_attr attrs[] = {LTAP_ATTR_I("hidden_size", r->size),
                         LTAP_ATTR_S("direction", r->n_dirs == 2 ? "bidirectional" : "forward"),
                         LTAP_ATTR_I("linear_before_reset", 1)};
    ltap_attr relus = {.name = "activations", .kind = LTAP_ATTR_STRINGS};
    static const ltap_string relu[] = {{"Relu", 4}, {"Relu", 4}};
    relus.count = (size_t)r->n_dirs;
    relus.u.strings = relu;
    if (strcmp(p->row->op_type, "R relu") == 0)
        attrs[2] = relus;
    size_t n_attrs = r->n_gates == 3 || strcmp(p->row->op_type, "R relu") == 0 ? 3 : 2;
    uint32_t inputs[] = {x,
                         gather_params(p, r, layer, 0),
                         gather_params(p, r, layer, 1),
                         r->n_params == 4 ? gather_params(p, r, layer, 2) : LTAP_NO_VALUE,
                         LTAP_NO_VALUE,
                         state_of(p, r, r->h, layer),
                         lstm ? state_of(p, r, r->c, layer) : LTAP_NO_VALUE};
    ltap_emit(p,
              (ltap_emit_node){.op_type = r->op_type,
                               .inputs = inputs,
                               .n_inputs = 7,
                               .attrs = attrs,
                               .n_attrs = n_attrs,
                               .n_outputs = lstm ? 3 : 2},
              outputs);
}

/* [length, directions, batch, size] becomes [length, batch, directions * size]. */
static uint32_t join_directions(ltap_program *p, const recurrent *r, uint32_t y)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (r->n_dirs == 1)
        return ltap_emit_squeeze(p, y, 1);
    uint32_t sizes[] = {ltap_emit_dim(p, r->x, r->batch_first),
                        ltap_emit_dim(p, r->x, !r->batch_first), ltap_emit_int(p, 2 * r->size)};
    y = ltap_emit_transpose(p, y, perm, 4);
    return ltap_emit_reshape(p, y, ltap_emit_concat(p, sizes, 3, 0));
}

static void recur(ltap_program *p)
{
    static const int64_t turned[] = {1, 0, 2};
    uint32_t outputs[3], h[MAX_LAYERS], c[MAX_LAYERS];
    recurrent r;
    if (!read_recurrent(p, &r))
        return;
    uint32_t y = r.batch_first ? ltap_emit_transpose(p, r.x.value, turned, 3) : r.x.value;
    for (int layer = 0; layer < r.n_layers; layer++) {
        emit_layer(p, &r, y, layer, outputs);
        y = join_directions(p, &r, outputs[0]);
        h[layer] = outputs[1];
        c[layer] = outputs[2];
    }
    ltap_emit_result(p, 0, r.batch_first ? ltap_emit_transpose(p, y, turned, 3) : y);
    ltap_emit_result(p, 1, ltap_emit_concat(p, h, (size_t)r.n_layers, 0));
    if (r.n_gates == 4)
        ltap_emit_result(p, 2, ltap_emit_concat(p, c, (size_t)r.n_layers, 0));
}

const ltap_aten_row ltap_aten_recurrent[] = {
    {.name = "lstm.input", .map = recur, .op_type = "L"},
    {.name = "gru.input", .map = recur, .op_type = "G"},
    {.name = "rnn_tanh.input", .map = recur, .op_type = "R"},
    {.name = "rnn_relu.input", .map = recur, .op_type = "R relu"},
    {0},
};
