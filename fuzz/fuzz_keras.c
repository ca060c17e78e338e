/* Fuzzing the reader of Keras models: any bytes as an archive or an HDF5 file, or as the
 * configuration of an archive without weights, give a graph or one clear line.
 */
#include "base/error.h"
#include "codec/zip.h"
#include "formats/keras/keras.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(ltap_memory *memory, const uint8_t *data, size_t size)
{
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    ltap_graph *graph = NULL;
    ltap_source source = {.data = data, .size = size, .memory = memory};
    if (ltap_keras_format.probe(&source) > 0 &&
        ltap_keras_format.load(&source, &graph, &error) != LTAP_OK &&
        (!error.message[0] || strchr(error.message, '\n')))
        abort();
    ltap_graph_free(graph);
}

/* An HDF5 file of an empty root group. */
static const uint8_t nothing[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0, 0, 0,
                                  0,    8,   8,   0,   4,    0,    16,   0,    0, 0, 0, 0};

/* The bytes as the configuration of an archive. */
static void load_config(ltap_memory *memory, const uint8_t *data, size_t size)
{
    ltap_zip_member members[2] = {
        {"config.json", 11, size, ltap_zip_crc(0, data, size), 0, 0},
        {"model.weights.h5", 16, sizeof nothing, ltap_zip_crc(0, nothing, sizeof nothing), 0, 0}};
    uint64_t end = 0;
    if (ltap_zip_place(&members[0], &end, NULL) != LTAP_OK ||
        ltap_zip_place(&members[1], &end, NULL) != LTAP_OK)
        return;
    size_t whole = (size_t)(end + ltap_zip_directory_bytes(members, 2, end));
    uint8_t *archive = calloc(1, whole);
    if (archive == NULL)
        return;
    for (int i = 0; i < 2; i++)
        ltap_zip_local_header(&members[i], archive + members[i].header_offset);
    memcpy(archive + members[0].data_offset, data, size);
    memcpy(archive + members[1].data_offset, nothing, sizeof nothing);
    ltap_zip_directory(members, 2, end, archive + end);
    load(memory, archive, whole);
    free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (size > 0 && data[0] == '{')
        load_config(memory, data, size);
    else
        load(memory, data, size);
    ltap_memory_unref(memory);
    return 0;
}
