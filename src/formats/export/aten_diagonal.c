/* Diagonals of the last two axes, read and made. Rows and columns are of sizes in the file. */
#include "formats/export/aten.h"

#define MAX_ELEMENTS (1 << 24)

/* Of a matrix of a times b: where its diagonal stands in a row of all elements. */
static uint32_t places(ltap_program *p, int64_t a, int64_t b, int64_t offset)
{
    int64_t row = offset < 0 ? -offset : 0, column = offset > 0 ? offset : 0;
    int64_t n = a - row < b - column ? a - row : b - column;
    void *block = NULL;
    n = n < 0 ? 0 : n;
    ltap_program_take(
        p, ltap_arena_take(p->scratch, (uint64_t)n + 1, sizeof(int64_t), &block, p->error));
    if (!ltap_program_goes_on(p))
        return LTAP_NO_VALUE;
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)block)[i] = (row + i) * b + column + i;
    return ltap_emit_ints(p, block, (size_t)n);
}

/* Axes a and b last, the others before them. */
static void put_last(int rank, int a, int b, int64_t perm[LTAP_MAX_RANK])
{
    int n = 0;
    for (int i = 0; i < rank; i++)
        if (i != a && i != b)
            perm[n++] = i;
    perm[n++] = a;
    perm[n] = b;
}

typedef struct matrices {
    ltap_operand x;
    int64_t perm[LTAP_MAX_RANK]; /* the two axes last */
    uint32_t rows, places;       /* elements of each matrix in a row; the diagonal's */
} matrices;

static bool read_matrices(ltap_program *p, matrices *of, ltap_operand x, int a, int b,
                          int64_t offset)
{
    uint32_t sizes[LTAP_MAX_RANK];
    if (x.rank < 2 || a == b)
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
    else if (x.dims[a] < 0 || x.dims[b] < 0 || x.dims[a] > MAX_ELEMENTS ||
             x.dims[b] > MAX_ELEMENTS || offset < -MAX_ELEMENTS || offset > MAX_ELEMENTS)
        ltap_program_refuse(p, "of a matrix whose size is free");
    if (!ltap_program_goes_on(p))
        return false;
    of->x = x;
    put_last(x.rank, a, b, of->perm);
    for (int i = 0; i < x.rank - 2; i++)
        sizes[i] = ltap_emit_dim(p, x, (int)of->perm[i]);
    sizes[x.rank - 2] = ltap_emit_int(p, x.dims[a] * x.dims[b]);
    uint32_t y = ltap_emit_transpose(p, x.value, of->perm, x.rank);
    of->rows = ltap_emit_reshape(p, y, ltap_emit_concat(p, sizes, (size_t)x.rank - 1, 0));
    of->places = places(p, x.dims[a], x.dims[b], offset);
    return ltap_program_goes_on(p);
}

static uint32_t diagonal_of(ltap_program *p, ltap_operand x, int a, int b, int64_t offset)
{
    matrices of;
    if (!read_matrices(p, &of, x, a, b, offset))
        return LTAP_NO_VALUE;
    return ltap_emit_gather(p, "Gather", of.rows, of.places, x.rank - 2);
}

/* x with part in place of its diagonal. */
static uint32_t replace_diagonal(ltap_program *p, ltap_operand x, uint32_t part)
{
    matrices of;
    int64_t inverse[LTAP_MAX_RANK];
    int a = ltap_arg_axis(p, "dim1", 0, x.rank), b = ltap_arg_axis(p, "dim2", 1, x.rank);
    if (!read_matrices(p, &of, x, a, b, ltap_arg_int(p, "offset", 0)))
        return part;
    uint32_t shape = ltap_emit_shape(p, ltap_emit_transpose(p, x.value, of.perm, x.rank));
    uint32_t at = ltap_emit_two(p, "Expand", of.places, ltap_emit_shape(p, part));
    uint32_t inputs[] = {of.rows, at, part};
    uint32_t y = ltap_emit_scatter(p, "ScatterElements", inputs, x.rank - 2, NULL);
    for (int i = 0; i < x.rank; i++)
        inverse[of.perm[i]] = i;
    return ltap_emit_transpose(p, ltap_emit_reshape(p, y, shape), inverse, x.rank);
}

