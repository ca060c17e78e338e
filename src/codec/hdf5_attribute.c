/* HDF5: attributes in their object's header. Texts are copied out of it, so that they end in a NUL;
 * together they are never longer than the file, for no two share their bytes in a valid one.
 */
#include "base/checked.h"
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include "codec/utf8.h"
#include <string.h>

#define REFERENCE_BYTES 16

/* The parts of an attribute's message, checked to lie in it. */
typedef struct attribute_parts {
    uint64_t name, type, space, data; /* offsets */
    size_t name_bytes, type_bytes, space_bytes, data_bytes;
} attribute_parts;

typedef struct reader {
    ltap_hdf5 *file;
    const ltap_hdf5_message *message;
    const char *name;
    ltap_arena *arena;
    ltap_error *error;
} reader;

/* Takes the next part of a message, padded to 8 in version 1. */
static bool take(uint64_t *at, uint64_t end, size_t bytes, bool padded, uint64_t *part)
{
    size_t padded_bytes = padded ? (bytes + 7) / 8 * 8 : bytes;
    if (padded_bytes > end - *at)
        return false;
    *part = *at;
    *at += padded_bytes;
    return true;
}

static ltap_status find_parts(const ltap_hdf5 *file, const ltap_hdf5_message *message,
                              attribute_parts *parts, ltap_error *error)
{
    const uint8_t *p = file->bytes + message->offset;
    uint64_t end = message->offset + message->bytes;
    if (message->shared || message->bytes < 9 || p[0] < 1 || p[0] > 3)
        return LTAP_HDF5_UNSUPPORTED(file, error, message->offset,
                                     "an attribute that is kept elsewhere or not of version 1 to "
                                     "3");
    uint64_t at = message->offset + (p[0] == 3 ? 9 : 8);
    parts->name_bytes = ltap_load_u16(p + 2);
    parts->type_bytes = ltap_load_u16(p + 4);
    parts->space_bytes = ltap_load_u16(p + 6);
    if (!take(&at, end, parts->name_bytes, p[0] == 1, &parts->name) ||
        !take(&at, end, parts->type_bytes, p[0] == 1, &parts->type) ||
        !take(&at, end, parts->space_bytes, p[0] == 1, &parts->space))
        return LTAP_HDF5_BAD(file, error, message->offset,
                             "the parts of an attribute reach beyond it");
    parts->data = at;
    parts->data_bytes = (size_t)(end - at);
    if (parts->name_bytes == 0 || file->bytes[parts->name + parts->name_bytes - 1] != 0)
        return LTAP_HDF5_BAD(file, error, parts->name, "an attribute's name does not end");
    return LTAP_OK;
}

/* The attribute of a name; found NULL where there is none. */
static ltap_status find_attribute(const ltap_hdf5 *file, const ltap_hdf5_object *object,
                                  const char *name, const ltap_hdf5_message **found,
                                  attribute_parts *parts, ltap_error *error)
{
    const ltap_hdf5_header *header = object->header;
    *found = NULL;
    for (size_t i = 0; header != NULL && i < header->n_messages; i++) {
        const ltap_hdf5_message *message = &header->messages[i];
        if (message->type == LTAP_HDF5_ATTRIBUTE_INFO)
            return LTAP_HDF5_UNSUPPORTED(file, error, message->offset,
                                         "'%s' may keep attributes outside its header "
                                         "(libver='latest'); write it with h5py's defaults",
                                         object->name);
        if (message->type != LTAP_HDF5_ATTRIBUTE || *found)
            continue;
        LTAP_TRY(find_parts(file, message, parts, error));
        if (strcmp((const char *)file->bytes + parts->name, name) == 0)
            *found = message;
    }
    return LTAP_OK;
}

/* Text i in the file, without its padding. */
static ltap_status locate_text(const reader *r, const attribute_parts *parts,
                               const ltap_hdf5_type *type, size_t i, ltap_hdf5_span *text)
{
    if (type->kind == LTAP_HDF5_VARIABLE_TEXT)
        return ltap_hdf5_heap_text(r->file, parts->data + i * REFERENCE_BYTES, text, r->error);
    size_t bytes = type->element_bytes;
    const char *start = (const char *)r->file->bytes + parts->data + i * bytes;
    const char *end = memchr(start, 0, bytes);
    if (end != NULL)
        bytes = (size_t)(end - start);
    while (type->space_padded && bytes > 0 && start[bytes - 1] == ' ')
        bytes--;
    *text = (ltap_hdf5_span){start, bytes};
    return LTAP_OK;
}

static ltap_status copy_text(const reader *r, const ltap_hdf5_span *text, const char **copy)
{
    uint64_t at = (uint64_t)((const uint8_t *)text->text - r->file->bytes);
    if (memchr(text->text, 0, text->bytes) || !ltap_utf8_check(text->text, text->bytes, NULL))
        return LTAP_HDF5_BAD(r->file, r->error, at,
                             "a text of attribute '%s' is not UTF-8, or has a NUL in it", r->name);
    return ltap_arena_text(r->arena, text->text, text->bytes, copy, r->error);
}

