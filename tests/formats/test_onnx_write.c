/* Networks written as ONNX that were not: each layer keeps its name and its bits, whatever holds
 * the weights; and models that were ONNX written anew, from their graphs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "formats/onnx/write.h"
#include "ops/op.h"
#include "written.h"
#include <dirent.h>
#include <math.h>

enum { MOST_INPUTS = 8, MOST_NUMBERS = 1 << 16 };

static float numbers[MOST_NUMBERS];

static int fill_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST_NUMBERS; i++)
        numbers[i] = (float)(i * 37 % 101) / 25 - 2;
    return 0;
}

/* --- running --------------------------------------------------------------------------------- */

/* What the model takes, from `numbers`: sizes that are free are 1 for the batch, else `size`.
 * False where it is not of floats, or large. */
static int fill_input(const ltap_port *port, int64_t size, ltap_tensor *tensor)
{
    *tensor = (ltap_tensor){.dtype = LTAP_FLOAT32, .rank = port->rank, .data = numbers};
    for (int i = 0; i < port->rank; i++)
        tensor->dims[i] = port->dims[i].size >= 0 ? port->dims[i].size : i == 0 ? 1 : size + i;
    return port->dtype == LTAP_FLOAT32 && port->rank >= 0 &&
           ltap_tensor_count(tensor) <= MOST_NUMBERS;
}

/* NULL where it cannot be run. given: values of inputs by name; NULL. */
static ltap_features *run_layers(const ltap_model *model, const ltap_return_layer *layers, size_t n,
                                 int64_t size, const ltap_features *given)
{
    ltap_input inputs[MOST_INPUTS];
    ltap_features *features = NULL;
    ltap_getter *getter;
    ltap_run *run;
    int fits = 1;
    if (ltap_getter_new(model, layers, n, NULL, &getter, NULL) != LTAP_OK)
        return NULL;
    size_t n_inputs = ltap_getter_inputs_count(getter);
    for (size_t i = 0; i < n_inputs && i < MOST_INPUTS; i++) {
        const ltap_port *port = ltap_getter_inputs_at(getter, i);
        inputs[i].name = port->name;
        fits = fits && fill_input(port, size, &inputs[i].tensor);
        for (size_t k = 0; given && k < ltap_features_count(given); k++)
            if (strcmp(ltap_features_at(given, k)->name, port->name) == 0)
                inputs[i].tensor = ltap_features_at(given, k)->tensor;
    }
    if (fits && n_inputs <= MOST_INPUTS && ltap_run_new(getter, &run, NULL) == LTAP_OK) {
        if (ltap_run_forward(run, inputs, n_inputs, &features, NULL) != LTAP_OK)
            features = NULL;
        ltap_run_free(run);
    }
    ltap_getter_free(getter);
    return features;
}

static ltap_status write_outputs(const ltap_model *model, const char *path,
                                 const ltap_prune_options *options, ltap_error *error)
{
    ltap_return_layer layers[16];
    char selectors[16][256];
    size_t n = ltap_model_outputs_count(model);
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        const char *name = ltap_model_outputs_at(model, i)->name;
        snprintf(selectors[i], sizeof selectors[i], "output:%s", name);
        layers[i] = (ltap_return_layer){selectors[i], name};
    }
    return ltap_model_prune(model, layers, n, NULL, path, options, NULL, error);
}

static size_t assert_same_outputs(const ltap_model *a, const ltap_model *b, int64_t size,
                                  const char *what)
{
    size_t n = ltap_model_outputs_count(a), n_same = 0;
    assert_int_equal(n, ltap_model_outputs_count(b));
    for (size_t i = 0; i < n; i++) {
        char selector[256];
        snprintf(selector, sizeof selector, "output:%s", ltap_model_outputs_at(a, i)->name);
        const ltap_return_layer layer = {selector, "o"};
        ltap_features *x = run_layers(a, &layer, 1, size, NULL);
        ltap_features *y = run_layers(b, &layer, 1, size, NULL);
        if (!x != !y)
            fail_msg("%s: '%s' runs in one of the two only", what, selector);
        if (x)
            assert_same_bits(x, 0, y, 0, what);
        n_same += x != NULL;
        ltap_features_free(x);
        ltap_features_free(y);
    }
    return n_same;
}

