/* Networks whose layers hand out channels last, while convolutions want them second.
 *
 * A reader builds each such operator between two Transposes. Here a value that is made by moving
 * channels to the end is known to be the same as the one before; whoever moves them back reads that
 * one, and operations on single elements are done on it, with a Transpose behind for whoever wants
 * the value itself. What nobody wants is pruned. So the network is computed like one with channels
 * second, and a tap costs a copy; that holds for the whole model, whoever asks for what.
 */
#include "passes/pass.h"

#include "base/error.h"
#include "ops/op.h"

#include <string.h>

enum { MAX_RANK = 8 };

bool ltap_moves_channels(const ltap_node *node, bool last)
{
    const ltap_attr *perm = ltap_node_attr(node, "perm");

    if (strcmp(node->op_type, "Transpose") != 0 || node->domain[0] || !perm ||
        perm->kind != LTAP_ATTR_INTS || perm->count < 3 || node->inputs[0] == LTAP_NO_VALUE ||
        node->outputs[0] == LTAP_NO_VALUE)
        return false;
    int64_t rank = (int64_t)perm->count;
    for (int64_t i = 1; i < rank; i++) {
        int64_t axis = last ? (i == rank - 1 ? 1 : i + 1) : (i == 1 ? rank - 1 : i - 1);
        if (perm->u.ints[i] != axis)
            return false;
    }
    return perm->u.ints[0] == 0;
}

bool ltap_is_moved(const ltap_graph *graph, uint32_t value, uint32_t from)
{
    while (value != from) {
        const ltap_value *v = ltap_graph_at(graph, value);
        if (v->producer == LTAP_NO_NODE)
            return false;
        const ltap_node *node = ltap_graph_node(graph, v->producer);
        if (!ltap_moves_channels(node, true) && !ltap_moves_channels(node, false))
            return false;
        value = node->inputs[0];
    }
    return true;
}

typedef struct carrying {
    const ltap_graph *original;
    ltap_graph *graph;
    uint32_t *stands_for; /* per value: who reads it reads this one */
    int *ranks;           /* per value that has a second: of both; else 0 */
    uint32_t *behind;     /* per node of the original: the Transpose put behind it, or none */
} carrying;

static uint32_t second_of(const carrying *c, uint32_t value)
{
    return value == LTAP_NO_VALUE ? LTAP_NO_VALUE : ltap_graph_at(c->graph, value)->second;
}

/* Only the Transpose reads what is before it. */
static bool is_alone(const carrying *c, uint32_t value)
{
    const ltap_value *v = ltap_graph_at(c->original, value);

    return v->n_consumers == 1 && !v->is_output && !v->is_input && !v->constant;
}

static bool is_scalar(const carrying *c, uint32_t value)
{
    const ltap_value *v = ltap_graph_at(c->graph, value);

    return v->constant && v->constant->rank == 0;
}

/* The rank of all inputs that are no scalars, if they all have a second; 0: they do not. */
static int common_rank(const carrying *c, const ltap_node *node)
{
    int rank = 0;

    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t value = node->inputs[i];
        if (value == LTAP_NO_VALUE || is_scalar(c, value))
            continue;
        int other = value < c->original->values.count ? c->ranks[value] : 0;
        if (other == 0 || (rank != 0 && other != rank))
            return 0;
        rank = other;
    }
    return rank;
}

static bool has_axis(const ltap_node *node)
{
    return strcmp(node->op_type, "Concat") == 0 || strcmp(node->op_type, "Softmax") == 0;
}

static bool can_carry(const ltap_node *node)
{
    bool simple = node->op && (node->op->flags & LTAP_OP_POINTWISE || has_axis(node) ||
                               strcmp(node->op_type, "Identity") == 0);

    return simple && !node->domain[0] && node->n_outputs == 1 &&
           node->outputs[0] != LTAP_NO_VALUE && !node->n_captured;
}

/* Attributes with another axis: the last is the second then, others move by one. */
static ltap_status move_axis(carrying *c, ltap_node *node, int rank, ltap_error *error)
{
    void *block;
    int64_t axis = ltap_node_int(node, "axis", -1);

    axis = axis < 0 ? axis + rank : axis;
    LTAP_TRY(ltap_arena_take(&c->graph->arena, 1, sizeof(ltap_attr), &block, error));
    *(ltap_attr *)block = (ltap_attr){.name = "axis",
                                      .kind = LTAP_ATTR_INT,
                                      .count = 1,
                                      .u.i = axis == 0          ? 0
                                             : axis == rank - 1 ? 1
                                                                : axis + 1};
    node->attrs = block;
    node->n_attrs = 1;
    return LTAP_OK;
}

/* value = Transpose(second), as a node of its own. */
static ltap_status add_behind(carrying *c, uint32_t index, uint32_t value, uint32_t second,
                              int rank, ltap_error *error)
{
    void *block, *ints;
    ltap_node node = {.op = ltap_ops_find("", "Transpose"),
                      .name = "",
                      .domain = "",
                      .op_type = "Transpose",
                      .call_path = "",
                      .doc = "",
                      .inputs = &second,
                      .n_inputs = 1,
                      .outputs = &value,
                      .n_outputs = 1,
                      .n_attrs = 1,
                      .translated = true};

    LTAP_TRY(ltap_arena_take(&c->graph->arena, 1, sizeof(ltap_attr), &block, error));
    LTAP_TRY(ltap_arena_take(&c->graph->arena, MAX_RANK, sizeof(int64_t), &ints, error));
    int64_t *perm = ints;
    for (int i = 1; i < rank; i++)
        perm[i] = i == rank - 1 ? 1 : i + 1;
    *(ltap_attr *)block = (ltap_attr){"perm", LTAP_ATTR_INTS, (size_t)rank, {.ints = perm}, {0, 0}};
    node.attrs = block;
    c->behind[index] = (uint32_t)c->graph->nodes.count;
    return ltap_graph_node_add(c->graph, &node, NULL, error);
}

