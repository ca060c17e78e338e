/* Names inside the bodies of If, Loop and Scan; see bodies.h. */
#include "select/bodies.h"

#include "base/error.h"
#include "select/things.h"
#include <string.h>

enum { MAX_DEPTH = 16, MAX_PATH = 4096 }; /* what lies deeper, or is longer, has no name */

/* "then" of "then_branch"; "body". */
static size_t label_bytes(const ltap_attr *attr)
{
    static const char branch[] = "_branch";
    size_t n = strlen(branch), bytes = strlen(attr->name);
    bool is_branch = bytes > n && strcmp(attr->name + bytes - n, branch) == 0;
    return is_branch ? bytes - n : bytes;
}

static const char *name_of(const ltap_graph *graph, const ltap_node *node)
{
    if (node->name[0] != '\0')
        return node->name;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != LTAP_NO_VALUE)
            return ltap_graph_at(graph, node->outputs[i])->name;
    return "";
}

const char *ltap_bodies_name(const ltap_inside *inside)
{
    return name_of(inside->graph, inside->node);
}

static ltap_status walk(const ltap_inside *around, int depth, ltap_arena *arena, ltap_vector *found,
                        ltap_error *error);

/* The nodes of a body, and what is in theirs. */
static ltap_status walk_body(const ltap_inside *around, const ltap_attr *attr, int depth,
                             ltap_arena *arena, ltap_vector *found, ltap_error *error)
{
    const ltap_graph *graph = attr->u.graphs[0];
    const char *name = ltap_bodies_name(around);
    ltap_inside inside = {.graph = graph, .outer = around->outer};
    if (strlen(around->around) + strlen(name) > MAX_PATH)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_format(arena, &inside.around, error, "%s%s%s.%.*s", around->around,
                               around->around[0] != '\0' ? "." : "", name, (int)label_bytes(attr),
                               attr->name));
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        inside.node = ltap_graph_node(graph, i);
        LTAP_TRY(ltap_vector_push(found, &inside, error));
        LTAP_TRY(walk(&inside, depth + 1, arena, found, error));
    }
    return LTAP_OK;
}

static ltap_status walk(const ltap_inside *around, int depth, ltap_arena *arena, ltap_vector *found,
                        ltap_error *error)
{
    for (size_t i = 0; i < around->node->n_attrs && depth < MAX_DEPTH; i++)
        if (around->node->attrs[i].kind == LTAP_ATTR_GRAPH)
            LTAP_TRY(walk_body(around, &around->node->attrs[i], depth, arena, found, error));
    return LTAP_OK;
}

ltap_status ltap_bodies_walk(const ltap_graph *graph, ltap_arena *arena, ltap_vector *found,
                             ltap_error *error)
{
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(graph, i);
        const ltap_inside top = {"", graph, node, node};
        LTAP_TRY(walk(&top, 0, arena, found, error));
    }
    return LTAP_OK;
}

static bool is_path(const char *selector, const ltap_inside *inside, const char *name)
{
    size_t above = strlen(inside->around);
    return strncmp(selector, inside->around, above) == 0 && selector[above] == '.' &&
           strcmp(selector + above + 1, name) == 0;
}

/* The first output that is there. */
static size_t first_slot(const ltap_node *node)
{
    size_t slot = 0;
    while (slot + 1 < node->n_outputs && node->outputs[slot] == LTAP_NO_VALUE)
        slot++;
    return slot;
}

