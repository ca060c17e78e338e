/* Public functions of <layertap/profile.h>: check arguments, call inside, nothing else. */
#include <layertap/profile.h>

#include "base/error.h"
#include "run/run.h"

ltap_status ltap_run_profile(ltap_run *run, int on, ltap_error *error)
{
    if (!run)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_run_profile: the run is NULL");
    if (run->busy)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_run_profile: this run is in the middle of a forward");
    ltap_profile_switch(&run->profile, on != 0);
    return LTAP_OK;
}

size_t ltap_run_profile_count(const ltap_run *run)
{
    return run->profile.n_steps;
}

const ltap_profile_step *ltap_run_profile_at(const ltap_run *run, size_t index)
{
    return index < run->profile.n_steps ? &run->profile.steps[index] : NULL;
}