static uint32_t back_to_diagonal(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    return replace_diagonal(p, ltap_operand_of(ltap_program_at(p, view->base)), part);
}

static void diagonal_scatter(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), part = ltap_arg_tensor(p, "src");
    ltap_emit_result(p, 0, replace_diagonal(p, x, part.value));
}

static void diagonal(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int a = ltap_arg_axis(p, "dim1", 0, x.rank), b = ltap_arg_axis(p, "dim2", 1, x.rank);
    ltap_emit_result(p, 0, diagonal_of(p, x, a, b, ltap_arg_int(p, "offset", 0)));
}

/* The last axis on the diagonal of a new matrix, zeros around it. */
static uint32_t matrix_of(ltap_program *p, ltap_operand x, int64_t offset)
{
    int64_t pads[2 * LTAP_MAX_RANK] = {0}, more = offset < 0 ? -offset : offset;
    int last = x.rank - 1;
    if (x.rank < 1 || x.rank >= LTAP_MAX_RANK || x.dims[last] < 0 || more > MAX_ELEMENTS)
        ltap_program_refuse(p, "of a size that is free");
    if (!ltap_program_goes_on(p))
        return LTAP_NO_VALUE;
    int64_t size = x.dims[last] + more, square[] = {size, size};
    pads[x.rank + last] = more;
    uint32_t y = x.value;
    if (more > 0)
        y = ltap_emit_two(p, "Pad", y, ltap_emit_ints(p, pads, 2 * (size_t)x.rank));
    y = ltap_emit_unsqueeze(p, y, offset < 0 ? last : x.rank);
    uint32_t zeros = ltap_emit_two(p, "Expand", ltap_emit_number(p, 0, LTAP_FLOAT32),
                                   ltap_emit_ints(p, square, 2));
    uint32_t mask = ltap_emit_with(p, "EyeLike", zeros, LTAP_ATTR_I("k", offset));
    return ltap_emit_where(p, ltap_emit_cast(p, mask, LTAP_FLOAT32, LTAP_BOOL), y,
                           ltap_emit_number(p, 0, x.dtype));
}

static void diag_embed(ltap_program *p)
{
    int64_t last[LTAP_MAX_RANK], perm[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self");
    int rank = x.rank + 1;
    int a = ltap_arg_axis(p, "dim1", -2, rank), b = ltap_arg_axis(p, "dim2", -1, rank);
    uint32_t y = matrix_of(p, x, ltap_arg_int(p, "offset", 0));
    if (a == b)
        ltap_program_refuse(p, "of one axis");
    if (!ltap_program_goes_on(p))
        return;
    put_last(rank, a, b, last);
    for (int i = 0; i < rank; i++)
        perm[last[i]] = i;
    ltap_emit_result(p, 0, ltap_emit_transpose(p, y, perm, rank));
}

static void diag(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t offset = ltap_arg_int(p, "diagonal", 0);
    ltap_emit_result(p, 0, x.rank == 1 ? matrix_of(p, x, offset) : diagonal_of(p, x, 0, 1, offset));
}

static void trace(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t y = ltap_emit_cast(p, diagonal_of(p, x, 0, 1, 0), x.dtype, ltap_arg_result_type(p));
    ltap_emit_result(p, 0, ltap_emit_reduce(p, "ReduceSum", y, LTAP_NO_VALUE, false));
}

const ltap_aten_row ltap_aten_diagonal[] = {
    {.name = "diagonal.default",
     .map = diagonal,
     .flags = LTAP_ATEN_VIEW,
     .back = back_to_diagonal},
    {.name = "diagonal_scatter", .map = diagonal_scatter},
    {.name = "diagonal_copy", .map = diagonal},
    {.name = "diag_embed", .map = diag_embed},
    {.name = "diag.default", .map = diag},
    {.name = "trace", .map = trace},
    {0},
};
