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

static bool is_first(const ltap_model *model, const uint8_t *keep, size_t index)
{
    const ltap_node *node = ltap_graph_node(model->graph, (uint32_t)index);

    for (size_t i = 0; i < index; i++)
        if (is_missing(model, keep, i) &&
            same_type(ltap_graph_node(model->graph, (uint32_t)i), node))
            return false;
    return true;
}

/* "RoiAlign x2 (roi_heads, box)" */
static ltap_status append_type(const ltap_model *model, const uint8_t *keep, size_t first,
                               ltap_vector *text, ltap_error *error)
{
    const ltap_node *node = ltap_graph_node(model->graph, (uint32_t)first);
    size_t count = 0, places = 0;
    ltap_text last = {""};

    for (size_t i = first; i < model->graph->nodes.count; i++)
        if (is_missing(model, keep, i) &&
            same_type(ltap_graph_node(model->graph, (uint32_t)i), node))
            count++;
    LTAP_TRY(ltap_text_format(text, error, "%s%s%s%s x%zu (", text->count ? ", " : "", node->domain,
                              node->domain[0] ? "." : "", node->op_type, count));
    for (size_t i = first; i < model->graph->nodes.count && places <= MAX_PLACES; i++) {
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
    ltap_status status = LTAP_OK;
    ltap_vector line;
    size_t listed = 0;

    *text = "";
    ltap_vector_init(&line, arena->memory, 1);
    for (size_t i = 0; i < model->graph->nodes.count && listed <= MAX_LISTED; i++) {
        if (!is_missing(model, keep, i) || !is_first(model, keep, i))
            continue;
        if (listed++ == MAX_LISTED)
            LTAP_GO(ltap_text_format(&line, error, ", ..."));
        else
            LTAP_GO(append_type(model, keep, i, &line, error));
    }
    if (line.count)
        LTAP_GO(ltap_arena_text(arena, line.data, strlen(line.data), text, error));
done:
    ltap_vector_clear(&line);
    return status;
}
