/* Products with a weight: Dense, EinsumDense; and Embedding. */
#include "formats/keras/rows.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static ltap_keras_tensor add_bias(ltap_keras_call *c, ltap_keras_tensor y)
{
    int64_t size = y.rank > 0 ? y.dims[y.rank - 1] : -1;
    if (!ltap_keras_has(c, NULL, "bias"))
        return y;
    ltap_keras_tensor bias = ltap_keras_vector(c, "bias", size);
    uint32_t mask = y.mask;
    y = ltap_keras_binary(c->b, "Add", y, bias);
    y.mask = mask;
    return y;
}

static ltap_keras_tensor make_dense(ltap_keras_call *c)
{
    ltap_keras_tensor x = c->inputs[0], kernel = ltap_keras_weight(c, NULL, "kernel", 2);
    if (!ltap_keras_is_good(c->b))
        return x;
    if (x.rank >= 0 &&
        (x.rank < 1 || (x.dims[x.rank - 1] >= 0 && x.dims[x.rank - 1] != kernel.dims[0])))
        ltap_keras_wrong(
            c->b, LTAP_ERROR_FORMAT, "its kernel wants an input of %lld features, which has %lld",
            (long long)kernel.dims[0], (long long)(x.rank < 1 ? 0 : x.dims[x.rank - 1]));
    if (x.rank != 2 || !ltap_keras_has(c, NULL, "bias")) {
        ltap_keras_tensor y = ltap_keras_matmul(c->b, x, kernel);
        if (x.rank < 0)
            y.rank = -1;
        return add_bias(c, y);
    }
    ltap_keras_tensor bias = ltap_keras_vector(c, "bias", kernel.dims[1]), y = x;
    y.value = ltap_keras_add(
        c->b, (ltap_keras_node){.op = "Gemm",
                                .inputs = (uint32_t[]){x.value, kernel.value, bias.value},
                                .n_inputs = 3});
    y.dims[1] = kernel.dims[1];
    return y;
}

void ltap_keras_run_dense(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_dense);
}

/* Letters for the axes that "..." stands for, which the equation does not use. */
static bool spell_out(const char *equation, int n_dots, char *out, size_t room)
{
    char letters[LTAP_KERAS_MAX_RANK + 1] = "";
    int n = 0;
    for (char letter = 'A'; letter <= 'Z' && n < n_dots; letter++)
        if (strchr(equation, letter) == NULL)
            letters[n++] = letter;
    letters[n] = '\0';
    size_t k = 0;
    for (const char *p = equation; *p != '\0'; p++) {
        if (*p == ' ')
            continue;
        if (strncmp(p, "...", 3) == 0) {
            k += (size_t)snprintf(out + k, room - k, "%s", letters);
            p += 2;
        } else if (k + 1 < room) {
            out[k++] = *p;
        }
        if (k + LTAP_KERAS_MAX_RANK >= room)
            return false;
    }
    out[k] = '\0';
    return n == n_dots && strstr(out, "->") != NULL && strchr(out, ',') != NULL;
}

/* The bias has the axes of the output that are named; the others are 1. */
static ltap_keras_tensor einsum_bias(ltap_keras_call *c, const char *equation, ltap_keras_tensor y)
{
    const char *axes = ltap_keras_text(c, "bias_axes", "");
    const char *out = strstr(equation, "->") + 2;
    ltap_keras_tensor bias = ltap_keras_weight(c, NULL, "bias", -1);
    int64_t dims[LTAP_KERAS_MAX_RANK];
    int first = -1, at = 0, rank = (int)strlen(out);
    if (!ltap_keras_is_good(c->b) || rank > LTAP_KERAS_MAX_RANK)
        return y;
    for (int i = 0; i < rank; i++) {
        bool named = strchr(axes, out[i]) != NULL;
        first = named && first < 0 ? i : first;
        dims[i] = named && at < bias.rank && bias.dims[at] > 0 ? bias.dims[at] : 1;
        at += named;
    }
    if (first < 0)
        first = rank;
    /* Keras keeps size-1 axes behind the first one in the variable. */
    if (bias.rank == rank - first)
        return ltap_keras_binary(c->b, "Add", y, bias);
    return ltap_keras_binary(c->b, "Add", y,
                             ltap_keras_reshape(c->b, bias, rank - first, dims + first));
}

