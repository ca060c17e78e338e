/* Weights that lie beside the model: referred to as before, or copied to a file of their own. */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <string.h>

static ltap_status read_location(ltap_onnx_saving *saving, const ltap_proto_tensor *tensor,
                                 const char **location, ltap_error *error)
{
    ltap_onnx *load = &saving->load;
    *location = NULL;
    for (size_t i = 0; i < tensor->external_data.count; i++) {
        ltap_proto_property entry;
        const char *key = NULL;
        LTAP_TRY(ltap_wire_decode(&load->wire, tensor->external_data.items[i],
                                  &ltap_proto_property_message, &load->scratch, &entry, error));
        LTAP_TRY(ltap_onnx_text(load, entry.key, "external key", &key, error));
        if (strcmp(key, "location") == 0)
            LTAP_TRY(ltap_onnx_text(load, entry.value, "file name", location, error));
    }
    return LTAP_OK;
}

static ltap_status note_location(ltap_onnx_saving *saving, const ltap_proto_tensor *tensor,
                                 ltap_error *error)
{
    const char *location = NULL;
    LTAP_TRY(read_location(saving, tensor, &location, error));
    if (!location)
        return LTAP_OK;
    for (size_t i = saving->locations.count; i-- > 0;)
        if (strcmp(*LTAP_VECTOR_AT(&saving->locations, const char *, i), location) == 0)
            return LTAP_OK;
    return ltap_vector_push(&saving->locations, &location, error);
}

ltap_status ltap_onnx_saving_note(ltap_onnx_saving *saving, ltap_wire_span span, bool inside,
                                  ltap_error *error)
{
    ltap_proto_tensor tensor;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, span, &ltap_proto_tensor_message,
                              &saving->load.scratch, &tensor, error));
    if (tensor.data_location != 1)
        return LTAP_OK;
    if (inside && saving->to.repack)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "a node holds a tensor whose data is in a file beside the model; it "
                             "can be kept (--external keep), not repacked");
    return note_location(saving, &tensor, error);
}

/* --- repacking ------------------------------------------------------------------------------- */

/* All of a tensor but its data, and where that is now. */
static ltap_status put_moved(ltap_onnx_saving *saving, const ltap_wire_field *weight,
                             const void *data, uint64_t bytes, ltap_error *error)
{
    ltap_wire_span span = weight->content;
    uint64_t at = span.offset, end = span.offset + span.bytes;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(&saving->to.model, weight->number, &place, error));
    while (at < end) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &field, error));
        if (field.number != 9 && field.number != 13 && field.number != 14)
            LTAP_TRY(ltap_wire_out_bytes(&saving->to.model,
                                         ltap_onnx_saving_at(saving, field.whole),
                                         field.whole.bytes, error));
    }
    LTAP_TRY(ltap_onnx_output_move(&saving->to, data, bytes, error));
    return ltap_wire_out_end(&saving->to.model, place, error);
}

static ltap_status move(ltap_onnx_saving *saving, const ltap_wire_field *field,
                        const ltap_proto_tensor *proto, ltap_error *error)
{
    ltap_onnx_tensor tensor;
    const void *data = ltap_onnx_saving_at(saving, proto->raw_data);
    uint64_t bytes = proto->raw_data.bytes;
    if (proto->data_location == 1) {
        LTAP_TRY(ltap_onnx_tensor_read(&saving->load, field->content, &tensor, error));
        LTAP_TRY(note_location(saving, proto, error));
        if (tensor.missing)
            return ltap_error_set(error, LTAP_ERROR_FILE, "%s", tensor.missing);
        data = tensor.tensor.data;
        bytes = ltap_tensor_bytes(&tensor.tensor);
    }
    return put_moved(saving, field, data, bytes, error);
}

ltap_status ltap_onnx_saving_weight(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                    ltap_error *error)
{
    ltap_proto_tensor proto;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, field->content, &ltap_proto_tensor_message,
                              &saving->load.scratch, &proto, error));
    if (saving->to.repack &&
        (proto.data_location == 1 || proto.raw_data.bytes >= LTAP_ONNX_MIN_BLOB))
        return move(saving, field, &proto, error);
    if (proto.data_location == 1)
        LTAP_TRY(note_location(saving, &proto, error));
    return ltap_wire_out_bytes(&saving->to.model, ltap_onnx_saving_at(saving, field->whole),
                               field->whole.bytes, error);
}

/* --- checks ---------------------------------------------------------------------------------- */

static ltap_status check_location(ltap_onnx_saving *saving, const char *location, ltap_error *error)
{
    const ltap_source *source = saving->save->source;
    const char *from[2] = {NULL, NULL}, *to = NULL;
    if (source->path)
        LTAP_TRY(
            ltap_onnx_path_beside(&saving->arena, source->path, false, location, &from[0], error));
    if (source->external_dir)
        LTAP_TRY(ltap_onnx_path_beside(&saving->arena, source->external_dir, true, location,
                                       &from[1], error));
    LTAP_TRY(
        ltap_onnx_path_beside(&saving->arena, saving->save->path, false, location, &to, error));
    for (int i = 0; i < 2; i++) {
        if (from[i] && ltap_onnx_is_same_file(from[i], saving->save->path))
            return ltap_onnx_refuse_own(saving->save->path, "a data file of the model", error);
        if (from[i] && ltap_onnx_is_same_file(from[i], saving->to.data_path))
            return ltap_onnx_refuse_own(saving->to.data_path, "a data file of the model", error);
    }
    if (saving->to.repack || (from[0] && ltap_onnx_is_same_file(from[0], to)) ||
        (from[1] && ltap_onnx_is_same_file(from[1], to)))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FILE,
                          "weights are in '%s', which is not beside %s: write the model into the "
                          "folder of that file, or copy the weights (--external repack)",
                          location, saving->save->path);
}

ltap_status ltap_onnx_saving_check(ltap_onnx_saving *saving, ltap_error *error)
{
    LTAP_TRY(ltap_onnx_output_check(&saving->to, error));
    for (size_t i = 0; i < saving->locations.count; i++)
        LTAP_TRY(
            check_location(saving, *LTAP_VECTOR_AT(&saving->locations, const char *, i), error));
    return LTAP_OK;
}
