/* What an input must look like, and the words for one that does not. */
#include "plan/getter.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* "float32[batch,3,224,224]" */
static ltap_text port_text(const ltap_port *port)
{
    ltap_text text;
    size_t used =
        (size_t)snprintf(text.text, sizeof(text.text), "%s[", ltap_dtype_name(port->dtype));

    for (int i = 0; i < port->rank && used < sizeof(text.text); i++) {
        const ltap_port_dim *dim = &port->dims[i];
        const char *comma = i ? "," : "";
        int n = dim->size >= 0 ? snprintf(text.text + used, sizeof(text.text) - used, "%s%lld",
                                          comma, (long long)dim->size)
                               : snprintf(text.text + used, sizeof(text.text) - used, "%s%.32s",
                                          comma, dim->symbol ? dim->symbol : "?");
        used += (size_t)n;
    }
    if (used < sizeof(text.text) - 1)
        strcpy(text.text + used, port->rank < 0 ? "...]" : "]");
    return text;
}

static bool dims_fit(const ltap_port *port, const ltap_tensor *tensor, const int *order)
{
    if (port->rank != tensor->rank)
        return false;
    for (int i = 0; i < port->rank; i++)
        if (port->dims[i].size >= 0 && port->dims[i].size != tensor->dims[order ? order[i] : i])
            return false;
    return true;
}

/* What numpy would do to mend the shape; "" where nothing obvious does. */
static const char *mend(const ltap_port *port, const ltap_tensor *tensor)
{
    static const int nlc[] = {0, 2, 1}, nhwc[] = {0, 3, 1, 2}, ndhwc[] = {0, 4, 1, 2, 3};
    ltap_tensor batched = *tensor;

    if (tensor->rank == 3 && dims_fit(port, tensor, nlc))
        return " (channels first; numpy: x.transpose(0,2,1))";
    if (tensor->rank == 4 && dims_fit(port, tensor, nhwc))
        return " (channels first; numpy: x.transpose(0,3,1,2))";
    if (tensor->rank == 5 && dims_fit(port, tensor, ndhwc))
        return " (channels first; numpy: x.transpose(0,4,1,2,3))";
    if (tensor->rank != 3 || port->rank != 4)
        return "";
    batched.rank = 4;
    batched.dims[0] = 1;
    memcpy(batched.dims + 1, tensor->dims, 3 * sizeof(int64_t));
    if (dims_fit(port, &batched, NULL))
        return " (a batch of one; numpy: x[None])";
    if (dims_fit(port, &batched, nhwc))
        return " (channels first; numpy: x.transpose(2,0,1)[None])";
    return "";
}

ltap_status ltap_port_check(const ltap_port *port, const ltap_tensor *tensor, ltap_error *error)
{
    if (port->dtype != LTAP_UNDEFINED && port->dtype != tensor->dtype)
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "%s was given; the input '%s' wants %s (numpy: x.astype('%s'))",
                              ltap_tensor_text(tensor).text, port->name, port_text(port).text,
                              ltap_dtype_name(port->dtype));
    if (port->rank >= 0 && !dims_fit(port, tensor, NULL))
        return ltap_error_set(error, LTAP_ERROR_INPUT, "%s was given; the input '%s' wants %s%s",
                              ltap_tensor_text(tensor).text, port->name, port_text(port).text,
                              mend(port, tensor));
    return LTAP_OK;
}

ltap_status ltap_getter_fixed_shapes(const ltap_getter *getter, ltap_tensor *shapes,
                                     ltap_error *error)
{
    for (size_t i = 0; i < getter->n_inputs; i++) {
        const ltap_port *port = &getter->inputs[i];
        bool known = port->rank >= 0;
        shapes[i] = (ltap_tensor){.dtype = port->dtype, .rank = known ? port->rank : 0};
        for (int k = 0; k < port->rank; k++) {
            shapes[i].dims[k] = port->dims[k].size;
            known = known && port->dims[k].size >= 0;
        }
        if (!known)
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "the input '%s' is %s: its sizes are free, give a shape",
                                  port->name, port_text(port).text);
    }
    return LTAP_OK;
}
