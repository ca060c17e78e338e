/* --profile: the steps of a forward, the slowest first, with what share of the whole each takes and
 * how near it comes to the peak that the processor was measured to have. */
#include "cli/bench.h"
#include "cli/table.h"
#include "cli/text.h"
#include <math.h>
#include <stdlib.h>

static double step_seconds(const ltap_profile_step *step)
{
    return step->calls ? (double)step->nanoseconds / 1e9 / (double)step->calls : 0;
}

/* Float operations a second, a multiply-add being two; 0 for a step that has none. */
static double step_rate(const ltap_profile_step *step)
{
    double seconds = step_seconds(step);
    return seconds > 0 ? 2 * (double)step->mult_adds / seconds : 0;
}

static double all_seconds(const cli_bench *bench)
{
    double sum = 0;
    for (size_t i = 0; i < ltap_run_profile_count(bench->run); i++)
        sum += step_seconds(ltap_run_profile_at(bench->run, i));
    return sum;
}

static int slower_first(const void *left, const void *right)
{
    const ltap_profile_step *a = *(const ltap_profile_step *const *)left,
                            *b = *(const ltap_profile_step *const *)right;
    if (a->nanoseconds != b->nanoseconds)
        return a->nanoseconds > b->nanoseconds ? -1 : 1;
    return a < b ? -1 : a > b; /* they lie in the order of execution */
}

/* steps: yours to free; NULL: no memory. */
static const ltap_profile_step **sorted_steps(const cli_bench *bench)
{
    size_t n = ltap_run_profile_count(bench->run);
    const ltap_profile_step **steps = malloc((n + 1) * sizeof(const ltap_profile_step *));
    for (size_t i = 0; steps && i < n; i++)
        steps[i] = ltap_run_profile_at(bench->run, i);
    if (steps)
        qsort(steps, n, sizeof(const ltap_profile_step *), slower_first);
    return steps;
}

static ltap_status add_step(const cli_bench *bench, cli_table *table, const ltap_profile_step *step,
                            double all, ltap_error *error)
{
    char time[32], share[32], rate[32] = "-", part[32] = "-";
    snprintf(time, sizeof(time), "%.3f", step_seconds(step) * 1000);
    snprintf(share, sizeof(share), "%.1f%%", all > 0 ? step_seconds(step) / all * 100 : 0);
    if (step_rate(step) > 0)
        snprintf(rate, sizeof(rate), "%.1f", step_rate(step) / 1e9);
    if (step_rate(step) > 0 && bench->peak_rate > 0)
        snprintf(part, sizeof(part), "%.0f%%", step_rate(step) / bench->peak_rate * 100);
    const char *cells[] = {step->layer, step->operation, time,          share, rate,
                           part,        step->kernel,    step->refusals};
    return cli_table_add(table, cells, error);
}

ltap_status cli_bench_print_profile(const cli_bench *bench, ltap_error *error)
{
    static const char *const with[] = {"layer",   "operation", "ms",     "share",
                                       "GFLOP/s", "of peak",   "kernel", "others refused"};
    static const char *const without[] = {"layer",   "operation", "ms",     "share",
                                          "GFLOP/s", "of peak",   "kernel", ""};
    const ltap_profile_step **steps = sorted_steps(bench);
    cli_table *table = cli_table_new("llrrrrll", bench->talk.verbose ? with : without);
    ltap_status status = table && steps ? LTAP_OK : cli_error_memory(error);
    double all = all_seconds(bench);
    for (size_t i = 0; status == LTAP_OK && i < ltap_run_profile_count(bench->run); i++) {
        ltap_profile_step step = *steps[i];
        if (!bench->talk.verbose)
            step.refusals = "";
        status = add_step(bench, table, &step, all, error);
    }
    if (status == LTAP_OK) {
        printf("\nsteps of one forward, %.3f ms together; measured peak %.1f GFLOP/s\n\n",
               all * 1000, bench->peak_rate / 1e9);
        cli_table_print(table, stdout);
    }
    cli_table_free(table);
    free(steps);
    return status;
}

static json_t *step_document(const cli_bench *bench, const ltap_profile_step *step, double all)
{
    double rate = step_rate(step);
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:o}", "layer",
                     cli_json_text(step->layer), "operation", cli_json_text(step->operation),
                     "kernel", cli_json_text(step->kernel), "refused",
                     cli_json_text(step->refusals), "calls", (json_int_t)step->calls, "ms",
                     cli_json_number(step_seconds(step) * 1000), "share",
                     cli_json_number(all > 0 ? step_seconds(step) / all : 0), "mult_adds",
                     (json_int_t)step->mult_adds, "gflops", cli_json_number(rate / 1e9), "of_peak",
                     bench->peak_rate > 0 ? cli_json_number(rate / bench->peak_rate) : json_null());
}

json_t *cli_bench_profile_document(const cli_bench *bench)
{
    const ltap_profile_step **steps = sorted_steps(bench);
    json_t *document = steps ? json_array() : NULL;
    double all = all_seconds(bench);
    for (size_t i = 0; document && i < ltap_run_profile_count(bench->run); i++)
        json_array_append_new(document, step_document(bench, steps[i], all));
    free(steps);
    return document;
}
