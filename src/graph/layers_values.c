/* What each call runs, takes in and hands out, and the parameters of each module. */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

#define MAX_READERS 64 /* that are looked at: the cost stays linear */

/* Where the node stands when shape arithmetic is placed: beside the next operation on data. */
static uint32_t anchor(const ltap_tree *tree, uint32_t node, uint32_t next_place)
{
    uint32_t place = tree->flow->place[node];
    if (place != LTAP_NO_NODE)
        return place;
    return next_place < tree->flow->n_order ? next_place : (uint32_t)tree->flow->n_order - 1;
}

/* Arithmetic on shapes belongs to the innermost call around its neighbour that its own scope shares
 * with it. */
static uint32_t call_of_soft(const ltap_tree *tree, uint32_t node, uint32_t beside)
{
    const ltap_chain *mine = &tree->scopes->chains[node], *its = ltap_tree_chain(tree, beside);
    uint32_t shared = 0, call = tree->call_of[beside];
    while (shared < mine->n_steps && shared < its->n_steps &&
           mine->steps[shared].scope == its->steps[shared].scope)
        shared++;
    while (call != LTAP_NO_CALL && ltap_tree_at(tree, call)->depth >= shared)
        call = ltap_tree_at(tree, call)->parent;
    return call;
}

/* The innermost call of each node; also the number of nodes of each call. */
static void place_nodes(ltap_tree *tree, uint32_t *call_of_node, size_t *counts)
{
    const ltap_graph *graph = tree->layers->graph;
    uint32_t next = 0;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        uint32_t call = LTAP_NO_CALL;
        if (tree->flow->place[n] != LTAP_NO_NODE)
            next = tree->flow->place[n] + 1;
        if (tree->flow->n_order > 0) {
            uint32_t beside = anchor(tree, n, next);
            call = tree->flow->place[n] != LTAP_NO_NODE ? tree->call_of[beside]
                                                        : call_of_soft(tree, n, beside);
        }
        call_of_node[n] = call;
        for (; call != LTAP_NO_CALL; call = ltap_tree_at(tree, call)->parent)
            counts[call]++;
    }
}

typedef struct filling {
    ltap_tree *tree;
    ltap_module_call **calls; /* per tree call: where it goes */
    uint32_t *call_of_node;
    size_t *counts;
    uint32_t *stamps; /* per value: the last call that listed it */
} filling;

static ltap_status make_calls(filling *fill, ltap_error *error)
{
    ltap_tree *tree = fill->tree;
    ltap_layers *layers = tree->layers;
    void *block;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        ltap_module *module = ltap_layers_at(layers, m);
        LTAP_TRY(ltap_arena_take(&layers->arena, module->n_calls, sizeof(ltap_module_call), &block,
                                 error));
        module->calls = block;
        module->n_calls = 0;
    }
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        ltap_module *module = ltap_layers_at(layers, call->module);
        fill->calls[c] = &module->calls[module->n_calls++];
        fill->calls[c]->first = call->begin;
        fill->calls[c]->end = call->end;
        LTAP_TRY(ltap_arena_take(&layers->arena, fill->counts[c], sizeof(uint32_t), &block, error));
        fill->calls[c]->nodes = block;
    }
    return LTAP_OK;
}

static void fill_nodes(filling *fill)
{
    ltap_tree *tree = fill->tree;
    for (uint32_t n = 0; n < tree->layers->graph->nodes.count; n++) {
        uint32_t call = fill->call_of_node[n];
        if (call == LTAP_NO_CALL)
            continue;
        tree->layers->module_of_node[n] = ltap_tree_at(tree, call)->module;
        const ltap_module *module = ltap_layers_at(tree->layers, ltap_tree_at(tree, call)->module);
        tree->layers->call_of_node[n] = (uint32_t)(fill->calls[call] - module->calls);
        for (; call != LTAP_NO_CALL; call = ltap_tree_at(tree, call)->parent) {
            ltap_module_call *to = fill->calls[call];
            ((uint32_t *)(uintptr_t)to->nodes)[to->n_nodes++] = n;
        }
    }
}

/* How a value made inside is used outside by more than its shape, or handed out by the model. */
typedef enum leaving { STAYS, MAY_LEAVE, LEAVES } leaving;

/* Operations that hand on the very tensor that they were given, where it has their shape already.
 * The TorchScript exporter then writes what they made wherever that tensor is read later. */
