/* What the files of the ONNX writer share. Internal to this folder.
 *
 * save.c opens, checks and commits; save_keep.c finds what is needed, by the names in the file;
 * save_write.c puts the model together; save_data.c has the weights in files beside it.
 */
#ifndef LTAP_FORMATS_ONNX_SAVE_H
#define LTAP_FORMATS_ONNX_SAVE_H

#include "codec/wire_out.h"
#include "formats/onnx/onnx.h"

/* Bytes that go to the data file. */
typedef struct ltap_onnx_blob {
    const void *data;
    uint64_t offset, bytes;
} ltap_onnx_blob;

typedef struct ltap_onnx_saving {
    const ltap_save *save;
    ltap_source source; /* a copy: files that we open are ours */
    ltap_onnx load;     /* wire, scratch, functions */
    ltap_arena arena;
    ltap_proto_model model;
    ltap_proto_graph graph;
    ltap_proto_node *nodes;
    uint8_t *keep_node, *keep_function;
    ltap_map made;   /* name -> node of the main graph */
    ltap_map given;  /* names of its inputs and initializers */
    ltap_map starts; /* name -> start */
    ltap_map needed; /* names that what is kept uses, or that are asked for */
    ltap_map taken;  /* all names in what is kept */
    ltap_map node_names;
    ltap_vector open;      /* uint32_t: kept nodes that were not looked into */
    ltap_vector locations; /* const char *: of external data that is kept */
    ltap_wire_out out;
    ltap_vector blobs; /* ltap_onnx_blob */
    bool repack;
    const char *data_path, *data_name; /* of the data file; its name as the model has it */
    uint64_t data_bytes;
    uint64_t n_kept;
} ltap_onnx_saving;

static inline const char *ltap_onnx_saving_at(const ltap_onnx_saving *saving, ltap_wire_span span)
{
    return (const char *)saving->load.wire.data + span.offset;
}
static inline bool ltap_onnx_saving_has(const ltap_onnx_saving *saving, const ltap_map *map,
                                        ltap_wire_span name)
{
    uint32_t found;
    return name.bytes > 0 &&
           ltap_map_get(map, ltap_onnx_saving_at(saving, name), (size_t)name.bytes, &found);
}

/* save_keep.c: reads the file's messages and marks what is needed; refuses names that clash. */
ltap_status ltap_onnx_saving_keep(ltap_onnx_saving *saving, ltap_error *error);

/* save_write.c: puts the model together. */
ltap_status ltap_onnx_saving_write(ltap_onnx_saving *saving, ltap_error *error);

/* save_data.c */
/* Notes where a tensor that stays as it is has its data, if that is outside. inside: in a node. */
ltap_status ltap_onnx_saving_note(ltap_onnx_saving *saving, ltap_wire_span tensor, bool inside,
                                  ltap_error *error);
/* A weight: its bytes, or, repacked, the same with a reference into the data file. */
ltap_status ltap_onnx_saving_weight(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                    ltap_error *error);
/* Refuses paths that are the model or its data, and references that would lead elsewhere. */
ltap_status ltap_onnx_saving_check(ltap_onnx_saving *saving, ltap_error *error);
ltap_status ltap_onnx_saving_data(const ltap_onnx_saving *saving, ltap_outfile *file,
                                  ltap_error *error);

#endif
