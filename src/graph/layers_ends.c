/* Modules that end with a convolution into which the TorchScript exporter folded a BatchNorm: where
 * that BatchNorm stood is not in the file, inside the module or behind it. What a module handed out
 * is known only where the BatchNorm cannot have stood behind: a module that begins like others
 * which are seen to begin without one runs next. A Sequential of nothing but the convolution would
 * be none, so that one had the BatchNorm; one that is all of a module which is known to have it is
 * taken to have it (MobileNet's `features.2.conv`). All others are in doubt.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <stdio.h>
#include <string.h>

#define MAX_SIBLINGS 1024 /* that are looked at: the cost stays linear */
#define FOLD_STEP    3    /* numbers that each fold takes: a value's, a weight's, a bias's */

static const ltap_tree_call *call_above(const ltap_tree *tree, const ltap_tree_call *call)
{
    return call->parent == LTAP_NO_CALL ? NULL : ltap_tree_at(tree, call->parent);
}

static const char *path_of(const ltap_tree *tree, const ltap_tree_call *call)
{
    return call != NULL ? ltap_layers_at(tree->layers, call->module)->path : "";
}

static bool hands_out(const ltap_tree *tree, const ltap_tree_call *call, uint32_t value)
{
    const ltap_module_call *its =
        call == NULL ? NULL
                     : ltap_module_call_at(ltap_layers_at(tree->layers, call->module), call->begin);
    return its != NULL && its->n_outputs > 0 && its->outputs[its->n_outputs - 1] == value;
}

/* Whether the file knows a child of that number; parent "": the model itself. */
static bool has_child(const ltap_layers *layers, const char *parent, uint32_t number)
{
    char path[LTAP_MAX_SCOPE_NAME + 16];
    uint32_t module;
    int n = snprintf(path, sizeof path, "%s%s%u", parent, parent[0] != '\0' ? "." : "",
                     (unsigned)number);
    return n > 0 && (size_t)n < sizeof path && ltap_layers_find(layers, path, &module);
}

/* Whether the next in a row of numbered children is missing. */
static bool next_is_missing(const ltap_tree *tree, const ltap_tree_call *call)
{
    uint32_t number;
    const char *parent = path_of(tree, call_above(tree, call));
    return ltap_name_number(parent, path_of(tree, call), &number) &&
           !has_child(tree->layers, parent, number + 1);
}

/* Whether the next sibling begins with a gap: the BatchNorm may have been its first child. */
static bool next_begins_later(const ltap_tree *tree, const ltap_tree_call *call)
{
    char path[LTAP_MAX_SCOPE_NAME + 16];
    const char *parent = path_of(tree, call_above(tree, call));
    uint32_t number, module;
    if (!ltap_name_number(parent, path_of(tree, call), &number))
        return false;
    int n = snprintf(path, sizeof path, "%s%s%u", parent, parent[0] != '\0' ? "." : "",
                     (unsigned)number + 1);
    return n > 0 && (size_t)n < sizeof path && ltap_layers_find(tree->layers, path, &module) &&
           module + 1 < tree->layers->modules.count &&
           ltap_layers_at(tree->layers, module + 1)->parent == module &&
           !has_child(tree->layers, path, 0);
}

/* Children of which some have numbers and this one a name: the numbers count it as well. */
static bool is_named_among_numbers(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_layers *layers = tree->layers;
    uint32_t parent = ltap_layers_at(layers, call->module)->parent, number;
    const char *above = path_of(tree, call_above(tree, call));
    if (parent == LTAP_NO_MODULE || ltap_name_number(above, path_of(tree, call), &number))
        return false;
    for (uint32_t m = parent + 1; m < layers->modules.count && m - parent < MAX_SIBLINGS; m++)
        if (ltap_layers_at(layers, m)->parent == parent &&
            ltap_name_number(above, ltap_layers_at(layers, m)->path, &number))
            return true;
    return false;
}

/* Weights of folded convolutions are numbered in the order of folding: where the one before it has
 * its own, nothing else was folded in. */
