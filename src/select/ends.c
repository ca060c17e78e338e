/* Things to values: the output of a module's call, an input of a node, what a folded convolution
 * left. Here a module says why it has no value of its own.
 */
#include "select/things.h"

#include "base/error.h"
#include <string.h>

static const char folded_note[] = "with the BatchNorm that the exporter folded in";

static const char *end_text(ltap_end end)
{
    static const char *const texts[] = {"", ":in", ":out", ":folded"};
    return texts[end.kind];
}

ltap_status ltap_end_write(const ltap_search *search, ltap_end end, const char **text,
                           ltap_error *error)
{
    *text = end_text(end);
    if (end.index == LTAP_NO_INDEX)
        return LTAP_OK;
    return ltap_arena_format(search->arena, text, error, "%s[%lld]", end_text(end),
                             (long long)end.index);
}

/* "relu#1:in[0]" */
static ltap_status name_end(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                            const char **name, ltap_error *error)
{
    const char *base, *text;
    LTAP_TRY(ltap_thing_name(search, thing, &base, error));
    *name = base;
    if (end.kind == LTAP_END_PLAIN || (end.kind == LTAP_END_OUT && end.index == LTAP_NO_INDEX))
        return LTAP_OK;
    LTAP_TRY(ltap_end_write(search, end, &text, error));
    return ltap_arena_format(search->arena, name, error, "%s%s", base, text);
}

/* One of a list of values, by index or as the end's default; says so where there is none. */
static ltap_status pick(const ltap_search *search, const char *name, ltap_end end,
                        const uint32_t *values, size_t count, ltap_selection *selection,
                        ltap_error *error)
{
    const char *what = end.kind == LTAP_END_IN ? "input" : "output";
    int64_t index = end.index;
    if (index == LTAP_NO_INDEX)
        index = end.kind == LTAP_END_IN ? 0 : (int64_t)count - 1;
    else if (index < 0)
        index += (int64_t)count;
    if (count == 0)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' has no %s in %s that depends on the model's inputs", name, what,
                              search->model_name);
    if (index < 0 || index >= (int64_t)count || values[index] == LTAP_NO_VALUE)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' has %zu %s%s in %s, numbered from 0: there is no number %lld",
                              name, count, what, count == 1 ? "" : "s", search->model_name,
                              (long long)end.index);
    selection->value = values[index];
    if (count == 1 || end.index != LTAP_NO_INDEX)
        return LTAP_OK;
    return ltap_arena_format(search->arena, &selection->note, error,
                             end.kind == LTAP_END_IN
                                 ? "the first of %zu inputs; the others are '%s:in[1]' and so on"
                                 : "the last of %zu outputs; the others are '%s:out[0]' and so on",
                             count, name);
}

/* Why the file may hold more calls of a module than were found; NULL: it does not. */
static const char *doubt_of_calls(const ltap_module *module)
{
    for (size_t c = 0; module->doubt == NULL && c < module->n_calls; c++)
        if (module->calls[c].doubt != NULL)
            return module->calls[c].doubt;
    return module->doubt;
}

/* Which call is meant; refuses when it is not said or not known. */
static ltap_status choose_call(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                               uint32_t *call, ltap_error *error)
{
    const ltap_module *module = ltap_layers_at(search->layers, thing->module);
    if (module->n_calls == 0)
        return ltap_refuse_unknown(search, thing->name, error);
    const char *doubt = doubt_of_calls(module);
    if (thing->call != LTAP_BARE && thing->call >= module->n_calls && doubt != NULL)
        return ltap_refuse_doubt(search, module->path, doubt, error);
    if (thing->call != LTAP_BARE && thing->call >= module->n_calls)
        return ltap_error_set(
            error, LTAP_ERROR_UNKNOWN_LAYER,
            "no call '%s#%u' in %s: '%s' is called %zu time%s, '%s#0' is the first", module->path,
            (unsigned)thing->call, search->model_name, module->path, module->n_calls,
            module->n_calls == 1 ? "" : "s", module->path);
    *call = thing->call;
    if (thing->call == LTAP_BARE)
        *call = search->calls == LTAP_CALLS_FIRST ? 0 : (uint32_t)module->n_calls - 1;
    bool any = thing->call == LTAP_BARE && search->calls != LTAP_CALLS_FIRST;
    if (module->doubt != NULL && (any || *call >= module->first_doubtful))
        return ltap_refuse_doubt(search, module->path, module->doubt, error);
    if (thing->call == LTAP_BARE && module->n_calls > 1 && search->calls == LTAP_CALLS_REFUSE)
        return ltap_refuse_calls(search, module, module->folded ? ":folded" : end_text(end), error);
    return LTAP_OK;
}

/* A module that ends with a convolution into which something was folded: whether that something
 * was inside the module is not in the file. */
static ltap_status note_folded_end(const ltap_search *search, const ltap_module *module,
                                   ltap_end end, ltap_selection *selection, ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    uint32_t producer = ltap_graph_at(layers->graph, selection->value)->producer;
    if (producer == LTAP_NO_NODE || layers->folded_node[producer] != 1 || module->folded ||
        selection->note[0] != '\0')
        return LTAP_OK;
    uint32_t inner = layers->module_of_node[producer];
    if (inner == LTAP_NO_MODULE || strcmp(ltap_layers_at(layers, inner)->path, module->path) == 0)
        return LTAP_OK;
    return ltap_arena_format(
        search->arena, &selection->note, error,
        "after the BatchNorm that the exporter folded into '%s'; the file does not show whether "
        "that is inside '%s'",
        ltap_layers_at(layers, inner)->path, module->path);
}

