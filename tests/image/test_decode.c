/* Decoding: Pillow's pixels, and one clear line for whatever is not a picture. */
#include "base/error.h"
#include "image/expected.h"
#include "image/image.h"
#include "image/pictures.h"
#include "support/fail_alloc.h"

#define N(array) (sizeof(array) / sizeof *(array))

static void check_pixels(const char *name, const ltap_image_options *options, int width, int height,
                         uint64_t hash)
{
    char path[512];
    ltap_image *image = NULL;
    ltap_error error = {0};
    if (ltap_image_open(picture_path(name, path), options, &image, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ltap_image_width(image), width);
    assert_int_equal(ltap_image_height(image), height);
    if (hash_of(ltap_image_pixels(image), (size_t)width * (size_t)height * 3) != hash)
        fail_msg("%s: other pixels than Pillow's", name);
    ltap_image_close(image);
}

static void pixels_are_those_of_pillow(void **state)
{
    for (size_t i = 0; i < N(expected_pictures); i++)
        check_pixels(expected_pictures[i].name, NULL, expected_pictures[i].width,
                     expected_pictures[i].height, expected_pictures[i].pixels);
}

static void exif_turns_a_picture_on_request_only(void **state)
{
    const ltap_image_options options = {.exif = 1};
    for (size_t i = 0; i < N(expected_pictures); i++)
        check_pixels(expected_pictures[i].name, &options, expected_pictures[i].turned_width,
                     expected_pictures[i].turned_height, expected_pictures[i].turned_pixels);
}

static void odd_exif_counts_as_none(void **state)
{
    static const struct {
        size_t size;
        const char *bytes;
        int orientation;
    } rows[] = {
        {0, "", 1},
        {7, "II*\0\x08\0\0", 1},
        {8, "II*\0\x08\0\0\0", 1},
        {8, "II*\0\xff\xff\xff\xff", 1},
        {8, "II*\0\x06\0\0\0", 1},
        {22, "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 6},
        {22, "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0", 3},
        {22, "II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", 1},
        {22, "II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0", 1},
        {22, "II*\0\x08\0\0\0\xff\xff\x13\x01\x03\0\x01\0\0\0\x06\0\0\0", 1},
        {21, "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0", 1},
    };
    for (size_t i = 0; i < N(rows); i++) {
        uint8_t *copy = malloc(rows[i].size + 1); /* so that sanitizers see its end */
        assert_non_null(copy);
        memcpy(copy + 1, rows[i].bytes, rows[i].size);
        assert_int_equal(ltap_exif_orientation(copy + 1, rows[i].size), rows[i].orientation);
        free(copy);
    }
}

static void what_is_no_picture_is_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        ltap_status status;
        const char *message;
    } rows[] = {
        {"", 0, LTAP_ERROR_FORMAT, "x: not a JPEG, PNG, WebP or array file (empty)"},
        {"Dear reader", 11, LTAP_ERROR_FORMAT,
         "x: not a JPEG, PNG, WebP or array file (starts with 'Dear')"},
        {"\0\1\2", 3, LTAP_ERROR_FORMAT,
         "x: not a JPEG, PNG, WebP or array file (starts with bytes 00 01 02)"},
        {"GIF89a", 6, LTAP_ERROR_UNSUPPORTED,
         "x: a GIF picture; JPEG, PNG and WebP are read: convert it first"},
        {"\0\0\0\x1c"
         "ftypavif",
         12, LTAP_ERROR_UNSUPPORTED,
         "x: an AVIF or HEIC picture; JPEG, PNG and WebP are read: convert it first"},
#ifdef LTAP_HAVE_WEBP
        {"RIFF\x08\0\0\0WEBPVP8 ", 16, LTAP_ERROR_FORMAT,
         "x: broken WebP: its chunks do not make up a picture"},
        {"RIFF\x09\0\0\0WEBPVP8 ", 16, LTAP_ERROR_FORMAT,
         "x: byte 16: the WebP ends too early; it is cut short"},
#else
        {"RIFF\1\2\3\4WEBPVP8 ", 16, LTAP_ERROR_UNSUPPORTED,
         "x: a WebP picture, and this layertap was built without WebP: install libwebp-dev and "
         "build it again, or convert the picture to PNG"},
#endif
    };
    for (size_t i = 0; i < N(rows); i++) {
        ltap_image *image = NULL;
        ltap_error error = {0};
        assert_int_equal(
            ltap_image_open_bytes(rows[i].bytes, rows[i].size, "x", NULL, &image, &error),
            rows[i].status);
        assert_string_equal(error.message, rows[i].message);
        assert_null(image);
    }
}

static void a_missing_file_is_an_error_with_its_path(void **state)
{
    char path[512];
    ltap_image *image = NULL;
    ltap_error error = {0};
    assert_int_equal(ltap_image_open(picture_path("none.png", path), NULL, &image, &error),
                     LTAP_ERROR_FILE);
    assert_non_null(strstr(error.message, "none.png"));
    assert_int_equal(ltap_image_open(picture_path("notes.txt", path), NULL, &image, &error),
                     LTAP_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "notes.txt: not a JPEG"));
}

