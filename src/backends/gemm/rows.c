/* What the rows of register tiles have in common; see rows.h. */
#include "backends/gemm/rows.h"

bool ltap_gemm_conv_fits(const ltap_query *query, ltap_window *window, ltap_why *why)
{
    for (size_t i = 0; i < query->n_inputs; i++)
        if (query->inputs[i].dtype != LTAP_FLOAT32 && query->inputs[i].dtype != LTAP_UNDEFINED)
            return ltap_refuse(why, "not float32");
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (!ltap_layout_applies(query->inputs[0].rank))
        return ltap_refuse(why, "not one to three spatial axes");
    if (ltap_tensor_count(&query->outputs[0]) == 0 || ltap_tensor_count(&query->inputs[0]) == 0)
        return ltap_refuse(why, "empty");
    if (ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], window, NULL) !=
        LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    return true;
}

bool ltap_gemm_is_flat(const ltap_window *w)
{
    return w->kernel[0] == 1 && w->stride[0] == 1 && w->begin[0] == 0 && w->end[0] == 0;
}

bool ltap_gemm_has_bias(const ltap_query *query)
{
    return query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
}

void ltap_gemm_layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    (void)query;
    in[0] = out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}
