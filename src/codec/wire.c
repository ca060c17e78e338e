/* The protobuf wire reader.
 *
 * Every byte is reached through `take_varint` or through a span made by `next_field`: the two
 * places that check bounds. A message is scanned twice, once to count what repeats and once to
 * fill, so that lists are exact arrays in the arena and nothing has to be freed on the way out of
 * an error.
 */
#include "codec/wire.h"
#include "base/error.h"
#include <inttypes.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, MAX_VARINT_BYTES = 10 };

typedef struct wire_field {
    uint64_t tag; /* offset of the field */
    uint32_t number;
    unsigned type;
    uint64_t value;      /* of a varint */
    ltap_wire_span span; /* the content; of BYTES without the length */
    uint64_t declared;   /* bytes that it says to have; more than span.bytes: it is cut */
} wire_field;

static ltap_status take_varint(const ltap_wire *wire, uint64_t *at, uint64_t end, uint64_t *value,
                               ltap_error *error)
{
    uint64_t result = 0, start = *at;
    for (unsigned i = 0; i < MAX_VARINT_BYTES; i++) {
        if (start + i >= end)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, start,
                                 end == wire->size ? "the file ends inside a number"
                                                   : "a number runs past the end of its message");
        uint8_t byte = wire->data[start + i];
        if (i == MAX_VARINT_BYTES - 1 && byte > 1)
            break;
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *at = start + i + 1;
            *value = result;
            return LTAP_OK;
        }
    }
    return ltap_error_at(error, LTAP_ERROR_FORMAT, start, "a number is longer than 64 bits");
}

static ltap_status take_tag(const ltap_wire *wire, uint64_t *at, uint64_t end, wire_field *field,
                            ltap_error *error)
{
    uint64_t tag = 0;
    field->tag = *at;
    LTAP_TRY(take_varint(wire, at, end, &tag, error));
    field->type = tag & 7;
    field->number = (uint32_t)(tag >> 3);
    if (tag >> 3 == 0 || tag > UINT32_MAX)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, field->tag,
                             "field number %" PRIu64 " does not exist in protobuf", tag >> 3);
    return LTAP_OK;
}

/* Takes one field from [*at, end). Content that would pass the end is cut there and shows by
 * `declared`: the caller knows how to name it. */
static ltap_status next_field(const ltap_wire *wire, uint64_t *at, uint64_t end, wire_field *field,
                              ltap_error *error)
{
    LTAP_TRY(take_tag(wire, at, end, field, error));
    uint64_t start = *at;
    field->value = 0;
    switch (field->type) {
    case WIRE_VARINT:
        LTAP_TRY(take_varint(wire, at, end, &field->value, error));
        field->declared = *at - start;
        break;
    case WIRE_64:
        field->declared = 8;
        break;
    case WIRE_32:
        field->declared = 4;
        break;
    case WIRE_BYTES:
        LTAP_TRY(take_varint(wire, at, end, &field->declared, error));
        start = *at;
        break;
    default:
        return ltap_error_at(error, LTAP_ERROR_FORMAT, field->tag,
                             "field %" PRIu32 " has wire type %u; groups and unknown wire types "
                             "cannot be read",
                             field->number, field->type);
    }
    uint64_t left = end - start;
    field->span = (ltap_wire_span){start, field->declared < left ? field->declared : left};
    *at = start + field->span.bytes;
    return LTAP_OK;
}

static const ltap_wire_row *find_row(const ltap_wire_message *message, uint32_t number)
{
    for (size_t i = 0; i < message->n_rows; i++)
        if (message->rows[i].number == number)
            return &message->rows[i];
    return NULL;
}

#define NAME_BYTES 200

/* The name of a message whose fields may be cut: what stands before the cut. */
static void peek_name(const ltap_wire *wire, ltap_wire_span span, const ltap_wire_message *message,
                      char name[NAME_BYTES + 1])
{
    uint64_t at = span.offset, end = span.offset + span.bytes;
    wire_field field;
    name[0] = '\0';
    while (at < end && next_field(wire, &at, end, &field, NULL) == LTAP_OK) {
        if (field.number != message->name || field.type != WIRE_BYTES)
            continue;
        size_t bytes = field.span.bytes < NAME_BYTES ? (size_t)field.span.bytes : NAME_BYTES;
        memcpy(name, wire->data + field.span.offset, bytes);
        name[bytes] = '\0';
    }
}

static ltap_status refuse_cut(const ltap_wire *wire, const ltap_wire_message *message,
                              ltap_wire_span span, const wire_field *field, ltap_error *error)
{
    char name[NAME_BYTES + 1];
    peek_name(wire, span, message, name);
    const ltap_wire_row *row = find_row(message, field->number);
    bool file = field->span.offset + field->span.bytes == wire->size;
    return ltap_error_at(error, LTAP_ERROR_FORMAT, field->span.offset,
                         "%s%s%s%s declares %" PRIu64 " bytes%s%s, %s has %" PRIu64 " left",
                         message->what, name[0] ? " '" : "", name, name[0] ? "'" : "",
                         field->declared, row ? " of " : "", row ? row->name : "",
                         file ? "the file" : "it", field->span.bytes);
}

