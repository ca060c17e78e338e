/* Random problems: drawing, building, solving by the reference. */
#include "problem.h"

#include "support/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t problem_draw(problem *p, int64_t low, int64_t high)
{
    return draw(&p->random, low, high);
}

static ltap_attr *add_attr(problem *p, const char *name, ltap_attr_kind kind)
{
    ltap_attr *attr = &p->attrs[p->node.n_attrs++];
    *attr = (ltap_attr){.name = name, .kind = kind, .count = 1};
    return attr;
}

void problem_int(problem *p, const char *name, int64_t number)
{
    add_attr(p, name, LTAP_ATTR_INT)->u.i = number;
}

void problem_ints(problem *p, const char *name, size_t count, const int64_t *numbers)
{
    int64_t *copy = p->ints[p->node.n_attrs];
    ltap_attr *attr = add_attr(p, name, LTAP_ATTR_INTS);
    memcpy(copy, numbers, count * sizeof *copy);
    attr->count = count;
    attr->u.ints = copy;
}

static void *take(const ltap_tensor *t)
{
    uint64_t bytes = ltap_tensor_bytes(t);
    return malloc(bytes ? (size_t)bytes : 1);
}

void problem_input(problem *p, int rank, const int64_t *dims, bool constant)
{
    size_t i = p->node.n_inputs++;
    ltap_tensor *t = &p->inputs[i];
    *t = ltap_tensor_make(LTAP_FLOAT32, rank, dims, NULL);
    t->data = take(t);
    for (uint64_t k = 0; k < ltap_tensor_count(t); k++)
        ((float *)t->data)[k] = (float)problem_draw(p, -1000, 1000) / 500;
    p->constants |= (constant ? 1U : 0U) << i;
}

void problem_indices(problem *p, size_t count, const int64_t *numbers)
{
    size_t i = p->node.n_inputs++;
    const int64_t dims[] = {(int64_t)count};
    ltap_tensor *t = &p->inputs[i];
    *t = ltap_tensor_make(LTAP_INT64, 1, dims, NULL);
    t->data = take(t);
    memcpy(t->data, numbers, count * sizeof *numbers);
    p->constants |= 1U << i;
}

void problem_spoil(problem *p)
{
    static const float specials[] = {NAN, INFINITY, -INFINITY};
    uint64_t count = ltap_tensor_count(&p->inputs[0]);
    for (int i = 0; i < 3 && count > 0; i++)
        ((float *)p->inputs[0].data)[problem_draw(p, 0, (int64_t)count - 1)] =
            specials[problem_draw(p, 0, 2)];
}

/* A copy of a problem's attributes points into the copy. */
static void link_node(problem *p)
{
    p->node.name = p->node.domain = p->node.call_path = p->node.doc = "";
    p->node.attrs = p->attrs;
    p->node.inputs = p->values;
    p->node.outputs = p->values + PROBLEM_TENSORS;
    p->node.n_outputs = p->node.n_outputs ? p->node.n_outputs : 1;
    p->node.op = ltap_ops_find("", p->node.op_type);
    for (size_t i = 0; i < p->node.n_attrs; i++) {
        if (p->attrs[i].kind == LTAP_ATTR_INTS)
            p->attrs[i].u.ints = p->ints[i];
    }
}

void problem_round(problem *p)
{
    for (size_t i = 0; i < 2; i++) {
        uint32_t *bits = (uint32_t *)(uintptr_t)p->inputs[i].data;
        for (uint64_t n = 0; n < ltap_tensor_count(&p->inputs[i]); n++)
            bits[n] &= 0xffff0000;
    }
}

bool problem_solve(problem *p, ltap_memory *memory)
{
    link_node(p);
    ltap_call call = {.node = &p->node,
                      .inputs = p->inputs,
                      .n_inputs = p->node.n_inputs,
                      .outputs = p->outputs,
                      .n_outputs = p->node.n_outputs,
                      .memory = memory,
                      .threads = 1};
    for (int i = 0; i < PROBLEM_OUTPUTS; i++)
        p->outputs[i].data = NULL;
    if (p->node.op->shape(&call, NULL) != LTAP_OK)
        return false;
    p->output = p->outputs[p->shown];
    p->output.data = p->outputs[p->shown].data = take(&p->output);
    return p->node.op->reference(&call, NULL) == LTAP_OK;
}

