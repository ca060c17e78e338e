/* Attributes of nodes, of every kind.
 *
 * The kind is what `type` says; very old files leave it 0, then it is the field that is there.
 * Inside a function an attribute may refer to one of the call's: then it is that, else the
 * function's default, else it is not there.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

typedef ltap_status (*fill_attr)(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                                 ltap_attr *attr, ltap_error *error);

static ltap_status fill_float(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                              ltap_error *error)
{
    attr->u.f = (double)proto->f;
    return LTAP_OK;
}

static ltap_status fill_int(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                            ltap_error *error)
{
    attr->u.i = proto->i;
    return LTAP_OK;
}

static ltap_status fill_string(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                               ltap_attr *attr, ltap_error *error)
{
    return ltap_onnx_string(scope->load, proto->s, &attr->u.s, error);
}

static ltap_status fill_floats(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                               ltap_attr *attr, ltap_error *error)
{
    void *block = NULL;
    uint64_t bytes = ltap_wire_list_bytes(proto->floats);
    LTAP_TRY(ltap_arena_take(scope->load->arena, bytes, 1, &block, error));
    ltap_wire_list_copy(&scope->load->wire, proto->floats, block);
    attr->count = (size_t)bytes / sizeof(float);
    attr->u.floats = block;
    return LTAP_OK;
}

static ltap_status fill_ints(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                             ltap_error *error)
{
    void *block = NULL;
    uint64_t count = 0;
    LTAP_TRY(ltap_wire_ints_count(&scope->load->wire, proto->ints, &count, error));
    LTAP_TRY(ltap_arena_take(scope->load->arena, count, sizeof(int64_t), &block, error));
    ltap_wire_ints ints = ltap_wire_ints_begin(&scope->load->wire, proto->ints);
    int64_t *next = block;
    while (ltap_wire_ints_next(&ints, next))
        if ((uint64_t)(++next - (int64_t *)block) == count)
            break;
    attr->count = (size_t)count;
    attr->u.ints = block;
    return LTAP_OK;
}

static ltap_status fill_strings(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                                ltap_attr *attr, ltap_error *error)
{
    void *block = NULL;
    ltap_wire_list list = proto->strings;
    LTAP_TRY(ltap_arena_take(scope->load->arena, list.count, sizeof(ltap_string), &block, error));
    for (size_t i = 0; i < list.count; i++)
        LTAP_TRY(ltap_onnx_string(scope->load, list.items[i], (ltap_string *)block + i, error));
    attr->count = list.count;
    attr->u.strings = block;
    return LTAP_OK;
}

static ltap_status read_tensors(ltap_onnx_scope *scope, ltap_wire_list list, ltap_attr *attr,
                                ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(ltap_arena_take(scope->load->arena, list.count, sizeof(ltap_tensor), &block, error));
    for (size_t i = 0; i < list.count; i++) {
        ltap_onnx_tensor tensor;
        LTAP_TRY(ltap_onnx_tensor_read(scope->load, list.items[i], &tensor, error));
        if (tensor.missing)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "%s", tensor.missing);
        LTAP_TRY(ltap_onnx_tensor_align(scope->load, &tensor, error));
        memcpy((ltap_tensor *)block + i, &tensor.tensor, sizeof(ltap_tensor));
    }
    attr->count = list.count;
    attr->u.tensors = block;
    return LTAP_OK;
}

static ltap_status fill_tensor(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                               ltap_attr *attr, ltap_error *error)
{
    return read_tensors(scope, (ltap_wire_list){&proto->t, 1}, attr, error);
}

static ltap_status fill_tensors(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                                ltap_attr *attr, ltap_error *error)
{
    return read_tensors(scope, proto->tensors, attr, error);
}

static ltap_status read_graphs(ltap_onnx_scope *scope, ltap_wire_list list, ltap_attr *attr,
                               ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(ltap_arena_take(scope->load->arena, list.count, sizeof(ltap_graph *), &block, error));
    for (size_t i = 0; i < list.count; i++)
        LTAP_TRY(ltap_onnx_graph_child(scope, list.items[i], (ltap_graph **)block + i, error));
    attr->count = list.count;
    attr->u.graphs = block;
    return LTAP_OK;
}

static ltap_status fill_graph(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                              ltap_error *error)
{
    return read_graphs(scope, (ltap_wire_list){&proto->g, 1}, attr, error);
}

static ltap_status fill_graphs(ltap_onnx_scope *scope, const ltap_proto_attr *proto,
                               ltap_attr *attr, ltap_error *error)
{
    return read_graphs(scope, proto->graphs, attr, error);
}

static ltap_status fill_type(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                             ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(ltap_arena_take(scope->load->arena, 1, sizeof(ltap_type), &block, error));
    attr->u.type = block;
    return ltap_onnx_type_read(scope->load, proto->type_proto, attr->name, block, error);
}

static ltap_status fill_other(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                              ltap_error *error)
{
    return LTAP_OK;
}

/* AttributeProto.AttributeType, the field that holds it. `must`: an absent field has no default. */
typedef struct kind_row {
    int64_t type;
    uint32_t field;
    ltap_attr_kind kind;
    bool must;
    fill_attr fill;
    const char *name;
} kind_row;

