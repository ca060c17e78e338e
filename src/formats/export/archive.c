/* The three layouts of a .pt2 archive.
 *
 * Up to PyTorch 2.7 the records lie at the top, and tensors in archives of torch.save inside this
 * one. 2.8 gave them folders; since 2.9 each tensor's storage is a record, and a JSON table says
 * which tensor lies where in it.
 */
#include "formats/export/archive.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char flat_program[] = "serialized_exported_program.json";
static const char mark[] = "archive_format";

/* A record of this name, at the top or in the one folder around all. */
static const ltap_zip_entry *find_mark(const ltap_zip *zip, const char *name)
{
    for (size_t i = 0; i < zip->n_entries; i++) {
        const char *found = zip->entries[i].name;
        size_t root = strlen(found) - (ltap_text_ends(found, name) ? strlen(name) : strlen(found));
        if (ltap_text_ends(found, name) && (root == 0 || found[root - 1] == '/'))
            return &zip->entries[i];
    }
    return NULL;
}

bool ltap_archive_probe(const ltap_source *source)
{
    ltap_arena arena;
    ltap_zip zip;
    if (!ltap_zip_probe(source->data, source->size))
        return false;
    ltap_arena_init(&arena, source->memory);
    bool is_program = ltap_zip_open(source->data, source->size, &arena, &zip, NULL) == LTAP_OK &&
                      (find_mark(&zip, flat_program) != NULL || find_mark(&zip, mark) != NULL);
    ltap_arena_clear(&arena);
    return is_program;
}

#define MAX_NAME 512

/* The record of the root, folder, name and end; NULL: there is none. */
static const ltap_zip_entry *find_record(const ltap_archive *a, const char *folder,
                                         const char *name, const char *end)
{
    char whole[MAX_NAME];
    uint32_t index;
    int bytes = snprintf(whole, sizeof whole, "%s%s%s%s", a->root, folder, name, end);
    if (bytes < 0 || (size_t)bytes >= sizeof whole ||
        !ltap_map_get(&a->by_name, whole, (size_t)bytes, &index))
        return NULL;
    return &a->zip.entries[index];
}

static bool has_folder(const ltap_archive *a, const char *folder)
{
    for (size_t i = 0; i < a->zip.n_entries; i++)
        if (strncmp(a->zip.entries[i].name, a->root, strlen(a->root)) == 0 &&
            strncmp(a->zip.entries[i].name + strlen(a->root), folder, strlen(folder)) == 0)
            return true;
    return false;
}

static ltap_status read_json(ltap_archive *a, const ltap_zip_entry *entry, const ltap_json **json,
                             ltap_error *error)
{
    const uint8_t *data;
    if (!entry->deflated)
        LTAP_TRY(ltap_zip_check(&a->zip, entry, error));
    LTAP_TRY(ltap_source_entry(a->source, &a->zip, entry, &data, error));
    return ltap_json_parse_python(data, (size_t)entry->bytes,
                                  entry->deflated ? 0 : entry->data_offset, a->scratch, json,
                                  error);
}

/* The name of the one model, of "models/<name>.json". */
static ltap_status find_model(ltap_archive *a, ltap_error *error)
{
    static const char folder[] = "models/", end[] = ".json";
    size_t root = strlen(a->root), count = 0;
    for (size_t i = 0; i < a->zip.n_entries; i++) {
        const char *name = a->zip.entries[i].name;
        if (strncmp(name, a->root, root) != 0 || strncmp(name + root, folder, 7) != 0 ||
            !ltap_text_ends(name, end))
            continue;
        name += root + 7;
        count++;
        if (a->model == NULL || strcmp(name, "model.json") == 0)
            LTAP_TRY(ltap_arena_text(a->scratch, name, strlen(name) - 5, &a->model, error));
    }
    if (count > 1 && strcmp(a->model, "model") != 0)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, 0,
                             "the archive holds %zu programs, none of them named 'model'; save one "
                             "alone with torch.export.save",
                             count);
    if (count > 0)
        return LTAP_OK;
    bool compiled = has_folder(a, "data/aotinductor/") || has_folder(a, "data/executorch/");
    return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, 0,
                         "the archive holds %s, no graph; save the program with torch.export.save",
                         compiled ? "a compiled program" : "no program");
}

static ltap_status find_program(ltap_archive *a, const ltap_zip_entry **entry, ltap_error *error)
{
    const char *name = mark;
    const ltap_zip_entry *found = find_mark(&a->zip, mark);
    if (found == NULL) {
        name = flat_program;
        found = find_mark(&a->zip, flat_program);
    }
    if (found == NULL)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0, "the archive holds no program");
    LTAP_TRY(ltap_arena_text(a->scratch, found->name, strlen(found->name) - strlen(name), &a->root,
                             error));
    *entry = found;
    if (name == flat_program)
        return LTAP_OK;
    LTAP_TRY(find_model(a, error));
    *entry = find_record(a, "models/", a->model, ".json");
    return LTAP_OK;
}

