/* One output: features of one or many forwards, appended, counted, written. */
#ifndef LTAP_CLI_OUTPUT_H
#define LTAP_CLI_OUTPUT_H

#include "cli/inputs.h"
#include <layertap/summary.h>
#include <layertap/writer.h>

/* A feature as it will be written. Strings are the getter's. */
typedef struct cli_result {
    const ltap_getter_layer *layer;
    ltap_tensor tensor;    /* type and full shape */
    ltap_stats stats;      /* of all rows so far */
    ltap_summary *summary; /* the same and more; NULL: not asked for */
} cli_result;

typedef struct cli_output {
    char *path; /* NULL: nothing is written */
    int force;
    ltap_writer *writer;
    cli_result *results;
    size_t n_results;
    int began, summarises;
    uint64_t bytes; /* written */
} cli_output;

/* path: taken; may be NULL. output: cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_output_init(cli_output *output, char *path, int force,
                                          const ltap_getter *getter, ltap_error *error);
void cli_output_clear(cli_output *output);

/* Facts of every result are gathered from here on; what is only told, not written, may then be of
 * any sizes. */
LTAP_MUST_USE ltap_status cli_output_summarise(cli_output *output, ltap_error *error);

/* Before what a forward gives is appended: its shapes, one a result. rows: of all forwards
 * together, along axis 0. cure: NULL where this forward is all there is; else axis 0 of each
 * feature must follow the batch, and this is the advice where it does not. */
LTAP_MUST_USE ltap_status cli_output_prepare(cli_output *output, const ltap_tensor *shapes,
                                             const cli_batch *batch, int64_t rows, const char *cure,
                                             ltap_error *error);
/* What a forward gave for one result. */
LTAP_MUST_USE ltap_status cli_output_append(cli_output *output, size_t index,
                                            const ltap_feature *feature, const cli_batch *batch,
                                            ltap_error *error);
LTAP_MUST_USE ltap_status cli_output_commit(cli_output *output, ltap_error *error);

/* LTAP_ERROR_EXISTS when a file is at path. */
LTAP_MUST_USE ltap_status cli_output_check_free(const char *path, int force, ltap_error *error);

#endif
