/* Interventions: what each kind makes of a layer, on which part, and what is refused. */
#include "hooked.h"

#include <math.h>

enum { CHANNELS = 16, WIDE = 20, PLANE = WIDE * WIDE };

static const char layer1[] = "backbone.layer1"; /* float32[2,16,20,20] */

static uint64_t intervene(ltap_run *run, const ltap_intervention *what)
{
    uint64_t number = 0;
    ltap_error error;
    must(ltap_intervention_add(run, what, &number, &error), &error);
    return number;
}

/* layer1 after one intervention. features: yours to free. */
static const float *change(const ltap_intervention *what, ltap_features **features)
{
    const char *const taps[] = {layer1};
    ltap_run *run = new_run(taps, 1);
    intervene(run, what);
    *features = forward(run);
    ltap_run_free(run);
    return ltap_features_at(*features, 0)->tensor.data;
}

static void a_part_is_set_to_zero_and_the_rest_stays(void **state)
{
    static const struct {
        const char *layer;
        int first[4], end[4];
    } rows[] = {
        {"backbone.layer1", {0, 0, 0, 0}, {2, 16, 20, 20}},
        {"backbone.layer1[:,5]", {0, 5, 0, 0}, {2, 6, 20, 20}},
        {"backbone.layer1[:,-1]", {0, 15, 0, 0}, {2, 16, 20, 20}},
        {"backbone.layer1[1,:]", {1, 0, 0, 0}, {2, 16, 20, 20}},
        {"backbone.layer1[1,2:4,:3,-2:]", {1, 2, 0, 18}, {2, 4, 3, 20}},
        {"backbone.layer1[:,:,19,-20]", {0, 0, 19, 0}, {2, 16, 20, 1}},
        {"backbone.layer1[:,4:4]", {0, 0, 0, 0}, {0, 0, 0, 0}},
        {"backbone.layer1[:,10:99]", {0, 10, 0, 0}, {2, 16, 20, 20}},
    };
    const char *const taps[] = {layer1};
    ltap_features *plain = extract(taps, 1);
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        ltap_features *features;
        const float *after = change(&(ltap_intervention){.layer = rows[r].layer}, &features);
        for (int i = 0; i < BATCH * CHANNELS * PLANE; i++) {
            const int at[4] = {i / PLANE / CHANNELS, i / PLANE % CHANNELS, i / WIDE % WIDE,
                               i % WIDE};
            bool inside = true;
            for (int k = 0; k < 4; k++)
                inside = inside && at[k] >= rows[r].first[k] && at[k] < rows[r].end[k];
            if (after[i] != (inside ? 0 : before[i]))
                fail_msg("%s at %d %d %d %d", rows[r].layer, at[0], at[1], at[2], at[3]);
        }
        ltap_features_free(features);
    }
    ltap_features_free(plain);
}

static void scale_multiplies_and_mean_is_per_channel_and_input(void **state)
{
    const char *const taps[] = {layer1};
    ltap_features *plain = extract(taps, 1), *scaled, *flat, *part;
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    const float *half = change(
        &(ltap_intervention){.layer = layer1, .kind = LTAP_SET_SCALE, .amount = 0.5}, &scaled);
    const float *means =
        change(&(ltap_intervention){.layer = layer1, .kind = LTAP_SET_MEAN}, &flat);
    const float *corner = change(
        &(ltap_intervention){.layer = "backbone.layer1[:,3,0,0]", .kind = LTAP_SET_MEAN}, &part);
    (void)state;
    for (int c = 0; c < BATCH * CHANNELS; c++) {
        double sum = 0;
        for (int i = 0; i < PLANE; i++)
            sum += (double)before[c * PLANE + i];
        for (int i = c * PLANE; i < (c + 1) * PLANE; i++) {
            bool inside = c % CHANNELS == 3 && i % PLANE == 0;
            assert_true(half[i] == before[i] * 0.5f);
            assert_true(means[i] == (float)(sum / PLANE));
            assert_true(corner[i] == (inside ? (float)(sum / PLANE) : before[i]));
        }
    }
    ltap_features *const list[] = {plain, scaled, flat, part};
    for (size_t i = 0; i < 4; i++)
        ltap_features_free(list[i]);
}

static void means_along_another_axis(void **state)
{
    const char *const taps[] = {layer1};
    ltap_features *plain = extract(taps, 1), *flat;
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    const float *means =
        change(&(ltap_intervention){.layer = layer1, .kind = LTAP_SET_MEAN, .channels = -1}, &flat);
    (void)state;
    for (int n = 0; n < BATCH; n++) {
        for (int w = 0; w < WIDE; w++) {
            const size_t row = (size_t)n * CHANNELS * PLANE;
            double sum = 0;
            for (int i = 0; i < CHANNELS * WIDE; i++)
                sum += (double)before[row + (size_t)i * WIDE + (size_t)w];
            for (int i = 0; i < CHANNELS * WIDE; i++)
                assert_true(means[row + (size_t)i * WIDE + (size_t)w] ==
                            (float)(sum / (CHANNELS * WIDE)));
        }
    }
    ltap_features_free(plain);
    ltap_features_free(flat);
}

