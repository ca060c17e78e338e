/* What the tool says besides its answer: errors, notes; and how it ends. */
#ifndef LTAP_CLI_REPORT_H
#define LTAP_CLI_REPORT_H

#include <layertap/error.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_MISUSED = 2, CLI_DIFFERENT = 3 };

/* How talkative a command is. */
typedef struct cli_talk {
    bool quiet, verbose, json;
} cli_talk;

/* Sets the error and returns its code. */
LTAP_MUST_USE ltap_status cli_error_set(ltap_error *error, ltap_status code, const char *format,
                                        ...) LTAP_PRINTF(3, 4);
LTAP_MUST_USE ltap_status cli_error_memory(ltap_error *error);
/* Puts "what: " before the message. */
void cli_error_prefix(ltap_error *error, const char *what);

/* What the system says of an errno, in lower case as all messages are. Lives until the next call of
 * the same thread. */
const char *cli_error_system(int number);

/* "layertap: message" on standard error, and with --json the document {"error": ...} on standard
 * output; gives the exit status. */
int cli_report_error(const cli_talk *talk, const ltap_error *error);
/* A line on standard error, unless quiet. */
void cli_report_note(const cli_talk *talk, const char *format, ...) LTAP_PRINTF(2, 3);

/* printf on standard output, control characters replaced but for the line's end. */
void cli_report_print(const char *format, ...) LTAP_PRINTF(1, 2);

/* Colours: only on a terminal, and not with NO_COLOR. */
bool cli_report_colours(FILE *out);

/* Flushes standard output; LTAP_ERROR_FILE when what was printed did not all arrive. */
LTAP_MUST_USE ltap_status cli_report_flush(ltap_error *error);

#endif
