/* If, Loop, Scan: bodies, captured values, shapes that only data can tell. */
#include "cases.h"

/* clang-format off */
#define BRANCHES \
    .bodies = {{"then_branch", "", "y", {"y = Neg x"}}, {"else_branch", "", "y", {"y = Abs x"}}}, \
    .captured = "x"
#define SQUEEZES \
    .bodies = {{"then_branch", "", "y", {"y = Squeeze x"}}, {"else_branch", "", "y", {"y = Neg x"}}}, \
    .captured = "x"
/* total' = total + step, and step * 2 is stacked */
#define ADDING \
    .bodies = {{"body", "i go total", "on sum twice", \
                {"on = Identity go", "sum = Add total step", "twice = Add step sum"}}}, \
    .captured = "step"
#define RUNNING \
    .bodies = {{"body", "total x", "sum copy", {"sum = Add total x", "copy = Identity sum"}}}

static const op_case cases[] = {
    {"If takes the then branch", "If", BRANCHES,
     .inputs = {BOOL(SCALAR, 1), F32(DIMS(2), 1, -2)}, .outputs = {F32(DIMS(2), -1, 2)}},
    {"If takes the else branch", "If", BRANCHES,
     .inputs = {BOOL(DIMS(1), 0), F32(DIMS(2), 1, -2)}, .outputs = {F32(DIMS(2), 1, 2)}},
    {"If with a constant condition may have branches of two shapes", "If", SQUEEZES,
     .constants = INPUT(0),
     .inputs = {BOOL(SCALAR, 1), F32(DIMS(1, 2), 1, -2)}, .outputs = {F32(DIMS(2), 1, -2)}},
    {"If without a constant condition may not", "If", SQUEEZES,
     .inputs = {BOOL(SCALAR, 1), F32(DIMS(1, 2), 1, -2)}, .refusal = LTAP_ERROR_UNSUPPORTED,
     .message = "its branches make float32[2] and float32[1,2]; which it is depends on data"},
    {"If takes what cannot be computed as not chosen", "If",
     .bodies = {{"then_branch", "", "y", {"y = MatMul x x"}}, {"else_branch", "", "y", {"y = Neg x"}}},
     .captured = "x",
     .inputs = {BOOL(SCALAR, 0), F32(DIMS(1, 2), 1, -2)}, .outputs = {F32(DIMS(1, 2), -1, 2)}},
    {"If refuses an operator that its branch has and layertap has not", "If",
     .bodies = {{"then_branch", "", "y", {"y = Nothing x"}}, {"else_branch", "", "y", {"y = Neg x"}}},
     .captured = "x",
     .inputs = {BOOL(SCALAR, 0), F32(DIMS(1, 2), 1, -2)}, .refusal = LTAP_ERROR_UNSUPPORTED,
     .message = "layertap does not have this operator"},
    {"If needs a condition of one value", "If", BRANCHES,
     .inputs = {BOOL(DIMS(2), 1, 0), F32(DIMS(1), 1)}, .refusal = LTAP_ERROR_FORMAT,
     .message = "one value is needed"},
    {"If needs its branches", "If",
     .bodies = {{"then_branch", "", "y", {"y = Neg x"}}}, .captured = "x",
     .inputs = {BOOL(SCALAR, 0), F32(DIMS(1), 1)}, .refusal = LTAP_ERROR_FORMAT,
     .message = "its attribute else_branch is not there"},

    {"Loop carries a sum and stacks", "Loop", ADDING, .constants = INPUT(0) | INPUT(1),
     .inputs = {I64(SCALAR, 3), BOOL(SCALAR, 1), F32(DIMS(2), 1, 2), F32(DIMS(2), 10, 100)},
     .outputs = {F32(DIMS(2), 31, 302), F32(DIMS(3, 2), 21, 202, 31, 302, 41, 402)}},
    {"Loop need not be told a condition", "Loop",
     .bodies = {{"body", "i go total", "on sum", {"on = Identity go", "sum = Add total step"}}},
     .captured = "step", .n_inputs = 4,
     .inputs = {I64(DIMS(1), 2), OMITTED, F32(DIMS(1), 1), F32(DIMS(1), 10)},
     .outputs = {F32(DIMS(1), 21)}},
    {"Loop need not know how often where shapes stay", "Loop",
     .bodies = {{"body", "i go total", "on sum", {"sum = Add total step", "on = Less sum limit"}}},
     .captured = "step limit", .n_inputs = 5,
     .inputs = {OMITTED, BOOL(SCALAR, 1), F32(SCALAR, 1), F32(SCALAR, 10), F32(SCALAR, 35)},
     .outputs = {F32(SCALAR, 41)}},
    {"Loop of no iterations gives back what it was given", "Loop", ADDING,
     .constants = INPUT(0) | INPUT(1),
     .inputs = {I64(SCALAR, 0), BOOL(SCALAR, 1), F32(DIMS(2), 1, 2), F32(DIMS(2), 10, 100)},
     .outputs = {F32(DIMS(2), 1, 2), F32(DIMS(0, 2), 0)}},
    {"Loop numbers its iterations", "Loop",
     .bodies = {{"body", "i go", "on square", {"on = Identity go", "square = Mul i i"}}},
     .constants = INPUT(0), .n_inputs = 1,
     .inputs = {I64(SCALAR, 4)}, .outputs = {I64(DIMS(4), 0, 1, 4, 9)}},
    {"Loop ends by a condition that the plan can tell", "Loop",
     .bodies = {{"body", "i go", "on copy", {"on = Less i two", "copy = Identity i"}}},
     .captured = "two", .constants = INPUT(0) | INPUT(2), .n_inputs = 3,
     .inputs = {I64(SCALAR, 9), OMITTED, I64(SCALAR, 2)}, .outputs = {I64(DIMS(3), 0, 1, 2)}},
    {"Loop does not stack as often as data tells", "Loop", ADDING,
     .inputs = {I64(SCALAR, 3), BOOL(SCALAR, 1), F32(DIMS(2), 1, 2), F32(DIMS(2), 10, 100)},
     .outputs = {F32(DIMS(2), 0), F32(DIMS(3, 2), 0)}, .refusal = LTAP_ERROR_UNSUPPORTED,
     .message = "the number of its iterations depends on data"},
    {"Loop does not grow as often as data tells", "Loop",
     .bodies = {{"body", "i go all", "on more", {"on = Identity go", "more = Expand all shape"}}},
     .captured = "shape", .constants = INPUT(3),
     .inputs = {I64(SCALAR, 3), BOOL(SCALAR, 1), F32(DIMS(1), 1), I64(DIMS(2), 4, 4)},
     .refusal = LTAP_ERROR_UNSUPPORTED, .message = "grows from float32[1] to float32[4,4]"},
    {"Loop without an end is refused", "Loop",
     .bodies = {{"body", "i go x", "on y", {"on = Identity go", "y = Neg x"}}}, .n_inputs = 3,
     .inputs = {OMITTED, OMITTED, F32(DIMS(1), 1)}, .refusal = LTAP_ERROR_UNSUPPORTED,
     .message = "it has no limit"},
    {"Loop carries as many values as its body takes", "Loop", ADDING,
     .inputs = {I64(SCALAR, 3), BOOL(SCALAR, 1), F32(DIMS(2), 1, 2), F32(DIMS(2), 1, 2),
                F32(DIMS(2), 10, 100)},
     .refusal = LTAP_ERROR_FORMAT, .message = "it carries 2 values; its body has 3 inputs"},

    {"Scan goes through the first axis", "Scan", RUNNING, .attrs = {ATTR_INT("num_scan_inputs", 1)},
     .inputs = {F32(DIMS(2), 0, 100), F32(DIMS(3, 2), 1, 2, 3, 4, 5, 6)},
     .outputs = {F32(DIMS(2), 9, 112), F32(DIMS(3, 2), 1, 102, 4, 106, 9, 112)}},
    {"Scan goes through another axis, backwards", "Scan", RUNNING,
     .attrs = {ATTR_INT("num_scan_inputs", 1), ATTR_INTS("scan_input_axes", 1),
               ATTR_INTS("scan_input_directions", 1), ATTR_INTS("scan_output_axes", -1),
               ATTR_INTS("scan_output_directions", 1)},
     .inputs = {F32(DIMS(2), 0, 100), F32(DIMS(2, 3), 1, 3, 5, 2, 4, 6)},
     .outputs = {F32(DIMS(2), 9, 112), F32(DIMS(2, 3), 9, 8, 5, 112, 110, 106)}},
    {"Scan of nothing keeps its state", "Scan", RUNNING, .attrs = {ATTR_INT("num_scan_inputs", 1)},
     .inputs = {F32(DIMS(2), 5, 6), F32(DIMS(0, 2), 0)},
     .outputs = {F32(DIMS(2), 5, 6), F32(DIMS(0, 2), 0)}},
    {"Scan needs a state of one shape", "Scan", RUNNING, .attrs = {ATTR_INT("num_scan_inputs", 1)},
     .inputs = {F32(DIMS(1), 5), F32(DIMS(2, 2), 1, 2, 3, 4)}, .refusal = LTAP_ERROR_UNSUPPORTED,
     .message = "its state 0 changes from float32[1] to float32[2]"},
    {"Scan checks its counts", "Scan", RUNNING, .attrs = {ATTR_INT("num_scan_inputs", 3)},
     .inputs = {F32(DIMS(1), 5), F32(DIMS(2, 1), 1, 2)}, .refusal = LTAP_ERROR_FORMAT,
     .message = "it has 2 inputs, 3 of them scanned"},
};
/* clang-format on */

FAMILY(control, cases)
