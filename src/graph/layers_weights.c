/* Layers by the names of their weights, where nothing else says which module an operation was of:
 * PyTorch's exporter before 1.13, Paddle's. "layer1.0.conv1.weight" names the module whose weight
 * it is; the operations of torch.nn that read weights say what the module hands out.
 *
 * Modules around those are known to exist, but not where they end: an operation without weights
 * behind the last one may be inside or not. They are refused, with what runs there.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

#define MAX_BEHIND 3 /* operations that a refusal names */

/* Operators whose weights tell the module, and at which inputs. partly: the module runs operations
 * before this one that have no weights. */
typedef struct role {
    const char *op_type;
    size_t first, last; /* inputs */
    bool partly;
} role;

static const role roles[] = {{"Conv", 1, 2, false},
                             {"ConvTranspose", 1, 2, false},
                             {"Gemm", 1, 2, false},
                             {"MatMul", 0, 1, false},
                             {"BatchNormalization", 1, 2, false},
                             {"InstanceNormalization", 1, 2, false},
                             {"LayerNormalization", 1, 2, false},
                             {"PRelu", 1, 1, false},
                             {"Gather", 0, 0, false},
                             {"Mul", 0, 1, true},
                             {"Add", 0, 1, true}};

static const role *role_of(const ltap_node *node)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (node->domain[0] == '\0' && strcmp(node->op_type, roles[i].op_type) == 0)
            return &roles[i];
    return NULL;
}

/* Length of the module's path in a weight's name; 0: it is no weight's. */
static size_t path_bytes(const char *name)
{
    static const char *const leaves[] = {"weight", "bias", "w_0", "b_0"};
    const char *dot = ltap_name_is_usable(name) ? strrchr(name, '.') : NULL;
    for (size_t i = 0; dot != NULL && i < sizeof leaves / sizeof *leaves; i++)
        if (strcmp(dot + 1, leaves[i]) == 0)
            return (size_t)(dot - name);
    return 0;
}

/* The first weight that names a module; NULL: none. */
static const char *naming_weight(const ltap_graph *graph, const ltap_node *node, size_t *bytes)
{
    const role *its = role_of(node);
    for (size_t i = its != NULL ? its->first : 0; its != NULL && i <= its->last; i++) {
        if (i >= node->n_inputs || ltap_flow_weight(graph, node, i) == LTAP_NO_VALUE)
            continue;
        const char *name = ltap_graph_at(graph, node->inputs[i])->name;
        *bytes = path_bytes(name);
        if (*bytes > 0)
            return name;
    }
    return NULL;
}

/* "a.b" as steps "a" and "a.b". */
static ltap_status fill_chain(ltap_scopes *scopes, const char *path, size_t bytes,
                              ltap_chain *chain, ltap_error *error)
{
    void *block;
    uint32_t parent = LTAP_NO_STEP;
    LTAP_TRY(ltap_arena_take(scopes->arena, LTAP_MAX_STEP, sizeof(ltap_step), &block, error));
    chain->steps = block;
    for (size_t i = 1; i <= bytes && chain->n_steps < LTAP_MAX_STEP; i++) {
        if (i < bytes && path[i] != '.')
            continue;
        LTAP_TRY(ltap_scopes_intern(scopes, path, i, parent, &parent, error));
        ltap_scope *scope = ltap_scopes_at(scopes, parent);
        scope->component = scope->text;
        scope->full_path = true;
        chain->steps[chain->n_steps++] = (ltap_step){parent, LTAP_NO_TURN};
    }
    return LTAP_OK;
}

/* The product before the bias of a Linear, whose own weight the exporter transposed and renamed. */
static uint32_t product_before(const ltap_graph *graph, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs && strcmp(node->op_type, "Add") == 0; i++) {
        if (node->inputs[i] == LTAP_NO_VALUE)
            continue;
        const ltap_value *value = ltap_graph_at(graph, node->inputs[i]);
        if (value->producer != LTAP_NO_NODE && value->n_consumers == 1 &&
            strcmp(ltap_graph_node(graph, value->producer)->op_type, "MatMul") == 0)
            return value->producer;
    }
    return LTAP_NO_NODE;
}