/* A field passes the end. Goes down to the innermost message that is cut, and names that. */
static ltap_status explain_cut(const ltap_wire *wire, const ltap_wire_message *message,
                               ltap_wire_span span, const wire_field *cut, ltap_error *error)
{
    wire_field outer = *cut;
    for (;;) {
        const ltap_wire_row *row = find_row(message, outer.number);
        if (!row || !row->child || outer.span.offset + outer.span.bytes != wire->size)
            break;
        uint64_t at = outer.span.offset, end = at + outer.span.bytes;
        wire_field inner = {0};
        while (at < end) {
            if (next_field(wire, &at, end, &inner, NULL) != LTAP_OK)
                return refuse_cut(wire, message, span, &outer, error);
            if (inner.declared > inner.span.bytes)
                break;
        }
        if (inner.declared <= inner.span.bytes)
            break;
        span = outer.span;
        message = row->child;
        outer = inner;
    }
    return refuse_cut(wire, message, span, &outer, error);
}

static bool type_fits(const ltap_wire_row *row, const wire_field *field)
{
    static const struct {
        unsigned type, packed;
    } kinds[] = {
        [LTAP_WIRE_INT] = {WIRE_VARINT, WIRE_VARINT}, [LTAP_WIRE_FLOAT] = {WIRE_32, WIRE_32},
        [LTAP_WIRE_BYTES] = {WIRE_BYTES, WIRE_BYTES}, [LTAP_WIRE_MANY] = {WIRE_BYTES, WIRE_BYTES},
        [LTAP_WIRE_INTS] = {WIRE_VARINT, WIRE_BYTES}, [LTAP_WIRE_32S] = {WIRE_32, WIRE_BYTES},
        [LTAP_WIRE_64S] = {WIRE_64, WIRE_BYTES}};
    return field->type == kinds[row->kind].type || field->type == kinds[row->kind].packed;
}

static ltap_status check_field(const ltap_wire_message *message, const ltap_wire_row *row,
                               const wire_field *field, ltap_error *error)
{
    if (!type_fits(row, field))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, field->tag,
                             "%s of %s has wire type %u, which its type does not allow", row->name,
                             message->what, field->type);
    unsigned size = row->kind == LTAP_WIRE_32S ? 4 : row->kind == LTAP_WIRE_64S ? 8 : 1;
    if (field->span.bytes % size != 0)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, field->span.offset,
                             "%s of %s has %" PRIu64 " bytes, not a multiple of %u", row->name,
                             message->what, field->span.bytes, size);
    return LTAP_OK;
}

typedef struct wire_scan {
    const ltap_wire *wire;
    const ltap_wire_message *message;
    ltap_wire_head *head;                          /* the struct that is filled */
    size_t counts[LTAP_WIRE_MAX_ROWS + 1];         /* the last: unknown fields */
    ltap_wire_span *lists[LTAP_WIRE_MAX_ROWS + 1]; /* NULL while counting */
    bool fill;
} wire_scan;

static void keep_field(wire_scan *scan, const ltap_wire_row *row, const wire_field *field)
{
    void *place = (char *)scan->head + row->place;
    size_t index = (size_t)(row - scan->message->rows);
    float number;
    scan->head->seen |= UINT64_C(1) << index;
    switch (row->kind) {
    case LTAP_WIRE_INT:
        memcpy(place, &field->value, sizeof(int64_t));
        break;
    case LTAP_WIRE_FLOAT:
        memcpy(&number, scan->wire->data + field->span.offset, sizeof(number));
        memcpy(place, &number, sizeof(number));
        break;
    case LTAP_WIRE_BYTES:
        memcpy(place, &field->span, sizeof(field->span));
        break;
    default:
        scan->lists[index][scan->counts[index]] = field->span;
    }
}

static ltap_status scan_fields(wire_scan *scan, ltap_wire_span span, ltap_error *error)
{
    uint64_t at = span.offset, end = span.offset + span.bytes;
    memset(scan->counts, 0, sizeof(scan->counts));
    while (at < end) {
        wire_field field;
        LTAP_TRY(next_field(scan->wire, &at, end, &field, error));
        if (field.declared > field.span.bytes)
            return explain_cut(scan->wire, scan->message, span, &field, error);
        const ltap_wire_row *row = find_row(scan->message, field.number);
        size_t index = row ? (size_t)(row - scan->message->rows) : LTAP_WIRE_MAX_ROWS;
        if (row)
            LTAP_TRY(check_field(scan->message, row, &field, error));
        if (scan->fill && row)
            keep_field(scan, row, &field);
        else if (scan->fill)
            scan->lists[index][scan->counts[index]] = (ltap_wire_span){field.tag, at - field.tag};
        scan->counts[index]++;
    }
    return LTAP_OK;
}

