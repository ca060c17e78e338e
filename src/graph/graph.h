/* The graph: nodes, values, attributes, constants; whatever the file calls its nodes.
 *
 * A graph and all in it live in one arena and die at once. Values are numbered; a node names its
 * inputs and outputs by number. A loader builds a graph with the functions below, links it, and
 * from then on it is immutable; rewriting passes make a new one. Each thing remembers its byte span
 * in the file, so that a pruned model can be saved from the original bytes.
 */
#ifndef LTAP_GRAPH_GRAPH_H
#define LTAP_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vector.h"
#include "tensor/tensor.h"
#include <stdbool.h>
#include <stdint.h>

#define LTAP_NO_VALUE        UINT32_MAX /* an omitted optional input or unused output */
#define LTAP_NO_NODE         UINT32_MAX

#define LTAP_GRAPH_MAX_DEPTH 64 /* of subgraphs in subgraphs */

typedef struct ltap_graph ltap_graph;

/* Bytes of the file that say a thing; bytes 0 where it was made by translation. */
typedef struct ltap_span {
    uint64_t offset, bytes;
} ltap_span;

typedef struct ltap_dim {
    int64_t size;       /* -1: unknown before running */
    const char *symbol; /* NULL or a name */
} ltap_dim;

typedef enum ltap_type_kind {
    LTAP_TYPE_UNKNOWN,
    LTAP_TYPE_TENSOR,
    LTAP_TYPE_SPARSE,
    LTAP_TYPE_SEQUENCE,
    LTAP_TYPE_OPTIONAL,
    LTAP_TYPE_MAP
} ltap_type_kind;

typedef struct ltap_type {
    ltap_type_kind kind;
    ltap_dtype dtype;
    int rank;                        /* -1 unknown */
    const ltap_dim *dims;            /* rank of them */
    const struct ltap_type *element; /* of a sequence, optional, map */
} ltap_type;

typedef enum ltap_attr_kind {
    LTAP_ATTR_FLOAT,
    LTAP_ATTR_INT,
    LTAP_ATTR_STRING,
    LTAP_ATTR_TENSOR,
    LTAP_ATTR_GRAPH,
    LTAP_ATTR_FLOATS,
    LTAP_ATTR_INTS,
    LTAP_ATTR_STRINGS,
    LTAP_ATTR_TENSORS,
    LTAP_ATTR_GRAPHS,
    LTAP_ATTR_TYPE,
    LTAP_ATTR_OTHER /* sparse tensors and what comes later: carried by span only */
} ltap_attr_kind;

typedef struct ltap_string {
    const char *data; /* NUL-terminated copy or view; may hold NULs inside */
    size_t bytes;
} ltap_string;

typedef struct ltap_attr {
    const char *name;
    ltap_attr_kind kind;
    size_t count; /* of the lists; 1 for the others */
    union {
        double f; /* float32 in files, exact in double */
        int64_t i;
        ltap_string s;
        const ltap_tensor *tensors; /* TENSOR and TENSORS */
        ltap_graph *const *graphs;  /* GRAPH and GRAPHS */
        const float *floats;
        const int64_t *ints;
        const ltap_string *strings;
        const ltap_type *type;
    } u;
    ltap_span span;
} ltap_attr;

/* An attribute of a number, a float32, a text, a list of numbers. */
#define LTAP_ATTR_I(n, v) ((ltap_attr){.name = (n), .kind = LTAP_ATTR_INT, .count = 1, .u.i = (v)})
#define LTAP_ATTR_F(n, v)                                                                          \
    ((ltap_attr){.name = (n), .kind = LTAP_ATTR_FLOAT, .count = 1, .u.f = (double)(float)(v)})
#define LTAP_ATTR_S(n, v)                                                                          \
    ((ltap_attr){.name = (n), .kind = LTAP_ATTR_STRING, .count = 1, .u.s = {(v), strlen(v)}})
#define LTAP_ATTR_N(n, c, v)                                                                       \
    ((ltap_attr){.name = (n), .kind = LTAP_ATTR_INTS, .count = (size_t)(c), .u.ints = (v)})

typedef struct ltap_property {
    const char *key, *value;
} ltap_property;

/* The property of a node that layertap built itself: a line a module that ran, outermost first:
 * path, tab, class (see layers_built.c). And of a model: how pictures are prepared for it. */
#define LTAP_SCOPES_KEY     "layertap.scopes"
#define LTAP_PREPROCESS_KEY "layertap.preprocess"

struct ltap_op;