static ltap_status check_version(const ltap_archive *a, uint64_t at, ltap_error *error)
{
    const ltap_json *version = ltap_json_find(a->program, "schema_version");
    const ltap_json *major = version != NULL ? ltap_json_find(version, "major") : NULL;
    if (major != NULL && major->kind == LTAP_JSON_INT && major->integer == 8)
        return LTAP_OK;
    if (major == NULL || major->kind != LTAP_JSON_INT)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, at,
                             "the program says no version of its schema; export it with PyTorch "
                             "2.6 or newer");
    return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, major->offset,
                         "the program's schema has version %" PRId64
                         "; layertap reads version 8 (PyTorch 2.6 to 2.15); export the model "
                         "again, or to ONNX",
                         major->integer);
}

ltap_status ltap_archive_open(ltap_archive *a, ltap_error *error)
{
    const ltap_zip_entry *entry = NULL;
    ltap_map_init(&a->by_name, a->source->memory);
    LTAP_TRY(ltap_zip_open(a->source->data, a->source->size, a->scratch, &a->zip, error));
    for (size_t i = 0; i < a->zip.n_entries; i++)
        LTAP_TRY(ltap_map_set(&a->by_name, a->zip.entries[i].name, a->zip.entries[i].name_bytes,
                              (uint32_t)i, error));
    LTAP_TRY(find_program(a, &entry, error));
    LTAP_TRY(read_json(a, entry, &a->program, error));
    return check_version(a, entry->data_offset, error);
}

ltap_dtype ltap_export_dtype(const ltap_json *number)
{
    static const struct {
        int64_t number;
        ltap_dtype dtype;
    } rows[] = {{1, LTAP_UINT8},       {2, LTAP_INT8},          {3, LTAP_INT16},
                {4, LTAP_INT32},       {5, LTAP_INT64},         {6, LTAP_FLOAT16},
                {7, LTAP_FLOAT32},     {8, LTAP_FLOAT64},       {10, LTAP_COMPLEX64},
                {11, LTAP_COMPLEX128}, {12, LTAP_BOOL},         {13, LTAP_BFLOAT16},
                {28, LTAP_UINT16},     {29, LTAP_FLOAT8E4M3FN}, {30, LTAP_FLOAT8E5M2},
                {34, LTAP_UINT32},     {35, LTAP_UINT64}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (number != NULL && number->kind == LTAP_JSON_INT && number->integer == rows[i].number)
            return rows[i].dtype;
    return LTAP_UNDEFINED;
}

bool ltap_export_size(const ltap_json *json, int64_t *size)
{
    const ltap_json *number = ltap_json_find(json, "as_int");
    *size = -1;
    if (number == NULL)
        return ltap_json_find(json, "as_expr") != NULL;
    *size = number->kind == LTAP_JSON_INT ? number->integer : -1;
    return *size >= 0;
}

static bool read_sizes(const ltap_json *list, int64_t sizes[LTAP_MAX_RANK], int *rank)
{
    *rank = 0;
    if (list == NULL || list->kind != LTAP_JSON_ARRAY || list->count > LTAP_MAX_RANK)
        return false;
    for (const ltap_json *size = list->first; size != NULL; size = size->next)
        if (!ltap_export_size(size, &sizes[(*rank)++]) || sizes[*rank - 1] < 0)
            return false;
    return true;
}

/* A tensor of a table: its storage is the record `folder` + path_name. */
static ltap_status add_tensor(ltap_archive *a, ltap_torch_checkpoint *table, const char *folder,
                              const ltap_json *row, ltap_error *error)
{
    const ltap_json *path = ltap_json_find(row, "path_name");
    const ltap_json *meta = ltap_json_find(row, "tensor_meta");
    const ltap_json *pickled = ltap_json_find(row, "use_pickle");
    ltap_torch_tensor tensor = {.name = row->key, .at = row->offset};
    int rank = 0;
    if (meta == NULL || meta->kind != LTAP_JSON_OBJECT)
        return LTAP_OK; /* no tensor: an object of a class; missed only by who asks for it */
    const ltap_json *offset = ltap_json_find(meta, "storage_offset");
    const ltap_json *first = offset != NULL ? ltap_json_find(offset, "as_int") : NULL;
    const ltap_zip_entry *entry = path != NULL && path->kind == LTAP_JSON_STRING
                                      ? find_record(a, folder, path->text, "")
                                      : NULL;
    if (pickled != NULL && pickled->kind == LTAP_JSON_BOOL && pickled->boolean)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, row->offset,
                             "tensor '%.100s' is of a class of its own, which is pickled",
                             row->key);
    tensor.shape.dtype = ltap_export_dtype(ltap_json_find(meta, "dtype"));
    if (entry == NULL || first == NULL || first->kind != LTAP_JSON_INT || first->integer < 0 ||
        tensor.shape.dtype == LTAP_UNDEFINED ||
        !read_sizes(ltap_json_find(meta, "sizes"), tensor.shape.dims, &tensor.shape.rank) ||
        !read_sizes(ltap_json_find(meta, "strides"), tensor.strides, &rank) ||
        rank != tensor.shape.rank)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, row->offset,
                             "tensor '%.100s' is not described as torch.export.save does it",
                             row->key);
    tensor.first = (uint64_t)first->integer;
    tensor.storage = (uint32_t)table->storages.count;
    ltap_torch_storage storage = {.key = path->text,
                                  .dtype = tensor.shape.dtype,
                                  .count = entry->bytes / (ltap_dtype_bits(tensor.shape.dtype) / 8),
                                  .offset = entry->data_offset,
                                  .bytes = entry->bytes,
                                  .found = true,
                                  .deflated = entry->deflated ? entry : NULL,
                                  .at = row->offset};
    LTAP_TRY(ltap_vector_push(&table->storages, &storage, error));
    return ltap_torch_add(table, &tensor, error);
}