static const kind_row kind_rows[] = {
    {1, 2, LTAP_ATTR_FLOAT, false, fill_float, "a float"},
    {2, 3, LTAP_ATTR_INT, false, fill_int, "an int"},
    {3, 4, LTAP_ATTR_STRING, false, fill_string, "a string"},
    {4, 5, LTAP_ATTR_TENSOR, true, fill_tensor, "a tensor"},
    {5, 6, LTAP_ATTR_GRAPH, true, fill_graph, "a graph"},
    {6, 7, LTAP_ATTR_FLOATS, false, fill_floats, "floats"},
    {7, 8, LTAP_ATTR_INTS, false, fill_ints, "ints"},
    {8, 9, LTAP_ATTR_STRINGS, false, fill_strings, "strings"},
    {9, 10, LTAP_ATTR_TENSORS, false, fill_tensors, "tensors"},
    {10, 11, LTAP_ATTR_GRAPHS, false, fill_graphs, "graphs"},
    {11, 22, LTAP_ATTR_OTHER, true, fill_other, "a sparse tensor"},
    {12, 23, LTAP_ATTR_OTHER, false, fill_other, "sparse tensors"},
    {13, 14, LTAP_ATTR_TYPE, true, fill_type, "a type"},
    {14, 15, LTAP_ATTR_OTHER, false, fill_other, "types"},
};

static bool has_field(const ltap_proto_attr *proto, const kind_row *row)
{
    return ltap_wire_has(&ltap_proto_attr_message, &proto->head, row->field);
}

static const kind_row *find_kind(const ltap_proto_attr *proto)
{
    for (size_t i = 0; i < sizeof(kind_rows) / sizeof(*kind_rows); i++)
        if (proto->type != 0 ? kind_rows[i].type == proto->type : has_field(proto, &kind_rows[i]))
            return &kind_rows[i];
    return NULL;
}

/* The row of the kind, where the message agrees with itself. */
static ltap_status check_kind(const ltap_proto_attr *proto, const char *name, const kind_row **row,
                              ltap_error *error)
{
    uint64_t at = proto->head.span.offset;
    *row = find_kind(proto);
    if (!*row)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                             "attribute '%s' has type %" PRId64 " and no value of a known type",
                             name, proto->type);
    bool own = has_field(proto, *row);
    for (size_t i = 0; i < sizeof(kind_rows) / sizeof(*kind_rows); i++)
        if (!own && has_field(proto, &kind_rows[i]))
            return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                                 "attribute '%s' says that it is %s but holds %s", name,
                                 (*row)->name, kind_rows[i].name);
    if (!own && (*row)->must)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                             "attribute '%s' says that it is %s but holds nothing", name,
                             (*row)->name);
    return LTAP_OK;
}

