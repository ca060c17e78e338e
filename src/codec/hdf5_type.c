/* HDF5: what elements are and how many: the messages that datasets and attributes share. */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include <string.h>

enum {
    CLASS_INTEGER,
    CLASS_FLOAT,
    CLASS_TIME,
    CLASS_TEXT,
    CLASS_BITS,
    CLASS_OPAQUE,
    CLASS_COMPOUND,
    CLASS_REFERENCE,
    CLASS_ENUM,
    CLASS_VARIABLE,
    CLASS_ARRAY
};

static const char *const class_names[16] = {
    "integer", "float",           "time",  "text", "bit field", "opaque", "compound", "reference",
    "enum",    "variable-length", "array",
};

/* The parts of a number's datatype message. */
typedef struct number_parts {
    const uint8_t *properties;
    size_t n_properties;
    uint32_t bits;  /* the class's bit field */
    uint32_t bytes; /* of an element */
} number_parts;

/* Floats by the bits of exponent and mantissa. */
static const struct {
    uint8_t bytes, sign, exponent_at, exponent, mantissa;
    uint32_t bias;
    ltap_dtype dtype;
} floats[] = {
    {2, 15, 10, 5, 10, 15, LTAP_FLOAT16},
    {2, 15, 7, 8, 7, 127, LTAP_BFLOAT16},
    {4, 31, 23, 8, 23, 127, LTAP_FLOAT32},
    {8, 63, 52, 11, 52, 1023, LTAP_FLOAT64},
};
#define N_FLOATS (sizeof floats / sizeof floats[0])

static ltap_dtype float_dtype(const number_parts *n)
{
    const uint8_t *p = n->properties;
    if (n->n_properties < 12 || ltap_load_u16(p) != 0 || ltap_load_u16(p + 2) != n->bytes * 8)
        return LTAP_UNDEFINED;
    for (size_t i = 0; i < N_FLOATS; i++)
        if (floats[i].bytes == n->bytes && floats[i].sign == (n->bits >> 8 & 0xFF) &&
            floats[i].exponent_at == p[4] && floats[i].exponent == p[5] && p[6] == 0 &&
            floats[i].mantissa == p[7] && floats[i].bias == ltap_load_u32(p + 8))
            return floats[i].dtype;
    return LTAP_UNDEFINED;
}

static ltap_dtype integer_dtype(const number_parts *n)
{
    static const ltap_dtype unsigned_types[] = {LTAP_UINT8, LTAP_UINT16, LTAP_UINT32, LTAP_UINT64};
    static const ltap_dtype signed_types[] = {LTAP_INT8, LTAP_INT16, LTAP_INT32, LTAP_INT64};
    const uint8_t *p = n->properties;
    if (n->n_properties < 4 || ltap_load_u16(p) != 0 || ltap_load_u16(p + 2) != n->bytes * 8)
        return LTAP_UNDEFINED;
    for (size_t i = 0; i < 4; i++)
        if (n->bytes == 1u << i)
            return n->bits & 8 ? signed_types[i] : unsigned_types[i];
    return LTAP_UNDEFINED;
}

/* numpy's booleans: an enum of the bytes 0 and 1 with h5py's names. */
static ltap_dtype boolean_dtype(const number_parts *n)
{
    static const uint8_t members[] = "FALSE\0\0\0TRUE\0\0\0\0\0\1";
    const uint8_t *p = n->properties;
    if (n->bytes != 1 || (n->bits & 0xFFFF) != 2 || n->n_properties < 12 + 18)
        return LTAP_UNDEFINED;
    bool a_byte = (p[0] & 15) == CLASS_INTEGER && ltap_load_u32(p + 4) == 1;
    return a_byte && memcmp(p + 12, members, 18) == 0 ? LTAP_BOOL : LTAP_UNDEFINED;
}

static ltap_status refuse_type(const ltap_hdf5 *file, uint64_t offset, const char *who,
                               unsigned kind, uint32_t bytes, ltap_error *error)
{
    const char *name = class_names[kind] ? class_names[kind] : "unknown";
    return LTAP_HDF5_UNSUPPORTED(file, error, offset,
                                 "'%s' has elements of %u bytes of a type (%s) that is not read; "
                                 "integers, floats and booleans of 1 to 8 bytes and texts are",
                                 who, bytes, name);
}

