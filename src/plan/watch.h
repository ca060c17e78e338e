/* A getter's network with points at which hooks are called: what is computed for them besides, and
 * between which nodes the calls are. Immutable once made; the getter keeps the last ones for runs
 * with the same hooks to share, with their plans. Private to src/plan and src/run.
 */
#ifndef LTAP_PLAN_WATCH_H
#define LTAP_PLAN_WATCH_H

#include "plan/points.h"

typedef struct ltap_watch {
    struct ltap_watch *next; /* of the getter's, the latest used first */
    unsigned users;          /* guarded by the getter's lock */
    uint64_t number;         /* tells it from all others of the getter; never 0 */
    ltap_arena arena;
    ltap_point *points; /* copies, in the order of the hooks; the key */
    size_t n_points;
    const ltap_graph *graph; /* that runs: the getter's, or our own */
    ltap_graph *own;         /* with points that replace; else NULL */
    uint8_t *keep;           /* a flag a node of it */
    uint32_t *taps;          /* the request's, then what the points look at */
    size_t n_taps;
    ltap_look *looks; /* in order of execution: the points that are no nodes */
    size_t n_looks;
} ltap_watch;

/* points: copied, different ones. watch: yours to give to ltap_watch_free. */
ltap_status ltap_watch_new(const ltap_getter *getter, const ltap_point *points, size_t n_points,
                           ltap_watch **watch, ltap_error *error);
void ltap_watch_free(ltap_memory *memory, ltap_watch *watch);

/* The getter's watch of these points in this order, made when there is none. Give it back with
 * ltap_getter_unwatch; the getter keeps it for a while. */
ltap_status ltap_getter_watch(ltap_getter *getter, const ltap_point *points, size_t n_points,
                              const ltap_watch **watch, ltap_error *error);
void ltap_getter_unwatch(ltap_getter *getter, const ltap_watch *watch);
/* Frees all watches and plans; at the getter's end. */
void ltap_getter_drop_plans(ltap_getter *getter);

#endif
