/* Selectors of hooks to points in bodies; see inside.h. */
#include "plan/inside.h"

#include "base/error.h"
#include "select/bodies.h"

#include <string.h>

static ltap_status refuse_several(const char *selector, const ltap_vector *ends, ltap_error *error)
{
    const ltap_inside_end *first = LTAP_VECTOR_AT(ends, ltap_inside_end, 0);
    const ltap_inside_end *last = LTAP_VECTOR_AT(ends, ltap_inside_end, ends->count - 1);

    return ltap_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER,
                          "'%s' is the name of %zu operations in bodies: '%s.%s'%s '%s.%s'; choose "
                          "one, or take a pattern",
                          selector, ends->count, first->inside->around, first->name,
                          ends->count > 2 ? ", ...," : ",", last->inside->around, last->name);
}

static ltap_status add(const ltap_getter *getter, const ltap_inside_end *end, bool before,
                       ltap_arena *arena, ltap_vector *points, ltap_error *error)
{
    const ltap_inside *inside = end->inside;
    ltap_inside_point point = {.kind = end->kind,
                               .body = inside->graph,
                               .node = inside->node->index,
                               .slot = end->slot,
                               .before = before};

    if (!getter->keep_original[inside->outer->index])
        return LTAP_OK;
    LTAP_TRY(ltap_arena_format(arena, &point.layer, error, "%s.%s", inside->around, end->name));
    if (before && strcmp(end->kind, "value") == 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "'%s' is a value, which reads nothing; hook it after, not before",
                              point.layer);
    return ltap_vector_push(points, &point, error);
}

static ltap_status add_all(const ltap_getter *getter, const char *selector, const ltap_vector *ends,
                           bool before, ltap_arena *arena, ltap_vector *points, ltap_error *error)
{
    size_t had = points->count;

    for (size_t i = 0; i < ends->count; i++)
        LTAP_TRY(
            add(getter, LTAP_VECTOR_AT(ends, ltap_inside_end, i), before, arena, points, error));
    if (ends->count && points->count == had)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' is not computed for what is asked for ('%s'%s); ask for what "
                              "its body belongs to as well",
                              selector, getter->layers[getter->n_layers - 1].layer,
                              getter->n_layers > 1 ? " and others" : "");
    return LTAP_OK;
}

ltap_status ltap_inside_find(const ltap_getter *getter, const char *selector, bool before,
                             ltap_arena *arena, ltap_vector *points, ltap_error *error)
{
    ltap_status status;
    ltap_vector found, ends;

    ltap_vector_init(&found, getter->memory, sizeof(ltap_inside));
    ltap_vector_init(&ends, getter->memory, sizeof(ltap_inside_end));
    LTAP_GO(ltap_bodies_walk(getter->model->graph, arena, &found, error));
    LTAP_GO(ltap_bodies_find(&found, selector, arena, &ends, error));
    if (ends.count > 1 && !strpbrk(selector, "*?"))
        status = refuse_several(selector, &ends, error);
    else
        status = add_all(getter, selector, &ends, before, arena, points, error);
done:
    ltap_vector_clear(&ends);
    ltap_vector_clear(&found);
    return status;
}
