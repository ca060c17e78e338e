/* One .npy a member in a folder: "<name>.npy" with "/" as %2F. All files are made at once, with
 * their headers; appending opens one at a time, so that a thousand members need no thousand
 * descriptors.
 */
#include "base/checked.h"
#include "base/error.h"
#include "codec/npy.h"
#include "io/folder.h"
#include "io/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct state {
    ltap_outfolder folder;
    const ltap_writer_slot *current; /* whose file is writer->file; NULL for none */
} state;

static ltap_status folder_layout(ltap_writer *writer, ltap_error *error)
{
    char header[LTAP_NPY_HEADER_MAX];
    if (writer->is_stdout)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "a folder cannot go to standard output; choose another format");
    for (size_t i = 0; i < writer->n_slots; i++) {
        ltap_writer_slot *slot = &writer->slots[i];
        size_t bytes;
        ltap_status status = ltap_npy_header(&slot->tensor, header, &bytes, error);
        if (status != LTAP_OK)
            return ltap_error_prefix(error, status, "'%s'", slot->name);
        LTAP_TRY(ltap_writer_encode(&writer->arena, slot->name, true, ".npy", &slot->key, error));
        slot->offset = bytes;
        if (!ltap_checked_add(writer->total_bytes, bytes, &writer->total_bytes) ||
            !ltap_checked_add(writer->total_bytes, slot->bytes, &writer->total_bytes))
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "more than 2^64 bytes of data");
    }
    return LTAP_OK;
}

/* Closing may be the first to tell that there is no room. */
static ltap_status close_current(ltap_writer *writer, ltap_error *error)
{
    state *s = writer->state;
    int descriptor = writer->file.descriptor;
    s->current = NULL;
    writer->file.descriptor = -1;
    if (descriptor >= 0 && close(descriptor) != 0 && errno != EINTR)
        return ltap_error_system(error, errno, "%s could not be written to its end",
                                 writer->file.path);
    return LTAP_OK;
}

static ltap_status open_slot(ltap_writer *writer, const ltap_writer_slot *slot, int flags,
                             ltap_error *error)
{
    state *s = writer->state;
    if (s->current == slot)
        return LTAP_OK;
    LTAP_TRY(close_current(writer, error));
    int n =
        snprintf(writer->file.path, sizeof writer->file.path, "%s/%s", s->folder.path, slot->key);
    if (n < 0 || (size_t)n >= sizeof writer->file.path)
        return ltap_error_set(error, LTAP_ERROR_FILE, "%.60s...: the path of '%.60s' is too long",
                              s->folder.path, slot->name);
    writer->file.descriptor =
        openat(s->folder.descriptor, slot->key, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    if (writer->file.descriptor < 0)
        return ltap_error_system(error, errno, "%s", writer->file.path);
    s->current = slot;
    return LTAP_OK;
}

static ltap_status make_file(ltap_writer *writer, const ltap_writer_slot *slot, ltap_error *error)
{
    char header[LTAP_NPY_HEADER_MAX];
    size_t bytes;
    LTAP_TRY(ltap_npy_header(&slot->tensor, header, &bytes, error));
    LTAP_TRY(open_slot(writer, slot, O_CREAT | O_EXCL, error));
    return ltap_outfile_write(&writer->file, 0, header, bytes, error);
}

static ltap_status folder_open(ltap_writer *writer, ltap_error *error)
{
    state *s;
    LTAP_TRY(ltap_arena_take(&writer->arena, 1, sizeof *s, &writer->state, error));
    s = writer->state;
    s->folder.descriptor = -1;
    LTAP_TRY(ltap_outfolder_open(writer->path, writer->force, &s->folder, error));
    for (size_t i = 0; i < writer->n_slots; i++)
        LTAP_TRY(make_file(writer, &writer->slots[i], error));
    return LTAP_OK;
}

static ltap_status folder_append(ltap_writer *writer, ltap_writer_slot *slot, const void *data,
                                 size_t bytes, ltap_error *error)
{
    LTAP_TRY(open_slot(writer, slot, 0, error));
    return ltap_writer_file_append(writer, slot, data, bytes, error);
}

static ltap_status folder_commit(ltap_writer *writer, ltap_error *error)
{
    state *s = writer->state;
    LTAP_TRY(close_current(writer, error));
    return ltap_outfolder_commit(&s->folder, error);
}

static void folder_close(ltap_writer *writer)
{
    state *s = writer->state;
    if (!s)
        return;
    ltap_outfile_close(&writer->file);
    ltap_outfolder_close(&s->folder);
}

const ltap_writer_format ltap_writer_folder = {
    .name = "folder",
    .suffix = "/",
    .layout = folder_layout,
    .open = folder_open,
    .append = folder_append,
    .commit = folder_commit,
    .close = folder_close,
};
