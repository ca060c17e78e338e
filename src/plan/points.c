/* Selectors of hooks to points; see points.h. */
#include "plan/points.h"

#include "base/error.h"

#include <string.h>

/* Whether the request needs a value: it is given, or made by a node that is kept. */
static bool is_needed(const ltap_getter *getter, uint32_t value)
{
    for (size_t i = 0; i < getter->n_inputs; i++)
        if (getter->input_values[i] == value)
            return true;
    uint32_t producer = ltap_graph_at(getter->model->graph, value)->producer;
    return producer != LTAP_NO_NODE && getter->keep_original[producer];
}

/* What is inside a layer: a call's nodes, or the node itself. */
static ltap_status take_inside(const ltap_getter *getter, const ltap_selection *selection,
                               ltap_arena *arena, ltap_point *point, ltap_error *error)
{
    void *block;

    if (selection->module != LTAP_NO_MODULE) {
        const ltap_module_call *call =
            &ltap_layers_at(getter->model->layers, selection->module)->calls[selection->call];
        point->nodes = call->nodes;
        point->n_nodes = call->n_nodes;
        point->call = selection->call;
    } else if (selection->node != LTAP_NO_NODE) {
        LTAP_TRY(ltap_arena_take(arena, 1, sizeof(uint32_t), &block, error));
        *(uint32_t *)block = selection->node;
        point->nodes = block;
        point->n_nodes = 1;
    }
    return LTAP_OK;
}

/* What a layer reads, as far as the request needs it: of a module what is made outside; neither
 * weights nor arithmetic on shapes. */
static ltap_status take_inputs(const ltap_getter *getter, const ltap_selection *selection,
                               ltap_arena *arena, ltap_point *point, ltap_error *error)
{
    const ltap_model *model = getter->model;
    const uint32_t *from;
    size_t count;
    void *block;

    if (selection->module != LTAP_NO_MODULE) {
        const ltap_module_call *call =
            &ltap_layers_at(model->layers, selection->module)->calls[selection->call];
        from = call->inputs;
        count = call->n_inputs;
    } else {
        from = ltap_graph_node(model->graph, selection->node)->inputs;
        count = ltap_graph_node(model->graph, selection->node)->n_inputs;
    }
    LTAP_TRY(ltap_arena_take(arena, count, sizeof(uint32_t), &block, error));
    uint32_t *values = block;
    for (size_t i = 0; i < count; i++)
        if (from[i] != LTAP_NO_VALUE && model->layers->data[from[i]] && is_needed(getter, from[i]))
            values[point->n_values++] = from[i];
    point->values = values;
    return LTAP_OK;
}

/* "layer1:in", for a selector with or without an end that says what comes out. */
static ltap_status write_before(const char *selector, ltap_arena *arena, const char **text,
                                ltap_error *error)
{
    static const char folded[] = ":folded";
    size_t bytes = strlen(selector), n = sizeof(folded) - 1;

    if (bytes > n && strcmp(selector + bytes - n, folded) == 0)
        bytes -= n;
    return ltap_arena_format(arena, text, error, "%.*s:in", (int)bytes, selector);
}

static ltap_status take_before(const ltap_getter *getter, const char *selector, ltap_arena *arena,
                               ltap_point *point, ltap_error *error)
{
    const ltap_model *model = getter->model;
    ltap_selection selection;
    const char *text;

    LTAP_TRY(write_before(selector, arena, &text, error));
    LTAP_TRY(ltap_select(model->layers, model->info.name, text, LTAP_CALLS_REFUSE, arena,
                         &selection, error));
    if (selection.module == LTAP_NO_MODULE && selection.node == LTAP_NO_NODE)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "'%s' is a %s, which reads nothing; hook it after, not before",
                              selector, selection.kind);
    LTAP_TRY(ltap_arena_text(arena, selection.layer, strlen(selection.layer) - strlen(":in"),
                             &point->layer, error));
    point->kind = selection.kind;
    LTAP_TRY(take_inside(getter, &selection, arena, point, error));
    return take_inputs(getter, &selection, arena, point, error);
}

static ltap_status take_after(const ltap_getter *getter, const char *selector, ltap_arena *arena,
                              ltap_point *point, ltap_error *error)
{
    const ltap_model *model = getter->model;
    ltap_selection selection;
    void *block;

    LTAP_TRY(ltap_select(model->layers, model->info.name, selector, LTAP_CALLS_REFUSE, arena,
                         &selection, error));
    LTAP_TRY(ltap_arena_take(arena, 1, sizeof(uint32_t), &block, error));
    *(uint32_t *)block = selection.value;
    point->layer = selection.layer;
    point->kind = selection.kind;
    point->values = block;
    point->n_values = is_needed(getter, selection.value) ? 1 : 0;
    return take_inside(getter, &selection, arena, point, error);
}

/* A layer of which only a part is computed has inputs all the same. */
static bool is_computed(const ltap_getter *getter, const ltap_point *point)
{
    if (!point->n_values || !point->before)
        return point->n_values > 0;
    for (size_t i = 0; i < point->n_nodes; i++)
        if (getter->keep_original[point->nodes[i]])
            return true;
    return false;
}