static void noise_is_normal_and_the_same_for_each_input_and_each_time(void **state)
{
    const char *const taps[] = {layer1};
    const ltap_intervention noise = {
        .layer = layer1, .kind = LTAP_SET_NOISE, .amount = 100, .seed = 3};
    ltap_intervention other = noise;
    ltap_features *plain = extract(taps, 1), *first, *again, *seeded;
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    const float *a = change(&noise, &first), *b = change(&noise, &again);
    other.seed = 4;
    const float *c = change(&other, &seeded);
    double sum = 0, square = 0;
    int n = CHANNELS * PLANE;
    (void)state;
    assert_memory_equal(a, b, (size_t)(BATCH * n) * sizeof(float));
    assert_memory_not_equal(a, c, (size_t)(BATCH * n) * sizeof(float));
    for (int i = 0; i < n; i++) {
        double x = ((double)a[i] - (double)before[i]) / 100;
        double y = ((double)a[n + i] - (double)before[n + i]) / 100;
        assert_true(fabs(x - y) < 1e-5);
        sum += x;
        square += x * x;
    }
    assert_true(fabs(sum / n) < 0.05);
    assert_true(fabs(square / n - 1) < 0.05);
    ltap_features *const list[] = {plain, first, again, seeded};
    for (size_t i = 0; i < 4; i++)
        ltap_features_free(list[i]);
}

static void a_value_is_taken_for_each_input_or_for_all(void **state)
{
    static float numbers[BATCH * CHANNELS * PLANE];
    static double doubles[PLANE];
    static int64_t single[1] = {-7};
    const struct {
        const char *layer;
        ltap_tensor value;
    } rows[] = {
        {"backbone.layer1", {LTAP_FLOAT32, 4, {BATCH, CHANNELS, WIDE, WIDE}, numbers}},
        {"backbone.layer1", {LTAP_FLOAT32, 4, {1, CHANNELS, WIDE, WIDE}, numbers}},
        {"backbone.layer1[:,2]", {LTAP_FLOAT32, 4, {1, CHANNELS, WIDE, WIDE}, numbers}},
        {"backbone.layer1[:,2]", {LTAP_FLOAT64, 3, {1, WIDE, WIDE}, doubles}},
        {"backbone.layer1[0,2]", {LTAP_FLOAT64, 2, {WIDE, WIDE}, doubles}},
        {"backbone.layer1[1,2,3,4]", {LTAP_INT64, 0, {0}, single}},
        {"backbone.layer1[:,2,3,4]", {LTAP_INT64, 1, {1}, single}},
    };
    const char *const taps[] = {layer1};
    ltap_features *plain = extract(taps, 1);
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    (void)state;
    for (int i = 0; i < BATCH * CHANNELS * PLANE; i++)
        numbers[i] = (float)i;
    for (int i = 0; i < PLANE; i++)
        doubles[i] = i * 0.25;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        ltap_features *features;
        const float *after = change(&(ltap_intervention){.layer = rows[r].layer,
                                                         .kind = LTAP_SET_VALUE,
                                                         .value = &rows[r].value},
                                    &features);
        for (int i = 0; i < BATCH * CHANNELS * PLANE; i++) {
            int n = i / PLANE / CHANNELS, c = i / PLANE % CHANNELS, place = i % PLANE;
            const float by_row[] = {
                (float)i,
                (float)(i % (CHANNELS * PLANE)),
                c == 2 ? (float)(i % (CHANNELS * PLANE)) : before[i],
                c == 2 ? (float)(place * 0.25) : before[i],
                c == 2 && n == 0 ? (float)(place * 0.25) : before[i],
                c == 2 && n == 1 && place == 64 ? -7 : before[i],
                c == 2 && place == 64 ? -7 : before[i],
            };
            if (after[i] != by_row[r])
                fail_msg("row %zu at %d", r, i);
        }
        ltap_features_free(features);
    }
    ltap_features_free(plain);
}

static void interventions_on_one_layer_apply_in_the_order_added(void **state)
{
    const char *const taps[] = {layer1};
    ltap_features *plain = extract(taps, 1);
    const float *before = ltap_features_at(plain, 0)->tensor.data;
    static double one = 1;
    const ltap_tensor value = {LTAP_FLOAT64, 0, {0}, &one};
    ltap_run *run = new_run(taps, 1);
    (void)state;
    uint64_t zero = intervene(run, &(ltap_intervention){.layer = layer1});
    intervene(run, &(ltap_intervention){.layer = "backbone.layer1[0,0,0,0]",
                                        .kind = LTAP_SET_VALUE,
                                        .value = &value});
    intervene(run, &(ltap_intervention){.layer = layer1, .kind = LTAP_SET_SCALE, .amount = 3});
    ltap_features *features = forward(run);
    const float *after = ltap_features_at(features, 0)->tensor.data;
    assert_true(after[0] == 3 && after[1] == 0 && after[500] == 0);
    ltap_features_free(features);
    ltap_hook_remove(run, zero);
    features = forward(run);
    after = ltap_features_at(features, 0)->tensor.data;
    assert_true(after[0] == 3 && after[1] == before[1] * 3 && after[500] == before[500] * 3);
    ltap_features_free(features);
    ltap_features_free(plain);
    ltap_run_free(run);
}

