/* The safetensors header, read with every check of the reference reader and written so that every
 * reader takes it. Holes and overlaps are excluded by walking the tensors in the order of their
 * data: each must begin where the one before ended. No data is touched here.
 */
#include "codec/safetensors.h"
#include "base/checked.h"
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/json.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    ltap_dtype dtype;
} types[] = {
    {"F32", LTAP_FLOAT32},
    {"F16", LTAP_FLOAT16},
    {"BF16", LTAP_BFLOAT16},
    {"F64", LTAP_FLOAT64},
    {"I64", LTAP_INT64},
    {"I32", LTAP_INT32},
    {"I16", LTAP_INT16},
    {"I8", LTAP_INT8},
    {"U64", LTAP_UINT64},
    {"U32", LTAP_UINT32},
    {"U16", LTAP_UINT16},
    {"U8", LTAP_UINT8},
    {"BOOL", LTAP_BOOL},
    {"C64", LTAP_COMPLEX64},
    {"F8_E4M3", LTAP_FLOAT8E4M3FN},
    {"F8_E4M3FNUZ", LTAP_FLOAT8E4M3FNUZ},
    {"F8_E5M2", LTAP_FLOAT8E5M2},
    {"F8_E5M2FNUZ", LTAP_FLOAT8E5M2FNUZ},
    {"F8_E8M0", LTAP_FLOAT8E8M0},
};
#define N_TYPES (sizeof types / sizeof types[0])

static const char metadata_key[] = "__metadata__";

typedef struct reader {
    ltap_arena *arena;
    ltap_safetensors *file;
    uint64_t data; /* where the data begin */
    uint64_t size;
    ltap_error *error;
} reader;

bool ltap_safetensors_probe(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    return size >= 9 && p[8] == '{' && ltap_load_u64(p) >= 2 &&
           ltap_load_u64(p) <= LTAP_SAFETENSORS_MAX_HEADER;
}

/* A member of a tensor's description, of the kind that it must have. */
static ltap_status member(reader *r, const ltap_json *about, const char *key, ltap_json_kind kind,
                          const ltap_json **value)
{
    *value = ltap_json_find(about, key);
    if (!*value)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, about->offset, "tensor '%s' has no %s",
                             about->key, key);
    if ((*value)->kind != kind)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, (*value)->offset,
                             "tensor '%s': %s is %s; expected %s", about->key, key,
                             ltap_json_kind_name((*value)->kind), ltap_json_kind_name(kind));
    return LTAP_OK;
}

static ltap_status read_dtype(reader *r, const ltap_json *about, ltap_safetensors_entry *entry)
{
    const ltap_json *dtype;
    LTAP_TRY(member(r, about, "dtype", LTAP_JSON_STRING, &dtype));
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, dtype->text) == 0) {
            entry->tensor.dtype = types[i].dtype;
            return LTAP_OK;
        }
    return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, dtype->offset,
                         "tensor '%s' has elements of type '%s', which layertap does not know",
                         about->key, dtype->text);
}

static ltap_status natural(reader *r, const ltap_json *about, const ltap_json *number)
{
    if (number->kind == LTAP_JSON_INT && number->integer >= 0)
        return LTAP_OK;
    return ltap_error_at(r->error, LTAP_ERROR_FORMAT, number->offset,
                         "tensor '%s': expected an integer from 0 to 2^63-1", about->key);
}

static ltap_status read_shape(reader *r, const ltap_json *about, ltap_safetensors_entry *entry)
{
    const ltap_json *shape;
    LTAP_TRY(member(r, about, "shape", LTAP_JSON_ARRAY, &shape));
    if (shape->count > LTAP_MAX_RANK)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, shape->offset,
                             "tensor '%s' has %zu dimensions; at most %d are supported", about->key,
                             shape->count, LTAP_MAX_RANK);
    for (const ltap_json *dim = shape->first; dim; dim = dim->next) {
        LTAP_TRY(natural(r, about, dim));
        entry->tensor.dims[entry->tensor.rank++] = dim->integer;
    }
    return LTAP_OK;
}

