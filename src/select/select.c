/* One selector to one value: what matches exactly, else by the table of syntax; one value is the
 * answer, several are ambiguous.
 */
#include "select/select.h"

#include "base/error.h"
#include "select/things.h"
#include <string.h>

/* A row of syntax: what stands behind a name. `indexed` rows take "[k]". */
typedef struct end_row {
    const char *text;
    bool indexed;
    ltap_end_kind kind;
} end_row;

static const end_row end_rows[] = {
    {":folded", false, LTAP_END_FOLDED},
    {":in", true, LTAP_END_IN},
    {":out", true, LTAP_END_OUT},
};

static bool match_end(const end_row *row, const char *text, size_t *bytes, ltap_end *end)
{
    size_t n = strlen(row->text);
    *bytes = strlen(text);
    end->kind = row->kind;
    end->index = LTAP_NO_INDEX;
    if (row->indexed && !ltap_index_cut(text, bytes, &end->index))
        return false;
    if (*bytes <= n || memcmp(text + *bytes - n, row->text, n) != 0)
        return false;
    *bytes -= n;
    return true;
}

bool ltap_end_cut(const char *selector, size_t *bytes, ltap_end *end)
{
    for (size_t i = 0; i < sizeof end_rows / sizeof *end_rows; i++)
        if (match_end(&end_rows[i], selector, bytes, end))
            return true;
    return false;
}

/* A name without an end, in all the ways that a name may be written. */
static ltap_status find_name(const ltap_search *search, const char *name, ltap_things *things,
                             ltap_error *error)
{
    LTAP_TRY(ltap_things_find(search, name, things, error));
    if (things->count == 0)
        LTAP_TRY(ltap_things_child(search, name, things, error));
    return LTAP_OK;
}

/* Finds things and the end that is asked for; none: things->count is 0, and *base is what could not
 * be found. */
static ltap_status parse(const ltap_search *search, const char *selector, const char **base,
                         ltap_things *things, ltap_end *end, ltap_error *error)
{
    *end = (ltap_end){LTAP_END_PLAIN, LTAP_NO_INDEX};
    *base = selector;
    LTAP_TRY(find_name(search, selector, things, error));
    size_t bytes;
    ltap_end cut;
    if (things->count > 0 || !ltap_end_cut(selector, &bytes, &cut))
        return LTAP_OK;
    *end = cut;
    LTAP_TRY(ltap_arena_text(search->arena, selector, bytes, base, error));
    return find_name(search, *base, things, error);
}

/* Other ways to write the name, each with its ends; then names that end so. */
static ltap_status parse_otherwise(const ltap_search *search, const char *base, ltap_things *things,
                                   ltap_end *end, ltap_error *error)
{
    for (size_t i = 0; i < ltap_spellings_count && things->count == 0; i++) {
        const char *other, *rest;
        ltap_end its;
        LTAP_TRY(ltap_spellings[i].rewrite(search, base, &other, error));
        if (other == NULL)
            continue;
        LTAP_TRY(parse(search, other, &rest, things, &its, error));
        if (things->count > 0 && end->kind == LTAP_END_PLAIN)
            *end = its;
        else if (its.kind != LTAP_END_PLAIN)
            things->count = things->n_found = 0;
    }
    if (things->count == 0)
        ltap_things_tail(search, base, things);
    return LTAP_OK;
}

/* What an Identity hands on is the value before it: a pruned model's output `layer4` is the module
 * of that name. */
static uint32_t origin_of(const ltap_graph *graph, uint32_t value)
{
    for (size_t i = 0; i < graph->nodes.count; i++) {
        uint32_t producer = ltap_graph_at(graph, value)->producer;
        const ltap_node *node = producer == LTAP_NO_NODE ? NULL : ltap_graph_node(graph, producer);
        if (!node || node->domain[0] || strcmp(node->op_type, "Identity") != 0 ||
            node->n_inputs != 1 || node->inputs[0] == LTAP_NO_VALUE)
            break;
        value = node->inputs[0];
    }
    return value;
}

static ltap_status decide(const ltap_search *search, const char *selector,
                          const ltap_things *things, ltap_end end, ltap_selection *selection,
                          ltap_error *error)
{
    bool agree = things->n_found == things->count;
    if (things->n_found == 1)
        return ltap_thing_value(search, &things->items[0], end, selection, error);
    for (size_t i = 0; i < things->count && agree; i++) {
        ltap_selection other;
        ltap_status status = ltap_thing_value(search, &things->items[i], end, &other, NULL);
        if (status == LTAP_ERROR_MEMORY)
            return ltap_thing_value(search, &things->items[i], end, &other, error);
        if (i == 0)
            *selection = other;
        uint32_t origin = status == LTAP_OK ? origin_of(search->layers->graph, other.value) : 0;
        agree = status == LTAP_OK && origin == origin_of(search->layers->graph, selection->value);
        if (agree && selection->value != origin && other.value == origin)
            *selection = other;
    }
    return agree ? LTAP_OK : ltap_refuse_ambiguous(search, selector, things, end, error);
}

ltap_status ltap_select(const ltap_layers *layers, const char *model_name, const char *selector,
                        ltap_calls calls, ltap_arena *arena, ltap_selection *selection,
                        ltap_error *error)
{
    ltap_search search = {layers, model_name, calls, arena};
    ltap_things things;
    ltap_end end;
    const char *base;
    LTAP_TRY(parse(&search, selector, &base, &things, &end, error));
    if (things.count == 0)
        LTAP_TRY(parse_otherwise(&search, base, &things, &end, error));
    if (things.count == 0)
        return ltap_refuse_unknown(&search, base, error);
    return decide(&search, selector, &things, end, selection, error);
}
