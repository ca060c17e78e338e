/* Operators that move whole elements to other places, by rule: Transpose, Concat, Split, Slice,
 * Expand, Tile, DepthToSpace, SpaceToDepth, Trilu.
 *
 * Almost all are one copy between two strided views. Moving by index is in gather.c and scatter.c.
 */
#include "ops/movement.h"
#include "ops/rules.h"
#include "ops/strided.h"
#include <string.h>

static unsigned bytes_of(const ltap_tensor *t)
{
    return ltap_dtype_bits(t->dtype) / 8;
}

/* A view of all dims of t, dense on both sides. */
static ltap_strided dense_view(const ltap_call *call, const ltap_tensor *t)
{
    ltap_strided view = {.rank = t->rank, .element_bytes = bytes_of(t), .threads = call->threads};
    memcpy(view.dims, t->dims, (size_t)t->rank * sizeof(*view.dims));
    ltap_strided_dense(t->rank, t->dims, view.src);
    ltap_strided_dense(t->rank, t->dims, view.dst);
    return view;
}

/* Transpose: axes as in perm, or reversed. */
static ltap_status transpose_axes(const ltap_call *call, int *perm, ltap_error *error)
{
    const int64_t *wanted;
    bool used[LTAP_MAX_RANK];
    int rank = call->inputs[0].rank;
    size_t count = ltap_node_ints(call->node, "perm", &wanted);
    bool reversed = !ltap_node_attr(call->node, "perm");
    if (!reversed && count != (size_t)rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "perm has %zu axes, its input %d", count,
                              rank);
    if (!reversed)
        LTAP_TRY(ltap_axes_check(wanted, count, rank, used, error));
    for (int i = 0; i < rank; i++)
        perm[i] = reversed ? rank - 1 - i : (int)(wanted[i] < 0 ? wanted[i] + rank : wanted[i]);
    return LTAP_OK;
}

static ltap_status transpose_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int perm[LTAP_MAX_RANK];
    int64_t dims[LTAP_MAX_RANK];
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(transpose_axes(call, perm, error));
    for (int i = 0; i < in->rank; i++)
        dims[i] = in->dims[perm[i]];
    ltap_call_output(call, 0, in->dtype, in->rank, dims);
    return LTAP_OK;
}

static ltap_status transpose_reference(const ltap_call *call, ltap_error *error)
{
    int perm[LTAP_MAX_RANK];
    LTAP_TRY(transpose_axes(call, perm, error));
    if (ltap_call_wants(call, 0))
        ltap_tensor_permute(&call->inputs[0], perm, &call->outputs[0], call->threads);
    return LTAP_OK;
}

static ltap_status concat_shape(const ltap_call *call, ltap_error *error)
{
    ltap_tensor out = call->inputs[0];
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), out.rank, &axis, error));
    for (size_t k = 1; k < call->n_inputs; k++) {
        ltap_tensor in = call->inputs[k];
        LTAP_TRY(ltap_call_check_same(call, 0, k, error));
        int64_t length = in.rank == out.rank ? in.dims[axis] : 0;
        in.dims[axis] = out.dims[axis];
        if (!ltap_tensor_same_shape(&in, &out))
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "shapes %s and %s do not join along axis %d",
                                  ltap_shape_text(&call->inputs[0]).text,
                                  ltap_shape_text(&call->inputs[k]).text, axis);
        if (__builtin_add_overflow(out.dims[axis], length, &out.dims[axis]))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its output is too large");
    }
    ltap_call_output(call, 0, out.dtype, out.rank, out.dims);
    return LTAP_OK;
}

static ltap_status concat_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *out = &call->outputs[0];
    int axis = 0;
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), out->rank, &axis, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    char *dst = out->data;
    for (size_t k = 0; k < call->n_inputs; k++) {
        ltap_strided view = dense_view(call, &call->inputs[k]);
        ltap_strided_dense(out->rank, out->dims, view.dst);
        ltap_strided_copy(&view, call->inputs[k].data, dst);
        dst += view.dims[axis] * view.dst[axis] * view.element_bytes;
    }
    return LTAP_OK;
}

/* Length of part `index`: as the input `split` says, or equal ones and a shorter last one. */
static int64_t part_length(const ltap_call *call, size_t index, int64_t length)
{
    if (ltap_call_has(call, 1))
        return ltap_tensor_int(&call->inputs[1], index);
    int64_t n = (int64_t)call->n_outputs, part = (length + n - 1) / n;
    int64_t left = length - part * (int64_t)index;
    return left < 0 ? 0 : left < part ? left : part;
}

