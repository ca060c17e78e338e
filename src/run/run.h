/* One thread's use of a getter: its arena and scratch memory, kept between forwards. */
#ifndef LTAP_RUN_RUN_H
#define LTAP_RUN_RUN_H

#include "base/parallel.h"
#include "run/features.h"
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
    ltap_pool *pool; /* its threads, between forwards asleep; NULL: none */
};

ltap_status ltap_run_make(ltap_getter *getter, ltap_run **run, ltap_error *error);
void ltap_run_release(ltap_run *run);
ltap_status ltap_run_go(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                        ltap_features **features, ltap_error *error);

/* Does all steps of a plan; the run's memory is large enough. */
ltap_status ltap_run_execute(ltap_run *run, const ltap_plan *plan, ltap_features *features,
                             ltap_error *error);

#endif
