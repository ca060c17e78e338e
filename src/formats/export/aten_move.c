/* Elements brought together or apart: concatenation, repetition, borders, pixels and channels. */
#include "formats/export/aten.h"

#include <string.h>

static void concatenate(ltap_program *p)
{
    const ltap_operand *parts;
    const ltap_entry *made = ltap_arg_result(p, 0);
    size_t n = ltap_arg_tensors(p, "tensors", &parts), count = 0;
    void *block = NULL;
    bool stacks = strcmp(p->row->op_type, "stack") == 0;
    int axis = ltap_arg_axis(p, ltap_arg_find(p, "axis") ? "axis" : "dim", 0, made->rank);
    ltap_program_take(p, ltap_arena_take(p->scratch, n + 1, sizeof(uint32_t), &block, p->error));
    if (!ltap_program_goes_on(p))
        return;
    uint32_t *values = block;
    for (size_t i = 0; i < n; i++) {
        bool empty = parts[i].rank == 1 && parts[i].dims[0] == 0 && made->rank > 1 && !stacks;
        if (empty)
            continue; /* PyTorch leaves out tensors without anything */
        uint32_t part = ltap_emit_cast(p, parts[i].value, parts[i].dtype, made->dtype);
        values[count++] = stacks ? ltap_emit_unsqueeze(p, part, axis) : part;
    }
    if (count == 0)
        ltap_program_refuse(p, "of nothing");
    else
        ltap_emit_result(p, 0, ltap_emit_concat(p, values, count, axis));
}

/* The shorter of shape and repeats gets ones in front. */
static void repeat(ltap_program *p)
{
    int64_t ones[LTAP_MAX_RANK];
    const char *name = ltap_arg_find(p, "repeats") != NULL ? "repeats" : "dims";
    ltap_operand x = ltap_arg_tensor(p, "self");
    int more = (int)ltap_arg_count(p, name) - x.rank;
    uint32_t repeats = ltap_arg_sizes(p, name), y = x.value;
    for (int i = 0; i < LTAP_MAX_RANK; i++)
        ones[i] = more > 0 ? i : 1;
    if (more > 0)
        y = ltap_emit_two(p, "Unsqueeze", y, ltap_emit_ints(p, ones, (size_t)more));
    if (more < 0) {
        uint32_t parts[] = {ltap_emit_ints(p, ones, (size_t)-more), repeats};
        repeats = ltap_emit_concat(p, parts, 2, 0);
    }
    ltap_emit_result(p, 0, ltap_emit_two(p, "Tile", y, repeats));
}

static void repeat_interleave(ltap_program *p)
{
    static const int64_t flat[] = {-1};
    ltap_operand x = ltap_arg_tensor(p, "self");
    if (ltap_arg_find(p, "dim") == NULL)
        x = (ltap_operand){ltap_emit_reshape_to(p, x.value, flat, 1), x.dtype, 1, flat};
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, ltap_emit_repeat(p, x, axis, ltap_arg_size(p, "repeats", 1)));
}

/* Tensor i along axis i, which "xy" turns for the first two. */
static void meshgrid(ltap_program *p)
{
    const ltap_operand *tensors;
    size_t n = ltap_arg_tensors(p, "tensors", &tensors);
    uint32_t sizes[LTAP_MAX_RANK];
    int64_t dims[LTAP_MAX_RANK];
    bool turned = strcmp(ltap_arg_text(p, "indexing", "ij"), "xy") == 0 && n > 1;
    if (n == 0 || n > LTAP_MAX_RANK || n != p->n_results)
        ltap_program_refuse(p, "of %zu tensors", n);
    for (size_t i = 0; i < n && ltap_program_goes_on(p); i++)
        sizes[turned && i < 2 ? 1 - i : i] =
            tensors[i].rank == 0 ? ltap_emit_int(p, 1) : ltap_emit_dim(p, tensors[i], 0);
    uint32_t shape = ltap_program_goes_on(p) ? ltap_emit_concat(p, sizes, n, 0) : LTAP_NO_VALUE;
    for (size_t i = 0; i < n && ltap_program_goes_on(p); i++) {
        for (size_t k = 0; k < n; k++)
            dims[k] = k == (turned && i < 2 ? 1 - i : i) ? -1 : 1;
        uint32_t lying = ltap_emit_reshape_to(p, tensors[i].value, dims, n);
        ltap_emit_result(p, i, ltap_emit_two(p, "Expand", lying, shape));
    }
}

