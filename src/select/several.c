/* Selectors that stand for several layers. A pattern is held against the names of the list, with
 * and without what tells a call or a folded value apart, so that "layer1.*.relu" gives every call
 * of both; "node:", "value:", "input:" and "output:" patterns against all names of that kind. What
 * the list does not name by itself is named so that it resolves.
 */
#include "base/error.h"
#include "select/things.h"
#include <string.h>

typedef struct matching {
    const ltap_search *search;
    const ltap_vector *listed;
    const char *pattern; /* without prefix and end */
    size_t bytes;
    const char *end; /* ":in[1]" */
    uint8_t *states;
    ltap_vector *names;
} matching;

/* "**.conv" is any module's "conv", the network's own too. */
static bool matches(const matching *match, const char *name, size_t bytes)
{
    const char *pattern = match->pattern;
    bool anywhere = match->bytes > 3 && pattern[0] == '*' && pattern[1] == '*' &&
                    (pattern[2] == '.' || pattern[2] == '/');
    return ltap_glob_match(pattern, match->bytes, name, bytes, match->states) ||
           (anywhere && ltap_glob_match(pattern + 3, match->bytes - 3, name, bytes, match->states));
}

static ltap_status push(matching *match, const char *prefix, const char *name, ltap_error *error)
{
    if (prefix[0] != '\0' || match->end[0] != '\0')
        LTAP_TRY(ltap_arena_format(match->search->arena, &name, error, "%s%s%s", prefix, name,
                                   match->end));
    return ltap_vector_push(match->names, &name, error);
}

/* Without "module:", "node:" and so on, which a listed name has where it would mean two things. */
static const char *without_kind(const char *name)
{
    static const char *const prefixes[] = {"module:", "node:", "value:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return name + strlen(prefixes[i]);
    return name;
}

/* Whether --calls leaves this call of several out. */
static bool other_call(const matching *match, const ltap_listed *line)
{
    const ltap_layers *layers = match->search->layers;
    if (line->module == LTAP_NO_MODULE || match->search->calls == LTAP_CALLS_REFUSE)
        return false;
    size_t count = ltap_layers_at(layers, line->module)->n_calls;
    return line->call != (match->search->calls == LTAP_CALLS_FIRST ? 0 : count - 1);
}

/* Length without ":folded". */
static size_t folded_at(const char *name)
{
    static const char folded[] = ":folded";
    size_t bytes = strlen(name), n = strlen(folded);
    return bytes > n && strcmp(name + bytes - n, folded) == 0 ? bytes - n : bytes;
}

/* A pattern that says a call, "relu#*", is held against the call's whole name, any other against
 * the module's path. */
static bool line_matches(const matching *match, const ltap_listed *line)
{
    const char *name = without_kind(line->name);
    if (line->module == LTAP_NO_MODULE)
        return matches(match, name, strlen(name));
    if (memchr(match->pattern, '#', match->bytes) != NULL)
        return matches(match, name, folded_at(name));
    const char *path = ltap_layers_at(match->search->layers, line->module)->path;
    return !other_call(match, line) && matches(match, path, strlen(path));
}

static ltap_status match_lines(matching *match, bool modules_only, ltap_error *error)
{
    for (size_t i = 0; i < match->listed->count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(match->listed, ltap_listed, i);
        bool port = line->kind == LTAP_LAYER_INPUT || line->kind == LTAP_LAYER_OUTPUT;
        if (!port && (!modules_only || line->module != LTAP_NO_MODULE) && line_matches(match, line))
            LTAP_TRY(push(match, "", line->name, error));
    }
    return LTAP_OK;
}

static ltap_status match_modules(matching *match, ltap_error *error)
{
    return match_lines(match, true, error);
}

static ltap_status match_nodes(matching *match, ltap_error *error)
{
    const ltap_layers *layers = match->search->layers;
    for (uint32_t n = 0; n < layers->graph->nodes.count; n++) {
        const char *name = ltap_graph_node(layers->graph, n)->name;
        uint32_t first;
        if (!ltap_map_get(&layers->node_by_name, name, strlen(name), &first) || first != n ||
            !matches(match, name, strlen(name)))
            continue;
        LTAP_TRY(push(match, "node:", name, error));
    }
    return LTAP_OK;
}

static ltap_status match_values(matching *match, ltap_error *error)
{
    const ltap_layers *layers = match->search->layers;
    for (uint32_t v = 0; v < layers->graph->values.count; v++) {
        const char *name = ltap_graph_at(layers->graph, v)->name;
        if (layers->data[v] && name[0] != '\1' && matches(match, name, strlen(name)))
            LTAP_TRY(push(match, "value:", name, error));
    }
    return LTAP_OK;
}

static ltap_status match_inputs(matching *match, ltap_error *error)
{
    const ltap_graph *graph = match->search->layers->graph;
    for (size_t i = 0; i < graph->inputs.count; i++) {
        const char *name = ltap_graph_at(graph, *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i))->name;
        if (matches(match, name, strlen(name)))
            LTAP_TRY(push(match, "input:", name, error));
    }
    return LTAP_OK;
}

