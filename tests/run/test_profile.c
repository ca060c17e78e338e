/* Profiles: the steps of the printed plan, counted and timed, and nothing else changed by it. */
#include <layertap/layertap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 24, LARGER = 40, MAX_LINES = 512 };

static const ltap_return_layer wanted[] = {{"backbone.layer2", NULL}, {"backbone.layer1", NULL}};

typedef struct bench {
    ltap_model *model;
    ltap_getter *getter;
    ltap_run *run;
    float pixels[3 * LARGER * LARGER];
} bench;

static int set_up(void **state)
{
    bench *b = calloc(1, sizeof(*b));
    for (size_t i = 0; i < sizeof(b->pixels) / sizeof(float); i++)
        b->pixels[i] = (float)(i * 7 % 31) / 31 - 0.5f;
    *state = b;
    return ltap_model_open(TEST_MODEL, NULL, &b->model, NULL) != LTAP_OK ||
           ltap_getter_new(b->model, wanted, 2, NULL, &b->getter, NULL) != LTAP_OK ||
           ltap_run_new(b->getter, &b->run, NULL) != LTAP_OK;
}

static int tear_down(void **state)
{
    bench *b = *state;
    ltap_run_free(b->run);
    ltap_getter_free(b->getter);
    ltap_model_close(b->model);
    free(b);
    return 0;
}

static ltap_tensor picture(const bench *b, int side)
{
    return (ltap_tensor){LTAP_FLOAT32, 4, {1, 3, side, side}, (void *)b->pixels};
}

static ltap_features *forward(const bench *b, int side)
{
    const ltap_input input = {NULL, picture(b, side)};
    ltap_features *features;
    assert_int_equal(ltap_run_forward(b->run, &input, 1, &features, NULL), LTAP_OK);
    return features;
}

typedef struct lines {
    char *text[MAX_LINES];
    size_t n;
} lines;

static void keep_line(void *user, const char *text)
{
    lines *kept = user;
    assert_true(kept->n < MAX_LINES);
    kept->text[kept->n++] = strdup(text);
}

static void a_profile_has_the_steps_of_the_printed_plan(void **state)
{
    const bench *b = *state;
    const ltap_tensor tensor = picture(b, SIDE);
    lines plan = {.n = 0};
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    ltap_features_free(forward(b, SIDE));
    assert_int_equal(ltap_getter_explain(b->getter, &tensor, 1, keep_line, &plan, NULL), LTAP_OK);
    assert_int_equal(ltap_run_profile_count(b->run), plan.n);
    for (size_t i = 0; i < plan.n; i++) {
        const ltap_profile_step *step = ltap_run_profile_at(b->run, i);
        char head[256];
        if (strcmp(step->kernel, "copy") == 0)
            snprintf(head, sizeof(head), "%s", step->operation);
        else
            snprintf(head, sizeof(head), "%s [%s]", step->operation, step->kernel);
        if (!strstr(plan.text[i], head) || !strstr(plan.text[i], step->refusals))
            fail_msg("the plan has '%s', the profile '%s (%s)'", plan.text[i], head,
                     step->refusals);
        assert_true(step->layer[0]);
        free(plan.text[i]);
    }
    assert_null(ltap_run_profile_at(b->run, plan.n));
}

static void multiply_adds_are_those_of_the_estimate(void **state)
{
    const bench *b = *state;
    const ltap_tensor tensor = picture(b, SIDE);
    ltap_estimate estimate;
    uint64_t sum = 0;
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    ltap_features_free(forward(b, SIDE));
    for (size_t i = 0; i < ltap_run_profile_count(b->run); i++)
        sum += ltap_run_profile_at(b->run, i)->mult_adds;
    assert_int_equal(ltap_getter_estimate(b->getter, &tensor, 1, &estimate, NULL), LTAP_OK);
    assert_true(sum > 0);
    assert_int_equal(sum, estimate.mult_adds);
}

static uint64_t total(const bench *b, uint64_t calls)
{
    uint64_t nanoseconds = 0;
    for (size_t i = 0; i < ltap_run_profile_count(b->run); i++) {
        assert_int_equal(ltap_run_profile_at(b->run, i)->calls, calls);
        nanoseconds += ltap_run_profile_at(b->run, i)->nanoseconds;
    }
    return nanoseconds;
}

static void time_is_added_up_while_it_is_on(void **state)
{
    const bench *b = *state;
    ltap_features_free(forward(b, SIDE));
    assert_int_equal(ltap_run_profile_count(b->run), 0);
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    assert_int_equal(ltap_run_profile_count(b->run), 0);
    ltap_features_free(forward(b, SIDE));
    uint64_t one = total(b, 1);
    assert_true(one > 0);
    ltap_features_free(forward(b, SIDE));
    uint64_t two = total(b, 2);
    assert_true(two > one);
    assert_int_equal(ltap_run_profile(b->run, 0, NULL), LTAP_OK);
    ltap_features_free(forward(b, SIDE));
    assert_int_equal(total(b, 2), two);
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    assert_int_equal(ltap_run_profile_count(b->run), 0);
}

static void other_shapes_begin_anew(void **state)
{
    const bench *b = *state;
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    ltap_features_free(forward(b, SIDE));
    ltap_features_free(forward(b, SIDE));
    ltap_features_free(forward(b, LARGER));
    assert_true(total(b, 1) > 0);
}

static void it_changes_no_bit(void **state)
{
    const bench *b = *state;
    ltap_features *without = forward(b, SIDE);
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    ltap_features *with = forward(b, SIDE);
    for (size_t i = 0; i < 2; i++) {
        const ltap_tensor *x = &ltap_features_at(without, i)->tensor;
        const ltap_tensor *y = &ltap_features_at(with, i)->tensor;
        assert_int_equal(ltap_tensor_bytes(x), ltap_tensor_bytes(y));
        assert_memory_equal(x->data, y->data, (size_t)ltap_tensor_bytes(x));
    }
    ltap_features_free(without);
    ltap_features_free(with);
}

static void a_convolution_with_a_norm_folded_in_is_found_under_its_own_name(void **state)
{
    const bench *b = *state;
    assert_int_equal(ltap_run_profile(b->run, 1, NULL), LTAP_OK);
    ltap_features_free(forward(b, SIDE));
    size_t found = 0;
    for (size_t i = 0; i < ltap_run_profile_count(b->run); i++)
        found += strcmp(ltap_run_profile_at(b->run, i)->layer, "backbone.layer1.0.conv2") == 0;
    assert_int_equal(found, 1);
}

static void no_run_is_refused(void **state)
{
    ltap_error error;
    (void)state;
    assert_int_equal(ltap_run_profile(NULL, 1, &error), LTAP_ERROR_ARGUMENT);
    assert_string_equal(error.message, "ltap_run_profile: the run is NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_profile_has_the_steps_of_the_printed_plan, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(multiply_adds_are_those_of_the_estimate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_is_added_up_while_it_is_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_shapes_begin_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_changes_no_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_convolution_with_a_norm_folded_in_is_found_under_its_own_name, set_up, tear_down),
        cmocka_unit_test(no_run_is_refused),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
