/* ArgMax, ArgMin and TopK: where the extreme elements of an axis are.
 *
 * Elements of every type are compared through 64-bit keys in the same order, so there is one search
 * for all types. NaN counts as the most extreme, as in PyTorch.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include <math.h>
#include <string.h>

/* A float64's bits as an integer in the same order; both zeros are one. */
static int64_t real_key(double number)
{
    int64_t bits;
    number = number == 0 ? 0 : number;
    memcpy(&bits, &number, sizeof(bits));
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

static void load_keys(const ltap_tensor *t, int64_t start, int64_t n, int64_t nan, int64_t *keys)
{
    if (LTAP_TYPES_FLOAT & LTAP_TYPE(t->dtype)) {
        double numbers[LTAP_BLOCK];
        ltap_load_doubles(t->dtype, t->data, start, n, numbers);
        for (int64_t i = 0; i < n; i++)
            keys[i] = isnan(numbers[i]) ? nan : real_key(numbers[i]);
        return;
    }
    ltap_load_ints(t->dtype, t->data, start, n, keys);
    for (int64_t i = 0; t->dtype == LTAP_UINT64 && i < n; i++)
        keys[i] ^= INT64_MIN;
}

/* A tensor seen as [outer, length, inner] around an axis. */
typedef struct around {
    int64_t outer, length, inner;
} around;

static around split_at(const ltap_tensor *t, int axis)
{
    around a = {1, t->dims[axis], 1};
    for (int i = 0; i < axis; i++)
        a.outer *= t->dims[i];
    for (int i = axis + 1; i < t->rank; i++)
        a.inner *= t->dims[i];
    return a;
}

static ltap_status read_axis(const ltap_call *call, int64_t otherwise, int *axis, ltap_error *error)
{
    return ltap_axis_check(ltap_node_int(call->node, "axis", otherwise), call->inputs[0].rank, axis,
                           error);
}

static ltap_status arg_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    bool keep = ltap_node_int(call->node, "keepdims", 1) != 0;
    int64_t dims[LTAP_MAX_RANK];
    int axis = 0, rank = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    LTAP_TRY(read_axis(call, 0, &axis, error));
    for (int i = 0; i < in->rank; i++)
        if (i != axis || keep)
            dims[rank++] = i == axis ? 1 : in->dims[i];
    if (in->dims[axis] == 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "axis %d is empty", axis);
    ltap_call_output(call, 0, LTAP_INT64, rank, dims);
    return LTAP_OK;
}

/* n neighbouring lanes of one [length, inner] slab, from element `start` on. */
static void arg_lanes(const ltap_call *call, around a, int64_t start, int64_t n, bool smallest,
                      int64_t *dst)
{
    bool last = ltap_node_int(call->node, "select_last_index", 0) != 0;
    int64_t best[LTAP_BLOCK], keys[LTAP_BLOCK];
    for (int64_t k = 0; k < a.length; k++) {
        load_keys(&call->inputs[0], start + k * a.inner, n, smallest ? INT64_MIN : INT64_MAX, keys);
        for (int64_t i = 0; i < n; i++) {
            int64_t key = smallest ? ~keys[i] : keys[i];
            bool better = k == 0 || key > best[i] || (last && key == best[i]);
            best[i] = better ? key : best[i];
            dst[i] = better ? k : dst[i];
        }
    }
}

static ltap_status arg_reference(const ltap_call *call, bool smallest, ltap_error *error)
{
    int axis = 0;
    LTAP_TRY(read_axis(call, 0, &axis, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    around a = split_at(&call->inputs[0], axis);
    int64_t *dst = call->outputs[0].data;
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t lane = 0; lane < a.inner; lane += LTAP_BLOCK) {
            int64_t n = a.inner - lane < LTAP_BLOCK ? a.inner - lane : LTAP_BLOCK;
            arg_lanes(call, a, o * a.length * a.inner + lane, n, smallest,
                      dst + o * a.inner + lane);
        }
    return LTAP_OK;
}

static ltap_status arg_max_reference(const ltap_call *call, ltap_error *error)
{
    return arg_reference(call, false, error);
}

static ltap_status arg_min_reference(const ltap_call *call, ltap_error *error)
{
    return arg_reference(call, true, error);
}

static ltap_status top_k_shape(const ltap_call *call, ltap_error *error)
{
    ltap_tensor out = call->inputs[0];
    int64_t k = 0;
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_NUMBER, error));
    LTAP_TRY(read_axis(call, -1, &axis, error));
    LTAP_TRY(ltap_call_int(call, 1, "k", &k, error));
    if (k < 0 || k > out.dims[axis])
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "k is %lld along an axis of length %lld",
                              (long long)k, (long long)out.dims[axis]);
    out.dims[axis] = k;
    ltap_call_output(call, 0, out.dtype, out.rank, out.dims);
    ltap_call_output(call, 1, LTAP_INT64, out.rank, out.dims);
    return LTAP_OK;
}

