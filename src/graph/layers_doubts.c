/* Calls that the file does not tell from one another: the same operations several times in a row
 * may be calls or a loop inside one call, and one name may stand for two modules. What another
 * place settles is settled; the rest is marked.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

#define MAX_COMPARED 64 /* operations of a call */

ltap_status ltap_doubt_two(ltap_layers *layers, ltap_module *module, ltap_error *error)
{
    const char *dot = strrchr(module->path, '.');
    return ltap_arena_format(
        &layers->arena, &module->doubt, error,
        "the exporter writes modules whose names end alike as one, and what it "
        "wrote as '%s' here may be two",
        dot != NULL ? dot + 1 : module->path);
}

/* "linear.0" below "linear". */
static bool is_numbered(const char *component, const char *parent)
{
    size_t n = strlen(parent);
    return strncmp(component, parent, n) == 0 && component[n] == '.' && component[n + 1] >= '0' &&
           component[n + 1] <= '9';
}

/* "a.1" as one of another module's, which begins with the same operation there. */
static bool is_shared(const ltap_tree *tree, const char *component, uint32_t place)
{
    uint32_t module;
    if (!ltap_layers_find(tree->layers, component, &module))
        return false;
    uint32_t call = *LTAP_VECTOR_AT(&tree->first_calls, uint32_t, module);
    return call != LTAP_NO_CALL &&
           strcmp(ltap_tree_node(tree, ltap_tree_at(tree, call)->begin)->op_type,
                  ltap_tree_node(tree, place)->op_type) == 0;
}

bool ltap_tree_looks_torn(const ltap_tree *tree, const ltap_tree_call *piece)
{
    const ltap_chain *chain = ltap_tree_chain(tree, piece->begin);
    const char *parent = ltap_scopes_at(tree->scopes, chain->steps[piece->depth].scope)->component;
    uint32_t first[2] = {LTAP_NO_NODE, LTAP_NO_NODE}, last[2] = {0, 0};
    for (uint32_t place = piece->begin; place < piece->end; place++) {
        chain = ltap_tree_chain(tree, place);
        if (chain->n_steps <= piece->depth + 1)
            continue;
        uint32_t child = chain->steps[piece->depth + 1].scope;
        const char *component = ltap_scopes_at(tree->scopes, child)->component;
        bool numbered = is_numbered(component, parent);
        if (!numbered && is_shared(tree, component, place))
            continue;
        first[numbered] = first[numbered] == LTAP_NO_NODE ? place : first[numbered];
        last[numbered] = place;
    }
    return first[0] != LTAP_NO_NODE && first[1] != LTAP_NO_NODE &&
           (last[0] < first[1] || last[1] < first[0]);
}

static ltap_tree_call *first_call(const ltap_tree *tree, const ltap_tree_call *call)
{
    return ltap_tree_at(tree, *LTAP_VECTOR_AT(&tree->first_calls, uint32_t, call->module));
}

/* Whether any operation of one call is one of the other's as well. */
static bool share_operations(const ltap_tree *tree, const ltap_tree_call *a,
                             const ltap_tree_call *b)
{
    for (uint32_t i = a->begin; i < a->end && i - a->begin < MAX_COMPARED; i++)
        for (uint32_t j = b->begin; j < b->end && j - b->begin < MAX_COMPARED; j++)
            if (ltap_tree_token(tree, i, a->depth) == ltap_tree_token(tree, j, b->depth))
                return true;
    return false;
}

static bool has_full_path(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_chain *chain = ltap_tree_chain(tree, call->begin);
    return call->depth >= chain->n_steps ||
           ltap_scopes_at(tree->scopes, chain->steps[call->depth].scope)->full_path;
}

/* A module that runs something else each time is two modules. */
static ltap_status doubt_strangers(ltap_tree *tree, ltap_error *error)
{
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c), *first = first_call(tree, call);
        ltap_module *module = ltap_layers_at(tree->layers, call->module);
        if (call->pattern != first->pattern && module->doubt == NULL &&
            !has_full_path(tree, call) && !share_operations(tree, call, first))
            LTAP_TRY(ltap_doubt_two(tree->layers, module, error));
    }
    return LTAP_OK;
}

/* Whether a call reads what another call of the same module made inside: equal operations are
 * merged, and what is left of a call may look like a whole one. */
static bool reads_own(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_graph *graph = tree->layers->graph;
    const ltap_node *node = ltap_tree_node(tree, call->begin);
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t producer = node->inputs[i] != LTAP_NO_VALUE
                                ? ltap_graph_at(graph, node->inputs[i])->producer
                                : LTAP_NO_NODE;
        uint32_t place = producer != LTAP_NO_NODE ? tree->flow->place[producer] : LTAP_NO_NODE;
        uint32_t c = place != LTAP_NO_NODE ? tree->call_of[place] : LTAP_NO_CALL;
        for (; c != LTAP_NO_CALL; c = ltap_tree_at(tree, c)->parent)
            if (ltap_tree_at(tree, c)->module == call->module)
                return true;
    }
    return false;
}

/* Calls side by side, or one that handles several things: in one place both readings name the same
 * values, in several the numbers of calls differ. */
static ltap_status doubt_groups(ltap_tree *tree, const uint8_t *settled, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, tree->layers->modules.count + 1, sizeof(uint32_t),
                             &block, error));
    uint32_t *end = block; /* per module: of its last call */
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c), *first = first_call(tree, call);
        ltap_module *module = ltap_layers_at(tree->layers, call->module);
        bool apart = call != first && end[call->module] != call->begin;
        end[call->module] = call->end;
        module->beside |= call->repeats == LTAP_REPEATS_BESIDE && !settled[call->module];
        if (module->beside && apart && module->doubt == NULL)
            LTAP_TRY(ltap_arena_format(&tree->layers->arena, &module->doubt, error,
                                       "the file does not show whether what '%s' does side by side "
                                       "is one call or several",
                                       module->path));
    }
    return LTAP_OK;
}

ltap_status ltap_tree_doubts(ltap_tree *tree, ltap_error *error)
{
    void *block;
    LTAP_TRY(
        ltap_arena_take(tree->scopes->arena, tree->layers->modules.count + 1, 1, &block, error));
    uint8_t *settled = block; /* per module: the same sequence runs once elsewhere */
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c), *first = first_call(tree, call);
        bool once = (call->repeats == LTAP_REPEATS_NOT && !reads_own(tree, call)) ||
                    (first->repeats == LTAP_REPEATS_NOT && !reads_own(tree, first));
        if (call->pattern == first->pattern && once && call->repeats != first->repeats)
            settled[call->module] = 1;
    }
    LTAP_TRY(doubt_groups(tree, settled, error));
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        ltap_module *module = ltap_layers_at(tree->layers, call->module);
        bool repeats = call->repeats == LTAP_REPEATS_IN_A_ROW && !settled[call->module];
        if (module->doubt != NULL || (!call->uneven && !repeats))
            continue;
        LTAP_TRY(ltap_arena_format(
            &tree->layers->arena, &module->doubt, error,
            "the file does not show whether '%s' is called once or several times in a row",
            module->path));
    }
    return doubt_strangers(tree, error);
}
