/* Names of output files after inputs: cat.jpg gives "cat", the second of that name "cat-2". */
#ifndef LTAP_CLI_STEMS_H
#define LTAP_CLI_STEMS_H

#include "cli/sources.h"

typedef struct cli_stems {
    char **stems; /* one per item */
    size_t n_stems;
} cli_stems;

/* feed: may be NULL. stems: cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_stems_init(cli_stems *stems, const cli_feed *feed, ltap_error *error);
void cli_stems_clear(cli_stems *stems);
const char *cli_stems_at(const cli_stems *stems, size_t item);

/* "DIR/" with what comes after it, or pattern with "{}" replaced. path: yours to free. */
LTAP_MUST_USE ltap_status cli_stems_path(const char *pattern, const char *stem, char **path,
                                         ltap_error *error);

/* Makes a folder unless it is there. */
LTAP_MUST_USE ltap_status cli_folder_make(const char *path, ltap_error *error);

#endif
