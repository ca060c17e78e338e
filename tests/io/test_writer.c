/* Features out: every format and type back through arrays in, names, refusals; nothing left behind
 * by anything that goes wrong.
 */
#include "base/error.h"
#include "io/arrays.h"
#include "io/writer.h"
#include "support/fail_alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every test runs in an empty folder of its own. */
static int enter_folder(void **state)
{
    char *folder = strdup("/tmp/layertap-test-XXXXXX");
    *state = folder;
    return !folder || !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    int status = chdir("/") || system(command);
    free(*state);
    return status;
}

/* The names in a folder, each with a blank behind it, hidden ones too, sorted. */
static const char *listing(const char *path)
{
    static char text[1024];
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return text;
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static ltap_writer_member member(const char *name, ltap_dtype dtype, int rank, int64_t a, int64_t b)
{
    const int64_t dims[] = {a, b};
    return (ltap_writer_member){name, ltap_tensor_make(dtype, rank, dims, NULL)};
}

static uint8_t pattern(size_t at, ltap_dtype dtype)
{
    return dtype == LTAP_BOOL ? at % 2 : (uint8_t)(at * 37 + 11);
}

/* Writes the pattern into all members, in pieces of 5 bytes by turns. */
static ltap_status append_all(ltap_writer *writer, const ltap_writer_member *members, size_t n,
                              ltap_error *error)
{
    for (size_t at = 0, more = 1; more; at += 5) {
        more = 0;
        for (size_t i = 0; i < n; i++) {
            uint8_t piece[5];
            size_t bytes = ltap_tensor_bytes(&members[i].tensor);
            for (size_t k = 0; k < 5; k++)
                piece[k] = pattern(at + k, members[i].tensor.dtype);
            if (at < bytes)
                LTAP_TRY(
                    ltap_writer_append(writer, i, piece, bytes - at < 5 ? bytes - at : 5, error));
            more |= at < bytes;
        }
    }
    return LTAP_OK;
}

static ltap_status write_on(ltap_memory *memory, const char *path,
                            const ltap_writer_member *members, size_t n,
                            const ltap_writer_options *options, ltap_error *error)
{
    ltap_writer *writer = NULL;
    uint64_t bytes = 0, estimate = 0;
    ltap_status status;
    LTAP_GO(ltap_writer_open_on(memory, path, members, n, options, &writer, error));
    LTAP_GO(append_all(writer, members, n, error));
    LTAP_GO(ltap_writer_commit(writer, &bytes, error));
    assert_int_equal(ltap_writer_estimate(path, members, n, options, &estimate, error), LTAP_OK);
    assert_int_equal(bytes, estimate);
done:
    ltap_writer_close(writer);
    return status;
}

static ltap_status write_all(const char *path, const ltap_writer_member *members, size_t n,
                             const ltap_writer_options *options, ltap_error *error)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_status status = write_on(memory, path, members, n, options, error);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    return status;
}

static void expect_array(const ltap_array *array, const ltap_tensor *tensor)
{
    assert_non_null(array);
    assert_int_equal(array->tensor.dtype, tensor->dtype);
    assert_true(ltap_tensor_same_shape(&array->tensor, tensor));
    const uint8_t *data = array->tensor.data;
    for (size_t i = 0; i < ltap_tensor_bytes(tensor); i++)
        assert_int_equal(data[i], pattern(i, tensor->dtype));
}

