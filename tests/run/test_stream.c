/* Features that are handed on as they are made: the same numbers, in the order of execution, in no
 * more memory than one of them takes.
 */
#include "hooked.h"

#include "support/fail_alloc.h"

typedef struct collector {
    const ltap_features *expected; /* in request order; NULL: not compared */
    size_t order[MAX_LAYERS], n_taken, n_wrong, n_missing;
    size_t fail_at; /* counted from 1 */
    const char *says;
} collector;

static ltap_status take(void *user, size_t index, const ltap_feature *feature, ltap_error *error)
{
    collector *c = user;
    if (feature->missing) {
        c->n_missing++;
        c->n_wrong += feature->tensor.data != NULL;
        return LTAP_OK;
    }
    c->order[c->n_taken++] = index;
    if (c->n_taken == c->fail_at) {
        if (c->says) {
            error->code = LTAP_ERROR_FILE;
            snprintf(error->message, sizeof(error->message), "%s", c->says);
        }
        return LTAP_ERROR_FILE;
    }
    if (!c->expected)
        return LTAP_OK;
    const ltap_feature *other = ltap_features_at(c->expected, index);
    c->n_wrong += strcmp(feature->name, other->name) != 0 ||
                  strcmp(feature->layer, other->layer) != 0 ||
                  !same_tensor(&feature->tensor, &other->tensor);
    return LTAP_OK;
}

static void stream(ltap_run *run, collector *c)
{
    const ltap_sink sink = {.take = take, .user = c};
    ltap_error error;
    must(ltap_run_stream(run, &input, 1, &sink, &error), &error);
}

static void every_layer_comes_once_with_the_bits_of_a_forward(void **state)
{
    const char *names[MAX_LAYERS];
    size_t n = list_layers(names);
    ltap_run *run = new_run(names, n);
    ltap_features *expected = forward(run);
    (void)state;
    for (int i = 0; i < 2; i++) {
        collector c = {.expected = expected};
        stream(run, &c);
        assert_int_equal(c.n_taken, n);
        assert_int_equal(c.n_wrong, 0);
    }
    ltap_features *again = forward(run);
    for (size_t i = 0; i < n; i++)
        assert_true(same_tensor(&ltap_features_at(again, i)->tensor,
                                &ltap_features_at(expected, i)->tensor));
    ltap_features_free(again);
    ltap_features_free(expected);
    ltap_run_free(run);
}

static void features_come_in_the_order_of_execution(void **state)
{
    static const char *const names[] = {"segmentation", "backbone.layer1", "backbone.layer3",
                                        "backbone.conv1", "backbone.layer1.1"};
    static const size_t expected[] = {3, 1, 4, 2, 0};
    ltap_run *run = new_run(names, 5);
    collector c = {.n_taken = 0};
    (void)state;
    stream(run, &c);
    assert_int_equal(c.n_taken, 5);
    assert_memory_equal(c.order, expected, sizeof(expected));
    ltap_run_free(run);
}

static void a_sink_that_fails_fails_the_forward_and_not_the_next(void **state)
{
    static const struct {
        const char *says, *message;
    } rows[] = {{NULL, "the sink did not take 'aux'"}, {"the disk is full", "the disk is full"}};
    ltap_run *run = new_run(all_outputs, 2);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        collector c = {.fail_at = 2, .says = rows[i].says};
        const ltap_sink sink = {.take = take, .user = &c};
        ltap_error error;
        assert_int_equal(ltap_run_stream(run, &input, 1, &sink, &error), LTAP_ERROR_FILE);
        assert_string_equal(error.message, rows[i].message);
        assert_int_equal(error.code, LTAP_ERROR_FILE);
        assert_int_equal(ltap_run_stream(run, &input, 1, &sink, NULL), LTAP_OK);
        collector well = {.n_taken = 0};
        stream(run, &well);
        assert_int_equal(well.n_taken, 2);
    }
    ltap_run_free(run);
}

static ltap_hook_answer stop(void *user, ltap_hook_call *call)
{
    (void)user;
    (void)call;
    return LTAP_HOOK_STOP;
}

