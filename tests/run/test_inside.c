/* Hooks in the bodies of If, Loop and Scan: called each time a body runs, with the iteration; they
 * look, replace, stop, fail and go like others.
 */
#include "hooked.h"

#include "support/fail_alloc.h"

#include <pthread.h>

enum { MAX_SEEN = 64 };

static const float numbers[8] = {0.5f, -1, 2, 3, -0.25f, 1.5f, -2, 0.75f};
static const ltap_input rows = {NULL, {LTAP_FLOAT32, 2, {2, 4}, (void *)(uintptr_t)numbers}};
static const char *const everything[] = {"y", "total", "all"};

typedef struct seen {
    char layer[64];
    size_t iteration, n_iterations, n_tensors;
    ltap_tensor tensors[2];
    float first[8];
} seen;

typedef struct watcher {
    seen calls[MAX_SEEN];
    size_t n, act_at; /* counted from 1: where it answers `answer` */
    ltap_hook_answer answer;
    ltap_run *run;
    uint64_t number;
    int wants;
} watcher;

static ltap_hook_answer look(void *user, ltap_hook_call *call)
{
    watcher *w = user;
    seen *s = &w->calls[w->n++];
    assert_true(w->n < MAX_SEEN);
    snprintf(s->layer, sizeof(s->layer), "%s", call->layer);
    s->iteration = call->iteration;
    s->n_iterations = call->n_iterations;
    s->n_tensors = call->n_tensors;
    for (size_t i = 0; i < call->n_tensors && i < 2; i++)
        s->tensors[i] = call->tensors[i];
    if (call->tensors[0].dtype == LTAP_FLOAT32 && ltap_tensor_count(&call->tensors[0]) <= 8)
        memcpy(s->first, call->tensors[0].data, (size_t)ltap_tensor_bytes(&call->tensors[0]));
    return w->n == w->act_at ? w->answer : LTAP_HOOK_CONTINUE;
}

static ltap_features *go(ltap_run *run)
{
    ltap_features *features;
    ltap_error error;
    must(ltap_run_forward(run, &rows, 1, &features, &error), &error);
    return features;
}

static const float *floats(const ltap_features *features, const char *name)
{
    return ltap_features_find(features, name)->tensor.data;
}

static void each_iteration_is_seen_with_its_number_and_its_data(void **state)
{
    ltap_run *run = new_run(everything, 3);
    watcher w = {.n = 0};
    (void)state;
    add(run, &(ltap_hook){.layer = "Loop_1.body.act", .callback = look, .user = &w});
    ltap_features *features = go(run);
    assert_int_equal(w.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(w.calls[i].layer, "Loop_1.body.act");
        assert_int_equal(w.calls[i].iteration, i);
        assert_int_equal(w.calls[i].n_iterations, 1);
        /* It is the Loop's second output, stacked. */
        assert_memory_equal(w.calls[i].first, floats(features, "all") + 8 * i, 8 * sizeof(float));
    }
    ltap_features_free(features);
    ltap_run_free(run);
}

