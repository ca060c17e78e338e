/* The zip reader against archives built by hand and broken field by field, and the writer's
 * headers, beyond 4 GiB by their numbers alone.
 */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/zip.h"
#include "codec/zip_build.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char hello[] = "hello hello hello hello hello";

static const zip_part two_parts[] = {{.name = "a", .data = hello, .bytes = 29},
                                     {.name = "b/c", .data = hello, .bytes = 29, .deflate = true}};

/* Opens and reads every entry. */
static ltap_status read_all(const uint8_t *bytes, size_t size, ltap_memory *memory,
                            ltap_error *error)
{
    ltap_arena arena;
    ltap_zip zip;
    ltap_status status;
    void *block;
    ltap_arena_init(&arena, memory);
    LTAP_GO(ltap_zip_open(bytes, size, &arena, &zip, error));
    for (size_t i = 0; i < zip.n_entries; i++) {
        if (!zip.entries[i].deflated) {
            LTAP_GO(ltap_zip_check(&zip, &zip.entries[i], error));
            continue;
        }
        LTAP_GO(ltap_zip_inflate(&zip, &zip.entries[i], memory, &block, error));
        ltap_memory_release(memory, block);
    }
done:
    ltap_arena_clear(&arena);
    return status;
}

static ltap_status read_plain(const uint8_t *bytes, size_t size, ltap_error *error)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, error), LTAP_OK);
    /* A copy of the exact size, so that a sanitizer sees every byte too far. */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    ltap_status status = read_all(copy, size, memory, error);
    free(copy);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    return status;
}

static void archives_of_every_kind_are_read(void **state)
{
    static const zip_part parts[] = {
        {.name = "stored", .data = hello, .bytes = 29},
        {.name = "deflated", .data = hello, .bytes = 29, .deflate = true},
        {.name = "follow", .data = hello, .bytes = 29, .sizes_follow = true},
        {.name = "both", .data = hello, .bytes = 29, .deflate = true, .sizes_follow = true},
        {.name = "empty", .data = ""},
        {.name = "empty deflated", .data = "", .deflate = true},
        {.name = "w\xC3\xA4ide", .data = hello, .bytes = 29, .zip64 = true},
    };
    zip_built zip;
    ltap_error error;
    for (size_t n = 0; n <= 7; n++) {
        zip_build(&zip, parts, n);
        assert_int_equal(read_plain(zip.bytes, zip.size, &error), LTAP_OK);
        assert_true(ltap_zip_probe(zip.bytes, zip.size));
    }
}