static ltap_status check_parts(const ltap_call *call, int64_t length, ltap_error *error)
{
    if (!ltap_call_has(call, 1))
        return LTAP_OK;
    const ltap_tensor *split = &call->inputs[1];
    LTAP_TRY(ltap_call_check_type(call, 1, LTAP_TYPES_INDEX, error));
    if (!split->data)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "its split depends on data");
    if (ltap_tensor_count(split) != call->n_outputs)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its split has shape %s for %zu outputs",
                              ltap_shape_text(split).text, call->n_outputs);
    int64_t sum = 0;
    for (size_t i = 0; i < call->n_outputs; i++) {
        int64_t part = ltap_tensor_int(split, i);
        if (part < 0 || part > length - sum)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "part %zu of its split has length %lld, there are %lld left", i,
                                  (long long)part, (long long)(length - sum));
        sum += part;
    }
    if (sum != length)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its split covers %lld of %lld",
                              (long long)sum, (long long)length);
    return LTAP_OK;
}

static ltap_status split_shape(const ltap_call *call, ltap_error *error)
{
    ltap_tensor part = call->inputs[0];
    int axis = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), part.rank, &axis, error));
    LTAP_TRY(check_parts(call, part.dims[axis], error));
    int64_t parts = ltap_node_int(call->node, "num_outputs", (int64_t)call->n_outputs);
    if (parts != (int64_t)call->n_outputs)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "num_outputs is %lld for %zu outputs",
                              (long long)parts, call->n_outputs);
    int64_t length = part.dims[axis];
    for (size_t i = 0; i < call->n_outputs; i++) {
        part.dims[axis] = part_length(call, i, length);
        ltap_call_output(call, i, part.dtype, part.rank, part.dims);
    }
    return LTAP_OK;
}

static ltap_status split_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int axis = 0;
    LTAP_TRY(ltap_axis_check(ltap_node_int(call->node, "axis", 0), in->rank, &axis, error));
    const char *src = in->data;
    for (size_t i = 0; i < call->n_outputs; i++) {
        ltap_strided view = dense_view(call, &call->outputs[i]);
        ltap_strided_dense(in->rank, in->dims, view.src);
        if (ltap_call_wants(call, i))
            ltap_strided_copy(&view, src, call->outputs[i].data);
        src += view.dims[axis] * view.src[axis] * view.element_bytes;
    }
    return LTAP_OK;
}

/* Slice. */

static int64_t clamp(int64_t number, int64_t low, int64_t high)
{
    return number < low ? low : number > high ? high : number;
}

/* One axis: negative numbers count from the end; what is still outside is clamped. Backwards from
 * before the beginning, ONNX takes the first element where numpy takes none. */
static void slice_axis(int64_t length, int64_t start, int64_t end, int64_t *first, int64_t *count,
                       int64_t step)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
    start = clamp(start < 0 ? start + length : start, 0, high);
    end = clamp(end < 0 ? end + length : end, low, high);
    uint64_t pace = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    int64_t way = step > 0 ? end - start : start - end;
    *count = way > 0 && length > 0 ? (int64_t)(((uint64_t)way - 1) / pace + 1) : 0;
    *first = *count > 0 ? start : 0;
}

ltap_status ltap_slices_read(const ltap_call *call, ltap_slices *s, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t starts[LTAP_MAX_RANK], ends[LTAP_MAX_RANK], axes[LTAP_MAX_RANK], steps[LTAP_MAX_RANK];
    bool used[LTAP_MAX_RANK];
    size_t n = 0, n_ends = 0, n_axes = 0, n_steps = 0;
    LTAP_TRY(ltap_call_ints(call, 1, "start", starts, LTAP_MAX_RANK, &n, error));
    LTAP_TRY(ltap_call_ints(call, 2, "end", ends, LTAP_MAX_RANK, &n_ends, error));
    n_axes = n_steps = n;
    for (size_t i = 0; i < n; i++) {
        axes[i] = (int64_t)i;
        steps[i] = 1;
    }
    if (ltap_call_has(call, 3))
        LTAP_TRY(ltap_call_ints(call, 3, "axes", axes, LTAP_MAX_RANK, &n_axes, error));
    if (ltap_call_has(call, 4))
        LTAP_TRY(ltap_call_ints(call, 4, "steps", steps, LTAP_MAX_RANK, &n_steps, error));
    if (n_ends != n || n_axes != n || n_steps != n)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "it has %zu starts, %zu ends, %zu axes and %zu steps", n, n_ends,
                              n_axes, n_steps);
    LTAP_TRY(ltap_axes_check(axes, n, in->rank, used, error));
    for (int i = 0; i < in->rank; i++) {
        s->start[i] = 0;
        s->step[i] = 1;
        s->length[i] = in->dims[i];
    }
    for (size_t i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + in->rank : axes[i];
        if (steps[i] == 0)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "its step along axis %lld is 0",
                                  (long long)axis);
        s->step[axis] = steps[i];
        slice_axis(in->dims[axis], starts[i], ends[i], &s->start[axis], &s->length[axis], steps[i]);
    }
    return LTAP_OK;
}

