/* The measuring of bench: open, first forward, latency, memory, profile, throughput, in this order,
 * so that peak memory is that of one forward's shapes, and a profile never slows a latency.
 *
 * A measurement is a warm-up, then forwards until time or number is reached. Medians, because a
 * busy machine only ever adds. Inputs are random numbers where the model takes floats, else zeros.
 */
#include "cli/bench.h"
#include "cli/fit.h"
#include "cli/peak.h"
#include "cli/progress.h"
#include "cli/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_RUNS = 5, MIN_LARGE_RUNS = 2, MAX_RUNS = 1000000 };

static const ltap_port *port_at(const cli_bench *bench, size_t input)
{
    return ltap_getter_inputs_at(bench->getter, input);
}

static int follows_batch(const ltap_port *port)
{
    return cli_model_is_batch(port) && port->dims[0].size < 0;
}

long cli_bench_batch(const cli_bench *bench)
{
    for (size_t i = 0; i < bench->n_inputs; i++) {
        if (cli_model_is_batch(port_at(bench, i)))
            return (long)bench->shapes[i].dims[0];
    }
    return 1;
}

int cli_bench_is_free(const cli_bench *bench)
{
    for (size_t i = 0; i < bench->n_inputs; i++) {
        if (follows_batch(port_at(bench, i)))
            return 1;
    }
    return 0;
}

/* --- inputs ---------------------------------------------------------------------------------- */

/* The input's numbers. batch: rows, where they are free; 0: as the sizes say. */
static ltap_status fill_input(cli_bench *bench, size_t index, const ltap_tensor *sizes, long batch,
                              ltap_error *error)
{
    const ltap_port *port = port_at(bench, index);
    int random = port->dtype == LTAP_FLOAT32 || port->dtype == LTAP_FLOAT64;
    const char *label = random ? "random" : "zeros";
    cli_item item = {.kind = random ? CLI_RANDOM : CLI_CONSTANT, .label = label, .tensor = *sizes};
    cli_stage_options options = {0};
    if (batch > 0 && follows_batch(port))
        item.tensor.dims[0] = batch;
    cli_stage_clear(&bench->stages[index]);
    ltap_status status = cli_fit_synthetic(label, random, &item.tensor, port, error);
    if (status == LTAP_OK)
        status = cli_model_memory(bench->arguments, &options.memory_limit, error);
    if (status == LTAP_OK)
        status = cli_stage_load(&options, port, &item, &bench->stages[index], error);
    bench->inputs[index] = (ltap_input){port->name, bench->stages[index].tensor};
    return status;
}

static ltap_status fill_inputs(cli_bench *bench, long batch, ltap_error *error)
{
    const ltap_model *model = bench->model.model;
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < bench->n_inputs; i++) {
        for (size_t k = 0; k < ltap_model_inputs_count(model); k++) {
            if (strcmp(ltap_model_inputs_at(model, k)->name, port_at(bench, i)->name) == 0)
                status = fill_input(bench, i, &bench->sizes.tensors[k], batch, error);
        }
    }
    return status;
}

/* --- forwards -------------------------------------------------------------------------------- */

