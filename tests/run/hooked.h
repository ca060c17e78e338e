/* Runs with hooks, for tests: one model, one input, and what fails the test when it is refused.
 * Everything here goes through the public headers, as a user's program would.
 */
#ifndef LTAP_TESTS_RUN_HOOKED_H
#define LTAP_TESTS_RUN_HOOKED_H

#include <layertap/layertap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 40, BATCH = 2, PIXELS = BATCH * 3 * SIDE * SIDE, MAX_LAYERS = 512 };

static const char *const all_outputs[] = {"segmentation", "aux"};
static float pixels[PIXELS];
static const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {BATCH, 3, SIDE, SIDE}, pixels}};
static ltap_model *model;

static inline void must(ltap_status status, const ltap_error *error)
{
    if (status != LTAP_OK)
        fail_msg("%s: %s", ltap_status_name(status), error->message);
}

static inline int set_up(void **state)
{
    ltap_error error;
    uint32_t seed = 7;
    (void)state;
    for (int i = 0; i < PIXELS; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    must(ltap_model_open(TEST_MODEL, NULL, &model, &error), &error);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    ltap_model_close(model);
    return 0;
}

static inline ltap_run *new_run(const char *const *layers, size_t n)
{
    ltap_return_layer wanted[MAX_LAYERS];
    ltap_getter *getter;
    ltap_error error;
    ltap_run *run;
    for (size_t i = 0; i < n; i++)
        wanted[i] = (ltap_return_layer){layers[i], NULL};
    must(ltap_getter_new(model, wanted, n, NULL, &getter, &error), &error);
    must(ltap_run_new(getter, &run, &error), &error);
    ltap_getter_free(getter);
    return run;
}

static inline ltap_features *forward(ltap_run *run)
{
    ltap_features *features;
    ltap_error error;
    must(ltap_run_forward(run, &input, 1, &features, &error), &error);
    return features;
}

static inline ltap_features *extract(const char *const *layers, size_t n)
{
    ltap_run *run = new_run(layers, n);
    ltap_features *features = forward(run);
    ltap_run_free(run);
    return features;
}

static inline uint64_t add(ltap_run *run, const ltap_hook *hook)
{
    uint64_t number = 0;
    ltap_error error;
    must(ltap_hook_add(run, hook, &number, &error), &error);
    assert_true(number > 0);
    return number;
}

static inline int same_tensor(const ltap_tensor *a, const ltap_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(a->dims[0])) == 0 &&
           memcmp(a->data, b->data, (size_t)ltap_tensor_bytes(a)) == 0;
}

static inline size_t list_layers(const char **names)
{
    size_t n = 0;
    for (size_t i = 0; i < ltap_model_layers_count(model); i++)
        names[n++] = ltap_model_layers_at(model, i)->name;
    assert_true(n > 50 && n < MAX_LAYERS);
    return n;
}

#endif
