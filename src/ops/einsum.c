/* Einsum: sums of products over named axes, for any number of inputs.
 *
 * The equation becomes a list of labels, output ones first; each input has a stride for each label
 * (the sum of its strides where a label stands twice, 0 where it lacks it). An output element is
 * then one walk over the labels that are summed. Plain and slow on purpose: MatMul is the fast one.
 */
#include "ops/einsum.h"

#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <ctype.h>
#include <string.h>

enum { MAX_INPUTS = LTAP_EINSUM_INPUTS, ELLIPSIS = 1 }; /* labels below ' ' are the ellipsis's */

#define EINSUM_TYPES (LTAP_TYPES_FLOAT | LTAP_TYPES_INT)

/* The labels of one term, one character an axis. */
typedef struct term {
    char labels[LTAP_MAX_RANK + 1];
    int rank;
} term;

/* Reads one term up to ',', '-' or the end; axes: of its tensor, -1 where that is not known yet. */
static ltap_status read_term(const char **text, int axes, int ellipsis_rank, term *t,
                             ltap_error *error)
{
    const char *end = *text + strcspn(*text, ",-");
    int letters = 0;
    for (const char *p = *text; p < end; p++)
        letters += isalpha((unsigned char)*p) != 0;
    int covered = axes < 0 ? ellipsis_rank : axes - letters;
    bool ellipsis = false;
    t->rank = 0;
    while (*text < end) {
        bool dots = strncmp(*text, "...", 3) == 0;
        if (!dots && **text != ' ' && !isalpha((unsigned char)**text))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its equation has the character '%c'",
                                  **text);
        if ((dots && (ellipsis || covered < 0)) || t->rank + (dots ? covered : 1) > LTAP_MAX_RANK)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "a term of its equation does not fit its input");
        ellipsis = ellipsis || dots;
        for (int i = 0; dots && i < covered; i++)
            t->labels[t->rank++] = (char)(ELLIPSIS + ellipsis_rank - covered + i);
        if (!dots && **text != ' ')
            t->labels[t->rank++] = **text;
        *text += dots ? 3 : 1;
    }
    if (axes >= 0 && t->rank != axes)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "a term of its equation has %d axes, its input has %d", t->rank,
                              axes);
    return LTAP_OK;
}

static int find_label(const ltap_einsum *e, char label)
{
    const char *found = e->n_labels ? memchr(e->labels, label, (size_t)e->n_labels) : NULL;
    return found ? (int)(found - e->labels) : -1;
}

/* Adds a label, or the larger size to one that is there. */
static ltap_status add_label(ltap_einsum *e, char label, int64_t size, ltap_error *error)
{
    int at = find_label(e, label);
    if (at < 0) {
        e->labels[e->n_labels] = label;
        e->sizes[e->n_labels++] = size;
        return LTAP_OK;
    }
    if (e->sizes[at] != size && e->sizes[at] != 1 && size != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "an axis of its equation has sizes %lld and %lld",
                              (long long)e->sizes[at], (long long)size);
    if (e->sizes[at] == 1)
        e->sizes[at] = size;
    return LTAP_OK;
}

/* Without "->": the labels that stand once, in alphabetical order, after the ellipsis. */
static void imply_output(const ltap_einsum *e, const term *terms, term *output)
{
    output->rank = 0;
    for (int i = 0; i < e->ellipsis_rank; i++)
        output->labels[output->rank++] = (char)(ELLIPSIS + i);
    for (int label = 'A'; label <= 'z'; label++) {
        int count = 0;
        for (size_t i = 0; i < e->n_inputs; i++) {
            for (int axis = 0; axis < terms[i].rank; axis++)
                count += terms[i].labels[axis] == label;
        }
        if (count == 1 && output->rank < LTAP_MAX_RANK)
            output->labels[output->rank++] = (char)label;
    }
}

