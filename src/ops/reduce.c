/* Reductions: sums, products, extremes and norms over some axes.
 *
 * Each is a map of the elements, a fold (sum, product, largest, smallest) and a last step, in
 * float64 for floats and in 64-bit integers where that is exact. Runs of elements are folded in
 * halves, so errors grow with the logarithm of their length. The order never depends on threads.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <math.h>
#include <string.h>

enum fold { SUM, PROD, MAX, MIN, N_FOLDS };

typedef struct reduction {
    enum fold fold;
    bool shifted; /* the largest element is taken off first, and added at the end */
    bool real;    /* in float64 even for integers */
    void (*map)(double *x, int64_t n);
    void (*map_whole)(int64_t *x, int64_t n);
    double (*finish)(double folded, double count);
    unsigned types;
} reduction;

/* acc[i] = fold(acc[i], x[i]) */
#define FOLD(id, T, EXPR)                                                                          \
    static void id(T *acc, const T *x, int64_t n)                                                  \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            acc[i] = EXPR;                                                                         \
    }
FOLD(sum_real, double, acc[i] + x[i])
FOLD(prod_real, double, acc[i] * x[i])
FOLD(max_real, double, x[i] > acc[i] || x[i] != x[i] ? x[i] : acc[i])
FOLD(min_real, double, x[i] < acc[i] || x[i] != x[i] ? x[i] : acc[i])
FOLD(sum_whole, int64_t, (int64_t)((uint64_t)acc[i] + (uint64_t)x[i]))
FOLD(prod_whole, int64_t, (int64_t)((uint64_t)acc[i] * (uint64_t)x[i]))
FOLD(max_whole, int64_t, x[i] > acc[i] ? x[i] : acc[i])
FOLD(min_whole, int64_t, x[i] < acc[i] ? x[i] : acc[i])

static const struct fold_row {
    double start;
    void (*real)(double *acc, const double *x, int64_t n);
    void (*whole)(int64_t *acc, const int64_t *x, int64_t n);
} folds[N_FOLDS] = {
    [SUM] = {0, sum_real, sum_whole},
    [PROD] = {1, prod_real, prod_whole},
    [MAX] = {-INFINITY, max_real, max_whole},
    [MIN] = {INFINITY, min_real, min_whole},
};

/* What the largest or smallest of no integers is. */
static const struct ends {
    int64_t low, high;
} ends[LTAP_DTYPES] = {
    [LTAP_BOOL] = {0, 1},
    [LTAP_UINT8] = {0, UINT8_MAX},
    [LTAP_INT8] = {INT8_MIN, INT8_MAX},
    [LTAP_UINT16] = {0, UINT16_MAX},
    [LTAP_INT16] = {INT16_MIN, INT16_MAX},
    [LTAP_UINT32] = {0, UINT32_MAX},
    [LTAP_INT32] = {INT32_MIN, INT32_MAX},
    [LTAP_UINT64] = {INT64_MIN, INT64_MAX}, /* with the top bit flipped, see load_whole */
    [LTAP_INT64] = {INT64_MIN, INT64_MAX},
};

#define MAP(id, T, EXPR)                                                                           \
    static void id(T *x, int64_t n)                                                                \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            x[i] = EXPR;                                                                           \
    }
MAP(abs_real, double, fabs(x[i]))
MAP(square_real, double, x[i] * x[i])
MAP(exp_real, double, exp(x[i]))
MAP(abs_whole, int64_t, x[i] < 0 ? (int64_t)(0 - (uint64_t)x[i]) : x[i])
MAP(square_whole, int64_t, (int64_t)((uint64_t)x[i] * (uint64_t)x[i]))

static double finish_mean(double folded, double count)
{
    return folded / count;
}
static double finish_root(double folded, double count)
{
    return sqrt(folded);
}
static double finish_log(double folded, double count)
{
    return log(folded);
}

