/* The account: one atomic counter over the caller's allocator.
 *
 * Each block carries its size in a header of one alignment unit, so releasing needs no size and the
 * counter stays true whatever the order. Bytes are reserved before the allocator is asked: two
 * threads can never pass the limit together.
 */
#include "base/memory.h"

#include "base/cgroup.h"
#include "base/checked.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mappings have no red zones, so the address sanitizer gets none. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__)
enum { MAPS = 0 };
#else
enum { MAPS = 1 };
#endif

enum { LARGE_BYTES = 64 * 1024 }; /* what is worth a mapping */

struct ltap_memory {
    ltap_allocator allocator;
    uint64_t limit;
    atomic_uint_fast64_t used;
    atomic_size_t references;
};

/* Lies LTAP_ALIGNMENT bytes in front of each block. */
typedef struct header {
    uint64_t bytes; /* of header and block together */
    uint64_t is_mapped;
} header;

static void *system_allocate(void *user, size_t bytes, size_t alignment)
{
    void *block;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static void system_release(void *user, void *memory, size_t bytes)
{
    free(memory);
}

/* A size for people: "512 bytes", "1.5 MB". */
typedef struct size_text {
    char text[32];
} size_text;

static size_text human(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_text size;
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    snprintf(size.text, sizeof size.text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return size;
}

uint64_t ltap_memory_default_limit(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t physical = UINT64_MAX, group = ltap_cgroup_memory_limit();
    if (pages > 0 && page_bytes > 0)
        physical = (uint64_t)pages * (uint64_t)page_bytes;
    uint64_t smaller = physical < group ? physical : group;
    return smaller / 10 * 8;
}

ltap_status ltap_memory_new(const ltap_allocator *allocator, uint64_t limit, ltap_memory **memory,
                            ltap_error *error)
{
    static const ltap_allocator system_allocator = {system_allocate, system_release, NULL};
    if (allocator == NULL)
        allocator = &system_allocator;
    if (allocator->allocate == NULL || allocator->release == NULL)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "an allocator needs both functions, allocate and release");
    ltap_memory *made = allocator->allocate(allocator->user, sizeof *made, LTAP_ALIGNMENT);
    if (made == NULL)
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "there is no memory left");
    made->allocator = *allocator;
    made->limit = limit != 0 ? limit : ltap_memory_default_limit();
    atomic_init(&made->used, 0);
    atomic_init(&made->references, 1);
    *memory = made;
    return LTAP_OK;
}

ltap_memory *ltap_memory_ref(ltap_memory *memory)
{
    atomic_fetch_add_explicit(&memory->references, 1, memory_order_relaxed);
    return memory;
}

void ltap_memory_unref(ltap_memory *memory)
{
    if (memory == NULL)
        return;
    if (atomic_fetch_sub_explicit(&memory->references, 1, memory_order_acq_rel) > 1)
        return;
    ltap_allocator allocator = memory->allocator;
    allocator.release(allocator.user, memory, sizeof *memory);
}

static ltap_status refuse(const ltap_memory *memory, uint64_t bytes, uint64_t used,
                          const char *what, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_MEMORY,
                          "%s needs %s; %s of the memory limit of %s are taken; raise the limit, "
                          "or ask for less (a smaller batch or input, fewer layers)",
                          what, human(bytes).text, human(used).text, human(memory->limit).text);
}

ltap_status ltap_memory_check(ltap_memory *memory, uint64_t bytes, const char *what,
                              ltap_error *error)
{
    uint64_t used = atomic_load(&memory->used);
    if (used <= memory->limit && bytes <= memory->limit - used)
        return LTAP_OK;
    return refuse(memory, bytes, used, what, error);
}

ltap_status ltap_memory_charge(ltap_memory *memory, uint64_t bytes, const char *what,
                               ltap_error *error)
{
    uint64_t used = atomic_load(&memory->used);
    do {
        if (used > memory->limit || bytes > memory->limit - used)
            return refuse(memory, bytes, used, what, error);
    } while (!atomic_compare_exchange_weak(&memory->used, &used, used + bytes));
    return LTAP_OK;
}

void ltap_memory_uncharge(ltap_memory *memory, uint64_t bytes)
{
    atomic_fetch_sub(&memory->used, bytes);
}

static bool may_map(const ltap_memory *memory)
{
    return MAPS && memory->allocator.allocate == system_allocate;
}