static void names_are_paths_values_bare_names_and_patterns(void **state)
{
    static const struct {
        const char *layer;
        size_t n;
    } cases[] = {{"Loop_1.body.acted", 3},
                 {"act", 3},
                 {"acted", 3},
                 {"Scan_2.body.add", 2},
                 {"*.body.*", 3 * 6 + 2},
                 {"Loop_1.body.choose.*.turn", 3},
                 {"Loop_1.body.choose.**", 3},
                 {"Scan_2.body.*", 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ltap_run *run = new_run(everything, 3);
        watcher w = {.n = 0};
        add(run, &(ltap_hook){.layer = cases[i].layer, .callback = look, .user = &w});
        ltap_features_free(go(run));
        if (w.n != cases[i].n)
            fail_msg("'%s' was called %zu times, not %zu", cases[i].layer, w.n, cases[i].n);
        ltap_run_free(run);
    }
}

static void before_sees_what_is_read_but_for_weights(void **state)
{
    static const char *const names[] = {"y"};
    ltap_run *run = new_run(names, 1);
    static const float halves[8] = {.25f, 0, 1, 1.5f, 0, .75f, 0, .375f};
    watcher mul = {.n = 0}, sum = {.n = 0};
    (void)state;
    add(run, &(ltap_hook){.layer = "Loop_1.body.scale",
                          .side = LTAP_HOOK_BEFORE,
                          .callback = look,
                          .user = &mul});
    add(run,
        &(ltap_hook){
            .layer = "Loop_1.body.act", .side = LTAP_HOOK_BEFORE, .callback = look, .user = &sum});
    ltap_features_free(go(run));
    assert_int_equal(mul.n, 3);
    assert_int_equal(mul.calls[0].n_tensors, 1);
    assert_int_equal(sum.calls[0].n_tensors, 2);
    assert_memory_equal(sum.calls[0].first, halves, sizeof(halves));
    ltap_run_free(run);
}

static void hooks_that_look_change_no_bit(void **state)
{
    ltap_run *plain = new_run(everything, 3), *watched = new_run(everything, 3);
    watcher w = {.n = 0};
    (void)state;
    add(watched, &(ltap_hook){.layer = "*.body.**", .callback = look, .user = &w});
    add(watched,
        &(ltap_hook){.layer = "*.body.*", .side = LTAP_HOOK_BEFORE, .callback = look, .user = &w});
    ltap_features *a = go(plain), *b = go(watched);
    for (size_t i = 0; i < 3; i++)
        assert_true(same_tensor(&ltap_features_at(a, i)->tensor, &ltap_features_at(b, i)->tensor));
    assert_true(w.n > 40);
    ltap_features_free(a);
    ltap_features_free(b);
    ltap_run_free(plain);
    ltap_run_free(watched);
}

/* In the second iteration, ten everywhere. */
static ltap_hook_answer put_tens(void *user, ltap_hook_call *call)
{
    static float tens[8] = {10, 10, 10, 10, 10, 10, 10, 10};
    (void)user;
    if (call->iteration != 1)
        return LTAP_HOOK_CONTINUE;
    call->tensors[0].data = tens;
    return LTAP_HOOK_REPLACED;
}

static void a_replacement_goes_on_through_the_loop(void **state)
{
    ltap_run *run = new_run(everything, 3);
    (void)state;
    ltap_features *before = go(run);
    uint64_t number =
        add(run, &(ltap_hook){.layer = "Loop_1.body.act", .replaces = 1, .callback = put_tens});
    ltap_features *after = go(run);
    assert_memory_equal(floats(before, "all"), floats(after, "all"), 8 * sizeof(float));
    for (int i = 0; i < 8; i++) {
        assert_true(floats(after, "all")[8 + i] == 10);
        /* Negated, halved, and the input added. */
        assert_true(floats(after, "all")[16 + i] == -5 + numbers[i]);
    }
    ltap_hook_remove(run, number);
    ltap_features *again = go(run);
    assert_memory_equal(floats(before, "all"), floats(again, "all"), 24 * sizeof(float));
    ltap_features_free(before);
    ltap_features_free(after);
    ltap_features_free(again);
    ltap_run_free(run);
}

static void interventions_reach_inside(void **state)
{
    const ltap_intervention zero = {.layer = "Loop_1.body.act[:,1:3]", .kind = LTAP_SET_ZERO};
    ltap_run *run = new_run(everything, 3);
    ltap_error error;
    (void)state;
    must(ltap_intervention_add(run, &zero, NULL, &error), &error);
    ltap_features *features = go(run);
    for (int i = 0; i < 24; i++)
        assert_true((floats(features, "all")[i] == 0) == (i % 4 == 1 || i % 4 == 2));
    ltap_features_free(features);
    ltap_run_free(run);
}

static void stopping_inside_makes_the_rest_missing(void **state)
{
    static const char *const names[] = {"first", "y", "all"};
    ltap_run *run = new_run(names, 3);
    watcher w = {.act_at = 2, .answer = LTAP_HOOK_STOP};
    ltap_error error;
    ltap_features *features;
    (void)state;
    uint64_t number = add(run, &(ltap_hook){.layer = "act", .callback = look, .user = &w});
    assert_int_equal(ltap_run_forward(run, &rows, 1, &features, &error), LTAP_OK);
    assert_int_equal(w.n, 2);
    assert_string_equal(ltap_features_stopped(features), "Loop_1.body.act");
    assert_int_equal(ltap_features_at(features, 0)->missing, 0);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(ltap_features_at(features, i)->missing, 1);
        assert_null(ltap_features_at(features, i)->tensor.data);
    }
    ltap_features_free(features);
    ltap_hook_remove(run, number);
    features = go(run);
    assert_int_equal(ltap_features_at(features, 2)->missing, 0);
    ltap_features_free(features);
    ltap_run_free(run);
}

static ltap_hook_answer wrong_shape(void *user, ltap_hook_call *call)
{
    (void)user;
    call->tensors[0].dims[1] = 3;
    return LTAP_HOOK_REPLACED;
}

static ltap_hook_answer remove_itself(void *user, ltap_hook_call *call)
{
    watcher *w = user;
    ltap_hook_remove(w->run, w->number);
    return look(user, call);
}

