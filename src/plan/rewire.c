/* Rewiring for hooks that may replace; see rewire.h.
 *
 * After a layer, its value goes into a node and all readers outside the layer, and the request, get
 * what comes out; before a layer, only readers inside it do, as in PyTorch. Points after layers are
 * put in first, the inner ones ahead, then points before layers, the outer ones ahead: so nested
 * layers see each other's replacements as nested calls do. A convolution and the BatchNormalization
 * after it are computed as two wherever one of them would not see the replacement.
 */
#include "plan/rewire.h"

#include "base/error.h"
#include "graph/copy.h"
#include "passes/pass.h"

#include <string.h>

static ltap_status hook_shape(const ltap_call *call, ltap_error *error)
{
    (void)error;
    for (size_t i = 0; i < call->n_outputs; i++)
        call->outputs[i] = ltap_tensor_make(call->inputs[i].dtype, call->inputs[i].rank,
                                            call->inputs[i].dims, NULL);
    return LTAP_OK;
}

/* What it hands on is known only when it runs: never folded, even where the value is a constant. */
static const ltap_op op_hook = {
    .name = "Hook",
    .domain = "layertap",
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .flags = LTAP_OP_RANDOM,
    .shape = hook_shape,
};

static const char point_name[] = "point";

bool ltap_rewire_is(const ltap_node *node, size_t *point)
{
    if (node->op != &op_hook)
        return false;
    *point = (size_t)ltap_node_int(node, point_name, 0);
    return true;
}

/* The graph that the getter's was rewritten from. */
static const ltap_graph *between(const ltap_getter *getter)
{
    return getter->cut ? getter->cut : getter->model->graph;
}

ltap_status ltap_rewire_map(const ltap_getter *getter, const ltap_graph *graph, uint32_t **map,
                            ltap_error *error)
{
    const ltap_graph *from = between(getter);
    size_t n = getter->model->graph->nodes.count;
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, n, sizeof(uint32_t), "a table of nodes",
                                     &block, error));
    *map = block;
    for (size_t i = 0; i < n; i++)
        (*map)[i] = LTAP_NO_NODE;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        uint32_t origin = ltap_graph_node(graph, i)->origin;
        if (graph != getter->graph && origin < getter->graph->nodes.count)
            origin = ltap_graph_node(getter->graph, origin)->origin;
        if (origin >= from->nodes.count)
            continue; /* made by a rewrite */
        (*map)[getter->cut ? ltap_graph_node(from, origin)->origin : origin] = i;
    }
    return LTAP_OK;
}

typedef struct rewiring {
    const ltap_getter *getter;
    ltap_watch *watch;
    const uint32_t *map; /* model's nodes to the getter's */
    ltap_graph *graph;   /* the copy */
    ltap_node *nodes;    /* one a node of the getter's graph: as it will be */
    uint8_t *inside;     /* a flag a node of it: in the layer at hand */
    uint32_t *roots;     /* one a value of the copy: the model's value that it stands for */
    ltap_node *hooks;    /* one a look, n_inputs 0: no node */
    uint32_t *seconds;   /* one a value of the copy: the same with channels second, or none */
    uint32_t *lasts;     /* the other way round */
    ltap_vector moves;   /* move: after hooks */
} rewiring;

/* What a hook hands on, with channels second for those who read it so. */
typedef struct move {
    ltap_node node;
    const ltap_node *after;
} move;

static ltap_status take_nodes(rewiring *r, ltap_error *error)
{
    const ltap_graph *base = r->getter->graph;
    void *block;

    LTAP_TRY(
        ltap_arena_take(&r->graph->arena, base->nodes.count, sizeof(ltap_node), &block, error));
    r->nodes = block;
    LTAP_TRY(ltap_arena_take(&r->graph->arena, base->nodes.count, 1, &block, error));
    r->inside = block;
    for (uint32_t i = 0; i < base->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(base, i);
        r->nodes[i] = *node;
        LTAP_TRY(
            ltap_arena_take(&r->graph->arena, node->n_inputs, sizeof(uint32_t), &block, error));
        r->nodes[i].inputs = block;
        if (node->n_inputs)
            memcpy(block, node->inputs, node->n_inputs * sizeof(uint32_t));
    }
    return LTAP_OK;
}

static uint32_t base_of(const rewiring *r, uint32_t index)
{
    const ltap_graph *cut = r->getter->cut;

    return r->map[cut ? ltap_graph_node(cut, index)->origin : index];
}

