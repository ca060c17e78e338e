/* Fuzzing the reader of Keras models: any bytes as an archive or an HDF5 file, or as the
 * configuration of an archive without weights, give a graph or one clear line.
 */
#include "formats/keras/keras.h"
#include "reader.h"

/* An HDF5 file of an empty root group. */
static const uint8_t nothing[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0, 0, 0,
                                  0,    8,   8,   0,   4,    0,    16,   0,    0, 0, 0, 0};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const packed model[] = {{"config.json", data, size},
                            {"model.weights.h5", nothing, sizeof nothing}};
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (size > 0 && data[0] == '{')
        load_packed(&ltap_keras_format, memory, model, 2);
    else
        load_as(&ltap_keras_format, memory, data, size);
    ltap_memory_unref(memory);
    return 0;
}
