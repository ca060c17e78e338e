#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_status_has_a_stable_name(void **state)
{
    static const struct {
        ltap_status status;
        const char *name;
    } rows[] = {
        {LTAP_OK, "ok"},
        {LTAP_ERROR_ARGUMENT, "argument"},
        {LTAP_ERROR_MEMORY, "memory"},
        {LTAP_ERROR_FILE, "file"},
        {LTAP_ERROR_FORMAT, "format"},
        {LTAP_ERROR_UNSUPPORTED, "unsupported"},
        {LTAP_ERROR_UNKNOWN_LAYER, "unknown_layer"},
        {LTAP_ERROR_AMBIGUOUS_LAYER, "ambiguous_layer"},
        {LTAP_ERROR_FOLDED_LAYER, "folded_layer"},
        {LTAP_ERROR_INPUT, "input"},
        {LTAP_ERROR_EXISTS, "exists"},
        {LTAP_ERROR_INTERNAL, "internal"},
        {LTAP_ERROR_HOOK, "hook"},
        {(ltap_status)13, "unknown"},
        {(ltap_status)-1, "unknown"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(ltap_status_name(rows[i].status), rows[i].name);
}

static void a_message_is_one_line_of_clean_utf8(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"plain 'conv1'", "plain 'conv1'"},
        {"two\nlines\r\n", "two\\x0Alines\\x0D\\x0A"},
        {"bell\a escape\x1b[2J tab\t", "bell\\x07 escape\\x1B[2J tab\\x09"},
        {"caf\xc3\xa9 \xe5\xb1\xa4 \xf0\x9f\x8e\x88", "caf\xc3\xa9 \xe5\xb1\xa4 \xf0\x9f\x8e\x88"},
        {"cut \xc3", "cut \\xC3"},
        {"stray \x80 byte", "stray \\x80 byte"},
        {"overlong \xc0\xaf", "overlong \\xC0\\xAF"},
        {"surrogate \xed\xa0\x80", "surrogate \\xED\\xA0\\x80"},
        {"beyond \xf4\x90\x80\x80", "beyond \\xF4\\x90\\x80\\x80"},
        {"delete \x7f, C1 \xc2\x85", "delete \\x7F, C1 \\xC2\\x85"},
        {"line separator \xe2\x80\xa8", "line separator \\xE2\\x80\\xA8"},
        {"override \xe2\x80\xae", "override \\xE2\\x80\\xAE"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_error error;
        assert_int_equal(ltap_error_set(&error, LTAP_ERROR_FORMAT, "%s", rows[i].text),
                         LTAP_ERROR_FORMAT);
        assert_int_equal(error.code, LTAP_ERROR_FORMAT);
        assert_true(error.offset == LTAP_NO_OFFSET);
        assert_string_equal(error.message, rows[i].message);
    }
}

static void a_long_message_is_cut_between_characters(void **state)
{
    static char text[3 * LTAP_ERROR_MESSAGE_BYTES];
    /* Every offset of the cut within a three-byte character, and escapes. */
    for (size_t lead = 0; lead < 8; lead++) {
        for (int escaped = 0; escaped < 2; escaped++) {
            ltap_error error;
            memset(text, 'a', lead);
            for (size_t i = lead; i + 3 < sizeof text; i += 3)
                memcpy(text + i, escaped ? "\1\1\1" : "\xe5\xb1\xa4", 4);
            ltap_error_set(&error, LTAP_ERROR_FILE, "%s", text);
            size_t length = strlen(error.message);
            assert_in_range(length, LTAP_ERROR_MESSAGE_BYTES - 8, LTAP_ERROR_MESSAGE_BYTES - 1);
            assert_string_equal(error.message + length - 3, "...");
            const char *before = error.message + length - 6;
            assert_true(escaped ? memcmp(before, "x01", 3) == 0
                                : memcmp(before, "\xe5\xb1\xa4", 3) == 0);
        }
    }
}

static void a_message_that_just_fits_is_not_cut(void **state)
{
    static char text[LTAP_ERROR_MESSAGE_BYTES];
    ltap_error error;
    memset(text, 'a', sizeof text - 1);
    ltap_error_set(&error, LTAP_ERROR_FILE, "%s", text);
    assert_string_equal(error.message, text);
}

static void an_offset_stands_in_front(void **state)
{
    ltap_error error;
    assert_int_equal(ltap_error_at(&error, LTAP_ERROR_FORMAT, 1048591, "tensor '%s' ends", "w\n"),
                     LTAP_ERROR_FORMAT);
    assert_string_equal(error.message, "byte 1048591: tensor 'w\\x0A' ends");
    assert_int_equal(error.offset, 1048591);
}

static void a_prefix_keeps_code_and_offset(void **state)
{
    ltap_error error;
    ltap_error_at(&error, LTAP_ERROR_FORMAT, 7, "bad tag");
    assert_int_equal(ltap_error_prefix(&error, LTAP_ERROR_FORMAT, "%s", "a\nb.onnx"),
                     LTAP_ERROR_FORMAT);
    assert_string_equal(error.message, "a\\x0Ab.onnx: byte 7: bad tag");
    assert_int_equal(error.code, LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, 7);
}

static void a_long_prefix_leaves_room_for_the_message(void **state)
{
    static char path[LTAP_ERROR_MESSAGE_BYTES * 2];
    ltap_error error;
    memset(path, 'p', sizeof path - 1);
    ltap_error_set(&error, LTAP_ERROR_FORMAT, "bad tag");
    ltap_error_prefix(&error, LTAP_ERROR_FORMAT, "%s", path);
    assert_string_equal(error.message + strlen(error.message) - 12, "...: bad tag");
}

static void a_message_can_quote_the_old_one(void **state)
{
    ltap_error error;
    ltap_error_set(&error, LTAP_ERROR_FORMAT, "inner");
    ltap_error_set(&error, LTAP_ERROR_INPUT, "outer (%s)", error.message);
    assert_string_equal(error.message, "outer (inner)");
}

static void the_system_s_words_follow_in_lower_case(void **state)
{
    ltap_error error;
    assert_int_equal(ltap_error_system(&error, ENOENT, "x.npy"), LTAP_ERROR_FILE);
    assert_string_equal(error.message, "x.npy: no such file or directory");
}

static void no_error_is_fine(void **state)
{
    assert_int_equal(ltap_error_set(NULL, LTAP_ERROR_INPUT, "x"), LTAP_ERROR_INPUT);
    assert_int_equal(ltap_error_at(NULL, LTAP_ERROR_FORMAT, 1, "x"), LTAP_ERROR_FORMAT);
    assert_int_equal(ltap_error_prefix(NULL, LTAP_ERROR_FORMAT, "x"), LTAP_ERROR_FORMAT);
    assert_int_equal(ltap_error_system(NULL, ENOENT, "x"), LTAP_ERROR_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_stable_name),
        cmocka_unit_test(a_message_is_one_line_of_clean_utf8),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(a_message_that_just_fits_is_not_cut),
        cmocka_unit_test(an_offset_stands_in_front),
        cmocka_unit_test(a_prefix_keeps_code_and_offset),
        cmocka_unit_test(a_long_prefix_leaves_room_for_the_message),
        cmocka_unit_test(a_message_can_quote_the_old_one),
        cmocka_unit_test(the_system_s_words_follow_in_lower_case),
        cmocka_unit_test(no_error_is_fine),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
