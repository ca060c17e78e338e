/* From a getter to what a format's writer wants: names, values, types. */
#include "plan/save.h"

#include "base/error.h"
#include "plan/infer.h"

#include <string.h>

static ltap_status find_types(const ltap_model *model, const uint32_t *values,
                              ltap_saved_value *saved, size_t count, ltap_arena *arena,
                              ltap_error *error)
{
    void *types;

    LTAP_TRY(ltap_arena_take(arena, count, sizeof(ltap_type), &types, error));
    LTAP_TRY(ltap_infer_types(model, values, count, arena, types, error));
    for (size_t i = 0; i < count; i++)
        saved[i].type = ((const ltap_type *)types)[i];
    return LTAP_OK;
}

static ltap_status fill_save(const ltap_save_part *part, const ltap_prune_options *options,
                             ltap_arena *arena, ltap_save *save, ltap_error *error)
{
    static const ltap_prune_options defaults;
    const ltap_model *model = part->model;

    LTAP_TRY(find_types(model, part->output_values, part->outputs, part->n_outputs, arena, error));
    LTAP_TRY(find_types(model, part->start_values, part->starts, part->n_starts, arena, error));
    *save = (ltap_save){.source = &model->source,
                        .graph = model->graph,
                        .path = part->path,
                        .options = options ? options : &defaults,
                        .outputs = part->outputs,
                        .starts = part->starts,
                        .n_outputs = part->n_outputs,
                        .n_starts = part->n_starts};
    return LTAP_OK;
}

ltap_status ltap_save_write(const ltap_save_part *parts, size_t count,
                            const ltap_prune_options *options, ltap_pruned *pruned,
                            ltap_error *error)
{
    const ltap_model *model = parts[0].model;
    ltap_pruned ignored[2];
    ltap_save saves[2];
    ltap_arena arena;
    ltap_status status = LTAP_OK;

    ltap_arena_init(&arena, model->memory);
    for (size_t i = 0; i < count && i < 2; i++)
        LTAP_GO(fill_save(&parts[i], options, &arena, &saves[i], error));
    LTAP_GO(ltap_format_save(saves, count, pruned ? pruned : ignored, error));
done:
    ltap_arena_clear(&arena);
    return status;
}

static ltap_status list_values(const ltap_getter_layer *layers, size_t count, ltap_arena *arena,
                               ltap_saved_value **list, ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_arena_take(arena, count, sizeof(ltap_saved_value), &block, error));
    *list = block;
    for (size_t i = 0; i < count; i++)
        (*list)[i] = (ltap_saved_value){
            .name = layers[i].name, .value = layers[i].value, .layer = layers[i].layer};
    return LTAP_OK;
}

ltap_status ltap_save_getter(const ltap_getter *getter, const char *path,
                             const ltap_prune_options *options, ltap_pruned *pruned,
                             ltap_error *error)
{
    ltap_save_part part = {.model = getter->model,
                           .output_values = getter->taps,
                           .start_values = getter->start_values,
                           .n_outputs = getter->n_layers,
                           .n_starts = getter->n_starts,
                           .path = path};
    ltap_arena arena;
    ltap_status status;

    if (getter->n_inputs == 0)
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "'%s' depends on no input of the model: nothing would be left to run",
                              getter->layers[0].layer);
    ltap_arena_init(&arena, getter->memory);
    LTAP_GO(list_values(getter->layers, getter->n_layers, &arena, &part.outputs, error));
    LTAP_GO(list_values(getter->starts, getter->n_starts, &arena, &part.starts, error));
    LTAP_GO(ltap_save_write(&part, 1, options, pruned, error));
done:
    ltap_arena_clear(&arena);
    return status;
}
