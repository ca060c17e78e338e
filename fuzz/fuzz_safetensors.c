/* The safetensors header and the JSON under it, whatever the bytes: what is accepted lies in the
 * file.
 */
#include "codec/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ltap_memory *memory;
    ltap_arena arena;
    ltap_safetensors file;
    ltap_error error;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    ltap_arena_init(&arena, memory);
    if (ltap_safetensors_parse(bytes, size, &arena, &file, &error) == LTAP_OK)
        for (size_t i = 0; i < file.n_entries; i++)
            if (file.entries[i].offset > size ||
                file.entries[i].bytes > size - file.entries[i].offset)
                __builtin_trap();
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
    return 0;
}
