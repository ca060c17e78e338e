/* Gemm, and MatMul by one constant matrix: all rows of the left side in one product. */
#include "backends/gemm/pairs.h"
#include "backends/gemm/rows.h"
#include "backends/gemm/work.h"
#include "base/checked.h"
#include "base/error.h"

#include <string.h>

typedef struct product {
    ltap_work work;
    int64_t depth; /* floats of a row; of bfloat16: pairs */
    uint64_t pairs_bytes;
    bool has_bias, pairs; /* pairs: of bfloat16, to which the rows are converted first */
} product;

/* Rows, depth and columns; where the right side's columns lie. */
typedef struct shape {
    int64_t rows;
    ltap_panels_source source;
    int64_t depth, columns;
} shape;

static bool is_plain(const ltap_query *query, ltap_why *why)
{
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 && query->inputs[i].dtype != LTAP_UNDEFINED)
            return ltap_refuse(why, "not float32");
    if (query->exact)
        return ltap_refuse(why, "not for exact mode");
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (ltap_tensor_count(&query->inputs[0]) == 0 || ltap_tensor_count(&query->outputs[0]) == 0)
        return ltap_refuse(why, "empty");
    return true;
}

/* A number a column, or nothing. */
static bool fits_bias(const ltap_query *query, bool *has_bias)
{
    const ltap_tensor *c = &query->inputs[2];
    int64_t columns = query->outputs[0].dims[1];
    double beta = ltap_node_float(query->node, "beta", 1);

    *has_bias = query->n_inputs > 2 && c->dtype != LTAP_UNDEFINED && beta != 0;
    if (!*has_bias)
        return true;
    return beta == 1 && (c->rank == 1 || (c->rank == 2 && c->dims[0] == 1)) &&
           c->dims[c->rank - 1] == columns;
}

static bool gemm_accepts(const ltap_query *query, ltap_why *why)
{
    bool has_bias;

    if (!is_plain(query, why))
        return false;
    if (ltap_node_int(query->node, "transA", 0) != 0 ||
        ltap_node_float(query->node, "alpha", 1) != 1 || !fits_bias(query, &has_bias))
        return ltap_refuse(why, "not a product of rows plus a row");
    return true;
}

static bool matmul_accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *b = &query->inputs[1];

    if (!is_plain(query, why))
        return false;
    if (b->rank < 2 || query->inputs[0].rank < b->rank)
        return ltap_refuse(why, "not rows by a matrix");
    for (int i = 0; i + 2 < b->rank; i++)
        if (b->dims[i] != 1)
            return ltap_refuse(why, "not one matrix");
    return true;
}

static shape read_shape(const ltap_query *query)
{
    const ltap_tensor *b = &query->inputs[1];
    bool flip =
        strcmp(query->node->op_type, "Gemm") == 0 && ltap_node_int(query->node, "transB", 0);
    shape s = {.depth = b->dims[b->rank - (flip ? 1 : 2)],
               .columns = b->dims[b->rank - (flip ? 2 : 1)]};

    s.rows = (int64_t)ltap_tensor_count(&query->outputs[0]) / s.columns;
    s.source = (ltap_panels_source){.src = b->data,
                                    .column = flip ? s.depth : 1,
                                    .depth = flip ? 1 : s.columns,
                                    .inner = s.depth};
    return s;
}

/* Working memory: the pairs, then the pointers. */
static bool measure(product *s, int64_t rows, uint64_t *scratch)
{
    if (s->pairs &&
        (!ltap_checked_mul((uint64_t)rows * sizeof(float), (uint64_t)s->depth, &s->pairs_bytes) ||
         !ltap_checked_round_up(s->pairs_bytes, LTAP_ALIGNMENT, &s->pairs_bytes)))
        return false;
    return ltap_checked_add(s->pairs_bytes, ltap_work_scratch(&s->work), scratch);
}

