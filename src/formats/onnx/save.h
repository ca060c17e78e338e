/* What the files of the ONNX writer share. Internal to this folder.
 *
 * save.c opens, checks and commits; save_open.c lists the nodes, with the bodies of calls into
 * which a request reaches in place of the calls; save_keep.c finds what is needed, by names;
 * save_write.c puts the model together, save_rename.c what comes from a body; save_data.c has the
 * weights in files beside it.
 */
#ifndef LTAP_FORMATS_ONNX_SAVE_H
#define LTAP_FORMATS_ONNX_SAVE_H

#include "formats/onnx/onnx.h"
#include "formats/onnx/output.h"
#include "formats/onnx/put.h"

typedef struct ltap_onnx_import {
    const char *domain;
    int64_t version;
} ltap_onnx_import;

/* A call whose body is put in place of it. */
typedef struct ltap_onnx_opened {
    const struct ltap_onnx_opened *around; /* the one whose body it stands in; NULL */
    const ltap_onnx_function *function;
    ltap_proto_node call;
    const char *path;   /* in front of what the body makes */
    ltap_map bound;     /* formal input or output -> place in texts */
    const char **texts; /* what the caller calls them; "": omitted */
    size_t n_texts;
} ltap_onnx_opened;

/* A node as it will be written. */
typedef struct ltap_onnx_saved_node {
    ltap_proto_node proto;
    const ltap_onnx_opened *in; /* NULL: it is the main graph's own */
    const char *from, *to;      /* not NULL: an Identity that hands an opened call's output on */
    uint32_t main;              /* the node of the main graph that it is, or is put in place of */
    bool keep;
} ltap_onnx_saved_node;

typedef struct ltap_onnx_saving {
    ltap_onnx_output to; /* first: see ltap_onnx_writer */
    const ltap_save *save;
    ltap_source source; /* a copy: files that we open are ours */
    ltap_onnx load;     /* wire, scratch, functions */
    ltap_arena arena;
    ltap_proto_model model;
    ltap_proto_graph graph;
    ltap_vector nodes;      /* ltap_onnx_saved_node */
    ltap_vector opened;     /* ltap_onnx_opened * */
    ltap_vector imports;    /* ltap_onnx_import: domains that the model lacks */
    uint8_t *keep_function; /* a flag each */
    ltap_map made;          /* name -> node */
    ltap_map given;         /* names of the main graph's inputs and initializers */
    ltap_map starts;        /* name -> start */
    ltap_map needed;        /* names that what is kept uses, or that are asked for */
    ltap_map taken;         /* all names in what is kept */
    ltap_map node_names;
    ltap_vector open;      /* uint32_t: kept nodes that were not looked into */
    ltap_vector locations; /* const char *: of external data that is kept */
} ltap_onnx_saving;

static inline ltap_onnx_saved_node *ltap_onnx_saving_node(const ltap_onnx_saving *saving,
                                                          size_t index)
{
    return LTAP_VECTOR_AT(&saving->nodes, ltap_onnx_saved_node, index);
}
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

/* save_open.c: fills nodes and made; given must be known. */
ltap_status ltap_onnx_saving_nodes(ltap_onnx_saving *saving, ltap_error *error);
/* What a name in a body (in; NULL: in the main graph) is called where it is written. */
ltap_status ltap_onnx_saving_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                  ltap_wire_span span, ltap_string *name, ltap_error *error);
ltap_status ltap_onnx_saving_node_name(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                       ltap_wire_span span, ltap_string *name, ltap_error *error);
/* Follows an attribute's reference to the call's, or the function's default: proto and in become
 * what it is and where it is said. dropped: it is nowhere. */
ltap_status ltap_onnx_saving_attr(ltap_onnx_saving *saving, const ltap_onnx_opened **in,
                                  ltap_proto_attr *proto, bool *dropped, ltap_error *error);
/* The function that a node calls; NULL. */
ltap_status ltap_onnx_saving_function(ltap_onnx_saving *saving, const ltap_proto_node *node,
                                      ltap_onnx_function **function, ltap_error *error);

/* save_rename.c: messages from a body, with the names that they get. */
ltap_status ltap_onnx_saving_put_node(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                      const ltap_wire_field *node, ltap_error *error);
ltap_status ltap_onnx_saving_put_value(ltap_onnx_saving *saving, const ltap_onnx_opened *in,
                                       const ltap_wire_field *value, ltap_error *error);

/* save_keep.c: reads the file's messages and marks what is needed; refuses names that clash. */
ltap_status ltap_onnx_saving_keep(ltap_onnx_saving *saving, ltap_error *error);

/* save_write.c: puts the model together. */
ltap_status ltap_onnx_saving_write(ltap_onnx_saving *saving, ltap_error *error);
/* The version of a domain in what is written; one that the model lacks is added. */
ltap_status ltap_onnx_saving_import(ltap_onnx_saving *saving, const char *domain, int64_t wanted,
                                    int64_t *version, ltap_error *error);

/* save_data.c */
/* Notes where a tensor that stays as it is has its data, if that is outside. inside: in a node. */
ltap_status ltap_onnx_saving_note(ltap_onnx_saving *saving, ltap_wire_span tensor, bool inside,
                                  ltap_error *error);
/* A weight: its bytes, or, repacked, the same with a reference into the data file. */
ltap_status ltap_onnx_saving_weight(ltap_onnx_saving *saving, const ltap_wire_field *field,
                                    ltap_error *error);
/* Refuses paths that are the model or its data, and references that would lead elsewhere. */
ltap_status ltap_onnx_saving_check(ltap_onnx_saving *saving, ltap_error *error);

#endif
