/* Arrays in: formats told by content, conversions, use in place, names; hostile bytes and little
 * memory.
 */
#include "base/error.h"
#include "codec/npy.h"
#include "codec/zip_build.h"
#include "io/arrays.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct blob {
    _Alignas(64) uint8_t bytes[2048];
    size_t size;
} blob;

/* A .npy of version 1, its data at a multiple of 64. */
static void make_npy(blob *out, const char *descr, const char *order, const char *shape,
                     const void *data, size_t data_bytes)
{
    int n = snprintf((char *)out->bytes + 10, sizeof out->bytes - 10,
                     "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape);
    size_t end = (10 + (size_t)n + 64) / 64 * 64;
    memcpy(out->bytes, "\x93NUMPY\x01\0", 8);
    out->bytes[8] = (uint8_t)(end - 10);
    out->bytes[9] = 0;
    memset(out->bytes + 10 + n, ' ', end - 10 - (size_t)n);
    out->bytes[end - 1] = '\n';
    memcpy(out->bytes + end, data, data_bytes);
    out->size = end + data_bytes;
}

static ltap_arrays *open_blob(const blob *file)
{
    ltap_arrays *arrays = NULL;
    ltap_error error;
    if (ltap_arrays_open_bytes(file->bytes, file->size, "x", &arrays, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    return arrays;
}

static const int16_t counted[] = {0, 1, 2, 3, 4, 5};

static void native_aligned_bytes_are_used_where_they_lie(void **state)
{
    blob file;
    make_npy(&file, "<i2", "False", "(2, 3)", counted, 12);
    ltap_arrays *arrays = open_blob(&file);
    assert_int_equal(ltap_arrays_count(arrays), 1);
    const ltap_array *array = ltap_arrays_at(arrays, 0);
    assert_string_equal(array->name, "");
    assert_ptr_equal(array->tensor.data, file.bytes + file.size - 12);
    assert_ptr_equal(ltap_arrays_find(arrays, ""), array);
    assert_null(ltap_arrays_find(arrays, "y"));
    assert_null(ltap_arrays_at(arrays, 1));
    ltap_arrays_close(arrays);
}

static void unaligned_bytes_are_copied(void **state)
{
    blob file, shifted;
    make_npy(&file, "<i2", "False", "(2, 3)", counted, 12);
    memcpy(shifted.bytes + 1, file.bytes, file.size);
    ltap_arrays *arrays;
    assert_int_equal(ltap_arrays_open_bytes(shifted.bytes + 1, file.size, NULL, &arrays, NULL),
                     LTAP_OK);
    assert_int_equal((uintptr_t)ltap_arrays_at(arrays, 0)->tensor.data % 2, 0);
    assert_memory_equal(ltap_arrays_at(arrays, 0)->tensor.data, counted, 12);
    ltap_arrays_close(arrays);
}

static void fortran_order_and_byte_order_are_put_right(void **state)
{
    static const uint8_t big[] = {0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5};
    static const int16_t little[] = {0, 3, 1, 4, 2, 5};
    static const struct {
        const char *descr, *order;
        const void *data;
        const int16_t expected[6];
    } rows[] = {{">i2", "False", big, {0, 3, 1, 4, 2, 5}},
                {">i2", "True", big, {0, 1, 2, 3, 4, 5}},
                {"<i2", "True", little, {0, 1, 2, 3, 4, 5}}};
    for (size_t i = 0; i < 3; i++) {
        blob file;
        make_npy(&file, rows[i].descr, rows[i].order, "(2, 3)", rows[i].data, 12);
        ltap_arrays *arrays = open_blob(&file);
        const ltap_tensor *tensor = &ltap_arrays_at(arrays, 0)->tensor;
        assert_int_equal(tensor->dims[0], 2);
        assert_memory_equal(tensor->data, rows[i].expected, 12);
        ltap_arrays_close(arrays);
    }
}

static void halves_of_complex_numbers_are_swapped_on_their_own(void **state)
{
    static const uint8_t big[] = {0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0};
    static const float expected[] = {1.0f, -2.0f};
    blob file;
    make_npy(&file, ">c8", "False", "()", big, 8);
    ltap_arrays *arrays = open_blob(&file);
    assert_memory_equal(ltap_arrays_at(arrays, 0)->tensor.data, expected, 8);
    ltap_arrays_close(arrays);
}

static void booleans_become_0_or_1(void **state)
{
    static const uint8_t odd[] = {0, 1, 2, 255}, expected[] = {0, 1, 1, 1};
    blob file;
    make_npy(&file, "|b1", "False", "(4,)", odd, 4);
    ltap_arrays *arrays = open_blob(&file);
    assert_memory_equal(ltap_arrays_at(arrays, 0)->tensor.data, expected, 4);
    ltap_arrays_close(arrays);
}

static void make_npz(blob *out, bool deflate)
{
    blob one, two;
    zip_built *zip = malloc(sizeof *zip);
    assert_non_null(zip);
    make_npy(&one, "<i2", "False", "(2, 3)", counted, 12);
    make_npy(&two, "<f4", "False", "(0, 7)", counted, 0);
    const zip_part parts[] = {
        {.name = "x.npy", .data = one.bytes, .bytes = one.size, .deflate = deflate},
        {.name = "a/\xC3\xA9", .data = two.bytes, .bytes = two.size, .deflate = deflate}};
    zip_build(zip, parts, 2);
    memcpy(out->bytes, zip->bytes, zip->size);
    out->size = zip->size;
    free(zip);
}

static void members_of_npz_have_the_names_that_numpy_shows(void **state)
{
    for (int deflate = 0; deflate < 2; deflate++) {
        blob file;
        make_npz(&file, deflate);
        ltap_arrays *arrays = open_blob(&file);
        assert_int_equal(ltap_arrays_count(arrays), 2);
        assert_memory_equal(ltap_arrays_find(arrays, "x")->tensor.data, counted, 12);
        assert_int_equal(ltap_arrays_find(arrays, "a/\xC3\xA9")->tensor.dims[1], 7);
        ltap_arrays_close(arrays);
    }
}

static void make_safetensors(blob *out)
{
    static const char header[] = "{\"b\":{\"dtype\":\"I16\",\"shape\":[3],\"data_offsets\":[0,6]},"
                                 "\"a\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[6,8]}}";
    size_t n = strlen(header);
    memset(out->bytes, 0, sizeof out->bytes);
    out->bytes[0] = (uint8_t)n;
    memcpy(out->bytes + 8, header, n);
    memcpy(out->bytes + 8 + n, counted, 8);
    out->size = 8 + n + 8;
}

static void safetensors_are_read(void **state)
{
    blob file;
    make_safetensors(&file);
    ltap_arrays *arrays = open_blob(&file);
    assert_memory_equal(ltap_arrays_find(arrays, "b")->tensor.data, counted, 6);
    assert_int_equal(ltap_arrays_find(arrays, "a")->tensor.dtype, LTAP_BFLOAT16);
    ltap_arrays_close(arrays);
}

static void an_npz_is_refused_whole_for_one_bad_member(void **state)
{
    static const struct {
        const char *name, *data;
        size_t bytes;
        ltap_status status;
        const char *message;
    } rows[] = {
        {"notes.txt", "Dear", 4, LTAP_ERROR_FORMAT, "member 'notes.txt': byte 39: not a .npy"},
        {"e.npy", "", 0, LTAP_ERROR_FORMAT, "member 'e.npy'"},
    };
    for (size_t i = 0; i < 2; i++) {
        ltap_arrays *arrays;
        ltap_error error;
        zip_built *zip = malloc(sizeof *zip);
        assert_non_null(zip);
        const zip_part part = {.name = rows[i].name, .data = rows[i].data, .bytes = rows[i].bytes};
        zip_build(zip, &part, 1);
        assert_int_equal(ltap_arrays_open_bytes(zip->bytes, zip->size, "f.npz", &arrays, &error),
                         rows[i].status);
        assert_non_null(strstr(error.message, rows[i].message));
        assert_int_equal(memcmp(error.message, "f.npz: ", 7), 0);
        free(zip);
    }
}

static void members_that_numpy_would_show_under_one_name_are_refused(void **state)
{
    blob one;
    ltap_arrays *arrays;
    ltap_error error;
    zip_built *zip = malloc(sizeof *zip);
    assert_non_null(zip);
    make_npy(&one, "<i2", "False", "(2, 3)", counted, 12);
    const zip_part parts[] = {{.name = "x.npy", .data = one.bytes, .bytes = one.size},
                              {.name = "x", .data = one.bytes, .bytes = one.size}};
    zip_build(zip, parts, 2);
    assert_int_equal(ltap_arrays_open_bytes(zip->bytes, zip->size, NULL, &arrays, &error),
                     LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, zip->central[1]);
    free(zip);
}

static void other_files_are_refused_by_how_they_begin(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } rows[] = {{"Dear all", 8,
                 "x: byte 0: not a .npy, .npz or .safetensors file (starts with "
                 "'Dear all')"},
                {"\xFF\xD8\xFF", 3, "starts with byte 0xff"},
                {"", 0, "x: is empty"},
                {"\x93NUM", 4, "starts with byte 0x93"},
                {"PK\x03", 3, "starts with 'PK'"}};
    for (size_t i = 0; i < 5; i++) {
        ltap_arrays *arrays;
        ltap_error error;
        assert_int_equal(ltap_arrays_open_bytes(rows[i].bytes, rows[i].size, "x", &arrays, &error),
                         LTAP_ERROR_FORMAT);
        if (!strstr(error.message, rows[i].message))
            fail_msg("%s", error.message);
        assert_false(ltap_arrays_probe(rows[i].bytes, rows[i].size));
    }
}

static void make_sample(blob *file, int kind)
{
    if (kind == 0)
        make_npy(file, ">i2", "True", "(2, 3)", counted, 12);
    else if (kind == 3)
        make_safetensors(file);
    else
        make_npz(file, kind == 2);
}

static ltap_status open_exact(ltap_memory *memory, const uint8_t *bytes, size_t size)
{
    ltap_arrays *arrays = NULL;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    ltap_status status = ltap_arrays_open_bytes_on(memory, copy, size, "x", &arrays, NULL);
    for (size_t i = 0; status == LTAP_OK && i < ltap_arrays_count(arrays); i++) {
        ltap_stats stats; /* reads every element, so that a sanitizer sees a lying view */
        (void)!ltap_tensor_stats(&ltap_arrays_at(arrays, i)->tensor, &stats, NULL);
    }
    if (status == LTAP_OK)
        ltap_arrays_close(arrays);
    free(copy);
    return status;
}

static void truncated_and_flipped_files_never_crash(void **state)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 1 << 20, &memory, NULL), LTAP_OK);
    for (int kind = 0; kind < 4; kind++) {
        blob file;
        make_sample(&file, kind);
        assert_int_equal(open_exact(memory, file.bytes, file.size), LTAP_OK);
        for (size_t n = 0; n < file.size; n++)
            assert_int_equal(open_exact(memory, file.bytes, n), LTAP_ERROR_FORMAT);
        for (size_t i = 0; i < file.size; i++)
            for (int bit = 0; bit < 8; bit++) {
                file.bytes[i] ^= (uint8_t)(1 << bit);
                (void)!open_exact(memory, file.bytes, file.size);
                file.bytes[i] ^= (uint8_t)(1 << bit);
            }
        assert_int_equal(ltap_memory_used(memory), 0);
    }
    ltap_memory_unref(memory);
}

