/* What a bench tells: a table on standard output, or one JSON document. */
#include "cli/bench.h"
#include "cli/table.h"
#include "cli/text.h"
#include <math.h>
#include <string.h>

static ltap_text milliseconds(double seconds)
{
    ltap_text text;
    snprintf(text.text, sizeof(text.text), "%.3f ms", seconds * 1000);
    return text;
}

/* "x.onnx: 'image' 1x3x224x224; 2 threads" */
static void print_head(const cli_bench *bench)
{
    int threads = ltap_getter_threads(bench->getter);
    cli_report_print("%s: ", ltap_model_info_get(bench->model.model)->name);
    for (size_t i = 0; i < bench->n_inputs; i++)
        cli_report_print("%s'%s' %s", i > 0 ? ", " : "", bench->inputs[i].name,
                         ltap_shape_text(&bench->shapes[i]).text);
    cli_report_print("%s%d thread%s\n", bench->n_inputs > 0 ? "; " : "", threads,
                     threads == 1 ? "" : "s");
    putchar('\n');
}

static ltap_status add(cli_table *table, const char *what, const char *value, const char *note,
                       ltap_error *error)
{
    return cli_table_add(table, (const char *const[]){what, value, note}, error);
}

static ltap_status add_latency(const cli_bench *bench, cli_table *table, ltap_error *error)
{
    char note[64];
    const cli_latency *latency = &bench->latency;
    snprintf(note, sizeof(note), "of %ld runs", latency->runs);
    ltap_status status = add(table, "open", milliseconds(bench->open_seconds).text, "", error);
    if (status == LTAP_OK)
        status = add(table, "first features", milliseconds(bench->first_seconds).text,
                     "open, plan and one forward", error);
    if (status == LTAP_OK)
        status = add(table, "latency, median", milliseconds(latency->median).text, note, error);
    if (status == LTAP_OK)
        status = add(table, "latency, p95", milliseconds(latency->p95).text, "", error);
    if (status == LTAP_OK)
        status = add(table, "latency, least", milliseconds(latency->min).text, "", error);
    return status;
}

static ltap_status add_throughput(const cli_throughput *one, cli_table *table, ltap_error *error)
{
    char what[64];
    char rate[64] = "refused";
    snprintf(what, sizeof(what), "batch of %ld", one->batch);
    if (!isnan(one->per_second))
        snprintf(rate, sizeof(rate), one->per_second < 1000 ? "%.1f /s" : "%.0f /s",
                 one->per_second);
    return add(table, what, rate, isnan(one->per_second) ? one->error.message : "", error);
}

static ltap_status print_table(const cli_bench *bench, ltap_error *error)
{
    static const char *const header[] = {"what", "measured", ""};
    cli_table *table = cli_table_new("lrl", header);
    ltap_status status = table ? add_latency(bench, table, error) : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < bench->n_throughput; i++)
        status = add_throughput(&bench->throughput[i], table, error);
    if (status == LTAP_OK)
        status = add(table, "peak memory",
                     bench->peak_bytes ? cli_text_bytes(bench->peak_bytes).text : "-",
                     "of this process, before larger batches", error);
    if (status == LTAP_OK) {
        print_head(bench);
        cli_table_print(table, stdout);
    }
    cli_table_free(table);
    return status;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *inputs_document(const cli_bench *bench)
{
    json_t *inputs = json_array();
    for (size_t i = 0; i < bench->n_inputs; i++) {
        const ltap_tensor *shape = &bench->shapes[i];
        json_array_append_new(inputs, json_pack("{s:o, s:s, s:o}", "name",
                                                cli_json_text(bench->inputs[i].name), "dtype",
                                                ltap_dtype_name(shape->dtype), "shape",
                                                cli_json_shape(shape)));
    }
    return inputs;
}

static json_t *layers_document(const cli_bench *bench)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < ltap_getter_layers_count(bench->getter); i++)
        json_array_append_new(layers,
                              cli_json_text(ltap_getter_layers_at(bench->getter, i)->layer));
    return layers;
}

static json_t *latency_document(const cli_latency *latency)
{
    return json_pack("{s:o, s:o, s:o, s:I}", "median", cli_json_number(latency->median * 1000),
                     "p95", cli_json_number(latency->p95 * 1000), "min",
                     cli_json_number(latency->min * 1000), "runs", (json_int_t)latency->runs);
}

static json_t *throughput_document(const cli_bench *bench)
{
    json_t *throughput = json_array();
    for (size_t i = 0; i < bench->n_throughput; i++) {
        const cli_throughput *one = &bench->throughput[i];
        json_t *entry = json_pack("{s:I, s:o}", "batch", (json_int_t)one->batch, "per_second",
                                  cli_json_number(one->per_second));
        if (entry && isnan(one->per_second))
            json_object_set_new(entry, "error", cli_json_text(one->error.message));
        json_array_append_new(throughput, entry);
    }
    return throughput;
}

static ltap_status print_json(const cli_bench *bench, ltap_error *error)
{
    json_t *document = json_pack(
        "{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "layertap", 1, "model",
        cli_json_model(bench->model.model), "inputs", inputs_document(bench), "layers",
        layers_document(bench), "latency_ms", latency_document(&bench->latency), "throughput",
        throughput_document(bench), "open_ms", cli_json_number(bench->open_seconds * 1000),
        "first_ms", cli_json_number(bench->first_seconds * 1000), "peak_bytes",
        bench->peak_bytes ? json_integer((json_int_t)bench->peak_bytes) : json_null(), "threads",
        ltap_getter_threads(bench->getter));
    if (document && cli_arguments_has(bench->arguments, "profile")) {
        json_object_set_new(document, "peak_gflops",
                            bench->peak_rate > 0 ? json_real(bench->peak_rate / 1e9) : json_null());
        if (json_object_set_new(document, "profile", cli_bench_profile_document(bench)) != 0) {
            json_decref(document);
            document = NULL;
        }
    }
    return cli_json_print(document, error);
}

ltap_status cli_bench_report(const cli_bench *bench, ltap_error *error)
{
    if (bench->talk.json)
        return print_json(bench, error);
    ltap_status status = print_table(bench, error);
    if (status == LTAP_OK && cli_arguments_has(bench->arguments, "profile"))
        status = cli_bench_print_profile(bench, error);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}
