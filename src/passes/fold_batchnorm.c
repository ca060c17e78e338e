/* Convolution followed by BatchNormalization: the BatchNormalization's value gets a convolution of
 * its own, with folded weights, straight from the convolution's input.
 *
 * The convolution's own value keeps its own, unfolded node, which is pruned unless somebody wants
 * it. So neither value depends on whether the other is tapped. Who else reads the convolution does
 * not matter: a network that was pruned for one layer must compute it as the whole network does.
 *
 * W'[m] = W[m] * gamma[m] / sqrt(var[m] + epsilon), B'[m] = (B[m] - mean[m]) * the same + beta[m]
 * (Ioffe and Szegedy 2015, inference), in double, rounded once.
 */
#include "passes/pass.h"

#include "base/error.h"
#include "ops/op.h"

#include <math.h>
#include <string.h>

enum { IN_WEIGHT, IN_GAMMA, IN_BETA, IN_MEAN, IN_VAR, IN_BIAS, N_INPUTS };

static ltap_status fold_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *weight = &call->inputs[IN_WEIGHT];

    for (int i = IN_GAMMA; i <= IN_VAR; i++)
        if (call->inputs[i].rank != 1 || call->inputs[i].dims[0] != weight->dims[0])
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "a parameter of the BatchNormalization has shape %s, the "
                                  "convolution before it has %lld channels",
                                  ltap_shape_text(&call->inputs[i]).text,
                                  (long long)weight->dims[0]);
    call->outputs[0] = ltap_tensor_make(LTAP_FLOAT32, weight->rank, weight->dims, NULL);
    call->outputs[1] = ltap_tensor_make(LTAP_FLOAT32, 1, weight->dims, NULL);
    return LTAP_OK;
}

static ltap_status fold_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *weight = &call->inputs[IN_WEIGHT];
    int64_t channels = weight->dims[0];
    int64_t row = channels ? (int64_t)(ltap_tensor_count(weight) / (uint64_t)channels) : 0;
    double epsilon = ltap_node_float(call->node, "epsilon", 1e-5);
    const float *src = weight->data;
    const float *gamma = call->inputs[IN_GAMMA].data, *beta = call->inputs[IN_BETA].data;
    const float *mean = call->inputs[IN_MEAN].data, *var = call->inputs[IN_VAR].data;
    const float *bias = call->n_inputs > IN_BIAS ? call->inputs[IN_BIAS].data : NULL;
    float *dst = call->outputs[0].data, *dst_bias = call->outputs[1].data;

    (void)error;
    for (int64_t m = 0; m < channels; m++) {
        double factor = (double)gamma[m] / sqrt((double)var[m] + epsilon);
        for (int64_t i = 0; dst && i < row; i++)
            dst[m * row + i] = (float)((double)src[m * row + i] * factor);
        if (dst_bias)
            dst_bias[m] = (float)(((bias ? (double)bias[m] : 0.0) - (double)mean[m]) * factor +
                                  (double)beta[m]);
    }
    return LTAP_OK;
}

static const ltap_op op_fold = {
    .name = "FoldBatchNormalization",
    .domain = "layertap",
    .min_inputs = N_INPUTS - 1,
    .max_inputs = N_INPUTS,
    .min_outputs = 2,
    .max_outputs = 2,
    .shape = fold_shape,
    .reference = fold_reference,
};

static bool known_shape(const ltap_graph *graph, uint32_t value, ltap_tensor *shape);

static const ltap_tensor *constant_of(const ltap_graph *graph, uint32_t value)
{
    return value != LTAP_NO_VALUE ? ltap_graph_at(graph, value)->constant : NULL;
}

/* The sizes that a node reads as a constant. */
static bool sizes_of(const ltap_graph *graph, const ltap_node *node, ltap_tensor *shape)
{
    const ltap_tensor *sizes = node->n_inputs > 1 ? constant_of(graph, node->inputs[1]) : NULL;

    if (!sizes || sizes->dtype != LTAP_INT64 || sizes->rank != 1 || !sizes->data ||
        sizes->dims[0] > LTAP_MAX_RANK)
        return false;
    shape->rank = (int)sizes->dims[0];
    for (int i = 0; i < shape->rank; i++) {
        shape->dims[i] = ltap_tensor_int(sizes, (uint64_t)i);
        if (shape->dims[i] < 1)
            return false;
    }
    return true;
}

/* What a reader that builds networks does to weights before a convolution has them. */
static bool moved_shape(const ltap_graph *graph, const ltap_node *node, ltap_tensor *shape)
{
    const ltap_attr *perm = ltap_node_attr(node, "perm");
    ltap_tensor from;

    if (node->domain[0] || node->n_inputs < 1 || !known_shape(graph, node->inputs[0], &from))
        return false;
    *shape = from;
    if (strcmp(node->op_type, "Reshape") == 0 || strcmp(node->op_type, "Expand") == 0)
        return sizes_of(graph, node, shape);
    if (strcmp(node->op_type, "Transpose") != 0 || !perm || perm->kind != LTAP_ATTR_INTS ||
        perm->count != (size_t)from.rank)
        return false;
    for (int i = 0; i < from.rank; i++) {
        if (perm->u.ints[i] < 0 || perm->u.ints[i] >= from.rank)
            return false;
        shape->dims[i] = from.dims[perm->u.ints[i]];
    }
    return true;
}

/* The shape of a float32 weight, or of one that is made of a constant by moving its numbers; a
 * chain of at most a few nodes, for each reads the one before. */
static bool known_shape(const ltap_graph *graph, uint32_t value, ltap_tensor *shape)
{
    const ltap_tensor *tensor = constant_of(graph, value);

    if (tensor)
        *shape = *tensor;
    if (tensor || value == LTAP_NO_VALUE || ltap_graph_at(graph, value)->producer == LTAP_NO_NODE ||
        !graph->channels_last)
        return tensor && tensor->dtype == LTAP_FLOAT32;
    return moved_shape(graph, ltap_graph_node(graph, ltap_graph_at(graph, value)->producer), shape);
}

