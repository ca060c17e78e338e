/* Making a getter: names to values, values to the nodes they need. See getter.h. */
#include "plan/getter.h"

#include "base/error.h"
#include "base/parallel.h"
#include "plan/infer.h"
#include "plan/request.h"
#include "plan/starts.h"
#include "plan/watch.h"

#include <string.h>

enum { MAX_PLANS = 16 };

static ltap_status check_names(const ltap_return_layer *layers, size_t n_layers, ltap_error *error)
{
    for (size_t i = 0; i < n_layers; i++) {
        if (!layers[i].layer || !layers[i].layer[0])
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "return layer %zu has no layer name",
                                  i);
        if (layers[i].name && !layers[i].name[0])
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                  "the output name for layer '%s' is empty", layers[i].layer);
    }
    return LTAP_OK;
}

/* Output names must differ; they are the keys of the answer. */
static ltap_status check_unique(ltap_getter *getter, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_map names;
    uint32_t before;

    ltap_map_init(&names, getter->memory);
    for (size_t i = 0; i < getter->n_layers; i++) {
        const char *name = getter->layers[i].name;
        if (ltap_map_get(&names, name, strlen(name), &before)) {
            status = ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                    "the output name '%s' is given twice (for '%s' and '%s'); "
                                    "names must differ",
                                    name, getter->layers[before].layer, getter->layers[i].layer);
            goto done;
        }
        LTAP_GO(ltap_map_set(&names, name, strlen(name), (uint32_t)i, error));
    }
done:
    ltap_map_clear(&names);
    return status;
}

ltap_status ltap_getter_resolve(ltap_getter *getter, const ltap_return_layer *asked,
                                ltap_calls calls, ltap_getter_layer *layer, uint32_t *value,
                                ltap_error *error)
{
    const ltap_model *model = getter->model;
    const char *name = asked->name ? asked->name : asked->layer;
    ltap_selection selection = {.value = LTAP_NO_VALUE};

    LTAP_TRY(ltap_select(model->layers, model->info.name, asked->layer, calls, &getter->arena,
                         &selection, error));
    LTAP_TRY(ltap_arena_text(&getter->arena, name, strlen(name), &layer->name, error));
    layer->layer = selection.layer;
    layer->kind = selection.kind;
    layer->note = selection.note ? selection.note : "";
    layer->value = ltap_graph_at(model->graph, selection.value)->name;
    layer->folded = selection.folded;
    layer->reduce = "";
    *value = selection.value;
    return LTAP_OK;
}

static ltap_status resolve(ltap_getter *getter, const ltap_wanted *wanted, ltap_calls calls,
                           ltap_error *error)
{
    for (size_t i = 0; i < getter->n_layers; i++) {
        LTAP_TRY(ltap_getter_resolve(getter, &wanted[i].layer, calls, &getter->layers[i],
                                     &getter->taps[i], error));
        getter->reduces[i] = wanted[i].reduce;
        getter->reduces[i].layer = getter->layers[i].layer;
        getter->reduces[i].last = getter->channels < 0;
        getter->reduces[i].second = getter->turns;
        getter->layers[i].reduce = wanted[i].reduce.text;
    }
    return check_unique(getter, error);
}

/* Nodes to keep in both graphs; refuses what needs an operator that is not there. */
static ltap_status prune(ltap_getter *getter, ltap_error *error)
{
    const ltap_model *model = getter->model;
    const ltap_graph *original = getter->cut ? getter->cut : model->graph;
    const char *missing;
    void *keep;

    LTAP_TRY(ltap_arena_take(&getter->arena, original->nodes.count, 1, &keep, error));
    LTAP_TRY(ltap_prune(original, getter->taps, getter->n_layers, keep, error));
    for (size_t i = 0; i < original->nodes.count; i++)
        getter->keep_original[getter->cut ? ltap_graph_node(original, (uint32_t)i)->origin : i] =
            ((const uint8_t *)keep)[i];
    LTAP_TRY(ltap_prune(getter->graph, getter->taps, getter->n_layers, getter->keep, error));
    LTAP_TRY(
        ltap_model_unsupported_text(model, getter->keep_original, &getter->arena, &missing, error));
    if (missing[0] && getter->runs)
        return ltap_error_set(
            error, LTAP_ERROR_UNSUPPORTED,
            "the request needs operators that layertap does not have: %s; ask for "
            "layers before them",
            missing);
    return LTAP_OK;
}

