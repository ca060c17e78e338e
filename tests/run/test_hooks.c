/* Hooks that look and stop, through the public headers: what they see, in which order they are
 * called, how they go away, and what a run is worth afterwards.
 */
#include "hooked.h"

#include <pthread.h>

enum { N_THREADS = 4 };

/* What a hook was called with, in order: "layer " or "layer> " before it. */
typedef struct witness {
    char calls[4096];
    size_t n_calls, n_asked, n_wrong;
    const ltap_features *expected; /* by layer; NULL: not compared */
    ltap_hook_answer answer;
    int wants;
} witness;

static ltap_hook_answer look(void *user, ltap_hook_call *call)
{
    witness *w = user;
    size_t used = strlen(w->calls);
    snprintf(w->calls + used, sizeof(w->calls) - used, "%s%s ",
             call->side == LTAP_HOOK_BEFORE ? ">" : "", call->layer);
    w->n_calls++;
    for (size_t i = 0; w->expected && i < call->n_tensors; i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s:in[%zu]", call->layer, i);
        const ltap_feature *feature =
            ltap_features_find(w->expected, call->side == LTAP_HOOK_BEFORE ? name : call->layer);
        w->n_wrong += !feature || !same_tensor(&call->tensors[i], &feature->tensor);
    }
    return w->answer;
}

static int ask(void *user, const ltap_hook_call *call)
{
    witness *w = user;
    w->n_asked++;
    for (size_t i = 0; i < call->n_tensors; i++)
        w->n_wrong += call->tensors[i].data != NULL || call->tensors[i].dtype == LTAP_UNDEFINED;
    return w->wants;
}

/* Outputs that were watched have the bits of outputs that were not. */
static void check_outputs(const ltap_features *features)
{
    ltap_features *plain = extract(all_outputs, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(same_tensor(&ltap_features_at(features, i)->tensor,
                                &ltap_features_at(plain, i)->tensor));
    ltap_features_free(plain);
}

static void every_layer_is_seen_as_a_tap_gives_it_and_nothing_changes(void **state)
{
    const char *names[MAX_LAYERS];
    size_t n = list_layers(names);
    ltap_features *taps = extract(names, n);
    ltap_run *run = new_run(all_outputs, 2);
    witness w = {.expected = taps};
    (void)state;
    for (size_t i = 0; i < n; i++)
        add(run, &(ltap_hook){.layer = names[i], .callback = look, .user = &w});
    ltap_features *features = forward(run);
    assert_int_equal(w.n_calls, n);
    assert_int_equal(w.n_wrong, 0);
    check_outputs(features);
    ltap_features_free(features);
    ltap_features_free(taps);
    ltap_run_free(run);
}

static void what_a_layer_reads_is_seen_before_it(void **state)
{
    static const char *const inputs[] = {
        "backbone.layer2.0:in[0]", "/backbone/layer2/layer2.0/Add:in[0]",
        "/backbone/layer2/layer2.0/Add:in[1]", "backbone.conv1:in[0]", "backbone.bn1:in[0]"};
    static const char *const hooked[] = {"backbone.layer2.0", "/backbone/layer2/layer2.0/Add",
                                         "backbone.conv1", "backbone.bn1"};
    ltap_features *taps = extract(inputs, 5);
    ltap_run *run = new_run(all_outputs, 2);
    witness w = {.expected = taps};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        add(run, &(ltap_hook){
                     .layer = hooked[i], .side = LTAP_HOOK_BEFORE, .callback = look, .user = &w});
    ltap_features *features = forward(run);
    assert_string_equal(w.calls, ">backbone.conv1 >backbone.bn1 >backbone.layer2.0 "
                                 ">/backbone/layer2/layer2.0/Add ");
    assert_int_equal(w.n_wrong, 0);
    check_outputs(features);
    ltap_features_free(features);
    ltap_features_free(taps);
    ltap_run_free(run);
}

/* As PyTorch calls them: outer modules first on the way in, last on the way out. */
static void hooks_are_called_in_the_order_of_execution(void **state)
{
    static const char *const hooked[] = {"backbone.layer1.0",      "backbone.layer1",
                                         "backbone.layer1.1",      "backbone.layer1.0.conv1",
                                         "backbone.layer1.1.relu", "image"};
    ltap_run *run = new_run(all_outputs, 1);
    witness w = {0};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        ltap_hook hook = {.layer = hooked[i], .callback = look, .user = &w};
        add(run, &hook);
        hook.side = LTAP_HOOK_BEFORE;
        if (i < 5)
            add(run, &hook);
    }
    ltap_features_free(forward(run));
    assert_string_equal(
        w.calls, "image >backbone.layer1 >backbone.layer1.0 >backbone.layer1.0.conv1 "
                 "backbone.layer1.0.conv1 backbone.layer1.0 >backbone.layer1.1 "
                 ">backbone.layer1.1.relu#0 backbone.layer1.1.relu#0 >backbone.layer1.1.relu#1 "
                 "backbone.layer1.1.relu#1 backbone.layer1.1 backbone.layer1 ");
    ltap_run_free(run);
}

