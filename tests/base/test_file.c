#include "base/error.h"
#include "base/file.h"
#include "support/fail_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, entered. */
static int enter_folder(void **state)
{
    static char folder[64];
    strcpy(folder, "/tmp/layertap-test-XXXXXX");
    *state = folder;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "chmod -R u+w '%s' && rm -r '%s'", (char *)*state,
             (char *)*state);
    return chdir("/") != 0 || system(command) != 0;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *text)
{
    char got[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, text);
}

static int count_entries(void)
{
    int count = 0;
    DIR *folder = opendir(".");
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

static ltap_memory *new_memory(void)
{
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(NULL, 1 << 20, &memory, NULL), LTAP_OK);
    return memory;
}

static void a_file_is_mapped_or_copied(void **state)
{
    ltap_memory *memory = new_memory();
    put("a.bin", "hello");
    for (int copy = 0; copy < 2; copy++) {
        ltap_file file;
        assert_int_equal(ltap_file_open("a.bin", copy, memory, &file, NULL), LTAP_OK);
        assert_int_equal(file.size, 5);
        assert_memory_equal(file.data, "hello", 5);
        assert_int_equal(ltap_memory_used(memory) > 0, copy);
        ltap_file_forget(&file, file.data, file.size);
        assert_memory_equal(file.data, "hello", 5);
        ltap_file_close(&file);
        ltap_file_close(&file);
    }
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

static void forgetting_never_changes_the_bytes(void **state)
{
    static char text[3 * 65536 + 1];
    ltap_memory *memory = new_memory();
    memset(text, 'x', sizeof text - 1);
    put("a.bin", text);
    for (int copy = 0; copy < 2; copy++) {
        ltap_file file;
        assert_int_equal(ltap_file_open("a.bin", copy, memory, &file, NULL), LTAP_OK);
        ltap_file_forget(&file, file.data, file.size);
        ltap_file_forget(&file, file.data + 100, file.size); /* reaches beyond: nothing is done */
        ltap_file_forget(&file, text, 65536);                /* somebody else's memory */
        for (size_t i = 0; i < file.size; i++)
            assert_int_equal(file.data[i], 'x');
        assert_int_equal(text[5], 'x');
        ltap_file_close(&file);
    }
    ltap_memory_unref(memory);
}

static void what_is_no_file_is_refused_in_words(void **state)
{
    static const struct {
        const char *path;
        ltap_status status;
        const char *message;
    } rows[] = {
        {"missing.onnx", LTAP_ERROR_FILE, "missing.onnx: no such file or directory"},
        {"", LTAP_ERROR_FILE, "the path is empty; name a file"},
        {"folder", LTAP_ERROR_FILE, "folder is a folder, not a file"},
        {"pipe", LTAP_ERROR_FILE,
         "pipe is a pipe, not a file; name the file itself, or read standard input with '-'"},
        {"/dev/null", LTAP_ERROR_FILE, "/dev/null is a device, not a file"},
        {"empty.onnx", LTAP_ERROR_FORMAT, "empty.onnx is empty (0 bytes)"},
        {"folder/a/b", LTAP_ERROR_FILE, "folder/a/b: no such file or directory"},
        {"empty.onnx/a", LTAP_ERROR_FILE, "empty.onnx/a: not a directory"},
    };
    ltap_memory *memory = new_memory();
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_int_equal(mkfifo("pipe", 0666), 0);
    put("empty.onnx", "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_error error;
        ltap_file file;
        assert_int_equal(ltap_file_open(rows[i].path, i % 2, memory, &file, &error),
                         rows[i].status);
        assert_string_equal(error.message, rows[i].message);
    }
    ltap_memory_unref(memory);
}

static void a_copy_respects_the_limit(void **state)
{
    ltap_memory *memory;
    ltap_error error;
    ltap_file file;
    put("a.bin", "0123456789012345678901234567890123456789");
    assert_int_equal(ltap_memory_new(NULL, 64, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_file_open("a.bin", true, memory, &file, &error), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

static void below_a_folder_only_plain_files_are_opened(void **state)
{
    static const struct {
        const char *relative;
        ltap_status status; /* LTAP_OK: opened */
        const char *message;
    } rows[] = {
        {"w.bin", LTAP_OK, NULL},
        {"sub/w.bin", LTAP_OK, NULL},
        {"./sub//w.bin", LTAP_OK, NULL},
        {"..w", LTAP_OK, NULL},
        {"../secret", LTAP_ERROR_FORMAT,
         "'../secret' has a '..' in it; only files below 'model' may be read"},
        {"sub/../w.bin", LTAP_ERROR_FORMAT,
         "'sub/../w.bin' has a '..' in it; only files below 'model' may be read"},
        {"/etc/passwd", LTAP_ERROR_FORMAT,
         "'/etc/passwd' is an absolute path; only files below 'model' may be read"},
        {"", LTAP_ERROR_FORMAT, "'' names no file"},
        {"sub/", LTAP_ERROR_FORMAT, "'sub/' names no file"},
        {"link", LTAP_ERROR_FILE,
         "'link' in 'model': it is a link, which is not followed here; put the file itself in its "
         "place"},
        {"linked/w.bin", LTAP_ERROR_FILE,
         "'linked/w.bin' in 'model': it is a link, which is not followed here; put the file itself "
         "in its place"},
        {"sub", LTAP_ERROR_FILE, "sub is a folder, not a file"},
        {"pipe", LTAP_ERROR_FILE,
         "pipe is a pipe, not a file; name the file itself, or read standard input with '-'"},
        {"none.bin", LTAP_ERROR_FILE,
         "'none.bin' in 'model': 'none.bin': no such file or directory"},
        {"w.bin/x", LTAP_ERROR_FILE, "'w.bin/x' in 'model': 'w.bin': not a directory"},
    };
    ltap_memory *memory = new_memory();
    put("secret", "secret");
    mkdir("model", 0777);
    mkdir("model/sub", 0777);
    mkfifo("model/pipe", 0666);
    put("model/w.bin", "weight");
    put("model/..w", "weight");
    put("model/sub/w.bin", "weight");
    assert_int_equal(symlink("../secret", "model/link"), 0);
    assert_int_equal(symlink("sub", "model/linked"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_error error = {.message = ""};
        ltap_file file;
        assert_int_equal(
            ltap_file_open_beneath("model", rows[i].relative, i % 2, memory, &file, &error),
            rows[i].status);
        if (rows[i].status != LTAP_OK) {
            assert_string_equal(error.message, rows[i].message);
            continue;
        }
        assert_int_equal(file.size, 6);
        assert_memory_equal(file.data, "weight", 6);
        ltap_file_close(&file);
    }
    ltap_memory_unref(memory);
}

static void below_an_empty_base_is_the_working_folder(void **state)
{
    ltap_memory *memory = new_memory();
    ltap_file file;
    put("empty.bin", "");
    assert_int_equal(ltap_file_open_beneath("", "empty.bin", false, memory, &file, NULL), LTAP_OK);
    assert_int_equal(file.size, 0);
    assert_null(file.data);
    ltap_file_close(&file);
    ltap_memory_unref(memory);
}

static void a_part_that_is_too_long_is_an_error(void **state)
{
    char relative[400];
    ltap_memory *memory = new_memory();
    ltap_file file;
    memset(relative, 'a', sizeof relative - 1);
    relative[sizeof relative - 1] = '\0';
    assert_int_equal(ltap_file_open_beneath(".", relative, false, memory, &file, NULL),
                     LTAP_ERROR_FILE);
    ltap_memory_unref(memory);
}

typedef struct feeder {
    int descriptor;
    size_t bytes;
} feeder;

static void *feed(void *argument)
{
    const feeder *self = argument;
    for (size_t i = 0; i < self->bytes; i++) {
        char byte = (char)(i % 251);
        if (write(self->descriptor, &byte, 1) != 1)
            break;
    }
    close(self->descriptor);
    return NULL;
}

static void a_stream_is_read_to_its_end_or_its_limit(void **state)
{
    static const struct {
        size_t bytes;
        uint64_t limit;
        ltap_status status;
    } rows[] = {{0, 100, LTAP_OK},
                {1, 1, LTAP_OK},
                {70000, 70000, LTAP_OK},
                {200000, 1000000, LTAP_OK},
                {101, 100, LTAP_ERROR_MEMORY}};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_memory *memory = new_memory();
        ltap_file file;
        pthread_t thread;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        feeder self = {ends[1], rows[i].bytes};
        assert_int_equal(pthread_create(&thread, NULL, feed, &self), 0);
        assert_int_equal(
            ltap_file_read_stream(ends[0], "standard input", rows[i].limit, memory, &file, NULL),
            rows[i].status);
        close(ends[0]);
        pthread_join(thread, NULL);
        if (rows[i].status == LTAP_OK) {
            assert_int_equal(file.size, rows[i].bytes);
            for (size_t k = 0; k < file.size; k++)
                assert_int_equal(file.data[k], k % 251);
            ltap_file_close(&file);
        }
        assert_int_equal(ltap_memory_used(memory), 0);
        ltap_memory_unref(memory);
    }
}

static void an_output_is_seen_only_after_commit(void **state)
{
    ltap_outfile file;
    assert_int_equal(ltap_outfile_open("out.npz", false, &file, NULL), LTAP_OK);
    assert_int_equal(ltap_outfile_write(&file, 3, "lo", 2, NULL), LTAP_OK);
    assert_int_equal(ltap_outfile_write(&file, 0, "hel", 3, NULL), LTAP_OK);
    assert_int_equal(access("out.npz", F_OK), -1);
    assert_int_equal(ltap_outfile_commit(&file, NULL), LTAP_OK);
    ltap_outfile_close(&file);
    assert_holds("out.npz", "hello");
    assert_int_equal(count_entries(), 1);
}

static void without_a_commit_nothing_is_left(void **state)
{
    ltap_outfile file;
    assert_int_equal(ltap_outfile_open("out.npz", false, &file, NULL), LTAP_OK);
    assert_int_equal(ltap_outfile_write(&file, 0, "x", 1, NULL), LTAP_OK);
    ltap_outfile_close(&file);
    ltap_outfile_close(&file);
    assert_int_equal(count_entries(), 0);
}

static void what_exists_is_replaced_only_by_force(void **state)
{
    ltap_outfile file;
    ltap_error error;
    put("out.npz", "old");
    assert_int_equal(ltap_outfile_open("out.npz", false, &file, &error), LTAP_ERROR_EXISTS);
    ltap_outfile_close(&file);
    assert_int_equal(ltap_outfile_open("out.npz", true, &file, &error), LTAP_OK);
    assert_int_equal(ltap_outfile_write(&file, 0, "new", 3, NULL), LTAP_OK);
    assert_holds("out.npz", "old");
    assert_int_equal(ltap_outfile_commit(&file, NULL), LTAP_OK);
    ltap_outfile_close(&file);
    assert_holds("out.npz", "new");
    assert_int_equal(count_entries(), 1);
}

static void what_appears_meanwhile_is_not_replaced(void **state)
{
    ltap_outfile file;
    ltap_error error;
    assert_int_equal(ltap_outfile_open("out.npz", false, &file, &error), LTAP_OK);
    put("out.npz", "theirs");
    assert_int_equal(ltap_outfile_commit(&file, &error), LTAP_ERROR_EXISTS);
    ltap_outfile_close(&file);
    assert_holds("out.npz", "theirs");
    assert_int_equal(count_entries(), 1);
}

static void force_follows_a_link_and_spares_what_is_no_file(void **state)
{
    ltap_outfile file;
    ltap_error error;
    put("real.npz", "old");
    mkdir("folder", 0777);
    assert_int_equal(symlink("real.npz", "out.npz"), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_int_equal(ltap_outfile_open("out.npz", true, &file, &error), LTAP_OK);
    assert_int_equal(ltap_outfile_write(&file, 0, "new", 3, NULL), LTAP_OK);
    assert_int_equal(ltap_outfile_commit(&file, NULL), LTAP_OK);
    ltap_outfile_close(&file);
    assert_holds("real.npz", "new");
    assert_int_equal(ltap_outfile_open("folder", true, &file, &error), LTAP_ERROR_FILE);
    assert_string_equal(error.message, "folder is a folder; name a file, or end the name with '/'");
    assert_int_equal(ltap_outfile_open("pipe", true, &file, &error), LTAP_ERROR_FILE);
    assert_int_equal(ltap_outfile_open("dangling", true, &file, &error), LTAP_ERROR_FILE);
    assert_int_equal(ltap_outfile_open("/dev/null", true, &file, &error), LTAP_ERROR_FILE);
}

static void an_unwritable_place_is_an_error_with_the_path(void **state)
{
    static const struct {
        const char *path, *message;
    } rows[] = {
        {"none/out.npz", "none/out.npz cannot be written: no such file or directory"},
        {"plain/out.npz", "plain/out.npz cannot be written: not a directory"},
        {"", "'' names no file to write"},
        {"folder/", "'folder/' names no file to write"},
    };
    put("plain", "x");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_outfile file;
        ltap_error error;
        assert_int_equal(ltap_outfile_open(rows[i].path, true, &file, &error), LTAP_ERROR_FILE);
        assert_string_equal(error.message, rows[i].message);
        ltap_outfile_close(&file);
    }
}

static void a_read_only_folder_is_refused(void **state)
{
    ltap_outfile file;
    ltap_error error;
    bool root = geteuid() == 0;
    mkdir("folder", 0555);
    assert_int_equal(chmod(".", 0755), 0);
    if (root) /* who may write everywhere */
        assert_int_equal(seteuid(65534), 0);
    ltap_status status = ltap_outfile_open("folder/out.npz", false, &file, &error);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, LTAP_ERROR_FILE);
    assert_string_equal(error.message, "folder/out.npz cannot be written: permission denied");
}

static void running_out_of_room_is_an_error_and_leaves_nothing(void **state)
{
    struct rlimit before, small;
    ltap_outfile file;
    ltap_error error = {.message = ""};
    static char data[8192];
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    assert_int_equal(ltap_outfile_open("out.npz", false, &file, &error), LTAP_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ltap_status status = ltap_outfile_write(&file, 0, data, sizeof data, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, LTAP_ERROR_FILE);
    assert_string_equal(error.message, "out.npz: writing stopped at byte 4096: file too large");
    ltap_outfile_close(&file);
    assert_int_equal(count_entries(), 0);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_mapped_or_copied),
        IN_FOLDER(forgetting_never_changes_the_bytes),
        IN_FOLDER(what_is_no_file_is_refused_in_words),
        IN_FOLDER(a_copy_respects_the_limit),
        IN_FOLDER(below_a_folder_only_plain_files_are_opened),
        IN_FOLDER(below_an_empty_base_is_the_working_folder),
        IN_FOLDER(a_part_that_is_too_long_is_an_error),
        IN_FOLDER(a_stream_is_read_to_its_end_or_its_limit),
        IN_FOLDER(an_output_is_seen_only_after_commit),
        IN_FOLDER(without_a_commit_nothing_is_left),
        IN_FOLDER(what_exists_is_replaced_only_by_force),
        IN_FOLDER(what_appears_meanwhile_is_not_replaced),
        IN_FOLDER(force_follows_a_link_and_spares_what_is_no_file),
        IN_FOLDER(an_unwritable_place_is_an_error_with_the_path),
        IN_FOLDER(a_read_only_folder_is_refused),
        IN_FOLDER(running_out_of_room_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
