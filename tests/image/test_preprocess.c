/* Preprocessing: torchvision's bits, sizes and presets; settings as text and JSON. */
#include "base/error.h"
#include "image/expected.h"
#include "image/image.h"
#include "image/pictures.h"
#include "image/resize.h"
#include "image/steps.h"
#include "support/fail_alloc.h"
#include <math.h>

#define N(array) (sizeof(array) / sizeof *(array))

static void set_word(ltap_preprocess *p, const char *word)
{
    ltap_error error = {0};
    char name[32] = "";
    int height = 0, width = 0;
    const char *value = strchr(word, '=') + 1;
    if (sscanf(word, "preset=%31[a-z-]:%dx%d", name, &height, &width) >= 1) {
        assert_int_equal(ltap_preprocess_preset(name, height, width, p, &error), LTAP_OK);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(value - word - 1), word);
    assert_int_equal(ltap_preprocess_set(p, name, value, &error), LTAP_OK);
}

static ltap_image *open_picture(const char *name)
{
    char path[512];
    ltap_image *image = NULL;
    assert_int_equal(ltap_image_open(picture_path(name, path), NULL, &image, NULL), LTAP_OK);
    return image;
}

static void values_are_those_of_torchvision(void **state)
{
    for (size_t i = 0; i < N(expected_steps); i++) {
        ltap_preprocess p = {0};
        int width, height;
        ltap_image *image = open_picture(expected_steps[i].name);
        for (size_t k = 0; k < 4 && expected_steps[i].steps[k]; k++)
            set_word(&p, expected_steps[i].steps[k]);
        ltap_preprocess_size(&p, image->width, image->height, &width, &height);
        assert_int_equal(width, expected_steps[i].width);
        assert_int_equal(height, expected_steps[i].height);
        size_t bytes = 3 * (size_t)width * (size_t)height * sizeof(float);
        float *values = malloc(bytes);
        assert_non_null(values);
        assert_int_equal(ltap_preprocess_apply(&p, image, values, NULL), LTAP_OK);
        if (hash_of(values, bytes) != expected_steps[i].values)
            fail_msg("row %zu (%s %s): other values than torchvision's", i, expected_steps[i].name,
                     expected_steps[i].steps[0]);
        free(values);
        ltap_image_close(image);
    }
}

static void channels_may_come_last(void **state)
{
    enum { SIDE = 9, COUNT = 3 * SIDE * SIDE };
    float first[COUNT], last[COUNT];
    ltap_preprocess p = {0};
    ltap_image *image = open_picture("rgb8.png");
    set_word(&p, "preset=keras-caffe:7x8");
    set_word(&p, "crop=9x9"); /* padded around */
    assert_int_equal(ltap_preprocess_apply(&p, image, first, NULL), LTAP_OK);
    p.channels_last = 1;
    assert_int_equal(ltap_preprocess_apply(&p, image, last, NULL), LTAP_OK);
    for (int i = 0; i < COUNT; i++)
        assert_true(last[i] == first[i % 3 * SIDE * SIDE + i / 3]);
    ltap_image_close(image);
}

static void sizes_follow_torchvision(void **state)
{
    static const struct {
        const char *resize, *crop;
        int width, height, out_width, out_height;
    } rows[] = {
        {"256", "off", 500, 375, 341, 256},
        {"256", "off", 301, 300, 256, 256},
        {"256", "off", 333, 500, 256, 384},
        {"520", "off", 640, 480, 693, 520},
        {"256", "224", 1, 1, 224, 224},
        {"10x20", "off", 7, 7, 20, 10},
        {"off", "3x5", 100, 100, 5, 3},
        {"off", "off", 31, 17, 31, 17},
        {"65535", "off", 1, 65500, 65535, INT32_MAX},
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_preprocess p = {0};
        int width, height;
        assert_int_equal(ltap_preprocess_set(&p, "resize", rows[i].resize, NULL), LTAP_OK);
        assert_int_equal(ltap_preprocess_set(&p, "crop", rows[i].crop, NULL), LTAP_OK);
        ltap_preprocess_size(&p, rows[i].width, rows[i].height, &width, &height);
        assert_int_equal(width, rows[i].out_width);
        assert_int_equal(height, rows[i].out_height);
    }
}

