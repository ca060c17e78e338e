/* Runs the tables of cases: each operator by itself, shape rule and reference kernel.
 *
 * Each case is computed on one thread and on two, which must agree to the bit; with outputs that
 * nobody wants; and with every allocation failing once. Tensors lie in blocks of their exact size,
 * so that sanitizers see every step outside.
 */
#include "cases.h"
#include <layertap/compare.h>
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
    size_t count, fails_at;
    long alive;
} failing;

static void *failing_allocate(void *user, size_t bytes, size_t alignment)
{
    failing *f = user;
    if (++f->count == f->fails_at)
        return NULL;
    void *block = aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
    if (block)
        f->alive++;
    return block;
}

static void failing_release(void *user, void *block, size_t bytes)
{
    failing *f = user;
    f->alive -= block != NULL;
    free(block);
}

typedef struct setting {
    const op_case *test;
    ltap_node node;
    ltap_tensor inputs[CASE_TENSORS], outputs[CASE_TENSORS];
    void *input_blocks[CASE_TENSORS];
    ltap_attr attrs[CASE_ATTRS + CASE_BODIES];
    ltap_graph *graph; /* around the bodies */
    ltap_graph *bodies[CASE_BODIES];
    const char *captured[CASE_TENSORS];
    ltap_call call;
    failing allocator;
} setting;

static ltap_tensor tensor_of(const case_tensor *t)
{
    return ltap_tensor_make(t->dtype, t->rank, t->dims, NULL);
}

static size_t count_tensors(const case_tensor *tensors, size_t at_least)
{
    size_t count = 0;
    while (count < CASE_TENSORS && (count < at_least || tensors[count].dtype != LTAP_UNDEFINED))
        count++;
    return count;
}

static const ltap_op *find_op(const char *name)
{
    bool is_example = strcmp(name, ltap_op_squareplus.name) == 0;
    return is_example ? &ltap_op_squareplus : ltap_ops_find("", name);
}

/* The next of the words, as a value of the graph; false at the end. */
static bool next_value(ltap_graph *graph, const char **words, uint32_t *value)
{
    *words += strspn(*words, " ");
    size_t bytes = strcspn(*words, " ");
    if (bytes == 0)
        return false;
    assert_int_equal(ltap_graph_value(graph, *words, bytes, value, NULL), LTAP_OK);
    *words += bytes;
    return true;
}

static void add_body_node(ltap_graph *graph, const char *line)
{
    uint32_t output, inputs[4];
    ltap_node node = {.outputs = &output, .n_outputs = 1, .inputs = inputs};
    assert_true(next_value(graph, &line, &output));
    line += 3; /* " = " */
    size_t bytes = strcspn(line, " ");
    assert_int_equal(ltap_arena_text(&graph->arena, line, bytes, &node.op_type, NULL), LTAP_OK);
    line += bytes;
    while (next_value(graph, &line, &inputs[node.n_inputs]))
        node.n_inputs++;
    assert_int_equal(ltap_graph_node_add(graph, &node, NULL, NULL), LTAP_OK);
}

static void build_body(setting *s, size_t index)
{
    const case_body *body = &s->test->bodies[index];
    const char *inputs = body->inputs, *outputs = body->outputs;
    uint32_t value;
    assert_int_equal(ltap_graph_new_inside(s->graph, &s->bodies[index], NULL), LTAP_OK);
    ltap_graph *graph = s->bodies[index];
    while (next_value(graph, &inputs, &value)) {
        ltap_graph_at(graph, value)->is_input = true;
        assert_int_equal(ltap_vector_push(&graph->inputs, &value, NULL), LTAP_OK);
    }
    for (size_t i = 0; i < 4 && body->nodes[i]; i++)
        add_body_node(graph, body->nodes[i]);
    while (next_value(graph, &outputs, &value))
        assert_int_equal(ltap_vector_push(&graph->outputs, &value, NULL), LTAP_OK);
    s->attrs[s->node.n_attrs++] = (ltap_attr){
        .name = body->attr, .kind = LTAP_ATTR_GRAPH, .count = 1, .u.graphs = &s->bodies[index]};
}

static void set_up_bodies(setting *s)
{
    const char *words = s->test->captured ? s->test->captured : "";
    ltap_memory *memory = NULL;
    uint32_t value;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_graph_new(memory, &s->graph, NULL), LTAP_OK);
    ltap_memory_unref(memory);
    memcpy(s->attrs, s->test->attrs, s->node.n_attrs * sizeof(ltap_attr));
    s->node.attrs = s->attrs;
    for (size_t i = 0; i < CASE_BODIES && s->test->bodies[i].attr; i++)
        build_body(s, i);
    while (next_value(s->graph, &words, &value))
        s->captured[s->node.n_captured++] = ltap_graph_at(s->graph, value)->name;
    s->node.captured = s->captured;
    ltap_ops_bind(s->graph);
}

