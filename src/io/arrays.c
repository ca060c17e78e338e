/* Arrays in: opens a file, a stream or bytes, tells the format by content, and owns what its reader
 * found. A file stays mapped, so that aligned arrays cost nothing but their pages.
 */
#include "io/arrays.h"
#include "base/error.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int ltap_arrays_probe(const void *bytes, size_t size)
{
    for (size_t i = 0; i < ltap_n_array_formats; i++)
        if (ltap_array_formats[i].probe(bytes, size))
            return 1;
    return 0;
}

ltap_status ltap_arrays_keep(ltap_arrays *arrays, void *block, ltap_error *error)
{
    ltap_status status = ltap_vector_push(&arrays->blocks, &block, error);
    if (status != LTAP_OK)
        ltap_memory_release(arrays->memory, block);
    return status;
}

static ltap_status refuse_unknown(const uint8_t *bytes, size_t size, ltap_error *error)
{
    char start[9] = "";
    size_t n = 0;
    if (size == 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "is empty; expected a .npy, .npz or .safetensors file");
    while (n < 8 && n < size && isprint(bytes[n])) {
        start[n] = (char)bytes[n];
        n++;
    }
    if (n > 0)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                             "not a .npy, .npz or .safetensors file (starts with '%s')", start);
    return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                         "not a .npy, .npz or .safetensors file (starts with byte 0x%02x)",
                         bytes[0]);
}

static ltap_status read_bytes(ltap_arrays *arrays, const void *bytes, size_t size, const char *name,
                              ltap_error *error)
{
    ltap_status status = LTAP_ERROR_FORMAT;
    size_t i = 0;
    while (i < ltap_n_array_formats && !ltap_array_formats[i].probe(bytes, size))
        i++;
    if (i == ltap_n_array_formats)
        status = refuse_unknown(bytes, size, error);
    else
        status = ltap_array_formats[i].read(arrays, bytes, size, error);
    return status == LTAP_OK || !name ? status : ltap_error_prefix(error, status, "%s", name);
}

static ltap_status make(ltap_memory *memory, ltap_arrays **arrays, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take_zeroed(memory, 1, sizeof **arrays, "arrays", &block, error));
    ltap_arrays *made = block;
    made->memory = ltap_memory_ref(memory);
    ltap_arena_init(&made->arena, memory);
    ltap_vector_init(&made->items, memory, sizeof(ltap_array));
    ltap_vector_init(&made->blocks, memory, sizeof(void *));
    *arrays = made;
    return LTAP_OK;
}

static ltap_status open_file(ltap_arrays *arrays, const char *path, ltap_error *error)
{
    if (strcmp(path, "-") != 0)
        return ltap_file_open(path, false, arrays->memory, &arrays->file, error);
    return ltap_file_read_stream(STDIN_FILENO, "standard input", ltap_memory_limit(arrays->memory),
                                 arrays->memory, &arrays->file, error);
}

ltap_status ltap_arrays_open_on(ltap_memory *memory, const char *path, ltap_arrays **arrays,
                                ltap_error *error)
{
    ltap_arrays *made = NULL;
    ltap_status status;
    LTAP_GO(make(memory, &made, error));
    LTAP_GO(open_file(made, path, error));
    LTAP_GO(read_bytes(made, made->file.data, made->file.size,
                       strcmp(path, "-") == 0 ? "standard input" : path, error));
    *arrays = made;
    made = NULL;
done:
    ltap_arrays_close(made);
    return status;
}

ltap_status ltap_arrays_open_bytes_on(ltap_memory *memory, const void *bytes, size_t size,
                                      const char *name, ltap_arrays **arrays, ltap_error *error)
{
    ltap_arrays *made;
    LTAP_TRY(make(memory, &made, error));
    ltap_status status = read_bytes(made, bytes, size, name, error);
    if (status == LTAP_OK)
        *arrays = made;
    else
        ltap_arrays_close(made);
    return status;
}

ltap_status ltap_arrays_open(const char *path, ltap_arrays **arrays, ltap_error *error)
{
    ltap_memory *memory;
    if (!path || !arrays)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_arrays_open: an argument is NULL");
    LTAP_TRY(ltap_memory_new(NULL, 0, &memory, error));
    ltap_status status = ltap_arrays_open_on(memory, path, arrays, error);
    ltap_memory_unref(memory);
    return status;
}

ltap_status ltap_arrays_open_bytes(const void *bytes, size_t size, const char *name,
                                   ltap_arrays **arrays, ltap_error *error)
{
    ltap_memory *memory;
    if ((!bytes && size) || !arrays)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_arrays_open_bytes: an argument is NULL");
    LTAP_TRY(ltap_memory_new(NULL, 0, &memory, error));
    ltap_status status = ltap_arrays_open_bytes_on(memory, bytes, size, name, arrays, error);
    ltap_memory_unref(memory);
    return status;
}

void ltap_arrays_close(ltap_arrays *arrays)
{
    if (!arrays)
        return;
    ltap_memory *memory = arrays->memory;
    for (size_t i = 0; i < arrays->blocks.count; i++)
        ltap_memory_release(memory, *LTAP_VECTOR_AT(&arrays->blocks, void *, i));
    ltap_vector_clear(&arrays->blocks);
    ltap_vector_clear(&arrays->items);
    ltap_arena_clear(&arrays->arena);
    ltap_file_close(&arrays->file);
    ltap_memory_release(memory, arrays);
    ltap_memory_unref(memory);
}

size_t ltap_arrays_count(const ltap_arrays *arrays)
{
    return arrays->items.count;
}

const ltap_array *ltap_arrays_at(const ltap_arrays *arrays, size_t index)
{
    if (index >= arrays->items.count)
        return NULL;
    return LTAP_VECTOR_AT(&arrays->items, const ltap_array, index);
}

const ltap_array *ltap_arrays_find(const ltap_arrays *arrays, const char *name)
{
    for (size_t i = 0; i < arrays->items.count; i++)
        if (strcmp(ltap_arrays_at(arrays, i)->name, name) == 0)
            return ltap_arrays_at(arrays, i);
    return NULL;
}
