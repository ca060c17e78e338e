/* A model that is already in memory, and an allocator of one's own that counts. When everything is
 * given back, nothing is left. usage: memory MODEL */
#include <layertap/layertap.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct counter {
    atomic_size_t blocks, bytes, total;
} counter;

static void *count_allocate(void *user, size_t bytes, size_t alignment)
{
    counter *count = user;
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory) {
        atomic_fetch_add(&count->blocks, 1);
        atomic_fetch_add(&count->bytes, bytes);
        atomic_fetch_add(&count->total, bytes);
    }
    return memory;
}

static void count_release(void *user, void *memory, size_t bytes)
{
    counter *count = user;
    atomic_fetch_sub(&count->blocks, 1);
    atomic_fetch_sub(&count->bytes, bytes);
    free(memory);
}

int main(int argc, char **argv)
{
    static char bytes[1 << 24]; /* a model of up to 16 MB */
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return fprintf(stderr, "usage: memory MODEL\n"), 2;
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    counter count = {0};
    const ltap_allocator allocator = {count_allocate, count_release, &count};
    const ltap_model_options options = {.allocator = &allocator};
    ltap_error error;
    ltap_model *model = NULL;
    if (ltap_model_open_bytes(bytes, size, argv[1], &options, &model, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    printf("%zu layers, allocated: %s\n", ltap_model_layers_count(model),
           atomic_load(&count.total) > 0 ? "yes" : "no");
    ltap_model_close(model);
    printf("left: %zu blocks, %zu bytes\n", atomic_load(&count.blocks), atomic_load(&count.bytes));
    return 0;
}
