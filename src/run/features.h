/* The answer: an ordered dictionary of tensors, all in one block; outlives everything else. */
#ifndef LTAP_RUN_FEATURES_H
#define LTAP_RUN_FEATURES_H

#include "plan/getter.h"
#include <layertap/run.h>

struct ltap_features {
    ltap_memory *memory; /* a reference */
    ltap_arena arena;    /* names */
    ltap_feature *features;
    size_t count;
    void *block;         /* all data */
    const char *stopped; /* the layer whose hook ended the forward, or NULL */
};

/* Empty tensors of the plan's shapes under the getter's names; or without data. features: yours to
 * release. */
ltap_status ltap_features_new(const ltap_getter *getter, const ltap_plan *plan, bool with_data,
                              ltap_features **features, ltap_error *error);
/* What a forward that was stopped has not made loses its data. */
ltap_status ltap_features_stop(ltap_features *features, const char *layer, ltap_error *error);
void ltap_features_release(ltap_features *features);

#endif
