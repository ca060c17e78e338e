/* ScatterElements and ScatterND: writing elements by index, or combining them with what is there.
 *
 * Where an index comes twice, the later one is written last. Reading by index is in gather.c.
 */
#include "ops/elements.h"
#include "ops/indices.h"
#include "ops/rules.h"
#include <math.h>
#include <string.h>

/* How an update meets what is there: in double for floats, in int64 for the others. */
typedef struct reduction {
    const char *name;
    double (*real)(double old, double update);
    int64_t (*whole)(int64_t old, int64_t update, bool is_unsigned);
} reduction;

static double add_real(double old, double update)
{
    return old + update;
}
static double mul_real(double old, double update)
{
    return old * update;
}
static double max_real(double old, double update)
{
    return old > update || isnan(old) ? old : update;
}
static double min_real(double old, double update)
{
    return old < update || isnan(old) ? old : update;
}
static int64_t add_whole(int64_t old, int64_t update, bool is_unsigned)
{
    return (int64_t)((uint64_t)old + (uint64_t)update);
}
static int64_t mul_whole(int64_t old, int64_t update, bool is_unsigned)
{
    return (int64_t)((uint64_t)old * (uint64_t)update);
}
static int64_t max_whole(int64_t old, int64_t update, bool is_unsigned)
{
    bool more = is_unsigned ? (uint64_t)old > (uint64_t)update : old > update;
    return more ? old : update;
}
static int64_t min_whole(int64_t old, int64_t update, bool is_unsigned)
{
    return max_whole(old, update, is_unsigned) == old ? update : old;
}

static const reduction reductions[] = {
    {"none", NULL, NULL},         {"add", add_real, add_whole}, {"mul", mul_real, mul_whole},
    {"max", max_real, max_whole}, {"min", min_real, min_whole},
};

static const reduction *find_reduction(const ltap_call *call)
{
    const char *name = ltap_node_string(call->node, "reduction", "none");
    for (size_t i = 0; i < sizeof(reductions) / sizeof(reductions[0]); i++)
        if (strcmp(reductions[i].name, name) == 0)
            return &reductions[i];
    return NULL;
}

static void combine(const reduction *r, const ltap_tensor *out, int64_t offset,
                    const ltap_tensor *updates, int64_t i)
{
    if (LTAP_TYPES_FLOAT & LTAP_TYPE(out->dtype)) {
        double old, update;
        ltap_load_doubles(out->dtype, out->data, offset, 1, &old);
        ltap_load_doubles(out->dtype, updates->data, i, 1, &update);
        old = r->real(old, update);
        ltap_store_doubles(out->dtype, out->data, offset, 1, &old);
    } else {
        int64_t old, update;
        ltap_load_ints(out->dtype, out->data, offset, 1, &old);
        ltap_load_ints(out->dtype, updates->data, i, 1, &update);
        old = r->whole(old, update, out->dtype == LTAP_UINT64);
        ltap_store_ints(out->dtype, out->data, offset, 1, &old);
    }
}

/* n neighbouring elements of the updates to n of the output. */
static void put(const reduction *r, const ltap_tensor *out, int64_t offset,
                const ltap_tensor *updates, int64_t first, int64_t n)
{
    unsigned bytes = ltap_dtype_bits(out->dtype) / 8;
    if (!r->real) {
        memcpy((char *)out->data + offset * bytes, (const char *)updates->data + first * bytes,
               (size_t)n * bytes);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        combine(r, out, offset + i, updates, first + i);
}

static ltap_status check_reduction(const ltap_call *call, ltap_error *error)
{
    const reduction *r = find_reduction(call);
    if (!r)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "reduction is '%s', known are none, add, mul, max and min",
                              ltap_node_string(call->node, "reduction", ""));
    LTAP_TRY(ltap_call_check_type(
        call, 0, r->real ? LTAP_TYPES_NUMBER | LTAP_TYPES_BOOL : LTAP_TYPES_BYTES, error));
    return ltap_call_check_same(call, 0, 2, error);
}

static void start_from_input(const ltap_call *call)
{
    if (ltap_tensor_bytes(&call->inputs[0]) > 0)
        memcpy(call->outputs[0].data, call->inputs[0].data,
               (size_t)ltap_tensor_bytes(&call->inputs[0]));
}

static ltap_status scatter_elements_shape(const ltap_call *call, ltap_error *error)
{
    int axis = 0;
    LTAP_TRY(check_reduction(call, error));
    LTAP_TRY(ltap_index_check_elements(call, &axis, error));
    if (!ltap_tensor_same_shape(&call->inputs[1], &call->inputs[2]))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "updates of shape %s for indices of %s",
                              ltap_shape_text(&call->inputs[2]).text,
                              ltap_shape_text(&call->inputs[1]).text);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status scatter_elements_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *updates = &call->inputs[2], *out = &call->outputs[0];
    const reduction *r = find_reduction(call);
    ltap_index_walk walk;
    int axis = 0;
    LTAP_TRY(ltap_index_check_elements(call, &axis, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    start_from_input(call);
    ltap_index_walk_init(&walk, &call->inputs[1], out, axis);
    int64_t count = (int64_t)ltap_tensor_count(updates);
    for (int64_t i = 0; i < count; i++) {
        int64_t offset = 0;
        LTAP_TRY(ltap_index_walk_next(&walk, &offset, error));
        put(r, out, offset, updates, i, 1);
    }
    return LTAP_OK;
}

static ltap_status scatter_nd_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    LTAP_TRY(check_reduction(call, error));
    LTAP_TRY(ltap_index_check_tuples(call, 0, error));
    int64_t dims[2 * LTAP_MAX_RANK];
    int rank = 0, tuple = (int)at->dims[at->rank - 1];
    for (int i = 0; i + 1 < at->rank; i++)
        dims[rank++] = at->dims[i];
    for (int i = tuple; i < in->rank; i++)
        dims[rank++] = in->dims[i];
    bool fits = rank == call->inputs[2].rank;
    for (int i = 0; fits && i < rank; i++)
        fits = dims[i] == call->inputs[2].dims[i];
    if (!fits)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "updates of shape %s for indices of %s into a tensor of %s",
                              ltap_shape_text(&call->inputs[2]).text, ltap_shape_text(at).text,
                              ltap_shape_text(in).text);
    ltap_call_output_like(call);
    return LTAP_OK;
}

static ltap_status scatter_nd_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *at = &call->inputs[1], *out = &call->outputs[0];
    const reduction *r = find_reduction(call);
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    start_from_input(call);
    int64_t n_updates = (int64_t)ltap_tensor_count(&call->inputs[2]), part = 1;
    for (int i = (int)at->dims[at->rank - 1]; i < out->rank; i++)
        part *= out->dims[i];
    for (int64_t i = 0; i * part < n_updates; i++) {
        int64_t offset = 0;
        LTAP_TRY(ltap_index_read_tuple(at, i, out->dims, out->rank, &offset, error));
        put(r, out, offset, &call->inputs[2], i * part, part);
    }
    return LTAP_OK;
}

const ltap_op ltap_op_scatter_elements = {
    .name = "ScatterElements",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = scatter_elements_shape,
    .reference = scatter_elements_reference,
};

const ltap_op ltap_op_scatter_nd = {
    .name = "ScatterND",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = scatter_nd_shape,
    .reference = scatter_nd_reference,
};