/* --- checkpoints ----------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    char buffer[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, in)) > 0;)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static void assert_same_layers(const ltap_model *a, const ltap_model *b, const char *what)
{
    size_t n = ltap_model_layers_count(a);
    assert_int_equal(n, ltap_model_layers_count(b));
    for (size_t i = 0; i < n; i++) {
        const ltap_layer *x = ltap_model_layers_at(a, i), *y = ltap_model_layers_at(b, i);
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || strcmp(x->type, y->type) != 0 ||
            x->n_parameters != y->n_parameters)
            fail_msg("%s: the layer '%s' became '%s'", what, x->name, y->name);
    }
}

static void every_checkpoint_keeps_its_layers_and_bits(void **state)
{
    static const char *const files[] = {"small.pth",      "small_old.pth",    "small_views.pth",
                                        "small_half.pth", "small_packed.pth", "small.safetensors"};
    static const ltap_external ways[] = {LTAP_EXTERNAL_AUTO, LTAP_EXTERNAL_KEEP,
                                         LTAP_EXTERNAL_REPACK};
    place *at = *state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        copy_file(data_path(at, files[i]), at->copy);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            const ltap_prune_options options = {.external = ways[w], .force = 1};
            ltap_model *model = open_model(at->copy);
            ltap_error error;
            if (write_outputs(model, at->out, &options, &error) != LTAP_OK)
                fail_msg("%s: %s", files[i], error.message);
            ltap_model *written = open_model(at->out);
            assert_string_equal(ltap_model_info_get(written)->format, "ONNX");
            assert_same_layers(model, written, files[i]);
            assert_int_equal(assert_same_outputs(model, written, 40, files[i]), 1);
            ltap_model_close(written);
            ltap_model_close(model);
        }
    }
}

static void a_checkpoints_layers_are_pruned_and_split_alike(void **state)
{
    static const struct {
        const char *cut, *end;
    } rows[] = {{"layer1", "layer3"},
                {"layer2.0.conv1", "layer2.0.bn1"},
                {"layer2.0.relu#0", "output:output"},
                {"/layer2/layer2.0/Add", "layer4.0.downsample"},
                {"conv1", "fc"}};
    const ltap_prune_options options = {.force = 1};
    place *at = *state;
    ltap_model *model = open_model(data_path(at, "small.pth"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ltap_return_layer wanted[] = {{rows[i].end, "end"}, {rows[i].cut, "cut"}};
        const ltap_return_layer end = {"output:end", "end"}, cut = {rows[i].cut, "cut"};
        const ltap_split split = {{rows[i].cut, "cut"}, wanted,  1,
                                  LTAP_CALLS_REFUSE,    at->out, at->head};
        ltap_error error;
        ltap_features *whole = run_layers(model, wanted, 2, 40, NULL);
        assert_non_null(whole);

        if (ltap_model_prune(model, wanted, 2, NULL, at->out, &options, NULL, &error) != LTAP_OK)
            fail_msg("%s: %s", rows[i].cut, error.message);
        ltap_model *part = open_model(at->out);
        const ltap_return_layer both[] = {{"output:end", "end"}, {"output:cut", "cut"}};
        ltap_features *given = run_layers(part, both, 2, 40, NULL);
        assert_non_null(given);
        assert_same_bits(whole, 0, given, 0, rows[i].cut);
        assert_same_bits(whole, 1, given, 1, rows[i].cut);
        ltap_features_free(given);
        ltap_model_close(part);

        if (ltap_model_split(model, &split, &options, NULL, &error) != LTAP_OK)
            fail_msg("%s: %s", rows[i].cut, error.message);
        ltap_model *backbone = open_model(at->out), *head = open_model(at->head);
        ltap_return_layer crossing[4];
        size_t n = ltap_model_outputs_count(backbone);
        assert_true(n > 0 && n <= 4);
        for (size_t k = 0; k < n; k++)
            crossing[k] = (ltap_return_layer){ltap_model_outputs_at(backbone, k)->name,
                                              ltap_model_outputs_at(backbone, k)->name};
        ltap_features *inner = run_layers(backbone, crossing, n, 40, NULL);
        assert_non_null(inner);
        ltap_features *out = run_layers(head, &end, 1, 40, inner);
        assert_non_null(out);
        assert_same_bits(whole, 0, out, 0, rows[i].cut);
        ltap_features_free(out);
        ltap_features_free(inner);
        ltap_model_close(head);
        ltap_model_close(backbone);

        const ltap_getter_options from = {.from = &cut, .n_from = 1};
        if (ltap_model_prune(model, wanted, 1, &from, at->out, &options, NULL, &error) != LTAP_OK)
            fail_msg("%s: %s", rows[i].cut, error.message);
        ltap_model_close(open_model(at->out));
        ltap_features_free(whole);
    }
    ltap_model_close(model);
}

/* --- refusals -------------------------------------------------------------------------------- */

