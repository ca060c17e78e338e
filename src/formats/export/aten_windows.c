/* Pooling and resizing: what slides over pixels, or makes more of them. */
#include "formats/export/aten.h"

#include <string.h>

typedef struct pool {
    ltap_operand x;
    int n; /* spatial axes */
    int64_t kernel[LTAP_MAX_RANK], stride[LTAP_MAX_RANK], pads[2 * LTAP_MAX_RANK],
        dilation[LTAP_MAX_RANK];
    bool alone; /* without a batch */
} pool;

/* The digit in the operator's name: max_pool2d. */
static int axes_in_name(const ltap_program *p)
{
    const char *digit = strpbrk(p->row->name, "123");
    return digit != NULL ? *digit - '0' : 2;
}

static void begin(ltap_program *p, pool *of, const char *input)
{
    of->x = ltap_arg_tensor(p, input);
    of->n = axes_in_name(p);
    of->alone = of->x.rank == of->n + 1;
    if (of->x.rank != of->n + 1 && of->x.rank != of->n + 2)
        ltap_program_refuse(p, "of a tensor with %d dimensions", of->x.rank);
    if (of->alone && ltap_program_goes_on(p))
        of->x.value = ltap_emit_unsqueeze(p, of->x.value, 0);
}

static void end(ltap_program *p, const pool *of, size_t k, uint32_t y)
{
    ltap_emit_result(p, k, of->alone ? ltap_emit_squeeze(p, y, 0) : y);
}

static void read_pool(ltap_program *p, pool *of)
{
    begin(p, of, "self");
    ltap_arg_window(p, "kernel_size", of->n, 1, of->kernel);
    ltap_arg_window(p, "dilation", of->n, 1, of->dilation);
    ltap_arg_window(p, "padding", of->n, 0, of->pads);
    memcpy(of->pads + of->n, of->pads, (size_t)of->n * sizeof *of->pads);
    if (ltap_arg_count(p, "stride") > 0)
        ltap_arg_window(p, "stride", of->n, 1, of->stride);
    else
        memcpy(of->stride, of->kernel, sizeof of->stride);
}

/* outputs: NULL, or the two of a MaxPool. */
static uint32_t emit_pool(ltap_program *p, const pool *of, const char *op_type, ltap_attr last,
                          uint32_t outputs[2])
{
    ltap_attr attrs[] = {LTAP_ATTR_N("kernel_shape", of->n, of->kernel),
                         LTAP_ATTR_N("strides", of->n, of->stride),
                         LTAP_ATTR_N("pads", 2 * of->n, of->pads),
                         LTAP_ATTR_I("ceil_mode", ltap_arg_bool(p, "ceil_mode", false)), last};
    return ltap_emit(p,
                     (ltap_emit_node){.op_type = op_type,
                                      .inputs = &of->x.value,
                                      .n_inputs = 1,
                                      .attrs = attrs,
                                      .n_attrs = 5,
                                      .n_outputs = outputs != NULL ? 2 : 1},
                     outputs);
}

/* int64[1] */
static uint32_t plane_of(ltap_program *p, ltap_operand x, int n)
{
    uint32_t area = ltap_emit_int(p, 1);
    for (int i = x.rank - n; i < x.rank; i++)
        area = ltap_emit_two(p, "Mul", area, ltap_emit_dim(p, x, i));
    return area;
}

/* Places of the largest elements: PyTorch counts in each plane, ONNX through all of them. */
static void max_pool(ltap_program *p)
{
    pool of;
    uint32_t outputs[2];
    bool both = strstr(p->row->name, "_with_indices") != NULL;
    read_pool(p, &of);
    ltap_attr dilations = LTAP_ATTR_N("dilations", of.n, of.dilation);
    end(p, &of, 0, emit_pool(p, &of, "MaxPool", dilations, both ? outputs : NULL));
    if (both)
        end(p, &of, 1, ltap_emit_two(p, "Mod", outputs[1], plane_of(p, of.x, of.n)));
}

