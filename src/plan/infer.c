/* Shape rules see numbers, never symbols (docs/decisions.md). So a symbol is recognised by trying:
 * the network's shapes are computed for several sizes of every free dimension, one dimension at a
 * time, and a size that follows one of them exactly is that one. */
#include "plan/infer.h"

#include "base/error.h"
#include "plan/propagate.h"

#include <string.h>

/* Sizes that a dimension takes: usually the first; the others while it is being tried. */
enum { N_SIZES = 3, MAX_GROUPS = 16 };
static const int64_t batch_sizes[N_SIZES] = {2, 3, 5};
static const int64_t other_sizes[N_SIZES] = {16, 24, 40};
/* Of pictures; several, because not every network takes every size. */
static const int64_t picture_sizes[][N_SIZES] = {
    {224, 288, 352}, {256, 320, 384}, {64, 96, 128}, {32, 48, 80}, {512, 640, 768}};
enum { N_ATTEMPTS = sizeof(picture_sizes) / sizeof(picture_sizes[0]) };

/* Dimensions that are free together, because they have one name. */
typedef struct group {
    const char *symbol;
    int64_t sizes[N_SIZES];
} group;

typedef struct inference {
    const ltap_model *model;
    const uint32_t *values;
    size_t n_values;
    uint8_t *keep;
    uint8_t *doubtful; /* a flag a value of the graph: ONNX's shape rule says another size */
    group groups[MAX_GROUPS];
    size_t n_groups;
    ltap_tensor *inputs;
    ltap_tensor *found; /* N_SIZES results of each group for each value, the first being the base */
    ltap_error *error;
} inference;

static const int64_t *sizes_of(const ltap_port *port, int dim, size_t attempt)
{
    if (dim == 0)
        return batch_sizes;
    return port->rank == 4 && dim > 1 ? picture_sizes[attempt] : other_sizes;
}

/* The group of a free dimension; the last one takes what is too many, without a name. */
static size_t find_group(inference *infer, const ltap_port *port, int dim, size_t attempt)
{
    const char *symbol = port->dims[dim].symbol;

    for (size_t i = 0; symbol && i < infer->n_groups; i++)
        if (infer->groups[i].symbol && strcmp(infer->groups[i].symbol, symbol) == 0)
            return i;
    if (infer->n_groups == MAX_GROUPS) {
        infer->groups[MAX_GROUPS - 1].symbol = NULL;
        return MAX_GROUPS - 1;
    }
    group *made = &infer->groups[infer->n_groups];
    made->symbol = symbol;
    memcpy(made->sizes, sizes_of(port, dim, attempt), sizeof(made->sizes));
    return infer->n_groups++;
}

/* Input shapes with group `tried` at its size number k, all others at their first. */
static void set_inputs(inference *infer, size_t tried, int k, size_t attempt)
{
    for (size_t i = 0; i < infer->model->graph->inputs.count; i++) {
        const ltap_port *port = &infer->model->inputs[i];
        ltap_tensor *input = &infer->inputs[i];
        *input = (ltap_tensor){.dtype = port->rank < 0 ? LTAP_UNDEFINED : port->dtype,
                               .rank = port->rank < 0 ? 0 : port->rank};
        for (int d = 0; d < input->rank; d++) {
            input->dims[d] = port->dims[d].size;
            if (input->dims[d] >= 0)
                continue;
            size_t index = find_group(infer, port, d, attempt);
            input->dims[d] = infer->groups[index].sizes[index == tried ? k : 0];
        }
    }
}

static ltap_tensor *found_at(const inference *infer, size_t value, size_t tried, int k)
{
    return &infer->found[(value * MAX_GROUPS + tried) * N_SIZES + (size_t)k];
}

/* --- where ONNX's own shape rule is wrong ---------------------------------------------------- */

/* Rounding up, ONNX's rule counts a last window that begins in the padding; runtimes, as PyTorch,
 * do not. What is declared must satisfy the checker, so such sizes are left free. */
