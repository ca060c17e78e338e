/* Operations that are formulas of others: a row each, in the order in which a calculator with a
 * stack takes it. x and y are the operands, numbers are numbers, names are ONNX's operators or
 * other rows; sum, mean, max, min and prod go over the axes that the call names, which stay as axes
 * of size 1 until the end.
 */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum {
    REDUCES = 1, /* axes that were gone over go, unless keepdims says otherwise */
    WHOLE = 2    /* whole numbers stay whole */
};

typedef struct formula {
    const char *name, *function; /* Keras' class; TensorFlow's */
    const char *text;
    unsigned flags;
} formula;

/* clang-format off */
static const formula formulas[] = {
    {"Angle", "", "x 0 Less 3.14159265358979 0 Where", 0},
    {"Arccosh", "math.acosh", "x Acosh", 0},
    {"Arcsinh", "math.asinh", "x Asinh", 0},
    {"Arctan2", "math.atan2", "y 0 Greater x y Div Atan y 0 Less x y Div Atan x 0 Less -3.14159265358979 3.14159265358979 Where Add x Sign 1.5707963267949 Mul Where Where", 0},
    {"Arctanh", "math.atanh", "x Atanh", 0},
    {"BitwiseAnd", "bitwise.bitwise_and", "x y BitwiseAnd", WHOLE},
    {"BitwiseInvert", "bitwise.invert", "x BitwiseNot", WHOLE},
    {"BitwiseNot", "", "x BitwiseNot", WHOLE},
    {"BitwiseOr", "bitwise.bitwise_or", "x y BitwiseOr", WHOLE},
    {"BitwiseXor", "bitwise.bitwise_xor", "x y BitwiseXor", WHOLE},
    {"Cbrt", "", "x Sign x Abs 0.333333333333333 Pow Mul", 0},
    {"Conjugate", "math.conj", "x Identity", 0},
    {"Copy", "", "x Identity", WHOLE},
    {"CountNonzero", "math.count_nonzero", "x 0 Equal Not float sum int", REDUCES},
    {"Deg2rad", "", "x 0.0174532925199433 Mul", 0},
    {"DivideNoNan", "math.divide_no_nan", "y 0 Equal 0 x y Div Where", 0},
    {"EmptyLike", "", "x zeros", 0},
    {"Erfc", "math.erfc", "1 x Erf Sub", 0},
    {"Exp2", "", "x 0.693147180559945 Mul Exp", 0},
    {"Expm1", "math.expm1", "x Abs 0.5 Less x 0.5 Mul Tanh 2 Mul 1 x 0.5 Mul Tanh Sub Div x Exp 1 Sub Where", 0},
    {"FloorDivide", "math.floordiv", "x y Div Floor", 0},
    {"Fmax", "", "x IsNaN y y IsNaN x x y Max Where Where", 0},
    {"Fmin", "", "x IsNaN y y IsNaN x x y Min Where Where", 0},
    {"Fmod", "", "x y FloatMod", 0},
    {"Heaviside", "", "x 0 Less 0 x 0 Equal y 1 Where Where", 0},
    {"Hypot", "", "x x Mul y y Mul Add Sqrt", 0},
    {"Imag", "", "x zeros", 0},
    {"Isfinite", "math.is_finite", "x IsInf x IsNaN Or Not", 0},
    {"Isinf", "math.is_inf", "x IsInf", 0},
    {"Isnan", "math.is_nan", "x IsNaN", 0},
    {"Isneginf", "", "x IsInf x 0 Less And", 0},
    {"Isposinf", "", "x IsInf x 0 Greater And", 0},
    {"Isreal", "", "x zeros 0 Equal", 0},
    {"Ldexp", "", "x 2 y float Pow Mul", 0},
    {"Log10", "", "x Log 0.434294481903252 Mul", 0},
    {"Log1p", "math.log1p", "x Abs 0.5 Less x x 2 Add Div Atanh 2 Mul x 1 Add Log Where", 0},
    {"Log2", "", "x Log 1.44269504088896 Mul", 0},
    {"Logaddexp", "", "x y Max x y Sub Abs Neg Exp Log1p Add", 0},
    {"Logaddexp2", "", "x y Max x y Sub Abs Neg Exp2 Log1p 1.44269504088896 Mul Add", 0},
    {"LogicalAnd", "math.logical_and", "x bool y bool And", 0},
    {"LogicalOr", "math.logical_or", "x bool y bool Or", 0},
    {"LogicalXor", "math.logical_xor", "x bool y bool Xor", 0},
    {"Mod", "math.floormod", "x y Fmod x y Fmod 0 Equal Not x y Fmod 0 Less y 0 Less Xor And y 0 Where Add", 0},
    {"Nanmax", "", "x IsNaN float min 0 Greater nan x IsNaN -inf x Where max Where", REDUCES},
    {"Nanmean", "", "x IsNaN 0 x Where sum x IsNaN Not float sum Div", REDUCES},
    {"Nanmin", "", "x IsNaN float min 0 Greater nan x IsNaN inf x Where min Where", REDUCES},
    {"Nanprod", "", "x IsNaN 1 x Where prod", REDUCES},
    {"Nanstd", "", "x Nanvar Sqrt", REDUCES},
    {"Nansum", "", "x IsNaN 0 x Where sum", REDUCES},
    {"Nanvar", "", "x IsNaN 0 x x Nanmean Sub Where Sqr sum x IsNaN Not float sum Div", REDUCES},
    {"OnesLike", "ones_like", "x zeros 1 Add", 0},
    {"Ptp", "", "x max x min Sub", REDUCES},
    {"Rad2deg", "", "x 57.2957795130823 Mul", 0},
    {"Real", "math.real", "x Identity", 0},
    {"Signbit", "", "x 0 Less", 0},
    {"Sinc", "", "x 0 Equal 1 x 3.14159265358979 Mul Sin x 3.14159265358979 Mul Div Where", 0},
    {"Sqr", "", "x x Mul", 0},
    {"SquaredDifference", "math.squared_difference", "x y Sub Sqr", 0},
    {"Std", "math.reduce_std", "x Var Sqrt", REDUCES},
    {"Trunc", "", "x Sign x Abs Floor Mul", 0},
    {"Var", "math.reduce_variance", "x x mean Sub Sqr mean", REDUCES},
    {"ZerosLike", "zeros_like", "x zeros", 0},
};
/* clang-format on */

