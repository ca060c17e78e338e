/* HDF5: the global heap, where texts of any length lie: collections of numbered objects. A
 * collection is read once, when it is first asked.
 */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include <stdlib.h>
#include <string.h>

#define COLLECTION_BYTES 16
#define OBJECT_BYTES     16
#define MAX_OBJECTS      65536

typedef struct ltap_hdf5_heap_object object;

static int by_number(const void *a, const void *b)
{
    const object *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Number 0 marks the free space, which ends a collection. */
static ltap_status list_objects(const ltap_hdf5 *file, uint64_t at, uint64_t end,
                                ltap_vector *objects, ltap_error *error)
{
    while (end - at >= OBJECT_BYTES) {
        const uint8_t *p = file->bytes + at;
        object found = {
            .offset = at + OBJECT_BYTES, .bytes = ltap_load_u64(p + 8), .number = ltap_load_u16(p)};
        if (found.number == 0)
            break;
        if (found.bytes > end - found.offset || objects->count >= MAX_OBJECTS)
            return LTAP_HDF5_BAD(file, error, at,
                                 "object %u of a global heap reaches beyond its collection",
                                 found.number);
        LTAP_TRY(ltap_vector_push(objects, &found, error));
        uint64_t padded = (found.bytes + 7) & ~UINT64_C(7);
        at = padded < end - found.offset ? found.offset + padded : end;
    }
    return LTAP_OK;
}

static ltap_status keep(ltap_hdf5 *file, uint64_t address, const ltap_vector *objects,
                        const ltap_hdf5_heap **heap, ltap_error *error)
{
    void *block, *copies;
    LTAP_TRY(ltap_arena_take(&file->arena, 1, sizeof(ltap_hdf5_heap), &block, error));
    LTAP_TRY(ltap_arena_take(&file->arena, objects->count, sizeof(object), &copies, error));
    ltap_hdf5_heap *made = block;
    *made = (ltap_hdf5_heap){address, copies, objects->count};
    if (objects->count > 0) {
        memcpy(copies, objects->data, objects->count * sizeof(object));
        qsort(copies, objects->count, sizeof(object), by_number);
    }
    for (size_t i = 1; i < made->n_objects; i++)
        if (made->objects[i].number == made->objects[i - 1].number)
            return LTAP_HDF5_BAD(file, error, made->objects[i].offset,
                                 "two objects of a global heap have the number %u",
                                 made->objects[i].number);
    *heap = made;
    LTAP_TRY(ltap_vector_push(&file->heaps, &made, error));
    return ltap_map_set(&file->collections, (const char *)&made->address, sizeof made->address,
                        (uint32_t)(file->heaps.count - 1), error);
}

static ltap_status read_collection(ltap_hdf5 *file, uint64_t address, uint64_t from,
                                   const ltap_hdf5_heap **heap, ltap_error *error)
{
    const uint8_t *p = ltap_hdf5_at(file, address, COLLECTION_BYTES);
    if (p == NULL || memcmp(p, "GCOL", 4) != 0 || p[4] != 1 ||
        ltap_load_u64(p + 8) < COLLECTION_BYTES)
        return LTAP_HDF5_BAD(file, error, from, "no global heap of version 1 at byte %llu",
                             (unsigned long long)address);
    uint64_t bytes = ltap_load_u64(p + 8);
    LTAP_TRY(ltap_hdf5_spend(file, address, bytes, "a global heap", &p, error));
    ltap_vector objects;
    ltap_vector_init(&objects, file->memory, sizeof(object));
    ltap_status status =
        list_objects(file, address + COLLECTION_BYTES, address + bytes, &objects, error);
    if (status == LTAP_OK)
        status = keep(file, address, &objects, heap, error);
    ltap_vector_clear(&objects);
    return status;
}

static ltap_status find_collection(ltap_hdf5 *file, uint64_t address, uint64_t from,
                                   const ltap_hdf5_heap **heap, ltap_error *error)
{
    uint32_t index;
    if (!ltap_map_get(&file->collections, (const char *)&address, sizeof address, &index))
        return read_collection(file, address, from, heap, error);
    *heap = *LTAP_VECTOR_AT(&file->heaps, ltap_hdf5_heap *, index);
    return LTAP_OK;
}

ltap_status ltap_hdf5_heap_text(ltap_hdf5 *file, uint64_t reference, ltap_hdf5_span *text,
                                ltap_error *error)
{
    const uint8_t *p = file->bytes + reference;
    uint32_t bytes = ltap_load_u32(p), number = ltap_load_u32(p + 12);
    const ltap_hdf5_heap *heap = NULL;
    *text = (ltap_hdf5_span){(const char *)p, 0};
    if (bytes == 0)
        return LTAP_OK;
    LTAP_TRY(find_collection(file, ltap_load_u64(p + 4), reference, &heap, error));
    object key = {.number = (uint16_t)number};
    const object *found = number <= UINT16_MAX && heap->n_objects > 0
                              ? bsearch(&key, heap->objects, heap->n_objects, sizeof key, by_number)
                              : NULL;
    if (found == NULL || bytes > found->bytes)
        return LTAP_HDF5_BAD(file, error, reference,
                             "a text of %u bytes is not in the global heap as object %u", bytes,
                             number);
    *text = (ltap_hdf5_span){(const char *)file->bytes + found->offset, bytes};
    return LTAP_OK;
}
