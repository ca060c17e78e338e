/* One array as .npy: header, then data. */
#include "base/checked.h"
#include "base/error.h"
#include "codec/npy.h"
#include "io/writer.h"

static ltap_status npy_layout(ltap_writer *writer, ltap_error *error)
{
    char header[LTAP_NPY_HEADER_MAX];
    size_t bytes;
    if (writer->n_slots != 1)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "%s: a .npy file holds one array, not %zu; write .npz, .safetensors, "
                              "or a folder (a name that ends in '/')",
                              writer->path, writer->n_slots);
    LTAP_TRY(ltap_npy_header(&writer->slots[0].tensor, header, &bytes, error));
    writer->slots[0].offset = bytes;
    if (!ltap_checked_add(bytes, writer->slots[0].bytes, &writer->total_bytes))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the file would pass 2^63 bytes");
    return LTAP_OK;
}

static ltap_status npy_open(ltap_writer *writer, ltap_error *error)
{
    char header[LTAP_NPY_HEADER_MAX];
    size_t bytes;
    LTAP_TRY(ltap_npy_header(&writer->slots[0].tensor, header, &bytes, error));
    LTAP_TRY(ltap_writer_file_open(writer, error));
    return ltap_outfile_write(&writer->file, 0, header, bytes, error);
}

const ltap_writer_format ltap_writer_npy = {
    .name = "npy",
    .suffix = ".npy",
    .layout = npy_layout,
    .open = npy_open,
    .append = ltap_writer_file_append,
    .commit = ltap_writer_file_commit,
    .close = ltap_writer_file_close,
};