static void expect_file(const char *path, const ltap_writer_member *members, size_t n)
{
    ltap_arrays *arrays;
    ltap_error error;
    if (ltap_arrays_open(path, &arrays, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ltap_arrays_count(arrays), n);
    for (size_t i = 0; i < n; i++) {
        const char *name = ltap_arrays_at(arrays, i)->name;
        if (name[0])
            assert_string_equal(name, members[i].name);
        expect_array(ltap_arrays_at(arrays, i), &members[i].tensor);
    }
    ltap_arrays_close(arrays);
}

static void every_type_and_shape_comes_back_from_every_format(void **state)
{
    static const char *const paths[] = {"x.npy", "x.npz", "x.safetensors", "x/"};
    static const int64_t shapes[][3] = {{0, 0, 0}, {1, 0, 0}, {1, 7, 0}, {2, 3, 5}, {2, 4, 0}};
    int n_written = 0;
    for (int dtype = 1; dtype < 30; dtype++)
        for (size_t p = 0; p < 4; p++)
            for (size_t s = 0; s < 5; s++) {
                const ltap_writer_options force = {.force = 1};
                ltap_writer_member m =
                    member("m", (ltap_dtype)dtype, (int)shapes[s][0], shapes[s][1], shapes[s][2]);
                ltap_error error = {0};
                ltap_status status = write_all(paths[p], &m, 1, &force, &error);
                if (status == LTAP_ERROR_UNSUPPORTED || dtype == LTAP_STRING || dtype > 24)
                    continue;
                if (status != LTAP_OK)
                    fail_msg("%d %s: %s", dtype, paths[p], error.message);
                expect_file(p == 3 ? "x/m.npy" : paths[p], &m, 1);
                n_written++;
            }
    /* npy, npz and folders: 14 types; safetensors: 19. */
    assert_int_equal(n_written, (3 * 14 + 19) * 5);
}

static void members_interleave_in_every_format(void **state)
{
    const ltap_writer_member members[] = {
        member("b", LTAP_UINT8, 1, 13, 0), member("a/x", LTAP_FLOAT32, 2, 3, 5),
        member("\xC3\xA9\xE5\xB1\xA4", LTAP_BOOL, 1, 3, 0), member("none", LTAP_INT64, 2, 0, 4),
        member("s", LTAP_FLOAT64, 0, 0, 0)};
    assert_int_equal(write_all("m.npz", members, 5, NULL, NULL), LTAP_OK);
    expect_file("m.npz", members, 5);
    assert_int_equal(write_all("m.safetensors", members, 5, NULL, NULL), LTAP_OK);
    expect_file("m.safetensors", members, 5);
    assert_int_equal(write_all("m/", members, 5, NULL, NULL), LTAP_OK);
    assert_string_equal(listing("m"), "a%2Fx.npy b.npy none.npy s.npy \xC3\xA9\xE5\xB1\xA4.npy ");
    expect_file("m/a%2Fx.npy", &members[1], 1);
    assert_string_equal(listing("."), "m m.npz m.safetensors ");
}

static void no_members_at_all_are_a_valid_file(void **state)
{
    assert_int_equal(write_all("m.npz", NULL, 0, NULL, NULL), LTAP_OK);
    expect_file("m.npz", NULL, 0);
    assert_int_equal(write_all("m.safetensors", NULL, 0, NULL, NULL), LTAP_OK);
    expect_file("m.safetensors", NULL, 0);
}

static void data_in_npz_is_aligned_for_mapping(void **state)
{
    const ltap_writer_member members[] = {member("b", LTAP_UINT8, 1, 13, 0),
                                          member("a", LTAP_FLOAT64, 1, 2, 0)};
    ltap_arrays *arrays;
    assert_int_equal(write_all("m.npz", members, 2, NULL, NULL), LTAP_OK);
    assert_int_equal(ltap_arrays_open("m.npz", &arrays, NULL), LTAP_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal((uintptr_t)ltap_arrays_at(arrays, i)->tensor.data % 64, 0);
    assert_int_equal(arrays->blocks.count, 0);
    ltap_arrays_close(arrays);
}

static void names_are_encoded_only_where_they_must_be(void **state)
{
    static const struct {
        const char *name, *key, *file;
    } rows[] = {
        {"layer1.0.relu#1", "layer1.0.relu#1.npy", "layer1.0.relu#1.npy"},
        {"a/b", "a/b.npy", "a%2Fb.npy"},
        {"/a/b", "%2Fa/b.npy", "%2Fa%2Fb.npy"},
        {"../up", "%2E%2E/up.npy", "%2E%2E%2Fup.npy"},
        {"a/../b...c", "a/%2E%2E/b%2E%2E.c.npy", "a%2F%2E%2E%2Fb%2E%2E.c.npy"},
        {"%41", "%2541.npy", "%2541.npy"},
        {"a\\b\n\x01\x7F", "a%5Cb%0A%01%7F.npy", "a%5Cb%0A%01%7F.npy"},
        {"\xE5\xB1\xA4:0 'x'=\"y\"", "\xE5\xB1\xA4:0 'x'=\"y\".npy",
         "\xE5\xB1\xA4:0 'x'=\"y\".npy"},
        {"", ".npy", ".npy"},
        {".", "..npy", "..npy"},
    };
    ltap_memory *memory;
    ltap_arena arena;
    const char *encoded;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = rows[i].name;
        assert_int_equal(ltap_writer_encode(&arena, name, false, ".npy", &encoded, NULL), LTAP_OK);
        assert_string_equal(encoded, rows[i].key);
        assert_int_equal(ltap_writer_encode(&arena, name, true, ".npy", &encoded, NULL), LTAP_OK);
        assert_string_equal(encoded, rows[i].file);
    }
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

typedef struct refusal {
    const char *path;
    ltap_writer_member members[2];
    size_t n_members;
    ltap_writer_options options;
    ltap_status status;
    const char *message;
} refusal;

#define MEMBER(name, dtype, rank, a, b)                                                            \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            dtype, rank, {a, b}, NULL                                                              \
        }                                                                                          \
    }

