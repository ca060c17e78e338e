/* Windows laid out side by side, and put back where they came from: x.unfold, im2col, col2im.
 *
 * Along one axis, element k of window i stands at i * step + k * dilation: a table of places by
 * which the axis is gathered. Sizes may be free.
 */
#include "formats/export/aten.h"

typedef struct windows {
    int64_t size, step, dilation, padding;
    uint32_t length, count; /* of the axis with its borders; of windows: int64[1] */
} windows;

static windows along(ltap_program *p, uint32_t length, const int64_t numbers[4])
{
    windows w = {numbers[0], numbers[1], numbers[2], numbers[3], length, LTAP_NO_VALUE};
    if (w.size < 1 || w.step < 1 || w.dilation < 1 || w.padding < 0 || w.size > INT32_MAX ||
        w.step > INT32_MAX || w.dilation > INT32_MAX || w.padding > INT32_MAX)
        ltap_program_refuse(p, "with windows of no size");
    if (!ltap_program_goes_on(p))
        return w;
    if (w.padding > 0)
        w.length = ltap_emit_two(p, "Add", length, ltap_emit_int(p, 2 * w.padding));
    w.count = ltap_emit_two(p, "Sub", w.length, ltap_emit_int(p, w.dilation * (w.size - 1) + 1));
    w.count = ltap_emit_two(p, "Div", w.count, ltap_emit_int(p, w.step));
    w.count = ltap_emit_two(p, "Add", w.count, ltap_emit_int(p, 1));
    return w;
}

/* int64[size, count], with windows in the last axis, or in the first. */
static uint32_t places(ltap_program *p, windows w, bool windows_last)
{
    uint32_t begins =
        ltap_emit_two(p, "Mul", ltap_emit_range(p, w.count), ltap_emit_int(p, w.step));
    uint32_t inside = ltap_emit_range(p, ltap_emit_int(p, w.size));
    inside = ltap_emit_two(p, "Mul", inside, ltap_emit_int(p, w.dilation));
    return ltap_emit_two(p, "Add", ltap_emit_unsqueeze(p, begins, !windows_last),
                         ltap_emit_unsqueeze(p, inside, windows_last));
}

/* Windows of an axis, which go to the end: x.unfold(axis, size, step). */
static void unfold(ltap_program *p)
{
    ltap_operand x = ltap_arg_tensor(p, "self");
    int64_t perm[LTAP_MAX_RANK];
    int axis = ltap_arg_axis(p, "dimension", 0, x.rank);
    int64_t numbers[] = {ltap_arg_int(p, "size", 1), ltap_arg_int(p, "step", 1), 1, 0};
    if (x.rank == 0 || x.rank >= LTAP_MAX_RANK) {
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
        return;
    }
    windows w = along(p, ltap_emit_dim(p, x, axis), numbers);
    uint32_t y = ltap_emit_gather(p, "Gather", x.value, places(p, w, false), axis);
    for (int i = 0; i <= x.rank; i++)
        perm[i] = i <= axis ? i : i < x.rank ? i + 1 : axis + 1;
    ltap_emit_result(p, 0, ltap_emit_transpose(p, y, perm, x.rank + 1));
}

/* --- Patches of pictures. --------------------------------------------------------------------- */

typedef struct patches {
    ltap_operand x;
    uint32_t batch; /* with a batch */
    windows w[2];   /* of rows, of columns */
    bool alone;     /* without a batch */
} patches;

/* lengths: int64[1] of rows and columns without borders. */
static void read_patches(ltap_program *p, patches *of, const uint32_t lengths[2])
{
    int64_t size[2], step[2], dilation[2], padding[2];
    ltap_arg_window(p, "kernel_size", 2, 1, size);
    ltap_arg_window(p, "stride", 2, 1, step);
    ltap_arg_window(p, "dilation", 2, 1, dilation);
    ltap_arg_window(p, "padding", 2, 0, padding);
    for (int i = 0; i < 2; i++) {
        int64_t numbers[] = {size[i], step[i], dilation[i], padding[i]};
        of->w[i] = along(p, lengths[i], numbers);
    }
}

static bool begin(ltap_program *p, patches *of, int rank)
{
    of->x = ltap_arg_tensor(p, "self");
    of->alone = of->x.rank == rank - 1;
    if (of->x.rank != rank && !of->alone)
        ltap_program_refuse(p, "of a tensor with %d dimensions", of->x.rank);
    if (ltap_program_goes_on(p))
        of->batch = of->alone ? ltap_emit_unsqueeze(p, of->x.value, 0) : of->x.value;
    return ltap_program_goes_on(p);
}

static void end(ltap_program *p, const patches *of, uint32_t y)
{
    ltap_emit_result(p, 0, of->alone ? ltap_emit_squeeze(p, y, 0) : y);
}

