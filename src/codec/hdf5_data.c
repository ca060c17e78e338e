/* HDF5: where a dataset keeps its elements. */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include <string.h>

#define UNDEFINED UINT64_MAX

/* Where the elements lie, as the layout says. */
static ltap_status read_layout(const ltap_hdf5 *file, const ltap_hdf5_message *layout,
                               const char *who, ltap_hdf5_data *data, ltap_error *error)
{
    static const char *const kinds[] = {"compact", "contiguous", "chunked", "virtual"};
    const uint8_t *p = file->bytes + layout->offset;
    if (layout->bytes < 4 || p[0] < 3 || p[0] > 4)
        return LTAP_HDF5_UNSUPPORTED(
            file, error, layout->offset,
            "'%s' has a layout of version %u; 3 and 4 are read; " LTAP_HDF5_REPACK, who,
            layout->bytes > 0 ? p[0] : 0);
    if (p[1] > 1)
        return LTAP_HDF5_UNSUPPORTED(file, error, layout->offset,
                                     "'%s' is %s; it must lie in one piece; " LTAP_HDF5_REPACK, who,
                                     p[1] < 4 ? kinds[p[1]] : "laid out in an unknown way");
    if (p[1] == 0) {
        data->offset = layout->offset + 4;
        data->bytes = ltap_load_u16(p + 2);
        if (data->bytes > layout->bytes - 4u)
            return LTAP_HDF5_BAD(file, error, layout->offset,
                                 "'%s' declares more elements than its header holds", who);
        return LTAP_OK;
    }
    if (layout->bytes < 18)
        return LTAP_HDF5_BAD(file, error, layout->offset, "the layout of '%s' is cut short", who);
    data->offset = ltap_load_u64(p + 2);
    data->bytes = ltap_load_u64(p + 10);
    return LTAP_OK;
}

static ltap_status check_place(const ltap_hdf5 *file, const ltap_hdf5_message *layout,
                               const char *who, ltap_hdf5_data *data, ltap_error *error)
{
    uint64_t count = 0, expected;
    if (!ltap_dims_count(data->tensor.rank, data->tensor.dims, &count) ||
        !ltap_dtype_bytes(data->tensor.dtype, count, &expected))
        return LTAP_HDF5_BAD(file, error, layout->offset,
                             "the shape of '%s' is too large for any memory", who);
    if (expected == 0) {
        data->offset = data->bytes = 0;
        return LTAP_OK;
    }
    if (data->offset == UNDEFINED)
        return LTAP_HDF5_UNSUPPORTED(file, error, layout->offset,
                                     "'%s' was never written: the file has no elements of it", who);
    if (data->bytes != expected)
        return LTAP_HDF5_BAD(file, error, layout->offset,
                             "'%s': %s takes %llu bytes, the file declares %llu", who,
                             ltap_tensor_text(&data->tensor).text, (unsigned long long)expected,
                             (unsigned long long)data->bytes);
    if (!ltap_hdf5_at(file, data->offset, data->bytes))
        return LTAP_HDF5_BAD(file, error, layout->offset,
                             "'%s': %llu bytes at %llu reach beyond the end at %llu", who,
                             (unsigned long long)data->bytes, (unsigned long long)data->offset,
                             (unsigned long long)file->size);
    return LTAP_OK;
}