static void crops_begin_at_a_half_rounded_to_even(void **state)
{
    static const int rows[][3] = {{10, 10, 0}, {11, 10, 0}, {12, 10, 1},  {13, 10, 2}, {15, 10, 2},
                                  {17, 10, 4}, {10, 11, 0}, {10, 12, -1}, {10, 13, -1}};
    for (size_t i = 0; i < N(rows); i++) {
        ltap_preprocess p = {.crop_height = rows[i][1], .crop_width = 1};
        assert_int_equal(ltap_steps_plan(&p, 1, rows[i][0]).crop_y, rows[i][2]);
    }
}

static void presets_follow_the_models_input(void **state)
{
    static const struct {
        const char *name;
        int height, width, resize_short, resize_height, resize_width, crop_height, crop_width;
    } rows[] = {
        {"imagenet", 0, 0, 256, 0, 0, 224, 224},       {"imagenet", 224, 224, 256, 0, 0, 224, 224},
        {"imagenet", 299, 299, 342, 0, 0, 299, 299},   {"imagenet", 193, 257, 294, 0, 0, 193, 257},
        {"imagenet", 380, 0, 434, 0, 0, 380, 380},     {"segmentation", 0, 0, 520, 0, 0, 0, 0},
        {"segmentation", 193, 257, 0, 193, 257, 0, 0}, {"none", 100, 100, 0, 0, 0, 0, 0},
    };
    ltap_preprocess p;
    ltap_error error = {0};
    for (size_t i = 0; i < N(rows); i++) {
        assert_int_equal(
            ltap_preprocess_preset(rows[i].name, rows[i].height, rows[i].width, &p, NULL), LTAP_OK);
        assert_int_equal(p.resize_short, rows[i].resize_short);
        assert_int_equal(p.resize_height, rows[i].resize_height);
        assert_int_equal(p.resize_width, rows[i].resize_width);
        assert_int_equal(p.crop_height, rows[i].crop_height);
        assert_int_equal(p.crop_width, rows[i].crop_width);
        assert_true(p.scale == 255);
        assert_true(ltap_preprocess_normalises(&p) == (strcmp(rows[i].name, "none") != 0));
    }
    assert_int_equal(ltap_preprocess_preset("imagnet", 0, 0, &p, &error), LTAP_ERROR_ARGUMENT);
    assert_string_equal(error.message,
                        "no preprocessing named 'imagnet'; there are imagenet, "
                        "segmentation, none, keras, keras-caffe, keras-tf and keras-torch");
}

static void json_says_each_step(void **state)
{
    ltap_preprocess p = {0};
    assert_int_equal(ltap_preprocess_parse("{\"resize\": 128, \"crop\": [3, 4], \"filter\": "
                                           "\"bicubic\", \"scale\": 255, \"mean\": [1, 2.5, 3], "
                                           "\"std\": [0.5, 1, 2], \"order\": \"bgr\"}",
                                           &p, NULL),
                     LTAP_OK);
    assert_int_equal(p.resize_short, 128);
    assert_int_equal(p.crop_height, 3);
    assert_int_equal(p.crop_width, 4);
    assert_int_equal(p.filter, LTAP_FILTER_BICUBIC);
    assert_true(p.scale == 255 && p.mean[1] == 2.5f && p.std[2] == 2 && p.bgr);
    assert_int_equal(ltap_preprocess_parse("{}", &p, NULL), LTAP_OK);
    assert_true(p.resize_short == 0 && p.crop_width == 0 && p.scale == 0 && p.std[0] == 0);
    assert_int_equal(ltap_preprocess_parse("{\"resize\": \"12x34\", \"crop\": null, \"std\": null, "
                                           "\"mean\": 0.5}",
                                           &p, NULL),
                     LTAP_OK);
    assert_true(p.resize_height == 12 && p.resize_width == 34);
    assert_true(p.mean[2] == 0.5f && p.std[0] == 1); /* a mean alone is only subtracted */
}

