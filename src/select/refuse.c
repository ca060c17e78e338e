/* Refusals in words: what was found, what could be meant, what to ask for instead. None claims more
 * than the file shows.
 */
#include "base/error.h"
#include "select/things.h"
#include <string.h>

#define MAX_LISTED 8

/* How an operation without a module of its own is called in a sentence. */
typedef struct word {
    const char *op_type, *text;
} word;

static const word words[] = {{"Add", "the addition"},
                             {"Sub", "the subtraction"},
                             {"Mul", "the multiplication"},
                             {"Div", "the division"},
                             {"Concat", "the concatenation"}};

static const char *word_of(const char *op_type)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].op_type, op_type) == 0)
            return words[i].text;
    return op_type;
}

/* The path of a module beside another one: "conv1" for "layer1.0.conv1" beside "layer1.0.relu". */
static const char *path_beside(const char *path, const char *beside)
{
    const char *dot = strrchr(beside, '.');
    size_t above = dot != NULL ? (size_t)(dot - beside) + 1 : 0;
    bool shares = strncmp(path, beside, above) == 0 && strchr("0123456789", path[above]) == NULL;
    return shares ? path + above : path;
}

/* "after conv1", "after the addition", "of the input 'x'". */
static ltap_status describe_call(const ltap_search *search, const ltap_module *module, size_t k,
                                 ltap_vector *text, ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    const ltap_module_call *call = &module->calls[k];
    if (call->n_inputs == 0)
        return ltap_text_format(text, error, "call %zu", k);
    const ltap_value *value = ltap_graph_at(layers->graph, call->inputs[0]);
    if (value->producer == LTAP_NO_NODE)
        return ltap_text_format(text, error, "of the input '%s'", value->name);
    uint32_t around = layers->module_of_node[value->producer];
    const char *op_type = ltap_graph_node(layers->graph, value->producer)->op_type;
    if (around != LTAP_NO_MODULE) {
        const ltap_module *its = ltap_layers_at(layers, around);
        size_t n = strlen(its->path);
        bool inside = strncmp(module->path, its->path, n) == 0 && module->path[n] == '.';
        if (!inside)
            return ltap_text_format(text, error, "after %s", path_beside(its->path, module->path));
    }
    return ltap_text_format(text, error, "after %s", word_of(op_type));
}

static ltap_status list_calls(const ltap_search *search, const ltap_module *module, const char *end,
                              ltap_vector *text, ltap_error *error)
{
    const bool is_keras = search->layers->graph->channels_last;
    size_t n = module->n_calls;
    for (size_t k = 0; k < n; k++) {
        if (n > MAX_LISTED && k >= 3 && k + 1 < n) {
            LTAP_TRY(ltap_text_format(text, error, ", ..."));
            k = n - 2;
            continue;
        }
        const char *before = k == 0 ? "" : k + 1 < n ? ", " : " or ";
        LTAP_TRY(ltap_text_format(text, error, "%s'%s#%zu%s' (", before, module->path, k, end));
        LTAP_TRY(describe_call(search, module, k, text, error));
        if (k == 0 && end[0] == '\0')
            LTAP_TRY(ltap_text_format(text, error, "; %s",
                                      is_keras ? "what Keras' get_layer gives"
                                               : "torchvision's reading"));
        if (k + 1 == n && end[0] == '\0' && !is_keras)
            LTAP_TRY(ltap_text_format(text, error, "; what a hook's dictionary ends with"));
        LTAP_TRY(ltap_text_format(text, error, ")"));
    }
    return LTAP_OK;
}

ltap_status ltap_refuse_calls(const ltap_search *search, const ltap_module *module, const char *end,
                              ltap_error *error)
{
    ltap_status status;
    ltap_vector text;
    if (error == NULL)
        return LTAP_ERROR_AMBIGUOUS_LAYER;
    ltap_vector_init(&text, search->arena->memory, 1);
    LTAP_GO(ltap_text_format(&text, error, "'%s' is called ", module->path));
    if (module->n_calls == 2)
        LTAP_GO(ltap_text_format(&text, error, "twice; choose "));
    else
        LTAP_GO(ltap_text_format(&text, error, "%zu times; choose ", module->n_calls));
    LTAP_GO(list_calls(search, module, end, &text, error));
    LTAP_GO(ltap_text_format(&text, error, ", or set calls (--calls) to first or last"));
    if (module->beside)
        LTAP_GO(ltap_text_format(&text, error,
                                 "; these stand side by side and may be the outputs of one call"));
    status = ltap_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER, "%s", (const char *)text.data);
done:
    ltap_vector_clear(&text);
    return status;
}

