/* Facts in one pass. Mean and deviation are those of blocks, put together (Chan, Golub and LeVeque
 * 1979). A bin of the histogram has a power of two for its width; when a number does not fit, the
 * width is doubled and neighbours become one, so that the end does not depend on the order.
 */
#include "tensor/summary.h"

#include "base/error.h"
#include "tensor/element.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256, FINEST = 40 /* bits between the largest magnitude and the width */ };

typedef struct histogram {
    int exponent; /* of the width */
    double scale; /* 1 / width, or as near as a double comes */
    int64_t first;
    size_t n;
    uint64_t bins[LTAP_SUMMARY_BINS];
} histogram;

struct ltap_summary {
    ltap_memory *memory;
    uint64_t n_finite, n_zero, n_nan, n_inf;
    double min, max, mean, squares; /* squares: sum of squared distances from the mean */
    histogram histogram;
    uint8_t *alive; /* a flag a channel */
    uint64_t n_channels, n_alive, n_probes;
    bool mixed;   /* not always as many channels */
    int channels; /* their axis, as it was said */
};

/* --- histogram ------------------------------------------------------------------------------- */

static void set_exponent(histogram *h, int exponent)
{
    h->exponent = exponent < -1022 ? -1022 : exponent;
    h->scale = ldexp(1, -h->exponent);
}

static void coarsen(histogram *h)
{
    int64_t first = h->first >> 1;
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++) {
        size_t to = (size_t)(((h->first + (int64_t)i) >> 1) - first);
        uint64_t count = h->bins[i];
        h->bins[i] = 0;
        h->bins[to] += count;
        n = to + 1;
    }
    h->first = first;
    h->n = n;
    set_exponent(h, h->exponent + 1);
}

/* A number that is in no bin that there is. */
static void make_room(histogram *h, double x)
{
    int finest = x == 0 ? -1022 : ilogb(x) - FINEST;

    if (h->n == 0)
        set_exponent(h, finest);
    while (h->exponent < finest)
        coarsen(h);
    for (;;) {
        int64_t k = (int64_t)floor(x * h->scale);
        int64_t first = h->n == 0 || k < h->first ? k : h->first;
        int64_t end = h->n == 0 || k >= h->first + (int64_t)h->n ? k + 1 : h->first + (int64_t)h->n;
        if (end - first <= LTAP_SUMMARY_BINS) {
            memmove(h->bins + (h->first - first) * (h->n != 0), h->bins, h->n * sizeof(*h->bins));
            if (h->n && h->first > first)
                memset(h->bins, 0, (size_t)(h->first - first) * sizeof(*h->bins));
            h->first = first;
            h->n = (size_t)(end - first);
            return;
        }
        coarsen(h);
    }
}

static void count(histogram *h, double x)
{
    double k = floor(x * h->scale) - (double)h->first;

    if (!(k >= 0 && k < (double)h->n)) {
        make_room(h, x);
        k = floor(x * h->scale) - (double)h->first;
    }
    h->bins[(size_t)k]++;
}

/* --- channels -------------------------------------------------------------------------------- */

static ltap_status take_channels(ltap_summary *summary, const ltap_tensor *tensor, int axis,
                                 ltap_error *error)
{
    uint64_t n = tensor->rank < 2 ? 0 : (uint64_t)tensor->dims[axis];
    void *block;

    if (summary->n_finite + summary->n_nan + summary->n_inf && n != summary->n_channels)
        summary->mixed = true;
    if (summary->mixed || !n)
        return LTAP_OK;
    if (!summary->alive) {
        LTAP_TRY(ltap_memory_take_zeroed(summary->memory, n, 1, "the channels of a summary", &block,
                                         error));
        summary->alive = block;
        summary->n_channels = n;
    }
    summary->n_probes += ltap_tensor_count(tensor) / n;
    return LTAP_OK;
}

static void mark_alive(ltap_summary *summary, const double *x, uint64_t start, uint64_t n,
                       uint64_t inner)
{
    if (summary->mixed || summary->n_alive == summary->n_channels)
        return;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t channel = (start + i) / inner % summary->n_channels;
        summary->n_alive += x[i] != 0 && !summary->alive[channel];
        summary->alive[channel] |= x[i] != 0;
    }
}

/* --- all ------------------------------------------------------------------------------------- */

static void load(const ltap_tensor *tensor, uint64_t start, uint64_t n, double *x)
{
    double (*real)(const void *, uint64_t) = ltap_element_find(tensor->dtype)->real;
    const float *floats = (const float *)tensor->data + start;

    for (uint64_t i = 0; i < n; i++)
        x[i] = tensor->dtype == LTAP_FLOAT32 ? (double)floats[i] : real(tensor->data, start + i);
}

