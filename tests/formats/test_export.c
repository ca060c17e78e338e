/* Programs of torch.export: each layout gives the numbers that PyTorch gave, and files made to do
 * harm give one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/zip.h"
#include "opened.h"
#include "tensor/tensor.h"
#include <layertap/layertap.h>

#include <math.h>

static const struct expected {
    const char *layer;
    float first[4];
} numbers[] = {
#include "programs.inc"
};

static ltap_model *open_program(const char *name)
{
    char path[512];
    ltap_model *model = NULL;
    ltap_error error = {0};
    snprintf(path, sizeof path, "%s/%s", DATA_DIR, name);
    if (ltap_model_open(path, NULL, &model, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    return model;
}

enum { COUNT = 2 * 4 * 5 * 7 };

/* The same numbers that make_programs.py gave to PyTorch. */
static void fill(float *data, int k)
{
    for (int i = 0; i < COUNT; i++)
        data[i] = (float)(i * k % 17) / 8 - 1;
}

static void run(const ltap_model *model, const char *layer, float first[4])
{
    static const char *const names[] = {"image", "more_0", "more_1"};
    static float data[3][COUNT];
    ltap_input inputs[3];
    const ltap_return_layer wanted = {layer, "out"};
    ltap_getter *getter = NULL;
    ltap_run *made = NULL;
    ltap_features *features = NULL;
    ltap_error error = {0};
    for (int i = 0; i < 3; i++) {
        fill(data[i], 3 + 2 * i);
        inputs[i] = (ltap_input){names[i], {LTAP_FLOAT32, 4, {2, 4, 5, 7}, data[i]}};
    }
    if (ltap_getter_new(model, &wanted, 1, NULL, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &made, &error) != LTAP_OK)
        fail_msg("%s: %s", layer, error.message);
    size_t n = strncmp(layer, "block", 5) == 0 ? 1 : 3; /* one input is enough for the block */
    if (ltap_run_forward(made, inputs, n, &features, &error) != LTAP_OK)
        fail_msg("%s: %s", layer, error.message);
    memcpy(first, ltap_features_at(features, 0)->tensor.data, 4 * sizeof *first);
    ltap_features_free(features);
    ltap_run_free(made);
    ltap_getter_free(getter);
}

static void all_layouts_give_pytorchs_numbers(void **state)
{
    (void)state;
    static const char *const files[] = {"program.pt2", "program_decomposed.pt2",
                                        "program_flat.pt2"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        ltap_model *model = open_program(files[f]);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            float first[4];
            run(model, numbers[i].layer, first);
            for (int k = 0; k < 4; k++)
                if (fabsf(first[k] - numbers[i].first[k]) > 2e-5F)
                    fail_msg("%s: %s[%d] is %g; expected %g", files[f], numbers[i].layer, k,
                             (double)first[k], (double)numbers[i].first[k]);
        }
        ltap_model_close(model);
    }
}

/* A view that was overwritten is seen in what it is a view of: the outputs above. Before that, a
 * layer has the value that it made. */
static void a_layer_before_an_overwriting_one_keeps_its_value(void **state)
{
    (void)state;
    float before[4], after[4];
    ltap_model *model = open_program("program.pt2");
    run(model, "add_1", before); /* y before its first column is set */
    run(model, "scores.0", after);
    assert_true(before[0] != 0.5F && after[0] == 0.5F);
    assert_true(fabsf(2 * before[1] - after[1]) < 1e-5F && before[3] == after[3]);
    ltap_model_close(model);
}

static ltap_features *forward(const ltap_model *model, const char *layer, const ltap_input *input)
{
    const ltap_return_layer wanted = {layer, "out"};
    ltap_getter *getter = NULL;
    ltap_run *made = NULL;
    ltap_features *features = NULL;
    ltap_error error = {0};
    if (ltap_getter_new(model, &wanted, 1, NULL, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &made, &error) != LTAP_OK ||
        ltap_run_forward(made, input, 1, &features, &error) != LTAP_OK)
        fail_msg("%s: %s", layer, error.message);
    ltap_run_free(made);
    ltap_getter_free(getter);
    return features;
}

static void what_is_not_known_is_named_and_the_rest_works(void **state)
{
    (void)state;
    float data[6] = {1, 1, 1, 1, 1, 1};
    const ltap_input input = {"x", {LTAP_FLOAT32, 2, {2, 3}, data}};
    const ltap_return_layer behind = {"last", "out"};
    ltap_getter *getter = NULL;
    ltap_error error = {0};
    ltap_model *model = open_program("program_odd.pt2");
    ltap_features_free(forward(model, "first", &input));
    assert_int_equal(ltap_getter_new(model, &behind, 1, NULL, &getter, &error),
                     LTAP_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "aten.special_bessel_j0.default"));
    ltap_model_close(model);
}

