/* A network in two: which values cross from the nodes that a layer needs to all others.
 *
 * What depends on shapes alone never crosses: the head computes it anew, because a plan must know
 * it before anything runs. And a BatchNormalization stays with the convolution before it: folded,
 * the two are one kernel, and in no other way are the bits the same. */
#include "plan/save.h"

#include "base/error.h"
#include "ops/op.h"
#include "passes/pass.h"

#include <string.h>

typedef struct splitting {
    const ltap_graph *graph;
    ltap_getter *getter; /* of the head's layers */
    uint8_t *backbone;   /* a flag a node */
    uint8_t *visited;    /* the same */
    uint8_t *known;      /* a flag a value: depends on shapes alone */
    uint8_t *crosses;    /* the same */
    ltap_vector open;    /* uint32_t: values that the head reads */
    uint32_t at;         /* where to cut */
    bool moved;          /* a BatchNormalization after it is in the backbone */
    ltap_error *error;
} splitting;

static bool has_graphs(const ltap_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].kind == LTAP_ATTR_GRAPH || node->attrs[i].kind == LTAP_ATTR_GRAPHS)
            return true;
    return false;
}

static bool is_known(const splitting *split, const ltap_node *node)
{
    bool shapes = node->domain[0] == '\0' &&
                  (strcmp(node->op_type, "Shape") == 0 || strcmp(node->op_type, "Size") == 0);

    if (!node->op || (node->op->flags & LTAP_OP_RANDOM) || has_graphs(node))
        return false;
    for (size_t i = 0; i < node->n_inputs && !shapes; i++)
        if (node->inputs[i] != LTAP_NO_VALUE && !split->known[node->inputs[i]])
            return false;
    return true;
}

/* Marks what depends on shapes alone, and keeps BatchNormalizations with their convolutions. */
static void mark(splitting *split)
{
    const ltap_graph *graph = split->graph;

    for (size_t i = 0; i < graph->values.count; i++)
        split->known[i] = ltap_graph_at(graph, (uint32_t)i)->constant != NULL;
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        const ltap_node *conv = ltap_fold_batchnorm_into(graph, node);
        bool known = is_known(split, node);
        for (size_t k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] != LTAP_NO_VALUE)
                split->known[node->outputs[k]] = known;
        if (!conv || !split->backbone[conv->index] || split->backbone[i])
            continue;
        split->backbone[i] = 1;
        const ltap_value *made = ltap_graph_at(graph, node->outputs[0]);
        if (made->n_consumers == 1 &&
            ltap_moves_channels(ltap_graph_node(graph, made->consumers[0]), true))
            split->backbone[made->consumers[0]] = 1; /* as its layer hands it out */
        split->moved = split->moved || ltap_is_moved(graph, node->inputs[0], split->at);
    }
}

static ltap_status read_value(splitting *split, uint32_t value)
{
    return value == LTAP_NO_VALUE ? LTAP_OK : ltap_vector_push(&split->open, &value, split->error);
}

/* Values of this graph that the subgraphs of a node take are consumers' entries of theirs. */
static ltap_status read_captured(splitting *split, const ltap_node *node)
{
    const ltap_graph *graph = split->graph;

    for (size_t v = 0; v < graph->values.count; v++) {
        const ltap_value *value = ltap_graph_at(graph, (uint32_t)v);
        for (size_t k = 0; k < value->n_consumers; k++)
            if (value->consumers[k] == node->index)
                LTAP_TRY(read_value(split, (uint32_t)v));
    }
    return LTAP_OK;
}

static ltap_status visit(splitting *split, uint32_t value)
{
    uint32_t producer = ltap_graph_at(split->graph, value)->producer;

    if (producer == LTAP_NO_NODE)
        return LTAP_OK;
    if (split->backbone[producer] && !split->known[value]) {
        split->crosses[value] = 1;
        return LTAP_OK;
    }
    const ltap_node *node = ltap_graph_node(split->graph, producer);
    if (split->visited[producer])
        return LTAP_OK;
    split->visited[producer] = 1;
    for (size_t i = 0; i < node->n_inputs; i++)
        LTAP_TRY(read_value(split, node->inputs[i]));
    return has_graphs(node) ? read_captured(split, node) : LTAP_OK;
}

static ltap_status cross(splitting *split)
{
    for (size_t i = 0; i < split->getter->n_layers; i++)
        LTAP_TRY(read_value(split, split->getter->taps[i]));
    while (split->open.count > 0)
        LTAP_TRY(visit(split, *LTAP_VECTOR_AT(&split->open, uint32_t, --split->open.count)));
    return LTAP_OK;
}