/* How many axes the longest ellipsis stands for. */
static int measure_ellipsis(const char *text, const ltap_call *call)
{
    int longest = 0;
    for (size_t i = 0; i < call->n_inputs; i++) {
        int letters = 0, dots = 0;
        for (; *text && *text != ',' && *text != '-'; text++) {
            letters += isalpha((unsigned char)*text) != 0;
            dots += *text == '.';
        }
        int covered = dots ? call->inputs[i].rank - letters : 0;
        longest = covered > longest ? covered : longest;
        text += *text == ',';
    }
    return longest;
}

static ltap_status read_terms(const ltap_call *call, ltap_einsum *e, term *terms, term *output,
                              ltap_error *error)
{
    const char *text = ltap_node_string(call->node, "equation", "");
    e->ellipsis_rank = measure_ellipsis(text, call);
    for (size_t i = 0; i < e->n_inputs; i++) {
        LTAP_TRY(read_term(&text, e->inputs[i].rank, e->ellipsis_rank, &terms[i], error));
        if ((*text == ',') != (i + 1 < e->n_inputs))
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "its equation has not one term for each of %zu inputs",
                                  e->n_inputs);
        text += *text == ',';
    }
    if (!*text) {
        imply_output(e, terms, output);
        return LTAP_OK;
    }
    if (strncmp(text, "->", 2) != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its equation has a '-' without '>'");
    text += 2;
    LTAP_TRY(read_term(&text, -1, e->ellipsis_rank, output, error));
    return *text ? ltap_error_set(error, LTAP_ERROR_FORMAT, "its equation has two outputs")
                 : LTAP_OK;
}

/* Sizes of all labels, output labels first. */
static ltap_status order_labels(ltap_einsum *e, const term *terms, const term *output,
                                ltap_error *error)
{
    ltap_einsum all = *e;
    for (size_t i = 0; i < e->n_inputs; i++) {
        for (int axis = 0; axis < terms[i].rank; axis++)
            LTAP_TRY(add_label(&all, terms[i].labels[axis], e->inputs[i].dims[axis], error));
    }
    for (int i = 0; i < output->rank; i++) {
        int at = find_label(&all, output->labels[i]);
        if (at < 0 || find_label(e, output->labels[i]) >= 0)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "an output axis of its equation stands twice or in no input");
        LTAP_TRY(add_label(e, output->labels[i], all.sizes[at], error));
    }
    e->n_output = e->n_labels;
    for (int i = 0; i < all.n_labels; i++)
        LTAP_TRY(add_label(e, all.labels[i], all.sizes[i], error));
    return LTAP_OK;
}

ltap_status ltap_einsum_read(const ltap_call *call, ltap_einsum *e, ltap_error *error)
{
    term terms[MAX_INPUTS], output;
    *e = (ltap_einsum){.inputs = call->inputs, .n_inputs = call->n_inputs, .n_summed = 1};
    if (call->n_inputs > MAX_INPUTS)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "it has %zu inputs; at most %d fit",
                              call->n_inputs, MAX_INPUTS);
    LTAP_TRY(read_terms(call, e, terms, &output, error));
    LTAP_TRY(order_labels(e, terms, &output, error));
    for (size_t i = 0; i < e->n_inputs; i++) {
        int64_t strides[LTAP_MAX_RANK];
        ltap_dims_strides(&e->inputs[i], &e->inputs[i], strides);
        for (int axis = 0; axis < terms[i].rank; axis++)
            e->strides[i][find_label(e, terms[i].labels[axis])] += strides[axis];
    }
    return LTAP_OK;
}

static ltap_status einsum_shape(const ltap_call *call, ltap_error *error)
{
    ltap_einsum e;
    for (size_t i = 0; i < call->n_inputs; i++) {
        LTAP_TRY(ltap_call_check_type(call, i, EINSUM_TYPES, error));
        LTAP_TRY(ltap_call_check_same(call, 0, i, error));
    }
    LTAP_TRY(ltap_einsum_read(call, &e, error));
    ltap_call_output(call, 0, call->inputs[0].dtype, e.n_output, e.sizes);
    return LTAP_OK;
}

