/* CumSum, CumProd and ReverseSequence: operators that walk along one axis. */
#include "ops/elements.h"
#include "ops/rules.h"
#include <string.h>

/* How a running result goes on, in float64 for floats and wrapping 64-bit integers for the rest. */
typedef struct step {
    double start;
    void (*real)(double *acc, const double *x, int64_t n);
    void (*whole)(int64_t *acc, const int64_t *x, int64_t n);
} step;

#define STEP(id, T, EXPR)                                                                          \
    static void id(T *acc, const T *x, int64_t n)                                                  \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            acc[i] = EXPR;                                                                         \
    }
STEP(add_real, double, acc[i] + x[i])
STEP(mul_real, double, acc[i] * x[i])
STEP(add_whole, int64_t, (int64_t)((uint64_t)acc[i] + (uint64_t)x[i]))
STEP(mul_whole, int64_t, (int64_t)((uint64_t)acc[i] * (uint64_t)x[i]))

static const step sum_step = {0, add_real, add_whole};
static const step product_step = {1, mul_real, mul_whole};

/* Lanes that lie side by side walk together. */
typedef struct walk {
    const step *step;
    const ltap_tensor *in, *out;
    int64_t length, inner;
    bool exclusive, reverse;
} walk;

/* One walk over n lanes from element `start` on, in type T. */
#define WALK(id, T, load, store, go)                                                               \
    static void id(const walk *w, int64_t start, int64_t n)                                        \
    {                                                                                              \
        T acc[LTAP_BLOCK], x[LTAP_BLOCK];                                                          \
        for (int64_t i = 0; i < n; i++)                                                            \
            acc[i] = (T)w->step->start;                                                            \
        for (int64_t k = 0; k < w->length; k++) {                                                  \
            int64_t at = start + (w->reverse ? w->length - 1 - k : k) * w->inner;                  \
            load(w->in->dtype, w->in->data, at, n, x);                                             \
            if (w->exclusive)                                                                      \
                store(w->out->dtype, w->out->data, at, n, acc);                                    \
            w->step->go(acc, x, n);                                                                \
            if (!w->exclusive)                                                                     \
                store(w->out->dtype, w->out->data, at, n, acc);                                    \
        }                                                                                          \
    }
WALK(walk_real, double, ltap_load_doubles, ltap_store_doubles, real)
WALK(walk_whole, int64_t, ltap_load_ints, ltap_store_ints, whole)

static ltap_status cumulate_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    if (ltap_tensor_count(&call->inputs[1]) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its axis has shape %s, not one number",
                              ltap_shape_text(&call->inputs[1]).text);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status cumulate(const ltap_call *call, const step *way, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int axis = 0;
    LTAP_TRY(ltap_axis_check(ltap_tensor_int(&call->inputs[1], 0), in->rank, &axis, error));
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(in) == 0)
        return LTAP_OK;
    walk w = {.step = way,
              .in = in,
              .out = &call->outputs[0],
              .length = in->dims[axis],
              .inner = 1,
              .exclusive = ltap_node_int(call->node, "exclusive", 0) != 0,
              .reverse = ltap_node_int(call->node, "reverse", 0) != 0};
    bool real = (LTAP_TYPES_FLOAT & LTAP_TYPE(in->dtype)) != 0;
    for (int i = axis + 1; i < in->rank; i++)
        w.inner *= in->dims[i];
    int64_t slab = w.length * w.inner, count = (int64_t)ltap_tensor_count(in);
    for (int64_t start = 0; start < count; start += slab)
        for (int64_t lane = 0; lane < w.inner; lane += LTAP_BLOCK) {
            int64_t n = w.inner - lane < LTAP_BLOCK ? w.inner - lane : LTAP_BLOCK;
            (real ? walk_real : walk_whole)(&w, start + lane, n);
        }
    return LTAP_OK;
}

static ltap_status cum_sum_reference(const ltap_call *call, ltap_error *error)
{
    return cumulate(call, &sum_step, error);
}

static ltap_status cum_prod_reference(const ltap_call *call, ltap_error *error)
{
    return cumulate(call, &product_step, error);
}

/* ReverseSequence: the first sequence_lens[b] steps of each batch entry b are turned around. */
static ltap_status reverse_sequence_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t batch = ltap_node_int(call->node, "batch_axis", 1);
    int64_t time = ltap_node_int(call->node, "time_axis", 0);
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    LTAP_TRY(ltap_call_check_rank(call, 1, 1, error));
    if (in->rank < 2 || batch < 0 || batch > 1 || time != 1 - batch)
        return ltap_error_set(
            error, LTAP_ERROR_FORMAT,
            "batch_axis %lld and time_axis %lld of an input of rank %d; they must "
            "be 0 and 1 or 1 and 0",
            (long long)batch, (long long)time, in->rank);
    if (call->inputs[1].dims[0] != in->dims[batch])
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "%lld sequence lengths for a batch of %lld",
                              (long long)call->inputs[1].dims[0], (long long)in->dims[batch]);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status reverse_sequence_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int batch = (int)ltap_node_int(call->node, "batch_axis", 1);
    int64_t steps = in->dims[1 - batch], inner = 1;
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    for (int i = 2; i < in->rank; i++)
        inner *= in->dims[i];
    size_t bytes = (size_t)inner * ltap_dtype_bits(in->dtype) / 8;
    int64_t per_batch = batch == 0 ? steps : 1, per_step = batch == 0 ? 1 : in->dims[1];
    for (int64_t b = 0; b < in->dims[batch]; b++) {
        int64_t length = ltap_tensor_int(&call->inputs[1], (uint64_t)b);
        if (length < 0 || length > steps)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "sequence length %lld of %lld steps",
                                  (long long)length, (long long)steps);
        for (int64_t t = 0; t < steps; t++) {
            int64_t from = t < length ? length - 1 - t : t;
            memcpy((char *)call->outputs[0].data + (size_t)(b * per_batch + t * per_step) * bytes,
                   (const char *)in->data + (size_t)(b * per_batch + from * per_step) * bytes,
                   bytes);
        }
    }
    return LTAP_OK;
}

const ltap_op ltap_op_cum_sum = {
    .name = "CumSum",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = cumulate_shape,
    .reference = cum_sum_reference,
};

const ltap_op ltap_op_cum_prod = {
    .name = "CumProd",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = cumulate_shape,
    .reference = cum_prod_reference,
};

const ltap_op ltap_op_reverse_sequence = {
    .name = "ReverseSequence",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = reverse_sequence_shape,
    .reference = reverse_sequence_reference,
};
