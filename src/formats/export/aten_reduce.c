/* Along axes: sums, means, extremes, softmax, order, attention. */
#include "formats/export/aten.h"

#include <math.h>
#include <string.h>

/* The argument "dim" as axes from 0 on; none: all. False: the list is empty and means none. */
static uint32_t read_axes(ltap_program *p, int rank, int64_t *count)
{
    int64_t axes[LTAP_MAX_RANK];
    size_t n = ltap_arg_ints(p, "dim", axes);
    *count = 1;
    const ltap_operand x = ltap_arg_tensor(p, ltap_arg_find(p, "self") ? "self" : "input");
    if (n == 0)
        for (; n < (size_t)rank; n++)
            axes[n] = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        int64_t size = axis >= 0 && axis < x.rank ? x.dims[axis] : 1;
        axes[i] = axis;
        if (*count >= 0 && (size < 0 || __builtin_mul_overflow(*count, size, count)))
            *count = -1;
    }
    return ltap_emit_ints(p, axes, n);
}

static uint32_t reduced(ltap_program *p, const char *op_type, ltap_dtype dtype)
{
    int64_t count;
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t axes = read_axes(p, x.rank, &count);
    uint32_t input = ltap_emit_cast(p, x.value, x.dtype, dtype);
    if (x.rank == 0)
        return input;
    return ltap_emit_reduce(p, op_type, input, axes, ltap_arg_bool(p, "keepdim", false));
}

static void reduce(ltap_program *p)
{
    ltap_emit_result(p, 0, reduced(p, p->row->op_type, ltap_arg_result(p, 0)->dtype));
}

/* any, all: through numbers. */
static void logical(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t count;
    uint32_t axes = read_axes(p, x.rank, &count);
    uint32_t y = ltap_emit_cast(p, x.value, x.dtype, LTAP_BOOL);
    y = ltap_emit_cast(p, y, LTAP_BOOL, LTAP_INT32);
    if (x.rank > 0)
        y = ltap_emit_reduce(p, p->row->op_type, y, axes, ltap_arg_bool(p, "keepdim", false));
    ltap_emit_result(p, 0, ltap_emit_cast(p, y, LTAP_INT32, LTAP_BOOL));
}

/* --- Variance. -------------------------------------------------------------------------------- */

static double read_correction(ltap_program *p)
{
    if (ltap_arg_find(p, "correction") != NULL)
        return ltap_arg_float(p, "correction", 1);
    return ltap_arg_bool(p, "unbiased", true) ? 1 : 0;
}

/* Mean of squared differences, times n / (n - correction). */
static uint32_t variance(ltap_program *p, ltap_operand x, uint32_t *mean)
{
    int64_t count;
    double correction = read_correction(p);
    bool keeps = ltap_arg_bool(p, "keepdim", false);
    uint32_t axes = read_axes(p, x.rank, &count);
    if (count < 0 && correction != 0)
        ltap_program_refuse(p, "with a correction, over a size that is free");
    uint32_t middle = ltap_emit_reduce(p, "ReduceMean", x.value, axes, true);
    uint32_t rest = ltap_emit_two(p, "Sub", x.value, middle);
    uint32_t y =
        ltap_emit_reduce(p, "ReduceMean", ltap_emit_two(p, "Mul", rest, rest), axes, keeps);
    if (mean != NULL)
        *mean = keeps ? middle : ltap_emit_two(p, "Squeeze", middle, axes);
    if (correction == 0)
        return y;
    double factor = (double)count / ((double)count - correction);
    return ltap_emit_two(p, "Mul", y, ltap_emit_number(p, factor, x.dtype));
}

static void var(ltap_program *p)
{
    bool root = strstr(p->row->name, "std") != NULL;
    bool both = strstr(p->row->name, "_mean") != NULL;
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t mean = LTAP_NO_VALUE, y = variance(p, x, both ? &mean : NULL);
    ltap_emit_result(p, 0, root ? ltap_emit_one(p, "Sqrt", y) : y);
    if (both)
        ltap_emit_result(p, 1, mean);
}