static ltap_status read_number(const ltap_hdf5 *file, uint64_t offset, const char *who,
                               const number_parts *n, ltap_hdf5_type *type, ltap_error *error)
{
    unsigned kind = file->bytes[offset] & 15;
    bool big = kind != CLASS_ENUM && (n->bits & 1) != 0;
    if (big)
        return LTAP_HDF5_UNSUPPORTED(file, error, offset,
                                     "'%s' is big-endian; write it little-endian with h5py: "
                                     "array.astype(array.dtype.newbyteorder('<'))",
                                     who);
    type->kind = LTAP_HDF5_NUMBER;
    type->dtype = kind == CLASS_FLOAT  ? float_dtype(n)
                  : kind == CLASS_ENUM ? boolean_dtype(n)
                                       : integer_dtype(n);
    if (type->dtype == LTAP_UNDEFINED)
        return refuse_type(file, offset, who, kind, n->bytes, error);
    return LTAP_OK;
}

ltap_status ltap_hdf5_type_read(const ltap_hdf5 *file, uint64_t offset, size_t bytes,
                                const char *who, ltap_hdf5_type *type, ltap_error *error)
{
    const uint8_t *p = file->bytes + offset;
    if (bytes < 8 || p[0] >> 4 < 1 || p[0] >> 4 > 3)
        return LTAP_HDF5_BAD(file, error, offset, "'%s' has no datatype of version 1 to 3", who);
    number_parts n = {p + 8, bytes - 8, ltap_load_u32(p) >> 8, ltap_load_u32(p + 4)};
    unsigned kind = p[0] & 15;
    *type = (ltap_hdf5_type){.element_bytes = n.bytes};
    if (n.bytes == 0)
        return LTAP_HDF5_BAD(file, error, offset, "'%s' has elements of 0 bytes", who);
    if (kind == CLASS_INTEGER || kind == CLASS_FLOAT || kind == CLASS_ENUM)
        return read_number(file, offset, who, &n, type, error);
    if (kind == CLASS_TEXT) {
        type->kind = LTAP_HDF5_FIXED_TEXT;
        type->space_padded = (n.bits & 15) == 2;
    } else if (kind == CLASS_VARIABLE && (n.bits & 15) == 1 && n.bytes == 16) {
        type->kind = LTAP_HDF5_VARIABLE_TEXT;
    } else if (kind == CLASS_OPAQUE) {
        type->kind = LTAP_HDF5_OPAQUE;
    } else {
        return refuse_type(file, offset, who, kind, n.bytes, error);
    }
    return LTAP_OK;
}

ltap_status ltap_hdf5_space_read(const ltap_hdf5 *file, uint64_t offset, size_t bytes,
                                 const char *who, ltap_hdf5_space *space, ltap_error *error)
{
    const uint8_t *p = file->bytes + offset;
    if (bytes < 4 || p[0] < 1 || p[0] > 2)
        return LTAP_HDF5_BAD(file, error, offset, "'%s' has no dataspace of version 1 or 2", who);
    size_t start = p[0] == 1 ? 8 : 4;
    int rank = p[1];
    bool nothing = p[0] == 2 && p[3] == 2;
    if (bytes < start + (size_t)rank * 8)
        return LTAP_HDF5_BAD(file, error, offset, "the shape of '%s' is cut short", who);
    if (rank > LTAP_MAX_RANK)
        return LTAP_HDF5_UNSUPPORTED(file, error, offset + 1,
                                     "'%s' has %d dimensions; at most %d are supported", who, rank,
                                     LTAP_MAX_RANK);
    *space = (ltap_hdf5_space){.rank = nothing ? -1 : rank};
    for (int i = 0; i < rank; i++) {
        uint64_t dim = ltap_load_u64(p + start + (size_t)i * 8);
        if (dim > INT64_MAX)
            return LTAP_HDF5_BAD(file, error, offset + start + (size_t)i * 8,
                                 "'%s' has a dimension of %llu", who, (unsigned long long)dim);
        space->dims[i] = (int64_t)dim;
    }
    if (!nothing && !ltap_dims_count(rank, space->dims, &space->count))
        return LTAP_HDF5_BAD(file, error, offset, "the shape of '%s' is too large for any memory",
                             who);
    return LTAP_OK;
}
