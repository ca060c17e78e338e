/* One step of LSTM, GRU and RNN: LSTMCell and its like. Gates stand in PyTorch's order: input,
 * forget, cell, output; reset, update, new.
 */
#include "formats/export/aten.h"

#include <string.h>

/* x @ w^T + b, for all gates */
static uint32_t product(ltap_program *p, uint32_t x, const char *weight, const char *bias)
{
    static const int64_t turned[] = {1, 0};
    uint32_t w = ltap_emit_transpose(p, ltap_arg_tensor(p, weight).value, turned, 2);
    uint32_t y = ltap_emit_two(p, "MatMul", x, w);
    ltap_operand b = ltap_arg_optional(p, bias);
    return ltap_operand_is_there(b) ? ltap_emit_two(p, "Add", y, b.value) : y;
}

/* Along the last axis. */
static void split_gates(ltap_program *p, uint32_t x, int64_t size, size_t n, uint32_t *gates)
{
    for (size_t i = 0; i < n; i++)
        gates[i] = ltap_emit_slice(p, x, ltap_emit_int(p, (int64_t)i * size),
                                   ltap_emit_int(p, (int64_t)(i + 1) * size), -1, 1);
}

static int64_t size_of(ltap_program *p, ltap_operand state)
{
    if (state.rank > 0 && state.dims[state.rank - 1] > 0)
        return state.dims[state.rank - 1];
    ltap_program_refuse(p, "with a state of no size");
    return 1;
}

static void lstm_cell(ltap_program *p)
{
    const ltap_operand *states;
    uint32_t gates[4];
    ltap_operand x = ltap_arg_tensor(p, "input");
    if (ltap_arg_tensors(p, "hx", &states) != 2) {
        ltap_program_refuse(p, "without two states");
        return;
    }
    uint32_t all = ltap_emit_two(p, "Add", product(p, x.value, "w_ih", "b_ih"),
                                 product(p, states[0].value, "w_hh", "b_hh"));
    split_gates(p, all, size_of(p, states[0]), 4, gates);
    uint32_t kept = ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sigmoid", gates[1]), states[1].value);
    uint32_t new = ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sigmoid", gates[0]),
                                 ltap_emit_one(p, "Tanh", gates[2]));
    uint32_t c = ltap_emit_two(p, "Add", kept, new);
    uint32_t h =
        ltap_emit_two(p, "Mul", ltap_emit_one(p, "Sigmoid", gates[3]), ltap_emit_one(p, "Tanh", c));
    ltap_emit_result(p, 0, h);
    ltap_emit_result(p, 1, c);
}

/* new + update * (state - new) */
static void gru_cell(ltap_program *p)
{
    uint32_t of_x[3], of_h[3];
    ltap_operand x = ltap_arg_tensor(p, "input"), h = ltap_arg_tensor(p, "hx");
    int64_t size = size_of(p, h);
    split_gates(p, product(p, x.value, "w_ih", "b_ih"), size, 3, of_x);
    split_gates(p, product(p, h.value, "w_hh", "b_hh"), size, 3, of_h);
    uint32_t reset = ltap_emit_one(p, "Sigmoid", ltap_emit_two(p, "Add", of_x[0], of_h[0]));
    uint32_t update = ltap_emit_one(p, "Sigmoid", ltap_emit_two(p, "Add", of_x[1], of_h[1]));
    uint32_t new = ltap_emit_two(p, "Add", of_x[2], ltap_emit_two(p, "Mul", reset, of_h[2]));
    new = ltap_emit_one(p, "Tanh", new);
    uint32_t way = ltap_emit_two(p, "Mul", update, ltap_emit_two(p, "Sub", h.value, new));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", new, way));
}

static void rnn_cell(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "input"), h = ltap_arg_tensor(p, "hx");
    uint32_t sum = ltap_emit_two(p, "Add", product(p, x.value, "w_ih", "b_ih"),
                                 product(p, h.value, "w_hh", "b_hh"));
    ltap_emit_result(p, 0, ltap_emit_one(p, p->row->op_type, sum));
}

const ltap_aten_row ltap_aten_cells[] = {
    {.name = "lstm_cell", .map = lstm_cell},
    {.name = "gru_cell", .map = gru_cell},
    {.name = "rnn_tanh_cell", .map = rnn_cell, .op_type = "Tanh"},
    {.name = "rnn_relu_cell", .map = rnn_cell, .op_type = "Relu"},
    {0},
};