void problem_last(const problem *p, problem *last)
{
    *last = *p;
    last->output.data = NULL;
    for (size_t i = 0; i < p->node.n_inputs; i++) {
        ltap_tensor *t = &last->inputs[i];
        uint64_t skipped = 0;
        if (i == 0 || p->batched >> i & 1) {
            skipped = ltap_tensor_bytes(t) / (uint64_t)t->dims[0] * (uint64_t)(t->dims[0] - 1);
            t->dims[0] = 1;
        }
        t->data = take(t);
        memcpy(t->data, (const char *)p->inputs[i].data + skipped, (size_t)ltap_tensor_bytes(t));
    }
}

void problem_clear(problem *p)
{
    for (size_t i = 0; i < p->node.n_inputs; i++)
        free(p->inputs[i].data);
    free(p->output.data);
}

/* Groups of `in` channels and `out` filters each. */
static void make_convolution(problem *p, int64_t groups, int64_t in, int64_t out, int64_t rank)
{
    int64_t x[5] = {problem_draw(p, 1, 3), groups * in}, w[5] = {groups * out, in}, pads[6];
    int64_t strides[3], dilations[3];
    p->node.op_type = "Conv";
    for (int i = 0; i < rank; i++) {
        x[2 + i] = problem_draw(p, 1, rank == 3 ? 7 : 20);
        w[2 + i] = problem_draw(p, 1, problem_draw(p, 0, 4) ? 3 : 7);
        strides[i] = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 1, 3);
        dilations[i] = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 1, 3);
        int64_t extent = (w[2 + i] - 1) * dilations[i] + 1;
        pads[i] = problem_draw(p, 0, 3) ? extent / 2 : problem_draw(p, 0, extent + 1);
        pads[rank + i] = problem_draw(p, 0, 3) ? extent / 2 : problem_draw(p, 0, extent + 1);
    }
    problem_input(p, (int)(2 + rank), x, false);
    problem_input(p, (int)(2 + rank), w, true);
    if (problem_draw(p, 0, 3))
        problem_input(p, 1, w, true);
    problem_int(p, "group", groups);
    problem_ints(p, "strides", (size_t)rank, strides);
    problem_ints(p, "dilations", (size_t)rank, dilations);
    problem_ints(p, "pads", 2 * (size_t)rank, pads);
}

void make_conv(problem *p)
{
    int64_t groups = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 1, 9);
    int64_t wide = problem_draw(p, 0, 2) ? 1 : 16, rank = problem_draw(p, 0, 4) ? 2 : 1;
    int64_t in = wide * problem_draw(p, 1, 6), out = wide * problem_draw(p, 1, 6);
    make_convolution(p, groups, in, out, rank);
}

/* Sequences and volumes. */
void make_other_conv(problem *p)
{
    int64_t groups = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 2, 9);
    int64_t in = problem_draw(p, 0, 1) ? problem_draw(p, 1, 6) : 16 * problem_draw(p, 1, 2);
    int64_t out = problem_draw(p, 0, 1) ? 16 : problem_draw(p, 1, 20);
    make_convolution(p, groups, in, out, 1 + 2 * problem_draw(p, 0, 1));
}

