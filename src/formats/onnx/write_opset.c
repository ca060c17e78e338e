/* Which opset a graph is written for: the oldest in which all its operators mean what they mean
 * here.
 *
 * Inside layertap operators mean what the newest opset says. A row says since when one has been so,
 * where that is later than opset 17: its attributes and inputs have been where they are since then,
 * or it is new. So files are for as many readers as can be.
 */
#include "base/error.h"
#include "formats/onnx/write.h"
#include "ops/op.h"
#include <string.h>

enum { OLDEST = 17 };

/* A row counts where the operator has the attribute (attr), with that text (text) or another number
 * than 0 (nonzero), more inputs than `beyond`, and one of the type. */
static const struct {
    const char *op, *attr, *text;
    size_t beyond;
    ltap_dtype dtype;
    bool nonzero;
    int64_t opset;
} rows[] = {
    {.op = "Attention", .attr = "left_window_size", .opset = 25},
    {.op = "Attention", .attr = "right_window_size", .opset = 25},
    {.op = "Attention", .beyond = 6, .opset = 24},
    {.op = "Attention", .opset = 23},
    {.op = "AveragePool", .attr = "ceil_mode", .nonzero = true, .opset = 22},
    {.op = "AveragePool", .attr = "dilations", .opset = 19},
    {.op = "BitwiseAnd", .opset = 18},
    {.op = "BitwiseNot", .opset = 18},
    {.op = "BitwiseOr", .opset = 18},
    {.op = "BitwiseXor", .opset = 18},
    {.op = "Cast", .attr = "round_mode", .opset = 24},
    {.op = "Cast", .attr = "saturate", .opset = 19},
    {.op = "CastLike", .attr = "round_mode", .opset = 24},
    {.op = "CastLike", .attr = "saturate", .opset = 19},
    {.op = "CumProd", .opset = 26},
    {.op = "DFT", .opset = 20},
    {.op = "DequantizeLinear", .attr = "output_dtype", .opset = 23},
    {.op = "DequantizeLinear", .opset = 21},
    {.op = "Equal", .dtype = LTAP_STRING, .opset = 19},
    {.op = "Gelu", .opset = 20},
    {.op = "GridSample", .opset = 20},
    {.op = "GroupNormalization", .opset = 21},
    {.op = "IsInf", .opset = 20},
    {.op = "IsNaN", .opset = 20},
    {.op = "LpPool", .attr = "ceil_mode", .nonzero = true, .opset = 22},
    {.op = "LpPool", .attr = "dilations", .opset = 18},
    {.op = "MaxPool", .attr = "ceil_mode", .nonzero = true, .opset = 22},
    {.op = "Mish", .opset = 18},
    {.op = "Pad", .attr = "mode", .text = "wrap", .opset = 19},
    {.op = "Pad", .beyond = 3, .opset = 18},
    {.op = "QLinearMatMul", .dtype = LTAP_FLOAT16, .opset = 21},
    {.op = "QuantizeLinear", .attr = "precision", .opset = 23},
    {.op = "QuantizeLinear", .opset = 21},
    {.op = "RMSNormalization", .opset = 23},
    {.op = "Range", .dtype = LTAP_BFLOAT16, .opset = 27},
    {.op = "Range", .dtype = LTAP_FLOAT16, .opset = 27},
    {.op = "Range", .attr = "stash_type", .opset = 27},
    {.op = "ReduceL1", .opset = 18},
    {.op = "ReduceL2", .opset = 18},
    {.op = "ReduceLogSum", .opset = 18},
    {.op = "ReduceLogSumExp", .opset = 18},
    {.op = "ReduceMax", .dtype = LTAP_BOOL, .opset = 20},
    {.op = "ReduceMax", .opset = 18},
    {.op = "ReduceMean", .opset = 18},
    {.op = "ReduceMin", .dtype = LTAP_BOOL, .opset = 20},
    {.op = "ReduceMin", .opset = 18},
    {.op = "ReduceProd", .opset = 18},
    {.op = "ReduceSumSquare", .opset = 18},
    {.op = "Resize", .attr = "antialias", .opset = 18},
    {.op = "Resize", .attr = "axes", .opset = 18},
    {.op = "Resize",
     .attr = "coordinate_transformation_mode",
     .text = "half_pixel_symmetric",
     .opset = 19},
    {.op = "Resize", .attr = "keep_aspect_ratio_policy", .opset = 18},
    {.op = "ScatterElements", .attr = "reduction", .opset = 18},
    {.op = "ScatterND", .attr = "reduction", .opset = 18},
    {.op = "SpaceToDepth", .attr = "mode", .opset = 28},
    {.op = "Split", .attr = "num_outputs", .opset = 18},
    {.op = "Swish", .opset = 24},
};

/* Since when most operators take an element type. */
static const struct {
    ltap_dtype dtype;
    int64_t opset;
} types[] = {
    {LTAP_BFLOAT16, 22},   {LTAP_FLOAT8E4M3FN, 21},   {LTAP_FLOAT8E4M3FNUZ, 21},
    {LTAP_FLOAT8E5M2, 21}, {LTAP_FLOAT8E5M2FNUZ, 21}, {LTAP_UINT4, 21},
    {LTAP_INT4, 21},       {LTAP_FLOAT4E2M1, 23},     {LTAP_FLOAT8E8M0, 24},
    {LTAP_UINT2, 25},      {LTAP_INT2, 25},
};

