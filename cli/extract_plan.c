/* --dry-run and --explain: the plan of the first batch, without running it. Where no input is
 * given, sizes are chosen as for "layertap layers". */
#include "cli/extract.h"
#include "cli/json.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

/* --- memory ---------------------------------------------------------------------------------- */

static int has(const cli_extraction *x, const char *name)
{
    return cli_arguments_has(x->arguments, name);
}

/* "--memory 512M", or what holds without it. */
static const char *limit_text(const cli_extraction *x, char *text, size_t size)
{
    const char *given = cli_arguments_value(x->arguments, "memory");
    text[0] = 0;
    if (given)
        cli_text_add(text, size, "--memory %s", given);
    else
        cli_text_add(text, size, "%s, 80 %% of what there is",
                     cli_text_bytes(x->memory_limit).text);
    return text;
}

static void note_streaming(const cli_extraction *x)
{
    char limit[128];
    cli_report_note(&x->talk,
                    "the features take %s together, more than %s holds: each is written as it is "
                    "made, and none is kept (--stream)",
                    cli_text_bytes(x->estimate.features_bytes).text,
                    limit_text(x, limit, sizeof(limit)));
}

static uint64_t at_least(uint64_t bytes, uint64_t least)
{
    return bytes > least ? bytes : least;
}

/* Values of patches that were not run are no part of a run yet; their runs come before it. */
static void add_patches(cli_extraction *x)
{
    ltap_estimate *e = &x->estimate;
    uint64_t held = x->changes.held_bytes, peak = x->changes.peak_bytes;
    e->scratch_bytes += held;
    uint64_t total = at_least(e->total_bytes + held, peak);
    e->besides_bytes += total - e->total_bytes - held;
    e->total_bytes = total;
    e->stream_bytes = at_least(e->stream_bytes + held, peak);
}

/* --all asks for more than there may be room for; pictures are made of whole features. */
ltap_status cli_extract_settle(cli_extraction *x, const ltap_tensor *tensors, size_t n_tensors,
                               ltap_error *error)
{
    ltap_status status =
        x->run ? ltap_run_estimate(x->run, tensors, n_tensors, &x->estimate, error)
               : ltap_getter_estimate(x->getter, tensors, n_tensors, &x->estimate, error);
    if (status != LTAP_OK)
        return status;
    add_patches(x);
    int may = !has(x, "png"), was = x->streams;
    x->streams = was || (may && (has(x, "stream") || has(x, "stats") || has(x, "all")));
    if (!x->streams && may && x->estimate.total_bytes > x->memory_limit &&
        x->estimate.stream_bytes <= x->memory_limit) {
        x->streams = 1;
        note_streaming(x);
    }
    x->fits = (x->streams ? x->estimate.stream_bytes : x->estimate.total_bytes) <= x->memory_limit;
    return LTAP_OK;
}

ltap_status cli_extract_refuse(const cli_extraction *x, ltap_error *error)
{
    const ltap_estimate *e = &x->estimate;
    char limit[128], streamed[64] = "";
    if (!x->streams)
        cli_text_add(streamed, sizeof(streamed), " (%s streamed)",
                     cli_text_bytes(e->stream_bytes).text);
    return cli_error_set(
        error, LTAP_ERROR_MEMORY,
        "this takes %s%s, more than %s; raise the limit, or ask for less (a smaller --batch or "
        "input, fewer layers%s)",
        cli_text_bytes(x->streams ? e->stream_bytes : e->total_bytes).text, streamed,
        limit_text(x, limit, sizeof(limit)),
        !x->streams && e->stream_bytes <= x->memory_limit ? ", no --png" : "");
}

/* --- the plan -------------------------------------------------------------------------------- */

static ltap_status choose_tensors(cli_extraction *x, ltap_tensor *tensors, ltap_error *error)
{
    for (size_t i = 0; i < ltap_getter_inputs_count(x->getter); i++) {
        const ltap_port *port = ltap_getter_inputs_at(x->getter, i);
        int complete = 0;
        int chosen = cli_model_choose(x->model.model, port, &tensors[i], &complete);
        if (!complete)
            return cli_error_set(error, LTAP_ERROR_INPUT,
                                 "the input '%s' is %s; say its sizes: --input %s=random:%s",
                                 port->name, cli_text_port(port).text, port->name,
                                 ltap_shape_text(&tensors[i]).text);
        if (chosen)
            cli_report_note(&x->talk, "input '%s': taken as %s", port->name,
                            ltap_shape_text(&tensors[i]).text);
    }
    return LTAP_OK;
}

