/* Functions of the model: a call is replaced by the body.
 *
 * Inputs and outputs are bound by position to the caller's values; what the body makes in between
 * gets the call's path in front of its name. Recursion, depth and the number of nodes are limited,
 * so that a small file cannot grow without end.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <string.h>

static ltap_status make_key(ltap_onnx *load, const char *domain, const char *name,
                            const char *overload, const char **key, ltap_error *error)
{
    return ltap_arena_format(&load->scratch, key, error, "%s\1%s\1%s", domain, name, overload);
}

static ltap_status read_function(ltap_onnx *load, ltap_wire_span span, ltap_onnx_function *out,
                                 const char **key, ltap_error *error)
{
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_function_message, &load->scratch,
                              &out->proto, error));
    LTAP_TRY(ltap_onnx_text(load, out->proto.name, "function name", &out->name, error));
    LTAP_TRY(ltap_onnx_domain(load, out->proto.domain, &out->domain, error));
    LTAP_TRY(ltap_onnx_text(load, out->proto.overload, "overload", &out->overload, error));
    LTAP_TRY(ltap_onnx_opset_read(load, out->proto.opset_imports, &out->opset, error));
    LTAP_TRY(ltap_onnx_names_read(load, out->proto.nodes, &out->made, &out->used, error));
    return make_key(load, out->domain, out->name, out->overload, key, error);
}

ltap_status ltap_onnx_functions_read(ltap_onnx *load, ltap_wire_list list, ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(
        ltap_arena_take(&load->scratch, list.count, sizeof(ltap_onnx_function), &block, error));
    load->functions = block;
    for (size_t i = 0; i < list.count; i++) {
        const char *key = NULL;
        uint32_t known;
        LTAP_TRY(read_function(load, list.items[i], &load->functions[i], &key, error));
        if (ltap_map_get(&load->function_by_key, key, strlen(key), &known))
            return ltap_error_at(error, LTAP_ERROR_FORMAT, list.items[i].offset,
                                 "the function '%s' is defined twice", load->functions[i].name);
        LTAP_TRY(ltap_map_set(&load->function_by_key, key, strlen(key), (uint32_t)i, error));
        load->n_functions = i + 1;
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_function_find(ltap_onnx *load, const ltap_node *node, const char *overload,
                                    ltap_onnx_function **function, ltap_error *error)
{
    const char *key = NULL;
    uint32_t index;
    *function = NULL;
    if (load->n_functions == 0)
        return LTAP_OK;
    LTAP_TRY(make_key(load, node->domain, node->op_type, overload, &key, error));
    if (ltap_map_get(&load->function_by_key, key, strlen(key), &index))
        *function = &load->functions[index];
    return LTAP_OK;
}

/* Whether a name that the body makes is already taken below this path. */
static ltap_status path_collides(const ltap_onnx_scope *scope, const ltap_onnx_function *function,
                                 const char *path, bool *collides, ltap_error *error)
{
    *collides = false;
    for (size_t i = 0; i < function->made.count && !*collides; i++) {
        ltap_wire_span span = function->made.items[i];
        const char *name = NULL;
        uint32_t value;
        if (span.bytes == 0)
            continue;
        LTAP_TRY(ltap_onnx_text(scope->load, span, "value name", &name, error));
        LTAP_TRY(ltap_arena_format(&scope->load->scratch, &name, error, "%s/%s", path, name));
        *collides = ltap_graph_find(scope->graph, name, &value);
    }
    return LTAP_OK;
}

/* A path that no other call has: the node's name, numbered where needed. */
static ltap_status choose_path(const ltap_onnx_draft *draft, const ltap_onnx_function *function,
                               const char **path, ltap_error *error)
{
    const ltap_onnx_scope *scope = draft->scope;
    ltap_onnx *load = scope->load;
    const char *base = draft->node.name[0] ? draft->node.name : draft->node.op_type;
    uint32_t number = 0;
    bool collides = true;
    if (!draft->node.name[0] && scope->call)
        LTAP_TRY(ltap_arena_format(load->arena, &base, error, "%s/%s", scope->call->path, base));
    ltap_map_get(&load->call_paths, base, strlen(base), &number);
    while (collides) {
        *path = base;
        if (number > 0)
            LTAP_TRY(ltap_arena_format(load->arena, path, error, "%s#%u", base, (unsigned)number));
        LTAP_TRY(ltap_onnx_steps_count(load, function->made.count, error));
        LTAP_TRY(path_collides(scope, function, *path, &collides, error));
        number++;
    }
    return ltap_map_set(&load->call_paths, base, strlen(base), number, error);
}

static ltap_status bind_inputs(ltap_onnx_scope *inner, const ltap_onnx_draft *draft,
                               ltap_error *error)
{
    const ltap_onnx_function *function = inner->call->function;
    ltap_wire_list formal = function->proto.inputs;
    if (draft->node.n_inputs > formal.count)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             "node '%s' calls the function '%s' with %zu inputs, it takes %zu",
                             draft->node.name, function->name, draft->node.n_inputs, formal.count);
    for (size_t i = 0; i < formal.count; i++)
        LTAP_TRY(ltap_onnx_scope_bind(
            inner, formal.items[i],
            i < draft->node.n_inputs ? draft->node.inputs[i] : LTAP_NO_VALUE, error));
    return LTAP_OK;
}

