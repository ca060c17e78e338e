/* Conv by oneDNN: direct algorithms only, channels last for two spatial axes.
 *
 * oneDNN's `auto` may choose Winograd, and another one at another batch size; direct does not.
 * Still oneDNN may sum in another order for another number of threads: this row is not for exact
 * mode.
 */
#include "backends/dnnl/convolution.h"
#include "backends/dnnl/memory.h"
#include "backends/dnnl/row.h"
#include "backends/dnnl/rows.h"

bool ltap_dnnl_conv_read(const ltap_query *query, ltap_window *window, ltap_why *why)
{
    if (!ltap_dnnl_fits(query, why))
        return false;
    if (!query->inputs[1].data)
        return ltap_refuse(why, "its weights are computed");
    if (ltap_window_read(query->node, &query->inputs[0], &query->inputs[1], window, NULL) !=
        LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    return true;
}

/* A tensor [images, channels, spatial...] with these sizes. */
static ltap_tensor resized(const ltap_tensor *t, int64_t images, const int64_t *sizes)
{
    ltap_tensor result = *t;
    result.dims[0] = images;
    for (int i = 2; i < t->rank; i++)
        result.dims[i] = sizes[LTAP_WINDOW_AXES - t->rank + i];
    return result;
}

/* The weights with their groups as an axis of its own. */
static bool describe_weights(const ltap_tensor *w, int64_t groups, dnnl_memory_desc_t *desc)
{
    if (groups == 1)
        return ltap_dnnl_tensor(w, false, desc);
    static const dnnl_format_tag_t tags[] = {dnnl_abcd, dnnl_abcde, dnnl_abcdef};
    dnnl_dims_t dims = {groups, w->dims[0] / groups};
    for (int i = 1; i < w->rank; i++)
        dims[i + 1] = w->dims[i];
    return dnnl_memory_desc_init_by_tag(desc, w->rank + 1, dims, dnnl_f32, tags[w->rank - 3]) ==
           dnnl_success;
}

static bool describe_operation(const ltap_window *w, ltap_dnnl_job *job)
{
    dnnl_dims_t strides, dilations, begin, end;
    int lead = LTAP_WINDOW_AXES - w->rank;
    for (int i = 0; i < w->rank; i++) {
        strides[i] = w->stride[lead + i];
        dilations[i] = w->dilation[lead + i] - 1;
        begin[i] = w->begin[lead + i];
        end[i] = w->end[lead + i];
    }
    dnnl_memory_desc_t weights = ltap_dnnl_any(&job->args[1].desc);
    const dnnl_memory_desc_t *bias = job->n_args > 3 ? &job->args[3].desc : NULL;
    return dnnl_dilated_convolution_forward_desc_init(
               &job->operation.convolution, dnnl_forward_inference, dnnl_convolution_direct,
               &job->args[0].desc, &weights, bias, &job->args[2].desc, strides, dilations, begin,
               end) == dnnl_success;
}

bool ltap_dnnl_conv_describe(const ltap_query *query, const ltap_window *window, int64_t images,
                             ltap_dnnl_job *job, ltap_why *why)
{
    dnnl_memory_desc_t x, w, y, b;
    ltap_tensor src = resized(&query->inputs[0], images, window->in);
    ltap_tensor dst = resized(&query->outputs[0], images, window->out);
    int64_t groups = ltap_node_int(query->node, "group", 1);
    bool has_bias = query->n_inputs > 2 && query->inputs[2].dtype != LTAP_UNDEFINED;
    bool last = src.rank == 4;
    if (!ltap_dnnl_tensor(&src, last, &x) || !describe_weights(&query->inputs[1], groups, &w) ||
        !ltap_dnnl_tensor(&dst, last, &y) ||
        (has_bias && !ltap_dnnl_tensor(&query->inputs[2], false, &b)))
        return ltap_refuse(why, "oneDNN cannot describe its tensors");
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, &x);
    ltap_dnnl_add(job, DNNL_ARG_WEIGHTS, LTAP_DNNL_PACKED, 1, &w);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, &y);
    if (has_bias)
        ltap_dnnl_add(job, DNNL_ARG_BIAS, LTAP_DNNL_INPUT, 2, &b);
    return describe_operation(window, job) ||
           ltap_refuse(why, "oneDNN does not have its attributes");
}

static bool conv_describe(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why)
{
    ltap_window window;
    if (query->exact)
        return ltap_refuse(why, "its sums may depend on the number of threads");
    return ltap_dnnl_conv_read(query, &window, why) &&
           ltap_dnnl_conv_describe(query, &window, query->inputs[0].dims[0], job, why);
}

LTAP_DNNL_ROW(conv, "Conv", "dnnl:conv", ltap_dnnl_layouts)
