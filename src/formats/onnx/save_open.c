/* Nodes of a model that is written: those of the main graph, and the bodies of calls into which a
 * request reaches, put in place of the calls.
 *
 * The names are the reader's: a function's input or output is what the caller calls it, all else in
 * the body has the call's path in front. Calls into which nothing reaches stay calls.
 */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <inttypes.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

static ltap_status put_path(ltap_onnx_saving *saving, const ltap_onnx_opened *in, ltap_string *name,
                            ltap_error *error)
{
    LTAP_TRY(ltap_arena_format(&saving->arena, &name->data, error, "%s/%.*s", in->path,
                               (int)name->bytes, name->data));
    name->bytes = strlen(name->data);
    return LTAP_OK;
}

ltap_status ltap_onnx_saving_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                  ltap_wire_span span, ltap_string *name, ltap_error *error)
{
    const char *own = ltap_onnx_saving_at(saving, span);
    uint32_t place;
    *name = (ltap_string){own, (size_t)span.bytes};
    if (!in || span.bytes == 0)
        return LTAP_OK;
    if (ltap_map_get(&in->bound, own, (size_t)span.bytes, &place)) {
        *name = (ltap_string){in->texts[place], strlen(in->texts[place])};
        return LTAP_OK;
    }
    return put_path(saving, in, name, error);
}

ltap_status ltap_onnx_saving_node_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                       ltap_wire_span span, ltap_string *name, ltap_error *error)
{
    *name = (ltap_string){ltap_onnx_saving_at(saving, span), (size_t)span.bytes};
    return in && span.bytes > 0 ? put_path(saving, in, name, error) : LTAP_OK;
}

/* --- attributes that refer to the call's ----------------------------------------------------- */

/* Replaces the attribute by the one of that name in the list; proto->name is what is compared. */
static ltap_status find_attr(ltap_onnx_saving *saving, ltap_wire_list list, ltap_wire_span name,
                             ltap_proto_attr *proto, bool *found, ltap_error *error)
{
    const char *text = ltap_onnx_saving_at(saving, name);
    *found = false;
    for (size_t i = 0; i < list.count && !*found; i++) {
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, list.items[i], &ltap_proto_attr_message,
                                  &saving->load.scratch, proto, error));
        *found = proto->name.bytes == name.bytes &&
                 memcmp(ltap_onnx_saving_at(saving, proto->name), text, (size_t)name.bytes) == 0;
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_saving_attr(ltap_onnx_saving *saving, const ltap_onnx_opened **in,
                                  ltap_proto_attr *proto, bool *dropped, ltap_error *error)
{
    *dropped = false;
    while (*in && proto->ref.bytes > 0 && !*dropped) {
        ltap_wire_span ref = proto->ref;
        bool found;
        LTAP_TRY(find_attr(saving, (*in)->call.attrs, ref, proto, &found, error));
        if (found) {
            *in = (*in)->around;
            continue;
        }
        LTAP_TRY(
            find_attr(saving, (*in)->function->proto.default_attrs, ref, proto, &found, error));
        *dropped = !found;
        proto->ref.bytes = 0;
    }
    return LTAP_OK;
}

/* --- which calls ----------------------------------------------------------------------------- */

/* Where a call stands: a key without padding. */
typedef struct call_place {
    uint64_t around, node;
} call_place;

typedef struct opening {
    ltap_onnx_saving *saving;
    ltap_map wanted; /* names that the main graph does not have */
    ltap_map places; /* call_place -> number of the call */
    uint8_t *open;   /* a flag a call */
    ltap_error *error;
} opening;

static const ltap_graph_call *call_at(const opening *o, uint32_t index)
{
    return LTAP_VECTOR_AT(&o->saving->save->graph->calls, ltap_graph_call, index);
}

