/* Public functions of <layertap/summary.h>: check arguments, call inside, nothing else. */
#include "tensor/summary.h"

#include "base/error.h"
#include "tensor/tensor.h"

ltap_status ltap_summary_new(const ltap_allocator *allocator, ltap_summary **summary,
                             ltap_error *error)
{
    if (!summary)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_summary_new: summary is NULL");
    *summary = NULL;
    return ltap_summary_make(allocator, summary, error);
}

void ltap_summary_channels(ltap_summary *summary, int axis)
{
    ltap_summary_set_channels(summary, axis);
}

ltap_status ltap_summary_add(ltap_summary *summary, const ltap_tensor *tensor, ltap_error *error)
{
    if (!summary || !tensor)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_summary_add: an argument is NULL");
    LTAP_TRY(ltap_tensor_check(tensor, error));
    if (!tensor->data && ltap_tensor_bytes(tensor))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "ltap_summary_add: the tensor has no data");
    return ltap_summary_take(summary, tensor, error);
}

void ltap_summary_get(const ltap_summary *summary, ltap_facts *facts)
{
    ltap_summary_read(summary, facts);
}

void ltap_summary_free(ltap_summary *summary)
{
    ltap_summary_release(summary);
}
