/* Cuts modules and their calls out of the order of execution.
 *
 * A call is a stretch of that order: nothing else runs while a module runs. Neighbours in the same
 * scope are one call, unless the exporter counted them apart, or the same sequence stands there
 * several times. Where a repetition may also be a loop inside one call, the module is marked as
 * doubtful; other places where it is called once settle that.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

static const ltap_step *step_at(const ltap_tree *tree, size_t place, uint32_t depth)
{
    const ltap_chain *chain = ltap_tree_chain(tree, place);
    return chain->n_steps > depth ? &chain->steps[depth] : NULL;
}

static const ltap_scope *scope_at(const ltap_tree *tree, size_t place, uint32_t depth)
{
    return ltap_scopes_at(tree->scopes, step_at(tree, place, depth)->scope);
}

uint64_t ltap_tree_mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 31;
}

uint64_t ltap_tree_token(const ltap_tree *tree, size_t place, uint32_t depth)
{
    const ltap_chain *chain = ltap_tree_chain(tree, place);
    uint64_t hash = tree->operators[place];
    for (uint32_t d = depth + 1; d < chain->n_steps; d++)
        hash = ltap_tree_mix(hash, chain->steps[d].scope);
    return hash;
}

/* Length of the shortest sequence that the first n tokens are a whole number of; by the borders of
 * each beginning (Knuth, Morris, Pratt). */
static uint32_t shortest_period(ltap_tree *tree, uint32_t n)
{
    const uint64_t *tokens = tree->tokens;
    uint32_t *borders = tree->borders, k = 0;
    borders[0] = 0;
    for (uint32_t i = 1; i < n; i++) {
        while (k > 0 && tokens[i] != tokens[k])
            k = borders[k - 1];
        k += tokens[i] == tokens[k];
        borders[i] = k;
    }
    uint32_t shortest = n - borders[n - 1];
    return n % shortest == 0 ? shortest : n;
}

static uint32_t period(ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth)
{
    for (uint32_t i = begin; i < end; i++)
        tree->tokens[i - begin] = ltap_tree_token(tree, i, depth);
    return shortest_period(tree, end - begin);
}

static uint64_t pattern(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth)
{
    uint64_t hash = 1;
    for (uint32_t i = begin; i < end; i++)
        hash = ltap_tree_mix(hash, ltap_tree_token(tree, i, depth));
    return hash;
}

/* How a run of one scope falls into calls. */
typedef struct run_cut {
    uint32_t length; /* of each call; 0: at each change of turn */
    ltap_repeats repeats;
    bool uneven; /* the call may be several */
} run_cut;

/* Counts the calls that the exporter numbered; touching: no foreign node stands at a change. */
static uint32_t count_turns(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth,
                            bool *touching)
{
    uint32_t count = 0, turn = LTAP_NO_TURN, last = begin;
    *touching = true;
    for (uint32_t i = begin; i < end; i++) {
        const ltap_step *step = step_at(tree, i, depth);
        if (ltap_tree_chain(tree, i)->n_steps != depth + 1 || step->turn == LTAP_NO_TURN)
            continue;
        if (count == 0 || step->turn != turn) {
            *touching &= count == 0 ? i == begin : last + 1 == i;
            count++;
            turn = step->turn;
        }
        last = i;
    }
    *touching &= last + 1 == end;
    return count;
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ltap_class_is_sequential(const char *name)
{
    return name != NULL && strcmp(name, "torch.nn.modules.container.Sequential") == 0;
}

bool ltap_class_runs_once(const char *name)
{
    if (name == NULL || !begins(name, "torch.nn.modules."))
        return false;
    if (begins(name, "torch.nn.modules.container."))
        return ltap_class_is_sequential(name);
    return !begins(name, "torch.nn.modules.rnn.") &&
           !begins(name, "torch.nn.modules.transformer.") &&
           !begins(name, "torch.nn.modules.activation.MultiheadAttention");
}

bool ltap_class_is_leaf(const char *name)
{
    return ltap_class_runs_once(name) && !ltap_class_is_sequential(name);
}

/* Whether nothing in a sequence can be a loop: a Sequential runs its children once each, but a
 * child that is alone in it may have one. */
static bool runs_once(const ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth)
{
    for (; ltap_class_runs_once(scope_at(tree, begin, depth)->class_name); depth++) {
        const ltap_step *inner = step_at(tree, begin, depth + 1);
        for (uint32_t i = begin; i < end; i++) {
            const ltap_step *other = step_at(tree, i, depth + 1);
            if (inner == NULL || other == NULL || other->scope != inner->scope)
                return true;
        }
    }
    return false;
}

/* Whether what runs from `begin` on reads what ran in the `length` places before it. */
static bool continues(const ltap_tree *tree, uint32_t begin, uint32_t length)
{
    const ltap_node *node = ltap_tree_node(tree, begin);
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t place = ltap_tree_maker(tree, node->inputs[i]);
        if (place != LTAP_NO_NODE && place >= begin - length && place < begin)
            return true;
    }
    return false;
}

