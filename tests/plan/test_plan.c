/* Plans over graphs made by hand: every tap gives the same bits whatever else is tapped, and the
 * fast kernels agree with the plain ones.
 */
#include "backends/layout.h"
#include "passes/pass.h"
#include "plan/plan.h"
#include "select/select.h"
#include "support/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char *const tappable[] = {"x",  "c1",  "b1",  "r1",   "p1", "c2", "b2",    "sum",
                                       "r2", "cat", "gap", "flat", "fc", "sh", "scaled"};
enum { N_TAPPABLE = sizeof(tappable) / sizeof(tappable[0]) };

static void add_norm(ltap_graph *graph, const char *in, const char *out, int64_t channels)
{
    char names[4][32];
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof(names[i]), "%s.p%d", out, i);
        build_weights(graph, names[i], 1, &channels, (uint32_t)(i + 7), i == 3 ? 0.5f : -0.3f,
                      1.5f);
    }
    build_node(graph, "BatchNormalization", BUILD_NAMES(in, names[0], names[1], names[2], names[3]),
               BUILD_NAMES(out), NULL, 0);
}

static const int64_t threes[] = {3, 3, 3}, ones[] = {1, 1, 1, 1, 1, 1};

static void add_conv(ltap_graph *graph, const char *in, const char *out, int64_t from, int64_t to,
                     int axes)
{
    char name[32];
    ltap_attr attr;
    snprintf(name, sizeof(name), "%s.w", out);
    build_weights(graph, name, 2 + axes, (const int64_t[]){to, from, 3, 3, 3}, (uint32_t)to, -0.2f,
                  0.2f);
    build_ints(graph, &attr, "pads", 2 * (size_t)axes, ones);
    build_node(graph, "Conv", BUILD_NAMES(in, name), BUILD_NAMES(out), &attr, 1);
}

/* A residual block, both sides of everything, shape arithmetic, a view, a head. axes: spatial ones,
 * one to three. */
static ltap_graph *make_graph(ltap_memory *memory, int axes)
{
    ltap_graph *graph;
    ltap_attr attrs[3];
    assert_int_equal(ltap_graph_new(memory, &graph, NULL), LTAP_OK);
    build_input(graph, "x");
    add_conv(graph, "x", "c1", 3, 8, axes);
    add_norm(graph, "c1", "b1", 8);
    build_node(graph, "Relu", BUILD_NAMES("b1"), BUILD_NAMES("r1"), NULL, 0);
    build_ints(graph, &attrs[0], "kernel_shape", (size_t)axes, threes);
    build_ints(graph, &attrs[1], "pads", 2 * (size_t)axes, ones);
    build_node(graph, "MaxPool", BUILD_NAMES("r1"), BUILD_NAMES("p1"), attrs, 2);
    add_conv(graph, "p1", "c2", 8, 8, axes);
    add_norm(graph, "c2", "b2", 8);
    build_node(graph, "Add", BUILD_NAMES("b2", "p1"), BUILD_NAMES("sum"), NULL, 0);
    build_node(graph, "Relu", BUILD_NAMES("sum"), BUILD_NAMES("r2"), NULL, 0);
    attrs[0] = (ltap_attr){.name = "axis", .kind = LTAP_ATTR_INT, .count = 1, .u.i = 1};
    build_node(graph, "Concat", BUILD_NAMES("r2", "c2"), BUILD_NAMES("cat"), attrs, 1);
    build_weights(graph, "scale", 2 + axes, (const int64_t[]){1, 16, 1, 1, 1}, 3, 0.5f, 2.0f);
    build_node(graph, "Mul", BUILD_NAMES("cat", "scale"), BUILD_NAMES("scaled"), NULL, 0);
    build_node(graph, "GlobalAveragePool", BUILD_NAMES("scaled"), BUILD_NAMES("gap"), NULL, 0);
    build_node(graph, "Flatten", BUILD_NAMES("gap"), BUILD_NAMES("flat"), attrs, 1);
    build_weights(graph, "fc.w", 2, (const int64_t[]){16, 5}, 5, -1.0f, 1.0f);
    build_node(graph, "MatMul", BUILD_NAMES("flat", "fc.w"), BUILD_NAMES("fc"), NULL, 0);
    build_node(graph, "Shape", BUILD_NAMES("fc"), BUILD_NAMES("sh"), NULL, 0);
    ltap_ops_bind(graph);
    assert_int_equal(ltap_graph_link(graph, NULL), LTAP_OK);
    return graph;
}

