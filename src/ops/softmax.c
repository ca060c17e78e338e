/* Softmax, LogSoftmax, Hardmax along one axis.
 *
 * The input is outer x axis x inner. Lanes (one outer, a run of inner) are reduced together where
 * inner is more than one; a last axis is a run by itself. All three are: a maximum, a sum of
 * exponentials, a last pass.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>

typedef struct softmax softmax;

/* y[i] from x[i], whose lane has this maximum, and sum of exp(x - maximum). */
typedef double (*softmax_end)(double x, double maximum, double sum);

struct softmax {
    const ltap_number *number;
    const void *x;
    void *y;
    int64_t axis, inner;
    softmax_end end; /* NULL: hardmax */
};

static double end_softmax(double x, double maximum, double sum)
{
    return exp(x - maximum) / sum;
}

static double end_log(double x, double maximum, double sum)
{
    return x - maximum - log(sum);
}

static double larger(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

/* Hardmax: 1 at the first maximum of each of count neighbouring lanes. */
static void mark_maxima(const softmax *s, int64_t offset, int64_t count, const double *maxima)
{
    double x[LTAP_RUN];
    bool found[LTAP_RUN] = {false};
    for (int64_t i = 0; i < s->axis; i++) {
        s->number->load(s->x, offset + i * s->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++) {
            bool here = !found[j] && (x[j] == maxima[j] || (isnan(x[j]) && isnan(maxima[j])));
            found[j] = found[j] || here;
            x[j] = here ? 1 : 0;
        }
        s->number->store(x, count, s->y, offset + i * s->inner, 1);
    }
}

/* count neighbouring lanes that begin at offset, offset + 1, ... */
static void compute_lanes(const softmax *s, int64_t offset, int64_t count)
{
    double x[LTAP_RUN], maxima[LTAP_RUN], sums[LTAP_RUN];
    for (int64_t j = 0; j < count; j++) {
        maxima[j] = -INFINITY;
        sums[j] = 0;
    }
    for (int64_t i = 0; i < s->axis; i++) {
        s->number->load(s->x, offset + i * s->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            maxima[j] = larger(maxima[j], x[j]);
    }
    if (!s->end) {
        mark_maxima(s, offset, count, maxima);
        return;
    }
    for (int64_t i = 0; i < s->axis; i++) {
        s->number->load(s->x, offset + i * s->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            sums[j] += exp(x[j] - maxima[j]);
    }
    for (int64_t i = 0; i < s->axis; i++) {
        s->number->load(s->x, offset + i * s->inner, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            x[j] = s->end(x[j], maxima[j], sums[j]);
        s->number->store(x, count, s->y, offset + i * s->inner, 1);
    }
}

/* One lane that is contiguous. */
static void compute_contiguous(const softmax *s, int64_t offset)
{
    double x[LTAP_RUN], maximum = -INFINITY, sum = 0;
    for (int64_t i = 0; i < s->axis; i += LTAP_RUN) {
        int64_t count = s->axis - i < LTAP_RUN ? s->axis - i : LTAP_RUN;
        s->number->load(s->x, offset + i, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            maximum = larger(maximum, x[j]);
    }
    for (int64_t i = 0; i < s->axis; i += LTAP_RUN) {
        int64_t count = s->axis - i < LTAP_RUN ? s->axis - i : LTAP_RUN;
        s->number->load(s->x, offset + i, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            sum += exp(x[j] - maximum);
    }
    for (int64_t i = 0; i < s->axis; i += LTAP_RUN) {
        int64_t count = s->axis - i < LTAP_RUN ? s->axis - i : LTAP_RUN;
        s->number->load(s->x, offset + i, 1, count, x);
        for (int64_t j = 0; j < count; j++)
            x[j] = s->end(x[j], maximum, sum);
        s->number->store(x, count, s->y, offset + i, 1);
    }
}

/* Tasks are lanes, neighbours in memory within one outer index. */
static void compute_tasks(void *context, int64_t first, int64_t last)
{
    const softmax *s = context;
    for (int64_t lane = first; lane < last;) {
        int64_t outer = lane / s->inner, at = lane % s->inner, count = s->inner - at;
        count = count < last - lane ? count : last - lane;
        count = count < LTAP_RUN ? count : LTAP_RUN;
        int64_t offset = outer * s->axis * s->inner + at;
        if (s->inner == 1 && s->end)
            compute_contiguous(s, offset);
        else
            compute_lanes(s, offset, count);
        lane += count;
    }
}

static ltap_status softmax_shape(const ltap_call *call, ltap_error *error)
{
    int axis;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    if (call->inputs[0].rank > 0)
        LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", -1), call->inputs[0].rank, &axis,
                                 error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status compute(const ltap_call *call, softmax_end end)
{
    const ltap_tensor *x = &call->inputs[0];
    uint64_t count = ltap_tensor_count(x);
    int64_t axis = ltap_node_int(call->node, "axis", -1);
    int at = (int)(axis < 0 ? axis + x->rank : axis);
    softmax s = {.number = ltap_number_find(x->dtype),
                 .x = x->data,
                 .y = call->outputs[0].data,
                 .axis = 1,
                 .inner = 1,
                 .end = end};
    if (count == 0 || !s.y)
        return LTAP_OK;
    if (x->rank > 0) {
        s.axis = x->dims[at];
        s.inner = ltap_number_product(x->dims, at + 1, x->rank);
    }
    ltap_parallel_for(call->threads, (int64_t)count / s.axis, 16, compute_tasks, &s);
    return LTAP_OK;
}

static ltap_status softmax_reference(const ltap_call *call, ltap_error *error)
{
    return compute(call, end_softmax);
}

static ltap_status log_reference(const ltap_call *call, ltap_error *error)
{
    return compute(call, end_log);
}

static ltap_status hardmax_reference(const ltap_call *call, ltap_error *error)
{
    return compute(call, NULL);
}

#define SOFTMAX(id, title, kernel)                                                                 \
    const ltap_op ltap_op_##id = {                                                                 \
        .name = title,                                                                             \
        .domain = "",                                                                              \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .min_outputs = 1,                                                                          \
        .max_outputs = 1,                                                                          \
        .shape = softmax_shape,                                                                    \
        .reference = kernel,                                                                       \
    };

SOFTMAX(softmax, "Softmax", softmax_reference)
SOFTMAX(log_softmax, "LogSoftmax", log_reference)
SOFTMAX(hardmax, "Hardmax", hardmax_reference)
