/* Profiles: where the time of a run goes, step by step.
 *
 * A run that is not profiled pays nothing for it. One that is reads the clock twice a step, which
 * changes neither a kernel nor a bit. */
#ifndef LAYERTAP_PROFILE_H
#define LAYERTAP_PROFILE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/run.h>
#include <stddef.h>
#include <stdint.h>

LTAP_BEGIN

/* One step of the plan, in the order of execution. Strings are borrowed from the run, until its
 * profile begins anew; none is NULL. */
typedef struct ltap_profile_step {
    const char *layer;     /* where it stands, as the list of layers says: "layer1.0.conv1", or the
                              node in words. Of several operations the first */
    const char *operation; /* operators that it does: "Conv+Relu"; "convert": a value into another
                              layout; "tap": a feature handed out;
                              "hook": hooks called */
    const char *kernel;    /* "dnnl:conv brgconv:avx512_core"; "reference": plain C; "copy" */
    const char *refusals;  /* why faster kernels were not taken; "" */
    uint64_t calls;        /* how often it was done */
    uint64_t nanoseconds;  /* in all calls together */
    uint64_t mult_adds;    /* multiply-adds of one call, as ltap_layer_shape counts them */
} ltap_profile_step;

/* Switches profiling on (1), beginning anew, or off (0); what was measured stays readable. run: may
 * not be NULL.
 *
 * A profile is about one set of input shapes: a forward with others, or with other
 * hooks, begins it anew. */
LTAP_API LTAP_MUST_USE ltap_status ltap_run_profile(ltap_run *run, int on, ltap_error *error);

/* Steps measured so far; 0 before the first forward. */
LTAP_API size_t ltap_run_profile_count(const ltap_run *run);
/* NULL past the end. */
LTAP_API const ltap_profile_step *ltap_run_profile_at(const ltap_run *run, size_t index);

LTAP_END

#endif
