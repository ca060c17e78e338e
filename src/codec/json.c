/* The JSON reader: one pass, recursive with a depth limit, the tree in the caller's arena.
 * Duplicate keys are found when an object ends, by comparing few and by hashing many. Not a writer
 * (only strings are quoted here) and not for configurations, which go through jansson.
 */
#include "codec/json.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "codec/utf8.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER_BYTES 400
#define FEW_KEYS         16

typedef struct reader {
    const char *text;
    size_t size, at;
    uint64_t base;
    int depth;
    bool python; /* NaN and Infinity are numbers */
    ltap_arena *arena;
    ltap_error *error;
} reader;

static ltap_status read_value(reader *r, ltap_json *value);

static ltap_status fail(reader *r, size_t at, const char *what)
{
    return ltap_error_at(r->error, LTAP_ERROR_FORMAT, r->base + at, "%s", what);
}

/* The next byte, or -1 at the end. */
static int peek(const reader *r)
{
    return r->at < r->size ? (unsigned char)r->text[r->at] : -1;
}

static void skip_space(reader *r)
{
    while (r->at < r->size && memchr(" \t\r\n", r->text[r->at], 4))
        r->at++;
}

static ltap_status expected(reader *r, const char *what)
{
    int c = peek(r);
    if (c < 0)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, r->base + r->at,
                             "the JSON ends where %s is expected", what);
    return ltap_error_at(r->error, LTAP_ERROR_FORMAT, r->base + r->at,
                         "JSON: expected %s, found '%c'", what, c >= 0x20 && c < 0x7F ? c : '?');
}

static ltap_status read_hex4(reader *r, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int c = peek(r);
        const char *digits = "0123456789abcdef";
        const char *digit = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!digit)
            return expected(r, "four hexadecimal digits after \\u");
        *code = *code << 4 | (uint32_t)(digit - digits);
    }
    return LTAP_OK;
}

/* After "\u": one code point, from one or two escapes. */
static ltap_status read_unicode(reader *r, uint32_t *code)
{
    size_t start = r->at;
    LTAP_TRY(read_hex4(r, code));
    if (*code == 0)
        return fail(r, start, "JSON: a string holds U+0000");
    if (*code < 0xD800 || *code > 0xDFFF)
        return LTAP_OK;
    uint32_t low = 0;
    if (*code < 0xDC00 && r->size - r->at >= 6 && memcmp(r->text + r->at, "\\u", 2) == 0) {
        r->at += 2;
        LTAP_TRY(read_hex4(r, &low));
    }
    if (low < 0xDC00 || low > 0xDFFF)
        return fail(r, start, "JSON: half of a surrogate pair in a string");
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return LTAP_OK;
}

static ltap_status read_escape(reader *r, char *out, size_t *n)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    if (c == 'u') {
        uint32_t code;
        r->at++;
        LTAP_TRY(read_unicode(r, &code));
        *n += ltap_utf8_encode(code, out + *n);
        return LTAP_OK;
    }
    const char *name = c > 0 ? strchr(names, c) : NULL;
    if (!name)
        return expected(r, "an escape after '\\'");
    out[(*n)++] = values[name - names];
    r->at++;
    return LTAP_OK;
}

/* Index of the closing quote of the string whose first byte is at r->at. */
static ltap_status find_quote(reader *r, size_t *end)
{
    size_t bad;
    for (size_t i = r->at; i < r->size; i++) {
        unsigned char c = (unsigned char)r->text[i];
        if (c == '"') {
            *end = i;
            if (!ltap_utf8_check(r->text + r->at, i - r->at, &bad))
                return fail(r, r->at + bad, "JSON: a string is not UTF-8");
            return LTAP_OK;
        }
        if (c < 0x20)
            return fail(r, i, "JSON: an unescaped control character in a string");
        i += c == '\\';
    }
    return fail(r, r->at - 1, "JSON: a string without its closing quote");
}

static ltap_status read_string(reader *r, const char **text, size_t *bytes)
{
    if (peek(r) != '"')
        return expected(r, "a string");
    r->at++;
    size_t end = 0, n = 0;
    void *block;
    LTAP_TRY(find_quote(r, &end));
    /* Decoding never lengthens: \uXXXX is six bytes for at most three. */
    LTAP_TRY(ltap_arena_take(r->arena, end - r->at + 1, 1, &block, r->error));
    char *out = block;
    while (r->at < end) {
        char c = r->text[r->at++];
        if (c == '\\')
            LTAP_TRY(read_escape(r, out, &n));
        else
            out[n++] = c;
    }
    r->at = end + 1;
    *text = out;
    *bytes = n;
    return LTAP_OK;
}

