/* Every operator on random changes of its cases: refused with a message, or computed, and then
 * alike on any number of threads, whichever outputs are wanted, and by every row that accepts.
 *
 * LTAP_TEST_SEED=N takes other changes than those of seed 1, LTAP_TEST_CASES=N more or fewer of
 * them per operator; LTAP_TEST_ONLY=OPERATOR one operator, each change printed before it is tried.
 */
#include "answer.h"
#include "ops/mutant.h"
#include "ops/setting.h"

#include <layertap/compare.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_CASES = 600, MAX_BYTES = 1 << 20, MAX_COST = 20000000, MEMORY = 1 << 28 };

/* Of the largest magnitude, as for the kernels of the tables of rows. */
static const double tolerance = 2e-5;

static const op_family *const families[] = {
#define FAMILY_LINE(id) &family_##id,
#include "ops/families.def"
#undef FAMILY_LINE
};
enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

typedef struct trial {
    const op_case *cases; /* of one operator */
    size_t n_cases;
    uint64_t seed;
    mutant m;
    setting set;
    ltap_memory *memory;
    size_t n_refused, n_large, n_failed, n_computed, n_rows; /* what became of them */
} trial;

static long setting_number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static void complain(const trial *t, const char *what, const char *detail)
{
    mutant_print(&t->m);
    fail_msg("%s, LTAP_TEST_SEED=%ld, number %llu: %s %s", t->m.c.op,
             setting_number("LTAP_TEST_SEED", 1), (unsigned long long)t->seed, what, detail);
}

/* A refusal is by one of these, and says why. */
static void check_message(const trial *t, ltap_status status, const ltap_error *error)
{
    if (status != LTAP_ERROR_FORMAT && status != LTAP_ERROR_UNSUPPORTED &&
        status != LTAP_ERROR_MEMORY)
        complain(t, "unexpected status", ltap_status_name(status));
    if (strlen(error->message) < 8)
        complain(t, "refused without a reason:", error->message);
}

/* Too large for a test, or takes too long. */
static bool is_large(const trial *t)
{
    const ltap_op *op = t->set.node.op;
    for (size_t i = 0; i < t->set.call.n_outputs; i++)
        if (ltap_tensor_bytes(&t->set.outputs[i]) > MAX_BYTES)
            return true;
    return op->cost && op->cost(&t->set.call) > MAX_COST;
}

static bool is_rounded(ltap_dtype dtype)
{
    return dtype == LTAP_FLOAT32 || dtype == LTAP_FLOAT64 || ltap_dtype_bits(dtype) == 16;
}

/* Sums may come out near 0: then what they are made of says how exact they are. */
static double largest_term(const trial *t)
{
    static const char *const ops[] = {"Conv", "Gemm", "MatMul", "Einsum"};
    bool sums = strncmp(t->m.c.op, "Reduce", 6) == 0;
    double most = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        sums = sums || strcmp(t->m.c.op, ops[i]) == 0;
    for (size_t i = 0; sums && i < t->set.call.n_inputs; i++)
        for (uint64_t k = 0; t->set.inputs[i].data && k < ltap_tensor_count(&t->set.inputs[i]);
             k++) {
            double number = fabs(ltap_tensor_double(&t->set.inputs[i], k));
            most = number > most && isfinite(number) ? number : most;
        }
    return most;
}

/* Output `index` of the reference against other data of its shape. */
static void check_output(const trial *t, size_t index, void *data, const char *whose)
{
    const ltap_tensor *want = &t->set.outputs[index];
    ltap_tensor got = *want;
    ltap_difference d = {0};
    char text[128];
    got.data = data;
    if (!is_rounded(want->dtype)) {
        if (memcmp(data, want->data, (size_t)ltap_tensor_bytes(want)) != 0)
            complain(t, "other numbers by", whose);
        return;
    }
    assert_int_equal(ltap_tensor_compare(&got, want, &d, NULL), LTAP_OK);
    d.max_magnitude = fmax(fmax(d.max_magnitude, largest_term(t)), 1e-30);
    if (!ltap_difference_within(&d, tolerance)) {
        snprintf(text, sizeof text, "%s: off by %g of %g, %llu NaN or infinities misplaced", whose,
                 d.max_abs, d.max_magnitude, (unsigned long long)d.n_misplaced);
        complain(t, "other numbers by", text);
    }
}

static void ask_row(trial *t, const ltap_impl *row, bool exact, ltap_status expected)
{
    const unsigned made = t->m.wanted | 1; /* a plan always wants the first */
    const question asked = {.node = &t->set.node,
                            .inputs = t->set.inputs,
                            .outputs = t->set.outputs,
                            .constants = t->m.c.constants,
                            .wanted = made,
                            .exact = exact,
                            .last = t->seed % 2,
                            .threads = 1 + (int)(t->seed % 3),
                            .memory = t->memory};
    answer found;
    answer_find(row, &asked, &found);
    if (!found.accepted && !found.why.text[0])
        complain(t, row->name, "refuses without a reason");
    if (found.accepted && found.status != expected)
        complain(t, row->name,
                 found.status ? found.error.message : "computes what the reference refuses");
    for (size_t i = 0; found.accepted && i < t->set.call.n_outputs; i++)
        if (found.blocks[i] && t->set.outputs[i].data)
            check_output(t, i, found.blocks[i], row->name);
    t->n_rows += found.accepted;
    answer_clear(&found);
}

