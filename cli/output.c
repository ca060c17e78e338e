/* Appending rows. The first forward fixes each feature's type and inner shape; every later one must
 * have the same, and as many rows as it was given. Nothing is seen at the path before commit. */
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

ltap_status cli_output_check_free(const char *path, int force, ltap_error *error)
{
    struct stat about;
    size_t length = strlen(path);
    int is_folder = length > 0 && path[length - 1] == '/';
    if (force || is_folder || strcmp(path, "-") == 0 || lstat(path, &about) != 0 ||
        S_ISCHR(about.st_mode) || S_ISFIFO(about.st_mode))
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_EXISTS, "%s is there already; --force replaces it",
                         path);
}

ltap_status cli_output_init(cli_output *output, char *path, int force, const ltap_getter *getter,
                            ltap_error *error)
{
    size_t n = ltap_getter_layers_count(getter);
    *output = (cli_output){.path = path, .force = force, .n_results = n};
    output->results = calloc(n + 1, sizeof(*output->results));
    if (!output->results)
        return cli_error_memory(error);
    for (size_t i = 0; i < n; i++) {
        output->results[i].layer = ltap_getter_layers_at(getter, i);
        output->results[i].stats = (ltap_stats){.min = NAN, .max = NAN, .mean = NAN};
    }
    return LTAP_OK;
}

void cli_output_clear(cli_output *output)
{
    ltap_writer_close(output->writer);
    for (size_t i = 0; i < output->n_results; i++)
        ltap_summary_free(output->results[i].summary);
    free(output->results);
    free(output->path);
    *output = (cli_output){0};
}

static ltap_status begin(cli_output *output, const ltap_tensor *shapes, const int64_t *rows,
                         ltap_error *error)
{
    output->began = 1;
    for (size_t i = 0; i < output->n_results; i++) {
        ltap_tensor *tensor = &output->results[i].tensor;
        *tensor = shapes[i];
        tensor->data = NULL;
        if (rows)
            tensor->dims[0] = *rows;
    }
    if (!output->path)
        return LTAP_OK;
    ltap_writer_member *members = calloc(output->n_results + 1, sizeof(*members));
    if (!members)
        return cli_error_memory(error);
    for (size_t i = 0; i < output->n_results; i++)
        members[i] =
            (ltap_writer_member){output->results[i].layer->name, output->results[i].tensor};
    const ltap_writer_options options = {.force = output->force};
    ltap_status status = ltap_writer_open(output->path, members, output->n_results, &options,
                                          &output->writer, error);
    free(members);
    return status;
}

static ltap_status check_follows(const ltap_getter_layer *layer, const ltap_tensor *tensor,
                                 int64_t rows, const char *cure, ltap_error *error)
{
    if (tensor->rank > 0 && tensor->dims[0] == rows)
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "'%s' is %s for %lld rows of input: its first axis does not follow the "
                         "batch, so rows cannot be appended; %s",
                         layer->layer, ltap_shape_text(tensor).text, (long long)rows, cure);
}

static ltap_status check_same(const cli_result *result, const ltap_tensor *tensor,
                              ltap_error *error)
{
    const ltap_tensor *first = &result->tensor;
    if (first->dtype == tensor->dtype && first->rank == tensor->rank &&
        memcmp(first->dims + 1, tensor->dims + 1,
               (size_t)(tensor->rank - 1) * sizeof(tensor->dims[0])) == 0)
        return LTAP_OK;
    ltap_tensor before = *first, now = *tensor;
    before.dims[0] = now.dims[0] = 1;
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "'%s' is %s for one input and %s for another: rows of different sizes "
                         "cannot be appended; --separate writes a file per input, --resize HxW or "
                         "--crop makes pictures alike",
                         result->layer->layer, ltap_shape_text(&before).text,
                         ltap_shape_text(&now).text);
}

static void merge(ltap_stats *all, const ltap_stats *part)
{
    double n = (double)(all->count - all->n_nan - all->n_inf);
    double m = (double)(part->count - part->n_nan - part->n_inf);
    all->count += part->count;
    all->n_nan += part->n_nan;
    all->n_inf += part->n_inf;
    if (m == 0)
        return;
    all->mean = n > 0 ? (all->mean * n + part->mean * m) / (n + m) : part->mean;
    all->min = n > 0 && all->min < part->min ? all->min : part->min;
    all->max = n > 0 && all->max > part->max ? all->max : part->max;
}

ltap_status cli_output_summarise(cli_output *output, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    output->summarises = 1;
    for (size_t i = 0; status == LTAP_OK && i < output->n_results; i++)
        status = ltap_summary_new(NULL, &output->results[i].summary, error);
    return status;
}

/* Only the rows that belong to inputs count, without those that fill up a fixed batch. */
ltap_status cli_output_append(cli_output *output, size_t index, const ltap_feature *feature,
                              const cli_batch *batch, ltap_error *error)
{
    cli_result *result = &output->results[index];
    ltap_tensor rows = feature->tensor;
    if (batch->filled > 0)
        rows.dims[0] -= batch->filled;
    ltap_stats stats;
    ltap_status status = ltap_tensor_stats(&rows, &stats, error);
    if (status == LTAP_OK)
        merge(&result->stats, &stats);
    if (result->summary)
        ltap_summary_channels(result->summary, feature->channels);
    if (status == LTAP_OK && result->summary)
        status = ltap_summary_add(result->summary, &rows, error);
    if (status != LTAP_OK && status != LTAP_ERROR_UNSUPPORTED)
        return status;
    if (!output->writer)
        return LTAP_OK;
    return ltap_writer_append(output->writer, index, rows.data, ltap_tensor_bytes(&rows), error);
}

ltap_status cli_output_prepare(cli_output *output, const ltap_tensor *shapes,
                               const cli_batch *batch, int64_t rows, const char *cure,
                               ltap_error *error)
{
    int only_told = output->summarises && !output->path;
    int must_follow = (cure && !only_told) || batch->filled > 0;
    const char *advice = batch->filled > 0 ? "the model's batch is fixed: fill it" : cure;
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && must_follow && i < output->n_results; i++) {
        status = check_follows(output->results[i].layer, &shapes[i], batch->rows + batch->filled,
                               advice, error);
        if (status == LTAP_OK && output->began && !only_told)
            status = check_same(&output->results[i], &shapes[i], error);
    }
    if (status == LTAP_OK && !output->began)
        status = begin(output, shapes, must_follow ? &rows : NULL, error);
    return status;
}

ltap_status cli_output_commit(cli_output *output, ltap_error *error)
{
    return output->writer ? ltap_writer_commit(output->writer, &output->bytes, error) : LTAP_OK;
}