/* What a dataset's header must and must not hold. */
static ltap_status check_header(const ltap_hdf5 *file, const ltap_hdf5_object *object,
                                ltap_error *error)
{
    static const struct {
        unsigned type;
        const char *what;
    } refused[] = {
        {LTAP_HDF5_EXTERNAL, "keeps its elements in another file, which is never opened"},
        {LTAP_HDF5_FILTERS, "is compressed or otherwise filtered"},
    };
    static const unsigned needed[] = {LTAP_HDF5_DATATYPE, LTAP_HDF5_DATASPACE, LTAP_HDF5_LAYOUT};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const ltap_hdf5_message *found = ltap_hdf5_message_find(object->header, refused[i].type);
        if (found != NULL)
            return LTAP_HDF5_UNSUPPORTED(file, error, found->offset, "'%s' %s; " LTAP_HDF5_REPACK,
                                         object->name, refused[i].what);
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        const ltap_hdf5_message *found = ltap_hdf5_message_find(object->header, needed[i]);
        if (found == NULL)
            return LTAP_HDF5_BAD(file, error, object->header->offset, "'%s' is no dataset",
                                 object->name);
        if (found->shared)
            return LTAP_HDF5_UNSUPPORTED(file, error, found->offset,
                                         "'%s' has a type kept elsewhere (a named datatype)",
                                         object->name);
    }
    return LTAP_OK;
}

/* Keras keeps bfloat16 as two bytes without a meaning, and says so beside them. */
static ltap_status settle_opaque(ltap_hdf5 *file, const ltap_hdf5_object *object,
                                 ltap_hdf5_type *type, ltap_error *error)
{
    const char *name;
    LTAP_TRY(ltap_hdf5_text(file, object, "dtype", &file->arena, &name, error));
    if (name == NULL || strcmp(name, "bfloat16") != 0 || type->element_bytes != 2)
        return LTAP_HDF5_UNSUPPORTED(file, error, object->header->offset,
                                     "'%s' has opaque elements of %u bytes%s%s; only bfloat16 is "
                                     "read of such",
                                     object->name, type->element_bytes, name ? ", dtype " : "",
                                     name ? name : "");
    type->kind = LTAP_HDF5_NUMBER;
    type->dtype = LTAP_BFLOAT16;
    return LTAP_OK;
}

static ltap_status read_tensor(ltap_hdf5 *file, const ltap_hdf5_object *object, ltap_tensor *tensor,
                               ltap_error *error)
{
    const ltap_hdf5_message *datatype = ltap_hdf5_message_find(object->header, LTAP_HDF5_DATATYPE);
    const ltap_hdf5_message *dataspace =
        ltap_hdf5_message_find(object->header, LTAP_HDF5_DATASPACE);
    ltap_hdf5_type type;
    ltap_hdf5_space space;
    LTAP_TRY(
        ltap_hdf5_type_read(file, datatype->offset, datatype->bytes, object->name, &type, error));
    LTAP_TRY(ltap_hdf5_space_read(file, dataspace->offset, dataspace->bytes, object->name, &space,
                                  error));
    if (type.kind == LTAP_HDF5_OPAQUE)
        LTAP_TRY(settle_opaque(file, object, &type, error));
    if (type.kind != LTAP_HDF5_NUMBER)
        return LTAP_HDF5_UNSUPPORTED(file, error, datatype->offset,
                                     "'%s' has elements that are texts; numbers are read",
                                     object->name);
    if (space.rank < 0)
        return LTAP_HDF5_UNSUPPORTED(file, error, dataspace->offset,
                                     "'%s' is an empty dataset, without even a shape",
                                     object->name);
    *tensor = ltap_tensor_make(type.dtype, space.rank, space.dims, NULL);
    return LTAP_OK;
}

ltap_status ltap_hdf5_dataset(ltap_hdf5 *file, const ltap_hdf5_object *object, ltap_hdf5_data *data,
                              ltap_error *error)
{
    if (object->header == NULL)
        return LTAP_HDF5_UNSUPPORTED(file, error, object->entry,
                                     "'%s' is a soft link, which is not followed; copy it: h5copy "
                                     "-f soft,ext -i OLD -o NEW -s / -d /NAME",
                                     object->name);
    LTAP_TRY(check_header(file, object, error));
    LTAP_TRY(read_tensor(file, object, &data->tensor, error));
    const ltap_hdf5_message *layout = ltap_hdf5_message_find(object->header, LTAP_HDF5_LAYOUT);
    LTAP_TRY(read_layout(file, layout, object->name, data, error));
    return check_place(file, layout, object->name, data, error);
}
