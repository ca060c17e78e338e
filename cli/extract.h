/* One extraction from beginning to end, shared by the command and its report. */
#ifndef LTAP_CLI_EXTRACT_H
#define LTAP_CLI_EXTRACT_H

#include "cli/changes.h"
#include "cli/inputs.h"
#include "cli/model.h"
#include "cli/output.h"
#include "cli/pictures.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/request.h"
#include "cli/stems.h"

typedef struct cli_extraction {
    const cli_arguments *arguments;
    cli_talk talk;
    cli_model model;
    cli_request request;
    cli_changes changes;
    ltap_getter_options options;
    ltap_getter *getter;
    cli_inputs *inputs; /* NULL where only a plan is asked for, and sizes were chosen */
    ltap_run *run;
    cli_stems stems;
    cli_pictures pictures;
    cli_progress progress;
    cli_output *outputs; /* one, or with --separate one per item */
    size_t n_outputs;
    ltap_estimate estimate; /* of the last batch whose shapes were new; --dry-run */
    uint64_t memory_limit;
    int streams; /* features are written as they are made, and none is kept */
    int fits;    /* what is estimated, in the limit */
    uint64_t estimated_bytes;
    double began, load_seconds, forward_seconds, write_seconds;
} cli_extraction;

/* The table, or the document; then what was written and what was not needed. */
LTAP_MUST_USE ltap_status cli_extract_report(const cli_extraction *extraction, ltap_error *error);
/* The same for --dry-run: shapes and costs. */
LTAP_MUST_USE ltap_status cli_extract_report_plan(const cli_extraction *extraction,
                                                  ltap_error *error);

/* Whether a forward of these shapes fits in the limit: as it is asked for, or streamed, which is
 * then noted. Sets estimate, streams and fits. */
LTAP_MUST_USE ltap_status cli_extract_settle(cli_extraction *extraction, const ltap_tensor *tensors,
                                             size_t n_tensors, ltap_error *error);
/* Why not. */
ltap_status cli_extract_refuse(const cli_extraction *extraction, ltap_error *error);

/* --dry-run and --explain. */
LTAP_MUST_USE ltap_status cli_extract_plan(cli_extraction *extraction, ltap_error *error);

#endif
