/* Saving a pruned ONNX model: from what is needed to one or two whole files. */
#include "formats/onnx/save.h"
#include "base/error.h"
#include <string.h>
#include <unistd.h>

/* What protobuf readers take. */
#define MAX_BYTES INT32_MAX

static void init(ltap_onnx_saving *saving, const ltap_save *save, bool repack)
{
    ltap_memory *memory = save->source->memory;
    ltap_map *maps[] = {&saving->made,
                        &saving->given,
                        &saving->starts,
                        &saving->needed,
                        &saving->taken,
                        &saving->node_names,
                        &saving->load.function_by_key,
                        &saving->load.external_by_location};
    memset(saving, 0, sizeof(*saving));
    saving->save = save;
    saving->repack = repack;
    saving->source = *save->source;
    ltap_vector_init(&saving->source.files, memory, sizeof(ltap_file));
    ltap_arena_init(&saving->arena, memory);
    saving->load.wire = (ltap_wire){save->source->data, save->source->size};
    saving->load.source = &saving->source;
    saving->load.arena = &saving->arena;
    ltap_arena_init(&saving->load.scratch, memory);
    ltap_onnx_externals_init(&saving->load);
    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
        ltap_map_init(maps[i], memory);
    ltap_vector_init(&saving->open, memory, sizeof(uint32_t));
    ltap_vector_init(&saving->locations, memory, sizeof(const char *));
    ltap_vector_init(&saving->blobs, memory, sizeof(ltap_onnx_blob));
    ltap_wire_out_init(&saving->out, &saving->arena);
}

static void clear(ltap_onnx_saving *saving)
{
    ltap_map *maps[] = {&saving->made,
                        &saving->given,
                        &saving->starts,
                        &saving->needed,
                        &saving->taken,
                        &saving->node_names,
                        &saving->load.function_by_key,
                        &saving->load.external_by_location};
    ltap_wire_out_clear(&saving->out);
    ltap_vector_clear(&saving->blobs);
    ltap_vector_clear(&saving->locations);
    ltap_vector_clear(&saving->open);
    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
        ltap_map_clear(maps[i]);
    ltap_vector_clear(&saving->load.externals);
    for (size_t i = 0; i < saving->source.files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&saving->source.files, ltap_file, i));
    ltap_vector_clear(&saving->source.files);
    ltap_arena_clear(&saving->load.scratch);
    ltap_arena_clear(&saving->arena);
}

static ltap_status prepare(ltap_onnx_saving *saving, ltap_error *error)
{
    const char *path = saving->save->path, *slash = strrchr(path, '/');
    LTAP_TRY(ltap_arena_format(&saving->arena, &saving->data_path, error, "%s.data", path));
    LTAP_TRY(ltap_arena_format(&saving->arena, &saving->data_name, error, "%s.data",
                               slash ? slash + 1 : path));
    LTAP_TRY(ltap_onnx_saving_keep(saving, error));
    LTAP_TRY(ltap_onnx_saving_write(saving, error));
    return ltap_onnx_saving_check(saving, error);
}

/* The data file first: a model that is there has its data. */
static ltap_status write_files(const ltap_onnx_saving *saving, ltap_error *error)
{
    bool force = saving->save->options->force != 0;
    ltap_outfile model = {.descriptor = -1}, data = {.descriptor = -1};
    ltap_status status;
    LTAP_GO(ltap_outfile_open(saving->save->path, force, &model, error));
    LTAP_GO(ltap_wire_out_write(&saving->out, &model, error));
    if (saving->blobs.count > 0) {
        bool was_there = access(saving->data_path, F_OK) == 0;
        LTAP_GO(ltap_outfile_open(saving->data_path, force, &data, error));
        LTAP_GO(ltap_onnx_saving_data(saving, &data, error));
        LTAP_GO(ltap_outfile_commit(&data, error));
        status = ltap_outfile_commit(&model, error);
        if (status != LTAP_OK && !was_there)
            unlink(saving->data_path);
        goto done;
    }
    LTAP_GO(ltap_outfile_commit(&model, error));
done:
    ltap_outfile_close(&model);
    ltap_outfile_close(&data);
    return status;
}

static ltap_status save_one(ltap_onnx_saving *saving, ltap_pruned *pruned, bool *too_large,
                            ltap_error *error)
{
    LTAP_TRY(prepare(saving, error));
    *too_large = saving->out.bytes > MAX_BYTES;
    if (*too_large)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "the pruned model has %llu bytes, more than the 2 GB that a protobuf "
                              "file can have; copy its weights to a data file (--external repack)",
                              (unsigned long long)saving->out.bytes);
    LTAP_TRY(write_files(saving, error));
    *pruned = (ltap_pruned){.n_nodes = saving->n_kept,
                            .n_nodes_before = saving->graph.nodes.count,
                            .bytes = saving->out.bytes,
                            .data_bytes = saving->data_bytes};
    return LTAP_OK;
}

ltap_status ltap_onnx_save(const ltap_save *save, ltap_pruned *pruned, ltap_error *error)
{
    ltap_onnx_saving saving;
    bool too_large = false;
    init(&saving, save, save->options->external == LTAP_EXTERNAL_REPACK);
    ltap_status status = save_one(&saving, pruned, &too_large, error);
    clear(&saving);
    if (too_large && save->options->external == LTAP_EXTERNAL_AUTO) {
        init(&saving, save, true);
        status = save_one(&saving, pruned, &too_large, error);
        clear(&saving);
    }
    return status;
}