static void set_up(setting *s, const op_case *test)
{
    memset(s, 0, sizeof(*s));
    s->test = test;
    s->node.name = "n";
    s->node.domain = "";
    s->node.op_type = test->op;
    s->node.op = find_op(test->op);
    s->node.attrs = test->attrs;
    while (s->node.n_attrs < CASE_ATTRS && test->attrs[s->node.n_attrs].name)
        s->node.n_attrs++;
    set_up_bodies(s);
    s->call.node = &s->node;
    s->call.inputs = s->inputs;
    s->call.outputs = s->outputs;
    s->call.n_inputs = count_tensors(test->inputs, test->n_inputs);
    s->call.n_outputs = count_tensors(test->outputs, 1);
    s->node.n_inputs = s->call.n_inputs;
    for (size_t i = 0; i < s->call.n_inputs; i++) {
        const case_tensor *t = &test->inputs[i];
        s->inputs[i] = tensor_of(t);
        if (t->dtype == LTAP_UNDEFINED || t->dtype == LTAP_STRING)
            continue;
        size_t bytes = (size_t)ltap_tensor_bytes(&s->inputs[i]);
        assert_true(bytes <= t->data_bytes);
        s->input_blocks[i] = malloc(bytes ? bytes : 1);
        memcpy(s->input_blocks[i], t->data, bytes);
        if (test->constants & INPUT(i))
            s->inputs[i].data = s->input_blocks[i];
    }
}

static void tear_down(setting *s)
{
    for (size_t i = 0; i < CASE_TENSORS; i++) {
        free(s->input_blocks[i]);
        free(s->outputs[i].data);
    }
    ltap_graph_free(s->graph);
}

static ltap_status find_shape(setting *s, ltap_error *error)
{
    return ltap_op_shape(s->graph, &s->call, error);
}

static ltap_status compute(setting *s, int threads, bool wanted, ltap_error *error)
{
    const ltap_allocator allocator = {
        .allocate = failing_allocate, .release = failing_release, .user = &s->allocator};
    ltap_memory *memory = NULL;
    ltap_status status = ltap_memory_new(&allocator, UINT64_C(1) << 32, &memory, error);
    if (status != LTAP_OK)
        return status;
    for (size_t i = 0; i < s->call.n_inputs; i++)
        s->inputs[i].data = s->input_blocks[i];
    for (size_t i = 0; i < s->call.n_outputs; i++) {
        size_t bytes = (size_t)ltap_tensor_bytes(&s->outputs[i]);
        free(s->outputs[i].data);
        s->outputs[i].data = wanted ? malloc(bytes ? bytes : 1) : NULL;
        if (wanted)
            memset(s->outputs[i].data, 0xa5, bytes);
    }
    s->call.memory = memory;
    s->call.threads = threads;
    status = s->node.op->reference(&s->call, error);
    ltap_memory_unref(memory);
    assert_int_equal(s->allocator.alive, 0);
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
    ltap_tensor want = tensor_of(expected), got = s->outputs[index];
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

static void check_threads_agree(setting *s)
{
    void *single[CASE_TENSORS];
    ltap_error error;
    for (size_t i = 0; i < s->call.n_outputs; i++) {
        single[i] = s->outputs[i].data;
        s->outputs[i].data = NULL;
    }
    assert_int_equal(compute(s, 2, true, &error), LTAP_OK);
    for (size_t i = 0; i < s->call.n_outputs; i++) {
        assert_memory_equal(s->outputs[i].data, single[i],
                            (size_t)ltap_tensor_bytes(&s->outputs[i]));
        free(single[i]);
    }
}

static void check_failing_memory(setting *s)
{
    ltap_error error;
    for (size_t n = 1;; n++) {
        s->allocator.count = 0;
        s->allocator.fails_at = n;
        ltap_status status = compute(s, 1, true, &error);
        if (status == LTAP_OK && s->allocator.count < n)
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

static void check_results(setting *s)
{
    ltap_error error = {0};
    for (size_t i = 0; i < s->call.n_outputs; i++)
        check_output(s, i);
    check_threads_agree(s);
    check_failing_memory(s);
    s->allocator.fails_at = 0;
    assert_int_equal(compute(s, 1, false, &error), LTAP_OK);
}

static void run_case(void **state)
{
    const op_case *test = *state;
    setting s;
    ltap_error error = {0};
    set_up(&s, test);
    assert_non_null(s.node.op);
    ltap_status status = find_shape(&s, &error);
    check_refusal(test, status, test->refusal, &error);
    if (status == LTAP_OK) {
        status = compute(&s, 1, true, &error);
        check_refusal(test, status, test->failure, &error);
        if (status == LTAP_OK)
            check_results(&s);
    }
    tear_down(&s);
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

int main(void)
{
    size_t count = 2;
    for (size_t f = 0; f < N_FAMILIES; f++)
        count += families[f]->count;
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    if (!tests)
        return 1;
    tests[0] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_a_case_that_computes);
    tests[1] = (struct CMUnitTest)cmocka_unit_test(every_operator_is_found_by_its_name_and_once);
    size_t next = 2;
    for (size_t f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const op_case *test = &families[f]->cases[i];
            tests[next++] = (struct CMUnitTest){test->name, run_case, NULL, NULL, (void *)test};
        }
    int failed = _cmocka_run_group_tests("ops", tests, count, NULL, NULL);
    free(tests);
    return failed != 0;
}
