/* Commands and their options: one table each, read by the parser, --help, the man page and the
 * completions alike. */
#ifndef LTAP_CLI_OPTIONS_H
#define LTAP_CLI_OPTIONS_H

#include <layertap/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct cli_option {
    const char *name;     /* without dashes */
    char letter;          /* 'r' for -r; 0: none */
    const char *argument; /* "LAYER[=NAME]"; NULL: a switch */
    const char *help;     /* a line */
    const char
        *complete;   /* "file", "folder", "layer", or words with spaces between; NULL: nothing */
    const char *row; /* --help: NULL: a line of its own; text: opens a line that the options after
                        it with row "" share */
} cli_option;

typedef struct cli_given {
    const cli_option *option;
    const char *value; /* "" for a switch */
} cli_given;

/* What was typed, borrowed from argv. */
typedef struct cli_arguments {
    const struct cli_command *command;
    cli_given *given; /* in the order typed */
    size_t n_given;
    const char **operands;
    size_t n_operands;
} cli_arguments;

typedef struct cli_command {
    const char *name;
    const char *operands;       /* "MODEL" */
    const char *summary;        /* a line */
    const char *const *details; /* for the man page: paragraphs, NULL behind the last; or NULL */
    const cli_option *options;
    size_t n_options;
    int (*run)(const cli_arguments *arguments); /* the exit status */
    bool hidden;
} cli_command;

/* The table of commands, in main.c. */
extern const cli_command cli_commands[];
extern const size_t cli_commands_count;

/* Options anywhere, "--name=value", "--name value", "-nvalue", "-n value", "-ab", "--" ends them,
 * "-" is an operand. arguments: cleared by cli_arguments_clear, after an error too. */
LTAP_MUST_USE ltap_status cli_arguments_parse(int argc, char **argv, const cli_command *command,
                                              cli_arguments *arguments, ltap_error *error);
void cli_arguments_clear(cli_arguments *arguments);

bool cli_arguments_has(const cli_arguments *arguments, const char *name);
/* The last value given; NULL where there is none. */
const char *cli_arguments_value(const cli_arguments *arguments, const char *name);
/* A whole number in [low, high]; `fallback` where the option is not given. */
LTAP_MUST_USE ltap_status cli_arguments_number(const cli_arguments *arguments, const char *name,
                                               const long range[3], long *number,
                                               ltap_error *error);

void cli_help_print(FILE *out, const cli_command *command);
void cli_help_overview(FILE *out);
void cli_man_print(FILE *out);
/* shell: "bash", "zsh", "fish". */
void cli_completion_print(FILE *out, const char *shell);

#endif
