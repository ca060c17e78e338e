/* Which rules there are, and applying them.
 *
 * Gone through, from opset 6 to 28, was every operator of ONNX's own domain whose attributes,
 * inputs, outputs, defaults or meaning changed:
 *
 *   attributes that became inputs    Clip 11, Pad 11, Slice 10, TopK 10, Upsample 9, Dropout 12,
 *                                    Squeeze 13, Unsqueeze 13, Split 13, ReduceSum 13, the other
 *                                    Reduce operators 18, DFT 20                    opset_inputs.c
 *   Resize                           10 (asymmetric, two inputs), 11-12 (empty inputs for omitted
 *                                    ones), Upsample                                opset_resize.c
 *   Softmax, LogSoftmax, Hardmax     13: per axis; before, flattened to a matrix   opset_softmax.c
 *   BatchNormalization               `spatial` until 8, training by outputs until 13  opset_norm.c
 *   GroupNormalization               21: scale and bias per channel; before, per group
 *   arithmetic, comparison, logic,   7: numpy's broadcasting; before, `broadcast` and `axis`
 *   PRelu, Gemm                                                                opset_broadcast.c
 *   Dropout, RoiAlign 16, GridSample 20, Scatter 11, Scan 9
 *
 * All other changes added types, optional inputs or attributes whose default is the old meaning.
 */
#include "formats/onnx/opset.h"
#include "base/error.h"
#include <string.h>

static const ltap_onnx_rule *const families[] = {ltap_onnx_input_rules, ltap_onnx_resize_rules,
                                                 ltap_onnx_softmax_rules, ltap_onnx_norm_rules,
                                                 ltap_onnx_broadcast_rules};

ltap_status ltap_onnx_opset_translate(ltap_onnx_draft *draft, ltap_error *error)
{
    const char *op = draft->node.op_type;
    int64_t opset = draft->scope->opset;
    if (opset == 0)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             "the model imports no opset for ONNX's own operators, but uses %s",
                             op);
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        for (const ltap_onnx_rule *rule = families[i]; rule->op; rule++)
            if (strcmp(rule->op, op) == 0 && opset >= rule->from &&
                (rule->before == 0 || opset < rule->before))
                return rule->apply(draft, error);
    return LTAP_OK;
}