/* [n, c, h, w] becomes [n, c * kh * kw, windows]. */
static void im2col(ltap_program *p)
{
    static const int64_t order[] = {0, 1, 2, 4, 3, 5};
    patches of;
    if (!begin(p, &of, 4))
        return;
    uint32_t lengths[] = {ltap_emit_dim(p, of.x, of.x.rank - 2),
                          ltap_emit_dim(p, of.x, of.x.rank - 1)};
    read_patches(p, &of, lengths);
    int64_t h = of.w[0].padding, w = of.w[1].padding, pads[] = {0, 0, h, w, 0, 0, h, w};
    uint32_t y = of.batch;
    if (h > 0 || w > 0)
        y = ltap_emit_two(p, "Pad", y, ltap_emit_ints(p, pads, 8));
    y = ltap_emit_gather(p, "Gather", y, places(p, of.w[1], true), 3);
    y = ltap_emit_gather(p, "Gather", y, places(p, of.w[0], true), 2);
    y = ltap_emit_transpose(p, y, order, 6);
    uint32_t sizes[] = {ltap_emit_slice(p, ltap_emit_shape(p, of.batch), ltap_emit_int(p, 0),
                                        ltap_emit_int(p, 1), 0, 1),
                        ltap_emit_int(p, -1),
                        ltap_emit_two(p, "Mul", of.w[0].count, of.w[1].count)};
    end(p, &of, ltap_emit_reshape(p, y, ltap_emit_concat(p, sizes, 3, 0)));
}

/* Where each element of each window stands in a picture with its borders: int64[1, 1, all]. */
static uint32_t places_in_picture(ltap_program *p, const patches *of)
{
    static const int64_t flat[] = {1, 1, -1}, columns_at[] = {0, 2};
    uint32_t rows = ltap_emit_two(p, "Mul", places(p, of->w[0], true), of->w[1].length);
    uint32_t columns = places(p, of->w[1], true);
    rows = ltap_emit_unsqueeze(p, ltap_emit_unsqueeze(p, rows, 1), 3);
    columns = ltap_emit_two(p, "Unsqueeze", columns, ltap_emit_ints(p, columns_at, 2));
    return ltap_emit_reshape_to(p, ltap_emit_two(p, "Add", rows, columns), flat, 3);
}

/* [n, c * kh * kw, windows] becomes [n, c, h, w]: what overlaps is added. */
static void col2im(ltap_program *p)
{
    patches of;
    if (!begin(p, &of, 3) || ltap_arg_count(p, "output_size") != 2) {
        ltap_program_refuse(p, "without a size");
        return;
    }
    uint32_t size = ltap_arg_sizes(p, "output_size"), zero = ltap_emit_int(p, 0);
    uint32_t one = ltap_emit_int(p, 1), two = ltap_emit_int(p, 2), any = ltap_emit_int(p, -1);
    uint32_t lengths[] = {ltap_emit_slice(p, size, zero, one, 0, 1),
                          ltap_emit_slice(p, size, one, two, 0, 1)};
    read_patches(p, &of, lengths);
    uint32_t shape = ltap_emit_shape(p, of.batch), n = ltap_emit_slice(p, shape, zero, one, 0, 1);
    uint32_t area = ltap_emit_int(p, of.w[0].size * of.w[1].size);
    uint32_t c = ltap_emit_two(p, "Div", ltap_emit_slice(p, shape, one, two, 0, 1), area);
    uint32_t split[] = {n, c, any};
    uint32_t parts = ltap_emit_reshape(p, of.batch, ltap_emit_concat(p, split, 3, 0));
    uint32_t at = ltap_emit_two(p, "Expand", places_in_picture(p, &of), ltap_emit_shape(p, parts));
    uint32_t all[] = {n, c, ltap_emit_two(p, "Mul", of.w[0].length, of.w[1].length)};
    uint32_t zeros = ltap_emit_two(p, "Expand", ltap_emit_number(p, 0, of.x.dtype),
                                   ltap_emit_concat(p, all, 3, 0));
    uint32_t y = ltap_emit_scatter(p, "ScatterElements", (uint32_t[]){zeros, at, parts}, 2, "add");
    uint32_t picture[] = {n, c, of.w[0].length, of.w[1].length};
    y = ltap_emit_reshape(p, y, ltap_emit_concat(p, picture, 4, 0));
    for (int i = 0; i < 2 && ltap_program_goes_on(p); i++) {
        uint32_t first = ltap_emit_int(p, of.w[i].padding);
        if (of.w[i].padding > 0)
            y = ltap_emit_slice(p, y, first, ltap_emit_two(p, "Add", first, lengths[i]), 2 + i, 1);
    }
    end(p, &of, y);
}

const ltap_aten_row ltap_aten_patches[] = {
    {.name = "unfold", .map = unfold, .flags = LTAP_ATEN_VIEW},
    {.name = "unfold_copy", .map = unfold},
    {.name = "im2col", .map = im2col},
    {.name = "col2im", .map = col2im},
    {0},
};
