/* The numbers of a tensor: raw bytes, typed fields, strings, or a file beside the model.
 *
 * Raw bytes and packed floats are little-endian in the file, as in memory, and stay there. Integers
 * of typed fields are varints and are unpacked into the arena; float16 and its kin come as bit
 * patterns in int32_data.
 */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ONNX data is used in place; this needs a little-endian machine"
#endif

/* Which field holds a type, and bytes that one entry becomes. */
typedef struct typed_row {
    ltap_dtype dtype;
    size_t place;
    unsigned unit;
    bool varints;
} typed_row;

#define INT32_ROW(dtype, unit)                                                                     \
    {                                                                                              \
        dtype, offsetof(ltap_proto_tensor, int32_data), unit, true                                 \
    }

static const typed_row typed_rows[] = {
    {LTAP_FLOAT32, offsetof(ltap_proto_tensor, float_data), 4, false},
    {LTAP_COMPLEX64, offsetof(ltap_proto_tensor, float_data), 4, false},
    {LTAP_FLOAT64, offsetof(ltap_proto_tensor, double_data), 8, false},
    {LTAP_COMPLEX128, offsetof(ltap_proto_tensor, double_data), 8, false},
    {LTAP_INT64, offsetof(ltap_proto_tensor, int64_data), 8, true},
    {LTAP_UINT64, offsetof(ltap_proto_tensor, uint64_data), 8, true},
    {LTAP_UINT32, offsetof(ltap_proto_tensor, uint64_data), 4, true},
    INT32_ROW(LTAP_INT32, 4),
    INT32_ROW(LTAP_INT16, 2),
    INT32_ROW(LTAP_UINT16, 2),
    INT32_ROW(LTAP_FLOAT16, 2),
    INT32_ROW(LTAP_BFLOAT16, 2),
    INT32_ROW(LTAP_INT8, 1),
    INT32_ROW(LTAP_UINT8, 1),
    INT32_ROW(LTAP_BOOL, 1),
    INT32_ROW(LTAP_FLOAT8E4M3FN, 1),
    INT32_ROW(LTAP_FLOAT8E4M3FNUZ, 1),
    INT32_ROW(LTAP_FLOAT8E5M2, 1),
    INT32_ROW(LTAP_FLOAT8E5M2FNUZ, 1),
    INT32_ROW(LTAP_FLOAT8E8M0, 1),
    INT32_ROW(LTAP_UINT4, 1),
    INT32_ROW(LTAP_INT4, 1),
    INT32_ROW(LTAP_FLOAT4E2M1, 1),
    INT32_ROW(LTAP_UINT2, 1),
    INT32_ROW(LTAP_INT2, 1),
};

static const typed_row *find_typed(ltap_dtype dtype)
{
    for (size_t i = 0; i < sizeof(typed_rows) / sizeof(*typed_rows); i++)
        if (typed_rows[i].dtype == dtype)
            return &typed_rows[i];
    return NULL;
}

static ltap_status refuse_size(const ltap_onnx_tensor *out, uint64_t offset, uint64_t needed,
                               uint64_t found, ltap_error *error)
{
    return ltap_error_at(error, LTAP_ERROR_FORMAT, offset,
                         "tensor '%s' of %s needs %" PRIu64 " bytes, the file gives %" PRIu64,
                         out->name, ltap_tensor_text(&out->tensor).text, needed, found);
}

static ltap_status read_raw(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t bytes,
                            ltap_onnx_tensor *out, ltap_error *error)
{
    if (out->tensor.dtype == LTAP_STRING)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->raw_data.offset,
                             "tensor '%s' of strings has raw bytes", out->name);
    if (proto->raw_data.bytes != bytes)
        return refuse_size(out, proto->raw_data.offset, bytes, proto->raw_data.bytes, error);
    out->tensor.data = (void *)(uintptr_t)(load->wire.data + proto->raw_data.offset);
    return LTAP_OK;
}

static ltap_status read_strings(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t count,
                                ltap_onnx_tensor *out, ltap_error *error)
{
    void *block = NULL;
    if (proto->string_data.count != count)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->head.span.offset,
                             "tensor '%s' of %s has %zu strings", out->name,
                             ltap_tensor_text(&out->tensor).text, proto->string_data.count);
    LTAP_TRY(ltap_arena_take(load->arena, count, sizeof(ltap_string), &block, error));
    for (uint64_t i = 0; i < count; i++)
        LTAP_TRY(
            ltap_onnx_string(load, proto->string_data.items[i], (ltap_string *)block + i, error));
    out->tensor.data = block;
    return LTAP_OK;
}