static bool may_hand_on(const ltap_tree *tree, const ltap_value *value)
{
    return value->producer != LTAP_NO_NODE &&
           strcmp(tree->layers->exporter, "TorchScript exporter") == 0 &&
           strcmp(ltap_graph_node(tree->layers->graph, value->producer)->op_type, "Flatten") == 0;
}

/* Whether an operation outside runs in a module that reads the value inside as well: what is left
 * of a call of which the first operations were merged with equal ones. */
static bool runs_inside_too(const ltap_tree *tree, const ltap_tree_call *call, const ltap_value *v,
                            uint32_t outside)
{
    const uint32_t *module_of = tree->layers->module_of_node;
    for (size_t i = 0; i < v->n_consumers && i < MAX_READERS; i++) {
        uint32_t place = tree->flow->place[v->consumers[i]];
        if (place != LTAP_NO_NODE && place >= call->begin && place < call->end &&
            module_of[outside] != LTAP_NO_MODULE &&
            module_of[v->consumers[i]] == module_of[outside])
            return true;
    }
    return false;
}

static leaving leaves(const ltap_tree *tree, const ltap_tree_call *call, uint32_t value)
{
    const ltap_graph *graph = tree->layers->graph;
    const ltap_value *v = ltap_graph_at(graph, value);
    leaving most = v->is_output ? LEAVES : STAYS;
    for (size_t i = 0; i < v->n_consumers && most != LEAVES; i++) {
        uint32_t place = tree->flow->place[v->consumers[i]];
        if (place == LTAP_NO_NODE || (place >= call->begin && place < call->end))
            continue;
        ltap_use use = ltap_node_use(graph, ltap_graph_node(graph, v->consumers[i]), value);
        bool sure = use == LTAP_USE_WRITTEN && !may_hand_on(tree, v) &&
                    !runs_inside_too(tree, call, v, v->consumers[i]);
        if (use != LTAP_USE_WITHIN)
            most = sure ? LEAVES : MAY_LEAVE;
    }
    return most;
}

static bool made_inside(const ltap_tree *tree, const ltap_tree_call *call, uint32_t value)
{
    return ltap_tree_holds(call, ltap_tree_maker(tree, value));
}

/* Whether a module inside made the value without weights, of what is known outside alone: then an
 * equal operation outside may be what is read there, as TorchScript's exporter writes both once. */
static bool may_be_merged(const ltap_tree *tree, const ltap_tree_call *call, const ltap_node *node)
{
    const ltap_graph *graph = tree->layers->graph;
    uint32_t inner = tree->call_of[tree->flow->place[node->index]];
    if (strcmp(tree->layers->exporter, "TorchScript exporter") != 0 || inner == LTAP_NO_CALL ||
        ltap_tree_at(tree, inner)->depth <= call->depth)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == LTAP_NO_VALUE)
            continue;
        if (made_inside(tree, call, node->inputs[i]) ||
            ltap_flow_weight(graph, node, i) != LTAP_NO_VALUE)
            return false;
    }
    return true;
}

/* Values that are read outside, but maybe because they equal what was read there: n_doubtful of
 * all, and whether there is one among all but the last. */
static void doubt_outputs(ltap_module_call *to, size_t n_doubtful, bool merges, leaving last)
{
    static const char merged[] = "exporters write one value for equal ones, and it cannot be told "
                                 "whether all that is read outside was handed out";
    if (merges && to->n_outputs > 1)
        to->vague = merged;
    if (n_doubtful > 0 && to->n_outputs > 1) {
        to->vague = merged;
        to->doubt = last == MAY_LEAVE ? merged : NULL;
    }
}

static bool is_sequential(const ltap_tree *tree, uint32_t call)
{
    const char *name =
        call != LTAP_NO_CALL
            ? ltap_layers_at(tree->layers, ltap_tree_at(tree, call)->module)->class_name
            : NULL;
    return ltap_class_is_sequential(name);
}

/* Whether all that reads what a node made runs in the call that begins at a place, right inside the
 * same Sequential as another call: then the node is no end of that one, which hands out one value.
 */
static bool belongs_behind(const ltap_tree *tree, const ltap_tree_call *call, const ltap_node *node,
                           uint32_t place)
{
    if (!is_sequential(tree, call->parent) || place >= ltap_tree_at(tree, call->parent)->end)
        return false;
    uint32_t next = tree->call_of[place];
    while (next != LTAP_NO_CALL && ltap_tree_at(tree, next)->depth > call->depth)
        next = ltap_tree_at(tree, next)->parent;
    if (next == LTAP_NO_CALL || ltap_tree_at(tree, next)->parent != call->parent)
        return false;
    for (size_t i = 0; i < node->n_outputs; i++) {
        const ltap_value *v = node->outputs[i] != LTAP_NO_VALUE
                                  ? ltap_graph_at(tree->layers->graph, node->outputs[i])
                                  : NULL;
        if (v != NULL && v->is_output)
            return false;
        for (size_t c = 0; v != NULL && c < v->n_consumers; c++)
            if (!ltap_tree_holds(ltap_tree_at(tree, next), tree->flow->place[v->consumers[c]]))
                return false;
    }
    return true;
}

