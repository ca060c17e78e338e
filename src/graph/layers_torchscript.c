/* Chains from the node names of torch's TorchScript exporter, "/layer1/layer1.0/relu_1/Relu": one
 * component for each module whose __call__ was running, then the operator.
 *
 * The exporter tells the calls of a module apart by "_1", "_2" behind the last component, which an
 * attribute may really be called. The text alone does not tell; neighbours do: whose weights are
 * used, whether "_0" exists, what the calls compute. What stays open is marked, not guessed.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <stdio.h>
#include <string.h>

/* What is known of one text with operations of its own. Indexed like the scopes. */
typedef struct direct_use {
    uint64_t pattern;  /* sequence of operators that run directly in it */
    uint64_t previous; /* the pattern before the last operation */
    uint32_t n_nodes;
    uint32_t weight;        /* the first weight used directly in it, or LTAP_NO_VALUE */
    bool is_plain;          /* other scopes lie inside this text: they carry no suffix */
    bool named, base_named; /* a weight's name says it is the attribute, or a call of the base */
    bool repeated;          /* the module is known to be called several times */
    uint32_t base, turn;    /* the verdict */
} direct_use;

typedef struct reader {
    const ltap_layers *layers;
    const ltap_flow *flow;
    ltap_scopes *scopes;
    uint32_t *leaf;     /* per node: its raw text's scope, or LTAP_NO_STEP */
    direct_use *direct; /* per scope */
} reader;

bool ltap_name_renamed(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return strncmp(name, "onnx::", 6) == 0 || (digits > 0 && name[digits] == '\0');
}

static bool all_digits(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return bytes > 0;
}

size_t ltap_name_cut(const char *name, size_t bytes)
{
    for (size_t end = bytes; end > 0;) {
        size_t start = end;
        while (start > 0 && name[start - 1] != '.')
            start--;
        if (!all_digits(name + start, end - start) || start == 0)
            return start;
        end = start - 1;
    }
    return 0;
}

/* Length of the name without its operator, "/a/b/Relu_1" -> "/a/b"; false where it is not scoped.
 */
static bool scope_of_name(const ltap_node *node, size_t *bytes)
{
    bool usable = node->name[0] == '/' && ltap_name_is_usable(node->name);
    const char *slash = usable ? strrchr(node->name, '/') : NULL;
    if (slash == NULL)
        return false;
    *bytes = (size_t)(slash - node->name);
    return true;
}

/* "/a/Relu" or "/a/Relu_1" for a Relu. */
static bool ends_with_operator(const ltap_node *node)
{
    size_t scope, type = strlen(node->op_type);
    if (!scope_of_name(node, &scope))
        return false;
    const char *op = node->name + scope + 1;
    if (strncmp(op, node->op_type, type) != 0)
        return false;
    return op[type] == '\0' ||
           (op[type] == '_' && all_digits(op + type + 1, strlen(op + type + 1)));
}

static bool is_exporters(const ltap_graph *graph)
{
    size_t scoped = 0, named = 0;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        named += node->name[0] != '\0';
        scoped += ends_with_operator(node);
    }
    return scoped > 0 && scoped * 4 >= named; /* tools that optimise rename some */
}

static ltap_status intern_prefixes(reader *namer, const char *name, size_t bytes, uint32_t *leaf,
                                   ltap_error *error)
{
    uint32_t parent = LTAP_NO_STEP;
    int depth = 0;
    for (size_t i = 1; i <= bytes && depth < LTAP_MAX_STEP; i++) {
        if (i < bytes && name[i] != '/')
            continue;
        LTAP_TRY(ltap_scopes_intern(namer->scopes, name, i, parent, &parent, error));
        depth++;
    }
    *leaf = parent;
    return LTAP_OK;
}

static ltap_status intern_all(reader *namer, ltap_error *error)
{
    const ltap_graph *graph = namer->layers->graph;
    void *block;
    LTAP_TRY(ltap_arena_take(namer->scopes->arena, graph->nodes.count + 1, sizeof(uint32_t), &block,
                             error));
    namer->leaf = block;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        size_t bytes;
        namer->leaf[n] = LTAP_NO_STEP;
        if (scope_of_name(node, &bytes) && bytes > 0)
            LTAP_TRY(intern_prefixes(namer, node->name, bytes, &namer->leaf[n], error));
    }
    LTAP_TRY(ltap_arena_take(namer->scopes->arena, namer->scopes->scopes.count + 1,
                             sizeof(direct_use), &block, error));
    namer->direct = block;
    return LTAP_OK;
}

