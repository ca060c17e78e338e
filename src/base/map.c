/* Open addressing with linear probing, at most two thirds full, hashed by SipHash-1-3 under a seed
 * that is drawn for each map: a file cannot know which names collide. Nothing is ever removed.
 */
#include "base/map.h"

#include "base/error.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct ltap_map_slot {
    const char *key; /* NULL: empty */
    size_t bytes;
    uint32_t hash, value;
} ltap_map_slot;

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint32_t hash_key(uint64_t seed, const char *key, size_t bytes)
{
    uint64_t other = rotate(seed * 0x9e3779b97f4a7c15u, 29) ^ seed;
    uint64_t v[4] = {seed ^ 0x736f6d6570736575u, other ^ 0x646f72616e646f6du,
                     seed ^ 0x6c7967656e657261u, other ^ 0x7465646279746573u};
    uint64_t last = (uint64_t)bytes << 56, word;
    size_t whole = bytes & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, key + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = whole; i < bytes; i++)
        last |= (uint64_t)(unsigned char)key[i] << (8 * (i - whole));
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    word = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(word ^ word >> 32);
}

void ltap_map_init(ltap_map *map, ltap_memory *memory)
{
    *map = (ltap_map){.memory = memory};
    if (getrandom(&map->seed, sizeof map->seed, GRND_NONBLOCK) != (ssize_t)sizeof map->seed) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        map->seed = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uintptr_t)map;
    }
}

void ltap_map_clear(ltap_map *map)
{
    if (map->slots != NULL)
        ltap_memory_release(map->memory, map->slots);
    *map = (ltap_map){.memory = map->memory, .seed = map->seed};
}

/* The slot that holds the key, or the empty one where it would be. n_slots is a power of two. */
static ltap_map_slot *find(const ltap_map *map, const char *key, size_t bytes, uint32_t hash)
{
    size_t mask = map->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        ltap_map_slot *slot = &map->slots[i];
        if (slot->key == NULL)
            return slot;
        if (slot->hash == hash && slot->bytes == bytes &&
            (bytes == 0 || memcmp(slot->key, key, bytes) == 0))
            return slot;
    }
}

static ltap_status grow(ltap_map *map, ltap_error *error)
{
    ltap_map bigger = *map;
    void *block;
    bigger.n_slots = map->n_slots > 0 ? 2 * map->n_slots : 16;
    LTAP_TRY(ltap_memory_take_zeroed(map->memory, bigger.n_slots, sizeof *map->slots,
                                     "a table of names", &block, error));
    bigger.slots = block;
    for (size_t i = 0; i < map->n_slots; i++) {
        const ltap_map_slot *old = &map->slots[i];
        if (old->key != NULL)
            *find(&bigger, old->key, old->bytes, old->hash) = *old;
    }
    if (map->slots != NULL)
        ltap_memory_release(map->memory, map->slots);
    *map = bigger;
    return LTAP_OK;
}

ltap_status ltap_map_set(ltap_map *map, const char *key, size_t bytes, uint32_t value,
                         ltap_error *error)
{
    if (map->count >= map->n_slots / 3 * 2)
        LTAP_TRY(grow(map, error));
    uint32_t hash = hash_key(map->seed, key, bytes);
    ltap_map_slot *slot = find(map, key, bytes, hash);
    if (slot->key == NULL) {
        *slot = (ltap_map_slot){.key = key, .bytes = bytes, .hash = hash};
        map->count++;
    }
    slot->value = value;
    return LTAP_OK;
}

bool ltap_map_get(const ltap_map *map, const char *key, size_t bytes, uint32_t *value)
{
    if (map->count == 0)
        return false;
    const ltap_map_slot *slot = find(map, key, bytes, hash_key(map->seed, key, bytes));
    if (slot->key == NULL)
        return false;
    *value = slot->value;
    return true;
}