static ltap_status fill(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                        ltap_error *error)
{
    const kind_row *row = NULL;
    LTAP_TRY(check_kind(proto, attr->name, &row, error));
    attr->kind = row->kind;
    attr->count = 1;
    return row->fill(scope, proto, attr, error);
}

/* The function's default of that name; *dropped where it has none. */
static ltap_status fill_default(ltap_onnx_scope *scope, const char *name, ltap_attr *attr,
                                bool *dropped, ltap_error *error)
{
    ltap_wire_list defaults = scope->call->function->proto.default_attrs;
    for (size_t i = 0; i < defaults.count; i++) {
        ltap_proto_attr proto;
        const char *found = NULL;
        LTAP_TRY(ltap_wire_decode(&scope->load->wire, defaults.items[i], &ltap_proto_attr_message,
                                  &scope->load->scratch, &proto, error));
        LTAP_TRY(ltap_onnx_text(scope->load, proto.name, "attribute name", &found, error));
        if (strcmp(found, name) == 0)
            return fill(scope, &proto, attr, error);
    }
    *dropped = true;
    return LTAP_OK;
}

static ltap_status resolve(ltap_onnx_scope *scope, const ltap_proto_attr *proto, ltap_attr *attr,
                           bool *dropped, ltap_error *error)
{
    const char *name = NULL;
    LTAP_TRY(ltap_onnx_text(scope->load, proto->ref, "attribute name", &name, error));
    if (!scope->call)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->ref.offset,
                             "attribute '%s' refers to the attribute '%s' of a function, but is "
                             "not in a function",
                             attr->name, name);
    LTAP_TRY(ltap_onnx_steps_count(
        scope->load, scope->call->n_attrs + scope->call->function->proto.default_attrs.count,
        error));
    for (size_t i = 0; i < scope->call->n_attrs; i++) {
        if (strcmp(scope->call->attrs[i].name, name) != 0)
            continue;
        const char *own = attr->name;
        *attr = scope->call->attrs[i];
        attr->name = own;
        return ltap_onnx_steps_count(scope->load, attr->span.bytes, error);
    }
    return fill_default(scope, name, attr, dropped, error);
}

ltap_status ltap_onnx_attr_read(ltap_onnx_scope *scope, ltap_wire_span span, ltap_attr *attr,
                                bool *dropped, ltap_error *error)
{
    ltap_proto_attr proto;
    *dropped = false;
    memset(attr, 0, sizeof(*attr));
    LTAP_TRY(ltap_wire_decode(&scope->load->wire, span, &ltap_proto_attr_message,
                              &scope->load->scratch, &proto, error));
    LTAP_TRY(ltap_onnx_text(scope->load, proto.name, "attribute name", &attr->name, error));
    attr->span = ltap_onnx_span(span);
    return proto.ref.bytes > 0 ? resolve(scope, &proto, attr, dropped, error)
                               : fill(scope, &proto, attr, error);
}

ltap_status ltap_onnx_attrs_read(ltap_onnx_scope *scope, ltap_wire_list list,
                                 const ltap_attr **attrs, size_t *n_attrs, ltap_error *error)
{
    void *block = NULL;
    LTAP_TRY(ltap_arena_take(scope->load->arena, list.count, sizeof(ltap_attr), &block, error));
    ltap_attr *filled = block;
    *n_attrs = 0;
    for (size_t i = 0; i < list.count; i++) {
        bool dropped = false;
        LTAP_TRY(ltap_onnx_attr_read(scope, list.items[i], &filled[*n_attrs], &dropped, error));
        *n_attrs += !dropped;
    }
    *attrs = filled;
    return LTAP_OK;
}