static ltap_status add_point(const ltap_getter *getter, const char *selector, bool before,
                             ltap_arena *arena, ltap_vector *points, ltap_error *error)
{
    ltap_point point = {.before = before};

    LTAP_TRY(before ? take_before(getter, selector, arena, &point, error)
                    : take_after(getter, selector, arena, &point, error));
    return is_computed(getter, &point) ? ltap_vector_push(points, &point, error) : LTAP_OK;
}

/* The names that a selector stands for; a module that is called several times has its calls'. */
static ltap_status find_names(const ltap_getter *getter, const char *selector, ltap_arena *arena,
                              ltap_vector *names, ltap_error *error)
{
    const ltap_model *model = getter->model;
    const ltap_pattern_search search = {model->layers, &model->listed, model->info.name,
                                        LTAP_CALLS_REFUSE};
    uint32_t module;
    bool several;

    if (!ltap_layers_find(model->layers, selector, &module) ||
        ltap_layers_at(model->layers, module)->n_calls < 2)
        return ltap_select_several(&search, selector, arena, names, &several, error);
    for (size_t i = 0; i < ltap_layers_at(model->layers, module)->n_calls; i++) {
        const char *name;
        LTAP_TRY(ltap_arena_format(arena, &name, error, "%s#%zu", selector, i));
        LTAP_TRY(ltap_vector_push(names, &name, error));
    }
    return LTAP_OK;
}

static ltap_status refuse(const ltap_getter *getter, const char *selector, ltap_error *error)
{
    const ltap_getter_layer *last = &getter->layers[getter->n_layers - 1];

    return ltap_error_set(
        error, LTAP_ERROR_UNKNOWN_LAYER,
        "'%s' is not computed for what is asked for ('%s'%s); ask for it as well, "
        "or take a layer before that",
        selector, last->layer, getter->n_layers > 1 ? " and others" : "");
}

ltap_status ltap_points_find(const ltap_getter *getter, const char *selector, bool before,
                             ltap_arena *arena, ltap_vector *points, ltap_error *error)
{
    ltap_status status;
    ltap_vector names;
    size_t had = points->count;

    ltap_vector_init(&names, getter->memory, sizeof(const char *));
    LTAP_GO(find_names(getter, selector, arena, &names, error));
    for (size_t i = 0; i < names.count; i++)
        LTAP_GO(add_point(getter, *LTAP_VECTOR_AT(&names, const char *, i), before, arena, points,
                          error));
    if (points->count == had)
        status = refuse(getter, selector, error);
done:
    ltap_vector_clear(&names);
    return status;
}

ltap_status ltap_points_unknown(const ltap_getter *getter, const char *selector, ltap_arena *arena,
                                bool *unknown, ltap_error *error)
{
    ltap_selection selection;
    ltap_vector names;

    ltap_vector_init(&names, getter->memory, sizeof(const char *));
    ltap_status status = find_names(getter, selector, arena, &names, NULL);
    if (status == LTAP_OK && names.count == 1)
        status = ltap_select(getter->model->layers, getter->model->info.name,
                             *LTAP_VECTOR_AT(&names, const char *, 0), LTAP_CALLS_REFUSE, arena,
                             &selection, NULL);
    ltap_vector_clear(&names);
    *unknown = status == LTAP_ERROR_UNKNOWN_LAYER;
    return status == LTAP_ERROR_MEMORY ? ltap_error_set(error, status, "no memory for a hook")
                                       : LTAP_OK;
}

bool ltap_point_meets(const ltap_point *a, const ltap_point *b)
{
    return a->before == b->before && strcmp(a->layer, b->layer) == 0 &&
           strcmp(a->kind, b->kind) == 0;
}

bool ltap_point_same(const ltap_point *a, const ltap_point *b)
{
    return a->replaces == b->replaces && ltap_point_meets(a, b);
}

ltap_status ltap_point_copy(const ltap_point *point, ltap_arena *arena, ltap_point *copy,
                            ltap_error *error)
{
    void *values, *seen, *nodes;

    *copy = *point;
    LTAP_TRY(ltap_arena_text(arena, point->layer, strlen(point->layer), &copy->layer, error));
    LTAP_TRY(ltap_arena_take(arena, point->n_values, sizeof(uint32_t), &values, error));
    LTAP_TRY(ltap_arena_take(arena, point->n_values, sizeof(uint32_t), &seen, error));
    LTAP_TRY(ltap_arena_take(arena, point->n_nodes, sizeof(uint32_t), &nodes, error));
    if (point->n_values) {
        memcpy(values, point->values, point->n_values * sizeof(uint32_t));
        memcpy(seen, point->values, point->n_values * sizeof(uint32_t));
    }
    if (point->n_nodes)
        memcpy(nodes, point->nodes, point->n_nodes * sizeof(uint32_t));
    copy->values = values;
    copy->seen = seen;
    copy->nodes = nodes;
    return LTAP_OK;
}