static void what_is_put_back_into_a_view_is_not_the_modules(void **state)
{
    (void)state;
    float data[30] = {1};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 3, {2, 5, 3}, data}};
    ltap_model *model = open_program("program_overwriting.pt2");
    ltap_features *features = forward(model, "1", &input);
    const ltap_tensor *out = &ltap_features_at(features, 0)->tensor;
    assert_true(out->rank == 3 && out->dims[0] == 2 && out->dims[1] == 5 && out->dims[2] == 4);
    ltap_features_free(features);
    ltap_model_close(model);
}

static const struct use {
    const char *group, *output;
    uint64_t count;
    double sum, size; /* of elements times their places; of their magnitudes */
} uses[] = {
#include "program_uses.inc"
};

static void check_use(const ltap_model *model, const struct use *use, const ltap_input *input)
{
    char layer[100];
    double sum = 0;
    snprintf(layer, sizeof layer, "output:%s", use->output);
    ltap_features *features = forward(model, layer, input);
    const ltap_tensor *out = &ltap_features_at(features, 0)->tensor;
    uint64_t count = ltap_tensor_count(out);
    if (count != use->count)
        fail_msg("%s %s: %llu elements", use->group, layer, (unsigned long long)count);
    for (uint64_t i = 0; i < count; i++) {
        double number = ltap_tensor_double(out, i);
        sum += isfinite(number) ? number * (double)(i * 31 % 101 + 1) : 0;
    }
    if (fabs(sum - use->sum) > 2e-6 * use->size + 1e-12)
        fail_msg("%s %s: the sum is %.9g; expected %.9g", use->group, layer, sum, use->sum);
    ltap_features_free(features);
}

static void every_use_of_an_operator_gives_pytorchs_numbers(void **state)
{
    (void)state;
    float data[2 * 4 * 6 * 6];
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {2, 4, 6, 6}, data}};
    ltap_model *model = NULL;
    for (int i = 0; i < 2 * 4 * 6 * 6; i++)
        data[i] = (float)((double)(i * 7919 % 100003) / 50000 - 1);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        char name[100];
        snprintf(name, sizeof name, "program_%s.pt2", uses[i].group);
        if (i == 0 || strcmp(uses[i].group, uses[i - 1].group) != 0) {
            ltap_model_close(model);
            model = open_program(name);
        }
        check_use(model, &uses[i], &input);
    }
    ltap_model_close(model);
}

static void attacks_give_one_line(void **state)
{
    (void)state;
    refuse_attacks(".pt2", 30);
}

/* The central header of the program's record, which holds its CRC, and the bytes that it is of. */
static void find_program(const uint8_t *data, size_t size, ltap_zip_entry *entry)
{
    ltap_memory *memory;
    ltap_arena arena;
    ltap_zip zip;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    assert_int_equal(ltap_zip_open(data, size, &arena, &zip, NULL), LTAP_OK);
    for (size_t i = 0; i < zip.n_entries; i++)
        if (strstr(zip.entries[i].name, "models/model.json") != NULL)
            *entry = zip.entries[i];
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

static void put_crc(uint8_t *data, const ltap_zip_entry *entry)
{
    uint32_t crc = ltap_zip_crc(0, data + entry->data_offset, entry->bytes);
    for (int i = 0; i < 4; i++)
        data[entry->central_offset + 16 + (size_t)i] = (uint8_t)(crc >> 8 * i);
}

/* Bytes all over the archive, made others; and then those of the program, with a CRC that agrees.
 */
static void changed_bytes_never_hurt(void **state)
{
    (void)state;
    static const uint8_t changes[] = {1, 4, 0x41};
    ltap_zip_entry program = {0};
    opened model;
    change_bytes("program_odd.pt2", 3000, 0x41);
    open_model(&model, DATA_DIR, "program_odd.pt2");
    unload(&model);
    uint8_t *copy = copy_bytes(&model, 0);
    find_program(copy, model.file.size, &program);
    assert_true(program.bytes > 1000);
    for (size_t i = 0; i < program.bytes; i++) {
        copy[program.data_offset + i] ^= changes[i % 3];
        put_crc(copy, &program);
        load(&model, copy, model.file.size);
        unload(&model);
        copy[program.data_offset + i] ^= changes[i % 3];
    }
    close_model(&model);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layouts_give_pytorchs_numbers),
        cmocka_unit_test(a_layer_before_an_overwriting_one_keeps_its_value),
        cmocka_unit_test(what_is_not_known_is_named_and_the_rest_works),
        cmocka_unit_test(what_is_put_back_into_a_view_is_not_the_modules),
        cmocka_unit_test(every_use_of_an_operator_gives_pytorchs_numbers),
        cmocka_unit_test(attacks_give_one_line),
        cmocka_unit_test(changed_bytes_never_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
