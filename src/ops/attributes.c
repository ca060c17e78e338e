/* Attributes have one kind each, whatever the operator: reading one of another kind would quietly
 * take the default instead.
 */
#include "ops/attributes.h"

#include <string.h>

typedef struct expectation {
    const char *name;
    ltap_attr_kind kind;
} expectation;

/* In alphabetical order. What is not here is read by nobody, or its reader checks. */
static const expectation table[] = {
    {"activation_alpha", LTAP_ATTR_FLOATS},
    {"activation_beta", LTAP_ATTR_FLOATS},
    {"activations", LTAP_ATTR_STRINGS},
    {"align_corners", LTAP_ATTR_INT},
    {"allowzero", LTAP_ATTR_INT},
    {"alpha", LTAP_ATTR_FLOAT},
    {"antialias", LTAP_ATTR_INT},
    {"approximate", LTAP_ATTR_STRING},
    {"auto_pad", LTAP_ATTR_STRING},
    {"axes", LTAP_ATTR_INTS},
    {"axis", LTAP_ATTR_INT},
    {"batch_axis", LTAP_ATTR_INT},
    {"batch_dims", LTAP_ATTR_INT},
    {"beta", LTAP_ATTR_FLOAT},
    {"bias", LTAP_ATTR_FLOAT},
    {"block_size", LTAP_ATTR_INT},
    {"blocksize", LTAP_ATTR_INT},
    {"ceil_mode", LTAP_ATTR_INT},
    {"clip", LTAP_ATTR_FLOAT},
    {"coordinate_transformation_mode", LTAP_ATTR_STRING},
    {"count_include_pad", LTAP_ATTR_INT},
    {"cubic_coeff_a", LTAP_ATTR_FLOAT},
    {"detect_negative", LTAP_ATTR_INT},
    {"detect_positive", LTAP_ATTR_INT},
    {"dilations", LTAP_ATTR_INTS},
    {"direction", LTAP_ATTR_STRING},
    {"dtype", LTAP_ATTR_INT},
    {"epsilon", LTAP_ATTR_FLOAT},
    {"equation", LTAP_ATTR_STRING},
    {"exclude_outside", LTAP_ATTR_INT},
    {"exclusive", LTAP_ATTR_INT},
    {"extrapolation_value", LTAP_ATTR_FLOAT},
    {"fmod", LTAP_ATTR_INT},
    {"gamma", LTAP_ATTR_FLOAT},
    {"group", LTAP_ATTR_INT},
    {"hidden_size", LTAP_ATTR_INT},
    {"input_forget", LTAP_ATTR_INT},
    {"inverse", LTAP_ATTR_INT},
    {"is_causal", LTAP_ATTR_INT},
    {"k", LTAP_ATTR_INT},
    {"keep_aspect_ratio_policy", LTAP_ATTR_STRING},
    {"keepdims", LTAP_ATTR_INT},
    {"kernel_shape", LTAP_ATTR_INTS},
    {"kv_num_heads", LTAP_ATTR_INT},
    {"lambd", LTAP_ATTR_FLOAT},
    {"largest", LTAP_ATTR_INT},
    {"layout", LTAP_ATTR_INT},
    {"linear_before_reset", LTAP_ATTR_INT},
    {"mode", LTAP_ATTR_STRING},
    {"nearest_mode", LTAP_ATTR_STRING},
    {"noop_with_empty_axes", LTAP_ATTR_INT},
    {"num_groups", LTAP_ATTR_INT},
    {"num_outputs", LTAP_ATTR_INT},
    {"num_scan_inputs", LTAP_ATTR_INT},
    {"onesided", LTAP_ATTR_INT},
    {"output_datatype", LTAP_ATTR_INT},
    {"output_dtype", LTAP_ATTR_INT},
    {"output_height", LTAP_ATTR_INT},
    {"output_padding", LTAP_ATTR_INTS},
    {"output_shape", LTAP_ATTR_INTS},
    {"output_width", LTAP_ATTR_INT},
    {"p", LTAP_ATTR_INT},
    {"padding_mode", LTAP_ATTR_STRING},
    {"pads", LTAP_ATTR_INTS},
    {"periodic", LTAP_ATTR_INT},
    {"perm", LTAP_ATTR_INTS},
    {"q_num_heads", LTAP_ATTR_INT},
    {"reduction", LTAP_ATTR_STRING},
    {"reverse", LTAP_ATTR_INT},
    {"sampling_ratio", LTAP_ATTR_INT},
    {"saturate", LTAP_ATTR_INT},
    {"scale", LTAP_ATTR_FLOAT},
    {"scan_input_axes", LTAP_ATTR_INTS},
    {"scan_input_directions", LTAP_ATTR_INTS},
    {"scan_output_axes", LTAP_ATTR_INTS},
    {"scan_output_directions", LTAP_ATTR_INTS},
    {"select_last_index", LTAP_ATTR_INT},
    {"size", LTAP_ATTR_INT},
    {"softcap", LTAP_ATTR_FLOAT},
    {"sorted", LTAP_ATTR_INT},
    {"spatial_scale", LTAP_ATTR_FLOAT},
    {"start", LTAP_ATTR_INT},
    {"stash_type", LTAP_ATTR_INT},
    {"storage_order", LTAP_ATTR_INT},
    {"strides", LTAP_ATTR_INTS},
    {"time_axis", LTAP_ATTR_INT},
    {"to", LTAP_ATTR_INT},
    {"transA", LTAP_ATTR_INT},
    {"transB", LTAP_ATTR_INT},
    {"upper", LTAP_ATTR_INT},
};

static const char *const kind_names[] = {
    [LTAP_ATTR_FLOAT] = "a float",
    [LTAP_ATTR_INT] = "an integer",
    [LTAP_ATTR_STRING] = "a text",
    [LTAP_ATTR_TENSOR] = "a tensor",
    [LTAP_ATTR_GRAPH] = "a graph",
    [LTAP_ATTR_FLOATS] = "a list of floats",
    [LTAP_ATTR_INTS] = "a list of integers",
    [LTAP_ATTR_STRINGS] = "a list of texts",
    [LTAP_ATTR_TENSORS] = "a list of tensors",
    [LTAP_ATTR_GRAPHS] = "a list of graphs",
    [LTAP_ATTR_TYPE] = "a type",
    [LTAP_ATTR_OTHER] = "of a kind of its own",
};

static const expectation *find(const char *name)
{
    size_t low = 0, high = sizeof(table) / sizeof(table[0]);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, table[middle].name);
        if (order == 0)
            return &table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

ltap_status ltap_attributes_check(const ltap_node *node, ltap_error *error)
{
    for (size_t i = 0; i < node->n_attrs; i++) {
        const ltap_attr *attr = &node->attrs[i];
        const expectation *expected = find(attr->name);
        if (expected && expected->kind != attr->kind)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its attribute '%s' is %s; expected %s",
                                  attr->name, kind_names[attr->kind], kind_names[expected->kind]);
    }
    return LTAP_OK;
}
