/* Constant nodes: what they say becomes a constant value, like an initializer.
 *
 * The tensor of a Constant may be large (some exporters put every weight into one), so it stays
 * where it is, as an initializer's does.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <string.h>

/* A rank 0 or 1 tensor of copied elements. */
static ltap_status make_tensor(ltap_onnx *load, ltap_dtype dtype, int rank, uint64_t count,
                               ltap_tensor *tensor, ltap_error *error)
{
    int64_t dims[1] = {(int64_t)count};
    uint64_t size = dtype == LTAP_STRING ? sizeof(ltap_string) : ltap_dtype_bits(dtype) / 8;
    void *data = NULL;
    LTAP_TRY(ltap_arena_take(load->arena, count, size, &data, error));
    *tensor = ltap_tensor_make(dtype, rank, dims, data);
    return LTAP_OK;
}

/* The forms besides `value`: attribute, element type, rank, where its elements lie. */
static const struct {
    const char *name;
    ltap_attr_kind kind;
    ltap_dtype dtype;
    int rank;
} forms[] = {
    {"value_float", LTAP_ATTR_FLOAT, LTAP_FLOAT32, 0},
    {"value_floats", LTAP_ATTR_FLOATS, LTAP_FLOAT32, 1},
    {"value_int", LTAP_ATTR_INT, LTAP_INT64, 0},
    {"value_ints", LTAP_ATTR_INTS, LTAP_INT64, 1},
    {"value_string", LTAP_ATTR_STRING, LTAP_STRING, 0},
    {"value_strings", LTAP_ATTR_STRINGS, LTAP_STRING, 1},
};

/* *found: the attribute is one of the forms. */
static ltap_status read_form(ltap_onnx *load, const ltap_attr *attr, ltap_tensor *tensor,
                             bool *found, ltap_error *error)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (forms[i].kind != attr->kind || strcmp(forms[i].name, attr->name) != 0)
            continue;
        *found = true;
        LTAP_TRY(make_tensor(load, forms[i].dtype, forms[i].rank, attr->count, tensor, error));
        const float number = (float)attr->u.f;
        const void *elements = forms[i].rank == 1              ? (const void *)attr->u.ints
                               : attr->kind == LTAP_ATTR_FLOAT ? (const void *)&number
                                                               : (const void *)&attr->u;
        uint64_t size = attr->kind == LTAP_ATTR_STRING || attr->kind == LTAP_ATTR_STRINGS
                            ? sizeof(ltap_string)
                            : ltap_dtype_bits(tensor->dtype) / 8;
        if (attr->count > 0)
            memcpy(tensor->data, elements, attr->count * (size_t)size);
    }
    return LTAP_OK;
}

/* Reads one attribute; the `value` tensor as a view. *found: it was the constant. */
static ltap_status read_attr(ltap_onnx_scope *scope, ltap_wire_span span, ltap_onnx_tensor *out,
                             bool *found, ltap_error *error)
{
    ltap_proto_attr proto;
    ltap_attr attr;
    bool dropped = false;
    LTAP_TRY(ltap_wire_decode(&scope->load->wire, span, &ltap_proto_attr_message,
                              &scope->load->scratch, &proto, error));
    if (ltap_wire_seen(&proto.t) && proto.ref.bytes == 0) {
        *found = true;
        return ltap_onnx_tensor_read(scope->load, proto.t, out, error);
    }
    if (ltap_wire_seen(&proto.sparse) && proto.ref.bytes == 0) {
        *found = true;
        return ltap_onnx_sparse_read(scope->load, proto.sparse, out, error);
    }
    LTAP_TRY(ltap_onnx_attr_read(scope, span, &attr, &dropped, error));
    if (!dropped && attr.kind == LTAP_ATTR_TENSOR && strcmp(attr.name, "value") == 0) {
        *found = true;
        out->tensor = attr.u.tensors[0];
        return LTAP_OK;
    }
    return dropped ? LTAP_OK : read_form(scope->load, &attr, &out->tensor, found, error);
}

ltap_status ltap_onnx_constant_read(ltap_onnx_scope *scope, const ltap_proto_node *proto,
                                    ltap_error *error)
{
    ltap_onnx_tensor tensor = {.name = ""};
    uint32_t value = LTAP_NO_VALUE;
    bool found = false;
    ltap_span span = ltap_onnx_span(proto->head.span);
    for (size_t i = 0; i < proto->attrs.count && !found; i++)
        LTAP_TRY(read_attr(scope, proto->attrs.items[i], &tensor, &found, error));
    if (proto->outputs.count != 1)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset,
                             "a Constant node has %zu outputs, it must have 1",
                             proto->outputs.count);
    LTAP_TRY(ltap_onnx_scope_value(scope, proto->outputs.items[0], &value, error));
    if (value == LTAP_NO_VALUE)
        return LTAP_OK;
    if (!found)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset,
                             "the Constant node of value '%s' holds no value that layertap knows",
                             ltap_graph_at(scope->graph, value)->name);
    LTAP_TRY(ltap_onnx_constant_set(scope->load, scope->graph, value, &tensor, span, error));
    ltap_graph_at(scope->graph, value)->from_node = true;
    return LTAP_OK;
}
