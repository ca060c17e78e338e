/* The HDF5 reader, whatever the bytes: what is accepted lies in the file and ends, what is refused
 * is one clear line. */
#include "base/error.h"
#include "codec/hdf5.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static volatile unsigned sink;

static void check(ltap_status status, const ltap_error *error)
{
    if (status != LTAP_OK && (!error->message[0] || strchr(error->message, '\n')))
        abort();
}

static void read_attribute(ltap_hdf5 *file, const ltap_hdf5_object *object, const char *name,
                           ltap_arena *arena)
{
    ltap_hdf5_attribute a;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    ltap_status status = ltap_hdf5_attribute_read(file, object, name, arena, &a, &error);
    check(status, &error);
    for (size_t i = 0; status == LTAP_OK && i < a.count; i++) {
        if (a.texts != NULL && strlen(a.texts[i]) != a.text_bytes[i])
            abort();
        sink += a.texts == NULL && a.numbers[i] > 0;
    }
}

static void read_object(ltap_hdf5 *file, const uint8_t *bytes, const ltap_hdf5_object *object,
                        ltap_arena *arena)
{
    static const char *const names[] = {"texts",        "numbers", "config", "layer_names",
                                        "weight_names", "fixed",   "list"};
    ltap_hdf5_data data;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        read_attribute(file, object, names[i], arena);
    if (!ltap_hdf5_is_group(object)) {
        ltap_status status = ltap_hdf5_dataset(file, object, &data, &error);
        check(status, &error);
        for (uint64_t k = 0; status == LTAP_OK && k < data.bytes; k++)
            sink += bytes[data.offset + k];
    }
    for (size_t i = 0; i < ltap_hdf5_count(object); i++)
        read_object(file, bytes, ltap_hdf5_child(object, i), arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ltap_memory *memory;
    ltap_arena arena;
    ltap_hdf5 *file;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    ltap_arena_init(&arena, memory);
    ltap_status status = ltap_hdf5_open(memory, bytes, size, 0, &file, &error);
    check(status, &error);
    if (status == LTAP_OK)
        read_object(file, bytes, ltap_hdf5_find(file, NULL, ""), &arena);
    ltap_hdf5_close(file);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
    return 0;
}
