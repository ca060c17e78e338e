/* x[i, :, mask]: elements chosen by indices and masks of several axes, read and written. A mask
 * stands for the indices of what it lets through, a tensor for each of its axes.
 */
#include "formats/export/aten.h"

typedef struct subscript {
    ltap_operand indices[LTAP_MAX_RANK];
    int axes[LTAP_MAX_RANK]; /* that they are of, rising */
    int n, rank;             /* of them; of the indices once broadcast */
    bool together;           /* the axes are neighbours */
    ltap_operand mask;       /* where it is the only one */
} subscript;

static bool is_mask(ltap_operand index)
{
    return index.dtype == LTAP_BOOL || index.dtype == LTAP_UINT8;
}

static void add_index(ltap_program *p, subscript *of, ltap_operand index, int axis, int rank)
{
    if (axis >= rank) {
        ltap_program_refuse(p, "of more axes than %d", rank);
        return;
    }
    of->together &= of->n == 0 || of->axes[of->n - 1] == axis - 1;
    of->rank = index.rank > of->rank ? index.rank : of->rank;
    of->axes[of->n] = axis;
    of->indices[of->n++] = index;
}

/* Of places that NonZero found: those along one axis. */
static uint32_t places_along(ltap_program *p, uint32_t places, size_t axis)
{
    return ltap_emit_gather(p, "Gather", places, ltap_emit_number(p, (double)axis, LTAP_INT64), 0);
}

static void add_mask(ltap_program *p, subscript *of, ltap_operand mask, int axis, int rank)
{
    static const int64_t free_size = -1;
    uint32_t places = ltap_emit_one(p, "NonZero", mask.value);
    if (mask.rank == 0)
        ltap_program_refuse(p, "by a truth value");
    for (int i = 0; i < mask.rank && ltap_program_goes_on(p); i++) {
        uint32_t row = places_along(p, places, (size_t)i);
        add_index(p, of, (ltap_operand){row, LTAP_INT64, 1, &free_size}, axis + i, rank);
    }
}

static bool read_subscript(ltap_program *p, ltap_operand x, subscript *of)
{
    const ltap_operand *list;
    size_t count = ltap_arg_tensors(p, "indices", &list);
    int axis = 0, n_given = 0;
    of->together = true;
    of->mask.value = LTAP_NO_VALUE;
    for (size_t i = 0; i < count && ltap_program_goes_on(p); i++) {
        if (!ltap_operand_is_there(list[i])) {
            axis++;
            continue;
        }
        of->mask = n_given++ == 0 ? list[i] : (ltap_operand){.value = LTAP_NO_VALUE};
        if (is_mask(list[i]))
            add_mask(p, of, list[i], axis, x.rank);
        else
            add_index(p, of, list[i], axis, x.rank);
        axis += is_mask(list[i]) ? list[i].rank : 1;
    }
    if (of->n == 0)
        ltap_program_refuse(p, "without indices");
    else if (of->rank + x.rank - of->n >= LTAP_MAX_RANK)
        ltap_program_refuse(p, "with more than %d dimensions", LTAP_MAX_RANK - 1);
    if (!is_mask(of->mask))
        of->mask.value = LTAP_NO_VALUE;
    return ltap_program_goes_on(p);
}

/* Indices of all axes side by side in a new last axis. */
static uint32_t join_indices(ltap_program *p, const subscript *of)
{
    uint32_t parts[LTAP_MAX_RANK], sum = LTAP_NO_VALUE;
    for (int i = 0; i < of->n; i++) {
        const ltap_operand *index = &of->indices[i];
        parts[i] = ltap_emit_cast(p, index->value, index->dtype, LTAP_INT64);
        sum = i == 0 ? parts[i] : ltap_emit_two(p, "Add", sum, parts[i]);
    }
    uint32_t shape = of->n > 1 ? ltap_emit_shape(p, sum) : LTAP_NO_VALUE;
    for (int i = 0; i < of->n; i++) {
        if (of->n > 1)
            parts[i] = ltap_emit_two(p, "Expand", parts[i], shape);
        parts[i] = ltap_emit_unsqueeze(p, parts[i], of->rank);
    }
    return ltap_emit_concat(p, parts, (size_t)of->n, of->rank);
}

