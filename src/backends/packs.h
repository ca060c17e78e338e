/* Packed weights: constants in the layout that a kernel wants, made once per getter.
 *
 * Locked, append-only. The key is what the packed bytes are a pure function of: the source's
 * address, and the row's own key (name and layout).
 */
#ifndef LTAP_BACKENDS_PACKS_H
#define LTAP_BACKENDS_PACKS_H

#include "base/file.h"
#include "base/memory.h"
#include <stddef.h>
#include <stdint.h>

typedef struct ltap_packs ltap_packs;

ltap_status ltap_packs_new(ltap_memory *memory, ltap_packs **packs, ltap_error *error);
void ltap_packs_free(ltap_packs *packs);

/* Returns the packed bytes for (source, key), calling fill once to make them. Aligned to
 * LTAP_ALIGNMENT, borrowed from packs. */
typedef ltap_status (*ltap_pack_fill)(void *context, void *packed, ltap_error *error);
ltap_status ltap_packs_get(ltap_packs *packs, const void *source, const char *key, uint64_t bytes,
                           ltap_pack_fill fill, void *context, const void **packed,
                           ltap_error *error);
uint64_t ltap_packs_bytes(ltap_packs *packs);

/* Whom to tell what of a source was read; before anything is packed. */
void ltap_packs_tell(ltap_packs *packs, const ltap_reader *reader);
/* Bytes of a source that a fill has read. Does nothing where nobody is told. */
void ltap_packs_let_go(const ltap_packs *packs, const void *data, uint64_t bytes);

#endif
