/* AveragePool and GlobalAveragePool by oneDNN, channels last.
 *
 * Where an output window hangs over the padded end (ceil_mode), the end's padding is made as large
 * as it needs; an average that counts padding would count that too, so that is refused. Maxima are
 * not here: see simd/max_pool.c.
 */
#include "backends/dnnl/memory.h"
#include "backends/dnnl/row.h"
#include "backends/dnnl/rows.h"
#include "ops/window.h"

/* oneDNN adds a window up in float32, one after the other. Measured: 3e-5 off with 12544 numbers
 * whose mean is small; what that rounding grows by leaves 5e-6 at most for this many. */
#define MOST_EXACT 400

/* Padding at the end that the last window needs; windows that it does not fill are oneDNN's too. */
static int64_t needed_end(const ltap_window *w, int axis)
{
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    int64_t needed = (w->out[axis] - 1) * w->stride[axis] + extent - w->in[axis] - w->begin[axis];
    return needed > w->end[axis] ? needed : w->end[axis];
}

/* Whether each window of an axis meets the input. */
static bool meets_input(const ltap_window *w, int axis)
{
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    return w->begin[axis] < extent && needed_end(w, axis) < extent;
}

static bool describe_pool(const ltap_query *query, const ltap_window *w, dnnl_alg_kind_t algorithm,
                          ltap_dnnl_job *job, ltap_why *why)
{
    dnnl_memory_desc_t x, y;
    dnnl_dims_t strides, kernel, dilations, begin, end;
    int lead = LTAP_WINDOW_AXES - w->rank;
    if (!ltap_layout_applies(query->inputs[0].rank))
        return ltap_refuse(why, "not one to three spatial axes");
    if (query->exact && w->rank != 2)
        return ltap_refuse(why, "exact mode keeps it plain");
    if (query->exact && w->kernel[1] * w->kernel[2] > MOST_EXACT)
        return ltap_refuse(why, "its sums are too long for float32 in exact mode");
    for (int i = 0; i < w->rank; i++) {
        if (!meets_input(w, i + lead))
            return ltap_refuse(why, "a window lies in the padding");
        strides[i] = w->stride[i + lead];
        kernel[i] = w->kernel[i + lead];
        dilations[i] = w->dilation[i + lead] - 1;
        begin[i] = w->begin[i + lead];
        end[i] = needed_end(w, i + lead);
    }
    if (!ltap_dnnl_tensor(&query->inputs[0], true, &x) ||
        !ltap_dnnl_tensor(&query->outputs[0], true, &y))
        return ltap_refuse(why, "oneDNN cannot describe its tensors");
    ltap_dnnl_add(job, DNNL_ARG_SRC, LTAP_DNNL_INPUT, 0, &x);
    ltap_dnnl_add(job, DNNL_ARG_DST, LTAP_DNNL_OUTPUT, 0, &y);
    if (dnnl_pooling_v2_forward_desc_init(&job->operation.pooling, dnnl_forward_inference,
                                          algorithm, &x, &y, strides, kernel, dilations, begin,
                                          end) != dnnl_success)
        return ltap_refuse(why, "oneDNN does not have its attributes");
    return true;
}

static bool read_window(const ltap_query *query, ltap_window *w, ltap_why *why)
{
    if (!ltap_dnnl_fits(query, why))
        return false;
    if (ltap_window_read(query->node, &query->inputs[0], NULL, w, NULL) != LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    return true;
}

static bool average_pool_describe(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why)
{
    ltap_window w;
    if (!read_window(query, &w, why))
        return false;
    bool counts = ltap_node_int(query->node, "count_include_pad", 0) != 0;
    for (int i = 0; i < LTAP_WINDOW_AXES && counts; i++) {
        if (needed_end(&w, i) != w.end[i])
            return ltap_refuse(why, "a window counts padding and hangs over it");
    }
    return describe_pool(
        query, &w, counts ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding,
        job, why);
}

static bool global_average_pool_describe(const ltap_query *query, ltap_dnnl_job *job, ltap_why *why)
{
    const ltap_tensor *x = &query->inputs[0];
    if (!ltap_dnnl_fits(query, why))
        return false;
    if (!ltap_layout_applies(x->rank))
        return ltap_refuse(why, "not one to three spatial axes");
    ltap_window w = {.rank = x->rank - 2,
                     .in = {1, 1, 1},
                     .out = {1, 1, 1},
                     .kernel = {1, 1, 1},
                     .stride = {1, 1, 1},
                     .dilation = {1, 1, 1}};
    for (int i = 2; i < x->rank; i++) {
        int axis = LTAP_WINDOW_AXES - x->rank + i;
        w.in[axis] = w.kernel[axis] = x->dims[i];
    }
    return describe_pool(query, &w, dnnl_pooling_avg_exclude_padding, job, why);
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    (void)query;
    in[0] = out[0] = LTAP_LAYOUT_CHANNELS_LAST;
}

LTAP_DNNL_ROW(average_pool, "AveragePool", "dnnl:average_pool", layouts)
LTAP_DNNL_ROW(global_average_pool, "GlobalAveragePool", "dnnl:global_average_pool", layouts)
