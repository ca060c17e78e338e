/* One line of progress on a terminal: after a second, with rate and time left. */
#ifndef LTAP_CLI_PROGRESS_H
#define LTAP_CLI_PROGRESS_H

#include <stdint.h>

typedef struct cli_progress {
    double began, shown; /* seconds; shown 0: nothing is on the line */
    int64_t total;
    int active;
} cli_progress;

double cli_seconds(void);
/* quiet: never show anything. */
void cli_progress_init(cli_progress *progress, int64_t total, int quiet);
void cli_progress_show(cli_progress *progress, int64_t done);
/* Wipes the line, so that others may speak. */
void cli_progress_clear(cli_progress *progress);

#endif
