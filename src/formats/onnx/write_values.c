/* Tensors as messages, and types that can be declared. Field numbers are those of onnx.proto. */
#include "base/error.h"
#include "formats/onnx/write.h"
#include <string.h>

ltap_status ltap_onnx_check_type(const ltap_saved_value *value, ltap_error *error)
{
    const ltap_type *type = &value->type;
    if (type->kind == LTAP_TYPE_TENSOR ? type->dtype != LTAP_UNDEFINED && type->rank >= 0
                                       : type->kind != LTAP_TYPE_UNKNOWN)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "the type of '%s' is neither in the file nor can layertap tell it",
                          value->layer);
}

static bool is_in_source(const ltap_source *source, const void *data, uint64_t bytes)
{
    uintptr_t at = (uintptr_t)data, begin = (uintptr_t)source->data;
    return source->path && at >= begin && at - begin <= source->size &&
           bytes <= source->size - (at - begin);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

ltap_status ltap_onnx_check_beside(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_save *save = writing->save;
    const char *source = save->source->path, *beside = NULL;
    if (save->options->external != LTAP_EXTERNAL_KEEP || !source)
        return LTAP_OK;
    LTAP_TRY(ltap_onnx_path_beside(&writing->arena, save->path, false, base_name(source), &beside,
                                   error));
    if (ltap_onnx_is_same_file(source, beside))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FILE,
                          "weights are in '%s', which is not beside %s: write the model into the "
                          "folder of that file, or copy the weights (without --external keep)",
                          base_name(source), save->path);
}

static ltap_status put_strings(ltap_wire_out *out, const ltap_tensor *tensor, ltap_error *error)
{
    const ltap_string *strings = tensor->data;
    for (uint64_t i = 0; i < ltap_tensor_count(tensor); i++)
        LTAP_TRY(ltap_wire_out_field(out, 6, strings[i].data, strings[i].bytes, error));
    return LTAP_OK;
}

static ltap_status put_data(ltap_onnx_writing *writing, const ltap_tensor *tensor, bool is_weight,
                            ltap_error *error)
{
    const ltap_source *source = writing->save->source;
    ltap_onnx_output *to = &writing->to;
    uint64_t bytes = ltap_tensor_bytes(tensor);
    if (tensor->dtype == LTAP_STRING)
        return put_strings(&to->model, tensor, error);
    if (!is_weight || bytes < LTAP_ONNX_MIN_BLOB)
        return ltap_wire_out_field(&to->model, 9, tensor->data, bytes, error);
    if (to->repack)
        return ltap_onnx_output_move(to, tensor->data, bytes, error);
    if (writing->save->options->external == LTAP_EXTERNAL_KEEP &&
        is_in_source(source, tensor->data, bytes))
        return ltap_onnx_output_place(
            to, base_name(source->path),
            source->at + (uint64_t)((const uint8_t *)tensor->data - source->data), bytes, error);
    return ltap_wire_out_field(&to->model, 9, tensor->data, bytes, error);
}

ltap_status ltap_onnx_put_tensor(ltap_onnx_writing *writing, uint32_t number, const char *name,
                                 const ltap_tensor *tensor, ltap_error *error)
{
    ltap_wire_out *out = &writing->to.model;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    for (int i = 0; i < tensor->rank; i++)
        LTAP_TRY(ltap_wire_out_int(out, 1, (uint64_t)tensor->dims[i], error));
    LTAP_TRY(ltap_wire_out_int(out, 2, (uint64_t)tensor->dtype, error));
    if (name)
        LTAP_TRY(ltap_wire_out_text(out, 8, name, error));
    LTAP_TRY(put_data(writing, tensor, name != NULL, error));
    return ltap_wire_out_end(out, place, error);
}