/* needed: one flag a value. */
static void mark_needed(const ltap_getter *getter, uint8_t *needed)
{
    const ltap_graph *graph = getter->graph;

    for (size_t i = 0; i < getter->n_layers; i++)
        needed[getter->taps[i]] = 1;
    for (size_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        for (size_t k = 0; getter->keep[i] && k < node->n_inputs; k++)
            if (node->inputs[k] != LTAP_NO_VALUE)
                needed[node->inputs[k]] = 1;
    }
}

/* Types of the starts, as ports. */
static ltap_status add_starts(ltap_getter *getter, const uint8_t *needed, ltap_error *error)
{
    void *types;

    LTAP_TRY(ltap_arena_take(&getter->arena, getter->n_starts, sizeof(ltap_type), &types, error));
    LTAP_TRY(ltap_infer_types(getter->model, getter->start_values, getter->n_starts, &getter->arena,
                              types, error));
    for (size_t i = 0; i < getter->n_starts; i++) {
        if (!needed[getter->start_values[i]])
            continue;
        getter->input_values[getter->n_inputs] = getter->start_values[i];
        getter->inputs[getter->n_inputs++] =
            ltap_infer_port(getter->starts[i].name, (const ltap_type *)types + i);
    }
    return LTAP_OK;
}

static ltap_status find_inputs(ltap_getter *getter, ltap_error *error)
{
    const ltap_graph *graph = getter->model->graph;
    void *needed = NULL;
    ltap_status status;

    LTAP_GO(ltap_memory_take_zeroed(getter->memory, getter->graph->values.count, 1,
                                    "a table of values", &needed, error));
    mark_needed(getter, needed);
    for (size_t i = 0; i < graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
        if (!((const uint8_t *)needed)[value])
            continue;
        getter->input_values[getter->n_inputs] = value;
        getter->inputs[getter->n_inputs++] = getter->model->inputs[i];
    }
    if (getter->n_starts)
        LTAP_GO(add_starts(getter, needed, error));
    LTAP_GO(ltap_starts_check(getter, error));
done:
    ltap_memory_release(getter->memory, needed);
    return status;
}

static ltap_status take_tables(ltap_getter *getter, ltap_error *error)
{
    const ltap_model *model = getter->model;
    size_t n_inputs = model->graph->inputs.count + getter->n_starts;
    void *block;

    LTAP_TRY(ltap_arena_take(&getter->arena, getter->n_layers, sizeof(ltap_getter_layer), &block,
                             error));
    getter->layers = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, getter->n_layers, sizeof(uint32_t), &block, error));
    getter->taps = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, getter->n_layers, sizeof(ltap_reduce), &block, error));
    getter->reduces = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, model->graph->nodes.count, 1, &block, error));
    getter->keep_original = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, getter->graph->nodes.count, 1, &block, error));
    getter->keep = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, n_inputs, sizeof(uint32_t), &block, error));
    getter->input_values = block;
    LTAP_TRY(ltap_arena_take(&getter->arena, n_inputs, sizeof(ltap_port), &block, error));
    getter->inputs = block;
    return LTAP_OK;
}

static ltap_status take_precision(ltap_getter *getter, const ltap_getter_options *options,
                                  ltap_error *error)
{
    if (options->precision == LTAP_PRECISION_FLOAT32)
        return LTAP_OK;
    if (options->precision != LTAP_PRECISION_BFLOAT16)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "precision %d is none; there is 0 (float32) and 1 (bfloat16)",
                              (int)options->precision);
    if (options->exact || options->backend)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "bfloat16 was asked for together with %s; choose one of them",
                              options->exact ? "exact results" : "the reference kernels");
    if (!ltap_impls_have_bf16())
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "this processor has no products of bfloat16 (x86 with avx512_bf16 "
                              "has); use float32");
    getter->bf16 = true;
    return LTAP_OK;
}

static ltap_status take_channels(ltap_getter *getter, const ltap_getter_options *options,
                                 ltap_error *error)
{
    const ltap_graph *graph = getter->model->graph;
    const char *name = getter->model->info.name;

    getter->channels = graph->features_last ? -1 : 0;
    getter->turns = options->channels == LTAP_CHANNELS_FIRST && graph->features_last;
    if (options->channels == LTAP_CHANNELS_GIVEN)
        return LTAP_OK;
    if (options->channels != LTAP_CHANNELS_FIRST && options->channels != LTAP_CHANNELS_LAST)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "channels %d is none; there is 0 (as given), 1 (first), 2 (last)",
                              (int)options->channels);
    if (graph->features_mixed)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "some layers of %s have channels first, others last: features come "
                              "as the layers give them only",
                              name);
    if (options->channels == LTAP_CHANNELS_LAST && !graph->features_last)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "%s does not have its channels last, and does not say which axes are "
                              "a picture's: features come as it gives them only",
                              name);
    return LTAP_OK;
}