static ltap_status forward(const cli_bench *bench, double *seconds, ltap_error *error)
{
    ltap_features *features = NULL;
    double began = cli_seconds();
    ltap_status status =
        ltap_run_forward(bench->run, bench->inputs, bench->n_inputs, &features, error);
    *seconds = cli_seconds() - began;
    ltap_features_free(features);
    return status;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* The p-th part of sorted times: the smallest that this part of them does not exceed. */
static double quantile(const double *sorted, long n, double p)
{
    long at = (long)ceil(p * (double)n) - 1;
    return sorted[at < 0 ? 0 : at];
}

static double median(const double *sorted, long n)
{
    return (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
}

/* at_least: forwards, however long they take. */
static ltap_status time_forwards(const cli_bench *bench, long at_least, cli_latency *latency,
                                 ltap_error *error)
{
    long room = 64, n = 0, wanted = bench->runs > 0 ? bench->runs : MAX_RUNS;
    double *times = malloc((size_t)room * sizeof(*times)), began = cli_seconds();
    ltap_status status = times ? LTAP_OK : cli_error_memory(error);
    while (status == LTAP_OK && n < wanted) {
        int is_over = cli_seconds() - began >= bench->seconds;
        if (bench->runs == 0 && is_over && n >= at_least)
            break;
        double *grown = n < room ? times : realloc(times, (size_t)(room *= 2) * sizeof(*times));
        times = grown ? grown : times;
        status = grown ? forward(bench, &times[n], error) : cli_error_memory(error);
        n++;
    }
    if (status == LTAP_OK) {
        qsort(times, (size_t)n, sizeof(*times), compare);
        *latency = (cli_latency){median(times, n), quantile(times, n, 0.95), times[0], n};
    }
    free(times);
    return status;
}

/* Caches, clocks and pages settle: twice, and then until a tenth of the time is over. */
static ltap_status warm_up(const cli_bench *bench, ltap_error *error)
{
    double began = cli_seconds(), ignored;
    ltap_status status = forward(bench, &ignored, error);
    do {
        if (status == LTAP_OK)
            status = forward(bench, &ignored, error);
    } while (status == LTAP_OK && bench->runs == 0 && cli_seconds() - began < bench->seconds / 10);
    return status;
}

/* Where the file fixes the batch, that is the only one. */
static ltap_status check_batches(cli_bench *bench, ltap_error *error)
{
    long own = cli_bench_batch(bench);
    if (cli_bench_is_free(bench))
        return LTAP_OK;
    if (cli_arguments_has(bench->arguments, "batch") &&
        (bench->n_throughput > 1 || bench->throughput[0].batch != own))
        return cli_error_set(error, LTAP_ERROR_INPUT,
                             "--batch %s: the batch of this model is fixed at %ld",
                             cli_arguments_value(bench->arguments, "batch"), own);
    bench->n_throughput = 1;
    bench->throughput[0].batch = own;
    return LTAP_OK;
}

/* --- parts ----------------------------------------------------------------------------------- */

static ltap_status take_inputs(cli_bench *bench, ltap_error *error)
{
    bench->n_inputs = ltap_getter_inputs_count(bench->getter);
    bench->inputs = calloc(bench->n_inputs + 1, sizeof(*bench->inputs));
    bench->stages = calloc(bench->n_inputs + 1, sizeof(*bench->stages));
    bench->shapes = calloc(bench->n_inputs + 1, sizeof(*bench->shapes));
    if (!bench->inputs || !bench->stages || !bench->shapes)
        return cli_error_memory(error);
    ltap_status status =
        cli_sizes_choose(bench->arguments, bench->model.model, &bench->sizes, error);
    if (status == LTAP_OK)
        status = fill_inputs(bench, 0, error);
    for (size_t i = 0; status == LTAP_OK && i < bench->n_inputs; i++) {
        bench->shapes[i] = bench->inputs[i].tensor;
        bench->shapes[i].data = NULL;
    }
    return status == LTAP_OK ? check_batches(bench, error) : status;
}

static ltap_status open_all(cli_bench *bench, ltap_error *error)
{
    ltap_getter_options options = {0};
    double began = cli_seconds(), first = 0;
    ltap_status status = cli_request_options(bench->arguments, &options, error);
    if (status == LTAP_OK)
        status = cli_model_open(bench->arguments, &bench->model, error);
    bench->open_seconds = cli_seconds() - began;
    if (status == LTAP_OK && bench->request.n_layers == 0)
        status = cli_request_add_outputs(&bench->request, bench->model.model, 0, error);
    if (status == LTAP_OK)
        status = ltap_getter_new(bench->model.model, bench->request.layers, bench->request.n_layers,
                                 &options, &bench->getter, error);
    if (status == LTAP_OK)
        status = ltap_run_new(bench->getter, &bench->run, error);
    bench->first_seconds = cli_seconds() - began;
    if (status != LTAP_OK)
        return status;
    status = take_inputs(bench, error);
    if (status == LTAP_OK)
        status = forward(bench, &first, error);
    bench->first_seconds += first;
    return status;
}

/* The most memory that the process ever had, as Linux tells. */
static uint64_t peak_memory(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kilobytes = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static ltap_status measure_profile(cli_bench *bench, ltap_error *error)
{
    cli_latency ignored;
    ltap_status status = ltap_run_profile(bench->run, 1, error);
    if (status == LTAP_OK)
        status = time_forwards(bench, MIN_LARGE_RUNS, &ignored, error);
    if (status == LTAP_OK)
        status = ltap_run_profile(bench->run, 0, error);
    bench->peak_rate = cli_peak_measure(ltap_getter_threads(bench->getter));
    return status;
}

static ltap_status measure_batch(cli_bench *bench, long batch, double *per_second,
                                 ltap_error *error)
{
    cli_latency latency;
    ltap_status status = fill_inputs(bench, batch, error);
    if (status == LTAP_OK)
        status = warm_up(bench, error);
    if (status == LTAP_OK)
        status = time_forwards(bench, MIN_LARGE_RUNS, &latency, error);
    if (status == LTAP_OK)
        *per_second = (double)batch / latency.median;
    return status;
}

/* A batch that is refused (a Reshape to a fixed size, memory) does not end the bench. */
static void measure_throughput(cli_bench *bench)
{
    long own = cli_bench_batch(bench);
    for (size_t i = 0; i < bench->n_throughput; i++) {
        cli_throughput *one = &bench->throughput[i];
        ltap_status status = LTAP_OK;
        one->per_second = (double)own / bench->latency.median;
        if (one->batch != own)
            status = measure_batch(bench, one->batch, &one->per_second, &one->error);
        if (status != LTAP_OK)
            one->per_second = NAN;
    }
}

ltap_status cli_bench_measure(cli_bench *bench, ltap_error *error)
{
    ltap_status status = open_all(bench, error);
    if (status == LTAP_OK)
        status = warm_up(bench, error);
    if (status == LTAP_OK)
        status = time_forwards(bench, MIN_RUNS, &bench->latency, error);
    bench->peak_bytes = peak_memory();
    if (status == LTAP_OK && cli_arguments_has(bench->arguments, "profile"))
        status = measure_profile(bench, error);
    if (status == LTAP_OK)
        measure_throughput(bench);
    return status;
}