/* Undoes the folding of a BatchNormalization (of the graph in between) into `conv`. */
static ltap_status unfold(rewiring *r, const ltap_node *norm, ltap_error *error)
{
    ltap_node *node = &r->nodes[base_of(r, norm->index)];
    void *block;

    if (strcmp(node->op_type, norm->op_type) == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(&r->graph->arena, norm->n_inputs, sizeof(uint32_t), &block, error));
    memcpy(block, norm->inputs, norm->n_inputs * sizeof(uint32_t));
    node->op = norm->op;
    node->op_type = norm->op_type;
    node->attrs = norm->attrs;
    node->n_attrs = norm->n_attrs;
    node->inputs = block;
    node->n_inputs = norm->n_inputs;
    node->n_outputs = norm->n_outputs;
    return LTAP_OK;
}

/* Whether a BatchNormalization and the convolution that it is folded into would not both see what a
 * point makes of a value: it stands between them, or before the convolution, and the layer at hand
 * ends between them. */
static bool is_torn(const rewiring *r, const ltap_look *look, uint32_t value, const ltap_node *norm,
                    const ltap_node *conv)
{
    const ltap_graph *graph = between(r->getter);
    bool norm_inside = r->inside[base_of(r, norm->index)];
    bool conv_inside = r->inside[base_of(r, conv->index)];
    bool is_between = ltap_is_moved(graph, norm->inputs[0], value);

    if (!look->before)
        return is_between && !norm_inside;
    return (is_between && norm_inside) ||
           (ltap_is_moved(graph, conv->inputs[0], value) && conv_inside && !norm_inside);
}

/* Whoever must see what a point makes of a value reads it, and not what is before it. */
static ltap_status unfold_around(rewiring *r, const ltap_look *look, uint32_t value,
                                 ltap_error *error)
{
    const ltap_graph *graph = between(r->getter);

    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *norm = ltap_graph_node(graph, i);
        const ltap_node *conv = ltap_fold_batchnorm_into(graph, norm);
        if (conv && is_torn(r, look, value, norm, conv))
            LTAP_TRY(unfold(r, norm, error));
    }
    return LTAP_OK;
}

/* Under which name the layer at hand reads a value (before it), or others do (after it). */
static uint32_t name_now(const rewiring *r, const ltap_look *look, uint32_t value)
{
    uint32_t last = value;

    for (size_t i = 0; look->before && i < r->getter->graph->nodes.count; i++)
        for (size_t k = 0; r->inside[i] && k < r->nodes[i].n_inputs; k++) {
            uint32_t name = r->nodes[i].inputs[k];
            if (name == LTAP_NO_VALUE)
                continue;
            name = r->lasts[name] != LTAP_NO_VALUE ? r->lasts[name] : name;
            if (r->roots[name] == value)
                return name;
        }
    for (uint32_t i = value + 1; !look->before && i < r->graph->values.count; i++)
        last = r->roots[i] == value ? i : last;
    return last;
}

/* All but the node that makes `made`. */
static void rename_inputs(rewiring *r, const ltap_look *look, uint32_t from, uint32_t to,
                          uint32_t made)
{
    for (size_t i = 0; i < r->getter->graph->nodes.count; i++) {
        const ltap_node *node = &r->nodes[i];
        if ((r->inside[i] != 0) != look->before || (node->n_outputs && node->outputs[0] == made))
            continue;
        for (size_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] == from)
                node->inputs[k] = to;
    }
}

static void rename_readers(rewiring *r, const ltap_look *look, uint32_t from, uint32_t to)
{
    rename_inputs(r, look, from, to, LTAP_NO_VALUE);
    for (size_t i = 0; !look->before && i < r->getter->n_layers; i++)
        if (r->watch->taps[i] == from)
            r->watch->taps[i] = to;
}

/* The permutation that undoes one. */
static ltap_status invert(rewiring *r, const ltap_attr *perm, const ltap_attr **inverse,
                          ltap_error *error)
{
    void *attr, *ints;

    LTAP_TRY(ltap_arena_take(&r->graph->arena, 1, sizeof(ltap_attr), &attr, error));
    LTAP_TRY(ltap_arena_take(&r->graph->arena, perm->count, sizeof(int64_t), &ints, error));
    for (size_t i = 0; i < perm->count; i++)
        ((int64_t *)ints)[perm->u.ints[i]] = (int64_t)i;
    *(ltap_attr *)attr =
        (ltap_attr){.name = "perm", .kind = LTAP_ATTR_INTS, .count = perm->count, .u.ints = ints};
    *inverse = attr;
    return LTAP_OK;
}