static ltap_hook_answer note_call(void *user, ltap_hook_call *call)
{
    char *text = user;
    snprintf(text + strlen(text), 64, "%s %zu %s, ", call->layer + strlen("backbone."), call->call,
             call->kind);
    return LTAP_HOOK_CONTINUE;
}

static void each_call_of_a_module_and_each_layer_of_a_pattern_is_hooked(void **state)
{
    static const struct {
        const char *layer, *calls;
    } rows[] = {
        {"backbone.layer1.0.relu", "layer1.0.relu#0 0 module, layer1.0.relu#1 1 module, "},
        {"backbone.layer1.0.relu#1", "layer1.0.relu#1 1 module, "},
        {"backbone.layer?.0.conv1", "layer1.0.conv1 0 module, layer2.0.conv1 0 module, "
                                    "layer3.0.conv1 0 module, "},
    };
    static const char *const wanted[] = {"backbone.layer3"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024] = "";
        ltap_run *run = new_run(wanted, 1);
        add(run, &(ltap_hook){.layer = rows[i].layer, .callback = note_call, .user = text});
        ltap_features_free(forward(run));
        assert_string_equal(text, rows[i].calls); /* layer4 is not computed: left out */
        ltap_run_free(run);
    }
}

static void layers_that_cannot_be_hooked_are_refused(void **state)
{
    static const struct {
        const char *layer;
        ltap_hook_side side;
        ltap_status status;
        const char *message;
    } rows[] = {
        {"backbone.layer4", LTAP_HOOK_AFTER, LTAP_ERROR_UNKNOWN_LAYER, "is not computed for"},
        {"backbone.layer4", LTAP_HOOK_BEFORE, LTAP_ERROR_UNKNOWN_LAYER, "is not computed for"},
        {"**.convs.*", LTAP_HOOK_AFTER, LTAP_ERROR_UNKNOWN_LAYER, "is not computed for"},
        {"backbone.layer9", LTAP_HOOK_AFTER, LTAP_ERROR_UNKNOWN_LAYER, "nearest"},
        {"image", LTAP_HOOK_BEFORE, LTAP_ERROR_UNKNOWN_LAYER, "no inputs"},
        {"nothing.*", LTAP_HOOK_AFTER, LTAP_ERROR_UNKNOWN_LAYER, "nothing.*"},
    };
    static const char *const wanted[] = {"backbone.layer3"};
    ltap_run *run = new_run(wanted, 1);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const ltap_hook hook = {.layer = rows[i].layer, .side = rows[i].side, .callback = look};
        ltap_error error;
        uint64_t number = 77;
        ltap_status status = ltap_hook_add(run, &hook, &number, &error);
        if (status != rows[i].status || !strstr(error.message, rows[i].message))
            fail_msg("%s: %s: %s", rows[i].layer, ltap_status_name(status), error.message);
        assert_int_equal(number, 77);
    }
    ltap_features_free(forward(run));
    ltap_run_free(run);
}

static void hooks_on_one_layer_run_in_order_of_registration_and_go_one_by_one(void **state)
{
    static const char *const wanted[] = {"backbone.layer1"};
    witness w[3] = {{.n_calls = 0}};
    uint64_t numbers[3];
    ltap_run *run = new_run(wanted, 1);
    (void)state;
    for (int i = 0; i < 3; i++)
        numbers[i] = add(run, &(ltap_hook){.layer = wanted[0], .callback = look, .user = &w[i]});
    ltap_features_free(forward(run));
    ltap_hook_remove(run, numbers[1]);
    ltap_hook_remove(run, numbers[1]);
    ltap_hook_remove(run, 0);
    ltap_hook_remove(run, 12345);
    ltap_features_free(forward(run));
    assert_int_equal(w[0].n_calls, 2);
    assert_int_equal(w[1].n_calls, 1);
    assert_int_equal(w[2].n_calls, 2);
    uint64_t again = add(run, &(ltap_hook){.layer = wanted[0], .callback = look, .user = &w[1]});
    assert_true(again > numbers[2]);
    ltap_hook_remove(run, numbers[1]);
    ltap_features_free(forward(run));
    assert_int_equal(w[1].n_calls, 2);
    ltap_run_free(run);
}

