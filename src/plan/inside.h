/* Points inside the bodies of If, Loop and Scan: where hooks are called while a body runs. Bodies
 * are the same in all copies of a graph, so a point is a node of a body. Private to src/plan and
 * src/run.
 */
#ifndef LTAP_PLAN_INSIDE_H
#define LTAP_PLAN_INSIDE_H

#include "plan/getter.h"

typedef struct ltap_inside_point {
    const char *layer, *kind; /* "Loop_3.body.conv" */
    const ltap_graph *body;
    uint32_t node;
    size_t slot; /* AFTER: which output */
    bool before;
} ltap_inside_point;

/* Those that a selector stands for, which nothing outside bodies is called; none: nothing is
 * pushed. points: ltap_inside_point. Errors: several bodies have the name; what the request does
 * not need; a value has no inputs. */
ltap_status ltap_inside_find(const ltap_getter *getter, const char *selector, bool before,
                             ltap_arena *arena, ltap_vector *points, ltap_error *error);

#endif
