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

/* --- Masks: true where a query may see a key. ----------------------------------------------------
 */

static ltap_keras_tensor both(ltap_keras_call *c, ltap_keras_tensor x, ltap_keras_tensor y)
{
    if (x.value == LTAP_NO_VALUE)
        return y;
    x = ltap_keras_binary(c->b, "And", x, y);
    x.mask = LTAP_NO_VALUE;
    return x;
}

/* What is said in the call under a name (NULL: nothing), or what the tensor carries, as
 * bool[batch,...,1] along `axis`. */
static ltap_keras_tensor add_side(ltap_keras_call *c, ltap_keras_tensor mask, const char *name,
                                  const ltap_keras_tensor *of, int axis)
{
    ltap_keras_argument said = {.tensor.rank = LTAP_KERAS_NO_ARGUMENT};
    if (name != NULL)
        said = ltap_keras_argument_get(c, SIZE_MAX, name);
    ltap_keras_tensor side = {.value = LTAP_NO_VALUE,
                              .mask = LTAP_NO_VALUE,
                              .rank = 2,
                              .dims = {of->dims[0], of->dims[1]},
                              .dtype = LTAP_BOOL};
    if (is_tensor(&said) && said.tensor.rank == 2)
        side = said.tensor;
    else
        side.value = of->mask;
    if (side.value == LTAP_NO_VALUE)
        return mask;
    side.mask = LTAP_NO_VALUE;
    side = ltap_keras_cast(c->b, side, LTAP_BOOL);
    return both(c, mask, ltap_keras_unsqueeze(c->b, side, axis));
}

/* The places of a table [query,key] of ones that are kept on one side of a diagonal. */
static ltap_keras_tensor add_triangle(ltap_keras_call *c, ltap_keras_tensor mask,
                                      ltap_keras_tensor scores, bool upper, int64_t diagonal)
{
    const ltap_attr attr = LTAP_ATTR_I("upper", upper);
    ltap_keras_tensor shape = ltap_keras_unary(c->b, "Shape", scores);
    shape.rank = 1;
    shape.dims[0] = scores.rank;
    shape.mask = LTAP_NO_VALUE;
    shape = ltap_keras_slice(c->b, shape, 0, scores.rank - 2, INT64_MAX, 1);
    ltap_keras_tensor ones = ltap_keras_unary(c->b, "ConstantOfShape", shape); /* of zeros */
    ones.rank = 2;
    ones.dims[0] = scores.dims[scores.rank - 2];
    ones.dims[1] = scores.dims[scores.rank - 1];
    ones.dtype = LTAP_FLOAT32;
    ones = ltap_keras_binary_scalar(c->b, "Add", ones, 1);
    uint32_t inputs[2] = {ones.value, ltap_keras_int_scalar(c->b, diagonal)};
    ones.value = ltap_keras_add(
        c->b, (ltap_keras_node){
                  .op = "Trilu", .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1});
    return both(c, mask, ltap_keras_cast(c->b, ones, LTAP_BOOL));
}

/* All that the call says together; value LTAP_NO_VALUE: everything is seen. */
static ltap_keras_tensor mask_of(ltap_keras_call *c, const triple *t, ltap_keras_tensor scores)
{
    ltap_keras_argument given = ltap_keras_argument_get(c, SIZE_MAX, "attention_mask");
    ltap_keras_tensor mask = {.value = LTAP_NO_VALUE};
    const int64_t window = ltap_keras_int(c, "sliding_window", 0);
    /* Of a query, MultiHeadAttention looks at the tensor alone. */
    bool alone = ltap_keras_is(c->layer->class_name, "MultiHeadAttention");
    mask = add_side(c, mask, alone ? NULL : "query_mask", &t->query, 2);
    mask = add_side(c, mask, "value_mask", &t->value, 1);
    if (t->key.value != t->value.value)
        mask = add_side(c, mask, "key_mask", &t->key, 1);
    if (asks(c, "use_causal_mask"))
        mask = add_triangle(c, mask, scores, false, 0);
    if (window > 0 && window < INT32_MAX) {
        mask = add_triangle(c, mask, scores, false, window - 1);
        mask = add_triangle(c, mask, scores, true, 1 - window);
    }
    if (mask.value != LTAP_NO_VALUE && mask.rank == 3)
        mask = ltap_keras_unsqueeze(c->b, mask, 1);
    if (!is_tensor(&given))
        return mask;
    ltap_keras_tensor more = ltap_keras_cast(c->b, given.tensor, LTAP_BOOL);
    more.mask = LTAP_NO_VALUE;
    if (more.rank == 3)
        more = ltap_keras_unsqueeze(c->b, more, 1);
    return both(c, mask, more);
}

/* Softmax over what is seen. Where nothing is, Keras gives every key as much, or, with zeros,
 * none. */
static ltap_keras_tensor masked_softmax(ltap_keras_call *c, ltap_keras_tensor scores,
                                        ltap_keras_tensor mask, bool zeros)
{
    if (mask.value == LTAP_NO_VALUE)
        return ltap_keras_softmax(c->b, scores, scores.rank - 1);
    scores = ltap_keras_choose(c->b, mask, scores, ltap_keras_scalar(c->b, -1e9));
    scores = ltap_keras_softmax(c->b, scores, scores.rank - 1);
    return zeros ? ltap_keras_choose(c->b, mask, scores, ltap_keras_scalar(c->b, 0)) : scores;
}

/* query [b,h,t,d], key [b,h,s,d], value [b,h,s,e] of the tensors `of`; scores may be handed out
 * too. */
