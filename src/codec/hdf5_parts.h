/* What the files of the HDF5 reader share: where things are, found once; what they mean, on demand.
 *
 * Addresses are offsets from the first byte. Every access goes through `ltap_hdf5_at`. Structure is
 * paid for by `ltap_hdf5_spend`: a valid file's parts do not overlap, so all that was read is never
 * more than there is, and a file in which parts lead in circles runs out.
 */
#ifndef LTAP_CODEC_HDF5_PARTS_H
#define LTAP_CODEC_HDF5_PARTS_H

#include "base/map.h"
#include "base/vector.h"
#include "codec/hdf5.h"

/* Messages of an object's header, by their numbers in the format. */
enum {
    LTAP_HDF5_DATASPACE = 0x01,
    LTAP_HDF5_LINK_INFO = 0x02,
    LTAP_HDF5_DATATYPE = 0x03,
    LTAP_HDF5_LINK = 0x06,
    LTAP_HDF5_EXTERNAL = 0x07,
    LTAP_HDF5_LAYOUT = 0x08,
    LTAP_HDF5_FILTERS = 0x0B,
    LTAP_HDF5_ATTRIBUTE = 0x0C,
    LTAP_HDF5_CONTINUATION = 0x10,
    LTAP_HDF5_SYMBOLS = 0x11,
    LTAP_HDF5_ATTRIBUTE_INFO = 0x15,
};

typedef struct ltap_hdf5_message {
    uint64_t offset; /* of its data, which lies in the file */
    uint16_t bytes, type;
    bool shared; /* the data only say where another object keeps it */
} ltap_hdf5_message;

/* An object's header; objects of several names share it. */
typedef struct ltap_hdf5_header {
    uint64_t offset;
    ltap_hdf5_message *messages; /* those that matter here, in the order of the file */
    size_t n_messages;
    bool is_group;
} ltap_hdf5_header;

struct ltap_hdf5_object {
    const char *name;               /* in the file */
    const ltap_hdf5_header *header; /* NULL: a soft link */
    uint64_t entry;                 /* where its group speaks of it */
    ltap_hdf5_object *children;     /* in the order of their names */
    size_t n_children;
    int depth;
};

/* A collection of the global heap: its objects in the order of their numbers. */
typedef struct ltap_hdf5_heap {
    uint64_t address;
    struct ltap_hdf5_heap_object {
        uint64_t offset, bytes;
        uint16_t number;
    } * objects;
    size_t n_objects;
} ltap_hdf5_heap;

struct ltap_hdf5 {
    const uint8_t *bytes; /* borrowed */
    uint64_t size, base;
    uint64_t spent; /* bytes of structure read so far */
    ltap_memory *memory;
    ltap_arena arena;
    ltap_hdf5_object root;
    ltap_map headers;     /* address of a header -> index into read */
    ltap_map collections; /* address of a global heap collection -> index into heaps */
    ltap_vector read;     /* ltap_hdf5_header * */
    ltap_vector heaps;    /* ltap_hdf5_heap * */
};

#define LTAP_HDF5_REPACK "repack it: h5repack -f NONE -l CONTI OLD NEW"

/* LTAP_ERROR_FORMAT and LTAP_ERROR_UNSUPPORTED at an offset in the bytes, in front "HDF5: ". */
#define LTAP_HDF5_BAD(file, error, at, ...)                                                        \
    ltap_error_at(error, LTAP_ERROR_FORMAT, (file)->base + (at), "HDF5: " __VA_ARGS__)
#define LTAP_HDF5_UNSUPPORTED(file, error, at, ...)                                                \
    ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, (file)->base + (at), "HDF5: " __VA_ARGS__)

/* The bytes at an offset; NULL when not that many are there. */
const uint8_t *ltap_hdf5_at(const ltap_hdf5 *file, uint64_t offset, uint64_t count);
/* The same, for structure that is read once. what: its name in the error. */
ltap_status ltap_hdf5_spend(ltap_hdf5 *file, uint64_t offset, uint64_t count, const char *what,
                            const uint8_t **bytes, ltap_error *error);

/* The header at an address. from: who points at it. known: it was read before, for another name. */
ltap_status ltap_hdf5_header_read(ltap_hdf5 *file, uint64_t address, uint64_t from,
                                  const ltap_hdf5_header **header, bool *known, ltap_error *error);
/* The first message of a type; NULL: there is none. */
const ltap_hdf5_message *ltap_hdf5_message_find(const ltap_hdf5_header *header, unsigned type);

/* Reads the children of a group whose header is known. */
ltap_status ltap_hdf5_group_read(ltap_hdf5 *file, ltap_hdf5_object *group, ltap_error *error);

typedef enum ltap_hdf5_class {
    LTAP_HDF5_NUMBER,
    LTAP_HDF5_FIXED_TEXT,    /* element_bytes each */
    LTAP_HDF5_VARIABLE_TEXT, /* a reference into the global heap each */
    LTAP_HDF5_OPAQUE,
} ltap_hdf5_class;

typedef struct ltap_hdf5_type {
    ltap_hdf5_class kind;
    ltap_dtype dtype; /* of a number */
    uint32_t element_bytes;
    bool space_padded;
} ltap_hdf5_type;

typedef struct ltap_hdf5_space {
    int rank; /* -1: no elements at all */
    int64_t dims[LTAP_MAX_RANK];
    uint64_t count;
} ltap_hdf5_space;

/* What a datatype or dataspace message of so many bytes at an offset, which are there, says. who:
 * whose it is, in errors. */
ltap_status ltap_hdf5_type_read(const ltap_hdf5 *file, uint64_t offset, size_t bytes,
                                const char *who, ltap_hdf5_type *type, ltap_error *error);
ltap_status ltap_hdf5_space_read(const ltap_hdf5 *file, uint64_t offset, size_t bytes,
                                 const char *who, ltap_hdf5_space *space, ltap_error *error);

typedef struct ltap_hdf5_span {
    const char *text; /* in the file */
    size_t bytes;
} ltap_hdf5_span;

/* The text that a reference (16 bytes, which are there) into the global heap means. */
ltap_status ltap_hdf5_heap_text(ltap_hdf5 *file, uint64_t reference, ltap_hdf5_span *text,
                                ltap_error *error);

#endif
