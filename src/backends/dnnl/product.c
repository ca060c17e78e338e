/* Gemm as oneDNN's inner product (in exact mode as its matmul), MatMul as its matmul; the
 * right-hand matrix is a constant, packed.
 */
#include "backends/dnnl/memory.h"
#include "backends/dnnl/row.h"
#include "backends/dnnl/rows.h"

#include <limits.h>

/* The bias as one number per column; false where it is something else. */
static bool describe_bias(const ltap_query *query, dnnl_memory_desc_t *bias)
{
    ltap_tensor c = query->inputs[2];
    int64_t columns = query->outputs[0].dims[1];
    if (c.rank == 2 && c.dims[0] == 1) {
        c.dims[0] = c.dims[1];
        c.rank = 1;
    }
    return c.rank == 1 && c.dims[0] == columns && ltap_dnnl_tensor(&c, false, bias);
}

/* B as weights [columns, depth], however it is stored. */
static bool describe_weights(const ltap_query *query, dnnl_memory_desc_t *weights)
{
    const ltap_tensor *b = &query->inputs[1];
    bool flip = ltap_node_int(query->node, "transB", 0) != 0;
    dnnl_dims_t dims = {b->dims[!flip], b->dims[flip]};
    return dnnl_memory_desc_init_by_tag(weights, 2, dims, dnnl_f32, flip ? dnnl_ab : dnnl_ba) ==
           dnnl_success;
}

/* For exact mode: inner products sum in another order for another number of threads or rows, matmul
 * was never seen to. */
static bool describe_exact(const ltap_query *query, const ltap_dnnl_job *inner, ltap_dnnl_job *job)
{
    const ltap_tensor *b = &query->inputs[1];
    bool flip = ltap_node_int(query->node, "transB", 0) != 0, has_bias = inner->n_args > 3;
    dnnl_memory_desc_t w, bias, any;
    const dnnl_memory_desc_t *x = &inner->args[0].desc, *y = &inner->args[2].desc;
    dnnl_dims_t dims = {b->dims[flip], b->dims[!flip]}, row = {1, query->outputs[0].dims[1]};
    if (dnnl_memory_desc_init_by_tag(&w, 2, dims, dnnl_f32, flip ? dnnl_ba : dnnl_ab) !=
            dnnl_success ||
        dnnl_memory_desc_init_by_tag(&bias, 2, row, dnnl_f32, dnnl_ab) != dnnl_success)
        return false;
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, x);
    ltap_dnnl_add(job, DNNL_ARG_WEIGHTS, LTAP_DNNL_PACKED, 1, &w);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, y);
    if (has_bias)
        ltap_dnnl_add(job, DNNL_ARG_BIAS, LTAP_DNNL_INPUT, 2, &bias);
    any = ltap_dnnl_any(&w);
    return dnnl_matmul_desc_init(&job->operation.matmul, x, &any, has_bias ? &bias : NULL, y) ==
           dnnl_success;
}

static bool describe_inner(const ltap_query *query, bool has_bias, ltap_dnnl_job *job)
{
    dnnl_memory_desc_t x, w, y, bias;
    if (!ltap_dnnl_tensor(&query->inputs[0], false, &x) || !describe_weights(query, &w) ||
        !ltap_dnnl_tensor(&query->outputs[0], false, &y) ||
        (has_bias && !describe_bias(query, &bias)))
        return false;
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, &x);
    ltap_dnnl_add(job, DNNL_ARG_WEIGHTS, LTAP_DNNL_PACKED, 1, &w);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, &y);
    if (has_bias)
        ltap_dnnl_add(job, DNNL_ARG_BIAS, LTAP_DNNL_INPUT, 2, &bias);
    dnnl_memory_desc_t any = ltap_dnnl_any(&w);
    return dnnl_inner_product_forward_desc_init(&job->operation.inner_product,
                                                dnnl_forward_inference, &x, &any,
                                                has_bias ? &bias : NULL, &y) == dnnl_success;
}

