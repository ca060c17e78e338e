/* Which lines of the list are shown, and in which order. */
#include "cli/layers.h"
#include <stdlib.h>
#include <string.h>

/* With patterns, what they stand for; without, all but inputs and outputs. */
static ltap_status match(const cli_layers *list, unsigned char *shown, ltap_error *error)
{
    const ltap_model *model = list->model.model;
    size_t n = ltap_model_layers_count(model);
    ltap_status status = LTAP_OK;
    for (size_t k = 1; status == LTAP_OK && k < list->arguments->n_operands; k++)
        status = ltap_model_layers_match(model, list->arguments->operands[k], shown, error);
    for (size_t i = 0; list->arguments->n_operands < 2 && i < n; i++) {
        ltap_layer_kind kind = ltap_model_layers_at(model, i)->kind;
        shown[i] = list->talk.json || (kind != LTAP_LAYER_INPUT && kind != LTAP_LAYER_OUTPUT);
    }
    return status;
}

typedef uint64_t (*measure)(const cli_layers *list, size_t index);

static uint64_t cost(const cli_layers *list, size_t index)
{
    return list->shapes ? ltap_shapes_at(list->shapes, index)->mult_adds : 0;
}

static uint64_t parameters(const cli_layers *list, size_t index)
{
    return ltap_model_layers_at(list->model.model, index)->n_parameters;
}

static uint64_t output(const cli_layers *list, size_t index)
{
    if (!list->shapes || ltap_shapes_at(list->shapes, index)->tensor.dtype == LTAP_UNDEFINED)
        return 0;
    return ltap_tensor_bytes(&ltap_shapes_at(list->shapes, index)->tensor);
}

typedef struct sort_row {
    const char *name;
    measure of;
} sort_row;

static const sort_row sort_rows[] = {{"cost", cost}, {"params", parameters}, {"output", output}};

typedef struct sorted {
    uint64_t size;
    size_t index;
} sorted;

/* Largest first; equal ones as they run. */
static int compare(const void *left, const void *right)
{
    const sorted *a = left, *b = right;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static ltap_status sort(cli_layers *list, const char *by, ltap_error *error)
{
    const sort_row *row = NULL;
    for (size_t i = 0; i < sizeof(sort_rows) / sizeof(sort_rows[0]); i++)
        row = strcmp(sort_rows[i].name, by) == 0 ? &sort_rows[i] : row;
    if (!row)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--sort is '%s'; it wants cost, params or output", by);
    sorted *all = calloc(list->n_rows + 1, sizeof(*all));
    if (!all)
        return cli_error_memory(error);
    for (size_t i = 0; i < list->n_rows; i++)
        all[i] = (sorted){row->of(list, list->rows[i]), list->rows[i]};
    qsort(all, list->n_rows, sizeof(*all), compare);
    for (size_t i = 0; i < list->n_rows; i++)
        list->rows[i] = all[i].index;
    free(all);
    return LTAP_OK;
}

ltap_status cli_layers_choose(cli_layers *list, ltap_error *error)
{
    size_t n = ltap_model_layers_count(list->model.model);
    const char *by = cli_arguments_value(list->arguments, "sort");
    long depth = 0;
    ltap_status status = cli_arguments_number(list->arguments, "depth",
                                              (const long[]){1, 1000000, 1000000}, &depth, error);
    if (status != LTAP_OK)
        return status;
    unsigned char *shown = calloc(n + 1, 1);
    list->rows = calloc(n + 1, sizeof(*list->rows));
    status = shown && list->rows ? match(list, shown, error) : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        if (shown[i] && ltap_model_layers_at(list->model.model, i)->depth < depth)
            list->rows[list->n_rows++] = i;
    }
    free(shown);
    return status == LTAP_OK && by ? sort(list, by, error) : status;
}
