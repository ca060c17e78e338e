/* Loading a model in a test, and a graph as short text: one line a node,
 *
 *     Clip[](x,{0},{6})->y
 *
 * where {..} is a small constant, "-" an omitted value, "!" a weight that is missing.
 */
#ifndef TESTS_FORMATS_ONNX_TEXT_H
#define TESTS_FORMATS_ONNX_TEXT_H

#include "formats/format.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct loaded {
    ltap_memory *memory;
    ltap_file file;
    ltap_source source;
    ltap_graph *graph;
    ltap_error error;
} loaded;

static inline void loaded_close(loaded *model)
{
    ltap_graph_free(model->graph);
    ltap_source_clear(&model->source);
    ltap_file_close(&model->file);
    ltap_memory_unref(model->memory);
}

/* path may be NULL. The bytes are borrowed. */
static inline ltap_status load_bytes(loaded *model, const void *data, size_t bytes,
                                     const char *path, const ltap_allocator *allocator)
{
    memset(model, 0, sizeof(*model));
    model->error.offset = LTAP_NO_OFFSET;
    ltap_status status =
        ltap_memory_new(allocator, UINT64_C(1) << 28, &model->memory, &model->error);
    if (status != LTAP_OK)
        return status;
    ltap_source_init(&model->source, data, bytes, model->memory);
    model->source.path = path;
    return ltap_format_load(&model->source, &model->graph, &model->error);
}

/* A file of tests/formats/data, copied to the heap so that a read past its end is seen. */
static inline uint8_t *read_data(const char *name, size_t *bytes, char path[512])
{
    ltap_memory *memory = NULL;
    ltap_file file;
    snprintf(path, 512, "%s/%s", DATA_DIR, name);
    if (ltap_memory_new(NULL, 0, &memory, NULL) != LTAP_OK ||
        ltap_file_open(path, false, memory, &file, NULL) != LTAP_OK) {
        fprintf(stderr, "cannot open %s\n", path);
        abort();
    }
    uint8_t *copy = malloc(file.size);
    if (!copy)
        abort();
    memcpy(copy, file.data, file.size);
    *bytes = file.size;
    ltap_file_close(&file);
    ltap_memory_unref(memory);
    return copy;
}

typedef struct text {
    char data[8192];
    size_t used;
} text;

__attribute__((format(printf, 2, 3))) static inline void put(text *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(out->data + out->used, sizeof(out->data) - out->used, format, arguments);
    va_end(arguments);
    out->used += (size_t)count;
    if (out->used >= sizeof(out->data))
        abort();
}

static inline void put_tensor(text *out, const ltap_tensor *tensor)
{
    put(out, "{");
    for (uint64_t i = 0; i < ltap_tensor_count(tensor); i++) {
        if (i > 0)
            put(out, " ");
        if (tensor->dtype == LTAP_STRING)
            put(out, "'%s'", ((const ltap_string *)tensor->data)[i].data);
        else
            put(out, "%g", ltap_tensor_double(tensor, i));
    }
    put(out, "}");
}

static inline void put_value(text *out, const ltap_graph *graph, uint32_t value)
{
    if (value == LTAP_NO_VALUE) {
        put(out, "-");
        return;
    }
    const ltap_value *at = ltap_graph_at(graph, value);
    if (at->constant && !at->missing && ltap_tensor_count(at->constant) <= 8 &&
        at->constant->dtype != LTAP_COMPLEX64 && !at->unaligned)
        put_tensor(out, at->constant);
    else
        put(out, "%s%s",
            at->name[0] == '\1' ? "~"
            : at->missing       ? "!"
                                : "",
            at->name + (at->name[0] == '\1'));
}

static inline void put_values(text *out, const ltap_graph *graph, const uint32_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(out, i > 0 ? "," : "");
        put_value(out, graph, values[i]);
    }
}

static inline void put_attr(text *out, const ltap_attr *attr)
{
    put(out, "%s=", attr->name);
    if (attr->kind == LTAP_ATTR_INT)
        put(out, "%lld", (long long)attr->u.i);
    else if (attr->kind == LTAP_ATTR_FLOAT)
        put(out, "%g", attr->u.f);
    else if (attr->kind == LTAP_ATTR_STRING)
        put(out, "%s", attr->u.s.data);
    else if (attr->kind == LTAP_ATTR_TENSOR)
        put_tensor(out, attr->u.tensors);
    else if (attr->kind == LTAP_ATTR_GRAPH)
        put(out, "graph %s", attr->u.graphs[0]->name);
    for (size_t i = 0; attr->kind == LTAP_ATTR_INTS && i < attr->count; i++)
        put(out, i > 0 ? " %lld" : "%lld", (long long)attr->u.ints[i]);
}

static inline void put_graph(text *out, const ltap_graph *graph)
{
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        put(out, "%s[", node->op_type);
        for (size_t k = 0; k < node->n_attrs; k++) {
            put(out, k > 0 ? " " : "");
            put_attr(out, &node->attrs[k]);
        }
        put(out, "](");
        put_values(out, graph, node->inputs, node->n_inputs);
        put(out, ")->");
        put_values(out, graph, node->outputs, node->n_outputs);
        put(out, "\n");
    }
    for (const ltap_graph *child = graph->children; child; child = child->sibling) {
        put(out, "graph %s:\n", child->name);
        put_graph(out, child);
    }
}

#endif