/* Whether sums keep their order over rows and threads: on arm64, and without AVX-512, the batch was
 * seen to change it. */
static bool order_is_known(const ltap_query *query, ltap_why *why)
{
    unsigned known = dnnl_cpu_isa_avx512_core;

#if !defined(__x86_64__)
    known = UINT_MAX;
#endif
    if (!query->exact || ((unsigned)dnnl_get_effective_cpu_isa() & known) == known)
        return true;
    return ltap_refuse(why, "the order of its sums is known with AVX-512 only");
}

static bool gemm_describe(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why)
{
    const ltap_node *node = query->node;
    ltap_dnnl_job inner = {.n_args = 0};
    double beta = ltap_node_float(node, "beta", 1);
    bool has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED && beta != 0;
    if (!ltap_dnnl_fits(query, why) || !order_is_known(query, why))
        return false;
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (ltap_node_int(node, "transA", 0) != 0 || ltap_node_float(node, "alpha", 1) != 1 ||
        (has_bias && beta != 1))
        return ltap_refuse(why, "not a product of rows plus a row");
    if (!describe_inner(query, has_bias, &inner) ||
        (query->exact && !describe_exact(query, &inner, job)))
        return ltap_refuse(why, "oneDNN does not have its tensors");
    if (!query->exact)
        *job = inner;
    return true;
}

/* A tensor with leading axes of 1 up to `rank`. */
static ltap_tensor widen(const ltap_tensor *t, int rank)
{
    ltap_tensor wide = *t;
    wide.rank = rank;
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - t->rank);
        wide.dims[i] = from < 0 ? 1 : t->dims[from];
    }
    return wide;
}

/* All rows of the left side in one matrix: where the right side is one matrix, that is the same
 * product. */
static ltap_tensor flatten(const ltap_tensor *t)
{
    ltap_tensor flat = {.dtype = t->dtype, .rank = 2, .dims = {1, t->dims[t->rank - 1]}};
    for (int i = 0; i + 1 < t->rank; i++)
        flat.dims[0] *= t->dims[i];
    return flat;
}

static bool matmul_describe(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why)
{
    dnnl_memory_desc_t a, b, y;
    int rank = query->outputs[0].rank;
    if (!ltap_dnnl_fits(query, why) || !order_is_known(query, why))
        return false;
    if (query->inputs[0].rank < 2 || query->inputs[1].rank < 2 || rank > 5)
        return ltap_refuse(why, "not two to five axes");
    ltap_tensor left = widen(&query->inputs[0], rank), right = widen(&query->inputs[1], rank);
    ltap_tensor product = query->outputs[0];
    if (query->inputs[1].rank == 2 && !query->exact) {
        left = flatten(&left);
        right = query->inputs[1];
        product = flatten(&product);
    }
    if (!ltap_dnnl_tensor(&left, false, &a) || !ltap_dnnl_tensor(&right, false, &b) ||
        !ltap_dnnl_tensor(&product, false, &y))
        return ltap_refuse(why, "oneDNN cannot describe its tensors");
    bool constant = query->inputs[1].data != NULL;
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, &a);
    ltap_dnnl_add(job, DNNL_ARG_WEIGHTS, constant ? LTAP_DNNL_PACKED : LTAP_DNNL_INPUT, 1, &b);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, &y);
    dnnl_memory_desc_t weights = constant ? ltap_dnnl_any(&b) : b;
    if (dnnl_matmul_desc_init(&job->operation.matmul, &a, &weights, NULL, &y) != dnnl_success)
        return ltap_refuse(why, "oneDNN does not have its attributes");
    return true;
}

LTAP_DNNL_ROW(gemm, "Gemm", "dnnl:gemm", NULL)
LTAP_DNNL_ROW(matmul, "MatMul", "dnnl:matmul", NULL)