/* An output of the function that is already something else: a node that hands it on. */
static ltap_status pass_on(ltap_onnx_scope *inner, const ltap_onnx_draft *draft, uint32_t from,
                           uint32_t to, ltap_error *error)
{
    ltap_node node = draft->node;
    node.op_type = "Identity";
    node.domain = "";
    node.inputs = &from;
    node.outputs = &to;
    node.n_inputs = node.n_outputs = 1;
    node.attrs = NULL;
    node.n_attrs = 0;
    node.translated = true;
    node.span.bytes = 0;
    LTAP_TRY(ltap_onnx_node_count(inner->load, draft->node.span.offset, error));
    return ltap_graph_node_add(inner->graph, &node, NULL, error);
}

static ltap_status bind_outputs(ltap_onnx_scope *inner, const ltap_onnx_draft *draft,
                                ltap_error *error)
{
    const ltap_onnx_function *function = inner->call->function;
    ltap_wire_list formal = function->proto.outputs;
    if (draft->node.n_outputs > formal.count)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             "node '%s' calls the function '%s' with %zu outputs, it gives %zu",
                             draft->node.name, function->name, draft->node.n_outputs, formal.count);
    for (size_t i = 0; i < draft->node.n_outputs; i++) {
        uint32_t to = draft->node.outputs[i], from = LTAP_NO_VALUE;
        const char *name = (const char *)inner->load->wire.data + formal.items[i].offset;
        if (to == LTAP_NO_VALUE || formal.items[i].bytes == 0)
            continue;
        bool known = ltap_map_get(&inner->names, name, (size_t)formal.items[i].bytes, &from);
        if (known && from != LTAP_NO_VALUE)
            LTAP_TRY(pass_on(inner, draft, from, to, error));
        else
            LTAP_TRY(ltap_onnx_scope_bind(inner, formal.items[i], to, error));
    }
    return LTAP_OK;
}

static ltap_status read_body(ltap_onnx_scope *inner, const ltap_onnx_draft *draft,
                             ltap_error *error)
{
    const ltap_onnx_function *function = inner->call->function;
    uint32_t value;
    LTAP_TRY(bind_inputs(inner, draft, error));
    LTAP_TRY(bind_outputs(inner, draft, error));
    for (size_t i = 0; i < function->made.count; i++)
        LTAP_TRY(ltap_onnx_scope_declare(inner, function->made.items[i], &value, error));
    for (size_t i = 0; i < function->proto.nodes.count; i++)
        LTAP_TRY(ltap_onnx_node_read(inner, function->proto.nodes.items[i], error));
    return LTAP_OK;
}

static ltap_status inline_call(const ltap_onnx_draft *draft, const ltap_onnx_call *call,
                               ltap_error *error)
{
    const ltap_onnx_scope *scope = draft->scope;
    ltap_onnx_scope inner;
    ltap_onnx_scope_init(&inner, scope->load, scope->graph);
    inner.call = call;
    inner.depth = scope->depth;
    inner.used[0] = call->function->used;
    inner.used[1] = call->function->proto.outputs;
    inner.opset = call->function->opset ? call->function->opset : scope->opset;
    call->function->active = true;
    ltap_status status = read_body(&inner, draft, error);
    call->function->active = false;
    ltap_onnx_scope_clear(&inner);
    return status;
}

/* For who writes the file: a function in a subgraph of a body has the body's call around it. */
static ltap_status note_call(const ltap_onnx_draft *draft, ltap_onnx_call *call, ltap_error *error)
{
    const ltap_onnx_call *around = draft->scope->call;
    ltap_vector *calls = &draft->scope->graph->calls;
    ltap_graph_call noted = {call->path, draft->node.span, around ? around->index : LTAP_NO_CALL};
    call->index = (uint32_t)calls->count;
    return ltap_vector_push(calls, &noted, error);
}

ltap_status ltap_onnx_function_inline(ltap_onnx_draft *draft, ltap_onnx_function *function,
                                      ltap_error *error)
{
    ltap_onnx *load = draft->scope->load;
    const ltap_onnx_call *around = draft->scope->call;
    ltap_onnx_call call = {.function = function,
                           .attrs = draft->node.attrs,
                           .n_attrs = draft->node.n_attrs,
                           .depth = around ? around->depth + 1 : 1};
    if (function->active || call.depth > LTAP_ONNX_MAX_CALL_DEPTH)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             function->active ? "the function '%s' calls itself"
                                              : "calls of functions are nested too deep at '%s'",
                             function->name);
    if (!around)
        load->before_call = ltap_memory_used(load->source->memory);
    LTAP_TRY(choose_path(draft, function, &call.path, error));
    LTAP_TRY(note_call(draft, &call, error));
    LTAP_TRY(inline_call(draft, &call, error));
    uint64_t used = ltap_memory_used(load->source->memory);
    if (!around && used > load->before_call)
        load->inlined += used - load->before_call;
    return LTAP_OK;
}