static ltap_status want(opening *o, const ltap_saved_value *values, size_t count)
{
    const ltap_onnx_saving *saving = o->saving;
    for (size_t i = 0; i < count; i++) {
        const char *name = values[i].value;
        uint32_t found;
        if (!ltap_map_get(&saving->made, name, strlen(name), &found) &&
            !ltap_map_get(&saving->given, name, strlen(name), &found))
            LTAP_TRY(ltap_map_set(&o->wanted, name, strlen(name), 1, o->error));
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_saving_function(ltap_onnx_saving *saving, const ltap_proto_node *node,
                                      ltap_onnx_function **function, ltap_error *error)
{
    ltap_onnx *load = &saving->load;
    ltap_node key = {0};
    const char *overload = NULL;
    *function = NULL;
    if (load->n_functions == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_onnx_text(load, node->op_type, "node's operator", &key.op_type, error));
    LTAP_TRY(ltap_onnx_domain(load, node->domain, &key.domain, error));
    LTAP_TRY(ltap_onnx_text(load, node->overload, "overload", &overload, error));
    return ltap_onnx_function_find(load, &key, overload, function, error);
}

static ltap_status decode_node(ltap_onnx_saving *saving, ltap_wire_span span, ltap_proto_node *node,
                               ltap_error *error)
{
    return ltap_wire_decode(&saving->load.wire, span, &ltap_proto_node_message,
                            &saving->load.scratch, node, error);
}

/* Whether the body of a call makes something that is wanted. */
static ltap_status is_wanted(opening *o, const ltap_graph_call *call, bool *wanted)
{
    ltap_onnx_saving *saving = o->saving;
    ltap_proto_node node;
    ltap_onnx_function *function;
    *wanted = false;
    LTAP_TRY(decode_node(saving, (ltap_wire_span){call->node.offset, call->node.bytes}, &node,
                         o->error));
    LTAP_TRY(ltap_onnx_saving_function(saving, &node, &function, o->error));
    for (size_t i = 0; function && i < function->made.count && !*wanted; i++) {
        ltap_wire_span made = function->made.items[i];
        const char *name = NULL;
        uint32_t found;
        LTAP_TRY(ltap_arena_format(&saving->load.scratch, &name, o->error, "%s/%.*s", call->path,
                                   (int)made.bytes, ltap_onnx_saving_at(saving, made)));
        *wanted = made.bytes > 0 && ltap_map_get(&o->wanted, name, strlen(name), &found);
    }
    return LTAP_OK;
}

static ltap_status list_places(opening *o)
{
    const ltap_vector *calls = &o->saving->save->graph->calls;
    ltap_arena *scratch = &o->saving->load.scratch;
    void *block;
    LTAP_TRY(ltap_arena_take(scratch, calls->count, sizeof(call_place), &block, o->error));
    call_place *keys = block;
    for (size_t i = 0; i < calls->count; i++) {
        const ltap_graph_call *call = call_at(o, (uint32_t)i);
        keys[i] = (call_place){call->around, call->node.offset};
        LTAP_TRY(ltap_map_set(&o->places, (const char *)&keys[i], sizeof(call_place), (uint32_t)i,
                              o->error));
    }
    LTAP_TRY(ltap_arena_take(scratch, calls->count, 1, &block, o->error));
    o->open = block;
    return LTAP_OK;
}

/* Marks the calls to open, and those around them. */
static ltap_status choose_calls(opening *o)
{
    size_t n = o->saving->save->graph->calls.count;
    for (size_t i = 0; i < n; i++) {
        bool wanted;
        LTAP_TRY(is_wanted(o, call_at(o, (uint32_t)i), &wanted));
        for (uint32_t at = (uint32_t)i; wanted && at < n && !o->open[at];) {
            o->open[at] = 1;
            at = call_at(o, at)->around;
        }
    }
    return LTAP_OK;
}

/* A call one of whose outputs is given, and others may be needed, is opened: of what stays a call,
 * all is computed. */
static ltap_status is_given_in_part(const opening *o, const ltap_onnx_saved_node *node, bool *given)
{
    ltap_wire_list outputs = node->proto.outputs;
    *given = false;
    for (size_t i = 0; i < outputs.count && outputs.count > 1 && !*given; i++) {
        ltap_string name;
        uint32_t found;
        LTAP_TRY(ltap_onnx_saving_name(o->saving, node->in, outputs.items[i], &name, o->error));
        *given = ltap_map_get(&o->saving->starts, name.data, name.bytes, &found);
    }
    return LTAP_OK;
}

/* --- bodies ---------------------------------------------------------------------------------- */

/* The same domains in the same versions: a body's nodes mean what the function's imports say. */
static ltap_status check_imports(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                 ltap_error *error)
{
    ltap_wire_list own = in->function->proto.opset_imports;
    for (size_t i = 0; i < own.count; i++) {
        ltap_proto_opset import;
        const char *domain = NULL;
        int64_t version;
        LTAP_TRY(ltap_wire_decode(&saving->load.wire, own.items[i], &ltap_proto_opset_message,
                                  &saving->load.scratch, &import, error));
        LTAP_TRY(ltap_onnx_domain(&saving->load, import.domain, &domain, error));
        LTAP_TRY(ltap_onnx_saving_import(saving, domain, import.version, &version, error));
        if (version != import.version)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "what is asked for is inside the function '%s', whose body is "
                                  "written for version %" PRId64 " of the domain '%s', the model "
                                  "for %" PRId64 "; let Python's onnx.version_converter or "
                                  "onnx.inliner.inline_local_functions(model, "
                                  "convert_version=True) bring them together",
                                  in->function->name, import.version, domain, version);
    }
    return LTAP_OK;
}

static ltap_status bind(ltap_onnx_saving *saving, ltap_onnx_opened *in, ltap_wire_span formal,
                        const char *text, ltap_error *error)
{
    in->texts[in->n_texts] = text;
    return ltap_map_set(&in->bound, ltap_onnx_saving_at(saving, formal), (size_t)formal.bytes,
                        (uint32_t)in->n_texts++, error);
}

static ltap_status copy_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                             ltap_wire_span span, const char **text, ltap_error *error)
{
    ltap_string name;
    LTAP_TRY(ltap_onnx_saving_name(saving, in, span, &name, error));
    return ltap_arena_format(&saving->arena, text, error, "%.*s", (int)name.bytes, name.data);
}