static bool folded_once(const ltap_graph *graph, const ltap_node *node)
{
    const char *name = ltap_graph_at(graph, node->inputs[1])->name;
    size_t end = strlen(name), start = end;
    unsigned number = 0;
    char before[64];
    uint32_t value;
    while (start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9')
        start--;
    if (start == end || end - start > 8)
        return false;
    for (size_t i = start; i < end; i++)
        number = number * 10 + (unsigned)(name[i] - '0');
    if (number < FOLD_STEP || start > sizeof before - 16)
        return false;
    snprintf(before, sizeof before, "%.*s%u", (int)start, name, number - FOLD_STEP);
    return ltap_graph_find(graph, before, &value) && ltap_graph_at(graph, value)->constant != NULL;
}

/* A Sequential in which the convolution is the only thing that is left. */
static bool is_alone(const ltap_tree *tree, const ltap_tree_call *around,
                     const ltap_tree_call *convolution, const ltap_node *node)
{
    uint32_t number;
    return around->begin == convolution->begin && around->end == convolution->end &&
           ltap_name_number(path_of(tree, around), path_of(tree, convolution), &number) &&
           number == 0 && !next_begins_later(tree, around) &&
           !is_named_among_numbers(tree, around) &&
           (folded_once(tree->layers->graph, node) || !next_is_missing(tree, around));
}

/* The call right behind another one in the same module; NULL: none. */
static const ltap_tree_call *call_behind(const ltap_tree *tree, const ltap_tree_call *before)
{
    const ltap_tree_call *around = call_above(tree, before);
    uint32_t place = before->end,
             end = around != NULL ? around->end : (uint32_t)tree->flow->n_order;
    if (place >= end || tree->call_of[place] == LTAP_NO_CALL)
        return NULL;
    const ltap_tree_call *call = ltap_tree_at(tree, tree->call_of[place]);
    while (call != NULL && call->depth > before->depth)
        call = call_above(tree, call);
    return call != NULL && call->depth == before->depth && call->begin == place ? call : NULL;
}

/* Whether two calls begin with the same operation, in children of the same names. */
static bool begin_alike(const ltap_tree *tree, const ltap_tree_call *a, const ltap_tree_call *b)
{
    const char *inner_a = path_of(tree, ltap_tree_at(tree, tree->call_of[a->begin]));
    const char *inner_b = path_of(tree, ltap_tree_at(tree, tree->call_of[b->begin]));
    size_t above_a = strlen(path_of(tree, a)), above_b = strlen(path_of(tree, b));
    return strlen(inner_a) >= above_a && strlen(inner_b) >= above_b &&
           strcmp(inner_a + above_a, inner_b + above_b) == 0 &&
           strcmp(ltap_tree_node(tree, a->begin)->op_type,
                  ltap_tree_node(tree, b->begin)->op_type) == 0;
}

/* Whether what the call is given first was made by a convolution that something was folded into. */
static bool reads_folded(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_graph *graph = tree->layers->graph;
    const ltap_node *node = ltap_tree_node(tree, call->begin);
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == LTAP_NO_VALUE)
            continue;
        uint32_t producer = ltap_graph_at(graph, node->inputs[i])->producer;
        if (producer != LTAP_NO_NODE && ltap_node_has_fold(graph, ltap_graph_node(graph, producer)))
            return true;
    }
    return false;
}

/* Whether a sibling that begins alike is seen to begin without a BatchNorm. */
static bool siblings_show(const ltap_tree *tree, const ltap_tree_call *next)
{
    const ltap_layers *layers = tree->layers;
    uint32_t parent = ltap_layers_at(layers, next->module)->parent;
    for (uint32_t m = parent + 1; m < layers->modules.count && m - parent < MAX_SIBLINGS; m++) {
        if (ltap_layers_at(layers, m)->parent != parent || m == next->module)
            continue;
        const ltap_tree_call *call =
            ltap_tree_at(tree, *LTAP_VECTOR_AT(&tree->first_calls, uint32_t, m));
        if (begin_alike(tree, next, call) && !reads_folded(tree, call))
            return true;
    }
    return false;
}

/* Whether no BatchNorm can stand behind the call: the next of numbered children takes its value. */
static bool ends_here(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_tree_call *above = call_above(tree, call), *next = call_behind(tree, call);
    uint32_t number, its;
    return next != NULL && ltap_name_number(path_of(tree, above), path_of(tree, call), &number) &&
           ltap_name_number(path_of(tree, above), path_of(tree, next), &its) && its == number + 1 &&
           siblings_show(tree, next);
}

static bool is_only_child(const ltap_layers *layers, uint32_t module)
{
    uint32_t parent = ltap_layers_at(layers, module)->parent;
    for (uint32_t m = parent + 1; m < layers->modules.count && m - parent < MAX_SIBLINGS; m++)
        if (ltap_layers_at(layers, m)->parent == parent && m != module)
            return false;
    return true;
}

/* Whether a call has numbered parts and is all that the modules around it show, up to one that is
 * known to have the BatchNorm: that is taken to be its next part. */
static bool holds_the_norm(const ltap_tree *tree, const ltap_tree_call *call,
                           const ltap_tree_call *convolution)
{
    uint32_t number;
    if (call_above(tree, convolution) != call ||
        !ltap_name_number(path_of(tree, call), path_of(tree, convolution), &number))
        return false;
    for (const ltap_tree_call *above = call_above(tree, call);
         above != NULL && is_only_child(tree->layers, call->module);
         call = above, above = call_above(tree, call))
        if (ends_here(tree, above))
            return true;
    return false;
}

ltap_status ltap_tree_folded_ends(ltap_tree *tree, uint32_t call, const ltap_node *node,
                                  ltap_error *error)
{
    const ltap_tree_call *convolution = ltap_tree_at(tree, call);
    const ltap_tree_call *around = call_above(tree, convolution);
    uint32_t value = node->outputs[0];
    if (!hands_out(tree, convolution, value))
        return LTAP_OK;
    ltap_layers_at(tree->layers, convolution->module)->folded = true;
    if (around != NULL && is_alone(tree, around, convolution, node))
        return LTAP_OK;
    for (; hands_out(tree, around, value) && !ends_here(tree, around) &&
           !holds_the_norm(tree, around, convolution);
         around = call_above(tree, around)) {
        ltap_module *module = ltap_layers_at(tree->layers, around->module);
        module->folded = true;
        module->folded_within = path_of(tree, convolution);
    }
    return LTAP_OK;
}