/* Elements go back to the places that a max_pool says, among zeros. */
static void max_unpool(ltap_program *p)
{
    pool of;
    begin(p, &of, "self");
    uint32_t at = ltap_arg_tensor(p, "indices").value, any = ltap_emit_int(p, -1);
    if (of.alone)
        at = ltap_emit_unsqueeze(p, at, 0);
    uint32_t front = ltap_emit_slice(p, ltap_emit_shape(p, of.x.value), ltap_emit_int(p, 0),
                                     ltap_emit_int(p, 2), 0, 1);
    uint32_t rows[] = {front, any}, size[] = {front, ltap_arg_sizes(p, "output_size")};
    uint32_t shape = ltap_emit_concat(p, size, 2, 0), row = ltap_emit_concat(p, rows, 2, 0);
    uint32_t zeros = ltap_emit_two(p, "Expand", ltap_emit_number(p, 0, of.x.dtype), shape);
    uint32_t inputs[] = {ltap_emit_reshape(p, zeros, row), ltap_emit_reshape(p, at, row),
                         ltap_emit_reshape(p, of.x.value, row)};
    uint32_t y = ltap_emit_scatter(p, "ScatterElements", inputs, 2, NULL);
    end(p, &of, 0, ltap_emit_reshape(p, y, shape));
}

static void avg_pool(ltap_program *p)
{
    pool of;
    int64_t divisor = ltap_arg_int(p, "divisor_override", 0), area = 1;
    bool counts = ltap_arg_bool(p, "count_include_pad", true);
    read_pool(p, &of);
    for (int i = 0; i < of.n; i++)
        area *= of.kernel[i] > 0 && of.kernel[i] < 4096 ? of.kernel[i] : 1;
    if (divisor != 0 && ltap_arg_bool(p, "ceil_mode", false))
        ltap_program_refuse(p, "with divisor_override and ceil_mode");
    uint32_t y = emit_pool(p, &of, "AveragePool",
                           LTAP_ATTR_I("count_include_pad", counts || divisor != 0), NULL);
    if (divisor != 0 && divisor != area)
        y = ltap_emit_two(p, "Mul", y,
                          ltap_emit_number(p, (double)area / (double)divisor, of.x.dtype));
    end(p, &of, 0, y);
}

/* Each output is of a window of equal size, where sizes are in the file and allow it. */
static bool is_even(const pool *of, pool *even)
{
    int first = of->x.rank - of->n;
    *even = *of;
    for (int i = 0; i < of->n; i++) {
        int64_t in = of->x.dims[first + i], out = of->kernel[i];
        if (out < 1 || in < 0 || in % out != 0)
            return false;
        even->kernel[i] = even->stride[i] = in / out;
        even->dilation[i] = 1;
        even->pads[i] = even->pads[of->n + i] = 0;
    }
    return true;
}

static bool all_are(const int64_t *numbers, int n, int64_t number)
{
    for (int i = 0; i < n; i++)
        if (numbers[i] != number)
            return false;
    return true;
}

/* AdaptiveAveragePool works on two axes: one more for a row of numbers. */
static uint32_t emit_adaptive(ltap_program *p, const pool *of)
{
    int64_t size[] = {1, 1};
    memcpy(size + 2 - of->n, of->kernel, (size_t)of->n * sizeof *size);
    uint32_t x = of->n == 1 ? ltap_emit_unsqueeze(p, of->x.value, 2) : of->x.value;
    ltap_attr attr = LTAP_ATTR_N("output_size", 2, size);
    uint32_t y = ltap_emit(p,
                           (ltap_emit_node){.op_type = "AdaptiveAveragePool",
                                            .domain = "layertap",
                                            .inputs = &x,
                                            .n_inputs = 1,
                                            .attrs = &attr,
                                            .n_attrs = 1},
                           NULL);
    return of->n == 1 ? ltap_emit_squeeze(p, y, 2) : y;
}

