/* Facts about the numbers of a tensor. */
#include "tensor/element.h"
#include "tensor/tensor.h"

#include <math.h>

typedef struct totals {
    double min, max, sum;
    uint64_t n_finite, n_nan, n_inf;
} totals;

static void add(totals *t, double x)
{
    if (isnan(x)) {
        t->n_nan++;
    } else if (isinf(x)) {
        t->n_inf++;
    } else {
        t->min = x < t->min ? x : t->min;
        t->max = x > t->max ? x : t->max;
        t->sum += x;
        t->n_finite++;
    }
}

static ltap_stats finish(const totals *t, uint64_t count)
{
    ltap_stats stats = {
        .count = count, .n_nan = t->n_nan, .n_inf = t->n_inf, .min = NAN, .max = NAN, .mean = NAN};
    if (t->n_finite == 0)
        return stats;
    stats.min = t->min;
    stats.max = t->max;
    stats.mean = t->sum / (double)t->n_finite;
    return stats;
}

ltap_status ltap_tensor_stats(const ltap_tensor *tensor, ltap_stats *stats, ltap_error *error)
{
    totals sums = {.min = INFINITY, .max = -INFINITY};
    if (tensor == NULL || stats == NULL)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "tensor and stats must not be NULL");
    LTAP_TRY(ltap_tensor_check(tensor, error));
    const ltap_element_row *row = ltap_element_find(tensor->dtype);
    uint64_t count = ltap_tensor_count(tensor);
    if (row->real == NULL)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a tensor of type %s has no smallest and largest number",
                              ltap_dtype_name(tensor->dtype));
    if (tensor->data == NULL && count > 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the tensor has no data");
    for (uint64_t i = 0; i < count; i++)
        add(&sums, row->real(tensor->data, i));
    *stats = finish(&sums, count);
    return LTAP_OK;
}