static bool reads_from(const ltap_tree *tree, const ltap_tree_call *call, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (made_inside(tree, call, node->inputs[i]))
            return true;
    }
    return false;
}

/* An operation right behind a call of which the exporter did not write where it ran may have been
 * the call's last. A module of torch.nn ends with its own. */
static ltap_status doubt_end(filling *fill, uint32_t c, ltap_error *error)
{
    const ltap_tree *tree = fill->tree;
    ltap_layers *layers = tree->layers;
    const ltap_tree_call *call = ltap_tree_at(tree, c);
    const char *class_name = ltap_layers_at(layers, call->module)->class_name;
    bool sure = ltap_class_is_leaf(class_name) || strcmp(layers->exporter, "dynamo exporter") != 0;
    for (uint32_t place = call->end; place < tree->flow->n_order && !sure; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        if (!layers->inferred[node->index])
            return LTAP_OK;
        if (!reads_from(tree, call, node) || belongs_behind(tree, call, node, place + 1))
            continue;
        return ltap_arena_format(&layers->arena, &fill->calls[c]->doubt, error,
                                 "the exporter did not write in which module %s '%s' ran, which "
                                 "reads its value and may be its end",
                                 node->op_type, node->name);
    }
    return LTAP_OK;
}

static ltap_status copy_list(ltap_tree *tree, const ltap_vector *list, const uint32_t **to,
                             size_t *count, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(&tree->layers->arena, list->count, sizeof(uint32_t), &block, error));
    if (list->count > 0)
        memcpy(block, list->data, list->count * sizeof(uint32_t));
    *to = block;
    *count = list->count;
    return LTAP_OK;
}

static bool is_transpose(const ltap_tree *tree, uint32_t place)
{
    const ltap_node *node = ltap_tree_node(tree, place);
    return strcmp(node->op_type, "Transpose") == 0;
}

/* Exchanges time and batch. */
static bool is_turn(const ltap_node *node)
{
    static const int64_t turn[] = {1, 0, 2};
    const ltap_attr *perm = ltap_node_attr(node, "perm");
    return strcmp(node->op_type, "Transpose") == 0 && perm && perm->kind == LTAP_ATTR_INTS &&
           perm->count == 3 && memcmp(perm->u.ints, turn, sizeof turn) == 0;
}

/* What recurrent modules put between two recurrent operations. */
static bool is_between(const ltap_node *node)
{
    return strcmp(node->op_type, "Reshape") == 0 || strcmp(node->op_type, "Squeeze") == 0 ||
           strcmp(node->op_type, "Transpose") == 0;
}

/* Whether what a recurrent operation reads was turned in a recurrent module, it or one before it,
 * and not turned back. */
static bool reads_turned(const ltap_tree *tree, const ltap_node *node)
{
    enum { MOST = 64 };
    uint32_t reader = tree->call_of[tree->flow->place[node->index]];
    for (int step = 0; step < MOST && node->n_inputs > 0; step++) {
        uint32_t made = ltap_tree_maker(tree, node->inputs[0]);
        if (made == LTAP_NO_NODE)
            return false;
        node = ltap_tree_node(tree, made);
        if (is_turn(node))
            return tree->call_of[made] == reader;
        if (ltap_node_is_recurrent(node))
            reader = tree->call_of[made];
        else if (!is_between(node))
            return false;
    }
    return false;
}

/* A recurrent module that gets the batch first turns what it is given, and turns what it hands out
 * back. Where another one follows, exporters drop both turns: then the value is not in the file. */
