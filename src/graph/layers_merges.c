/* Operations that the dynamo exporter's rewriting merged into the next one of their kind, two ReLUs
 * in a row say. The rule's name stays at the node, but not whose operation was lost: what a module
 * handed out there, and how often an activation was called, is then in doubt, and said to be.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

static const char rule_key[] = "pkg.onnxscript.rewriter.rule_name";

/* Rules that take nothing away that a module hands out. */
static bool rule_is_harmless(const char *rule, size_t bytes)
{
    static const char *const harmless[] = {"FuseBatchNorm", "RemoveOptionalBias",
                                           "MaterializeReshapeShape"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (bytes >= strlen(harmless[i]) && strncmp(rule, harmless[i], strlen(harmless[i])) == 0)
            return true;
    return false;
}

bool ltap_node_was_merged(const ltap_graph *graph, const ltap_node *node)
{
    const char *rules = ltap_node_property(node, rule_key);
    while (rules != NULL && *rules != '\0') {
        rules += strspn(rules, ", ");
        size_t bytes = strcspn(rules, ",");
        if (bytes > 0 && !rule_is_harmless(rules, bytes))
            return !ltap_node_is_as_written(graph, node);
        rules += bytes;
    }
    return false;
}

bool ltap_node_took_over(const ltap_graph *graph, const ltap_node *node)
{
    return ltap_node_was_merged(graph, node) || ltap_node_fused_norm(node);
}

typedef struct merge_state {
    ltap_tree *tree;
    uint32_t *earliest; /* per module: place of the first merged operation in or right after it */
    uint32_t first;     /* of all */
    size_t count;
} merge_state;

/* Modules of torch.nn that an exporter may end with a Reshape, Transpose or Squeeze. */
static bool may_end_with_movement(const char *class_name)
{
    static const char *const prefixes[] = {
        "torch.nn.modules.channelshuffle.", "torch.nn.modules.normalization.GroupNorm",
        "torch.nn.modules.instancenorm.",   "torch.nn.modules.pixelshuffle.",
        "torch.nn.modules.flatten.",        "torch.nn.modules.fold.",
        "torch.nn.modules.pooling.",        "torch.nn.modules.batchnorm."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(class_name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool merged_activation(const ltap_node *node)
{
    return strstr(ltap_node_property(node, rule_key), "FuseSuccessive") != NULL;
}

/* Whether a module ends with what it ran is not in question where it runs one operation. */
static bool may_have_ended_later(const ltap_module *module, const ltap_module_call *call,
                                 const ltap_node *merged)
{
    if (!ltap_class_runs_once(module->class_name) ||
        strcmp(module->class_name, "torch.nn.modules.container.Sequential") == 0)
        return true;
    return !merged_activation(merged) && call->end - call->first > 1 &&
           may_end_with_movement(module->class_name);
}

static bool hands_out(const ltap_module_call *call, uint32_t value)
{
    for (size_t i = 0; i < call->n_outputs; i++)
        if (call->outputs[i] == value)
            return true;
    return false;
}

static void mark_around(merge_state *merging, uint32_t at, uint32_t place)
{
    for (uint32_t c = merging->tree->call_of[at]; c != LTAP_NO_CALL;
         c = ltap_tree_at(merging->tree, c)->parent) {
        uint32_t *earliest = &merging->earliest[ltap_tree_at(merging->tree, c)->module];
        *earliest = place < *earliest ? place : *earliest;
    }
}

/* What a merged node reads may be the value before an operation that a module ended with. */
static ltap_status doubt_ends(merge_state *merging, uint32_t place, uint32_t value,
                              ltap_error *error)
{
    ltap_tree *tree = merging->tree;
    ltap_layers *layers = tree->layers;
    const ltap_node *merged = ltap_graph_node(layers->graph, tree->flow->order[place]);
    uint32_t producer = ltap_graph_at(layers->graph, value)->producer;
    uint32_t before = producer != LTAP_NO_NODE ? tree->flow->place[producer] : LTAP_NO_NODE;
    if (before == LTAP_NO_NODE)
        return LTAP_OK;
    mark_around(merging, before, place);
    for (uint32_t c = tree->call_of[before]; c != LTAP_NO_CALL; c = ltap_tree_at(tree, c)->parent) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        ltap_module *module = ltap_layers_at(layers, call->module);
        if (place >= call->begin && place < call->end)
            return LTAP_OK;
        ltap_module_call *to = ltap_module_call_at(module, call->begin);
        if (to == NULL || !hands_out(to, value) || !may_have_ended_later(module, to, merged))
            continue;
        LTAP_TRY(ltap_arena_format(&layers->arena, &to->doubt, error,
                                   "the exporter merged an operation after '%s' with the next one "
                                   "of its kind: whether '%s' ends before or after it is not in "
                                   "the file",
                                   ltap_graph_at(layers->graph, value)->name, module->path));
    }
    return LTAP_OK;
}

static bool is_activation(const ltap_module *module)
{
    static const char prefix[] = "torch.nn.modules.activation.";
    return module->class_name != NULL && strncmp(module->class_name, prefix, strlen(prefix)) == 0;
}

/* The lost operation may have been a call of any activation there; later calls cannot be counted.
 * An activation that is itself what is left, and the only one, hands out the same value anyway. */
static ltap_status doubt_counts(merge_state *merging, ltap_error *error)
{
    ltap_layers *layers = merging->tree->layers;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        ltap_module *module = ltap_layers_at(layers, m);
        uint32_t place =
            module->parent == LTAP_NO_MODULE ? merging->first : merging->earliest[module->parent];
        size_t before = 0;
        if (!is_activation(module) || place == LTAP_NO_NODE || module->doubt != NULL ||
            (merging->count == 1 && module->n_calls == 1 && module->calls[0].first == place))
            continue;
        while (before < module->n_calls && module->calls[before].first < place)
            before++;
        module->first_doubtful = before;
        LTAP_TRY(ltap_arena_format(&layers->arena, &module->doubt, error,
                                   "the exporter merged two activations in a row into one: how "
                                   "often '%s' was called is not in the file",
                                   module->path));
    }
    return LTAP_OK;
}

ltap_status ltap_tree_merges(ltap_tree *tree, ltap_error *error)
{
    const ltap_graph *graph = tree->layers->graph;
    merge_state found = {.tree = tree, .first = LTAP_NO_NODE};
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, tree->layers->modules.count + 1, sizeof(uint32_t),
                             &block, error));
    found.earliest = block;
    memset(block, 0xff, tree->layers->modules.count * sizeof(uint32_t));
    for (uint32_t place = 0; place < tree->flow->n_order; place++) {
        const ltap_node *node = ltap_graph_node(graph, tree->flow->order[place]);
        if (!ltap_node_was_merged(graph, node))
            continue;
        bool activation = merged_activation(node);
        found.first = activation && found.count == 0 ? place : found.first;
        found.count += activation;
        mark_around(&found, place, place);
        for (size_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != LTAP_NO_VALUE)
                LTAP_TRY(doubt_ends(&found, place, node->inputs[i], error));
    }
    return found.count > 0 ? doubt_counts(&found, error) : LTAP_OK;
}
