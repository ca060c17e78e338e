/* Weights that lie beside the model: referred to as before, or copied to a file of their own. */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* Smaller tensors stay in the model; larger ones begin where a page of memory can. */
enum { MIN_BYTES = 1024, PAGE = 4096, SMALL_ALIGNMENT = 64 };

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
    if (inside && saving->repack)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, span.offset,
                             "a node holds a tensor whose data is in a file beside the model; it "
                             "can be kept (--external keep), not repacked");
    return note_location(saving, &tensor, error);
}

/* --- repacking ------------------------------------------------------------------------------- */

static ltap_status put_entry(ltap_wire_out *out, const char *key, const char *value,
                             ltap_error *error)
{
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, 13, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, key, error));
    LTAP_TRY(ltap_wire_out_text(out, 2, value, error));
    return ltap_wire_out_end(out, place, error);
}

static ltap_status put_place(ltap_onnx_saving *saving, const ltap_onnx_blob *blob,
                             ltap_error *error)
{
    ltap_wire_out *out = &saving->out;
    const char *offset = NULL, *length = NULL;
    LTAP_TRY(ltap_arena_format(&saving->arena, &offset, error, "%" PRIu64, blob->offset));
    LTAP_TRY(ltap_arena_format(&saving->arena, &length, error, "%" PRIu64, blob->bytes));
    LTAP_TRY(put_entry(out, "location", saving->data_name, error));
    LTAP_TRY(put_entry(out, "offset", offset, error));
    LTAP_TRY(put_entry(out, "length", length, error));
    return ltap_wire_out_int(out, 14, 1, error);
}

/* All of a tensor but its data, and where that is now. */
static ltap_status put_moved(ltap_onnx_saving *saving, const ltap_wire_field *weight,
                             const ltap_onnx_blob *blob, ltap_error *error)
{
    ltap_wire_span span = weight->content;
    uint64_t at = span.offset, end = span.offset + span.bytes;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(&saving->out, weight->number, &place, error));
    while (at < end) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &field, error));
        if (field.number != 9 && field.number != 13 && field.number != 14)
            LTAP_TRY(ltap_wire_out_bytes(&saving->out, ltap_onnx_saving_at(saving, field.whole),
                                         field.whole.bytes, error));
    }
    LTAP_TRY(put_place(saving, blob, error));
    return ltap_wire_out_end(&saving->out, place, error);
}

static ltap_status move(ltap_onnx_saving *saving, const ltap_wire_field *field,
                        const ltap_proto_tensor *proto, ltap_error *error)
{
    ltap_onnx_tensor tensor;
    ltap_onnx_blob blob = {ltap_onnx_saving_at(saving, proto->raw_data), 0, proto->raw_data.bytes};
    if (proto->data_location == 1) {
        LTAP_TRY(ltap_onnx_tensor_read(&saving->load, field->content, &tensor, error));
        LTAP_TRY(note_location(saving, proto, error));
        if (tensor.missing)
            return ltap_error_set(error, LTAP_ERROR_FILE, "%s", tensor.missing);
        blob.data = tensor.tensor.data;
        blob.bytes = ltap_tensor_bytes(&tensor.tensor);
    }
    uint64_t alignment = blob.bytes < PAGE ? SMALL_ALIGNMENT : PAGE;
    blob.offset = (saving->data_bytes + alignment - 1) / alignment * alignment;
    saving->data_bytes = blob.offset + blob.bytes;
    LTAP_TRY(ltap_vector_push(&saving->blobs, &blob, error));
    return put_moved(saving, field, &blob, error);
}

ltap_status ltap_onnx_saving_weight(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                    ltap_error *error)
{
    ltap_proto_tensor proto;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, field->content, &ltap_proto_tensor_message,
                              &saving->load.scratch, &proto, error));
    if (saving->repack && (proto.data_location == 1 || proto.raw_data.bytes >= MIN_BYTES))
        return move(saving, field, &proto, error);
    if (proto.data_location == 1)
        LTAP_TRY(note_location(saving, &proto, error));
    return ltap_wire_out_bytes(&saving->out, ltap_onnx_saving_at(saving, field->whole),
                               field->whole.bytes, error);
}

ltap_status ltap_onnx_saving_data(const ltap_onnx_saving *saving, ltap_outfile *file,
                                  ltap_error *error)
{
    enum { CHUNK = 8 << 20 };
    for (size_t i = 0; i < saving->blobs.count; i++) {
        const ltap_onnx_blob *blob = LTAP_VECTOR_AT(&saving->blobs, ltap_onnx_blob, i);
        for (uint64_t done = 0; done < blob->bytes; done += CHUNK) {
            uint64_t left = blob->bytes - done;
            const char *data = (const char *)blob->data + done;
            size_t bytes = (size_t)(left < CHUNK ? left : CHUNK);
            LTAP_TRY(ltap_outfile_write(file, blob->offset + done, data, bytes, error));
            for (size_t k = 0; k < saving->source.files.count; k++)
                ltap_file_forget(LTAP_VECTOR_AT(&saving->source.files, ltap_file, k), data, bytes);
        }
    }
    return LTAP_OK;
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* "folder/location", folder being that of `path` (a folder itself where it is_folder). */
static ltap_status join(ltap_onnx_saving *saving, const char *path, bool is_folder,
                        const char *location, const char **joined, ltap_error *error)
{
    const char *slash = is_folder ? path + strlen(path) : strrchr(path, '/');
    return ltap_arena_format(&saving->arena, joined, error, "%.*s%s%s",
                             slash ? (int)(slash - path) : 0, path, slash ? "/" : "", location);
}

static ltap_status refuse_own(const char *path, const char *what, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_FILE, "%s is %s itself; give the output another name",
                          path, what);
}

static ltap_status check_location(ltap_onnx_saving *saving, const char *location, ltap_error *error)
{
    const ltap_source *source = saving->save->source;
    const char *from[2] = {NULL, NULL}, *to = NULL;
    if (source->path)
        LTAP_TRY(join(saving, source->path, false, location, &from[0], error));
    if (source->external_dir)
        LTAP_TRY(join(saving, source->external_dir, true, location, &from[1], error));
    LTAP_TRY(join(saving, saving->save->path, false, location, &to, error));
    for (int i = 0; i < 2; i++) {
        if (from[i] && is_same(from[i], saving->save->path))
            return refuse_own(saving->save->path, "a data file of the model", error);
        if (from[i] && is_same(from[i], saving->data_path))
            return refuse_own(saving->data_path, "a data file of the model", error);
    }
    if (saving->repack || (from[0] && is_same(from[0], to)) || (from[1] && is_same(from[1], to)))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FILE,
                          "weights are in '%s', which is not beside %s: write the model into the "
                          "folder of that file, or copy the weights (--external repack)",
                          location, saving->save->path);
}

ltap_status ltap_onnx_saving_check(ltap_onnx_saving *saving, ltap_error *error)
{
    const char *path = saving->save->path, *model = saving->save->source->path;
    if (model && is_same(model, path))
        return refuse_own(path, "the model", error);
    if (model && saving->data_bytes > 0 && is_same(model, saving->data_path))
        return refuse_own(saving->data_path, "the model", error);
    for (size_t i = 0; i < saving->locations.count; i++)
        LTAP_TRY(
            check_location(saving, *LTAP_VECTOR_AT(&saving->locations, const char *, i), error));
    return LTAP_OK;
}
