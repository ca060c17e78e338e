/* Arrays in: .npy, .npz and .safetensors, the format told by content. */
#ifndef LAYERTAP_ARRAYS_H
#define LAYERTAP_ARRAYS_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef struct ltap_arrays ltap_arrays;

typedef struct ltap_array {
    const char *name;   /* as numpy shows it, without ".npy"; "" for a .npy file */
    ltap_tensor tensor; /* native byte order, row-major; borrowed from the arrays */
} ltap_array;

/* 1 when the bytes begin like a file that ltap_arrays_open reads. */
LTAP_API int ltap_arrays_probe(const void *bytes, size_t size);

/* path "-" is standard input. arrays: yours to close; read-only, shared by threads. A file stays
 * mapped and arrays are used in place where they can be; big-endian, Fortran-ordered, unaligned and
 * deflated ones are converted, booleans made 0 or 1. At most LTAP_MAX_RANK dimensions.
 * Errors: structured, object, text and unknown types, also for one member among others; sizes, CRCs
 * and names that lie; one line with the place. */
LTAP_API LTAP_MUST_USE ltap_status ltap_arrays_open(const char *path, ltap_arrays **arrays,
                                                    ltap_error *error);
/* bytes: borrowed until close. name: for messages, may be NULL. */
LTAP_API LTAP_MUST_USE ltap_status ltap_arrays_open_bytes(const void *bytes, size_t size,
                                                          const char *name, ltap_arrays **arrays,
                                                          ltap_error *error);
/* All its arrays end with it. NULL is fine. */
LTAP_API void ltap_arrays_close(ltap_arrays *arrays);
/* How many arrays the file holds. */
LTAP_API size_t ltap_arrays_count(const ltap_arrays *arrays);
/* In the order of the file; NULL beyond the last. Borrowed. */
LTAP_API const ltap_array *ltap_arrays_at(const ltap_arrays *arrays, size_t index);
/* By name; NULL where there is none. Borrowed. */
LTAP_API const ltap_array *ltap_arrays_find(const ltap_arrays *arrays, const char *name);

LTAP_END

#endif