static size_t skip_digits(reader *r)
{
    size_t start = r->at;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at - start;
}

static ltap_status scan_number(reader *r, bool *integral)
{
    *integral = true;
    r->at += peek(r) == '-';
    size_t start = r->at;
    if (skip_digits(r) == 0)
        return expected(r, "a digit");
    if (r->text[start] == '0' && r->at - start > 1)
        return fail(r, start, "JSON: a number with a leading zero");
    if (peek(r) == '.') {
        *integral = false;
        r->at++;
        if (skip_digits(r) == 0)
            return expected(r, "a digit");
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        *integral = false;
        r->at++;
        r->at += peek(r) == '-' || peek(r) == '+';
        if (skip_digits(r) == 0)
            return expected(r, "a digit");
    }
    return LTAP_OK;
}

static bool parse_int(const char *text, size_t bytes, int64_t *value)
{
    bool negative = text[0] == '-';
    *value = 0;
    for (size_t i = negative; i < bytes; i++) {
        int digit = negative ? '0' - text[i] : text[i] - '0';
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, digit, value))
            return false;
    }
    return true;
}

/* strtod follows the process's locale; the text does not. */
static double parse_double(const char *text)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return strtod(text, NULL);
    double value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    return value;
}

static ltap_status read_number(reader *r, ltap_json *value)
{
    size_t start = r->at;
    bool integral;
    LTAP_TRY(scan_number(r, &integral));
    size_t bytes = r->at - start;
    value->kind = LTAP_JSON_INT;
    if (integral && parse_int(r->text + start, bytes, &value->integer))
        return LTAP_OK;
    char copy[MAX_NUMBER_BYTES + 1];
    if (bytes > MAX_NUMBER_BYTES)
        return fail(r, start, "JSON: a number of more than 400 characters");
    memcpy(copy, r->text + start, bytes);
    copy[bytes] = '\0';
    value->kind = LTAP_JSON_DOUBLE;
    value->number = parse_double(copy);
    if (!isfinite(value->number))
        return fail(r, start, "JSON: a number too large for a double");
    return LTAP_OK;
}

static ltap_status add_child(reader *r, ltap_json *parent, ltap_json ***last, ltap_json **child)
{
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, 1, sizeof(ltap_json), &block, r->error));
    *child = block;
    **last = *child;
    *last = &(*child)->next;
    parent->count++;
    return LTAP_OK;
}

/* After a child: true in `more` behind a comma, false behind the closing bracket. */
static ltap_status read_separator(reader *r, char closing, const char *what, bool *more)
{
    skip_space(r);
    int c = peek(r);
    if (c != ',' && c != closing)
        return expected(r, what);
    *more = c == ',';
    r->at++;
    skip_space(r);
    return LTAP_OK;
}

static ltap_status read_array(reader *r, ltap_json *array)
{
    ltap_json **last = &array->first, *child;
    bool more = peek(r) != ']';
    r->at += !more;
    while (more) {
        LTAP_TRY(add_child(r, array, &last, &child));
        LTAP_TRY(read_value(r, child));
        LTAP_TRY(read_separator(r, ']', "',' or ']'", &more));
    }
    return LTAP_OK;
}

static ltap_status duplicate(reader *r, const ltap_json *member)
{
    return ltap_error_at(r->error, LTAP_ERROR_FORMAT, member->offset,
                         "JSON: the key '%s' occurs twice in one object", member->key);
}

static ltap_status check_few_keys(reader *r, const ltap_json *object)
{
    for (const ltap_json *a = object->first; a; a = a->next)
        for (const ltap_json *b = object->first; b != a; b = b->next)
            if (a->key_bytes == b->key_bytes && memcmp(a->key, b->key, a->key_bytes) == 0)
                return duplicate(r, a);
    return LTAP_OK;
}

static ltap_status check_keys(reader *r, const ltap_json *object)
{
    if (object->count <= FEW_KEYS)
        return check_few_keys(r, object);
    ltap_status status = LTAP_OK;
    ltap_map map;
    uint32_t seen;
    ltap_map_init(&map, r->arena->memory);
    for (const ltap_json *m = object->first; m; m = m->next) {
        if (ltap_map_get(&map, m->key, m->key_bytes, &seen))
            LTAP_GO(duplicate(r, m));
        LTAP_GO(ltap_map_set(&map, m->key, m->key_bytes, 1, r->error));
    }
done:
    ltap_map_clear(&map);
    return status;
}

