/* layertap extract: a request, a getter, batches of inputs, features appended to an output. The
 * order of checks is that of cost: the command line, the names, the files' headers, the output's
 * place; only then is anything run. */
#include "cli/commands.h"
#include "cli/extract.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int has(const cli_extraction *x, const char *name)
{
    return cli_arguments_has(x->arguments, name);
}

/* --- what can be judged at once -------------------------------------------------------------- */

static ltap_status check_output(const cli_extraction *x, ltap_error *error)
{
    const char *path = cli_arguments_value(x->arguments, "output");
    if (path && !path[0])
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "-o wants a name: -o features.npz");
    int is_stdout = path && strcmp(path, "-") == 0;
    if (has(x, "stream") && has(x, "png"))
        return cli_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "--png makes pictures of whole features; it does not go with --stream");
    if (is_stdout && x->talk.json)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--json and -o - both want standard output; give -o a file");
    if (is_stdout && isatty(fileno(stdout)))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "-o - writes an .npz, and standard output is a terminal: give -o a "
                             "file, or send it on with '|' or '>'");
    if (has(x, "separate") && path && path[strlen(path) - 1] != '/' && !strstr(path, "{}"))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--separate writes a file per input: -o %s/, or a name with {} in it: "
                             "-o 'out/{}.npz'",
                             path);
    return LTAP_OK;
}

/* Standard input can be the model, the dictionary, or inputs; once. */
static ltap_status check_stdin(const cli_extraction *x, ltap_error *error)
{
    const cli_arguments *a = x->arguments;
    int model = a->n_operands > 0 && strcmp(a->operands[0], "-") == 0, inputs = 0, dictionaries = 0,
        patches = 0;
    for (size_t i = 1; i < a->n_operands; i++)
        inputs |= strcmp(a->operands[i], "-") == 0;
    for (size_t i = 0; i < a->n_given; i++) {
        const char *name = a->given[i].option->name, *value = a->given[i].value;
        size_t length = strlen(value);
        int is_stdin =
            length > 0 && value[length - 1] == '-' && (length == 1 || value[length - 2] == '=');
        inputs |= (strcmp(name, "input") == 0 || strcmp(name, "from") == 0) && is_stdin;
        patches += (strcmp(name, "patch") == 0 || strcmp(name, "set") == 0) && is_stdin;
        dictionaries += strcmp(name, "layers-from") == 0 && is_stdin;
    }
    if (model + inputs + dictionaries + patches > 1)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "standard input can be read once only; '-' stands for two things");
    return LTAP_OK;
}

/* --- getter ---------------------------------------------------------------------------------- */

static void tell_unsupported(const cli_extraction *x)
{
    const ltap_model_info *info = ltap_model_info_get(x->model.model);
    if (!info->unsupported[0])
        return;
    char names[512] = "";
    size_t n = ltap_getter_layers_count(x->getter);
    for (size_t i = 0; i < n && i < 4; i++) {
        cli_text_add(names, sizeof(names), "%s'%s'", i > 0 ? ", " : "",
                     ltap_getter_layers_at(x->getter, i)->layer);
    }
    cli_report_note(&x->talk,
                    "layertap: %s needs operators that layertap does not have: %s; %s%s %s not "
                    "depend on them, going on",
                    info->name, info->unsupported, names, n > 4 ? ", ..." : "",
                    n == 1 ? "does" : "do");
}

static ltap_status make_getter(cli_extraction *x, ltap_error *error)
{
    ltap_status status = cli_request_options(x->arguments, &x->options, error);
    if (status == LTAP_OK)
        status = cli_request_layout(x->arguments, &x->options, error);
    x->options.from = x->request.from;
    x->options.n_from = x->request.n_from;
    if (status == LTAP_OK)
        status = cli_model_open(x->arguments, &x->model, error);
    if (status == LTAP_OK && has(x, "all"))
        status = cli_request_add_all(&x->request, x->model.model, &x->talk, error);
    if (status == LTAP_OK)
        status = ltap_getter_new(x->model.model, x->request.layers, x->request.n_layers,
                                 &x->options, &x->getter, error);
    if (status != LTAP_OK)
        return status;
    tell_unsupported(x);
    for (size_t i = 0; i < ltap_getter_layers_count(x->getter) && !has(x, "all"); i++) {
        const ltap_getter_layer *layer = ltap_getter_layers_at(x->getter, i);
        if (layer->note[0])
            cli_report_note(&x->talk, "%s: %s", layer->layer, layer->note);
    }
    for (size_t i = 0; i < ltap_getter_starts_count(x->getter); i++) {
        const ltap_getter_layer *start = ltap_getter_starts_at(x->getter, i);
        if (start->note[0])
            cli_report_note(&x->talk, "%s: %s", start->layer, start->note);
    }
    x->load_seconds = cli_seconds() - x->began;
    return LTAP_OK;
}