static bool is_indexed(const subscript *of, int axis)
{
    for (int i = 0; i < of->n; i++)
        if (of->axes[i] == axis)
            return true;
    return false;
}

/* Indexed axes first. */
static void front_order(const subscript *of, int rank, int64_t perm[LTAP_MAX_RANK])
{
    int n = 0;
    for (int i = 0; i < of->n; i++)
        perm[n++] = of->axes[i];
    for (int i = 0; i < rank; i++)
        if (!is_indexed(of, i))
            perm[n++] = i;
}

/* Axes of what is read, from where PyTorch has them to the indices' first: neighbours leave their
 * result where they were. */
static void result_order(const subscript *of, int rank, int64_t perm[LTAP_MAX_RANK])
{
    int first = of->together ? of->axes[0] : 0, n = 0;
    for (int i = 0; i < of->rank; i++)
        perm[n++] = first + i;
    for (int i = 0; i < first; i++)
        perm[n++] = i;
    for (int i = of->rank + first; i < rank; i++)
        perm[n++] = i;
}

static uint32_t reorder(ltap_program *p, uint32_t x, const int64_t *perm, int n, bool back)
{
    int64_t inverse[LTAP_MAX_RANK];
    bool same = true;
    for (int i = 0; i < n; i++) {
        inverse[perm[i]] = i;
        same &= perm[i] == i;
    }
    return same ? x : ltap_emit_transpose(p, x, back ? inverse : perm, n);
}