/* What the reference kernel makes with all outputs wanted, and what it makes otherwise. */
static void check_again(trial *t)
{
    void *first[CASE_TENSORS];
    ltap_error error = {0};
    for (size_t i = 0; i < CASE_TENSORS; i++) {
        first[i] = t->set.outputs[i].data;
        t->set.outputs[i].data = NULL;
    }
    if (setting_compute(&t->set, 3, t->m.wanted, t->memory, &error) != LTAP_OK)
        complain(t, "three threads:", error.message);
    for (size_t i = 0; i < t->set.call.n_outputs; i++) {
        const ltap_tensor *again = &t->set.outputs[i];
        if (again->data && memcmp(again->data, first[i], (size_t)ltap_tensor_bytes(again)) != 0)
            complain(t, "threads or what is wanted change", "its bits");
        free(again->data);
        t->set.outputs[i].data = first[i];
    }
}

/* Of constants alone: a plan asks no row. */
static bool is_folded(const trial *t)
{
    for (size_t i = 0; i < t->set.call.n_inputs; i++)
        if (t->set.inputs[i].dtype != LTAP_UNDEFINED && !(t->m.c.constants & INPUT(i)))
            return false;
    return true;
}

static void compute(trial *t)
{
    ltap_error error = {0};
    ltap_status status = setting_compute(&t->set, 1, ~0U, t->memory, &error);
    if (status != LTAP_OK)
        check_message(t, status, &error);
    else
        check_again(t);
    t->n_failed += status != LTAP_OK;
    t->n_computed += status == LTAP_OK;
    for (const ltap_impl *const *row = ltap_impls(); *row && !is_folded(t); row++) {
        if (strcmp((*row)->op, t->m.c.op) != 0)
            continue;
        ask_row(t, *row, false, status);
        ask_row(t, *row, true, status);
    }
}

static void try_one(trial *t, bool loud)
{
    ltap_error error = {0};
    mutant_make(&t->m, t->cases, t->n_cases, t->seed);
    if (loud) {
        fprintf(stderr, "number %llu: ", (unsigned long long)t->seed);
        mutant_print(&t->m);
    }
    setting_init(&t->set, &t->m.c);
    ltap_status status = setting_shape(&t->set, &error);
    if (status != LTAP_OK) {
        check_message(t, status, &error);
        if (loud)
            fprintf(stderr, "  refused: %s\n", error.message);
        t->n_refused++;
    } else if (is_large(t)) {
        t->n_large++;
    } else {
        compute(t);
    }
    setting_clear(&t->set);
    mutant_clear(&t->m);
}

/* The cases of an operator, from all families; a copy. */
static op_case *collect(const char *op, size_t *count)
{
    op_case *list = NULL;
    *count = 0;
    for (size_t f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const op_case *test = &families[f]->cases[i];
            if (strcmp(test->op, op) != 0)
                continue;
            list = realloc(list, (*count + 1) * sizeof *list);
            assert_non_null(list);
            list[(*count)++] = *test;
        }
    return list;
}

static void changed_cases_are_refused_or_agree(void **state)
{
    const ltap_op *op = *state;
    const char *only = getenv("LTAP_TEST_ONLY");
    trial t = {.n_cases = 0};
    op_case *cases = collect(op->name, &t.n_cases);
    uint64_t first = (uint64_t)setting_number("LTAP_TEST_SEED", 1) << 32;
    long count = setting_number("LTAP_TEST_CASES", N_CASES);
    t.cases = cases;
    assert_int_equal(ltap_memory_new(NULL, MEMORY, &t.memory, NULL), LTAP_OK);
    for (long i = 0; i < count && (!only || strcmp(only, op->name) == 0); i++) {
        t.seed = first + (uint64_t)i;
        try_one(&t, only != NULL);
    }
    assert_int_equal(ltap_memory_used(t.memory), 0);
    ltap_memory_unref(t.memory);
    free(cases);
    print_message("%s: %zu computed (%zu times by rows), %zu refused, %zu by the kernel, %zu too "
                  "large\n",
                  op->name, t.n_computed, t.n_rows, t.n_refused, t.n_failed, t.n_large);
    if (count >= N_CASES && !only)
        assert_true(t.n_computed >= 10);
}

int main(void)
{
    struct CMUnitTest tests[256];
    if (ltap_ops_count() > sizeof tests / sizeof tests[0])
        return 1;
    for (size_t i = 0; i < ltap_ops_count(); i++)
        tests[i] = (struct CMUnitTest){ltap_ops_at(i)->name, changed_cases_are_refused_or_agree,
                                       NULL, NULL, (void *)(uintptr_t)ltap_ops_at(i)};
    printf("LTAP_TEST_SEED=%ld\n", setting_number("LTAP_TEST_SEED", 1));
    return _cmocka_run_group_tests("changed cases", tests, ltap_ops_count(), NULL, NULL);
}
