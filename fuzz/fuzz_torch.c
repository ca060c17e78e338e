/* Fuzzing the checkpoint reader: any bytes give tensors that lie in their storages, each read to
 * its end, or one clear line. */
#include "base/error.h"
#include "formats/torch/checkpoint.h"
#include "formats/torch/torch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void read_tensors(ltap_torch_checkpoint *c)
{
    for (size_t i = 0; i < c->tensors.count; i++) {
        ltap_tensor tensor;
        bool unaligned;
        if (ltap_torch_data(c, LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i), &tensor,
                            &unaligned, NULL) != LTAP_OK)
            continue;
        const uint8_t *bytes = tensor.data;
        for (uint64_t k = 0; k < ltap_tensor_bytes(&tensor); k++)
            sink += bytes[k];
    }
}

/* Builds the network, or finds the nearest one. */
static void load_network(ltap_source *source)
{
    ltap_graph *graph = NULL;
    if (ltap_torch_format.load(source, &graph, NULL) != LTAP_OK)
        return;
    if (graph->no_network != NULL && strchr(graph->no_network, '\n'))
        abort();
    ltap_graph_free(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    ltap_arena arena;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    ltap_source source = {.data = data, .size = size, .memory = memory};
    ltap_vector_init(&source.files, memory, sizeof(ltap_file));
    ltap_arena_init(&arena, memory);
    ltap_torch_checkpoint c = {.source = &source, .arena = &arena};
    if (ltap_torch_probe(&source) > 0) {
        if (ltap_torch_read(&c, &error) == LTAP_OK)
            read_tensors(&c);
        else if (!error.message[0] || strchr(error.message, '\n'))
            abort();
        ltap_torch_clear(&c);
        load_network(&source);
    }
    for (size_t i = 0; i < source.files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&source.files, ltap_file, i));
    ltap_vector_clear(&source.files);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
    return 0;
}