static ltap_status read_offsets(reader *r, const ltap_json *about, ltap_safetensors_entry *entry)
{
    const ltap_json *offsets;
    uint64_t count, bytes;
    LTAP_TRY(member(r, about, "data_offsets", LTAP_JSON_ARRAY, &offsets));
    if (offsets->count != 2)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, offsets->offset,
                             "tensor '%s': data_offsets has %zu numbers; expected [begin, end]",
                             about->key, offsets->count);
    const ltap_json *begin = offsets->first, *end = begin->next;
    LTAP_TRY(natural(r, about, begin));
    LTAP_TRY(natural(r, about, end));
    if (!ltap_dims_count(entry->tensor.rank, entry->tensor.dims, &count) ||
        !ltap_dtype_bytes(entry->tensor.dtype, count, &bytes))
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, about->offset,
                             "tensor '%s': its shape is too large for any memory", about->key);
    if (end->integer < begin->integer || (uint64_t)(end->integer - begin->integer) != bytes)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, offsets->offset,
                             "tensor '%s': %s takes %llu bytes, data_offsets are [%lld, %lld]",
                             about->key, ltap_tensor_text(&entry->tensor).text,
                             (unsigned long long)bytes, (long long)begin->integer,
                             (long long)end->integer);
    if ((uint64_t)end->integer > r->size - r->data)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, end->offset,
                             "tensor '%s' ends at byte %lld of the data, which has %llu",
                             about->key, (long long)end->integer,
                             (unsigned long long)(r->size - r->data));
    entry->offset = r->data + (uint64_t)begin->integer;
    entry->bytes = bytes;
    return LTAP_OK;
}

static ltap_status read_entry(reader *r, const ltap_json *about)
{
    ltap_safetensors_entry *entry = &r->file->entries[r->file->n_entries++];
    if (about->kind != LTAP_JSON_OBJECT)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, about->offset,
                             "tensor '%s' is described by %s; expected an object", about->key,
                             ltap_json_kind_name(about->kind));
    entry->name = about->key;
    entry->header_offset = about->offset;
    LTAP_TRY(read_dtype(r, about, entry));
    LTAP_TRY(read_shape(r, about, entry));
    return read_offsets(r, about, entry);
}

static ltap_status read_metadata(reader *r, const ltap_json *about)
{
    void *block;
    if (about->kind != LTAP_JSON_OBJECT)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, about->offset,
                             "__metadata__ is %s; expected an object of strings",
                             ltap_json_kind_name(about->kind));
    LTAP_TRY(ltap_arena_take(r->arena, about->count, sizeof(ltap_safetensors_metadata), &block,
                             r->error));
    r->file->metadata = block;
    for (const ltap_json *m = about->first; m; m = m->next) {
        if (m->kind != LTAP_JSON_STRING)
            return ltap_error_at(r->error, LTAP_ERROR_FORMAT, m->offset,
                                 "__metadata__: '%s' is %s; expected a string", m->key,
                                 ltap_json_kind_name(m->kind));
        r->file->metadata[r->file->n_metadata++] = (ltap_safetensors_metadata){m->key, m->text};
    }
    return LTAP_OK;
}

static int by_place(const void *a, const void *b)
{
    const ltap_safetensors_entry *x = *(const ltap_safetensors_entry *const *)a;
    const ltap_safetensors_entry *y = *(const ltap_safetensors_entry *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static ltap_status check_places(reader *r)
{
    size_t n = r->file->n_entries;
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, n, sizeof(void *), &block, r->error));
    const ltap_safetensors_entry **sorted = block;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &r->file->entries[i];
    qsort(sorted, n, sizeof *sorted, by_place);
    uint64_t end = r->data;
    for (size_t i = 0; i < n; i++) {
        if (sorted[i]->offset != end)
            return ltap_error_at(r->error, LTAP_ERROR_FORMAT, sorted[i]->header_offset,
                                 "tensor '%s' begins at byte %llu of the data; expected %llu, "
                                 "without holes or overlaps",
                                 sorted[i]->name, (unsigned long long)(sorted[i]->offset - r->data),
                                 (unsigned long long)(end - r->data));
        end += sorted[i]->bytes;
    }
    if (end != r->size)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, end, "%llu bytes behind the last tensor",
                             (unsigned long long)(r->size - end));
    return LTAP_OK;
}

static ltap_status check_start(const uint8_t *bytes, size_t size, uint64_t *length,
                               ltap_error *error)
{
    if (size < 9)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, size,
                             "a safetensors file of %zu bytes is cut short", size);
    *length = ltap_load_u64(bytes);
    if (*length > LTAP_SAFETENSORS_MAX_HEADER || *length > size - 8)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                             "the header declares %llu bytes, the file has %zu behind it",
                             (unsigned long long)*length, size - 8);
    if (*length == 0 || bytes[8] != '{')
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 8, "expected a JSON header that begins '{'");
    return LTAP_OK;
}

