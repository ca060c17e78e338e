/* Attention: of several heads, of heads that share keys, and without weights. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

/* Query, value, and key, which is the value where it is not given. */
typedef struct triple {
    ltap_keras_tensor query, value, key;
} triple;

static bool is_tensor(const ltap_keras_argument *a)
{
    return a->json == NULL && a->tensor.rank != LTAP_KERAS_NO_ARGUMENT;
}

/* Of call(query, value, key=None); false: there is something that is not done. */
static bool read_triple(ltap_keras_call *c, triple *t, const char **why)
{
    ltap_keras_argument query = ltap_keras_argument_get(c, 0, "query");
    ltap_keras_argument value = ltap_keras_argument_get(c, 1, "value");
    ltap_keras_argument key = ltap_keras_argument_get(c, 2, "key");
    if (!is_tensor(&query) || !is_tensor(&value)) {
        *why = "without a query and a value";
        return false;
    }
    *t = (triple){query.tensor, value.tensor, is_tensor(&key) ? key.tensor : value.tensor};
    return true;
}

static bool is_masked(const triple *t)
{
    return t->query.mask != LTAP_NO_VALUE || t->value.mask != LTAP_NO_VALUE ||
           t->key.mask != LTAP_NO_VALUE;
}

static bool asks(ltap_keras_call *c, const char *key)
{
    const ltap_json *json = ltap_json_find(c->kwargs, key);
    return json != NULL && json->kind == LTAP_JSON_BOOL && json->boolean;
}

static ltap_keras_tensor join_heads(ltap_keras_call *c, ltap_keras_tensor x)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    const int64_t dims[3] = {0, 0, x.dims[1] * x.dims[3]};
    return ltap_keras_reshape(c->b, ltap_keras_transpose(c->b, x, perm), 3, dims);
}

/* 0 where a query may see a key, very little elsewhere; mask: bool [batch,(heads,)query,key]. */
static ltap_keras_tensor apply_mask(ltap_keras_call *c, ltap_keras_tensor scores,
                                    ltap_keras_tensor mask)
{
    if (mask.rank == 3)
        mask = ltap_keras_unsqueeze(c->b, mask, 1);
    mask = ltap_keras_cast(c->b, ltap_keras_cast(c->b, mask, LTAP_BOOL), LTAP_FLOAT32);
    mask = ltap_keras_binary(c->b, "Sub", ltap_keras_scalar(c->b, 1), mask);
    mask = ltap_keras_binary_scalar(c->b, "Mul", mask, -3e38);
    return ltap_keras_binary(c->b, "Add", scores, mask);
}

/* A query sees no later key. Keras compares places from the beginning. */
static ltap_keras_tensor apply_causal(ltap_keras_call *c, ltap_keras_tensor scores)
{
    const ltap_attr attr = LTAP_ATTR_I("upper", 0);
    ltap_keras_tensor ones = ltap_keras_binary_scalar(c->b, "Mul", scores, 0);
    ones = ltap_keras_binary_scalar(c->b, "Add", ones, 1);
    ones = ltap_keras_unary_attr(c->b, "Trilu", ones, attr);
    return apply_mask(c, scores, ones);
}

/* query [b,h,t,d], key [b,h,s,d], value [b,h,s,e]; scores may be handed out too. */
static ltap_keras_tensor attend(ltap_keras_call *c, const triple *t, double scale,
                                const ltap_keras_tensor *mask, ltap_keras_tensor *weights)
{
    static const int64_t swap[4] = {0, 1, 3, 2};
    ltap_keras_tensor query = ltap_keras_binary_scalar(c->b, "Mul", t->query, scale);
    ltap_keras_tensor scores =
        ltap_keras_matmul(c->b, query, ltap_keras_transpose(c->b, t->key, swap));
    if (mask != NULL)
        scores = apply_mask(c, scores, *mask);
    if (asks(c, "use_causal_mask"))
        scores = apply_causal(c, scores);
    *weights = ltap_keras_softmax(c->b, scores, 3);
    return ltap_keras_matmul(c->b, *weights, t->value);
}

/* A projection into heads, in a layer of its own: kernel [features,heads,size]. */
static ltap_keras_tensor project(ltap_keras_call *c, const char *holder, const char *name,
                                 ltap_keras_tensor x, int64_t heads, int64_t size)
{
    ltap_keras_enter(c->b, "EinsumDense", name);
    ltap_keras_tensor y = ltap_keras_project(c, holder, x, 1);
    if (ltap_keras_is_good(c->b) && y.dims[2] != heads * size)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its kernel makes %lld features, not %lld",
                         (long long)y.dims[2], (long long)(heads * size));
    if (ltap_keras_is_good(c->b)) {
        const int64_t dims[4] = {0, 0, heads, size};
        y = ltap_keras_reshape(c->b, y, 4, dims);
    }
    ltap_keras_leave(c->b);
    return y;
}