static void a_picture_cut_short_anywhere_is_refused(void **state)
{
    for (size_t i = 0; i < N(expected_pictures); i++) {
        blob whole = read_picture(expected_pictures[i].name);
        for (size_t size = 0; size < whole.size; size++) {
            ltap_image *image = NULL;
            ltap_error error = {0};
            uint8_t *part = malloc(size + 1);
            assert_non_null(part);
            memcpy(part + 1, whole.bytes, size);
            ltap_status status = ltap_image_open_bytes(part + 1, size, "cut", NULL, &image, &error);
            if (status != LTAP_ERROR_FORMAT)
                fail_msg("%s cut to %zu bytes: status %d", expected_pictures[i].name, size, status);
            assert_int_equal(strncmp(error.message, "cut: ", 5), 0);
            assert_null(image);
            free(part);
        }
        free(whole.bytes);
    }
}

static void a_flipped_byte_gives_a_picture_or_one_line(void **state)
{
    const ltap_image_options options = {.max_pixels = 1 << 20, .exif = 1};
    for (size_t i = 0; i < N(expected_pictures); i++) {
        blob b = read_picture(expected_pictures[i].name);
        for (size_t at = 0; at < b.size; at++) {
            static const uint8_t flips[] = {0xff, 0x01, 0x80};
            for (size_t k = 0; k < N(flips); k++) {
                ltap_image *image = NULL;
                ltap_error error = {0};
                b.bytes[at] ^= flips[k];
                if (ltap_image_open_bytes(b.bytes, b.size, NULL, &options, &image, &error))
                    assert_true(error.message[0] != '\0' && image == NULL);
                else
                    assert_non_null(ltap_image_pixels(image));
                ltap_image_close(image);
                b.bytes[at] ^= flips[k];
            }
        }
        free(b.bytes);
    }
}

static void a_huge_picture_is_refused_before_decoding(void **state)
{
    static const struct {
        const char *name;
        uint64_t max_pixels;
    } rows[] = {
        {"huge.png", 0},           {"huge.jpg", 0},
        {"rgb8.png", 19 * 13 - 1}, {"rgb420.jpg", 19 * 13 - 1},
#ifdef LTAP_HAVE_WEBP
        {"huge.webp", 0},          {"lossy.webp", 19 * 13 - 1},
#endif
    };
    for (size_t i = 0; i < N(rows); i++) {
        char path[512];
        ltap_image *image = NULL;
        ltap_error error = {0};
        ltap_image_options options = {.max_pixels = rows[i].max_pixels};
        assert_int_equal(
            ltap_image_open(picture_path(rows[i].name, path), &options, &image, &error),
            LTAP_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "pixels are read"));
    }
}

/* Decoding is to give a picture or LTAP_ERROR_MEMORY, and to leave nothing behind. */
static bool decode_with_failure(const blob *b, size_t n)
{
    fail_alloc heap;
    ltap_memory *memory = NULL;
    ltap_image *image = NULL;
    ltap_error error = {0};
    ltap_image_source source = {b->bytes, b->size, 1 << 20};
    fail_alloc_init(&heap, n);
    ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, &error);
    if (status == LTAP_OK)
        status = ltap_image_decode(&source, true, memory, &image, &error);
    assert_int_equal(status, fail_alloc_failed(&heap) ? LTAP_ERROR_MEMORY : LTAP_OK);
    assert_true((status == LTAP_OK) == (image != NULL));
    ltap_image_close(image);
    ltap_memory_unref(memory);
    fail_alloc_check(&heap);
    return fail_alloc_failed(&heap);
}

static void every_failing_allocation_is_survived(void **state)
{
    for (size_t i = 0; i < N(expected_pictures); i++) {
        blob b = read_picture(expected_pictures[i].name);
        size_t n = 1;
        while (decode_with_failure(&b, n))
            n++;
        assert_true(n > 2);
        free(b.bytes);
    }
}

static void raw_pixels_are_copied(void **state)
{
    const uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
    ltap_image *image = NULL;
    ltap_error error = {0};
    assert_int_equal(ltap_image_open_pixels(pixels, 2, 1, &image, &error), LTAP_OK);
    assert_memory_equal(ltap_image_pixels(image), pixels, sizeof pixels);
    ltap_image_close(image);
    assert_int_equal(ltap_image_open_pixels(pixels, 0, 1, &image, &error), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_image_open_pixels(NULL, 1, 1, &image, &error), LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_those_of_pillow),
        cmocka_unit_test(exif_turns_a_picture_on_request_only),
        cmocka_unit_test(odd_exif_counts_as_none),
        cmocka_unit_test(what_is_no_picture_is_named),
        cmocka_unit_test(a_missing_file_is_an_error_with_its_path),
        cmocka_unit_test(a_picture_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_flipped_byte_gives_a_picture_or_one_line),
        cmocka_unit_test(a_huge_picture_is_refused_before_decoding),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(raw_pixels_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
