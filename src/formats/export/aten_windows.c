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

static void end(ltap_program *p, const pool *of, uint32_t y)
{
    ltap_emit_result(p, 0, of->alone ? ltap_emit_squeeze(p, y, 0) : y);
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

static uint32_t emit_pool(ltap_program *p, const pool *of, const char *op_type, ltap_attr last)
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
                                      .n_attrs = 5},
                     NULL);
}

static void max_pool(ltap_program *p)
{
    pool of;
    read_pool(p, &of);
    end(p, &of, emit_pool(p, &of, "MaxPool", LTAP_ATTR_N("dilations", of.n, of.dilation)));
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
    uint32_t y =
        emit_pool(p, &of, "AveragePool", LTAP_ATTR_I("count_include_pad", counts || divisor != 0));
    if (divisor != 0 && divisor != area)
        y = ltap_emit_two(p, "Mul", y,
                          ltap_emit_number(p, (double)area / (double)divisor, of.x.dtype));
    end(p, &of, y);
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

static void adaptive(ltap_program *p)
{
    pool of = {0}, even;
    bool average = p->row->op_type[0] == 'A';
    begin(p, &of, "self");
    ltap_arg_window(p, "output_size", of.n, 1, of.kernel);
    if (!ltap_program_goes_on(p))
        return;
    if (all_are(of.kernel, of.n, 1))
        end(p, &of, ltap_emit_one(p, average ? "GlobalAveragePool" : "GlobalMaxPool", of.x.value));
    else if (average && of.n < 3)
        end(p, &of, emit_adaptive(p, &of));
    else if (is_even(&of, &even))
        end(p, &of,
            emit_pool(p, &even, average ? "AveragePool" : "MaxPool",
                      LTAP_ATTR_N("dilations", of.n, even.dilation)));
    else
        ltap_program_refuse(p, "to a size that does not divide its input's");
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
    uint32_t value = LTAP_NO_VALUE;
    void *copy = NULL;
    ltap_program_take(p, ltap_arena_take(&p->graph->arena, count, sizeof *scales, &copy, p->error));
    if (!ltap_program_goes_on(p))
        return value;
    memcpy(copy, scales, count * sizeof *scales);
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, 1, dims, copy);
    ltap_program_take(p, ltap_graph_constant(p->graph, "scales", &tensor, &value, p->error));
    return value;
}

/* op_type: ONNX's mode, and behind it '*' for rounding to the nearest exactly. */
static void upsample(ltap_program *p)
{
    float scales[LTAP_MAX_RANK];
    ltap_operand x = ltap_arg_tensor(p, ltap_arg_find(p, "self") ? "self" : "input");
    int n = axes_in_name(p);
    bool exact = strcmp(p->row->op_type, "nearest*") == 0;
    bool nearest = p->row->op_type[0] == 'n';
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
    const char *mode = nearest ? "nearest" : p->row->op_type;
    const char *place = ltap_arg_bool(p, "align_corners", false) ? "align_corners"
                        : nearest && !exact                      ? "asymmetric"
                                                                 : "half_pixel";
    ltap_attr attrs[] = {LTAP_ATTR_S("mode", mode),
                         LTAP_ATTR_S("coordinate_transformation_mode", place),
                         LTAP_ATTR_S("nearest_mode", exact ? "round_prefer_ceil" : "floor"),
                         LTAP_ATTR_F("cubic_coeff_a", -0.75)};
    ltap_emit_result(
        p, 0,
        ltap_emit(
            p,
            (ltap_emit_node){
                .op_type = "Resize", .inputs = inputs, .n_inputs = 4, .attrs = attrs, .n_attrs = 4},
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
    {.name = "grid_sampler", .map = grid_sampler},
    {.name = "grid_sampler_2d", .map = grid_sampler},
    {.name = "grid_sampler_3d", .map = grid_sampler},
    {0},
};