static void norm(ltap_program *p)
{
    const char *name = ltap_arg_find(p, "ord") != NULL ? "ord" : "p";
    double order = ltap_arg_float(p, name, 2);
    ltap_operand x = ltap_arg_tensor(p, "self");
    if (order == 1 || order == 2) {
        ltap_emit_result(
            p, 0, reduced(p, order == 1 ? "ReduceL1" : "ReduceL2", ltap_arg_result(p, 0)->dtype));
        return;
    }
    int64_t count;
    uint32_t axes = read_axes(p, x.rank, &count), size = ltap_emit_one(p, "Abs", x.value);
    bool keeps = ltap_arg_bool(p, "keepdim", false);
    if (isinf(order)) {
        ltap_emit_result(
            p, 0, ltap_emit_reduce(p, order > 0 ? "ReduceMax" : "ReduceMin", size, axes, keeps));
        return;
    }
    if (order == 0)
        ltap_program_refuse(p, "of order 0");
    size = ltap_emit_two(p, "Pow", size, ltap_emit_number(p, order, x.dtype));
    size = ltap_emit_reduce(p, "ReduceSum", size, axes, keeps);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Pow", size, ltap_emit_number(p, 1 / order, x.dtype)));
}

static uint32_t length_over(ltap_program *p, ltap_operand x, int axis, double least)
{
    uint32_t y = ltap_emit_reduce(p, "ReduceL2", x.value, ltap_emit_int(p, axis), true);
    return ltap_emit_two(p, "Max", y, ltap_emit_number(p, least, x.dtype));
}

static void cosine_similarity(ltap_program *p)
{
    ltap_operand a = ltap_arg_tensor(p, "x1"), b = ltap_arg_tensor(p, "x2");
    int axis = ltap_arg_axis(p, "dim", 1, a.rank);
    double least = ltap_arg_float(p, "eps", 1e-8);
    if (a.rank != b.rank || a.rank == 0)
        ltap_program_refuse(p, "of tensors with %d and %d dimensions", a.rank, b.rank);
    a.value = ltap_emit_two(p, "Div", a.value, length_over(p, a, axis, least));
    b.value = ltap_emit_two(p, "Div", b.value, length_over(p, b, axis, least));
    ltap_emit_result(p, 0,
                     ltap_emit_reduce(p, "ReduceSum", ltap_emit_two(p, "Mul", a.value, b.value),
                                      ltap_emit_int(p, axis), false));
}

/* v * g / |v|, the length over all axes but one. */
static void weight_norm(ltap_program *p)
{
    ltap_operand v = ltap_arg_tensor(p, "v"), g = ltap_arg_tensor(p, "g");
    int64_t axes[LTAP_MAX_RANK], kept = ltap_arg_int(p, "dim", 0);
    size_t n = 0;
    for (int i = 0; i < v.rank; i++)
        if (i != kept)
            axes[n++] = i;
    uint32_t size = ltap_emit_reduce(p, "ReduceL2", v.value, ltap_emit_ints(p, axes, n), true);
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "Mul", v.value, ltap_emit_two(p, "Div", g.value, size)));
}

/* --- Extremes and order. ---------------------------------------------------------------------- */

/* Without "dim": of all elements in a row. */
static void arg_extreme(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    bool all = ltap_arg_find(p, "dim") == NULL;
    int axis = all ? 0 : ltap_arg_axis(p, "dim", 0, x.rank);
    static const int64_t flat[] = {-1};
    uint32_t input = all ? ltap_emit_reshape_to(p, x.value, flat, 1) : x.value;
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis),
                         LTAP_ATTR_I("keepdims", !all && ltap_arg_bool(p, "keepdim", false))};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = p->row->op_type,
                                                .inputs = &input,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = 2},
                               NULL));
}

/* max.dim, min.dim: the value and where it is. */
static void extreme(ltap_program *p)
{
    bool most = strstr(p->row->op_type, "Max") != NULL;
    ltap_operand x = ltap_arg_tensor(p, "self");
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    bool keeps = ltap_arg_bool(p, "keepdim", false);
    ltap_emit_result(p, 0,
                     ltap_emit_reduce(p, most ? "ReduceMax" : "ReduceMin", x.value,
                                      ltap_emit_int(p, axis), keeps));
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis), LTAP_ATTR_I("keepdims", keeps)};
    ltap_emit_result(p, 1,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = most ? "ArgMax" : "ArgMin",
                                                .inputs = &x.value,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = 2},
                               NULL));
}

