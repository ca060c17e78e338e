/* Which value of a side is computed from which: its network as a graph of the values that can be
 * asked for. */
#ifndef LTAP_CLI_EDGES_H
#define LTAP_CLI_EDGES_H

#include "cli/side.h"

/* To another node, through which input of the operation. */
typedef struct cli_edge {
    size_t node;
    size_t slot; /* 0 where the order of inputs means nothing */
} cli_edge;

/* Nodes are the side's values, then the model's inputs. Values that are not listed are seen
 * through; what is computed from shapes alone reads nothing. */
typedef struct cli_edges {
    size_t n_nodes, n_values;
    const char **kinds;        /* operators; a BatchNormalization after a convolution is that, and
                                  the convolution itself is "" */
    cli_edge *reads, *readers; /* of all nodes */
    size_t *first_read, *first_reader; /* of each node; one more at the end */
} cli_edges;

/* edges: zeroed; cleared by the caller, after an error too. Of a file of features: no edges. */
LTAP_MUST_USE ltap_status cli_edges_make(const cli_side *side, cli_edges *edges, ltap_error *error);
void cli_edges_clear(cli_edges *edges);

#endif
