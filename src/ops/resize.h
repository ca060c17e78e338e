/* Resize: what its attributes and inputs say, and the tables that its kernel reads.
 *
 * Interpolation is separable: for each axis, output index o is the sum over t of weights[t][o]
 * times input indices[t][o].
 */
#ifndef LTAP_OPS_RESIZE_H
#define LTAP_OPS_RESIZE_H

#include "ops/op.h"

typedef struct ltap_resize ltap_resize;

/* Where output index o of an axis lies in the input. */
typedef double (*ltap_resize_place)(const ltap_resize *resize, int axis, int64_t o);
/* The input index nearest to a place. */
typedef double (*ltap_resize_nearest)(double place);

struct ltap_resize {
    int rank;
    int64_t in[LTAP_MAX_RANK], out[LTAP_MAX_RANK];
    double step[LTAP_MAX_RANK];  /* input elements per output element */
    double scale[LTAP_MAX_RANK]; /* output elements per input element, as told */
    bool kept[LTAP_MAX_RANK];    /* not resized: copied */
    double roi_begin[LTAP_MAX_RANK], roi_end[LTAP_MAX_RANK];
    ltap_resize_place place;
    ltap_resize_nearest nearest; /* NULL: interpolated */
    bool cubic, antialias, exclude_outside;
    bool crops;  /* places outside of the input get the extrapolation value */
    bool narrow; /* places are computed in float32, as PyTorch does for all but float64 */
    double cubic_a, extrapolation;
};

/* Output positions of an axis; indices[t * n + o]; the weight of tap 0 is NaN where o is
 * extrapolated. */
typedef struct ltap_taps {
    int64_t n, n_taps;
    int64_t *indices;
    double *weights;
} ltap_taps;

/* Everything, with output sizes; the roi only where its data is there. */
ltap_status ltap_resize_read(const ltap_call *call, ltap_resize *resize, ltap_error *error);

/* How many taps an axis has at most. */
int64_t ltap_resize_taps(const ltap_resize *resize, int axis);
/* Fills taps->indices and weights, for taps->n = resize->out[axis]. */
void ltap_resize_fill(const ltap_resize *resize, int axis, ltap_taps *taps);

#endif
