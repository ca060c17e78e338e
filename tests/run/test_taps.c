/* A feature's bits do not depend on what else is asked for: random requests on the embedded model,
 * compared bit by bit with one request for everything. Everything here goes through the public
 * headers, as a user's program would.
 */
#include <layertap/layertap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef REQUESTS
#define REQUESTS 120
#endif

enum { MAX_LAYERS = 512, SIDE = 40, CHANNELS = 3 };

typedef struct bench {
    ltap_model *model;
    const char *names[MAX_LAYERS];
    size_t n_names;
    float *pixels;
    ltap_input input;
    ltap_features *all;
} bench;

static void must(ltap_status status, const ltap_error *error)
{
    if (status != LTAP_OK)
        fail_msg("%s: %s", ltap_status_name(status), error->message);
}

static ltap_features *forward(const bench *b, const ltap_return_layer *layers, size_t count,
                              const ltap_getter_options *options)
{
    ltap_error error;
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features;
    must(ltap_getter_new(b->model, layers, count, options, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    must(ltap_run_forward(run, &b->input, 1, &features, &error), &error);
    ltap_run_free(run);
    ltap_getter_free(getter);
    return features;
}

static void fill_input(bench *b, int batch)
{
    size_t count = (size_t)batch * CHANNELS * SIDE * SIDE;
    uint32_t seed = 12345;
    b->pixels = malloc(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        b->pixels[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    b->input = (ltap_input){NULL, {LTAP_FLOAT32, 4, {batch, CHANNELS, SIDE, SIDE}, b->pixels}};
}

static int set_up(void **state)
{
    static bench made;
    ltap_error error;
    ltap_return_layer layers[MAX_LAYERS];
    must(ltap_model_open(TEST_MODEL, NULL, &made.model, &error), &error);
    for (size_t i = 0; i < ltap_model_layers_count(made.model); i++)
        if (made.n_names < MAX_LAYERS)
            made.names[made.n_names++] = ltap_model_layers_at(made.model, i)->name;
    assert_true(made.n_names > 20);
    for (size_t i = 0; i < made.n_names; i++)
        layers[i] = (ltap_return_layer){made.names[i], NULL};
    fill_input(&made, 2);
    made.all = forward(&made, layers, made.n_names, NULL);
    *state = &made;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    ltap_features_free(b->all);
    ltap_model_close(b->model);
    free(b->pixels);
    return 0;
}

static void check_bits(const ltap_feature *a, const ltap_feature *b)
{
    assert_int_equal(ltap_tensor_bytes(&a->tensor), ltap_tensor_bytes(&b->tensor));
    if (memcmp(a->tensor.data, b->tensor.data, (size_t)ltap_tensor_bytes(&a->tensor)) != 0)
        fail_msg("'%s' has other bits when it is asked for with other layers", a->name);
}

static void random_requests_give_the_same_bits(void **state)
{
    const bench *b = *state;
    uint32_t seed = 99;
    for (int request = 0; request < REQUESTS; request++) {
        ltap_return_layer layers[8];
        size_t count = 0, wanted = request % 4 ? 1 + (size_t)(request % 7) : 1;
        for (size_t i = 0; i < wanted; i++) {
            seed = seed * 1664525u + 1013904223u;
            const char *name = b->names[(seed >> 8) % b->n_names];
            bool twice = false;
            for (size_t k = 0; k < count; k++)
                twice = twice || strcmp(layers[k].layer, name) == 0;
            if (!twice)
                layers[count++] = (ltap_return_layer){name, NULL};
        }
        ltap_features *features = forward(b, layers, count, NULL);
        assert_int_equal(ltap_features_count(features), count);
        for (size_t i = 0; i < count; i++) {
            const ltap_feature *feature = ltap_features_at(features, i);
            assert_string_equal(feature->name, layers[i].layer);
            check_bits(feature, ltap_features_find(b->all, feature->name));
        }
        ltap_features_free(features);
    }
}

static double worst(const ltap_tensor *a, const ltap_tensor *b)
{
    double difference = 0, magnitude = 0;
    if (a->dtype != LTAP_FLOAT32)
        return memcmp(a->data, b->data, (size_t)ltap_tensor_bytes(a)) ? 1 : 0;
    for (uint64_t i = 0; i < ltap_tensor_count(a); i++) {
        double x = ((const float *)a->data)[i], y = ((const float *)b->data)[i];
        difference = fmax(difference, fabs(x - y));
        magnitude = fmax(magnitude, fabs(y));
    }
    return magnitude > 0 ? difference / magnitude : difference;
}

static void fast_kernels_agree_with_the_plain_ones(void **state)
{
    const bench *b = *state;
    const ltap_getter_options plain = {.backend = "reference"};
    ltap_return_layer layers[MAX_LAYERS];
    for (size_t i = 0; i < b->n_names; i++)
        layers[i] = (ltap_return_layer){b->names[i], NULL};
    ltap_features *features = forward(b, layers, b->n_names, &plain);
    for (size_t i = 0; i < b->n_names; i++) {
        double off =
            worst(&ltap_features_at(b->all, i)->tensor, &ltap_features_at(features, i)->tensor);
        if (off > 1e-5)
            fail_msg("'%s' is off by %g of its largest magnitude", b->names[i], off);
    }
    ltap_features_free(features);
}

static void exact_bits_repeat_over_threads_and_batch(void **state)
{
    const bench *b = *state;
    const ltap_getter_options one = {.exact = 1, .threads = 1}, two = {.exact = 1, .threads = 2};
    ltap_return_layer layers[MAX_LAYERS];
    bench single = *b;
    for (size_t i = 0; i < b->n_names; i++)
        layers[i] = (ltap_return_layer){b->names[i], NULL};
    single.input.tensor.dims[0] = 1;
    ltap_features *f1 = forward(b, layers, b->n_names, &one);
    ltap_features *f2 = forward(b, layers, b->n_names, &two);
    ltap_features *first = forward(&single, layers, b->n_names, &two);
    for (size_t i = 0; i < b->n_names; i++) {
        const ltap_tensor *row = &ltap_features_at(first, i)->tensor;
        check_bits(ltap_features_at(f1, i), ltap_features_at(f2, i));
        if (row->rank == 4 && row->dims[0] == 1 &&
            memcmp(row->data, ltap_features_at(f1, i)->tensor.data,
                   (size_t)ltap_tensor_bytes(row)) != 0)
            fail_msg("'%s' has other bits at another batch size", b->names[i]);
    }
    ltap_features_free(f1);
    ltap_features_free(f2);
    ltap_features_free(first);
}

static void two_names_for_one_layer_are_two_entries_in_request_order(void **state)
{
    const bench *b = *state;
    const ltap_return_layer layers[] = {
        {b->names[b->n_names - 1], "z"}, {b->names[3], "b"}, {b->names[b->n_names - 1], "a"}};
    ltap_features *features = forward(b, layers, 3, NULL);
    assert_int_equal(ltap_features_count(features), 3);
    assert_string_equal(ltap_features_at(features, 0)->name, "z");
    assert_string_equal(ltap_features_at(features, 1)->name, "b");
    assert_string_equal(ltap_features_at(features, 2)->name, "a");
    check_bits(ltap_features_at(features, 0), ltap_features_at(features, 2));
    assert_true(ltap_features_at(features, 0)->tensor.data !=
                ltap_features_at(features, 2)->tensor.data);
    assert_null(ltap_features_find(features, "c"));
    ltap_features_free(features);
}

static void features_outlive_everything(void **state)
{
    bench own = *(bench *)*state;
    ltap_error error;
    const ltap_return_layer layer = {own.names[5], NULL};
    must(ltap_model_open(TEST_MODEL, NULL, &own.model, &error), &error);
    ltap_features *features = forward(&own, &layer, 1, NULL);
    ltap_model_close(own.model);
    check_bits(ltap_features_at(features, 0), ltap_features_find(own.all, own.names[5]));
    ltap_features_free(features);
}

static void a_memory_limit_is_kept(void **state)
{
    bench own = *(bench *)*state;
    ltap_error error;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    ltap_features *features = NULL;
    const ltap_model_options options = {.memory_limit = 3 << 20};
    const ltap_return_layer layer = {own.names[own.n_names - 1], NULL};
    own.input.tensor.dims[0] = 1;
    must(ltap_model_open(TEST_MODEL, &options, &own.model, &error), &error);
    must(ltap_getter_new(own.model, &layer, 1, NULL, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    ltap_tensor large = {LTAP_FLOAT32, 4, {64, CHANNELS, 64, 64}, NULL};
    large.data = calloc(64 * CHANNELS * 64 * 64, sizeof(float));
    ltap_input input = {NULL, large};
    assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), LTAP_ERROR_MEMORY);
    assert_null(features);
    assert_non_null(strstr(error.message, "limit"));
    free(large.data);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(own.model);
}

typedef struct wrong_input {
    ltap_dtype dtype;
    int rank;
    int64_t dims[4];
    const char *name;
    ltap_status status;
    const char *says;
} wrong_input;

static void wrong_inputs_are_refused_and_the_run_stays_usable(void **state)
{
    static const wrong_input wrong[] = {
        {LTAP_FLOAT32, 4, {1, 4, SIDE, SIDE}, NULL, LTAP_ERROR_INPUT, "float32[1,4,40,40]"},
        {LTAP_FLOAT32, 4, {1, SIDE, SIDE, 3}, NULL, LTAP_ERROR_INPUT, "transpose(0,3,1,2)"},
        {LTAP_FLOAT32, 3, {SIDE, SIDE, 3}, NULL, LTAP_ERROR_INPUT, "transpose(2,0,1)[None]"},
        {LTAP_FLOAT32, 3, {3, SIDE, SIDE}, NULL, LTAP_ERROR_INPUT, "x[None]"},
        {LTAP_UINT8, 4, {1, 3, SIDE, SIDE}, NULL, LTAP_ERROR_INPUT, "astype('float32')"},
        {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, "nobody", LTAP_ERROR_INPUT, "no input 'nobody'"},
        {LTAP_FLOAT32, 4, {1, 3, -1, SIDE}, NULL, LTAP_ERROR_FORMAT, ""},
        {LTAP_FLOAT32, 99, {0}, NULL, LTAP_ERROR_ARGUMENT, "rank 99"},
    };
    const bench *b = *state;
    ltap_error error;
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features = NULL;
    const ltap_return_layer layer = {b->names[4], NULL};
    must(ltap_getter_new(b->model, &layer, 1, NULL, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ltap_input input = {wrong[i].name, {wrong[i].dtype, wrong[i].rank, {0}, b->pixels}};
        memcpy(input.tensor.dims, wrong[i].dims, sizeof(wrong[i].dims));
        assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), wrong[i].status);
        if (!strstr(error.message, wrong[i].says))
            fail_msg("'%s' does not say '%s'", error.message, wrong[i].says);
    }
    assert_int_equal(ltap_run_forward(run, NULL, 0, &features, &error), LTAP_ERROR_INPUT);
    ltap_input twice[2] = {b->input, b->input};
    assert_int_equal(ltap_run_forward(run, twice, 2, &features, &error), LTAP_ERROR_INPUT);
    must(ltap_run_forward(run, &b->input, 1, &features, &error), &error);
    check_bits(ltap_features_at(features, 0), ltap_features_find(b->all, b->names[4]));
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests_give_the_same_bits),
        cmocka_unit_test(fast_kernels_agree_with_the_plain_ones),
        cmocka_unit_test(exact_bits_repeat_over_threads_and_batch),
        cmocka_unit_test(two_names_for_one_layer_are_two_entries_in_request_order),
        cmocka_unit_test(features_outlive_everything),
        cmocka_unit_test(a_memory_limit_is_kept),
        cmocka_unit_test(wrong_inputs_are_refused_and_the_run_stays_usable),
    };
    return cmocka_run_group_tests_name("taps", tests, set_up, tear_down);
}