typedef struct axis {
    int64_t length, stride; /* stride in elements of the input */
} axis;

typedef struct job {
    const reduction *reduction;
    const ltap_tensor *in, *out;
    axis kept[LTAP_MAX_RANK], gone[LTAP_MAX_RANK];
    int n_kept, n_gone;
    int64_t reduced;  /* elements that become one */
    int64_t lanes;    /* outputs that lie side by side in the input: 1 where the last axis goes */
    int64_t run;      /* elements that lie side by side and become one */
    int64_t n_blocks; /* blocks of lanes, each at most LTAP_BLOCK */
    bool whole;
} job;

/* Offset of item `index` of a list of axes in row-major order. */
static int64_t offset_of(const axis *axes, int n, int64_t index)
{
    int64_t offset = 0;
    for (int i = n - 1; i >= 0; i--) {
        offset += index % axes[i].length * axes[i].stride;
        index /= axes[i].length;
    }
    return offset;
}

/* Folds a run in halves into x[0]. */
#define HALVE(x, n, fold)                                                                          \
    for (int64_t left = n; left > 1; left = (left + 1) / 2)                                        \
    fold(x, x + (left + 1) / 2, left / 2)

static void fold_run_real(const job *j, int64_t offset, int64_t n, double *acc, const double *shift)
{
    const reduction *r = j->reduction;
    double x[LTAP_BLOCK];
    ltap_load_doubles(j->in->dtype, j->in->data, offset, n, x);
    for (int64_t i = 0; shift && i < n; i++)
        x[i] -= shift[j->lanes > 1 ? i : 0];
    if (r->map)
        r->map(x, n);
    if (j->lanes == 1)
        HALVE(x, n, folds[r->fold].real);
    folds[r->fold].real(acc, x, j->lanes == 1 ? 1 : n);
}

static void load_whole(const job *j, int64_t offset, int64_t n, int64_t *x)
{
    ltap_load_ints(j->in->dtype, j->in->data, offset, n, x);
    bool flip = j->in->dtype == LTAP_UINT64 && j->reduction->fold >= MAX;
    for (int64_t i = 0; flip && i < n; i++)
        x[i] ^= INT64_MIN;
}

static void fold_run_whole(const job *j, int64_t offset, int64_t n, int64_t *acc)
{
    const reduction *r = j->reduction;
    int64_t x[LTAP_BLOCK];
    load_whole(j, offset, n, x);
    if (r->map_whole)
        r->map_whole(x, n);
    if (j->lanes == 1)
        HALVE(x, n, folds[r->fold].whole);
    folds[r->fold].whole(acc, x, j->lanes == 1 ? 1 : n);
}

/* Everything that belongs to n lanes from element `start` on. */
#define FOLD_ALL(j, start, n, call)                                                                \
    for (int64_t item = 0; item < (j)->reduced / (j)->run; item++) {                               \
        int64_t from = (start) + offset_of((j)->gone, (j)->n_gone, item);                          \
        for (int64_t done = 0; done < (j)->run; done += LTAP_BLOCK) {                              \
            int64_t left = (j)->run - done, count = (j)->lanes > 1 ? (n) : left;                   \
            count = count < LTAP_BLOCK ? count : LTAP_BLOCK;                                       \
            call;                                                                                  \
        }                                                                                          \
    }

static void reduce_real(const job *j, int64_t start, int64_t n, int64_t to)
{
    const reduction *r = j->reduction;
    double acc[LTAP_BLOCK], shift[LTAP_BLOCK];
    if (r->shifted) {
        static const reduction largest = {.fold = MAX};
        job first = *j;
        first.reduction = &largest;
        for (int64_t i = 0; i < n; i++)
            shift[i] = -INFINITY;
        FOLD_ALL(j, start, n, fold_run_real(&first, from + done, count, shift, NULL))
        for (int64_t i = 0; i < n; i++)
            shift[i] = isinf(shift[i]) ? 0 : shift[i];
    }
    for (int64_t i = 0; i < n; i++)
        acc[i] = folds[r->fold].start;
    FOLD_ALL(j, start, n, fold_run_real(j, from + done, count, acc, r->shifted ? shift : NULL))
    for (int64_t i = 0; i < n; i++) {
        if (r->finish)
            acc[i] = r->finish(acc[i], (double)j->reduced);
        if (r->shifted)
            acc[i] += shift[i];
    }
    ltap_store_doubles(j->out->dtype, j->out->data, to, n, acc);
}

