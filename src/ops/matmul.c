/* MatMul and Gemm: numpy's matrix product with broadcasting, and BLAS's with a bias.
 *
 * Floats go through ltap_product; integers are multiplied modulo 2^n in unsigned 64-bit arithmetic,
 * which has the right low bits for every type.
 */
#include "base/parallel.h"
#include "ops/product.h"
#include "ops/rules.h"

#include <string.h>

#define MATMUL_TYPES                                                                               \
    (LTAP_TYPES_FLOAT | LTAP_TYPE(LTAP_INT32) | LTAP_TYPE(LTAP_INT64) | LTAP_TYPE(LTAP_UINT32) |   \
     LTAP_TYPE(LTAP_UINT64))

/* A product seen as matrices of at least two axes: a one-axis a is a row, a one-axis b a column. */
typedef struct matmul {
    ltap_tensor a, b, batch; /* batch: shape of the axes before the last two */
    int64_t a_strides[LTAP_MAX_RANK], b_strides[LTAP_MAX_RANK]; /* of the batch axes */
    int64_t m, n, k;
    ltap_product product;
    int64_t tasks;
} matmul;

/* The axes before the last two, as a shape; strides in elements over them. */
static ltap_tensor batch_axes(const ltap_tensor *t)
{
    ltap_tensor batch = *t;
    batch.rank = t->rank - 2;
    return batch;
}

static bool describe(const ltap_call *call, matmul *m)
{
    m->a = call->inputs[0];
    m->b = call->inputs[1];
    if (m->a.rank < 1 || m->b.rank < 1)
        return false;
    if (m->a.rank == 1) {
        m->a.dims[1] = m->a.dims[0];
        m->a.dims[0] = 1;
        m->a.rank = 2;
    }
    if (m->b.rank == 1) {
        m->b.dims[1] = 1;
        m->b.rank = 2;
    }
    m->m = m->a.dims[m->a.rank - 2];
    m->k = m->a.dims[m->a.rank - 1];
    m->n = m->b.dims[m->b.rank - 1];
    ltap_tensor a = batch_axes(&m->a), b = batch_axes(&m->b);
    return m->b.dims[m->b.rank - 2] == m->k && ltap_dims_broadcast(&a, &b, &m->batch);
}

static ltap_status matmul_shape(const ltap_call *call, ltap_error *error)
{
    matmul m;
    LTAP_TRY(ltap_call_check_type(call, 0, MATMUL_TYPES, error));
    LTAP_TRY(ltap_call_check_same(call, 0, 1, error));
    if (!describe(call, &m))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "shapes %s and %s cannot be multiplied",
                              ltap_shape_text(&call->inputs[0]).text,
                              ltap_shape_text(&call->inputs[1]).text);
    int rank = m.batch.rank;
    if (call->inputs[0].rank > 1)
        m.batch.dims[rank++] = m.m;
    if (call->inputs[1].rank > 1)
        m.batch.dims[rank++] = m.n;
    ltap_call_output(call, 0, call->inputs[0].dtype, rank, m.batch.dims);
    return LTAP_OK;
}

/* Where the matrices of flat batch index `index` begin, in elements. */
static void batch_offsets(const matmul *m, int64_t index, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int i = m->batch.rank - 1; i >= 0; i--) {
        int64_t at = index % m->batch.dims[i];
        index /= m->batch.dims[i];
        *a += at * m->a_strides[i] * m->m * m->k;
        *b += at * m->b_strides[i] * m->k * m->n;
    }
}

static void compute_floats(void *context, int64_t first, int64_t last)
{
    const matmul *m = context;
    for (int64_t i = first; i < last; i++) {
        int64_t a, b, index = i / m->tasks;
        batch_offsets(m, index, &a, &b);
        ltap_product_task(&m->product, i % m->tasks, a, b, index * m->m * m->n);
    }
}

static uint64_t get_integer(const void *data, bool wide, int64_t index)
{
    return wide ? ((const uint64_t *)data)[index] : ((const uint32_t *)data)[index];
}

static void compute_integers(void *context, int64_t first, int64_t last)
{
    const matmul *m = context;
    bool wide = ltap_dtype_bits(m->a.dtype) == 64;
    for (int64_t i = first; i < last; i++) {
        int64_t a, b;
        uint64_t sum = 0;
        batch_offsets(m, i / (m->m * m->n), &a, &b);
        a += i / m->n % m->m * m->k;
        b += i % m->n;
        for (int64_t l = 0; l < m->k; l++)
            sum += get_integer(m->a.data, wide, a + l) * get_integer(m->b.data, wide, b + l * m->n);
        if (wide)
            ((uint64_t *)m->product.y)[i] = sum;
        else
            ((uint32_t *)m->product.y)[i] = (uint32_t)sum;
    }
}

