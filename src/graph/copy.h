/* Copies of graphs, for passes to rewrite. */
#ifndef LTAP_GRAPH_COPY_H
#define LTAP_GRAPH_COPY_H

#include "graph/graph.h"

/* An unlinked copy. Strings, attributes (subgraphs too) and constants are borrowed: the original
 * must outlive it. Values keep their numbers; nodes keep their order and remember their number in
 * the original in `origin`. keep_nodes: a flag for each node of the original, or NULL for all.
 * copy: yours to free. */
ltap_status ltap_graph_copy(const ltap_graph *graph, const uint8_t *keep_nodes, ltap_graph **copy,
                            ltap_error *error);

/* A linked copy in which the given values are inputs, behind the others: nothing makes them any
 * more. None of them is an input or a constant. cut: yours to free, before the original. */
ltap_status ltap_graph_cut(const ltap_graph *graph, const uint32_t *values, size_t n_values,
                           ltap_graph **cut, ltap_error *error);

#endif
