/* What the formats of one file share: a file beside the final name, or behind standard output; the
 * caller's bytes go straight to their place in it.
 */
#include "base/error.h"
#include "io/writer.h"
#include <unistd.h>

ltap_status ltap_writer_file_open(ltap_writer *writer, ltap_error *error)
{
    if (writer->is_stdout)
        return ltap_stdout_open(&writer->file, error);
    return ltap_outfile_open(writer->path, writer->force, &writer->file, error);
}

ltap_status ltap_writer_file_append(ltap_writer *writer, ltap_writer_slot *slot, const void *data,
                                    size_t bytes, ltap_error *error)
{
    return ltap_outfile_write(&writer->file, slot->offset + slot->done, data, bytes, error);
}

ltap_status ltap_writer_file_commit(ltap_writer *writer, ltap_error *error)
{
    if (writer->is_stdout)
        return ltap_stdout_commit(&writer->file, writer->total_bytes, writer->memory, error);
    return ltap_outfile_commit(&writer->file, error);
}

void ltap_writer_file_close(ltap_writer *writer)
{
    ltap_outfile_close(&writer->file);
}