static bool is_sequential(const ltap_tree *tree, const ltap_tree_call *run)
{
    const char *name = scope_at(tree, run->begin, run->depth)->class_name;
    return ltap_class_is_sequential(name);
}

/* A leaf of torch.nn, of which each call writes its operation. */
static bool is_leaf(const ltap_tree *tree, const ltap_tree_call *run)
{
    return ltap_class_runs_once(scope_at(tree, run->begin, run->depth)->class_name) &&
           !is_sequential(tree, run);
}

/* A sequence that stands several times. A Sequential may have one module several times: then each
 * part goes on where the one before it ended. */
static run_cut cut_repeats(const ltap_tree *tree, const ltap_tree_call *run, uint32_t length)
{
    uint32_t begin = run->begin, end = run->end, depth = run->depth;
    if (ltap_tree_along_other_axes(tree, begin, end, length))
        return (run_cut){.length = end - begin};
    if (is_leaf(tree, run) ||
        (runs_once(tree, begin, begin + length, depth) && !continues(tree, begin + length, length)))
        return (run_cut){.length = length};
    if (ltap_tree_side_by_side(tree, begin, end, length, depth))
        return (run_cut){.length = length, .repeats = LTAP_REPEATS_BESIDE};
    return (run_cut){.length = length, .repeats = LTAP_REPEATS_IN_A_ROW};
}

/* How the exporter's silence about calls is read. What is alone in a call that may be one of
 * several is no surer than that. */
static run_cut cut_uncounted(ltap_tree *tree, const ltap_tree_call *run)
{
    uint32_t n = run->end - run->begin, length = period(tree, run->begin, run->end, run->depth);
    const ltap_tree_call *around =
        run->parent != LTAP_NO_CALL ? ltap_tree_at(tree, run->parent) : NULL;
    bool alone = around != NULL && around->end - around->begin == n;
    bool leaf = is_leaf(tree, run);
    bool uneven = length == n && ltap_tree_runs_unevenly(tree, run->begin, run->end, run->depth);
    length = ltap_tree_whole_operations(tree, run->begin, run->end, length);
    if (length < n)
        return cut_repeats(tree, run, length);
    return (run_cut){.length = n,
                     .repeats = alone && !leaf ? around->repeats : LTAP_REPEATS_NOT,
                     .uneven = uneven};
}

static run_cut find_cut(ltap_tree *tree, const ltap_tree_call *run)
{
    bool touching;
    uint32_t n = run->end - run->begin;
    /* Calls that count themselves apart are runs of their own. */
    if (tree->layers->graph->is_built &&
        step_at(tree, run->begin, run->depth)->turn != LTAP_NO_TURN)
        return (run_cut){.length = n};
    uint32_t turns = count_turns(tree, run->begin, run->end, run->depth, &touching);
    if (turns == 1)
        return (run_cut){.length = n};
    if (turns == 0)
        return cut_uncounted(tree, run);
    uint32_t length = period(tree, run->begin, run->end, run->depth);
    if (n % turns == 0 && n / turns % length == 0)
        return (run_cut){.length = n / turns};
    return touching ? (run_cut){0} : (run_cut){.length = n, .repeats = LTAP_REPEATS_IN_A_ROW};
}

