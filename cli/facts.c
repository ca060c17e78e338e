/* Facts of layers as a table, with a histogram drawn in a line, and as JSON. */
#include "cli/facts.h"
#include "cli/table.h"
#include "cli/text.h"
#include <string.h>

enum { BARS = 16 };

/* Sixteen bars, from the least number to the largest; the highest is the fullest. */
static void draw(const ltap_facts *facts, char *text, size_t size)
{
    static const char *const heights[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint64_t bars[BARS] = {0}, most = 1;
    text[0] = 0;
    if (facts->n_bins == 0)
        return;
    for (size_t i = 0; i < facts->n_bins; i++) {
        uint64_t *bar = &bars[i * BARS / facts->n_bins];
        *bar += facts->bins[i];
        most = *bar > most ? *bar : most;
    }
    size_t n = facts->n_bins < BARS ? facts->n_bins : BARS;
    for (size_t i = 0; i < n; i++) {
        uint64_t bar = facts->n_bins < BARS ? facts->bins[i] : bars[i];
        size_t height = bar ? 1 + (size_t)(7.0 * (double)bar / (double)most) : 0;
        cli_text_add(text, size, "%s", heights[height]);
    }
}

/* "3 of 64 (12544)" */
static void tell_dead(const ltap_facts *facts, char *text, size_t size)
{
    text[0] = 0;
    if (facts->n_channels == 0)
        cli_text_add(text, size, "-");
    else
        cli_text_add(text, size, "%llu of %llu (%llu)", (unsigned long long)facts->n_dead,
                     (unsigned long long)facts->n_channels, (unsigned long long)facts->n_probes);
}

static ltap_status add_row(cli_table *table, const cli_result *result, const char *file,
                           ltap_error *error)
{
    ltap_facts facts;
    ltap_summary_get(result->summary, &facts);
    ltap_text shape = ltap_shape_text(&result->tensor), min = cli_text_number(facts.min),
              max = cli_text_number(facts.max), mean = cli_text_number(facts.mean),
              std = cli_text_number(facts.std);
    char zeros[32], nan[32], inf[32], dead[96], bars[BARS * 4 + 1];
    double share = facts.count ? 100.0 * (double)facts.n_zero / (double)facts.count : 0;
    snprintf(zeros, sizeof(zeros), "%.1f %%", share);
    snprintf(nan, sizeof(nan), "%llu", (unsigned long long)facts.n_nan);
    snprintf(inf, sizeof(inf), "%llu", (unsigned long long)facts.n_inf);
    tell_dead(&facts, dead, sizeof(dead));
    draw(&facts, bars, sizeof(bars));
    const char *cells[] = {file ? file : "",
                           result->layer->name,
                           shape.text,
                           min.text,
                           max.text,
                           mean.text,
                           std.text,
                           zeros,
                           nan,
                           inf,
                           dead,
                           bars};
    return cli_table_add(table, cells + !file, error);
}

ltap_status cli_facts_print(const cli_extraction *x, ltap_error *error)
{
    static const char *const header[] = {"file", "name",  "shape", "min", "max",  "mean",
                                         "std",  "zeros", "NaN",   "Inf", "dead", "histogram"};
    int with_file = cli_arguments_has(x->arguments, "separate");
    const char *path = cli_arguments_value(x->arguments, "output");
    FILE *out = path && strcmp(path, "-") == 0 ? stderr : stdout;
    if (out == stderr && x->talk.quiet)
        return LTAP_OK;
    cli_table *table = cli_table_new(&"lllrrrrrrrrl"[!with_file], header + !with_file);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; i < x->n_outputs; i++) {
        const char *file = x->outputs[i].path ? x->outputs[i].path : cli_stems_at(&x->stems, i);
        for (size_t k = 0; status == LTAP_OK && k < x->outputs[i].n_results; k++)
            status = add_row(table, &x->outputs[i].results[k], with_file ? file : NULL, error);
    }
    if (status == LTAP_OK)
        cli_table_print(table, out);
    cli_table_free(table);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}

void cli_facts_document(const ltap_summary *summary, json_t *document)
{
    ltap_facts facts;
    json_t *counts = json_array();
    ltap_summary_get(summary, &facts);
    for (size_t i = 0; i < facts.n_bins; i++)
        json_array_append_new(counts, json_integer((json_int_t)facts.bins[i]));
    json_object_set_new(document, "std", cli_json_number(facts.std));
    json_object_set_new(document, "zeros", json_integer((json_int_t)facts.n_zero));
    json_object_set_new(document, "channels", json_integer((json_int_t)facts.n_channels));
    json_object_set_new(document, "dead", json_integer((json_int_t)facts.n_dead));
    json_object_set_new(document, "probes", json_integer((json_int_t)facts.n_probes));
    json_object_set_new(document, "histogram",
                        json_pack("{s:o, s:o, s:o}", "first", cli_json_number(facts.first), "width",
                                  cli_json_number(facts.width), "counts", counts));
}
