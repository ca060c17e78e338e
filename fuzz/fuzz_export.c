/* Fuzzing the reader of torch.export's programs: any bytes as an archive, or as the JSON of a
 * program that is put into one, give a graph or one clear line.
 */
#include "base/error.h"
#include "codec/zip.h"
#include "formats/export/export.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(ltap_memory *memory, const uint8_t *data, size_t size)
{
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    ltap_graph *graph = NULL;
    ltap_source source = {.data = data, .size = size, .memory = memory};
    ltap_vector_init(&source.files, memory, sizeof(ltap_file));
    if (ltap_export_format.probe(&source) > 0 &&
        ltap_export_format.load(&source, &graph, &error) != LTAP_OK &&
        (!error.message[0] || strchr(error.message, '\n')))
        abort();
    ltap_graph_free(graph);
    for (size_t i = 0; i < source.files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&source.files, ltap_file, i));
    ltap_vector_clear(&source.files);
}

/* The bytes as the program of an archive that holds nothing else. */
static void load_program(ltap_memory *memory, const uint8_t *data, size_t size)
{
    static const char name[] = "serialized_exported_program.json";
    ltap_zip_member member = {.name = name,
                              .name_bytes = sizeof name - 1,
                              .bytes = size,
                              .crc = ltap_zip_crc(0, data, size)};
    uint64_t end = 0;
    if (ltap_zip_place(&member, &end, NULL) != LTAP_OK)
        return;
    size_t whole = (size_t)(end + ltap_zip_directory_bytes(&member, 1, end));
    uint8_t *archive = calloc(1, whole);
    if (archive == NULL)
        return;
    ltap_zip_local_header(&member, archive + member.header_offset);
    memcpy(archive + member.data_offset, data, size);
    ltap_zip_directory(&member, 1, end, archive + end);
    load(memory, archive, whole);
    free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (ltap_zip_probe(data, size))
        load(memory, data, size);
    else
        load_program(memory, data, size);
    ltap_memory_unref(memory);
    return 0;
}