static void contents_and_places_are_right(void **state)
{
    zip_built built;
    ltap_zip zip;
    ltap_arena arena;
    ltap_memory *memory;
    void *block;
    zip_build(&built, two_parts, 2);
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    assert_int_equal(ltap_zip_open(built.bytes, built.size, &arena, &zip, NULL), LTAP_OK);
    assert_int_equal(zip.n_entries, 2);
    assert_string_equal(zip.entries[1].name, "b/c");
    assert_int_equal(zip.entries[0].data_offset, built.data[0]);
    assert_int_equal(zip.entries[1].bytes, 29);
    assert_int_equal(ltap_zip_inflate(&zip, &zip.entries[1], memory, &block, NULL), LTAP_OK);
    assert_memory_equal(block, hello, 29);
    ltap_memory_release(memory, block);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

enum place { LOCAL, CENTRAL, DATA, END };

/* Puts `value` over `bytes` bytes at `at` behind a landmark of entry `entry`. */
typedef struct breakage {
    const char *what;
    enum place place;
    int entry, at, bytes;
    uint32_t value;
    ltap_status status;
    enum place told;
    int told_at; /* expected offset, behind the same entry's landmark */
} breakage;

static const breakage breakages[] = {
    {"a local signature", LOCAL, 0, 0, 1, 'X', LTAP_ERROR_FORMAT, CENTRAL, 42},
    {"encrypted locally", LOCAL, 0, 6, 2, 1, LTAP_ERROR_UNSUPPORTED, LOCAL, 6},
    {"another local method", LOCAL, 0, 8, 2, 8, LTAP_ERROR_FORMAT, LOCAL, 8},
    {"another local CRC", LOCAL, 0, 14, 4, 1, LTAP_ERROR_FORMAT, LOCAL, 14},
    {"another local packed size", LOCAL, 0, 18, 4, 28, LTAP_ERROR_FORMAT, LOCAL, 14},
    {"another local size", LOCAL, 0, 22, 4, 28, LTAP_ERROR_FORMAT, LOCAL, 14},
    {"a saturated local size", LOCAL, 0, 22, 4, 0xFFFFFFFF, LTAP_ERROR_FORMAT, LOCAL, 31},
    {"another local name", LOCAL, 0, 30, 1, 'x', LTAP_ERROR_FORMAT, LOCAL, 30},
    {"a longer local name", LOCAL, 1, 26, 2, 4, LTAP_ERROR_FORMAT, LOCAL, 0},
    {"data beyond the entries", LOCAL, 1, 28, 2, 60000, LTAP_ERROR_FORMAT, LOCAL, 0},
    {"a central signature", CENTRAL, 0, 0, 1, 'X', LTAP_ERROR_FORMAT, CENTRAL, 0},
    {"encrypted", CENTRAL, 0, 8, 2, 1, LTAP_ERROR_UNSUPPORTED, CENTRAL, 8},
    {"strongly encrypted", CENTRAL, 0, 8, 2, 0x2000, LTAP_ERROR_UNSUPPORTED, CENTRAL, 8},
    {"bzip2", CENTRAL, 0, 10, 2, 12, LTAP_ERROR_UNSUPPORTED, CENTRAL, 8},
    {"another CRC", CENTRAL, 0, 16, 4, 1, LTAP_ERROR_FORMAT, LOCAL, 14},
    {"a stored entry of two sizes", CENTRAL, 0, 20, 4, 28, LTAP_ERROR_FORMAT, CENTRAL, 20},
    {"a bomb", CENTRAL, 1, 24, 4, 0x7FFFFFFF, LTAP_ERROR_FORMAT, CENTRAL, 24},
    {"no name", CENTRAL, 0, 28, 2, 0, LTAP_ERROR_FORMAT, CENTRAL, 46},
    {"a name beyond the directory", CENTRAL, 1, 28, 2, 9999, LTAP_ERROR_FORMAT, CENTRAL, 28},
    {"a name with a NUL", CENTRAL, 0, 46, 1, 0, LTAP_ERROR_FORMAT, CENTRAL, 46},
    {"a name that is not UTF-8", CENTRAL, 0, 46, 1, 0xFF, LTAP_ERROR_FORMAT, CENTRAL, 46},
    {"a disk number", CENTRAL, 0, 34, 2, 1, LTAP_ERROR_UNSUPPORTED, CENTRAL, 34},
    {"a header that is not there", CENTRAL, 0, 42, 4, 99999, LTAP_ERROR_FORMAT, CENTRAL, 42},
    {"damaged stored data", DATA, 0, 0, 1, 'X', LTAP_ERROR_FORMAT, DATA, 0},
    {"damaged deflated data", DATA, 1, 0, 1, 0xFF, LTAP_ERROR_FORMAT, DATA, 0},
    {"an end signature", END, 0, 0, 1, 'X', LTAP_ERROR_FORMAT, END, 22},
    {"a disk", END, 0, 4, 2, 1, LTAP_ERROR_UNSUPPORTED, END, 0},
    {"entries on another disk", END, 0, 8, 2, 1, LTAP_ERROR_UNSUPPORTED, END, 0},
    {"too many entries", END, 0, 8, 4, 0x00090009, LTAP_ERROR_FORMAT, END, 10},
    {"too few entries", END, 0, 8, 4, 0x00010001, LTAP_ERROR_FORMAT, CENTRAL, -1},
    {"a short directory", END, 0, 12, 4, 10, LTAP_ERROR_FORMAT, END, 12},
    {"a directory elsewhere", END, 0, 16, 4, 0, LTAP_ERROR_FORMAT, END, 12},
    {"a comment that is not there", END, 0, 20, 2, 5, LTAP_ERROR_FORMAT, END, 20},
};

static size_t landmark(const zip_built *zip, enum place place, int entry)
{
    return place == LOCAL     ? zip->local[entry]
           : place == CENTRAL ? zip->central[entry]
           : place == DATA    ? zip->data[entry]
                              : zip->end;
}

static void every_lie_is_told_with_its_place(void **state)
{
    zip_built zip;
    for (size_t i = 0; i < sizeof breakages / sizeof breakages[0]; i++) {
        const breakage *b = &breakages[i];
        ltap_error error = {0};
        zip_build(&zip, two_parts, 2);
        size_t at = landmark(&zip, b->place, b->entry) + (size_t)b->at;
        for (int k = 0; k < b->bytes; k++)
            zip.bytes[at + (size_t)k] = (uint8_t)(b->value >> 8 * k);
        ltap_status status = read_plain(zip.bytes, zip.size, &error);
        size_t told = b->told_at < 0 ? zip.central[1]
                                     : landmark(&zip, b->told, b->entry) + (size_t)b->told_at;
        if (status != b->status || error.offset != told)
            fail_msg("%s: status %d, byte %llu, expected %d, %zu: %s", b->what, status,
                     (unsigned long long)error.offset, b->status, told, error.message);
    }
}

static void two_entries_of_one_name_or_one_place_are_refused(void **state)
{
    static const zip_part same[] = {{.name = "a", .data = hello, .bytes = 29},
                                    {.name = "a", .data = hello, .bytes = 29}};
    zip_built zip;
    ltap_error error;
    zip_build(&zip, same, 2);
    assert_int_equal(read_plain(zip.bytes, zip.size, &error), LTAP_ERROR_FORMAT);
    assert_int_equal(error.offset, zip.central[1]);
    assert_non_null(strstr(error.message, "named 'a'"));
    zip.bytes[zip.central[1] + 42] = 0; /* both entries at the first local header */
    assert_int_equal(read_plain(zip.bytes, zip.size, &error), LTAP_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "overlaps"));
}

