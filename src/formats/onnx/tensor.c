/* Tensors: shape and type checked, data left where it is.
 *
 * What the file says about a tensor is believed only after the sizes agree. Small data is copied so
 * that it is aligned to its type; large data stays a view, marked `unaligned` where it is not.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

#define SMALL_BYTES 1024

static ltap_status read_dims(ltap_onnx *load, ltap_wire_list dims, ltap_onnx_tensor *out,
                             ltap_error *error)
{
    uint64_t rank = 0;
    uint64_t at = dims.count ? dims.items[0].offset : 0;
    LTAP_TRY(ltap_wire_ints_count(&load->wire, dims, &rank, error));
    if (rank > LTAP_MAX_RANK)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, at,
                             "tensor '%s' has %" PRIu64 " dimensions, layertap reads at most %d",
                             out->name, rank, LTAP_MAX_RANK);
    ltap_wire_ints ints = ltap_wire_ints_begin(&load->wire, dims);
    out->tensor.rank = (int)rank;
    for (uint64_t i = 0; i < rank; i++) {
        ltap_wire_ints_next(&ints, &out->tensor.dims[i]);
        if (out->tensor.dims[i] < 0)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                                 "tensor '%s' has the negative dimension %" PRId64, out->name,
                                 out->tensor.dims[i]);
    }
    return LTAP_OK;
}

/* Elements and bytes that the shape needs. */
static ltap_status measure(const ltap_onnx_tensor *out, uint64_t offset, uint64_t *count,
                           uint64_t *bytes, ltap_error *error)
{
    const ltap_tensor *tensor = &out->tensor;
    bool fits = ltap_dims_count(tensor->rank, tensor->dims, count);
    if (fits && tensor->dtype == LTAP_STRING)
        fits = !__builtin_mul_overflow(*count, sizeof(ltap_string), bytes);
    else if (fits)
        fits = ltap_dtype_bytes(tensor->dtype, *count, bytes);
    if (fits)
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_FORMAT, offset,
                         "tensor '%s' of %s is larger than any memory", out->name,
                         ltap_tensor_text(tensor).text);
}

static unsigned alignment_of(ltap_dtype dtype)
{
    if (dtype == LTAP_COMPLEX64)
        return 4;
    unsigned bytes = ltap_dtype_bits(dtype) / 8;
    return bytes == 0 ? 1 : bytes > 8 ? 8 : bytes;
}

static bool is_aligned(const ltap_tensor *tensor)
{
    return (uintptr_t)tensor->data % alignment_of(tensor->dtype) == 0;
}

static ltap_status copy_aligned(ltap_onnx *load, ltap_tensor *tensor, ltap_error *error)
{
    uint64_t bytes = ltap_tensor_bytes(tensor);
    void *copy = NULL;
    LTAP_TRY(ltap_arena_take(load->arena, bytes, 1, &copy, error));
    memcpy(copy, tensor->data, (size_t)bytes);
    tensor->data = copy;
    return LTAP_OK;
}

ltap_status ltap_onnx_tensor_align(ltap_onnx *load, ltap_onnx_tensor *tensor, ltap_error *error)
{
    if (!tensor->unaligned)
        return LTAP_OK;
    tensor->unaligned = false;
    return copy_aligned(load, &tensor->tensor, error);
}

/* An empty tensor has data too: NULL means that it is not known. */
static ltap_status give_empty(ltap_onnx *load, ltap_tensor *tensor, ltap_error *error)
{
    return ltap_arena_take(load->arena, 1, 16, &tensor->data, error);
}

ltap_status ltap_onnx_tensor_read(ltap_onnx *load, ltap_wire_span span, ltap_onnx_tensor *out,
                                  ltap_error *error)
{
    ltap_proto_tensor proto;
    uint64_t count, bytes;
    *out = (ltap_onnx_tensor){.name = ""};
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_tensor_message, &load->scratch, &proto,
                              error));
    LTAP_TRY(ltap_onnx_text(load, proto.name, "tensor name", &out->name, error));
    out->name_span = proto.name;
    if (ltap_wire_seen(&proto.segment))
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, proto.segment.offset,
                             "tensor '%s' is split into segments, which no current writer does",
                             out->name);
    if (proto.data_type < 0 || proto.data_type > INT32_MAX ||
        !ltap_dtype_find((ltap_dtype)proto.data_type) || proto.data_type == LTAP_UNDEFINED)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "tensor '%s' has element type %" PRId64
                             ", which layertap does not know",
                             out->name, proto.data_type);
    out->tensor.dtype = (ltap_dtype)proto.data_type;
    LTAP_TRY(read_dims(load, proto.dims, out, error));
    LTAP_TRY(measure(out, span.offset, &count, &bytes, error));
    if (count == 0)
        return give_empty(load, &out->tensor, error);
    LTAP_TRY(ltap_onnx_payload_read(load, &proto, count, bytes, out, error));
    out->unaligned = out->tensor.data && !is_aligned(&out->tensor);
    return bytes <= SMALL_BYTES ? ltap_onnx_tensor_align(load, out, error) : LTAP_OK;
}

ltap_status ltap_onnx_sparse_read(ltap_onnx *load, ltap_wire_span span, ltap_onnx_tensor *out,
                                  ltap_error *error)
{
    ltap_proto_sparse proto;
    ltap_proto_tensor values;
    *out = (ltap_onnx_tensor){.name = ""};
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_sparse_message, &load->scratch, &proto,
                              error));
    LTAP_TRY(ltap_wire_decode(&load->wire, proto.values, &ltap_proto_tensor_message, &load->scratch,
                              &values, error));
    LTAP_TRY(ltap_onnx_text(load, values.name, "tensor name", &out->name, error));
    out->name_span = values.name;
    LTAP_TRY(read_dims(load, proto.dims, out, error));
    if (values.data_type > 0 && values.data_type <= LTAP_INT2)
        out->tensor.dtype = (ltap_dtype)values.data_type;
    return ltap_arena_format(load->arena, &out->missing, error,
                             "byte %" PRIu64
                             ": tensor '%s' is stored sparse, which layertap does not read; store "
                             "it dense",
                             span.offset, out->name);
}

ltap_status ltap_onnx_constant_set(ltap_onnx *load, ltap_graph *graph, uint32_t value,
                                   const ltap_onnx_tensor *tensor, ltap_span span,
                                   ltap_error *error)
{
    ltap_value *at = ltap_graph_at(graph, value);
    void *copy = NULL, *dims = NULL;
    if (at->constant || at->producer != LTAP_NO_NODE || at->is_input)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset, "value '%s' is made twice",
                             at->name);
    LTAP_TRY(ltap_arena_take(load->arena, 1, sizeof(ltap_tensor), &copy, error));
    LTAP_TRY(ltap_arena_take(load->arena, (uint64_t)tensor->tensor.rank, sizeof(ltap_dim), &dims,
                             error));
    memcpy(copy, &tensor->tensor, sizeof(ltap_tensor));
    ltap_dim *filled = dims;
    for (int i = 0; i < tensor->tensor.rank; i++)
        filled[i] = (ltap_dim){tensor->tensor.dims[i], NULL};
    at->constant = copy;
    at->unaligned = tensor->unaligned;
    at->missing = tensor->missing;
    at->span = span;
    at->type =
        (ltap_type){LTAP_TYPE_TENSOR, tensor->tensor.dtype, tensor->tensor.rank, filled, NULL};
    return LTAP_OK;
}
