/* What both writers share: save.c, which copies a file's messages, and write.c, which makes all of
 * them from a graph. Internal to this folder.
 */
#ifndef LTAP_FORMATS_ONNX_PUT_H
#define LTAP_FORMATS_ONNX_PUT_H

#include "codec/wire_out.h"
#include "formats/format.h"

/* base, or with a number behind it, so that it is new in the map (names of values, or of nodes),
 * into which it goes. */
ltap_status ltap_onnx_fresh_name(ltap_arena *arena, ltap_map *map, const char *base,
                                 const char **name, ltap_error *error);
/* The error of a name that is asked for and is another value's. */
ltap_status ltap_onnx_refuse_name(const ltap_saved_value *value, ltap_error *error);
/* Refuses one name for an input and an output. */
ltap_status ltap_onnx_check_ends(const ltap_save *save, ltap_error *error);

/* A TypeProto as field `number`; what is not known is left out. */
ltap_status ltap_onnx_put_type(ltap_wire_out *out, uint32_t number, const ltap_type *type,
                               ltap_error *error);
/* A ValueInfoProto. */
ltap_status ltap_onnx_put_value(ltap_wire_out *out, uint32_t number, const char *name,
                                const ltap_type *type, ltap_error *error);
/* An Identity from one value to another, with a new node's name: "layertap.WHAT". */
ltap_status ltap_onnx_put_identity(ltap_wire_out *out, ltap_map *node_names, const char *from,
                                   const char *to, const char *what, ltap_error *error);
ltap_status ltap_onnx_put_property(ltap_wire_out *out, uint32_t number, const char *key,
                                   const char *value, ltap_error *error);
ltap_status ltap_onnx_put_import(ltap_wire_out *out, uint32_t number, const char *domain,
                                 int64_t version, ltap_error *error);

#endif