/* Of windows whose sizes differ, from `size` elements to n: where each reads, int64[n, longest],
 * and by what it is multiplied. Shorter ones read their last element again, times nothing. */
static void uneven_windows(ltap_program *p, int64_t size, int64_t n, uint32_t *at, uint32_t *times)
{
    int64_t longest = size / n + 2;
    void *places = NULL, *weights = NULL;
    if (size < 1 || n < 1 || size > INT32_MAX || n > (1 << 24) / longest)
        ltap_program_refuse(p, "to a size that does not divide its input's");
    if (ltap_program_goes_on(p))
        ltap_program_take(p, ltap_arena_take(&p->graph->arena, (uint64_t)(n * longest),
                                             sizeof(int64_t), &places, p->error));
    if (ltap_program_goes_on(p))
        ltap_program_take(p, ltap_arena_take(&p->graph->arena, (uint64_t)(n * longest),
                                             sizeof(float), &weights, p->error));
    if (!ltap_program_goes_on(p))
        return;
    for (int64_t i = 0; i < n * longest; i++) {
        int64_t w = i / longest, first = w * size / n, last = ((w + 1) * size + n - 1) / n - 1;
        int64_t place = first + i % longest;
        ((int64_t *)places)[i] = place < last ? place : last;
        ((float *)weights)[i] = place <= last ? 1 / (float)(last - first + 1) : 0;
    }
    int64_t dims[] = {n, longest};
    ltap_tensor where = ltap_tensor_make(LTAP_INT64, 2, dims, places);
    ltap_tensor parts = ltap_tensor_make(LTAP_FLOAT32, 2, dims, weights);
    *at = ltap_emit_tensor(p, "windows", &where);
    *times = ltap_emit_tensor(p, "parts", &parts);
}

/* Axis by axis: the largest of the largest, the mean of means. */
static uint32_t emit_uneven(ltap_program *p, const pool *of, bool average)
{
    uint32_t y = of->x.value, at = LTAP_NO_VALUE, times = LTAP_NO_VALUE;
    for (int i = 0; i < of->n; i++) {
        int64_t behind[] = {2, 3};
        uneven_windows(p, of->x.dims[of->x.rank - of->n + i], of->kernel[i], &at, &times);
        if (!ltap_program_goes_on(p))
            break;
        y = ltap_emit_gather(p, "Gather", y, at, 2 + i);
        if (average) {
            uint32_t factor = ltap_emit_cast(p, times, LTAP_FLOAT32, of->x.dtype);
            if (i + 1 < of->n)
                factor = ltap_emit_two(p, "Unsqueeze", factor,
                                       ltap_emit_ints(p, behind, (size_t)(of->n - 1 - i)));
            y = ltap_emit_two(p, "Mul", y, factor);
        }
        y = ltap_emit_reduce(p, average ? "ReduceSum" : "ReduceMax", y, ltap_emit_int(p, 3 + i),
                             false);
    }
    return y;
}

static void adaptive(ltap_program *p)
{
    pool of = {0}, even;
    bool average = p->row->op_type[0] == 'A';
    begin(p, &of, "self");
    ltap_arg_window(p, "output_size", of.n, 1, of.kernel);
    if (!ltap_program_goes_on(p))
        return;
    uint32_t y;
    if (all_are(of.kernel, of.n, 1))
        y = ltap_emit_one(p, average ? "GlobalAveragePool" : "GlobalMaxPool", of.x.value);
    else if (average && of.n < 3)
        y = emit_adaptive(p, &of);
    else if (is_even(&of, &even))
        y = emit_pool(p, &even, average ? "AveragePool" : "MaxPool",
                      LTAP_ATTR_N("dilations", of.n, even.dilation), NULL);
    else
        y = emit_uneven(p, &of, average);
    end(p, &of, 0, y);
}

/* --- Resizing. -------------------------------------------------------------------------------- */