static int never(void *user, const ltap_hook_call *call)
{
    watcher *w = user;
    w->wants++;
    assert_null(call->tensors[0].data);
    return 0;
}

static void wrong_answers_are_errors_and_the_run_goes_on(void **state)
{
    static const struct {
        ltap_hook hook;
        const char *message;
    } cases[] = {
        {{.callback = wrong_shape, .replaces = 1},
         "Loop 'Loop_1': the hook at 'Loop_1.body.act' replaced float32[2,4] by float32[2,3]; type "
         "and shape must stay"},
        {{.callback = wrong_shape},
         "Loop 'Loop_1': the hook at 'Loop_1.body.act' was added to look, and replaced; set "
         "`replaces`"},
    };
    ltap_run *run = new_run(everything, 3);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ltap_hook hook = cases[i].hook;
        ltap_features *features;
        ltap_error error;
        hook.layer = "act";
        uint64_t number = add(run, &hook);
        assert_int_equal(ltap_run_forward(run, &rows, 1, &features, &error), LTAP_ERROR_HOOK);
        assert_string_equal(error.message, cases[i].message);
        ltap_hook_remove(run, number);
        ltap_features_free(go(run));
    }
    watcher fails = {.act_at = 3, .answer = LTAP_HOOK_FAILED};
    ltap_features *features;
    ltap_error error;
    add(run, &(ltap_hook){.layer = "act", .callback = look, .user = &fails});
    assert_int_equal(ltap_run_forward(run, &rows, 1, &features, &error), LTAP_ERROR_HOOK);
    assert_string_equal(error.message, "Loop 'Loop_1': the hook at 'Loop_1.body.act' failed");
    ltap_features_free(go(run));
    ltap_run_free(run);
}

static void a_hook_that_goes_or_declines_is_called_no_more(void **state)
{
    ltap_run *run = new_run(everything, 3);
    watcher gone = {.run = run}, declines = {.n = 0};
    (void)state;
    gone.number = add(run, &(ltap_hook){.layer = "act", .callback = remove_itself, .user = &gone});
    add(run, &(ltap_hook){.layer = "act", .wants = never, .callback = look, .user = &declines});
    ltap_features_free(go(run));
    assert_int_equal(gone.n, 1);
    assert_int_equal(declines.wants, 3);
    assert_int_equal(declines.n, 0);
    ltap_run_free(run);
}

static void refusals_say_what_to_do(void **state)
{
    static const char *const only_loop[] = {"all"};
    static const struct {
        ltap_hook hook;
        ltap_status status;
        const char *message;
    } cases[] = {
        {{.layer = "turn"},
         LTAP_ERROR_AMBIGUOUS_LAYER,
         "'turn' is the name of 2 operations in bodies: 'Loop_1.body.choose.else.turn', "
         "'Loop_1.body.choose.then.turn'; choose one, or take a pattern"},
        {{.layer = "add"},
         LTAP_ERROR_UNKNOWN_LAYER,
         "'add' is not computed for what is asked for ('all'); ask for what its body belongs to as "
         "well"},
        {{.layer = "Loop_1.body.acted", .side = LTAP_HOOK_BEFORE},
         LTAP_ERROR_ARGUMENT,
         "'Loop_1.body.acted' is a value, which reads nothing; hook it after, not before"},
        {{.layer = "act", .side = LTAP_HOOK_BEFORE, .replaces = 1},
         LTAP_ERROR_ARGUMENT,
         "'act' is in a body, where hooks may replace what comes out of a layer, not what goes in"},
    };
    ltap_run *run = new_run(only_loop, 1);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ltap_hook hook = cases[i].hook;
        ltap_error error;
        hook.callback = look;
        assert_int_equal(ltap_hook_add(run, &hook, NULL, &error), cases[i].status);
        assert_string_equal(error.message, cases[i].message);
    }
    ltap_run_free(run);
}

static void collect(void *user, const ltap_inside_info *inside)
{
    char *text = user;
    snprintf(text + strlen(text), 1024 - strlen(text), "%s %s %s\n", inside->name, inside->type,
             inside->within);
}

