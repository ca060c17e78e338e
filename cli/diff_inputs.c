/* The same numbers for both sides. They are read for one model (where both are models, the one that
 * leaves fewer sizes free), and handed to the other by name, else by position. A file of features
 * may hold the inputs that they were made from, under the inputs' names. */
#include "cli/diff.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

static size_t count_free(const ltap_getter *getter)
{
    size_t count = 0;
    for (size_t i = 0; i < ltap_getter_inputs_count(getter); i++) {
        const ltap_port *port = ltap_getter_inputs_at(getter, i);
        count += port->rank < 0 ? LTAP_MAX_RANK : 0;
        for (int d = 0; d < port->rank; d++)
            count += port->dims[d].size < 0;
    }
    return count;
}

static int choose_lead(const cli_diff *diff)
{
    const ltap_getter *a = diff->sides[0].all, *b = diff->sides[1].all;
    if (!a || !b)
        return a ? 0 : b ? 1 : -1;
    return count_free(b) < count_free(a) ? 1 : 0;
}

static const ltap_getter *lead_getter(const cli_diff *diff)
{
    return diff->sides[diff->lead].all;
}

static int is_given(const cli_diff *diff)
{
    return diff->after.n_operands > 1 || cli_arguments_has(&diff->after, "input");
}

/* A file of features that holds the inputs, too, is read as an array of inputs. */
static ltap_status choose_source(cli_diff *diff, ltap_error *error)
{
    const cli_side *file = &diff->sides[!diff->lead];
    const char *missing = NULL;
    diff->after.operands = &diff->arguments->operands[1];
    diff->after.n_operands = diff->arguments->n_operands - 1;
    if (is_given(diff) || !file->arrays)
        return LTAP_OK;
    for (size_t i = 0; i < ltap_getter_inputs_count(lead_getter(diff)); i++) {
        const char *name = ltap_getter_inputs_at(lead_getter(diff), i)->name;
        missing = ltap_arrays_find(file->arrays, name) ? missing : name;
    }
    if (missing)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "which input are the features in %s of? Say it, as for extract: "
                             "cat.jpg, x.npy, --input %s=...; or keep it in the file as '%s'",
                             file->label, missing, missing);
    diff->operands[0] = diff->operands[1] = diff->arguments->operands[!diff->lead];
    diff->after.operands = diff->operands;
    diff->after.n_operands = 2;
    cli_report_note(&diff->talk, "inputs are taken from %s", file->label);
    return LTAP_OK;
}

static void tell_made_up(const cli_diff *diff)
{
    size_t n_feeds;
    const cli_feed *feeds = cli_inputs_feeds(diff->inputs, &n_feeds);
    for (size_t i = 0; i < n_feeds && !is_given(diff); i++) {
        const cli_item *item = &feeds[i].items[0];
        if (item->kind == CLI_RANDOM || item->kind == CLI_CONSTANT)
            cli_report_note(&diff->talk, "input '%s': %s, %s", feeds[i].port->name,
                            item->kind == CLI_RANDOM ? "random:0" : "zeros",
                            cli_text_tensor(&item->tensor).text);
    }
}

/* --- one side's inputs for the other --------------------------------------------------------- */

static size_t find_feed(const cli_diff *diff, const char *name)
{
    size_t n = ltap_getter_inputs_count(lead_getter(diff));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ltap_getter_inputs_at(lead_getter(diff), i)->name, name) == 0)
            return i;
    }
    return CLI_NOWHERE;
}

static size_t place_of(const ltap_model *model, const char *name)
{
    size_t i = 0;
    while (i < ltap_model_inputs_count(model) &&
           strcmp(ltap_model_inputs_at(model, i)->name, name) != 0)
        i++;
    return i;
}

