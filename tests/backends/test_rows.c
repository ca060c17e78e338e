/* Fast rows against the reference kernels, on random problems of odd sizes and attributes.
 *
 * A row that accepts must come close to the reference, with NaN and infinities in the same places;
 * in exact mode its bits must not depend on the number of threads nor on the rest of the batch.
 * Seeds are in the failure messages.
 */
#include "answer.h"
#include "backends/impl.h"
#include "backends/layout.h"
#include "backends/simd/links.h"
#include "problem.h"

#include <layertap/compare.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_SEEDS = 60 };

typedef struct row_case {
    const char *row, *op; /* op: the maker's, or one of them */
    void (*make)(problem *p);
    double tolerance; /* of the largest magnitude; 0: to the bit */
    int least;        /* problems of N_SEEDS that it accepts at least, where it is built in */
    bool fast, exact; /* modes that it is for */
} row_case;

static const row_case cases[] = {
    {"dnnl:conv", "Conv", make_conv, 1e-5, 20, true, false},
    {"dnnl:exact_conv", "Conv", make_conv, 1e-5, 20, false, true},
    {"gemm:conv", "Conv", make_conv, 1e-5, 20, true, false},
    {"gemm:conv", "Conv", make_groups, 1e-5, 40, true, false},
    {"gemm:conv", "Conv", make_other_conv, 1e-5, 40, true, false},
    {"gemm:depthwise", "Conv", make_depthwise, 1e-5, 30, true, false},
    {"gemm:product", "Gemm", make_gemm, 1e-5, 40, true, false},
    {"gemm:matmul", "MatMul", make_matmul, 1e-5, 12, true, false},
    {"gemm:winograd", "Conv", make_conv, 1e-5, 0, true, false},
    {"gemm:winograd", "Conv", make_volume_conv, 1e-5, 20, true, false},
    {"bf16:conv", "Conv", make_conv, 1e-5, 8, true, false},
    {"bf16:conv", "Conv", make_other_conv, 1e-5, 8, true, false},
    {"bf16:product", "Gemm", make_gemm, 1e-5, 20, true, false},
    {"bf16:matmul", "MatMul", make_matmul, 1e-5, 5, true, false},
    {"dnnl:gemm", "Gemm", make_gemm, 1e-5, 40, true, true},
    {"dnnl:matmul", "MatMul", make_matmul, 1e-5, 40, true, true},
    {"dnnl:average_pool", "AveragePool", make_average_pool, 1e-5, 15, true, true},
    {"dnnl:global_average_pool", "GlobalAveragePool", make_global_average_pool, 1e-5, 40, true,
     true},
    {"dnnl:average_pool", "AveragePool", make_other_average_pool, 1e-5, 15, true, false},
    {"dnnl:global_average_pool", "GlobalAveragePool", make_other_global_average_pool, 1e-5, 40,
     true, false},
    {"simd:exact_conv", "Conv", make_conv, 1e-6, 15, false, true},
    {"simd:batch_norm", "BatchNormalization", make_batch_norm, 1e-6, 40, true, true},
    {"simd:concat", "Concat", make_concat, 0, 15, true, true},
    {"simd:reduce", "ReduceMean", make_reduce, 1e-6, 25, true, true},
    {"simd:reduce", "ReduceMax", make_reduce_extreme, 0, 25, true, true},
    {"simd:plain_pool", "MaxPool", make_any_max_pool, 0, 30, true, true},
    {"simd:plain_pool", "AveragePool", make_any_average_pool, 1e-6, 30, true, true},
    {"simd:slice", "Slice", make_slice, 0, 30, true, true},
    {"simd:slice", "Split", make_split, 0, 30, true, true},
    {"simd:max_pool", "MaxPool", make_max_pool, 0, 30, true, true},
    {"simd:max_pool", "MaxPool", make_other_max_pool, 0, 30, true, false},
    {"simd:matmul", "MatMul", make_matmul, 1e-6, 5, true, true},
    {"simd:einsum", "Einsum", make_einsum, 2e-6, 25, true, true},
    {"gemm:recurrent", "LSTM", make_recurrent, 1e-6, 40, true, true},
    {"simd:softmax", "Softmax", make_softmax, 1e-6, 40, true, true},
    {"simd:layer_norm", "LayerNormalization", make_layer_norm, 1e-5, 40, true, true},
    {"simd:plane_norm", "GroupNormalization", make_plane_norm, 1e-5, 40, true, true},
    {"simd:conv_transpose", "ConvTranspose", make_conv_transpose, 1e-5, 30, true, false},
    {"simd:reduce", "GlobalMaxPool", make_global_max_pool, 0, 40, true, true},
    {"simd:resize", "Resize", make_resize, 1e-6, 20, true, true},
    {"simd:resize", "Resize", make_resize_nearest, 0, 20, true, true},
};