/* topk, and sort, which takes all of them. */
static void top_k(ltap_program *p)
{
    bool sorts = p->row->op_type[0] == 's';
    ltap_operand x = ltap_arg_tensor(p, "self");
    int axis = ltap_arg_axis(p, "dim", -1, x.rank);
    if (!ltap_program_goes_on(p) || x.rank == 0) {
        ltap_program_refuse(p, "of a number");
        return;
    }
    uint32_t k = sorts ? ltap_emit_dim(p, x, axis) : ltap_arg_size(p, "k", 1), outputs[2];
    uint32_t inputs[] = {x.value, k};
    bool largest =
        sorts ? ltap_arg_bool(p, "descending", false) : ltap_arg_bool(p, "largest", true);
    ltap_attr attrs[] = {LTAP_ATTR_I("axis", axis), LTAP_ATTR_I("largest", largest),
                         LTAP_ATTR_I("sorted", 1)};
    ltap_emit(p,
              (ltap_emit_node){.op_type = "TopK",
                               .inputs = inputs,
                               .n_inputs = 2,
                               .attrs = attrs,
                               .n_attrs = 3,
                               .n_outputs = 2},
              outputs);
    if (strcmp(p->row->op_type, "sort indices") == 0)
        outputs[0] = outputs[1];
    ltap_emit_result(p, 0, outputs[0]);
    ltap_emit_result(p, 1, outputs[1]);
}

static void cumulate(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t input = ltap_emit_cast(p, x.value, x.dtype, ltap_arg_result(p, 0)->dtype);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, ltap_emit_two(p, p->row->op_type, input, ltap_emit_int(p, axis)));
}

/* --- Softmax and attention. ------------------------------------------------------------------- */

static void softmax(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t input = ltap_emit_cast(p, x.value, x.dtype, ltap_arg_result(p, 0)->dtype);
    int axis = ltap_arg_axis(p, "dim", -1, x.rank);
    ltap_emit_result(p, 0, ltap_emit_with(p, p->row->op_type, input, LTAP_ATTR_I("axis", axis)));
}

/* 0 where a query may look at a key, else minus infinity; queries and keys by their numbers. */
static uint32_t causal_mask(ltap_program *p, ltap_operand q, ltap_operand k)
{
    uint32_t sizes[] = {ltap_emit_dim(p, q, q.rank - 2), ltap_emit_dim(p, k, k.rank - 2)};
    uint32_t shape = ltap_emit_concat(p, sizes, 2, 0);
    uint32_t ones = ltap_emit_two(p, "Expand", ltap_emit_number(p, 1, LTAP_FLOAT32), shape);
    uint32_t seen = ltap_emit_with(p, "Trilu", ones, LTAP_ATTR_I("upper", 0));
    return ltap_emit_where(p, ltap_emit_cast(p, seen, LTAP_FLOAT32, LTAP_BOOL),
                           ltap_emit_number(p, 0, q.dtype),
                           ltap_emit_number(p, -INFINITY, q.dtype));
}

static uint32_t added_mask(ltap_program *p, ltap_operand mask, ltap_dtype dtype)
{
    if (mask.dtype != LTAP_BOOL)
        return ltap_emit_cast(p, mask.value, mask.dtype, dtype);
    return ltap_emit_where(p, mask.value, ltap_emit_number(p, 0, dtype),
                           ltap_emit_number(p, -INFINITY, dtype));
}

/* Heads of keys and values that several heads of queries share, once for each. */
static uint32_t for_each_query(ltap_program *p, ltap_operand q, ltap_operand x)
{
    int heads = q.rank - 3;
    if (q.rank < 3 || x.rank != q.rank || x.dims[heads] < 1 || q.dims[heads] % x.dims[heads] != 0) {
        ltap_program_refuse(p, "with groups of queries whose number is free");
        return x.value;
    }
    int64_t times = q.dims[heads] / x.dims[heads];
    return times == 1 ? x.value : ltap_emit_repeat(p, x, heads, ltap_emit_int(p, times));
}

