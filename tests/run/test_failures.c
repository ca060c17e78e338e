/* Every n-th allocation of a whole extraction fails: one clear error each time, nothing leaked, and
 * with memory again the same call works. Then many threads on one getter.
 */
#include <layertap/layertap.h>

#include "support/fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 24, N_THREADS = 4, N_FORWARDS = 6 };

static const ltap_return_layer wanted[] = {{"backbone.layer1", "one@max@topk:2"},
                                           {"backbone.conv1", NULL}};

typedef struct chain {
    ltap_model *model;
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features;
} chain;

static void fill(float *pixels, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static ltap_hook_answer look(void *user, ltap_hook_call *call)
{
    size_t *seen = user;
    *seen += ltap_tensor_bytes(&call->tensors[0]);
    return call->side == LTAP_HOOK_BEFORE ? LTAP_HOOK_REPLACED : LTAP_HOOK_CONTINUE;
}

/* A first set of hooks, then another. */
static ltap_status hook(chain *made, const ltap_input *input, ltap_error *error)
{
    static size_t seen;
    const ltap_hook hooks[] = {{.layer = "backbone.layer1.*.relu", .callback = look, .user = &seen},
                               {.layer = "backbone.bn1",
                                .side = LTAP_HOOK_BEFORE,
                                .replaces = 1,
                                .callback = look,
                                .user = &seen}};
    uint64_t number = 0;
    ltap_status status = ltap_hook_add(made->run, &hooks[0], &number, error);
    if (status == LTAP_OK)
        status = ltap_run_forward(made->run, input, 1, &made->features, error);
    ltap_features_free(made->features);
    made->features = NULL;
    if (status == LTAP_OK)
        status = ltap_hook_add(made->run, &hooks[1], NULL, error);
    const ltap_intervention mean = {.layer = "backbone.conv1[:,3]", .kind = LTAP_SET_MEAN};
    if (status == LTAP_OK)
        status = ltap_intervention_add(made->run, &mean, NULL, error);
    ltap_hook_remove(made->run, number);
    return status;
}

static ltap_status extract(const ltap_allocator *allocator, chain *made, ltap_error *error)
{
    static float pixels[3 * SIDE * SIDE];
    const ltap_model_options options = {.allocator = allocator};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, pixels}};
    ltap_status status;

    fill(pixels, sizeof(pixels) / sizeof(float), 5);
    status = ltap_model_open(TEST_MODEL, &options, &made->model, error);
    if (status == LTAP_OK)
        status = ltap_getter_new(made->model, wanted, 2, NULL, &made->getter, error);
    if (status == LTAP_OK)
        status = ltap_run_new(made->getter, &made->run, error);
    if (status == LTAP_OK)
        status = ltap_run_profile(made->run, 1, error);
    if (status == LTAP_OK)
        status = hook(made, &input, error);
    if (status == LTAP_OK)
        status = ltap_run_forward(made->run, &input, 1, &made->features, error);
    return status;
}

static void release(chain *made)
{
    ltap_model_close(made->model); /* in the order of making: whoever needs it keeps it */
    ltap_getter_free(made->getter);
    ltap_run_free(made->run);
    ltap_features_free(made->features);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        chain made = {0};
        ltap_error error = {0};
        fail_alloc_init(&heap, n);
        ltap_status status = extract(&heap.allocator, &made, &error);
        release(&made);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap)) {
            assert_int_equal(status, LTAP_OK);
            assert_true(n > 100);
            break;
        }
        if (status != LTAP_ERROR_MEMORY)
            fail_msg("allocation %zu failed and the status is %s", n, ltap_status_name(status));
        assert_int_equal(error.code, LTAP_ERROR_MEMORY);
        assert_true(strlen(error.message) > 10);
    }
}

typedef struct worker {
    ltap_getter *getter;
    uint32_t seed;
    int failures;
} worker;

static int forward_once(worker *self, ltap_run *run, const float *pixels, int side, float *sum)
{
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, side, side}, (void *)pixels}};
    ltap_features *features;
    (void)self;
    if (ltap_run_forward(run, &input, 1, &features, NULL) != LTAP_OK)
        return 1;
    const ltap_tensor *tensor = &ltap_features_at(features, 0)->tensor;
    *sum = 0;
    for (uint64_t i = 0; i < ltap_tensor_count(tensor); i++)
        *sum += ((const float *)tensor->data)[i];
    ltap_features_free(features);
    return 0;
}

/* The same input again gives the same sum, whatever the other threads do. */
static void *work(void *context)
{
    worker *self = context;
    float *pixels = malloc(3 * SIDE * SIDE * 4 * sizeof(float)), first[2], again;
    ltap_run *run;
    fill(pixels, 3 * SIDE * SIDE * 4, self->seed);
    if (ltap_run_new(self->getter, &run, NULL) != LTAP_OK) {
        self->failures++;
        free(pixels);
        return NULL;
    }
    for (int i = 0; i < N_FORWARDS; i++) {
        int large = i % 2;
        float *sum = i < 2 ? &first[large] : &again;
        self->failures += forward_once(self, run, pixels, large ? 2 * SIDE : SIDE, sum);
        self->failures += i >= 2 && again != first[large];
    }
    ltap_run_free(run);
    free(pixels);
    return NULL;
}

static void many_threads_share_a_getter(void **state)
{
    const ltap_getter_options options = {.threads = 1};
    pthread_t threads[N_THREADS];
    worker workers[N_THREADS];
    ltap_error error;
    ltap_model *model;
    ltap_getter *getter;
    (void)state;
    assert_int_equal(ltap_model_open(TEST_MODEL, NULL, &model, &error), LTAP_OK);
    assert_int_equal(ltap_getter_new(model, wanted, 2, &options, &getter, &error), LTAP_OK);
    for (uint32_t i = 0; i < N_THREADS; i++) {
        workers[i] = (worker){.getter = getter, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    ltap_getter_free(getter);
    ltap_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(many_threads_share_a_getter),
    };
    return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
