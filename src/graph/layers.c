/* The layer tree as a whole: picks the source that the file offers, builds, keeps what callers
 * need. The steps are in the layers_*.c files beside this one, in the order in which they are
 * called here.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

/* Where the module hierarchy may be written, the surest first. */
typedef struct source {
    const char *exporter, *what;
    ltap_status (*read)(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                        bool *used, ltap_error *error);
    ltap_status (*settle)(ltap_tree *tree, ltap_error *error); /* NULL, or what is in doubt */
    bool ran;       /* a scope is a module that ran; what others call so says less */
    bool unordered; /* operations of a module may stand apart in the file */
} source;

static ltap_status read_dynamo(const ltap_layers *layers, const ltap_flow *flow,
                               ltap_scopes *scopes, bool *used, ltap_error *error)
{
    return ltap_scopes_dynamo(layers, scopes, used, error);
}

static ltap_status read_built(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                              bool *used, ltap_error *error)
{
    return layers->graph->is_built ? ltap_scopes_built(layers, scopes, used, error) : LTAP_OK;
}

/* The same, written to a file by layertap. */
static ltap_status read_told(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                             bool *used, ltap_error *error)
{
    return ltap_scopes_built(layers, scopes, used, error);
}

static ltap_status read_calls(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                              bool *used, ltap_error *error)
{
    return ltap_scopes_calls(layers, scopes, used, error);
}

static const source sources[] = {
    {"", "the architecture", read_built, NULL, true, false},
    {"", "the metadata of nodes", read_told, NULL, true, false},
    {"dynamo exporter", "the metadata of nodes", read_dynamo, NULL, true, false},
    {"TorchScript exporter", "the names of nodes", ltap_scopes_torchscript, NULL, true, false},
    {"", "the calls of functions", read_calls, NULL, false, false},
    {"", "the paths in names", ltap_scopes_names, ltap_tree_names, false, true},
    {"", "the names of weights", ltap_scopes_weights, ltap_tree_weights, false, false},
};

/* A module of torch.nn with one operation: what stands between two of that scope may stand between
 * two calls. */
static bool is_leaf(const ltap_scopes *scopes, uint32_t scope)
{
    const char *name = ltap_scopes_at(scopes, scope)->class_name;
    return ltap_class_is_leaf(name);
}

/* Operations without a scope run where both neighbours in the order of execution run. */
static void inherit(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes)
{
    ltap_chain before = {0};
    for (size_t i = 0; i < flow->n_order; i++) {
        ltap_chain *chain = &scopes->chains[flow->order[i]];
        if (chain->steps != NULL) {
            before = *chain;
            continue;
        }
        layers->inferred[flow->order[i]] = 1;
        size_t next = i + 1;
        while (next < flow->n_order && next < i + 16 &&
               scopes->chains[flow->order[next]].steps == NULL)
            next++;
        if (next >= flow->n_order || before.n_steps == 0)
            continue;
        const ltap_chain *after = &scopes->chains[flow->order[next]];
        bool within = ltap_nodes_share_source(ltap_graph_node(layers->graph, flow->order[i - 1]),
                                              ltap_graph_node(layers->graph, flow->order[next]));
        chain->steps = before.steps;
        while (chain->n_steps < before.n_steps && chain->n_steps < after->n_steps &&
               before.steps[chain->n_steps].scope == after->steps[chain->n_steps].scope &&
               before.steps[chain->n_steps].turn == after->steps[chain->n_steps].turn &&
               (within || !is_leaf(scopes, before.steps[chain->n_steps].scope)))
            chain->n_steps++;
    }
}

static ltap_status read_scopes(ltap_layers *layers, ltap_flow *flow, ltap_scopes *scopes,
                               const source **from, ltap_error *error)
{
    void *block;
    bool used = false;
    LTAP_TRY(ltap_arena_take(scopes->arena, layers->graph->nodes.count + 1, sizeof(ltap_chain),
                             &block, error));
    scopes->chains = block;
    *from = NULL;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && !used; i++) {
        LTAP_TRY(sources[i].read(layers, flow, scopes, &used, error));
        *from = used ? &sources[i] : NULL;
    }
    layers->exporter = used ? (*from)->exporter : "";
    layers->source = used ? (*from)->what : "";
    if (used && (*from)->read == read_built && layers->graph->built_from != NULL)
        layers->source = layers->graph->built_from;
    if (used && (*from)->ran)
        LTAP_TRY(ltap_flow_constants(layers, scopes, flow, error));
    if (used && (*from)->unordered)
        LTAP_TRY(ltap_flow_gather(layers->graph, scopes, flow, error));
    ltap_flow_restore(layers->graph, scopes, flow);
    inherit(layers, flow, scopes);
    return LTAP_OK;
}

static ltap_status keep_order(ltap_layers *layers, const ltap_flow *flow, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(&layers->arena, flow->n_order + 1, sizeof(uint32_t), &block, error));
    memcpy(block, flow->order, flow->n_order * sizeof(uint32_t));
    layers->order = block;
    layers->n_order = flow->n_order;
    return LTAP_OK;
}

