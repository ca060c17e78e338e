/* From a file's bytes to a tensor. Bytes that are aligned, little-endian, row-major and (for
 * booleans) 0 or 1 are used where they lie; all others are copied once, and what is wrong with them
 * is put right in the copy. Not a conversion between types.
 */
#include "base/error.h"
#include "base/parallel.h"
#include "io/arrays.h"
#include <string.h>

/* Bytes of the numbers that an element is made of: those that byte order and alignment speak of. */
static unsigned number_bytes(ltap_dtype dtype)
{
    unsigned bytes = ltap_dtype_bits(dtype) / 8;
    return dtype == LTAP_COMPLEX64 || dtype == LTAP_COMPLEX128 ? bytes / 2 : bytes;
}

static bool is_aligned(const void *data, unsigned bytes)
{
    return (uintptr_t)data % bytes == 0;
}

static bool has_odd_booleans(const uint8_t *data, uint64_t bytes)
{
    uint8_t all = 0;
    for (uint64_t i = 0; i < bytes; i++)
        all |= data[i];
    return all > 1;
}

static void repair_booleans(uint8_t *data, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        data[i] = data[i] != 0;
}

static void swap_numbers(uint8_t *data, uint64_t bytes, unsigned width)
{
    for (uint8_t *p = data; p < data + bytes; p += width)
        for (unsigned i = 0; i < width / 2; i++) {
            uint8_t first = p[i];
            p[i] = p[width - 1 - i];
            p[width - 1 - i] = first;
        }
}

/* More than one axis of more than one index: else both orders are the same bytes. */
static bool order_matters(const ltap_tensor *tensor)
{
    int longer = 0;
    for (int i = 0; i < tensor->rank; i++)
        longer += tensor->dims[i] > 1;
    return longer > 1;
}

/* First-index-fastest bytes are the row-major bytes of the reversed shape. */
static ltap_status copy_fortran(ltap_arrays *arrays, const ltap_array_source *source, void *data,
                                ltap_error *error)
{
    ltap_tensor dst = source->tensor, src = source->tensor;
    uint64_t bytes = ltap_tensor_bytes(&dst);
    int perm[LTAP_MAX_RANK];
    void *aligned = NULL;
    for (int i = 0; i < src.rank; i++) {
        src.dims[i] = dst.dims[dst.rank - 1 - i];
        perm[i] = dst.rank - 1 - i;
    }
    src.data = (void *)(uintptr_t)source->data;
    dst.data = data;
    if (!is_aligned(source->data, 16)) {
        LTAP_TRY(ltap_memory_take(arrays->memory, bytes, source->name, &aligned, error));
        src.data = memcpy(aligned, source->data, bytes);
    }
    ltap_tensor_permute(&src, perm, &dst, ltap_parallel_processors());
    ltap_memory_release(arrays->memory, aligned);
    return LTAP_OK;
}

static ltap_status copy(ltap_arrays *arrays, const ltap_array_source *source, void **data,
                        ltap_error *error)
{
    const ltap_tensor *tensor = &source->tensor;
    uint64_t bytes = ltap_tensor_bytes(tensor);
    LTAP_TRY(ltap_memory_take(arrays->memory, bytes, source->name, data, error));
    LTAP_TRY(ltap_arrays_keep(arrays, *data, error));
    if (source->fortran && order_matters(tensor))
        LTAP_TRY(copy_fortran(arrays, source, *data, error));
    else if (bytes)
        memcpy(*data, source->data, bytes);
    if (source->big_endian)
        swap_numbers(*data, bytes, number_bytes(tensor->dtype));
    if (tensor->dtype == LTAP_BOOL)
        repair_booleans(*data, bytes);
    return LTAP_OK;
}

static bool is_usable_in_place(const ltap_array_source *source)
{
    const ltap_tensor *tensor = &source->tensor;
    if (source->big_endian || !is_aligned(source->data, number_bytes(tensor->dtype)))
        return false;
    if (source->fortran && order_matters(tensor))
        return false;
    return tensor->dtype != LTAP_BOOL || !has_odd_booleans(source->data, ltap_tensor_bytes(tensor));
}

ltap_status ltap_arrays_add(ltap_arrays *arrays, const ltap_array_source *source, ltap_error *error)
{
    ltap_array array = {source->name, source->tensor};
    array.tensor.data = (void *)(uintptr_t)source->data;
    if (!is_usable_in_place(source))
        LTAP_TRY(copy(arrays, source, &array.tensor.data, error));
    return ltap_vector_push(&arrays->items, &array, error);
}
