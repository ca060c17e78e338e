/* The list of layers: inputs, then modules and operations in the order of execution, a module
 * before what is inside it, then outputs. Every name is tried by the selector before it is listed,
 * so that each one can be asked for as it stands.
 */
#include "select/select.h"

#include "base/error.h"
#include <stdlib.h>
#include <string.h>

/* A call of a module that has something to list. */
typedef struct call_entry {
    uint32_t module, call, first, end;
    const char *path;
} call_entry;

typedef struct listing {
    const ltap_layers *layers;
    ltap_arena *arena, *scratch;
    ltap_vector *listed;
    ltap_vector entries; /* call_entry, sorted */
    ltap_vector open;    /* size_t: lines of the modules that are running, outermost first */
    ltap_vector ends;    /* uint32_t: where those end */
} listing;

static int compare_entries(const void *left, const void *right)
{
    const call_entry *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->end != b->end)
        return a->end > b->end ? -1 : 1;
    size_t n = strlen(a->path), m = strlen(b->path);
    if (n != m && strncmp(a->path, b->path, n < m ? n : m) == 0)
        return n < m ? -1 : 1;
    return a->module < b->module ? -1 : a->module > b->module;
}

static ltap_status collect(listing *list, ltap_error *error)
{
    for (uint32_t m = 0; m < list->layers->modules.count; m++) {
        const ltap_module *module = ltap_layers_at(list->layers, m);
        if (module->elided_value != LTAP_NO_VALUE)
            continue;
        for (uint32_t k = 0; k < module->n_calls; k++) {
            const ltap_module_call *call = &module->calls[k];
            call_entry entry = {m, k, call->first, call->end, module->path};
            /* Where the BatchNorm is known, the operation is listed as its. */
            if (call->n_nodes == 0 ||
                (module->folded_by != NULL && list->layers->module_of_node[call->nodes[0]] != m &&
                 (call->end == call->first + 1 || call->n_nodes == 1)))
                continue;
            LTAP_TRY(ltap_vector_push(&list->entries, &entry, error));
        }
    }
    if (list->entries.count > 0)
        qsort(list->entries.data, list->entries.count, sizeof(call_entry), compare_entries);
    return LTAP_OK;
}

/* Whether a name resolves to this value, and no other. */
static ltap_status resolves(listing *list, const char *name, uint32_t value, bool *good,
                            ltap_error *error)
{
    ltap_selection selection;
    ltap_arena_clear(list->scratch);
    ltap_arena_init(list->scratch, list->arena->memory);
    ltap_error refusal;
    ltap_status status =
        ltap_select(list->layers, "", name, LTAP_CALLS_REFUSE, list->scratch, &selection, &refusal);
    if (status == LTAP_ERROR_MEMORY)
        return ltap_error_set(error, status, "%s", refusal.message);
    *good = status == LTAP_OK && selection.value == value;
    return LTAP_OK;
}

/* The first of several spellings that resolves; NULL: none does. */
static ltap_status choose_name(listing *list, const char *const *prefixes, const char *name,
                               uint32_t value, const char **chosen, ltap_error *error)
{
    *chosen = NULL;
    for (size_t i = 0; name != NULL && name[0] != '\0' && prefixes[i] != NULL; i++) {
        bool good = false;
        const char *text;
        LTAP_TRY(ltap_arena_format(list->arena, &text, error, "%s%s", prefixes[i], name));
        LTAP_TRY(resolves(list, text, value, &good, error));
        if (!good)
            continue;
        *chosen = text;
        return LTAP_OK;
    }
    return LTAP_OK;
}

static ltap_status name_call(listing *list, const call_entry *entry, const char **name,
                             ltap_error *error)
{
    static const char *const prefixes[] = {"", "module:", NULL};
    const ltap_module *module = ltap_layers_at(list->layers, entry->module);
    const ltap_module_call *call = &module->calls[entry->call];
    const char *text = module->path, *folded = module->folded ? ":folded" : "";
    *name = NULL;
    if (call->n_outputs == 0)
        return LTAP_OK;
    if (module->n_calls > 1)
        LTAP_TRY(ltap_arena_format(list->arena, &text, error, "%s#%u%s", module->path,
                                   (unsigned)entry->call, folded));
    else if (module->folded)
        LTAP_TRY(ltap_arena_format(list->arena, &text, error, "%s%s", module->path, folded));
    return choose_name(list, prefixes, text, call->outputs[call->n_outputs - 1], name, error);
}

