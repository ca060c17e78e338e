/* Scopes, each text once, and the simplest source of chains: the names of the function calls that a
 * node was inlined from.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

bool ltap_scopes_find(const ltap_scopes *scopes, const char *text, size_t bytes, uint32_t *scope)
{
    return ltap_map_get(&scopes->by_text, text, bytes, scope);
}

ltap_status ltap_scopes_intern(ltap_scopes *scopes, const char *text, size_t bytes, uint32_t parent,
                               uint32_t *scope, ltap_error *error)
{
    const char *copy;
    if (ltap_map_get(&scopes->by_text, text, bytes, scope))
        return LTAP_OK;
    LTAP_TRY(ltap_arena_text(scopes->arena, text, bytes, &copy, error));
    const char *slash = strrchr(copy, '/');
    ltap_scope added = {.text = copy,
                        .component = copy[0] == '/' && slash != NULL ? slash + 1 : copy,
                        .parent = parent};
    *scope = (uint32_t)scopes->scopes.count;
    LTAP_TRY(ltap_vector_push(&scopes->scopes, &added, error));
    return ltap_map_set(&scopes->by_text, copy, bytes, *scope, error);
}

/* Steps of "a/b": one for each call, with its full path "a", "a.b" as the module's. */
static ltap_status chain_from_path(ltap_scopes *scopes, const char *call_path, ltap_chain *chain,
                                   ltap_error *error)
{
    const char *path;
    void *block;
    LTAP_TRY(ltap_arena_text(scopes->arena, call_path, strlen(call_path), &path, error));
    LTAP_TRY(ltap_arena_take(scopes->arena, LTAP_MAX_STEP, sizeof(ltap_step), &block, error));
    chain->steps = block;
    char *dotted = (char *)(uintptr_t)path; /* our own copy */
    for (size_t i = 0; chain->n_steps < LTAP_MAX_STEP; i++) {
        if (dotted[i] != '/' && dotted[i] != '\0')
            continue;
        bool last = dotted[i] == '\0';
        uint32_t parent =
            chain->n_steps > 0 ? chain->steps[chain->n_steps - 1].scope : LTAP_NO_STEP;
        uint32_t scope;
        if (i > 0) {
            LTAP_TRY(ltap_scopes_intern(scopes, dotted, i, parent, &scope, error));
            ltap_scopes_at(scopes, scope)->full_path = true;
            chain->steps[chain->n_steps++] = (ltap_step){scope, LTAP_NO_TURN};
        }
        if (last)
            break;
        dotted[i] = '.';
    }
    return LTAP_OK;
}

ltap_status ltap_scopes_calls(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                              ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    *used = false;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        if (node->call_path == NULL || node->call_path[0] == '\0')
            continue;
        LTAP_TRY(chain_from_path(scopes, node->call_path, &scopes->chains[n], error));
        *used = true;
    }
    return LTAP_OK;
}
