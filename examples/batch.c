/* Several pictures, cut to 64x64 pixels and scaled to 0..1, as one batch; a feature into an .npz.
 */
#include <layertap/layertap.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 64, ROW = 3 * SIDE * SIDE };

static ltap_status load(const char *path, float *row, ltap_error *error)
{
    ltap_image *image = NULL;
    ltap_preprocess steps = {
        .resize_short = SIDE, .crop_height = SIDE, .crop_width = SIDE, .scale = 255};
    ltap_status status = ltap_image_open(path, NULL, &image, error);
    if (status == LTAP_OK)
        status = ltap_preprocess_apply(&steps, image, row, error);
    ltap_image_close(image);
    return status;
}

int main(int argc, char **argv)
{
    int n = argc - 4;
    float *rows = n > 0 ? malloc((size_t)n * ROW * sizeof(*rows)) : NULL;
    if (!rows)
        return fprintf(stderr, "usage: batch MODEL LAYER OUT.npz PICTURE...\n"), 2;
    ltap_error error;
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    ltap_features *features = NULL;
    ltap_writer *writer = NULL;
    const ltap_return_layer wanted = {argv[2], "feature"};
    const ltap_writer_options replace = {.force = 1};
    const ltap_input input = {NULL, {LTAP_FLOAT32, 4, {n, 3, SIDE, SIDE}, rows}};
    for (int i = 0; i < n; i++) {
        if (load(argv[4 + i], rows + (size_t)i * ROW, &error) != LTAP_OK)
            return fprintf(stderr, "%s\n", error.message), 1;
    }
    if (ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK ||
        ltap_getter_new(model, &wanted, 1, NULL, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &run, &error) != LTAP_OK ||
        ltap_run_forward(run, &input, 1, &features, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    const ltap_tensor *tensor = &ltap_features_at(features, 0)->tensor;
    const ltap_writer_member member = {"feature", *tensor};
    if (ltap_writer_open(argv[3], &member, 1, &replace, &writer, &error) != LTAP_OK ||
        ltap_writer_append(writer, 0, tensor->data, ltap_tensor_bytes(tensor), &error) != LTAP_OK ||
        ltap_writer_commit(writer, NULL, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    printf("%s\n", ltap_shape_text(tensor).text);
    ltap_writer_close(writer);
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(model);
    return free(rows), 0;
}