static ltap_status carry(carrying *c, uint32_t index, int rank, ltap_error *error)
{
    uint32_t made, value = ltap_graph_node(c->graph, index)->outputs[0];

    LTAP_TRY(ltap_graph_value_new(c->graph, "second", &made, error));
    ltap_node *node = ltap_graph_node(c->graph, index);
    for (size_t i = 0; i < node->n_inputs; i++)
        if (second_of(c, node->inputs[i]) != LTAP_NO_VALUE)
            node->inputs[i] = second_of(c, node->inputs[i]);
    if (has_axis(node))
        LTAP_TRY(move_axis(c, node, rank, error));
    node->outputs[0] = made;
    node->translated = true;
    ltap_graph_at(c->graph, value)->producer = LTAP_NO_NODE;
    ltap_graph_at(c->graph, value)->second = made;
    c->ranks[value] = rank;
    return add_behind(c, index, value, made, rank, error);
}

static void read_others(carrying *c, uint32_t index)
{
    const ltap_node *node = ltap_graph_node(c->graph, index);

    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] < c->original->values.count)
            node->inputs[i] = c->stands_for[node->inputs[i]];
}

static ltap_status visit(carrying *c, uint32_t index, ltap_error *error)
{
    read_others(c, index);
    const ltap_node *node = ltap_graph_node(c->graph, index);
    if (ltap_moves_channels(node, true)) {
        const ltap_attr *perm = ltap_node_attr(node, "perm");
        if (is_alone(c, ltap_graph_node(c->original, index)->inputs[0]) &&
            perm->count <= MAX_RANK) {
            ltap_graph_at(c->graph, node->outputs[0])->second = node->inputs[0];
            c->ranks[node->outputs[0]] = (int)perm->count;
        }
        return LTAP_OK;
    }
    if (ltap_moves_channels(node, false)) {
        if (second_of(c, node->inputs[0]) != LTAP_NO_VALUE)
            c->stands_for[node->outputs[0]] = second_of(c, node->inputs[0]);
        return LTAP_OK;
    }
    if (!can_carry(node))
        return LTAP_OK;
    int rank = common_rank(c, node);
    return rank > 0 ? carry(c, index, rank, error) : LTAP_OK;
}

/* Each Transpose goes right behind the node that it was made for, so that nothing waits for it. */
static ltap_status put_in_order(carrying *c, ltap_error *error)
{
    ltap_graph *graph = c->graph;
    size_t n = graph->nodes.count, at = 0;
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(graph->memory, n, sizeof(ltap_node), "a table of nodes",
                                     &block, error));
    ltap_node *ordered = block;
    for (size_t i = 0; i < n; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        bool placed = i >= c->original->nodes.count && ltap_moves_channels(node, true);
        if (!placed)
            ordered[at++] = *node;
        if (i < c->original->nodes.count && c->behind[i] != LTAP_NO_NODE)
            ordered[at++] = *ltap_graph_node(graph, c->behind[i]);
    }
    memcpy(graph->nodes.data, ordered, n * sizeof(ltap_node));
    ltap_memory_release(graph->memory, block);
    for (uint32_t i = 0; i < n; i++) {
        ltap_node *node = ltap_graph_node(graph, i);
        node->index = i;
        for (size_t k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] != LTAP_NO_VALUE)
                ltap_graph_at(graph, node->outputs[k])->producer = i;
    }
    return LTAP_OK;
}

static ltap_status take_tables(carrying *c, ltap_error *error)
{
    size_t n = c->original->values.count;
    void *block;

    LTAP_TRY(ltap_arena_take(&c->graph->arena, n, sizeof(uint32_t), &block, error));
    c->stands_for = block;
    for (uint32_t i = 0; i < n; i++)
        c->stands_for[i] = i;
    LTAP_TRY(ltap_arena_take(&c->graph->arena, n, sizeof(int), &block, error));
    c->ranks = block;
    n = c->original->nodes.count;
    LTAP_TRY(ltap_arena_take(&c->graph->arena, n, sizeof(uint32_t), &block, error));
    c->behind = block;
    for (size_t i = 0; i < n; i++)
        c->behind[i] = LTAP_NO_NODE;
    return LTAP_OK;
}

static ltap_status apply(const ltap_graph *original, ltap_graph *graph, ltap_error *error)
{
    carrying c = {.original = original, .graph = graph};

    if (!original->channels_last)
        return LTAP_OK;
    LTAP_TRY(take_tables(&c, error));
    for (uint32_t i = 0; i < original->nodes.count; i++)
        LTAP_TRY(visit(&c, i, error));
    return put_in_order(&c, error);
}

const ltap_pass ltap_pass_channels_last = {"carry channels second", apply};