static bool is_list(const ltap_wire_row *row)
{
    return row->kind != LTAP_WIRE_INT && row->kind != LTAP_WIRE_FLOAT &&
           row->kind != LTAP_WIRE_BYTES;
}

static ltap_status take_list(wire_scan *scan, size_t index, ltap_wire_list *list, ltap_arena *arena,
                             ltap_error *error)
{
    void *items = NULL;
    if (scan->counts[index] > 0)
        LTAP_TRY(
            ltap_arena_take(arena, scan->counts[index], sizeof(ltap_wire_span), &items, error));
    scan->lists[index] = items;
    *list = (ltap_wire_list){items, scan->counts[index]};
    return LTAP_OK;
}

ltap_status ltap_wire_decode(const ltap_wire *wire, ltap_wire_span span,
                             const ltap_wire_message *message, ltap_arena *arena, void *out,
                             ltap_error *error)
{
    wire_scan scan = {.wire = wire, .message = message, .head = out};
    LTAP_TRY(scan_fields(&scan, span, error));
    scan.head->span = span;
    scan.head->seen = 0;
    LTAP_TRY(take_list(&scan, LTAP_WIRE_MAX_ROWS, &scan.head->unknown, arena, error));
    for (size_t i = 0; i < message->n_rows; i++) {
        void *place = (char *)out + message->rows[i].place;
        static const ltap_wire_span nothing;
        if (is_list(&message->rows[i]))
            LTAP_TRY(take_list(&scan, i, place, arena, error));
        else
            memset(place, 0,
                   message->rows[i].kind == LTAP_WIRE_BYTES   ? sizeof(nothing)
                   : message->rows[i].kind == LTAP_WIRE_FLOAT ? sizeof(float)
                                                              : sizeof(int64_t));
    }
    scan.fill = true;
    return scan_fields(&scan, span, error);
}

bool ltap_wire_has(const ltap_wire_message *message, const ltap_wire_head *head, uint32_t number)
{
    const ltap_wire_row *row = find_row(message, number);
    return row && head->seen >> (row - message->rows) & 1;
}

bool ltap_wire_peek(const ltap_wire *wire, uint64_t *at, uint32_t *number, unsigned *wire_type,
                    uint64_t *value)
{
    wire_field field;
    if (*at >= wire->size || next_field(wire, at, wire->size, &field, NULL) != LTAP_OK)
        return false;
    *number = field.number;
    *wire_type = field.type;
    *value = field.value;
    return true;
}

ltap_status ltap_wire_next(const ltap_wire *wire, uint64_t *at, uint64_t end,
                           ltap_wire_field *field, ltap_error *error)
{
    wire_field found = {0};
    LTAP_TRY(next_field(wire, at, end, &found, error));
    if (found.declared > found.span.bytes)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, found.tag, "field %" PRIu32 " is cut",
                             found.number);
    *field = (ltap_wire_field){found.number, found.value, {found.tag, *at - found.tag}, found.span};
    return LTAP_OK;
}

ltap_status ltap_wire_ints_count(const ltap_wire *wire, ltap_wire_list chunks, uint64_t *count,
                                 ltap_error *error)
{
    *count = 0;
    for (size_t i = 0; i < chunks.count; i++) {
        uint64_t at = chunks.items[i].offset, end = at + chunks.items[i].bytes, number;
        while (at < end) {
            LTAP_TRY(take_varint(wire, &at, end, &number, error));
            (*count)++;
        }
    }
    return LTAP_OK;
}

bool ltap_wire_ints_next(ltap_wire_ints *ints, int64_t *number)
{
    while (ints->chunk < ints->chunks.count) {
        ltap_wire_span span = ints->chunks.items[ints->chunk];
        uint64_t at = span.offset + ints->at, end = span.offset + span.bytes, value;
        if (at < end) {
            if (take_varint(ints->wire, &at, end, &value, NULL) != LTAP_OK)
                return false;
            ints->at = at - span.offset;
            memcpy(number, &value, sizeof(value));
            return true;
        }
        ints->chunk++;
        ints->at = 0;
    }
    return false;
}

uint64_t ltap_wire_list_bytes(ltap_wire_list chunks)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < chunks.count; i++)
        bytes += chunks.items[i].bytes;
    return bytes;
}

void ltap_wire_list_copy(const ltap_wire *wire, ltap_wire_list chunks, void *dst)
{
    char *at = dst;
    for (size_t i = 0; i < chunks.count; i++) {
        memcpy(at, wire->data + chunks.items[i].offset, chunks.items[i].bytes);
        at += chunks.items[i].bytes;
    }
}