/* Readers of a value with channels second read what the hook hands on, moved. */
static ltap_status follow_second(rewiring *r, const ltap_look *look, const ltap_node *hook,
                                 size_t index, ltap_error *error)
{
    uint32_t from = hook->inputs[index], to = hook->outputs[index], value = look->values[index];
    const ltap_graph *base = r->getter->graph;
    void *output;

    if (r->seconds[from] == LTAP_NO_VALUE)
        return LTAP_OK;
    const ltap_node *last = ltap_graph_node(base, ltap_graph_at(base, value)->producer);
    move m = {.node = {.op = last->op,
                       .op_type = last->op_type,
                       .domain = "",
                       .n_attrs = 1,
                       .inputs = &hook->outputs[index],
                       .n_inputs = 1,
                       .n_outputs = 1,
                       .translated = true},
              .after = hook};
    LTAP_TRY(invert(r, ltap_node_attr(last, "perm"), &m.node.attrs, error));
    LTAP_TRY(ltap_arena_take(&r->graph->arena, 1, sizeof(uint32_t), &output, error));
    m.node.outputs = output;
    LTAP_TRY(ltap_graph_value_new(r->graph, "hooked", output, error));
    uint32_t second = m.node.outputs[0];
    r->seconds[to] = second;
    r->lasts[second] = to;
    r->roots[second] = second;
    rename_inputs(r, look, r->seconds[from], second, from);
    return ltap_vector_push(&r->moves, &m, error);
}

static ltap_status make_hook(rewiring *r, const ltap_look *look, ltap_node *hook, ltap_error *error)
{
    void *numbers, *attr;

    LTAP_TRY(
        ltap_arena_take(&r->graph->arena, 2 * look->n_values, sizeof(uint32_t), &numbers, error));
    LTAP_TRY(ltap_arena_take(&r->graph->arena, 1, sizeof(ltap_attr), &attr, error));
    *(ltap_attr *)attr = (ltap_attr){
        .name = point_name, .kind = LTAP_ATTR_INT, .count = 1, .u.i = (int64_t)look->point};
    *hook = (ltap_node){.op = &op_hook,
                        .op_type = op_hook.name,
                        .domain = op_hook.domain,
                        .attrs = attr,
                        .n_attrs = 1,
                        .inputs = numbers,
                        .n_inputs = look->n_values,
                        .outputs = (uint32_t *)numbers + look->n_values,
                        .n_outputs = look->n_values,
                        .translated = true};
    return LTAP_OK;
}

static void mark_inside(rewiring *r, const ltap_look *look, uint8_t flag)
{
    const ltap_point *point = &r->watch->points[look->point];

    for (size_t i = 0; i < point->n_nodes; i++)
        if (r->map[point->nodes[i]] != LTAP_NO_NODE)
            r->inside[r->map[point->nodes[i]]] = flag;
}

/* Puts one point in; its layer is marked. */
static ltap_status weave(rewiring *r, const ltap_look *look, ltap_node *hook, ltap_error *error)
{
    LTAP_TRY(make_hook(r, look, hook, error));
    for (size_t i = 0; i < look->n_values; i++) {
        uint32_t value = look->values[i];
        LTAP_TRY(unfold_around(r, look, value, error));
        hook->inputs[i] = name_now(r, look, value);
        LTAP_TRY(ltap_graph_value_new(r->graph, "hooked", &hook->outputs[i], error));
        r->roots[hook->outputs[i]] = value;
        rename_readers(r, look, hook->inputs[i], hook->outputs[i]);
        LTAP_TRY(follow_second(r, look, hook, i, error));
    }
    return LTAP_OK;
}

/* Whether a point after a layer has to see another's replacement, or be seen by it. */
static bool shares(const ltap_watch *watch, const ltap_point *point)
{
    for (size_t i = 0; !point->before && i < watch->n_points; i++) {
        const ltap_point *other = &watch->points[i];
        if (other->replaces && !other->before && other->values[0] == point->values[0])
            return true;
    }
    return false;
}

static ltap_status weave_side(rewiring *r, const ltap_look *looks, bool before, ltap_error *error)
{
    for (size_t i = 0; i < r->watch->n_points; i++) {
        const ltap_point *point = &r->watch->points[looks[i].point];
        if (looks[i].before != before || !(point->replaces || shares(r->watch, point)))
            continue;
        mark_inside(r, &looks[i], 1);
        ltap_status status = weave(r, &looks[i], &r->hooks[i], error);
        mark_inside(r, &looks[i], 0);
        LTAP_TRY(status);
    }
    return LTAP_OK;
}

