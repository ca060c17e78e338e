/* BatchNorms that an exporter folded into the convolution before them. A module whose own value is
 * gone is known all the same, and says so.
 *
 * Evidence: the TorchScript exporter renames weight and bias of a convolution that it folded into
 * (weight normalisation renames the weight only). The dynamo exporter names the rewriting rule,
 * gives the convolution the BatchNorm's scope and leaves the weight its name.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

static const char rule_key[] = "pkg.onnxscript.rewriter.rule_name";

static bool is_convolution(const ltap_node *node)
{
    return strcmp(node->op_type, "Conv") == 0 || strcmp(node->op_type, "ConvTranspose") == 0;
}

bool ltap_node_fused_norm(const ltap_node *node)
{
    const char *rules = ltap_node_property(node, rule_key);
    return rules != NULL && strstr(rules, "FuseBatchNorm") != NULL;
}

static bool renamed_initializer(const ltap_graph *graph, const ltap_node *node, size_t input)
{
    if (input >= node->n_inputs || node->inputs[input] == LTAP_NO_VALUE)
        return false;
    return ltap_flow_initializer(graph, node->inputs[input]) != LTAP_NO_VALUE &&
           ltap_name_renamed(ltap_graph_at(graph, node->inputs[input])->name);
}

bool ltap_node_has_fold(const ltap_graph *graph, const ltap_node *node)
{
    return is_convolution(node) && renamed_initializer(graph, node, 1) &&
           renamed_initializer(graph, node, 2);
}

ltap_status ltap_tree_fused(ltap_tree *tree, size_t place, const char **path, ltap_error *error)
{
    const ltap_graph *graph = tree->layers->graph;
    const ltap_node *node = ltap_tree_node(tree, place);
    *path = NULL;
    if (tree->scopes->fused != NULL && tree->scopes->fused[node->index] != NULL)
        return ltap_arena_text(&tree->layers->arena, tree->scopes->fused[node->index],
                               strlen(tree->scopes->fused[node->index]), path, error);
    if (!ltap_node_fused_norm(node) || node->n_inputs < 2 || node->inputs[1] == LTAP_NO_VALUE)
        return LTAP_OK;
    const char *weight = ltap_graph_at(graph, node->inputs[1])->name;
    const char *dot = strrchr(weight, '.');
    if (dot == NULL || dot == weight)
        return LTAP_OK;
    return ltap_arena_text(&tree->layers->arena, weight, (size_t)(dot - weight), path, error);
}

/* The known module that a path lies in. */
static uint32_t module_around(const ltap_layers *layers, const char *path)
{
    uint32_t module;
    for (size_t i = strlen(path); i > 0; i--)
        if (path[i] == '.' && ltap_map_get(&layers->module_by_path, path, i, &module))
            return module;
    return LTAP_NO_MODULE;
}

ltap_status ltap_tree_add_fused(ltap_tree *tree, const ltap_tree_call *piece, const char *by,
                                ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    ltap_tree_call call = *piece;
    const char *path;
    LTAP_TRY(ltap_tree_fused(tree, piece->begin, &path, error));
    LTAP_TRY(ltap_tree_module(tree, path, module_around(layers, path), &call.module, error));
    ltap_module *module = ltap_layers_at(layers, call.module);
    if (module->n_calls > 0 && module->folded_by == NULL)
        module->doubt = "the exporter folded a BatchNorm into some of its calls only";
    layers->folded_node[tree->flow->order[piece->begin]] = 2;
    module->n_calls++;
    module->folded = true;
    module->folded_by = by;
    uint32_t *first = LTAP_VECTOR_AT(&tree->first_calls, uint32_t, call.module);
    *first = *first == LTAP_NO_CALL ? (uint32_t)tree->calls.count : *first;
    return ltap_vector_push(&tree->calls, &call, error);
}

static ltap_status fold_torchscript(ltap_tree *tree, const ltap_node *node, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    uint32_t place = tree->flow->place[node->index];
    if (place == LTAP_NO_NODE || !ltap_node_has_fold(layers->graph, node))
        return LTAP_OK;
    layers->folded_node[node->index] = 1;
    uint32_t around = tree->call_of[place];
    return around != LTAP_NO_CALL ? ltap_tree_folded_ends(tree, around, node, error) : LTAP_OK;
}

/* A module around the convolution but not around the BatchNorm ended before it: what it handed out
 * is gone as well. */
static ltap_status fold_around(ltap_layers *layers, const ltap_module *convolution,
                               const ltap_node *node, ltap_error *error)
{
    for (uint32_t m = convolution->parent; m != LTAP_NO_MODULE;) {
        ltap_module *module = ltap_layers_at(layers, m);
        m = module->parent;
        if (ltap_path_is_inside(convolution->folded_by, module->path) || module->n_calls == 0)
            continue;
        module->folded = true;
        module->folded_by = convolution->folded_by;
        if (module->n_calls > 1)
            module->doubt = "the exporter folded a BatchNorm into what it hands out";
        void *block;
        LTAP_TRY(ltap_arena_take(&layers->arena, 1, sizeof(uint32_t), &block, error));
        *(uint32_t *)block = node->outputs[0];
        module->calls[0].outputs = block;
        module->calls[0].n_outputs = 1;
    }
    return LTAP_OK;
}

