/* What shape rules share: type sets, axes, constant inputs. No operator lives here. */
#include "ops/rules.h"
#include <string.h>

ltap_status ltap_call_check_type(const ltap_call *call, size_t input, unsigned types,
                                 ltap_error *error)
{
    ltap_dtype dtype = call->inputs[input].dtype;
    if ((unsigned)dtype < 32 && (types & LTAP_TYPE(dtype)))
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "input %zu is %s, which this operator does not take", input,
                          ltap_dtype_name(dtype));
}

ltap_status ltap_call_check_same(const ltap_call *call, size_t a, size_t b, ltap_error *error)
{
    if (call->inputs[a].dtype == call->inputs[b].dtype)
        return LTAP_OK;
    return ltap_error_set(
        error, LTAP_ERROR_FORMAT, "inputs %zu and %zu are %s and %s, one type is needed", a, b,
        ltap_dtype_name(call->inputs[a].dtype), ltap_dtype_name(call->inputs[b].dtype));
}

ltap_status ltap_call_check_rank(const ltap_call *call, size_t input, int rank, ltap_error *error)
{
    if (call->inputs[input].rank == rank)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu has %d dimensions, %d are needed",
                          input, call->inputs[input].rank, rank);
}

ltap_status ltap_axis_check(int64_t axis, int rank, int *checked, ltap_error *error)
{
    if (axis < -(int64_t)rank || axis >= rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "axis %lld is outside a tensor of rank %d",
                              (long long)axis, rank);
    *checked = (int)(axis < 0 ? axis + rank : axis);
    return LTAP_OK;
}

ltap_status ltap_axes_check(const int64_t *axes, size_t count, int rank, bool *used,
                            ltap_error *error)
{
    memset(used, 0, (size_t)rank * sizeof(*used));
    for (size_t i = 0; i < count; i++) {
        int axis = 0;
        LTAP_TRY(ltap_axis_check(axes[i], rank, &axis, error));
        if (used[axis])
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "axis %d is named twice", axis);
        used[axis] = true;
    }
    return LTAP_OK;
}

ltap_status ltap_call_ints(const ltap_call *call, size_t input, const char *what, int64_t *ints,
                           size_t max, size_t *count, ltap_error *error)
{
    const ltap_tensor *t = &call->inputs[input];
    LTAP_TRY(ltap_call_check_type(call, input, LTAP_TYPES_INT, error));
    uint64_t n = ltap_tensor_count(t);
    if (!t->data && n > 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its %s depends on data", what);
    if (n > max)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its %s has %llu numbers, at most %zu fit",
                              what, (unsigned long long)n, max);
    for (uint64_t i = 0; i < n; i++)
        ints[i] = ltap_tensor_int(t, i);
    *count = (size_t)n;
    return LTAP_OK;
}

ltap_status ltap_call_int(const ltap_call *call, size_t input, const char *what, int64_t *number,
                          ltap_error *error)
{
    size_t count = 0;
    LTAP_TRY(ltap_call_ints(call, input, what, number, 1, &count, error));
    if (count != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its %s is empty, one number is needed",
                              what);
    return LTAP_OK;
}

void ltap_call_output(const ltap_call *call, size_t index, ltap_dtype dtype, int rank,
                      const int64_t *dims)
{
    if (index >= call->n_outputs)
        return;
    ltap_tensor *out = &call->outputs[index];
    out->dtype = dtype;
    out->rank = rank;
    for (int i = 0; i < rank && i < LTAP_MAX_RANK; i++)
        out->dims[i] = dims[i];
}

void ltap_call_output_like(const ltap_call *call)
{
    const ltap_tensor *in = &call->inputs[0];
    ltap_call_output(call, 0, in->dtype, in->rank, in->dims);
}
