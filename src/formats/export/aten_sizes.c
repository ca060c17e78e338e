/* Arithmetic on sizes that are free: each number is an int64[1] in the graph. */
#include "formats/export/aten.h"

#include <string.h>

static void sym_size(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    if (ltap_program_goes_on(p))
        ltap_emit_result(p, 0, ltap_emit_dim(p, x, axis));
}

/* An argument in the type of the result, and not as a number without dimensions. */
static uint32_t number(ltap_program *p, const char *name, ltap_dtype dtype)
{
    static const int64_t one[] = {1};
    ltap_operand operand = ltap_arg_term(p, name, dtype);
    return operand.rank == 0 ? ltap_emit_reshape_to(p, operand.value, one, 1) : operand.value;
}

static ltap_dtype made_type(ltap_program *p)
{
    return ltap_arg_result(p, 0)->dtype;
}

static void binary(ltap_program *p)
{
    ltap_dtype dtype = made_type(p);
    if (dtype == LTAP_BOOL)
        dtype = LTAP_FLOAT64; /* comparisons */
    uint32_t a = number(p, "a", dtype), b = number(p, "b", dtype);
    ltap_emit_result(p, 0, ltap_emit_two(p, p->row->op_type, a, b));
}

/* Rounds down also below zero. */
static void floordiv(ltap_program *p)
{
    uint32_t a = number(p, "a", LTAP_INT64), b = number(p, "b", LTAP_INT64);
    uint32_t rest = ltap_emit_two(p, "Mod", a, b);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Div", ltap_emit_two(p, "Sub", a, rest), b));
}

static void neg(ltap_program *p)
{
    ltap_emit_result(p, 0, ltap_emit_one(p, "Neg", number(p, "a", made_type(p))));
}

/* The one argument, whatever its name. */
static const char *only_name(const ltap_program *p)
{
    const ltap_json *inputs = ltap_json_find(p->node, "inputs");
    const ltap_json *name = inputs && inputs->first ? ltap_json_find(inputs->first, "name") : NULL;
    return name != NULL && name->kind == LTAP_JSON_STRING ? name->text : "a";
}

static void rounded(ltap_program *p)
{
    uint32_t x = number(p, only_name(p), LTAP_FLOAT64);
    ltap_emit_result(
        p, 0, ltap_emit_cast(p, ltap_emit_one(p, p->row->op_type, x), LTAP_FLOAT64, made_type(p)));
}

static void converted(ltap_program *p)
{
    ltap_emit_result(p, 0, number(p, only_name(p), made_type(p)));
}

const ltap_aten_row ltap_aten_sizes[] = {
    {.name = "sym_size.int", .map = sym_size},
    {.name = "_operator.add", .map = binary, .op_type = "Add"},
    {.name = "_operator.sub", .map = binary, .op_type = "Sub"},
    {.name = "_operator.mul", .map = binary, .op_type = "Mul"},
    {.name = "_operator.truediv", .map = binary, .op_type = "Div"},
    {.name = "_operator.mod", .map = binary, .op_type = "Mod"},
    {.name = "_operator.pow", .map = binary, .op_type = "Pow"},
    {.name = "_operator.eq", .map = binary, .op_type = "Equal"},
    {.name = "_operator.lt", .map = binary, .op_type = "Less"},
    {.name = "_operator.le", .map = binary, .op_type = "LessOrEqual"},
    {.name = "_operator.gt", .map = binary, .op_type = "Greater"},
    {.name = "_operator.ge", .map = binary, .op_type = "GreaterOrEqual"},
    {.name = "_operator.floordiv", .map = floordiv},
    {.name = "_operator.neg", .map = neg},
    {.name = "math.floor", .map = rounded, .op_type = "Floor"},
    {.name = "math.ceil", .map = rounded, .op_type = "Ceil"},
    {.name = "math.trunc", .map = rounded, .op_type = "Floor"},
    {.name = "torch.sym_max", .map = binary, .op_type = "Max"},
    {.name = "torch.sym_min", .map = binary, .op_type = "Min"},
    {.name = "torch.sym_float", .map = converted},
    {.name = "torch.sym_int", .map = converted},
    {0},
};
