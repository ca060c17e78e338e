/* MatMul of a computed right side, and Einsum: batches of products, as in attention.
 *
 * A unit of work is some rows of one product; the right side's panels are laid out anew for each
 * stretch of a product that a thread does. Neither changes a bit: see product.h.
 */
#include "backends/simd/links.h"
#include "backends/simd/product.h"
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"
#include "ops/einsum.h"

#include <string.h>

enum { UNIT_ROWS = 64, GRAIN = 65536 };

typedef struct matmul {
    ltap_simd_product product;
    int rank; /* of the batch */
    int64_t dims[LTAP_EINSUM_LABELS], left[LTAP_EINSUM_LABELS], right[LTAP_EINSUM_LABELS];
    int64_t matrices, units; /* units: of one product */
    bool swapped;            /* the node's first input is the right side */
    ltap_links links;
} matmul;

typedef struct job {
    const matmul *state;
    const float *left, *right;
    float *product;
} job;

static void add_batch_axis(matmul *m, int64_t size, int64_t left, int64_t right)
{
    if (size == 1)
        return;
    m->dims[m->rank] = size;
    m->left[m->rank] = left;
    m->right[m->rank++] = right;
}

/* The axes before the last two. */
static ltap_tensor batch_axes(const ltap_tensor *t)
{
    ltap_tensor batch = *t;

    batch.rank -= 2;
    return batch;
}

static bool read_matmul(const ltap_query *query, matmul *m, ltap_why *why)
{
    const ltap_tensor *a = &query->inputs[0], *b = &query->inputs[1], *y = &query->outputs[0];
    int64_t left[LTAP_MAX_RANK], right[LTAP_MAX_RANK];

    if (a->rank < 2 || b->rank < 2)
        return ltap_refuse(why, "not matrices");
    ltap_tensor batch = batch_axes(y), of_a = batch_axes(a), of_b = batch_axes(b);
    int64_t rows = a->dims[a->rank - 2], depth = a->dims[a->rank - 1];
    int64_t columns = b->dims[b->rank - 1];
    m->product = (ltap_simd_product){rows, columns, depth, depth, 1, columns, 1};
    ltap_dims_strides(&of_a, &batch, left);
    ltap_dims_strides(&of_b, &batch, right);
    for (int i = 0; i < batch.rank; i++)
        add_batch_axis(m, batch.dims[i], left[i] * rows * depth, right[i] * depth * columns);
    return true;
}

static ltap_status read_equation(const ltap_query *query, ltap_einsum *e)
{
    ltap_tensor output = query->outputs[0];
    ltap_call call = {.node = query->node,
                      .inputs = query->inputs,
                      .n_inputs = query->n_inputs,
                      .outputs = &output,
                      .n_outputs = 1};

    return ltap_einsum_read(&call, e, NULL);
}

/* Which inputs an axis moves in; of size 1: none. */
static unsigned sides_of(const ltap_einsum *e, int label)
{
    if (e->sizes[label] == 1)
        return 0;
    return (e->strides[0][label] ? 1u : 0) | (e->strides[1][label] ? 2u : 0);
}

/* The output's last axis comes from one side, which is then the right one; the one before may be
 * the rows, if it comes from the other alone; all others are the batch. One axis of both is summed.
 */
