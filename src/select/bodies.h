/* What is inside the bodies of If, Loop and Scan, and its names: "If_3.then.conv" is what makes
 * "conv" in the branch that runs if the condition holds. It is watched by hooks, never handed out:
 * how often it is made, and whether at all, only a run can tell.
 */
#ifndef LTAP_SELECT_BODIES_H
#define LTAP_SELECT_BODIES_H

#include "select/select.h"

/* An operation in a body. */
typedef struct ltap_inside {
    const char *around;      /* path of the body: "If_3.then" */
    const ltap_graph *graph; /* the body; the same in all copies of the graph around it */
    const ltap_node *node;
    const ltap_node *outer; /* the node of the model's own graph that it is in */
} ltap_inside;

/* One of its ends, as a selector names it. */
typedef struct ltap_inside_end {
    const ltap_inside *inside;
    const char *name; /* within the body */
    const char *kind; /* "node", "value" */
    size_t slot;      /* the output */
} ltap_inside_end;

/* All of them, bodies in bodies too, in the order of the file. found: ltap_inside, pushed; texts
 * from the arena. */
ltap_status ltap_bodies_walk(const ltap_graph *graph, ltap_arena *arena, ltap_vector *found,
                             ltap_error *error);
/* The name of a node; of one that has none, its first output's. */
const char *ltap_bodies_name(const ltap_inside *inside);
/* Those that a selector stands for: by path, by a pattern of paths, or, where no path is like that,
 * by the name that the body has for it. ends: ltap_inside_end, pushed. */
ltap_status ltap_bodies_find(const ltap_vector *found, const char *selector, ltap_arena *arena,
                             ltap_vector *ends, ltap_error *error);

#endif
