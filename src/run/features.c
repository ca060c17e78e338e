/* Making room for the answer; see features.h. */
#include "run/features.h"

#include "base/checked.h"
#include "base/error.h"

#include <string.h>

static ltap_status copy_text(ltap_arena *arena, const char *text, const char **copy,
                             ltap_error *error)
{
    return ltap_arena_text(arena, text, strlen(text), copy, error);
}

/* Memory for all of them, one after the other. */
static ltap_status take_data(ltap_features *made, ltap_error *error)
{
    uint64_t total = 0, end = 0;

    for (size_t i = 0; i < made->count; i++)
        if (!ltap_checked_round_up(ltap_tensor_bytes(&made->features[i].tensor), LTAP_ALIGNMENT,
                                   &end) ||
            !ltap_checked_add(total, end, &total))
            return ltap_error_set(error, LTAP_ERROR_MEMORY, "the features are too large");
    LTAP_TRY(ltap_memory_take(made->memory, total, "the features", &made->block, error));
    char *next = made->block;
    for (size_t i = 0; i < made->count; i++) {
        ltap_tensor *tensor = &made->features[i].tensor;
        tensor->data = next;
        (void)ltap_checked_round_up(ltap_tensor_bytes(tensor), LTAP_ALIGNMENT, &end);
        next += end;
    }
    return LTAP_OK;
}

static ltap_status fill(const ltap_getter *getter, const ltap_plan *plan, ltap_features *made,
                        ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_arena_take(&made->arena, getter->n_layers, sizeof(ltap_feature), &block, error));
    made->features = block;
    made->count = getter->n_layers;
    for (size_t i = 0; i < made->count; i++) {
        ltap_feature *feature = &made->features[i];
        LTAP_TRY(copy_text(&made->arena, getter->layers[i].name, &feature->name, error));
        LTAP_TRY(copy_text(&made->arena, getter->layers[i].layer, &feature->layer, error));
        LTAP_TRY(copy_text(&made->arena, getter->layers[i].kind, &feature->kind, error));
        feature->folded = getter->layers[i].folded;
        feature->tensor = plan->features[i];
        feature->missing = 1;
        feature->channels = plan->channels[i];
    }
    return LTAP_OK;
}

ltap_status ltap_features_new(const ltap_getter *getter, const ltap_plan *plan, bool with_data,
                              ltap_features **features, ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, 1, sizeof(ltap_features), "the features",
                                     &block, error));
    ltap_features *made = block;
    made->memory = ltap_memory_ref(getter->memory);
    ltap_arena_init(&made->arena, made->memory);
    ltap_status status = fill(getter, plan, made, error);
    if (status == LTAP_OK && with_data)
        status = take_data(made, error);
    if (status != LTAP_OK) {
        ltap_features_release(made);
        return status;
    }
    *features = made;
    return LTAP_OK;
}

ltap_status ltap_features_stop(ltap_features *features, const char *layer, ltap_error *error)
{
    for (size_t i = 0; i < features->count; i++)
        if (features->features[i].missing)
            features->features[i].tensor.data = NULL;
    return copy_text(&features->arena, layer, &features->stopped, error);
}

void ltap_features_release(ltap_features *features)
{
    if (!features)
        return;
    ltap_memory *memory = features->memory;
    ltap_memory_release(memory, features->block);
    ltap_arena_clear(&features->arena);
    ltap_memory_release(memory, features);
    ltap_memory_unref(memory);
}
