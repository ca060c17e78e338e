/* Reading indices that data gives, for the operators that gather and scatter. */
#include "ops/indices.h"
#include "ops/rules.h"
#include <string.h>

ltap_status ltap_index_read(const ltap_tensor *indices, uint64_t i, int64_t length, int64_t *index,
                            ltap_error *error)
{
    int64_t found = indices->dtype == LTAP_INT64 ? ((const int64_t *)indices->data)[i]
                                                 : ((const int32_t *)indices->data)[i];
    if (found < -length || found >= length)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "index %lld is outside an axis of length %lld", (long long)found,
                              (long long)length);
    *index = found < 0 ? found + length : found;
    return LTAP_OK;
}

ltap_status ltap_index_check_elements(const ltap_call *call, int *axis, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    LTAP_TRY(ltap_call_check_rank(call, 1, in->rank, error));
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), in->rank, axis, error));
    for (int i = 0; i < in->rank; i++)
        if (i != *axis && at->dims[i] > in->dims[i])
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "indices of shape %s into a tensor of shape %s along axis %d",
                                  ltap_shape_text(at).text, ltap_shape_text(in).text, *axis);
    return LTAP_OK;
}

void ltap_index_walk_init(ltap_index_walk *walk, const ltap_tensor *indices,
                          const ltap_tensor *target, int axis)
{
    memset(walk, 0, sizeof(*walk));
    walk->indices = indices;
    walk->target = target;
    walk->axis = axis;
    ltap_dims_strides(target, target, walk->strides);
    /* A length of 1 has stride 0 there; its index is 0, so nothing is lost. */
}

ltap_status ltap_index_walk_next(ltap_index_walk *walk, int64_t *offset, ltap_error *error)
{
    int64_t index = 0;
    LTAP_TRY(ltap_index_read(walk->indices, walk->next++, walk->target->dims[walk->axis], &index,
                             error));
    *offset = index * walk->strides[walk->axis];
    for (int i = 0; i < walk->target->rank; i++)
        if (i != walk->axis)
            *offset += walk->at[i] * walk->strides[i];
    for (int i = walk->target->rank - 1; i >= 0; i--) {
        if (++walk->at[i] < walk->indices->dims[i])
            break;
        walk->at[i] = 0;
    }
    return LTAP_OK;
}

ltap_status ltap_index_check_tuples(const ltap_call *call, int64_t batch, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *at = &call->inputs[1];
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    if (at->rank < 1 || batch < 0 || batch >= at->rank || batch > in->rank ||
        at->dims[at->rank - 1] > in->rank - batch)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "indices of shape %s into a tensor of shape %s with a batch of %lld "
                              "axes",
                              ltap_shape_text(at).text, ltap_shape_text(in).text, (long long)batch);
    return LTAP_OK;
}

ltap_status ltap_index_read_tuple(const ltap_tensor *indices, int64_t i, const int64_t *dims,
                                  int rank, int64_t *offset, ltap_error *error)
{
    int64_t tuple = indices->dims[indices->rank - 1], sum = 0;
    for (int k = 0; k < rank; k++) {
        int64_t index = 0;
        if (k < tuple)
            LTAP_TRY(ltap_index_read(indices, (uint64_t)(i * tuple + k), dims[k], &index, error));
        sum = sum * dims[k] + index;
    }
    *offset = sum;
    return LTAP_OK;
}
