/* The zip directory, read from its end: end record, ZIP64 end record where there is one, central
 * headers, and for each its local header. Every fact is checked where it is read; what two places
 * say must agree. Offsets are bounded once, in `bytes_at`. Data is handled in zip_data.c.
 */
#include "codec/zip.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/map.h"
#include "codec/bytes.h"
#include "codec/utf8.h"
#include <stdlib.h>
#include <string.h>

#define LOCAL_SIGNATURE   0x04034b50u
#define CENTRAL_SIGNATURE 0x02014b50u
#define END_SIGNATURE     0x06054b50u
#define END64_SIGNATURE   0x06064b50u
#define LOCATOR_SIGNATURE 0x07064b50u
#define LOCAL_BYTES       30
#define CENTRAL_BYTES     46
#define END_BYTES         22
#define END64_BYTES       56
#define LOCATOR_BYTES     20
#define FLAG_ENCRYPTED    0x0001u
#define FLAG_SIZES_FOLLOW 0x0008u
#define FLAG_STRONG       0x2040u
#define DEFLATE_MAX_RATIO 1032u
#define SATURATED32       0xFFFFFFFFu

typedef struct reader {
    ltap_zip *zip;
    ltap_arena *arena;
    ltap_error *error;
    uint64_t directory, directory_bytes, n_entries;
    uint64_t end; /* where the end records begin: the directory must reach it */
} reader;

static ltap_status fail(reader *r, uint64_t at, const char *what)
{
    return ltap_error_at(r->error, LTAP_ERROR_FORMAT, at, "%s", what);
}

/* The bytes at an offset, NULL when not that many are there. */
static const uint8_t *bytes_at(const reader *r, uint64_t offset, uint64_t count)
{
    uint64_t end;
    if (!ltap_checked_add(offset, count, &end) || end > r->zip->size)
        return NULL;
    return r->zip->bytes + offset;
}

bool ltap_zip_probe(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    return size >= 4 && (ltap_load_u32(p) == LOCAL_SIGNATURE || ltap_load_u32(p) == END_SIGNATURE);
}

/* The last end signature; its comment must reach exactly to the end of the file. */
static ltap_status find_end(reader *r, uint64_t *at)
{
    uint64_t size = r->zip->size;
    uint64_t lowest = size > END_BYTES + 0xFFFF ? size - END_BYTES - 0xFFFF : 0;
    for (uint64_t i = size < END_BYTES ? 0 : size - END_BYTES + 1; i-- > lowest;) {
        const uint8_t *p = r->zip->bytes + i;
        if (ltap_load_u32(p) != END_SIGNATURE)
            continue;
        *at = i;
        if (i + END_BYTES + ltap_load_u16(p + 20) == size)
            return LTAP_OK;
        return fail(r, i + 20, "zip: the comment does not end where the file does");
    }
    return fail(r, size, "zip: no end record; the file is cut short");
}

/* Where a ZIP64 end record is there, it replaces the fields that could not hold their number and
 * must agree with those that could. */
static ltap_status read_end64(reader *r, const uint8_t *end, uint64_t locator)
{
    const uint8_t *l = r->zip->bytes + locator;
    uint64_t at = ltap_load_u64(l + 8);
    const uint8_t *p = bytes_at(r, at, END64_BYTES);
    if (ltap_load_u32(l + 4) != 0 || ltap_load_u32(l + 16) != 1)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, locator,
                             "zip: an archive over several disks");
    if (!p || ltap_load_u32(p) != END64_SIGNATURE || at > locator ||
        ltap_load_u64(p + 4) != locator - at - 12)
        return fail(r, locator + 8, "zip: the ZIP64 end record is not where its locator says");
    if (ltap_load_u32(p + 16) != 0 || ltap_load_u32(p + 20) != 0 ||
        ltap_load_u64(p + 24) != ltap_load_u64(p + 32))
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, at,
                             "zip: an archive over several disks");
    uint16_t n = ltap_load_u16(end + 10);
    uint32_t size = ltap_load_u32(end + 12), offset = ltap_load_u32(end + 16);
    r->n_entries = ltap_load_u64(p + 32);
    r->directory_bytes = ltap_load_u64(p + 40);
    r->directory = ltap_load_u64(p + 48);
    r->end = at;
    if ((n != 0xFFFF && n != r->n_entries) || (size != SATURATED32 && size != r->directory_bytes) ||
        (offset != SATURATED32 && offset != r->directory))
        return fail(r, at, "zip: the two end records disagree");
    return LTAP_OK;
}