typedef struct meddler {
    ltap_run *run;
    uint64_t own, other;
    witness late;
    size_t n_calls;
} meddler;

/* Removes itself and the hook after it, adds another, and tries what is refused. */
static ltap_hook_answer meddle(void *user, ltap_hook_call *call)
{
    meddler *m = user;
    ltap_error error;
    ltap_features *features = NULL;
    m->n_calls++;
    ltap_hook_remove(m->run, m->own);
    ltap_hook_remove(m->run, m->own);
    ltap_hook_remove(m->run, m->other);
    const ltap_hook late = {.layer = "backbone.layer1", .callback = look, .user = &m->late};
    if (ltap_hook_add(m->run, &late, NULL, &error) != LTAP_OK ||
        ltap_run_forward(m->run, &input, 1, &features, &error) != LTAP_ERROR_ARGUMENT ||
        !strstr(error.message, "in the middle of a forward") || features ||
        ltap_run_profile(m->run, 1, &error) != LTAP_ERROR_ARGUMENT)
        return LTAP_HOOK_FAILED;
    static const char *const other[] = {"backbone.layer2"};
    ltap_run *run = new_run(other, 1);
    ltap_features_free(forward(run));
    ltap_run_free(run);
    return call->tensors[0].data ? LTAP_HOOK_CONTINUE : LTAP_HOOK_FAILED;
}

static void a_callback_may_add_remove_and_run_another_run(void **state)
{
    static const char *const wanted[] = {"backbone.layer1"};
    ltap_features *plain = extract(wanted, 1);
    meddler m = {.run = new_run(wanted, 1)};
    witness gone = {0};
    (void)state;
    m.own = add(m.run, &(ltap_hook){.layer = "backbone.bn1", .callback = meddle, .user = &m});
    m.other = add(m.run, &(ltap_hook){.layer = "backbone.bn1", .callback = look, .user = &gone});
    for (int i = 0; i < 3; i++) {
        ltap_features *features = forward(m.run);
        assert_true(same_tensor(&ltap_features_at(features, 0)->tensor,
                                &ltap_features_at(plain, 0)->tensor));
        ltap_features_free(features);
    }
    assert_int_equal(m.n_calls, 1);
    assert_int_equal(gone.n_calls, 0);
    assert_int_equal(m.late.n_calls, 2);
    ltap_features_free(plain);
    ltap_run_free(m.run);
}

static void a_hook_that_does_not_want_the_data_is_only_asked(void **state)
{
    witness w = {.wants = 0};
    ltap_run *run = new_run(all_outputs, 1);
    (void)state;
    add(run, &(ltap_hook){.layer = "**.conv2", .wants = ask, .callback = look, .user = &w});
    ltap_features_free(forward(run));
    assert_int_equal(w.n_asked, 8);
    assert_int_equal(w.n_calls, 0);
    w.wants = 1;
    ltap_features_free(forward(run));
    assert_int_equal(w.n_asked, 16);
    assert_int_equal(w.n_calls, 8);
    assert_int_equal(w.n_wrong, 0);
    ltap_run_free(run);
}

static void a_stopped_forward_gives_what_was_made_and_says_what_is_missing(void **state)
{
    static const char *const wanted[] = {"backbone.layer3", "backbone.layer1", "backbone.layer2"};
    ltap_features *plain = extract(wanted, 3);
    ltap_run *run = new_run(wanted, 3);
    witness w = {.answer = LTAP_HOOK_STOP}, later = {0};
    (void)state;
    uint64_t number =
        add(run, &(ltap_hook){.layer = "backbone.layer2", .callback = look, .user = &w});
    add(run, &(ltap_hook){.layer = "backbone.layer2", .callback = look, .user = &later});
    ltap_features *features = forward(run);
    assert_int_equal(ltap_features_count(features), 3);
    assert_string_equal(ltap_features_stopped(features), "backbone.layer2");
    assert_true(ltap_features_at(features, 0)->missing);
    assert_null(ltap_features_at(features, 0)->tensor.data);
    for (size_t i = 1; i < 3; i++) {
        assert_false(ltap_features_at(features, i)->missing);
        assert_true(same_tensor(&ltap_features_at(features, i)->tensor,
                                &ltap_features_at(plain, i)->tensor));
    }
    assert_int_equal(later.n_calls, 0);
    ltap_features_free(features);
    ltap_hook_remove(run, number);
    features = forward(run);
    assert_null(ltap_features_stopped(features));
    for (size_t i = 0; i < 3; i++)
        assert_true(!ltap_features_at(features, i)->missing &&
                    same_tensor(&ltap_features_at(features, i)->tensor,
                                &ltap_features_at(plain, i)->tensor));
    assert_int_equal(later.n_calls, 1);
    ltap_features_free(features);
    ltap_features_free(plain);
    ltap_run_free(run);
}

