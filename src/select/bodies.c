/* Names inside the bodies of If, Loop and Scan: "If_3.then.conv" is what makes "conv" in the branch
 * that runs if the condition holds. What such a body makes is not handed out, so a name of it is
 * refused, but as what it is.
 */
#include "base/error.h"
#include "select/things.h"
#include <string.h>

#define MAX_DEPTH 16 /* bodies in bodies that are looked into */

typedef struct body_search {
    const ltap_search *search;
    const char *name;
    const ltap_node *node;  /* the outermost one around what was found */
    const char *path;       /* "If_3.then.conv" */
    const char *inner_name; /* "conv" */
} body_search;

/* "then" of "then_branch"; "body". */
static const char *label_of(const ltap_attr *attr, size_t *bytes)
{
    static const char branch[] = "_branch";
    size_t n = strlen(branch);
    *bytes = strlen(attr->name);
    if (*bytes > n && strcmp(attr->name + *bytes - n, branch) == 0)
        *bytes -= n;
    return attr->name;
}

static const char *name_of(const ltap_graph *graph, const ltap_node *node)
{
    bool unnamed =
        node->name[0] == '\0' && node->n_outputs > 0 && node->outputs[0] != LTAP_NO_VALUE;
    return unnamed ? ltap_graph_at(graph, node->outputs[0])->name : node->name;
}

/* The name as it stands, or behind the path of the body. */
static bool is_wanted(const body_search *body, const char *around, const char *name)
{
    size_t above = strlen(around);
    if (name[0] == '\0' || name[0] == '\1')
        return false;
    return strcmp(body->name, name) == 0 ||
           (strncmp(body->name, around, above) == 0 && body->name[above] == '.' &&
            strcmp(body->name + above + 1, name) == 0);
}

static ltap_status look_at_node(body_search *body, const ltap_graph *graph, const ltap_node *node,
                                const char *around, ltap_error *error)
{
    const char *found = is_wanted(body, around, node->name) ? node->name : NULL;
    for (size_t i = 0; i < node->n_outputs && found == NULL; i++)
        if (node->outputs[i] != LTAP_NO_VALUE &&
            is_wanted(body, around, ltap_graph_at(graph, node->outputs[i])->name))
            found = ltap_graph_at(graph, node->outputs[i])->name;
    if (found == NULL)
        return LTAP_OK;
    body->inner_name = found;
    return ltap_arena_format(body->search->arena, &body->path, error, "%s.%s", around, found);
}

/* Bodies of a node, each by its path. */
static ltap_status look_into_node(body_search *body, const ltap_graph *graph, const ltap_node *node,
                                  const char *around, int depth, ltap_error *error)
{
    for (size_t a = 0; a < node->n_attrs && body->path == NULL; a++) {
        const ltap_attr *attr = &node->attrs[a];
        size_t bytes;
        const char *label = label_of(attr, &bytes), *path;
        if (attr->kind != LTAP_ATTR_GRAPH || depth == MAX_DEPTH)
            continue;
        LTAP_TRY(ltap_arena_format(body->search->arena, &path, error, "%s%s%s.%.*s", around,
                                   around[0] != '\0' ? "." : "", name_of(graph, node), (int)bytes,
                                   label));
        const ltap_graph *inner = attr->u.graphs[0];
        for (uint32_t n = 0; n < inner->nodes.count && body->path == NULL; n++) {
            const ltap_node *at = ltap_graph_node(inner, n);
            LTAP_TRY(look_at_node(body, inner, at, path, error));
            if (body->path == NULL)
                LTAP_TRY(look_into_node(body, inner, at, path, depth + 1, error));
        }
    }
    return LTAP_OK;
}

ltap_status ltap_refuse_inside(const ltap_search *search, const char *name, bool *refused,
                               ltap_error *error)
{
    const ltap_graph *graph = search->layers->graph;
    body_search body = {.search = search, .name = name};
    for (uint32_t n = 0; n < graph->nodes.count && body.path == NULL; n++) {
        body.node = ltap_graph_node(graph, n);
        LTAP_TRY(look_into_node(&body, graph, body.node, "", 0, error));
    }
    *refused = body.path != NULL;
    if (!*refused)
        return LTAP_OK;
    return ltap_error_set(
        error, LTAP_ERROR_UNKNOWN_LAYER,
        "'%s' ('%s') runs inside %s '%s' of %s, which hands out only its results: "
        "ask for '%s', or what it is given, '%s:in'",
        body.inner_name, body.path, body.node->op_type, name_of(graph, body.node),
        search->model_name, name_of(graph, body.node), name_of(graph, body.node));
}
