/* Activation patching: a layer gets the value that it has for another picture (the same, mirrored),
 * and the segments move. usage: patching MODEL LAYER PICTURE */
#include <layertap/layertap.h>
#include <stdio.h>

enum { SIDE = 128, PLANE = SIDE * SIDE };
static float pixels[3 * PLANE], mirrored[3 * PLANE];

static int load(const char *path, ltap_error *error)
{
    ltap_image *image = NULL;
    ltap_preprocess steps;
    int loaded = ltap_image_open(path, NULL, &image, error) == LTAP_OK &&
                 ltap_preprocess_preset("imagenet", SIDE, SIDE, &steps, error) == LTAP_OK &&
                 ltap_preprocess_apply(&steps, image, pixels, error) == LTAP_OK;
    for (int i = 0; i < 3 * PLANE; i++)
        mirrored[i] = pixels[i / SIDE * SIDE + SIDE - 1 - i % SIDE];
    ltap_image_close(image);
    return loaded;
}

/* In which half more pixels are something else than background, which is class 0. */
static void tell(const char *when, const ltap_features *features)
{
    const ltap_tensor *scores = &ltap_features_at(features, 0)->tensor;
    const float *score = scores->data;
    int right = 0;
    for (int i = 0; i < PLANE; i++)
        for (int k = 1, found = 0; k < scores->dims[1] && !found; k++)
            right += (found = score[k * PLANE + i] > score[i]) * (i % SIDE < SIDE / 2 ? -1 : 1);
    printf("%s: more on the %s\n", when, right > 0 ? "right" : "left");
}

int main(int argc, char **argv)
{
    ltap_error error = {LTAP_OK, 0, "usage: patching MODEL LAYER PICTURE"};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, pixels}};
    const ltap_input other = {NULL, {LTAP_FLOAT32, 4, {1, 3, SIDE, SIDE}, mirrored}};
    const ltap_return_layer layers[] = {{"output:0", NULL}, {argc == 4 ? argv[2] : "", "inner"}};
    ltap_features *before, *source, *after;
    ltap_model *model;
    ltap_getter *getter;
    ltap_run *run;
    if (argc != 4 || ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK ||
        !load(argv[3], &error) ||
        ltap_getter_new(model, layers, 2, NULL, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &run, &error) != LTAP_OK ||
        ltap_run_forward(run, &input, 1, &before, &error) != LTAP_OK ||
        ltap_run_forward(run, &other, 1, &source, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    const ltap_intervention patch = {argv[2], LTAP_SET_VALUE,
                                     .value = &ltap_features_find(source, "inner")->tensor};
    if (ltap_intervention_add(run, &patch, NULL, &error) != LTAP_OK ||
        ltap_run_forward(run, &input, 1, &after, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    tell("before", before), tell("after", after);
    ltap_features_free(before), ltap_features_free(source), ltap_features_free(after);
    return ltap_run_free(run), ltap_getter_free(getter), ltap_model_close(model), 0;
}
