/* What the builders of the layer tree share. Private to src/graph/layers*.c.
 *
 * First every node gets a chain of steps, outermost first: what the exporter wrote about where the
 * node ran (layers_torchscript.c, layers_dynamo.c). Then calls are cut out of the order of
 * execution (layers_tree.c), named (layers_paths.c), and given their values (layers_values.c).
 */
#ifndef LTAP_GRAPH_LAYERS_BUILD_H
#define LTAP_GRAPH_LAYERS_BUILD_H

#include "graph/layers.h"

#define LTAP_NO_TURN  UINT32_MAX
#define LTAP_NO_STEP  UINT32_MAX
#define LTAP_NO_CALL  UINT32_MAX
#define LTAP_MAX_STEP 64 /* deeper scopes count as the 64th */

/* Order of execution without arithmetic on shapes and constants. */
typedef struct ltap_flow {
    uint32_t *order; /* nodes that compute data */
    size_t n_order;
    uint32_t *place; /* per node: index in order, or LTAP_NO_NODE */
} ltap_flow;

/* A scope as the exporter wrote it, each once. */
typedef struct ltap_scope {
    const char *text;       /* "/layer1/layer1.0" or "layer1.0" */
    const char *component;  /* the last part, "layer1.0"; with full paths: the path itself */
    const char *class_name; /* or NULL */
    uint32_t parent;        /* or LTAP_NO_STEP */
    bool full_path;         /* component is the module's path */
    bool collides;          /* two modules may hide behind this text */
} ltap_scope;

typedef struct ltap_step {
    uint32_t scope;
    uint32_t turn; /* which call, where the exporter counts them; else LTAP_NO_TURN */
} ltap_step;

typedef struct ltap_chain {
    ltap_step *steps; /* NULL: the file does not say where the node ran */
    uint32_t n_steps;
} ltap_chain;

typedef struct ltap_scopes {
    ltap_memory *memory;
    ltap_arena *arena;  /* of the build: gone with it */
    ltap_chain *chains; /* per node */
    ltap_vector scopes; /* ltap_scope */
    ltap_map by_text;
    const char **fused; /* NULL, or per node: the path of the module that a convolution was in
                           before the exporter gave it to the BatchNorm behind it, or NULL */
} ltap_scopes;

/* How a call was cut out of equal ones in a row. */
typedef enum ltap_repeats {
    LTAP_REPEATS_NOT,      /* it stands alone, or the exporter counts calls */
    LTAP_REPEATS_BESIDE,   /* none reads what another one made: calls, or one that handles several
                              things alike, whose outputs are the same values */
    LTAP_REPEATS_IN_A_ROW, /* or it is one with a loop inside */
} ltap_repeats;

typedef struct ltap_tree_call {
    uint32_t module, parent; /* parent: a call or LTAP_NO_CALL */
    uint32_t begin, end;     /* places in the order */
    uint32_t depth;
    uint64_t pattern; /* what ran inside; equal for equal sequences */
    ltap_repeats repeats;
    bool uneven; /* may be several that the exporter wrote differently */
} ltap_tree_call;

/* What a node was in PyTorch, as far as the file says. */
typedef struct ltap_written {
    uint64_t target;    /* which operation; else ONNX's operator */
    uint32_t operation; /* equal for nodes in a row that are of one operation */
    bool merged;        /* an operation before this one was merged with it */
} ltap_written;

typedef struct ltap_tree {
    ltap_layers *layers;
    const ltap_flow *flow;
    const ltap_scopes *scopes;
    ltap_vector calls;       /* ltap_tree_call, parents first */
    ltap_vector first_calls; /* uint32_t: per module */
    uint32_t *call_of;       /* per place: the innermost call, or LTAP_NO_CALL */
    uint64_t *operators;     /* per place: which operator */
    ltap_written *written;   /* per place */
    uint64_t *tokens;        /* scratch, four per place */
    uint32_t *borders;       /* scratch, per place */
} ltap_tree;

static inline ltap_scope *ltap_scopes_at(const ltap_scopes *scopes, uint32_t scope)
{
    return LTAP_VECTOR_AT(&scopes->scopes, ltap_scope, scope);
}
static inline const ltap_chain *ltap_tree_chain(const ltap_tree *tree, size_t place)
{
    return &tree->scopes->chains[tree->flow->order[place]];
}
static inline ltap_tree_call *ltap_tree_at(const ltap_tree *tree, uint32_t call)
{
    return LTAP_VECTOR_AT(&tree->calls, ltap_tree_call, call);
}
static inline const ltap_node *ltap_tree_node(const ltap_tree *tree, uint32_t place)
{
    return ltap_graph_node(tree->layers->graph, tree->flow->order[place]);
}
/* The place that makes a value; LTAP_NO_NODE where none does, or the value is none. */
static inline uint32_t ltap_tree_maker(const ltap_tree *tree, uint32_t value)
{
    uint32_t node =
        value != LTAP_NO_VALUE ? ltap_graph_at(tree->layers->graph, value)->producer : LTAP_NO_NODE;
    return node != LTAP_NO_NODE ? tree->flow->place[node] : LTAP_NO_NODE;
}
static inline bool ltap_tree_holds(const ltap_tree_call *call, uint32_t place)
{
    return place != LTAP_NO_NODE && place >= call->begin && place < call->end;
}