static void what_cannot_be_written_is_refused_by_name(void **state)
{
    static const struct {
        const ltap_return_layer layer, from;
        ltap_external external;
        const char *message;
    } rows[] = {
        {{"layer2", "/layer1/layer1.0/Add_output_0"},
         {NULL, NULL},
         LTAP_EXTERNAL_AUTO,
         "the name '/layer1/layer1.0/Add_output_0' for 'layer2' belongs to another value"},
        {{"layer2", "x"}, {NULL, NULL}, LTAP_EXTERNAL_AUTO, "the name 'x' for 'layer2' belongs"},
        {{"layer2", "y"},
         {"layer1", "y"},
         LTAP_EXTERNAL_AUTO,
         "'y' would be both an input and an output"},
        {{"layer2", "y"},
         {NULL, NULL},
         LTAP_EXTERNAL_KEEP,
         "weights are in 'small.pth', which is not beside "},
    };
    place *at = *state;
    ltap_model *model = open_model(data_path(at, "small.pth"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ltap_prune_options options = {.external = rows[i].external};
        const ltap_getter_options getter = {.from = &rows[i].from,
                                            .n_from = rows[i].from.layer != NULL};
        ltap_error error = {0};
        unlink(at->copy);
        assert_int_not_equal(
            ltap_model_prune(model, &rows[i].layer, 1, &getter, at->out, &options, NULL, &error),
            LTAP_OK);
        if (!strstr(error.message, rows[i].message))
            fail_msg("row %zu: %s", i, error.message);
        assert_int_not_equal(access(at->out, F_OK), 0);
    }
    ltap_model_close(model);
}

/* --- models written anew --------------------------------------------------------------------- */

static size_t rewrite_folder(place *at, const char *folder, const char *begin)
{
    const ltap_prune_options options = {.force = 1, .rewrite = 1};
    struct dirent **names;
    int n_names = scandir(folder, &names, NULL, alphasort);
    size_t n_same = 0;
    assert_true(n_names > 0);
    for (int i = 0; i < n_names; i++) {
        const char *end = strrchr(names[i]->d_name, '.');
        ltap_model *model = NULL;
        ltap_error error;
        snprintf(at->model, sizeof at->model, "%s/%s", folder, names[i]->d_name);
        if (end && strcmp(end, ".onnx") == 0 &&
            strncmp(names[i]->d_name, begin, strlen(begin)) == 0 &&
            ltap_model_open(at->model, NULL, &model, NULL) == LTAP_OK) {
            ltap_status status = write_outputs(model, at->out, &options, &error);
            if (status == LTAP_OK) {
                ltap_model *written = open_model(at->out);
                n_same += assert_same_outputs(model, written, 4, names[i]->d_name);
                ltap_model_close(written);
            } else if (status != LTAP_ERROR_UNSUPPORTED && status != LTAP_ERROR_INPUT &&
                       status != LTAP_ERROR_FILE && status != LTAP_ERROR_ARGUMENT)
                fail_msg("%s: %s", names[i]->d_name, error.message);
        }
        ltap_model_close(model);
        free(names[i]);
    }
    free(names);
    return n_same;
}

static void models_written_anew_give_the_same_bits(void **state)
{
    place *at = *state;
    size_t n = rewrite_folder(at, DATA_DIR, ""), m = rewrite_folder(at, NETWORKS_DIR, "");
    print_message("%zu and %zu outputs\n", n, m);
    assert_true(n >= 40 && m >= 4);
}

/* --- operators of our own -------------------------------------------------------------------- */

static void every_operator_of_our_own_is_spelled_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ltap_ops_count(); i++) {
        const ltap_op *op = ltap_ops_at(i);
        if (strcmp(op->domain, "layertap") == 0 && !ltap_onnx_body_find(op->name))
            fail_msg("%s has no body in write_functions.c", op->name);
    }
}

