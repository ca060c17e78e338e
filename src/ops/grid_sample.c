/* GridSample: the input read at given places, over one to three spatial axes.
 *
 * Per output point, each axis gives up to four input indices with weights; their combinations are
 * the elements that are summed, for all channels alike. The order of PyTorch is kept: places are
 * padded before neighbours are taken, for cubic each neighbour is.
 */
#include "base/parallel.h"
#include "ops/number.h"
#include "ops/rules.h"

#include <math.h>
#include <string.h>

enum { MAX_AXES = 3, MAX_TAPS = 4, MAX_POINTS = 64 };

typedef struct sampler sampler;

/* Brings a place of an axis of this size inside. */
typedef double (*pad_place)(const sampler *s, double place, int64_t size);

struct sampler {
    const ltap_number *number;
    const ltap_tensor *x, *grid;
    ltap_tensor *y;
    int axes, n_taps;
    pad_place pad;
    bool align_corners, narrow;
    int64_t in_plane, out_plane;
};

static double pad_zeros(const sampler *s, double place, int64_t size)
{
    return place;
}

static double pad_border(const sampler *s, double place, int64_t size)
{
    if (!(place > 0))
        return 0;
    return place < (double)(size - 1) ? place : (double)(size - 1);
}

/* Mirrors at the centres of the outermost elements, or at their outer edges. */
static double pad_reflection(const sampler *s, double place, int64_t size)
{
    double low = s->align_corners ? 0 : -0.5;
    double span = s->align_corners ? (double)(size - 1) : (double)size;
    if (span == 0)
        return 0;
    double distance = fabs(place - low), extra = fmod(distance, span);
    bool flips = fmod(floor(distance / span), 2) == 1;
    return pad_border(s, flips ? span - extra + low : extra + low, size);
}

static const struct {
    const char *name;
    pad_place pad;
} paddings[] = {{"zeros", pad_zeros}, {"border", pad_border}, {"reflection", pad_reflection}};

static const struct {
    const char *name;
    int n_taps;
} modes[] = {{"linear", 2}, {"bilinear", 2}, {"nearest", 1}, {"cubic", 4}, {"bicubic", 4}};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static ltap_status read_modes(const ltap_call *call, sampler *s, ltap_error *error)
{
    const char *mode = ltap_node_string(call->node, "mode", "linear");
    const char *padding = ltap_node_string(call->node, "padding_mode", "zeros");
    s->axes = call->inputs[0].rank - 2;
    s->align_corners = ltap_node_int(call->node, "align_corners", 0) != 0;
    s->narrow = call->inputs[1].dtype != LTAP_FLOAT64;
    for (size_t i = 0; i < COUNT(modes); i++)
        s->n_taps = strcmp(mode, modes[i].name) ? s->n_taps : modes[i].n_taps;
    for (size_t i = 0; i < COUNT(paddings); i++)
        s->pad = strcmp(padding, paddings[i].name) ? s->pad : paddings[i].pad;
    if (!s->n_taps || !s->pad)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "mode '%s' with padding_mode '%s' is not known", mode, padding);
    return LTAP_OK;
}

static ltap_status grid_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *x = &call->inputs[0], *grid = &call->inputs[1];
    sampler s = {.axes = 0};
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_FLOAT, error));
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_FLOAT, error));
    if (x->rank < 3 || x->rank > 2 + MAX_AXES || grid->rank != x->rank ||
        grid->dims[0] != x->dims[0] || grid->dims[grid->rank - 1] != x->rank - 2)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its input is %s and its grid is %s; expected one to three spatial "
                              "axes, and a grid of as many coordinates",
                              ltap_shape_text(x).text, ltap_shape_text(grid).text);
    LTAP_TRY(read_modes(call, &s, error));
    int64_t dims[LTAP_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int i = 2; i < x->rank; i++)
        dims[i] = grid->dims[i - 1];
    for (int i = 2; i < x->rank; i++) {
        if (x->dims[i] == 0 && ltap_number_product(dims, 0, x->rank) > 0)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its input %s has nothing to sample",
                                  ltap_shape_text(x).text);
    }
    ltap_call_output(call, 0, x->dtype, x->rank, dims);
    return LTAP_OK;
}

static double rounded(const sampler *s, double value)
{
    return s->narrow ? (double)(float)value : value;
}

/* From -1..1 to elements. */
static double find_place(const sampler *s, double coordinate, int64_t size)
{
    double shifted = rounded(s, coordinate + 1);
    if (s->align_corners)
        return rounded(s, rounded(s, shifted / 2) * (double)(size - 1));
    return rounded(s, rounded(s, rounded(s, shifted * (double)size) - 1) / 2);
}

