/* Several calls in a row that look like one, because the exporter wrote them differently: an
 * operation was folded into another, merged with the one before it, left out, or written in another
 * way for another shape. What the modules inside are, and their order, stays.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

#define SCOPE_TOKEN 0x6a09e667f3bcc909u /* begins the hash of where an operation runs */
#define ANY_TOKEN   0                   /* of an operation that was merged away */
#define MAX_LENGTHS 16                  /* of sequences that are tried: the cost stays linear */

/* Whether n tokens are a whole number of a sequence shorter than that, where ANY_TOKEN is any. */
static bool is_periodic(const uint64_t *tokens, uint64_t *sequence, uint32_t n)
{
    for (uint32_t length = 1, tried = 0; length <= n / 2 && tried < MAX_LENGTHS; length++) {
        uint32_t i = 0;
        if (n % length != 0)
            continue;
        tried++;
        memcpy(sequence, tokens, length * sizeof *tokens);
        for (; i < n; i++) {
            uint64_t *known = &sequence[i % length];
            if (*known == ANY_TOKEN)
                *known = tokens[i];
            else if (tokens[i] != ANY_TOKEN && tokens[i] != *known)
                break;
        }
        if (i == n)
            return true;
    }
    return false;
}

ltap_status ltap_tree_look(ltap_tree *tree, ltap_error *error)
{
    const ltap_graph *graph = tree->layers->graph;
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, tree->flow->n_order + 1, sizeof(ltap_written),
                             &block, error));
    tree->written = block;
    for (uint32_t i = 0; i < tree->flow->n_order; i++) {
        ltap_written *written = &tree->written[i];
        size_t bytes;
        const char *target = ltap_node_target(ltap_tree_node(tree, i), &bytes);
        written->target = SCOPE_TOKEN;
        for (size_t k = 0; k < bytes; k++)
            written->target = ltap_tree_mix(written->target, (unsigned char)target[k]);
        bool goes_on =
            i > 0 && ltap_nodes_share_source(ltap_tree_node(tree, i - 1), ltap_tree_node(tree, i));
        written->operation = goes_on ? written[-1].operation : i;
        written->merged = ltap_node_was_merged(graph, ltap_tree_node(tree, i));
    }
    return LTAP_OK;
}

static uint64_t token_of(const ltap_tree *tree, uint32_t place, uint32_t depth)
{
    const ltap_chain *chain = ltap_tree_chain(tree, place);
    uint64_t hash = SCOPE_TOKEN;
    for (uint32_t d = depth + 1; d < chain->n_steps; d++)
        hash = ltap_tree_mix(hash, chain->steps[d].scope);
    return chain->n_steps > depth + 1 ? hash : tree->written[place].target;
}

/* Whether a node goes on with what the one before it began: in the same module inside, or in the
 * same operation of PyTorch's. */
static bool goes_on(const ltap_tree *tree, uint32_t place, uint32_t depth, bool same)
{
    if (tree->written[place - 1].operation == tree->written[place].operation)
        return true;
    return same && ltap_tree_chain(tree, place)->n_steps > depth + 1;
}

/* Tokens of what is known to run in [begin, end), one for each module inside or operation: how
 * many. */
static uint32_t list_tokens(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth,
                            uint64_t *tokens)
{
    uint64_t before = ANY_TOKEN;
    uint32_t n = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint64_t hash = token_of(tree, i, depth);
        if (tree->layers->inferred[ltap_tree_node(tree, i)->index])
            continue; /* put in by the exporter, who knows where */
        if (i > begin && tree->written[i].merged)
            tokens[n++] = ANY_TOKEN;
        else if (i > begin && goes_on(tree, i, depth, hash == before))
            continue;
        tokens[n++] = before = hash;
    }
    return n;
}

/* Whether the shorter list is the longer one with some left out. */
static bool is_part_of(const uint64_t *a, uint32_t n_a, const uint64_t *b, uint32_t n_b)
{
    if (n_a > n_b)
        return is_part_of(b, n_b, a, n_a);
    if (n_a == 0)
        return false;
    uint32_t i = 0;
    for (uint32_t k = 0; k < n_b && i < n_a; k++)
        i += a[i] == b[k];
    return i == n_a;
}

/* The first place in the run that a node's inputs are made at; `none`: outside. */
static uint32_t first_read(const ltap_tree *tree, uint32_t at, uint32_t begin, uint32_t none)
{
    const ltap_node *node = ltap_tree_node(tree, at);
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t place = ltap_tree_maker(tree, node->inputs[i]);
        if (place != LTAP_NO_NODE && place >= begin && place < none)
            none = place;
    }
    return none;
}

/* Whether it falls into two parts that do the same but for what was left out, of which none reads
 * from the other. */
static bool falls_apart(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth,
                        uint64_t *tokens)
{
    uint32_t first = end;
    for (uint32_t at = end - 1, tried = 0; at > begin && tried < MAX_LENGTHS; at--) {
        first = first_read(tree, at, begin, first);
        if (first < at)
            continue;
        tried++;
        uint32_t n = list_tokens(tree, begin, at, depth, tokens);
        uint32_t m = list_tokens(tree, at, end, depth, tokens + n);
        if (is_part_of(tokens, n, tokens + n, m))
            return true;
    }
    return false;
}

bool ltap_node_is_recurrent(const ltap_node *node)
{
    return strcmp(node->op_type, "LSTM") == 0 || strcmp(node->op_type, "GRU") == 0 ||
           strcmp(node->op_type, "RNN") == 0;
}

/* Whether a recurrent operation stands there again with the same weights: the Transposes between
 * two calls are dropped, and what is left of each differs. */
static bool recurs(const ltap_tree *tree, uint32_t begin, uint32_t end)
{
    uint32_t weights[MAX_LENGTHS], n = 0;
    for (uint32_t at = begin; at < end && n < MAX_LENGTHS; at++) {
        const ltap_node *node = ltap_tree_node(tree, at);
        if (!ltap_node_is_recurrent(node) || node->n_inputs < 3)
            continue;
        uint32_t weight = ltap_flow_initializer(tree->layers->graph, node->inputs[2]);
        for (uint32_t k = 0; k < n; k++)
            if (weights[k] == weight)
                return true;
        if (weight != LTAP_NO_VALUE)
            weights[n++] = weight;
    }
    return false;
}

bool ltap_tree_runs_unevenly(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth)
{
    uint32_t n = list_tokens(tree, begin, end, depth, tree->tokens);
    return recurs(tree, begin, end) || is_periodic(tree->tokens, tree->tokens + n, n) ||
           falls_apart(tree, begin, end, depth, tree->tokens);
}
