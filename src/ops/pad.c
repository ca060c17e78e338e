/* Pad: constant, reflect, edge and wrap; negative pads cut off.
 *
 * Each axis gets a table that says, for every index of the output, which index of the input stands
 * there, or that none does. The four modes differ in how that table is filled, and in nothing else.
 */
#include "base/parallel.h"
#include "ops/elements.h"
#include "ops/rules.h"
#include "ops/strided.h"
#include <string.h>

enum { OUTSIDE = -1 };

typedef int64_t (*pad_mode)(int64_t index, int64_t length);

static int64_t constant_index(int64_t index, int64_t length)
{
    return index < 0 || index >= length ? OUTSIDE : index;
}

static int64_t edge_index(int64_t index, int64_t length)
{
    return index < 0 ? 0 : index >= length ? length - 1 : index;
}

static int64_t wrap_index(int64_t index, int64_t length)
{
    index %= length;
    return index < 0 ? index + length : index;
}

/* There and back without repeating the ends, as often as needed. */
static int64_t reflect_index(int64_t index, int64_t length)
{
    if (length == 1)
        return 0;
    index = wrap_index(index, 2 * (length - 1));
    return index < length ? index : 2 * (length - 1) - index;
}

static const struct mode_row {
    const char *name;
    pad_mode index;
} modes[] = {
    {"constant", constant_index},
    {"reflect", reflect_index},
    {"edge", edge_index},
    {"wrap", wrap_index},
};

static pad_mode find_mode(const ltap_call *call)
{
    const char *name = ltap_node_string(call->node, "mode", "constant");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(modes[i].name, name) == 0)
            return modes[i].index;
    return NULL;
}

/* Pads of each axis, zero where not named. */
static ltap_status read_pads(const ltap_call *call, int64_t *before, int64_t *after,
                             ltap_error *error)
{
    int rank = call->inputs[0].rank;
    int64_t pads[2 * LTAP_MAX_RANK], axes[LTAP_MAX_RANK];
    bool used[LTAP_MAX_RANK];
    size_t n_pads = 0, n_axes = (size_t)rank;
    LTAP_TRY(ltap_call_ints(call, 1, "pads", pads, 2 * LTAP_MAX_RANK, &n_pads, error));
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    if (ltap_call_has(call, 3))
        LTAP_TRY(ltap_call_ints(call, 3, "axes", axes, LTAP_MAX_RANK, &n_axes, error));
    LTAP_TRY(ltap_axes_check(axes, n_axes, rank, used, error));
    if (n_pads != 2 * n_axes)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "it has %zu pads for %zu axes", n_pads,
                              n_axes);
    memset(before, 0, (size_t)rank * sizeof(*before));
    memset(after, 0, (size_t)rank * sizeof(*after));
    for (size_t i = 0; i < n_axes; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        before[axis] = pads[i];
        after[axis] = pads[n_axes + i];
    }
    return LTAP_OK;
}

static ltap_status check_value(const ltap_call *call, ltap_error *error)
{
    if (!ltap_call_has(call, 2))
        return LTAP_OK;
    LTAP_TRY(ltap_call_check_same(call, 0, 2, error));
    if (ltap_tensor_count(&call->inputs[2]) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its constant has shape %s, one number is needed",
                              ltap_shape_text(&call->inputs[2]).text);
    return LTAP_OK;
}

static ltap_status pad_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t before[LTAP_MAX_RANK], after[LTAP_MAX_RANK], dims[LTAP_MAX_RANK];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(check_value(call, error));
    LTAP_TRY(read_pads(call, before, after, error));
    if (!find_mode(call))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "mode is '%s', known are constant, reflect, edge and wrap",
                              ltap_node_string(call->node, "mode", ""));
    for (int i = 0; i < in->rank; i++) {
        bool fits = !__builtin_add_overflow(in->dims[i], before[i], &dims[i]) &&
                    !__builtin_add_overflow(dims[i], after[i], &dims[i]);
        if (!fits || dims[i] < 0)
            return ltap_error_set(
                error, LTAP_ERROR_FORMAT, "axis %d of length %lld is padded by %lld and %lld", i,
                (long long)in->dims[i], (long long)before[i], (long long)after[i]);
        if (in->dims[i] == 0 && dims[i] > 0 && find_mode(call) != constant_index)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "axis %d is empty: there is nothing to pad with", i);
    }
    ltap_call_output(call, 0, in->dtype, in->rank, dims);
    return LTAP_OK;
}