static void print_line(void *user, const char *text)
{
    json_t *lines = user;
    if (lines)
        json_array_append_new(lines, cli_json_text(text));
    else
        cli_report_print("%s\n", text);
}

static ltap_status explain(cli_extraction *x, const ltap_tensor *tensors, size_t n,
                           ltap_error *error)
{
    json_t *lines = x->talk.json ? json_array() : NULL;
    ltap_status status = ltap_getter_explain(x->getter, tensors, n, print_line, lines, error);
    if (status == LTAP_OK && x->talk.json)
        return cli_json_print(json_pack("{s:i, s:o, s:o}", "layertap", 1, "model",
                                        cli_json_model(x->model.model), "plan", lines),
                              error);
    json_decref(lines);
    return status;
}

static ltap_status estimate_file(cli_extraction *x, ltap_error *error)
{
    cli_output *output = &x->outputs[0];
    if (!output->path)
        return LTAP_OK;
    ltap_writer_member *members = calloc(output->n_results + 1, sizeof(*members));
    if (!members)
        return cli_error_memory(error);
    for (size_t i = 0; i < output->n_results; i++)
        members[i] =
            (ltap_writer_member){output->results[i].layer->name, output->results[i].tensor};
    const ltap_writer_options options = {0};
    ltap_status status = ltap_writer_estimate(output->path, members, output->n_results, &options,
                                              &x->estimated_bytes, error);
    free(members);
    return status;
}

/* rows: of all inputs together, 0 where they are not known. */
static ltap_status estimate(cli_extraction *x, const ltap_tensor *tensors, size_t n, int64_t rows,
                            ltap_error *error)
{
    cli_output *output = &x->outputs[0];
    ltap_status status = cli_extract_settle(x, tensors, n, error);
    ltap_tensor *shapes = calloc(output->n_results + 1, sizeof(*shapes));
    if (status == LTAP_OK && !shapes)
        status = cli_error_memory(error);
    if (status == LTAP_OK)
        status = ltap_getter_shapes(x->getter, tensors, n, shapes, error);
    for (size_t i = 0; status == LTAP_OK && i < output->n_results; i++) {
        output->results[i].tensor = shapes[i];
        if (rows > 0 && shapes[i].rank > 0)
            output->results[i].tensor.dims[0] = rows;
    }
    free(shapes);
    return status == LTAP_OK ? estimate_file(x, error) : status;
}

/* A run with what --set and --patch change, which is only asked what it would take. */
static ltap_status plan_changes(cli_extraction *x, ltap_error *error)
{
    ltap_status status =
        cli_changes_plan(&x->changes, x->arguments, x->model.model, &x->options, error);
    if (status == LTAP_OK)
        status = ltap_run_new(x->getter, &x->run, error);
    return status == LTAP_OK ? cli_changes_apply(&x->changes, x->run, error) : status;
}

ltap_status cli_extract_plan(cli_extraction *x, ltap_error *error)
{
    size_t n = ltap_getter_inputs_count(x->getter);
    ltap_tensor *tensors = calloc(n + 1, sizeof(*tensors));
    ltap_status status = tensors ? LTAP_OK : cli_error_memory(error);
    int64_t rows = 0;
    cli_batch batch = {0};
    if (status == LTAP_OK && x->changes.n_items > 0)
        status = plan_changes(x, error);
    if (status == LTAP_OK && x->inputs) {
        status = cli_inputs_next(x->inputs, &batch, error);
        if (status == LTAP_OK)
            memcpy(tensors, batch.tensors, n * sizeof(*tensors));
        rows = batch.is_last && batch.filled == 0 ? 0 : cli_inputs_rows(x->inputs);
        if (cli_arguments_has(x->arguments, "separate"))
            rows = 0;
    } else if (status == LTAP_OK)
        status = choose_tensors(x, tensors, error);
    if (status == LTAP_OK && cli_arguments_has(x->arguments, "explain"))
        status = explain(x, tensors, n, error);
    else if (status == LTAP_OK)
        status = estimate(x, tensors, n, rows, error);
    free(tensors);
    if (status == LTAP_OK && !cli_arguments_has(x->arguments, "explain"))
        return cli_extract_report_plan(x, error);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}
