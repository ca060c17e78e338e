/* Features out: chooses the format, checks what is common to all of them (names, sizes, how much
 * has been appended), and leaves the bytes to the format's row.
 */
#include "io/writer.h"
#include "base/error.h"
#include "base/map.h"
#include "codec/utf8.h"
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const ltap_writer_format *const formats[] = {&ltap_writer_npz, &ltap_writer_npy,
                                                    &ltap_writer_safetensors, &ltap_writer_folder};
#define N_FORMATS (sizeof formats / sizeof formats[0])

static ltap_status format_by_name(const char *name, const ltap_writer_format **format,
                                  ltap_error *error)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i]->name, name) == 0) {
            *format = formats[i];
            return LTAP_OK;
        }
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "no output format '%s'; there are npz, npy, safetensors, folder", name);
}

static ltap_status format_by_path(const char *path, const ltap_writer_format **format,
                                  ltap_error *error)
{
    size_t bytes = strlen(path);
    struct stat facts;
    if (strcmp(path, "-") == 0)
        return format_by_name("npz", format, error);
    for (size_t i = 0; i < N_FORMATS; i++) {
        size_t n = strlen(formats[i]->suffix);
        if (bytes >= n && strcasecmp(path + bytes - n, formats[i]->suffix) == 0) {
            *format = formats[i];
            return LTAP_OK;
        }
    }
    if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "%s is a folder; to write into it, end its name with '/'", path);
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "%s: no format has this suffix; expected .npz, .npy, .safetensors, or a "
                          "folder (a name that ends in '/')",
                          path);
}

static ltap_status check_member(const ltap_writer_member *member, ltap_map *names,
                                ltap_error *error)
{
    uint32_t before;
    size_t bytes = member->name ? strlen(member->name) : 0;
    if (!member->name)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "a member has no name");
    if (!ltap_utf8_check(member->name, bytes, NULL))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the name '%s' is not UTF-8",
                              member->name);
    if (ltap_map_get(names, member->name, bytes, &before))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "two members are named '%s'",
                              member->name);
    return ltap_map_set(names, member->name, bytes, 1, error);
}

static ltap_status check_tensor(const ltap_writer_member *member, uint64_t *bytes,
                                ltap_error *error)
{
    const ltap_tensor *tensor = &member->tensor;
    uint64_t count;
    if (tensor->rank < 0 || tensor->rank > LTAP_MAX_RANK ||
        !ltap_dims_count(tensor->rank, tensor->dims, &count) ||
        !ltap_dtype_bytes(tensor->dtype, count, bytes))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "'%s': %s of shape %s cannot be written",
                              member->name, ltap_dtype_name(tensor->dtype),
                              tensor->rank < 0 || tensor->rank > LTAP_MAX_RANK
                                  ? "unknown"
                                  : ltap_shape_text(tensor).text);
    return LTAP_OK;
}

static ltap_status fill_slots(ltap_writer *writer, const ltap_writer_member *members,
                              ltap_map *names, ltap_error *error)
{
    for (size_t i = 0; i < writer->n_slots; i++) {
        ltap_writer_slot *slot = &writer->slots[i];
        LTAP_TRY(check_member(&members[i], names, error));
        LTAP_TRY(check_tensor(&members[i], &slot->bytes, error));
        LTAP_TRY(ltap_arena_text(&writer->arena, members[i].name, strlen(members[i].name),
                                 &slot->name, error));
        slot->tensor = members[i].tensor;
        slot->tensor.data = NULL;
    }
    return LTAP_OK;
}

static ltap_status take_slots(ltap_writer *writer, const ltap_writer_member *members,
                              size_t n_members, ltap_error *error)
{
    ltap_map names;
    void *block;
    LTAP_TRY(ltap_arena_take(&writer->arena, n_members, sizeof *writer->slots, &block, error));
    writer->slots = block;
    writer->n_slots = n_members;
    ltap_map_init(&names, writer->memory);
    ltap_status status = fill_slots(writer, members, &names, error);
    ltap_map_clear(&names);
    return status;
}

/* Everything but the file. */
static ltap_status prepare(ltap_writer *writer, const char *path, const ltap_writer_member *members,
                           size_t n_members, const ltap_writer_options *options, ltap_error *error)
{
    if (options && options->format)
        LTAP_TRY(format_by_name(options->format, &writer->format, error));
    else
        LTAP_TRY(format_by_path(path, &writer->format, error));
    LTAP_TRY(ltap_arena_text(&writer->arena, path, strlen(path), &writer->path, error));
    writer->is_stdout = strcmp(path, "-") == 0;
    writer->force = options && options->force;
    LTAP_TRY(take_slots(writer, members, n_members, error));
    return writer->format->layout(writer, error);
}