static const refusal refusals[] = {
    {"x.dat", {{0}}, 0, {0}, LTAP_ERROR_ARGUMENT, "x.dat: no format has this suffix"},
    {"npz", {{0}}, 0, {0}, LTAP_ERROR_ARGUMENT, "no format has this suffix"},
    {".", {{0}}, 0, {0}, LTAP_ERROR_ARGUMENT, "end its name with '/'"},
    {"x.npz", {{0}}, 0, {.format = "hdf5"}, LTAP_ERROR_ARGUMENT, "no output format 'hdf5'"},
    {"x.npy", {{0}}, 0, {0}, LTAP_ERROR_ARGUMENT, "holds one array, not 0"},
    {"x.npy",
     {MEMBER("a", LTAP_INT8, 0, 0, 0), MEMBER("b", LTAP_INT8, 0, 0, 0)},
     2,
     {0},
     LTAP_ERROR_ARGUMENT,
     "holds one array, not 2"},
    {"x.npz",
     {MEMBER("a", LTAP_INT8, 0, 0, 0), MEMBER("a", LTAP_INT8, 0, 0, 0)},
     2,
     {0},
     LTAP_ERROR_ARGUMENT,
     "two members are named 'a'"},
    {"x.npz",
     {MEMBER("a", LTAP_INT8, 0, 0, 0), MEMBER("a.npy", LTAP_INT8, 0, 0, 0)},
     2,
     {0},
     LTAP_ERROR_ARGUMENT,
     "the names 'a' and 'a.npy' cannot be told apart"},
    {"x.npz", {MEMBER("\xFF", LTAP_INT8, 0, 0, 0)}, 1, {0}, LTAP_ERROR_ARGUMENT, "not UTF-8"},
    {"x.npz", {{0}}, 1, {0}, LTAP_ERROR_ARGUMENT, "no name"},
    {"x.npz",
     {MEMBER("a", LTAP_INT8, 2, -1, 4)},
     1,
     {0},
     LTAP_ERROR_ARGUMENT,
     "'a': int8 of shape ?x4"},
    {"x.npz",
     {MEMBER("a", LTAP_BFLOAT16, 0, 0, 0)},
     1,
     {0},
     LTAP_ERROR_UNSUPPORTED,
     "'a': numpy has no type for bfloat16; write .safetensors"},
    {"x/", {MEMBER("a", LTAP_FLOAT8E5M2, 0, 0, 0)}, 1, {0}, LTAP_ERROR_UNSUPPORTED, "'a': "},
    {"x.safetensors",
     {MEMBER("a", LTAP_COMPLEX128, 0, 0, 0)},
     1,
     {0},
     LTAP_ERROR_UNSUPPORTED,
     "complex128"},
    {"-", {{0}}, 0, {.format = "folder"}, LTAP_ERROR_ARGUMENT, "standard output"},
    {"no/x.npz", {{0}}, 0, {0}, LTAP_ERROR_FILE, "no/x.npz"},
    {"no/x/", {{0}}, 0, {0}, LTAP_ERROR_FILE, "no/x/ cannot be made"},
    {"", {{0}}, 0, {.format = "folder"}, LTAP_ERROR_FILE, "empty"},
    {"./", {{0}}, 0, {0}, LTAP_ERROR_FILE, "current folder"},
};

static void what_cannot_be_written_is_refused_before_anything_is_made(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        ltap_error error = {0};
        ltap_status status = write_all(refusals[i].path, refusals[i].members, refusals[i].n_members,
                                       &refusals[i].options, &error);
        if (status != refusals[i].status || !strstr(error.message, refusals[i].message))
            fail_msg("%s: status %d, '%s'; expected '%s'", refusals[i].path, status, error.message,
                     refusals[i].message);
        assert_string_equal(listing("."), "");
    }
}

