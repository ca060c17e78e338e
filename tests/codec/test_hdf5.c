/* HDF5: what h5py writes by default is read in place; what is not read is refused by name, and lies
 * by the byte. The files come from make_hdf5.py.
 */
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/hdf5.h"
#include "support/fail_alloc.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct fixture {
    ltap_memory *memory;
    ltap_arena arena;
    uint8_t *bytes;
    size_t size;
    ltap_hdf5 *file;
} fixture;

/* A copy of exactly the file's size, so that sanitizers see the first byte beyond. */
static void load(fixture *f, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", DATA_DIR, folder, name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    f->size = (size_t)ftell(in);
    rewind(in);
    f->bytes = malloc(f->size);
    assert_non_null(f->bytes);
    assert_int_equal(fread(f->bytes, 1, f->size, in), f->size);
    fclose(in);
}

static void setup(fixture *f, const char *name)
{
    ltap_error error = {.message = ""};
    load(f, "hdf5", name);
    assert_int_equal(ltap_memory_new(NULL, 0, &f->memory, NULL), LTAP_OK);
    ltap_arena_init(&f->arena, f->memory);
    if (ltap_hdf5_open(f->memory, f->bytes, f->size, 0, &f->file, &error) != LTAP_OK)
        fail_msg("%s: %s", name, error.message);
}

static void teardown(fixture *f)
{
    ltap_hdf5_close(f->file);
    ltap_arena_clear(&f->arena);
    ltap_memory_unref(f->memory);
    free(f->bytes);
}

static const ltap_hdf5_object *find(const fixture *f, const char *path)
{
    const ltap_hdf5_object *object = ltap_hdf5_find(f->file, NULL, path);
    if (object == NULL)
        fail_msg("no object '%s'", path);
    return object;
}

static void objects_are_found_by_path(void **state)
{
    (void)state;
    static const char *const absent[] = {"no",  "model_weight", "model_weightss", "types/",
                                         "/",   "types/boo",    "types/booll",    "types/bool/x",
                                         "//a", "types//bool"};
    fixture f;
    setup(&f, "good.h5");
    const ltap_hdf5_object *conv = find(&f, "model_weights/conv");
    assert_true(ltap_hdf5_is_group(conv));
    assert_false(ltap_hdf5_is_group(find(&f, "model_weights/conv/conv/kernel:0")));
    assert_ptr_equal(ltap_hdf5_find(f.file, conv, "conv/kernel:0"),
                     find(&f, "model_weights/conv/conv/kernel:0"));
    assert_ptr_equal(ltap_hdf5_find(f.file, conv, ""), conv);
    assert_string_equal(ltap_hdf5_name(find(&f, "")), "");
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (ltap_hdf5_find(f.file, NULL, absent[i]) != NULL)
            fail_msg("'%s' is there", absent[i]);
    teardown(&f);
}

static void children_come_in_the_order_of_their_names(void **state)
{
    (void)state;
    fixture f;
    char name[8];
    setup(&f, "many.h5");
    const ltap_hdf5_object *many = find(&f, "many");
    assert_int_equal(ltap_hdf5_count(many), 300);
    for (size_t i = 1; i < 300; i++)
        assert_true(strcmp(ltap_hdf5_name(ltap_hdf5_child(many, i - 1)),
                           ltap_hdf5_name(ltap_hdf5_child(many, i))) < 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_non_null(ltap_hdf5_find(f.file, many, name));
    }
    assert_int_equal(ltap_hdf5_count(find(&f, "many/g7")), 0);
    teardown(&f);
}

static void every_type_is_read_in_place(void **state)
{
    (void)state;
    static const char *const names[] = {"int8",    "uint8",   "int16",   "uint16",
                                        "int32",   "uint32",  "int64",   "uint64",
                                        "float16", "float32", "float64", "bool"};
    fixture f;
    ltap_hdf5_data data;
    setup(&f, "good.h5");
    const ltap_hdf5_object *types = find(&f, "types");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t aligned[3 * 8];
        const ltap_hdf5_object *object = ltap_hdf5_find(f.file, types, names[i]);
        assert_non_null(object);
        assert_int_equal(ltap_hdf5_dataset(f.file, object, &data, NULL), LTAP_OK);
        assert_string_equal(ltap_dtype_name(data.tensor.dtype), names[i]);
        assert_int_equal(data.tensor.rank, 1);
        assert_int_equal(data.tensor.dims[0], 3);
        assert_int_equal(data.bytes, ltap_tensor_bytes(&data.tensor));
        assert_true(data.bytes <= f.size && data.offset <= f.size - data.bytes);
        memcpy(aligned, f.bytes + data.offset, data.bytes);
        data.tensor.data = aligned;
        for (uint64_t k = 0; k < 3; k++)
            assert_true(ltap_tensor_double(&data.tensor, k) == (k > 0));
    }
    teardown(&f);
}

