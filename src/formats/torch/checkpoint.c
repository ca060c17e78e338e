/* The three layouts of a checkpoint, told by their first bytes, and where the bytes of a tensor
 * are.
 */
#include "formats/torch/checkpoint.h"

#include "base/error.h"
#include "codec/bytes.h"
#include "codec/safetensors.h"

#include <inttypes.h>
#include <string.h>

static const uint8_t legacy_magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                       0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

static bool is_legacy(const ltap_source *source)
{
    return source->size >= sizeof legacy_magic &&
           memcmp(source->data, legacy_magic, sizeof legacy_magic) == 0;
}

int ltap_torch_probe(const ltap_source *source)
{
    if (ltap_safetensors_probe(source->data, source->size))
        return 2;
    if (is_legacy(source))
        return 2;
    return source->size >= 30 && memcmp(source->data, "PK\3\4", 4) == 0 ? 2 : 0;
}

/* The entry that the others are beside; NULL: no checkpoint. */
static const ltap_zip_entry *find_pickle(const ltap_zip *zip, bool *is_script)
{
    const ltap_zip_entry *found = NULL;
    *is_script = false;
    for (size_t i = 0; i < zip->n_entries; i++) {
        const char *name = zip->entries[i].name;
        if (found == NULL && (strcmp(name, "data.pkl") == 0 || ltap_text_ends(name, "/data.pkl")))
            found = &zip->entries[i];
        *is_script |= ltap_text_ends(name, "/constants.pkl");
    }
    return found;
}

static ltap_status read_pickle(ltap_torch_checkpoint *c, const ltap_zip_entry *entry,
                               ltap_pickle **object, ltap_error *error)
{
    const uint8_t *bytes = c->source->data + entry->data_offset;
    size_t used;
    if (entry->bytes > LTAP_PICKLE_MAX_BYTES)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->central_offset,
                             "'%s' has %" PRIu64 " bytes; a table of tensors has less than %u",
                             entry->name, entry->bytes, LTAP_PICKLE_MAX_BYTES);
    if (!entry->deflated) {
        LTAP_TRY(ltap_zip_check(&c->zip, entry, error));
        return ltap_pickle_read(bytes, (size_t)entry->bytes, entry->data_offset, ltap_torch_globals,
                                c->arena, object, &used, error);
    }
    void *block;
    LTAP_TRY(ltap_zip_inflate(&c->zip, entry, c->source->memory, &block, error));
    ltap_status status = ltap_pickle_read(block, (size_t)entry->bytes, 0, ltap_torch_globals,
                                          c->arena, object, &used, error);
    ltap_memory_release(c->source->memory, block);
    return status;
}

static ltap_status check_order(const ltap_torch_checkpoint *c, const ltap_zip_entry *entry,
                               ltap_error *error)
{
    const uint8_t *bytes = c->source->data + entry->data_offset;
    if (entry->deflated || entry->bytes < 3 || memcmp(bytes, "big", 3) != 0)
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, entry->data_offset,
                         "the numbers are stored with their high byte first; save the checkpoint "
                         "again on a machine of today");
}

/* Gives storages the entries "<root>data/<key>". */
static ltap_status find_entries(ltap_torch_checkpoint *c, const ltap_zip_entry *pickle,
                                ltap_error *error)
{
    size_t root = strlen(pickle->name) - strlen("data.pkl");
    for (size_t i = 0; i < c->zip.n_entries; i++) {
        const ltap_zip_entry *entry = &c->zip.entries[i];
        uint32_t index;
        if (strncmp(entry->name, pickle->name, root) != 0)
            continue;
        if (strcmp(entry->name + root, "byteorder") == 0)
            LTAP_TRY(check_order(c, entry, error));
        if (strncmp(entry->name + root, "data/", 5) != 0)
            continue;
        const char *key = entry->name + root + 5;
        if (!ltap_map_get(&c->storage_by_key, key, strlen(key), &index))
            continue;
        ltap_torch_storage *storage = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, index);
        storage->found = true;
        storage->offset = entry->data_offset;
        storage->bytes = entry->bytes;
        storage->deflated = entry->deflated ? entry : NULL;
    }
    return LTAP_OK;
}