static ltap_keras_tensor make_einsum(ltap_keras_call *c)
{
    char equation[128];
    const char *given = ltap_keras_text(c, "equation", "");
    ltap_keras_tensor parts[2] = {c->inputs[0], ltap_keras_weight(c, NULL, "kernel", -1)};
    const char *comma = strchr(given, ',');
    int named = 0;
    bool dots = strstr(given, "...") != NULL;
    for (const char *p = given; comma != NULL && p < comma; p++)
        named += *p != '.' && *p != ' ';
    if (!ltap_keras_is_good(c->b))
        return parts[0];
    if (comma == NULL || strlen(given) > 64 || named > parts[0].rank ||
        (!dots && named != parts[0].rank) ||
        !spell_out(given, dots ? parts[0].rank - named : 0, equation, sizeof equation)) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its equation '%.60s' does not fit its input",
                         given);
        return parts[0];
    }
    ltap_keras_tensor y = ltap_keras_einsum(c->b, equation, parts, 2);
    return ltap_keras_has(c, NULL, "bias") ? einsum_bias(c, equation, y) : y;
}

void ltap_keras_run_einsum_dense(ltap_keras_call *c)
{
    ltap_keras_finish(c, make_einsum);
}

void ltap_keras_run_embedding(ltap_keras_call *c)
{
    ltap_keras_tensor table = ltap_keras_weight(c, NULL, "embeddings", 2);
    ltap_keras_tensor ids = ltap_keras_cast(c->b, c->inputs[0], LTAP_INT64), y = ids;
    if (!ltap_keras_is_good(c->b) || ids.rank >= LTAP_KERAS_MAX_RANK) {
        ltap_keras_wrong(c->b, LTAP_ERROR_UNSUPPORTED, "its input has %d axes", ids.rank);
        return;
    }
    y.mask = LTAP_NO_VALUE;
    if (ltap_keras_bool(c, "mask_zero", false)) { /* before its value, which is the last */
        const int64_t zero = 0;
        const uint32_t no = ltap_keras_ints(c->b, &zero, 1);
        y.mask = ltap_keras_add(
            c->b,
            (ltap_keras_node){.op = "Equal", .inputs = (uint32_t[]){ids.value, no}, .n_inputs = 2});
        y.mask =
            ltap_keras_add(c->b, (ltap_keras_node){.op = "Not", .inputs = &y.mask, .n_inputs = 1});
    }
    y.value = ltap_keras_add(c->b, (ltap_keras_node){.op = "Gather",
                                                     .inputs = (uint32_t[]){table.value, ids.value},
                                                     .n_inputs = 2});
    y.dims[y.rank++] = table.dims[1];
    y.dtype = LTAP_FLOAT32;
    c->outputs[0] = y;
}

ltap_keras_tensor ltap_keras_project(ltap_keras_call *c, const char *holder, ltap_keras_tensor x,
                                     int n_in)
{
    ltap_keras_tensor kernel = ltap_keras_weight(c, holder, "kernel", -1);
    int64_t in = 1, out = 1, dims[LTAP_KERAS_MAX_RANK];
    if (!ltap_keras_is_good(c->b))
        return x;
    if (kernel.rank <= n_in || x.rank < 2) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "the kernel of its %s has %d axes", holder,
                         kernel.rank);
        return x;
    }
    for (int i = 0; i < kernel.rank; i++)
        if (kernel.dims[i] < 1 ||
            __builtin_mul_overflow(i < n_in ? in : out, kernel.dims[i], i < n_in ? &in : &out))
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "the kernel of its %s is empty or too large",
                             holder);
    if (x.dims[x.rank - 1] >= 0 && x.dims[x.rank - 1] != in)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its %s wants %lld features; its input has %lld",
                         holder, (long long)in, (long long)x.dims[x.rank - 1]);
    ltap_keras_tensor flat =
        kernel.rank == 2 ? kernel : ltap_keras_reshape(c->b, kernel, 2, (const int64_t[]){in, out});
    ltap_keras_tensor y = ltap_keras_matmul(c->b, x, flat);
    if (ltap_keras_has(c, holder, "bias")) {
        dims[0] = out;
        ltap_keras_tensor bias = ltap_keras_weight(c, holder, "bias", -1);
        y = ltap_keras_binary(c->b, "Add", y,
                              bias.rank == 1 ? bias : ltap_keras_reshape(c->b, bias, 1, dims));
    }
    return y;
}
