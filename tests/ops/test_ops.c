/* Runs the tables of cases: each operator by itself, shape rule and reference kernel.
 *
 * Each case is computed on one thread and on two, which must agree to the bit; with outputs that
 * nobody wants; and with every allocation failing once. Tensors lie in blocks of their exact size,
 * so that sanitizers see every step outside.
 */
#include "base/memory.h"
#include "ops/elements.h"
#include "ops/number.h"
#include "setting.h"
#include <layertap/compare.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above
#include <cmocka.h>

static const op_family *const families[] = {
#define FAMILY_LINE(id) &family_##id,
#include "families.def"
#undef FAMILY_LINE
};
enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

/* An allocator whose n-th allocation fails; n 0: none. */
typedef struct failing {
    size_t count, fails_at, bytes, peak, first; /* first: of the account itself */
    long alive;
} failing;

static void *failing_allocate(void *user, size_t bytes, size_t alignment)
{
    failing *f = user;
    if (++f->count == f->fails_at)
        return NULL;
    void *block = aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
    if (block) {
        f->alive++;
        f->bytes += bytes;
        f->peak = f->bytes > f->peak ? f->bytes : f->peak;
        f->first = f->first ? f->first : bytes;
    }
    return block;
}

static void failing_release(void *user, void *block, size_t bytes)
{
    failing *f = user;
    f->alive -= block != NULL;
    f->bytes -= block ? bytes : 0;
    free(block);
}

typedef struct trial {
    setting set;
    failing allocator;
} trial;

static ltap_status compute(trial *t, int threads, bool wanted, ltap_error *error)
{
    const ltap_allocator allocator = {
        .allocate = failing_allocate, .release = failing_release, .user = &t->allocator};
    ltap_memory *memory = NULL;
    ltap_status status = ltap_memory_new(&allocator, UINT64_C(1) << 32, &memory, error);
    if (status != LTAP_OK)
        return status;
    status = setting_compute(&t->set, threads, wanted ? UINT_MAX : 0, memory, error);
    ltap_memory_unref(memory);
    assert_int_equal(t->allocator.alive, 0);
    return status;
}

static bool is_exact(ltap_dtype dtype)
{
    return dtype != LTAP_FLOAT32 && dtype != LTAP_FLOAT64 && dtype != LTAP_FLOAT16 &&
           dtype != LTAP_BFLOAT16;
}

static void check_output(const setting *s, size_t index)
{
    const case_tensor *expected = &s->test->outputs[index];
    ltap_tensor want = case_shape(expected), got = s->outputs[index];
    if (want.dtype == LTAP_UNDEFINED)
        return;
    assert_string_equal(ltap_tensor_text(&got).text, ltap_tensor_text(&want).text);
    want.data = (void *)(uintptr_t)expected->data;
    assert_true(ltap_tensor_bytes(&want) <= expected->data_bytes);
    if (is_exact(want.dtype)) {
        assert_memory_equal(got.data, want.data, (size_t)ltap_tensor_bytes(&want));
        return;
    }
    ltap_difference d = {0};
    assert_int_equal(ltap_tensor_compare(&got, &want, &d, NULL), LTAP_OK);
    double tolerance = s->test->tolerance > 0 ? s->test->tolerance : 1e-6;
    if (d.n_misplaced || d.max_abs > tolerance * d.max_magnitude) {
        for (uint64_t i = 0; i < ltap_tensor_count(&want) && i < 32; i++)
            print_error("[%d] %.9g, expected %.9g\n", (int)i, ltap_tensor_double(&got, i),
                        ltap_tensor_double(&want, i));
        fail_msg("differs by %g of %g", d.max_abs, d.max_magnitude);
    }
}

static void check_threads_agree(trial *t)
{
    void *single[CASE_TENSORS];
    ltap_error error;
    for (size_t i = 0; i < t->set.call.n_outputs; i++) {
        single[i] = t->set.outputs[i].data;
        t->set.outputs[i].data = NULL;
    }
    assert_int_equal(compute(t, 2, true, &error), LTAP_OK);
    for (size_t i = 0; i < t->set.call.n_outputs; i++) {
        assert_memory_equal(t->set.outputs[i].data, single[i],
                            (size_t)ltap_tensor_bytes(&t->set.outputs[i]));
        free(single[i]);
    }
}

static void check_failing_memory(trial *t)
{
    ltap_error error;
    for (size_t n = 1;; n++) {
        t->allocator.count = 0;
        t->allocator.fails_at = n;
        ltap_status status = compute(t, 1, true, &error);
        if (status == LTAP_OK && t->allocator.count < n)
            break;
        assert_int_equal(status, LTAP_ERROR_MEMORY);
    }
}

static void check_refusal(const op_case *test, ltap_status status, ltap_status expected,
                          const ltap_error *error)
{
    if (status != expected)
        fail_msg("status %s, expected %s: %s", ltap_status_name(status), ltap_status_name(expected),
                 status == LTAP_OK ? "" : error->message);
    if (expected != LTAP_OK && test->message && !strstr(error->message, test->message))
        fail_msg("'%s' does not contain '%s'", error->message, test->message);
}

