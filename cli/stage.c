/* Making the tensor of one input item. Pictures are decoded here and nowhere else, one at a time;
 * arrays stay where the library mapped them. */
#include "cli/stage.h"
#include "cli/fit.h"
#include "cli/report.h"
#include "cli/text.h"
#include <layertap/random.h>
#include <stdlib.h>
#include <string.h>

ltap_status cli_stage_allocate(uint64_t limit, uint64_t bytes, void **memory, ltap_error *error)
{
    *memory = NULL;
    if (bytes > limit || bytes > SIZE_MAX / 2)
        return cli_error_set(error, LTAP_ERROR_MEMORY,
                             "the input takes %s; the limit is %s (--memory)",
                             cli_text_bytes(bytes).text, cli_text_bytes(limit).text);
    *memory = malloc(bytes > 0 ? (size_t)bytes : 1);
    return *memory ? LTAP_OK : cli_error_memory(error);
}

static ltap_status load_picture(const cli_stage_options *options, const ltap_port *port,
                                cli_item *item, cli_stage *stage, ltap_error *error)
{
    const ltap_image_options decoding = {.exif = options->exif};
    const cli_sources *sources = options->sources;
    ltap_image *image = NULL;
    ltap_status status;
    if (strcmp(item->label, "-") == 0)
        status = ltap_image_open_bytes(sources->stdin_bytes, sources->stdin_size, "standard input",
                                       &decoding, &image, error);
    else
        status = ltap_image_open(item->label, &decoding, &image, error);
    if (status != LTAP_OK)
        return status;
    item->width = ltap_image_width(image);
    item->height = ltap_image_height(image);
    int width = 0, height = 0;
    ltap_preprocess_size(options->preprocess, item->width, item->height, &width, &height);
    stage->tensor = cli_fit_picture_tensor(height, width, port);
    status = cli_fit_prepared(item->label, height, width, port, error);
    if (status == LTAP_OK)
        status = cli_stage_allocate(options->memory_limit, ltap_tensor_bytes(&stage->tensor),
                                    &stage->owned, error);
    if (status == LTAP_OK)
        status = ltap_preprocess_apply(options->preprocess, image, stage->owned, error);
    stage->tensor.data = stage->owned;
    ltap_image_close(image);
    return status;
}

static ltap_status load_array(const cli_stage_options *options, const cli_item *item,
                              cli_stage *stage, ltap_error *error)
{
    ltap_status status = cli_sources_arrays(options->sources, item->label, &stage->arrays, error);
    if (status != LTAP_OK)
        return status;
    const ltap_array *array = ltap_arrays_find(stage->arrays, item->member);
    if (!array || array->tensor.dtype != item->tensor.dtype ||
        array->tensor.rank != item->tensor.rank ||
        memcmp(array->tensor.dims, item->tensor.dims,
               (size_t)item->tensor.rank * sizeof(item->tensor.dims[0])) != 0)
        return cli_error_set(error, LTAP_ERROR_FILE, "%s changed while it was being used",
                             item->label);
    stage->tensor = array->tensor;
    return LTAP_OK;
}

static void set_element(ltap_dtype dtype, void *data, uint64_t i, double value)
{
    switch (dtype) {
    case LTAP_FLOAT32:
        ((float *)data)[i] = (float)value;
        break;
    case LTAP_FLOAT64:
        ((double *)data)[i] = value;
        break;
    case LTAP_INT64:
        ((int64_t *)data)[i] = (int64_t)value;
        break;
    case LTAP_INT32:
        ((int32_t *)data)[i] = (int32_t)value;
        break;
    default: /* the one-byte types that cli_fit_synthetic lets through */
        ((uint8_t *)data)[i] = (uint8_t)value;
    }
}

static ltap_status make_up(const cli_stage_options *options, const cli_item *item, cli_stage *stage,
                           ltap_error *error)
{
    ltap_status status = cli_stage_allocate(options->memory_limit, ltap_tensor_bytes(&item->tensor),
                                            &stage->owned, error);
    if (status != LTAP_OK)
        return status;
    stage->tensor = item->tensor;
    stage->tensor.data = stage->owned;
    ltap_random random = {.state = item->seed};
    uint64_t count = ltap_tensor_count(&item->tensor);
    for (uint64_t i = 0; i < count; i++)
        set_element(item->tensor.dtype, stage->owned, i,
                    item->kind == CLI_RANDOM ? ltap_random_normal(&random) : item->value);
    return LTAP_OK;
}

ltap_status cli_stage_load(const cli_stage_options *options, const ltap_port *port, cli_item *item,
                           cli_stage *stage, ltap_error *error)
{
    *stage = (cli_stage){.loaded = 1};
    if (item->kind == CLI_PICTURE)
        return load_picture(options, port, item, stage, error);
    if (item->kind == CLI_ARRAY)
        return load_array(options, item, stage, error);
    return make_up(options, item, stage, error);
}

void cli_stage_clear(cli_stage *stage)
{
    ltap_arrays_close(stage->arrays);
    free(stage->owned);
    *stage = (cli_stage){0};
}
