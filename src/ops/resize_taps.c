/* Resize: from a place in the input to the input elements around it, and their weights. */
#include "ops/resize.h"

#include <math.h>

static double rounded(const ltap_resize *r, double value)
{
    return r->narrow ? (double)(float)value : value;
}

static double linear_weight(const ltap_resize *r, double distance)
{
    return distance < 1 ? 1 - distance : 0;
}

/* Keys' cubic. */
static double cubic_weight(const ltap_resize *r, double distance)
{
    double a = r->cubic_a, d = distance;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* Input elements per element of the filter: more than one where it is stretched. */
static double stretch(const ltap_resize *r, int axis)
{
    return r->antialias && r->scale[axis] < 1 ? 1 / r->scale[axis] : 1;
}

int64_t ltap_resize_taps(const ltap_resize *r, int axis)
{
    if (r->kept[axis] || r->nearest)
        return 1;
    double support = stretch(r, axis) * (r->cubic ? 2 : 1);
    return 2 * (int64_t)ceil(support);
}

static int64_t clamped(double index, int64_t size)
{
    if (!(index > 0))
        return 0;
    return index < (double)(size - 1) ? (int64_t)index : size - 1;
}

/* The two neighbours, both always taken in, as PyTorch does: it matters for Inf beside the edge. */
static void fill_linear(const ltap_resize *r, int axis, int64_t o, double place, ltap_taps *taps)
{
    if (place < 0)
        place = 0;
    int64_t low = clamped(floor(place), r->in[axis]);
    int64_t high = low + 1 < r->in[axis] ? low + 1 : low;
    double weight = rounded(r, fmin(place - (double)low, 1));
    taps->indices[o] = low;
    taps->indices[taps->n + o] = high;
    taps->weights[o] = rounded(r, 1 - weight);
    taps->weights[taps->n + o] = weight;
}

static void fill_filter(const ltap_resize *r, int axis, int64_t o, double place, ltap_taps *taps)
{
    double wide = stretch(r, axis), sum = 0;
    double first = floor(place) - (double)(taps->n_taps / 2 - 1);
    for (int64_t t = 0; t < taps->n_taps; t++) {
        double index = first + (double)t, distance = fabs(index - place) / wide;
        double weight = r->cubic ? cubic_weight(r, distance) : linear_weight(r, distance);
        if (r->exclude_outside && (index < 0 || index >= (double)r->in[axis]))
            weight = 0;
        taps->indices[t * taps->n + o] = clamped(index, r->in[axis]);
        taps->weights[t * taps->n + o] = weight;
        sum += weight;
    }
    if (!r->exclude_outside && !r->antialias)
        return;
    for (int64_t t = 0; t < taps->n_taps && sum != 0; t++)
        taps->weights[t * taps->n + o] /= sum;
}

void ltap_resize_fill(const ltap_resize *r, int axis, ltap_taps *taps)
{
    for (int64_t o = 0; o < taps->n; o++) {
        if (r->kept[axis]) {
            taps->indices[o] = o;
            taps->weights[o] = 1;
            continue;
        }
        double place = r->place(r, axis, o);
        if (r->nearest) {
            taps->indices[o] = clamped(r->nearest(place), r->in[axis]);
            taps->weights[o] = 1;
        } else if (!r->cubic && stretch(r, axis) == 1) {
            fill_linear(r, axis, o, place, taps);
        } else {
            fill_filter(r, axis, o, place, taps);
        }
        if (r->crops && !(place >= 0 && place <= (double)(r->in[axis] - 1)))
            taps->weights[o] = NAN;
    }
}