/* --- inputs and outputs ---------------------------------------------------------------------- */

static ltap_status open_inputs(cli_extraction *x, ltap_error *error)
{
    long batch = 0;
    cli_inputs_options options = {.arguments = x->arguments,
                                  .talk = &x->talk,
                                  .batch_given = has(x, "batch"),
                                  .separate = has(x, "separate")};
    ltap_status status =
        cli_arguments_number(x->arguments, "batch", (const long[]){1, 1 << 20, 8}, &batch, error);
    if (status == LTAP_OK)
        status = cli_model_memory(x->arguments, &options.memory_limit, error);
    x->memory_limit = options.memory_limit;
    options.batch = batch;
    int only_plan = has(x, "dry-run") || has(x, "explain");
    int any = x->arguments->n_operands > 1 || has(x, "input") || has(x, "from");
    if (status != LTAP_OK || (only_plan && !any))
        return status;
    status = cli_inputs_open(&options, x->model.model, x->getter, &x->inputs, error);
    if (status == LTAP_OK)
        status = cli_stems_init(&x->stems, cli_inputs_lead(x->inputs), error);
    return status;
}

/* The suffix and the number of members are judged before anything is run. */
static ltap_status check_format(const cli_extraction *x, const char *path, ltap_error *error)
{
    size_t n = ltap_getter_layers_count(x->getter);
    ltap_writer_member *members = calloc(n + 1, sizeof(*members));
    if (!members)
        return cli_error_memory(error);
    for (size_t i = 0; i < n; i++)
        members[i] = (ltap_writer_member){ltap_getter_layers_at(x->getter, i)->name,
                                          {.dtype = LTAP_FLOAT32, .rank = 1, .dims = {1}}};
    const ltap_writer_options options = {0};
    uint64_t bytes = 0;
    ltap_status status = ltap_writer_estimate(path, members, n, &options, &bytes, error);
    free(members);
    return status;
}

static ltap_status open_output(cli_extraction *x, size_t index, ltap_error *error)
{
    const char *pattern = cli_arguments_value(x->arguments, "output");
    char *path = NULL;
    ltap_status status = LTAP_OK;
    if (pattern && has(x, "separate"))
        status = cli_stems_path(pattern, cli_stems_at(&x->stems, index), &path, error);
    else if (pattern && !(path = strdup(pattern)))
        status = cli_error_memory(error);
    if (status == LTAP_OK)
        status = cli_output_init(&x->outputs[index], path, has(x, "force"), x->getter, error);
    if (status == LTAP_OK && has(x, "stats"))
        status = cli_output_summarise(&x->outputs[index], error);
    int dry = has(x, "dry-run") || has(x, "explain");
    if (status == LTAP_OK && path && index == 0)
        status = check_format(x, path, error);
    if (status == LTAP_OK && path && !dry)
        status = cli_output_check_free(path, has(x, "force"), error);
    return status;
}

static ltap_status open_outputs(cli_extraction *x, ltap_error *error)
{
    size_t n = has(x, "separate") && x->stems.n_stems > 0 ? x->stems.n_stems : 1;
    const char *path = cli_arguments_value(x->arguments, "output");
    int dry = has(x, "dry-run") || has(x, "explain");
    ltap_status status = LTAP_OK;
    x->outputs = calloc(n, sizeof(*x->outputs));
    if (!x->outputs)
        return cli_error_memory(error);
    for (; status == LTAP_OK && x->n_outputs < n; x->n_outputs++)
        status = open_output(x, x->n_outputs, error);
    if (status == LTAP_OK && has(x, "separate") && path && path[strlen(path) - 1] == '/' && !dry)
        status = cli_folder_make(path, error);
    return status;
}

/* --- the loop -------------------------------------------------------------------------------- */

