/* Operators that are formulas of simpler ones, and products that Einsum tells. */
#include "formats/export/aten.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t term(ltap_program *p, const char *name)
{
    return ltap_arg_term(p, name, ltap_arg_result_type(p)).value;
}

static uint32_t number(ltap_program *p, double value)
{
    return ltap_emit_number(p, value, ltap_arg_result_type(p));
}

/* --- Element by element. ---------------------------------------------------------------------- */

/* sqrt(a * a + b * b) */
static void hypot_(ltap_program *p)
{
    uint32_t a = term(p, "self"), b = term(p, "other");
    uint32_t sum =
        ltap_emit_two(p, "Add", ltap_emit_two(p, "Mul", a, a), ltap_emit_two(p, "Mul", b, b));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Sqrt", sum));
}

/* max + log(1 + exp(-|a - b|)) */
static void logaddexp(ltap_program *p)
{
    uint32_t a = term(p, "self"), b = term(p, "other");
    uint32_t apart = ltap_emit_one(p, "Abs", ltap_emit_two(p, "Sub", a, b));
    uint32_t rest = ltap_emit_one(p, "Exp", ltap_emit_one(p, "Neg", apart));
    rest = ltap_emit_one(p, "Log", ltap_emit_two(p, "Add", rest, number(p, 1)));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Add", ltap_emit_two(p, "Max", a, b), rest));
}

/* log(x / (1 - x)), of x kept eps away from 0 and 1 */
static void logit(ltap_program *p)
{
    uint32_t x = ltap_arg_self(p), one = number(p, 1);
    double eps = ltap_arg_float(p, "eps", 0);
    if (ltap_arg_find(p, "eps") != NULL) {
        x = ltap_emit_two(p, "Max", x, number(p, eps));
        x = ltap_emit_two(p, "Min", x, number(p, 1 - eps));
    }
    x = ltap_emit_two(p, "Div", x, ltap_emit_two(p, "Sub", one, x));
    ltap_emit_result(p, 0, ltap_emit_one(p, "Log", x));
}

static void times_constant(ltap_program *p)
{
    const double pi = 3.14159265358979323846;
    double factor = strcmp(p->row->op_type, "degrees") == 0 ? 180 / pi : pi / 180;
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", ltap_arg_self(p), number(p, factor)));
}

static uint32_t replace_infinity(ltap_program *p, uint32_t x, bool positive, double otherwise)
{
    ltap_attr attr = LTAP_ATTR_I(positive ? "detect_negative" : "detect_positive", 0);
    return ltap_emit_where(p, ltap_emit_with(p, "IsInf", x, attr), number(p, otherwise), x);
}

static void nan_to_num(ltap_program *p)
{
    uint32_t x = ltap_arg_self(p);
    if (ltap_arg_result_type(p) != LTAP_FLOAT32)
        ltap_program_refuse(p, "of another type than float32");
    x = ltap_emit_where(p, ltap_emit_one(p, "IsNaN", x), number(p, ltap_arg_float(p, "nan", 0)), x);
    x = replace_infinity(p, x, true, ltap_arg_float(p, "posinf", FLT_MAX));
    x = replace_infinity(p, x, false, ltap_arg_float(p, "neginf", -FLT_MAX));
    ltap_emit_result(p, 0, x);
}

static void round_decimals(ltap_program *p)
{
    uint32_t factor = number(p, pow(10, (double)ltap_arg_int(p, "decimals", 0)));
    uint32_t y = ltap_emit_one(p, "Round", ltap_emit_two(p, "Mul", ltap_arg_self(p), factor));
    ltap_emit_result(p, 0, ltap_emit_two(p, "Div", y, factor));
}

