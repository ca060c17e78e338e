/* Summaries: facts about the numbers of a layer over any number of forwards, in one pass and in
 * constant memory. What order the tensors come in changes no count.
 */
#ifndef LAYERTAP_SUMMARY_H
#define LAYERTAP_SUMMARY_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/memory.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef struct ltap_summary ltap_summary;

#define LTAP_SUMMARY_BINS 64

/* min, max, mean, std and the histogram are over the finite numbers; NaN where there are none. */
typedef struct ltap_facts {
    uint64_t count, n_zero, n_nan, n_inf;
    double min, max, mean, std; /* std: of all numbers, divided by their count */
    /* Channels lie along axis 1, of three axes along the last, unless ltap_summary_channels said
     * otherwise; n_channels is 0 where there are fewer than two axes, or not always as many. One is
     * dead that was 0 wherever it was looked at: n_probes places (inputs times positions). */
    uint64_t n_channels, n_dead, n_probes;
    /* Bin i counts numbers in [first + i * width, first + (i + 1) * width); width is the least
     * power of two for which they fit, and first a multiple of it. */
    double first, width;
    size_t n_bins;
    uint64_t bins[LTAP_SUMMARY_BINS];
} ltap_facts;

/* allocator: borrowed until it is freed; NULL: the C library's. summary: yours to free. */
LTAP_API LTAP_MUST_USE ltap_status ltap_summary_new(const ltap_allocator *allocator,
                                                    ltap_summary **summary, ltap_error *error);
/* The axis along which the channels of all that is added lie, to be said before: 1 or more,
 * negative from the end; 0: axis 1, of three axes the last. See ltap_feature. */
LTAP_API void ltap_summary_channels(ltap_summary *summary, int axis);
/* Adds the numbers of a tensor; booleans count as 0 and 1. Errors: LTAP_ERROR_UNSUPPORTED for
 * strings and complex numbers. */
LTAP_API LTAP_MUST_USE ltap_status ltap_summary_add(ltap_summary *summary,
                                                    const ltap_tensor *tensor, ltap_error *error);
/* facts: of all that was added so far. */
LTAP_API void ltap_summary_get(const ltap_summary *summary, ltap_facts *facts);
/* NULL is fine. */
LTAP_API void ltap_summary_free(ltap_summary *summary);

LTAP_END

#endif
