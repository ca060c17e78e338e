/* Fuzzing pictures: any bytes give a picture or one clear line.
 *
 * Bytes that begin with '{' are read as preprocessing settings, all others are decoded, turned,
 * resized and cropped.
 */
#include <layertap/image.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_settings(const uint8_t *data, size_t size)
{
    ltap_preprocess preprocess;
    ltap_error error = {0};
    char *text = calloc(size + 1, 1);
    if (!text)
        return;
    memcpy(text, data, size);
    if (ltap_preprocess_parse(text, &preprocess, &error) != LTAP_OK && error.message[0] == '\0')
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ltap_preprocess preprocess = {
        .resize_short = 16, .crop_height = 12, .crop_width = 20, .scale = 255};
    const ltap_image_options options = {.max_pixels = 1 << 18, .exif = 1};
    ltap_image *image = NULL;
    ltap_error error = {0};
    float values[3 * 12 * 20];
    if (size > 0 && data[0] == '{') {
        fuzz_settings(data, size);
        return 0;
    }
    if (ltap_image_open_bytes(data, size, "fuzz", &options, &image, &error) != LTAP_OK) {
        if (error.message[0] == '\0' || image)
            abort();
        return 0;
    }
    if (ltap_preprocess_apply(&preprocess, image, values, &error) != LTAP_OK &&
        error.code != LTAP_ERROR_MEMORY)
        abort();
    ltap_image_close(image);
    return 0;
}