/* 3x3 in the planes of a volume, of as many planes out as in. */
void make_volume_conv(problem *p)
{
    const int64_t x[] = {problem_draw(p, 1, 2), 16 * problem_draw(p, 1, 2), problem_draw(p, 2, 5),
                         problem_draw(p, 8, 20), problem_draw(p, 8, 20)};
    int64_t step = problem_draw(p, 0, 3) ? 1 : 2, planes = problem_draw(p, 1, 3);
    int64_t begin = problem_draw(p, 0, step * (planes - 1));
    const int64_t w[] = {16 * problem_draw(p, 1, 4), x[1], planes, 3, 3};
    const int64_t pads[] = {begin, 1, 1, step * (planes - 1) - begin, 1, 1};
    const int64_t dilations[] = {step, 1, 1};
    p->node.op_type = "Conv";
    problem_input(p, 5, x, false);
    problem_input(p, 5, w, true);
    if (problem_draw(p, 0, 1))
        problem_input(p, 1, w, true);
    problem_ints(p, "pads", 6, pads);
    problem_ints(p, "dilations", 3, dilations);
}

/* Many groups of few channels, and of others. */
void make_groups(problem *p)
{
    int64_t in = problem_draw(p, 1, 10), out = problem_draw(p, 0, 1) ? in : problem_draw(p, 1, 20);
    in = problem_draw(p, 0, 3) ? in : 8 * problem_draw(p, 1, 4);
    make_convolution(p, problem_draw(p, 2, problem_draw(p, 0, 3) ? 12 : 40), in, out,
                     problem_draw(p, 0, 4) ? 2 : 3);
}

void make_depthwise(problem *p)
{
    make_convolution(p, problem_draw(p, 0, 3) ? problem_draw(p, 16, 90) : problem_draw(p, 120, 300),
                     1, 1, 2);
}

static void make_pool(problem *p, const char *op, int axes)
{
    int64_t x[5] = {problem_draw(p, 1, 3), problem_draw(p, 1, axes == 3 ? 9 : 40)};
    int64_t kernel[3], strides[3], dilations[3], pads[6];
    size_t count = (size_t)axes;
    p->node.op_type = op;
    for (int i = 0; i < axes; i++) {
        x[2 + i] = problem_draw(p, 1, 20);
        kernel[i] = problem_draw(p, 1, 5);
        strides[i] = problem_draw(p, 1, 3);
        dilations[i] = problem_draw(p, 0, 4) ? 1 : 2;
        pads[i] = problem_draw(p, 0, kernel[i] / 2);
        pads[axes + i] = problem_draw(p, 0, kernel[i] / 2);
    }
    problem_input(p, 2 + axes, x, false);
    problem_ints(p, "kernel_shape", count, kernel);
    problem_ints(p, "strides", count, strides);
    problem_ints(p, "dilations", count, dilations);
    problem_ints(p, "pads", 2 * count, pads);
    problem_int(p, "ceil_mode", problem_draw(p, 0, 1));
    problem_int(p, "count_include_pad", problem_draw(p, 0, 1));
}

void make_average_pool(problem *p)
{
    make_pool(p, "AveragePool", 2);
}

void make_any_average_pool(problem *p)
{
    make_pool(p, "AveragePool", (int)problem_draw(p, 1, 3));
}

void make_any_max_pool(problem *p)
{
    make_pool(p, "MaxPool", (int)problem_draw(p, 1, 3));
}

void make_max_pool(problem *p)
{
    make_pool(p, "MaxPool", 2);
}

void make_other_max_pool(problem *p)
{
    make_pool(p, "MaxPool", 1 + 2 * (int)problem_draw(p, 0, 1));
}

void make_other_average_pool(problem *p)
{
    make_pool(p, "AveragePool", 1 + 2 * (int)problem_draw(p, 0, 1));
}

void make_other_global_average_pool(problem *p)
{
    const int64_t x[5] = {problem_draw(p, 1, 3), problem_draw(p, 1, 70), problem_draw(p, 1, 20),
                          problem_draw(p, 1, 9), problem_draw(p, 1, 9)};
    p->node.op_type = "GlobalAveragePool";
    problem_input(p, problem_draw(p, 0, 1) ? 3 : 5, x, false);
}

void make_global_average_pool(problem *p)
{
    const int64_t x[4] = {problem_draw(p, 1, 3), problem_draw(p, 1, 70), problem_draw(p, 1, 20),
                          problem_draw(p, 1, 20)};
    p->node.op_type = "GlobalAveragePool";
    problem_input(p, 4, x, false);
}

