/* Hooks that replace, through the public headers. The oracle for a replaced output is a getter that
 * starts at that layer with the same value.
 */
#include "hooked.h"

#include <math.h>

/* Gives tensors of numbers that depend on the place alone. */
static void scribble(const ltap_tensor *tensor)
{
    for (uint64_t i = 0; tensor->dtype == LTAP_FLOAT32 && i < ltap_tensor_count(tensor); i++)
        ((float *)tensor->data)[i] = (float)(i * 7919 % 1009) / 300.0f - 1.0f;
}

static ltap_hook_answer write_in_place(void *user, ltap_hook_call *call)
{
    (void)user;
    for (size_t i = 0; i < call->n_tensors; i++)
        scribble(&call->tensors[i]);
    return LTAP_HOOK_REPLACED;
}

/* Another piece of memory, which lives longer than the forward. */
static ltap_hook_answer give_other(void *user, ltap_hook_call *call)
{
    static float other[BATCH * 64 * SIDE * SIDE];
    ltap_tensor *tensor = &call->tensors[0];
    (void)user;
    assert_true(ltap_tensor_bytes(tensor) <= sizeof(other));
    tensor->data = other;
    scribble(tensor);
    return LTAP_HOOK_REPLACED;
}

static ltap_hook_answer leave(void *user, ltap_hook_call *call)
{
    (void)user;
    (void)call;
    return LTAP_HOOK_REPLACED;
}

/* What the outputs are when the layer's value is scribbled over. */
static ltap_features *start_at(const char *layer, const ltap_tensor *shape)
{
    const ltap_return_layer wanted[] = {{"segmentation", NULL}, {"aux", NULL}};
    const ltap_return_layer from = {layer, "start"};
    const ltap_getter_options options = {.from = &from, .n_from = 1};
    ltap_input inputs[2] = {{"image", input.tensor}, {"start", *shape}};
    ltap_getter *getter = NULL;
    ltap_features *features = NULL;
    ltap_error error;
    ltap_run *run;
    size_t first = ltap_getter_new(model, wanted, 2, &options, &getter, &error) == LTAP_OK ? 0 : 1;
    if (first)
        must(ltap_getter_new(model, wanted, 1, &options, &getter, &error), &error);
    inputs[1].tensor.data = malloc((size_t)ltap_tensor_bytes(shape));
    scribble(&inputs[1].tensor);
    must(ltap_run_new(getter, &run, &error), &error);
    must(ltap_run_forward(run, inputs, 2, &features, &error), &error);
    free(inputs[1].tensor.data);
    ltap_run_free(run);
    ltap_getter_free(getter);
    return features;
}

static double distance(const ltap_tensor *a, const ltap_tensor *b)
{
    ltap_difference difference = {0};
    ltap_error error;
    must(ltap_tensor_compare(a, b, &difference, &error), &error);
    assert_int_equal(difference.n_misplaced, 0);
    return ltap_difference_relative(&difference);
}

static void check_replaced(const char *layer, const ltap_tensor *shape,
                           ltap_hook_answer (*callback)(void *, ltap_hook_call *))
{
    const char *const wanted[] = {"segmentation", layer};
    ltap_run *run = new_run(wanted, 2);
    ltap_features *expected = start_at(layer, shape);
    add(run, &(ltap_hook){.layer = layer, .replaces = 1, .callback = callback});
    ltap_features *features = forward(run);
    double off = distance(&ltap_features_at(features, 0)->tensor,
                          &ltap_features_find(expected, "segmentation")->tensor);
    if (off > 0)
        fail_msg("replaced at '%s', the output is off by %g", layer, off);
    ltap_tensor own = ltap_features_at(features, 1)->tensor;
    own.data = malloc((size_t)ltap_tensor_bytes(&own));
    scribble(&own);
    assert_true(same_tensor(&own, &ltap_features_at(features, 1)->tensor));
    free(own.data);
    ltap_features_free(features);
    ltap_features_free(expected);
    ltap_run_free(run);
}

static bool leads_to_segmentation(const char *name)
{
    const char *const wanted[] = {"segmentation"};
    const ltap_hook hook = {.layer = name, .callback = leave};
    ltap_run *run = new_run(wanted, 1);
    ltap_status status = ltap_hook_add(run, &hook, NULL, NULL);
    ltap_run_free(run);
    return status == LTAP_OK;
}

