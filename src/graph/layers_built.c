/* Chains of a network that layertap built itself: each node says which modules were running, a line
 * for each, outermost first: path, tab, class; and, where calls are counted, a tab and the number
 * of the call, which no other call of any module has.
 */
#include "graph/layers_build.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static ltap_status fill_chain(ltap_scopes *scopes, const char *text, ltap_chain *chain,
                              ltap_error *error)
{
    void *block;
    uint32_t parent = LTAP_NO_STEP;
    LTAP_TRY(ltap_arena_take(scopes->arena, LTAP_MAX_STEP, sizeof(ltap_step), &block, error));
    chain->steps = block;
    while (*text != '\0' && chain->n_steps < LTAP_MAX_STEP) {
        const char *tab = strchr(text, '\t'), *end = strchr(text, '\n');
        if (tab == NULL || end == NULL)
            break;
        LTAP_TRY(ltap_scopes_intern(scopes, text, (size_t)(tab - text), parent, &parent, error));
        ltap_scope *scope = ltap_scopes_at(scopes, parent);
        scope->full_path = true;
        scope->component = scope->text;
        size_t n = strcspn(tab + 1, "\t\n");
        if (scope->class_name == NULL)
            LTAP_TRY(ltap_arena_text(scopes->arena, tab + 1, n, &scope->class_name, error));
        uint32_t turn =
            tab[1 + n] == '\t' ? (uint32_t)strtoul(tab + 2 + n, NULL, 10) : LTAP_NO_TURN;
        chain->steps[chain->n_steps++] = (ltap_step){parent, turn};
        text = end + 1;
    }
    return LTAP_OK;
}

ltap_status ltap_scopes_built(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                              ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    *used = false;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const char *text = ltap_node_property(ltap_graph_node(graph, n), LTAP_SCOPES_KEY);
        if (text == NULL)
            continue;
        LTAP_TRY(fill_chain(scopes, text, &scopes->chains[n], error));
        *used = true;
    }
    return LTAP_OK;
}
