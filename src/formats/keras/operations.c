/* Operations on tensors whose shape is known as far as Keras knows it. */
#include "formats/keras/build.h"

#include "base/error.h"

#include <string.h>

ltap_keras_tensor ltap_keras_with(ltap_keras_tensor x, uint32_t value)
{
    x.value = value;
    return x;
}

int ltap_keras_axis(ltap_keras_builder *b, int64_t axis, int rank)
{
    int64_t at = axis < 0 ? axis + rank : axis;
    if (at >= 0 && at < rank)
        return (int)at;
    ltap_keras_wrong(b, LTAP_ERROR_FORMAT, "axis %lld of a tensor of %d axes", (long long)axis,
                     rank);
    return 0;
}

ltap_keras_tensor ltap_keras_unary(ltap_keras_builder *b, const char *op, ltap_keras_tensor x)
{
    return ltap_keras_with(
        x, ltap_keras_add(b, (ltap_keras_node){.op = op, .inputs = &x.value, .n_inputs = 1}));
}

ltap_keras_tensor ltap_keras_unary_attr(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                        ltap_attr attr)
{
    return ltap_keras_with(
        x, ltap_keras_add(
               b, (ltap_keras_node){
                      .op = op, .inputs = &x.value, .n_inputs = 1, .attrs = &attr, .n_attrs = 1}));
}

static int64_t dim_from_end(const ltap_keras_tensor *x, int place)
{
    return place <= x->rank ? x->dims[x->rank - place] : 1;
}

/* What does not fit is told when sizes are known; here it only becomes unknown. */
static void broadcast(const ltap_keras_tensor *x, const ltap_keras_tensor *y, ltap_keras_tensor *z)
{
    if (x->rank < 0 || y->rank < 0) {
        z->rank = -1;
        return;
    }
    int rank = x->rank > y->rank ? x->rank : y->rank;
    int64_t dims[LTAP_KERAS_MAX_RANK];
    for (int i = 1; i <= rank; i++) {
        int64_t a = dim_from_end(x, i), c = dim_from_end(y, i);
        dims[rank - i] = a == 1 ? c : c == 1 || a == c ? a : a < 0 ? c : c < 0 ? a : -1;
    }
    z->rank = rank;
    memcpy(z->dims, dims, sizeof(int64_t) * (size_t)rank);
}

ltap_keras_tensor ltap_keras_binary(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                    ltap_keras_tensor y)
{
    if (x.dtype != y.dtype && (x.dtype == LTAP_FLOAT32 || y.dtype == LTAP_FLOAT32)) {
        x = ltap_keras_cast(b, x, LTAP_FLOAT32);
        y = ltap_keras_cast(b, y, LTAP_FLOAT32);
    }
    ltap_keras_tensor z = x;
    z.mask = x.mask != LTAP_NO_VALUE ? x.mask : y.mask;
    broadcast(&x, &y, &z);
    z.value = ltap_keras_add(
        b, (ltap_keras_node){.op = op, .inputs = (uint32_t[]){x.value, y.value}, .n_inputs = 2});
    return z;
}

ltap_keras_tensor ltap_keras_filled(ltap_keras_builder *b, ltap_keras_tensor x, double number)
{
    ltap_keras_tensor y = ltap_keras_unary(b, "Shape", x);
    y = ltap_keras_unary(b, "ConstantOfShape", y);
    y.dtype = LTAP_FLOAT32;
    y.mask = LTAP_NO_VALUE;
    return number > 0 || number < 0 ? ltap_keras_binary_scalar(b, "Add", y, number) : y;
}

