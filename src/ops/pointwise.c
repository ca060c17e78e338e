/* The one loop of all operators that work element by element.
 *
 * Axes are merged where every input allows it; what is left of the last axis is the stretch that a
 * kernel runs over. No operator lives here.
 */
#include "ops/pointwise.h"
#include "base/parallel.h"

/* Below this, a second thread costs more than it brings. */
enum { GRAIN = 16384 };

typedef struct plan {
    const ltap_call *call;
    void (*kernel)(const ltap_stretch *stretch);
    size_t n_inputs;
    const ltap_tensor *inputs[LTAP_POINTWISE_INPUTS];
    const ltap_tensor *out;
    bool narrow; /* half-width floats go through float32 */
    int rank;
    int64_t dims[LTAP_MAX_RANK];
    int64_t strides[LTAP_POINTWISE_INPUTS][LTAP_MAX_RANK];
    const double *params;
} plan;

static void (*find_kernel(const ltap_pointwise *pointwise,
                          ltap_dtype dtype))(const ltap_stretch *stretch)
{
    if ((unsigned)dtype >= LTAP_DTYPES)
        return NULL;
    if (!pointwise->kernels[dtype] && ltap_dtype_is_half(dtype))
        return pointwise->kernels[LTAP_FLOAT32];
    return pointwise->kernels[dtype];
}

static ltap_status check_types(const ltap_call *call, const ltap_pointwise *pointwise,
                               ltap_error *error)
{
    size_t key = pointwise->key;
    if (!find_kernel(pointwise, call->inputs[key].dtype))
        return ltap_call_check_type(call, key, 0, error);
    for (size_t i = key + 1; i < call->n_inputs; i++)
        LTAP_TRY(ltap_call_check_same(call, key, i, error));
    return LTAP_OK;
}

ltap_status ltap_pointwise_shape(const ltap_call *call, const ltap_pointwise *pointwise,
                                 ltap_error *error)
{
    LTAP_TRY(check_types(call, pointwise, error));
    ltap_tensor out = call->inputs[0];
    for (size_t i = 1; i < call->n_inputs; i++) {
        ltap_tensor wider = out;
        if (!ltap_dims_broadcast(&out, &call->inputs[i], &wider))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "shapes %s and %s do not broadcast",
                                  ltap_shape_text(&out).text,
                                  ltap_shape_text(&call->inputs[i]).text);
        out = wider;
    }
    ltap_dtype dtype = pointwise->result ? pointwise->result : call->inputs[pointwise->key].dtype;
    ltap_call_output(call, 0, dtype, out.rank, out.dims);
    return LTAP_OK;
}

/* Can axis i of the output be run through together with axis i - 1 of the merged ones? */
static bool mergeable(const plan *p, int64_t strides[][LTAP_MAX_RANK], int axis)
{
    for (size_t k = 0; k < p->n_inputs; k++)
        if (p->strides[k][p->rank - 1] != strides[k][axis] * p->out->dims[axis])
            return false;
    return true;
}

static void merge_axes(plan *p)
{
    int64_t strides[LTAP_POINTWISE_INPUTS][LTAP_MAX_RANK];
    for (size_t k = 0; k < p->n_inputs; k++)
        ltap_dims_strides(p->inputs[k], p->out, strides[k]);
    p->rank = 0;
    for (int axis = 0; axis < p->out->rank; axis++) {
        if (p->out->dims[axis] == 1)
            continue;
        bool merge = p->rank > 0 && mergeable(p, strides, axis);
        if (!merge)
            p->dims[p->rank++] = 1;
        p->dims[p->rank - 1] *= p->out->dims[axis];
        for (size_t k = 0; k < p->n_inputs; k++)
            p->strides[k][p->rank - 1] = strides[k][axis];
    }
    if (p->rank == 0) {
        p->dims[p->rank++] = 1;
        for (size_t k = 0; k < p->n_inputs; k++)
            p->strides[k][0] = 0;
    }
}

static unsigned element_bytes(const ltap_tensor *t)
{
    return ltap_dtype_bits(t->dtype) / 8;
}