static bool read_einsum(const ltap_query *query, matmul *m, ltap_why *why)
{
    ltap_einsum e;
    int column = -1, row = -1, sum = -1;

    if (query->n_inputs != 2 || read_equation(query, &e) != LTAP_OK)
        return ltap_refuse(why, "not two inputs");
    for (int i = 0; i < e.n_output; i++)
        if (e.sizes[i] > 1) {
            row = column;
            column = i;
        }
    if (column >= 0 && sides_of(&e, column) == 3)
        return ltap_refuse(why, "the batch is its last axis");
    if (row >= 0 && sides_of(&e, row) + sides_of(&e, column) != 3)
        row = -1;
    for (int i = e.n_output; i < e.n_labels; i++) {
        if (e.sizes[i] == 1)
            continue;
        if (sum >= 0 || sides_of(&e, i) != 3)
            return ltap_refuse(why, "sums over more than one axis, or of one input");
        sum = i;
    }
    if (sum < 0 || column < 0)
        return ltap_refuse(why, "no product of matrices");
    m->swapped = sides_of(&e, column) == 1;
    const int64_t *left = e.strides[m->swapped], *right = e.strides[!m->swapped];
    m->product = (ltap_simd_product){row < 0 ? 1 : e.sizes[row],
                                     e.sizes[column],
                                     e.sizes[sum],
                                     row < 0 ? 0 : left[row],
                                     left[sum],
                                     right[sum],
                                     right[column]};
    for (int i = 0; i < e.n_output; i++)
        if (i != row && i != column)
            add_batch_axis(m, e.sizes[i], left[i], right[i]);
    return true;
}

static bool read_query(const ltap_query *query, matmul *m, ltap_why *why)
{
    memset(m, 0, sizeof(*m));
    return strcmp(query->node->op_type, "Einsum") == 0 ? read_einsum(query, m, why)
                                                       : read_matmul(query, m, why);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    matmul m;

    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 || ltap_tensor_count(&query->inputs[i]) == 0)
            return ltap_refuse(why, "not float32, or empty");
    /* Other rows pack weights that are on the right. */
    if (strcmp(query->node->op_type, "MatMul") == 0 && query->inputs[1].data)
        return ltap_refuse(why, "its right side is constant");
    return read_query(query, &m, why);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    ltap_why why;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(matmul), "a kernel", &kernel->state,
                                     error));
    matmul *state = kernel->state;
    read_query(query, state, &why);
    state->matrices = 1;
    for (int i = 0; i < state->rank; i++)
        state->matrices *= state->dims[i];
    state->units = (state->product.rows + UNIT_ROWS - 1) / UNIT_ROWS;
    ltap_links_after(query, &state->links);
    kernel->state_bytes = sizeof(matmul);
    kernel->detail = "";
    return LTAP_OK;
}

static void multiply_matrix(const job *work, int64_t matrix, int64_t first, int64_t last)
{
    const matmul *m = work->state;
    int64_t left = 0, right = 0, rest = matrix;

    for (int i = m->rank - 1; i >= 0; rest /= m->dims[i], i--) {
        left += rest % m->dims[i] * m->left[i];
        right += rest % m->dims[i] * m->right[i];
    }
    ltap_simd_product_rows(&m->product, work->left + left, work->right + right, first, last,
                           work->product + matrix * m->product.rows * m->product.columns);
}

static void multiply_units(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const matmul *m = work->state;

    for (int64_t unit = first; unit < last;) {
        int64_t matrix = unit / m->units, at = unit % m->units;
        int64_t n = m->units - at < last - unit ? m->units - at : last - unit;
        int64_t end = (at + n) * UNIT_ROWS;
        multiply_matrix(work, matrix, at * UNIT_ROWS,
                        end < m->product.rows ? end : m->product.rows);
        unit += n;
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const matmul *m = kernel->state;
    const ltap_simd_product *p = &m->product;
    job work = {m, inputs[m->swapped], inputs[!m->swapped], outputs[0]};
    int64_t rows = p->rows < UNIT_ROWS ? p->rows : UNIT_ROWS;

    (void)scratch;
    (void)error;
    ltap_parallel_for(m->links.threads, m->matrices * m->units,
                      GRAIN / rows / p->columns / p->depth + 1, multiply_units, &work);
    ltap_links_finish(&m->links, inputs, 2, outputs);
    return LTAP_OK;
}

#define ROW(id, operator, title)                                                                   \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = title,                                                                             \
        .chains = true,                                                                            \
        .accepts = accepts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(matmul, "MatMul", "simd:matmul")
ROW(einsum, "Einsum", "simd:einsum")
