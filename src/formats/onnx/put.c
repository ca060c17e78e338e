/* Messages that both writers put out, and what both ask of names. Field numbers are those of
 * onnx.proto. */
#include "formats/onnx/put.h"

#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <string.h>

enum { GRAPH_NODE = 1 };

/* --- names ----------------------------------------------------------------------------------- */

ltap_status ltap_onnx_fresh_name(ltap_arena *arena, ltap_map *map, const char *base,
                                 const char **name, ltap_error *error)
{
    uint32_t found;
    *name = base;
    for (unsigned i = 1; ltap_map_get(map, *name, strlen(*name), &found); i++)
        LTAP_TRY(ltap_arena_format(arena, name, error, "%s.%u", base, i));
    return ltap_map_set(map, *name, strlen(*name), 1, error);
}

ltap_status ltap_onnx_refuse_name(const ltap_saved_value *value, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "the name '%s' for '%s' belongs to another value of the network that is "
                          "kept; choose another: %s=NAME",
                          value->name, value->layer, value->layer);
}

ltap_status ltap_onnx_check_ends(const ltap_save *save, ltap_error *error)
{
    for (size_t i = 0; i < save->n_starts; i++)
        for (size_t k = 0; k < save->n_outputs; k++)
            if (strcmp(save->starts[i].name, save->outputs[k].name) == 0)
                return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                      "'%s' would be both an input and an output; give one another "
                                      "name",
                                      save->starts[i].name);
    return LTAP_OK;
}

/* --- types ----------------------------------------------------------------------------------- */

static ltap_status put_dims(ltap_wire_out *out, const ltap_type *type, ltap_error *error)
{
    size_t shape, dim;
    LTAP_TRY(ltap_wire_out_begin(out, 2, &shape, error));
    for (int i = 0; i < type->rank; i++) {
        LTAP_TRY(ltap_wire_out_begin(out, 1, &dim, error));
        if (type->dims[i].size >= 0)
            LTAP_TRY(ltap_wire_out_int(out, 1, (uint64_t)type->dims[i].size, error));
        else if (type->dims[i].symbol)
            LTAP_TRY(ltap_wire_out_text(out, 2, type->dims[i].symbol, error));
        LTAP_TRY(ltap_wire_out_end(out, dim, error));
    }
    return ltap_wire_out_end(out, shape, error);
}

/* TypeProto's field of a kind, and where in that the element's type is. */
static const struct {
    uint32_t field, element;
} kinds[] = {
    [LTAP_TYPE_TENSOR] = {1, 0}, [LTAP_TYPE_SEQUENCE] = {4, 1}, [LTAP_TYPE_MAP] = {5, 2},
    [LTAP_TYPE_SPARSE] = {8, 0}, [LTAP_TYPE_OPTIONAL] = {9, 1},
};

ltap_status ltap_onnx_put_type(ltap_wire_out *out, uint32_t number, const ltap_type *type,
                               ltap_error *error)
{
    enum { MAX_LEVELS = 2 * LTAP_ONNX_MAX_TYPE_DEPTH + 4 };
    size_t places[MAX_LEVELS], n = 0;
    for (; type && type->kind != LTAP_TYPE_UNKNOWN && n + 2 < MAX_LEVELS; type = type->element) {
        LTAP_TRY(ltap_wire_out_begin(out, number, &places[n++], error));
        LTAP_TRY(ltap_wire_out_begin(out, kinds[type->kind].field, &places[n++], error));
        number = kinds[type->kind].element;
        if (type->dtype != LTAP_UNDEFINED)
            LTAP_TRY(ltap_wire_out_int(out, 1, (uint64_t)type->dtype, error));
        if (number != 0)
            continue;
        if (type->rank >= 0)
            LTAP_TRY(put_dims(out, type, error));
        break;
    }
    while (n > 0)
        LTAP_TRY(ltap_wire_out_end(out, places[--n], error));
    return LTAP_OK;
}

ltap_status ltap_onnx_put_value(ltap_wire_out *out, uint32_t number, const char *name,
                                const ltap_type *type, ltap_error *error)
{
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, name, error));
    LTAP_TRY(ltap_onnx_put_type(out, 2, type, error));
    return ltap_wire_out_end(out, place, error);
}

/* --- nodes and what a model says of itself --------------------------------------------------- */

ltap_status ltap_onnx_put_identity(ltap_wire_out *out, ltap_map *node_names, const char *from,
                                   const char *to, const char *what, ltap_error *error)
{
    const char *name = NULL;
    size_t place;
    LTAP_TRY(ltap_arena_format(out->arena, &name, error, "layertap.%s", what));
    LTAP_TRY(ltap_onnx_fresh_name(out->arena, node_names, name, &name, error));
    LTAP_TRY(ltap_wire_out_begin(out, GRAPH_NODE, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, from, error));
    LTAP_TRY(ltap_wire_out_text(out, 2, to, error));
    LTAP_TRY(ltap_wire_out_text(out, 3, name, error));
    LTAP_TRY(ltap_wire_out_text(out, 4, "Identity", error));
    return ltap_wire_out_end(out, place, error);
}

ltap_status ltap_onnx_put_property(ltap_wire_out *out, uint32_t number, const char *key,
                                   const char *value, ltap_error *error)
{
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, key, error));
    LTAP_TRY(ltap_wire_out_text(out, 2, value, error));
    return ltap_wire_out_end(out, place, error);
}

ltap_status ltap_onnx_put_import(ltap_wire_out *out, uint32_t number, const char *domain,
                                 int64_t version, ltap_error *error)
{
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, number, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, domain, error));
    LTAP_TRY(ltap_wire_out_int(out, 2, (uint64_t)version, error));
    return ltap_wire_out_end(out, place, error);
}