bool ltap_name_turn(const char *component, size_t *base, uint32_t *turn)
{
    size_t bytes = strlen(component), start = bytes;
    while (start > 0 && component[start - 1] >= '0' && component[start - 1] <= '9')
        start--;
    if (start < 2 || start == bytes || component[start - 1] != '_' || component[start] == '0' ||
        bytes - start > 8)
        return false;
    *turn = 0;
    for (size_t i = start; i < bytes; i++)
        *turn = *turn * 10 + (uint32_t)(component[i] - '0');
    *base = start - 1;
    return true;
}

/* Whether a weight's own module, "layer1.0.conv1" of "layer1.0.conv1.weight", is cut to this. */
static bool weight_names(const char *weight, const char *component, size_t bytes)
{
    const char *dot = strrchr(weight, '.');
    if (dot == NULL)
        return false;
    size_t module = (size_t)(dot - weight), cut = ltap_name_cut(weight, module);
    return module - cut == bytes && memcmp(weight + cut, component, bytes) == 0;
}

/* The name of a weight or of a running statistic; NULL: neither, or made by the exporter for this
 * call. */
static const char *weight_or_statistic(const ltap_graph *graph, const ltap_node *node, size_t input)
{
    if (node->inputs[input] == LTAP_NO_VALUE)
        return NULL;
    bool statistic = input >= 3 && strcmp(node->op_type, "BatchNormalization") == 0;
    const char *name = ltap_graph_at(graph, node->inputs[input])->name;
    bool is_one = statistic ? ltap_flow_initializer(graph, node->inputs[input]) != LTAP_NO_VALUE
                            : ltap_flow_weight(graph, node, input) != LTAP_NO_VALUE;
    return is_one && name[0] != '/' ? name : NULL;
}

static void look_at_weights(reader *namer, const ltap_node *node, const ltap_scope *scope,
                            direct_use *found)
{
    const ltap_graph *graph = namer->layers->graph;
    size_t base = 0;
    uint32_t turn;
    bool suffixed = ltap_name_turn(scope->component, &base, &turn);
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t weight = ltap_flow_weight(graph, node, i);
        const char *name = weight_or_statistic(graph, node, i);
        if (name == NULL)
            continue;
        if (found->weight == LTAP_NO_VALUE)
            found->weight = weight;
        if (!ltap_name_is_usable(name))
            continue;
        found->named |= weight_names(name, scope->component, strlen(scope->component));
        found->base_named |= suffixed && weight_names(name, scope->component, base);
    }
}

static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u;
}

static void look_at_nodes(reader *namer)
{
    for (uint32_t s = 0; s < namer->scopes->scopes.count; s++) {
        uint32_t parent = ltap_scopes_at(namer->scopes, s)->parent;
        namer->direct[s].weight = LTAP_NO_VALUE;
        namer->direct[s].base = s;
        namer->direct[s].turn = LTAP_NO_TURN;
        if (parent != LTAP_NO_STEP)
            namer->direct[parent].is_plain = true;
    }
    for (size_t i = 0; i < namer->flow->n_order; i++) {
        const ltap_node *node = ltap_graph_node(namer->layers->graph, namer->flow->order[i]);
        uint32_t leaf = namer->leaf[node->index];
        if (leaf == LTAP_NO_STEP)
            continue;
        direct_use *found = &namer->direct[leaf];
        found->n_nodes++;
        found->previous = found->pattern;
        found->pattern = mix(found->pattern, node->op_type);
        look_at_weights(namer, node, ltap_scopes_at(namer->scopes, leaf), found);
    }
}

/* The scope beside s whose component is the first `base` bytes of s's, with "_turn" unless 0. */
static bool sibling(const reader *namer, uint32_t s, size_t base, uint32_t turn, uint32_t *found)
{
    const ltap_scope *scope = ltap_scopes_at(namer->scopes, s);
    char text[512];
    size_t head = (size_t)(scope->component - scope->text) + base;
    if (head + 16 > sizeof text)
        return false;
    memcpy(text, scope->text, head);
    if (turn > 0)
        head += (size_t)snprintf(text + head, 16, "_%u", (unsigned)turn);
    return ltap_scopes_find(namer->scopes, text, head, found) && namer->direct[*found].n_nodes > 0;
}

typedef enum verdict { ATTRIBUTE, CALL, OPEN } verdict;

/* Evidence that does not depend on other verdicts. */
static verdict judge(const reader *namer, uint32_t s, uint32_t first, size_t base, uint32_t turn)
{
    const direct_use *me = &namer->direct[s], *zero = &namer->direct[first];
    uint32_t other;
    if (me->is_plain || me->named)
        return me->base_named ? OPEN : ATTRIBUTE;
    if (me->base_named)
        return CALL;
    if (!sibling(namer, s, base, turn - 1, &other))
        return ATTRIBUTE;
    if (sibling(namer, s, strlen(ltap_scopes_at(namer->scopes, s)->component), 1, &other))
        return ATTRIBUTE;
    if (me->weight != LTAP_NO_VALUE && me->weight == zero->weight)
        return CALL;
    return OPEN;
}

