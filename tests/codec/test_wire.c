/* The protobuf wire reader: numbers, packed and not, unknown fields, and each error with its byte.
 */
#include "base/error.h"
#include "codec/wire.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct inner {
    ltap_wire_head head;
    ltap_wire_span name, raw;
} inner;

typedef struct outer {
    ltap_wire_head head;
    int64_t number;
    float real;
    ltap_wire_span text;
    ltap_wire_list messages, ints, floats, doubles;
} outer;

static const ltap_wire_row inner_rows[] = {
    {1, LTAP_WIRE_BYTES, offsetof(inner, name), "name", NULL},
    {2, LTAP_WIRE_BYTES, offsetof(inner, raw), "raw", NULL},
};
static const ltap_wire_message inner_message = {"thing", inner_rows, 2, 1};

static const ltap_wire_row outer_rows[] = {
    {1, LTAP_WIRE_INT, offsetof(outer, number), "number", NULL},
    {2, LTAP_WIRE_FLOAT, offsetof(outer, real), "real", NULL},
    {3, LTAP_WIRE_BYTES, offsetof(outer, text), "text", NULL},
    {4, LTAP_WIRE_MANY, offsetof(outer, messages), "messages", &inner_message},
    {5, LTAP_WIRE_INTS, offsetof(outer, ints), "ints", NULL},
    {6, LTAP_WIRE_32S, offsetof(outer, floats), "floats", NULL},
    {7, LTAP_WIRE_64S, offsetof(outer, doubles), "doubles", NULL},
};
static const ltap_wire_message outer_message = {"outer", outer_rows, 7, 0};

typedef struct decoded {
    ltap_memory *memory;
    ltap_arena arena;
    uint8_t *copy; /* of exactly that size, so that a sanitizer sees every byte too far */
    ltap_wire wire;
    outer out;
    ltap_error error;
    ltap_status status;
} decoded;

static void decode(decoded *d, const char *data, size_t bytes)
{
    memset(d, 0, sizeof(*d));
    d->error.offset = LTAP_NO_OFFSET;
    assert_int_equal(ltap_memory_new(NULL, 0, &d->memory, NULL), LTAP_OK);
    ltap_arena_init(&d->arena, d->memory);
    d->copy = malloc(bytes ? bytes : 1);
    assert_non_null(d->copy);
    memcpy(d->copy, data, bytes);
    d->wire = (ltap_wire){d->copy, bytes};
    d->status = ltap_wire_decode(&d->wire, (ltap_wire_span){0, bytes}, &outer_message, &d->arena,
                                 &d->out, &d->error);
}

static void clear(decoded *d)
{
    ltap_arena_clear(&d->arena);
    ltap_memory_unref(d->memory);
    free(d->copy);
}

#define BYTES(text) text, sizeof(text) - 1

static void numbers_have_all_their_bits(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t bytes;
        int64_t number;
    } rows[] = {
        {BYTES("\x08\0"), 0},
        {BYTES("\x08\x7f"), 127},
        {BYTES("\x08\x80\1"), 128},
        {BYTES("\x08\x80\0"), 0},
        {BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), -1},
        {BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"), INT64_MIN},
        {BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), INT64_MAX},
        {BYTES("\x08\1\x08\2"), 2},
        {BYTES(""), 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        decoded d;
        decode(&d, rows[i].data, rows[i].bytes);
        assert_int_equal(d.status, LTAP_OK);
        assert_true(d.out.number == rows[i].number);
        assert_int_equal(ltap_wire_has(&outer_message, &d.out.head, 1), rows[i].bytes > 0);
        clear(&d);
    }
}

static void repeated_numbers_may_be_packed_or_not_or_both(void **state)
{
    (void)state;
    static const int64_t expected[] = {1, 300, -1, 2, 3};
    decoded d;
    decode(&d, BYTES("\x28\1\x2a\x0c\xac\2\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x28\2\x2a\0\x28\3"
                     "\x35\0\0\x80\x3f\x32\x08\0\0\0\x40\0\0\x40\x40"
                     "\x39\0\0\0\0\0\0\xf0\x3f"));
    assert_int_equal(d.status, LTAP_OK);
    uint64_t count;
    int64_t number;
    assert_int_equal(ltap_wire_ints_count(&d.wire, d.out.ints, &count, NULL), LTAP_OK);
    assert_int_equal(count, 5);
    ltap_wire_ints ints = ltap_wire_ints_begin(&d.wire, d.out.ints);
    for (size_t i = 0; i < count; i++) {
        assert_true(ltap_wire_ints_next(&ints, &number));
        assert_true(number == expected[i]);
    }
    assert_false(ltap_wire_ints_next(&ints, &number));
    float floats[3];
    double real;
    assert_int_equal(ltap_wire_list_bytes(d.out.floats), sizeof(floats));
    ltap_wire_list_copy(&d.wire, d.out.floats, floats);
    assert_float_equal(floats[2], 3, 0);
    ltap_wire_list_copy(&d.wire, d.out.doubles, &real);
    assert_true(real == 1);
    clear(&d);
}

static void unknown_fields_are_skipped_and_remembered(void **state)
{
    (void)state;
    decoded d;
    decode(&d, BYTES("\x50\x80\1\x51"
                     "12345678\x52\3abc\x55"
                     "1234\x08\7"));
    assert_int_equal(d.status, LTAP_OK);
    assert_int_equal(d.out.number, 7);
    static const ltap_wire_span spans[] = {{0, 3}, {3, 9}, {12, 5}, {17, 5}};
    assert_int_equal(d.out.head.unknown.count, 4);
    assert_memory_equal(d.out.head.unknown.items, spans, sizeof(spans));
    clear(&d);
}