int64_t ltap_onnx_ir_version(int64_t opset)
{
    static const struct {
        int64_t opset, ir;
    } versions[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++)
        if (opset >= versions[i].opset)
            return versions[i].ir;
    return 8;
}

static void need(ltap_onnx_writing *writing, int64_t opset)
{
    if (writing->opset < opset)
        writing->opset = opset;
}

static void need_type(ltap_onnx_writing *writing, ltap_dtype dtype)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].dtype == dtype)
            need(writing, types[i].opset);
}

static ltap_dtype type_of(const ltap_graph *graph, uint32_t value)
{
    if (value == LTAP_NO_VALUE)
        return LTAP_UNDEFINED;
    const ltap_value *at = ltap_graph_at(graph, value);
    return at->constant ? at->constant->dtype : at->type.dtype;
}

static bool has_input(const ltap_graph *graph, const ltap_node *node, ltap_dtype dtype)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (type_of(graph, node->inputs[i]) == dtype)
            return true;
    return false;
}

/* Casts have taken bfloat16 since opset 13. */
static void need_types(ltap_onnx_writing *writing, const ltap_graph *graph, const ltap_node *node)
{
    bool cast = strncmp(node->op_type, "Cast", 4) == 0;
    for (size_t i = 0; i < node->n_inputs; i++) {
        ltap_dtype dtype = type_of(graph, node->inputs[i]);
        if (!cast || dtype != LTAP_BFLOAT16)
            need_type(writing, dtype);
    }
    ltap_dtype to = (ltap_dtype)ltap_node_int(node, "to", LTAP_UNDEFINED);
    if (cast && to != LTAP_BFLOAT16)
        need_type(writing, to);
}

static void need_operator(ltap_onnx_writing *writing, const ltap_graph *graph,
                          const ltap_node *node)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].op, node->op_type) != 0 || ltap_node_own_inputs(node) <= rows[i].beyond)
            continue;
        if (rows[i].text && strcmp(ltap_node_string(node, rows[i].attr, ""), rows[i].text) != 0)
            continue;
        if (rows[i].nonzero && ltap_node_int(node, rows[i].attr, 0) == 0)
            continue;
        if (rows[i].dtype != LTAP_UNDEFINED && !has_input(graph, node, rows[i].dtype))
            continue;
        if (!rows[i].attr || ltap_node_attr(node, rows[i].attr))
            need(writing, rows[i].opset);
    }
}

static ltap_status note_call(ltap_onnx_writing *writing, const ltap_onnx_body *body,
                             ltap_error *error)
{
    for (size_t i = 0; i < writing->calls.count; i++)
        if (*LTAP_VECTOR_AT(&writing->calls, const ltap_onnx_body *, i) == body)
            return LTAP_OK;
    return ltap_vector_push(&writing->calls, &body, error);
}

static ltap_status look_at_graph(ltap_onnx_writing *writing, const ltap_graph *graph,
                                 ltap_error *error);

static ltap_status look_at(ltap_onnx_writing *writing, const ltap_graph *graph,
                           const ltap_node *node, ltap_error *error)
{
    bool own = node->domain[0] != '\0';
    const ltap_onnx_body *body = own ? ltap_onnx_body_find(node->op_type) : NULL;
    if (!node->op)
        return ltap_error_set(
            error, LTAP_ERROR_UNSUPPORTED,
            "%s: layertap does not have this operator, so it cannot write it anew",
            ltap_node_text(graph, node).text);
    if (own && !body)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "%s: layertap has no words for this operator in ONNX",
                              ltap_node_text(graph, node).text);
    if (body)
        return note_call(writing, body, error);
    need_operator(writing, graph, node);
    need_types(writing, graph, node);
    for (size_t i = 0; i < node->n_attrs; i++) {
        const ltap_attr *attr = &node->attrs[i];
        bool graphs = attr->kind == LTAP_ATTR_GRAPH || attr->kind == LTAP_ATTR_GRAPHS;
        for (size_t k = 0; graphs && k < attr->count; k++)
            LTAP_TRY(look_at_graph(writing, attr->u.graphs[k], error));
    }
    return LTAP_OK;
}

static ltap_status look_at_graph(ltap_onnx_writing *writing, const ltap_graph *graph,
                                 ltap_error *error)
{
    for (size_t i = 0; i < graph->nodes.count; i++)
        LTAP_TRY(look_at(writing, graph, ltap_graph_node(graph, (uint32_t)i), error));
    return LTAP_OK;
}

ltap_status ltap_onnx_writing_opset(ltap_onnx_writing *writing, ltap_error *error)
{
    const ltap_graph *graph = writing->save->graph;
    writing->opset = OLDEST;
    for (uint32_t i = 0; i < graph->nodes.count; i++)
        if (writing->keep[i])
            LTAP_TRY(look_at(writing, graph, ltap_graph_node(graph, i), error));
    return LTAP_OK;
}
