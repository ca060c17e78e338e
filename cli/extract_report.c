/* What an extraction tells at its end: the features as a table on standard output, or everything as
 * one JSON document; and a closing line on standard error. */
#include "cli/extract.h"
#include "cli/facts.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include <math.h>
#include <string.h>

enum { NAMES_SHOWN = 6 };

static int is_separate(const cli_extraction *x)
{
    return cli_arguments_has(x->arguments, "separate");
}

/* --- table ----------------------------------------------------------------------------------- */

/* "layer4@gap@l2" */
static void write_layer(const ltap_getter_layer *layer, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", layer->layer, layer->reduce[0] ? "@" : "", layer->reduce);
}

static ltap_status add_result(cli_table *table, const cli_output *output, size_t index,
                              const char *file, ltap_error *error)
{
    const cli_result *result = &output->results[index];
    ltap_text shape = ltap_shape_text(&result->tensor), min = cli_text_number(result->stats.min),
              max = cli_text_number(result->stats.max), mean = cli_text_number(result->stats.mean);
    char strange[64] = "", layer[512];
    write_layer(result->layer, layer, sizeof(layer));
    if (result->stats.n_nan > 0 || result->stats.n_inf > 0)
        snprintf(strange, sizeof(strange), "%llu NaN, %llu Inf",
                 (unsigned long long)result->stats.n_nan, (unsigned long long)result->stats.n_inf);
    const char *cells[] = {file ? file : "",
                           result->layer->name,
                           layer,
                           ltap_dtype_name(result->tensor.dtype),
                           shape.text,
                           min.text,
                           max.text,
                           mean.text,
                           strange};
    return cli_table_add(table, cells + !file, error);
}

static ltap_status print_table(const cli_extraction *x, ltap_error *error)
{
    static const char *const header[] = {"file", "name", "layer", "type", "shape",
                                         "min",  "max",  "mean",  ""};
    int with_file = is_separate(x);
    const char *output = cli_arguments_value(x->arguments, "output");
    FILE *out = output && strcmp(output, "-") == 0 ? stderr : stdout;
    if (out == stderr && x->talk.quiet)
        return LTAP_OK;
    cli_table *table = cli_table_new(&"lllllrrrl"[!with_file], header + !with_file);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; i < x->n_outputs; i++) {
        const char *path = x->outputs[i].path ? x->outputs[i].path : cli_stems_at(&x->stems, i);
        for (size_t k = 0; status == LTAP_OK && k < x->outputs[i].n_results; k++)
            status = add_result(table, &x->outputs[i], k, with_file ? path : NULL, error);
    }
    if (status == LTAP_OK)
        cli_table_print(table, out);
    cli_table_free(table);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}

/* --- closing line ---------------------------------------------------------------------------- */

static ltap_text duration(double seconds)
{
    ltap_text text;
    if (seconds < 0.01)
        snprintf(text.text, sizeof(text.text), "%.1f ms", seconds * 1000);
    else if (seconds < 1)
        snprintf(text.text, sizeof(text.text), "%.0f ms", seconds * 1000);
    else if (seconds < 100)
        snprintf(text.text, sizeof(text.text), "%.1f s", seconds);
    else
        snprintf(text.text, sizeof(text.text), "%.0f min %.0f s", floor(seconds / 60),
                 fmod(seconds, 60));
    return text;
}

/* Modules, and operations that are modules, at the top of the layer tree; in a file without modules
 * every operation. Loose operations have the file's own names there: "/Flatten". */
static int is_at_top(const ltap_layer *layer)
{
    int is_work = layer->kind == LTAP_LAYER_MODULE || layer->kind == LTAP_LAYER_NODE;
    return is_work && layer->depth == 0 && layer->name[0] != '/';
}

/* "; layer4, avgpool, fc were not needed": what was pruned at the top of the layer tree. */
static void not_needed(const cli_extraction *x, char *text, size_t size)
{
    const ltap_model *model = x->model.model;
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < ltap_model_layers_count(model); i++) {
        const ltap_layer *layer = ltap_model_layers_at(model, i);
        if (!is_at_top(layer) || ltap_getter_keeps(x->getter, i))
            continue;
        if (n++ < NAMES_SHOWN)
            cli_text_add(text, size, "%s%s", n == 1 ? "; " : ", ", layer->name);
    }
    if (n > NAMES_SHOWN)
        cli_text_add(text, size, " and %zu more were not needed", n - NAMES_SHOWN);
    else if (n > 0)
        cli_text_add(text, size, n == 1 ? " was not needed" : " were not needed");
}

static void tell_written(const cli_extraction *x, const char *path, char *text, size_t size)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < x->n_outputs; i++)
        bytes += x->outputs[i].bytes;
    const char *name = strcmp(path, "-") == 0 ? "standard output" : path;
    if (is_separate(x))
        cli_text_add(text, size, "wrote %zu file%s (%s)", x->n_outputs,
                     x->n_outputs == 1 ? "" : "s", cli_text_bytes(bytes).text);
    else
        cli_text_add(text, size, "wrote %s (%s)", name, cli_text_bytes(bytes).text);
}

