/* ATen's operators: a row each, and what their functions are written with.
 *
 * A row's function reads the arguments of the operation at hand by the names of ATen's schema,
 * makes ONNX's operators of them, and says which values are the results. Whatever it cannot say
 * with them it refuses. Arguments equal to their default are not in the file: each is asked for
 * with it.
 */
#ifndef LTAP_FORMATS_EXPORT_ATEN_H
#define LTAP_FORMATS_EXPORT_ATEN_H

#include "formats/export/program.h"

enum {
    LTAP_ATEN_SAME = 1,    /* the result is the first argument itself, where the type is the same */
    LTAP_ATEN_VIEW = 2,    /* results look at the memory of the first argument */
    LTAP_ATEN_RESHAPE = 4, /* the same, or a copy where it does not lie in row-major order */
    LTAP_ATEN_DENSE = 8,   /* a copy where it does not lie in row-major order, else it itself */
};

typedef struct ltap_aten_row {
    const char *name; /* "relu", or with its overload "mean.dim"; first match wins */
    void (*map)(ltap_program *p);
    const char *op_type; /* for functions that serve several rows */
    unsigned flags;
    /* Of a view: its base with `part` in place of what the view shows. NULL: it cannot say. */
    uint32_t (*back)(ltap_program *p, const ltap_entry *view, uint32_t part);
} ltap_aten_row;

/* NULL: layertap does not have it. target: "torch.ops.aten.relu.default", "_operator.mul". */
const ltap_aten_row *ltap_aten_find(const char *target);
/* Tables of the families, up to a row without name. */
extern const ltap_aten_row ltap_aten_layers[], ltap_aten_math[], ltap_aten_reduce[],
    ltap_aten_views[], ltap_aten_move[], ltap_aten_index[], ltap_aten_make[], ltap_aten_sizes[],
    ltap_aten_windows[], ltap_aten_patches[], ltap_aten_diagonal[], ltap_aten_subscript[],
    ltap_aten_activations[], ltap_aten_recurrent[], ltap_aten_control[], ltap_aten_formulas[],
    ltap_aten_cells[];
/* The row's operator on "self". */
void ltap_aten_unary(ltap_program *p);

/* --- args.c --------------------------------------------------------------------------------- */
/* A tensor that flows. */
typedef struct ltap_operand {
    uint32_t value;
    ltap_dtype dtype;
    int rank;
    const int64_t *dims; /* -1: free */
} ltap_operand;
static inline bool ltap_operand_is_there(ltap_operand operand)
{
    return operand.value != LTAP_NO_VALUE;
}

/* NULL: not there, or none. */
const ltap_json *ltap_arg_find(const ltap_program *p, const char *name);
/* The name in {"name": ...}, {"as_name": ...}, {"as_tensor": {"name": ...}}; NULL: none. */
const char *ltap_arg_name(const ltap_json *json);
/* A tensor; refused where there is none. */
ltap_operand ltap_arg_tensor(ltap_program *p, const char *name);
/* The same; value LTAP_NO_VALUE where there is none. */
ltap_operand ltap_arg_optional(ltap_program *p, const char *name);
/* A list of tensors; those that are none have LTAP_NO_VALUE. Borrowed. */
size_t ltap_arg_tensors(ltap_program *p, const char *name, const ltap_operand **tensors);
/* Numbers that are in the file. A floating or logical one is rounded for ltap_arg_int. */
int64_t ltap_arg_int(ltap_program *p, const char *name, int64_t otherwise);
double ltap_arg_float(ltap_program *p, const char *name, double otherwise);
bool ltap_arg_bool(ltap_program *p, const char *name, bool otherwise);
const char *ltap_arg_text(ltap_program *p, const char *name, const char *otherwise);
/* A list of numbers, of which one alone stands for all of `count`; absent: otherwise. */
void ltap_arg_window(ltap_program *p, const char *name, int count, int64_t otherwise,
                     int64_t *numbers);
/* A list of numbers; 0: none, or empty. */
size_t ltap_arg_ints(ltap_program *p, const char *name, int64_t numbers[LTAP_MAX_RANK]);
/* An axis from 0 to rank - 1. */
int ltap_arg_axis(ltap_program *p, const char *name, int64_t otherwise, int rank);
/* Sizes, which may be free: a value int64[n]. */
uint32_t ltap_arg_sizes(ltap_program *p, const char *name);
size_t ltap_arg_count(const ltap_program *p, const char *name); /* of any list */
/* A size or index, which may be free: a value int64[1]. */
uint32_t ltap_arg_size(ltap_program *p, const char *name, int64_t otherwise);
/* A tensor or a number, of this type: what arithmetic takes. */
ltap_operand ltap_arg_term(ltap_program *p, const char *name, ltap_dtype dtype);
/* "self" in the type of the first result, and that type. */
uint32_t ltap_arg_self(ltap_program *p);
ltap_dtype ltap_arg_result_type(ltap_program *p);
/* What the program says of result k. */
const ltap_entry *ltap_arg_result(ltap_program *p, size_t k);
ltap_operand ltap_operand_of(const ltap_entry *entry);