static void every_failing_allocation_is_survived(void **state)
{
    for (int kind = 0; kind < 4; kind++)
        for (size_t n = 1;; n++) {
            blob file;
            fail_alloc heap;
            ltap_memory *memory = NULL;
            make_sample(&file, kind);
            fail_alloc_init(&heap, n);
            ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
            if (status == LTAP_OK)
                status = open_exact(memory, file.bytes, file.size);
            ltap_memory_unref(memory);
            fail_alloc_check(&heap);
            if (!fail_alloc_failed(&heap))
                break;
            assert_int_equal(status, LTAP_ERROR_MEMORY);
        }
}

/* Deflate can pack 1 MB of zeros into 1 kB: honest, but beyond the account. */
static void an_honest_bomb_meets_the_memory_limit(void **state)
{
    size_t bytes = 1 << 20;
    char *zeros = calloc(1, bytes);
    zip_built *zip = malloc(sizeof *zip);
    ltap_memory *memory;
    ltap_arrays *arrays;
    assert_non_null(zeros);
    assert_non_null(zip);
    const zip_part part = {.name = "x.npy", .data = zeros, .bytes = bytes, .deflate = true};
    zip_build(zip, &part, 1);
    assert_int_equal(ltap_memory_new(NULL, 1 << 19, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_arrays_open_bytes_on(memory, zip->bytes, zip->size, "x", &arrays, NULL),
                     LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    free(zip);
    free(zeros);
}

static void a_stream_is_read_as_a_file_is(void **state)
{
    blob file;
    int ends[2], before = dup(STDIN_FILENO);
    ltap_arrays *arrays;
    make_npz(&file, true);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], file.bytes, file.size), file.size);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(ltap_arrays_open("-", &arrays, NULL), LTAP_OK);
    assert_memory_equal(ltap_arrays_find(arrays, "x")->tensor.data, counted, 12);
    ltap_arrays_close(arrays);
    ltap_error error;
    assert_int_equal(ltap_arrays_open("-", &arrays, &error), LTAP_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "standard input: is empty"));
    if (before >= 0) {
        dup2(before, STDIN_FILENO);
        close(before);
    }
}

