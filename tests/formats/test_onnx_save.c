/* Pruned models: what survives, what is left out, and that each layer gives the same bits. Through
 * the public headers; models are saved.onnx and saved_calls.onnx of make_models.py, in which
 * everything that can be said of a thing has a text to be found by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "written.h"
#include <sys/stat.h>

enum { MOST = 12 };

static ltap_model *open_data(place *at, const char *name)
{
    char file[64];
    snprintf(file, sizeof(file), "%s.onnx", name);
    return open_model(data_path(at, file));
}

static ltap_status prune(const place *at, const ltap_model *model, const ltap_return_layer *layers,
                         const ltap_return_layer *from, ltap_error *error)
{
    const ltap_prune_options options = {.force = 1};
    size_t n = 0, n_from = 0;
    while (n < MOST && layers[n].layer)
        n++;
    while (n_from < MOST && from[n_from].layer)
        n_from++;
    const ltap_getter_options getter = {.from = from, .n_from = n_from};
    return ltap_model_prune(model, layers, n, &getter, at->out, &options, NULL, error);
}

static char *read_file(const char *path, size_t *bytes)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    *bytes = (size_t)facts.st_size;
    char *data = malloc(*bytes + 1);
    FILE *file = fopen(path, "rb");
    assert_non_null(data);
    assert_non_null(file);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

static size_t count_text(const char *data, size_t bytes, const char *text)
{
    size_t count = 0;
    for (const char *at = data; (at = memmem(at, bytes - (size_t)(at - data), text, strlen(text)));
         at++)
        count++;
    return count;
}

/* --- what survives --------------------------------------------------------------------------- */

typedef struct survival {
    const char *model;
    const ltap_return_layer layers[MOST], from[MOST];
    const char *kept[40], *gone[40];
} survival;

#define OF_MODEL                                                                                   \
    "doc-of-model", "metadata-of-model", "unknown-in-model", "domain-of-model", "doc-of-graph",    \
        "metadata-of-graph", "unknown-in-graph", "other"
#define OF_MUL                                                                                     \
    "doc-of-mul", "metadata-of-mul", "unknown-in-mul", "doc-of-weight", "metadata-of-weight",      \
        "unknown-in-weight", "w_mul"

