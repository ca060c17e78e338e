/* Fuzzing the checkpoint reader: any bytes give tensors that lie in their storages, each read to
 * its end, or one clear line. */
#include "formats/torch/checkpoint.h"
#include "formats/torch/torch.h"
#include "reader.h"

static volatile unsigned sink;

static void read_tensors(ltap_torch_checkpoint *c)
{
    for (size_t i = 0; i < c->tensors.count; i++) {
        ltap_tensor tensor;
        if (ltap_torch_data(c, LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i), &tensor, NULL) !=
            LTAP_OK)
            continue;
        const uint8_t *bytes = tensor.data;
        for (uint64_t k = 0; k < ltap_tensor_bytes(&tensor); k++)
            sink += bytes[k];
    }
}

static void read_checkpoint(ltap_memory *memory, const uint8_t *data, size_t size)
{
    ltap_arena arena;
    ltap_source source;
    ltap_error error = {.offset = LTAP_NO_OFFSET};
    ltap_source_init(&source, data, size, memory);
    ltap_arena_init(&arena, memory);
    ltap_torch_checkpoint c = {.source = &source, .arena = &arena};
    if (ltap_torch_probe(&source) > 0) {
        ltap_status status = ltap_torch_read(&c, &error);
        check_refusal(status, &error);
        if (status == LTAP_OK)
            read_tensors(&c);
        ltap_torch_clear(&c);
    }
    ltap_source_clear(&source);
    ltap_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    read_checkpoint(memory, data, size);
    load_as(&ltap_torch_format, memory, data, size); /* the network, or the nearest one */
    ltap_memory_unref(memory);
    return 0;
}