static ltap_status doubt_turns(filling *fill, uint32_t c, ltap_error *error)
{
    const ltap_tree *tree = fill->tree;
    const ltap_tree_call *call = ltap_tree_at(tree, c);
    ltap_module_call *to = fill->calls[c];
    uint32_t last = to->n_outputs > 0 ? to->outputs[to->n_outputs - 1] : LTAP_NO_VALUE;
    uint32_t place = ltap_tree_maker(tree, last);
    if (place == LTAP_NO_NODE || is_transpose(tree, place) || tree->layers->graph->is_built)
        return LTAP_OK; /* no exporter was there to drop anything */
    uint32_t begin = place, inner = tree->call_of[place];
    bool recurrent = false, turned = false;
    while (begin > call->begin && tree->call_of[begin - 1] == inner)
        begin--;
    for (uint32_t at = begin; at <= place; at++) {
        const ltap_node *node = ltap_tree_node(tree, at);
        if (!ltap_node_is_recurrent(node))
            continue;
        recurrent |= node->outputs[0] != LTAP_NO_VALUE &&
                     ltap_graph_at(tree->layers->graph, node->outputs[0])->n_consumers > 0;
        turned |= reads_turned(tree, node);
    }
    if (!recurrent || !(turned || is_transpose(tree, begin)))
        return LTAP_OK;
    return ltap_arena_format(
        &tree->layers->arena, &to->doubt, error,
        "the exporter dropped the Transpose that it ends with, and '%s' is the "
        "value before it",
        ltap_graph_at(tree->layers->graph, last)->name);
}

static ltap_status fill_outputs(filling *fill, uint32_t c, ltap_vector *list, ltap_error *error)
{
    ltap_tree *tree = fill->tree;
    const ltap_tree_call *call = ltap_tree_at(tree, c);
    uint32_t last = LTAP_NO_VALUE;
    leaving how, last_way = STAYS;
    size_t n_doubtful = 0;
    bool merges = false, may_merge = false;
    list->count = 0;
    for (uint32_t place = call->begin; place < call->end; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        for (size_t i = 0; i < node->n_outputs; i++) {
            if (node->outputs[i] == LTAP_NO_VALUE)
                continue;
            last = node->outputs[i];
            how = leaves(tree, call, last);
            if (tree->call_of[place] == c && ltap_graph_at(tree->layers->graph, last)->is_end)
                how = LEAVES;
            if (how == STAYS)
                continue;
            last_way = how;
            n_doubtful += how == MAY_LEAVE;
            merges |= may_merge;
            may_merge = may_be_merged(tree, call, node);
            LTAP_TRY(ltap_vector_push(list, &last, error));
        }
    }
    if (list->count == 0 && last != LTAP_NO_VALUE) /* nobody uses what it computes */
        LTAP_TRY(ltap_vector_push(list, &last, error));
    LTAP_TRY(copy_list(tree, list, &fill->calls[c]->outputs, &fill->calls[c]->n_outputs, error));
    doubt_outputs(fill->calls[c], n_doubtful, merges, last_way);
    LTAP_TRY(doubt_turns(fill, c, error));
    return doubt_end(fill, c, error);
}

static ltap_status fill_inputs(filling *fill, uint32_t c, ltap_vector *list, ltap_error *error)
{
    ltap_tree *tree = fill->tree;
    const ltap_tree_call *call = ltap_tree_at(tree, c);
    list->count = 0;
    for (uint32_t place = call->begin; place < call->end; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        for (size_t i = 0; i < node->n_inputs; i++) {
            uint32_t value = node->inputs[i];
            if (value == LTAP_NO_VALUE || !tree->layers->data[value] ||
                fill->stamps[value] == c + 1 || made_inside(tree, call, value))
                continue;
            fill->stamps[value] = c + 1;
            LTAP_TRY(ltap_vector_push(list, &value, error));
        }
    }
    return copy_list(tree, list, &fill->calls[c]->inputs, &fill->calls[c]->n_inputs, error);
}

static ltap_status take_scratch(filling *fill, ltap_error *error)
{
    ltap_arena *arena = fill->tree->scopes->arena;
    const ltap_graph *graph = fill->tree->layers->graph;
    size_t n_calls = fill->tree->calls.count + 1;
    void *block;
    LTAP_TRY(ltap_arena_take(arena, n_calls, sizeof(ltap_module_call *), &block, error));
    fill->calls = block;
    LTAP_TRY(ltap_arena_take(arena, n_calls, sizeof(size_t), &block, error));
    fill->counts = block;
    LTAP_TRY(ltap_arena_take(arena, graph->nodes.count + 1, sizeof(uint32_t), &block, error));
    fill->call_of_node = block;
    LTAP_TRY(ltap_arena_take(arena, graph->values.count + 1, sizeof(uint32_t), &block, error));
    fill->stamps = block;
    return LTAP_OK;
}

