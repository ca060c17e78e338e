/* One item as a tensor: decoded, drawn or mapped. */
#ifndef LTAP_CLI_STAGE_H
#define LTAP_CLI_STAGE_H

#include "cli/sources.h"
#include <layertap/image.h>

typedef struct cli_stage {
    ltap_tensor tensor; /* data: owned or arrays' */
    ltap_arrays *arrays;
    void *owned;
    int loaded;
} cli_stage;

typedef struct cli_stage_options {
    const cli_sources *sources;
    const ltap_preprocess *preprocess; /* of pictures */
    int exif;
    uint64_t memory_limit;
} cli_stage_options;

/* item: a picture's width and height are noted in it. stage: cleared by the caller. */
LTAP_MUST_USE ltap_status cli_stage_load(const cli_stage_options *options, const ltap_port *port,
                                         cli_item *item, cli_stage *stage, ltap_error *error);
void cli_stage_clear(cli_stage *stage);

/* malloc within the limit. */
LTAP_MUST_USE ltap_status cli_stage_allocate(uint64_t limit, uint64_t bytes, void **memory,
                                             ltap_error *error);

#endif