static const survival survivals[] = {
    {"saved",
     {{"mul", "o"}},
     {{0}},
     {OF_MODEL, OF_MUL, "batch", "layertap.o"},
     {"training", "w_sparse", "scale", "relu", "w_then", "w_loop", "lost", "doc-of-output",
      "body_t"}},
    {"saved", {{"value:a", "a"}}, {{0}}, {OF_MUL}, {"layertap.", "Identity"}},
    {"saved",
     {{"relu", "o"}},
     {{0}},
     {OF_MODEL, OF_MUL, "w_sparse", "scale", "SCALE_TENSOR", "unknown-in-annotation-of-c",
      "doc-of-value", "unknown-in-value", "metadata-of-value"},
     {"scale_lost", "unknown-in-annotation-of-lost", "lost", "w_then", "twice"}},
    {"saved",
     {{"if", "o"}},
     {{0}},
     {OF_MUL, "w_then", "w_inner", "body_t", "body_e", "w_sparse"},
     {"w_loop", "twice", "lost"}},
    {"saved",
     {{"output:l", "l"}},
     {{0}},
     {"w_loop", "twice", "body_t", "doc-of-output", "unknown-in-output", "metadata-of-output"},
     {"lost", "Identity\"", "layertap."}},
    {"saved",
     {{"output:l", "o"}},
     {{"if", "begin"}},
     {OF_MODEL, "w_loop", "begin", "layertap.begin"},
     {"w_mul", "w_then", "w_sparse", "scale", "doc-of-mul"}},
    {"saved", {{"if", "o"}}, {{"value:a", "a"}}, {"w_then", "w_sparse"}, {"w_mul", "doc-of-mul"}},
    {"saved",
     {{"sin", "o"}},
     {{0}},
     {OF_MODEL, "scale_lost", "unknown-in-annotation-of-lost"},
     {"w_mul", "w_sparse", "unknown-in-annotation-of-c"}},
    {"saved_calls",
     {{"output:q", "q"}},
     {{0}},
     {"Alone", "Block", "Inner", "doc-of-body"},
     {"sum", "layertap.", "one/", "two/"}},
    {"saved_calls", {{"output:z", "z"}}, {{0}}, {"Block", "Inner"}, {"Alone", "three"}},
    {"saved_calls",
     {{"one/first", "o"}},
     {{0}},
     {"one/first", "one/a", "Inner", "doc-of-inner-value", "layertap.o", "other"},
     {"Block", "Alone", "one/if", "two", "one/first/mul", "unset"}},
    {"saved_calls",
     {{"one/first/mul", "o"}},
     {{0}},
     {"one/first/mul", "one/first/t", "doc-of-body", "metadata-of-body", "unknown-in-body"},
     {"Block", "Inner", "LeakyRelu", "slope"}},
    {"saved_calls",
     {{"two/first/leaky", "o"}},
     {{0}},
     {"Block", "Inner", "two/first", "two/a", "Elu"},
     {"two/if", "sum", "two/first/leaky"}},
    {"saved_calls",
     {{"one/if", "o"}},
     {{0}},
     {"one/if", "one/in_r", "one/k", "one/a", "one/r2"},
     {"Block", "one/second"}},
    {"saved_calls",
     {{"output:z", "o"}},
     {{"one/if", "begin"}},
     {"begin", "layertap.begin", "one/second", "one/elu", "Block"},
     {"one/if", "one/first", "Alone"}},
};

static void what_is_kept_is_kept_and_nothing_else(void **state)
{
    place *at = *state;
    for (size_t i = 0; i < sizeof(survivals) / sizeof(*survivals); i++) {
        const survival *row = &survivals[i];
        ltap_model *model = open_data(at, row->model);
        ltap_error error;
        size_t bytes;
        if (prune(at, model, row->layers, row->from, &error) != LTAP_OK)
            fail_msg("row %zu: %s", i, error.message);
        ltap_model_close(model);
        ltap_model_close(open_model(at->out));
        char *data = read_file(at->out, &bytes);
        for (size_t k = 0; row->kept[k]; k++)
            if (count_text(data, bytes, row->kept[k]) == 0)
                fail_msg("row %zu, '%s': '%s' did not survive", i, row->layers[0].layer,
                         row->kept[k]);
        for (size_t k = 0; row->gone[k]; k++)
            if (count_text(data, bytes, row->gone[k]) > 0)
                fail_msg("row %zu, '%s': '%s' is still there", i, row->layers[0].layer,
                         row->gone[k]);
        free(data);
    }
}

/* A network asked for all of its outputs under their own names is the file again, byte for byte. */
static void all_outputs_give_the_file_itself(void **state)
{
    static const ltap_return_layer both[MOST] = {{"output:0", "z"}, {"output:1", "q"}},
                                   none[MOST] = {{0}};
    place *at = *state;
    ltap_model *model = open_data(at, "saved_calls");
    ltap_error error;
    size_t sizes[2];
    assert_int_equal(prune(at, model, both, none, &error), LTAP_OK);
    ltap_model_close(model);
    char *files[] = {read_file(at->model, &sizes[0]), read_file(at->out, &sizes[1])};
    assert_int_equal(sizes[0], sizes[1]);
    for (size_t i = 0; i < sizes[0]; i += 16) { /* outputs may stand elsewhere, the rest does not */
        size_t n = sizes[0] - i < 16 ? sizes[0] - i : 16;
        assert_non_null(memmem(files[1], sizes[1], files[0] + i, n > 8 ? 8 : n));
    }
    free(files[0]);
    free(files[1]);
}

