/* HDF5: the superblock, and the walk that reads every object's header once, group by group. */
#include "codec/hdf5.h"
#include "base/checked.h"
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include <string.h>

#define MAX_DEPTH 64

static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

const uint8_t *ltap_hdf5_at(const ltap_hdf5 *file, uint64_t offset, uint64_t count)
{
    uint64_t end;
    if (!ltap_checked_add(offset, count, &end) || end > file->size)
        return NULL;
    return file->bytes + offset;
}

ltap_status ltap_hdf5_spend(ltap_hdf5 *file, uint64_t offset, uint64_t count, const char *what,
                            const uint8_t **bytes, ltap_error *error)
{
    *bytes = ltap_hdf5_at(file, offset, count);
    if (*bytes == NULL)
        return LTAP_HDF5_BAD(file, error, offset < file->size ? offset : file->size,
                             "%s of %llu bytes at %llu reaches beyond the end at %llu", what,
                             (unsigned long long)count, (unsigned long long)offset,
                             (unsigned long long)file->size);
    if (count > file->size - file->spent)
        return LTAP_HDF5_BAD(file, error, offset, "%s: its parts overlap, or lead in a circle",
                             what);
    file->spent += count;
    return LTAP_OK;
}

bool ltap_hdf5_probe(const void *bytes, size_t size)
{
    return size >= sizeof signature && memcmp(bytes, signature, sizeof signature) == 0;
}

static ltap_status check_version(const ltap_hdf5 *file, ltap_error *error)
{
    const uint8_t *p = file->bytes;
    if (!ltap_hdf5_probe(p, file->size))
        return LTAP_HDF5_BAD(file, error, 0, "the bytes do not begin as a file does");
    if (file->size < 9)
        return LTAP_HDF5_BAD(file, error, file->size, "the file is cut short");
    if (p[8] > 1)
        return LTAP_HDF5_UNSUPPORTED(file, error, 8,
                                     "superblock version %u (libver='latest'); 0 and 1 are read; "
                                     "write it with h5py's default libver, or "
                                     "repack it: h5repack --low=0 --high=1 OLD NEW",
                                     p[8]);
    return LTAP_OK;
}

/* Sets the address of the root group's header, and where it is said. */
static ltap_status read_superblock(const ltap_hdf5 *file, uint64_t *root, uint64_t *from,
                                   ltap_error *error)
{
    LTAP_TRY(check_version(file, error));
    const uint8_t *p = file->bytes;
    uint64_t addresses = p[8] == 0 ? 24 : 28;
    if (file->size < addresses + 4 * 8 + 40)
        return LTAP_HDF5_BAD(file, error, file->size, "the file is cut short");
    if (p[13] != 8 || p[14] != 8)
        return LTAP_HDF5_UNSUPPORTED(file, error, 13,
                                     "offsets of %u and lengths of %u bytes; 8 and 8 are read",
                                     p[13], p[14]);
    if (ltap_load_u64(p + addresses) != 0)
        return LTAP_HDF5_UNSUPPORTED(
            file, error, addresses,
            "a user block in front; strip it: h5unjam -i OLD -u BLOCK -o NEW");
    uint64_t end = ltap_load_u64(p + addresses + 16);
    if (end > file->size)
        return LTAP_HDF5_BAD(file, error, addresses + 16,
                             "the file declares %llu bytes and has %llu: it is cut short",
                             (unsigned long long)end, (unsigned long long)file->size);
    *from = addresses + 32 + 8;
    *root = ltap_load_u64(p + *from);
    return LTAP_OK;
}

/* Reads a group's children and appends those that are groups. */
static ltap_status visit(ltap_hdf5 *file, ltap_hdf5_object *group, ltap_vector *queue,
                         ltap_error *error)
{
    if (group->depth > MAX_DEPTH)
        return LTAP_HDF5_UNSUPPORTED(file, error, group->entry, "groups in more than %d groups",
                                     MAX_DEPTH);
    LTAP_TRY(ltap_hdf5_group_read(file, group, error));
    for (size_t i = 0; i < group->n_children; i++) {
        ltap_hdf5_object *child = &group->children[i];
        child->depth = group->depth + 1;
        if (ltap_hdf5_is_group(child))
            LTAP_TRY(ltap_vector_push(queue, &child, error));
    }
    return LTAP_OK;
}

