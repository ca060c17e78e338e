/* Other ways to write a name that people bring from elsewhere, tried where nothing is found as
 * written: slashes for dots, "node:slot", MXNet's "_fwd" and "_output", prefixes that wrappers of a
 * module add, and names that are complete but for what stands before a slash.
 */
#include "base/error.h"
#include "select/things.h"
#include <ctype.h>
#include <string.h>

/* "layer1/0/conv1" */
static ltap_status slashes_to_dots(const ltap_search *search, const char *name, const char **other,
                                   ltap_error *error)
{
    const char *copy;
    *other = NULL;
    if (strchr(name, '/') == NULL)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_text(search->arena, name + (name[0] == '/'),
                             strlen(name) - (name[0] == '/'), &copy, error));
    for (char *p = (char *)(uintptr_t)copy; *p != '\0'; p++)
        *p = *p == '/' ? '.' : *p;
    *other = copy;
    return LTAP_OK;
}

/* "/layer1/Split:1", the output of a node, as TensorFlow and tract count them. */
static ltap_status slot_to_end(const ltap_search *search, const char *name, const char **other,
                               ltap_error *error)
{
    const char *colon = strrchr(name, ':');
    uint32_t node;
    *other = NULL;
    if (colon == NULL || colon[1] == '\0' || strlen(colon) > 7 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !ltap_map_get(&search->layers->node_by_name, name, (size_t)(colon - name), &node))
        return LTAP_OK;
    return ltap_arena_format(search->arena, other, error, "node:%.*s:out[%s]", (int)(colon - name),
                             name, colon + 1);
}

/* "stage1_conv0", whose operation MXNet calls "stage1_conv0_fwd". */
static ltap_status add_forward(const ltap_search *search, const char *name, const char **other,
                               ltap_error *error)
{
    return ltap_arena_format(search->arena, other, error, "%s_fwd", name);
}

static ltap_status cut_suffix(const ltap_search *search, const char *name, const char *suffix,
                              const char **other, ltap_error *error)
{
    size_t bytes = strlen(name), n = strlen(suffix);
    *other = NULL;
    if (bytes <= n || strcmp(name + bytes - n, suffix) != 0)
        return LTAP_OK;
    return ltap_arena_text(search->arena, name, bytes - n, other, error);
}

/* "fc1_output" of MXNet's get_internals(). */
static ltap_status cut_output(const ltap_search *search, const char *name, const char **other,
                              ltap_error *error)
{
    return cut_suffix(search, name, "_output", other, error);
}

/* "conv2d/Relu:0" in a file whose names have no slots. */
static ltap_status cut_slot(const ltap_search *search, const char *name, const char **other,
                            ltap_error *error)
{
    return cut_suffix(search, name, ":0", other, error);
}

/* Names as DataParallel, torch.compile and TensorFlow's functions make them. */
static ltap_status cut_wrapper(const ltap_search *search, const char *name, const char **other,
                               ltap_error *error)
{
    static const char *const wrappers[] = {"module.", "_orig_mod.", "StatefulPartitionedCall/"};
    (void)search;
    (void)error;
    *other = NULL;
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0)
            *other = name + strlen(wrappers[i]);
    return LTAP_OK;
}

const ltap_spelling ltap_spellings[] = {{slashes_to_dots}, {slot_to_end}, {add_forward},
                                        {cut_output},      {cut_slot},    {cut_wrapper}};
const size_t ltap_spellings_count = sizeof ltap_spellings / sizeof *ltap_spellings;

static bool ends_with(const char *name, const char *tail, size_t bytes)
{
    size_t n = strlen(name);
    return n > bytes && name[n - bytes - 1] == '/' && strcmp(name + n - bytes, tail) == 0;
}

void ltap_things_tail(const ltap_search *search, const char *name, ltap_things *things)
{
    const ltap_layers *layers = search->layers;
    const ltap_graph *graph = layers->graph;
    size_t bytes = strlen(name);
    if (bytes == 0)
        return;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        uint32_t found;
        if (ends_with(node->name, name, bytes) &&
            ltap_map_get(&layers->node_by_name, node->name, strlen(node->name), &found))
            ltap_things_add(things, (ltap_thing){.kind = "node", .name = node->name, .node = n});
    }
    for (uint32_t v = 0; v < graph->values.count; v++)
        if (ends_with(ltap_graph_at(graph, v)->name, name, bytes))
            ltap_things_add(
                things,
                (ltap_thing){.kind = "value", .name = ltap_graph_at(graph, v)->name, .value = v});
}