/* Each storage has the bytes that the pickle says; one without elements may be missing. */
static ltap_status check_storages(const ltap_torch_checkpoint *c, ltap_error *error)
{
    for (size_t i = 0; i < c->storages.count; i++) {
        const ltap_torch_storage *storage = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, i);
        uint64_t bytes;
        if (storage->count == 0)
            continue;
        if (!storage->found)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, storage->at,
                                 "the bytes of storage '%.40s' are not in the file", storage->key);
        if (!ltap_dtype_bytes(storage->dtype, storage->count, &bytes) || bytes > storage->bytes)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, storage->at,
                                 "storage '%.40s' is said to have %" PRIu64
                                 " elements of %s; the file has %" PRIu64 " bytes of it",
                                 storage->key, storage->count, ltap_dtype_name(storage->dtype),
                                 storage->bytes);
    }
    return LTAP_OK;
}

static ltap_status read_zip(ltap_torch_checkpoint *c, ltap_error *error)
{
    ltap_pickle *object;
    LTAP_TRY(ltap_zip_open(c->source->data, c->source->size, c->arena, &c->zip, error));
    const ltap_zip_entry *pickle = find_pickle(&c->zip, &c->is_script);
    c->layout = c->is_script ? "TorchScript program" : c->layout;
    const size_t named = c->zip.n_entries > 0 ? strlen(c->zip.entries[0].name) : 0;
    if (pickle == NULL && named > 4 && ltap_text_ends(c->zip.entries[0].name, ".npy"))
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, 0,
                             "this is an .npz file: arrays without a network, and without the "
                             "names that tell one; of Keras, save the whole model, with "
                             "model.save('name.keras')");
    if (pickle == NULL)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                             "this is a zip archive (starts with 'PK') without the data.pkl of a "
                             "PyTorch checkpoint, the config.json of a Keras model, the "
                             "archive_format of a torch.export program or the manifest of a .mar");
    LTAP_TRY(read_pickle(c, pickle, &object, error));
    if (c->is_script)
        LTAP_TRY(ltap_torch_collect_modules(c, object, error));
    else
        LTAP_TRY(ltap_torch_collect(c, object, error));
    return find_entries(c, pickle, error);
}

static ltap_status next_pickle(ltap_torch_checkpoint *c, size_t *at, ltap_pickle **object,
                               ltap_error *error)
{
    size_t used = 0;
    LTAP_TRY(ltap_pickle_read(c->source->data + *at, c->source->size - *at, *at, ltap_torch_globals,
                              c->arena, object, &used, error));
    *at += used;
    return LTAP_OK;
}

/* Behind the pickles: for each key the number of elements, then they themselves. */
static ltap_status find_legacy(ltap_torch_checkpoint *c, const ltap_pickle *keys, size_t at,
                               ltap_error *error)
{
    const ltap_source *source = c->source;
    for (size_t i = 0; i < keys->count; i++) {
        const ltap_pickle *key = keys->items[i];
        uint32_t index;
        uint64_t bytes;
        if (key->kind != LTAP_PICKLE_STRING ||
            !ltap_map_get(&c->storage_by_key, key->text, strlen(key->text), &index))
            return ltap_error_at(
                error, LTAP_ERROR_UNSUPPORTED, key->offset,
                "storages of other things than the tensors stand before them; save "
                "model.state_dict() alone");
        ltap_torch_storage *storage = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, index);
        if (source->size - at < 8 || ltap_load_u64(source->data + at) != storage->count ||
            !ltap_dtype_bytes(storage->dtype, storage->count, &bytes) ||
            bytes > source->size - at - 8)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                                 "the bytes of storage '%.40s' are cut short or not of its size",
                                 storage->key);
        storage->found = true;
        storage->offset = at + 8;
        storage->bytes = bytes;
        at += 8 + (size_t)bytes;
    }
    return LTAP_OK;
}