static void every_truncation_is_an_error(void **state)
{
    zip_built zip;
    zip_build(&zip, two_parts, 2);
    for (size_t size = 0; size < zip.size; size++)
        assert_int_equal(read_plain(zip.bytes, size, NULL), LTAP_ERROR_FORMAT);
}

static void flipped_bytes_never_crash(void **state)
{
    static const zip_part parts[] = {
        {.name = "a", .data = hello, .bytes = 29, .zip64 = true},
        {.name = "b", .data = hello, .bytes = 29, .deflate = true, .sizes_follow = true}};
    zip_built zip;
    zip_build(&zip, parts, 2);
    for (size_t i = 0; i < zip.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            zip.bytes[i] ^= (uint8_t)(1 << bit);
            (void)!read_plain(zip.bytes, zip.size, NULL);
            zip.bytes[i] ^= (uint8_t)(1 << bit);
        }
    assert_int_equal(read_plain(zip.bytes, zip.size, NULL), LTAP_OK);
}

static void every_failing_allocation_is_survived(void **state)
{
    zip_built zip;
    zip_build(&zip, two_parts, 2);
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        ltap_memory *memory = NULL;
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
        if (status == LTAP_OK)
            status = read_all(zip.bytes, zip.size, memory, NULL);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap)) {
            assert_int_equal(status, LTAP_OK);
            break;
        }
        assert_int_equal(status, LTAP_ERROR_MEMORY);
    }
}

static void names_that_lead_elsewhere_are_no_paths(void **state)
{
    static const char *const bad[] = {"",       "/a",   "..",   "../a", "a/..",
                                      "a/../b", "a\\b", "c:/a", "a/.."};
    static const char *const good[] = {"a", "a/b", "..a/b..", "...", "a/", "a//b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ltap_zip_name_is_path(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(ltap_zip_name_is_path(good[i]));
}

static void a_crc_of_any_length_and_place_is_zlibs(void **state)
{
    uint8_t bytes[400];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i * 31 + 7);
    for (size_t start = 0; start < 17; start++)
        for (size_t n = 0; start + n <= sizeof bytes; n++) {
            uint32_t before = (uint32_t)(start * 2654435761u);
            uint32_t expected = (uint32_t)crc32(before, bytes + start, (uInt)n);
            assert_int_equal(ltap_zip_crc(before, bytes + start, n), expected);
        }
}

/* What the writer makes, as an archive in memory. */
static void written_archives_are_read_and_aligned(void **state)
{
    static const char *const names[] = {"a.npy", "\xC3\xA4.npy", "",
                                        "long/long/long/long/long.npy"};
    uint8_t bytes[8192] = {0};
    for (size_t n = 0; n <= 2; n++) {
        ltap_zip_member members[4] = {{0}};
        uint64_t end = 0;
        for (size_t i = 0; i < n; i++) {
            const char *name = names[i == 1 ? 3 : i];
            members[i] = (ltap_zip_member){.name = name, .name_bytes = strlen(name), .bytes = 29};
            members[i].crc = (uint32_t)crc32(0, (const Bytef *)hello, 29);
            assert_int_equal(ltap_zip_place(&members[i], &end, NULL), LTAP_OK);
            assert_int_equal(members[i].data_offset % 64, 0);
            ltap_zip_local_header(&members[i], bytes + members[i].header_offset);
            memcpy(bytes + members[i].data_offset, hello, 29);
        }
        ltap_zip_directory(members, n, end, bytes + end);
        size_t size = end + ltap_zip_directory_bytes(members, n, end);
        assert_int_equal(read_plain(bytes, size, NULL), LTAP_OK);
    }
}

