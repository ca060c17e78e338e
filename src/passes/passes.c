/* The ordered list of rewrites, and their application to a copy of the graph. */
#include "passes/pass.h"

#include "base/error.h"
#include "graph/copy.h"

static const ltap_pass *const passes[] = {
    &ltap_pass_fold_batchnorm,
    &ltap_pass_channels_last,
    NULL,
};

ltap_status ltap_passes_apply(const ltap_graph *original, ltap_graph **rewritten, ltap_error *error)
{
    ltap_status status;
    ltap_graph *graph = NULL;

    LTAP_TRY(ltap_graph_copy(original, NULL, &graph, error));
    for (const ltap_pass *const *pass = passes; *pass; pass++)
        LTAP_GO((*pass)->apply(original, graph, error));
    LTAP_GO(ltap_graph_link(graph, error));
    *rewritten = graph;
    graph = NULL;
done:
    ltap_graph_free(graph);
    return status;
}
