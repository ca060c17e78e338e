/* Chains: pointwise operators done one after the other, a block of elements at a time.
 *
 * Each link computes exactly what it would compute alone (simd/vector.h), so a chain's bits are
 * those of separate nodes; what is saved is the way to memory and back.
 */
#ifndef LTAP_BACKENDS_SIMD_LINKS_H
#define LTAP_BACKENDS_SIMD_LINKS_H

#include "backends/impl.h"

enum { LTAP_LINKS_COUNT = LTAP_IMPL_MAX_CHAIN + 2, LTAP_LINKS_OPERANDS = 9 };

typedef struct ltap_links_operand {
    int64_t strides[LTAP_MAX_RANK + 1]; /* along the merged axes; 0 where it stays */
    bool full;                          /* one element for each of the output's, in its order */
} ltap_links_operand;

/* Immutable once made. A link's source: >= 0 an operand, < 0 ~i the result of link i. */
typedef struct ltap_links {
    int threads, rank;
    int64_t dims[LTAP_MAX_RANK + 1]; /* merged, at least two */
    int64_t step;                    /* floats from one row of output 0 to the next */
    size_t n_operands, n_links;
    ltap_links_operand operands[LTAP_LINKS_OPERANDS];
    ltap_link links[LTAP_LINKS_COUNT];
    uint8_t kept_own;               /* the output that operand 0 is copied to; 0: none */
    uint8_t kept[LTAP_LINKS_COUNT]; /* the output that a link's result is written to; 0: none */
} ltap_links;

/* A pointwise node as a link; its sources are its inputs. */
bool ltap_link_read(const ltap_node *node, const ltap_tensor *inputs, ltap_link *link,
                    ltap_why *why);

/* The links that follow a node whose output is operand 0 already, done in place; these obey the
 * query's step. */
void ltap_links_after(const ltap_query *query, ltap_links *chain);
/* Links that do the node itself, and those that follow it. own: the heads' operands, as they lie;
 * the last head makes the node's output. */
typedef struct ltap_links_heads {
    const ltap_link *links;
    size_t n_links;
    const ltap_tensor *own;
    size_t n_own;
} ltap_links_heads;
void ltap_links_from(const ltap_query *query, const ltap_links_heads *heads, ltap_links *chain);
/* Output 0 takes the last link's result and may be an operand that is full; the others take what
 * is kept. */
void ltap_links_run(const ltap_links *chain, const void *const *operands, void *const *outputs);
/* After a node's own work: operand 0 is output 0, the others follow the node's inputs. */
void ltap_links_finish(const ltap_links *chain, const void *const *inputs, size_t n_inputs,
                       void *const *outputs);
/* The same on the calling thread for elements [first, last) of output 0, as they lie. */
void ltap_links_finish_part(const ltap_links *chain, const void *const *inputs, size_t n_inputs,
                            void *const *outputs, int64_t first, int64_t last);

#endif