/* What the points that stay outside look at, as it is called now; values of `watch` are its own. */
static void rename_looks(rewiring *r, const ltap_look *looks)
{
    for (size_t i = 0; i < r->watch->n_points; i++) {
        ltap_point *point = &r->watch->points[looks[i].point];
        point->woven = r->hooks[i].n_inputs > 0;
        if (point->woven || !point->before)
            continue;
        mark_inside(r, &looks[i], 1);
        for (size_t k = 0; k < point->n_values; k++)
            ((uint32_t *)point->seen)[k] = name_now(r, &looks[i], point->values[k]);
        mark_inside(r, &looks[i], 0);
    }
}

static ltap_status add_node(rewiring *r, const ltap_node *node, uint32_t origin, ltap_error *error)
{
    ltap_node *added;

    LTAP_TRY(ltap_graph_node_add(r->graph, node, &added, error));
    added->origin = origin;
    return LTAP_OK;
}

static ltap_status add_hook(rewiring *r, const ltap_node *hook, ltap_error *error)
{
    if (!hook->n_inputs)
        return LTAP_OK;
    LTAP_TRY(add_node(r, hook, LTAP_NO_NODE, error));
    for (size_t i = 0; i < r->moves.count; i++)
        if (LTAP_VECTOR_AT(&r->moves, move, i)->after == hook)
            LTAP_TRY(add_node(r, &LTAP_VECTOR_AT(&r->moves, move, i)->node, LTAP_NO_NODE, error));
    return LTAP_OK;
}

/* All nodes in the order of execution, so that linking keeps it. */
static ltap_status add_nodes(rewiring *r, const ltap_look *looks, ltap_error *error)
{
    size_t next = 0, n_looks = r->watch->n_points;

    for (; next < n_looks && looks[next].node == LTAP_NO_NODE; next++)
        LTAP_TRY(add_hook(r, &r->hooks[next], error));
    for (uint32_t i = 0; i < r->getter->graph->nodes.count; i++) {
        for (; next < n_looks && looks[next].node == i && looks[next].before; next++)
            LTAP_TRY(add_hook(r, &r->hooks[next], error));
        LTAP_TRY(add_node(r, &r->nodes[i], i, error));
        for (; next < n_looks && looks[next].node == i; next++)
            LTAP_TRY(add_hook(r, &r->hooks[next], error));
    }
    return LTAP_OK;
}

static ltap_status take_tables(rewiring *r, ltap_error *error)
{
    size_t n = r->getter->graph->values.count, added = 0;
    void *block;

    for (size_t i = 0; i < r->watch->n_points; i++)
        added += 2 * r->watch->points[i].n_values;
    LTAP_TRY(ltap_arena_take(&r->graph->arena, 3 * (n + added), sizeof(uint32_t), &block, error));
    r->roots = block;
    r->seconds = r->roots + n + added;
    r->lasts = r->seconds + n + added;
    for (uint32_t i = 0; i < n + added; i++)
        r->seconds[i] = r->lasts[i] = LTAP_NO_VALUE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t second = ltap_graph_at(r->getter->graph, i)->second;
        r->roots[i] = i;
        r->seconds[i] = second;
        if (second != LTAP_NO_VALUE)
            r->lasts[second] = i;
    }
    LTAP_TRY(
        ltap_arena_take(&r->graph->arena, r->watch->n_points, sizeof(ltap_node), &block, error));
    r->hooks = block;
    return take_nodes(r, error);
}

ltap_status ltap_rewire(const ltap_getter *getter, ltap_watch *watch, const ltap_look *looks,
                        const uint32_t *map, ltap_error *error)
{
    rewiring r = {.getter = getter, .watch = watch, .map = map};
    ltap_status status;
    void *none = NULL;

    LTAP_GO(ltap_memory_take_zeroed(getter->memory, getter->graph->nodes.count, 1,
                                    "a table of nodes", &none, error));
    LTAP_GO(ltap_graph_copy(getter->graph, none, &watch->own, error));
    r.graph = watch->own;
    ltap_vector_init(&r.moves, getter->memory, sizeof(move));
    LTAP_GO(take_tables(&r, error));
    LTAP_GO(weave_side(&r, looks, false, error));
    LTAP_GO(weave_side(&r, looks, true, error));
    rename_looks(&r, looks);
    LTAP_GO(add_nodes(&r, looks, error));
    LTAP_GO(ltap_graph_link(r.graph, error));
done:
    if (r.graph)
        ltap_vector_clear(&r.moves);
    ltap_memory_release(getter->memory, none);
    return status;
}
