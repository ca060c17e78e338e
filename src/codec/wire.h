/* The protobuf wire format over memory: what a reader of ONNX needs, and nothing else.
 *
 * A message is described by a const table of its fields; decoding fills a C struct by that table.
 * Text, bytes, embedded messages and repeated numbers stay where they are: the struct gets their
 * spans. So decoding costs the number of fields, never the number of bytes, and does not recurse: a
 * caller decodes an embedded message when it wants it (and limits how deep it goes).
 * Every offset is absolute, so that every error can say the byte.
 */
#ifndef LTAP_CODEC_WIRE_H
#define LTAP_CODEC_WIRE_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All the bytes; spans lie in [0, size]. data may be NULL when size is 0. */
typedef struct ltap_wire {
    const uint8_t *data;
    uint64_t size;
} ltap_wire;

/* Bytes that are known to lie inside the wire. offset 0 means absent: no field's content can begin
 * there. */
typedef struct ltap_wire_span {
    uint64_t offset, bytes;
} ltap_wire_span;

typedef struct ltap_wire_list {
    const ltap_wire_span *items;
    size_t count;
} ltap_wire_list;

/* The first member of every struct that is decoded into. */
typedef struct ltap_wire_head {
    ltap_wire_span span;    /* the whole message's content */
    uint64_t seen;          /* bit i: row i of the table occurred */
    ltap_wire_list unknown; /* fields that the table does not have, each with its tag */
} ltap_wire_head;

typedef enum ltap_wire_kind {
    LTAP_WIRE_INT,   /* int64_t, a varint; a later one wins */
    LTAP_WIRE_FLOAT, /* float, 4 bytes; a later one wins */
    LTAP_WIRE_BYTES, /* ltap_wire_span: text, bytes, a message; a later one wins */
    LTAP_WIRE_MANY,  /* ltap_wire_list of such */
    LTAP_WIRE_INTS,  /* ltap_wire_list of chunks of varints, packed or not */
    LTAP_WIRE_32S,   /* ltap_wire_list of chunks of 4-byte numbers, packed or not */
    LTAP_WIRE_64S    /* ltap_wire_list of chunks of 8-byte numbers, packed or not */
} ltap_wire_kind;

struct ltap_wire_message;

typedef struct ltap_wire_row {
    uint32_t number;
    ltap_wire_kind kind;
    size_t place; /* offsetof the member */
    const char *name;
    const struct ltap_wire_message *child; /* the message inside BYTES or MANY; may be NULL */
} ltap_wire_row;

#define LTAP_WIRE_MAX_ROWS 32

typedef struct ltap_wire_message {
    const char *what;          /* "tensor": how errors call it */
    const ltap_wire_row *rows; /* at most LTAP_WIRE_MAX_ROWS */
    size_t n_rows;
    uint32_t name; /* number of the field that holds its name, for errors; 0: none */
} ltap_wire_message;

/* Fills `out` (which begins with an ltap_wire_head) from the message in `span`. Lists are taken
 * from the arena. Errors: LTAP_ERROR_FORMAT with the byte. When the file ends too early the error
 * names the innermost message that is cut. */
ltap_status ltap_wire_decode(const ltap_wire *wire, ltap_wire_span span,
                             const ltap_wire_message *message, ltap_arena *arena, void *out,
                             ltap_error *error);

/* Fields at the top of a file, without decoding: false when the bytes from *at on are not a field.
 * Used to tell what a file is. */
bool ltap_wire_peek(const ltap_wire *wire, uint64_t *at, uint32_t *number, unsigned *wire_type,
                    uint64_t *value);

/* One field as it stands. */
typedef struct ltap_wire_field {
    uint32_t number;
    uint64_t value;                /* of a varint */
    ltap_wire_span whole, content; /* with its tag; what is in it */
} ltap_wire_field;
/* The field at *at of a message that ends at `end`; *at moves behind it. */
ltap_status ltap_wire_next(const ltap_wire *wire, uint64_t *at, uint64_t end,
                           ltap_wire_field *field, ltap_error *error);

/* Numbers of chunks (INTS); checks that each is well formed. */
ltap_status ltap_wire_ints_count(const ltap_wire *wire, ltap_wire_list chunks, uint64_t *count,
                                 ltap_error *error);

/* Walks over the numbers of chunks that were counted before. */
typedef struct ltap_wire_ints {
    const ltap_wire *wire;
    ltap_wire_list chunks;
    size_t chunk;
    uint64_t at; /* in the chunk */
} ltap_wire_ints;
static inline ltap_wire_ints ltap_wire_ints_begin(const ltap_wire *wire, ltap_wire_list chunks)
{
    return (ltap_wire_ints){wire, chunks, 0, 0};
}
bool ltap_wire_ints_next(ltap_wire_ints *ints, int64_t *number);

/* Bytes of all chunks together (32S, 64S: a multiple of the size). */
uint64_t ltap_wire_list_bytes(ltap_wire_list chunks);
/* Copies the bytes of all chunks, one after the other. */
void ltap_wire_list_copy(const ltap_wire *wire, ltap_wire_list chunks, void *dst);

static inline bool ltap_wire_seen(const ltap_wire_span *span)
{
    return span->offset != 0;
}
/* Whether the field of that number (a row of the table) occurred. */
bool ltap_wire_has(const ltap_wire_message *message, const ltap_wire_head *head, uint32_t number);

#endif
