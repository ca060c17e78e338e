/* One sequence of operations that stands several times in a row in a scope: calls of the module, or
 * a loop inside one call? What an exporter writes beside its operations may tell, and so may what
 * each repetition reads.
 */
#include "graph/layers_build.h"

#include <string.h>

static const char source_key[] = "pkg.torch.onnx.fx_node";
static const char trace_key[] = "pkg.torch.onnx.stack_trace";

/* Operators that keep the number of axes, and where they say along which they work. */
typedef struct axes_row {
    const char *op_type, *attr;
    size_t input; /* where attr is NULL */
} axes_row;

static const axes_row axes_rows[] = {
    {"Slice", NULL, 3}, {"CumSum", NULL, 1}, {"Concat", "axis", 0}, {"Transpose", "perm", 0}};

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether an operation of PyTorch's, written as several of ONNX, runs on both sides of a place. */
static bool is_inside_operation(const ltap_tree *tree, uint32_t place)
{
    const char *source = ltap_node_property(ltap_tree_node(tree, place), source_key);
    return source != NULL &&
           same_text(source, ltap_node_property(ltap_tree_node(tree, place - 1), source_key));
}

uint32_t ltap_tree_whole_operations(const ltap_tree *tree, uint32_t begin, uint32_t end,
                                    uint32_t length)
{
    for (uint32_t whole = length; whole < end - begin; whole += length) {
        uint32_t at = begin + whole;
        while (at < end && !is_inside_operation(tree, at))
            at += whole;
        if (at == end)
            return whole;
    }
    return end - begin;
}

/* The axes that an operation works along, as far as they are in the file: how many. */
static size_t axes_of(const ltap_tree *tree, const ltap_node *node, const axes_row *row,
                      int64_t *axes)
{
    const ltap_graph *graph = tree->layers->graph;
    const int64_t *list = NULL;
    const void *ints = NULL;
    size_t count = 0;
    if (row->attr != NULL) {
        count = ltap_node_ints(node, row->attr, &list);
        axes[0] = ltap_node_int(node, row->attr, 0);
        if (list == NULL)
            return 1;
        ints = list;
    } else if (row->input < node->n_inputs && node->inputs[row->input] != LTAP_NO_VALUE) {
        uint32_t value = ltap_flow_initializer(graph, node->inputs[row->input]);
        const ltap_tensor *tensor =
            value != LTAP_NO_VALUE ? ltap_graph_at(graph, value)->constant : NULL;
        if (tensor != NULL && tensor->dtype == LTAP_INT64 && tensor->rank == 1) {
            count = (size_t)tensor->dims[0];
            ints = tensor->data;
        }
    }
    if (ints == NULL || count > LTAP_MAX_RANK)
        return 0;
    memcpy(axes, ints, count * sizeof *axes);
    return count;
}

static const axes_row *row_of(const ltap_node *node)
{
    for (size_t i = 0; i < sizeof axes_rows / sizeof *axes_rows; i++)
        if (node->domain[0] == '\0' && strcmp(axes_rows[i].op_type, node->op_type) == 0)
            return &axes_rows[i];
    return NULL;
}

/* An expression like x[:, 1:, 2:] works along one axis after the other, and a module that is called
 * again along the same ones. Where the number of axes may change, this tells nothing; nor where the
 * operations come from different lines. */
bool ltap_tree_along_other_axes(const ltap_tree *tree, uint32_t begin, uint32_t end,
                                uint32_t length)
{
    bool differ = false;
    for (uint32_t i = begin; i < end; i++) {
        const ltap_node *node = ltap_tree_node(tree, i);
        const ltap_node *first = ltap_tree_node(tree, begin + (i - begin) % length);
        const axes_row *row = row_of(node);
        int64_t axes[LTAP_MAX_RANK], its[LTAP_MAX_RANK];
        size_t n = row != NULL ? axes_of(tree, node, row, axes) : 0;
        if (n == 0 || n != axes_of(tree, first, row, its) ||
            !same_text(ltap_node_property(node, trace_key), ltap_node_property(first, trace_key)))
            return false;
        differ |= memcmp(axes, its, n * sizeof *axes) != 0;
    }
    return differ;
}

/* The number that a scope ends with, "encoder.12"; false where it has none. */
static bool number_at(const ltap_tree *tree, uint32_t place, uint32_t depth, uint32_t *number)
{
    const ltap_chain *chain = ltap_tree_chain(tree, place);
    if (chain->n_steps <= depth)
        return false;
    const char *component = ltap_scopes_at(tree->scopes, chain->steps[depth].scope)->component;
    const char *dot = strrchr(component, '.');
    return dot != NULL && ltap_name_number("", dot + 1, number);
}

/* Whether numbered children run one after the other, as in a Sequential. */
static bool runs_like_sequential(const ltap_tree *tree, uint32_t begin, uint32_t end,
                                 uint32_t depth)
{
    uint32_t before = 0, number;
    for (uint32_t i = begin; i < end; i++) {
        if (!number_at(tree, i, depth + 1, &number) || number < before)
            return false;
        before = number;
    }
    return true;
}

bool ltap_tree_side_by_side(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t length,
                            uint32_t depth)
{
    for (uint32_t i = begin; i < end; i++) {
        const ltap_node *node = ltap_tree_node(tree, i);
        for (size_t k = 0; k < node->n_inputs; k++) {
            uint32_t place = ltap_tree_maker(tree, node->inputs[k]);
            if (place != LTAP_NO_NODE && place >= begin && place < end &&
                (place - begin) / length != (i - begin) / length)
                return false;
        }
    }
    /* Four may be two calls that take two each. */
    return (end - begin) / length < 4 || runs_like_sequential(tree, begin, begin + length, depth);
}