static ltap_hook_answer fail_with(void *user, ltap_hook_call *call)
{
    const char *message = user;
    if (message) {
        call->error->code = LTAP_ERROR_FILE;
        snprintf(call->error->message, sizeof(call->error->message), "%s", message);
    }
    return LTAP_HOOK_FAILED;
}

static ltap_hook_answer answer_nonsense(void *user, ltap_hook_call *call)
{
    (void)user;
    (void)call;
    return (ltap_hook_answer)99;
}

static void a_callback_that_fails_fails_the_forward_and_not_the_next(void **state)
{
    static const struct {
        ltap_hook_answer (*callback)(void *user, ltap_hook_call *call);
        const char *said;
        ltap_status status;
        const char *message;
    } rows[] = {
        {fail_with, NULL, LTAP_ERROR_HOOK, "the hook at 'backbone.layer1' failed"},
        {fail_with, "the disk is full", LTAP_ERROR_FILE,
         "the hook at 'backbone.layer1': the disk is full"},
        {answer_nonsense, NULL, LTAP_ERROR_HOOK,
         "the hook at 'backbone.layer1' gave an answer that is none"},
    };
    ltap_run *run = new_run(all_outputs, 2);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ltap_features *features = (ltap_features *)&features;
        ltap_error error;
        uint64_t number = add(run, &(ltap_hook){.layer = "backbone.layer1",
                                                .callback = rows[i].callback,
                                                .user = (void *)rows[i].said});
        assert_int_equal(ltap_run_forward(run, &input, 1, &features, &error), rows[i].status);
        assert_int_equal(error.code, rows[i].status);
        assert_string_equal(error.message, rows[i].message);
        assert_null(features);
        assert_int_equal(ltap_run_forward(run, &input, 1, &features, NULL), rows[i].status);
        ltap_hook_remove(run, number);
        features = forward(run);
        check_outputs(features);
        ltap_features_free(features);
    }
    ltap_run_free(run);
}

static void a_profile_begins_anew_with_other_hooks(void **state)
{
    ltap_run *run = new_run(all_outputs, 1);
    ltap_error error;
    witness w = {0};
    (void)state;
    must(ltap_run_profile(run, 1, &error), &error);
    ltap_features_free(forward(run));
    size_t n = ltap_run_profile_count(run), n_hooks = 0;
    uint64_t number = add(run, &(ltap_hook){.layer = "op:Relu", .callback = look, .user = &w});
    ltap_features_free(forward(run));
    assert_true(ltap_run_profile_count(run) > n);
    for (size_t i = 0; i < ltap_run_profile_count(run); i++) {
        n_hooks += strcmp(ltap_run_profile_at(run, i)->operation, "hook") == 0;
        assert_int_equal(ltap_run_profile_at(run, i)->calls, 1);
    }
    assert_int_equal(n_hooks, w.n_calls);
    ltap_hook_remove(run, number);
    ltap_features_free(forward(run));
    assert_int_equal(ltap_run_profile_count(run), n);
    ltap_run_free(run);
}

/* More sets of hooks than are kept, on runs that share a getter. */
static void many_sets_of_hooks_come_and_go(void **state)
{
    const char *names[MAX_LAYERS];
    size_t n = list_layers(names);
    ltap_features *taps = extract(names, n);
    ltap_run *run = new_run(all_outputs, 2);
    witness w = {.expected = taps};
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        uint64_t number = add(run, &(ltap_hook){.layer = names[i], .callback = look, .user = &w});
        ltap_features_free(forward(run));
        ltap_hook_remove(run, number);
    }
    assert_int_equal(w.n_calls, 40);
    assert_int_equal(w.n_wrong, 0);
    ltap_features_free(taps);
    ltap_run_free(run);
}

typedef struct worker {
    ltap_getter *getter;
    const ltap_features *taps;
    const char *layers[2];
    int failures;
} worker;

