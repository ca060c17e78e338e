/* Elements chosen by tensors of indices. */
#include "formats/export/aten.h"

#include <string.h>

static uint32_t gather_with(ltap_program *p, const char *op_type, uint32_t data, uint32_t indices,
                            int axis)
{
    uint32_t inputs[] = {data, indices};
    ltap_attr attr = LTAP_ATTR_I("axis", axis);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = op_type, .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
        NULL);
}

static void embedding(ltap_program *p)
{
    ltap_operand weight = ltap_arg_tensor(p, "weight"), indices = ltap_arg_tensor(p, "indices");
    ltap_emit_result(p, 0, gather_with(p, "Gather", weight.value, indices.value, 0));
}

static void index_select(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, gather_with(p, "Gather", x.value, index.value, axis));
}

static void gather(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, gather_with(p, "GatherElements", x.value, index.value, axis));
}

/* Windows of an axis, which go to the end: x.unfold(axis, size, step). */
static void unfold(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int axis = ltap_arg_axis(p, "dimension", 0, x.rank);
    int64_t size = ltap_arg_int(p, "size", 1), step = ltap_arg_int(p, "step", 1);
    int64_t perm[LTAP_MAX_RANK];
    void *block = NULL;
    if (x.rank == 0 || x.rank >= LTAP_MAX_RANK || size < 1 || step < 1 || x.dims[axis] < size) {
        ltap_program_refuse(p, "of a size that is free");
        return;
    }
    int64_t count = (x.dims[axis] - size) / step + 1, shape[] = {count, size};
    if (count > (1 << 24) / size) {
        ltap_program_refuse(p, "of too many windows");
        return;
    }
    ltap_program_take(p, ltap_arena_take(p->scratch, (uint64_t)(count * size), sizeof(int64_t),
                                         &block, p->error));
    if (!ltap_program_goes_on(p))
        return;
    for (int64_t i = 0; i < count * size; i++)
        ((int64_t *)block)[i] = i / size * step + i % size;
    uint32_t places = ltap_emit_ints(p, block, (size_t)(count * size));
    places = ltap_emit_reshape_to(p, places, shape, 2);
    uint32_t y = gather_with(p, "Gather", x.value, places, axis);
    for (int i = 0; i <= x.rank; i++)
        perm[i] = i <= axis ? i : i < x.rank ? i + 1 : axis + 1;
    ltap_emit_result(p, 0, ltap_emit_transpose(p, y, perm, x.rank + 1));
}

static void take_along(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), indices = ltap_arg_tensor(p, "indices");
    if (ltap_arg_find(p, "dim") == NULL || indices.rank != x.rank)
        ltap_program_refuse(p, "without an axis");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, gather_with(p, "GatherElements", x.value, indices.value, axis));
}

static void scatter(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    bool adds = strcmp(p->row->op_type, "add") == 0;
    bool number = ltap_arg_find(p, "value") != NULL;
    ltap_operand source = ltap_arg_term(p, number ? "value" : "src", x.dtype);
    uint32_t part = source.value;
    if (number)
        part = ltap_emit_two(p, "Expand", part, ltap_emit_shape(p, index.value));
    if (ltap_arg_find(p, "reduce") != NULL)
        ltap_program_refuse(p, "with a reduction");
    uint32_t inputs[] = {x.value, index.value, part};
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis), LTAP_ATTR_S("reduction", "add")};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "ScatterElements",
                                                .inputs = inputs,
                                                .n_inputs = 3,
                                                .attrs = attrs,
                                                .n_attrs = adds ? 2 : 1},
                               NULL));
}

/* --- x[i, :, j]: some axes are indexed. ------------------------------------------------------- */

typedef struct indexing {
    const ltap_operand *indices; /* per axis; none: the axis stays */
    int axes[LTAP_MAX_RANK];     /* indexed ones */
    int n, rank;                 /* of them; of the indices once broadcast */
    bool together;               /* the axes are neighbours */
} indexing;

static bool read_indexing(ltap_program *p, ltap_operand x, indexing *of)
{
    size_t count = ltap_arg_tensors(p, "indices", &of->indices);
    of->together = true;
    for (size_t i = 0; i < count && i < (size_t)x.rank; i++) {
        const ltap_operand *index = &of->indices[i];
        if (!ltap_operand_is_there(*index))
            continue;
        if (index->dtype == LTAP_BOOL || index->dtype == LTAP_UINT8)
            ltap_program_refuse(p, "by a mask: the size depends on data");
        of->together &= of->n == 0 || of->axes[of->n - 1] == (int)i - 1;
        of->rank = index->rank > of->rank ? index->rank : of->rank;
        of->axes[of->n++] = (int)i;
    }
    if (of->n == 0 || count > (size_t)x.rank)
        ltap_program_refuse(p, "without indices that fit");
    return ltap_program_goes_on(p);
}