static ltap_status take_options(ltap_getter *getter, const ltap_getter_options *options,
                                ltap_error *error)
{
    if (options->threads < 0 || options->threads > 4096)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "%d threads were asked for; 1 to 4096, or 0 for one per processor",
                              options->threads);
    if (options->backend && strcmp(options->backend, "reference") != 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "no backend '%s'; there is 'reference', or none for the fastest",
                              options->backend);
    LTAP_TRY(take_precision(getter, options, error));
    LTAP_TRY(take_channels(getter, options, error));
    getter->threads = options->threads ? options->threads : ltap_parallel_processors();
    getter->exact = options->exact != 0;
    getter->low_memory = options->low_memory != 0;
    getter->reference_only = options->backend != NULL;
    return LTAP_OK;
}

static ltap_status fill(ltap_getter *getter, const ltap_return_layer *given, size_t n_given,
                        const ltap_getter_options *options, ltap_error *error)
{
    ltap_status status;
    ltap_vector wanted;

    ltap_vector_init(&wanted, getter->memory, sizeof(ltap_wanted));
    LTAP_GO(take_options(getter, options, error));
    LTAP_GO(ltap_packs_new(getter->memory, &getter->packs, error));
    ltap_packs_tell(getter->packs, &(ltap_reader){ltap_model_forget, getter->model});
    LTAP_GO(ltap_request_expand(getter->model, given, n_given, options->calls, !getter->runs,
                                &getter->arena, &wanted, error));
    getter->n_layers = wanted.count;
    LTAP_GO(ltap_starts_take(getter, options, error));
    LTAP_GO(take_tables(getter, error));
    LTAP_GO(resolve(getter, wanted.data, options->calls, error));
    LTAP_GO(prune(getter, error));
    LTAP_GO(find_inputs(getter, error));
done:
    ltap_vector_clear(&wanted);
    return status;
}

ltap_status ltap_getter_make(const ltap_model *model, const ltap_return_layer *layers,
                             size_t n_layers, const ltap_getter_options *options, bool runs,
                             ltap_getter **getter, ltap_error *error)
{
    static const ltap_getter_options defaults;
    void *block;

    if (!n_layers)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "no layer was asked for; name at least one");
    if (model->info.no_network[0])
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "%s: %s", model->info.name,
                              model->info.no_network);
    LTAP_TRY(check_names(layers, n_layers, error));
    LTAP_TRY(
        ltap_memory_take_zeroed(model->memory, 1, sizeof(ltap_getter), "a getter", &block, error));
    ltap_getter *made = block;
    atomic_init(&made->references, 1);
    made->model = ltap_model_ref(model);
    made->memory = model->memory;
    made->runs = runs;
    ltap_arena_init(&made->arena, made->memory);
    made->lock_made = pthread_mutex_init(&made->lock, NULL) == 0;
    ltap_status status = made->lock_made
                             ? fill(made, layers, n_layers, options ? options : &defaults, error)
                             : ltap_error_set(error, LTAP_ERROR_MEMORY, "no lock could be made");
    if (status != LTAP_OK) {
        ltap_getter_unref(made);
        return status;
    }
    *getter = made;
    return LTAP_OK;
}

ltap_getter *ltap_getter_ref(ltap_getter *getter)
{
    atomic_fetch_add(&getter->references, 1);
    return getter;
}

void ltap_getter_unref(ltap_getter *getter)
{
    if (!getter || atomic_fetch_sub(&getter->references, 1) != 1)
        return;
    ltap_model *model = getter->model;
    ltap_memory *memory = getter->memory;
    ltap_getter_drop_plans(getter);
    if (getter->lock_made)
        pthread_mutex_destroy(&getter->lock);
    ltap_packs_free(getter->packs);
    ltap_graph_free(getter->own);
    ltap_graph_free(getter->cut);
    ltap_arena_clear(&getter->arena);
    ltap_memory_release(memory, getter);
    ltap_model_unref(model);
}

static bool is_for(const ltap_plan *plan, const ltap_tensor *inputs, const ltap_watch *watch)
{
    if (plan->watch != watch)
        return false;
    for (size_t i = 0; i < plan->n_inputs; i++)
        if (!ltap_tensor_same_shape(&plan->inputs[i], &inputs[i]) ||
            plan->inputs[i].dtype != inputs[i].dtype)
            return false;
    return true;
}

