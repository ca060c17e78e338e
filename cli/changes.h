/* Changes to inner layers from the command line: --set and --patch, as interventions. */
#ifndef LTAP_CLI_CHANGES_H
#define LTAP_CLI_CHANGES_H

#include "cli/options.h"
#include "cli/report.h"
#include <layertap/arrays.h>
#include <layertap/intervene.h>

typedef struct cli_change {
    char *layer;      /* with its part */
    const char *what; /* as typed: "zero", "x.npy", "cat.jpg" */
    int is_patch;     /* what: an input, from which the layer's value is taken */
    ltap_intervention intervention;
    ltap_arrays *arrays;     /* of a file */
    ltap_features *features; /* of a patch; its first is the value */
} cli_change;

typedef struct cli_changes {
    cli_change *items; /* in the order typed */
    size_t n_items;
    uint64_t held_bytes; /* of the patches' values, where they were only planned */
    uint64_t peak_bytes; /* that the runs for the patches take, one after the other */
} cli_changes;

/* Reads --set and --patch, and the files of --set. changes: cleared by the caller, after an error
 * too. */
LTAP_MUST_USE ltap_status cli_changes_read(const cli_arguments *arguments, cli_changes *changes,
                                           ltap_error *error);
void cli_changes_clear(cli_changes *changes);

/* Runs the network on each patch's input for the layer's value. */
LTAP_MUST_USE ltap_status cli_changes_patch(cli_changes *changes, const cli_arguments *arguments,
                                            const ltap_model *model,
                                            const ltap_getter_options *options, ltap_error *error);
/* The same without running it: held_bytes and peak_bytes; the layers are then set to zero. */
LTAP_MUST_USE ltap_status cli_changes_plan(cli_changes *changes, const cli_arguments *arguments,
                                           const ltap_model *model,
                                           const ltap_getter_options *options, ltap_error *error);
/* Adds all to a run, in the order typed, which copies the values: they are let go. */
LTAP_MUST_USE ltap_status cli_changes_apply(cli_changes *changes, ltap_run *run, ltap_error *error);
/* "set layer3[:,17] to zero": a line of talk each. */
void cli_changes_tell(const cli_changes *changes, const cli_talk *talk);

#endif