static size_t read_scales(ltap_program *p, int n, float scales[LTAP_MAX_RANK])
{
    static const char *const names[3][3] = {{"scales", NULL, NULL},
                                            {"scales_h", "scales_w", NULL},
                                            {"scales_d", "scales_h", "scales_w"}};
    const ltap_json *list = ltap_arg_find(p, "scale_factors");
    size_t count = 0;
    scales[0] = scales[1] = 1;
    if (list != NULL && list->kind == LTAP_JSON_ARRAY) {
        for (const ltap_json *item = list->first; item && count < (size_t)n; item = item->next)
            scales[2 + count++] =
                item->kind == LTAP_JSON_DOUBLE ? (float)item->number : (float)item->integer;
        return count == (size_t)n ? count : 0;
    }
    for (int i = 0; i < n; i++)
        if (ltap_arg_find(p, names[n - 1][i]) != NULL)
            scales[2 + count++] = (float)ltap_arg_float(p, names[n - 1][i], 1);
    return count == (size_t)n ? count : 0;
}

/* Batch and channels stay. */
static uint32_t whole_size(ltap_program *p, ltap_operand x)
{
    uint32_t parts[] = {ltap_emit_dim(p, x, 0), ltap_emit_dim(p, x, 1),
                        ltap_arg_sizes(p, "output_size")};
    return ltap_emit_concat(p, parts, 3, 0);
}

static uint32_t emit_scales(ltap_program *p, const float *scales, size_t count)
{
    int64_t dims[1] = {(int64_t)count};
    void *copy = NULL;
    ltap_program_take(p, ltap_arena_take(&p->graph->arena, count, sizeof *scales, &copy, p->error));
    if (!ltap_program_goes_on(p))
        return LTAP_NO_VALUE;
    memcpy(copy, scales, count * sizeof *scales);
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, 1, dims, copy);
    return ltap_emit_tensor(p, "scales", &tensor);
}

/* op_type: ONNX's mode, and behind it '*' for rounding to the nearest exactly, '~' for a filter
 * that grows where the picture shrinks, as PIL's does. */
static void upsample(ltap_program *p)
{
    float scales[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, ltap_arg_find(p, "self") ? "self" : "input");
    int n = axes_in_name(p);
    bool exact = strcmp(p->row->op_type, "nearest*") == 0;
    bool nearest = p->row->op_type[0] == 'n', smooth = strchr(p->row->op_type, '~') != NULL;
    if (smooth && ltap_arg_bool(p, "align_corners", false))
        ltap_program_refuse(p, "with antialias and align_corners");
    if (x.rank != n + 2)
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
    if (!ltap_program_goes_on(p))
        return;
    size_t n_scales = read_scales(p, n, scales);
    uint32_t inputs[] = {x.value, LTAP_NO_VALUE, LTAP_NO_VALUE, LTAP_NO_VALUE};
    if (n_scales > 0)
        inputs[2] = emit_scales(p, scales, n_scales + 2);
    else
        inputs[3] = whole_size(p, x);
    const char *mode = nearest ? "nearest" : p->row->op_type[0] == 'l' ? "linear" : "cubic";
    const char *place = ltap_arg_bool(p, "align_corners", false) ? "align_corners"
                        : nearest && !exact                      ? "asymmetric"
                                                                 : "half_pixel";
    ltap_attr attrs[] = {LTAP_ATTR_S("mode", mode),
                         LTAP_ATTR_S("coordinate_transformation_mode", place),
                         LTAP_ATTR_S("nearest_mode", exact ? "round_prefer_ceil" : "floor"),
                         LTAP_ATTR_F("cubic_coeff_a", smooth ? -0.5 : -0.75),
                         LTAP_ATTR_I("antialias", 1),
                         LTAP_ATTR_I("exclude_outside", 1)};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "Resize",
                                                .inputs = inputs,
                                                .n_inputs = 4,
                                                .attrs = attrs,
                                                .n_attrs = smooth ? 6 : 4},
                               NULL));
}