static void every_length_of_name_is_padded_to_64(void **state)
{
    char name[300];
    memset(name, 'n', sizeof name);
    for (size_t n = 1; n <= sizeof name; n++) {
        uint8_t bytes[2048] = {0};
        uint64_t end = 0;
        ltap_zip_member member = {.name = name, .name_bytes = n};
        assert_int_equal(ltap_zip_place(&member, &end, NULL), LTAP_OK);
        assert_int_equal(member.data_offset % 64, 0);
        ltap_zip_local_header(&member, bytes);
        ltap_zip_directory(&member, 1, end, bytes + end);
        size_t size = end + ltap_zip_directory_bytes(&member, 1, end);
        assert_int_equal(read_plain(bytes, size, NULL), LTAP_OK);
    }
}

static void sizes_beyond_4_gib_go_to_zip64_fields(void **state)
{
    ltap_zip_member members[] = {{.name = "a", .name_bytes = 1, .bytes = 5000000000},
                                 {.name = "b", .name_bytes = 1, .bytes = 7},
                                 {.name = "c", .name_bytes = 1, .bytes = 0xFFFFFFFF}};
    uint8_t local[256], directory[512];
    uint64_t end = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ltap_zip_place(&members[i], &end, NULL), LTAP_OK);
    assert_true(members[1].header_offset == members[0].data_offset + 5000000000);
    ltap_zip_local_header(&members[0], local);
    assert_int_equal(ltap_load_u32(local + 18), 0xFFFFFFFF);
    assert_int_equal(ltap_load_u16(local + 31), 1);
    assert_true(ltap_load_u64(local + 35) == 5000000000);
    ltap_zip_local_header(&members[1], local);
    assert_int_equal(ltap_load_u32(local + 18), 7);
    assert_int_equal(ltap_load_u16(local + 31), 0xD935);
    uint64_t bytes = ltap_zip_directory_bytes(members, 3, end);
    assert_int_equal(bytes, 3 * 47 + 20 + 12 + 28 + 56 + 20 + 22);
    ltap_zip_directory(members, 3, end, directory);
    const uint8_t *b = directory + 47 + 20;
    assert_int_equal(ltap_load_u32(b + 24), 7);
    assert_int_equal(ltap_load_u32(b + 42), 0xFFFFFFFF);
    assert_true(ltap_load_u64(b + 47 + 4) == members[1].header_offset);
    const uint8_t *end64 = directory + bytes - 98;
    assert_int_equal(ltap_load_u32(end64), 0x06064b50);
    assert_true(ltap_load_u64(end64 + 48) == end);
    assert_true(ltap_load_u64(end64 + 56 + 8) == end + bytes - 98);
    assert_int_equal(ltap_load_u32(directory + bytes - 6), 0xFFFFFFFF);
}

static void members_beyond_2_to_63_and_names_beyond_65535_are_refused(void **state)
{
    uint64_t end = 0;
    ltap_zip_member member = {.name = "a", .name_bytes = 1, .bytes = INT64_MAX};
    assert_int_equal(ltap_zip_place(&member, &end, NULL), LTAP_ERROR_ARGUMENT);
    end = UINT64_MAX - 3;
    member.bytes = 1;
    assert_int_equal(ltap_zip_place(&member, &end, NULL), LTAP_ERROR_ARGUMENT);
    end = 0;
    member.name_bytes = 65536;
    assert_int_equal(ltap_zip_place(&member, &end, NULL), LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_of_every_kind_are_read),
        cmocka_unit_test(contents_and_places_are_right),
        cmocka_unit_test(every_lie_is_told_with_its_place),
        cmocka_unit_test(two_entries_of_one_name_or_one_place_are_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(names_that_lead_elsewhere_are_no_paths),
        cmocka_unit_test(a_crc_of_any_length_and_place_is_zlibs),
        cmocka_unit_test(written_archives_are_read_and_aligned),
        cmocka_unit_test(every_length_of_name_is_padded_to_64),
        cmocka_unit_test(sizes_beyond_4_gib_go_to_zip64_fields),
        cmocka_unit_test(members_beyond_2_to_63_and_names_beyond_65535_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
