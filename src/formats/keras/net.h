/* A Keras model as its configuration tells it, and the rows that say what layers do. Private to
 * src/formats/keras.
 */
#ifndef LTAP_FORMATS_KERAS_NET_H
#define LTAP_FORMATS_KERAS_NET_H

#include "codec/hdf5.h"
#include "codec/json.h"
#include "formats/keras/build.h"

#define LTAP_KERAS_MAX_VARS  32
#define LTAP_KERAS_MAX_DEPTH 16 /* of models in models, and wrappers in wrappers */
#define LTAP_KERAS_MAX_CELLS 16 /* in a stack */

typedef struct ltap_keras_layer ltap_keras_layer;
typedef struct ltap_keras_net ltap_keras_net;
typedef struct ltap_keras_call ltap_keras_call;

enum {
    LTAP_KERAS_ANY_RANK = 1, /* needs not know how many axes its inputs have */
    LTAP_KERAS_MASKS = 2     /* what it hands out is masked as what it gets */
};

/* A class of layers, or an operation on tensors. */
typedef struct ltap_keras_row {
    const char *name;
    /* Fills the call's outputs; anything it does not do is ltap_keras_cannot. */
    void (*run)(ltap_keras_call *c);
    /* Names in the order of Keras' lists, as "kernel,bias=use_bias,!moving_mean": with a key of the
     * configuration that must be true, ! before what is not trained, and the attribute that holds
     * the variable where it is not the layer's own ("cell/kernel"). NULL: none. */
    const char *variables;
    /* Attributes that hold layers, with the key of the configuration: "forward_layer=layer"; with *
     * before the key, a list of layers. */
    const char *holds;
    unsigned flags;
} ltap_keras_row;

typedef struct ltap_keras_var {
    const char *name;   /* "kernel" */
    const char *holder; /* "cell"; "" */
    bool trained;
    const ltap_hdf5_object *object; /* NULL: not in the file */
} ltap_keras_var;

struct ltap_keras_layer {
    const char *class_name, *name;
    const char *module;        /* "keras.layers"; "" where the file does not say */
    const ltap_json *config;   /* an object */
    const ltap_json *inbound;  /* its calls; NULL in a Sequential */
    const ltap_keras_row *row; /* NULL: layertap has no such class */
    ltap_keras_net *net;       /* of a model that is a layer */
    ltap_keras_layer *held;    /* n_held of them, of wrappers */
    size_t n_held;
    const char *place; /* of its variables in the archive: "layers/conv2d_1" */
    ltap_keras_var *vars;
    size_t n_vars;
    bool trainable;
    bool is_operation; /* no layer: Keras keeps no weights for it */
    int64_t least_ref; /* the smallest number by which calls of a nested model are spoken of */
    int64_t last_end;  /* the largest number of a tensor that is used of what it hands out */
};

struct ltap_keras_net {
    const char *name;
    bool is_sequential;
    bool is_old;        /* Keras 2's way to write calls */
    ltap_vector layers; /* ltap_keras_layer */
    ltap_map by_name;
    const ltap_json *inputs, *outputs; /* as in the file */
};

typedef struct ltap_keras_weights {
    const uint8_t *bytes; /* of the file */
    uint64_t base;        /* where the HDF5 file begins in it */
    ltap_hdf5 *file;
    bool by_layer;   /* a legacy .h5: a group a layer, by its name */
    bool is_keras_2; /* functions of the same name that changed */
} ltap_keras_weights;

/* Reading a whole model. */
typedef struct ltap_keras_reader {
    ltap_keras_builder b;
    ltap_keras_weights weights;
    ltap_arena *arena; /* the graph's */
    ltap_memory *memory;
    ltap_vector nets;         /* ltap_keras_net *, to clear */
    bool has_first, has_last; /* layers that have channels so */
    ltap_error *error;
} ltap_keras_reader;

/* --- net.c: from JSON to layers. Messages name the layer. ------------------------------------- */
/* config: of a Functional or Sequential. */
ltap_status ltap_keras_net_read(ltap_keras_reader *r, const ltap_json *model, int depth,
                                ltap_keras_net **net);
bool ltap_keras_is_model(const ltap_json *model);
ltap_keras_layer *ltap_keras_net_find(const ltap_keras_net *net, const char *name);
bool ltap_keras_is_input(const ltap_keras_layer *layer);

/* --- applications.c: how pictures are prepared, where the model's name says so. ----------------
 */
ltap_status ltap_keras_tell_pictures(ltap_keras_reader *r, const ltap_keras_net *net);

/* --- weights.c -------------------------------------------------------------------------------- */
/* Finds every variable of every layer; what is not there stays NULL. */
ltap_status ltap_keras_weights_bind(ltap_keras_reader *r, ltap_keras_net *net);
/* A variable of the layer at hand as float32; rank -1: any. Refused where it is missing or of
 * another rank. holder: NULL: "". */
