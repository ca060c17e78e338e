/* A request put in order: patterns become return layers, each named by its own path; reductions are
 * cut off their names.
 */
#include "plan/request.h"

#include "base/error.h"
#include <string.h>

typedef struct expansion {
    ltap_pattern_search search;
    ltap_arena *arena;
    ltap_vector *wanted;
    ltap_vector names; /* const char *: of the pattern at hand */
    ltap_map taken;    /* output names so far */
} expansion;

static const char *key_of(const ltap_return_layer *layer)
{
    return layer->name != NULL ? layer->name : layer->layer;
}

/* "feat@gap": the name, "@@" in it made '@', or NULL where it is empty; the reductions. */
static ltap_status cut_name(const char *text, ltap_arena *arena, ltap_wanted *wanted,
                            ltap_error *error)
{
    const char *rest = "";
    size_t bytes = 0;
    void *copy;

    if (!text)
        return ltap_reduce_read("", &wanted->reduce, error);
    LTAP_TRY(ltap_arena_take(arena, strlen(text) + 1, 1, &copy, error));
    char *name = copy;
    for (; *text && !*rest; text++) {
        if (*text == '@' && text[1] != '@')
            rest = text[1] ? text + 1 : text;
        else if (*text == '@')
            text++;
        if (!*rest)
            name[bytes++] = *text;
    }
    name[bytes] = 0;
    wanted->layer.name = bytes ? name : NULL;
    LTAP_TRY(ltap_arena_text(arena, rest, strlen(rest), &rest, error));
    return ltap_reduce_read(rest, &wanted->reduce, error);
}

static ltap_status push(expansion *to, const ltap_wanted *wanted, ltap_error *error)
{
    const char *key = key_of(&wanted->layer);

    LTAP_TRY(ltap_map_set(&to->taken, key, strlen(key), 1, error));
    return ltap_vector_push(to->wanted, wanted, error);
}

/* With the places of what is ordered behind it. */
static ltap_status add(expansion *to, const ltap_wanted *wanted, ltap_error *error)
{
    const char *topk = ltap_reduce_topk_in(&wanted->reduce), *text;
    ltap_wanted places = *wanted;

    LTAP_TRY(push(to, wanted, error));
    if (!topk)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_format(to->arena, &text, error, "%.*stopk-indices%.*s",
                               (int)(topk - wanted->reduce.text), wanted->reduce.text,
                               (int)strcspn(topk + strlen("topk"), "@"), topk + strlen("topk")));
    LTAP_TRY(ltap_reduce_read(text, &places.reduce, error));
    LTAP_TRY(ltap_arena_format(to->arena, &places.layer.name, error, "%s.indices",
                               key_of(&wanted->layer)));
    return push(to, &places, error);
}

static ltap_status add_pattern(expansion *to, const ltap_wanted *given, ltap_error *error)
{
    const ltap_return_layer *asked = &given->layer;
    bool named = asked->name != NULL && strcmp(asked->name, asked->layer) != 0;
    if (named && to->names.count > 1)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "'%s' stands for %zu layers, which cannot all be called '%s'; without a "
            "name, each is called by its own path",
            asked->layer, to->names.count, asked->name);
    for (size_t i = 0; i < to->names.count; i++) {
        const char *name = *LTAP_VECTOR_AT(&to->names, const char *, i);
        uint32_t before;
        ltap_wanted wanted = {{name, named ? asked->name : NULL}, given->reduce};
        if (!ltap_map_get(&to->taken, key_of(&wanted.layer), strlen(key_of(&wanted.layer)),
                          &before))
            LTAP_TRY(add(to, &wanted, error));
    }
    return LTAP_OK;
}

static ltap_status expand(expansion *to, const ltap_return_layer *given, size_t n_given,
                          bool literal, ltap_error *error)
{
    for (size_t i = 0; i < n_given; i++) {
        ltap_wanted wanted = {.layer = given[i]};
        bool several;
        to->names.count = 0;
        LTAP_TRY(cut_name(literal ? NULL : given[i].name, to->arena, &wanted, error));
        LTAP_TRY(ltap_select_several(&to->search, given[i].layer, to->arena, &to->names, &several,
                                     error));
        LTAP_TRY(several ? add_pattern(to, &wanted, error) : add(to, &wanted, error));
    }
    return LTAP_OK;
}

ltap_status ltap_request_expand(const ltap_model *model, const ltap_return_layer *given,
                                size_t n_given, ltap_calls calls, bool literal, ltap_arena *arena,
                                ltap_vector *wanted, ltap_error *error)
{
    expansion to = {.search = {model->layers, &model->listed, model->info.name, calls},
                    .arena = arena,
                    .wanted = wanted};
    ltap_vector_init(&to.names, model->memory, sizeof(const char *));
    ltap_map_init(&to.taken, model->memory);
    ltap_status status = expand(&to, given, n_given, literal, error);
    ltap_map_clear(&to.taken);
    ltap_vector_clear(&to.names);
    return status;
}
