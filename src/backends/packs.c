/* Packed weights: a locked list that only grows.
 *
 * The lock is held while a weight is packed, so that two plans that want the same one at the same
 * time make it once. Entries never move: what was handed out stays valid until the end.
 */
#include "backends/packs.h"

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slabs.h"
#include "base/vector.h"
#include <pthread.h>
#include <string.h>

struct ltap_packs {
    ltap_memory *memory;
    pthread_mutex_t lock;
    ltap_arena keys;
    ltap_map by_key;    /* number in blocks */
    ltap_vector blocks; /* void * */
    ltap_slabs slabs;
    ltap_reader reader;
};

ltap_status ltap_packs_new(ltap_memory *memory, ltap_packs **packs, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_memory_take(memory, sizeof **packs, "packed weights", &block, error));
    ltap_packs *made = block;
    *made = (ltap_packs){.memory = memory};
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        ltap_memory_release(memory, block);
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "the system has no lock left");
    }
    ltap_memory_ref(memory);
    ltap_arena_init(&made->keys, memory);
    ltap_map_init(&made->by_key, memory);
    ltap_vector_init(&made->blocks, memory, sizeof(void *));
    ltap_slabs_init(&made->slabs, memory);
    *packs = made;
    return LTAP_OK;
}

void ltap_packs_free(ltap_packs *packs)
{
    if (packs == NULL)
        return;
    ltap_memory *memory = packs->memory;
    ltap_slabs_clear(&packs->slabs);
    ltap_vector_clear(&packs->blocks);
    ltap_map_clear(&packs->by_key);
    ltap_arena_clear(&packs->keys);
    pthread_mutex_destroy(&packs->lock);
    ltap_memory_release(memory, packs);
    ltap_memory_unref(memory);
}

/* What is asked for: the bytes of the source's address, then the row's own key. */
typedef struct request {
    const char *key;
    size_t key_bytes;
    uint64_t bytes;
    ltap_pack_fill fill;
    void *context;
} request;

static ltap_status pack(ltap_packs *packs, const request *wanted, void **packed, ltap_error *error)
{
    const char *key;
    void *block = NULL;
    ltap_status status;
    uint32_t number = (uint32_t)packs->blocks.count;
    LTAP_TRY(ltap_slabs_take(&packs->slabs, wanted->bytes, "a packed weight", &block, error));
    LTAP_GO(wanted->fill(wanted->context, block, error));
    LTAP_GO(ltap_arena_text(&packs->keys, wanted->key, wanted->key_bytes, &key, error));
    LTAP_GO(ltap_vector_push(&packs->blocks, &block, error));
    *packed = block;
    status = ltap_map_set(&packs->by_key, key, wanted->key_bytes, number, error);
    if (status == LTAP_OK)
        return LTAP_OK;
    packs->blocks.count--;
done:
    ltap_slabs_undo(&packs->slabs, block, wanted->bytes);
    return status;
}

ltap_status ltap_packs_get(ltap_packs *packs, const void *source, const char *key, uint64_t bytes,
                           ltap_pack_fill fill, void *context, const void **packed,
                           ltap_error *error)
{
    char full[256];
    uint32_t number;
    void *block = NULL;
    ltap_status status = LTAP_OK;
    size_t length = strlen(key);
    if (length > sizeof full - sizeof source)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "the key of a packed weight is too long");
    memcpy(full, &source, sizeof source);
    memcpy(full + sizeof source, key, length);
    request wanted = {full, sizeof source + length, bytes, fill, context};
    pthread_mutex_lock(&packs->lock);
    if (ltap_map_get(&packs->by_key, full, wanted.key_bytes, &number))
        block = *LTAP_VECTOR_AT(&packs->blocks, void *, number);
    else
        status = pack(packs, &wanted, &block, error);
    pthread_mutex_unlock(&packs->lock);
    if (status == LTAP_OK)
        *packed = block;
    return status;
}

void ltap_packs_tell(ltap_packs *packs, const ltap_reader *reader)
{
    packs->reader = *reader;
}

void ltap_packs_let_go(const ltap_packs *packs, const void *data, uint64_t bytes)
{
    ltap_reader_done(&packs->reader, data, bytes);
}

uint64_t ltap_packs_bytes(ltap_packs *packs)
{
    pthread_mutex_lock(&packs->lock);
    uint64_t bytes = ltap_slabs_bytes(&packs->slabs);
    pthread_mutex_unlock(&packs->lock);
    return bytes;
}
