/* Small networks of torchvision's families, each recognised by its weights alone: layers of all
 * kinds give the numbers that PyTorch gave, and a network that is nearly known is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <layertap/layertap.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct expected {
    const char *network, *layer;
    float first[4]; /* zeros where there are fewer */
} rows[] = {
#include "torchvision.inc"
};

static ltap_status open_model(const char *network, ltap_model **model, ltap_error *error)
{
    char path[512];
    memset(error, 0, sizeof *error);
    snprintf(path, sizeof path, "%s/tv_%s.safetensors", DATA_DIR, network);
    return ltap_model_open(path, NULL, model, error);
}

enum { COUNT = 3 * 45 * 37 };

/* The same numbers that make_torchvision.py gave to PyTorch. */
static void fill(float *data)
{
    for (int i = 0; i < COUNT; i++)
        data[i] = (float)(i * 5 % 17) / 8 - 1;
}

static ltap_status extract(const ltap_model *model, const char *layer, ltap_features **features,
                           ltap_error *error)
{
    static float data[COUNT];
    const ltap_return_layer wanted = {layer, "out"};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, 45, 37}, data}};
    size_t n_inputs = strstr(layer, "cpb_mlp") == NULL; /* which reads a table alone */
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    fill(data);
    ltap_status status = ltap_getter_new(model, &wanted, 1, NULL, &getter, error);
    if (status == LTAP_OK)
        status = ltap_run_new(getter, &run, error);
    if (status == LTAP_OK)
        status = ltap_run_forward(run, &input, n_inputs, features, error);
    ltap_run_free(run);
    ltap_getter_free(getter);
    return status;
}

static void check_row(const ltap_model *model, const struct expected *row)
{
    ltap_features *features = NULL;
    ltap_error error = {0};
    if (extract(model, row->layer, &features, &error) != LTAP_OK)
        fail_msg("%s: %s", row->network, error.message);
    const ltap_tensor *made = &ltap_features_at(features, 0)->tensor;
    const float *numbers = made->data;
    size_t count = 1;
    for (int i = 0; i < made->rank; i++)
        count *= (size_t)made->dims[i];
    for (size_t i = 0; i < 4 && i < count; i++)
        if (fabsf(numbers[i] - row->first[i]) > 1e-5f + 1e-5f * fabsf(row->first[i]))
            fail_msg("%s, %s: number %zu is %.9g, PyTorch's %.9g", row->network, row->layer, i,
                     (double)numbers[i], (double)row->first[i]);
    ltap_features_free(features);
}

static void layers_give_pytorchs_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ltap_model *model = NULL;
        ltap_error error;
        if (open_model(rows[i].network, &model, &error) != LTAP_OK)
            fail_msg("%s", error.message);
        check_row(model, &rows[i]);
        ltap_model_close(model);
    }
}

/* The file opens, so that its tensors can be shown; nothing can be asked of it. */
static void expect_no_network(const ltap_model *model, const char *says)
{
    const ltap_return_layer wanted = {"layer1", "layer1"};
    ltap_getter *getter = NULL;
    ltap_error error = {0};
    assert_true(ltap_model_weights_count(model) > 0);
    assert_int_equal(ltap_model_layers_count(model), 0);
    assert_int_equal(ltap_getter_new(model, &wanted, 1, NULL, &getter, &error),
                     LTAP_ERROR_UNSUPPORTED);
    if (strstr(error.message, says) == NULL)
        fail_msg("%s: %s", says, error.message);
}

static void what_the_shapes_cannot_tell_is_refused(void **state)
{
    ltap_model *model = NULL;
    ltap_error error;
    (void)state;
    assert_int_equal(open_model("vit_of_other_width", &model, &error), LTAP_OK);
    expect_no_network(model, "2 blocks of width 8, whose number of heads");
    ltap_model_close(model);
}

typedef struct bytes {
    char *data;
    size_t size;
} bytes;

static bytes read_file(const char *network)
{
    char path[512];
    bytes file = {0};
    snprintf(path, sizeof path, "%s/tv_%s.safetensors", DATA_DIR, network);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    fseek(stream, 0, SEEK_END);
    file.size = (size_t)ftell(stream);
    file.data = malloc(file.size);
    rewind(stream);
    assert_int_equal(fread(file.data, 1, file.size, stream), file.size);
    fclose(stream);
    return file;
}

/* The first place of a text, which need not end the bytes. */
static char *find(const bytes *file, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= file->size; i++)
        if (memcmp(file->data + i, text, n) == 0)
            return file->data + i;
    fail_msg("no '%s'", text);
    return NULL;
}

/* A tensor of another name is one that lacks and one too much; changed shapes keep their bytes. */
static void near_misses_are_refused_by_name(void **state)
{
    static const struct {
        const char *network, *from, *to, *says;
    } misses[] = {
        {"efficientnet", "features.3.1.block.2.fc1.bias", "features.3.1.block.2.fc1.bios",
         "'features.3.1.block.2.fc1.bias' is not in the file"},
        {"efficientnet", "features.0.0.weight", "features.0.0.height",
         "'features.0.0.weight' is not in the file"},
        {"regnet_x", "trunk_output.block2.block2-1.f.c.1.bias",
         "trunk_output.block2.block2-1.f.c.1.bios",
         "'trunk_output.block2.block2-1.f.c.1.bias' is not in the file"},
        {"convnext", "features.1.0.layer_scale", "features.1.0.layer_skale",
         "'features.1.0.layer_scale' is not in the file"},
        {"convnext", "\"classifier.2.weight\": {\"dtype\": \"F16\", \"shape\": [3, 16]",
         "\"classifier.2.weight\": {\"dtype\": \"F16\", \"shape\": [16, 3]",
         "'classifier.2.weight' is float16[16,3]"},
        {"swin", "features.1.1.attn.relative_position_index",
         "features.1.1.attn.relative_position_indax",
         "'features.1.1.attn.relative_position_index' is not in the file"},
        {"swin",
         "features.1.0.attn.relative_position_bias_table\": {\"dtype\": \"F16\", "
         "\"shape\": [25, 2]",
         "features.1.0.attn.relative_position_bias_table\": {\"dtype\": \"F16\", "
         "\"shape\": [2, 25]",
         "2 positions of 25 heads"},
        {"swin_v2", "features.1.1.attn.logit_scale", "features.1.1.attn.logit_skale",
         "'features.1.1.attn.logit_scale' is not in the file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++) {
        ltap_model *model = NULL;
        ltap_error error = {0};
        bytes file = read_file(misses[i].network);
        memcpy(find(&file, misses[i].from), misses[i].to, strlen(misses[i].to));
        assert_int_equal(ltap_model_open_bytes(file.data, file.size, "near", NULL, &model, &error),
                         LTAP_OK);
        expect_no_network(model, misses[i].says);
        ltap_model_close(model);
        free(file.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_give_pytorchs_numbers),
        cmocka_unit_test(what_the_shapes_cannot_tell_is_refused),
        cmocka_unit_test(near_misses_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