/* Where several forwards make one output: what to do about a feature that is no rows. */
static const char *find_cure(const cli_extraction *x, const cli_output *output,
                             const cli_batch *batch)
{
    const cli_feed *lead = cli_inputs_lead(x->inputs);
    int separate = has(x, "separate");
    int many_items = !separate && lead && lead->n_items > 1;
    int is_whole = !output->began && (separate ? batch->ends_item : batch->is_last);
    if (many_items)
        return "--separate writes a file per input";
    return is_whole ? NULL : "a larger --batch runs all rows at once";
}

/* Before a forward's features are taken: do they fit what was there before? */
static ltap_status prepare(cli_extraction *x, cli_output *output, const ltap_tensor *shapes,
                           const cli_batch *batch, ltap_error *error)
{
    int separate = has(x, "separate");
    const cli_feed *lead = cli_inputs_lead(x->inputs);
    const cli_item *item = lead ? &lead->items[batch->origins[0].item] : NULL;
    int64_t rows = cli_inputs_rows(x->inputs);
    if (separate)
        rows =
            item && item->kind != CLI_PICTURE && item->tensor.rank > 0 ? item->tensor.dims[0] : 1;
    const char *cure = find_cure(x, output, batch);
    ltap_status status = LTAP_OK;
    if (cure && !output->began && cli_inputs_free_batch(x->inputs) &&
        (output->path || !has(x, "stats")))
        status = cli_follow_check(x->model.model, x->getter, batch, cure, error);
    return status == LTAP_OK ? cli_output_prepare(output, shapes, batch, rows, cure, error)
                             : status;
}

static ltap_status keep(cli_extraction *x, cli_output *output, const ltap_features *features,
                        const cli_batch *batch, ltap_error *error)
{
    size_t n = ltap_features_count(features);
    ltap_tensor *shapes = calloc(n + 1, sizeof(*shapes));
    ltap_status status = shapes ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; shapes && i < n; i++)
        shapes[i] = ltap_features_at(features, i)->tensor;
    if (status == LTAP_OK)
        status = prepare(x, output, shapes, batch, error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++)
        status = cli_output_append(output, i, ltap_features_at(features, i), batch, error);
    if (status == LTAP_OK && x->pictures.folder)
        status = cli_pictures_add(&x->pictures, features, batch, error);
    free(shapes);
    return status;
}

static ltap_status run_whole(cli_extraction *x, cli_output *output, const cli_batch *batch,
                             ltap_error *error)
{
    ltap_features *features = NULL;
    double began = cli_seconds();
    ltap_status status = ltap_run_forward(x->run, batch->inputs, batch->n_inputs, &features, error);
    double ran = cli_seconds();
    x->forward_seconds += ran - began;
    if (status == LTAP_OK && !cli_interrupt_seen())
        status = keep(x, output, features, batch, error);
    x->write_seconds += cli_seconds() - ran;
    ltap_features_free(features);
    return status;
}

typedef struct stream {
    cli_extraction *x;
    cli_output *output;
    const cli_batch *batch;
} stream;

static ltap_status take_feature(void *user, size_t index, const ltap_feature *feature,
                                ltap_error *error)
{
    const stream *s = user;
    double began = cli_seconds();
    ltap_status status = LTAP_OK;
    if (!cli_interrupt_seen())
        status = cli_output_append(s->output, index, feature, s->batch, error);
    s->x->write_seconds += cli_seconds() - began;
    return status;
}

/* Each feature is appended as it comes; shapes are known before. */
static ltap_status run_stream(cli_extraction *x, cli_output *output, const cli_batch *batch,
                              ltap_error *error)
{
    stream s = {x, output, batch};
    const ltap_sink sink = {.take = take_feature, .user = &s};
    ltap_tensor *shapes = calloc(output->n_results + 1, sizeof(*shapes));
    double began = cli_seconds(), written = x->write_seconds;
    if (!shapes)
        return cli_error_memory(error);
    ltap_status status =
        ltap_getter_shapes(x->getter, batch->tensors, batch->n_inputs, shapes, error);
    if (status == LTAP_OK)
        status = prepare(x, output, shapes, batch, error);
    if (status == LTAP_OK)
        status = ltap_run_stream(x->run, batch->inputs, batch->n_inputs, &sink, error);
    x->forward_seconds += cli_seconds() - began - (x->write_seconds - written);
    free(shapes);
    return status;
}

