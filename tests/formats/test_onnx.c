/* What valid models become: every translation, every form of constant, functions, subgraphs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "onnx_text.h"

typedef struct reading {
    const char *file, *graph;
} reading;

static const reading readings[] = {
#include "readings.inc"
};

static void check(const reading *row)
{
    char path[512];
    size_t bytes;
    uint8_t *data = read_data(row->file, &bytes, path);
    loaded model;
    text out = {.used = 0};
    if (load_bytes(&model, data, bytes, path, NULL) != LTAP_OK)
        fail_msg("%s: %s", row->file, model.error.message);
    put_graph(&out, model.graph);
    if (strcmp(out.data, row->graph) != 0)
        fail_msg("%s: expected\n%sfound\n%s", row->file, row->graph, out.data);
    loaded_close(&model);
    free(data);
}

static void each_model_reads_as_its_newest_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(readings) / sizeof(*readings); i++)
        check(&readings[i]);
}

static uint8_t *open_data(loaded *model, const char *file)
{
    char path[512];
    size_t bytes;
    uint8_t *data = read_data(file, &bytes, path);
    if (load_bytes(model, data, bytes, path, NULL) != LTAP_OK)
        fail_msg("%s: %s", file, model->error.message);
    return data;
}

static const ltap_value *value_of(const loaded *model, const char *name)
{
    uint32_t value;
    assert_true(ltap_graph_find(model->graph, name, &value));
    return ltap_graph_at(model->graph, value);
}

static void typed_fields_become_plain_data(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ltap_dtype dtype;
        size_t bytes;
        const char *data;
    } rows[] = {
        {"f32", LTAP_FLOAT32, 8, "\0\0\x80\x3f\0\0\0\xc0"},
        {"f64", LTAP_FLOAT64, 8, "\0\0\0\0\0\0\xf8\x3f"},
        {"i64", LTAP_INT64, 16, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\1\0\0"},
        {"i32", LTAP_INT32, 4, "\xfb\xff\xff\xff"},
        {"i8", LTAP_INT8, 2, "\xfb\7"},
        {"u8", LTAP_UINT8, 2, "\xff\7"},
        {"u16", LTAP_UINT16, 2, "\xff\xff"},
        {"bool", LTAP_BOOL, 3, "\1\0\1"},
        {"f16", LTAP_FLOAT16, 4, "\0\x3c\0\xc0"},
        {"bf16", LTAP_BFLOAT16, 4, "\x80\x3f\0\xc0"},
        {"u32", LTAP_UINT32, 4, "\xff\xff\xff\xff"},
        {"u64", LTAP_UINT64, 8, "\0\0\0\0\0\0\0\x80"},
        {"c64", LTAP_COMPLEX64, 16, "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40"},
        {"i4", LTAP_INT4, 2, "\x21\3"},
        {"raw16", LTAP_FLOAT16, 4, "\0\x3c\0\xc0"},
        {"rawbool", LTAP_BOOL, 2, "\1\0"},
    };
    loaded model;
    uint8_t *data = open_data(&model, "typed.onnx");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const ltap_value *value = value_of(&model, rows[i].name);
        assert_int_equal(value->constant->dtype, rows[i].dtype);
        assert_int_equal(value->type.dtype, rows[i].dtype);
        assert_int_equal(ltap_tensor_bytes(value->constant), rows[i].bytes);
        assert_memory_equal(value->constant->data, rows[i].data, rows[i].bytes);
        assert_false(value->unaligned);
    }
    const ltap_string *strings = value_of(&model, "str")->constant->data;
    assert_string_equal(strings[1].data, "two");
    assert_non_null(value_of(&model, "none")->constant->data);
    loaded_close(&model);
    free(data);
}

static void external_weights_are_views_or_say_why_not(void **state)
{
    (void)state;
    loaded model;
    uint8_t *data = open_data(&model, "external.onnx");
    const float *a = value_of(&model, "a")->constant->data;
    const float *b = value_of(&model, "b")->constant->data;
    const float *g = value_of(&model, "g")->constant->data;
    assert_float_equal(a[1], 1, 0);
    assert_float_equal(b[1], 5, 0);
    assert_float_equal(g[0], 2, 0);
    assert_int_equal(model.source.files.count, 1);
    static const char *const missing[] = {
        "d", "nowhere.bin", "e", "declares 8 bytes at 24", "f", "declares 800 bytes at 4"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i += 2) {
        const ltap_value *value = value_of(&model, missing[i]);
        assert_null(value->constant->data);
        assert_non_null(strstr(value->missing, missing[i + 1]));
    }
    loaded_close(&model);
    free(data);
}

static void external_weights_of_a_model_in_memory_need_a_folder(void **state)
{
    (void)state;
    char path[512];
    size_t bytes;
    uint8_t *data = read_data("external.onnx", &bytes, path);
    loaded model;
    assert_int_equal(load_bytes(&model, data, bytes, NULL, NULL), LTAP_OK);
    assert_non_null(strstr(value_of(&model, "a")->missing, "in memory"));
    loaded_close(&model);

    memset(&model, 0, sizeof(model));
    assert_int_equal(ltap_memory_new(NULL, 0, &model.memory, NULL), LTAP_OK);
    ltap_source_init(&model.source, data, bytes, model.memory);
    model.source.external_dir = DATA_DIR;
    assert_int_equal(ltap_format_load(&model.source, &model.graph, &model.error), LTAP_OK);
    assert_null(value_of(&model, "a")->missing);
    loaded_close(&model);
    free(data);
}

static void the_graph_remembers_what_the_file_says(void **state)
{
    (void)state;
    loaded model;
    uint8_t *data = open_data(&model, "symbols.onnx");
    const ltap_type *type = &value_of(&model, "x")->type;
    assert_string_equal(model.graph->format, "ONNX");
    assert_string_equal(model.graph->version, "opset 17");
    assert_string_equal(model.graph->producer, "PyTorch 2.6.0");
    assert_string_equal(model.graph->producer_version, "2.6.0+cu124");
    assert_string_equal(model.graph->properties[0].key, "layertap.preprocess");
    assert_int_equal(type->rank, 4);
    assert_string_equal(type->dims[0].symbol, "batch");
    assert_int_equal(type->dims[1].size, 3);
    assert_int_equal(type->dims[2].size, -1);
    assert_int_equal(type->dims[3].size, -1);
    loaded_close(&model);
    free(data);

    data = open_data(&model, "metadata.onnx");
    const ltap_node *node = ltap_graph_node(model.graph, 0);
    assert_string_equal(ltap_node_property(node, "namespace"), "n");
    assert_string_equal(node->doc, "a ReLU");
    assert_string_equal(node->name, "node_relu");
    loaded_close(&model);
    free(data);
}

static void spans_are_the_bytes_that_say_a_thing(void **state)
{
    (void)state;
    loaded model;
    uint8_t *data = open_data(&model, "unpacked.onnx");
    const ltap_node *node = ltap_graph_node(model.graph, 0);
    ltap_span weight = value_of(&model, "w")->span;
    assert_memory_equal(data + node->span.offset, "\x2a", 1);
    assert_memory_equal(data + weight.offset, "\x38\3\x38\xff", 4);
    assert_int_equal(model.graph->n_other_fields, 4);
    ltap_span unknown = model.graph->other_fields[0];
    assert_memory_equal(data + unknown.offset, "\x9a\6\7unknown", 10);
    assert_int_equal(unknown.bytes, 10);
    loaded_close(&model);
    free(data);
}

static void types_other_than_tensors_are_carried(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ltap_type_kind kind;
        int64_t size;
    } rows[] = {
        {"s", LTAP_TYPE_SEQUENCE, 2}, {"o", LTAP_TYPE_OPTIONAL, 3}, {"m", LTAP_TYPE_MAP, 4}};
    loaded model;
    uint8_t *data = open_data(&model, "types.onnx");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const ltap_type *type = &value_of(&model, rows[i].name)->type;
        assert_int_equal(type->kind, rows[i].kind);
        assert_int_equal(type->element->kind, LTAP_TYPE_TENSOR);
        assert_int_equal(type->element->dims[0].size, rows[i].size);
    }
    loaded_close(&model);
    free(data);
}

static void inputs_and_outputs_are_those_of_the_file(void **state)
{
    (void)state;
    loaded model;
    uint8_t *data = open_data(&model, "ir3.onnx");
    assert_int_equal(model.graph->inputs.count, 1);
    loaded_close(&model);
    free(data);
    data = open_data(&model, "outputs.onnx");
    static const char *const names[] = {"y", "x", "w", "y"};
    assert_int_equal(model.graph->outputs.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(*LTAP_VECTOR_AT(&model.graph->output_names, const char *, i), names[i]);
    loaded_close(&model);
    free(data);
}

static void inlined_nodes_know_their_calls(void **state)
{
    (void)state;
    static const char *const paths[] = {"",        "first",   "first/Inner",   "first/Inner",
                                        "first",   "first#1", "first#1/Inner", "first#1/Inner",
                                        "first#1", ""};
    loaded model;
    uint8_t *data = open_data(&model, "functions.onnx");
    assert_int_equal(model.graph->nodes.count, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_string_equal(ltap_graph_node(model.graph, i)->call_path, paths[i]);
    assert_string_equal(ltap_graph_node(model.graph, 3)->name, "first/Inner/act");
    loaded_close(&model);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_model_reads_as_its_newest_form),
        cmocka_unit_test(typed_fields_become_plain_data),
        cmocka_unit_test(external_weights_are_views_or_say_why_not),
        cmocka_unit_test(external_weights_of_a_model_in_memory_need_a_folder),
        cmocka_unit_test(the_graph_remembers_what_the_file_says),
        cmocka_unit_test(spans_are_the_bytes_that_say_a_thing),
        cmocka_unit_test(types_other_than_tensors_are_carried),
        cmocka_unit_test(inputs_and_outputs_are_those_of_the_file),
        cmocka_unit_test(inlined_nodes_know_their_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