static void wrong_json_is_refused_by_the_step(void **state)
{
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{\"resize\": 0}", "resize 0 is not a short side"},
        {"{\"resize\": -5}", "resize -5 is not"},
        {"{\"resize\": 65536}", "resize 65536 is not"},
        {"{\"resize\": \"1x2x3\"}", "resize \"1x2x3\" is not"},
        {"{\"resize\": \"x\"}", "resize \"x\" is not"},
        {"{\"resize\": [1]}", "resize [1] is not"},
        {"{\"crop\": true}", "crop true is not"},
        {"{\"filter\": \"lanczos\"}", "filter \"lanczos\" is not bilinear, bicubic or nearest"},
        {"{\"scale\": 0}", "scale 0 is not"},
        {"{\"scale\": 1e300}", "scale"},
        {"{\"mean\": [1, 2]}", "mean [1,2] is not three numbers"},
        {"{\"mean\": [1, 2, \"a\"]}", "mean [1,2,\"a\"] is not"},
        {"{\"std\": [1, 0, 1]}", "std [1,0,1] is not three numbers above 0"},
        {"{\"order\": \"RGB\"}", "order \"RGB\" is not rgb or bgr"},
        {"{\"rezise\": 5}", "no step 'rezise'"},
        {"[]", "expected an object"},
        {"{\"resize\": 5, \"resize\": 6}", "column"},
        {"{", "column"},
        {"", "column"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_preprocess p = {.resize_short = 77};
        ltap_error error = {0};
        assert_int_equal(ltap_preprocess_parse(rows[i].json, &p, &error), LTAP_ERROR_FORMAT);
        if (!strstr(error.message, rows[i].message))
            fail_msg("%s: %s", rows[i].json, error.message);
        assert_int_equal(p.resize_short, 77);
    }
}

