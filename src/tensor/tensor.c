/* Views of dense tensors: making, sizes, text, single elements. */
#include "tensor/tensor.h"

#include "base/checked.h"
#include "tensor/element.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

ltap_tensor ltap_tensor_make(ltap_dtype dtype, int rank, const int64_t *dims, void *data)
{
    ltap_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++)
        tensor.dims[i] = dims[i];
    return tensor;
}

bool ltap_dims_count(int rank, const int64_t *dims, uint64_t *count)
{
    uint64_t product = 1;
    bool empty = false, fits = true;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        empty = empty || dims[i] == 0;
        fits = fits && ltap_checked_mul(product, (uint64_t)dims[i], &product);
    }
    *count = empty ? 0 : product;
    /* Half of the address space: byte offsets then fit a signed number. */
    return empty || (fits && product <= INT64_MAX);
}

/* For tensors that were checked when they were made. */
uint64_t ltap_tensor_count(const ltap_tensor *tensor)
{
    uint64_t count = 0;
    return ltap_dims_count(tensor->rank, tensor->dims, &count) ? count : 0;
}

uint64_t ltap_tensor_bytes(const ltap_tensor *tensor)
{
    uint64_t bytes = 0;
    return ltap_dtype_bytes(tensor->dtype, ltap_tensor_count(tensor), &bytes) ? bytes : 0;
}

ltap_status ltap_tensor_check(const ltap_tensor *tensor, ltap_error *error)
{
    uint64_t count, bytes;
    if (tensor->rank < 0 || tensor->rank > LTAP_MAX_RANK)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "a tensor has %d dimensions; layertap takes 0 to %d", tensor->rank,
                              LTAP_MAX_RANK);
    if (ltap_dtype_bits(tensor->dtype) == 0 && tensor->dtype != LTAP_STRING)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "a tensor has the unknown element type %d",
                              (int)tensor->dtype);
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] < 0)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "dimension %d of a tensor of shape %s is %lld; it must be 0 or "
                                  "more",
                                  i, ltap_shape_text(tensor).text, (long long)tensor->dims[i]);
    bool fits = ltap_dims_count(tensor->rank, tensor->dims, &count);
    if (fits && tensor->dtype != LTAP_STRING)
        fits = ltap_dtype_bytes(tensor->dtype, count, &bytes) && bytes <= INT64_MAX;
    if (!fits)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "a tensor of shape %s is too large",
                              ltap_shape_text(tensor).text);
    return LTAP_OK;
}

bool ltap_tensor_same_shape(const ltap_tensor *a, const ltap_tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

/* Appends the dims with a separator; the longest text of 12 dims fits. */
static void append_dims(ltap_text *text, const ltap_tensor *tensor, char separator)
{
    size_t used = strlen(text->text);
    for (int i = 0; i < tensor->rank && i < LTAP_MAX_RANK; i++) {
        char number[32] = "?";
        if (tensor->dims[i] >= 0)
            snprintf(number, sizeof number, "%lld", (long long)tensor->dims[i]);
        int n = i == 0 ? snprintf(text->text + used, sizeof text->text - used, "%s", number)
                       : snprintf(text->text + used, sizeof text->text - used, "%c%s", separator,
                                  number);
        used += n > 0 ? (size_t)n : 0;
    }
}

ltap_text ltap_shape_text(const ltap_tensor *tensor)
{
    ltap_text text = {""};
    if (tensor->rank == 0)
        strcpy(text.text, "scalar");
    append_dims(&text, tensor, 'x');
    return text;
}

ltap_text ltap_tensor_text(const ltap_tensor *tensor)
{
    ltap_text text = {""};
    snprintf(text.text, sizeof text.text - 2, "%s[", ltap_dtype_name(tensor->dtype));
    append_dims(&text, tensor, ',');
    size_t length = strlen(text.text);
    if (length + 1 < sizeof text.text)
        strcpy(text.text + length, "]");
    return text;
}

/* Towards zero; what does not fit becomes the nearest end, NaN becomes 0. */
static int64_t truncate_double(double x)
{
    if (isnan(x))
        return 0;
    if (x >= 9223372036854775808.0)
        return INT64_MAX;
    if (x < -9223372036854775808.0)
        return INT64_MIN;
    return (int64_t)x;
}

int64_t ltap_tensor_int(const ltap_tensor *tensor, uint64_t index)
{
    const ltap_element_row *row = ltap_element_find(tensor->dtype);
    if (row->integer != NULL)
        return row->integer(tensor->data, index);
    return row->real != NULL ? truncate_double(row->real(tensor->data, index)) : 0;
}

double ltap_tensor_double(const ltap_tensor *tensor, uint64_t index)
{
    const ltap_element_row *row = ltap_element_find(tensor->dtype);
    return row->real != NULL ? row->real(tensor->data, index) : 0;
}