static ltap_status read_end(reader *r)
{
    uint64_t at = 0, reach;
    LTAP_TRY(find_end(r, &at));
    const uint8_t *p = r->zip->bytes + at;
    r->end = at;
    r->n_entries = ltap_load_u16(p + 10);
    r->directory_bytes = ltap_load_u32(p + 12);
    r->directory = ltap_load_u32(p + 16);
    bool has_locator = at >= LOCATOR_BYTES && ltap_load_u32(p - LOCATOR_BYTES) == LOCATOR_SIGNATURE;
    if (has_locator)
        LTAP_TRY(read_end64(r, p, at - LOCATOR_BYTES));
    if (ltap_load_u16(p + 4) != 0 || ltap_load_u16(p + 6) != 0 ||
        ltap_load_u16(p + 8) != ltap_load_u16(p + 10))
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, at,
                             "zip: an archive over several disks");
    if (!ltap_checked_add(r->directory, r->directory_bytes, &reach) || reach != r->end)
        return fail(r, at + 12, "zip: the directory does not end where the end record begins");
    if (r->n_entries > r->directory_bytes / CENTRAL_BYTES)
        return fail(r, at + 10, "zip: more entries declared than the directory has room for");
    return LTAP_OK;
}

/* Finds the ZIP64 field among extra fields; *field is NULL where there is none. */
static ltap_status find_zip64(reader *r, const uint8_t *extra, size_t bytes, const uint8_t **field,
                              size_t *field_bytes)
{
    *field = NULL;
    *field_bytes = 0;
    for (size_t at = 0; bytes - at >= 4;) {
        size_t n = ltap_load_u16(extra + at + 2);
        uint64_t offset = (uint64_t)(extra - r->zip->bytes) + at;
        if (n > bytes - at - 4)
            return fail(r, offset, "zip: an extra field reaches beyond its header");
        if (ltap_load_u16(extra + at) == 1) {
            if (*field)
                return fail(r, offset, "zip: two ZIP64 fields in one header");
            *field = extra + at + 4;
            *field_bytes = n;
        }
        at += 4 + n;
    }
    return LTAP_OK;
}

/* Takes the next number of a ZIP64 field for each value that is saturated. */
static ltap_status widen(reader *r, const uint8_t *extra, size_t extra_bytes, uint64_t **values,
                         size_t n_values)
{
    const uint8_t *field;
    size_t left;
    LTAP_TRY(find_zip64(r, extra, extra_bytes, &field, &left));
    for (size_t i = 0; i < n_values; i++) {
        if (*values[i] != SATURATED32)
            continue;
        if (left < 8)
            return fail(r, (uint64_t)(extra - r->zip->bytes),
                        "zip: a size of 4294967295 without its ZIP64 field");
        *values[i] = ltap_load_u64(field);
        field += 8;
        left -= 8;
    }
    return LTAP_OK;
}

static ltap_status check_method(reader *r, uint64_t at, unsigned method, unsigned flags)
{
    if (flags & (FLAG_ENCRYPTED | FLAG_STRONG))
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, at, "zip: an encrypted entry");
    if (method != 0 && method != 8)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, at,
                             "zip: compression method %u; only stored (0) and deflate (8) are read",
                             method);
    return LTAP_OK;
}

static ltap_status check_name(reader *r, uint64_t at, const uint8_t *name, size_t bytes)
{
    if (bytes == 0)
        return fail(r, at, "zip: an entry without a name");
    if (memchr(name, 0, bytes))
        return fail(r, at, "zip: an entry's name has a NUL in it");
    if (!ltap_utf8_check(name, bytes, NULL))
        return fail(r, at, "zip: an entry's name is not UTF-8");
    return LTAP_OK;
}

