/* Public functions of <layertap/run.h>: check arguments, call inside, nothing else. */
#include <layertap/run.h>

#include "base/error.h"
#include "run/run.h"

#include <string.h>

ltap_status ltap_run_new(ltap_getter *getter, ltap_run **run, ltap_error *error)
{
    if (!getter || !run)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_run_new: an argument is NULL");
    *run = NULL;
    return ltap_run_make(getter, run, error);
}

void ltap_run_free(ltap_run *run)
{
    ltap_run_release(run);
}

ltap_status ltap_run_forward(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                             ltap_features **features, ltap_error *error)
{
    if (!run || !features || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_run_forward: an argument is NULL");
    *features = NULL;
    return ltap_run_go(run, inputs, n_inputs, NULL, features, error);
}

ltap_status ltap_run_stream(ltap_run *run, const ltap_input *inputs, size_t n_inputs,
                            const ltap_sink *sink, ltap_error *error)
{
    ltap_features *none = NULL;

    if (!run || !sink || !sink->take || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_run_stream: an argument is NULL");
    return ltap_run_go(run, inputs, n_inputs, sink, &none, error);
}

ltap_status ltap_run_estimate(ltap_run *run, const ltap_tensor *inputs, size_t n_inputs,
                              ltap_estimate *estimate, ltap_error *error)
{
    if (!run || !estimate || (n_inputs && !inputs))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_run_estimate: an argument is NULL");
    return ltap_run_foresee(run, inputs, n_inputs, estimate, error);
}

size_t ltap_features_count(const ltap_features *features)
{
    return features->count;
}

const ltap_feature *ltap_features_at(const ltap_features *features, size_t index)
{
    return index < features->count ? &features->features[index] : NULL;
}

const ltap_feature *ltap_features_find(const ltap_features *features, const char *name)
{
    for (size_t i = 0; name && i < features->count; i++)
        if (strcmp(features->features[i].name, name) == 0)
            return &features->features[i];
    return NULL;
}

const char *ltap_features_stopped(const ltap_features *features)
{
    return features->stopped;
}

void ltap_features_free(ltap_features *features)
{
    ltap_features_release(features);
}