static ltap_keras_tensor heads_second(ltap_keras_call *c, ltap_keras_tensor x)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    return ltap_keras_is_good(c->b) ? ltap_keras_transpose(c->b, x, perm) : x;
}

/* The other arguments of a call that change what is computed. */
static const char *why_not(ltap_keras_call *c, const triple *t)
{
    if (is_masked(t))
        return "with a mask";
    if (ltap_keras_bool(c, "use_gate", false))
        return "with a gate";
    if (ltap_keras_int(c, "sliding_window", 0) > 0)
        return "with a sliding window";
    if (t->query.rank != 3 || t->value.rank != 3 || t->key.rank != 3)
        return "over several axes";
    if (ltap_json_find(c->kwargs, "query_mask") != NULL)
        for (const char *const *key =
                 (const char *const[]){"query_mask", "value_mask", "key_mask", NULL};
             *key != NULL; key++) {
            const ltap_json *json = ltap_json_find(c->kwargs, *key);
            if (json != NULL && json->kind != LTAP_JSON_NULL)
                return "with a mask";
        }
    return NULL;
}

static void finish_heads(ltap_keras_call *c, ltap_keras_tensor y, ltap_keras_tensor weights)
{
    y = join_heads(c, y);
    ltap_keras_enter(c->b, "EinsumDense", "attention_output");
    c->outputs[0] = ltap_keras_project(c, "output_dense", y, 2);
    ltap_keras_leave(c->b);
    c->n_outputs = 1;
    if (asks(c, "return_attention_scores"))
        c->outputs[c->n_outputs++] = weights;
}

void ltap_keras_run_multi_head(ltap_keras_call *c)
{
    const int64_t heads = ltap_keras_int(c, "num_heads", 1), size = ltap_keras_int(c, "key_dim", 1);
    const int64_t value_size = ltap_keras_int(c, "value_dim", size);
    triple t;
    ltap_keras_tensor weights;
    const char *why = NULL;
    if (!read_triple(c, &t, &why) || (why = why_not(c, &t)) != NULL) {
        ltap_keras_cannot(c, why);
        return;
    }
    ltap_keras_argument mask = ltap_keras_argument_get(c, SIZE_MAX, "attention_mask");
    if (heads < 1 || size < 1 || value_size < 1 || heads > INT32_MAX || size > INT32_MAX ||
        value_size > INT32_MAX)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its numbers of heads or features are wrong");
    t.query = heads_second(c, project(c, "query_dense", "query", t.query, heads, size));
    t.key = heads_second(c, project(c, "key_dense", "key", t.key, heads, size));
    t.value = heads_second(c, project(c, "value_dense", "value", t.value, heads, value_size));
    if (!ltap_keras_is_good(c->b))
        return;
    ltap_keras_tensor y =
        attend(c, &t, 1.0 / sqrt((double)size), is_tensor(&mask) ? &mask.tensor : NULL, &weights);
    finish_heads(c, y, weights);
}

/* Each key and value serves several queries in a row. */
static ltap_keras_tensor repeat_heads(ltap_keras_call *c, ltap_keras_tensor x, int64_t times)
{
    const int64_t tiles[5] = {1, 1, times, 1, 1}, dims[4] = {0, x.dims[1] * times, -1, x.dims[3]};
    if (times == 1)
        return x;
    ltap_keras_tensor y = ltap_keras_unsqueeze(c->b, x, 2);
    uint32_t inputs[2] = {y.value, ltap_keras_ints(c->b, tiles, 5)};
    y.value =
        ltap_keras_add(c->b, (ltap_keras_node){.op = "Tile", .inputs = inputs, .n_inputs = 2});
    y.dims[2] = times;
    y = ltap_keras_reshape(c->b, y, 4, dims);
    y.dims[2] = x.dims[2];
    return y;
}