static void print_closing(const cli_extraction *x)
{
    char text[2048] = "", pruned[1024];
    ltap_text time = duration(cli_seconds() - x->began);
    const char *path = cli_arguments_value(x->arguments, "output");
    if (x->pictures.n_written > 0)
        cli_report_note(&x->talk, "wrote %zu picture%s in %s", x->pictures.n_written,
                        x->pictures.n_written == 1 ? "" : "s", x->pictures.folder);
    if (path)
        tell_written(x, path, text, sizeof(text));
    not_needed(x, pruned, sizeof(pruned));
    cli_report_note(&x->talk, "%s in %s%s%s", path ? text : "done", time.text,
                    path ? "" : ", nothing written (-o OUT.npz keeps the features)", pruned);
    if (x->talk.verbose)
        cli_report_note(&x->talk, "loading and pruning %s, forward %s, writing %s",
                        duration(x->load_seconds).text, duration(x->forward_seconds).text,
                        duration(x->write_seconds).text);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *item_document(const cli_extraction *x, const cli_feed *feed, const cli_item *item)
{
    static const char *const kinds[] = {"picture", "array", "random", "constant"};
    json_t *steps = json_array();
    const ltap_preprocess *preprocess = x->inputs ? cli_inputs_preprocess(x->inputs) : NULL;
    ltap_text words[LTAP_PREPROCESS_MAX_STEPS];
    size_t n = 0;
    if (item->kind == CLI_PICTURE && preprocess && item->width > 0)
        n = ltap_preprocess_describe(preprocess, item->width, item->height, words);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(steps, cli_json_text(words[i].text));
    json_t *document =
        json_pack("{s:o, s:o, s:o, s:s}", "file", cli_json_text(item->label), "steps", steps,
                  "input", cli_json_text(feed->port->name), "kind", kinds[item->kind]);
    if (document && item->kind == CLI_PICTURE && item->width > 0)
        json_object_set_new(document, "size", json_pack("[i, i]", item->width, item->height));
    else if (document && item->kind != CLI_PICTURE)
        json_object_set_new(document, "shape", cli_json_shape(&item->tensor));
    return document;
}

static json_t *inputs_document(const cli_extraction *x)
{
    json_t *inputs = json_array();
    size_t n_feeds = 0;
    const cli_feed *feeds = x->inputs ? cli_inputs_feeds(x->inputs, &n_feeds) : NULL;
    for (size_t i = 0; i < n_feeds; i++) {
        for (size_t k = 0; k < feeds[i].n_items; k++)
            json_array_append_new(inputs, item_document(x, &feeds[i], &feeds[i].items[k]));
    }
    return inputs;
}

static json_t *result_document(const cli_result *result, int ran)
{
    const ltap_stats *stats = &result->stats;
    json_t *document =
        json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "name",
                  cli_json_text(result->layer->name), "layer", cli_json_text(result->layer->layer),
                  "kind", result->layer->kind, "dtype", ltap_dtype_name(result->tensor.dtype),
                  "shape", cli_json_shape(&result->tensor), "bytes",
                  json_integer((json_int_t)ltap_tensor_bytes(&result->tensor)), "min",
                  cli_json_number(stats->min), "max", cli_json_number(stats->max), "mean",
                  cli_json_number(stats->mean), "nan",
                  ran ? json_integer((json_int_t)stats->n_nan) : json_null(), "inf",
                  ran ? json_integer((json_int_t)stats->n_inf) : json_null(), "folded",
                  result->layer->folded);
    if (document && result->layer->reduce[0])
        json_object_set_new(document, "reduce", cli_json_text(result->layer->reduce));
    if (document && result->layer->note[0])
        json_object_set_new(document, "note", cli_json_text(result->layer->note));
    if (document && ran && result->summary)
        cli_facts_document(result->summary, document);
    return document;
}

static json_t *features_document(const cli_extraction *x, int ran)
{
    json_t *features = json_array();
    for (size_t i = 0; i < x->n_outputs; i++) {
        for (size_t k = 0; k < x->outputs[i].n_results; k++) {
            json_t *document = result_document(&x->outputs[i].results[k], ran);
            if (document && is_separate(x) && x->outputs[i].path)
                json_object_set_new(document, "file", cli_json_text(x->outputs[i].path));
            json_array_append_new(features, document);
        }
    }
    return features;
}

static json_t *output_document(const cli_extraction *x)
{
    json_t *output = json_object();
    const char *path = cli_arguments_value(x->arguments, "output");
    uint64_t bytes = x->estimated_bytes;
    json_t *files = json_array();
    for (size_t i = 0; i < x->n_outputs; i++) {
        bytes += x->outputs[i].bytes;
        if (x->outputs[i].path)
            json_array_append_new(files, cli_json_text(x->outputs[i].path));
    }
    if (path) {
        json_object_set_new(output, "path", cli_json_text(path));
        json_object_set_new(output, "bytes", json_integer((json_int_t)bytes));
        json_object_set_new(output, "files", files);
    } else
        json_decref(files);
    if (x->pictures.n_written > 0)
        json_object_set_new(output, "pictures", json_integer((json_int_t)x->pictures.n_written));
    return output;
}

