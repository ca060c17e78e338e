/* The tables of ONNX's messages: field number, wire kind, member, name in errors, what is inside.
 *
 * Fields that are known and ignored (training_info, configuration,
 * denotation, ...) are left out on purpose: they are kept by span like unknown ones.
 */
#include "formats/onnx/proto.h"

#define ROW(number, kind, type, member)                                                            \
    {                                                                                              \
        number, LTAP_WIRE_##kind, offsetof(type, member), #member, NULL                            \
    }
#define CHILD(number, kind, type, member, child)                                                   \
    {                                                                                              \
        number, LTAP_WIRE_##kind, offsetof(type, member), #member, &ltap_proto_##child##_message   \
    }
#define MESSAGE(message, what, rows, name)                                                         \
    const ltap_wire_message ltap_proto_##message##_message = {what, rows,                          \
                                                              sizeof(rows) / sizeof(*rows), name}

static const ltap_wire_row model_rows[] = {
    ROW(1, INT, ltap_proto_model, ir_version),
    ROW(2, BYTES, ltap_proto_model, producer_name),
    ROW(3, BYTES, ltap_proto_model, producer_version),
    ROW(5, INT, ltap_proto_model, model_version),
    CHILD(7, MANY, ltap_proto_model, graphs, graph),
    CHILD(8, MANY, ltap_proto_model, opset_imports, opset),
    CHILD(14, MANY, ltap_proto_model, properties, property),
    CHILD(25, MANY, ltap_proto_model, functions, function),
};
MESSAGE(model, "the model", model_rows, 0);

static const ltap_wire_row opset_rows[] = {
    ROW(1, BYTES, ltap_proto_opset, domain),
    ROW(2, INT, ltap_proto_opset, version),
};
MESSAGE(opset, "opset import", opset_rows, 1);

static const ltap_wire_row property_rows[] = {
    ROW(1, BYTES, ltap_proto_property, key),
    ROW(2, BYTES, ltap_proto_property, value),
};
MESSAGE(property, "property", property_rows, 1);

static const ltap_wire_row graph_rows[] = {
    CHILD(1, MANY, ltap_proto_graph, nodes, node),
    ROW(2, BYTES, ltap_proto_graph, name),
    CHILD(5, MANY, ltap_proto_graph, initializers, tensor),
    CHILD(11, MANY, ltap_proto_graph, inputs, value),
    CHILD(12, MANY, ltap_proto_graph, outputs, value),
    CHILD(13, MANY, ltap_proto_graph, value_infos, value),
    CHILD(14, MANY, ltap_proto_graph, annotations, annotation),
    CHILD(15, MANY, ltap_proto_graph, sparse_initializers, sparse),
};
MESSAGE(graph, "graph", graph_rows, 2);

static const ltap_wire_row node_rows[] = {
    ROW(1, MANY, ltap_proto_node, inputs),
    ROW(2, MANY, ltap_proto_node, outputs),
    ROW(3, BYTES, ltap_proto_node, name),
    ROW(4, BYTES, ltap_proto_node, op_type),
    CHILD(5, MANY, ltap_proto_node, attrs, attr),
    ROW(6, BYTES, ltap_proto_node, doc),
    ROW(7, BYTES, ltap_proto_node, domain),
    ROW(8, BYTES, ltap_proto_node, overload),
    CHILD(9, MANY, ltap_proto_node, properties, property),
};
MESSAGE(node, "node", node_rows, 3);

static const ltap_wire_row attr_rows[] = {
    ROW(1, BYTES, ltap_proto_attr, name),
    ROW(2, FLOAT, ltap_proto_attr, f),
    ROW(3, INT, ltap_proto_attr, i),
    ROW(4, BYTES, ltap_proto_attr, s),
    CHILD(5, BYTES, ltap_proto_attr, t, tensor),
    CHILD(6, BYTES, ltap_proto_attr, g, graph),
    ROW(7, 32S, ltap_proto_attr, floats),
    ROW(8, INTS, ltap_proto_attr, ints),
    ROW(9, MANY, ltap_proto_attr, strings),
    CHILD(10, MANY, ltap_proto_attr, tensors, tensor),
    CHILD(11, MANY, ltap_proto_attr, graphs, graph),
    CHILD(14, BYTES, ltap_proto_attr, type_proto, type),
    CHILD(15, MANY, ltap_proto_attr, type_protos, type),
    ROW(20, INT, ltap_proto_attr, type),
    ROW(21, BYTES, ltap_proto_attr, ref),
    CHILD(22, BYTES, ltap_proto_attr, sparse, sparse),
    CHILD(23, MANY, ltap_proto_attr, sparses, sparse),
};
MESSAGE(attr, "attribute", attr_rows, 1);