/* Side by side, or below one another where they are vectors. */
static void stack_along(ltap_program *p)
{
    const ltap_operand *parts;
    size_t n = ltap_arg_tensors(p, "tensors", &parts);
    void *block = NULL;
    bool below = p->row->op_type[0] == 'v';
    ltap_program_take(p, ltap_arena_take(p->scratch, n + 1, sizeof(uint32_t), &block, p->error));
    if (n == 0)
        ltap_program_refuse(p, "of nothing");
    if (!ltap_program_goes_on(p))
        return;
    uint32_t *values = block;
    for (size_t i = 0; i < n; i++)
        values[i] = below && parts[i].rank == 1 ? ltap_emit_unsqueeze(p, parts[i].value, 0)
                                                : parts[i].value;
    ltap_emit_result(p, 0, ltap_emit_concat(p, values, n, !below && parts[0].rank > 1));
}

/* The last `shift` elements come first. */
static uint32_t roll_axis(ltap_program *p, uint32_t x, int64_t shift, int64_t size, int64_t axis)
{
    if (size > 0)
        shift %= size;
    if (shift == 0 || size == 0)
        return x;
    uint32_t cut = ltap_emit_int(p, -shift);
    uint32_t parts[] = {ltap_emit_slice(p, x, cut, ltap_emit_int(p, INT64_MAX), axis, 1),
                        ltap_emit_slice(p, x, ltap_emit_int(p, 0), cut, axis, 1)};
    return ltap_emit_concat(p, parts, 2, axis);
}

/* -1: not in the file. */
static int64_t elements_of(ltap_operand x)
{
    int64_t count = 1;
    for (int i = 0; i < x.rank; i++)
        if (x.dims[i] < 0 || __builtin_mul_overflow(count, x.dims[i], &count))
            return -1;
    return count;
}

static void roll(ltap_program *p)
{
    int64_t shifts[LTAP_MAX_RANK], axes[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, "self");
    size_t n = ltap_arg_ints(p, "shifts", shifts), m = ltap_arg_ints(p, "dims", axes);
    uint32_t y = x.value;
    if (n == 1 && m == 0) {
        static const int64_t flat[] = {-1};
        y = ltap_emit_reshape_to(p, y, flat, 1);
        y = roll_axis(p, y, shifts[0], elements_of(x), 0);
        ltap_emit_result(p, 0, ltap_emit_reshape(p, y, ltap_emit_shape(p, x.value)));
        return;
    }
    if (n != m)
        ltap_program_refuse(p, "without axes");
    for (size_t i = 0; i < n && ltap_program_goes_on(p); i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + x.rank : axes[i];
        if (axis >= 0 && axis < x.rank)
            y = roll_axis(p, y, shifts[i], x.dims[axis], axis);
    }
    ltap_emit_result(p, 0, y);
}

/* op_type: NULL, or the axis. */
static void flip(ltap_program *p)
{
    int64_t axes[LTAP_MAX_RANK] = {p->row->op_type != NULL ? p->row->op_type[0] - '0' : 0};
    ltap_operand x = ltap_arg_tensor(p, "self");
    size_t n = p->row->op_type != NULL ? 1 : ltap_arg_ints(p, "dims", axes);
    uint32_t y = x.value;
    for (size_t i = 0; i < n; i++)
        y = ltap_emit_slice(p, y, ltap_emit_int(p, -1), ltap_emit_int(p, INT64_MIN), axes[i], -1);
    ltap_emit_result(p, 0, y);
}

/* --- Borders. --------------------------------------------------------------------------------- */