static ltap_status make(const ltap_query *query, bool pairs, ltap_kernel *kernel, ltap_error *error)
{
    shape found = read_shape(query);
    ltap_work_size size = {.rows = found.rows,
                           .taps = 1,
                           .depth = found.depth / (pairs ? 2 : 1),
                           .columns = found.columns,
                           .groups = 1,
                           .pairs = pairs,
                           .row_bytes = found.depth * (int64_t)sizeof(float)};
    ltap_status status = LTAP_OK;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(product), "a kernel", &kernel->state,
                                     error));
    product *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->depth = size.depth;
    s->pairs = pairs;
    if (strcmp(query->node->op_type, "Gemm") == 0)
        fits_bias(query, &s->has_bias);
    ltap_work_init(query, &size, &s->work);
    LTAP_GO(ltap_work_pack(query, &found.source, &s->work, kernel, error));
    kernel->packed_inputs = 1u << 1;
    if (!measure(s, found.rows, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->detail = s->work.panels.tiles->name;
done:
    if (status != LTAP_OK)
        ltap_kernel_release(kernel, query->memory);
    return status;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    return make(query, false, kernel, error);
}

typedef struct left {
    const float *src;
    int64_t depth;
} left;

static void point(const void *context, int64_t first, const ltap_blocks *blocks,
                  const float **pointers)
{
    const left *l = context;

    for (int64_t r = 0; r < blocks->rows; r++)
        pointers[r] = l->src + (first + r) * l->depth;
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const product *s = kernel->state;
    left l = {s->pairs ? scratch : inputs[0], s->depth};
    ltap_work_job job = {.work = &s->work,
                         .point = point,
                         .context = &l,
                         .inputs = inputs,
                         .bias = s->has_bias ? inputs[2] : NULL,
                         .outputs = outputs,
                         .scratch = (char *)scratch + s->pairs_bytes};

    (void)error;
    if (s->pairs)
        ltap_pairs_convert(inputs[0], 2 * s->work.rows * s->depth, scratch, s->work.threads);
    ltap_work_run(&job);
    return LTAP_OK;
}

const ltap_impl ltap_gemm_product = {
    .op = "Gemm",
    .name = "gemm:product",
    .chains = true,
    .loose = 1u << 1,
    .accepts = gemm_accepts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};

const ltap_impl ltap_gemm_matmul = {
    .op = "MatMul",
    .name = "gemm:matmul",
    .chains = true,
    .loose = 1u << 1,
    .accepts = matmul_accepts,
    .prepare = prepare,
    .run = run,
    .release = ltap_kernel_release,
};

static bool fits_pairs(const ltap_query *query, ltap_why *why)
{
    if (read_shape(query).depth % 2 != 0)
        return ltap_refuse(why, "an odd depth");
    return true;
}

static bool gemm_accepts_pairs(const ltap_query *query, ltap_why *why)
{
    return ltap_pairs_wanted(query, why) && gemm_accepts(query, why) && fits_pairs(query, why);
}

static bool matmul_accepts_pairs(const ltap_query *query, ltap_why *why)
{
    return ltap_pairs_wanted(query, why) && matmul_accepts(query, why) && fits_pairs(query, why);
}

static ltap_status prepare_pairs(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    return make(query, true, kernel, error);
}

const ltap_impl ltap_bf16_product = {
    .op = "Gemm",
    .name = "bf16:product",
    .chains = true,
    .loose = 1u << 1,
    .accepts = gemm_accepts_pairs,
    .prepare = prepare_pairs,
    .run = run,
    .release = ltap_kernel_release,
};

const ltap_impl ltap_bf16_matmul = {
    .op = "MatMul",
    .name = "bf16:matmul",
    .chains = true,
    .loose = 1u << 1,
    .accepts = matmul_accepts_pairs,
    .prepare = prepare_pairs,
    .run = run,
    .release = ltap_kernel_release,
};
