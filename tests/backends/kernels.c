/* The harness of kernels.h: inputs are made once in plain layout, moved to the layout that a row
 * asks for, and its output moved back.
 */
#include "kernels.h"

#include "backends/layout.h"
#include "backends/simd/links.h"
#include "support/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bench {
    const kernels_case *c;
    ltap_memory *memory;
    ltap_graph *graph;
    ltap_packs *packs;
    const ltap_node *node;
    ltap_tensor inputs[KERNELS_MAX_INPUTS], output;
    const void *identities[KERNELS_MAX_INPUTS];
    float *expected;
    int threads;
} bench;

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static float number(kernels_numbers numbers, uint32_t *seed)
{
    float plain = (float)next(seed) / 2796202.0f - 3.0f;
    uint32_t dice = next(seed) % 97;

    if (numbers == KERNELS_WIDE)
        return dice == 0 ? 0.0f : plain * powf(10.0f, (float)(dice % 9) - 6.0f);
    if (numbers == KERNELS_BROKEN && dice < 3)
        return dice == 0 ? NAN : dice == 1 ? INFINITY : -INFINITY;
    return plain;
}

static float *take_floats(const ltap_tensor *shape)
{
    /* One more, for rows that would write past the end under the sanitizer's eyes. */
    float *floats = aligned_alloc(64, ((size_t)ltap_tensor_bytes(shape) + 63) / 64 * 64 + 64);
    assert_non_null(floats);
    return floats;
}

static void fill_inputs(bench *b, kernels_numbers numbers)
{
    uint32_t seed = 4711;

    for (size_t i = 0; i < b->c->n_inputs; i++) {
        bool constant = b->c->constants >> i & 1u;
        b->inputs[i] =
            ltap_tensor_make(LTAP_FLOAT32, b->c->inputs[i].rank, b->c->inputs[i].dims, NULL);
        float *data = take_floats(&b->inputs[i]);
        for (uint64_t k = 0; k < ltap_tensor_count(&b->inputs[i]); k++)
            data[k] = number(constant ? KERNELS_RANDOM : numbers, &seed);
        b->inputs[i].data = data;
        b->identities[i] = constant ? data : NULL;
    }
}

