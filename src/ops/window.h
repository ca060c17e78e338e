/* Sliding windows: the geometry that convolutions and pools share.
 *
 * Up to three spatial axes, always seen as depth, height, width: missing ones are leading ones of
 * size 1. Output index o and window index k meet the input at o * stride + k * dilation - begin.
 */
#ifndef LTAP_OPS_WINDOW_H
#define LTAP_OPS_WINDOW_H

#include "ops/op.h"

#define LTAP_WINDOW_AXES 3

typedef struct ltap_window {
    int rank; /* spatial axes of the tensors, 1..3 */
    int64_t in[LTAP_WINDOW_AXES], out[LTAP_WINDOW_AXES];
    int64_t kernel[LTAP_WINDOW_AXES], stride[LTAP_WINDOW_AXES], dilation[LTAP_WINDOW_AXES];
    int64_t begin[LTAP_WINDOW_AXES], end[LTAP_WINDOW_AXES]; /* padding */
} ltap_window;

/* Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode; out is computed. x: [N,C,
 * spatial...]; weights: [.., .., kernel...] or NULL (then kernel_shape must be there). */
ltap_status ltap_window_read(const ltap_node *node, const ltap_tensor *x,
                             const ltap_tensor *weights, ltap_window *window, ltap_error *error);
/* The same up to padding: in, kernel, stride and dilation; `out` is left 0, begin and end as given
 * in pads. */
ltap_status ltap_window_read_sizes(const ltap_node *node, const ltap_tensor *x,
                                   const ltap_tensor *weights, ltap_window *window,
                                   ltap_error *error);
/* Reads a list attribute with one entry per spatial axis into a window's array; otherwise: what it
 * is where the attribute is missing. */
ltap_status ltap_window_ints(const ltap_node *node, const char *name, int rank, int64_t least,
                             int64_t otherwise, int64_t *axes, ltap_error *error);

/* Of a ConvTranspose: the convolution that it transposes, from its output (`in`) back to its input
 * (`out`). */
ltap_status ltap_window_read_transposed(const ltap_call *call, ltap_window *window,
                                        ltap_error *error);

/* Output indices of [*first, *last) for which window index k lies inside the input. */
static inline void ltap_window_clip(const ltap_window *w, int axis, int64_t k, int64_t *first,
                                    int64_t *last)
{
    int64_t shift = w->begin[axis] - k * w->dilation[axis], stride = w->stride[axis];
    int64_t low = shift > 0 ? (shift + stride - 1) / stride : 0;
    int64_t top = w->in[axis] - 1 + shift;
    int64_t high = top < 0 ? 0 : top / stride + 1;
    if (low > *first)
        *first = low;
    if (high < *last)
        *last = high;
}

static inline int64_t ltap_window_at(const ltap_window *w, int axis, int64_t o, int64_t k)
{
    return o * w->stride[axis] + k * w->dilation[axis] - w->begin[axis];
}

#endif
