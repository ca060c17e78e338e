/* The request of a command line: -r, --layers-from and --all as a list of return layers. */
#ifndef LTAP_CLI_REQUEST_H
#define LTAP_CLI_REQUEST_H

#include "cli/options.h"
#include "cli/report.h"
#include <layertap/getter.h>

typedef struct cli_request {
    ltap_return_layer *layers;
    size_t n_layers;
    size_t n_typed; /* the first of them; the others come from --all */
    size_t room;
    ltap_return_layer *from; /* --from: layers to start at, and the names of the inputs */
    size_t n_from;
} cli_request;

/* In the order typed. What can be judged without the model is judged here. request: cleared by the
 * caller, after an error too. */
LTAP_MUST_USE ltap_status cli_request_read(const cli_arguments *arguments, cli_request *request,
                                           ltap_error *error);
/* With --all: every layer of the model that has a value of its own; the others are left out with a
 * note. */
LTAP_MUST_USE ltap_status cli_request_add_all(cli_request *request, const ltap_model *model,
                                              const cli_talk *talk, ltap_error *error);
/* All outputs of the model, under their names. */
LTAP_MUST_USE ltap_status cli_request_add_outputs(cli_request *request, const ltap_model *model,
                                                  int literal, ltap_error *error);
/* --calls alone. */
LTAP_MUST_USE ltap_status cli_request_calls(const cli_arguments *arguments, ltap_calls *calls,
                                            ltap_error *error);
/* --calls, --threads, --exact, --precision, --backend, --low-memory. options: zeroed by the caller.
 */
LTAP_MUST_USE ltap_status cli_request_options(const cli_arguments *arguments,
                                              ltap_getter_options *options, ltap_error *error);
/* --layout alone. */
LTAP_MUST_USE ltap_status cli_request_layout(const cli_arguments *arguments,
                                             ltap_getter_options *options, ltap_error *error);
void cli_request_clear(cli_request *request);

#endif
