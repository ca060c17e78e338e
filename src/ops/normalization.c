/* Normalizations over contiguous spans: Layer, RMS, Instance, Group; and Batch, whose statistics
 * are given.
 *
 * A span is what shares one mean and one variance, both taken in two passes in double. Operators
 * differ in how long spans are and in which scale and bias an element gets: a function says that
 * for a run of elements.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>

typedef struct span_norm span_norm;

struct span_norm {
    const ltap_tensor *x, *scale, *bias; /* bias: NULL without */
    ltap_tensor *y, *mean, *inverse;     /* mean, inverse: NULL where not wanted */
    int axis;                            /* of Layer and RMS: the first that a span covers */
    int64_t span, n_spans;
    int64_t channels, groups, plane; /* of GroupNormalization; groups of one: Instance */
    int64_t scale_strides[LTAP_MAX_RANK], bias_strides[LTAP_MAX_RANK]; /* broadcast to x */
    double epsilon;
    bool centre;
    /* Scale or bias of elements [at, at + count) of span `span`. */
    void (*factors)(const span_norm *n, const ltap_tensor *from, int64_t span, int64_t at,
                    int64_t count, double *factors);
};

static void load(const ltap_tensor *from, int64_t offset, int64_t count, double *dst)
{
    ltap_number_find(from->dtype)->load(from->data, offset, 1, count, dst);
}

/* Each channel has one. */
static void channel_factors(const span_norm *n, const ltap_tensor *from, int64_t span, int64_t at,
                            int64_t count, double *factors)
{
    int64_t first = span % n->groups * (n->channels / n->groups);
    for (int64_t i = 0; i < count;) {
        int64_t channel = (at + i) / n->plane, end = (channel + 1) * n->plane - at;
        double factor;
        load(from, first + channel, 1, &factor);
        for (; i < count && i < end; i++)
            factors[i] = factor;
    }
}

/* Broadcast to the input's shape as numpy does. */
static void broadcast_factors(const span_norm *n, const ltap_tensor *from, int64_t span, int64_t at,
                              int64_t count, double *factors)
{
    const int64_t *strides = from == n->scale ? n->scale_strides : n->bias_strides;
    if (from->rank <= n->x->rank - n->axis && (int64_t)ltap_tensor_count(from) == n->span) {
        load(from, at, count, factors);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t left = span * n->span + at + i, offset = 0;
        for (int axis = n->x->rank - 1; axis >= 0; axis--) {
            offset += left % n->x->dims[axis] * strides[axis];
            left /= n->x->dims[axis];
        }
        load(from, offset, 1, &factors[i]);
    }
}

/* Mean of x, or of (x - centre)^2. */
static double span_mean(const span_norm *n, int64_t offset, double centre, bool square)
{
    double x[LTAP_RUN], sum = 0;
    for (int64_t at = 0; at < n->span; at += LTAP_RUN) {
        int64_t count = n->span - at < LTAP_RUN ? n->span - at : LTAP_RUN;
        load(n->x, offset + at, count, x);
        for (int64_t i = 0; i < count; i++)
            sum += square ? (x[i] - centre) * (x[i] - centre) : x[i];
    }
    return sum / (double)n->span;
}

static void store(const double *src, int64_t count, ltap_tensor *to, int64_t offset)
{
    ltap_number_find(to->dtype)->store(src, count, to->data, offset, 1);
}

static void normalize_span(const span_norm *n, int64_t span)
{
    double x[LTAP_RUN], scale[LTAP_RUN], bias[LTAP_RUN] = {0};
    int64_t offset = span * n->span;
    double mean = n->centre ? span_mean(n, offset, 0, false) : 0;
    double inverse = 1 / sqrt(span_mean(n, offset, mean, true) + n->epsilon);
    for (int64_t at = 0; at < n->span && n->y->data; at += LTAP_RUN) {
        int64_t count = n->span - at < LTAP_RUN ? n->span - at : LTAP_RUN;
        load(n->x, offset + at, count, x);
        n->factors(n, n->scale, span, at, count, scale);
        if (n->bias)
            n->factors(n, n->bias, span, at, count, bias);
        for (int64_t i = 0; i < count; i++)
            x[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
        store(x, count, n->y, offset + at);
    }
    if (n->mean)
        store(&mean, 1, n->mean, span);
    if (n->inverse)
        store(&inverse, 1, n->inverse, span);
}

static void normalize_spans(void *context, int64_t first, int64_t last)
{
    for (int64_t span = first; span < last; span++)
        normalize_span(context, span);
}

static span_norm begin(const ltap_call *call)
{
    return (span_norm){.x = &call->inputs[0],
                       .scale = &call->inputs[1],
                       .bias = ltap_call_has(call, 2) ? &call->inputs[2] : NULL,
                       .y = &call->outputs[0],
                       .epsilon = ltap_node_float(call->node, "epsilon", 1e-5),
                       .centre = true};
}

static ltap_status compute(const ltap_call *call, span_norm *n)
{
    uint64_t count = ltap_tensor_count(n->x);
    if (count == 0)
        return LTAP_OK;
    n->n_spans = (int64_t)count / n->span;
    ltap_parallel_for(call->threads, n->n_spans, 1, normalize_spans, n);
    return LTAP_OK;
}

static ltap_status check_floats(const ltap_call *call, ltap_error *error)
{
    for (size_t i = 0; i < call->n_inputs; i++) {
        if (ltap_call_has(call, i))
            LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
    }
    return LTAP_OK;
}

/* Inputs [first, last) that are there have one number for each of `count` channels. */
static ltap_status check_per_channel(const ltap_call *call, size_t first, size_t last,
                                     int64_t count, ltap_error *error)
{
    for (size_t i = first; i < last && i < call->n_inputs; i++) {
        const ltap_tensor *t = &call->inputs[i];
        if (t->rank != 1 || t->dims[0] != count)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "input %zu has the shape %s; its input of shape %s needs %lld", i,
                                  ltap_shape_text(t).text, ltap_shape_text(&call->inputs[0]).text,
                                  (long long)count);
    }
    return LTAP_OK;
}