static ltap_status module_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                                ltap_selection *selection, ltap_error *error)
{
    const ltap_module *module = ltap_layers_at(search->layers, thing->module);
    ltap_thing one = *thing;
    if (module->folded && end.kind != LTAP_END_FOLDED && end.kind != LTAP_END_IN)
        return module->n_calls > 1 && thing->call == LTAP_BARE
                   ? ltap_refuse_folded(search, module, LTAP_BARE, error)
                   : ltap_refuse_folded(search, module, thing->call, error);
    LTAP_TRY(choose_call(search, thing, end, &one.call, error));
    const ltap_module_call *call = &module->calls[one.call];
    selection->module = one.module;
    selection->call = one.call;
    LTAP_TRY(name_end(search, &one, end, &selection->layer, error));
    if (call->doubt != NULL && end.kind != LTAP_END_IN)
        return ltap_refuse_doubt(search, selection->layer, call->doubt, error);
    if (call->vague != NULL && end.kind == LTAP_END_OUT && end.index != LTAP_NO_INDEX)
        return ltap_refuse_doubt(search, selection->layer, call->vague, error);
    const char *name;
    LTAP_TRY(ltap_thing_name(search, &one, &name, error));
    selection->note = end.kind == LTAP_END_IN ? "" : module->note;
    if (end.kind == LTAP_END_IN)
        LTAP_TRY(pick(search, name, end, call->inputs, call->n_inputs, selection, error));
    else
        LTAP_TRY(pick(search, name, end, call->outputs, call->n_outputs, selection, error));
    LTAP_TRY(note_folded_end(search, module, end, selection, error));
    if (end.kind != LTAP_END_FOLDED)
        return LTAP_OK;
    if (!module->folded && selection->note[0] == '\0')
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "nothing is folded into '%s' in %s; ask for '%s'", name,
                              search->model_name, name);
    selection->folded = true;
    selection->note = selection->note[0] != '\0' ? selection->note : folded_note;
    return LTAP_OK;
}

static ltap_status node_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                              ltap_selection *selection, ltap_error *error)
{
    const ltap_node *node = ltap_graph_node(search->layers->graph, thing->node);
    bool folded = search->layers->folded_node[thing->node] == 1;
    selection->node = thing->node;
    LTAP_TRY(name_end(search, thing, end, &selection->layer, error));
    if (end.kind == LTAP_END_FOLDED && !folded)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "nothing is folded into node '%s' in %s", thing->name,
                              search->model_name);
    if (end.kind == LTAP_END_IN)
        return pick(search, thing->name, end, node->inputs, node->n_inputs, selection, error);
    if (end.index == LTAP_NO_INDEX)
        end.index = 0; /* an operator's first output is the one that counts */
    LTAP_TRY(pick(search, thing->name, end, node->outputs, node->n_outputs, selection, error));
    selection->folded = folded;
    if (folded)
        selection->note = folded_note;
    else if (node->n_outputs > 1)
        return ltap_arena_format(search->arena, &selection->note, error,
                                 "output %lld of %zu of %s '%s'", (long long)end.index,
                                 node->n_outputs, node->op_type, thing->name);
    return LTAP_OK;
}

static ltap_status plain_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                               ltap_selection *selection, ltap_error *error)
{
    uint32_t producer = ltap_graph_at(search->layers->graph, thing->value)->producer;
    bool folded = producer != LTAP_NO_NODE && search->layers->folded_node[producer] == 1;
    if (end.kind == LTAP_END_IN)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' is a value and has no inputs; name the node that makes it",
                              thing->name);
    if (end.kind == LTAP_END_FOLDED && !folded)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "nothing is folded into value '%s' in %s", thing->name,
                              search->model_name);
    LTAP_TRY(name_end(search, thing, end, &selection->layer, error));
    selection->folded = folded;
    selection->note = folded ? folded_note : "";
    return pick(search, thing->name, end, &thing->value, 1, selection, error);
}

typedef struct kind_row {
    const char *kind;
    ltap_status (*value)(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                         ltap_selection *selection, ltap_error *error);
} kind_row;

static const kind_row kind_rows[] = {{"module", module_value},
                                     {"node", node_value},
                                     {"input", plain_value},
                                     {"output", plain_value},
                                     {"value", plain_value}};

ltap_status ltap_thing_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                             ltap_selection *selection, ltap_error *error)
{
    *selection = (ltap_selection){.kind = thing->kind,
                                  .note = "",
                                  .value = LTAP_NO_VALUE,
                                  .module = LTAP_NO_MODULE,
                                  .node = LTAP_NO_NODE};
    for (size_t i = 0; i < sizeof kind_rows / sizeof *kind_rows; i++) {
        if (strcmp(kind_rows[i].kind, thing->kind) != 0)
            continue;
        LTAP_TRY(kind_rows[i].value(search, thing, end, selection, error));
        if (selection->note[0] == '\0' && thing->note != NULL)
            selection->note = thing->note;
        return LTAP_OK;
    }
    return ltap_error_set(error, LTAP_ERROR_INTERNAL, "a layer of kind '%s'", thing->kind);
}