/* Indices of all axes side by side in a new last axis. */
static uint32_t join_indices(ltap_program *p, const indexing *of)
{
    uint32_t parts[LTAP_MAX_RANK], sum = LTAP_NO_VALUE;
    if (of->n == 1) {
        const ltap_operand *index = &of->indices[of->axes[0]];
        return ltap_emit_unsqueeze(p, ltap_emit_cast(p, index->value, index->dtype, LTAP_INT64),
                                   index->rank);
    }
    for (int i = 0; i < of->n; i++) {
        const ltap_operand *index = &of->indices[of->axes[i]];
        parts[i] = ltap_emit_cast(p, index->value, index->dtype, LTAP_INT64);
        sum = i == 0 ? parts[i] : ltap_emit_two(p, "Add", sum, parts[i]);
    }
    uint32_t shape = ltap_emit_shape(p, sum);
    for (int i = 0; i < of->n; i++)
        parts[i] = ltap_emit_unsqueeze(p, ltap_emit_two(p, "Expand", parts[i], shape), of->rank);
    return ltap_emit_concat(p, parts, (size_t)of->n, of->rank);
}

static bool is_indexed(const indexing *of, int axis)
{
    for (int i = 0; i < of->n; i++)
        if (of->axes[i] == axis)
            return true;
    return false;
}

/* Indexed axes first. */
static void front_order(const indexing *of, int rank, int64_t perm[LTAP_MAX_RANK])
{
    int n = 0;
    for (int i = 0; i < of->n; i++)
        perm[n++] = of->axes[i];
    for (int i = 0; i < rank; i++)
        if (!is_indexed(of, i))
            perm[n++] = i;
}

static bool is_identity(const int64_t *perm, int n)
{
    for (int i = 0; i < n; i++)
        if (perm[i] != i)
            return false;
    return true;
}

static void index_by(ltap_program *p)
{
    indexing of = {0};
    int64_t perm[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self");
    if (!read_indexing(p, x, &of))
        return;
    if (of.n == 1) {
        const ltap_operand *index = &of.indices[of.axes[0]];
        ltap_emit_result(p, 0, gather_with(p, "Gather", x.value, index->value, of.axes[0]));
        return;
    }
    front_order(&of, x.rank, perm);
    uint32_t data =
        is_identity(perm, x.rank) ? x.value : ltap_emit_transpose(p, x.value, perm, x.rank);
    uint32_t y = ltap_emit_two(p, "GatherND", data, join_indices(p, &of));
    int rank = of.rank + x.rank - of.n;
    if (of.together && of.axes[0] > 0) { /* neighbours leave their result where they were */
        int first = of.axes[0], n = 0;
        for (int i = 0; i < first; i++)
            perm[n++] = of.rank + i;
        for (int i = 0; i < of.rank; i++)
            perm[n++] = i;
        for (int i = of.rank + first; i < rank; i++)
            perm[n++] = i;
        y = ltap_emit_transpose(p, y, perm, rank);
    }
    ltap_emit_result(p, 0, y);
}

/* Only where the first axes are indexed, which is where ScatterND writes. */
static void index_put(ltap_program *p)
{
    indexing of = {0};
    ltap_operand x = ltap_arg_tensor(p, "self"), values = ltap_arg_tensor(p, "values");
    if (!read_indexing(p, x, &of))
        return;
    if (!of.together || of.axes[0] != 0) {
        ltap_program_refuse(p, "of other axes than the first");
        return;
    }
    uint32_t indices = join_indices(p, &of);
    uint32_t sizes[LTAP_MAX_RANK + 1];
    size_t n = 0;
    sizes[n++] = ltap_emit_slice(p, ltap_emit_shape(p, indices), ltap_emit_int(p, 0),
                                 ltap_emit_int(p, -1), 0, 1);
    for (int i = of.n; i < x.rank; i++)
        sizes[n++] = ltap_emit_dim(p, x, i);
    uint32_t part = ltap_emit_cast(p, values.value, values.dtype, x.dtype);
    part = ltap_emit_two(p, "Expand", part, ltap_emit_concat(p, sizes, n, 0));
    uint32_t inputs[] = {x.value, indices, part};
    ltap_attr attr = LTAP_ATTR_S("reduction", "add");
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "ScatterND",
                                                .inputs = inputs,
                                                .n_inputs = 3,
                                                .attrs = &attr,
                                                .n_attrs = ltap_arg_bool(p, "accumulate", false)},
                               NULL));
}

const ltap_aten_row ltap_aten_index[] = {
    {.name = "embedding", .map = embedding},
    {.name = "index_select", .map = index_select},
    {.name = "unfold", .map = unfold, .flags = LTAP_ATEN_VIEW},
    {.name = "take_along_dim", .map = take_along},
    {.name = "gather", .map = gather},
    {.name = "scatter.src", .map = scatter, .op_type = "set"},
    {.name = "scatter.value", .map = scatter, .op_type = "set"},
    {.name = "scatter_add", .map = scatter, .op_type = "add"},
    {.name = "index.Tensor", .map = index_by},
    {.name = "_unsafe_index", .map = index_by},
    {.name = "index_put", .map = index_put},
    {.name = "_unsafe_index_put", .map = index_put},
    {0},
};