static void reduce_whole(const job *j, int64_t start, int64_t n, int64_t to)
{
    enum fold fold = j->reduction->fold;
    int64_t acc[LTAP_BLOCK], first = (int64_t)(fold < MAX ? folds[fold].start : 0);
    if (fold >= MAX)
        first = fold == MAX ? ends[j->in->dtype].low : ends[j->in->dtype].high;
    for (int64_t i = 0; i < n; i++)
        acc[i] = first;
    FOLD_ALL(j, start, n, fold_run_whole(j, from + done, count, acc))
    for (int64_t i = 0; j->in->dtype == LTAP_UINT64 && fold >= MAX && i < n; i++)
        acc[i] ^= INT64_MIN;
    ltap_store_ints(j->out->dtype, j->out->data, to, n, acc);
}

static void reduce_blocks(void *context, int64_t first, int64_t last)
{
    const job *j = context;
    for (int64_t block = first; block < last; block++) {
        int64_t item = block / j->n_blocks, lane = block % j->n_blocks * LTAP_BLOCK;
        int64_t n = j->lanes - lane < LTAP_BLOCK ? j->lanes - lane : LTAP_BLOCK;
        int64_t start = offset_of(j->kept, j->n_kept, item) + lane, to = item * j->lanes + lane;
        if (j->whole)
            reduce_whole(j, start, n, to);
        else
            reduce_real(j, start, n, to);
    }
}

/* Neighbouring axes that share a fate become one. */
static void split_axes(job *j, const bool *gone)
{
    int64_t stride = (int64_t)ltap_tensor_count(j->in);
    bool previous = false;
    for (int i = 0, last = -1; i < j->in->rank; i++) {
        int64_t length = j->in->dims[i];
        stride = length > 0 ? stride / length : 0;
        if (length == 1)
            continue;
        axis *list = gone[i] ? j->gone : j->kept;
        int *n = gone[i] ? &j->n_gone : &j->n_kept;
        if (last < 0 || gone[i] != previous)
            list[(*n)++].length = 1;
        list[*n - 1].length *= length;
        list[*n - 1].stride = stride;
        previous = gone[i];
        last = i;
    }
}

/* The innermost axis is a run of one output, or lanes of outputs side by side. */
static void choose_direction(job *j)
{
    j->lanes = j->run = 1;
    if (j->n_kept > 0 && j->kept[j->n_kept - 1].stride == 1)
        j->lanes = j->kept[--j->n_kept].length;
    else if (j->n_gone > 0 && j->gone[j->n_gone - 1].stride == 1)
        j->run = j->gone[--j->n_gone].length;
    j->n_blocks = (j->lanes + LTAP_BLOCK - 1) / LTAP_BLOCK;
}

static ltap_status read_axes(const ltap_call *call, bool *gone, ltap_error *error)
{
    int rank = call->inputs[0].rank;
    int64_t axes[LTAP_MAX_RANK];
    size_t count = 0;
    if (ltap_call_has(call, 1))
        LTAP_TRY(ltap_call_ints(call, 1, "axes", axes, LTAP_MAX_RANK, &count, error));
    bool all = count == 0 && ltap_node_int(call->node, "noop_with_empty_axes", 0) == 0;
    LTAP_TRY(ltap_axes_check(axes, count, rank, gone, error));
    for (int i = 0; i < rank; i++)
        gone[i] = gone[i] || all;
    return LTAP_OK;
}

