/* Blocks that stay until all of them go, side by side.
 *
 * The first few megabytes are blocks of their own; what comes after them lies in long stretches of
 * memory, for which the system is asked for huge pages: touching new memory then costs a tenth.
 * Where the account has an allocator of the caller's, all are blocks of their own.
 */
#ifndef LTAP_BASE_SLABS_H
#define LTAP_BASE_SLABS_H

#include "base/vector.h"

/* Not thread-safe. */
typedef struct ltap_slabs {
    ltap_memory *memory; /* borrowed */
    ltap_vector blocks;  /* void *: those of their own */
    ltap_vector slabs;
    uint64_t own_bytes;
} ltap_slabs;

void ltap_slabs_init(ltap_slabs *slabs, ltap_memory *memory);
void ltap_slabs_clear(ltap_slabs *slabs);
/* As ltap_memory_take; borrowed from slabs. */
ltap_status ltap_slabs_take(ltap_slabs *slabs, uint64_t bytes, const char *what, void **block,
                            ltap_error *error);
/* Gives the block back that was taken last. */
void ltap_slabs_undo(ltap_slabs *slabs, const void *block, uint64_t bytes);
/* Memory that the blocks take, with the rest of the last page. */
uint64_t ltap_slabs_bytes(const ltap_slabs *slabs);

#endif
