/* Pruned networks as files: just what some layers need, made from the original bytes.
 *
 * What is kept is kept byte for byte: nodes with their names, metadata and attributes, weights,
 * types, free dimensions, functions, quantisation annotations, fields that layertap does not know.
 * A layer's value becomes an output under the requested name by an Identity node behind it, and a
 * layer to start at becomes an input by one before it; where the name is the value's own, no node
 * is needed. A layer inside a call of a function has the body put in place of that call, the
 * call's path in front of its names. What the file says of training is left out.
 */
#ifndef LAYERTAP_PRUNE_H
#define LAYERTAP_PRUNE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/getter.h>

LTAP_BEGIN

/* Weights that lie in files beside the model. With a model that is not ONNX: KEEP refers to its
 * file, where they lie there as they are. */
typedef enum ltap_external {
    LTAP_EXTERNAL_AUTO = 0,  /* as KEEP; a file that would have more than 2 GB as REPACK */
    LTAP_EXTERNAL_KEEP = 1,  /* referred to as before; refused where the path leads elsewhere */
    LTAP_EXTERNAL_REPACK = 2 /* copied to PATH.data beside the new file, other large ones too */
} ltap_external;

/* Zero-initialise for defaults. */
typedef struct ltap_prune_options {
    ltap_external external;
    int force;   /* 1: replace what is there; never the model itself */
    int rewrite; /* 1: write an ONNX model anew as well, from the graph: in today's forms of
                    operators, with functions in place of their calls */
} ltap_prune_options;

/* What was written. */
typedef struct ltap_pruned {
    size_t n_nodes, n_nodes_before; /* nodes of the file, those added not counted */
    uint64_t bytes, data_bytes;     /* of the model file; of the data file, 0: none */
} ltap_pruned;

/* Writes the network of a getter. The file appears whole or not at all. options, pruned: may be
 * NULL. Errors: a name that is taken by another value, a layer inside a function that is written
 * for another opset, an output type that nothing tells, an existing file (LTAP_ERROR_EXISTS). */
LTAP_API LTAP_MUST_USE ltap_status ltap_getter_save(const ltap_getter *getter, const char *path,
                                                    const ltap_prune_options *options,
                                                    ltap_pruned *pruned, ltap_error *error);

/* The same without running anything: operators that layertap does not have are no obstacle. getter:
 * calls and from are used. */
LTAP_API LTAP_MUST_USE ltap_status
ltap_model_prune(const ltap_model *model, const ltap_return_layer *layers, size_t n_layers,
                 const ltap_getter_options *getter, const char *path,
                 const ltap_prune_options *options, ltap_pruned *pruned, ltap_error *error);

/* A network in two files, whose composition equals the whole bit for bit. */
typedef struct ltap_split {
    ltap_return_layer at;            /* the layer after which to cut, and the name of its value */
    const ltap_return_layer *layers; /* what the head gives */
    size_t n_layers;
    ltap_calls calls;
    const char *backbone, *head; /* paths */
} ltap_split;

/* The backbone computes the layer; the head computes `layers` from the backbone's outputs, which
 * have the names of the head's inputs. Other values that cross the cut do so under their own names;
 * an input of the model that the head needs as well is an input of both. A convolution and the
 * BatchNormalization after it stay together in the backbone, because they are computed as one.
 * Both files appear, or neither. pruned: NULL, or two: backbone, head. */
LTAP_API LTAP_MUST_USE ltap_status ltap_model_split(const ltap_model *model,
                                                    const ltap_split *split,
                                                    const ltap_prune_options *options,
                                                    ltap_pruned *pruned, ltap_error *error);

LTAP_END

#endif
