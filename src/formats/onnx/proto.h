/* ONNX's messages as C structs, and the tables by which the wire reader fills them.
 *
 * Only fields that mean something here are listed; the rest shows up in head.unknown, by span. The
 * field numbers are those of onnx/onnx.proto.
 */
#ifndef LTAP_FORMATS_ONNX_PROTO_H
#define LTAP_FORMATS_ONNX_PROTO_H

#include "codec/wire.h"

typedef struct ltap_proto_model {
    ltap_wire_head head;
    int64_t ir_version, model_version;
    ltap_wire_span producer_name, producer_version;
    ltap_wire_list graphs; /* one, unless the file is odd */
    ltap_wire_list opset_imports, properties, functions;
} ltap_proto_model;

typedef struct ltap_proto_opset {
    ltap_wire_head head;
    ltap_wire_span domain;
    int64_t version;
} ltap_proto_opset;

typedef struct ltap_proto_property {
    ltap_wire_head head;
    ltap_wire_span key, value;
} ltap_proto_property;

typedef struct ltap_proto_graph {
    ltap_wire_head head;
    ltap_wire_span name;
    ltap_wire_list nodes, initializers, sparse_initializers, inputs, outputs, value_infos,
        annotations;
} ltap_proto_graph;

typedef struct ltap_proto_node {
    ltap_wire_head head;
    ltap_wire_list inputs, outputs, attrs, properties;
    ltap_wire_span name, op_type, domain, overload, doc;
} ltap_proto_node;

typedef struct ltap_proto_attr {
    ltap_wire_head head;
    ltap_wire_span name, ref, s, t, g, type_proto, sparse;
    int64_t type, i;
    float f;
    ltap_wire_list floats, ints, strings, tensors, graphs, type_protos, sparses;
} ltap_proto_attr;

typedef struct ltap_proto_tensor {
    ltap_wire_head head;
    ltap_wire_list dims;
    int64_t data_type, data_location;
    ltap_wire_span segment, name, raw_data;
    ltap_wire_list float_data, int32_data, string_data, int64_data, double_data, uint64_data;
    ltap_wire_list external_data;
} ltap_proto_tensor;

typedef struct ltap_proto_sparse {
    ltap_wire_head head;
    ltap_wire_span values, indices;
    ltap_wire_list dims;
} ltap_proto_sparse;

typedef struct ltap_proto_value {
    ltap_wire_head head;
    ltap_wire_span name, type;
} ltap_proto_value;

typedef struct ltap_proto_type {
    ltap_wire_head head;
    ltap_wire_span tensor, sequence, map, sparse, optional;
} ltap_proto_type;

/* TypeProto.Tensor and TypeProto.SparseTensor */
typedef struct ltap_proto_tensor_type {
    ltap_wire_head head;
    int64_t elem_type;
    ltap_wire_span shape;
} ltap_proto_tensor_type;

/* TypeProto.Sequence and TypeProto.Optional: a type as field 1; TypeProto.Map: as field 2. */
typedef struct ltap_proto_element_type {
    ltap_wire_head head;
    ltap_wire_span element;
} ltap_proto_element_type;

typedef struct ltap_proto_shape {
    ltap_wire_head head;
    ltap_wire_list dims;
} ltap_proto_shape;

typedef struct ltap_proto_dim {
    ltap_wire_head head;
    int64_t size;
    ltap_wire_span symbol;
} ltap_proto_dim;

/* TensorAnnotation: parameters are properties whose values are names of tensors. */
typedef struct ltap_proto_annotation {
    ltap_wire_head head;
    ltap_wire_span name;
    ltap_wire_list parameters;
} ltap_proto_annotation;

typedef struct ltap_proto_function {
    ltap_wire_head head;
    ltap_wire_span name, domain, overload;
    ltap_wire_list inputs, outputs, attrs, default_attrs, nodes, opset_imports, value_infos;
} ltap_proto_function;

extern const ltap_wire_message ltap_proto_model_message, ltap_proto_opset_message,
    ltap_proto_property_message, ltap_proto_graph_message, ltap_proto_node_message,
    ltap_proto_attr_message, ltap_proto_tensor_message, ltap_proto_sparse_message,
    ltap_proto_value_message, ltap_proto_type_message, ltap_proto_tensor_type_message,
    ltap_proto_element_type_message, ltap_proto_map_type_message, ltap_proto_shape_message,
    ltap_proto_dim_message, ltap_proto_annotation_message, ltap_proto_function_message;

#endif