static ltap_status visit_all(ltap_hdf5 *file, ltap_error *error)
{
    ltap_hdf5_object *root = &file->root;
    ltap_vector queue;
    ltap_vector_init(&queue, file->memory, sizeof(ltap_hdf5_object *));
    ltap_status status = ltap_vector_push(&queue, &root, error);
    for (size_t i = 0; status == LTAP_OK && i < queue.count; i++)
        status = visit(file, *LTAP_VECTOR_AT(&queue, ltap_hdf5_object *, i), &queue, error);
    ltap_vector_clear(&queue);
    return status;
}

static ltap_status read_structure(ltap_hdf5 *file, ltap_error *error)
{
    uint64_t address = 0, from = 0;
    bool known;
    LTAP_TRY(read_superblock(file, &address, &from, error));
    LTAP_TRY(ltap_hdf5_header_read(file, address, from, &file->root.header, &known, error));
    if (!file->root.header->is_group)
        return LTAP_HDF5_BAD(file, error, address, "the root object is no group");
    file->root.name = "";
    file->root.entry = from;
    return visit_all(file, error);
}

ltap_status ltap_hdf5_open(ltap_memory *memory, const uint8_t *bytes, size_t size, uint64_t base,
                           ltap_hdf5 **file, ltap_error *error)
{
    void *block;
    *file = NULL;
    LTAP_TRY(ltap_memory_take_zeroed(memory, 1, sizeof **file, "an HDF5 file", &block, error));
    ltap_hdf5 *f = block;
    f->bytes = bytes;
    f->size = size;
    f->base = base;
    f->memory = ltap_memory_ref(memory);
    ltap_arena_init(&f->arena, memory);
    ltap_map_init(&f->headers, memory);
    ltap_map_init(&f->collections, memory);
    ltap_vector_init(&f->read, memory, sizeof(ltap_hdf5_header *));
    ltap_vector_init(&f->heaps, memory, sizeof(ltap_hdf5_heap *));
    ltap_status status = read_structure(f, error);
    if (status == LTAP_OK)
        *file = f;
    else
        ltap_hdf5_close(f);
    return status;
}

void ltap_hdf5_close(ltap_hdf5 *file)
{
    if (file == NULL)
        return;
    ltap_memory *memory = file->memory;
    ltap_vector_clear(&file->heaps);
    ltap_vector_clear(&file->read);
    ltap_map_clear(&file->collections);
    ltap_map_clear(&file->headers);
    ltap_arena_clear(&file->arena);
    ltap_memory_release(memory, file);
    ltap_memory_unref(memory);
}

/* Names are kept in the order of their bytes. */
static const ltap_hdf5_object *find_child(const ltap_hdf5_object *group, const char *name,
                                          size_t bytes)
{
    size_t low = 0, high = group->n_children;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const ltap_hdf5_object *child = &group->children[middle];
        int order = strncmp(name, child->name, bytes);
        if (order == 0 && child->name[bytes] == '\0')
            return child;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const ltap_hdf5_object *ltap_hdf5_find(const ltap_hdf5 *file, const ltap_hdf5_object *group,
                                       const char *path)
{
    const ltap_hdf5_object *object = group != NULL ? group : &file->root;
    while (object != NULL && *path != '\0') {
        size_t bytes = strcspn(path, "/");
        object = find_child(object, path, bytes);
        path += bytes;
        path += *path == '/' && path[1] != '\0';
    }
    return object;
}

bool ltap_hdf5_is_group(const ltap_hdf5_object *object)
{
    return object->header != NULL && object->header->is_group;
}

const char *ltap_hdf5_name(const ltap_hdf5_object *object)
{
    return object->name;
}

size_t ltap_hdf5_count(const ltap_hdf5_object *group)
{
    return group->n_children;
}

const ltap_hdf5_object *ltap_hdf5_child(const ltap_hdf5_object *group, size_t index)
{
    return &group->children[index];
}