static ltap_status count_feature(void *user, size_t index, const ltap_feature *feature,
                                 ltap_error *error)
{
    (void)index;
    (void)error;
    *(size_t *)user += !feature->missing;
    return LTAP_OK;
}

/* Looks, replaces (by the same), stops, hands on; in turn. */
static void work_once(worker *self, ltap_run *run, int turn)
{
    static const ltap_hook_answer answers[] = {LTAP_HOOK_CONTINUE, LTAP_HOOK_REPLACED,
                                               LTAP_HOOK_STOP};
    witness w = {.expected = self->taps, .answer = answers[turn % 3]};
    const ltap_hook hook = {
        .layer = self->layers[turn % 2], .replaces = turn % 3 == 1, .callback = look, .user = &w};
    size_t n_taken = 0;
    const ltap_sink sink = {.take = count_feature, .user = &n_taken};
    ltap_features *features = NULL;
    uint64_t number = 0;
    self->failures += ltap_hook_add(run, &hook, &number, NULL) != LTAP_OK;
    self->failures += (turn < 6 ? ltap_run_forward(run, &input, 1, &features, NULL)
                                : ltap_run_stream(run, &input, 1, &sink, NULL)) != LTAP_OK;
    self->failures += w.n_calls != 1 || w.n_wrong != 0;
    self->failures += turn >= 6 && n_taken != (turn % 3 == 2 ? 0 : 1);
    ltap_features_free(features);
    ltap_hook_remove(run, number);
}

static void *work(void *context)
{
    worker *self = context;
    ltap_run *run;
    if (ltap_run_new(self->getter, &run, NULL) != LTAP_OK)
        return self->failures = 1, NULL;
    for (int turn = 0; turn < 12; turn++)
        work_once(self, run, turn);
    ltap_run_free(run);
    return NULL;
}

static void many_threads_hook_runs_of_one_getter(void **state)
{
    static const char *const layers[] = {"backbone.layer1", "backbone.layer2", "backbone.layer3",
                                         "backbone.layer4", "backbone.conv1",  "classifier.0"};
    const ltap_return_layer wanted = {all_outputs[0], NULL};
    ltap_features *taps = extract(layers, 6);
    pthread_t threads[N_THREADS];
    worker workers[N_THREADS];
    ltap_getter *getter;
    ltap_error error;
    (void)state;
    must(ltap_getter_new(model, &wanted, 1, NULL, &getter, &error), &error);
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (worker){getter, taps, {layers[i], layers[(i + 2) % 6]}, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    ltap_getter_free(getter);
    ltap_features_free(taps);
}

static void wrong_arguments_are_refused(void **state)
{
    static const char *const wanted[] = {"backbone.layer1"};
    ltap_run *run = new_run(wanted, 1);
    const ltap_hook good = {.layer = "backbone.layer1", .callback = look};
    ltap_hook bad[3] = {good, good, good};
    ltap_error error;
    (void)state;
    bad[0].layer = NULL;
    bad[1].callback = NULL;
    bad[2].side = (ltap_hook_side)5;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ltap_hook_add(run, &bad[i], NULL, &error), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_hook_add(NULL, &good, NULL, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_hook_add(run, NULL, NULL, NULL), LTAP_ERROR_ARGUMENT);
    ltap_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_seen_as_a_tap_gives_it_and_nothing_changes),
        cmocka_unit_test(what_a_layer_reads_is_seen_before_it),
        cmocka_unit_test(hooks_are_called_in_the_order_of_execution),
        cmocka_unit_test(each_call_of_a_module_and_each_layer_of_a_pattern_is_hooked),
        cmocka_unit_test(layers_that_cannot_be_hooked_are_refused),
        cmocka_unit_test(hooks_on_one_layer_run_in_order_of_registration_and_go_one_by_one),
        cmocka_unit_test(a_callback_may_add_remove_and_run_another_run),
        cmocka_unit_test(a_hook_that_does_not_want_the_data_is_only_asked),
        cmocka_unit_test(a_stopped_forward_gives_what_was_made_and_says_what_is_missing),
        cmocka_unit_test(a_callback_that_fails_fails_the_forward_and_not_the_next),
        cmocka_unit_test(a_profile_begins_anew_with_other_hooks),
        cmocka_unit_test(many_sets_of_hooks_come_and_go),
        cmocka_unit_test(many_threads_hook_runs_of_one_getter),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("hooks", tests, set_up, tear_down);
}