static bool normalises(const ltap_graph *graph, const ltap_module *module)
{
    for (size_t c = 0; c < module->n_calls; c++)
        for (size_t i = 0; i < module->calls[c].n_nodes; i++)
            if (strcmp(ltap_graph_node(graph, module->calls[c].nodes[i])->op_type,
                       "BatchNormalization") == 0)
                return true;
    return false;
}

/* Whether each of several calls is a BatchNorm alone. */
static bool normalises_several_times(const ltap_graph *graph, const ltap_module *module)
{
    for (size_t c = 0; c < module->n_calls; c++)
        if (module->calls[c].n_nodes != 1)
            return false;
    return module->n_calls > 1 && normalises(graph, module);
}

static bool runs_inside(const ltap_layers *layers, uint32_t node, uint32_t module)
{
    uint32_t m = layers->module_of_node[node];
    while (m != LTAP_NO_MODULE && m != module)
        m = ltap_layers_at(layers, m)->parent;
    return m != LTAP_NO_MODULE;
}

/* The BatchNorm that a module's first call ends with and that no module inside does; or none. */
static uint32_t own_norm(const ltap_layers *layers, uint32_t m)
{
    const ltap_module *module = ltap_layers_at(layers, m);
    if (module->n_calls == 0 || module->calls[0].n_nodes == 0)
        return LTAP_NO_NODE;
    uint32_t last = module->calls[0].nodes[module->calls[0].n_nodes - 1];
    bool own = layers->module_of_node[last] == m &&
               strcmp(ltap_graph_node(layers->graph, last)->op_type, "BatchNormalization") == 0;
    return own ? last : LTAP_NO_NODE;
}

/* Whether the module around a BatchNorm begins with what a folded convolution made, and nothing but
 * a few operations on it comes before the BatchNorm: the fold may have been its first call. */
static bool follows_fold(const ltap_layers *layers, uint32_t m)
{
    enum { MOST = 4 };
    uint32_t node = own_norm(layers, m), around = ltap_layers_at(layers, m)->parent;
    for (int step = 0; node != LTAP_NO_NODE && step < MOST; step++) {
        const ltap_node *reader = ltap_graph_node(layers->graph, node);
        if (reader->n_inputs == 0 || reader->inputs[0] == LTAP_NO_VALUE)
            return false;
        node = ltap_graph_at(layers->graph, reader->inputs[0])->producer;
        if (node != LTAP_NO_NODE && !runs_inside(layers, node, around))
            return layers->folded_node[node] != 0;
    }
    return false;
}

/* A BatchNorm that is called several times, that follows a fold, or that is inside a module whose
 * calls are in doubt, may have run once more, in a call that was folded: the exporter numbers calls
 * after folding. */
static ltap_status doubt_folded_calls(ltap_layers *layers, ltap_error *error)
{
    bool any = false;
    for (uint32_t n = 0; n < layers->graph->nodes.count; n++)
        any |= layers->folded_node[n] != 0;
    for (uint32_t m = 0; any && m < layers->modules.count; m++) {
        ltap_module *module = ltap_layers_at(layers, m);
        if (module->doubt != NULL || module->parent == LTAP_NO_MODULE)
            continue;
        const ltap_module *around = ltap_layers_at(layers, module->parent);
        if (around->doubt != NULL && normalises(layers->graph, module))
            LTAP_TRY(ltap_arena_format(
                &layers->arena, &module->doubt, error,
                "'%s' around it may be called several times, and the exporter may have folded a "
                "call of '%s' into a convolution",
                around->path, module->path));
        else if (normalises_several_times(layers->graph, module) || follows_fold(layers, m))
            LTAP_TRY(ltap_arena_format(
                &layers->arena, &module->doubt, error,
                "the exporter may have folded a call of '%s' into a convolution before it",
                module->path));
    }
    return LTAP_OK;
}

ltap_status ltap_tree_folds(ltap_tree *tree, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    const ltap_graph *graph = layers->graph;
    bool torchscript = strcmp(layers->exporter, "TorchScript exporter") == 0;
    for (uint32_t n = 0; torchscript && n < graph->nodes.count; n++)
        LTAP_TRY(fold_torchscript(tree, ltap_graph_node(graph, n), error));
    if (torchscript)
        LTAP_TRY(doubt_folded_calls(layers, error));
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        const ltap_module *module = ltap_layers_at(layers, m);
        if (module->folded_by != NULL && module->n_calls > 0 && module->calls[0].n_nodes == 1)
            LTAP_TRY(fold_around(layers, module, ltap_graph_node(graph, module->calls[0].nodes[0]),
                                 error));
    }
    return LTAP_OK;
}