/* A fused convolution's call runs the node of the BatchNorm that carries it. */
static ltap_status fill_fused(filling *fill, ltap_error *error)
{
    ltap_tree *tree = fill->tree;
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        ltap_module_call *to = fill->calls[c];
        void *block;
        if (ltap_layers_at(tree->layers, call->module)->folded_by == NULL || to->n_nodes > 0)
            continue;
        LTAP_TRY(ltap_arena_take(&tree->layers->arena, 1, sizeof(uint32_t), &block, error));
        *(uint32_t *)block = tree->flow->order[call->begin];
        to->nodes = block;
        to->n_nodes = 1;
    }
    return LTAP_OK;
}

ltap_status ltap_tree_fill(ltap_tree *tree, ltap_error *error)
{
    filling fill = {.tree = tree};
    ltap_status status = LTAP_OK;
    ltap_vector list;
    ltap_vector_init(&list, tree->scopes->memory, sizeof(uint32_t));
    LTAP_GO(take_scratch(&fill, error));
    place_nodes(tree, fill.call_of_node, fill.counts);
    LTAP_GO(make_calls(&fill, error));
    fill_nodes(&fill);
    LTAP_GO(fill_fused(&fill, error));
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        LTAP_GO(fill_outputs(&fill, c, &list, error));
        LTAP_GO(fill_inputs(&fill, c, &list, error));
    }
    LTAP_GO(ltap_tree_turned(tree, fill.calls, error));
done:
    ltap_vector_clear(&list);
    return status;
}

/* One use of a weight; uses of the same weight are chained. */
typedef struct weight_use {
    uint32_t node, next;
} weight_use;

static ltap_status collect_uses(const ltap_graph *graph, uint32_t *heads, ltap_vector *uses,
                                ltap_error *error)
{
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        for (size_t i = 0; i < node->n_inputs; i++) {
            uint32_t weight = ltap_flow_weight(graph, node, i);
            if (weight == LTAP_NO_VALUE)
                continue;
            weight_use use = {n, heads[weight]};
            heads[weight] = (uint32_t)uses->count + 1;
            LTAP_TRY(ltap_vector_push(uses, &use, error));
        }
    }
    return LTAP_OK;
}

static uint64_t count_of(const ltap_layers *layers, uint32_t weight)
{
    uint64_t count = 1;
    const ltap_tensor *tensor = ltap_graph_at(layers->graph, weight)->constant;
    for (int i = 0; i < tensor->rank; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
}

uint64_t ltap_layers_node_parameters(const ltap_layers *layers, const ltap_node *node)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t weight = ltap_flow_weight(layers->graph, node, i);
        bool again = false;
        for (size_t j = 0; j < i && weight != LTAP_NO_VALUE && i < 64; j++)
            again |= ltap_flow_weight(layers->graph, node, j) == weight;
        if (weight != LTAP_NO_VALUE && !again)
            sum += count_of(layers, weight);
    }
    return sum;
}

/* Adds a weight to the modules around its uses, to each once: marks hold the last weight added. */
static void add_weight(ltap_layers *layers, const ltap_vector *uses, uint32_t head, uint32_t weight,
                       uint32_t *marks)
{
    uint64_t count = count_of(layers, weight);
    for (uint32_t u = head; u != 0; u = LTAP_VECTOR_AT(uses, weight_use, u - 1)->next) {
        uint32_t module = layers->module_of_node[LTAP_VECTOR_AT(uses, weight_use, u - 1)->node];
        while (module != LTAP_NO_MODULE && marks[module] != weight + 1) {
            marks[module] = weight + 1;
            ltap_layers_at(layers, module)->n_parameters += count;
            module = ltap_layers_at(layers, module)->parent;
        }
    }
}

ltap_status ltap_tree_parameters(ltap_tree *tree, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    const ltap_graph *graph = layers->graph;
    ltap_status status = LTAP_OK;
    ltap_vector uses;
    uint32_t *heads, *marks;
    void *block;
    ltap_vector_init(&uses, tree->scopes->memory, sizeof(weight_use));
    LTAP_GO(ltap_arena_take(tree->scopes->arena, graph->values.count + 1, sizeof(uint32_t), &block,
                            error));
    heads = block;
    LTAP_GO(ltap_arena_take(tree->scopes->arena, layers->modules.count + 1, sizeof(uint32_t),
                            &block, error));
    marks = block;
    LTAP_GO(collect_uses(graph, heads, &uses, error));
    for (uint32_t v = 0; v < graph->values.count; v++)
        if (heads[v] != 0)
            add_weight(layers, &uses, heads[v], v, marks);
done:
    ltap_vector_clear(&uses);
    return status;
}
