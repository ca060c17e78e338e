/* Weights in files beside the model.
 *
 * Only below the model's own folder, or the one folder that the user named. What the model says is
 * checked at once; what is on the disk only marks the weight as missing, with the reason, so that a
 * request that does not need it goes on. Each file is mapped once. The optional SHA-1 is not
 * verified: that would read every weight.
 */
#include "base/checked.h"
#include "base/error.h"
#include "formats/onnx/onnx.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* A file that was tried: its bytes, or why not. */
typedef struct external_file {
    const char *location;
    const uint8_t *data;
    uint64_t size;
    const char *missing;
} external_file;

typedef struct external_place {
    const char *location; /* normalised */
    uint64_t offset, length;
    bool has_length;
} external_place;

void ltap_onnx_externals_init(ltap_onnx *load)
{
    ltap_vector_init(&load->externals, load->source->memory, sizeof(external_file));
}

static ltap_status refuse_location(const ltap_onnx_tensor *tensor, uint64_t at,
                                   const char *location, const char *why, ltap_error *error)
{
    return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                         "tensor '%s' is in the external file '%s', which %s; only files beside "
                         "the model may be read",
                         tensor->name, location, why);
}

/* Takes out "." and empty parts and what ".." undoes. False when it leads out. */
static bool normalise(char *path)
{
    size_t used = 0;
    for (const char *part = path; *part;) {
        size_t bytes = strcspn(part, "/");
        const char *next = part + bytes + (part[bytes] == '/');
        if (bytes == 2 && part[0] == '.' && part[1] == '.') {
            if (used == 0)
                return false;
            while (used > 0 && path[--used] != '/')
                ;
        } else if (bytes > 0 && !(bytes == 1 && part[0] == '.')) {
            if (used > 0)
                path[used++] = '/';
            memmove(path + used, part, bytes);
            used += bytes;
        }
        part = next;
    }
    path[used] = '\0';
    return used > 0;
}

static ltap_status read_location(ltap_onnx *load, ltap_wire_span span,
                                 const ltap_onnx_tensor *tensor, const char **location,
                                 ltap_error *error)
{
    static const char marker[] = "*/_ORT_MEM_ADDR_/*";
    const char *given = NULL, *copy = NULL;
    LTAP_TRY(ltap_onnx_text(load, span, "file name", &given, error));
    LTAP_TRY(ltap_arena_text(load->arena, given, strlen(given), &copy, error));
    if (strncmp(given, marker, sizeof(marker) - 1) == 0)
        return refuse_location(tensor, span.offset, given, "is an address in another process",
                               error);
    if (given[0] == '/')
        return refuse_location(tensor, span.offset, given, "is an absolute path", error);
    if (!normalise((char *)(uintptr_t)copy))
        return refuse_location(tensor, span.offset, given,
                               given[0] ? "leads out of the folder" : "has no name", error);
    *location = copy;
    return LTAP_OK;
}

static bool parse_decimal(const char *text, uint64_t *number)
{
    *number = 0;
    for (const char *c = text; *c; c++)
        if (*c < '0' || *c > '9' || !ltap_checked_mul(*number, 10, number) ||
            !ltap_checked_add(*number, (uint64_t)(*c - '0'), number))
            return false;
    return *text != '\0';
}

static ltap_status read_number(ltap_onnx *load, const ltap_proto_property *entry, const char *key,
                               const ltap_onnx_tensor *tensor, uint64_t *number, ltap_error *error)
{
    const char *text = NULL;
    LTAP_TRY(ltap_onnx_text(load, entry->value, "number", &text, error));
    if (parse_decimal(text, number))
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->head.span.offset,
                         "tensor '%s' has the external %s '%s', which is not a number",
                         tensor->name, key, text);
}

static ltap_status read_entry(ltap_onnx *load, ltap_wire_span span, const ltap_onnx_tensor *tensor,
                              external_place *place, ltap_error *error)
{
    ltap_proto_property entry;
    const char *key = NULL;
    LTAP_TRY(ltap_wire_decode(&load->wire, span, &ltap_proto_property_message, &load->scratch,
                              &entry, error));
    LTAP_TRY(ltap_onnx_text(load, entry.key, "key", &key, error));
    if (strcmp(key, "location") == 0)
        return read_location(load, entry.value, tensor, &place->location, error);
    if (strcmp(key, "offset") == 0)
        return read_number(load, &entry, key, tensor, &place->offset, error);
    if (strcmp(key, "length") != 0)
        return LTAP_OK;
    place->has_length = true;
    return read_number(load, &entry, key, tensor, &place->length, error);
}

/* The folder of a path, as given: "." where it names none. */
static ltap_status folder_of(ltap_onnx *load, const char *path, const char **folder,
                             ltap_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ltap_arena_text(&load->scratch, ".", 1, folder, error);
    size_t bytes = slash == path ? 1 : (size_t)(slash - path);
    return ltap_arena_text(&load->scratch, path, bytes, folder, error);
}