static bool counts_other_windows(const ltap_propagation *known, const ltap_node *node)
{
    static const char *const names[] = {"kernel_shape", "strides", "dilations", "pads"};
    const int64_t *lists[4];
    size_t counts[4];
    const ltap_tensor *in, *out;

    if (!strstr(node->op_type, "Pool") || !ltap_node_int(node, "ceil_mode", 0) ||
        node->n_inputs == 0 || node->n_outputs == 0 || node->inputs[0] == LTAP_NO_VALUE ||
        node->outputs[0] == LTAP_NO_VALUE)
        return false;
    in = &known->values[node->inputs[0]].tensor;
    out = &known->values[node->outputs[0]].tensor;
    for (int i = 0; i < 4; i++)
        counts[i] = ltap_node_ints(node, names[i], &lists[i]);
    for (size_t d = 0; d < counts[0] && (int)d + 2 < in->rank && in->rank == out->rank; d++) {
        int64_t stride = d < counts[1] ? lists[1][d] : 1,
                dilation = d < counts[2] ? lists[2][d] : 1;
        int64_t pads = counts[3] == 2 * counts[0] ? lists[3][d] + lists[3][d + counts[0]] : 0;
        int64_t rest = in->dims[d + 2] + pads - (lists[0][d] - 1) * dilation - 1;
        if (stride > 0 && out->dims[d + 2] != (rest + stride - 1) / stride + 1)
            return true;
    }
    return false;
}

/* Marks what such nodes give, and what follows from it. */
static void doubt(const inference *infer, const ltap_propagation *known)
{
    const ltap_graph *graph = infer->model->graph;

    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        bool doubtful = infer->keep[i] && counts_other_windows(known, node);
        for (size_t k = 0; k < node->n_inputs && !doubtful; k++)
            doubtful = node->inputs[k] != LTAP_NO_VALUE && infer->doubtful[node->inputs[k]];
        for (size_t k = 0; k < node->n_outputs && doubtful; k++)
            if (node->outputs[k] != LTAP_NO_VALUE)
                infer->doubtful[node->outputs[k]] = 1;
    }
}

static ltap_status try_sizes(inference *infer, size_t tried, int k, size_t attempt)
{
    const ltap_model *model = infer->model;
    ltap_propagation known = {0};
    ltap_status status;

    set_inputs(infer, tried, k, attempt);
    LTAP_GO(ltap_propagation_init(&known, model->graph, model->memory, infer->error));
    known.keep = infer->keep;
    known.lenient = true;
    LTAP_GO(ltap_propagation_run(&known, infer->inputs, infer->error));
    for (size_t i = 0; i < infer->n_values; i++) {
        *found_at(infer, i, tried, k) = known.values[infer->values[i]].tensor;
        found_at(infer, i, tried, k)->data = NULL;
    }
    doubt(infer, &known);
done:
    ltap_propagation_clear(&known);
    return status;
}

static size_t count_known(const inference *infer)
{
    size_t count = 0;

    for (size_t i = 0; i < infer->n_values; i++)
        count += found_at(infer, i, 0, 0)->dtype != LTAP_UNDEFINED;
    return count;
}

/* The first sizes of pictures with which all values are known, or most. */
static ltap_status choose_sizes(inference *infer)
{
    size_t best = 0, most = 0;

    for (size_t attempt = 0; attempt < N_ATTEMPTS && most < infer->n_values; attempt++) {
        infer->n_groups = 0;
        LTAP_TRY(try_sizes(infer, 0, 0, attempt));
        size_t count = count_known(infer);
        best = count > most ? attempt : best;
        most = count > most ? count : most;
        if (infer->n_groups == 0)
            return LTAP_OK;
    }
    infer->n_groups = 0;
    LTAP_TRY(try_sizes(infer, 0, 0, best));
    for (size_t g = 0; g < infer->n_groups; g++)
        for (int k = 1; k < N_SIZES; k++)
            LTAP_TRY(try_sizes(infer, g, k, best));
    return LTAP_OK;
}

/* Whether dimension d of a value keeps its size, and whether it is the group's own, in all tries of
 * a group in which the value is known. */
static void compare(const inference *infer, size_t value, size_t tried, int d, bool *same,
                    bool *follows)
{
    const ltap_tensor *base = found_at(infer, value, 0, 0);
    const group *g = &infer->groups[tried];

    *same = true;
    *follows = base->dims[d] == g->sizes[0];
    for (int k = 1; k < N_SIZES; k++) {
        const ltap_tensor *other = found_at(infer, value, tried, k);
        if (other->dtype == LTAP_UNDEFINED)
            continue;
        bool there = other->rank == base->rank;
        *same = *same && there && other->dims[d] == base->dims[d];
        *follows = *follows && there && other->dims[d] == g->sizes[k];
    }
    *follows = *follows && !*same;
}