void make_gemm(problem *p)
{
    int64_t m = problem_draw(p, 1, 40), k = problem_draw(p, 1, 150), n = problem_draw(p, 1, 150);
    int64_t flip = problem_draw(p, 0, 1);
    if (problem_draw(p, 0, 5) == 0) { /* what libraries split among threads */
        k += problem_draw(p, 1500, 3000);
        n += problem_draw(p, 100, 900);
    }
    const int64_t a[] = {m, k}, b[] = {flip ? n : k, flip ? k : n};
    p->node.op_type = "Gemm";
    problem_input(p, 2, a, false);
    problem_input(p, 2, b, true);
    if (problem_draw(p, 0, 3))
        problem_input(p, 1, &n, true);
    problem_int(p, "transB", flip);
}

void make_matmul(problem *p)
{
    int64_t m = problem_draw(p, 1, 30), k = problem_draw(p, 1, 80), n = problem_draw(p, 1, 80);
    int64_t n_batch = problem_draw(p, 0, 2), images = problem_draw(p, 1, 3);
    const int64_t a[] = {images, problem_draw(p, 1, 3), m, k}, b[] = {a[1], k, n};
    const int64_t pairs[] = {images, a[1], k, n};
    bool constant = problem_draw(p, 0, 1), paired = problem_draw(p, 0, 2) == 0;
    p->node.op_type = "MatMul";
    p->batched = paired && n_batch > 0 ? 2 : 0;
    problem_input(p, (int)(2 + n_batch), a + 2 - n_batch, false);
    if (paired)
        problem_input(p, (int)(2 + n_batch), pairs + 2 - n_batch, false);
    else if (n_batch == 2 && problem_draw(p, 0, 1))
        problem_input(p, 3, b, constant);
    else
        problem_input(p, 2, b + 1, constant);
}

void make_softmax(problem *p)
{
    const int64_t x[] = {problem_draw(p, 1, 3), problem_draw(p, 1, 40), problem_draw(p, 1, 300),
                         problem_draw(p, 1, 3)};
    int rank = (int)problem_draw(p, 1, 4);
    int64_t axis = problem_draw(p, 0, rank - 1);
    p->node.op_type = problem_draw(p, 0, 1) ? "Softmax" : "LogSoftmax";
    p->mixes_batch = axis == 0;
    problem_input(p, rank, x, false);
    problem_int(p, "axis", problem_draw(p, 0, 1) ? axis : axis - rank);
}

void make_layer_norm(problem *p)
{
    const int64_t x[] = {problem_draw(p, 1, 3), problem_draw(p, 1, 9), problem_draw(p, 2, 300)};
    p->node.op_type = "LayerNormalization";
    problem_input(p, 3, x, false);
    problem_input(p, 1, x + 2, true);
    if (problem_draw(p, 0, 3))
        problem_input(p, 1, x + 2, true);
}

void make_plane_norm(problem *p)
{
    int64_t groups = problem_draw(p, 1, 4), channels = groups * problem_draw(p, 1, 5);
    const int64_t x[] = {problem_draw(p, 1, 3), channels, problem_draw(p, 1, 40),
                         problem_draw(p, 2, 40), problem_draw(p, 1, 3)};
    bool grouped = problem_draw(p, 0, 1) == 1;
    p->node.op_type = grouped ? "GroupNormalization" : "InstanceNormalization";
    problem_input(p, (int)problem_draw(p, 4, 5), x, false);
    problem_input(p, 1, &channels, problem_draw(p, 0, 1) == 1);
    problem_input(p, 1, &channels, true);
    if (grouped)
        problem_int(p, "num_groups", groups);
}