static ltap_status reduce_shape(const ltap_call *call, const reduction *r, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    bool gone[LTAP_MAX_RANK], keep = ltap_node_int(call->node, "keepdims", 1) != 0;
    int64_t dims[LTAP_MAX_RANK];
    int rank = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, r->types, error));
    LTAP_TRY(read_axes(call, gone, error));
    for (int i = 0; i < in->rank; i++)
        if (!gone[i] || keep)
            dims[rank++] = gone[i] ? 1 : in->dims[i];
    ltap_call_output(call, 0, in->dtype, rank, dims);
    return LTAP_OK;
}

/* Of no elements at all: the same number everywhere. */
static void reduce_nothing(const job *j)
{
    job one = *j;
    one.lanes = one.run = 1;
    int64_t count = (int64_t)ltap_tensor_count(j->out);
    for (int64_t i = 0; i < count; i++)
        if (j->whole)
            reduce_whole(&one, 0, 1, i);
        else
            reduce_real(&one, 0, 1, i);
}

static ltap_status reduce_reference(const ltap_call *call, const reduction *r, ltap_error *error)
{
    bool gone[LTAP_MAX_RANK];
    job j = {.reduction = r, .in = &call->inputs[0], .out = &call->outputs[0], .reduced = 1};
    LTAP_TRY(read_axes(call, gone, error));
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(j.out) == 0)
        return LTAP_OK;
    j.whole = !r->real && !(LTAP_TYPES_FLOAT & LTAP_TYPE(j.in->dtype));
    for (int i = 0; i < j.in->rank; i++)
        j.reduced *= gone[i] ? j.in->dims[i] : 1;
    if (j.reduced == 0) {
        reduce_nothing(&j);
        return LTAP_OK;
    }
    split_axes(&j, gone);
    choose_direction(&j);
    int64_t items = (int64_t)ltap_tensor_count(j.out) / j.lanes * j.n_blocks;
    ltap_parallel_for(call->threads, items, 1 + 32768 / j.reduced, reduce_blocks, &j);
    return LTAP_OK;
}

#define REDUCTION(id, onnx_name, ...)                                                              \
    static const reduction id = {__VA_ARGS__};                                                     \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        return reduce_shape(call, &id, error);                                                     \
    }                                                                                              \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        return reduce_reference(call, &id, error);                                                 \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = 1,                                                 \
                                  .max_inputs = 2,                                                 \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference};

#define NUMBERS    .types = LTAP_TYPES_NUMBER
#define COMPARABLE .types = LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL

REDUCTION(reduce_sum, "ReduceSum", .fold = SUM, NUMBERS)
REDUCTION(reduce_mean, "ReduceMean", .fold = SUM, .real = true, .finish = finish_mean, NUMBERS)
REDUCTION(reduce_max, "ReduceMax", .fold = MAX, COMPARABLE)
REDUCTION(reduce_min, "ReduceMin", .fold = MIN, COMPARABLE)
REDUCTION(reduce_prod, "ReduceProd", .fold = PROD, NUMBERS)
REDUCTION(reduce_l1, "ReduceL1", .fold = SUM, .map = abs_real, .map_whole = abs_whole, NUMBERS)
REDUCTION(reduce_l2, "ReduceL2", .fold = SUM, .real = true, .map = square_real,
          .finish = finish_root, NUMBERS)
REDUCTION(reduce_log_sum, "ReduceLogSum", .fold = SUM, .real = true, .finish = finish_log, NUMBERS)
REDUCTION(reduce_log_sum_exp, "ReduceLogSumExp", .fold = SUM, .real = true, .shifted = true,
          .map = exp_real, .finish = finish_log, NUMBERS)
REDUCTION(reduce_sum_square, "ReduceSumSquare", .fold = SUM, .map = square_real,
          .map_whole = square_whole, NUMBERS)