static void what_is_inside_can_be_listed(void **state)
{
    char text[1024] = "";
    ltap_error error;
    (void)state;
    must(ltap_model_inside(model, collect, text, &error), &error);
    assert_string_equal(text, "Loop_1.body.scale Mul Loop_1\n"
                              "Loop_1.body.act Add Loop_1\n"
                              "Loop_1.body.most ReduceMax Loop_1\n"
                              "Loop_1.body.compare Greater Loop_1\n"
                              "Loop_1.body.choose If Loop_1\n"
                              "Loop_1.body.choose.else.turn Tanh Loop_1\n"
                              "Loop_1.body.choose.then.turn Neg Loop_1\n"
                              "Loop_1.body.keep_going Identity Loop_1\n"
                              "Scan_2.body.add Add Scan_2\n");
    assert_int_equal(ltap_model_inside(NULL, collect, text, NULL), LTAP_ERROR_ARGUMENT);
}

/* Everything with a heap that gives out after n calls; true: it went through. */
static bool attempt(size_t n)
{
    const ltap_return_layer wanted = {"y", NULL};
    ltap_model *own = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    ltap_features *features = NULL;
    watcher w = {.n = 0};
    ltap_error error;
    fail_alloc heap;
    fail_alloc_init(&heap, n);
    const ltap_model_options options = {.allocator = &heap.allocator};
    const ltap_hook hook = {.layer = "*.body.*", .callback = look, .user = &w};
    ltap_status status = ltap_model_open(TEST_LOOPS, &options, &own, &error);
    if (status == LTAP_OK)
        status = ltap_getter_new(own, &wanted, 1, NULL, &getter, &error);
    if (status == LTAP_OK)
        status = ltap_run_new(getter, &run, &error);
    if (status == LTAP_OK)
        status = ltap_hook_add(run, &hook, NULL, &error);
    if (status == LTAP_OK)
        status = ltap_run_forward(run, &rows, 1, &features, &error);
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(own);
    assert_true(status == LTAP_OK || status == LTAP_ERROR_MEMORY);
    fail_alloc_check(&heap);
    return status == LTAP_OK;
}

static void any_failing_allocation_is_an_error_without_a_leak(void **state)
{
    size_t n = 1;
    (void)state;
    while (!attempt(n))
        n++;
    assert_true(n > 100);
}

typedef struct worker {
    ltap_getter *getter;
    const char *layer;
    int failures;
} worker;

static void *work(void *context)
{
    static const ltap_hook_answer answers[] = {LTAP_HOOK_CONTINUE, LTAP_HOOK_STOP};
    worker *self = context;
    ltap_run *run;
    if (ltap_run_new(self->getter, &run, NULL) != LTAP_OK)
        return self->failures = 1, NULL;
    for (int turn = 0; turn < 20; turn++) {
        watcher w = {.act_at = 2, .answer = answers[turn % 2]};
        const ltap_hook hook = {.layer = self->layer, .callback = look, .user = &w};
        ltap_features *features = NULL;
        uint64_t number = 0;
        self->failures += ltap_hook_add(run, &hook, &number, NULL) != LTAP_OK;
        self->failures += ltap_run_forward(run, &rows, 1, &features, NULL) != LTAP_OK;
        self->failures += w.n < 2 || (turn % 2 == 1 && w.n != 2);
        ltap_features_free(features);
        ltap_hook_remove(run, number);
    }
    ltap_run_free(run);
    return NULL;
}

static void many_threads_watch_the_same_bodies(void **state)
{
    static const char *const layers[] = {"act", "Scan_2.body.add", "*.body.*",
                                         "Loop_1.body.choose"};
    enum { N_THREADS = 4 };
    const ltap_return_layer wanted = {"y", NULL};
    pthread_t threads[N_THREADS];
    worker workers[N_THREADS];
    ltap_getter *getter;
    ltap_error error;
    (void)state;
    must(ltap_getter_new(model, &wanted, 1, NULL, &getter, &error), &error);
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (worker){getter, layers[i], 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    ltap_getter_free(getter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_iteration_is_seen_with_its_number_and_its_data),
        cmocka_unit_test(names_are_paths_values_bare_names_and_patterns),
        cmocka_unit_test(before_sees_what_is_read_but_for_weights),
        cmocka_unit_test(hooks_that_look_change_no_bit),
        cmocka_unit_test(a_replacement_goes_on_through_the_loop),
        cmocka_unit_test(interventions_reach_inside),
        cmocka_unit_test(stopping_inside_makes_the_rest_missing),
        cmocka_unit_test(wrong_answers_are_errors_and_the_run_goes_on),
        cmocka_unit_test(a_hook_that_goes_or_declines_is_called_no_more),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(what_is_inside_can_be_listed),
        cmocka_unit_test(many_threads_watch_the_same_bodies),
        cmocka_unit_test(any_failing_allocation_is_an_error_without_a_leak),
    };
    return cmocka_run_group_tests_name("inside bodies", tests, set_up, tear_down);
}
