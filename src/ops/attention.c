/* Attention: scaled dot products of queries and keys, softmax, and the weighted mean of values.
 *
 * A task is one query row of one head. It goes over the keys in runs and keeps the largest score so
 * far, the sum of weights and the weighted sum of values, rescaling both when a larger score comes:
 * no matrix of scores exists. Caches (past keys, present outputs) are refused by name.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>

/* Elements between batches, heads and rows of a tensor [B,heads,S,size] or [B,S,heads*size]. */
typedef struct head_strides {
    int64_t batch, head, row;
} head_strides;

typedef struct attention {
    const ltap_number *number;
    const ltap_tensor *q, *k, *v, *mask; /* mask: NULL where there is none */
    ltap_tensor *y;
    int64_t batch, q_heads, kv_heads, q_rows, kv_rows, size, v_size;
    head_strides q_at, k_at, v_at, y_at;
    int64_t mask_strides[4], mask_columns;
    double scale, softcap;
    bool causal;
    int64_t left, right; /* of the window; negative: unbounded */
} attention;

/* One query row in the making. */
typedef struct query_row {
    int64_t batch, head, row;
    double largest, total; /* score, sum of weights */
    double sums[LTAP_RUN]; /* of values */
} query_row;

static ltap_status refuse_rest(const ltap_call *call, ltap_error *error)
{
    static const char *const inputs[] = {"past_key", "past_value", "nonpad_kv_seqlen"};
    static const char *const outputs[] = {"present_key", "present_value", "qk_matmul_output"};
    for (size_t i = 4; i < call->n_inputs; i++) {
        if (ltap_call_has(call, i))
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its input %s is not supported",
                                  inputs[i - 4]);
    }
    for (size_t i = 1; i < call->n_outputs; i++) {
        if (call->node->outputs[i] != LTAP_NO_VALUE)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its output %s is not supported",
                                  outputs[i - 1]);
    }
    return LTAP_OK;
}

/* Heads, rows and size of one head; false where they do not fit. */
static bool read_heads(const ltap_tensor *t, int64_t heads_told, int64_t *heads, int64_t *rows,
                       int64_t *size, head_strides *at)
{
    bool flat = t->rank == 3;
    *heads = flat ? heads_told : t->dims[1];
    *rows = t->dims[t->rank - 2];
    if (*heads < 1 || (flat && t->dims[2] % *heads != 0))
        return false;
    *size = flat ? t->dims[2] / *heads : t->dims[3];
    at->row = flat ? t->dims[2] : *size;
    at->head = flat ? *size : *rows * *size;
    at->batch = *heads * *rows * *size;
    return true;
}

static bool read_mask(attention *a)
{
    ltap_tensor both, full = {.dtype = a->mask->dtype, .rank = 4};
    full.dims[0] = a->batch;
    full.dims[1] = a->q_heads;
    full.dims[2] = a->q_rows;
    if (a->mask->rank < 1 || a->mask->rank > 4)
        return false;
    full.dims[3] = a->mask_columns = a->mask->dims[a->mask->rank - 1];
    if (a->mask_columns > a->kv_rows || !ltap_dims_broadcast(a->mask, &full, &both) ||
        !ltap_tensor_same_shape(&both, &full))
        return false;
    ltap_dims_strides(a->mask, &full, a->mask_strides);
    return true;
}

