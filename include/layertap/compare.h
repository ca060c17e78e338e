/* Two tensors, number by number: how far apart they are. */
#ifndef LAYERTAP_COMPARE_H
#define LAYERTAP_COMPARE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/tensor.h>

LTAP_BEGIN

/* What ltap_tensor_compare found. Zero-initialise; several pairs (the batches of a feature, say)
 * may be added into one. b is the reference. Numbers are compared as doubles, two integers
 * exactly. */
typedef struct ltap_difference {
    uint64_t count;        /* places looked at */
    double max_abs;        /* largest |a - b|, where both are finite */
    double max_magnitude;  /* largest |b|, where it is finite */
    uint64_t worst;        /* place of the largest |a - b|, in row-major order, all pairs counted */
    uint64_t n_nan[2];     /* in a, in b */
    uint64_t n_inf[2];     /* in a, in b */
    uint64_t n_misplaced;  /* NaN or Inf in one only, or Inf of another sign */
    double dot, square[2]; /* sums of a*b, a*a, b*b, where both are finite */
} ltap_difference;

/* Adds a pair to the difference. Types may differ, shapes may not.
 * Errors: LTAP_ERROR_INPUT for other shapes; LTAP_ERROR_UNSUPPORTED for strings and complex
 * numbers. The difference is then as before. */
LTAP_API LTAP_MUST_USE ltap_status ltap_tensor_compare(const ltap_tensor *a, const ltap_tensor *b,
                                                       ltap_difference *difference,
                                                       ltap_error *error);

/* max_abs / max_magnitude; 0 where nothing differs, Inf where only the reference is all zero. */
LTAP_API double ltap_difference_relative(const ltap_difference *difference);
/* Cosine of the angle between a and b: 1 where both are all zero, NaN where only one is. */
LTAP_API double ltap_difference_cosine(const ltap_difference *difference);
/* 1 when max_abs <= tolerance * max_magnitude, and NaN and Inf are in the same places. */
LTAP_API int ltap_difference_within(const ltap_difference *difference, double tolerance);

LTAP_END

#endif
