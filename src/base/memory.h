/* The one way to memory: a counted, limited, shared account over the caller's allocator.
 *
 * Every object of a model allocates through the same account, so the limit covers all of them. An
 * account is shared by reference and outlives whatever was allocated from it. Thread-safe.
 */
#ifndef LTAP_BASE_MEMORY_H
#define LTAP_BASE_MEMORY_H

#include <layertap/error.h>
#include <layertap/memory.h>
#include <stddef.h>

typedef struct ltap_memory ltap_memory;

#define LTAP_ALIGNMENT 64

/* allocator NULL: the C library's; limit 0: the default. memory: yours to unref. */
ltap_status ltap_memory_new(const ltap_allocator *allocator, uint64_t limit, ltap_memory **memory,
                            ltap_error *error);
ltap_memory *ltap_memory_ref(ltap_memory *memory);
void ltap_memory_unref(ltap_memory *memory);

/* Uninitialised, aligned to LTAP_ALIGNMENT; zero bytes give a valid pointer. block: yours to
 * release. `what` names it in the refusal: "the arena". */
ltap_status ltap_memory_take(ltap_memory *memory, uint64_t bytes, const char *what, void **block,
                             ltap_error *error);
/* The same, zeroed, for count elements of a size. */
ltap_status ltap_memory_take_zeroed(ltap_memory *memory, uint64_t count, uint64_t size,
                                    const char *what, void **block, ltap_error *error);
/* The same as ltap_memory_take, for what is given back before much else is taken: where it is
 * large and there is no allocator of the caller's, it leaves no hole in the C library's heap. */
ltap_status ltap_memory_take_briefly(ltap_memory *memory, uint64_t bytes, const char *what,
                                     void **block, ltap_error *error);
/* The same, for what is large and written as a whole: in huge pages where the system has them. */
ltap_status ltap_memory_take_large(ltap_memory *memory, uint64_t bytes, const char *what,
                                   void **block, ltap_error *error);
/* NULL is fine. */
void ltap_memory_release(ltap_memory *memory, void *block);

/* Refuses with LTAP_ERROR_MEMORY when `bytes` more would pass the limit; takes nothing. */
ltap_status ltap_memory_check(ltap_memory *memory, uint64_t bytes, const char *what,
                              ltap_error *error);
/* Memory that is taken and given back outside of the account, told to it. */
ltap_status ltap_memory_charge(ltap_memory *memory, uint64_t bytes, const char *what,
                               ltap_error *error);
void ltap_memory_uncharge(ltap_memory *memory, uint64_t bytes);

/* Zeroed memory straight from the system, which takes none until it is touched; from a huge page's
 * begin on, and asked for in such. NULL: none, or the account has an allocator of the caller's. Not
 * charged. */
enum { LTAP_HUGE_PAGE = 2 << 20 };
void *ltap_memory_map(const ltap_memory *memory, uint64_t bytes);
void ltap_memory_unmap(void *block, uint64_t bytes);
uint64_t ltap_memory_used(const ltap_memory *memory);
uint64_t ltap_memory_limit(const ltap_memory *memory);

#endif
