/* The zip reader, whatever the bytes: the directory, then every entry's data. */
#include "codec/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_entry(const ltap_zip *zip, const ltap_zip_entry *entry, ltap_memory *memory)
{
    void *block;
    (void)ltap_zip_name_is_path(entry->name);
    if (!entry->deflated)
        (void)!ltap_zip_check(zip, entry, NULL);
    else if (ltap_zip_inflate(zip, entry, memory, &block, NULL) == LTAP_OK)
        ltap_memory_release(memory, block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ltap_memory *memory;
    ltap_arena arena;
    ltap_zip zip;
    ltap_error error;
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    ltap_arena_init(&arena, memory);
    if (ltap_zip_open(bytes, size, &arena, &zip, &error) == LTAP_OK)
        for (size_t i = 0; i < zip.n_entries; i++)
            read_entry(&zip, &zip.entries[i], memory);
    ltap_arena_clear(&arena);
    if (ltap_memory_used(memory) != 0)
        __builtin_trap();
    ltap_memory_unref(memory);
    return 0;
}
