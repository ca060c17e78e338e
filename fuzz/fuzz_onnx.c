/* Fuzzing the ONNX loader: any bytes give a graph or one clear line. Of a graph, every constant
 * that has data is read to its end. */
#include "reader.h"

static volatile unsigned sink;

static void read_constants(const ltap_graph *graph)
{
    for (size_t i = 0; i < graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(graph, (uint32_t)i);
        if (!value->constant || !value->constant->data)
            continue;
        if (!value->name || (value->unaligned && value->missing))
            abort();
        const uint8_t *bytes = value->constant->data;
        uint64_t count = ltap_tensor_bytes(value->constant);
        for (uint64_t k = 0; k < count; k++)
            sink += bytes[k];
    }
    for (const ltap_graph *child = graph->children; child; child = child->sibling)
        read_constants(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    ltap_graph *graph = NULL;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    ltap_source source;
    ltap_source_init(&source, data, size, memory);
    ltap_status status = ltap_format_load(&source, &graph, &error);
    check_refusal(status, &error);
    if ((status == LTAP_OK) != (graph != NULL))
        abort();
    if (status == LTAP_OK)
        read_constants(graph);
    ltap_graph_free(graph);
    if (source.files.count > 0 || ltap_memory_used(memory) > 4096)
        abort();
    ltap_source_clear(&source);
    ltap_memory_unref(memory);
    return 0;
}