/* A file with a second name may be anybody's: only the owner of the folder can tell. */
static bool has_other_names(ltap_onnx *load, const char *folder, const char *location)
{
    const char *path = NULL;
    struct stat facts;
    return ltap_arena_format(&load->scratch, &path, NULL, "%s/%s", folder, location) == LTAP_OK &&
           lstat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink > 1;
}

/* Opens below one folder; *why is set and OK returned where the file cannot be had. */
static ltap_status open_below(ltap_onnx *load, const char *folder, external_file *file,
                              const char **why, ltap_error *error)
{
    ltap_file opened = {0};
    ltap_error reason = {.code = LTAP_OK};
    ltap_source *source = load->source;
    if (has_other_names(load, folder, file->location))
        return ltap_arena_format(load->arena, why, error,
                                 "'%s' in '%s' has a second name elsewhere (a hard link); put a "
                                 "copy of its own there",
                                 file->location, folder);
    ltap_status status = ltap_file_open_beneath(folder, file->location, source->private_copy,
                                                source->memory, &opened, &reason);
    if (status == LTAP_ERROR_MEMORY)
        return ltap_error_set(error, status, "%s", reason.message);
    if (status != LTAP_OK)
        return ltap_arena_text(load->arena, reason.message, strlen(reason.message), why, error);
    status = ltap_vector_push(&source->files, &opened, error);
    if (status != LTAP_OK) {
        ltap_file_close(&opened);
        return status;
    }
    file->data = opened.data;
    file->size = opened.size;
    *why = NULL;
    return LTAP_OK;
}

static ltap_status open_file(ltap_onnx *load, external_file *file, ltap_error *error)
{
    const char *folder = NULL, *beside = NULL, *elsewhere = NULL;
    const ltap_source *source = load->source;
    if (!source->path && !source->external_dir) {
        file->missing = "a model in memory has no folder of its own; name the folder of its "
                        "external data";
        return LTAP_OK;
    }
    if (source->path) {
        LTAP_TRY(folder_of(load, source->path, &folder, error));
        LTAP_TRY(open_below(load, folder, file, &beside, error));
        if (!beside)
            return LTAP_OK;
    }
    file->missing = beside;
    if (!source->external_dir)
        return LTAP_OK;
    LTAP_TRY(open_below(load, source->external_dir, file, &elsewhere, error));
    file->missing = elsewhere;
    if (elsewhere && beside)
        LTAP_TRY(
            ltap_arena_format(load->arena, &file->missing, error, "%s; %s", beside, elsewhere));
    return LTAP_OK;
}

static ltap_status find_file(ltap_onnx *load, const char *location, const external_file **found,
                             ltap_error *error)
{
    uint32_t index;
    external_file file = {.location = location};
    if (!ltap_map_get(&load->external_by_location, location, strlen(location), &index)) {
        LTAP_TRY(open_file(load, &file, error));
        index = (uint32_t)load->externals.count;
        LTAP_TRY(ltap_vector_push(&load->externals, &file, error));
        LTAP_TRY(
            ltap_map_set(&load->external_by_location, location, strlen(location), index, error));
    }
    *found = LTAP_VECTOR_AT(&load->externals, external_file, index);
    return LTAP_OK;
}

static bool place_fits(const external_place *place, const external_file *file, uint64_t bytes)
{
    return place->offset <= file->size && bytes <= file->size - place->offset &&
           (!place->has_length || place->length <= file->size - place->offset);
}

ltap_status ltap_onnx_external_read(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t bytes,
                                    ltap_onnx_tensor *out, ltap_error *error)
{
    external_place place = {0};
    const external_file *file = NULL;
    uint64_t at = proto->head.span.offset;
    for (size_t i = 0; i < proto->external_data.count; i++)
        LTAP_TRY(read_entry(load, proto->external_data.items[i], out, &place, error));
    if (!place.location)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                             "tensor '%s' is external but names no location", out->name);
    if (out->tensor.dtype == LTAP_STRING || (place.has_length && place.length < bytes))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, at,
                             "tensor '%s' of %s needs %" PRIu64 " bytes, its external length is "
                             "%" PRIu64,
                             out->name, ltap_tensor_text(&out->tensor).text, bytes, place.length);
    LTAP_TRY(find_file(load, place.location, &file, error));
    if (file->missing)
        return ltap_arena_format(load->arena, &out->missing, error,
                                 "byte %" PRIu64 ": tensor '%s' is in the external file '%s': %s",
                                 at, out->name, place.location, file->missing);
    if (!place_fits(&place, file, bytes))
        return ltap_arena_format(load->arena, &out->missing, error,
                                 "byte %" PRIu64 ": tensor '%s' declares %" PRIu64
                                 " bytes at %" PRIu64
                                 " of the external file '%s', which has %" PRIu64 " bytes",
                                 at, out->name, place.has_length ? place.length : bytes,
                                 place.offset, place.location, file->size);
    out->tensor.data = (void *)(uintptr_t)(file->data + place.offset);
    return LTAP_OK;
}
