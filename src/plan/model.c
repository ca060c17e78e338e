/* Opening a model: file, graph, rewrites, layers, and the tables that the public header shows.
 *
 * Nothing here reads a weight. What is not known of a file stays unknown until somebody asks for
 * it.
 */
#include "plan/model.h"

#include "base/error.h"
#include "ops/op.h"
#include "passes/pass.h"

#include <string.h>

static ltap_status make_port(const ltap_graph *graph, const char *name, uint32_t index,
                             ltap_port *port, ltap_error *error)
{
    const ltap_value *value = ltap_graph_at(graph, index);
    const ltap_type *type = &value->type;

    *port = (ltap_port){.name = name, .rank = -1};
    if (type->kind == LTAP_TYPE_TENSOR) {
        port->dtype = type->dtype;
        port->rank = type->rank;
    }
    if (port->rank > LTAP_MAX_RANK)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "'%s' has rank %d; layertap takes up to %d", name, port->rank,
                              LTAP_MAX_RANK);
    for (int i = 0; i < port->rank; i++)
        port->dims[i] = (ltap_port_dim){type->dims[i].size, type->dims[i].symbol};
    return LTAP_OK;
}

static ltap_status make_ports(ltap_model *model, ltap_error *error)
{
    const ltap_graph *graph = model->graph;
    void *ports;

    LTAP_TRY(ltap_arena_take(&model->arena, graph->inputs.count, sizeof(ltap_port), &ports, error));
    model->inputs = ports;
    for (size_t i = 0; i < graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
        LTAP_TRY(
            make_port(graph, ltap_graph_at(graph, value)->name, value, &model->inputs[i], error));
    }
    LTAP_TRY(
        ltap_arena_take(&model->arena, graph->outputs.count, sizeof(ltap_port), &ports, error));
    model->outputs = ports;
    for (size_t i = 0; i < graph->outputs.count; i++)
        LTAP_TRY(make_port(graph, *LTAP_VECTOR_AT(&graph->output_names, const char *, i),
                           *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i), &model->outputs[i],
                           error));
    return LTAP_OK;
}

static ltap_status make_list(ltap_model *model, ltap_error *error)
{
    void *list;
    uint8_t *computable;

    LTAP_TRY(ltap_model_computable(model, &model->arena, &computable, error));
    LTAP_TRY(ltap_list_layers(model->layers, &model->arena, &model->listed, error));
    LTAP_TRY(ltap_arena_take(&model->arena, model->listed.count, sizeof(ltap_layer), &list, error));
    model->list = list;
    for (size_t i = 0; i < model->listed.count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(&model->listed, ltap_listed, i);
        model->list[i] = (ltap_layer){
            .name = line->name,
            .kind = line->kind,
            .type = line->type ? line->type : "",
            .note = line->note ? line->note : "",
            .value =
                line->value != LTAP_NO_VALUE ? ltap_graph_at(model->graph, line->value)->name : "",
            .parent = line->parent,
            .depth = line->depth,
            .n_parameters = line->n_parameters,
            .folded = line->folded,
            .computable = line->value == LTAP_NO_VALUE || computable[line->value],
        };
    }
    return LTAP_OK;
}

/* Weights are the float constants that some node reads. */
static uint64_t count_parameters(const ltap_graph *graph)
{
    uint64_t total = 0;

    for (size_t i = 0; i < graph->values.count; i++) {
        const ltap_value *value = ltap_graph_at(graph, (uint32_t)i);
        if (!value->constant || value->span.bytes == 0 || value->n_consumers == 0)
            continue;
        ltap_dtype dtype = value->constant->dtype;
        if (dtype == LTAP_FLOAT32 || dtype == LTAP_FLOAT16 || dtype == LTAP_BFLOAT16 ||
            dtype == LTAP_FLOAT64)
            total += ltap_tensor_count(value->constant);
    }
    return total;
}

static ltap_status make_info(ltap_model *model, ltap_error *error)
{
    const ltap_graph *graph = model->graph;
    ltap_model_info *info = &model->info;

    info->format = graph->format ? graph->format : "";
    info->version = graph->version ? graph->version : "";
    info->producer = graph->producer ? graph->producer : "";
    if (info->producer[0] && model->layers->exporter && model->layers->exporter[0])
        LTAP_TRY(ltap_arena_format(&model->arena, &info->producer, error, "%s (%s)", info->producer,
                                   model->layers->exporter));
    info->n_nodes = graph->nodes.count;
    info->names_from = model->layers->source;
    info->no_network = graph->no_network ? graph->no_network : "";
    info->nearest = graph->nearest ? graph->nearest : "";
    info->differs = graph->differs ? graph->differs : "";
    info->n_parameters = count_parameters(graph);
    return ltap_model_unsupported_text(model, NULL, &model->arena, &info->unsupported, error);
}