/* A formula at work. */
typedef struct machine {
    ltap_keras_call *c;
    int64_t axes[LTAP_KERAS_MAX_RANK];
    size_t n_axes;
} machine;

enum { DEEP = 16, MAX_NESTED = 4 };

static const formula *find(const char *name, size_t bytes, bool function)
{
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        const char *other = function ? formulas[i].function : formulas[i].name;
        if (strlen(other) == bytes && memcmp(other, name, bytes) == 0 && bytes > 0)
            return &formulas[i];
    }
    return NULL;
}

static bool is(const char *token, size_t bytes, const char *name)
{
    return strlen(name) == bytes && memcmp(token, name, bytes) == 0;
}

static bool is_one_of(const char *token, size_t bytes, const char *const *names)
{
    for (; *names != NULL; names++)
        if (is(token, bytes, *names))
            return true;
    return false;
}

static ltap_keras_tensor evaluate(machine *m, const formula *f, const ltap_keras_tensor *given,
                                  int depth);

/* Words for what is no operator; false: it is one. */
static bool do_word(machine *m, const char *token, size_t bytes, ltap_keras_tensor *top)
{
    static const char *const folds[][2] = {{"sum", "ReduceSum"},
                                           {"mean", "ReduceMean"},
                                           {"max", "ReduceMax"},
                                           {"min", "ReduceMin"},
                                           {"prod", "ReduceProd"}};
    static const struct {
        const char *name;
        ltap_dtype dtype;
    } casts[] = {{"float", LTAP_FLOAT32}, {"int", LTAP_INT32}, {"bool", LTAP_BOOL}};
    for (size_t i = 0; i < 5; i++)
        if (is(token, bytes, folds[i][0])) {
            *top = ltap_keras_reduce(m->c->b, folds[i][1], *top, m->axes, m->n_axes, true);
            return true;
        }
    for (size_t i = 0; i < 3; i++)
        if (is(token, bytes, casts[i].name)) {
            *top = ltap_keras_cast(m->c->b, *top, casts[i].dtype);
            return true;
        }
    if (!is(token, bytes, "zeros"))
        return false;
    *top = ltap_keras_filled(m->c->b, *top, 0);
    return true;
}