static void *map(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

/* Maps too much, and gives back what lies before a huge page's begin and after the end. */
static void *map_huge(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t rounded = (bytes + page - 1) & ~(page - 1);
    char *block = map(rounded + LTAP_HUGE_PAGE);
    if (block == NULL)
        return NULL;
    size_t before = (LTAP_HUGE_PAGE - (uintptr_t)block % LTAP_HUGE_PAGE) % LTAP_HUGE_PAGE;
    if (before > 0)
        munmap(block, before);
    if (before < LTAP_HUGE_PAGE)
        munmap(block + before + rounded, LTAP_HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
    madvise(block + before, rounded, MADV_HUGEPAGE);
#endif
    return block + before;
}

void *ltap_memory_map(const ltap_memory *memory, uint64_t bytes)
{
    if (!may_map(memory) || bytes > SIZE_MAX / 2)
        return NULL;
    return map_huge((size_t)bytes);
}

void ltap_memory_unmap(void *block, uint64_t bytes)
{
    munmap(block, (size_t)bytes);
}

/* Where a block comes from. */
typedef enum place { PLACE_HEAP, PLACE_MAPPED, PLACE_HUGE } place;

static void *obtain(const ltap_memory *memory, size_t bytes, place from)
{
    if (from == PLACE_HEAP)
        return memory->allocator.allocate(memory->allocator.user, bytes, LTAP_ALIGNMENT);
    return from == PLACE_HUGE ? map_huge(bytes) : map(bytes);
}

static ltap_status take(ltap_memory *memory, uint64_t bytes, place from, const char *what,
                        void **block, ltap_error *error)
{
    uint64_t total;
    if (!ltap_checked_add(bytes, LTAP_ALIGNMENT, &total) || total > SIZE_MAX / 2)
        return refuse(memory, bytes, atomic_load(&memory->used), what, error);
    LTAP_TRY(ltap_memory_charge(memory, total, what, error));
    char *base = obtain(memory, (size_t)total, from);
    if (base == NULL) {
        atomic_fetch_sub(&memory->used, total);
        return ltap_error_set(error, LTAP_ERROR_MEMORY,
                              "%s needs %s, and the system has no memory left; close other "
                              "programs, or ask for less (a smaller batch or input)",
                              what, human(bytes).text);
    }
    *(header *)(void *)base = (header){total, from != PLACE_HEAP};
    *block = base + LTAP_ALIGNMENT;
    return LTAP_OK;
}

ltap_status ltap_memory_take(ltap_memory *memory, uint64_t bytes, const char *what, void **block,
                             ltap_error *error)
{
    return take(memory, bytes, PLACE_HEAP, what, block, error);
}

ltap_status ltap_memory_take_briefly(ltap_memory *memory, uint64_t bytes, const char *what,
                                     void **block, ltap_error *error)
{
    bool mapped = bytes >= LARGE_BYTES && may_map(memory);
    return take(memory, bytes, mapped ? PLACE_MAPPED : PLACE_HEAP, what, block, error);
}

ltap_status ltap_memory_take_large(ltap_memory *memory, uint64_t bytes, const char *what,
                                   void **block, ltap_error *error)
{
    bool huge = bytes >= LTAP_HUGE_PAGE && may_map(memory);
    return take(memory, bytes, huge ? PLACE_HUGE : PLACE_HEAP, what, block, error);
}

ltap_status ltap_memory_take_zeroed(ltap_memory *memory, uint64_t count, uint64_t size,
                                    const char *what, void **block, ltap_error *error)
{
    uint64_t bytes;
    if (!ltap_checked_mul(count, size, &bytes))
        bytes = UINT64_MAX;
    LTAP_TRY(ltap_memory_take(memory, bytes, what, block, error));
    memset(*block, 0, (size_t)bytes);
    return LTAP_OK;
}

void ltap_memory_release(ltap_memory *memory, void *block)
{
    if (block == NULL)
        return;
    char *base = (char *)block - LTAP_ALIGNMENT;
    header before = *(header *)(void *)base;
    uint64_t bytes = before.bytes;
    if (before.is_mapped)
        munmap(base, (size_t)bytes);
    else
        memory->allocator.release(memory->allocator.user, base, (size_t)bytes);
    atomic_fetch_sub(&memory->used, bytes);
}

uint64_t ltap_memory_used(const ltap_memory *memory)
{
    return atomic_load(&memory->used);
}

uint64_t ltap_memory_limit(const ltap_memory *memory)
{
    return memory->limit;
}
