/* Checkpoints: every layout gives the same weights, and files made to do harm give one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/bytes.h"
#include "opened.h"

static void all_layouts_hold_the_same_weights(void **state)
{
    (void)state;
    static const char *const files[] = {
        "small_old.pth",    "small.safetensors", "small_views.pth",
        "small_packed.pth", "small_script.pt",   "small_trace.pt",
        "small.mar",        "small_packed.mar",  "small_script.mar"};
    static const char *const names[] = {"conv1.weight", "fc.weight", "layer2.0.conv1.weight",
                                        "layer4.0.bn2.running_var"};
    opened first;
    open_model(&first, DATA_DIR, "small.pth");
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        opened other;
        open_model(&other, DATA_DIR, files[f]);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            assert_same_weight(&first, &other, names[n]);
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

/* What the file holds is there to be shown, and what it is nearest to; there is no network. */
static void what_is_not_known_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *file, *nearest, *says;
        size_t n_tensors;
    } rows[] = {
        {"other.pth", NULL, "2 tensors", 2},
        {"near.pth", "ResNet", "'layer1.0.se.fc.weight' is none of its tensors", 75},
        {"script.pt", NULL, "torch.jit.load('model.pt')", 2},
        {"script.mar", NULL, "torch.jit.load('script.pt')", 2},
        {"lacking.pth", "ResNet", "'layer2.0.bn1.weight' and 3 more are not in the file", 69},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened model;
        open_model(&model, DATA_DIR, rows[i].file);
        assert_int_equal(model.status, LTAP_OK);
        assert_int_equal(model.graph->nodes.count, 0);
        assert_int_equal(model.graph->n_stored, rows[i].n_tensors);
        if (strstr(model.graph->no_network, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].file, model.graph->no_network);
        if (rows[i].nearest == NULL)
            assert_null(model.graph->nearest);
        else
            assert_string_equal(model.graph->nearest, rows[i].nearest);
        close_model(&model);
    }
}

static void programs_that_hold_no_tensors_are_refused(void **state)
{
    (void)state;
    opened model;
    open_model(&model, DATA_DIR, "script_frozen.pt");
    assert_int_equal(model.status, LTAP_ERROR_UNSUPPORTED);
    assert_non_null(strstr(model.error.message, "torch.jit.freeze"));
    assert_non_null(strstr(model.error.message, "TS2EPConverter"));
    close_model(&model);
}

/* A name in a safetensors header: begins at it, or at the next one behind; NULL: no more. */
static char *next_name(char *at, char **end)
{
    *end = strstr(at, "\": {\"dtype\"");
    if (*end == NULL)
        return NULL;
    char *begin = *end;
    while (begin[-1] != '"')
        begin--;
    return begin;
}

/* Whether one line names what is wrong. */
static void expect_named(opened *model, const uint8_t *bytes, const char *name, const char *what)
{
    load(model, bytes, model->file.size);
    const char *told = model->status == LTAP_OK ? model->graph->no_network : NULL;
    if (told == NULL || strstr(told, name) == NULL)
        fail_msg("%s, which %s: status %d, '%s'", name, what, (int)model->status,
                 told ? told : model->error.message);
    assert_null(strchr(told, '\n'));
    unload(model);
}

/* "[8, 4, 3, 3]" to "[4, 8, 3, 3]" and back; false: no such shape. */
static bool swap_sizes(char *name_end)
{
    char *shape = strchr(name_end, '[') + 1, *comma = strchr(shape, ','),
         *stop = strchr(shape, ']');
    char text[64];
    int first, second, used;
    if (sscanf(shape, "%d, %d%n", &first, &second, &used) != 2 || first == second || comma > stop)
        return false;
    assert_int_equal(snprintf(text, sizeof text, "%d, %d", second, first), used);
    memcpy(shape, text, (size_t)used);
    return true;
}

/* Changes the header in place, by texts of the same size. first: the convolution whose shape tells
 * the input's channels. */
static int change_each(opened *model, uint8_t *bytes, const char *first)
{
    char *end = NULL, *name, text[128];
    int count = 0;
    for (char *at = (char *)bytes + 8; (name = next_name(at, &end)) != NULL; at = end + 1) {
        snprintf(text, sizeof text, "%.*s", (int)(end - name), name);
        if (strncmp(text, "aux", 3) == 0 || strncmp(text, "Aux", 3) == 0)
            continue;
        end[-1] = 'X';
        expect_named(model, bytes, text, "is called otherwise");
        end[-1] = text[strlen(text) - 1];
        if (strcmp(text, first) != 0 && swap_sizes(end)) {
            expect_named(model, bytes, text, "has another shape");
            swap_sizes(end);
        }
        count++;
    }
    return count;
}

