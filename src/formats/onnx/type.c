/* Types of values: tensors with numbers, symbols or nothing as dimensions; sequences and the like.
 *
 * A negative dimension is how some writers say "unknown"; it is read as that.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

static ltap_status read_dim(ltap_onnx *load, ltap_wire_span span, ltap_dim *dim, ltap_error *error)
{
    enum { SIZE_FIELD = 1 };
    ltap_proto_dim proto;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_dim_message, &load->scratch, &proto,
                              error));
    bool sized = ltap_wire_has(&ltap_proto_dim_message, &proto.head, SIZE_FIELD);
    dim->size = sized && proto.size >= 0 ? proto.size : -1;
    dim->symbol = NULL;
    if (dim->size < 0 && proto.symbol.bytes > 0)
        LTAP_TRY(ltap_onnx_text(load, proto.symbol, "dimension name", &dim->symbol, error));
    return LTAP_OK;
}

static ltap_status read_shape(ltap_onnx *load, ltap_wire_span span, const char *name,
                              ltap_type *type, ltap_error *error)
{
    ltap_proto_shape proto;
    void *dims = NULL;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_shape_message, &load->scratch, &proto,
                              error));
    if (proto.dims.count > LTAP_MAX_RANK)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "'%s' has %zu dimensions, layertap reads at most %d", name,
                             proto.dims.count, LTAP_MAX_RANK);
    LTAP_TRY(ltap_arena_take(load->arena, proto.dims.count, sizeof(ltap_dim), &dims, error));
    for (size_t i = 0; i < proto.dims.count; i++)
        LTAP_TRY(read_dim(load, proto.dims.items[i], (ltap_dim *)dims + i, error));
    type->rank = (int)proto.dims.count;
    type->dims = dims;
    return LTAP_OK;
}

static ltap_status read_tensor_type(ltap_onnx *load, ltap_wire_span span, const char *name,
                                    ltap_type *type, ltap_error *error)
{
    ltap_proto_tensor_type proto;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_tensor_type_message, &load->scratch,
                              &proto, error));
    if (proto.elem_type < 0 || proto.elem_type > INT32_MAX ||
        (proto.elem_type != LTAP_UNDEFINED && !ltap_dtype_find((ltap_dtype)proto.elem_type)))
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "'%s' has element type %" PRId64 ", which layertap does not know",
                             name, proto.elem_type);
    type->dtype = (ltap_dtype)proto.elem_type;
    return ltap_wire_seen(&proto.shape) ? read_shape(load, proto.shape, name, type, error)
                                        : LTAP_OK;
}

/* One level of a type; *inner is the span of the element's type, absent where there is none. */
static ltap_status read_level(ltap_onnx *load, ltap_wire_span span, const char *name,
                              ltap_type *type, ltap_wire_span *inner, ltap_error *error)
{
    ltap_proto_type proto;
    ltap_proto_element_type element;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_type_message, &load->scratch, &proto,
                              error));
    const struct {
        const ltap_wire_span *span;
        ltap_type_kind kind;
        const ltap_wire_message *message;
    } kinds[] = {
        {&proto.tensor, LTAP_TYPE_TENSOR, NULL},
        {&proto.sparse, LTAP_TYPE_SPARSE, NULL},
        {&proto.sequence, LTAP_TYPE_SEQUENCE, &ltap_proto_element_type_message},
        {&proto.optional, LTAP_TYPE_OPTIONAL, &ltap_proto_element_type_message},
        {&proto.map, LTAP_TYPE_MAP, &ltap_proto_map_type_message},
    };
    *type = (ltap_type){.kind = LTAP_TYPE_UNKNOWN, .rank = -1};
    *inner = (ltap_wire_span){0, 0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (!ltap_wire_seen(kinds[i].span))
            continue;
        type->kind = kinds[i].kind;
        if (!kinds[i].message)
            return read_tensor_type(load, *kinds[i].span, name, type, error);
        LTAP_TRY(ltap_wire_decode(&load->wire, *kinds[i].span, kinds[i].message, &load->scratch,
                                  &element, error));
        *inner = element.element;
        return LTAP_OK;
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_type_read(ltap_onnx *load, ltap_wire_span span, const char *name,
                                ltap_type *type, ltap_error *error)
{
    ltap_wire_span inner;
    LTAP_TRY(read_level(load, span, name, type, &inner, error));
    for (int depth = 0; ltap_wire_seen(&inner); depth++) {
        void *block = NULL;
        if (depth == LTAP_ONNX_MAX_TYPE_DEPTH)
            return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, inner.offset,
                                 "the type of '%s' is nested deeper than %d", name,
                                 LTAP_ONNX_MAX_TYPE_DEPTH);
        LTAP_TRY(ltap_arena_take(load->arena, 1, sizeof(ltap_type), &block, error));
        type->element = block;
        type = block;
        LTAP_TRY(read_level(load, inner, name, type, &inner, error));
    }
    return LTAP_OK;
}