static void messages_are_spans(void **state)
{
    (void)state;
    decoded d;
    inner in;
    decode(&d, BYTES("\x22\3\x0a\1n\x22\0\x1a\2hi"));
    assert_int_equal(d.status, LTAP_OK);
    assert_int_equal(d.out.messages.count, 2);
    assert_int_equal(d.out.text.offset, 9);
    assert_int_equal(
        ltap_wire_decode(&d.wire, d.out.messages.items[0], &inner_message, &d.arena, &in, NULL),
        LTAP_OK);
    assert_int_equal(in.name.offset, 4);
    assert_false(ltap_wire_seen(&in.raw));
    clear(&d);
}

static void malformed_bytes_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t bytes;
        uint64_t offset;
        const char *says;
    } rows[] = {
        {BYTES("\x08"), 1, "the file ends inside a number"},
        {BYTES("\x08\x80\x80"), 1, "the file ends inside a number"},
        {BYTES("\x08\1\x88"), 2, "the file ends inside a number"},
        {BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"), 1, "longer than 64 bits"},
        {BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 1, "longer than 64 bits"},
        {BYTES("\0\1"), 0, "field number 0"},
        {BYTES("\x80\x80\x80\x80\x80\1\1"), 0, "field number"},
        {BYTES("\x0b"), 0, "wire type 3"},
        {BYTES("\x08\1\x0c"), 2, "wire type 4"},
        {BYTES("\x0e"), 0, "wire type 6"},
        {BYTES("\x0f"), 0, "wire type 7"},
        {BYTES("\x0a\0"), 0, "number of outer has wire type 2"},
        {BYTES("\x18\0"), 0, "text of outer has wire type 0"},
        {BYTES("\x31"
               "12345678"),
         0, "floats of outer has wire type 1"},
        {BYTES("\x32\5"
               "12345"),
         2, "not a multiple of 4"},
        {BYTES("\x3a\4"
               "1234"),
         2, "not a multiple of 8"},
        {BYTES("\x1a\3hi"), 2, "outer declares 3 bytes of text, the file has 2 left"},
        {BYTES("\x15\0\0"), 1, "outer declares 4 bytes of real, the file has 2 left"},
        {BYTES("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 11, "the file has 0 left"},
        {BYTES("\x22\x20\x0a\1n\x12\x10"
               "abc"),
         7, "thing 'n' declares 16 bytes of raw, the file has 3 left"},
        {BYTES("\x22\x20\x0a\1n"), 2, "outer declares 32 bytes of messages, the file has 3 left"},
        {BYTES("\x22\x20\x0a"), 2, "outer declares 32 bytes of messages, the file has 1 left"},
        {BYTES("\x52\x09"
               "abc"),
         2, "outer declares 9 bytes, the file has 3 left"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        decoded d;
        decode(&d, rows[i].data, rows[i].bytes);
        if (d.status != LTAP_ERROR_FORMAT || d.error.offset != rows[i].offset ||
            !strstr(d.error.message, rows[i].says))
            fail_msg("row %zu: %s", i, d.error.message);
        clear(&d);
    }
}

static void a_message_may_not_pass_the_one_around_it(void **state)
{
    (void)state;
    decoded d;
    inner in;
    decode(&d, BYTES("\x22\5\x0a\1n\x12\x04\x08\1\x08\1"));
    assert_int_equal(d.status, LTAP_OK);
    assert_int_equal(
        ltap_wire_decode(&d.wire, d.out.messages.items[0], &inner_message, &d.arena, &in, &d.error),
        LTAP_ERROR_FORMAT);
    assert_string_equal(d.error.message,
                        "byte 7: thing 'n' declares 4 bytes of raw, it has 0 left");
    clear(&d);

    decode(&d, BYTES("\x2a\1\x80\x08\1"));
    uint64_t count;
    assert_int_equal(d.status, LTAP_OK);
    assert_int_equal(ltap_wire_ints_count(&d.wire, d.out.ints, &count, &d.error),
                     LTAP_ERROR_FORMAT);
    assert_string_equal(d.error.message, "byte 2: a number runs past the end of its message");
    clear(&d);
}

static void peeking_walks_over_fields(void **state)
{
    (void)state;
    static const uint8_t data[] = "\x08\7\x1a\2hi\x0b";
    ltap_wire wire = {data, 7};
    uint64_t at = 0, value;
    uint32_t number;
    unsigned type;
    assert_true(ltap_wire_peek(&wire, &at, &number, &type, &value));
    assert_int_equal(number, 1);
    assert_int_equal(value, 7);
    assert_true(ltap_wire_peek(&wire, &at, &number, &type, &value));
    assert_int_equal(number, 3);
    assert_int_equal(type, 2);
    assert_int_equal(at, 6);
    assert_false(ltap_wire_peek(&wire, &at, &number, &type, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_all_their_bits),
        cmocka_unit_test(repeated_numbers_may_be_packed_or_not_or_both),
        cmocka_unit_test(unknown_fields_are_skipped_and_remembered),
        cmocka_unit_test(messages_are_spans),
        cmocka_unit_test(malformed_bytes_are_refused_with_their_place),
        cmocka_unit_test(a_message_may_not_pass_the_one_around_it),
        cmocka_unit_test(peeking_walks_over_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
