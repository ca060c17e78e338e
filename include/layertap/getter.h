/* Getters: ask for layers by name, get the network that computes just those.
 *
 * A return layer is a pair (layer, name): the dictionary of torchvision's IntermediateLayerGetter.
 * The layer is a selector: a module path ("layer4.2.conv3"), a call of one ("layer1.0.relu#0"), a
 * node or value name of the file ("/layer1/layer1.0/conv1/Conv", "onnx::Conv_193", "65"), an input
 * or output; "X:in", "X:in[1]", "X:out[1]" choose an end; "output:0" a position; "module:",
 * "node:", "value:", "input:", "output:" take the rest literally; "X[0]", "X[-1]" are children of a
 * module, "op:Conv[0]" a node of a type. A pattern ("layer1.*.relu", "**.conv1", "op:Conv") gives
 * several features, each named by its own path, so that a getter may have more layers than were
 * given. A name that could mean two values is refused with the candidates; a name that is close to
 * a real one is refused with that.
 *
 * Reductions stand behind the name, "feat@gap@l2", and are done from left to right before the
 * feature is stored, so that a large map is never kept. With [N,C,...] for the axes, as PyTorch has
 * them; of a model that has channels last (Keras), C is the last of three to five axes:
 *
 *     @gap      mean over all axes but batch and channels: [N,C]
 *     @max      largest over all axes but batch and channels: [N,C] (amax)
 *     @flatten  all axes from 1 on become one: [N,C*H*W] (flatten(1))
 *     @cls      the first of tokens [N,T,D]: [N,D]
 *     @l2       divided by the length along the channels, at least 1e-12 (normalize)
 *     @topk:N   the N largest along the last axis, the largest first, NaN before all, of equals the
 *               first; and a feature "NAME.indices" with their places, int64, behind the others of
 *               its layer (@topk-indices:N gives the places alone)
 *     @half     float16, rounded to nearest even
 *
 * Only @flatten and @cls take what is not floating-point. Sums are in double, and every result is
 * rounded once. What a reduction does not take is refused where shapes are known: in
 * ltap_getter_estimate, ltap_getter_shapes, ltap_run_forward.
 */
#ifndef LAYERTAP_GETTER_H
#define LAYERTAP_GETTER_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/model.h>

LTAP_BEGIN

typedef struct ltap_getter ltap_getter;

typedef struct ltap_return_layer {
    const char *layer; /* selector */
    const char *name;  /* key in the features, then reductions: "feat", "feat@gap"; NULL, or "@gap"
                          alone: the selector as typed, or the paths of what a pattern stands for.
                          "@@" stands for '@' */
} ltap_return_layer;

/* Which call a module's bare name means when it is called several times. */
typedef enum ltap_calls {
    LTAP_CALLS_REFUSE = 0, /* refuse, and list the calls */
    LTAP_CALLS_FIRST = 1,  /* as torchvision's create_feature_extractor */
    LTAP_CALLS_LAST = 2    /* as a dictionary filled by forward hooks */
} ltap_calls;

/* What products are computed in. Features are float32 either way. */
typedef enum ltap_precision {
    LTAP_PRECISION_FLOAT32 = 0,
    /* Weights of convolutions and matrix products, and what is multiplied by them, are rounded to
     * bfloat16 (8 bits of precision), and added up in float32; see docs/precision.md for the error.
     * Needs a processor that has it (x86 with avx512_bf16), LTAP_ERROR_UNSUPPORTED elsewhere. */
    LTAP_PRECISION_BFLOAT16 = 1
} ltap_precision;

/* Where features have their channels. Inputs, values to start at, hooks and interventions keep the
 * model's own axes. */
typedef enum ltap_channels {
    LTAP_CHANNELS_GIVEN = 0, /* where the model has them: last in Keras, [N,H,W,C], else second */
    LTAP_CHANNELS_FIRST = 1, /* behind the batch, [N,C,H,W]: features of three to five axes are
                                turned where the model has channels last; a model that has them
                                second stays as it is */
    LTAP_CHANNELS_LAST = 2   /* only of a model that has them last: as given */
} ltap_channels;

/* Zero-initialise for defaults. */
typedef struct ltap_getter_options {
    ltap_calls calls;
    int exact;           /* 1: within 1e-5 of the largest magnitude, bits repeat over batch size
                            and threads; 0: fast */
    int threads;         /* 0: one per processor that this process may use */
    const char *backend; /* NULL: the fastest kernels; "reference": plain C only */
    const ltap_return_layer *from; /* layers to start at: their values are given, not computed, as
                                      inputs under these names (NULL: the selector); copied */
    size_t n_from;
    ltap_precision precision; /* bfloat16 excludes exact and the reference backend */
    int low_memory; /* 1: weights that the file has are packed anew in each forward, a layer's at a
                       time, and its pages given back; the same bits, later. Not for exact. */
    ltap_channels channels;
} ltap_getter_options;