static void what_was_not_made_is_told_at_the_end(void **state)
{
    static const char *const names[] = {"segmentation", "backbone.layer1", "backbone.layer3"};
    ltap_features *expected = extract(names, 3);
    ltap_run *run = new_run(names, 3);
    collector c = {.expected = expected};
    (void)state;
    add(run, &(ltap_hook){.layer = "backbone.layer2", .callback = stop});
    stream(run, &c);
    assert_int_equal(c.n_taken, 1);
    assert_int_equal(c.n_missing, 2);
    assert_int_equal(c.n_wrong, 0);
    ltap_features_free(expected);
    ltap_run_free(run);
}

/* Most memory that was out at once, while `names` are forwarded; features: kept or handed on. */
static size_t peak_of(const char *const *names, size_t n, bool streamed)
{
    const ltap_getter_options one = {.threads = 1};
    ltap_return_layer wanted[MAX_LAYERS];
    collector c = {.n_taken = 0};
    const ltap_sink sink = {.take = take, .user = &c};
    ltap_features *features = NULL;
    ltap_model *own;
    ltap_getter *getter;
    ltap_run *run;
    ltap_error error;
    fail_alloc heap;
    fail_alloc_init(&heap, 0);
    const ltap_model_options options = {.allocator = &heap.allocator};
    for (size_t i = 0; i < n; i++)
        wanted[i] = (ltap_return_layer){names[i], NULL};
    must(ltap_model_open(TEST_MODEL, &options, &own, &error), &error);
    must(ltap_getter_new(own, wanted, n, &one, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    must(streamed ? ltap_run_stream(run, &input, 1, &sink, &error)
                  : ltap_run_forward(run, &input, 1, &features, &error),
         &error);
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(own);
    fail_alloc_check(&heap);
    return atomic_load(&heap.peak_bytes);
}

static void streaming_takes_no_more_than_the_largest_feature(void **state)
{
    const char *names[MAX_LAYERS];
    size_t n = list_layers(names), largest = 0, sum = 0;
    ltap_features *features = extract(names, n);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = (size_t)ltap_tensor_bytes(&ltap_features_at(features, i)->tensor);
        largest = bytes > largest ? bytes : largest;
        sum += bytes;
    }
    size_t all = peak_of(names, n, true), kept = peak_of(names, n, false);
    assert_true(all < kept - sum + largest + 65536);
    ltap_features_free(features);
}

/* What a heap that gives out at the n-th call leaves of a stream; true: it did not give out. */
static bool attempt(size_t n)
{
    static const ltap_return_layer wanted[] = {
        {"backbone.layer1", NULL}, {"segmentation", NULL}, {"backbone.layer2", "small@gap@l2"}};
    fail_alloc heap;
    collector c = {.n_taken = 0};
    const ltap_sink sink = {.take = take, .user = &c};
    ltap_model *own = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    ltap_error error = {.code = LTAP_OK};
    fail_alloc_init(&heap, n);
    const ltap_model_options options = {.allocator = &heap.allocator};
    ltap_status status = ltap_model_open(TEST_MODEL, &options, &own, &error);
    if (status == LTAP_OK)
        status = ltap_getter_new(own, wanted, 3, NULL, &getter, &error);
    if (status == LTAP_OK)
        status = ltap_run_new(getter, &run, &error);
    if (status == LTAP_OK)
        status = ltap_run_stream(run, &input, 1, &sink, &error);
    /* The heap fails once, so the same run goes through now. */
    if (status != LTAP_OK && run) {
        c.n_taken = 0;
        must(ltap_run_stream(run, &input, 1, &sink, &error), &error);
        error.code = LTAP_ERROR_MEMORY;
    }
    assert_true(!run || c.n_taken == 3);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(own);
    fail_alloc_check(&heap);
    if (fail_alloc_failed(&heap)) {
        assert_int_equal(status, LTAP_ERROR_MEMORY);
        assert_int_equal(error.code, LTAP_ERROR_MEMORY);
    }
    return !fail_alloc_failed(&heap);
}

static void any_failing_allocation_is_an_error_and_the_run_goes_on(void **state)
{
    size_t n = 1;
    (void)state;
    while (!attempt(n))
        n++;
    assert_true(n > 100);
}

typedef struct again {
    ltap_run *run;
    int n;
} again;

static ltap_status stream_again(void *user, size_t index, const ltap_feature *feature,
                                ltap_error *error)
{
    again *a = user;
    const ltap_sink sink = {.take = stream_again, .user = a};
    ltap_features *features;
    (void)index;
    (void)feature;
    a->n++;
    assert_int_equal(ltap_run_stream(a->run, &input, 1, &sink, error), LTAP_ERROR_ARGUMENT);
    assert_string_equal(error->message,
                        "this run is in the middle of a forward; a hook may use another run");
    assert_int_equal(ltap_run_forward(a->run, &input, 1, &features, error), LTAP_ERROR_ARGUMENT);
    return LTAP_OK;
}

static void a_sink_that_runs_the_same_run_is_refused_there(void **state)
{
    ltap_run *run = new_run(all_outputs, 2);
    again a = {.run = run};
    const ltap_sink sink = {.take = stream_again, .user = &a};
    ltap_error error;
    (void)state;
    must(ltap_run_stream(run, &input, 1, &sink, &error), &error);
    assert_int_equal(a.n, 2);
    ltap_run_free(run);
}

/* Where all features together do not fit, a forward says so before it computes anything. */
static void a_limit_refuses_what_is_kept_and_lets_a_stream_go(void **state)
{
    const char *names[MAX_LAYERS];
    ltap_return_layer wanted[MAX_LAYERS];
    size_t n = list_layers(names);
    const ltap_getter_options one = {.threads = 1};
    const ltap_model_options options = {.memory_limit = 5 << 20};
    ltap_model *own;
    ltap_getter *getter;
    ltap_run *run;
    ltap_estimate estimate;
    ltap_features *features;
    ltap_error error;
    collector c = {.n_taken = 0};
    (void)state;
    for (size_t i = 0; i < n; i++)
        wanted[i] = (ltap_return_layer){names[i], NULL};
    must(ltap_model_open(TEST_MODEL, &options, &own, &error), &error);
    must(ltap_getter_new(own, wanted, n, &one, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    must(ltap_getter_estimate(getter, &input.tensor, 1, &estimate, &error), &error);
    assert_true(estimate.features_bytes > 3 << 20);
    assert_true(estimate.stream_bytes - estimate.besides_bytes < 3 << 20);
    assert_true(estimate.total_bytes == estimate.packed_bytes + estimate.arena_bytes +
                                            estimate.scratch_bytes + estimate.features_bytes +
                                            estimate.besides_bytes);
    assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), LTAP_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "(ltap_run_stream would fit) needs "));
    stream(run, &c);
    assert_int_equal(c.n_taken, n);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(own);
}

static void wrong_arguments_are_refused(void **state)
{
    const ltap_sink sink = {.take = take}, none = {.take = NULL};
    ltap_run *run = new_run(all_outputs, 1);
    (void)state;
    assert_int_equal(ltap_run_stream(NULL, &input, 1, &sink, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_run_stream(run, &input, 1, NULL, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_run_stream(run, &input, 1, &none, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_run_stream(run, NULL, 1, &sink, NULL), LTAP_ERROR_ARGUMENT);
    ltap_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_comes_once_with_the_bits_of_a_forward),
        cmocka_unit_test(features_come_in_the_order_of_execution),
        cmocka_unit_test(a_sink_that_fails_fails_the_forward_and_not_the_next),
        cmocka_unit_test(what_was_not_made_is_told_at_the_end),
        cmocka_unit_test(streaming_takes_no_more_than_the_largest_feature),
        cmocka_unit_test(any_failing_allocation_is_an_error_and_the_run_goes_on),
        cmocka_unit_test(a_sink_that_runs_the_same_run_is_refused_there),
        cmocka_unit_test(a_limit_refuses_what_is_kept_and_lets_a_stream_go),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("stream", tests, set_up, tear_down);
}
