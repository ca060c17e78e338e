/* What the commands' files hand to the table in main.c. */
#ifndef LTAP_CLI_COMMANDS_H
#define LTAP_CLI_COMMANDS_H

#include "cli/options.h"

int cli_layers_run(const cli_arguments *arguments);
int cli_extract_run(const cli_arguments *arguments);
int cli_bench_run(const cli_arguments *arguments);
int cli_diff_run(const cli_arguments *arguments);
int cli_prune_run(const cli_arguments *arguments);
int cli_convert_run(const cli_arguments *arguments);

#endif