typedef struct job {
    const ltap_tensor *in, *out;
    int64_t *tables[LTAP_MAX_RANK]; /* index in the input for each in the output */
    int64_t strides[LTAP_MAX_RANK]; /* of the input, in elements */
    unsigned bytes;
    char value[16];
} job;

/* Runs of neighbours in the table become one copy. */
static void pad_row(const job *j, const char *src, char *dst)
{
    int axis = j->out->rank - 1;
    const int64_t *table = j->tables[axis];
    int64_t length = j->out->dims[axis];
    for (int64_t i = 0; i < length;) {
        int64_t n = 1;
        if (table[i] == OUTSIDE) {
            memcpy(dst + i * j->bytes, j->value, j->bytes);
            i++;
            continue;
        }
        while (i + n < length && table[i + n] == table[i] + n)
            n++;
        memcpy(dst + i * j->bytes, src + table[i] * j->bytes, (size_t)n * j->bytes);
        i += n;
    }
}

static void pad_rows(void *context, int64_t first, int64_t last)
{
    const job *j = context;
    int inner = j->out->rank - 1;
    int64_t length = j->out->dims[inner];
    for (int64_t row = first; row < last; row++) {
        int64_t rest = row, src = 0;
        bool outside = false;
        for (int axis = inner - 1; axis >= 0; rest /= j->out->dims[axis], axis--) {
            int64_t index = j->tables[axis][rest % j->out->dims[axis]];
            outside = outside || index == OUTSIDE;
            src += index * j->strides[axis];
        }
        char *dst = (char *)j->out->data + row * length * j->bytes;
        if (outside)
            ltap_strided_fill(dst, j->value, length, j->bytes);
        else
            pad_row(j, (const char *)j->in->data + src * j->bytes, dst);
    }
}

static void fill_tables(const job *j, const int64_t *before, pad_mode mode)
{
    for (int axis = 0; axis < j->out->rank; axis++)
        for (int64_t i = 0; i < j->out->dims[axis]; i++)
            j->tables[axis][i] = mode(i - before[axis], j->in->dims[axis]);
}

static ltap_status pad_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t before[LTAP_MAX_RANK], after[LTAP_MAX_RANK], total = 0, rows = 1;
    void *block;
    LTAP_TRY(read_pads(call, before, after, error));
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(out) == 0)
        return LTAP_OK;
    job j = {.in = in, .out = out, .bytes = ltap_dtype_bits(in->dtype) / 8};
    if (ltap_call_has(call, 2))
        memcpy(j.value, call->inputs[2].data, j.bytes);
    if (in->rank == 0) {
        memcpy(out->data, in->data, j.bytes);
        return LTAP_OK;
    }
    for (int i = 0; i < out->rank; i++)
        total += out->dims[i];
    LTAP_TRY(ltap_memory_take(call->memory, (uint64_t)total * sizeof(int64_t), "tables for Pad",
                              &block, error));
    j.tables[0] = block;
    for (int i = 1; i < out->rank; i++) {
        j.tables[i] = j.tables[i - 1] + out->dims[i - 1];
        rows *= out->dims[i - 1];
    }
    ltap_dims_strides(in, in, j.strides);
    fill_tables(&j, before, find_mode(call));
    ltap_parallel_for(call->threads, rows, 1 + 16384 / out->dims[out->rank - 1], pad_rows, &j);
    ltap_memory_release(call->memory, block);
    return LTAP_OK;
}

static uint64_t pad_temporary(const ltap_call *call)
{
    const ltap_tensor *out = &call->outputs[0];
    uint64_t total = 0;
    for (int i = 0; i < out->rank && ltap_tensor_count(out) > 0; i++)
        total += (uint64_t)out->dims[i];
    return total * sizeof(int64_t);
}

const ltap_op ltap_op_pad = {
    .name = "Pad",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = pad_shape,
    .reference = pad_reference,
    .temporary = pad_temporary,
};
