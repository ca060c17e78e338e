/* Selectors to values, and pruning to ancestors. The rules are in include/layertap/getter.h. */
#ifndef LTAP_SELECT_SELECT_H
#define LTAP_SELECT_SELECT_H

#include "graph/layers.h"
#include <layertap/getter.h>

/* A resolved selector. Strings are from the given arena or borrowed from graph and layers. */
typedef struct ltap_selection {
    uint32_t value;
    const char *layer; /* canonical full name: "layer1.0.relu#1" */
    const char *kind;  /* "module", "node", "value", "input", "output" */
    const char *note;  /* "" or a remark */
    bool folded;
    uint32_t module, call; /* LTAP_NO_MODULE unless a call of a module was meant */
    uint32_t node;         /* LTAP_NO_NODE unless a node was meant */
} ltap_selection;

/* Errors: unknown (with the nearest names), ambiguous (with the candidates), folded; in the words
 * of UX.md, without the program's name. model_name: for "no layer 'x' in NAME". */
ltap_status ltap_select(const ltap_layers *layers, const char *model_name, const char *selector,
                        ltap_calls calls, ltap_arena *arena, ltap_selection *selection,
                        ltap_error *error);

/* Marks the nodes that the values need: keep[node] = 1 for ancestors, 0 for the others. */
ltap_status ltap_prune(const ltap_graph *graph, const uint32_t *values, size_t n_values,
                       uint8_t *keep, ltap_error *error);

/* One line of the list of layers, in the order of ltap_model_layers_at; every name resolves. */
typedef struct ltap_listed {
    const char *name;
    ltap_layer_kind kind;
    const char *type, *note;
    uint32_t value;  /* whose shape is shown */
    uint32_t module; /* LTAP_NO_MODULE for inputs, outputs, loose nodes */
    uint32_t call;   /* of the module */
    uint32_t node;   /* LTAP_NO_NODE unless it is one node */
    size_t parent;   /* index in this list, or LTAP_NO_PARENT */
    int depth;
    uint64_t n_parameters;
    bool folded; /* its value is that after what the exporter folded in */
} ltap_listed;
/* The layers that a selector stands for: a pattern ("layer*.*.relu") or "op:Conv" gives the names
 * of all that match, in the order of the list, each of which resolves; any other selector itself.
 * names: const char *, pushed; from the arena or borrowed from the list. several: whether it was a
 * pattern. Errors: nothing matches. */
typedef struct ltap_pattern_search {
    const ltap_layers *layers;
    const ltap_vector *listed;
    const char *model_name;
    ltap_calls calls;
} ltap_pattern_search;
ltap_status ltap_select_several(const ltap_pattern_search *search, const char *selector,
                                ltap_arena *arena, ltap_vector *names, bool *several,
                                ltap_error *error);

ltap_status ltap_list_layers(const ltap_layers *layers, ltap_arena *arena, ltap_vector *listed,
                             ltap_error *error);

#endif
