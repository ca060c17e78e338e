/* What the files share that write a graph which was never ONNX's bytes. Internal to this folder.
 *
 * write.c chooses what is needed and puts the model together; write_names.c gives names;
 * write_nodes.c has nodes, attributes and subgraphs, write_values.c tensors;
 * write_opset.c finds the oldest opset in which all of it means what it means here;
 * write_functions.c spells out operators of our own.
 */
#ifndef LTAP_FORMATS_ONNX_WRITE_H
#define LTAP_FORMATS_ONNX_WRITE_H

#include "formats/onnx/onnx.h"
#include "formats/onnx/output.h"
#include "formats/onnx/put.h"

/* A graph that is being written. */
typedef struct ltap_onnx_frame {
    const ltap_graph *graph;
    const struct ltap_onnx_frame *outer; /* the graph around it; NULL */
    const char **names;                  /* per value, as written; NULL: not written */
} ltap_onnx_frame;

typedef struct ltap_onnx_writing {
    ltap_onnx_output to; /* first: see ltap_onnx_writer */
    const ltap_save *save;
    ltap_arena arena;
    ltap_onnx_frame frame; /* the main graph */
    uint8_t *keep;         /* a flag a node of it */
    uint8_t *needed;       /* a flag a value of it: what is kept reads it, or it is asked for */
    uint32_t *outputs;     /* values of save->outputs */
    uint32_t *starts;      /* values of save->starts */
    uint8_t *is_start;     /* a flag a value */
    bool *hands_on;        /* a flag an output: an Identity gives it its name */
    ltap_map taken;        /* names of values that are written */
    ltap_map node_names;
    ltap_vector calls; /* const ltap_onnx_body *: that the model must define */
    int64_t opset;
} ltap_onnx_writing;

/* write_names.c */
ltap_status ltap_onnx_writing_name(ltap_onnx_writing *writing, ltap_error *error);
/* Names of all values of a subgraph; frame: with graph and outer. */
ltap_status ltap_onnx_writing_name_inner(ltap_onnx_writing *writing, ltap_onnx_frame *frame,
                                         ltap_error *error);
/* What a value is called where it is read; "" for LTAP_NO_VALUE. */
const char *ltap_onnx_frame_name(const ltap_onnx_frame *frame, uint32_t value);

/* write_nodes.c */
ltap_status ltap_onnx_put_node(ltap_onnx_writing *writing, const ltap_onnx_frame *frame,
                               const ltap_node *node, ltap_error *error);

/* write_values.c */
/* Refuses a type of an output that a checker would. */
ltap_status ltap_onnx_check_type(const ltap_saved_value *value, ltap_error *error);
/* A TensorProto; name: NULL for an attribute's. A weight may go to the data file, or stay in the
 * model file that is read. */
ltap_status ltap_onnx_put_tensor(ltap_onnx_writing *writing, uint32_t number, const char *name,
                                 const ltap_tensor *tensor, ltap_error *error);
/* Where weights stay in the model file: refuses a path that is not beside it. */
ltap_status ltap_onnx_check_beside(ltap_onnx_writing *writing, ltap_error *error);

/* write_opset.c: the oldest opset, from 17 on. Operators that are neither ONNX's nor spelled out
 * here are refused by name. */
ltap_status ltap_onnx_writing_opset(ltap_onnx_writing *writing, ltap_error *error);
/* The oldest IR version with such an opset. */
int64_t ltap_onnx_ir_version(int64_t opset);

/* write_functions.c: an operator of layertap's domain, in ONNX's own. */
typedef struct ltap_onnx_body ltap_onnx_body;
/* NULL: it is not spelled out. */
const ltap_onnx_body *ltap_onnx_body_find(const char *op_type);
ltap_status ltap_onnx_put_body(ltap_onnx_writing *writing, const ltap_onnx_body *body,
                               ltap_error *error);

#endif
