/* From models put together to whole files, of which all appear or none. */
#include "formats/onnx/output.h"

#include "base/error.h"
#include "formats/onnx/put.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What protobuf readers take. */
#define MAX_BYTES INT32_MAX

enum { EXTERNAL_DATA = 13, DATA_LOCATION = 14 }; /* of TensorProto */

/* Larger blobs begin where a page of memory can. */
enum { PAGE = 4096, SMALL_ALIGNMENT = 64 };

void ltap_onnx_output_init(ltap_onnx_output *output, const ltap_save *save,
                           const ltap_source *source, bool repack, ltap_arena *arena)
{
    *output = (ltap_onnx_output){.save = save, .source = source, .repack = repack};
    ltap_vector_init(&output->blobs, arena->memory, sizeof(ltap_onnx_blob));
    ltap_wire_out_init(&output->model, arena);
}

void ltap_onnx_output_clear(ltap_onnx_output *output)
{
    ltap_wire_out_clear(&output->model);
    ltap_vector_clear(&output->blobs);
}

ltap_status ltap_onnx_output_name(ltap_onnx_output *output, ltap_error *error)
{
    const char *path = output->save->path, *slash = strrchr(path, '/');
    ltap_arena *arena = output->model.arena;
    LTAP_TRY(ltap_arena_format(arena, &output->data_path, error, "%s.data", path));
    return ltap_arena_format(arena, &output->data_name, error, "%s.data", slash ? slash + 1 : path);
}

/* --- the data file --------------------------------------------------------------------------- */

ltap_status ltap_onnx_output_place(ltap_onnx_output *output, const char *location, uint64_t offset,
                                   uint64_t bytes, ltap_error *error)
{
    ltap_wire_out *out = &output->model;
    const char *begin = NULL, *length = NULL;
    LTAP_TRY(ltap_arena_format(out->arena, &begin, error, "%" PRIu64, offset));
    LTAP_TRY(ltap_arena_format(out->arena, &length, error, "%" PRIu64, bytes));
    LTAP_TRY(ltap_onnx_put_property(out, EXTERNAL_DATA, "location", location, error));
    LTAP_TRY(ltap_onnx_put_property(out, EXTERNAL_DATA, "offset", begin, error));
    LTAP_TRY(ltap_onnx_put_property(out, EXTERNAL_DATA, "length", length, error));
    return ltap_wire_out_int(out, DATA_LOCATION, 1, error);
}

ltap_status ltap_onnx_output_move(ltap_onnx_output *output, const void *data, uint64_t bytes,
                                  ltap_error *error)
{
    uint64_t alignment = bytes < PAGE ? SMALL_ALIGNMENT : PAGE;
    ltap_onnx_blob blob = {data, (output->data_bytes + alignment - 1) / alignment * alignment,
                           bytes};
    output->data_bytes = blob.offset + bytes;
    LTAP_TRY(ltap_vector_push(&output->blobs, &blob, error));
    return ltap_onnx_output_place(output, output->data_name, blob.offset, bytes, error);
}

static ltap_status write_data(const ltap_onnx_output *output, ltap_outfile *file, ltap_error *error)
{
    enum { CHUNK = 8 << 20 };
    for (size_t i = 0; i < output->blobs.count; i++) {
        const ltap_onnx_blob *blob = LTAP_VECTOR_AT(&output->blobs, ltap_onnx_blob, i);
        for (uint64_t done = 0; done < blob->bytes; done += CHUNK) {
            uint64_t left = blob->bytes - done;
            const char *data = (const char *)blob->data + done;
            size_t bytes = (size_t)(left < CHUNK ? left : CHUNK);
            LTAP_TRY(ltap_outfile_write(file, blob->offset + done, data, bytes, error));
            for (size_t k = 0; k < output->source->files.count; k++)
                ltap_file_forget(LTAP_VECTOR_AT(&output->source->files, ltap_file, k), data, bytes);
        }
    }
    return LTAP_OK;
}

/* --- checks ---------------------------------------------------------------------------------- */

bool ltap_onnx_is_same_file(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

ltap_status ltap_onnx_path_beside(ltap_arena *arena, const char *path, bool is_folder,
                                  const char *location, const char **joined, ltap_error *error)
{
    const char *slash = is_folder ? path + strlen(path) : strrchr(path, '/');
    return ltap_arena_format(arena, joined, error, "%.*s%s%s", slash ? (int)(slash - path) : 0,
                             path, slash ? "/" : "", location);
}

ltap_status ltap_onnx_refuse_own(const char *path, const char *what, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_FILE, "%s is %s itself; give the output another name",
                          path, what);
}

ltap_status ltap_onnx_output_check(const ltap_onnx_output *output, ltap_error *error)
{
    const char *path = output->save->path, *model = output->save->source->path;
    if (model && ltap_onnx_is_same_file(model, path))
        return ltap_onnx_refuse_own(path, "the model", error);
    if (model && output->data_bytes > 0 && ltap_onnx_is_same_file(model, output->data_path))
        return ltap_onnx_refuse_own(output->data_path, "the model", error);
    return LTAP_OK;
}

