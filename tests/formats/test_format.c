/* Files that are no model: each is told what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "onnx_text.h"

static void foreign_files_are_told_by_their_beginning(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        const char *data, *says;
    } rows[] = {
        {0, "", "empty"},
        {30, "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaa", "zip: no end record"},
        {16, "\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0", "HDF5"},
        {12, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8", "pickle"},
        {12, "\x40\0\0\0\0\0\0\0{\"a\"", "declares 64 bytes"},
        {12, "\x08\0\0\0\0\0\0\0{\"a\"", "declares 8 bytes"},
        {12, "\x1c\0\0\0TFL3\0\0\0\0", "TensorFlow Lite"},
        {8, "\x89PNG\r\n\x1a\n", "PNG"},
        {11, "Dear reader", "starts with 'Dear reader'"},
        {19, "By the way, no file", "starts with 'By the way, '"},
        {6, "\xff\xff\xff\xff\xff\xff", "ff ff ff ff"},
        {1, "\xff", "ff 00"},
        {5, "hello", "'hello'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        loaded model;
        ltap_status status = load_bytes(&model, rows[i].data, rows[i].bytes, "f", NULL);
        if (status != LTAP_ERROR_FORMAT || !strstr(model.error.message, rows[i].says))
            fail_msg("row %zu: %s", i, model.error.message);
        loaded_close(&model);
    }
}

/* An unknown field may look like the beginning of another file, and those after it may be of no
 * number that models have: what stands between decides. */
static void a_model_may_begin_with_fields_that_are_not_known(void **state)
{
    static const char bytes[] = "\xfd\x37zXZ\0"        /* what begins an xz file */
                                "\x08\x08\x12\x04test" /* ir_version, producer_name */
                                "\x4a\x01x"            /* a field 9 */
                                "\x3a\x1b\x12\x01g"    /* graph g: */
                                "\x0a\x0c\x0a\x01x\x12\x01y\x22\x04Relu"
                                "\x5a\x03\x0a\x01x\x62\x03\x0a\x01y"
                                "\x42\x04\x0a\x00\x10\x11"; /* opset 17 */
    loaded model;
    (void)state;
    ltap_status status = load_bytes(&model, bytes, sizeof bytes - 1, "f", NULL);
    if (status != LTAP_OK)
        fail_msg("%s", model.error.message);
    loaded_close(&model);
}

static void each_format_has_a_name_a_probe_and_a_loader(void **state)
{
    (void)state;
    const ltap_format *const *formats = ltap_formats();
    assert_non_null(formats[0]);
    for (size_t i = 0; formats[i]; i++) {
        assert_non_null(formats[i]->name);
        assert_non_null(formats[i]->probe);
        assert_non_null(formats[i]->load);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_files_are_told_by_their_beginning),
        cmocka_unit_test(a_model_may_begin_with_fields_that_are_not_known),
        cmocka_unit_test(each_format_has_a_name_a_probe_and_a_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