ltap_keras_tensor ltap_keras_choose(ltap_keras_builder *b, ltap_keras_tensor condition,
                                    ltap_keras_tensor x, ltap_keras_tensor y)
{
    if (x.dtype != y.dtype) {
        x = ltap_keras_cast(b, x, LTAP_FLOAT32);
        y = ltap_keras_cast(b, y, LTAP_FLOAT32);
    }
    ltap_keras_tensor z = x;
    z.mask = x.mask != LTAP_NO_VALUE ? x.mask : y.mask;
    broadcast(&x, &y, &z);
    x.rank = z.rank;
    memcpy(x.dims, z.dims, sizeof x.dims);
    broadcast(&x, &condition, &z);
    uint32_t inputs[3] = {ltap_keras_cast(b, condition, LTAP_BOOL).value, x.value, y.value};
    z.value = ltap_keras_add(b, (ltap_keras_node){.op = "Where", .inputs = inputs, .n_inputs = 3});
    return z;
}

ltap_keras_tensor ltap_keras_binary_scalar(ltap_keras_builder *b, const char *op,
                                           ltap_keras_tensor x, double y)
{
    return ltap_keras_binary(b, op, x, ltap_keras_scalar(b, y));
}

ltap_keras_tensor ltap_keras_transpose(ltap_keras_builder *b, ltap_keras_tensor x,
                                       const int64_t *perm)
{
    ltap_keras_tensor y = x;
    const ltap_attr attr = LTAP_ATTR_N("perm", (size_t)x.rank, perm);
    for (int i = 0; i < x.rank; i++)
        y.dims[i] = x.dims[perm[i]];
    y.value = ltap_keras_unary_attr(b, "Transpose", x, attr).value;
    return y;
}

ltap_keras_tensor ltap_keras_to_second(ltap_keras_builder *b, ltap_keras_tensor x)
{
    int64_t perm[LTAP_KERAS_MAX_RANK] = {0, x.rank - 1};
    for (int i = 2; i < x.rank; i++)
        perm[i] = i - 1;
    return x.rank > 2 ? ltap_keras_transpose(b, x, perm) : x;
}

ltap_keras_tensor ltap_keras_to_last(ltap_keras_builder *b, ltap_keras_tensor x)
{
    int64_t perm[LTAP_KERAS_MAX_RANK] = {0};
    for (int i = 1; i < x.rank - 1; i++)
        perm[i] = i + 1;
    perm[x.rank > 0 ? x.rank - 1 : 0] = 1;
    return x.rank > 2 ? ltap_keras_transpose(b, x, perm) : x;
}

/* The size that -1 stands for, where all others are known. */
static int64_t size_left(const ltap_keras_tensor *x, int rank, const int64_t *dims)
{
    int64_t had = 1, made = 1;
    for (int i = 0; i < x->rank; i++) {
        bool kept = i < rank && dims[i] == 0;
        if (!kept && (x->dims[i] < 0 || __builtin_mul_overflow(had, x->dims[i], &had)))
            return -1;
    }
    for (int i = 0; i < rank; i++)
        if (dims[i] > 0 && __builtin_mul_overflow(made, dims[i], &made))
            return -1;
    return made > 0 && had % made == 0 ? had / made : -1;
}

ltap_keras_tensor ltap_keras_reshape(ltap_keras_builder *b, ltap_keras_tensor x, int rank,
                                     const int64_t *dims)
{
    ltap_keras_tensor y = x;
    y.rank = rank;
    for (int i = 0; i < rank; i++)
        y.dims[i] = dims[i] > 0                 ? dims[i]
                    : dims[i] < 0               ? size_left(&x, rank, dims)
                    : x.rank < 0 || i >= x.rank ? -1
                                                : x.dims[i];
    uint32_t inputs[2] = {x.value, ltap_keras_ints(b, dims, (size_t)rank)};
    y.value =
        ltap_keras_add(b, (ltap_keras_node){.op = "Reshape", .inputs = inputs, .n_inputs = 2});
    return y;
}