static ltap_status read_table(ltap_archive *a, ltap_torch_checkpoint *table, const char *folder,
                              const ltap_zip_entry *entry, ltap_error *error)
{
    const ltap_json *json;
    LTAP_TRY(read_json(a, entry, &json, error));
    const ltap_json *config = ltap_json_find(json, "config");
    if (config == NULL || config->kind != LTAP_JSON_OBJECT)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->data_offset,
                             "'%s' is no table of tensors", entry->name);
    table->zip = a->zip;
    for (const ltap_json *row = config->first; row != NULL; row = row->next)
        LTAP_TRY(add_tensor(a, table, folder, row, error));
    return LTAP_OK;
}

static ltap_status read_inner(ltap_archive *a, ltap_archive_store *store,
                              const ltap_zip_entry *entry, ltap_error *error)
{
    LTAP_TRY(ltap_source_entry(a->source, &a->zip, entry, &store->source.data, error));
    store->source.size = (size_t)entry->bytes;
    store->at = entry->deflated ? 0 : entry->data_offset;
    store->table.keeps_names = true;
    store->source.files = a->source->files; /* lent: what is unpacked belongs to the source */
    ltap_status status = ltap_torch_read(&store->table, error);
    a->source->files = store->source.files;
    return status == LTAP_OK ? LTAP_OK : ltap_error_prefix(error, status, "in '%s'", entry->name);
}

static ltap_status read_store(ltap_archive *a, int which, ltap_error *error)
{
    static const struct {
        const char *flat, *folder, *config;
    } rows[] = {{"serialized_state_dict", "data/weights/", "_weights_config.json"},
                {"serialized_constants", "data/constants/", "_constants_config.json"}};
    ltap_archive_store *store = &a->stores[which];
    const ltap_zip_entry *entry;
    store->read = true;
    store->source = *a->source;
    store->table = (ltap_torch_checkpoint){.source = &store->source, .arena = a->arena};
    ltap_torch_init(&store->table);
    if (a->model == NULL) {
        entry = find_record(a, rows[which].flat, ".pt", "");
        if (entry == NULL)
            entry = find_record(a, rows[which].flat, ".json", "");
    } else {
        entry = find_record(a, rows[which].folder, a->model, rows[which].config);
        if (entry != NULL)
            return read_table(a, &store->table, rows[which].folder, entry, error);
        entry = find_record(a, rows[which].folder, a->model, ".pt");
    }
    if (entry == NULL)
        return LTAP_OK; /* who asks for a tensor will be told */
    return read_inner(a, store, entry, error);
}

ltap_status ltap_archive_tensor(ltap_archive *a, int which, const char *name, ltap_tensor *tensor,
                                ltap_span *span, ltap_error *error)
{
    ltap_archive_store *store = &a->stores[which];
    if (!store->read)
        LTAP_TRY(read_store(a, which, error));
    const ltap_torch_tensor *found = ltap_torch_find(&store->table, name);
    if (found == NULL)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "the archive lacks the tensor '%.100s'",
                              name);
    const ltap_torch_storage *storage =
        LTAP_VECTOR_AT(&store->table.storages, ltap_torch_storage, found->storage);
    *span = (ltap_span){store->at + storage->offset, storage->bytes > 0 ? storage->bytes : 1};
    store->source.files = a->source->files;
    ltap_status status = ltap_torch_data(&store->table, found, tensor, error);
    a->source->files = store->source.files;
    return status;
}

void ltap_archive_close(ltap_archive *a)
{
    for (int i = 0; i < LTAP_ARCHIVE_STORES; i++)
        if (a->stores[i].read)
            ltap_torch_clear(&a->stores[i].table);
    ltap_map_clear(&a->by_name);
}
