/* Masks: which steps of a sequence count. */
#include "formats/keras/rows.h"

#include "base/error.h"

/* A step counts where any of its numbers is not the mask's; all others become 0. */
void ltap_keras_run_masking(ltap_keras_call *c)
{
    ltap_keras_builder *b = c->b;
    ltap_keras_tensor x = c->inputs[0];
    if (x.rank < 3) {
        ltap_keras_wrong(b, LTAP_ERROR_FORMAT, "its input has %d axes; expected 3", x.rank);
        return;
    }
    const int64_t last = x.rank - 1;
    ltap_keras_tensor same =
        ltap_keras_binary_scalar(b, "Equal", x, ltap_keras_number(c, "mask_value", 0));
    ltap_keras_tensor any = ltap_keras_unary(b, "Not", same);
    any.dtype = LTAP_BOOL;
    any = ltap_keras_cast(b, any, LTAP_FLOAT32);
    any = ltap_keras_reduce(b, "ReduceMax", any, &last, 1, true);
    uint32_t mask = ltap_keras_cast(b, ltap_keras_squeeze(b, any, (int)last), LTAP_BOOL).value;
    c->outputs[0] = ltap_keras_binary(b, "Mul", x, any);
    c->outputs[0].mask = mask;
}

ltap_keras_tensor ltap_keras_mask_numbers(ltap_keras_call *c, const ltap_keras_tensor *x)
{
    ltap_keras_tensor mask = {
        .value = x->mask, .mask = LTAP_NO_VALUE, .rank = 2, .dtype = LTAP_BOOL};
    mask.dims[0] = x->dims[0];
    mask.dims[1] = x->dims[1];
    return ltap_keras_cast(c->b, mask, LTAP_FLOAT32);
}
