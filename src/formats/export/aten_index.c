/* Elements chosen along one axis, by a tensor of indices. */
#include "formats/export/aten.h"

#include <string.h>

static void embedding(ltap_program *p)
{
    ltap_operand weight = ltap_arg_tensor(p, "weight"), indices = ltap_arg_tensor(p, "indices");
    ltap_emit_result(p, 0, ltap_emit_gather(p, "Gather", weight.value, indices.value, 0));
}

static void index_select(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, ltap_emit_gather(p, "Gather", x.value, index.value, axis));
}

/* The first elements of x, as many as `like` has, but all along axis `kept` (-1: along none). */
static uint32_t cut_to(ltap_program *p, ltap_operand x, ltap_operand like, int kept)
{
    uint32_t y = x.value;
    for (int i = 0; i < x.rank && i < like.rank; i++)
        if (i != kept && x.dims[i] != like.dims[i])
            y = ltap_emit_slice(p, y, ltap_emit_int(p, 0), ltap_emit_dim(p, like, i), i, 1);
    return y;
}

static void gather(ltap_program *p)
{
    const char *name = ltap_arg_find(p, "index") != NULL ? "index" : "indices";
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, name);
    if (ltap_arg_find(p, "dim") == NULL || index.rank != x.rank)
        ltap_program_refuse(p, "without an axis");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    uint32_t data = strcmp(name, "index") == 0 ? cut_to(p, x, index, axis) : x.value;
    ltap_emit_result(p, 0, ltap_emit_gather(p, "GatherElements", data, index.value, axis));
}

/* Of all elements in a row. */
static void take(ltap_program *p)
{
    static const int64_t flat[] = {-1};
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    uint32_t row = ltap_emit_reshape_to(p, x.value, flat, 1);
    ltap_emit_result(p, 0, ltap_emit_gather(p, "Gather", row, index.value, 0));
}

/* --- Written to places of an axis. ------------------------------------------------------------ */

/* ONNX's word for PyTorch's; NULL: they overwrite. */
static const char *read_reduction(ltap_program *p)
{
    static const struct {
        const char *torch, *onnx;
    } words[] = {{"add", "add"},  {"sum", "add"},  {"multiply", "mul"},
                 {"prod", "mul"}, {"amax", "max"}, {"amin", "min"}};
    const char *own = strcmp(p->row->op_type, "set") == 0 ? "" : p->row->op_type;
    const char *word = ltap_arg_text(p, "reduce", own);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].torch) == 0)
            return words[i].onnx;
    if (word[0] != '\0')
        ltap_program_refuse(p, "with the reduction '%.20s'", word);
    return NULL;
}

static void scatter(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    bool number = ltap_arg_find(p, "value") != NULL;
    ltap_operand source = ltap_arg_term(p, number ? "value" : "src", x.dtype);
    const char *reduction = read_reduction(p);
    if (!ltap_arg_bool(p, "include_self", true))
        ltap_program_refuse(p, "without the elements that were there");
    if (x.rank == 0)
        ltap_program_refuse(p, "of a number");
    uint32_t part = number
                        ? ltap_emit_two(p, "Expand", source.value, ltap_emit_shape(p, index.value))
                        : cut_to(p, source, index, -1);
    uint32_t inputs[] = {x.value, index.value, part};
    ltap_emit_result(p, 0, ltap_emit_scatter(p, "ScatterElements", inputs, axis, reduction));
}

/* Whole slices of an axis: index_add, index_copy, index_fill. */
static void index_write(ltap_program *p)
{
    int64_t shape[LTAP_MAX_RANK];
    uint32_t sizes[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self"), index = ltap_arg_tensor(p, "index");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    bool fills = ltap_arg_find(p, "value") != NULL;
    ltap_operand source = ltap_arg_term(p, fills ? "value" : "source", x.dtype);
    double alpha = ltap_arg_float(p, "alpha", 1);
    const char *reduction = read_reduction(p);
    if (x.rank == 0 || index.rank > 1)
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
    if (!ltap_program_goes_on(p))
        return;
    for (int i = 0; i < x.rank; i++) {
        shape[i] = i == axis ? -1 : 1;
        sizes[i] = i != axis         ? ltap_emit_dim(p, x, i)
                   : index.rank == 0 ? ltap_emit_int(p, 1)
                                     : ltap_emit_dim(p, index, 0);
    }
    uint32_t all = ltap_emit_concat(p, sizes, (size_t)x.rank, 0);
    uint32_t at = ltap_emit_reshape_to(p, index.value, shape, (size_t)x.rank);
    uint32_t part = source.value;
    if (alpha != 1)
        part = ltap_emit_two(p, "Mul", part, ltap_emit_number(p, alpha, x.dtype));
    if (fills || source.rank != x.rank)
        part = ltap_emit_two(p, "Expand", part, all);
    uint32_t inputs[] = {x.value, ltap_emit_two(p, "Expand", at, all), part};
    ltap_emit_result(p, 0, ltap_emit_scatter(p, "ScatterElements", inputs, axis, reduction));
}

const ltap_aten_row ltap_aten_index[] = {
    {.name = "embedding", .map = embedding},
    {.name = "index_select", .map = index_select},
    {.name = "take_along_dim", .map = gather},
    {.name = "gather", .map = gather},
    {.name = "take.default", .map = take},
    {.name = "scatter", .map = scatter, .op_type = "set"},
    {.name = "scatter_add", .map = scatter, .op_type = "add"},
    {.name = "scatter_reduce.two", .map = scatter, .op_type = "set"},
    {.name = "index_add", .map = index_write, .op_type = "add"},
    {.name = "index_copy", .map = index_write, .op_type = "set"},
    {.name = "index_fill", .map = index_write, .op_type = "set"},
    {0},
};