static void what_exists_is_replaced_only_by_force(void **state)
{
    static const char *const paths[] = {"x.npy", "x.npz", "x.safetensors"};
    const ltap_writer_member m = member("m", LTAP_INT8, 0, 0, 0);
    const ltap_writer_options force = {.force = 1};
    for (size_t i = 0; i < 3; i++) {
        ltap_error error;
        put_file(paths[i], "old");
        assert_int_equal(write_all(paths[i], &m, 1, NULL, &error), LTAP_ERROR_EXISTS);
        assert_non_null(strstr(error.message, paths[i]));
        assert_int_equal(write_all(paths[i], &m, 1, &force, &error), LTAP_OK);
        expect_file(paths[i], &m, 1);
    }
    assert_string_equal(listing("."), "x.npy x.npz x.safetensors ");
}

static void folders_are_replaced_by_force_where_they_hold_arrays_only(void **state)
{
    const ltap_writer_member old = member("old", LTAP_INT8, 0, 0, 0);
    const ltap_writer_member new = member("new", LTAP_INT8, 0, 0, 0);
    const ltap_writer_options force = {.force = 1};
    ltap_error error;
    assert_int_equal(mkdir("f", 0777), 0);
    assert_int_equal(write_all("f/", &old, 1, NULL, NULL), LTAP_OK); /* an empty one is no loss */
    assert_int_equal(write_all("f//", &new, 1, NULL, &error), LTAP_ERROR_EXISTS);
    assert_string_equal(listing("f"), "old.npy ");
    assert_int_equal(write_all("f/", &new, 1, &force, NULL), LTAP_OK);
    assert_string_equal(listing("f"), "new.npy ");
    put_file("f/diary.txt", "dear");
    assert_int_equal(write_all("f/", &old, 1, &force, &error), LTAP_ERROR_EXISTS);
    assert_non_null(strstr(error.message, "diary.txt"));
    assert_string_equal(listing("f"), "diary.txt new.npy ");
    put_file("g", "a file");
    assert_int_equal(write_all("g/", &old, 1, &force, &error), LTAP_ERROR_EXISTS);
    assert_string_equal(listing("."), "f g ");
}

static void a_folder_that_filled_up_meanwhile_is_not_lost(void **state)
{
    const ltap_writer_member m = member("m", LTAP_INT8, 0, 0, 0);
    const ltap_writer_options force = {.force = 1};
    for (int with_force = 0; with_force < 2; with_force++) {
        ltap_writer *writer;
        assert_int_equal(ltap_writer_open("f/", &m, 1, with_force ? &force : NULL, &writer, NULL),
                         LTAP_OK);
        assert_int_equal(ltap_writer_append(writer, 0, "x", 1, NULL), LTAP_OK);
        mkdir("f", 0777);
        put_file("f/diary.txt", "dear");
        assert_int_equal(ltap_writer_commit(writer, NULL, NULL), LTAP_ERROR_EXISTS);
        ltap_writer_close(writer);
        assert_string_equal(listing("f"), "diary.txt ");
        assert_string_equal(listing("."), "f ");
        unlink("f/diary.txt");
        rmdir("f");
    }
}

static void a_writer_that_is_not_committed_leaves_nothing(void **state)
{
    static const char *const paths[] = {"x.npy", "x.npz", "x.safetensors", "x/", "-"};
    const ltap_writer_member m = member("m", LTAP_INT16, 1, 4, 0);
    for (size_t i = 0; i < 5; i++) {
        ltap_writer *writer;
        ltap_error error;
        assert_int_equal(ltap_writer_open(paths[i], &m, 1, NULL, &writer, NULL), LTAP_OK);
        assert_int_equal(ltap_writer_append(writer, 0, "abcd", 4, NULL), LTAP_OK);
        assert_int_equal(ltap_writer_commit(writer, NULL, &error), LTAP_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "'m' has 4 of its 8 bytes"));
        assert_int_equal(ltap_writer_append(writer, 0, "abcde", 5, &error), LTAP_ERROR_ARGUMENT);
        assert_int_equal(ltap_writer_append(writer, 1, "a", 1, &error), LTAP_ERROR_ARGUMENT);
        ltap_writer_close(writer);
        assert_string_equal(listing("."), "");
    }
    ltap_writer_close(NULL);
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_is_told_and_leaves_nothing(void **state)
{
    static const char *const paths[] = {"x.npy", "x.npz", "x.safetensors", "x/"};
    const ltap_writer_member m = member("m", LTAP_UINT8, 1, 100000, 0);
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 50000;
    for (size_t i = 0; i < 4; i++) {
        ltap_error error;
        setrlimit(RLIMIT_FSIZE, &small);
        ltap_status status = write_all(paths[i], &m, 1, NULL, &error);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(status, LTAP_ERROR_FILE);
        assert_non_null(strstr(error.message, i == 3 ? "x/m.npy" : paths[i]));
        assert_string_equal(listing("."), "");
    }
}

