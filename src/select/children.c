/* "X[0]" and "X[-1]", a child of a module; "op:Conv" and "op:Conv[2]", nodes of a type.
 *
 * Where all children have numbers, as those of a Sequential, the index is the number: a child that
 * left nothing in the file does not shift the others. Other children are counted as they run.
 */
#include "base/error.h"
#include "select/things.h"
#include <ctype.h>
#include <string.h>

bool ltap_index_cut(const char *text, size_t *bytes, int64_t *index)
{
    size_t end = *bytes, open;
    *index = LTAP_NO_INDEX;
    if (end == 0 || text[end - 1] != ']')
        return true;
    for (open = end - 1; open > 0 && isdigit((unsigned char)text[open - 1]);)
        open--;
    bool negative = open > 0 && text[open - 1] == '-';
    size_t digits = open;
    open -= negative;
    if (open == 0 || text[open - 1] != '[' || digits == end - 1 || end - digits > 9)
        return false;
    *index = 0;
    for (size_t i = digits; i < end - 1; i++)
        *index = *index * 10 + (text[i] - '0');
    *index = negative ? -*index : *index;
    *bytes = open - 1;
    return true;
}

const char *ltap_operator_of(const char *selector)
{
    static const char prefix[] = "op:";
    return strncmp(selector, prefix, strlen(prefix)) == 0 ? selector + strlen(prefix) : NULL;
}

bool ltap_operator_is(const ltap_node *node, const char *type, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && node->op_type[i] != '\0' &&
           tolower((unsigned char)node->op_type[i]) == tolower((unsigned char)type[i]))
        i++;
    return i == bytes && node->op_type[i] == '\0';
}

/* The first output that can be a feature. */
static uint32_t data_output(const ltap_layers *layers, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != LTAP_NO_VALUE && layers->data[node->outputs[i]])
            return node->outputs[i];
    return LTAP_NO_VALUE;
}

/* Under its own name where that is its alone, else as the value that it makes. */
static ltap_thing thing_of_node(const ltap_layers *layers, const ltap_node *node)
{
    uint32_t first, value = data_output(layers, node);
    const char *name = ltap_graph_at(layers->graph, value)->name;
    bool own = ltap_map_get(&layers->node_by_name, node->name, strlen(node->name), &first) &&
               first == node->index && layers->same_name[first] == LTAP_NO_NODE;
    if (own)
        return (ltap_thing){.kind = "node", .name = node->name, .node = node->index};
    return (ltap_thing){.kind = "value", .name = name, .value = value};
}

static ltap_status find_operators(const ltap_search *search, const char *type, size_t bytes,
                                  int64_t index, ltap_things *things, ltap_error *error)
{
    const ltap_graph *graph = search->layers->graph;
    int64_t count = 0, at = 0;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        count += ltap_operator_is(node, type, bytes) &&
                 data_output(search->layers, node) != LTAP_NO_VALUE;
    }
    int64_t wanted = index < 0 && index != LTAP_NO_INDEX ? index + count : index;
    if (count == 0)
        return LTAP_OK;
    if (index != LTAP_NO_INDEX && (wanted < 0 || wanted >= count))
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "%s has %lld nodes of type '%.*s', numbered from 0: there is no "
                              "number %lld",
                              search->model_name, (long long)count, (int)bytes, type,
                              (long long)index);
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        if (!ltap_operator_is(node, type, bytes) ||
            data_output(search->layers, node) == LTAP_NO_VALUE)
            continue;
        if (index == LTAP_NO_INDEX || at == wanted)
            ltap_things_add(things, thing_of_node(search->layers, node));
        at++;
    }
    return LTAP_OK;
}

/* Children of a module that the file knows, in the order of execution. */
typedef struct children {
    int64_t count;
    uint32_t largest; /* number */
    bool numbered;    /* all of them */
} children;

static bool is_child(const ltap_layers *layers, uint32_t child, uint32_t parent)
{
    return ltap_layers_at(layers, child)->parent == parent &&
           ltap_layers_at(layers, child)->n_calls > 0;
}

static children look_at_children(const ltap_layers *layers, uint32_t parent)
{
    children found = {.numbered = true};
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        uint32_t number = 0;
        if (!is_child(layers, m, parent))
            continue;
        found.count++;
        found.numbered &= ltap_name_number(ltap_layers_at(layers, parent)->path,
                                           ltap_layers_at(layers, m)->path, &number);
        found.largest = number > found.largest ? number : found.largest;
    }
    return found;
}

static uint32_t child_at(const ltap_layers *layers, uint32_t parent, const children *all,
                         int64_t index)
{
    int64_t at = 0;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        uint32_t number = 0;
        if (!is_child(layers, m, parent))
            continue;
        if (all->numbered)
            (void)ltap_name_number(ltap_layers_at(layers, parent)->path,
                                   ltap_layers_at(layers, m)->path, &number);
        if ((all->numbered ? (int64_t)number : at) == index)
            return m;
        at++;
    }
    return LTAP_NO_MODULE;
}

static ltap_status find_module_child(const ltap_search *search, uint32_t parent, int64_t index,
                                     ltap_things *things, ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    const char *path = ltap_layers_at(layers, parent)->path, *name;
    children all = look_at_children(layers, parent);
    int64_t end = all.numbered ? (int64_t)all.largest + 1 : all.count;
    int64_t wanted = index < 0 ? index + end : index;
    things->count = things->n_found = 0;
    if (all.count == 0)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' has no modules inside in %s, so there is no '%s[%lld]'", path,
                              search->model_name, path, (long long)index);
    uint32_t child = child_at(layers, parent, &all, wanted);
    if (child == LTAP_NO_MODULE && all.numbered && wanted >= 0) {
        LTAP_TRY(
            ltap_arena_format(search->arena, &name, error, "%s.%lld", path, (long long)wanted));
        return ltap_refuse_unknown(search, name, error);
    }
    if (child == LTAP_NO_MODULE)
        return ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                              "'%s' has %lld modules inside in %s: there is no '%s[%lld]'", path,
                              (long long)all.count, search->model_name, path, (long long)index);
    ltap_thing thing = {.kind = "module",
                        .name = ltap_layers_at(layers, child)->path,
                        .module = child,
                        .call = LTAP_BARE};
    if (!all.numbered)
        LTAP_TRY(ltap_arena_format(search->arena, &thing.note, error,
                                   "number %lld of %lld inside '%s', as they run",
                                   (long long)wanted, (long long)all.count, path));
    ltap_things_add(things, thing);
    return LTAP_OK;
}

ltap_status ltap_things_child(const ltap_search *search, const char *selector, ltap_things *things,
                              ltap_error *error)
{
    const char *type = ltap_operator_of(selector), *base;
    size_t bytes = strlen(selector);
    int64_t index;
    if (!ltap_index_cut(selector, &bytes, &index))
        return LTAP_OK;
    if (type != NULL)
        return find_operators(search, type, bytes - (size_t)(type - selector), index, things,
                              error);
    if (index == LTAP_NO_INDEX)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_text(search->arena, selector, bytes, &base, error));
    LTAP_TRY(ltap_things_find(search, base, things, error));
    for (size_t i = 0; i < things->count; i++)
        if (strcmp(things->items[i].kind, "module") == 0)
            return find_module_child(search, things->items[i].module, index, things, error);
    things->count = things->n_found = 0;
    return LTAP_OK;
}