static ltap_status name_node(listing *list, const ltap_node *node, uint32_t value,
                             const char **name, ltap_error *error)
{
    static const char *const by_node[] = {"", "node:", NULL}, *const by_value[] = {"",
                                                                                   "value:", NULL};
    LTAP_TRY(choose_name(list, by_node, node->name, value, name, error));
    if (*name == NULL)
        LTAP_TRY(choose_name(list, by_value, ltap_graph_at(list->layers->graph, value)->name, value,
                             name, error));
    return LTAP_OK;
}

static ltap_status push(listing *list, ltap_listed line, ltap_error *error)
{
    size_t depth = list->open.count;
    line.depth = (int)depth;
    line.parent = depth > 0 ? *LTAP_VECTOR_AT(&list->open, size_t, depth - 1) : LTAP_NO_PARENT;
    line.note = line.note != NULL ? line.note : "";
    return ltap_vector_push(list->listed, &line, error);
}

/* "BasicBlock" of "torchvision.models.resnet.BasicBlock". */
static const char *class_of(const ltap_module *module)
{
    const char *dot = module->class_name != NULL ? strrchr(module->class_name, '.') : NULL;
    if (module->class_name == NULL || module->class_name[0] == '\0')
        return "module";
    return dot != NULL && dot[1] != '\0' ? dot + 1 : module->class_name;
}

static ltap_status open_module(listing *list, const call_entry *entry, ltap_error *error)
{
    const ltap_module *module = ltap_layers_at(list->layers, entry->module);
    const ltap_module_call *call = &module->calls[entry->call];
    const char *name;
    size_t index = list->listed->count;
    LTAP_TRY(name_call(list, entry, &name, error));
    if (name == NULL)
        return LTAP_OK;
    LTAP_TRY(push(list,
                  (ltap_listed){.name = name,
                                .kind = LTAP_LAYER_MODULE,
                                .type = class_of(module),
                                .note = call->n_outputs > 1 ? "the last of several outputs" : "",
                                .value = call->outputs[call->n_outputs - 1],
                                .module = entry->module,
                                .call = entry->call,
                                .node = LTAP_NO_NODE,
                                .n_parameters = module->n_parameters,
                                .folded = module->folded},
                  error));
    LTAP_TRY(ltap_vector_push(&list->open, &index, error));
    return ltap_vector_push(&list->ends, &entry->end, error);
}

static const char *const fold_notes[] = {
    "", "with the BatchNorm that the exporter folded in",
    "with the convolution before it, which the exporter folded in"};

/* An operation: under its module's name where it is all of a call of it (only != NULL), else under
 * its own. */
static ltap_status list_node(listing *list, const ltap_node *node, const call_entry *only,
                             ltap_error *error)
{
    const ltap_layers *layers = list->layers;
    uint32_t value = LTAP_NO_VALUE;
    for (size_t i = node->n_outputs; i-- > 0;)
        value = node->outputs[i] != LTAP_NO_VALUE ? node->outputs[i] : value;
    if (value == LTAP_NO_VALUE)
        return LTAP_OK;
    ltap_listed line = {.kind = LTAP_LAYER_NODE,
                        .type = node->op_type,
                        .note = fold_notes[layers->folded_node[node->index]],
                        .folded = layers->folded_node[node->index] == 1,
                        .module = LTAP_NO_MODULE,
                        .node = node->index};
    if (only != NULL)
        LTAP_TRY(name_call(list, only, &line.name, error));
    if (line.name != NULL) {
        const ltap_module *module = ltap_layers_at(layers, only->module);
        const ltap_module_call *call = &module->calls[only->call];
        if (layers->graph->channels_last && module->class_name != NULL)
            line.type = module->class_name;
        line.module = only->module;
        line.call = only->call;
        value = call->outputs[call->n_outputs - 1];
    } else {
        LTAP_TRY(name_node(list, node, value, &line.name, error));
    }
    line.value = value;
    line.n_parameters = ltap_layers_node_parameters(layers, node);
    if (line.note[0] == '\0' && layers->inferred[node->index] && layers->exporter[0] != '\0')
        line.note = "the exporter did not say where it runs: inferred from its neighbours";
    return line.name != NULL ? push(list, line, error) : LTAP_OK;
}