/* Of bfloat16: inputs are numbers that it holds, so that nothing is rounded. */
static bool is_bf16(const row_case *c)
{
    return strncmp(c->row, "bf16:", 5) == 0;
}

static const ltap_impl *find_row(const char *name, const char *op)
{
    for (const ltap_impl *const *row = ltap_impls(); *row; row++) {
        if (strcmp((*row)->name, name) == 0 && strcmp((*row)->op, op) == 0)
            return *row;
    }
    return NULL;
}

/* What is asked of a row beside the problem. */
typedef struct mode {
    bool exact, bf16, relu; /* relu: followed by one */
    bool kept;              /* what is before the relu is handed out as well, and answered */
    int threads;
    bool last;  /* inputs lie channels last where that exists */
    bool apart; /* its pixels are written further apart */
} mode;

static question ask(const problem *p, mode m, ltap_memory *memory)
{
    return (question){.node = &p->node,
                      .inputs = p->inputs,
                      .outputs = p->outputs,
                      .constants = p->constants,
                      .wanted = 1u << p->shown,
                      .exact = m.exact,
                      .bf16 = m.bf16,
                      .last = m.last,
                      .kept = m.kept,
                      .apart = m.apart,
                      .threads = m.threads,
                      .memory = memory};
}

static const ltap_node relu_node = {.name = "",
                                    .domain = "",
                                    .op_type = "Relu",
                                    .op = &ltap_op_relu,
                                    .n_inputs = 1,
                                    .n_outputs = 1};

/* Asks and runs; NULL where the row refuses. The output in the plain layout is the caller's to
 * free. */
static void *ask_row(const ltap_impl *row, const problem *p, mode m, ltap_memory *memory)
{
    question asked = ask(p, m, memory);
    ltap_tensor made = p->outputs[p->shown];
    ltap_link link = {.n_sources = 0};
    ltap_why why = {""};
    answer found;
    made.data = NULL;
    assert_true(ltap_link_read(&relu_node, &made, &link, &why));
    link.sources[0] = ~0;
    asked.link = m.relu ? &link : NULL;
    answer_find(row, &asked, &found);
    if (found.accepted)
        assert_int_equal(found.status, LTAP_OK);
    else
        assert_true(found.why.text[0] != '\0');
    void **chosen = m.kept ? &found.kept : &found.blocks[p->shown], *output = *chosen;
    *chosen = NULL;
    answer_clear(&found);
    return output;
}

static void check_close(const row_case *c, const problem *p, const void *output, int seed)
{
    ltap_difference d = {0};
    ltap_tensor got = p->output;
    got.data = (void *)(uintptr_t)output;
    assert_int_equal(ltap_tensor_compare(&got, &p->output, &d, NULL), LTAP_OK);
    if (c->tolerance == 0 && memcmp(output, p->output.data, (size_t)ltap_tensor_bytes(&got)) != 0)
        fail_msg("%s, seed %d: other bits than the reference", c->row, seed);
    if (d.n_misplaced || d.max_abs > c->tolerance * d.max_magnitude)
        fail_msg("%s, seed %d: off by %g of %g, %llu NaN or infinities elsewhere", c->row, seed,
                 d.max_abs, d.max_magnitude, (unsigned long long)d.n_misplaced);
}