/* --- the same bits --------------------------------------------------------------------------- */

static float numbers[16];

static ltap_features *run_model(const ltap_model *model, const ltap_return_layer *layer,
                                const ltap_tensor *given)
{
    ltap_error error;
    ltap_getter *getter;
    ltap_run *run;
    ltap_features *features;
    ltap_input inputs[4];
    if (ltap_getter_new(model, layer, 1, NULL, &getter, &error) != LTAP_OK)
        return NULL;
    size_t n = ltap_getter_inputs_count(getter);
    assert_true(n > 0 && n <= 4);
    for (size_t i = 0; i < n; i++) {
        const char *name = ltap_getter_inputs_at(getter, i)->name;
        int is_cut = given && strcmp(name, "cut") == 0;
        inputs[i] = (ltap_input){name, {LTAP_FLOAT32, 2, {2, 4}, numbers}};
        inputs[i].tensor = is_cut ? *given : inputs[i].tensor;
    }
    if (ltap_run_new(getter, &run, &error) != LTAP_OK)
        fail_msg("%s: %s", layer->layer, error.message);
    if (ltap_run_forward(run, inputs, n, &features, &error) != LTAP_OK)
        features = NULL; /* a sparse weight */
    ltap_run_free(run);
    ltap_getter_free(getter);
    return features;
}

static void check_layer(const place *at, const ltap_model *model, const char *name, size_t *n_same)
{
    const ltap_return_layer layers[MOST] = {{name, "o"}}, none[MOST] = {{0}};
    const ltap_return_layer output = {"output:o", "o"};
    ltap_error error;
    ltap_features *whole = run_model(model, layers, NULL);
    if (!whole)
        return;
    if (prune(at, model, layers, none, &error) != LTAP_OK)
        fail_msg("%s: %s", name, error.message);
    ltap_model *pruned = open_model(at->out);
    ltap_features *part = run_model(pruned, &output, NULL);
    assert_non_null(part);
    assert_same_bits(whole, 0, part, 0, name);
    ltap_features_free(part);
    ltap_features_free(whole);
    ltap_model_close(pruned);
    ++*n_same;
}

static void each_layer_gives_the_same_bits(void **state)
{
    static const struct {
        const char *model;
        size_t n_layers;
    } rows[] = {{"saved_calls", 20}, {"saved", 5}};
    place *at = *state;
    for (size_t i = 0; i < 16; i++)
        numbers[i] = (float)(i * 7 % 11) - 4.5f;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ltap_model *model = open_data(at, rows[i].model);
        size_t n_same = 0;
        for (size_t k = 0; k < ltap_model_layers_count(model); k++)
            check_layer(at, model, ltap_model_layers_at(model, k)->name, &n_same);
        print_message("%s: %zu layers\n", rows[i].model, n_same);
        assert_true(n_same >= rows[i].n_layers);
        ltap_model_close(model);
    }
}

static void halves_chained_give_the_same_bits(void **state)
{
    static const char *const cuts[] = {"one/first", "one/first/mul", "one/if", "one/elu", "two/if"};
    const ltap_return_layer wanted = {"output:z", "z"}, cut = {"output:cut", "cut"};
    const ltap_prune_options options = {.force = 1};
    place *at = *state;
    ltap_model *model = open_data(at, "saved_calls");
    ltap_features *whole = run_model(model, &wanted, NULL);
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        const ltap_split split = {{cuts[i], "cut"},  &wanted, 1,
                                  LTAP_CALLS_REFUSE, at->out, at->head};
        ltap_error error;
        if (ltap_model_split(model, &split, &options, NULL, &error) != LTAP_OK)
            fail_msg("%s: %s", cuts[i], error.message);
        ltap_model *backbone = open_model(at->out), *head = open_model(at->head);
        /* p1 crosses too where the cut is inside the second call; it is the first Relu's value. */
        ltap_features *inner = run_model(backbone, &cut, NULL);
        assert_non_null(inner);
        if (ltap_model_inputs_count(head) == 1) {
            ltap_features *end = run_model(head, &wanted, &ltap_features_at(inner, 0)->tensor);
            assert_same_bits(whole, 0, end, 0, cuts[i]);
            ltap_features_free(end);
        }
        ltap_features_free(inner);
        ltap_model_close(head);
        ltap_model_close(backbone);
    }
    ltap_features_free(whole);
    ltap_model_close(model);
}

