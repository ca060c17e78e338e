/* The difference of two tensors. Any pair of types meets as doubles, a block at a time; two integer
 * types meet as integers, so that large ones which differ by one do differ. */
#include "tensor/element.h"
#include "tensor/tensor.h"

#include <layertap/compare.h>
#include <math.h>

enum { BLOCK = 512 };

static void read_block(const ltap_tensor *tensor, uint64_t first, size_t n, double *numbers)
{
    if (tensor->dtype == LTAP_FLOAT32) {
        const float *data = (const float *)tensor->data + first;
        for (size_t i = 0; i < n; i++)
            numbers[i] = data[i];
        return;
    }
    const ltap_element_row *row = ltap_element_find(tensor->dtype);
    for (size_t i = 0; i < n; i++)
        numbers[i] = row->real(tensor->data, first + i);
}

static void count_special(ltap_difference *d, int side, double x)
{
    d->n_nan[side] += isnan(x) != 0;
    d->n_inf[side] += isinf(x) != 0;
}

static void add_special(ltap_difference *d, double a, double b)
{
    count_special(d, 0, a);
    count_special(d, 1, b);
    d->n_misplaced += !(isnan(a) && isnan(b)) && a != b;
    if (isfinite(b) && fabs(b) > d->max_magnitude)
        d->max_magnitude = fabs(b);
}

static void add_pair(ltap_difference *d, double a, double b, double apart, uint64_t place)
{
    if (apart > d->max_abs) {
        d->max_abs = apart;
        d->worst = place;
    }
    if (fabs(b) > d->max_magnitude)
        d->max_magnitude = fabs(b);
    d->dot += a * b;
    d->square[0] += a * a;
    d->square[1] += b * b;
}

static void compare_numbers(const ltap_tensor *a, const ltap_tensor *b, uint64_t count,
                            ltap_difference *d)
{
    double x[BLOCK], y[BLOCK];
    for (uint64_t first = 0; first < count; first += BLOCK) {
        size_t n = count - first < BLOCK ? (size_t)(count - first) : BLOCK;
        read_block(a, first, n, x);
        read_block(b, first, n, y);
        for (size_t i = 0; i < n; i++) {
            if (isfinite(x[i]) && isfinite(y[i]))
                add_pair(d, x[i], y[i], fabs(x[i] - y[i]), d->count + first + i);
            else
                add_special(d, x[i], y[i]);
        }
    }
}

/* uint64 beyond int64's range wraps around, which differences survive. */
static void compare_integers(const ltap_tensor *a, const ltap_tensor *b, uint64_t count,
                             ltap_difference *d)
{
    const ltap_element_row *left = ltap_element_find(a->dtype),
                           *right = ltap_element_find(b->dtype);
    for (uint64_t i = 0; i < count; i++) {
        int64_t x = left->integer(a->data, i), y = right->integer(b->data, i);
        double p = left->real(a->data, i), q = right->real(b->data, i);
        uint64_t apart = p >= q ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
        if (p == q && x < y)
            apart = (uint64_t)y - (uint64_t)x;
        add_pair(d, p, q, (double)apart, d->count + i);
    }
}

static ltap_status check(const ltap_tensor *tensor, ltap_error *error)
{
    LTAP_TRY(ltap_tensor_check(tensor, error));
    if (!ltap_element_find(tensor->dtype)->real)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a tensor of type %s cannot be compared number by number",
                              ltap_dtype_name(tensor->dtype));
    if (!tensor->data && ltap_tensor_count(tensor) > 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the tensor has no data");
    return LTAP_OK;
}

ltap_status ltap_tensor_compare(const ltap_tensor *a, const ltap_tensor *b,
                                ltap_difference *difference, ltap_error *error)
{
    if (!a || !b || !difference)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_tensor_compare: an argument is NULL");
    LTAP_TRY(check(a, error));
    LTAP_TRY(check(b, error));
    if (!ltap_tensor_same_shape(a, b))
        return ltap_error_set(error, LTAP_ERROR_INPUT, "the shapes differ: %s and %s",
                              ltap_shape_text(a).text, ltap_shape_text(b).text);
    uint64_t count = ltap_tensor_count(a);
    if (ltap_element_find(a->dtype)->integer && ltap_element_find(b->dtype)->integer)
        compare_integers(a, b, count, difference);
    else
        compare_numbers(a, b, count, difference);
    difference->count += count;
    return LTAP_OK;
}

double ltap_difference_relative(const ltap_difference *difference)
{
    return difference->max_abs > 0 ? difference->max_abs / difference->max_magnitude : 0;
}

double ltap_difference_cosine(const ltap_difference *difference)
{
    double a = difference->square[0], b = difference->square[1];
    if (a == 0 && b == 0)
        return 1;
    double cosine = difference->dot / (sqrt(a) * sqrt(b));
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

int ltap_difference_within(const ltap_difference *difference, double tolerance)
{
    return difference->n_misplaced == 0 &&
           difference->max_abs <= tolerance * difference->max_magnitude;
}