/* What crosses, as values of both files; the layer itself under its name, first. */
static ltap_status list_crossing(const splitting *split, const ltap_getter_layer *at,
                                 uint32_t at_value, ltap_arena *arena, ltap_save_part *part,
                                 ltap_error *error)
{
    size_t count = 0, n = split->graph->values.count;
    void *values, *saved;

    for (size_t i = 0; i < n; i++)
        count += split->crosses[i];
    if (count == 0 || !(split->crosses[at_value] || split->moved))
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "no output that is asked for depends on '%s': there is nothing to "
                              "split",
                              at->layer);
    LTAP_TRY(ltap_arena_take(arena, count, sizeof(uint32_t), &values, error));
    LTAP_TRY(ltap_arena_take(arena, count, sizeof(ltap_saved_value), &saved, error));
    part->outputs = saved;
    part->output_values = values;
    if (split->crosses[at_value]) {
        part->outputs[0] = (ltap_saved_value){at->name, at->value, at->layer, {0}};
        ((uint32_t *)values)[part->n_outputs++] = at_value;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = ltap_graph_at(split->graph, (uint32_t)i)->name;
        if (!split->crosses[i] || i == at_value)
            continue;
        part->outputs[part->n_outputs] = (ltap_saved_value){name, name, name, {0}};
        ((uint32_t *)values)[part->n_outputs++] = (uint32_t)i;
    }
    return LTAP_OK;
}

static ltap_status write_halves(const splitting *split, const ltap_save_part *crossing,
                                const ltap_split *asked, const ltap_prune_options *options,
                                ltap_pruned *pruned, ltap_error *error)
{
    ltap_getter *getter = split->getter;
    ltap_save_part parts[2] = {*crossing,
                               {.model = getter->model,
                                .starts = crossing->outputs,
                                .start_values = crossing->output_values,
                                .n_starts = crossing->n_outputs,
                                .output_values = getter->taps,
                                .n_outputs = getter->n_layers}};
    void *outputs;

    LTAP_TRY(ltap_arena_take(&getter->arena, getter->n_layers, sizeof(ltap_saved_value), &outputs,
                             error));
    parts[1].outputs = outputs;
    for (size_t i = 0; i < getter->n_layers; i++)
        parts[1].outputs[i] = (ltap_saved_value){
            getter->layers[i].name, getter->layers[i].value, getter->layers[i].layer, {0}};
    parts[0].path = asked->backbone;
    parts[1].path = asked->head;
    return ltap_save_write(parts, 2, options, pruned, error);
}

static ltap_status take_flags(splitting *split, ltap_arena *arena, ltap_error *error)
{
    size_t n_nodes = split->graph->nodes.count, n_values = split->graph->values.count;
    void *block;

    LTAP_TRY(ltap_arena_take(arena, 2 * (n_nodes + n_values), 1, &block, error));
    split->backbone = block;
    split->visited = split->backbone + n_nodes;
    split->known = split->visited + n_nodes;
    split->crosses = split->known + n_values;
    return LTAP_OK;
}

ltap_status ltap_split_write(const ltap_model *model, const ltap_split *asked,
                             const ltap_prune_options *options, ltap_pruned pruned[2],
                             ltap_error *error)
{
    const ltap_getter_options understood = {.calls = asked->calls};
    splitting split = {.graph = model->graph, .error = error};
    ltap_save_part crossing = {.model = model};
    ltap_getter_layer at = {0};
    uint32_t at_value;
    ltap_status status;

    LTAP_TRY(ltap_getter_make(model, asked->layers, asked->n_layers, &understood, false,
                              &split.getter, error));
    ltap_vector_init(&split.open, model->memory, sizeof(uint32_t));
    LTAP_GO(ltap_getter_resolve(split.getter, &asked->at, asked->calls, &at, &at_value, error));
    split.at = at_value;
    LTAP_GO(take_flags(&split, &split.getter->arena, error));
    LTAP_GO(ltap_prune(model->graph, &at_value, 1, split.backbone, error));
    mark(&split);
    LTAP_GO(cross(&split));
    LTAP_GO(list_crossing(&split, &at, at_value, &split.getter->arena, &crossing, error));
    LTAP_GO(write_halves(&split, &crossing, asked, options, pruned, error));
done:
    ltap_vector_clear(&split.open);
    ltap_getter_unref(split.getter);
    return status;
}