static ltap_status map_side(cli_diff *diff, int side, ltap_error *error)
{
    const ltap_getter *getter = diff->sides[side].all;
    const ltap_model *lead = diff->sides[diff->lead].model.model;
    size_t n = ltap_getter_inputs_count(getter);
    diff->fed[side] = calloc(n + 1, sizeof(*diff->fed[side]));
    diff->feeds[side] = calloc(n + 1, sizeof(*diff->feeds[side]));
    if (!diff->fed[side] || !diff->feeds[side])
        return cli_error_memory(error);
    diff->n_fed[side] = n;
    for (size_t i = 0; i < n; i++) {
        const ltap_port *port = ltap_getter_inputs_at(getter, i);
        size_t feed = find_feed(diff, port->name);
        size_t place = place_of(diff->sides[side].model.model, port->name);
        if (feed == CLI_NOWHERE && place < ltap_model_inputs_count(lead))
            feed = find_feed(diff, ltap_model_inputs_at(lead, place)->name);
        if (feed == CLI_NOWHERE)
            return cli_error_set(error, LTAP_ERROR_INPUT,
                                 "the input '%s' of %s has no counterpart in %s", port->name,
                                 diff->sides[side].label, diff->sides[diff->lead].label);
        diff->fed[side][i].name = port->name;
        diff->feeds[side][i] = feed;
    }
    return LTAP_OK;
}

const ltap_input *cli_diff_feed(cli_diff *diff, int side, const cli_batch *batch)
{
    for (size_t i = 0; i < diff->n_fed[side]; i++)
        diff->fed[side][i].tensor = batch->tensors[diff->feeds[side][i]];
    return diff->fed[side];
}

ltap_status cli_diff_open_inputs(cli_diff *diff, cli_batch *first, ltap_error *error)
{
    long batch = 0;
    *first = (cli_batch){0};
    diff->lead = choose_lead(diff);
    if (diff->lead < 0 && is_given(diff))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "%s and %s are files of features; they take no input",
                             diff->sides[0].label, diff->sides[1].label);
    if (diff->lead < 0)
        return LTAP_OK;
    ltap_status status = choose_source(diff, error);
    cli_inputs_options options = {.arguments = &diff->after,
                                  .talk = &diff->talk,
                                  .batch_given = cli_arguments_has(&diff->after, "batch"),
                                  .fill = !diff->sides[!diff->lead].arrays && !is_given(diff)};
    if (status == LTAP_OK)
        status = cli_arguments_number(&diff->after, "batch", (const long[]){1, 1 << 20, 8}, &batch,
                                      error);
    if (status == LTAP_OK)
        status = cli_model_memory(diff->arguments, &options.memory_limit, error);
    options.batch = batch;
    const cli_side *lead = &diff->sides[diff->lead];
    if (status == LTAP_OK)
        status = cli_inputs_open(&options, lead->model.model, lead->all, &diff->inputs, error);
    for (int side = 0; status == LTAP_OK && side < 2; side++)
        status = diff->sides[side].all ? map_side(diff, side, error) : LTAP_OK;
    if (status == LTAP_OK)
        tell_made_up(diff);
    return status == LTAP_OK ? cli_inputs_next(diff->inputs, first, error) : status;
}

static ltap_status shape_side(cli_diff *diff, int side, const cli_batch *batch, ltap_error *error)
{
    const ltap_model *model = diff->sides[side].model.model;
    size_t n = ltap_model_inputs_count(model);
    ltap_tensor *tensors = calloc(n + 1, sizeof(*tensors));
    if (!tensors)
        return cli_error_memory(error);
    const ltap_input *fed = cli_diff_feed(diff, side, batch);
    for (size_t i = 0; i < n; i++) {
        const ltap_port *port = ltap_model_inputs_at(model, i);
        int complete;
        cli_model_choose(model, port, &tensors[i], &complete);
        for (size_t k = 0; k < diff->n_fed[side]; k++) {
            if (strcmp(fed[k].name, port->name) == 0)
                tensors[i] = fed[k].tensor;
        }
    }
    ltap_error ignored; /* without shapes, types of operators are left to match by */
    ltap_status status = cli_side_shapes(&diff->sides[side], tensors, n, &ignored);
    free(tensors);
    return status == LTAP_ERROR_MEMORY ? cli_error_memory(error) : LTAP_OK;
}

ltap_status cli_diff_shapes(cli_diff *diff, const cli_batch *batch, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (int side = 0; status == LTAP_OK && side < 2; side++)
        status = diff->sides[side].all ? shape_side(diff, side, batch, error) : LTAP_OK;
    return status;
}