/* Runs a write to "-" with standard output replaced. */
static ltap_status write_to(int descriptor, const char *format, const ltap_writer_member *m,
                            ltap_error *error)
{
    const ltap_writer_options options = {.format = format};
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    if (descriptor >= 0)
        dup2(descriptor, STDOUT_FILENO);
    else
        close(STDOUT_FILENO);
    ltap_status status = write_all("-", m, 1, &options, error);
    dup2(before, STDOUT_FILENO);
    close(before);
    return status;
}

static void standard_output_takes_every_format_of_one_file(void **state)
{
    static const char *const formats[] = {NULL, "npz", "npy", "safetensors"};
    const ltap_writer_member m = member("m", LTAP_UINT8, 1, 300000, 0);
    for (size_t i = 0; i < 4; i++) {
        int file = open("out", O_RDWR | O_CREAT | O_TRUNC, 0666);
        assert_int_equal(write_to(file, formats[i], &m, NULL), LTAP_OK);
        close(file);
        expect_file("out", &m, 1);
    }
}

static void a_standard_output_that_takes_nothing_is_an_error(void **state)
{
    const ltap_writer_member m = member("m", LTAP_UINT8, 1, 300000, 0);
    ltap_error error;
    int ends[2], full = open("/dev/full", O_WRONLY);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write_to(ends[1], NULL, &m, &error), LTAP_ERROR_FILE);
    assert_non_null(strstr(error.message, "standard output"));
    assert_int_equal(write_to(full, NULL, &m, &error), LTAP_ERROR_FILE);
    assert_int_equal(write_to(-1, NULL, &m, &error), LTAP_ERROR_FILE);
    close(ends[1]);
    close(full);
}

static void every_failing_allocation_is_survived(void **state)
{
    static const char *const paths[] = {"x.npy", "x.npz", "x.safetensors", "x/", "-"};
    const ltap_writer_member m = member("m/n", LTAP_INT16, 1, 40, 0);
    int sink = open("/dev/null", O_WRONLY);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    dup2(sink, STDOUT_FILENO);
    for (size_t i = 0; i < 5; i++)
        for (size_t n = 1;; n++) {
            fail_alloc heap;
            ltap_memory *memory = NULL;
            fail_alloc_init(&heap, n);
            ltap_status status = ltap_memory_new(&heap.allocator, 0, &memory, NULL);
            if (status == LTAP_OK)
                status = write_on(memory, paths[i], &m, 1, NULL, NULL);
            ltap_memory_unref(memory);
            fail_alloc_check(&heap);
            if (!fail_alloc_failed(&heap))
                break;
            assert_int_equal(status, LTAP_ERROR_MEMORY);
            assert_int_equal(strchr(listing("."), '~') || strstr(listing("."), "tmp"), 0);
            unlink(paths[i]);
        }
    dup2(before, STDOUT_FILENO);
    close(before);
    close(sink);
    assert_string_equal(listing("."), "x x.npy x.npz x.safetensors ");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_type_and_shape_comes_back_from_every_format),
        IN_FOLDER(members_interleave_in_every_format),
        IN_FOLDER(no_members_at_all_are_a_valid_file),
        IN_FOLDER(data_in_npz_is_aligned_for_mapping),
        cmocka_unit_test(names_are_encoded_only_where_they_must_be),
        IN_FOLDER(what_cannot_be_written_is_refused_before_anything_is_made),
        IN_FOLDER(what_exists_is_replaced_only_by_force),
        IN_FOLDER(folders_are_replaced_by_force_where_they_hold_arrays_only),
        IN_FOLDER(a_folder_that_filled_up_meanwhile_is_not_lost),
        IN_FOLDER(a_writer_that_is_not_committed_leaves_nothing),
        IN_FOLDER(a_full_disk_is_told_and_leaves_nothing),
        IN_FOLDER(standard_output_takes_every_format_of_one_file),
        IN_FOLDER(a_standard_output_that_takes_nothing_is_an_error),
        IN_FOLDER(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