static ltap_status channels_shape(const ltap_call *call, int64_t *channels, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    LTAP_TRY(check_floats(call, error));
    if (x->rank < 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input has the shape %s; expected "
                              "batch, channels, more axes",
                              ltap_shape_text(x).text);
    *channels = x->dims[1];
    LTAP_TRY(check_per_channel(call, 1, 3, *channels, error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status instance_shape(const ltap_call *call, ltap_error *error)
{
    int64_t channels;
    return channels_shape(call, &channels, error);
}

static ltap_status group_shape(const ltap_call *call, ltap_error *error)
{
    int64_t channels, groups = ltap_node_int(call->node, "num_groups", 0);
    LTAP_TRY(channels_shape(call, &channels, error));
    if (groups < 1 || channels % groups != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "num_groups is %lld; it must divide the %lld channels",
                              (long long)groups, (long long)channels);
    return LTAP_OK;
}

static ltap_status compute_groups(const ltap_call *call, int64_t groups)
{
    span_norm n = begin(call);
    n.channels = n.x->dims[1];
    n.groups = groups;
    n.plane = ltap_number_product(n.x->dims, 2, n.x->rank);
    n.span = n.channels / groups * n.plane;
    n.factors = channel_factors;
    return compute(call, &n);
}

static ltap_status instance_reference(const ltap_call *call, ltap_error *error)
{
    int64_t channels = call->inputs[0].dims[1];
    return channels == 0 ? LTAP_OK : compute_groups(call, channels);
}

static ltap_status group_reference(const ltap_call *call, ltap_error *error)
{
    return compute_groups(call, ltap_node_int(call->node, "num_groups", 1));
}

static ltap_status layer_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    int axis;
    LTAP_TRY(check_floats(call, error));
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", -1), x->rank, &axis, error));
    for (size_t i = 1; i < call->n_inputs; i++) {
        ltap_tensor both;
        if (ltap_call_has(call, i) &&
            (!ltap_dims_broadcast(&call->inputs[i], x, &both) || !ltap_tensor_same_shape(&both, x)))
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "input %zu of shape %s does not "
                                  "broadcast to its input %s",
                                  i, ltap_shape_text(&call->inputs[i]).text,
                                  ltap_shape_text(x).text);
    }
    int64_t stash = ltap_node_int(call->node, "stash_type", LTAP_FLOAT32);
    if (!ltap_number_find((ltap_dtype)stash))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "stash_type %lld is no float type",
                              (long long)stash);
    ltap_tensor reduced = *x;
    for (int i = axis; i < x->rank; i++)
        reduced.dims[i] = 1;
    ltap_call_output_like(call);
    ltap_call_output(call, 1, (ltap_dtype)stash, x->rank, reduced.dims);
    ltap_call_output(call, 2, (ltap_dtype)stash, x->rank, reduced.dims);
    return LTAP_OK;
}

static ltap_status compute_layer(const ltap_call *call, span_norm *n)
{
    int64_t axis = ltap_node_int(call->node, "axis", -1);
    n->axis = (int)(axis < 0 ? axis + n->x->rank : axis);
    n->span = ltap_number_product(n->x->dims, n->axis, n->x->rank);
    ltap_dims_strides(n->scale, n->x, n->scale_strides);
    if (n->bias)
        ltap_dims_strides(n->bias, n->x, n->bias_strides);
    n->factors = broadcast_factors;
    return compute(call, n);
}

