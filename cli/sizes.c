/* --input-shape, for the commands that run without inputs of the user's. Sizes that nobody says are
 * chosen as everywhere (see cli/model.h). */
#include "cli/sizes.h"
#include "cli/model.h"
#include "cli/report.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

static ltap_status set_shape(cli_sizes *sizes, const ltap_model *model, const char *text,
                             ltap_error *error)
{
    size_t n = ltap_model_inputs_count(model), at = n == 1 ? 0 : n;
    const char *shape = text;
    for (size_t i = 0; i < n; i++) {
        const char *name = ltap_model_inputs_at(model, i)->name;
        size_t length = strlen(name);
        if (strncmp(text, name, length) == 0 && text[length] == '=') {
            at = i;
            shape = text + length + 1;
        }
    }
    if (at == n)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--input-shape %s: the model has %zu inputs; say NAME=SHAPE", text, n);
    const ltap_port *port = ltap_model_inputs_at(model, at);
    ltap_tensor wanted = {.dtype = port->dtype};
    if (!cli_text_parse_shape(shape, &wanted))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--input-shape %s: a shape is sizes with x between: 1x3x224x224",
                             text);
    if (!cli_model_allows(port, &wanted))
        return cli_error_set(error, LTAP_ERROR_INPUT, "--input-shape %s: the input '%s' is %s",
                             text, port->name, cli_text_port(port).text);
    sizes->tensors[at] = wanted;
    return LTAP_OK;
}

ltap_status cli_sizes_choose(const cli_arguments *arguments, const ltap_model *model,
                             cli_sizes *sizes, ltap_error *error)
{
    size_t n = ltap_model_inputs_count(model);
    *sizes = (cli_sizes){.tensors = calloc(n + 1, sizeof(*sizes->tensors))};
    if (!sizes->tensors)
        return cli_error_memory(error);
    for (size_t i = 0; i < n; i++) {
        int complete;
        sizes->chosen |=
            cli_model_choose(model, ltap_model_inputs_at(model, i), &sizes->tensors[i], &complete);
    }
    for (size_t i = 0; i < arguments->n_given; i++) {
        const cli_given *option = &arguments->given[i];
        if (strcmp(option->option->name, "input-shape") != 0)
            continue;
        ltap_status status = set_shape(sizes, model, option->value, error);
        if (status != LTAP_OK)
            return status;
        sizes->given = 1;
    }
    return LTAP_OK;
}

void cli_sizes_clear(cli_sizes *sizes)
{
    free(sizes->tensors);
    *sizes = (cli_sizes){0};
}