static const ltap_wire_row tensor_rows[] = {
    ROW(1, INTS, ltap_proto_tensor, dims),
    ROW(2, INT, ltap_proto_tensor, data_type),
    ROW(3, BYTES, ltap_proto_tensor, segment),
    ROW(4, 32S, ltap_proto_tensor, float_data),
    ROW(5, INTS, ltap_proto_tensor, int32_data),
    ROW(6, MANY, ltap_proto_tensor, string_data),
    ROW(7, INTS, ltap_proto_tensor, int64_data),
    ROW(8, BYTES, ltap_proto_tensor, name),
    ROW(9, BYTES, ltap_proto_tensor, raw_data),
    ROW(10, 64S, ltap_proto_tensor, double_data),
    ROW(11, INTS, ltap_proto_tensor, uint64_data),
    CHILD(13, MANY, ltap_proto_tensor, external_data, property),
    ROW(14, INT, ltap_proto_tensor, data_location),
};
MESSAGE(tensor, "tensor", tensor_rows, 8);

static const ltap_wire_row sparse_rows[] = {
    CHILD(1, BYTES, ltap_proto_sparse, values, tensor),
    CHILD(2, BYTES, ltap_proto_sparse, indices, tensor),
    ROW(3, INTS, ltap_proto_sparse, dims),
};
MESSAGE(sparse, "sparse tensor", sparse_rows, 0);

static const ltap_wire_row value_rows[] = {
    ROW(1, BYTES, ltap_proto_value, name),
    CHILD(2, BYTES, ltap_proto_value, type, type),
};
MESSAGE(value, "value", value_rows, 1);

static const ltap_wire_row type_rows[] = {
    CHILD(1, BYTES, ltap_proto_type, tensor, tensor_type),
    CHILD(4, BYTES, ltap_proto_type, sequence, element_type),
    CHILD(5, BYTES, ltap_proto_type, map, map_type),
    CHILD(8, BYTES, ltap_proto_type, sparse, tensor_type),
    CHILD(9, BYTES, ltap_proto_type, optional, element_type),
};
MESSAGE(type, "type", type_rows, 0);

static const ltap_wire_row tensor_type_rows[] = {
    ROW(1, INT, ltap_proto_tensor_type, elem_type),
    CHILD(2, BYTES, ltap_proto_tensor_type, shape, shape),
};
MESSAGE(tensor_type, "tensor type", tensor_type_rows, 0);

static const ltap_wire_row element_type_rows[] = {
    CHILD(1, BYTES, ltap_proto_element_type, element, type),
};
MESSAGE(element_type, "element type", element_type_rows, 0);

static const ltap_wire_row map_type_rows[] = {
    CHILD(2, BYTES, ltap_proto_element_type, element, type),
};
MESSAGE(map_type, "map type", map_type_rows, 0);

static const ltap_wire_row shape_rows[] = {
    CHILD(1, MANY, ltap_proto_shape, dims, dim),
};
MESSAGE(shape, "shape", shape_rows, 0);

static const ltap_wire_row dim_rows[] = {
    ROW(1, INT, ltap_proto_dim, size),
    ROW(2, BYTES, ltap_proto_dim, symbol),
};
MESSAGE(dim, "dimension", dim_rows, 0);

static const ltap_wire_row annotation_rows[] = {
    ROW(1, BYTES, ltap_proto_annotation, name),
    CHILD(2, MANY, ltap_proto_annotation, parameters, property),
};
MESSAGE(annotation, "annotation", annotation_rows, 1);

static const ltap_wire_row function_rows[] = {
    ROW(1, BYTES, ltap_proto_function, name),
    ROW(4, MANY, ltap_proto_function, inputs),
    ROW(5, MANY, ltap_proto_function, outputs),
    ROW(6, MANY, ltap_proto_function, attrs),
    CHILD(7, MANY, ltap_proto_function, nodes, node),
    CHILD(9, MANY, ltap_proto_function, opset_imports, opset),
    ROW(10, BYTES, ltap_proto_function, domain),
    CHILD(11, MANY, ltap_proto_function, default_attrs, attr),
    CHILD(12, MANY, ltap_proto_function, value_infos, value),
    ROW(13, BYTES, ltap_proto_function, overload),
};
MESSAGE(function, "function", function_rows, 1);