/* handed: for outputs of the function that are something else already: texts from, to. */
static ltap_status bind_all(ltap_onnx_saving *saving, ltap_onnx_opened *in, ltap_vector *handed,
                            ltap_error *error)
{
    const ltap_proto_node *call = &in->call;
    ltap_wire_list inputs = in->function->proto.inputs, outputs = in->function->proto.outputs;
    void *block;
    LTAP_TRY(ltap_arena_take(&saving->arena, inputs.count + outputs.count, sizeof(const char *),
                             &block, error));
    in->texts = block;
    for (size_t i = 0; i < inputs.count; i++) {
        const char *text = "";
        if (i < call->inputs.count)
            LTAP_TRY(copy_name(saving, in->around, call->inputs.items[i], &text, error));
        if (inputs.items[i].bytes > 0)
            LTAP_TRY(bind(saving, in, inputs.items[i], text, error));
    }
    for (size_t i = 0; i < outputs.count && i < call->outputs.count; i++) {
        ltap_wire_span formal = outputs.items[i];
        const char *ends[2];
        uint32_t place;
        if (formal.bytes == 0 || call->outputs.items[i].bytes == 0)
            continue;
        LTAP_TRY(copy_name(saving, in->around, call->outputs.items[i], &ends[1], error));
        if (ltap_map_get(&in->bound, ltap_onnx_saving_at(saving, formal), (size_t)formal.bytes,
                         &place) &&
            in->texts[place][0]) {
            ends[0] = in->texts[place];
            LTAP_TRY(ltap_vector_push(handed, ends, error));
        } else
            LTAP_TRY(bind(saving, in, formal, ends[1], error));
    }
    return LTAP_OK;
}

static ltap_status add_node(opening *o, const ltap_onnx_opened *in, uint32_t around,
                            ltap_onnx_saved_node *node);

static ltap_status add_handed(opening *o, const ltap_vector *handed, uint32_t main)
{
    for (size_t i = 0; i < handed->count; i++) {
        const char *const *ends = (const char *const *)handed->data + 2 * i;
        ltap_onnx_saved_node node = {.from = ends[0], .to = ends[1], .main = main};
        LTAP_TRY(ltap_vector_push(&o->saving->nodes, &node, o->error));
    }
    return LTAP_OK;
}

