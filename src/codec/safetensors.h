/* safetensors: eight bytes of length, a JSON header, the data of all tensors without a gap. */
#ifndef LTAP_CODEC_SAFETENSORS_H
#define LTAP_CODEC_SAFETENSORS_H

#include "base/arena.h"
#include "base/vector.h"
#include "tensor/tensor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LTAP_SAFETENSORS_MAX_HEADER 100000000u

typedef struct ltap_safetensors_entry {
    const char *name;       /* UTF-8, NUL-terminated; its bytes may be on disk in any order */
    ltap_tensor tensor;     /* data NULL */
    uint64_t offset, bytes; /* of its data in the file; checked to lie in it */
    uint64_t header_offset; /* where the header speaks of it */
} ltap_safetensors_entry;

typedef struct ltap_safetensors_metadata {
    const char *key, *value;
} ltap_safetensors_metadata;

typedef struct ltap_safetensors {
    ltap_safetensors_entry *entries; /* in the order of the header */
    size_t n_entries;
    ltap_safetensors_metadata *metadata;
    size_t n_metadata;
} ltap_safetensors;

/* True when the bytes begin as a safetensors file does. */
bool ltap_safetensors_probe(const void *bytes, size_t size);

/* Reads and checks the header of a whole file: no holes, no overlaps, sizes that follow from types
 * and shapes, nothing behind the last tensor. All lives in the arena. */
ltap_status ltap_safetensors_parse(const void *bytes, size_t size, ltap_arena *arena,
                                   ltap_safetensors *file, ltap_error *error);

/* Places the data of entries (name and tensor are given; offset and bytes are set) behind a header,
 * wide types first so that every tensor is aligned, and appends that header to `header`.
 * Errors: LTAP_ERROR_UNSUPPORTED for a type that the format lacks; LTAP_ERROR_ARGUMENT for a name
 * that it reserves. */
ltap_status ltap_safetensors_header(ltap_safetensors_entry *entries, size_t n_entries,
                                    ltap_vector *header, ltap_error *error);

#endif