/* Finite numbers of a block, which are moved to its front. */
static uint64_t take_finite(ltap_summary *summary, double *x, uint64_t n)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < n; i++) {
        summary->n_nan += isnan(x[i]) != 0;
        summary->n_inf += isinf(x[i]) != 0;
        if (isfinite(x[i]))
            x[kept++] = x[i];
    }
    return kept;
}

static void add_block(ltap_summary *summary, const double *x, uint64_t n)
{
    double sum = 0, squares = 0, before = (double)summary->n_finite, all = before + (double)n;

    for (uint64_t i = 0; i < n; i++) {
        sum += x[i];
        summary->n_zero += x[i] == 0;
        summary->min = x[i] < summary->min ? x[i] : summary->min;
        summary->max = x[i] > summary->max ? x[i] : summary->max;
        count(&summary->histogram, x[i]);
    }
    double mean = sum / (double)n, apart = mean - summary->mean;
    for (uint64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    summary->mean += apart * ((double)n / all);
    summary->squares += squares + apart * apart * (before * (double)n / all);
    summary->n_finite += n;
}

ltap_status ltap_summary_make(const ltap_allocator *allocator, ltap_summary **summary,
                              ltap_error *error)
{
    ltap_memory *memory;
    void *block;

    LTAP_TRY(ltap_memory_new(allocator, 0, &memory, error));
    ltap_status status =
        ltap_memory_take_zeroed(memory, 1, sizeof(ltap_summary), "a summary", &block, error);
    if (status != LTAP_OK) {
        ltap_memory_unref(memory);
        return status;
    }
    *summary = block;
    (*summary)->memory = memory;
    (*summary)->min = INFINITY;
    (*summary)->max = -INFINITY;
    return LTAP_OK;
}

void ltap_summary_release(ltap_summary *summary)
{
    if (!summary)
        return;
    ltap_memory *memory = summary->memory;
    ltap_memory_release(memory, summary->alive);
    ltap_memory_release(memory, summary);
    ltap_memory_unref(memory);
}

void ltap_summary_set_channels(ltap_summary *summary, int axis)
{
    summary->channels = axis;
}

ltap_status ltap_summary_take(ltap_summary *summary, const ltap_tensor *tensor, ltap_error *error)
{
    const int axis = ltap_channel_axis(tensor->rank, summary->channels);
    uint64_t n = ltap_tensor_count(tensor), inner = 1;
    double x[BLOCK];

    if (!ltap_element_find(tensor->dtype)->real)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "%s has no facts about numbers",
                              ltap_tensor_text(tensor).text);
    if (tensor->rank >= 2 && (axis < 1 || axis >= tensor->rank))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "%s has no channels along axis %d",
                              ltap_tensor_text(tensor).text, summary->channels);
    LTAP_TRY(take_channels(summary, tensor, axis, error));
    for (int i = axis + 1; i < tensor->rank; i++)
        inner *= (uint64_t)tensor->dims[i];
    for (uint64_t start = 0; start < n; start += BLOCK) {
        uint64_t some = n - start < BLOCK ? n - start : BLOCK;
        load(tensor, start, some, x);
        mark_alive(summary, x, start, some, inner);
        some = take_finite(summary, x, some);
        if (some)
            add_block(summary, x, some);
    }
    return LTAP_OK;
}

void ltap_summary_read(const ltap_summary *summary, ltap_facts *facts)
{
    const histogram *h = &summary->histogram;
    bool any = summary->n_finite > 0;

    *facts = (ltap_facts){.count = summary->n_finite + summary->n_nan + summary->n_inf,
                          .n_zero = summary->n_zero,
                          .n_nan = summary->n_nan,
                          .n_inf = summary->n_inf,
                          .min = any ? summary->min : NAN,
                          .max = any ? summary->max : NAN,
                          .mean = any ? summary->mean : NAN,
                          .std = any ? sqrt(summary->squares / (double)summary->n_finite) : NAN,
                          .first = any ? ldexp((double)h->first, h->exponent) : NAN,
                          .width = any ? ldexp(1, h->exponent) : NAN,
                          .n_bins = h->n};
    memcpy(facts->bins, h->bins, h->n * sizeof(*h->bins));
    if (summary->mixed)
        return;
    facts->n_channels = summary->n_channels;
    facts->n_dead = summary->n_channels - summary->n_alive;
    facts->n_probes = summary->n_probes;
}
