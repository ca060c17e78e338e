/* Hooks that may replace: nodes between a layer and whoever reads it. Private to src/plan. */
#ifndef LTAP_PLAN_REWIRE_H
#define LTAP_PLAN_REWIRE_H

#include "plan/watch.h"

/* Whether a node is one at which hooks may replace values; point: which. */
bool ltap_rewire_is(const ltap_node *node, size_t *point);

/* The node of `graph` (the getter's own, or a rewired copy of it) for each node of the model;
 * LTAP_NO_NODE: none. map: yours to release. */
ltap_status ltap_rewire_map(const ltap_getter *getter, const ltap_graph *graph, uint32_t **map,
                            ltap_error *error);

/* Sets watch->own, in which every point that replaces is a node; renames the watch's taps to what
 * is handed out then. looks: one a point, by the getter's graph and in order of execution. Points
 * that only look and see what another replaces become nodes too. */
ltap_status ltap_rewire(const ltap_getter *getter, ltap_watch *watch, const ltap_look *looks,
                        const uint32_t *map, ltap_error *error);

#endif
