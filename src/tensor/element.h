/* Reading one element of any numeric type. */
#ifndef LTAP_TENSOR_ELEMENT_H
#define LTAP_TENSOR_ELEMENT_H

#include <layertap/tensor.h>
#include <stdint.h>

/* Element `index` as a double or, for the integer types, exactly as int64. */
typedef struct ltap_element_row {
    double (*real)(const void *data, uint64_t index);     /* NULL: no real number */
    int64_t (*integer)(const void *data, uint64_t index); /* NULL: a float type */
} ltap_element_row;

/* Never NULL; both readers are NULL where the type has no single real number. */
const ltap_element_row *ltap_element_find(ltap_dtype dtype);

#endif