/* An operator of ONNX on the top of the stack; how many it took. */
static int do_operator(machine *m, const char *token, size_t bytes, ltap_keras_tensor *top)
{
    static const char *const pairs[] = {"Add",        "Sub",  "Mul",      "Div",        "Pow",
                                        "Max",        "Min",  "FloatMod", "BitwiseAnd", "BitwiseOr",
                                        "BitwiseXor", "And",  "Or",       "Xor",        "Equal",
                                        "Greater",    "Less", NULL};
    static const char *const tests[] = {"And",  "Or",  "Xor",   "Equal", "Greater",
                                        "Less", "Not", "IsNaN", "IsInf", NULL};
    char op[16] = "";
    int taken = 1;
    memcpy(op, token, bytes < sizeof op ? bytes : sizeof op - 1);
    if (is(token, bytes, "Where")) {
        top[-2] = ltap_keras_choose(m->c->b, top[-2], top[-1], top[0]);
        return 3;
    }
    if (is(token, bytes, "FloatMod")) {
        const ltap_attr attr = LTAP_ATTR_I("fmod", 1);
        ltap_keras_tensor shape = ltap_keras_binary(m->c->b, "Add", top[-1], top[0]);
        uint32_t inputs[2] = {top[-1].value, top[0].value};
        top[-1] = ltap_keras_with(shape, ltap_keras_add(m->c->b, (ltap_keras_node){.op = "Mod",
                                                                                   .inputs = inputs,
                                                                                   .n_inputs = 2,
                                                                                   .attrs = &attr,
                                                                                   .n_attrs = 1}));
        return 2;
    }
    if (is_one_of(token, bytes, pairs)) {
        top[-1] = ltap_keras_binary(m->c->b, op, top[-1], top[0]);
        taken = 2;
    } else {
        top[0] = ltap_keras_unary(m->c->b, op, top[0]);
    }
    if (is_one_of(token, bytes, tests))
        top[1 - taken].dtype = LTAP_BOOL;
    return taken;
}

/* A row in a row. */
static int do_formula(machine *m, const formula *f, ltap_keras_tensor *top, int depth)
{
    const int taken = strstr(f->text, "y ") != NULL ? 2 : 1;
    top[1 - taken] = evaluate(m, f, &top[1 - taken], depth + 1);
    return taken;
}

/* given: x, and y where the text has it. Texts are the table's, and right. */
static ltap_keras_tensor evaluate(machine *m, const formula *f, const ltap_keras_tensor *given,
                                  int depth)
{
    ltap_keras_tensor stack[DEEP] = {given[0]};
    int n = 0;
    for (const char *token = f->text; *token != '\0' && depth < MAX_NESTED;) {
        const size_t bytes = strcspn(token, " ");
        const formula *other = find(token, bytes, false);
        char *end;
        const double number = strtod(token, &end);
        if (is(token, bytes, "x") || is(token, bytes, "y"))
            stack[n++] = given[*token == 'y'];
        else if (end == token + bytes)
            stack[n++] = ltap_keras_scalar(m->c->b, number);
        else if (other != NULL && other != f)
            n += 1 - do_formula(m, other, &stack[n - 1], depth);
        else if (!do_word(m, token, bytes, &stack[n - 1]))
            n += 1 - do_operator(m, token, bytes, &stack[n - 1]);
        token += bytes + (token[bytes] == ' ');
    }
    return stack[0];
}

static void run_formula(ltap_keras_call *c)
{
    const char *function = ltap_keras_text_of(ltap_json_find(c->config, "function"), NULL);
    bool old = ltap_keras_is(c->layer->class_name, "TFOpLambda") && function != NULL;
    const char *name =
        old ? function + (strncmp(function, "tf.", 3) == 0 ? 3 : 0) : c->layer->class_name;
    const formula *f = find(name, strlen(name), old);
    ltap_keras_tensor given[2];
    machine m = {.c = c};
    if (f == NULL ||
        !ltap_keras_operand(c, 0, ltap_json_find(c->kwargs, "x1") ? "x1" : "x", &given[0]) ||
        (strstr(f->text, "y ") != NULL &&
         !ltap_keras_operand(c, 1, ltap_json_find(c->kwargs, "x2") ? "x2" : "y", &given[1]))) {
        ltap_keras_other_kind(c);
        return;
    }
    for (int i = 0; i < (strstr(f->text, "y ") != NULL ? 2 : 1) && !(f->flags & WHOLE); i++)
        given[i] = ltap_keras_cast(c->b, given[i], LTAP_FLOAT32);
    if (f->flags & REDUCES)
        m.n_axes = ltap_keras_axes(c, 1, "axis", m.axes);
    ltap_keras_tensor y = evaluate(&m, f, given, 0);
    if (f->flags & REDUCES && !ltap_keras_flag(c, 2, "keepdims"))
        for (int i = y.rank; i-- > 0;)
            for (size_t k = 0; k < m.n_axes; k++)
                if (m.axes[k] == i && ltap_keras_is_good(c->b))
                    y = ltap_keras_squeeze(c->b, y, i);
    c->outputs[0] = y;
}

const ltap_keras_row *ltap_keras_formula_find(const char *name, bool function)
{
    static const ltap_keras_row row = {"", run_formula, NULL, NULL, 0};
    return find(name, strlen(name), function) != NULL ? &row : NULL;
}
