/* Test cases of operators, as tables: attributes, inputs, and outputs or the refusal expected.
 *
 *     {"Relu lets positive numbers through", "Relu",
 *      .inputs = {F32(DIMS(2, 2), -1, 2, 0, -3)}, .outputs = {F32(DIMS(2, 2), 0, 2, 0, 0)}},
 *
 * A family of cases is a file cases_<family>.c that ends in FAMILY(<family>, table), and a line in
 * families.def. Every operator needs a case that computes.
 */
#ifndef LTAP_TESTS_OPS_CASES_H
#define LTAP_TESTS_OPS_CASES_H

#include "ops/op.h"

#define CASE_TENSORS 10
#define CASE_ATTRS   8
#define CASE_BODIES  3

typedef struct case_tensor {
    ltap_dtype dtype; /* LTAP_UNDEFINED: omitted, or past the end */
    int rank;
    int64_t dims[LTAP_MAX_RANK];
    const void *data;
    size_t data_bytes;
} case_tensor;

/* A subgraph of the case's node, as words: inputs "a b", outputs "c", nodes "c = Add a b". Names
 * that it uses and does not make are captured. */
typedef struct case_body {
    const char *attr; /* NULL ends the list */
    const char *inputs, *outputs;
    const char *nodes[4];
} case_body;

typedef struct op_case {
    const char *name; /* reads as a sentence */
    const char *op;
    ltap_attr attrs[CASE_ATTRS];       /* ends with name NULL */
    case_tensor inputs[CASE_TENSORS];  /* n_inputs, or up to the first of type LTAP_UNDEFINED */
    case_tensor outputs[CASE_TENSORS]; /* likewise */
    size_t n_inputs;                   /* needed where an omitted input stands before others */
    unsigned constants;                /* INPUT(i) | ...: what the shape rule sees the data of */
    double tolerance;                  /* of the largest magnitude; 0: 1e-6 */
    ltap_status refusal;               /* by the shape rule, ... */
    ltap_status failure;               /* ... or by the kernel */
    const char *message;               /* which it contains */
    case_body bodies[CASE_BODIES];     /* subgraphs, behind the other attributes */
    const char *captured;              /* names of the last inputs, as bodies know them */
} op_case;

/* clang-format off */
#define INPUT(i) (1u << (i))

#define DIMS(...) sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}
#define SCALAR 0, {0}
#define DATA(type, ...) (const type[]){__VA_ARGS__}, sizeof((const type[]){__VA_ARGS__})
/* F32(DIMS(2, 3), numbers...); F32(SCALAR, 5); an empty tensor: F32(DIMS(0, 3), 0). */
#define F32(shape, ...) {LTAP_FLOAT32, shape, DATA(float, __VA_ARGS__)}
#define F64(shape, ...) {LTAP_FLOAT64, shape, DATA(double, __VA_ARGS__)}
#define F16(shape, ...) {LTAP_FLOAT16, shape, DATA(uint16_t, __VA_ARGS__)} /* bits */
#define BF16(shape, ...) {LTAP_BFLOAT16, shape, DATA(uint16_t, __VA_ARGS__)} /* bits */
#define I8(shape, ...) {LTAP_INT8, shape, DATA(int8_t, __VA_ARGS__)}
#define I16(shape, ...) {LTAP_INT16, shape, DATA(int16_t, __VA_ARGS__)}
#define I32(shape, ...) {LTAP_INT32, shape, DATA(int32_t, __VA_ARGS__)}
#define I64(shape, ...) {LTAP_INT64, shape, DATA(int64_t, __VA_ARGS__)}
#define U8(shape, ...) {LTAP_UINT8, shape, DATA(uint8_t, __VA_ARGS__)}
#define U16(shape, ...) {LTAP_UINT16, shape, DATA(uint16_t, __VA_ARGS__)}
#define U32(shape, ...) {LTAP_UINT32, shape, DATA(uint32_t, __VA_ARGS__)}
#define U64(shape, ...) {LTAP_UINT64, shape, DATA(uint64_t, __VA_ARGS__)}
#define BOOL(shape, ...) {LTAP_BOOL, shape, DATA(uint8_t, __VA_ARGS__)}
#define OMITTED {0}
/* A type that few operators take. */
#define STRING(shape) {LTAP_STRING, shape, DATA(char, 0)}

#define COUNT_OF(type, ...) (sizeof((const type[]){__VA_ARGS__}) / sizeof(type))
#define ATTR(text, what, n) .name = text, .kind = LTAP_ATTR_##what, .count = n
#define ATTR_INT(text, number) {ATTR(text, INT, 1), .u.i = number}
#define ATTR_FLOAT(text, number) {ATTR(text, FLOAT, 1), .u.f = number}
#define ATTR_STRING(text, string) {ATTR(text, STRING, 1), .u.s = {string, sizeof(string) - 1}}
#define ATTR_INTS(text, ...) \
    {ATTR(text, INTS, COUNT_OF(int64_t, __VA_ARGS__)), .u.ints = (const int64_t[]){__VA_ARGS__}}
#define ATTR_FLOATS(text, ...) \
    {ATTR(text, FLOATS, COUNT_OF(float, __VA_ARGS__)), .u.floats = (const float[]){__VA_ARGS__}}
#define ATTR_TENSOR(text, tensor) {ATTR(text, TENSOR, 1), .u.tensors = tensor}
/* clang-format on */

typedef struct op_family {
    const char *name;
    const op_case *cases;
    size_t count;
} op_family;

#define FAMILY(id, table)                                                                          \
    const op_family family_##id = {#id, table, sizeof(table) / sizeof((table)[0])};

/* The example of docs/add-an-operator.md, which is compiled but not in the table. */
extern const ltap_op ltap_op_squareplus;

#define FAMILY_LINE(id) extern const op_family family_##id;
#include "families.def"
#undef FAMILY_LINE

#endif
