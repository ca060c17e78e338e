/* What the files of the ONNX reader share: one load, its scopes, its steps. Internal to this
 * folder.
 *
 * model.c reads the model and starts; graph.c fills one graph; node.c one node (attribute.c,
 * tensor.c, type.c its parts, external.c the files beside the model); functions.c inlines calls;
 * opset.c translates old meanings (opset_*.c by family).
 */
#ifndef LTAP_FORMATS_ONNX_ONNX_H
#define LTAP_FORMATS_ONNX_ONNX_H

#include "formats/format.h"
#include "formats/onnx/proto.h"

#define LTAP_ONNX_MAX_GRAPH_DEPTH 32
#define LTAP_ONNX_MAX_CALL_DEPTH  32
#define LTAP_ONNX_MAX_TYPE_DEPTH  8
#define LTAP_ONNX_MAX_NODES       1000000
#define LTAP_ONNX_MAX_INLINED     (UINT64_C(256) << 20) /* bytes that inlined calls may take */
#define LTAP_ONNX_MAX_STEPS       (UINT64_C(1) << 28)   /* comparisons while inlining */
#define LTAP_ONNX_MIN_OPSET       6

extern const ltap_format ltap_onnx_format;
/* save.c */
ltap_status ltap_onnx_save(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                           ltap_error *error);
/* write.c: the same for a graph that came from elsewhere. */
ltap_status ltap_onnx_write(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                            ltap_error *error);

typedef struct ltap_onnx_function {
    ltap_proto_function proto;
    const char *name, *domain, *overload;
    ltap_wire_list made, used; /* names of all outputs and inputs of the nodes in its body */
    int64_t opset;             /* of ONNX's own domain, 0: not imported */
    bool active;               /* being inlined: a call of it now would be recursion */
} ltap_onnx_function;

/* One load of one file. */
typedef struct ltap_onnx {
    ltap_wire wire;
    ltap_source *source;
    ltap_arena scratch; /* parsed messages; gone after the load */
    ltap_graph *graph;  /* the outermost */
    ltap_arena *arena;  /* its arena: all that stays */
    ltap_onnx_function *functions;
    size_t n_functions;
    ltap_map function_by_key;
    ltap_map call_paths;   /* paths that calls have taken */
    ltap_vector externals; /* files beside the model that were tried */
    ltap_map external_by_location;
    uint64_t n_nodes;     /* read so far, inlined ones each time */
    uint64_t inlined;     /* bytes that inlined calls have taken */
    uint64_t before_call; /* bytes in use when the outermost call now being inlined began */
    uint64_t steps;       /* of comparing names while inlining */
} ltap_onnx;

/* A call that is being inlined. */
typedef struct ltap_onnx_call {
    ltap_onnx_function *function;
    const ltap_attr *attrs; /* of the calling node */
    size_t n_attrs;
    const char *path; /* "block/conv" */
    uint32_t index;   /* among the graph's calls */
    int depth;
} ltap_onnx_call;

/* Where names mean something: a graph or a function's body. */
typedef struct ltap_onnx_scope {
    ltap_onnx *load;
    ltap_graph *graph;                   /* that nodes go to */
    const struct ltap_onnx_scope *outer; /* of a subgraph: the scope around it */
    const ltap_onnx_call *call;          /* NULL outside functions */
    int64_t opset;                       /* of ONNX's own domain, 0: not imported */
    ltap_map names;                      /* names made in this scope -> value of graph */
    int depth;                           /* of subgraphs */
    ltap_wire_list used[2];              /* names that nodes take; names that are handed out */
    ltap_map is_used;                    /* the same, once somebody asked */
    bool has_used;
} ltap_onnx_scope;

/* A tensor as the file holds it. */
typedef struct ltap_onnx_tensor {
    ltap_tensor tensor;
    const char *name;
    ltap_wire_span name_span;
    bool unaligned;      /* as in ltap_value */
    const char *missing; /* as in ltap_value */
} ltap_onnx_tensor;

/* A node between the file and the graph: translations change it. Its arrays are in the arena. */
typedef struct ltap_onnx_draft {
    ltap_onnx_scope *scope;
    ltap_node node;
    const ltap_proto_node *proto;
} ltap_onnx_draft;

/* text.c: a name: UTF-8 without NUL. what: "value name". An absent span is "". */
ltap_status ltap_onnx_text(ltap_onnx *load, ltap_wire_span span, const char *what,
                           const char **text, ltap_error *error);
/* Any bytes, NUL-terminated. */
ltap_status ltap_onnx_string(ltap_onnx *load, ltap_wire_span span, ltap_string *string,
                             ltap_error *error);
/* A domain; "ai.onnx" is "". */
ltap_status ltap_onnx_domain(ltap_onnx *load, ltap_wire_span span, const char **domain,
                             ltap_error *error);
ltap_status ltap_onnx_properties(ltap_onnx *load, ltap_wire_list list,
                                 const ltap_property **properties, ltap_error *error);
/* The version of ONNX's own operators among opset imports; 0: not there. */
ltap_status ltap_onnx_opset_read(ltap_onnx *load, ltap_wire_list list, int64_t *opset,
                                 ltap_error *error);
