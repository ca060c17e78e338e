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

ltap_keras_tensor ltap_keras_mask_tensor(const ltap_keras_tensor *x)
{
    return (ltap_keras_tensor){.value = x->mask,
                               .mask = LTAP_NO_VALUE,
                               .rank = 2,
                               .dims = {x->dims[0], x->dims[1]},
                               .dtype = LTAP_BOOL};
}

ltap_keras_tensor ltap_keras_mask_numbers(ltap_keras_call *c, const ltap_keras_tensor *x)
{
    return ltap_keras_cast(c->b, ltap_keras_mask_tensor(x), LTAP_FLOAT32);
}

/* --- Steps that count, side by side. ------------------------------------------------------------
 */

static uint32_t add_two(ltap_keras_call *c, const char *op, uint32_t x, uint32_t y)
{
    return ltap_keras_add(c->b,
                          (ltap_keras_node){.op = op, .inputs = (uint32_t[]){x, y}, .n_inputs = 2});
}

/* Rows of x [batch,time,features] at places [batch,time]. */
static ltap_keras_tensor gather_steps(ltap_keras_call *c, ltap_keras_tensor x,
                                      ltap_keras_tensor places)
{
    const ltap_attr attr = LTAP_ATTR_I("batch_dims", 1);
    uint32_t inputs[2] = {x.value, ltap_keras_unsqueeze(c->b, places, 2).value};
    return ltap_keras_with(x, ltap_keras_add(c->b, (ltap_keras_node){.op = "GatherND",
                                                                     .inputs = inputs,
                                                                     .n_inputs = 2,
                                                                     .attrs = &attr,
                                                                     .n_attrs = 1}));
}

/* [time], of a tensor [batch,time]. */
static uint32_t number_of_steps(ltap_keras_call *c, ltap_keras_tensor x)
{
    ltap_keras_tensor shape = ltap_keras_unary(c->b, "Shape", x);
    shape.rank = 1;
    shape.dims[0] = 2;
    return ltap_keras_slice(c->b, shape, 0, 1, 2, 1).value;
}

/* What counts goes in front by its number: LARGE apart from what does not, and by time. */
ltap_keras_tensor ltap_keras_pack(ltap_keras_call *c, ltap_keras_tensor x,
                                  ltap_keras_packing *packing)
{
    const double LARGE = 4194304;
    const int64_t time = 1;
    uint32_t found[2];
    const uint32_t axis = ltap_keras_ints(c->b, &time, 1);
    ltap_keras_tensor mask = ltap_keras_mask_numbers(c, &x), count = mask, key;
    count.value = add_two(c, "CumSum", mask.value, axis);
    key = ltap_keras_binary_scalar(c->b, "Add", ltap_keras_binary_scalar(c->b, "Mul", mask, 0), 1);
    key.value = add_two(c, "CumSum", key.value, axis);
    key = ltap_keras_binary(c->b, "Sub", ltap_keras_binary_scalar(c->b, "Mul", mask, LARGE), key);
    ltap_keras_add_several(
        c->b,
        (ltap_keras_node){.op = "TopK",
                          .inputs = (uint32_t[]){key.value, number_of_steps(c, key)},
                          .n_inputs = 2},
        found, 2);
    packing->mask = mask;
    packing->count = count;
    ltap_keras_tensor sum = ltap_keras_reduce(c->b, "ReduceSum", mask, &time, 1, false);
    packing->lengths = ltap_keras_cast(c->b, sum, LTAP_INT32).value;
    x.mask = LTAP_NO_VALUE;
    return gather_steps(c, x, ltap_keras_with(key, found[1]));
}

ltap_keras_tensor ltap_keras_unpack(ltap_keras_call *c, ltap_keras_tensor steps,
                                    const ltap_keras_packing *packing, bool zeros)
{
    const ltap_keras_tensor none = ltap_keras_scalar(c->b, 0);
    ltap_keras_tensor place = ltap_keras_binary_scalar(c->b, "Sub", packing->count, 1);
    place = ltap_keras_binary(c->b, "Max", place, none);
    ltap_keras_tensor y = gather_steps(c, steps, ltap_keras_cast(c->b, place, LTAP_INT64));
    ltap_keras_tensor there = zeros ? packing->mask : packing->count;
    there = ltap_keras_unsqueeze(c->b, there, 2);
    there = ltap_keras_binary(c->b, "Greater", there, none);
    return ltap_keras_choose(c->b, there, y, none);
}