/* Resolves the names, prunes the network to what they need.
 *
 * layers: copied, at least one; output names must differ, those of indices too. options: may be
 * NULL. getter: yours to free; it keeps the model alive. Weights are packed by the first plan that
 * needs them. Errors: unknown, ambiguous and folded layers; unknown reductions; an operator on the
 * way that layertap does not have (LTAP_ERROR_UNSUPPORTED, all of them listed); a layer to start at
 * that nothing depends on. */
LTAP_API LTAP_MUST_USE ltap_status ltap_getter_new(const ltap_model *model,
                                                   const ltap_return_layer *layers, size_t n_layers,
                                                   const ltap_getter_options *options,
                                                   ltap_getter **getter, ltap_error *error);
/* Runs made from it stay valid. NULL is fine. */
LTAP_API void ltap_getter_free(ltap_getter *getter);

/* One return layer as it was understood. */
typedef struct ltap_getter_layer {
    const char *name;  /* requested output name */
    const char *layer; /* resolved, in full: "layer1.0.relu#1" */
    const char *kind;  /* what the selector matched: "module", "node", "value", "input", "output" */
    const char *note;  /* "" or a remark (several outputs, a BatchNorm folded in, ...) */
    const char *value; /* the file's own name of the tensor */
    int folded;        /* 1: the value after what the exporter folded in */
    const char *reduce; /* "" or reductions: "gap@l2" */
} ltap_getter_layer;
/* One for each requested layer, in request order; NULL beyond the last. Borrowed. */
LTAP_API size_t ltap_getter_layers_count(const ltap_getter *getter);
LTAP_API const ltap_getter_layer *ltap_getter_layers_at(const ltap_getter *getter, size_t index);

/* The layers that it starts at, in the order given. `name` is the input's; `note` tells where what
 * follows is computed in another way than in the whole network. NULL beyond the last. Borrowed. */
LTAP_API size_t ltap_getter_starts_count(const ltap_getter *getter);
LTAP_API const ltap_getter_layer *ltap_getter_starts_at(const ltap_getter *getter, size_t index);

/* The inputs that the request needs: the model's, in its order, then the layers it starts at. NULL
 * beyond the last. Borrowed. */
LTAP_API size_t ltap_getter_inputs_count(const ltap_getter *getter);
LTAP_API const ltap_port *ltap_getter_inputs_at(const ltap_getter *getter, size_t index);

/* Threads that each run of it uses: as asked for, or one per processor. */
LTAP_API int ltap_getter_threads(const ltap_getter *getter);

/* Layers of the model's list that are kept (1) or pruned (0); index as in ltap_model_layers_at. */
LTAP_API int ltap_getter_keeps(const ltap_getter *getter, size_t layer_index);

/* What a first forward with these input shapes will take. Bytes; predicted before anything is run.
 * The totals are what the process's peak may grow by. */
typedef struct ltap_estimate {
    uint64_t packed_bytes;   /* weights in the kernels' own layout, and computed ones */
    uint64_t arena_bytes;    /* inner values */
    uint64_t scratch_bytes;  /* kernels' working memory */
    uint64_t features_bytes; /* the answer */
    uint64_t handed_bytes;   /* ltap_run_stream: the same for what it hands on, one at a time */
    uint64_t besides_bytes;  /* allowed for plans, threads, pages that are touched */
    uint64_t total_bytes;
    uint64_t stream_bytes; /* total of ltap_run_stream */
    uint64_t mult_adds;
    size_t n_nodes; /* operations that will run */
} ltap_estimate;
/* inputs: shapes by position of ltap_getter_inputs_at (data ignored); NULL with n_inputs 0 where
 * all sizes are fixed. The plan is made and kept for the next forward of these shapes. */
LTAP_API LTAP_MUST_USE ltap_status ltap_getter_estimate(ltap_getter *getter,
                                                        const ltap_tensor *inputs, size_t n_inputs,
                                                        ltap_estimate *estimate, ltap_error *error);

/* Types and shapes of the features for these input shapes, in request order, before anything is
 * run. features: the caller's, ltap_getter_layers_count long; data becomes NULL; a dimension that
 * only a run can tell is -1. inputs as in ltap_getter_estimate. */
LTAP_API LTAP_MUST_USE ltap_status ltap_getter_shapes(ltap_getter *getter,
                                                      const ltap_tensor *inputs, size_t n_inputs,
                                                      ltap_tensor *features, ltap_error *error);

/* Prints the plan for these input shapes, a line a step: operation, kernel, shapes, layouts, arena
 * offsets, and why faster kernels refused. line: called with each line, without its end. */
LTAP_API LTAP_MUST_USE ltap_status ltap_getter_explain(ltap_getter *getter,
                                                       const ltap_tensor *inputs, size_t n_inputs,
                                                       void (*line)(void *user, const char *text),
                                                       void *user, ltap_error *error);

LTAP_END

#endif
