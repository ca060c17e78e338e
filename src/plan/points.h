/* Points: where hooks are called. A layer of the model as a hook's selector names it, with the
 * values that are seen there. Private to src/plan and src/run.
 */
#ifndef LTAP_PLAN_POINTS_H
#define LTAP_PLAN_POINTS_H

#include "plan/getter.h"
#include <layertap/hook.h>

typedef struct ltap_point {
    const char *layer, *kind;
    uint32_t call; /* of a module */
    bool before, replaces;
    bool woven;             /* in a watch: a node of its graph, because it or another replaces */
    const uint32_t *values; /* of the model's graph: the layer's own, or what it reads */
    const uint32_t *seen;   /* in a watch: the same, as its graph calls what is looked at */
    size_t n_values;
    const uint32_t *nodes; /* of the model's graph: what is inside the layer; none for a value */
    size_t n_nodes;
} ltap_point;

/* The points that a selector stands for: each call of a module, each layer of a pattern. Those that
 * the request does not need are left out; when none is needed, that is the error. points:
 * ltap_point, pushed; texts and lists from the arena or the model's. */
ltap_status ltap_points_find(const ltap_getter *getter, const char *selector, bool before,
                             ltap_arena *arena, ltap_vector *points, ltap_error *error);
/* Whether a selector stands for nothing outside bodies. */
ltap_status ltap_points_unknown(const ltap_getter *getter, const char *selector, ltap_arena *arena,
                                bool *unknown, ltap_error *error);
/* Whether two points are the same side of the same layer; whether they replace as well. */
bool ltap_point_meets(const ltap_point *a, const ltap_point *b);
bool ltap_point_same(const ltap_point *a, const ltap_point *b);
/* A copy with its own texts and lists. */
ltap_status ltap_point_copy(const ltap_point *point, ltap_arena *arena, ltap_point *copy,
                            ltap_error *error);

#endif
