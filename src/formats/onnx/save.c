/* Saving pruned ONNX models: from what is needed to whole files, of which all appear or none. */
#include "formats/onnx/save.h"
#include "base/error.h"
#include <string.h>
#include <unistd.h>

/* What protobuf readers take. */
#define MAX_BYTES INT32_MAX

enum { N_MAPS = 8, MAX_SAVES = 2 };

static void list_maps(ltap_onnx_saving *saving, ltap_map *maps[N_MAPS])
{
    ltap_map *all[N_MAPS] = {&saving->made,
                             &saving->given,
                             &saving->starts,
                             &saving->needed,
                             &saving->taken,
                             &saving->node_names,
                             &saving->load.function_by_key,
                             &saving->load.external_by_location};
    memcpy(maps, all, sizeof(all));
}

static void init(ltap_onnx_saving *saving, const ltap_save *save, bool repack)
{
    ltap_memory *memory = save->source->memory;
    ltap_map *maps[N_MAPS];
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
    list_maps(saving, maps);
    for (size_t i = 0; i < N_MAPS; i++)
        ltap_map_init(maps[i], memory);
    ltap_vector_init(&saving->nodes, memory, sizeof(ltap_onnx_saved_node));
    ltap_vector_init(&saving->opened, memory, sizeof(ltap_onnx_opened *));
    ltap_vector_init(&saving->imports, memory, sizeof(ltap_onnx_import));
    ltap_vector_init(&saving->open, memory, sizeof(uint32_t));
    ltap_vector_init(&saving->locations, memory, sizeof(const char *));
    ltap_vector_init(&saving->blobs, memory, sizeof(ltap_onnx_blob));
    ltap_wire_out_init(&saving->out, &saving->arena);
}

static void clear(ltap_onnx_saving *saving)
{
    ltap_map *maps[N_MAPS];
    ltap_wire_out_clear(&saving->out);
    for (size_t i = 0; i < saving->opened.count; i++)
        ltap_map_clear(&(*LTAP_VECTOR_AT(&saving->opened, ltap_onnx_opened *, i))->bound);
    ltap_vector_clear(&saving->blobs);
    ltap_vector_clear(&saving->locations);
    ltap_vector_clear(&saving->open);
    ltap_vector_clear(&saving->imports);
    ltap_vector_clear(&saving->opened);
    ltap_vector_clear(&saving->nodes);
    list_maps(saving, maps);
    for (size_t i = 0; i < N_MAPS; i++)
        ltap_map_clear(maps[i]);
    ltap_vector_clear(&saving->load.externals);
    for (size_t i = 0; i < saving->source.files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&saving->source.files, ltap_file, i));
    ltap_vector_clear(&saving->source.files);
    ltap_arena_clear(&saving->load.scratch);
    ltap_arena_clear(&saving->arena);
}

/* --- the models ------------------------------------------------------------------------------ */

static ltap_status put_together(ltap_onnx_saving *saving, ltap_error *error)
{
    const char *path = saving->save->path, *slash = strrchr(path, '/');
    LTAP_TRY(ltap_arena_format(&saving->arena, &saving->data_path, error, "%s.data", path));
    LTAP_TRY(ltap_arena_format(&saving->arena, &saving->data_name, error, "%s.data",
                               slash ? slash + 1 : path));
    LTAP_TRY(ltap_onnx_saving_keep(saving, error));
    LTAP_TRY(ltap_onnx_saving_write(saving, error));
    return ltap_onnx_saving_check(saving, error);
}

static ltap_status refuse_size(const ltap_onnx_saving *saving, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "%s would have %llu bytes, more than the 2 GB that a protobuf file can "
                          "have%s",
                          saving->save->path, (unsigned long long)saving->out.bytes,
                          saving->repack ? ", and its weights are not in raw_data, from where they "
                                           "could be moved to a data file"
                                         : "; copy its weights to a data file (--external repack)");
}