static ltap_status read_legacy(ltap_torch_checkpoint *c, ltap_error *error)
{
    ltap_pickle *protocol, *system, *object, *keys;
    size_t at = sizeof legacy_magic;
    LTAP_TRY(next_pickle(c, &at, &protocol, error));
    LTAP_TRY(next_pickle(c, &at, &system, error));
    const ltap_pickle *little = ltap_pickle_find(system, "little_endian");
    if (protocol->kind != LTAP_PICKLE_INT || protocol->integer != 1001 || little == NULL ||
        little->kind != LTAP_PICKLE_BOOL || !little->integer)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, sizeof legacy_magic,
                             "an old PyTorch file of a version or byte order that is not known");
    LTAP_TRY(next_pickle(c, &at, &object, error));
    LTAP_TRY(ltap_torch_collect(c, object, error));
    LTAP_TRY(next_pickle(c, &at, &keys, error));
    if (keys->kind != LTAP_PICKLE_LIST)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, keys->offset,
                             "expected the list of storages");
    return find_legacy(c, keys, at, error);
}

/* Each tensor is a storage of its own. */
static ltap_status add_safetensor(ltap_torch_checkpoint *c, const ltap_safetensors_entry *entry,
                                  ltap_error *error)
{
    ltap_torch_storage storage = {.key = entry->name,
                                  .dtype = entry->tensor.dtype,
                                  .count = ltap_tensor_count(&entry->tensor),
                                  .offset = entry->offset,
                                  .bytes = entry->bytes,
                                  .found = true,
                                  .at = entry->header_offset};
    ltap_torch_tensor tensor = {.name = entry->name,
                                .shape = entry->tensor,
                                .storage = (uint32_t)c->storages.count,
                                .at = entry->header_offset};
    ltap_dims_strides(&entry->tensor, &entry->tensor, tensor.strides);
    LTAP_TRY(ltap_vector_push(&c->storages, &storage, error));
    return ltap_torch_add(c, &tensor, error);
}

static ltap_status read_safetensors(ltap_torch_checkpoint *c, ltap_error *error)
{
    ltap_safetensors file;
    LTAP_TRY(ltap_safetensors_parse(c->source->data, c->source->size, c->arena, &file, error));
    for (size_t i = 0; i < file.n_entries; i++)
        LTAP_TRY(add_safetensor(c, &file.entries[i], error));
    return LTAP_OK;
}

/* Bytes of the first part of all names, with its dot; 0: they differ, or no name has more. */
static size_t shared_part(const ltap_torch_checkpoint *c)
{
    const char *first = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, 0)->name;
    const char *dot = strchr(first, '.');
    bool more = false;
    if (dot == NULL)
        return 0;
    size_t bytes = (size_t)(dot - first) + 1;
    for (size_t i = 0; i < c->tensors.count; i++) {
        const char *name = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->name;
        if (strncmp(name, first, bytes) != 0)
            return 0;
        more = more || strchr(name + bytes, '.') != NULL;
    }
    return more ? bytes : 0;
}

/* "module.conv1.weight" is "conv1.weight" where every name begins so. */
static ltap_status strip_prefix(ltap_torch_checkpoint *c, ltap_error *error)
{
    size_t bytes, total = 0;
    if (c->tensors.count == 0)
        return LTAP_OK;
    const char *first = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, 0)->name;
    while ((bytes = shared_part(c)) > 0) {
        total += bytes;
        for (size_t i = 0; i < c->tensors.count; i++)
            LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->name += bytes;
    }
    LTAP_TRY(ltap_arena_text(c->arena, first, total, &c->prefix, error));
    ltap_map_clear(&c->tensor_by_name);
    ltap_map_init(&c->tensor_by_name, c->source->memory);
    for (size_t i = 0; i < c->tensors.count; i++) {
        const char *name = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->name;
        LTAP_TRY(ltap_map_set(&c->tensor_by_name, name, strlen(name), (uint32_t)i, error));
    }
    return LTAP_OK;
}