static uint32_t piece_end(const ltap_tree *tree, run_cut cut, uint32_t begin, uint32_t end,
                          uint32_t depth)
{
    uint32_t turn = step_at(tree, begin, depth)->turn, i = begin + 1;
    if (cut.length > 0)
        return begin + cut.length;
    while (i < end && (ltap_tree_chain(tree, i)->n_steps != depth + 1 ||
                       step_at(tree, i, depth)->turn == turn))
        i++;
    return i;
}

ltap_status ltap_tree_module(ltap_tree *tree, const char *path, uint32_t parent, uint32_t *module,
                             ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    ltap_module added = {.path = path, .parent = parent, .elided_value = LTAP_NO_VALUE, .note = ""};
    uint32_t none = LTAP_NO_CALL;
    if (ltap_layers_find(layers, path, module))
        return LTAP_OK;
    *module = (uint32_t)layers->modules.count;
    LTAP_TRY(ltap_vector_push(&layers->modules, &added, error));
    LTAP_TRY(ltap_vector_push(&tree->first_calls, &none, error));
    return ltap_map_set(&layers->module_by_path, path, strlen(path), *module, error);
}

ltap_module_call *ltap_module_call_at(const ltap_module *module, uint32_t first)
{
    size_t low = 0, high = module->n_calls;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->calls[middle].first < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < module->n_calls && module->calls[low].first == first ? &module->calls[low] : NULL;
}

static ltap_status walk(ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth,
                        uint32_t parent, ltap_error *error);

/* The call of a fused convolution stands before that of the BatchNorm that took its place. */
static ltap_status add_fused(ltap_tree *tree, const ltap_tree_call *piece, const char *path,
                             ltap_error *error)
{
    const char *fused;
    for (uint32_t i = piece->begin; i < piece->end; i++) {
        if (ltap_tree_chain(tree, i)->n_steps != piece->depth + 1)
            continue;
        LTAP_TRY(ltap_tree_fused(tree, i, &fused, error));
        /* A BatchNorm inside the module of the convolution is part of what that hands out. */
        if (fused == NULL || ltap_path_is_inside(path, fused))
            continue;
        ltap_tree_call one = *piece;
        one.begin = i;
        /* A converter may have multiplied only a part of the BatchNorm in. */
        one.end = tree->scopes->fused != NULL ? piece->end : i + 1;
        LTAP_TRY(ltap_tree_add_fused(tree, &one, path, error));
    }
    return LTAP_OK;
}

/* A scope as the file writes it is a name as well, while it is one module's. */
static ltap_status add_alias(ltap_tree *tree, const char *text, uint32_t module, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    uint32_t before;
    const char *copy;
    if (ltap_map_get(&layers->module_by_alias, text, strlen(text), &before))
        return before == module || before == LTAP_NO_MODULE
                   ? LTAP_OK
                   : ltap_map_set(&layers->module_by_alias, text, strlen(text), LTAP_NO_MODULE,
                                  error);
    LTAP_TRY(ltap_arena_text(&layers->arena, text, strlen(text), &copy, error));
    return ltap_map_set(&layers->module_by_alias, copy, strlen(copy), module, error);
}

