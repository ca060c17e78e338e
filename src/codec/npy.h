/* The .npy format, versions 1 to 3: a header that is a Python dictionary, then the bytes. */
#ifndef LTAP_CODEC_NPY_H
#define LTAP_CODEC_NPY_H

#include "tensor/tensor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a header says. */
typedef struct ltap_npy {
    ltap_tensor tensor;   /* type and shape as numpy shows them; data NULL */
    bool big_endian;      /* the elements' bytes have to be swapped */
    bool fortran;         /* first index fastest */
    uint64_t data_offset; /* from the first byte of the header */
    uint64_t data_bytes;  /* checked: data_offset + data_bytes is the size that was given */
} ltap_npy;

/* True when the bytes begin as a .npy file does. */
bool ltap_npy_probe(const void *bytes, size_t size);

/* Parses and checks; `size` is that of the header and its data, no more and no less. base: place of
 * the bytes in their file, added to offsets in errors. Errors: LTAP_ERROR_FORMAT, and
 * LTAP_ERROR_UNSUPPORTED for structured, object and other types without a number in it. */
ltap_status ltap_npy_parse(const void *bytes, size_t size, uint64_t base, ltap_npy *npy,
                           ltap_error *error);

#define LTAP_NPY_HEADER_MAX 512

/* Writes a version 1.0 header, padded to a multiple of 64. tensor: type and shape.
 * Errors: LTAP_ERROR_UNSUPPORTED for a type that numpy lacks (bfloat16, float8, int4, strings). */
ltap_status ltap_npy_header(const ltap_tensor *tensor, char header[LTAP_NPY_HEADER_MAX],
                            size_t *bytes, ltap_error *error);

#endif
