/* New tensors: filled, counted, and copies of a shape. */
#include "formats/export/aten.h"

#include <math.h>
#include <string.h>

static uint32_t shape_of(ltap_program *p, ltap_operand x)
{
    for (int i = 0; i < x.rank; i++)
        if (x.dims[i] < 0)
            return ltap_emit_shape(p, x.value);
    return ltap_emit_ints(p, x.dims, (size_t)x.rank);
}

/* What the row's op_type names, else the argument. */
static ltap_operand filling(ltap_program *p, ltap_dtype dtype)
{
    if (p->row->op_type != NULL) {
        double number = strcmp(p->row->op_type, "1") == 0;
        return (ltap_operand){ltap_emit_number(p, number, dtype), dtype, 0, NULL};
    }
    return ltap_arg_term(p, ltap_arg_find(p, "fill_value") != NULL ? "fill_value" : "value", dtype);
}

static void fill(ltap_program *p, uint32_t shape)
{
    ltap_dtype dtype = ltap_arg_result(p, 0)->dtype;
    ltap_emit_result(p, 0, ltap_emit_two(p, "Expand", filling(p, dtype).value, shape));
}

static void full(ltap_program *p)
{
    fill(p, ltap_arg_sizes(p, "size"));
}

static void full_like(ltap_program *p)
{
    fill(p, shape_of(p, ltap_arg_tensor(p, "self")));
}

static void scalar_tensor(ltap_program *p)
{
    ltap_emit_result(p, 0, ltap_arg_term(p, "s", ltap_arg_result(p, 0)->dtype).value);
}

/* In the type of the result; whole numbers of shapes are wider on the way. */
static void arange(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result(p, 0)->dtype;
    bool whole = dtype != LTAP_FLOAT32 && dtype != LTAP_FLOAT64 && dtype != LTAP_FLOAT16 &&
                 dtype != LTAP_BFLOAT16;
    ltap_dtype wide = whole ? LTAP_INT64 : dtype;
    uint32_t inputs[] = {ltap_emit_number(p, 0, wide), ltap_arg_term(p, "end", wide).value,
                         ltap_emit_number(p, 1, wide)};
    if (ltap_arg_find(p, "start") != NULL)
        inputs[0] = ltap_arg_term(p, "start", wide).value;
    if (ltap_arg_find(p, "step") != NULL)
        inputs[2] = ltap_arg_term(p, "step", wide).value;
    uint32_t y =
        ltap_emit(p, (ltap_emit_node){.op_type = "Range", .inputs = inputs, .n_inputs = 3}, NULL);
    ltap_emit_result(p, 0, ltap_emit_cast(p, y, wide, dtype));
}

/* start + i * step, as PyTorch counts: from the end in the second half. */
static void linspace(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result(p, 0)->dtype;
    int64_t steps = ltap_arg_int(p, "steps", 100);
    double start = ltap_arg_float(p, "start", 0), end = ltap_arg_float(p, "end", 0);
    double step = steps > 1 ? (end - start) / (double)(steps - 1) : 0;
    void *block = NULL;
    if (steps < 1 || steps > 1 << 20 || dtype != LTAP_FLOAT32) {
        ltap_program_refuse(p, "of %lld steps", (long long)steps);
        return;
    }
    ltap_program_take(
        p, ltap_arena_take(&p->graph->arena, (uint64_t)steps, sizeof(float), &block, p->error));
    if (!ltap_program_goes_on(p))
        return;
    for (int64_t i = 0; i < steps; i++)
        ((float *)block)[i] = (float)(i < steps / 2 ? start + step * (double)i
                                                    : end - step * (double)(steps - 1 - i));
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, 1, &steps, block);
    ltap_emit_result(p, 0, ltap_emit_tensor(p, "linspace", &tensor));
}

static void eye(ltap_program *p)
{
    ltap_dtype dtype = ltap_arg_result(p, 0)->dtype;
    uint32_t n = ltap_arg_size(p, "n", 1);
    uint32_t sizes[] = {n, ltap_arg_find(p, "m") != NULL ? ltap_arg_size(p, "m", 1) : n};
    uint32_t zeros = ltap_emit_two(p, "Expand", ltap_emit_number(p, 0, LTAP_FLOAT32),
                                   ltap_emit_concat(p, sizes, 2, 0));
    uint32_t y = ltap_emit_one(p, "EyeLike", zeros);
    ltap_emit_result(p, 0, ltap_emit_cast(p, y, LTAP_FLOAT32, dtype));
}

/* self in the shape of itself, with the values of src: what overwriting all of it is. */
static void copy(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    ltap_operand source = ltap_arg_term(p, "src", x.dtype);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Expand", source.value, shape_of(p, x)));
}

static void one_hot(ltap_program *p)
{
    static const int64_t zero_one[] = {0, 1};
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t classes = ltap_arg_int(p, "num_classes", -1);
    if (classes < 1) {
        ltap_program_refuse(p, "without a number of classes");
        return;
    }
    uint32_t inputs[] = {x.value, ltap_emit_int(p, classes), ltap_emit_ints(p, zero_one, 2)};
    ltap_emit_result(
        p, 0,
        ltap_emit(p, (ltap_emit_node){.op_type = "OneHot", .inputs = inputs, .n_inputs = 3}, NULL));
}

const ltap_aten_row ltap_aten_make[] = {
    {.name = "full", .map = full},
    {.name = "zeros", .map = full, .op_type = "0"},
    {.name = "ones", .map = full, .op_type = "1"},
    {.name = "empty.memory_format", .map = full, .op_type = "0"},
    {.name = "new_full", .map = full},
    {.name = "new_zeros", .map = full, .op_type = "0"},
    {.name = "new_ones", .map = full, .op_type = "1"},
    {.name = "new_empty", .map = full, .op_type = "0"},
    {.name = "full_like", .map = full_like},
    {.name = "zeros_like", .map = full_like, .op_type = "0"},
    {.name = "ones_like", .map = full_like, .op_type = "1"},
    {.name = "empty_like", .map = full_like, .op_type = "0"},
    {.name = "fill", .map = full_like},
    {.name = "zero", .map = full_like, .op_type = "0"},
    {.name = "scalar_tensor", .map = scalar_tensor},
    {.name = "arange", .map = arange},
    {.name = "linspace", .map = linspace},
    {.name = "eye", .map = eye},
    {.name = "copy", .map = copy},
    {.name = "one_hot", .map = one_hot},
    {0},
};