/* How many of the sorted boundaries lie before each element. */
static void bucketize(ltap_program *p)
{
    bool turned = strcmp(p->row->op_type, "searchsorted") == 0;
    ltap_operand x = ltap_arg_tensor(p, "self");
    ltap_operand edges = ltap_arg_tensor(p, turned ? "sorted_sequence" : "boundaries");
    const char *side = ltap_arg_text(p, "side", "left");
    bool right = ltap_arg_bool(p, "right", false) || strcmp(side, "right") == 0;
    if (edges.rank != 1 || x.rank >= LTAP_MAX_RANK || edges.dtype != x.dtype)
        ltap_program_refuse(p, "of boundaries with %d dimensions", edges.rank);
    uint32_t wide = ltap_emit_unsqueeze(p, x.value, x.rank);
    uint32_t before = ltap_emit_two(p, right ? "LessOrEqual" : "Less", edges.value, wide);
    before = ltap_emit_cast(p, before, LTAP_BOOL, LTAP_INT64);
    uint32_t y = ltap_emit_reduce(p, "ReduceSum", before, ltap_emit_int(p, x.rank), false);
    ltap_emit_result(p, 0, ltap_emit_cast(p, y, LTAP_INT64, ltap_arg_result_type(p)));
}

/* --- Distances. ------------------------------------------------------------------------------- */

static uint32_t length_of(ltap_program *p, uint32_t x, int axis, bool keeps)
{
    double order = ltap_arg_float(p, "p", 2);
    if (order != 1 && order != 2)
        ltap_program_refuse(p, "of order %g", order);
    return ltap_emit_reduce(p, order == 1 ? "ReduceL1" : "ReduceL2", x, ltap_emit_int(p, axis),
                            keeps);
}

static void pairwise_distance(ltap_program *p)
{
    ltap_operand a = ltap_arg_tensor(p, "x1"), b = ltap_arg_tensor(p, "x2");
    uint32_t apart = ltap_emit_two(p, "Sub", a.value, b.value);
    apart = ltap_emit_two(p, "Add", apart, number(p, ltap_arg_float(p, "eps", 1e-6)));
    int rank = a.rank > b.rank ? a.rank : b.rank;
    ltap_emit_result(p, 0, length_of(p, apart, rank - 1, ltap_arg_bool(p, "keepdim", false)));
}

/* Of each row of x1 to each of x2. */
static void cdist(ltap_program *p)
{
    ltap_operand a = ltap_arg_tensor(p, "x1"), b = ltap_arg_tensor(p, "x2");
    if (a.rank < 2 || b.rank != a.rank || a.rank >= LTAP_MAX_RANK)
        ltap_program_refuse(p, "of tensors with %d and %d dimensions", a.rank, b.rank);
    uint32_t apart = ltap_emit_two(p, "Sub", ltap_emit_unsqueeze(p, a.value, a.rank - 1),
                                   ltap_emit_unsqueeze(p, b.value, b.rank - 2));
    ltap_emit_result(p, 0, length_of(p, apart, a.rank, false));
}

/* --- Products. -------------------------------------------------------------------------------- */

static void outer(ltap_program *p)
{
    uint32_t a = ltap_emit_unsqueeze(p, term(p, "self"), 1);
    ltap_emit_result(p, 0, ltap_emit_two(p, "Mul", a, ltap_emit_unsqueeze(p, term(p, "vec2"), 0)));
}

static uint32_t einsum(ltap_program *p, const char *equation, const uint32_t *inputs, size_t n)
{
    ltap_attr attr = LTAP_ATTR_S("equation", equation);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = "Einsum", .inputs = inputs, .n_inputs = n, .attrs = &attr, .n_attrs = 1},
        NULL);
}

static void bilinear(ltap_program *p)
{
    uint32_t inputs[] = {term(p, "input1"), term(p, "weight"), term(p, "input2")};
    ltap_operand bias = ltap_arg_optional(p, "bias");
    uint32_t y = einsum(p, "...i,oij,...j->...o", inputs, 3);
    ltap_emit_result(p, 0,
                     ltap_operand_is_there(bias) ? ltap_emit_two(p, "Add", y, bias.value) : y);
}

/* Three tensors in one shape, multiplied, and summed over some of its axes: what bilinear is made
 * of. */