static ltap_status read_texts(const reader *r, const attribute_parts *parts,
                              const ltap_hdf5_type *type, ltap_hdf5_attribute *attribute)
{
    void *texts, *lengths;
    uint64_t total = 0;
    LTAP_TRY(ltap_arena_take(r->arena, attribute->count, sizeof(char *), &texts, r->error));
    LTAP_TRY(ltap_arena_take(r->arena, attribute->count, sizeof(size_t), &lengths, r->error));
    attribute->texts = texts;
    attribute->text_bytes = lengths;
    for (size_t i = 0; i < attribute->count; i++) {
        ltap_hdf5_span text;
        LTAP_TRY(locate_text(r, parts, type, i, &text));
        total += text.bytes;
        if (total > r->file->size)
            return LTAP_HDF5_BAD(r->file, r->error, r->message->offset,
                                 "the texts of attribute '%s' are longer than the file", r->name);
        attribute->text_bytes[i] = text.bytes;
        LTAP_TRY(copy_text(r, &text, &attribute->texts[i]));
    }
    return LTAP_OK;
}

static ltap_status read_numbers(const reader *r, const attribute_parts *parts, ltap_dtype dtype,
                                ltap_hdf5_attribute *attribute)
{
    void *block;
    uint8_t element[16] = {0};
    size_t bytes = ltap_dtype_bits(dtype) / 8;
    ltap_tensor one = ltap_tensor_make(dtype, 0, NULL, element);
    LTAP_TRY(ltap_arena_take(r->arena, attribute->count, sizeof(double), &block, r->error));
    attribute->numbers = block;
    for (size_t i = 0; i < attribute->count; i++) {
        memcpy(element, r->file->bytes + parts->data + i * bytes, bytes);
        attribute->numbers[i] = ltap_tensor_double(&one, 0);
    }
    return LTAP_OK;
}

static ltap_status read_elements(const reader *r, const attribute_parts *parts,
                                 ltap_hdf5_attribute *attribute)
{
    ltap_hdf5_space space;
    ltap_hdf5_type type;
    uint64_t bytes;
    LTAP_TRY(
        ltap_hdf5_space_read(r->file, parts->space, parts->space_bytes, r->name, &space, r->error));
    if (space.rank > 1)
        return LTAP_HDF5_UNSUPPORTED(r->file, r->error, parts->space,
                                     "attribute '%s' has %d dimensions; 0 and 1 are read", r->name,
                                     space.rank);
    attribute->scalar = space.rank == 0;
    if (space.count == 0)
        return LTAP_OK;
    LTAP_TRY(
        ltap_hdf5_type_read(r->file, parts->type, parts->type_bytes, r->name, &type, r->error));
    if (!ltap_checked_mul(space.count, type.element_bytes, &bytes) || bytes > parts->data_bytes)
        return LTAP_HDF5_BAD(r->file, r->error, r->message->offset,
                             "attribute '%s' declares more than its %zu bytes", r->name,
                             parts->data_bytes);
    attribute->count = (size_t)space.count;
    if (type.kind == LTAP_HDF5_NUMBER)
        return read_numbers(r, parts, type.dtype, attribute);
    if (type.kind == LTAP_HDF5_OPAQUE)
        return LTAP_HDF5_UNSUPPORTED(r->file, r->error, parts->type,
                                     "attribute '%s' has opaque elements; numbers and texts are "
                                     "read",
                                     r->name);
    return read_texts(r, parts, &type, attribute);
}

ltap_status ltap_hdf5_attribute_read(ltap_hdf5 *file, const ltap_hdf5_object *object,
                                     const char *name, ltap_arena *arena,
                                     ltap_hdf5_attribute *attribute, ltap_error *error)
{
    const ltap_hdf5_message *message;
    attribute_parts parts = {0};
    *attribute = (ltap_hdf5_attribute){.found = false};
    LTAP_TRY(find_attribute(file, object, name, &message, &parts, error));
    if (message == NULL)
        return LTAP_OK;
    if (file->bytes[message->offset] > 1 && (file->bytes[message->offset + 1] & 3) != 0)
        return LTAP_HDF5_UNSUPPORTED(file, error, message->offset,
                                     "attribute '%s' has a type kept elsewhere (a named datatype)",
                                     name);
    attribute->found = true;
    attribute->offset = message->offset;
    reader r = {file, message, name, arena, error};
    return read_elements(&r, &parts, attribute);
}

ltap_status ltap_hdf5_text(ltap_hdf5 *file, const ltap_hdf5_object *object, const char *name,
                           ltap_arena *arena, const char **text, ltap_error *error)
{
    ltap_hdf5_attribute attribute;
    *text = NULL;
    LTAP_TRY(ltap_hdf5_attribute_read(file, object, name, arena, &attribute, error));
    if (!attribute.found)
        return LTAP_OK;
    if (attribute.texts == NULL || attribute.count != 1)
        return LTAP_HDF5_BAD(file, error, attribute.offset, "attribute '%s' is not one text", name);
    *text = attribute.texts[0];
    return LTAP_OK;
}