/* Where each input's element of this output and summed index lies. */
static void find_offsets(const ltap_einsum *e, int64_t output, int64_t summed, int64_t *offsets)
{
    memset(offsets, 0, e->n_inputs * sizeof *offsets);
    for (int label = e->n_labels - 1; label >= 0; label--) {
        int64_t *left = label < e->n_output ? &output : &summed;
        int64_t at = *left % e->sizes[label];
        *left /= e->sizes[label];
        for (size_t i = 0; i < e->n_inputs; i++)
            offsets[i] += at * e->strides[i][label];
    }
}

/* The sum of the products of a run along the last label, which is a summed one. */
static double sum_run(const ltap_einsum *e, const ltap_number *number, const int64_t *offsets,
                      int64_t count)
{
    double products[LTAP_RUN], factors[LTAP_RUN], sum = 0;
    int last = e->n_labels - 1;
    for (size_t i = 0; i < e->n_inputs; i++) {
        number->load(e->inputs[i].data, offsets[i], last < 0 ? 0 : e->strides[i][last], count,
                     i ? factors : products);
        for (int64_t j = 0; j < count && i; j++)
            products[j] *= factors[j];
    }
    for (int64_t j = 0; j < count; j++)
        sum += products[j];
    return sum;
}

static void sum_floats(void *context, int64_t first, int64_t last)
{
    const ltap_einsum *e = context;
    const ltap_number *number = ltap_number_find(e->y->dtype);
    int64_t offsets[MAX_INPUTS];
    for (int64_t output = first; output < last; output++) {
        double sum = 0;
        for (int64_t summed = 0; summed < e->n_summed;) {
            int64_t count = e->n_inner - summed % e->n_inner;
            count = count < LTAP_RUN ? count : LTAP_RUN;
            find_offsets(e, output, summed, offsets);
            sum += sum_run(e, number, offsets, count);
            summed += count;
        }
        number->store(&sum, 1, e->y->data, output, 1);
    }
}

static void sum_integers(void *context, int64_t first, int64_t last)
{
    const ltap_einsum *e = context;
    int64_t offsets[MAX_INPUTS];
    for (int64_t output = first; output < last; output++) {
        uint64_t sum = 0;
        for (int64_t summed = 0; summed < e->n_summed; summed++) {
            uint64_t product = 1;
            int64_t factor;
            find_offsets(e, output, summed, offsets);
            for (size_t i = 0; i < e->n_inputs; i++) {
                ltap_load_ints(e->y->dtype, e->inputs[i].data, offsets[i], 1, &factor);
                product *= (uint64_t)factor;
            }
            sum += product;
        }
        ltap_store_ints(e->y->dtype, e->y->data, output, 1, &(int64_t){(int64_t)sum});
    }
}

static ltap_status einsum_reference(const ltap_call *call, ltap_error *error)
{
    ltap_einsum e;
    LTAP_TRY(ltap_einsum_read(call, &e, error));
    e.y = &call->outputs[0];
    for (int label = e.n_output; label < e.n_labels; label++)
        e.n_summed *= e.sizes[label];
    e.n_inner = e.n_labels > e.n_output ? e.sizes[e.n_labels - 1] : 1;
    bool is_float = LTAP_TYPE(e.y->dtype) & LTAP_TYPES_FLOAT;
    int64_t count = (int64_t)ltap_tensor_count(e.y);
    if (count > 0 && e.y->data)
        ltap_parallel_for(call->threads, count, 64, is_float ? sum_floats : sum_integers, &e);
    return LTAP_OK;
}

static uint64_t einsum_cost(const ltap_call *call)
{
    ltap_einsum e;
    uint64_t cost = 1;
    if (ltap_einsum_read(call, &e, NULL) != LTAP_OK)
        return 0;
    for (int label = 0; label < e.n_labels; label++)
        cost *= (uint64_t)e.sizes[label];
    return cost;
}

const ltap_op ltap_op_einsum = {
    .name = "Einsum",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = einsum_shape,
    .reference = einsum_reference,
    .cost = einsum_cost,
};