/* --- the files ------------------------------------------------------------------------------- */

/* A file on its way. */
typedef struct pending {
    ltap_outfile file;
    const char *path;
    bool is_new, is_there; /* there was none of this name; it has the name now */
} pending;

/* Data files first: a model that is there has its data. */
typedef struct pending_files {
    pending data[LTAP_ONNX_MAX_OUTPUTS], models[LTAP_ONNX_MAX_OUTPUTS];
} pending_files;

static ltap_status open_file(const char *path, bool force, pending *out, ltap_error *error)
{
    out->path = path;
    out->is_new = access(path, F_OK) != 0;
    return ltap_outfile_open(path, force, &out->file, error);
}

static ltap_status write_one(const ltap_onnx_output *output, pending *data, pending *model,
                             ltap_error *error)
{
    bool force = output->save->options->force != 0;
    LTAP_TRY(open_file(output->save->path, force, model, error));
    if (output->blobs.count > 0)
        LTAP_TRY(open_file(output->data_path, force, data, error));
    LTAP_TRY(ltap_wire_out_write(&output->model, &model->file, error));
    return data->path ? write_data(output, &data->file, error) : LTAP_OK;
}

static ltap_status commit(pending *out, ltap_error *error)
{
    if (!out->path)
        return LTAP_OK;
    LTAP_TRY(ltap_outfile_commit(&out->file, error));
    out->is_there = true;
    return LTAP_OK;
}

static ltap_status write_files(ltap_onnx_output *const *outputs, size_t count, ltap_error *error)
{
    pending_files all = {0};
    pending *each = all.data;
    ltap_status status = LTAP_OK;
    for (size_t i = 0; i < LTAP_ONNX_MAX_OUTPUTS; i++)
        all.data[i].file.descriptor = all.models[i].file.descriptor = -1;
    for (size_t i = 0; i < count; i++)
        LTAP_GO(write_one(outputs[i], &all.data[i], &all.models[i], error));
    for (size_t i = 0; i < count; i++)
        LTAP_GO(commit(&all.data[i], error));
    for (size_t i = 0; i < count; i++)
        LTAP_GO(commit(&all.models[i], error));
done:
    for (size_t i = 0; i < sizeof(all) / sizeof(pending); i++) {
        if (status != LTAP_OK && each[i].is_there && each[i].is_new)
            unlink(each[i].path);
        ltap_outfile_close(&each[i].file);
    }
    return status;
}

/* --- from saves to files --------------------------------------------------------------------- */

static bool is_large(const ltap_onnx_output *output)
{
    return output->model.bytes > MAX_BYTES;
}

static ltap_status refuse_size(const ltap_onnx_output *output, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "%s would have %llu bytes, more than the 2 GB that a protobuf file can "
                          "have%s",
                          output->save->path, (unsigned long long)output->model.bytes,
                          output->repack ? ", and its weights are not in raw_data, from where they "
                                           "could be moved to a data file"
                                         : "; copy its weights to a data file (--external repack)");
}

/* work: to be cleared, after an error too. */
static ltap_status prepare(const ltap_onnx_writer *writer, void *work, const ltap_save *save,
                           ltap_error *error)
{
    const ltap_onnx_output *output = work;
    ltap_external external = save->options->external;
    writer->init(work, save, external == LTAP_EXTERNAL_REPACK);
    LTAP_TRY(writer->put_together(work, error));
    if (is_large(output) && external == LTAP_EXTERNAL_AUTO) {
        writer->clear(work);
        writer->init(work, save, true);
        LTAP_TRY(writer->put_together(work, error));
    }
    return is_large(output) ? refuse_size(output, error) : LTAP_OK;
}

static ltap_status check_paths(const ltap_save *saves, size_t count, ltap_error *error)
{
    if (count < 2 || strcmp(saves[0].path, saves[1].path) != 0)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "both halves are to be %s; give one another name", saves[0].path);
}

ltap_status ltap_onnx_outputs_write(const ltap_onnx_writer *writer, void *works,
                                    const ltap_save *saves, size_t count, ltap_pruned *pruned,
                                    ltap_error *error)
{
    ltap_onnx_output *outputs[LTAP_ONNX_MAX_OUTPUTS] = {NULL};
    ltap_status status = LTAP_OK;
    size_t n = 0;
    LTAP_TRY(check_paths(saves, count, error));
    while (n < count && n < LTAP_ONNX_MAX_OUTPUTS && status == LTAP_OK) {
        outputs[n] = (void *)((char *)works + n * writer->of_bytes);
        status = prepare(writer, outputs[n], &saves[n], error);
        n++;
    }
    if (status == LTAP_OK)
        status = write_files(outputs, n, error);
    for (size_t i = 0; i < n; i++) {
        if (status == LTAP_OK)
            pruned[i] = (ltap_pruned){.n_nodes = outputs[i]->n_nodes,
                                      .n_nodes_before = outputs[i]->n_nodes_before,
                                      .bytes = outputs[i]->model.bytes,
                                      .data_bytes = outputs[i]->data_bytes};
        writer->clear(outputs[i]);
    }
    return status;
}
