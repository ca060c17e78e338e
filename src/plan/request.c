/* Patterns of a request become return layers, each named by its own path. */
#include "plan/request.h"

#include "base/error.h"
#include <string.h>

typedef struct expansion {
    ltap_pattern_search search;
    ltap_arena *arena;
    ltap_vector *layers;
    ltap_vector names; /* const char *: of the pattern at hand */
    ltap_map taken;    /* output names so far */
} expansion;

static const char *key_of(const ltap_return_layer *layer)
{
    return layer->name != NULL ? layer->name : layer->layer;
}

static ltap_status add(expansion *to, ltap_return_layer layer, ltap_error *error)
{
    const char *key = key_of(&layer);
    LTAP_TRY(ltap_map_set(&to->taken, key, strlen(key), 1, error));
    return ltap_vector_push(to->layers, &layer, error);
}

static ltap_status add_pattern(expansion *to, const ltap_return_layer *given, ltap_error *error)
{
    bool named = given->name != NULL && strcmp(given->name, given->layer) != 0;
    if (named && to->names.count > 1)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "'%s' stands for %zu layers, which cannot all be called '%s'; without a "
            "name, each is called by its own path",
            given->layer, to->names.count, given->name);
    for (size_t i = 0; i < to->names.count; i++) {
        const char *name = *LTAP_VECTOR_AT(&to->names, const char *, i);
        uint32_t before;
        ltap_return_layer layer = {name, named ? given->name : NULL};
        if (!ltap_map_get(&to->taken, key_of(&layer), strlen(key_of(&layer)), &before))
            LTAP_TRY(add(to, layer, error));
    }
    return LTAP_OK;
}

static ltap_status expand(expansion *to, const ltap_return_layer *given, size_t n_given,
                          ltap_error *error)
{
    for (size_t i = 0; i < n_given; i++) {
        bool several;
        to->names.count = 0;
        LTAP_TRY(ltap_select_several(&to->search, given[i].layer, to->arena, &to->names, &several,
                                     error));
        LTAP_TRY(several ? add_pattern(to, &given[i], error) : add(to, given[i], error));
    }
    return LTAP_OK;
}

ltap_status ltap_request_expand(const ltap_model *model, const ltap_return_layer *given,
                                size_t n_given, ltap_calls calls, ltap_arena *arena,
                                ltap_vector *layers, ltap_error *error)
{
    expansion to = {.search = {model->layers, &model->listed, model->info.name, calls},
                    .arena = arena,
                    .layers = layers};
    ltap_vector_init(&to.names, model->memory, sizeof(const char *));
    ltap_map_init(&to.taken, model->memory);
    ltap_status status = expand(&to, given, n_given, error);
    ltap_map_clear(&to.taken);
    ltap_vector_clear(&to.names);
    return status;
}