typedef struct bench {
    ltap_memory *memory;
    ltap_graph *graph, *rewritten;
    ltap_packs *packs;
    int axes;
} bench;

static int set_up(void **state, int axes)
{
    static bench made;
    made.axes = axes;
    assert_int_equal(ltap_memory_new(NULL, 0, &made.memory, NULL), LTAP_OK);
    made.graph = make_graph(made.memory, axes);
    assert_int_equal(ltap_passes_apply(made.graph, &made.rewritten, NULL), LTAP_OK);
    assert_int_equal(ltap_packs_new(made.memory, &made.packs, NULL), LTAP_OK);
    *state = &made;
    return 0;
}

static int set_up_sequence(void **state)
{
    return set_up(state, 1);
}

static int set_up_picture(void **state)
{
    return set_up(state, 2);
}

static int set_up_volume(void **state)
{
    return set_up(state, 3);
}

static int tear_down(void **state)
{
    bench *made = *state;
    ltap_packs_free(made->packs);
    ltap_graph_free(made->rewritten);
    ltap_graph_free(made->graph);
    assert_int_equal(ltap_memory_used(made->memory), 0);
    ltap_memory_unref(made->memory);
    return 0;
}

static ltap_plan *make_plan(bench *b, const char *const *names, size_t count, bool reference,
                            uint8_t *keep)
{
    ltap_error error = {0};
    ltap_plan *plan = NULL;
    uint32_t taps[64], input;
    ltap_tensor shape =
        ltap_tensor_make(LTAP_FLOAT32, 2 + b->axes, (const int64_t[]){2, 3, 9, 7, 5}, NULL);
    assert_true(ltap_graph_find(b->graph, "x", &input));
    for (size_t i = 0; i < count; i++)
        assert_true(ltap_graph_find(b->graph, names[i], &taps[i]));
    memset(keep, 0, b->rewritten->nodes.count);
    assert_int_equal(ltap_prune(b->rewritten, taps, count, keep, NULL), LTAP_OK);
    ltap_plan_request request = {.graph = b->rewritten,
                                 .base = b->rewritten,
                                 .keep = keep,
                                 .taps = taps,
                                 .n_taps = count,
                                 .n_features = count,
                                 .input_values = &input,
                                 .inputs = &shape,
                                 .n_inputs = 1,
                                 .threads = 2,
                                 .reference_only = reference,
                                 .packs = b->packs,
                                 .memory = b->memory};
    ltap_status status = ltap_plan_new(&request, &plan, &error);
    if (status != LTAP_OK)
        print_message("%s\n", error.message);
    assert_int_equal(status, LTAP_OK);
    return plan;
}

static size_t count_steps(const ltap_plan *plan, ltap_step_kind kind, const char *type)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->steps.count; i++) {
        const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        if (step->kind == kind && (!type || strcmp(step->node->op_type, type) == 0))
            count++;
    }
    return count;
}

static void only_ancestors_of_the_taps_run(void **state)
{
    uint8_t keep[64];
    ltap_plan *plan = make_plan(*state, (const char *const[]){"r1"}, 1, true, keep);
    assert_int_equal(plan->n_nodes, 2); /* the folded convolution and the Relu */
    assert_int_equal(count_steps(plan, LTAP_STEP_REFERENCE, "BatchNormalization"), 0);
    assert_int_equal(count_steps(plan, LTAP_STEP_TAP, NULL), 1);
    ltap_plan_free(plan);
}

static void a_tap_before_a_batchnorm_gets_its_own_convolution(void **state)
{
    uint8_t keep[64];
    ltap_plan *one = make_plan(*state, (const char *const[]){"c1"}, 1, true, keep);
    assert_int_equal(count_steps(one, LTAP_STEP_REFERENCE, "Conv"), 1);
    ltap_plan *both = make_plan(*state, (const char *const[]){"c1", "b1"}, 2, true, keep);
    assert_int_equal(count_steps(both, LTAP_STEP_REFERENCE, "Conv"), 2);
    ltap_plan_free(one);
    ltap_plan_free(both);
}

static void shape_arithmetic_is_a_constant(void **state)
{
    uint8_t keep[64];
    ltap_plan *plan = make_plan(*state, (const char *const[]){"sh"}, 1, true, keep);
    assert_int_equal(count_steps(plan, LTAP_STEP_REFERENCE, "Shape"), 0);
    assert_int_equal(plan->features[0].rank, 1);
    assert_int_equal(plan->features[0].dims[0], 2);
    ltap_plan_free(plan);
}

