/* A .mar of torch-model-archiver: a zip with a manifest that names the model's file in it. That
 * file is read as if it stood alone, in place where it is stored, else unpacked; all else in the
 * archive (handlers, Python) is left alone.
 */
#include "formats/torchserve/torchserve.h"

#include "base/error.h"
#include "codec/json.h"
#include "codec/zip.h"

#include <inttypes.h>
#include <string.h>

#define MANIFEST     "MAR-INF/MANIFEST.json"
#define MAX_MANIFEST (1u << 20)

static ltap_status read_manifest(ltap_source *source, const ltap_zip *zip, ltap_arena *scratch,
                                 const ltap_json **manifest, ltap_error *error)
{
    const ltap_zip_entry *entry = ltap_zip_find(zip, MANIFEST);
    const uint8_t *data;
    if (entry == NULL)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "the archive has no '" MANIFEST "'");
    if (entry->bytes > MAX_MANIFEST)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->central_offset,
                             "'" MANIFEST "' has %" PRIu64 " bytes; at most %u are read",
                             entry->bytes, MAX_MANIFEST);
    if (!entry->deflated)
        LTAP_TRY(ltap_zip_check(zip, entry, error));
    LTAP_TRY(ltap_source_entry(source, zip, entry, &data, error));
    ltap_status status =
        ltap_json_parse(data, (size_t)entry->bytes, entry->deflated ? 0 : entry->data_offset,
                        scratch, manifest, error);
    return status == LTAP_OK ? LTAP_OK : ltap_error_prefix(error, status, "in '" MANIFEST "'");
}

/* The entry that the manifest calls the model's. */
static ltap_status find_member(ltap_source *source, const ltap_zip *zip, ltap_arena *scratch,
                               const ltap_zip_entry **member, ltap_error *error)
{
    const ltap_json *manifest;
    LTAP_TRY(read_manifest(source, zip, scratch, &manifest, error));
    const ltap_json *model = ltap_json_find(manifest, "model");
    const ltap_json *file = ltap_json_find(model, "serializedFile");
    if (file == NULL || file->kind != LTAP_JSON_STRING)
        return ltap_error_set(
            error, LTAP_ERROR_UNSUPPORTED,
            "the archive's manifest names no serializedFile: its handler makes the "
            "model, and no code in a file is run; archive the weights with "
            "torch-model-archiver --serialized-file");
    for (const char *c = file->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "the manifest's serializedFile has a control character in its "
                                  "name");
    *member = ltap_zip_find(zip, file->text);
    if (*member == NULL)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "the archive lacks '%.100s', which its manifest says is the model",
                              file->text);
    return LTAP_OK;
}

/* From here on the source is the member. What is unpacked lies in no file. */
static ltap_status enter_member(ltap_source *source, const ltap_zip *zip,
                                const ltap_zip_entry *member, ltap_error *error)
{
    const uint8_t *data;
    LTAP_TRY(ltap_source_entry(source, zip, member, &data, error));
    source->data = data;
    source->size = (size_t)member->bytes;
    source->at = member->data_offset;
    if (member->deflated)
        source->path = NULL;
    return LTAP_OK;
}

static ltap_status read(ltap_source *source, ltap_arena *scratch, ltap_graph **graph,
                        ltap_error *error)
{
    const ltap_zip_entry *member = NULL;
    ltap_zip zip;
    LTAP_TRY(ltap_zip_open(source->data, source->size, scratch, &zip, error));
    LTAP_TRY(find_member(source, &zip, scratch, &member, error));
    if (source->member != NULL)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "an archive in an archive is not read");
    source->member = member->name;
    ltap_status status = enter_member(source, &zip, member, error);
    if (status == LTAP_OK)
        status = ltap_format_load(source, graph, error);
    source->member = NULL; /* its name goes with the archive's directory */
    if (status != LTAP_OK)
        return ltap_error_prefix(error, status, "in '%.100s'", member->name);
    status = ltap_arena_format(&(*graph)->arena, &(*graph)->version, error,
                               "'%.100s' of a TorchServe archive, %s", member->name,
                               (*graph)->version ? (*graph)->version : "");
    if (status != LTAP_OK) {
        ltap_graph_free(*graph);
        *graph = NULL;
    }
    return status;
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_arena scratch;
    ltap_arena_init(&scratch, source->memory);
    ltap_status status = read(source, &scratch, graph, error);
    ltap_arena_clear(&scratch);
    return status;
}

static int probe(const ltap_source *source)
{
    ltap_arena scratch;
    ltap_zip zip;
    if (!ltap_zip_probe(source->data, source->size))
        return 0;
    ltap_arena_init(&scratch, source->memory);
    bool is_archive = ltap_zip_open(source->data, source->size, &scratch, &zip, NULL) == LTAP_OK &&
                      ltap_zip_find(&zip, MANIFEST) != NULL;
    ltap_arena_clear(&scratch);
    return is_archive ? 3 : 0;
}

const ltap_format ltap_torchserve_format = {"TorchServe archive", probe, load, NULL, true};