/* saving: initialised, to be cleared, after an error too. */
static ltap_status prepare(ltap_onnx_saving *saving, const ltap_save *save, ltap_error *error)
{
    ltap_external external = save->options->external;
    init(saving, save, external == LTAP_EXTERNAL_REPACK);
    LTAP_TRY(put_together(saving, error));
    if (saving->out.bytes > MAX_BYTES && external == LTAP_EXTERNAL_AUTO) {
        clear(saving);
        init(saving, save, true);
        LTAP_TRY(put_together(saving, error));
    }
    return saving->out.bytes > MAX_BYTES ? refuse_size(saving, error) : LTAP_OK;
}

/* --- the files ------------------------------------------------------------------------------- */

/* A file on its way. */
typedef struct output {
    ltap_outfile file;
    const char *path;
    bool is_new, is_there; /* there was none of this name; it has the name now */
} output;

/* Data files first: a model that is there has its data. */
typedef struct outputs {
    output data[MAX_SAVES], models[MAX_SAVES];
} outputs;

static ltap_status open_output(const char *path, bool force, output *out, ltap_error *error)
{
    out->path = path;
    out->is_new = access(path, F_OK) != 0;
    return ltap_outfile_open(path, force, &out->file, error);
}

static ltap_status write_one(const ltap_onnx_saving *saving, output *data, output *model,
                             ltap_error *error)
{
    bool force = saving->save->options->force != 0;
    LTAP_TRY(open_output(saving->save->path, force, model, error));
    if (saving->blobs.count > 0)
        LTAP_TRY(open_output(saving->data_path, force, data, error));
    LTAP_TRY(ltap_wire_out_write(&saving->out, &model->file, error));
    return data->path ? ltap_onnx_saving_data(saving, &data->file, error) : LTAP_OK;
}

static ltap_status commit(output *out, ltap_error *error)
{
    if (!out->path)
        return LTAP_OK;
    LTAP_TRY(ltap_outfile_commit(&out->file, error));
    out->is_there = true;
    return LTAP_OK;
}

static ltap_status write_files(const ltap_onnx_saving *savings, size_t count, ltap_error *error)
{
    outputs all = {0};
    output *each = all.data;
    ltap_status status = LTAP_OK;
    for (size_t i = 0; i < MAX_SAVES; i++)
        all.data[i].file.descriptor = all.models[i].file.descriptor = -1;
    for (size_t i = 0; i < count; i++)
        LTAP_GO(write_one(&savings[i], &all.data[i], &all.models[i], error));
    for (size_t i = 0; i < count; i++)
        LTAP_GO(commit(&all.data[i], error));
    for (size_t i = 0; i < count; i++)
        LTAP_GO(commit(&all.models[i], error));
done:
    for (size_t i = 0; i < sizeof(all) / sizeof(output); i++) {
        if (status != LTAP_OK && each[i].is_there && each[i].is_new)
            unlink(each[i].path);
        ltap_outfile_close(&each[i].file);
    }
    return status;
}

ltap_status ltap_onnx_save(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                           ltap_error *error)
{
    ltap_onnx_saving savings[MAX_SAVES] = {{0}};
    ltap_status status = LTAP_OK;
    size_t n = 0;
    if (count == 2 && strcmp(saves[0].path, saves[1].path) == 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "both halves are to be %s; give one "
                              "another name",
                              saves[0].path);
    while (n < count && n < MAX_SAVES && status == LTAP_OK) {
        status = prepare(&savings[n], &saves[n], error);
        n++;
    }
    if (status == LTAP_OK)
        status = write_files(savings, n, error);
    for (size_t i = 0; i < n; i++) {
        if (status == LTAP_OK)
            pruned[i] = (ltap_pruned){.n_nodes = savings[i].n_kept,
                                      .n_nodes_before = savings[i].nodes.count,
                                      .bytes = savings[i].out.bytes,
                                      .data_bytes = savings[i].data_bytes};
        clear(&savings[i]);
    }
    return status;
}