ltap_status ltap_refuse_folded(const ltap_search *search, const ltap_module *module, uint32_t call,
                               ltap_error *error)
{
    const char *number = "";
    if (module->n_calls > 1)
        LTAP_TRY(ltap_arena_format(search->arena, &number, error, "#%u",
                                   (unsigned)(call == LTAP_BARE ? 0 : call)));
    if (module->folded_within != NULL)
        return ltap_error_set(
            error, LTAP_ERROR_FOLDED_LAYER,
            "'%s' ends with '%s', into which the exporter folded a BatchNorm; %s does not show whether "
            "'%s' ends before or after it; '%s%s:folded' is the value after it; to keep both, export "
            "with training=TrainingMode.PRESERVE",
            module->path, module->folded_within, search->model_name, module->path, module->path,
            number);
    if (module->folded_by != NULL)
        return ltap_error_set(
            error, LTAP_ERROR_FOLDED_LAYER,
            "%s's own value is not in %s: the exporter folded the BatchNorm '%s' into it; '%s' "
            "('%s%s:folded') is the value after it%s",
            module->path, search->model_name, module->folded_by, module->folded_by, module->path,
            number,
            strcmp(search->layers->exporter, "dynamo exporter") == 0
                ? "; to keep both, export with optimize=False"
                : "");
    return ltap_error_set(error, LTAP_ERROR_FOLDED_LAYER,
                          "%s's own value is not in %s: the exporter folded a BatchNorm into it; "
                          "'%s%s:folded' is the value after it%s; to keep both, export with "
                          "training=TrainingMode.PRESERVE",
                          module->path, search->model_name, module->path, number,
                          module->n_calls > 1 && call == LTAP_BARE ? " in its first call" : "");
}

ltap_status ltap_refuse_doubt(const ltap_search *search, const char *name, const char *doubt,
                              ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER,
                          "'%s' cannot be told in %s: %s; name a node or a value instead (all "
                          "names: layertap layers %s)",
                          name, search->model_name, doubt, search->model_name);
}

/* "module 'relu' ('module:relu')", and for a node of a name that several have, its value. */
static ltap_status list_thing(const ltap_search *search, const ltap_things *things, size_t i,
                              ltap_end end, ltap_vector *text, ltap_error *error)
{
    const ltap_thing *thing = &things->items[i];
    const ltap_graph *graph = search->layers->graph;
    bool shared = false;
    for (size_t j = 0; j < things->count; j++)
        shared |= j != i && strcmp(things->items[j].kind, thing->kind) == 0;
    LTAP_TRY(ltap_text_format(text, error, "%s", i > 0 ? ", " : ""));
    if (shared && strcmp(thing->kind, "node") == 0) {
        const ltap_node *node = ltap_graph_node(graph, thing->node);
        uint32_t value = node->n_outputs > 0 ? node->outputs[0] : LTAP_NO_VALUE;
        return ltap_text_format(text, error, "'value:%s' (%s)",
                                value != LTAP_NO_VALUE ? ltap_graph_at(graph, value)->name : "",
                                node->op_type);
    }
    const ltap_module *module =
        strcmp(thing->kind, "module") == 0 ? ltap_layers_at(search->layers, thing->module) : NULL;
    if (module != NULL && module->n_calls > 1)
        return ltap_text_format(text, error, "'module:%s' (called %zu times: '%s#0' to '%s#%zu')",
                                thing->name, module->n_calls, thing->name, thing->name,
                                module->n_calls - 1);
    const char *behind;
    if (module != NULL && module->folded && end.kind == LTAP_END_PLAIN)
        return ltap_text_format(text, error, "'module:%s:folded'", thing->name);
    LTAP_TRY(ltap_end_write(search, end, &behind, error));
    return ltap_text_format(text, error, "'%s:%s%s'", thing->kind, thing->name, behind);
}

ltap_status ltap_refuse_ambiguous(const ltap_search *search, const char *name,
                                  const ltap_things *things, ltap_end end, ltap_error *error)
{
    ltap_status status;
    ltap_vector text;
    if (error == NULL)
        return LTAP_ERROR_AMBIGUOUS_LAYER;
    ltap_vector_init(&text, search->arena->memory, 1);
    LTAP_GO(ltap_text_format(&text, error, "'%s' means %zu layers in %s: ", name, things->n_found,
                             search->model_name));
    for (size_t i = 0; i < things->count && i < MAX_LISTED; i++)
        LTAP_GO(list_thing(search, things, i, end, &text, error));
    if (things->n_found > MAX_LISTED)
        LTAP_GO(ltap_text_format(&text, error, ", ..."));
    status = ltap_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER, "%s; choose one",
                            (const char *)text.data);
done:
    ltap_vector_clear(&text);
    return status;
}