/* Finds or adds; text is copied. */
ltap_status ltap_scopes_intern(ltap_scopes *scopes, const char *text, size_t bytes, uint32_t parent,
                               uint32_t *scope, ltap_error *error);
bool ltap_scopes_find(const ltap_scopes *scopes, const char *text, size_t bytes, uint32_t *scope);

/* Brings operations of one scope together, as far as what they read allows, where a converter
 * sorted them its own way. */
ltap_status ltap_flow_gather(const ltap_graph *graph, const ltap_scopes *scopes, ltap_flow *flow,
                             ltap_error *error);
/* Puts folded convolutions of the TorchScript exporter back where they ran. */
void ltap_flow_restore(const ltap_graph *graph, const ltap_scopes *scopes, ltap_flow *flow);
/* Which values are data; which nodes compute them, in order. Arrays from the arenas. */
ltap_status ltap_flow_find(ltap_layers *layers, ltap_arena *arena, ltap_flow *flow,
                           ltap_error *error);
/* Adds what modules compute on weights and buffers alone; before ltap_flow_restore. */
ltap_status ltap_flow_constants(ltap_layers *layers, const ltap_scopes *scopes, ltap_flow *flow,
                                ltap_error *error);
/* The initializer behind a value, through Identity nodes that only alias it; LTAP_NO_VALUE where it
 * is none. */
uint32_t ltap_flow_initializer(const ltap_graph *graph, uint32_t value);
/* The same, for weights only: no shapes, masks, lifted scalars, running statistics. */
uint32_t ltap_flow_weight(const ltap_graph *graph, const ltap_node *node, size_t input);

/* Sources of chains. used: whether the graph has what the source needs. */
ltap_status ltap_scopes_built(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                              ltap_error *error);
ltap_status ltap_scopes_dynamo(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                               ltap_error *error);
ltap_status ltap_scopes_torchscript(const ltap_layers *layers, const ltap_flow *flow,
                                    ltap_scopes *scopes, bool *used, ltap_error *error);
ltap_status ltap_scopes_names(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                              bool *used, ltap_error *error);
ltap_status ltap_scopes_weights(const ltap_layers *layers, const ltap_flow *flow,
                                ltap_scopes *scopes, bool *used, ltap_error *error);
ltap_status ltap_scopes_calls(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                              ltap_error *error);

/* Modules of torch.nn that run one operation each call (and Sequential, whose children do). */
bool ltap_class_runs_once(const char *class_name);
/* torch.nn's own, which computes nothing itself; NULL is no class. */
bool ltap_class_is_sequential(const char *class_name);
/* Runs once, and no Sequential. */
bool ltap_class_is_leaf(const char *class_name);
/* "onnx::Conv_193", "193": a weight that the exporter made anew. */
bool ltap_name_renamed(const char *name);
/* How the TorchScript exporter cuts a qualified name: offset of the last part that is not all
 * digits; 0 where there is none. */
size_t ltap_name_cut(const char *name, size_t bytes);
/* Splits "relu_12" into "relu", its first `base` bytes, and 12; false where there is no such
 * suffix. */
bool ltap_name_turn(const char *component, size_t *base, uint32_t *turn);

/* Whether a path is a module's or lies inside it. */
bool ltap_path_is_inside(const char *path, const char *module);
/* Names longer than this tell nothing about modules: they are nobody's, and cost time. */
#define LTAP_MAX_SCOPE_NAME 2048
bool ltap_name_is_usable(const char *name);

/* Path of the module behind calls [begin, end) at a depth, below a module of a given path ("" at
 * the top). path: from the layers' arena. torn: weights say that two modules run there. */
ltap_status ltap_tree_path(ltap_tree *tree, const ltap_tree_call *piece, const char *parent,
                           const char **path, bool *torn, ltap_error *error);
/* A sequence of a length stands several times in [begin, end). The shortest number of its lengths
 * at whose ends no operation of PyTorch's is cut in two. */
uint32_t ltap_tree_whole_operations(const ltap_tree *tree, uint32_t begin, uint32_t end,
                                    uint32_t length);
/* Whether the repetitions do the same along other axes, so that they are one call. */
bool ltap_tree_along_other_axes(const ltap_tree *tree, uint32_t begin, uint32_t end,
                                uint32_t length);
/* Whether none reads what another one made. */
bool ltap_tree_side_by_side(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t length,
                            uint32_t depth);
