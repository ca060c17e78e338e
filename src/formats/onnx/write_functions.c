/* Operators of layertap's own domain as functions of ONNX's operators, for every other reader:
 * layertap itself knows them by name. Field numbers are those of onnx.proto.
 */
#include "base/error.h"
#include "formats/onnx/write.h"
#include <string.h>

typedef enum body_kind { BODY_PLAIN, BODY_INT, BODY_INTS, BODY_FLOAT, BODY_REF } body_kind;

/* A node of a body: names apart by blanks; an attribute at most. */
typedef struct body_node {
    const char *op, *outputs, *inputs, *attr;
    body_kind kind;
    int64_t number;    /* INT; INTS: the only one; FLOAT */
    const char *refer; /* REF: the call's attribute, of ints */
} body_node;

struct ltap_onnx_body {
    const char *name, *doc, *inputs, *outputs, *attrs;
    const body_node *nodes;
    size_t n_nodes;
};

#define NUMBER(name, n)                                                                            \
    {                                                                                              \
        "Constant", name, "", "value_int", BODY_INT, n, NULL                                       \
    }
#define NUMBERS(name, n)                                                                           \
    {                                                                                              \
        "Constant", name, "", "value_ints", BODY_INTS, n, NULL                                     \
    }
#define PLAIN(op, output, inputs)                                                                  \
    {                                                                                              \
        op, output, inputs, NULL, BODY_PLAIN, 0, NULL                                              \
    }
#define WITH(op, output, inputs, attr, n)                                                          \
    {                                                                                              \
        op, output, inputs, attr, BODY_INT, n, NULL                                                \
    }

/* Windows [i*in/out, ceil((i+1)*in/out)) of an axis, gathered at their largest width, 0 in place of
 * what lies behind their ends, summed, divided by their widths. `behind` is the new axis in the
 * window, `mask` and `count` where masks and widths get an axis more to fit. */
#define POOL_AXIS(a, from, to, place, axis, behind, mask, count)                                   \
    NUMBER("place_" a, place), NUMBER("axis_" a, axis), NUMBERS("behind_" a, behind),              \
        NUMBERS("mask_axis_" a, mask), NUMBERS("count_axis_" a, count),                            \
        PLAIN("Gather", "in_" a, "shape axis_" a), PLAIN("Gather", "out_" a, "sizes place_" a),    \
        PLAIN("Range", "i_" a, "zero out_" a " one"), PLAIN("Mul", "scaled_" a, "i_" a " in_" a),  \
        PLAIN("Div", "begin_" a, "scaled_" a " out_" a),                                           \
        PLAIN("Add", "next_" a, "scaled_" a " in_" a), PLAIN("Sub", "most_" a, "out_" a " one"),   \
        PLAIN("Add", "rounded_" a, "next_" a " most_" a),                                          \
        PLAIN("Div", "end_" a, "rounded_" a " out_" a),                                            \
        PLAIN("Sub", "width_" a, "end_" a " begin_" a),                                            \
        WITH("ReduceMax", "widest_" a, "width_" a, "keepdims", 0),                                 \
        PLAIN("Range", "k_" a, "zero widest_" a " one"),                                           \
        PLAIN("Unsqueeze", "begins_" a, "begin_" a " ones"),                                       \
        PLAIN("Add", "at_" a, "begins_" a " k_" a),                                                \
        PLAIN("Unsqueeze", "ends_" a, "end_" a " ones"),                                           \
        PLAIN("Less", "inside_" a, "at_" a " ends_" a), PLAIN("Sub", "last_" a, "in_" a " one"),   \
        PLAIN("Min", "safe_" a, "at_" a " last_" a),                                               \
        WITH("Gather", "windows_" a, from " safe_" a, "axis", axis),                               \
        PLAIN("Unsqueeze", "mask_" a, "inside_" a " mask_axis_" a),                                \
        PLAIN("Where", "kept_" a, "mask_" a " windows_" a " nothing"),                             \
        WITH("ReduceSum", "sums_" a, "kept_" a " behind_" a, "keepdims", 0),                       \
        PLAIN("Unsqueeze", "widths_" a, "width_" a " count_axis_" a),                              \
        PLAIN("CastLike", "divisors_" a, "widths_" a " X"),                                        \
        PLAIN("Div", to, "sums_" a " divisors_" a)