static ltap_status read_object(reader *r, ltap_json *object)
{
    ltap_json **last = &object->first, *child;
    bool more = peek(r) != '}';
    r->at += !more;
    while (more) {
        LTAP_TRY(add_child(r, object, &last, &child));
        child->offset = r->base + r->at;
        LTAP_TRY(read_string(r, &child->key, &child->key_bytes));
        skip_space(r);
        if (peek(r) != ':')
            return expected(r, "':'");
        r->at++;
        skip_space(r);
        LTAP_TRY(read_value(r, child));
        LTAP_TRY(read_separator(r, '}', "',' or '}'", &more));
    }
    return check_keys(r, object);
}

static ltap_status read_nested(reader *r, ltap_json *value, bool is_object)
{
    if (++r->depth > LTAP_JSON_MAX_DEPTH)
        return fail(r, r->at, "JSON: nested more than 64 deep");
    value->kind = is_object ? LTAP_JSON_OBJECT : LTAP_JSON_ARRAY;
    value->first = NULL;
    value->count = 0;
    r->at++;
    skip_space(r);
    LTAP_TRY(is_object ? read_object(r, value) : read_array(r, value));
    r->depth--;
    return LTAP_OK;
}

/* What Python's json writes for numbers that JSON lacks. */
static bool read_python(reader *r, ltap_json *value)
{
    static const struct {
        const char *word;
        double number;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; r->python && i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if (r->size - r->at < n || memcmp(r->text + r->at, words[i].word, n) != 0)
            continue;
        r->at += n;
        value->kind = LTAP_JSON_DOUBLE;
        value->number = words[i].number;
        return true;
    }
    return false;
}

static ltap_status read_word(reader *r, ltap_json *value)
{
    static const struct {
        const char *word;
        ltap_json_kind kind;
        bool boolean;
    } words[] = {{"true", LTAP_JSON_BOOL, true},
                 {"false", LTAP_JSON_BOOL, false},
                 {"null", LTAP_JSON_NULL, false}};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i].word);
        if (r->size - r->at < n || memcmp(r->text + r->at, words[i].word, n) != 0)
            continue;
        r->at += n;
        value->kind = words[i].kind;
        value->boolean = words[i].boolean;
        return LTAP_OK;
    }
    return expected(r, "a value");
}

static ltap_status read_value(reader *r, ltap_json *value)
{
    int c = peek(r);
    if (!value->key)
        value->offset = r->base + r->at;
    if (c == '{' || c == '[')
        return read_nested(r, value, c == '{');
    if (c == '"') {
        value->kind = LTAP_JSON_STRING;
        return read_string(r, &value->text, &value->text_bytes);
    }
    if (read_python(r, value))
        return LTAP_OK;
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r, value);
    return read_word(r, value);
}

static ltap_status parse(reader *r, const ltap_json **value)
{
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, 1, sizeof(ltap_json), &block, r->error));
    skip_space(r);
    LTAP_TRY(read_value(r, block));
    skip_space(r);
    if (r->at != r->size)
        return expected(r, "the end");
    *value = block;
    return LTAP_OK;
}

ltap_status ltap_json_parse(const void *bytes, size_t size, uint64_t base, ltap_arena *arena,
                            const ltap_json **value, ltap_error *error)
{
    reader r = {.text = bytes, .size = size, .base = base, .arena = arena, .error = error};
    return parse(&r, value);
}

ltap_status ltap_json_parse_python(const void *bytes, size_t size, uint64_t base, ltap_arena *arena,
                                   const ltap_json **value, ltap_error *error)
{
    reader r = {
        .text = bytes, .size = size, .base = base, .python = true, .arena = arena, .error = error};
    return parse(&r, value);
}

const ltap_json *ltap_json_find(const ltap_json *object, const char *key)
{
    if (object == NULL || object->kind != LTAP_JSON_OBJECT)
        return NULL;
    for (const ltap_json *m = object->first; m; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m;
    return NULL;
}

const char *ltap_json_kind_name(ltap_json_kind kind)
{
    static const char *const names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "an array",  "an object"};
    return names[kind];
}

static ltap_status quote_byte(ltap_vector *out, unsigned char c, ltap_error *error)
{
    if (c == '"' || c == '\\')
        return ltap_text_format(out, error, "\\%c", c);
    if (c < 0x20 || c == 0x7F)
        return ltap_text_format(out, error, "\\u%04x", c);
    return ltap_text_append(out, (const char *)&c, 1, error);
}

ltap_status ltap_json_quote(ltap_vector *out, const char *text, size_t bytes, ltap_error *error)
{
    LTAP_TRY(ltap_text_append(out, "\"", 1, error));
    for (size_t i = 0; i < bytes; i++)
        LTAP_TRY(quote_byte(out, (unsigned char)text[i], error));
    return ltap_text_append(out, "\"", 1, error);
}
