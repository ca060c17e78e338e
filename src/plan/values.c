/* The tensors of a file as a list, and which lines of the list of layers a name stands for. */
#include "plan/model.h"

#include "base/error.h"
#include "select/bodies.h"

#include <string.h>

static bool is_files(const ltap_graph *graph, uint32_t value)
{
    return ltap_graph_at(graph, value)->name[0] != '\1';
}

static ltap_status list_places(ltap_model *model, ltap_error *error)
{
    size_t n = model->graph->values.count;
    void *block;

    LTAP_TRY(ltap_arena_take(&model->arena, n + 1, sizeof(uint32_t), &block, error));
    model->place_of_value = block;
    for (size_t v = 0; v < n; v++)
        model->place_of_value[v] = LTAP_NO_VALUE;
    for (size_t i = 0; i < model->n_values; i++)
        model->place_of_value[model->values[i]] = (uint32_t)i;
    return LTAP_OK;
}

ltap_status ltap_model_list_values(ltap_model *model, ltap_error *error)
{
    const ltap_graph *graph = model->graph;
    void *block;

    LTAP_TRY(
        ltap_arena_take(&model->arena, graph->values.count + 1, sizeof(uint32_t), &block, error));
    model->values = block;
    for (size_t i = 0; i < graph->inputs.count; i++)
        model->values[model->n_values++] = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        for (size_t k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] != LTAP_NO_VALUE && is_files(graph, node->outputs[k]))
                model->values[model->n_values++] = node->outputs[k];
    }
    for (uint32_t v = 0; v < graph->values.count; v++) {
        const ltap_value *value = ltap_graph_at(graph, v);
        if (value->producer == LTAP_NO_NODE && !value->is_input && value->constant &&
            value->n_consumers > 0 && is_files(graph, v))
            model->values[model->n_values++] = v;
    }
    return list_places(model, error);
}

/* The file's value that one made at the border stands for: what that was made of, first input by
 * first input. */
static uint32_t find_files(const ltap_graph *graph, uint32_t value)
{
    enum { MAX_STEPS = 64 };

    for (int i = 0; i < MAX_STEPS && value != LTAP_NO_VALUE && !is_files(graph, value); i++) {
        uint32_t producer = ltap_graph_at(graph, value)->producer;
        const ltap_node *node = producer == LTAP_NO_NODE ? NULL : ltap_graph_node(graph, producer);
        value = node && node->n_inputs > 0 ? node->inputs[0] : LTAP_NO_VALUE;
    }
    return value;
}

size_t ltap_model_value_reads(const ltap_model *model, uint32_t value, size_t *reads,
                              size_t n_reads)
{
    const ltap_graph *graph = model->graph;
    uint32_t producer = ltap_graph_at(graph, value)->producer;

    if (producer == LTAP_NO_NODE)
        return 0;
    const ltap_node *node = ltap_graph_node(graph, producer);
    for (size_t i = 0; i < node->n_inputs && i < n_reads; i++) {
        uint32_t read = find_files(graph, node->inputs[i]);
        uint32_t place = read == LTAP_NO_VALUE ? LTAP_NO_VALUE : model->place_of_value[read];
        reads[i] = place == LTAP_NO_VALUE ? LTAP_NO_VALUE_READ : place;
    }
    return node->n_inputs;
}

/* Whether a module, another value's node, or an output has the name too. */
static bool name_is_shared(const ltap_model *model, const ltap_value *value)
{
    const ltap_layers *layers = model->layers;
    size_t bytes = strlen(value->name);
    uint32_t found;

    if (ltap_map_get(&layers->module_by_path, value->name, bytes, &found))
        return true;
    if (ltap_map_get(&layers->output_by_name, value->name, bytes, &found) &&
        *LTAP_VECTOR_AT(&model->graph->outputs, uint32_t, found) != value->index)
        return true;
    return ltap_map_get(&layers->node_by_name, value->name, bytes, &found) &&
           (found != value->producer || value->slot != 0 ||
            layers->same_name[found] != LTAP_NO_NODE);
}

void ltap_model_describe_value(const ltap_model *model, uint32_t index, ltap_value_info *info)
{
    const ltap_value *value = ltap_graph_at(model->graph, index);

    *info = (ltap_value_info){.name = value->name,
                              .node = "",
                              .type = value->is_input ? "input" : "weight",
                              .module = "",
                              .shared_name = name_is_shared(model, value)};
    if (value->producer == LTAP_NO_NODE)
        return;
    const ltap_node *node = ltap_graph_node(model->graph, value->producer);
    uint32_t module = model->layers->module_of_node[value->producer];
    info->node = node->name;
    info->type = node->op_type;
    if (module != LTAP_NO_MODULE)
        info->module = LTAP_VECTOR_AT(&model->layers->modules, ltap_module, module)->path;
}

