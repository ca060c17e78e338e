/* Upsample, and Resize before 13: to Resize with inputs X, roi, scales, sizes.
 *
 * Upsample and Resize 10 map a pixel x of the output to x / scale ("asymmetric"), and take the
 * pixel below for nearest. Since 11 that is said by attributes.
 */
#include "base/error.h"
#include "formats/onnx/opset.h"
#include <string.h>

/* X, scales -> X, (no roi), scales; the old coordinates. */
static ltap_status asymmetric(ltap_onnx_draft *draft, uint32_t scales, ltap_error *error)
{
    ltap_draft_rename(draft, "Resize");
    LTAP_TRY(ltap_draft_set_input(draft, 1, LTAP_NO_VALUE, error));
    LTAP_TRY(ltap_draft_set_input(draft, 2, scales, error));
    const char *mode = ltap_node_string(&draft->node, "mode", "nearest");
    if (strcmp(mode, "bilinear") == 0)
        LTAP_TRY(ltap_draft_set_string(draft, "mode", "linear", error));
    LTAP_TRY(ltap_draft_set_string(draft, "coordinate_transformation_mode", "asymmetric", error));
    return ltap_draft_set_string(draft, "nearest_mode", "floor", error);
}

static ltap_status upsample_attribute(ltap_onnx_draft *draft, ltap_error *error)
{
    const ltap_attr *attr = ltap_draft_attr(draft, "scales");
    uint32_t value;
    if (!attr || attr->kind != LTAP_ATTR_FLOATS)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, draft->node.span.offset,
                             "node '%s': Upsample has no scales", draft->node.name);
    int64_t dims[1] = {(int64_t)attr->count};
    ltap_tensor scales = ltap_tensor_make(LTAP_FLOAT32, 1, dims, (void *)(uintptr_t)attr->u.floats);
    LTAP_TRY(ltap_graph_constant(draft->scope->graph, "scales", &scales, &value, error));
    ltap_draft_drop(draft, "scales");
    return asymmetric(draft, value, error);
}

static ltap_status scales_input(ltap_onnx_draft *draft, ltap_error *error)
{
    return asymmetric(draft, ltap_draft_input(draft, 1), error);
}

static bool is_empty(const ltap_onnx_draft *draft, size_t index)
{
    const ltap_tensor *constant = ltap_draft_constant(draft, index);
    return constant && ltap_tensor_count(constant) == 0;
}

/* An empty tensor stood for an omitted input, and some writers still do it. */
static ltap_status empty_inputs(ltap_onnx_draft *draft, ltap_error *error)
{
    for (size_t i = 1; i < draft->node.n_inputs; i++)
        if (is_empty(draft, i))
            LTAP_TRY(ltap_draft_set_input(draft, i, LTAP_NO_VALUE, error));
    return LTAP_OK;
}

const ltap_onnx_rule ltap_onnx_resize_rules[] = {
    {"Upsample", 7, 9, upsample_attribute},
    {"Upsample", 9, 0, scales_input},
    {"Resize", 10, 11, scales_input},
    {"Resize", 11, 0, empty_inputs},
    {NULL, 0, 0, NULL},
};