ltap_keras_tensor ltap_keras_reduce(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                    const int64_t *axes, size_t n_axes, bool keep)
{
    ltap_keras_tensor y = x;
    const ltap_attr attr = LTAP_ATTR_I("keepdims", keep);
    bool gone[LTAP_KERAS_MAX_RANK] = {false};
    for (size_t i = 0; i < n_axes; i++)
        gone[axes[i]] = true;
    y.rank = 0;
    for (int i = 0; i < x.rank; i++)
        if (!gone[i] || keep)
            y.dims[y.rank++] = gone[i] ? 1 : x.dims[i];
    uint32_t inputs[2] = {x.value, ltap_keras_ints(b, axes, n_axes)};
    y.value = ltap_keras_add(
        b,
        (ltap_keras_node){.op = op, .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1});
    return y;
}

static ltap_keras_tensor with_axis(ltap_keras_builder *b, const char *op, ltap_keras_tensor x,
                                   int axis)
{
    uint32_t inputs[2] = {x.value, ltap_keras_ints(b, (int64_t[]){axis}, 1)};
    return ltap_keras_with(
        x, ltap_keras_add(b, (ltap_keras_node){.op = op, .inputs = inputs, .n_inputs = 2}));
}

ltap_keras_tensor ltap_keras_unsqueeze(ltap_keras_builder *b, ltap_keras_tensor x, int axis)
{
    ltap_keras_tensor y = with_axis(b, "Unsqueeze", x, axis);
    if (x.rank >= LTAP_KERAS_MAX_RANK)
        ltap_keras_wrong(b, LTAP_ERROR_UNSUPPORTED, "a tensor of more than %d axes",
                         LTAP_KERAS_MAX_RANK);
    if (x.rank < 0 || !ltap_keras_is_good(b))
        return y;
    memmove(&y.dims[axis + 1], &x.dims[axis], sizeof(int64_t) * (size_t)(x.rank - axis));
    y.dims[axis] = 1;
    y.rank++;
    return y;
}

ltap_keras_tensor ltap_keras_squeeze(ltap_keras_builder *b, ltap_keras_tensor x, int axis)
{
    ltap_keras_tensor y = with_axis(b, "Squeeze", x, axis);
    if (x.rank < 0)
        return y;
    if (axis < 0 || axis >= x.rank) {
        ltap_keras_wrong(b, LTAP_ERROR_FORMAT, "axis %d of a tensor of %d axes", axis, x.rank);
        return y;
    }
    memmove(&y.dims[axis], &x.dims[axis + 1], sizeof(int64_t) * (size_t)(x.rank - axis - 1));
    y.rank--;
    return y;
}

ltap_keras_tensor ltap_keras_concat(ltap_keras_builder *b, const ltap_keras_tensor *parts,
                                    size_t count, int axis)
{
    const ltap_attr attr = LTAP_ATTR_I("axis", axis);
    ltap_keras_tensor y = parts[0];
    uint32_t inputs[LTAP_KERAS_MAX_ENDS];
    for (size_t i = 0; i < count; i++) {
        inputs[i] = parts[i].value;
        for (int a = 0; i > 0 && a < y.rank && a < parts[i].rank; a++)
            if (a == axis)
                y.dims[a] =
                    y.dims[a] < 0 || parts[i].dims[a] < 0 ? -1 : y.dims[a] + parts[i].dims[a];
            else if (y.dims[a] < 0)
                y.dims[a] = parts[i].dims[a];
    }
    y.value = ltap_keras_add(
        b, (ltap_keras_node){
               .op = "Concat", .inputs = inputs, .n_inputs = count, .attrs = &attr, .n_attrs = 1});
    return y;
}

ltap_keras_tensor ltap_keras_matmul(ltap_keras_builder *b, ltap_keras_tensor x, ltap_keras_tensor y)
{
    ltap_keras_tensor z = ltap_keras_binary(b, "MatMul", x, y);
    z.mask = x.mask;
    if (x.rank < 2 || y.rank < 2)
        return z;
    z.rank = x.rank > y.rank ? x.rank : y.rank;
    z.dims[z.rank - 2] = x.dims[x.rank - 2];
    z.dims[z.rank - 1] = y.dims[y.rank - 1];
    return z;
}

