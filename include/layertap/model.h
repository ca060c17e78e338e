/* Models: open a file once, share it with every thread, walk over its layers.
 *
 * The file is mapped, not read: a weight costs memory only when something that was asked for needs
 * it. What the file says about itself is checked here; no bytes can make this crash.
 */
#ifndef LAYERTAP_MODEL_H
#define LAYERTAP_MODEL_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/memory.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef struct ltap_model ltap_model;

/* Zero-initialise for defaults. */
typedef struct ltap_model_options {
    const ltap_allocator *allocator; /* copied; NULL: the C library's */
    uint64_t memory_limit;           /* bytes for all that hangs on this model; 0: the default */
    const char *external_dir; /* a folder that may hold external data, beside the model's own */
    int private_copy;         /* 1: read the file into memory, so that it may change meanwhile */
    const char *arch;         /* what the network of a checkpoint is called: a name as from
                                 ltap_model_arch_at, and what no shape tells behind a plus:
                                 "resnet50", "googlenet+transform_input", "vit+heads=6". The file must
                                 be of that network. NULL: recognised by names and shapes. */
} ltap_model_options;

/* Names for ltap_model_options.arch: families ("resnet": any of them), then torchvision's. NULL
 * behind the last. */
LTAP_API const char *ltap_model_arch_at(size_t index);

/* Opens a model file. The format is told by content. A checkpoint whose network layertap does not
 * build opens, too: without layers, info->no_network says why, and no getter can be made of it.
 * path: kept by copy. options: may be NULL. model: yours to close. */
LTAP_API LTAP_MUST_USE ltap_status ltap_model_open(const char *path,
                                                   const ltap_model_options *options,
                                                   ltap_model **model, ltap_error *error);

/* Opens a model that is already in memory.
 * bytes: borrowed until the last object made from this model is gone. name: used in messages,
 * copied, may be NULL. External data is refused unless options->external_dir allows a folder. */
LTAP_API LTAP_MUST_USE ltap_status ltap_model_open_bytes(const void *bytes, size_t size,
                                                         const char *name,
                                                         const ltap_model_options *options,
                                                         ltap_model **model, ltap_error *error);

/* Gives the model back. Getters, runs and features that were made from it stay valid: the memory
 * goes with the last of them. NULL is fine. */
LTAP_API void ltap_model_close(ltap_model *model);

/* A dimension of a model input or output: a number, or -1 with the name that the file gives it. */
typedef struct ltap_port_dim {
    int64_t size;
    const char *symbol; /* "batch"; NULL where the file names none */
} ltap_port_dim;

/* An input or output of the model. rank is -1 where the file does not say. */
typedef struct ltap_port {
    const char *name;
    ltap_dtype dtype;
    int rank;
    ltap_port_dim dims[LTAP_MAX_RANK];
} ltap_port;

/* What the file says about itself. All strings are borrowed from the model; none is NULL. */
typedef struct ltap_model_info {
    const char *name;        /* the path it was opened with, or the given name */
    const char *format;      /* "ONNX" */
    const char *version;     /* "opset 17" */
    const char *producer;    /* "PyTorch 2.6 (TorchScript exporter)"; "" where unknown */
    const char *unsupported; /* operators that layertap does not have, with the layers that use
                                them: "RoiAlign x2 (roi_heads), ..."; "" where there are none */
    uint64_t n_parameters;   /* elements of all weights */
    size_t n_nodes;
    const char
        *no_network; /* why there is no network to run, of a file that holds weights alone, whose
                        network is not one that layertap builds; "" where there is one */
    const char *nearest; /* then: the network with most tensors in common, "" where none is near; */
    const char *differs; /* and the first differences to it */
    const char *names_from; /* what the names of modules are read from: "the metadata of nodes"; ""
                               where there are none */
} ltap_model_info;
/* Borrowed, as all that follows, until the model is closed. */
LTAP_API const ltap_model_info *ltap_model_info_get(const ltap_model *model);

/* What the file calls its inputs and outputs, in its order; NULL beyond the last. */
LTAP_API size_t ltap_model_inputs_count(const ltap_model *model);
LTAP_API const ltap_port *ltap_model_inputs_at(const ltap_model *model, size_t index);
LTAP_API size_t ltap_model_outputs_count(const ltap_model *model);
LTAP_API const ltap_port *ltap_model_outputs_at(const ltap_model *model, size_t index);

/* The file's own key-value metadata. NULL where there is no such key. Borrowed. */
LTAP_API const char *ltap_model_metadata(const ltap_model *model, const char *key);

/* One line of the layer list: modules and the operations beneath them, in the order of execution,
 * a module before what is inside it; inputs first, outputs last. */
typedef enum ltap_layer_kind {
    LTAP_LAYER_INPUT,
    LTAP_LAYER_MODULE, /* has layers inside */
    LTAP_LAYER_NODE,   /* one operation */
    LTAP_LAYER_OUTPUT
} ltap_layer_kind;

#define LTAP_NO_PARENT SIZE_MAX