/* Through float32 and back, a block at a time. at: element of each input; dst: of the output. */
static void run_narrow(const plan *p, const int64_t *at, int64_t dst, ltap_stretch *s)
{
    float in[LTAP_POINTWISE_INPUTS][LTAP_BLOCK], out[LTAP_BLOCK];
    int64_t n = s->n;
    bool convert = ltap_dtype_is_half(p->out->dtype);
    for (int64_t done = 0; done < n; done += s->n) {
        s->n = n - done < LTAP_BLOCK ? n - done : LTAP_BLOCK;
        for (size_t k = 0; k < p->n_inputs; k++) {
            int64_t count = s->step[k] ? s->n : 1, start = at[k] + done * s->step[k];
            ltap_load_floats(p->inputs[k]->dtype, p->inputs[k]->data, start, count, in[k]);
            s->src[k] = in[k];
        }
        s->dst =
            convert ? (void *)out : (char *)p->out->data + (dst + done) * element_bytes(p->out);
        p->kernel(s);
        if (convert)
            ltap_store_floats(p->out->dtype, p->out->data, dst + done, s->n, out);
    }
}

static void run_stretch(const plan *p, const int64_t *at, int64_t dst, int64_t n)
{
    ltap_stretch s = {.n = n, .params = p->params};
    for (size_t k = 0; k < p->n_inputs; k++) {
        s.step[k] = p->strides[k][p->rank - 1];
        s.src[k] = (const char *)p->inputs[k]->data + at[k] * element_bytes(p->inputs[k]);
    }
    if (p->narrow) {
        run_narrow(p, at, dst, &s);
        return;
    }
    s.dst = (char *)p->out->data + dst * element_bytes(p->out);
    p->kernel(&s);
}

/* Elements first..last of the output. */
static void run_range(void *context, int64_t first, int64_t last)
{
    const plan *p = context;
    int inner = p->rank - 1;
    for (int64_t position = first; position < last;) {
        int64_t at[LTAP_POINTWISE_INPUTS] = {0}, rest = position / p->dims[inner];
        int64_t column = position % p->dims[inner];
        for (size_t k = 0; k < p->n_inputs; k++)
            at[k] = column * p->strides[k][inner];
        for (int axis = inner - 1; axis >= 0; rest /= p->dims[axis], axis--)
            for (size_t k = 0; k < p->n_inputs; k++)
                at[k] += rest % p->dims[axis] * p->strides[k][axis];
        int64_t n = p->dims[inner] - column;
        n = n < last - position ? n : last - position;
        run_stretch(p, at, position, n);
        position += n;
    }
}

static void run_plan(plan *p)
{
    merge_axes(p);
    int64_t count = (int64_t)ltap_tensor_count(p->out);
    if (count > 0)
        ltap_parallel_for(p->call->threads, count, GRAIN, run_range, p);
}

static double read_param(const ltap_node *node, const char *name, double otherwise)
{
    const ltap_attr *attr = name ? ltap_node_attr(node, name) : NULL;
    if (attr && attr->kind == LTAP_ATTR_INT)
        return (double)attr->u.i;
    return attr ? ltap_node_float(node, name, otherwise) : otherwise;
}

void ltap_pointwise_run(const ltap_call *call, const ltap_pointwise *pointwise, size_t n_inputs,
                        const double *params)
{
    double own[LTAP_POINTWISE_PARAMS];
    if (!ltap_call_wants(call, 0))
        return;
    for (int i = 0; i < LTAP_POINTWISE_PARAMS; i++)
        own[i] = read_param(call->node, pointwise->params[i].attr, pointwise->params[i].otherwise);
    ltap_dtype dtype = call->inputs[pointwise->key].dtype;
    plan p = {.call = call,
              .kernel = find_kernel(pointwise, dtype),
              .n_inputs = n_inputs,
              .out = &call->outputs[0],
              .narrow = ltap_dtype_is_half(dtype) && !pointwise->kernels[dtype],
              .params = params ? params : own};
    for (size_t k = 0; k < n_inputs; k++)
        p.inputs[k] = &call->inputs[k];
    run_plan(&p);
}

void ltap_pointwise_fold(const ltap_call *call, const ltap_pointwise *pointwise)
{
    if (!ltap_call_wants(call, 0))
        return;
    ltap_dtype dtype = call->inputs[0].dtype;
    double none[LTAP_POINTWISE_PARAMS] = {0};
    for (size_t i = 1; i < call->n_inputs; i++) {
        plan p = {.call = call,
                  .kernel = find_kernel(pointwise, dtype),
                  .n_inputs = 2,
                  .inputs = {i == 1 ? &call->inputs[0] : &call->outputs[0], &call->inputs[i]},
                  .out = &call->outputs[0],
                  .narrow = ltap_dtype_is_half(dtype),
                  .params = none};
        run_plan(&p);
    }
}