static void set_up(bench *b, const kernels_case *c, kernels_numbers numbers, int threads)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    const char *inputs[KERNELS_MAX_INPUTS + 1] = {NULL};

    *b = (bench){.c = c, .threads = threads};
    assert_int_equal(ltap_memory_new(NULL, 0, &b->memory, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_new(b->memory, &b->packs, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_new(b->memory, &b->graph, NULL), LTAP_OK);
    for (size_t i = 0; i < c->n_inputs; i++) {
        inputs[i] = names[i];
        build_input(b->graph, names[i]);
    }
    build_node(b->graph, c->op, inputs, BUILD_NAMES("y"), c->attrs, c->n_attrs);
    ltap_ops_bind(b->graph);
    assert_int_equal(ltap_graph_link(b->graph, NULL), LTAP_OK);
    b->node = ltap_graph_node(b->graph, 0);
    fill_inputs(b, numbers);
    ltap_call call = {.node = b->node,
                      .inputs = b->inputs,
                      .n_inputs = c->n_inputs,
                      .outputs = &b->output,
                      .n_outputs = 1,
                      .memory = b->memory,
                      .threads = 1};
    ltap_error error;
    if (ltap_op_shape(b->graph, &call, &error) != LTAP_OK)
        fail_msg("%s: %s", c->title, error.message);
    b->expected = take_floats(&b->output);
    b->output.data = b->expected;
    assert_int_equal(b->node->op->reference(&call, NULL), LTAP_OK);
    b->output.data = NULL;
}

static void tear_down(bench *b)
{
    for (size_t i = 0; i < b->c->n_inputs; i++)
        free(b->inputs[i].data);
    free(b->expected);
    ltap_graph_free(b->graph);
    ltap_packs_free(b->packs);
    ltap_memory_unref(b->memory);
}

static void compare(const bench *b, const ltap_impl *row, const float *got)
{
    uint64_t count = ltap_tensor_count(&b->output);
    double largest = 0;

    for (uint64_t i = 0; i < count; i++)
        if (isfinite(b->expected[i]))
            largest = fmax(largest, fabs((double)b->expected[i]));
    for (uint64_t i = 0; i < count; i++) {
        float x = got[i], y = b->expected[i];
        bool same = isnan(y) ? isnan(x) : isinf(y) ? x == y : isfinite(x);
        if (!same || (isfinite(y) && fabs((double)x - y) > b->c->tolerance * largest))
            fail_msg("%s, %s on %d threads: element %llu is %.9g, expected %.9g", b->c->title,
                     row->name, b->threads, (unsigned long long)i, (double)x, (double)y);
    }
}

static float *move(const ltap_tensor *shape, const float *data, ltap_layout from, ltap_layout to)
{
    float *moved = take_floats(shape);

    ltap_layout_convert(shape, &(ltap_layout_side){(void *)(uintptr_t)data, from, 0},
                        &(ltap_layout_side){moved, to, 0}, 1);
    return moved;
}

static void run_row(const bench *b, const ltap_impl *row, ltap_query *query, bool last)
{
    ltap_layout in[KERNELS_MAX_INPUTS] = {LTAP_LAYOUT_PLAIN}, out[1] = {LTAP_LAYOUT_PLAIN};
    ltap_kernel kernel = {.impl = row, .detail = ""};
    void *pointers[KERNELS_MAX_INPUTS] = {NULL}, *scratch, *outputs[1];

    if (row->layouts)
        row->layouts(query, in, out);
    for (size_t i = 0; i < b->c->n_inputs && last; i++)
        in[i] = b->inputs[i].rank == b->output.rank ? LTAP_LAYOUT_CHANNELS_LAST : LTAP_LAYOUT_PLAIN;
    out[0] = last ? LTAP_LAYOUT_CHANNELS_LAST : out[0];
    query->layout = out[0];
    for (size_t i = 0; i < b->c->n_inputs; i++)
        pointers[i] = move(&b->inputs[i], b->inputs[i].data, LTAP_LAYOUT_PLAIN, in[i]);
    outputs[0] = take_floats(&b->output);
    ltap_error error;
    if (row->prepare(query, &kernel, &error) != LTAP_OK)
        fail_msg("%s: %s", b->c->title, error.message);
    scratch = aligned_alloc(64, (size_t)kernel.scratch_bytes / 64 * 64 + 64);
    assert_int_equal(row->run(&kernel, (const void *const *)pointers, outputs, scratch, NULL),
                     LTAP_OK);
    float *got = move(&b->output, outputs[0], out[0], LTAP_LAYOUT_PLAIN);
    compare(b, row, got);
    row->release(&kernel, b->memory);
    for (size_t i = 0; i < b->c->n_inputs; i++)
        free(pointers[i]);
    free(outputs[0]);
    free(scratch);
    free(got);
}

void kernels_check(const kernels_case *c, kernels_numbers numbers, int threads)
{
    bench b;
    bool found = false;

    set_up(&b, c, numbers, threads);
    for (const ltap_impl *const *row = ltap_impls(); *row; row++) {
        ltap_tensor inputs[KERNELS_MAX_INPUTS], output = b.output;
        ltap_why why;
        for (size_t i = 0; i < c->n_inputs; i++) {
            inputs[i] = b.inputs[i];
            inputs[i].data = b.identities[i] ? b.inputs[i].data : NULL;
        }
        ltap_query query = {.node = b.node,
                            .inputs = inputs,
                            .n_inputs = c->n_inputs,
                            .outputs = &output,
                            .n_outputs = 1,
                            .threads = threads,
                            .identities = b.identities,
                            .packs = b.packs,
                            .memory = b.memory};
        if (strcmp((*row)->op, c->op) != 0 || (c->row && strcmp((*row)->name, c->row) != 0) ||
            !(*row)->accepts(&query, &why))
            continue;
        found = true;
        run_row(&b, *row, &query, false);
        if ((*row)->follows && ltap_layout_applies(b.output.rank))
            run_row(&b, *row, &query, true);
    }
    tear_down(&b);
#ifndef LTAP_HAVE_DNNL
    found = true; /* cases of rows that are not built in */
#endif
    if (!found)
        fail_msg("%s: no row takes it", c->title);
}