/* ATen's pairs begin at the last axis; ONNX has all begins, then all ends. */
static uint32_t read_pads(ltap_program *p, const char *name, int rank)
{
    uint32_t pads[2 * LTAP_MAX_RANK];
    uint32_t sizes = ltap_arg_sizes(p, name);
    size_t count = ltap_arg_count(p, name);
    if (count % 2 != 0 || count / 2 > (size_t)rank)
        ltap_program_refuse(p, "of %zu borders, a tensor with %d axes", count, rank);
    if (!ltap_program_goes_on(p) || rank == 0)
        return LTAP_NO_VALUE;
    for (int i = 0; i < 2 * rank; i++) {
        int from_last = rank - 1 - i % rank;
        int at = 2 * from_last + (i >= rank);
        pads[i] = at < (int)count ? ltap_emit_slice(p, sizes, ltap_emit_int(p, at),
                                                    ltap_emit_int(p, at + 1), 0, 1)
                                  : ltap_emit_int(p, 0);
    }
    return ltap_emit_concat(p, pads, 2 * (size_t)rank, 0);
}

static void pad_with(ltap_program *p, const char *name, const char *mode)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t inputs[] = {x.value, read_pads(p, name, x.rank), LTAP_NO_VALUE};
    if (strcmp(mode, "constant") == 0)
        inputs[2] = ltap_emit_number(p, ltap_arg_float(p, "value", 0), x.dtype);
    ltap_attr attr = LTAP_ATTR_S("mode", mode);
    ltap_emit_result(
        p, 0,
        ltap_emit(
            p,
            (ltap_emit_node){
                .op_type = "Pad", .inputs = inputs, .n_inputs = 3, .attrs = &attr, .n_attrs = 1},
            NULL));
}

static void pad_as_named(ltap_program *p)
{
    pad_with(p, ltap_arg_find(p, "pad") != NULL ? "pad" : "padding", p->row->op_type);
}

static void pad(ltap_program *p)
{
    static const struct {
        const char *torch, *onnx;
    } modes[] = {{"constant", "constant"},
                 {"reflect", "reflect"},
                 {"replicate", "edge"},
                 {"circular", "wrap"}};
    const char *mode = ltap_arg_text(p, "mode", "constant");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode, modes[i].torch) == 0)
            pad_with(p, "pad", modes[i].onnx);
}

/* --- Pixels and channels. --------------------------------------------------------------------- */

static void pixel_shuffle(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t factor = ltap_arg_int(p, "upscale_factor", 1);
    if (x.rank != 4) {
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
        return;
    }
    ltap_attr attrs[] = {LTAP_ATTR_I("blocksize", factor), LTAP_ATTR_S("mode", "CRD")};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "DepthToSpace",
                                                .inputs = &x.value,
                                                .n_inputs = 1,
                                                .attrs = attrs,
                                                .n_attrs = 2},
                               NULL));
}

/* [n, c, h r, w r] becomes [n, c r r, h, w], of each channel its r r places in a row. */
static void pixel_unshuffle(ltap_program *p)
{
    static const int64_t perm[] = {0, 1, 3, 5, 2, 4};
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t r = ltap_arg_int(p, "downscale_factor", 1);
    if (x.rank != 4 || x.dims[1] < 0 || x.dims[2] < 0 || x.dims[3] < 0 || r < 1 || r > 4096) {
        ltap_program_refuse(p, "of a size that is free");
        return;
    }
    uint32_t factor = ltap_emit_int(p, r);
    uint32_t apart[] = {ltap_emit_dim(p, x, 0),          ltap_emit_dim(p, x, 1),
                        ltap_emit_int(p, x.dims[2] / r), factor,
                        ltap_emit_int(p, x.dims[3] / r), factor};
    uint32_t together[] = {apart[0], ltap_emit_int(p, x.dims[1] * r * r), apart[2], apart[4]};
    uint32_t y = ltap_emit_reshape(p, x.value, ltap_emit_concat(p, apart, 6, 0));
    y = ltap_emit_transpose(p, y, perm, 6);
    ltap_emit_result(p, 0, ltap_emit_reshape(p, y, ltap_emit_concat(p, together, 4, 0)));
}