/* What the operator says that its kernel takes, against what it took, up to a header for each
 * block. */
static void check_temporary(trial *t)
{
    const ltap_op *op = t->set.node.op;
    ltap_call call = t->set.call;
    ltap_tensor inputs[CASE_TENSORS], outputs[CASE_TENSORS];
    ltap_error error = {0};
    t->allocator = (failing){0};
    assert_int_equal(compute(t, 2, true, &error), LTAP_OK);
    size_t took = t->allocator.peak - t->allocator.first;
    size_t slack = LTAP_ALIGNMENT * (t->allocator.count - 1);
    for (size_t i = 0; i < call.n_inputs; i++) {
        inputs[i] = t->set.inputs[i];
        if (!(t->set.test->constants & INPUT(i)))
            inputs[i].data = NULL;
    }
    for (size_t i = 0; i < call.n_outputs; i++) {
        outputs[i] = t->set.outputs[i];
        outputs[i].data = NULL;
    }
    call.inputs = inputs;
    call.outputs = outputs;
    call.threads = 2;
    call.memory = NULL;
    uint64_t said = op->temporary ? op->temporary(&call) : 0;
    if (took > said + slack || said > took + slack)
        fail_msg("took %zu bytes, said %llu", took, (unsigned long long)said);
}

static void check_results(trial *t)
{
    ltap_error error = {0};
    for (size_t i = 0; i < t->set.call.n_outputs; i++)
        check_output(&t->set, i);
    check_threads_agree(t);
    check_failing_memory(t);
    check_temporary(t);
    t->allocator.fails_at = 0;
    assert_int_equal(compute(t, 1, false, &error), LTAP_OK);
}

static void run_case(void **state)
{
    const op_case *test = *state;
    trial t = {.allocator = {0}};
    ltap_error error = {0};
    setting_init(&t.set, test);
    assert_non_null(t.set.node.op);
    ltap_status status = setting_shape(&t.set, &error);
    check_refusal(test, status, test->refusal, &error);
    if (status == LTAP_OK) {
        status = compute(&t, 1, true, &error);
        check_refusal(test, status, test->failure, &error);
        if (status == LTAP_OK)
            check_results(&t);
    }
    setting_clear(&t.set);
}

static bool has_case(const ltap_op *op)
{
    for (size_t f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const op_case *test = &families[f]->cases[i];
            if (strcmp(test->op, op->name) == 0 && !test->refusal && !test->failure)
                return true;
        }
    return false;
}

static void every_operator_has_a_case_that_computes(void **state)
{
    int missing = 0;
    for (size_t i = 0; i < ltap_ops_count(); i++)
        if (!has_case(ltap_ops_at(i))) {
            print_error("no case for %s\n", ltap_ops_at(i)->name);
            missing++;
        }
    assert_int_equal(missing, 0);
}

static void every_operator_is_found_by_its_name_and_once(void **state)
{
    for (size_t i = 0; i < ltap_ops_count(); i++) {
        const ltap_op *op = ltap_ops_at(i);
        assert_ptr_equal(ltap_ops_find(op->domain, op->name), op);
    }
    assert_null(ltap_ops_find("", "NoSuchOperator"));
    assert_null(ltap_ops_find("com.example", "Relu"));
}

static void every_half_is_loaded_and_stored_unchanged(void **state)
{
    static const ltap_dtype types[] = {LTAP_FLOAT16, LTAP_BFLOAT16};
    for (size_t t = 0; t < 2; t++)
        for (uint32_t bits = 0; bits <= UINT16_MAX; bits++) {
            const ltap_number *number = ltap_number_find(types[t]);
            uint16_t half = (uint16_t)bits, again[2] = {0};
            double value, loaded;
            number->load(&half, 0, 1, 1, &value);
            ltap_load_doubles(types[t], &half, 0, 1, &loaded);
            number->store(&value, 1, &again[0], 0, 1);
            ltap_store_doubles(types[t], &again[1], 0, 1, &value);
            assert_true(isnan(value) ? isnan(loaded) : value == loaded);
            for (int i = 0; i < 2 && !isnan(value); i++)
                assert_int_equal(again[i], half);
        }
}

int main(void)
{
    size_t count = 3;
    for (size_t f = 0; f < N_FAMILIES; f++)
        count += families[f]->count;
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    if (!tests)
        return 1;
    tests[0] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_a_case_that_computes);
    tests[1] = (struct CMUnitTest)cmocka_unit_test(every_operator_is_found_by_its_name_and_once);
    tests[2] = (struct CMUnitTest)cmocka_unit_test(every_half_is_loaded_and_stored_unchanged);
    size_t next = 3;
    for (size_t f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const op_case *test = &families[f]->cases[i];
            tests[next++] = (struct CMUnitTest){test->name, run_case, NULL, NULL, (void *)test};
        }
    int failed = _cmocka_run_group_tests("ops", tests, count, NULL, NULL);
    free(tests);
    return failed != 0;
}
