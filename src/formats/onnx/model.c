/* The ONNX reader: what a file is, who wrote it, and the one load from bytes to a linked graph. */
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>

/* Names of producers as people write them. */
static const struct {
    const char *raw, *name;
} producers[] = {
    {"pytorch", "PyTorch"},           {"keras", "Keras"},
    {"tensorflow", "TensorFlow"},     {"onnx.utils.extract_model", "onnx.utils"},
    {"onnxruntime", "ONNX Runtime"},  {"paddle", "PaddlePaddle"},
    {"PaddlePaddle", "PaddlePaddle"}, {"CNTK", "CNTK"},
};

/* "PyTorch 2.6.0": without the local part of the version ("+cu124"). */
static ltap_status describe_producer(ltap_onnx *load, const char *raw, ltap_error *error)
{
    ltap_graph *graph = load->graph;
    const char *name = raw;
    for (size_t i = 0; i < sizeof(producers) / sizeof(*producers); i++)
        if (strcmp(producers[i].raw, raw) == 0)
            name = producers[i].name;
    int version = (int)strcspn(graph->producer_version, "+");
    return ltap_arena_format(load->arena, &graph->producer, error, "%s%s%.*s", name,
                             name[0] && version > 0 ? " " : "", version, graph->producer_version);
}

static ltap_status describe(ltap_onnx *load, const ltap_proto_model *proto, ltap_error *error)
{
    ltap_graph *graph = load->graph;
    const char *producer = NULL;
    LTAP_TRY(ltap_onnx_text(load, proto->producer_name, "producer name", &producer, error));
    LTAP_TRY(ltap_onnx_text(load, proto->producer_version, "producer version",
                            &graph->producer_version, error));
    LTAP_TRY(describe_producer(load, producer, error));
    LTAP_TRY(ltap_onnx_properties(load, proto->properties, &graph->properties, error));
    graph->n_properties = proto->properties.count;
    graph->format = "ONNX";
    return ltap_arena_format(load->arena, &graph->version, error, "opset %" PRId64, graph->opset);
}

static bool is_known(const ltap_graph *graph, uint32_t value)
{
    const ltap_value *at = ltap_graph_at(graph, value);
    uint32_t found;
    if (at->producer != LTAP_NO_NODE || at->is_input || at->constant)
        return true;
    for (const ltap_graph *around = graph->parent; around; around = around->parent)
        if (ltap_graph_find(around, at->name, &found))
            return true;
    return false;
}

/* Where a graph that could not be linked goes wrong: the first node that uses what nobody makes, or
 * the graph itself. */
static uint64_t find_trouble(const ltap_graph *graph)
{
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        for (size_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] != LTAP_NO_VALUE && !is_known(graph, node->inputs[k]))
                return node->span.offset;
    }
    return graph->span.offset;
}

/* Outer graphs first: an inner one may look for names around it. */
static ltap_status link_all(ltap_graph *graph, ltap_error *error)
{
    ltap_status status = ltap_graph_link(graph, error);
    if (status != LTAP_OK)
        return ltap_onnx_locate(error, status, find_trouble(graph));
    for (ltap_graph *child = graph->children; child; child = child->sibling)
        LTAP_TRY(link_all(child, error));
    return LTAP_OK;
}

static ltap_status check_model(const ltap_proto_model *proto, uint64_t size, ltap_error *error)
{
    if (proto->graphs.count == 1)
        return LTAP_OK;
    if (proto->graphs.count == 0)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, size, "the model holds no graph");
    return ltap_error_at(error, LTAP_ERROR_FORMAT, proto->graphs.items[1].offset,
                         "the model holds %zu graphs; a file must hold one", proto->graphs.count);
}

static ltap_status read_model(ltap_onnx *load, ltap_error *error)
{
    ltap_proto_model proto;
    ltap_onnx_scope scope;
    ltap_wire_span all = {0, load->wire.size};
    LTAP_TRY(ltap_wire_decode(&load->wire, all, &ltap_proto_model_message, &load->scratch, &proto,
                              error));
    LTAP_TRY(check_model(&proto, load->wire.size, error));
    ltap_onnx_scope_init(&scope, load, load->graph);
    ltap_status status = ltap_onnx_opset_read(load, proto.opset_imports, &scope.opset, error);
    if (status == LTAP_OK)
        status = ltap_onnx_functions_read(load, proto.functions, error);
    load->graph->opset = scope.opset;
    if (status == LTAP_OK)
        status = ltap_onnx_graph_fill(&scope, proto.graphs.items[0], error);
    ltap_onnx_scope_clear(&scope);
    LTAP_TRY(status);
    LTAP_TRY(ltap_onnx_spans_keep(load, load->graph, proto.head.unknown, error));
    LTAP_TRY(describe(load, &proto, error));
    return link_all(load->graph, error);
}

static ltap_status load_onnx(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_onnx load = {.wire = {source->data, source->size}, .source = source};
    LTAP_TRY(ltap_graph_new(source->memory, &load.graph, error));
    load.arena = &load.graph->arena;
    ltap_arena_init(&load.scratch, source->memory);
    ltap_map_init(&load.function_by_key, source->memory);
    ltap_map_init(&load.call_paths, source->memory);
    ltap_map_init(&load.external_by_location, source->memory);
    ltap_onnx_externals_init(&load);
    ltap_status status = read_model(&load, error);
    ltap_vector_clear(&load.externals);
    ltap_map_clear(&load.external_by_location);
    ltap_map_clear(&load.call_paths);
    ltap_map_clear(&load.function_by_key);
    ltap_arena_clear(&load.scratch);
    if (status == LTAP_OK)
        *graph = load.graph;
    else
        ltap_graph_free(load.graph);
    return status;
}

/* Fields of ModelProto by number: their wire type. */
enum { NO_FIELD = 0xff };
static const uint8_t model_types[] = {
    NO_FIELD, 0,        2,        2,        2,        0,        2,        2,        2,
    NO_FIELD, NO_FIELD, NO_FIELD, NO_FIELD, NO_FIELD, 2,        NO_FIELD, NO_FIELD, NO_FIELD,
    NO_FIELD, NO_FIELD, 2,        NO_FIELD, NO_FIELD, NO_FIELD, NO_FIELD, 2,        2};

/* A model begins with a few fields that only a model has; ir_version is a small number. Fields that
 * may be of a later version speak neither for nor against. */
static int probe_onnx(const ltap_source *source)
{
    enum { LOOK_AT = 8, MAX_IR_VERSION = 1000, IR_VERSION = 1 };
    ltap_wire wire = {source->data, source->size};
    uint64_t at = 0, value = 0;
    uint32_t number = 0;
    unsigned type = 0;
    int sure = 0;
    for (int i = 0; i < LOOK_AT && ltap_wire_peek(&wire, &at, &number, &type, &value); i++) {
        if (number >= sizeof(model_types) || model_types[number] == NO_FIELD)
            continue;
        if (model_types[number] != type || (number == IR_VERSION && value > MAX_IR_VERSION))
            return sure > 0 ? sure - 1 : 0;
        sure += sure < 2;
    }
    return sure;
}

const ltap_format ltap_onnx_format = {"ONNX", probe_onnx, load_onnx, ltap_onnx_save, false};