static void a_replaced_output_is_what_all_that_follows_is_computed_from(void **state)
{
    const char *names[MAX_LAYERS];
    size_t n = list_layers(names), n_checked = 0;
    ltap_features *taps = extract(names, n);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const ltap_tensor *shape = &ltap_features_at(taps, i)->tensor;
        if (!leads_to_segmentation(names[i]) || strcmp(names[i], "image") == 0 ||
            strcmp(names[i], "segmentation") == 0 || shape->dtype != LTAP_FLOAT32)
            continue;
        check_replaced(names[i], shape, n_checked % 2 ? write_in_place : give_other);
        n_checked++;
    }
    assert_true(n_checked > 60);
    ltap_features_free(taps);
}

/* Everything is handed on by a hook, unchanged: the same bits, but where a convolution and its
 * BatchNormalization are torn apart. */
static void values_that_are_replaced_by_themselves_change_nothing(void **state)
{
    static const struct {
        const char *layers;
        ltap_hook_side side;
        double tolerance;
    } rows[] = {
        {"op:Relu", LTAP_HOOK_AFTER, 0},       {"op:Add", LTAP_HOOK_BEFORE, 0},
        {"op:Relu", LTAP_HOOK_BEFORE, 0},      {"backbone.layer*", LTAP_HOOK_AFTER, 0},
        {"backbone.*.*", LTAP_HOOK_BEFORE, 0}, {"**.bn1", LTAP_HOOK_AFTER, 0},
        {"op:Resize", LTAP_HOOK_BEFORE, 0},    {"**.conv1", LTAP_HOOK_AFTER, 1e-5},
        {"**.bn1", LTAP_HOOK_BEFORE, 1e-5},    {"**.conv1", LTAP_HOOK_BEFORE, 1e-5},
    };
    ltap_features *plain = extract(all_outputs, 2);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ltap_run *run = new_run(all_outputs, 2);
        add(run,
            &(ltap_hook){
                .layer = rows[i].layers, .side = rows[i].side, .replaces = 1, .callback = leave});
        ltap_features *features = forward(run);
        for (size_t k = 0; k < 2; k++) {
            double off = distance(&ltap_features_at(features, k)->tensor,
                                  &ltap_features_at(plain, k)->tensor);
            if (off > rows[i].tolerance)
                fail_msg("'%s' replaced by itself: output %zu is off by %g", rows[i].layers, k,
                         off);
        }
        ltap_features_free(features);
        ltap_run_free(run);
    }
    ltap_features_free(plain);
}

/* Taps of a run with one hook that replaces. */
static ltap_features *tap_replaced(const char *const *taps, size_t n, const char *layer,
                                   ltap_hook_side side)
{
    ltap_run *run = new_run(taps, n);
    add(run, &(ltap_hook){.layer = layer, .side = side, .replaces = 1, .callback = write_in_place});
    ltap_features *features = forward(run);
    ltap_run_free(run);
    return features;
}

static int same_at(const ltap_features *a, const ltap_features *b, size_t index)
{
    return same_tensor(&ltap_features_at(a, index)->tensor, &ltap_features_at(b, index)->tensor);
}

/* layer2.0 reads layer1's output twice: in conv1 and in downsample. */
static void replaced_inputs_are_seen_by_that_layer_alone(void **state)
{
    static const char *const taps[] = {"backbone.layer2.0.conv1", "backbone.layer2.0.downsample.0",
                                       "backbone.layer1", "segmentation"};
    ltap_features *plain = extract(taps, 4);
    ltap_features *all = tap_replaced(taps, 4, "backbone.layer1", LTAP_HOOK_AFTER);
    ltap_features *module = tap_replaced(taps, 4, "backbone.layer2", LTAP_HOOK_BEFORE);
    ltap_features *one = tap_replaced(taps, 4, "backbone.layer2.0.conv1", LTAP_HOOK_BEFORE);
    ltap_features *node =
        tap_replaced(taps, 4, "node:/backbone/layer2/layer2.0/conv1/Conv", LTAP_HOOK_BEFORE);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_false(same_at(all, plain, i));
        assert_true(same_at(module, all, i));
        assert_true(same_at(one, i == 0 ? all : plain, i));
        assert_true(same_at(node, one, i));
    }
    assert_false(same_at(all, plain, 2));   /* the output is replaced in the features too ... */
    assert_true(same_at(module, plain, 2)); /* ... an input is still what the layer before gave */
    assert_true(same_at(module, all, 3));
    assert_false(same_at(one, all, 3));
    assert_false(same_at(one, plain, 3));
    assert_true(same_at(node, one, 3));
    ltap_features *const list[] = {plain, all, module, one, node};
    for (size_t i = 0; i < 5; i++)
        ltap_features_free(list[i]);
}

