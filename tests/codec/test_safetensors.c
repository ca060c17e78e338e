/* safetensors headers: every rule of the format, broken one at a time, and what we write. */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/safetensors.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static size_t build(uint8_t *out, const char *header, size_t data_bytes)
{
    size_t length = strlen(header);
    ltap_store_u64(out, length);
    memcpy(out + 8, header, length);
    memset(out + 8 + length, 0, data_bytes);
    return 8 + length + data_bytes;
}

static ltap_status parse_on(ltap_memory *memory, const uint8_t *bytes, size_t size,
                            ltap_error *error)
{
    ltap_arena arena;
    ltap_safetensors file;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    ltap_arena_init(&arena, memory);
    ltap_status status = ltap_safetensors_parse(copy, size, &arena, &file, error);
    ltap_arena_clear(&arena);
    free(copy);
    return status;
}

static ltap_status parse(const uint8_t *bytes, size_t size, ltap_error *error)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_status status = parse_on(memory, bytes, size, error);
    ltap_memory_unref(memory);
    return status;
}

#define A_TENSOR(name, dtype, shape, begin, end)                                                   \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end \
    "]}"

static const char good_header[] =
    "{\"__metadata__\":{\"format\":\"pt\"}," A_TENSOR("b", "F32", "2,2", "4", "20") "," A_TENSOR(
        "a", "I32", "", "0", "4") "," A_TENSOR("z", "BF16", "3,0", "4", "4") "}   ";

