/* Rewrites of the whole graph, before anybody asks for anything.
 *
 * A pass sees the model as the file gives it, never a request, so what it does to a node is the
 * same for every request: an alternative way to compute a value, beside the values that were there.
 * Whatever nobody needs is pruned afterwards. Value numbers of the original stay valid.
 */
#ifndef LTAP_PASSES_PASS_H
#define LTAP_PASSES_PASS_H

#include "graph/graph.h"

typedef struct ltap_pass {
    const char *name;
    /* Changes an unlinked graph in place. original: the linked graph it is a copy of, same value
     * numbers; node i of `graph` has origin i, what passes before added stands behind. */
    ltap_status (*apply)(const ltap_graph *original, ltap_graph *graph, ltap_error *error);
} ltap_pass;

/* All passes on a copy of `original` (which must outlive it), linked. rewritten: yours to free. */
ltap_status ltap_passes_apply(const ltap_graph *original, ltap_graph **rewritten,
                              ltap_error *error);

extern const ltap_pass ltap_pass_fold_batchnorm, ltap_pass_channels_last;
/* Whether a node moves channels behind all other axes (last) or back to the second. */
bool ltap_moves_channels(const ltap_node *node, bool last);
/* Whether a value is another one, or that with its channels moved. */
bool ltap_is_moved(const ltap_graph *graph, uint32_t value, uint32_t from);
/* The convolution that a BatchNormalization is folded into, or NULL: the two are computed as one.
 */
const ltap_node *ltap_fold_batchnorm_into(const ltap_graph *graph, const ltap_node *norm);

#endif
