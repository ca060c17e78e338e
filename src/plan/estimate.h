/* What a forward will take, before anything is run. */
#ifndef LTAP_PLAN_ESTIMATE_H
#define LTAP_PLAN_ESTIMATE_H

#include "plan/getter.h"
#include "plan/watch.h"

/* The plan for public input shapes: given ones, or the model's fixed ones. watch: of a run's hooks,
 * or NULL. Give it back with ltap_getter_return. */
ltap_status ltap_getter_plan_for(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                                 const ltap_watch *watch, const ltap_plan **plan,
                                 ltap_error *error);
/* held_bytes: besides, as long as the run lasts; told as scratch memory. */
void ltap_plan_estimate(const ltap_getter *getter, const ltap_plan *plan, uint64_t held_bytes,
                        ltap_estimate *estimate);

#endif
