/* Keras models: all ways to save one give the same network, and files made to do harm give one
 * line. What layers compute is compared in the session: keras.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "formats/format.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

typedef struct opened {
    ltap_memory *memory;
    ltap_file file;
    ltap_source source;
    ltap_graph *graph;
    ltap_error error;
    ltap_status status;
} opened;

static void load(opened *model, const uint8_t *data, size_t size)
{
    model->source = (ltap_source){.data = data, .size = size, .memory = model->memory};
    model->graph = NULL;
    memset(&model->error, 0, sizeof model->error);
    ltap_vector_init(&model->source.files, model->memory, sizeof(ltap_file));
    model->status = ltap_format_load(&model->source, &model->graph, &model->error);
}

static void unload(opened *model)
{
    ltap_graph_free(model->graph);
    ltap_vector_clear(&model->source.files);
}

static void open_model(opened *model, const char *folder, const char *name, uint64_t limit)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(ltap_memory_new(NULL, limit, &model->memory, NULL), LTAP_OK);
    assert_int_equal(ltap_file_open(path, false, model->memory, &model->file, NULL), LTAP_OK);
    load(model, model->file.data, model->file.size);
}

static void close_model(opened *model)
{
    unload(model);
    ltap_file_close(&model->file);
    assert_int_equal(ltap_memory_used(model->memory), 0);
    ltap_memory_unref(model->memory);
}

static const ltap_tensor *weight(const opened *model, const char *name)
{
    uint32_t value;
    if (model->status != LTAP_OK)
        fail_msg("%s", model->error.message);
    if (!ltap_graph_find(model->graph, name, &value))
        fail_msg("no '%s'", name);
    return ltap_graph_at(model->graph, value)->constant;
}

static void both_ways_to_save_hold_the_same_weights(void **state)
{
    (void)state;
    static const char *const names[] = {"/stem/kernel",
                                        "/stem_bn/moving_variance",
                                        "/inner.c.preactivation/kernel",
                                        "/inner.b/moving_mean",
                                        "/depthwise.preactivation/kernel",
                                        "/shared.preactivation/bias",
                                        "/lstm.forward/cell/kernel",
                                        "/lstm.backward/cell/bias"};
    static const char *const pairs[][2] = {{"keras3.keras", "keras3.h5"},
                                           {"keras2.keras", "keras2.h5"}};
    for (size_t p = 0; p < 2; p++) {
        opened first, other;
        open_model(&first, DATA_DIR, pairs[p][0], 64u << 20);
        open_model(&other, DATA_DIR, pairs[p][1], 64u << 20);
        assert_int_equal(first.graph->nodes.count, other.graph->nodes.count);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const ltap_tensor *a = weight(&first, names[n]), *b = weight(&other, names[n]);
            assert_true(ltap_tensor_same_shape(a, b));
            assert_memory_equal(a->data, b->data, ltap_tensor_bytes(a));
        }
        close_model(&other);
        close_model(&first);
    }
}

static void weights_lie_in_the_file(void **state)
{
    (void)state;
    opened model;
    open_model(&model, DATA_DIR, "keras3.keras", 64u << 20);
    const uint8_t *data = weight(&model, "/stem/kernel")->data;
    assert_true(data >= model.file.data && data < model.file.data + model.file.size);
    close_model(&model);
}

/* A layer that is code stands for itself; nothing of it is run. */
static void what_is_code_is_a_node_without_an_operator(void **state)
{
    (void)state;
    opened model;
    size_t count = 0;
    open_model(&model, DATA_DIR, "lambda.keras", 64u << 20);
    assert_int_equal(model.status, LTAP_OK);
    for (uint32_t i = 0; i < model.graph->nodes.count; i++) {
        const ltap_node *node = ltap_graph_node(model.graph, i);
        if (strcmp(node->domain, "keras") == 0) {
            assert_string_equal(node->op_type, "Lambda");
            count++;
        }
    }
    assert_int_equal(count, 1);
    close_model(&model);
}

static bool is_ours(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcmp(dot, ".keras") == 0;
}

static void attacks_give_one_line(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *folder = opendir(ATTACKS_DIR);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        opened model;
        if (!is_ours(entry->d_name))
            continue;
        open_model(&model, ATTACKS_DIR, entry->d_name, 64u << 20);
        if (model.status != LTAP_ERROR_FORMAT && model.status != LTAP_ERROR_UNSUPPORTED)
            fail_msg("%s: status %d", entry->d_name, (int)model.status);
        assert_true(model.error.message[0] != '\0' && strchr(model.error.message, '\n') == NULL);
        close_model(&model);
        count++;
    }
    closedir(folder);
    assert_true(count >= 20);
}

/* Bytes made others: of the configuration, of the HDF5 structure, of the archive. */
static void changed_bytes_never_hurt(void **state)
{
    (void)state;
    static const char *const files[] = {"keras3.h5", "lambda.keras", "keras2.h5"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        opened model;
        void *block;
        open_model(&model, DATA_DIR, files[f], 64u << 20);
        unload(&model);
        size_t size = model.file.size, step = size / 1500 + 1;
        assert_int_equal(ltap_memory_take(model.memory, size, "a copy", &block, NULL), LTAP_OK);
        memcpy(block, model.file.data, size);
        for (size_t at = 0; at < size; at += step) {
            ((uint8_t *)block)[at] ^= 0x11;
            load(&model, block, size);
            assert_true((model.status == LTAP_OK) == (model.graph != NULL));
            assert_true(model.status == LTAP_OK || model.error.message[0] != '\0');
            unload(&model);
            ((uint8_t *)block)[at] ^= 0x11;
        }
        ltap_memory_release(model.memory, block);
        model.graph = NULL;
        close_model(&model);
    }
}

static void too_little_memory_is_one_error(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 400000; limit += 9973) {
        opened model;
        open_model(&model, DATA_DIR, "keras3.keras", limit + 1);
        assert_true(model.status == LTAP_OK || model.status == LTAP_ERROR_MEMORY);
        close_model(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_to_save_hold_the_same_weights),
        cmocka_unit_test(weights_lie_in_the_file),
        cmocka_unit_test(what_is_code_is_a_node_without_an_operator),
        cmocka_unit_test(attacks_give_one_line),
        cmocka_unit_test(changed_bytes_never_hurt),
        cmocka_unit_test(too_little_memory_is_one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