typedef struct ltap_node {
    uint32_t index;     /* in graph->nodes */
    uint32_t origin;    /* in a copy: the number in the original; else in the order of adding */
    const char *name;   /* "" where the file gives none */
    const char *domain; /* "" is ONNX's own ("ai.onnx" is stored as "") */
    const char *op_type;
    const struct ltap_op *op; /* NULL: layertap does not have it; set by ltap_ops_bind */
    const char *call_path;    /* "" or the names of the function calls it was inlined from, "a/b" */
    uint32_t *inputs, *outputs; /* value numbers or LTAP_NO_VALUE */
    size_t n_inputs, n_outputs;
    /* What its subgraphs read of the graphs around them: the last n_captured inputs, by these
     * names. Set by link. */
    const char *const *captured;
    size_t n_captured;
    const ltap_attr *attrs;
    size_t n_attrs;
    const ltap_property *properties; /* metadata_props */
    size_t n_properties;
    const char *doc;
    ltap_span span;
    bool translated; /* made or changed at the border: its span is not what it is now */
} ltap_node;

typedef struct ltap_value {
    uint32_t index;
    const char *name;  /* the file's; unique in the graph; made-up names begin with "\1" */
    uint32_t producer; /* node number or LTAP_NO_NODE */
    uint32_t slot;     /* which output of the producer */
    ltap_type type;    /* as far as the file says */
    const ltap_tensor *constant; /* an initializer's tensor, a view into the mapped file; or NULL;
                                    data of LTAP_STRING is an array of ltap_string */
    bool unaligned;              /* constant's data is not aligned to its type: copy before use */
    const char *missing; /* constant's data is NULL for this reason (a file that is not there) */
    bool is_input, is_output;
    bool is_end;     /* the module that made it hands it out, whether anyone uses it or not */
    uint32_t second; /* after passes: the value of the same numbers with channels second, which is
                        read in its place; LTAP_NO_VALUE: none */
    const uint32_t *consumers; /* node numbers in order, one entry per use; set by link */
    size_t n_consumers;
    ltap_span span; /* of the initializer, or of the value_info */
    bool from_node; /* constant: said by a Constant node, whose bytes span is */
} ltap_value;

/* A call of a function of the file, whose body is in the graph instead. */
typedef struct ltap_graph_call {
    const char *path; /* in front of the names of what its body makes: "block/conv" */
    ltap_span node;   /* the calling node in the file */
    uint32_t around;  /* the call whose body it stands in; LTAP_NO_CALL: none */
} ltap_graph_call;
#define LTAP_NO_CALL UINT32_MAX

/* A tensor that the file holds. */
typedef struct ltap_stored {
    const char *name;
    ltap_tensor shape; /* data NULL */
} ltap_stored;

struct ltap_graph {
    ltap_arena arena;
    ltap_memory *memory;
    const char *name;
    ltap_vector nodes;   /* ltap_node, in order of execution once linked */
    ltap_vector values;  /* ltap_value */
    ltap_vector inputs;  /* uint32_t: real inputs (without initializers), in the file's order */
    ltap_vector outputs; /* uint32_t, the same value may stand twice */
    ltap_vector output_names; /* const char *: a graph output's own name */
    ltap_vector calls;        /* ltap_graph_call, outer ones first */
    ltap_map value_by_name;
    ltap_graph *parent;             /* the graph around a subgraph; NULL */
    ltap_graph *children, *sibling; /* subgraphs, freed with this one; the next of the parent's */
    uint32_t n_made_up;             /* names so far */
    const char *format, *version, *producer, *producer_version;
    int64_t opset;                   /* of the default domain in the file */
    const ltap_property *properties; /* the model's metadata_props */
    size_t n_properties;
    ltap_span span;                /* of the graph in the file */
    const ltap_span *other_fields; /* of graph and model, that no loader reads; each with its tag */
    size_t n_other_fields;
    bool channels_last;  /* what layers hand out may have channels last: passes carry them second */
    bool features_last;  /* it has, where it has three axes or more */
    bool features_mixed; /* of some layers only */
    bool is_built;       /* not read from a file's nodes: these say themselves where they ran */
    const char *built_from; /* what told that; NULL: the architecture */
    bool linked, captured;  /* captured: nodes list what their subgraphs read */
    /* Of a file of weights alone: */
    const ltap_stored *stored;
    size_t n_stored;
    const char *no_network;        /* why there are no nodes; NULL where there are */
    const char *nearest, *differs; /* the architecture with most in common, and what is not; NULL */
};

