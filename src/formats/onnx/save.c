/* Saving pruned ONNX models: from what is needed to whole files, of which all appear or none. */
#include "formats/onnx/save.h"
#include "base/error.h"
#include <string.h>

enum { N_MAPS = 8 };

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

static void init(void *work, const ltap_save *save, bool repack)
{
    ltap_onnx_saving *saving = work;
    ltap_memory *memory = save->source->memory;
    ltap_map *maps[N_MAPS];
    memset(saving, 0, sizeof(*saving));
    saving->save = save;
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
    ltap_onnx_output_init(&saving->to, save, &saving->source, repack, &saving->arena);
}

static void clear(void *work)
{
    ltap_onnx_saving *saving = work;
    ltap_map *maps[N_MAPS];
    ltap_onnx_output_clear(&saving->to);
    for (size_t i = 0; i < saving->opened.count; i++)
        ltap_map_clear(&(*LTAP_VECTOR_AT(&saving->opened, ltap_onnx_opened *, i))->bound);
    ltap_vector_clear(&saving->locations);
    ltap_vector_clear(&saving->open);
    ltap_vector_clear(&saving->imports);
    ltap_vector_clear(&saving->opened);
    ltap_vector_clear(&saving->nodes);
    list_maps(saving, maps);
    for (size_t i = 0; i < N_MAPS; i++)
        ltap_map_clear(maps[i]);
    ltap_vector_clear(&saving->load.externals);
    ltap_source_clear(&saving->source);
    ltap_arena_clear(&saving->load.scratch);
    ltap_arena_clear(&saving->arena);
}

/* --- the models ------------------------------------------------------------------------------ */

static ltap_status put_together(void *work, ltap_error *error)
{
    ltap_onnx_saving *saving = work;
    LTAP_TRY(ltap_onnx_output_name(&saving->to, error));
    LTAP_TRY(ltap_onnx_saving_keep(saving, error));
    LTAP_TRY(ltap_onnx_saving_write(saving, error));
    saving->to.n_nodes_before = saving->nodes.count;
    return ltap_onnx_saving_check(saving, error);
}

ltap_status ltap_onnx_save(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                           ltap_error *error)
{
    static const ltap_onnx_writer writer = {sizeof(ltap_onnx_saving), init, put_together, clear};
    ltap_onnx_saving works[LTAP_ONNX_MAX_OUTPUTS];
    return ltap_onnx_outputs_write(&writer, works, saves, count, pruned, error);
}