static ltap_status layer_reference(const ltap_call *call, ltap_error *error)
{
    span_norm n = begin(call);
    n.mean = ltap_call_wants(call, 1) ? &call->outputs[1] : NULL;
    n.inverse = ltap_call_wants(call, 2) ? &call->outputs[2] : NULL;
    return compute_layer(call, &n);
}

static ltap_status rms_reference(const ltap_call *call, ltap_error *error)
{
    span_norm n = begin(call);
    n.centre = false;
    return compute_layer(call, &n);
}

/* In training mode the statistics are those of the input itself. Of a constant that is sound:
 * networks without normalization standardize their weights so. */
static bool is_training(const ltap_call *call)
{
    return ltap_node_int(call->node, "training_mode", 0) != 0;
}

static ltap_status batch_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    LTAP_TRY(check_floats(call, error));
    if (is_training(call) && !x->data && !call->constant)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "training_mode is 1: its statistics would come from the batch; "
                              "export the model in eval mode");
    for (size_t i = 1; i < call->n_outputs; i++) {
        if (call->node->outputs[i] != LTAP_NO_VALUE)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "it has %zu outputs; running statistics are not computed",
                                  call->n_outputs);
    }
    if (x->rank < 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input is a scalar; expected batch, "
                              "channels, more axes");
    LTAP_TRY(check_per_channel(call, 1, 5, x->rank > 1 ? x->dims[1] : 1, error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

/* Mean and variance of a channel of x, over the batch and all positions. */
static void batch_statistics(const ltap_tensor *x, int64_t channel, double *mean, double *variance)
{
    int64_t channels = x->rank > 1 ? x->dims[1] : 1;
    const span_norm n = {.x = x, .span = ltap_number_product(x->dims, 2, x->rank)};

    *mean = *variance = 0;
    for (int64_t i = 0; i < x->dims[0]; i++)
        *mean += span_mean(&n, (i * channels + channel) * n.span, 0, false) / (double)x->dims[0];
    for (int64_t i = 0; i < x->dims[0]; i++)
        *variance +=
            span_mean(&n, (i * channels + channel) * n.span, *mean, true) / (double)x->dims[0];
}

/* A plane of a channel, times a factor and shifted. */
static void batch_plane(const ltap_call *call, int64_t plane, double factor, double shift)
{
    const ltap_tensor *x = &call->inputs[0];
    int64_t span = ltap_number_product(x->dims, 2, x->rank);
    double run[LTAP_RUN];
    for (int64_t at = 0; at < span; at += LTAP_RUN) {
        int64_t count = span - at < LTAP_RUN ? span - at : LTAP_RUN;
        load(x, plane * span + at, count, run);
        for (int64_t i = 0; i < count; i++)
            run[i] = run[i] * factor + shift;
        store(run, count, &call->outputs[0], plane * span + at);
    }
}

static void batch_channels(void *context, int64_t first, int64_t last)
{
    const ltap_call *call = context;
    const ltap_tensor *x = &call->inputs[0];
    int64_t channels = x->rank > 1 ? x->dims[1] : 1;
    double epsilon = ltap_node_float(call->node, "epsilon", 1e-5);
    for (int64_t channel = first; channel < last; channel++) {
        double given[4]; /* scale, bias, mean, variance */
        for (int i = 0; i < 4; i++)
            load(&call->inputs[1 + i], channel, 1, &given[i]);
        if (is_training(call))
            batch_statistics(x, channel, &given[2], &given[3]);
        double factor = given[0] / sqrt(given[3] + epsilon);
        for (int64_t i = 0; i < x->dims[0]; i++)
            batch_plane(call, i * channels + channel, factor, given[1] - given[2] * factor);
    }
}

static ltap_status batch_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    ltap_call copy = *call;
    if (ltap_tensor_count(x) > 0 && ltap_call_wants(call, 0))
        ltap_parallel_for(call->threads, x->rank > 1 ? x->dims[1] : 1, 1, batch_channels, &copy);
    return LTAP_OK;
}

#define NORM(id, title, least, most, n_outputs, shape_rule, kernel)                                \
    const ltap_op ltap_op_##id = {                                                                 \
        .name = title,                                                                             \
        .domain = "",                                                                              \
        .min_inputs = least,                                                                       \
        .max_inputs = most,                                                                        \
        .min_outputs = 1,                                                                          \
        .max_outputs = n_outputs,                                                                  \
        .shape = shape_rule,                                                                       \
        .reference = kernel,                                                                       \
    };

NORM(batch_normalization, "BatchNormalization", 5, 5, 3, batch_shape, batch_reference)
NORM(instance_normalization, "InstanceNormalization", 3, 3, 1, instance_shape, instance_reference)
NORM(group_normalization, "GroupNormalization", 3, 3, 1, group_shape, group_reference)
NORM(layer_normalization, "LayerNormalization", 2, 3, 3, layer_shape, layer_reference)
NORM(rms_normalization, "RMSNormalization", 2, 2, 1, layer_shape, rms_reference)