/* Takes the plan out of the cache, or NULL. */
static ltap_plan *take_plan(ltap_getter *getter, const ltap_tensor *inputs, const ltap_watch *watch)
{
    for (ltap_plan **link = &getter->plans; *link; link = &(*link)->next) {
        ltap_plan *plan = *link;
        if (!is_for(plan, inputs, watch))
            continue;
        *link = plan->next;
        return plan;
    }
    return NULL;
}

/* Pictures of many sizes make many plans; those unused longest go. */
static void throw_out(ltap_getter *getter)
{
    size_t count = 0;

    for (ltap_plan **link = &getter->plans; *link;) {
        ltap_plan *plan = *link;
        if (++count <= MAX_PLANS || plan->users) {
            link = &plan->next;
            continue;
        }
        *link = plan->next;
        ltap_plan_free(plan);
    }
}

static ltap_status make_plan(ltap_getter *getter, const ltap_tensor *inputs,
                             const ltap_watch *watch, ltap_plan **plan, ltap_error *error)
{
    ltap_plan_request request = {.graph = watch ? watch->graph : getter->graph,
                                 .base = getter->graph,
                                 .keep = watch ? watch->keep : getter->keep,
                                 .taps = watch ? watch->taps : getter->taps,
                                 .n_taps = watch ? watch->n_taps : getter->n_layers,
                                 .n_features = getter->n_layers,
                                 .reduces = getter->reduces,
                                 .looks = watch ? watch->looks : NULL,
                                 .n_looks = watch ? watch->n_looks : 0,
                                 .input_values = getter->input_values,
                                 .inputs = inputs,
                                 .n_inputs = getter->n_inputs,
                                 .exact = getter->exact,
                                 .bf16 = getter->bf16,
                                 .low_memory = getter->low_memory,
                                 .reference_only = getter->reference_only,
                                 .threads = getter->threads,
                                 .packs = getter->packs,
                                 .memory = getter->memory,
                                 .reader = {ltap_model_forget, getter->model}};

    ltap_status status = ltap_plan_new(&request, plan, error);
    ltap_model_forget_all(getter->model);
    if (status == LTAP_OK)
        (*plan)->watch = watch;
    return status;
}

ltap_status ltap_getter_plan(ltap_getter *getter, const ltap_tensor *inputs,
                             const ltap_watch *watch, const ltap_plan **plan, ltap_error *error)
{
    ltap_status status = LTAP_OK;

    for (size_t i = 0; i < getter->n_inputs; i++)
        LTAP_TRY(ltap_port_check(&getter->inputs[i], &inputs[i], error));
    pthread_mutex_lock(&getter->lock);
    ltap_plan *found = take_plan(getter, inputs, watch);
    if (!found)
        status = make_plan(getter, inputs, watch, &found, error);
    if (status == LTAP_OK) {
        found->users++;
        found->next = getter->plans;
        getter->plans = found;
        throw_out(getter);
        *plan = found;
    }
    pthread_mutex_unlock(&getter->lock);
    return status;
}

void ltap_getter_return(ltap_getter *getter, const ltap_plan *plan)
{
    pthread_mutex_lock(&getter->lock);
    ((ltap_plan *)plan)->users--;
    pthread_mutex_unlock(&getter->lock);
}

static bool keeps_any(const ltap_getter *getter, const ltap_module_call *call)
{
    for (size_t i = 0; i < call->n_nodes; i++)
        if (getter->keep_original[call->nodes[i]])
            return true;
    return false;
}

bool ltap_getter_keeps_listed(const ltap_getter *getter, size_t index)
{
    const ltap_model *model = getter->model;

    if (index >= model->listed.count)
        return false;
    const ltap_listed *line = LTAP_VECTOR_AT(&model->listed, ltap_listed, index);
    if (line->node != LTAP_NO_NODE)
        return getter->keep_original[line->node] != 0;
    if (line->module != LTAP_NO_MODULE) {
        const ltap_module *module =
            LTAP_VECTOR_AT(&model->layers->modules, ltap_module, line->module);
        if (line->call < module->n_calls)
            return keeps_any(getter, &module->calls[line->call]);
    }
    if (line->value == LTAP_NO_VALUE)
        return false;
    for (size_t i = 0; i < getter->n_inputs; i++)
        if (getter->input_values[i] == line->value)
            return true;
    uint32_t producer = ltap_graph_at(model->graph, line->value)->producer;
    return producer != LTAP_NO_NODE && getter->keep_original[producer];
}