static void shapes_and_odd_places_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
        uint32_t first; /* the first four bytes */
    } rows[] = {
        {"model_weights/conv/conv/kernel:0", "float32[2,3]", 0},
        {"model_weights/conv/conv/bias:0", "float32[]", 0x40200000},
        {"types/bfloat16", "bfloat16[2]", 0x40003f80},
        {"types/compact", "float32[2]", 0x40e00000},
        {"types/empty", "float32[0,3]", 0},
    };
    fixture f;
    ltap_hdf5_data data;
    setup(&f, "good.h5");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ltap_hdf5_dataset(f.file, find(&f, rows[i].path), &data, NULL), LTAP_OK);
        assert_string_equal(ltap_tensor_text(&data.tensor).text, rows[i].text);
        if (data.bytes > 0)
            assert_int_equal(ltap_load_u32(f.bytes + data.offset), rows[i].first);
    }
    teardown(&f);
}

static void attribute(fixture *f, const char *path, const char *name, ltap_hdf5_attribute *value)
{
    ltap_error error = {.message = ""};
    if (ltap_hdf5_attribute_read(f->file, find(f, path), name, &f->arena, value, &error) != LTAP_OK)
        fail_msg("%s", error.message);
}

static void texts_are_read_of_fixed_and_any_length(void **state)
{
    (void)state;
    fixture f;
    ltap_hdf5_attribute a;
    char name[16], text[16];
    const char *one;
    setup(&f, "good.h5");
    attribute(&f, "model_weights", "layer_names", &a);
    assert_true(a.found && !a.scalar);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.texts[1], "dense");
    attribute(&f, "model_weights/conv", "weight_names", &a);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.texts[0], "conv/kernel:0");
    assert_string_equal(a.texts[1], "conv/bias:0");
    assert_int_equal(a.text_bytes[1], 11);
    attribute(&f, "", "config", &a);
    assert_true(a.scalar);
    assert_int_equal(a.text_bytes[0], 12 + 600);
    assert_int_equal(strlen(a.texts[0]), 12 + 600);
    assert_int_equal(ltap_hdf5_text(f.file, find(&f, "attributes"), "fixed", &f.arena, &one, NULL),
                     LTAP_OK);
    assert_string_equal(one, "fixed");
    assert_int_equal(ltap_hdf5_text(f.file, find(&f, "attributes"), "blank", &f.arena, &one, NULL),
                     LTAP_OK);
    assert_string_equal(one, "");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "more%d", i);
        snprintf(text, sizeof text, "text %d", i);
        attribute(&f, "attributes", name, &a);
        assert_string_equal(a.texts[0], text);
    }
    teardown(&f);
}

static void numbers_empty_lists_and_absent_attributes_are_told_apart(void **state)
{
    (void)state;
    fixture f;
    ltap_hdf5_attribute a;
    const char *text;
    setup(&f, "good.h5");
    attribute(&f, "attributes", "integer", &a);
    assert_true(a.scalar && a.texts == NULL && a.numbers[0] == -3);
    attribute(&f, "attributes", "list", &a);
    assert_true(a.count == 3 && a.numbers[0] == 0.5 && a.numbers[2] == -2);
    attribute(&f, "attributes", "boolean", &a);
    assert_true(a.count == 1 && a.numbers[0] == 1);
    attribute(&f, "attributes", "nothing", &a);
    assert_true(a.found && a.count == 0);
    attribute(&f, "model_weights/dense", "weight_names", &a);
    assert_true(a.found && a.count == 0);
    attribute(&f, "attributes", "intege", &a);
    assert_false(a.found);
    attribute(&f, "types/bool", "name", &a);
    assert_false(a.found);
    assert_int_equal(ltap_hdf5_text(f.file, find(&f, "types"), "name", &f.arena, &text, NULL),
                     LTAP_OK);
    assert_null(text);
    assert_int_equal(
        ltap_hdf5_text(f.file, find(&f, "attributes"), "integer", &f.arena, &text, NULL),
        LTAP_ERROR_FORMAT);
    teardown(&f);
}

