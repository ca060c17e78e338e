/* Fuzzing the wire reader: any bytes as a model's top message, and every span in it as each message
 * of ONNX. */
#include "base/error.h"
#include "formats/onnx/proto.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ltap_wire_message *const messages[] = {
    &ltap_proto_model_message,  &ltap_proto_graph_message,       &ltap_proto_node_message,
    &ltap_proto_attr_message,   &ltap_proto_tensor_message,      &ltap_proto_value_message,
    &ltap_proto_type_message,   &ltap_proto_tensor_type_message, &ltap_proto_shape_message,
    &ltap_proto_dim_message,    &ltap_proto_function_message,    &ltap_proto_property_message,
    &ltap_proto_sparse_message,
};

/* Large enough for each of the structs. */
typedef union any_message {
    ltap_wire_head head;
    ltap_proto_model model;
    ltap_proto_graph graph;
    ltap_proto_node node;
    ltap_proto_attr attr;
    ltap_proto_tensor tensor;
    ltap_proto_function function;
} any_message;

static void read_list(const ltap_wire *wire, const ltap_wire_row *row, const any_message *out)
{
    ltap_wire_list list = *(const ltap_wire_list *)(const void *)((const char *)out + row->place);
    uint64_t count, seen = 0;
    int64_t number;
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].offset > wire->size ||
            list.items[i].bytes > wire->size - list.items[i].offset)
            abort();
    if (row->kind != LTAP_WIRE_INTS || ltap_wire_ints_count(wire, list, &count, NULL) != LTAP_OK)
        return;
    ltap_wire_ints ints = ltap_wire_ints_begin(wire, list);
    while (ltap_wire_ints_next(&ints, &number))
        seen++;
    if (seen != count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_memory *memory;
    ltap_wire wire = {data, size};
    if (ltap_memory_new(NULL, 64u << 20, &memory, NULL) != LTAP_OK)
        return 0;
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        ltap_arena arena;
        any_message out;
        ltap_error error = {.offset = LTAP_NO_OFFSET};
        ltap_arena_init(&arena, memory);
        ltap_status status =
            ltap_wire_decode(&wire, (ltap_wire_span){0, size}, messages[i], &arena, &out, &error);
        if (status == LTAP_ERROR_FORMAT && (error.offset > size || !error.message[0]))
            abort();
        for (size_t k = 0; status == LTAP_OK && k < messages[i]->n_rows; k++)
            if (messages[i]->rows[k].kind >= LTAP_WIRE_MANY)
                read_list(&wire, &messages[i]->rows[k], &out);
        ltap_arena_clear(&arena);
    }
    ltap_memory_unref(memory);
    return 0;
}