/* A node's name before its values'; `whole`: with the path in front. */
static bool find_end(const ltap_inside *inside, const char *selector, bool whole,
                     ltap_inside_end *end)
{
    const ltap_node *node = inside->node;
    *end = (ltap_inside_end){inside, ltap_bodies_name(inside), "node", first_slot(node)};
    if (node->name[0] != '\0' &&
        (whole ? is_path(selector, inside, node->name) : strcmp(selector, node->name) == 0))
        return true;
    end->kind = "value";
    for (end->slot = 0; end->slot < node->n_outputs; end->slot++) {
        if (node->outputs[end->slot] == LTAP_NO_VALUE)
            continue;
        end->name = ltap_graph_at(inside->graph, node->outputs[end->slot])->name;
        if (end->name[0] != '\0' && end->name[0] != '\1' &&
            (whole ? is_path(selector, inside, end->name) : strcmp(selector, end->name) == 0))
            return true;
    }
    return false;
}

static ltap_status match_path(const ltap_inside *inside, const char *pattern, ltap_arena *arena,
                              bool *matches, ltap_error *error)
{
    const char *path;
    void *states;
    LTAP_TRY(
        ltap_arena_format(arena, &path, error, "%s.%s", inside->around, ltap_bodies_name(inside)));
    LTAP_TRY(ltap_arena_take(arena, strlen(path) + 1, 1, &states, error));
    *matches = ltap_glob_match(pattern, strlen(pattern), path, strlen(path), states);
    return LTAP_OK;
}

static ltap_status find_pattern(const ltap_vector *found, const char *pattern, ltap_arena *arena,
                                ltap_vector *ends, ltap_error *error)
{
    for (size_t i = 0; i < found->count; i++) {
        const ltap_inside *inside = LTAP_VECTOR_AT(found, ltap_inside, i);
        ltap_inside_end end = {inside, ltap_bodies_name(inside), "node", first_slot(inside->node)};
        bool matches;
        LTAP_TRY(match_path(inside, pattern, arena, &matches, error));
        if (matches)
            LTAP_TRY(ltap_vector_push(ends, &end, error));
    }
    return LTAP_OK;
}

ltap_status ltap_bodies_find(const ltap_vector *found, const char *selector, ltap_arena *arena,
                             ltap_vector *ends, ltap_error *error)
{
    size_t had = ends->count;
    for (int whole = 1; whole >= 0 && ends->count == had; whole--)
        for (size_t i = 0; i < found->count; i++) {
            ltap_inside_end end;
            if (find_end(LTAP_VECTOR_AT(found, ltap_inside, i), selector, whole != 0, &end))
                LTAP_TRY(ltap_vector_push(ends, &end, error));
        }
    if (ends->count == had && ltap_glob_is(selector))
        return find_pattern(found, selector, arena, ends, error);
    return LTAP_OK;
}

/* What a request for a name inside is told. */
static ltap_status refuse(const ltap_search *search, const ltap_inside_end *end, ltap_error *error)
{
    const ltap_inside *inside = end->inside;
    const char *outer = name_of(search->layers->graph, inside->outer);
    return ltap_error_set(
        error, LTAP_ERROR_UNKNOWN_LAYER,
        "'%s' ('%s.%s') runs inside %s '%s' of %s, which hands out only its results: "
        "ask for '%s', or what it is given, '%s:in'; hooks and interventions reach inside",
        end->name, inside->around, end->name, inside->outer->op_type, outer, search->model_name,
        outer, outer);
}

ltap_status ltap_refuse_inside(const ltap_search *search, const char *name, bool *refused,
                               ltap_error *error)
{
    ltap_status status;
    ltap_vector found, ends;
    ltap_arena *arena = search->arena;
    *refused = false;
    ltap_vector_init(&found, arena->memory, sizeof(ltap_inside));
    ltap_vector_init(&ends, arena->memory, sizeof(ltap_inside_end));
    LTAP_GO(ltap_bodies_walk(search->layers->graph, arena, &found, error));
    LTAP_GO(ltap_bodies_find(&found, name, arena, &ends, error));
    *refused = ends.count > 0;
    if (*refused)
        status = refuse(search, LTAP_VECTOR_AT(&ends, ltap_inside_end, 0), error);
done:
    ltap_vector_clear(&ends);
    ltap_vector_clear(&found);
    return status;
}
