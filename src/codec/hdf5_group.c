/* HDF5: groups of the symbol-table kind: a B-tree whose leaves name tables of symbols, and a heap
 * with their names. Names must rise from the first to the last, which also rules out that a table
 * is named twice.
 */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5_parts.h"
#include "codec/utf8.h"
#include <string.h>

#define NODE_BYTES   24
#define CHILD_BYTES  16
#define TABLE_BYTES  8
#define SYMBOL_BYTES 40
#define HEAP_BYTES   32
#define MAX_LEVEL    8
#define MAX_NAME     4096
#define SOFT_LINK    2

typedef struct reader {
    ltap_hdf5 *file;
    const uint8_t *names; /* the heap's data */
    uint64_t names_bytes;
    ltap_vector children; /* of ltap_hdf5_object */
    ltap_error *error;
} reader;

static ltap_status read_heap(reader *r, uint64_t address)
{
    const uint8_t *p;
    LTAP_TRY(ltap_hdf5_spend(r->file, address, HEAP_BYTES, "a local heap", &p, r->error));
    if (memcmp(p, "HEAP", 4) != 0 || p[4] != 0)
        return LTAP_HDF5_BAD(r->file, r->error, address, "expected a local heap of version 0");
    r->names_bytes = ltap_load_u64(p + 8);
    return ltap_hdf5_spend(r->file, ltap_load_u64(p + 24), r->names_bytes,
                           "the heap of a group's names", &r->names, r->error);
}

static ltap_status read_name(reader *r, uint64_t entry, uint64_t offset, const char **name)
{
    uint64_t left = offset < r->names_bytes ? r->names_bytes - offset : 0;
    const uint8_t *start = r->names + (left > 0 ? offset : 0);
    const uint8_t *end = left > 0 ? memchr(start, 0, left < MAX_NAME ? left : MAX_NAME) : NULL;
    if (end == NULL)
        return LTAP_HDF5_BAD(r->file, r->error, entry,
                             "a name that does not end in its heap, or after %d bytes", MAX_NAME);
    size_t bytes = (size_t)(end - start);
    if (bytes == 0 || memchr(start, '/', bytes) || !ltap_utf8_check(start, bytes, NULL))
        return LTAP_HDF5_BAD(r->file, r->error, entry,
                             "a name that is empty, has a '/' in it or is not UTF-8");
    *name = (const char *)start;
    return LTAP_OK;
}

static ltap_status read_symbol(reader *r, uint64_t entry)
{
    const uint8_t *p = r->file->bytes + entry;
    ltap_hdf5_object child = {.entry = entry};
    LTAP_TRY(read_name(r, entry, ltap_load_u64(p), &child.name));
    if (r->children.count > 0) {
        const ltap_hdf5_object *before =
            LTAP_VECTOR_AT(&r->children, ltap_hdf5_object, r->children.count - 1);
        if (strcmp(before->name, child.name) >= 0)
            return LTAP_HDF5_BAD(r->file, r->error, entry, "'%s' comes after '%s' in its group",
                                 child.name, before->name);
    }
    if (ltap_load_u32(p + 16) != SOFT_LINK) {
        bool known;
        LTAP_TRY(ltap_hdf5_header_read(r->file, ltap_load_u64(p + 8), entry + 8, &child.header,
                                       &known, r->error));
        if (known && child.header->is_group)
            return LTAP_HDF5_UNSUPPORTED(r->file, r->error, entry,
                                         "'%s' is a second name (hard link) of a group, or a "
                                         "circle",
                                         child.name);
    }
    return ltap_vector_push(&r->children, &child, r->error);
}

static ltap_status read_table(reader *r, uint64_t address)
{
    const uint8_t *p;
    LTAP_TRY(ltap_hdf5_spend(r->file, address, TABLE_BYTES, "a symbol table", &p, r->error));
    if (memcmp(p, "SNOD", 4) != 0 || p[4] != 1)
        return LTAP_HDF5_BAD(r->file, r->error, address, "expected a symbol table of version 1");
    uint64_t count = ltap_load_u16(p + 6), first = address + TABLE_BYTES;
    LTAP_TRY(ltap_hdf5_spend(r->file, first, count * SYMBOL_BYTES, "a symbol table", &p, r->error));
    for (uint64_t i = 0; i < count; i++)
        LTAP_TRY(read_symbol(r, first + i * SYMBOL_BYTES));
    return LTAP_OK;
}

/* level: what the node must be; -1: the root, which says. */
static ltap_status read_node(reader *r, uint64_t address, int level)
{
    const uint8_t *p;
    LTAP_TRY(ltap_hdf5_spend(r->file, address, NODE_BYTES, "a B-tree", &p, r->error));
    if (memcmp(p, "TREE", 4) != 0 || p[4] != 0)
        return LTAP_HDF5_BAD(r->file, r->error, address, "expected a B-tree of a group");
    if (p[5] > MAX_LEVEL || (level >= 0 && p[5] != level))
        return LTAP_HDF5_BAD(r->file, r->error, address + 5, "a B-tree's node of level %u", p[5]);
    int below = p[5] - 1;
    uint64_t count = ltap_load_u16(p + 6);
    LTAP_TRY(ltap_hdf5_spend(r->file, address + NODE_BYTES, count * CHILD_BYTES + 8, "a B-tree", &p,
                             r->error));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t child = ltap_load_u64(p + i * CHILD_BYTES + 8);
        LTAP_TRY(below < 0 ? read_table(r, child) : read_node(r, child, below));
    }
    return LTAP_OK;
}

static ltap_status read_children(reader *r, ltap_hdf5_object *group)
{
    const ltap_hdf5_message *symbols = ltap_hdf5_message_find(group->header, LTAP_HDF5_SYMBOLS);
    if (symbols->bytes < 16 || symbols->shared)
        return LTAP_HDF5_BAD(r->file, r->error, symbols->offset, "a group says no place");
    const uint8_t *p = r->file->bytes + symbols->offset;
    LTAP_TRY(read_heap(r, ltap_load_u64(p + 8)));
    LTAP_TRY(read_node(r, ltap_load_u64(p), -1));
    size_t n = r->children.count;
    void *block;
    LTAP_TRY(ltap_arena_take(&r->file->arena, n, sizeof(ltap_hdf5_object), &block, r->error));
    if (n > 0)
        memcpy(block, r->children.data, n * sizeof(ltap_hdf5_object));
    group->children = block;
    group->n_children = n;
    return LTAP_OK;
}

ltap_status ltap_hdf5_group_read(ltap_hdf5 *file, ltap_hdf5_object *group, ltap_error *error)
{
    reader r = {.file = file, .error = error};
    ltap_vector_init(&r.children, file->memory, sizeof(ltap_hdf5_object));
    ltap_status status = read_children(&r, group);
    ltap_vector_clear(&r.children);
    return status;
}