static void files_that_are_not_there_are_named(void **state)
{
    ltap_arrays *arrays;
    ltap_error error;
    assert_int_equal(ltap_arrays_open("/nowhere/x.npy", &arrays, &error), LTAP_ERROR_FILE);
    assert_non_null(strstr(error.message, "/nowhere/x.npy"));
    assert_int_equal(ltap_arrays_open("/", &arrays, &error), LTAP_ERROR_FILE);
    assert_int_equal(ltap_arrays_open(NULL, &arrays, &error), LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_aligned_bytes_are_used_where_they_lie),
        cmocka_unit_test(unaligned_bytes_are_copied),
        cmocka_unit_test(fortran_order_and_byte_order_are_put_right),
        cmocka_unit_test(halves_of_complex_numbers_are_swapped_on_their_own),
        cmocka_unit_test(booleans_become_0_or_1),
        cmocka_unit_test(members_of_npz_have_the_names_that_numpy_shows),
        cmocka_unit_test(safetensors_are_read),
        cmocka_unit_test(an_npz_is_refused_whole_for_one_bad_member),
        cmocka_unit_test(members_that_numpy_would_show_under_one_name_are_refused),
        cmocka_unit_test(other_files_are_refused_by_how_they_begin),
        cmocka_unit_test(truncated_and_flipped_files_never_crash),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(an_honest_bomb_meets_the_memory_limit),
        cmocka_unit_test(a_stream_is_read_as_a_file_is),
        cmocka_unit_test(files_that_are_not_there_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