static ltap_status slice_shape(const ltap_call *call, ltap_error *error)
{
    ltap_slices s;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_slices_read(call, &s, error));
    ltap_call_output(call, 0, call->inputs[0].dtype, call->inputs[0].rank, s.length);
    return LTAP_OK;
}

static ltap_status slice_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    ltap_slices s;
    LTAP_TRY(ltap_slices_read(call, &s, error));
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    ltap_strided view = dense_view(call, &call->outputs[0]);
    const char *src = in->data;
    ltap_strided_dense(in->rank, in->dims, view.src);
    for (int i = 0; i < in->rank; i++) {
        src += s.start[i] * view.src[i] * view.element_bytes;
        view.src[i] = s.length[i] > 1 ? view.src[i] * s.step[i] : 0;
    }
    ltap_strided_copy(&view, src, call->outputs[0].data);
    return LTAP_OK;
}

static ltap_status expand_shape(const ltap_call *call, ltap_error *error)
{
    int64_t dims[LTAP_MAX_RANK];
    size_t rank = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_ints(call, 1, "shape", dims, LTAP_MAX_RANK, &rank, error));
    ltap_tensor wanted = ltap_tensor_make(call->inputs[0].dtype, (int)rank, dims, NULL), out;
    if (!ltap_dims_broadcast(&call->inputs[0], &wanted, &out))
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "shape %s does not expand to %s",
                              ltap_shape_text(&call->inputs[0]).text,
                              ltap_shape_text(&wanted).text);
    ltap_call_output(call, 0, wanted.dtype, out.rank, out.dims);
    return LTAP_OK;
}

static ltap_status expand_reference(const ltap_call *call, ltap_error *error)
{
    if (!ltap_call_wants(call, 0))
        return LTAP_OK;
    ltap_strided view = dense_view(call, &call->outputs[0]);
    ltap_dims_strides(&call->inputs[0], &call->outputs[0], view.src);
    ltap_strided_copy(&view, call->inputs[0].data, call->outputs[0].data);
    return LTAP_OK;
}

static ltap_status tile_shape(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0];
    int64_t dims[LTAP_MAX_RANK];
    size_t count = 0;
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BYTES, error));
    LTAP_TRY(ltap_call_ints(call, 1, "repeats", dims, LTAP_MAX_RANK, &count, error));
    if (count != (size_t)in->rank)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "it repeats %zu axes of an input of rank %d", count, in->rank);
    for (int i = 0; i < in->rank; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(dims[i], in->dims[i], &dims[i]))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "it repeats axis %d %lld times", i,
                                  (long long)dims[i]);
    ltap_call_output(call, 0, in->dtype, in->rank, dims);
    return LTAP_OK;
}

/* Every axis becomes two: the repetition, which stands still in the source, and the axis itself. */
static ltap_status tile_reference(const ltap_call *call, ltap_error *error)
{
    const ltap_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    if (!ltap_call_wants(call, 0) || ltap_tensor_count(out) == 0)
        return LTAP_OK;
    ltap_strided flat = dense_view(call, in), view = flat;
    ltap_strided_dense(out->rank, out->dims, flat.dst);
    view.rank = 2 * in->rank;
    for (int i = 0; i < in->rank; i++) {
        view.dims[2 * i] = out->dims[i] / in->dims[i];
        view.src[2 * i] = 0;
        view.dst[2 * i] = flat.dst[i] * in->dims[i];
        view.dims[2 * i + 1] = in->dims[i];
        view.src[2 * i + 1] = flat.src[i];
        view.dst[2 * i + 1] = flat.dst[i];
    }
    ltap_strided_copy(&view, in->data, out->data);
    return LTAP_OK;
}

const ltap_op ltap_op_transpose = {
    .name = "Transpose",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = transpose_shape,
    .reference = transpose_reference,
};

const ltap_op ltap_op_concat = {
    .name = "Concat",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = concat_shape,
    .reference = concat_reference,
};

const ltap_op ltap_op_split = {
    .name = "Split",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = -1,
    .shape = split_shape,
    .reference = split_reference,
};

const ltap_op ltap_op_slice = {
    .name = "Slice",
    .domain = "",
    .min_inputs = 3,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = slice_shape,
    .reference = slice_reference,
};

const ltap_op ltap_op_expand = {
    .name = "Expand",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = expand_shape,
    .reference = expand_reference,
};

const ltap_op ltap_op_tile = {
    .name = "Tile",
    .domain = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .shape = tile_shape,
    .reference = tile_reference,
};
