/* Opening the model that a command line names, and choosing sizes that it leaves free. */
#ifndef LTAP_CLI_MODEL_H
#define LTAP_CLI_MODEL_H

#include "cli/options.h"
#include <layertap/model.h>
#include <stdbool.h>

typedef struct cli_model {
    ltap_model *model;
    void *bytes; /* of standard input, where it was read; NULL */
    size_t size;
    uint64_t limit;        /* of memory; 0: that of --memory */
    bool may_be_weights;   /* a checkpoint whose network is not built is wanted, too */
    bool may_have_network; /* --arch is for other models on the line, too */
    bool is_named;         /* --arch is for this one: another network than it says is an error */
} cli_model;

/* The first operand, with --memory, --external-dir and --arch. model: zeroed, or with standard
 * input in it; cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_model_open(const cli_arguments *arguments, cli_model *model,
                                         ltap_error *error);
void cli_model_clear(cli_model *model);

/* The limit of --memory, or the library's own. */
LTAP_MUST_USE ltap_status cli_model_memory(const cli_arguments *arguments, uint64_t *limit,
                                           ltap_error *error);

/* Free sizes chosen for one picture: batch 1, channels 3, height and width as the model's own
 * preprocessing makes them of a square picture, else 224. complete: 0 where other sizes are free;
 * they are taken as 1. Returns 1 when any size was chosen. */
int cli_model_choose(const ltap_model *model, const ltap_port *port, ltap_tensor *tensor,
                     int *complete);

/* 1 when colour pictures go to the port: channels first or, as Keras has it, last. */
int cli_model_is_colour(const ltap_port *port);
int cli_model_is_channels_last(const ltap_port *port);

/* 1 when the port's first axis is a batch: of pictures, or called "batch" or "N". */
int cli_model_is_batch(const ltap_port *port);

/* 1 when the tensor's type and shape are what the port allows. */
int cli_model_allows(const ltap_port *port, const ltap_tensor *tensor);

/* All of standard input. bytes: yours to free. */
LTAP_MUST_USE ltap_status cli_stdin_read(void **bytes, size_t *size, ltap_error *error);

#endif