static void grid_sampler(ltap_program *p)
{
    static const char *const modes[] = {"linear", "nearest", "cubic"};
    static const char *const edges[] = {"zeros", "border", "reflection"};
    int64_t mode = ltap_arg_int(p, "interpolation_mode", 0);
    int64_t edge = ltap_arg_int(p, "padding_mode", 0);
    uint32_t inputs[] = {ltap_arg_tensor(p, "input").value, ltap_arg_tensor(p, "grid").value};
    if (mode < 0 || mode > 2 || edge < 0 || edge > 2) {
        ltap_program_refuse(p, "in a mode that is not known");
        return;
    }
    ltap_attr attrs[] = {LTAP_ATTR_S("mode", modes[mode]), LTAP_ATTR_S("padding_mode", edges[edge]),
                         LTAP_ATTR_I("align_corners", ltap_arg_bool(p, "align_corners", false))};
    ltap_emit_result(p, 0,
                     ltap_emit(p,
                               (ltap_emit_node){.op_type = "GridSample",
                                                .inputs = inputs,
                                                .n_inputs = 2,
                                                .attrs = attrs,
                                                .n_attrs = 3},
                               NULL));
}

const ltap_aten_row ltap_aten_windows[] = {
    {.name = "max_pool1d", .map = max_pool},
    {.name = "max_pool2d", .map = max_pool},
    {.name = "max_pool3d", .map = max_pool},
    {.name = "max_pool1d_with_indices", .map = max_pool},
    {.name = "max_pool2d_with_indices", .map = max_pool},
    {.name = "max_pool3d_with_indices", .map = max_pool},
    {.name = "max_unpool2d", .map = max_unpool},
    {.name = "max_unpool3d", .map = max_unpool},
    {.name = "avg_pool1d", .map = avg_pool},
    {.name = "avg_pool2d", .map = avg_pool},
    {.name = "avg_pool3d", .map = avg_pool},
    {.name = "adaptive_avg_pool1d", .map = adaptive, .op_type = "A"},
    {.name = "adaptive_avg_pool2d", .map = adaptive, .op_type = "A"},
    {.name = "adaptive_avg_pool3d", .map = adaptive, .op_type = "A"},
    {.name = "_adaptive_avg_pool2d", .map = adaptive, .op_type = "A"},
    {.name = "_adaptive_avg_pool3d", .map = adaptive, .op_type = "A"},
    {.name = "adaptive_max_pool1d", .map = adaptive, .op_type = "M"},
    {.name = "adaptive_max_pool2d", .map = adaptive, .op_type = "M"},
    {.name = "adaptive_max_pool3d", .map = adaptive, .op_type = "M"},
    {.name = "upsample_nearest1d", .map = upsample, .op_type = "nearest"},
    {.name = "upsample_nearest2d", .map = upsample, .op_type = "nearest"},
    {.name = "upsample_nearest3d", .map = upsample, .op_type = "nearest"},
    {.name = "_upsample_nearest_exact1d", .map = upsample, .op_type = "nearest*"},
    {.name = "_upsample_nearest_exact2d", .map = upsample, .op_type = "nearest*"},
    {.name = "_upsample_nearest_exact3d", .map = upsample, .op_type = "nearest*"},
    {.name = "upsample_linear1d", .map = upsample, .op_type = "linear"},
    {.name = "upsample_bilinear2d", .map = upsample, .op_type = "linear"},
    {.name = "upsample_trilinear3d", .map = upsample, .op_type = "linear"},
    {.name = "upsample_bicubic2d", .map = upsample, .op_type = "cubic"},
    {.name = "_upsample_bilinear2d_aa", .map = upsample, .op_type = "linear~"},
    {.name = "_upsample_bicubic2d_aa", .map = upsample, .op_type = "cubic~"},
    {.name = "grid_sampler", .map = grid_sampler},
    {.name = "grid_sampler_2d", .map = grid_sampler},
    {.name = "grid_sampler_3d", .map = grid_sampler},
    {0},
};
