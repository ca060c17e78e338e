/* layertap bench: how long a request takes. This file judges the command line; measuring is in
 * bench_measure.c, telling in bench_report.c and bench_profile.c. */
#include "cli/bench.h"
#include "cli/commands.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ltap_status read_seconds(cli_bench *bench, ltap_error *error)
{
    const char *text = cli_arguments_value(bench->arguments, "seconds");
    bench->seconds = 1;
    if (!text)
        return LTAP_OK;
    char *end = NULL;
    bench->seconds = strtod(text, &end);
    if (end == text || *end || !(bench->seconds > 0) || bench->seconds > 3600)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--seconds is '%s'; it wants a number up to 3600: 0.5", text);
    return LTAP_OK;
}

/* "1,8,32" */
static ltap_status read_batches(cli_bench *bench, ltap_error *error)
{
    const char *given = cli_arguments_value(bench->arguments, "batch"),
               *text = given ? given : "1,8,32";
    for (const char *at = text;; at++) {
        char *end = NULL;
        long batch = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
        int is_good = batch >= 1 && batch <= 1 << 20 && (*end == ',' || *end == 0);
        if (!is_good || bench->n_throughput == CLI_BENCH_BATCHES)
            return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                                 "--batch is '%s'; it wants up to %d numbers with commas between: "
                                 "1,8,32",
                                 text, CLI_BENCH_BATCHES);
        bench->throughput[bench->n_throughput++].batch = batch;
        at = end;
        if (*at == 0)
            return LTAP_OK;
    }
}

static ltap_status read_command_line(cli_bench *bench, ltap_error *error)
{
    const cli_arguments *a = bench->arguments;
    int asks = cli_arguments_has(a, "return") || cli_arguments_has(a, "layers-from");
    if (a->n_operands > 1)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "bench takes one model, and makes up its inputs; '%s' is too much",
                             a->operands[1]);
    ltap_status status =
        cli_arguments_number(a, "runs", (const long[]){1, 1000000, 0}, &bench->runs, error);
    if (status == LTAP_OK)
        status = read_seconds(bench, error);
    if (status == LTAP_OK)
        status = read_batches(bench, error);
    if (status == LTAP_OK && asks)
        status = cli_request_read(a, &bench->request, error);
    return status;
}

static void clear(cli_bench *bench)
{
    for (size_t i = 0; bench->stages && i < bench->n_inputs; i++)
        cli_stage_clear(&bench->stages[i]);
    free(bench->stages);
    free(bench->inputs);
    free(bench->shapes);
    ltap_run_free(bench->run);
    ltap_getter_free(bench->getter);
    cli_sizes_clear(&bench->sizes);
    cli_request_clear(&bench->request);
    cli_model_clear(&bench->model);
}

int cli_bench_run(const cli_arguments *arguments)
{
    cli_bench bench = {.arguments = arguments,
                       .talk = {.quiet = cli_arguments_has(arguments, "quiet"),
                                .verbose = cli_arguments_has(arguments, "verbose"),
                                .json = cli_arguments_has(arguments, "json")}};
    ltap_error error;
    ltap_status status = read_command_line(&bench, &error);
    if (status == LTAP_OK)
        status = cli_bench_measure(&bench, &error);
    if (status == LTAP_OK)
        status = cli_bench_report(&bench, &error);
    clear(&bench);
    return status == LTAP_OK ? CLI_DONE : cli_report_error(&bench.talk, &error);
}