static ltap_dim find_dim(const inference *infer, size_t value, int d)
{
    ltap_dim dim = {found_at(infer, value, 0, 0)->dims[d], NULL};
    size_t n_changes = 0;

    for (size_t g = 0; g < infer->n_groups; g++) {
        bool same, follows;
        compare(infer, value, g, d, &same, &follows);
        if (same)
            continue;
        n_changes++;
        dim = (ltap_dim){-1, follows && n_changes == 1 ? infer->groups[g].symbol : NULL};
    }
    return dim;
}

static ltap_status make_type(const inference *infer, size_t value, ltap_arena *arena,
                             ltap_type *type, ltap_error *error)
{
    const ltap_tensor *base = found_at(infer, value, 0, 0);
    void *dims;

    if (base->dtype == LTAP_UNDEFINED)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(arena, (uint64_t)base->rank, sizeof(ltap_dim), &dims, error));
    for (int d = 0; d < base->rank; d++)
        ((ltap_dim *)dims)[d] = infer->doubtful[infer->values[value]] ? (ltap_dim){-1, NULL}
                                                                      : find_dim(infer, value, d);
    *type = (ltap_type){LTAP_TYPE_TENSOR, base->dtype, base->rank, dims, NULL};
    return LTAP_OK;
}

static ltap_status infer_with(inference *infer, ltap_arena *scratch, ltap_error *error)
{
    const ltap_graph *graph = infer->model->graph;
    void *block;

    LTAP_TRY(ltap_arena_take(scratch, graph->nodes.count, 1, &block, error));
    infer->keep = block;
    LTAP_TRY(ltap_arena_take(scratch, graph->values.count, 1, &block, error));
    infer->doubtful = block;
    LTAP_TRY(ltap_arena_take(scratch, graph->inputs.count, sizeof(ltap_tensor), &block, error));
    infer->inputs = block;
    LTAP_TRY(ltap_arena_take(scratch, (uint64_t)infer->n_values * MAX_GROUPS * N_SIZES,
                             sizeof(ltap_tensor), &block, error));
    infer->found = block;
    LTAP_TRY(ltap_prune(graph, infer->values, infer->n_values, infer->keep, error));
    return choose_sizes(infer);
}

static bool is_complete(const ltap_type *type)
{
    bool is_tensor = type->kind == LTAP_TYPE_TENSOR;

    return type->kind != LTAP_TYPE_UNKNOWN &&
           !(is_tensor && (type->dtype == LTAP_UNDEFINED || type->rank < 0));
}

ltap_status ltap_infer_types(const ltap_model *model, const uint32_t *values, size_t n_values,
                             ltap_arena *arena, ltap_type *types, ltap_error *error)
{
    inference infer = {.model = model, .values = values, .n_values = n_values, .error = error};
    ltap_arena scratch;
    ltap_status status = LTAP_OK;
    bool complete = true;

    for (size_t i = 0; i < n_values; i++) {
        types[i] = ltap_graph_at(model->graph, values[i])->type;
        complete = complete && is_complete(&types[i]);
    }
    if (complete)
        return LTAP_OK;
    ltap_arena_init(&scratch, model->memory);
    LTAP_GO(infer_with(&infer, &scratch, error));
    for (size_t i = 0; i < n_values; i++)
        if (!is_complete(&types[i]))
            LTAP_GO(make_type(&infer, i, arena, &types[i], error));
done:
    ltap_arena_clear(&scratch);
    return status;
}

ltap_port ltap_infer_port(const char *name, const ltap_type *type)
{
    ltap_port port = {.name = name, .rank = -1};

    if (type->kind != LTAP_TYPE_TENSOR)
        return port;
    port.dtype = type->dtype;
    port.rank = type->rank > LTAP_MAX_RANK ? -1 : type->rank;
    for (int i = 0; i < port.rank; i++)
        port.dims[i] = (ltap_port_dim){type->dims[i].size, type->dims[i].symbol};
    return port;
}
