/* Builds small graphs in tests: values by name, nodes by a line of words. */
#ifndef TESTS_SUPPORT_BUILD_H
#define TESTS_SUPPORT_BUILD_H

#include "graph/graph.h"
#include "ops/op.h"
#include <stdlib.h>
#include <string.h>

enum { BUILD_MAX = 8 };

static inline uint32_t build_value(ltap_graph *graph, const char *name)
{
    uint32_t value = LTAP_NO_VALUE;
    if (name[0] && ltap_graph_value(graph, name, strlen(name), &value, NULL) != LTAP_OK)
        abort();
    return value;
}

static inline uint32_t build_input(ltap_graph *graph, const char *name)
{
    uint32_t value = build_value(graph, name);
    ltap_graph_at(graph, value)->is_input = true;
    if (ltap_vector_push(&graph->inputs, &value, NULL) != LTAP_OK)
        abort();
    return value;
}

/* A float constant with numbers from a small generator; copied into the graph's arena. */
static inline uint32_t build_weights(ltap_graph *graph, const char *name, int rank,
                                     const int64_t *dims, uint32_t seed, float low, float high)
{
    uint32_t value = build_value(graph, name);
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, rank, dims, NULL);
    void *data, *copy;
    uint64_t count = ltap_tensor_count(&tensor);
    if (ltap_arena_take(&graph->arena, count, sizeof(float), &data, NULL) != LTAP_OK ||
        ltap_arena_take(&graph->arena, 1, sizeof(tensor), &copy, NULL) != LTAP_OK)
        abort();
    for (uint64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)data)[i] = low + (high - low) * ((float)(seed >> 8) / 16777216.0f);
    }
    tensor.data = data;
    memcpy(copy, &tensor, sizeof(tensor));
    ltap_graph_at(graph, value)->constant = copy;
    return value;
}

static inline void build_ints(ltap_graph *graph, ltap_attr *attr, const char *name, size_t count,
                              const int64_t *ints)
{
    void *copy;
    if (ltap_arena_take(&graph->arena, count, sizeof(int64_t), &copy, NULL) != LTAP_OK)
        abort();
    memcpy(copy, ints, count * sizeof(int64_t));
    *attr = (ltap_attr){.name = name, .kind = LTAP_ATTR_INTS, .count = count, .u.ints = copy};
}

/* inputs, outputs: names, "" for omitted, NULL at the end. */
static inline void build_node(ltap_graph *graph, const char *type, const char *const *inputs,
                              const char *const *outputs, const ltap_attr *attrs, size_t n_attrs)
{
    uint32_t in[BUILD_MAX], out[BUILD_MAX];
    ltap_node node = {.name = outputs[0],
                      .op_type = type,
                      .domain = "",
                      .inputs = in,
                      .outputs = out,
                      .n_attrs = n_attrs};
    void *copy = NULL;
    while (inputs[node.n_inputs]) {
        in[node.n_inputs] = build_value(graph, inputs[node.n_inputs]);
        node.n_inputs++;
    }
    while (outputs[node.n_outputs]) {
        out[node.n_outputs] = build_value(graph, outputs[node.n_outputs]);
        node.n_outputs++;
    }
    if (n_attrs && ltap_arena_take(&graph->arena, n_attrs, sizeof(*attrs), &copy, NULL) != LTAP_OK)
        abort();
    if (n_attrs)
        memcpy(copy, attrs, n_attrs * sizeof(*attrs));
    node.attrs = copy;
    if (ltap_graph_node_add(graph, &node, NULL, NULL) != LTAP_OK)
        abort();
}

#define BUILD_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
