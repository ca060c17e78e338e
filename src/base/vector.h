/* A growable array of plain elements, on an account. */
#ifndef LTAP_BASE_VECTOR_H
#define LTAP_BASE_VECTOR_H

#include "base/memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ltap_vector {
    ltap_memory *memory; /* borrowed */
    void *data;
    size_t count, capacity, size; /* size: bytes of one element */
} ltap_vector;

void ltap_vector_init(ltap_vector *vector, ltap_memory *memory, size_t element_size);
void ltap_vector_clear(ltap_vector *vector);
/* Copies one element to the end. */
ltap_status ltap_vector_push(ltap_vector *vector, const void *element, ltap_error *error);
/* Appends count zeroed elements; first (may be NULL) points at them until the next call. */
ltap_status ltap_vector_grow(ltap_vector *vector, size_t count, void **first, ltap_error *error);

#define LTAP_VECTOR_AT(vector, type, index) (&((type *)(vector)->data)[index])

/* A vector of char as text: append, printf; data is always NUL-terminated once touched. */
ltap_status ltap_text_append(ltap_vector *text, const char *bytes, size_t count, ltap_error *error);
ltap_status ltap_text_format(ltap_vector *text, ltap_error *error, const char *format, ...)
    LTAP_PRINTF(3, 4);
/* Whether a text ends with another. */
bool ltap_text_ends(const char *text, const char *end);

#endif