/* The body of the call that `node` is. */
static ltap_status add_body(opening *o, const ltap_onnx_opened *around, uint32_t call,
                            const ltap_onnx_saved_node *node)
{
    ltap_onnx_saving *saving = o->saving;
    ltap_onnx_function *function;
    ltap_vector handed;
    ltap_status status;
    void *block;
    LTAP_TRY(ltap_onnx_saving_function(saving, &node->proto, &function, o->error));
    if (!function)
        return ltap_error_set(o->error, LTAP_ERROR_FORMAT, "the model changed meanwhile");
    LTAP_TRY(ltap_arena_take(&saving->arena, 1, sizeof(ltap_onnx_opened), &block, o->error));
    ltap_onnx_opened *in = block;
    *in = (ltap_onnx_opened){.around = around,
                             .function = function,
                             .call = node->proto,
                             .path = call_at(o, call)->path};
    ltap_map_init(&in->bound, saving->arena.memory);
    LTAP_TRY(ltap_vector_push(&saving->opened, &in, o->error));
    ltap_vector_init(&handed, saving->arena.memory, 2 * sizeof(const char *));
    LTAP_GO(check_imports(saving, in, o->error));
    LTAP_GO(bind_all(saving, in, &handed, o->error));
    for (size_t i = 0; i < function->proto.nodes.count; i++) {
        ltap_onnx_saved_node inner = {.in = in, .main = node->main};
        LTAP_GO(decode_node(saving, function->proto.nodes.items[i], &inner.proto, o->error));
        LTAP_GO(add_node(o, in, call, &inner));
    }
    LTAP_GO(add_handed(o, &handed, node->main));
done:
    ltap_vector_clear(&handed);
    return status;
}

static ltap_status add_node(opening *o, const ltap_onnx_opened *in, uint32_t around,
                            ltap_onnx_saved_node *node)
{
    call_place key = {around, node->proto.head.span.offset};
    uint32_t call;
    bool open = false;
    if (ltap_map_get(&o->places, (const char *)&key, sizeof(key), &call)) {
        LTAP_TRY(is_given_in_part(o, node, &open));
        open = open || o->open[call];
    }
    return open ? add_body(o, in, call, node) : ltap_vector_push(&o->saving->nodes, node, o->error);
}

/* --- all together ---------------------------------------------------------------------------- */

static ltap_status note_made(ltap_onnx_saving *saving, ltap_error *error)
{
    for (size_t i = 0; i < saving->nodes.count; i++) {
        const ltap_onnx_saved_node *node = LTAP_VECTOR_AT(&saving->nodes, ltap_onnx_saved_node, i);
        ltap_string name = {node->to, node->to ? strlen(node->to) : 0};
        if (node->to)
            LTAP_TRY(ltap_map_set(&saving->made, name.data, name.bytes, (uint32_t)i, error));
        for (size_t k = 0; !node->to && k < node->proto.outputs.count; k++) {
            LTAP_TRY(ltap_onnx_saving_name(saving, node->in, node->proto.outputs.items[k], &name,
                                           error));
            if (name.bytes > 0)
                LTAP_TRY(ltap_map_set(&saving->made, name.data, name.bytes, (uint32_t)i, error));
        }
    }
    return LTAP_OK;
}

static ltap_status open_calls(opening *o)
{
    ltap_onnx_saving *saving = o->saving;
    const ltap_save *save = saving->save;
    LTAP_TRY(want(o, save->outputs, save->n_outputs));
    LTAP_TRY(want(o, save->starts, save->n_starts));
    if ((o->wanted.count == 0 && save->n_starts == 0) || save->graph->calls.count == 0)
        return LTAP_OK;
    LTAP_TRY(list_places(o));
    LTAP_TRY(choose_calls(o));
    ltap_map_clear(&saving->made);
    ltap_map_init(&saving->made, saving->arena.memory);
    saving->nodes.count = 0;
    for (size_t i = 0; i < saving->graph.nodes.count; i++) {
        ltap_onnx_saved_node node = {.main = (uint32_t)i};
        LTAP_TRY(decode_node(saving, saving->graph.nodes.items[i], &node.proto, o->error));
        LTAP_TRY(add_node(o, NULL, LTAP_NO_CALL, &node));
    }
    return note_made(saving, o->error);
}

ltap_status ltap_onnx_saving_nodes(ltap_onnx_saving *saving, ltap_error *error)
{
    opening o = {.saving = saving, .error = error};
    for (size_t i = 0; i < saving->graph.nodes.count; i++) {
        ltap_onnx_saved_node node = {.main = (uint32_t)i};
        LTAP_TRY(decode_node(saving, saving->graph.nodes.items[i], &node.proto, error));
        LTAP_TRY(ltap_vector_push(&saving->nodes, &node, error));
    }
    LTAP_TRY(note_made(saving, error));
    ltap_map_init(&o.wanted, saving->arena.memory);
    ltap_map_init(&o.places, saving->arena.memory);
    ltap_status status = open_calls(&o);
    ltap_map_clear(&o.places);
    ltap_map_clear(&o.wanted);
    return status;
}