static void newer_and_linked_files_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } rows[] = {
        {"latest.h5", "byte 1008: HDF5: superblock version"},
        {"user_block.h5", "do not begin"},
        {"creation_order.h5", "track_order"},
        {"external_link.h5", "byte 1808: HDF5: a group with link messages (external links"},
        {"hard_link.h5", "'again' is a second name (hard link)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        ltap_error error;
        load(&f, "hdf5", rows[i].file);
        assert_int_equal(ltap_memory_new(NULL, 0, &f.memory, NULL), LTAP_OK);
        ltap_status status = ltap_hdf5_open(f.memory, f.bytes, f.size, 1000, &f.file, &error);
        if (status == LTAP_OK || strstr(error.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].file, status == LTAP_OK ? "opened" : error.message);
        assert_null(f.file);
        ltap_memory_unref(f.memory);
        free(f.bytes);
    }
}

static void what_is_not_read_refuses_only_itself(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
    } rows[] = {
        {"chunked", "chunked; it must lie in one piece; repack it: h5repack -f NONE -l CONTI"},
        {"compressed", "compressed"},
        {"big_endian", "big-endian; write it"},
        {"texts", "texts; numbers are read"},
        {"compound", "(compound)"},
        {"complex", "(compound)"},
        {"enum", "(enum)"},
        {"opaque", "opaque elements of 3 bytes"},
        {"unwritten", "never written"},
        {"deep", "13 dimensions"},
        {"null", "without even a shape"},
        {"outside", "another file, which is never opened; repack"},
        {"named", "named datatype"},
        {"type", "is no dataset"},
        {"group", "is no dataset"},
        {"soft", "soft link, which is not followed; copy it: h5copy -f soft,ext"},
    };
    fixture f;
    ltap_hdf5_data data;
    ltap_error error;
    setup(&f, "refused.h5");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ltap_status status = ltap_hdf5_dataset(f.file, find(&f, rows[i].name), &data, &error);
        if (status == LTAP_OK || strstr(error.message, rows[i].message) == NULL)
            fail_msg("%s: %s", rows[i].name, status == LTAP_OK ? "read" : error.message);
        assert_true(error.offset < f.size);
    }
    assert_int_equal(ltap_hdf5_dataset(f.file, find(&f, "fine"), &data, NULL), LTAP_OK);
    assert_int_equal(ltap_hdf5_dataset(f.file, find(&f, "group/inside"), &data, NULL), LTAP_OK);
    teardown(&f);
}

static void virtual_datasets_are_refused(void **state)
{
    (void)state;
    fixture f;
    ltap_hdf5_data data;
    ltap_error error;
    setup(&f, "virtual.h5");
    assert_int_equal(ltap_hdf5_dataset(f.file, find(&f, "virtual"), &data, &error),
                     LTAP_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "'virtual' is virtual; it must lie in one piece"));
    teardown(&f);
}

static void odd_attributes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *path, *name, *message;
    } rows[] = {
        {"good.h5", "attributes", "square", "2 dimensions"},
        {"refused.h5", "group", "complex", "(compound)"},
        {"refused.h5", "group", "named", "named datatype"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        ltap_hdf5_attribute a;
        ltap_error error;
        setup(&f, rows[i].file);
        assert_int_equal(ltap_hdf5_attribute_read(f.file, find(&f, rows[i].path), rows[i].name,
                                                  &f.arena, &a, &error),
                         LTAP_ERROR_UNSUPPORTED);
        if (strstr(error.message, rows[i].message) == NULL)
            fail_msg("%s", error.message);
        teardown(&f);
    }
}

/* The first error that walking over all objects gives. */
static ltap_status walk(fixture *f, const ltap_hdf5_object *object, ltap_error *error)
{
    static const char *const names[] = {"texts", "numbers"};
    ltap_hdf5_attribute a;
    ltap_hdf5_data data;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        LTAP_TRY(ltap_hdf5_attribute_read(f->file, object, names[i], &f->arena, &a, error));
    if (!ltap_hdf5_is_group(object))
        LTAP_TRY(ltap_hdf5_dataset(f->file, object, &data, error));
    for (size_t i = 0; i < ltap_hdf5_count(object); i++)
        LTAP_TRY(walk(f, ltap_hdf5_child(object, i), error));
    return LTAP_OK;
}

typedef struct attack {
    const char *file;
    ltap_status status;
    uint64_t offset;
    const char *message;
} attack;

static const attack attacks[] = {
#include "hdf5_attacks.inc"
};
#define N_ATTACKS (sizeof attacks / sizeof attacks[0])

static void try_attack(const attack *row)
{
    fixture f;
    ltap_error error = {.message = ""};
    load(&f, "attacks", row->file);
    assert_int_equal(ltap_memory_new(NULL, 0, &f.memory, NULL), LTAP_OK);
    ltap_arena_init(&f.arena, f.memory);
    ltap_status status = ltap_hdf5_open(f.memory, f.bytes, f.size, 0, &f.file, &error);
    if (status == LTAP_OK)
        status = walk(&f, ltap_hdf5_find(f.file, NULL, ""), &error);
    if (status != row->status || error.offset != row->offset ||
        strstr(error.message, row->message) == NULL)
        fail_msg("%s: status %d, byte %llu: %s", row->file, (int)status,
                 (unsigned long long)error.offset, error.message);
    teardown(&f);
}