/* --- refusals -------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *model;
    const ltap_return_layer layers[MOST], from[MOST];
    ltap_status status;
    const char *says;
} refusal;

static const refusal refusals[] = {
    {"saved_older", {{"call/r", "o"}}, {{0}}, LTAP_ERROR_UNSUPPORTED, "convert_version=True"},
    {"saved", {{"mul", "w_then"}, {"if", "o"}}, {{0}}, LTAP_ERROR_ARGUMENT, "belongs to another"},
    {"saved", {{"mul", "in_t"}, {"if", "in_t"}}, {{0}}, LTAP_ERROR_ARGUMENT, "given twice"},
    {"saved", {{"if", "o"}}, {{"mul", "o"}}, LTAP_ERROR_ARGUMENT, "both an input and an output"},
    {"saved", {{"if", "o"}}, {{"sin", "s"}}, LTAP_ERROR_INPUT, "nothing that is asked for"},
    {"saved", {{"w_mul", "o"}}, {{0}}, LTAP_ERROR_INPUT, "nothing would be left"},
    {"saved_calls", {{"one/if", "one/first/t"}}, {{"one/first", "q"}}, LTAP_OK, ""},
    {"saved_calls", {{"one/if", "one/r"}}, {{0}}, LTAP_ERROR_ARGUMENT, "belongs to another"},
};

static void what_cannot_be_written_is_refused(void **state)
{
    place *at = *state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        const refusal *row = &refusals[i];
        ltap_model *model = open_data(at, row->model);
        ltap_error error = {.message = ""};
        unlink(at->out);
        ltap_status status = prune(at, model, row->layers, row->from, &error);
        if (status != row->status || !strstr(error.message, row->says))
            fail_msg("row %zu: %s: %s", i, ltap_status_name(status), error.message);
        assert_int_equal(access(at->out, F_OK) == 0, status == LTAP_OK);
        ltap_model_close(model);
    }
}

static void a_split_that_fails_leaves_neither_half(void **state)
{
    const ltap_return_layer wanted = {"output:z", "z"};
    place *at = *state;
    ltap_model *model = open_data(at, "saved_calls");
    ltap_split split = {{"one/if", "cut"}, &wanted, 1,
                        LTAP_CALLS_REFUSE, at->out, "/nowhere/h.onnx"};
    ltap_error error;
    unlink(at->out);
    unlink(at->head);
    assert_int_equal(ltap_model_split(model, &split, NULL, NULL, &error), LTAP_ERROR_FILE);
    assert_int_not_equal(access(at->out, F_OK), 0);
    split.head = at->out;
    assert_int_equal(ltap_model_split(model, &split, NULL, NULL, &error), LTAP_ERROR_ARGUMENT);
    assert_int_not_equal(access(at->out, F_OK), 0);
    split.head = at->model;
    const ltap_prune_options force = {.force = 1};
    assert_int_equal(ltap_model_split(model, &split, &force, NULL, &error), LTAP_ERROR_FILE);
    assert_non_null(strstr(error.message, "is the model itself"));
    assert_int_not_equal(access(at->out, F_OK), 0);
    ltap_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_kept_and_nothing_else),
        cmocka_unit_test(all_outputs_give_the_file_itself),
        cmocka_unit_test(each_layer_gives_the_same_bits),
        cmocka_unit_test(halves_chained_give_the_same_bits),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(a_split_that_fails_leaves_neither_half),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