ltap_status ltap_safetensors_parse(const void *bytes, size_t size, ltap_arena *arena,
                                   ltap_safetensors *file, ltap_error *error)
{
    const ltap_json *header;
    uint64_t length = 0;
    void *block;
    memset(file, 0, sizeof *file);
    LTAP_TRY(check_start(bytes, size, &length, error));
    LTAP_TRY(ltap_json_parse((const char *)bytes + 8, (size_t)length, 8, arena, &header, error));
    LTAP_TRY(ltap_arena_take(arena, header->count, sizeof *file->entries, &block, error));
    file->entries = block;
    reader r = {arena, file, 8 + length, size, error};
    for (const ltap_json *m = header->first; m; m = m->next)
        LTAP_TRY(strcmp(m->key, metadata_key) == 0 ? read_metadata(&r, m) : read_entry(&r, m));
    return check_places(&r);
}

static const char *type_name(ltap_dtype dtype)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].dtype == dtype)
            return types[i].name;
    return NULL;
}

/* Data in order of falling width: sizes are multiples of the width, so all stay aligned. */
static ltap_status place(ltap_safetensors_entry *entries, size_t n_entries, ltap_error *error)
{
    uint64_t end = 0;
    for (unsigned bits = 64; bits >= 8; bits /= 2)
        for (size_t i = 0; i < n_entries; i++) {
            ltap_safetensors_entry *entry = &entries[i];
            if (ltap_dtype_bits(entry->tensor.dtype) != bits)
                continue;
            entry->offset = end;
            entry->bytes = ltap_tensor_bytes(&entry->tensor);
            if (!ltap_checked_add(end, entry->bytes, &end) || end > INT64_MAX)
                return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "more than 2^63 bytes of data");
        }
    return LTAP_OK;
}

static ltap_status describe(const ltap_safetensors_entry *entry, ltap_vector *header,
                            ltap_error *error)
{
    LTAP_TRY(ltap_json_quote(header, entry->name, strlen(entry->name), error));
    LTAP_TRY(ltap_text_format(header, error, ":{\"dtype\":\"%s\",\"shape\":[",
                              type_name(entry->tensor.dtype)));
    for (int i = 0; i < entry->tensor.rank; i++)
        LTAP_TRY(ltap_text_format(header, error, "%s%lld", i ? "," : "",
                                  (long long)entry->tensor.dims[i]));
    return ltap_text_format(header, error, "],\"data_offsets\":[%llu,%llu]}",
                            (unsigned long long)entry->offset,
                            (unsigned long long)(entry->offset + entry->bytes));
}

static ltap_status check_entry(const ltap_safetensors_entry *entry, ltap_error *error)
{
    if (strcmp(entry->name, metadata_key) == 0)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "safetensors keeps the name '__metadata__' for itself; choose another");
    if (!type_name(entry->tensor.dtype))
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "'%s': safetensors has no type for %s",
                              entry->name, ltap_dtype_name(entry->tensor.dtype));
    return LTAP_OK;
}

ltap_status ltap_safetensors_header(ltap_safetensors_entry *entries, size_t n_entries,
                                    ltap_vector *header, ltap_error *error)
{
    for (size_t i = 0; i < n_entries; i++)
        LTAP_TRY(check_entry(&entries[i], error));
    LTAP_TRY(place(entries, n_entries, error));
    LTAP_TRY(ltap_text_append(header, "\0\0\0\0\0\0\0\0{", 9, error));
    for (size_t i = 0; i < n_entries; i++) {
        if (i)
            LTAP_TRY(ltap_text_append(header, ",", 1, error));
        LTAP_TRY(describe(&entries[i], header, error));
    }
    LTAP_TRY(ltap_text_append(header, "}", 1, error));
    while (header->count % 8)
        LTAP_TRY(ltap_text_append(header, " ", 1, error));
    if (header->count - 8 > LTAP_SAFETENSORS_MAX_HEADER)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "the safetensors header would pass 100 MB; write fewer features");
    ltap_store_u64(header->data, header->count - 8);
    for (size_t i = 0; i < n_entries; i++)
        entries[i].offset += header->count;
    return LTAP_OK;
}
