/* The model on the command line. "-" reads it from standard input; everything else is mapped by the
 * library. Sizes that the model leaves free are chosen here, once, so that layers, --dry-run and
 * --input random agree on them. */
#include "cli/model.h"
#include "cli/report.h"
#include "cli/text.h"
#include <errno.h>
#include <layertap/image.h>
#include <stdlib.h>
#include <string.h>

ltap_status cli_stdin_read(void **bytes, size_t *size, ltap_error *error)
{
    size_t room = 1 << 16, used = 0;
    char *data = malloc(room);
    *bytes = NULL;
    while (data) {
        used += fread(data + used, 1, room - used, stdin);
        if (used < room)
            break;
        room *= 2;
        char *grown = realloc(data, room);
        if (!grown)
            free(data);
        data = grown;
    }
    if (!data)
        return cli_error_memory(error);
    if (ferror(stdin)) {
        free(data);
        return cli_error_set(error, LTAP_ERROR_FILE, "standard input: %s", cli_error_system(errno));
    }
    *bytes = data;
    *size = used;
    return LTAP_OK;
}

ltap_status cli_model_memory(const cli_arguments *arguments, uint64_t *limit, ltap_error *error)
{
    const char *text = cli_arguments_value(arguments, "memory");
    *limit = ltap_memory_default_limit();
    if (!text || cli_text_parse_bytes(text, limit))
        return LTAP_OK;
    const char *why = text[0] && text[strspn(text, "0")] == 0 ? ", in which nothing fits" : "";
    return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                         "--memory is '%s'%s; it wants a size: 512M, 2G, at most 7E", text, why);
}

static ltap_status check_network(const cli_model *model, ltap_error *error)
{
    const ltap_model_info *info = ltap_model_info_get(model->model);
    if (model->may_be_weights || !info->no_network[0])
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_UNSUPPORTED, "%s: %s (its tensors: layertap layers %s)",
                         info->name, info->no_network, info->name);
}

static ltap_status open_by(const char *path, cli_model *model, const ltap_model_options *options,
                           ltap_error *error)
{
    if (strcmp(path, "-") != 0)
        return ltap_model_open(path, options, &model->model, error);
    return ltap_model_open_bytes(model->bytes, model->size, "standard input", options,
                                 &model->model, error);
}

/* A name of a network is for checkpoints only. */
static ltap_status drop_arch(const char *path, cli_model *model, ltap_model_options *options,
                             ltap_error *error)
{
    const char *arch = options->arch;
    options->arch = NULL;
    ltap_status status = open_by(path, model, options, error);
    if (status == LTAP_OK && ltap_model_weights_count(model->model) > 0) {
        options->arch = arch;
        model->is_named = !ltap_model_info_get(model->model)->no_network[0];
    }
    ltap_model_close(model->model);
    model->model = NULL;
    return status;
}

ltap_status cli_model_open(const cli_arguments *arguments, cli_model *model, ltap_error *error)
{
    model->model = NULL;
    if (arguments->n_operands < 1)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "which model? layertap %s MODEL (more: layertap %s --help)",
                             arguments->command->name, arguments->command->name);
    const char *path = arguments->operands[0];
    ltap_model_options options = {.external_dir = cli_arguments_value(arguments, "external-dir"),
                                  .arch = cli_arguments_value(arguments, "arch")};
    ltap_status status = cli_model_memory(arguments, &options.memory_limit, error);
    if (status != LTAP_OK)
        return status;
    if (model->limit > 0)
        options.memory_limit = model->limit;
    if (strcmp(path, "-") == 0 && !model->bytes)
        status = cli_stdin_read(&model->bytes, &model->size, error);
    if (status == LTAP_OK && options.arch && model->may_have_network)
        status = drop_arch(path, model, &options, error);
    if (status == LTAP_OK)
        status = open_by(path, model, &options, error);
    model->is_named |= status == LTAP_OK && options.arch;
    return status == LTAP_OK ? check_network(model, error) : status;
}

void cli_model_clear(cli_model *model)
{
    ltap_model_close(model->model);
    free(model->bytes);
    *model = (cli_model){0};
}

static void picture_size(const ltap_model *model, int *height, int *width)
{
    ltap_preprocess preprocess;
    ltap_error ignored;
    const char *metadata = ltap_model_metadata(model, "layertap.preprocess");
    *height = *width = 224;
    if (metadata && ltap_preprocess_parse(metadata, &preprocess, &ignored) == LTAP_OK)
        ltap_preprocess_size(&preprocess, 224, 224, width, height);
}

int cli_model_is_channels_last(const ltap_port *port)
{
    return port->rank == 4 && port->dims[3].size == 3 && port->dims[1].size != 3;
}

int cli_model_is_colour(const ltap_port *port)
{
    return cli_model_is_channels_last(port) || (port->rank == 4 && port->dims[1].size == 3);
}

int cli_model_is_batch(const ltap_port *port)
{
    if (port->rank < 1)
        return 0;
    const char *name = port->dims[0].symbol ? port->dims[0].symbol : "";
    return port->rank == 4 || strstr(name, "batch") || strcmp(name, "N") == 0 ||
           strcmp(name, "n") == 0;
}

int cli_model_choose(const ltap_model *model, const ltap_port *port, ltap_tensor *tensor,
                     int *complete)
{
    int chosen = port->rank < 0, height = 0, width = 0;
    int is_picture = port->rank == 4;
    picture_size(model, &height, &width);
    int64_t picture[4] = {1, 3, height, width};
    if (cli_model_is_channels_last(port))
        memcpy(picture, (int64_t[4]){1, height, width, 3}, sizeof(picture));
    *tensor = (ltap_tensor){.dtype = port->dtype, .rank = port->rank < 0 ? 0 : port->rank};
    *complete = port->rank >= 0;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t size = port->dims[i].size;
        tensor->dims[i] = size >= 0 ? size : is_picture ? picture[i] : 1;
        chosen |= size < 0;
        *complete &= size >= 0 || is_picture || (i == 0 && cli_model_is_batch(port));
    }
    return chosen;
}

int cli_model_allows(const ltap_port *port, const ltap_tensor *tensor)
{
    if (tensor->dtype != port->dtype || (port->rank >= 0 && tensor->rank != port->rank))
        return 0;
    for (int i = 0; i < port->rank; i++) {
        if (port->dims[i].size >= 0 && port->dims[i].size != tensor->dims[i])
            return 0;
    }
    return 1;
}
