/* Sliding windows: reading the attributes, and output sizes.
 *
 * Sizes in attributes are limited to 31 bits first, so that the arithmetic after that is safe
 * in 64.
 */
#include "ops/window.h"

#include <string.h>

#define LARGEST ((int64_t)INT32_MAX)

ltap_status ltap_window_ints(const ltap_node *node, const char *name, int rank, int64_t least,
                             int64_t otherwise, int64_t *axes, ltap_error *error)
{
    const int64_t *ints;
    size_t count = ltap_node_ints(node, name, &ints);
    for (int i = 0; i < LTAP_WINDOW_AXES; i++)
        axes[i] = otherwise;
    if (count == 0)
        return LTAP_OK;
    if (count != (size_t)rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "%s has %zu entries; its input has %d spatial axes", name, count,
                              rank);
    for (int i = 0; i < rank; i++) {
        if (ints[i] < least || ints[i] > LARGEST)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "%s has an entry %lld; expected %lld "
                                  "to %lld",
                                  name, (long long)ints[i], (long long)least, (long long)LARGEST);
        axes[LTAP_WINDOW_AXES - rank + i] = ints[i];
    }
    return LTAP_OK;
}

static ltap_status read_kernel(const ltap_node *node, const ltap_tensor *weights, ltap_window *w,
                               ltap_error *error)
{
    LTAP_TRY(ltap_window_ints(node, "kernel_shape", w->rank, 1, 0, w->kernel, error));
    int lead = LTAP_WINDOW_AXES - w->rank;
    for (int i = 0; i < lead; i++)
        w->kernel[i] = 1;
    for (int i = lead; i < LTAP_WINDOW_AXES; i++) {
        int64_t said = w->kernel[i];
        int64_t real = weights ? weights->dims[2 + i - lead] : said;
        if (real < 1 || real > LARGEST)
            return weights ? ltap_error_set(error, LTAP_ERROR_FORMAT,
                                            "its weights are %s; a kernel cannot be empty",
                                            ltap_shape_text(weights).text)
                           : ltap_error_set(error, LTAP_ERROR_FORMAT, "kernel_shape is missing");
        if (said != 0 && said != real)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "kernel_shape has an entry %lld; its weights are %s",
                                  (long long)said, ltap_shape_text(weights).text);
        w->kernel[i] = real;
    }
    return LTAP_OK;
}

static ltap_status read_pads(const ltap_node *node, ltap_window *w, ltap_error *error)
{
    const int64_t *pads;
    size_t count = ltap_node_ints(node, "pads", &pads);
    if (count == 0)
        return LTAP_OK;
    if (count != 2 * (size_t)w->rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "pads has %zu entries; %d spatial axes need %d", count, w->rank,
                              2 * w->rank);
    int lead = LTAP_WINDOW_AXES - w->rank;
    for (size_t i = 0; i < count; i++) {
        if (pads[i] < 0 || pads[i] > LARGEST)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "pads has an entry %lld; expected 0 to %lld", (long long)pads[i],
                                  (long long)LARGEST);
        if (i < (size_t)w->rank)
            w->begin[lead + (int)i] = pads[i];
        else
            w->end[lead + (int)i - w->rank] = pads[i];
    }
    return LTAP_OK;
}

ltap_status ltap_window_read_sizes(const ltap_node *node, const ltap_tensor *x,
                                   const ltap_tensor *weights, ltap_window *w, ltap_error *error)
{
    memset(w, 0, sizeof *w);
    if (x->rank < 3 || x->rank > 2 + LTAP_WINDOW_AXES)
        return ltap_error_set(error, x->rank < 3 ? LTAP_ERROR_FORMAT : LTAP_ERROR_UNSUPPORTED,
                              "its input has the shape %s; layertap has it for one to three "
                              "spatial axes after batch and channels",
                              ltap_shape_text(x).text);
    w->rank = x->rank - 2;
    if (weights && weights->rank != x->rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its weights are %s, its input is %s",
                              ltap_shape_text(weights).text, ltap_shape_text(x).text);
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        int axis = i - (LTAP_WINDOW_AXES - w->rank);
        w->in[i] = axis < 0 ? 1 : x->dims[2 + axis];
        if (w->in[i] > LARGEST)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "its input has the shape %s; layertap has it for spatial axes up "
                                  "to %lld",
                                  ltap_shape_text(x).text, (long long)LARGEST);
    }
    LTAP_TRY(read_kernel(node, weights, w, error));
    LTAP_TRY(ltap_window_ints(node, "strides", w->rank, 1, 1, w->stride, error));
    LTAP_TRY(ltap_window_ints(node, "dilations", w->rank, 1, 1, w->dilation, error));
    return read_pads(node, w, error);
}

/* Extent of a dilated kernel. */
static int64_t extent(const ltap_window *w, int axis)
{
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

static void pad_same(ltap_window *w, int axis, bool upper)
{
    int64_t out = (w->in[axis] + w->stride[axis] - 1) / w->stride[axis];
    int64_t total = (out - 1) * w->stride[axis] + extent(w, axis) - w->in[axis];
    if (total < 0)
        total = 0;
    w->begin[axis] = upper ? total / 2 : total - total / 2;
    w->end[axis] = total - w->begin[axis];
}

static ltap_status read_auto_pad(const ltap_node *node, ltap_window *w, bool *valid,
                                 ltap_error *error)
{
    const char *mode = ltap_node_string(node, "auto_pad", "NOTSET");
    *valid = strcmp(mode, "NOTSET") != 0;
    if (!*valid)
        return LTAP_OK;
    bool same = !strcmp(mode, "SAME_UPPER") || !strcmp(mode, "SAME_LOWER");
    if (!same && strcmp(mode, "VALID") != 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "auto_pad is '%s'; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                              mode);
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        w->begin[i] = w->end[i] = 0;
        if (same)
            pad_same(w, i, !strcmp(mode, "SAME_UPPER"));
    }
    return LTAP_OK;
}

ltap_status ltap_window_read(const ltap_node *node, const ltap_tensor *x,
                             const ltap_tensor *weights, ltap_window *w, ltap_error *error)
{
    LTAP_TRY(ltap_window_read_sizes(node, x, weights, w, error));
    bool automatic;
    LTAP_TRY(read_auto_pad(node, w, &automatic, error));
    bool ceil_mode = !automatic && ltap_node_int(node, "ceil_mode", 0) != 0;
    for (int i = 0; i < LTAP_WINDOW_AXES; i++) {
        int64_t padded = w->in[i] + w->begin[i] + w->end[i], stride = w->stride[i];
        int64_t room = padded - extent(w, i);
        /* A window that hangs over the end counts in ceil_mode, unless it starts in the end's
         * padding. */
        if (ceil_mode && room > -stride) {
            w->out[i] = (room + stride - 1) / stride + 1;
            if ((w->out[i] - 1) * stride >= w->in[i] + w->begin[i])
                w->out[i]--;
        } else if (room >= 0) {
            w->out[i] = room / stride + 1;
        }
        if (w->out[i] < 1)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "a window of %lld does not fit its input %s padded to %lld",
                                  (long long)extent(w, i), ltap_shape_text(x).text,
                                  (long long)padded);
    }
    return LTAP_OK;
}
