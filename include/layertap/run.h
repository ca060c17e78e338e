/* Runs: one thread's use of a getter, and the features it gives. */
#ifndef LAYERTAP_RUN_H
#define LAYERTAP_RUN_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/getter.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef struct ltap_run ltap_run;
typedef struct ltap_features ltap_features;

/* An input of a forward. name NULL: by position among ltap_getter_inputs_at. The data is borrowed
 * for the call and never written. */
typedef struct ltap_input {
    const char *name;
    ltap_tensor tensor;
} ltap_input;

/* run: yours to free; keeps the getter alive; one thread at a time. */
LTAP_API LTAP_MUST_USE ltap_status ltap_run_new(ltap_getter *getter, ltap_run **run,
                                                ltap_error *error);
/* Features that it returned stay. NULL is fine. */
LTAP_API void ltap_run_free(ltap_run *run);

/* Runs the pruned network.
 *
 * inputs: every input that the request needs, in any order; inputs of the model that it does not
 * need are accepted and ignored. New shapes make a new plan, which is kept.
 * features: yours to free; they stay valid after later forwards and after everything else is gone.
 * Errors: LTAP_ERROR_INPUT says what was given and what is wanted. A run that failed, or was
 * stopped by a hook, is usable at once. */
LTAP_API LTAP_MUST_USE ltap_status ltap_run_forward(ltap_run *run, const ltap_input *inputs,
                                                    size_t n_inputs, ltap_features **features,
                                                    ltap_error *error);

/* What a forward of this run will take, with what its hooks and interventions add: values that are
 * computed by themselves because they may be replaced, what hooks see in plain layout, copies and
 * means that interventions keep. Counted from before they were added. inputs as in
 * ltap_getter_estimate. */
LTAP_API LTAP_MUST_USE ltap_status ltap_run_estimate(ltap_run *run, const ltap_tensor *inputs,
                                                     size_t n_inputs, ltap_estimate *estimate,
                                                     ltap_error *error);

struct ltap_feature;

/* Where features go as soon as they are made; zero-initialise. */
typedef struct ltap_sink {
    /* Called in the order of execution, in the thread of the forward. index: the place in the
     * request. The feature and its data are lent until it returns, not to be written. Any status
     * but LTAP_OK ends the forward with it, and with *error, which it may set. A feature that was
     * not made because a hook stopped the forward comes at its end, with `missing` set and no data.
     */
    ltap_status (*take)(void *user, size_t index, const struct ltap_feature *feature,
                        ltap_error *error);
    void *user;
} ltap_sink;

/* Runs the pruned network, and keeps no feature: a forward for many or large layers, which needs no
 * more memory than one for the last of them, and at most the largest feature. Inputs and errors as
 * for ltap_run_forward. Inside `take` the run may not be used. */
LTAP_API LTAP_MUST_USE ltap_status ltap_run_stream(ltap_run *run, const ltap_input *inputs,
                                                   size_t n_inputs, const ltap_sink *sink,
                                                   ltap_error *error);

/* An entry of the answer. All borrowed from the features. */
typedef struct ltap_feature {
    const char *name;   /* as requested */
    const char *layer;  /* resolved */
    const char *kind;   /* "module", "node", "value", "input", "output" */
    int folded;         /* 1: after what the exporter folded in */
    ltap_tensor tensor; /* plain row-major, in the user's layout */
    int missing;        /* 1: a hook stopped the forward before it; data is NULL */
    int channels;       /* the axis that holds channels; 0: none does */
} ltap_feature;

/* In request order; NULL beyond the last. Borrowed from the features. */
LTAP_API size_t ltap_features_count(const ltap_features *features);
LTAP_API const ltap_feature *ltap_features_at(const ltap_features *features, size_t index);
/* By requested name; NULL where there is none. Borrowed from the features. */
LTAP_API const ltap_feature *ltap_features_find(const ltap_features *features, const char *name);
/* The layer whose hook stopped the forward; NULL: none did. Borrowed from the features. */
LTAP_API const char *ltap_features_stopped(const ltap_features *features);
/* All tensors in it end with it. NULL is fine. */
LTAP_API void ltap_features_free(ltap_features *features);

LTAP_END

#endif
