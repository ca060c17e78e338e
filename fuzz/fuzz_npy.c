/* Arrays in, whatever the bytes: npy headers, and every element that they promise. */
#include "io/arrays.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ltap_memory *memory;
    ltap_arrays *arrays;
    ltap_error error;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    if (ltap_arrays_open_bytes_on(memory, bytes, size, "fuzz", &arrays, &error) == LTAP_OK) {
        for (size_t i = 0; i < ltap_arrays_count(arrays); i++) {
            ltap_stats stats;
            (void)!ltap_tensor_stats(&ltap_arrays_at(arrays, i)->tensor, &stats, &error);
        }
        ltap_arrays_close(arrays);
    }
    if (ltap_memory_used(memory) != 0)
        __builtin_trap();
    ltap_memory_unref(memory);
    return 0;
}
