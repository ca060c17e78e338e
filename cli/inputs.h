/* The inputs of a command line as batches, ready for a forward. */
#ifndef LTAP_CLI_INPUTS_H
#define LTAP_CLI_INPUTS_H

#include "cli/report.h"
#include "cli/sources.h"
#include <layertap/image.h>
#include <layertap/run.h>

typedef struct cli_inputs cli_inputs;

/* Where a row of a batch comes from. */
typedef struct cli_origin {
    size_t item; /* of the leading feed */
    int64_t row; /* of the item */
} cli_origin;

/* One forward. Tensors live until the next call of cli_inputs_next. */
typedef struct cli_batch {
    const ltap_input *inputs;
    const ltap_tensor *tensors; /* the same, by position, for estimates */
    size_t n_inputs;
    int64_t rows;   /* along axis 0, without filling */
    int64_t filled; /* rows that repeat the last one, for a model of fixed batch */
    const cli_origin *origins;
    size_t n_origins; /* parts that were put together; 0: there is nothing left */
    int is_last;
    int ends_item; /* 1: the next batch begins another item */
} cli_batch;

typedef struct cli_inputs_options {
    const cli_arguments *arguments;
    const cli_talk *talk;
    long batch; /* rows at a time */
    int batch_given;
    int separate; /* never two items in one batch */
    int fill;     /* random numbers where nothing is given */
    uint64_t memory_limit;
} cli_inputs_options;

/* options: borrowed until close. inputs: yours to close. */
LTAP_MUST_USE ltap_status cli_inputs_open(const cli_inputs_options *options,
                                          const ltap_model *model, const ltap_getter *getter,
                                          cli_inputs **inputs, ltap_error *error);
void cli_inputs_close(cli_inputs *inputs);

LTAP_MUST_USE ltap_status cli_inputs_next(cli_inputs *inputs, cli_batch *batch, ltap_error *error);

/* Back to the first batch. */
void cli_inputs_rewind(cli_inputs *inputs);

/* The feed whose items are counted, and after which outputs are named; NULL: none has any. */
const cli_feed *cli_inputs_lead(const cli_inputs *inputs);
const cli_feed *cli_inputs_feeds(const cli_inputs *inputs, size_t *n_feeds);
int64_t cli_inputs_rows(const cli_inputs *inputs); /* of all items together, along axis 0 */
/* 1 where the number of rows in a forward is ours to choose. */
int cli_inputs_free_batch(const cli_inputs *inputs);
/* The preprocessing of pictures; NULL where there are none. */
const ltap_preprocess *cli_inputs_preprocess(const cli_inputs *inputs);

#endif
