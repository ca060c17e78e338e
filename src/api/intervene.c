/* Public functions of <layertap/intervene.h>: check arguments, call inside, nothing else. */
#include <layertap/intervene.h>

#include "base/error.h"
#include "run/intervene.h"
#include "tensor/element.h"

static ltap_status check_value(const ltap_tensor *value, ltap_error *error)
{
    if (!value || value->rank < 0 || value->rank > LTAP_MAX_RANK)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "ltap_intervention_add: there is no value, or its rank is not 0 to %d", LTAP_MAX_RANK);
    LTAP_TRY(ltap_tensor_check(value, error));
    if (!ltap_element_find(value->dtype)->real || ltap_dtype_bits(value->dtype) < 8 ||
        (!value->data && ltap_tensor_bytes(value)))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_intervention_add: the value is %s%s; it wants real numbers",
                              ltap_dtype_name(value->dtype), value->data ? "" : " without data");
    return LTAP_OK;
}

ltap_status ltap_intervention_add(ltap_run *run, const ltap_intervention *intervention,
                                  uint64_t *number, ltap_error *error)
{
    if (!run || !intervention || !intervention->layer)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_intervention_add: an argument is NULL");
    if ((unsigned)intervention->kind > LTAP_SET_VALUE)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_intervention_add: there is no kind %d",
                              (int)intervention->kind);
    if (intervention->kind == LTAP_SET_VALUE)
        LTAP_TRY(check_value(intervention->value, error));
    return ltap_run_intervene(run, intervention, number, error);
}