static void wrong_text_is_refused_by_the_step(void **state)
{
    static const struct {
        const char *step, *value, *message;
    } rows[] = {
        {"resize", "0", "resize '0' is not"},
        {"resize", "12.5", "resize '12.5' is not"},
        {"resize", "999999999999999999999", "resize '999999999999999999999' is not"},
        {"resize", "", "resize '' is not"},
        {"crop", "4x", "crop '4x' is not"},
        {"crop", "-4x4", "crop '-4x4' is not"},
        {"std", "0", "std '0' is not"},
        {"std", "1,2", "std '1,2' is not"},
        {"mean", "a,b,c", "mean 'a,b,c' is not three numbers"},
        {"scale", "nan", "scale 'nan' is not"},
        {"gamma", "2", "no step 'gamma'"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_preprocess p = {0};
        ltap_error error = {0};
        assert_int_equal(ltap_preprocess_set(&p, rows[i].step, rows[i].value, &error),
                         LTAP_ERROR_ARGUMENT);
        if (!strstr(error.message, rows[i].message))
            fail_msg("%s", error.message);
    }
}

static void steps_are_told_in_words(void **state)
{
    static const struct {
        const char *words[4];
        int width, height;
        const char *told;
    } rows[] = {
        {{"preset=imagenet"},
         640,
         480,
         "resized to 341x256 (bilinear), cropped to 224x224, divided by 255, ImageNet mean and std"},
        {{"preset=imagenet"},
         224,
         224,
         "resized to 256x256 (bilinear), cropped to 224x224, divided by 255, ImageNet mean and std"},
        {{"preset=none"}, 640, 480, "divided by 255"},
        {{"preset=keras-caffe"},
         640,
         480,
         "resized to 224x224 (nearest), blue, green, red, mean 103.939,116.779,123.68 and std "
         "1,1,1"},
        {{"preset=keras-tf:96x64"},
         640,
         480,
         "resized to 64x96 (nearest), divided by 127.5, mean 1,1,1 and std 1,1,1"},
        {{"resize=480", "order=bgr"}, 640, 480, "blue, green, red"},
        {{"crop=6x4", "filter=bicubic", "mean=1,2,3"},
         5,
         5,
         "padded with black to 5x6, cropped to 4x6, mean 1,2,3 and std 1,1,1"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_preprocess p = {0};
        ltap_text steps[LTAP_PREPROCESS_MAX_STEPS];
        char told[4096] = "";
        for (size_t k = 0; k < 4 && rows[i].words[k]; k++)
            set_word(&p, rows[i].words[k]);
        size_t n = ltap_preprocess_describe(&p, rows[i].width, rows[i].height, steps);
        for (size_t k = 0; k < n; k++)
            snprintf(told + strlen(told), sizeof told - strlen(told), "%s%s", k ? ", " : "",
                     steps[k].text);
        assert_string_equal(told, rows[i].told);
    }
}

static void a_window_has_the_pixels_of_the_whole(void **state)
{
    ltap_image *image = open_picture("rgb8.png");
    static const int sizes[][2] = {{7, 5}, {40, 31}, {19, 31}, {40, 13}, {19, 13}};
    uint8_t whole[40 * 31 * 3], part[40 * 31 * 3];
    for (size_t i = 0; i < N(sizes); i++) {
        int w = sizes[i][0], h = sizes[i][1];
        ltap_resize all = {w, h, LTAP_FILTER_BICUBIC, 0, 0, w, h};
        ltap_resize some = {w, h, LTAP_FILTER_BICUBIC, 2, 1, w - 4, h - 3};
        assert_int_equal(ltap_image_resize(image, &all, whole, NULL), LTAP_OK);
        assert_int_equal(ltap_image_resize(image, &some, part, NULL), LTAP_OK);
        for (int y = 0; y < h - 3; y++)
            assert_memory_equal(part + y * (w - 4) * 3, whole + ((y + 1) * w + 2) * 3,
                                (size_t)(w - 4) * 3);
    }
    ltap_image_close(image);
}

static void an_extreme_picture_needs_only_its_crop(void **state)
{
    uint8_t *pixels = calloc(65500, 3);
    ltap_image *image = NULL;
    float values[3 * 8 * 8];
    assert_non_null(pixels);
    assert_int_equal(ltap_image_open_pixels(pixels, 1, 65500, &image, NULL), LTAP_OK);
    ltap_preprocess p = {.resize_short = 60000, .crop_height = 8, .crop_width = 8, .scale = 255};
    assert_int_equal(ltap_preprocess_apply(&p, image, values, NULL), LTAP_OK);
    assert_true(values[0] == 0 && values[3 * 64 - 1] == 0);
    ltap_image_close(image);
    free(pixels);
}

static void impossible_settings_are_refused(void **state)
{
    static const ltap_preprocess rows[] = {
        {.scale = NAN},    {.std = {1, INFINITY, 1}},  {.resize_short = -1},  {.resize_height = 5},
        {.crop_width = 5}, {.filter = (ltap_filter)7}, {.crop_height = -224},
    };
    ltap_image *image = open_picture("rgb8.png");
    float value;
    for (size_t i = 0; i < N(rows); i++)
        assert_int_equal(ltap_preprocess_apply(&rows[i], image, &value, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_preprocess_apply(NULL, image, &value, NULL), LTAP_ERROR_ARGUMENT);
    ltap_image_close(image);
}

static void every_failing_allocation_is_survived(void **state)
{
    blob b = read_picture("rgb8.png");
    const ltap_preprocess p = {.resize_short = 7, .crop_height = 5, .crop_width = 9, .scale = 255};
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        ltap_memory *memory = NULL;
        ltap_image *image = NULL;
        ltap_image_source source = {b.bytes, b.size, 1000};
        float values[3 * 5 * 9];
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
        if (status == LTAP_OK)
            status = ltap_image_decode(&source, false, memory, &image, NULL);
        if (status == LTAP_OK)
            status = ltap_preprocess_apply(&p, image, values, NULL);
        assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
        ltap_image_close(image);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
    }
    free(b.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_torchvision),
        cmocka_unit_test(channels_may_come_last),
        cmocka_unit_test(sizes_follow_torchvision),
        cmocka_unit_test(crops_begin_at_a_half_rounded_to_even),
        cmocka_unit_test(presets_follow_the_models_input),
        cmocka_unit_test(json_says_each_step),
        cmocka_unit_test(wrong_json_is_refused_by_the_step),
        cmocka_unit_test(wrong_text_is_refused_by_the_step),
        cmocka_unit_test(steps_are_told_in_words),
        cmocka_unit_test(a_window_has_the_pixels_of_the_whole),
        cmocka_unit_test(an_extreme_picture_needs_only_its_crop),
        cmocka_unit_test(impossible_settings_are_refused),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