static void each_tensor_matters(void **state)
{
    (void)state;
    static const struct {
        const char *file, *first;
    } rows[] = {
        {"densenet.safetensors", "features.conv0.weight"},
        {"googlenet.safetensors", "conv1.conv.weight"},
        {"inception.safetensors", "Conv2d_1a_3x3.conv.weight"},
        {"mnasnet.safetensors", "layers.0.weight"},
        {"mobilenet_v2.safetensors", "features.0.0.weight"},
        {"mobilenet_v3.safetensors", "features.0.0.weight"},
        {"shufflenet.safetensors", "conv1.0.weight"},
        {"squeezenet.safetensors", "features.0.weight"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened model;
        open_model(&model, DATA_DIR, rows[i].file);
        if (model.status != LTAP_OK)
            fail_msg("%s: %s", rows[i].file, model.error.message);
        unload(&model);
        uint8_t *copy = copy_bytes(&model, 1);
        copy[8 + ltap_load_u64(copy)] = '\0'; /* the header as a text */
        assert_true(change_each(&model, copy, rows[i].first) > 20);
        close_model(&model);
        free(copy);
    }
}

static void load_called(opened *model, const char *file, const char *arch)
{
    open_model(model, DATA_DIR, file);
    unload(model);
    model->arch = arch;
    load(model, model->file.data, model->file.size);
}

static void the_user_says_whether_the_input_is_transformed(void **state)
{
    (void)state;
    static const struct {
        const char *file, *arch;
        bool transformed;
    } rows[] = {
        {"inception.safetensors", NULL, false},
        {"inception.safetensors", "inception", false},
        {"inception.safetensors", "inception_v3+transform_input", true},
        {"googlenet.safetensors", "googlenet+transform_input", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened model;
        load_called(&model, rows[i].file, rows[i].arch);
        assert_int_equal(model.status, LTAP_OK);
        const char *first = ltap_graph_node(model.graph, 0)->op_type;
        assert_string_equal(first, rows[i].transformed ? "Slice" : "Cast");
        const char *preprocess = model.graph->properties[0].value;
        assert_true((strstr(preprocess, "0.485") != NULL) == rows[i].transformed);
        assert_true((strstr(model.graph->version, " with transform_input") != NULL) ==
                    rows[i].transformed);
        close_model(&model);
    }
}

/* What the user says, and what is answered: of a network that was built, or in one line. */
static void names_of_networks_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *file, *arch;
        ltap_status status;
        const char *says;
    } rows[] = {
        {"small.pth", "resnet", LTAP_OK, "a ResNet of its own sizes"},
        {"small.pth", "resnet+output_stride=16", LTAP_OK, ", dilated"},
        {"small.pth", "resnet50", LTAP_ERROR_UNSUPPORTED, "this is not resnet50, but a ResNet of"},
        {"small.pth", "vgg11", LTAP_ERROR_UNSUPPORTED,
         "'features.0.weight' and 6 more are not in the file; 'conv1.weight' and 61 more are none of "
         "its tensors; its names are those of ResNet"},
        {"near.pth", "resnet", LTAP_ERROR_UNSUPPORTED, "'layer1.0.se.fc.weight' is none of its"},
        {"other.pth", "vit+heads=2", LTAP_ERROR_UNSUPPORTED, "0 tensors in common"},
        {"small.pth", "resnet+output_stride=4", LTAP_ERROR_UNSUPPORTED, "expected 8, 16 or 32"},
        {"small.pth", "resnet05", LTAP_ERROR_ARGUMENT, "nearest: resnet18, resnet34"},
        {"small.pth", "", LTAP_ERROR_ARGUMENT, "no network is called ''"},
        {"small.pth", "resnet+heads=2", LTAP_ERROR_ARGUMENT, "+output_stride=N may stand"},
        {"small.pth", "resnet+output_stride", LTAP_ERROR_ARGUMENT, "takes no '+output_stride'"},
        {"small.pth", "resnet+output_stride=x", LTAP_ERROR_ARGUMENT, "takes no '+output_stride=x'"},
        {"small.pth", "resnet+output_stride=8+", LTAP_ERROR_ARGUMENT, "takes no '+'"},
        {"deeplab.pth", "deeplabv3+rates=6,12", LTAP_ERROR_ARGUMENT, "+rates=N,N,N"},
        {"deeplab.pth", "deeplabv3+rates=1,2,3+output_stride=16", LTAP_OK, "rates 1, 2, 3"},
        {"deeplab.pth", "deeplabv3_resnet18", LTAP_ERROR_UNSUPPORTED, "but a DeepLabV3 on a"},
        {"tv_vit_of_other_width.safetensors", "vit+heads=2", LTAP_OK, "of width 8, 2 heads"},
        {"tv_vit_of_other_width.safetensors", "vit+heads=3", LTAP_ERROR_UNSUPPORTED, "3 heads"},
        {"small.mar", "resnet", LTAP_OK, "'small.pth' of a TorchServe archive, recognised as"},
        {"squeeze1.mar", "resnet18", LTAP_ERROR_ARGUMENT, "in 'squeeze1.onnx': this is ONNX"},
        {"squeeze1.onnx", "resnet18", LTAP_ERROR_ARGUMENT, "holds its own network"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opened model;
        load_called(&model, rows[i].file, rows[i].arch);
        const char *told = model.graph != NULL ? model.graph->version : model.error.message;
        if (model.status != rows[i].status || strstr(told, rows[i].says) == NULL)
            fail_msg("%s as '%s': status %d, '%s'", rows[i].file, rows[i].arch, (int)model.status,
                     told);
        close_model(&model);
    }
}

static void attacks_give_one_line(void **state)
{
    (void)state;
    refuse_attacks(".pth", 40);
    refuse_attacks(".safetensors", 2);
    refuse_attacks(".pt", 14);
    refuse_attacks(".mar", 14);
}

/* Of the pickle, of the zip's headers, of the weights. */
static void changed_bytes_never_hurt(void **state)
{
    (void)state;
    change_bytes("other.pth", 4000, 0x41);
    change_bytes("small_old.pth", 4000, 0x41);
    change_bytes("small.safetensors", 4000, 0x41);
    change_bytes("script.pt", 4000, 0x41);
    change_bytes("script.mar", 4000, 0x41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_layouts_hold_the_same_weights),
        cmocka_unit_test(weights_lie_in_the_file),
        cmocka_unit_test(what_is_not_known_is_told),
        cmocka_unit_test(programs_that_hold_no_tensors_are_refused),
        cmocka_unit_test(each_tensor_matters),
        cmocka_unit_test(the_user_says_whether_the_input_is_transformed),
        cmocka_unit_test(names_of_networks_are_checked),
        cmocka_unit_test(attacks_give_one_line),
        cmocka_unit_test(changed_bytes_never_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