static ltap_keras_tensor attend(ltap_keras_call *c, const triple *t, const triple *of, double scale,
                                ltap_keras_tensor *weights)
{
    static const int64_t swap[4] = {0, 1, 3, 2};
    ltap_keras_tensor query = ltap_keras_binary_scalar(c->b, "Mul", t->query, scale);
    ltap_keras_tensor scores =
        ltap_keras_matmul(c->b, query, ltap_keras_transpose(c->b, t->key, swap));
    scores.mask = LTAP_NO_VALUE;
    /* Keras 3 has two ways to compute it, which differ where nothing is seen. */
    bool zeros = !c->r->weights.is_keras_2 &&
                 (asks(c, "return_attention_scores") || ltap_keras_number(c, "dropout", 0) > 0);
    *weights = masked_softmax(c, scores, mask_of(c, of, scores), zeros);
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
    if (ltap_keras_bool(c, "use_gate", false))
        return "with a gate";
    if (t->query.rank != 3 || t->value.rank != 3 || t->key.rank != 3)
        return "over several axes";
    return NULL;
}

static void finish_heads(ltap_keras_call *c, ltap_keras_tensor y, ltap_keras_tensor weights,
                         uint32_t mask)
{
    y = join_heads(c, y);
    ltap_keras_enter(c->b, "EinsumDense", "attention_output");
    c->outputs[0] = ltap_keras_project(c, "output_dense", y, 2);
    c->outputs[0].mask = mask;
    ltap_keras_leave(c->b);
    c->n_outputs = 1;
    if (asks(c, "return_attention_scores"))
        c->outputs[c->n_outputs++] = weights;
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

/* How many heads, and of how many features. */
typedef struct heads {
    int64_t count, shared; /* of queries; of keys and values */
    int64_t size, value_size;
} heads;

static bool is_count(int64_t number)
{
    return number >= 1 && number <= INT32_MAX;
}

static void run_heads(ltap_keras_call *c, heads h)
{
    triple of, t;
    ltap_keras_tensor weights;
    const char *why = NULL;
    if (!read_triple(c, &of, &why) || (why = why_not(c, &of)) != NULL) {
        ltap_keras_cannot(c, why);
        return;
    }
    if (!is_count(h.count) || !is_count(h.shared) || h.count % h.shared != 0 || !is_count(h.size) ||
        !is_count(h.value_size))
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its numbers of heads or features are wrong");
    t.query = heads_second(c, project(c, "query_dense", "query", of.query, h.count, h.size));
    t.key = heads_second(c, project(c, "key_dense", "key", of.key, h.shared, h.size));
    t.value = heads_second(c, project(c, "value_dense", "value", of.value, h.shared, h.value_size));
    if (!ltap_keras_is_good(c->b))
        return;
    t.key = repeat_heads(c, t.key, h.count / h.shared);
    t.value = repeat_heads(c, t.value, h.count / h.shared);
    ltap_keras_tensor y = attend(c, &t, &of, 1.0 / sqrt((double)h.size), &weights);
    finish_heads(c, y, weights, of.query.mask);
}

void ltap_keras_run_multi_head(ltap_keras_call *c)
{
    int64_t count = ltap_keras_int(c, "num_heads", 1), size = ltap_keras_int(c, "key_dim", 1);
    run_heads(c, (heads){count, count, size, ltap_keras_int(c, "value_dim", size)});
}

void ltap_keras_run_grouped_query(ltap_keras_call *c)
{
    int64_t size = ltap_keras_int(c, "head_dim", 1);
    run_heads(c, (heads){ltap_keras_int(c, "num_query_heads", 1),
                         ltap_keras_int(c, "num_key_value_heads", 1), size, size});
}

/* --- Layers that take a list [query, value, key]. ----------------------------------------------
 */

static bool read_list(ltap_keras_call *c, triple *t)
{
    if (c->n_inputs < 2 || c->n_inputs > 3)
        return false;
    *t = (triple){c->inputs[0], c->inputs[1], c->inputs[c->n_inputs - 1]};
    return t->query.rank == 3 && t->value.rank == 3 && t->key.rank == 3;
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

/* The masks of a list are those of its tensors, or are listed. */
static void finish_list(ltap_keras_call *c, const triple *t, ltap_keras_tensor scores)
{
    ltap_keras_tensor mask = {.value = LTAP_NO_VALUE};
    scores.mask = LTAP_NO_VALUE;
    mask = add_side(c, mask, "value_mask", &t->value, 1);
    if (asks(c, "use_causal_mask"))
        mask = add_triangle(c, mask, scores, false, 0);
    ltap_keras_tensor weights = masked_softmax(c, scores, mask, false);
    ltap_keras_tensor y = ltap_keras_matmul(c->b, weights, t->value);
    y.mask = LTAP_NO_VALUE;
    mask = add_side(c, (ltap_keras_tensor){.value = LTAP_NO_VALUE}, "query_mask", &t->query, 2);
    if (mask.value != LTAP_NO_VALUE)
        y = ltap_keras_binary(c->b, "Mul", y, ltap_keras_cast(c->b, mask, LTAP_FLOAT32));
    c->outputs[0] = y;
    c->outputs[0].mask = t->query.mask;
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
        ltap_keras_cannot(c, "of these inputs");
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
        ltap_keras_cannot(c, "of these inputs");
        return;
    }
    ltap_keras_tensor scores = pairs(c, &t, false);
    if (ltap_keras_has(c, NULL, "scale"))
        scores = ltap_keras_binary(c->b, "Mul", scores, ltap_keras_weight(c, NULL, "scale", -1));
    finish_list(c, &t, sum_features(c, scores));
}
