/* Getters: a request understood, the network pruned for it, its packed weights and plans.
 *
 * Shared by threads: what changes after it is made is a locked cache of plans and of packed
 * weights. References keep it alive while runs use it.
 */
#ifndef LTAP_PLAN_GETTER_H
#define LTAP_PLAN_GETTER_H

#include "plan/model.h"
#include "plan/plan.h"
#include <pthread.h>

struct ltap_getter {
    atomic_uint references;
    ltap_model *model;         /* kept alive */
    const ltap_graph *graph;   /* that runs: the model's rewritten one, or our own */
    ltap_graph *cut, *own;     /* with starts: the model's cut there; it rewritten. Else NULL */
    ltap_getter_layer *starts; /* as understood; name: of the input */
    uint32_t *start_values;
    size_t n_starts;
    ltap_memory *memory; /* the model's; borrowed from it */
    ltap_arena arena;
    ltap_getter_layer *layers; /* as understood */
    uint32_t *taps;            /* their values */
    ltap_reduce *reduces;      /* what is made of those */
    size_t n_layers;
    uint8_t *keep;          /* a flag a node of graph */
    uint8_t *keep_original; /* a flag a node of model->graph */
    uint32_t *input_values; /* needed inputs, in the model's order */
    ltap_port *inputs;
    size_t n_inputs;
    bool runs, exact, bf16, reference_only, low_memory;
    int channels; /* -1: the model has them last; 0: axis 1, of three axes the last */
    bool turns;   /* features have them second all the same */
    int threads;
    ltap_packs *packs;
    pthread_mutex_t lock; /* guards plans and the making of them */
    bool lock_made;
    ltap_plan *plans;
    struct ltap_watch *watches; /* points of hooks, the latest used first */
    uint64_t n_watches;         /* made so far */
};

/* runs: false for one that is only saved, which may hold operators that layertap does not have. */
ltap_status ltap_getter_make(const ltap_model *model, const ltap_return_layer *layers,
                             size_t n_layers, const ltap_getter_options *options, bool runs,
                             ltap_getter **getter, ltap_error *error);
/* One asked-for layer as it is understood; strings from the getter's arena or the model's. */
ltap_status ltap_getter_resolve(ltap_getter *getter, const ltap_return_layer *asked,
                                ltap_calls calls, ltap_getter_layer *layer, uint32_t *value,
                                ltap_error *error);
ltap_getter *ltap_getter_ref(ltap_getter *getter);
void ltap_getter_unref(ltap_getter *getter);

/* The plan for these input shapes (one tensor a needed input, in order) and points of hooks (NULL:
 * none), made when there is none. Give it back with ltap_getter_return. The cache keeps the plans
 * used last; packed weights stay whatever happens to plans. Errors: shapes and types that the model
 * does not take. */
ltap_status ltap_getter_plan(ltap_getter *getter, const ltap_tensor *inputs,
                             const struct ltap_watch *watch, const ltap_plan **plan,
                             ltap_error *error);
void ltap_getter_return(ltap_getter *getter, const ltap_plan *plan);
/* True when a line of the model's list is kept by the request. */
bool ltap_getter_keeps_listed(const ltap_getter *getter, size_t index);
/* Checks one input against what the model declares. */
ltap_status ltap_port_check(const ltap_port *port, const ltap_tensor *tensor, ltap_error *error);
/* Shapes from the declared sizes alone; an error where one is free. shapes: n_inputs entries. */
ltap_status ltap_getter_fixed_shapes(const ltap_getter *getter, ltap_tensor *shapes,
                                     ltap_error *error);

#endif