/* In exact mode neither threads nor the other images matter. */
static void check_exact(const row_case *c, const ltap_impl *row, const problem *p,
                        const void *output, int seed, ltap_memory *memory)
{
    uint64_t bytes = ltap_tensor_bytes(&p->output);
    for (int threads = 1; threads <= 4; threads++) {
        void *again = ask_row(row, p, (mode){.exact = true, .threads = threads}, memory);
        if (!again || memcmp(again, output, (size_t)bytes) != 0)
            fail_msg("%s, seed %d: %d threads change its bits", c->row, seed, threads);
        free(again);
    }
    if (p->mixes_batch || p->output.rank == 0 || p->inputs[0].dims[0] != p->output.dims[0] ||
        bytes == 0)
        return;
    problem last;
    uint64_t part = bytes / (uint64_t)p->output.dims[0];
    problem_last(p, &last);
    assert_true(problem_solve(&last, memory));
    void *alone = ask_row(row, &last, (mode){.exact = true, .threads = 2}, memory);
    if (!alone || memcmp(alone, (const char *)output + bytes - part, (size_t)part) != 0)
        fail_msg("%s, seed %d: the batch changes its bits", c->row, seed);
    free(alone);
    problem_clear(&last);
}

/* A row that looks at how its inputs lie has the same bits either way. */
static void check_last(const row_case *c, const ltap_impl *row, const problem *p, bool exact,
                       const void *output, int seed, ltap_memory *memory)
{
    mode lying = {.exact = exact, .bf16 = is_bf16(c), .threads = 2, .last = true};
    void *again = ask_row(row, p, lying, memory);
    if (!again || memcmp(again, output, (size_t)ltap_tensor_bytes(&p->output)) != 0)
        fail_msg("%s, seed %d: how its inputs lie changes its bits", c->row, seed);
    free(again);
}

/* A ReLU that the row does has the bits of the reference's, also for NaN; what it had made before
 * is handed out as well. */
static void check_relu(const row_case *c, const ltap_impl *row, const problem *p, bool exact,
                       void *output, int seed, ltap_memory *memory)
{
    if (!row->chains)
        return;
    uint64_t bytes = ltap_tensor_bytes(&p->output);
    mode chained = {.exact = exact, .bf16 = is_bf16(c), .relu = true, .threads = 2};
    void *fused = ask_row(row, p, chained, memory);
    chained.kept = true;
    void *kept = ask_row(row, p, chained, memory);
    if (memcmp(kept, output, (size_t)bytes) != 0)
        fail_msg("%s, seed %d: what it keeps before a ReLU has other bits", c->row, seed);
    free(kept);
    for (int relu = 0; row->apart && relu < 2; relu++) {
        mode apart = chained;
        apart.kept = false;
        apart.relu = relu;
        apart.apart = true;
        void *wide = ask_row(row, p, apart, memory);
        if (memcmp(wide, relu ? fused : output, (size_t)bytes) != 0)
            fail_msg("%s, seed %d: pixels that lie apart have other bits", c->row, seed);
        free(wide);
    }
    ltap_tensor value = p->output;
    value.data = output;
    ltap_tensor result = value;
    ltap_call call = {.node = &relu_node,
                      .inputs = &value,
                      .n_inputs = 1,
                      .outputs = &result,
                      .n_outputs = 1,
                      .memory = memory,
                      .threads = 1};
    assert_int_equal(ltap_op_relu.reference(&call, NULL), LTAP_OK);
    if (memcmp(fused, output, (size_t)ltap_tensor_bytes(&value)) != 0)
        fail_msg("%s, seed %d: a ReLU changes its bits", c->row, seed);
    free(fused);
}

/* One problem in one mode; whether the row accepts it. */
static bool check_problem(const row_case *c, const ltap_impl *row, const problem *p, bool exact,
                          int seed, ltap_memory *memory)
{
    mode plain = {.exact = exact, .bf16 = is_bf16(c), .threads = 2};
    void *output = ask_row(row, p, plain, memory);
    if (!output)
        return false;
    check_close(c, p, output, seed);
    if (exact)
        check_exact(c, row, p, output, seed, memory);
    check_last(c, row, p, exact, output, seed, memory);
    check_relu(c, row, p, exact, output, seed, memory);
    free(output);
    return true;
}