static void read_by(ltap_program *p)
{
    subscript of = {0};
    int64_t perm[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self");
    if (!read_subscript(p, x, &of))
        return;
    if (of.n == 1) {
        ltap_emit_result(p, 0,
                         ltap_emit_gather(p, "Gather", x.value, of.indices[0].value, of.axes[0]));
        return;
    }
    front_order(&of, x.rank, perm);
    uint32_t data = reorder(p, x.value, perm, x.rank, false);
    uint32_t y = ltap_emit_two(p, "GatherND", data, join_indices(p, &of));
    int rank = of.rank + x.rank - of.n;
    result_order(&of, rank, perm);
    ltap_emit_result(p, 0, reorder(p, y, perm, rank, true));
}

/* Values in the shape of what would be read, the axes of the indices first. */
static uint32_t values_for(ltap_program *p, const subscript *of, ltap_operand x, uint32_t indices)
{
    uint32_t front[LTAP_MAX_RANK], sizes[LTAP_MAX_RANK];
    int64_t perm[LTAP_MAX_RANK];
    int n = 0;
    ltap_operand values = ltap_arg_term(p, "values", x.dtype);
    uint32_t shape = ltap_emit_shape(p, indices);
    for (int i = 0; i < of->rank; i++)
        front[n++] = ltap_emit_slice(p, shape, ltap_emit_int(p, i), ltap_emit_int(p, i + 1), 0, 1);
    for (int i = 0; i < x.rank; i++)
        if (!is_indexed(of, i))
            front[n++] = ltap_emit_dim(p, x, i);
    result_order(of, n, perm);
    for (int i = 0; i < n; i++)
        sizes[perm[i]] = front[i];
    uint32_t part =
        ltap_emit_two(p, "Expand", values.value, ltap_emit_concat(p, sizes, (size_t)n, 0));
    return reorder(p, part, perm, n, false);
}

/* A number, or as much as is behind the mask, for every place that it lets through. */
static bool fills_mask(ltap_program *p, const subscript *of, ltap_operand x)
{
    ltap_operand values = ltap_arg_tensor(p, "values");
    int behind = x.rank - of->axes[of->n - 1] - 1;
    bool one = true;
    for (int i = 0; i < values.rank; i++)
        one &= values.dims[i] == 1;
    if (!ltap_operand_is_there(of->mask) || ltap_arg_bool(p, "accumulate", false) ||
        (values.rank > behind && !one))
        return false;
    uint32_t mask = ltap_emit_cast(p, of->mask.value, of->mask.dtype, LTAP_BOOL);
    for (int i = 0; i < behind; i++)
        mask = ltap_emit_unsqueeze(p, mask, of->mask.rank + i);
    uint32_t filling = ltap_emit_cast(p, values.value, values.dtype, x.dtype);
    if (one)
        filling = ltap_emit_reshape_to(p, filling, NULL, 0);
    ltap_emit_result(p, 0, ltap_emit_where(p, mask, filling, x.value));
    return true;
}

static void write_by(ltap_program *p)
{
    subscript of = {0};
    int64_t perm[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self");
    if (!read_subscript(p, x, &of) || fills_mask(p, &of, x))
        return;
    uint32_t indices = join_indices(p, &of), part = values_for(p, &of, x, indices);
    front_order(&of, x.rank, perm);
    uint32_t inputs[] = {reorder(p, x.value, perm, x.rank, false), indices, part};
    const char *reduction = ltap_arg_bool(p, "accumulate", false) ? "add" : NULL;
    uint32_t y = ltap_emit_scatter(p, "ScatterND", inputs, 0, reduction);
    ltap_emit_result(p, 0, reorder(p, y, perm, x.rank, true));
}

/* --- What a mask lets through. ---------------------------------------------------------------- */

static void nonzero(ltap_program *p)
{
    static const int64_t turned[] = {1, 0};
    uint32_t places = ltap_emit_one(p, "NonZero", ltap_arg_tensor(p, "self").value);
    ltap_emit_result(p, 0, ltap_emit_transpose(p, places, turned, 2));
}

/* A tensor of places for each axis. */
static void nonzero_apart(ltap_program *p)
{
    const char *name = ltap_arg_find(p, "condition") != NULL ? "condition" : "self";
    uint32_t places = ltap_emit_one(p, "NonZero", ltap_arg_tensor(p, name).value);
    for (size_t i = 0; i < p->n_results; i++)
        ltap_emit_result(p, i, places_along(p, places, i));
}

static void masked_select(ltap_program *p)
{
    uint32_t x = ltap_arg_tensor(p, "self").value;
    uint32_t mask = ltap_arg_term(p, "mask", LTAP_BOOL).value;
    x = ltap_emit_two(p, "Expand", x, ltap_emit_shape(p, mask));
    mask = ltap_emit_two(p, "Expand", mask, ltap_emit_shape(p, x));
    static const int64_t flat[] = {-1};
    ltap_emit_result(p, 0, ltap_emit_two(p, "Compress", x, ltap_emit_reshape_to(p, mask, flat, 1)));
}

/* The source's elements in order, each to the next place that the mask lets through. */
static void masked_scatter(ltap_program *p)
{
    static const int64_t flat[] = {-1};
    ltap_operand x = ltap_arg_tensor(p, "self"), source = ltap_arg_tensor(p, "source");
    uint32_t shape = ltap_emit_shape(p, x.value), one = ltap_emit_int(p, 1);
    uint32_t mask = ltap_emit_two(p, "Expand", ltap_arg_term(p, "mask", LTAP_BOOL).value, shape);
    uint32_t at = ltap_emit_cast(p, ltap_emit_reshape_to(p, mask, flat, 1), LTAP_BOOL, LTAP_INT64);
    at = ltap_emit_two(p, "CumSum", at, ltap_emit_number(p, 0, LTAP_INT64));
    at = ltap_emit_two(p, "Max", ltap_emit_two(p, "Sub", at, one), ltap_emit_int(p, 0));
    uint32_t row = ltap_emit_reshape_to(p, source.value, flat, 1);
    uint32_t part = ltap_emit_reshape(p, ltap_emit_gather(p, "Gather", row, at, 0), shape);
    ltap_emit_result(p, 0, ltap_emit_where(p, mask, part, x.value));
}

const ltap_aten_row ltap_aten_subscript[] = {
    {.name = "index.Tensor", .map = read_by},
    {.name = "_unsafe_index.Tensor", .map = read_by},
    {.name = "index_put", .map = write_by},
    {.name = "_unsafe_index_put", .map = write_by},
    {.name = "nonzero.default", .map = nonzero},
    {.name = "argwhere", .map = nonzero},
    {.name = "nonzero_numpy", .map = nonzero_apart},
    {.name = "where.default", .map = nonzero_apart},
    {.name = "masked_select", .map = masked_select},
    {.name = "masked_scatter", .map = masked_scatter},
    {0},
};
