/* One reader per format: which arrays a file holds, and where. Members of an .npz keep the names
 * that numpy shows (without ".npy"); what is no array in one is refused, never skipped.
 */
#include "base/error.h"
#include "base/map.h"
#include "codec/npy.h"
#include "codec/safetensors.h"
#include "codec/zip.h"
#include "io/arrays.h"
#include <string.h>

/* Adds the array of a whole .npy; base: where it lies in the file. */
static ltap_status add_npy(ltap_arrays *arrays, const char *name, const uint8_t *bytes, size_t size,
                           uint64_t base, ltap_error *error)
{
    ltap_npy npy;
    LTAP_TRY(ltap_npy_parse(bytes, size, base, &npy, error));
    ltap_array_source source = {.name = name,
                                .tensor = npy.tensor,
                                .data = bytes + npy.data_offset,
                                .big_endian = npy.big_endian,
                                .fortran = npy.fortran};
    return ltap_arrays_add(arrays, &source, error);
}

static ltap_status read_npy(ltap_arrays *arrays, const void *bytes, size_t size, ltap_error *error)
{
    return add_npy(arrays, "", bytes, size, 0, error);
}

static ltap_status add_entry(ltap_arrays *arrays, const ltap_zip *zip, const ltap_zip_entry *entry,
                             ltap_error *error)
{
    const char *name = entry->name;
    size_t n = entry->name_bytes;
    void *block;
    if (n >= 4 && memcmp(name + n - 4, ".npy", 4) == 0)
        LTAP_TRY(ltap_arena_text(&arrays->arena, name, n - 4, &name, error));
    if (!entry->deflated) {
        LTAP_TRY(ltap_zip_check(zip, entry, error));
        return add_npy(arrays, name, zip->bytes + entry->data_offset, entry->bytes,
                       entry->data_offset, error);
    }
    LTAP_TRY(ltap_zip_inflate(zip, entry, arrays->memory, &block, error));
    LTAP_TRY(ltap_arrays_keep(arrays, block, error));
    return add_npy(arrays, name, block, entry->bytes, 0, error);
}

/* "a" and "a.npy" are different members that numpy shows under one name. */
static ltap_status check_new(ltap_map *names, const ltap_array *array, const ltap_zip_entry *entry,
                             ltap_error *error)
{
    uint32_t before;
    if (ltap_map_get(names, array->name, strlen(array->name), &before))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->central_offset,
                             "two members are both named '%s'", array->name);
    return ltap_map_set(names, array->name, strlen(array->name), 1, error);
}

static ltap_status read_members(ltap_arrays *arrays, const ltap_zip *zip, ltap_map *names,
                                ltap_error *error)
{
    for (size_t i = 0; i < zip->n_entries; i++) {
        const ltap_zip_entry *entry = &zip->entries[i];
        ltap_status status = add_entry(arrays, zip, entry, error);
        if (status != LTAP_OK)
            return ltap_error_prefix(error, status, "member '%s'%s", entry->name,
                                     entry->deflated ? " (inflated)" : "");
        LTAP_TRY(check_new(names, ltap_arrays_at(arrays, i), entry, error));
    }
    return LTAP_OK;
}

static ltap_status read_npz(ltap_arrays *arrays, const void *bytes, size_t size, ltap_error *error)
{
    ltap_zip zip;
    ltap_map names;
    LTAP_TRY(ltap_zip_open(bytes, size, &arrays->arena, &zip, error));
    ltap_map_init(&names, arrays->memory);
    ltap_status status = read_members(arrays, &zip, &names, error);
    ltap_map_clear(&names);
    return status;
}

static ltap_status read_safetensors(ltap_arrays *arrays, const void *bytes, size_t size,
                                    ltap_error *error)
{
    ltap_safetensors file;
    LTAP_TRY(ltap_safetensors_parse(bytes, size, &arrays->arena, &file, error));
    for (size_t i = 0; i < file.n_entries; i++) {
        const ltap_safetensors_entry *entry = &file.entries[i];
        ltap_array_source source = {.name = entry->name,
                                    .tensor = entry->tensor,
                                    .data = (const uint8_t *)bytes + entry->offset};
        LTAP_TRY(ltap_arrays_add(arrays, &source, error));
    }
    return LTAP_OK;
}

const ltap_array_format ltap_array_formats[] = {
    {"npy", ltap_npy_probe, read_npy},
    {"npz", ltap_zip_probe, read_npz},
    {"safetensors", ltap_safetensors_probe, read_safetensors},
};
const size_t ltap_n_array_formats = sizeof ltap_array_formats / sizeof ltap_array_formats[0];