/* What comes first is less: a smaller key, and of equal ones the smaller index. */
typedef struct item {
    int64_t key, index;
} item;

static bool is_less(item a, item b)
{
    return a.key != b.key ? a.key < b.key : a.index < b.index;
}

static void sift_down(item *heap, int64_t root, int64_t n)
{
    item moving = heap[root];
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && is_less(heap[child], heap[child + 1]))
            child++;
        if (!is_less(moving, heap[child]))
            break;
        heap[root] = heap[child];
    }
    heap[root] = moving;
}

static void sort(item *items, int64_t n)
{
    for (int64_t i = n / 2; i-- > 0;)
        sift_down(items, i, n);
    for (int64_t end = n - 1; end > 0; end--) {
        item largest = items[0];
        items[0] = items[end];
        items[end] = largest;
        sift_down(items, 0, end);
    }
}

typedef struct top_k {
    const ltap_call *call;
    around around;
    int64_t k;
    bool largest;
    item *items; /* k for each thread */
} top_k;

/* Keeps the first k of what has come so far, the last of them on top of the heap. */
static void keep_first(const top_k *t, int64_t from, item *heap)
{
    const ltap_tensor *in = &t->call->inputs[0];
    int64_t step = t->around.inner, keys[LTAP_BLOCK];
    for (int64_t at = 0; at < t->around.length;) {
        int64_t left = t->around.length - at, n = left < LTAP_BLOCK ? left : LTAP_BLOCK;
        n = step == 1 ? n : 1;
        load_keys(in, from + at * step, n, INT64_MAX, keys);
        for (int64_t i = 0; i < n; i++, at++) {
            item next = {t->largest ? ~keys[i] : keys[i], at};
            if (at < t->k) {
                heap[at] = next;
                for (int64_t root = at == t->k - 1 ? t->k / 2 : 0; root-- > 0;)
                    sift_down(heap, root, t->k);
            } else if (is_less(next, heap[0])) {
                heap[0] = next;
                sift_down(heap, 0, t->k);
            }
        }
    }
}

static void top_k_row(const top_k *t, int64_t row, item *items)
{
    const ltap_call *call = t->call;
    const ltap_tensor *in = &call->inputs[0];
    int64_t inner = t->around.inner, column = row % inner;
    int64_t from = row / inner * t->around.length * inner + column;
    int64_t to = row / inner * t->k * inner + column;
    unsigned bytes = ltap_dtype_bits(in->dtype) / 8;
    keep_first(t, from, items);
    sort(items, t->k);
    for (int64_t i = 0; i < t->k; i++) {
        int64_t at = to + i * inner;
        if (ltap_call_wants(call, 0))
            memcpy((char *)call->outputs[0].data + at * bytes,
                   (const char *)in->data + (from + items[i].index * inner) * bytes, bytes);
        if (ltap_call_wants(call, 1))
            ((int64_t *)call->outputs[1].data)[at] = items[i].index;
    }
}

static void top_k_rows(void *context, int64_t first, int64_t last)
{
    const top_k *t = context;
    int64_t rows = t->around.outer * t->around.inner;
    for (int64_t thread = first; thread < last; thread++)
        for (int64_t row = thread; row < rows; row += t->call->threads)
            top_k_row(t, row, t->items + thread * t->k);
}

static ltap_status top_k_reference(const ltap_call *call, ltap_error *error)
{
    int axis = 0;
    void *items;
    LTAP_TRY(read_axis(call, -1, &axis, error));
    top_k t = {.call = call,
               .around = split_at(&call->inputs[0], axis),
               .k = ltap_tensor_int(&call->inputs[1], 0),
               .largest = ltap_node_int(call->node, "largest", 1) != 0};
    if (t.k == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_memory_take(call->memory, (uint64_t)(t.k * call->threads) * sizeof(item),
                              "items for TopK", &items, error));
    t.items = items;
    ltap_parallel_for(call->threads, call->threads, 1, top_k_rows, &t);
    ltap_memory_release(call->memory, items);
    return LTAP_OK;
}

static uint64_t top_k_temporary(const ltap_call *call)
{
    uint64_t threads = call->threads > 1 ? (uint64_t)call->threads : 1;
    return (uint64_t)ltap_tensor_int(&call->inputs[1], 0) * threads * sizeof(item);
}

const ltap_op ltap_op_arg_max = {
    .name = "ArgMax",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = arg_shape,
    .reference = arg_max_reference,
};

const ltap_op ltap_op_arg_min = {
    .name = "ArgMin",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = arg_shape,
    .reference = arg_min_reference,
};

const ltap_op ltap_op_top_k = {
    .name = "TopK",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 2,
    .shape = top_k_shape,
    .reference = top_k_reference,
    .temporary = top_k_temporary,
};
