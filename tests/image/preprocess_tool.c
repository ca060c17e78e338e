/* For scripts/parity-preprocess: one picture through given steps, out as raw float32.
 *
 *     preprocess_tool PICTURE OUT [exif] [preset=NAME | preset=NAME:HxW] [json=TEXT]
 * [STEP=VALUE...]
 *
 * OUT gets int32 height, int32 width, then f32[3,height,width], in the machine's byte order.
 */
#include <layertap/image.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ltap_status set_option(const char *option, ltap_image_options *options,
                              ltap_preprocess *preprocess, ltap_error *error)
{
    char name[64] = "";
    int height = 0, width = 0;
    const char *value = strchr(option, '=');
    if (strcmp(option, "exif") == 0) {
        options->exif = 1;
        return LTAP_OK;
    }
    if (sscanf(option, "preset=%63[a-z-]:%dx%d", name, &height, &width) >= 1)
        return ltap_preprocess_preset(name, height, width, preprocess, error);
    if (strncmp(option, "json=", 5) == 0)
        return ltap_preprocess_parse(value + 1, preprocess, error);
    snprintf(name, sizeof name, "%.*s", value ? (int)(value - option) : 0, option);
    return ltap_preprocess_set(preprocess, name, value ? value + 1 : "", error);
}

static int write_result(const char *path, const float *result, int32_t height, int32_t width)
{
    int32_t size[2] = {height, width};
    size_t count = 3 * (size_t)height * (size_t)width;
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    int bad = fwrite(size, sizeof size, 1, file) != 1;
    bad |= fwrite(result, sizeof *result, count, file) != count;
    return fclose(file) != 0 || bad;
}

int main(int argc, char **argv)
{
    ltap_image_options options = {0};
    ltap_preprocess preprocess = {0};
    ltap_image *image = NULL;
    ltap_error error;
    int width, height, result = 1;
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++)
        if (set_option(argv[i], &options, &preprocess, &error) != LTAP_OK)
            return fprintf(stderr, "%s\n", error.message), 1;
    if (ltap_image_open(argv[1], &options, &image, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    ltap_preprocess_size(&preprocess, ltap_image_width(image), ltap_image_height(image), &width,
                         &height);
    float *pixels = malloc(3 * (size_t)width * (size_t)height * sizeof *pixels);
    if (!pixels)
        fprintf(stderr, "no memory\n");
    else if (ltap_preprocess_apply(&preprocess, image, pixels, &error) != LTAP_OK)
        fprintf(stderr, "%s\n", error.message);
    else
        result = write_result(argv[2], pixels, height, width);
    free(pixels);
    ltap_image_close(image);
    return result;
}
