/* layertap diff A B: which layers of two networks, or of a network and a file of features, give the
 * same. This file judges the command line; matching is in match.c, running in diff_run.c, telling
 * in diff_report.c. */
#include "cli/commands.h"
#include "cli/diff.h"
#include <stdlib.h>
#include <string.h>

static ltap_status read_tolerance(cli_diff *diff, ltap_error *error)
{
    const char *text = cli_arguments_value(diff->arguments, "tolerance");
    char *end = NULL;
    diff->is_default = text == NULL;
    diff->tolerance = text ? strtod(text, &end) : 1e-4;
    if (text && (end == text || *end || !(diff->tolerance >= 0) || diff->tolerance > 1e30))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--tolerance is '%s'; it wants a part of the largest magnitude in B: "
                             "1e-4",
                             text);
    return LTAP_OK;
}

static ltap_status check_stdin(const cli_arguments *arguments, ltap_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments->n_operands; i++)
        count += strcmp(arguments->operands[i], "-") == 0;
    for (size_t i = 0; i < arguments->n_given; i++) {
        const char *name = arguments->given[i].option->name, *value = arguments->given[i].value;
        const char *equals = strrchr(value, '=');
        int is_stdin = strcmp(value, "-") == 0 || (equals && strcmp(equals, "=-") == 0);
        count += is_stdin && (strcmp(name, "input") == 0 || strcmp(name, "layers-from") == 0);
    }
    if (count > 1)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "standard input can be read once only; '-' stands for two things");
    return LTAP_OK;
}

static ltap_status read_command_line(cli_diff *diff, ltap_error *error)
{
    const cli_arguments *a = diff->arguments;
    if (a->n_operands < 2)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "which two? layertap diff A B, each a model or a file of features "
                             "(more: layertap diff --help)");
    ltap_status status = check_stdin(a, error);
    if (status == LTAP_OK)
        status = read_tolerance(diff, error);
    if (status == LTAP_OK &&
        (cli_arguments_has(a, "return") || cli_arguments_has(a, "layers-from")))
        status = cli_request_read(a, &diff->request, error);
    return status;
}

/* Files of features come from hooks, which keep the last call of a module. */
static ltap_status open_sides(cli_diff *diff, ltap_error *error)
{
    enum { MOST_FEATURES = 1 << 30 };
    ltap_getter_options options = {0};
    uint64_t limit = 0;
    diff->after = *diff->arguments;
    diff->after.operands++;
    diff->after.n_operands--;
    ltap_status status = cli_request_options(diff->arguments, &options, error);
    if (status == LTAP_OK)
        status = cli_model_memory(diff->arguments, &limit, error);
    diff->memory = limit / 8 < MOST_FEATURES ? limit / 8 : MOST_FEATURES;
    for (int side = 0; status == LTAP_OK && side < 2; side++) {
        diff->sides[side].options = options;
        diff->sides[side].model.limit = limit / 2;
        diff->sides[side].model.may_have_network = true;
        status =
            cli_side_open(side == 0 ? diff->arguments : &diff->after, &diff->sides[side], error);
    }
    if (status == LTAP_OK && cli_arguments_has(diff->arguments, "arch") &&
        !diff->sides[0].model.is_named && !diff->sides[1].model.is_named)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--arch names the network of a checkpoint; neither %s nor %s is one",
                             diff->sides[0].label, diff->sides[1].label);
    for (int side = 0; side < 2; side++) {
        if (diff->sides[!side].arrays && options.calls == LTAP_CALLS_REFUSE)
            diff->sides[side].options.calls = LTAP_CALLS_LAST;
    }
    return status;
}

static ltap_status match_layers(cli_diff *diff, ltap_error *error)
{
    diff->match.sides = diff->sides;
    ltap_status status = cli_match_layers(&diff->match, error);
    if (status == LTAP_OK && diff->request.n_layers > 0)
        status =
            cli_match_request(&diff->match, diff->request.layers, diff->request.n_layers, error);
    int chosen = 0;
    for (size_t i = 0; i < diff->match.n_pairs; i++)
        chosen |= diff->match.pairs[i].is_chosen;
    if (status == LTAP_OK && !chosen)
        return cli_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                             "none of %s of %s has a partner in %s; name them: -r LAYER=LAYER",
                             diff->request.n_layers > 0 ? "these layers" : "the layers",
                             diff->sides[0].label, diff->sides[1].label);
    return status;
}

static ltap_status compare(cli_diff *diff, int *different, ltap_error *error)
{
    cli_batch first;
    ltap_status status = read_command_line(diff, error);
    if (status == LTAP_OK)
        status = open_sides(diff, error);
    if (status == LTAP_OK)
        status = cli_diff_open_inputs(diff, &first, error);
    if (status == LTAP_OK)
        status = cli_diff_shapes(diff, &first, error);
    if (status == LTAP_OK)
        status = match_layers(diff, error);
    if (status == LTAP_OK)
        status = cli_diff_compare(diff, &first, error);
    if (status == LTAP_OK)
        status = cli_diff_report(diff, different, error);
    return status;
}

static void clear(cli_diff *diff)
{
    for (int side = 0; side < 2; side++) {
        free(diff->fed[side]);
        free(diff->feeds[side]);
    }
    free(diff->order);
    cli_inputs_close(diff->inputs);
    cli_match_clear(&diff->match);
    cli_request_clear(&diff->request);
    for (int side = 0; side < 2; side++)
        cli_side_clear(&diff->sides[side]);
}

int cli_diff_run(const cli_arguments *arguments)
{
    cli_diff diff = {.arguments = arguments, .lead = -1};
    diff.talk = (cli_talk){.quiet = cli_arguments_has(arguments, "quiet"),
                           .verbose = cli_arguments_has(arguments, "verbose"),
                           .json = cli_arguments_has(arguments, "json")};
    ltap_error error;
    int different = 0;
    ltap_status status = compare(&diff, &different, &error);
    clear(&diff);
    if (status != LTAP_OK)
        return cli_report_error(&diff.talk, &error);
    return different ? CLI_DIFFERENT : CLI_DONE;
}
