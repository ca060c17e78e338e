/* A hash map from byte strings to 32-bit numbers. Keys are borrowed and must outlive the map.
 * The hash is keyed per map, so that a hostile file cannot choose collisions. */
#ifndef LTAP_BASE_MAP_H
#define LTAP_BASE_MAP_H

#include "base/memory.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct ltap_map {
    ltap_memory *memory; /* borrowed */
    struct ltap_map_slot *slots;
    size_t n_slots, count;
    uint64_t seed;
} ltap_map;

void ltap_map_init(ltap_map *map, ltap_memory *memory);
void ltap_map_clear(ltap_map *map);
/* Adds or replaces. */
ltap_status ltap_map_set(ltap_map *map, const char *key, size_t bytes, uint32_t value,
                         ltap_error *error);
bool ltap_map_get(const ltap_map *map, const char *key, size_t bytes, uint32_t *value);

#endif
