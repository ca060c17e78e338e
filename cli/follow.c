/* Three pictures and a feature of shape 3x10: rows of the pictures, or a constant? Inferring the
 * shapes for four rows tells, at the cost of no arithmetic. */
#include "cli/follow.h"
#include "cli/model.h"
#include "cli/report.h"
#include <stdlib.h>
#include <string.h>

static void set_inputs(const ltap_model *model, const ltap_getter *getter, const cli_batch *batch,
                       ltap_tensor *tensors)
{
    for (size_t i = 0; i < ltap_model_inputs_count(model); i++) {
        const ltap_port *port = ltap_model_inputs_at(model, i);
        int complete;
        cli_model_choose(model, port, &tensors[i], &complete);
        for (size_t k = 0; k < batch->n_inputs; k++) {
            if (strcmp(ltap_getter_inputs_at(getter, k)->name, port->name) != 0)
                continue;
            tensors[i] = batch->tensors[k];
            tensors[i].data = NULL;
            tensors[i].dims[0] = batch->rows + 1;
        }
    }
}

static const ltap_tensor *find_shape(const ltap_model *model, const ltap_shapes *shapes,
                                     const char *value)
{
    for (size_t i = 0; i < ltap_model_layers_count(model); i++) {
        const ltap_tensor *tensor = &ltap_shapes_at(shapes, i)->tensor;
        if (strcmp(ltap_model_layers_at(model, i)->value, value) == 0)
            return tensor->dtype == LTAP_UNDEFINED ? NULL : tensor;
    }
    return NULL;
}

ltap_status cli_follow_check(const ltap_model *model, const ltap_getter *getter,
                             const cli_batch *batch, const char *cure, ltap_error *error)
{
    size_t n = ltap_model_inputs_count(model);
    ltap_tensor *tensors = calloc(n + 1, sizeof(*tensors));
    if (!tensors)
        return cli_error_memory(error);
    set_inputs(model, getter, batch, tensors);
    ltap_shapes *shapes = NULL;
    ltap_error ignored;
    ltap_status status = LTAP_OK;
    if (ltap_shapes_new(model, tensors, n, &shapes, &ignored) != LTAP_OK)
        shapes = NULL;
    for (size_t i = 0; shapes && status == LTAP_OK && i < ltap_getter_layers_count(getter); i++) {
        const ltap_getter_layer *layer = ltap_getter_layers_at(getter, i);
        const ltap_tensor *tensor = find_shape(model, shapes, layer->value);
        if (tensor &&
            (tensor->rank == 0 || (tensor->dims[0] >= 0 && tensor->dims[0] != batch->rows + 1)))
            status = cli_error_set(error, LTAP_ERROR_INPUT,
                                   "'%s' has a first axis that does not follow the batch (%s for "
                                   "%lld rows of input), so rows cannot be appended; %s",
                                   layer->layer, ltap_shape_text(tensor).text,
                                   (long long)batch->rows + 1, cure);
    }
    ltap_shapes_free(shapes);
    free(tensors);
    return status;
}