static ltap_status matmul_reference(const ltap_call *call, ltap_error *error)
{
    matmul m;
    ltap_tensor *y = &call->outputs[0];
    if (!describe(call, &m) || ltap_tensor_count(y) == 0 || !y->data)
        return LTAP_OK;
    ltap_tensor a = batch_axes(&m.a), b = batch_axes(&m.b);
    ltap_dims_strides(&a, &m.batch, m.a_strides);
    ltap_dims_strides(&b, &m.batch, m.b_strides);
    m.product = (ltap_product){.number = ltap_number_find(y->dtype),
                               .a = m.a.data,
                               .b = m.b.data,
                               .y = y->data,
                               .m = m.m,
                               .n = m.n,
                               .k = m.k,
                               .a_row = m.k,
                               .a_column = 1,
                               .b_row = m.n,
                               .b_column = 1,
                               .y_row = m.n,
                               .alpha = 1};
    m.tasks = ltap_product_tasks(&m.product);
    int64_t count = (int64_t)ltap_tensor_count(y);
    if (m.product.number)
        ltap_parallel_for(call->threads, count / (m.m * m.n) * m.tasks, 1, compute_floats, &m);
    else
        ltap_parallel_for(call->threads, count, 64, compute_integers, &m);
    return LTAP_OK;
}

static uint64_t matmul_cost(const ltap_call *call)
{
    const ltap_tensor *a = &call->inputs[0];
    return ltap_tensor_count(&call->outputs[0]) * (uint64_t)a->dims[a->rank - 1];
}

static ltap_status gemm_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    for (size_t i = 0; i < call->n_inputs; i++) {
        if (!ltap_call_has(call, i))
            continue;
        LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    LTAP_TRY(ltap_call_check_rank(call, 0, 2, error));
    LTAP_TRY(ltap_call_check_rank(call, 1, 2, error));
    int a_flip = ltap_node_int(call->node, "transA", 0) != 0;
    int b_flip = ltap_node_int(call->node, "transB", 0) != 0;
    if (a->dims[1 - a_flip] != b->dims[b_flip])
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "shapes %s%s and %s%s cannot be multiplied",
                              ltap_shape_text(a).text, a_flip ? " (transposed)" : "",
                              ltap_shape_text(b).text, b_flip ? " (transposed)" : "");
    ltap_tensor y = ltap_tensor_make(a->dtype, 2,
                                     (const int64_t[]){a->dims[a_flip], b->dims[1 - b_flip]}, NULL);
    ltap_tensor both;
    if (ltap_call_has(call, 2) &&
        (!ltap_dims_broadcast(&call->inputs[2], &y, &both) || !ltap_tensor_same_shape(&both, &y)))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its bias %s does not broadcast to %s",
                              ltap_shape_text(&call->inputs[2]).text, ltap_shape_text(&y).text);
    ltap_call_output(call, 0, a->dtype, 2, y.dims);
    return LTAP_OK;
}

static void compute_gemm(void *context, int64_t first, int64_t last)
{
    for (int64_t task = first; task < last; task++)
        ltap_product_task(context, task, 0, 0, 0);
}

static ltap_status gemm_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    ltap_tensor *y = &call->outputs[0];
    bool a_flip = ltap_node_int(call->node, "transA", 0) != 0;
    bool b_flip = ltap_node_int(call->node, "transB", 0) != 0;
    ltap_product p = {.number = ltap_number_find(y->dtype),
                      .a = a->data,
                      .b = b->data,
                      .y = y->data,
                      .m = y->dims[0],
                      .n = y->dims[1],
                      .k = a->dims[!a_flip],
                      .y_row = y->dims[1],
                      .alpha = ltap_node_float(call->node, "alpha", 1),
                      .beta = ltap_node_float(call->node, "beta", 1)};
    p.a_row = a_flip ? 1 : p.k;
    p.a_column = a_flip ? p.m : 1;
    p.b_row = b_flip ? 1 : p.n;
    p.b_column = b_flip ? p.k : 1;
    if (ltap_call_has(call, 2) && p.beta != 0) {
        int64_t strides[LTAP_MAX_RANK];
        ltap_dims_strides(&call->inputs[2], y, strides);
        p.c = call->inputs[2].data;
        p.c_row = strides[0];
        p.c_column = strides[1];
    }
    if (ltap_tensor_count(y) > 0 && y->data)
        ltap_parallel_for(call->threads, ltap_product_tasks(&p), 1, compute_gemm, &p);
    return LTAP_OK;
}

static uint64_t gemm_cost(const ltap_call *call)
{
    const ltap_tensor *a = &call->inputs[0];
    bool a_flip = ltap_node_int(call->node, "transA", 0) != 0;
    return ltap_tensor_count(&call->outputs[0]) * (uint64_t)a->dims[!a_flip];
}

const ltap_op ltap_op_matmul = {
    .name = "MatMul",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = matmul_shape,
    .reference = matmul_reference,
    .cost = matmul_cost,
};

const ltap_op ltap_op_gemm = {
    .name = "Gemm",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = gemm_shape,
    .reference = gemm_reference,
    .cost = gemm_cost,
};
