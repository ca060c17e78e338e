/* Sizes of a model's inputs: what the file fixes, what --input-shape says, else what is chosen. */
#ifndef LTAP_CLI_SIZES_H
#define LTAP_CLI_SIZES_H

#include "cli/options.h"
#include <layertap/model.h>

typedef struct cli_sizes {
    ltap_tensor *tensors; /* one per input of the model; data NULL */
    int chosen;           /* 1: some sizes were free, and are ours */
    int given;            /* 1: --input-shape was there */
} cli_sizes;

/* sizes: cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_sizes_choose(const cli_arguments *arguments, const ltap_model *model,
                                           cli_sizes *sizes, ltap_error *error);
void cli_sizes_clear(cli_sizes *sizes);

#endif
