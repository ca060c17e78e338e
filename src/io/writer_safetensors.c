/* All members as one .safetensors: its header holds no checksum, so it is written first. */
#include "base/error.h"
#include "base/vector.h"
#include "codec/safetensors.h"
#include "io/writer.h"

/* Makes the header and sets the slots' offsets by it. */
static ltap_status make_header(ltap_writer *writer, ltap_vector *header, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(&writer->arena, writer->n_slots, sizeof(ltap_safetensors_entry),
                             &block, error));
    ltap_safetensors_entry *entries = block;
    for (size_t i = 0; i < writer->n_slots; i++) {
        entries[i].name = writer->slots[i].key = writer->slots[i].name;
        entries[i].tensor = writer->slots[i].tensor;
    }
    LTAP_TRY(ltap_safetensors_header(entries, writer->n_slots, header, error));
    writer->total_bytes = header->count;
    for (size_t i = 0; i < writer->n_slots; i++) {
        writer->slots[i].offset = entries[i].offset;
        writer->total_bytes += entries[i].bytes;
    }
    return LTAP_OK;
}

static ltap_status safetensors_layout(ltap_writer *writer, ltap_error *error)
{
    ltap_vector header;
    ltap_vector_init(&header, writer->memory, 1);
    ltap_status status = make_header(writer, &header, error);
    ltap_vector_clear(&header);
    return status;
}

static ltap_status safetensors_open(ltap_writer *writer, ltap_error *error)
{
    ltap_vector header;
    ltap_status status;
    ltap_vector_init(&header, writer->memory, 1);
    LTAP_GO(make_header(writer, &header, error));
    LTAP_GO(ltap_writer_file_open(writer, error));
    LTAP_GO(ltap_outfile_write(&writer->file, 0, header.data, header.count, error));
done:
    ltap_vector_clear(&header);
    return status;
}

const ltap_writer_format ltap_writer_safetensors = {
    .name = "safetensors",
    .suffix = ".safetensors",
    .layout = safetensors_layout,
    .open = safetensors_open,
    .append = ltap_writer_file_append,
    .commit = ltap_writer_file_commit,
    .close = ltap_writer_file_close,
};