static ltap_status load_parts(ltap_model *model, ltap_error *error)
{
    ltap_source *source = &model->source;

    if (model->source.path) {
        source->data = model->file.data;
        source->size = model->file.size;
    }
    LTAP_TRY(ltap_format_load(source, &model->graph, error));
    ltap_ops_bind(model->graph);
    LTAP_TRY(ltap_passes_apply(model->graph, &model->rewritten, error));
    LTAP_TRY(ltap_layers_new(model->graph, &model->layers, error));
    LTAP_TRY(make_ports(model, error));
    LTAP_TRY(make_list(model, error));
    LTAP_TRY(ltap_model_list_values(model, error));
    return make_info(model, error);
}

/* An empty model on an account; texts copied. */
static ltap_status new_model(const char *path, const char *name, const ltap_model_options *options,
                             ltap_model **model, ltap_error *error)
{
    ltap_memory *memory = NULL;
    void *block = NULL;
    ltap_status status;

    LTAP_TRY(ltap_memory_new(options->allocator, options->memory_limit, &memory, error));
    LTAP_GO(ltap_memory_take_zeroed(memory, 1, sizeof(ltap_model), "the model", &block, error));
    ltap_model *made = block;
    made->memory = memory;
    memory = NULL;
    atomic_init(&made->references, 1);
    ltap_arena_init(&made->arena, made->memory);
    ltap_vector_init(&made->listed, made->memory, sizeof(ltap_listed));
    ltap_source_init(&made->source, NULL, 0, made->memory);
    made->source.private_copy = options->private_copy != 0;
    *model = made;
    LTAP_GO(ltap_arena_text(&made->arena, name, strlen(name), &made->info.name, error));
    if (path)
        made->source.path = made->info.name;
    if (options->external_dir)
        LTAP_GO(ltap_arena_text(&made->arena, options->external_dir, strlen(options->external_dir),
                                &made->source.external_dir, error));
    if (options->arch)
        LTAP_GO(ltap_arena_text(&made->arena, options->arch, strlen(options->arch),
                                &made->source.arch, error));
done:
    ltap_memory_unref(memory);
    if (status != LTAP_OK && block) {
        ltap_model_unref(block);
        *model = NULL;
    }
    return status;
}

void ltap_model_forget_all(const ltap_model *model)
{
    ltap_file_forget(&model->file, model->file.data, model->file.size);
    for (size_t i = 0; i < model->source.files.count; i++) {
        const ltap_file *file = LTAP_VECTOR_AT(&model->source.files, ltap_file, i);
        ltap_file_forget(file, file->data, file->size);
    }
}

ltap_status ltap_model_load(const char *path, const void *bytes, size_t size, const char *name,
                            const ltap_model_options *options, ltap_model **model,
                            ltap_error *error)
{
    static const ltap_model_options defaults;
    ltap_model *made = NULL;
    const char *shown = name ? name : path ? path : "model";

    if (!options)
        options = &defaults;
    LTAP_TRY(new_model(path, shown, options, &made, error));
    made->source.data = bytes;
    made->source.size = size;
    ltap_status status = LTAP_OK;
    if (path)
        status = ltap_file_open(path, options->private_copy != 0, made->memory, &made->file, error);
    if (status == LTAP_OK) {
        status = load_parts(made, error);
        if (status != LTAP_OK)
            status = ltap_error_prefix(error, status, "%s", shown);
    }
    ltap_model_forget_all(made);
    if (status != LTAP_OK) {
        ltap_model_unref(made);
        return status;
    }
    *model = made;
    return LTAP_OK;
}

ltap_model *ltap_model_ref(const ltap_model *model)
{
    ltap_model *shared = (ltap_model *)model;
    atomic_fetch_add(&shared->references, 1);
    return shared;
}

void ltap_model_forget(const void *model, const void *data, uint64_t bytes)
{
    const ltap_model *of = model;

    ltap_file_forget(&of->file, data, (size_t)bytes);
    for (size_t i = 0; i < of->source.files.count; i++)
        ltap_file_forget(LTAP_VECTOR_AT(&of->source.files, ltap_file, i), data, (size_t)bytes);
}

void ltap_model_unref(ltap_model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1)
        return;
    ltap_memory *memory = model->memory;
    ltap_layers_free(model->layers);
    ltap_graph_free(model->rewritten);
    ltap_graph_free(model->graph);
    ltap_source_clear(&model->source);
    ltap_vector_clear(&model->listed);
    ltap_file_close(&model->file);
    ltap_arena_clear(&model->arena);
    ltap_memory_release(memory, model);
    ltap_memory_unref(memory);
}
