/* Bump allocation in chunks that double from 4 kB to 1 MB.
 *
 * A piece too big for a fresh chunk gets one of its own, behind the current one, so that the room
 * left in the current one is not lost. Nothing is given back before the whole arena is cleared.
 */
#include "base/arena.h"

#include "base/checked.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SMALLEST_CHUNK 4096u
#define LARGEST_CHUNK  (1u << 20)
#define PIECE_ALIGN    16u

typedef struct ltap_arena_chunk {
    struct ltap_arena_chunk *next;
    uint64_t used, size; /* of data */
    uint64_t unused;     /* keeps data at a multiple of PIECE_ALIGN */
    char data[];
} ltap_arena_chunk;

void ltap_arena_init(ltap_arena *arena, ltap_memory *memory)
{
    arena->memory = ltap_memory_ref(memory);
    arena->chunks = NULL;
}

void ltap_arena_clear(ltap_arena *arena)
{
    ltap_arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        ltap_arena_chunk *next = chunk->next;
        ltap_memory_release(arena->memory, chunk);
        chunk = next;
    }
    ltap_memory_unref(arena->memory);
    *arena = (ltap_arena){0};
}

/* Adds a chunk with `bytes` already used. */
static ltap_status add_chunk(ltap_arena *arena, uint64_t bytes, ltap_arena_chunk **added,
                             ltap_error *error)
{
    ltap_arena_chunk *head = arena->chunks;
    uint64_t size = head == NULL ? SMALLEST_CHUNK : 2 * (head->size + sizeof *head);
    void *block;
    size = (size < LARGEST_CHUNK ? size : LARGEST_CHUNK) - sizeof *head;
    int own = bytes > size / 2;
    if (own)
        size = bytes;
    if (size > UINT64_MAX - sizeof *head)
        size = UINT64_MAX - sizeof *head;
    LTAP_TRY(ltap_memory_take(arena->memory, size + sizeof *head, "the description of the model",
                              &block, error));
    ltap_arena_chunk *chunk = block;
    *chunk = (ltap_arena_chunk){.used = bytes, .size = size};
    if (own && head != NULL) {
        chunk->next = head->next;
        head->next = chunk;
    } else {
        chunk->next = head;
        arena->chunks = chunk;
    }
    *added = chunk;
    return LTAP_OK;
}

ltap_status ltap_arena_take(ltap_arena *arena, uint64_t count, uint64_t size, void **block,
                            ltap_error *error)
{
    uint64_t bytes;
    ltap_arena_chunk *chunk = arena->chunks;
    if (!ltap_checked_mul(count, size, &bytes) ||
        !ltap_checked_round_up(bytes, PIECE_ALIGN, &bytes))
        bytes = UINT64_MAX - (PIECE_ALIGN - 1);
    if (bytes == 0)
        bytes = PIECE_ALIGN;
    if (chunk != NULL && bytes <= chunk->size - chunk->used)
        chunk->used += bytes;
    else
        LTAP_TRY(add_chunk(arena, bytes, &chunk, error));
    *block = memset(chunk->data + chunk->used - bytes, 0, (size_t)bytes);
    return LTAP_OK;
}

ltap_status ltap_arena_text(ltap_arena *arena, const char *text, size_t bytes, const char **copy,
                            ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(arena, 1, (uint64_t)bytes + 1, &block, error));
    if (bytes > 0)
        memcpy(block, text, bytes);
    *copy = block;
    return LTAP_OK;
}

ltap_status ltap_arena_format(ltap_arena *arena, const char **text, ltap_error *error,
                              const char *format, ...)
{
    void *block;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "a text could not be formatted");
    LTAP_TRY(ltap_arena_take(arena, 1, (uint64_t)n + 1, &block, error));
    va_start(arguments, format);
    vsnprintf(block, (size_t)n + 1, format, arguments);
    va_end(arguments);
    *text = block;
    return LTAP_OK;
}
