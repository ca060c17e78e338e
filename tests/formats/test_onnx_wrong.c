/* Models that are wrong: the message, the place; and that no bytes at all make it crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "onnx_text.h"
#include "support/fail_alloc.h"

typedef struct refusal {
    const char *file;
    ltap_status status;
    const char *says;
} refusal;

static const refusal refusals[] = {
#include "refusals.inc"
};

static void wrong_models_are_refused_with_place_and_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        const refusal *row = &refusals[i];
        char path[512];
        size_t bytes;
        uint8_t *data = read_data(row->file, &bytes, path);
        loaded model;
        ltap_status status = load_bytes(&model, data, bytes, path, NULL);
        if (status != row->status || strcmp(model.error.message, row->says) != 0)
            fail_msg("%s: expected %d '%s', found %d '%s'", row->file, row->status, row->says,
                     status, model.error.message);
        assert_null(model.graph);
        loaded_close(&model);
        free(data);
    }
}

static void functions_that_multiply_end_at_a_limit(void **state)
{
    (void)state;
    static const char *const files[] = {"wrong_bomb.onnx", "wrong_wide.onnx"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        size_t bytes;
        uint8_t *data = read_data(files[i], &bytes, path);
        loaded model;
        ltap_status status = load_bytes(&model, data, bytes, path, NULL);
        assert_true(status == LTAP_ERROR_MEMORY || status == LTAP_ERROR_UNSUPPORTED);
        loaded_close(&model);
        free(data);
    }
}

static void weights_that_are_not_there_are_refused_only_when_needed(void **state)
{
    (void)state;
    static const char *const files[] = {"wrong_no_data.onnx", "wrong_sparse.onnx"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        size_t bytes;
        uint32_t value;
        uint8_t *data = read_data(files[i], &bytes, path);
        loaded model;
        assert_int_equal(load_bytes(&model, data, bytes, path, NULL), LTAP_OK);
        assert_true(ltap_graph_find(model.graph, "w", &value));
        assert_non_null(strstr(ltap_graph_at(model.graph, value)->missing, "tensor 'w'"));
        loaded_close(&model);
        free(data);
    }
}

static void a_cut_model_names_the_tensor_that_is_cut(void **state)
{
    (void)state;
    char path[512];
    size_t bytes;
    uint8_t *data = read_data("wrong_short.onnx", &bytes, path);
    loaded model;
    assert_int_equal(load_bytes(&model, data, 72, path, NULL), LTAP_ERROR_FORMAT);
    assert_string_equal(model.error.message,
                        "byte 70: tensor 'w' declares 4 bytes of raw_data, the file has 2 left");
    assert_int_equal(model.error.offset, 70);
    loaded_close(&model);
    free(data);
}

/* Models that have a bit of everything. */
static const char *const rich[] = {
    "functions.onnx", "typed.onnx",   "if.onnx",        "unpacked.onnx",    "external.onnx",
    "types.onnx",     "symbols.onnx", "constants.onnx", "groupnorm18.onnx", "function_if.onnx"};
#define N_RICH (sizeof(rich) / sizeof(*rich))

/* Loads bytes of which nothing is known; an error must say something in one line. */
static void load_anything(const uint8_t *data, size_t bytes, const char *path)
{
    loaded model;
    ltap_status status = load_bytes(&model, data, bytes, path, NULL);
    if (status != LTAP_OK) {
        assert_int_equal(model.error.code, status);
        assert_true(model.error.message[0] != '\0');
        assert_null(strchr(model.error.message, '\n'));
        assert_true(status == LTAP_ERROR_FORMAT || status == LTAP_ERROR_UNSUPPORTED ||
                    status == LTAP_ERROR_MEMORY);
    }
    loaded_close(&model);
}

static void every_flipped_byte_loads_or_fails_cleanly(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0xff, 0x01, 0x08, 0x80};
    for (size_t m = 0; m < N_RICH; m++) {
        char path[512];
        size_t bytes;
        uint8_t *data = read_data(rich[m], &bytes, path);
        for (size_t i = 0; i < bytes * sizeof(flips); i++) {
            data[i / sizeof(flips)] ^= flips[i % sizeof(flips)];
            load_anything(data, bytes, path);
            data[i / sizeof(flips)] ^= flips[i % sizeof(flips)];
        }
        free(data);
    }
}

static void every_shortened_model_loads_or_fails_cleanly(void **state)
{
    (void)state;
    for (size_t m = 0; m < N_RICH; m++) {
        char path[512];
        size_t bytes;
        uint8_t *data = read_data(rich[m], &bytes, path);
        for (size_t cut = 0; cut < bytes; cut++) {
            uint8_t *part = malloc(cut + 1);
            assert_non_null(part);
            memcpy(part + 1, data, cut);
            load_anything(part + 1, cut, path);
            free(part);
        }
        free(data);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t m = 0; m < N_RICH; m++) {
        char path[512];
        size_t bytes;
        uint8_t *data = read_data(rich[m], &bytes, path);
        bool failed = true;
        for (size_t n = 1; failed; n++) {
            fail_alloc heap;
            loaded model;
            fail_alloc_init(&heap, n);
            ltap_status status = load_bytes(&model, data, bytes, path, &heap.allocator);
            failed = fail_alloc_failed(&heap);
            assert_int_equal(status, failed ? LTAP_ERROR_MEMORY : LTAP_OK);
            if (model.memory)
                loaded_close(&model);
            fail_alloc_check(&heap);
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_models_are_refused_with_place_and_name),
        cmocka_unit_test(functions_that_multiply_end_at_a_limit),
        cmocka_unit_test(weights_that_are_not_there_are_refused_only_when_needed),
        cmocka_unit_test(a_cut_model_names_the_tensor_that_is_cut),
        cmocka_unit_test(every_flipped_byte_loads_or_fails_cleanly),
        cmocka_unit_test(every_shortened_model_loads_or_fails_cleanly),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