void make_conv_transpose(problem *p)
{
    int64_t groups = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 1, 5),
            rank = problem_draw(p, 1, 3);
    int64_t x[5] = {problem_draw(p, 1, 3), groups * problem_draw(p, 1, 40)};
    int64_t w[5] = {x[1], problem_draw(p, 1, 20)}, strides[3], dilations[3], pads[6];
    const int64_t channels = groups * w[1];
    p->node.op_type = "ConvTranspose";
    for (int i = 0; i < rank; i++) {
        x[2 + i] = problem_draw(p, 1, rank == 3 ? 6 : 14);
        w[2 + i] = problem_draw(p, 1, 4);
        strides[i] = problem_draw(p, 1, 3);
        dilations[i] = problem_draw(p, 0, 3) ? 1 : 2;
        pads[i] = problem_draw(p, 0, 1);
        pads[rank + i] = problem_draw(p, 0, 1);
    }
    problem_input(p, (int)(2 + rank), x, false);
    problem_input(p, (int)(2 + rank), w, problem_draw(p, 0, 7) > 0);
    if (problem_draw(p, 0, 1))
        problem_input(p, 1, &channels, true);
    problem_int(p, "group", groups);
    problem_ints(p, "strides", (size_t)rank, strides);
    problem_ints(p, "dilations", (size_t)rank, dilations);
    problem_ints(p, "pads", 2 * (size_t)rank, pads);
}

void make_global_max_pool(problem *p)
{
    make_global_average_pool(p);
    p->node.op_type = "GlobalMaxPool";
}

void make_resize(problem *p)
{
    static const char *const places[] = {"half_pixel", "align_corners", "asymmetric",
                                         "pytorch_half_pixel"};
    const int64_t x[] = {problem_draw(p, 1, 3), problem_draw(p, 1, 40), problem_draw(p, 1, 20),
                         problem_draw(p, 1, 20)};
    const int64_t none = 0, four = 4;
    const char *place = places[problem_draw(p, 0, 3)];
    p->node.op_type = "Resize";
    problem_input(p, 4, x, false);
    problem_input(p, 1, &none, true);
    problem_input(p, 1, &four, true);
    float *scales = p->inputs[2].data;
    scales[0] = scales[1] = 1;
    scales[2] = (float)problem_draw(p, 2, 40) / 10;
    scales[3] = (float)problem_draw(p, 2, 40) / 10;
    add_attr(p, "mode", LTAP_ATTR_STRING)->u.s = (ltap_string){"linear", 6};
    add_attr(p, "coordinate_transformation_mode", LTAP_ATTR_STRING)->u.s =
        (ltap_string){place, strlen(place)};
}

