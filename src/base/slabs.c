/* Blocks side by side in huge pages; see slabs.h. */
#include "base/slabs.h"

#include "base/checked.h"
#include "base/error.h"

/* OWN_BYTES: what is in blocks of its own, so that small models take no more than they need. */
enum { OWN_BYTES = 4 << 20, SLAB_BYTES = 64 << 20 };

typedef struct slab {
    char *base;
    uint64_t bytes, used, last; /* last: where the block taken last begins */
} slab;

void ltap_slabs_init(ltap_slabs *slabs, ltap_memory *memory)
{
    *slabs = (ltap_slabs){.memory = memory};
    ltap_vector_init(&slabs->blocks, memory, sizeof(void *));
    ltap_vector_init(&slabs->slabs, memory, sizeof(slab));
}

void ltap_slabs_clear(ltap_slabs *slabs)
{
    for (size_t i = 0; i < slabs->blocks.count; i++)
        ltap_memory_release(slabs->memory, *LTAP_VECTOR_AT(&slabs->blocks, void *, i));
    for (size_t i = 0; i < slabs->slabs.count; i++) {
        slab *at = LTAP_VECTOR_AT(&slabs->slabs, slab, i);
        ltap_memory_unmap(at->base, at->bytes);
        ltap_memory_uncharge(slabs->memory, at->used);
    }
    ltap_vector_clear(&slabs->blocks);
    ltap_vector_clear(&slabs->slabs);
}

/* A slab that has room; NULL: the system gives none. */
static slab *find_room(ltap_slabs *slabs, uint64_t bytes)
{
    size_t n = slabs->slabs.count;
    slab *last = n ? LTAP_VECTOR_AT(&slabs->slabs, slab, n - 1) : NULL;
    slab made = {.bytes = SLAB_BYTES};

    if (last && last->bytes - last->used >= bytes)
        return last;
    if (bytes > SLAB_BYTES && !ltap_checked_round_up(bytes, LTAP_HUGE_PAGE, &made.bytes))
        return NULL;
    made.base = ltap_memory_map(slabs->memory, made.bytes);
    if (!made.base)
        return NULL;
    if (ltap_vector_push(&slabs->slabs, &made, NULL) != LTAP_OK) {
        ltap_memory_unmap(made.base, made.bytes);
        return NULL;
    }
    return LTAP_VECTOR_AT(&slabs->slabs, slab, n);
}

static ltap_status take_own(ltap_slabs *slabs, uint64_t bytes, const char *what, void **block,
                            ltap_error *error)
{
    LTAP_TRY(ltap_memory_take(slabs->memory, bytes, what, block, error));
    ltap_status status = ltap_vector_push(&slabs->blocks, block, error);
    if (status != LTAP_OK)
        ltap_memory_release(slabs->memory, *block);
    else
        slabs->own_bytes += bytes;
    return status;
}

ltap_status ltap_slabs_take(ltap_slabs *slabs, uint64_t bytes, const char *what, void **block,
                            ltap_error *error)
{
    uint64_t rounded;
    bool own = bytes <= OWN_BYTES && slabs->own_bytes <= OWN_BYTES - bytes;

    if (own || !ltap_checked_round_up(bytes, LTAP_ALIGNMENT, &rounded))
        return take_own(slabs, bytes, what, block, error);
    LTAP_TRY(ltap_memory_check(slabs->memory, rounded, what, error));
    slab *found = find_room(slabs, rounded);
    if (!found)
        return take_own(slabs, bytes, what, block, error);
    LTAP_TRY(ltap_memory_charge(slabs->memory, rounded, what, error));
    found->last = found->used;
    found->used += rounded;
    *block = found->base + found->last;
    return LTAP_OK;
}

void ltap_slabs_undo(ltap_slabs *slabs, const void *block, uint64_t bytes)
{
    size_t n = slabs->blocks.count;

    if (n && *LTAP_VECTOR_AT(&slabs->blocks, void *, n - 1) == block) {
        ltap_memory_release(slabs->memory, *LTAP_VECTOR_AT(&slabs->blocks, void *, n - 1));
        slabs->blocks.count--;
        slabs->own_bytes -= bytes;
        return;
    }
    slab *last = LTAP_VECTOR_AT(&slabs->slabs, slab, slabs->slabs.count - 1);
    ltap_memory_uncharge(slabs->memory, last->used - last->last);
    last->used = last->last;
}

uint64_t ltap_slabs_bytes(const ltap_slabs *slabs)
{
    uint64_t total = slabs->own_bytes;

    for (size_t i = 0; i < slabs->slabs.count; i++)
        total += (LTAP_VECTOR_AT(&slabs->slabs, slab, i)->used + LTAP_HUGE_PAGE - 1) &
                 ~(uint64_t)(LTAP_HUGE_PAGE - 1);
    return total;
}