/* softmax(scale * q @ k^T + mask) @ v */
static void attention(ltap_program *p)
{
    ltap_operand q = ltap_arg_tensor(p, "query"), k = ltap_arg_tensor(p, "key");
    ltap_operand v = ltap_arg_tensor(p, "value"), mask = ltap_arg_optional(p, "attn_mask");
    int64_t perm[LTAP_MAX_RANK];
    if (ltap_arg_float(p, "dropout_p", 0) != 0)
        ltap_program_refuse(p, "with dropout; call model.eval() before exporting");
    if (q.rank < 2 || k.rank != q.rank || q.dims[q.rank - 1] < 1)
        ltap_program_refuse(p, "of queries and keys whose shapes are not known");
    if (!ltap_program_goes_on(p))
        return;
    if (ltap_arg_bool(p, "enable_gqa", false)) {
        k.value = for_each_query(p, q, k);
        v.value = for_each_query(p, q, v);
    }
    for (int i = 0; i < k.rank; i++)
        perm[i] = i < k.rank - 2 ? i : 2 * k.rank - 3 - i;
    double scale = ltap_arg_float(p, "scale", 1 / sqrt((double)q.dims[q.rank - 1]));
    uint32_t scaled = ltap_emit_two(p, "Mul", q.value, ltap_emit_number(p, scale, q.dtype));
    uint32_t y = ltap_emit_two(p, "MatMul", scaled, ltap_emit_transpose(p, k.value, perm, k.rank));
    if (ltap_operand_is_there(mask))
        y = ltap_emit_two(p, "Add", y, added_mask(p, mask, q.dtype));
    if (ltap_arg_bool(p, "is_causal", false))
        y = ltap_emit_two(p, "Add", y, causal_mask(p, q, k));
    y = ltap_emit_with(p, "Softmax", y, LTAP_ATTR_I("axis", -1));
    ltap_emit_result(p, 0, ltap_emit_two(p, "MatMul", y, v.value));
}

const ltap_aten_row ltap_aten_reduce[] = {
    {.name = "mean", .map = reduce, .op_type = "ReduceMean"},
    {.name = "sum", .map = reduce, .op_type = "ReduceSum"},
    {.name = "prod", .map = reduce, .op_type = "ReduceProd"},
    {.name = "amax", .map = reduce, .op_type = "ReduceMax"},
    {.name = "amin", .map = reduce, .op_type = "ReduceMin"},
    {.name = "max.default", .map = reduce, .op_type = "ReduceMax"},
    {.name = "min.default", .map = reduce, .op_type = "ReduceMin"},
    {.name = "logsumexp", .map = reduce, .op_type = "ReduceLogSumExp"},
    {.name = "any", .map = logical, .op_type = "ReduceMax"},
    {.name = "all", .map = logical, .op_type = "ReduceMin"},
    {.name = "var", .map = var},
    {.name = "std", .map = var},
    {.name = "var_mean", .map = var},
    {.name = "std_mean", .map = var},
    {.name = "norm", .map = norm},
    {.name = "linalg_vector_norm", .map = norm},
    {.name = "cosine_similarity", .map = cosine_similarity},
    {.name = "_weight_norm", .map = weight_norm},
    {.name = "_weight_norm_interface", .map = weight_norm},
    {.name = "argmax", .map = arg_extreme, .op_type = "ArgMax"},
    {.name = "argmin", .map = arg_extreme, .op_type = "ArgMin"},
    {.name = "max.dim", .map = extreme, .op_type = "ArgMax"},
    {.name = "min.dim", .map = extreme, .op_type = "ArgMin"},
    {.name = "topk", .map = top_k, .op_type = "topk"},
    {.name = "sort", .map = top_k, .op_type = "sort"},
    {.name = "argsort", .map = top_k, .op_type = "sort indices"},
    {.name = "cumsum", .map = cumulate, .op_type = "CumSum"},
    {.name = "cumprod", .map = cumulate, .op_type = "CumProd"},
    {.name = "softmax", .map = softmax, .op_type = "Softmax"},
    {.name = "_softmax", .map = softmax, .op_type = "Softmax"},
    {.name = "_safe_softmax", .map = softmax, .op_type = "Softmax"},
    {.name = "log_softmax", .map = softmax, .op_type = "LogSoftmax"},
    {.name = "_log_softmax", .map = softmax, .op_type = "LogSoftmax"},
    {.name = "scaled_dot_product_attention", .map = attention},
    {0},
};
