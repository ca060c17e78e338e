/* Weights in other files: which ones are read, and which are not, whatever lies on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "onnx_text.h"
#include <sys/stat.h>
#include <unistd.h>

/* A folder with the model "external.onnx" (its weights are in weights.bin and nowhere.bin). */
typedef struct place {
    char folder[64], model[128];
    uint8_t *data;
    size_t bytes;
} place;

static void path_in(const place *at, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", at->folder, name);
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static int make_place(void **state)
{
    place *at = calloc(1, sizeof(*at));
    char path[512];
    assert_non_null(at);
    strcpy(at->folder, "/tmp/ltap-external-XXXXXX");
    assert_non_null(mkdtemp(at->folder));
    at->data = read_data("external.onnx", &at->bytes, path);
    snprintf(at->model, sizeof(at->model), "%s/external.onnx", at->folder);
    path_in(at, "sub", path);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = at;
    return 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = {"weights.bin", "nowhere.bin", "sub/weights.bin",
                                        "other.bin",   "sub",         ""};
    place *at = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[512];
        path_in(at, names[i], path);
        if (unlink(path) != 0)
            rmdir(path);
    }
    free(at->data);
    free(at);
    return 0;
}

/* Why the weight of that name is missing; "" where it is there. */
static void load(const place *at, const char *external_dir, const char *name, char why[1024])
{
    loaded model;
    uint32_t value;
    memset(&model, 0, sizeof(model));
    assert_int_equal(ltap_memory_new(NULL, 0, &model.memory, NULL), LTAP_OK);
    ltap_source_init(&model.source, at->data, at->bytes, model.memory);
    model.source.path = at->model;
    model.source.external_dir = external_dir;
    assert_int_equal(ltap_format_load(&model.source, &model.graph, &model.error), LTAP_OK);
    assert_true(ltap_graph_find(model.graph, name, &value));
    const ltap_value *found = ltap_graph_at(model.graph, value);
    assert_int_equal(found->missing == NULL, found->constant->data != NULL);
    snprintf(why, 1024, "%s", found->missing ? found->missing : "");
    loaded_close(&model);
}

static const char weights[28] = {0};

static void a_file_beside_the_model_is_read(void **state)
{
    char path[512], why[1024];
    path_in(*state, "weights.bin", path);
    write_file(path, weights, sizeof(weights));
    load(*state, NULL, "a", why);
    assert_string_equal(why, "");
}

static void a_link_is_not_followed(void **state)
{
    char path[512], other[512], why[1024];
    path_in(*state, "other.bin", other);
    path_in(*state, "weights.bin", path);
    write_file(other, weights, sizeof(weights));
    assert_int_equal(symlink(other, path), 0);
    load(*state, NULL, "a", why);
    assert_non_null(strstr(why, "link"));
}

static void a_file_with_a_second_name_is_not_read(void **state)
{
    char path[512], other[512], why[1024];
    path_in(*state, "other.bin", other);
    path_in(*state, "weights.bin", path);
    write_file(other, weights, sizeof(weights));
    assert_int_equal(link(other, path), 0);
    load(*state, NULL, "a", why);
    assert_non_null(strstr(why, "hard link"));
}

static void a_folder_and_an_empty_file_are_no_weights(void **state)
{
    char path[512], why[1024];
    path_in(*state, "weights.bin", path);
    write_file(path, "", 0);
    load(*state, NULL, "a", why);
    assert_non_null(strstr(why, "which has 0 bytes"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    load(*state, NULL, "a", why);
    assert_non_null(strstr(why, "folder"));
}

static void the_named_folder_is_tried_second(void **state)
{
    const place *at = *state;
    char path[512], folder[512], why[1024];
    path_in(at, "sub", folder);
    load(at, folder, "a", why);
    assert_non_null(strstr(why, "; "));
    path_in(at, "sub/weights.bin", path);
    write_file(path, weights, sizeof(weights));
    load(at, folder, "a", why);
    assert_string_equal(why, "");
    load(at, NULL, "a", why);
    assert_non_null(strstr(why, "no such file"));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_file_beside_the_model_is_read),
        WITH_PLACE(a_link_is_not_followed),
        WITH_PLACE(a_file_with_a_second_name_is_not_read),
        WITH_PLACE(a_folder_and_an_empty_file_are_no_weights),
        WITH_PLACE(the_named_folder_is_tried_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
