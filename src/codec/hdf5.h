/* HDF5 files as h5py writes them by default, read in place: the subset that Keras uses.
 *
 * Superblock version 0 or 1, groups by symbol table, datasets that lie in the file in one piece,
 * attributes in their object's header. All else is refused by name, with the line that repacks it;
 * a part that nobody asks for refuses nothing. No other file is ever opened.
 *
 * The structure is read once and wholly, so that circles, overlaps and lies about sizes are found
 * before anybody walks over it: what is read is never more than the file has, so time and memory
 * follow its size. Types, shapes and attributes are read when asked for. A file belongs to one
 * thread.
 */
#ifndef LTAP_CODEC_HDF5_H
#define LTAP_CODEC_HDF5_H

#include "base/arena.h"
#include "tensor/tensor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ltap_hdf5 ltap_hdf5;
typedef struct ltap_hdf5_object ltap_hdf5_object;

/* True when the bytes begin as an HDF5 file does, of any version. */
bool ltap_hdf5_probe(const void *bytes, size_t size);

/* bytes: borrowed until close; they may be a part of a file, at any address. base: where they begin
 * in that file, added to offsets in errors. file: yours to close, NULL on
 * failure. Errors: LTAP_ERROR_FORMAT with
 * the byte; LTAP_ERROR_UNSUPPORTED for newer structures, by name. */
ltap_status ltap_hdf5_open(ltap_memory *memory, const uint8_t *bytes, size_t size, uint64_t base,
                           ltap_hdf5 **file, ltap_error *error);
void ltap_hdf5_close(ltap_hdf5 *file); /* NULL is fine */

/* The object at a path below a group (NULL: the root group; "": the group itself): names joined by
 * '/', as "model_weights/conv/kernel:0". NULL: there is none. Objects are the file's. */
const ltap_hdf5_object *ltap_hdf5_find(const ltap_hdf5 *file, const ltap_hdf5_object *group,
                                       const char *path);

bool ltap_hdf5_is_group(const ltap_hdf5_object *object);
/* UTF-8, never empty, without '/'; "" for the root group. */
const char *ltap_hdf5_name(const ltap_hdf5_object *object);
/* Children of a group in the order of their names' bytes; 0 for what is no group. */
size_t ltap_hdf5_count(const ltap_hdf5_object *group);
const ltap_hdf5_object *ltap_hdf5_child(const ltap_hdf5_object *group, size_t index);

typedef struct ltap_hdf5_data {
    ltap_tensor tensor;     /* type and shape, row-major; data NULL */
    uint64_t offset, bytes; /* of the elements in the bytes given to open; checked to lie in them */
} ltap_hdf5_data;

/* Type, shape and place of a dataset's elements: little-endian integers and floats of 1 to 8 bytes,
 * booleans, and bfloat16 as Keras marks it (two opaque bytes, an attribute dtype). */
ltap_status ltap_hdf5_dataset(ltap_hdf5 *file, const ltap_hdf5_object *object, ltap_hdf5_data *data,
                              ltap_error *error);

typedef struct ltap_hdf5_attribute {
    bool found, scalar;
    size_t count;       /* 1 for a scalar; 0: an empty list, which has no kind of its own */
    const char **texts; /* UTF-8, NUL-terminated, without a NUL inside; NULL: numbers */
    size_t *text_bytes; /* their lengths */
    double *numbers;    /* NULL: texts */
    uint64_t offset;    /* where the file speaks of it, in the bytes given to open */
} ltap_hdf5_attribute;

/* An attribute of an object: a scalar or a list of texts or numbers. That there is none is no
 * error: found is false. What it holds lives in the arena. */
ltap_status ltap_hdf5_attribute_read(ltap_hdf5 *file, const ltap_hdf5_object *object,
                                     const char *name, ltap_arena *arena,
                                     ltap_hdf5_attribute *attribute, ltap_error *error);
/* The same for one text; text: NULL where there is no such attribute. */
ltap_status ltap_hdf5_text(ltap_hdf5 *file, const ltap_hdf5_object *object, const char *name,
                           ltap_arena *arena, const char **text, ltap_error *error);

#endif