static double cubic_weight(double distance)
{
    const double a = -0.75, d = fabs(distance);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* Indices and weights of one axis; index -1: outside, counts as zero. */
static void find_taps(const sampler *s, double coordinate, int64_t size, int64_t *indices,
                      double *weights)
{
    double place = find_place(s, coordinate, size);
    if (s->n_taps != MAX_TAPS)
        place = s->pad(s, place, size);
    /* As in PyTorch, for two axes a place that is no number makes NaN, for three it lies outside.
     */
    if (s->axes == 2 && s->n_taps > 1 && !isfinite(place)) {
        memset(indices, 0, MAX_TAPS * sizeof *indices);
        for (int t = 0; t < s->n_taps; t++)
            weights[t] = NAN;
        return;
    }
    double first = s->n_taps == 1 ? nearbyint(place) : floor(place) - (s->n_taps == 4 ? 1 : 0);
    for (int t = 0; t < s->n_taps; t++) {
        double index = first + t, distance = fabs(place - index);
        weights[t] = s->n_taps == 1 ? 1 : s->n_taps == 2 ? 1 - distance : cubic_weight(distance);
        if (s->n_taps == MAX_TAPS)
            index = s->pad(s, index, size);
        indices[t] = index >= 0 && index <= (double)(size - 1) ? (int64_t)index : -1;
    }
}

/* The elements of a channel that make output point `point` of image `image`; returns how many. */
static int find_elements(const sampler *s, int64_t image, int64_t point, int64_t *offsets,
                         double *weights)
{
    double grid[MAX_AXES], axis_weights[MAX_AXES][MAX_TAPS];
    int64_t indices[MAX_AXES][MAX_TAPS];
    int n = 1, found = 0;
    ltap_number_find(s->grid->dtype)
        ->load(s->grid->data, (image * s->out_plane + point) * s->axes, 1, s->axes, grid);
    for (int axis = 0; axis < s->axes; axis++) {
        /* The grid names the last axis first. */
        find_taps(s, grid[s->axes - 1 - axis], s->x->dims[2 + axis], indices[axis],
                  axis_weights[axis]);
        n *= s->n_taps;
    }
    for (int i = 0; i < n; i++) {
        int left = i;
        int64_t offset = 0, stride = 1;
        double weight = 1;
        bool inside = true;
        for (int axis = s->axes - 1; axis >= 0; axis--) {
            int tap = left % s->n_taps;
            left /= s->n_taps;
            inside = inside && indices[axis][tap] >= 0;
            offset += indices[axis][tap] * stride;
            weight *= axis_weights[axis][tap];
            stride *= s->x->dims[2 + axis];
        }
        offsets[found] = inside ? offset : 0;
        weights[found] = weight;
        found += inside || isnan(weight);
    }
    return found;
}

static void sample_points(void *context, int64_t first, int64_t last)
{
    const sampler *s = context;
    int64_t offsets[MAX_POINTS], channels = s->x->dims[1];
    double weights[MAX_POINTS], x[MAX_POINTS];
    for (int64_t task = first; task < last; task++) {
        int64_t image = task / s->out_plane, point = task % s->out_plane;
        int n = find_elements(s, image, point, offsets, weights);
        for (int64_t c = image * channels; c < (image + 1) * channels; c++) {
            double sum = 0;
            s->number->gather(s->x->data, c * s->in_plane, offsets, n, x);
            for (int i = 0; i < n; i++)
                sum += weights[i] * x[i];
            s->number->store(&sum, 1, s->y->data, c * s->out_plane + point, 1);
        }
    }
}

static ltap_status grid_reference(const ltap_call *call, ltap_error *error)
{
    sampler s = {.x = &call->inputs[0], .grid = &call->inputs[1], .y = &call->outputs[0]};
    LTAP_TRY(read_modes(call, &s, error));
    s.number = ltap_number_find(s.x->dtype);
    s.in_plane = ltap_number_product(s.x->dims, 2, s.x->rank);
    s.out_plane = ltap_number_product(s.y->dims, 2, s.y->rank);
    if (ltap_tensor_count(s.y) > 0 && s.y->data)
        ltap_parallel_for(call->threads, s.x->dims[0] * s.out_plane, 64, sample_points, &s);
    return LTAP_OK;
}

const ltap_op ltap_op_grid_sample = {
    .name = "GridSample",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = grid_shape,
    .reference = grid_reference,
};
