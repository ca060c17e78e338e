/* What a getter says that a forward will take, against the growth of the account's peak. */
#include <layertap/layertap.h>

#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

/* Tables and texts of a plan are told as an allowance. */
enum { SLACK = 256 * 1024 };

typedef struct request {
    const char *name, *layer;
    int64_t side;
    int exact;
    const char *backend;
    ltap_intervention_kind change;
    const char *changed; /* NULL: no layer */
} request;

static const request requests[] = {
    {"the whole network", "output:0", 128, 0, NULL, 0, NULL},
    {"the whole network, exact", "output:0", 128, 1, NULL, 0, NULL},
    {"the whole network, plain kernels only", "output:0", 96, 0, "reference", 0, NULL},
    {"an inner layer of a large picture", "backbone.layer1", 320, 0, NULL, 0, NULL},
    {"the first layer, exact", "backbone.conv1", 224, 1, NULL, 0, NULL},
    {"every ReLU", "op:Relu", 64, 0, NULL, 0, NULL},
    {"a layer that is replaced", "output:0", 128, 0, NULL, LTAP_SET_ZERO, "backbone.conv1"},
    {"a layer that gets its means", "backbone.layer1", 256, 0, NULL, LTAP_SET_MEAN,
     "backbone.conv1"},
    {"a layer that gets a value", "backbone.conv1", 320, 0, NULL, LTAP_SET_VALUE, "backbone.conv1"},
};

static void change_layer(ltap_run *run, const request *r, const ltap_tensor *input)
{
    ltap_tensor value = {LTAP_FLOAT32, 4, {1, 16, input->dims[2] / 2, input->dims[3] / 2}, NULL};
    ltap_error error;
    if (!r->changed)
        return;
    value.data = calloc((size_t)ltap_tensor_count(&value), sizeof(float));
    assert_non_null(value.data);
    const ltap_intervention change = {.layer = r->changed, .kind = r->change, .value = &value};
    assert_int_equal(ltap_intervention_add(run, &change, NULL, &error), LTAP_OK);
    free(value.data);
}

static void a_forward_takes_what_was_predicted(void **state)
{
    const request *r = *state;
    const ltap_return_layer wanted = {r->layer, NULL};
    const ltap_getter_options options = {.exact = r->exact, .backend = r->backend, .threads = 2};
    ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, r->side, r->side}, NULL}};
    fail_alloc heap;
    ltap_model *model;
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features;
    ltap_estimate estimate;
    ltap_error error;

    fail_alloc_init(&heap, 0);
    const ltap_model_options heaped = {.allocator = &heap.allocator};
    input.tensor.data = calloc((size_t)ltap_tensor_count(&input.tensor), sizeof(float));
    assert_non_null(input.tensor.data);
    assert_int_equal(ltap_model_open(TEST_MODEL, &heaped, &model, &error), LTAP_OK);
    assert_int_equal(ltap_getter_new(model, &wanted, 1, &options, &getter, &error), LTAP_OK);
    size_t before = heap.live_bytes;
    heap.peak_bytes = before;
    assert_int_equal(ltap_run_new(getter, &run, &error), LTAP_OK);
    change_layer(run, r, &input.tensor);
    assert_int_equal(ltap_run_estimate(run, &input.tensor, 1, &estimate, &error), LTAP_OK);
    assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), LTAP_OK);
    uint64_t took = heap.peak_bytes - before;
    uint64_t told = estimate.total_bytes - estimate.besides_bytes;
    if (told > took || took > told + SLACK)
        fail_msg("predicted %llu bytes, took %llu", (unsigned long long)told,
                 (unsigned long long)took);
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(model);
    free(input.tensor.data);
    fail_alloc_check(&heap);
}

/* The first feature with or without low_memory; the caller frees it. */
static ltap_features *look(ltap_model *model, const char *layer, int low, const ltap_input *input,
                           ltap_estimate *estimate)
{
    const ltap_return_layer wanted = {layer, NULL};
    const ltap_getter_options options = {.threads = 2, .low_memory = low};
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features = NULL;
    assert_int_equal(ltap_getter_new(model, &wanted, 1, &options, &getter, NULL), LTAP_OK);
    assert_int_equal(ltap_getter_estimate(getter, &input->tensor, 1, estimate, NULL), LTAP_OK);
    assert_int_equal(ltap_run_new(getter, &run, NULL), LTAP_OK);
    for (int i = 0; i < 2; i++) {
        ltap_features_free(features);
        assert_int_equal(ltap_run_forward(run, input, 1, &features, NULL), LTAP_OK);
    }
    ltap_run_free(run);
    ltap_getter_free(getter);
    return features;
}

static void with_little_memory_less_is_packed_and_no_bit_changes(void **state)
{
    static float pixels[3 * 64 * 64];
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, 64, 64}, pixels}};
    ltap_estimate usual, low;
    ltap_model *model;
    for (int i = 0; i < 3 * 64 * 64; i++)
        pixels[i] = (float)(i % 251) / 125 - 1;
    assert_int_equal(ltap_model_open(TEST_MODEL, NULL, &model, NULL), LTAP_OK);
    ltap_features *a = look(model, "output:0", 0, &input, &usual);
    ltap_features *b = look(model, "output:0", 1, &input, &low);
    const ltap_tensor *left = &ltap_features_at(a, 0)->tensor;
    const ltap_tensor *right = &ltap_features_at(b, 0)->tensor;
    assert_int_equal(ltap_tensor_bytes(left), ltap_tensor_bytes(right));
    assert_memory_equal(left->data, right->data, (size_t)ltap_tensor_bytes(left));
    assert_true(low.packed_bytes < usual.packed_bytes);
    ltap_features_free(a);
    ltap_features_free(b);
    ltap_model_close(model);
}

int main(void)
{
    enum { N = sizeof requests / sizeof requests[0] };
    struct CMUnitTest tests[N + 1];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){requests[i].name, a_forward_takes_what_was_predicted, NULL,
                                       NULL, (void *)(uintptr_t)&requests[i]};
    tests[N] =
        (struct CMUnitTest)cmocka_unit_test(with_little_memory_less_is_packed_and_no_bit_changes);
    return _cmocka_run_group_tests("predicted memory", tests, N + 1, NULL, NULL);
}
