/* Making watches, and the getter's list of them; see watch.h.
 *
 * A value that a hook looks at counts as a tap, so what makes it visible is what makes a tap
 * visible. Where in the order of nodes a hook is called depends on the graph alone: after the node
 * that makes its value, or before the first node of the layer that reads its inputs.
 */
#include "plan/watch.h"

#include "base/error.h"
#include "plan/rewire.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_UNUSED = 8 };

/* The last node that makes one of a point's values; LTAP_NO_NODE: all are inputs. */
static uint32_t last_producer(const ltap_graph *graph, const ltap_point *point)
{
    uint32_t last = LTAP_NO_NODE;

    for (size_t i = 0; i < point->n_values; i++) {
        uint32_t producer = ltap_graph_at(graph, point->seen[i])->producer;
        if (producer != LTAP_NO_NODE && (last == LTAP_NO_NODE || producer > last))
            last = producer;
    }
    return last;
}

static void place_look(const ltap_watch *watch, const uint32_t *map, size_t index, ltap_look *look)
{
    const ltap_graph *graph = watch->graph;
    const ltap_point *point = &watch->points[index];
    uint32_t made = last_producer(graph, point), first = LTAP_NO_NODE, any = LTAP_NO_NODE;

    *look = (ltap_look){.point = index,
                        .node = made,
                        .before = point->before,
                        .inside = point->n_nodes,
                        .values = point->seen,
                        .n_values = point->n_values};
    if (!point->before)
        return;
    for (size_t i = 0; i < point->n_nodes; i++) {
        uint32_t node = map[point->nodes[i]];
        if (node == LTAP_NO_NODE)
            continue;
        any = node < any ? node : any;
        if (node < first && watch->keep[node])
            first = node;
    }
    first = first == LTAP_NO_NODE ? any : first; /* all is done in a node after it */
    if (made != LTAP_NO_NODE && (first == LTAP_NO_NODE || first <= made))
        first = made + 1;
    look->node = first;
}

/* Before anything, then by node; before it ahead of after it. */
static uint64_t place_of(const ltap_look *look)
{
    return look->node == LTAP_NO_NODE ? 0 : 1 + 2 * (uint64_t)look->node + (look->before ? 0 : 1);
}

/* Of those at one place the outer layer's first before it is computed, the inner one's after. */
static int by_place(const void *a, const void *b)
{
    const ltap_look *x = a, *y = b;

    if (place_of(x) != place_of(y))
        return place_of(x) < place_of(y) ? -1 : 1;
    if (x->before != y->before)
        return x->before ? 1 : -1; /* an input is there before anybody reads it */
    if (x->inside != y->inside)
        return (x->inside > y->inside) == x->before ? -1 : 1;
    return x->point < y->point ? -1 : x->point > y->point;
}

static ltap_status take_points(ltap_watch *watch, const ltap_point *points, size_t n_points,
                               ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_arena_take(&watch->arena, n_points, sizeof(ltap_point), &block, error));
    watch->points = block;
    for (size_t i = 0; i < n_points; i++)
        LTAP_TRY(ltap_point_copy(&points[i], &watch->arena, &watch->points[i], error));
    watch->n_points = n_points;
    return LTAP_OK;
}

static ltap_status take_taps(const ltap_getter *getter, ltap_watch *watch, ltap_error *error)
{
    size_t n = getter->n_layers;
    void *block;

    for (size_t i = 0; i < watch->n_points; i++)
        n += watch->points[i].n_values;
    LTAP_TRY(ltap_arena_take(&watch->arena, n, sizeof(uint32_t), &block, error));
    watch->taps = block;
    memcpy(watch->taps, getter->taps, getter->n_layers * sizeof(uint32_t));
    watch->n_taps = getter->n_layers;
    return LTAP_OK;
}

/* What is computed for the request and what the points look at. */
static ltap_status take_keep(const ltap_getter *getter, ltap_watch *watch, ltap_error *error)
{
    void *block;

    watch->n_taps = getter->n_layers;
    for (size_t i = 0; i < watch->n_points; i++)
        for (size_t k = 0; !watch->points[i].woven && k < watch->points[i].n_values; k++)
            watch->taps[watch->n_taps++] = watch->points[i].seen[k];
    LTAP_TRY(ltap_arena_take(&watch->arena, watch->graph->nodes.count, 1, &block, error));
    watch->keep = block;
    return ltap_prune(watch->graph, watch->taps, watch->n_taps, watch->keep, error);
}

static ltap_status place_looks(const ltap_getter *getter, ltap_watch *watch, uint32_t **map,
                               ltap_error *error)
{
    LTAP_TRY(take_keep(getter, watch, error));
    LTAP_TRY(ltap_rewire_map(getter, watch->graph, map, error));
    watch->n_looks = 0;
    for (size_t i = 0; i < watch->n_points; i++)
        if (!watch->points[i].woven)
            place_look(watch, *map, i, &watch->looks[watch->n_looks++]);
    qsort(watch->looks, watch->n_looks, sizeof(*watch->looks), by_place);
    return LTAP_OK;
}

