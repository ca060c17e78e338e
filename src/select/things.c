/* Names to things: exact names of all kinds first, then a table of prefixes, then calls. A real
 * name always wins over syntax, whatever characters are in it.
 */
#include "select/things.h"

#include "base/error.h"
#include <string.h>

#define MAX_COUNTED 1000 /* nodes of one name; a file may have any number */

void ltap_things_add(ltap_things *things, ltap_thing thing)
{
    if (things->count < LTAP_MAX_THINGS)
        things->items[things->count++] = thing;
    things->n_found++;
}

static void add_module(const ltap_search *search, uint32_t module, ltap_things *things)
{
    ltap_things_add(things, (ltap_thing){.kind = "module",
                                         .name = ltap_layers_at(search->layers, module)->path,
                                         .module = module,
                                         .call = LTAP_BARE});
}

static void find_module(const ltap_search *search, const char *name, ltap_things *things)
{
    uint32_t module;
    if (ltap_layers_find(search->layers, name, &module))
        add_module(search, module, things);
}

/* A scope as the file writes it. */
static void find_alias(const ltap_search *search, const char *name, ltap_things *things)
{
    uint32_t module;
    if (ltap_map_get(&search->layers->module_by_alias, name, strlen(name), &module) &&
        module != LTAP_NO_MODULE)
        add_module(search, module, things);
}

static void find_node(const ltap_search *search, const char *name, ltap_things *things)
{
    const ltap_layers *layers = search->layers;
    uint32_t node;
    if (!ltap_map_get(&layers->node_by_name, name, strlen(name), &node))
        return;
    for (; node != LTAP_NO_NODE && things->n_found < MAX_COUNTED; node = layers->same_name[node])
        ltap_things_add(things, (ltap_thing){.kind = "node",
                                             .name = ltap_graph_node(layers->graph, node)->name,
                                             .node = node});
}

static void add_value(const ltap_search *search, const char *kind, const char *name, uint32_t value,
                      ltap_things *things)
{
    const ltap_value *v = ltap_graph_at(search->layers->graph, value);
    ltap_things_add(
        things, (ltap_thing){.kind = kind, .name = name != NULL ? name : v->name, .value = value});
}

static void find_input(const ltap_search *search, const char *name, ltap_things *things)
{
    const ltap_graph *graph = search->layers->graph;
    uint32_t value;
    if (ltap_graph_find(graph, name, &value) && ltap_graph_at(graph, value)->is_input)
        add_value(search, "input", NULL, value, things);
}

static void find_output(const ltap_search *search, const char *name, ltap_things *things)
{
    const ltap_graph *graph = search->layers->graph;
    uint32_t i;
    if (ltap_map_get(&search->layers->output_by_name, name, strlen(name), &i))
        add_value(search, "output", *LTAP_VECTOR_AT(&graph->output_names, const char *, i),
                  *LTAP_VECTOR_AT(&graph->outputs, uint32_t, i), things);
}

static bool is_port(const ltap_thing *thing)
{
    return strcmp(thing->kind, "input") == 0 || strcmp(thing->kind, "output") == 0;
}

/* Statistics and masks that a reader left out keep their names, but nobody makes them. */
static bool is_made(const ltap_value *value)
{
    return value->producer != LTAP_NO_NODE || value->constant != NULL || value->is_input;
}

/* Made-up names are not the file's, and cannot be asked for. An input's own value says nothing new.
 */
static void find_value(const ltap_search *search, const char *name, ltap_things *things)
{
    uint32_t value;
    if (name[0] == '\1' || !ltap_graph_find(search->layers->graph, name, &value) ||
        !is_made(ltap_graph_at(search->layers->graph, value)))
        return;
    for (size_t i = 0; i < things->count; i++)
        if (is_port(&things->items[i]) && things->items[i].value == value)
            return;
    add_value(search, "value", NULL, value, things);
}

