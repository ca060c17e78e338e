/* Two inner layers of a network for one picture: the library's whole main road.
 * usage: extract MODEL PICTURE LAYER1 LAYER2 */
#include <layertap/layertap.h>
#include <stdio.h>
#include <stdlib.h>

/* f32[1,3,H,W] from a picture, as the model itself says it wants it, else as ImageNet's do. */
static ltap_status prepare(const ltap_model *model, const char *path, ltap_tensor *input,
                           ltap_error *error)
{
    ltap_preprocess steps;
    ltap_image *image = NULL;
    int width, height;
    const char *said = ltap_model_metadata(model, "layertap.preprocess");
    ltap_status status = said ? ltap_preprocess_parse(said, &steps, error)
                              : ltap_preprocess_preset("imagenet", 0, 0, &steps, error);
    if (status == LTAP_OK)
        status = ltap_image_open(path, NULL, &image, error);
    if (status != LTAP_OK)
        return status;
    ltap_preprocess_size(&steps, ltap_image_width(image), ltap_image_height(image), &width,
                         &height);
    *input = (ltap_tensor){.dtype = LTAP_FLOAT32, .rank = 4, .dims = {1, 3, height, width}};
    input->data = malloc(ltap_tensor_bytes(input)); /* our own; checked by apply */
    status = ltap_preprocess_apply(&steps, image, input->data, error);
    ltap_image_close(image);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: extract MODEL PICTURE LAYER1 LAYER2\n"), 2;
    ltap_error error;
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    ltap_features *features = NULL;
    ltap_input input = {0};
    const ltap_return_layer wanted[] = {{argv[3], "feat1"}, {argv[4], "feat2"}};
    if (ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK ||
        prepare(model, argv[2], &input.tensor, &error) != LTAP_OK ||
        ltap_getter_new(model, wanted, 2, NULL, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &run, &error) != LTAP_OK ||
        ltap_run_forward(run, &input, 1, &features, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < ltap_features_count(features); i++) {
        const ltap_feature *f = ltap_features_at(features, i);
        printf("%s %s %s\n", f->name, f->layer, ltap_shape_text(&f->tensor).text);
    }
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
    ltap_model_close(model);
    free(input.tensor.data);
    return 0;
}
