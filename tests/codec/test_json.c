/* The JSON reader: values, strictness with the byte, limits. */
#include "base/error.h"
#include "codec/json.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Parses a copy of exactly that size, so that a sanitizer sees every byte too far. */
static ltap_status parse(const char *text, size_t size, ltap_arena *arena, const ltap_json **value,
                         ltap_error *error)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    ltap_status status = ltap_json_parse(copy, size, 0, arena, value, error);
    free(copy);
    return status;
}

static ltap_memory *account(void)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    return memory;
}

static ltap_status parse_alone(const char *text, size_t size, ltap_error *error)
{
    ltap_memory *memory = account();
    ltap_arena arena;
    const ltap_json *value;
    ltap_arena_init(&arena, memory);
    ltap_status status = parse(text, size, &arena, &value, error);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
    return status;
}

static const char document[] = " {\"a\": [1, -2.5e2, true, null], \"b\\u00e9\\ud83d\\ude42\": {}, "
                               "\"c\": \"x\\n\\\"\\/\"}\n";

static void a_document_keeps_order_kinds_and_values(void **state)
{
    ltap_memory *memory = account();
    ltap_arena arena;
    const ltap_json *value;
    ltap_arena_init(&arena, memory);
    assert_int_equal(parse(document, strlen(document), &arena, &value, NULL), LTAP_OK);
    assert_int_equal(value->kind, LTAP_JSON_OBJECT);
    assert_int_equal(value->count, 3);
    const ltap_json *a = ltap_json_find(value, "a"), *item = a->first;
    assert_ptr_equal(value->first, a);
    assert_int_equal(a->count, 4);
    assert_int_equal(a->offset, 2);
    assert_int_equal(item->integer, 1);
    assert_int_equal(item->offset, 8);
    item = item->next;
    assert_int_equal(item->kind, LTAP_JSON_DOUBLE);
    assert_true(item->number == -250.0);
    assert_true(item->next->boolean);
    assert_int_equal(item->next->next->kind, LTAP_JSON_NULL);
    assert_null(item->next->next->next);
    const ltap_json *b = ltap_json_find(value, "b\xC3\xA9\xF0\x9F\x99\x82");
    assert_int_equal(b->kind, LTAP_JSON_OBJECT);
    assert_string_equal(ltap_json_find(value, "c")->text, "x\n\"/");
    assert_null(ltap_json_find(value, "d"));
    assert_null(ltap_json_find(a, "a"));
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

static void numbers_are_integers_where_they_fit(void **state)
{
    static const struct {
        const char *text;
        ltap_json_kind kind;
        int64_t integer;
        double number;
    } rows[] = {
        {"0", LTAP_JSON_INT, 0, 0},
        {"-0", LTAP_JSON_INT, 0, 0},
        {"9223372036854775807", LTAP_JSON_INT, INT64_MAX, 0},
        {"-9223372036854775808", LTAP_JSON_INT, INT64_MIN, 0},
        {"9223372036854775808", LTAP_JSON_DOUBLE, 0, 9223372036854775808.0},
        {"1.0", LTAP_JSON_DOUBLE, 0, 1.0},
        {"1e3", LTAP_JSON_DOUBLE, 0, 1000.0},
        {"0.1", LTAP_JSON_DOUBLE, 0, 0.1},
        {"-1E-400", LTAP_JSON_DOUBLE, 0, 0.0},
        {"2.2250738585072011e-308", LTAP_JSON_DOUBLE, 0, 2.2250738585072011e-308},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_memory *memory = account();
        ltap_arena arena;
        const ltap_json *value;
        ltap_arena_init(&arena, memory);
        assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &arena, &value, NULL), LTAP_OK);
        assert_int_equal(value->kind, rows[i].kind);
        if (value->kind == LTAP_JSON_INT)
            assert_true(value->integer == rows[i].integer);
        else
            assert_true(value->number == rows[i].number);
        ltap_arena_clear(&arena);
        ltap_memory_unref(memory);
    }
}