static const body_node adaptive_pool[] = {
    {"Constant", "sizes", "", "value_ints", BODY_REF, 0, "output_size"},
    {"Constant", "float_zero", "", "value_float", BODY_FLOAT, 0, NULL},
    NUMBER("zero", 0),
    NUMBER("one", 1),
    NUMBERS("ones", 1),
    PLAIN("Shape", "shape", "X"),
    PLAIN("CastLike", "nothing", "float_zero X"),
    POOL_AXIS("h", "X", "rows", 0, 2, 3, 2, 1),
    POOL_AXIS("w", "rows", "Y", 1, 3, 4, 0, 0),
};

static const ltap_onnx_body bodies[] = {
    {"AdaptiveAveragePool", "PyTorch's AdaptiveAvgPool2d, for any sizes", "X", "Y", "output_size",
     adaptive_pool, sizeof adaptive_pool / sizeof *adaptive_pool},
};

const ltap_onnx_body *ltap_onnx_body_find(const char *op_type)
{
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        if (strcmp(bodies[i].name, op_type) == 0)
            return &bodies[i];
    return NULL;
}

/* Names apart by blanks, as a field each. */
static ltap_status put_names(ltap_wire_out *out, uint32_t number, const char *names,
                             ltap_error *error)
{
    while (*names != '\0') {
        size_t bytes = strcspn(names, " ");
        LTAP_TRY(ltap_wire_out_field(out, number, names, bytes, error));
        names += bytes + (names[bytes] == ' ');
    }
    return LTAP_OK;
}

static ltap_status put_attr(ltap_wire_out *out, const body_node *node, ltap_error *error)
{
    enum { FLOAT = 1, INT = 2, INTS = 7 };
    uint64_t type = node->kind == BODY_INT ? INT : node->kind == BODY_FLOAT ? FLOAT : INTS;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, 5, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, node->attr, error));
    if (node->kind == BODY_INT)
        LTAP_TRY(ltap_wire_out_int(out, 3, (uint64_t)node->number, error));
    else if (node->kind == BODY_FLOAT)
        LTAP_TRY(ltap_wire_out_float(out, 2, (float)node->number, error));
    else if (node->kind == BODY_INTS)
        LTAP_TRY(ltap_wire_out_int(out, 8, (uint64_t)node->number, error));
    else
        LTAP_TRY(ltap_wire_out_text(out, 21, node->refer, error));
    LTAP_TRY(ltap_wire_out_int(out, 20, type, error));
    return ltap_wire_out_end(out, place, error);
}

static ltap_status put_node(ltap_wire_out *out, const body_node *node, ltap_error *error)
{
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, 7, &place, error));
    LTAP_TRY(put_names(out, 1, node->inputs, error));
    LTAP_TRY(put_names(out, 2, node->outputs, error));
    LTAP_TRY(ltap_wire_out_text(out, 4, node->op, error));
    if (node->kind != BODY_PLAIN)
        LTAP_TRY(put_attr(out, node, error));
    return ltap_wire_out_end(out, place, error);
}

ltap_status ltap_onnx_put_body(ltap_onnx_writing *writing, const ltap_onnx_body *body,
                               ltap_error *error)
{
    enum { MODEL_FUNCTION = 25 };
    ltap_wire_out *out = &writing->to.model;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(out, MODEL_FUNCTION, &place, error));
    LTAP_TRY(ltap_wire_out_text(out, 1, body->name, error));
    LTAP_TRY(put_names(out, 4, body->inputs, error));
    LTAP_TRY(put_names(out, 5, body->outputs, error));
    LTAP_TRY(put_names(out, 6, body->attrs, error));
    for (size_t i = 0; i < body->n_nodes; i++)
        LTAP_TRY(put_node(out, &body->nodes[i], error));
    LTAP_TRY(ltap_wire_out_text(out, 8, body->doc, error));
    LTAP_TRY(ltap_onnx_put_import(out, 9, "", writing->opset, error));
    LTAP_TRY(ltap_wire_out_text(out, 10, "layertap", error));
    return ltap_wire_out_end(out, place, error);
}
