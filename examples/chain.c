/* A network in two halves, written by `prune`, chained: the backbone's features are the head's
 * inputs, by name and without a copy. usage: chain MODEL LAYER BACKBONE HEAD */
#include <layertap/layertap.h>
#include <stdio.h>
#include <string.h>

static float pixels[1 * 3 * 64 * 64];
static ltap_input chained[4] = {{"image", {LTAP_FLOAT32, 4, {1, 3, 64, 64}, pixels}}};

static ltap_status forward(const char *path, const ltap_input *inputs, size_t n_inputs,
                           ltap_features **features, ltap_error *error)
{
    ltap_return_layer layers[] = {{"output:0", NULL}, {"output:1", NULL}, {"output:2", NULL}};
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    size_t n = 0;
    if (ltap_model_open(path, NULL, &model, error) != LTAP_OK)
        return error->code;
    for (; n < ltap_model_outputs_count(model) && n < 3; n++)
        layers[n].name = ltap_model_outputs_at(model, n)->name;
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
    const ltap_prune_options options = {.force = 1};
    ltap_features *f[3] = {NULL}; /* of the whole, of the backbone, of the head */
    ltap_model *model = NULL;
    ltap_error error = {LTAP_OK, 0, "usage: chain MODEL LAYER BACKBONE HEAD"};
    if (argc != 5 || ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
        pixels[i] = (float)(i * 7919 % 1000) / 500 - 1;
    const ltap_split split = {{argv[2], NULL}, layers, 1, LTAP_CALLS_REFUSE, argv[3], argv[4]};
    int failed = ltap_model_split(model, &split, &options, NULL, &error) != LTAP_OK ||
                 forward(argv[1], chained, 1, &f[0], &error) != LTAP_OK ||
                 forward(argv[3], chained, 1, &f[1], &error) != LTAP_OK;
    size_t n = failed ? 0 : ltap_features_count(f[1]);
    for (size_t i = 0; i < n; i++)
        chained[i + 1] =
            (ltap_input){ltap_features_at(f[1], i)->name, ltap_features_at(f[1], i)->tensor};
    if (failed || forward(argv[4], chained, n + 1, &f[2], &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    const ltap_feature *a = ltap_features_at(f[0], 0), *b = ltap_features_at(f[2], 0);
    int same = memcmp(a->tensor.data, b->tensor.data, ltap_tensor_bytes(&a->tensor)) == 0;
    printf("%s %s: %s\n", b->name, ltap_shape_text(&b->tensor).text, same ? "equal" : "not equal");
    for (int i = 0; i < 3; i++)
        ltap_features_free(f[i]);
    ltap_model_close(model);
    return !same;
}