static bool position_in(const char *text, const ltap_vector *list, uint32_t *value)
{
    size_t n = strlen(text), index = 0;
    if (n == 0 || n > 9 || strspn(text, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        index = index * 10 + (size_t)(text[i] - '0');
    if (index >= list->count)
        return false;
    *value = *LTAP_VECTOR_AT(list, uint32_t, index);
    return true;
}

static void find_input_at(const ltap_search *search, const char *text, ltap_things *things)
{
    uint32_t value;
    if (position_in(text, &search->layers->graph->inputs, &value))
        add_value(search, "input", NULL, value, things);
}

static void find_output_at(const ltap_search *search, const char *text, ltap_things *things)
{
    const ltap_graph *graph = search->layers->graph;
    uint32_t value;
    if (!position_in(text, &graph->outputs, &value))
        return;
    for (size_t i = 0; i < graph->outputs.count && i < graph->output_names.count; i++)
        if (*LTAP_VECTOR_AT(&graph->outputs, uint32_t, i) == value) {
            add_value(search, "output", *LTAP_VECTOR_AT(&graph->output_names, const char *, i),
                      value, things);
            return;
        }
}

/* One kind of name: how it is found literally, and otherwise. The order is that in which a value
 * with several names is known. */
typedef struct kind_row {
    const char *prefix;
    void (*find)(const ltap_search *search, const char *name, ltap_things *things);
    void (*find_at)(const ltap_search *search, const char *text, ltap_things *things);
} kind_row;

static const kind_row kind_rows[] = {
    {"module:", find_module, NULL},        {"node:", find_node, NULL},
    {"input:", find_input, find_input_at}, {"output:", find_output, find_output_at},
    {"value:", find_value, NULL},
};
#define N_KINDS (sizeof kind_rows / sizeof *kind_rows)

static void find_exact(const ltap_search *search, const char *name, ltap_things *things)
{
    for (size_t i = 0; i < N_KINDS; i++)
        kind_rows[i].find(search, name, things);
}

static void find_prefixed(const ltap_search *search, const char *name, ltap_things *things)
{
    for (size_t i = 0; i < N_KINDS && things->count == 0; i++) {
        size_t n = strlen(kind_rows[i].prefix);
        if (strncmp(name, kind_rows[i].prefix, n) != 0)
            continue;
        kind_rows[i].find(search, name + n, things);
        if (things->count == 0 && kind_rows[i].find_at != NULL)
            kind_rows[i].find_at(search, name + n, things);
    }
}

bool ltap_number_cut(const char *name, char separator, size_t *bytes, uint32_t *number)
{
    size_t end = strlen(name), start = end;
    while (start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9')
        start--;
    if (start < 2 || start == end || end - start > 8 || name[start - 1] != separator ||
        (name[start] == '0' && end - start > 1))
        return false;
    *number = 0;
    for (size_t i = start; i < end; i++)
        *number = *number * 10 + (uint32_t)(name[i] - '0');
    *bytes = start - 1;
    return true;
}

static ltap_status find_call(const ltap_search *search, const char *name, ltap_things *things,
                             ltap_error *error)
{
    static const char separators[] = "#_"; /* ours, and torchvision's "relu_1" for the second */
    for (size_t i = 0; separators[i] != '\0' && things->count == 0; i++) {
        size_t bytes;
        uint32_t number;
        const char *base;
        if (!ltap_number_cut(name, separators[i], &bytes, &number))
            continue;
        LTAP_TRY(ltap_arena_text(search->arena, name, bytes, &base, error));
        find_module(search, base, things);
        if (things->count == 0 && separators[i] == '#')
            find_prefixed(search, base, things);
        const ltap_module *module =
            things->count == 1 && strcmp(things->items[0].kind, "module") == 0
                ? ltap_layers_at(search->layers, things->items[0].module)
                : NULL;
        if (module != NULL && (separators[i] == '#' || (number > 0 && number < module->n_calls)))
            things->items[0].call = number;
        else
            *things = (ltap_things){.count = 0};
    }
    return LTAP_OK;
}

ltap_status ltap_things_find(const ltap_search *search, const char *name, ltap_things *things,
                             ltap_error *error)
{
    things->count = things->n_found = 0;
    find_exact(search, name, things);
    if (things->count == 0)
        find_alias(search, name, things);
    if (things->count == 0)
        find_prefixed(search, name, things);
    if (things->count == 0)
        LTAP_TRY(find_call(search, name, things, error));
    return LTAP_OK;
}

ltap_status ltap_thing_name(const ltap_search *search, const ltap_thing *thing, const char **name,
                            ltap_error *error)
{
    *name = thing->name;
    if (strcmp(thing->kind, "module") != 0 || thing->call == LTAP_BARE ||
        ltap_layers_at(search->layers, thing->module)->n_calls < 2)
        return LTAP_OK;
    return ltap_arena_format(search->arena, name, error, "%s#%u", thing->name,
                             (unsigned)thing->call);
}