static void a_file_is_read_in_the_order_of_its_header(void **state)
{
    uint8_t bytes[512];
    ltap_memory *memory;
    ltap_arena arena;
    ltap_safetensors file;
    size_t size = build(bytes, good_header, 20);
    assert_true(ltap_safetensors_probe(bytes, size));
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    assert_int_equal(ltap_safetensors_parse(bytes, size, &arena, &file, NULL), LTAP_OK);
    assert_int_equal(file.n_entries, 3);
    assert_string_equal(file.entries[0].name, "b");
    assert_string_equal(file.entries[1].name, "a");
    assert_int_equal(file.entries[0].offset, size - 16);
    assert_int_equal(file.entries[0].bytes, 16);
    assert_int_equal(file.entries[0].tensor.dtype, LTAP_FLOAT32);
    assert_int_equal(file.entries[0].tensor.rank, 2);
    assert_int_equal(file.entries[1].tensor.rank, 0);
    assert_int_equal(file.entries[2].tensor.dims[1], 0);
    assert_int_equal(file.n_metadata, 1);
    assert_string_equal(file.metadata[0].value, "pt");
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

typedef struct bad_row {
    const char *header;
    size_t data_bytes;
    ltap_status status;
    uint64_t offset;
    const char *message;
} bad_row;

static const bad_row bad[] = {
    {" {}", 0, LTAP_ERROR_FORMAT, 8, "begins '{'"},
    {"{", 0, LTAP_ERROR_FORMAT, 9, "ends where"},
    {"{}", 1, LTAP_ERROR_FORMAT, 10, "1 bytes behind the last tensor"},
    {"{\"a\":1}", 0, LTAP_ERROR_FORMAT, 9, "an integer; expected an object"},
    {"{\"a\":{}}", 0, LTAP_ERROR_FORMAT, 9, "has no dtype"},
    {"{\"a\":{\"dtype\":4}}", 0, LTAP_ERROR_FORMAT, 14, "dtype is an integer"},
    {"{\"a\":{\"dtype\":\"F4\"}}", 0, LTAP_ERROR_UNSUPPORTED, 14, "'F4'"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, LTAP_ERROR_FORMAT, 9, "has no shape"},
    {"{" A_TENSOR("a", "F32", "-1", "0", "4") "}", 4, LTAP_ERROR_FORMAT, 37, "from 0 to"},
    {"{" A_TENSOR("a", "F32", "1.0", "0", "4") "}", 4, LTAP_ERROR_FORMAT, 37, "from 0 to"},
    {"{" A_TENSOR("a", "F32", "1,1,1,1,1,1,1,1,1,1,1,1,1", "0", "4") "}", 4, LTAP_ERROR_UNSUPPORTED,
     28, "13 dimensions"},
    {"{" A_TENSOR("a", "F32", "4611686018427387904,4", "0", "4") "}", 4, LTAP_ERROR_FORMAT, 9,
     "too large"},
    {"{" A_TENSOR("a", "F32", "2", "0", "4") "}", 4, LTAP_ERROR_FORMAT, 40, "takes 8 bytes"},
    {"{" A_TENSOR("a", "F32", "1", "4", "0") "}", 4, LTAP_ERROR_FORMAT, 40, "takes 4 bytes"},
    {"{" A_TENSOR("a", "F32", "1", "0", "4") "}", 3, LTAP_ERROR_FORMAT, 58, "which has 3"},
    {"{" A_TENSOR("a", "F32", "1", "4", "8") "}", 8, LTAP_ERROR_FORMAT, 9, "expected 0"},
    {"{" A_TENSOR("a", "F32", "1", "0", "4") "}", 8, LTAP_ERROR_FORMAT, 66, "behind the last"},
    {"{" A_TENSOR("a", "U8", "4", "0", "4") "," A_TENSOR("b", "U8", "4", "2", "6") "}", 6,
     LTAP_ERROR_FORMAT, 61, "without holes or overlaps"},
    {"{" A_TENSOR("a", "U8", "1", "0", "1") "," A_TENSOR("b", "U8", "1", "2", "3") "}", 3,
     LTAP_ERROR_FORMAT, 61, "without holes or overlaps"},
    {"{" A_TENSOR("a", "U8", "1", "0", "1") "," A_TENSOR("a", "U8", "1", "1", "2") "}", 2,
     LTAP_ERROR_FORMAT, 61, "occurs twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, LTAP_ERROR_FORMAT, 39,
     "has 3 numbers"},
    {"{\"__metadata__\":[]}", 0, LTAP_ERROR_FORMAT, 9, "__metadata__ is an array"},
    {"{\"__metadata__\":{\"a\":1}}", 0, LTAP_ERROR_FORMAT, 25, "'a' is an integer"},
    {"{\"\xFF\":{}}", 0, LTAP_ERROR_FORMAT, 10, "not UTF-8"},
};

static void every_rule_is_checked_with_its_byte(void **state)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const bad_row *row = &bad[i];
        ltap_error error = {0};
        size_t size = build(bytes, row->header, row->data_bytes);
        ltap_status status = parse(bytes, size, &error);
        if (status != row->status || error.offset != row->offset ||
            !strstr(error.message, row->message))
            fail_msg("%s: status %d, byte %llu, '%s'; expected %d, %llu, '%s'", row->header, status,
                     (unsigned long long)error.offset, error.message, row->status,
                     (unsigned long long)row->offset, row->message);
    }
}

static void lengths_that_lie_are_refused(void **state)
{
    static const uint64_t lengths[] = {0, 100000001, UINT64_MAX, UINT64_MAX - 7, 1000};
    uint8_t bytes[512];
    ltap_error error;
    size_t size = build(bytes, "{}", 0);
    for (size_t i = 0; i < 5; i++) {
        ltap_store_u64(bytes, lengths[i]);
        assert_int_equal(parse(bytes, size, &error), LTAP_ERROR_FORMAT);
    }
}

static void every_truncation_is_an_error(void **state)
{
    uint8_t bytes[512];
    size_t size = build(bytes, good_header, 20);
    assert_int_equal(parse(bytes, size, NULL), LTAP_OK);
    for (size_t n = 0; n < size; n++)
        assert_int_equal(parse(bytes, n, NULL), LTAP_ERROR_FORMAT);
}