static void a_value_tapped_twice_is_handed_out_twice(void **state)
{
    uint8_t keep[64];
    ltap_plan *plan = make_plan(*state, (const char *const[]){"r2", "x", "r2"}, 3, true, keep);
    assert_int_equal(count_steps(plan, LTAP_STEP_TAP, NULL), 3);
    ltap_plan_free(plan);
}

/* Kernels of nodes, in order, without taps and conversions: as the printed plan names them. */
static void kernel_of(const ltap_plan *plan, const char *value, const ltap_graph *graph, char *text,
                      size_t bytes)
{
    text[0] = 0;
    for (size_t i = 0; i < plan->steps.count; i++) {
        const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        if (step->kind != LTAP_STEP_KERNEL && step->kind != LTAP_STEP_REFERENCE)
            continue;
        if (strcmp(ltap_graph_at(graph, step->node->outputs[0])->name, value) == 0)
            snprintf(text, bytes, "%s %s",
                     step->kernel.impl ? step->kernel.impl->name : "reference",
                     step->kernel.impl ? step->kernel.detail : "");
    }
}

static void a_tap_changes_no_kernel(void **state)
{
    bench *b = *state;
    uint8_t keep[64];
    char before[128], after[128];
    ltap_plan *all = make_plan(b, tappable, N_TAPPABLE, false, keep);
    for (int i = 0; i < N_TAPPABLE; i++) {
        ltap_plan *solo = make_plan(b, &tappable[i], 1, false, keep);
        kernel_of(solo, tappable[i], b->graph, before, sizeof(before));
        kernel_of(all, tappable[i], b->graph, after, sizeof(after));
        if (before[0]) /* else it ended a fused chain or is no kernel's output */
            assert_string_equal(before, after);
        ltap_plan_free(solo);
    }
    ltap_plan_free(all);
}

/* Not even where the value is inside what one kernel does: it is handed out from there. */
static void a_tap_adds_one_step(void **state)
{
    static const char *const inner[] = {"x",   "b1", "r1",  "p1",  "b2",
                                        "sum", "r2", "cat", "gap", "flat"};
    uint8_t keep[64];
    ltap_plan *last = make_plan(*state, (const char *const[]){"fc"}, 1, false, keep);
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        ltap_plan *both = make_plan(*state, (const char *const[]){"fc", inner[i]}, 2, false, keep);
        assert_int_equal(both->steps.count, last->steps.count + 1);
        ltap_plan_free(both);
    }
    ltap_plan_free(last);
}

/* From the first convolution to the last pool: channels last, whatever the number of axes. */
static void nothing_is_moved_between_layouts(void **state)
{
#ifdef LTAP_HAVE_DNNL
    uint8_t keep[64];
    ltap_plan *plan = make_plan(*state, (const char *const[]){"fc"}, 1, false, keep);
    for (size_t i = 0; i < plan->steps.count; i++) {
        const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        if (step->kind == LTAP_STEP_CONVERT)
            assert_int_equal(step->operands[0].layout, step->operands[1].layout);
    }
    assert_int_equal(count_steps(plan, LTAP_STEP_REFERENCE, NULL), 0);
    ltap_plan_free(plan);
#else
    (void)state;
    skip();
#endif
}

/* r2 is made where the Concat would copy it to; what others read too is copied. */
static void a_concat_of_what_kernels_make_is_no_kernel(void **state)
{
    uint8_t keep[64];
    ltap_plan *plan = make_plan(*state, (const char *const[]){"gap"}, 1, false, keep);
    assert_int_equal(count_steps(plan, LTAP_STEP_KERNEL, "Concat"), 0);
    assert_int_equal(count_steps(plan, LTAP_STEP_REFERENCE, "Concat"), 0);
    ltap_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ancestors_of_the_taps_run),
        cmocka_unit_test(a_tap_before_a_batchnorm_gets_its_own_convolution),
        cmocka_unit_test(shape_arithmetic_is_a_constant),
        cmocka_unit_test(a_value_tapped_twice_is_handed_out_twice),
        cmocka_unit_test(a_tap_changes_no_kernel),
        cmocka_unit_test(a_tap_adds_one_step),
        cmocka_unit_test(nothing_is_moved_between_layouts),
        cmocka_unit_test(a_concat_of_what_kernels_make_is_no_kernel),
    };
    return cmocka_run_group_tests_name("plan of a sequence", tests, set_up_sequence, tear_down) +
           cmocka_run_group_tests_name("plan of a picture", tests, set_up_picture, tear_down) +
           cmocka_run_group_tests_name("plan of a volume", tests, set_up_volume, tear_down);
}