static ltap_status run_batch(cli_extraction *x, const cli_batch *batch, ltap_error *error)
{
    int separate = has(x, "separate");
    cli_output *output = &x->outputs[separate ? batch->origins[0].item : 0];
    ltap_status status = cli_extract_settle(x, batch->tensors, batch->n_inputs, error);
    if (status == LTAP_OK && !x->fits)
        status = cli_extract_refuse(x, error);
    if (status == LTAP_OK)
        status =
            x->streams ? run_stream(x, output, batch, error) : run_whole(x, output, batch, error);
    if (status == LTAP_OK && (separate ? batch->ends_item : batch->is_last) &&
        !cli_interrupt_seen())
        status = cli_output_commit(output, error);
    return status;
}

/* With what --set and --patch change. */
static ltap_status make_run(cli_extraction *x, ltap_error *error)
{
    ltap_status status =
        cli_changes_patch(&x->changes, x->arguments, x->model.model, &x->options, error);
    if (status == LTAP_OK)
        status = ltap_run_new(x->getter, &x->run, error);
    if (status == LTAP_OK)
        status = cli_changes_apply(&x->changes, x->run, error);
    if (status == LTAP_OK)
        cli_changes_tell(&x->changes, &x->talk);
    return status;
}

static ltap_status run_all(cli_extraction *x, ltap_error *error)
{
    ltap_status status = make_run(x, error);
    if (status == LTAP_OK && has(x, "png"))
        status = cli_folder_make(cli_arguments_value(x->arguments, "png"), error);
    int64_t rows = 0;
    cli_batch batch = {0};
    x->pictures = (cli_pictures){.folder = cli_arguments_value(x->arguments, "png"),
                                 .force = has(x, "force"),
                                 .stems = &x->stems,
                                 .lead = cli_inputs_lead(x->inputs),
                                 .preprocess = cli_inputs_preprocess(x->inputs)};
    cli_progress_init(&x->progress, cli_inputs_rows(x->inputs), x->talk.quiet || x->talk.json);
    cli_interrupt_watch();
    while (status == LTAP_OK && !batch.is_last && !cli_interrupt_seen()) {
        status = cli_inputs_next(x->inputs, &batch, error);
        if (status == LTAP_OK && !cli_interrupt_seen())
            status = run_batch(x, &batch, error);
        rows += batch.rows;
        cli_progress_show(&x->progress, rows);
    }
    cli_progress_clear(&x->progress);
    return status;
}

static ltap_status extract(cli_extraction *x, ltap_error *error)
{
    ltap_status status = check_output(x, error);
    if (status == LTAP_OK)
        status = check_stdin(x, error);
    if (status == LTAP_OK)
        status = cli_request_read(x->arguments, &x->request, error);
    if (status == LTAP_OK)
        status = cli_changes_read(x->arguments, &x->changes, error);
    if (status == LTAP_OK)
        status = make_getter(x, error);
    if (status == LTAP_OK)
        status = open_inputs(x, error);
    if (status == LTAP_OK)
        status = open_outputs(x, error);
    if (status != LTAP_OK)
        return status;
    if (has(x, "dry-run") || has(x, "explain"))
        return cli_extract_plan(x, error);
    status = run_all(x, error);
    if (status == LTAP_OK && !cli_interrupt_seen())
        status = cli_extract_report(x, error);
    return status;
}

static void clear(cli_extraction *x)
{
    for (size_t i = 0; i < x->n_outputs; i++)
        cli_output_clear(&x->outputs[i]);
    free(x->outputs);
    ltap_run_free(x->run);
    cli_inputs_close(x->inputs);
    cli_stems_clear(&x->stems);
    ltap_getter_free(x->getter);
    cli_changes_clear(&x->changes);
    cli_request_clear(&x->request);
    cli_model_clear(&x->model);
}

int cli_extract_run(const cli_arguments *arguments)
{
    cli_extraction x = {.arguments = arguments, .began = cli_seconds()};
    x.talk = (cli_talk){
        .quiet = has(&x, "quiet"), .verbose = has(&x, "verbose"), .json = has(&x, "json")};
    ltap_error error;
    ltap_status status = extract(&x, &error);
    clear(&x);
    cli_interrupt_end();
    return status == LTAP_OK ? CLI_DONE : cli_report_error(&x.talk, &error);
}
