/* Names and what they stand for.
 *
 * In the outermost graph a name is a value's name. In an inlined function a formal input stands for
 * the caller's value, and what the body makes gets the call's path in front, so that two calls do
 * not meet. In a subgraph a name that is not made there is captured: it stands for a value of the
 * child graph that has the outer value's name.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <string.h>

void ltap_onnx_scope_init(ltap_onnx_scope *scope, ltap_onnx *load, ltap_graph *graph)
{
    memset(scope, 0, sizeof(*scope));
    scope->load = load;
    scope->graph = graph;
    ltap_map_init(&scope->names, graph->memory);
    ltap_map_init(&scope->is_used, graph->memory);
}

void ltap_onnx_scope_clear(ltap_onnx_scope *scope)
{
    ltap_map_clear(&scope->names);
    ltap_map_clear(&scope->is_used);
}

static const char *name_at(const ltap_onnx_scope *scope, ltap_wire_span name)
{
    return (const char *)scope->load->wire.data + name.offset;
}

/* A value of the graph with the name that a name made in this scope gets. */
static ltap_status own_value(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t *value,
                             ltap_error *error)
{
    const char *text = NULL;
    LTAP_TRY(ltap_onnx_text(scope->load, name, "value name", &text, error));
    if (scope->call)
        LTAP_TRY(
            ltap_arena_format(scope->load->arena, &text, error, "%s/%s", scope->call->path, text));
    return ltap_graph_value(scope->graph, text, strlen(text), value, error);
}

ltap_status ltap_onnx_scope_bind(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t value,
                                 ltap_error *error)
{
    if (name.bytes == 0)
        return LTAP_OK;
    return ltap_map_set(&scope->names, name_at(scope, name), (size_t)name.bytes, value, error);
}

ltap_status ltap_onnx_scope_declare(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t *value,
                                    ltap_error *error)
{
    *value = LTAP_NO_VALUE;
    if (name.bytes == 0 ||
        ltap_map_get(&scope->names, name_at(scope, name), (size_t)name.bytes, value))
        return LTAP_OK;
    LTAP_TRY(own_value(scope, name, value, error));
    return ltap_onnx_scope_bind(scope, name, *value, error);
}

ltap_status ltap_onnx_scope_value(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t *value,
                                  ltap_error *error)
{
    *value = LTAP_NO_VALUE;
    if (name.bytes == 0 ||
        ltap_map_get(&scope->names, name_at(scope, name), (size_t)name.bytes, value))
        return LTAP_OK;
    for (const ltap_onnx_scope *around = scope->outer; around; around = around->outer) {
        uint32_t captured;
        if (!ltap_map_get(&around->names, name_at(scope, name), (size_t)name.bytes, &captured))
            continue;
        if (captured == LTAP_NO_VALUE)
            return LTAP_OK;
        const char *text = ltap_graph_at(around->graph, captured)->name;
        LTAP_TRY(ltap_graph_value(scope->graph, text, strlen(text), value, error));
        return ltap_onnx_scope_bind(scope, name, *value, error);
    }
    return ltap_onnx_scope_declare(scope, name, value, error);
}

static ltap_status collect_used(ltap_onnx_scope *scope, ltap_error *error)
{
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < scope->used[k].count; i++) {
            ltap_wire_span name = scope->used[k].items[i];
            if (name.bytes > 0)
                LTAP_TRY(ltap_map_set(&scope->is_used, name_at(scope, name), (size_t)name.bytes, 1,
                                      error));
        }
    scope->has_used = true;
    return LTAP_OK;
}

ltap_status ltap_onnx_scope_uses(ltap_onnx_scope *scope, ltap_wire_span name, bool *used,
                                 ltap_error *error)
{
    uint32_t found;
    if (!scope->has_used)
        LTAP_TRY(collect_used(scope, error));
    *used = name.bytes > 0 &&
            ltap_map_get(&scope->is_used, name_at(scope, name), (size_t)name.bytes, &found);
    return LTAP_OK;
}
