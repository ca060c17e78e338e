/* Modules that left nothing of their own in a file, yet whose value is proven by their place.
 *
 * "classifier.1" feeds "classifier.3" directly inside a Sequential: what "classifier.2" did, if
 * anything, is no operation (Dropout, Identity), so its value is that of "classifier.1". After a
 * folded convolution the gap holds the BatchNorm: the last of the gap hands out the folded value,
 * those before it are unknown. What is missing at the end of a Sequential cannot be known at all.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <stdio.h>
#include <string.h>

#define MAX_GAP 64

/* A child call in a row of numbered children. */
typedef struct child_call {
    uint32_t number;
    const ltap_module_call *call;
    const ltap_module *module;
} child_call;

/* The calls right inside `parent`, if they are the numbered children of a chain, each called once,
 * in order, and nothing else runs in it. */
static ltap_status read_chain(ltap_tree *tree, uint32_t parent, ltap_vector *chain, bool *good,
                              ltap_error *error)
{
    const ltap_tree_call *around = ltap_tree_at(tree, parent);
    const ltap_module *module = ltap_layers_at(tree->layers, around->module);
    uint32_t place = around->begin;
    chain->count = 0;
    *good = false;
    for (uint32_t c = parent + 1; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        child_call child = {.module = ltap_layers_at(tree->layers, call->module)};
        if (call->begin >= around->end || call->depth <= around->depth)
            break;
        if (call->parent != parent || child.module->folded_by != NULL)
            continue;
        if (call->begin != place ||
            !ltap_name_number(module->path, child.module->path, &child.number))
            return LTAP_OK;
        child.call = ltap_module_call_at(child.module, call->begin);
        if (child.call == NULL || child.call->n_outputs == 0 || child.call->n_inputs != 1)
            return LTAP_OK;
        place = call->end;
        LTAP_TRY(ltap_vector_push(chain, &child, error));
    }
    *good = place == around->end && chain->count > 0;
    for (size_t i = 1; i < chain->count; i++) {
        const child_call *a = LTAP_VECTOR_AT(chain, child_call, i - 1), *b = a + 1;
        *good &= a->number < b->number && a->call->n_outputs == 1 &&
                 a->call->outputs[0] == b->call->inputs[0];
    }
    return LTAP_OK;
}

/* Rewriting may have moved a neighbour's operation into this call. */
static bool has_taken_over(const ltap_tree *tree, const ltap_module_call *call)
{
    const ltap_graph *graph = tree->layers->graph;
    for (uint32_t place = call->first; place < call->end; place++)
        if (ltap_node_took_over(graph, ltap_tree_node(tree, place)))
            return true;
    return false;
}

/* Whether a call can be seen to begin with its first operation: with one that has no modules
 * inside, or with children from number 0 on. What begins otherwise may have begun with a BatchNorm.
 */
static bool begins_plainly(const ltap_tree *tree, uint32_t parent, const ltap_module_call *call)
{
    uint32_t inner = tree->call_of[call->first], number;
    for (; inner != LTAP_NO_CALL && inner != parent; inner = ltap_tree_at(tree, inner)->parent) {
        const ltap_tree_call *around = ltap_tree_at(tree, ltap_tree_at(tree, inner)->parent);
        const char *above = ltap_layers_at(tree->layers, around->module)->path;
        const char *path = ltap_layers_at(tree->layers, ltap_tree_at(tree, inner)->module)->path;
        if (ltap_tree_at(tree, inner)->parent != parent &&
            (!ltap_name_number(above, path, &number) || number != 0))
            return false;
    }
    return inner == parent;
}

static ltap_status add_elided(ltap_tree *tree, uint32_t parent, uint32_t number, uint32_t value,
                              const char *note, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    uint32_t around = ltap_tree_at(tree, parent)->module, module;
    const char *path;
    LTAP_TRY(ltap_arena_format(&layers->arena, &path, error, "%s.%u",
                               ltap_layers_at(layers, around)->path, (unsigned)number));
    if (ltap_layers_find(layers, path, &module) &&
        ltap_layers_at(layers, module)->elided_value == LTAP_NO_VALUE)
        return LTAP_OK;
    LTAP_TRY(ltap_tree_module(tree, path, around, &module, error));
    ltap_module *entry = ltap_layers_at(layers, module);
    size_t calls = ltap_layers_at(layers, around)->n_calls;
    void *block;
    if (entry->calls == NULL) {
        LTAP_TRY(ltap_arena_take(&layers->arena, calls, sizeof(ltap_module_call), &block, error));
        entry->calls = block;
        entry->elided_value = value;
        entry->note = note;
    }
    if (entry->n_calls == calls)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(&layers->arena, 1, sizeof(uint32_t), &block, error));
    *(uint32_t *)block = value;
    entry->calls[entry->n_calls++] = (ltap_module_call){.outputs = block,
                                                        .n_outputs = 1,
                                                        .inputs = block,
                                                        .n_inputs = 1,
                                                        .first = ltap_tree_at(tree, parent)->begin,
                                                        .end = ltap_tree_at(tree, parent)->begin};
    return LTAP_OK;
}

/* The numbers [from, next->number) are missing between a value's maker and what reads it. */
static ltap_status fill_gap(ltap_tree *tree, uint32_t parent, uint32_t from, const child_call *next,
                            ltap_error *error)
{
    uint32_t to = next->number, value = next->call->inputs[0];
    ltap_layers *layers = tree->layers;
    const ltap_value *v = ltap_graph_at(layers->graph, value);
    bool folded = v->producer != LTAP_NO_NODE && layers->folded_node[v->producer] == 1;
    const char *note;
    if (to <= from || to - from > MAX_GAP)
        return LTAP_OK;
    if (folded && !begins_plainly(tree, parent, next->call))
        return LTAP_OK;
    if (folded && to - from > 1)
        from = to - 1;
    LTAP_TRY(ltap_arena_format(
        &layers->arena, &note, error,
        folded ? "no operation of its own in this file: its value is '%s', where the exporter "
                 "folded a BatchNorm in"
               : "no operation of its own in this file (as a Dropout or Identity has none): its "
                 "value is '%s'",
        v->name));
    for (uint32_t number = from; number < to; number++)
        LTAP_TRY(add_elided(tree, parent, number, value, note, error));
    return LTAP_OK;
}

ltap_status ltap_tree_elided(ltap_tree *tree, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    size_t n_calls = tree->calls.count;
    ltap_vector chain;
    ltap_vector_init(&chain, tree->scopes->memory, sizeof(child_call));
    for (uint32_t c = 0; c < n_calls; c++) {
        bool good;
        LTAP_GO(read_chain(tree, c, &chain, &good, error));
        if (!good || ltap_layers_at(tree->layers, ltap_tree_at(tree, c)->module)->doubt != NULL)
            continue;
        uint32_t next = 0;
        for (size_t i = 0; i < chain.count; i++) {
            const child_call at = *LTAP_VECTOR_AT(&chain, child_call, i);
            /* Before the first, an equal operation elsewhere may stand for one that is missing:
             * only the last of the gap is sure to hand out what is read. */
            if (i == 0 && at.number > 0)
                next = at.number - 1;
            if (!has_taken_over(tree, at.call))
                LTAP_GO(fill_gap(tree, c, next, &at, error));
            next = at.number + 1;
        }
    }
done:
    ltap_vector_clear(&chain);
    return status;
}
