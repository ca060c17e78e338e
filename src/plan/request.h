/* A request with its patterns replaced by the layers that they stand for. */
#ifndef LTAP_PLAN_REQUEST_H
#define LTAP_PLAN_REQUEST_H

#include "plan/model.h"
#include "plan/reduce.h"
#include <layertap/getter.h>

/* A layer, and what is made of its value. */
typedef struct ltap_wanted {
    ltap_return_layer layer; /* its name without reductions */
    ltap_reduce reduce;
} ltap_wanted;

/* wanted: ltap_wanted, pushed in request order; texts from the arena or borrowed from the caller
 * and the model. A layer that stands in the request already under the same name is not pushed again
 * for a pattern. literal: names hold no reductions. */
ltap_status ltap_request_expand(const ltap_model *model, const ltap_return_layer *given,
                                size_t n_given, ltap_calls calls, bool literal, ltap_arena *arena,
                                ltap_vector *wanted, ltap_error *error);

#endif