ltap_status ltap_scopes_weights(const ltap_layers *layers, const ltap_flow *flow,
                                ltap_scopes *scopes, bool *used, ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    *used = false;
    for (size_t i = 0; i < flow->n_order; i++) {
        const ltap_node *node = ltap_graph_node(graph, flow->order[i]);
        size_t bytes = 0;
        const char *name = naming_weight(graph, node, &bytes);
        if (name == NULL)
            continue;
        *used = true;
        LTAP_TRY(fill_chain(scopes, name, bytes, &scopes->chains[node->index], error));
        uint32_t before = product_before(graph, node);
        if (before != LTAP_NO_NODE && scopes->chains[before].steps == NULL)
            scopes->chains[before] = scopes->chains[node->index];
    }
    return LTAP_OK;
}

/* Whether what the call runs is a module of torch.nn by itself: one operation, or the product and
 * the bias of a Linear. */
static bool is_whole(const ltap_tree *tree, const ltap_module_call *call)
{
    const ltap_node *first = ltap_tree_node(tree, call->first);
    const role *its = role_of(first);
    uint32_t n = call->end - call->first;
    if (n == 2 && strcmp(first->op_type, "MatMul") == 0)
        return strcmp(ltap_tree_node(tree, call->first + 1)->op_type, "Add") == 0;
    return n == 1 && its != NULL && !its->partly;
}

static bool has_weights(const ltap_tree *tree, uint32_t place)
{
    size_t bytes;
    const ltap_node *node = ltap_tree_node(tree, place);
    return naming_weight(tree->layers->graph, node, &bytes) != NULL;
}

/* The operation's name, or its value's. */
static const char *name_of(const ltap_graph *graph, uint32_t node)
{
    const ltap_node *n = ltap_graph_node(graph, node);
    bool unnamed = n->name[0] == '\0' && n->n_outputs > 0 && n->outputs[0] != LTAP_NO_VALUE;
    return unnamed ? ltap_graph_at(graph, n->outputs[0])->name : n->name;
}

/* ", then run 'Add_5', 'Relu_6'": what may be the end of a module as well. */
static ltap_status describe_behind(ltap_tree *tree, uint32_t place, const char **text,
                                   ltap_error *error)
{
    const ltap_graph *graph = tree->layers->graph;
    *text = "";
    for (size_t n = 0; place < tree->flow->n_order && !has_weights(tree, place); place++, n++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        const char *name = name_of(graph, node->index);
        if (n == MAX_BEHIND)
            return ltap_arena_format(&tree->layers->arena, text, error, "%s, ...", *text);
        LTAP_TRY(ltap_arena_format(&tree->layers->arena, text, error, "%s%s'%s'", *text,
                                   n == 0 ? "; then run " : ", ", name));
    }
    return LTAP_OK;
}

/* Where the last operation with weights of a call runs, which is of a module inside or of its own.
 */
static ltap_status doubt_end(ltap_tree *tree, ltap_module *module, ltap_error *error)
{
    const ltap_module_call *call = &module->calls[module->n_calls - 1];
    uint32_t last = call->end - 1;
    const char *behind;
    while (last > call->first && !has_weights(tree, last))
        last--;
    const char *inner =
        ltap_layers_at(tree->layers, ltap_tree_at(tree, tree->call_of[last])->module)->path;
    bool own = strcmp(inner, module->path) == 0;
    LTAP_TRY(describe_behind(tree, last + 1, &behind, error));
    return ltap_arena_format(
        &tree->layers->arena, &module->doubt, error,
        "its exporter wrote no modules, and where this one ends is not in the file: %s '%s'%s",
        own ? "its weights are last used by" : "the last layer in it that has weights is",
        own ? name_of(tree->layers->graph, tree->flow->order[last]) : inner, behind);
}

ltap_status ltap_tree_weights(ltap_tree *tree, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, layers->modules.count + 1, 1, &block, error));
    uint8_t *around = block; /* per module: has modules inside */
    for (uint32_t m = 0; m < layers->modules.count; m++)
        if (ltap_layers_at(layers, m)->parent != LTAP_NO_MODULE)
            around[ltap_layers_at(layers, m)->parent] = 1;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        ltap_module *module = ltap_layers_at(layers, m);
        module->note = "by the name of its weights";
        bool whole = !around[m];
        for (size_t c = 0; c < module->n_calls && whole; c++)
            whole = is_whole(tree, &module->calls[c]);
        if (!whole && module->n_calls > 0)
            LTAP_TRY(doubt_end(tree, module, error));
    }
    return LTAP_OK;
}