static ltap_hook_answer add_one(void *user, ltap_hook_call *call)
{
    float *data = call->tensors[0].data;
    *(float *)user = data[0];
    for (uint64_t i = 0; i < ltap_tensor_count(&call->tensors[0]); i++)
        data[i] += 1;
    return LTAP_HOOK_REPLACED;
}

static ltap_hook_answer note_first(void *user, ltap_hook_call *call)
{
    *(float *)user = ((const float *)call->tensors[0].data)[0];
    return LTAP_HOOK_CONTINUE;
}

/* layer1.1's last relu, layer1.1 and layer1 are one value: hooks see it from the inside out. */
static void nested_layers_see_each_others_replacements(void **state)
{
    static const char *const taps[] = {"backbone.layer1"};
    float seen[5], first;
    ltap_features *plain = extract(taps, 1);
    ltap_run *run = new_run(taps, 1);
    (void)state;
    first = ((const float *)ltap_features_at(plain, 0)->tensor.data)[0];
    add(run, &(ltap_hook){.layer = "backbone.layer1", .callback = note_first, .user = &seen[4]});
    add(run, &(ltap_hook){
                 .layer = "backbone.layer1", .replaces = 1, .callback = add_one, .user = &seen[3]});
    add(run,
        &(ltap_hook){
            .layer = "backbone.layer1.1", .replaces = 1, .callback = add_one, .user = &seen[1]});
    add(run,
        &(ltap_hook){
            .layer = "backbone.layer1.1", .replaces = 1, .callback = add_one, .user = &seen[2]});
    add(run, &(ltap_hook){
                 .layer = "backbone.layer1.1.relu#1", .callback = note_first, .user = &seen[0]});
    ltap_features *features = forward(run);
    const float expected[] = {first, first, first + 1, first + 2, first + 2};
    for (int i = 0; i < 5; i++)
        assert_true(seen[i] == expected[i]);
    assert_true(((const float *)ltap_features_at(features, 0)->tensor.data)[0] == first + 3);
    ltap_features_free(features);
    ltap_features_free(plain);
    ltap_run_free(run);
}

/* On the way in: layer2's inputs, then layer2.0's, then conv1's. */
static void nested_inputs_are_replaced_from_the_outside_in(void **state)
{
    static const char *const taps[] = {"backbone.layer2.0.conv1"};
    static const char *const hooked[] = {"backbone.layer2.0.conv1", "backbone.layer2",
                                         "backbone.layer2.0"};
    float seen[4];
    ltap_run *run = new_run(taps, 1);
    (void)state;
    for (int i = 0; i < 3; i++)
        add(run, &(ltap_hook){.layer = hooked[i],
                              .side = LTAP_HOOK_BEFORE,
                              .replaces = 1,
                              .callback = add_one,
                              .user = &seen[i]});
    add(run, &(ltap_hook){.layer = "node:/backbone/layer2/layer2.0/conv1/Conv",
                          .side = LTAP_HOOK_BEFORE,
                          .callback = note_first,
                          .user = &seen[3]});
    ltap_features_free(forward(run));
    assert_true(seen[2] == seen[1] + 1);
    assert_true(seen[0] == seen[1] + 2);
    assert_true(seen[3] == seen[1] + 3);
    ltap_run_free(run);
}

static ltap_hook_answer give_wrong_shape(void *user, ltap_hook_call *call)
{
    (void)user;
    call->tensors[0].dims[1]++;
    return LTAP_HOOK_REPLACED;
}

static ltap_hook_answer give_wrong_type(void *user, ltap_hook_call *call)
{
    (void)user;
    call->tensors[0].dtype = LTAP_INT32;
    return LTAP_HOOK_REPLACED;
}

static ltap_hook_answer give_nothing(void *user, ltap_hook_call *call)
{
    (void)user;
    call->tensors[0].data = NULL;
    return LTAP_HOOK_REPLACED;
}

