/* Arrays in, inside: the object, and what a reader of one format does to it. */
#ifndef LTAP_IO_ARRAYS_H
#define LTAP_IO_ARRAYS_H

#include "base/arena.h"
#include "base/file.h"
#include "base/vector.h"
#include "tensor/tensor.h"
#include <layertap/arrays.h>
#include <stdbool.h>

struct ltap_arrays {
    ltap_memory *memory;
    ltap_arena arena;   /* names */
    ltap_file file;     /* closed where the bytes are borrowed */
    ltap_vector items;  /* ltap_array */
    ltap_vector blocks; /* void *: data that could not be used in place */
};

/* As the public functions, on an account: ltap_arrays_open(path) is this with the default one. */
ltap_status ltap_arrays_open_on(ltap_memory *memory, const char *path, ltap_arrays **arrays,
                                ltap_error *error);
ltap_status ltap_arrays_open_bytes_on(ltap_memory *memory, const void *bytes, size_t size,
                                      const char *name, ltap_arrays **arrays, ltap_error *error);

/* An array as a file holds it. */
typedef struct ltap_array_source {
    const char *name;   /* lives as long as the arrays */
    ltap_tensor tensor; /* type and shape; data NULL */
    const uint8_t *data;
    bool big_endian, fortran;
} ltap_array_source;

/* Adds an array: in place where its bytes are as the processor wants them, else as a copy. */
ltap_status ltap_arrays_add(ltap_arrays *arrays, const ltap_array_source *source,
                            ltap_error *error);
/* Keeps a block of the arrays' account until close, also when this fails. */
ltap_status ltap_arrays_keep(ltap_arrays *arrays, void *block, ltap_error *error);

/* A format that is read. First match wins. */
typedef struct ltap_array_format {
    const char *name;
    bool (*probe)(const void *bytes, size_t size);
    ltap_status (*read)(ltap_arrays *arrays, const void *bytes, size_t size, ltap_error *error);
} ltap_array_format;
extern const ltap_array_format ltap_array_formats[];
extern const size_t ltap_n_array_formats;

#endif
