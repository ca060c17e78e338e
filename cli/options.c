/* Reading a command line by a table of options, the way getopt_long does it: options anywhere,
 * values joined or apart, switches bundled. An option that is not in the table is answered with
 * the nearest one that is. What the options mean is the commands' business. */
#include "cli/options.h"
#include "cli/names.h"
#include "cli/report.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct cursor {
    int argc, next;
    char **argv;
    cli_arguments *arguments;
} cursor;

static const cli_option *find_long(const cli_command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const cli_option *option = &command->options[i];
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static const cli_option *find_letter(const cli_command *command, char letter)
{
    for (size_t i = 0; i < command->n_options; i++) {
        if (command->options[i].letter == letter && letter != 0)
            return &command->options[i];
    }
    return NULL;
}

static void give(cli_arguments *arguments, const cli_option *option, const char *value)
{
    arguments->given[arguments->n_given++] = (cli_given){option, value};
}

static ltap_status unknown(const cli_command *command, const char *typed, size_t length,
                           ltap_error *error)
{
    cli_nearest nearest;
    cli_nearest_init(&nearest, typed, length);
    for (size_t i = 0; i < command->n_options; i++)
        cli_nearest_offer(&nearest, command->options[i].name);
    if (nearest.best)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "no option '--%.*s'; nearest: --%s (all: layertap %s --help)",
                             (int)length, typed, nearest.best, command->name);
    return cli_error_set(error, LTAP_ERROR_ARGUMENT, "no option '--%.*s' (all: layertap %s --help)",
                         (int)length, typed, command->name);
}

static ltap_status read_long(cursor *at, const char *typed, ltap_error *error)
{
    const cli_command *command = at->arguments->command;
    const char *equals = strchr(typed, '=');
    size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
    const cli_option *option = find_long(command, typed, length);
    if (!option)
        return unknown(command, typed, length, error);
    if (!option->argument && equals)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--%s takes no value", option->name);
    if (!option->argument) {
        give(at->arguments, option, "");
        return LTAP_OK;
    }
    if (!equals && at->next >= at->argc)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--%s wants a value: --%s %s",
                             option->name, option->name, option->argument);
    give(at->arguments, option, equals ? equals + 1 : at->argv[at->next++]);
    return LTAP_OK;
}

static ltap_status read_letters(cursor *at, const char *letters, ltap_error *error)
{
    const cli_command *command = at->arguments->command;
    for (const char *letter = letters; *letter; letter++) {
        const cli_option *option = find_letter(command, *letter);
        if (!option)
            return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                                 "no option '-%c' (all: layertap %s --help)", *letter,
                                 command->name);
        if (!option->argument) {
            give(at->arguments, option, "");
            continue;
        }
        if (letter[1] == 0 && at->next >= at->argc)
            return cli_error_set(error, LTAP_ERROR_ARGUMENT, "-%c wants a value: -%c %s", *letter,
                                 *letter, option->argument);
        give(at->arguments, option, letter[1] ? letter + 1 : at->argv[at->next++]);
        break;
    }
    return LTAP_OK;
}

ltap_status cli_arguments_parse(int argc, char **argv, const cli_command *command,
                                cli_arguments *arguments, ltap_error *error)
{
    *arguments = (cli_arguments){.command = command};
    size_t room = 1;
    for (int i = 0; i < argc; i++)
        room += strlen(argv[i]) + 1; /* "-abc" holds up to three options */
    arguments->given = calloc(room, sizeof(*arguments->given));
    arguments->operands = calloc((size_t)argc + 1, sizeof(*arguments->operands));
    if (!arguments->given || !arguments->operands)
        return cli_error_memory(error);
    cursor at = {argc, 0, argv, arguments};
    bool ended = false;
    while (at.next < argc) {
        const char *word = argv[at.next++];
        ltap_status status = LTAP_OK;
        if (ended || word[0] != '-' || word[1] == 0)
            arguments->operands[arguments->n_operands++] = word;
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            status = read_long(&at, word + 2, error);
        else
            status = read_letters(&at, word + 1, error);
        if (status != LTAP_OK)
            return status;
    }
    return LTAP_OK;
}

void cli_arguments_clear(cli_arguments *arguments)
{
    free(arguments->given);
    free(arguments->operands);
    *arguments = (cli_arguments){0};
}

const char *cli_arguments_value(const cli_arguments *arguments, const char *name)
{
    assert(find_long(arguments->command, name, strlen(name)));
    for (size_t i = arguments->n_given; i > 0; i--) {
        if (strcmp(arguments->given[i - 1].option->name, name) == 0)
            return arguments->given[i - 1].value;
    }
    return NULL;
}

bool cli_arguments_has(const cli_arguments *arguments, const char *name)
{
    return cli_arguments_value(arguments, name) != NULL;
}

ltap_status cli_arguments_number(const cli_arguments *arguments, const char *name,
                                 const long range[3], long *number, ltap_error *error)
{
    *number = range[2];
    const char *text = cli_arguments_value(arguments, name);
    if (!text)
        return LTAP_OK;
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || value < range[0] || value > range[1])
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--%s is '%s'; it wants a whole number from %ld to %ld", name, text,
                             range[0], range[1]);
    *number = value;
    return LTAP_OK;
}