static bool is_float_constant(const ltap_graph *graph, const ltap_node *node, size_t input,
                              int rank, ltap_tensor *shape)
{
    return input < node->n_inputs && known_shape(graph, node->inputs[input], shape) &&
           (rank < 0 || shape->rank == rank);
}

/* The value behind a Transpose that gives channels back their place, and the one that took it. */
static uint32_t before_moves(const ltap_graph *graph, uint32_t value)
{
    const ltap_value *back = ltap_graph_at(graph, value);

    if (back->producer == LTAP_NO_NODE ||
        !ltap_moves_channels(ltap_graph_node(graph, back->producer), false))
        return value;
    const ltap_value *last =
        ltap_graph_at(graph, ltap_graph_node(graph, back->producer)->inputs[0]);
    if (last->producer == LTAP_NO_NODE ||
        !ltap_moves_channels(ltap_graph_node(graph, last->producer), true))
        return value;
    return ltap_graph_node(graph, last->producer)->inputs[0];
}

const ltap_node *ltap_fold_batchnorm_into(const ltap_graph *graph, const ltap_node *norm)
{
    if (strcmp(norm->op_type, "BatchNormalization") != 0 || norm->domain[0] || !norm->op ||
        norm->n_inputs != 5 || ltap_node_int(norm, "training_mode", 0) != 0)
        return NULL;
    for (size_t i = 1; i < norm->n_outputs; i++)
        if (norm->outputs[i] != LTAP_NO_VALUE)
            return NULL;
    if (norm->n_outputs < 1 || norm->outputs[0] == LTAP_NO_VALUE ||
        norm->inputs[0] == LTAP_NO_VALUE)
        return NULL;
    const ltap_value *between = ltap_graph_at(graph, before_moves(graph, norm->inputs[0]));
    ltap_tensor weight, other;
    if (between->producer == LTAP_NO_NODE)
        return NULL;
    const ltap_node *conv = ltap_graph_node(graph, between->producer);
    if (strcmp(conv->op_type, "Conv") != 0 || conv->domain[0] || !conv->op ||
        !is_float_constant(graph, conv, 1, -1, &weight))
        return NULL;
    if (conv->n_inputs > 2 && conv->inputs[2] != LTAP_NO_VALUE &&
        (!is_float_constant(graph, conv, 2, 1, &other) || other.dims[0] != weight.dims[0]))
        return NULL;
    if (weight.rank < 3)
        return NULL;
    for (size_t i = 1; i < 5; i++)
        if (!is_float_constant(graph, norm, i, 1, &other) || other.dims[0] != weight.dims[0])
            return NULL;
    return conv;
}

/* Adds the node that folds the weights; outputs: its two values. */
static ltap_status add_fold(ltap_graph *graph, const ltap_node *conv, const ltap_node *norm,
                            uint32_t outputs[2], ltap_error *error)
{
    uint32_t inputs[N_INPUTS];
    bool biased = conv->n_inputs > 2 && conv->inputs[2] != LTAP_NO_VALUE;
    ltap_node fold = *norm;

    LTAP_TRY(ltap_graph_value_new(graph, "folded_weight", &outputs[0], error));
    LTAP_TRY(ltap_graph_value_new(graph, "folded_bias", &outputs[1], error));
    inputs[IN_WEIGHT] = conv->inputs[1];
    for (int i = IN_GAMMA; i <= IN_VAR; i++)
        inputs[i] = norm->inputs[i];
    inputs[IN_BIAS] = biased ? conv->inputs[2] : LTAP_NO_VALUE;
    fold.op = &op_fold;
    fold.op_type = op_fold.name;
    fold.domain = op_fold.domain;
    fold.inputs = inputs;
    fold.n_inputs = biased ? N_INPUTS : N_INPUTS - 1;
    fold.outputs = outputs;
    fold.n_outputs = 2;
    fold.translated = true;
    return ltap_graph_node_add(graph, &fold, NULL, error);
}

/* Turns the BatchNormalization of the copy into a convolution. */
static ltap_status replace(ltap_graph *graph, uint32_t index, const ltap_node *conv,
                           const ltap_node *norm, ltap_error *error)
{
    uint32_t folded[2];
    void *inputs;

    LTAP_TRY(ltap_arena_take(&graph->arena, 3, sizeof(uint32_t), &inputs, error));
    LTAP_TRY(add_fold(graph, conv, norm, folded, error));
    ((uint32_t *)inputs)[0] = conv->inputs[0];
    ((uint32_t *)inputs)[1] = folded[0];
    ((uint32_t *)inputs)[2] = folded[1];
    ltap_node *node = ltap_graph_node(graph, index);
    node->op = conv->op;
    node->op_type = conv->op_type;
    node->attrs = conv->attrs;
    node->n_attrs = conv->n_attrs;
    node->inputs = inputs;
    node->n_inputs = 3;
    node->n_outputs = 1;
    node->translated = true;
    return LTAP_OK;
}

static ltap_status apply(const ltap_graph *original, ltap_graph *graph, ltap_error *error)
{
    for (size_t i = 0; i < original->nodes.count; i++) {
        const ltap_node *norm = ltap_graph_node(original, (uint32_t)i);
        const ltap_node *conv = ltap_fold_batchnorm_into(original, norm);
        if (conv)
            LTAP_TRY(replace(graph, (uint32_t)i, conv, norm, error));
    }
    return LTAP_OK;
}

const ltap_pass ltap_pass_fold_batchnorm = {"fold BatchNormalization", apply};
