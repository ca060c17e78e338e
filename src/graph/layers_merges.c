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

/* Operations that were lost, and of which kind their modules were. */
typedef struct merge_state {
    ltap_tree *tree;
    const char *prefix, *what; /* of the class; what happened */
    bool in_sight;      /* the only one that is left hands out the same value as the one lost */
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
    if (!ltap_class_is_leaf(module->class_name))
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
    const ltap_node *merged = ltap_tree_node(tree, place);
    uint32_t before = ltap_tree_maker(tree, value);
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

/* Two BatchNorms after a convolution that are both folded into it leave the second one's scope. */
static bool lost_norm(const ltap_node *node)
{
    static const char rule[] = "FuseBatchNorm";
    const char *rules = ltap_node_property(node, rule_key);
    const char *first = rules != NULL ? strstr(rules, rule) : NULL;
    return first != NULL && strstr(first + 1, rule) != NULL;
}

static bool is_of_kind(const merge_state *merging, const ltap_module *module)
{
    return module->class_name != NULL &&
           strncmp(module->class_name, merging->prefix, strlen(merging->prefix)) == 0;
}

/* The lost operation may have been a call of any module of its kind there; later calls cannot be
 * counted. */
static ltap_status doubt_counts(merge_state *merging, ltap_error *error)
{
    ltap_layers *layers = merging->tree->layers;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        ltap_module *module = ltap_layers_at(layers, m);
        uint32_t place =
            module->parent == LTAP_NO_MODULE ? merging->first : merging->earliest[module->parent];
        size_t before = 0;
        if (!is_of_kind(merging, module) || place == LTAP_NO_NODE || module->doubt != NULL ||
            (merging->in_sight && merging->count == 1 && module->n_calls == 1 &&
             module->calls[0].first == place))
            continue;
        while (before < module->n_calls && module->calls[before].first < place)
            before++;
        module->first_doubtful = before;
        LTAP_TRY(ltap_arena_format(&layers->arena, &module->doubt, error,
                                   "the exporter merged two %s: how often '%s' was called is not "
                                   "in the file",
                                   merging->what, module->path));
    }
    return LTAP_OK;
}

static ltap_status begin_merges(merge_state *merging, ltap_tree *tree, ltap_error *error)
{
    size_t n = tree->layers->modules.count;
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, n + 1, sizeof(uint32_t), &block, error));
    memset(block, 0xff, n * sizeof(uint32_t));
    merging->tree = tree;
    merging->earliest = block;
    merging->first = LTAP_NO_NODE;
    return LTAP_OK;
}

static void note_lost(merge_state *merging, uint32_t place)
{
    merging->first = merging->count == 0 ? place : merging->first;
    merging->count++;
    mark_around(merging, place, place);
}

ltap_status ltap_tree_merges(ltap_tree *tree, ltap_error *error)
{
    const ltap_graph *graph = tree->layers->graph;
    merge_state found = {.prefix = "torch.nn.modules.activation.",
                         .what = "activations in a row into one",
                         .in_sight = true};
    merge_state norms = {.prefix = "torch.nn.modules.batchnorm.",
                         .what = "BatchNorms in a row into the convolution before them"};
    LTAP_TRY(begin_merges(&found, tree, error));
    LTAP_TRY(begin_merges(&norms, tree, error));
    for (uint32_t place = 0; place < tree->flow->n_order; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        if (lost_norm(node))
            note_lost(&norms, place);
        if (!ltap_node_was_merged(graph, node))
            continue;
        if (merged_activation(node))
            note_lost(&found, place);
        mark_around(&found, place, place);
        for (size_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != LTAP_NO_VALUE)
                LTAP_TRY(doubt_ends(&found, place, node->inputs[i], error));
    }
    if (norms.count > 0)
        LTAP_TRY(doubt_counts(&norms, error));
    return found.count > 0 ? doubt_counts(&found, error) : LTAP_OK;
}
