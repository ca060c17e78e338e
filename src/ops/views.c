/* Operators that hand on the bytes of their first input, with the same or another shape.
 *
 * A plan may let the output share the input's memory; the reference kernel copies.
 */
#include "ops/rules.h"
#include <string.h>

static ltap_status copy(const ltap_call *call, ltap_error *error)
{
    (void)error;
    if (ltap_call_wants(call, 0) && ltap_tensor_bytes(&call->inputs[0]) > 0)
        memcpy(call->outputs[0].data, call->inputs[0].data,
               (size_t)ltap_tensor_bytes(&call->inputs[0]));
    return LTAP_OK;
}

static ltap_status check_sized(const ltap_call *call, ltap_error *error)
{
    if (ltap_dtype_bits(call->inputs[0].dtype) == 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "input 0 is %s, which this operator does not take",
                              ltap_dtype_name(call->inputs[0].dtype));
    return LTAP_OK;
}

static ltap_status identity_shape(const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(check_sized(call, error));
    ltap_call_output_like(call);
    return LTAP_OK;
}

const ltap_op ltap_op_identity = {
    .name = "Identity",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = LTAP_OP_VIEW | LTAP_OP_POINTWISE | LTAP_OP_UNARY,
    .shape = identity_shape,
    .reference = copy,
};
