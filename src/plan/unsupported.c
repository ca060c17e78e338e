/* The operators that layertap does not have, all at once, with the layers that use them. */
#include "plan/model.h"

#include "base/error.h"
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LISTED = 8, MAX_PLACES = 3 };

ltap_text ltap_model_place(const ltap_model *model, uint32_t node)
{
    ltap_text text;
    uint32_t module =
        model->layers->module_of_node ? model->layers->module_of_node[node] : LTAP_NO_MODULE;

    if (module == LTAP_NO_MODULE)
        return ltap_node_text(model->graph, ltap_graph_node(model->graph, node));
    snprintf(text.text, sizeof(text.text), "%s",
             LTAP_VECTOR_AT(&model->layers->modules, ltap_module, module)->path);
    return text;
}

static bool is_missing(const ltap_model *model, const uint8_t *keep, size_t index)
{
    return (!keep || keep[index]) && !ltap_graph_node(model->graph, (uint32_t)index)->op;
}

static bool same_type(const ltap_node *a, const ltap_node *b)
{
    return strcmp(a->op_type, b->op_type) == 0 && strcmp(a->domain, b->domain) == 0;
}

/* An operator that is missing. */
typedef struct missing_type {
    size_t first, count; /* nodes */
} missing_type;

static ltap_status find_types(const ltap_model *model, const uint8_t *keep, ltap_vector *types,
                              ltap_arena *arena, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_map known;

    ltap_map_init(&known, arena->memory);
    for (size_t i = 0; i < model->graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(model->graph, (uint32_t)i);
        const missing_type added = {i, 0};
        const char *key;
        uint32_t at;
        if (!is_missing(model, keep, i))
            continue;
        LTAP_GO(ltap_arena_format(arena, &key, error, "%s\n%s", node->domain, node->op_type));
        if (!ltap_map_get(&known, key, strlen(key), &at)) {
            at = (uint32_t)types->count;
            LTAP_GO(ltap_vector_push(types, &added, error));
            LTAP_GO(ltap_map_set(&known, key, strlen(key), at, error));
        }
        LTAP_VECTOR_AT(types, missing_type, at)->count++;
    }
done:
    ltap_map_clear(&known);
    return status;
}

/* "RoiAlign x2 (roi_heads, box)" */
static ltap_status append_type(const ltap_model *model, const uint8_t *keep,
                               const missing_type *type, ltap_vector *text, ltap_error *error)
{
    const ltap_node *node = ltap_graph_node(model->graph, (uint32_t)type->first);
    size_t places = 0;
    ltap_text last = {""};

    LTAP_TRY(ltap_text_format(text, error, "%s%s%s%s x%zu (", text->count ? ", " : "", node->domain,
                              node->domain[0] ? "." : "", node->op_type, type->count));
    for (size_t i = type->first; i < model->graph->nodes.count && places <= MAX_PLACES; i++) {
        if (!is_missing(model, keep, i) ||
            !same_type(ltap_graph_node(model->graph, (uint32_t)i), node))
            continue;
        ltap_text place = ltap_model_place(model, (uint32_t)i);
        if (strcmp(place.text, last.text) == 0)
            continue;
        last = place;
        LTAP_TRY(ltap_text_format(text, error, "%s%s", places ? ", " : "",
                                  places == MAX_PLACES ? "..." : place.text));
        places++;
    }
    return ltap_text_format(text, error, ")");
}

ltap_status ltap_model_unsupported_text(const ltap_model *model, const uint8_t *keep,
                                        ltap_arena *arena, const char **text, ltap_error *error)
{
    ltap_status status;
    ltap_vector line, types;
    ltap_arena scratch;

    *text = "";
    ltap_arena_init(&scratch, arena->memory);
    ltap_vector_init(&line, arena->memory, 1);
    ltap_vector_init(&types, arena->memory, sizeof(missing_type));
    LTAP_GO(find_types(model, keep, &types, &scratch, error));
    for (size_t i = 0; i < types.count && i < MAX_LISTED; i++)
        LTAP_GO(append_type(model, keep, LTAP_VECTOR_AT(&types, missing_type, i), &line, error));
    if (types.count > MAX_LISTED)
        LTAP_GO(ltap_text_format(&line, error, ", ..."));
    if (line.count)
        LTAP_GO(ltap_arena_text(arena, line.data, strlen(line.data), text, error));
done:
    ltap_vector_clear(&types);
    ltap_vector_clear(&line);
    ltap_arena_clear(&scratch);
    return status;
}

/* Consumers count what the subgraphs of a node take, so one pass in the order of execution is
 * enough. */
ltap_status ltap_model_computable(const ltap_model *model, ltap_arena *arena, uint8_t **values,
                                  ltap_error *error)
{
    const ltap_graph *graph = model->graph;
    void *tables[2];

    LTAP_TRY(ltap_arena_take(arena, graph->values.count + 1, 1, &tables[0], error));
    LTAP_TRY(ltap_arena_take(arena, graph->nodes.count + 1, 1, &tables[1], error));
    *values = memset(tables[0], 1, graph->values.count);
    uint8_t *lost = tables[1];
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        for (size_t k = 0; (lost[i] || !node->op) && k < node->n_outputs; k++) {
            if (node->outputs[k] == LTAP_NO_VALUE)
                continue;
            const ltap_value *value = ltap_graph_at(graph, node->outputs[k]);
            (*values)[node->outputs[k]] = 0;
            for (size_t c = 0; c < value->n_consumers; c++)
                lost[value->consumers[c]] = 1;
        }
    }
    return LTAP_OK;
}