static ltap_status list_inside(listing *list, ltap_error *error)
{
    const ltap_graph *graph = list->layers->graph;
    size_t next = 0;
    for (uint32_t place = 0; place < list->layers->n_order; place++) {
        const ltap_node *node = ltap_graph_node(graph, list->layers->order[place]);
        const call_entry *only = NULL;
        while (list->ends.count > 0 &&
               *LTAP_VECTOR_AT(&list->ends, uint32_t, list->ends.count - 1) <= place) {
            list->ends.count--;
            list->open.count--;
        }
        for (; next < list->entries.count; next++) {
            const call_entry *at = LTAP_VECTOR_AT(&list->entries, call_entry, next);
            bool more = next + 1 < list->entries.count && at[1].first == place;
            if (at->first != place)
                break;
            if (at->end == place + 1 && !more)
                only = at;
            else
                LTAP_TRY(open_module(list, at, error));
        }
        /* Keras' layers are what users know; the operations that they are built of are not. */
        if (only != NULL || !graph->channels_last)
            LTAP_TRY(list_node(list, node, only, error));
    }
    list->open.count = 0;
    return LTAP_OK;
}

static ltap_status list_inputs(listing *list, ltap_error *error)
{
    static const char *const prefixes[] = {"", "input:", NULL};
    const ltap_graph *graph = list->layers->graph;
    for (size_t i = 0; i < graph->inputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i);
        ltap_listed line = {.kind = LTAP_LAYER_INPUT,
                            .type = "input",
                            .value = value,
                            .module = LTAP_NO_MODULE,
                            .node = LTAP_NO_NODE};
        LTAP_TRY(choose_name(list, prefixes, ltap_graph_at(graph, value)->name, value, &line.name,
                             error));
        if (line.name == NULL)
            LTAP_TRY(ltap_arena_format(list->arena, &line.name, error, "input:%zu", i));
        LTAP_TRY(push(list, line, error));
    }
    return LTAP_OK;
}

static ltap_status list_outputs(listing *list, ltap_error *error)
{
    static const char *const prefixes[] = {"", "output:", NULL};
    const ltap_graph *graph = list->layers->graph;
    for (size_t i = 0; i < graph->outputs.count; i++) {
        uint32_t value = *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i);
        const char *own = i < graph->output_names.count
                              ? *LTAP_VECTOR_AT(&graph->output_names, const char *, i)
                              : NULL;
        ltap_listed line = {.kind = LTAP_LAYER_OUTPUT,
                            .type = "output",
                            .value = value,
                            .module = LTAP_NO_MODULE,
                            .node = LTAP_NO_NODE};
        LTAP_TRY(choose_name(list, prefixes, own, value, &line.name, error));
        if (line.name == NULL)
            LTAP_TRY(ltap_arena_format(list->arena, &line.name, error, "output:%zu", i));
        LTAP_TRY(push(list, line, error));
    }
    return LTAP_OK;
}

ltap_status ltap_list_layers(const ltap_layers *layers, ltap_arena *arena, ltap_vector *listed,
                             ltap_error *error)
{
    ltap_status status;
    ltap_arena scratch;
    listing list = {.layers = layers, .arena = arena, .scratch = &scratch, .listed = listed};
    ltap_arena_init(&scratch, arena->memory);
    ltap_vector_init(&list.entries, arena->memory, sizeof(call_entry));
    ltap_vector_init(&list.open, arena->memory, sizeof(size_t));
    ltap_vector_init(&list.ends, arena->memory, sizeof(uint32_t));
    LTAP_GO(list_inputs(&list, error));
    LTAP_GO(collect(&list, error));
    LTAP_GO(list_inside(&list, error));
    LTAP_GO(list_outputs(&list, error));
done:
    ltap_vector_clear(&list.ends);
    ltap_vector_clear(&list.open);
    ltap_vector_clear(&list.entries);
    ltap_arena_clear(&scratch);
    return status;
}
