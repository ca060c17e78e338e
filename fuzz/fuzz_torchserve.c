/* Fuzzing the reader of TorchServe's archives: any bytes as an archive, or as the manifest of one,
 * give a graph or one clear line.
 */
#include "formats/torchserve/torchserve.h"
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const packed entries[] = {{"MAR-INF/MANIFEST.json", data, size}, {"a.pth", data, size}};
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (ltap_zip_probe(data, size))
        load_as(&ltap_torchserve_format, memory, data, size);
    else
        load_packed(&ltap_torchserve_format, memory, entries, 2);
    ltap_memory_unref(memory);
    return 0;
}
