/* Paths of modules from what the TorchScript exporter left of them.
 *
 * Each component is a qualified name cut to begin at its last part that is not all digits, and
 * modules that are never called (lists, holders) leave none. What was cut is put back from the
 * component around it; what was lost, from the full names of the weights that the calls use.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

bool ltap_path_is_inside(const char *path, const char *module)
{
    size_t n = strlen(module);
    return strncmp(path, module, n) == 0 && (path[n] == '.' || path[n] == '\0');
}

bool ltap_name_is_usable(const char *name)
{
    return strnlen(name, LTAP_MAX_SCOPE_NAME + 1) <= LTAP_MAX_SCOPE_NAME;
}

bool ltap_name_number(const char *parent, const char *path, uint32_t *number)
{
    size_t above = strlen(parent);
    if (above > 0 && (strncmp(path, parent, above) != 0 || path[above] != '.'))
        return false;
    const char *digits = path + above + (above > 0);
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 6 || digits[n] != '\0')
        return false;
    *number = 0;
    for (size_t i = 0; i < n; i++)
        *number = *number * 10 + (uint32_t)(digits[i] - '0');
    return true;
}

/* Length of the longest proper prefix of the component, at a dot, that the parent's path ends with:
 * "convs.0.0" inside "classifier.0.convs.0" -> length of "convs.0". 0: none. */
static size_t shared_part(const char *component, const char *parent)
{
    size_t parent_bytes = strlen(parent);
    for (size_t i = strlen(component); i > 0; i--) {
        if (component[i] != '.' || i > parent_bytes)
            continue;
        const char *tail = parent + parent_bytes - i;
        if (memcmp(tail, component, i) == 0 && (tail == parent || tail[-1] == '.'))
            return i;
    }
    return 0;
}

/* "convs.0.0": parts after the first, and those begin with a digit. */
static bool is_numbered(const char *component)
{
    const char *dot = strchr(component, '.');
    return dot != NULL && dot[1] >= '0' && dot[1] <= '9';
}

static ltap_status join(ltap_tree *tree, const char *parent, const char *rest, const char **path,
                        ltap_error *error)
{
    return ltap_arena_format(&tree->layers->arena, path, error, "%s%s%s", parent,
                             parent[0] != '\0' ? "." : "", rest);
}

static const char *component_of(const ltap_tree *tree, const ltap_tree_call *piece)
{
    const ltap_step *step = &ltap_tree_chain(tree, piece->begin)->steps[piece->depth];
    return ltap_scopes_at(tree->scopes, step->scope)->component;
}

/* How many bytes of a weight's name are a module's path that is cut to this component and extends
 * the parent's path; 0: none. The shortest, as scopes are as near to the root as they can be. */
static size_t path_in_weight(const char *weight, const char *component, const char *parent)
{
    size_t above = strlen(parent), bytes = strlen(component);
    if (above > 0 && (strncmp(weight, parent, above) != 0 || weight[above] != '.'))
        return 0;
    for (const char *p = weight + above + (above > 0); *p != '\0'; p++) {
        if (*p != '.')
            continue;
        size_t end = (size_t)(p - weight), cut = ltap_name_cut(weight, end);
        if (end - cut == bytes && memcmp(weight + cut, component, bytes) == 0)
            return end;
    }
    return 0;
}

/* What the weights used between begin and end agree on; NULL: nothing, or they disagree (torn). */
static const char *agreed(const ltap_tree *tree, const ltap_tree_call *piece, const char *parent,
                          size_t *bytes, bool *torn)
{
    const ltap_graph *graph = tree->layers->graph;
    const char *component = component_of(tree, piece), *found = NULL;
    for (uint32_t place = piece->begin; place < piece->end; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        for (size_t i = 0; i < node->n_inputs; i++) {
            if (ltap_flow_weight(graph, node, i) == LTAP_NO_VALUE)
                continue;
            const char *name = ltap_graph_at(graph, node->inputs[i])->name;
            size_t length = ltap_name_is_usable(name) ? path_in_weight(name, component, parent) : 0;
            if (length == 0)
                continue;
            *torn = found != NULL && (length != *bytes || memcmp(found, name, length) != 0);
            if (*torn)
                return NULL;
            found = name;
            *bytes = length;
        }
    }
    return found;
}

/* "x.1" inside "y": the exporter named the module "x.1" where it was first found, and it runs here
 * again. So it is, where the file has such a module that begins alike. */
static bool runs_elsewhere(const ltap_tree *tree, const ltap_tree_call *piece)
{
    const char *component = component_of(tree, piece);
    uint32_t module;
    if (!ltap_layers_find(tree->layers, component, &module))
        return false;
    const ltap_tree_call *call =
        ltap_tree_at(tree, *LTAP_VECTOR_AT(&tree->first_calls, uint32_t, module));
    const ltap_node *mine = ltap_tree_node(tree, piece->begin);
    const ltap_node *its = ltap_tree_node(tree, call->begin);
    return call->end - call->begin == piece->end - piece->begin &&
           strcmp(mine->op_type, its->op_type) == 0;
}

ltap_status ltap_tree_path(ltap_tree *tree, const ltap_tree_call *piece, const char *parent,
                           const char **path, bool *torn, ltap_error *error)
{
    const ltap_step *step = &ltap_tree_chain(tree, piece->begin)->steps[piece->depth];
    const ltap_scope *scope = ltap_scopes_at(tree->scopes, step->scope);
    size_t bytes = 0;
    *torn = false;
    if (scope->full_path)
        return ltap_arena_text(&tree->layers->arena, scope->component, strlen(scope->component),
                               path, error);
    const char *weight = agreed(tree, piece, parent, &bytes, torn);
    if (weight != NULL)
        return ltap_arena_text(&tree->layers->arena, weight, bytes, path, error);
    if (!is_numbered(scope->component))
        return join(tree, parent, scope->component, path, error);
    size_t shared = shared_part(scope->component, parent);
    if (shared > 0)
        return join(tree, parent, scope->component + shared + 1, path, error);
    if (parent[0] != '\0' && runs_elsewhere(tree, piece))
        return ltap_arena_text(&tree->layers->arena, scope->component, strlen(scope->component),
                               path, error);
    return join(tree, parent, scope->component, path, error);
}