static ltap_status make(ltap_memory *memory, ltap_writer **writer, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take_zeroed(memory, 1, sizeof **writer, "a writer", &block, error));
    *writer = block;
    (*writer)->memory = ltap_memory_ref(memory);
    (*writer)->file.descriptor = -1;
    ltap_arena_init(&(*writer)->arena, memory);
    return LTAP_OK;
}

ltap_status ltap_writer_open_on(ltap_memory *memory, const char *path,
                                const ltap_writer_member *members, size_t n_members,
                                const ltap_writer_options *options, ltap_writer **writer,
                                ltap_error *error)
{
    ltap_writer *made = NULL;
    ltap_status status;
    LTAP_GO(make(memory, &made, error));
    LTAP_GO(prepare(made, path, members, n_members, options, error));
    made->is_open = true;
    LTAP_GO(made->format->open(made, error));
    *writer = made;
    made = NULL;
done:
    ltap_writer_close(made);
    return status;
}

ltap_status ltap_writer_open(const char *path, const ltap_writer_member *members, size_t n_members,
                             const ltap_writer_options *options, ltap_writer **writer,
                             ltap_error *error)
{
    ltap_memory *memory;
    if (!path || (!members && n_members) || !writer)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_writer_open: an argument is NULL");
    LTAP_TRY(ltap_memory_new(NULL, 0, &memory, error));
    ltap_status status =
        ltap_writer_open_on(memory, path, members, n_members, options, writer, error);
    ltap_memory_unref(memory);
    return status;
}

ltap_status ltap_writer_append(ltap_writer *writer, size_t member, const void *data, size_t bytes,
                               ltap_error *error)
{
    if (member >= writer->n_slots)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "member %zu of %zu", member,
                              writer->n_slots);
    ltap_writer_slot *slot = &writer->slots[member];
    if (bytes > slot->bytes - slot->done)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "'%s' takes %llu bytes; %llu were appended, and %zu more are too many", slot->name,
            (unsigned long long)slot->bytes, (unsigned long long)slot->done, bytes);
    if (bytes == 0)
        return LTAP_OK;
    ltap_status status = writer->format->append(writer, slot, data, bytes, error);
    slot->done += bytes;
    writer->is_broken |= status != LTAP_OK;
    return status;
}

static ltap_status check_complete(const ltap_writer *writer, ltap_error *error)
{
    if (!writer->is_open || writer->is_broken)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "%s: a writer that failed, or that is done, cannot be committed",
                              writer->path);
    for (size_t i = 0; i < writer->n_slots; i++)
        if (writer->slots[i].done != writer->slots[i].bytes)
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                  "'%s' has %llu of its %llu bytes; append the rest before commit",
                                  writer->slots[i].name, (unsigned long long)writer->slots[i].done,
                                  (unsigned long long)writer->slots[i].bytes);
    return LTAP_OK;
}

ltap_status ltap_writer_commit(ltap_writer *writer, uint64_t *bytes, ltap_error *error)
{
    LTAP_TRY(check_complete(writer, error));
    ltap_status status = writer->format->commit(writer, error);
    writer->is_broken = true;
    if (status == LTAP_OK && bytes)
        *bytes = writer->total_bytes;
    return status;
}

void ltap_writer_close(ltap_writer *writer)
{
    if (!writer)
        return;
    if (writer->is_open)
        writer->format->close(writer);
    ltap_memory *memory = writer->memory;
    ltap_arena_clear(&writer->arena);
    ltap_memory_release(memory, writer);
    ltap_memory_unref(memory);
}

ltap_status ltap_writer_estimate(const char *path, const ltap_writer_member *members,
                                 size_t n_members, const ltap_writer_options *options,
                                 uint64_t *bytes, ltap_error *error)
{
    ltap_memory *memory = NULL;
    ltap_writer *writer = NULL;
    ltap_status status;
    if (!path || (!members && n_members) || !bytes)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_writer_estimate: an argument is NULL");
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(make(memory, &writer, error));
    LTAP_GO(prepare(writer, path, members, n_members, options, error));
    *bytes = writer->total_bytes;
done:
    ltap_writer_close(writer);
    ltap_memory_unref(memory);
    return status;
}