void ltap_keras_run_grouped_query(ltap_keras_call *c)
{
    const int64_t size = ltap_keras_int(c, "head_dim", 1),
                  heads = ltap_keras_int(c, "num_query_heads", 1),
                  shared = ltap_keras_int(c, "num_key_value_heads", 1);
    triple t;
    ltap_keras_tensor weights;
    const char *why = NULL;
    if (!read_triple(c, &t, &why) || (why = why_not(c, &t)) != NULL) {
        ltap_keras_cannot(c, why);
        return;
    }
    ltap_keras_argument mask = ltap_keras_argument_get(c, SIZE_MAX, "attention_mask");
    if (shared < 1 || heads < 1 || heads % shared != 0 || size < 1 || heads > INT32_MAX ||
        size > INT32_MAX)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its numbers of heads or features are wrong");
    t.query = heads_second(c, project(c, "query_dense", "query", t.query, heads, size));
    t.key = heads_second(c, project(c, "key_dense", "key", t.key, shared, size));
    t.value = heads_second(c, project(c, "value_dense", "value", t.value, shared, size));
    if (!ltap_keras_is_good(c->b))
        return;
    t.key = repeat_heads(c, t.key, heads / shared);
    t.value = repeat_heads(c, t.value, heads / shared);
    ltap_keras_tensor y =
        attend(c, &t, 1.0 / sqrt((double)size), is_tensor(&mask) ? &mask.tensor : NULL, &weights);
    finish_heads(c, y, weights);
}

/* --- Layers that take a list [query, value, key]. ----------------------------------------------
 */

static bool read_list(ltap_keras_call *c, triple *t)
{
    if (c->n_inputs < 2 || c->n_inputs > 3)
        return false;
    *t = (triple){c->inputs[0], c->inputs[1], c->inputs[c->n_inputs - 1]};
    return t->query.rank == 3 && t->value.rank == 3 && t->key.rank == 3 && !is_masked(t);
}

/* tanh(query + key) for each pair: [batch,query,key,features]. */
static ltap_keras_tensor pairs(ltap_keras_call *c, const triple *t, bool scaled)
{
    ltap_keras_tensor query = ltap_keras_unsqueeze(c->b, t->query, 2);
    ltap_keras_tensor key = ltap_keras_unsqueeze(c->b, t->key, 1);
    ltap_keras_tensor sum = ltap_keras_binary(c->b, "Add", query, key);
    if (scaled)
        sum = ltap_keras_binary(c->b, "Mul", sum, ltap_keras_weight(c, NULL, "scale", -1));
    return ltap_keras_unary(c->b, "Tanh", sum);
}

static ltap_keras_tensor sum_features(ltap_keras_call *c, ltap_keras_tensor x)
{
    const int64_t last = 3;
    return ltap_keras_reduce(c->b, "ReduceSum", x, &last, 1, false);
}

static void finish_list(ltap_keras_call *c, const triple *t, ltap_keras_tensor scores)
{
    if (asks(c, "use_causal_mask"))
        scores =
            ltap_keras_squeeze(c->b, apply_causal(c, ltap_keras_unsqueeze(c->b, scores, 1)), 1);
    ltap_keras_tensor weights = ltap_keras_softmax(c->b, scores, 2);
    c->outputs[0] = ltap_keras_matmul(c->b, weights, t->value);
    c->n_outputs = 1;
    if (asks(c, "return_attention_scores"))
        c->outputs[c->n_outputs++] = weights;
}

static ltap_keras_tensor dot_scores(ltap_keras_call *c, const triple *t)
{
    static const int64_t swap[3] = {0, 2, 1};
    ltap_keras_tensor scores =
        ltap_keras_matmul(c->b, t->query, ltap_keras_transpose(c->b, t->key, swap));
    if (ltap_keras_has(c, NULL, "scale"))
        scores = ltap_keras_binary(c->b, "Mul", scores, ltap_keras_weight(c, NULL, "scale", -1));
    return scores;
}

void ltap_keras_run_attention(ltap_keras_call *c)
{
    triple t;
    const char *mode = ltap_keras_text(c, "score_mode", "dot");
    if (!read_list(c, &t)) {
        ltap_keras_cannot(c, "with a mask");
    } else if (ltap_keras_is(mode, "dot")) {
        finish_list(c, &t, dot_scores(c, &t));
    } else if (ltap_keras_is(mode, "concat")) {
        ltap_keras_tensor factor = ltap_keras_weight(c, NULL, "concat_score_weight", -1);
        ltap_keras_tensor scores = sum_features(c, pairs(c, &t, ltap_keras_has(c, NULL, "scale")));
        finish_list(c, &t, ltap_keras_binary(c->b, "Mul", scores, factor));
    } else {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its score_mode '%.40s' is not known", mode);
    }
}

void ltap_keras_run_additive_attention(ltap_keras_call *c)
{
    triple t;
    if (!read_list(c, &t)) {
        ltap_keras_cannot(c, "with a mask");
        return;
    }
    ltap_keras_tensor scores = pairs(c, &t, false);
    if (ltap_keras_has(c, NULL, "scale"))
        scores = ltap_keras_binary(c->b, "Mul", scores, ltap_keras_weight(c, NULL, "scale", -1));
    finish_list(c, &t, sum_features(c, scores));
}
