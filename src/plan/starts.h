/* Inner values at which a getter starts: they become inputs. Private to src/plan. */
#ifndef LTAP_PLAN_STARTS_H
#define LTAP_PLAN_STARTS_H

#include "plan/getter.h"

/* Resolves the layers to start at, and cuts the graph there: sets the getter's graph, cut and own,
 * starts and start_values. Without starts the graph is the model's. */
ltap_status ltap_starts_take(ltap_getter *getter, const ltap_getter_options *options,
                             ltap_error *error);
/* Refuses starts that nothing which was asked for depends on; the needed inputs are known. */
ltap_status ltap_starts_check(const ltap_getter *getter, ltap_error *error);

#endif
