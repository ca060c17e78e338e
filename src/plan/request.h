/* A request with its patterns replaced by the layers that they stand for. */
#ifndef LTAP_PLAN_REQUEST_H
#define LTAP_PLAN_REQUEST_H

#include "plan/model.h"
#include <layertap/getter.h>

/* layers: ltap_return_layer, pushed in request order; texts from the arena or borrowed from the
 * caller and the model. A layer that stands in the request already under the same name is not
 * pushed again for a pattern. */
ltap_status ltap_request_expand(const ltap_model *model, const ltap_return_layer *given,
                                size_t n_given, ltap_calls calls, ltap_arena *arena,
                                ltap_vector *layers, ltap_error *error);

#endif