/* Every "layertap" that stands alone as a domain becomes one that the reader does not know. */
static void rename_domain(const char *path)
{
    static const char field[] = "\x08layertap";
    FILE *file = fopen(path, "r+b");
    char bytes[1 << 16];
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file), changed = 0;
    for (size_t i = 0; i + sizeof field - 1 <= n; i++)
        if (memcmp(bytes + i, field, sizeof field - 1) == 0) {
            bytes[i + 1] = 'm';
            changed++;
        }
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    assert_true(changed >= 3);
}

static void assert_near(const ltap_features *a, const ltap_features *b, int64_t size)
{
    const ltap_tensor *x = &ltap_features_at(a, 0)->tensor, *y = &ltap_features_at(b, 0)->tensor;
    assert_int_equal(ltap_tensor_count(x), ltap_tensor_count(y));
    for (uint64_t i = 0; i < ltap_tensor_count(x); i++)
        if (!(fabsf(((const float *)x->data)[i] - ((const float *)y->data)[i]) <= 2e-6f))
            fail_msg("size %d: element %d", (int)size, (int)i);
}

/* What other readers compute, inlining the function, for sizes that divide and do not, larger and
 * smaller than the output's. */
static void a_spelled_out_adaptive_pool_is_what_it_says(void **state)
{
    static const char *const outputs[] = {"output:up", "output:down"};
    const ltap_prune_options options = {.force = 1, .rewrite = 1};
    place *at = *state;
    ltap_error error;
    ltap_model *model = open_model(data_path(at, "adaptive_pool.onnx"));
    if (write_outputs(model, at->out, &options, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    rename_domain(at->out);
    ltap_model *other = open_model(at->out);
    assert_true(ltap_model_info_get(other)->n_nodes > 2 * 20);
    for (int64_t size = -1; size < 24; size++)
        for (size_t i = 0; i < 2; i++) {
            const ltap_return_layer layer = {outputs[i], "o"};
            ltap_features *a = run_layers(model, &layer, 1, size, NULL);
            ltap_features *b = run_layers(other, &layer, 1, size, NULL);
            assert_non_null(a);
            assert_non_null(b);
            assert_near(a, b, size);
            ltap_features_free(a);
            ltap_features_free(b);
        }
    ltap_model_close(other);
    ltap_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_checkpoint_keeps_its_layers_and_bits, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_checkpoints_layers_are_pruned_and_split_alike, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_refused_by_name, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(models_written_anew_give_the_same_bits, make_place,
                                        remove_place),
        cmocka_unit_test(every_operator_of_our_own_is_spelled_out),
        cmocka_unit_test_setup_teardown(a_spelled_out_adaptive_pool_is_what_it_says, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests(tests, fill_numbers, NULL);
}