static ltap_status read_call(const ltap_call *call, attention *a, ltap_error *error)
{
    const ltap_node *node = call->node;
    int64_t q_told = ltap_node_int(node, "q_num_heads", 0), k_size, v_heads, v_rows;
    int64_t kv_told = ltap_node_int(node, "kv_num_heads", 0);
    *a = (attention){.q = &call->inputs[0], .k = &call->inputs[1], .v = &call->inputs[2]};
    bool fits = (a->q->rank == 3 || a->q->rank == 4) && a->k->rank == a->q->rank &&
                a->v->rank == a->q->rank &&
                read_heads(a->q, q_told, &a->q_heads, &a->q_rows, &a->size, &a->q_at) &&
                read_heads(a->k, kv_told, &a->kv_heads, &a->kv_rows, &k_size, &a->k_at) &&
                read_heads(a->v, kv_told, &v_heads, &v_rows, &a->v_size, &a->v_at) &&
                k_size == a->size && v_heads == a->kv_heads && v_rows == a->kv_rows &&
                a->q_heads % a->kv_heads == 0 && a->k->dims[0] == a->q->dims[0] &&
                a->v->dims[0] == a->q->dims[0];
    if (!fits)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "queries %s, keys %s and values %s do not fit in %lld and %lld heads",
                              ltap_shape_text(a->q).text, ltap_shape_text(a->k).text,
                              ltap_shape_text(a->v).text, (long long)q_told, (long long)kv_told);
    a->batch = a->q->dims[0];
    a->mask = ltap_call_has(call, 3) ? &call->inputs[3] : NULL;
    if (a->mask && !read_mask(a))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its mask %s does not fit queries %s",
                              ltap_shape_text(a->mask).text, ltap_shape_text(a->q).text);
    a->scale = ltap_node_float(node, "scale", 1 / sqrt((double)a->size));
    a->softcap = ltap_node_float(node, "softcap", 0);
    a->causal = ltap_node_int(node, "is_causal", 0) != 0;
    a->left = ltap_node_int(node, "left_window_size", -1);
    a->right = ltap_node_int(node, "right_window_size", -1);
    return LTAP_OK;
}

