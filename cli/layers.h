/* What the files of "layertap layers" share. */
#ifndef LTAP_CLI_LAYERS_H
#define LTAP_CLI_LAYERS_H

#include "cli/model.h"
#include "cli/report.h"
#include "cli/sizes.h"

typedef struct cli_layers {
    const cli_arguments *arguments;
    cli_talk talk;
    cli_model model;
    cli_sizes sizes;
    ltap_shapes *shapes; /* NULL: they cannot be told */
    size_t *rows;        /* lines of the model's list that are shown, in order */
    size_t n_rows;
} cli_layers;

/* Which lines, by the patterns, --depth and --sort. */
LTAP_MUST_USE ltap_status cli_layers_choose(cli_layers *list, ltap_error *error);
void cli_layers_print_head(const cli_layers *list);
/* Every tensor of the file: --flat. */
LTAP_MUST_USE ltap_status cli_layers_flat(const cli_layers *list, ltap_error *error);
/* What runs in bodies: --inside; how much there is. */
LTAP_MUST_USE ltap_status cli_layers_inside(const cli_layers *list, ltap_error *error);
size_t cli_layers_count_inside(const cli_layers *list);
/* What a checkpoint holds whose network is not built. */
LTAP_MUST_USE ltap_status cli_layers_weights(const cli_layers *list, ltap_error *error);
/* How one name is understood: --why. */
LTAP_MUST_USE ltap_status cli_layers_why(const cli_layers *list, const char *layer,
                                         ltap_error *error);

#endif