static ltap_status add_call(ltap_tree *tree, ltap_tree_call piece, ltap_error *error)
{
    uint32_t above =
        piece.parent == LTAP_NO_CALL ? LTAP_NO_MODULE : ltap_tree_at(tree, piece.parent)->module;
    const ltap_step *step = step_at(tree, piece.begin, piece.depth);
    const ltap_scope *scope = ltap_scopes_at(tree->scopes, step->scope);
    const char *path,
        *beside = above == LTAP_NO_MODULE ? "" : ltap_layers_at(tree->layers, above)->path;
    bool torn;
    LTAP_TRY(ltap_tree_path(tree, &piece, beside, &path, &torn, error));
    if (scope->full_path)
        LTAP_TRY(add_fused(tree, &piece, path, error));
    LTAP_TRY(ltap_tree_module(tree, path, above, &piece.module, error));
    if (strcmp(scope->text, path) != 0)
        LTAP_TRY(add_alias(tree, scope->text, piece.module, error));
    ltap_module *module = ltap_layers_at(tree->layers, piece.module);
    uint32_t number = (uint32_t)tree->calls.count;
    uint32_t *first = LTAP_VECTOR_AT(&tree->first_calls, uint32_t, piece.module);
    module->n_calls++;
    if (module->class_name == NULL && scope->class_name != NULL)
        LTAP_TRY(ltap_arena_text(&tree->layers->arena, scope->class_name, strlen(scope->class_name),
                                 &module->class_name, error));
    if (scope->collides)
        module->doubt = "the exporter numbers the calls of one module like the name of another";
    if (torn || (!scope->full_path && ltap_tree_looks_torn(tree, &piece)))
        LTAP_TRY(ltap_doubt_two(tree->layers, module, error));
    *first = *first == LTAP_NO_CALL ? number : *first;
    LTAP_TRY(ltap_vector_push(&tree->calls, &piece, error));
    for (uint32_t i = piece.begin; i < piece.end; i++)
        tree->call_of[i] = number;
    return walk(tree, piece.begin, piece.end, piece.depth + 1, number, error);
}

static ltap_status add_run(ltap_tree *tree, ltap_tree_call run, ltap_error *error)
{
    run_cut cut = find_cut(tree, &run);
    for (uint32_t begin = run.begin; begin < run.end;) {
        ltap_tree_call piece = run;
        piece.begin = begin;
        piece.end = piece_end(tree, cut, begin, run.end, run.depth);
        piece.repeats = cut.repeats;
        piece.uneven = cut.uneven;
        piece.pattern = pattern(tree, begin, piece.end, run.depth);
        begin = piece.end;
        LTAP_TRY(add_call(tree, piece, error));
    }
    return LTAP_OK;
}

static bool same_run(const ltap_tree *tree, const ltap_step *a, const ltap_step *b)
{
    if (b == NULL || a->scope != b->scope)
        return false;
    return !ltap_scopes_at(tree->scopes, a->scope)->full_path || a->turn == b->turn;
}

/* At most LTAP_MAX_STEP deep. */
static ltap_status walk(ltap_tree *tree, uint32_t begin, uint32_t end, uint32_t depth,
                        uint32_t parent, ltap_error *error)
{
    for (uint32_t i = begin; i < end;) {
        const ltap_step *step = step_at(tree, i, depth);
        uint32_t j = i + 1;
        while (step != NULL && j < end && same_run(tree, step, step_at(tree, j, depth)))
            j++;
        if (step != NULL)
            LTAP_TRY(add_run(
                tree, (ltap_tree_call){.parent = parent, .begin = i, .end = j, .depth = depth},
                error));
        i = j;
    }
    return LTAP_OK;
}

static void hash_operators(ltap_tree *tree)
{
    for (size_t i = 0; i < tree->flow->n_order; i++) {
        const ltap_node *node = ltap_tree_node(tree, i);
        tree->operators[i] = 1;
        for (const char *p = node->op_type; *p != '\0'; p++)
            tree->operators[i] = ltap_tree_mix(tree->operators[i], (unsigned char)*p);
    }
}

ltap_status ltap_tree_grow(ltap_tree *tree, ltap_error *error)
{
    ltap_arena *arena = tree->scopes->arena;
    size_t n = tree->flow->n_order + 1;
    void *block;
    LTAP_TRY(ltap_arena_take(arena, 4 * n, sizeof(uint64_t), &block, error));
    tree->tokens = block;
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(uint64_t), &block, error));
    tree->operators = block;
    hash_operators(tree);
    LTAP_TRY(ltap_tree_look(tree, error));
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(uint32_t), &block, error));
    tree->borders = block;
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(uint32_t), &block, error));
    tree->call_of = block;
    for (size_t i = 0; i < n; i++)
        tree->call_of[i] = LTAP_NO_CALL;
    LTAP_TRY(walk(tree, 0, (uint32_t)tree->flow->n_order, 0, LTAP_NO_CALL, error));
    LTAP_TRY(ltap_tree_doubts(tree, error));
    return ltap_tree_tied(tree, error);
}