/* Cuts calls and modules out of the order. */
ltap_status ltap_tree_grow(ltap_tree *tree, ltap_error *error);
/* What a node is to the calls around it: where it runs below them, and its operator. */
uint64_t ltap_tree_token(const ltap_tree *tree, size_t place, uint32_t depth);
/* Fills tree->written. */
ltap_status ltap_tree_look(ltap_tree *tree, ltap_error *error);
/* Whether what runs in [begin, end) at a depth may be several calls that were written differently.
 */
bool ltap_tree_runs_unevenly(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth);
uint64_t ltap_tree_mix(uint64_t hash, uint64_t more);
/* LSTM, GRU, RNN. */
bool ltap_node_is_recurrent(const ltap_node *node);
/* Calls that cannot be told apart, once all are cut. */
ltap_status ltap_tree_doubts(ltap_tree *tree, ltap_error *error);
/* Modules that may be another parent's, under its name for them. */
ltap_status ltap_tree_tied(ltap_tree *tree, ltap_error *error);
/* Numbered children as of a Sequential, and then others: the end of one module, and another one. */
bool ltap_tree_looks_torn(const ltap_tree *tree, const ltap_tree_call *piece);
ltap_status ltap_doubt_two(ltap_layers *layers, ltap_module *module, ltap_error *error);
/* Finds or adds a module. */
ltap_status ltap_tree_module(ltap_tree *tree, const char *path, uint32_t parent, uint32_t *module,
                             ltap_error *error);
/* The call of a module that began at a place; NULL: none. */
ltap_module_call *ltap_module_call_at(const ltap_module *module, uint32_t first);
/* The convolution whose BatchNorm's scope this fused node carries: the path of its module, or NULL.
 * Newest dynamo exporter only. */
ltap_status ltap_tree_fused(ltap_tree *tree, size_t place, const char **path, ltap_error *error);
ltap_status ltap_tree_add_fused(ltap_tree *tree, const ltap_tree_call *piece, const char *by,
                                ltap_error *error);

/* Modules by the names of weights: what is not known of them. */
ltap_status ltap_tree_weights(ltap_tree *tree, ltap_error *error);
/* Calls whose numbers contradict the order in which they stand in the file. */
ltap_status ltap_tree_names(ltap_tree *tree, ltap_error *error);

/* Calls' nodes, inputs, outputs; parameters; then what was folded, elided, merged. */
ltap_status ltap_tree_fill(ltap_tree *tree, ltap_error *error);
/* Doubts modules that may have ended with a Transpose that the exporter dropped. calls: of the
 * tree's calls, in their order. */
ltap_status ltap_tree_turned(const ltap_tree *tree, ltap_module_call **calls, ltap_error *error);
ltap_status ltap_tree_parameters(ltap_tree *tree, ltap_error *error);
ltap_status ltap_tree_folds(ltap_tree *tree, ltap_error *error);
/* Whether the TorchScript exporter folded a BatchNorm into this convolution. */
bool ltap_node_has_fold(const ltap_graph *graph, const ltap_node *node);
/* Marks the modules that end with such a convolution, of which `call` is the innermost. */
ltap_status ltap_tree_folded_ends(ltap_tree *tree, uint32_t call, const ltap_node *node,
                                  ltap_error *error);
/* Whether the node, of the dynamo exporter, still is the operation that it came from: what was
 * merged has another's name, or reads further back than that one did. */
bool ltap_node_is_as_written(const ltap_graph *graph, const ltap_node *node);
/* Whether both are of one operation that was written as several. */
bool ltap_nodes_share_source(const ltap_node *a, const ltap_node *b);
/* What PyTorch calls the operation, "torch.ops.aten.relu.default"; else ONNX's operator. */
const char *ltap_node_target(const ltap_node *node, size_t *bytes);
/* How a node reads a value: as its operation was written to (or the file does not say); as
 * rewriting left it; or what is inside another operation, equal to a part of its own. */
typedef enum ltap_use { LTAP_USE_WRITTEN, LTAP_USE_OTHER, LTAP_USE_WITHIN } ltap_use;
ltap_use ltap_node_use(const ltap_graph *graph, const ltap_node *node, uint32_t value);
/* Whether rewriting folded a BatchNorm into this convolution, and wrote down that it did. */
bool ltap_node_fused_norm(const ltap_node *node);
/* Whether an operation before this one was merged with it. */
bool ltap_node_was_merged(const ltap_graph *graph, const ltap_node *node);
/* Whether rewriting put operations of others into this node, so that what it reads is not what its
 * module read. */
bool ltap_node_took_over(const ltap_graph *graph, const ltap_node *node);
ltap_status ltap_tree_merges(ltap_tree *tree, ltap_error *error);
ltap_status ltap_tree_elided(ltap_tree *tree, ltap_error *error);

#endif