static void attacks_are_refused_where_they_lie(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *folder = opendir(DATA_DIR "/attacks");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    assert_int_equal(count, N_ATTACKS);
    for (size_t i = 0; i < N_ATTACKS; i++)
        try_attack(&attacks[i]);
}

/* Reads all that can be asked for. */
static void read_all(ltap_hdf5 *file, const ltap_hdf5_object *object, size_t size,
                     ltap_arena *arena)
{
    static const char *const names[] = {"config", "layer_names", "weight_names", "more19", "list"};
    ltap_hdf5_data data;
    ltap_hdf5_attribute a;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ltap_error error = {.message = ""};
        if (ltap_hdf5_attribute_read(file, object, names[i], arena, &a, &error) != LTAP_OK)
            assert_true(error.message[0] && !strchr(error.message, '\n'));
    }
    if (!ltap_hdf5_is_group(object) && ltap_hdf5_dataset(file, object, &data, NULL) == LTAP_OK)
        assert_true(data.offset <= size && data.bytes <= size - data.offset);
    for (size_t i = 0; i < ltap_hdf5_count(object); i++)
        read_all(file, ltap_hdf5_child(object, i), size, arena);
}

static void open_and_read_all(const uint8_t *bytes, size_t size, ltap_memory *memory)
{
    ltap_hdf5 *file;
    ltap_error error = {.message = ""};
    ltap_arena arena;
    ltap_arena_init(&arena, memory);
    if (ltap_hdf5_open(memory, bytes, size, 0, &file, &error) == LTAP_OK)
        read_all(file, ltap_hdf5_find(file, NULL, ""), size, &arena);
    else
        assert_true(error.message[0] && !strchr(error.message, '\n'));
    ltap_hdf5_close(file);
    ltap_arena_clear(&arena);
}

static void any_byte_may_be_wrong(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0xFF, 0x01, 0x80};
    static const char *const names[] = {"good.h5", "refused.h5", "hard_link.h5"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        fixture f;
        load(&f, "hdf5", names[n]);
        assert_int_equal(ltap_memory_new(NULL, 0, &f.memory, NULL), LTAP_OK);
        for (size_t i = 0; i < f.size; i++)
            for (size_t k = 0; k < sizeof flips; k++) {
                f.bytes[i] ^= flips[k];
                open_and_read_all(f.bytes, f.size, f.memory);
                f.bytes[i] ^= flips[k];
            }
        ltap_memory_unref(f.memory);
        free(f.bytes);
    }
}

static void a_file_may_end_anywhere(void **state)
{
    (void)state;
    fixture f;
    load(&f, "hdf5", "hard_link.h5");
    assert_int_equal(ltap_memory_new(NULL, 0, &f.memory, NULL), LTAP_OK);
    for (size_t size = 0; size < f.size; size++) {
        ltap_hdf5 *file;
        ltap_error error;
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, f.bytes, size);
        assert_int_equal(ltap_hdf5_open(f.memory, copy, size, 0, &file, &error), LTAP_ERROR_FORMAT);
        free(copy);
    }
    ltap_memory_unref(f.memory);
    free(f.bytes);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    fixture f;
    load(&f, "hdf5", "good.h5");
    for (size_t n = 1;; n++) {
        fail_alloc heap;
        fail_alloc_init(&heap, n);
        if (ltap_memory_new(&heap.allocator, 0, &f.memory, NULL) == LTAP_OK) {
            open_and_read_all(f.bytes, f.size, f.memory);
            ltap_memory_unref(f.memory);
        }
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap))
            break;
    }
    free(f.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_found_by_path),
        cmocka_unit_test(children_come_in_the_order_of_their_names),
        cmocka_unit_test(every_type_is_read_in_place),
        cmocka_unit_test(shapes_and_odd_places_are_read),
        cmocka_unit_test(texts_are_read_of_fixed_and_any_length),
        cmocka_unit_test(numbers_empty_lists_and_absent_attributes_are_told_apart),
        cmocka_unit_test(newer_and_linked_files_are_refused_by_name),
        cmocka_unit_test(what_is_not_read_refuses_only_itself),
        cmocka_unit_test(virtual_datasets_are_refused),
        cmocka_unit_test(odd_attributes_are_refused),
        cmocka_unit_test(attacks_are_refused_where_they_lie),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(a_file_may_end_anywhere),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