static ltap_status build(ltap_layers *layers, ltap_tree *tree, ltap_flow *flow, ltap_scopes *scopes,
                         ltap_error *error)
{
    const source *from;
    LTAP_TRY(ltap_flow_find(layers, scopes->arena, flow, error));
    LTAP_TRY(read_scopes(layers, flow, scopes, &from, error));
    LTAP_TRY(keep_order(layers, flow, error));
    LTAP_TRY(ltap_tree_grow(tree, error));
    LTAP_TRY(ltap_tree_fill(tree, error));
    LTAP_TRY(ltap_tree_parameters(tree, error));
    LTAP_TRY(ltap_tree_folds(tree, error));
    LTAP_TRY(ltap_tree_merges(tree, error));
    if (from != NULL && from->settle != NULL)
        LTAP_TRY(from->settle(tree, error));
    return ltap_tree_elided(tree, error);
}

static ltap_status grow(ltap_layers *layers, ltap_error *error)
{
    ltap_arena arena;
    ltap_flow flow = {0};
    ltap_scopes scopes = {.memory = layers->arena.memory, .arena = &arena};
    ltap_tree tree = {.layers = layers, .flow = &flow, .scopes = &scopes};
    ltap_status status;
    ltap_arena_init(&arena, layers->arena.memory);
    ltap_vector_init(&scopes.scopes, layers->arena.memory, sizeof(ltap_scope));
    ltap_map_init(&scopes.by_text, layers->arena.memory);
    ltap_vector_init(&tree.calls, layers->arena.memory, sizeof(ltap_tree_call));
    ltap_vector_init(&tree.first_calls, layers->arena.memory, sizeof(uint32_t));
    status = build(layers, &tree, &flow, &scopes, error);
    ltap_vector_clear(&tree.first_calls);
    ltap_vector_clear(&tree.calls);
    ltap_map_clear(&scopes.by_text);
    ltap_vector_clear(&scopes.scopes);
    ltap_arena_clear(&arena);
    return status;
}

/* Nodes that translation put in have names and values that are not the file's. */
static bool is_files(const ltap_graph *graph, const ltap_node *node)
{
    uint32_t value = node->n_outputs > 0 ? node->outputs[0] : LTAP_NO_VALUE;
    return node->name[0] != '\0' &&
           (value == LTAP_NO_VALUE || ltap_graph_at(graph, value)->name[0] != '\1');
}

/* Later nodes first, so that the map ends with the first of each name and the rest follows it. */
static ltap_status index_names(ltap_layers *layers, ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    for (size_t n = graph->nodes.count; n-- > 0;) {
        const char *name = ltap_graph_node(graph, (uint32_t)n)->name;
        uint32_t next;
        if (!is_files(graph, ltap_graph_node(graph, (uint32_t)n)))
            continue;
        if (ltap_map_get(&layers->node_by_name, name, strlen(name), &next))
            layers->same_name[n] = next;
        LTAP_TRY(ltap_map_set(&layers->node_by_name, name, strlen(name), (uint32_t)n, error));
    }
    for (size_t i = graph->output_names.count; i-- > 0;) {
        const char *name = *LTAP_VECTOR_AT(&graph->output_names, const char *, i);
        LTAP_TRY(ltap_map_set(&layers->output_by_name, name, strlen(name), (uint32_t)i, error));
    }
    return LTAP_OK;
}

static ltap_status take_arrays(ltap_layers *layers, ltap_error *error)
{
    size_t n = layers->graph->nodes.count;
    uint32_t **arrays[] = {&layers->module_of_node, &layers->call_of_node, &layers->same_name};
    void *block;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        LTAP_TRY(ltap_arena_take(&layers->arena, n + 1, sizeof(uint32_t), &block, error));
        *arrays[i] = block;
        memset(block, 0xff, n * sizeof(uint32_t));
    }
    LTAP_TRY(ltap_arena_take(&layers->arena, n + 1, 1, &block, error));
    layers->folded_node = block;
    LTAP_TRY(ltap_arena_take(&layers->arena, n + 1, 1, &block, error));
    layers->inferred = block;
    return LTAP_OK;
}

ltap_status ltap_layers_new(const ltap_graph *graph, ltap_layers **layers, ltap_error *error)
{
    ltap_status status;
    ltap_layers *made;
    void *block;
    LTAP_TRY(
        ltap_memory_take_zeroed(graph->memory, 1, sizeof *made, "the layer tree", &block, error));
    made = block;
    made->graph = graph;
    made->exporter = made->source = "";
    ltap_arena_init(&made->arena, graph->memory);
    ltap_vector_init(&made->modules, graph->memory, sizeof(ltap_module));
    ltap_map_init(&made->module_by_path, graph->memory);
    ltap_map_init(&made->module_by_alias, graph->memory);
    ltap_map_init(&made->node_by_name, graph->memory);
    ltap_map_init(&made->output_by_name, graph->memory);
    LTAP_GO(take_arrays(made, error));
    LTAP_GO(index_names(made, error));
    LTAP_GO(grow(made, error));
done:
    if (status == LTAP_OK)
        *layers = made;
    else
        ltap_layers_free(made);
    return status;
}

void ltap_layers_free(ltap_layers *layers)
{
    if (layers == NULL)
        return;
    ltap_memory *memory = ltap_memory_ref(layers->arena.memory);
    ltap_map_clear(&layers->output_by_name);
    ltap_map_clear(&layers->node_by_name);
    ltap_map_clear(&layers->module_by_alias);
    ltap_map_clear(&layers->module_by_path);
    ltap_vector_clear(&layers->modules);
    ltap_arena_clear(&layers->arena);
    ltap_memory_release(memory, layers);
    ltap_memory_unref(memory);
}

bool ltap_layers_find(const ltap_layers *layers, const char *path, uint32_t *module)
{
    return ltap_map_get(&layers->module_by_path, path, strlen(path), module);
}
