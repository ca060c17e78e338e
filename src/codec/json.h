/* JSON for the headers inside files that are not trusted (safetensors, .pt2): bounded and strict.
 *
 * Refused: anything beyond RFC 8259, bad UTF-8, lone surrogates, U+0000 in strings, duplicate keys,
 * nesting beyond LTAP_JSON_MAX_DEPTH, numbers beyond double. Errors hold the byte.
 */
#ifndef LTAP_CODEC_JSON_H
#define LTAP_CODEC_JSON_H

#include "base/arena.h"
#include "base/vector.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LTAP_JSON_MAX_DEPTH 64

typedef enum ltap_json_kind {
    LTAP_JSON_NULL,
    LTAP_JSON_BOOL,
    LTAP_JSON_INT,    /* an integer literal within int64 */
    LTAP_JSON_DOUBLE, /* any other number */
    LTAP_JSON_STRING,
    LTAP_JSON_ARRAY,
    LTAP_JSON_OBJECT
} ltap_json_kind;

/* A value. Members of an object and elements of an array are a list in the order of the text. */
typedef struct ltap_json {
    ltap_json_kind kind;
    uint64_t offset; /* byte in the file where it begins */
    const char *key; /* NUL-terminated UTF-8; NULL outside an object */
    size_t key_bytes;
    struct ltap_json *next;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *text; /* decoded, NUL-terminated UTF-8 */
            size_t text_bytes;
        };
        struct {
            struct ltap_json *first;
            size_t count;
        };
    };
} ltap_json;

/* Parses one document; only white space may follow. base: added to offsets, the place of the bytes
 * in their file. value: lives in the arena. Errors: LTAP_ERROR_FORMAT with the byte. */
ltap_status ltap_json_parse(const void *bytes, size_t size, uint64_t base, ltap_arena *arena,
                            const ltap_json **value, ltap_error *error);

/* The same for what Python's json writes: NaN, Infinity and -Infinity are numbers, too. */
ltap_status ltap_json_parse_python(const void *bytes, size_t size, uint64_t base, ltap_arena *arena,
                                   const ltap_json **value, ltap_error *error);

/* Member of an object by key; NULL where there is none, or object is none or NULL. */
const ltap_json *ltap_json_find(const ltap_json *object, const char *key);

/* "an object", "a string", ... for messages. */
const char *ltap_json_kind_name(ltap_json_kind kind);

/* Appends `text` as a JSON string with its quotes; it must be UTF-8. */
ltap_status ltap_json_quote(ltap_vector *out, const char *text, size_t bytes, ltap_error *error);

#endif
