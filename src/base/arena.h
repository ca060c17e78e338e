/* Bump allocation: many small things that live and die together (a graph and all in it). */
#ifndef LTAP_BASE_ARENA_H
#define LTAP_BASE_ARENA_H

#include "base/memory.h"
#include <stddef.h>
#include <stdint.h>

typedef struct ltap_arena {
    ltap_memory *memory;
    struct ltap_arena_chunk *chunks;
} ltap_arena;

/* Keeps a reference to memory until clear. */
void ltap_arena_init(ltap_arena *arena, ltap_memory *memory);
void ltap_arena_clear(ltap_arena *arena);

/* Zeroed, aligned to 16; count * size is checked. Borrowed from the arena. */
ltap_status ltap_arena_take(ltap_arena *arena, uint64_t count, uint64_t size, void **block,
                            ltap_error *error);
/* NUL-terminated copies. */
ltap_status ltap_arena_text(ltap_arena *arena, const char *text, size_t bytes, const char **copy,
                            ltap_error *error);
ltap_status ltap_arena_format(ltap_arena *arena, const char **text, ltap_error *error,
                              const char *format, ...) LTAP_PRINTF(4, 5);

#endif