static void what_does_not_fit_is_refused_and_the_run_goes_on(void **state)
{
    static const struct {
        ltap_hook_answer (*callback)(void *user, ltap_hook_call *call);
        int replaces;
        const char *message;
    } rows[] = {
        {give_wrong_shape, 1,
         "the hook at 'backbone.layer1' replaced float32[2,16,20,20] by float32[2,17,20,20]; type "
         "and shape must stay"},
        {give_wrong_type, 1,
         "the hook at 'backbone.layer1' replaced float32[2,16,20,20] by int32[2,16,20,20]; type "
         "and shape must stay"},
        {give_nothing, 1,
         "the hook at 'backbone.layer1' replaced float32[2,16,20,20] by nothing; type and shape "
         "must stay"},
        {leave, 0, "the hook at 'backbone.layer1' was added to look, and replaced; set `replaces`"},
    };
    ltap_features *plain = extract(all_outputs, 2);
    ltap_run *run = new_run(all_outputs, 2);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ltap_features *features = NULL;
        ltap_error error;
        uint64_t number = add(run, &(ltap_hook){.layer = "backbone.layer1",
                                                .replaces = rows[i].replaces,
                                                .callback = rows[i].callback});
        assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), LTAP_ERROR_HOOK);
        assert_string_equal(error.message, rows[i].message);
        assert_null(features);
        ltap_hook_remove(run, number);
        features = forward(run);
        assert_true(same_at(features, plain, 0) && same_at(features, plain, 1));
        ltap_features_free(features);
    }
    ltap_features_free(plain);
    ltap_run_free(run);
}

static ltap_hook_answer stop(void *user, ltap_hook_call *call)
{
    (void)user;
    (void)call;
    return LTAP_HOOK_STOP;
}

static void a_layer_at_which_was_stopped_is_there_as_it_was_replaced(void **state)
{
    static const char *const taps[] = {"backbone.layer1", "backbone.layer2"};
    ltap_features *all = tap_replaced(taps, 2, "backbone.layer1", LTAP_HOOK_AFTER);
    ltap_run *run = new_run(taps, 2);
    (void)state;
    add(run, &(ltap_hook){.layer = "backbone.layer1", .replaces = 1, .callback = write_in_place});
    add(run, &(ltap_hook){.layer = "backbone.layer1", .callback = stop});
    ltap_features *features = forward(run);
    assert_true(same_at(features, all, 0));
    assert_false(ltap_features_at(features, 0)->missing);
    assert_true(ltap_features_at(features, 1)->missing);
    ltap_features_free(features);
    ltap_features_free(all);
    ltap_run_free(run);
}

/* The caller's own data is never written. */
static void the_input_of_the_model_can_be_replaced(void **state)
{
    static const char *const taps[] = {"image", "backbone.conv1"};
    float *before = malloc(sizeof(pixels));
    memcpy(before, pixels, sizeof(pixels));
    ltap_features *features = tap_replaced(taps, 2, "image", LTAP_HOOK_AFTER);
    ltap_features *module = tap_replaced(taps, 2, "backbone.conv1", LTAP_HOOK_BEFORE);
    (void)state;
    assert_memory_equal(before, pixels, sizeof(pixels));
    assert_true(same_at(features, module, 1));
    assert_false(same_at(features, module, 0));
    assert_memory_equal(ltap_features_at(module, 0)->tensor.data, pixels, sizeof(pixels));
    ltap_features_free(features);
    ltap_features_free(module);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_output_is_what_all_that_follows_is_computed_from),
        cmocka_unit_test(values_that_are_replaced_by_themselves_change_nothing),
        cmocka_unit_test(replaced_inputs_are_seen_by_that_layer_alone),
        cmocka_unit_test(nested_layers_see_each_others_replacements),
        cmocka_unit_test(nested_inputs_are_replaced_from_the_outside_in),
        cmocka_unit_test(what_does_not_fit_is_refused_and_the_run_goes_on),
        cmocka_unit_test(a_layer_at_which_was_stopped_is_there_as_it_was_replaced),
        cmocka_unit_test(the_input_of_the_model_can_be_replaced),
    };
    return cmocka_run_group_tests_name("replace", tests, set_up, tear_down);
}