static json_t *changes_document(const cli_extraction *x)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < x->changes.n_items; i++) {
        const cli_change *change = &x->changes.items[i];
        json_array_append_new(
            changes, json_pack("{s:o, s:o}", "layer", cli_json_text(change->layer),
                               change->is_patch ? "patch" : "set", cli_json_text(change->what)));
    }
    return changes;
}

static json_t *document(const cli_extraction *x, int ran)
{
    double total = cli_seconds() - x->began;
    json_t *timing =
        json_pack("{s:f, s:f, s:f, s:f}", "load", x->load_seconds * 1e3, "forward",
                  x->forward_seconds * 1e3, "write", x->write_seconds * 1e3, "total", total * 1e3);
    json_t *all =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "layertap", 1, "model",
                  cli_json_model(x->model.model), "inputs", inputs_document(x), "features",
                  features_document(x, ran), "output", output_document(x), "timing_ms", timing);
    if (all && x->changes.n_items > 0)
        json_object_set_new(all, "interventions", changes_document(x));
    return all;
}

ltap_status cli_extract_report(const cli_extraction *x, ltap_error *error)
{
    if (x->talk.json)
        return cli_json_print(document(x, 1), error);
    ltap_status status = cli_arguments_has(x->arguments, "stats") ? cli_facts_print(x, error)
                                                                  : print_table(x, error);
    if (status == LTAP_OK)
        print_closing(x);
    return status;
}

/* --- --dry-run ------------------------------------------------------------------------------- */

/* As this extraction will take it: features that are streamed count as one at a time. */
static ltap_estimate estimate_of(const cli_extraction *x)
{
    ltap_estimate e = x->estimate;
    if (!x->streams)
        return e;
    e.features_bytes = e.handed_bytes;
    e.total_bytes = e.stream_bytes;
    e.packed_bytes =
        e.total_bytes - e.arena_bytes - e.scratch_bytes - e.handed_bytes - e.besides_bytes;
    return e;
}

static json_t *estimate_document(const cli_extraction *x)
{
    const ltap_estimate e = estimate_of(x);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "packed_bytes",
                     (json_int_t)e.packed_bytes, "arena_bytes", (json_int_t)e.arena_bytes,
                     "scratch_bytes", (json_int_t)e.scratch_bytes, "features_bytes",
                     (json_int_t)e.features_bytes, "besides_bytes", (json_int_t)e.besides_bytes,
                     "total_bytes", (json_int_t)e.total_bytes, "mult_adds", (json_int_t)e.mult_adds,
                     "operations", (json_int_t)e.n_nodes, "streams", x->streams, "fits", x->fits);
}

static ltap_status print_shapes(const cli_extraction *x, ltap_error *error)
{
    static const char *const header[] = {"name", "layer", "type", "shape", "size"};
    cli_table *table = cli_table_new("llllr", header);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < x->outputs[0].n_results; i++) {
        const cli_result *result = &x->outputs[0].results[i];
        ltap_text shape = ltap_shape_text(&result->tensor);
        ltap_text bytes = cli_text_bytes(ltap_tensor_bytes(&result->tensor));
        char layer[512];
        write_layer(result->layer, layer, sizeof(layer));
        const char *cells[] = {result->layer->name, layer, ltap_dtype_name(result->tensor.dtype),
                               shape.text, bytes.text};
        status = cli_table_add(table, cells, error);
    }
    if (status == LTAP_OK)
        cli_table_print(table, stdout);
    cli_table_free(table);
    return status;
}

ltap_status cli_extract_report_plan(const cli_extraction *x, ltap_error *error)
{
    const ltap_estimate e = estimate_of(x);
    if (x->talk.json) {
        json_t *all = document(x, 0);
        if (all)
            json_object_set_new(all, "estimate", estimate_document(x));
        return cli_json_print(all, error);
    }
    ltap_status status = print_shapes(x, error);
    if (status != LTAP_OK)
        return status;
    printf("would run %zu operations, %s multiply-adds a batch\n", e.n_nodes,
           cli_text_count(e.mult_adds, " ").text);
    char features[64] = "features in place";
    if (!x->streams || e.features_bytes > 0)
        features[0] = 0;
    if (!features[0])
        cli_text_add(features, sizeof(features), "%s %s", x->streams ? "one feature" : "features",
                     cli_text_bytes(e.features_bytes).text);
    printf("would take %s: weights %s, inner values %s, scratch %s, %s, besides %s\n",
           cli_text_bytes(e.total_bytes).text, cli_text_bytes(e.packed_bytes).text,
           cli_text_bytes(e.arena_bytes).text, cli_text_bytes(e.scratch_bytes).text, features,
           cli_text_bytes(e.besides_bytes).text);
    if (!x->fits)
        printf("would be refused: more than %s\n", cli_text_bytes(x->memory_limit).text);
    const char *path = cli_arguments_value(x->arguments, "output");
    if (path)
        printf("would write %s (%s)\n", path, cli_text_bytes(x->estimated_bytes).text);
    return cli_report_flush(error);
}
