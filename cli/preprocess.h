/* Which preprocessing pictures get: what the command line says, else the model, else imagenet. */
#ifndef LTAP_CLI_PREPROCESS_H
#define LTAP_CLI_PREPROCESS_H

#include "cli/options.h"
#include <layertap/image.h>
#include <layertap/model.h>

/* port: the input that pictures go to. */
LTAP_MUST_USE ltap_status cli_preprocess_choose(const cli_arguments *arguments,
                                                const ltap_model *model, const ltap_port *port,
                                                ltap_preprocess *preprocess, ltap_error *error);

#endif