static ltap_status match_outputs(matching *match, ltap_error *error)
{
    const ltap_graph *graph = match->search->layers->graph;
    for (size_t i = 0; i < graph->output_names.count; i++) {
        const char *name = *LTAP_VECTOR_AT(&graph->output_names, const char *, i);
        if (matches(match, name, strlen(name)))
            LTAP_TRY(push(match, "output:", name, error));
    }
    return LTAP_OK;
}

typedef struct kind_row {
    const char *prefix;
    ltap_status (*match)(matching *match, ltap_error *error);
} kind_row;

static const kind_row kind_rows[] = {{"module:", match_modules},
                                     {"node:", match_nodes},
                                     {"value:", match_values},
                                     {"input:", match_inputs},
                                     {"output:", match_outputs}};

/* Nodes of a type, by their names in the list. */
static ltap_status match_operator(matching *match, const char *type, size_t bytes,
                                  ltap_error *error)
{
    for (size_t i = 0; i < match->listed->count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(match->listed, ltap_listed, i);
        if (line->node == LTAP_NO_NODE)
            continue;
        const ltap_node *node = ltap_graph_node(match->search->layers->graph, line->node);
        if (ltap_operator_is(node, type, bytes) ||
            ltap_glob_match(type, bytes, node->op_type, strlen(node->op_type), match->states))
            LTAP_TRY(push(match, "", line->name, error));
    }
    return LTAP_OK;
}

static ltap_status match_kind(matching *match, ltap_error *error)
{
    for (size_t i = 0; i < sizeof kind_rows / sizeof *kind_rows; i++) {
        size_t n = strlen(kind_rows[i].prefix);
        if (match->bytes < n || strncmp(match->pattern, kind_rows[i].prefix, n) != 0)
            continue;
        match->pattern += n;
        match->bytes -= n;
        return kind_rows[i].match(match, error);
    }
    return match_lines(match, false, error);
}

static ltap_status take_states(matching *match, ltap_error *error)
{
    const ltap_graph *graph = match->search->layers->graph;
    size_t longest = 0;
    void *block;
    for (size_t i = 0; i < match->listed->count; i++) {
        size_t bytes = strlen(LTAP_VECTOR_AT(match->listed, ltap_listed, i)->name);
        longest = bytes > longest ? bytes : longest;
    }
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        size_t bytes = strlen(node->name), type = strlen(node->op_type);
        longest = bytes > longest ? bytes : longest;
        longest = type > longest ? type : longest;
    }
    for (uint32_t v = 0; v < graph->values.count; v++) {
        size_t bytes = strlen(ltap_graph_at(graph, v)->name);
        longest = bytes > longest ? bytes : longest;
    }
    LTAP_TRY(ltap_arena_take(match->search->arena, longest + 1, 1, &block, error));
    match->states = block;
    return LTAP_OK;
}

static ltap_status match_all(matching *match, const char *selector, ltap_error *error)
{
    const char *type = ltap_operator_of(selector);
    ltap_end end;
    match->pattern = selector;
    match->bytes = strlen(selector);
    match->end = "";
    if (ltap_end_cut(selector, &match->bytes, &end))
        match->end = selector + match->bytes;
    else
        match->bytes = strlen(selector);
    LTAP_TRY(take_states(match, error));
    if (type != NULL)
        return match_operator(match, type, match->bytes - (size_t)(type - selector), error);
    return match_kind(match, error);
}

/* A pattern, or a type without an index, that is no name as it stands. */
static ltap_status is_several(const ltap_search *search, const char *selector, bool *several,
                              ltap_error *error)
{
    ltap_things things;
    size_t bytes;
    int64_t index;
    ltap_end end;
    *several = ltap_glob_is(selector);
    if (!ltap_end_cut(selector, &bytes, &end))
        bytes = strlen(selector);
    if (ltap_operator_of(selector) != NULL)
        *several = ltap_index_cut(selector, &bytes, &index) && index == LTAP_NO_INDEX;
    if (!*several)
        return LTAP_OK;
    LTAP_TRY(ltap_things_find(search, selector, &things, error));
    *several = things.count == 0;
    return LTAP_OK;
}

static ltap_status refuse(const ltap_pattern_search *from, const char *selector, ltap_error *error)
{
    const char *type = ltap_operator_of(selector);
    if (type != NULL)
        return ltap_error_set(
            error, LTAP_ERROR_UNKNOWN_LAYER,
            "no node of type '%s' in %s (all names and types: layertap layers %s)", type,
            from->model_name, from->model_name);
    return ltap_error_set(
        error, LTAP_ERROR_UNKNOWN_LAYER,
        "no layer matches '%s' in %s%s (all names: layertap layers %s)", selector, from->model_name,
        strstr(selector, "**") == NULL ? "; '*' ends at '.' and '/', '**' does not" : "",
        from->model_name);
}

ltap_status ltap_select_several(const ltap_pattern_search *from, const char *selector,
                                ltap_arena *arena, ltap_vector *names, bool *several,
                                ltap_error *error)
{
    ltap_search search = {from->layers, from->model_name, from->calls, arena};
    matching match = {.search = &search, .listed = from->listed, .names = names};
    size_t before = names->count;
    LTAP_TRY(is_several(&search, selector, several, error));
    if (!*several)
        return ltap_vector_push(names, &selector, error);
    LTAP_TRY(match_all(&match, selector, error));
    if (names->count > before)
        return LTAP_OK;
    return refuse(from, selector, error);
}