static void trilinear(ltap_program *p)
{
    static const char *const names[][2] = {{"i1", "expand1"}, {"i2", "expand2"}, {"i3", "expand3"}};
    int64_t axes[LTAP_MAX_RANK];
    uint32_t y = LTAP_NO_VALUE;
    for (int i = 0; i < 3; i++) {
        uint32_t x = term(p, names[i][0]);
        size_t n = ltap_arg_ints(p, names[i][1], axes);
        if (n > 0)
            x = ltap_emit_two(p, "Unsqueeze", x, ltap_emit_ints(p, axes, n));
        y = i == 0 ? x : ltap_emit_two(p, "Mul", y, x);
    }
    size_t n = ltap_arg_ints(p, "sumdim", axes);
    if (n > 0)
        y = ltap_emit_reduce(p, "ReduceSum", y, ltap_emit_ints(p, axes, n), false);
    ltap_emit_result(p, 0, y);
}

/* A letter for each axis; contracted ones have the same in both. */
static void tensordot(ltap_program *p)
{
    char left[LTAP_MAX_RANK + 1] = {0}, right[LTAP_MAX_RANK + 1] = {0};
    char equation[4 * LTAP_MAX_RANK + 8];
    int64_t a_axes[LTAP_MAX_RANK], b_axes[LTAP_MAX_RANK];
    ltap_operand a = ltap_arg_tensor(p, "self"), b = ltap_arg_tensor(p, "other");
    size_t n = ltap_arg_ints(p, "dims_self", a_axes), m = ltap_arg_ints(p, "dims_other", b_axes);
    bool fits = n == m;
    for (int i = 0; i < a.rank; i++)
        left[i] = (char)('a' + i);
    for (int i = 0; i < b.rank; i++)
        right[i] = (char)('A' + i);
    for (size_t i = 0; i < n && fits; i++) {
        int64_t k = a_axes[i] + (a_axes[i] < 0 ? a.rank : 0);
        int64_t l = b_axes[i] + (b_axes[i] < 0 ? b.rank : 0);
        fits = k >= 0 && k < a.rank && l >= 0 && l < b.rank;
        if (fits)
            right[l] = left[k];
    }
    if (!fits)
        ltap_program_refuse(p, "of axes that are not there");
    char result[2 * LTAP_MAX_RANK + 1] = {0};
    size_t count = 0;
    for (int i = 0; i < a.rank; i++)
        if (strchr(right, left[i]) == NULL)
            result[count++] = left[i];
    for (int i = 0; i < b.rank; i++)
        if (right[i] < 'a')
            result[count++] = right[i];
    snprintf(equation, sizeof equation, "%s,%s->%s", left, right, result);
    uint32_t inputs[] = {a.value, b.value};
    ltap_emit_result(p, 0, einsum(p, equation, inputs, 2));
}

const ltap_aten_row ltap_aten_formulas[] = {
    {.name = "hypot", .map = hypot_},
    {.name = "logaddexp", .map = logaddexp},
    {.name = "logit", .map = logit},
    {.name = "deg2rad", .map = times_constant, .op_type = "radians"},
    {.name = "rad2deg", .map = times_constant, .op_type = "degrees"},
    {.name = "nan_to_num", .map = nan_to_num},
    {.name = "round.decimals", .map = round_decimals},
    {.name = "bucketize.Tensor", .map = bucketize, .op_type = "bucketize"},
    {.name = "searchsorted.Tensor", .map = bucketize, .op_type = "searchsorted"},
    {.name = "pairwise_distance", .map = pairwise_distance},
    {.name = "cdist", .map = cdist},
    {.name = "_cdist_forward", .map = cdist},
    {.name = "outer", .map = outer},
    {.name = "ger", .map = outer},
    {.name = "bilinear", .map = bilinear},
    {.name = "_trilinear", .map = trilinear},
    {.name = "tensordot", .map = tensordot},
    {0},
};