/* Floats: in place where the file holds them in one piece. */
static ltap_status read_floats(ltap_onnx *load, ltap_wire_list chunks, uint64_t bytes,
                               ltap_onnx_tensor *out, ltap_error *error)
{
    uint64_t found = ltap_wire_list_bytes(chunks);
    if (found != bytes)
        return refuse_size(out, chunks.items[0].offset, bytes, found, error);
    if (chunks.count == 1) {
        out->tensor.data = (void *)(uintptr_t)(load->wire.data + chunks.items[0].offset);
        return LTAP_OK;
    }
    LTAP_TRY(ltap_arena_take(load->arena, bytes, 1, &out->tensor.data, error));
    ltap_wire_list_copy(&load->wire, chunks, out->tensor.data);
    return LTAP_OK;
}

/* The low bytes of each number: the machine is little-endian. */
static ltap_status read_varints(ltap_onnx *load, ltap_wire_list chunks, const typed_row *row,
                                uint64_t bytes, ltap_onnx_tensor *out, ltap_error *error)
{
    uint64_t found = 0;
    int64_t number;
    LTAP_TRY(ltap_wire_ints_count(&load->wire, chunks, &found, error));
    if (found != bytes / row->unit)
        return refuse_size(out, chunks.items[0].offset, bytes, found * row->unit, error);
    LTAP_TRY(ltap_arena_take(load->arena, bytes, 1, &out->tensor.data, error));
    char *at = out->tensor.data;
    ltap_wire_ints ints = ltap_wire_ints_begin(&load->wire, chunks);
    for (; ltap_wire_ints_next(&ints, &number); at += row->unit)
        memcpy(at, &number, row->unit);
    return LTAP_OK;
}

/* Payload fields that have something in them. */
static unsigned count_payloads(const ltap_proto_tensor *proto)
{
    return (proto->raw_data.bytes > 0) + (ltap_wire_list_bytes(proto->float_data) > 0) +
           (ltap_wire_list_bytes(proto->int32_data) > 0) + (proto->string_data.count > 0) +
           (ltap_wire_list_bytes(proto->int64_data) > 0) +
           (ltap_wire_list_bytes(proto->double_data) > 0) +
           (ltap_wire_list_bytes(proto->uint64_data) > 0);
}

static ltap_status read_typed(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t bytes,
                              ltap_onnx_tensor *out, ltap_error *error)
{
    const typed_row *row = find_typed(out->tensor.dtype);
    ltap_wire_list chunks = {NULL, 0};
    if (row)
        memcpy(&chunks, (const char *)proto + row->place, sizeof(chunks));
    if (ltap_wire_list_bytes(chunks) == 0)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->head.span.offset,
                             "tensor '%s' of %s has its numbers in the field of another type",
                             out->name, ltap_tensor_text(&out->tensor).text);
    return row->varints ? read_varints(load, chunks, row, bytes, out, error)
                        : read_floats(load, chunks, bytes, out, error);
}

ltap_status ltap_onnx_payload_read(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t count,
                                   uint64_t bytes, ltap_onnx_tensor *out, ltap_error *error)
{
    unsigned payloads = count_payloads(proto);
    bool external = proto->data_location == 1;
    if (payloads > 1 || (payloads == 1 && external))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->head.span.offset,
                             "tensor '%s' has its numbers twice", out->name);
    if (proto->data_location != 0 && !external)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, proto->head.span.offset,
                             "tensor '%s' is at data location %" PRId64
                             ", layertap knows 0 (here) and 1 (external)",
                             out->name, proto->data_location);
    if (external)
        return ltap_onnx_external_read(load, proto, bytes, out, error);
    if (payloads == 0)
        return ltap_arena_format(load->arena, &out->missing, error,
                                 "byte %" PRIu64 ": tensor '%s' of %s has no numbers in this file",
                                 proto->head.span.offset, out->name,
                                 ltap_tensor_text(&out->tensor).text);
    if (proto->raw_data.bytes > 0)
        return read_raw(load, proto, bytes, out, error);
    if (out->tensor.dtype == LTAP_STRING)
        return read_strings(load, proto, count, out, error);
    return read_typed(load, proto, bytes, out, error);
}
