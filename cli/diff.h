/* One comparison from beginning to end, shared by the command, the runs and the report. */
#ifndef LTAP_CLI_DIFF_H
#define LTAP_CLI_DIFF_H

#include "cli/inputs.h"
#include "cli/match.h"
#include "cli/progress.h"
#include "cli/request.h"

typedef struct cli_diff {
    const cli_arguments *arguments;
    cli_arguments after; /* the same, less A: B and the inputs */
    const char *operands[2];
    cli_talk talk;
    double tolerance;
    int is_default; /* the tolerance: coarse types are allowed their rounding */
    cli_side sides[2];
    cli_match match;
    cli_request request;
    int lead; /* the side whose inputs are read; -1: two files */
    cli_inputs *inputs;
    ltap_input *fed[2]; /* the other side's inputs, by name */
    size_t *feeds[2];   /* which of the leading side's each is */
    size_t n_fed[2];
    uint64_t memory; /* features of one side held at once */
    size_t *order;   /* chosen pairs, in the order of execution */
    size_t n_order, n_groups;
    cli_progress progress;
} cli_diff;

/* Opens the inputs, for both sides the same. first: the first batch. */
LTAP_MUST_USE ltap_status cli_diff_open_inputs(cli_diff *diff, cli_batch *first, ltap_error *error);
/* The shapes of both sides' layers for a batch. */
LTAP_MUST_USE ltap_status cli_diff_shapes(cli_diff *diff, const cli_batch *batch,
                                          ltap_error *error);
/* A side's inputs for a batch. */
const ltap_input *cli_diff_feed(cli_diff *diff, int side, const cli_batch *batch);

/* Runs and compares all chosen pairs. first: the first batch, already read. */
LTAP_MUST_USE ltap_status cli_diff_compare(cli_diff *diff, cli_batch *first, ltap_error *error);

/* The table, or the document; different: 1 when any pair differs. */
LTAP_MUST_USE ltap_status cli_diff_report(const cli_diff *diff, int *different, ltap_error *error);

/* The tolerance for a pair. */
double cli_diff_tolerance(const cli_diff *diff, const cli_pair *pair);

static inline const cli_layer *cli_diff_layer(const cli_diff *diff, const cli_pair *pair, int side)
{
    return &diff->sides[side].layers[pair->layer[side]];
}

#endif