/* The exporter numbers texts: a second call of "relu" beside an attribute "relu_1" gives two scopes
 * "relu_1", so that its operations are those of the base and one time more. */
static bool collides(const direct_use *me, const direct_use *zero)
{
    return me->n_nodes > zero->n_nodes && zero->n_nodes > 0 && me->n_nodes % zero->n_nodes == 0 &&
           (zero->n_nodes > 1 || me->previous == zero->pattern);
}

static bool parent_repeated(const reader *namer, uint32_t s)
{
    uint32_t parent = ltap_scopes_at(namer->scopes, s)->parent;
    return parent != LTAP_NO_STEP && namer->direct[parent].repeated;
}

static verdict judge_open(reader *namer, uint32_t s, uint32_t first)
{
    const direct_use *me = &namer->direct[s], *zero = &namer->direct[first];
    if (me->weight != zero->weight)
        return parent_repeated(namer, s) ? CALL : ATTRIBUTE;
    if (me->pattern == zero->pattern || me->weight != LTAP_NO_VALUE)
        return CALL;
    if (collides(me, zero)) {
        ltap_scopes_at(namer->scopes, s)->collides = true;
        ltap_scopes_at(namer->scopes, first)->collides = true;
    }
    return ATTRIBUTE;
}

static void settle(reader *namer, uint32_t s, uint32_t first, uint32_t turn)
{
    uint32_t parent = ltap_scopes_at(namer->scopes, s)->parent;
    namer->direct[s].base = first;
    namer->direct[s].turn = turn;
    namer->direct[first].repeated = true;
    if (parent != LTAP_NO_STEP && namer->direct[s].weight != LTAP_NO_VALUE)
        namer->direct[parent].repeated = true;
}

/* Parents stand before what is inside them, so their verdicts are known in time. */
static void judge_all(reader *namer)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t s = 0; s < namer->scopes->scopes.count; s++) {
            uint32_t first, turn;
            size_t base;
            if (round > 0 && parent_repeated(namer, s))
                namer->direct[s].repeated = true;
            if (namer->direct[s].n_nodes == 0 || namer->direct[s].base != s ||
                !ltap_name_turn(ltap_scopes_at(namer->scopes, s)->component, &base, &turn) ||
                !sibling(namer, s, base, 0, &first))
                continue;
            verdict found = judge(namer, s, first, base, turn);
            if (found == OPEN && round > 0)
                found = judge_open(namer, s, first);
            if (found == CALL)
                settle(namer, s, first, turn);
        }
    }
}

static ltap_status fill_chain(reader *namer, uint32_t leaf, ltap_chain *chain, ltap_error *error)
{
    uint32_t depth = 0;
    void *block;
    for (uint32_t s = leaf; s != LTAP_NO_STEP; s = ltap_scopes_at(namer->scopes, s)->parent)
        depth++;
    LTAP_TRY(ltap_arena_take(namer->scopes->arena, depth + 1, sizeof(ltap_step), &block, error));
    chain->steps = block;
    chain->n_steps = depth;
    if (depth == 0)
        return LTAP_OK; /* right in the model */
    const direct_use *last = &namer->direct[leaf];
    for (uint32_t s = leaf; s != LTAP_NO_STEP; s = ltap_scopes_at(namer->scopes, s)->parent)
        chain->steps[--depth] = (ltap_step){s, LTAP_NO_TURN};
    chain->steps[chain->n_steps - 1] =
        (ltap_step){last->base, last->turn == LTAP_NO_TURN ? 0 : last->turn};
    return LTAP_OK;
}

ltap_status ltap_scopes_torchscript(const ltap_layers *layers, const ltap_flow *flow,
                                    ltap_scopes *scopes, bool *used, ltap_error *error)
{
    reader namer = {.layers = layers, .flow = flow, .scopes = scopes};
    *used = is_exporters(layers->graph);
    if (!*used)
        return LTAP_OK;
    LTAP_TRY(intern_all(&namer, error));
    look_at_nodes(&namer);
    judge_all(&namer);
    for (uint32_t n = 0; n < layers->graph->nodes.count; n++) {
        size_t bytes;
        if (scope_of_name(ltap_graph_node(layers->graph, n), &bytes))
            LTAP_TRY(fill_chain(&namer, namer.leaf[n], &scopes->chains[n], error));
    }
    return LTAP_OK;
}
