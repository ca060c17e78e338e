/* A network in two halves, written by `prune`, chained: the backbone's features are the head's
 * inputs, by name and without a copy. usage: chain MODEL LAYER BACKBONE HEAD */
#include <layertap/layertap.h>
#include <stdio.h>
#include <string.h>

static float pixels[1 * 3 * 64 * 64];
static const ltap_tensor image = {LTAP_FLOAT32, 4, {1, 3, 64, 64}, pixels};

static ltap_status forward(const char *path, const ltap_input *inputs, size_t n_inputs,
                           ltap_features **features, ltap_error *error)
{
    static const char *const outputs[] = {"output:0", "output:1", "output:2", "output:3"};
    ltap_return_layer layers[4] = {{NULL, NULL}};
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    size_t n = 0;
    if (ltap_model_open(path, NULL, &model, error) != LTAP_OK)
        return error->code;
    for (; n < ltap_model_outputs_count(model) && n < 4; n++)
        layers[n] = (ltap_return_layer){outputs[n], ltap_model_outputs_at(model, n)->name};
    int failed = ltap_getter_new(model, layers, n, NULL, &getter, error) != LTAP_OK ||
                 ltap_run_new(getter, &run, error) != LTAP_OK ||
                 ltap_run_forward(run, inputs, n_inputs, features, error) != LTAP_OK;
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(model);
    return failed ? error->code : LTAP_OK;
}

int main(int argc, char **argv)
{
    const ltap_return_layer layers[] = {{"output:0", "segmentation"}};
    ltap_input inputs[5] = {{"image", image}};
    const ltap_prune_options options = {.force = 1};
    ltap_features *whole = NULL, *inner = NULL, *end = NULL;
    ltap_model *model = NULL;
    ltap_error error = {LTAP_OK, 0, "usage: chain MODEL LAYER BACKBONE HEAD"};
    if (argc != 5 || ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
        pixels[i] = (float)(i * 7919 % 1000) / 500 - 1;
    const ltap_split split = {{argv[2], NULL}, layers, 1, LTAP_CALLS_REFUSE, argv[3], argv[4]};
    if (ltap_model_split(model, &split, &options, NULL, &error) != LTAP_OK ||
        forward(argv[1], inputs, 1, &whole, &error) != LTAP_OK ||
        forward(argv[3], inputs, 1, &inner, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    const ltap_feature *f;
    size_t n = 0;
    for (; n < ltap_features_count(inner) && (f = ltap_features_at(inner, n)); n++)
        inputs[n + 1] = (ltap_input){f->name, f->tensor};
    if (forward(argv[4], inputs, n + 1, &end, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    const ltap_feature *a = ltap_features_at(whole, 0), *b = ltap_features_at(end, 0);
    int same = memcmp(a->tensor.data, b->tensor.data, ltap_tensor_bytes(&a->tensor)) == 0;
    printf("%s %s: %s\n", b->name, ltap_shape_text(&b->tensor).text, same ? "equal" : "not equal");
    ltap_features_free(whole);
    ltap_features_free(inner);
    ltap_features_free(end);
    ltap_model_close(model);
    return !same;
}