static void what_does_not_fit_fails_and_the_run_goes_on(void **state)
{
    static float numbers[4096];
    static const ltap_tensor wrong = {LTAP_FLOAT32, 4, {BATCH, CHANNELS, 3, 3}, numbers};
    static const ltap_tensor column = {LTAP_FLOAT32, 1, {1}, numbers};
    static const struct {
        ltap_intervention what;
        const char *message;
    } rows[] = {
        {{.layer = "backbone.layer1[:,16]"}, "there is no index 16 along axis 1, which has 16"},
        {{.layer = "backbone.layer1[:,-17]"}, "there is no index -17 along axis 1"},
        {{.layer = "backbone.layer1[:,0,0,0,0]"}, "the part has 5 axes, the layer is float32[2,"},
        {{.layer = "backbone.layer1", .kind = LTAP_SET_VALUE, .value = &wrong},
         "the value is float32[2,16,3,3], the layer is float32[2,16,20,20]"},
        {{.layer = "backbone.layer1[0,0,0]", .kind = LTAP_SET_VALUE, .value = &column},
         "the value is float32[1]; the layer is float32[2,16,20,20], its part float32[20]"},
        {{.layer = "backbone.layer1", .kind = LTAP_SET_MEAN, .channels = 4},
         "no channels along axis 4"},
    };
    ltap_features *plain = extract(all_outputs, 2);
    ltap_run *run = new_run(all_outputs, 2);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ltap_features *features = NULL;
        ltap_error error;
        uint64_t number = intervene(run, &rows[i].what);
        ltap_status status = ltap_run_forward(run, &input, 1, &features, &error);
        if (status != LTAP_ERROR_INPUT || !strstr(error.message, rows[i].message) ||
            !strstr(error.message, "the intervention at 'backbone.layer1': "))
            fail_msg("%zu: %s: %s", i, ltap_status_name(status), error.message);
        ltap_hook_remove(run, number);
        features = forward(run);
        for (size_t k = 0; k < 2; k++)
            assert_true(same_tensor(&ltap_features_at(features, k)->tensor,
                                    &ltap_features_at(plain, k)->tensor));
        ltap_features_free(features);
    }
    ltap_features_free(plain);
    ltap_run_free(run);
}

static void wrong_arguments_are_refused(void **state)
{
    static float numbers[1];
    static const ltap_tensor text = {LTAP_STRING, 1, {1}, numbers};
    static const ltap_tensor empty = {LTAP_FLOAT32, 1, {1}, NULL};
    static const struct {
        ltap_intervention what;
        ltap_status status;
    } rows[] = {
        {{.layer = NULL}, LTAP_ERROR_ARGUMENT},
        {{.layer = "backbone.layer1", .kind = 9}, LTAP_ERROR_ARGUMENT},
        {{.layer = "backbone.layer1", .kind = LTAP_SET_VALUE}, LTAP_ERROR_ARGUMENT},
        {{.layer = "backbone.layer1", .kind = LTAP_SET_VALUE, .value = &text}, LTAP_ERROR_ARGUMENT},
        {{.layer = "backbone.layer1", .kind = LTAP_SET_VALUE, .value = &empty},
         LTAP_ERROR_ARGUMENT},
        {{.layer = "backbone.layer9[:,1]"}, LTAP_ERROR_UNKNOWN_LAYER},
        {{.layer = "backbone.layer1[:,x]"}, LTAP_ERROR_UNKNOWN_LAYER},
        {{.layer = "backbone.layer1[,1]"}, LTAP_ERROR_UNKNOWN_LAYER},
    };
    ltap_run *run = new_run(all_outputs, 1);
    ltap_error error;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (ltap_intervention_add(run, &rows[i].what, NULL, &error) != rows[i].status)
            fail_msg("row %zu: %s", i, error.message);
    ltap_features_free(forward(run));
    ltap_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_set_to_zero_and_the_rest_stays),
        cmocka_unit_test(scale_multiplies_and_mean_is_per_channel_and_input),
        cmocka_unit_test(means_along_another_axis),
        cmocka_unit_test(noise_is_normal_and_the_same_for_each_input_and_each_time),
        cmocka_unit_test(a_value_is_taken_for_each_input_or_for_all),
        cmocka_unit_test(interventions_on_one_layer_apply_in_the_order_added),
        cmocka_unit_test(what_does_not_fit_fails_and_the_run_goes_on),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("intervene", tests, set_up, tear_down);
}
