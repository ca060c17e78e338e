/* The layer tree: modules recovered from what the exporter left in the file.
 *
 * Sources, in order: metadata of each node (dynamo exporter), scoped node names (TorchScript
 * exporter), call paths of inlined functions, names that are paths (TensorFlow), names of weights;
 * a file without any gets its node and value names. A module knows its calls; a call knows its
 * nodes and the values that it hands out.
 */
#ifndef LTAP_GRAPH_LAYERS_H
#define LTAP_GRAPH_LAYERS_H

#include "graph/graph.h"

#define LTAP_NO_MODULE UINT32_MAX

/* One call of a module: the nodes that ran in it. */
typedef struct ltap_module_call {
    const uint32_t *nodes; /* in order of execution */
    size_t n_nodes;
    const uint32_t *outputs; /* values made inside and used outside (or handed out by the model), in
                                order of execution; shape arithmetic left out; the last is the
                                module's output. Where none is used: the last one made */
    size_t n_outputs;
    const uint32_t *inputs; /* values made outside and used inside, weights left out */
    size_t n_inputs;
    uint32_t first, end; /* places in the order of execution: of the operations that depend on the
                            model's inputs, how many ran before the call, and before its end */
    const char *doubt;   /* NULL, or why what the call hands out cannot be told from the file */
    const char *vague;   /* NULL, or why it cannot be told which of the outputs it hands out; the
                            last it does */
} ltap_module_call;

typedef struct ltap_module {
    const char *path;        /* "layer1.0.relu"; never empty */
    const char *class_name;  /* "torch.nn.modules.activation.ReLU" or NULL */
    uint32_t parent;         /* module number or LTAP_NO_MODULE at the top */
    ltap_module_call *calls; /* in order of execution; those of an elided module have no nodes */
    size_t n_calls;
    /* Why the file does not tell one call from another, from call first_doubtful on; NULL: it
     * does. What is in doubt is refused, never guessed. */
    const char *doubt;
    size_t first_doubtful;
    bool beside; /* its calls do the same side by side, and may be one that hands out all */
    uint64_t n_parameters; /* elements of the weights used inside, each weight once */
    /* The exporter folded a BatchNorm into this convolution: its own value is not in the file; the
     * call's output is the value after it. */
    bool folded;
    const char *folded_by; /* path of the module folded in, where the file tells; else NULL */
    /* The convolution at its end that a BatchNorm was folded into, where the file does not show
     * whether the module ends before or after that BatchNorm; else NULL. Then `folded` is true. */
    const char *folded_within;
    /* Nothing of its own is left (Dropout, Identity, a folded BatchNorm), yet its place in a chain
     * proves its value: the value is this one, `note` says why. */
    uint32_t elided_value; /* LTAP_NO_VALUE: not elided */
    const char *note;      /* "" */
} ltap_module;

typedef struct ltap_layers {
    ltap_arena arena;
    const ltap_graph *graph; /* borrowed */
    ltap_vector modules;     /* ltap_module, in order of first execution, parents first; elided ones
                                at the end */
    ltap_map module_by_path;
    ltap_map node_by_name;    /* the first node of each name */
    ltap_map output_by_name;  /* place among the outputs of the model */
    uint32_t *same_name;      /* per node: the next one of that name, or LTAP_NO_NODE */
    uint8_t *data;            /* per value: 1 where it depends on more than the shapes of inputs */
    uint8_t *folded_node;     /* per node: 1 for a convolution that a BatchNorm was folded into,
 2 where it is known as that BatchNorm's */
    uint32_t *module_of_node; /* innermost module of each node, or LTAP_NO_MODULE */
    uint32_t *call_of_node;   /* which call of it */
    uint8_t *inferred;        /* per node: 1 where the file does not say where it ran */
    const uint32_t *order;    /* nodes that compute data, as the tree has them */
    size_t n_order;
    ltap_map module_by_alias; /* scopes as the file writes them; LTAP_NO_MODULE: several */
    const char *exporter;     /* "TorchScript exporter", "dynamo exporter" or "" */
    const char *source;       /* what the tree is read from; "" without one */
} ltap_layers;

static inline ltap_module *ltap_layers_at(const ltap_layers *layers, uint32_t module)
{
    return LTAP_VECTOR_AT(&layers->modules, ltap_module, module);
}

ltap_status ltap_layers_new(const ltap_graph *graph, ltap_layers **layers, ltap_error *error);
void ltap_layers_free(ltap_layers *layers);
bool ltap_layers_find(const ltap_layers *layers, const char *path, uint32_t *module);
/* The number N of a child "parent.N"; false where the child is not such. */
bool ltap_name_number(const char *parent, const char *path, uint32_t *number);
/* Elements of the weights that a node reads, each weight once. */
uint64_t ltap_layers_node_parameters(const ltap_layers *layers, const ltap_node *node);

#endif