static ltap_status attention_shape(const ltap_call *call, ltap_error *error)
{
    attention a;
    for (size_t i = 0; i < 3; i++) {
        LTAP_TRY(ltap_call_check_type(call, i, LTAP_TYPES_FLOAT, error));
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    if (ltap_call_has(call, 3))
        LTAP_TRY(ltap_call_check_type(call, 3, LTAP_TYPES_FLOAT | LTAP_TYPES_BOOL, error));
    LTAP_TRY(refuse_rest(call, error));
    LTAP_TRY(read_call(call, &a, error));
    ltap_tensor y = *a.q;
    y.dims[y.rank - 1] = y.rank == 3 ? a.q_heads * a.v_size : a.v_size;
    ltap_call_output(call, 0, y.dtype, y.rank, y.dims);
    return LTAP_OK;
}

/* Whether a query may look at a key at all. */
static bool is_seen(const attention *a, int64_t row, int64_t key)
{
    return (!a->causal || key <= row) && (a->left < 0 || row - key <= a->left) &&
           (a->right < 0 || key - row <= a->right);
}

/* What the mask adds to the score of a key. */
static double read_bias(const attention *a, const query_row *r, int64_t key)
{
    double bias = 0;
    if (!is_seen(a, r->row, key) || (a->mask && key >= a->mask_columns))
        return -INFINITY;
    if (!a->mask)
        return 0;
    int64_t offset = r->batch * a->mask_strides[0] + r->head * a->mask_strides[1] +
                     r->row * a->mask_strides[2] + key * a->mask_strides[3];
    if (a->mask->dtype == LTAP_BOOL)
        return ((const uint8_t *)a->mask->data)[offset] ? 0 : -INFINITY;
    ltap_number_find(a->mask->dtype)->load(a->mask->data, offset, 1, 1, &bias);
    return bias;
}

/* Scores of keys [key, key + count). */
static void compute_scores(const attention *a, const query_row *r, int64_t key, int64_t count,
                           double *scores)
{
    double q[LTAP_RUN], k[LTAP_RUN];
    int64_t q_from = r->batch * a->q_at.batch + r->head * a->q_at.head + r->row * a->q_at.row;
    int64_t k_from = r->batch * a->k_at.batch +
                     r->head / (a->q_heads / a->kv_heads) * a->k_at.head + key * a->k_at.row;
    for (int64_t j = 0; j < count; j++)
        scores[j] = 0;
    for (int64_t at = 0; at < a->size; at += LTAP_RUN) {
        int64_t length = a->size - at < LTAP_RUN ? a->size - at : LTAP_RUN;
        a->number->load(a->q->data, q_from + at, 1, length, q);
        for (int64_t j = 0; j < count; j++) {
            a->number->load(a->k->data, k_from + j * a->k_at.row + at, 1, length, k);
            for (int64_t i = 0; i < length; i++)
                scores[j] += q[i] * k[i];
        }
    }
    for (int64_t j = 0; j < count; j++) {
        scores[j] *= a->scale;
        if (a->softcap > 0)
            scores[j] = a->softcap * tanh(scores[j] / a->softcap);
        scores[j] += read_bias(a, r, key + j);
    }
}

/* Takes keys [key, key + count) in, for columns [column, column + width) of the values. */
static void take_keys(const attention *a, query_row *r, int64_t key, int64_t count, int64_t column,
                      int64_t width)
{
    double scores[LTAP_RUN], v[LTAP_RUN], largest = r->largest;
    int64_t v_from = r->batch * a->v_at.batch +
                     r->head / (a->q_heads / a->kv_heads) * a->v_at.head + key * a->v_at.row;
    compute_scores(a, r, key, count, scores);
    for (int64_t j = 0; j < count; j++)
        largest = scores[j] > largest || isnan(scores[j]) ? scores[j] : largest;
    if (largest == -INFINITY)
        return;
    double shrink = exp(r->largest - largest);
    r->largest = largest;
    r->total *= shrink;
    for (int64_t i = 0; i < width; i++)
        r->sums[i] *= shrink;
    for (int64_t j = 0; j < count; j++) {
        double weight = exp(scores[j] - largest);
        r->total += weight;
        a->number->load(a->v->data, v_from + j * a->v_at.row + column, 1, width, v);
        for (int64_t i = 0; i < width; i++)
            r->sums[i] += weight * v[i];
    }
}

static void compute_rows(void *context, int64_t first, int64_t last)
{
    const attention *a = context;
    for (int64_t task = first; task < last; task++) {
        query_row r = {.row = task % a->q_rows,
                       .head = task / a->q_rows % a->q_heads,
                       .batch = task / a->q_rows / a->q_heads};
        int64_t to = r.batch * a->y_at.batch + r.head * a->y_at.head + r.row * a->y_at.row;
        for (int64_t column = 0; column < a->v_size; column += LTAP_RUN) {
            int64_t width = a->v_size - column < LTAP_RUN ? a->v_size - column : LTAP_RUN;
            r.largest = -INFINITY;
            r.total = 0;
            for (int64_t i = 0; i < width; i++)
                r.sums[i] = 0;
            for (int64_t key = 0; key < a->kv_rows; key += LTAP_RUN)
                take_keys(a, &r, key, a->kv_rows - key < LTAP_RUN ? a->kv_rows - key : LTAP_RUN,
                          column, width);
            /* A query that sees no key gets zeros. */
            for (int64_t i = 0; i < width; i++)
                r.sums[i] = r.total == 0 ? 0 : r.sums[i] / r.total;
            a->number->store(r.sums, width, a->y->data, to + column, 1);
        }
    }
}

static ltap_status attention_reference(const ltap_call *call, ltap_error *error)
{
    attention a;
    int64_t heads, rows, size;
    LTAP_TRY(read_call(call, &a, error));
    a.y = &call->outputs[0];
    a.number = ltap_number_find(a.q->dtype);
    if (ltap_tensor_count(a.y) == 0 || !a.y->data ||
        !read_heads(a.y, a.q_heads, &heads, &rows, &size, &a.y_at))
        return LTAP_OK;
    ltap_parallel_for(call->threads, a.batch * a.q_heads * a.q_rows, 1, compute_rows, &a);
    return LTAP_OK;
}

static uint64_t attention_cost(const ltap_call *call)
{
    attention a;
    if (read_call(call, &a, NULL) != LTAP_OK)
        return 0;
    return (uint64_t)(a.batch * a.q_heads * a.q_rows) * (uint64_t)(a.kv_rows * (a.size + a.v_size));
}

const ltap_op ltap_op_attention = {
    .name = "Attention",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 7,
    .min_outputs = 1,
    .max_outputs = 4,
    .shape = attention_shape,
    .reference = attention_reference,
    .cost = attention_cost,
};
