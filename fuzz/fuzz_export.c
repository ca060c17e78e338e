/* Fuzzing the reader of torch.export's programs: any bytes as an archive, or as the JSON of a
 * program that is put into one, give a graph or one clear line.
 */
#include "formats/export/export.h"
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const packed program = {"serialized_exported_program.json", data, size};
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (ltap_zip_probe(data, size))
        load_as(&ltap_export_format, memory, data, size);
    else
        load_packed(&ltap_export_format, memory, &program, 1);
    ltap_memory_unref(memory);
    return 0;
}
