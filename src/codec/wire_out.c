/* Writing protobuf from pieces; see wire_out.h. */
#include "codec/wire_out.h"

#include "base/error.h"
#include <string.h>

enum { INT = 0, BYTES = 2, FIXED = 5, MAX_VARINT = 10, BUFFER = 64 * 1024 };

typedef struct wire_piece {
    const void *data; /* NULL: the length of a message that has not ended */
    uint64_t bytes;   /* then: bytes put out before the message */
} wire_piece;

void ltap_wire_out_init(ltap_wire_out *out, ltap_arena *arena)
{
    *out = (ltap_wire_out){.arena = arena};
    ltap_vector_init(&out->pieces, arena->memory, sizeof(wire_piece));
}

void ltap_wire_out_clear(ltap_wire_out *out)
{
    ltap_vector_clear(&out->pieces);
}

ltap_status ltap_wire_out_bytes(ltap_wire_out *out, const void *data, uint64_t bytes,
                                ltap_error *error)
{
    wire_piece piece = {data, bytes};
    if (bytes == 0)
        return LTAP_OK;
    out->bytes += bytes;
    return ltap_vector_push(&out->pieces, &piece, error);
}

static size_t put_varint(uint8_t *at, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        at[n++] = (uint8_t)(value | 0x80);
    at[n++] = (uint8_t)value;
    return n;
}

/* A tag and, where `numbers` is 2, a number behind it. */
static ltap_status put_numbers(ltap_wire_out *out, const uint64_t *numbers, int count,
                               ltap_error *error)
{
    void *block;
    size_t used = 0;
    LTAP_TRY(ltap_arena_take(out->arena, 2, MAX_VARINT, &block, error));
    for (int i = 0; i < count; i++)
        used += put_varint((uint8_t *)block + used, numbers[i]);
    return ltap_wire_out_bytes(out, block, used, error);
}

ltap_status ltap_wire_out_int(ltap_wire_out *out, uint32_t number, uint64_t value,
                              ltap_error *error)
{
    const uint64_t numbers[] = {(uint64_t)number << 3 | INT, value};
    return put_numbers(out, numbers, 2, error);
}

ltap_status ltap_wire_out_float(ltap_wire_out *out, uint32_t number, float value, ltap_error *error)
{
    const uint64_t tag = (uint64_t)number << 3 | FIXED;
    uint32_t bits;
    void *block;
    LTAP_TRY(put_numbers(out, &tag, 1, error));
    LTAP_TRY(ltap_arena_take(out->arena, 1, sizeof bits, &block, error));
    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        ((uint8_t *)block)[i] = (uint8_t)(bits >> 8 * i);
    return ltap_wire_out_bytes(out, block, sizeof bits, error);
}

ltap_status ltap_wire_out_field(ltap_wire_out *out, uint32_t number, const void *data,
                                uint64_t bytes, ltap_error *error)
{
    const uint64_t numbers[] = {(uint64_t)number << 3 | BYTES, bytes};
    LTAP_TRY(put_numbers(out, numbers, 2, error));
    return ltap_wire_out_bytes(out, data, bytes, error);
}

ltap_status ltap_wire_out_text(ltap_wire_out *out, uint32_t number, const char *text,
                               ltap_error *error)
{
    return ltap_wire_out_field(out, number, text, strlen(text), error);
}

ltap_status ltap_wire_out_begin(ltap_wire_out *out, uint32_t number, size_t *place,
                                ltap_error *error)
{
    const uint64_t tag = (uint64_t)number << 3 | BYTES;
    LTAP_TRY(put_numbers(out, &tag, 1, error));
    wire_piece length = {NULL, out->bytes};
    *place = out->pieces.count;
    return ltap_vector_push(&out->pieces, &length, error);
}

ltap_status ltap_wire_out_end(ltap_wire_out *out, size_t place, ltap_error *error)
{
    wire_piece *piece = LTAP_VECTOR_AT(&out->pieces, wire_piece, place);
    void *block;
    LTAP_TRY(ltap_arena_take(out->arena, 1, MAX_VARINT, &block, error));
    piece->bytes = put_varint(block, out->bytes - piece->bytes);
    piece->data = block;
    out->bytes += piece->bytes;
    return LTAP_OK;
}

ltap_status ltap_wire_out_write(const ltap_wire_out *out, ltap_outfile *file, ltap_error *error)
{
    uint8_t buffer[BUFFER];
    uint64_t written = 0;
    size_t held = 0;
    for (size_t i = 0; i < out->pieces.count; i++) {
        const wire_piece *piece = LTAP_VECTOR_AT(&out->pieces, wire_piece, i);
        if (held + piece->bytes > BUFFER) {
            LTAP_TRY(ltap_outfile_write(file, written, buffer, held, error));
            written += held;
            held = 0;
        }
        if (piece->bytes > BUFFER) {
            LTAP_TRY(ltap_outfile_write(file, written, piece->data, (size_t)piece->bytes, error));
            written += piece->bytes;
        } else {
            memcpy(buffer + held, piece->data, (size_t)piece->bytes);
            held += (size_t)piece->bytes;
        }
    }
    return held ? ltap_outfile_write(file, written, buffer, held, error) : LTAP_OK;
}