static ltap_status check_sizes(reader *r, const ltap_zip_entry *entry)
{
    if (!entry->deflated && entry->packed_bytes != entry->bytes)
        return fail(r, entry->central_offset + 20, "zip: a stored entry with two different sizes");
    if (entry->deflated && entry->bytes / DEFLATE_MAX_RATIO > entry->packed_bytes)
        return ltap_error_at(
            r->error, LTAP_ERROR_FORMAT, entry->central_offset + 24,
            "zip: '%s' declares %llu bytes; its %llu packed bytes cannot hold them", entry->name,
            (unsigned long long)entry->bytes, (unsigned long long)entry->packed_bytes);
    return LTAP_OK;
}

static ltap_status read_central(reader *r, uint64_t *at, ltap_zip_entry *entry)
{
    const uint8_t *p = bytes_at(r, *at, CENTRAL_BYTES);
    if (!p || *at + CENTRAL_BYTES > r->end || ltap_load_u32(p) != CENTRAL_SIGNATURE)
        return fail(r, *at, "zip: expected a directory entry");
    size_t name_bytes = ltap_load_u16(p + 28), extra_bytes = ltap_load_u16(p + 30);
    uint64_t next = *at + CENTRAL_BYTES + name_bytes + extra_bytes + ltap_load_u16(p + 32);
    if (next > r->end)
        return fail(r, *at + 28, "zip: a directory entry reaches beyond the directory");
    if (ltap_load_u16(p + 34) != 0)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, *at + 34,
                             "zip: an archive over several disks");
    LTAP_TRY(check_method(r, *at + 8, ltap_load_u16(p + 10), ltap_load_u16(p + 8)));
    LTAP_TRY(check_name(r, *at + CENTRAL_BYTES, p + CENTRAL_BYTES, name_bytes));
    LTAP_TRY(ltap_arena_text(r->arena, (const char *)p + CENTRAL_BYTES, name_bytes, &entry->name,
                             r->error));
    entry->name_bytes = name_bytes;
    entry->deflated = ltap_load_u16(p + 10) == 8;
    entry->crc = ltap_load_u32(p + 16);
    entry->packed_bytes = ltap_load_u32(p + 20);
    entry->bytes = ltap_load_u32(p + 24);
    entry->header_offset = ltap_load_u32(p + 42);
    entry->central_offset = *at;
    uint64_t *wide[] = {&entry->bytes, &entry->packed_bytes, &entry->header_offset};
    LTAP_TRY(widen(r, p + CENTRAL_BYTES + name_bytes, extra_bytes, wide, 3));
    *at = next;
    return check_sizes(r, entry);
}

/* What the local header says again. */
static ltap_status compare_local(reader *r, const uint8_t *p, const ltap_zip_entry *entry)
{
    uint64_t at = entry->header_offset, packed = ltap_load_u32(p + 18),
             bytes = ltap_load_u32(p + 22);
    size_t name_bytes = ltap_load_u16(p + 26);
    const uint8_t *extra = p + LOCAL_BYTES + name_bytes;
    if (name_bytes != entry->name_bytes || memcmp(p + LOCAL_BYTES, entry->name, name_bytes) != 0)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, at + LOCAL_BYTES,
                             "zip: '%s' has another name in its own header", entry->name);
    LTAP_TRY(check_method(r, at + 6, ltap_load_u16(p + 8), ltap_load_u16(p + 6)));
    if ((ltap_load_u16(p + 8) == 8) != entry->deflated)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, at + 8,
                             "zip: '%s' has another method in its own header", entry->name);
    uint64_t *wide[] = {&bytes, &packed};
    LTAP_TRY(widen(r, extra, ltap_load_u16(p + 28), wide, 2));
    if (ltap_load_u16(p + 6) & FLAG_SIZES_FOLLOW)
        return LTAP_OK;
    if (bytes != entry->bytes || packed != entry->packed_bytes ||
        ltap_load_u32(p + 14) != entry->crc)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, at + 14,
                             "zip: '%s' has another size or CRC in its own header", entry->name);
    return LTAP_OK;
}