static void what_is_not_json_is_refused_with_its_byte(void **state)
{
    static const struct {
        const char *text;
        uint64_t offset;
    } rows[] = {
        {"", 0},
        {"  ", 2},
        {"{", 1},
        {"[1,]", 3},
        {"[1 2]", 3},
        {"{\"a\":1,}", 7},
        {"{\"a\" 1}", 5},
        {"{a:1}", 1},
        {"{\"a\":1}x", 7},
        {"nul", 0},
        {"True", 0},
        {"NaN", 0},
        {"-Infinity", 1},
        {"01", 0},
        {"1.", 2},
        {".5", 0},
        {"1e", 2},
        {"+1", 0},
        {"1e999", 0},
        {"0x10", 1},
        {"'a'", 0},
        {"\"a", 0},
        {"\"a\nb\"", 2},
        {"\"\\x\"", 2},
        {"\"\\u12G4\"", 5},
        {"\"\\u0000\"", 3},
        {"\"\\ud83d\"", 3},
        {"\"\\ude42\"", 3},
        {"\"\\ud83d\\u0041\"", 3},
        {"\"\xC3\"", 1},
        {"\"ab\xED\xA0\x80\"", 3},
        {"\"\xC0\x80\"", 1},
        {"\"\xF4\x90\x80\x80\"", 1},
        {"{\"a\":1,\"b\":2,\"a\":3}", 13},
        {"{\"a\":1,\"\\u0061\":3}", 7},
        {"\xEF\xBB\xBF{}", 0},
        {"[1] // no", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_error error = {0};
        ltap_status status = parse_alone(rows[i].text, strlen(rows[i].text), &error);
        if (status != LTAP_ERROR_FORMAT || error.offset != rows[i].offset)
            fail_msg("%s: status %d, byte %llu, expected byte %llu: %s", rows[i].text, status,
                     (unsigned long long)error.offset, (unsigned long long)rows[i].offset,
                     error.message);
    }
}

static void offsets_count_from_the_base(void **state)
{
    ltap_memory *memory = account();
    ltap_arena arena;
    const ltap_json *value;
    ltap_error error;
    ltap_arena_init(&arena, memory);
    assert_int_equal(ltap_json_parse("[x]", 3, 1000, &arena, &value, &error), LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, 1001);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

static void nesting_ends_at_the_limit(void **state)
{
    char text[200];
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    assert_int_equal(parse_alone(text + 36, 128, NULL), LTAP_OK);
    ltap_error error;
    assert_int_equal(parse_alone(text + 35, 130, &error), LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, 64);
}

static void duplicates_are_found_among_many_keys(void **state)
{
    char text[4096];
    int n = 0;
    for (int i = 0; i < 100; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s\"k%d\":%d", i ? "," : "{", i, i);
    text[n] = '}';
    assert_int_equal(parse_alone(text, (size_t)n + 1, NULL), LTAP_OK);
    size_t at = (size_t)n + 1;
    n += snprintf(text + n, sizeof text - (size_t)n, ",\"k57\":0}");
    ltap_error error;
    assert_int_equal(parse_alone(text, (size_t)n, &error), LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, at);
}

static void every_truncation_is_an_error(void **state)
{
    for (size_t n = 0; n + 2 < sizeof document - 1; n++)
        assert_int_equal(parse_alone(document, n, NULL), LTAP_ERROR_FORMAT);
}

static void every_failing_allocation_is_survived(void **state)
{
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        ltap_memory *memory = NULL;
        ltap_arena arena;
        const ltap_json *value;
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
        if (status == LTAP_OK) {
            ltap_arena_init(&arena, memory);
            status = parse(document, strlen(document), &arena, &value, NULL);
            ltap_arena_clear(&arena);
        }
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
        assert_int_equal(status, LTAP_ERROR_MEMORY);
    }
}

static void quoted_text_is_read_back(void **state)
{
    static const char text[] = "a\"b\\c\n\x01\x7F/\xC3\xA9";
    ltap_memory *memory = account();
    ltap_arena arena;
    ltap_vector out;
    const ltap_json *value;
    ltap_arena_init(&arena, memory);
    ltap_vector_init(&out, memory, 1);
    assert_int_equal(ltap_json_quote(&out, text, strlen(text), NULL), LTAP_OK);
    assert_int_equal(parse(out.data, out.count, &arena, &value, NULL), LTAP_OK);
    assert_string_equal(value->text, text);
    ltap_vector_clear(&out);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_keeps_order_kinds_and_values),
        cmocka_unit_test(numbers_are_integers_where_they_fit),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_byte),
        cmocka_unit_test(offsets_count_from_the_base),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(duplicates_are_found_among_many_keys),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(quoted_text_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