/* --- emit.c --------------------------------------------------------------------------------- */
typedef struct ltap_emit_node {
    const char *op_type, *domain; /* NULL: ONNX's own */
    const uint32_t *inputs;
    size_t n_inputs;
    const ltap_attr *attrs; /* copied, with their lists */
    size_t n_attrs;
    size_t n_outputs; /* 0: one */
} ltap_emit_node;

/* Makes an operation. outputs: n_outputs values; may be NULL. Result: the first of them. */
uint32_t ltap_emit(ltap_program *p, ltap_emit_node node, uint32_t *outputs);
uint32_t ltap_emit_one(ltap_program *p, const char *op_type, uint32_t a);
uint32_t ltap_emit_two(ltap_program *p, const char *op_type, uint32_t a, uint32_t b);
uint32_t ltap_emit_where(ltap_program *p, uint32_t condition, uint32_t yes, uint32_t no);
uint32_t ltap_emit_with(ltap_program *p, const char *op_type, uint32_t a, ltap_attr attr);
/* value is result k. */
void ltap_emit_result(ltap_program *p, size_t k, uint32_t value);

/* A constant; data in the graph's arena. */
uint32_t ltap_emit_tensor(ltap_program *p, const char *name, const ltap_tensor *tensor);
uint32_t ltap_emit_ints(ltap_program *p, const int64_t *numbers, size_t count); /* int64[count] */
uint32_t ltap_emit_int(ltap_program *p, int64_t number);                        /* int64[1] */
/* A number without dimensions. */
uint32_t ltap_emit_number(ltap_program *p, double number, ltap_dtype dtype);
/* A float vector of equal numbers. */
uint32_t ltap_emit_fill(ltap_program *p, double number, int64_t count, ltap_dtype dtype);
uint32_t ltap_emit_cast(ltap_program *p, uint32_t value, ltap_dtype from, ltap_dtype to);
uint32_t ltap_emit_shape(ltap_program *p, uint32_t value); /* int64[rank] */
/* int64[1], a constant where the size is in the file. */
uint32_t ltap_emit_dim(ltap_program *p, ltap_operand x, int axis);
uint32_t ltap_emit_reshape(ltap_program *p, uint32_t value, uint32_t shape);
uint32_t ltap_emit_reshape_to(ltap_program *p, uint32_t value, const int64_t *dims, size_t rank);
uint32_t ltap_emit_transpose(ltap_program *p, uint32_t value, const int64_t *perm, int rank);
uint32_t ltap_emit_unsqueeze(ltap_program *p, uint32_t value, int64_t axis);
uint32_t ltap_emit_squeeze(ltap_program *p, uint32_t value, int64_t axis);
/* Each element of an axis `count` times in a row. */
uint32_t ltap_emit_repeat(ltap_program *p, ltap_operand x, int axis, uint32_t count);
uint32_t ltap_emit_concat(ltap_program *p, const uint32_t *values, size_t count, int64_t axis);
/* Gather, GatherElements. */
uint32_t ltap_emit_gather(ltap_program *p, const char *op_type, uint32_t data, uint32_t indices,
                          int axis);
/* ScatterElements, ScatterND (no axis) of data, indices, updates; reduction NULL: they overwrite.
 */
uint32_t ltap_emit_scatter(ltap_program *p, const char *op_type, const uint32_t inputs[3], int axis,
                           const char *reduction);
/* op_type over axes (int64[n]; LTAP_NO_VALUE: all). */
uint32_t ltap_emit_reduce(ltap_program *p, const char *op_type, uint32_t x, uint32_t axes,
                          bool keeps);
/* x[begin:end:step] along an axis; begin, end: int64[1]. */
uint32_t ltap_emit_slice(ltap_program *p, uint32_t x, uint32_t begin, uint32_t end, int64_t axis,
                         int64_t step);
/* 0 to end - 1; end: int64[1]. */
uint32_t ltap_emit_range(ltap_program *p, uint32_t end);
/* base with part in place of base[begin:end] along an axis. */
uint32_t ltap_emit_replace(ltap_program *p, uint32_t base, uint32_t part, uint32_t begin,
                           uint32_t end, int64_t axis);

#endif
