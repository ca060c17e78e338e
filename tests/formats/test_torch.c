/* Checkpoints: every layout gives the same weights, and files made to do harm give one line. */
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
    for (size_t i = 0; i < model->source.files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&model->source.files, ltap_file, i));
    ltap_vector_clear(&model->source.files);
}

static void open_model(opened *model, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(ltap_memory_new(NULL, 64u << 20, &model->memory, NULL), LTAP_OK);
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
    assert_true(ltap_graph_find(model->graph, name, &value));
    return ltap_graph_at(model->graph, value)->constant;
}

static void all_layouts_hold_the_same_weights(void **state)
{
    (void)state;
    static const char *const files[] = {"small_old.pth", "small.safetensors", "small_views.pth",
                                        "small_packed.pth"};
    static const char *const names[] = {"conv1.weight", "fc.weight", "layer2.0.conv1.weight",
                                        "layer4.0.bn2.running_var"};
    opened first;
    open_model(&first, DATA_DIR, "small.pth");
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        opened other;
        open_model(&other, DATA_DIR, files[f]);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const ltap_tensor *a = weight(&first, names[n]), *b = weight(&other, names[n]);
            assert_true(ltap_tensor_same_shape(a, b));
            assert_memory_equal(a->data, b->data, ltap_tensor_bytes(a));
        }
        close_model(&other);
    }
    close_model(&first);
}

static void weights_lie_in_the_file(void **state)
{
    (void)state;
    opened model;
    open_model(&model, DATA_DIR, "small.pth");
    const uint8_t *data = weight(&model, "conv1.weight")->data;
    assert_true(data >= model.file.data && data < model.file.data + model.file.size);
    close_model(&model);
}

static void what_is_not_known_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *says;
    } rows[] = {
        {"other.pth", "2 tensors begin with 'weight' float32[2,3]"},
        {"near.pth", "'layer1.0.se.fc.weight'"},
        {"script.pt", "TorchScript"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened model;
        open_model(&model, DATA_DIR, rows[i].file);
        assert_int_equal(model.status, LTAP_ERROR_UNSUPPORTED);
        if (strstr(model.error.message, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].file, model.error.message);
        close_model(&model);
    }
}

static void attacks_give_one_line(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *folder = opendir(ATTACKS_DIR);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        opened model;
        if (entry->d_name[0] == '.')
            continue;
        open_model(&model, ATTACKS_DIR, entry->d_name);
        if (model.status != LTAP_ERROR_FORMAT && model.status != LTAP_ERROR_UNSUPPORTED)
            fail_msg("%s: status %d", entry->d_name, (int)model.status);
        assert_true(model.error.message[0] != '\0' && strchr(model.error.message, '\n') == NULL);
        close_model(&model);
        count++;
    }
    closedir(folder);
    assert_true(count >= 40);
}

/* Each byte of the pickle, and of the zip's headers, made another one. */
static void changed_bytes_never_hurt(void **state)
{
    (void)state;
    static const char *const files[] = {"other.pth", "small_old.pth", "small.safetensors"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        opened model;
        void *block;
        open_model(&model, DATA_DIR, files[f]);
        unload(&model);
        size_t size = model.file.size, step = size / 4000 + 1;
        assert_int_equal(ltap_memory_take(model.memory, size, "a copy", &block, NULL), LTAP_OK);
        memcpy(block, model.file.data, size);
        for (size_t at = 0; at < size; at += step) {
            ((uint8_t *)block)[at] ^= 0x41;
            load(&model, block, size);
            assert_true((model.status == LTAP_OK) == (model.graph != NULL));
            unload(&model);
            ((uint8_t *)block)[at] ^= 0x41;
        }
        ltap_memory_release(model.memory, block);
        model.graph = NULL;
        close_model(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layouts_hold_the_same_weights),
        cmocka_unit_test(weights_lie_in_the_file),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(attacks_give_one_line),
        cmocka_unit_test(changed_bytes_never_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
