/* MatMul of many small matrices, both computed: the heads and windows of attention.
 *
 * A product of this size is over before a library has looked at it. Columns of the right side are
 * laid out in a panel, then eight rows at a time go through it. Each sum runs in the order of its
 * terms, so the bits depend on nothing else.
 */
#include "backends/simd/links.h"
#include "backends/simd/rows.h"

#include "base/error.h"
#include "base/parallel.h"

#include <string.h>

LTAP_VECTOR_CONTRACT

enum { LANES = 16, WIDTH = 2 * LANES, HEIGHT = 8, MAX_DEPTH = 256, MAX_PRODUCT = 1 << 19 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

typedef struct matmul {
    int64_t matrices, rows, columns, depth;
    ltap_links links;
} matmul;

typedef struct job {
    const matmul *state;
    const float *left, *right;
    float *product;
} job;

static bool accepts(const ltap_query *query, ltap_why *why)
{
    const ltap_tensor *a = &query->inputs[0], *b = &query->inputs[1], *y = &query->outputs[0];
    int rank = y->rank;

    if (a->dtype != LTAP_FLOAT32 || ltap_tensor_count(y) == 0 || ltap_tensor_count(a) == 0)
        return ltap_refuse(why, "not float32, or empty");
    if (a->data || b->data || rank < 3 || a->rank != rank || b->rank != rank ||
        memcmp(a->dims, b->dims, (size_t)(rank - 2) * sizeof(a->dims[0])) != 0)
        return ltap_refuse(why, "not pairs of computed matrices");
    int64_t rows = a->dims[rank - 2], depth = a->dims[rank - 1], columns = b->dims[rank - 1];
    if (depth > MAX_DEPTH || rows > MAX_PRODUCT || columns > MAX_PRODUCT ||
        rows * columns > MAX_PRODUCT / depth)
        return ltap_refuse(why, "not small matrices");
    return true;
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *a = &query->inputs[0], *b = &query->inputs[1];

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(matmul), "a kernel", &kernel->state,
                                     error));
    matmul *state = kernel->state;
    state->rows = a->dims[a->rank - 2];
    state->depth = a->dims[a->rank - 1];
    state->columns = b->dims[b->rank - 1];
    state->matrices =
        (int64_t)ltap_tensor_count(&query->outputs[0]) / (state->rows * state->columns);
    ltap_links_after(query, &state->links);
    kernel->state_bytes = sizeof(matmul);
    kernel->detail = "small";
    return LTAP_OK;
}

/* WIDTH columns of the right side from `column` on; 0 where there are none. */
static void fill_panel(const float *right, const matmul *state, int64_t column, float *panel)
{
    int64_t left = state->columns - column, width = left < WIDTH ? left : WIDTH;

    for (int64_t k = 0; k < state->depth; k++, panel += WIDTH) {
        memcpy(panel, right + k * state->columns + column, (size_t)width * sizeof(float));
        for (int64_t i = width; i < WIDTH; i++)
            panel[i] = 0;
    }
}

/* HEIGHT rows times the panel. */
LTAP_VECTOR_CLONES
static void multiply(const float *const *rows, const float *panel, int64_t depth, float *product)
{
    vector low[HEIGHT], high[HEIGHT];

#pragma GCC unroll 8
    for (int r = 0; r < HEIGHT; r++)
        low[r] = high[r] = (vector){0};
    for (int64_t k = 0; k < depth; k++) {
        vector first = *(const vector *)(panel + k * WIDTH);
        vector second = *(const vector *)(panel + k * WIDTH + LANES);
#pragma GCC unroll 8
        for (int r = 0; r < HEIGHT; r++) {
            low[r] += rows[r][k] * first;
            high[r] += rows[r][k] * second;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < HEIGHT; r++) {
        *(vector *)(product + r * WIDTH) = low[r];
        *(vector *)(product + r * WIDTH + LANES) = high[r];
    }
}

static void multiply_panel(const matmul *state, const float *left, const float *panel,
                           int64_t column, float *product)
{
    int64_t rest = state->columns - column;
    size_t bytes = (size_t)(rest < WIDTH ? rest : WIDTH) * sizeof(float);
    float block[HEIGHT * WIDTH];
    const float *rows[HEIGHT];

    for (int64_t row = 0; row < state->rows; row += HEIGHT) {
        for (int64_t r = 0; r < HEIGHT; r++) {
            int64_t there = row + r < state->rows ? row + r : state->rows - 1;
            rows[r] = left + there * state->depth;
        }
        multiply(rows, panel, state->depth, block);
        for (int64_t r = 0; r < HEIGHT && row + r < state->rows; r++)
            memcpy(product + (row + r) * state->columns + column, block + r * WIDTH, bytes);
    }
}

static void multiply_matrices(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const matmul *s = work->state;
    float panel[MAX_DEPTH * WIDTH];

    for (int64_t i = first; i < last; i++) {
        for (int64_t column = 0; column < s->columns; column += WIDTH) {
            fill_panel(work->right + i * s->depth * s->columns, s, column, panel);
            multiply_panel(s, work->left + i * s->rows * s->depth, panel, column,
                           work->product + i * s->rows * s->columns);
        }
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const matmul *state = kernel->state;
    job work = {state, inputs[0], inputs[1], outputs[0]};

    (void)scratch;
    (void)error;
    ltap_parallel_for(state->links.threads, state->matrices, 1, multiply_matrices, &work);
    ltap_links_finish(&state->links, inputs, 2, outputs[0]);
    return LTAP_OK;
}

static void release(ltap_kernel *kernel, ltap_memory *memory)
{
    ltap_memory_release(memory, kernel->state);
}

const ltap_impl ltap_impl_simd_matmul = {
    .op = "MatMul",
    .name = "simd:matmul",
    .chains = true,
    .accepts = accepts,
    .prepare = prepare,
    .run = run,
    .release = release,
};