/* Gives an error that knows no place one. */
ltap_status ltap_onnx_locate(ltap_error *error, ltap_status status, uint64_t offset);
static inline ltap_span ltap_onnx_span(ltap_wire_span span)
{
    return (ltap_span){span.offset, span.bytes};
}

/* scope.c. A name is given as its span; the empty name is LTAP_NO_VALUE. */
void ltap_onnx_scope_init(ltap_onnx_scope *scope, ltap_onnx *load, ltap_graph *graph);
void ltap_onnx_scope_clear(ltap_onnx_scope *scope);
/* Makes a name known as made here. */
ltap_status ltap_onnx_scope_declare(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t *value,
                                    ltap_error *error);
/* Lets a name stand for a value that is there. */
ltap_status ltap_onnx_scope_bind(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t value,
                                 ltap_error *error);
/* What a name means here: made here, or captured from around, or new and (so far) not made. */
ltap_status ltap_onnx_scope_value(ltap_onnx_scope *scope, ltap_wire_span name, uint32_t *value,
                                  ltap_error *error);

/* Whether a node of this scope takes the name or the scope hands it out. */
ltap_status ltap_onnx_scope_uses(ltap_onnx_scope *scope, ltap_wire_span name, bool *used,
                                 ltap_error *error);

/* tensor.c, payload.c, external.c */
ltap_status ltap_onnx_tensor_read(ltap_onnx *load, ltap_wire_span span, ltap_onnx_tensor *tensor,
                                  ltap_error *error);
ltap_status ltap_onnx_sparse_read(ltap_onnx *load, ltap_wire_span span, ltap_onnx_tensor *tensor,
                                  ltap_error *error);
/* Makes data aligned to its type, by a copy where it is not. */
ltap_status ltap_onnx_tensor_align(ltap_onnx *load, ltap_onnx_tensor *tensor, ltap_error *error);
/* Fills tensor->data (or missing) from the message; count and bytes are what the shape needs. */
ltap_status ltap_onnx_payload_read(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t count,
                                   uint64_t bytes, ltap_onnx_tensor *tensor, ltap_error *error);
ltap_status ltap_onnx_external_read(ltap_onnx *load, const ltap_proto_tensor *proto, uint64_t bytes,
                                    ltap_onnx_tensor *tensor, ltap_error *error);
void ltap_onnx_externals_init(ltap_onnx *load);
/* A constant value's tensor, taken over into the graph. */
ltap_status ltap_onnx_constant_set(ltap_onnx *load, ltap_graph *graph, uint32_t value,
                                   const ltap_onnx_tensor *tensor, ltap_span span,
                                   ltap_error *error);

/* type.c: ValueInfoProto's or an attribute's type. name: for errors. */
ltap_status ltap_onnx_type_read(ltap_onnx *load, ltap_wire_span span, const char *name,
                                ltap_type *type, ltap_error *error);

/* attribute.c: all attributes of a node, references to the call's attributes resolved. */
ltap_status ltap_onnx_attrs_read(ltap_onnx_scope *scope, ltap_wire_list list,
                                 const ltap_attr **attrs, size_t *n_attrs, ltap_error *error);
/* One; *dropped: it refers to an attribute that the call does not have. */
ltap_status ltap_onnx_attr_read(ltap_onnx_scope *scope, ltap_wire_span span, ltap_attr *attr,
                                bool *dropped, ltap_error *error);

/* graph.c */
/* Adds to the spans of fields that are not read. */
ltap_status ltap_onnx_spans_keep(ltap_onnx *load, ltap_graph *graph, ltap_wire_list list,
                                 ltap_error *error);
/* Names of all outputs and of all inputs of nodes. */
ltap_status ltap_onnx_names_read(ltap_onnx *load, ltap_wire_list nodes, ltap_wire_list *made,
                                 ltap_wire_list *used, ltap_error *error);
ltap_status ltap_onnx_graph_fill(ltap_onnx_scope *scope, ltap_wire_span span, ltap_error *error);
/* A subgraph: a child of the scope's graph. */
ltap_status ltap_onnx_graph_child(ltap_onnx_scope *scope, ltap_wire_span span, ltap_graph **graph,
                                  ltap_error *error);

/* node.c */
ltap_status ltap_onnx_node_read(ltap_onnx_scope *scope, ltap_wire_span span, ltap_error *error);
/* Count towards the limits: one more node; steps of inlining. */
ltap_status ltap_onnx_node_count(ltap_onnx *load, uint64_t offset, ltap_error *error);
ltap_status ltap_onnx_steps_count(ltap_onnx *load, uint64_t steps, ltap_error *error);

/* constant.c: a Constant node becomes a constant value. */
ltap_status ltap_onnx_constant_read(ltap_onnx_scope *scope, const ltap_proto_node *proto,
                                    ltap_error *error);

/* functions.c */
ltap_status ltap_onnx_functions_read(ltap_onnx *load, ltap_wire_list list, ltap_error *error);
/* *function is NULL where the model defines none. */
ltap_status ltap_onnx_function_find(ltap_onnx *load, const ltap_node *node, const char *overload,
                                    ltap_onnx_function **function, ltap_error *error);
/* The node in the draft is a call of the function: its body goes into the graph instead. */
ltap_status ltap_onnx_function_inline(ltap_onnx_draft *call, ltap_onnx_function *function,
                                      ltap_error *error);

#endif