void make_resize_nearest(problem *p)
{
    static const char *const ways[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    const char *way = ways[problem_draw(p, 0, 3)];
    make_resize(p);
    for (size_t i = 0; i < p->node.n_attrs; i++)
        if (strcmp(p->attrs[i].name, "mode") == 0)
            p->attrs[i].u.s = (ltap_string){"nearest", 7};
    add_attr(p, "nearest_mode", LTAP_ATTR_STRING)->u.s = (ltap_string){way, strlen(way)};
}

void make_batch_norm(problem *p)
{
    const int64_t x[] = {problem_draw(p, 1, 3), problem_draw(p, 1, 70), problem_draw(p, 1, 12),
                         problem_draw(p, 1, 12), problem_draw(p, 1, 3)};
    p->node.op_type = "BatchNormalization";
    problem_input(p, (int)problem_draw(p, 2, 5), x, false);
    for (int i = 0; i < 4; i++)
        problem_input(p, 1, x + 1, true);
    for (int64_t c = 0; c < x[1]; c++) { /* variances */
        float *variance = (float *)p->inputs[4].data + c;
        *variance = *variance * *variance + 0.1f;
    }
}

void make_concat(problem *p)
{
    int64_t x[] = {problem_draw(p, 1, 3), 0, problem_draw(p, 1, 12), problem_draw(p, 1, 12),
                   problem_draw(p, 1, 3)};
    int64_t rank = problem_draw(p, 0, 2) ? 4 : problem_draw(p, 2, 5), parts = problem_draw(p, 1, 4);
    int64_t axis = problem_draw(p, 0, 2) ? 1 : problem_draw(p, -rank, rank - 1);
    p->node.op_type = "Concat";
    p->batched = (1U << parts) - 1;
    for (int64_t i = 0; i < parts; i++) {
        x[axis < 0 ? axis + rank : axis] = problem_draw(p, 0, 40);
        x[1] = x[1] ? x[1] : 3;
        problem_input(p, (int)rank, x, problem_draw(p, 0, 5) == 0);
    }
    problem_int(p, "axis", axis);
}

static void make_reduction(problem *p, const char *op)
{
    int64_t rank = problem_draw(p, 0, 2) ? 4 : problem_draw(p, 1, 5), x[5], axes[5];
    size_t count = 0;
    p->node.op_type = op;
    for (int64_t i = 0; i < rank; i++) {
        x[i] = problem_draw(p, 1, 4) * (problem_draw(p, 0, 1) ? 1 : problem_draw(p, 1, 9));
        if (problem_draw(p, 0, 1))
            axes[count++] = problem_draw(p, 0, 1) ? i : i - rank;
    }
    if (rank == 1)
        x[0] = problem_draw(p, 1, 3000);
    p->mixes_batch = count == 0 || axes[0] == 0 || axes[0] == -rank;
    problem_input(p, (int)rank, x, false);
    problem_indices(p, count, axes);
    problem_int(p, "keepdims", problem_draw(p, 0, 1));
}

/* Sums and what is made of them. */
void make_reduce(problem *p)
{
    static const char *const ops[] = {"ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2",
                                      "ReduceSumSquare"};
    make_reduction(p, ops[problem_draw(p, 0, 4)]);
}

void make_reduce_extreme(problem *p)
{
    make_reduction(p, problem_draw(p, 0, 1) ? "ReduceMax" : "ReduceMin");
}

/* Equations of attention, and some that are no plain product. */
void make_einsum(problem *p)
{
    static const char *const equations[] = {
        "bhid,bhjd->bhij", "bhij,bhjd->bhid", "bhjd,bhid->bhij", "bihd,bjhd->bhij", "bid,bjd->bij",
        "bhdi,bhdj->bhij", "bid,jd->bij",     "bij,bij->bi",     "bid,bjd->bji",    "bid,bjd->jbi",
        "bhid,hjd->bhij",  "bid,dj->bij",     "hbid,bjd->hbij"};
    bool constant = problem_draw(p, 0, 2) == 0; /* the second one */
    int64_t sizes[128] = {['b'] = problem_draw(p, 1, 3), ['h'] = problem_draw(p, 1, 3)};
    const char *equation = equations[problem_draw(p, 0, 12)], *term = equation;
    sizes['i'] = problem_draw(p, 1, 80);
    sizes['j'] = problem_draw(p, 1, 80);
    sizes['d'] = problem_draw(p, 0, 4) ? problem_draw(p, 1, 70) : problem_draw(p, 200, 600);
    p->node.op_type = "Einsum";
    p->mixes_batch = strncmp(strchr(equation, '>'), ">b", 2) != 0;
    for (int i = 0; i < 2; i++, term++) {
        int64_t dims[4];
        int rank = 0;
        p->batched |= *term == 'b' ? 1U << i : 0;
        for (; *term != ',' && *term != '-'; term++)
            dims[rank++] = sizes[(unsigned char)*term];
        problem_input(p, rank, dims, i == 1 && constant);
    }
    add_attr(p, "equation", LTAP_ATTR_STRING)->u.s = (ltap_string){equation, strlen(equation)};
}

/* Of rank 4 as a rule. */
static int draw_shape(problem *p, int64_t *x)
{
    for (int i = 0; i < 5; i++)
        x[i] = problem_draw(p, 1, i == 1 ? 40 : 9);
    return problem_draw(p, 0, 5) ? 4 : (int)problem_draw(p, 1, 5);
}

void make_slice(problem *p)
{
    int64_t x[5], starts[5], ends[5], axes[5], steps[5];
    int rank = draw_shape(p, x);
    size_t count = 0;
    p->node.op_type = "Slice";
    problem_input(p, rank, x, false);
    for (int i = 0; i < rank; i++) {
        if (problem_draw(p, 0, 1))
            continue;
        axes[count] = problem_draw(p, 0, 1) ? i : i - rank;
        starts[count] = problem_draw(p, -x[i] - 2, x[i] + 2);
        ends[count] = problem_draw(p, 0, 3) ? problem_draw(p, -x[i] - 2, x[i] + 2) : INT64_MAX;
        steps[count] = problem_draw(p, 0, 2) ? 1 : problem_draw(p, 1, 3);
        steps[count] *= problem_draw(p, 0, 4) ? 1 : -1;
        p->mixes_batch = p->mixes_batch || i == 0;
        count++;
    }
    problem_indices(p, count, starts);
    problem_indices(p, count, ends);
    problem_indices(p, count, axes);
    problem_indices(p, count, steps);
}

void make_split(problem *p)
{
    int64_t x[5], axis, parts[PROBLEM_OUTPUTS], left;
    int rank = draw_shape(p, x);
    p->node.op_type = "Split";
    p->node.n_outputs = (size_t)problem_draw(p, 1, PROBLEM_OUTPUTS);
    p->shown = (size_t)problem_draw(p, 0, (int64_t)p->node.n_outputs - 1);
    axis = problem_draw(p, 0, 2) && rank > 1 ? 1 : problem_draw(p, 0, rank - 1);
    p->mixes_batch = axis == 0;
    left = x[axis];
    for (size_t i = 0; i < p->node.n_outputs; i++) {
        parts[i] = i + 1 < p->node.n_outputs ? problem_draw(p, 0, left) : left;
        left -= parts[i];
    }
    problem_input(p, rank, x, false);
    if (problem_draw(p, 0, 2))
        problem_indices(p, p->node.n_outputs, parts);
    problem_int(p, "axis", problem_draw(p, 0, 1) ? axis : axis - rank);
}

/* All three kinds; states and biases that are there or not. */
void make_recurrent(problem *p)
{
    static const char *const ways[] = {"forward", "reverse", "bidirectional"};
    static const char *const ops[] = {"RNN", "GRU", "LSTM"};
    static const int64_t gates[] = {1, 3, 4};
    int64_t kind = problem_draw(p, 0, 2), way = problem_draw(p, 0, 2), none = 0;
    int64_t d = way == 2 ? 2 : 1, h = problem_draw(p, 1, 70), n = problem_draw(p, 1, 5);
    const int64_t x[] = {problem_draw(p, 1, 7), n, problem_draw(p, 1, 90)};
    const int64_t w[] = {d, gates[kind] * h, x[2]}, r[] = {d, w[1], h}, b[] = {d, 2 * w[1]};
    const int64_t state[] = {d, n, h};
    p->node.op_type = ops[kind];
    p->mixes_batch = true;
    problem_input(p, 3, x, false);
    problem_input(p, 3, w, true);
    problem_input(p, 3, r, true);
    for (size_t i = 1; i < 3; i++)
        for (uint64_t k = 0; k < ltap_tensor_count(&p->inputs[i]); k++)
            ((float *)p->inputs[i].data)[k] /= 8;
    if (problem_draw(p, 0, 3))
        problem_input(p, 2, b, true);
    if (p->node.n_inputs == 4 && problem_draw(p, 0, 1)) {
        problem_input(p, 1, &none, true);
        p->inputs[4].dtype = LTAP_UNDEFINED;
        problem_input(p, 3, state, problem_draw(p, 0, 1) == 1);
    }
    p->node.n_outputs = kind == 2 ? 3 : 2;
    p->shown = (size_t)problem_draw(p, 0, (int64_t)p->node.n_outputs - 1);
    problem_int(p, "hidden_size", h);
    problem_int(p, "linear_before_reset", problem_draw(p, 0, 4) > 0);
    add_attr(p, "direction", LTAP_ATTR_STRING)->u.s = (ltap_string){ways[way], strlen(ways[way])};
}
