/* Reading parts and fitting them to tensors; see part.h. */
#include "run/part.h"

#include "base/error.h"

#include <string.h>

static const char *read_number(const char *text, bool *there, int64_t *number)
{
    bool negative = *text == '-';
    const char *digits = text + negative;

    *there = *digits >= '0' && *digits <= '9';
    if (!*there)
        return text;
    for (*number = 0; *digits >= '0' && *digits <= '9'; digits++)
        if (*number < INT64_MAX / 16)
            *number = *number * 10 + (*digits - '0');
    *number = negative ? -*number : *number;
    return digits;
}

/* "17", ":", "3:", ":7", "3:7" */
static const char *read_axis(const char *text, ltap_part_axis *axis)
{
    text = read_number(text, &axis->has_first, &axis->first);
    axis->single = *text != ':';
    if (axis->single)
        return axis->has_first ? text : NULL;
    return read_number(text + 1, &axis->has_end, &axis->end);
}

bool ltap_part_cut(const char *text, size_t *bytes, ltap_part *part)
{
    const char *open = strrchr(text, '['), *at = open;

    *part = (ltap_part){.n_axes = 0};
    if (!open || open == text || !strpbrk(open, ":,"))
        return false;
    do {
        if (part->n_axes == LTAP_MAX_RANK)
            return false;
        at = read_axis(at + 1, &part->axes[part->n_axes++]);
    } while (at && *at == ',');
    *bytes = (size_t)(open - text);
    return at && strcmp(at, "]") == 0;
}

static int64_t clip(int64_t index, int64_t size)
{
    index = index < 0 ? index + size : index;
    return index < 0 ? 0 : index > size ? size : index;
}

static ltap_status fit_axis(const ltap_part_axis *axis, int number, int64_t size, ltap_box *box,
                            ltap_error *error)
{
    if (axis->single) {
        int64_t index = axis->first < 0 ? axis->first + size : axis->first;
        if (index < 0 || index >= size)
            return ltap_error_set(error, LTAP_ERROR_INPUT,
                                  "there is no index %lld along axis %d, which has %lld",
                                  (long long)axis->first, number, (long long)size);
        box->first[number] = index;
        box->count[number] = 1;
        return LTAP_OK;
    }
    int64_t end = axis->has_end ? clip(axis->end, size) : size;
    box->first[number] = axis->has_first ? clip(axis->first, size) : 0;
    box->count[number] = end > box->first[number] ? end - box->first[number] : 0;
    return LTAP_OK;
}

/* An index of the batch that only the channels have. */
static bool is_channel_alone(const ltap_part *part, const ltap_tensor *tensor)
{
    const ltap_part_axis *axis = &part->axes[0];

    for (int i = 1; i < part->n_axes; i++)
        if (part->axes[i].single || part->axes[i].has_first || part->axes[i].has_end)
            return false;
    return part->n_axes > 0 && axis->single && tensor->rank > 1 && axis->first >= tensor->dims[0] &&
           axis->first < tensor->dims[1];
}

ltap_status ltap_part_fit(const ltap_part *part, const ltap_tensor *tensor, ltap_box *box,
                          ltap_error *error)
{
    static const ltap_part_axis whole;

    *box = (ltap_box){.rank = tensor->rank, .shape = {.dtype = tensor->dtype}};
    if (part->n_axes > tensor->rank)
        return ltap_error_set(error, LTAP_ERROR_INPUT, "the part has %d axes, the layer is %s",
                              part->n_axes, ltap_tensor_text(tensor).text);
    if (is_channel_alone(part, tensor))
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "there is no index %lld along axis 0, the batch, which has %lld; "
                              "along axis 1 that is [:,%lld]",
                              (long long)part->axes[0].first, (long long)tensor->dims[0],
                              (long long)part->axes[0].first);
    for (int i = 0; i < tensor->rank; i++) {
        const ltap_part_axis *axis = i < part->n_axes ? &part->axes[i] : &whole;
        LTAP_TRY(fit_axis(axis, i, tensor->dims[i], box, error));
        if (!axis->single)
            box->shape.dims[box->shape.rank++] = box->count[i];
    }
    return LTAP_OK;
}
