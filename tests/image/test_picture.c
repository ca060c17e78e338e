/* Pictures of features: read back by our own decoder, pixel by pixel. */
#include "base/error.h"
#include "image/image.h"
#include "image/picture.h"
#include "image/pictures.h"
#include "support/fail_alloc.h"
#include <math.h>
#include <unistd.h>

#define N(array) (sizeof(array) / sizeof *(array))

static char folder[] = "/tmp/ltap-picture-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/p.png", folder);
    return 0;
}

static int drop_folder(void **state)
{
    remove(path);
    return rmdir(folder); /* fails where anything else was left there */
}

static ltap_tensor tensor_of(float *data, int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    ltap_tensor t = {LTAP_FLOAT32, rank, {a, b, c, d}, data};
    return t;
}

static ltap_image *written(int width, int height)
{
    ltap_image *image = NULL;
    ltap_error error = {0};
    if (ltap_image_open(path, NULL, &image, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ltap_image_width(image), width);
    assert_int_equal(ltap_image_height(image), height);
    return image;
}

static void assert_pixel(const ltap_image *image, int x, int y, ltap_colour colour)
{
    const uint8_t *p = ltap_image_pixels(image) + 3 * (y * ltap_image_width(image) + x);
    if (p[0] != colour.red || p[1] != colour.green || p[2] != colour.blue)
        fail_msg("pixel %d,%d is %d,%d,%d, expected %d,%d,%d", x, y, p[0], p[1], p[2], colour.red,
                 colour.green, colour.blue);
}

static void a_grid_has_every_channel_and_no_other(void **state)
{
    /* Five channels of 1x2: ramp, constant, NaN beside a number, infinities, large ramp. */
    float data[] = {0, 1, 7, 7, NAN, 3, INFINITY, -INFINITY, -100, 100};
    ltap_tensor t = tensor_of(data, 4, 1, 5, 1, 2);
    ltap_picture_options options = {.force = 1, .enlarge = 2};
    assert_int_equal(ltap_picture_grid(&t, 0, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(3 * 4 + 2, 2 * 2 + 1);
    assert_pixel(image, 0, 0, ltap_colour_viridis(0));
    assert_pixel(image, 1, 1, ltap_colour_viridis(0));
    assert_pixel(image, 2, 0, ltap_colour_viridis(1));
    assert_pixel(image, 4, 0, ltap_colour_background);
    assert_pixel(image, 5, 0, ltap_colour_constant);
    assert_pixel(image, 8, 1, ltap_colour_constant);
    assert_pixel(image, 10, 0, ltap_colour_special);
    assert_pixel(image, 12, 0, ltap_colour_constant);
    assert_pixel(image, 0, 2, ltap_colour_background);
    assert_pixel(image, 0, 3, ltap_colour_special);
    assert_pixel(image, 3, 4, ltap_colour_special);
    assert_pixel(image, 5, 3, ltap_colour_viridis(0));
    assert_pixel(image, 8, 4, ltap_colour_viridis(1));
    assert_pixel(image, 13, 4, ltap_colour_background);
    ltap_image_close(image);
}

/* f32[1,2,2,3] and f32[1,3,2,2] with the same channels. */
static void channels_that_are_last_are_drawn_as_channels(void **state)
{
    float last[] = {0, 7, 4, 1, 7, 3, 2, 7, 2, 3, 7, 1};
    ltap_tensor t = tensor_of(last, 4, 1, 2, 2, 3);
    ltap_picture_options options = {.force = 1, .enlarge = 1, .columns = 3, .channels = 3};
    assert_int_equal(ltap_picture_grid(&t, 0, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(3 * 2 + 2, 2);
    assert_pixel(image, 0, 0, ltap_colour_viridis(0));
    assert_pixel(image, 1, 1, ltap_colour_viridis(1));
    assert_pixel(image, 3, 0, ltap_colour_constant);
    assert_pixel(image, 6, 0, ltap_colour_viridis(1));
    assert_pixel(image, 7, 1, ltap_colour_viridis(0));
    ltap_image_close(image);
    assert_int_equal(ltap_picture_labels(&t, 0, NULL, path, &options, NULL), LTAP_OK);
    image = written(2, 2);
    assert_pixel(image, 1, 1, ltap_colour_class(1));
    ltap_image_close(image);
    const ltap_preprocess settings = {.channels_last = 1};
    assert_int_equal(ltap_picture_input(&t, 0, &settings, path, &options, NULL), LTAP_OK);
    image = written(2, 2);
    assert_pixel(image, 1, 0, (ltap_colour){1, 7, 3});
    ltap_image_close(image);
}

static void one_scale_for_the_layer_shows_channels_against_each_other(void **state)
{
    float data[] = {0, 0, 0, 4, 4, 4};
    ltap_tensor t = tensor_of(data, 4, 1, 3, 1, 2);
    ltap_picture_options options = {
        .force = 1, .enlarge = 1, .scaling = LTAP_SCALE_LAYER, .columns = 9};
    assert_int_equal(ltap_picture_grid(&t, 0, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(3 * 2 + 2, 1);
    assert_pixel(image, 0, 0, ltap_colour_viridis(0));
    assert_pixel(image, 4, 0, ltap_colour_viridis(1));
    assert_pixel(image, 6, 0, ltap_colour_viridis(1));
    ltap_image_close(image);
}

static void an_item_and_a_number_of_channels_can_be_chosen(void **state)
{
    float data[] = {0, 1, 0, 1, 1, 0, 5, 5};
    ltap_tensor t = tensor_of(data, 4, 2, 2, 1, 2);
    ltap_picture_options options = {.force = 1, .enlarge = 1, .max_channels = 1};
    assert_int_equal(ltap_picture_grid(&t, 1, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(2, 1);
    assert_pixel(image, 0, 0, ltap_colour_viridis(1));
    assert_pixel(image, 1, 0, ltap_colour_viridis(0));
    ltap_image_close(image);
    assert_int_equal(ltap_picture_grid(&t, 2, path, &options, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_picture_grid(&t, -1, path, &options, NULL), LTAP_ERROR_ARGUMENT);
}

static void vectors_and_tokens_are_strips(void **state)
{
    float data[1024];
    for (int i = 0; i < 1024; i++)
        data[i] = (float)i;
    ltap_tensor vector = tensor_of(data, 2, 1, 1024, 0, 0);
    ltap_tensor tokens = tensor_of(data, 3, 1, 32, 32, 0);
    ltap_picture_options options = {.force = 1};
    assert_int_equal(ltap_picture_grid(&vector, 0, path, &options, NULL), LTAP_OK);
    ltap_image_close(written(1024, 48));
    assert_int_equal(ltap_picture_grid(&tokens, 0, path, &options, NULL), LTAP_OK);
    ltap_image_close(written(512, 512));
}

static void what_cannot_be_drawn_is_refused(void **state)
{
    float data[16] = {0};
    ltap_tensor wrong[] = {
        tensor_of(data, 1, 4, 0, 0, 0),      tensor_of(data, 0, 0, 0, 0, 0),
        tensor_of(data, 4, 1, 0, 2, 2),      {LTAP_FLOAT32, 5, {1, 1, 1, 1, 1}, data},
        {LTAP_INT64, 4, {1, 1, 1, 1}, data}, tensor_of(data, 4, 1, 1, 1, 1),
    };
    ltap_picture_options options = {.enlarge = 1 << 30};
    remove(path);
    for (size_t i = 0; i < N(wrong); i++) {
        assert_int_equal(ltap_picture_grid(&wrong[i], 0, path, &options, NULL),
                         LTAP_ERROR_UNSUPPORTED);
        assert_int_equal(ltap_picture_labels(&wrong[i], 0, NULL, path, &options, NULL),
                         LTAP_ERROR_UNSUPPORTED);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    options.enlarge = -1;
    assert_int_equal(ltap_picture_grid(&wrong[5], 0, path, &options, NULL), LTAP_ERROR_ARGUMENT);
}

static void an_existing_picture_is_kept_unless_forced(void **state)
{
    float data[] = {0, 1};
    ltap_tensor t = tensor_of(data, 4, 1, 1, 1, 2);
    ltap_picture_options options = {.force = 1};
    assert_int_equal(ltap_picture_grid(&t, 0, path, &options, NULL), LTAP_OK);
    assert_int_equal(ltap_picture_grid(&t, 0, path, NULL, NULL), LTAP_ERROR_EXISTS);
    assert_int_equal(ltap_picture_grid(&t, 0, "/nowhere/at/all.png", NULL, NULL), LTAP_ERROR_FILE);
}

static void labels_have_the_colours_of_voc(void **state)
{
    static const struct {
        int label;
        ltap_colour colour;
    } rows[] = {
        {0, {0, 0, 0}},   {1, {128, 0, 0}},      {2, {0, 128, 0}},   {3, {128, 128, 0}},
        {4, {0, 0, 128}}, {15, {192, 128, 128}}, {20, {0, 64, 128}}, {255, {224, 224, 192}},
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_colour c = ltap_colour_class(rows[i].label);
        assert_memory_equal(&c, &rows[i].colour, sizeof c);
    }
}

static void a_label_is_the_first_largest_channel(void **state)
{
    /* Three classes, 1x4: class 2, a tie of 0 and 1, NaN, all minus infinity. */
    float data[] = {0, 5, 1, -INFINITY, 1, 5, NAN, -INFINITY, 2, 1, 3, -INFINITY};
    ltap_tensor t = tensor_of(data, 4, 1, 3, 1, 4);
    ltap_picture_options options = {.force = 1, .enlarge = 1};
    assert_int_equal(ltap_picture_labels(&t, 0, NULL, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(4, 1);
    assert_pixel(image, 0, 0, (ltap_colour){0, 128, 0});
    assert_pixel(image, 1, 0, (ltap_colour){0, 0, 0});
    assert_pixel(image, 2, 0, ltap_colour_special);
    assert_pixel(image, 3, 0, (ltap_colour){0, 0, 0});
    ltap_image_close(image);
}

static void labels_lie_over_a_picture_of_the_same_proportions(void **state)
{
    float data[] = {0, 1, 1, 0};
    const uint8_t pixels[] = {200, 100, 50, 200, 100, 50};
    ltap_tensor t = tensor_of(data, 4, 1, 2, 1, 2);
    ltap_picture_options options = {.force = 1, .enlarge = 3};
    ltap_image *under = NULL, *tall = NULL;
    uint8_t column[3 * 9] = {0};
    assert_int_equal(ltap_image_open_pixels(pixels, 2, 1, &under, NULL), LTAP_OK);
    assert_int_equal(ltap_image_open_pixels(column, 1, 9, &tall, NULL), LTAP_OK);
    assert_int_equal(ltap_picture_labels(&t, 0, under, path, &options, NULL), LTAP_OK);
    ltap_image *image = written(6, 3);
    assert_pixel(image, 0, 0, (ltap_colour){164, 50, 25});
    assert_pixel(image, 5, 2, (ltap_colour){100, 50, 25});
    ltap_image_close(image);
    assert_int_equal(ltap_picture_labels(&t, 0, tall, path, &options, NULL), LTAP_ERROR_INPUT);
    ltap_image_close(under);
    ltap_image_close(tall);
}

static void an_input_comes_back_as_the_pixels_it_was(void **state)
{
    uint8_t pixels[16 * 16 * 3];
    float values[3 * 16 * 16];
    static const char *orders[] = {"rgb", "bgr"};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < N(orders); i++) {
        ltap_image *image = NULL;
        ltap_preprocess p;
        ltap_tensor t = tensor_of(values, 4, 1, 3, 16, 16);
        ltap_picture_options options = {.force = 1};
        assert_int_equal(ltap_preprocess_preset("imagenet", 0, 0, &p, NULL), LTAP_OK);
        assert_int_equal(ltap_preprocess_set(&p, "resize", "off", NULL), LTAP_OK);
        assert_int_equal(ltap_preprocess_set(&p, "crop", "off", NULL), LTAP_OK);
        assert_int_equal(ltap_preprocess_set(&p, "order", orders[i], NULL), LTAP_OK);
        assert_int_equal(ltap_image_open_pixels(pixels, 16, 16, &image, NULL), LTAP_OK);
        assert_int_equal(ltap_preprocess_apply(&p, image, values, NULL), LTAP_OK);
        ltap_image_close(image);
        assert_int_equal(ltap_picture_input(&t, 0, &p, path, &options, NULL), LTAP_OK);
        image = written(16, 16);
        assert_memory_equal(ltap_image_pixels(image), pixels, sizeof pixels);
        ltap_image_close(image);
    }
}

static void draw_nothing(const void *context, int y, uint8_t *rgb)
{
    memset(rgb, y, 3 * 100);
}

static void every_failing_allocation_is_survived(void **state)
{
    const ltap_canvas canvas = {100, 100, draw_nothing, NULL};
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        ltap_memory *memory = NULL;
        remove(path);
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
        if (status == LTAP_OK)
            status = ltap_canvas_write(&canvas, path, false, memory, NULL);
        assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
        assert_int_equal(access(path, F_OK), status == LTAP_OK ? 0 : -1);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_has_every_channel_and_no_other),
        cmocka_unit_test(channels_that_are_last_are_drawn_as_channels),
        cmocka_unit_test(one_scale_for_the_layer_shows_channels_against_each_other),
        cmocka_unit_test(an_item_and_a_number_of_channels_can_be_chosen),
        cmocka_unit_test(vectors_and_tokens_are_strips),
        cmocka_unit_test(what_cannot_be_drawn_is_refused),
        cmocka_unit_test(an_existing_picture_is_kept_unless_forced),
        cmocka_unit_test(labels_have_the_colours_of_voc),
        cmocka_unit_test(a_label_is_the_first_largest_channel),
        cmocka_unit_test(labels_lie_over_a_picture_of_the_same_proportions),
        cmocka_unit_test(an_input_comes_back_as_the_pixels_it_was),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