void ltap_torch_init(ltap_torch_checkpoint *c)
{
    ltap_vector_init(&c->storages, c->source->memory, sizeof(ltap_torch_storage));
    ltap_vector_init(&c->tensors, c->source->memory, sizeof(ltap_torch_tensor));
    ltap_map_init(&c->storage_by_key, c->source->memory);
    ltap_map_init(&c->tensor_by_name, c->source->memory);
    c->layout = "PyTorch checkpoint";
    c->prefix = "";
}

ltap_status ltap_torch_read(ltap_torch_checkpoint *c, ltap_error *error)
{
    ltap_torch_init(c);
    if (is_legacy(c->source)) {
        LTAP_TRY(read_legacy(c, error));
    } else if (ltap_safetensors_probe(c->source->data, c->source->size)) {
        c->layout = "safetensors checkpoint";
        LTAP_TRY(read_safetensors(c, error));
    } else {
        LTAP_TRY(read_zip(c, error));
    }
    LTAP_TRY(check_storages(c, error));
    return c->keeps_names ? LTAP_OK : strip_prefix(c, error);
}

void ltap_torch_clear(ltap_torch_checkpoint *c)
{
    ltap_map_clear(&c->tensor_by_name);
    ltap_map_clear(&c->storage_by_key);
    ltap_vector_clear(&c->tensors);
    ltap_vector_clear(&c->storages);
}

ltap_torch_tensor *ltap_torch_find(const ltap_torch_checkpoint *c, const char *name)
{
    uint32_t index;
    if (!ltap_map_get(&c->tensor_by_name, name, strlen(name), &index))
        return NULL;
    return LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, index);
}

static bool is_dense(const ltap_torch_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->shape.rank; i-- > 0;) {
        if (tensor->shape.dims[i] != 1 && tensor->strides[i] != expected)
            return false;
        expected *= tensor->shape.dims[i];
    }
    return true;
}

/* Element by element, in row-major order. */
static void copy_strided(const ltap_torch_tensor *tensor, const uint8_t *src, size_t size,
                         uint8_t *dst)
{
    int64_t index[LTAP_MAX_RANK] = {0};
    uint64_t count = ltap_tensor_count(&tensor->shape), at = 0;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(dst + i * size, src + at * size, size);
        for (int axis = tensor->shape.rank; axis-- > 0;) {
            at += (uint64_t)tensor->strides[axis];
            if (++index[axis] < tensor->shape.dims[axis])
                break;
            at -= (uint64_t)(tensor->strides[axis] * index[axis]);
            index[axis] = 0;
        }
    }
}

ltap_status ltap_torch_data(ltap_torch_checkpoint *c, const ltap_torch_tensor *tensor,
                            ltap_tensor *out, ltap_error *error)
{
    ltap_torch_storage *storage = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, tensor->storage);
    size_t size = ltap_dtype_bits(tensor->shape.dtype) / 8;
    uint64_t count = ltap_tensor_count(&tensor->shape);
    void *block;
    *out = tensor->shape;
    if (count == 0)
        return ltap_arena_take(c->arena, 1, 16, &out->data, error);
    if (storage->deflated != NULL && storage->unpacked == NULL)
        LTAP_TRY(
            ltap_source_entry(c->source, &c->zip, storage->deflated, &storage->unpacked, error));
    const uint8_t *data = storage->unpacked ? storage->unpacked : c->source->data + storage->offset;
    data += tensor->first * size;
    if (is_dense(tensor)) {
        out->data = (void *)(uintptr_t)data;
        return LTAP_OK;
    }
    LTAP_TRY(ltap_arena_take(c->arena, count, size, &block, error));
    copy_strided(tensor, data, size, block);
    out->data = block;
    return LTAP_OK;
}
