/* Nodes of a function's body as nodes of the main graph: byte for byte, but for names, and for
 * attributes that are the call's. Field numbers are those of onnx.proto. */
#include "base/error.h"
#include "formats/onnx/save.h"
#include <string.h>

typedef ltap_status (*put_field)(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                 const ltap_wire_field *field, ltap_error *error);

static ltap_status put_raw(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                           const ltap_wire_field *field, ltap_error *error)
{
    return ltap_wire_out_bytes(&saving->to.model, ltap_onnx_saving_at(saving, field->whole),
                               field->whole.bytes, error);
}

/* A message with the fields that `put` has its way with. */
static ltap_status put_message(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                               const ltap_wire_field *message, put_field put, ltap_error *error)
{
    uint64_t at = message->content.offset, end = at + message->content.bytes;
    size_t place;
    LTAP_TRY(ltap_wire_out_begin(&saving->to.model, message->number, &place, error));
    while (at < end) {
        ltap_wire_field field;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &field, error));
        LTAP_TRY(put(saving, in, &field, error));
    }
    return ltap_wire_out_end(&saving->to.model, place, error);
}

/* A field that is a value's name. */
static ltap_status put_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                            const ltap_wire_field *field, ltap_error *error)
{
    ltap_string name;
    LTAP_TRY(ltap_onnx_saving_name(saving, in, field->content, &name, error));
    return ltap_wire_out_field(&saving->to.model, field->number, name.data, name.bytes, error);
}

/* --- what has a name ------------------------------------------------------------------------- */

static ltap_status put_in_value(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                const ltap_wire_field *field, ltap_error *error)
{
    return (field->number == 1 ? put_name : put_raw)(saving, in, field, error);
}

static ltap_status put_in_tensor(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                 const ltap_wire_field *field, ltap_error *error)
{
    return (field->number == 8 ? put_name : put_raw)(saving, in, field, error);
}

static ltap_status put_in_sparse(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                 const ltap_wire_field *field, ltap_error *error)
{
    if (field->number == 1)
        return put_message(saving, in, field, put_in_tensor, error);
    return put_raw(saving, in, field, error);
}

static ltap_status put_in_parameter(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                    const ltap_wire_field *field, ltap_error *error)
{
    return (field->number == 2 ? put_name : put_raw)(saving, in, field, error);
}

static ltap_status put_in_annotation(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                     const ltap_wire_field *field, ltap_error *error)
{
    if (field->number == 2)
        return put_message(saving, in, field, put_in_parameter, error);
    return put_in_value(saving, in, field, error);
}

/* --- graphs and nodes ------------------------------------------------------------------------ */

static ltap_status put_in_node(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                               const ltap_wire_field *field, ltap_error *error);

static ltap_status put_in_graph(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                const ltap_wire_field *field, ltap_error *error)
{
    static const struct {
        uint32_t number;
        put_field put;
    } rows[] = {{1, put_in_node},   {5, put_in_tensor},      {11, put_in_value}, {12, put_in_value},
                {13, put_in_value}, {14, put_in_annotation}, {15, put_in_sparse}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].number == field->number)
            return put_message(saving, in, field, rows[i].put, error);
    return put_raw(saving, in, field, error);
}

static ltap_status put_in_attr(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                               const ltap_wire_field *field, ltap_error *error)
{
    if (in && (field->number == 6 || field->number == 11))
        return put_message(saving, in, field, put_in_graph, error);
    return put_raw(saving, in, field, error);
}

/* The call's attribute, or the function's default, under the name that it has here. */
static ltap_status put_attr(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                            const ltap_wire_field *field, ltap_error *error)
{
    ltap_proto_attr proto;
    bool dropped;
    size_t place;
    LTAP_TRY(ltap_wire_decode(&saving->load.wire, field->content, &ltap_proto_attr_message,
                              &saving->load.scratch, &proto, error));
    if (proto.ref.bytes == 0)
        return put_message(saving, in, field, put_in_attr, error);
    ltap_wire_span name = proto.name;
    LTAP_TRY(ltap_onnx_saving_attr(saving, &in, &proto, &dropped, error));
    if (dropped)
        return LTAP_OK;
    uint64_t at = proto.head.span.offset, end = at + proto.head.span.bytes;
    LTAP_TRY(ltap_wire_out_begin(&saving->to.model, field->number, &place, error));
    LTAP_TRY(ltap_wire_out_field(&saving->to.model, 1, ltap_onnx_saving_at(saving, name),
                                 name.bytes, error));
    while (at < end) {
        ltap_wire_field inner;
        LTAP_TRY(ltap_wire_next(&saving->load.wire, &at, end, &inner, error));
        if (inner.number != 1)
            LTAP_TRY(put_in_attr(saving, in, &inner, error));
    }
    return ltap_wire_out_end(&saving->to.model, place, error);
}

/* A node that is kept for another of its outputs must not make what is given. */
static ltap_status move_aside(ltap_onnx_saving *saving, ltap_string *name, ltap_error *error)
{
    uint32_t found;
    const char *own = name->data, *other = NULL;
    int bytes = (int)name->bytes;
    if (!ltap_map_get(&saving->starts, own, name->bytes, &found))
        return LTAP_OK;
    LTAP_TRY(ltap_arena_format(&saving->arena, &other, error, "layertap.%.*s", bytes, own));
    for (unsigned i = 1; ltap_map_get(&saving->taken, other, strlen(other), &found); i++)
        LTAP_TRY(
            ltap_arena_format(&saving->arena, &other, error, "layertap.%.*s.%u", bytes, own, i));
    *name = (ltap_string){other, strlen(other)};
    return ltap_map_set(&saving->taken, other, name->bytes, 1, error);
}

static ltap_status put_in_node(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                               const ltap_wire_field *field, ltap_error *error)
{
    ltap_string name;
    switch (field->number) {
    case 1:
        return put_name(saving, in, field, error);
    case 2:
        LTAP_TRY(ltap_onnx_saving_name(saving, in, field->content, &name, error));
        LTAP_TRY(move_aside(saving, &name, error));
        return ltap_wire_out_field(&saving->to.model, 2, name.data, name.bytes, error);
    case 3:
        LTAP_TRY(ltap_onnx_saving_node_name(saving, in, field->content, &name, error));
        return ltap_wire_out_field(&saving->to.model, 3, name.data, name.bytes, error);
    case 5:
        return put_attr(saving, in, field, error);
    default:
        return put_raw(saving, in, field, error);
    }
}

ltap_status ltap_onnx_saving_put_node(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                      const ltap_wire_field *node, ltap_error *error)
{
    return put_message(saving, in, node, put_in_node, error);
}

ltap_status ltap_onnx_saving_put_value(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                       const ltap_wire_field *value, ltap_error *error)
{
    return put_message(saving, in, value, put_in_value, error);
}
