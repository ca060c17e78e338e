/* --png: the picture as the network sees it, grids of channels, classes in colour. */
#ifndef LTAP_CLI_PICTURES_H
#define LTAP_CLI_PICTURES_H

#include "cli/inputs.h"
#include "cli/stems.h"

typedef struct cli_pictures {
    const char *folder;
    int force;
    const cli_stems *stems;
    const cli_feed *lead;
    const ltap_preprocess *preprocess; /* NULL: the inputs are no pictures */
    size_t n_written;
} cli_pictures;

LTAP_MUST_USE ltap_status cli_pictures_add(cli_pictures *pictures, const ltap_features *features,
                                           const cli_batch *batch, ltap_error *error);

#endif