/* Without AVX-512, oneDNN's products sum in an order that depends on the batch. */
static bool is_for_exact(const row_case *c)
{
    bool sums = strcmp(c->row, "dnnl:gemm") == 0 || strcmp(c->row, "dnnl:matmul") == 0;
#if defined(__x86_64__)
    bool known = LTAP_PROCESSOR_MOST >= LTAP_PROCESSOR_AVX512 &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    bool known = false;
#endif
    return c->exact && (known || !sums);
}

static void a_row_agrees_with_the_reference(void **state)
{
    const row_case *c = *state;
    const ltap_impl *row = find_row(c->row, c->op);
    ltap_memory *memory;
    int accepted[2] = {0, 0};
    if (!row || (is_bf16(c) && !ltap_impls_have_bf16())) /* a build without oneDNN; a processor */
        skip();
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    for (int seed = 0; seed < N_SEEDS; seed++) {
        problem p = {.random = (uint64_t)seed};
        c->make(&p);
        row = find_row(c->row, p.node.op_type);
        assert_non_null(row);
        if (seed % 3 == 0)
            problem_spoil(&p);
        if (is_bf16(c))
            problem_round(&p);
        for (int exact = 0; problem_solve(&p, memory) && exact < 2 - is_bf16(c); exact++) {
            accepted[exact] += check_problem(c, row, &p, exact, seed, memory);
            free(p.output.data);
            p.output.data = NULL;
        }
        problem_clear(&p);
    }
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    assert_true(c->fast ? accepted[0] >= c->least : accepted[0] == 0);
    assert_true(is_for_exact(c) ? accepted[1] >= c->least : accepted[1] == 0);
}

/* What a row must not take, however the problem looks otherwise. */
static void a_row_refuses_other_types(void **state)
{
    const row_case *c = *state;
    const ltap_impl *row = find_row(c->row, c->op);
    ltap_memory *memory;
    if (!row)
        skip();
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    for (int seed = 0; seed < N_SEEDS; seed++) {
        problem p = {.random = (uint64_t)seed};
        ltap_why why = {""};
        c->make(&p);
        row = find_row(c->row, p.node.op_type);
        assert_non_null(row);
        if (problem_solve(&p, memory)) {
            mode m = {.exact = is_for_exact(c), .bf16 = is_bf16(c), .threads = 2};
            question asked = ask(&p, m, memory);
            p.inputs[0].dtype = p.outputs[0].dtype = LTAP_FLOAT64;
            assert_false(answer_accepts(row, &asked, &why));
            assert_true(why.text[0] != '\0');
        }
        problem_clear(&p);
    }
    ltap_memory_unref(memory);
}

static void every_row_has_a_case(void **state)
{
    for (const ltap_impl *const *row = ltap_impls(); *row; row++) {
        bool found = (*row)->follows; /* pointwise ones: test_kernels.c */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            found = found || strcmp((*row)->name, cases[i].row) == 0;
        if (!found)
            fail_msg("%s has no case", (*row)->name);
    }
}

int main(void)
{
    enum { N_CASES = sizeof cases / sizeof *cases };
    static char names[2 * N_CASES][96];
    struct CMUnitTest tests[2 * N_CASES + 1] = {
        {"every row has a case", every_row_has_a_case, NULL, NULL, NULL}};
    for (size_t i = 0; i < N_CASES; i++) {
        snprintf(names[2 * i], sizeof names[0], "%s agrees with the reference", cases[i].row);
        snprintf(names[2 * i + 1], sizeof names[0], "%s refuses other types", cases[i].row);
        tests[2 * i + 1] = (struct CMUnitTest){names[2 * i], a_row_agrees_with_the_reference, NULL,
                                               NULL, (void *)(uintptr_t)&cases[i]};
        tests[2 * i + 2] = (struct CMUnitTest){names[2 * i + 1], a_row_refuses_other_types, NULL,
                                               NULL, (void *)(uintptr_t)&cases[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
