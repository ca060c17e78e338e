/* Public functions of <layertap/model.h>: check arguments, call inside, nothing else. */
#include <layertap/model.h>

#include "base/error.h"
#include "formats/torch/torch.h"
#include "plan/shapes.h"

#include <string.h>

ltap_status ltap_model_open(const char *path, const ltap_model_options *options, ltap_model **model,
                            ltap_error *error)
{
    if (!path || !model)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_model_open: %s is NULL",
                              path ? "model" : "path");
    *model = NULL;
    return ltap_model_load(path, NULL, 0, NULL, options, model, error);
}

ltap_status ltap_model_open_bytes(const void *bytes, size_t size, const char *name,
                                  const ltap_model_options *options, ltap_model **model,
                                  ltap_error *error)
{
    if (!bytes || !model)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_model_open_bytes: %s is NULL",
                              bytes ? "model" : "bytes");
    *model = NULL;
    return ltap_model_load(NULL, bytes, size, name, options, model, error);
}

const char *ltap_model_arch_at(size_t index)
{
    return ltap_torch_arch_at(index);
}

void ltap_model_close(ltap_model *model)
{
    ltap_model_unref(model);
}

const ltap_model_info *ltap_model_info_get(const ltap_model *model)
{
    return &model->info;
}

size_t ltap_model_inputs_count(const ltap_model *model)
{
    return model->graph->inputs.count;
}

const ltap_port *ltap_model_inputs_at(const ltap_model *model, size_t index)
{
    return index < model->graph->inputs.count ? &model->inputs[index] : NULL;
}

size_t ltap_model_outputs_count(const ltap_model *model)
{
    return model->graph->outputs.count;
}

const ltap_port *ltap_model_outputs_at(const ltap_model *model, size_t index)
{
    return index < model->graph->outputs.count ? &model->outputs[index] : NULL;
}

const char *ltap_model_metadata(const ltap_model *model, const char *key)
{
    for (size_t i = 0; key && i < model->graph->n_properties; i++)
        if (strcmp(model->graph->properties[i].key, key) == 0)
            return model->graph->properties[i].value;
    return NULL;
}

size_t ltap_model_layers_count(const ltap_model *model)
{
    return model->listed.count;
}

const ltap_layer *ltap_model_layers_at(const ltap_model *model, size_t index)
{
    return index < model->listed.count ? &model->list[index] : NULL;
}

ltap_status ltap_model_layers_match(const ltap_model *model, const char *pattern,
                                    unsigned char *matched, ltap_error *error)
{
    if (!model || !pattern || !matched)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_model_layers_match: an argument is NULL");
    return ltap_model_match(model, pattern, matched, error);
}

size_t ltap_model_values_count(const ltap_model *model)
{
    return model->n_values;
}

void ltap_model_values_at(const ltap_model *model, size_t index, ltap_value_info *info)
{
    *info = (ltap_value_info){"", "", "", "", 0};
    if (index < model->n_values)
        ltap_model_describe_value(model, model->values[index], info);
}

size_t ltap_model_weights_count(const ltap_model *model)
{
    return model->graph->n_stored;
}

void ltap_model_weights_at(const ltap_model *model, size_t index, ltap_weight *weight)
{
    *weight = (ltap_weight){.name = ""};
    if (index < model->graph->n_stored)
        *weight =
            (ltap_weight){model->graph->stored[index].name, model->graph->stored[index].shape};
}

size_t ltap_model_values_reads(const ltap_model *model, size_t index, size_t *reads, size_t n_reads)
{
    return index < model->n_values
               ? ltap_model_value_reads(model, model->values[index], reads, n_reads)
               : 0;
}

ltap_status ltap_model_inside(const ltap_model *model,
                              void (*line)(void *user, const ltap_inside_info *inside), void *user,
                              ltap_error *error)
{
    if (!model || !line)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_model_inside: an argument is NULL");
    return ltap_model_list_inside(model, line, user, error);
}

ltap_status ltap_shapes_new(const ltap_model *model, const ltap_tensor *inputs, size_t n_inputs,
                            ltap_shapes **shapes, ltap_error *error)
{
    if (!model || !shapes || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_shapes_new: an argument is NULL");
    *shapes = NULL;
    return ltap_shapes_make(model, inputs, n_inputs, shapes, error);
}

const ltap_layer_shape *ltap_shapes_at(const ltap_shapes *shapes, size_t layer_index)
{
    return &shapes->layers[layer_index];
}

const ltap_layer_shape *ltap_shapes_value_at(const ltap_shapes *shapes, size_t value_index)
{
    return &shapes->values[value_index];
}

uint64_t ltap_shapes_mult_adds(const ltap_shapes *shapes)
{
    return shapes->mult_adds;
}

void ltap_shapes_free(ltap_shapes *shapes)
{
    ltap_shapes_release(shapes);
}