ltap_keras_tensor ltap_keras_weight(ltap_keras_call *c, const char *holder, const char *name,
                                    int rank);
bool ltap_keras_has(const ltap_keras_call *c, const char *holder, const char *name);
/* Refused unless it is a vector of `size`. */
ltap_keras_tensor ltap_keras_vector(ltap_keras_call *c, const char *name, int64_t size);

/* --- run.c: calls ------------------------------------------------------------------------------
 */
typedef struct ltap_keras_argument {
    const ltap_json *json; /* a constant, or a list; NULL: a tensor */
    ltap_keras_tensor tensor;
} ltap_keras_argument;

struct ltap_keras_call {
    ltap_keras_reader *r;
    ltap_keras_builder *b;
    ltap_keras_layer *layer;
    const ltap_json *config;
    const ltap_keras_tensor *inputs; /* all tensors among the arguments, in order */
    size_t n_inputs;
    ltap_keras_tensor *outputs; /* room for LTAP_KERAS_MAX_ENDS */
    size_t n_outputs;           /* 1 unless said */
    const ltap_keras_argument *args;
    size_t n_args;
    const ltap_json *kwargs; /* NULL or an object */
    void *running;           /* resolves tensors in kwargs */
    int depth;
};

/* Runs a net on tensors; outputs has room for LTAP_KERAS_MAX_ENDS. */
void ltap_keras_net_run(ltap_keras_reader *r, ltap_keras_net *net, const ltap_keras_tensor *inputs,
                        size_t n_inputs, ltap_keras_tensor *outputs, size_t *n_outputs, int depth);
/* Runs a held layer, inside the one at hand. */
ltap_keras_tensor ltap_keras_run_held(ltap_keras_call *c, ltap_keras_layer *layer,
                                      ltap_keras_tensor x);
/* Says that layertap cannot do this call: a node stands for it, and only what depends on that node
 * is refused. */
void ltap_keras_cannot(ltap_keras_call *c, const char *why);
/* Positional argument `place`, or the one of that name, or the configuration's; NULL json and rank
 * LTAP_KERAS_NO_ARGUMENT: there is none. */
#define LTAP_KERAS_NO_ARGUMENT (-2)
ltap_keras_argument ltap_keras_argument_get(ltap_keras_call *c, size_t place, const char *name);

/* --- config.c: keys of a configuration; null and missing are `otherwise`. ----------------------
 */
bool ltap_keras_bool(ltap_keras_call *c, const char *key, bool otherwise);
int64_t ltap_keras_int(ltap_keras_call *c, const char *key, int64_t otherwise);
double ltap_keras_number(ltap_keras_call *c, const char *key, double otherwise);
const char *ltap_keras_text(ltap_keras_call *c, const char *key, const char *otherwise);
/* A list of exactly `count`, or one number for all. */
void ltap_keras_list(ltap_keras_call *c, const char *key, int64_t otherwise, int64_t *list,
                     size_t count);
/* A list or one number: how many; more than `room` is an error. */
size_t ltap_keras_ints_of(ltap_keras_call *c, const ltap_json *json, const char *key, int64_t *list,
                          size_t room);
bool ltap_keras_is_number(const ltap_json *json, double *number);
bool ltap_keras_channels_first(ltap_keras_call *c);
const char *ltap_keras_text_of(const ltap_json *json, const char *otherwise);
bool ltap_keras_is(const char *a, const char *b);

/* --- rows.c ------------------------------------------------------------------------------------
 */
const ltap_keras_row *ltap_keras_row_find(const char *class_name);
const ltap_keras_row *ltap_keras_row_in(const ltap_keras_row *rows, size_t count,
                                        const char *class_name);
/* functions.c: operations, of keras.ops by class, of TensorFlow by function. */
const ltap_keras_row *ltap_keras_operation_find(const char *class_name);
const ltap_keras_row *ltap_keras_function_find(const char *function);
const ltap_keras_row *ltap_keras_slicing_row(void); /* SlicingOpLambda */

/* --- activations.c ------------------------------------------------------------------------------
 */
/* A name, or a serialized function or layer; null is linear. */
ltap_keras_tensor ltap_keras_activate(ltap_keras_call *c, const ltap_json *activation,
                                      ltap_keras_tensor x);
bool ltap_keras_is_linear(const ltap_json *activation);
/* The layer's own activation behind x; what is before it has a name of its own. `make` computes
 * what is before. */
void ltap_keras_finish(ltap_keras_call *c, ltap_keras_tensor (*make)(ltap_keras_call *c));

#endif