static void channel_shuffle(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t groups = ltap_arg_int(p, "groups", 1), perm[LTAP_MAX_RANK];
    uint32_t sizes[LTAP_MAX_RANK];
    if (x.rank < 3 || x.rank >= LTAP_MAX_RANK || x.dims[1] < 0 || groups < 1) {
        ltap_program_refuse(p, "of channels whose number is free");
        return;
    }
    for (int i = 0; i <= x.rank; i++) {
        perm[i] = i == 1 ? 2 : i == 2 ? 1 : i;
        sizes[i] = i == 1   ? ltap_emit_int(p, groups)
                   : i == 2 ? ltap_emit_int(p, x.dims[1] / groups)
                            : ltap_emit_dim(p, x, i > 2 ? i - 1 : i);
    }
    uint32_t y = ltap_emit_reshape(p, x.value, ltap_emit_concat(p, sizes, (size_t)x.rank + 1, 0));
    y = ltap_emit_transpose(p, y, perm, x.rank + 1);
    sizes[1] = ltap_emit_int(p, x.dims[1]);
    memmove(sizes + 2, sizes + 3, ((size_t)x.rank - 2) * sizeof *sizes);
    ltap_emit_result(p, 0, ltap_emit_reshape(p, y, ltap_emit_concat(p, sizes, (size_t)x.rank, 0)));
}

static void triangle(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    uint32_t inputs[] = {x.value,
                         ltap_emit_number(p, ltap_arg_float(p, "diagonal", 0), LTAP_INT64)};
    ltap_attr attr = LTAP_ATTR_I("upper", strcmp(p->row->op_type, "upper") == 0);
    ltap_emit_result(
        p, 0,
        ltap_emit(
            p,
            (ltap_emit_node){
                .op_type = "Trilu", .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
            NULL));
}

const ltap_aten_row ltap_aten_move[] = {
    {.name = "cat", .map = concatenate, .op_type = "cat"},
    {.name = "concat", .map = concatenate, .op_type = "cat"},
    {.name = "concatenate", .map = concatenate, .op_type = "cat"},
    {.name = "stack", .map = concatenate, .op_type = "stack"},
    {.name = "repeat", .map = repeat},
    {.name = "tile", .map = repeat},
    {.name = "repeat_interleave.self_int", .map = repeat_interleave},
    {.name = "meshgrid", .map = meshgrid},
    {.name = "hstack", .map = stack_along, .op_type = "h"},
    {.name = "vstack", .map = stack_along, .op_type = "v"},
    {.name = "roll", .map = roll},
    {.name = "flip", .map = flip},
    {.name = "flipud", .map = flip, .op_type = "0"},
    {.name = "fliplr", .map = flip, .op_type = "1"},
    {.name = "pad", .map = pad},
    {.name = "constant_pad_nd", .map = pad_as_named, .op_type = "constant"},
    {.name = "reflection_pad1d", .map = pad_as_named, .op_type = "reflect"},
    {.name = "reflection_pad2d", .map = pad_as_named, .op_type = "reflect"},
    {.name = "reflection_pad3d", .map = pad_as_named, .op_type = "reflect"},
    {.name = "replication_pad1d", .map = pad_as_named, .op_type = "edge"},
    {.name = "replication_pad2d", .map = pad_as_named, .op_type = "edge"},
    {.name = "replication_pad3d", .map = pad_as_named, .op_type = "edge"},
    {.name = "pixel_shuffle", .map = pixel_shuffle},
    {.name = "pixel_unshuffle", .map = pixel_unshuffle},
    {.name = "channel_shuffle", .map = channel_shuffle},
    {.name = "native_channel_shuffle", .map = channel_shuffle},
    {.name = "tril", .map = triangle, .op_type = "lower"},
    {.name = "triu", .map = triangle, .op_type = "upper"},
    {0},
};