static ltap_status read_local(reader *r, ltap_zip_entry *entry)
{
    uint64_t at = entry->header_offset, end;
    const uint8_t *p = bytes_at(r, at, LOCAL_BYTES);
    if (!p || ltap_load_u32(p) != LOCAL_SIGNATURE)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, entry->central_offset + 42,
                             "zip: no header of '%s' at byte %llu", entry->name,
                             (unsigned long long)at);
    entry->data_offset = at + LOCAL_BYTES + ltap_load_u16(p + 26) + ltap_load_u16(p + 28);
    if (!ltap_checked_add(entry->data_offset, entry->packed_bytes, &end) || end > r->directory)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, at,
                             "zip: '%s' declares %llu bytes, which reach beyond the entries",
                             entry->name, (unsigned long long)entry->packed_bytes);
    return compare_local(r, p, entry);
}

static int by_place(const void *a, const void *b)
{
    const ltap_zip_entry *x = *(const ltap_zip_entry *const *)a;
    const ltap_zip_entry *y = *(const ltap_zip_entry *const *)b;
    return (x->header_offset > y->header_offset) - (x->header_offset < y->header_offset);
}

static ltap_status check_overlaps(reader *r)
{
    size_t n = r->zip->n_entries;
    uint64_t end = 0;
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, n, sizeof(void *), &block, r->error));
    const ltap_zip_entry **sorted = block;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &r->zip->entries[i];
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n; i++) {
        if (sorted[i]->header_offset < end)
            return ltap_error_at(r->error, LTAP_ERROR_FORMAT, sorted[i]->header_offset,
                                 "zip: '%s' overlaps the entry before it", sorted[i]->name);
        end = sorted[i]->data_offset + sorted[i]->packed_bytes;
    }
    return LTAP_OK;
}

static ltap_status check_names_differ(reader *r)
{
    ltap_status status = LTAP_OK;
    ltap_map names;
    uint32_t before;
    ltap_map_init(&names, r->arena->memory);
    for (size_t i = 0; i < r->zip->n_entries; i++) {
        const ltap_zip_entry *entry = &r->zip->entries[i];
        if (ltap_map_get(&names, entry->name, entry->name_bytes, &before))
            LTAP_GO(ltap_error_at(r->error, LTAP_ERROR_FORMAT, entry->central_offset,
                                  "zip: two entries are named '%s'", entry->name));
        LTAP_GO(ltap_map_set(&names, entry->name, entry->name_bytes, (uint32_t)i, r->error));
    }
done:
    ltap_map_clear(&names);
    return status;
}

ltap_status ltap_zip_open(const void *bytes, size_t size, ltap_arena *arena, ltap_zip *zip,
                          ltap_error *error)
{
    void *block;
    *zip = (ltap_zip){.bytes = bytes, .size = size};
    reader r = {.zip = zip, .arena = arena, .error = error};
    LTAP_TRY(read_end(&r));
    LTAP_TRY(ltap_arena_take(arena, r.n_entries, sizeof *zip->entries, &block, error));
    zip->entries = block;
    uint64_t at = r.directory;
    for (; zip->n_entries < r.n_entries; zip->n_entries++)
        LTAP_TRY(read_central(&r, &at, &zip->entries[zip->n_entries]));
    if (at != r.end)
        return fail(&r, at, "zip: bytes in the directory that no entry accounts for");
    for (size_t i = 0; i < zip->n_entries; i++)
        LTAP_TRY(read_local(&r, &zip->entries[i]));
    LTAP_TRY(check_overlaps(&r));
    return check_names_differ(&r);
}

const ltap_zip_entry *ltap_zip_find(const ltap_zip *zip, const char *name)
{
    for (size_t i = 0; i < zip->n_entries; i++)
        if (strcmp(zip->entries[i].name, name) == 0)
            return &zip->entries[i];
    return NULL;
}

bool ltap_zip_name_is_path(const char *name)
{
    if (name[0] == '\0' || name[0] == '/' || strchr(name, '\\') || strchr(name, ':'))
        return false;
    while (*name != '\0') {
        size_t part = strcspn(name, "/");
        if (part == 2 && memcmp(name, "..", 2) == 0)
            return false;
        name += part + (name[part] == '/');
    }
    return true;
}