static bool any_replaces(const ltap_watch *watch)
{
    for (size_t i = 0; i < watch->n_points; i++)
        if (watch->points[i].replaces)
            return true;
    return false;
}

static ltap_status fill(const ltap_getter *getter, const ltap_point *points, size_t n_points,
                        ltap_watch *watch, ltap_error *error)
{
    ltap_status status;
    uint32_t *map = NULL;
    void *block;

    LTAP_GO(take_points(watch, points, n_points, error));
    LTAP_GO(take_taps(getter, watch, error));
    LTAP_GO(ltap_arena_take(&watch->arena, n_points, sizeof(ltap_look), &block, error));
    watch->looks = block;
    watch->graph = getter->graph;
    LTAP_GO(place_looks(getter, watch, &map, error));
    if (any_replaces(watch)) {
        LTAP_GO(ltap_rewire(getter, watch, watch->looks, map, error));
        watch->graph = watch->own;
        ltap_memory_release(getter->memory, map);
        map = NULL;
        LTAP_GO(place_looks(getter, watch, &map, error));
    }
done:
    ltap_memory_release(getter->memory, map);
    return status;
}

ltap_status ltap_watch_new(const ltap_getter *getter, const ltap_point *points, size_t n_points,
                           ltap_watch **watch, ltap_error *error)
{
    void *block;

    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, 1, sizeof(ltap_watch), "the points of hooks",
                                     &block, error));
    ltap_watch *made = block;
    ltap_arena_init(&made->arena, getter->memory);
    ltap_status status = fill(getter, points, n_points, made, error);
    if (status != LTAP_OK) {
        ltap_watch_free(getter->memory, made);
        return status;
    }
    *watch = made;
    return LTAP_OK;
}

void ltap_watch_free(ltap_memory *memory, ltap_watch *watch)
{
    ltap_graph_free(watch->own);
    ltap_arena_clear(&watch->arena);
    ltap_memory_release(memory, watch);
}

static bool is_of(const ltap_watch *watch, const ltap_point *points, size_t n_points)
{
    if (watch->n_points != n_points)
        return false;
    for (size_t i = 0; i < n_points; i++)
        if (!ltap_point_same(&watch->points[i], &points[i]))
            return false;
    return true;
}

static ltap_watch *take_watch(ltap_getter *getter, const ltap_point *points, size_t n_points)
{
    for (ltap_watch **link = &getter->watches; *link; link = &(*link)->next) {
        ltap_watch *watch = *link;
        if (!is_of(watch, points, n_points))
            continue;
        *link = watch->next;
        return watch;
    }
    return NULL;
}

/* Frees a watch and its plans, which nobody uses. */
static void drop(ltap_getter *getter, ltap_watch *watch)
{
    for (ltap_plan **link = &getter->plans; *link;) {
        ltap_plan *plan = *link;
        if (plan->watch != watch) {
            link = &plan->next;
            continue;
        }
        *link = plan->next;
        ltap_plan_free(plan);
    }
    ltap_watch_free(getter->memory, watch);
}

static void throw_out(ltap_getter *getter)
{
    size_t unused = 0;

    for (ltap_watch **link = &getter->watches; *link;) {
        ltap_watch *watch = *link;
        if (watch->users || ++unused <= MAX_UNUSED) {
            link = &watch->next;
            continue;
        }
        *link = watch->next;
        drop(getter, watch);
    }
}

ltap_status ltap_getter_watch(ltap_getter *getter, const ltap_point *points, size_t n_points,
                              const ltap_watch **watch, ltap_error *error)
{
    ltap_status status = LTAP_OK;

    pthread_mutex_lock(&getter->lock);
    ltap_watch *found = take_watch(getter, points, n_points);
    if (!found) {
        status = ltap_watch_new(getter, points, n_points, &found, error);
        if (status == LTAP_OK)
            found->number = ++getter->n_watches;
    }
    if (status == LTAP_OK) {
        found->users++;
        found->next = getter->watches;
        getter->watches = found;
        throw_out(getter);
        *watch = found;
    }
    pthread_mutex_unlock(&getter->lock);
    return status;
}

void ltap_getter_unwatch(ltap_getter *getter, const ltap_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&getter->lock);
    ((ltap_watch *)watch)->users--;
    throw_out(getter);
    pthread_mutex_unlock(&getter->lock);
}

void ltap_getter_drop_plans(ltap_getter *getter)
{
    while (getter->plans) {
        ltap_plan *next = getter->plans->next;
        ltap_plan_free(getter->plans);
        getter->plans = next;
    }
    while (getter->watches) {
        ltap_watch *next = getter->watches->next;
        ltap_watch_free(getter->memory, getter->watches);
        getter->watches = next;
    }
}
