/* Writing protobuf: a message as a list of pieces, most of them borrowed from where they lie.
 *
 * So a model of gigabytes is put together from a few bytes of our own and the spans of a mapped
 * file that are kept. Lengths of nested messages are filled in when they end.
 */
#ifndef LTAP_CODEC_WIRE_OUT_H
#define LTAP_CODEC_WIRE_OUT_H

#include "base/file.h"
#include "base/vector.h"
#include "codec/wire.h"

typedef struct ltap_wire_out {
    ltap_vector pieces; /* ltap_wire_piece */
    ltap_arena *arena;  /* of what is not borrowed */
    uint64_t bytes;     /* in all pieces */
} ltap_wire_out;

/* arena: borrowed; its memory counts the list too. */
void ltap_wire_out_init(ltap_wire_out *out, ltap_arena *arena);
void ltap_wire_out_clear(ltap_wire_out *out);

/* Bytes as they are; borrowed until the end. */
ltap_status ltap_wire_out_bytes(ltap_wire_out *out, const void *data, uint64_t bytes,
                                ltap_error *error);
ltap_status ltap_wire_out_int(ltap_wire_out *out, uint32_t number, uint64_t value,
                              ltap_error *error);
ltap_status ltap_wire_out_float(ltap_wire_out *out, uint32_t number, float value,
                                ltap_error *error);
/* A text or bytes field; borrowed until the end. */
ltap_status ltap_wire_out_field(ltap_wire_out *out, uint32_t number, const void *data,
                                uint64_t bytes, ltap_error *error);
ltap_status ltap_wire_out_text(ltap_wire_out *out, uint32_t number, const char *text,
                               ltap_error *error);
/* A message: what is put out between begin and end. place: to be handed to end. */
ltap_status ltap_wire_out_begin(ltap_wire_out *out, uint32_t number, size_t *place,
                                ltap_error *error);
ltap_status ltap_wire_out_end(ltap_wire_out *out, size_t place, ltap_error *error);

/* All pieces, from the file's beginning on. */
ltap_status ltap_wire_out_write(const ltap_wire_out *out, ltap_outfile *file, ltap_error *error);

#endif
