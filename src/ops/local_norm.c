/* Normalizations without parameters: LpNormalization along an axis, MeanVarianceNormalization over
 * some axes, and LRN over neighbouring channels.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>

/* The input as outer x axis x inner; tasks are runs of lanes that lie side by side. */
typedef struct lanes {
    const ltap_number *number;
    const void *x;
    void *y;
    int64_t axis, inner;
    /* LpNormalization */
    bool absolute;
    /* LRN */
    int64_t before, after; /* neighbours on each side */
    double alpha, beta, bias;
    void (*compute)(const struct lanes *lanes, int64_t offset, int64_t count);
} lanes;

static void normalize_lanes(const lanes *l, int64_t offset, int64_t count)
{
    double x[LTAP_RUN], norms[LTAP_RUN] = {0};
    for (int64_t i = 0; i < l->axis; i++) {
        l->number->load(l->x, offset + i * l->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            norms[j] += l->absolute ? fabs(x[j]) : x[j] * x[j];
    }
    for (int64_t j = 0; j < count; j++) {
        norms[j] = l->absolute ? norms[j] : sqrt(norms[j]);
        if (norms[j] == 0)
            norms[j] = 1;
    }
    for (int64_t i = 0; i < l->axis; i++) {
        l->number->load(l->x, offset + i * l->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            x[j] /= norms[j];
        l->number->store(x, count, l->y, offset + i * l->inner, 1);
    }
}

static void respond_lanes(const lanes *l, int64_t offset, int64_t count)
{
    double x[LTAP_RUN];
    for (int64_t i = 0; i < l->axis; i++) {
        double sums[LTAP_RUN] = {0};
        int64_t first = i > l->before ? i - l->before : 0;
        int64_t last = l->axis - 1 - i > l->after ? i + l->after : l->axis - 1;
        for (int64_t k = first; k <= last; k++) {
            l->number->load(l->x, offset + k * l->inner, 1, count, x);
            for (int64_t j = 0; j < count; j++)
                sums[j] += x[j] * x[j];
        }
        l->number->load(l->x, offset + i * l->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            x[j] /= pow(l->bias + l->alpha * sums[j], l->beta);
        l->number->store(x, count, l->y, offset + i * l->inner, 1);
    }
}

static void compute_lanes(void *context, int64_t first, int64_t last)
{
    const lanes *l = context;
    for (int64_t lane = first; lane < last;) {
        int64_t at = lane % l->inner, count = l->inner - at;
        count = count < last - lane ? count : last - lane;
        count = count < LTAP_RUN ? count : LTAP_RUN;
        l->compute(l, lane / l->inner * l->axis * l->inner + at, count);
        lane += count;
    }
}

static ltap_status run_lanes(const ltap_call *call, int axis, lanes *l)
{
    const ltap_tensor *x = &call->inputs[0];
    l->number = ltap_number_find(x->dtype);
    l->x = x->data;
    l->y = call->outputs[0].data;
    l->axis = x->dims[axis];
    l->inner = ltap_number_product(x->dims, axis + 1, x->rank);
    if (ltap_tensor_count(x) > 0 && l->y)
        ltap_parallel_for(call->threads, (int64_t)ltap_tensor_count(x) / l->axis, 16, compute_lanes,
                          l);
    return LTAP_OK;
}

static ltap_status norm_shape(const ltap_call *call, ltap_error *error)
{
    int axis;
    int64_t p = ltap_node_int(call->node, "p", 2);
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(
        ltap_axis_check(ltap_node_int(call->node, "axis", -1), call->inputs[0].rank, &axis, error));
    if (p != 1 && p != 2)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "p is %lld; expected 1 or 2",
                              (long long)p);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status norm_reference(const ltap_call *call, ltap_error *error)
{
    int64_t axis = ltap_node_int(call->node, "axis", -1);
    lanes l = {.absolute = ltap_node_int(call->node, "p", 2) == 1, .compute = normalize_lanes};
    return run_lanes(call, (int)(axis < 0 ? axis + call->inputs[0].rank : axis), &l);
}

static ltap_status lrn_shape(const ltap_call *call, ltap_error *error)
{
    int64_t size = ltap_node_int(call->node, "size", 0);
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    if (size < 1 || size > INT32_MAX || call->inputs[0].rank < 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "size is %lld for an input of shape %s; expected at least 1, and "
                              "channels",
                              (long long)size, ltap_shape_text(&call->inputs[0]).text);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status lrn_reference(const ltap_call *call, ltap_error *error)
{
    int64_t size = ltap_node_int(call->node, "size", 1);
    lanes l = {.before = (size - 1) / 2,
               .after = size / 2,
               .alpha = ltap_node_float(call->node, "alpha", 1e-4) / (double)size,
               .beta = ltap_node_float(call->node, "beta", 0.75),
               .bias = ltap_node_float(call->node, "bias", 1),
               .compute = respond_lanes};
    return run_lanes(call, 1, &l);
}

/* What shares a mean: some axes are run over, each combination of the others is a task. */
typedef struct moments {
    const ltap_number *number;
    const void *x;
    void *y;
    int n_kept, n_reduced; /* the last reduced axis is run over in runs */
    int64_t kept[LTAP_MAX_RANK], kept_strides[LTAP_MAX_RANK];
    int64_t reduced[LTAP_MAX_RANK], reduced_strides[LTAP_MAX_RANK];
    int64_t n_rows, n_elements; /* reduced: rows of the last axis, all */
} moments;

static int64_t find_offset(int64_t index, int n_axes, const int64_t *dims, const int64_t *strides)
{
    int64_t offset = 0;
    for (int i = n_axes - 1; i >= 0; i--) {
        offset += index % dims[i] * strides[i];
        index /= dims[i];
    }
    return offset;
}

/* Goes over all elements of a task. step 0: sums x; 1: sums (x - mean)^2; 2: writes. */
static double pass(const moments *m, int64_t base, int step, double mean, double deviation)
{
    int last = m->n_reduced - 1;
    double x[LTAP_RUN], sum = 0;
    int64_t length = m->reduced[last], stride = m->reduced_strides[last];
    for (int64_t row = 0; row < m->n_rows; row++) {
        int64_t offset = base + find_offset(row, last, m->reduced, m->reduced_strides);
        for (int64_t at = 0; at < length; at += LTAP_RUN) {
            int64_t count = length - at < LTAP_RUN ? length - at : LTAP_RUN;
            m->number->load(m->x, offset + at * stride, stride, count, x);
            for (int64_t i = 0; i < count; i++) {
                double centred = x[i] - mean;
                sum += step == 1 ? centred * centred : centred;
                x[i] = centred / deviation;
            }
            if (step == 2)
                m->number->store(x, count, m->y, offset + at * stride, stride);
        }
    }
    return sum;
}

static void compute_moments(void *context, int64_t first, int64_t last)
{
    const moments *m = context;
    for (int64_t task = first; task < last; task++) {
        int64_t base = find_offset(task, m->n_kept, m->kept, m->kept_strides);
        double mean = pass(m, base, 0, 0, 1) / (double)m->n_elements;
        double variance = pass(m, base, 1, mean, 1) / (double)m->n_elements;
        pass(m, base, 2, mean, sqrt(variance) + 1e-9);
    }
}

static ltap_status read_axes(const ltap_call *call, bool *reduced, ltap_error *error)
{
    static const int64_t otherwise[] = {0, 2, 3};
    const int64_t *axes;
    size_t count = ltap_node_ints(call->node, "axes", &axes);
    if (count == 0) {
        axes = otherwise;
        count = 3;
    }
    return ltap_axes_check(axes, count, call->inputs[0].rank, reduced, error);
}

static ltap_status mvn_shape(const ltap_call *call, ltap_error *error)
{
    bool reduced[LTAP_MAX_RANK];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(read_axes(call, reduced, error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status mvn_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0];
    bool reduced[LTAP_MAX_RANK];
    int64_t strides[LTAP_MAX_RANK], n_tasks = 1;
    moments m = {.number = ltap_number_find(x->dtype),
                 .x = x->data,
                 .y = call->outputs[0].data,
                 .n_elements = 1};
    LTAP_TRY(read_axes(call, reduced, error));
    if (ltap_tensor_count(x) == 0 || !m.y)
        return LTAP_OK;
    ltap_dims_strides(x, x, strides);
    for (int i = 0; i < x->rank; i++) {
        int at = reduced[i] ? m.n_reduced++ : m.n_kept++;
        (reduced[i] ? m.reduced : m.kept)[at] = x->dims[i];
        (reduced[i] ? m.reduced_strides : m.kept_strides)[at] = strides[i];
        *(reduced[i] ? &m.n_elements : &n_tasks) *= x->dims[i];
    }
    m.n_rows = m.n_elements / m.reduced[m.n_reduced - 1];
    ltap_parallel_for(call->threads, n_tasks, 1, compute_moments, &m);
    return LTAP_OK;
}

#define LOCAL_NORM(id, title, shape_rule, kernel)                                                  \
    const ltap_op ltap_op_##id = {                                                                 \
        .name = title,                                                                             \
        .domain = "",                                                                              \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .min_outputs = 1,                                                                          \
        .max_outputs = 1,                                                                          \
        .shape = shape_rule,                                                                       \
        .reference = kernel,                                                                       \
    };

LOCAL_NORM(lp_normalization, "LpNormalization", norm_shape, norm_reference)
LOCAL_NORM(lrn, "LRN", lrn_shape, lrn_reference)
LOCAL_NORM(mean_variance_normalization, "MeanVarianceNormalization", mvn_shape, mvn_reference)