ltap_keras_tensor ltap_keras_softmax(ltap_keras_builder *b, ltap_keras_tensor x, int axis)
{
    const ltap_attr attr = LTAP_ATTR_I("axis", axis);
    return ltap_keras_unary_attr(b, "Softmax", x, attr);
}

ltap_keras_tensor ltap_keras_cast(ltap_keras_builder *b, ltap_keras_tensor x, ltap_dtype dtype)
{
    const ltap_attr attr = LTAP_ATTR_I("to", dtype);
    if (x.dtype == dtype)
        return x;
    x = ltap_keras_unary_attr(b, "Cast", x, attr);
    x.dtype = dtype;
    return x;
}

static int64_t slice_size(int64_t size, int64_t begin, int64_t end, int64_t step)
{
    if (size < 0)
        return step == 1 && begin == 0 && end == INT64_MAX ? size : -1;
    if (step < 0)
        return step == -1 ? size : -1;
    begin = begin < 0 ? begin + size : begin;
    begin = begin < 0 ? 0 : begin > size ? size : begin;
    end = end < 0 ? end + size : end;
    end = end < begin ? begin : end > size ? size : end;
    return (end - begin + step - 1) / step;
}

ltap_keras_tensor ltap_keras_slice(ltap_keras_builder *b, ltap_keras_tensor x, int axis,
                                   int64_t begin, int64_t end, int64_t step)
{
    const int64_t limits[4] = {step < 0 && end == INT64_MAX ? -1 : begin,
                               step < 0 && end == INT64_MAX ? INT64_MIN : end, axis, step};
    uint32_t inputs[5] = {x.value};
    for (int i = 0; i < 4; i++)
        inputs[i + 1] = ltap_keras_ints(b, &limits[i], 1);
    ltap_keras_tensor y = ltap_keras_with(
        x, ltap_keras_add(b, (ltap_keras_node){.op = "Slice", .inputs = inputs, .n_inputs = 5}));
    if (x.rank > axis)
        y.dims[axis] = slice_size(x.dims[axis], begin, end, step);
    return y;
}

/* Sizes of the letters of an equation without an ellipsis. */
static void einsum_dims(const char *equation, const ltap_keras_tensor *parts, size_t count,
                        ltap_keras_tensor *y)
{
    int64_t sizes[256];
    size_t part = 0;
    int axis = 0;
    const char *p = equation;
    memset(sizes, 0xff, sizeof sizes);
    for (; *p != '\0' && *p != '-'; p++) {
        if (*p == ',') {
            part++;
            axis = 0;
        } else if (part < count && axis < parts[part].rank) {
            int64_t size = parts[part].dims[axis++];
            if (size >= 0)
                sizes[(unsigned char)*p] = size;
        }
    }
    y->rank = 0;
    for (p = *p != '\0' ? p + 2 : p; *p != '\0' && y->rank < LTAP_KERAS_MAX_RANK; p++)
        y->dims[y->rank++] = sizes[(unsigned char)*p];
}

ltap_keras_tensor ltap_keras_einsum(ltap_keras_builder *b, const char *equation,
                                    const ltap_keras_tensor *parts, size_t count)
{
    const ltap_attr attr = LTAP_ATTR_S("equation", equation);
    ltap_keras_tensor y = parts[0];
    uint32_t inputs[LTAP_KERAS_MAX_ENDS];
    for (size_t i = 0; i < count; i++)
        inputs[i] = parts[i].value;
    einsum_dims(equation, parts, count, &y);
    y.value = ltap_keras_add(
        b, (ltap_keras_node){
               .op = "Einsum", .inputs = inputs, .n_inputs = count, .attrs = &attr, .n_attrs = 1});
    return y;
}
