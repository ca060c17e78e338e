/* What a profiled run remembers: a line a step, for one set of input shapes. */
#ifndef LTAP_RUN_PROFILE_H
#define LTAP_RUN_PROFILE_H

#include "plan/getter.h"
#include <layertap/profile.h>

typedef struct ltap_profile {
    bool on;
    ltap_memory *memory; /* borrowed from the run */
    ltap_arena arena;    /* everything below; copies, because plans come and go */
    uint64_t watch;      /* the number of the points of hooks that it is about; 0: none */
    ltap_tensor *inputs; /* the shapes that it is about */
    ltap_profile_step *steps;
    size_t n_steps;
} ltap_profile;

void ltap_profile_init(ltap_profile *profile, ltap_memory *memory);
void ltap_profile_clear(ltap_profile *profile);
/* On: empty again. Off: what was measured stays. */
void ltap_profile_switch(ltap_profile *profile, bool on);

/* Makes it about this plan, unless it is already. */
ltap_status ltap_profile_prepare(ltap_profile *profile, const ltap_getter *getter,
                                 const ltap_plan *plan, ltap_error *error);

/* Nanoseconds of a clock that never goes back. */
uint64_t ltap_profile_clock(void);

#endif
