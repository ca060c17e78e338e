/* One side of a comparison, a model or a file of features, as a list of named values. */
#ifndef LTAP_CLI_SIDE_H
#define LTAP_CLI_SIDE_H

#include "cli/model.h"
#include "cli/report.h"
#include <layertap/arrays.h>
#include <layertap/getter.h>

#define CLI_NOWHERE SIZE_MAX

/* A name, and what it names. Strings are the model's, the arrays', or the side's own. */
typedef struct cli_layer {
    const char *name;
    const char *type;   /* operator or class; "" in a file of features */
    const char *tensor; /* the file's own name of what it hands out */
    ltap_tensor shape;  /* dtype LTAP_UNDEFINED: not known; data: an array's */
    size_t parent;      /* the module it is in; CLI_NOWHERE */
    size_t value;       /* number among the values; CLI_NOWHERE: cannot be asked for */
    int is_node, is_path;
    int is_output;       /* of the model */
    ltap_status missing; /* why the other side has none: LTAP_ERROR_FOLDED_LAYER; or LTAP_OK */
    ltap_status refused; /* why it cannot be computed; or LTAP_OK */
} cli_layer;

/* One tensor, whatever its names; in the order of execution, or of the file. */
typedef struct cli_value {
    size_t layer; /* its innermost name: the operation, where that is listed */
    size_t order; /* place in the list of layers, times two */
    size_t pair;  /* the last pair that it is in; CLI_NOWHERE: it has no partner */
} cli_value;

typedef struct cli_key {
    const char *text;
    size_t at;
} cli_key;

typedef struct cli_side {
    const char *label;   /* as typed, or "standard input" */
    cli_model model;     /* model.model NULL: a file of features */
    ltap_arrays *arrays; /* NULL: a model */
    ltap_getter_options options;
    cli_layer *layers; /* those of the model or the file first, in their order */
    size_t n_layers, n_listed;
    cli_value *values;
    size_t n_values;
    cli_key *names;      /* of the listed layers, sorted */
    ltap_getter *all;    /* of all listed layers that can be computed; NULL: arrays */
    ltap_getter **asked; /* keep the strings of layers that were added */
    size_t n_asked;
} cli_side;

/* The first operand: a model, or .npz, .npy, .safetensors. side: zeroed, with options and the
 * model's limit set; cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_side_open(const cli_arguments *arguments, cli_side *side,
                                        ltap_error *error);
void cli_side_clear(cli_side *side);

/* Shapes of the listed layers for these inputs, by position. */
LTAP_MUST_USE ltap_status cli_side_shapes(cli_side *side, const ltap_tensor *inputs,
                                          size_t n_inputs, ltap_error *error);

/* A listed layer by name; CLI_NOWHERE. */
size_t cli_side_find(const cli_side *side, const char *name);

/* A selector's layers, as many as it chooses; each is added where it is not listed. layers: yours
 * to free. Errors are the selector's own. */
LTAP_MUST_USE ltap_status cli_side_ask(cli_side *side, const char *selector, size_t **layers,
                                       size_t *n_layers, ltap_error *error);

/* The value that a selector means; CLI_NOWHERE where it is none that is listed. why: the status. */
LTAP_MUST_USE ltap_status cli_side_resolve(const cli_side *side, const char *selector,
                                           size_t *value, ltap_status *why, ltap_error *error);

/* 1 when the dimensions are equal; types may differ. */
int cli_same_shape(const ltap_tensor *a, const ltap_tensor *b);

#endif