static const ltap_listed *line_at(const ltap_model *model, size_t index)
{
    return LTAP_VECTOR_AT(&model->listed, ltap_listed, index);
}

/* Lines of a module and of what is inside it, whatever call; none: false. */
static bool match_module(const ltap_model *model, const char *path, unsigned char *matched)
{
    uint32_t module;
    bool any = false;

    if (!ltap_layers_find(model->layers, path, &module))
        return false;
    for (size_t i = 0; i < model->listed.count; i++) {
        const ltap_listed *line = line_at(model, i);
        bool inside = line->parent != LTAP_NO_PARENT && matched[line->parent] == 2;
        bool same = line->module == module;
        if (!inside && !same)
            continue;
        matched[i] = 2;
        any = true;
    }
    for (size_t i = 0; i < model->listed.count; i++)
        matched[i] = matched[i] != 0;
    return any;
}

/* The lines of these names, which stand in the order of the list; false: none is listed. */
static bool match_names(const ltap_model *model, const ltap_vector *names, unsigned char *matched)
{
    size_t next = 0;

    for (size_t i = 0; i < model->listed.count && next < names->count; i++) {
        const char *name = *LTAP_VECTOR_AT(names, const char *, next);
        if (strcmp(name, line_at(model, i)->name) != 0)
            continue;
        matched[i] = 1;
        next++;
    }
    return next > 0;
}

static ltap_status match_value(const ltap_model *model, const char *name, ltap_arena *arena,
                               unsigned char *matched, ltap_error *error)
{
    ltap_selection selection;
    bool any = false;

    LTAP_TRY(ltap_select(model->layers, model->info.name, name, LTAP_CALLS_FIRST, arena, &selection,
                         error));
    for (size_t i = 0; i < model->listed.count; i++) {
        bool same = line_at(model, i)->value == selection.value;
        matched[i] |= same;
        any |= same;
    }
    if (any)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                          "'%s' is the value '%s' of %s, which is not in the list of layers", name,
                          ltap_graph_at(model->graph, selection.value)->name, model->info.name);
}

ltap_status ltap_model_match(const ltap_model *model, const char *pattern, unsigned char *matched,
                             ltap_error *error)
{
    const ltap_pattern_search search = {model->layers, &model->listed, model->info.name,
                                        LTAP_CALLS_REFUSE};
    ltap_status status = LTAP_OK;
    ltap_vector names;
    ltap_arena arena;
    bool several;

    if (match_module(model, pattern, matched))
        return LTAP_OK;
    ltap_arena_init(&arena, model->memory);
    ltap_vector_init(&names, model->memory, sizeof(const char *));
    LTAP_GO(ltap_select_several(&search, pattern, &arena, &names, &several, error));
    if (match_names(model, &names, matched))
        goto done;
    for (size_t i = 0; i < names.count; i++)
        LTAP_GO(
            match_value(model, *LTAP_VECTOR_AT(&names, const char *, i), &arena, matched, error));
done:
    ltap_vector_clear(&names);
    ltap_arena_clear(&arena);
    return status;
}

ltap_status ltap_model_list_inside(const ltap_model *model,
                                   void (*line)(void *user, const ltap_inside_info *inside),
                                   void *user, ltap_error *error)
{
    ltap_status status;
    ltap_arena arena;
    ltap_vector found;

    ltap_arena_init(&arena, model->memory);
    ltap_vector_init(&found, model->memory, sizeof(ltap_inside));
    LTAP_GO(ltap_bodies_walk(model->graph, &arena, &found, error));
    for (size_t i = 0; i < found.count; i++) {
        const ltap_inside *inside = LTAP_VECTOR_AT(&found, ltap_inside, i);
        const ltap_inside outer = {"", model->graph, inside->outer, inside->outer};
        ltap_inside_info info = {.type = inside->node->op_type, .within = ltap_bodies_name(&outer)};
        const char *name = ltap_bodies_name(inside);
        if (!name[0] || name[0] == '\1')
            continue;
        LTAP_GO(ltap_arena_format(&arena, &info.name, error, "%s.%s", inside->around, name));
        line(user, &info);
    }
done:
    ltap_vector_clear(&found);
    ltap_arena_clear(&arena);
    return status;
}