typedef struct ltap_layer {
    const char
        *name; /* what to ask for: "layer1.0.relu#0", "conv1:folded"; resolves as it stands */
    ltap_layer_kind kind;
    const char *type;  /* "Conv" (operator), "BasicBlock" (class, where the file tells), "module" */
    const char *note;  /* "" or a remark, e.g. that a BatchNorm is folded in */
    const char *value; /* the file's own name of the tensor */
    size_t parent;     /* index of the module it is in, or LTAP_NO_PARENT */
    int depth;         /* 0 at the top */
    uint64_t n_parameters; /* elements of the weights inside */
    int folded;     /* 1: its own value is not in the file; this is the one after what the exporter
                       folded in */
    int computable; /* 0: an operator on the way to it is missing */
} ltap_layer;

/* The list; NULL beyond its last line. Borrowed. */
LTAP_API size_t ltap_model_layers_count(const ltap_model *model);
LTAP_API const ltap_layer *ltap_model_layers_at(const ltap_model *model, size_t index);

/* Which lines of the list a name or pattern stands for: a module with all that is inside it, what a
 * pattern ("layer1.*.relu", "op:Conv") matches. matched: the caller's, ltap_model_layers_count
 * long; 1 is written where a line matches. Errors: nothing matches. */
LTAP_API LTAP_MUST_USE ltap_status ltap_model_layers_match(const ltap_model *model,
                                                           const char *pattern,
                                                           unsigned char *matched,
                                                           ltap_error *error);

/* A tensor of the file: inputs, then what each node makes in the order of execution, then weights
 * that some node reads. Strings are borrowed from the model; none is NULL. */
typedef struct ltap_value_info {
    const char *name;   /* the file's own */
    const char *node;   /* name of the node that makes it; "" where it has none */
    const char *type;   /* its operator; "input", "weight" */
    const char *module; /* path of the module that it is made in; "" where there is none */
    int shared_name;    /* 1: something else has that name too; ask for "value:NAME" */
} ltap_value_info;
/* How many tensors there are. */
LTAP_API size_t ltap_model_values_count(const ltap_model *model);
/* info: filled; all "" where index is too large. */
LTAP_API void ltap_model_values_at(const ltap_model *model, size_t index, ltap_value_info *info);

/* A tensor that a checkpoint holds, whether or not its network is known, in the file's order. */
typedef struct ltap_weight {
    const char *name;
    ltap_tensor tensor; /* type and shape; data NULL */
} ltap_weight;
/* 0 where the file is no checkpoint. */
LTAP_API size_t ltap_model_weights_count(const ltap_model *model);
LTAP_API void ltap_model_weights_at(const ltap_model *model, size_t index, ltap_weight *weight);

/* What the node reads that makes a value, by the node's inputs, what its subgraphs take behind
 * them: places as in ltap_model_values_at, LTAP_NO_VALUE_READ for an input that is omitted. reads:
 * room for n_reads. Returns how many there are; 0 for inputs and weights. */
#define LTAP_NO_VALUE_READ SIZE_MAX
LTAP_API size_t ltap_model_values_reads(const ltap_model *model, size_t index, size_t *reads,
                                        size_t n_reads);

/* An operation in the body of an If, Loop or Scan. A body hands out only its results, so this can
 * be hooked and changed (hook.h, intervene.h), not asked for. All borrowed. */
typedef struct ltap_inside_info {
    const char *name;   /* for hooks, in full: "Loop_3.body.conv", "If_1.then.Loop_0.body.add" */
    const char *type;   /* its operator */
    const char *within; /* the node of the network that it belongs to: "Loop_3" */
} ltap_inside_info;
/* Calls `line` with each, in the order of the file; those without any name are left out. Errors:
 * memory. */
LTAP_API LTAP_MUST_USE ltap_status ltap_model_inside(const ltap_model *model,
                                                     void (*line)(void *user,
                                                                  const ltap_inside_info *inside),
                                                     void *user, ltap_error *error);

/* Shapes and cost of every layer for given input shapes.
 *
 * inputs: shapes of inputs by position (data ignored); NULL with n_inputs 0 where all inputs have
 * fixed sizes. A layer that cannot be told (an operator that layertap does not have) has dtype
 * LTAP_UNDEFINED. shapes: yours to free. */
typedef struct ltap_shapes ltap_shapes;
typedef struct ltap_layer_shape {
    ltap_tensor tensor; /* type and shape of the layer's output; data NULL */
    uint64_t mult_adds; /* multiply-adds of all operations inside */
} ltap_layer_shape;
LTAP_API LTAP_MUST_USE ltap_status ltap_shapes_new(const ltap_model *model,
                                                   const ltap_tensor *inputs, size_t n_inputs,
                                                   ltap_shapes **shapes, ltap_error *error);
/* Of a line of the layer list: layer_index is below ltap_model_layers_count. Borrowed. */
LTAP_API const ltap_layer_shape *ltap_shapes_at(const ltap_shapes *shapes, size_t layer_index);
/* The same for a value; index as in ltap_model_values_at, and not beyond. Borrowed. */
LTAP_API const ltap_layer_shape *ltap_shapes_value_at(const ltap_shapes *shapes,
                                                      size_t value_index);
/* Multiply-adds of the whole network. */
LTAP_API uint64_t ltap_shapes_mult_adds(const ltap_shapes *shapes);
/* NULL is fine. */
LTAP_API void ltap_shapes_free(ltap_shapes *shapes);

LTAP_END

#endif
