/* Small things of ONNX messages: names, strings, key-value pairs, opset imports. */
#include "base/error.h"
#include "codec/utf8.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

static const char *bytes_at(const ltap_onnx *load, ltap_wire_span span)
{
    return span.bytes ? (const char *)load->wire.data + span.offset : "";
}

ltap_status ltap_onnx_text(ltap_onnx *load, ltap_wire_span span, const char *what,
                           const char **text, ltap_error *error)
{
    const char *bytes = bytes_at(load, span);
    size_t bad = 0;
    *text = "";
    if (span.bytes == 0)
        return LTAP_OK;
    if (memchr(bytes, '\0', (size_t)span.bytes))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset, "a %s holds a NUL byte", what);
    if (!ltap_utf8_check(bytes, (size_t)span.bytes, &bad))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, span.offset + bad, "a %s is not UTF-8",
                             what);
    return ltap_arena_text(load->arena, bytes, (size_t)span.bytes, text, error);
}

ltap_status ltap_onnx_string(ltap_onnx *load, ltap_wire_span span, ltap_string *string,
                             ltap_error *error)
{
    string->bytes = (size_t)span.bytes;
    return ltap_arena_text(load->arena, bytes_at(load, span), (size_t)span.bytes, &string->data,
                           error);
}

ltap_status ltap_onnx_domain(ltap_onnx *load, ltap_wire_span span, const char **domain,
                             ltap_error *error)
{
    LTAP_TRY(ltap_onnx_text(load, span, "domain", domain, error));
    if (strcmp(*domain, "ai.onnx") == 0)
        *domain = "";
    return LTAP_OK;
}

ltap_status ltap_onnx_properties(ltap_onnx *load, ltap_wire_list list,
                                 const ltap_property **properties, ltap_error *error)
{
    void *block = NULL;
    *properties = NULL;
    if (list.count == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(load->arena, list.count, sizeof(ltap_property), &block, error));
    ltap_property *filled = block;
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_property proto;
        LTAP_TRY(ltap_wire_decode(&load->wire, list.items[i], &ltap_proto_property_message,
                                  &load->scratch, &proto, error));
        LTAP_TRY(ltap_onnx_text(load, proto.key, "metadata key", &filled[i].key, error));
        LTAP_TRY(ltap_onnx_text(load, proto.value, "metadata value", &filled[i].value, error));
    }
    *properties = filled;
    return LTAP_OK;
}

ltap_status ltap_onnx_opset_read(ltap_onnx *load, ltap_wire_list list, int64_t *opset,
                                 ltap_error *error)
{
    *opset = 0;
    for (size_t i = 0; i < list.count; i++) {
        ltap_proto_opset proto;
        const char *domain = NULL;
        LTAP_TRY(ltap_wire_decode(&load->wire, list.items[i], &ltap_proto_opset_message,
                                  &load->scratch, &proto, error));
        LTAP_TRY(ltap_onnx_domain(load, proto.domain, &domain, error));
        if (domain[0])
            continue;
        *opset = proto.version;
        if (proto.version < LTAP_ONNX_MIN_OPSET)
            return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, list.items[i].offset,
                                 "the model uses opset %" PRId64
                                 ", layertap reads 6 and newer; convert it with Python's "
                                 "onnx.version_converter.convert_version(model, 13)",
                                 proto.version);
    }
    return LTAP_OK;
}

ltap_status ltap_onnx_locate(ltap_error *error, ltap_status status, uint64_t offset)
{
    bool about_file = status == LTAP_ERROR_FORMAT || status == LTAP_ERROR_UNSUPPORTED;
    if (!about_file || !error || error->offset != LTAP_NO_OFFSET)
        return status;
    error->offset = offset;
    return ltap_error_prefix(error, status, "byte %" PRIu64, offset);
}
