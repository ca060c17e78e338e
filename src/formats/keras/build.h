/* Building a graph as Keras' layers would run: tensors that know their shape, nodes that know the
 * layer they belong to. Private to src/formats/keras.
 *
 * A builder remembers the first thing that went wrong and does nothing from then on, so that
 * layers read as a list of operations; the caller looks once, at the end. Sizes are Keras' static
 * shapes: -1 is what Keras calls None. What a layer hands out has Keras' order of axes; operators
 * that want channels second get a Transpose on either side (passes/channels_last.c makes pairs of
 * them disappear).
 */
#ifndef LTAP_FORMATS_KERAS_BUILD_H
#define LTAP_FORMATS_KERAS_BUILD_H

#include "graph/graph.h"

#define LTAP_KERAS_MAX_RANK 8
#define LTAP_KERAS_MAX_ENDS 64 /* tensors that a call of a layer takes or hands out */

typedef struct ltap_keras_tensor {
    uint32_t value;
    uint32_t mask; /* bool[batch,time] where steps are left out; LTAP_NO_VALUE: none are */
    int rank;      /* -1: not known; never 0 < rank > LTAP_KERAS_MAX_RANK */
    int64_t dims[LTAP_KERAS_MAX_RANK];
    ltap_dtype dtype;
    int one_of; /* its place, from 1, among several that its layer hands out; 0: the only one */
} ltap_keras_tensor;

typedef struct ltap_keras_builder {
    ltap_graph *graph;
    ltap_vector path;   /* char: "inner.conv", the layer that runs */
    ltap_vector scopes; /* char: a line per layer that runs, outermost first */
    ltap_vector marks;  /* mark: where path and scopes ended before each */
    uint32_t n_nodes, n_calls;
    ltap_status status;
    ltap_error *error;
} ltap_keras_builder;

void ltap_keras_builder_init(ltap_keras_builder *b, ltap_graph *graph, ltap_error *error);
void ltap_keras_builder_clear(ltap_keras_builder *b);
static inline bool ltap_keras_is_good(const ltap_keras_builder *b)
{
    return b->status == LTAP_OK;
}
void ltap_keras_take(ltap_keras_builder *b, ltap_status status);
/* Sets the builder's error, with the layer that runs in front: "layer 'conv1': ...". */
void ltap_keras_wrong(ltap_keras_builder *b, ltap_status code, const char *format, ...)
    LTAP_PRINTF(3, 4);

/* A call of a layer begins or ends. */
void ltap_keras_enter(ltap_keras_builder *b, const char *class_name, const char *name);
void ltap_keras_leave(ltap_keras_builder *b);
const char *ltap_keras_path(const ltap_keras_builder *b); /* "" outside */

/* --- Nodes. Attributes and what they point at are copied. ------------------------------------ */

typedef struct ltap_keras_node {
    const char *op; /* ONNX's, or one that layertap does not have */
    const char *domain;
    const uint32_t *inputs;
    size_t n_inputs;
    const ltap_attr *attrs;
    size_t n_attrs;
} ltap_keras_node;

/* n_outputs values, the first of them returned. */
uint32_t ltap_keras_add(ltap_keras_builder *b, ltap_keras_node node);
void ltap_keras_add_several(ltap_keras_builder *b, ltap_keras_node node, uint32_t *outputs,
                            size_t n_outputs);
uint32_t ltap_keras_ints(ltap_keras_builder *b, const int64_t *ints, size_t count);
uint32_t ltap_keras_floats(ltap_keras_builder *b, const float *floats, int rank,
                           const int64_t *dims);
ltap_keras_tensor ltap_keras_scalar(ltap_keras_builder *b, double number);
uint32_t ltap_keras_int_scalar(ltap_keras_builder *b, int64_t number); /* of no axes */

/* --- Operations on tensors; y as x where nothing else is said. -------------------------------- */

/* x without its mask where the operation changes what a step is. */
ltap_keras_tensor ltap_keras_with(ltap_keras_tensor x, uint32_t value);
ltap_keras_tensor ltap_keras_unary(ltap_keras_builder *b, const char *op, ltap_keras_tensor x);
ltap_keras_tensor ltap_keras_unary_attr(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                        ltap_attr attr);
/* x where the condition holds, else y; their shape is the largest of the three. */
ltap_keras_tensor ltap_keras_choose(ltap_keras_builder *b, ltap_keras_tensor condition,
                                    ltap_keras_tensor x, ltap_keras_tensor y);
/* The shape of x, filled with one number: float32. */
ltap_keras_tensor ltap_keras_filled(ltap_keras_builder *b, ltap_keras_tensor x, double number);
/* Broadcasts as numpy does. */
ltap_keras_tensor ltap_keras_binary(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                    ltap_keras_tensor y);
ltap_keras_tensor ltap_keras_binary_scalar(ltap_keras_builder *b, const char *op,
                                           ltap_keras_tensor x, double y);
ltap_keras_tensor ltap_keras_transpose(ltap_keras_builder *b, ltap_keras_tensor x,
                                       const int64_t *perm);
/* Channels last to channels second, and back. */
ltap_keras_tensor ltap_keras_to_second(ltap_keras_builder *b, ltap_keras_tensor x);
ltap_keras_tensor ltap_keras_to_last(ltap_keras_builder *b, ltap_keras_tensor x);
/* dims: 0 keeps the axis at that place, one -1 is what is left. */
ltap_keras_tensor ltap_keras_reshape(ltap_keras_builder *b, ltap_keras_tensor x, int rank,
                                     const int64_t *dims);
/* axes: of x, not negative. keep: they stay, of size 1. */
ltap_keras_tensor ltap_keras_reduce(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                    const int64_t *axes, size_t n_axes, bool keep);
ltap_keras_tensor ltap_keras_unsqueeze(ltap_keras_builder *b, ltap_keras_tensor x, int axis);
ltap_keras_tensor ltap_keras_squeeze(ltap_keras_builder *b, ltap_keras_tensor x, int axis);
ltap_keras_tensor ltap_keras_concat(ltap_keras_builder *b, const ltap_keras_tensor *parts,
                                    size_t count, int axis);
ltap_keras_tensor ltap_keras_matmul(ltap_keras_builder *b, ltap_keras_tensor x,
                                    ltap_keras_tensor y);
ltap_keras_tensor ltap_keras_softmax(ltap_keras_builder *b, ltap_keras_tensor x, int axis);
ltap_keras_tensor ltap_keras_cast(ltap_keras_builder *b, ltap_keras_tensor x, ltap_dtype dtype);
/* One axis; begin and end as Python's, INT64_MAX: to the end; step -1 turns it round. */
ltap_keras_tensor ltap_keras_slice(ltap_keras_builder *b, ltap_keras_tensor x, int axis,
                                   int64_t begin, int64_t end, int64_t step);
ltap_keras_tensor ltap_keras_einsum(ltap_keras_builder *b, const char *equation,
                                    const ltap_keras_tensor *parts, size_t count);

/* axis as Keras counts it to one from 0; out of range is an error. */
int ltap_keras_axis(ltap_keras_builder *b, int64_t axis, int rank);

#endif
