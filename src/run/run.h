/* One thread's use of a getter: its arena and scratch memory, kept between forwards. */
#ifndef LTAP_RUN_RUN_H
#define LTAP_RUN_RUN_H

#include "base/parallel.h"
#include "run/features.h"
#include "run/hooks.h"
#include "run/profile.h"

struct ltap_run {
    ltap_getter *getter; /* a reference */
    ltap_memory *memory; /* the getter's model's */
    void *arena, *scratch;
    uint64_t arena_bytes, scratch_bytes;
    ltap_tensor *tensors; /* scratch for calls: max_operands */
    void **pointers;      /* the same number */
    size_t n_operands;
    ltap_tensor *inputs; /* this forward's, one a getter input */
    ltap_profile profile;
    ltap_hooks hooks;
    void *view; /* what hooks see of values that do not lie in plain layout */
    uint64_t view_bytes;
    bool busy;             /* a forward is under way */
    bool replaced;         /* by a hook of this step */
    const ltap_sink *sink; /* this forward's, or NULL */
    const char *stopped;   /* this forward's: the layer whose hook ended it; NULL: none */
    ltap_pool *pool;       /* its threads, between forwards asleep; NULL: none */
};

ltap_status ltap_run_make(ltap_getter *getter, ltap_run **run, ltap_error *error);
void ltap_run_release(ltap_run *run);
/* sink: NULL, or features go there and *features stays NULL. */
ltap_status ltap_run_go(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                        const ltap_sink *sink, ltap_features **features, ltap_error *error);

/* A forward with the run's hooks. */
ltap_status ltap_run_foresee(ltap_run *run, const ltap_tensor *inputs, size_t n_inputs,
                             ltap_estimate *estimate, ltap_error *error);

/* Does all steps of a plan; the run's memory is large enough. */
ltap_status ltap_run_execute(ltap_run *run, const ltap_plan *plan, ltap_features *features,
                             ltap_error *error);

/* A feature to a sink; an error is set where the sink set none. */
ltap_status ltap_run_hand_on(const ltap_sink *sink, size_t index, const ltap_feature *feature,
                             ltap_error *error);
/* Calls the hooks of a step. */
ltap_status ltap_run_hooks(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                           ltap_error *error);

/* Calls one hook, which wants the data; replaced: it did, and may. STOP is the run's `stopped`. */
ltap_status ltap_hook_ask(ltap_run *run, const ltap_hooked *hooked, ltap_hook_call *call,
                          bool *replaced, ltap_error *error);
/* That a replacement has the type and shape of what it is for. */
ltap_status ltap_hook_check_replaced(const ltap_hook_call *call, size_t index,
                                     const ltap_tensor *wanted, ltap_error *error);

/* Tells hooks of what is made in the bodies of If, Loop and Scan. */
typedef struct ltap_insider {
    ltap_observer observer;
    ltap_run *run;
} ltap_insider;
/* NULL: no hook is there. */
ltap_observer *ltap_run_observe(ltap_run *run, ltap_insider *insider);

/* Where an operand's bytes are in this forward; NULL: nowhere. */
void *ltap_run_locate(const ltap_run *run, const ltap_plan *plan, const ltap_operand *operand);
/* The operand's bytes at src, as they lie, into plain layout at dst. */
void ltap_run_copy_plain(const ltap_run *run, const ltap_operand *operand, const void *src,
                         void *dst);

#endif