ltap_status ltap_graph_new(ltap_memory *memory, ltap_graph **graph, ltap_error *error);
/* A subgraph: sees the parent's values, and is freed with it. */
ltap_status ltap_graph_new_inside(ltap_graph *parent, ltap_graph **graph, ltap_error *error);
/* NULL is fine. */
void ltap_graph_free(ltap_graph *graph);

/* Building. Names are copied into the arena. */
/* Finds a value by name or makes it. "" is a name like any other: that it stands for an omitted
 * input is the loader's to know. A NUL inside is LTAP_ERROR_FORMAT. */
ltap_status ltap_graph_value(ltap_graph *graph, const char *name, size_t bytes, uint32_t *value,
                             ltap_error *error);
/* A new value with a made-up unique name ("\1" + hint + number). */
ltap_status ltap_graph_value_new(ltap_graph *graph, const char *hint, uint32_t *value,
                                 ltap_error *error);
/* Makes a value a constant of the tensor's type; the tensor is copied as a view (its data must
 * outlive the graph). */
ltap_status ltap_graph_set_constant(ltap_graph *graph, uint32_t value, const ltap_tensor *tensor,
                                    ltap_error *error);
/* The same of a new value. */
ltap_status ltap_graph_constant(ltap_graph *graph, const char *hint, const ltap_tensor *tensor,
                                uint32_t *value, ltap_error *error);
/* A 1-d int64 constant with its own copy of the numbers. */
ltap_status ltap_graph_constant_ints(ltap_graph *graph, const char *hint, const int64_t *numbers,
                                     size_t count, uint32_t *value, ltap_error *error);
/* One property, its value copied; the key must outlive the arena. */
ltap_status ltap_property_new(ltap_arena *arena, const char *key, const char *value,
                              const ltap_property **property, ltap_error *error);
/* Attributes with all that they point to (numbers, texts, lists of both; tensors, graphs and types
 * are borrowed). */
ltap_status ltap_attrs_copy(ltap_arena *arena, const ltap_attr *attrs, size_t count,
                            const ltap_attr **copy, ltap_error *error);
/* Appends a node as given (arrays are copied, strings and attributes borrowed from the arena);
 * added: may be NULL; borrowed, until the next is added. Sets index, origin and producers; a value
 * made twice is an error. */
ltap_status ltap_graph_node_add(ltap_graph *graph, const ltap_node *node, ltap_node **added,
                                ltap_error *error);

/* Sorts nodes by execution (stable: the file's order where it is valid), computes consumers, checks
 * that every used value is made, given or constant, here or in a graph around this one. What the
 * subgraphs of a node take from around them becomes inputs of the node (ltap_graph_capture), so all
 * nodes of all graphs must be there. Errors: cycles and missing values, by name. */
ltap_status ltap_graph_link(ltap_graph *graph, ltap_error *error);
/* Appends to the inputs of each node what its subgraphs read and do not make, here and in the
 * subgraphs. Does nothing the second time. */
ltap_status ltap_graph_capture(ltap_graph *graph, ltap_error *error);
/* Inputs that are a node's own: without what its subgraphs take. */
static inline size_t ltap_node_own_inputs(const ltap_node *node)
{
    return node->n_inputs - node->n_captured;
}

/* Reading. */
static inline ltap_node *ltap_graph_node(const ltap_graph *graph, uint32_t index)
{
    return LTAP_VECTOR_AT(&graph->nodes, ltap_node, index);
}
static inline ltap_value *ltap_graph_at(const ltap_graph *graph, uint32_t value)
{
    return LTAP_VECTOR_AT(&graph->values, ltap_value, value);
}
bool ltap_graph_find(const ltap_graph *graph, const char *name, uint32_t *value);
const ltap_attr *ltap_node_attr(const ltap_node *node, const char *name); /* NULL: not there */
int64_t ltap_node_int(const ltap_node *node, const char *name, int64_t otherwise);
double ltap_node_float(const ltap_node *node, const char *name, double otherwise);
/* NULL where missing or of another kind. Borrowed, NUL-terminated. */
const char *ltap_node_string(const ltap_node *node, const char *name, const char *otherwise);
/* Count of the list; 0 with *ints NULL where missing. */
size_t ltap_node_ints(const ltap_node *node, const char *name, const int64_t **ints);
const char *ltap_node_property(const ltap_node *node, const char *key); /* NULL: not there */
/* "Conv '/conv1/Conv'" or "Conv of value '65'": how messages name a node. */
ltap_text ltap_node_text(const ltap_graph *graph, const ltap_node *node);

#endif