static void flipped_bytes_never_crash(void **state)
{
    uint8_t bytes[512];
    size_t size = build(bytes, good_header, 20);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1 << bit);
            (void)!parse(bytes, size, NULL);
            bytes[i] ^= (uint8_t)(1 << bit);
        }
}

static void every_failing_allocation_is_survived(void **state)
{
    uint8_t bytes[512];
    size_t size = build(bytes, good_header, 20);
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        ltap_memory *memory = NULL;
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
        if (status == LTAP_OK)
            status = parse_on(memory, bytes, size, NULL);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
        assert_int_equal(status, LTAP_ERROR_MEMORY);
    }
}

static void written_headers_are_padded_aligned_and_read(void **state)
{
    static const ltap_dtype dtypes[] = {LTAP_UINT8, LTAP_FLOAT32,       LTAP_BFLOAT16,
                                        LTAP_INT64, LTAP_FLOAT8E8M0,    LTAP_BOOL,
                                        LTAP_INT16, LTAP_FLOAT8E5M2FNUZ};
    static const char *const names[] = {"a", "", "\xC3\xA9\"\\\n", "x/y", "..", "%", "l0.c", "b"};
    static const int64_t dims[] = {3, 1};
    ltap_safetensors_entry entries[8] = {{0}};
    ltap_memory *memory;
    ltap_vector header;
    ltap_arena arena;
    ltap_safetensors file;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_vector_init(&header, memory, 1);
    ltap_arena_init(&arena, memory);
    for (int i = 0; i < 8; i++) {
        entries[i].name = names[i];
        entries[i].tensor = ltap_tensor_make(dtypes[i], i % 3, dims, NULL);
    }
    assert_int_equal(ltap_safetensors_header(entries, 8, &header, NULL), LTAP_OK);
    size_t start = header.count, data = 0;
    assert_int_equal(start % 8, 0);
    for (int i = 0; i < 8; i++)
        data += entries[i].bytes;
    char padding[200] = {0};
    assert_int_equal(ltap_text_append(&header, padding, data, NULL), LTAP_OK);
    assert_int_equal(ltap_safetensors_parse(header.data, header.count, &arena, &file, NULL),
                     LTAP_OK);
    for (int i = 0; i < 8; i++) {
        assert_string_equal(file.entries[i].name, names[i]);
        assert_int_equal(file.entries[i].tensor.dtype, dtypes[i]);
        assert_int_equal(file.entries[i].offset, entries[i].offset);
        assert_int_equal(entries[i].offset % (ltap_dtype_bits(dtypes[i]) / 8), 0);
    }
    ltap_arena_clear(&arena);
    ltap_vector_clear(&header);
    ltap_memory_unref(memory);
}

static void names_and_types_that_the_format_lacks_are_refused(void **state)
{
    static const struct {
        const char *name;
        ltap_dtype dtype;
        ltap_status status;
    } rows[] = {{"__metadata__", LTAP_FLOAT32, LTAP_ERROR_ARGUMENT},
                {"a", LTAP_COMPLEX128, LTAP_ERROR_UNSUPPORTED},
                {"a", LTAP_STRING, LTAP_ERROR_UNSUPPORTED},
                {"a", LTAP_INT4, LTAP_ERROR_UNSUPPORTED}};
    for (size_t i = 0; i < 4; i++) {
        ltap_memory *memory;
        ltap_vector header;
        ltap_safetensors_entry entry = {.name = rows[i].name};
        entry.tensor.dtype = rows[i].dtype;
        assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
        ltap_vector_init(&header, memory, 1);
        assert_int_equal(ltap_safetensors_header(&entry, 1, &header, NULL), rows[i].status);
        ltap_vector_clear(&header);
        ltap_memory_unref(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_in_the_order_of_its_header),
        cmocka_unit_test(every_rule_is_checked_with_its_byte),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(written_headers_are_padded_aligned_and_read),
        cmocka_unit_test(names_and_types_that_the_format_lacks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
